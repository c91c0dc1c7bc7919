"""Records of patrols become passes by segment, period and part of the day, none lost on the way."""

import numpy as np
import pandas as pd
import pytest

from gis.network_build import build_network
from planner.hotspots.effort import Effort, effort_of, monthly, passes_by, walked_by, weekly
from tests.planner import toy_town

NETWORK, _ = build_network(toy_town.streets())
AT = {int(segment): i for i, segment in enumerate(NETWORK.segment_id)}
COLUMNS = ["segment_id", "walked_from", "walked_until", "hours", "passes"]


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[D]").astype(np.int64)


def effort(*rows: tuple) -> Effort:
    table = pd.DataFrame(rows, columns=COLUMNS)
    return effort_of(NETWORK, table, [])[0]


def test_a_record_is_shared_by_days_and_by_hours() -> None:
    one = effort((1, "2025-01-30", "2025-02-02", "22:00-02:00", 8.0))
    passes = passes_by(one, NETWORK.n_segments, days("2025-01-01", "2025-02-01", "2025-03-01"))
    assert passes.shape == (NETWORK.n_segments, 2, 3)
    assert passes[AT[1]].tolist() == [[2.0, 0.0, 2.0], [2.0, 0.0, 2.0]]  # half in the evening, half at night
    assert passes.sum() == 8.0


def test_a_record_of_one_day_without_hours_counts_through_the_day() -> None:
    one = effort((2, "2025-01-05", None, "", 24.0))
    passes = passes_by(one, NETWORK.n_segments, days("2025-01-05", "2025-01-06"))
    assert passes[AT[2], 0].tolist() == [6.0, 12.0, 6.0]


def test_what_lies_outside_the_periods_is_left_out() -> None:
    one = effort((1, "2024-12-01", "2024-12-10", "", 10.0), (1, "2024-12-31", "2025-01-01", "", 2.0))
    starts = days("2025-01-01", "2025-02-01")
    assert passes_by(one, NETWORK.n_segments, starts, per_shift=False)[AT[1]].tolist() == [1.0]


def test_no_pass_is_lost_or_made_over_any_periods() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(200):
        first = int(days("2025-01-01")[0] + rng.integers(0, 150))
        last = first + int(rng.integers(0, 60))
        begin, end = rng.integers(0, 24), rng.integers(0, 24)
        hours = "" if begin == end else f"{begin:02d}:00-{end:02d}:00"
        dates = [str(np.datetime64(day, "D")) for day in (first, last)]
        rows.append((int(rng.integers(1, 6)), *dates, hours, float(rng.integers(0, 9))))
    records = effort(*rows)
    inside = rng.choice(np.arange(*days("2025-01-02", "2025-08-31")), 9, replace=False)
    starts = np.sort(np.r_[days("2025-01-01", "2025-09-01"), inside])
    by_shift = passes_by(records, NETWORK.n_segments, starts)
    assert by_shift.sum() == pytest.approx(records.passes.sum())
    assert np.allclose(by_shift.sum(axis=2), passes_by(records, NETWORK.n_segments, starts, per_shift=False))
    expected = [sum(row[-1] for row in rows if row[0] == s) for s in NETWORK.segment_id]
    assert np.allclose(by_shift.sum(axis=(1, 2)), expected)


def test_tracks_add_their_metres_over_the_length_and_unknown_segments_are_counted() -> None:
    recorded = pd.DataFrame([(1, "2025-01-01", None, "", 1.0), (99, "2025-01-01", None, "", 5.0)], columns=COLUMNS)
    months = pd.DataFrame({"segment_id": [3], "month": ["2025-01-01"], "hour": [2], "metres": [300.0]})  # before 0.8
    walked = weekly(pd.DataFrame({"segment_id": [1], "date": ["2025-01-08"], "hour": [21], "metres": [1500.0]}))
    found, lost = effort_of(NETWORK, recorded, [walked, months])
    assert lost == 1
    passes = passes_by(found, NETWORK.n_segments, days("2025-01-01", "2025-02-01"))
    assert passes[AT[1], 0].tolist() == pytest.approx([0.25, 0.5, 0.25 + 2.5])
    assert passes[AT[3], 0].tolist() == pytest.approx([0.5, 0.0, 0.0])
    assert (found.last_day - found.first_day).tolist() == [0, 6, 30]


def test_what_tracks_add_is_kept_by_week_within_its_month_and_adds_up_to_months() -> None:
    # 2025-06-30 is a Monday: that week is one day of June and six of July
    dates = ["2025-06-23", "2025-06-29", "2025-06-30", "2025-07-01", "2025-07-06", "2025-07-07", "2025-07-31"]
    walked = pd.DataFrame({"segment_id": 1, "date": dates, "hour": 21, "metres": [2.0**k for k in range(7)]})
    weeks = weekly(walked)
    assert weeks[["walked_from", "walked_until", "metres"]].to_numpy().tolist() == [
        ["2025-06-23", "2025-06-29", 3.0], ["2025-06-30", "2025-06-30", 4.0], ["2025-07-01", "2025-07-06", 24.0],
        ["2025-07-07", "2025-07-13", 32.0], ["2025-07-28", "2025-07-31", 64.0],
    ]  # fmt: skip
    older = pd.DataFrame({"segment_id": [1], "month": ["2025-07-01"], "hour": [21], "metres": [1000.0]})
    assert monthly([weeks, older])[["walked_from", "walked_until", "metres"]].to_numpy().tolist() == [
        ["2025-06-01", "2025-06-30", 7.0], ["2025-07-01", "2025-07-31", 1120.0],
    ]  # fmt: skip


def test_no_records_give_no_effort() -> None:
    nothing, lost = effort_of(NETWORK, pd.DataFrame(columns=COLUMNS), [])
    assert len(nothing) == lost == 0
    assert passes_by(nothing, 4, days("2025-01-01", "2025-02-01")).sum() == 0


def test_a_pass_of_a_week_that_is_going_on_counts_whole() -> None:
    walked = weekly(pd.DataFrame({"segment_id": [1], "date": ["2025-01-06"], "hour": [21], "metres": [600.0]}))
    quarter = ("2025-01-01", "2025-03-31", "", 9.0)  # spread over its days, as before
    recorded = pd.DataFrame([(3, *quarter), (1, "2025-01-08", None, "", 7.0)], columns=COLUMNS)
    found, _ = effort_of(NETWORK, recorded, [walked])
    monday, tuesday = days("2025-01-06", "2025-01-07")
    known = walked_by(found, monday)
    starts = np.array([monday, tuesday])
    assert passes_by(known, NETWORK.n_segments, starts, per_shift=False)[AT[1], 0] == pytest.approx(1.0)
    assert passes_by(known, NETWORK.n_segments, starts, per_shift=False)[AT[3], 0] == pytest.approx(0.1)
    assert known.passes.sum() == found.passes.sum()
