"""Compiled parts of the search: labels along routes, and the best place for a service in one.

A route lives in one of two rows of every array of ``Rows``: a move writes a copy in the other row, so that it is undone
by going back. Position 0 of a row is the start, 1..size are services, size + 1 is the end.

Labels (Vidal 2017, doi:10.1287/opre.2017.1595): ``ahead[i, d]`` is the least seconds from leaving the start to the end
of service i done in direction d, ``behind[i, d]`` those from its begin to the return, directions of all others chosen
best. Where hours or breaks matter, ``clock[i, 2 d + b]`` is the earliest end, waiting counted, with the break over
(b = 1) or not; ``ahead`` is then the least of both, a break that is still to come counted in.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Numbers = NDArray[np.int32]
Floats = NDArray[np.float64]


class Ground(NamedTuple):
    """What is known of n services at p places, by mode k.

    begins, ends : (n, 2). both : (k, n). service, opens, closes : seconds. timed : (n,) has hours.
    out, into : (k, p, p) float32, seconds from the first place to the second, and to the first from the second.
    clocked : (1,) whether hours or breaks matter anywhere.
    """

    begins: Numbers
    ends: Numbers
    both: NDArray[np.bool_]
    service: Floats
    opens: Floats
    closes: Floats
    timed: NDArray[np.bool_]
    load: Floats
    out: NDArray[np.float32]
    into: NDArray[np.float32]
    clocked: NDArray[np.bool_]


class Duty(NamedTuple):
    """What is known of r crews; ``limit`` is the most seconds on the way, ``rest_at`` the break's hour after the start.

    alike : (r,) equal for crews that do not differ.
    """

    mode: Numbers
    start: Numbers
    end: Numbers
    from_s: Floats
    limit: Floats
    rest_at: Floats
    rest_s: Floats
    capacity: Floats
    kind: Numbers
    extra: Floats
    uneven: Floats
    alike: Numbers


class Rows(NamedTuple):
    """Routes of r crews in 2 r rows; ``row`` (r,) is where each lives.

    size, timed, took, cost, extra, load, rested, version : (2 r,). task : (2 r, w). place : (2 r, w, 4) begins of both
    directions, then ends. ahead, behind : (2 r, w, 2). clock : (2 r, w, 4). of, at : (n,) route and position of each
    service, route -1 for none.
    """

    row: Numbers
    size: Numbers
    timed: Numbers
    took: Floats
    cost: Floats
    extra: Floats
    load: Floats
    rested: NDArray[np.bool_]
    version: NDArray[np.int64]
    task: Numbers
    place: NDArray[np.uint32]
    ahead: Floats
    behind: Floats
    clock: Floats
    of: Numbers
    at: Numbers


@njit(cache=True)
def step(n0, n1, n2, n3, t00, t01, t10, t11, service, opens, closes, rest_at, rest_s, both):  # type: ignore[no-untyped-def]
    """Return the earliest ends of the next service, from those of the one before.

    n.. : by 2 d + b. t.. : seconds from the end of direction d to the begin of direction e.
    """
    out0, out1, out2, out3 = np.inf, np.inf, np.inf, np.inf
    for e in range(2 if both else 1):
        x, y = (t00, t10) if e == 0 else (t01, t11)
        open_, rest = min(n0 + x, n2 + y), min(n1 + x, n3 + y)
        open_, rest = max(open_, opens) + service, max(rest, opens) + service
        if open_ > closes:
            open_ = np.inf
        if rest > closes:
            rest = np.inf
        if open_ >= rest_at:
            rest = min(rest, open_ + rest_s)
            open_ = np.inf
        if e == 0:
            out0, out1 = open_, rest
        else:
            out2, out3 = open_, rest
    return out0, out1, out2, out3


@njit(cache=True)
def label_ahead(rows, ground, duty, row, r, first):  # type: ignore[no-untyped-def]
    """Set the labels ahead from position ``first`` to the end, and what the route takes and costs."""
    m, size = duty.mode[r], rows.size[row]
    place, ahead, out = rows.place, rows.ahead, ground.out
    if ground.clocked[0]:
        _label_clock(rows, ground, duty, row, r, first)
    else:
        for i in range(first, size + 2):
            b0, b1 = place[row, i, 0], place[row, i, 1]
            e0, e1 = place[row, i - 1, 2], place[row, i - 1, 3]
            a0, a1 = ahead[row, i - 1, 0], ahead[row, i - 1, 1]
            if i <= size:
                t = rows.task[row, i]
                service, both = ground.service[m, t], ground.both[m, t]
            else:
                service, both = 0.0, False
            x, y = a0 + out[m, e0, b0], a1 + out[m, e1, b0]
            ahead[row, i, 0] = (x if x < y else y) + service
            ahead[row, i, 1] = np.inf
            if both:
                x, y = a0 + out[m, e0, b1], a1 + out[m, e1, b1]
                ahead[row, i, 1] = (x if x < y else y) + service
        rows.took[row] = ahead[row, size + 1, 0]
    if size == 0:
        rows.took[row] = 0.0
    rows.cost[row] = price_of(rows.took[row], duty.uneven[r]) + rows.extra[row]


@njit(cache=True)
def price_of(took, uneven):  # type: ignore[no-untyped-def]
    """Return what a route of ``took`` seconds costs."""
    return took + uneven * took * took


@njit(cache=True)
def _label_clock(rows, ground, duty, row, r, first):  # type: ignore[no-untyped-def]
    """Set the clock from position ``first`` on, the labels ahead that follow from it, and what the route takes."""
    m, size = duty.mode[r], rows.size[row]
    place, clock, out = rows.place, rows.clock, ground.out
    from_s = duty.from_s[r]
    n0, n1, n2, n3 = (
        clock[row, first - 1, 0],
        clock[row, first - 1, 1],
        clock[row, first - 1, 2],
        clock[row, first - 1, 3],
    )
    for i in range(first, size + 1):
        t = rows.task[row, i]
        b0, b1 = place[row, i, 0], place[row, i, 1]
        e0, e1 = place[row, i - 1, 2], place[row, i - 1, 3]
        n0, n1, n2, n3 = step(
            n0, n1, n2, n3, out[m, e0, b0], out[m, e0, b1], out[m, e1, b0], out[m, e1, b1], ground.service[m, t],
            ground.opens[t] - from_s, ground.closes[t] - from_s, duty.rest_at[r], duty.rest_s[r], ground.both[m, t],
        )  # fmt: skip
        clock[row, i, 0], clock[row, i, 1], clock[row, i, 2], clock[row, i, 3] = n0, n1, n2, n3
    home = place[row, size + 1, 0]
    e0, e1 = place[row, size, 2], place[row, size, 3]
    open_ = min(n0 + out[m, e0, home], n2 + out[m, e1, home])
    rested = min(n1 + out[m, e0, home], n3 + out[m, e1, home])
    was = rows.rested[row]
    rows.rested[row] = rested <= open_
    rows.took[row] = min(open_, rested)
    to_come = duty.rest_s[r] if rows.rested[row] else 0.0
    for i in range(0 if was != rows.rested[row] else first, size + 1):
        rows.ahead[row, i, 0] = min(clock[row, i, 0] + to_come, clock[row, i, 1])
        rows.ahead[row, i, 1] = min(clock[row, i, 2] + to_come, clock[row, i, 3])


@njit(cache=True)
def label_behind(rows, ground, duty, row, r, last):  # type: ignore[no-untyped-def]
    """Set the labels behind from position ``last`` back to the first service."""
    m = duty.mode[r]
    place, behind, out = rows.place, rows.behind, ground.out
    for i in range(last, 0, -1):
        t = rows.task[row, i]
        e0, e1 = place[row, i, 2], place[row, i, 3]
        b0, b1 = place[row, i + 1, 0], place[row, i + 1, 1]
        z0, z1 = behind[row, i + 1, 0], behind[row, i + 1, 1]
        x, y = out[m, e0, b0] + z0, out[m, e0, b1] + z1
        behind[row, i, 0] = (x if x < y else y) + ground.service[m, t]
        behind[row, i, 1] = np.inf
        if ground.both[m, t]:
            x, y = out[m, e1, b0] + z0, out[m, e1, b1] + z1
            behind[row, i, 1] = (x if x < y else y) + ground.service[m, t]


@njit(cache=True)
def clear(rows, ground, duty, row, r):  # type: ignore[no-untyped-def]
    """Make a row an empty route."""
    rows.size[row], rows.timed[row] = 0, 0
    rows.took[row], rows.cost[row], rows.extra[row], rows.load[row] = 0.0, 0.0, 0.0, 0.0
    rows.rested[row] = duty.rest_s[r] <= 0.0
    rows.ahead[row, 0, 0], rows.ahead[row, 0, 1] = 0.0, np.inf
    if ground.clocked[0]:
        for s in range(4):
            rows.clock[row, 0, s] = np.inf
        rows.clock[row, 0, 1 if duty.rest_s[r] <= 0.0 else 0] = 0.0
    for d in range(4):
        rows.place[row, 0, d] = duty.start[r]
    _set_end(rows, duty, row, r)


@njit(cache=True)
def _set_end(rows, duty, row, r):  # type: ignore[no-untyped-def]
    last = rows.size[row] + 1
    for d in range(4):
        rows.place[row, last, d] = duty.end[r]
    rows.behind[row, last, 0], rows.behind[row, last, 1] = 0.0, np.inf


@njit(cache=True)
def copy_route(rows, ground, source, target):  # type: ignore[no-untyped-def]
    """Copy a route from one row to another."""
    size = rows.size[source]
    rows.size[target], rows.timed[target], rows.took[target] = size, rows.timed[source], rows.took[source]
    rows.cost[target], rows.extra[target], rows.load[target] = rows.cost[source], rows.extra[source], rows.load[source]
    rows.rested[target], rows.version[target] = rows.rested[source], rows.version[source]
    for i in range(size + 2):
        rows.task[target, i] = rows.task[source, i]
        for d in range(4):
            rows.place[target, i, d] = rows.place[source, i, d]
        for d in range(2):
            rows.ahead[target, i, d] = rows.ahead[source, i, d]
            rows.behind[target, i, d] = rows.behind[source, i, d]
        if ground.clocked[0]:
            for d in range(4):
                rows.clock[target, i, d] = rows.clock[source, i, d]


@njit(cache=True)
def insert(rows, ground, duty, r, t, p, version):  # type: ignore[no-untyped-def]
    """Put service ``t`` at position ``p`` of the route of crew ``r``."""
    row = rows.row[r]
    for i in range(rows.size[row] + 1, p - 1, -1):
        rows.task[row, i + 1] = rows.task[row, i]
        for d in range(4):
            rows.place[row, i + 1, d] = rows.place[row, i, d]
        for d in range(2):
            rows.behind[row, i + 1, d] = rows.behind[row, i, d]
    rows.size[row] += 1
    rows.task[row, p] = t
    for d in range(2):
        rows.place[row, p, d] = ground.begins[t, d]
        rows.place[row, p, 2 + d] = ground.ends[t, d]
    rows.of[t] = r
    for i in range(p, rows.size[row] + 1):
        rows.at[rows.task[row, i]] = i
    _count(rows, ground, duty, row, r, t, 1)
    rows.version[row] = version
    label_ahead(rows, ground, duty, row, r, p)
    label_behind(rows, ground, duty, row, r, p)


@njit(cache=True)
def _count(rows, ground, duty, row, r, t, sign):  # type: ignore[no-untyped-def]
    """Count a service's load, extra seconds and hours in or out of a row."""
    rows.load[row] += sign * ground.load[t]
    rows.extra[row] += sign * duty.extra[duty.kind[r], t]
    rows.timed[row] += sign * (1 if ground.timed[t] else 0)


@njit(cache=True)
def remove(rows, ground, duty, r, first, last, keep_first, keep_last, version):  # type: ignore[no-untyped-def]
    """Take positions ``first`` to ``last`` out of the route of crew ``r``, but for ``keep_first`` to ``keep_last``."""
    row = rows.row[r]
    to = first
    end_of_change = first
    for i in range(first, rows.size[row] + 2):
        if i <= last and not keep_first <= i <= keep_last:
            t = rows.task[row, i]
            rows.of[t] = -1
            _count(rows, ground, duty, row, r, t, -1)
            continue
        if i <= last:
            end_of_change = to + 1
        rows.task[row, to] = rows.task[row, i]
        for d in range(4):
            rows.place[row, to, d] = rows.place[row, i, d]
        for d in range(2):
            rows.behind[row, to, d] = rows.behind[row, i, d]
        if i <= rows.size[row]:
            rows.at[rows.task[row, i]] = to
        to += 1
    rows.size[row] = to - 2
    rows.version[row] = version
    if rows.size[row] == 0:
        clear(rows, ground, duty, row, r)
        return
    label_ahead(rows, ground, duty, row, r, first)
    label_behind(rows, ground, duty, row, r, end_of_change - 1)


@njit(cache=True)
def best_place(rows, ground, duty, r, t, first, last, skip):  # type: ignore[no-untyped-def]
    """Return the least seconds the route takes with ``t`` at one of the positions, and that position.

    Positions ``first`` to ``last``, but for ``skip``; ``inf`` and -1 where it fits nowhere. Exact without hours and
    breaks; with them the labels give a bound, and what they do not rule out is walked through.
    """
    row, m = rows.row[r], duty.mode[r]
    service = ground.service[m, t]
    if not np.isfinite(service + duty.extra[duty.kind[r], t]) or rows.size[row] + 3 > rows.task.shape[1]:
        return np.inf, -1
    place, ahead, behind, out, into = rows.place, rows.ahead, rows.behind, ground.out, ground.into
    b0, b1, e0, e1 = ground.begins[t, 0], ground.begins[t, 1], ground.ends[t, 0], ground.ends[t, 1]
    both = ground.both[m, t]
    hours = rows.timed[row] > 0 or ground.timed[t]
    may_rest = not rows.rested[row]
    opens, closes = ground.opens[t] - duty.from_s[r], ground.closes[t] - duty.from_s[r]
    least, at = duty.limit[r], -1
    for p in range(first, last + 1):
        if p == skip:
            continue
        a0, a1, z0, z1 = ahead[row, p - 1, 0], ahead[row, p - 1, 1], behind[row, p, 0], behind[row, p, 1]
        u0, u1, v0, v1 = place[row, p - 1, 2], place[row, p - 1, 3], place[row, p, 0], place[row, p, 1]
        x, y = a0 + into[m, b0, u0], a1 + into[m, b0, u1]
        z, w = out[m, e0, v0] + z0, out[m, e0, v1] + z1
        x, z = x if x < y else y, z if z < w else w
        if hours:
            x = max(x, opens)
        took = x + z
        if both:
            x, y = a0 + into[m, b1, u0], a1 + into[m, b1, u1]
            z, w = out[m, e1, v0] + z0, out[m, e1, v1] + z1
            x, z = x if x < y else y, z if z < w else w
            if hours:
                x = max(x, opens)
            took = x + z if x + z < took else took
        took += service
        if took >= least:
            continue
        if hours or (may_rest and took >= duty.rest_at[r]):
            took = _walk(rows, ground, duty, row, r, t, p, opens, closes)
            if took >= least:
                continue
        least, at = took, p
    return (least, at) if at >= 0 else (np.inf, -1)


@njit(cache=True)
def _walk(rows, ground, duty, row, r, t, p, opens, closes):  # type: ignore[no-untyped-def]
    """Return what the route takes with ``t`` at position ``p``, hour by hour; ``inf`` where hours are missed."""
    m, size, from_s = duty.mode[r], rows.size[row], duty.from_s[r]
    place, clock, out = rows.place, rows.clock, ground.out
    rest_at, rest_s = duty.rest_at[r], duty.rest_s[r]
    e0, e1, b0, b1 = place[row, p - 1, 2], place[row, p - 1, 3], ground.begins[t, 0], ground.begins[t, 1]
    n0, n1, n2, n3 = step(
        clock[row, p - 1, 0], clock[row, p - 1, 1], clock[row, p - 1, 2], clock[row, p - 1, 3],
        out[m, e0, b0], out[m, e0, b1], out[m, e1, b0], out[m, e1, b1], ground.service[m, t], opens, closes, rest_at,
        rest_s, ground.both[m, t],
    )  # fmt: skip
    f0, f1 = ground.ends[t, 0], ground.ends[t, 1]
    for i in range(p, size + 1):
        u = rows.task[row, i]
        b0, b1 = place[row, i, 0], place[row, i, 1]
        n0, n1, n2, n3 = step(
            n0, n1, n2, n3, out[m, f0, b0], out[m, f0, b1], out[m, f1, b0], out[m, f1, b1], ground.service[m, u],
            ground.opens[u] - from_s, ground.closes[u] - from_s, rest_at, rest_s, ground.both[m, u],
        )  # fmt: skip
        if n0 == np.inf and n1 == np.inf and n2 == np.inf and n3 == np.inf:
            return np.inf
        if n0 == clock[row, i, 0] and n1 == clock[row, i, 1] and n2 == clock[row, i, 2] and n3 == clock[row, i, 3]:
            return rows.took[row]  # waiting has taken up all that was added
        f0, f1 = place[row, i, 2], place[row, i, 3]
    home = duty.end[r]
    return min(min(n0, n1) + out[m, f0, home], min(n2, n3) + out[m, f1, home])
