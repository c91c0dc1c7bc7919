"""The p-median against all choices on small instances, and against published optima."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.siting_files import read_cases
from gis.errors import QuestionError
from planner.siting.near_lists import NearLists, near_lists
from planner.siting.p_median import least_total
from planner.watch import News, Watch

Floats = NDArray[np.float64]


def random_case(seed: int) -> tuple[Floats, Floats, float, int, NDArray[np.int64]]:
    """Return (cost, weight, beyond, count, fixed): with gaps only where demand may be left beyond, ties often."""
    rng = np.random.default_rng(seed)
    m, d = int(rng.integers(2, 9)), int(rng.integers(1, 15))
    cost = rng.integers(0, 12, (m, d)).astype(float) if seed % 2 else rng.random((m, d)) * 100
    beyond = np.inf if seed % 3 else float(cost.max() * 0.8 + 0.1)
    if np.isfinite(beyond):
        cost[rng.random((m, d)) < 0.4] = np.inf
    weight = rng.integers(0, 5, d).astype(float)
    fixed = rng.choice(m, int(rng.integers(0, 2)), replace=False) if seed % 5 == 0 else np.empty(0, np.int64)
    return cost, weight, beyond, int(rng.integers(1, m + 1)), fixed


def by_all_choices(cost: Floats, weight: Floats, beyond: float, count: int, fixed: NDArray[np.int64]) -> float:
    left = [j for j in range(len(cost)) if j not in fixed]
    return min(
        float(np.sum(weight * np.minimum(cost[[*fixed, *some]].min(axis=0), beyond)))
        for some in combinations(left, min(count, len(left)))
    )


@pytest.mark.parametrize("seed", range(200))
def test_no_choice_is_better(seed: int) -> None:
    cost, weight, beyond, count, fixed = random_case(seed)
    plan = least_total(near_lists(cost, beyond=beyond), weight, count, fixed=fixed)
    best = by_all_choices(cost, weight, beyond, count, fixed)
    assert plan.value == pytest.approx(best, rel=1e-6)
    assert plan.bound <= best + 1e-9
    assert plan.optimal
    assert set(fixed) <= set(plan.chosen)
    assert len(plan.chosen) == min(count, len(cost) - len(fixed)) + len(fixed)
    assert plan.value == pytest.approx(np.sum(weight * np.minimum(cost[plan.chosen].min(axis=0), beyond)))


def town(seed: int, n_sites: int = 60, n_demands: int = 200) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    sites, demands = rng.random((n_sites, 2)), rng.random((n_demands, 2))
    cost = np.hypot(*(sites[:, None] - demands).transpose(2, 0, 1)) * 1000
    return cost, rng.integers(1, 20, n_demands).astype(float)


def test_shuffled_demand_and_demand_listed_twice_change_nothing() -> None:
    cost, weight = town(1)
    plan = least_total(near_lists(cost), weight, 7)
    order = np.random.default_rng(2).permutation(len(weight))
    shuffled = least_total(near_lists(cost[:, order]), weight[order], 7)
    assert shuffled.value == pytest.approx(plan.value, rel=1e-6)
    twice = least_total(near_lists(np.hstack([cost, cost])), np.concatenate([weight, weight]) / 2, 7)
    assert twice.value == pytest.approx(plan.value, rel=1e-6)
    assert plan.optimal and shuffled.optimal and twice.optimal


def test_copies_of_sites_do_not_lower_the_total_of_as_many_places() -> None:
    cost, weight = town(3)
    plan = least_total(near_lists(cost), weight, 5)
    copied = least_total(near_lists(np.vstack([cost, cost])), weight, 5)
    assert copied.value == pytest.approx(plan.value, rel=1e-6)
    assert copied.optimal


def test_the_same_seed_gives_the_same_sites() -> None:
    cost, weight = town(4)
    lists = near_lists(cost, beyond=300.0)
    first, second = (least_total(lists, weight, 6, seed=9) for _ in range(2))
    assert np.array_equal(first.chosen, second.chosen)
    assert (first.value, first.bound) == (second.value, second.bound)


def test_one_more_site_never_costs_more() -> None:
    cost, weight = town(5)
    values = [least_total(near_lists(cost), weight, p).value for p in range(1, 9)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("looks", [0, 1, 3, 10, 100])
def test_a_search_cut_short_leaves_a_plan_and_a_valid_bound(looks: int) -> None:
    cost, weight = town(6, 100, 400)
    lists = near_lists(cost)
    best = least_total(lists, weight, 12)
    asked = iter(range(10**9))
    plan = least_total(lists, weight, 12, watch=Watch(cancelled=lambda: next(asked) >= looks))
    assert len(plan.chosen) == 12
    assert plan.value >= best.value * (1 - 1e-9)
    assert plan.bound <= best.value * (1 + 1e-9)


def test_told_bounds_rise_and_told_values_fall() -> None:
    cost, weight = town(7)
    news: list[News] = []
    plan = least_total(near_lists(cost), weight, 9, watch=Watch(hear=news.append))
    assert [n.bound for n in news] == sorted(n.bound for n in news)
    assert [n.value for n in news] == sorted((n.value for n in news), reverse=True)
    assert news[-1].bound <= plan.value * (1 + 1e-9)


def test_demand_that_reaches_no_site_is_counted_and_refused() -> None:
    cost = np.array([[1.0, np.inf, np.inf], [2.0, np.inf, np.inf]])
    with pytest.raises(QuestionError, match="2 demands"):
        least_total(near_lists(cost), np.ones(3), 1)
    assert least_total(near_lists(cost), np.array([1.0, 0.0, 0.0]), 1).value == 1.0
    assert least_total(near_lists(cost, beyond=50.0), np.ones(3), 1).value == 101.0


def test_too_few_sites_to_reach_all_are_refused() -> None:
    cost = np.where(np.eye(3, dtype=bool), 1.0, np.inf)
    with pytest.raises(QuestionError, match="no choice of 2"):
        least_total(near_lists(cost), np.ones(3), 2)
    assert least_total(near_lists(cost), np.ones(3), 3).value == 3.0


@pytest.mark.parametrize(("weight", "count"), [([1.0, -1.0], 1), ([1.0], 1), ([1.0, np.nan], 1), ([1.0, 1.0], 0)])
def test_an_impossible_question_is_refused(weight: list[float], count: int) -> None:
    with pytest.raises(QuestionError):
        least_total(near_lists(np.ones((3, 2))), np.array(weight), count)


@pytest.mark.realdata
@pytest.mark.parametrize("number", [1, 4, 10, 15, 25, 32, 37, 40])
def test_published_optima_of_the_or_library_are_met_and_proven(instances: Path, number: int) -> None:
    (case,) = read_cases(instances / "siting" / "orlib_pmed" / f"pmed{number}.txt", "pmedian", [], np.nan)
    plan = least_total(near_lists(case.cost), case.weight, case.count)
    assert plan.value == plan.bound == case.best_known


@pytest.mark.realdata
def test_the_published_optimum_of_san_francisco_is_met_and_proven(realdata: Path) -> None:
    (case,) = read_cases(realdata / "sf_spopt_benchmark", "pmedian", [], np.nan)
    lists: NearLists = near_lists(case.cost)
    plan = least_total(lists, case.weight, case.count)
    assert plan.value == pytest.approx(2_848_268_129.715, abs=0.01)
    assert plan.optimal
