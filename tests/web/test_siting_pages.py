"""Map and picture of a siting result: repeatable, offline, without withheld points, for any shape of result."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.web.conftest import HOSTILE
from tests.web.siting_toy import (
    SECRET_CODE,
    SECRET_NAME,
    areas,
    draw_siting,
    frontier,
    no_areas,
    plan,
    sites,
    tables,
)
from web import assets, fonts, siting_drawing, siting_map, siting_picture
from web.picture_maps import scene_of
from web.siting_drawing import SitingDrawing, gain_class, gain_edges, gain_labels
from web.siting_marks import marks_on_map

Browse = Callable[[Path], tuple[str, list[str]]]


def page(what: SitingDrawing, folder: Path) -> str:
    siting_map.siting_map(what, folder / "site.html")
    return (folder / "site.html").read_text("utf-8")


def picture(what: SitingDrawing, folder: Path) -> bytes:
    siting_picture.siting_picture(what, folder / "site.png")
    return (folder / "site.png").read_bytes()


def without_leaflet(html: str) -> str:
    for text in (assets.script("leaflet/dist/leaflet.js"), assets.style("leaflet/dist/leaflet.css")):
        html = html.replace(text, "")
    return html


def variants() -> dict[str, SitingDrawing]:
    """The toy result in the shapes a city's result can take."""
    bare = {name: table.iloc[:0] for name, table in tables().items() if name not in ("plan", "totals")}
    nobody = {f"people{side}": 0.0 for side in ("", "_before", "_after")}
    full = draw_siting()
    return {
        "nothing changes": draw_siting(sites=sites().iloc[:0], plan=plan(opened=0, closed=0)),
        "one site": draw_siting(sites=sites(1)),
        "forty sites": draw_siting(sites=sites(40)),
        "no areas": draw_siting(areas=no_areas()),
        "no people": draw_siting(
            areas=full.areas.assign(**nobody), totals=tables()["totals"].assign(**nobody), parameters={"level": "city"}
        ),
        "empty tables": draw_siting(
            areas=no_areas(), segments=full.segments.iloc[:0], points=full.points.iloc[:0], **bare
        ),
        "frontier": draw_siting(frontier=frontier(30), plan=plan(problem="frontier")),
        "reports": draw_siting(parameters={"demand": [["reports", 1.0]]}, plan=plan(unit="reports")),
        "timed": draw_siting(plan=plan(problem="pmedian", unit="people_s", value=9e5, before=1e6)),
        "worse": draw_siting(areas=gpd.GeoDataFrame(areas(0.2), geometry=full.areas.geometry.to_numpy(), crs=4326)),
    }


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    assert page(draw_siting(), tmp_path) == page(draw_siting(), tmp_path)
    assert picture(draw_siting(), tmp_path) == picture(draw_siting(), tmp_path)


def test_the_page_names_no_address_and_no_name_becomes_markup(tmp_path: Path) -> None:
    html = without_leaflet(page(draw_siting(city=HOSTILE, question=(HOSTILE, HOSTILE)), tmp_path))
    assert not re.findall(r"https?://", html)
    assert HOSTILE not in html and "<img" not in html


def test_a_browser_without_network_draws_every_variant_and_complains_of_nothing(tmp_path: Path, browse: Browse) -> None:
    for name in ("forty sites", "no areas", "empty tables", "frontier"):
        page(variants()[name], tmp_path)
        document, console = browse(tmp_path / "site.html")
        assert console == [], name
        if name == "forty sites":
            assert len(re.findall(r"leaflet-marker-icon site (?:build|convert|upgrade)", document)) == 40
            assert document.count("leaflet-marker-icon site close") == 1, "the withheld point is not shown"


def test_a_tap_on_a_site_of_the_list_opens_its_card(tmp_path: Path, browse: Browse) -> None:
    head, mark, tail = page(draw_siting(), tmp_path).rpartition("</script>")
    click = "document.querySelector('[data-site=\"0\"]').click();"
    (tmp_path / "site.html").write_text(head + click + mark + tail, "utf-8")
    document, console = browse(tmp_path / "site.html")
    assert console == []
    (card,) = re.findall(r'<div class="leaflet-popup-content".*?</table>', document, re.DOTALL)
    for words in ("J0", "300 人 people", "200 人 people", "文昌路 / 支路0", "90%", "文昌路", "东街道"):
        assert words in card


@pytest.mark.parametrize(("choice", "said"), [(None, "more people within"), ("之后 after", "Share of people")])
def test_the_legend_explains_the_view_that_is_shown(
    choice: str | None, said: str, tmp_path: Path, browse: Browse
) -> None:
    head, mark, tail = page(draw_siting(), tmp_path).rpartition("</script>")
    choose = """document.querySelectorAll('.leaflet-control-layers-base label').forEach((label) => {
        if (label.innerText.trim() === %s) label.querySelector('input').click();
    });"""
    (tmp_path / "site.html").write_text(head + choose % json.dumps(choice) + mark + tail, "utf-8")
    document, console = browse(tmp_path / "site.html")
    assert console == []
    (legend,) = re.findall(r"<summary>图例 Legend</summary>.*?</details>", document, re.DOTALL)
    shown = re.sub(r'<div data-views="[^"]*" hidden="">.*?</div>', "", legend, flags=re.DOTALL)
    assert said in shown
    assert ("街面 Streets" in shown) == (choice is None), "streets bear colours in one view alone"
    assert legend.count("hidden") == 1


def test_views_story_flags_sources_and_gap_stand_on_the_page(tmp_path: Path) -> None:
    html = page(draw_siting(), tmp_path)
    for words in ("之前 before", "之后 after", "谁受益 who gains", "次选点位 runners-up"):
        assert json.dumps(words) in html
    for words in ("新增三个点位。",
                  "新增 3 个、关闭 2 个点位，10 分钟内多覆盖 1,200 人", "至多再多 0.42 %", "虚构城市", "边界为近似",
                  "© OpenStreetMap", "审图号：GS(2026)0000号", "北 N", "说明一"):  # fmt: skip
        assert words in html
    assert "proven best" not in html
    assert "proven best" in page(draw_siting(plan=plan(optimal=True, gap=0.0, stopped="proven")), tmp_path)


def test_withheld_points_are_nowhere_on_the_page(tmp_path: Path) -> None:
    what = draw_siting()
    html = without_leaflet(page(what, tmp_path))
    assert SECRET_NAME not in html and SECRET_CODE not in html
    assert "118.73," not in html and "32.03," not in html
    assert "changes at 1 more points are not public" in html
    assert what.shown_sites()["mark"].tolist() == ["1", "2", "3", "×"]


def test_withheld_points_are_nowhere_in_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = draw_siting()
    public = {"points": what.points[what.points["code"] != SECRET_CODE]}
    shown = what.shown_sites().drop(columns="mark")
    assert picture(what, tmp_path) == picture(replace(what, **public, tables={**what.tables, "sites": shown}), tmp_path)


@pytest.mark.parametrize("name", list(variants()))
def test_every_variant_gets_its_files(name: str, tmp_path: Path) -> None:
    what = variants()[name]
    page(what, tmp_path)
    picture(what, tmp_path)
    with Image.open(tmp_path / "site.png") as image:
        assert abs(image.width / image.height - 297 / 210) < 0.01
        assert len(np.unique(np.asarray(image.convert("L")))) > 50, "something is drawn"


def test_chinese_is_drawn_as_text_and_as_codes_where_there_is_no_font(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    plain = siting_picture.Axes.text
    monkeypatch.setattr(
        siting_picture.Axes, "text", lambda self, x, y, s, **kw: (written.append(s), plain(self, x, y, s, **kw))[1]
    )
    some = [variants()[name] for name in ("one site", "no areas", "frontier")]
    for what in some:
        picture(what, tmp_path)
    if fonts.lettering().chinese:
        assert {"点位与各自增加（人）", "东街道"} <= {line for text in written for line in text.split("\n")}
    bare = fonts.lettering((fonts.WITHOUT,))
    monkeypatch.setattr(siting_picture, "lettering", lambda: bare)
    written.clear()
    for what in some:
        picture(what, tmp_path)
    assert all(bare.can(text) for text in written)


def test_numbers_never_lie_on_one_another_and_keep_their_place_where_they_can() -> None:
    what = draw_siting(sites=sites(12))
    scene = scene_of(what, fonts.lettering())
    marks = marks_on_map(what, scene, 20.0)
    boxes = shapely.box(*marks.boxes.T)
    meet = shapely.STRtree(boxes).query(boxes, "intersects")
    overlap = shapely.area(shapely.intersection(boxes[meet[0]], boxes[meet[1]]))
    assert overlap[meet[0] != meet[1]].max(initial=0.0) < 1e-6
    assert (marks.x[0], marks.y[0]) == (marks.at_x[0], marks.at_y[0])
    assert len(marks.closed_x) == 1


def test_streets_are_classed_by_the_greater_part_of_their_length() -> None:
    what = draw_siting()
    kept, new, beyond, lost = (siting_drawing.KEPT, siting_drawing.NEW, siting_drawing.BEYOND, siting_drawing.LOST)
    assert what.line_classes(what.segments)[:4].tolist() == [kept, new, beyond, lost]
    timed = draw_siting(plan=plan(problem="pcenter", unit="s"))
    ways = pd.DataFrame({"longest_before_s": [300.0, 300, np.nan, np.nan, 100], "length_m": 1.0, "before_m": 0.0,
                         "after_m": 0.0, "longest_after_s": [290.0, 200, 500, np.nan, 400]})  # fmt: skip
    assert timed.line_classes(ways).tolist() == [kept, new, new, beyond, lost]
    some = pd.DataFrame({"length_m": [10.0, 10.0], "before_m": [4.0, 6.0], "after_m": [6.0, 4.0]})
    assert what.line_classes(some).tolist() == [new, lost]


def test_too_many_streets_leave_those_that_change_or_lie_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siting_map, "MAX_VERTICES", 30)
    assert "(9/12)" in page(draw_siting(), tmp_path)
    monkeypatch.setattr(siting_map, "MAX_VERTICES", 7)
    html = page(draw_siting(), tmp_path)
    assert "中较长者" in html and "(2/12)" in html


@given(st.lists(st.floats(-1e7, 1e7), min_size=1))
def test_classes_of_gain_hold_every_gain_and_none_is_grey_that_gains(gains: list[float]) -> None:
    values = np.array(gains)
    edges = gain_edges(values)
    assert values.max(initial=0.0) <= edges[-1] * (1 + 1e-9)
    assert len(gain_labels(edges, "people")) == len(edges)
    for value, found in zip(values, gain_class(values, edges), strict=True):
        if value >= 0.5:
            assert 0 <= found < len(edges) and value <= edges[found] * (1 + 1e-9)
        elif value <= -0.5:
            assert found == len(edges)


@given(st.floats(1e3, 2e5), st.floats(1e3, 2e5))
def test_maps_and_bars_share_the_room_without_overlap(wide: float, high: float) -> None:
    rooms, bars = siting_picture.map_rooms((0.0, 0.0, wide, high))
    assert 2 <= len(rooms) <= 3
    boxes = [shapely.box(x, y, x + w, y + h) for x, y, w, h in filter(None, [*rooms, bars])]
    left, bottom, width, height = siting_picture.MAP_ROOM
    whole = shapely.box(left, bottom, left + width, bottom + height).buffer(1e-9)
    assert all(whole.contains(box) for box in boxes)
    assert all(a.intersection(b).area < 1e-9 for i, a in enumerate(boxes) for b in boxes[:i])
