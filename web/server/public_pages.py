"""The public's pages: where is help now, and how do I walk there?"""

from flask import Blueprint, Flask, render_template

from web.server.access import anyone, public_city
from web.server.language import _

pages = Blueprint("public", __name__)


@pages.get("/")
@anyone
def find() -> str:
    """Show the places of help, nearest first where the reader says from where."""
    return render_template("find.html", title=_("找服务点"), points=public_city().points.itertuples())


def register(app: Flask) -> None:
    """Add the public's pages to the application, and what every page shows."""
    app.register_blueprint(pages)

    @app.context_processor
    def city() -> dict[str, str]:
        settings = public_city().settings
        return {name: settings[name] for name in ("city_name", "attribution", "approval_number", "fictional")}
