"""Counts in which one person can matter only so often, though the records name nobody.

Reports are anonymous, so nobody's repeated finds can be told from those of others and cut off by name. What can be
done without names: count only days fixed beforehand by the calendar, and of each cell and day the largest group
reported, which one person raises or lowers by at most one however often they were reported there.
"""

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.release_geography import Positions


def quarter_start(year: int, quarter: int) -> dt.date:
    """Return the first day of a quarter; quarters 5, 6, .. are those of the next year."""
    return dt.date(year + (quarter - 1) // 4, 3 * ((quarter - 1) % 4) + 1, 1)


def counted_days(year: int, quarter: int, days: int) -> tuple[dt.date, ...]:
    """Return ``days`` days spread evenly over a quarter, by the calendar alone.

    Raises QuestionError unless the quarter has that many days.
    """
    start = quarter_start(year, quarter)
    length = (quarter_start(year, quarter + 1) - start).days
    if not 1 <= days <= length:
        raise QuestionError(f"该季度可计 1 至 {length} 天，收到 {days}", f"1 to {length} days can count, not {days}")
    return tuple(start + dt.timedelta(days=(2 * i + 1) * length // (2 * days)) for i in range(days))


def bounded_counts(
    cell: Positions, day: NDArray[np.datetime64], people: Positions, counted: tuple[dt.date, ...], n_cells: int
) -> Positions:
    """Return (n_cells,) people: over the counted days, the sum of the largest group reported in a cell that day.

    cell : (m,) the cell of each report, -1 outside. day : (m,) its date. people : (m,) how many it speaks of.
    One person changes a cell and day by at most 1, hence the table by at most the counted days times the cells they
    are seen in on one day: with one cell a day ``ReleaseQuestion.counts_per_person`` is ``len(counted)``.
    """
    slot = np.searchsorted(np.array(counted, "datetime64[D]"), day.astype("datetime64[D]"))
    slot = np.minimum(slot, len(counted) - 1)
    meant = (np.array(counted, "datetime64[D]")[slot] == day.astype("datetime64[D]")) & (cell >= 0)
    largest = np.zeros((len(counted), n_cells), np.int64)
    np.maximum.at(largest, (slot[meant], cell[meant]), people[meant])
    return np.asarray(largest.sum(axis=0), np.int64)
