"""The single-file map: alone, harmless, repeatable and honest about what it shows."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gis.errors import LamplightError
from tests.web.conftest import HOSTILE
from web import assets, map_parts, maps
from web.drawing import CoverageDrawing

Draw = Callable[..., CoverageDrawing]
Browse = Callable[[Path], tuple[str, list[str]]]


def page(what: CoverageDrawing, folder: Path) -> str:
    maps.coverage_map(what, folder / "map.html")
    return (folder / "map.html").read_text("utf-8")


def own_part(html: str) -> str:
    """The page without Leaflet's own script and style."""
    leaflet = (assets.script("leaflet/dist/leaflet.js"), assets.style("leaflet/dist/leaflet.css"))
    for text in leaflet:
        assert text in html
        html = html.replace(text, "")
    return html


def test_the_page_names_no_address_it_could_fetch(draw: Draw, tmp_path: Path) -> None:
    html = page(draw(), tmp_path)
    assert not re.findall(r"https?://", own_part(html))
    assert not re.findall(r"<(?:script|img|iframe)[^>]+src=|<link[^>]+href=\"(?!data:)", own_part(html))
    assert set(re.findall(r"https?://[^\"'\s)]+", html)) <= {"https://leafletjs.com", "http://www.w3.org/2000/svg"}
    assert "sourceMappingURL" not in html


@pytest.mark.parametrize("word", ["jquery", "bootstrap", "awesome", "glyphicon"])
def test_nothing_of_folium_s_usual_baggage_is_left(draw: Draw, tmp_path: Path, word: str) -> None:
    assert word not in page(draw(), tmp_path).lower()


def test_a_browser_without_network_draws_the_page_and_complains_of_nothing(
    draw: Draw, tmp_path: Path, browse: Browse
) -> None:
    page(draw(), tmp_path)
    document, console = browse(tmp_path / "map.html")
    assert console == []
    assert "leaflet-control-layers-base" in document
    assert document.count('class="leaflet-interactive"') == 2, "two service points may be shown"
    assert document.count("leaflet-marker-icon station") == 1
    assert "<canvas" in document
    assert "onerror=alert" not in re.sub(r"<script.*?</script>", "", document, flags=re.DOTALL).replace(
        HOSTILE.replace("<", "&lt;").replace(">", "&gt;"), ""
    )


def test_the_console_would_show_a_fetch(draw: Draw, tmp_path: Path, browse: Browse) -> None:
    html = page(draw(), tmp_path).replace("<body>", '<body><img src="https://example.org/a.png">')
    (tmp_path / "map.html").write_text(html, "utf-8")
    assert any("example.org" in line for line in browse(tmp_path / "map.html")[1])


def test_the_same_result_gives_the_same_bytes(draw: Draw, tmp_path: Path) -> None:
    assert page(draw(), tmp_path) == page(draw(), tmp_path)


def test_names_from_files_never_become_markup(draw: Draw, tmp_path: Path) -> None:
    html = page(draw(city=HOSTILE, question=(HOSTILE, HOSTILE), attribution=HOSTILE), tmp_path)
    assert HOSTILE not in html
    assert "<img" not in html


def test_cards_and_labels_opened_in_the_browser_are_text(draw: Draw, tmp_path: Path, browse: Browse) -> None:
    html = page(draw(city=HOSTILE), tmp_path)
    (name,) = re.findall(r"var (map_\d+) = L.map", html)
    opened = f"{name}.eachLayer((l) => {{ if (l.getPopup && l.getPopup()) l.openTooltip().openPopup(); }});"
    asked = "document.querySelectorAll('.leaflet-tooltip').forEach((t) => console.log('LABEL ' + t.textContent));"
    head, mark, tail = html.rpartition("</script>")
    (tmp_path / "map.html").write_text(head + opened + asked + mark + tail, "utf-8")
    document, console = browse(tmp_path / "map.html")
    shown = "".join(console)
    assert "LABEL 东街道 100.0%" in shown and f"LABEL {HOSTILE} 25.0%" in shown and f"LABEL {HOSTILE}乙" in shown
    assert "leaflet-popup-content" in document
    assert "<img" not in re.sub(r"<script.*?</script>", "", document, flags=re.DOTALL)


def test_withheld_points_are_not_in_the_page_at_all(draw: Draw, tmp_path: Path) -> None:
    html = page(draw(), tmp_path)
    assert "庇护所秘密" not in html
    assert "118.73," not in html.replace(" ", "").replace("]", ",")
    assert "甲服务点" in html and "市救助管理站" in html


def test_warnings_sources_and_approval_stand_on_the_page(draw: Draw, tmp_path: Path) -> None:
    html = page(draw(), tmp_path)
    for words in ("虚构城市", "fictional", "边界为近似", "approximate", "© OpenStreetMap", "审图号：GS(2026)0000号",
                  "2026-07-01", "临江市"):  # fmt: skip
        assert words in html
    plain = page(draw(fictional=False, approximate=False, approval_number="", attribution=""), tmp_path)
    for words in ("虚构", "近似", "OpenStreetMap", "审图号"):
        assert words not in plain


def test_steps_lead_back_to_every_vertex() -> None:
    lines = np.array([shapely.LineString([(118.7, 32.0), (118.70012, 32.5)]), shapely.LineString([(-1, 0), (2, 3)])])
    written = map_parts.steps(lines)
    whole = np.cumsum(np.reshape(written["steps"], (-1, 2)), axis=0) / 1e5
    assert written["counts"] == [2, 2]
    assert np.allclose(whole, shapely.get_coordinates(lines), atol=5.1e-6)


def test_too_many_streets_leave_only_those_out_of_reach_and_say_so(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "MAX_VERTICES", 30)
    html = page(draw(), tmp_path)
    assert "只画 15 分钟以外的街面" in html and "(6/12)" in html
    monkeypatch.setattr(maps, "MAX_VERTICES", 7)
    html = page(draw(), tmp_path)
    assert "中较长者" in html and "(2/12)" in html


def test_a_tier_without_boundaries_is_drawn_one_tier_up_and_said(draw: Draw, tmp_path: Path) -> None:
    html = page(draw(level="community"), tmp_path)
    assert "改画街道级" in html


def test_a_city_without_areas_points_or_people_still_gets_a_page(draw: Draw, tmp_path: Path, browse: Browse) -> None:
    full = draw()
    none = gpd.GeoDataFrame({"code": [], "name": [], "level": []}, geometry=[], crs=4326)
    bare = draw(areas=none, tables={}, points=full.points.iloc[:0], segments=full.segments.iloc[:0])
    page(bare, tmp_path)
    assert browse(tmp_path / "map.html")[1] == []


def test_neighbours_keep_their_common_line(draw: Draw) -> None:
    areas = draw().at_level("subdistrict")
    shapes = [shapely.from_geojson(text) for text in maps._simplified(areas.geometry.to_numpy())]
    assert shapely.coverage_is_valid(np.array(shapes))


def test_script_json_reads_back_and_never_closes_its_script() -> None:
    value = {"name": HOSTILE, "breaks": "\u2028\u2029&", "n": [1.5, None]}
    written = map_parts.script_json(value)
    assert json.loads(written) == value
    assert not set("<>&\u2028\u2029") & set(written)


def test_cards_are_escaped_and_leave_out_what_is_unknown() -> None:
    card = map_parts.card_html(HOSTILE, "1", [("电话", HOSTILE), ("地址", "")])
    assert HOSTILE not in card and unescape(card).count(HOSTILE) == 2
    assert "地址" not in card


def test_a_card_tells_functions_hours_and_state_in_words_and_can_be_dialled(draw: Draw) -> None:
    points = draw().shown_points().assign(build_state="convert")
    _, _, mark, name, card = map_parts.point_rows(points)[0]
    assert (mark, name) == ("planned", "甲服务点")
    for words in ("接待咨询 reception、救助引导 guidance", "周一至周五", "Mo-Fr 08:30-17:30", "待改建 to be converted"):
        assert words in card
    assert '<a href="tel:0251234">025-1234</a>' in card


@pytest.mark.parametrize("phone", ["12345 转 2", "javascript:alert(1)", '1" onclick="x', "025-1234567；025-7654321"])
def test_a_phone_that_is_not_one_number_is_no_link(phone: str) -> None:
    assert "<a" not in map_parts.card_html("点", "1", [(map_parts.PHONE, phone)])


def test_planned_points_are_drawn_hollow_and_explained_only_where_there_are_any(draw: Draw, tmp_path: Path) -> None:
    assert "planned service point" not in page(draw(), tmp_path)
    points = draw().points.assign(build_state=["build", *["existing"] * 4])
    assert "planned service point" in page(draw(points=points), tmp_path)


def test_missing_browser_assets_are_one_clear_error(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "FOLDER", tmp_path / "nowhere")
    assets.script.cache_clear()
    with pytest.raises(LamplightError, match="make setup"):
        page(draw(), tmp_path)


def test_the_lock_of_browser_assets_has_hashes_and_no_addresses() -> None:
    root = Path(maps.__file__).parents[1]
    lock = json.loads((root / "package-lock.json").read_text("utf-8"))
    packages = {name: p for name, p in lock["packages"].items() if name}
    assert packages and all(p["integrity"].startswith("sha512-") and "resolved" not in p for p in packages.values())
    wanted = json.loads((root / "package.json").read_text("utf-8"))["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
