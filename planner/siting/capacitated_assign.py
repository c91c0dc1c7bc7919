"""Compiled assignment of demand to given sites within their room: whole demands by local search, split ones exactly.

Costs at k given sites are a dense (d, k + 1) table, infinite where a site may not serve; the last column, with room
without end, is being left out.
"""

import numpy as np
from numba import njit

#: Passes of the local search; each ends where nothing is better, so that the number hardly matters.
MOST_PASSES = 50


@njit(cache=True)
def table_at(ptr, demand, cost, without, sites):  # type: ignore[no-untyped-def]
    """Return the costs at ``sites`` as a dense table."""
    table = np.full((without.size, sites.size + 1), np.inf)
    for k in range(sites.size):
        for e in range(ptr[sites[k]], ptr[sites[k] + 1]):
            table[demand[e], k] = cost[e]
    for i in range(without.size):
        table[i, sites.size] = without[i]
    return table


@njit(cache=True)
def place_whole(table, need, room, order, where):  # type: ignore[no-untyped-def]
    """Assign each demand in turn to the cheapest site with room left."""
    for at in range(order.size):
        i = order[at]
        best = table.shape[1] - 1
        for k in range(table.shape[1] - 1):
            if need[i] <= room[k] and table[i, k] < table[i, best]:
                best = k
        where[i] = best
        room[best] -= need[i]


@njit(cache=True)
def regrets(table):  # type: ignore[no-untyped-def]
    """Return (d,) what each demand loses at its second site compared with its first."""
    out = np.empty(table.shape[0])
    for i in range(table.shape[0]):
        first, second = np.inf, np.inf
        for k in range(table.shape[1]):
            if table[i, k] < first:
                first, second = table[i, k], first
            elif table[i, k] < second:
                second = table[i, k]
        out[i] = second - first
    return out


@njit(cache=True)
def improve_whole(table, need, room, where):  # type: ignore[no-untyped-def]
    """Move demands to cheaper sites, each by itself or by pushing one other demand on to a third site."""
    k_all = table.shape[1]
    for _ in range(MOST_PASSES):
        better = False
        for i in range(need.size):
            a = where[i]
            most, to, pushed, pushed_to = 1e-9, -1, -1, -1
            for b in range(k_all):
                gain = table[i, a] - table[i, b]
                if b == a or gain <= 1e-9:
                    continue
                if need[i] <= room[b]:
                    if gain > most:
                        most, to, pushed = gain, b, -1
                    continue
                for other in range(need.size):
                    if where[other] != b or room[b] + need[other] < need[i]:
                        continue
                    for c in range(k_all):
                        left = room[c] + (need[i] if c == a else 0.0)
                        if c == b or need[other] > left:
                            continue
                        change = gain + table[other, b] - table[other, c]
                        if change > most:
                            most, to, pushed, pushed_to = change, b, other, c
            if to >= 0:
                better = True
                room[a] += need[i]
                room[to] -= need[i]
                where[i] = to
                if pushed >= 0:
                    room[to] += need[pushed]
                    room[pushed_to] -= need[pushed]
                    where[pushed] = pushed_to
        if not better:
            return


@njit(cache=True)
def move_sites(row_ptr, row_site, row_cost, need, without, capacity, fixed, sites, where):  # type: ignore[no-untyped-def]
    """Move each site that is not fixed to where the demands assigned to it cost least; return whether any moved."""
    m = capacity.size
    taken = np.zeros(m, np.bool_)
    for j in sites:
        taken[j] = True
    saved = np.zeros(m)
    touched = np.empty(m, np.int64)
    moved = False
    for k in range(sites.size):
        if fixed[sites[k]]:
            continue
        n, load = 0, 0.0
        for i in range(need.size):
            if where[i] != k:
                continue
            load += need[i]
            for e in range(row_ptr[i], row_ptr[i + 1]):
                j = row_site[e]
                if saved[j] == 0.0:
                    touched[n] = j
                    n += 1
                saved[j] += max(without[i] - row_cost[e], 0.0) + 1e-300
        best = sites[k]
        for t in range(n):
            j = touched[t]
            if not taken[j] and capacity[j] >= load and saved[j] > saved[best] + 1e-9:
                best = j
        for t in range(n):
            saved[touched[t]] = 0.0
        if best != sites[k]:
            taken[sites[k]] = False
            taken[best] = True
            sites[k] = best
            moved = True
    return moved


@njit(cache=True)
def ship(table, need, capacity, amount):  # type: ignore[no-untyped-def]
    """Set amount (d, k + 1) to the cheapest split assignment; ``table`` holds costs per unit of load; return its cost.

    Successive cheapest paths between the sites: a site that is full passes on to another the demand that costs
    least more there. A demand is sent on its cheapest way, and as no way back is ever cheaper, the result is optimal
    (Ahuja, Magnanti & Orlin 1993, Network Flows, section 9.7).
    """
    d, k_all = table.shape
    room = np.full(k_all, np.inf)
    for k in range(k_all - 1):
        room[k] = capacity[k]
    step = np.full((k_all, k_all), np.inf)  # the least a unit of site a's costs more at b
    by = np.full((k_all, k_all), -1, np.int64)  # whose unit that is
    member, n_members = np.empty((k_all, d), np.int32), np.zeros(k_all, np.int64)  # whose demand each site has
    place = np.full((d, k_all), -1, np.int32)  # where in the list of a site
    reach, price = np.empty(k_all), np.zeros(k_all)
    before = np.empty(k_all, np.int64)
    for i in range(d):
        left = need[i]
        while left > 0.0:
            end = cheapest_with_room(i, table, price, room, step, reach, before)
            sent = min(left, room[end])
            k = end
            while before[k] >= 0:
                sent = min(sent, amount[by[before[k], k], before[k]])
                k = before[k]
            room[end] -= sent
            left -= sent
            k = end
            while before[k] >= 0:
                a, who = before[k], by[before[k], k]
                amount[who, a] -= sent
                amount[who, k] += sent
                join(who, k, table, member, n_members, place, step, by)
                if amount[who, a] <= 0.0:
                    leave(who, a, table, member, n_members, place, step, by)
                k = a
            amount[i, k] += sent
            join(i, k, table, member, n_members, place, step, by)
    total = 0.0
    for i in range(d):
        for k in range(k_all):
            if amount[i, k] > 0.0:
                total += amount[i, k] * table[i, k]
    return total


@njit(cache=True)
def cheapest_with_room(i, table, price, room, step, reach, before):  # type: ignore[no-untyped-def]
    """Return the site with room that a unit of demand i is cheapest sent to, and by which full sites (``before``).

    Dijkstra's method: with the ``price`` of room at each site added no way is of negative length. Prices rise so that
    this holds again once demand is sent that way.
    """
    k_all = room.size
    done = np.zeros(k_all, np.bool_)
    for k in range(k_all):
        reach[k], before[k] = table[i, k] + price[k], -1
    while True:
        a = -1
        for k in range(k_all):
            if not done[k] and (a < 0 or reach[k] < reach[a]):
                a = k
        if room[a] > 0.0:
            break
        done[a] = True
        for b in range(k_all):
            if not done[b] and step[a, b] < np.inf:
                through = reach[a] + max(step[a, b] + price[b] - price[a], 0.0)
                if through < reach[b]:
                    reach[b], before[b] = through, a
    for k in range(k_all):
        if done[k]:
            price[k] += reach[a] - reach[k]
    return a


@njit(cache=True)
def join(i, a, table, member, n_members, place, step, by):  # type: ignore[no-untyped-def]
    """List demand i at site a, and what its units cost more at other sites where that is the least."""
    if place[i, a] >= 0 or a == table.shape[1] - 1:  # what is left out has room without end and is never passed on
        return
    place[i, a] = n_members[a]
    member[a, n_members[a]] = i
    n_members[a] += 1
    for b in range(table.shape[1]):
        more = table[i, b] - table[i, a]
        if b != a and more < step[a, b]:
            step[a, b], by[a, b] = more, i


@njit(cache=True)
def leave(i, a, table, member, n_members, place, step, by):  # type: ignore[no-untyped-def]
    """Strike demand i off the list of site a, and find anew whose units cost least more where they were its."""
    n_members[a] -= 1
    last = member[a, n_members[a]]
    member[a, place[i, a]] = last
    place[last, a] = place[i, a]
    place[i, a] = -1
    for b in range(table.shape[1]):
        if by[a, b] == i:
            step[a, b], by[a, b] = np.inf, -1
            for m in range(n_members[a]):
                more = table[member[a, m], b] - table[member[a, m], a]
                if more < step[a, b]:
                    step[a, b], by[a, b] = more, member[a, m]
