"""Good plans for maximal cover fast: greedy start, swaps with incremental gains, iterated by small local kicks."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from planner.siting.cover_sets import CoverSets, Floats
from planner.watch import Watch

#: Sites whose best gain is remembered together.
BLOCK = 64
#: Swaps of one kick are drawn from 1 to this many.
KICK = 3
#: A loss is stretched by up to this part when sites are given up.
CHANCE = 0.3
#: Elementary steps between two looks at the watch.
STRIDE = 10_000_000


class State(NamedTuple):
    """Where a search stands; kernels change the arrays in place.

    held : (n,) chosen sites that cover each row. gain : (m,) weight that no chosen site covers and this site does.
    place : (m,) position in ``chosen``, -1 where not chosen. chosen : (p,). top : greatest gain per block of sites not
    chosen, NaN where it must be found anew. best : (p,) the best
    plan met, worth ``best_value`` (1,). random : (1,) state of the generator. value : (1,) weight covered.
    extra : (m,) zeros to reckon in.
    """

    held: NDArray[np.int32]
    gain: Floats
    place: NDArray[np.int32]
    chosen: NDArray[np.int32]
    top: Floats
    best: NDArray[np.int32]
    best_value: Floats
    random: NDArray[np.uint64]
    value: Floats
    extra: Floats


def state_of(sets: CoverSets, chosen: NDArray[np.int64], seed: int) -> State:
    """Return the state in which ``chosen`` are open."""
    state = State(
        np.zeros(sets.n_rows, np.int32), np.zeros(sets.n_sites), np.full(sets.n_sites, -1, np.int32),
        chosen.astype(np.int32), np.full(sets.n_sites // BLOCK + 1, np.nan), chosen.astype(np.int32), np.zeros(1),
        np.random.default_rng(seed).integers(0, 2**64, 1, np.uint64), np.zeros(1), np.zeros(sets.n_sites),
    )  # fmt: skip
    _open_all(sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, sets.weight, state)
    return state


def greedy(sets: CoverSets, count: int) -> NDArray[np.int64]:
    """Choose ``count`` sites, each covering the most weight left; the lowest of equals (Church & ReVelle 1974)."""
    return np.asarray(
        _greedy(sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, sets.weight, count), np.int64
    )  # fmt: skip


def thinned(sets: CoverSets, sites: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Give up sites one by one, each time one whose loss, stretched by chance, is least, until ``count`` are left."""
    stretch = rng.uniform(1.0, 1.0 + CHANCE, len(sites))
    kept: NDArray[np.bool_] = _thin(sets.site_ptr, sets.site_row, sets.weight, sites.astype(np.int32), stretch, count)
    return sites[kept]


def improved(
    sets: CoverSets, start: NDArray[np.int64], steps: int, slack: float, seed: int, watch: Watch
) -> tuple[NDArray[np.int64], float]:
    """Search on from a plan for so many elementary steps; return (best plan, ascending, and its value).

    slack : what the search may fall behind its best, in parts of what a site covers on average, ever less to nothing.
    """
    state = state_of(sets, start, seed)
    parts = max(math.ceil(steps / STRIDE), 3)
    for part in range(parts):
        if watch.over:
            break
        behind = slack * state.best_value[0] / max(len(start), 1) * (1 - (part + 1) / parts)
        search_on(sets, state, steps // parts, behind)
    return np.sort(state.best.astype(np.int64)), float(state.best_value[0])


def search_on(sets: CoverSets, state: State, work: int, slack: float = 0.0) -> None:
    """Swap until no swap is better, then kick and repair, again and again, for ``work`` elementary steps.

    What a kick leads to is kept if it is no worse than before, or than the best plan less ``slack`` (record-to-record
    travel; Dueck 1993, doi:10.1006/jcph.1993.1010).

    A kick moves up to ``KICK`` neighbouring sites to sites that share demand with them. Only sites near a change are
    looked at again, so that a round takes time in proportion to what it touches.
    """
    _search(sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, sets.weight, state, work, slack)


@njit(cache=True)
def _draw(random, n):  # type: ignore[no-untyped-def]
    """Return a number from 0 to n - 1 (splitmix64)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.int64((z >> np.uint64(33)) % np.uint64(n))


@njit(cache=True)
def _open(j, at, site_ptr, site_row, row_ptr, row_site, weight, state):  # type: ignore[no-untyped-def]
    """Choose site j at a position of the plan; return the work."""
    work = site_ptr[j + 1] - site_ptr[j]
    for e in range(site_ptr[j], site_ptr[j + 1]):
        i = site_row[e]
        if state.held[i] == 0:
            state.value[0] += weight[i]
            work += row_ptr[i + 1] - row_ptr[i]
            for f in range(row_ptr[i], row_ptr[i + 1]):
                k = row_site[f]
                state.gain[k] -= weight[i]
                state.top[k // BLOCK] = np.nan
        state.held[i] += 1
    state.place[j] = at
    state.chosen[at] = j
    state.top[j // BLOCK] = np.nan
    return work


@njit(cache=True)
def _close(j, site_ptr, site_row, row_ptr, row_site, weight, state):  # type: ignore[no-untyped-def]
    """Give up site j; return the work."""
    work = site_ptr[j + 1] - site_ptr[j]
    for e in range(site_ptr[j], site_ptr[j + 1]):
        i = site_row[e]
        state.held[i] -= 1
        if state.held[i] == 0:
            state.value[0] -= weight[i]
            work += row_ptr[i + 1] - row_ptr[i]
            for f in range(row_ptr[i], row_ptr[i + 1]):
                k = row_site[f]
                state.gain[k] += weight[i]
                state.top[k // BLOCK] = np.nan
    state.place[j] = -1
    state.top[j // BLOCK] = np.nan
    return work


@njit(cache=True)
def _open_all(site_ptr, site_row, row_ptr, row_site, weight, state):  # type: ignore[no-untyped-def]
    for j in range(site_ptr.size - 1):
        for e in range(site_ptr[j], site_ptr[j + 1]):
            state.gain[j] += weight[site_row[e]]
    for at in range(state.chosen.size):
        _open(state.chosen[at], at, site_ptr, site_row, row_ptr, row_site, weight, state)


@njit(cache=True)
def _greedy(site_ptr, site_row, row_ptr, row_site, weight, count):  # type: ignore[no-untyped-def]
    m = site_ptr.size - 1
    gain = np.zeros(m)
    for j in range(m):
        for e in range(site_ptr[j], site_ptr[j + 1]):
            gain[j] += weight[site_row[e]]
    held = np.zeros(weight.size, np.bool_)
    chosen = np.empty(count, np.int64)
    for at in range(count):
        best = 0
        for j in range(m):
            if gain[j] > gain[best]:
                best = j
        chosen[at] = best
        for e in range(site_ptr[best], site_ptr[best + 1]):
            i = site_row[e]
            if not held[i]:
                held[i] = True
                for f in range(row_ptr[i], row_ptr[i + 1]):
                    gain[row_site[f]] -= weight[i]
        gain[best] = -np.inf
    return chosen


@njit(cache=True)
def _thin(site_ptr, site_row, weight, sites, stretch, count):  # type: ignore[no-untyped-def]
    """Return which sites are left."""
    n = sites.size
    held = np.zeros(weight.size, np.int32)
    alive = np.ones(n, np.bool_)
    for k in range(n):
        for e in range(site_ptr[sites[k]], site_ptr[sites[k] + 1]):
            held[site_row[e]] += 1
    for _ in range(n - count):
        least, smallest = -1, np.inf
        for k in range(n):
            if alive[k]:
                loss = 0.0
                for e in range(site_ptr[sites[k]], site_ptr[sites[k] + 1]):
                    if held[site_row[e]] == 1:
                        loss += weight[site_row[e]]
                if loss * stretch[k] < smallest:
                    least, smallest = k, loss * stretch[k]
        alive[least] = False
        for e in range(site_ptr[sites[least]], site_ptr[sites[least] + 1]):
            held[site_row[e]] -= 1
    return alive


@njit(cache=True)
def _best_gain(state):  # type: ignore[no-untyped-def]
    """Return the site not chosen with the greatest gain, -1 where all are chosen."""
    m = state.gain.size
    block = 0
    for b in range(state.top.size):
        if np.isnan(state.top[b]):
            state.top[b] = -np.inf
            for j in range(b * BLOCK, min(m, (b + 1) * BLOCK)):
                if state.place[j] < 0 and state.gain[j] > state.top[b]:
                    state.top[b] = state.gain[j]
        if state.top[b] > state.top[block]:
            block = b
    for j in range(block * BLOCK, min(m, (block + 1) * BLOCK)):
        if state.place[j] < 0 and state.gain[j] == state.top[block]:
            return j
    return -1


@njit(cache=True)
def _best_swap(r, site_ptr, site_row, row_ptr, row_site, weight, state):  # type: ignore[no-untyped-def]
    """Return (site, by how much the plan is better if it takes the place of chosen site r, work)."""
    loss = 0.0
    work = site_ptr[r + 1] - site_ptr[r] + state.top.size
    best = _best_gain(state)
    gain = state.gain[best] if best >= 0 else -np.inf
    for e in range(site_ptr[r], site_ptr[r + 1]):
        i = site_row[e]
        if state.held[i] == 1:
            loss += weight[i]
            work += row_ptr[i + 1] - row_ptr[i]
            for f in range(row_ptr[i], row_ptr[i + 1]):
                j = row_site[f]
                state.extra[j] += weight[i]
                if state.place[j] < 0 and state.gain[j] + state.extra[j] > gain:
                    best, gain = j, state.gain[j] + state.extra[j]
    for e in range(site_ptr[r], site_ptr[r + 1]):
        i = site_row[e]
        if state.held[i] == 1:
            for f in range(row_ptr[i], row_ptr[i + 1]):
                state.extra[row_site[f]] = 0.0
    return best, gain - loss, work


@njit(cache=True)
def _wake(j, site_ptr, site_row, row_ptr, row_site, state, queue, queued, n_queued):  # type: ignore[no-untyped-def]
    """Queue the positions of chosen sites that share a row with site j; return how many are queued."""
    for e in range(site_ptr[j], site_ptr[j + 1]):
        i = site_row[e]
        if state.held[i] > 0:
            for f in range(row_ptr[i], row_ptr[i + 1]):
                at = state.place[row_site[f]]
                if at >= 0 and not queued[at]:
                    queued[at] = True
                    queue[n_queued] = at
                    n_queued += 1
    return n_queued


@njit(cache=True)
def _neighbour(j, site_ptr, site_row, row_ptr, row_site, random):  # type: ignore[no-untyped-def]
    """Return a random site that shares a row with site j; j itself, or any site where it has none."""
    if site_ptr[j + 1] == site_ptr[j]:
        return np.int64(_draw(random, site_ptr.size - 1))
    i = site_row[site_ptr[j] + _draw(random, site_ptr[j + 1] - site_ptr[j])]
    return np.int64(row_site[row_ptr[i] + _draw(random, row_ptr[i + 1] - row_ptr[i])])


@njit(cache=True)
def _search(site_ptr, site_row, row_ptr, row_site, weight, state, limit, slack):  # type: ignore[no-untyped-def]
    p = state.chosen.size
    queue, queued = np.empty(p, np.int32), np.zeros(p, np.bool_)
    was_at, was = np.empty(64, np.int32), np.empty(64, np.int32)  # the swaps of a round, to undo it
    n_queued = p
    for at in range(p):
        queue[at] = p - 1 - at
        queued[at] = True
    better = 1e-9 * max(state.value[0], 1e-300)
    before, n_swaps, settled, work = state.value[0], 0, False, 0
    while True:
        while n_queued:
            n_queued -= 1
            at = queue[n_queued]
            queued[at] = False
            r = state.chosen[at]
            j, gain, steps = _best_swap(r, site_ptr, site_row, row_ptr, row_site, weight, state)
            work += steps
            if j >= 0 and gain > better:
                if n_swaps == was.size:
                    more_at, more = np.empty(2 * n_swaps, np.int32), np.empty(2 * n_swaps, np.int32)
                    for s in range(n_swaps):
                        more_at[s], more[s] = was_at[s], was[s]
                    was_at, was = more_at, more
                was_at[n_swaps], was[n_swaps] = at, r
                n_swaps += 1
                work += _close(r, site_ptr, site_row, row_ptr, row_site, weight, state)
                work += _open(j, at, site_ptr, site_row, row_ptr, row_site, weight, state)
                n_queued = _wake(r, site_ptr, site_row, row_ptr, row_site, state, queue, queued, n_queued)
                n_queued = _wake(j, site_ptr, site_row, row_ptr, row_site, state, queue, queued, n_queued)
        if settled and state.value[0] < min(before, state.best_value[0] - slack) - better:
            for s in range(n_swaps - 1, -1, -1):
                work += _close(state.chosen[was_at[s]], site_ptr, site_row, row_ptr, row_site, weight, state)
                work += _open(was[s], was_at[s], site_ptr, site_row, row_ptr, row_site, weight, state)
        settled = True
        if state.value[0] > state.best_value[0] + better:
            state.best_value[0] = state.value[0]
            for s in range(p):
                state.best[s] = state.chosen[s]
        if work >= limit or p == 0 or p == site_ptr.size - 1:
            break
        before, n_swaps = state.value[0], 0
        at = _draw(state.random, p)
        for _ in range(1 + _draw(state.random, KICK)):
            r = state.chosen[at]
            j = _neighbour(r, site_ptr, site_row, row_ptr, row_site, state.random)
            if state.place[j] < 0:
                was_at[n_swaps], was[n_swaps] = at, r
                n_swaps += 1
                work += _close(r, site_ptr, site_row, row_ptr, row_site, weight, state)
                work += _open(j, at, site_ptr, site_row, row_ptr, row_site, weight, state)
                n_queued = _wake(r, site_ptr, site_row, row_ptr, row_site, state, queue, queued, n_queued)
                n_queued = _wake(j, site_ptr, site_row, row_ptr, row_site, state, queue, queued, n_queued)
            at = _draw(state.random, p)
            for _ in range(8):  # the next site moved is a neighbour where one is met
                near = state.place[_neighbour(j, site_ptr, site_row, row_ptr, row_site, state.random)]
                if near >= 0 and near != state.place[j]:
                    at = near
                    break
        work += 64
