"""The compiled half of map matching: points condensed to looks, and the likeliest places by Viterbi's recursion."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.nearby import segments_near


class Arcs(NamedTuple):
    """The streets a mode may pass, in metres: as ``gis.search_graph.SearchGraph``, pared down for compiled code."""

    indptr: NDArray[np.int32]
    head: NDArray[np.int32]
    metres: NDArray[np.float64]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    length_m: NDArray[np.float64]
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]


class Rules(NamedTuple):
    """The numbers of the model, see ``matching.MatchModel``."""

    radius_m: float
    beta_m: float
    gap_s: float
    detour_m: float
    still_m: float


@njit(cache=True)
def condense(x, y, time_s, indptr, window_s, gap_s):  # type: ignore[no-untyped-def]
    """Average points of one time window to one look: (indptr, x, y, time_s, points averaged, first point).

    The first and the last point of a track, and those beside a gap, stay by themselves: they say where it ends.
    """
    looks = np.zeros(indptr.size, np.int64)
    out_x, out_y, out_s = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    many, begins = np.zeros(x.size, np.int64), np.zeros(x.size, np.int64)
    n = 0
    for track in range(indptr.size - 1):
        first, last = indptr[track], indptr[track + 1]
        fresh, since = True, 0.0
        for i in range(first, last):
            opens = i == first or time_s[i] - time_s[i - 1] > gap_s
            closes = i == last - 1 or time_s[i + 1] - time_s[i] > gap_s
            if opens or closes or fresh or time_s[i] - since >= window_s:
                out_x[n], out_y[n], out_s[n], begins[n] = 0.0, 0.0, 0.0, i
                since = time_s[i]
                n += 1
            k = many[n - 1]
            out_x[n - 1] += (x[i] - out_x[n - 1]) / (k + 1)
            out_y[n - 1] += (y[i] - out_y[n - 1]) / (k + 1)
            out_s[n - 1] += (time_s[i] - out_s[n - 1]) / (k + 1)
            many[n - 1] = k + 1
            fresh = opens or closes
        looks[track + 1] = n
    return looks, out_x[:n].copy(), out_y[:n].copy(), out_s[:n].copy(), many[:n].copy(), begins[:n].copy()


@njit(cache=True)
def _sift_down(key, node, size):  # type: ignore[no-untyped-def]
    """Take the last entry of a binary heap to where the first was taken from."""
    d, v = key[size], node[size]
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= d:
            break
        key[hole], node[hole] = key[child], node[child]
        hole = child
    key[hole], node[hole] = d, v


@njit(cache=True)
def _push(key, node, size, d, v):  # type: ignore[no-untyped-def]
    hole = size
    while hole > 0:
        above = (hole - 1) // 2
        if key[above] <= d:
            break
        key[hole], node[hole] = key[above], node[above]
        hole = above
    key[hole], node[hole] = d, v


@njit(cache=True)
def _search(arcs, segment, offset_m, limit_m, wanted, mark, n_wanted, reached, touched, key, node):  # type: ignore[no-untyped-def]
    """Label ``reached`` with the metres from a place on a segment to nodes, until all wanted ones or the limit.

    wanted : nodes whose entry equals ``mark``. Returns how many nodes were touched (``touched`` names them).
    """
    n_touched, size = 0, 0
    rest_m = arcs.length_m[segment] - offset_m
    for side in range(2):
        if side == 0:
            v, d, may = arcs.u[segment], offset_m, arcs.backward[segment] or offset_m == 0.0
        else:
            v, d, may = arcs.v[segment], rest_m, arcs.forward[segment] or rest_m == 0.0
        if may and d <= limit_m and d < reached[v]:
            if reached[v] == np.inf:
                touched[n_touched] = v
                n_touched += 1
            reached[v] = d
            _push(key, node, size, d, v)
            size += 1
    while size > 0:
        d, a = key[0], node[0]
        size -= 1
        if size > 0:
            _sift_down(key, node, size)
        if d > reached[a]:
            continue
        if wanted[a] == mark:
            n_wanted -= 1
            if n_wanted == 0:
                break
        for e in range(arcs.indptr[a], arcs.indptr[a + 1]):
            b, later = arcs.head[e], d + arcs.metres[e]
            if later <= limit_m and later < reached[b]:
                if reached[b] == np.inf:
                    touched[n_touched] = b
                    n_touched += 1
                reached[b] = later
                _push(key, node, size, later, b)
                size += 1
    return n_touched


@njit(cache=True)
def _route_m(arcs, reached, segment, offset_m, to_segment, to_offset_m, still_m):  # type: ignore[no-untyped-def]
    """Return the metres from a place to another, given those to the nodes; ``inf`` beyond what was searched."""
    best = np.inf
    u, v = arcs.u[to_segment], arcs.v[to_segment]
    rest_m = arcs.length_m[to_segment] - to_offset_m
    if arcs.forward[to_segment] or to_offset_m == 0.0:
        best = reached[u] + to_offset_m
    if arcs.backward[to_segment] or rest_m == 0.0:
        best = min(best, reached[v] + rest_m)
    if segment == to_segment:
        ahead_m = to_offset_m - offset_m
        if ahead_m == 0.0 or (arcs.forward[segment] if ahead_m > 0.0 else arcs.backward[segment]):
            best = min(best, abs(ahead_m))
        elif abs(ahead_m) <= still_m:  # noise alone sets a standing car back; nobody drove against the traffic
            best = 0.0
    return best


@njit(cache=True)
def likeliest(looks, x, y, time_s, variance, grid, arcs, rules, most):  # type: ignore[no-untyped-def]
    """Return (segment, offset_m, gap_m, before) of each look, by Viterbi's recursion.

    looks : (n + 1,) of each track; variance : (l,) square metres of a look's error. segment is -1 where nothing is
    near enough or no way leads to or from it. before : the look that a way leads here from, -1 where a chain begins.
    """
    n_looks, n = x.size, arcs.indptr.size - 1
    best_segment, best_offset = np.full(n_looks, -1, np.int32), np.full(n_looks, np.nan)
    best_gap, before = np.full(n_looks, np.nan), np.full(n_looks, -1, np.int64)
    longest = 1
    for track in range(looks.size - 1):
        longest = max(longest, looks[track + 1] - looks[track])
    segment, offset_m = np.empty(longest * most, np.int32), np.empty(longest * most)
    gap_m, value = np.empty(longest * most), np.empty(longest * most)
    back, count, link = np.empty(longest * most, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    reached, wanted = np.full(n, np.inf), np.full(n, -1, np.int64)
    touched = np.empty(n, np.int32)
    key, node = np.empty(arcs.head.size + 2), np.empty(arcs.head.size + 2, np.int32)
    at = np.zeros(2, np.int64)
    mark = np.int64(0)
    for track in range(looks.size - 1):
        first, many = looks[track], looks[track + 1] - looks[track]
        for j in range(many):
            at[0], at[1] = j * most, (j + 1) * most
            count[j] = segments_near(x[first + j], y[first + j], rules.radius_m, grid, at, segment, offset_m, gap_m)
        begin = 0
        while begin < many:
            if count[begin] == 0:
                begin += 1
                continue
            for i in range(begin * most, begin * most + count[begin]):
                value[i] = -0.5 * gap_m[i] ** 2 / variance[first + begin]
                back[i] = -1
            last, skipped, resume = begin, 0, begin + 1
            link[begin] = -1
            for j in range(begin + 1, many):
                if time_s[first + j] - time_s[first + last] > rules.gap_s:
                    break
                if count[j] == 0:
                    continue
                mark += 1
                n_wanted = 0
                for i in range(j * most, j * most + count[j]):
                    for side in range(2):
                        v = arcs.u[segment[i]] if side == 0 else arcs.v[segment[i]]
                        if wanted[v] != mark:
                            wanted[v] = mark
                            n_wanted += 1
                    value[i], back[i] = -np.inf, -1
                straight = np.hypot(x[first + j] - x[first + last], y[first + j] - y[first + last])
                limit_m = straight + rules.detour_m + straight
                found = False
                for i in range(last * most, last * most + count[last]):
                    if value[i] == -np.inf:
                        continue
                    n_touched = _search(
                        arcs, segment[i], offset_m[i], limit_m, wanted, mark, n_wanted, reached, touched, key, node
                    )
                    for k in range(j * most, j * most + count[j]):
                        route = _route_m(
                            arcs, reached, segment[i], offset_m[i], segment[k], offset_m[k], rules.still_m
                        )
                        if route <= limit_m:
                            gain = value[i] - abs(route - straight) / rules.beta_m
                            if gain > value[k]:
                                value[k], back[k] = gain, i
                                found = True
                    for k in range(n_touched):
                        reached[touched[k]] = np.inf
                if not found:  # a stray look is passed over; where several are, the way is broken
                    skipped += 1
                    if skipped > 3:
                        break
                    continue
                for k in range(j * most, j * most + count[j]):
                    value[k] -= 0.5 * gap_m[k] ** 2 / variance[first + j]
                link[j] = last
                last, skipped, resume = j, 0, j + 1
            top = last * most
            for i in range(last * most, last * most + count[last]):
                if value[i] > value[top]:
                    top = i
            j, i = last, top
            while True:
                best_segment[first + j], best_offset[first + j] = segment[i], offset_m[i]
                best_gap[first + j] = gap_m[i]
                if link[j] < 0:
                    break
                before[first + j] = first + link[j]
                i, j = back[i], link[j]
            begin = resume
    return best_segment, best_offset, best_gap, before


@njit(cache=True)
def hold_place(segment, offset_m, before, still_m, arcs):  # type: ignore[no-untyped-def]
    """Leave looks that noise set back against a one-way street where the look before them stands (in place)."""
    for i in range(segment.size):
        b = before[i]
        if b >= 0 and segment[i] == segment[b] and abs(offset_m[i] - offset_m[b]) <= still_m:
            open_ = arcs.forward[segment[i]] if offset_m[i] > offset_m[b] else arcs.backward[segment[i]]
            if not open_:
                offset_m[i] = offset_m[b]
