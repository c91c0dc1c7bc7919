"""Point checks alone are a vehicle routing problem: the search beside PyVRP on the same costs."""

import numpy as np
import pyvrp
from pyvrp.stop import MaxIterations

from planner.patrol.check import faults, plain_cost
from planner.patrol.problem import Crews, PatrolProblem, Services
from planner.patrol.search import search
from planner.watch import FOREVER


def point_checks(seed: int, n: int = 40, crews: int = 4) -> PatrolProblem:
    """Points in a square with two stations: hours for every third, prices that keep some out, loads, whole seconds."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0.0, 1000.0, (n + 2, 2))
    travel_s = np.rint(np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)))
    for k in range(n + 2):  # whole seconds, and still no way longer than a detour
        travel_s = np.minimum(travel_s, travel_s[:, k, None] + travel_s[None, k])
    place = np.arange(n, dtype=np.int32)
    opens_s, closes_s = np.full(n, -np.inf), np.full(n, np.inf)
    timed = np.arange(n) % 3 == 0
    opens_s[timed] = rng.integers(0, 2000, timed.sum())
    closes_s[timed] = opens_s[timed] + 60 + rng.integers(200, 1000, timed.sum())
    service_s = rng.integers(20, 60, n).astype(float)
    base = (n + np.arange(crews) % 2).astype(np.int32)
    return PatrolProblem(
        Services(
            np.column_stack([place, place]), np.column_stack([place, place]), np.zeros((1, n), bool), service_s[None],
            rng.integers(1, 10, n).astype(float), rng.integers(60, 600, n).astype(float), opens_s, closes_s,
        ),
        Crews(
            np.zeros(crews, np.int32), base, base, np.zeros(crews), np.full(crews, 3000.0), np.full(crews, 3000.0),
            np.zeros(crews), np.zeros(crews), np.full(crews, 50.0), np.zeros(crews, np.int32), np.zeros((1, n)),
        ),
        travel_s[None].astype(np.float32),
    )  # fmt: skip


def by_pyvrp(problem: PatrolProblem, iterations: int) -> list[np.ndarray]:
    """Return PyVRP's routes, one for each crew."""
    s, c = problem.services, problem.crews
    stations = sorted({int(p) for p in c.start})
    clients = [
        pyvrp.Client(
            i, delivery=[int(s.load[i])], service_duration=int(s.service_s[0, i]), required=False,
            prize=int(s.left_out[i]), tw_early=int(max(s.opens_s[i], 0.0)),
            tw_late=int(min(s.closes_s[i], 1e6) - s.service_s[0, i]),
        )
        for i in range(len(s))
    ]  # fmt: skip
    vehicles = [
        pyvrp.VehicleType(
            1, [int(c.capacity[r])], stations.index(int(c.start[r])), stations.index(int(c.end[r])),
            tw_late=int(c.until_s[r]), shift_duration=int(c.longest_s[r]), unit_distance_cost=0, unit_duration_cost=1,
            start_late=0,
        )
        for r in range(len(c))
    ]  # fmt: skip
    travel_s = problem.travel_s[0].astype(np.int64)
    data = pyvrp.ProblemData(
        [pyvrp.Location(0, 0) for _ in travel_s], clients, [pyvrp.Depot(p) for p in stations], vehicles,
        [travel_s], [travel_s],
    )  # fmt: skip
    best = pyvrp.solve(data, MaxIterations(iterations), seed=0, collect_stats=False, display=False).best
    routes = [np.zeros(0, np.int32)] * len(c)
    for route in best.routes():
        routes[route.vehicle_type()] = np.array([v.idx for v in route if v.is_client()], np.int32)
    return routes


def test_point_checks_are_planned_as_well_as_by_pyvrp() -> None:
    ours_all, theirs_all = 0.0, 0.0
    for seed in range(6):
        problem = point_checks(seed)
        theirs = by_pyvrp(problem, 1000)
        assert faults(problem, theirs) == []
        ours = search(problem, FOREVER, seed=seed, iterations=30_000)
        assert faults(problem, ours.routes) == []
        assert 5 < sum(map(len, ours.routes)) < len(problem.services)
        assert ours.cost <= 1.05 * plain_cost(problem, theirs)
        ours_all, theirs_all = ours_all + ours.cost, theirs_all + plain_cost(problem, theirs)
    assert ours_all <= 1.01 * theirs_all
