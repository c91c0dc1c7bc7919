"""The vector tiles and the base map as a browser asks for them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyogrio
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from layers.store import Store
from planner.runs import city_tiles
from web.server.basemap import MOST_BYTES, Basemap
from web.server.tiles import tiles_address

TILES = "/tiles/city.pmtiles"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
KEY = "a-key-nobody-else-may-see"


def store_of(app: APIFlask) -> Store:
    store: Store = app.extensions["lamplight.store"]
    return store


def ready(client: FlaskClient, path: str = TILES, headers: dict[str, str] | None = None) -> TestResponse:
    for _ in range(600):
        answer = client.get(path, headers=headers)
        if answer.status_code != 503:
            return answer
        assert answer.headers["Retry-After"] and answer.mimetype == "application/problem+json"
        time.sleep(0.1)
    raise AssertionError("the tiles were never made")


def test_ranges_and_marks_of_the_archive_are_served(client: FlaskClient, app: APIFlask) -> None:
    whole = city_tiles(store_of(app))
    full = ready(client)
    assert (full.status_code, full.mimetype, full.data) == (200, "application/vnd.pmtiles", whole)
    assert whole.startswith(b"PMTiles") and full.headers["Accept-Ranges"] == "bytes"
    for first, last in ((0, 16383), (100, 100), (len(whole) - 5, len(whole) - 1)):
        part = client.get(TILES, headers={"Range": f"bytes={first}-{last}"})
        assert (part.status_code, part.data) == (206, whole[first : last + 1])
        assert part.headers["Content-Range"] == f"bytes {first}-{min(last, len(whole) - 1)}/{len(whole)}"
    assert client.get(TILES, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    mark = full.headers["ETag"]
    assert client.get(TILES, headers={"If-None-Match": mark}).status_code == 304
    kept = {"Range": "bytes=0-9", "If-Range": mark}
    assert client.get(TILES, headers=kept).status_code == 206
    assert client.get(TILES, headers={**kept, "If-Range": '"older"'}).data == whole


def test_only_the_versioned_address_is_kept_for_long(client: FlaskClient, app: APIFlask) -> None:
    ready(client)
    with app.test_request_context():
        address = tiles_address()
    assert address.startswith(f"{TILES}?v=")
    control = client.get(address).headers["Cache-Control"]
    assert "immutable" in control and "max-age=31536000" in control and "no-cache" not in control
    for other in (TILES, f"{TILES}?v=older"):
        control = client.get(other).headers["Cache-Control"]
        assert "immutable" not in control and "max-age=60" in control
    assert client.get(f"{TILES}?w=1").status_code == 422


def test_an_import_brings_other_tiles_and_the_old_are_served_until_then(client: FlaskClient, app: APIFlask) -> None:
    before = ready(client).headers["ETag"]
    store = store_of(app)
    store.import_layer("streets", "", store.load("streets").iloc[:50], source="x", sha256="0" * 64)
    source = app.extensions["lamplight.city"]
    source._looked = -float("inf")  # as if the seconds between two looks had passed
    deadline = time.monotonic() + 60
    while (found := client.get(TILES)).headers["ETag"] == before:
        assert found.status_code == 200 and time.monotonic() < deadline
        time.sleep(0.1)
    assert found.data == city_tiles(store)


def test_an_answer_that_was_begun_before_other_tiles_came_still_finds_its_own(app: APIFlask) -> None:
    store, source, tiles = store_of(app), app.extensions["lamplight.city"], app.extensions["lamplight.tiles"]
    kept = []
    for count in (60, 50, 40):
        store.import_layer("streets", "", store.load("streets").iloc[:count], source="x", sha256="0" * 64)
        source._looked = -float("inf")
        deadline = time.monotonic() + 60
        while (found := tiles.current(source.current())) is None or found in kept:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kept.append(found)
        assert [one.path.is_file() for one in kept[-2:]] == [True] * len(kept[-2:])
    deadline = time.monotonic() + 60
    while kept[0].path.exists():
        assert time.monotonic() < deadline, "older ones go"
        time.sleep(0.1)


def test_tiles_are_made_once_and_kept_in_the_store(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    made = city_tiles(store_of(app))
    monkeypatch.setattr("planner.runs.write_tiles", None)  # would fail if asked again
    assert city_tiles(store_of(app)) == made


def test_water_is_in_the_tiles_and_the_first_who_asks_gets_what_an_import_has_left(
    app: APIFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "city.pmtiles"
    path.write_bytes(city_tiles(store_of(app)))
    monkeypatch.setattr("web.server.tiles.AT_FIRST_S", 60)  # tests may run on a busy machine
    assert app.test_client().get(TILES).data == path.read_bytes()
    assert set(pyogrio.list_layers(path)[:, 0]) == {"water", "streets", "borders", "areas"}


def test_a_city_without_streets_and_areas_has_no_tiles(sqlite_client: FlaskClient) -> None:
    assert ready(sqlite_client).status_code == 404


@pytest.fixture
def sqlite_client(tmp_path: object) -> Iterator[FlaskClient]:
    from tests.web.server.conftest import SECRET
    from web.server.app import create_app
    from web.server.settings import Settings

    store = Store(f"sqlite:///{tmp_path}/empty.sqlite")
    store.create()
    app = create_app(Settings(f"sqlite:///{tmp_path}/empty.sqlite", SECRET, secure=False), testing=True)
    yield app.test_client()
    app.extensions["lamplight.store"].close()
    store.close()


class Upstream:
    """A server of map tiles: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status, self.kind, self.body = 200, "image/png", PNG
        self.location = ""


@contextmanager
def tianditu() -> Iterator[tuple[Upstream, str]]:
    site = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            self.send_response(site.status)
            self.send_header("Content-Type", site.kind)
            self.send_header("Content-Length", str(len(site.body)))
            if site.location:
                self.send_header("Location", site.location)
            self.end_headers()
            self.wfile.write(site.body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield site, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_there_is_no_base_map_without_a_key(client: FlaskClient) -> None:
    assert client.get("/basemap/1/0/0").status_code == 404


def test_the_base_map_is_fetched_once_and_its_key_stays_here(
    client: FlaskClient, app: APIFlask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with tianditu() as (site, address):
        app.extensions["lamplight.basemap"] = Basemap(KEY, address + "/{z}/{x}/{y}?tk={key}")
        for _ in range(3):
            answer = client.get("/basemap/12/3369/1680")
            assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/png", PNG)
            assert "max-age=" in answer.headers["Cache-Control"]
            assert KEY not in str(answer.headers)
        assert site.asked == [f"/12/3369/1680?tk={KEY}"]
        for outside in ("/basemap/1/2/0", "/basemap/1/0/2", "/basemap/19/0/0", "/basemap/-1/0/0", "/basemap/a/0/0"):
            assert client.get(outside).status_code == 404
        assert len(site.asked) == 1
    assert KEY not in caplog.text


def test_nothing_but_images_passes(client: FlaskClient, app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with tianditu() as (site, address):
        app.extensions["lamplight.basemap"] = Basemap(KEY, address + "/{z}/{x}/{y}?tk={key}")
        for changed in (
            {"kind": "text/html", "body": b"<script>"}, {"kind": "image/svg+xml"}, {"status": 403}, {"status": 500},
            {"status": 302, "location": f"{address}/elsewhere"}, {"body": b""}, {"body": bytes(MOST_BYTES + 1)},
        ):  # fmt: skip
            vars(site).update({"status": 200, "kind": "image/png", "body": PNG, "location": ""} | changed)
            answer = client.get("/basemap/3/1/1")
            assert (answer.status_code, answer.mimetype) == (503, "application/problem+json"), changed
            assert KEY not in answer.text
        assert "/elsewhere" not in site.asked
    assert client.get("/basemap/3/1/1").status_code == 503, "nobody answers there any more"
    assert KEY not in caplog.text


def test_a_tile_of_the_base_map_is_asked_for_again_after_a_while() -> None:
    at = [0.0]
    with tianditu() as (site, address):
        basemap = Basemap(KEY, address + "/{z}/{x}/{y}", clock=lambda: at[0])
        for at[0], times in ((0.0, 1), (3000.0, 1), (4000.0, 2)):
            assert basemap.tile(1, 0, 0) == (PNG, "image/png")
            assert len(site.asked) == times
