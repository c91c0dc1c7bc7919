"""Compiled parts of the search: where a service is cheapest over all routes, and plans laid out and filled up."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.patrol.search_kernels import best_place, clear, compiled, insert, price_of

#: In routes longer than this only the places beside near services are tried.
SHORT = 40.0
#: The first position of a route, and no position; typed, as literals would have functions compiled again.
FIRST, NONE = np.int64(1), np.int64(-1)
#: Where ``Work.tally`` keeps what.
VERSION, PASS, MOVE, ROUTED, USED = 0, 1, 2, 3, 4
#: Where ``Work.fine`` keeps what.
PRICE, OVER, BROKEN = 0, 1, 2
#: Most load of a route while the search goes on, as a multiple of its capacity.
OVERLOAD = 1.25
#: The best place of a service in a route, of that ``version``.
MEMO = np.dtype([("seen", "i8"), ("took", "f8"), ("spot", "i8")], align=True)
#: For each crew the pass or move in which its route was last met; apart from that, a list of routes touched.
MET = np.dtype([("fresh", "i8"), ("touched_in", "i8"), ("class_in", "i8"), ("touched", "i8")], align=True)
#: For each service the move in which it last left a route; apart from that, lists of services pulled.
LISTED = np.dtype([("left_in", "i8"), ("key", "f8"), ("pulled", "i8"), ("arranged", "i8")], align=True)


class Work(NamedTuple):
    """What the moves remember, for n services and r crews.

    random : (1,) state of the generator. tally : (5,) as named above; ROUTED services in USED routes. fine : (3,) the
    PRICE of a unit of load above a crew's capacity, the units OVER now, and BROKEN moves since the price was set that
    left any. memo : (n, r) ``MEMO``. crew : (r,) ``MET``. list : (n,) ``LISTED``.
    """

    random: NDArray[np.uint64]
    tally: NDArray[np.int64]
    fine: NDArray[np.float64]
    memo: NDArray[np.void]
    crew: NDArray[np.void]
    list: NDArray[np.void]


@compiled
def uniform(random):  # type: ignore[no-untyped-def]
    """Return the next number of [0, 1): xorshift64* (Vigna 2016, doi:10.1145/2845077)."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    return ((x * np.uint64(2685821657736338717)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def new_version(work):  # type: ignore[no-untyped-def]
    """Return a number for a route that has changed."""
    work.tally[VERSION] += 1
    return work.tally[VERSION]


@compiled
def cheapest(rows, ground, duty, work, near, t, blink, short):  # type: ignore[no-untyped-def]
    """Return what service ``t`` adds to the cost at its cheapest place, the crew and the position; -1 for none.

    Of empty routes one of each kind of crew is tried. blink : chance that a route's best place is not looked at.
    short : in longer routes only places beside near services are tried; if ``inf``, no route may carry too much.
    """
    work.tally[PASS] += 1
    now = work.tally[PASS]
    crews = rows.row.size
    whole = short == np.inf
    most = 1.0 if whole or work.fine[PRICE] == np.inf else OVERLOAD
    long_ = False
    for r in range(crews):
        row = rows.row[r]
        if rows.route[row].load + ground.facts[t].load > most * duty.crew[r].capacity:
            continue
        if not whole and work.memo[t, r].seen == rows.route[row].version:
            continue
        if whole or rows.route[row].size <= short:
            work.memo[t, r].took, work.memo[t, r].spot = best_place(
                rows, ground, duty, r, t, FIRST, rows.route[row].size + 1, NONE
            )
        else:
            work.memo[t, r].took, work.memo[t, r].spot = best_place(rows, ground, duty, r, t, FIRST, FIRST, NONE)
            work.crew[r].fresh = now
            long_ = True
            _better(rows, ground, duty, work, r, t, rows.route[row].size + 1, rows.route[row].size + 1)
        work.memo[t, r].seen = rows.route[row].version
    if long_:
        for q in range(near.shape[1]):
            r = rows.of[near[t, q]]
            if r >= 0 and work.crew[r].fresh == now:
                p = rows.at[near[t, q]]
                _better(rows, ground, duty, work, r, t, p, p + 1)
    least, crew, position = np.inf, -1, -1
    for r in range(crews):
        row = rows.row[r]
        if rows.route[row].load + ground.facts[t].load > most * duty.crew[r].capacity:
            continue
        if rows.route[row].size == 0:
            if work.crew[duty.crew[r].alike].class_in == now:
                continue
            work.crew[duty.crew[r].alike].class_in = now
        took, p = work.memo[t, r].took, work.memo[t, r].spot
        if p < 0:
            continue
        if blink > 0.0 and uniform(work.random) < blink:
            if rows.route[row].size > short:
                continue
            took, p = best_place(rows, ground, duty, r, t, FIRST, rows.route[row].size + 1, p)
            if p < 0:
                continue
        u = duty.crew[r].uneven
        added = price_of(took, u) - price_of(rows.route[row].took, u) + duty.extra[duty.crew[r].kind, t]
        over = max(rows.route[row].load + ground.facts[t].load - duty.crew[r].capacity, 0.0) - max(
            rows.route[row].load - duty.crew[r].capacity, 0.0
        )
        if over > 0.0:
            added += work.fine[PRICE] * over
        if added < least:
            least, crew, position = added, r, p
    return least, crew, position


@compiled
def _better(rows, ground, duty, work, r, t, first, last):  # type: ignore[no-untyped-def]
    took, p = best_place(rows, ground, duty, r, t, first, last, NONE)
    if p >= 0 and (work.memo[t, r].spot < 0 or took < work.memo[t, r].took):
        work.memo[t, r].took, work.memo[t, r].spot = took, p


@compiled
def put(rows, ground, duty, work, t, r, p):  # type: ignore[no-untyped-def]
    """Put service ``t`` at position ``p`` of the route of crew ``r``, and count it."""
    if rows.route[rows.row[r]].size == 0:
        work.tally[USED] += 1
    work.tally[ROUTED] += 1
    insert(rows, ground, duty, r, t, p, new_version(work))


@compiled
def total_cost(rows, worth):  # type: ignore[no-untyped-def]
    """Return the cost of the plan as it stands."""
    cost = 0.0
    for r in range(rows.row.size):
        cost += rows.route[rows.row[r]].cost
    for t in range(worth.size):
        if rows.of[t] < 0:
            cost += worth[t]
    return cost


@compiled
def lay(rows, ground, duty, work, near, start, first):  # type: ignore[no-untyped-def]
    """Set the routes to ``start``, services of crew r at ``first[r]`` to ``first[r + 1]``; leave out what does not fit.

    A route that keeps its limits is taken as it is; of others each service that fits behind those before.
    """
    crews = rows.row.size
    for t in range(rows.of.size):
        rows.of[t] = -1
    work.tally[ROUTED], work.tally[USED], work.fine[OVER] = 0, 0, 0.0
    for r in range(crews):
        row = rows.row[r]
        clear(rows, ground, duty, row, r)
        rows.route[row].version = new_version(work)
        fits = first[r + 1] - first[r] + 3 <= rows.task.shape[1]
        for i in range(first[r], first[r + 1]):
            t = start[i]
            if fits and np.isfinite(ground.service[duty.crew[r].mode, t] + duty.extra[duty.crew[r].kind, t]):
                put(rows, ground, duty, work, t, r, i - first[r] + 1)
            else:
                fits = False
        if fits and rows.route[row].took <= duty.crew[r].limit and rows.route[row].load <= duty.crew[r].capacity:
            continue
        for i in range(1, rows.route[row].size + 1):
            rows.of[rows.task[row, i]] = -1
        work.tally[ROUTED] -= rows.route[row].size
        work.tally[USED] -= 1 if rows.route[row].size else 0
        clear(rows, ground, duty, row, r)
        for i in range(first[r], first[r + 1]):
            t = start[i]
            if rows.route[row].load + ground.facts[t].load <= duty.crew[r].capacity:
                p = rows.route[row].size + 1
                if best_place(rows, ground, duty, r, t, p, p, NONE)[1] >= 0:
                    put(rows, ground, duty, work, t, r, p)


@compiled
def fill(rows, ground, duty, work, near, worth, ranked):  # type: ignore[no-untyped-def]
    """Put every service that costs less in a route than out of it into the cheapest place, in the order ``ranked``.

    Goes on until nothing more fits at a gain.
    """
    again = True
    while again:
        again = False
        for i in range(ranked.size):
            t = ranked[i]
            if rows.of[t] >= 0:
                continue
            added, r, p = cheapest(rows, ground, duty, work, near, t, 0.0, np.inf)
            if r >= 0 and added < worth[t]:
                put(rows, ground, duty, work, t, r, p)
                again = True
