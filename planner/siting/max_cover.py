"""Maximal covering location (MCLP): the most demand within reach of a given number of sites, proven.

A local search gives the plan; the linear relaxation, tightened by cuts round by round, gives the bound. What the two
leave no room for is fixed by reduced costs, equal rows are merged again, and branch and bound ends what is left.
Sources: Church & ReVelle 1974, doi:10.1007/BF01942293; merging and sizes as in Cordeau, Furini & Ljubic 2019,
doi:10.1016/j.ejor.2018.12.021.
"""

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.siting.cover_sets import CoverSets
from planner.siting.max_cover_core import Core
from planner.siting.max_cover_proof import prove
from planner.siting.max_cover_search import greedy, improved, thinned
from planner.siting.plan import NO_SITES, OPTIMAL_GAP, Plan
from planner.watch import FOREVER, Watch

#: Elementary steps of the whole search: per entry of the cover sets, and at most.
STEPS_PER_ENTRY, MOST_STEPS = 1_500, 1_500_000_000
#: Plans kept, and plans bred from them.
PLANS, BRED = 8, 24
#: What a search may fall behind its best at first, in parts of what a site covers on average.
SLACK = 0.05
SEARCHING = "searching for better sites"


def maximise_cover(
    sets: CoverSets,
    count: int,
    *,
    fixed: NDArray[np.int64] = NO_SITES,
    watch: Watch = FOREVER,
    seed: int = 0,
) -> Plan:
    """Choose at most ``count`` sites beside the ``fixed`` ones that cover the most weight.

    sets : whom each of m candidates covers. fixed : columns that are open anyway; they are in the plan and their
    cover counts, they do not count as chosen. count : >= 0. seed : of the search; the proof has no chance in it.

    Returns a plan whose value is the weight covered. Fewer than ``count`` sites are chosen where further ones would
    cover nothing more. A watch that ends early leaves the best plan so far with the bound proven so far.
    Raises QuestionError on a negative count or fixed columns that do not exist.
    """
    always = checked_columns(sets, fixed)
    if count < 0:
        raise QuestionError(f"新增点数不能为负：{count}", f"the count of further sites must be >= 0, got {count}")

    shut = np.zeros(sets.n_sites, bool)
    whole = Core(sets, np.arange(sets.n_sites), count, 0.0, NO_SITES, np.empty((0, 3), np.int32))
    core = whole.reduced(shut, always, count, whole.cuts)  # what the fixed sites leave, and sites no other dominates
    plans = [core.plan(found) for found in _searched(core, watch, seed)]
    plan = plans[0]
    value, bound = float(sets.weight[sets.covered(plan)].sum()), core.most()
    if value < bound * (1 - OPTIMAL_GAP):
        plan, bound = prove(sets, core, plans, watch, seed)
    chosen = _useful(sets, always, plan)
    value = float(sets.weight[sets.covered(chosen)].sum())
    return Plan(chosen, value, max(bound, value), maximised=True)


def checked_columns(sets: CoverSets, fixed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the fixed columns ascending, each once. Raises QuestionError where one does not exist."""
    always = np.unique(np.asarray(fixed, np.int64))
    if len(always) and not 0 <= always[0] <= always[-1] < sets.n_sites:
        raise QuestionError(
            f"固定点须在 0 到 {sets.n_sites - 1} 之间", f"fixed columns must lie in 0..{sets.n_sites - 1}"
        )
    return always


def _useful(sets: CoverSets, always: NDArray[np.int64], plan: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a plan without sites, other than those open anyway, that cover nothing the rest does not."""
    held = np.zeros(sets.n_rows, np.int64)
    rows = {int(j): sets.site_row[sets.site_ptr[j] : sets.site_ptr[j + 1]] for j in plan}
    for row in rows.values():
        held[row] += 1
    kept = []
    for j, row in rows.items():
        if j in always or (held[row] == 1).any():
            kept.append(j)
        else:
            held[row] -= 1
    return np.array(kept, np.int64)


def _searched(core: Core, watch: Watch, seed: int) -> list[NDArray[np.int64]]:
    """Return plans of ``core.count`` sites that searches from several plans, and from pairs of these, find; best first.

    A pair breeds a plan from the sites of both, thinned to the count; it takes the place of the worst it beats.
    """
    rng = np.random.default_rng(seed)
    first = greedy(core.sets, core.count)
    plans: list[NDArray[np.int64]] = []
    values: list[float] = []
    most = core.most()
    steps = min(STEPS_PER_ENTRY * (len(core.sets.site_row) + core.sets.n_sites), MOST_STEPS) // (PLANS + BRED)
    for k in range(PLANS + BRED):
        if k == 0:
            start = first
        elif k < PLANS:
            others = rng.choice(core.sets.n_sites, core.count, replace=False)
            start = thinned(core.sets, np.union1d(first, others), core.count, rng)
        else:
            a, b = rng.choice(PLANS, 2, replace=False)
            start = thinned(core.sets, np.union1d(plans[a], plans[b]), core.count, rng)
        plan, value = improved(core.sets, start, steps, SLACK, int(rng.integers(2**63)), watch)
        if k < PLANS:
            plans.append(plan)
            values.append(value)
        elif value > min(values) and value not in values:
            worst = int(np.argmin(values))
            plans[worst], values[worst] = plan, value
        watch.tell(SEARCHING, value=core.base + max(values))
        if watch.over or core.base + max(values) >= most * (1 - OPTIMAL_GAP):
            break
    return [plans[k] for k in np.argsort([-value for value in values], kind="stable")]
