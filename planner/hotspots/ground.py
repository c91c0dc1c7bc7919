"""The streets and cells that a question is about, ready to be counted in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from planner.areas_around import lie_within
from planner.hotspots.cells import Cells, cells_of, spread
from planner.hotspots.frame import Frame
from planner.hotspots.lixels import Lixels, lixels_of
from planner.hotspots.neighbours import Links, tiling_neighbours
from planner.hotspots.records import Events, HotspotRecords

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LIXEL_M = 50.0
#: Cells times periods counted at once: a table of 1.6 GB.
MOST_COUNTS = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Streets cut into lixels, and the cells around them.

    walkable : (m,) segments a patrol may walk, within the areas asked about. cells : with a walkable street, or a
    report asked about. links : which cells touch.
    """

    network: StreetNetwork
    walkable: NDArray[np.bool_]
    lixels: Lixels
    cells: Cells
    links: Links

    def per_cell(self, per_segment: Floats) -> Floats:
        """Return (n, ...) what each cell has of what lies evenly along segments (m, ...)."""
        return spread(self.cells, self.lixels, per_segment, self.network.length_m)

    def cube(self, events: Events, starts: Ints) -> Floats:
        """Return (n, t) reports of each cell in each period; starts : (t + 1,) days since 1970.

        Raises QuestionError where these would be too many to count in.
        """
        if len(self.cells) * (len(starts) - 1) > MOST_COUNTS:
            raise QuestionError("格网过细或时间过长，请加大网格或缩短时间",
                                "too many cells and periods: ask for larger cells or fewer days")  # fmt: skip
        cell, period = self.cells.around(events.x, events.y), np.searchsorted(starts, events.day, side="right") - 1
        t = len(starts) - 1
        kept = (cell >= 0) & (period >= 0) & (period < t)
        counts = np.bincount(cell[kept] * t + period[kept], minlength=len(self.cells) * t)
        return np.asarray(counts.reshape(len(self.cells), t), np.float64)


def ground_of(records: HotspotRecords, frame: Frame, events: Events) -> Ground:
    """Return the ground of a question whose reports are ``events``. Raises QuestionError without a street to walk."""
    network = records.city.network
    middles = Positions(
        np.arange(network.n_segments, dtype=np.int32), network.length_m / 2, np.zeros(network.n_segments)
    )
    walkable = np.isfinite(travel_by(network, "walk").seconds_per_m)
    walkable &= lie_within(records.city, middles, frame.within)
    if not (walkable & (network.length_m > 0)).any():
        raise QuestionError("没有可巡查的街面", "there is no street to patrol")
    lixels = lixels_of(network, LIXEL_M)
    cells = cells_of(network, lixels, walkable, frame.tiling, events.x, events.y)
    return Ground(network, walkable, lixels, cells, tiling_neighbours(cells.column, cells.row, frame.cells))


def starts_of(first: np.datetime64, last: np.datetime64, months: int) -> Ints:
    """Return (t + 1,) days since 1970 on which whole periods of ``months`` begin, the last one ending by ``last``.

    first, last : days, both included; the first period is the first that begins on ``first`` or later.
    """
    begin = first.astype("datetime64[M]")
    begin = begin if begin.astype("datetime64[D]") >= first else begin + 1
    end = (last.astype("datetime64[D]") + 1).astype("datetime64[M]")
    count = int((end - begin).astype(int)) // months
    # counted back from the last whole month, so that the newest reports are in
    return np.asarray((end - months * np.arange(max(count, 0), -1, -1)).astype("datetime64[D]").astype(np.int64))


def parts_of(first: int, last: int) -> Ints:
    """Return (t + 1,) days since 1970 that part the days ``first`` to ``last``, both included, into months.

    Broken months at either end are parts of their own.
    """
    begin, end = (np.datetime64(day, "D").astype("datetime64[M]") for day in (first, last))
    months = np.arange(begin + 1, end + 1).astype("datetime64[D]").astype(np.int64)
    return np.unique(np.r_[first, months, last + 1])
