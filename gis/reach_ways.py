"""The quickest ways between many pairs of points, each as the stretches of segments it follows."""

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import NetworkError
from gis.network import Positions
from gis.search_graph import SearchGraph, start_seconds
from gis.search_seeds import check_positions


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """Quickest ways of q pairs of points.

    time_s : (q,) seconds, both walks between a point and its segment counted; ``inf`` where there is no way.
    indptr : (q + 1,); the stretches of way i are ``indptr[i]:indptr[i + 1]`` of segment (int32), from_m and to_m, in
    the order travelled, metres from the segment's u end.
    """

    time_s: NDArray[np.float64]
    indptr: NDArray[np.int64]
    segment: NDArray[np.int32]
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]


def ways_between(graph: SearchGraph, origins: Positions, destinations: Positions) -> Ways:
    """Find the quickest way from each origin to the destination of the same number.

    graph : oriented away from the points searched from (``toward`` False). One search a pair, which ends at its goal:
    meant for many short ways. Raises NetworkError on positions off the network or of differing number.
    """
    if graph.toward or len(origins) != len(destinations):
        raise NetworkError("路径须成对，且沿行进方向搜索", "ways join pairs of points, on a graph that leads away")
    check_positions(graph, origins)
    check_positions(graph, destinations)

    start_s, end_s = start_seconds(graph, origins), start_seconds(graph, destinations)
    out_node, out_s = _ends(graph, origins, start_s, leaving=True)
    in_node, in_s = _ends(graph, destinations, end_s, leaving=False)
    pace = _pace(graph, np.maximum(origins.segment, 0))
    ahead_m = destinations.offset_m - origins.offset_m
    onward = np.where(ahead_m > 0, graph.to_u[origins.segment], graph.to_v[origins.segment]) | (ahead_m == 0)
    beside = (origins.segment == destinations.segment) & (origins.segment >= 0) & onward
    direct_s = np.where(beside, start_s + np.abs(ahead_m) * pace + end_s, np.inf)
    time_s, first, last, indptr, arc = _search_pairs(
        graph.indptr, graph.head, graph.seconds, out_node, out_s, in_node, in_s, direct_s
    )
    return Ways(time_s, *_stretches(graph, origins, destinations, first, last, indptr, arc))


def _ends(
    graph: SearchGraph, at: Positions, seconds: NDArray[np.float64], *, leaving: bool
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return (q, 2) nodes u and v of each point's segment and the seconds between it and them; ``inf`` where barred."""
    s = np.maximum(at.segment, 0)
    offset_m = np.where(at.segment >= 0, at.offset_m, 0.0)
    rest_m = graph.length_m[s] - offset_m
    # a search that leads away holds in to_u whether a walker inside the segment has come in over u
    over_u = (graph.to_v[s] if leaving else graph.to_u[s]) | (offset_m == 0)
    over_v = (graph.to_u[s] if leaving else graph.to_v[s]) | (rest_m == 0)
    ways_s = seconds[:, None] + np.column_stack([offset_m, rest_m]) * _pace(graph, s)[:, None]
    return np.column_stack([graph.u[s], graph.v[s]]), np.where(np.column_stack([over_u, over_v]), ways_s, np.inf)


def _pace(graph: SearchGraph, segment: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return seconds a metre, 0 on closed segments, where points start nowhere anyway."""
    pace = graph.seconds_per_m[segment]
    return np.where(np.isfinite(pace), pace, 0.0)


@njit(cache=True)
def _search_pairs(indptr, head, seconds, out_node, out_s, in_node, in_s, direct_s):  # type: ignore[no-untyped-def]
    """Return (time_s, first, last, indptr, arc): seconds, ends left and entered by (-1: along one segment), arcs."""
    n, q = indptr.size - 1, direct_s.size
    time_s = direct_s.copy()
    first, last = np.full(q, -1, np.int64), np.full(q, -1, np.int64)
    rows = np.zeros(q + 1, np.int64)
    arcs = np.empty(1024, np.int32)
    reached = np.full(n, np.inf)
    by = np.full(n, -1, np.int32)  # the arc that leads here; -2 and -3 mark where the search began
    tail = np.empty(n, np.int32)
    touched = np.empty(n, np.int32)
    for i in range(q):
        n_touched = 0
        queue = [(np.inf, np.int64(-1))]
        for side in range(2):
            v, d = out_node[i, side], out_s[i, side]
            if d < reached[v]:
                if reached[v] == np.inf:
                    touched[n_touched] = v
                    n_touched += 1
                reached[v], by[v] = d, -2 - side
                heappush(queue, (d, np.int64(v)))
        goal = np.int64(-1)
        while True:
            d, u = heappop(queue)
            if d >= time_s[i] or u < 0:
                break
            if d > reached[u]:
                continue
            for side in range(2):
                if in_node[i, side] == u and d + in_s[i, side] < time_s[i]:
                    time_s[i], goal, last[i] = d + in_s[i, side], u, side
            for a in range(indptr[u], indptr[u + 1]):
                v, later = head[a], d + seconds[a]
                if later < reached[v] and later < time_s[i]:
                    if reached[v] == np.inf:
                        touched[n_touched] = v
                        n_touched += 1
                    reached[v], by[v], tail[v] = later, a, u
                    heappush(queue, (later, np.int64(v)))
        count = 0
        v = goal
        while v >= 0 and by[v] >= 0:
            count += 1
            v = tail[v]
        if v >= 0:
            first[i] = -2 - by[v]
        rows[i + 1] = rows[i] + count
        if rows[i + 1] > arcs.size:
            more = np.empty(2 * rows[i + 1], np.int32)
            for j in range(rows[i]):
                more[j] = arcs[j]
            arcs = more
        v = goal
        for j in range(count):
            arcs[rows[i + 1] - 1 - j] = by[v]
            v = tail[v]
        for j in range(n_touched):
            reached[touched[j]] = np.inf
    return time_s, first, last, rows, arcs


def _stretches(
    graph: SearchGraph,
    origins: Positions,
    destinations: Positions,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    indptr: NDArray[np.int64],
    arc: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Return (indptr, segment, from_m, to_m): the way out of the first segment, whole segments, the way into the last.

    Stretches without length are left out.
    """
    tail = np.repeat(np.arange(graph.n_nodes), np.diff(graph.indptr))
    arc = arc[: indptr[-1]]
    whole = graph.arc_segment[arc]
    # of a loop either way round looks alike from its node; it is drawn as it lies
    forward = (graph.u[whole] == tail[arc]) & (graph.v[whole] == graph.head[arc])
    length_m = graph.length_m
    of = np.repeat(np.arange(len(first)), np.diff(indptr))
    joined = np.flatnonzero(first >= 0)
    along = np.flatnonzero((first < 0) & (origins.segment >= 0) & (origins.segment == destinations.segment))
    way = np.concatenate([joined, of, joined, along])
    segment = np.concatenate(
        [origins.segment[joined], whole, destinations.segment[joined], origins.segment[along]]
    ).astype(np.int32)
    out_end_m = np.where(first[joined] == 0, 0.0, length_m[origins.segment[joined]])
    in_end_m = np.where(last[joined] == 0, 0.0, length_m[destinations.segment[joined]])
    from_m = np.concatenate(
        [origins.offset_m[joined], np.where(forward, 0.0, length_m[whole]), in_end_m, origins.offset_m[along]]
    )
    to_m = np.concatenate(
        [
            out_end_m,
            np.where(forward, length_m[whole], 0.0),
            destinations.offset_m[joined],
            destinations.offset_m[along],
        ]
    )
    place = np.repeat(np.arange(4), [len(joined), len(of), len(joined), len(along)])
    order = np.lexsort((place, way))
    order = order[from_m[order] != to_m[order]]
    rows = np.concatenate([[0], np.cumsum(np.bincount(way[order], minlength=len(first)))]).astype(np.int64)
    return rows, segment[order], from_m[order], to_m[order]
