"""Compiled parts of the scan statistic: the likelihood ratio, random replications, and the search of all cylinders.

A sweep takes a block of replications together, one a lane. Zones grow place by place; for each, a test that can only
err on the side of alarm is made for all lanes at once, and a lane that alarms has every time window of the zone judged.

The test rests on this: for windows of expectation e, those with a ratio of at most b are the cases c <= f(e), f concave
(the Kullback-Leibler divergence is convex in both). So a chord of f lies below it, and a window that beats b lies above
the chord of its e: c - slope e > intercept. The largest c - slope e of all windows is found in one pass over time
(Kadane's maximum subarray). Windows that end at the last unit are compared with f itself, one for each first unit.
"""

import numpy as np
from numba import njit

#: Replications swept together.
LANES = 32
#: Expectations between which f is kept: eight to an octave, numbered by the leading bits of a double.
NODE_BITS = 49
#: Two ratios are tied if they differ by less than this share.
TIED = 1e-9

_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)


@njit(cache=True)
def log_ratio(cases, expected, total, people):  # type: ignore[no-untyped-def]
    """Return the log likelihood ratio of a window, of cases against all others (either direction).

    people : cases and controls together; 0 for the Poisson model. Source: Kulldorff 1997,
    doi:10.1080/03610929708831995; both models are written with the cases expected in the window.
    """
    value = 0.0
    if cases > 0:
        value += cases * np.log(cases / expected)
    if total - cases > 0:
        value += (total - cases) * np.log((total - cases) / (total - expected))
    if people > 0:
        inside = expected * people / total
        outside = people - inside - total
        if inside - cases > 1e-9 * people:
            value += (inside - cases) * np.log((inside - cases) / (inside - expected))
        if outside + cases > 1e-9 * people:
            value += (outside + cases) * np.log((outside + cases) / (outside + expected))
    return value


@njit(cache=True)
def boundaries(ratios, expected, total, people, low):  # type: ignore[no-untyped-def]
    """Return (levels, nodes) the cases beyond which a window beats a ratio; for ``low``, below which.

    Halving keeps the end that does not beat it, so that an error is an alarm too many.
    """
    bound = np.empty((ratios.size, expected.size))
    for i in range(ratios.size):
        for j in range(expected.size):
            e = expected[j]
            inside = e * people / total if people > 0 else total
            most, least = min(total, inside), 0.0
            if people > 0:
                least = max(0.0, total - (people - inside))
            end = least if low else most
            if e >= total or (e >= most and not low) or log_ratio(end, e, total, people) <= ratios[i]:
                bound[i, j] = min(end, total)
                continue
            tame, wild = e, end
            for _ in range(36):
                middle = 0.5 * (tame + wild)
                if log_ratio(middle, e, total, people) <= ratios[i]:
                    tame = middle
                else:
                    wild = middle
            bound[i, j] = tame
    return bound


@njit(cache=True)
def _next(state):  # type: ignore[no-untyped-def]
    """Return 64 random bits and step (splitmix64; Steele, Lea & Flood 2014, doi:10.1145/2714064.2660195)."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@njit(cache=True)
def _seeded(state, seed, replication):  # type: ignore[no-untyped-def]
    """Start the stream of one replication, whatever block it falls in."""
    state[0] = np.uint64(seed)
    start = _next(state)
    state[0] = start ^ (np.uint64(replication) * _MIX1)
    state[0] = _next(state)


@njit(cache=True)
def alias_table(weight):  # type: ignore[no-untyped-def]
    """Return (share (n,) of 2^32, other (n,)) to draw a cell by weight (Vose 1991, doi:10.1109/32.92917)."""
    n = weight.size
    scaled = weight * (n / weight.sum())
    share, other = np.full(n, np.uint64(1) << _S32), np.arange(n).astype(np.int32)
    small, large = np.empty(n, np.int32), np.empty(n, np.int32)
    ns, nl = 0, 0
    for i in range(n):
        if scaled[i] < 1.0:
            small[ns] = i
            ns += 1
        else:
            large[nl] = i
            nl += 1
    while ns > 0 and nl > 0:
        ns -= 1
        i, j = small[ns], large[nl - 1]
        share[i], other[i] = np.uint64(scaled[i] * 4294967296.0), j
        scaled[j] -= 1.0 - scaled[i]
        if scaled[j] < 1.0:
            nl -= 1
            small[ns] = j
            ns += 1
    for k in range(ns):  # left over by rounding; a cell without weight must stay without
        if weight[small[k]] == 0.0:
            share[small[k]] = np.uint64(0)
    return share, other


@njit(cache=True)
def _drawn_cell(share, other, state):  # type: ignore[no-untyped-def]
    bits = _next(state)
    cell = np.int64(((bits >> _S32) * np.uint64(share.size)) >> _S32)
    if (bits & _LOW32) < share[cell]:
        return cell
    return np.int64(other[cell])


@njit(cache=True)
def draw_cells(share, other, room, taken, count, state, drawn):  # type: ignore[no-untyped-def]
    """Draw ``count`` cells into ``drawn``: by weight, or (``room`` given) without replacement from cells of that room.

    A cell drawn by its whole room is kept with the share of it that is left, which makes the draw one among all persons
    not yet drawn. ``taken`` is 0 before and after.
    """
    for q in range(count):
        cell = _drawn_cell(share, other, state)
        if room.size > 0:
            while np.float64(_next(state) >> _S32) * room[cell] >= (room[cell] - taken[cell]) * 4294967296.0:
                cell = _drawn_cell(share, other, state)
            taken[cell] += 1
        drawn[q] = cell
    if room.size > 0:
        for q in range(count):
            taken[drawn[q]] = 0


@njit(cache=True)
def shuffle_times(times, state):  # type: ignore[no-untyped-def]
    """Permute ``times`` in place (Fisher-Yates)."""
    for q in range(times.size - 1, 0, -1):
        other = np.int64(((_next(state) >> _S32) * np.uint64(q + 1)) >> _S32)
        kept = times[q]
        times[q] = times[other]
        times[other] = kept


@njit(cache=True)
def judge(zone_c, lane, zone_e, rule, total, people, penalty, best, tie_length):  # type: ignore[no-untyped-def]
    """Return (ratio, first, last) of the best window of a zone that beats ``best``; first is -1 if none does.

    Of tied windows the shortest is taken, then the earliest.
    """
    units = zone_e.size
    shortest, longest, alive, whole, sides, min_cases = rule[0], rule[1], rule[2], rule[3], rule[4], rule[5]
    spread = (1.0 - total / people) if people > 0 else 1.0
    value, first, last, length = best, -1, -1, tie_length
    barrier = value / penalty * spread * 0.999
    for s in range(units):
        c, e = 0.0, 0.0
        if alive > 0 and units - s > longest and not (whole > 0 and s == 0):
            continue
        for t in range(s, units):
            if t - s >= longest and not (whole > 0 and s == 0):
                break
            c += zone_c[t, lane]
            e += zone_e[t]
            entire = whole > 0 and s == 0 and t == units - 1
            if (t - s + 1 < shortest or t - s >= longest or (alive > 0 and t < units - 1)) and not entire:
                continue
            # the chi-square statistic is never below the ratio, and needs no logarithm
            if (c - e) * (c - e) < barrier * e * (1.0 - e / total) or e <= 0.0:
                continue
            if not ((c > e and sides & 1 and c >= min_cases) or (c < e and sides & 2)) or e >= total:
                continue
            ratio = penalty * log_ratio(c, e, total, people)
            if ratio > value * (1.0 + TIED) or (ratio > value * (1.0 - TIED) and t - s + 1 < length):
                value, first, last, length = ratio, s, t, t - s + 1
                barrier = value / penalty * spread * 0.999
    return value, first, last


@njit(cache=True)
def _alarm_alive(zone_c, zone_e, rule, node, base, high, low, level, sum_c, excess):  # type: ignore[no-untyped-def]
    """Raise ``excess`` above 0 in the lanes where a window up to the last unit may beat the level."""
    units = zone_e.size
    kept_e = np.empty(1)
    bits = kept_e.view(np.int64)
    e = 0.0
    for r in range(LANES):
        sum_c[r] = np.float32(0.0)
        excess[r] = np.float32(-1.0)
    for s in range(units - 1, -1, -1):
        length = units - s
        if length > rule[1] and rule[3] == 0:
            break
        e += zone_e[s]
        for r in range(LANES):
            sum_c[r] += zone_c[s, r]
        if e <= 0.0 or length < rule[0] or (length > rule[1] and s > 0):
            continue
        kept_e[0] = e
        i = (bits[0] >> NODE_BITS) - base
        along = (e - node[i]) / (node[i + 1] - node[i])
        if rule[4] & 1:
            bar = np.float32(high[level, i] + along * (high[level, i + 1] - high[level, i]))
            bar -= np.float32(1e-4) + np.float32(1e-6) * bar
            for r in range(LANES):
                beyond = sum_c[r] - bar
                excess[r] = beyond if beyond > excess[r] else excess[r]
        if rule[4] & 2:
            bar = np.float32(low[level, i] + along * (low[level, i + 1] - low[level, i]))
            bar += np.float32(1e-4) + np.float32(1e-6) * bar
            for r in range(LANES):
                beyond = bar - sum_c[r]
                excess[r] = beyond if beyond > excess[r] else excess[r]


@njit(cache=True)
def _alarm_any(zone_c, zone_e, rule, node, base, high, low, level, run, excess):  # type: ignore[no-untyped-def]
    """Raise ``excess`` above 0 in the lanes where some window may beat the level."""
    units = zone_e.size
    least_e, most_e, all_e = np.inf, 0.0, 0.0
    for t in range(units):
        e = zone_e[t]
        all_e += e
        if e > most_e:
            most_e = e
        if 0.0 < e < least_e:
            least_e = e
    for r in range(LANES):
        excess[r] = np.float32(-1.0)
    if all_e <= 0.0:
        return
    if rule[3] == 0:
        most_e = min(all_e, most_e * rule[1])
    else:
        most_e = all_e
    ends = np.array([least_e, most_e * (1.0 + 1e-9)])
    bits = ends.view(np.int64)
    i, last = (bits[0] >> NODE_BITS) - base, (bits[1] >> NODE_BITS) - base + 1
    chords = 1 + (last - i - 1) // 14
    stride = -(-(last - i) // chords)
    while i < last:
        j = min(i + stride, last)
        for side in range(2):
            if not rule[4] & (side + 1):
                continue
            bound, sign = (low, np.float32(-1.0)) if side else (high, np.float32(1.0))
            slope = (bound[level, j] - bound[level, i]) / (node[j] - node[i])
            bar = (bound[level, i] - slope * node[i]) * sign
            bar -= 1e-3 + 4e-5 * (abs(bar) + slope * all_e)
            for r in range(LANES):
                run[r] = np.float32(-1e9)
            for r in range(LANES):
                run[LANES + r] = np.float32(0.0)
            for t in range(units):
                weighed = np.float32(slope * zone_e[t])
                for r in range(LANES):
                    value = run[LANES + r] + (zone_c[t, r] - weighed) * sign
                    run[r] = value if value > run[r] else run[r]
                    run[LANES + r] = value if value > np.float32(0.0) else np.float32(0.0)
            for r in range(LANES):
                beyond = run[r] - np.float32(bar)
                excess[r] = beyond if beyond > excess[r] else excess[r]
        i = j


@njit(cache=True)
def sweep(rows, size, rule, totals, table, lanes, dense, counts, begin, when, best, each):  # type: ignore[no-untyped-def]
    """Search all zones for ``lanes`` sets of cases; raise ``best`` (LANES,) to the largest ratio of each.

    rows : (indptr, place, judged, penalty). size : (n, units) cases expected. rule : see ``planner.hotspots.scan``.
    totals : cases, people. table : (ratios, node, base, high, low). dense : whether the cases are in ``counts``
    (n, units, LANES), else lane r has at place j the units ``when[r, begin[r, j]:begin[r, j + 1]]``.
    each : (R, 4) or empty; if given, lane 0's best of each row by itself: ratio, entry, first and last unit.
    """
    indptr, place, judged, penalties = rows
    ratios, node, base, high, low = table
    total, people = totals
    units = size.shape[1]
    zone_c, zone_e = np.zeros((units, LANES), np.float32), np.zeros(units)
    excess, run = np.empty(LANES, np.float32), np.empty(2 * LANES, np.float32)
    step = np.log(ratios[1] / ratios[0])
    for row in range(indptr.size - 1):
        zone_c[:] = 0.0
        zone_e[:] = 0.0
        penalty = penalties[row]
        if each.size:
            best[0] = 0.0
        stale, level = True, 0
        for k in range(indptr[row], indptr[row + 1]):
            j = place[k]
            for t in range(units):
                zone_e[t] += size[j, t]
            if dense:
                for t in range(units):
                    for r in range(LANES):
                        zone_c[t, r] += counts[j, t, r]
            else:
                for r in range(lanes):
                    for q in range(begin[r, j], begin[r, j + 1]):
                        zone_c[when[r, q], r] += np.float32(1.0)
            if not judged[k]:
                continue
            if stale:
                stale, least = False, np.inf
                for r in range(lanes):
                    if ratios[0] * penalty <= best[r] < least:
                        least = best[r]
                level = (
                    min(np.int64(np.log(least / penalty / ratios[0]) / step), ratios.size - 1) if least < np.inf else 0
                )
                if level > 0 and ratios[level] * penalty > least:
                    level -= 1
            if rule[2]:
                _alarm_alive(zone_c, zone_e, rule, node, base, high, low, level, run, excess)
            else:
                _alarm_any(zone_c, zone_e, rule, node, base, high, low, level, run, excess)
            for r in range(lanes):
                if excess[r] > 0.0 or best[r] < ratios[0] * penalty:
                    value, first, last = judge(zone_c, r, zone_e, rule, total, people, penalty, best[r], 0)
                    if first >= 0:
                        best[r] = value
                        stale = True
                        if each.size:
                            each[row, 0], each[row, 1], each[row, 2], each[row, 3] = value, k, first, last


@njit(cache=True)
def replicate(
    rows, size, rule, totals, table, share, other, room, shift, event_place, event_time, seed, lo, hi, spare, dense
):  # type: ignore[no-untyped-def]
    """Return (hi - lo,) the largest ratio of each replication under the null hypothesis.

    Cases are redrawn among cells (place, unit of the whole period) where ``share`` is given, else their times are
    permuted among ``event_place``. Units before ``shift`` are outside every window. spare : 1 to draw the controls, the
    fewer, and leave the rest as cases.
    """
    n, units = size.shape
    out = np.zeros(hi - lo)
    n_drawn = event_time.size
    all_units = units + shift
    counts = np.zeros((n if dense else 0, units, LANES), np.float32)
    begin = np.zeros((0 if dense else LANES, n + 1), np.int32)
    when = np.zeros((0 if dense else LANES, 0 if dense else n_drawn), np.int32)
    drawn, state = np.empty(n_drawn, np.int64), np.zeros(1, np.uint64)
    taken, no_rows = np.zeros(room.size, np.int32), np.zeros((0, 4))
    permuted = share.size == 0
    for block in range(lo, hi, LANES):
        lanes = min(LANES, hi - block)
        if dense:
            counts[:] = 0.0
        for r in range(lanes):
            _seeded(state, seed, block + r)
            if permuted:
                drawn[:] = event_time
                shuffle_times(drawn, state)
                for q in range(n_drawn):
                    drawn[q] += event_place[q] * all_units
            else:
                draw_cells(share, other, room, taken, n_drawn, state, drawn)
            if dense:
                if spare:
                    for j in range(n):
                        for t in range(units):
                            counts[j, t, r] = room[j * all_units + t + shift]
                for q in range(n_drawn):
                    t = drawn[q] % all_units - shift
                    if t >= 0:
                        counts[drawn[q] // all_units, t, r] += np.float32(-1.0 if spare else 1.0)
            else:
                _sort_by_place(drawn, all_units, shift, begin[r], when[r])
        best = np.zeros(LANES)
        sweep(rows, size, rule, totals, table, lanes, dense, counts, begin, when, best, no_rows)
        out[block - lo : block - lo + lanes] = best[:lanes]
    return out


@njit(cache=True)
def _sort_by_place(cells, all_units, shift, begin, when):  # type: ignore[no-untyped-def]
    """Lay out the units of cells place by place: those of place j are ``when[begin[j]:begin[j + 1]]``."""
    begin[:] = 0
    for q in range(cells.size):
        if cells[q] % all_units >= shift:
            begin[cells[q] // all_units] += 1
    count = 0
    for j in range(begin.size):
        count += begin[j]
        begin[j] = count
    for q in range(cells.size):
        t = cells[q] % all_units - shift
        if t >= 0:
            j = cells[q] // all_units
            begin[j] -= 1
            when[begin[j]] = t
