"""A night's routes as lines on a map, and where by plan each crew is at an hour."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.ops import substring

from gis.network import StreetNetwork
from planner.desk.board import Line
from planner.desk.ground import Ground, Route, Stop

Coordinates = list[list[float]]
#: Decimals of degrees: a tenth of a metre.
DECIMALS = 6
#: Walks kept: as many crews as the nights at the desk have, and what they are changed to.
WALKS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class CrewWalk:
    """One crew's route drawn. ways : lines (lon, lat) it only passes along; walked_m : all of it, NaN without hours."""

    ways: list[Coordinates]
    walked_m: float


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a crew is by plan: lon, lat in WGS84 degrees.

    doing : "before" it leaves, "at" a stop, on the way "toward" one, "back" at its station, or "out" where its route
    has no hours. stop : the one it is at or goes to.
    """

    lon: float
    lat: float
    doing: str
    stop: Stop | None


@lru_cache(maxsize=WALKS)
def crew_walk(ground: Ground, crew: str, route: Route) -> CrewWalk:
    """Return a route as it is walked; one that cannot be walked has no ways."""
    if ground.reckoned(crew, route).times is None:
        return CrewWalk([], 0.0 if not route else float("nan"))
    tables = ground.walks({crew: route})
    steps, legs = tables["steps"], tables["legs"]
    network = ground.records.city.network
    passed = legs[legs["step"].isin(steps.loc[steps["kind"] == "travel", "step"])]
    order = _by_id(network)
    at = order[np.searchsorted(network.segment_id, passed["segment_id"].to_numpy(np.int64), sorter=order)]
    ways = [
        _part(network.geometry[s], from_m, to_m, float(network.length_m[s]))
        for s, from_m, to_m in zip(at, passed["from_m"], passed["to_m"], strict=True)
        if abs(to_m - from_m) > 0.1  # nothing to draw
    ]
    return CrewWalk(ways, float(steps["metres"].sum()))


@lru_cache(maxsize=4)
def _by_id(network: StreetNetwork) -> NDArray[np.int64]:
    """Return the streets in the order of their ids."""
    return np.argsort(network.segment_id)


def segment_of(ground: Ground, stop: Stop) -> int:
    """Return the street of a stop, as a number of the network."""
    return int(ground.night.duties.segment[duty_of(ground, stop)])


def duty_of(ground: Ground, stop: Stop) -> int:
    """Return the duty of a stop, as a number of the night's duties."""
    return int(ground.night.duty[ground.services[stop]])


def middle_of(ground: Ground, segment: int) -> tuple[float, float]:
    """Return the middle of a street, lon and lat."""
    place = shapely.line_interpolate_point(ground.records.city.network.geometry[segment], 0.5, normalized=True)
    return float(place.x), float(place.y)


def whereabouts(ground: Ground, line: Line, at_s: float) -> Whereabouts:
    """Return where a crew is by plan at ``at_s``, in seconds since the evening's midnight."""
    station = int(ground.night.crews.station[ground.crew(line.crew)])
    home = float(ground.records.point_lon[station]), float(ground.records.point_lat[station])
    times = ground.reckoned(line.crew, line.route).times
    if times is None:
        return Whereabouts(*home, "before" if not line.route else "out", None)
    if at_s >= times.returns_s:
        return Whereabouts(*home, "back", None)
    following = int(np.searchsorted(times.ends_s, at_s, side="right"))
    if following == 0 and at_s < times.arrives_s[0]:
        first = line.route[0]
        leaves_s = float(ground.night.crews.from_s[ground.crew(line.crew)])
        return Whereabouts(*home, "before" if at_s < leaves_s else "toward", first)
    if following == len(line.route):
        return Whereabouts(*middle_of(ground, segment_of(ground, line.route[-1])), "toward", None)
    stop = line.route[following]
    if at_s >= times.arrives_s[following]:
        return Whereabouts(*middle_of(ground, segment_of(ground, stop)), "at", stop)
    return Whereabouts(*middle_of(ground, segment_of(ground, line.route[following - 1])), "toward", stop)


def _part(line: shapely.LineString, from_m: float, to_m: float, length_m: float) -> Coordinates:
    """Return the stretch of a street from one metre to another, in the direction it is walked."""
    if length_m <= 0:
        return _plain(shapely.get_coordinates(line))
    return _plain(shapely.get_coordinates(substring(line, from_m / length_m, to_m / length_m, normalized=True)))


def _plain(at: NDArray[np.float64]) -> Coordinates:
    plain: Coordinates = at.round(DECIMALS).tolist()
    return plain
