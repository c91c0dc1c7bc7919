"""Streets as places a few metres apart, in the cells of an even grid: what lies near a point, for compiled searches."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.network import StreetNetwork
from gis.street_points import points_on

#: Metres of a cell's side.
CELL_M = 50.0


class Places(NamedTuple):
    """Places along segments, evenly apart with one at either end; grouped by cell, within it by segment and offset.

    west, south : corner of the grid; columns, rows : of its cells. Places of cell c are ``indptr[c]:indptr[c + 1]``
    of segment (p,) int32, offset_m (p,) metres from u, x, y (p,) metric coordinates of the network.
    """

    west: float
    south: float
    columns: int
    rows: int
    indptr: NDArray[np.int64]
    segment: NDArray[np.int32]
    offset_m: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def places_along(network: StreetNetwork, usable: NDArray[np.bool_], step_m: float) -> Places:
    """Mark places at most ``step_m`` apart along the segments marked in ``usable`` (m,)."""
    chosen = np.flatnonzero(usable)
    if not len(chosen):
        return _in_cells(np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0))

    gaps = np.maximum(np.ceil(network.length_m[chosen] / step_m), 1.0).astype(np.int64)
    of = np.repeat(np.arange(len(chosen)), gaps + 1)
    step = np.arange(len(of)) - np.repeat(np.cumsum(gaps + 1) - gaps - 1, gaps + 1)
    segment, offset_m = chosen[of].astype(np.int32), network.length_m[chosen[of]] * (step / gaps[of])
    return _in_cells(segment, offset_m, *points_on(network, segment, offset_m))


def _in_cells(
    segment: NDArray[np.int32], offset_m: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> Places:
    if not len(x):
        return Places(0.0, 0.0, 1, 1, np.zeros(2, np.int64), segment, offset_m, x, y)
    west, south = float(x.min()), float(y.min())
    column, row = ((x - west) // CELL_M).astype(np.int64), ((y - south) // CELL_M).astype(np.int64)
    columns, rows = int(column.max()) + 1, int(row.max()) + 1
    cell = row * columns + column
    order = np.argsort(cell, kind="stable")
    indptr = np.zeros(columns * rows + 1, np.int64)
    np.cumsum(np.bincount(cell, minlength=columns * rows), out=indptr[1:])
    return Places(west, south, columns, rows, indptr, segment[order], offset_m[order], x[order], y[order])


@njit(cache=True)
def _cells_between(low_m: float, high_m: float, count: int) -> tuple[int, int]:
    """Return the first cell of a row of ``count`` that a span touches, and the one after the last."""
    return max(int(low_m // CELL_M), 0), min(int(high_m // CELL_M), count - 1) + 1


@njit(cache=True)
def places_near(x, y, radius_m, places, first, end, found):  # type: ignore[no-untyped-def]
    """Write the places within ``radius_m`` of a point into ``found`` from ``first`` on; return where they end.

    Cells are taken row by row from the south; what would lie beyond ``end`` is left out.
    """
    top = first
    columns = _cells_between(x - radius_m - places.west, x + radius_m - places.west, places.columns)
    rows = _cells_between(y - radius_m - places.south, y + radius_m - places.south, places.rows)
    for row in range(rows[0], rows[1]):
        for column in range(columns[0], columns[1]):
            cell = row * places.columns + column
            for p in range(places.indptr[cell], places.indptr[cell + 1]):
                ahead, aside = places.x[p] - x, places.y[p] - y
                if ahead * ahead + aside * aside <= radius_m * radius_m and top < end:
                    found[top] = p
                    top += 1
    return top
