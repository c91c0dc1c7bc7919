"""The board: everybody's route and minutes tonight, and what a change would make of them before it is made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gis.errors import QuestionError
from planner.desk.ground import Ground, Route, Stop
from planner.desk.places import best_gap
from planner.desk.reckoning import CrewTime, Fault, Reckoned
from planner.notes import Note


@dataclass(frozen=True, slots=True)
class Line:
    """One crew on the board. ill_s : from when it is ill, in seconds since the evening's midnight; None if it walks."""

    crew: str
    route: Route
    locked: bool = False
    ill_s: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A change that has not been made: what it would make of everyone it touches.

    touched : crews. routes : what they would walk. before, after : where their time goes. left : stops that nobody
    would have any more. faults : limits the new routes break, those they broke before too.
    """

    touched: tuple[str, ...]
    routes: Mapping[str, Route]
    before: Mapping[str, CrewTime]
    after: Mapping[str, CrewTime]
    left: tuple[Stop, ...]
    faults: tuple[Fault, ...]

    @property
    def refused(self) -> bool:
        """Whether something cannot be done at all, whoever says yes to it."""
        return any(fault.hard for fault in self.faults)

    @property
    def needs_confirming(self) -> bool:
        """Whether a supervisor must say yes to a limit that is broken."""
        return bool(self.faults) and not self.refused


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """One night as it stands at ``now_s`` (seconds since the evening's midnight; None while nobody is out).

    lines : crew -> its line, for all crews of the night. What by plan is done or begun by ``now_s`` stays where it is.
    """

    ground: Ground
    lines: Mapping[str, Line]
    now_s: float | None = None

    def minutes(self) -> dict[str, CrewTime]:
        """Return where every crew's time goes."""
        return {crew: self._reckoned(line).time for crew, line in self.lines.items()}

    def faults(self) -> list[Fault]:
        """Return the limits that the routes break as they stand."""
        return [fault for line in self.lines.values() for fault in self._reckoned(line).faults]

    def open_stops(self) -> list[Stop]:
        """Return what is in no route, in the order of the duties."""
        held = {stop for line in self.lines.values() for stop in line.route}
        return [stop for stop in self.ground.services if stop not in held]

    def holder(self, stop: Stop) -> str | None:
        """Return the crew whose route holds a stop; None where nobody's does."""
        return next((line.crew for line in self.lines.values() if stop in line.route), None)

    def begun(self, crew: str) -> int:
        """Return how many stops of a crew are done or begun by now, by plan."""
        line = self._line(crew)
        times = self._reckoned(line).times
        if self.now_s is None or times is None:
            return 0
        return int((times.begins_s < self.now_s).sum())

    # what could be changed

    def move(self, duty: str, to_crew: str) -> Trial:
        """Move a street, both its sides, to where in the route of ``to_crew`` it costs least.

        Raises QuestionError on an unknown crew or duty, or one that nobody has: see ``assign``.
        """
        stops = self.ground.stops(duty)
        if not any(self.holder(stop) for stop in stops):
            raise QuestionError("这条街段没有人负责，请用补派", "nobody has this street: assign it instead")
        return self._given(stops, to_crew)

    def assign(self, duty: str, to_crew: str) -> Trial:
        """Put a street, or the side of it that nobody has, where in the route of ``to_crew`` it costs least."""
        stops = tuple(stop for stop in self.ground.stops(duty) if self.holder(stop) is None)
        if not stops:
            raise QuestionError("这条街段已有人负责", "somebody has this street already")
        return self._given(stops, to_crew)

    def remove(self, duty: str) -> Trial:
        """Take a street out of whosever route it is in: nobody walks it then."""
        stops = self.ground.stops(duty)
        routes, faults = self._without(stops)
        if not routes:
            raise QuestionError("这条街段本来就没有人负责", "nobody has this street as it is")
        return self._trial(routes, faults)

    def swap(self, a: str, b: str) -> Trial:
        """Let two crews walk each other's routes; persons, mode, shift, station and certificates stay with the crew.

        What either has done or begun stays its own.
        """
        first, second = self._line(a), self._line(b)
        if a == b:
            raise QuestionError("请选择两个不同的编组", "choose two different crews")
        cut, cut_b = self.begun(a), self.begun(b)
        routes = {
            a: first.route[:cut] + second.route[cut_b:],
            b: second.route[:cut_b] + first.route[cut:],
        }
        return self._trial(routes, [fault for line in (first, second) for fault in self._absent(line)])

    def mark_ill(self, crew: str, at_s: float) -> Trial:
        """Let a crew stop at ``at_s``: what it has done by then stays, what it is doing or has still to do is open."""
        line = self._line(crew)
        times = self._reckoned(line).times
        done = 0 if times is None else int((times.ends_s <= at_s).sum())
        trial = self._trial({crew: line.route[:done]}, self._absent(line))
        # no limit of the shift counts any more for who goes home
        return replace(trial, faults=tuple(fault for fault in trial.faults if fault.hard))

    def with_routes(self, routes: Mapping[str, Route]) -> Trial:
        """Return what it would be if these crews walked these routes."""
        faults = [fault for crew in routes for fault in self._absent(self._line(crew))]
        return self._trial(dict(routes), faults)

    def changed(self, routes: Mapping[str, Route]) -> "Board":
        """Return the board with these routes."""
        lines = {**self.lines, **{crew: replace(self._line(crew), route=route) for crew, route in routes.items()}}
        return replace(self, lines=lines)

    def _given(self, stops: Route, to_crew: str) -> Trial:
        line = self._line(to_crew)
        if stops and all(stop in line.route for stop in stops):
            raise QuestionError(f"{to_crew} 已负责这条街段", f"{to_crew} has this street already")
        routes, faults = self._without(tuple(stop for stop in stops if stop not in line.route))
        ground, route = self.ground, line.route
        crew, begun = ground.crew(to_crew), self.begun(to_crew)
        for stop in stops:
            if stop not in route:
                service = int(ground.numbers((stop,))[0])
                gap = best_gap(ground.night, ground.ways, crew, ground.numbers(route), service, begun)
                route = (*route[:gap], stop, *route[gap:])
        return self._trial({**routes, to_crew: route}, [*faults, *self._absent(line)])

    def _without(self, stops: Route) -> tuple[dict[str, Route], list[Fault]]:
        """Return the routes that lose ``stops``, and what stands against it."""
        routes, faults = {}, []
        for line in self.lines.values():
            lost = set(stops) & set(line.route)
            if not lost:
                continue
            routes[line.crew] = tuple(stop for stop in line.route if stop not in lost)
            if set(line.route[: self.begun(line.crew)]) & lost:
                zh, en = f"{line.crew} 已开始或已走完这条街段", f"{line.crew} has begun or done this street"
                faults.append(Fault(line.crew, Note("begun", zh, en), True))
            faults += self._locked(line)
        return routes, faults

    def _trial(self, routes: dict[str, Route], faults: Iterable[Fault]) -> Trial:
        before = {crew: self._reckoned(self._line(crew)).time for crew in routes}
        after = {crew: self.ground.reckoned(crew, route) for crew, route in routes.items()}
        had = {stop for crew in routes for stop in self._line(crew).route}
        left = had - {stop for route in routes.values() for stop in route}
        broken = [fault for found in after.values() for fault in found.faults]
        return Trial(
            tuple(routes), routes, before, {crew: found.time for crew, found in after.items()}, tuple(sorted(left)),
            tuple(dict.fromkeys([*faults, *broken])),
        )  # fmt: skip

    def _absent(self, line: Line) -> list[Fault]:
        """Return what stands against giving a crew anything: it is ill, or its route is locked."""
        if line.ill_s is None:
            return self._locked(line)
        return [Fault(line.crew, Note("ill", f"{line.crew} 已请病假", f"{line.crew} is ill"), True)]

    def _locked(self, line: Line) -> list[Fault]:
        if not line.locked:
            return []
        zh, en = f"{line.crew} 的路线已锁定，请先解锁", f"the route of {line.crew} is locked: unlock it first"
        return [Fault(line.crew, Note("locked", zh, en), True)]

    def _line(self, crew: str) -> Line:
        if crew not in self.lines:
            raise QuestionError(f"没有编组 {crew}", f"there is no crew {crew!r}")
        return self.lines[crew]

    def _reckoned(self, line: Line) -> Reckoned:
        return self.ground.reckoned(line.crew, line.route)
