"""How fast each way of moving passes each segment, and in which direction it may."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import NetworkError
from gis.network import AGAINST_GEOMETRY, WITH_GEOMETRY, StreetNetwork

MODES = ("walk", "ebike", "drive")
WALK_KMH = 4.5
EBIKE_KMH = 15.0
#: Free-flow speed from which a segment without a class is taken for a motorway.
MOTORWAY_KMH = 90.0
NOT_ON_FOOT = frozenset({"motorway", "motorway_link"})
NOT_BY_CAR = frozenset({"footway", "pedestrian", "steps", "path", "cycleway", "corridor", "bridleway", "elevator"})
#: Urban speeds in km/h used for driving where a segment carries no free-flow speed of its own.
DRIVE_KMH = {
    "motorway": 80.0, "motorway_link": 45.0, "trunk": 60.0, "trunk_link": 40.0, "primary": 45.0,
    "primary_link": 35.0, "secondary": 40.0, "secondary_link": 30.0, "tertiary": 35.0, "tertiary_link": 30.0,
    "unclassified": 30.0, "residential": 25.0, "living_street": 15.0, "service": 15.0, "track": 15.0,
}  # fmt: skip
DRIVE_KMH_ELSEWHERE = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Travel:
    """How one mode passes the m segments of a network.

    seconds_per_m : (m,) > 0, ``inf`` where the mode may not go at all.
    forward, backward : (m,) whether the mode may go from u to v, from v to u.
    approach_s_per_m : seconds a straight metre takes between a point and the network (its snapping gap).
    """

    seconds_per_m: NDArray[np.float64]
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]
    approach_s_per_m: float


def travel_by(network: StreetNetwork, mode: str, *, walk_kmh: float = WALK_KMH) -> Travel:
    """Return how ``mode`` ("walk", "ebike" or "drive") passes each segment of ``network``.

    Walkers and e-bikes ignore one-way rules for vehicles and keep off motorways (by class, or by free-flow speed
    where a segment has no class); drivers obey one-way rules and keep off footpaths. The gap between a point and its
    segment is always walked. Raises NetworkError on an unknown mode or a speed that is not positive.
    """
    if mode not in MODES:
        raise NetworkError(f"未知出行方式：{mode}", f"unknown mode {mode!r}: expected one of {', '.join(MODES)}")
    if not (np.isfinite(walk_kmh) and walk_kmh > 0):
        raise NetworkError(f"步行速度无效：{walk_kmh}", f"walking speed must be positive, got {walk_kmh}")

    classes = network.street_class
    approach = 3.6 / walk_kmh
    if mode == "drive":
        by_class = np.array([DRIVE_KMH.get(c, DRIVE_KMH_ELSEWHERE) for c in classes], np.float64)
        kmh = np.where(network.free_kmh > 0, network.free_kmh, by_class)
        closed = np.array([c in NOT_BY_CAR for c in classes], bool)
        forward = network.oneway != AGAINST_GEOMETRY
        backward = network.oneway != WITH_GEOMETRY
    else:
        kmh = np.full(network.n_segments, walk_kmh if mode == "walk" else EBIKE_KMH)
        unclassed_motorway = (classes == "") & (network.free_kmh >= MOTORWAY_KMH)
        closed = np.array([c in NOT_ON_FOOT for c in classes], bool) | unclassed_motorway
        forward = backward = np.ones(network.n_segments, bool)
    seconds_per_m = np.where(closed, np.inf, 3.6 / kmh)
    return Travel(seconds_per_m, forward & ~closed, backward & ~closed, approach)
