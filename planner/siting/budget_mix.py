"""Keep, upgrade, convert or build: the mix of variants that covers most for a budget."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from gis.errors import QuestionError
from planner import milp
from planner.siting.cover_best import best_cover
from planner.siting.cover_model import Columns, CoverProblem, cover_problem, place_rows
from planner.siting.cover_sets import CoverSets, Floats
from planner.siting.plan import Plan
from planner.watch import FOREVER, Watch

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """What could be done, and where: v variants at s places.

    site : (v,) int32, the place of each. cost : (v,) >= 0. area : (v,) int32 its district, -1 for none.
    must : (s,) places that keep exactly one variant: points that may not close, for which leaving them as they are is
    a variant of cost 0.
    """

    site: NDArray[np.int32]
    cost: Floats
    area: NDArray[np.int32]
    must: NDArray[np.bool_]


def best_mix(
    sets: CoverSets,
    variants: Variants,
    budget: float,
    *,
    least_per_area: Ints | None = None,
    most_per_area: Ints | None = None,
    watch: Watch,
    seed: int,
) -> Plan:
    """Choose variants, at most one a place and no dearer than ``budget`` together, that cover the most weight.

    sets : its columns are the variants. least_per_area, most_per_area : (a,) how many variants with a cost each area
    gets. Where points offer several functions, the rows of all functions stand side by side in ``sets``.
    Raises QuestionError on shapes that do not fit or negative costs, and where no choice meets the minimums of the
    areas, the places that must stay and the budget, saying which of them stands in the way.
    """
    _check(sets, variants, budget)
    m, paid = sets.n_sites, variants.cost > 0
    n_areas = max((len(part) for part in (least_per_area, most_per_area) if part is not None), default=0)
    counted = np.flatnonzero(paid & (variants.area >= 0) & (variants.area < n_areas))
    areas = csr_array((np.ones(len(counted)), (variants.area[counted], counted)), shape=(n_areas, m))
    least = np.zeros(n_areas) if least_per_area is None else np.asarray(least_per_area, float)
    most = np.full(n_areas, np.inf) if most_per_area is None else np.asarray(most_per_area, float)
    problem = replace(
        cover_problem(sets, sets.weight), place=np.asarray(variants.site, np.int32), must=variants.must,
        limits=csr_array(vstack([csr_array(variants.cost[None, :]), areas])),
        least=np.append(0.0, least), most=np.append(budget, most),
    )  # fmt: skip
    problem = problem.within(np.ones(m, bool), _only_ones(variants))
    start = problem.column[_cheapest(problem, budget)]
    problem = problem.within(variants.cost[problem.column] <= budget, np.zeros(0, np.int64))
    return best_cover(problem, np.searchsorted(problem.column, start), watch, seed)


def _check(sets: CoverSets, variants: Variants, budget: float) -> None:
    v = sets.n_sites
    if not len(variants.site) == len(variants.cost) == len(variants.area) == v:
        raise QuestionError(
            f"每个方案列须有地点、费用和片区，共 {v} 列", f"each of the {v} variants needs a place, a cost and an area"
        )
    if v and not 0 <= variants.site.min() <= variants.site.max() < len(variants.must):
        raise QuestionError("方案的地点不存在", "a variant stands at a place that does not exist")
    if v and not (variants.cost.min() >= 0 and np.isfinite(variants.cost.max())):
        raise QuestionError("费用须为不小于零的有限值", "costs must be finite and >= 0")
    if not budget >= 0:
        raise QuestionError(f"预算不得为负，收到 {budget:g}", f"the budget must be >= 0, got {budget:g}")
    empty = np.flatnonzero(variants.must & (np.bincount(variants.site, minlength=len(variants.must)) == 0))
    if len(empty):
        raise QuestionError(
            f"地点 {empty[0]} 须保留，却没有可选方案", f"place {empty[0]} must stay open but has no variant"
        )


def _only_ones(variants: Variants) -> Columns:
    """Return the variants that are chosen in any case: the only one of a place that must stay, where it is free."""
    alone = np.bincount(variants.site, minlength=len(variants.must)) == 1
    return np.flatnonzero((alone & variants.must)[variants.site] & (variants.cost == 0)).astype(np.int64)


def _cheapest(problem: CoverProblem, budget: float) -> Columns:
    """Return the cheapest choice that meets every minimum, or raise QuestionError saying what stands in the way."""
    if not problem.must.any() and (problem.least <= 0).all():
        return np.zeros(0, np.int64)
    open_ended = replace(problem, most=np.append(np.inf, problem.most[1:]))
    solved = _least_cost(open_ended)
    if solved.infeasible:
        area = _short_area(open_ended)
        raise QuestionError(
            f"片区 {area} 的最少点数无法满足", f"the minimum of area {area} cannot be met beside the other limits"
        )
    if solved.x is None or solved.value > problem.most[0] + 1e-9:
        raise QuestionError(
            f"最低要求需费用 {solved.value:g}，超出预算 {budget:g}",
            f"what must be done costs {solved.value:g}, more than the budget of {budget:g}",
        )
    return np.flatnonzero(solved.x > 0.5)


def _least_cost(problem: CoverProblem) -> milp.Solved:
    """Return the least cost at which all limits but the budget are met."""
    rows, _ = place_rows(problem)
    m, p = len(problem.place), len(problem.must)
    return milp.solve(
        milp.Model(
            cost=problem.limits[[0]].toarray().ravel(), lower=np.zeros(m), upper=np.ones(m),
            matrix=csr_array(vstack([problem.limits, rows])), row_lower=np.append(problem.least, problem.must),
            row_upper=np.append(problem.most, np.ones(p)), integer=np.ones(m, bool),
        ),
        FOREVER,  # it has no rows of demand and takes no time to speak of
    )  # fmt: skip


def _short_area(problem: CoverProblem) -> int:
    """Return the first area whose minimum, on top of those of the areas before it, cannot be met."""
    for area in range(1, len(problem.least)):
        least = np.where(np.arange(len(problem.least)) <= area, problem.least, 0.0)
        if _least_cost(replace(problem, least=least)).infeasible:
            return area - 1
    return -1
