"""A siting run as one JSON object, for machines."""

from typing import Any

from layers.run import Run
from planner.json_values import run_json

#: Tables of as many rows as the city has segments stay in the files.
_TOO_LONG = frozenset({"segments"})
_ONE_ROW = frozenset({"plan", "totals"})


def siting_json(run: Run, *, level: str | None = None) -> dict[str, Any]:
    """Return ``run`` (kind "siting") as JSON values.

    Keys: run (its id), kind, software, parameters, inputs, and each table by its name: plan and totals as an object,
    the others (sites, areas, frontier, left_out, story, notes, ...) as a list of objects; segments are left to the
    files. A figure that does not exist is null. level : the only tier of areas to list; all where None.
    """
    areas = run.tables["areas"]
    chosen = {} if level is None else {"areas": areas[areas["level"] == level]}
    return run_json(run, too_long=_TOO_LONG, one_row=_ONE_ROW, chosen=chosen)
