"""The p-center: sites that keep the longest way of any demand to the nearest of them shortest, with a proof.

The answer is one of the costs listed. Halving the costs in question, each step asks whether few enough sites cover all
demand within a cost: a covering problem, cut down by what its rows and sites imply before it is solved.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from gis.errors import QuestionError
from planner import milp
from planner.siting.cover_sets import CoverSets, merge_cover_sets, undominated_rows, undominated_sites
from planner.siting.near_lists import NearLists
from planner.siting.plan import NO_SITES, Plan
from planner.watch import FOREVER, Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DOING = "p-center"


def least_longest(
    lists: NearLists, count: int, *, fixed: Ints = NO_SITES, watch: Watch = FOREVER, seed: int = 0
) -> Plan:
    """Open ``count`` sites so that the demand worst off has the least cost to its nearest open site.

    count : sites to open beside ``fixed``, columns that are open anyway; all there are where fewer are left. All
    demands count alike. One that finds no listed site open costs ``lists.beyond``. seed : breaks ties at the start.

    The plan's value is the longest cost. A watch that ends the search leaves the best plan and the bound so far.
    Raises QuestionError on a wrong count or column, where demand reaches no site at all though it must, or where no
    choice of ``count`` sites reaches all that must be reached.
    Source: Minieka 1970, The m-center problem, SIAM Review 12(1), doi:10.1137/1012016; reductions of the covering
    problems as in Beasley 1987, doi:10.1016/0377-2217(87)90141-X.
    """
    _check(lists, count, fixed)
    candidates = np.setdiff1d(np.arange(lists.n_sites), fixed)
    count = min(count, len(candidates))
    served = lists.least(np.asarray(fixed, np.int64))
    nearest = np.full(lists.n_demands, lists.beyond)
    listed = np.diff(lists.ptr) > 0
    nearest[listed] = lists.cost[lists.ptr[:-1][listed]]
    floor = float(np.max(np.minimum(nearest, served), initial=0.0))
    best = np.sort(np.concatenate([fixed, _farthest_first(lists, candidates, served, count, seed)])).astype(np.int64)
    value = _longest(lists, best)
    costs = np.unique(np.append(lists.cost, [lists.beyond, value]))
    costs = costs[(costs >= floor) & (costs <= value)]

    low, high = 0, len(costs) - 1  # nothing below costs[low] can be had, costs[high] is
    while low < high and not watch.over:
        watch.tell(DOING, value=float(costs[high]), bound=float(costs[low]))
        middle = (low + high) // 2
        found, proven = _within(lists, float(costs[middle]), candidates, served, count, watch)
        if found is not None:
            best = np.sort(np.concatenate([fixed, found])).astype(np.int64)
            high = int(np.searchsorted(costs, _longest(lists, best)))
        elif proven:
            low = middle + 1
        else:
            break
    if costs[low] == np.inf:
        raise QuestionError(
            f"任取 {count} 个点位都无法让所有需求到达", f"no choice of {count} sites reaches all demand that must be"
        )
    return Plan(best, _longest(lists, best), float(costs[low]), maximised=False)


def _check(lists: NearLists, count: int, fixed: Ints) -> None:
    """Refuse a question that has no answer."""
    if len(fixed) and (np.min(fixed) < 0 or np.max(fixed) >= lists.n_sites):
        raise QuestionError("已定点位不在候选之中", "a fixed site is not among the candidates")
    if count < 0 or count + len(fixed) == 0 or lists.n_sites == 0:
        raise QuestionError(f"至少要有一个点位，收到 {count}", f"there must be a site at least, got {count}")
    lost = int((np.diff(lists.ptr) == 0).sum()) if lists.beyond == np.inf else 0
    if lost:
        raise QuestionError(f"{lost} 处需求到不了任何候选点位", f"{lost} demands reach no candidate at all")


def _longest(lists: NearLists, chosen: Ints) -> float:
    return float(np.max(lists.least(chosen), initial=0.0))


def _farthest_first(lists: NearLists, candidates: Ints, served: Floats, count: int, seed: int) -> Ints:
    """Open the nearest closed site of the demand worst off, again and again (Gonzalez 1985), then fill up."""
    rng = np.random.default_rng(seed)
    demand = lists.demand
    by_site = np.argsort(lists.site, kind="stable")
    at = np.concatenate([[0], np.cumsum(np.bincount(lists.site, minlength=lists.n_sites))])
    is_open = np.ones(lists.n_sites, bool)
    is_open[candidates] = False
    least, chosen = served.copy(), []
    for _ in range(count):
        if not len(least):
            break
        worst = np.flatnonzero(least == least.max())
        row = lists.site[slice(*lists.ptr[(u := rng.choice(worst)) : u + 2])]
        closed = row[~is_open[row]]
        if not len(closed):
            break
        site = int(closed[0])
        is_open[site] = True
        chosen.append(site)
        entry = by_site[at[site] : at[site + 1]]
        least[demand[entry]] = np.minimum(least[demand[entry]], lists.cost[entry])
    return _filled(np.array(chosen, np.int64), candidates, count)


def _filled(chosen: Ints, candidates: Ints, count: int) -> Ints:
    """Add the lowest candidates until there are ``count``."""
    return np.concatenate([chosen, np.setdiff1d(candidates, chosen)[: count - len(chosen)]])


def _within(
    lists: NearLists, limit: float, candidates: Ints, served: Floats, count: int, watch: Watch
) -> tuple[Ints | None, bool]:
    """Return (``count`` candidates that cover all demand within ``limit``, None without; whether that is proven)."""
    asked = (served > limit)[lists.demand] & (lists.cost <= limit)
    reached = np.unique(lists.demand[asked])
    if len(reached) < int((served > limit).sum()):
        return None, True
    order = np.flatnonzero(asked)[np.argsort(lists.site[asked], kind="stable")]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(lists.site[asked], minlength=lists.n_sites))])
    sets, column = _reduced(
        merge_cover_sets(ptr.astype(np.int64), lists.demand[order].astype(np.int32), np.ones(lists.n_demands))
    )
    if sets.n_sites > count:
        solved = milp.solve(_covering(sets, count), watch, options={"objective_target": count + 0.5}, doing=DOING)
        if solved.x is None:
            return None, solved.infeasible
        column = column[solved.x > 0.5]
    return _filled(column, candidates, count), True


def _reduced(sets: CoverSets) -> tuple[CoverSets, Ints]:
    """Leave out rows that others imply and sites that others replace, until all matter; return the columns left."""
    column = np.arange(sets.n_sites)
    while True:
        rows = undominated_rows(sets)
        sets = sets.part(rows, np.ones(sets.n_sites, bool))
        sites = undominated_sites(sets)
        if sites.all():
            return sets, column
        sets, column = sets.part(np.ones(sets.n_rows, bool), sites), column[sites]


def _covering(sets: CoverSets, count: int) -> milp.Model:
    """Return the model of the fewest sites that cover every row, at most ``count``."""
    m, n = sets.n_sites, sets.n_rows
    matrix = vstack([sets.row_matrix(), csr_array(np.ones((1, m)))])
    least, most = np.append(np.ones(n), 0.0), np.append(np.full(n, np.inf), float(count))
    return milp.Model(np.ones(m), np.zeros(m), np.ones(m), matrix, least, most, np.ones(m, bool))
