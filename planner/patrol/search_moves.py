"""Compiled moves of the search: strings of services are taken out of neighbouring routes and put back where best.

Slack induction by string removals with simulated annealing (Christiaens & Vanden Berghe 2020,
doi:10.1287/trsc.2019.0914). Services in no route are tried again near every ruin, and stay out where they cost more
than leaving them out does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.patrol.search_kernels import compiled, copy_route, remove
from planner.patrol.search_places import (
    BROKEN,
    MOVE,
    OVER,
    PRICE,
    ROUTED,
    SHORT,
    USED,
    cheapest,
    new_version,
    put,
    uniform,
)

#: Moves after which the price of a unit of load too much is set anew, by which factor, and the share of plans that keep
#: all capacities aimed at.
PRICE_MOVES, PRICE_STEP, KEEPING = 200, 1.1, 0.5
#: Services taken out in a move, about, and the longest string of them: as in the paper.
PULLED, LONGEST_STRING = 10.0, 10.0
#: Chance that a string skips services in its middle, that it skips one more, and that the best place in a route is
#: not looked at, more often where the search only walks at random.
SPLIT, SPLIT_MORE, BLINK, WALK_BLINK = 0.5, 0.5, 0.01, 0.2
#: Chance that a move takes out single services scattered around its seed, and that one near it is taken.
SCATTERED, SCATTER = 0.25, 0.3
#: Services in no route tried in a move, at most; draws to find a seed that is in one; chance that all that fits is put
#: in whatever it costs: several services may pay for a way that none of them would pay for alone.
ABSENT, SEED_DRAWS, LENIENT = 10, 5, 0.2
#: Routes are held of plans that cost at most this many times the best.
HELD_NEAR = 1.03
#: A plan is better only by more seconds than this, above the rounding of sums.
GAIN = 1e-6
#: A route met: its services, as a code that is hardly that of any others, what it costs, how many, whom it suits.
SLOT = np.dtype([("held", "u8"), ("cost", "f8"), ("size", "i8"), ("alike", "i8")], align=True)


class Pool(NamedTuple):
    """Routes met, each in the slot its services point to: the latest, or the cheapest of the same services.

    code : (n,) random, a set's being the exclusive or of its services'. slot : (s,) ``SLOT``, s a power of two.
    task : (s, w).
    """

    code: NDArray[np.uint64]
    slot: NDArray[np.void]
    task: NDArray[np.int32]


@compiled
def _hold(rows, duty, pool, r):  # type: ignore[no-untyped-def]
    """Keep the route of crew ``r`` in the pool if it may be walked."""
    row = rows.row[r]
    size = rows.route[row].size
    if size == 0 or rows.route[row].load > duty.crew[r].capacity:
        return
    code = np.uint64(duty.crew[r].alike + 1)
    for i in range(1, size + 1):
        code ^= pool.code[rows.task[row, i]]
    slot = np.int64((code >> np.uint64(20)) & np.uint64(pool.slot.size - 1))
    if pool.slot[slot].held == code and pool.slot[slot].cost <= rows.route[row].cost:
        return
    pool.slot[slot].held, pool.slot[slot].cost, pool.slot[slot].size, pool.slot[slot].alike = (
        code,
        rows.route[row].cost,
        size,
        duty.crew[r].alike,
    )
    for i in range(size):
        pool.task[slot, i] = rows.task[row, i + 1]


@compiled
def _touch(rows, ground, work, r, touched):  # type: ignore[no-untyped-def]
    """Let changes to a route go to its other row; return how many routes the move has touched."""
    if work.crew[r].touched_in == work.tally[MOVE]:
        return touched
    work.crew[r].touched_in = work.tally[MOVE]
    row, crews = rows.row[r], rows.row.size
    rows.row[r] = row + crews if row < crews else row - crews
    copy_route(rows, ground, row, rows.row[r])
    work.crew[touched].touched = r
    return touched + 1


@compiled
def _string(rows, ground, duty, work, c, most, pulled):  # type: ignore[no-untyped-def]
    """Take a string of services around service ``c`` out of its route; return how many are pulled by now."""
    r = rows.of[c]
    size = rows.route[rows.row[r]].size
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
            work.list[pulled].pulled = rows.task[rows.row[r], i]
            work.list[work.list[pulled].pulled].left_in = work.tally[MOVE]
            pulled += 1
    remove(rows, ground, duty, r, first, first + span - 1, keep, keep + kept - 1, new_version(work))
    work.tally[ROUTED] -= length
    if length == size:
        work.tally[USED] -= 1
    return pulled


@compiled
def _ruin(rows, ground, duty, work, near, anywhere):  # type: ignore[no-untyped-def]
    """Take services out around a seed; return how many, with absent ones near it how many, and the routes touched.

    anywhere : the seed may well be in no route.
    """
    n = ground.facts.size
    routed, used = work.tally[ROUTED], work.tally[USED]
    seed = int(uniform(work.random) * n)
    if routed < n and not anywhere:
        for _ in range(SEED_DRAWS):
            if rows.of[seed] >= 0:
                break
            seed = int(uniform(work.random) * n)
    most = min(LONGEST_STRING, routed / max(1, used))
    strings = int(uniform(work.random) * (4.0 * PULLED / (1.0 + most) - 1.0) + 1.0)
    removed, touched = np.int64(0), np.int64(0)
    scattered = uniform(work.random) < SCATTERED
    if scattered:
        strings = 1 + int(uniform(work.random) * PULLED)
    for q in range(-1, near.shape[1]):
        if removed >= strings if scattered else touched >= strings:
            break
        c = seed if q < 0 else near[seed, q]
        r = rows.of[c]
        if r < 0:
            continue
        if scattered:
            if q < 0 or uniform(work.random) < SCATTER:
                touched = _touch(rows, ground, work, r, touched)
                removed = _string(rows, ground, duty, work, c, 0.0, removed)
        elif work.crew[r].touched_in != work.tally[MOVE]:
            touched = _touch(rows, ground, work, r, touched)
            removed = _string(rows, ground, duty, work, c, most, removed)
    pulled = removed
    if routed < n:
        wanted = removed + 1 + int(uniform(work.random) * ABSENT)
        for q in range(-1, near.shape[1]):
            c = seed if q < 0 else near[seed, q]
            if pulled >= wanted:
                break
            if rows.of[c] < 0 and uniform(work.random) < 0.5 and work.list[c].left_in != work.tally[MOVE]:
                work.list[pulled].pulled = c
                pulled += 1
    return removed, pulled, touched


@compiled
def _arrange(work, pulled, order, chance):  # type: ignore[no-untyped-def]
    """Sort what was pulled, first to be put back first: at random or by one of the orders.

    order : (k, n) keys. chance : (k + 1,) summed up, the first for a random order.
    """
    u = uniform(work.random) * chance[-1]
    which = 0
    while u >= chance[which] and which < chance.size - 1:
        which += 1
    for i in range(pulled):
        t = work.list[i].pulled
        key = uniform(work.random) if which == 0 else order[which - 1, t]
        j = i
        while j > 0 and work.list[j - 1].key > key:
            work.list[j].key, work.list[j].arranged = work.list[j - 1].key, work.list[j - 1].arranged
            j -= 1
        work.list[j].key, work.list[j].arranged = key, t


@compiled
def _undo(rows, work, touched):  # type: ignore[no-untyped-def]
    crews = rows.row.size
    for k in range(touched):
        row = rows.row[work.crew[k].touched]
        for i in range(1, rows.route[row].size + 1):
            rows.of[rows.task[row, i]] = -1
        work.tally[ROUTED] -= rows.route[row].size
        work.tally[USED] -= 1 if rows.route[row].size else 0
    for k in range(touched):
        r = work.crew[k].touched
        rows.row[r] += crews if rows.row[r] < crews else -crews
        row = rows.row[r]
        for i in range(1, rows.route[row].size + 1):
            rows.of[rows.task[row, i]], rows.at[rows.task[row, i]] = r, i
        work.tally[ROUTED] += rows.route[row].size
        work.tally[USED] += 1 if rows.route[row].size else 0


@compiled
def anneal(  # type: ignore[no-untyped-def]
    rows, ground, duty, work, pool, near, worth, order, chance, best_of, best_at, cost, best, moves, heats, ceiling
):
    """Make moves ``moves[0]`` to ``moves[1]`` of ``moves[2]``, accepted at a temperature that falls with their number.

    worth : (n,) what leaving a service out costs. heats : first and last temperature, and the least part of the way
    between them that is gone by now. No plan above ``ceiling`` is accepted, unless it is better than the one before.
    best_of, best_at : (n,) the best plan so far, of cost ``best``; ``cost`` is that of the plan as it stands. Returns
    both costs at the end.
    """
    crews = rows.row.size
    falls = np.log(heats[1] / heats[0]) if heats[0] < np.inf else 0.0
    blink = BLINK if heats[0] < np.inf else WALK_BLINK
    for move in range(int(moves[0]), int(moves[1])):
        work.tally[MOVE] += 1
        lenient = work.tally[ROUTED] < worth.size and uniform(work.random) < LENIENT
        removed, pulled, touched = _ruin(rows, ground, duty, work, near, lenient)
        feasible = True
        for k in range(touched):
            if rows.route[rows.row[work.crew[k].touched]].took > duty.crew[work.crew[k].touched].limit:
                feasible = False  # where ways are no shortest ones, a route can grow by losing a service
        if feasible:
            _arrange(work, pulled, order, chance)
            for i in range(pulled):
                added, r, p = cheapest(rows, ground, duty, work, near, work.list[i].arranged, blink, SHORT)
                if r >= 0 and (lenient or added < worth[work.list[i].arranged]):
                    touched = _touch(rows, ground, work, r, touched)
                    put(rows, ground, duty, work, work.list[i].arranged, r, p)
        change, over = 0.0, 0.0
        for k in range(touched):
            r = work.crew[k].touched
            row = rows.row[r]
            old = row + crews if row < crews else row - crews
            change += rows.route[row].cost - rows.route[old].cost
            over += max(rows.route[row].load - duty.crew[r].capacity, 0.0) - max(
                rows.route[old].load - duty.crew[r].capacity, 0.0
            )
        for i in range(pulled):
            t = work.list[i].pulled
            if i < removed and rows.of[t] < 0:
                change += worth[t]
            elif i >= removed and rows.of[t] >= 0:
                change -= worth[t]
        heat = heats[0] * np.exp(falls * max(move / moves[2], heats[2]))
        bar = -heat * np.log(1.0 - uniform(work.random))
        fined = change + (work.fine[PRICE] * over if over != 0.0 else 0.0)
        if feasible and fined < bar and (cost + change <= ceiling or change <= 0.0):
            cost += change
            work.fine[OVER] = max(work.fine[OVER] + over, 0.0)
            for k in range(touched if cost <= HELD_NEAR * best else 0):
                _hold(rows, duty, pool, work.crew[k].touched)
            if cost < best - GAIN and work.fine[OVER] <= 1e-9:
                best = cost
                for t in range(worth.size):
                    best_of[t], best_at[t] = rows.of[t], rows.at[t]
        else:
            _undo(rows, work, touched)
        if work.fine[OVER] > 1e-9:
            work.fine[BROKEN] += 1.0
        if (move + 1) % PRICE_MOVES == 0:
            rarely = work.fine[BROKEN] < (1.0 - KEEPING) * PRICE_MOVES
            work.fine[PRICE] *= 1.0 / PRICE_STEP if rarely else PRICE_STEP
            work.fine[BROKEN] = 0.0
    return cost, best
