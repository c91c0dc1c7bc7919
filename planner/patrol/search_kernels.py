"""Compiled parts of the search: labels along routes, and the best place for a service in one.

A route lives in one of two rows of every array of ``Rows``: a move writes a copy in the other row, so that it is undone
by going back. Position 0 of a row is the start, 1..size are services, size + 1 is the end.

Labels (Vidal 2017, doi:10.1287/opre.2017.1595): ``ahead[i, d]`` is the least seconds from leaving the start to the end
of service i done in direction d, ``behind[i, d]`` those from its begin to the return, directions of all others chosen
best. Where hours or breaks matter, ``clock[i, 2 d + b]`` is the earliest end, waiting counted, with the break over
(b = 1) or not; ``ahead`` is then the least of both, a break that is still to come counted in.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Numbers = NDArray[np.int64]  # all of one type, and no literals: each function is compiled once
Floats = NDArray[np.float64]


#: Nothing is allocated in these functions, so no references are counted, which took most of their time.
compiled: Any = njit(cache=True, _nrt=False)  # type: ignore[call-overload]


#: What is known of a service: its hours, its load, whether it has hours.
FACTS = np.dtype([("opens", "f8"), ("closes", "f8"), ("load", "f8"), ("timed", "?")], align=True)
#: What is known of a crew: ``limit`` the most seconds on the way, ``rest_at`` the break's hour after the start,
#: ``uneven`` the weight of the square of its seconds, ``alike`` equal for crews that do not differ.
CREW = np.dtype(
    [
        *((name, "i8") for name in ("mode", "start", "end", "kind", "alike")),
        *((name, "f8") for name in ("from_s", "limit", "rest_at", "rest_s", "capacity", "uneven")),
    ],
    align=True,
)
#: What is known of a route: how many services, how many of them with hours, seconds, cost, seconds added to it, load,
#: whether the break is taken, and a number that changes with the route.
ROUTE = np.dtype(
    [
        ("version", "i8"), *((name, "f8") for name in ("took", "cost", "extra", "load")),
        ("size", "i8"), ("timed", "i8"), ("rested", "?"),
    ],
    align=True,
)  # fmt: skip


class Ground(NamedTuple):
    """n services at p places, by mode k.

    begins, ends : (n, 2) uint32. both : (k, n). service : (k, n) seconds. facts : (n,) ``FACTS``.
    out, into : (k, p, p) seconds from the first place to the second, and to the first from the second.
    """

    begins: NDArray[np.uint32]
    ends: NDArray[np.uint32]
    both: NDArray[np.bool_]
    service: Floats
    facts: NDArray[np.void]
    out: NDArray[np.float32]
    into: NDArray[np.float32]


class Duty(NamedTuple):
    """crew : (r,) ``CREW``. extra : (kinds, n) seconds added to the cost."""

    crew: NDArray[np.void]
    extra: Floats


class Rows(NamedTuple):
    """Routes of r crews in 2 r rows; ``row`` (r,) is where each lives.

    route : (2 r,) ``ROUTE``. task : (2 r, w). place : (2 r, w, 4) begins of both directions, then ends. ahead, behind :
    (2 r, w, 2). clock : (2 r, w, 4), or (1, 1, 4) where neither hours nor breaks matter. of, at : (n,) route and
    position of each service, route -1 for none.
    """

    row: Numbers
    route: NDArray[np.void]
    task: Numbers
    place: NDArray[np.uint32]
    ahead: Floats
    behind: Floats
    clock: Floats
    of: Numbers
    at: Numbers


@compiled
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


@compiled
def label_ahead(rows, ground, duty, row, r, first):  # type: ignore[no-untyped-def]
    """Set the labels ahead from position ``first`` to the end, and what the route takes and costs."""
    m, size = duty.crew[r].mode, rows.route[row].size
    place, ahead, out = rows.place, rows.ahead, ground.out
    if rows.clock.shape[0] > 1:
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
        rows.route[row].took = ahead[row, size + 1, 0]
    if size == 0:
        rows.route[row].took = 0.0
    rows.route[row].cost = price_of(rows.route[row].took, duty.crew[r].uneven) + rows.route[row].extra


@compiled
def price_of(took, uneven):  # type: ignore[no-untyped-def]
    """Return what a route of ``took`` seconds costs."""
    return took + uneven * took * took


@compiled
def _label_clock(rows, ground, duty, row, r, first):  # type: ignore[no-untyped-def]
    """Set the clock from position ``first`` on, the labels ahead that follow from it, and what the route takes."""
    m, size = duty.crew[r].mode, rows.route[row].size
    place, clock, out = rows.place, rows.clock, ground.out
    from_s, rest_at, rest_s = duty.crew[r].from_s, duty.crew[r].rest_at, duty.crew[r].rest_s
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
            ground.facts[t].opens - from_s, ground.facts[t].closes - from_s, rest_at, rest_s, ground.both[m, t],
        )  # fmt: skip
        clock[row, i, 0], clock[row, i, 1], clock[row, i, 2], clock[row, i, 3] = n0, n1, n2, n3
    home = place[row, size + 1, 0]
    e0, e1 = place[row, size, 2], place[row, size, 3]
    open_ = min(n0 + out[m, e0, home], n2 + out[m, e1, home])
    rested = min(n1 + out[m, e0, home], n3 + out[m, e1, home])
    was = rows.route[row].rested
    rows.route[row].rested = rested <= open_
    rows.route[row].took = min(open_, rested)
    to_come = duty.crew[r].rest_s if rows.route[row].rested else 0.0
    for i in range(0 if was != rows.route[row].rested else first, size + 1):
        rows.ahead[row, i, 0] = min(clock[row, i, 0] + to_come, clock[row, i, 1])
        rows.ahead[row, i, 1] = min(clock[row, i, 2] + to_come, clock[row, i, 3])


@compiled
def label_behind(rows, ground, duty, row, r, last):  # type: ignore[no-untyped-def]
    """Set the labels behind from position ``last`` back to the first service."""
    m = duty.crew[r].mode
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


@compiled
def clear(rows, ground, duty, row, r):  # type: ignore[no-untyped-def]
    """Make a row an empty route."""
    rows.route[row].size, rows.route[row].timed = 0, 0
    rows.route[row].took, rows.route[row].cost, rows.route[row].extra, rows.route[row].load = 0.0, 0.0, 0.0, 0.0
    rows.route[row].rested = duty.crew[r].rest_s <= 0.0
    rows.ahead[row, 0, 0], rows.ahead[row, 0, 1] = 0.0, np.inf
    if rows.clock.shape[0] > 1:
        for s in range(4):
            rows.clock[row, 0, s] = np.inf
        rows.clock[row, 0, 1 if duty.crew[r].rest_s <= 0.0 else 0] = 0.0
    for d in range(4):
        rows.place[row, 0, d] = duty.crew[r].start
    _set_end(rows, duty, row, r)


@compiled
def _set_end(rows, duty, row, r):  # type: ignore[no-untyped-def]
    last = rows.route[row].size + 1
    for d in range(4):
        rows.place[row, last, d] = duty.crew[r].end
    rows.behind[row, last, 0], rows.behind[row, last, 1] = 0.0, np.inf


@compiled
def copy_route(rows, ground, source, target):  # type: ignore[no-untyped-def]
    """Copy a route from one row to another."""
    size = rows.route[source].size
    rows.route[target].size, rows.route[target].timed, rows.route[target].took = (
        size,
        rows.route[source].timed,
        rows.route[source].took,
    )
    rows.route[target].cost, rows.route[target].extra, rows.route[target].load = (
        rows.route[source].cost,
        rows.route[source].extra,
        rows.route[source].load,
    )
    rows.route[target].rested, rows.route[target].version = rows.route[source].rested, rows.route[source].version
    for i in range(size + 2):
        rows.task[target, i] = rows.task[source, i]
        for d in range(4):
            rows.place[target, i, d] = rows.place[source, i, d]
        for d in range(2):
            rows.ahead[target, i, d] = rows.ahead[source, i, d]
            rows.behind[target, i, d] = rows.behind[source, i, d]
        if rows.clock.shape[0] > 1:
            for d in range(4):
                rows.clock[target, i, d] = rows.clock[source, i, d]


@compiled
def insert(rows, ground, duty, r, t, p, version):  # type: ignore[no-untyped-def]
    """Put service ``t`` at position ``p`` of the route of crew ``r``."""
    row = rows.row[r]
    for i in range(rows.route[row].size + 1, p - 1, -1):
        rows.task[row, i + 1] = rows.task[row, i]
        for d in range(4):
            rows.place[row, i + 1, d] = rows.place[row, i, d]
        for d in range(2):
            rows.behind[row, i + 1, d] = rows.behind[row, i, d]
    rows.route[row].size += 1
    rows.task[row, p] = t
    for d in range(2):
        rows.place[row, p, d] = ground.begins[t, d]
        rows.place[row, p, 2 + d] = ground.ends[t, d]
    rows.of[t] = r
    for i in range(p, rows.route[row].size + 1):
        rows.at[rows.task[row, i]] = i
    _count(rows, ground, duty, row, r, t, 1.0)
    rows.route[row].version = version
    label_ahead(rows, ground, duty, row, r, p)
    label_behind(rows, ground, duty, row, r, p)


@compiled
def _count(rows, ground, duty, row, r, t, sign):  # type: ignore[no-untyped-def]
    """Count a service's load, extra seconds and hours in or out of a row."""
    rows.route[row].load += sign * ground.facts[t].load
    rows.route[row].extra += sign * duty.extra[duty.crew[r].kind, t]
    rows.route[row].timed += int(sign) if ground.facts[t].timed else 0


@compiled
def remove(rows, ground, duty, r, first, last, keep_first, keep_last, version):  # type: ignore[no-untyped-def]
    """Take positions ``first`` to ``last`` out of the route of crew ``r``, but for ``keep_first`` to ``keep_last``."""
    row = rows.row[r]
    to = first
    end_of_change = first
    for i in range(first, rows.route[row].size + 2):
        if i <= last and not keep_first <= i <= keep_last:
            t = rows.task[row, i]
            rows.of[t] = -1
            _count(rows, ground, duty, row, r, t, -1.0)
            continue
        if i <= last:
            end_of_change = to + 1
        rows.task[row, to] = rows.task[row, i]
        for d in range(4):
            rows.place[row, to, d] = rows.place[row, i, d]
        for d in range(2):
            rows.behind[row, to, d] = rows.behind[row, i, d]
        if i <= rows.route[row].size:
            rows.at[rows.task[row, i]] = to
        to += 1
    rows.route[row].size = to - 2
    rows.route[row].version = version
    if rows.route[row].size == 0:
        clear(rows, ground, duty, row, r)
        return
    label_ahead(rows, ground, duty, row, r, first)
    label_behind(rows, ground, duty, row, r, end_of_change - 1)


@compiled
def best_place(rows, ground, duty, r, t, first, last, skip):  # type: ignore[no-untyped-def]
    """Return the least seconds the route takes with ``t`` at one of the positions, and that position.

    Positions ``first`` to ``last``, but for ``skip``; ``inf`` and -1 where it fits nowhere. Exact without hours and
    breaks; with them the labels give a bound, and what they do not rule out is walked through.
    """
    row, m = rows.row[r], duty.crew[r].mode
    service = ground.service[m, t]
    if not np.isfinite(service + duty.extra[duty.crew[r].kind, t]) or rows.route[row].size + 3 > rows.task.shape[1]:
        return np.inf, -1
    place, ahead, behind, out, into = rows.place, rows.ahead, rows.behind, ground.out, ground.into
    b0, b1, e0, e1 = ground.begins[t, 0], ground.begins[t, 1], ground.ends[t, 0], ground.ends[t, 1]
    both = ground.both[m, t]
    hours = rows.route[row].timed > 0 or ground.facts[t].timed
    may_rest = not rows.route[row].rested
    opens, closes = ground.facts[t].opens - duty.crew[r].from_s, ground.facts[t].closes - duty.crew[r].from_s
    least, at = duty.crew[r].limit, -1
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
        if hours or (may_rest and took >= duty.crew[r].rest_at):
            took = _walk(rows, ground, duty, row, r, t, p, opens, closes)
            if took >= least:
                continue
        least, at = took, p
    return (least, at) if at >= 0 else (np.inf, -1)


@compiled
def _walk(rows, ground, duty, row, r, t, p, opens, closes):  # type: ignore[no-untyped-def]
    """Return what the route takes with ``t`` at position ``p``, hour by hour; ``inf`` where hours are missed."""
    m, size, from_s = duty.crew[r].mode, rows.route[row].size, duty.crew[r].from_s
    place, clock, out = rows.place, rows.clock, ground.out
    rest_at, rest_s = duty.crew[r].rest_at, duty.crew[r].rest_s
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
            ground.facts[u].opens - from_s, ground.facts[u].closes - from_s, rest_at, rest_s, ground.both[m, u],
        )  # fmt: skip
        if n0 == np.inf and n1 == np.inf and n2 == np.inf and n3 == np.inf:
            return np.inf
        if n0 == clock[row, i, 0] and n1 == clock[row, i, 1] and n2 == clock[row, i, 2] and n3 == clock[row, i, 3]:
            return rows.route[row].took  # waiting has taken up all that was added
        f0, f1 = place[row, i, 2], place[row, i, 3]
    home = duty.crew[r].end
    return min(min(n0, n1) + out[m, f0, home], min(n2, n3) + out[m, f1, home])
