"""The city's streets and borders as one archive of vector tiles, of which a map asks the ranges it needs."""

import logging
import shutil
import tempfile
import weakref
from hashlib import sha256
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

from flask import Blueprint, Flask, Response, abort, current_app, request, send_file

from gis.errors import LamplightError, QuestionError
from layers.store import Store
from planner.runs import DRAWN, city_tiles
from web.server.access import anyone, public_city
from web.server.api_schemas import Answer, Operation, operation
from web.server.city import PublicCity
from web.server.errors import SENTENCES, problem
from web.server.parameters import Parameter, read

MEDIA_TYPE = "application/vnd.pmtiles"
A_YEAR_S, A_WHILE_S, AGAIN_S = 31_536_000, 60, 2
#: How long the first who asks after a start waits for an archive that an import has left in the store.
AT_FIRST_S = 1.0
VERSION = Parameter(
    "v", "text", "版本；与当前版本相符时可长期缓存 the version: where it is the current one, keep it for long"
)

pages = Blueprint("tiles", __name__, url_prefix="/tiles")


class Archive(NamedTuple):
    """One archive in a file. version : of its bytes; path : None where the city has nothing to draw."""

    version: str
    path: Path | None


class CityTiles:
    """Keeps the archive in step with the city, made beside the requests; an older one is served until then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = Path(tempfile.mkdtemp(prefix="lamplight-tiles-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._lock = Lock()
        self._drawn: object = None
        self._archive: Archive | None = None
        self._before: Archive | None = None

    def current(self, city: PublicCity) -> Archive | None:
        """Return the archive of ``city``, or the one before it while it is being made; None where there is none yet."""
        drawn = _drawn(city)
        if drawn != self._drawn and self._lock.acquire(blocking=False):
            renewing = Thread(target=self._renew, args=(drawn,), daemon=True)
            renewing.start()
            if self._archive is None:
                renewing.join(AT_FIRST_S)
        return self._archive

    def _renew(self, drawn: object) -> None:
        try:
            written = self._written()
            oldest, self._before, self._archive, self._drawn = self._before, self._archive, written, drawn
            # The one before stays until the next: an answer under way may have its name, and not yet have it open.
            if oldest and oldest.path and oldest not in (self._before, self._archive):
                oldest.path.unlink(missing_ok=True)
        except LamplightError as error:  # asked for again by the next request
            logging.getLogger("lamplight.tiles").warning("%s", error)
        finally:
            self._lock.release()

    def _written(self) -> Archive:
        data = city_tiles(self._store)
        if not data:
            return Archive("", None)
        version = sha256(data).hexdigest()[:20]
        path = self._folder / f"{version}.pmtiles"
        if not path.exists():
            path.write_bytes(data)
        return Archive(version, path)


def _drawn(city: PublicCity) -> object:
    """Return what changes whenever the archive does."""
    versions = city.mark[0]
    assert isinstance(versions, tuple)
    return tuple(version for version in versions if version[0] in DRAWN)


def tiles_address() -> str:
    """Return where a page's map finds the tiles, "" while there are none: under a name that changes with them."""
    found = _tiles().current(public_city())
    return f"/tiles/city.pmtiles?v={found.version}" if found and found.path else ""


@pages.get("/city.pmtiles")
@operation(Operation(
    "tiles", "街道与边界矢量瓦片（PMTiles），支持范围请求 Streets and borders as vector tiles; ranges are served",
    {
        200: Answer("全部 all of it", None, MEDIA_TYPE), 206: Answer("一段 a range", None, MEDIA_TYPE),
        304: Answer("未变 unchanged", None, ""),
    }, (404, 416, 422, 503), (VERSION,),
))  # fmt: skip
@anyone
def city() -> Response:
    """Serve the archive, or the range of it that is asked for."""
    asked = read((VERSION,), request.args, QuestionError)
    found = _tiles().current(public_city())
    if found is None:
        answer = problem(503, *SENTENCES[503])
        answer.headers["Retry-After"] = str(AGAIN_S)
        return answer
    if found.path is None:
        abort(404)
    fresh = asked["v"] == found.version
    answer = send_file(found.path, MEDIA_TYPE, etag=found.version, max_age=A_YEAR_S if fresh else A_WHILE_S)
    answer.cache_control.public, answer.cache_control.no_cache = True, None
    answer.cache_control.immutable = fresh
    return answer


def _tiles() -> CityTiles:
    tiles: CityTiles = current_app.extensions["lamplight.tiles"]
    return tiles


def register(app: Flask) -> None:
    """Add the tiles to the application."""
    app.extensions["lamplight.tiles"] = CityTiles(app.extensions["lamplight.store"])
    app.register_blueprint(pages)
    app.jinja_env.globals["tiles_address"] = tiles_address
