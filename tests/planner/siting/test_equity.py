import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from gis.errors import QuestionError
from planner.siting.cover_sets import merge_cover_sets
from planner.siting.equity import best_worst_area
from planner.watch import Watch
from tests.planner.siting.tiny_sets import drawn, every_choice, some_fixed


@pytest.mark.parametrize("areas", [(1, 4), (13, 17)], ids=["few areas", "many areas"])
def test_equals_trying_every_choice(areas):
    rng = np.random.default_rng(4)
    for _ in range(200):
        covers, _, sets = drawn(rng)
        fixed, count = some_fixed(rng, len(covers)), int(rng.integers(0, 4))
        parts = rng.integers(0, 3, (int(rng.integers(*areas)), sets.n_rows)) / 30.0
        plan = best_worst_area(sets, parts, count, fixed=fixed, watch=Watch(), seed=1)
        best = max((parts @ sets.covered(some)).min() for some in every_choice(len(covers), fixed, count))
        assert plan.optimal and plan.value == pytest.approx(best, abs=1e-9)
        assert (parts @ sets.covered(plan.chosen)).min() == pytest.approx(best, abs=1e-9)
        assert set(fixed) <= set(plan.chosen) and len(plan.chosen) <= count + len(fixed)


def ring(rng, n_sites=40, n_demand=240, n_areas=8):
    """Areas around a ring, whose sites reach into their neighbours: demand by angle, covered within an arc."""
    site, demand = np.sort(rng.random(n_sites)), np.sort(rng.random(n_demand))
    apart = np.abs(site[:, None] - demand[None, :])
    covers = np.minimum(apart, 1 - apart) < 0.03
    ptr = np.concatenate([[0], np.cumsum(covers.sum(axis=1))]).astype(np.int64)
    weight = rng.integers(1, 20, n_demand).astype(float)
    sets = merge_cover_sets(ptr, np.nonzero(covers)[1].astype(np.int32), weight)
    area, parts = (demand * n_areas).astype(int), np.zeros((n_areas, sets.n_rows))
    kept = sets.row_of >= 0
    np.add.at(parts, (area[kept], sets.row_of[kept]), weight[kept])
    return sets, parts / np.bincount(area, weight, n_areas)[:, None]


def test_asking_for_higher_shares_ends_where_one_whole_model_does():
    sets, parts = ring(np.random.default_rng(6))
    plan = best_worst_area(sets, parts, 9, fixed=np.zeros(0, int), watch=Watch(), seed=1)
    m, n = sets.n_sites, sets.n_rows
    rows = np.block([
        [sets.row_matrix().toarray(), -np.eye(n), np.zeros((n, 1))],
        [np.zeros((len(parts), m)), parts, -np.ones((len(parts), 1))],
    ])  # fmt: skip
    rows = np.vstack([rows, -np.r_[np.ones(m), np.zeros(n + 1)]])
    lower = np.r_[np.zeros(n + len(parts)), -9.0]
    whole = milp(
        np.r_[np.zeros(m + n), -1.0], constraints=LinearConstraint(rows, lower, np.inf), bounds=Bounds(0, 1),
        integrality=np.r_[np.ones(m), np.zeros(n + 1)],
    )  # fmt: skip
    assert plan.optimal and plan.value == pytest.approx(-whole.fun, abs=1e-6)


def test_a_search_stopped_at_once_returns_a_plan_and_a_bound_that_holds():
    sets, parts = ring(np.random.default_rng(7))
    stopped = best_worst_area(sets, parts, 9, fixed=np.zeros(0, int), watch=Watch(seconds=0.0), seed=1)
    ended = best_worst_area(sets, parts, 9, fixed=np.zeros(0, int), watch=Watch(), seed=1)
    assert 0 < stopped.value <= ended.value <= stopped.bound


def test_refuses_parts_of_other_rows():
    _, _, sets = drawn(np.random.default_rng(5))
    with pytest.raises(QuestionError):
        best_worst_area(sets, np.ones((2, sets.n_rows + 1)), 1, fixed=np.zeros(0, int), watch=Watch(), seed=1)


def test_areas_that_nothing_can_reach_keep_the_worst_share_at_nought_and_it_is_proven():
    """Sixteen areas far apart, a site each: three sites leave some without."""
    sets = merge_cover_sets(np.arange(17), np.arange(16, dtype=np.int32), np.ones(16))
    plan = best_worst_area(sets, np.eye(16), 3, fixed=np.zeros(0, int), watch=Watch(), seed=1)
    assert plan.optimal and plan.value == 0.0
