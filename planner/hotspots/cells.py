"""The cells a city is counted in: every one with a street or a report, and what lies in each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.network import StreetNetwork
from gis.street_points import points_on
from gis.tiling import Tiling
from planner.hotspots.lixels import Lixels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_HALF = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """n cells of a tiling, ordered by row and column.

    column, row : (n,). street_m : (n,) metres of street inside. lixel_cell : (l,) the cell around each lixel's middle.
    """

    tiling: Tiling
    column: Ints
    row: Ints
    street_m: Floats
    lixel_cell: Ints

    def __len__(self) -> int:
        return len(self.column)

    def around(self, x: Floats, y: Floats) -> Ints:
        """Return (k,) the cell around each point, -1 for one outside them all."""
        return _find(_key(self.column, self.row), _key(*self.tiling.cell_of(x, y)))


def cells_of(
    network: StreetNetwork, lixels: Lixels, walkable: NDArray[np.bool_], tiling: Tiling, x: Floats, y: Floats
) -> Cells:
    """Return the cells that hold a piece of walkable street or one of the points x, y (k,)."""
    middle = (lixels.from_m + lixels.to_m) / 2
    on = tiling.cell_of(*points_on(network, lixels.segment, middle))
    used = walkable[lixels.segment]
    keys = np.unique(np.r_[_key(*on)[used], _key(*tiling.cell_of(x, y))])
    row, column = keys // (2 * _HALF) - _HALF, keys % (2 * _HALF) - _HALF
    lixel_cell = np.where(used, _find(keys, _key(*on)), -1)
    length_m = np.where(used, lixels.to_m - lixels.from_m, 0.0)
    street_m = np.bincount(lixel_cell[used], length_m[used], len(keys))
    return Cells(tiling, column, row, np.asarray(street_m, np.float64), lixel_cell)


def spread(cells: Cells, lixels: Lixels, per_segment: Floats, length_m: Floats) -> Floats:
    """Return (n, ...) what each cell has of a quantity that lies evenly along segments; per_segment : (m, ...)."""
    used = cells.lixel_cell >= 0
    on = lixels.segment[used]
    share = np.divide(
        (lixels.to_m - lixels.from_m)[used], length_m[on], out=np.zeros(len(on)), where=length_m[on] > 0
    )  # fmt: skip
    flat = per_segment.reshape(len(per_segment), -1)
    columns = [np.bincount(cells.lixel_cell[used], flat[on, k] * share, len(cells)) for k in range(flat.shape[1])]
    return np.asarray(np.stack(columns, axis=-1).reshape(len(cells), *per_segment.shape[1:]), np.float64)


def _key(column: Ints, row: Ints) -> Ints:
    return np.asarray((row + _HALF) * (2 * _HALF) + column + _HALF, np.int64)


def _find(keys: Ints, wanted: Ints) -> Ints:
    at = np.clip(np.searchsorted(keys, wanted), 0, max(len(keys) - 1, 0))
    return np.where(keys[at] == wanted, at, -1) if len(keys) else np.full(len(wanted), -1)
