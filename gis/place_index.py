"""One place at a time brought onto the street network, in microseconds: what ``gis.snapping.snap`` answers for many."""

import math
from typing import NamedTuple

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.errors import NetworkError
from gis.network import StreetNetwork

#: Cells of the grid for each straight piece of street, and the least side of a cell.
CELLS_A_PIECE, LEAST_SIDE_M = 2.0, 10.0
#: Metres by which a piece is taken to reach into cells beside it, and a ring of cells to reach less far than it does:
#: far above the rounding of coordinates in metres, far below anything that costs time.
FUZZ_M = 1e-3


class PlaceIndex(NamedTuple):
    """The usable segments of a network as straight pieces, sorted into a grid of square cells.

    west, south : metres, the grid's lower left corner. side_m : of a cell. columns : cells from west to east.
    cell : (cells + 1,) first entry of each cell, row by row. piece : (e,) first vertex of each piece that touches it.
    x, y : (p,) metres, vertices line by line. line : (p,) the line of each. vertex : (lines + 1,) first of each line.
    segment, length_m : (lines,) position of the line's segment in the network, ascending, and its recorded length.
    """

    west: float
    south: float
    side_m: float
    columns: int
    cell: NDArray[np.int32]
    piece: NDArray[np.int32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    line: NDArray[np.int32]
    vertex: NDArray[np.int32]
    segment: NDArray[np.int32]
    length_m: NDArray[np.float64]


def place_index(network: StreetNetwork, usable: NDArray[np.bool_] | None = None) -> PlaceIndex:
    """Sort the segments of ``network`` into a grid.

    usable : (m,) which segments places may be brought to; all of them if None. Raises NetworkError on another shape.
    """
    if usable is not None and usable.shape != (network.n_segments,):
        zh = f"可用路段标记应有 {network.n_segments} 个，实有 {usable.shape}"
        raise NetworkError(zh, f"usable must mark {network.n_segments} segments, got shape {usable.shape}")

    segment = np.arange(network.n_segments) if usable is None else np.flatnonzero(usable)
    at, line = shapely.get_coordinates(network.geometry[segment], return_index=True)
    x, y = to_metric(at[:, 0], at[:, 1], network.crs)
    line = line.astype(np.int32)
    vertex = np.searchsorted(line, np.arange(len(segment) + 1)).astype(np.int32)
    west, south = (float(c.min()) if len(c) else 0.0 for c in (x, y))
    width, height = (float(np.ptp(c)) if len(c) else 0.0 for c in (x, y))
    wanted = CELLS_A_PIECE * max(len(x) - len(segment), 1)
    side = max(math.sqrt(width * height / wanted), width / wanted, height / wanted, LEAST_SIDE_M)
    columns, rows = int(width / side) + 1, int(height / side) + 1
    cell, piece = _sorted_in(x, y, line, west, south, side, columns, rows)
    return PlaceIndex(
        west, south, side, columns, cell, piece, x, y, line, vertex, segment.astype(np.int32),
        network.length_m[segment],
    )  # fmt: skip


def metric_place(network: StreetNetwork, lon: float, lat: float) -> tuple[float, float]:
    """Return the metric coordinates of one place. Raises NetworkError where it is missing, out of range or too far."""
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        raise NetworkError("地点坐标缺失或超出范围", "the place's coordinates are missing or out of range")
    x, y = to_metric(lon, lat, network.crs)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise NetworkError("地点远在路网坐标系之外", "the place lies too far away for the network's metric system")
    return float(x), float(y)


@njit(cache=True)
def _sorted_in(x, y, line, west, south, side, columns, rows):  # type: ignore[no-untyped-def]
    """Return (cell, piece): count the pieces of each cell, then fill them in, ascending in each cell."""
    cell = np.zeros(columns * rows + 1, np.int32)
    piece = np.empty(0, np.int32)
    for fill in range(2):
        for i in range(x.size - 1):
            if line[i] != line[i + 1]:
                continue
            low, high = min(y[i], y[i + 1]), max(y[i], y[i + 1])
            for row in range(_step(low - FUZZ_M, south, side, rows), _step(high + FUZZ_M, south, side, rows) + 1):
                # the part of the piece inside the row, by shares of its rise
                begin, end = 0.0, 1.0
                if high > low:
                    begin = min(max((south + row * side - FUZZ_M - low) / (high - low), 0.0), 1.0)
                    end = min(max((south + (row + 1) * side + FUZZ_M - low) / (high - low), 0.0), 1.0)
                lower, upper = (i, i + 1) if y[i] <= y[i + 1] else (i + 1, i)
                a = x[lower] + begin * (x[upper] - x[lower])
                b = x[lower] + end * (x[upper] - x[lower])
                first = row * columns + _step(min(a, b) - FUZZ_M, west, side, columns)
                last = row * columns + _step(max(a, b) + FUZZ_M, west, side, columns)
                for c in range(first, last + 1):
                    if fill:
                        piece[cell[c]] = i
                    cell[c] += 1
        if not fill:
            total = 0
            for c in range(cell.size):
                here = cell[c]
                cell[c] = total
                total += here
            piece = np.empty(total, np.int32)
    for c in range(cell.size - 1, 0, -1):  # filling has moved each start to the next
        cell[c] = cell[c - 1]
    cell[0] = 0
    return cell, piece


@njit(cache=True)
def _step(at, origin, side, count):  # type: ignore[no-untyped-def]
    return min(max(math.floor((at - origin) / side), 0), count - 1)


@njit(cache=True)
def locate(x, y, limit_m, index):  # type: ignore[no-untyped-def]
    """Return (segment, offset_m, gap_m) of the place x, y (metres), as ``gis.snapping.snap`` does, bit for bit.

    index : a PlaceIndex. Beyond ``limit_m`` of every usable segment: -1, NaN and ``inf``.
    """
    rows = (index.cell.size - 1) // index.columns
    across, up = (x - index.west) / index.side_m, (y - index.south) / index.side_m
    column, row = math.floor(across), math.floor(up)
    to_side = min(across - column, column + 1 - across, up - row, row + 1 - up) * index.side_m - FUZZ_M
    gap, line = np.inf, np.int32(-1)
    # rings that lie beside the grid as a whole hold nothing
    ring = max(0, -column, column - index.columns + 1, -row, row - rows + 1)
    last = max(column, index.columns - 1 - column, row, rows - 1 - row)
    while ring <= last:
        inside = to_side + (ring - 1) * index.side_m  # what lies no further than this is in an inner ring
        if inside > min(gap, limit_m):
            break
        for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
            whole = abs(r - row) == ring
            for c in range(column - ring, column + ring + 1, 1 if whole or ring == 0 else 2 * ring):
                if c < 0 or c >= index.columns:
                    continue
                for e in range(index.cell[r * index.columns + c], index.cell[r * index.columns + c + 1]):
                    i = index.piece[e]
                    d = _gap(x, y, index.x[i], index.y[i], index.x[i + 1], index.y[i + 1])
                    if d < gap or (d == gap and index.line[i] < line):
                        gap, line = d, index.line[i]
        ring += 1
    if line < 0 or gap > limit_m:
        return np.int32(-1), np.nan, np.inf
    along, drawn = _along(x, y, index.x, index.y, index.vertex[line], index.vertex[line + 1])
    share = along / drawn if drawn > 0 else 0.0
    return index.segment[line], min(max(share, 0.0), 1.0) * index.length_m[line], gap


@njit(cache=True)
def _apart(ax, ay, bx, by):  # type: ignore[no-untyped-def]
    return math.sqrt((ax - bx) * (ax - bx) + (ay - by) * (ay - by))


@njit(cache=True)
def _gap(px, py, ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """Return the metres between a place and a piece, in the order of operations of GEOS's ``pointToSegment``."""
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    if square == 0:
        return _apart(px, py, ax, ay)
    share = ((px - ax) * dx + (py - ay) * dy) / square
    if share <= 0:
        return _apart(px, py, ax, ay)
    if share >= 1:
        return _apart(px, py, bx, by)
    return abs(((ay - py) * dx - (ax - px) * dy) / square) * math.sqrt(square)


@njit(cache=True)
def _along(px, py, x, y, first, last):  # type: ignore[no-untyped-def]
    """Return (metres along a line to its place nearest to p, its drawn metres), as GEOS's ``LengthIndexOfPoint``."""
    nearest, along, begin = np.inf, 0.0, 0.0
    for i in range(first, last - 1):
        ax, ay = x[i], y[i]
        dx, dy = x[i + 1] - ax, y[i + 1] - ay
        square = dx * dx + dy * dy
        long = math.sqrt(square)
        d = _gap(px, py, ax, ay, x[i + 1], y[i + 1])
        if d < nearest:
            nearest = d
            share = ((px - ax) * dx + (py - ay) * dy) / square if square > 0 else 0.0
            along = begin if share <= 0 else begin + min(share, 1.0) * long
        begin += long
    return along, begin
