"""The public's question: which service points can I walk to from here, how long does it take, and which way?"""

import hashlib
import io
import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import NetworkError, QuestionError
from gis.modes import WALK_KMH, travel_by
from gis.network import Positions, StreetNetwork
from gis.place_index import locate, metric_place, place_index
from gis.reach import k_nearest
from gis.reach_lists import lists_of, nearest_listed, scratch_for, streets_of
from gis.reach_paths import shortest_path
from gis.search_graph import SearchGraph, search_graph
from gis.snapping import snap
from planner.nearby_route import WalkingRoute, walking_route

#: A place or point further than this from every street one may walk is not on the network, as for coverage.
SNAP_LIMIT_M = 200.0
#: A path takes the seconds the lists say but for the rounding of sums in another order.
ROUNDING = 1e-9


class Reached(NamedTuple):
    """A point that can be walked to: its position among the points, and the seconds there."""

    point: int
    seconds: float


class Nearby:
    """The points of a city, each ready to be found from anywhere on foot; built by ``nearby_of``.

    Seconds count the walk from the place to its street, along the streets, and from there to the point, as coverage
    counts them. One object answers many threads.
    """

    def __init__(
        self,
        network: StreetNetwork,
        points: Positions,
        time_s: NDArray[np.float64],
        source: NDArray[np.int32],
        walk_kmh: float,
        snap_limit_m: float,
    ) -> None:
        travel = travel_by(network, "walk", walk_kmh=walk_kmh)
        self._network, self._points = network, points
        self._walk_kmh, self._snap_limit_m = walk_kmh, snap_limit_m
        self._graph = search_graph(network, travel)
        self._index = place_index(network, np.isfinite(travel.seconds_per_m))
        self._streets, self._lists = streets_of(self._graph), lists_of(self._graph, points, time_s, source)
        self._scratch, self._lock = scratch_for(network.n_nodes, len(points)), threading.Lock()
        self._all, self._placed = np.ones(len(points), bool), points.segment >= 0

    def __len__(self) -> int:
        """Return how many points there are, on the network or not."""
        return len(self._points)

    def nearest(self, lon: float, lat: float, allowed: NDArray[np.bool_] | None, count: int) -> list[Reached]:
        """Return the ``count`` nearest points on foot, soonest first; fewer where fewer can be reached.

        lon, lat : WGS84 degrees of a place; too far from every street it reaches nothing.
        allowed : (k,) which points are asked for (open now, with a function, ...); all of them if None.

        Seconds are exact but for the last bits of the sums; ties go to the lowest point.
        Raises NetworkError on coordinates missing or out of range, QuestionError on a wrong mask or count.
        """
        wanted = self._all if allowed is None else self._choice(allowed)
        if count < 1:
            raise QuestionError(f"点位个数无效：{count}", f"at least one point must be asked for, got {count}")

        return self._found(self._foot(lon, lat), wanted, count)

    def route(self, lon: float, lat: float, point: int) -> WalkingRoute | None:
        """Return the quickest way on foot from a place to a point; None where there is none.

        Raises NetworkError on coordinates missing or out of range, QuestionError on a point that does not exist.
        """
        if not 0 <= point < len(self):
            raise QuestionError(f"没有第 {point} 个点位", f"there is no point {point}: there are {len(self)}")

        foot = self._foot(lon, lat)
        here = Positions(*(np.array([of]) for of in foot))
        there = Positions(*(getattr(self._points, name)[[point]] for name in ("segment", "offset_m", "gap_m")))
        limit_s = self._listed_s(foot, point) * (1.0 + ROUNDING)
        path = shortest_path(self._graph, self._network, here, there, limit_s=limit_s)
        return walking_route(self._network, path) if np.isfinite(path.time_s) else None

    def _choice(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        wanted = np.ascontiguousarray(allowed)
        if wanted.shape != self._all.shape or wanted.dtype != np.bool_:
            zh = f"点位筛选应有 {len(self)} 个真假值，实为 {wanted.dtype} {wanted.shape}"
            en = f"the choice of points must be {len(self)} booleans, got {wanted.dtype} {wanted.shape}"
            raise QuestionError(zh, en)
        return wanted

    def _foot(self, lon: float, lat: float) -> tuple[int, float, float]:
        """Return (segment, offset_m, gap_m) of a place; segment -1 where it is too far from every street."""
        x, y = metric_place(self._network, lon, lat)
        segment, offset_m, gap_m = locate(x, y, self._snap_limit_m, self._index)
        return int(segment), float(offset_m), float(gap_m)

    def _found(self, foot: tuple[int, float, float], wanted: NDArray[np.bool_], count: int) -> list[Reached]:
        segment, offset_m, gap_m = foot
        # a search told to find more than there are would go over the whole city
        count = min(count, int(np.count_nonzero(wanted & self._placed)))
        if segment < 0 or count == 0:
            return []

        gap_s = gap_m * self._graph.approach_s_per_m
        with self._lock:
            point, seconds = nearest_listed(
                segment, offset_m, gap_s, wanted, count, self._streets, self._lists, self._scratch
            )
        return [Reached(*found) for found in zip(point.tolist(), seconds.tolist(), strict=True)]

    def _listed_s(self, foot: tuple[int, float, float], point: int) -> float:
        """Return seconds within which ``point`` is surely reached, ``inf`` where the lists do not tell."""
        segment, offset_m, gap_m = foot
        if segment < 0:
            return np.inf
        graph, lists = self._graph, self._lists
        ends = ((graph.u[segment], offset_m), (graph.v[segment], graph.length_m[segment] - offset_m))
        ways = [
            float(lists.time_s[node, j] + metres * graph.seconds_per_m[segment])
            for node, metres in ends
            for j in np.flatnonzero(lists.source[node] == point)
        ]
        return min(ways, default=np.inf) + gap_m * graph.approach_s_per_m

    def to_bytes(self) -> bytes:
        """Return what was prepared, for ``nearby_from_bytes`` and the same network."""
        buffer = io.BytesIO()
        few = np.int16 if len(self) <= np.iinfo(np.int16).max else np.int32
        np.savez(
            buffer, allow_pickle=False, network=_mark_of(self._network), walk_kmh=self._walk_kmh,
            snap_limit_m=self._snap_limit_m, segment=self._points.segment, offset_m=self._points.offset_m,
            gap_m=self._points.gap_m, time_s=self._lists.time_s, source=self._lists.source.astype(few),
        )  # fmt: skip
        return buffer.getvalue()


def nearby_of(
    network: StreetNetwork,
    lon: ArrayLike,
    lat: ArrayLike,
    *,
    k: int = 32,
    walk_kmh: float = WALK_KMH,
    snap_limit_m: float = SNAP_LIMIT_M,
) -> Nearby:
    """Prepare the points at lon, lat (k,), WGS84 degrees, to be found on foot.

    k : how many nearest points each node lists. More take memory (12 bytes a node each) and time now, and save time
        where only few of the points are asked for; answers are the same.
    snap_limit_m : a place or point further than this from every street is not on the network.
    Raises NetworkError on coordinates missing or out of range, on a speed, limit or k that is not positive.
    """
    travel = travel_by(network, "walk", walk_kmh=walk_kmh)
    points = snap(network, lon, lat, limit_m=snap_limit_m, usable=np.isfinite(travel.seconds_per_m))
    # walkers pass every street both ways, so the way from a point is the way to it
    time_s, source = _lists(search_graph(network, travel), points, k)
    return Nearby(network, points, time_s, source, walk_kmh, snap_limit_m)


def nearby_from_bytes(network: StreetNetwork, data: bytes) -> Nearby:
    """Return what ``Nearby.to_bytes`` gave for this network. Raises NetworkError if it was for another."""
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        if bytes(kept["network"]) != bytes(_mark_of(network)):
            raise NetworkError(
                "所存的就近结果属于另一路网", "what was kept of nearby points belongs to another network"
            )
        points = Positions(kept["segment"], kept["offset_m"], kept["gap_m"])
        return Nearby(
            network, points, kept["time_s"], kept["source"].astype(np.int32), float(kept["walk_kmh"]),
            float(kept["snap_limit_m"]),
        )  # fmt: skip


def _lists(graph: SearchGraph, points: Positions, k: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the k nearest points of each node, or all where there are no more."""
    return k_nearest(graph, points, min(k, max(int((points.segment >= 0).sum()), 1)))


def _mark_of(network: StreetNetwork) -> NDArray[np.uint8]:
    """Return a digest of the streets' ends and lengths and of which may be walked."""
    digest = hashlib.blake2b(digest_size=16)
    closed = np.isinf(travel_by(network, "walk").seconds_per_m)
    for of in (network.u, network.v, network.length_m, closed):
        digest.update(np.ascontiguousarray(of).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
