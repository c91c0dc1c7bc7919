"""Sites opened over several periods: what is built stays, and early cover counts too."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.area_statistics import sum_by
from planner.siting.cover_best import best_cover
from planner.siting.cover_model import cover_problem
from planner.siting.cover_sets import CoverSets, Floats, merge_cover_sets
from planner.siting.max_cover import checked_columns, maximise_cover
from planner.siting.plan import Plan
from planner.watch import Watch

#: Part of the time for the periods by themselves, before all together.
ALONE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PeriodPlan:
    """A plan and when each of its sites opens.

    opens : (k,) int64, for each of ``plan.chosen`` the period from 1 on, 0 for a site that is open from the start.
    """

    plan: Plan
    opens: NDArray[np.int64]


def best_periods(
    sets: CoverSets,
    counts: NDArray[np.int64],
    weights: Floats,
    *,
    period_weight: Floats | None = None,
    fixed: NDArray[np.int64],
    watch: Watch,
    seed: int,
) -> PeriodPlan:
    """Choose at most ``counts[t]`` sites to open in period t, and keep, for the most importance-weighted cover.

    counts : (T,) new sites a period. weights : (T,) >= 0, how much a period counts. period_weight : (T, n) >= 0, the
    weight of each row in each period where it changes. Value: the sum over periods of ``weights[t]`` times the weight
    covered in t. ``fixed`` sites are open from the start and beyond the counts.

    A site opened in t is a column of its own that covers the rows of period t and later; one column a site. Where
    demand stays the same, each period by itself bounds what the plan covers in it, and the last period's sites, opened
    in the best order, are a plan: on a city that proves more than the joint model does in the same time.
    Raises QuestionError on shapes that do not fit, negative numbers or a fixed column that does not exist.
    Source: the dynamic maximal covering of Schilling 1980, https://doi.org/10.1111/j.1538-4632.1980.tb00034.x
    """
    always, n_periods = checked_columns(sets, fixed), len(counts)
    row_weight = np.tile(sets.weight, (n_periods, 1)) if period_weight is None else np.asarray(period_weight, float)
    if n_periods == 0 or len(weights) != n_periods or row_weight.shape != (n_periods, sets.n_rows):
        raise QuestionError(
            "各期的点数、权重与需求须对应", "counts, importance and demand of the periods must go together"
        )
    if min(np.min(counts), np.min(weights), np.min(row_weight, initial=0.0)) < 0:
        raise QuestionError("各期的点数、权重与需求不得为负", "counts, importance and demand must not be negative")

    if period_weight is None:
        apart = _each_alone(sets, counts, np.asarray(weights, float), always, watch, seed)
        if apart.plan.optimal or watch.over:
            return apart
    joint = _jointly(sets, counts, weights, row_weight, always, watch, seed)
    if period_weight is not None:
        return joint
    best = apart if apart.plan.value > joint.plan.value else joint
    return replace(best, plan=replace(best.plan, bound=min(apart.plan.bound, joint.plan.bound)))


def _each_alone(
    sets: CoverSets, counts: NDArray[np.int64], weights: Floats, always: NDArray[np.int64], watch: Watch, seed: int
) -> PeriodPlan:
    """Return the last period's best sites in their best order, bounded by the best of every period by itself."""
    open_by = np.cumsum(counts)
    share_s = watch.left_s * ALONE / len(counts)
    bound, chosen = 0.0, always
    for t in range(len(counts)):
        plan = maximise_cover(sets, int(open_by[t]), fixed=always, watch=watch.within(share_s), seed=seed)
        bound, chosen = bound + weights[t] * plan.bound, plan.chosen
    opens = np.zeros(sets.n_sites, np.int64)
    opens[np.setdiff1d(chosen, always)] = len(counts)
    for t in range(len(counts) - 1, 0, -1):
        few = sets.part(np.ones(sets.n_rows, bool), np.isin(np.arange(sets.n_sites), chosen))
        kept = maximise_cover(
            few, int(open_by[t - 1]), fixed=np.searchsorted(chosen, always), watch=watch.within(share_s), seed=seed
        )
        chosen = chosen[kept.chosen]
        opens[np.setdiff1d(chosen, always)] = t
    site = np.union1d(np.flatnonzero(opens), always)
    early = [site[opens[site] <= t + 1] for t in range(len(counts))]
    value = float(sum(w * sets.weight[sets.covered(by)].sum() for w, by in zip(weights, early, strict=True)))
    return PeriodPlan(Plan(site, value, max(bound, value), maximised=True), opens[site])


def _jointly(
    sets: CoverSets,
    counts: NDArray[np.int64],
    weights: Floats,
    row_weight: Floats,
    always: NDArray[np.int64],
    watch: Watch,
    seed: int,
) -> PeriodPlan:
    """Solve the model of all periods together."""
    m, n_periods = sets.n_sites, len(counts)
    worth = (np.asarray(weights, float)[:, None] * row_weight).ravel()
    spread = _in_time(sets, worth, n_periods)
    problem = cover_problem(spread, sum_by(spread.row_of, spread.n_rows, worth))
    problem = replace(problem, place=np.tile(np.arange(m, dtype=np.int32), n_periods), must=np.zeros(m, bool))
    left = problem.within(np.ones(m * n_periods, bool), always)  # column j of the first period is site j from the start
    period = left.column // m
    limits = csr_array((np.ones(len(period)), (period, np.arange(len(period)))), shape=(n_periods, len(period)))
    left = replace(left, limits=limits, least=np.zeros(n_periods), most=np.asarray(counts, float))

    plan = best_cover(left, np.zeros(0, np.int64), watch, seed)
    site, opens = plan.chosen % m, plan.chosen // m + 1
    order = np.argsort(site)
    site, opens = site[order], np.where(np.isin(site, always), 0, opens)[order]
    return PeriodPlan(Plan(site, plan.value, plan.bound, maximised=True), opens)


def _in_time(sets: CoverSets, worth: Floats, n_periods: int) -> CoverSets:
    """Return cover sets of columns ``t * m + site`` over rows ``t * n + row``, those of period t and later."""
    n, size = sets.n_rows, np.diff(sets.site_ptr)
    owner = np.repeat(np.arange(sets.n_sites), size)
    rows, counts = [], []
    for t in range(n_periods):
        late = np.arange(t, n_periods) * n
        each = (sets.site_row[None, :] + late[:, None]).T  # entry by entry, its row in each period from t on
        rows.append(each.ravel())
        counts.append(np.bincount(owner, minlength=sets.n_sites) * len(late))
    ptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    return merge_cover_sets(ptr, np.concatenate(rows).astype(np.int32), worth)
