"""Tracks from files against a city in a store: one run, kept for as long as allowed, without any point in it."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.walks import points_of, walks
from gis.errors import FileRefusedError, QuestionError, StoreError
from gis.network_build import network_from_edges, network_to_records
from layers.demo_city.build import build_demo_city
from layers.run import Run
from layers.store import Store
from planner.patrol.tracks.question import MatchQuestion
from planner.patrol.tracks.runs import TRACK_STEPS, run_match, tracks_of

NOW = dt.datetime(2026, 11, 21, 2, tzinfo=dt.UTC)
QUESTION = MatchQuestion(hours=(20 * 3600, 24 * 3600))
START = pd.Timestamp("2026-11-20 20:00")


@pytest.fixture
def city(new_store: Callable[[str], Store]) -> Store:
    store = new_store("city")
    network = network_from_edges(build_demo_city("town").streets)
    store.import_layer("streets", "", network_to_records(network), source="streets.gpkg", sha256="0" * 64)
    return store


@pytest.fixture
def file(city: Store, tmp_path: Path) -> Path:
    network, rng = city.load_network(), np.random.default_rng(5)
    truth = walks(network, "walk", count=2, metres=1500, kmh=4.5, rng=rng)
    points = points_of(network, truth, every_s=(5, 15), noise_m=8.0, rng=rng)
    time = (START + pd.to_timedelta(np.round(points.time_s), unit="s")).strftime("%Y-%m-%d %H:%M:%S")
    who = np.array(["甲", "乙"], object)[points.of_point]
    path = tmp_path / "tracks.csv"
    pd.DataFrame({"网格员": who, "时间": time, "经度": points.lon, "纬度": points.lat}).to_csv(path, index=False)
    return path


def test_a_run_tells_what_was_walked_and_holds_no_point(city: Store, file: Path) -> None:
    steps: list[str] = []
    run = run_match(city, file, QUESTION, now=NOW, progress=steps.append)
    assert steps == list(TRACK_STEPS)
    assert run.kind == "tracks" and set(run.inputs) == {"streets", "file/tracks.csv"}
    assert run.tables["tracks"]["person"].tolist() == ["甲", "乙"]
    assert run.tables["effort"]["metres"].sum() == pytest.approx(run.tables["tracks"]["matched_m"].sum())
    columns = {column for table in run.tables.values() for column in table}
    assert not columns & {"lon", "lat", "x", "y", "geometry"}


def test_the_same_question_of_the_same_file_is_answered_once(city: Store, file: Path) -> None:
    first = run_match(city, file, QUESTION, now=NOW)
    again = run_match(city, file, QUESTION, now=NOW)
    assert again.id == first.id and len(city.runs("tracks")) == 1
    other = run_match(city, file, MatchQuestion(hours=(20 * 3600, 24 * 3600), noise_m=8.0), now=NOW)
    assert other.id != first.id


def test_runs_older_than_what_may_be_kept_are_removed(city: Store, file: Path) -> None:
    old = run_match(city, file, QUESTION, now=NOW)
    later = NOW + dt.timedelta(days=91)
    new = run_match(city, file, QUESTION, now=later)
    assert [run.id for run in city.runs("tracks")] == [new.id] and new.id != old.id
    row = new.tables["tracks"]
    assert row["forgotten"].sum() == row["points"].sum() and not len(new.tables["effort"])


def test_a_plan_is_compared_with_and_must_be_a_patrol(city: Store, file: Path) -> None:
    segment = int(run_match(city, file, QUESTION, now=NOW).tables["effort"]["segment_id"].iloc[0])
    network = city.load_network()
    length_m = float(network.length_m[network.segment_id == segment][0])
    night = {"date": ["2026-11-20"], "crew": ["C01"]}
    plan = Run("patrol", {"date": "2026-11-20"}, {}, {
        "crews": pd.DataFrame(night | {"persons": ["甲、乙"], "mode": ["walk"], "shift_from": ["2026-11-20T20:00:00"],
                                       "shift_until": ["2026-11-20T23:00:00"]}),
        "steps": pd.DataFrame(night | {"step": [0], "kind": ["patrol"], "name": [""], "priority": [1.0],
                                       "must": [True]}),
        "legs": pd.DataFrame(night | {"step": [0], "segment_id": [segment], "from_m": [0.0], "to_m": [length_m]}),
    })  # fmt: skip
    kept = city.save_run(plan)
    run = run_match(city, file, MatchQuestion(plan=kept.id), now=NOW)
    assert run.tables["done"]["planned_m"].tolist() == [length_m] and run.tables["done"]["walked_m"][0] > 0
    with pytest.raises(QuestionError):
        run_match(city, file, MatchQuestion(plan=run.id), now=NOW)
    with pytest.raises(StoreError):
        run_match(city, file, MatchQuestion(plan="ffffffffffff"), now=NOW)


def test_a_file_without_usable_points_is_refused(city: Store, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("时间,经度,纬度\n昨晚,118.7,32.0\n", "utf-8")
    with pytest.raises(FileRefusedError):
        run_match(city, tmp_path / "a.csv", QUESTION, now=NOW)


def points(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"file": "a.csv", "track": "", "person": "", "lon": 118.7, "lat": 32.0} | columns)
    return table.assign(time=pd.to_datetime(table["time"]))


def test_tracks_part_by_person_and_after_a_long_silence() -> None:
    time = ["2026-11-20 20:00", "2026-11-20 20:01", "2026-11-21 20:00", "2026-11-20 20:02"]
    tracks, file = tracks_of(points(time=time, person=["甲", "乙", "甲", "甲"], lon=[1.0, 2, 3, 4]))
    assert tracks.name.tolist() == ["甲", "甲 (2)", "乙"] and tracks.person.tolist() == ["甲", "甲", "乙"]
    assert tracks.indptr.tolist() == [0, 2, 3, 4] and tracks.lon.tolist() == [1, 4, 3, 2] and file.tolist() == [0, 0, 0]


def test_the_order_of_rows_stays_so_that_times_running_backwards_show() -> None:
    tracks, _ = tracks_of(points(time=["2026-11-20 20:05", "2026-11-20 20:00"], person="甲", lon=[1.0, 2.0]))
    assert tracks.lon.tolist() == [1, 2] and tracks.time_s[0] > tracks.time_s[1]


def test_tracks_without_a_name_are_called_after_their_file() -> None:
    tracks, file = tracks_of(points(time="2026-11-20 20:00", file=["甲.gpx", "乙.gpx"]))
    assert tracks.name.tolist() == tracks.person.tolist() == ["甲", "乙"] and file.tolist() == [0, 1]
