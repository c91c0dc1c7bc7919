"""What each sum of money, and each degree of fairness, can buy in cover: every point of the frontier, proven."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner import milp
from planner.inequality import gini
from planner.siting.cover_best import best_cover
from planner.siting.cover_improve import improved
from planner.siting.cover_model import Columns, CoverProblem, cover_problem, model_of, times_covered
from planner.siting.cover_sets import CoverSets, Floats
from planner.siting.equity import area_parts
from planner.siting.max_cover import checked_columns, maximise_cover
from planner.siting.plan import OPTIMAL_GAP, Plan
from planner.siting.worst_proof import fair_model
from planner.siting.worst_share import raised, share_problem
from planner.watch import Watch

#: Part of the usual search per point: each starts from its neighbour.
EFFORT = 0.02
#: Parts of the time there is for the point of most cover, and for each after it.
COVER_TIME, POINT_TIME = 0.5, 0.15
#: Entries of the cover sets beyond which no whole model is put to HiGHS: it would not heed the watch for minutes.
MOST_ENTRIES = 300_000
#: How much cheaper the next point must be, as a part of the cheapest site's cost, where costs are not whole.
CHEAPER = 1e-5
#: How much more of the worst area's share the next point must have, and what may be lacking, as rounding.
STEP, SLACK = 1e-6, 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class FrontierPoint:
    """A plan that nothing beats at once in cost (or fairness) and in cover.

    cost : of the sites chosen beside the fixed ones. value, bound : weight covered, and the proven most for this cost
    (for this worst share). chosen : (k,) columns, ascending. worst_share, gini : of the areas' shares, NaN without.
    """

    cost: float
    value: float
    bound: float
    chosen: Columns
    worst_share: float = math.nan
    gini: float = math.nan

    @property
    def gap(self) -> float:
        """How much more could be covered at most, as a part of ``value``."""
        return Plan(self.chosen, self.value, self.bound, maximised=True).gap

    @property
    def optimal(self) -> bool:
        """Whether no plan of this cost (fairness) covers more."""
        return self.gap <= OPTIMAL_GAP


def coverage_frontier(
    sets: CoverSets, cost: Floats, *, most: float = math.inf, fixed: NDArray[np.int64], watch: Watch, seed: int
) -> list[FrontierPoint]:
    """Return all plans that no other plan both undercuts in cost and exceeds in cover, by cost ascending.

    cost : (m,) > 0, of each site (``fixed`` ones cost nothing more); where costs are not whole, sums closer than 1e-5
    of the least count as equal. most : the highest cost of interest.
    One plan a point. Without ``fixed`` sites the plan of nothing is left out. Where the watch ends the search the
    points found so far are returned, dear ones first found, one at least; their bounds say what is proven.
    Raises QuestionError on costs not above 0, ``most`` below 0 or a fixed column that does not exist.
    Source: the epsilon-constraint method, Haimes et al. 1971, https://doi.org/10.1109/TSMC.1971.4308298; Mavrotas 2009,
    https://doi.org/10.1016/j.amc.2009.03.037
    """
    always = checked_columns(sets, fixed)
    if len(cost) != sets.n_sites or not (np.min(cost, initial=1.0) > 0 and np.max(cost, initial=1.0) < math.inf):
        raise QuestionError(f"每个候选点须有大于零的费用，共 {sets.n_sites} 个", "every site needs a cost above 0")
    if not most >= 0:
        raise QuestionError(f"最高费用不得为负，收到 {most:g}", f"the highest cost must be >= 0, got {most:g}")

    whole = cover_problem(sets, sets.weight).within(np.ones(sets.n_sites, bool), always)
    unit = 1.0 if (cost == np.round(cost)).all() else float(np.min(cost))
    own = np.asarray(cost, float)[whole.column] / unit
    whole = replace(
        whole, limits=csr_array(own[None, :]), least=np.zeros(1), most=np.array([min(most / unit, own.sum())])
    )
    start, ceiling = _all_covered(whole, watch, seed), whole.ceiling
    if len(start):
        whole = replace(whole, most=np.minimum(whole.most, whole.limits @ _marked(whole, start)))
    step = 1.0 if (own == np.round(own)).all() else CHEAPER
    relaxation = milp.Relaxation(model_of(whole, whole=False), watch)
    points: list[FrontierPoint] = []
    while not points or (points[-1].cost > 0 and not watch.over):
        plan = best_cover(
            whole, _fitting(whole, start), watch, seed, ceiling=ceiling, effort=EFFORT, relaxation=relaxation
        )
        paid = float(np.sum(cost[np.setdiff1d(plan.chosen, always)]))
        while points and plan.value >= points[-1].value:
            points.pop()  # as much for less
        points.append(FrontierPoint(paid, plan.value, plan.bound, plan.chosen))
        start = np.flatnonzero(np.isin(whole.column, plan.chosen))
        ceiling = plan.bound
        whole = replace(whole, most=np.array([paid / unit - step]))
        watch.tell("tracing the frontier", value=plan.value, bound=plan.bound)
    points = [point for point in points if point.cost > 0 or len(point.chosen)]
    return points[::-1]


def _all_covered(problem: CoverProblem, watch: Watch, seed: int) -> Columns:
    """Return the cheapest columns that cover every row; none where ``most`` does not pay for it or time ran out."""
    m, none = problem.sets.n_sites, np.zeros(0, np.int64)
    own = problem.limits.toarray().ravel()
    greedy = improved(replace(problem, most=np.full(1, np.inf)), none, watch, seed, effort=1e-9)
    largest = int(np.diff(problem.sets.site_ptr).max(initial=1))
    # greedy costs at most 1 + 1/2 + ... + 1/largest times the cheapest (Chvatal 1979)
    if watch.over or own[greedy].sum() > problem.most[0] * (1 + math.log(largest)):
        return none
    n = problem.sets.n_rows
    model = milp.Model(
        cost=own, lower=np.zeros(m), upper=np.ones(m), matrix=problem.sets.row_matrix(), row_lower=np.ones(n),
        row_upper=np.full(n, np.inf), integer=np.ones(m, bool),
    )  # fmt: skip
    solved = milp.solve(model, watch, doing="covering everything")
    if solved.x is None or solved.value > problem.most[0] + 1e-9:
        return none
    return np.flatnonzero(solved.x > 0.5)


def _marked(problem: CoverProblem, chosen: Columns) -> Floats:
    """Return (m,) ones at the columns chosen."""
    return np.isin(np.arange(problem.sets.n_sites), chosen).astype(float)


def _fitting(problem: CoverProblem, chosen: Columns) -> Columns:
    """Return a choice within the limit: without the columns that give up least for what they cost."""
    sets, own = problem.sets, problem.limits.toarray().ravel()
    while len(chosen) and own[chosen].sum() > problem.most[0]:
        alone = times_covered(sets, chosen) == 1
        lost = [
            problem.first[rows[alone[rows]]].sum()
            for rows in (sets.site_row[sets.site_ptr[j] : sets.site_ptr[j + 1]] for j in chosen)
        ]
        chosen = np.delete(chosen, np.argmin(np.array(lost) / own[chosen]))
    return chosen


def equity_frontier(
    sets: CoverSets,
    area_weight: Floats,
    count: int,
    *,
    area_people: Floats | None = None,
    fixed: NDArray[np.int64],
    watch: Watch,
    seed: int,
) -> list[FrontierPoint]:
    """Return all plans of at most ``count`` new sites that none beats in cover and in the worst area's share at once.

    area_weight : (a, n), as in ``best_worst_area``. area_people : (a,) by which the Gini coefficient of the areas'
    shares weighs them, evenly where not given. By cover ascending, the worst share descending. From the most cover on,
    the least share asked for is raised until no plan has it (epsilon-constraint). Where the watch ends the search the
    points found so far are returned, those of most cover first found, one at least; of a large city's, the point of
    most cover and the fairest that a search finds.
    Raises QuestionError as ``best_worst_area`` does.
    """
    always, parts = checked_columns(sets, fixed), area_parts(sets, area_weight)
    people = np.ones(len(area_weight)) if area_people is None else np.asarray(area_people, float)
    problem = share_problem(sets, parts, count, always)
    base = float(sets.weight[sets.covered(always)].sum())

    def point(chosen: Columns, bound: float) -> FrontierPoint:
        open_ = problem.in_whole(chosen)
        covered, shares = float(sets.weight[sets.covered(open_)].sum()), problem.shares(chosen)
        bound = max(bound, covered)
        worst, uneven = float(shares.min()), gini(shares, people)
        return FrontierPoint(float(len(open_) - len(always)), covered, bound, open_, worst, uneven)

    most = maximise_cover(sets, count, fixed=always, watch=watch.within(watch.left_s * COVER_TIME), seed=seed)
    points = [point(np.searchsorted(problem.column, np.setdiff1d(most.chosen, always)), most.bound)]
    fair = raised(problem, np.zeros(0, np.int64), problem.ceiling, watch, seed)
    least, bound = points[0].worst_share + STEP, most.bound
    while not watch.over:
        chosen = fair
        if len(problem.sets.site_row) <= MOST_ENTRIES:
            solved = milp.solve(
                fair_model(problem, least), watch.within(watch.left_s * POINT_TIME), gap=OPTIMAL_GAP / 4,
                doing="tracing the frontier",
            )  # fmt: skip
            if solved.infeasible:
                break
            bound = min(bound, base + solved.bound)
            chosen = fair if solved.x is None else np.flatnonzero(solved.x[: problem.sets.n_sites] > 0.5)
        if problem.worst(chosen) < least - SLACK:
            break
        new = point(chosen, bound)
        while points and new.value >= points[-1].value:
            points.pop()  # as much, and fairer
        points.append(new)
        least = new.worst_share + STEP
    return points[::-1]
