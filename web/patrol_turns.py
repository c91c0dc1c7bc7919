"""A route as a list of things to do, as a person would say them: along which street, how far, which way to turn."""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

from gis.turns import SAME_STREET, STRAIGHT, arriving, bend, leaving, turning
from web import patrol_words
from web.patrol_drawing import Route

TURNS = {
    "straight": ("直行", "straight on"),
    "left": ("左转", "left"),
    "right": ("右转", "right"),
    "back": ("掉头", "turn back"),
    "": ("", ""),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a turn list.

    kind : of its steps. begins, ends : ISO datetimes. zh, en : what to do. must : whether any of it must be done.
    metres : of ground. steps : the numbers of its steps. at : metres where it begins (for a check: where it is), NaN
    where that is unknown. ticks : whether something is to be ticked off.
    """

    kind: str
    begins: str
    ends: str
    zh: str
    en: str
    must: bool
    metres: float
    steps: tuple[int, ...]
    at: tuple[float, float]
    ticks: bool


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg as a turn list needs it: its street, metres, ends, and headings at both (NaN without length)."""

    street: str
    near: str
    metres: float
    begin: tuple[float, float]
    end: tuple[float, float]
    leaves: float
    arrives: float


@dataclass(slots=True)
class _Run:
    """Legs along one street without a turn, and how one turns into it."""

    turn: str
    street: str
    near: str
    metres: float


Row = dict[Any, Any]


def items(route: Route) -> list[Item]:
    """Return the turn list of a route: runs of steps on one street are one line, a way between streets is one line."""
    legs_of = _legs(route)
    steps: list[Row] = route.steps.to_dict("records")
    places = route.at.tolist()
    made: list[Item] = []
    arrives, i = math.nan, 0
    while i < len(steps):
        rows, place = [steps[i]], places[i]
        while i + 1 < len(steps) and _goes_on(steps[i], steps[i + 1], legs_of):
            i += 1
            rows.append(steps[i])
        legs = [leg for row in rows for leg in legs_of.get(row["step"], ())]
        made.append(_item(route, rows, legs, arrives, place))
        arrives = next((leg.arrives for leg in reversed(legs) if not math.isnan(leg.arrives)), arrives)
        i += 1
    return made


def _legs(route: Route) -> dict[int, list[_Leg]]:
    """Return the legs of each step that covers ground."""
    of: dict[int, list[_Leg]] = {}
    columns = (route.legs[name].tolist() for name in ("step", "street", "near", "metres"))
    for step, street, near, metres, line in zip(*columns, route.lines, strict=True):
        xy = line.coords[:]
        leg = _Leg(street, near, metres, xy[0], xy[-1], leaving(xy), arriving(xy))
        of.setdefault(step, []).append(leg)
    return of


def _goes_on(this: Row, then: Row, legs_of: dict[int, list[_Leg]]) -> bool:
    """Tell whether the next step patrols on along the same street, in the same way."""
    if this["kind"] != "patrol" or any(this[c] != then[c] for c in ("kind", "name", "side", "must")):
        return False
    a, b = legs_of.get(this["step"]), legs_of.get(then["step"])
    if a is None or b is None:
        return False
    return abs(bend(a[-1].arrives, b[0].leaves)) <= (SAME_STREET if this["name"] else STRAIGHT)


def _runs(legs: list[_Leg], arrives: float) -> list[_Run]:
    """Return legs joined along streets, each with the turn into it."""
    runs: list[_Run] = []
    for leg in legs:
        last = runs[-1] if runs else None
        bent = abs(bend(arrives, leg.leaves))
        if last and last.street == leg.street and not bent > (SAME_STREET if leg.street else STRAIGHT):
            last.metres += leg.metres
        else:
            runs.append(_Run(turning(arrives, leg.leaves), leg.street, leg.near, leg.metres))
        arrives = arrives if math.isnan(leg.arrives) else leg.arrives
    return runs


def _item(route: Route, rows: list[Row], legs: list[_Leg], arrives: float, place: list[float]) -> Item:
    kind, begins, ends, name = rows[0]["kind"], rows[0]["begins"], rows[-1]["ends"], str(rows[0]["name"])
    metres = float(sum(row["metres"] for row in rows))
    if kind == "patrol":
        zh, en = _patrol_words(rows[0], metres, legs, arrives)
    elif kind == "travel":
        zh, en = _travel_words(route, metres, legs, arrives)
    else:
        zh, en = _still_words(kind, name, begins, ends)
    x, y = legs[0].begin if legs else place
    return Item(
        kind, begins, ends, zh, en, any(row["must"] for row in rows), metres, tuple(row["step"] for row in rows),
        (x, y), kind in ("patrol", "check"),
    )  # fmt: skip


def _still_words(kind: str, name: str, begins: str, ends: str) -> tuple[str, str]:
    """Say what is done without walking."""
    long = patrol_words.minutes((dt.datetime.fromisoformat(ends) - dt.datetime.fromisoformat(begins)).total_seconds())
    until = patrol_words.clock(ends)
    return {
        "check": (f"检查 {name or '点位'}，停留 {long} 分钟", f"check {name or 'the spot'}, stay {long} min"),
        "wait": (f"等候至 {until}", f"wait until {until}"),
        "break": (f"休息 {long} 分钟", f"break of {long} min"),
        "start": (f"从 {name} 出发", f"leave {name}"),
        "end": (f"回到 {name}，交班", f"back at {name}: hand over"),
    }[kind]


def _patrol_words(row: Row, metres: float, legs: list[_Leg], arrives: float) -> tuple[str, str]:
    length = patrol_words.metres(metres)
    zh_name, en_name = patrol_words.street(str(row["name"]), legs[0].near if legs else "")
    if not legs:
        return f"巡查 {zh_name} {length}", f"patrol {en_name} {length}"
    turn, way = TURNS[turning(arrives, legs[0].leaves)], _whole_heading(legs[0].begin, legs[-1].end)
    side = patrol_words.SIDES.get(str(row["side"]), ("", ""))
    zh = f"沿 {zh_name} {'向' + way[0] if way[0] else ''}巡查 {length}" + (f"，{side[0]}" if side[0] else "")
    en = f"patrol {en_name} {way[1]} {length}".replace("  ", " ") + (f", {side[1]}" if side[1] else "")
    return (f"{turn[0]}，{zh}", f"{turn[1]}: {en}") if turn[0] else (zh, en)


def _whole_heading(begin: tuple[float, float], end: tuple[float, float]) -> tuple[str, str]:
    """Name the direction from one place to another; nothing where a route comes back to where it began."""
    east, north = end[0] - begin[0], end[1] - begin[1]
    return ("", "") if math.hypot(east, north) < 1.0 else patrol_words.compass(math.degrees(math.atan2(north, east)))


def _travel_words(route: Route, metres: float, legs: list[_Leg], arrives: float) -> tuple[str, str]:
    does_zh, does_en = patrol_words.DOING.get(str(route.crew["mode"]), ("前往", "go"))
    length = patrol_words.metres(metres)
    runs = _runs(legs, arrives)
    if not runs:
        to = "前往" if route.known else "往返不公开的点位"
        toward = "" if route.known else " to or from a withheld point"
        return f"{does_zh} {length}，{to}，不巡查", f"{does_en} {length}{toward}, not patrolled"
    if len(runs) == 1:
        zh, en = patrol_words.street(runs[0].street, runs[0].near)
        turn = TURNS[runs[0].turn]
        said = (f"{turn[0]}，" if turn[0] else "", f"{turn[1]}: " if turn[1] else "")
        return f"{said[0]}沿 {zh} {does_zh} {length}，不巡查", f"{said[1]}{does_en} {en} {length}, not patrolled"
    parts = []
    for run in runs:
        zh, _ = patrol_words.street(run.street, run.near)
        parts.append(f"{TURNS[run.turn][0]} {zh} {patrol_words.metres(run.metres)}".strip())
    turns = ", ".join(TURNS[run.turn][1] or "set out" for run in runs)
    return f"{does_zh} {length}，不巡查：" + " → ".join(parts), f"{does_en} {length}, not patrolled: {turns}"
