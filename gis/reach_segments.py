"""Travel time along segments, exact: the lower envelope of every way to help, linear part by linear part.

A segment falls into *spans* between neighbouring points on it (most hold none: one span). Inside a span the time at
offset x is ``min(over_u_s + (x - from_m) * pace, over_v_s + (to_m - x) * pace)``: the way over the span's u side or
over its v side, whichever is sooner. Nothing is sampled and no midpoint is guessed.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.network import Positions
from gis.search_graph import SearchGraph, start_seconds


class SegmentSpans(NamedTuple):
    """The spans of m segments, in order along each: ``first[s]:first[s + 1]`` are those of segment s.

    from_m, to_m : span bounds. over_u_s, over_v_s : seconds from ``from_m`` over the u side, from ``to_m`` over the
    v side, ``inf`` where there is no such way; over_u_source, over_v_source : the point each leads to, -1 without.
    pace : (m,) seconds per metre, ``inf`` where closed.
    """

    first: NDArray[np.int32]
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]
    over_u_s: NDArray[np.float64]
    over_v_s: NDArray[np.float64]
    over_u_source: NDArray[np.int32]
    over_v_source: NDArray[np.int32]
    pace: NDArray[np.float64]


def segment_spans(
    graph: SearchGraph, sources: Positions, time_s: NDArray[np.float64], source: NDArray[np.int32]
) -> SegmentSpans:
    """Cut the segments of ``graph`` into spans at ``sources``, given the nodes' nearest times and points (n,)."""
    start = start_seconds(graph, sources)
    usable = np.flatnonzero(np.isfinite(start))
    order = usable[np.lexsort((usable, start[usable], sources.offset_m[usable], sources.segment[usable]))]
    first, from_m, to_m, over_u_s, over_v_s, over_u_source, over_v_source = _cut(
        sources.segment[order], order, sources.offset_m[order], start[order],
        (graph.u, graph.v, graph.length_m, graph.seconds_per_m, graph.to_u, graph.to_v), time_s, source,
    )  # fmt: skip
    return SegmentSpans(first, from_m, to_m, over_u_s, over_v_s, over_u_source, over_v_source, graph.seconds_per_m)


@njit(cache=True)
def _cut(on, order, offset_m, start_s, streets, time_s, source):  # type: ignore[no-untyped-def]
    """Return the spans; points ``order`` stand on segments ``on``, ascending, at ascending offsets."""
    u, v, length_m, pace, to_u, to_v = streets
    m = u.size
    first = np.empty(m + 1, np.int32)
    from_m = np.zeros(m + on.size)
    to_m = np.empty(m + on.size)
    over_u_s = np.full(m + on.size, np.inf)
    over_v_s = np.full(m + on.size, np.inf)
    over_u_source = np.full(m + on.size, -1, np.int32)
    over_v_source = np.full(m + on.size, -1, np.int32)
    i = 0
    j = 0
    for s in range(m):
        begin = j
        first[s] = begin
        while i < on.size and on[i] == s:
            to_m[j] = from_m[j + 1] = offset_m[i]
            i += 1
            j += 1
        to_m[j] = length_m[s]
        j += 1
        if pace[s] == np.inf:
            continue
        # A segment without length is one place, and whoever stands there stands on both its nodes.
        if to_u[s] or length_m[s] == 0:
            over_u_s[begin], over_u_source[begin] = time_s[u[s]], source[u[s]]
        if to_v[s] or length_m[s] == 0:
            over_v_s[j - 1], over_v_source[j - 1] = time_s[v[s]], source[v[s]]
        for k in range(begin + 1, j):
            p = i - j + k
            if to_u[s]:
                over_u_s[k], over_u_source[k] = _sooner(
                    over_u_s[k - 1] + (to_m[k - 1] - from_m[k - 1]) * pace[s], over_u_source[k - 1],
                    start_s[p], order[p],
                )  # fmt: skip
        for k in range(j - 2, begin - 1, -1):
            p = i - j + k + 1
            if to_v[s]:
                over_v_s[k], over_v_source[k] = _sooner(
                    over_v_s[k + 1] + (to_m[k + 1] - from_m[k + 1]) * pace[s], over_v_source[k + 1],
                    start_s[p], order[p],
                )  # fmt: skip
    first[m] = j
    return first, from_m, to_m, over_u_s, over_v_s, over_u_source, over_v_source


@njit(cache=True)
def _sooner(time_s, source, other_s, other):  # type: ignore[no-untyped-def]
    """Return the lesser of two (time, point)."""
    if other_s < time_s or (other_s == time_s and other < source):
        return other_s, np.int32(other)
    return time_s, source


@njit(cache=True)
def _meeting(low, high, over_u, over_v, pace):  # type: ignore[no-untyped-def]
    """Return the offset in [low, high] up to which the way over u is the sooner one."""
    if over_u == np.inf:
        return low
    if over_v == np.inf:
        return high
    return min(max((low + high + (over_v - over_u) / pace) / 2, low), high)


@njit(cache=True)
def _within(low, high, from_m, to_m, over_u, over_v, pace, threshold):  # type: ignore[no-untyped-def]
    """Return the metres of [low, high] within a span from which help is at most ``threshold`` seconds away."""
    reach_up = low
    if over_u <= threshold:
        reach_up = min(max(from_m + (threshold - over_u) / pace, low), high)
    reach_down = high
    if over_v <= threshold:
        reach_down = max(min(to_m - (threshold - over_v) / pace, high), low)
    if reach_up >= reach_down:
        return high - low
    return (reach_up - low) + (high - reach_down)


@njit(cache=True)
def cover(piece_segment, piece_from_m, piece_to_m, thresholds_s, spans):  # type: ignore[no-untyped-def]
    """Return (p, t) metres of each piece from which help is within each threshold; a whole piece gives its length."""
    first, from_m, to_m, over_u_s, over_v_s, _, _, pace = spans
    out = np.zeros((piece_segment.size, thresholds_s.size))
    for p in range(piece_segment.size):
        s = piece_segment[p]
        if pace[s] == np.inf:
            continue
        for i in range(thresholds_s.size):
            covered = 0.0
            whole = True
            for j in range(first[s], first[s + 1]):
                low, high = max(from_m[j], piece_from_m[p]), min(to_m[j], piece_to_m[p])
                if high > low:
                    part = _within(low, high, from_m[j], to_m[j], over_u_s[j], over_v_s[j], pace[s], thresholds_s[i])
                    covered += part
                    whole = whole and part == high - low
            out[p, i] = piece_to_m[p] - piece_from_m[p] if whole else covered
    return out


@njit(cache=True)
def summarise(spans):  # type: ignore[no-untyped-def]
    """Return (m,) the longest and the mean time along each segment, ``inf`` where part of it has no way."""
    first, from_m, to_m, over_u_s, over_v_s, _, _, pace = spans
    m = pace.size
    longest = np.full(m, np.inf)
    mean = np.full(m, np.inf)
    for s in range(m):
        if pace[s] == np.inf:
            continue
        length_m = to_m[first[s + 1] - 1]
        top = 0.0
        total = 0.0
        for j in range(first[s], first[s + 1]):
            meet = _meeting(from_m[j], to_m[j], over_u_s[j], over_v_s[j], pace[s])
            left, right = meet - from_m[j], to_m[j] - meet
            if left + right == 0 and length_m > 0:
                continue  # two points in one place leave an empty span between them
            top = max(top, min(over_u_s[j] + left * pace[s], over_v_s[j] + right * pace[s]))
            if left > 0:
                total += left * (over_u_s[j] + 0.5 * left * pace[s])
            if right > 0:
                total += right * (over_v_s[j] + 0.5 * right * pace[s])
        longest[s] = top
        mean[s] = total / length_m if length_m > 0 else top
    return longest, mean


@njit(cache=True)
def time_inside(segment, offset_m, u, v, length_m, time_s, source, spans):  # type: ignore[no-untyped-def]
    """Return (p,) time and point at each place; a place at a segment's very end stands on the node there."""
    first, from_m, to_m, over_u_s, over_v_s, over_u_source, over_v_source, pace = spans
    out = np.full(segment.size, np.inf)
    who = np.full(segment.size, -1, np.int32)
    for p in range(segment.size):
        s = segment[p]
        if s < 0 or pace[s] == np.inf:
            continue
        x = offset_m[p]
        best, label = np.inf, np.int32(-1)
        for j in range(first[s], first[s + 1]):
            if from_m[j] <= x <= to_m[j]:
                best, label = _sooner(best, label, over_u_s[j] + (x - from_m[j]) * pace[s], over_u_source[j])
                best, label = _sooner(best, label, over_v_s[j] + (to_m[j] - x) * pace[s], over_v_source[j])
        if x == 0:
            best, label = _sooner(best, label, time_s[u[s]], source[u[s]])
        if x == length_m[s]:
            best, label = _sooner(best, label, time_s[v[s]], source[v[s]])
        out[p] = best
        who[p] = label
    return out, who


@njit(cache=True)
def ramps(piece_segment, piece_from_m, piece_to_m, spans):  # type: ignore[no-untyped-def]
    """Return (piece, metres, start_s, end_s) of the linear parts of the time along each piece, in order."""
    first, from_m, to_m, over_u_s, over_v_s, _, _, pace = spans
    most = 0
    for p in range(piece_segment.size):
        most += 2 * (first[piece_segment[p] + 1] - first[piece_segment[p]])
    piece = np.empty(most, np.int32)
    metres = np.empty(most)
    start_s = np.empty(most)
    end_s = np.empty(most)
    n = 0
    for p in range(piece_segment.size):
        s = piece_segment[p]
        place = piece_from_m[p] == piece_to_m[p]
        for j in range(first[s], first[s + 1]):
            low, high = max(from_m[j], piece_from_m[p]), min(to_m[j], piece_to_m[p])
            if high < low or (high == low and not place):
                continue
            over_u, over_v = over_u_s[j], over_v_s[j]
            meet = min(max(_meeting(from_m[j], to_m[j], over_u, over_v, pace[s]), low), high)
            if meet > low:
                piece[n], metres[n] = p, meet - low
                start_s[n] = over_u + (low - from_m[j]) * pace[s]
                end_s[n] = over_u + (meet - from_m[j]) * pace[s]
                n += 1
            if meet < high:
                piece[n], metres[n] = p, high - meet
                start_s[n] = over_v + (to_m[j] - meet) * pace[s] if over_v < np.inf else np.inf
                end_s[n] = over_v + (to_m[j] - high) * pace[s] if over_v < np.inf else np.inf
                n += 1
            if place:
                piece[n], metres[n] = p, 0.0
                start_s[n] = np.inf
                if over_u < np.inf:
                    start_s[n] = over_u + (low - from_m[j]) * pace[s]
                if over_v < np.inf:
                    start_s[n] = min(start_s[n], over_v + (to_m[j] - low) * pace[s])
                end_s[n] = start_s[n]
                n += 1
                break
    return piece[:n].copy(), metres[:n].copy(), start_s[:n].copy(), end_s[:n].copy()
