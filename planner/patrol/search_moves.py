"""Compiled moves of the search: strings of services are taken out of neighbouring routes and put back where best.

Slack induction by string removals with simulated annealing (Christiaens & Vanden Berghe 2020,
doi:10.1287/trsc.2019.0914). Services in no route are tried again near every ruin, and stay out where they cost more
than leaving them out does.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from planner.patrol.search_kernels import best_place, clear, copy_route, insert, price_of, remove

#: Services taken out in a move, about, and the longest string of them: as in the paper.
PULLED, LONGEST_STRING = 10.0, 10.0
#: Chance that a string skips services in its middle, that it skips one more, and that a place is not looked at.
SPLIT, SPLIT_MORE, BLINK = 0.5, 0.5, 0.01
#: In routes longer than this only the places beside near services are tried.
SHORT = 40
#: Services in no route tried in a move, at most; draws to find a seed that is in one.
ABSENT, SEED_DRAWS = 10, 5

#: A plan is better only by more seconds than this, above the rounding of sums.
GAIN = 1e-6
#: Where ``Work.count`` keeps what.
VERSION, PASS, MOVE, ROUTED, USED = 0, 1, 2, 3, 4


class Work(NamedTuple):
    """What the moves remember, for n services and r crews.

    random : (1,) state of the generator. count : (5,) as named above; ROUTED services in USED routes. seen : (n, r)
    the version of a route for which took and spot hold the best place of a service in it. fresh, touched_in, class_in :
    (r,) the pass or move in which a route was last met; left_in : (n,) the move in which a service last left one.
    pulled, key : (n,). touched : (r,).
    """

    random: NDArray[np.uint64]
    count: NDArray[np.int64]
    seen: NDArray[np.int64]
    took: NDArray[np.float64]
    spot: NDArray[np.int32]
    fresh: NDArray[np.int64]
    touched_in: NDArray[np.int64]
    class_in: NDArray[np.int64]
    left_in: NDArray[np.int64]
    pulled: NDArray[np.int32]
    key: NDArray[np.float64]
    touched: NDArray[np.int32]


@njit(cache=True)
def uniform(random):  # type: ignore[no-untyped-def]
    """Return the next number of [0, 1): xorshift64* (Vigna 2016, doi:10.1145/2845077)."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    return ((x * np.uint64(2685821657736338717)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def _version(work):  # type: ignore[no-untyped-def]
    work.count[VERSION] += 1
    return work.count[VERSION]


@njit(cache=True)
def cheapest(rows, ground, duty, work, near, t, blink, whole):  # type: ignore[no-untyped-def]
    """Return what service ``t`` adds to the cost at its cheapest place, the crew and the position; -1 for none.

    Of empty routes one of each kind of crew is tried. whole : try all places, in long routes too.
    """
    work.count[PASS] += 1
    now = work.count[PASS]
    crews = rows.row.size
    long_ = False
    for r in range(crews):
        row = rows.row[r]
        if rows.load[row] + ground.load[t] > duty.capacity[r] or (not whole and work.seen[t, r] == rows.version[row]):
            continue
        if whole or rows.size[row] <= SHORT:
            work.took[t, r], work.spot[t, r] = best_place(rows, ground, duty, r, t, 1, rows.size[row] + 1, -1)
        else:
            work.took[t, r], work.spot[t, r] = best_place(rows, ground, duty, r, t, 1, 1, -1)
            work.fresh[r] = now
            long_ = True
            _better(rows, ground, duty, work, r, t, rows.size[row] + 1, rows.size[row] + 1)
        work.seen[t, r] = rows.version[row]
    if long_:
        for q in range(near.shape[1]):
            r = rows.of[near[t, q]]
            if r >= 0 and work.fresh[r] == now:
                p = rows.at[near[t, q]]
                _better(rows, ground, duty, work, r, t, p, p + 1)
    least, crew, position = np.inf, -1, -1
    for r in range(crews):
        row = rows.row[r]
        if rows.load[row] + ground.load[t] > duty.capacity[r]:
            continue
        if rows.size[row] == 0:
            if work.class_in[duty.alike[r]] == now:
                continue
            work.class_in[duty.alike[r]] = now
        took, p = work.took[t, r], work.spot[t, r]
        if p < 0:
            continue
        if blink and uniform(work.random) < BLINK:
            if rows.size[row] > SHORT:
                continue
            took, p = best_place(rows, ground, duty, r, t, 1, rows.size[row] + 1, p)
            if p < 0:
                continue
        u = duty.uneven[r]
        added = price_of(took, u) - price_of(rows.took[row], u) + duty.extra[duty.kind[r], t]
        if added < least:
            least, crew, position = added, r, p
    return least, crew, position


@njit(cache=True)
def _better(rows, ground, duty, work, r, t, first, last):  # type: ignore[no-untyped-def]
    took, p = best_place(rows, ground, duty, r, t, first, last, -1)
    if p >= 0 and (work.spot[t, r] < 0 or took < work.took[t, r]):
        work.took[t, r], work.spot[t, r] = took, p


@njit(cache=True)
def _put(rows, ground, duty, work, t, r, p):  # type: ignore[no-untyped-def]
    if rows.size[rows.row[r]] == 0:
        work.count[USED] += 1
    work.count[ROUTED] += 1
    insert(rows, ground, duty, r, t, p, _version(work))


@njit(cache=True)
def _touch(rows, ground, work, r, touched):  # type: ignore[no-untyped-def]
    """Let changes to a route go to its other row; return how many routes the move has touched."""
    if work.touched_in[r] == work.count[MOVE]:
        return touched
    work.touched_in[r] = work.count[MOVE]
    row, crews = rows.row[r], rows.row.size
    rows.row[r] = row + crews if row < crews else row - crews
    copy_route(rows, ground, row, rows.row[r])
    work.touched[touched] = r
    return touched + 1


@njit(cache=True)
def _string(rows, ground, duty, work, c, most, pulled):  # type: ignore[no-untyped-def]
    """Take a string of services around service ``c`` out of its route; return how many are pulled by now."""
    r = rows.of[c]
    size = rows.size[rows.row[r]]
    length = min(int(uniform(work.random) * min(float(size), most) + 1.0), size)
    kept = 0
    if 1 < length < size and uniform(work.random) < SPLIT:
        kept = 1
        while length + kept < size and uniform(work.random) > SPLIT_MORE:
            kept += 1
    at, span = rows.at[c], length + kept
    low, high = max(1, at - span + 1), min(at, size - span + 1)
    first = low + int(uniform(work.random) * (high - low + 1))
    keep = first + 1 + int(uniform(work.random) * (length - 1)) if kept else first + span
    for i in range(first, first + span):
        if not (kept and keep <= i < keep + kept):
            work.pulled[pulled] = rows.task[rows.row[r], i]
            work.left_in[work.pulled[pulled]] = work.count[MOVE]
            pulled += 1
    remove(rows, ground, duty, r, first, first + span - 1, keep, keep + kept - 1, _version(work))
    work.count[ROUTED] -= length
    if length == size:
        work.count[USED] -= 1
    return pulled


@njit(cache=True)
def _ruin(rows, ground, duty, work, near):  # type: ignore[no-untyped-def]
    """Take services out around a seed; return how many, with absent ones near it how many, and the routes touched."""
    n = ground.load.size
    routed, used = work.count[ROUTED], work.count[USED]
    seed = int(uniform(work.random) * n)
    if routed < n:
        for _ in range(SEED_DRAWS):
            if rows.of[seed] >= 0:
                break
            seed = int(uniform(work.random) * n)
    most = min(LONGEST_STRING, routed / max(1, used))
    strings = int(uniform(work.random) * (4.0 * PULLED / (1.0 + most) - 1.0) + 1.0)
    removed, touched = 0, 0
    for q in range(-1, near.shape[1]):
        if touched >= strings:
            break
        c = seed if q < 0 else near[seed, q]
        r = rows.of[c]
        if r >= 0 and work.touched_in[r] != work.count[MOVE]:
            touched = _touch(rows, ground, work, r, touched)
            removed = _string(rows, ground, duty, work, c, most, removed)
    pulled = removed
    if routed < n:
        wanted = removed + 1 + int(uniform(work.random) * ABSENT)
        for q in range(-1, near.shape[1]):
            c = seed if q < 0 else near[seed, q]
            if pulled >= wanted:
                break
            if rows.of[c] < 0 and uniform(work.random) < 0.5 and work.left_in[c] != work.count[MOVE]:
                work.pulled[pulled] = c
                pulled += 1
    return removed, pulled, touched


@njit(cache=True)
def _arrange(work, ruined, order, chance):  # type: ignore[no-untyped-def]
    """Sort what was pulled, first to be put back first: at random or by one of the orders.

    ruined : (n,) the pulled services are copied here in the new order. order : (k, n) keys. chance : (k + 1,) summed
    up, the first for a random order.
    """
    u = uniform(work.random) * chance[-1]
    which = 0
    while u >= chance[which] and which < chance.size - 1:
        which += 1
    for i in range(ruined.size):
        t = work.pulled[i]
        key = uniform(work.random) if which == 0 else order[which - 1, t]
        j = i
        while j > 0 and work.key[j - 1] > key:
            work.key[j], ruined[j] = work.key[j - 1], ruined[j - 1]
            j -= 1
        work.key[j], ruined[j] = key, t


@njit(cache=True)
def _undo(rows, work, touched):  # type: ignore[no-untyped-def]
    crews = rows.row.size
    for k in range(touched):
        row = rows.row[work.touched[k]]
        for i in range(1, rows.size[row] + 1):
            rows.of[rows.task[row, i]] = -1
        work.count[ROUTED] -= rows.size[row]
        work.count[USED] -= 1 if rows.size[row] else 0
    for k in range(touched):
        r = work.touched[k]
        rows.row[r] += crews if rows.row[r] < crews else -crews
        row = rows.row[r]
        for i in range(1, rows.size[row] + 1):
            rows.of[rows.task[row, i]], rows.at[rows.task[row, i]] = r, i
        work.count[ROUTED] += rows.size[row]
        work.count[USED] += 1 if rows.size[row] else 0


@njit(cache=True)
def total_cost(rows, worth):  # type: ignore[no-untyped-def]
    """Return the cost of the plan as it stands."""
    cost = 0.0
    for r in range(rows.row.size):
        cost += rows.cost[rows.row[r]]
    for t in range(worth.size):
        if rows.of[t] < 0:
            cost += worth[t]
    return cost


@njit(cache=True)
def anneal(rows, ground, duty, work, near, worth, order, chance, best_of, best_at, cost, best, moves, heats, ceiling):  # type: ignore[no-untyped-def]
    """Make moves ``moves[0]`` to ``moves[1]`` of ``moves[2]``, accepted at a temperature that falls with their number.

    worth : (n,) what leaving a service out costs. heats : first and last temperature, and the least part of the way
    between them that is gone by now. No plan above ``ceiling`` is accepted, unless it is better than the one before.
    best_of, best_at : (n,) the best plan so far, of cost ``best``; ``cost`` is that of the plan as it stands. Returns
    both costs at the end.
    """
    crews = rows.row.size
    arranged = np.empty(work.pulled.size, np.int32)
    falls = np.log(heats[1] / heats[0]) if heats[0] < np.inf else 0.0
    for move in range(int(moves[0]), int(moves[1])):
        work.count[MOVE] += 1
        removed, pulled, touched = _ruin(rows, ground, duty, work, near)
        feasible = True
        for k in range(touched):
            if rows.took[rows.row[work.touched[k]]] > duty.limit[work.touched[k]]:
                feasible = False  # where ways are no shortest ones, a route can grow by losing a service
        if feasible:
            _arrange(work, arranged[:pulled], order, chance)
            for i in range(pulled):
                added, r, p = cheapest(rows, ground, duty, work, near, arranged[i], True, False)
                if r >= 0 and added < worth[arranged[i]]:
                    touched = _touch(rows, ground, work, r, touched)
                    _put(rows, ground, duty, work, arranged[i], r, p)
        change = 0.0
        for k in range(touched):
            row = rows.row[work.touched[k]]
            change += rows.cost[row] - rows.cost[row + crews if row < crews else row - crews]
        for i in range(pulled):
            t = work.pulled[i]
            if i < removed and rows.of[t] < 0:
                change += worth[t]
            elif i >= removed and rows.of[t] >= 0:
                change -= worth[t]
        heat = heats[0] * np.exp(falls * max(move / moves[2], heats[2]))
        bar = -heat * np.log(1.0 - uniform(work.random))
        if feasible and change < bar and (cost + change <= ceiling or change <= 0.0):
            cost += change
            if cost < best - GAIN:
                best = cost
                for t in range(worth.size):
                    best_of[t], best_at[t] = rows.of[t], rows.at[t]
        else:
            _undo(rows, work, touched)
    return cost, best


@njit(cache=True)
def lay(rows, ground, duty, work, near, start, first):  # type: ignore[no-untyped-def]
    """Set the routes to ``start``, services of crew r at ``first[r]`` to ``first[r + 1]``; leave out what does not fit.

    A route that keeps its limits is taken as it is; of others each service that fits behind those before.
    """
    crews = rows.row.size
    for t in range(rows.of.size):
        rows.of[t] = -1
    work.count[ROUTED], work.count[USED] = 0, 0
    for r in range(crews):
        row = rows.row[r]
        clear(rows, ground, duty, row, r)
        rows.version[row] = _version(work)
        fits = first[r + 1] - first[r] + 3 <= rows.task.shape[1]
        for i in range(first[r], first[r + 1]):
            t = start[i]
            if fits and np.isfinite(ground.service[duty.mode[r], t] + duty.extra[duty.kind[r], t]):
                _put(rows, ground, duty, work, t, r, i - first[r] + 1)
            else:
                fits = False
        if fits and rows.took[row] <= duty.limit[r] and rows.load[row] <= duty.capacity[r]:
            continue
        for i in range(1, rows.size[row] + 1):
            rows.of[rows.task[row, i]] = -1
        work.count[ROUTED] -= rows.size[row]
        work.count[USED] -= 1 if rows.size[row] else 0
        clear(rows, ground, duty, row, r)
        for i in range(first[r], first[r + 1]):
            t = start[i]
            if rows.load[row] + ground.load[t] <= duty.capacity[r]:
                p = rows.size[row] + 1
                if best_place(rows, ground, duty, r, t, p, p, -1)[1] >= 0:
                    _put(rows, ground, duty, work, t, r, p)


@njit(cache=True)
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
            added, r, p = cheapest(rows, ground, duty, work, near, t, False, True)
            if r >= 0 and added < worth[t]:
                _put(rows, ground, duty, work, t, r, p)
                again = True
