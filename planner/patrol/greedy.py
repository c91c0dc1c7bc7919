"""Plan a patrol by insertion: again and again the service that is worth most for each second it adds to a route.

A first plan, and the yardstick for better ones. The ratio of prize to insertion cost is the common constructive rule of
team orienteering, as in the review of Gunawan, Lau & Vansteenwegen 2016, doi:10.1016/j.ejor.2016.04.059.
"""

import numpy as np
from numba import njit

from planner.patrol.check import plain_cost
from planner.patrol.problem import Ints, PatrolPlan, PatrolProblem

#: What a service that must be done is worth: more than any other, so that these come first and by least seconds.
MUST = 1e15
#: Limits are kept up to rounding of the sums.
ROUNDING = 1e-7


def greedy(problem: PatrolProblem) -> PatrolPlan:
    """Insert, as long as it lowers the cost, the service of most ``left_out`` per second added.

    Each insertion is the best over all crews and places in their routes, directions chosen anew; services that must be
    done come first. Ties go to the lowest crew and service. The time grows with services times routes' lengths, for
    each insertion.
    """
    s, c = problem.services, problem.crews
    worth = np.where(np.isfinite(s.left_out), s.left_out, MUST)
    limit_s = np.minimum(c.until_s, c.from_s + c.longest_s)
    uneven = problem.uneven / c.longest_s if problem.uneven else np.zeros(len(c))
    ground = (s.begins, s.ends, s.both_ways, s.service_s, s.opens_s, s.closes_s, problem.travel_s)
    crews = (c.mode, c.start, c.end, c.from_s, limit_s, c.break_from_s, c.break_s, c.kind, c.extra_s, uneven)
    first, after, tried = _insert(ground, s.load, worth, crews, c.capacity)
    routes = tuple(_route(int(i), after) for i in first)
    return PatrolPlan(routes, plain_cost(problem, routes), tried)


def _route(first: int, after: Ints) -> Ints:
    route = []
    while first >= 0:
        route.append(first)
        first = int(after[first])
    return np.array(route, np.int32)


@njit(cache=True)
def _insert(ground, load, worth, crews, capacity):  # type: ignore[no-untyped-def]
    """Return (r,) first services, (n,) the one after each (-1 for none), and the insertions tried."""
    n, r = load.size, capacity.size
    first, after = np.full(r, -1, np.int32), np.full(n, -1, np.int32)
    free, room = np.ones(n, np.bool_), capacity.copy()
    ratio, service, place = np.zeros(r), np.full(r, -1), np.zeros(r, np.int64)
    route = np.empty(n, np.int64)
    now, rest = np.empty((n + 1, 4)), np.empty((n + 1, 2))
    tried = 0
    stale = np.ones(r, np.bool_)
    while True:
        chosen = -1
        for k in range(r):
            if stale[k]:
                size, at = 0, first[k]
                while at >= 0:
                    route[size] = at
                    size += 1
                    at = after[at]
                ratio[k], service[k], place[k], measured = _best(
                    k, route, size, ground, load, worth, crews, free, room[k], now, rest
                )
                tried += measured
                stale[k] = False
            if service[k] >= 0 and (chosen < 0 or ratio[k] > ratio[chosen]):
                chosen = k
        if chosen < 0:
            return first, after, tried
        i, before, following = service[chosen], -1, first[chosen]
        for _ in range(place[chosen]):
            before, following = following, after[following]
        after[i] = following
        if before < 0:
            first[chosen] = i
        else:
            after[before] = i
        free[i] = False
        room[chosen] -= load[i]
        for k in range(r):
            stale[k] = k == chosen or service[k] == i


@njit(cache=True)
def _best(k, route, size, ground, load, worth, crews, free, room, now, rest):  # type: ignore[no-untyped-def]
    """Return the best insertion into the route of crew ``k``: (ratio, service, place, insertions measured)."""
    modes, starts, homes, from_s, limits, break_from, break_s, kind, extra_s, uneven = crews
    crew = (modes[k], starts[k], homes[k], break_from[k], break_s[k])
    limit = limits[k] + ROUNDING * abs(limits[k])
    service_s = ground[3]
    # the earliest hour after each service of the route, and the seconds from each to the return if nothing waits
    now[0, :] = np.inf
    now[0, 1 if break_s[k] <= 0 else 0] = from_s[k]
    for j in range(size):
        _step(now[j], now[j + 1], route[j - 1] if j else -1, route[j], crew, ground)
    _rest(route, size, rest, crew, ground)
    back, rested = _home(now[size], route[size - 1], crew, ground) if size else (from_s[k], False)
    to_come = break_s[k] if rested else 0.0
    took = back - from_s[k]
    ratio, service, place, measured = 0.0, -1, 0, 0
    for i in range(load.size):
        extra = extra_s[kind[k], i]
        if not free[i] or load[i] > room or not np.isfinite(service_s[modes[k], i] + extra):
            continue
        for j in range(size + 1):
            before, following = route[j - 1] if j else -1, route[j] if j < size else -1
            at = _least_back(now[j], before, i, following, rest[j], to_come, crew, ground)
            added = _added(at - from_s[k], took, uneven[k]) + extra
            if at > limit or (added > 0 and worth[i] <= ratio * added):
                continue
            measured += 1
            at = _back(now[j], route, j, size, i, crew, ground)
            added = max(_added(at - from_s[k], took, uneven[k]) + extra, 1e-9)
            if at <= limit and worth[i] > added and worth[i] > ratio * added:
                ratio, service, place = worth[i] / added, i, j
    return ratio, service, place, measured


@njit(cache=True)
def _added(took, before, uneven):  # type: ignore[no-untyped-def]
    """Return what a route's longer time adds to the cost."""
    return took - before + uneven * (took * took - before * before)


@njit(cache=True)
def _step(now, then, before, i, crew, ground):  # type: ignore[no-untyped-def]
    """Set ``then`` to the earliest hours after service ``i``, from ``now`` after ``before`` (-1 at the start).

    Both hold an hour for each direction and for whether the break has been taken: 2 d + b.
    """
    m, start, _, break_from, break_s = crew
    begins, ends, both_ways, service_s, opens, closes, travel_s = ground
    then[:] = np.inf
    for d in range(2 if both_ways[m, i] else 1):
        for e in range(2):
            place = start if before < 0 else ends[before, e]
            for b in range(2):
                at = max(now[2 * e + b] + travel_s[m, place, begins[i, d]], opens[i]) + service_s[m, i]
                if at == np.inf or at > closes[i] + ROUNDING * abs(closes[i]):
                    continue
                broke = b
                if b == 0 and at >= break_from:
                    at += break_s
                    broke = 1
                then[2 * d + broke] = min(then[2 * d + broke], at)


@njit(cache=True)
def _home(now, last, crew, ground):  # type: ignore[no-untyped-def]
    """Return the earliest hour back after service ``last``, and whether the break has been taken by then."""
    m, _, home, _, _ = crew
    ends, travel_s = ground[1], ground[6]
    best, rested = np.inf, False
    for e in range(2):
        for b in range(2):
            at = now[2 * e + b] + travel_s[m, ends[last, e], home]
            if at < best:
                best, rested = at, b == 1
    return best, rested


@njit(cache=True)
def _back(now, route, j, size, i, crew, ground):  # type: ignore[no-untyped-def]
    """Return the earliest hour back with ``i`` put at place ``j`` of the route, ``inf`` where hours are missed."""
    state, then = now.copy(), np.empty(4)
    _step(state, then, route[j - 1] if j else -1, i, crew, ground)
    last = i
    for q in range(j, size):
        state[:] = then
        _step(state, then, last, route[q], crew, ground)
        last = route[q]
    return _home(then, last, crew, ground)[0]


@njit(cache=True)
def _rest(route, size, rest, crew, ground):  # type: ignore[no-untyped-def]
    """Set ``rest[j, d]`` to the seconds from the begin of service j in direction d to the return, nothing waited."""
    m, _, home, _, _ = crew
    begins, ends, both_ways, service_s, _, _, travel_s = ground
    for j in range(size - 1, -1, -1):
        i = route[j]
        for d in range(2):
            rest[j, d] = np.inf
            if d == 1 and not both_ways[m, i]:
                continue
            if j == size - 1:
                rest[j, d] = service_s[m, i] + travel_s[m, ends[i, d], home]
                continue
            for e in range(2):
                on = service_s[m, i] + travel_s[m, ends[i, d], begins[route[j + 1], e]] + rest[j + 1, e]
                rest[j, d] = min(rest[j, d], on)


@njit(cache=True)
def _least_back(now, before, i, following, rest, to_come, crew, ground):  # type: ignore[no-untyped-def]
    """Return a bound on the hour back with ``i`` put between two services, as if nothing after it had to wait."""
    m, start, home, _, _ = crew
    begins, ends, both_ways, service_s, opens, _, travel_s = ground
    least = np.inf
    for d in range(2 if both_ways[m, i] else 1):
        arrive = np.inf
        for e in range(2):
            place = start if before < 0 else ends[before, e]
            at = min(now[2 * e] + to_come, now[2 * e + 1])
            arrive = min(arrive, at + travel_s[m, place, begins[i, d]])
        leave = max(arrive, opens[i]) + service_s[m, i]
        if following < 0:
            least = min(least, leave + travel_s[m, ends[i, d], home])
        else:
            for e in range(2):
                least = min(least, leave + travel_s[m, ends[i, d], begins[following, e]] + rest[e])
    return least
