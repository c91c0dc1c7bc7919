"""The compiled heart of map matching: the likeliest places of a track's looks, by Viterbi's recursion."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.places import places_near

#: Standard deviations of a look's error within which places are held possible.
REACH = 3.8
#: Looks in a row that may be passed over as strays before a way is broken.
MOST_STRAYS = 3
#: The way made in a time is as far as the pace makes it, give or take this share of it and these metres, which the
#: places are apart.
SPREAD, SPREAD_M = 0.15, 5.0
#: Log likelihood lost at most by a way too short for its time: people stop. And that lost by turning round in a street.
MOST_DELAY, TURN = 2.0, 5.0
#: Log likelihood lost by going back at a junction along the street one came by; at a dead end nothing else is left.
BACK = 2.0
#: Places so far behind the likeliest lead nowhere.
BEAM = 8.0


class Arcs(NamedTuple):
    """The streets a mode may pass, in metres: as ``gis.search_graph.SearchGraph``, pared down for compiled code.

    choice (n,) : log of how many ways lead on at a node, which passing it costs: any of them is as likely.
    """

    indptr: NDArray[np.int32]
    head: NDArray[np.int32]
    metres: NDArray[np.float64]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    length_m: NDArray[np.float64]
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]
    choice: NDArray[np.float64]


class Rules(NamedTuple):
    """The numbers of ``matching.MatchModel``; still_m : a step back against a one-way street up to this is noise."""

    beta_m: float
    gap_s: float
    detour_m: float
    still_m: float


class _Work(NamedTuple):
    """Arrays used again for every pair of looks, see where they are filled."""

    reached: NDArray[np.float64]
    touched: NDArray[np.int32]
    column: NDArray[np.int32]
    key: NDArray[np.float64]
    node: NDArray[np.int32]
    metres: NDArray[np.float64]
    choices: NDArray[np.float64]
    passed: NDArray[np.float64]
    from_node: NDArray[np.int32]
    to_node: NDArray[np.int32]
    to_row: NDArray[np.int32]
    in_m: NDArray[np.float64]


@njit(cache=True)
def _new_work(n_nodes, n_arcs, most):  # type: ignore[no-untyped-def]
    return _Work(
        np.full(n_nodes, np.inf), np.empty(n_nodes, np.int32), np.full(n_nodes, -1, np.int32),
        np.empty(n_arcs + 2), np.empty(n_arcs + 2, np.int32), np.empty((2 * most, 2 * most)),
        np.empty((2 * most, 2 * most)), np.empty(n_nodes), np.empty(2 * most, np.int32), np.empty(2 * most, np.int32),
        np.empty((most, 2), np.int32), np.empty((most, 2)),
    )  # fmt: skip


@njit(cache=True)
def _push(key, node, size, d, v):  # type: ignore[no-untyped-def]
    """Add an entry to a binary heap of ``size``."""
    hole = size
    while hole > 0:
        above = (hole - 1) // 2
        if key[above] <= d:
            break
        key[hole], node[hole] = key[above], node[above]
        hole = above
    key[hole], node[hole] = d, v


@njit(cache=True)
def _drop_first(key, node, size):  # type: ignore[no-untyped-def]
    """Take the first entry out of a binary heap that then has ``size``."""
    d, v = key[size], node[size]
    hole = 0
    while 2 * hole + 1 < size:
        child = 2 * hole + 1
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= d:
            break
        key[hole], node[hole] = key[child], node[child]
        hole = child
    key[hole], node[hole] = d, v


@njit(cache=True)
def _search(arcs, start, limit_m, row, n_wanted, work):  # type: ignore[no-untyped-def]
    """Write the metres from node ``start`` to the wanted nodes, up to a limit, into a row of ``work.metres``.

    ``work.choices`` is given what the nodes of that way cost, both ends counted. A node is wanted where ``work.column``
    names the column its metres go to; ``inf`` stands for beyond the limit.
    """
    reached, passed, touched, key, node = work.reached, work.passed, work.touched, work.key, work.node
    for i in range(n_wanted):
        work.metres[row, i] = np.inf
    reached[start], touched[0], key[0], node[0] = 0.0, start, 0.0, start
    passed[start] = arcs.choice[start]
    n_touched, size, left = 1, 1, n_wanted
    while size > 0:
        d, a = key[0], node[0]
        size -= 1
        _drop_first(key, node, size)
        if d > reached[a]:
            continue
        if work.column[a] >= 0:
            work.metres[row, work.column[a]], work.choices[row, work.column[a]] = d, passed[a]
            left -= 1
            if left == 0:
                break
        for e in range(arcs.indptr[a], arcs.indptr[a + 1]):
            b, later = arcs.head[e], d + arcs.metres[e]
            if later <= limit_m and later < reached[b]:
                if reached[b] == np.inf:
                    touched[n_touched] = b
                    n_touched += 1
                reached[b], passed[b] = later, passed[a] + arcs.choice[b]
                _push(key, node, size, later, b)
                size += 1
    for i in range(n_touched):
        reached[touched[i]] = np.inf


@njit(cache=True)
def _goals(arcs, places, state, value, back, first, last, work):  # type: ignore[no-untyped-def]
    """Make the places first:last of ``state`` ready to be reached; return how many nodes their ways come in over.

    in_m : (k, 2) metres from u and from v, ``inf`` against the street's direction.
    """
    n = 0
    for i in range(first, last):
        p = state[i]
        s, along = places.segment[p], places.offset_m[p]
        rest = arcs.length_m[s] - along
        work.in_m[i - first, 0] = along if arcs.forward[s] or along <= 0.0 else np.inf
        work.in_m[i - first, 1] = rest if arcs.backward[s] or rest <= 0.0 else np.inf
        for side in range(2):
            v = arcs.u[s] if side == 0 else arcs.v[s]
            if work.column[v] < 0:
                work.column[v] = n
                work.to_node[n] = v
                n += 1
            work.to_row[i - first, side] = work.column[v]
            value[i, side], back[i, side] = -np.inf, -1
    return n


@njit(cache=True)
def _row_of(arcs, start, limit_m, n_from, n_wanted, work):  # type: ignore[no-untyped-def]
    """Return the row of the metres from a node and how many rows there are now: searched once for all its places."""
    row = 0
    while row < n_from and work.from_node[row] != start:
        row += 1
    if row == n_from:
        work.from_node[row] = start
        _search(arcs, start, limit_m, row, n_wanted, work)
        n_from += 1
    return row, n_from


@njit(cache=True)
def _off_pace(way_m, usual_m):  # type: ignore[no-untyped-def]
    """Return what a way costs that is not as long as the pace makes it: normal, with a tail for far too long ones."""
    off = (way_m - usual_m) / np.sqrt((SPREAD * usual_m) ** 2 + SPREAD_M**2)
    if off > 2.0:
        return 2.0 * off - 2.0
    return min(0.5 * off * off, MOST_DELAY)


@njit(cache=True)
def _loss(way_m, straight_m, usual_m, beta_m):  # type: ignore[no-untyped-def]
    """Return what a way costs: its difference from the straight line, and from what the pace makes in the time."""
    return abs(way_m - straight_m) / beta_m + _off_pace(way_m, usual_m)


@njit(cache=True)
def _leave(arcs, places, rules, usual_m, limit_m, state, value, back, base, i, rows, first, last, work):  # type: ignore[no-untyped-def]
    """Offer the ways from place base + i to the places first:last of the next look.

    A state is a place and the end its bearer heads for (0: u, 1: v). ``back`` holds 8 * i + 2 * (end left by) + end
    headed for before, and 4 more where the way stays on the segment. rows : of ``work.metres`` for either end of the
    place's segment. Leaving by the other end than headed for is turning round.
    """
    a = state[base + i]
    s, along = places.segment[a], places.offset_m[a]
    top = max(value[base + i, 0], value[base + i, 1])
    for k in range(first, last):
        if top <= value[k, 0] and top <= value[k, 1]:
            continue
        b = state[k]
        # a root, not hypot: nothing here comes near the ends of the number range, and hypot takes five times as long
        straight_m = np.sqrt((places.x[a] - places.x[b]) ** 2 + (places.y[a] - places.y[b]) ** 2)
        # no way is shorter than the straight line, and beyond the pace the shorter the better
        if top - _off_pace(max(straight_m, usual_m), usual_m) <= min(value[k, 0], value[k, 1]):
            continue
        ahead = places.offset_m[b] - along
        beside = places.segment[b] == s
        if beside and abs(ahead) <= rules.still_m and not (arcs.forward[s] if ahead > 0.0 else arcs.backward[s]):
            ahead = 0.0  # noise alone sets a driver back; nobody drove against the traffic
        for end in range(2):
            turned = value[base + i, 1 - end] - TURN
            begin, via = value[base + i, end], 8 * i + 3 * end
            if beside and ahead == 0.0:  # stays, heading as before
                gain = begin - _loss(0.0, straight_m, usual_m, rules.beta_m)
                if gain > value[k, end]:
                    value[k, end], back[k, end] = gain, via + 4
            if turned > begin:
                begin, via = turned, 8 * i + end + 1
            onward = ahead > 0.0 if end == 1 else ahead < 0.0
            may = arcs.forward[s] if end == 1 else arcs.backward[s]
            if beside and onward and may and abs(ahead) <= limit_m:
                gain = begin - _loss(abs(ahead), straight_m, usual_m, rules.beta_m)
                if gain > value[k, end]:
                    value[k, end], back[k, end] = gain, via + 4
            out_m = along if end == 0 else arcs.length_m[s] - along
            if out_m > 0.0 and not may:
                continue
            choice = arcs.choice[arcs.u[s] if end == 0 else arcs.v[s]]
            for over in range(2):  # coming in over u, it heads for v
                if begin <= value[k, 1 - over]:
                    continue
                row, column = rows[end], work.to_row[k - first, over]
                way_m = out_m + work.metres[row, column] + work.in_m[k - first, over]
                if way_m <= limit_m:
                    gain = begin - _loss(way_m, straight_m, usual_m, rules.beta_m) - work.choices[row, column]
                    if beside and over == end and choice > 0.0:
                        gain -= BACK
                    if gain > value[k, 1 - over]:
                        value[k, 1 - over], back[k, 1 - over] = gain, via


@njit(cache=True)
def _step(arcs, places, rules, usual_m, limit_m, state, value, back, base, end, first, last, work):  # type: ignore[no-untyped-def]
    """Fill the values of places first:last of ``state`` from those of base:end; tell whether any was reached."""
    n_wanted = _goals(arcs, places, state, value, back, first, last, work)
    best = np.empty(end - base)
    for i in range(end - base):
        best[i] = -max(value[base + i, 0], value[base + i, 1])
    order = np.argsort(best)  # the likeliest first: the others then rarely have anything to offer
    rows = np.zeros(2, np.int64)
    n_from = np.int64(0)
    for i in order:
        if best[i] > best[order[0]] + BEAM or best[i] == np.inf:
            break
        useful = False
        for k in range(first, last):
            useful |= -best[i] > min(value[k, 0], value[k, 1])
        if not useful:
            break
        s = places.segment[state[base + i]]
        for side in range(2):
            v = arcs.u[s] if side == 0 else arcs.v[s]
            rows[side], n_from = _row_of(arcs, v, limit_m, n_from, n_wanted, work)
        _leave(arcs, places, rules, usual_m, limit_m, state, value, back, base, i, rows, first, last, work)
    for i in range(n_wanted):
        work.column[work.to_node[i]] = -1
    found = False
    for k in range(first, last):
        found |= value[k, 0] > -np.inf or value[k, 1] > -np.inf
    return found


@njit(cache=True)
def _see(places, state, value, first, last, x, y, variance):  # type: ignore[no-untyped-def]
    """Count the distance of places from the look against them."""
    for k in range(first, last):
        p = state[k]
        loss = 0.5 * ((places.x[p] - x) ** 2 + (places.y[p] - y) ** 2) / variance
        value[k, 0] -= loss
        value[k, 1] -= loss


@njit(cache=True)
def _trace(state, value, back, rows, link, first, last, place, before, left_by, heads_for):  # type: ignore[no-untyped-def]
    """Write the likeliest places of the looks that end with ``last``, and the ends of segments between them."""
    i, end = rows[last], np.int64(0)
    for k in range(rows[last], rows[last + 1]):
        for h in range(2):
            if value[k, h] > value[i, end]:
                i, end = np.int64(k), np.int64(h)
    j = np.int64(last)
    while True:
        place[first + j] = state[i]
        if link[j] < 0:
            break
        before[first + j] = first + link[j]
        via = back[i, end]
        heads_for[first + j] = end
        left_by[first + j] = -1 if via % 8 >= 4 else via % 4 // 2
        j = link[j]
        i, end = rows[j] + via // 8, np.int64(via % 2)


@njit(cache=True)
def likeliest(looks, x, y, time_s, variance, pace, places, arcs, rules, most):  # type: ignore[no-untyped-def]
    """Return (place, before, left_by, heads_for) of each look: the likeliest of every track, by Viterbi's recursion.

    looks : (n + 1,) of each track; x, y, time_s (l,); variance : (l,) square metres of a look's error each way;
    pace : (n,) metres a second. place is -1 where no street is near enough, or no way leads there; before : the look
    that a way leads here from, -1 where a way begins. left_by : the end (0: u, 1: v) by which that way leaves the
    segment of the look before, -1 where it stays on it; heads_for : the end it heads for in its last segment.
    most : places held possible for one look.
    """
    place, before = np.full(x.size, -1, np.int64), np.full(x.size, -1, np.int64)
    left_by, heads_for = np.full(x.size, -1, np.int8), np.full(x.size, -1, np.int8)
    work = _new_work(arcs.indptr.size - 1, arcs.head.size, most)
    scratch = np.empty(most, np.int64)
    for track in range(looks.size - 1):
        first, many = looks[track], looks[track + 1] - looks[track]
        rows, link = np.zeros(many + 1, np.int64), np.full(many, -1, np.int64)
        for fill in range(2):
            state = np.empty(rows[many] if fill else 0, np.int64)
            for j in range(many):
                at, radius = first + j, REACH * np.sqrt(variance[first + j])
                if fill:
                    places_near(x[at], y[at], radius, places, rows[j], rows[j + 1], state)
                else:
                    rows[j + 1] = rows[j] + places_near(x[at], y[at], radius, places, np.int64(0), most, scratch)
        value, back = np.zeros((state.size, 2)), np.full((state.size, 2), -1, np.int32)
        begin = np.int64(0)
        while begin < many:
            last, strays = begin, 0
            if rows[begin + 1] > rows[begin]:
                for k in range(rows[begin], rows[begin + 1]):
                    value[k, 0], value[k, 1] = 0.0, 0.0
                link[begin] = -1
                _see(places, state, value, rows[begin], rows[begin + 1], x[first + begin], y[first + begin],
                     variance[first + begin])  # fmt: skip
                for j in range(begin + 1, many):
                    at, since = first + j, first + last
                    took_s = time_s[at] - time_s[since]
                    if took_s > rules.gap_s or strays > MOST_STRAYS:
                        break
                    if rows[j + 1] == rows[j]:
                        continue
                    straight_m = np.hypot(x[at] - x[since], y[at] - y[since])
                    limit_m = 2.0 * straight_m + rules.detour_m
                    usual_m = pace[track] * took_s if straight_m > 0.0 else 0.0  # in one spot: standing
                    if not _step(arcs, places, rules, usual_m, limit_m, state, value, back, rows[last],
                                 rows[last + 1], rows[j], rows[j + 1], work):  # fmt: skip
                        strays += 1
                        continue
                    _see(places, state, value, rows[j], rows[j + 1], x[at], y[at], variance[at])
                    link[j] = last
                    last, strays = np.int64(j), 0
                _trace(state, value, back, rows, link, first, last, place, before, left_by, heads_for)
            begin = last + 1
    return place, before, left_by, heads_for


@njit(cache=True)
def hold_place(segment, offset_m, before, left_by, arcs):  # type: ignore[no-untyped-def]
    """Leave looks that noise set back against a one-way street where the look before them stands (in place)."""
    for i in range(segment.size):
        b = before[i]
        if b >= 0 and left_by[i] < 0:
            open_ = arcs.forward[segment[i]] if offset_m[i] > offset_m[b] else arcs.backward[segment[i]]
            if not open_:
                offset_m[i] = offset_m[b]
