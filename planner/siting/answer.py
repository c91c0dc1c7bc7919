"""A siting question answered: the tables of its run."""

import numpy as np
import pandas as pd

from planner.coverage_notes import note_table
from planner.notes import Note
from planner.siting.case import Case
from planner.siting.effect import effect_tables
from planner.siting.explain import changes, left_out_table, site_table
from planner.siting.frontier import FrontierPoint
from planner.siting.methods import Decision, decide
from planner.siting.story import story_table
from planner.watch import Watch

#: Problems whose value says the same of the city as it is; others value more than what is covered or walked.
_MEASURED_TODAY = frozenset({"mclp", "pmedian", "pcenter", "mix", "frontier"})
_PLACES = Note(
    "places-gathered",
    "选址按相距至多 100 米的居住点计算，方案前后的覆盖数沿街道精确量算，两者可略有出入",
    "sites are chosen for people gathered at places at most 100 m apart; figures before and after are measured exactly "
    "along streets, so the two may differ a little",
)
_ASSUMED = Note(
    "new-points-assumed",
    "新设点未注明者，按提供全部功能、全天开放计",
    "new points are taken to offer every function round the clock unless a candidate says otherwise",
)


def answer(case: Case, watch: Watch) -> dict[str, pd.DataFrame]:
    """Solve the case and return its tables.

    "plan" (one row), "sites", "areas", "totals", "segments", "frontier", "left_out", "story" and "notes"; lengths in
    metres, times in seconds, NaN where a figure does not exist.
    """
    decision = decide(case, watch)
    ended = "cancelled" if watch.cancelled else "time" if watch.over else "unproven"
    stopped = "proven" if decision.plan.optimal else ended
    watch.tell("explaining")
    sites = site_table(case, decision)
    watch.tell("before and after")
    effect = effect_tables(case, decision.plan.chosen)
    plan = _plan_table(case, decision, stopped)
    left_out = left_out_table(case, decision)
    return {
        "plan": plan,
        "sites": sites,
        **effect,
        "frontier": _frontier_table(case, decision.frontier),
        "left_out": left_out,
        "story": story_table(case, plan, sites, effect["totals"], left_out),
        "notes": note_table([*case.notes, *decision.notes, *_standing_notes(case)]),
    }


def _standing_notes(case: Case) -> list[Note]:
    spread = case.spread.placed > 0 or len(case.city.homes)
    return [_ASSUMED, *([_PLACES] if spread else [])]


def _plan_table(case: Case, decision: Decision, stopped: str) -> pd.DataFrame:
    plan, sites = decision.plan, case.sites
    opened, closed = changes(case, plan.chosen)
    today = decision.worth.of(np.arange(sites.n_existing)) if case.question.problem in _MEASURED_TODAY else np.nan
    return pd.DataFrame([{
        "problem": case.question.problem,
        "unit": decision.unit,
        "value": plan.value,
        "bound": plan.bound,
        "gap": plan.gap,
        "optimal": plan.optimal,
        "total": case.total,
        "before": abs(today),
        "worth_unit": decision.worth_unit,
        "existing": sites.n_existing,
        "candidates": len(sites) - sites.n_existing,
        "opened": len(opened),
        "closed": len(closed),
        "cost": float(sites.cost[opened].sum()),
        "stopped": stopped,
    }])  # fmt: skip


def _frontier_table(case: Case, points: tuple[FrontierPoint, ...]) -> pd.DataFrame:
    rows = [
        {
            "cost": p.cost, "count": int((p.chosen >= case.sites.n_existing).sum()), "value": p.value, "bound": p.bound,
            "gap": p.gap, "optimal": p.optimal, "worst_share": p.worst_share, "gini": p.gini,
            "sites": ",".join(case.sites.code[p.chosen[p.chosen >= case.sites.n_existing]]),
        }
        for p in points
    ]  # fmt: skip
    columns = ("cost", "count", "value", "bound", "gap", "optimal", "worst_share", "gini", "sites")
    return pd.DataFrame(rows, columns=columns)
