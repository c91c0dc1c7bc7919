"""What a scoped store gives of kept analyses: every table of every kind held against places worked out another way."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gis.crs import to_lonlat
from gis.errors import StoreError
from gis.tiling import Tiling
from layers.accounts import NewAccount, create_account
from layers.nights import change, open_night, routes
from layers.run import Run
from layers.run_scope import DECLARED
from layers.scope import NOWHERE, Scope
from layers.store import Store
from planner.coverage import CoverageQuestion
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol, run_replan
from planner.patrol.tracks.question import MatchQuestion
from planner.patrol.tracks.runs import run_match
from planner.runs import run_comparison, run_coverage, run_siting
from planner.siting.question import SitingQuestion
from tests.planner import toy_town
from tests.planner.patrol.test_patrol_runs import DUTY, MONDAY, WORKER
from tests.postgis_server import PostgisServer
from tests.web.hotspot_toy import TABLES, hotspot_run, release_cell_tables, town, town_store

WEST, EAST = Scope.of(toy_town.WEST), Scope.of(toy_town.EAST)
WALK = CoverageQuestion(thresholds_s=(300,), walk_kmh=3.6)
#: Segments with their middle west of x = 700, and between x = 700 and 1500.
OF_WEST, OF_EAST = {1, 3, 5}, {2}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)])
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Makes addresses of empty databases."""

    def make() -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('scoped') / 'town.sqlite'}"
        server: PostgisServer = request.getfixturevalue("postgis_server")
        return server.new_database(request)

    yield make


@pytest.fixture(scope="module")
def planned(new_url, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The toy town with a worker in the west and one in the east, and a run of everything but hotspots."""
    store = Store(new_url())
    store.create()
    people = [{"person": "W1"}, {"person": "E1", "area_code": toy_town.EAST, "station": "P3"}]
    duties = [{"duty_id": f"D{s}", **DUTY, "segment_id": s} for s in (1, 2, 3, 4)]
    kept = toy_town.frame([None] * len(duties), **{name: [row[name] for row in duties] for name in ("duty_id", *DUTY)})
    layers = {
        **toy_town.layers_of_town(), ("roster", ""): pd.DataFrame([{**WORKER, **person} for person in people]),
        ("patrol-duties", ""): kept.assign(segment_id=kept["segment_id"].astype("Int64")),
    }  # fmt: skip
    toy_town.keep(store, layers)
    sited = run_siting(store, SitingQuestion("mclp", WALK, count=2, seconds=5.0))
    run_siting(store, SitingQuestion("mclp", WALK, count=1, within=(toy_town.EAST,), seconds=5.0))
    before = run_coverage(store, CoverageQuestion(on=dt.date(2024, 3, 1)))
    run_comparison(store, before.id, run_coverage(store, CoverageQuestion(plan=sited.id)).id)
    night = run_patrol(store, PatrolQuestion(MONDAY, seconds=1.0))
    spots = [toy_town.placed(toy_town.Point(x, 5)) for x in (300, 900)]
    ill = [str(crew) for crew, home in zip(*(night.tables["crews"][c] for c in ("crew", "home")), strict=True)
           if home == toy_town.EAST]  # fmt: skip
    reports = [(spot.x, spot.y) for spot in spots]
    run_replan(store, night, dt.datetime(2024, 3, 4, 20, 5), ill=ill, reports=reports)
    file = tmp_path_factory.mktemp("tracks") / "w1.csv"
    walked = [(who, f"2024-03-04 20:{m:02d}:{s:02d}", toy_town.placed(toy_town.Point(x0 + (60 * m + s), 3)))
              for who, x0 in (("W1", 0), ("E1", 700)) for m in range(8) for s in (0, 20, 40)]  # fmt: skip
    rows = [(who, time, at.x, at.y) for who, time, at in walked]
    pd.DataFrame(rows, columns=["网格员", "时间", "经度", "纬度"]).to_csv(file, index=False)
    run_match(store, file, MatchQuestion(plan=night.id), now=dt.datetime(2024, 3, 5, tzinfo=dt.UTC))
    yield store
    store.close()


@pytest.fixture(scope="module")
def mapped(new_url) -> Iterator[Store]:
    """The streets and areas of the demo town with runs about hotspots over it."""
    store = town_store(new_url())
    for kind, tables in TABLES.items():
        hotspot_run(store, kind, tables())
    hotspot_run(store, "hotspot-release", release_cell_tables(), quarter=2)
    yield store
    store.close()


def whole_and_seen(store: Store, scope: Scope) -> list[tuple[Run, Run]]:
    scoped = store.within(scope)
    return [(store.run(run.id), scoped.run(run.id)) for run in scoped.runs()]


def test_every_table_of_every_kind_is_declared(planned: Store, mapped: Store) -> None:
    kinds = set()
    for store in (planned, mapped):
        for run in store.runs():
            assert set(store.run(run.id).tables) <= set(DECLARED[run.kind]), run.kind
            kinds.add(run.kind)
    assert kinds == set(DECLARED)


def test_who_sees_the_city_sees_whole_runs(planned: Store) -> None:
    scoped = planned.within(Scope.of(toy_town.CITY))
    assert [run.id for run in scoped.runs()] == [run.id for run in planned.runs()]
    for run in planned.runs():
        for name, table in planned.run(run.id).tables.items():
            pd.testing.assert_frame_equal(scoped.run(run.id).tables[name], table)


@pytest.mark.parametrize("scope", [NOWHERE, Scope.of("320200000000"), Scope.of(toy_town.EMPTY)])
def test_who_sees_nothing_here_gets_no_row_that_lies_anywhere(planned: Store, scope: Scope) -> None:
    for whole, seen in whole_and_seen(planned, scope):
        for name, declared in DECLARED[whole.kind].items():
            table = seen.tables.get(name)
            if table is not None and declared.way not in ("open", "note"):
                own = table.get("code", pd.Series(dtype=object)) == toy_town.EMPTY  # the area of this name itself
                assert scope == Scope.of(toy_town.EMPTY) or not len(table), (whole.kind, name)
                assert not len(table) or own.all() or set(table.get("area_code", [])) == {toy_town.EMPTY}


def test_areas_and_streets_are_those_inside(planned: Store) -> None:
    for scope, segments in ((WEST, OF_WEST), (EAST, OF_EAST)):
        for whole, seen in whole_and_seen(planned, scope):
            assert seen.id == whole.id and set(seen.tables) == set(whole.tables)
            for name, table in seen.tables.items():
                assert list(table.columns) == list(whole.tables[name].columns)
                codes = [c for c in ("code", "area_code") if c in table and name not in ("notes", "points", "sites")]
                for column in codes:
                    if DECLARED[whole.kind][name].way == "area":
                        expected = [code for code in whole.tables[name][column] if scope.holds(code)]
                        assert table[column].tolist() == expected, (whole.kind, name)
                if DECLARED[whole.kind][name].way == "segment":
                    assert set(table["segment_id"]) == segments & set(whole.tables[name]["segment_id"])


def test_figures_of_the_whole_city_are_left_out_below_it(planned: Store) -> None:
    for whole, seen in whole_and_seen(planned, WEST):
        if whole.kind in ("coverage", "siting", "comparison"):
            assert len(whole.tables["totals"]) == 1 and not len(seen.tables["totals"])
    sited = [seen for whole, seen in whole_and_seen(planned, WEST) if whole.kind == "siting"]
    assert [run.tables["plan"]["stopped"][0] for run in sited] == ["proven"]  # how good it is may be known
    assert sited[0].tables["plan"][["value", "total", "before"]].isna().all(axis=None)


def test_a_question_about_one_area_exists_there_and_above_and_nowhere_else(planned: Store) -> None:
    mine = [run for run in planned.runs("siting") if run.parameters["within"]]
    assert len(mine) == 1
    own = planned.within(EAST).run(mine[0].id)
    city = ["value", "bound", "total", "before", "existing"]
    told = own.tables["plan"].drop(columns=city), planned.run(mine[0].id).tables["plan"].drop(columns=city)
    pd.testing.assert_frame_equal(*told)
    assert own.tables["plan"][city].isna().all(axis=None)  # of people reached everywhere, the rest of the city too
    assert not len(own.tables["totals"]) and not len(own.tables["story"])
    assert mine[0].id in {run.id for run in planned.within(Scope.of(toy_town.DISTRICT)).runs("siting")}
    assert mine[0].id not in {run.id for run in planned.within(WEST).runs("siting")}
    with pytest.raises(StoreError):
        planned.within(WEST).run(mine[0].id)


def test_points_of_others_are_not_named(planned: Store) -> None:
    for scope, own in ((WEST, {"P1", "P2"}), (EAST, {"P3"})):
        for whole, seen in whole_and_seen(planned, scope):
            if whole.kind != "coverage":
                continue
            sited = planned.run(whole.parameters["plan"]).tables["sites"] if whole.parameters["plan"] else None
            built = set() if sited is None else set(sited["code"][[scope.holds(c) for c in sited["area_code"]]])
            assert set(seen.tables["points"]["code"]) == (own | built) & set(whole.tables["points"]["code"])
            named = set(seen.tables["segments"]["point"]) | set(seen.tables["segments"]["second_point"])
            assert named <= own | built | {""}


def test_crews_and_what_they_do_are_seen_from_their_home(planned: Store) -> None:
    nights = [(whole, seen) for whole, seen in whole_and_seen(planned, WEST) if whole.kind == "patrol"]
    assert len(nights) == 2
    for whole, seen in nights:
        crews = whole.tables["crews"]
        own = set(crews["crew"][[WEST.holds(home) for home in crews["home"]]])
        assert own and own < set(crews["crew"])
        for name in ("crews", "steps", "legs"):
            expected = whole.tables[name][whole.tables[name]["crew"].isin(own)].reset_index(drop=True)
            pd.testing.assert_frame_equal(seen.tables[name], expected)
        assert not len(seen.tables["plan"])


def test_reports_and_sick_crews_of_others_are_not_in_the_parameters(planned: Store) -> None:
    again = next(run for run in planned.runs("patrol") if "replans" in run.parameters)
    east, west = (planned.within(scope).run(again.id).parameters for scope in (EAST, WEST))
    assert len(again.parameters["reports"]) == 2 and len(again.parameters["ill"]) == 1
    assert west["reports"] == again.parameters["reports"][:1] and west["ill"] == []
    assert east["reports"] == again.parameters["reports"][1:] and east["ill"] == again.parameters["ill"]
    header = next(run for run in planned.within(WEST).runs("patrol") if run.id == again.id)
    assert header.parameters["reports"] == west["reports"] and header.parameters["ill"] == []


def test_tracks_are_seen_by_whom_the_walker_belongs_to(planned: Store) -> None:
    run = next(run for run in planned.runs("tracks") if "night" not in run.parameters)
    assert set(planned.run(run.id).tables["tracks"]["person"]) == {"W1", "E1"}
    for scope, person in ((WEST, "W1"), (EAST, "E1")):
        seen = planned.within(scope).run(run.id)
        assert seen.tables["tracks"]["person"].tolist() == [person]
        assert seen.tables["done"]["persons"].tolist() == [person]
        assert not any(name.startswith("file/") for name in seen.inputs)


def test_tracks_of_a_night_belong_to_the_crews_as_supervisors_left_them(planned: Store) -> None:
    now = dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC)
    new = NewAccount("desk", "desk", "supervisor", toy_town.CITY, "hash", "desk")
    by = create_account(planned, new, by=None, now=now)
    plan = next(run for run in planned.runs("patrol") if "replans" not in run.parameters)
    opened = open_night(planned, plan.id, MONDAY, by=by, now=now)
    west = next(one.crew for one in routes(planned, opened.id) if WEST.holds(one.area_code))
    change(planned, opened.id, opened.version, "persons", {west: {"persons": "Stand-in"}}, by=by, now=now)
    tracks = pd.DataFrame({"track": ["a", "b", "c"], "person": ["Stand-in", "E1", "W1"]})
    asked = {"night": opened.id, "date": str(MONDAY), "plan": plan.id}
    run = planned.save_run(Run("tracks", asked, {}, {"tracks": tracks}))
    seen = {scope: planned.within(scope).run(run.id).tables["tracks"]["track"].tolist() for scope in (WEST, EAST)}
    assert seen == {WEST: ["a"], EAST: ["b"]}


def test_of_namesakes_on_both_sides_no_track_is_seen(planned: Store) -> None:
    now = dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC)
    new = NewAccount("chief", "chief", "supervisor", toy_town.CITY, "hash", "chief")
    by = create_account(planned, new, by=None, now=now)
    plan = next(run for run in planned.runs("patrol") if "replans" not in run.parameters)
    opened = open_night(planned, plan.id, MONDAY, by=by, now=now)
    crews = {WEST if WEST.holds(one.area_code) else EAST: one.crew for one in routes(planned, opened.id)}
    change(planned, opened.id, opened.version, "persons", {crews[WEST]: {"persons": "E1、X"}}, by=by, now=now)
    done = pd.DataFrame({"date": str(MONDAY), "crew": [crews[WEST], crews[EAST]], "persons": ["E1、X", "E1"]})
    tracks = pd.DataFrame({"track": ["a", "b"], "person": ["E1", "X"]})
    asked = {"night": opened.id, "date": str(MONDAY), "plan": plan.id}
    run = planned.save_run(Run("tracks", asked, {"points": "0"}, {"tracks": tracks, "done": done}))
    seen = {scope: planned.within(scope).run(run.id).tables["tracks"]["track"].tolist() for scope in (WEST, EAST)}
    assert seen == {WEST: ["b"], EAST: []}, "whose E1 it was, nobody can tell"


def test_cells_and_clusters_are_those_inside(mapped: Store) -> None:
    areas = town().areas["subdistrict"]
    for code in areas["code"][:3]:
        scope = Scope.of(code)
        shape = areas.geometry[areas["code"] == code].iloc[0]
        for whole, seen in whole_and_seen(mapped, scope):
            for name, table in seen.tables.items():
                full = whole.tables[name]
                if name == "members":
                    inside_ = pd.Series(centres(whole, full).covered_by(shape))
                    expected = set(inside_.groupby(full["cluster"]).all().loc[lambda all_: all_].index)
                    assert set(table["cluster"]) == set(seen.tables["clusters"]["cluster"]) == expected
                elif {"column", "row"} <= set(full) and full["column"].any():
                    assert len(table) == int(centres(whole, full).covered_by(shape).sum()), (whole.kind, name)
                elif "unit" in full:
                    assert table["unit"].tolist() == [unit for unit in full["unit"] if scope.holds(unit)]


def centres(run: Run, table: pd.DataFrame) -> gpd.GeoSeries:
    summary = run.tables["summary"].iloc[0]
    release = run.kind == "hotspot-release"
    asked = summary if release else run.parameters
    tiling = Tiling(str(asked["cells"]), float(asked["cell_m"]))
    x, y = tiling.centre(table["column"].to_numpy(), table["row"].to_numpy())
    return gpd.GeoSeries(shapely.points(*to_lonlat(x, y, summary["crs"])))


def test_streets_and_areas_of_hotspots_are_those_inside(mapped: Store) -> None:
    city = town()
    middles = shapely.line_interpolate_point(city.streets.geometry.to_numpy(), 0.5, normalized=True)
    subdistricts = city.areas["subdistrict"]
    scope = Scope.of(subdistricts["code"].iloc[1])
    around = shapely.covers(subdistricts.geometry.iloc[1], middles)
    on_edge = shapely.dwithin(subdistricts.geometry.iloc[1].boundary, middles, 1e-6)
    for whole, seen in whole_and_seen(mapped, scope):
        if "segments" not in whole.tables:
            continue
        ids = set(seen.tables["segments"]["segment_id"])
        assert set(city.streets["segment_id"][around & ~on_edge]) <= ids
        assert ids <= set(city.streets["segment_id"][around | on_edge])
        for column in ("reports", "expected_week", "expected"):
            if column in seen.tables["summary"]:
                assert np.isnan(seen.tables["summary"][column].iloc[0])


def test_streets_that_were_removed_meanwhile_tell_nothing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'town.sqlite'}")
    store.create()
    toy_town.keep(store, toy_town.layers_of_town())
    run = run_coverage(store, WALK)
    moved = toy_town.streets().assign(name="Another")
    store.import_layer("streets", "", moved, source="toy", sha256="1")
    assert len(store.within(WEST).run(run.id).tables["segments"]) == 3  # the older version is kept
    store.prune()
    assert not len(store.within(WEST).run(run.id).tables["segments"])
    store.close()


def test_what_nobody_declared_is_empty_below_the_city(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'town.sqlite'}")
    store.create()
    toy_town.keep(store, toy_town.layers_of_town())
    secret = {"unheard": pd.DataFrame({"code": [toy_town.WEST]})}
    for kind in ("siting", "unheard"):
        for within in ([], [toy_town.WEST]):
            run = store.save_run(Run(kind, {"within": within}, {}, secret))
            assert len(store.within(Scope.of(toy_town.CITY)).run(run.id).tables["unheard"]) == 1
            assert not len(store.within(WEST).run(run.id).tables["unheard"])
    store.close()
