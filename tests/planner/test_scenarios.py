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
from planner.runs import kept_coverage, run_coverage, run_siting
from planner.scenarios.overlay import overlay
from planner.scenarios.runs import WhatIf, gains_and_losses
from planner.siting.question import SitingQuestion
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


def test_what_if_says_at_once_what_the_run_says_later(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    what_if = WhatIf(town)
    for asked in (
        question,
        replace(question, function="guidance", at=HourOfWeek(1, 600)),
        replace(question, scenario=1, changes=(ADDED, CLOSED, MOVED)),
        replace(question, mode="drive", scenario=1, changes=(BUILT,)),
    ):
        tables = run_coverage(town, asked).tables
        areas = tables["areas"].set_index("code")
        for code in (toy.DISTRICT, toy.WEST, toy.EAST_COMMUNITY):
            found, row = what_if.reached(asked, code), areas.loc[code]
            assert (found.people, found.street_m) == pytest.approx((row["people"], row["street_m"]))
            for i, t in enumerate(asked.thresholds_s):
                assert found.covered_people[i] == pytest.approx(row[f"covered_people_{t}"])
                assert found.covered_street_m[i] == pytest.approx(row[f"covered_street_m_{t}"])
        city, totals = what_if.reached(asked, toy.CITY), tables["totals"].iloc[0]
        assert (city.people, city.street_m) == pytest.approx((totals["people"], totals["street_m"]))
    assert what_if.reached(question, "320103000000").street_m == 0
    assert len(town.runs("coverage")) == 4


def test_the_gaps_of_an_hour_are_those_a_run_at_that_hour_lists(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    what_if, lengths = WhatIf(town), set()
    for at in (None, HourOfWeek(1, 600), HourOfWeek(6, 120)):
        asked = replace(question, at=at, scenario=1, changes=(CLOSED, MOVED))
        expected = run_coverage(town, asked).tables["gaps"]
        for code in (toy.DISTRICT, toy.WEST, toy.EAST_COMMUNITY):
            found = what_if.gaps(asked, code)
            pd.testing.assert_frame_equal(found, expected[expected["code"] == code], check_dtype=False)
            lengths.add(round(found["gap_m"].sum()))
    assert len(lengths) > 3, "the hour tells"


def test_gains_and_losses_name_areas_and_streets(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    before = run_coverage(town, question)
    after = run_coverage(town, replace(question, scenario=1, changes=(CLOSED, BUILT)))  # P2 closed, P3 built
    tables = gains_and_losses(before, after)
    areas = tables["areas"].set_index("code")
    assert areas.loc[toy.EAST, "change_covered_people_300"] == pytest.approx(30, abs=0.01)
    assert areas.loc[toy.NORTH, "change_covered_people_300"] < -100
    streets = tables["segments"].set_index("segment_id")["change_covered_street_m_300"]
    assert streets[2] == pytest.approx(300, abs=0.01) and streets[3] < 0
    assert 4 not in streets.index
    back = gains_and_losses(after, before)["segments"].set_index("segment_id")["change_covered_street_m_300"]
    pd.testing.assert_series_equal(streets, -back)


def test_the_kept_answer_is_found_and_told_old_once_records_change(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    assert kept_coverage(town, question) == (None, False)
    made = run_coverage(town, question)
    run_coverage(town, replace(question, scenario=1, changes=(CLOSED,)))
    run, fresh = kept_coverage(town, question)
    assert run is not None and (run.id, fresh) == (made.id, True)
    town.import_layer("service-points", "", truly_changed(CLOSED), source="by hand", sha256="1")
    run, fresh = kept_coverage(town, question)
    assert run is not None and (run.id, fresh) == (made.id, False)


def test_siting_does_not_start_from_a_scenario(new_store, question) -> None:
    town = toy.keep(new_store("live"), toy.layers_of_town())
    coverage = replace(question, thresholds_s=(600,), scenario=1, changes=(CLOSED,))
    with pytest.raises(QuestionError, match="not a scenario"):
        run_siting(town, SitingQuestion("mclp", coverage, count=1))
