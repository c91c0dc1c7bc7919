"""Time siting with variants, backup, periods, scenarios, equity and frontiers on street-like networks.

python -m benchmarks.siting_variants [--only mix,backup,...] [--city] [--seconds 60]

Without arguments: 500 candidates and 5,000 places of demand. ``--city``: 20,000 and 20,000, 20 new sites.
One line a case: value, bound, gap, CPU seconds on one thread, peak memory of the process so far.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import resource  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import numpy as np  # noqa: E402
from scipy.sparse import csr_array, vstack  # noqa: E402

from benchmarks.measure import machine  # noqa: E402
from benchmarks.siting_instances import Instance, street_instance  # noqa: E402
from planner.siting.backup import maximise_backup  # noqa: E402
from planner.siting.budget_mix import Variants, best_mix  # noqa: E402
from planner.siting.cover_sets import CoverSets, merge_cover_sets  # noqa: E402
from planner.siting.equity import best_worst_area  # noqa: E402
from planner.siting.frontier import FrontierPoint, coverage_frontier, equity_frontier  # noqa: E402
from planner.siting.near_lists import near_lists  # noqa: E402
from planner.siting.p_median import least_total  # noqa: E402
from planner.siting.periods import best_periods  # noqa: E402
from planner.siting.plan import NO_SITES, Plan  # noqa: E402
from planner.siting.robust import best_after_loss, best_worst_case  # noqa: E402
from planner.watch import Watch  # noqa: E402

ROW = "{:<28} {:>14} {:>14} {:>9} {:>8} {:>8}"
#: Ways to act at a place: reach in seconds and cost.
KEEP, UPGRADE, CONVERT, BUILD, BUILD_BIG = (1000.0, 0.0), (1500.0, 1.0), (800.0, 0.6), (1000.0, 2.0), (1500.0, 3.0)
N_EXISTING, N_CONVERTIBLE, N_SCENARIOS = 40, 200, 10


@dataclass(frozen=True)
class Case:
    """An instance to be solved again and again: its sets within reach, areas of a 5 x 4 grid, new sites."""

    drawn: Instance
    sets: CoverSets
    area_weight: np.ndarray
    area_people: np.ndarray
    count: int
    cutoff_s: float
    seconds: float

    def watch(self) -> Watch:
        return Watch(time.process_time, seconds=self.seconds)


def within(seconds: csr_array, limit_s: float) -> csr_array:
    """Return which demand each row of ``seconds`` reaches in time (a time of 0 is stored too)."""
    inside = seconds.data <= limit_s
    owner = np.repeat(np.arange(seconds.shape[0]), np.diff(seconds.indptr))[inside]
    return csr_array((np.ones(inside.sum()), (owner, seconds.indices[inside])), shape=seconds.shape)


def merged(reach: csr_array, weight: np.ndarray) -> CoverSets:
    return merge_cover_sets(reach.indptr.astype(np.int64), reach.indices.astype(np.int32), weight)


def case_of(size: tuple[int, int, int], cutoff_s: float, limit_s: float, count: int, seconds: float) -> Case:
    """Draw an instance of (nodes, candidates, demands), whose times are known up to the cutoff."""
    drawn = street_instance(*size, cutoff_s=cutoff_s)
    sets = merged(within(drawn.seconds, limit_s), drawn.weight)
    column, row = (
        np.minimum(((along - along.min()) / np.ptp(along) * parts).astype(int), parts - 1)
        for along, parts in ((drawn.x, 5), (drawn.y, 4))
    )
    area, kept = column * 4 + row, sets.row_of >= 0
    people = np.bincount(area, drawn.weight, 20)
    parts = np.zeros((20, sets.n_rows))
    np.add.at(parts, (area[kept], sets.row_of[kept]), drawn.weight[kept])
    return Case(drawn, sets, parts / people[:, None], people, count, cutoff_s, seconds)


def pmedian(case: Case) -> Plan:
    lists = near_lists(case.drawn.seconds, beyond=case.cutoff_s)
    return least_total(lists, case.drawn.weight, case.count, watch=case.watch(), seed=1)


def mix(case: Case, budget: float) -> Plan:
    """Keep or upgrade 40 existing points; convert 200 of the other places, or build at any."""
    m = case.drawn.seconds.shape[0]
    existing = np.sort(np.random.default_rng(2).choice(m, N_EXISTING, replace=False))
    others = np.setdiff1d(np.arange(m), existing)
    offers = [(existing, KEEP), (existing, UPGRADE), (others[:N_CONVERTIBLE], CONVERT), (others, BUILD)]
    offers.append((others, BUILD_BIG))
    reach = vstack([within(csr_array(case.drawn.seconds[sites]), way[0]) for sites, way in offers], format="csr")
    site = np.concatenate([sites for sites, _ in offers]).astype(np.int32)
    cost = np.concatenate([np.full(len(sites), way[1]) for sites, way in offers])
    must = np.isin(np.arange(m), existing)
    variants = Variants(site, cost, np.full(len(site), -1, np.int32), must)
    return best_mix(merged(reach, case.drawn.weight), variants, budget, watch=case.watch(), seed=1)


def robust(case: Case) -> Plan:
    """Ten guesses of where demand lies, each weight times a random factor."""
    factor = np.random.default_rng(2).lognormal(0.0, 0.6, (N_SCENARIOS, case.sets.n_rows))
    return best_worst_case(
        [case.sets] * N_SCENARIOS, case.count, scenario_weight=factor * case.sets.weight, fixed=NO_SITES,
        watch=case.watch(), seed=1,
    )  # fmt: skip


def traced(points: list[FrontierPoint]) -> Plan:
    """Return the frontier as a plan for the table: its last point, with the loosest bound of all."""
    loose = max(point.gap for point in points)
    print(f"  {len(points)} points, {sum(point.optimal for point in points)} proven")
    return Plan(points[-1].chosen, points[-1].value, points[-1].value * (1 + loose), maximised=True)


def cases(case: Case, budgets: tuple[float, ...], most: float) -> dict[str, list[tuple[str, Callable[[], Plan]]]]:
    given = {"fixed": NO_SITES, "seed": 1}
    periods = np.full(3, -(-case.count // 3))
    random_cost = np.random.default_rng(1).integers(1, 4, case.sets.n_sites).astype(float)
    shares = case.area_weight

    def frontier(cost: np.ndarray) -> Plan:
        return traced(coverage_frontier(case.sets, cost, most=most, watch=case.watch(), **given))

    return {
        "pmedian": [("p-median", lambda: pmedian(case))],
        "mix": [(f"mix, budget {b:g}", lambda b=b: mix(case, b)) for b in budgets],
        "backup": [("backup 0.3", lambda: maximise_backup(case.sets, case.count, watch=case.watch(), **given))],
        "periods": [
            ("3 periods", lambda: best_periods(case.sets, periods, np.ones(3), watch=case.watch(), **given).plan)
        ],
        "robust": [(f"{N_SCENARIOS} scenarios", lambda: robust(case))],
        "loss": [("any one lost", lambda: best_after_loss(case.sets, case.count, watch=case.watch(), **given))],
        "equity": [
            ("worst of 20 areas", lambda: best_worst_area(case.sets, shares, case.count, watch=case.watch(), **given))
        ],
        "frontier": [
            ("frontier, unit costs", lambda: frontier(np.ones(case.sets.n_sites))),
            ("frontier, costs 1 to 3", lambda: frontier(random_cost)),
        ],
        "fairness": [
            ("frontier, worst area", lambda: traced(equity_frontier(
                case.sets, shares, case.count, area_people=case.area_people, watch=case.watch(), **given
            ))),
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", help="comma list of pmedian, mix, backup, periods, robust, loss, equity, frontier, fairness"
    )
    parser.add_argument("--city", action="store_true", help="20,000 candidates and 20,000 places of demand")
    parser.add_argument("--seconds", type=float, help="CPU seconds a case (60, or 300 with --city)")
    asked = parser.parse_args()
    seconds = asked.seconds or (300.0 if asked.city else 60.0)
    if asked.city:
        case = case_of((60_000, 20_000, 20_000), 600.0, 600.0, 20, seconds)
        table = cases(case, (20.0,), 15.0)
    else:
        case = case_of((100_000, 500, 5_000), np.inf, 1000.0, 50, seconds)
        table = cases(case, (20.0, 40.0, 80.0), np.inf)
    print(f"{machine()}; CPU seconds, one thread; {case.sets.n_sites:,} candidates, {case.sets.n_rows:,} rows")
    print(ROW.format("case", "value", "bound", "gap", "CPU s", "peak MB"))
    for name in asked.only.split(",") if asked.only else table:
        for title, solve in table[name]:
            begin = time.process_time()
            plan = solve()
            took, peak = time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(ROW.format(
                title, f"{plan.value:.6g}", f"{plan.bound:.6g}", f"{plan.gap:.1e}", f"{took:.2f}", f"{peak:.0f}"
            ), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
