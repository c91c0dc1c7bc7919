"""Compiled parts of the relaxation: a knapsack a site, the best sites together, and what no better plan can hold."""

import numpy as np
from numba import njit

#: Branches of one knapsack after which its fractional bound, valid but weaker, is taken.
MOST_BRANCHES = 20_000


@njit(cache=True)
def gather(first, last, demand, cost, need, capacity, whole, price, pair, gain, load):  # type: ignore[no-untyped-def]
    """List a site's pairs worth taking at these prices, the most gain per load first; return their count."""
    n = 0
    for e in range(first, last):
        g = price[demand[e]] - cost[e]
        if g > 0.0 and (not whole or need[demand[e]] <= capacity):
            # a trace of load keeps the order of ratios whole where there is none
            pair[n], gain[n], load[n] = e, g, need[demand[e]] + 1e-300
            n += 1
    sort_by_ratio(n, pair, gain, load)
    return n


@njit(cache=True)
def sort_by_ratio(n, pair, gain, load):  # type: ignore[no-untyped-def]
    """Sort n items by gain per load, the most first; those without load before all, those of no gain after."""
    step = 1
    while step < n // 9:
        step = 3 * step + 1
    while step > 0:
        for a in range(step, n):
            e, g, w = pair[a], gain[a], load[a]
            b = a
            while b >= step and gain[b - step] * w < g * load[b - step]:
                pair[b], gain[b], load[b] = pair[b - step], gain[b - step], load[b - step]
                b -= step
            pair[b], gain[b], load[b] = e, g, w
        step //= 3


@njit(cache=True)
def fill(first, n, room, gain, load, part):  # type: ignore[no-untyped-def]
    """Fill ``room`` with items first..n in order, the last one in part; return the gain and whether none is split."""
    total = 0.0
    for k in range(first, n):
        if load[k] <= room:
            part[k] = 1.0
            room -= load[k]
            total += gain[k]
        else:
            part[k] = room / load[k]
            total += gain[k] * part[k]
            split = part[k] > 0.0
            for rest in range(k + 1, n):
                part[rest] = 0.0
            return total, not split
    return total, True


@njit(cache=True)
def bound_from(first, n, room, gain, load):  # type: ignore[no-untyped-def]
    """Return the gain of filling ``room`` with items first..n, the last one in part."""
    total = 0.0
    for k in range(first, n):
        if load[k] > room:
            return total + gain[k] * room / load[k]
        room -= load[k]
        total += gain[k]
    return total


@njit(cache=True)
def knapsack(n, capacity, gain, load, part, trial):  # type: ignore[no-untyped-def]
    """Take whole items for the most gain, into ``part``; return an upper bound of it, exact unless cut short.

    Depth first with the fractional bound (Horowitz & Sahni 1974, doi:10.1145/321812.321823).
    """
    top, whole = fill(0, n, capacity, gain, load, part)
    if whole:
        return top
    best, room, got, k, branches = -1.0, capacity, 0.0, 0, 0
    while True:
        branches += 1
        if got + bound_from(k, n, room, gain, load) > best + 1e-12:
            while k < n and load[k] <= room:
                trial[k] = 1.0
                room -= load[k]
                got += gain[k]
                k += 1
            if k < n:
                trial[k] = 0.0
                k += 1
                if k < n:
                    continue
            if got > best:
                best = got
                for i in range(n):
                    part[i] = trial[i]
            k = n - 1
            if trial[k] == 1.0:
                trial[k] = 0.0
                room += load[k]
                got -= gain[k]
        k -= 1
        while k >= 0 and trial[k] == 0.0:
            k -= 1
        if k < 0:
            return best
        if branches > MOST_BRANCHES:
            return top
        trial[k] = 0.0
        room += load[k]
        got -= gain[k]
        k += 1


@njit(cache=True)
def relax(ptr, demand, cost, need, without, capacity, is_open, places, whole, price, worth, exact, taken, chosen):  # type: ignore[no-untyped-def]
    """Return the Lagrangian bound at ``price``: every demand pays its price, every chosen site gives back its worth.

    worth : (s,) the most a site gives back, an upper bound of it where ``exact`` is false. taken : (pairs,) the part of
    each pair taken, set for the chosen sites alone. chosen : (s,) the open sites and the ``places`` of most worth.
    Also returns the least worth chosen among the rest and the most left out, 0 where there is none.
    """
    s = ptr.size - 1
    most = 1
    for j in range(s):
        most = max(most, ptr[j + 1] - ptr[j])
    pair, gain, load = np.empty(most, np.int64), np.empty(most), np.empty(most)
    part, trial = np.empty(most), np.zeros(most)
    best = np.full(places + 1, -1.0)  # worth, the most first, of sites that are not open
    who = np.full(places + 1, -1, np.int64)
    total = 0.0
    for i in range(price.size):
        total += price[i]
    for j in range(s):
        n = gather(ptr[j], ptr[j + 1], demand, cost, need, capacity[j], whole, price, pair, gain, load)
        worth[j], exact[j] = fill(0, n, capacity[j], gain, load, part)
        if whole and not exact[j] and (is_open[j] or worth[j] > best[places]):
            worth[j] = knapsack(n, capacity[j], gain, load, part, trial)
            exact[j] = True
        if not whole:
            exact[j] = True
        chosen[j] = is_open[j]
        if not is_open[j] and worth[j] <= best[places]:
            continue
        for e in range(ptr[j], ptr[j + 1]):
            taken[e] = 0.0
        for k in range(n):
            taken[pair[k]] = part[k]
        if is_open[j]:
            total -= worth[j]
        else:
            at = places
            while at > 0 and best[at - 1] < worth[j]:
                best[at], who[at] = best[at - 1], who[at - 1]
                at -= 1
            best[at], who[at] = worth[j], j
    for k in range(places):
        if who[k] >= 0:
            total -= best[k]
            chosen[who[k]] = True
    last = best[places - 1] if places > 0 and who[places - 1] >= 0 else 0.0
    return total, last, max(best[places], 0.0)


@njit(cache=True)
def ascend(  # type: ignore[no-untyped-def]
    ptr,
    demand,
    cost,
    need,
    without,
    capacity,
    is_open,
    places,
    whole,
    price,
    mean,
    direction,
    state,
    aim,
    rounds,
    stop_at,
    worth,
    exact,
    taken,
    chosen,
):
    """Improve ``price`` by ``rounds`` steps of the volume algorithm; return how many steps were made.

    mean : (pairs,) the running mean of what the relaxation takes, near the relaxed optimum in the end.
    state : [best bound, step length, rounds without a better bound]. Ends once the bound reaches ``stop_at``.
    Source: Barahona & Anbil 2000, doi:10.1007/s101070050002.
    """
    d = price.size
    trial = price.copy()
    slack = np.empty(d)
    for done in range(rounds):
        for i in range(d):
            slack[i] = 1.0
        for j in range(ptr.size - 1):
            for e in range(ptr[j], ptr[j + 1]):
                slack[demand[e]] -= mean[e]
        norm = 0.0
        for i in range(d):
            if (slack[i] > 0.0 and price[i] >= without[i]) or (slack[i] < 0.0 and price[i] <= 0.0):
                slack[i] = 0.0
            norm += slack[i] * slack[i]
        if norm < 1e-12 or state[1] < 1e-5:
            return done
        length = state[1] * (aim - state[0]) / norm
        for i in range(d):
            trial[i] = min(max(price[i] + length * slack[i], 0.0), without[i])
        bound, _, _ = relax(
            ptr, demand, cost, need, without, capacity, is_open, places, whole, trial, worth, exact, taken, chosen
        )
        for i in range(d):
            direction[i] = 1.0
        for j in range(ptr.size - 1):
            if chosen[j]:
                for e in range(ptr[j], ptr[j + 1]):
                    direction[demand[e]] -= taken[e]
        keep = share_of(direction, slack, state[2])
        for j in range(ptr.size - 1):
            for e in range(ptr[j], ptr[j + 1]):
                mean[e] *= 1.0 - keep
                if chosen[j]:
                    mean[e] += keep * taken[e]
        if bound > state[0]:
            along = 0.0
            for i in range(d):
                along += slack[i] * direction[i]
                price[i] = trial[i]
            state[1] = min(2.0, state[1] * (1.1 if along >= 0.0 else 1.0))
            state[0], state[2] = bound, 0.0
            if bound >= stop_at:
                return done + 1
        else:
            state[2] += 1.0
            if state[2] >= 20.0:
                state[1] *= 0.66
                state[2] = 0.0
    return rounds


@njit(cache=True)
def share_of(direction, slack, stalled):  # type: ignore[no-untyped-def]
    """Return the share of the newest solution in the mean: what brings it nearest to assigning every demand once."""
    across, apart = 0.0, 0.0
    for i in range(slack.size):
        change = slack[i] - direction[i]
        across += slack[i] * change
        apart += change * change
    if apart <= 0.0:
        return 0.1
    return min(max(across / apart, 0.01), 0.1)


@njit(cache=True)
def rule_out(ptr, demand, cost, need, capacity, whole, price, worth, chosen, last, room, keep):  # type: ignore[no-untyped-def]
    """Set keep (pairs,) to whether a better plan may hold the pair; ``room`` is the cutoff less the bound.

    A site that is forced in takes the place of the least worth of those chosen; a whole demand that is forced in takes
    its load first and the rest is filled in part: all bounds from above of what is given back. A part of a demand may
    be as small as it likes, so that split demand is judged by the site alone.
    """
    most = 1
    for j in range(ptr.size - 1):
        most = max(most, ptr[j + 1] - ptr[j])
    pair, gain, load = np.empty(most, np.int64), np.empty(most), np.empty(most)
    for j in range(ptr.size - 1):
        base = worth[j] if chosen[j] else last
        if not whole:
            for e in range(ptr[j], ptr[j + 1]):
                keep[e] = base - worth[j] < room
            continue
        n = gather(ptr[j], ptr[j + 1], demand, cost, need, capacity[j], whole, price, pair, gain, load)
        for e in range(ptr[j], ptr[j + 1]):
            w = need[demand[e]]
            g = price[demand[e]] - cost[e]
            if w > capacity[j]:
                keep[e] = False
                continue
            left = capacity[j] - w
            total = g
            for k in range(n):
                if pair[k] == e:
                    continue
                if load[k] > left:
                    total += gain[k] * left / load[k]
                    break
                left -= load[k]
                total += gain[k]
            keep[e] = base - total < room


@njit(cache=True)
def clusters_within(  # type: ignore[no-untyped-def]
    ptr, demand, cost, need, capacity, price, worth, chosen, last, room_s, most, cluster_ptr, member, at_site, total
):
    """List every set of demands that a site of a better plan may serve; return their count, -1 if above ``most``.

    cluster_ptr (most + 1,), member, at_site and total (most,) are filled: each cluster's pairs, its site, its cost.
    """
    widest = 1
    for j in range(ptr.size - 1):
        widest = max(widest, ptr[j + 1] - ptr[j])
    pair, gain, load = np.empty(widest, np.int64), np.empty(widest), np.empty(widest)
    trial = np.zeros(widest)
    count, steps = 0, 0
    cluster_ptr[0] = 0
    for j in range(ptr.size - 1):
        n = 0
        for e in range(ptr[j], ptr[j + 1]):
            pair[n], gain[n], load[n] = e, price[demand[e]] - cost[e], need[demand[e]] + 1e-300
            n += 1
        sort_by_ratio(n, pair, gain, load)
        n_good = 0
        while n_good < n and gain[n_good] > 0.0:
            n_good += 1
        least = (worth[j] if chosen[j] else last) - room_s
        k, got, room, held = 0, 0.0, capacity[j], 0
        while True:
            steps += 1
            if steps > 40 * most:
                return -1
            promising = got + bound_from(k, n_good, room, gain, load) > least
            if promising and k < n:
                trial[k] = 1.0 if load[k] <= room else 0.0
                if trial[k] == 1.0:
                    got += gain[k]
                    room -= load[k]
                    held += 1
                k += 1
                continue
            if promising and held > 0:
                if count == most or cluster_ptr[count] + held > member.size:
                    return -1
                end = cluster_ptr[count]
                total[count] = 0.0
                for i in range(n):
                    if trial[i] == 1.0:
                        member[end] = pair[i]
                        total[count] += cost[pair[i]]
                        end += 1
                at_site[count] = j
                count += 1
                cluster_ptr[count] = end
            k -= 1
            while k >= 0 and trial[k] == 0.0:
                k -= 1
            if k < 0:
                break
            trial[k] = 0.0
            got -= gain[k]
            room += load[k]
            held -= 1
            k += 1
    return count
