"""Conditional permutation of all cells at once: one shuffle serves them all, corrected where a cell met itself.

A shuffle is an ordered draw of k + 1 different cells. Its first k that are not cell i are an equally likely draw of k
among the others of i. So for all cells with k neighbours that are not among the first k drawn the shuffled sum is the
same number: these sums are sorted once, and a cell looks its own sum up. The few cells that were drawn themselves,
k in each shuffle, are corrected one by one. The count is exactly that of going through every cell and every shuffle.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: As many cells are drawn at a time.
BLOCK = 1 << 22
#: Sums this close, as a share of the largest value and for each value added, differ by rounding alone.
ROUNDING = 1e-12


@njit(cache=True)
def _deal(deck, chance, drawn):  # type: ignore[no-untyped-def]
    """Draw different cells in each row: the head of a Fisher-Yates shuffle that goes on from wherever the deck stands.

    deck : (n,) int32, all cells in any order, reordered. chance : (rows, k) float64 in [0, 1). drawn : (rows, k) int32.
    """
    n = deck.size
    for r in range(chance.shape[0]):
        for j in range(chance.shape[1]):
            at = j + int(chance[r, j] * (n - j))
            deck[j], deck[at] = deck[at], deck[j]
            drawn[r, j] = deck[j]


def counts_beyond(
    values: Floats, sums: Floats, degree: NDArray[np.integer], permutations: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Count for each cell the shuffles whose sum is at least, and at most, the observed one, ties counted in both.

    values : (n,). sums : (n,) observed sums of ``degree`` (n,) other cells' values. All shuffles count for a cell
    without neighbours.
    """
    n = len(values)
    at_least, at_most = np.zeros(n, np.int64), np.zeros(n, np.int64)
    most = int(degree.max(initial=0))
    order = np.argsort(degree, kind="stable")
    first = np.searchsorted(degree[order], np.arange(most + 2))
    alone = order[: first[1]]
    at_least[alone] = at_most[alone] = permutations
    if most == 0:
        return at_least, at_most

    deck = np.arange(n, dtype=np.int32)
    width = most + 1
    rows = max(1, BLOCK // width)
    for begin in range(0, permutations, rows):
        drawn = np.empty((min(rows, permutations - begin), width), np.int32)
        _deal(deck, rng.random(drawn.shape), drawn)
        running = np.zeros(len(drawn))
        for k in range(1, width):
            running += values[drawn[:, k - 1]]
            cells = order[first[k] : first[k + 1]]
            if len(cells):
                _count(values, sums, degree, cells, drawn[:, : k + 1], running, at_least, at_most)
    return at_least, at_most


def _count(
    values: Floats,
    sums: Floats,
    degree: NDArray[np.integer],
    cells: Ints,
    drawn: NDArray[np.int32],
    shuffled: Floats,
    at_least: Ints,
    at_most: Ints,
) -> None:
    """Add to the counts of ``cells``, which all have k neighbours: drawn (rows, k + 1), shuffled the sums of k."""
    k = drawn.shape[1] - 1
    slack = ROUNDING * (k + 1) * float(np.abs(values).max())
    ordered = np.sort(shuffled)
    at_least[cells] += len(ordered) - np.searchsorted(ordered, sums[cells] - slack, "left")
    at_most[cells] += np.searchsorted(ordered, sums[cells] + slack, "right")
    row, place = np.nonzero(degree[drawn[:, :k]] == k)
    itself = drawn[row, place]
    without = shuffled[row] - values[itself] + values[drawn[row, k]]
    for counts, beyond in ((at_least, _at_least), (at_most, _at_most)):
        change = beyond(without, sums[itself], slack).astype(np.int64) - beyond(shuffled[row], sums[itself], slack)
        np.add.at(counts, itself, change)


def _at_least(shuffled: Floats, observed: Floats, slack: float) -> NDArray[np.bool_]:
    return shuffled >= observed - slack


def _at_most(shuffled: Floats, observed: Floats, slack: float) -> NDArray[np.bool_]:
    return shuffled <= observed + slack
