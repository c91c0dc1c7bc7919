"""An independent judge of arc routes: it knows the instance and the routes, and nothing of how they were found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import csgraph_from_dense, floyd_warshall

from benchmarks.carp_files import Floats, Instance


@dataclass(frozen=True, slots=True)
class Judged:
    """Cost of the routes that serve anything, how many there are, and what is wrong with them."""

    cost: float
    n_routes: int
    faults: tuple[str, ...]


def judge(instance: Instance, routes: Sequence[Sequence[int]]) -> Judged:
    """Return the least cost of ``routes`` (tasks in order), each walked in its best directions, and their faults.

    Every task is served once, no load is above the capacity, no more routes than the instance allows.
    """
    routes = [list(route) for route in routes if len(route)]
    ways = _ways(instance)
    faults = []
    served = np.bincount([t for route in routes for t in route], minlength=len(instance.task))
    if (served == 0).any():
        faults.append(f"{(served == 0).sum()} tasks not served")
    if (served > 1).any() or len(served) > len(instance.task):
        faults.append(f"{(served > 1).sum()} tasks served again")
    for number, route in enumerate(routes, 1):
        load = sum(float(instance.load[t]) for t in route)
        if load > instance.capacity:
            faults.append(f"route {number} carries {load:g} of {instance.capacity:g}")
    if instance.vehicles is not None and len(routes) > instance.vehicles:
        faults.append(f"{len(routes)} routes for {instance.vehicles} vehicles")
    cost = sum(_least_cost(instance, ways, route) for route in routes)
    if not np.isfinite(cost):
        faults.append("no way between two tasks")
    return Judged(cost, len(routes), tuple(faults))


def _ways(instance: Instance) -> Floats:
    """Return (nodes, nodes) least cost to pass from node to node."""
    direct = np.full((instance.n_nodes, instance.n_nodes), np.inf)
    np.minimum.at(direct, (instance.arc[:, 0], instance.arc[:, 1]), instance.arc_cost)
    np.fill_diagonal(direct, 0.0)
    ways: Floats = floyd_warshall(csgraph_from_dense(direct, null_value=np.inf, nan_null=False))
    return ways


def _least_cost(instance: Instance, ways: Floats, route: list[int]) -> float:
    """Return the cost of one route: of both places to be after each task, the least cost to be there."""
    reached = {instance.depot: 0.0}
    for t in route:
        u, v = (int(end) for end in instance.task[t])
        at: dict[int, float] = {}
        for begin, end in [(u, v), (v, u)] if instance.both_ways[t] else [(u, v)]:
            least = min(cost + float(ways[place, begin]) for place, cost in reached.items())
            at[end] = min(at.get(end, np.inf), least + float(instance.task_cost[t]))
        reached = at
    return min(cost + float(ways[place, instance.depot]) for place, cost in reached.items())
