"""What one crew's route takes: its hours, where they go, and which limits it breaks."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.desk.ways import KnownWays
from planner.notes import Note
from planner.patrol.night import Night
from planner.patrol.problem import PatrolProblem
from planner.patrol.schedule import ROUNDING, Timetable, timetable

Numbers = NDArray[np.int64]
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class CrewTime:
    """Where a crew's time goes, in seconds; back_s : when it is back, in seconds since the evening's midnight.

    share : of what its shift allows; above 1 it is out too long.
    """

    service_s: float
    travel_s: float
    wait_s: float
    break_s: float
    total_s: float
    back_s: float
    share: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A limit that a route breaks. hard : it cannot be walked at all; else a supervisor may say yes to it."""

    crew: str
    note: Note
    hard: bool


@dataclass(frozen=True, slots=True, eq=False)
class Reckoned:
    """A route's hours, None where it cannot be walked or nothing is on it; where its time goes; its faults."""

    times: Timetable | None
    time: CrewTime
    faults: tuple[Fault, ...]


def reckon(night: Night, ways: KnownWays, crew: int, route: Numbers) -> Reckoned:
    """Return what ``route``, services of the night in order, takes the crew ``crew``.

    The same hours as ``schedule.timetable`` gives on ``answer.own_problem``. Where the hours of a duty cannot be kept,
    they are let go and told as a fault. Hard faults: no way, a mode that may not pass, a certificate that is missing.
    """
    crews, name = night.crews, str(night.crews.id[crew])
    from_s = float(crews.from_s[crew])
    if not len(route):
        return Reckoned(None, CrewTime(0.0, 0.0, 0.0, 0.0, 0.0, from_s, 0.0), ())
    barred = _barred(night, crew, route)
    if barred:
        return Reckoned(None, _UNKNOWN, tuple(Fault(name, note, True) for note in barred))
    problem, order = _problem(night, ways, crew, route)
    try:
        times, closed = timetable(problem, 0, order), False
    except QuestionError:
        closed = True
        always = replace(problem.services, closes_s=np.full(len(route), np.inf))
        try:
            times = timetable(replace(problem, services=always), 0, order)
        except QuestionError:
            zh, en = "路线有一段无路可走", "there is no way along this route"
            return Reckoned(None, _UNKNOWN, (Fault(name, Note("no-way", zh, en), True),))
    late = _closed(night, route, times) if closed else []
    notes = [*late, *_too_long(night, crew, times.returns_s)]
    return Reckoned(times, _time(night, crew, times), tuple(Fault(name, note, False) for note in notes))


_UNKNOWN = CrewTime(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)


def _problem(night: Night, ways: KnownWays, crew: int, route: Numbers) -> tuple[PatrolProblem, NDArray[np.int32]]:
    """Return the problem of one crew and its route alone, and the route in it."""
    own = night.take(np.sort(route), np.array([crew]))
    order = np.argsort(np.argsort(route)).astype(np.int32)
    mode = int(own.mode_of[0])
    here = _pairs(own.start, own.begins[order], own.ends[order], own.end)
    there = _pairs(night.start[[crew]], night.begins[route], night.ends[route], night.end[[crew]])
    travel_s = np.full((len(own.modes), *2 * (len(own.places[mode]),)), np.inf, np.float32)
    travel_s[mode, here[0], here[1]] = ways.seconds(mode, *there)
    return own.with_travel(travel_s), order


def _pairs(
    start: NDArray[np.int32], begins: NDArray[np.int32], ends: NDArray[np.int32], end: NDArray[np.int32]
) -> tuple[Numbers, Numbers]:
    """Return every place left with every place entered next, whatever the directions."""
    leaves = np.vstack([np.repeat(start, 2), ends]).astype(np.int64)
    enters = np.vstack([begins, np.repeat(end, 2)]).astype(np.int64)
    return np.repeat(leaves, 2, axis=1).ravel(), np.tile(enters, (1, 2)).ravel()


def _time(night: Night, crew: int, times: Timetable) -> CrewTime:
    crews = night.crews
    from_s, rest_s = float(crews.from_s[crew]), 0.0 if times.break_after < 0 else float(crews.break_s[crew])
    service_s = float((times.ends_s - times.begins_s).sum())
    wait_s = float((times.begins_s - times.arrives_s).sum())
    total_s = times.returns_s - from_s
    travel_s = total_s - service_s - wait_s - rest_s
    return CrewTime(service_s, travel_s, wait_s, rest_s, total_s, times.returns_s, total_s / allowed_s(night, crew))


def allowed_s(night: Night, crew: int) -> float:
    """Return how long a crew may be out, at least a second."""
    crews = night.crews
    return max(1.0, min(float(crews.longest_s[crew]), float(crews.until_s[crew] - crews.from_s[crew])))


def _barred(night: Night, crew: int, route: Numbers) -> list[Note]:
    """Return what a crew may not do at all."""
    notes = []
    mode, held = int(night.mode_of[crew]), night.crews.certificates[crew]
    for i in route.tolist():
        street, needed = _named(night, i), str(night.duties.certificate[night.duty[i]])
        if needed and needed not in held:
            notes.append(
                Note("certificate", f"{street} 须有资质：{needed}", f"{street} needs the certificate {needed}")
            )
        if not math.isfinite(night.service_s[mode, i]):
            zh, en = f"{street} 不能以该组的出行方式通行", f"{street} is not open to how this crew travels"
            notes.append(Note("no-mode", zh, en))
    return notes


def _closed(night: Night, route: Numbers, times: Timetable) -> list[Note]:
    """Return the duties that end after their hours."""
    notes = []
    for i, ends_s in zip(route.tolist(), times.ends_s.tolist(), strict=True):
        closes_s = float(night.closes_s[i])
        if _above(ends_s, closes_s):
            street, until, done = _named(night, i), clock(closes_s), clock(ends_s)
            notes.append(
                Note("closed", f"{street} 应在 {until} 前完成，要到 {done}", f"{street} is due by {until}, done {done}")
            )
    return notes


def _too_long(night: Night, crew: int, returns_s: float) -> list[Note]:
    """Return what a crew's shift does not allow."""
    crews = night.crews
    until_s, took_s, longest_s = (
        float(crews.until_s[crew]),
        returns_s - float(crews.from_s[crew]),
        crews.longest_s[crew],
    )
    notes = []
    if _above(returns_s, until_s):
        late = math.ceil((returns_s - until_s) / MINUTE_S)
        zh, en = (
            f"{clock(returns_s)} 才返回，晚于班次 {late} 分钟",
            f"back at {clock(returns_s)}, {late} min after the shift",
        )
        notes.append(Note("shift", zh, en))
    if _above(took_s, float(longest_s)) and not notes:
        over = math.ceil((took_s - float(longest_s)) / MINUTE_S)
        most = f"{longest_s / MINUTE_S:.0f}"
        notes.append(
            Note("longest", f"超出每班上限 {most} 分钟 {over} 分钟", f"{over} min more than the {most} allowed")
        )
    return notes


def _named(night: Night, service: int) -> str:
    """Return the name of a service's street, with the duty's id where it has none."""
    duty = night.duty[service]
    return str(night.duties.name[duty]) or str(night.duties.id[duty])


def clock(seconds: float) -> str:
    """Return seconds since the evening's midnight as "00:12", to the minute begun."""
    minutes = math.floor(seconds / MINUTE_S + 1e-9)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _above(value: float, limit: float) -> bool:
    """Tell whether ``value`` is above ``limit`` by more than rounding."""
    return value > limit + (ROUNDING * max(1.0, abs(limit)) if math.isfinite(limit) else 0.0)
