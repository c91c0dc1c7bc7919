"""Duties from records and from the rule for streets without one, on a street worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from gis.network import Positions
from planner.patrol.duties import TIMES_FOUND, TIMES_MAIN, TIMES_OTHER, Duties, duties_of
from tests.gis.model_networks import network_of, positions_at

NOWHERE = {"segment": -1, "offset_m": np.nan, "gap_m": np.inf}
BLANK = {
    "duty_id": "", "segment_id": None, "area_code": None, "name": "", "times_a_week": 7, "priority": 1.0, "must": False,
    "sides": "either", "service_kmh": np.nan, "opens": "", "closes": "", "dwell_min": np.nan, "certificate": "",
}  # fmt: skip
COMMUNITY = "320102001001"


def town():
    """Four streets of 100 m in a row: a main street, two lanes, a motorway."""
    classes = ["secondary", "residential", "residential", "motorway"]
    return network_of([(100 * i, 0) for i in range(5)], range(4), range(1, 5), street_class=classes)


def duties(records: list[dict], at: Positions | None = None, found: list[int] | None = None) -> tuple[Duties, int]:
    table = pd.DataFrame([{**BLANK, **record} for record in records], columns=list(BLANK))
    places = at if at is not None else positions_at([-1] * len(table), np.nan, np.inf)
    area_of = {"community": np.array([COMMUNITY, COMMUNITY, "", ""], object)}
    walkable = np.array([True, True, True, False])
    return duties_of(town(), walkable, table, places, area_of, np.array(found or [], np.int32))


def test_streets_without_a_record_follow_the_rule_and_closed_ones_are_none() -> None:
    made, lost = duties([], found=[2])
    assert made.segment.tolist() == [0, 1, 2] and lost == 0
    assert made.times_a_week.tolist() == [TIMES_MAIN, TIMES_OTHER, TIMES_FOUND]
    assert made.priority.tolist() == pytest.approx([1.0, 1.0, 2.0])  # a report within 100 m doubles the worth


def test_a_record_of_a_segment_outweighs_one_of_an_area_and_both_the_rule() -> None:
    made, lost = duties([
        {"duty_id": "A", "area_code": COMMUNITY, "times_a_week": 2},
        {"duty_id": "B", "segment_id": 2, "times_a_week": 5, "must": True, "sides": "both"},
    ])  # fmt: skip
    assert lost == 0
    of = dict(zip(made.segment.tolist(), zip(made.id, made.times_a_week, made.must, made.both_sides, strict=True),
                  strict=True))  # fmt: skip
    assert of[0] == ("A-1", 2, False, False)
    assert of[1] == ("B", 5, True, True)
    assert of[2][1] == TIMES_OTHER


def test_records_that_name_no_street_are_counted() -> None:
    _, lost = duties([{"duty_id": "A", "segment_id": 99}, {"duty_id": "B", "area_code": "320102009009"},
                      {"duty_id": "C"}])  # fmt: skip
    assert lost == 3


def test_a_point_is_a_check_with_its_dwell_time_and_hours() -> None:
    made, _ = duties([{"duty_id": "A", "name": "桥洞", "dwell_min": 8.0, "opens": "21:00", "closes": "02:00"}],
                     positions_at([1], 40.0, 6.0))  # fmt: skip
    i = int(np.flatnonzero(made.check)[0])
    assert (made.segment[i], made.offset_m[i], made.gap_m[i], made.dwell_s[i]) == (1, 40.0, 6.0, 480.0)
    assert (made.opens_s[i], made.closes_s[i]) == (21 * 3600.0, 26 * 3600.0)
    assert len(made) == 4  # the street it lies on is patrolled as well
