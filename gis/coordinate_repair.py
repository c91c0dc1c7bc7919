"""Foreign geometries brought to WGS84, and what is wrong with them mended or set aside, with a note for each."""

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from gis.datum import to_wgs84
from gis.errors import FileRefusedError
from gis.notes import LamplightNote

# Read as plain lon/lat on this earth, none differs from another by more than some centimetres in China.
_SAME_AS_WGS84 = {4326, 4490, 4979, 4480, 9057, 9755}
# China's longitudes and latitudes never overlap: a layer whose x are such latitudes and y such longitudes is swapped.
_CHINA_LON, _CHINA_LAT = (73.0, 136.0), (3.0, 54.0)
_POLYGONAL = (3, 6)

Geometries = NDArray[np.object_]


def _rows(bad: NDArray[np.bool_]) -> tuple[str, str]:
    at = np.flatnonzero(bad)
    shown = ", ".join(str(i + 1) for i in at[:5]) + (" ..." if len(at) > 5 else "")
    return f"{len(at):,} 行（第 {shown} 行）", f"{len(at):,} rows (row {shown})"


def geometries_from_wkb(column: "pa.ChunkedArray | list[bytes | None]") -> tuple[Geometries, list[LamplightNote]]:
    """Read WKB (n,) to geometries (n,), closing rings left open; what is no geometry at all becomes None."""
    raw = np.array(column.to_pylist() if hasattr(column, "to_pylist") else column, dtype=object)
    given = np.array([b is not None for b in raw], dtype=bool)
    shapes: Geometries = shapely.from_wkb(raw, on_invalid="ignore")
    damaged = given & shapely.is_missing(shapes)
    if not damaged.any():
        return shapes, []

    shapes[damaged] = shapely.from_wkb(raw[damaged], on_invalid="fix")
    notes = []
    mended, lost = damaged & ~shapely.is_missing(shapes), damaged & shapely.is_missing(shapes)
    if mended.any():
        zh, en = _rows(mended)
        notes.append(LamplightNote(f"{zh} 的环未闭合，已闭合", f"{en}: unclosed rings, closed"))
    if lost.any():
        zh, en = _rows(lost)
        notes.append(LamplightNote(f"{zh} 的几何无法解读，按无几何处理", f"{en}: unreadable geometry, taken as none"))
    return shapes, notes


def mend(
    shapes: Geometries, crs: str | None, *, datum: str = "wgs84", crs_expected: bool = True
) -> tuple[Geometries, list[LamplightNote]]:
    """Bring geometries (n,) to valid WGS84 lon/lat: (geometries with None where nothing usable is left, notes).

    crs : anything pyproj reads; None is taken as WGS84 (with a note if ``crs_expected``). datum : see gis.datum.
    Raises FileRefusedError on an unreadable CRS, or where most coordinates lie nowhere on earth.
    """
    notes: list[LamplightNote] = []
    shapes = _flat(np.array(shapes, dtype=object), notes)
    shapes = _drop(shapes, _not_finite(shapes), "含 NaN 或无穷大坐标", "NaN or infinite coordinates", notes)
    shapes = _drop(shapes, shapely.is_empty(shapes), "几何为空", "empty geometry", notes)
    shapes = _reproject(shapes, crs, crs_expected, notes)
    shapes = _in_range(_unswap(shapes, notes), notes)
    if datum != "wgs84":
        shapes = shapely.transform(shapes, lambda x, y: to_wgs84(x, y, datum), interleaved=False)
    return _valid(shapes, notes), notes


def _drop(shapes: Geometries, bad: NDArray[np.bool_], zh: str, en: str, notes: list[LamplightNote]) -> Geometries:
    if bad.any():
        rows_zh, rows_en = _rows(bad)
        notes.append(LamplightNote(f"{rows_zh} {zh}，按无几何处理", f"{rows_en}: {en}, taken as no geometry"))
        shapes = shapes.copy()
        shapes[bad] = None
    return shapes


def _flat(shapes: Geometries, notes: list[LamplightNote]) -> Geometries:
    high = shapely.has_z(shapes) | shapely.has_m(shapes)
    if high.any():
        z = shapely.get_coordinates(shapes[high], include_z=True)[:, 2]
        if np.any(np.isfinite(z) & (z != 0)):  # KML has a height everywhere, mostly nought
            zh, en = _rows(high)
            notes.append(LamplightNote(f"{zh} 带高程，已舍去", f"{en}: heights dropped"))
        shapes = np.where(high, shapely.force_2d(shapes), shapes)
    return shapes


def _not_finite(shapes: Geometries) -> NDArray[np.bool_]:
    xy, at = shapely.get_coordinates(shapes, return_index=True)
    bad = np.zeros(len(shapes), bool)
    bad[at[~np.isfinite(xy).all(axis=1)]] = True
    return bad


def _reproject(shapes: Geometries, crs: str | None, expected: bool, notes: list[LamplightNote]) -> Geometries:
    if crs is None or "Undefined" in crs:  # GeoPackage has two codes that say so
        if expected:
            notes.append(LamplightNote("文件未声明坐标系，按 WGS84 经纬度读取", "no CRS given, read as WGS84 lon/lat"))
        return shapes
    try:
        source = CRS.from_user_input(crs)
        if source.to_epsg() in _SAME_AS_WGS84 or source.name == "WGS 84 (CRS84)":
            return shapes
        carry = Transformer.from_crs(source, "EPSG:4326", always_xy=True)
        moved = shapely.transform(shapes, carry.transform, interleaved=False)
    except (CRSError, ProjError):
        raise FileRefusedError("文件的坐标系无法识别", "the file's coordinate system cannot be read") from None
    notes.append(LamplightNote(f"由 {source.name} 转换为 WGS84", f"transformed from {source.name} to WGS84"))
    return _drop(moved, _not_finite(moved), "超出该坐标系的范围", "outside the CRS's area", notes)


def _unswap(shapes: Geometries, notes: list[LamplightNote]) -> Geometries:
    west, south, east, north = shapely.total_bounds(shapes)
    latitudes_first = _CHINA_LAT[0] <= west and east <= _CHINA_LAT[1]
    longitudes_second = _CHINA_LON[0] <= south and north <= _CHINA_LON[1]
    if not (latitudes_first and longitudes_second):
        return shapes
    notes.append(
        LamplightNote("经度与纬度写反，整层已对调", "longitude and latitude were swapped; the layer is turned back")
    )
    return np.asarray(shapely.transform(shapes, lambda x, y: (y, x), interleaved=False), dtype=object)


def _in_range(shapes: Geometries, notes: list[LamplightNote]) -> Geometries:
    west, south, east, north = shapely.bounds(shapes).T
    with np.errstate(invalid="ignore"):
        bad = (west < -180) | (east > 180) | (south < -90) | (north > 90)
    if bad.sum() * 2 > (~shapely.is_missing(shapes)).sum():
        first = shapes[np.flatnonzero(bad)[0]]
        x, y = shapely.get_coordinates(first)[0]
        raise FileRefusedError(
            f"坐标 {x:g}, {y:g} 不是经纬度；若为投影坐标，请在文件中写明坐标系",
            f"{x:g}, {y:g} is no longitude and latitude; if projected, the file must name its CRS",
        )
    return _drop(shapes, bad, "坐标超出经纬度范围", "coordinates off the earth", notes)


def _valid(shapes: Geometries, notes: list[LamplightNote]) -> Geometries:
    bad = np.isin(shapely.get_type_id(shapes), _POLYGONAL) & ~shapely.is_valid(shapes)
    if not bad.any():
        return shapes
    zh, en = _rows(bad)
    notes.append(
        LamplightNote(f"{zh} 的多边形自相交或无效，已修复", f"{en}: self-crossing or invalid polygons, mended")
    )
    shapes = shapes.copy()
    shapes[bad] = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    return _drop(shapes, bad & shapely.is_empty(shapes), "面积为零", "no area", notes)
