"""Compiled kernel density along shortest paths, and the polynomials every density on streets is laid down with.

All lengths are in bandwidths. A kernel is a polynomial of distance on [0, 1) and nothing beyond. An event seen from a
segment's end is a wave: it has come ``start`` so far and goes on along the segment, so that at t from that end it adds
weight * K(start + t). Instead of adding to every place it passes, a wave leaves its moments (weight * start**j)
where it ends; one sweep over the segment then adds the moments up and evaluates their polynomial. Sums
are only ever added to, never subtracted from, so that nothing cancels and a place no wave meets has exactly 0.
Source: aggregation of polynomial kernels by moments after Chan et al. 2021, doi:10.14778/3461535.3461540.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Coefficients of a kernel's polynomial, degree 4 at most.
TERMS = 5


class Places(NamedTuple):
    """Where density is asked for: stretches of segments (or points, low == high), ordered along each segment.

    indptr (m + 1,); low, high (p,) from the segment's u end: both are in order along a segment. length (m,).
    step (m,): length of the segment's places where they are equal pieces of all of it, else 0.
    """

    indptr: NDArray[np.int64]
    low: Floats
    high: Floats
    length: Floats
    step: Floats


class Laid(NamedTuple):
    """What waves have left, with d terms of a kernel's polynomial.

    whole (m, 2, d): moments of waves from u and from v that cover all places of a segment.
    left (p, 2 d + 1): at each place the moments of waves from u that cover all places before it, of waves from v that
        cover all after it, and what waves that cover it partly add to its density; side by side, for memory's sake.
    coef (TERMS,): the kernel's coefficients.
    """

    whole: Floats
    left: Floats
    coef: Floats


@njit(cache=True, error_model="numpy")
def mean_between(coef, near, far):  # type: ignore[no-untyped-def]
    """Return the kernel's polynomial averaged over distances from ``near`` to ``far``; its value where they are one."""
    c = 0.5 * (near + far)
    h = 0.5 * (far - near)
    c2 = c * c
    s = h * h
    return (
        coef[0]
        + coef[1] * c
        + coef[2] * (c2 + s / 3.0)
        + coef[3] * c * (c2 + s)
        + coef[4] * (c2 * c2 + 2.0 * c2 * s + s * s / 5.0)
    )


@njit(cache=True, error_model="numpy")
def lay_from_u(low, high, whole, left, coef, s, first, last, length, step, start, until, weight):  # type: ignore[no-untyped-def]
    """Lay weight * K(start + t) on 0 <= t <= until, t from the u end; start + until <= 1.

    s : the segment; first, last, length, step : its own of ``Places``. The arrays are those of ``Places`` and
        ``Laid``, taken apart since compiled calls that hand on tuples of arrays count references at a high price.
    """
    if first == last or until < 0.0:
        return
    terms = whole.shape[2]
    if until >= length:
        i = last
    elif step > 0.0:
        i = min(first + np.int64(until / step), last - 1)
    else:
        i = first + np.int64((last - first) * (until / length))
        while i < last and high[i] <= until:
            i += 1
        while i > first and high[i - 1] > until:
            i -= 1
    if i == last:
        for j in range(terms):
            whole[s, 0, j] += weight
            weight *= start
        return
    begin = step * (i - first) if step > 0.0 else low[i]
    if begin < until:
        across = step if step > 0.0 else high[i] - begin
        share = (until - begin) / across
        left[i, 2 * terms] += weight * share * mean_between(coef, start + begin, start + until)
    if i > first:
        for j in range(terms):
            left[i, j] += weight
            weight *= start


@njit(cache=True, error_model="numpy")
def lay_from_v(  # type: ignore[no-untyped-def]
    low, high, whole, left, coef, s, first, last, length, step, start, since, weight, strictly
):
    """Lay weight * K(start + length - t) on since <= t <= length; strictly: not on a point at ``since`` itself."""
    if first == last or since > length:
        return
    terms = whole.shape[2]
    if since < 0.0 or (since == 0.0 and not strictly):
        i = first - 1
    elif step > 0.0:
        i = min(first + np.int64(since / step), last - 1)
    else:
        i = last
        if since < length:
            i = first + np.int64((last - first) * (since / length))
        while i < last and low[i] < since:
            i += 1
        while i > first and low[i - 1] >= since:
            i -= 1
        while strictly and i < last and high[i] == since:
            i += 1
        i -= 1
    if i < first:
        for j in range(terms):
            whole[s, 1, j] += weight
            weight *= start
        return
    end = step * (i - first + 1) if step > 0.0 else high[i]
    if end > since:
        across = step if step > 0.0 else end - low[i]
        share = (end - since) / across
        ahead = start + length
        left[i, 2 * terms] += weight * share * mean_between(coef, ahead - end, ahead - since)
    if i + 1 < last:
        for j in range(terms):
            left[i, terms + j] += weight
            weight *= start


@njit(cache=True, error_model="numpy")
def lay_around(low, high, left, coef, first, last, length, x, begin, end, weight):  # type: ignore[no-untyped-def]
    """Lay weight * K(|t - x|) on begin < t <= end, and on t = 0 where begin <= 0."""
    if first == last:
        return
    begin, end = max(begin, x - 1.0), min(end, x + 1.0)
    direct = left.shape[1] - 1
    i = first
    if begin > 0.0:
        i = first + min(np.int64((last - first) * (begin / length)), last - first - 1)
        while i < last and high[i] < begin:
            i += 1
        while i > first and high[i - 1] >= begin:
            i -= 1
    while i < last and low[i] <= end:
        if low[i] == high[i]:
            far = abs(low[i] - x)
            if far < 1.0 and (low[i] > begin or begin <= 0.0):
                left[i, direct] += weight * mean_between(coef, far, far)
        else:
            per = weight / (high[i] - low[i])
            a, b = max(low[i], begin), min(high[i], min(end, x))
            if b > a:
                left[i, direct] += per * (b - a) * mean_between(coef, x - b, x - a)
            a, b = max(low[i], max(begin, x)), min(high[i], end)
            if b > a:
                left[i, direct] += per * (b - a) * mean_between(coef, a - x, b - x)
        i += 1


@njit(cache=True, error_model="numpy")
def settle(indptr, low, high, length, whole, left, table):  # type: ignore[no-untyped-def]
    """Return (p,) the density of every place: its mean over a stretch, its value at a point.

    table (d, d): coefficient of (moment j) * (t to the n) in the kernel's polynomial of start + t.
    """
    terms = table.shape[0]
    density = left[:, 2 * terms].copy()
    total = np.empty(terms)
    mean = np.empty(TERMS)
    for s in range(indptr.size - 1):
        first, last = indptr[s], indptr[s + 1]
        for side in range(2):
            met = False
            for j in range(terms):
                total[j] = whole[s, side, j]
                met |= total[j] != 0.0
            for k in range(last - first):
                i = last - 1 - k if side == 0 else first + k
                if met:
                    c = 0.5 * (low[i] + high[i])
                    if side == 1:
                        c = length[s] - c
                    h2 = (0.5 * (high[i] - low[i])) ** 2
                    mean[0] = 1.0
                    mean[1] = c
                    mean[2] = c * c + h2 / 3.0
                    mean[3] = c * (c * c + h2)
                    mean[4] = c * c * (c * c + 2.0 * h2) + h2 * h2 / 5.0
                    for j in range(terms):
                        for n in range(terms - j):
                            density[i] += total[j] * table[j, n] * mean[n]
                for j in range(terms):
                    total[j] += left[i, side * terms + j]
                    met |= total[j] != 0.0
    return density


@njit(cache=True, error_model="numpy")
def _lay_turn(left, coef, first, last, step, per, to_u, to_v, turn, ahead, weight):  # type: ignore[no-untyped-def]
    """Lay an event on equal pieces of a segment: over the u end as far as ``turn``, from there over the v end.

    per : 1 / step. ahead : to_v and the segment's length. The event reaches ``turn`` within the bandwidth.
    """
    i = min(np.int64(turn * per), last - first - 1)
    begin = step * i
    end = begin + step
    i += first
    terms = left.shape[1] // 2
    near = weight * (turn - begin) * per * mean_between(coef, to_u + begin, to_u + turn)
    left[i, 2 * terms] += near + weight * (end - turn) * per * mean_between(coef, ahead - end, ahead - turn)
    moment = weight
    for j in range(terms):
        left[i, j] += weight
        left[i, terms + j] += moment
        weight *= to_u
        moment *= to_v


@njit(cache=True, error_model="numpy")
def lay_simple(  # type: ignore[no-untyped-def]
    segments, events, x, weight, u, v, row, reach, node, distance, arcs, arc_segment, indptr, low, high, length,
    step, whole, left, coef,
):  # fmt: skip
    """Lay K(shortest-path distance) of every event on all places within the bandwidth.

    segments : (f,) segments with events; x, weight : events of segments[f] at events[f]:events[f + 1]. u, v : (m,).
    row, reach, node, distance : from both ends of these segments, nodes within the bandwidth: those of node c are
        reach[row[c]]:reach[row[c] + 1]. arcs (n + 1,), arc_segment : segments with places at each node.
    """
    from_u = np.full(arcs.size - 1, np.inf)
    from_v = np.full(arcs.size - 1, np.inf)
    mark = np.full(u.size, -1, np.int64)
    for k in range(segments.size):
        f = segments[k]
        own = length[f]
        ru, rv = row[u[f]], row[v[f]]
        for i in range(reach[ru], reach[ru + 1]):
            from_u[node[i]] = distance[i]
        for i in range(reach[rv], reach[rv + 1]):
            from_v[node[i]] = distance[i]
        mark[f] = k
        for e in range(events[k], events[k + 1]):
            _lay_own(
                low, high, whole, left, coef, f, indptr[f], indptr[f + 1], own, step[f], x[e], weight[e],
                from_u[v[f]],
            )  # fmt: skip
        for r in (ru, rv):
            for i in range(reach[r], reach[r + 1]):
                for a in range(arcs[node[i]], arcs[node[i] + 1]):
                    s = arc_segment[a]
                    if mark[s] == k:
                        continue
                    mark[s] = k
                    uu, vu, uv, vv = from_u[u[s]], from_v[u[s]] + own, from_u[v[s]], from_v[v[s]] + own
                    first, last, across, each = indptr[s], indptr[s + 1], length[s], step[s]
                    per = 1.0 / each
                    for e in range(events[k], events[k + 1]):
                        to_u = min(uu + x[e], vu - x[e])
                        to_v = min(uv + x[e], vv - x[e])
                        turn = across  # as far over one end as over the other
                        if to_u < 1.0 and to_v < 1.0:
                            turn = 0.5 * (across + to_v - to_u)
                            if each > 0.0 and 0.0 < turn < across and to_u + turn < 1.0:
                                _lay_turn(
                                    left, coef, first, last, each, per, to_u, to_v, turn, to_v + across, weight[e]
                                )  # fmt: skip
                                continue
                        elif to_v < 1.0:
                            turn = -1.0
                        if to_u < 1.0:
                            until = min(turn, min(across, 1.0 - to_u))
                            lay_from_u(
                                low, high, whole, left, coef, s, first, last, across, each, to_u, until, weight[e]
                            )
                        if to_v < 1.0:
                            since = max(turn, across - (1.0 - to_v))
                            lay_from_v(
                                low, high, whole, left, coef, s, first, last, across, each, to_v, since, weight[e], True
                            )  # fmt: skip
        for r in (ru, rv):
            for i in range(reach[r], reach[r + 1]):
                from_u[node[i]] = np.inf
                from_v[node[i]] = np.inf


@njit(cache=True, error_model="numpy")
def _lay_own(  # type: ignore[no-untyped-def]
    low, high, whole, left, coef, s, first, last, length, step, x, weight, round_trip
):
    """Lay an event on its own segment, whose ends lie ``round_trip`` apart by the shortest way."""
    if round_trip >= length:
        lay_around(low, high, left, coef, first, last, length, x, 0.0, length, weight)
        return
    to_u, to_v = round_trip + length - x, round_trip + x
    begin, end = 0.5 * (x - to_u), 0.5 * (x + length + to_v)
    if begin > 0.0 and to_u < 1.0:
        until = min(begin, 1.0 - to_u)
        lay_from_u(low, high, whole, left, coef, s, first, last, length, step, to_u, until, weight)
    if end < length and to_v < 1.0:
        since = max(end, length - (1.0 - to_v))
        lay_from_v(low, high, whole, left, coef, s, first, last, length, step, to_v, since, weight, True)
    lay_around(low, high, left, coef, first, last, length, x, begin, min(end, length), weight)
