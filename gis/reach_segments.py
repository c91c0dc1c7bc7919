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


class Streets(NamedTuple):
    """The m segments as the kernels take them, ``pace`` in seconds per metre, with the n nodes' nearest points."""

    u: NDArray[np.int32]
    v: NDArray[np.int32]
    length_m: NDArray[np.float64]
    pace: NDArray[np.float64]
    to_u: NDArray[np.bool_]
    to_v: NDArray[np.bool_]
    time_s: NDArray[np.float64]
    source: NDArray[np.int32]


class SegmentSpans(NamedTuple):
    """The spans of the m segments, kept only for those that carry points; the others' follow from their ends.

    row : (m,) int32 row of a segment that carries points, else -1; the spans of row r are ``indptr[r]:indptr[r + 1]``.
    from_m, to_m : span bounds. over_u_s, over_v_s : seconds from ``from_m`` over the u side, from ``to_m`` over the
    v side, ``inf`` where there is no such way; over_u_source, over_v_source : the point each leads to, -1 without.
    """

    row: NDArray[np.int32]
    indptr: NDArray[np.int32]
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]
    over_u_s: NDArray[np.float64]
    over_v_s: NDArray[np.float64]
    over_u_source: NDArray[np.int32]
    over_v_source: NDArray[np.int32]


def streets_of(graph: SearchGraph, time_s: NDArray[np.float64], source: NDArray[np.int32]) -> Streets:
    """Return the segments of ``graph`` with nearest times and points (n,) of its nodes."""
    return Streets(graph.u, graph.v, graph.length_m, graph.seconds_per_m, graph.to_u, graph.to_v, time_s, source)


def segment_spans(graph: SearchGraph, sources: Positions, streets: Streets) -> SegmentSpans:
    """Cut the segments that carry ``sources`` into spans."""
    start = start_seconds(graph, sources)
    usable = np.flatnonzero(np.isfinite(start))
    order = usable[np.lexsort((usable, start[usable], sources.offset_m[usable], sources.segment[usable]))]
    segment, first, count = np.unique(sources.segment[order], return_index=True, return_counts=True)
    row = np.full(len(graph.u), -1, np.int32)
    row[segment] = np.arange(len(segment), dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum(count + 1)]).astype(np.int32)
    size = int(indptr[-1])
    spans = SegmentSpans(
        row, indptr, np.zeros(size), np.zeros(size), np.full(size, np.inf), np.full(size, np.inf),
        np.full(size, -1, np.int32), np.full(size, -1, np.int32),
    )  # fmt: skip
    _fill_spans(segment.astype(np.int32), first, order, sources.offset_m[order], start[order], streets, spans)
    return spans


@njit(cache=True)
def _fill_spans(  # type: ignore[no-untyped-def]
    segment, first, order, offset_m, start_s, streets, spans
):
    u, v, length_m, pace, to_u, to_v, time_s, source = streets
    _, indptr, from_m, to_m, over_u_s, over_v_s, over_u_source, over_v_source = spans
    for r in range(segment.size):
        s = segment[r]
        begin = indptr[r]
        end = indptr[r + 1]
        for j in range(begin, end):
            i = first[r] + j - begin
            from_m[j] = offset_m[i - 1] if j > begin else 0.0
            to_m[j] = offset_m[i] if j < end - 1 else length_m[s]
        if to_u[s]:
            t, who = time_s[u[s]], source[u[s]]
            for j in range(begin, end):
                if j > begin:
                    i = first[r] + j - begin - 1
                    t += (to_m[j - 1] - from_m[j - 1]) * pace[s]
                    if start_s[i] < t or (start_s[i] == t and order[i] < who):
                        t, who = start_s[i], order[i]
                over_u_s[j] = t
                over_u_source[j] = who
        if to_v[s]:
            t, who = time_s[v[s]], source[v[s]]
            for j in range(end - 1, begin - 1, -1):
                if j < end - 1:
                    i = first[r] + j - begin
                    t += (to_m[j + 1] - from_m[j + 1]) * pace[s]
                    if start_s[i] < t or (start_s[i] == t and order[i] < who):
                        t, who = start_s[i], order[i]
                over_v_s[j] = t
                over_v_source[j] = who


@njit(cache=True)
def _spans_on(s, spans):  # type: ignore[no-untyped-def]
    """Return (first span, count of spans) of segment s; the first is -1 where the only span follows from its ends."""
    r = spans.row[s]
    if r < 0:
        return -1, 1
    return spans.indptr[r], spans.indptr[r + 1] - spans.indptr[r]


@njit(cache=True)
def _span(s, first, j, streets, spans):  # type: ignore[no-untyped-def]
    """Return (from_m, to_m, over_u_s, over_v_s) of span j of segment s."""
    if first >= 0:
        k = first + j
        return spans.from_m[k], spans.to_m[k], spans.over_u_s[k], spans.over_v_s[k]
    over_u = streets.time_s[streets.u[s]] if streets.to_u[s] else np.inf
    over_v = streets.time_s[streets.v[s]] if streets.to_v[s] else np.inf
    return 0.0, streets.length_m[s], over_u, over_v


@njit(cache=True)
def _span_sources(s, first, j, streets, spans):  # type: ignore[no-untyped-def]
    """Return the points that the two ways of span j of segment s lead to."""
    if first >= 0:
        return spans.over_u_source[first + j], spans.over_v_source[first + j]
    return streets.source[streets.u[s]], streets.source[streets.v[s]]


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
def cover(  # type: ignore[no-untyped-def]
    piece_segment, piece_from_m, piece_to_m, thresholds_s, streets, spans
):
    """Return (p, t) metres of each piece from which help is within each threshold; a whole piece gives its length."""
    pace = streets.pace
    out = np.zeros((piece_segment.size, thresholds_s.size))
    for p in range(piece_segment.size):
        s = piece_segment[p]
        if pace[s] == np.inf:
            continue
        first, n_spans = _spans_on(s, spans)
        for i in range(thresholds_s.size):
            covered = 0.0
            whole = True
            for j in range(n_spans):
                lo, hi, over_u, over_v = _span(s, first, j, streets, spans)
                low, high = max(lo, piece_from_m[p]), min(hi, piece_to_m[p])
                if high > low:
                    part = _within(low, high, lo, hi, over_u, over_v, pace[s], thresholds_s[i])
                    covered += part
                    whole = whole and part == high - low
            out[p, i] = piece_to_m[p] - piece_from_m[p] if whole else covered
    return out


@njit(cache=True)
def summarise(streets, spans):  # type: ignore[no-untyped-def]
    """Return (m,) the longest and the mean time along each segment, ``inf`` where part of it has no way."""
    u, v, length_m, pace, _, _, time_s, _ = streets
    m = u.size
    longest = np.full(m, np.inf)
    mean = np.full(m, np.inf)
    for s in range(m):
        if pace[s] == np.inf:
            continue
        first, n_spans = _spans_on(s, spans)
        top = 0.0
        total = 0.0
        for j in range(n_spans):
            lo, hi, over_u, over_v = _span(s, first, j, streets, spans)
            if hi == lo:
                continue
            meet = _meeting(lo, hi, over_u, over_v, pace[s])
            peak = min(over_u + (meet - lo) * pace[s], over_v + (hi - meet) * pace[s])
            top = max(top, peak)
            if peak == np.inf:
                total = np.inf
                break
            left, right = meet - lo, hi - meet
            if left > 0:
                total += left * (over_u + 0.5 * left * pace[s])
            if right > 0:
                total += right * (over_v + 0.5 * right * pace[s])
        if length_m[s] == 0:
            top = total = min(time_s[u[s]], time_s[v[s]])
        longest[s] = top
        mean[s] = total / length_m[s] if length_m[s] > 0 else total
    return longest, mean


@njit(cache=True)
def _sooner(best_s, best_source, time_s, source):  # type: ignore[no-untyped-def]
    if time_s < best_s or (time_s == best_s and source < best_source):
        return time_s, source
    return best_s, best_source


@njit(cache=True)
def time_inside(  # type: ignore[no-untyped-def]
    segment, offset_m, streets, spans
):
    """Return (p,) time and point at each place; a place at a segment's very end stands on the node there."""
    u, v, length_m, pace, _, _, time_s, source = streets
    out = np.full(segment.size, np.inf)
    who = np.full(segment.size, -1, np.int32)
    for p in range(segment.size):
        s = segment[p]
        if s < 0 or pace[s] == np.inf:
            continue
        x = offset_m[p]
        best, label = np.inf, -1
        first, n_spans = _spans_on(s, spans)
        for j in range(n_spans):
            lo, hi, over_u, over_v = _span(s, first, j, streets, spans)
            if lo <= x <= hi:
                by_u, by_v = _span_sources(s, first, j, streets, spans)
                best, label = _sooner(best, label, over_u + (x - lo) * pace[s], by_u)
                best, label = _sooner(best, label, over_v + (hi - x) * pace[s], by_v)
        if x == 0:
            best, label = _sooner(best, label, time_s[u[s]], source[u[s]])
        if x == length_m[s]:
            best, label = _sooner(best, label, time_s[v[s]], source[v[s]])
        out[p] = best
        who[p] = label
    return out, who


@njit(cache=True)
def ramps(  # type: ignore[no-untyped-def]
    piece_segment, piece_from_m, piece_to_m, streets, spans
):
    """Return (piece, metres, start_s, end_s) of the linear parts of the time along each piece, in order."""
    pace = streets.pace
    most = 0
    for p in range(piece_segment.size):
        most += 2 * _spans_on(piece_segment[p], spans)[1]
    piece = np.empty(most, np.int32)
    metres = np.empty(most)
    start_s = np.empty(most)
    end_s = np.empty(most)
    n = 0
    for p in range(piece_segment.size):
        s = piece_segment[p]
        point = piece_from_m[p] == piece_to_m[p]
        first, n_spans = _spans_on(s, spans)
        for j in range(n_spans):
            lo, hi, over_u, over_v = _span(s, first, j, streets, spans)
            low, high = max(lo, piece_from_m[p]), min(hi, piece_to_m[p])
            if high < low or (high == low and not point):
                continue
            if pace[s] == np.inf or (over_u == np.inf and over_v == np.inf):
                piece[n], metres[n], start_s[n], end_s[n] = p, high - low, np.inf, np.inf
                n += 1
            else:
                meet = min(max(_meeting(lo, hi, over_u, over_v, pace[s]), low), high)
                if meet > low or (point and over_u + (low - lo) * pace[s] <= over_v + (hi - low) * pace[s]):
                    piece[n], metres[n] = p, meet - low
                    start_s[n] = over_u + (low - lo) * pace[s]
                    end_s[n] = over_u + (meet - lo) * pace[s]
                    n += 1
                if meet < high or (point and (n == 0 or piece[n - 1] != p)):
                    piece[n], metres[n] = p, high - meet
                    start_s[n] = over_v + (hi - meet) * pace[s]
                    end_s[n] = over_v + (hi - high) * pace[s]
                    n += 1
            if point:
                break
    return piece[:n].copy(), metres[:n].copy(), start_s[:n].copy(), end_s[:n].copy()
