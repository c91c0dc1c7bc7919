import itertools
import math

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.patrol.check import faults, plain_cost
from planner.patrol.schedule import plan_cost, timetable
from tests.planner.patrol.random_patrols import random_patrol
from tests.planner.patrol.test_search import patrol_of_everything


@pytest.mark.parametrize("seed", range(20))
def test_a_timetable_holds_together_hour_by_hour(seed: int) -> None:
    problem = patrol_of_everything(seed, n=6, crews=2, windows=seed % 2 == 0, share=1.5)
    s, c = problem.services, problem.crews
    found = 0
    for route in itertools.permutations(range(6), 4):
        for crew in range(2):
            mode = c.mode[crew]
            try:
                table = timetable(problem, crew, np.array(route, np.int32))
            except QuestionError:
                assert not math.isfinite(
                    plain_cost(problem, [np.array(route if k == crew else (), np.int32) for k in (0, 1)])
                )
                continue
            found += 1
            at_s, place, broke = c.from_s[crew], c.start[crew], c.break_s[crew] <= 0
            for j, (i, d) in enumerate(zip(route, table.direction, strict=True)):
                assert d == 0 or s.both_ways[mode, i]
                assert table.arrives_s[j] == pytest.approx(at_s + problem.travel_s[mode, place, s.begins[i, d]])
                assert table.begins_s[j] == max(table.arrives_s[j], s.opens_s[i])
                assert table.ends_s[j] == pytest.approx(table.begins_s[j] + s.service_s[mode, i])
                rests = not broke and table.ends_s[j] >= c.break_from_s[crew]
                assert rests == (table.break_after == j)
                broke |= rests
                at_s, place = table.ends_s[j] + (c.break_s[crew] if rests else 0.0), s.ends[i, d]
            assert table.returns_s == pytest.approx(at_s + problem.travel_s[mode, place, c.end[crew]])
            assert (table.begins_s >= table.arrives_s).all()
    assert found


@pytest.mark.parametrize("seed", range(12))
def test_no_other_directions_end_a_route_sooner(seed: int) -> None:
    problem = random_patrol(seed, n=6, crews=1, windows=seed % 2 == 0, share=3.0)
    for route in itertools.islice(itertools.permutations(range(6), 4), 0, None, 40):
        given = np.array(route, np.int32)
        left = problem.services.left_out.sum() - problem.services.left_out[given].sum()
        sooner = [
            d for d in itertools.product((0, 1), repeat=4) if not faults(problem, [given], [np.array(d)])
        ]  # fmt: skip
        cost = plan_cost(problem, [given])
        assert math.isfinite(cost) == bool(sooner)
        if sooner:
            table = timetable(problem, 0, given)
            assert faults(problem, [given], [table.direction]) == []
            assert cost == pytest.approx(table.returns_s - problem.crews.from_s[0] + left)
            assert tuple(table.direction) in sooner


@pytest.mark.parametrize("seed", range(10))
def test_the_cost_is_that_of_the_independent_check(seed: int) -> None:
    problem = patrol_of_everything(seed, n=8, crews=2, windows=True, modes=2)
    rng = np.random.default_rng(seed)
    for _ in range(60):
        order = rng.permutation(8).astype(np.int32)
        routes = [order[:2], order[2 : 2 + rng.integers(4)]]
        broken = bool(faults(problem, routes))
        assert math.isinf(plan_cost(problem, routes)) == (broken or math.isinf(plain_cost(problem, routes)))
        if not broken:
            assert plan_cost(problem, routes) == pytest.approx(plain_cost(problem, routes))


def test_a_service_in_two_routes_is_refused() -> None:
    problem = random_patrol(0, n=4, crews=2)
    with pytest.raises(QuestionError, match="two routes"):
        plan_cost(problem, [np.array([1], np.int32), np.array([1], np.int32)])
