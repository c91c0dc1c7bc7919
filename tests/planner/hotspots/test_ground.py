"""Cells, months and reports of a question: everything counted once, what is left out told."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from gis.errors import QuestionError
from gis.network import Positions
from gis.tiling import KINDS
from layers.store import Store
from planner.hotspots.effort import Effort
from planner.hotspots.frame import Frame
from planner.hotspots.ground import ground_of, parts_of, starts_of
from planner.hotspots.months import month_text, months_of
from planner.hotspots.records import HotspotRecords, day_number, events_of, last_day
from planner.hotspots.runs import UNREAD, load_hotspots, usual_days
from planner.runs import used_versions


@pytest.fixture
def records(town: Store) -> HotspotRecords:
    return load_hotspots(town, used_versions(town, unread=UNREAD), [], lambda step: None)


def with_reports(records: HotspotRecords, rows: pd.DataFrame, x: list[float], y: list[float]) -> HotspotRecords:
    """The same city with other reports, all snapped to the first street."""
    city = records.city
    n = len(rows)
    at = Positions(np.zeros(n, np.int32), np.zeros(n), np.zeros(n))
    area = {level: np.zeros(n, np.int32) for level in city.reports.area}
    reports = type(city.reports)(np.ones(n), at, area)
    other = {f: getattr(city, f) for f in city.__slots__} | {"reports": reports}
    return HotspotRecords(type(city)(**other), rows, np.array(x), np.array(y), records.effort, 0, records.weather)


def rows(*found_at: str, **columns: object) -> pd.DataFrame:
    usual = {"channel": "patrol", "outcome": "", "people": 1}
    return pd.DataFrame({"found_at": pd.to_datetime(list(found_at)), **usual, **columns})


@pytest.mark.parametrize("kind", KINDS)
def test_cells_hold_every_metre_of_street_once(records: HotspotRecords, kind: str) -> None:
    frame = usual_days(Frame(cells=kind, cell_m=130.0), records, None)
    events, _ = events_of(records, frame)
    ground = ground_of(records, frame, events)
    network = records.city.network
    walkable_m = network.length_m[ground.walkable].sum()
    assert set(network.segment_id[~ground.walkable]) == {5}  # nobody walks the motorway
    assert ground.cells.street_m.sum() == pytest.approx(walkable_m)
    per_cell = ground.per_cell(np.column_stack([network.length_m, np.ones(network.n_segments)]))
    assert per_cell[:, 0] == pytest.approx(ground.cells.street_m)
    assert per_cell[:, 1].sum() == pytest.approx(4.0)
    assert (ground.cells.around(events.x, events.y) >= 0).all()
    assert ground.cells.around(np.array([1e7]), np.array([1e7])).tolist() == [-1]


def test_a_question_of_one_area_is_about_its_streets_and_reports(records: HotspotRecords) -> None:
    frame = usual_days(Frame(within=("West",), cell_m=100.0), records, None)
    events, _ = events_of(records, frame)
    ground = ground_of(records, frame, events)
    walked = set(records.city.network.segment_id[ground.walkable])
    assert len(events) == 1 and walked == {1, 3}
    with pytest.raises(QuestionError, match="no area"):
        events_of(records, usual_days(Frame(within=("Nowhere",)), records, None))


def test_the_cube_counts_each_report_in_its_cell_and_period(records: HotspotRecords) -> None:
    frame = usual_days(Frame(cell_m=200.0), records, None)
    events, _ = events_of(records, frame)
    ground = ground_of(records, frame, events)
    cube = ground.cube(events, np.array([events.day.min(), events.day.min() + 1, events.day.max() + 1]))
    assert cube.sum(axis=0).tolist() == [1.0, 1.0] and cube.max() == 1.0
    assert ground.cube(events, np.array([0, 10])).sum() == 0
    with pytest.raises(QuestionError, match="too many cells"):
        ground.cube(events, np.arange(100_000_000))


def test_a_batch_of_equal_rows_counts_once_and_is_told(records: HotspotRecords) -> None:
    batch = rows(*["2024-03-01 22:00"] * 30, "2024-03-01 22:05", "2024-03-02 22:00")
    city = with_reports(records, batch, [5.0] * 32, [5.0] * 32)
    events, notes = events_of(city, usual_days(Frame(), city, None))
    assert len(events) == 3
    assert [note.code for note in notes] == ["batch"] and "29" in notes[0].en and "29" in notes[0].zh


def test_nine_equal_rows_are_nine_people(records: HotspotRecords) -> None:
    city = with_reports(records, rows(*["2024-03-01 22:00"] * 9), [5.0] * 9, [5.0] * 9)
    events, notes = events_of(city, usual_days(Frame(), city, None))
    assert len(events) == 9 and not notes


def test_days_and_channels_choose_reports_and_none_left_is_refused(records: HotspotRecords) -> None:
    table = rows("2024-03-01 22:00", "2024-03-05 02:30", "2024-04-01 00:00", channel=["patrol", "hotline", "public"])
    city = with_reports(records, table, [0.0, 1.0, 2.0], [0.0] * 3)
    assert last_day(city) == dt.date(2024, 4, 1)
    days = {"first": dt.date(2024, 3, 1), "last": dt.date(2024, 3, 5)}
    events, _ = events_of(city, Frame(**days))
    assert events.channel.tolist() == [0, 1] and events.hour.tolist() == [22.0, 2.5]
    assert len(events_of(city, Frame(**days, channels=("hotline",)))[0]) == 1
    with pytest.raises(QuestionError, match="no discovery report"):
        events_of(city, Frame(**days, channels=("public",)))


def test_the_usual_days_end_with_the_last_report(records: HotspotRecords) -> None:
    table = rows("2022-01-01 22:00", "2024-04-01 00:00")
    city = with_reports(records, table, [0.0, 1.0], [0.0] * 2)
    usual = usual_days(Frame(), city, 365)
    assert (usual.first, usual.last) == (dt.date(2023, 4, 3), dt.date(2024, 4, 1))
    assert usual_days(Frame(), city, None).first == dt.date(2022, 1, 1)
    asked = usual_days(Frame(first=dt.date(2020, 1, 1)), city, 365)
    assert asked.first == dt.date(2020, 1, 1)


def test_whole_periods_are_counted_back_from_the_last_whole_month() -> None:
    first, last = np.datetime64("2025-01-15"), np.datetime64("2025-08-30")
    starts = starts_of(first, last, 1).astype("datetime64[D]").astype(str).tolist()
    assert starts[0] == "2025-02-01" and starts[-1] == "2025-08-01" and len(starts) == 7
    quarters = starts_of(first, np.datetime64("2025-08-31"), 3).astype("datetime64[D]").astype(str).tolist()
    assert quarters == ["2025-03-01", "2025-06-01", "2025-09-01"]
    assert len(starts_of(first, np.datetime64("2025-01-20"), 1)) == 1


def test_a_month_without_reports_and_patrols_is_one_nobody_counted_in(records: HotspotRecords) -> None:
    frame = Frame(dt.date(2024, 1, 1), dt.date(2024, 6, 30), channels=("hotline",), within=("West",))
    city = with_reports(records, rows("2024-01-04 22:00", "2024-04-05 22:00"), [0.0, 1.0], [0.0] * 2)
    months, notes = months_of(city, frame, 2)  # of the whole city and every channel
    assert months.counted.tolist() == [True, False, False, True, False, False]
    assert [n.code for n in notes] == ["months-uncounted"]
    assert [month_text(int(n)) for n in months.number[[0, 3]]] == ["2024-01-01", "2024-04-01"]
    february, may = day_number(dt.date(2024, 2, 9)), day_number(dt.date(2024, 5, 2))
    patrolled = Effort(*(np.array([v]) for v in (0, february, may, 0.0, 24.0, 1.0)))
    walked = HotspotRecords(city.city, city.reports, city.x, city.y, patrolled, 0, city.weather)
    assert months_of(walked, frame, 2)[0].counted.tolist() == [True, True, True, True, True, False]
    with pytest.raises(QuestionError, match="7 whole months"):
        months_of(city, frame, 7)


def test_broken_months_are_parts_of_their_own() -> None:
    days = [day_number(dt.date(2025, *of)) for of in ((1, 15), (2, 1), (3, 1), (3, 21))]
    assert parts_of(days[0], days[-1] - 1).tolist() == days
    assert parts_of(days[0], days[0]).tolist() == [days[0], days[0] + 1]
    assert parts_of(days[1], days[2] - 1).tolist() == [days[1], days[2]]


def test_reports_off_the_streets_belong_to_the_areas_around_them(records: HotspotRecords) -> None:
    table = rows("2024-03-01 22:00", "2024-03-02 22:00")
    city = with_reports(records, table, [0.0, 1.0], [0.0] * 2)
    positions = Positions(np.full(2, -1, np.int32), np.full(2, np.nan), np.full(2, 900.0))
    level = next(tier for tier in city.city.tiers if tier.level == "subdistrict")
    area = {**city.city.reports.area, "subdistrict": np.array([list(level.name).index(n) for n in ("West", "East")])}
    reports = type(city.city.reports)(np.ones(2), positions, area)
    moved = type(city.city)(**{f: getattr(city.city, f) for f in city.city.__slots__} | {"reports": reports})
    off = HotspotRecords(moved, table, city.x, city.y, city.effort, 0, city.weather)
    events, notes = events_of(off, usual_days(Frame(within=("West",)), off, None))
    assert len(events) == 1 and [n.code for n in notes] == ["off-street"]


def test_a_report_of_nobody_is_no_find(records: HotspotRecords) -> None:
    city = with_reports(records, rows("2024-03-01 22:00", "2024-03-02 22:00", people=[0, 2]), [0.0, 1.0], [0.0] * 2)
    assert len(events_of(city, usual_days(Frame(), city, None))[0]) == 1


def test_a_city_of_motorways_has_no_street_to_patrol(records: HotspotRecords) -> None:
    network = records.city.network
    only = {f: getattr(network, f) for f in network.__slots__} | {
        "street_class": np.full(network.n_segments, "motorway", object)
    }
    city = {f: getattr(records.city, f) for f in records.city.__slots__} | {"network": type(network)(**only)}
    bare = HotspotRecords(
        type(records.city)(**city), records.reports, records.x, records.y, records.effort, 0, records.weather
    )
    frame = usual_days(Frame(), bare, None)
    with pytest.raises(QuestionError, match="no street to patrol"):
        ground_of(bare, frame, events_of(bare, frame)[0])


@pytest.mark.parametrize(
    "bad",
    [
        {"channels": ()}, {"channels": ("radio",)}, {"cell_m": 5.0}, {"cell_m": float("nan")}, {"cells": "triangle"},
        {"first": dt.date(2025, 1, 2), "last": dt.date(2025, 1, 1)},
    ],
)  # fmt: skip
def test_frames_refuse_what_makes_no_sense(bad: dict) -> None:
    with pytest.raises(QuestionError) as refusal:
        Frame(**bad)
    assert refusal.value.zh and refusal.value.en
