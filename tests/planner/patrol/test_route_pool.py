import itertools

import numpy as np
import pytest

from planner.patrol.route_pool import Route, combine
from planner.watch import FOREVER, Watch

ALIKE = np.array([0, 0, 1])


def random_routes(seed: int, n: int = 6) -> tuple[list[Route], np.ndarray]:
    """Routes of three crews, two of them alike, and what each service left out costs."""
    rng = np.random.default_rng(seed)
    routes: list[Route] = []
    for _ in range(12):
        services = rng.permutation(n)[: rng.integers(1, 4)].astype(np.int32)
        routes.append((int(rng.integers(2)), float(rng.integers(10, 100)), services))
    return routes, rng.integers(20, 80, n).astype(float)


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_of_routes_is_cheaper(seed: int) -> None:
    routes, worth = random_routes(seed)
    best = worth.sum()
    for count in range(1, 4):
        for chosen in itertools.combinations(routes, count):
            kinds = [kind for kind, _, _ in chosen]
            if kinds.count(0) <= 2 and kinds.count(1) <= 1:
                left = np.ones(len(worth), bool)
                left[np.concatenate([services for _, _, services in chosen])] = False
                best = min(best, sum(cost for _, cost, _ in chosen) + worth[left].sum())
    found = combine(routes, [], ALIKE, worth, worth.sum(), FOREVER)
    if found is None:
        assert best == worth.sum()
        return
    served = np.concatenate(found)
    assert len(np.unique(served)) == len(served)
    left_out = worth.sum() - worth[served].sum()
    used = [
        min(c for k, c, s in routes if k == ALIKE[r] and set(route.tolist()) <= set(s.tolist()))
        for r, route in enumerate(found)
        if len(route)
    ]  # fmt: skip
    assert left_out + sum(used) <= best + 1e-6


def test_nothing_is_returned_that_is_not_cheaper() -> None:
    routes, worth = random_routes(3)
    assert combine(routes, [], ALIKE, worth, 0.0, FOREVER) is None
    assert combine(routes, [], ALIKE, worth, worth.sum(), Watch(cancelled=lambda: True)) is None
