"""Sites that can serve only so much: the capacitated p-median, and covering the most demand within capacities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.siting.capacitated_incumbent import Incumbent
from planner.siting.capacitated_problem import Floats, Ints, Problem
from planner.siting.capacitated_tree import search
from planner.siting.cover_sets import merge_cover_sets
from planner.siting.near_lists import NearLists
from planner.siting.plan import NO_SITES, Plan
from planner.watch import FOREVER, Watch


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """A plan, and which demand goes to which of its sites.

    site, demand, amount : (t,) columns, demands and the part of the demand's weight that goes there, by demand; several
    entries for a demand that is split, none for what is left out. load : (k,) the sum at each of ``plan.chosen``.
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
    fixed: Ints = NO_SITES,
    whole: bool = True,
    cost_weight: Floats | None = None,
    watch: Watch = FOREVER,
    seed: int = 0,
) -> Assigned:
    """Choose ``count`` sites (or all there are) beside the fixed ones for the least total cost, none serving too much.

    weight : (d,) >= 0, what each demand takes of a site's capacity. capacity : (m,) >= 0, ``inf`` for no limit.
    cost_weight : (d,) >= 0 times the cost in ``lists`` is what a demand costs at a site; ``weight`` unless given.
    whole : each demand goes to one site; otherwise it may be split. Where ``lists.beyond`` is finite, demand may be
    left out at that cost; where it is not, all must be served.

    Raises QuestionError where that cannot be, naming what is short, or where no plan was found in time; also on sizes
    that do not fit and on figures that are missing or negative.
    Source: the capacitated p-median problem, Lorena & Senne 2004, doi:10.1016/S0305-0548(03)00039-X.
    """
    weight, capacity = np.asarray(weight, np.float64), np.asarray(capacity, np.float64)
    paid = weight if cost_weight is None else np.asarray(cost_weight, np.float64)
    is_open = _checked(lists.n_demands, lists.n_sites, (weight, paid), capacity, count, fixed)
    # demand that neither weighs nor costs anything needs no place
    real = (weight > 0) | (paid > 0)
    position = np.cumsum(real) - 1
    entry = np.flatnonzero(real[lists.demand])
    entry = entry[np.argsort(lists.site[entry], kind="stable")]
    demand = position[lists.demand[entry]].astype(np.int32)
    need, paid = weight[real], paid[real]
    cost = lists.cost[entry] * paid[demand]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(lists.site[entry], minlength=lists.n_sites))]).astype(np.int64)
    must = not np.isfinite(lists.beyond)
    dearest = np.zeros(len(need))
    np.maximum.at(dearest, demand, cost)
    without = np.full(len(need), 1.0 + dearest.sum()) if must else lists.beyond * paid
    places = min(count, lists.n_sites - int(is_open.sum()))
    sites = np.arange(lists.n_sites)
    problem = Problem(sites, is_open, ptr, demand, cost, need, without, capacity, places, whole, must)
    if must:
        _refuse_what_cannot_be(problem)

    incumbent = Incumbent(problem)
    bound = search(problem, incumbent, watch, np.random.default_rng(seed))
    if must and (incumbent.value == np.inf or incumbent.part[:, -1].any()):
        raise _none_found(problem, proven=bound > dearest.sum())
    return _assigned(incumbent, bound, np.flatnonzero(real), incumbent.part * need[:, None])


def maximise_cover_within(
    reach: csr_array,
    weight: Floats,
    capacity: Floats,
    count: int,
    *,
    fixed: Ints = NO_SITES,
    watch: Watch = FOREVER,
    seed: int = 0,
) -> Assigned:
    """Choose ``count`` sites (or all there are) beside the fixed ones to serve the most demand within their capacities.

    reach : (m, d) sparse, an entry where a site may serve a demand. weight : (d,) >= 0, may be split among sites.
    capacity : (m,) >= 0, ``inf`` for no limit. Demand within reach of the same sites is searched as one.

    Raises QuestionError on sizes that do not fit and on figures that are missing or negative.
    Source: the capacitated maximal covering problem, Current & Storbeck 1988, doi:10.1068/b150153.
    """
    weight, capacity = np.asarray(weight, np.float64), np.asarray(capacity, np.float64)
    m, d = reach.shape
    is_open = _checked(d, m, (weight,), capacity, count, fixed)
    sets = merge_cover_sets(reach.indptr, reach.indices, weight)
    places = min(count, m - int(is_open.sum()))
    total = float(sets.weight.sum())
    problem = Problem(
        np.arange(m), is_open, sets.site_ptr, sets.site_row, np.zeros(len(sets.site_row)), sets.weight, sets.weight,
        capacity, places, whole=False, must=False,
    )  # fmt: skip
    incumbent = Incumbent(problem, served_of=total)
    bound = search(problem, incumbent, watch, np.random.default_rng(seed))
    covered = np.flatnonzero((sets.row_of >= 0) & (weight > 0))
    share = incumbent.part[sets.row_of[covered]] * weight[covered, None]
    return _assigned(incumbent, bound, covered, share)


def _checked(
    d: int, m: int, demands: tuple[Floats, ...], capacity: Floats, count: int, fixed: Ints
) -> NDArray[np.bool_]:
    """Return (m,) which sites are fixed. Raises QuestionError on anything that does not fit."""
    if any(given.shape != (d,) for given in demands) or capacity.shape != (m,):
        raise QuestionError(
            f"需求与容量的个数须为 {d} 与 {m}", f"expected {d} weights and {m} capacities, one for each demand and site"
        )
    if not all(np.all((given >= 0) & (given < np.inf)) for given in demands):
        raise QuestionError("需求须为不小于零的有限值", "demand must be finite and >= 0")
    if not np.all(capacity >= 0):  # NaN fails it too
        raise QuestionError("容量须为不小于零的数", "capacities must be numbers of at least 0")
    if count < 0:
        raise QuestionError(f"点数须不小于 0，收到 {count}", f"the number of sites must be at least 0, got {count}")
    is_open = np.zeros(m, bool)
    if len(fixed) and not 0 <= np.min(fixed) <= np.max(fixed) < m:
        raise QuestionError(f"固定点须在 0 到 {m - 1} 之间", f"fixed sites must lie in 0..{m - 1}")
    is_open[np.asarray(fixed, np.int64)] = True
    return is_open


def _refuse_what_cannot_be(problem: Problem) -> None:
    """Raise QuestionError where demand is out of reach, too heavy, or too much for any choice of sites."""
    d = len(problem.need)
    alone = d - np.count_nonzero(np.bincount(problem.demand, minlength=d))
    if alone:
        raise QuestionError(f"{alone} 处需求没有任何候选点可达", f"{alone} demands are within reach of no site")
    largest = np.zeros(d)
    np.maximum.at(largest, problem.demand, problem.capacity[problem.pair_site])
    heavy = np.flatnonzero(problem.need > largest)
    if problem.whole and len(heavy):
        i = heavy[np.argmax(problem.need[heavy])]
        raise QuestionError(
            f"{len(heavy)} 处需求超过可达的任何一点的容量：最大 {problem.need[i]:g}，容量 {largest[i]:g}",
            f"{len(heavy)} demands exceed the capacity of every site in reach: "
            f"the largest is {problem.need[i]:g}, the capacity {largest[i]:g}",
        )
    others = np.sort(problem.capacity[~problem.open])[::-1][: problem.places]
    room, total = float(problem.capacity[problem.open].sum() + others.sum()), float(problem.need.sum())
    if total > room * (1 + 1e-12):
        raise QuestionError(
            f"容量不足：需求共 {total:g}，任选 {problem.places} 个新点至多容纳 {room:g}",
            f"too little capacity: demand is {total:g}, the best {problem.places} new sites hold {room:g} in all",
        )


def _none_found(problem: Problem, *, proven: bool) -> QuestionError:
    places = problem.places
    if proven:
        return QuestionError(
            f"没有 {places} 个新点能在容量之内服务全部需求",
            f"no {places} new sites can serve all demand within capacity",
        )
    return QuestionError(
        f"在限定时间内未找到 {places} 个新点在容量之内服务全部需求的方案",
        f"no plan of {places} new sites that serves all demand within capacity was found in the time",
    )


def _assigned(incumbent: Incumbent, bound: float, demands: Ints, amount: Floats) -> Assigned:
    """Return the incumbent in full: amount (t, k + 1) is what ``demands`` send to each of its sites."""
    problem, served_of = incumbent.problem, incumbent.served_of
    sites = incumbent.sites
    idle = np.setdiff1d(np.arange(problem.n_sites), sites)
    spare = problem.places + int(problem.open.sum()) - len(sites)
    chosen = np.sort(np.concatenate([sites, idle[:spare]]))
    i, k = np.nonzero(amount[:, :-1])
    load = np.zeros(len(chosen))
    np.add.at(load, np.searchsorted(chosen, sites[k]), amount[i, k])
    if served_of is None:
        plan = Plan(chosen, incumbent.value, bound, maximised=False)
    else:
        plan = Plan(chosen, float(amount[:, :-1].sum()), served_of - bound, maximised=True)
    return Assigned(plan, sites[k], demands[i], amount[i, k], load)
