"""Why these sites: what each adds, who could stand in, whom the plan leaves out, how much it depends on the figures."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from layers.records import FUNCTIONS
from planner.area_statistics import sum_by
from planner.areas_around import areas_of
from planner.siting.case import Case
from planner.siting.methods import Decision
from planner.siting.worth import Covered

#: Demand of each area is drawn this many times between so many parts less and more.
DRAWS, SPREAD = 20, 0.2
#: Of more points than this no draws are made: they would take longer than the search.
MOST_DRAWN = 60
#: Levels whose names tell where a site is, finest first.
_TOLD_BY = ("subdistrict", "district", "city")


def site_table(case: Case, decision: Decision) -> pd.DataFrame:
    """Return one row per point that changes, the most useful first: opened ones, then closed ones.

    adds_alone, adds_last : what the plan gains by it when it comes first, when it comes last, in the decision's
    ``worth_unit``. runner_up : the column that would serve best in its place and what the plan would lose; NaN where
    the problem has no such measure. steady : share of DRAWS in which the demand of every area is drawn between 20 %
    less and 20 % more and no single other column would do better.
    """
    sites, chosen = case.sites, decision.plan.chosen
    opened, closed = changes(case, chosen)
    worth, today = decision.worth, np.arange(sites.n_existing)
    before, value = worth.of(today), worth.of(chosen)
    last = np.array([value - worth.of(_without(case, chosen, int(j))) for j in opened])
    alone = np.array([worth.of(np.append(today, j)) - before for j in opened])
    order = np.lexsort((opened, -last)) if len(opened) else np.zeros(0, np.int64)
    opened, last, alone = opened[order], last[order], alone[order]
    stand_in = [worth.stand_in(chosen, int(j), _could_replace(case, chosen, int(j))) for j in opened]
    steady = _steadiness(case, decision, opened)
    column = np.concatenate([opened, closed]).astype(np.int64)
    none = np.full(len(closed), np.nan)
    runner = np.array([s.column for s in stand_in] + [-1] * len(closed), np.int64)
    code, name = _area_names(case, column)
    segment = sites.positions.segment[column]
    streets = case.city.network.name[segment] if len(case.city.network.name) else np.full(len(column), "", object)
    return pd.DataFrame({
        "rank": np.arange(1, len(column) + 1),
        "action": np.where(np.arange(len(column)) < len(opened), sites.state[column], "close").astype(object),
        "code": sites.code[column],
        "name": sites.name[column],
        "place": sites.place[column],
        "street": np.where(segment >= 0, streets, ""),
        "area_code": code,
        "area_name": name,
        "lon": sites.lon[column],
        "lat": sites.lat[column],
        "segment_id": np.where(segment >= 0, case.city.network.segment_id[segment], -1),
        "offset_m": sites.positions.offset_m[column],
        "cost": np.where(np.arange(len(column)) < len(opened), sites.cost[column], 0.0),
        "capacity": sites.capacity[column],
        "functions": [",".join(f for f in FUNCTIONS if f in sites.functions[j]) for j in column],
        "hours": sites.hours[column],
        "load": decision.load[column],
        "period": decision.period[column],
        "adds_alone": np.concatenate([alone, none]),
        "adds_last": np.concatenate([last, none]),
        "runner_up": np.where(runner >= 0, sites.code[runner], "").astype(object),
        "runner_up_name": np.where(runner >= 0, sites.name[runner], "").astype(object),
        "runner_up_lon": np.where(runner >= 0, sites.lon[runner], np.nan),
        "runner_up_lat": np.where(runner >= 0, sites.lat[runner], np.nan),
        "runner_up_loses": np.array([s.loses for s in stand_in] + [np.nan] * len(closed)),
        "steady": np.concatenate([steady, none]),
    })  # fmt: skip


def left_out_table(case: Case, decision: Decision) -> pd.DataFrame:
    """Return per area of the finest tier shown: demand beyond reach under the plan, and what no column reaches.

    Worst first; areas where nobody is left out are not listed.
    """
    tier = next((t for level in _TOLD_BY for t in case.city.tiers if t.level == level), None)
    columns = ("area_code", "name", "level", "people", "unreachable")
    if tier is None:
        return pd.DataFrame({name: np.empty(0, np.float64 if name in columns[3:] else object) for name in columns})
    pairs = case.pairs()
    reached = np.zeros(len(case.weights), bool)
    for j in decision.plan.chosen:
        reached[pairs.indices[pairs.indptr[j] : pairs.indptr[j + 1]]] = True
    area = case.area(tier.level)
    left = sum_by(area, len(tier), np.where(reached, 0.0, case.weights))
    never = sum_by(area, len(tier), np.where(decision.served_by_none, case.weights, 0.0))
    order = np.lexsort((tier.code.astype(str), -left))
    order = order[left[order] > 0]
    return pd.DataFrame({
        "area_code": tier.code[order], "name": tier.name[order], "level": np.full(len(order), tier.level, object),
        "people": left[order], "unreachable": never[order],
    })  # fmt: skip


def changes(case: Case, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns a plan opens, and the existing ones it closes (not those it upgrades)."""
    sites = case.sites
    gone = np.setdiff1d(np.arange(sites.n_existing), chosen)
    return chosen[chosen >= sites.n_existing], gone[
        ~np.isin(sites.place[gone].astype(str), sites.place[chosen].astype(str))
    ]


def _without(case: Case, chosen: NDArray[np.int64], column: int) -> NDArray[np.int64]:
    """Return the plan without a column: a point it upgrades stays as it is."""
    today = np.flatnonzero(case.sites.existing & (case.sites.place == case.sites.place[column]))
    return np.union1d(chosen[chosen != column], today)


def _could_replace(case: Case, chosen: NDArray[np.int64], column: int) -> NDArray[np.bool_]:
    """Return (s,) the candidates that could take a chosen column's place within the budget, at a place still free."""
    sites, budget = case.sites, case.question.budget
    others = chosen[chosen != column]
    free = ~sites.existing & ~np.isin(sites.place.astype(str), sites.place[others].astype(str))
    return free if budget is None else free & (sites.cost <= budget - sites.cost[others].sum() + 1e-9)


def _steadiness(case: Case, decision: Decision, opened: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return per opened column the share of draws in which no single other column would do better in its place."""
    worth = decision.worth
    if not isinstance(worth, Covered) or not 0 < len(opened) <= MOST_DRAWN:
        return np.full(len(opened), np.nan)
    level = next((level for level in _TOLD_BY if level in case.demand.area), None)
    area = np.zeros(len(case.weights), np.int32) if level is None else case.area(level)
    rng = np.random.default_rng(case.question.seed)
    row, allowed = worth.sets.row_of, [_could_replace(case, decision.plan.chosen, int(j)) for j in opened]
    held = np.zeros(len(opened))
    for _ in range(DRAWS):
        factor = rng.uniform(1 - SPREAD, 1 + SPREAD, int(area.max(initial=-1)) + 2)
        drawn = sum_by(row, worth.sets.n_rows, case.weights * factor[area])
        redrawn = Covered(worth.sets, drawn)
        for i, j in enumerate(opened):
            loses = redrawn.stand_in(decision.plan.chosen, int(j), allowed[i]).loses
            held[i] += not loses < -1e-9 * max(decision.plan.value, 1.0)
    return held / DRAWS


def _area_names(case: Case, column: NDArray[np.int64]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return code and name of the finest area told for each column, "" outside all."""
    at = case.sites.positions
    code, name = np.full(len(column), "", object), np.full(len(column), "", object)
    area = areas_of(case.city.pieces, at)
    for level in reversed(_TOLD_BY):
        for tier in case.city.tiers:
            if tier.level == level:
                here = area[level][column]
                code = np.where(here >= 0, tier.code[here], code)
                name = np.where(here >= 0, tier.name[here], name)
    return code, name
