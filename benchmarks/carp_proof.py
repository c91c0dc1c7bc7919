"""Prove the least cost of an arc routing instance whose vehicles must all be nearly full.

python -m benchmarks.carp_proof FILE [--vehicles K] [--seconds S]

K vehicles, those the file states unless told otherwise. Where their capacity in all is hardly above the load, each must
carry nearly what it can, and few sets of tasks do: all are listed with the least cost of a route that serves them, and
HiGHS finds the best choice of K (set partitioning, Balinski & Quandt 1964, doi:10.1287/opre.12.2.300). What the search
finds in S CPU seconds tells which routes cannot be part of anything better.
Ends with status 1 where there are too many sets to list, or where something better than the search's plan exists.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from benchmarks.carp import problem_of, ways_of
from benchmarks.carp_files import Floats, Instance, read_instance
from planner.milp import Model, highs_of, solve
from planner.patrol.search import search
from planner.watch import FOREVER, Watch

Numbers = NDArray[np.int64]

#: Sets that are listed at most; routes that the relaxation is given at a time.
MOST_SETS, AT_A_TIME = 3_000_000, 5000
#: Costs differ by more than this, above the rounding of sums.
GAIN = 1e-6
compiled: Any = njit(cache=True)


def main() -> int:
    """Print what the search finds and what is proven."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--vehicles", metavar="K", type=int)
    parser.add_argument("--seconds", metavar="S", type=float, default=5.0, help="CPU seconds of the search")
    asked = parser.parse_args()
    instance = read_instance(asked.file)
    vehicles = asked.vehicles or instance.vehicles
    if vehicles is None:
        parser.error("the file states no number of vehicles")
    watch = Watch(time.process_time, seconds=asked.seconds)
    found = search(problem_of(instance, ways_of(instance), vehicles), watch).cost
    count = number_of_sets(instance, vehicles)
    print(f"{instance.name}: search {found:g}, {vehicles} vehicles, {count:,} sets of tasks fill one", flush=True)
    if count > MOST_SETS:
        print(f"more than {MOST_SETS:,}: nothing is proven")
        return 1
    least = least_cost(instance, vehicles, found)
    print(f"proven: no plan costs less than {least:g}, published: {instance.best_known:g}")
    return int(least < found - GAIN)


def least_load(instance: Instance, vehicles: int) -> float:
    """Return what a vehicle must carry when all others are full."""
    return float(instance.load.sum() - (vehicles - 1) * instance.capacity)


def number_of_sets(instance: Instance, vehicles: int) -> int:
    """Return how many sets of tasks a vehicle can carry, and must where all others are full.

    Raises ValueError on loads that are no whole numbers.
    """
    loads, capacity = instance.load.astype(int), int(instance.capacity)
    if (loads != instance.load).any():
        raise ValueError(f"{instance.name}: loads are no whole numbers")
    ways = [1] + [0] * capacity  # how many sets carry each load
    for load in loads.tolist():
        ways = [n + (ways[carried - load] if carried >= load else 0) for carried, n in enumerate(ways)]
    least = max(int(least_load(instance, vehicles)), 0)
    return sum(ways[least:]) - (least == 0)


def least_cost(instance: Instance, vehicles: int, found: float) -> float:
    """Return the least cost of any plan with ``vehicles``; ``found`` is that of one, or ``inf``.

    Only routes whose reduced cost is below ``found`` less the relaxation's bound can be part of a cheaper plan.
    """
    sets, size = _sets(instance, vehicles)
    cost = _route_costs(instance, sets, size)
    task = sets[np.arange(sets.shape[1]) < size[:, None]]
    first = np.concatenate([[0], np.cumsum(size)])
    serves = csr_array((np.ones(len(task)), task, first), shape=(len(cost), len(instance.task)))
    bound, reduced = _relaxed(cost, serves, vehicles)
    possible = np.flatnonzero(reduced < found - bound + GAIN)
    if not len(possible):
        return found
    model = _model(cost[possible], serves[possible], np.ones(len(possible)), vehicles, whole=True)
    chosen = solve(model, FOREVER)
    return found if chosen.infeasible else min(found, chosen.bound)


def _sets(instance: Instance, vehicles: int) -> tuple[Numbers, Numbers]:
    """Return (s, w) the tasks of each set, and (s,) how many."""
    most = int(np.searchsorted(np.cumsum(np.sort(instance.load)), instance.capacity, side="right"))
    sets = np.zeros((number_of_sets(instance, vehicles), most), np.int64)
    size = np.zeros(len(sets), np.int64)
    _list(instance.load, least_load(instance, vehicles), instance.capacity, sets, size)
    return sets, size


@compiled
def _list(load, least, most, sets, size):  # type: ignore[no-untyped-def]
    """List every set of tasks that carries ``least`` to ``most``, depth first."""
    inside = np.zeros(load.size + 1, np.int64)
    depth, carried, t, count = 0, 0.0, 0, 0
    while t < load.size or depth > 0:
        if t == load.size:  # back: the last task out, the one after it next
            depth -= 1
            t = inside[depth]
            carried -= load[t]
        elif carried + load[t] <= most:
            inside[depth] = t
            depth += 1
            carried += load[t]
            if carried >= least:
                sets[count, :depth] = inside[:depth]
                size[count] = depth
                count += 1
        t += 1


def _route_costs(instance: Instance, sets: Numbers, size: Numbers) -> Floats:
    """Return (s,) the least cost of a route that serves each set, orders and directions chosen best."""
    ends = np.stack([instance.task, instance.task[:, ::-1]])  # (direction, task, begin or end)
    return np.asarray(
        _costs(sets, size, ends, instance.both_ways, instance.task_cost, ways_of(instance), instance.depot)
    )


@compiled
def _costs(sets, size, ends, both, serve, ways, depot):  # type: ignore[no-untyped-def]
    """Held & Karp 1962, doi:10.1137/0110015, over tasks in two directions."""
    least = np.zeros(len(size))
    best = np.zeros((1 << sets.shape[1], sets.shape[1], 2))  # by tasks done, the last of them, its direction
    for k in range(len(size)):
        everything = (1 << size[k]) - 1
        for done in range(1, everything + 1):
            for i in range(size[k]):
                t, before = sets[k, i], done ^ (1 << i)
                for d in range(2):
                    best[done, i, d] = np.inf
                    if not done & (1 << i) or (d == 1 and not both[t]):
                        continue
                    reached = ways[depot, ends[d, t, 0]] if before == 0 else np.inf
                    for j in range(size[k]):
                        for e in range(2 if before & (1 << j) else 0):
                            reached = min(reached, best[before, j, e] + ways[ends[e, sets[k, j], 1], ends[d, t, 0]])
                    best[done, i, d] = reached + serve[t]
        least[k] = np.inf
        for i in range(size[k]):
            for d in range(2):
                least[k] = min(least[k], best[everything, i, d] + ways[ends[d, sets[k, i], 1], depot])
    return least


def _model(cost: Floats, serves: csr_array, counted: Floats, vehicles: int, *, whole: bool) -> Model:
    """Return the choice of routes that serve each task once; those ``counted`` 1 take one of the vehicles."""
    n, m = serves.shape[1], len(cost)
    return Model(
        cost=cost, lower=np.zeros(m), upper=np.full(m, 1.0 if whole else np.inf),
        matrix=vstack([serves.T, csr_array(counted[None])], format="csc"),
        row_lower=np.append(np.ones(n), 0.0), row_upper=np.append(np.ones(n), float(vehicles)),
        integer=np.full(m, whole),
    )  # fmt: skip


def _relaxed(cost: Floats, serves: csr_array, vehicles: int) -> tuple[float, Floats]:
    """Return the value of the relaxation over all routes, and (s,) their reduced costs: column generation.

    Routes of one task each, dearer than any plan and without a vehicle, keep it feasible.
    """
    n = serves.shape[1]
    dear, alone = np.full(n, 1.0 + n * float(cost.max())), csr_array(np.eye(n))
    active = np.argsort(cost / np.diff(serves.indptr), kind="stable")[:AT_A_TIME]
    while True:
        model = _model(
            np.append(cost[active], dear), vstack([serves[active], alone], format="csr"),
            np.append(np.ones(len(active)), np.zeros(n)), vehicles, whole=False,
        )  # fmt: skip
        highs = highs_of(model, FOREVER)
        highs.run()
        dual = np.array(highs.getSolution().row_dual)
        reduced = cost - serves @ dual[:n] - dual[n]
        if reduced.min() >= -GAIN:
            return float(highs.getInfo().objective_function_value), reduced
        cheaper = np.argsort(reduced, kind="stable")[:AT_A_TIME]
        active = np.union1d(active, cheaper[reduced[cheaper] < -GAIN])


if __name__ == "__main__":
    raise SystemExit(main())
