"""The routes of a planned night, out of the tables of its run."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from layers.codes import LEVELS, Level, ancestor_of
from layers.night_records import Stop

#: Kinds of steps that do a duty.
SERVED = ("patrol", "check")


def planned_routes(tables: Mapping[str, pd.DataFrame], on: date) -> dict[str, tuple[Stop, ...]]:
    """Return crew -> the stops it serves on the night of ``on``, in order; crews that stay in have none.

    tables : of a run of patrol. A side is told as the street is drawn, whichever way it is walked.
    """
    crews, steps, legs = (_of_night(tables[name], on) for name in ("crews", "steps", "legs"))
    first = legs.drop_duplicates(["crew", "step"])
    against = dict(zip(zip(first["crew"], first["step"], strict=True), first["from_m"] > first["to_m"], strict=True))
    routes: dict[str, list[Stop]] = {str(crew): [] for crew in crews["crew"]}
    served = steps[steps["kind"].isin(SERVED)].sort_values(["crew", "step"], kind="stable")
    for crew, step, duty, side in zip(*(served[c] for c in ("crew", "step", "duty", "side")), strict=True):
        turned = bool(against.get((crew, step), False)) and side != ""
        routes[str(crew)].append((str(duty), {"left": "right", "right": "left"}[side] if turned else str(side)))
    return {crew: tuple(route) for crew, route in routes.items()}


def _of_night(table: pd.DataFrame, on: date) -> pd.DataFrame:
    return table[table["date"] == on.isoformat()]


def crews_of_night(tables: Mapping[str, pd.DataFrame], on: date) -> list[dict[str, Any]]:
    """Return the rows of the table "crews" of one night."""
    return [
        {str(name): value for name, value in row.items()} for row in _of_night(tables["crews"], on).to_dict("records")
    ]


def common_area(codes: list[str]) -> str:
    """Return the code of the smallest area that holds all of ``codes`` (12 digits, or 15 of a grid cell)."""
    for level in LEVELS[::-1]:
        above = {ancestor_of(code, level) for code in codes}
        if len(above) == 1:
            return above.pop()
    return ancestor_of(codes[0], Level.CITY)
