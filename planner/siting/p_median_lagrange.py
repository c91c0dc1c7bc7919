"""Lower bounds on the p-median by Lagrangian relaxation of "each demand is served once", and the sites they settle.

Source: Cornuejols, Fisher and Nemhauser 1977, Location of bank accounts to optimize float, Management Science 23(8),
doi:10.1287/mnsc.23.8.789; steps along an average of subgradients as in Camerini, Fratta and Maffioli 1975,
doi:10.1007/BFb0120697.

At a price for each demand, opening a site costs what it serves below these prices less the prices themselves; the
cheapest sites and all prices together are a bound, whatever the prices are. The bounds are plain float64 sums, never
what a solver claims.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Subgradient steps: length at first and at last, how it shrinks, after how many rounds without progress, and how much
#: of the last direction is kept.
FIRST_STEP, LAST_STEP = 1.5, 1e-3
SHRINK, PATIENCE = 0.7, 20
MEMORY = 0.7
#: Weight of a round in the running share of rounds in which a site was open.
SHARE_WEIGHT = 0.05


class Part(NamedTuple):
    """What is left to decide: open ``to_open`` of the ``free`` sites.

    ptr (d + 1,), site, cost : for each demand the free sites that cost it less than ``miss`` (d,), nearest first; all
    its units together. miss : what it costs at the nearest site already settled to open, or beyond.
    """

    ptr: NDArray[np.int64]
    site: NDArray[np.int32]
    cost: Floats
    miss: Floats
    free: NDArray[np.bool_]
    to_open: int


@njit(cache=True)
def reduced_costs(part, price, reduced, end):  # type: ignore[no-untyped-def]
    """Write into ``reduced`` (m,) what opening each site costs when demands pay ``price`` (d,) to be served.

    ``end`` (d,) becomes the first place in each list that costs the price or more.
    """
    for j in range(reduced.size):
        reduced[j] = 0.0
    for u in range(price.size):
        v = price[u]
        k, last = part.ptr[u], part.ptr[u + 1]
        while k < last and part.cost[k] < v:
            reduced[part.site[k]] += part.cost[k] - v
            k += 1
        end[u] = k


@njit(cache=True)
def _cheapest(part, reduced, among, opened):  # type: ignore[no-untyped-def]
    """Mark the ``to_open`` free sites of least reduced cost, the lower first where they tie; return their sum."""
    n = 0
    for j in range(reduced.size):
        opened[j] = False
        if part.free[j]:
            among[n] = reduced[j]
            n += 1
    if part.to_open == 0:
        return 0.0
    cut = np.partition(among, part.to_open - 1)[part.to_open - 1]
    left, value = part.to_open, 0.0
    for j in range(reduced.size):
        if part.free[j] and reduced[j] < cut:
            opened[j] = True
            value += reduced[j]
            left -= 1
    for j in range(reduced.size):
        if left > 0 and part.free[j] and reduced[j] == cut:
            opened[j] = True
            value += cut
            left -= 1
    return value


@njit(cache=True)
def ascend(part, price, share, upper, aim, step, patience, rounds):  # type: ignore[no-untyped-def]
    """Raise the bound by subgradient steps from ``price`` until it meets ``upper`` or the steps are spent.

    The steps aim at the value ``aim``, ``upper`` or more. Steps that aim at ``upper`` shrink on the way and hardly ever
    get there, even where the best prices lead far beyond; steps that aim too high sway about the best prices.
    ``price`` (d,) ends as the best prices found; ``share`` (m,) follows how often each site is open.
    Returns (bound, step reached).
    """
    m, d = part.free.size, price.size
    n_free = 0
    for j in range(m):
        n_free += part.free[j]
    reduced, among, opened = np.empty(m), np.empty(n_free), np.empty(m, np.bool_)
    best, direction, end = price.copy(), np.zeros(d), np.empty(d, np.int64)
    bound, idle = -np.inf, 0
    for _ in range(rounds):
        reduced_costs(part, price, reduced, end)
        value = _cheapest(part, reduced, among, opened)
        for u in range(d):
            value += price[u]
        for j in range(m):
            share[j] += SHARE_WEIGHT * (opened[j] - share[j])
        idle += 1
        if value > bound:
            if value > bound + 1e-3 * (upper - bound):
                idle = 0
            bound = value
            for u in range(d):
                best[u] = price[u]
        if bound >= upper or step < LAST_STEP:
            break
        if idle >= patience:
            idle = 0
            step *= SHRINK
        norm = 0.0
        for u in range(d):
            served = 0
            for k in range(part.ptr[u], end[u]):
                served += opened[part.site[k]]
            direction[u] = 1 - served + MEMORY * direction[u]
            norm += direction[u] * direction[u]
        if norm == 0.0:
            break
        length = step * (aim - value) / norm
        for u in range(d):
            price[u] = min(max(price[u] + length * direction[u], 0.0), part.miss[u])
    for u in range(d):
        price[u] = best[u]
    return bound, step


@njit(cache=True)
def settled(part, price, upper, is_open, is_closed):  # type: ignore[no-untyped-def]
    """Mark the free sites that must be open, and those that must be closed, in any plan that costs below ``upper``.

    Return the bound at these prices.
    """
    m = part.free.size
    reduced = np.empty(m)
    end = np.empty(price.size, np.int64)
    reduced_costs(part, price, reduced, end)
    n_free = 0
    for j in range(m):
        n_free += part.free[j]
    among, opened = np.empty(n_free), np.empty(m, np.bool_)
    bound = _cheapest(part, reduced, among, opened)
    for u in range(price.size):
        bound += price[u]
    dearest_in, cheapest_out = -np.inf, np.inf
    for j in range(m):
        if part.free[j] and opened[j]:
            dearest_in = max(dearest_in, reduced[j])
        elif part.free[j]:
            cheapest_out = min(cheapest_out, reduced[j])
    for j in range(m):
        is_open[j] = part.free[j] and opened[j] and bound + (cheapest_out - reduced[j]) >= upper
        is_closed[j] = part.free[j] and not opened[j] and bound + (reduced[j] - dearest_in) >= upper
    return bound


@njit(cache=True)
def _without(ptr, site, cost, miss, is_open, is_closed):  # type: ignore[no-untyped-def]
    """Return (ptr, site, cost, miss) once these sites are open and those closed."""
    left = np.zeros(ptr.size, np.int64)
    new_miss = miss.copy()
    new_site, new_cost = np.empty(site.size, np.int32), np.empty(site.size)
    n = 0
    for u in range(miss.size):
        for k in range(ptr[u], ptr[u + 1]):
            if is_open[site[k]]:
                new_miss[u] = cost[k]
            if cost[k] >= new_miss[u]:
                break
            if not is_closed[site[k]]:
                new_site[n] = site[k]
                new_cost[n] = cost[k]
                n += 1
        left[u + 1] = n
    return left, new_site[:n].copy(), new_cost[:n].copy(), new_miss


def without(part: Part, is_open: NDArray[np.bool_], is_closed: NDArray[np.bool_]) -> Part:
    """Return what is left to decide once these free sites are settled to be open and those closed.

    A demand keeps the sites nearer than its nearest open one, since it goes to no farther one.
    """
    ptr, site, cost, miss = _without(part.ptr, part.site, part.cost, part.miss, is_open, is_closed)
    return Part(ptr, site, cost, miss, part.free & ~is_open & ~is_closed, part.to_open - int(is_open.sum()))
