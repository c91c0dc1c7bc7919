"""In which area each record lies: the code that decides who may see it."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gis.street_pieces import locate
from layers.codes import LEVELS, Level, ancestor_of
from layers.records import layer_schema

#: Fields that say the area themselves, best first.
_OWN = ("area_code", "community", "code")


def area_codes(
    layer: str,
    table: gpd.GeoDataFrame,
    areas: Mapping[str, gpd.GeoDataFrame],
    segment_area: Mapping[int, str],
) -> NDArray[np.object_]:
    """Return (n,) the code of the area each row of a canonical table lies in, the finest there is.

    areas : level -> table of areas. segment_area : the code of each street segment, for rows that only name one.
    A row says its area itself, or stands (a line by its middle) in one, or names a segment; what lies outside every
    area, or has no place at all, belongs to the city as a whole. "" where no area is known.
    """
    schema = layer_schema(layer)
    city = next((ancestor_of(code, Level.CITY) for level in LEVELS for code in _codes(areas, level)[:1]), "")
    found = np.full(len(table), "", object)
    for field in schema.fields:
        if field.kind == "code" and field.name in _OWN:
            found = _filled(found, table[field.name].to_numpy(object))
    if schema.has_geometry and layer not in {"areas", "grid-cells"}:
        found = _filled(found, _standing_in(table, areas, found == ""))
    if layer != "streets" and "segment_id" in table:
        named = [segment_area.get(int(s), "") if s == s and s is not None else "" for s in _plain(table["segment_id"])]
        found = _filled(found, np.array(named, object))
    return _filled(found, np.full(len(table), city, object))


def _codes(areas: Mapping[str, gpd.GeoDataFrame], level: str) -> list[str]:
    return list(areas[level]["code"]) if level in areas else []


def _plain(column: Any) -> list[Any]:
    return list(column.astype(object).where(column.notna(), None))


def _filled(codes: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.array([own or (other or "") for own, other in zip(codes, others, strict=True)], object)


def _standing_in(
    table: gpd.GeoDataFrame, areas: Mapping[str, gpd.GeoDataFrame], wanted: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Return (n,) the code of the finest area each wanted row stands in, "" outside all."""
    lon, lat = _places(np.asarray(table["geometry"], object))
    lon = np.where(wanted, lon, np.nan)
    found = np.full(len(table), "", object)
    for level in LEVELS[::-1]:
        if level in areas and len(areas[level]):
            area = locate(areas[level].geometry.to_numpy(), lon, lat)
            codes = areas[level]["code"].to_numpy(object)
            found = _filled(found, np.where(area >= 0, codes[area], ""))
    return found


def _places(shapes: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude of points, of the middle of lines, and of a point inside polygons."""
    kinds = shapely.get_type_id(shapes)
    inside = shapes.copy()
    line = kinds == shapely.GeometryType.LINESTRING
    inside[line] = shapely.line_interpolate_point(shapes[line], 0.5, normalized=True)
    areal = np.isin(kinds, [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON])
    inside[areal] = shapely.point_on_surface(shapes[areal])
    return shapely.get_x(inside), shapely.get_y(inside)
