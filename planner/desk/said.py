"""What the board says, as JSON values: minutes by the page's clock, limits in both languages."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from planner.desk.board import Trial
from planner.desk.ground import Route, Stop
from planner.desk.reckoning import CrewTime, Fault, clock

MINUTE_S = 60.0


def time_json(time: CrewTime) -> dict[str, Any]:
    """Return service, travel, wait, rest, total in minutes, back ("00:12"), share; nulls where there is no way.

    The parts are rounded to a tenth of a minute, so that their sum may differ from the total by a few tenths.
    """
    seconds = {"service": time.service_s, "travel": time.travel_s, "wait": time.wait_s, "rest": time.break_s,
               "total": time.total_s}  # fmt: skip
    minutes = {name: None if math.isnan(s) else round(s / MINUTE_S, 1) for name, s in seconds.items()}
    known = not math.isnan(time.back_s)
    return {**minutes, "back": clock(time.back_s) if known else None, "share": round(time.share, 3) if known else None}


def fault_json(fault: Fault) -> dict[str, Any]:
    """Return crew, code, zh, en and hard."""
    return {"crew": fault.crew, "code": fault.note.code, "zh": fault.note.zh, "en": fault.note.en, "hard": fault.hard}


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return touched, routes, before, after, left, faults, refused, confirm."""
    return {
        "touched": list(trial.touched),
        "routes": {crew: route_json(trial.routes[crew]) for crew in trial.touched},
        "before": {crew: time_json(trial.before[crew]) for crew in trial.touched},
        "after": {crew: time_json(trial.after[crew]) for crew in trial.touched},
        "left": route_json(trial.left),
        "faults": [fault_json(fault) for fault in trial.faults],
        "refused": trial.refused,
        "confirm": trial.needs_confirming,
    }


def route_json(route: Route | Iterable[Stop]) -> list[list[str]]:
    """Return stops as lists of [duty, side]."""
    return [list(stop) for stop in route]


def minutes_json(times: Mapping[str, CrewTime]) -> dict[str, dict[str, Any]]:
    """Return crew -> its minutes."""
    return {crew: time_json(time) for crew, time in times.items()}
