"""Sites that can serve only so much: the capacitated p-median, and the capacitated covering of most demand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.siting.capacitated_incumbent import Incumbent
from planner.siting.capacitated_problem import Floats, Ints, Problem
from planner.siting.capacitated_tree import search
from planner.siting.near_lists import NearLists
from planner.siting.plan import Plan
from planner.siting.watch import Watch

NONE: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """A plan, and which demand goes to which of its sites.

    site, demand, amount : (t,) columns, demands and the part of the demand's weight that goes there; several entries for
    a demand that is split, none for what is left out. load : (k,) the amounts at each of ``plan.chosen``.
    """

    plan: Plan
    site: Ints
    demand: Ints
    amount: Floats
    load: Floats


def least_total_within(
    lists: NearLists,
    weight: Floats,
    capacity: Floats,
    count: int,
    *,
    fixed: Ints = NONE,
    whole: bool = True,
    cost_weight: Floats | None = None,
    watch: Watch = Watch(),
    seed: int = 0,
) -> Assigned:
    """Choose ``count`` sites beside the fixed ones for the least total cost, no site serving more than it can."""
    weight = np.asarray(weight, float)
    cost_weight = weight if cost_weight is None else np.asarray(cost_weight, float)
    capacity = np.asarray(capacity, float)
    order = np.argsort(lists.site, kind="stable")
    demand = lists.demand[order].astype(np.int32)
    cost = lists.cost[order] * cost_weight[demand]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(lists.site, minlength=lists.n_sites))]).astype(np.int64)
    must = not np.isfinite(lists.beyond)
    if must:
        dearest = np.zeros(len(weight))
        np.maximum.at(dearest, demand, cost)
        without = np.full(len(weight), 1.0 + dearest.sum())
    else:
        without = lists.beyond * cost_weight
    m = lists.n_sites
    is_open = np.zeros(m, bool)
    is_open[fixed] = True
    places = min(count, m - int(is_open.sum()))
    problem = Problem(np.arange(m), is_open, ptr, demand, cost, weight, without, capacity, places, whole, must)
    incumbent = Incumbent(problem)
    bound = search(problem, incumbent, watch, np.random.default_rng(seed))
    k = len(incumbent.sites)
    plan = Plan(np.sort(incumbent.sites), incumbent.value, bound, maximised=False)
    i, at = np.nonzero(incumbent.part[:, :k])
    return Assigned(plan, incumbent.sites[at], i, incumbent.part[i, at] * weight[i], np.zeros(k))
