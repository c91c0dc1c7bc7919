"""Good choices for a covering problem with limits: take neighbouring columns away, fill up greedily, keep gains."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from planner.area_statistics import sum_by
from planner.siting.cover_model import Columns, CoverProblem
from planner.watch import Watch

SEARCHING = "searching good plans"
#: Elementary steps of a search, per entry of the cover sets and in all, and between two looks at the watch.
STEPS_PER_ENTRY, MOST_STEPS, STRIDE = 3_000, 600_000_000, 20_000_000
#: Columns taken away in one round are drawn from 1 to this many.
TAKEN = 4
#: What limits may be overstepped by, as rounding.
SLACK = 1e-9


class _Shape(NamedTuple):
    """The problem as flat arrays; ``lim_ptr, lim_row, lim_use`` are its limits by column, ``share`` how much of the
    limits a column uses up."""

    site_ptr: NDArray[np.int64]
    site_row: NDArray[np.int32]
    row_ptr: NDArray[np.int64]
    row_site: NDArray[np.int32]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    place: NDArray[np.int32]
    must: NDArray[np.bool_]
    lim_ptr: NDArray[np.int64]
    lim_row: NDArray[np.int32]
    lim_use: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    share: NDArray[np.float64]


class _State(NamedTuple):
    """Where a search stands: covers per row, gain per column, column chosen per place and its position among the
    ``chosen``, of which the first ``n_chosen[0]`` count, use per limit, what is earned, state of the generator."""

    held: NDArray[np.int32]
    gain: NDArray[np.float64]
    at_place: NDArray[np.int32]
    position: NDArray[np.int32]
    chosen: NDArray[np.int32]
    n_chosen: NDArray[np.int64]
    used: NDArray[np.float64]
    value: NDArray[np.float64]
    random: NDArray[np.uint64]


def improved(problem: CoverProblem, start: Columns, watch: Watch, seed: int, *, effort: float = 1.0) -> Columns:
    """Return the best choice of columns found from a feasible ``start``; it is feasible too and earns no less.

    effort : part of the usual steps to spend.
    """
    shape, state = _shape(problem), _state(problem, seed)
    _open_all(start.astype(np.int32), shape, state)
    _search(shape, state, 0)  # fills up greedily, also where the watch is over
    entries = len(problem.sets.site_row) + problem.sets.n_sites
    left = effort * min(STEPS_PER_ENTRY * entries, MOST_STEPS)
    while left > 0 and not watch.over:
        _search(shape, state, int(min(left, STRIDE)))
        left -= STRIDE
        watch.tell(SEARCHING, value=problem.base + float(state.value[0]))
    return np.sort(state.chosen[: state.n_chosen[0]]).astype(np.int64)


def _shape(problem: CoverProblem) -> _Shape:
    sets, limits = problem.sets, problem.limits.tocsc()
    room = np.where(np.isfinite(problem.most) & (problem.most > 0), problem.most, np.inf)
    return _Shape(
        sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, problem.first, problem.second, problem.place,
        problem.must, limits.indptr.astype(np.int64), limits.indices.astype(np.int32), limits.data.astype(np.float64),
        problem.least - SLACK, problem.most + SLACK, np.asarray(limits.T @ (1.0 / room), np.float64),
    )  # fmt: skip


def _state(problem: CoverProblem, seed: int) -> _State:
    sets = problem.sets
    owner = np.repeat(np.arange(sets.n_sites, dtype=np.int32), np.diff(sets.site_ptr))
    return _State(
        np.zeros(sets.n_rows, np.int32), sum_by(owner, sets.n_sites, problem.first[sets.site_row]),
        np.full(len(problem.must), -1, np.int32), np.zeros(len(problem.must), np.int32),
        np.zeros(len(problem.must), np.int32), np.zeros(1, np.int64), np.zeros(len(problem.most)), np.zeros(1),
        np.random.default_rng(seed).integers(0, 2**64, 1, np.uint64),
    )  # fmt: skip


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
def _turn(j, step, shape, state):  # type: ignore[no-untyped-def]
    """Open (step 1) or shut (step -1) column j; return the work."""
    work = shape.site_ptr[j + 1] - shape.site_ptr[j] + 1
    for e in range(shape.site_ptr[j], shape.site_ptr[j + 1]):
        i = shape.site_row[e]
        held = state.held[i]
        state.held[i] = held + step
        next_before = shape.first[i] if held == 0 else (shape.second[i] if held == 1 else 0.0)
        held += step
        next_after = shape.first[i] if held == 0 else (shape.second[i] if held == 1 else 0.0)
        state.value[0] += next_before if step == 1 else -next_after
        change = next_after - next_before
        if change != 0.0:
            work += shape.row_ptr[i + 1] - shape.row_ptr[i]
            for f in range(shape.row_ptr[i], shape.row_ptr[i + 1]):
                state.gain[shape.row_site[f]] += change
    for e in range(shape.lim_ptr[j], shape.lim_ptr[j + 1]):
        state.used[shape.lim_row[e]] += step * shape.lim_use[e]
    here = shape.place[j]
    if step == 1:
        state.at_place[here], state.position[here] = j, state.n_chosen[0]
        state.chosen[state.n_chosen[0]] = j
        state.n_chosen[0] += 1
    else:
        state.at_place[here] = -1
        state.n_chosen[0] -= 1
        last = state.chosen[state.n_chosen[0]]
        state.chosen[state.position[here]], state.position[shape.place[last]] = last, state.position[here]
    return work


@njit(cache=True)
def _open_all(start, shape, state):  # type: ignore[no-untyped-def]
    for k in range(start.size):
        _turn(start[k], 1, shape, state)


@njit(cache=True)
def _lacking(shape, state):  # type: ignore[no-untyped-def]
    """Return whether a limit or a place still lacks something."""
    for r in range(shape.least.size):
        if state.used[r] < shape.least[r]:
            return True
    for g in range(shape.must.size):  # noqa: SIM110  # compiled: a generator costs more
        if shape.must[g] and state.at_place[g] < 0:
            return True
    return False


@njit(cache=True)
def _helps(j, shape, state):  # type: ignore[no-untyped-def]
    """Return whether column j gives what a limit or a place lacks."""
    if shape.must[shape.place[j]]:
        return True
    for e in range(shape.lim_ptr[j], shape.lim_ptr[j + 1]):
        if shape.lim_use[e] > 0 and state.used[shape.lim_row[e]] < shape.least[shape.lim_row[e]]:
            return True
    return False


@njit(cache=True)
def _next(barred, thrift, lacking, shape, state):  # type: ignore[no-untyped-def]
    """Return the column to open next, by gain over use to the power ``thrift``; -1 where none fits or gains."""
    best, best_score = -1, -1.0
    for j in range(shape.place.size):
        gain = state.gain[j]
        if j == barred or state.at_place[shape.place[j]] >= 0 or (gain <= 0 and not lacking):
            continue
        score = gain
        if thrift == 1:
            score = gain / np.sqrt(shape.share[j] + 1e-12)
        elif thrift == 2:
            score = gain / (shape.share[j] + 1e-12)
        if score <= best_score or (lacking and not _helps(j, shape, state)):
            continue
        fits = True
        for e in range(shape.lim_ptr[j], shape.lim_ptr[j + 1]):
            if state.used[shape.lim_row[e]] + shape.lim_use[e] > shape.most[shape.lim_row[e]]:
                fits = False
                break
        if fits:
            best, best_score = j, score
    return best


@njit(cache=True)
def _fill(barred, thrift, added, shape, state):  # type: ignore[no-untyped-def]
    """Open columns until none fits or gains; return (how many, work)."""
    n_added, work = 0, 0
    while n_added < added.size:
        j = _next(barred, thrift, _lacking(shape, state), shape, state)
        work += shape.place.size + shape.must.size
        if j < 0:
            break
        work += _turn(j, 1, shape, state)
        added[n_added] = j
        n_added += 1
    return n_added, work


@njit(cache=True)
def _near(j, shape, state):  # type: ignore[no-untyped-def]
    """Return a chosen column that shares a row, or a neighbour's row, with column j; -1 where none is met."""
    for _ in range(8):
        k = j
        for _ in range(2):
            if shape.site_ptr[k + 1] > shape.site_ptr[k]:
                i = shape.site_row[shape.site_ptr[k] + _draw(state.random, shape.site_ptr[k + 1] - shape.site_ptr[k])]
                k = shape.row_site[shape.row_ptr[i] + _draw(state.random, shape.row_ptr[i + 1] - shape.row_ptr[i])]
            there = state.at_place[shape.place[k]]
            if there >= 0 and there != j:
                return there
    return -1


@njit(cache=True)
def _search(shape, state, limit):  # type: ignore[no-untyped-def]
    """Take away and fill up, keeping what earns no less and lacks nothing, for ``limit`` elementary steps."""
    p = shape.must.size
    taken, added = np.empty(TAKEN, np.int32), np.empty(p, np.int32)
    _, work = _fill(-1, 2, added, shape, state)
    while work < limit:
        before, n_taken, j = state.value[0], 0, -1
        for _ in range(1 + _draw(state.random, TAKEN)):
            j = _near(j, shape, state) if j >= 0 else -1
            if j < 0 and state.n_chosen[0] > 0:
                j = state.chosen[_draw(state.random, state.n_chosen[0])]
            if j >= 0:
                work += _turn(j, -1, shape, state)
                taken[n_taken] = j
                n_taken += 1
        barred = taken[0] if n_taken and _draw(state.random, 2) == 0 else -1
        n_added, steps = _fill(barred, _draw(state.random, 3), added, shape, state)
        work += steps + 64
        if _lacking(shape, state) or state.value[0] < before - 1e-9 * abs(before):
            for k in range(n_added):
                _turn(added[k], -1, shape, state)
            for k in range(n_taken):
                _turn(taken[k], 1, shape, state)
