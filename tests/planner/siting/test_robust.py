import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting.robust import best_after_loss, best_worst_case
from planner.watch import Watch
from tests.planner.siting.tiny_sets import drawn, every_choice, some_fixed


def peopled(rng, n_sites):
    while True:
        covers, weight, sets = drawn(rng)
        if len(covers) == n_sites and sets.n_rows > 0:
            return covers, weight, sets


def test_the_worst_of_scenarios_with_sets_of_their_own_equals_trying_every_choice():
    rng = np.random.default_rng(5)
    for _ in range(200):
        m, count = int(rng.integers(1, 8)), int(rng.integers(0, 4))
        cases, fixed = [peopled(rng, m) for _ in range(int(rng.integers(1, 4)))], some_fixed(rng, m)

        def least(some, cases=cases):
            return min(weight[covers[some].any(axis=0)].sum() / weight.sum() for covers, weight, _ in cases)

        plan = best_worst_case([sets for _, _, sets in cases], count, fixed=fixed, watch=Watch(), seed=1)
        best = max(least(some) for some in every_choice(m, fixed, count))
        assert plan.optimal and plan.value == pytest.approx(best, abs=1e-9)
        assert least(plan.chosen) == pytest.approx(best, abs=1e-9)


def test_the_same_sets_may_bear_other_weights_in_every_scenario():
    rng = np.random.default_rng(6)
    for _ in range(50):
        _, _, sets = peopled(rng, 5)
        weights = rng.integers(1, 5, (3, sets.n_rows)).astype(float)
        plan = best_worst_case([sets] * 3, 2, scenario_weight=weights, fixed=np.zeros(0, int), watch=Watch(), seed=1)
        shares = weights / weights.sum(axis=1)[:, None]
        best = max((shares @ sets.covered(some)).min() for some in every_choice(5, [], 2))
        assert plan.value == pytest.approx(best, abs=1e-9)


def test_what_the_worst_loss_leaves_equals_trying_every_choice():
    rng = np.random.default_rng(7)
    for _ in range(200):
        covers, weight, sets = drawn(rng)
        fixed, count = some_fixed(rng, len(covers)), int(rng.integers(0, 4))

        def left(some, covers=covers, weight=weight):
            return min((weight[covers[np.delete(some, k)].any(axis=0)].sum() for k in range(len(some))), default=0.0)

        plan = best_after_loss(sets, count, fixed=fixed, watch=Watch(), seed=1)
        best = max(left(some) for some in every_choice(len(covers), fixed, count))
        assert plan.optimal and plan.value == best == left(plan.chosen)


def test_refuses_no_scenario_and_scenarios_of_other_candidates():
    rng = np.random.default_rng(8)
    for scenarios in ([], [peopled(rng, 2)[2], peopled(rng, 3)[2]]):
        with pytest.raises(QuestionError):
            best_worst_case(scenarios, 1, fixed=np.zeros(0, int), watch=Watch(), seed=1)
