"""The search beside proven optima on small patrols, and beside greedy insertion on large ones."""

import numpy as np
import pytest

from planner.patrol.check import faults, plain_cost
from planner.patrol.greedy import greedy
from planner.patrol.problem import PatrolProblem
from planner.patrol.search import search
from planner.watch import FOREVER
from tests.planner.patrol.exact_models import most_covered
from tests.planner.patrol.random_patrols import PER_PRIORITY_S, priority_of, random_patrol


def small(seed: int) -> PatrolProblem:
    """Too few crews for 10 to 14 services: two or three, hours, two stations, walking and riding in turn."""
    return random_patrol(
        seed, n=10 + seed % 5, crews=2 + seed % 2, stations=1 + seed // 2 % 2, modes=1 + seed // 4 % 2,
        windows=seed % 3 == 0, share=0.35 + 0.1 * (seed % 4),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(32))
def test_priority_covered_is_within_2_percent_of_what_is_proven(seed: int) -> None:
    problem = small(seed)
    bound = most_covered(problem) / PER_PRIORITY_S
    plan = search(problem, FOREVER, seed=seed, iterations=60_000)
    assert faults(problem, plan.routes) == []
    assert plan.cost == pytest.approx(plain_cost(problem, plan.routes), rel=1e-6)
    assert 0.98 * bound <= priority_of(problem, plan.routes) <= bound * (1 + 1e-9)


@pytest.mark.parametrize("windows", [False, True])
def test_with_too_few_crews_the_search_covers_5_percent_more_than_greedy(windows: bool) -> None:
    problem = random_patrol(1, n=1000, crews=10, stations=3, windows=windows, share=0.15)
    plan = search(problem, FOREVER, seed=1, iterations=50_000)
    assert faults(problem, plan.routes) == []
    assert priority_of(problem, plan.routes) >= 1.05 * priority_of(problem, greedy(problem).routes)
    assert np.isfinite(plan.cost)
