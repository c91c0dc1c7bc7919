"""A scenario measured is the city measured after the same change was truly made."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from shapely import Point

from gis.errors import QuestionError
from layers.hours import HourOfWeek
from planner.coverage import CoverageQuestion
from planner.coverage_inputs import HOURS_A_WEEK
from planner.runs import run_coverage
from planner.scenarios.overlay import overlay
from tests.planner import toy_town as toy


def lonlat(x: float, y: float) -> dict[str, float]:
    place = toy.placed(Point(x, y))
    return {"lon": place.x, "lat": place.y}


ADDED = {"code": "NEW-1", "action": "add", "name": "Tent", "functions": "reception", "hours": "Mo-Su 20:00-24:00",
         "build_state": "existing", "area_code": toy.EAST, **lonlat(2100, 0)}  # fmt: skip
MOVED = {"code": "P1", "action": "change", "area_code": toy.EAST, **lonlat(900, 0)}
CHANGED = {"code": "P2", "action": "change", "functions": "guidance", "hours": "Mo-Fr 08:00-18:00", "capacity": 3.0,
           "build_state": "existing"}  # fmt: skip
BUILT = {"code": "P3", "action": "change", "build_state": "existing"}
CLOSED = {"code": "P2", "action": "close"}


def truly_changed(*entries: dict) -> pd.DataFrame:
    """The layer of points with the same changes made by hand."""
    points = toy.service_points().set_index("code")
    for entry in entries:
        code = entry["code"]
        if entry["action"] == "close":
            points = points.drop(code)
            continue
        if entry["action"] == "add":
            points.loc[code] = [None] * len(points.columns)
        for field in ("name", "functions", "hours", "capacity", "build_state"):
            if field in entry:
                points.loc[code, field] = entry[field]
        if "lon" in entry:
            points.loc[code, "geometry"] = Point(entry["lon"], entry["lat"])
    return points.reset_index()


@pytest.mark.parametrize(
    "entries", [[ADDED], [MOVED], [CHANGED], [BUILT], [CLOSED], [ADDED, MOVED, CLOSED, BUILT]], ids=str
)
def test_a_scenario_measures_what_the_changed_layer_measures(new_store, question, entries: list[dict]) -> None:
    town, other = toy.keep(new_store("live"), toy.layers_of_town()), toy.keep(new_store("made"), toy.layers_of_town())
    other.import_layer("service-points", "", truly_changed(*entries), source="by hand", sha256="1")
    for at in (None, HourOfWeek(4, 21 * 60)):
        asked = replace(question, at=at)
        expected = run_coverage(other, asked).tables
        supposed = run_coverage(town, replace(asked, scenario=1, changes=tuple(entries))).tables
        for name in ("areas", "totals", "segments", "gaps", "hours", "clock", "area_hours", "points", "inequality"):
            key = ["code"] if name == "points" else []
            both = [t.sort_values(key, ignore_index=True) if key else t for t in (supposed[name], expected[name])]
            pd.testing.assert_frame_equal(*both, check_dtype=False, rtol=1e-12)


def test_the_live_city_is_measured_as_before_and_its_layers_stay(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    versions = {key: v.content_sha256 for key, v in town.current().items()}
    before = run_coverage(town, question)
    supposed = run_coverage(town, replace(question, scenario=1, changes=(MOVED, CLOSED)))
    assert supposed.id != before.id == run_coverage(town, question).id
    assert {key: v.content_sha256 for key, v in town.current().items()} == versions
    assert "scenario" not in before.parameters
    assert set(supposed.inputs) == {*before.inputs, "scenario/1"}
    assert supposed.parameters["changes"] == [MOVED, CLOSED]


def test_the_same_content_gives_the_same_run_and_another_content_another(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    first = run_coverage(town, replace(question, scenario=1, changes=(MOVED,)))
    assert run_coverage(town, replace(question, scenario=1, changes=(dict(MOVED),))).id == first.id
    assert run_coverage(town, replace(question, scenario=1, changes=(CLOSED,))).id != first.id


def test_a_scenario_that_no_longer_fits_the_points_is_refused(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    for entries in ([{**CLOSED, "code": "gone"}], [{**ADDED, "code": "P1"}]):
        with pytest.raises(QuestionError, match="no longer fits"):
            run_coverage(town, replace(question, scenario=1, changes=tuple(entries)))
    with pytest.raises(QuestionError, match="name no scenario"):
        CoverageQuestion(changes=(CLOSED,))


def test_an_overlay_leaves_the_points_it_is_laid_over_as_they_are() -> None:
    points = pd.DataFrame(toy.service_points().drop(columns="geometry"))
    before = points.copy()
    made = overlay(points, [MOVED, CHANGED, ADDED])
    pd.testing.assert_frame_equal(points, before)
    assert made.points["code"].tolist() == ["P1", "P2", "P3", "NEW-1"]
    assert made.source.tolist() == [0, 1, 2, -1]
    assert np.isnan(made.lon).tolist() == [False, True, True, False]


def test_every_hour_of_every_area_is_what_measuring_at_that_hour_finds(town, question) -> None:
    """Hour by hour, for each of the 168, against the figures of a question that names the hour."""
    run = run_coverage(town, question)
    clock, by_set = run.tables["clock"], run.tables["area_hours"].set_index(["open_set", "level", "code"])
    assert len(clock) == HOURS_A_WEEK
    covered = [c for c in by_set if c.startswith("covered_")]
    # each set once, at the first hour it holds and at the last
    hours = clock.reset_index().groupby("open_set")["index"].agg(["min", "max"]).to_numpy().ravel()
    assert len(hours) >= 4
    for hour in hours:
        at = run_coverage(town, replace(question, at=HourOfWeek(int(hour) // 24, int(hour) % 24 * 60))).tables["areas"]
        at = at[at["level"] != "grid_cell"].set_index(["level", "code"])
        here = by_set.loc[clock["open_set"][hour]]
        assert set(here.index) == set(at.index)
        np.testing.assert_allclose(here.loc[at.index, covered], at[covered], rtol=1e-12, atol=1e-9)
