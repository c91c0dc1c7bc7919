"""Solve published siting instances and print values, bounds and times beside the best known.

python -m benchmarks.siting FILE... [--problem pmedian|pcenter|mclp|lscp|cpmp] [--seconds S] [--count P,...]
    [--radius R]

FILE: an OR-Library p-median graph (p-median and p-center), an OR-Library capacitated p-median, a covering instance with
coordinates (Bronx, SJC), or the folder of San Francisco distances. Times are CPU seconds on one thread,
reading apart; peak MB is the process's own so far.
Ends with status 1 if a value is worse than the published optimum.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import resource  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from scipy.sparse import csr_array  # noqa: E402

from benchmarks.siting_files import Case, read_cases  # noqa: E402
from planner.siting.capacitated import least_total_within  # noqa: E402
from planner.siting.cover_sets import CoverSets, merge_cover_sets  # noqa: E402
from planner.siting.max_cover import maximise_cover  # noqa: E402
from planner.siting.near_lists import near_lists  # noqa: E402
from planner.siting.p_center import least_longest  # noqa: E402
from planner.siting.p_median import least_total  # noqa: E402
from planner.siting.plan import Plan  # noqa: E402
from planner.siting.set_cover import cover_with_fewest  # noqa: E402
from planner.watch import Watch  # noqa: E402

PROBLEMS = ("pmedian", "pcenter", "mclp", "lscp", "cpmp")
ROW = "{:<16} {:<8} {:>16} {:>16} {:>9} {:>16} {:>8} {:>8}  {}"


def main() -> int:
    """Solve what is asked for; return 1 if a value is worse than a published optimum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--problem", choices=PROBLEMS)
    parser.add_argument("--seconds", metavar="S", type=float, default=np.inf, help="CPU seconds for each problem")
    parser.add_argument("--count", default="", metavar="P,...", help="sites to open, for covering instances: 50,60,...")
    parser.add_argument("--radius", metavar="R", type=float, default=np.nan, help="metres, for covering instances")
    asked = parser.parse_args()
    counts = [int(part) for part in asked.count.split(",") if part]

    print(ROW.format("instance", "problem", "value", "bound", "gap", "best known", "CPU s", "peak MB", ""))
    total_s, n_optimal, n, worse = 0.0, 0, 0, 0
    for path in sorted(asked.files, key=_in_order):
        try:
            cases = read_cases(path, asked.problem, counts, asked.radius)
        except (OSError, ValueError) as error:  # lists of published values lie among the instances
            print(f"left out: {error}")
            continue
        for case in cases:
            begin_s = time.process_time()
            plan = solve(case, Watch(time.process_time, seconds=asked.seconds))
            took_s = time.process_time() - begin_s
            total_s, n, n_optimal = total_s + took_s, n + 1, n_optimal + plan.optimal
            verdict = _verdict(case, plan)
            worse += verdict == "WORSE"
            print(
                ROW.format(
                    case.name, case.problem, _number(plan.value), _number(plan.bound), f"{plan.gap:.1e}",
                    _number(case.best_known), f"{took_s:.2f}", f"{_peak_mb():.0f}", verdict,
                ),
                flush=True,
            )  # fmt: skip
    print(f"{n} problems, {n_optimal} proven optimal, {worse} worse than published, {total_s:.1f} CPU s")
    return int(worse > 0 or n == 0)


def solve(case: Case, watch: Watch) -> Plan:
    """Solve one problem, the same lists or sets made first as a city's would be."""
    if case.problem == "mclp":
        return maximise_cover(_sets(case), case.count, watch=watch)
    if case.problem == "lscp":
        return cover_with_fewest(_sets(case), watch=watch)
    lists = near_lists(case.cost)
    if case.problem == "pcenter":
        return least_longest(lists, case.count, watch=watch)
    if case.problem == "pmedian":
        return least_total(lists, case.weight, case.count, watch=watch)
    # every customer counts its distance once, whatever it takes of a site's room
    capacity, once = np.full(lists.n_sites, case.capacity), np.ones(lists.n_demands)
    return least_total_within(lists, case.weight, capacity, case.count, cost_weight=once, watch=watch).plan


def _sets(case: Case) -> CoverSets:
    near = csr_array(case.cost <= case.within)
    return merge_cover_sets(near.indptr.astype(np.int64), near.indices.astype(np.int32), case.weight)


def _verdict(case: Case, plan: Plan) -> str:
    """Compare with the published value; figures published are rounded to their last digit."""
    if np.isnan(case.best_known):
        return "optimal" if plan.optimal else ""
    better = (plan.value - case.best_known) * (1 if plan.maximised else -1)
    close = 1e-6 * abs(case.best_known)
    if better < -close:
        return "WORSE" if case.proven else "worse than best known"
    return ("better than best known, " if better > close else "") + ("optimal" if plan.optimal else "")


def _peak_mb() -> float:
    """Return the most memory this process has held so far (Linux counts in kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:,.10g}"


def _in_order(path: Path) -> tuple[str, int, str]:
    """Sort pmed10 after pmed9."""
    digits = "".join(c for c in path.stem if c.isdigit())
    return str(path.parent), int(digits or 0), path.stem


if __name__ == "__main__":
    raise SystemExit(main())
