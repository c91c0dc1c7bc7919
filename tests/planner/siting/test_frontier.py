import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting import frontier
from planner.siting.cover_sets import merge_cover_sets
from planner.siting.frontier import coverage_frontier, equity_frontier
from planner.siting.max_cover import maximise_cover
from planner.watch import Watch
from tests.planner.siting.tiny_sets import drawn, every_choice, some_fixed


def test_cover_against_cost_equals_trying_every_choice():
    rng = np.random.default_rng(9)
    for turn in range(200):
        covers, weight, sets = drawn(rng)
        m, fixed = len(covers), some_fixed(rng, len(covers))
        cost = rng.integers(1, 4, m).astype(float) if turn % 2 else rng.random(m) + 0.1
        most = float(rng.integers(0, 9)) if turn % 3 else np.inf
        points = coverage_frontier(sets, cost, most=most, fixed=fixed, watch=Watch(), seed=1)

        best: dict[float, float] = {}
        for some in every_choice(m, fixed, m):
            paid = round(cost[np.setdiff1d(some, fixed)].sum(), 9)
            if paid <= most:
                best[paid] = max(best.get(paid, 0.0), weight[covers[some].any(axis=0)].sum())
        frontier, top = [], -1.0
        for paid in sorted(best):
            if best[paid] > top and (paid > 0 or len(fixed)):
                frontier.append((paid, best[paid]))
            top = max(top, best[paid])
        assert [(round(point.cost, 9), point.value) for point in points] == frontier
        assert all(point.optimal for point in points)


def test_cover_against_the_worst_area_equals_trying_every_choice():
    rng = np.random.default_rng(10)
    for _ in range(200):
        covers, _, sets = drawn(rng)
        fixed, count = some_fixed(rng, len(covers)), int(rng.integers(0, 4))
        parts = rng.integers(0, 3, (int(rng.integers(1, 4)), sets.n_rows)) / 30.0
        points = equity_frontier(sets, parts, count, fixed=fixed, watch=Watch(), seed=1)
        every = {
            (round((parts @ sets.covered(some)).min(), 7), sets.weight[sets.covered(some)].sum())
            for some in every_choice(len(covers), fixed, count)
        }
        frontier = sorted(
            (p for p in every if not any(o != p and o[0] >= p[0] and o[1] >= p[1] for o in every)), key=lambda p: p[1]
        )
        assert [(round(point.worst_share, 7), point.value) for point in points] == frontier
        assert all(point.optimal for point in points)


def test_with_unit_costs_each_point_is_the_best_cover_of_its_count():
    rng = np.random.default_rng(11)
    covers = rng.random((30, 120)) < 0.08
    ptr = np.concatenate([[0], np.cumsum(covers.sum(axis=1))]).astype(np.int64)
    sets = merge_cover_sets(ptr, np.nonzero(covers)[1].astype(np.int32), rng.integers(1, 9, 120).astype(float))
    none = np.zeros(0, np.int64)
    points = coverage_frontier(sets, np.ones(30), fixed=none, watch=Watch(), seed=1)
    assert [point.cost for point in points] == list(range(1, len(points) + 1))
    assert points[-1].value == sets.weight.sum()
    for point in points[::5]:
        assert point.value == maximise_cover(sets, int(point.cost), fixed=none, watch=Watch(), seed=1).value


def test_a_search_stopped_at_once_returns_one_point_at_least():
    _, _, sets = drawn(np.random.default_rng(12))
    none = np.zeros(0, np.int64)
    assert coverage_frontier(sets, np.ones(sets.n_sites), fixed=none, watch=Watch(seconds=0.0), seed=1)
    assert equity_frontier(sets, np.ones((1, sets.n_rows)), 1, fixed=none, watch=Watch(seconds=0.0), seed=1)


def test_refuses_costs_of_nothing():
    _, _, sets = drawn(np.random.default_rng(12))
    with pytest.raises(QuestionError):
        coverage_frontier(sets, np.zeros(sets.n_sites), fixed=np.zeros(0, np.int64), watch=Watch(), seed=1)


def test_a_large_city_has_the_point_of_most_cover_and_a_fairer_one_with_true_bounds(monkeypatch):
    monkeypatch.setattr(frontier, "MOST_ENTRIES", 0)
    rng = np.random.default_rng(16)
    fairer = 0
    for _ in range(60):
        covers, _, sets = drawn(rng)
        fixed, count = some_fixed(rng, len(covers)), int(rng.integers(0, 4))
        parts = rng.integers(0, 3, (3, sets.n_rows)) / 30.0
        points = equity_frontier(sets, parts, count, fixed=fixed, watch=Watch(), seed=1)
        most = max(float(sets.weight[sets.covered(some)].sum()) for some in every_choice(len(covers), fixed, count))
        assert points[-1].value == most and points[-1].optimal
        fairer += len(points) - 1
        for point in points:
            as_fair = [
                float(sets.weight[sets.covered(some)].sum()) for some in every_choice(len(covers), fixed, count)
                if (parts @ sets.covered(some)).min() >= point.worst_share - 1e-9
            ]  # fmt: skip
            assert point.value <= max(as_fair) <= point.bound + 1e-9
    assert fairer
