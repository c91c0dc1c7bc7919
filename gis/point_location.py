"""Which polygon a point lies in, for many points and many polygons at once: edges sorted into horizontal bands."""

from typing import NamedTuple

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_BANDS = 1 << 16


class Bands(NamedTuple):
    """The edges of all polygons by horizontal band, and within a band by polygon.

    south, per_deg : lower end of the lowest band, bands per degree. groups : (b + 1,) first group of each band.
    polygon, west, east, edges : (g,), (g,), (g,), (g + 1,) a polygon in a band, its extent and first edge there.
    x0, y0, x1, y1 : (e,) edges, one entry for each band they touch.
    """

    south: float
    per_deg: float
    groups: NDArray[np.int64]
    polygon: NDArray[np.int32]
    west: Floats
    east: Floats
    edges: NDArray[np.int64]
    x0: Floats
    y0: Floats
    x1: Floats
    y1: Floats


def bands_of(areas: NDArray[np.object_], reach_deg: float) -> Bands | None:
    """Sort the edges of ``areas`` (polygons, multipolygons or None) into bands; None if they have no edge.

    reach_deg : how far beyond an edge a point may still ask for it.
    """
    parts, area = shapely.get_parts(areas, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    polygon = area[part]
    at, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.flatnonzero(ring[1:] == ring[:-1])
    if not len(start):
        return None

    a, b, of = at[start], at[start + 1], polygon[ring[start]].astype(np.int32)
    low, high = np.minimum(a[:, 1], b[:, 1]) - reach_deg, np.maximum(a[:, 1], b[:, 1]) + reach_deg
    south, height = float(low.min()), float(high.max() - low.min())
    count = int(np.clip(height / np.mean(high - low), 1, MOST_BANDS))
    per_deg = count / height
    first = _band(low, south, per_deg, count)
    span = _band(high, south, per_deg, count) - first + 1
    edge = np.repeat(np.arange(len(start)), span)
    band = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(span) - span, span)
    order = np.lexsort((of[edge], band))
    edge, band = edge[order], band[order]
    new = np.flatnonzero(np.r_[True, (band[1:] != band[:-1]) | (of[edge][1:] != of[edge][:-1])])
    x0, x1 = a[edge, 0], b[edge, 0]
    return Bands(
        south, per_deg, np.searchsorted(band[new], np.arange(count + 1)), of[edge[new]],
        np.minimum.reduceat(np.minimum(x0, x1), new), np.maximum.reduceat(np.maximum(x0, x1), new),
        np.append(new, len(edge)), x0, a[edge, 1], x1, b[edge, 1],
    )  # fmt: skip


def _band(y: Floats, south: float, per_deg: float, count: int) -> NDArray[np.int64]:
    return np.clip((y - south) * per_deg, 0, count - 1).astype(np.int64)


@njit(cache=True)
def lowest_polygon(x, y, reach_deg, bands):  # type: ignore[no-untyped-def]
    """Return (k,) int32 the lowest polygon each point lies in, or within ``reach_deg`` of; -1 where there is none.

    x, y : (k,) degrees, NaN allowed. reach_deg : as given to ``bands_of``. From inside, a ray to the east crosses a
    polygon's edges an odd number of times, holes and several parts included.
    Source: Shimrat 1962, doi 10.1145/368637.368653.
    """
    out = np.full(x.size, -1, np.int32)
    count = bands.groups.size - 1
    for p in range(x.size):
        at = (y[p] - bands.south) * bands.per_deg
        if not (at >= 0 and at <= count) or not (abs(x[p]) < np.inf):
            continue
        b = min(int(at), count - 1)
        for g in range(bands.groups[b], bands.groups[b + 1]):
            if x[p] > bands.east[g] + reach_deg or x[p] < bands.west[g] - reach_deg:
                continue
            inside = False
            for e in range(bands.edges[g], bands.edges[g + 1]):
                ax, ay = bands.x0[e] - x[p], bands.y0[e] - y[p]
                bx, by = bands.x1[e] - x[p], bands.y1[e] - y[p]
                dx, dy = bx - ax, by - ay
                square = dx * dx + dy * dy
                share = min(max(-(ax * dx + ay * dy) / square, 0.0), 1.0) if square > 0 else 0.0
                if (ax + share * dx) ** 2 + (ay + share * dy) ** 2 <= reach_deg * reach_deg:
                    inside = True
                    break
                if (ay > 0) != (by > 0) and (ax * by - ay * bx > 0) == (by > ay):
                    inside = not inside
            if inside:
                out[p] = bands.polygon[g]
                break
    return out
