import itertools
from dataclasses import replace

import numpy as np
import pytest

from planner.patrol.check import faults, plain_cost
from planner.patrol.problem import PatrolProblem
from planner.patrol.schedule import plan_cost
from planner.patrol.working_plan import WorkingPlan
from tests.planner.patrol.random_patrols import random_patrol


def patrol_of_everything(seed: int, n: int = 12, crews: int = 3, **options: object) -> PatrolProblem:
    """A random patrol with what the others lack: loads, breaks, kinds of crews, fairness, prices near seconds, musts."""
    rng = np.random.default_rng(seed + 1000)
    plain = random_patrol(seed, n=n, crews=crews, **options)  # type: ignore[arg-type]
    s, c = plain.services, plain.crews
    left_out = rng.integers(50, 2000, n).astype(float)
    if seed % 3 == 0:
        left_out[rng.random(n) < 0.2] = np.inf
    rests = (seed % 2 == 0) & (rng.random(crews) < 0.7)
    extra_s = np.where(rng.random((2, n)) < 0.3, 40.0, 0.0)
    extra_s[1, rng.random(n) < 0.15] = np.inf
    load = rng.integers(1, 5, n).astype(float)
    capacity = np.where(rng.random(crews) < 0.5, np.inf, np.ceil(1.2 * load.sum() / crews))
    return PatrolProblem(
        replace(s, load=load, left_out=left_out),
        replace(
            c, capacity=capacity, kind=rng.integers(0, 2, crews).astype(np.int32), extra_s=extra_s,
            break_s=np.where(rests, 200.0, 0.0), break_from_s=c.from_s + 0.4 * c.longest_s,
        ),
        plain.travel_s, uneven=(seed % 4) / 2,
    )  # fmt: skip


FEATURES = list(itertools.product(range(6), (False, True), (1, 2)))


@pytest.mark.parametrize(("seed", "windows", "modes"), FEATURES)
def test_after_every_move_the_cost_is_that_of_the_plain_reckoning(seed: int, windows: bool, modes: int) -> None:
    problem = patrol_of_everything(seed, n=18, windows=windows, modes=modes, stations=2)
    musts = ~np.isfinite(problem.services.left_out)
    plan = WorkingPlan(problem, seed)
    priced = replace(problem, services=replace(problem.services, left_out=plan.worth))
    plan.fill()
    changes = 0
    before = plan.cost
    for k in range(150):
        plan.move(k, k + 1, 150, hot=2 * plan.scale_s, cold=plan.scale_s, gone=0.0)
        changes += plan.cost != before
        before = plan.cost
        assert faults(problem, plan.routes) == []
        expected = plan_cost(priced, plan.routes)
        assert plan.cost == pytest.approx(expected, rel=1e-9)
        assert plain_cost(priced, plan.routes) == pytest.approx(expected, rel=1e-9)
    assert changes > 5
    assert musts.any() or plan.best_cost == pytest.approx(plan_cost(problem, plan.best_routes), rel=1e-9)
