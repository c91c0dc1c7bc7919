"""The browser's libraries, served by ourselves: no page asks any other host for anything."""

from flask import Blueprint, Flask, Response, abort, send_from_directory

from web import assets
from web.server.access import anyone

#: Name in addresses -> file in npm's folder. Nothing else of that folder is served.
FILES = {
    "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "pmtiles.js": "pmtiles/dist/pmtiles.js",
}
A_DAY_S = 86_400

pages = Blueprint("assets", __name__, url_prefix="/assets")


@pages.get("/<name>")
@anyone
def asset(name: str) -> Response:
    """Serve one file of a browser library."""
    if name not in FILES:
        abort(404)
    return send_from_directory(assets.FOLDER, FILES[name], mimetype="text/javascript", max_age=A_DAY_S)


def register(app: Flask) -> None:
    """Add the libraries to the application."""
    app.view_functions["static"] = anyone(app.view_functions["static"])
    app.register_blueprint(pages)
