"""Plan routes for published arc routing instances and print their costs beside the best known.

python -m benchmarks.carp FILE... [--seconds S] [--seed N] [--peers pyvrp,ortools] [--jobs N]

FILE: a CARP instance with Spanish headings (gdb, val, egl, bmcv, kshs, egl-large) or a mixed one with English headings
(mval, lpr). Each program has S CPU seconds for each instance, on one thread, reading and start-up apart. The cost is
recomputed from the file and the routes alone; no more routes than the vehicles the file states, where it states any
that can carry the load. Gaps are to the best known value (best_known.csv beside the instances, or OPT= or UB= in
the file), "-" where none is known.
Ends with status 1 if a file cannot be read, or one of Lamplight's plans breaks a limit.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from multiprocessing import get_context  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from scipy.sparse import csr_array  # noqa: E402
from scipy.sparse.csgraph import dijkstra  # noqa: E402

from benchmarks.carp_check import judge  # noqa: E402
from benchmarks.carp_files import Floats, Instance, read_instance  # noqa: E402
from benchmarks.carp_peers import PEERS, Routes  # noqa: E402
from planner.patrol.problem import Crews, PatrolProblem, Services  # noqa: E402
from planner.watch import FOREVER, Watch  # noqa: E402

ROW = "{:<12} {:<10} {:>10} {:>10} {:>8} {:>9} {:>7}  {}"
OURS = "lamplight"


@dataclass(frozen=True, slots=True)
class Result:
    """What one program made of one instance, as judged: cost (NaN with faults), routes used, CPU seconds."""

    program: str
    name: str
    family: str
    cost: float
    best_known: float
    n_routes: int
    vehicles: int | None
    cpu_s: float
    faults: tuple[str, ...]
    remark: str

    @property
    def gap(self) -> float:
        """Return the part of the best known value that the cost is above it, NaN where either is unknown."""
        return self.cost / self.best_known - 1.0 if self.best_known else math.nan


def main() -> int:
    """Plan what is asked for; return 1 if a file cannot be read or a plan of ours breaks a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seconds", metavar="S", type=float, default=60.0, help="CPU seconds for each instance")
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    parser.add_argument("--peers", default="", metavar="NAME,...", help=f"to run beside it: {','.join(PEERS)}")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="runs at a time, each in its own process")
    asked = parser.parse_args()
    peers = [name for name in asked.peers.split(",") if name]
    if unknown := [name for name in peers if name not in PEERS]:
        parser.error(f"no peer named {', '.join(unknown)}; there are {', '.join(PEERS)}")
    for name in peers:
        if find_spec(name) is None:
            print(f"not installed: {name}")
    peers = [name for name in peers if find_spec(name)]

    instances, n_unread = [], 0
    for path in asked.files:
        try:
            instances.append(read_instance(path))
        except (OSError, ValueError) as error:
            n_unread += 1
            print(f"cannot be read: {error}")
    tasks = [(instance, program, asked.seconds, asked.seed) for instance in instances for program in [OURS, *peers]]
    print(ROW.format("instance", "program", "cost", "best known", "gap", "vehicles", "CPU s", ""), flush=True)
    results = []
    for result in _run(tasks, asked.jobs):
        results.append(result)
        print(_row(result), flush=True)
    for line in _summary(results):
        print(line)
    broken = any(result.faults for result in results if result.program == OURS)
    return int(n_unread > 0 or broken or not results)


Task = tuple[Instance, str, float, int]


def _run(tasks: list[Task], jobs: int) -> Iterator[Result]:
    """Yield results in order, ``jobs`` computed at a time.

    Each program has processes of its own: OR-Tools and highspy each bring a HiGHS, and one process cannot hold both.
    """
    with ExitStack() as stack:
        pools = {
            program: stack.enter_context(
                ProcessPoolExecutor(jobs, get_context("spawn"), _start_up if program == OURS else None)
            )
            for program in dict.fromkeys(program for _, program, *_ in tasks)
        }
        turns = stack.enter_context(ThreadPoolExecutor(jobs))
        yield from turns.map(lambda task: pools[task[1]].submit(_solve, task).result(), tasks)


def _start_up() -> None:
    """Compile or load the kernels before any time is taken."""
    from planner.patrol.search import search  # loads highspy, see ``_run``

    arc = np.array([[0, 1], [1, 0], [1, 2], [2, 0]], np.int32)
    edges = Instance(
        "", "", 3, arc, np.ones(4), arc[[0, 2]], np.ones(2), np.ones(2), np.array([True, False]), 2.0, 1, 0, np.nan
    )  # fmt: skip
    search(problem_of(edges, ways_of(edges), 1), FOREVER, iterations=100)


def _solve(task: Task) -> Result:
    instance, program, seconds, seed = task
    begin_s = time.process_time()
    routes = _routes(instance, program, seconds, seed)
    took_s = time.process_time() - begin_s
    judged = judge(instance, routes)
    cost = math.nan if judged.faults else judged.cost
    return Result(
        program, instance.name, instance.family, cost, instance.best_known, judged.n_routes, instance.vehicles,
        took_s, judged.faults, instance.remark,
    )  # fmt: skip


def _routes(instance: Instance, program: str, seconds: float, seed: int) -> Routes:
    """Return one program's routes, as tasks in order."""
    # two routes that one vehicle could carry are no better than that one, so all pairs of routes carry more
    most = instance.vehicles or int(2 * instance.load.sum() / instance.capacity) + 1
    plan = _lamplight_routes if program == OURS else PEERS[program]
    return plan(instance, ways_of(instance), most, seconds, seed)


def _lamplight_routes(instance: Instance, ways: Floats, most: int, seconds: float, seed: int) -> Routes:
    from planner.patrol.search import search  # loads highspy, see ``_run``

    watch = Watch(time.process_time, seconds=seconds)
    return [route.tolist() for route in search(problem_of(instance, ways, most), watch, seed=seed).routes]


def ways_of(instance: Instance) -> Floats:
    """Return (nodes, nodes) least cost to pass from node to node."""
    least: dict[tuple[int, int], float] = {}
    for (u, v), cost in zip(instance.arc.tolist(), instance.arc_cost.tolist(), strict=True):
        least[u, v] = min(cost, least.get((u, v), math.inf))
    ends = np.array(list(least))
    graph = csr_array((list(least.values()), (ends[:, 0], ends[:, 1])), shape=(instance.n_nodes,) * 2)
    ways: Floats = dijkstra(graph)
    return ways


def problem_of(instance: Instance, ways: Floats, most: int) -> PatrolProblem:
    """Return the instance as a patrol of ``most`` crews that start and end at the depot: all must be done."""
    n = len(instance.task)
    services = Services(
        begins=instance.task, ends=np.ascontiguousarray(instance.task[:, ::-1]),
        both_ways=instance.both_ways[None, :], service_s=instance.task_cost[None, :], load=instance.load,
        left_out=np.full(n, np.inf), opens_s=np.full(n, -np.inf), closes_s=np.full(n, np.inf),
    )  # fmt: skip
    depot, none, endless = np.full(most, instance.depot, np.int32), np.zeros(most), np.full(most, np.inf)
    crews = Crews(
        mode=np.zeros(most, np.int32), start=depot, end=depot, from_s=none, until_s=endless, longest_s=endless,
        break_from_s=none, break_s=none, capacity=np.full(most, instance.capacity), kind=np.zeros(most, np.int32),
        extra_s=np.zeros((1, n)),
    )  # fmt: skip
    return PatrolProblem(services, crews, ways[None].astype(np.float32))


def _row(result: Result) -> str:
    """Return one line of the table."""
    vehicles = f"{result.n_routes}/{'-' if result.vehicles is None else result.vehicles}"
    mark = "; ".join(
        part
        for part in (
            "INFEASIBLE: " + ", ".join(result.faults) if result.faults else "",
            "below the best known" if result.gap < 0 else "",
            result.remark,
        )
        if part
    )
    return ROW.format(
        result.name, result.program, _number(result.cost), _number(result.best_known), _percent(result.gap),
        vehicles, f"{result.cpu_s:.1f}", mark,
    )  # fmt: skip


def _summary(results: list[Result]) -> Iterator[str]:
    """Yield a line for each family and program, and for each program on all of them."""
    families = list(dict.fromkeys(result.family for result in results))
    ours = {(r.family, r.name): r.cost for r in results if r.program == OURS}
    for family in [*families, ""] if len(families) > 1 else families:
        for program in dict.fromkeys(result.program for result in results):
            of = [r for r in results if r.program == program and family in (r.family, "")]
            gaps = np.array([r.gap for r in of])
            gaps = gaps[np.isfinite(gaps)]
            line = f"{family or 'all'}, {program}: {len(of)} instances, {sum(bool(r.faults) for r in of)} infeasible"
            if len(gaps):
                at_best = int((gaps <= 1e-9).sum())
                line += f", mean gap {_percent(float(gaps.mean()), 3)}, {at_best} of {len(gaps)} at the best known"
            if program != OURS:
                above = np.array([r.cost / ours[r.family, r.name] - 1.0 for r in of])
                above = above[np.isfinite(above)]
                line += f", {_percent(float(above.mean()), 3)} above {OURS}" if len(above) else ""
            yield f"{line}, {sum(r.cpu_s for r in of):.0f} CPU s"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.10g}"


def _percent(value: float, digits: int = 2) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.{digits}f} %"


if __name__ == "__main__":
    raise SystemExit(main())
