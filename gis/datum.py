"""WGS84, GCJ-02 and BD-09, both ways; nothing else in the product shifts a coordinate.

GCJ-02 is the offset every map published in China bears, BD-09 Baidu's second offset on top of it. Neither is
published; the constants are those recovered in 2010 and carried alike by the open-source converters
(wandergis/coordtransform, googollee/eviltransform, hujiulong/gcoord): the Krasovsky 1940 ellipsoid
(a = 6,378,245 m, e2 = 0.00669342162296594323) and the two trigonometric series below.

Those converters undo the offset approximately (up to 2 m wrong); here it is undone by fixed-point iteration.
"""

from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gis.errors import LamplightError

DATUMS = ("wgs84", "gcj02", "bd09")

# The offsets hold inside this rectangle (degrees, edges included) and are nil outside it, as in the sources above.
REGION_WEST, REGION_EAST, REGION_SOUTH, REGION_NORTH = 72.004, 137.8347, 0.8293, 55.8271

_AXIS_M = 6_378_245.0
_E2 = 0.00669342162296594323
_BD_LON, _BD_LAT = 0.0065, 0.006
_BD_RADIUS, _BD_ANGLE = 0.00002, 0.000003
_BD_PI = np.pi * 3000.0 / 180.0
# Each round cuts the error by a factor above 100 (the offset changes by < 1 % of a step); nine reach float precision.
_ROUNDS = 9

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


class DatumError(LamplightError, ValueError):
    """A datum nobody knows."""


def in_region(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Tell which positions (n,) lie where GCJ-02 differs from WGS84; NaN lies nowhere."""
    x, y = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    return np.asarray((x >= REGION_WEST) & (x <= REGION_EAST) & (y >= REGION_SOUTH) & (y <= REGION_NORTH))


def _gcj_shift(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    wave = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (wave + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
    north += (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (wave + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
    east += (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0

    phi = np.radians(lat)
    flat = 1.0 - _E2 * np.sin(phi) ** 2
    meridian_m = _AXIS_M * (1.0 - _E2) / flat**1.5
    parallel_m = _AXIS_M / np.sqrt(flat) * np.cos(phi)
    return np.degrees(east / parallel_m), np.degrees(north / meridian_m)


def _bd_shift(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    radius = np.hypot(lon, lat) + _BD_RADIUS * np.sin(lat * _BD_PI)
    angle = np.arctan2(lat, lon) + _BD_ANGLE * np.cos(lon * _BD_PI)
    return radius * np.cos(angle) + _BD_LON - lon, radius * np.sin(angle) + _BD_LAT - lat


def _apply(lon: ArrayLike, lat: ArrayLike, shift: Callable[[NDArray[np.float64], NDArray[np.float64]], Pair]) -> Pair:
    x, y = np.array(lon, np.float64), np.array(lat, np.float64)
    inside = in_region(x, y)
    dx, dy = shift(x[inside], y[inside])
    x[inside] += dx
    y[inside] += dy
    return x, y


def _undo(lon: ArrayLike, lat: ArrayLike, shift: Callable[[NDArray[np.float64], NDArray[np.float64]], Pair]) -> Pair:
    """Find what ``shift`` moved onto (lon, lat): p = given - shift(p), iterated from p = given."""
    x, y = np.array(lon, np.float64), np.array(lat, np.float64)
    inside = in_region(x, y)
    given_x, given_y = x[inside], y[inside]
    p, q = given_x, given_y
    for _ in range(_ROUNDS):
        dx, dy = shift(p, q)
        p, q = given_x - dx, given_y - dy
    x[inside], y[inside] = p, q
    return x, y


def gcj02_from_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Shift WGS84 degrees (n,) to GCJ-02; identity outside the region, NaN passes through."""
    return _apply(lon, lat, _gcj_shift)


def wgs84_from_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Undo the GCJ-02 shift of degrees (n,) to far below a millimetre.

    Identity outside the region, told by the coordinates given; so within some 600 m of the rectangle's edge,
    all of it far from China's land, a round trip is not exact. NaN passes through.
    """
    return _undo(lon, lat, _gcj_shift)


def bd09_from_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Shift GCJ-02 degrees (n,) to BD-09; identity outside the region, NaN passes through."""
    return _apply(lon, lat, _bd_shift)


def gcj02_from_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Undo the BD-09 shift of degrees (n,) to GCJ-02; identity outside the region, NaN passes through."""
    return _undo(lon, lat, _bd_shift)


def bd09_from_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Shift WGS84 degrees (n,) to BD-09 by way of GCJ-02."""
    return bd09_from_gcj02(*gcj02_from_wgs84(lon, lat))


def wgs84_from_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Undo the BD-09 shift of degrees (n,) to WGS84 by way of GCJ-02."""
    return wgs84_from_gcj02(*gcj02_from_bd09(lon, lat))


def to_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> Pair:
    """Bring degrees (n,) in a named datum to WGS84.

    datum : one of DATUMS. Raises DatumError on any other.
    """
    if datum == "wgs84":
        return np.array(lon, np.float64), np.array(lat, np.float64)
    if datum == "gcj02":
        return wgs84_from_gcj02(lon, lat)
    if datum == "bd09":
        return wgs84_from_bd09(lon, lat)
    raise DatumError(
        f"未知坐标系“{datum}”，应为 {'、'.join(DATUMS)} 之一", f"unknown datum {datum!r}, expected one of {DATUMS}"
    )


def geometry_to_wgs84(geometries: ArrayLike, datum: str) -> NDArray[np.object_]:
    """Bring shapely geometries (n,) in a named datum to WGS84; None stays None, z is kept.

    Raises DatumError on an unknown datum.
    """
    shapes = np.array(geometries, dtype=object)
    if datum == "wgs84":
        return shapes
    moved = shapely.transform(shapes, lambda x, y: to_wgs84(x, y, datum), interleaved=False)
    return np.asarray(moved, dtype=object)
