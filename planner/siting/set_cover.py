"""Set covering location (LSCP): the fewest sites that bring all demand, or a share of it, within reach.

Demand of equal cover sets is one row already; rows that others imply and sites that others dominate are left out, again
and again, and rows that one site alone covers open it. What is left goes to branch and bound.
Source: Toregas et al. 1971, doi:10.1287/opre.19.6.1363; reductions as in Beasley 1987,
doi:10.1016/0377-2217(87)90141-X.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from gis.errors import QuestionError
from planner import milp
from planner.siting.cover_sets import CoverSets, undominated_rows, undominated_sites
from planner.siting.max_cover import checked_columns
from planner.siting.max_cover_search import improved, thinned
from planner.siting.plan import NO_SITES, Plan
from planner.watch import FOREVER, Watch

PROVING = "proving that fewer sites do not do"
#: Plans drawn at random before the proof.
TRIES = 200
#: Elementary steps of a search that has one site fewer, per entry of the cover sets and at most, and what it may fall
#: behind its best at first, in parts of what a site covers on average.
STEPS_PER_ENTRY, MOST_STEPS, SLACK = 2_000, 200_000_000, 0.05
#: Counts of sites are whole: a bound this little above one proves the next.
SLIP = 1e-6


def cover_with_fewest(
    sets: CoverSets,
    *,
    share: float = 1.0,
    fixed: NDArray[np.int64] = NO_SITES,
    watch: Watch = FOREVER,
    seed: int = 0,
) -> Plan:
    """Choose the fewest sites beside the ``fixed`` ones that cover at least ``share`` of the weight.

    share : 0 to 1 of the weight that any candidate covers; at 1 every row is covered. fixed : columns that are open
    anyway; they are in the plan but not in its value, the count of further sites. seed : of the search for a first
    plan.

    A watch that ends early leaves the best plan so far, which covers what was asked, and the bound proven so far.
    Raises QuestionError on a share outside 0 to 1 or fixed columns that do not exist.
    """
    always = checked_columns(sets, fixed)
    if not 0 <= share <= 1:
        raise QuestionError(f"覆盖比例须在 0 到 1 之间：{share}", f"the share must lie in 0 to 1, got {share}")

    task = _task(sets, share, always)
    found = _few(task, watch, seed)
    if not _every(task):
        found = _fewer(task, found, watch, seed)
    bound = float(len(task.opened) + _least(task))
    watch.tell(PROVING, value=len(task.opened) + len(found), bound=bound)
    if len(task.opened) + len(found) > bound and not watch.over:
        found, proven = _solved(task, found, watch)
        bound = max(bound, len(task.opened) + proven)
    chosen = np.sort(np.concatenate([always, task.opened, task.site[found]]))
    value = float(len(chosen) - len(always))
    return Plan(chosen, value, min(bound, value), maximised=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What is left to decide: the fewest of ``sets``' sites that cover weight ``need`` of its rows.

    site : (m,) their columns in the whole instance; opened : further columns that any best plan may be taken to have.
    """

    sets: CoverSets
    site: NDArray[np.int64]
    opened: NDArray[np.int64]
    need: float


def _task(sets: CoverSets, share: float, always: NDArray[np.int64]) -> _Task:
    covered = sets.covered(always)
    free = np.ones(sets.n_sites, bool)
    free[always] = False
    total = float(sets.weight.sum())
    left = sets.part(~covered, free)
    site = np.flatnonzero(free)
    if share < 1:
        need = share * total - float(sets.weight[covered].sum())
        keep = undominated_sites(left)
        # sums of parts of the weight may fall short of the whole by rounding alone
        return _Task(left.part(np.ones(left.n_rows, bool), keep), site[keep], NO_SITES, max(need - 1e-9 * total, 0.0))
    return _reduced(left, site)


def _reduced(sets: CoverSets, site: NDArray[np.int64]) -> _Task:
    """Leave out implied rows and dominated sites until none are left, opening sites that alone cover a row."""
    opened: list[int] = []
    while True:
        before = (sets.n_rows, sets.n_sites)
        sets = sets.part(undominated_rows(sets), np.ones(sets.n_sites, bool))
        keep = undominated_sites(sets)
        sets, site = sets.part(np.ones(sets.n_rows, bool), keep), site[keep]
        alone = np.unique(sets.row_site[sets.row_ptr[:-1][np.diff(sets.row_ptr) == 1]]).astype(np.int64)
        if len(alone):
            opened.extend(site[alone].tolist())
            free = np.ones(sets.n_sites, bool)
            free[alone] = False
            sets, site = sets.part(~sets.covered(alone), free), site[free]
        if (sets.n_rows, sets.n_sites) == before:
            return _Task(sets, site, np.array(opened, np.int64), float(sets.weight.sum()))


def rows_left(sets: CoverSets) -> int:
    """Return how many rows are left to the solver once everything is to be covered."""
    return _reduced(sets, np.arange(sets.n_sites)).sets.n_rows


def _every(task: _Task) -> bool:
    return task.need >= float(task.sets.weight.sum())


def _least(task: _Task) -> int:
    """Return a bound on the count: the heaviest sites as if none overlapped."""
    sets = task.sets
    owner = np.repeat(np.arange(sets.n_sites), np.diff(sets.site_ptr))
    heavy = np.sort(np.bincount(owner, sets.weight[sets.site_row], sets.n_sites))[::-1]
    reach = np.concatenate([[0.0], np.cumsum(heavy)])
    return int(np.argmax(reach >= task.need * (1 - 1e-9)))


def _few(task: _Task, watch: Watch, seed: int) -> NDArray[np.int64]:
    """Return a feasible choice: greedy, then greedy with chance, keeping the best."""
    sets, rng = task.sets, np.random.default_rng(seed)
    every, best = _every(task), np.arange(sets.n_sites)
    for k in range(TRIES):
        # with everything to be covered rows count alike, and rare ones for more
        count = np.diff(sets.row_ptr)
        worth = sets.weight if not every else 1.0 / count ** rng.choice([0.0, 1.0, 2.0])
        stretch = np.ones(sets.n_sites) if k == 0 else rng.uniform(0.8, 1.0, sets.n_sites)
        chosen = _greedy(
            sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, worth, sets.weight, stretch,
            sets.n_rows if every else 0, 0.0 if every else task.need,
        )  # fmt: skip
        if len(chosen) < len(best):
            best = chosen
        if watch.over:
            break
    return np.sort(best)


def _fewer(task: _Task, found: NDArray[np.int64], watch: Watch, seed: int) -> NDArray[np.int64]:
    """Give up one site after another as long as swaps of the others make up for its cover."""
    sets, rng = task.sets, np.random.default_rng(seed)
    steps = min(MOST_STEPS, STEPS_PER_ENTRY * len(sets.site_row))
    while len(found) and not watch.over:
        start = thinned(sets, found, len(found) - 1, rng)
        fewer, covered = improved(sets, start, steps, SLACK, int(rng.integers(2**63)), watch)
        if covered < task.need:
            break
        found = fewer
    return found


def _solved(task: _Task, start: NDArray[np.int64], watch: Watch) -> tuple[NDArray[np.int64], float]:
    """Return (choice, bound on the count) of branch and bound."""
    sets = task.sets
    m, n = sets.n_sites, sets.n_rows
    y = np.zeros(m)
    y[start] = 1.0
    if _every(task):
        model = milp.Model(
            np.ones(m), np.zeros(m), np.ones(m), sets.row_matrix(), np.ones(n), np.full(n, np.inf), np.ones(m, bool)
        )
        point = y
    else:
        cover = hstack([sets.row_matrix(), -eye_array(n, format="csr")], format="csr")
        enough = csr_array((sets.weight, np.arange(m, m + n), np.array([0, n])), shape=(1, m + n))
        model = milp.Model(
            np.concatenate([np.ones(m), np.zeros(n)]), np.zeros(m + n), np.ones(m + n),
            vstack([cover, enough], format="csc"), np.concatenate([np.zeros(n), [task.need]]),
            np.full(n + 1, np.inf), np.arange(m + n) < m,
        )  # fmt: skip
        point = np.concatenate([y, sets.covered(start)])
    relaxed = milp.solve(replace(model, integer=np.zeros(len(model.cost), bool)), watch, options={"solver": "ipm"})
    bound = _whole(relaxed.bound)
    if bound >= len(start) or watch.over:
        return start, bound
    solved = milp.solve(model, watch, start=point, options={"mip_abs_gap": 1 - 1e-4}, doing=PROVING)
    bound = max(bound, _whole(solved.bound))
    if solved.x is None:
        return start, bound
    found = np.flatnonzero(solved.x[:m] > 0.5)
    return (found if len(found) < len(start) and _enough(task, found) else start), bound


def _whole(bound: float) -> float:
    """Return the least whole count a bound leaves, 0 where nothing is proven."""
    return float(math.ceil(bound - SLIP)) if math.isfinite(bound) else 0.0


def _enough(task: _Task, chosen: NDArray[np.int64]) -> bool:
    hit = task.sets.covered(chosen)
    return bool(hit.all()) if _every(task) else float(task.sets.weight[hit].sum()) >= task.need


@njit(cache=True)
def _greedy(site_ptr, site_row, row_ptr, row_site, worth, weight, stretch, n_rows, need):  # type: ignore[no-untyped-def]
    """Open sites of most worth until ``n_rows`` rows and weight ``need`` are covered, then give up needless ones."""
    m = site_ptr.size - 1
    gain = np.zeros(m)
    for j in range(m):
        for e in range(site_ptr[j], site_ptr[j + 1]):
            gain[j] += worth[site_row[e]]
    held = np.zeros(worth.size, np.int32)
    chosen = np.empty(m, np.int64)
    opened = np.zeros(m, np.bool_)
    count, rows, covered = 0, 0, 0.0
    while count < m and (rows < n_rows or covered < need):
        best, most = -1, -np.inf
        for j in range(m):
            if not opened[j] and gain[j] * stretch[j] > most:
                best, most = j, gain[j] * stretch[j]
        opened[best] = True
        chosen[count] = best
        count += 1
        for e in range(site_ptr[best], site_ptr[best + 1]):
            i = site_row[e]
            held[i] += 1
            if held[i] == 1:
                rows += 1
                covered += weight[i]
                for f in range(row_ptr[i], row_ptr[i + 1]):
                    gain[row_site[f]] -= worth[i]
    kept = 0
    for c in range(count):  # the earliest are the likeliest to have become needless
        j = chosen[c]
        lost_rows, lost = 0, 0.0
        for e in range(site_ptr[j], site_ptr[j + 1]):
            if held[site_row[e]] == 1:
                lost_rows += 1
                lost += weight[site_row[e]]
        if rows - lost_rows >= n_rows and covered - lost >= need:
            rows -= lost_rows
            covered -= lost
            for e in range(site_ptr[j], site_ptr[j + 1]):
                held[site_row[e]] -= 1
        else:
            chosen[kept] = j
            kept += 1
    return chosen[:kept].copy()
