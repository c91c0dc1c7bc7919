"""A route as a list of things to do, as a person would say them: along which street, how far, which way to turn."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from web import patrol_words
from web.patrol_drawing import Lines, Route

#: Metres at the end of a street from which its heading is told, so that a kink at the junction says nothing.
HEADING_M = 15.0
#: Degrees up to which one goes straight on, up to which a street of one name is one street, and from which one turns
#: back.
STRAIGHT, SAME_STREET, BACK = 35.0, 60.0, 150.0
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
class _Run:
    """Legs along one street without a turn: how one turns into it, its name, metres, and heading as a whole."""

    turn: str
    street: str
    near: str
    metres: float
    first: int
    last: int


def turn_word(before: shapely.LineString, after: shapely.LineString) -> str:
    """Return how one turns from the end of one line into the next: "straight", "left", "right" or "back".

    "" where either has no length.
    """
    angle = _bend(before, after)
    if np.isnan(angle):
        return ""
    if abs(angle) <= STRAIGHT:
        return "straight"
    if abs(angle) >= BACK:
        return "back"
    return "left" if angle > 0 else "right"


def _bend(before: shapely.LineString, after: shapely.LineString) -> float:
    """Return the degrees turned to the left, in [-180, 180); NaN where a line has no length."""
    comes = _heading(shapely.get_coordinates(before)[::-1]) + 180.0
    goes = _heading(shapely.get_coordinates(after))
    return float((goes - comes + 180.0) % 360.0 - 180.0)


def _heading(xy: NDArray[np.float64]) -> float:
    """Return degrees counter-clockwise from east of the first HEADING_M of a line; NaN without length."""
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    reach = min(HEADING_M, along[-1])
    if reach <= 0:
        return float("nan")
    x, y = (float(np.interp(reach, along, xy[:, k])) - xy[0, k] for k in (0, 1))
    return float(np.degrees(np.arctan2(y, x)))


def items(route: Route) -> list[Item]:
    """Return the turn list of a route: runs of steps on one street are one line, a way between streets is one line."""
    steps, made = route.steps, []
    legs_of = route.legs.groupby("step").indices
    before: shapely.LineString | None = None
    i = 0
    while i < len(steps):
        kind = steps["kind"].iloc[i]
        group = [i]
        if kind == "patrol":
            while i + 1 < len(steps) and _goes_on(route, steps, legs_of, i):
                i += 1
                group.append(i)
        rows = steps.iloc[group]
        legs = np.concatenate([legs_of.get(step, np.empty(0, np.int64)) for step in rows["step"]])
        made.append(_item(route, rows, legs, before, group[0]))
        before = route.lines[legs[-1]] if len(legs) else before
        i += 1
    return made


def _goes_on(route: Route, steps: pd.DataFrame, legs_of: dict[int, NDArray[np.int64]], i: int) -> bool:
    """Tell whether the next step patrols on along the same street, in the same way."""
    this, then = steps.iloc[i], steps.iloc[i + 1]
    if any(this[c] != then[c] for c in ("kind", "name", "side", "must")):
        return False
    a, b = legs_of.get(this["step"]), legs_of.get(then["step"])
    if a is None or b is None:
        return False
    bend = _bend(route.lines[a[-1]], route.lines[b[0]])
    return abs(bend) <= (SAME_STREET if this["name"] else STRAIGHT)


def _runs(route: Route, legs: NDArray[np.int64], before: shapely.LineString | None) -> list[_Run]:
    """Return legs joined along streets, each with the turn into it."""
    runs: list[_Run] = []
    for leg in legs.tolist():
        line, row = route.lines[leg], route.legs.iloc[leg]
        turn = "" if before is None else turn_word(before, line)
        last = runs[-1] if runs else None
        bend = abs(_bend(before, line)) if last and before is not None else np.nan
        if last and last.street == row["street"] and not bend > (SAME_STREET if last.street else STRAIGHT):
            runs[-1] = _Run(last.turn, last.street, last.near, last.metres + row["metres"], last.first, leg)
        else:
            runs.append(_Run(turn, row["street"], row["near"], row["metres"], leg, leg))
        before = line if shapely.length(line) > 0 else before
    return runs


def _item(
    route: Route, rows: pd.DataFrame, legs: NDArray[np.int64], before: shapely.LineString | None, first: int
) -> Item:
    kind, begins, ends = rows["kind"].iloc[0], rows["begins"].iloc[0], rows["ends"].iloc[-1]
    seconds = (pd.Timestamp(ends) - pd.Timestamp(begins)).total_seconds()
    name = str(rows["name"].iloc[0])
    at = route.at[first]
    if kind == "patrol":
        zh, en = _patrol_words(route, rows, legs, before)
    elif kind == "travel":
        zh, en = _travel_words(route, rows, legs, before)
    elif kind == "check":
        zh = f"检查 {name or '点位'}，停留 {patrol_words.minutes(seconds)} 分钟"
        en = f"check {name or 'the spot'}, stay {patrol_words.minutes(seconds)} min"
    elif kind == "wait":
        zh, en = f"等候至 {patrol_words.clock(ends)}", f"wait until {patrol_words.clock(ends)}"
    elif kind == "break":
        zh, en = f"休息 {patrol_words.minutes(seconds)} 分钟", f"break of {patrol_words.minutes(seconds)} min"
    elif kind == "start":
        zh, en = f"从 {name} 出发", f"leave {name}"
    else:
        zh, en = f"回到 {name}，交班", f"back at {name}: hand over"
    begin = shapely.get_coordinates(route.lines[legs[0]])[0] if len(legs) else at
    return Item(
        kind, begins, ends, zh, en, bool(rows["must"].any()), float(rows["metres"].sum()),
        tuple(rows["step"].tolist()), (float(begin[0]), float(begin[1])), kind in ("patrol", "check"),
    )  # fmt: skip


def _patrol_words(
    route: Route, rows: pd.DataFrame, legs: NDArray[np.int64], before: shapely.LineString | None
) -> tuple[str, str]:
    name, metres = str(rows["name"].iloc[0]), float(rows["metres"].sum())
    length = patrol_words.metres(metres)
    zh_name, en_name = patrol_words.street(name, str(route.legs["near"].iloc[legs[0]]) if len(legs) else "")
    if not len(legs):
        return f"巡查 {zh_name} {length}", f"patrol {en_name} {length}"
    turn = ("", "") if before is None else TURNS[turn_word(before, route.lines[legs[0]])]
    way = _whole_heading(route.lines[legs])
    side = patrol_words.SIDES.get(str(rows["side"].iloc[0]), ("", ""))
    zh = f"沿 {zh_name} {'向' + way[0] if way[0] else ''}巡查 {length}" + (f"，{side[0]}" if side[0] else "")
    en = f"patrol {en_name} {way[1]} {length}".replace("  ", " ") + (f", {side[1]}" if side[1] else "")
    return (f"{turn[0]}，{zh}", f"{turn[1]}: {en}") if turn[0] else (zh, en)


def _whole_heading(lines: Lines) -> tuple[str, str]:
    """Name the direction from the first place to the last; nothing where a route comes back to where it began."""
    begin, end = shapely.get_coordinates(lines[0])[0], shapely.get_coordinates(lines[-1])[-1]
    if np.hypot(*(end - begin)) < 1.0:
        return "", ""
    return patrol_words.compass(float(np.degrees(np.arctan2(*(end - begin)[::-1]))))


def _travel_words(
    route: Route, rows: pd.DataFrame, legs: NDArray[np.int64], before: shapely.LineString | None
) -> tuple[str, str]:
    does_zh, does_en = patrol_words.DOING.get(str(route.crew["mode"]), ("前往", "go"))
    length = patrol_words.metres(float(rows["metres"].sum()))
    runs = _runs(route, legs, before)
    if not runs:
        to = "前往" if route.known else "往返不公开的点位"
        return f"{does_zh} {length}，{to}，不巡查", f"{does_en} {length}, not patrolled"
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
