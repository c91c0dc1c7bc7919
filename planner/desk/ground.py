"""What does not change while a night is directed: its streets, duties and crews, and all that was reckoned on them."""

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.modes import travel_by
from gis.network import Positions
from gis.search_graph import search_graph
from layers.codes import Level, ancestor_of
from planner.areas_around import areas_of
from planner.desk.reckoning import Reckoned, reckon
from planner.desk.ways import KnownWays
from planner.patrol.answer import Tables, Walk, steps_and_legs
from planner.patrol.night import Night
from planner.patrol.records import PatrolRecords

Numbers = NDArray[np.int64]
#: One service of a route: the duty's id and the side of the street as it is drawn, "" where one walk sees both.
Stop = tuple[str, str]
Route = tuple[Stop, ...]
#: The two sides of a street that is walked once a side: the services of a duty in their order.
SIDES = ("right", "left")
#: So many routes are remembered with their hours.
REMEMBERED = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """One night of a plan. Shared by everybody at the desk; what it remembers may be asked for by many at once.

    position : crew -> its number; services : stop -> the night's service. area : (n,) code of the finest area around
    each service, the city's outside all.
    """

    records: PatrolRecords
    night: Night
    date: dt.date
    ways: KnownWays
    position: dict[str, int]
    services: dict[Stop, int]
    area: NDArray[np.object_]
    _reckoned: OrderedDict[tuple[int, Route], Reckoned] = field(default_factory=OrderedDict)
    _turn: Lock = field(default_factory=Lock)

    def crew(self, name: str) -> int:
        """Return the number of a crew; raises QuestionError where there is none."""
        if name not in self.position:
            raise QuestionError(f"没有编组 {name}", f"there is no crew {name!r}")
        return self.position[name]

    def numbers(self, route: Route) -> Numbers:
        """Return a route's services; raises QuestionError on a duty that is not this night's."""
        return np.array([self._service(stop) for stop in route], np.int64)

    def _service(self, stop: Stop) -> int:
        if stop not in self.services:
            raise QuestionError(f"今晚没有任务 {stop[0]}", f"there is no duty {stop[0]!r} on this night")
        return self.services[stop]

    def stops(self, duty: str) -> Route:
        """Return all stops of a duty: one, or both sides; raises QuestionError on a duty that is not this night's."""
        found = tuple(stop for stop in ((duty, ""), *((duty, side) for side in SIDES)) if stop in self.services)
        if not found:
            self._service((duty, ""))
        return found

    def reckoned(self, crew: str, route: Route) -> Reckoned:
        """Return what a route takes a crew; the same route is reckoned once."""
        key = (self.crew(crew), route)
        with self._turn:
            if key in self._reckoned:
                self._reckoned.move_to_end(key)
                return self._reckoned[key]
            found = reckon(self.night, self.ways, key[0], self.numbers(route))
            self._reckoned[key] = found
            while len(self._reckoned) > REMEMBERED:
                self._reckoned.popitem(last=False)
            return found

    def walks(self, routes: dict[str, Route]) -> Tables:
        """Return "steps" and "legs" of routes that can be walked, as a run of patrol has them; crews with none rest."""
        walks = []
        for crew, route in sorted(routes.items(), key=lambda item: self.crew(item[0])):
            times = self.reckoned(crew, route).times
            if times is not None:
                walks.append(Walk(self.crew(crew), self.numbers(route), times))
        steps, legs = steps_and_legs(self.records, self.night, walks, self.date)
        return {"steps": steps, "legs": legs}


def ground_of(records: PatrolRecords, night: Night, date: dt.date) -> Ground:
    """Return the ground of a night laid out of ``records``."""
    network = records.city.network
    toward = tuple(search_graph(network, travel_by(network, mode), toward=True) for mode in night.modes)
    position = {str(name): i for i, name in enumerate(night.crews.id)}
    services: dict[Stop, int] = {}
    for i, duty in enumerate(night.duty):
        side = SIDES[int(night.second[i])] if night.duties.both_sides[duty] else ""
        services[str(night.duties.id[duty]), side] = i
    return Ground(records, night, date, KnownWays(night, toward), position, services, _areas(records, night))


def _areas(records: PatrolRecords, night: Night) -> NDArray[np.object_]:
    """Return (n,) the code of the finest area around the middle of each service's street, else the city's."""
    city, on = records.city, night.duties.segment
    middles = Positions(on, city.network.length_m[on] / 2, np.zeros(len(on)))
    around = areas_of(city.pieces, middles)
    code = np.full(len(on), "", object)
    for tier in city.tiers:
        code = np.where(around[tier.level] >= 0, tier.code[around[tier.level]], code)
    first = next((str(tier.code[0]) for tier in city.tiers if len(tier.code)), "")
    whole = ancestor_of(first, Level.CITY) if first else ""
    found: NDArray[np.object_] = np.where(code == "", whole, code)[night.duty]
    return found
