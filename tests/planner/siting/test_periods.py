import itertools

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting.periods import best_periods
from planner.watch import Watch
from tests.planner.siting.tiny_sets import drawn, some_fixed


def covered_over_time(sets, weights, row_weight, opens):
    return sum(
        weights[t] * row_weight[t][sets.covered(np.flatnonzero(opens <= t + 1))].sum() for t in range(len(weights))
    )


def test_equals_trying_every_order():
    rng = np.random.default_rng(2)
    for turn in range(200):
        covers, _, sets = drawn(rng, most_sites=4)
        m, n_periods = len(covers), int(rng.integers(1, 4))
        counts, weights = rng.integers(0, 3, n_periods), rng.integers(0, 3, n_periods).astype(float)
        fixed = some_fixed(rng, m)[:1]
        changing = rng.integers(0, 4, (n_periods, sets.n_rows)).astype(float) if turn % 2 else None
        row_weight = np.tile(sets.weight, (n_periods, 1)) if changing is None else changing
        made = best_periods(sets, counts, weights, period_weight=changing, fixed=fixed, watch=Watch(), seed=1)

        best = 0.0
        for order in itertools.product(range(1, n_periods + 2), repeat=m):
            opens = np.array(order)
            opens[fixed] = 0
            if all((opens == t + 1).sum() <= counts[t] for t in range(n_periods)):
                best = max(best, covered_over_time(sets, weights, row_weight, opens))
        opens = np.full(m, n_periods + 1)
        opens[made.plan.chosen] = made.opens
        assert made.plan.optimal and made.plan.value == pytest.approx(best, abs=1e-9)
        assert covered_over_time(sets, weights, row_weight, opens) == pytest.approx(best, abs=1e-9)
        assert all((made.opens == t + 1).sum() <= counts[t] for t in range(n_periods))
        assert (made.opens == 0).sum() == len(fixed) and (opens[fixed] == 0).all()


def test_refuses_counts_without_importance():
    _, _, sets = drawn(np.random.default_rng(5))
    with pytest.raises(QuestionError):
        best_periods(sets, np.array([1, 1]), np.ones(1), fixed=np.zeros(0, int), watch=Watch(), seed=1)
