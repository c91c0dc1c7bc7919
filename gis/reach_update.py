"""The nearest point of every node, kept up to date while points are added, moved and closed.

A point that goes loses the nodes that were nearest to it; these are cleared and searched again from the labels around
them, and from other points that begin among them. A point that comes spreads only as far as it improves. Both are the
one search of ``reach_kernels``, so every label is the least (time, source), bit for bit what ``reach.nearest`` finds.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import NetworkError
from gis.network import Positions
from gis.reach import Nearest
from gis.reach_kernels import new_queue, spread, spread_once
from gis.search_graph import SearchGraph
from gis.search_seeds import bucket_width, check_limit, check_positions, seeds_of

NOWHERE = Positions(np.array([-1], np.int32), np.array([np.nan]), np.array([np.inf]))


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What one change of a point did: the ``point`` changed and the ``nodes`` (c,) int32 whose label is another now."""

    point: int
    nodes: NDArray[np.int32]


class NearestIndex:
    """Nearest point and time of each of n nodes, under changes of the points.

    Points are numbered as given, new ones on from there; a closed point keeps its number and is never reused.
    ``near`` always equals ``nearest(graph, positions, limit_s=limit_s)`` bit for bit, ties to the lowest number.
    """

    def __init__(self, graph: SearchGraph, sources: Positions, *, limit_s: float = np.inf) -> None:
        """Search once from ``sources``. Raises NetworkError on positions off the network or a negative limit."""
        check_limit(limit_s)
        check_positions(graph, sources)

        self.graph = graph
        self._limit_s = float(limit_s)
        self._width_s = bucket_width(graph)
        self._positions = Positions(sources.segment.copy(), sources.offset_m.copy(), sources.gap_m.copy())
        seeds = seeds_of(graph, sources)
        self._seeds = seeds.node, seeds.seconds, seeds.source
        self._time_s, self._source = spread_once(
            graph.indptr, graph.head, graph.seconds, *self._seeds, self._limit_s, self._width_s
        )
        self._into = _reversed_arcs(graph.indptr, graph.head, graph.seconds)
        self._marked = np.zeros(graph.n_nodes, np.bool_)
        self._room = np.empty(graph.n_nodes, np.int32)

    @property
    def near(self) -> Nearest:
        """Labels of the nodes; views that later changes write through."""
        return Nearest(self._time_s, self._source)

    @property
    def positions(self) -> Positions:
        """Where every point stands, by number; closed ones stand nowhere (unsnapped)."""
        return self._positions

    def add(self, position: Positions) -> Change:
        """Open a new point at ``position`` (one). Raises NetworkError unless it is one position on the network."""
        _check_one(self.graph, position)

        point = len(self._positions)
        self._positions = _joined(self._positions, position)
        return self._changed(point, np.empty(0, np.int32), position)

    def move(self, point: int, position: Positions) -> Change:
        """Let an open point stand at ``position`` (one). Raises NetworkError on a closed or unknown point."""
        _check_one(self.graph, position)
        self._check_open(point)

        return self._replace(point, position)

    def close(self, point: int) -> Change:
        """Close an open point for good. Raises NetworkError on a closed or unknown point."""
        self._check_open(point)

        return self._replace(point, NOWHERE)

    def is_open(self, point: int) -> bool:
        """Whether ``point`` is a number given out and not closed since (an unsnapped point counts as closed)."""
        return 0 <= point < len(self._positions) and bool(self._positions.segment[point] >= 0)

    def _check_open(self, point: int) -> None:
        if not self.is_open(point):
            raise NetworkError(f"没有开放的点：{point}", f"there is no open point number {point}")

    def _replace(self, point: int, position: Positions) -> Change:
        begin = self._seeds[0][self._seeds[2] == point]
        lost = _labelled(self.graph.indptr, self.graph.head, begin, point, self._source, self._marked, self._room)
        at = self._positions
        segment, offset_m, gap_m = at.segment.copy(), at.offset_m.copy(), at.gap_m.copy()
        segment[point], offset_m[point], gap_m[point] = position.segment[0], position.offset_m[0], position.gap_m[0]
        self._positions = Positions(segment, offset_m, gap_m)
        return self._changed(point, lost, position)

    def _changed(self, point: int, lost: NDArray[np.int32], position: Positions) -> Change:
        """Search again after ``point`` came to stand at ``position``, having ``lost`` the nodes it was nearest to."""
        graph = self.graph
        old_s = self._time_s[lost]
        self._time_s[lost] = np.inf
        self._source[lost] = -1
        came = seeds_of(graph, position)
        stay = self._seeds[2] != point
        node, seconds, source = (kept[stay] for kept in self._seeds)
        self._seeds = (
            np.concatenate([node, came.node]),
            np.concatenate([seconds, came.seconds]),
            np.concatenate([source, np.full(len(came.node), point, np.int32)]),
        )
        _spread_again(
            (graph.indptr, graph.head, graph.seconds), self._into, self._seeds, point, lost, self._limit_s,
            self._width_s, self._time_s, self._source, self._marked, self._room,
        )  # fmt: skip
        won = _labelled(graph.indptr, graph.head, came.node, point, self._source, self._marked, self._room)
        if not len(lost):
            return Change(point, won)
        other = (self._source[lost] != point) | (self._time_s[lost] != old_s)
        return Change(point, np.concatenate([lost[other], np.setdiff1d(won, lost, assume_unique=True)]))


def _check_one(graph: SearchGraph, position: Positions) -> None:
    check_positions(graph, position)
    if len(position) != 1 or position.segment[0] < 0:
        raise NetworkError("须给出路网上的一个位置", "expected exactly one position on the network")


def _joined(at: Positions, more: Positions) -> Positions:
    return Positions(
        np.concatenate([at.segment, more.segment]),
        np.concatenate([at.offset_m, more.offset_m]),
        np.concatenate([at.gap_m, more.gap_m]),
    )


@njit(cache=True)
def _reversed_arcs(indptr, head, seconds):  # type: ignore[no-untyped-def]
    """Return the arcs sorted by the node they lead to: (indptr, tail, seconds)."""
    n = indptr.size - 1
    into = np.zeros(n + 1, np.int32)
    for a in range(head.size):
        into[head[a] + 1] += 1
    for v in range(n):
        into[v + 1] += into[v]
    at = into[:-1].copy()
    tail, arc_s = np.empty(head.size, np.int32), np.empty(head.size, np.float64)
    for u in range(n):
        for a in range(indptr[u], indptr[u + 1]):
            v = head[a]
            tail[at[v]] = u
            arc_s[at[v]] = seconds[a]
            at[v] += 1
    return into, tail, arc_s


@njit(cache=True)
def _labelled(indptr, head, begin, point, source, marked, room):  # type: ignore[no-untyped-def]
    """Return the nodes nearest to ``point``: they hang together, so walk them from where its search began."""
    found = 0
    for i in range(begin.size):
        v = begin[i]
        if source[v] == point and not marked[v]:
            marked[v] = True
            room[found] = v
            found += 1
    at = 0
    while at < found:
        u = room[at]
        at += 1
        for a in range(indptr[u], indptr[u + 1]):
            v = head[a]
            if source[v] == point and not marked[v]:
                marked[v] = True
                room[found] = v
                found += 1
    nodes = room[:found].copy()
    for i in range(found):
        marked[nodes[i]] = False
    return nodes


@njit(cache=True)
def _spread_again(  # type: ignore[no-untyped-def]
    arcs, arcs_into, seeds, point, lost, limit_s, width_s, time_s, source, marked, room
):  # fmt: skip
    """Search from the labels around the nodes ``lost``, the points that begin among them, and from ``point``."""
    indptr, head, seconds = arcs
    into, tail, arc_s = arcs_into
    seed_node, seed_s, seed_source = seeds
    count = 0
    for i in range(lost.size):
        marked[lost[i]] = True
        count += into[lost[i] + 1] - into[lost[i]]
    node, begin_s = np.empty(count + seed_node.size, np.int32), np.empty(count + seed_node.size)
    who = np.empty(count + seed_node.size, np.int32)
    count = 0
    for i in range(lost.size):
        v = lost[i]
        for a in range(into[v], into[v + 1]):
            u = tail[a]
            if source[u] >= 0:
                node[count], begin_s[count], who[count] = v, time_s[u] + arc_s[a], source[u]
                count += 1
    for i in range(seed_node.size):
        if seed_source[i] == point or marked[seed_node[i]]:
            node[count], begin_s[count], who[count] = seed_node[i], seed_s[i], seed_source[i]
            count += 1
    for i in range(lost.size):
        marked[lost[i]] = False
    spread(indptr, head, seconds, node, begin_s, who, 0, count, limit_s, width_s, time_s, source, room, new_queue(1024))
