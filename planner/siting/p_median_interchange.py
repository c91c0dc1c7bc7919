"""Compiled interchange for the p-median: which open site to swap for which closed one, kept up to date as they move.

Source: Resende and Werneck 2007, A fast swap-based local search procedure for location problems, Annals of Operations
Research 150, doi:10.1007/s10479-006-0154-0; the random swaps between descents are those of an iterated local search.

Costs here are those of all units of a demand together, so that no kernel needs the weights. ``miss`` is what a demand
costs that finds no site of its list open.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Lists(NamedTuple):
    """Sites by demand, nearest first (ptr, site, cost), and by site the demand and the place in its list (at_*)."""

    ptr: Ints
    site: NDArray[np.int32]
    cost: Floats
    miss: Floats
    at_ptr: Ints
    at_demand: NDArray[np.int32]
    at_entry: Ints


class State(NamedTuple):
    """A choice of p sites and what each swap from it would bring.

    open_site (p,) : the sites by slot, -1 where none yet. slot (m,) : -1 where closed. first, second (d,) : places in
    ``Lists.site`` of the two nearest open sites, the end of the list where there is none. gain (m,) : saved by opening
    a site. loss (p,) : cost of closing a slot. both (m, p) : what opening and closing together save beyond the gain
    less the loss. touched (d,) : room for the demands a move changes.
    """

    open_site: Ints
    slot: Ints
    first: Ints
    second: Ints
    gain: Floats
    loss: Floats
    both: Floats
    touched: Ints


def lists_of(ptr: Ints, site: NDArray[np.int32], cost: Floats, miss: Floats, n_sites: int) -> Lists:
    """Add to lists by demand the same by site."""
    demand = np.repeat(np.arange(len(miss), dtype=np.int32), np.diff(ptr))
    order = np.argsort(site, kind="stable")
    at_ptr = np.concatenate([[0], np.cumsum(np.bincount(site, minlength=n_sites))]).astype(np.int64)
    return Lists(ptr, site, cost, miss, at_ptr, demand[order], order.astype(np.int64))


def closed_state(lists: Lists, count: int) -> State:
    """Return ``count`` empty slots."""
    m, d = len(lists.at_ptr) - 1, len(lists.miss)
    ends = lists.ptr[1:]
    state = State(
        np.full(count, -1), np.full(m, -1), ends.copy(), ends.copy(), np.zeros(m), np.zeros(count),
        np.zeros((m, count)), np.zeros(d, np.int64),
    )  # fmt: skip
    _count_all(lists, state)
    return state


@njit(cache=True)
def random_below(random, n):  # type: ignore[no-untyped-def]
    """Draw from 0 to n - 1 and advance ``random`` (1,) uint64 (xorshift64*; n far below 2^32)."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    return np.int64(((x * np.uint64(2685821657736338717)) >> np.uint64(32)) * np.uint64(n) >> np.uint64(32))


@njit(cache=True)
def _count_in(lists, state, u, sign):  # type: ignore[no-untyped-def]
    """Add (or with sign -1 take away) what demand u says of every move."""
    end = lists.ptr[u + 1]
    k1, k2 = state.first[u], state.second[u]
    a = lists.cost[k1] if k1 < end else lists.miss[u]
    b = lists.cost[k2] if k2 < end else lists.miss[u]
    r = state.slot[lists.site[k1]] if k1 < end else -1
    if r >= 0:
        state.loss[r] += sign * (b - a)
    for k in range(lists.ptr[u], k2):
        j = lists.site[k]
        c = lists.cost[k]
        if c < a:
            state.gain[j] += sign * (a - c)
        if r >= 0 and k != k1:
            state.both[j, r] += sign * (b - max(a, c))


@njit(cache=True)
def _count_all(lists, state):  # type: ignore[no-untyped-def]
    """Let every demand say of every move what it brings."""
    for u in range(lists.miss.size):
        _count_in(lists, state, u, 1.0)


@njit(cache=True)
def _find_two(lists, state, u):  # type: ignore[no-untyped-def]
    """Find the two nearest open sites of demand u."""
    end = lists.ptr[u + 1]
    k = lists.ptr[u]
    while k < end and state.slot[lists.site[k]] < 0:
        k += 1
    state.first[u] = k
    k = min(k + 1, end)
    while k < end and state.slot[lists.site[k]] < 0:
        k += 1
    state.second[u] = k


@njit(cache=True)
def _move(lists, state, j, r):  # type: ignore[no-untyped-def]
    """Open site j in slot r, closing the site that had it, and bring every demand this touches up to date."""
    n = 0
    out = state.open_site[r]
    if out >= 0:
        for e in range(lists.at_ptr[out], lists.at_ptr[out + 1]):
            u = lists.at_demand[e]
            if lists.at_entry[e] == state.first[u] or lists.at_entry[e] == state.second[u]:
                _count_in(lists, state, u, -1.0)
                state.second[u] = -1  # touched: the loop below passes it by; both places are found anew
                state.touched[n] = u
                n += 1
    for e in range(lists.at_ptr[j], lists.at_ptr[j + 1]):
        u = lists.at_demand[e]
        if lists.at_entry[e] < state.second[u]:
            _count_in(lists, state, u, -1.0)
            state.touched[n] = u
            n += 1
    if out >= 0:
        state.slot[out] = -1
    state.slot[j] = r
    state.open_site[r] = j
    for i in range(n):
        _find_two(lists, state, state.touched[i])
        _count_in(lists, state, state.touched[i], 1.0)


@njit(cache=True)
def _best_swap(state, least):  # type: ignore[no-untyped-def]
    """Return (site, slot, saved) of the swap that saves most, above ``least``; site -1 where none does."""
    best_j, best_r, best = -1, -1, least
    for j in range(state.slot.size):
        if state.slot[j] >= 0:
            continue
        for r in range(state.loss.size):
            saved = state.gain[j] - state.loss[r] + state.both[j, r]
            if saved > best:
                best_j, best_r, best = j, r, saved
    return best_j, best_r, best


@njit(cache=True)
def fill(lists, state):  # type: ignore[no-untyped-def]
    """Open in each empty slot the site that saves most, the lowest where several do."""
    for r in range(state.open_site.size):
        if state.open_site[r] < 0:
            best = -1
            for j in range(state.slot.size):
                if state.slot[j] < 0 and (best < 0 or state.gain[j] > state.gain[best]):
                    best = j
            _move(lists, state, best, r)


@njit(cache=True)
def descend(lists, state, least, n_swaps):  # type: ignore[no-untyped-def]
    """Make the best swap while it saves more than ``least``, at most ``n_swaps`` times; return whether it was done."""
    for _ in range(n_swaps):
        j, r, _saved = _best_swap(state, least)
        if j < 0:
            return True
        _move(lists, state, j, r)
    return False


@njit(cache=True)
def total(lists, state):  # type: ignore[no-untyped-def]
    """Return what the open sites cost."""
    out = 0.0
    for u in range(lists.miss.size):
        k = state.first[u]
        out += lists.cost[k] if k < lists.ptr[u + 1] else lists.miss[u]
    return out


@njit(cache=True)
def _shake(lists, state, swaps, random):  # type: ignore[no-untyped-def]
    """Swap some of the open sites nearest to a random demand for random closed ones about as near."""
    u = random_below(random, lists.miss.size)
    begin, reach = lists.ptr[u], lists.ptr[u]
    near = 0  # open sites among the nearest
    while reach < lists.ptr[u + 1] and near < 2 * swaps:
        if state.slot[lists.site[reach]] >= 0:
            near += 1
        reach += 1
    for _ in range(swaps):
        r, j = -1, -1
        for _try in range(50):
            site = lists.site[begin + random_below(random, reach - begin)] if reach > begin else 0
            if state.slot[site] >= 0 and r < 0:
                r = state.slot[site]
            if state.slot[site] < 0 and j < 0:
                j = site
        if r < 0:
            r = random_below(random, state.loss.size)
        if j < 0:
            j = random_below(random, state.slot.size)
        if state.slot[j] < 0:
            _move(lists, state, j, r)


@njit(cache=True)
def open_these(lists, state, chosen):  # type: ignore[no-untyped-def]
    """Swap until the sites open are ``chosen``: as many, the fixed ones among them."""
    wanted = np.zeros(state.slot.size, np.bool_)
    for i in range(chosen.size):
        wanted[chosen[i]] = True
    r = 0
    for i in range(chosen.size):
        if state.slot[chosen[i]] < 0:
            while state.open_site[r] >= 0 and wanted[state.open_site[r]]:
                r += 1
            _move(lists, state, chosen[i], r)


@njit(cache=True)
def wander(lists, state, best, best_total, rounds, strongest, least, random):  # type: ignore[no-untyped-def]
    """Shake the best plan and descend, ``rounds`` times; leave the best in ``best`` (p,), return its total.

    Each round swaps one to ``strongest`` sites at random first. Plans as good are moved to, so as not to stand still.
    """
    for _ in range(rounds):
        _shake(lists, state, 1 + random_below(random, strongest), random)
        descend(lists, state, least, 1 << 30)
        found = total(lists, state)
        if found <= best_total + least:
            for r in range(best.size):
                best[r] = state.open_site[r]
            best_total = min(found, best_total)
        else:
            open_these(lists, state, best)
    return best_total
