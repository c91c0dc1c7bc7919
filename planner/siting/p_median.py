"""The p-median: sites that keep the total of weight times cost to the nearest of them least, with a proof.

Local search by swaps, a Lagrangian bound, and branching on sites with the same bound and the same local search.
"""

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.siting.near_lists import NearLists
from planner.siting.p_median_incumbent import Incumbent
from planner.siting.p_median_lagrange import Part, without
from planner.siting.p_median_tree import Tree
from planner.siting.plan import NO_SITES, Plan
from planner.watch import FOREVER, Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def least_total(
    lists: NearLists, weight: Floats, count: int, *, fixed: Ints = NO_SITES, watch: Watch = FOREVER, seed: int = 0
) -> Plan:
    """Open ``count`` sites so that demand costs least in all, each unit at its nearest open site.

    weight : (d,) units of demand, finite and >= 0. count : sites to open beside ``fixed``, columns that are open
    anyway; all there are where fewer are left. A demand none of whose sites is open costs ``lists.beyond`` a unit.

    The plan's value is the sum of weight times cost. Where costs and weights are whole numbers the bound is rounded up.
    The same seed gives the same sites unless ``watch`` ends the search; it then holds the best plan and bound so far.
    Raises QuestionError on a wrong weight, count or column, where demand reaches no site at all though it must, or
    where no choice of ``count`` sites reaches all that must be reached.
    Source: Christofides and Beasley 1982, A tree search algorithm for the p-median problem, EJOR 10(2),
    doi:10.1016/0377-2217(82)90160-6, with the local search of Resende and Werneck 2007.
    """
    _check(lists, weight, count, fixed)
    candidates = np.setdiff1d(np.arange(lists.n_sites), fixed)
    count = min(count, len(candidates))
    whole = bool(np.all(weight == np.rint(weight)) and np.all(lists.cost == np.rint(lists.cost)))
    whole = whole and (lists.beyond == np.inf or lists.beyond == np.rint(lists.beyond))
    part, penalty = _question(lists, weight, count, fixed, candidates)

    incumbent = Incumbent(part, seed, whole=whole)
    bound = Tree(part, incumbent, watch).search()
    if bound > penalty:
        raise QuestionError(
            f"任取 {count} 个点位都无法让所有需求到达", f"no choice of {count} sites reaches all demand that must be"
        )
    chosen = np.union1d(fixed, candidates[incumbent.sites]).astype(np.int64)
    value = _value(lists, weight, chosen)
    return Plan(chosen, value, min(bound, value), maximised=False)


def _check(lists: NearLists, weight: Floats, count: int, fixed: Ints) -> None:
    """Refuse a question that has no answer."""
    if weight.shape != (lists.n_demands,) or not np.all((weight >= 0) & (weight < np.inf)):
        raise QuestionError(
            f"需要 {lists.n_demands} 个不小于 0 的权重", f"expected {lists.n_demands} weights of at least 0"
        )
    if len(fixed) and (np.min(fixed) < 0 or np.max(fixed) >= lists.n_sites):
        raise QuestionError("已定点位不在候选之中", "a fixed site is not among the candidates")
    if count < 0 or count + len(fixed) == 0 or lists.n_sites == 0:
        raise QuestionError(f"至少要有一个点位，收到 {count}", f"there must be a site at least, got {count}")
    lost = int(((np.diff(lists.ptr) == 0) & (weight > 0)).sum()) if lists.beyond == np.inf else 0
    if lost:
        raise QuestionError(f"{lost} 处需求到不了任何候选点位", f"{lost} demands reach no candidate at all")


def _question(lists: NearLists, weight: Floats, count: int, fixed: Ints, candidates: Ints) -> tuple[Part, float]:
    """Return what there is to decide, and the most a plan costs in which all is reached that must be."""
    asked = np.flatnonzero(weight > 0)
    kept = lists.keep((weight > 0)[lists.demand])
    ptr = np.append(kept.ptr[asked], len(kept.site))
    cost = kept.cost * np.repeat(weight[asked], np.diff(ptr))
    penalty = np.inf
    miss = weight[asked] * lists.beyond
    if lists.beyond == np.inf:
        # leaving one demand out costs more than the worst plan that leaves none out
        penalty = float(cost[ptr[1:] - 1].sum()) if len(asked) else 0.0
        miss = np.full(len(asked), np.ceil(1.001 * penalty) + 1.0)
    number = np.zeros(lists.n_sites, np.int32)
    number[candidates] = np.arange(len(candidates))
    is_fixed = np.zeros(lists.n_sites, bool)
    is_fixed[fixed] = True
    all_free = Part(ptr, kept.site, cost, miss, np.ones(lists.n_sites, bool), count + int(is_fixed.sum()))
    left = without(all_free, is_fixed, np.zeros(lists.n_sites, bool))
    return Part(left.ptr, number[left.site], left.cost, left.miss, np.ones(len(candidates), bool), count), penalty


def _value(lists: NearLists, weight: Floats, chosen: Ints) -> float:
    """Return the total cost of a choice."""
    asked = weight > 0
    return float(weight[asked] @ lists.least(chosen)[asked])
