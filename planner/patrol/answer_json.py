"""A patrol run as one JSON object, for machines."""

from typing import Any

from layers.run import Run
from planner.json_values import run_json

#: Tables longer than this stay in the files.
MOST_ROWS = 2000
_MAY_BE_LONG = frozenset({"steps", "legs", "uncovered"})


def patrol_json(run: Run) -> dict[str, Any]:
    """Return ``run`` (kind "patrol") as JSON values.

    Keys: run (its id), kind, software, parameters, inputs, and each table by its name as a list of objects (plan has
    one a date). Steps, legs and uncovered of more than MOST_ROWS rows are left to the files; ``left_to_files`` names
    them with their rows. A figure that does not exist is null.
    """
    left = {n: len(t) for n, t in run.tables.items() if n in _MAY_BE_LONG and len(t) > MOST_ROWS}
    return {**run_json(run, too_long=left), "left_to_files": left}
