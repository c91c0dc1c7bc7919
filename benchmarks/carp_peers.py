"""Other programs on the same arc routing instances: PyVRP and the routing library of OR-Tools.

Both know nodes only, so a task that may be served in two directions is two nodes of which one is visited, and the way
into a node includes the cost to serve it. Both stop by the same clock as Lamplight, CPU seconds of the process.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.carp_files import Floats, Instance

#: Above any way of an instance, small enough for sums of 64-bit whole numbers.
NO_WAY = 10**9
#: What leaving a task out costs in OR-Tools, which otherwise gives up where it finds no first plan.
LEFT_OUT = 10**8

Routes = list[list[int]]


def pyvrp_routes(instance: Instance, ways: Floats, most: int, seconds: float, seed: int) -> Routes:
    """Return PyVRP's routes: a task of two directions is a required group of two clients."""
    import pyvrp

    task, cost = _directed(instance, ways)
    both = np.flatnonzero(instance.both_ways)
    group = {int(t): g for g, t in enumerate(both)}
    clients = [
        pyvrp.Client(i, delivery=[round(instance.load[t])], required=t not in group, group=group.get(t))
        for i, t in enumerate(task.tolist(), 1)
    ]
    data = pyvrp.ProblemData(
        [pyvrp.Location(0, 0) for _ in range(len(task) + 1)], clients, [pyvrp.Depot(0)],
        [pyvrp.VehicleType(most, [int(instance.capacity)])], [cost], [np.zeros_like(cost)],
        [pyvrp.ClientGroup((np.flatnonzero(task == t)).tolist()) for t in both],
    )  # fmt: skip
    stop = _CpuSeconds(seconds)
    best = pyvrp.solve(data, stop, seed=seed, collect_stats=False, display=False).best
    return [[int(task[visit.idx]) for visit in route if visit.is_client()] for route in best.routes()]


class _CpuSeconds:
    """PyVRP's question whether to stop, answered by CPU seconds."""

    def __init__(self, seconds: float) -> None:
        self._over = _clock(seconds)

    def __call__(self, best_cost: float) -> bool:
        return self._over()

    def fraction_remaining(self) -> float | None:
        return None


def ortools_routes(instance: Instance, ways: Floats, most: int, seconds: float, seed: int) -> Routes:
    """Return OR-Tools' routes by guided local search, which takes no seed."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    task, cost = _directed(instance, ways)
    manager = pywrapcp.RoutingIndexManager(len(cost), most, 0)
    routing = pywrapcp.RoutingModel(manager)
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(cost.tolist()))
    load = [0, *(round(instance.load[t]) for t in task)]
    counted = routing.RegisterUnaryTransitVector(load)
    routing.AddDimension(counted, 0, int(instance.capacity), True, "load")
    for t in range(len(instance.task)):
        nodes = [manager.NodeToIndex(int(i) + 1) for i in np.flatnonzero(task == t)]
        routing.AddDisjunction(nodes, LEFT_OUT, 1)
    asked = pywrapcp.DefaultRoutingSearchParameters()
    asked.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    asked.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    asked.time_limit.FromSeconds(int(10 * seconds) + 10)  # in wall time; a busy machine gives less CPU
    routing.AddSearchMonitor(routing.solver().CustomLimit(_clock(seconds)))
    plan = routing.SolveWithParameters(asked)
    if plan is None:
        return []
    routes: Routes = []
    for vehicle in range(most):
        at, route = plan.Value(routing.NextVar(routing.Start(vehicle))), []
        while not routing.IsEnd(at):
            route.append(int(task[manager.IndexToNode(at) - 1]))
            at = plan.Value(routing.NextVar(at))
        routes.append(route)
    return routes


PEERS: dict[str, Callable[[Instance, Floats, int, float, int], Routes]] = {
    "pyvrp": pyvrp_routes,
    "ortools": ortools_routes,
}


def _clock(seconds: float) -> Callable[[], bool]:
    """Return a question that is answered yes once this process has used ``seconds`` more of the CPU."""
    end_s = time.process_time() + seconds
    return lambda: time.process_time() >= end_s


def _directed(instance: Instance, ways: Floats) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return (c,) the task of each directed client, and (c + 1, c + 1) costs between them, the depot first."""
    tasks = np.arange(len(instance.task), dtype=np.int32)
    both = np.flatnonzero(instance.both_ways).astype(np.int32)
    task = np.concatenate([tasks, both])
    begins = np.concatenate([[instance.depot], instance.task[:, 0], instance.task[both, 1]])
    ends = np.concatenate([[instance.depot], instance.task[:, 1], instance.task[both, 0]])
    cost = ways[np.ix_(ends, begins)] + np.concatenate([[0.0], instance.task_cost[task]])
    whole = np.rint(np.where(np.isfinite(cost), cost, NO_WAY)).astype(np.int64)
    np.fill_diagonal(whole, 0)
    return task, whole
