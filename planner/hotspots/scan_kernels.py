"""Compiled parts of the scan statistic: the likelihood ratio, random replications, and the search of all cylinders.

A sweep takes a block of replications together, one a lane. Zones grow place by place; for each, a test that can only
err on the side of alarm is made for all lanes at once, and a lane that alarms has every time window of the zone judged.

The test rests on this: for windows of expectation e, those with a ratio of at most b are the cases c <= f(e), f concave
(the Kullback-Leibler divergence is convex in both). So a chord of f lies below it, and a window that beats b lies above
the chord of its e: c - slope e > intercept. The largest c - slope e of all windows is found in one pass over time
(Kadane's maximum subarray). Where windows end with the last
unit (time then runs backward, so that they begin with the first), each is compared with f itself.
"""

import numpy as np
from numba import njit

#: Replications swept together.
LANES = 64
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
    """Return (3, levels, nodes) the cases beyond which a window beats a ratio (for ``low``, below which), and lines.

    [1] and [2] are slope and intercept of the line from a node to the next. Halving keeps the end that does not beat
    it, so that an error is an alarm too many.
    """
    lines = np.zeros((3, ratios.size, expected.size))
    bound = lines[0]
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
        for j in range(expected.size - 1):
            lines[1, i, j] = (bound[i, j + 1] - bound[i, j]) / (expected[j + 1] - expected[j])
            lines[2, i, j] = bound[i, j] - lines[1, i, j] * expected[j]
    return lines


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

    Of tied windows the shortest is taken, then the first met.
    """
    units = zone_e.size
    shortest, longest, alive, whole, sides, min_cases = rule[0], rule[1], rule[2], rule[3], rule[4], rule[5]
    spread = (1.0 - total / people) if people > 0 else 1.0
    value, first, last, length = best, -1, -1, tie_length
    barrier = value / penalty * spread * 0.999
    for s in range(1 if alive > 0 else units):
        c, e = 0.0, 0.0
        for t in range(s, units):
            if t - s >= longest and not (whole > 0 and s == 0):
                break
            c += zone_c[t, lane]
            e += zone_e[t]
            # the chi-square statistic is never below the ratio, and needs no logarithm
            if (c - e) * (c - e) < barrier * e * (1.0 - e / total) or e <= 0.0 or e >= total:
                continue
            if (t - s + 1 < shortest or t - s >= longest) and not (whole > 0 and s == 0 and t == units - 1):
                continue
            if not ((c > e and sides & 1 and c >= min_cases) or (c < e and sides & 2)):
                continue
            ratio = penalty * log_ratio(c, e, total, people)
            if ratio > value * (1.0 + TIED) or (ratio > value * (1.0 - TIED) and t - s + 1 < length):
                value, first, last, length = ratio, s, t, t - s + 1
                barrier = value / penalty * spread * 0.999
    return value, first, last


@njit(cache=True)
def _peaks(zone_c, weight, floor, run, top):  # type: ignore[no-untyped-def]
    """Set ``top`` to each lane's largest sum of cases less weight over any units (floor 0), or the first ones (-inf).

    This loop is where the time goes, and the compiler makes vectors of it only as it stands: forward, lanes a constant.
    """
    units = zone_c.shape[0]
    for r in range(LANES):
        top[r] = np.float32(-1e30)
        run[r] = np.float32(0.0)
    for t in range(units):
        weighed = np.float32(weight[t])
        for r in range(LANES):
            value = run[r] + (zone_c[t, r] - weighed)
            top[r] = value if value > top[r] else top[r]
            run[r] = value if value > floor else floor


@njit(cache=True)
def _troughs(zone_c, weight, floor, run, top):  # type: ignore[no-untyped-def]
    """Do as ``_peaks`` for weight less cases."""
    units = zone_c.shape[0]
    for r in range(LANES):
        top[r] = np.float32(-1e30)
        run[r] = np.float32(0.0)
    for t in range(units):
        weighed = np.float32(weight[t])
        for r in range(LANES):
            value = run[r] + (weighed - zone_c[t, r])
            top[r] = value if value > top[r] else top[r]
            run[r] = value if value > floor else floor


@njit(cache=True)
def _alarm_alive(zone_c, zone_e, rule, table, total, level, work, alarm):  # type: ignore[no-untyped-def]
    """Set ``alarm`` in the lanes where a window from the first unit on may beat the least level."""
    base, high, low = table[2], table[3], table[4]
    run, top, weight, upto = work
    units = zone_e.size
    e = 0.0
    for t in range(units):
        e += zone_e[t]
        upto[t] = e
    bits = upto.view(np.int64)
    for side in range(2):
        if not rule[4] & (side + 1):
            continue
        lines = low if side else high
        slope, intercept = lines[1, level], lines[2, level]
        for t in range(units):
            i = max((bits[t] >> NODE_BITS) - base, 0)  # below the first node nothing is expected: nor are there cases
            weight[t] = intercept[i] + slope[i] * upto[t]
        for t in range(units):
            if t + 1 < rule[0] or (t >= rule[1] and t < units - 1):  # such windows do not count
                weight[t] = -2.0 if side else total + 2.0
        widest, before = 0.0, 0.0
        for t in range(units):
            bar = weight[t]
            weight[t] = bar - before
            before = bar
            widest = max(widest, abs(bar))
        if side:
            _troughs(zone_c, weight, np.float32(-1e30), run, top)
        else:
            _peaks(zone_c, weight, np.float32(-1e30), run, top)
        slack = np.float32(-1e-3 - 2e-5 * widest)
        for r in range(LANES):
            if top[r] > slack:
                alarm[r] = True


@njit(cache=True)
def _alarm_any(zone_c, zone_e, rule, table, level, levels, work, alarm):  # type: ignore[no-untyped-def]
    """Set ``alarm`` in the lanes where some window may beat the lane's own level, first held against the least."""
    _, node, base, high, low = table
    run, top, weight, bits = work
    units = zone_e.size
    least_e, most_e, all_e = np.inf, 0.0, 0.0
    for t in range(units):
        e = zone_e[t]
        all_e += e
        if e > most_e:
            most_e = e
        if 0.0 < e < least_e:
            least_e = e
    if all_e <= 0.0:
        return
    most_e = all_e if rule[3] else min(all_e, most_e * rule[1])
    bits[0], bits[1] = least_e, most_e * (1.0 + 1e-9)
    ends = bits.view(np.int64)
    i, last = (ends[0] >> NODE_BITS) - base, (ends[1] >> NODE_BITS) - base + 1
    chords = 1 + (last - i - 1) // 14
    stride = -(-(last - i) // chords)
    while i < last:
        j = min(i + stride, last)
        for side in range(2):
            if not rule[4] & (side + 1):
                continue
            bound, sign = (low[0], -1.0) if side else (high[0], 1.0)
            slope = (bound[level, j] - bound[level, i]) / (node[j] - node[i])
            for t in range(units):
                weight[t] = slope * zone_e[t]
            if side:
                _troughs(zone_c, weight, np.float32(0.0), run, top)
            else:
                _peaks(zone_c, weight, np.float32(0.0), run, top)
            bar = (bound[level, i] - slope * node[i]) * sign
            slack = 1e-3 + 4e-5 * (abs(bar) + slope * all_e)
            highest = np.float32(-1e30)
            for r in range(LANES):
                highest = top[r] if top[r] > highest else highest
            if highest <= bar - slack:
                continue
            for r in range(LANES):
                if top[r] > bar - slack:
                    own = levels[r]  # the same slope under the lane's own boundary, which is lowest at an end
                    at_i = (bound[own, i] - slope * node[i]) * sign
                    at_j = (bound[own, j] - slope * node[j]) * sign
                    if top[r] > min(at_i, at_j) - slack:
                        alarm[r] = True
        i = j


@njit(cache=True)
def _level(ratio, ratios, step):  # type: ignore[no-untyped-def]
    """Return the last level that does not exceed ``ratio``, 0 if none."""
    if ratio <= ratios[0]:
        return 0
    level = min(np.int64(np.log(ratio / ratios[0]) / step), ratios.size - 1)
    return level - 1 if level > 0 and ratios[level] > ratio else level


@njit(cache=True)
def sweep(rows, size, rule, totals, table, lanes, dense, counts, begin, when, best, each):  # type: ignore[no-untyped-def]
    """Search all zones for ``lanes`` sets of cases; raise ``best`` (LANES,) to the largest ratio of each.

    rows : (indptr, place, judged, penalty). size : (n, units) cases expected. rule : see ``scan_search.Search``.
    totals : cases, people. table : (ratios, node, base, high, low). dense : whether the cases are in ``counts``
    (n, units, LANES), else place j's are unit x LANES + lane for all of ``when[begin[j]:begin[j + 1]]``.
    each : (R, 4) or empty; if given, lane 0's best of each row by itself: ratio, entry, first and last unit.
    """
    indptr, place, judged, penalties = rows
    ratios = table[0]
    total, people = totals
    units = size.shape[1]
    zone_c, zone_e = np.zeros((units, LANES), np.float32), np.zeros(units)
    flat_c = zone_c.reshape(-1)
    work = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(units), np.empty(max(units, 2))
    levels, alarm = np.zeros(LANES, np.int64), np.zeros(LANES, np.bool_)
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
                for q in range(begin[j], begin[j + 1]):
                    flat_c[when[q]] += np.float32(1.0)
            if not judged[k]:
                continue
            if stale:
                stale, level = False, ratios.size - 1
                for r in range(lanes):
                    levels[r] = _level(best[r] / penalty, ratios, step)
                    if ratios[0] * penalty <= best[r]:
                        level = min(level, levels[r])
            for r in range(lanes):
                alarm[r] = best[r] < ratios[0] * penalty
            if rule[2]:
                _alarm_alive(zone_c, zone_e, rule, table, total, level, work, alarm)
            else:
                _alarm_any(zone_c, zone_e, rule, table, level, levels, work, alarm)
            for r in range(lanes):
                if alarm[r]:
                    value, first, last = judge(zone_c, r, zone_e, rule, total, people, penalty, best[r], 0)
                    if first >= 0:
                        best[r] = value
                        stale = True
                        if each.size:
                            each[row, 0], each[row, 1], each[row, 2], each[row, 3] = value, k, first, last


@njit(cache=True)
def replicate(  # type: ignore[no-untyped-def]
    rows, size, rule, totals, table, share, other, room, slot, event_place, event_time, seed, lo, hi, spare, dense
):
    """Return (hi - lo,) the largest ratio of each replication under the null hypothesis.

    Cases are redrawn among cells (place, unit of the whole period) where ``share`` is given, else their times are
    permuted among ``event_place``. slot : (all units,) the place of a unit among those of ``size``, -1 for one that is
    in no window. spare : draw the controls, the fewer, and leave the rest as cases.
    """
    n, units = size.shape
    out = np.zeros(hi - lo)
    n_drawn = event_time.size
    all_units = slot.size
    counts = np.zeros((n if dense else 0, units, LANES), np.float32)
    begin, room_for = np.zeros(n + 1, np.int64), 0 if dense else LANES * n_drawn
    when, where, lane_unit = np.zeros(room_for, np.int32), np.zeros(room_for, np.int32), np.zeros(room_for, np.int32)
    at, times, state = event_place.copy(), event_time.copy(), np.zeros(1, np.uint64)
    drawn = np.empty(n_drawn, np.int64)
    taken, no_rows = np.zeros(room.size, np.int32), np.zeros((0, 4))
    for block in range(lo, hi, LANES):
        lanes = min(LANES, hi - block)
        if dense:
            counts[:] = 0.0
        m = 0
        for r in range(lanes):
            _seeded(state, seed, block + r)
            if share.size == 0:
                times[:] = event_time
                shuffle_times(times, state)
            else:
                draw_cells(share, other, room, taken, n_drawn, state, drawn)
                for q in range(n_drawn):  # in 32 bits, where division is fast
                    at[q] = np.uint32(drawn[q]) // np.uint32(all_units)
                    times[q] = drawn[q] - at[q] * all_units
            if not dense:
                for q in range(n_drawn):
                    if slot[times[q]] >= 0:
                        where[m], lane_unit[m] = at[q], slot[times[q]] * LANES + r
                        m += 1
                continue
            if spare:
                for j in range(n):
                    for t in range(all_units):
                        if slot[t] >= 0:
                            counts[j, slot[t], r] = room[j * all_units + t]
            for q in range(n_drawn):
                if slot[times[q]] >= 0:
                    counts[at[q], slot[times[q]], r] += np.float32(-1.0 if spare else 1.0)
        if not dense:
            _sort_by_place(where[:m], lane_unit[:m], begin, when)
        best = np.zeros(LANES)
        sweep(rows, size, rule, totals, table, lanes, dense, counts, begin, when, best, no_rows)
        out[block - lo : block - lo + lanes] = best[:lanes]
    return out


@njit(cache=True)
def _sort_by_place(where, what, begin, sorted_what):  # type: ignore[no-untyped-def]
    """Lay out ``what`` place by place: that of place j is ``sorted_what[begin[j]:begin[j + 1]]``."""
    begin[:] = 0
    for q in range(where.size):
        begin[where[q]] += 1
    count = 0
    for j in range(begin.size):
        count += begin[j]
        begin[j] = count
    for q in range(where.size):
        begin[where[q]] -= 1
        sorted_what[begin[where[q]]] = what[q]
