"""Each siting problem handed to its method: the city's case in, a decision with its proof out."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.notes import counted
from planner.area_statistics import sum_by
from planner.notes import Note
from planner.siting.backup import maximise_backup
from planner.siting.budget_mix import Variants, best_mix
from planner.siting.capacitated import Assigned, least_total_within, maximise_cover_within
from planner.siting.case import Case
from planner.siting.cover_sets import CoverSets
from planner.siting.equity import best_worst_area
from planner.siting.frontier import FrontierPoint, coverage_frontier, equity_frontier
from planner.siting.max_cover import maximise_cover
from planner.siting.near_lists import NearLists, near_lists
from planner.siting.p_center import least_longest
from planner.siting.p_median import least_total
from planner.siting.periods import best_periods
from planner.siting.plan import Plan
from planner.siting.robust import best_after_loss, best_worst_case
from planner.siting.set_cover import cover_with_fewest
from planner.siting.worth import Covered, Timed, Worth
from planner.watch import Watch

#: Hours of the week that stand for day and night (Monday 10:00, Saturday 02:00); how much slower ice makes people.
DAY_HOUR, NIGHT_HOUR, WINTER_PACE = 10, 5 * 24 + 2, 1.25
#: Seconds to place what a worst case leaves over.
TOP_UP_S = 10.0
#: The longest frontier traced where the question names no number of points.
FRONTIER_POINTS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """A plan for the case's columns.

    plan : ``chosen`` are open columns of the sites, existing ones that stay included. unit : of its value.
    worth : by which single sites are judged, in ``worth_unit``. uncoverable : (f * d,) places no column serves in time.
    period : (s,) in which each is opened, 0 for none. load : (s,) demand assigned to each, NaN where nothing is.
    """

    plan: Plan
    unit: str
    worth: Worth
    worth_unit: str
    served_by_none: NDArray[np.bool_]
    period: NDArray[np.int64]
    load: NDArray[np.float64]
    frontier: tuple[FrontierPoint, ...] = ()
    notes: tuple[Note, ...] = field(default=())


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What every method needs of a case: fixed columns, how many may be opened beside them, pairs as sets and lists."""

    case: Case
    watch: Watch
    fixed: NDArray[np.int64]
    extra: int
    sets: CoverSets

    @property
    def lists(self) -> NearLists:
        return near_lists(self.case.pairs(), beyond=self.case.question.limit_s)

    @property
    def count(self) -> int:
        return (self.case.question.count or 0) + self.extra

    @property
    def seed(self) -> int:
        return self.case.question.seed


def decide(case: Case, watch: Watch) -> Decision:
    """Solve the case's problem. Raises QuestionError on asks no choice can meet."""
    n_existing = case.sites.n_existing
    existing = np.arange(n_existing)
    fixed = existing if case.question.existing == "fixed" else existing[:0]
    extra = n_existing if case.question.existing == "closable" else 0
    watch.tell("cover sets")
    sets = case.cover_sets(case.pairs())
    work = _Work(case, watch, fixed, extra, sets)
    name = "mix" if case.question.problem == "mclp" and case.question.budget is not None else case.question.problem
    return _METHODS[name](work)


def _decision(work: _Work, plan: Plan, unit: str, worth: Worth | None = None, worth_unit: str = "", **more) -> Decision:  # type: ignore[no-untyped-def]
    count = len(work.case.sites)
    more.setdefault("period", np.zeros(count, np.int64))
    more.setdefault("load", np.full(count, np.nan))
    return Decision(
        plan,
        unit,
        worth or Covered(work.sets, work.sets.weight),
        worth_unit or work.case.unit,
        work.sets.row_of < 0,
        **more,
    )


def _mclp(work: _Work) -> Decision:
    plan = maximise_cover(work.sets, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed)
    return _decision(work, plan, work.case.unit)


def _lscp(work: _Work) -> Decision:
    """Cover the share asked for; where no candidates reach so many, all they reach, and say so."""
    sets, wanted = work.sets, work.case.question.share * work.case.total
    reachable = float(sets.weight.sum())
    share = min(wanted / reachable, 1.0) if reachable > 0 else 1.0
    if work.case.question.share >= 1.0:
        share = 1.0
    plan = cover_with_fewest(sets, share=share, fixed=work.fixed, watch=work.watch, seed=work.seed)
    notes = []
    if wanted > reachable * (1 + 1e-9):
        missing = wanted - reachable
        where_zh, where_en = _where(work)
        notes.append(Note(
            "out-of-reach",
            f"要求覆盖 {wanted:,.0f}，任何候选点都达不到其中 {missing:,.0f}（{where_zh}）；方案覆盖其余全部",
            f"of the {wanted:,.0f} asked for, no candidate reaches {missing:,.0f} ({where_en}): "
            "the plan reaches all others",
        ))  # fmt: skip
    return _decision(work, plan, "points", notes=tuple(notes))


def _where(work: _Work) -> tuple[str, str]:
    """Name the areas that hold most of the demand no candidate reaches."""
    case = work.case
    tiers = [t for t in case.city.tiers if t.level in ("district", "subdistrict")]
    if not tiers:
        return "全市", "the whole city"
    tier = tiers[-1]
    lost = sum_by(case.area(tier.level), len(tier), np.where(work.sets.row_of < 0, case.weights, 0.0))
    worst = [int(i) for i in np.argsort(-lost, kind="stable")[:5] if lost[i] > 0]
    return (
        "、".join(f"{tier.name[i]} {lost[i]:,.0f}" for i in worst) or "各辖区之外",
        ", ".join(f"{tier.name[i]} {lost[i]:,.0f}" for i in worst) or "outside all areas",
    )


def _pmedian(work: _Work) -> Decision:
    lists, weight, unit = work.lists, work.case.weights, f"{work.case.unit}_s"
    plan = least_total(lists, weight, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed)
    return _decision(work, plan, unit, Timed(lists, weight), unit)


def _pcenter(work: _Work) -> Decision:
    """Leave out the places no column reaches: the longest walk would be theirs whatever is done."""
    lists = work.lists
    reached = np.diff(lists.ptr) > 0
    kept = NearLists(np.append(0, lists.ptr[1:][reached]), lists.site, lists.cost, lists.n_sites, lists.beyond)
    plan = least_longest(kept, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed)
    return _decision(work, plan, "s", Timed(kept, work.case.weights[reached], longest=True), "s")


def _backup(work: _Work) -> Decision:
    share = work.case.question.second_share
    plan = maximise_backup(
        work.sets, work.count, second_share=share, fixed=work.fixed, watch=work.watch, seed=work.seed
    )
    return _decision(work, plan, work.case.unit)


def _capacities(work: _Work) -> tuple[NDArray[np.float64], tuple[Note, ...]]:
    known = np.isfinite(work.case.sites.capacity)
    taken = work.case.question.capacity
    note = Note(
        "capacity-assumed", f"{int((~known).sum())} 个点未登记容量，按 {taken:g} 计",
        counted(int((~known).sum()), "point or candidate has", "points and candidates have")
        + f" no recorded capacity: taken as {taken:g}",
    )  # fmt: skip
    return np.where(known, work.case.sites.capacity, taken), (() if known.all() else (note,))


def _assigned(work: _Work, made: Assigned, unit: str, notes: tuple[Note, ...]) -> Decision:
    load = np.full(len(work.case.sites), np.nan)
    load[made.plan.chosen] = 0.0
    np.add.at(load, made.site, made.amount)
    return _decision(work, made.plan, unit, load=load, notes=notes)


def _capacitated(work: _Work) -> Decision:
    capacity, notes = _capacities(work)
    made = maximise_cover_within(
        work.case.pairs(), work.case.weights, capacity, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed
    )
    return _assigned(work, made, work.case.unit, notes)


def _cpmedian(work: _Work) -> Decision:
    capacity, notes = _capacities(work)
    made = least_total_within(
        work.lists, work.case.weights, capacity, work.count, fixed=work.fixed, whole=False, watch=work.watch,
        seed=work.seed,
    )  # fmt: skip
    return _assigned(work, made, f"{work.case.unit}_s", notes)


def _mix(work: _Work) -> Decision:
    case, sites = work.case, work.case.sites
    _, place = np.unique(sites.place.astype(str), return_inverse=True)
    must = np.zeros(place.max(initial=-1) + 1, bool)
    if case.question.existing == "fixed":
        must[place[: sites.n_existing]] = True
    district, count = case.districts()
    least, most = case.question.district_least, case.question.district_most
    plan = best_mix(
        work.sets,
        Variants(place.astype(np.int32), sites.cost, district, must),
        float(case.question.budget or 0.0),
        least_per_area=None if least is None else np.full(count, least, np.int64),
        most_per_area=None if most is None else np.full(count, most, np.int64),
        watch=work.watch,
        seed=work.seed,
    )
    if least is None:
        plan = replace(plan, chosen=_thrifty(work, plan.chosen, place))
    return _decision(work, plan, case.unit)


def _thrifty(work: _Work, chosen: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the choice without variants that cost and add nothing, the dearest looked at first."""
    sites, sets = work.case.sites, work.sets
    covered = sets.weight[sets.covered(chosen)].sum()
    for column in chosen[np.argsort(-sites.cost[chosen], kind="stable")]:
        today = np.flatnonzero(sites.existing & (place == place[column]))
        without = np.union1d(chosen[chosen != column], today)
        if sites.cost[column] > 0 and sets.weight[sets.covered(without)].sum() >= covered:
            chosen = without
    return chosen


def _periods(work: _Work) -> Decision:
    counts = np.array(work.case.question.counts, np.int64)
    if work.extra:
        raise QuestionError("分期方案不移动现有点", "a plan in periods moves no existing points")
    made = best_periods(work.sets, counts, np.ones(len(counts)), fixed=work.fixed, watch=work.watch, seed=work.seed)
    period = np.zeros(len(work.case.sites), np.int64)
    period[made.plan.chosen] = made.opens
    return _decision(work, made.plan, work.case.unit, period=period)


def _robust(work: _Work) -> Decision:
    case, asked = work.case, work.case.question.scenarios
    if "loss" in asked:
        if len(asked) > 1:
            raise QuestionError("情景 loss 须单独使用", "the scenario loss stands alone")
        plan = best_after_loss(work.sets, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed)
        return _decision(work, plan, case.unit)
    pairs = {
        "day": lambda: case.pairs(hour=DAY_HOUR),
        "night": lambda: case.pairs(hour=NIGHT_HOUR),
        "winter": lambda: case.pairs(pace=WINTER_PACE),
    }
    sets = [case.cover_sets(pairs[name]()) for name in asked]
    plan = best_worst_case(sets, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed)
    return _decision(work, plan, "share")


def _area_weights(work: _Work) -> NDArray[np.float64]:
    """Return (a, n) the weight of each row in each area of the question's level that has any demand."""
    case, sets = work.case, work.sets
    tier = case.tier(case.question.level)
    area, row = case.area(tier.level), sets.row_of
    total = sum_by(area, len(tier), case.weights)
    kept = (area >= 0) & (row >= 0)
    weights = np.zeros((len(tier), sets.n_rows))
    np.add.at(weights, (area[kept], row[kept]), case.weights[kept])
    # shares are of all the area's demand, also of what no candidate reaches
    return np.divide(weights, total[:, None], out=np.zeros_like(weights), where=total[:, None] > 0)[total > 0]


def _equity(work: _Work) -> Decision:
    weights = _area_weights(work)
    plan = best_worst_area(work.sets, weights, work.count, fixed=work.fixed, watch=work.watch, seed=work.seed)
    chosen, notes = _topped_up(work, plan.chosen)
    value = float((weights @ work.sets.covered(chosen)).min(initial=1.0))
    plan = Plan(chosen, value, max(plan.bound, value), maximised=True)
    return _decision(work, plan, "share", notes=notes)


def _topped_up(work: _Work, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[Note, ...]]:
    """Return the plan with the points its worst case has no use for placed where most demand is left, and say so."""
    spare = work.count - (len(chosen) - len(work.fixed))
    if spare <= 0:
        return chosen, ()
    more = maximise_cover(work.sets, spare, fixed=chosen, watch=work.watch.within(TOP_UP_S), seed=work.seed)
    added = len(more.chosen) - len(chosen)
    note = Note(
        "topped-up",
        f"最差者无需全部点位：其余 {added} 个点设在能多覆盖最多需求之处",
        f"the worst case has no use for all points: the other {added} stand where they reach the most",
    )
    return more.chosen, (note,) if added else ()


def _frontier(work: _Work) -> Decision:
    question = work.case.question
    if question.against == "equity":
        points = equity_frontier(
            work.sets, _area_weights(work), work.count, fixed=work.fixed, watch=work.watch, seed=work.seed
        )
    else:
        # a point that stands costs nothing more where it stays; where it competes it costs one, like a junction
        cost = np.where(work.case.sites.existing, 1.0, work.case.sites.cost)
        points = coverage_frontier(
            work.sets, cost, most=float(question.count or FRONTIER_POINTS), fixed=work.fixed,
            watch=work.watch, seed=work.seed,
        )  # fmt: skip
    best = points[-1]
    plan = Plan(best.chosen, best.value, best.bound, maximised=True)
    return _decision(work, plan, work.case.unit, frontier=tuple(points))


_METHODS: dict[str, Callable[[_Work], Decision]] = {
    "mclp": _mclp,
    "lscp": _lscp,
    "pmedian": _pmedian,
    "pcenter": _pcenter,
    "backup": _backup,
    "capacitated": _capacitated,
    "cpmedian": _cpmedian,
    "mix": _mix,
    "periods": _periods,
    "robust": _robust,
    "equity": _equity,
    "frontier": _frontier,
}
