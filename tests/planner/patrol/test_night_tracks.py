"""A night's tracks from the store against its plan as supervisors left it: as the points of a file would tell."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.walks import points_of, walks
from gis.errors import QuestionError
from gis.network_build import network_from_edges, network_to_records
from layers.accounts import Account, NewAccount, create_account
from layers.demo_city.build import build_demo_city
from layers.night_records import NightRoute
from layers.nights import change, night, open_night
from layers.phone import keep_events
from layers.run import Run
from layers.store import Store
from planner.hotspots.effort_runs import effort_inputs
from planner.patrol.tracks.night_plan import plan_as_changed
from planner.patrol.tracks.question import MatchQuestion
from planner.patrol.tracks.runs import TRACK_STEPS, run_match, run_night_tracks

EVENING = dt.date(2026, 11, 20)
NOW = dt.datetime(2026, 11, 21, 2, tzinfo=dt.UTC)
HOME = "990101001001001"
SHIFT = {"shift_from": "2026-11-20T20:00:00", "shift_until": "2026-11-20T23:00:00"}
CREW = {
    "date": str(EVENING),
    "mode": "walk",
    "home": HOME,
    "station_name": "站",
    "services": 2,
    "travel_s": 240.0,
    **SHIFT,
}


def planned(segments: dict[str, list[tuple[int, float]]]) -> dict[str, pd.DataFrame]:
    """Return the tables of a plan in which each crew walks whole segments, one a quarter of an hour."""
    start = dt.datetime.fromisoformat(SHIFT["shift_from"])
    steps, legs = [], []
    for crew, own in segments.items():
        for i, (segment, length_m) in enumerate(own):
            begins, key = start + dt.timedelta(minutes=15 * i), {"date": str(EVENING), "crew": crew, "step": i}
            ends = begins + dt.timedelta(minutes=10)
            steps.append({**key, "kind": "patrol", "begins": begins.isoformat(), "ends": ends.isoformat(),
                          "duty": f"S{segment}", "segment_id": segment, "name": f"街{segment}", "side": "",
                          "metres": length_m, "priority": 1.0, "must": False})  # fmt: skip
            legs.append({**key, "segment_id": segment, "from_m": 0.0, "to_m": length_m})
    crews = pd.DataFrame([{**CREW, "crew": crew, "persons": f"人{crew}"} for crew in segments])
    left = {
        "date": str(EVENING),
        "duty": "S9",
        "segment_id": 9,
        "name": "街9",
        "metres": 80.0,
        "priority": 2.0,
        "must": True,
    }
    return {"crews": crews, "steps": pd.DataFrame(steps), "legs": pd.DataFrame(legs), "uncovered": pd.DataFrame([left])}


def routes_of(**stops: list[str]) -> list[NightRoute]:
    return [NightRoute(crew, HOME, f"人{crew}", tuple((duty, "") for duty in duties), False, None, 0)
            for crew, duties in stops.items()]  # fmt: skip


def test_a_plan_nobody_changed_stays_as_it_is() -> None:
    tables = planned({"C01": [(1, 100.0), (2, 50.0)], "C02": [(3, 70.0)]})
    kept = plan_as_changed(tables, EVENING, routes_of(C01=["S1", "S2"], C02=["S3"]))
    for name in ("steps", "legs"):
        pd.testing.assert_frame_equal(kept[name], tables[name])
    assert plan_as_changed(tables, EVENING, [])["steps"].empty


def test_a_street_moved_to_another_crew_is_theirs_with_its_legs() -> None:
    tables = planned({"C01": [(1, 100.0), (2, 50.0)], "C02": [(3, 70.0)]})
    changed = plan_as_changed(tables, EVENING, routes_of(C01=["S1"], C02=["S2", "S9", "S3", "S404"]))
    served = changed["steps"][changed["steps"]["kind"] == "patrol"]
    assert list(zip(served["crew"], served["duty"], strict=True)) == [
        ("C01", "S1"), ("C02", "S2"), ("C02", "S9"), ("C02", "S3")
    ]  # fmt: skip
    legs = changed["legs"].merge(changed["steps"], on=["date", "crew", "step"])
    assert dict(zip(legs["duty"], legs["to_m"] - legs["from_m"], strict=True)) == {
        "S1": 100,
        "S2": 50,
        "S9": 80,
        "S3": 70,
    }
    for _, own in changed["steps"].groupby("crew"):
        assert own["step"].tolist() == list(range(len(own)))
        assert own["begins"].tolist()[1:] == own["ends"].tolist()[:-1] and own["begins"].iloc[0] == SHIFT["shift_from"]
    # to each of three services and back, two minutes a way; ten minutes a planned street, a metre a second another
    ends = dt.datetime.fromisoformat(str(changed["steps"]["ends"].iloc[-1]))
    assert ends == dt.datetime(2026, 11, 20, 20) + dt.timedelta(minutes=4 * 2 + 2 * 10, seconds=80)


@pytest.fixture
def city(new_store: Callable[[str], Store]) -> Store:
    store = new_store("city")
    network = network_from_edges(build_demo_city("town").streets)
    store.import_layer("streets", "", network_to_records(network), source="streets.gpkg", sha256="0" * 64)
    store.set_setting("city_code", "990100000000")
    return store


def account(store: Store, name: str, role: str) -> Account:
    new = NewAccount(f"{role}-{name}", name, role, "990101001000", "hash", f"unique {role} {name}")
    return create_account(store, new, by=None, now=NOW)


def walked(store: Store, count: int, seed: int) -> tuple[Any, Any]:
    network, rng = store.load_network(), np.random.default_rng(seed)
    truth = walks(network, "walk", count=count, metres=1500, kmh=4.5, rng=rng)
    return truth, points_of(network, truth, every_s=(5, 15), noise_m=8.0, rng=rng)


def test_tracks_from_phones_tell_what_the_same_points_from_a_file_tell(city: Store, tmp_path: Path) -> None:
    network = city.load_network()
    truth, points = walked(city, 1, 5)
    way = list(dict.fromkeys(truth.segment.tolist()))
    lengths = [(int(network.segment_id[s]), float(network.length_m[s])) for s in way]
    beside = [s for s in range(network.n_segments) if s not in way][:2]
    other = [(int(network.segment_id[s]), float(network.length_m[s])) for s in beside]
    plan = city.save_run(Run("patrol", {"date": str(EVENING)}, {}, planned({"C01": lengths[:6], "C02": other})))
    worker, boss = account(city, "人C01", "grid_worker"), account(city, "主管", "supervisor")
    made = open_night(city, plan.id, EVENING, by=boss, now=NOW)
    with pytest.raises(QuestionError, match="轨迹"):
        run_night_tracks(city, made.id, now=NOW)

    utc_ms = (dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp() + np.round(points.time_s)) * 1000
    given = [[float(t), float(x), float(y), 8] for t, x, y in zip(utc_ms, points.lon, points.lat, strict=True)]
    events = [{"number": i + 1, "at": utc_ms[-1], "kind": "track", "night": made.id, "crew": "C01",
               "points": given[20 * i : 20 * i + 20]} for i in range(-(-len(given) // 20))]  # fmt: skip
    half = len(events) // 2
    steps: list[str] = []
    keep_events(city, events[:half], by=worker, device="telephone-1", now=NOW)
    first = run_night_tracks(city, made.id, now=NOW, progress=steps.append)
    keep_events(city, events[half:], by=worker, device="telephone-1", now=NOW)
    run = run_night_tracks(city, made.id, now=NOW)
    assert steps == list(TRACK_STEPS) and run.id != first.id
    assert run_night_tracks(city, made.id, now=NOW).id == run.id
    counted, _ = effort_inputs(city, city.current()["streets", ""].content_sha256)
    assert len(counted) == 1, "the half that was matched before counts no second time"

    path = tmp_path / "tracks.csv"
    local = pd.to_datetime(utc_ms, unit="ms", utc=True).tz_convert("Asia/Shanghai").tz_localize(None).round("s")
    pd.DataFrame({"网格员": "人C01", "时间": local, "经度": points.lon.round(6), "纬度": points.lat.round(6)}).to_csv(
        path, index=False
    )
    told = run_match(city, path, MatchQuestion(plan=plan.id), now=NOW)
    for name in ("done", "missed", "effort"):
        pd.testing.assert_frame_equal(run.tables[name], told.tables[name])
    assert run.tables["done"].set_index("crew")["done_share"]["C01"] > 0.8
    assert run.tables["done"].set_index("crew")["done_share"]["C02"] == 0

    moved = {"C01": {"route": [[f"S{s}", ""] for s, _ in lengths[1:6]]},
             "C02": {"route": [[f"S{s}", ""] for s, _ in [lengths[0], *other]]}}  # fmt: skip
    change(city, made.id, night(city, made.id).version, "move", moved, by=boss, now=NOW)
    again = run_night_tracks(city, made.id, now=NOW)
    assert again.id != run.id
    planned_m = again.tables["done"].set_index("crew")["planned_m"]
    assert planned_m["C01"] == pytest.approx(sum(m for _, m in lengths[1:6]))
    assert lengths[0][0] in set(again.tables["missed"]["segment_id"]), "walked by whom it is no longer planned for"
    columns = {column for table in again.tables.values() for column in table}
    assert not columns & {"lon", "lat", "x", "y", "geometry"}
