"""The p-center against all choices on small instances, and against published optima."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.siting_files import read_cases
from gis.errors import QuestionError
from planner.siting.near_lists import near_lists
from planner.siting.p_center import least_longest
from planner.watch import Watch

Floats = NDArray[np.float64]


def random_case(seed: int) -> tuple[Floats, float, int, NDArray[np.int64]]:
    """Return (cost, beyond, count, fixed): with gaps only where demand may be left beyond, ties often."""
    rng = np.random.default_rng(seed)
    m, d = int(rng.integers(2, 9)), int(rng.integers(1, 15))
    cost = rng.integers(0, 12, (m, d)).astype(float) if seed % 2 else rng.random((m, d)) * 100
    beyond = np.inf if seed % 3 else float(cost.max() * 0.8 + 0.1)
    if np.isfinite(beyond):
        cost[rng.random((m, d)) < 0.3] = np.inf
    fixed = rng.choice(m, int(rng.integers(0, 2)), replace=False) if seed % 5 == 0 else np.empty(0, np.int64)
    return cost, beyond, int(rng.integers(1, m + 1)), fixed


@pytest.mark.parametrize("seed", range(200))
def test_no_choice_is_better(seed: int) -> None:
    cost, beyond, count, fixed = random_case(seed)
    plan = least_longest(near_lists(cost, beyond=beyond), count, fixed=fixed)
    left = [j for j in range(len(cost)) if j not in fixed]
    best = min(
        float(np.minimum(cost[[*fixed, *some]].min(axis=0), beyond).max())
        for some in combinations(left, min(count, len(left)))
    )
    assert plan.value == plan.bound == best
    assert set(fixed) <= set(plan.chosen)
    assert len(plan.chosen) == min(count, len(left)) + len(fixed)
    assert plan.value == np.minimum(cost[plan.chosen].min(axis=0), beyond).max()


def town(seed: int, n_sites: int = 80, n_demands: int = 150) -> Floats:
    rng = np.random.default_rng(seed)
    sites, demands = rng.random((n_sites, 2)), rng.random((n_demands, 2))
    return np.hypot(*(sites[:, None] - demands).transpose(2, 0, 1)) * 1000


def test_shuffled_and_repeated_demand_changes_nothing() -> None:
    cost = town(1)
    plan = least_longest(near_lists(cost), 6)
    order = np.random.default_rng(2).integers(0, cost.shape[1], 4 * cost.shape[1])
    order = np.concatenate([order, np.arange(cost.shape[1])])
    assert least_longest(near_lists(cost[:, order]), 6).value == plan.value


def test_the_same_seed_gives_the_same_sites() -> None:
    lists = near_lists(town(3))
    first, second = (least_longest(lists, 6, seed=4) for _ in range(2))
    assert np.array_equal(first.chosen, second.chosen)


@pytest.mark.parametrize("looks", [0, 1, 2, 5, 20])
def test_a_search_cut_short_leaves_a_plan_and_a_valid_bound(looks: int) -> None:
    lists = near_lists(town(5))
    best = least_longest(lists, 8)
    asked = iter(range(10**9))
    plan = least_longest(lists, 8, watch=Watch(cancelled=lambda: next(asked) >= looks))
    assert len(plan.chosen) == 8
    assert plan.bound <= best.value <= plan.value
    assert best.optimal


def test_demand_that_reaches_no_site_is_counted_and_refused() -> None:
    cost = np.array([[1.0, np.inf], [2.0, np.inf]])
    with pytest.raises(QuestionError, match="1 demands"):
        least_longest(near_lists(cost), 1)
    assert least_longest(near_lists(cost, beyond=9.0), 1).value == 9.0


def test_too_few_sites_to_reach_all_are_refused() -> None:
    cost = np.where(np.eye(3, dtype=bool), 1.0, np.inf)
    with pytest.raises(QuestionError, match="no choice of 2"):
        least_longest(near_lists(cost), 2)
    assert least_longest(near_lists(cost), 3).value == 1.0


@pytest.mark.realdata
@pytest.mark.parametrize("number", [1, 2, 5, 10, 20, 25, 37])
def test_published_optima_of_the_or_library_are_met_and_proven(instances: Path, number: int) -> None:
    (case,) = read_cases(instances / "siting" / "orlib_pmed" / f"pmed{number}.txt", "pcenter", [], np.nan)
    plan = least_longest(near_lists(case.cost), case.count)
    assert plan.value == plan.bound == case.best_known


@pytest.mark.realdata
def test_the_published_optimum_of_san_francisco_is_met_and_proven(realdata: Path) -> None:
    (case,) = read_cases(realdata / "sf_spopt_benchmark", "pcenter", [], np.nan)
    plan = least_longest(near_lists(case.cost), case.count)
    assert plan.value == pytest.approx(7_403.0638, abs=1e-4)
    assert plan.optimal
