"""The Lagrangian bound of the p-median: valid at any prices, and past a value that the best prices exceed."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from planner.siting.near_lists import near_lists
from planner.siting.p_median_lagrange import FIRST_STEP, PATIENCE, Part, ascend

Floats = NDArray[np.float64]


def town(seed: int, n_sites: int, n_demands: int, count: int) -> tuple[Part, Floats]:
    rng = np.random.default_rng(seed)
    sites, demands = rng.random((n_sites, 2)), rng.random((n_demands, 2))
    cost = np.hypot(*(sites[:, None] - demands).transpose(2, 0, 1)) * 1000
    lists = near_lists(cost)
    miss = np.full(n_demands, 2000.0)
    return Part(lists.ptr, lists.site, lists.cost, miss, np.ones(n_sites, bool), count), cost


def raised(part: Part, upper: float, aim: float, rounds: int, price: Floats) -> float:
    bound, _ = ascend(part, price, np.zeros(len(part.free)), upper, aim, FIRST_STEP, PATIENCE, rounds)
    return float(bound)


@pytest.mark.parametrize("seed", range(20))
def test_no_bound_is_above_the_best_choice(seed: int) -> None:
    part, cost = town(seed, 10, 40, 3)
    best = min(float(cost[list(some)].min(axis=0).sum()) for some in combinations(range(10), 3))
    for upper in (0.5 * best, best, 2.0 * best):
        for aim in (upper, 1.5 * upper):
            assert raised(part, upper, aim, 300, np.full(40, 100.0)) <= best + 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_steps_that_aim_beyond_a_value_meet_it_where_prices_do(seed: int) -> None:
    part, _ = town(seed, 100, 400, 10)
    price = np.full(400, 100.0)
    upper = 0.999 * raised(part, 1e6, 1e6, 5000, price.copy())
    raised(part, upper, upper, 50, price)  # near by, from where a node takes over
    assert raised(part, upper, 1.005 * upper, 90, price) >= upper
