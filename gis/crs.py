"""The local metric system a city is measured in, and the way there and back."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

from gis.errors import LamplightError

WGS84 = "EPSG:4326"

# CGCS2000 / 3-degree Gauss-Kruger by central meridian, 75 E (EPSG:4534) to 135 E (EPSG:4554), as registered by EPSG.
_FIRST_ZONE_CODE, _FIRST_MERIDIAN, _LAST_MERIDIAN = 4534, 75, 135
_CHINA_SOUTH, _CHINA_NORTH = 3.0, 54.0


class CoordinateError(LamplightError, ValueError):
    """A position that lies nowhere on earth."""


def metric_crs(lon: float, lat: float = 30.0) -> str:
    """Choose the metric system for a place: "EPSG:4549" for Nanjing.

    lon, lat : WGS84 degrees. Within China's span (73.5 to 136.5 E, 3 to 54 N) the CGCS2000 3-degree
    Gauss-Kruger zone of the nearest central meridian (the eastern one on a tie); elsewhere the UTM zone.
    Raises CoordinateError on NaN or a position out of range.
    """
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise CoordinateError(f"经纬度超出范围：{lon}, {lat}", f"no such longitude and latitude: {lon}, {lat}")

    half = 1.5
    if _FIRST_MERIDIAN - half <= lon < _LAST_MERIDIAN + half and _CHINA_SOUTH <= lat <= _CHINA_NORTH:
        return f"EPSG:{_FIRST_ZONE_CODE + int((lon - _FIRST_MERIDIAN + half) // 3)}"
    zone = min(int((lon + 180.0) // 6) + 1, 60)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    # Building a transformer takes milliseconds and is asked for once a call.
    return Transformer.from_crs(source, target, always_xy=True)


def _carry(a: ArrayLike, b: ArrayLike, source: str, target: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    out = _transformer(source, target).transform(first, second)
    # PROJ answers inf for what it cannot place; NaN is what the rest of the code knows as missing.
    east, north = (np.where(np.isfinite(v), v, np.nan) for v in out)
    return east, north


def to_metric(lon: ArrayLike, lat: ArrayLike, crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project degrees to metres: (x east, y north), each shaped as given.

    lon, lat : (n,) WGS84 degrees; NaN passes through. crs : as from metric_crs.
    """
    return _carry(lon, lat, WGS84, crs)


def to_lonlat(x: ArrayLike, y: ArrayLike, crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project metres back to degrees: (lon, lat) WGS84, each shaped as given.

    x, y : (n,) metres east and north in crs; NaN passes through. crs : as from metric_crs.
    """
    return _carry(x, y, crs, WGS84)
