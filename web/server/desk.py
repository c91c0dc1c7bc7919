"""The supervisor's pages together: tonight, the desk, its script, its changes, the week, and after the shift."""

from flask import Flask

from web.server import desk_after, desk_changes, desk_live, desk_pages, desk_tonight, desk_week


def register(app: Flask) -> None:
    """Add the supervisor's pages to the application."""
    for group in (desk_tonight, desk_pages, desk_live, desk_changes, desk_week, desk_after):
        group.register(app)
