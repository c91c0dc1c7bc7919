"""Whole real cities, through the import and the question, as a planner would."""

import json
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from gis.modes import travel_by
from gis.search_graph import search_graph
from layers.imports import import_file
from layers.store import Store
from planner.coverage import CoverageQuestion, coverage_json
from planner.runs import run_coverage

pytestmark = pytest.mark.realdata

TIERS = {
    "city": "city",
    "district": "district",
    "subdistrict": "subdistrict_APPROX_voronoi",
    "community": "community_APPROX_voronoi",
}


def city_store(folder: Path, store: Store) -> Store:
    city = folder.name
    store.create()
    import_file(store, "streets", folder / f"{city}_streets.gpkg", file_layer="edges")
    for level, layer in TIERS.items():
        import_file(store, "areas", folder / f"{city}_admin.gpkg", part=level, file_layer=layer)
    import_file(store, "rescue-stations", folder / f"{city}_rescue_stations.csv")
    people = folder / f"{city}_population_district_2019.csv"
    if people.is_file():
        import_file(store, "population", people)
    return store


@pytest.fixture(scope="module")
def nanjing(realdata: Path, tmp_path_factory: pytest.TempPathFactory):
    store = city_store(realdata / "nanjing", Store(str(tmp_path_factory.mktemp("nanjing") / "city.db")))
    yield store, run_coverage(store, CoverageQuestion())
    store.close()


def test_the_street_metres_of_nanjings_111_subdistricts_add_up_to_the_network_inside_the_city(nanjing) -> None:
    _, run = nanjing
    areas = run.tables["areas"]
    by_level = areas.groupby("level")["street_m"].sum()
    assert (areas["level"] == "subdistrict").sum() == 111
    assert by_level["subdistrict"] == pytest.approx(by_level["city"], rel=1e-3)
    assert by_level["district"] == pytest.approx(by_level["city"], rel=1e-3)
    network_m = run.tables["segments"]["length_m"].sum()
    levels = run.tables["levels"]
    assert (levels["street_m"] + levels["street_m_outside"]).tolist() == pytest.approx([network_m] * 4, rel=1e-9)
    assert by_level["city"] == pytest.approx(network_m, rel=1e-3)


def test_nanjings_eight_and_a_half_million_people_are_all_placed_and_it_says_how(nanjing) -> None:
    _, run = nanjing
    areas, totals = run.tables["areas"], run.tables["totals"].iloc[0]
    assert totals["people"] == pytest.approx(8_500_000, rel=1e-3)
    assert totals["unplaced_people"] == 0
    assert areas[areas["level"] == "district"]["people"].sum() == pytest.approx(totals["people"], rel=1e-6)
    codes = set(run.tables["notes"]["code"])
    assert {"population-spread", "approximate", "no-reports", "streets-closed"} <= codes


def test_covered_metres_and_people_grow_with_the_threshold_and_stay_within_their_area(nanjing) -> None:
    _, run = nanjing
    areas = run.tables["areas"]
    for what in ("people", "street_m"):
        columns = [areas[f"covered_{what}_{t}"].to_numpy() for t in (300, 600, 900)] + [areas[what].to_numpy()]
        assert all((b - a >= -1e-6).all() for a, b in pairwise(columns))
    assert areas["covered_people_900"].sum() > 0


def test_segments_of_nanjing_agree_with_their_own_ends(nanjing) -> None:
    store, run = nanjing
    network = store.load_network()
    graph = search_graph(network, travel_by(network, "walk"))
    segments = run.tables["segments"]
    pace = graph.seconds_per_m * network.length_m
    open_ = np.isfinite(graph.seconds_per_m)
    at_u, at_v = segments["at_u_s"].to_numpy(), segments["at_v_s"].to_numpy()
    both = open_ & np.isfinite(at_u) & np.isfinite(at_v)
    assert (np.abs(at_u - at_v)[both] <= pace[both] + 1e-6).all()
    longest = segments["longest_s"].to_numpy()[both]
    assert (longest >= np.maximum(at_u, at_v)[both] - 1e-6).all()
    assert (longest <= (at_u + at_v + pace)[both] / 2 + 1e-6).all()
    assert segments["longest_s"][~open_].isna().all()


def test_the_answer_about_nanjing_is_json_without_nan(nanjing) -> None:
    _, run = nanjing
    answer = json.loads(json.dumps(coverage_json(run), allow_nan=False))
    assert sum(area["level"] == "subdistrict" for area in answer["areas"]) == 111


def test_haikou_whose_stations_have_no_coordinates_is_measured_and_covers_nothing(
    realdata: Path, tmp_path: Path
) -> None:
    store = city_store(realdata / "haikou", Store(str(tmp_path / "haikou.db")))
    run = run_coverage(store, CoverageQuestion())
    store.close()
    totals = run.tables["totals"].iloc[0]
    assert totals["street_m"] == pytest.approx(run.tables["segments"]["length_m"].sum())
    assert totals["covered_street_m_900"] == 0
    assert {"no-points", "no-population", "no-reports"} <= set(run.tables["notes"]["code"])
    by_level = run.tables["areas"].groupby("level")["street_m"].sum()
    assert by_level["subdistrict"] == pytest.approx(by_level["city"], rel=1e-3)


@pytest.mark.parametrize("mode", ["walk", "drive"])
def test_jinan_with_its_one_ways_and_components_is_measured_like_any_city(mode: str, jinan: Store) -> None:
    run = run_coverage(jinan, CoverageQuestion(mode=mode))
    totals, levels = run.tables["totals"].iloc[0], run.tables["levels"]
    assert (levels["street_m"] + levels["street_m_outside"]).tolist() == pytest.approx([totals["street_m"]] * 3)
    assert 0 < totals["covered_street_m_300"] <= totals["covered_street_m_900"] <= totals["street_m"]
    assert "components-without-point" in set(run.tables["notes"]["code"])
    json.dumps(coverage_json(run), allow_nan=False)


@pytest.fixture(scope="module")
def jinan(realdata: Path, tmp_path_factory: pytest.TempPathFactory):
    store = Store(str(tmp_path_factory.mktemp("jinan") / "city.db"))
    store.create()
    import_file(store, "streets", realdata / "jinan" / "jinan_streets_directed.gpkg")
    for level in ("city", "district", "subdistrict"):
        import_file(store, "areas", realdata / "jinan" / "jinan_admin.gpkg", part=level, file_layer=TIERS[level])
    network = store.load_network()
    at = np.arange(0, network.n_nodes, network.n_nodes // 30)
    points = gpd.GeoDataFrame(
        {"code": [f"P{i}" for i in at], "name": "made up for the test", "hours": "24/7"},
        geometry=gpd.points_from_xy(network.lon[at], network.lat[at]),
        crs="EPSG:4326",
    )
    store.import_layer("service-points", "", points, source="made up", sha256="0")
    yield store
    store.close()
