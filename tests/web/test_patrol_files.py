"""Files of a patrol run: complete, readable by others, the same twice, and without what is withheld."""

import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from pyproj import Geod

from gis.errors import QuestionError
from layers.run import Run
from layers.store import Store
from planner.patrol.answer_json import MOST_ROWS, patrol_json
from tests.web import gpx_check, patrol_toy
from tests.web.conftest import HOSTILE
from web import patrol_turns
from web.patrol_drawing import WITHHELD, PatrolDrawing, patrol_drawing
from web.patrol_files import WRITERS, write_patrol
from web.patrol_text import patrol_text

FIRST, SECOND = patrol_toy.DATES
OUT = [(FIRST, "C01"), (FIRST, "C02"), (SECOND, "C01")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(str(tmp_path_factory.mktemp("patrol") / "town.db"))
    store.create()
    yield patrol_toy.keep(store)
    store.close()


@pytest.fixture(scope="module")
def run(store: Store) -> Run:
    return patrol_toy.toy_run(store)


@pytest.fixture(scope="module")
def drawing(store: Store, run: Run) -> PatrolDrawing:
    return patrol_drawing(store, run)


@pytest.fixture(scope="module")
def folder(store: Store, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "tonight"
    told: list[str] = []
    written = write_patrol(store, run, folder, progress=told.append)
    assert told == list(WRITERS)
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    return folder


class Words(HTMLParser):
    """The words of a page, its elements and their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.words, self.tags, self.ids = [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    @property
    def text(self) -> str:
        return "".join(self.words)


def test_a_week_has_a_file_of_sheets_for_each_night(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        f"sheets-{FIRST}.html", f"sheets-{SECOND}.html", "routes.gpx", "routes.kml", "routes.geojson", "patrol.xlsx",
        "patrol.html", "patrol.png",
    }  # fmt: skip


def test_one_night_has_one_file_of_sheets(store: Store, tmp_path: Path) -> None:
    run = patrol_toy.toy_run(store, patrol_toy.CREWS[:3])
    assert write_patrol(store, run, tmp_path)[0].name == "sheets.html"


def test_every_crew_that_goes_out_has_a_sheet_with_all_it_does(folder: Path, drawing: PatrolDrawing) -> None:
    for date in patrol_toy.DATES:
        page = Words(folder / f"sheets-{date}.html")
        assert [i for i in page.ids if i] == [f"{crew}-{on}" for on, crew in OUT if on == date]
        assert page.tags.count("svg") == 1 + len(page.ids), "a map for the supervisor and one for each crew"
        for route in drawing.on(date):
            assert str(route.crew["persons"]) in page.text
            for item in patrol_turns.items(route):
                assert item.zh in page.text and item.en in page.text
        assert page.tags.count("li") == sum(len(patrol_turns.items(r)) for r in drawing.on(date))


def test_the_overview_lists_all_crews_and_why_what_is_not_covered(folder: Path) -> None:
    text = Words(folder / f"sheets-{FIRST}.html").text
    for words in ("C03 王安灯", "没有路可到", "there is no way to it", "人手时间不够", "说明一", "note one"):
        assert words in text


def test_what_must_be_done_bears_a_star_and_can_be_ticked(folder: Path, drawing: PatrolDrawing) -> None:
    page = (folder / f"sheets-{FIRST}.html").read_text(encoding="utf-8")
    items = [item for route in drawing.on(FIRST) for item in patrol_turns.items(route)]
    assert page.count('<span class="ticks">') == sum(item.ticks for item in items)
    listed = page.split("<ol>")[1:]
    assert sum(part.split("</ol>")[0].count("★") for part in listed) == sum(item.must for item in items) == 2


def test_names_never_become_elements(folder: Path) -> None:
    for date in patrol_toy.DATES:
        page = Words(folder / f"sheets-{date}.html")
        assert HOSTILE in page.text
        assert not {"script", "img"} & set(page.tags)
    assert HOSTILE not in (folder / "patrol.html").read_text(encoding="utf-8")


def test_the_map_opens_without_a_network(folder: Path, browse: Callable[[Path], tuple[str, list[str]]]) -> None:
    document, console = browse(folder / "patrol.html")
    assert not [line for line in console if "favicon" not in line]
    assert document.count("leaflet-control-layers-selector") >= len(OUT)
    assert "<img src=x" not in document


def test_gpx_keeps_the_schemas_order_and_types(folder: Path) -> None:
    assert gpx_check.faults((folder / "routes.gpx").read_bytes()) == []


def test_the_check_of_gpx_sees_faults() -> None:
    whole = '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="x">{}</gpx>'
    for inside, fault in (
        ('<trk/><wpt lat="1" lon="2"/>', "order"), ('<wpt lat="91" lon="2"/>', "lat"), ('<wpt lat="1"/>', "lon"),
        ('<wpt lat="1" lon="2"><name/><time>2026-03-01T12:00:00Z</time></wpt>', "order"),
        ('<wpt lat="1" lon="2"><time>tonight</time></wpt>', "time"), ("<route/>", "holds"),
        ("<trk><name/><name/></trk>", "two of name"),
    ):  # fmt: skip
        assert any(fault in found for found in gpx_check.faults(whole.format(inside).encode())), inside


def test_gpx_has_a_track_for_each_crew_with_its_times_in_utc(folder: Path, drawing: PatrolDrawing) -> None:
    root = ElementTree.parse(folder / "routes.gpx").getroot()
    tracks = root.findall(f"{gpx_check.SPACE}trk")
    assert len(tracks) == len(OUT)
    for track, (date, crew) in zip(tracks, OUT, strict=True):
        assert crew in str(track.findtext(f"{gpx_check.SPACE}name"))
        times = [t.text or "" for t in track.iter(f"{gpx_check.SPACE}time")]
        assert times == sorted(times) and times[0].startswith(date)
    assert next(tracks[0].iter(f"{gpx_check.SPACE}time")).text == f"{FIRST}T12:00:00Z", "20:00 in Shanghai"
    placed = sum(1 for route in drawing.routes if route.goes_out for _ in patrol_turns.items(route))
    assert len(root.findall(f"{gpx_check.SPACE}wpt")) >= placed - 4, "all but the ends of the withheld station's crew"
    assert len(gpd.read_file(folder / "routes.gpx", layer="tracks")) == len(OUT)


def test_gpx_leaves_times_out_where_the_time_zone_is_unknown(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "town.db"))
    store.create()
    patrol_toy.keep(store).set_setting("timezone", "Nowhere/Town")
    write_patrol(store, patrol_toy.toy_run(store), tmp_path / "out")
    store.close()
    written = (tmp_path / "out" / "routes.gpx").read_bytes()
    assert b"<time>" not in written and gpx_check.faults(written) == []


def length_m(shapes: gpd.GeoSeries) -> float:
    return float(sum(Geod(ellps="GRS80").geometry_length(shape) for shape in shapes))


def test_kml_and_geojson_hold_the_ground_walked(folder: Path, run: Run) -> None:
    steps = run.tables["steps"]
    hidden = (steps["crew"] == "C02") & (steps["kind"] == "travel")
    shown = float(steps["metres"][~hidden].sum())
    lines = gpd.read_file(folder / "routes.geojson")
    ways = lines[lines.geom_type == "LineString"]
    assert ways["metres"].sum() == pytest.approx(shown)
    assert length_m(ways.geometry) == pytest.approx(shown, rel=1e-3)
    assert len(lines[lines["kind"] == "check"]) == 1
    kml = gpd.read_file(folder / "routes.kml")
    assert length_m(kml.geometry[kml.geom_type != "Point"]) == pytest.approx(shown, rel=1e-3)
    assert len(kml[kml.geom_type != "Point"]) == len(OUT)


def test_the_workbook_has_the_runs_figures(folder: Path, run: Run) -> None:
    book = openpyxl.load_workbook(folder / "patrol.xlsx")
    assert book.sheetnames == [
        "摘要 Summary",
        "各夜 Nights",
        "班组 Crews",
        "步骤 Steps",
        "未巡查 Uncovered",
        "说明 Notes",
    ]
    for sheet in book:
        for cell in sheet[1]:
            words = str(cell.value)
            assert any(ord(c) > 0x2E7F for c in words) and any(c.isascii() and c.isalpha() for c in words), words
    crews = list(book["班组 Crews"].iter_rows(min_row=2, values_only=True))
    heads = [str(cell.value) for cell in book["班组 Crews"][1]]
    at = {name: heads.index(f"{zh}\n{en}") for name, zh, en in (
        ("duration_s", "用时（分钟）", "time (min)"), ("walked_m", "走过（米）", "walked (m)"),
        ("priority", "优先值", "priority"), ("deadhead_share", "空走占比", "not patrolling"),
    )}  # fmt: skip
    table = run.tables["crews"]
    for row, crew in zip(crews, table.to_dict("records"), strict=True):
        assert row[at["duration_s"]] == pytest.approx(crew["duration_s"] / 60)
        assert row[at["walked_m"]] == pytest.approx(crew["walked_m"])
        assert row[at["priority"]] == pytest.approx(crew["priority"])
        if crew["walked_m"] > 0:
            assert row[at["deadhead_share"]] == pytest.approx(crew["deadhead_m"] / crew["walked_m"])
    assert len(list(book["步骤 Steps"].iter_rows(min_row=2))) == len(run.tables["steps"])
    assert len(list(book["未巡查 Uncovered"].iter_rows(min_row=2))) == 2


def test_the_same_run_gives_the_same_bytes(store: Store, run: Run, folder: Path, tmp_path: Path) -> None:
    for path in write_patrol(store, run, tmp_path):
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_a_withheld_station_is_neither_named_nor_placed(folder: Path, drawing: PatrolDrawing) -> None:
    lon, lat = patrol_toy.secret_place()
    for path in folder.iterdir():
        if path.suffix in (".png", ".xlsx"):
            continue
        text = path.read_text(encoding="utf-8")
        assert patrol_toy.SECRET_NAME not in text, path.name
        assert f"{lat:.5f}" not in text or f"{lon:.5f}" not in text, path.name
    book = openpyxl.load_workbook(folder / "patrol.xlsx")
    cells = {str(value) for sheet in book for row in sheet.iter_rows(values_only=True) for value in row}
    assert not {patrol_toy.SECRET_NAME, patrol_toy.SECRET_CODE} & cells
    (route,) = (r for r in drawing.routes if r.crew["crew"] == "C02")
    assert not route.known and set(route.legs["segment_id"]) == {1}, "the way to the station would lead there"
    assert WITHHELD in Words(folder / f"sheets-{FIRST}.html").text


def test_text_tells_totals_crews_reasons_and_notes(run: Run) -> None:
    text = patrol_text(run)
    for words in (FIRST, SECOND, "C01 林晓灯", "没有路可到", "no time left", "note one", "2 / 3 班组出巡"):
        assert words in text
    assert patrol_toy.SECRET_NAME not in text


def test_text_of_many_crews_says_how_many_more_there_are(store: Store) -> None:
    crews = [(FIRST, f"C{i:02d}", "灯", "walk", "P1", "20:00", patrol_toy.SHORT) for i in range(30)]
    text = patrol_text(patrol_toy.toy_run(store, crews))
    assert "C24" in text and "C25" not in text and "5 more in the files" in text


def test_json_has_every_short_table_and_names_the_long_ones(store: Store, run: Run) -> None:
    answer = json.loads(json.dumps(patrol_json(run), allow_nan=False))
    assert len(answer["crews"]) == 4 and len(answer["plan"]) == 2 and answer["left_to_files"] == {}
    assert answer["plan"][0]["away_share"] is None
    many = pd.concat([run.tables["steps"]] * (MOST_ROWS // len(run.tables["steps"]) + 1))
    long = patrol_json(Run("patrol", {}, {}, {**run.tables, "steps": many}))
    assert long["left_to_files"] == {"steps": len(many)} and "steps" not in long


def test_streets_that_were_pruned_are_said_to_be_gone(store: Store, run: Run) -> None:
    gone = Run("patrol", run.parameters, {**run.inputs, "streets": "0" * 64}, run.tables)
    with pytest.raises(QuestionError, match="pruned"):
        patrol_drawing(store, gone)


def test_a_night_nobody_walks_still_has_its_overview(store: Store, tmp_path: Path) -> None:
    run = patrol_toy.toy_run(store, [patrol_toy.CREWS[2]])
    written = {path.name: path for path in write_patrol(store, run, tmp_path)}
    page = Words(written["sheets.html"])
    assert page.ids == [] and "C03 王安灯" in page.text
    assert gpx_check.faults(written["routes.gpx"].read_bytes()) == []
