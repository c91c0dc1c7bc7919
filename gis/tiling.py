"""Squares and hexagons that cover the plane: which one a point lies in, where each stands, which ones touch."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import QuestionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SQUARE, HEXAGON = "square", "hexagon"
KINDS = (SQUARE, HEXAGON)
_ROOT3 = 3.0**0.5
#: Corners of a hexagon of unit width, pointed at the top, from the right lower one round by the left.
_CORNERS = np.array([[0.5, -0.5 / _ROOT3], [0.5, 0.5 / _ROOT3], [0.0, 1 / _ROOT3], [-0.5, 0.5 / _ROOT3],
                     [-0.5, -0.5 / _ROOT3], [0.0, -1 / _ROOT3]])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tiling:
    """Equal cells over a metric plane, the same cells whatever the data: cell (0, 0) always stands at the origin.

    kind : "square" or "hexagon". size_m : the side of a square; the width of a hexagon between opposite sides.
    A cell is (column, row); hexagons count in axial coordinates, their rows running upward and leaning right.
    Raises QuestionError on another kind or a size that is not positive.
    """

    kind: str
    size_m: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise QuestionError(f"未知网格形状：{self.kind}", f"unknown cells {self.kind!r}: expected {KINDS}")
        if not (np.isfinite(self.size_m) and self.size_m > 0):
            raise QuestionError(f"网格边长无效：{self.size_m:g}", f"bad size of cells: {self.size_m:g} m")

    @property
    def area_m2(self) -> float:
        """The area of one cell."""
        return self.size_m**2 * (1.0 if self.kind == SQUARE else _ROOT3 / 2)

    def cell_of(self, x: Floats, y: Floats) -> tuple[Ints, Ints]:
        """Return (column, row), each (k,), of the cells around points in metres."""
        if self.kind == SQUARE:
            return np.floor(x / self.size_m).astype(np.int64), np.floor(y / self.size_m).astype(np.int64)
        row = y / (self.size_m * _ROOT3 / 2)
        column = x / self.size_m - row / 2
        return _nearest_hexagon(column, row)

    def centre(self, column: Ints, row: Ints) -> tuple[Floats, Floats]:
        """Return the centres (x, y) of cells, in metres."""
        if self.kind == SQUARE:
            return np.asarray((column + 0.5) * self.size_m), np.asarray((row + 0.5) * self.size_m)
        return np.asarray((column + row / 2) * self.size_m), np.asarray(row * (self.size_m * _ROOT3 / 2))

    def corners(self, column: Ints, row: Ints) -> Floats:
        """Return the corners of cells (k, 4 or 6, 2), in metres, anticlockwise."""
        x, y = self.centre(column, row)
        unit = np.array([[0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]]) if self.kind == SQUARE else _CORNERS
        return np.asarray(np.stack([x, y], axis=-1)[:, None, :] + self.size_m * unit[None], np.float64)

    def polygons(self, column: Ints, row: Ints) -> NDArray[np.object_]:
        """Return the cells as polygons (k,), in metres."""
        return np.asarray(shapely.polygons(self.corners(column, row)), object)


def _nearest_hexagon(column: Floats, row: Floats) -> tuple[Ints, Ints]:
    """Round axial coordinates to the hexagon around them: the three cube coordinates must add up to nothing."""
    third = -column - row
    rounded = [np.rint(c) for c in (column, row, third)]
    off = np.abs(np.stack(rounded) - np.stack([column, row, third])).argmax(axis=0)
    c = np.where(off == 0, -rounded[1] - rounded[2], rounded[0])
    r = np.where(off == 1, -rounded[0] - rounded[2], rounded[1])
    return c.astype(np.int64), r.astype(np.int64)
