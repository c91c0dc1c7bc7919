"""Points brought onto the street network, with the distance kept."""

from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gis.crs import to_metric
from gis.errors import NetworkError
from gis.network import Positions, StreetNetwork


def snap(
    network: StreetNetwork,
    lon: ArrayLike,
    lat: ArrayLike,
    *,
    limit_m: float = 200.0,
    usable: NDArray[np.bool_] | None = None,
) -> Positions:
    """Bring k points onto their nearest segments.

    lon, lat : (k,) WGS84 degrees. limit_m : points farther than this from any usable segment are reported unsnapped.
    usable : (m,) which segments may be snapped to (not motorways, say); all of them if None.

    Returns positions in the order of the points; an unsnapped one has segment -1, offset NaN and its true gap
    (``inf`` where no segment is usable). Of segments equally near the one with the lowest position is taken.
    Raises NetworkError on coordinates that are missing or out of range, on shapes that differ, on a limit below zero.
    """
    at = _checked(network, lon, lat, limit_m, usable)
    if not len(at) or (usable is not None and not usable.any()):
        nowhere = np.full(len(at), -1, np.int32)
        return Positions(nowhere, np.full(len(at), np.nan), np.full(len(at), np.inf))

    lines, tree, segment = _index(network, None if usable is None else usable.tobytes())
    points = shapely.points(at)
    (point, line), gap = tree.query_nearest(points, return_distance=True, all_matches=True)
    order = np.lexsort((line, point))
    first = order[np.r_[True, point[order][1:] != point[order][:-1]]]
    line, gap = line[first], gap[first]
    drawn = shapely.length(lines[line])
    along = shapely.line_locate_point(lines[line], points)
    length = network.length_m[segment[line]]
    share = np.divide(along, drawn, out=np.zeros(len(at)), where=drawn > 0)
    near = gap <= limit_m
    return Positions(
        segment=np.where(near, segment[line], -1).astype(np.int32),
        offset_m=np.where(near, np.clip(share, 0, 1) * length, np.nan),
        gap_m=gap,
    )


def _checked(
    network: StreetNetwork, lon: ArrayLike, lat: ArrayLike, limit_m: float, usable: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Return the points' metric coordinates (k, 2), or refuse them."""
    east, north = np.atleast_1d(np.asarray(lon, np.float64)), np.atleast_1d(np.asarray(lat, np.float64))
    if east.shape != north.shape or east.ndim != 1:
        zh = f"经度、纬度个数不同：{east.shape} 与 {north.shape}"
        raise NetworkError(zh, f"longitudes and latitudes differ in shape: {east.shape} and {north.shape}")
    wrong = ~((np.abs(east) <= 180) & (np.abs(north) <= 90))
    if wrong.any():
        first = int(np.argmax(wrong))
        zh = f"{int(wrong.sum())} 个点的坐标缺失或超出范围，首个在第 {first + 1} 个"
        en = f"{int(wrong.sum())} points have coordinates missing or out of range, the first at number {first + 1}"
        raise NetworkError(zh, en)
    if not limit_m >= 0:
        raise NetworkError(f"捕捉距离上限无效：{limit_m}", f"invalid snapping limit {limit_m}")
    if usable is not None and usable.shape != (network.n_segments,):
        zh = f"可用路段标记应有 {network.n_segments} 个，实有 {usable.shape}"
        raise NetworkError(zh, f"usable must mark {network.n_segments} segments, got shape {usable.shape}")

    x, y = to_metric(east, north, network.crs)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise NetworkError("有点远在路网坐标系之外", "points lie too far away for the network's metric system")
    return np.column_stack([x, y])


@lru_cache(maxsize=4)
def _index(
    network: StreetNetwork, usable: bytes | None
) -> tuple[NDArray[np.object_], shapely.STRtree, NDArray[np.int32]]:
    """Return the usable segments as metric lines, a tree of them, and their positions."""
    # Kept between calls: a map that adds one point at a time must not rebuild the tree of a whole city.
    segment = np.arange(network.n_segments, dtype=np.int32)
    if usable is not None:
        segment = segment[np.frombuffer(usable, bool)]
    vertices, line = shapely.get_coordinates(network.geometry[segment], return_index=True)
    metric = np.column_stack(to_metric(vertices[:, 0], vertices[:, 1], network.crs))
    lines = shapely.linestrings(metric, indices=line)
    return lines, shapely.STRtree(lines), segment
