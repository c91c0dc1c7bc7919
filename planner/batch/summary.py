"""One row a county: the figures that a province compares, and why a county has none."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import pandas as pd

from layers.run import Run
from planner.batch.counties import County, Words

#: What became of a county: answered now, answered before from the same records, not to be answered, not come to.
STATES = ("answered", "kept", "failed", "left")
Row: TypeAlias = dict[str, Any]
_FIRST = ("code", "name", "state")
_LAST = ("refused", "hash", "seconds", "zh", "en")


def figures(run: Run) -> Row:
    """Return the figures of one county's run: people, streets and shares within reach, points or sites."""
    return _of_siting(run) if run.kind == "siting" else _of_coverage(run)


def row(county: County, state: str, words: Words = ("", ""), **more: Any) -> Row:
    """Return a county's row; words : what to look at, or why it failed."""
    return {"code": county.code, "name": county.name, "state": state, **more, "zh": words[0], "en": words[1]}


def summary(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows as a table in the order of codes; NaN where a county has no figure."""
    table = pd.DataFrame([dict(of) for of in rows]).sort_values(["code", "name"], kind="stable", ignore_index=True)
    between = [name for name in table.columns if name not in (*_FIRST, *_LAST)]
    table = table.reindex(columns=[*_FIRST, *between, *_LAST])
    for name in ("hash", "zh", "en"):
        table[name] = table[name].astype(object).where(table[name].notna(), "")
    return table


def whole(table: pd.DataFrame) -> dict[str, float]:
    """Return the figures of all counties together: their people, and every share of people over all of them."""
    if "people" not in table:
        return {}
    counted = table[table["people"].notna()]
    people = counted["people"].to_numpy(float)
    shares = [
        name for name in table.columns if name.startswith("share_people") or name in ("share_before", "share_after")
    ]
    parts = {name: float((counted[name].fillna(0.0).to_numpy(float) * people).sum()) for name in shares}
    return {"people": float(people.sum())} | {name: _share(part, people.sum()) for name, part in parts.items()}


def _of_coverage(run: Run) -> Row:
    totals = run.tables["totals"].iloc[0]
    found: Row = {"people": float(totals["people"]), "street_m": float(totals["street_m"])}
    for t in run.parameters["thresholds_s"]:
        found[f"share_people_{t}"] = _share(totals[f"covered_people_{t}"], totals["people"])
    for t in run.parameters["thresholds_s"]:
        found[f"share_street_{t}"] = _share(totals[f"covered_street_m_{t}"], totals["street_m"])
    return {**found, "points": len(run.tables["points"])}


def _of_siting(run: Run) -> Row:
    totals, plan = run.tables["totals"].iloc[0], run.tables["plan"].iloc[0]
    names = ("people", "people_before", "people_after", "street_m", "street_m_before", "street_m_after")
    found: Row = {name: float(totals[name]) for name in names}
    for when in ("before", "after"):
        found[f"share_{when}"] = _share(totals[f"people_{when}"], totals["people"])
    counts = {"points": int(plan["existing"]), "opened": int(plan["opened"]), "closed": int(plan["closed"])}
    plain = {name: float(plan[name]) for name in ("cost", "value", "bound", "gap")}
    return {**found, **counts, **plain, "unit": str(plan["unit"]), "stopped": str(plan["stopped"])}


def _share(part: float, of: float) -> float:
    return float(part) / float(of) if of > 0 else float("nan")
