"""What the supervisor's desk shows of a night: crews, changes and gaps in words, and the lines of its map."""

import datetime as dt
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layers.night_records import NightChange, NightRoute, PatrolNight
from layers.phone import Ticked
from layers.scope import Scope
from planner.desk.board import Board, Line
from planner.desk.ground import Stop
from planner.desk.reckoning import Fault, allowed_s, clock
from planner.night_lines import Whereabouts, crew_walk, duty_of, middle_of, segment_of, whereabouts
from planner.patrol.question import DAY_S
from web.patrol_words import COLOURS
from web.server.language import _, language, said
from web.server.staff_frame import when

#: A phone's word on where its crew is counts for so long.
FRESH = dt.timedelta(minutes=45)


@dataclass(frozen=True, slots=True)
class CrewRow:
    """One crew as the list shows it; minutes NaN-free: None where its route has no hours."""

    name: str
    colour: int
    persons: str
    mode: str
    minutes: int | None
    shift_minutes: int
    shift: str
    km: float
    stops: int
    done_share: int
    late_min: int | None
    locked: bool
    ill: bool
    on_duty: bool
    doing: str
    faults: tuple[str, ...]
    lon: float
    lat: float


def crew_rows(
    board: Board, routes: Sequence[NightRoute], ticked: Sequence[Ticked], at_s: float, fresh_since: dt.datetime | None
) -> list[CrewRow]:
    """Return the crews as they stand at ``at_s``, seconds since the evening's midnight.

    fresh_since : from when on what phones said tells where a crew is; None where only the plan does.
    """
    said_by: dict[str, list[Ticked]] = {}
    for one in ticked:
        said_by.setdefault(one.crew, []).append(one)
    return [_row(board, route, said_by.get(route.crew, []), at_s, fresh_since) for route in routes]


def _row(
    board: Board, route: NightRoute, ticked: list[Ticked], at_s: float, fresh_since: dt.datetime | None
) -> CrewRow:
    ground, line = board.ground, board.lines[route.crew]
    crew = ground.crew(route.crew)
    reckoned = ground.reckoned(route.crew, line.route)
    walk = crew_walk(ground, route.crew, line.route)
    here = whereabouts(ground, line, at_s)
    done = {(one.duty, one.side) for one in ticked if one.state == "done"}
    last = ticked[-1] if ticked else None
    doing = _doing(board, here, at_s)
    if last is not None and fresh_since is not None and last.at >= fresh_since and (stop := _stop(last)) in line.route:
        lon, lat = middle_of(ground, segment_of(ground, stop))
        here = Whereabouts(lon, lat, "at", stop)
        doing = _("手机 %(clock)s：%(street)s", clock=when(last.at)[11:], street=street(board, stop))
    return CrewRow(
        route.crew, crew % len(COLOURS), route.persons, mode_words(str(ground.night.crews.mode[crew])),
        whole_minutes(reckoned.time.total_s), round(allowed_s(ground.night, crew) / 60), _shift(board, crew),
        _km(walk.walked_m), len(line.route), share_of(len(done & set(line.route)), len(line.route)),
        _late(board, line, last),
        route.locked, route.ill_from is not None, _on_duty(board, crew, at_s),
        "" if route.ill_from is not None else doing,
        tuple(said_note(fault) for fault in reckoned.faults), here.lon, here.lat,
    )  # fmt: skip


def _doing(board: Board, here: Whereabouts, at_s: float) -> str:
    """Say where by plan a crew is."""
    values = {"clock": clock(at_s), "street": "" if here.stop is None else street(board, here.stop)}
    if here.stop is None:
        words = {"before": _("没有路线"), "back": _("已返回"), "out": "", "toward": _("正在返回")}
        return words[here.doing]
    if here.doing == "at":
        return _("按计划 %(clock)s 在%(street)s", **values)
    if here.doing == "before":
        return _("未出发，先到%(street)s", **values)
    return _("按计划 %(clock)s 前往%(street)s", **values)


def _late(board: Board, line: Line, last: Ticked | None) -> int | None:
    """Return how many minutes after its planned end the last street was ticked off, None where nothing was."""
    times = board.ground.reckoned(line.crew, line.route).times
    if last is None or times is None or _stop(last) not in line.route:
        return None
    planned_s = float(times.ends_s[line.route.index(_stop(last))])
    local = dt.datetime.fromisoformat(when(last.at))
    took_s = (local - dt.datetime.combine(board.ground.date, dt.time())).total_seconds()
    return max(0, math.floor((took_s - planned_s) / 60))


def _stop(one: Ticked) -> Stop:
    return one.duty, one.side


def _shift(board: Board, crew: int) -> str:
    """Return a crew's hours."""
    crews = board.ground.night.crews
    return "–".join(_clock(float(at_s[crew])) for at_s in (crews.from_s, crews.until_s))


def _on_duty(board: Board, crew: int, at_s: float) -> bool:
    crews = board.ground.night.crews
    return bool(crews.from_s[crew] <= at_s <= crews.until_s[crew])


def _clock(seconds: float) -> str:
    """Return an hour of the night; the end of the evening is 24:00."""
    return "24:00" if seconds == DAY_S else clock(seconds)


def whole_minutes(seconds: float) -> int | None:
    """Return minutes begun, None where a route has no hours."""
    return None if math.isnan(seconds) else math.ceil(seconds / 60 - 1e-9)


def _km(metres: float) -> float:
    return 0.0 if math.isnan(metres) else metres / 1000


def share_of(part: float, whole: float) -> int:
    """Return a part in whole per cent, rounded down; 0 of nothing."""
    return math.floor(100 * part / whole) if whole else 0


# words


def street(board: Board, stop: Stop) -> str:
    """Return the name of a stop's street as pages say it."""
    ground = board.ground
    if stop not in ground.services:
        return stop[0]
    return str(ground.night.duties.name[duty_of(ground, stop)]) or _("无名路")


def street_of(board: Board, duty: str) -> str | None:
    """Return the name of a duty's street as pages say it; None where it is none of this night."""
    stop = next((stop for stop in board.ground.services if stop[0] == duty), None)
    return None if stop is None else street(board, stop)


def mode_words(mode: str) -> str:
    """Say how a crew goes."""
    words = {"walk": _("步行巡查"), "ebike": _("骑行巡查"), "drive": _("驾车巡查")}
    return words[mode]


def said_note(fault: Fault) -> str:
    """Return what is wrong with a route in the reader's language."""
    return fault.note.zh if language() == "zh" else fault.note.en


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change as the list shows it; clock : of the city."""

    number: int
    at: dt.datetime
    clock: str
    name: str
    what: str
    undone: bool
    may_undo: bool


def change_rows(board: Board, changes: Sequence[NightChange], night: PatrolNight) -> list[ChangeRow]:
    """Return the changes, newest first."""
    undone = {one.undoes for one in changes}
    return [
        ChangeRow(
            one.number,
            one.at,
            when(one.at)[5:],
            one.name,
            what(board, one),
            one.number in undone,
            one.whole and one.number not in undone and (night.state == "open" or "state" in one.said),
        )
        for one in reversed(changes)
    ]


def what(board: Board, change: NightChange) -> str:
    """Say what a change did: the action, whose routes, and which street."""
    words, duty = said(change.words), str(change.said.get("duty", ""))
    name = street_of(board, duty)
    return words if name is None else _("%(what)s：%(street)s", what=words, street=name)


def news_of(board: Board, changes: Sequence[NightChange], reader: int) -> list[str]:
    """Return what others have changed, in sentences, oldest first."""
    return [
        _("%(name)s %(clock)s：%(what)s", name=one.name, clock=when(one.at)[11:], what=what(board, one))
        for one in changes
        if one.account_id != reader
    ]


# streets, found by name


@dataclass(frozen=True, slots=True)
class StopRow:
    """One stop to choose: key names it in forms; at : when by plan, "" for nobody's; metres 0 for a check."""

    key: str
    name: str
    side: str
    metres: int
    crew: str
    persons: str
    at: str
    must: bool
    begun: bool
    chosen: bool


def stops_named(
    board: Board, routes: Sequence[NightRoute], area: Scope, query: str, chosen: str, most: int
) -> tuple[list[StopRow], bool]:
    """Return the stops whose street or crew ``query`` names, at most ``most``, and whether there are more.

    chosen : the key of one that is shown in any case. What lies in no route is found inside ``area`` alone.
    """
    asked = "".join(query.split()).casefold()
    own = {route.crew: route for route in routes}
    holder = {stop: line.crew for line in board.lines.values() for stop in line.route}
    found = []
    for stop in board.ground.services:
        crew = holder.get(stop)
        if crew not in own and (crew is not None or not area.holds(cell_of(board, stop))):
            continue
        named = [street(board, stop), *([crew, own[crew].persons] if crew else [])]
        if key_of(stop) == chosen or (asked and any(asked in str(name).casefold() for name in named)):
            found.append(stop)
    order = {stop: i for route in routes for i, stop in enumerate(route.route)}
    begun = {stop for crew, route in own.items() for stop in route.route[: board.begun(crew)]}
    found.sort(key=lambda stop: (key_of(stop) != chosen, stop in begun, holder.get(stop) or "~", order.get(stop, 0)))
    return [
        _stop_row(board, stop, holder.get(stop), own, begun=stop in begun, chosen=key_of(stop) == chosen)
        for stop in found[:most]
    ], len(found) > most


def _stop_row(
    board: Board, stop: Stop, crew: str | None, own: Mapping[str, NightRoute], *, begun: bool, chosen: bool
) -> StopRow:
    ground, duty = board.ground, duty_of(board.ground, stop)
    times = ground.reckoned(crew, own[crew].route).times if crew else None
    at = "" if times is None or crew is None else clock(float(times.begins_s[own[crew].route.index(stop)]))
    return StopRow(
        key_of(stop), str(ground.night.duties.name[duty]), stop[1], round(metres_of(board, stop)), crew or "",
        own[crew].persons if crew else "", at, bool(ground.night.duties.must[duty]), begun, chosen,
    )  # fmt: skip


def key_of(stop: Stop) -> str:
    """Return how forms name a stop."""
    return f"{stop[0]}|{stop[1]}" if stop[1] else stop[0]


def stop_of(key: str) -> Stop:
    """Return the stop a form names."""
    duty, _between, side = key.partition("|")
    return duty, side


def metres_of(board: Board, stop: Stop) -> float:
    """Return how long a stop's street is; 0 for a check."""
    ground = board.ground
    if ground.night.duties.check[duty_of(ground, stop)]:
        return 0.0
    return float(ground.records.city.network.length_m[segment_of(ground, stop)])


def cell_of(board: Board, stop: Stop) -> str:
    """Return the code of the grid cell, or community, around a stop."""
    return str(board.ground.night.cell[board.ground.services[stop]])


# gaps


@dataclass(frozen=True, slots=True)
class LeftRow:
    """One street that must be walked and is in no route, with the reason."""

    name: str
    metres: int
    reason: str


def left_over(board: Board, area: Scope, uncovered: Mapping[str, str]) -> tuple[list[LeftRow], int]:
    """Return the streets inside ``area`` that must be walked and nobody has, and how many others nobody has.

    uncovered : duty -> why the plan left it out, in the reader's language.
    """
    ground, must, other = board.ground, [], 0
    for stop in board.open_stops():
        if not area.holds(cell_of(board, stop)):
            continue
        duty = duty_of(ground, stop)
        if not ground.night.duties.must[duty]:
            other += 1
            continue
        reason = uncovered.get(stop[0], _("已从路线中取下"))
        must.append(LeftRow(str(ground.night.duties.name[duty]), round(metres_of(board, stop)), reason))
    return must, other


# the map


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    """Return a GeoJSON feature."""
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def ways_features(board: Board, crews: Collection[str]) -> list[dict[str, Any]]:
    """Return what ``crews`` only pass along, between the streets they walk for."""
    found = []
    for name in crews:
        ways = crew_walk(board.ground, name, board.lines[name].route).ways
        if ways:
            found.append(feature("MultiLineString", ways, crew=name, colour=board.ground.crew(name) % len(COLOURS)))
    return found
