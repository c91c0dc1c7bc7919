"""The Tianditu base map, fetched by the server so that its key never leaves it; there is none without a key."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Lock
from time import monotonic
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, build_opener

from flask import Blueprint, Flask, Response, abort, current_app

from web.server.access import anyone
from web.server.api_schemas import INTEGER, Answer, Operation, operation
from web.server.settings import Settings

#: Web Mercator tiles of the vector map without names. Source: Tianditu's description of its map services (WMTS).
ADDRESS = (
    "https://t0.tianditu.gov.cn/vec_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=vec&STYLE=default"
    "&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}"
)
IMAGES = ("image/png", "image/jpeg", "image/webp")
MOST_BYTES, MOST_TILES, MAX_ZOOM = 512 * 1024, 256, 18
TIMEOUT_S, KEPT_S, A_DAY_S = 5.0, 3_600.0, 86_400

pages = Blueprint("basemap", __name__, url_prefix="/basemap")


class _NoRedirects(HTTPRedirectHandler):
    """Another address would be told the key."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(slots=True)
class Basemap:
    """Fetches tiles and keeps a few of them; address : with {z}, {x}, {y} and {key}."""

    key: str
    address: str = ADDRESS
    clock: Callable[[], float] = monotonic
    _kept: OrderedDict[tuple[int, int, int], tuple[float, bytes, str]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)
    _opener: OpenerDirector = field(default_factory=lambda: build_opener(_NoRedirects()))

    def tile(self, z: int, x: int, y: int) -> tuple[bytes, str] | None:
        """Return one tile and its media type; None where it cannot be had. Nothing of why is told: it names the key."""
        with self._lock:
            kept = self._kept.get((z, x, y))
        if kept and self.clock() - kept[0] < KEPT_S:
            return kept[1:]
        found = self._fetched(self.address.format(z=z, x=x, y=y, key=self.key))
        if found is not None:
            with self._lock:
                self._kept[z, x, y] = (self.clock(), *found)
                while len(self._kept) > MOST_TILES:
                    self._kept.popitem(last=False)
        return found

    def _fetched(self, address: str) -> tuple[bytes, str] | None:
        try:
            with self._opener.open(address, timeout=TIMEOUT_S) as answer:
                media_type, data = answer.headers.get_content_type(), answer.read(MOST_BYTES + 1)
        except (URLError, OSError, HTTPException, ValueError):
            return None
        return (data, media_type) if media_type in IMAGES and 0 < len(data) <= MOST_BYTES else None


@pages.get("/<int:z>/<int:x>/<int:y>")
@operation(Operation(
    "basemap", "天地图底图，须由管理者开启 The base map, where it is switched on",
    {200: Answer("图片 an image", None, "image/*")}, (404,), path={"z": INTEGER, "x": INTEGER, "y": INTEGER},
))  # fmt: skip
@anyone
def tile(z: int, x: int, y: int) -> Response:
    """Serve one tile of the base map."""
    basemap: Basemap | None = current_app.extensions["lamplight.basemap"]
    if basemap is None or not (z <= MAX_ZOOM and max(x, y) < 1 << z):
        abort(404)
    found = basemap.tile(z, x, y)
    if found is None:
        abort(503)
    return Response(found[0], mimetype=found[1], headers={"Cache-Control": f"public, max-age={A_DAY_S}"})


def register(app: Flask) -> None:
    """Add the base map to the application; without a key every tile of it is absent."""
    settings: Settings = app.extensions["lamplight.settings"]
    app.extensions["lamplight.basemap"] = Basemap(settings.tianditu_key) if settings.tianditu_key else None
    app.register_blueprint(pages)
