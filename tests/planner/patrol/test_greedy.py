from dataclasses import replace

import numpy as np
import pytest

from planner.patrol.check import faults, plain_cost
from planner.patrol.greedy import greedy
from planner.patrol.problem import PatrolProblem
from tests.planner.patrol.exact_models import most_covered
from tests.planner.patrol.random_patrols import random_patrol


def varied(seed: int, n: int) -> PatrolProblem:
    """A patrol with everything in it: hours, breaks, two stations and modes, capacity, kinds of crews, fairness."""
    rng = np.random.default_rng(seed)
    problem = random_patrol(seed, n=n, crews=3, stations=2, modes=2, windows=True, share=0.8)
    extra_s = np.where(rng.random((2, n)) < 0.2, np.inf, rng.uniform(0, 60, (2, n)).round())
    crews = replace(
        problem.crews, break_s=np.array([0.0, 120.0, 120.0]), break_from_s=problem.crews.from_s + 300.0,
        capacity=np.array([np.inf, 3.0, np.inf]), kind=np.array([0, 1, 1], np.int32), extra_s=extra_s,
    )  # fmt: skip
    return replace(problem, crews=crews, uneven=0.3)


def slowly(problem: PatrolProblem) -> list[list[int]]:
    """Greedy insertion by trying everything, each trial judged and priced as a whole plan."""
    n, r = len(problem.services), len(problem.crews)
    routes: list[list[int]] = [[] for _ in range(r)]
    while True:
        best, chosen = 0.0, routes
        now = plain_cost(problem, [np.array(route, np.int32) for route in routes])
        for k in range(r):
            for i in set(range(n)) - {i for route in routes for i in route}:
                for j in range(len(routes[k]) + 1):
                    tried = [[*route[:j], i, *route[j:]] if q == k else route for q, route in enumerate(routes)]
                    plan = [np.array(route, np.int32) for route in tried]
                    if faults(problem, plan):
                        continue
                    added = plain_cost(problem, plan) - now + problem.services.left_out[i]
                    ratio = problem.services.left_out[i] / max(added, 1e-9)
                    if ratio > max(best, 1.0) * (1 + 1e-12):
                        best, chosen = ratio, tried
        if not best:
            return routes
        routes = chosen


@pytest.mark.parametrize("seed", range(8))
def test_greedy_inserts_what_trying_everything_inserts(seed: int) -> None:
    problem = varied(seed, 9)
    assert [route.tolist() for route in greedy(problem).routes] == slowly(problem)


@pytest.mark.parametrize("seed", range(4))
def test_greedy_keeps_every_limit(seed: int) -> None:
    problem = varied(seed, 120)
    plan = greedy(problem)
    assert faults(problem, plan.routes) == []
    assert plan.cost == plain_cost(problem, plan.routes)
    assert sum(len(route) for route in plan.routes) > 30


@pytest.mark.parametrize("seed", range(10))
def test_greedy_covers_no_more_than_is_proven_possible(seed: int) -> None:
    problem = random_patrol(seed, n=12, crews=2, stations=2, windows=seed % 2 == 1)
    served = np.concatenate(greedy(problem).routes)
    assert problem.services.left_out[served].sum() <= most_covered(problem) * (1 + 1e-9)


def test_what_must_be_done_comes_first() -> None:
    problem = random_patrol(3, n=40, crews=2, share=0.4)
    must = np.argsort(problem.services.left_out, kind="stable")[:6]
    left_out = problem.services.left_out.copy()
    left_out[must] = np.inf
    plan = greedy(replace(problem, services=replace(problem.services, left_out=left_out)))
    assert set(must.tolist()) <= set(np.concatenate(plan.routes).tolist())
    assert np.isfinite(plan.cost)


def test_without_crews_or_services_nothing_is_planned() -> None:
    problem = random_patrol(1, n=9, crews=1)
    nobody = replace(problem.crews, longest_s=np.zeros(1))
    plan = greedy(replace(problem, crews=nobody))
    assert [route.tolist() for route in plan.routes] == [[]]
    assert plan.cost == problem.services.left_out.sum()
