"""Runs about hotspots as files: everything in the run is in them, nothing more in what is public, the bytes repeat."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import to_lonlat
from gis.errors import QuestionError
from gis.tiling import Tiling
from layers.run import Run
from layers.store import Store
from tests.web import hotspot_toy as toy
from tests.web.conftest import HOSTILE
from web.hotspot_classes import class_of, edge_labels, even_edges, round_edges
from web.hotspot_drawing import hotspot_drawing
from web.hotspot_files import WRITERS, write_hotspots
from web.hotspot_map import hot_edges, hotspot_map
from web.hotspot_text import hotspot_text
from web.hotspot_views import by_step, street_view, views_of
from web.hotspot_words import figure, interval, trend_words

Browse = Callable[[Path], tuple[str, list[str]]]
KINDS = list(toy.TABLES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = toy.town_store(str(tmp_path_factory.mktemp("town") / "city.db"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def runs(store: Store) -> dict[str, Run]:
    return {kind: toy.hotspot_run(store, kind, make()) for kind, make in toy.TABLES.items()}


@pytest.fixture(scope="module")
def files(store: Store, runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every file of every kind, by name."""
    folder = tmp_path_factory.mktemp("files")
    return {path.name: path for run in runs.values() for path in write_hotspots(store, run, folder)}


def test_every_kind_has_its_files(files: dict[str, Path]) -> None:
    assert set(files) == {name for writers in WRITERS.values() for name in writers}
    assert all(path.stat().st_size > 500 for path in files.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_run_gives_the_same_bytes(
    kind: str, store: Store, runs: dict[str, Run], files: dict[str, Path], tmp_path: Path
) -> None:
    again = write_hotspots(store, runs[kind], tmp_path)
    assert [path.name for path in again if path.read_bytes() != files[path.name].read_bytes()] == []


@pytest.mark.parametrize("name", [name for writers in WRITERS.values() for name in writers if name.endswith(".html")])
def test_a_map_needs_no_network_and_runs_without_a_complaint(name: str, files: dict[str, Path], browse: Browse) -> None:
    text = files[name].read_text("utf-8")
    assert 'src="http' not in text and "<img src=x" not in text and "GS(2026)0000号" in text and "虚构城市" in text
    page, complaints = browse(files[name])
    assert complaints == []
    assert "图例 Legend" in page and "<canvas" in page and "leaflet-control-scale-line" in page


def test_a_click_on_a_cell_opens_its_card_with_the_interval_and_the_legend_follows_the_view(
    store: Store, runs: dict[str, Run], browse: Browse, tmp_path: Path
) -> None:
    what = hotspot_drawing(store, runs["hotspot-map"])
    known = what.cells[what.cells["state"] == "found"].reset_index(drop=True)
    row, middle = known.iloc[0], shapely.centroid(known.geometry.iloc[0])
    hotspot_map(what, tmp_path / "map.html")
    act = (
        "<script>const map = window[Object.keys(window).find((k) => /^map_/.test(k))];"
        f"map.fire('click', {{latlng: L.latLng({middle.y}, {middle.x})}});"
        "document.querySelectorAll('.leaflet-control-layers-base input')[2].click();</script></html>"
    )
    page = tmp_path / "acted.html"
    page.write_text((tmp_path / "map.html").read_text("utf-8").replace("</html>", act), "utf-8")
    document, complaints = browse(page)
    assert complaints == []
    assert interval(row["rate_week"], row["rate_low"], row["rate_high"]) in document
    assert f"格 cell {row['column']}, {row['row']}" in document
    shown = [
        int(m[1]) for m in re.finditer(r'<div data-view="(\d+)"([^>]*)>', document) if "display: none" not in m[2]
    ]  # fmt: skip
    assert shown == [2]


def test_the_slider_walks_through_every_step(
    store: Store, runs: dict[str, Run], files: dict[str, Path], browse: Browse, tmp_path: Path
) -> None:
    labels, hot, _ = by_step(hotspot_drawing(store, runs["hotspot-emerging"]))
    assert len(labels) == 24 and labels[0] == "2024-07" and hot.shape[0] == 24
    act = (
        "<script>document.querySelectorAll('.leaflet-control-layers-base input')[1].click();"
        "const range = document.querySelector('.step input'); range.value = 3;"
        "range.dispatchEvent(new Event('input'));</script></html>"
    )
    page = tmp_path / "acted.html"
    page.write_text(files["emerging.html"].read_text("utf-8").replace("</html>", act), "utf-8")
    document, complaints = browse(page)
    assert complaints == [] and f"<b>{labels[3]}</b>" in document


def test_what_nobody_looked_at_is_hatched_and_none_found_is_not(store: Store, runs: dict[str, Run]) -> None:
    what = hotspot_drawing(store, runs["hotspot-map"])
    view = views_of(what)[0]
    state = what.cells["state"].to_numpy()
    hatched = np.array([look.hatched for look in view.looks])[view.of]
    assert (hatched == (state == "unknown")).all() and hatched.any()
    assert view.looks[view.of[np.flatnonzero(state == "none")[0]]].words[1] == "looked, none found"


def test_cells_lie_where_the_tiling_says(store: Store, runs: dict[str, Run]) -> None:
    cells = hotspot_drawing(store, runs["hotspot-map"]).cells
    x, y = Tiling("hexagon", 300.0).centre(cells["column"].to_numpy(), cells["row"].to_numpy())
    lon, lat = to_lonlat(x, y, toy.crs())
    middle = shapely.centroid(cells.geometry.to_numpy())
    assert np.allclose(shapely.get_x(middle), lon, atol=1e-6) and np.allclose(shapely.get_y(middle), lat, atol=1e-6)


def test_the_outlines_of_hot_spots_enclose_just_the_hot_cells(store: Store, runs: dict[str, Run]) -> None:
    cells = hotspot_drawing(store, runs["hotspot-map"])
    inside = shapely.union_all(shapely.build_area(shapely.multilinestrings([
        line for line in shapely.get_parts(shapely.line_merge(hot_edges(cells))) if line.is_ring
    ])))  # fmt: skip
    within = shapely.contains(inside, shapely.centroid(cells.cells.geometry.to_numpy()))
    assert (within == cells.cells["hot"].to_numpy()).all()


def test_the_workbook_holds_every_row_and_speaks_both_languages(runs: dict[str, Run], files: dict[str, Path]) -> None:
    book = openpyxl.load_workbook(files["hotspots.xlsx"])
    assert book.sheetnames == ["摘要 Summary", "辖区 Areas", "格子 Cells", "路段 Segments", "说明 Notes"]
    tables = runs["hotspot-map"].tables
    assert book["路段 Segments"].max_row == len(tables["segments"]) + 1
    assert book["格子 Cells"].max_row == len(tables["cells"]) + 1
    for sheet in book:
        for cell in sheet[1]:
            assert "\n" in cell.value or sheet.title in ("摘要 Summary", "说明 Notes"), (sheet.title, cell.value)
    best = [cell.value for cell in book["路段 Segments"][2]]
    assert best[0] == tables["segments"].sort_values("per_minute")["segment_id"].iloc[-1]


def test_the_package_opens_with_its_layers(runs: dict[str, Run], files: dict[str, Path]) -> None:
    layers = {name for name, _ in pyogrio.list_layers(files["hotspots.gpkg"])}
    assert {"cells", "segments", "areas_subdistrict", "summary"} <= layers
    cells = pyogrio.read_dataframe(files["hotspots.gpkg"], layer="cells")
    assert len(cells) == len(runs["hotspot-map"].tables["cells"]) and (cells["area_name"] != "").mean() > 0.9
    clusters = pyogrio.read_dataframe(files["scan.gpkg"], layer="clusters")
    assert set(clusters.geometry.geom_type) == {"Point"} and len(clusters) == 4


def test_a_release_shows_neither_roads_nor_what_is_withheld_nor_why(
    store: Store, runs: dict[str, Run], files: dict[str, Path]
) -> None:
    what = hotspot_drawing(store, runs["hotspot-release"])
    assert len(what.segments) == 0 and street_view(what) is None
    roads = [name for name in toy.town().streets["name"].unique() if len(name) > 2]
    for name in ("release.html", "release.csv", "release.geojson"):
        text = files[name].read_text("utf-8")
        assert not any(road in text for road in roads), name
        assert "complement" not in text and "too few" not in text and "off any street" not in text
    assert '"few"' not in files["release.html"].read_text("utf-8")
    for feature in json.loads(files["release.geojson"].read_text("utf-8"))["features"]:
        number = feature["properties"]["people"]
        assert feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
        assert (number is None) == feature["properties"]["withheld"] and (number is None or number >= 10)


def test_a_release_as_csv_is_read_back_and_bears_its_source(runs: dict[str, Run], files: dict[str, Path]) -> None:
    raw = files["release.csv"].read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    table = runs["hotspot-release"].tables["cells"]
    assert len(rows) == len(table)
    assert [r["发现人次 people found"] for r in rows] == ["" if v != v else f"{v:.0f}" for v in table["reports"]]
    assert all("虚构" in r["来源 source"] and r["季度 quarter"] == "2026Q1" for r in rows)


def test_a_release_by_cells_draws_them(store: Store, tmp_path: Path) -> None:
    run = toy.hotspot_run(store, "hotspot-release", toy.release_cell_tables(), geography="hexagon")
    write_hotspots(store, run, tmp_path)
    assert "none under 10" in (tmp_path / "release.html").read_text("utf-8")
    features = json.loads((tmp_path / "release.geojson").read_text("utf-8"))["features"]
    assert len(features) == len(run.tables["cells"])


def test_a_release_that_shows_nothing_has_no_classes_in_its_legend(store: Store, tmp_path: Path) -> None:
    tables = toy.release_tables()
    bare = tables["cells"].assign(reports=np.nan, margin=np.nan, withheld="few")
    run = toy.hotspot_run(store, "hotspot-release", {**tables, "cells": bare}, hidden="all")
    assert [len(view.looks) for view in views_of(hotspot_drawing(store, run))] == [1, 1]
    assert len(write_hotspots(store, run, tmp_path)) == 4
    assert "no number can be shown" in hotspot_text(store, run)


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_says_what_was_asked_and_every_note_in_both_languages(
    kind: str, store: Store, runs: dict[str, Run]
) -> None:
    text = hotspot_text(store, runs[kind])
    assert runs[kind].tables["notes"]["en"].iloc[0] in text and "2026" in text
    assert len(text.splitlines()) < 60 and "nan" not in text


def test_the_text_ranks_subdistricts_with_their_intervals(store: Store, runs: dict[str, Run]) -> None:
    text = hotspot_text(store, runs["hotspot-map"])
    areas = runs["hotspot-map"].tables["areas"]
    own = areas[areas["level"] == "subdistrict"].sort_values("rate_week", ascending=False)
    places = [text.index(name) for name in own["name"].head(10)]
    assert places == sorted(places)
    first = own.iloc[0]
    assert interval(first["rate_week"], first["rate_low"], first["rate_high"]) in text
    assert HOSTILE in text


def test_a_scan_that_finds_nothing_says_so_in_every_file(store: Store, tmp_path: Path) -> None:
    tables = toy.scan_tables()
    bare = {**tables, "clusters": tables["clusters"].iloc[:0], "members": tables["members"].iloc[:0]}
    run = toy.hotspot_run(store, "hotspot-scan", bare, model="poisson")
    assert len(write_hotspots(store, run, tmp_path)) == 4
    assert "no clusters" in hotspot_text(store, run)


def test_a_city_without_areas_still_gets_every_file(store: Store, runs: dict[str, Run], tmp_path: Path) -> None:
    run = runs["hotspot-map"]
    inputs = {name: content for name, content in run.inputs.items() if not name.startswith("areas")}
    bare = store.save_run(replace(run, inputs=inputs, tables={**run.tables, "areas": run.tables["areas"].iloc[:0]}))
    assert len(write_hotspots(store, bare, tmp_path)) == 4
    assert "路段 street" in hotspot_text(store, bare)


def test_streets_that_are_gone_are_said_to_be(store: Store, runs: dict[str, Run]) -> None:
    run = runs["hotspot-map"]
    with pytest.raises(QuestionError):
        hotspot_drawing(store, Run(run.kind, run.parameters, {**run.inputs, "streets": "f" * 64}, run.tables))
    with pytest.raises(QuestionError):
        hotspot_drawing(store, Run("tracks", run.parameters, run.inputs, run.tables))


@given(st.lists(st.floats(0, 1e6).map(lambda v: v if v > 1e-9 else 0.0), min_size=1, max_size=60), st.booleans())
def test_classes_have_round_ends_and_hold_every_value(values: list[float], whole: bool) -> None:
    array = np.round(values) if whole else np.array(values)
    edges = round_edges(array, whole=whole)
    assert (np.diff(edges) > 0).all() and 1 <= len(edges) <= 4
    assert all(f"{edge:.0e}"[0] in "125" and float(f"{edge:.0e}") == pytest.approx(edge) for edge in edges)
    assert len(edge_labels(edges, whole=whole)) == len(edges) + 1
    of = class_of(array, edges)
    for value, k in zip(array, of, strict=True):
        assert 0 <= k <= len(edges)
        assert k == len(edges) or value <= edges[k] * (1 + 1e-9) + 1e-12
        assert k == 0 or value >= edges[k - 1] * (1 - 1e-9) - 1e-12


@given(st.lists(st.floats(1.0, 9.9), min_size=1, max_size=60), st.integers(-6, 6))
def test_values_of_one_magnitude_are_told_apart(values: list[float], power: int) -> None:
    array = np.array(values) * 10.0**power
    edges = even_edges(array)
    assert (np.diff(edges) > 0).all() and 1 <= len(edges) <= 4
    if array.max() >= 1.5 * array.min():
        assert len(set(class_of(array[[array.argmin(), array.argmax()]], edges))) == 2
        assert np.diff(edges, 2) == pytest.approx(0, abs=1e-6 * edges[-1])


@pytest.mark.parametrize(
    ("said", "expected"),
    [(interval(12.34, 9.06, 18.4), "12 (9–18)"), (interval(1.234, 0.81, 1.96), "1.2 (0.8–2.0)"),
     (interval(0.0, 0.0, 0.031), "0.000 (0.000–0.031)"), (interval(1.0, np.nan, 2.0), "1"), (figure(np.nan), "–"),

     (interval(0.054, 0.0, 1.0), "0.054 (0–1)"),
     (figure(0.01234), "0.012"), (figure(1234.5), "1,234"), (figure(0.0), "0"), (figure(np.inf), "–")],
)  # fmt: skip
def test_figures_are_written_to_the_digits_that_count(said: str, expected: str) -> None:
    assert said == expected


def test_every_pattern_is_named_hot_or_cold() -> None:
    names = ["new", "consecutive", "intensifying", "persistent", "diminishing", "sporadic", "oscillating", "historical"]
    said = {trend_words(f"{cold}{name}") for name in names for cold in ("", "cold ")} | {trend_words("none")}
    assert len(said) == 17
    assert trend_words("cold intensifying") == ("加剧冷点", "intensifying cold spot")
    assert trend_words("unheard_of")[0] == "unheard_of热点"


def test_reports_of_a_step_that_has_no_row_are_none(store: Store) -> None:
    tables = toy.emerging_tables()
    sparse = tables["steps"][(tables["steps"]["reports"] > 0) | tables["steps"]["hot"]]
    run = toy.hotspot_run(store, "hotspot-emerging", {**tables, "steps": sparse}, step="month")
    _, hot, reports = by_step(hotspot_drawing(store, run))
    whole = tables["steps"].pivot_table(index="step", columns=["column", "row"], values="reports", aggfunc="sum")
    cells = pd.MultiIndex.from_frame(tables["cells"][["column", "row"]])
    assert (whole.reindex(columns=cells).to_numpy() == reports).all()
    assert hot.sum() == tables["steps"]["hot"].sum()
