"""Which cells count as neighbours, as two flat arrays: those of cell i are ``indices[indptr[i]:indptr[i + 1]]``.

All builders return (indptr (n + 1,), indices (links,)), both int32, each cell's neighbours ascending, without the cell
itself and without repeats. A cell may have none (an island).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from gis.errors import QuestionError
from gis.tiling import HEXAGON, KINDS, SQUARE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Links = tuple[NDArray[np.int32], NDArray[np.int32]]

_SIDES = [(1, 0), (0, 1), (-1, 0), (0, -1)]
_CORNERS = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
#: Steps (column, row) to the cells that touch: of squares sides and corners, of hexagons (axial) sides.
STEPS = {SQUARE: (*_SIDES, *_CORNERS), HEXAGON: (*_SIDES, (1, -1), (-1, 1))}
#: Distances in metres this close are equal: what coordinates of millions of metres keep in float64.
SAME_M = 1e-6


def tiling_neighbours(column: Ints, row: Ints, kind: str, *, corners: bool = True) -> Links:
    """Link the cells of a tiling that touch.

    column, row : (n,) cells of a ``gis.tiling.Tiling`` of ``kind``, each once; cells that are not listed are no
    neighbours. corners : whether squares touch at a corner (queen contiguity) or only along a side (rook).
    Raises QuestionError on another kind, on mismatched shapes, and where a cell comes twice.
    """
    column, row = np.asarray(column, np.int64), np.asarray(row, np.int64)
    if kind not in KINDS:
        raise QuestionError(f"未知网格形状：{kind}", f"unknown cells {kind!r}: expected {KINDS}")
    if column.ndim != 1 or column.shape != row.shape:
        raise QuestionError("网格行列数目不一致", f"columns {column.shape} and rows {row.shape} must be of one length")
    if not len(column):
        return np.zeros(1, np.int32), np.empty(0, np.int32)

    column, row = column - column.min(), row - row.min()
    width = int(column.max()) + 3  # one spare column on either side, so that no step runs into another row
    key = (row + 1) * width + column + 1
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise QuestionError("网格重复", "a cell comes twice")
    steps = STEPS[kind] if corners or kind == HEXAGON else _SIDES
    here, there = [], []
    for across, up in steps:
        sought = ordered + up * width + across
        at = np.minimum(np.searchsorted(ordered, sought), len(ordered) - 1)
        found = ordered[at] == sought
        here.append(order[found])
        there.append(order[at[found]])
    return neighbours_from_pairs(np.concatenate(here), np.concatenate(there), len(key))


def neighbours_from_pairs(cell: Ints, neighbour: Ints, n: int) -> Links:
    """Link n cells by pairs: ``neighbour[k]`` is one of ``cell[k]``, and not the other way round unless listed so.

    Pairs of a cell with itself and repeats are left out. Raises QuestionError on a cell outside 0..n - 1.
    """
    cell, neighbour = np.asarray(cell, np.int64), np.asarray(neighbour, np.int64)
    if cell.ndim != 1 or cell.shape != neighbour.shape:
        raise QuestionError("邻接对长度不一致", f"pairs of {cell.shape} and {neighbour.shape} cells")
    if len(cell) and (min(cell.min(), neighbour.min()) < 0 or max(cell.max(), neighbour.max()) >= n):
        raise QuestionError("邻接对超出网格范围", f"a pair names a cell outside 0..{n - 1}")

    apart = cell != neighbour
    links = csr_array((np.ones(apart.sum(), np.int8), (cell[apart], neighbour[apart])), shape=(n, n))
    links.sum_duplicates()  # also sorts each row
    return links.indptr.astype(np.int32), links.indices.astype(np.int32)


def nearest_neighbours(x: Floats, y: Floats, k: int) -> Links:
    """Link each place to the k nearest others, metres; of equally far ones (to a micrometre) the first listed.

    Raises QuestionError unless 1 <= k < n and all coordinates are finite.
    """
    xy = _places(x, y)
    if not 1 <= k < len(xy):
        raise QuestionError(f"邻居数无效：{k}", f"{k} neighbours asked of {len(xy)} places")
    tree = cKDTree(xy)
    reach_m = tree.query(xy, k + 1)[0][:, -1] + SAME_M
    near = tree.query_ball_point(xy, reach_m, return_sorted=True)
    count = np.array([len(found) for found in near])
    cell = np.repeat(np.arange(len(xy)), count)
    other = np.concatenate(near).astype(np.int64)
    cell, other = cell[cell != other], other[cell != other]
    far = np.rint(np.hypot(*(xy[cell] - xy[other]).T) / SAME_M)
    order = np.lexsort((other, far, cell))
    place = np.arange(len(order)) - np.repeat(np.cumsum(count - 1) - (count - 1), count - 1)
    kept = order[place < k]
    return neighbours_from_pairs(cell[kept], other[kept], len(xy))


def neighbours_within(x: Floats, y: Floats, radius_m: float) -> Links:
    """Link places at most ``radius_m`` apart (a micrometre more is granted to rounding), places at one spot included.

    Raises QuestionError on a radius that is not positive and on coordinates that are not finite.
    """
    xy = _places(x, y)
    if not (np.isfinite(radius_m) and radius_m > 0):
        raise QuestionError(f"邻域半径无效：{radius_m}", f"bad radius of neighbours: {radius_m} m")
    pairs = cKDTree(xy).query_pairs(radius_m + SAME_M, output_type="ndarray") if len(xy) else np.empty((0, 2), int)
    return neighbours_from_pairs(np.concatenate(pairs.T), np.concatenate(pairs.T[::-1]), len(xy))


def meeting(u: NDArray[np.integer], v: NDArray[np.integer]) -> Links:
    """Link segments that have an end in common; u, v : (n,) nodes, >= 0."""
    n = len(u)
    segment = np.arange(n)
    nodes = int(max(u.max(), v.max())) + 1 if n else 0
    ends = csr_array((np.ones(2 * n), (np.r_[segment, segment], np.r_[u, v])), shape=(n, nodes))
    one, other = (ends @ ends.T).nonzero()
    return neighbours_from_pairs(one, other, n)


def among(links: Links, kept: Ints) -> Links:
    """Return links between the cells ``kept``, ascending, numbered by their places there."""
    indptr, indices = links
    n = len(indptr) - 1
    whole = csr_array((np.ones(len(indices), np.int8), indices, indptr), shape=(n, n))
    part = whole[kept][:, kept]
    part.sort_indices()
    return part.indptr.astype(np.int32), part.indices.astype(np.int32)


def checked_links(n: int, indptr: NDArray[np.integer], indices: NDArray[np.integer]) -> None:
    """Refuse neighbours that are not those of n cells: QuestionError says what arrived."""
    fits = indptr.shape == (n + 1,) and indptr[0] == 0 and indptr[-1] == len(indices) and (np.diff(indptr) >= 0).all()
    if not fits:
        raise QuestionError("邻接表与网格数不符", f"{len(indptr) - 1} rows of neighbours do not fit {n} cells")
    if len(indices) and (indices.min() < 0 or indices.max() >= n):
        raise QuestionError("邻接表超出网格范围", f"a neighbour lies outside 0..{n - 1}")
    if (indices == np.repeat(np.arange(n), np.diff(indptr))).any():
        raise QuestionError("网格不能与自身相邻", "a cell is listed as its own neighbour")
    if n and np.diff(indptr).max() >= n:
        raise QuestionError("邻接表有重复", f"a cell has more neighbours than the {n - 1} others there are")


def neighbour_sums(values: Floats, indptr: NDArray[np.integer], indices: NDArray[np.integer]) -> Floats:
    """Return the sum of ``values``, (n,) or (n, t), over each cell's neighbours."""
    n = len(indptr) - 1
    ones = np.ones(len(indices))
    return np.asarray(csr_array((ones, indices, indptr), shape=(n, n)) @ values, np.float64)


def _places(x: Floats, y: Floats) -> Floats:
    xy = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    if not np.isfinite(xy).all():
        raise QuestionError("坐标无效", "places must have finite coordinates")
    return xy
