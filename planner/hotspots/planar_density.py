"""Kernel density of events on the plane: events per square metre, exact, on a raster or at any points."""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from gis.errors import QuestionError
from planner.hotspots.network_density import checked_weight

Floats = NDArray[np.float64]
#: Rasters of more cells are refused.
MOST_CELLS = 100_000_000


def planar_density(
    x: ArrayLike,
    y: ArrayLike,
    weight: Floats | None,
    *,
    x0: float,
    y0: float,
    cell_m: float,
    columns: int,
    rows: int,
    bandwidth_m: float,
) -> Floats:
    """Return (rows, columns) the density at the centres of a raster's cells, in weight per square metre.

    x, y : (k,) events in metres. weight : (k,) finite >= 0; one each if None. x0, y0 : the raster's south-west corner;
    row 0 is the southernmost. Epanechnikov's kernel, 2 / (pi b^2) (1 - d^2 / b^2) within the bandwidth b.

    Exact to rounding: along a row an event's kernel is a parabola between two columns, so each row takes the sum of
    the parabolas' coefficients that have begun and not ended. Cost: events within the bandwidth of each row, and cells.
    Raises QuestionError on coordinates, weights or a raster that make no sense.
    Source: the sweep over rows of Chan, U, Choi & Xu 2022, doi:10.1145/3514221.3517823 (SLAM).
    """
    east, north, given = _checked(x, y, weight, bandwidth_m)
    if not (np.isfinite([x0, y0, cell_m]).all() and cell_m > 0 and 0 < columns * rows <= MOST_CELLS and columns > 0):
        zh = f"栅格须有原点、大于 0 的格宽与 1 至 {MOST_CELLS} 个格，收到 {columns} 列 {rows} 行、格宽 {cell_m}"
        en = f"a raster needs an origin and 1 to {MOST_CELLS} cells above 0 m, got {columns} x {rows} of {cell_m} m"
        raise QuestionError(zh, en)

    turned = columns < rows  # an event costs once a row: fewer rows are cheaper
    if turned:
        east, north, x0, y0, columns, rows = north, east, y0, x0, rows, columns
    order = np.argsort(north, kind="stable")
    # in cells, from the centre of the first
    a, b = (east[order] - x0) / cell_m - 0.5, (north[order] - y0) / cell_m - 0.5
    reach = bandwidth_m / cell_m
    sums = _sweep(a, b, given[order], columns, rows, reach)
    density = sums * (2.0 / (np.pi * bandwidth_m**2))
    return np.ascontiguousarray(density.T) if turned else density


def planar_density_at(
    x: ArrayLike, y: ArrayLike, weight: Floats | None, at_x: ArrayLike, at_y: ArrayLike, *, bandwidth_m: float
) -> Floats:
    """Return (p,) the density at points (cell centres of hexagons, say), as ``planar_density`` does for a raster."""
    east, north, given = _checked(x, y, weight, bandwidth_m)
    to_x, to_y = np.asarray(at_x, np.float64), np.asarray(at_y, np.float64)
    if to_x.ndim != 1 or to_x.shape != to_y.shape or not (np.isfinite(to_x) & np.isfinite(to_y)).all():
        zh = f"待求点坐标须为等长且有限的数列，收到 {to_x.shape} 与 {to_y.shape}"
        raise QuestionError(zh, f"points need finite coordinates of one length, got {to_x.shape} and {to_y.shape}")
    if not len(east) or not len(to_x):
        return np.zeros(len(to_x))

    # Events by row of a grid one bandwidth wide, in each by x: a point looks along three rows.
    row = np.floor((north - north.min()) / bandwidth_m)
    order = np.lexsort((east, row))
    begins = np.flatnonzero(np.r_[True, np.diff(row[order]) > 0])
    sums = _near(
        east[order], north[order], given[order], row[order][begins], np.append(begins, len(east)), to_x, to_y,
        np.floor((to_y - north.min()) / bandwidth_m), float(bandwidth_m),
    )  # fmt: skip
    return np.asarray(sums * (2.0 / (np.pi * bandwidth_m**2)))


def _checked(x: ArrayLike, y: ArrayLike, weight: Floats | None, bandwidth_m: float) -> tuple[Floats, Floats, Floats]:
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if east.ndim != 1 or east.shape != north.shape or not (np.isfinite(east) & np.isfinite(north)).all():
        zh = f"事件坐标须为等长且有限的数列，收到 {east.shape} 与 {north.shape}"
        raise QuestionError(zh, f"events need finite coordinates of one length, got {east.shape} and {north.shape}")
    if not (np.isfinite(bandwidth_m) and bandwidth_m > 0):
        zh = f"带宽须大于 0 米，收到 {bandwidth_m}"
        raise QuestionError(zh, f"a bandwidth must be above 0 metres, got {bandwidth_m}")
    return east, north, checked_weight(weight, len(east))


@njit(cache=True, error_model="numpy")
def _sweep(a, b, weight, columns, rows, reach):  # type: ignore[no-untyped-def]
    """Return (rows, columns) the sums of weight * (1 - d^2 / reach^2), lengths in cells, events ordered by b.

    Columns go in blocks about as wide as the reach, each with its own origin, so that a cell's sum is taken between
    numbers of its own size and keeps its digits however wide the raster is.
    """
    block = max(int(reach), 16)
    sums = np.zeros((rows, columns))
    change = np.zeros((columns + 1, 4))  # of the count, weight, moment and second moment at a column
    per2 = 1.0 / (reach * reach)
    begin = 0
    for r in range(rows):
        while begin < b.size and b[begin] <= r - reach:
            begin += 1
        for e in range(begin, b.size):
            up = b[e] - r
            if up >= reach:
                break
            half = np.sqrt(reach * reach - up * up)
            first = max(int(np.ceil(a[e] - half)), 0)
            last = min(int(np.floor(a[e] + half)), columns - 1)
            while first <= last:
                origin = first - first % block
                until = min(last + 1, origin + block)
                x = a[e] - origin
                w = weight[e] * (1.0 - (x * x + up * up) * per2)
                change[first, 0] += 1.0
                change[first, 1] += w
                change[first, 2] += weight[e] * x
                change[first, 3] += weight[e]
                if until < min(origin + block, columns):
                    change[until, 0] -= 1.0
                    change[until, 1] -= w
                    change[until, 2] -= weight[e] * x
                    change[until, 3] -= weight[e]
                first = until
        count = constant = moment = total = 0.0
        for c in range(columns):
            x = np.float64(c % block)
            if x == 0.0:
                count = constant = moment = total = 0.0
            count += change[c, 0]
            constant += change[c, 1]
            moment += change[c, 2]
            total += change[c, 3]
            for j in range(4):
                change[c, j] = 0.0
            if count > 0.0:
                sums[r, c] = max(constant + (2.0 * moment * x - total * x * x) * per2, 0.0)
    return sums


@njit(cache=True, error_model="numpy")
def _near(x, y, weight, row, begins, to_x, to_y, to_row, reach):  # type: ignore[no-untyped-def]
    """Return (p,) the sums of weight * (1 - d^2 / reach^2) over events within reach, these by row and x."""
    sums = np.zeros(to_x.size)
    per2 = 1.0 / (reach * reach)
    for p in range(to_x.size):
        k = np.searchsorted(row, to_row[p] - 1.0)
        while k < row.size and row[k] <= to_row[p] + 1.0:
            low, high = begins[k], begins[k + 1]
            end = high
            while low < high:  # the first event within reach to the west
                middle = (low + high) // 2
                if x[middle] < to_x[p] - reach:
                    low = middle + 1
                else:
                    high = middle
            for e in range(low, end):
                dx = x[e] - to_x[p]
                if dx > reach:
                    break
                dy = y[e] - to_y[p]
                d2 = (dx * dx + dy * dy) * per2
                if d2 < 1.0:
                    sums[p] += weight[e] * (1.0 - d2)
            k += 1
    return sums
