"""A siting run as one JSON object, for machines."""

from typing import Any

from layers.run import Run
from planner.json_values import json_records

#: Tables of as many rows as the city has segments stay in the files.
_TOO_LONG = frozenset({"segments"})
_ONE_ROW = frozenset({"plan", "totals"})


def siting_json(run: Run, *, level: str | None = None) -> dict[str, Any]:
    """Return ``run`` (kind "siting") as JSON values.

    Keys: run (its id), kind, software, parameters, inputs, and each table by its name: plan and totals as an object,
    the others (sites, areas, frontier, left_out, story, notes, ...) as a list of objects; segments are left to the
    files. A figure that does not exist is null. level : the only tier of areas to list; all where None.
    """
    answer: dict[str, Any] = {
        "run": run.id,
        "kind": run.kind,
        "software": run.software,
        "parameters": dict(run.parameters),
        "inputs": dict(run.inputs),
    }
    for name, table in run.tables.items():
        if name in _TOO_LONG:
            continue
        chosen = table[table["level"] == level] if name == "areas" and level is not None else table
        rows = json_records(chosen)
        answer[name] = rows[0] if name in _ONE_ROW and rows else rows
    return answer
