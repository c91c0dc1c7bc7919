"""Geometries of a layer's rows: of the right kind, valid, in degrees, and inside the city."""

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.crs import metric_crs, to_metric

Shapes = NDArray[np.object_]
Mask = NDArray[np.bool_]

#: Metres beyond the boundary up to which a record still counts as the city's: boundaries are drawn coarsely.
BOUNDARY_TOLERANCE_M = 1_000.0
_ALLOWED = {
    "line": (shapely.GeometryType.LINESTRING,),
    "polygon": (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON),
    "point": (shapely.GeometryType.POINT,),
}
EXPECTED = {
    "line": ("线", "line"),
    "polygon": ("面", "polygon"),
    "point": ("点", "point"),
    "point or none": ("点或面", "point or cell"),
}


class CheckedShapes(NamedTuple):
    """shapes : (n,) mended where possible; the masks (n,) say what is wrong with the rest, and what was mended."""

    shapes: Shapes
    absent: Mask
    wrong_kind: Mask
    invalid: Mask
    off_globe: Mask
    repaired: Mask


def check_shapes(kind: str, shapes: Shapes) -> CheckedShapes:
    """Check (n,) geometries, None allowed, of a layer whose rows are of ``kind``.

    A multipoint of one point becomes that point; a polygon where people are counted (``kind`` "point or none") becomes
    a point inside it; an invalid polygon is mended and keeps its areas only.
    """
    shapes = np.asarray(shapes, object)
    absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    shapes = shapes.copy()
    shapes[absent] = None
    single = (shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOINT) & (
        shapely.get_num_geometries(shapes) == 1
    )
    shapes = np.where(single, shapely.get_geometry(shapes, 0), shapes)
    bounds = shapely.bounds(shapes)
    off_globe = ~absent & ~(
        (bounds[:, 0] >= -180) & (bounds[:, 2] <= 180) & (bounds[:, 1] >= -90) & (bounds[:, 3] <= 90)
    )
    shapes, repaired = _mended(shapes, ~absent & ~off_globe)
    if kind == "point or none":
        areal = np.isin(shapely.get_type_id(shapes), _ALLOWED["polygon"])
        shapes = np.where(areal, shapely.point_on_surface(shapes), shapes)
        kind = "point"
    invalid = repaired & shapely.is_empty(shapes)
    wrong_kind = ~absent & ~invalid & ~np.isin(shapely.get_type_id(shapes), _ALLOWED[kind])
    return CheckedShapes(shapes, absent, wrong_kind, invalid, off_globe, repaired & ~invalid)


def _mended(shapes: Shapes, usable: Mask) -> tuple[Shapes, Mask]:
    areal = np.isin(shapely.get_type_id(shapes), _ALLOWED["polygon"])
    broken = usable & areal & ~shapely.is_valid(shapes)
    if not broken.any():
        return shapes, broken
    shapes = shapes.copy()
    for i in np.flatnonzero(broken):
        mended = shapely.get_parts(shapely.make_valid(shapes[i], method="structure", keep_collapsed=False))
        kept = [part for part in mended if part.geom_type in {"Polygon", "MultiPolygon"}]
        shapes[i] = shapely.union_all(kept) if kept else shapely.MultiPolygon()
    return shapes, broken


def outside(shapes: Shapes, boundary: BaseGeometry | None, *, tolerance_m: float = BOUNDARY_TOLERANCE_M) -> Mask:
    """Tell which of (n,) WGS84 geometries lie beyond ``boundary`` (WGS84) by more than ``tolerance_m``.

    A polygon or line is judged by a point on it. Missing geometries, and all of them without a boundary, are not.
    """
    result = np.zeros(len(shapes), bool)
    if boundary is None or boundary.is_empty or not len(shapes):
        return result
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    at = shapely.point_on_surface(shapes[present])
    middle = boundary.envelope.centroid
    crs = metric_crs(middle.x, middle.y)
    fence = shapely.transform(boundary, lambda x, y: to_metric(x, y, crs), interleaved=False)
    shapely.prepare(fence)
    points = shapely.points(*to_metric(shapely.get_x(at), shapely.get_y(at), crs))
    result[present] = ~shapely.dwithin(fence, points, tolerance_m)
    return result
