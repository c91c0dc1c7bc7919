"""On which nights of a week each duty is due: its visits evenly apart, every night about as much work."""

import numpy as np
from numpy.typing import NDArray

NIGHTS = 7
#: Streets of one block of this size are due on the same nights, so that a route is no patchwork.
BLOCK_M = 500.0
#: How much of the work of earlier blocks is remembered for each new one: nights are balanced within some dozen blocks.
MEMORY = 0.95


def nights_of(times_a_week: int, first: int) -> NDArray[np.int64]:
    """Return the nights (0 to 6) of ``times_a_week`` visits, as evenly apart as nights allow, ``first`` among them."""
    return np.sort((first + np.arange(times_a_week) * NIGHTS // times_a_week) % NIGHTS)


def due_nights(
    times_a_week: NDArray[np.int64], work_s: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return (d, 7) whether each duty is due on each night, Monday's first.

    times_a_week : (d,) 1 to 7. work_s : (d,) seconds it takes. x, y : (d,) metres.
    Duties of one block and one frequency share their nights. Blocks are taken row by row, to and fro, and each begins
    its week on the night that leaves the nights of its neighbourhood most even (ties: the earliest).
    """
    due = np.zeros((len(times_a_week), NIGHTS), bool)
    column, row = (np.floor(at / BLOCK_M).astype(np.int64) for at in (x, y))
    if not len(due):
        return due
    column, row = column - column.min(), row - row.min()
    column = np.where(row % 2 == 0, column, column.max() - column)
    order = np.lexsort((times_a_week, column, row))
    keys = np.column_stack([row, column, times_a_week])[order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    load_s = np.zeros(NIGHTS)
    for begin, end in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        members = order[begin:end]
        times = int(times_a_week[members[0]])
        load_s *= MEMORY
        if times == NIGHTS:
            due[members] = True
            continue
        choices = [nights_of(times, first) for first in range(NIGHTS)]
        nights = choices[int(np.argmin([load_s[nights].sum() for nights in choices]))]
        load_s[nights] += work_s[members].sum()
        due[np.ix_(members, nights)] = True
    return due
