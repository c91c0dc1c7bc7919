"""The compiled search for shorter ways beside a matched one: its windows, the shortest way in each, and the looks."""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Share of the metres that a shorter way must have: the time tells against one far shorter.
LEAST_SHARE = 0.95
#: Metres below which two lengths are one.
SAME_M = 0.01


class Drawn(NamedTuple):
    """How streets lie: arc_segment and tail (a,) of arcs; x, y (n,) of nodes; places of segments in order.

    x, y are metres, shrunk so that no segment is shorter than the straight line between its ends.
    Places of segment s are ``rows[s]:rows[s + 1]`` of place_x, place_y: the line through them is the street.
    """

    arc_segment: NDArray[np.int32]
    tail: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    rows: NDArray[np.int64]
    place_x: NDArray[np.float64]
    place_y: NDArray[np.float64]


class Looks(NamedTuple):
    """Looks with a place, ``rows[c]:rows[c + 1]`` of way c: when, where, and the variance of their error each way."""

    rows: NDArray[np.int64]
    time_s: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    variance: NDArray[np.float64]


@njit(cache=True)
def _shortest(arcs, drawn, start, goal, limit_m, reached, by, touched):  # type: ignore[no-untyped-def]
    """Return the metres from node to node, ``inf`` beyond a limit; ``by`` then holds the arcs that lead there.

    No way is shorter than the straight line, so nodes from which that is too long are left alone (A*).
    """
    x, y = drawn.x, drawn.y
    n_touched, metres = 1, np.inf
    reached[start], touched[0] = 0.0, start
    queue = [(0.0, np.int64(start))]
    while len(queue):
        d, a = heappop(queue)
        if a == goal:
            metres = reached[a]
            break
        if d > reached[a] + np.hypot(x[a] - x[goal], y[a] - y[goal]) + SAME_M:
            continue
        for e in range(arcs.indptr[a], arcs.indptr[a + 1]):
            b, later = arcs.head[e], reached[a] + arcs.metres[e]
            least = later + np.hypot(x[b] - x[goal], y[b] - y[goal])
            if later < reached[b] and least <= limit_m + SAME_M:
                if reached[b] == np.inf:
                    touched[n_touched] = b
                    n_touched += 1
                reached[b], by[b] = later, e
                heappush(queue, (least, np.int64(b)))
    for i in range(n_touched):
        reached[touched[i]] = np.inf
    return metres


@njit(cache=True)
def _off(x, y, segment, drawn):  # type: ignore[no-untyped-def]
    """Return the squared distance of a point from a segment."""
    best = np.inf
    for p in range(drawn.rows[segment], drawn.rows[segment + 1] - 1):
        dx, dy = drawn.place_x[p + 1] - drawn.place_x[p], drawn.place_y[p + 1] - drawn.place_y[p]
        ax, ay = x - drawn.place_x[p], y - drawn.place_y[p]
        square = dx * dx + dy * dy
        share = min(max((ax * dx + ay * dy) / square, 0.0), 1.0) if square > 0.0 else 0.0
        best = min(best, (ax - share * dx) ** 2 + (ay - share * dy) ** 2)
    return best


@njit(cache=True)
def _loss(way, looks, first, last, drawn):  # type: ignore[no-untyped-def]
    """Return what the distance of looks first:last from a way of segments tells against it."""
    total = 0.0
    for i in range(first, last):
        best = np.inf
        for s in way:
            best = min(best, _off(looks.x[i], looks.y[i], s, drawn))
        total += 0.5 * best / looks.variance[i]
    return total


@njit(cache=True)
def _nodes(segment, to_m, arcs):  # type: ignore[no-untyped-def]
    """Return the node each stretch ends at, -1 where it ends within its segment."""
    node = np.full(segment.size, -1, np.int64)
    for k in range(segment.size):
        s = segment[k]
        if to_m[k] <= 0.0:
            node[k] = arcs.u[s]
        elif to_m[k] >= arcs.length_m[s]:
            node[k] = arcs.v[s]
    return node


@njit(cache=True)
def _traced(by, tail, start, goal):  # type: ignore[no-untyped-def]
    """Return the arcs that lead from node to node."""
    n, v = 0, goal
    while v != start:
        n, v = n + 1, tail[by[v]]
    arcs, v = np.empty(n, np.int64), goal
    for i in range(n - 1, -1, -1):
        arcs[i] = by[v]
        v = tail[by[v]]
    return arcs


@njit(cache=True)
def shorter_ways(chains, segment, from_m, to_m, begin_s, end_s, looks, arcs, drawn, window_m):  # type: ignore[no-untyped-def]
    """Hold windows of ``window_m`` or more of matched ways against the shortest: (last, saved_m, loss, rows, arcs).

    chains : (c + 1,) the stretches of each way. A window begins behind stretch i and ends with ``last[i]`` (-1: there
    is none, for the way ends sooner or turns round within a street). saved_m (p,) : metres that the shortest way is
    shorter by. loss (p,) : log likelihood of the looks lost on it, which is arcs ``rows[i]:rows[i + 1]``; there are
    none where it is no shorter, or too short to be walked in the time.
    """
    node = _nodes(segment, to_m, arcs)
    last, saved_m, loss = np.full(segment.size, -1, np.int64), np.zeros(segment.size), np.zeros(segment.size)
    rows, ways = np.zeros(segment.size + 1, np.int64), [np.empty(0, np.int64)]
    n = drawn.x.size
    reached, by, touched = np.full(n, np.inf), np.empty(n, np.int64), np.empty(n, np.int64)
    for c in range(chains.size - 1):
        for i in range(chains[c], chains[c + 1]):
            rows[i + 1] = rows[i]
            metres, j = 0.0, i
            while node[i] >= 0 and j + 1 < chains[c + 1] and metres < window_m and node[j + 1] >= 0:
                j += 1
                metres += abs(to_m[j] - from_m[j])
            if metres < window_m or node[i] == node[j]:
                continue
            last[i] = j
            found_m = _shortest(arcs, drawn, node[i], node[j], metres, reached, by, touched)
            saved_m[i] = max(metres - found_m, 0.0)
            if saved_m[i] <= SAME_M or found_m < LEAST_SHARE * metres:
                continue
            way = _traced(by, drawn.tail, node[i], node[j])
            seen = looks.time_s[looks.rows[c] : looks.rows[c + 1]]
            first = looks.rows[c] + np.searchsorted(seen, begin_s[i + 1])
            end = looks.rows[c] + np.searchsorted(seen, end_s[j], "right")
            loss[i] = _loss(drawn.arc_segment[way], looks, first, end, drawn)
            loss[i] -= _loss(segment[i + 1 : j + 1], looks, first, end, drawn)
            rows[i + 1] += way.size
            ways.append(way)
    out = np.empty(rows[-1], np.int64)
    top = 0
    for way in ways:
        out[top : top + way.size] = way
        top += way.size
    return last, saved_m, loss, rows, out
