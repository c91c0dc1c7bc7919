"""Reach drawn: the quickest path as a line, and the area within a limit of a point as a polygon."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiPolygon, Polygon

from gis.crs import to_lonlat, to_metric
from gis.errors import NetworkError
from gis.network import Positions, StreetNetwork
from gis.reach import Nearest, nearest, time_at, time_ramps
from gis.search_graph import SearchGraph, start_seconds
from gis.search_seeds import check_limit, check_positions, seeds_of

#: A drawn isochrone reaches this far to either side of its streets, closes gaps up to twice ``CLOSE_M`` wide,
#: drops holes smaller than ``HOLE_M2``, and is drawn to within ``DRAW_M``.
MARGIN_M, CLOSE_M, HOLE_M2, DRAW_M = 25.0, 40.0, 40_000.0, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class PathFound:
    """The quickest path between two points.

    time_s : seconds in all, both walks between a point and its segment counted; ``inf`` where there is no path.
    length_m : metres along streets. segments : (j,) int32 segments in the order travelled. metres, parts : (j,) of each
    the metres travelled and the line drawn, (i, 2) WGS84 in the direction of travel.
    geometry : WGS84 line from the origin's place on the network to the destination's; empty where there is no path.
    """

    time_s: float
    length_m: float
    segments: NDArray[np.int32]
    metres: NDArray[np.float64]
    parts: tuple[NDArray[np.float64], ...]
    geometry: LineString


#: One stretch of a path: a segment, and the offsets between which it is travelled, in that order.
Stretch = tuple[int, float, float]


def shortest_path(
    graph: SearchGraph,
    network: StreetNetwork,
    origin: Positions,
    destination: Positions,
    *,
    limit_s: float = np.inf,
) -> PathFound:
    """Find the quickest path between two points anywhere on the network, in the direction of travel.

    graph : ``network`` seen by the mode, oriented either way. origin, destination : one position each.
    limit_s : seconds that a path is known to exist within, where they are known: the search goes no further.
    Its time is that of ``time_at``, plus the other point's own gap. Raises NetworkError unless both are one position
    on the network.
    """
    for positions in (origin, destination):
        check_positions(graph, positions)
        if len(positions) != 1:
            raise NetworkError("路径的起终点各须为一个位置", f"a path joins one position to one, got {len(positions)}")

    source, goal = (destination, origin) if graph.toward else (origin, destination)
    near = nearest(graph, source, limit_s=limit_s)
    time_s = float(time_at(graph, source, near, goal).time_s[0] + start_seconds(graph, goal)[0])
    if not np.isfinite(time_s):
        return PathFound(np.inf, 0.0, np.empty(0, np.int32), np.empty(0), (), LineString())
    stretches = _trace(graph, network, near, source, goal)
    if not graph.toward:
        stretches = [(s, to_m, from_m) for s, from_m, to_m in reversed(stretches)]
    segments = np.array([s for s, _, _ in stretches], np.int32)
    metres = np.array([abs(to_m - from_m) for _, from_m, to_m in stretches], np.float64)
    parts = tuple(_part(network, *stretch) for stretch in stretches)
    standing = _part(network, int(origin.segment[0]), float(origin.offset_m[0]), float(origin.offset_m[0]))
    return PathFound(time_s, float(sum(metres)), segments, metres, parts, _line(parts or (standing,)))


def _trace(
    graph: SearchGraph, network: StreetNetwork, near: Nearest, source: Positions, goal: Positions
) -> list[Stretch]:
    """Follow the times down from ``goal`` to ``source``: the stretches in that order."""
    s, x = int(goal.segment[0]), float(goal.offset_m[0])
    pace, length_m = float(graph.seconds_per_m[s]), float(graph.length_m[s])
    begins = float(start_seconds(graph, source)[0])
    u, v = int(graph.u[s]), int(graph.v[s])
    ways: list[tuple[float, int, Stretch]] = []
    if source.segment[0] == s:
        o = float(source.offset_m[0])
        if o == x or (graph.to_u[s] if x > o else graph.to_v[s]):
            ways.append((begins + abs(x - o) * pace, -1, (s, x, o)))
    if graph.to_u[s] or x == 0:
        ways.append((float(near.time_s[u]) + x * pace, u, (s, x, 0.0)))
    if graph.to_v[s] or x == length_m:
        ways.append((float(near.time_s[v]) + (length_m - x) * pace, v, (s, x, length_m)))
    _, node, stretch = min(ways, key=lambda way: way[0])
    first = [stretch] if stretch[1] != stretch[2] else []
    return first if node < 0 else [*first, *_descend(graph, network, near, source, node)]


def _descend(graph: SearchGraph, network: StreetNetwork, near: Nearest, source: Positions, node: int) -> list[Stretch]:
    """Follow arcs that explain each node's time exactly, from ``node`` to a node where the search began.

    Depth first, because segments without length can close circles of nodes with one and the same time.
    """
    seeds = seeds_of(graph, source)
    s, o = int(source.segment[0]), float(source.offset_m[0])
    begins = [(int(n), t) for n, t in zip(seeds.node, seeds.seconds, strict=True)]
    time_s = near.time_s
    came: dict[int, tuple[int, Stretch] | None] = {node: None}
    stack = [node]
    while stack:
        v = stack.pop()
        if (v, time_s[v]) in begins:
            break
        for a in range(network.indptr[v], network.indptr[v + 1]):
            u, t, forward = int(network.head[a]), int(network.arc_segment[a]), bool(network.arc_forward[a])
            # Down this arc the segment is passed toward its v end if the arc is forward, toward its u end if not.
            allowed = graph.to_v[t] if forward else graph.to_u[t]
            if u not in came and allowed and time_s[u] + graph.seconds_per_m[t] * graph.length_m[t] == time_s[v]:
                length_m = float(graph.length_m[t])
                came[u] = (v, (t, 0.0, length_m) if forward else (t, length_m, 0.0))
                stack.append(u)
    return _unwound(came, v) + _last(graph, s, o, v, float(time_s[v]), float(start_seconds(graph, source)[0]))


def _unwound(came: dict[int, tuple[int, Stretch] | None], node: int) -> list[Stretch]:
    stretches = []
    step = came[node]
    while step is not None:
        stretches.append(step[1])
        step = came[step[0]]
    return stretches[::-1]


def _last(graph: SearchGraph, s: int, o: float, node: int, time_s: float, begins_s: float) -> list[Stretch]:
    """Return the stretch from ``node`` to the point at offset ``o`` of segment ``s`` that takes its time."""
    length_m, pace = float(graph.length_m[s]), graph.seconds_per_m[s]
    if graph.u[s] == node and (graph.to_v[s] or o == 0) and begins_s + o * pace == time_s:
        return [(s, 0.0, o)] if o > 0 else []
    return [(s, length_m, o)] if o < length_m else []


def _line(parts: tuple[NDArray[np.float64], ...]) -> LineString:
    """Join parts of the segments' own lines into one line; one place gives two equal points."""
    points = np.concatenate(parts)
    moved = np.concatenate([[True], (points[1:] != points[:-1]).any(axis=1)])
    points = points[moved]
    return LineString(points if len(points) > 1 else np.repeat(points, 2, axis=0))


def _part(network: StreetNetwork, s: int, from_m: float, to_m: float) -> NDArray[np.float64]:
    """Return the (j, 2) lon, lat along segment ``s`` between two offsets, in that order; given vertices are kept."""
    at = shapely.get_coordinates(network.geometry[s])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(_metric(at, network.crs), axis=0).T))])
    scale = along[-1] / network.length_m[s] if network.length_m[s] > 0 else 0.0
    low, high = sorted((from_m, to_m))
    ends = np.clip(np.array([low, high]) * scale, 0.0, along[-1])
    between = at[(along > ends[0]) & (along < ends[1])]
    tips = np.column_stack([np.interp(ends, along, at[:, 0]), np.interp(ends, along, at[:, 1])])
    points = np.concatenate([tips[:1], between, tips[1:]])
    return points if from_m <= to_m else points[::-1]


def _metric(lonlat: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    return np.column_stack(to_metric(lonlat[:, 0], lonlat[:, 1], crs))


def _lonlat(xy: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    return np.column_stack(to_lonlat(xy[:, 0], xy[:, 1], crs))


def isochrone(graph: SearchGraph, network: StreetNetwork, source: Positions, limit_s: float) -> Polygon | MultiPolygon:
    """Draw the area within ``limit_s`` of ``source`` (one point or several): WGS84, valid, empty if nothing is reached.

    For maps only: the streets reached, exactly cut, with a margin to either side and the small gaps between them
    filled. Every reached metre of street lies inside; figures come from ``covered_metres``, never from this area.
    Raises NetworkError on positions off the network or a negative limit.
    """
    check_limit(limit_s)

    near = nearest(graph, source, limit_s=limit_s)
    touched = np.isfinite(near.time_s[graph.u]) | np.isfinite(near.time_s[graph.v])
    touched[source.segment[np.isfinite(start_seconds(graph, source))]] = True
    pieces = np.flatnonzero(touched).astype(np.int32)
    lines = _reached_lines(graph, network, source, near, pieces, limit_s)
    if not lines:
        return Polygon()
    metric = [LineString(_metric(line, network.crs)) for line in lines]
    streets = shapely.union_all(shapely.buffer(metric, MARGIN_M + DRAW_M, quad_segs=4))
    closed = shapely.buffer(shapely.buffer(streets, CLOSE_M, quad_segs=4), -CLOSE_M, quad_segs=4).union(streets)
    parts = [
        Polygon(part.exterior, [hole for hole in part.interiors if Polygon(hole).area >= HOLE_M2])
        for part in shapely.get_parts(closed)
    ]
    drawn = shapely.simplify(shapely.union_all(parts), DRAW_M)
    area = shapely.make_valid(shapely.transform(drawn, lambda at: _lonlat(at, network.crs)))
    if isinstance(area, Polygon | MultiPolygon):
        return area
    return MultiPolygon([part for part in shapely.get_parts(area) if isinstance(part, Polygon)])


def _reached_lines(
    graph: SearchGraph,
    network: StreetNetwork,
    source: Positions,
    near: Nearest,
    pieces: NDArray[np.int32],
    limit_s: float,
) -> list[NDArray[np.float64]]:
    """Return the lon, lat lines of the parts of segments ``pieces`` within the limit."""
    ramps = time_ramps(graph, source, near, pieces, np.zeros(len(pieces)), graph.length_m[pieces])
    lines = []
    offset_m, last = 0.0, -1
    for p, metres, start_s, end_s in zip(
        ramps.piece.tolist(), ramps.metres.tolist(), ramps.start_s.tolist(), ramps.end_s.tolist(), strict=True
    ):
        offset_m = 0.0 if p != last else offset_m
        last = p
        soonest_s, latest_s = min(start_s, end_s), max(start_s, end_s)
        if soonest_s <= limit_s and soonest_s < np.inf:
            s = int(pieces[p])
            part_m = metres if latest_s <= limit_s else (limit_s - soonest_s) / float(graph.seconds_per_m[s])
            begin_m = offset_m if start_s <= end_s else offset_m + metres - part_m
            length_m = float(network.length_m[s])
            lines.append(_part(network, s, min(begin_m, length_m), min(begin_m + part_m, length_m)))
        offset_m += metres
    return lines
