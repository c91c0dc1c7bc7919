"""A coverage run as one JSON object, for machines."""

from collections.abc import Mapping
from typing import Any

from gis.errors import QuestionError
from layers.run import Run
from planner.json_values import json_records, json_value

FIGURES = ("people", "street_m", "reports", "mean_s", "median_s", "p95_s", "unreached_people", "access")
#: Tiers in the order in which one is shown when nobody says which.
LEVELS_SHOWN = ("subdistrict", "district", "community", "city", "grid_cell")
COVERED = ("covered_people", "covered_street_m", "covered_reports")


def coverage_json(run: Run, *, level: str | None = None) -> dict[str, Any]:
    """Return ``run`` (kind "coverage") as JSON values.

    Keys: run (its id), kind, software, thresholds_s, parameters, inputs, totals, areas, inequality and notes. Totals
    and each area hold people, street_m, reports, mean_s, median_s, p95_s, unreached_people and access, and
    covered_people, covered_street_m and covered_reports keyed by threshold in seconds as text; areas also code, name,
    level and parent. A figure that does not exist is null. level : the only tier of areas to list; all where None.
    """
    thresholds = [int(t) for t in run.parameters["thresholds_s"]]
    areas = run.tables["areas"]
    if level is not None:
        areas = areas[areas["level"] == level_to_show(run, level)]
    named = ("code", "name", "level", "parent")
    return {
        "run": run.id,
        "kind": run.kind,
        "software": run.software,
        "thresholds_s": thresholds,
        "parameters": dict(run.parameters),
        "inputs": dict(run.inputs),
        "totals": _figures(run.tables["totals"].to_dict("records")[0], thresholds),
        "areas": [
            {**{k: str(area[k]) for k in named}, **_figures(area, thresholds)} for area in areas.to_dict("records")
        ],
        "inequality": json_records(run.tables["inequality"]),
        "notes": json_records(run.tables["notes"]),
    }


def level_to_show(run: Run, wanted: str | None = None) -> str:
    """Return the tier to show: ``wanted``, or where None the finest that reads on one page.

    Raises QuestionError where the city has no area of the tier wanted.
    """
    present = set(run.tables["areas"]["level"])
    if wanted is not None and wanted not in present:
        known = ", ".join(level for level in LEVELS_SHOWN if level in present) or "-"
        raise QuestionError(
            f"没有该层级的辖区：{wanted}（现有：{known}）", f"the city has no {wanted} areas (it has {known})"
        )
    return wanted or next((level for level in LEVELS_SHOWN if level in present), "city")


def _figures(row: Mapping[Any, Any], thresholds: list[int]) -> dict[str, Any]:
    figures: dict[str, Any] = {name: json_value(row[name]) for name in FIGURES}
    for name in COVERED:
        figures[name] = {str(t): json_value(row[f"{name}_{t}"]) for t in thresholds}
    return figures
