"""How far help is: exact travel times from points to every node and along every segment of a network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis import reach_kernels, reach_segments
from gis.errors import NetworkError
from gis.network import Positions
from gis.reach_segments import SegmentSpans, Streets, segment_spans, streets_of
from gis.search_graph import SearchGraph, start_seconds


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest point of each of n places.

    time_s : (n,) seconds, ``inf`` where no point is reached. source : (n,) int32 which point, -1 where none.
    """

    time_s: NDArray[np.float64]
    source: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTimes:
    """Time to the nearest point for each of m segments, ``inf`` where there is no way.

    at_u_s, at_v_s : (m,) at either end node. longest_s : (m,) greatest anywhere on the segment.
    mean_s : (m,) average over its metres.
    """

    at_u_s: NDArray[np.float64]
    at_v_s: NDArray[np.float64]
    longest_s: NDArray[np.float64]
    mean_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ramps:
    """The time along pieces of street as linear parts: on ``metres`` it runs from ``start_s`` to ``end_s``.

    piece : (r,) int32 which piece, ascending, its parts in order along it; their metres add up to the piece.
    Parts without a way have ``inf`` at both ends. Every piece has at least one part.
    """

    piece: NDArray[np.int32]
    metres: NDArray[np.float64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """Where a search begins: ``node`` (i,) is ``seconds`` (i,) away from point ``source`` (i,), which ascends."""

    node: NDArray[np.int32]
    seconds: NDArray[np.float64]
    source: NDArray[np.int32]


def seeds_of(graph: SearchGraph, sources: Positions) -> Seeds:
    """Return the nodes from which a search from ``sources`` begins: the ends of their segments, as direction allows.

    A point at the very end of a segment stands on the node there, whichever way the segment may be passed.
    Points that are unsnapped or on closed segments begin nowhere. Raises NetworkError on positions off the network.
    """
    check_positions(graph, sources)

    start = start_seconds(graph, sources)
    placed = np.flatnonzero(np.isfinite(start))
    segment, offset_m = sources.segment[placed], sources.offset_m[placed]
    pace, rest_m = graph.seconds_per_m[segment], graph.length_m[segment] - offset_m
    over_u = graph.to_v[segment] | (offset_m == 0)
    over_v = graph.to_u[segment] | (rest_m == 0)
    begins = np.column_stack([over_u, over_v])
    node = np.column_stack([graph.u[segment], graph.v[segment]])
    seconds = start[placed, None] + np.column_stack([offset_m, rest_m]) * pace[:, None]
    source = np.repeat(placed.astype(np.int32), 2).reshape(-1, 2)
    return Seeds(node[begins], seconds[begins], source[begins])


def check_positions(graph: SearchGraph, positions: Positions) -> None:
    """Raise NetworkError unless every snapped position lies on a segment of ``graph``, its gap not negative."""
    segment, offset_m, gap_m = positions.segment, positions.offset_m, positions.gap_m
    if not len(segment) == len(offset_m) == len(gap_m):
        raise NetworkError("位置数组长度不一致", "the arrays of the positions differ in length")
    placed = segment >= 0
    if placed.any() and segment.max() >= len(graph.u):
        raise NetworkError("位置所在路段不存在", f"no segment {segment.max()}: the network has {len(graph.u)}")
    on = np.where(placed, segment, 0)
    length_m = graph.length_m[on] if len(graph.u) else np.zeros(len(on))
    if not ((offset_m >= 0) & (offset_m <= length_m) & (gap_m >= 0))[placed].all():
        raise NetworkError(
            "位置须在路段长度之内，且离路距离不为负",
            "a position must lie within its segment's length, at a gap that is not negative",
        )


def check_limit(limit_s: float) -> None:
    """Raise NetworkError unless ``limit_s`` is a number of seconds, not negative (``inf`` for no limit)."""
    if not limit_s >= 0:
        raise NetworkError(f"时间上限无效：{limit_s}", f"a time limit must not be negative, got {limit_s}")


def bucket_width(graph: SearchGraph) -> float:
    """Return a bucket width in seconds for searches of ``graph``: about the mean arc, from an even sample of arcs."""
    sample = graph.seconds[:: max(1, len(graph.seconds) // 4096)]
    mean_s = float(sample.mean()) if len(sample) else 0.0
    return mean_s if mean_s > 0 else 1.0


def nearest(graph: SearchGraph, sources: Positions, *, limit_s: float = np.inf) -> Nearest:
    """Return the nearest of ``sources`` for each of the n nodes, with its time.

    sources : k points on the network; the walk between a point and its segment counts. Unsnapped points, and points
        on closed segments, reach nothing. limit_s : nodes farther than this are left unreached.

    Times equal Dijkstra's in float64 bit for bit. Ties go to the lowest source.
    Raises NetworkError on positions off the network or a negative limit. Source: see ``reach_kernels.spread``.
    """
    check_limit(limit_s)

    seeds = seeds_of(graph, sources)
    return Nearest(
        *reach_kernels.spread_once(
            graph.indptr, graph.head, graph.seconds, seeds.node, seeds.seconds, seeds.source,
            float(limit_s), bucket_width(graph),
        )
    )  # fmt: skip


def time_at(graph: SearchGraph, sources: Positions, near: Nearest, positions: Positions) -> Nearest:
    """Return the nearest point, with its time, at each of p positions anywhere on the network.

    near : what ``nearest`` found for ``sources``; where it had a limit, times here are exact up to that limit.
    Each position's own gap is not counted; unsnapped positions and positions on closed segments reach nothing.
    Ties go to the lowest source. Raises NetworkError on positions off the network.
    """
    check_positions(graph, positions)

    streets, spans = _along(graph, sources, near)
    segment = np.ascontiguousarray(positions.segment, np.int32)
    offset_m = np.ascontiguousarray(positions.offset_m, np.float64)
    return Nearest(*reach_segments.time_inside(segment, offset_m, streets, spans))


def segment_times(graph: SearchGraph, sources: Positions, near: Nearest) -> SegmentTimes:
    """Return the time at both ends, the longest and the mean time along each of the m segments, all exact.

    near : what ``nearest`` found for ``sources`` without a limit (with one, times beyond it are upper bounds).
    The longest and mean are ``inf`` where any part of the segment has no way, as on closed segments.
    """
    longest_s, mean_s = reach_segments.summarise(*_along(graph, sources, near))
    return SegmentTimes(near.time_s[graph.u], near.time_s[graph.v], longest_s, mean_s)


def covered_metres(
    graph: SearchGraph,
    sources: Positions,
    near: Nearest,
    segment: NDArray[np.int32],
    from_m: NDArray[np.float64],
    to_m: NDArray[np.float64],
    thresholds_s: ArrayLike,
) -> NDArray[np.float64]:
    """Return (p, t) the metres of each piece of street from which a point is at most each threshold away.

    near : what ``nearest`` found for ``sources`` (with a limit: thresholds up to it are exact).
    segment, from_m, to_m : (p,) pieces, ``0 <= from_m <= to_m <= length_m``. thresholds_s : (t,) seconds >= 0.

    The covered part is computed as intervals from both ends and from every point on the segment; a piece covered as a
    whole gives ``to_m - from_m`` exactly. Raises NetworkError on pieces off the network or a threshold below zero.
    """
    thresholds = np.atleast_1d(np.asarray(thresholds_s, np.float64))
    if not (thresholds >= 0).all():
        raise NetworkError("时间阈值须不小于零", "thresholds must be seconds, not below zero")
    pieces = _pieces(graph, segment, from_m, to_m)

    covered: NDArray[np.float64] = reach_segments.cover(*pieces, thresholds, *_along(graph, sources, near))
    return covered


def time_ramps(
    graph: SearchGraph,
    sources: Positions,
    near: Nearest,
    segment: NDArray[np.int32],
    from_m: NDArray[np.float64],
    to_m: NDArray[np.float64],
) -> Ramps:
    """Return the time along each of p pieces of street as linear parts, for exact means and quantiles.

    near, segment, from_m, to_m : as for ``covered_metres``. Raises NetworkError on pieces off the network.
    """
    pieces = _pieces(graph, segment, from_m, to_m)

    return Ramps(*reach_segments.ramps(*pieces, *_along(graph, sources, near)))


def _along(graph: SearchGraph, sources: Positions, near: Nearest) -> tuple[Streets, SegmentSpans]:
    check_positions(graph, sources)
    if len(near.time_s) != graph.n_nodes:
        raise NetworkError("最近结果与路网不符", "the nearest points given belong to another network")

    streets = streets_of(graph, near.time_s, near.source)
    return streets, segment_spans(graph, sources, streets)


def _pieces(
    graph: SearchGraph, segment: NDArray[np.int32], from_m: NDArray[np.float64], to_m: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    on = np.ascontiguousarray(segment, np.int32)
    begin, end = np.ascontiguousarray(from_m, np.float64), np.ascontiguousarray(to_m, np.float64)
    if not len(on) == len(begin) == len(end):
        raise NetworkError("街段数组长度不一致", "the arrays of the pieces differ in length")
    if len(on) and (on.min() < 0 or on.max() >= len(graph.u)):
        raise NetworkError("街段所在路段不存在", "a piece lies on a segment that does not exist")
    if not ((begin >= 0) & (begin <= end) & (end <= graph.length_m[on])).all():
        raise NetworkError("街段须在路段长度之内", "a piece must lie within its segment's length")
    return on, begin, end
