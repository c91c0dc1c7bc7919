"""Points laid on the streets: what stays stands where it stood, what is put somewhere is found anew."""

import numpy as np
import pandas as pd
import pytest

from gis.network import Positions
from layers.hours import HourOfWeek
from planner.points import help_points, laid, listed, opening, with_sites
from planner.scenarios.overlay import overlay

DAYTIME = "Mo-Fr 08:00-18:00"


def at(*segments: int) -> Positions:
    """Return points on these segments, as many metres along as the segment's number."""
    return Positions(np.array(segments, np.int32), np.array(segments, float), np.zeros(len(segments)))


def snap(lon, lat) -> Positions:
    """Put a point on the segment whose number is its longitude."""
    return at(*lon.astype(int))


def rows(*codes: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"code": codes, "name": codes, "functions": "reception", "hours": DAYTIME, "capacity": 5.0,
         "build_state": "existing"}
    )  # fmt: skip


def sites(*opened: tuple[str, str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(opened, columns=["code", "place", "action", "lon"])
    return table.assign(name=table["code"], functions="guidance", hours="24/7", capacity=9.0, lat=32.0)


@pytest.fixture
def points() -> pd.DataFrame:
    return listed(rows("A", "B"), rows("S"))


def test_a_plan_opens_improves_and_closes(points: pd.DataFrame) -> None:
    made = with_sites(points, sites(("N", "N", "build", 7.0), ("A+", "A", "upgrade", 1.0), ("B", "B", "close", 2.0)))
    positions = laid(made, at(1, 2, 3), snap)
    assert list(made.points["code"]) == ["S", "N", "A+"]
    assert positions.segment.tolist() == [3, 7, 1] and positions.offset_m.tolist() == [3, 7, 1]
    found = help_points(made.points, positions, None)
    assert found.station.tolist() == [True, False, False] and not found.planned.any()


def test_a_scenario_moves_what_a_plan_opened(points: pd.DataFrame) -> None:
    planned = with_sites(points, sites(("N", "N", "build", 7.0)))
    before = laid(planned, at(1, 2, 3), snap)
    entries = [
        {"code": "B", "action": "close"},
        {"code": "N", "action": "change", "lon": 8.0, "lat": 32.0},
        {"code": "P", "action": "add", "lon": 9.0, "lat": 32.0, "name": "P", "functions": "guidance",
         "build_state": "existing"},
    ]  # fmt: skip
    made = overlay(planned.points, entries)
    found = help_points(made.points, laid(made, before, snap), None)
    assert found.code.tolist() == ["A", "S", "N", "P"]
    assert found.positions.segment.tolist() == [1, 3, 8, 9]
    assert found.station.tolist() == [False, True, False, False]
    assert found.hours_known.tolist() == [True, True, True, False]
    assert before.segment.tolist() == [1, 2, 3, 7], "what was laid before stays as it was"


def test_points_are_added_where_there_were_none() -> None:
    none = listed(rows(), rows())
    entry = {"code": "P", "action": "add", "lon": 4.0, "lat": 32.0, "name": "P", "functions": "guidance"}
    made = overlay(none, [entry])
    assert laid(made, at(), snap).segment.tolist() == [4]
    assert len(laid(with_sites(none, sites()), at(), snap)) == 0


def test_a_point_without_hours_is_open_at_no_hour_but_counts_where_none_was_asked_about() -> None:
    hours = np.array([DAYTIME, ""], object)
    week, then = opening(hours, None)
    assert week.sum(axis=1).tolist() == [50, 0] and then.tolist() == [True, True]
    assert opening(hours, HourOfWeek(0, 600))[1].tolist() == [True, False]
