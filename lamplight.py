"""Command line of Lamplight."""

import click


@click.group()
def main() -> None:
    """Plan a city's street-rescue service."""
