"""Linjiang, the demo city: what it must be for coverage, siting and hotspots to be judged on it."""

from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from scipy.stats import spearmanr

from gis.errors import QuestionError
from gis.network_build import network_from_records
from layers.codes import Level, level_of, parent_of
from layers.demo_city.build import STEPS, DemoCity, build_demo_city, build_streets, write_demo_city
from layers.demo_city.people import apportion
from layers.demo_city.recipe import load_recipe
from layers.hours import OpeningHours
from layers.records import LAYERS
from layers.validation import Context, validate

METRES = "EPSG:4548"
MOTORWAY = ["motorway", "motorway_link"]
LEVELS = ("city", "district", "subdistrict", "community")


@pytest.fixture(scope="module")
def town() -> DemoCity:
    return build_demo_city("town")


@pytest.fixture(scope="module")
def walked(town: DemoCity) -> gpd.GeoDataFrame:
    """Streets on the ground, where none may cross another without a junction."""
    return town.streets[~town.streets["street_class"].isin(MOTORWAY)].reset_index(drop=True)


def layers_of(city: DemoCity) -> dict[tuple[str, str], pd.DataFrame]:
    return {
        ("streets", ""): city.streets,
        **{("areas", level): city.areas[level] for level in LEVELS},
        ("grid-cells", ""): city.grid_cells,
        ("service-points", ""): city.service_points,
        ("rescue-stations", ""): city.rescue_stations,
        ("candidates", ""): city.candidates,
        ("forbidden-areas", ""): city.forbidden_areas,
        ("population", ""): city.population,
        ("reports", ""): city.reports,
        ("roster", ""): city.roster,
        ("patrol-duties", ""): city.patrol_duties,
        ("patrol-effort", ""): city.patrol_effort,
    }


def degrees(streets: pd.DataFrame) -> np.ndarray:
    return np.unique(np.concatenate([streets["u"], streets["v"]]), return_counts=True)[1]


# sizes and records


def test_the_town_has_what_the_recipe_says(town: DemoCity) -> None:
    size = load_recipe().size("town")
    assert len(town.streets) == pytest.approx(size.segments, rel=0.05)
    assert len(town.reports) == pytest.approx(size.reports, rel=0.05)
    assert [len(town.areas[level]) for level in LEVELS] == [1, size.districts, size.subdistricts, size.communities]
    assert len(town.grid_cells) == size.grid_cells
    assert len(town.service_points) == size.service_points
    assert len(town.rescue_stations) == size.rescue_stations
    assert town.population["people"].sum() == size.people


def test_every_layer_has_the_fields_of_the_records_and_no_others(town: DemoCity) -> None:
    for (layer, _), table in layers_of(town).items():
        schema = LAYERS[layer]
        spatial = ["geometry"] if schema.has_geometry else []
        assert list(table.columns) == [field.name for field in schema.fields] + spatial, layer


def test_validation_accepts_every_row(town: DemoCity) -> None:
    tables = layers_of(town)
    codes = {c for (layer, _), t in tables.items() if layer in ("areas", "grid-cells") for c in t["code"]}
    boundary = town.areas["city"].geometry.iloc[0]
    context = Context(
        now=datetime(2026, 7, 1),
        boundary=boundary,
        known_codes=frozenset(codes),
        known_segments=frozenset(town.streets["segment_id"]),
        known_points=frozenset([*town.service_points["code"], *town.rescue_stations["code"]]),
    )
    for (layer, part), table in tables.items():
        if layer == "streets":
            continue
        table = gpd.GeoDataFrame(table, geometry=None, crs=None) if layer == "roster" else table
        verdict = validate(layer, table, part=part, context=context)
        assert len(verdict.rejected) == 0, (layer, part, verdict.rejected.head())
        assert len(verdict.accepted) == len(table)
        assert verdict.warnings == (), (layer, part, [w.en for w in verdict.warnings])


def test_an_unknown_size_is_refused_with_the_sizes_there_are() -> None:
    with pytest.raises(QuestionError, match="town, city, metro"):
        build_demo_city("village")


def test_nothing_in_it_can_be_taken_for_real(town: DemoCity) -> None:
    for level in LEVELS:
        assert town.areas[level]["code"].str.startswith("99").all()
    assert town.grid_cells["code"].str.startswith("99").all()
    for table in (town.service_points, town.rescue_stations, town.roster):
        assert table["phone"].str.startswith("0000-").all()
    assert town.service_points["address"].str.endswith("（虚构）").all()
    assert town.roster["person"].str.contains("灯").all()
    assert "虚构" in town.notice_zh
    assert "fictional" in town.notice_en


# streets


def test_streets_make_a_network_as_they_are(town: DemoCity) -> None:
    network = network_from_records(town.streets)
    assert network.n_segments == len(town.streets)
    assert network.length_m.sum() == pytest.approx(town.streets["length_m"].sum())


def test_lengths_are_those_of_the_lines_in_metres(town: DemoCity) -> None:
    measured = town.streets.geometry.to_crs(METRES).length.to_numpy()
    assert np.abs(measured - town.streets["length_m"]).max() < 0.02


def test_lines_begin_and_end_at_their_nodes(town: DemoCity) -> None:
    lines = town.streets.geometry.to_numpy()
    first, last = shapely.get_point(lines, 0), shapely.get_point(lines, -1)
    node = np.concatenate([town.streets["u"], town.streets["v"]])
    at = shapely.get_coordinates(np.concatenate([first, last]))
    places = pd.DataFrame({"node": node, "lon": at[:, 0], "lat": at[:, 1]}).drop_duplicates()
    assert places["node"].is_unique
    assert not places.duplicated(["lon", "lat"]).any()


def test_streets_meet_at_common_nodes_only(walked: gpd.GeoDataFrame) -> None:
    lines = walked.geometry.to_numpy()
    one, other = shapely.STRtree(lines).query(lines, predicate="intersects")
    one, other = one[one < other], other[one < other]
    met = shapely.get_num_coordinates(shapely.intersection(lines[one], lines[other]))
    ends = walked[["u", "v"]].to_numpy()
    shared = np.array([len(set(ends[a]) & set(ends[b])) for a, b in zip(one, other, strict=True)])
    assert (met == shared).all()


def test_no_street_touches_itself_but_for_loops(walked: gpd.GeoDataFrame) -> None:
    plain = walked[walked["u"] != walked["v"]]
    assert plain.is_simple.all()
    assert (walked["u"] == walked["v"]).sum() > 5
    assert walked[walked["u"] == walked["v"]].is_ring.all()


def test_water_is_crossed_by_bridges_and_the_motorway_only(town: DemoCity) -> None:
    inner = town.water.to_crs(METRES).buffer(-1.0)
    lines = town.streets.to_crs(METRES)
    wet = lines[lines.intersects(inner.union_all())]
    assert (wet["name"].str.endswith("桥") | wet["street_class"].isin(MOTORWAY)).all()
    over_river = wet[wet.intersects(inner.iloc[0]) & wet["name"].str.endswith("大桥")]
    assert over_river["name"].nunique() == len(over_river) == load_recipe().size("town").river_bridges
    assert inner.iloc[0].area > 0.3e6


def test_without_its_bridges_the_city_falls_into_banks(town: DemoCity, walked: gpd.GeoDataFrame) -> None:
    dry = walked[~walked["name"].str.endswith("桥")]
    graph = nx.Graph(zip(dry["u"], dry["v"], strict=True))
    parts = sorted((len(part) for part in nx.connected_components(graph)), reverse=True)
    assert len([size for size in parts if size > 100]) == 3  # south; north, west and east of the stream
    assert parts[3:] == [6]  # the island


def test_only_the_island_lies_apart(town: DemoCity) -> None:
    graph = nx.Graph(zip(town.streets["u"], town.streets["v"], strict=True))
    parts = sorted(nx.connected_components(graph), key=len)
    island = town.streets[town.streets["u"].isin(parts[0])]
    assert len(parts) == 2
    assert set(island["street_class"]) == {"footway"}
    assert len(island) == 7


def test_junctions_are_as_a_city_has_them(town: DemoCity) -> None:
    met = degrees(town.streets)
    assert 2.75 < met.mean() < 3.05
    assert 0.08 <= (met == 1).mean() <= 0.15
    assert 0.45 < (met == 3).mean() < 0.62
    assert 0.15 < (met == 4).mean() < 0.35


def test_streets_are_denser_at_the_centre(town: DemoCity) -> None:
    middle = town.streets.to_crs(METRES).geometry.interpolate(0.5, normalized=True)
    centre = gpd.GeoSeries.from_xy([117.2], [30.5], crs="EPSG:4326").to_crs(METRES).iloc[0]
    away = middle.distance(centre)
    inner, outer = away < 1000, (away > 2000) & (away < 3000)
    metres = town.streets["length_m"]
    assert metres[inner].sum() / np.pi > 1.5 * metres[outer].sum() / (5 * np.pi)


def test_classes_one_ways_loops_and_parallels_are_there(town: DemoCity) -> None:
    streets = town.streets
    share = streets["street_class"].value_counts(normalize=True)
    assert set(share.index) >= {
        "primary",
        "secondary",
        "tertiary",
        "residential",
        "living_street",
        "footway",
        "service",
    }
    assert 0.03 < share["footway"] < 0.2
    assert 0.03 < (streets["oneway"] != 0).mean() < 0.15
    assert {-1, 0, 1} == set(streets["oneway"])
    pairs = np.sort(streets[["u", "v"]].to_numpy(), axis=1)
    assert len(np.unique(pairs, axis=0)) < len(pairs) - 5
    assert streets.loc[streets["street_class"] == "footway", "free_kmh"].isna().all()
    assert (streets.loc[streets["street_class"] != "footway", "free_kmh"] > 0).all()
    through = streets["street_class"].isin(["primary", "secondary", "tertiary", "motorway"])
    assert (streets.loc[through, "name"] != "").all()
    assert streets.geometry.count_coordinates().max() > 3


def test_one_way_streets_lock_no_car_in(town: DemoCity) -> None:
    driven = town.streets[town.streets["street_class"] != "footway"]
    graph = nx.DiGraph()
    graph.add_edges_from(driven.loc[driven["oneway"] >= 0, ["u", "v"]].to_numpy())
    graph.add_edges_from(driven.loc[driven["oneway"] <= 0, ["v", "u"]].to_numpy())
    weak = nx.number_weakly_connected_components(graph)
    assert nx.number_strongly_connected_components(graph) == weak


def test_a_name_runs_along_its_street(town: DemoCity) -> None:
    named = town.streets[town.streets["name"] != ""]
    assert named["name"].nunique() < len(named) / 2
    graph = nx.Graph()
    graph.add_edges_from(named.loc[named["name"] == "滨江北路", ["u", "v"]].to_numpy())
    assert nx.number_connected_components(graph) <= 2  # the bridge over the stream's mouth parts it


# areas


def test_each_tier_covers_the_city_once(town: DemoCity) -> None:
    whole = town.areas["city"].to_crs(METRES).area.sum()
    for table in (*town.areas.values(), town.grid_cells):
        polygons = table.geometry.to_numpy()
        assert shapely.is_valid(polygons).all()
        assert shapely.coverage_is_valid(polygons)
        assert (shapely.get_type_id(polygons) == 3).all(), "every area is one piece"
        assert table.to_crs(METRES).area.sum() == pytest.approx(whole, rel=1e-9)
        assert shapely.coverage_union_all(polygons).equals(town.areas["city"].geometry.iloc[0])


def test_areas_lie_in_the_parent_their_code_names(town: DemoCity) -> None:
    for upper, lower in pairwise(LEVELS):
        outer = town.areas[upper].set_index("code").geometry
        inner = town.areas[lower]
        assert set(inner["code"].map(level_of)) == {Level(lower)}
        parents = outer.loc[inner["code"].map(parent_of)]
        assert shapely.covers(parents.to_numpy(), inner.geometry.to_numpy()).all()
        assert set(parents.index) == set(outer.index)
    communities = town.areas["community"].set_index("code").geometry
    assert (town.grid_cells["code"].str[:12] == town.grid_cells["community"]).all()
    assert shapely.covers(
        communities.loc[town.grid_cells["community"]].to_numpy(), town.grid_cells.geometry.to_numpy()
    ).all()


def test_codes_and_names_tell_areas_apart(town: DemoCity) -> None:
    for table in (*town.areas.values(), town.grid_cells):
        assert table["code"].is_unique
        assert table["name"].is_unique
    assert town.areas["city"]["name"].tolist() == ["临江市"]


def test_borders_mostly_follow_streets_or_the_river(town: DemoCity) -> None:
    streets = town.streets.to_crs(METRES).buffer(1.0).union_all()
    river = town.water.to_crs(METRES).union_all()
    edge = town.areas["city"].to_crs(METRES).boundary.iloc[0].buffer(1.0)
    borders = town.areas["subdistrict"].to_crs(METRES).boundary.union_all().difference(edge)
    assert borders.intersection(streets.union(river)).length > 0.8 * borders.length


# people and services


def test_people_live_in_the_city_and_not_in_the_water(town: DemoCity) -> None:
    at = town.population.geometry.to_numpy()
    assert (town.population["people"] > 0).all()
    assert town.population["area_code"].isna().all()
    assert shapely.covers(town.areas["city"].geometry.iloc[0], at).all()
    assert not shapely.intersects(town.water.union_all(), at).any()


def test_some_grid_cells_are_empty_and_the_centre_is_crowded(town: DemoCity) -> None:
    cell, _ = town.grid_cells.sindex.query(town.population.geometry, predicate="within")
    people = gpd.sjoin(town.population, town.grid_cells, predicate="within").groupby("code")["people"].sum()
    assert len(people) < len(town.grid_cells)
    density = people / town.grid_cells.set_index("code").to_crs(METRES).area
    assert density.quantile(0.9) > 5 * density.quantile(0.1)
    assert len(cell) == len(town.population)


def test_service_points_have_every_kind_of_hours_mode_and_state(town: DemoCity) -> None:
    points = town.service_points
    tables = [OpeningHours.parse(text).week_table() for text in points["hours"]]
    assert any(table.all() for table in tables), "24/7"
    assert any(table[24 * 5 :].sum() == 0 for table in tables), "weekdays only"
    assert any(table[24 * 6 + 1] for table in tables), "past midnight"
    assert set(points["operating_mode"]) >= {"embedded", "merged", "joint"}
    assert "existing" in set(points["build_state"])
    assert len(set(points["build_state"])) >= 3
    assert set(",".join(points["functions"]).split(",")) == {"reception", "reporting", "guidance", "temporary_service"}
    assert points["withheld"].sum() < len(points) / 5
    assert (points["capacity"].dropna() >= 1).all()
    assert points["last_verified"].dropna().max() <= date(2026, 6, 30)
    assert (town.rescue_stations["hours"] == "24/7").all()


def test_service_points_stand_beside_streets(town: DemoCity, walked: gpd.GeoDataFrame) -> None:
    streets = walked.to_crs(METRES).union_all()
    for table in (town.service_points, town.rescue_stations):
        assert table.to_crs(METRES).distance(streets).max() < 15
        assert not table.intersects(town.water.union_all()).any()


def test_the_roster_names_almost_everyone_once(town: DemoCity) -> None:
    roster = town.roster
    wanted = {
        "supervisor": set(town.areas["subdistrict"]["code"]),
        "assistant": set(town.areas["community"]["code"]),
        "grid_worker": set(town.grid_cells["code"]),
    }
    day = date(2026, 6, 30)
    until = roster["until_date"].map(lambda d: d or date.max)
    current = roster[(roster["from_date"] <= day) & (until >= day)]
    assert not current.duplicated(["role", "area_code"]).any()
    for role, codes in wanted.items():
        assert set(roster.loc[roster["role"] == role, "area_code"]) <= codes
        assert (current["role"] == role).sum() >= 0.85 * len(codes)
    assert len(current) < sum(map(len, wanted.values())), "a few posts are vacant"
    assert (roster["from_date"] <= until).all()
    assert roster["person"].is_unique


def test_successors_begin_when_their_predecessor_has_left(town: DemoCity) -> None:
    twice = town.roster[town.roster.duplicated(["role", "area_code"], keep=False)]
    for _, posts in twice.groupby(["role", "area_code"]):
        first, second = posts.sort_values("from_date").itertuples()
        assert (second.from_date - first.until_date).days == 1


# patrols


def test_some_grid_workers_patrol_by_night_from_a_station_near_them(town: DemoCity) -> None:
    roster = town.roster
    grid = roster["role"] == "grid_worker"
    night = roster[roster["station"] != ""]
    assert len(night) == load_recipe().size("town").patrol_workers
    assert (night["role"] == "grid_worker").all()
    assert night["until_date"].isna().all()
    assert set(night["mode"]) == {"walk", "ebike", "drive"}
    assert set(night["shift"]) == {"20:00-24:00", "18:00-22:00", "22:00-02:00"}
    assert (roster.loc[grid & (roster["station"] == ""), "shift"] == "08:30-17:30").all()
    assert (roster.loc[~grid, ["shift", "station", "pair", "days_off"]] == "").all(axis=None)
    points = pd.concat([town.service_points[town.service_points["build_state"] == "existing"], town.rescue_stations])
    stands = points.set_index("code").to_crs(METRES).geometry
    cells = town.grid_cells.set_index("code").to_crs(METRES).geometry.centroid
    for worker in night[~night["pair"].duplicated() | (night["pair"] == "")].itertuples():
        away = stands.distance(cells[worker.area_code])
        partners = night.loc[night["pair"] == worker.pair, "area_code"] if worker.pair else [worker.area_code]
        assert any(stands.distance(cells[code]).idxmin() == worker.station for code in partners), away.min()


def test_those_who_walk_in_pairs_share_all_but_their_certificates(town: DemoCity) -> None:
    paired = town.roster[town.roster["pair"] != ""]
    assert len(paired) > 0
    shared = ["mode", "shift", "break_min", "station", "days_off"]
    for _, two in paired.groupby("pair"):
        assert len(two) == 2
        assert len(two[shared].fillna(-1).drop_duplicates()) == 1
        assert two["area_code"].str[:9].nunique() == 1


def test_duties_are_of_every_kind_and_no_street_has_two(town: DemoCity) -> None:
    duties = town.patrol_duties
    streets = town.streets.set_index("segment_id")
    on_street = duties[duties["segment_id"].notna()]
    assert on_street["segment_id"].is_unique
    assert not streets.loc[on_street["segment_id"], "street_class"].isin(MOTORWAY).any()
    assert len(on_street) < 0.1 * len(streets)
    bridges = on_street[on_street["name"].str.endswith("桥")]
    assert set(bridges["segment_id"]) == set(streets.index[streets["name"].str.endswith("桥")])
    assert bridges["must"].all()
    assert set(bridges["opens"] + "-" + bridges["closes"]) == {"21:00-24:00"}
    assert (streets.loc[on_street.loc[on_street["sides"] == "both", "segment_id"], "street_class"] == "primary").all()
    checks = duties[duties.geometry.notna()]
    assert checks["dwell_min"].between(5, 10).all()
    assert len(checks) >= 5
    areas = duties["area_code"].dropna()
    assert set(areas) <= set(town.areas["community"]["code"])
    assert len(on_street) + len(checks) + len(areas) == len(duties)


def test_the_certificates_that_duties_ask_for_are_held_by_someone(town: DemoCity) -> None:
    held = set(",".join(town.roster["certificates"]).split(","))
    asked = set(town.patrol_duties["certificate"]) - {""}
    assert asked
    assert asked <= held


# reports


def nearest_segment(town: DemoCity, walked: gpd.GeoDataFrame) -> np.ndarray:
    """The segment_id each report lies nearest to."""
    tree = shapely.STRtree(walked.to_crs(METRES).geometry.to_numpy())
    return walked["segment_id"].to_numpy()[tree.nearest(town.reports.to_crs(METRES).geometry.to_numpy())]


def test_reports_lie_in_the_city_and_in_the_two_years(town: DemoCity) -> None:
    reports = town.reports
    assert shapely.covers(town.areas["city"].geometry.iloc[0], reports.geometry.to_numpy()).all()
    assert reports["found_at"].min() >= pd.Timestamp("2024-07-01")
    assert reports["found_at"].max() < pd.Timestamp("2026-07-01")
    assert reports["found_at"].dt.to_period("M").nunique() == 24
    assert reports["found_at"].is_monotonic_increasing
    assert reports["report_id"].is_unique
    assert (reports["people"] >= 1).all()


def test_truth_and_effort_cover_the_same_streets(town: DemoCity) -> None:
    rate, tracks = town.true_rate, town.tracks
    assert rate["segment_id"].tolist() == town.streets["segment_id"].tolist()
    kinds = [c for c in rate if c.endswith("_per_week") and c != "per_week"]
    assert rate[kinds].sum(axis=1).to_numpy() == pytest.approx(rate["per_week"].to_numpy())
    assert (rate[kinds].sum() > 0).all()
    motorway = town.streets.loc[town.streets["street_class"].isin(MOTORWAY), "segment_id"]
    assert rate.set_index("segment_id").loc[motorway, "per_week"].sum() == 0
    assert not tracks["segment_id"].isin(motorway).any()
    passes = tracks[["passes_night", "passes_day", "passes_evening"]].sum(axis=1)
    length = town.streets.set_index("segment_id")["length_m"].loc[tracks["segment_id"]].to_numpy()
    assert tracks["walked_m"].to_numpy() == pytest.approx(passes.to_numpy() * length, abs=0.06)
    assert not tracks.duplicated(["segment_id", "month"]).any()


def test_where_patrols_walk_more_they_find_more_of_those_who_are_there(
    town: DemoCity, walked: gpd.GeoDataFrame
) -> None:
    """Patrol reports follow effort x rate; what others report does not gain from effort."""
    segment = nearest_segment(town, walked)
    table = town.true_rate.set_index("segment_id")[["per_week"]]
    table["walked"] = (
        town.tracks.groupby("segment_id")[["passes_night", "passes_day", "passes_evening"]].sum().sum(axis=1)
    )
    table["patrol"] = pd.Series(segment[town.reports["channel"] == "patrol"]).value_counts()
    table["others"] = pd.Series(segment[town.reports["channel"] != "patrol"]).value_counts()
    table = table.fillna(0)[table["per_week"] > 0]
    busy = table["walked"] > table["walked"].median()
    found = table.groupby(busy)[["patrol", "others", "per_week"]].sum()
    patrol, others = found["patrol"] / found["per_week"], found["others"] / found["per_week"]
    assert patrol[True] > 1.5 * patrol[False]
    assert others[True] < others[False]
    expected = table["per_week"] * -np.expm1(-0.3 * table["walked"] / 104.3)
    assert spearmanr(expected, table["patrol"]).statistic > 0.45
    assert spearmanr(expected, table["patrol"]).statistic > spearmanr(table["walked"], table["patrol"]).statistic


def test_effort_is_biased_to_arterials_and_grows(town: DemoCity) -> None:
    tracks = town.tracks.merge(town.streets[["segment_id", "street_class"]], on="segment_id")
    tracks["passes"] = tracks[["passes_night", "passes_day", "passes_evening"]].sum(axis=1)
    count = town.streets["street_class"].value_counts()
    each = tracks.groupby("street_class")["passes"].sum() / count
    assert each["primary"] > 2 * each["residential"]
    by_month = tracks.groupby("month")["passes"].sum()
    assert by_month.iloc[-6:].sum() > 1.25 * by_month.iloc[:6].sum()


def test_reports_cluster_and_follow_season_and_hour(town: DemoCity) -> None:
    rate = town.true_rate["per_week"].sort_values(ascending=False)
    assert rate.head(len(rate) // 10).sum() > 0.4 * rate.sum()
    hours = town.reports["found_at"].dt.hour.value_counts()
    assert len(hours) == 24
    assert hours.max() > 2 * hours.min()


# the same city again


def test_the_same_seed_gives_the_same_bytes(town: DemoCity, tmp_path: Path) -> None:
    first = write_demo_city(town, tmp_path / "a")
    second = write_demo_city(build_demo_city("town"), tmp_path / "b")
    assert [(layer, part) for layer, part, _ in first] == list(layers_of(town))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert {"tracks.parquet", "true_rate.parquet", "water.parquet"} < set(names)
    assert [path.name for _, _, path in second] == [path.name for _, _, path in first]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_streets_alone_are_those_of_the_whole_city(town: DemoCity) -> None:
    pd.testing.assert_frame_equal(build_streets("town"), town.streets)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_seed_gives_another_sound_city(town: DemoCity, seed: int) -> None:
    streets = build_streets("town", seed=seed)
    assert not streets.equals(town.streets)
    assert len(streets) == pytest.approx(load_recipe().size("town").segments, rel=0.15)
    ground = streets[~streets["street_class"].isin(MOTORWAY)].geometry.to_numpy()
    one, _ = shapely.STRtree(ground).query(ground, predicate="crosses")
    assert len(one) == 0


def test_progress_is_told_step_by_step() -> None:
    heard: list[str] = []
    build_demo_city("town", progress=heard.append)
    assert heard == [*STEPS]


def test_apportion_gives_whole_shares_that_add_up() -> None:
    assert apportion(10, np.array([1.0, 1.0, 1.0])).tolist() == [4, 3, 3]
    assert apportion(5, np.array([100.0, 1.0, 0.0]), least=1).tolist() == [3, 1, 1]
    assert apportion(6, np.array([5.0, 1.0]), most=np.array([2, 9])).tolist() == [2, 4]


def test_the_citys_zone_is_that_of_its_longitude() -> None:
    place = load_recipe().place
    assert place.crs == METRES
    assert pyproj.CRS(METRES).coordinate_operation.params[1].value == 117.0
