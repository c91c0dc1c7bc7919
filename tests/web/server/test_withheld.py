"""Points withheld, and points only planned, are in no public answer of any kind: every route is asked, and read."""

import html
import io
import json
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from apiflask import APIFlask
from flask.testing import FlaskClient
from scipy.spatial import cKDTree
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from layers.intake import NewReport, receive
from layers.public_points import public_points
from layers.records import FUNCTIONS, LAYERS
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from planner.runs import run_coverage
from tests.postgis_server import database_of
from tests.web.server.conftest import DATABASES, SECRET, copied_town
from tests.web.server.machines import bearer, token_of
from tests.web.server.staff import CITY, ELSEWHERE, HERE, Browser, add, signed_in
from web.server.app import create_app
from web.server.assets_served import FILES
from web.server.language import LANGUAGES
from web.server.run_pages import STARTED
from web.server.settings import Settings

#: Every word of these is found nowhere else in the town; they are as long as they are so that none comes by chance.
WITHHELD = {
    "code": "QXW-7710", "name": "暗香阁庇护所", "phone": "0999-77107710", "address": "秘藏弄七十七号乙",
    "hours": "Tu 03:17-04:41",
}  # fmt: skip
PLANNED = {
    "code": "QXP-8820", "name": "未央筹备站", "phone": "0999-88208820", "address": "待建巷八十八号丙",
    "hours": "We 02:19-03:43",
}  # fmt: skip
#: One that everybody may see: whoever finds it has looked where the others would be.
SHOWN = {
    "code": "QXS-9930", "name": "众所周知亭", "phone": "0999-99309930", "address": "明示街九十九号甲",
    "hours": "Th 01:13-02:37",
}  # fmt: skip
HIDDEN = (WITHHELD, PLANNED)
#: What is asked for in their place, to compare: as long, and nobody's.
NOBODYS = {"code": "QXN-0000", "name": "无此地方之名", "address": "无此街巷零号子丑"}
#: What changes from one answer to the next, whatever is asked.
CHANGING = re.compile(
    r'(?<=name="csrf_token" value=")[^"]+|(?<="csrf_token":")[^"]+|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}'
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^\"<]*"
)
NUMBER = re.compile(r"-?\d+\.\d{4,}")
STILL = datetime(2026, 11, 27, 13, 0, 30, tzinfo=UTC)
ONE = {
    **dict.fromkeys(("report_id", "photo_id", "account_id", "night_id", "job_id", "scenario_id", "upload_id"), "1"),
    "z": "3", "x": "6", "y": "3",
}  # fmt: skip

Place = tuple[float, float]


@dataclass(frozen=True)
class Town:
    """A served town that holds the three points.

    hidden : where the hidden ones stand; token : of a report; run : of a coverage that counts them; version : of the
    points.
    """

    app: APIFlask
    hidden: tuple[Place, ...]
    token: str
    run: str
    version: int


@pytest.fixture(scope="module", params=DATABASES)
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Town]:
    """The address of a store with the three points on each database in turn, to be copied, and what is in it."""
    url = copied_town(request, tmp_path_factory.mktemp("withheld"))
    store = Store(url)
    points = store.load("service-points")
    at = _places(store)
    more = gpd.GeoDataFrame(
        [
            {**WITHHELD, "build_state": "existing", "withheld": True},
            {**PLANNED, "build_state": "build", "withheld": False},
            {**SHOWN, "build_state": "existing", "withheld": False},
        ],
        geometry=shapely.points(at), crs=points.crs,
    )  # fmt: skip
    told = {"functions": ",".join(FUNCTIONS), "operating_mode": "", "capacity": 7.0, "last_verified": date(2026, 11, 1)}
    more = more.assign(**told)
    table = gpd.GeoDataFrame(pd.concat([points, more], ignore_index=True), crs=points.crs)
    store.import_layer("service-points", "", table, source="x", sha256="0" * 64)
    lon, lat = at[2]
    receipt = receive(
        store, NewReport(lon, lat, ("food_clothes",)), submission_key="6c1f2f5e-3a52-4d59-9d4a-0d3a2f1f6b11",
        secret=b"s" * 32, now=datetime.now(UTC),
    )  # fmt: skip
    run, version = run_coverage(store, CoverageQuestion()), store.current()["service-points", ""]
    store.close()
    app = create_app(Settings(url, SECRET, secure=False), testing=True)
    app.extensions["lamplight.city"].current()  # derive what is slow once
    app.extensions["lamplight.store"].close()  # PostgreSQL copies no database that is in use
    return url, Town(app, (at[0], at[1]), receipt.token, run.id, version.id)


@pytest.fixture
def town(request: pytest.FixtureRequest, prepared: tuple[str, Town], tmp_path: Path) -> Iterator[Town]:
    """The same, served from a store of this test's own."""
    url, town = prepared
    if url.startswith("sqlite"):
        url = f"sqlite:///{shutil.copy(url.removeprefix('sqlite:///'), tmp_path)}"
    else:
        url = request.getfixturevalue("postgis_server").new_database(request, database_of(url))
    app = create_app(Settings(url, SECRET, secure=False), testing=True)
    yield replace(town, app=app)
    app.extensions["lamplight.store"].close()


def _places(store: Store) -> list[Place]:
    """Return three places of the first subdistrict, far from all that is drawn, for their numbers to be their own."""
    areas = store.load("areas", "community")
    inside = areas[areas["code"].str.startswith(HERE.rstrip("0"))].union_all()
    drawn = [store.load("streets").geometry, public_points(store).geometry]
    drawn += [
        store.load("areas", part).geometry for part in LAYERS["areas"].parts if ("areas", part) in store.current()
    ]
    corners = np.vstack([shapely.get_coordinates(shapes.to_numpy()) for shapes in drawn])
    known = cKDTree(corners)
    west, south, east, north = inside.bounds
    random = np.random.default_rng(7)
    tried = random.uniform((west, south), (east, north), (4000, 2)).round(6)
    tried = tried[shapely.contains_xy(inside, tried) & ~np.isin(tried, corners.round(6)).any(axis=1)]
    far = tried[np.argsort(-known.query(tried)[0], kind="stable")]
    chosen = [far[0]]
    for place in far:
        if len(chosen) < 3 and all(np.abs(place - other).min() > 0.0005 for other in chosen):
            chosen.append(place)
    assert len(chosen) == 3 and known.query(chosen)[0].min() > 0.0003
    return [(float(lon), float(lat)) for lon, lat in chosen]


# asking


class Walker:
    """Asks as one client, and counts as a different address each time: limits are another test's matter."""

    def __init__(self, client: FlaskClient, headers: dict[str, str] | None = None) -> None:
        self._client, self._headers, self._asked = client, headers or {}, 0

    def get(self, path: str) -> TestResponse:
        self._asked += 1
        here = f"198.18.{self._asked // 250}.{self._asked % 250}"
        for _ in range(300):
            answer = self._client.get(path, headers=self._headers, environ_base={"REMOTE_ADDR": here})
            if answer.status_code != 503:
                return answer
            time.sleep(0.1)  # the tiles are in the making
        raise AssertionError(f"{path} never answered")

    def pages(self, path: str) -> Iterator[tuple[str, TestResponse]]:
        """Ask for a page and all that follow it."""
        following: str | None = path
        for _ in range(5):  # the points are over before that; streets go on
            if following is None:
                return
            answer, asked = self.get(following), following
            yield asked, answer
            following = _next(answer)


def stranger(town: Town, language: str = "zh") -> Walker:
    """Return somebody without an account, who keeps nothing from one answer to the next."""
    return Walker(town.app.test_client(use_cookies=False), {"Cookie": f"language={language}"})


def _next(answer: TestResponse) -> str | None:
    said = answer.get_json(silent=True) if "json" in answer.mimetype else None
    if not isinstance(said, dict):
        return None
    links = said.get("links")
    found = [link["href"] for link in links if link.get("rel") == "next"] if isinstance(links, list) else []
    return found[0] if found else said["next"] if isinstance(said.get("next"), str) else None


def rules(app: APIFlask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]


def addresses(town: Town, rule: Rule, codes: tuple[str, ...]) -> list[str]:
    """Return the addresses of a route for every value its parameters may sensibly have; codes : of points."""
    static = Path(str(town.app.static_folder))
    layers = sorted({"-".join(filter(None, (name, part))) for name, of in LAYERS.items() for part in of.parts or ("",)})
    known: dict[str, list[str]] = {
        "code": [*LANGUAGES] if rule.endpoint == "public.speak" else [*codes],
        "kind": [*STARTED] if rule.endpoint == "runs.new" else ["points", "stations"], "run_id": [town.run],
        "version_id": [str(town.version)], "fid": [*codes, "1", "40"], "ending": ["json", "geojson", "kml", "xlsx"],
        "name": {"assets.asset": [*FILES], "runs.file": ["own-area.xlsx", "own-area.geojson"]}.get(
            rule.endpoint, layers
        ),
        "token": [town.token, "x" * 43],
        "wanted": [*LANGUAGES], "session_id": ["x"], **{name: [value] for name, value in ONE.items()},
        "filename": [str(path.relative_to(static)) for path in static.rglob("*") if path.is_file()],
    }  # fmt: skip
    found = [rule.rule]
    for name in sorted(rule.arguments):
        if name not in known:
            pytest.fail(f"the route {rule} has a parameter <{name}>, for which this test must know values")
        form = re.compile(rf"<(?:[^<>]*:)?{name}>")
        found = [form.sub(lambda _, v=value: quote(v), path) for path in found for value in known[name]]
    return found


def queries(town: Town) -> list[dict[str, str]]:
    """Return what every route is asked with; one that does not know a word refuses, and its refusal is read too."""
    around = [
        {"bbox": f"{lon - 0.0002:.6f},{lat - 0.0002:.6f},{lon + 0.0002:.6f},{lat + 0.0002:.6f}"}
        for lon, lat in town.hidden
    ]
    beside = [{"lon": f"{lon + 0.0004:.6f}", "lat": f"{lat + 0.0004:.6f}"} for lon, lat in town.hidden]
    return [
        {}, {"when": "all", "count": "200"}, {"limit": "15"}, {"datetime": "2026-11-01"}, *around, *beside,
        *({**place, "count": "50"} for place in beside), *({**place, "when": "all"} for place in beside),
    ]  # fmt: skip


# reading


def texts(answer: TestResponse, folder: Path) -> str:
    """Return all that an answer says, headers and addresses included, whatever it is packed in."""
    said = [str(answer.headers)]
    if answer.data.startswith(b"PMTiles"):
        said.append(_of_tiles(answer.data, folder))
    elif answer.data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
            said += [f"{name} {archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist()]
    else:
        said.append(answer.data.decode("utf-8", "replace"))
    whole = unquote(unquote(unquote(html.unescape("\n".join(said)))))  # addresses stand in addresses
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda mark: chr(int(mark[1], 16)), whole)


def _of_tiles(data: bytes, folder: Path) -> str:
    """Return every feature of an archive, at every zoom that GDAL finds in it."""
    path = folder / "tiles.pmtiles"
    path.write_bytes(data)
    said = []
    for layer, _ in pyogrio.list_layers(path):
        table = pyogrio.read_dataframe(path, layer=layer).to_crs(4326)
        assert len(table), layer
        said.append(table.to_json(ensure_ascii=False))
    return "\n".join(said)


def told(text: str, town: Town, *, but: Collection[str] = ()) -> list[str]:
    """Return which words and places of the hidden points a text holds, but for those asked with."""
    plain = "".join(text.split())
    words = [word for point in HIDDEN for word in _words(point) if word not in but and "".join(word.split()) in plain]
    words += [point["hours"] for point in HIDDEN if re.search(r"\D{1,5}".join(point["hours"][3:].split("-")), text)]
    numbers = [float(number) for number in NUMBER.findall(text)]
    pairs = {(round(a, 4), round(b, 4)) for a, b in pairwise(numbers)}
    sides = {round(number, 6) for number in numbers}
    for lon, lat in town.hidden:
        near = {(round(lon, 4), round(lat, 4)), (round(lat, 4), round(lon, 4))}
        words += [f"{pair}" for pair in near & pairs] + [f"{side}" for side in {lon, lat} & sides]
    return words


def _words(point: dict[str, str]) -> list[str]:
    return [*(point[name] for name in ("code", "name", "phone", "address", "hours")), point["phone"].replace("-", "")]


def everything(town: Town, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every address with all that its answer says, in every language."""
    codes = (WITHHELD["code"], PLANNED["code"], SHOWN["code"])
    for language in LANGUAGES:
        walker = stranger(town, language)
        for rule in rules(town.app):
            for path in addresses(town, rule, codes):
                for query in queries(town) if rule.endpoint != "static" else [{}]:
                    for asked, answer in walker.pages(f"{path}?{urlencode(query)}" if query else path):
                        assert answer.status_code < 500, asked
                        own = next((point["code"] for point in HIDDEN if point["code"] in path), "")
                        if own:
                            assert answer.status_code in (303, 401, 404, 422, 400), asked
                        yield f"{language} {asked}", texts(answer, folder).replace(own or "\0", "")


def test_no_public_answer_tells_of_a_point_withheld_or_planned(town: Town, tmp_path: Path) -> None:
    found: dict[str, set[str]] = {word: set() for word in ("name", "phone", "address")}
    for asked, text in everything(town, tmp_path):
        assert told(text, town) == [], asked
        for name, seen in found.items():
            if SHOWN[name] in text:
                seen.add(asked.partition(" ")[2].partition("?")[0])
    packed = {f"/export/points.{ending}" for ending in ("json", "geojson", "kml", "xlsx")}
    pages = {"/", "/api/v1/points", f"/points/{SHOWN['code']}", f"/points/{SHOWN['code']}/notice"}
    data = {"/ogc/collections/service-points/items", f"/api/v1/points/points/{SHOWN['code']}"}
    assert found["name"] >= packed | pages | data | {"/api/v1/points.geojson"}, "what everybody may see is not found"
    assert found["phone"] >= packed | pages | data and found["address"] >= packed | pages - {"/"} | data


@pytest.mark.parametrize("words", ["name", "address", "code"])
def test_asking_for_a_hidden_point_is_answered_like_asking_for_none(
    town: Town, tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walker = stranger(town)
    walker.get("/tiles/city.pmtiles")  # pages name it once it is made
    for name, module in list(sys.modules.items()):
        if name.startswith("web.server.") and hasattr(module, "now"):
            monkeypatch.setattr(module, "now", lambda: STILL)  # nothing opens between one answer and the next
    ways = ("q", "street", "name", "address", "code", "place", "fid")
    for rule in rules(town.app):
        if rule.endpoint in ("static", "assets.asset"):
            continue
        for path in addresses(town, rule, (NOBODYS["code"],)):
            for way in ways:
                nobody, _ = _asked(walker, path, way, NOBODYS[words], NOBODYS["code"], tmp_path)
                for point in HIDDEN:
                    mine = path.replace(NOBODYS["code"], point["code"])
                    answer, text = _asked(walker, mine, way, point[words], point["code"], tmp_path)
                    assert answer == nobody, f"{mine}?{way}={point[words]}"
                    assert told(text, town, but={point[words], point["code"]}) == []


def _asked(
    walker: Walker, path: str, way: str, word: str, code: str, folder: Path
) -> tuple[tuple[int, str], str]:  # fmt: skip
    answer = walker.get(f"{path}?{urlencode({way: word})}")
    text = texts(answer, folder)
    if answer.status_code in (200, 206) and answer.mimetype in ("image/svg+xml", "application/vnd.pmtiles"):
        return (answer.status_code, answer.mimetype), text
    body = text.partition("\r\n\r\n")[2]
    return (answer.status_code, CHANGING.sub("", body.replace(word, "?").replace(code, "?"))), text


def test_the_forms_search_finds_no_hidden_point(town: Town, tmp_path: Path) -> None:
    browser = Browser(town.app)
    browser.get("/report")
    for way in ("street", "place"):
        for point in (*HIDDEN, SHOWN):
            answer = browser.post("/report", do="search", **{way: point["name"]})
            assert told(texts(answer, tmp_path), town, but={point["name"]}) == []
            assert ('name="match"' in answer.text) == (point is SHOWN)


@pytest.mark.parametrize(("role", "area"), [("partner", CITY), ("administrator", CITY), ("supervisor", ELSEWHERE)])
def test_staff_who_may_not_see_a_hidden_point_are_not_told_of_it(
    town: Town, tmp_path: Path, role: str, area: str
) -> None:  # fmt: skip
    browser = signed_in(town.app, add(town.app, "sun", role, area))
    token = token_of(town.app, role, area)
    for walker in (Walker(browser.client), Walker(town.app.test_client(), bearer(token))):
        for rule in rules(town.app):
            if rule.endpoint in ("static", "assets.asset"):
                continue
            for path in addresses(town, rule, (WITHHELD["code"], PLANNED["code"])):
                own = next((point["code"] for point in HIDDEN if point["code"] in path), "")
                for asked, answer in walker.pages(f"{path}?limit=1000" if rule.endpoint == "ogc_items.items" else path):
                    assert told(texts(answer, tmp_path).replace(own or "\0", ""), town) == [], asked
    in_path = Walker(town.app.test_client())
    for asked, answer in in_path.pages(f"/t/{token}/ogc/collections/service-points/items?limit=1000"):
        assert told(texts(answer, tmp_path), town) == [], asked


def test_whoever_may_see_them_finds_them_so_the_tests_above_would(town: Town, tmp_path: Path) -> None:
    walker = Walker(town.app.test_client(), bearer(token_of(town.app, "planner", HERE)))
    said = "".join(texts(a, tmp_path) for _, a in walker.pages("/ogc/collections/service-points/items"))
    found = told(said, town)
    assert {word for point in HIDDEN for word in _words(point)[:5]} <= set(found)
    for place in town.hidden:
        assert f"{tuple(round(side, 4) for side in place)}" in found and json.dumps(place[0]) in found
