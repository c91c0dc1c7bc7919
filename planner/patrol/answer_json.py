"""A patrol run as one JSON object, for machines."""

from typing import Any

from layers.run import Run
from planner.json_values import json_records

#: Tables longer than this stay in the files.
MOST_ROWS = 2000
_MAY_BE_LONG = frozenset({"steps", "legs", "uncovered"})


def patrol_json(run: Run) -> dict[str, Any]:
    """Return ``run`` (kind "patrol") as JSON values.

    Keys: run (its id), kind, software, parameters, inputs, and each table by its name as a list of objects (plan has
    one a date). Steps, legs and uncovered of more than MOST_ROWS rows are left to the files; ``left_to_files`` names
    them with their rows. A figure that does not exist is null.
    """
    answer: dict[str, Any] = {
        "run": run.id,
        "kind": run.kind,
        "software": run.software,
        "parameters": dict(run.parameters),
        "inputs": dict(run.inputs),
    }
    left: dict[str, int] = {}
    for name, table in run.tables.items():
        if name in _MAY_BE_LONG and len(table) > MOST_ROWS:
            left[name] = len(table)
        else:
            answer[name] = json_records(table)
    return {**answer, "left_to_files": left}
