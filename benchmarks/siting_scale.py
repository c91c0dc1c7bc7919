"""Time covering sites at scale, and beside spopt: merging, fewest sites, most demand covered, gap against time.

python -m benchmarks.siting_scale [--only spopt,fewest,merge,city,wide,dense,core,nanjing] [--seconds 120]

Instances are seeded; peers run in this same process on the same cover. Times are CPU seconds on one thread, memory is
the whole process's peak. Compilation is done before.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import resource  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.measure import machine, silent  # noqa: E402
from benchmarks.nanjing_siting import nanjing_covers  # noqa: E402
from benchmarks.siting_instances import Instance, street_instance  # noqa: E402
from planner.siting.cover_sets import CoverSets, merge_cover_sets  # noqa: E402
from planner.siting.max_cover import maximise_cover  # noqa: E402
from planner.siting.plan import Plan  # noqa: E402
from planner.siting.set_cover import cover_with_fewest, rows_left  # noqa: E402
from planner.watch import News, Watch  # noqa: E402

SHARED = Path(__file__).parents[2] / "shared" / "data"
ROW = "{:<52} {:>12} {:>12} {:>9} {:>9} {:>8}"
#: The curve is printed where the gap has shrunk by this part.
STEP = 0.95


def main() -> int:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(CASES), help=f"comma list of {', '.join(CASES)}")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU seconds a proof may take")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    if not set(wanted) <= set(CASES):
        parser.error(f"--only takes {', '.join(CASES)}")
    warnings.simplefilter("ignore")  # peers' own deprecations

    print(f"{machine()}; CPU seconds, one thread; a shared machine is noisy\n")
    print(ROW.format("case", "value", "bound", "gap", "CPU", "peak MB"))
    _compile()
    for name in wanted:
        CASES[name](asked.seconds)
    return 0


def covers(instance: Instance) -> CoverSets:
    """Return the cover sets of an instance: everything within its cutoff."""
    return merge_cover_sets(instance.seconds.indptr, instance.seconds.indices, instance.weight)


def _compile() -> None:
    sets = covers(street_instance(1_000, 40, 400))
    maximise_cover(sets, 5)
    cover_with_fewest(sets)
    cover_with_fewest(sets, share=0.5)


def _row(name: str, plan: Plan, cpu_s: float) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        ROW.format(
            name, f"{plan.value:,.0f}", f"{plan.bound:,.0f}", f"{plan.gap:.4%}", f"{cpu_s:.3g} s", f"{peak_mb:.0f}"
        ),
        flush=True,
    )


def _most(name: str, sets: CoverSets, count: int, seconds: float) -> Plan:
    """Print the curve of the gap and the plan after ``seconds``."""
    start = time.process_time()
    told = np.inf

    def hear(news: News) -> None:
        nonlocal told
        gap = news.bound / news.value - 1
        if gap < STEP * told:
            told = gap
            at_s = time.process_time() - start
            print(f"    {at_s:7.1f} s  {news.value:,.0f} of at most {news.bound:,.0f}: {gap:.4%}", flush=True)

    watch = Watch(time.process_time, seconds=seconds, hear=hear)
    plan = maximise_cover(sets, count, watch=watch)
    _row(name, plan, time.process_time() - start)
    return plan


def _spopt(seconds: float) -> None:
    """Set spopt's two covering models beside ours: 500 candidates, 5,000 demands."""
    from pulp import HiGHS
    from spopt.locate import LSCP, MCLP

    instance = street_instance(100_000, 500, 5_000)
    table = np.full(instance.seconds.shape[::-1], 1e9)
    pair = instance.seconds.tocoo()
    table[pair.col, pair.row] = pair.data
    for count in (20, 50, 100):
        start = time.process_time()
        plan = maximise_cover(covers(instance), count)
        ours_s = time.process_time() - start
        _row(f"500 x 5,000, {count} sites", plan, ours_s)
        start = time.process_time()
        with silent():
            peer = MCLP.from_cost_matrix(table, instance.weight, 1000.0, p_facilities=count).solve(HiGHS(msg=False))
        _beside(time.process_time() - start, ours_s, float(peer.problem.objective.value()), plan.value)
    reached = np.isfinite(np.where(table < 1e9, table, np.nan)).any(axis=1)
    start = time.process_time()
    plan = cover_with_fewest(covers(instance))
    ours_s = time.process_time() - start
    _row("500 x 5,000, fewest sites", plan, ours_s)
    start = time.process_time()
    with silent():
        peer = LSCP.from_cost_matrix(table[reached], 1000.0).solve(HiGHS(msg=False))
    _beside(time.process_time() - start, ours_s, float(peer.problem.objective.value()), plan.value)


def _beside(theirs_s: float, ours_s: float, objective: float, ours: float) -> None:
    same = "equal" if abs(abs(objective) - ours) < 1e-6 * max(ours, 1) else f"DIFFERS: {objective:,.0f}"
    print(f"    spopt with HiGHS: {theirs_s:.3g} s, {theirs_s / ours_s:.0f} times ours; objective {same}", flush=True)


def _fewest(seconds: float) -> None:
    instance = street_instance(100_000, 2_000, 50_000)
    start = time.process_time()
    sets = covers(instance)
    left = rows_left(sets)
    print(
        f"    {len(instance.weight):,} demands: {sets.n_rows:,} rows of distinct cover sets, {left:,} after"
        f" dominance, in {time.process_time() - start:.2g} s"
    )
    for share in (1.0, 0.9):
        start = time.process_time()
        plan = cover_with_fewest(sets, share=share, watch=Watch(time.process_time, seconds=seconds))
        _row(f"2,000 x 50,000, fewest sites for {share:.0%}", plan, time.process_time() - start)


def _merge(seconds: float) -> None:
    """Merge 20 million customers on a plane with 100 candidates (setting of Cordeau, Furini & Ljubic 2019)."""
    rng = np.random.default_rng(1)
    site, place = rng.uniform(0, 30, (100, 2)), rng.uniform(0, 30, (20_000_000, 2))
    lists = [np.flatnonzero(((place - s) ** 2).sum(axis=1) <= 5.5**2).astype(np.int32) for s in site]
    ptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    demand, weight = np.concatenate(lists), rng.integers(1, 101, len(place)).astype(np.float64)
    del lists, place
    start = time.process_time()
    sets = merge_cover_sets(ptr, demand, weight)
    merged_s = time.process_time() - start
    print(f"    20,000,000 customers, {len(demand):,} pairs: {sets.n_rows:,} rows in {merged_s:.2g} s")
    for count in (10, 15, 20):
        _most(f"100 x 20,000,000 (merged), {count} sites", sets, count, seconds)


def _city(seconds: float) -> None:
    _most("2,000 x 50,000, 100 sites", covers(street_instance(100_000, 2_000, 50_000)), 100, seconds)


def _wide(seconds: float) -> None:
    sets = covers(street_instance(1_000_000, 5_000, 200_000))
    _most("5,000 x 200,000, 300 sites, 1,000,000 nodes", sets, 300, seconds)


def _dense(seconds: float) -> None:
    sets = covers(street_instance(300_000, 5_000, 200_000))
    _most("5,000 x 200,000, 300 sites, 300,000 nodes", sets, 300, seconds)


def _nanjing(seconds: float, *, core_only: bool) -> None:
    if not (SHARED / "nanjing").is_dir():
        print("nanjing: no folder of real data beside the checkout")
        return
    sets = nanjing_covers(SHARED / "nanjing", core_only=core_only)
    size = f"{sets.n_sites:,} junctions, {len(sets.row_of):,} places, {sets.n_rows:,} rows"
    print(f"    {size}, {len(sets.site_row):,} pairs", flush=True)
    _most(f"Nanjing, {'core districts' if core_only else 'whole city'}, 10 sites", sets, 10, seconds)


CASES = {
    "spopt": _spopt, "fewest": _fewest, "merge": _merge, "city": _city, "wide": _wide, "dense": _dense,
    "core": lambda seconds: _nanjing(seconds, core_only=True),
    "nanjing": lambda seconds: _nanjing(seconds, core_only=False),
}  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main())
