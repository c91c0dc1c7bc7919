import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from planner.patrol.check import faults, plain_cost
from planner.patrol.problem import Crews, PatrolProblem, Services
from tests.planner.patrol.random_patrols import random_patrol


def line_of_streets(**changed: object) -> PatrolProblem:
    """Four places in a line, a minute apart, three streets between them (two minutes each) and two crews at place 0."""
    begins = np.array([[0, 1], [1, 2], [2, 3]], np.int32)
    away = np.abs(np.arange(4)[:, None] - np.arange(4)) * 60.0
    services = {
        "begins": begins, "ends": begins[:, ::-1].copy(), "both_ways": np.ones((1, 3), bool),
        "service_s": np.full((1, 3), 120.0), "load": np.ones(3), "left_out": np.full(3, 1000.0),
        "opens_s": np.full(3, -np.inf), "closes_s": np.full(3, np.inf),
    }  # fmt: skip
    crews = {
        "mode": np.zeros(2, np.int32), "start": np.zeros(2, np.int32), "end": np.zeros(2, np.int32),
        "from_s": np.zeros(2), "until_s": np.full(2, 3600.0), "longest_s": np.full(2, 3600.0),
        "break_from_s": np.zeros(2), "break_s": np.zeros(2), "capacity": np.full(2, np.inf),
        "kind": np.zeros(2, np.int32), "extra_s": np.zeros((1, 3)),
    }  # fmt: skip
    for name, value in changed.items():
        (services if name in services else crews)[name] = value  # type: ignore[assignment]
    return PatrolProblem(Services(**services), Crews(**crews), away[None].astype(np.float32))


def route(*services: int) -> np.ndarray:
    return np.array(services, np.int32)


def codes(problem: PatrolProblem, *routes: np.ndarray, directions: list[np.ndarray] | None = None) -> list[str]:
    return [fault.code for fault in faults(problem, routes, directions)]


def test_a_good_plan_has_no_fault_and_costs_its_seconds() -> None:
    problem = line_of_streets()
    assert codes(problem, route(0, 1, 2), route()) == []
    assert plain_cost(problem, [route(0, 1, 2), route()]) == 3 * 120 + 180
    assert plain_cost(problem, [route(0), route(2)]) == (120 + 60) + (120 + 120 + 180) + 1000


def test_fairness_and_work_away_from_home_are_in_the_cost() -> None:
    problem = replace(line_of_streets(extra_s=np.array([[0.0, 7.0, 0.0]])), uneven=0.5)
    assert plain_cost(problem, [route(0, 1), route()]) == pytest.approx(360 + 0.5 * 360**2 / 3600 + 7 + 1000)


#: What is changed in a good plan for three streets by one crew, the routes, and the fault.
BROKEN: list[tuple[str, dict[str, object], list[tuple[int, ...]]]] = [
    ("routes", {}, [(0, 1, 2)]),
    ("unknown", {}, [(0, 3), ()]),
    ("twice", {}, [(0, 1), (1, 2)]),
    ("capacity", {"capacity": np.array([2.0, 9.0])}, [(0, 1, 2), ()]),
    ("longest", {"longest_s": np.array([539.0, 539.0])}, [(0, 1, 2), ()]),
    ("shift", {"until_s": np.array([539.0, 539.0])}, [(0, 1, 2), ()]),
    ("shift", {"until_s": np.array([599.0, 599.0]), "break_s": np.full(2, 60.0)}, [(0, 1, 2), ()]),
    ("closed", {"closes_s": np.array([np.inf, np.inf, 359.0])}, [(0, 1, 2), ()]),
    ("shift", {"opens_s": np.array([3500.0, 0.0, 0.0])}, [(0, 1, 2), ()]),
    ("not-theirs", {"extra_s": np.array([[0.0, np.inf, 0.0]])}, [(0, 1, 2), ()]),
    ("not-theirs", {"service_s": np.array([[120.0, np.inf, 120.0]])}, [(0, 1, 2), ()]),
]


@pytest.mark.parametrize(("code", "changed", "routes"), BROKEN)
def test_each_broken_limit_is_named(code: str, changed: dict[str, object], routes: list[tuple[int, ...]]) -> None:
    problem = line_of_streets(**changed)
    found = faults(problem, [route(*r) for r in routes])
    assert [fault.code for fault in found] == [code]
    assert all(fault.zh and fault.en for fault in found)


def test_a_limit_met_exactly_is_kept() -> None:
    exact = {"longest_s": np.full(2, 540.0), "until_s": np.full(2, 540.0), "closes_s": np.array([120.0, 240.0, 360.0])}
    assert codes(line_of_streets(**exact), route(0, 1, 2), route()) == []


def test_no_way_is_named_there_and_back() -> None:
    problem = line_of_streets()
    gone = problem.travel_s.copy()
    gone[0, :3, 3] = np.inf
    # street 2 is still walked from 2 to 3, and nobody needs to travel to 3; the way back is there
    assert codes(replace(problem, travel_s=gone), route(2), route()) == []
    gone[0, 3, :3] = np.inf
    assert codes(replace(problem, travel_s=gone), route(2), route()) == ["no-way"]
    gone[0, :2, 2] = np.inf
    assert codes(replace(problem, travel_s=gone), route(2), route()) == ["no-way"]


def test_given_directions_are_walked_as_they_are() -> None:
    one_way = line_of_streets(both_ways=np.array([[True, False, True]]), until_s=np.full(2, 659.0))
    assert codes(one_way, route(0, 1, 2), route(), directions=[np.array([0, 0, 0]), np.zeros(0, int)]) == []
    assert codes(one_way, route(0, 1, 2), route(), directions=[np.array([0, 1, 0]), np.zeros(0, int)]) == ["direction"]
    # street 2 from its far end: a minute to get there, but a minute less to walk back
    assert codes(one_way, route(0, 1, 2), route(), directions=[np.array([0, 0, 1]), np.zeros(0, int)]) == []
    # street 0 against its direction costs a minute more at both ends
    assert codes(one_way, route(0, 1, 2), route(), directions=[np.array([1, 0, 0]), np.zeros(0, int)]) == ["shift"]


def test_the_break_is_taken_after_the_first_service_that_ends_late_enough() -> None:
    # it falls after street 1 (ends at 240), so that street 2 ends at 360 + 60
    late = line_of_streets(break_from_s=np.full(2, 200.0), break_s=np.full(2, 60.0))
    assert plain_cost(late, [route(0, 1, 2), route()]) == 540 + 60
    closes = np.array([np.inf, 240.0, 419.0])
    assert codes(replace(late, services=replace(late.services, closes_s=closes)), route(0, 1, 2), route()) == ["closed"]
    # nothing ends so late: no break
    never = line_of_streets(break_from_s=np.full(2, 361.0), break_s=np.full(2, 60.0))
    assert plain_cost(never, [route(0, 1, 2), route()]) == 540


@pytest.mark.parametrize("seed", range(20))
def test_directions_left_open_are_the_best_of_all(seed: int) -> None:
    problem = random_patrol(seed, n=5, crews=1, windows=seed % 2 == 1, share=0.9)
    given = np.random.default_rng(seed).permutation(5).astype(np.int32)[:4]
    best = math.inf
    for directions in itertools.product((0, 1), repeat=4):
        walked = [np.array(directions)]
        if not faults(problem, [given], walked):
            services = problem.services
            at_s, place = float(problem.crews.from_s[0]), int(problem.crews.start[0])
            for i, d in zip(given, directions, strict=True):
                at_s += float(problem.travel_s[0, place, services.begins[i, d]])
                at_s = max(at_s, services.opens_s[i]) + services.service_s[0, i]
                place = int(services.ends[i, d])
            best = min(best, at_s + float(problem.travel_s[0, place, problem.crews.end[0]]))
    left = sum(problem.services.left_out[i] for i in range(5) if i not in given)
    expected = best - float(problem.crews.from_s[0]) + left
    assert plain_cost(problem, [given]) == pytest.approx(expected)
    assert (not faults(problem, [given])) == math.isfinite(best)
