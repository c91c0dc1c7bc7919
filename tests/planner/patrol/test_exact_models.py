import itertools

import numpy as np
import pytest

from planner.patrol.check import faults
from tests.planner.patrol.exact_models import most_covered
from tests.planner.patrol.random_patrols import random_patrol


@pytest.mark.parametrize("seed", range(12))
def test_the_exact_model_agrees_with_trying_every_plan(seed: int) -> None:
    problem = random_patrol(
        seed, n=4, crews=2, stations=1 + seed % 2, modes=1 + seed % 3 // 2, windows=seed % 2 == 1, side=4, share=0.4
    )
    n, best = len(problem.services), 0.0
    orders = [np.array(o, np.int32) for k in range(n + 1) for o in itertools.permutations(range(n), k)]
    kept = [[o for o in orders if not faults(problem, [o, orders[0]])]]
    kept.append([o for o in orders if not faults(problem, [orders[0], o])])
    for first, second in itertools.product(*kept):
        served = np.concatenate([first, second])
        if len(np.unique(served)) == len(served):
            best = max(best, float(problem.services.left_out[served].sum()))
    assert most_covered(problem) == pytest.approx(best)
    assert best > 0
