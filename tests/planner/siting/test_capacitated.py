"""Sites with capacities: against brute force on tiny cities, and against published optima."""

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.siting.capacitated import Assigned, least_total_within, maximise_cover_within
from planner.siting.capacitated_assign import ship
from planner.siting.near_lists import near_lists
from planner.watch import Watch

Floats = NDArray[np.float64]
CASES = 200


def choices(m: int, count: int, fixed: NDArray[np.int64]) -> list[tuple[int, ...]]:
    others = [j for j in range(m) if j not in fixed]
    return [tuple(sorted((*fixed, *new))) for new in combinations(others, min(count, len(others)))]


def whole_by_trying(
    cost: Floats, beyond: float, load: Floats, paid: Floats, room: Floats, sites: tuple[int, ...]
) -> float:
    """Return the least cost over every way of sending each demand to one of ``sites``, or leaving it out."""
    best = np.inf
    table = np.column_stack([cost[list(sites)].T, np.full(len(load), beyond)])
    for where in product(range(len(sites) + 1), repeat=len(load)):
        used = np.bincount(where, load, len(sites) + 1)[:-1]
        if np.all(used <= room[list(sites)] + 1e-9):
            best = min(best, sum(paid[i] * table[i, k] for i, k in enumerate(where) if paid[i] or table[i, k] < np.inf))
    return best


def split_by_program(
    cost: Floats, beyond: float, load: Floats, paid: Floats, room: Floats, sites: tuple[int, ...]
) -> float:
    """Return the least cost of splitting demand over ``sites`` by scipy's linear programming; inf if impossible."""
    k, d = len(sites), len(load)
    table = np.vstack([cost[list(sites)], np.full(d, beyond)])
    upper = np.where(np.isfinite(table) | (load + paid == 0), 1.0, 0.0).ravel()
    table = np.where(np.isfinite(table), table, 0.0) * paid
    once = np.tile(np.eye(d), k + 1)
    within = np.zeros((k, (k + 1) * d))
    for a in range(k):
        within[a, a * d : (a + 1) * d] = load
    done = linprog(
        table.ravel(), within, np.minimum(room[list(sites)], load.sum()), once, np.ones(d),
        list(zip(np.zeros_like(upper), upper, strict=True)), method="highs",
    )  # fmt: skip
    return float(done.fun) if done.status == 0 else np.inf


def holds(found: Assigned, load: Floats, room: Floats, *, all_served: bool) -> None:
    """Check that no site serves more than it can and that what is assigned adds up."""
    at = np.bincount(found.site, found.amount, len(room))
    assert np.allclose(at[found.plan.chosen], found.load)
    assert at.sum() == pytest.approx(found.load.sum())
    assert np.all(found.load <= room[found.plan.chosen] * (1 + 1e-9) + 1e-9)
    served = np.bincount(found.demand, found.amount, len(load))
    assert np.all(served <= load + 1e-9)
    if all_served:
        assert np.allclose(served, load)


def tiny(rng: np.random.Generator, d: int) -> tuple[Floats, Floats, Floats, int, NDArray[np.int64], float]:
    m = int(rng.integers(3, 6))
    cost = np.round(rng.uniform(0, 20, (m, d)), int(rng.integers(0, 3)))
    cost[rng.random((m, d)) < 0.15] = np.inf
    load = rng.integers(0, 8, d) * rng.choice([1.0, 0.5])
    room = np.round(rng.uniform(0.2, 1.4, m) * load.sum() / 2) + rng.choice([0.0, 0.25])
    room[rng.random(m) < 0.1] = np.inf
    count = int(rng.integers(0, 4))
    fixed = rng.choice(m, int(rng.integers(0, 3)), replace=False).astype(np.int64)
    return cost, load, room, count, fixed, float(rng.choice([np.inf, 25.0, 12.0]))


@pytest.mark.parametrize("whole", [True, False])
def test_no_plan_of_a_tiny_city_costs_less(whole: bool) -> None:
    rng = np.random.default_rng(7)
    impossible = 0
    for case in range(CASES):
        cost, load, room, count, fixed, beyond = tiny(rng, int(rng.integers(1, 6)))
        paid = np.ones(len(load)) if rng.random() < 0.5 else load
        least = whole_by_trying if whole else split_by_program
        near = np.where(cost < beyond, cost, np.inf)
        best = min(least(near, beyond, load, paid, room, sites) for sites in choices(len(room), count, fixed))
        lists = near_lists(cost, beyond=beyond)
        if best == np.inf:
            impossible += 1
            with pytest.raises(QuestionError):
                least_total_within(lists, load, room, count, fixed=fixed, whole=whole, cost_weight=paid)
            continue
        found = least_total_within(lists, load, room, count, fixed=fixed, whole=whole, cost_weight=paid)
        assert found.plan.value == pytest.approx(best, abs=1e-6), case
        assert found.plan.optimal
        assert found.plan.bound <= best + 1e-6
        assert set(fixed) <= set(found.plan.chosen)
        assert len(found.plan.chosen) == min(len(fixed) + count, len(room))
        holds(found, load, room, all_served=beyond == np.inf)
        if whole:
            assert len(np.unique(found.demand)) == len(found.demand)
    assert 0 < impossible < CASES / 2


def test_no_plan_of_a_tiny_city_serves_more() -> None:
    rng = np.random.default_rng(8)
    for case in range(CASES):
        cost, load, room, count, fixed, _ = tiny(rng, int(rng.integers(1, 9)))
        reach = np.isfinite(cost) & (rng.random(cost.shape) < 0.6)
        unserved = np.where(reach, 0.0, np.inf)
        best = load.sum() - min(
            split_by_program(unserved, 1.0, load, load, room, sites) for sites in choices(len(room), count, fixed)
        )
        found = maximise_cover_within(csr_array(reach.astype(float)), load, room, count, fixed=fixed)
        assert found.plan.value == pytest.approx(best, abs=1e-6), case
        assert found.plan.optimal
        assert found.plan.bound >= best - 1e-6
        assert found.plan.value == pytest.approx(found.load.sum())
        assert all(reach[j, i] for j, i in zip(found.site, found.demand, strict=True))
        assert len(found.plan.chosen) == min(len(fixed) + count, len(room))
        holds(found, load, room, all_served=False)


def published(path: Path) -> tuple[float, int, Floats, Floats, float]:
    """Return best known value, medians, truncated distances, demands and capacity of an OR-Library file."""
    _, best, n, p, room, *rest = (float(word) for word in path.read_text().split())
    row = np.array(rest[: 4 * int(n)]).reshape(int(n), 4)
    apart = np.hypot(*(row[:, 1:3, None] - row[:, 1:3].T[None]).transpose(1, 0, 2))
    return best, int(p), np.floor(apart), row[:, 3], room


@pytest.mark.realdata
@pytest.mark.parametrize("number", range(1, 11))
def test_published_optima_are_proven(instances: Path, number: int) -> None:
    best, p, cost, load, room = published(instances / "siting" / "pmedcap" / f"pmedcap1_{number}.txt")
    ones = np.ones(len(load))
    found = least_total_within(near_lists(cost), load, room * ones, p, cost_weight=ones)
    assert (found.plan.value, found.plan.bound) == (best, best)
    holds(found, load, room * ones, all_served=True)


def city(n: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 100, (n, 2))
    return np.hypot(*(at[:, None] - at).transpose(2, 0, 1)), rng.integers(1, 20, n).astype(float)


def test_a_cancelled_search_keeps_its_plan_and_a_valid_bound() -> None:
    cost, load = city(40, 3)
    room = np.full(40, load.sum() / 5)
    best = least_total_within(near_lists(cost), load, room, 6).plan
    assert best.optimal
    for looks in (0, 3, 10, 40):
        left = iter([False] * looks)
        watch = Watch(cancelled=lambda left=left: next(left, True))
        plan = least_total_within(near_lists(cost), load, room, 6, watch=watch).plan
        assert plan.bound <= best.value + 1e-6
        assert plan.value >= best.value - 1e-6


def test_a_search_out_of_time_without_a_plan_says_so() -> None:
    load = np.array([6.0, 5, 5, 4, 4, 3, 3])  # 15 and 15 only as 6+5+4 and 5+4+3+3
    cost = np.ones((4, 7))
    cost[:, ::2] = 9.0
    room = np.full(4, 15.0)
    found = least_total_within(near_lists(cost), load, room, 2)
    assert found.load.tolist() == [15.0, 15.0]
    with pytest.raises(QuestionError, match="no 2 new sites can serve all demand"):
        least_total_within(near_lists(cost), np.array([6.0, 6, 6, 6, 2, 2, 2]), room, 2)


def test_the_same_seed_gives_the_same_sites() -> None:
    cost, load = city(40, 5)
    room = np.full(40, load.sum() / 6)
    first, second = (least_total_within(near_lists(cost), load, room, 7, seed=4) for _ in range(2))
    assert first.plan.chosen.tolist() == second.plan.chosen.tolist()
    assert first.site.tolist() == second.site.tolist()


def test_news_of_covering_counts_what_is_served() -> None:
    cost, load = city(40, 6)
    news = []
    found = maximise_cover_within(
        csr_array((cost < 20).astype(float)), load, np.full(40, 60.0), 4, watch=Watch(hear=news.append)
    )
    assert all(told.bound >= found.plan.value - 1e-6 for told in news if not np.isnan(told.bound))
    assert all(told.value <= found.plan.value + 1e-6 for told in news if np.isfinite(told.value))


@pytest.mark.parametrize(
    ("cost", "load", "room", "said"),
    [
        ([[1.0, np.inf]], [1.0, 1.0], [5.0], "1 demands are within reach of no site"),
        ([[1.0, 2.0]], [1.0, 7.0], [5.0], "the largest is 7, the capacity 5"),
        ([[1.0, 2.0, 3.0]], [4.0, 4.0, 4.0], [5.0], "demand is 12, the best 1 new sites hold 5 in all"),
        ([[1.0, 2.0]], [1.0, -1.0], [5.0], "finite and >= 0"),
        ([[1.0, 2.0]], [1.0, 1.0], [np.nan], "at least 0"),
        ([[1.0, 2.0]], [1.0], [5.0], "expected 2 weights and 1 capacities"),
    ],
)
def test_what_is_short_is_named(cost: list[list[float]], load: list[float], room: list[float], said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        least_total_within(near_lists(np.array(cost)), np.array(load), np.array(room), 1)


@pytest.mark.parametrize("seed", range(8))
def test_split_demand_is_shipped_to_full_sites_at_the_least_cost(seed: int) -> None:
    """Beside a linear program: sites too small for all, some out of reach of some, the last column left out."""
    rng = np.random.default_rng(seed)
    d, k = 150, 9
    table = rng.random((d, k + 1)) * 100
    table[rng.random((d, k + 1)) < 0.3] = np.inf
    table[:, -1] = 150.0
    need, room = rng.random(d) * 10, rng.random(k) * 120
    room[0] = 0.0
    amount = np.zeros((d, k + 1))
    cost = ship(table, need, room, amount)

    i, j = np.nonzero(np.isfinite(table))
    n = np.arange(len(i))
    lp = linprog(
        table[i, j], A_eq=csr_array((np.ones(len(i)), (i, n))), b_eq=need,
        A_ub=csr_array((np.ones(len(i)), (j, n)), shape=(k + 1, len(i)))[:k], b_ub=room,
    )  # fmt: skip
    assert cost == pytest.approx(lp.fun, rel=1e-9)
    assert np.allclose(amount.sum(axis=1), need) and (amount.sum(axis=0)[:k] <= room * (1 + 1e-9)).all()
    assert (amount >= 0).all() and not amount[~np.isfinite(table)].any()
