"""A walk told in steps: along which street, how far, and how one turns into it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.network import StreetNetwork
from gis.reach_paths import PathFound
from gis.turns import SAME_STREET, STRAIGHT, arriving, bend, leaving, turning

#: The eight directions, counter-clockwise from east.
DIRECTIONS = ("east", "north_east", "north", "north_west", "west", "south_west", "south", "south_east")
#: What ``Step.turn`` may be after the first step.
TURNS = ("straight", "slight_left", "left", "slight_right", "right", "back")

#: Shorter stretches of a segment are none: what rounding leaves between two feet on one spot, kerbs without length.
LEAST_M = 0.01


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of one street.

    name : of the street, "" if it has none. metres : along it. turn : how one gets into it: one of ``DIRECTIONS`` for
    the first step, which has no turn, then one of ``TURNS``.
    """

    name: str
    metres: float
    turn: str


@dataclass(frozen=True, slots=True, eq=False)
class WalkingRoute:
    """The way from a place to a point.

    seconds : in all, the walks between the place and its street and between the street and the point counted.
    metres : along streets. line : (n, 2) WGS84 lon, lat along the streets, from the place's foot on its street to the
    point's; two equal points where these are one. steps : in order; they add up to ``metres`` but for stretches
    shorter than ``LEAST_M``, of which nobody is told.
    """

    seconds: float
    metres: float
    line: NDArray[np.float64]
    steps: tuple[Step, ...]


def walking_route(network: StreetNetwork, path: PathFound) -> WalkingRoute:
    """Tell a path that was found: streets of one name that go on without a corner are one step."""
    line = np.asarray(path.geometry.coords, np.float64)
    return WalkingRoute(path.time_s, path.length_m, line, tuple(_steps(network, path)))


def _steps(network: StreetNetwork, path: PathFound) -> list[Step]:
    steps: list[Step] = []
    came = math.nan
    for s, metres, part in zip(path.segments.tolist(), path.metres.tolist(), path.parts, strict=True):
        if metres < LEAST_M:
            continue
        xy = list(zip(*(c.tolist() for c in to_metric(part[:, 0], part[:, 1], network.crs)), strict=True))
        name, leaves = str(network.name[s] or ""), leaving(xy)
        last = steps[-1] if steps else None
        # a street without a heading (drawn as one place) makes no corner
        if last and last.name == name and not abs(bend(came, leaves)) > (SAME_STREET if name else STRAIGHT):
            steps[-1] = Step(name, last.metres + metres, last.turn)
        else:
            steps.append(Step(name, metres, _turn(came, leaves) if last else _direction(leaves)))
        came = came if math.isnan(leaves) else arriving(xy)
    return steps


def _direction(heading: float) -> str:
    return "" if math.isnan(heading) else DIRECTIONS[round(heading / 45.0) % 8]


def _turn(came: float, leaves: float) -> str:
    turn = turning(came, leaves) or "straight"
    return f"slight_{turn}" if turn in ("left", "right") and abs(bend(came, leaves)) < SAME_STREET else turn
