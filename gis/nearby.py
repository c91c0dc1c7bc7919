"""All segments near a point, not the nearest alone: an even grid of straight parts, asked from compiled code."""

from typing import NamedTuple

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.network import StreetNetwork

#: Metres of a cell's side; straight parts are cut to at most this, so that each lies in few cells.
CELL_M = 50.0


class StreetGrid(NamedTuple):
    """Usable segments as straight parts in the cells of an even grid, metric coordinates of the network.

    west, south : corner of the grid; columns, rows : of its cells. indptr (cells + 1,), part : parts that touch a cell,
    row by row from the south. segment (p,) int32; x, y, dx, dy (p,) where a part begins and how far it goes;
    from_m, to_m (p,) the same as metres from the segment's u end.
    """

    west: float
    south: float
    columns: int
    rows: int
    indptr: NDArray[np.int64]
    part: NDArray[np.int32]
    segment: NDArray[np.int32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]


def street_grid(network: StreetNetwork, usable: NDArray[np.bool_]) -> StreetGrid:
    """Lay the segments marked in ``usable`` (m,) out in a grid of cells ``CELL_M`` wide."""
    chosen = np.flatnonzero(usable)
    vertices, line = shapely.get_coordinates(network.geometry[chosen], return_index=True)
    x, y = to_metric(vertices[:, 0], vertices[:, 1], network.crs)
    joined = np.flatnonzero(line[1:] == line[:-1])
    drawn = np.hypot(x[joined + 1] - x[joined], y[joined + 1] - y[joined])
    # metres along the street: the drawn line stretched to the segment's own length, as everywhere
    along = np.cumsum(drawn)
    of = line[joined]
    first = np.searchsorted(of, np.arange(len(chosen)))
    before = np.concatenate([[0.0], along])[first]
    total = np.bincount(of, drawn, len(chosen))
    stretch = np.divide(network.length_m[chosen], total, out=np.zeros(len(chosen)), where=total > 0)[of]
    ends_m = (along - before[of]) * stretch
    begins_m = (along - drawn - before[of]) * stretch

    pieces = np.maximum(np.ceil(drawn / CELL_M).astype(np.int64), 1)
    row = np.repeat(np.arange(len(joined)), pieces)
    step = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share, cut = 1.0 / pieces[row], step / pieces[row]
    dx, dy = (x[joined + 1] - x[joined])[row] * share, (y[joined + 1] - y[joined])[row] * share
    px, py = x[joined][row] + dx * step, y[joined][row] + dy * step
    span_m = (ends_m - begins_m)[row]
    from_m = begins_m[row] + span_m * cut
    length_m = network.length_m[chosen[of[row]]]
    return _in_cells(
        chosen[of[row]].astype(np.int32), px, py, dx, dy,
        np.clip(from_m, 0.0, length_m), np.clip(from_m + span_m * share, 0.0, length_m),
    )  # fmt: skip


def _in_cells(
    segment: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    dx: NDArray[np.float64],
    dy: NDArray[np.float64],
    from_m: NDArray[np.float64],
    to_m: NDArray[np.float64],
) -> StreetGrid:
    if not len(x):
        nothing = np.zeros(2, np.int64)
        return StreetGrid(0.0, 0.0, 1, 1, nothing, np.empty(0, np.int32), segment, x, y, dx, dy, from_m, to_m)
    west, south = float(min(x.min(), (x + dx).min())), float(min(y.min(), (y + dy).min()))
    low_x, high_x = (np.minimum(x, x + dx) - west) // CELL_M, (np.maximum(x, x + dx) - west) // CELL_M
    low_y, high_y = (np.minimum(y, y + dy) - south) // CELL_M, (np.maximum(y, y + dy) - south) // CELL_M
    columns, rows = int(high_x.max()) + 1, int(high_y.max()) + 1
    cell, part = [], []
    for right in (0, 1):  # a part no longer than a cell touches at most two cells each way
        for up in (0, 1):
            touches = (low_x + right <= high_x) & (low_y + up <= high_y)
            cell.append(((low_y + up) * columns + low_x + right)[touches].astype(np.int64))
            part.append(np.flatnonzero(touches))
    cells, parts = np.concatenate(cell), np.concatenate(part)
    order = np.lexsort((parts, cells))
    indptr = np.zeros(columns * rows + 1, np.int64)
    np.cumsum(np.bincount(cells, minlength=columns * rows), out=indptr[1:])
    return StreetGrid(
        west, south, columns, rows, indptr, parts[order].astype(np.int32), segment, x, y, dx, dy, from_m, to_m
    )


@njit(cache=True)
def segments_near(x, y, radius_m, grid, at, segment, offset_m, gap_m):  # type: ignore[no-untyped-def]
    """Write the segments within ``radius_m`` of a point, one nearest place each; return how many.

    at : (2,) int64, first and last + 1 row of ``segment``, ``offset_m``, ``gap_m`` to write; where more segments are
    near, the nearest stay. A segment drawn with several parts equally near keeps the first.
    """
    first, room = at[0], at[1] - at[0]
    count = 0
    low_x = max(np.int64((x - radius_m - grid.west) // CELL_M), 0)
    high_x = min(np.int64((x + radius_m - grid.west) // CELL_M), grid.columns - 1)
    low_y = max(np.int64((y - radius_m - grid.south) // CELL_M), 0)
    high_y = min(np.int64((y + radius_m - grid.south) // CELL_M), grid.rows - 1)
    for row in range(low_y, high_y + 1):
        for column in range(low_x, high_x + 1):
            cell = row * grid.columns + column
            for e in range(grid.indptr[cell], grid.indptr[cell + 1]):
                p = grid.part[e]
                ax, ay, bx, by = x - grid.x[p], y - grid.y[p], grid.dx[p], grid.dy[p]
                square = bx * bx + by * by
                share = min(max((ax * bx + ay * by) / square, 0.0), 1.0) if square > 0.0 else 0.0
                gap = np.hypot(ax - share * bx, ay - share * by)
                if gap > radius_m:
                    continue
                into = first
                while into < first + count and segment[into] != grid.segment[p]:
                    into += 1
                if into == first + count:
                    if count < room:
                        count += 1
                    else:  # full: the farthest makes way
                        into = first
                        for i in range(first + 1, first + count):
                            if gap_m[i] > gap_m[into]:
                                into = i
                        if gap_m[into] <= gap:
                            continue
                elif gap_m[into] <= gap:
                    continue
                segment[into] = grid.segment[p]
                along = grid.from_m[p] + share * (grid.to_m[p] - grid.from_m[p])
                offset_m[into] = min(along, max(grid.from_m[p], grid.to_m[p]))  # rounding leads past no end
                gap_m[into] = gap
    return count
