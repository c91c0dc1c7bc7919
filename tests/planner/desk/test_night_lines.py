"""Where crews are by plan, a week by street, and who belongs to an area: against the plan's own tables and by hand."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from layers.run import Run
from layers.scope import Scope
from layers.store import Store
from planner.desk.board import Board
from planner.nearby import nearby_of
from planner.nearest_help import able, nearest_crews, nearest_points
from planner.night_lines import crew_walk, middle_of, segment_of, whereabouts
from planner.patrol.question import PatrolQuestion
from planner.patrol.records import crews_on
from planner.patrol_week import WalkedNight, street_weeks, week_calendar
from planner.roster_duty import left_in
from tests.planner import toy_town
from tests.planner.desk.grid_town import MONDAY, board_of_town, grid_town

Town = tuple[Store, Run, Board]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    store, run = grid_town(str(tmp_path_factory.mktemp("grid") / "grid.sqlite"))
    yield store, run, board_of_town(store, run)
    store.close()


def seconds(text: str) -> float:
    return (dt.datetime.fromisoformat(text) - dt.datetime.combine(MONDAY, dt.time())).total_seconds()


def test_a_crew_is_where_the_plan_has_it_at_every_step(town: Town) -> None:
    _store, run, board = town
    looked_at = 0
    for crew, steps in run.tables["steps"].groupby("crew"):
        line = board.lines[str(crew)]
        for step in steps[steps["kind"].isin(["patrol", "check", "wait"])].itertuples():
            begins, ends = seconds(step.begins), seconds(step.ends)
            if ends - begins < 2:
                continue
            here = whereabouts(board.ground, line, (begins + ends) / 2)
            assert here.doing == "at" and here.stop is not None
            if step.kind != "wait":
                assert here.stop[0] == step.duty
            assert (here.lon, here.lat) == middle_of(board.ground, segment_of(board.ground, here.stop))
            looked_at += 1
        assert whereabouts(board.ground, line, seconds(steps["ends"].iloc[-1]) + 60).doing == "back"
        assert whereabouts(board.ground, line, seconds(steps["begins"].iloc[0]) - 60).doing == "before"
    assert looked_at > 50


def test_the_metres_of_a_route_are_those_of_the_plan(town: Town) -> None:
    _store, run, board = town
    for crew in run.tables["crews"].itertuples():
        walk = crew_walk(board.ground, crew.crew, board.lines[crew.crew].route)
        assert walk.walked_m == pytest.approx(crew.walked_m)


def test_a_week_counts_each_street_as_often_as_it_was_due_walked_planned_and_missed(town: Town) -> None:
    _store, _run, board = town
    calendar = week_calendar(board.ground, ())
    duties, today = calendar.duties, MONDAY + dt.timedelta(days=6)
    rng = np.random.default_rng(5)
    ids = duties.id.astype(str)
    nights = [
        WalkedNight(
            MONDAY + dt.timedelta(days=d), frozenset(rng.choice(ids, 60)), frozenset(rng.choice(ids, 40)), d < 6
        )
        for d in range(-1, 9)
    ]
    found = street_weeks(calendar, Scope.of(toy_town.CITY), nights, today)
    inside = [i for i, cell in enumerate(calendar.cell) if cell]
    assert sum(one.segments for one in found) == len(inside)
    for one in found:
        members = [i for i in inside if str(duties.name[i]) == one.name]
        due = walked = planned = 0
        for i in members:
            passes = sum(ids[i] in night.done for night in nights if night.date >= MONDAY)
            coming = sum(ids[i] in night.planned and ids[i] not in night.done for night in nights if not night.over)
            times = int(duties.times_a_week[i])
            due, walked = due + times, walked + min(times, passes)
            planned += min(max(times - passes, 0), coming)
        assert (one.due, one.walked, one.planned, one.missed) == (due, walked, planned, due - walked - planned)
    assert [one.missed for one in found] == sorted((one.missed for one in found), reverse=True)
    assert street_weeks(calendar, Scope.of("999900000000"), nights, today) == []


def test_those_of_an_area_walk_it_and_where_it_has_nobody_whoever_there_is(town: Town) -> None:
    _store, _run, board = town
    records = board.ground.records
    roster = records.roster.copy()
    roster["area_code"] = np.where(roster["person"] == "W2", toy_town.NORTH, toy_town.SOUTH)
    mixed = replace(records, roster=roster)

    def named(*within: str) -> list[str]:
        crews, _ = crews_on(mixed, MONDAY, PatrolQuestion(MONDAY, hours=(72_000, 84_600), within=within))
        return sorted(str(one) for one in crews.persons)

    everybody = [f"W{i}" for i in range(1, 7)]
    assert named() == everybody and named(toy_town.DISTRICT) == everybody
    assert named(toy_town.NORTH) == ["W2"] and named(toy_town.SOUTH, toy_town.NORTH) == everybody
    assert named(toy_town.EAST) == everybody, "nobody of that area is on duty"


def test_the_nearest_crew_is_the_one_with_the_shortest_walk(town: Town) -> None:
    network = town[2].ground.records.city.network
    rng = np.random.default_rng(3)
    middles = [middle_of(town[2].ground, int(s)) for s in rng.choice(network.n_segments, 14, replace=False)]
    crews, places = middles[:6], middles[6:]
    found = nearest_crews(network, crews, places, 3)
    for place, near in zip(places, found, strict=True):
        alone = [nearby_of(network, [lon], [lat]).nearest(*place, None, 1) for lon, lat in crews]
        walks = sorted(one[0].seconds for one in alone if one)
        assert [one.seconds for one in near] == pytest.approx(walks[:3])
    assert nearest_crews(network, [], places, 3) == [[] for _ in places]
    lon, lat = np.array(crews).T
    functions = [
        ["temporary_service"],
        ["reception"],
        ["guidance"],
        ["temporary_service", "reception"],
        [],
        ["reporting"],
    ]
    open_ = np.array([False, True, True, True, True, True])
    helped = nearest_points(nearby_of(network, lon, lat), functions, open_, places, [("food_clothes",)] * len(places))
    assert {one.point for one in helped if one} <= {3}, "open, and with a function that answers the need"


def test_a_point_answers_all_needs_where_any_does_else_some() -> None:
    functions = [["temporary_service"], ["reception"], ["temporary_service", "reception"]]
    assert able(functions, ("food_clothes", "other")).tolist() == [False, False, True]
    assert able(functions[:2], ("food_clothes", "other")).tolist() == [True, True]
    assert able([], ("other",)).tolist() == [] and able([["reporting"]], ("other",)).tolist() == [False]


def test_who_is_on_duty_and_in_no_crew_is_named() -> None:
    person = MappingProxyType({
        "role": "grid_worker", "from_date": dt.date(2024, 1, 1), "until_date": None, "shift": "20:00-24:00",
        "days_off": "",
    })  # fmt: skip
    roster = pd.DataFrame([
        {**person, "person": "out"}, {**person, "person": "idle"}, {**person, "person": "off", "days_off": "Mon"},
        {**person, "person": "day", "shift": "08:30-17:30"},
        {**person, "person": "gone", "until_date": dt.date(2024, 2, 1)},
        {**person, "person": "usual", "shift": ""}, {**person, "person": "chief", "role": "supervisor"},
    ])  # fmt: skip
    assert left_in(roster, MONDAY, (72_000, 86_400), {"out"}) == ["idle", "usual"]
