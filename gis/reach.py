"""How far help is: exact travel times from points to every node and along every segment of a network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from gis import reach_kernels, reach_many, reach_segments
from gis.errors import NetworkError
from gis.network import Positions
from gis.reach_segments import SegmentSpans, segment_spans
from gis.search_graph import SearchGraph
from gis.search_seeds import bucket_width, check_limit, check_positions, seeds_of


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
class Catchments:
    """The nodes within a limit of each of k points, in compressed sparse rows.

    indptr : (k + 1,) int64; the catchment of point i is ``indptr[i]:indptr[i + 1]`` of ``node`` int32 and ``time_s``,
    in the order a search from the point meets its nodes.
    """

    indptr: NDArray[np.int64]
    node: NDArray[np.int32]
    time_s: NDArray[np.float64]


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


def k_nearest(
    graph: SearchGraph, sources: Positions, k: int, *, limit_s: float = np.inf
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return (time_s, source), each (n, k): the k nearest different points of each node, soonest first.

    Where fewer than k are reached, ``inf`` and -1 follow. sources, limit_s and ties as in ``nearest``, whose answer is
    the first column. Raises NetworkError on positions off the network, a negative limit, or k below one.
    """
    check_limit(limit_s)
    if k < 1:
        raise NetworkError(f"最近点个数无效：{k}", f"at least one nearest point must be asked for, got {k}")

    seeds = seeds_of(graph, sources)
    time_s, source = reach_many.nearest_in_turn(
        graph.indptr, graph.head, graph.seconds, seeds.node, seeds.seconds, seeds.source,
        k, float(limit_s), bucket_width(graph),
    )  # fmt: skip
    return time_s, source


def catchments(graph: SearchGraph, sources: Positions, limit_s: float) -> Catchments:
    """Return the nodes within ``limit_s`` of each of k points, with their times.

    Memory is proportional to the answer. Raises NetworkError on positions off the network or a negative limit.
    """
    check_limit(limit_s)

    seeds = seeds_of(graph, sources)
    first = np.searchsorted(seeds.source, np.arange(len(sources) + 1))
    return Catchments(
        *reach_many.catch(
            graph.indptr, graph.head, graph.seconds, seeds.node, seeds.seconds, seeds.source, first,
            float(limit_s), bucket_width(graph),
        )
    )  # fmt: skip


def time_matrix(graph: SearchGraph, sources: Positions, targets: Positions, cutoff_s: float) -> csr_array:
    """Return the (sources x targets) seconds between each point and each target, where at most ``cutoff_s``.

    Both walks between a place and its segment count. Entries are explicit, a time of zero too; targets ascend in each
    row. Memory is proportional to the entries. Raises NetworkError on positions off the network or a negative cutoff.
    """
    check_limit(cutoff_s)
    check_positions(graph, targets)

    seeds = seeds_of(graph, sources)
    first = np.searchsorted(seeds.source, np.arange(len(sources) + 1))
    indptr, target, time_s = reach_many.meet(
        graph.indptr, graph.head, graph.seconds, seeds.node, seeds.seconds, seeds.source, first,
        float(cutoff_s), bucket_width(graph), reach_many.hooks_of(graph, targets),
        reach_many.neighbours_of(graph, sources, targets), len(targets),
    )  # fmt: skip
    matrix = csr_array((time_s, target, indptr), shape=(len(sources), len(targets)))
    matrix.sort_indices()
    return matrix


def time_at(graph: SearchGraph, sources: Positions, near: Nearest, positions: Positions) -> Nearest:
    """Return the nearest point, with its time, at each of p positions anywhere on the network.

    near : what ``nearest`` found for ``sources``; where it had a limit, times here are exact up to that limit.
    Each position's own gap is not counted; unsnapped positions and positions on closed segments reach nothing.
    Ties go to the lowest source. Raises NetworkError on positions off the network.
    """
    check_positions(graph, positions)

    spans = _along(graph, sources, near)
    segment = np.ascontiguousarray(positions.segment, np.int32)
    offset_m = np.ascontiguousarray(positions.offset_m, np.float64)
    return Nearest(
        *reach_segments.time_inside(
            segment, offset_m, graph.u, graph.v, graph.length_m, near.time_s, near.source, spans
        )
    )


def segment_times(graph: SearchGraph, sources: Positions, near: Nearest) -> SegmentTimes:
    """Return the time at both ends, the longest and the mean time along each of the m segments, all exact.

    near : what ``nearest`` found for ``sources`` without a limit (with one, times beyond it are upper bounds).
    The longest and mean are ``inf`` where any part of the segment has no way, as on closed segments.
    """
    longest_s, mean_s = reach_segments.summarise(_along(graph, sources, near))
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

    covered: NDArray[np.float64] = reach_segments.cover(*pieces, thresholds, _along(graph, sources, near))
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

    return Ramps(*reach_segments.ramps(*pieces, _along(graph, sources, near)))


def _along(graph: SearchGraph, sources: Positions, near: Nearest) -> SegmentSpans:
    check_positions(graph, sources)
    if len(near.time_s) != graph.n_nodes:
        raise NetworkError("最近结果与路网不符", "the nearest points given belong to another network")

    return segment_spans(graph, sources, near.time_s, near.source)


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
