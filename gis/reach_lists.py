"""The nearest of any choice of points, for one place at a time, out of lists of the k nearest points of every node.

The lists answer most questions by themselves. Where too few of their points are among those asked for, a search goes
outward from the place and reads the list of every node it comes by. A point that is in none of the lists read lies
beyond the last entry of each, so nodes are taken in the order of the time to them plus the time to their last entry,
and the search ends where that exceeds the last answer: far sooner than one that must come to the points themselves.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.network import Positions
from gis.reach_many import Hooks, hooks_of
from gis.search_graph import SearchGraph, start_seconds

#: Share by which a bound must exceed an answer before it ends a search: sums in another order differ by less.
ROUNDING = 1e-9


class Streets(NamedTuple):
    """What the search needs of a ``SearchGraph`` that may be passed both ways alike."""

    indptr: NDArray[np.int32]
    head: NDArray[np.int32]
    seconds: NDArray[np.float64]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    length_m: NDArray[np.float64]
    pace: NDArray[np.float64]


class PointLists(NamedTuple):
    """The points: listed by node, soonest first, and by segment.

    time_s, source : (n, k) as from ``gis.reach.k_nearest``. last_s : (n,) the last of each.
    on : (j,) segments of the points on the network, ascending; point, offset_m, start_s : (j,) which point it is,
    where on the segment, seconds between the two. hooks : the points on the segments that end at each node.
    """

    time_s: NDArray[np.float64]
    source: NDArray[np.int32]
    last_s: NDArray[np.float64]
    on: NDArray[np.int32]
    point: NDArray[np.int32]
    offset_m: NDArray[np.float64]
    start_s: NDArray[np.float64]
    hooks: Hooks


class Scratch(NamedTuple):
    """What a search writes on, clean before and after: for n nodes and k points.

    reached_s : (n,) ``inf``. key_s : (n,) anything. place : (n,) -1; where a node stands in the heap.
    heap, touched : (n,) anything. best_s : (k,) ``inf``. met : (k,) anything.
    """

    reached_s: NDArray[np.float64]
    key_s: NDArray[np.float64]
    place: NDArray[np.int32]
    heap: NDArray[np.int32]
    touched: NDArray[np.int32]
    best_s: NDArray[np.float64]
    met: NDArray[np.int32]


def streets_of(graph: SearchGraph) -> Streets:
    """Return the arrays of ``graph`` that a search reads."""
    return Streets(
        graph.indptr, graph.head, graph.seconds, graph.u, graph.v, graph.length_m, graph.seconds_per_m
    )  # fmt: skip


def lists_of(
    graph: SearchGraph, points: Positions, time_s: NDArray[np.float64], source: NDArray[np.int32]
) -> PointLists:
    """Put the lists that ``gis.reach.k_nearest`` found for ``points`` beside the points' places on their segments."""
    start_s = start_seconds(graph, points)
    placed = np.flatnonzero(np.isfinite(start_s))
    order = placed[np.argsort(points.segment[placed], kind="stable")].astype(np.int32)
    last_s = np.ascontiguousarray(time_s[:, -1])
    return PointLists(
        time_s, source, last_s, points.segment[order], order, points.offset_m[order], start_s[order],
        hooks_of(graph, points),
    )  # fmt: skip


def scratch_for(n_nodes: int, n_points: int) -> Scratch:
    """Return clean scratch space."""
    return Scratch(
        np.full(n_nodes, np.inf), np.empty(n_nodes), np.full(n_nodes, -1, np.int32), np.empty(n_nodes, np.int32),
        np.empty(n_nodes, np.int32), np.full(n_points, np.inf), np.empty(n_points, np.int32),
    )  # fmt: skip


@njit(cache=True)
def nearest_listed(segment, offset_m, gap_s, allowed, count, streets, lists, scratch):  # type: ignore[no-untyped-def]
    """Return (point, seconds) of the ``count`` nearest ``allowed`` (k,) points, fewer where fewer can be reached.

    segment, offset_m, gap_s : where the place is on an open segment, and the seconds it takes to there.
    Ties go to the lowest point. Source: best-first search with a consistent bound (Hart, Nilsson & Raphael 1968,
    doi 10.1109/TSSC.1968.300136): the time to a node's last entry differs between neighbours by at most the arc.
    """
    reached_s, key_s, place, heap, touched, best_s, met = scratch
    top = np.empty(count, np.int32)
    held, n_met, n_heap, n_touched = 0, 0, 0, 0
    pace = streets.pace[segment]

    for i in range(np.searchsorted(lists.on, segment), lists.on.size):
        if lists.on[i] != segment:
            break
        seconds = lists.start_s[i] + abs(offset_m - lists.offset_m[i]) * pace + gap_s
        if allowed[lists.point[i]]:
            held, n_met = _offer(lists.point[i], seconds, best_s, met, n_met, top, held)
    for end in range(2):
        w = streets.v[segment] if end else streets.u[segment]
        d = (streets.length_m[segment] - offset_m if end else offset_m) * pace
        if d < reached_s[w]:
            n_touched = _label(w, d, lists.last_s, reached_s, key_s, touched, n_touched)
            n_heap = _lift(w, key_s, place, heap, n_heap)
            held, n_met = _read(w, d, gap_s, lists, allowed, best_s, met, n_met, top, held)

    while n_heap > 0:
        w = heap[0]
        # a node whose list is not full has left no point out, nor has any node one can walk to from it
        if key_s[w] == np.inf or (held == count and key_s[w] + gap_s > best_s[top[count - 1]] * (1.0 + ROUNDING)):
            break
        n_heap = _pop(key_s, place, heap, n_heap)
        for i in range(lists.hooks.indptr[w], lists.hooks.indptr[w + 1]):
            if allowed[lists.hooks.target[i]]:  # more points than a list holds may stand beside one node
                seconds = reached_s[w] + lists.hooks.seconds[i] + gap_s
                held, n_met = _offer(lists.hooks.target[i], seconds, best_s, met, n_met, top, held)
        for a in range(streets.indptr[w], streets.indptr[w + 1]):
            x, d = streets.head[a], reached_s[w] + streets.seconds[a]
            if d < reached_s[x]:
                n_touched = _label(x, d, lists.last_s, reached_s, key_s, touched, n_touched)
                n_heap = _lift(x, key_s, place, heap, n_heap)
                # read now, not when taken: the bound holds for points that no node reached so far has listed
                held, n_met = _read(x, d, gap_s, lists, allowed, best_s, met, n_met, top, held)

    seconds_of = np.empty(held)
    for i in range(held):
        seconds_of[i] = best_s[top[i]]
    for i in range(n_met):
        best_s[met[i]] = np.inf
    for i in range(n_touched):
        reached_s[touched[i]] = np.inf
        place[touched[i]] = -1
    return top[:held], seconds_of


@njit(cache=True)
def _read(w, d, gap_s, lists, allowed, best_s, met, n_met, top, held):  # type: ignore[no-untyped-def]
    """Offer the points in the list of node ``w``, ``d`` seconds away."""
    for j in range(lists.source.shape[1]):
        point = lists.source[w, j]
        if point < 0:
            break
        if not allowed[point]:
            continue
        seconds = d + lists.time_s[w, j] + gap_s
        if held == top.size and seconds > best_s[top[held - 1]]:
            break
        held, n_met = _offer(point, seconds, best_s, met, n_met, top, held)
    return held, n_met


@njit(cache=True)
def _offer(point, seconds, best_s, met, n_met, top, held):  # type: ignore[no-untyped-def]
    """Keep the way to a point if it is a better one, and the point among the ``top`` by (seconds, point)."""
    if seconds >= best_s[point]:
        return held, n_met
    if best_s[point] == np.inf:
        met[n_met] = point
        n_met += 1
    best_s[point] = seconds
    at = 0
    while at < held and top[at] != point:
        at += 1
    if at == held:
        if held < top.size:
            held += 1
        else:
            at -= 1
            worst = top[at]
            if seconds > best_s[worst] or (seconds == best_s[worst] and point > worst):
                return held, n_met
    while at > 0 and (seconds < best_s[top[at - 1]] or (seconds == best_s[top[at - 1]] and point < top[at - 1])):
        top[at] = top[at - 1]
        at -= 1
    top[at] = point
    return held, n_met


@njit(cache=True)
def _label(w, d, last_s, reached_s, key_s, touched, n_touched):  # type: ignore[no-untyped-def]
    """Note that a node is ``d`` seconds away, and what is not in its list at least that of its key."""
    if reached_s[w] == np.inf:
        touched[n_touched] = w
        n_touched += 1
    reached_s[w] = d
    key_s[w] = d + last_s[w]
    return n_touched


@njit(cache=True)
def _lift(w, key_s, place, heap, n_heap):  # type: ignore[no-untyped-def]
    """Move a node up the binary heap to where its key belongs, or put it in."""
    at = place[w]
    if at < 0:
        at = n_heap
        n_heap += 1
    while at > 0 and key_s[w] < key_s[heap[(at - 1) // 2]]:
        heap[at] = heap[(at - 1) // 2]
        place[heap[at]] = at
        at = (at - 1) // 2
    heap[at] = w
    place[w] = at
    return n_heap


@njit(cache=True)
def _pop(key_s, place, heap, n_heap):  # type: ignore[no-untyped-def]
    """Take the first node out of the heap."""
    place[heap[0]] = -1
    n_heap -= 1
    w, at = heap[n_heap], 0
    while 2 * at + 1 < n_heap:
        below = 2 * at + 1
        if below + 1 < n_heap and key_s[heap[below + 1]] < key_s[heap[below]]:
            below += 1
        if key_s[heap[below]] >= key_s[w]:
            break
        heap[at] = heap[below]
        place[heap[at]] = at
        at = below
    if n_heap > 0:
        heap[at] = w
        place[w] = at
    return n_heap
