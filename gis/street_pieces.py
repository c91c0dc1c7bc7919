"""Streets cut along the boundaries of areas, so that every metre belongs to one area of each level."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gis.crossings import Elements, cross_shares, elements_of
from gis.crs import to_metric
from gis.errors import NetworkError
from gis.network import StreetNetwork
from gis.point_location import bands_of, lowest_polygon

Areas = NDArray[np.object_]
Floats = NDArray[np.float64]

#: Metres: cuts closer than this to each other or to a segment's end are one.
_SAME_M = 1e-6
#: Degrees (0.1 mm): a point this close to an area's edge lies on it, whatever rounding says.
EDGE_DEG = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class StreetPieces:
    """The p pieces of all segments, ordered by segment and by metres from u: each metre in exactly one piece.

    segment : (p,) segment position. from_m, to_m : (p,) metres from u; a segment's first piece starts at 0, each
    following one where the last ended, and the last ends at exactly ``length_m``.
    area : for each level (p,) the area's position, -1 outside every area.
    """

    segment: NDArray[np.int32]
    from_m: Floats
    to_m: Floats
    area: dict[str, NDArray[np.int32]]

    @property
    def length_m(self) -> Floats:
        """Length of each piece (p,)."""
        return self.to_m - self.from_m

    def __len__(self) -> int:
        return len(self.segment)


def cut_by_areas(network: StreetNetwork, areas: Mapping[str, Areas]) -> StreetPieces:
    """Cut every segment at the boundaries of all levels' areas: the common refinement.

    areas : for each level (k,) WGS84 polygons, multipolygons or None. Areas of a level may overlap, leave gaps and
    have holes; where they overlap, or share an edge a street runs along, the lowest position has the street.

    Returns pieces that each lie in at most one area a level; neighbours that lie in the same areas are one piece.
    Raises NetworkError on a geometry that is no polygon.
    """
    for level, shapes in areas.items():
        _check_polygons(level, shapes)
    elements = elements_of(*shapely.get_coordinates(network.geometry, return_index=True))
    element, share = _cuts(elements, [shape for shapes in areas.values() for shape in shapes])
    segment, from_m, to_m, inside = _refine(network, elements, element, share)
    area = {level: _lowest(shapes, *np.ascontiguousarray(inside.T)) for level, shapes in areas.items()}
    # A boundary merely touched, or one of no consequence under an overlap, divides nothing.
    starts = np.r_[True, segment[1:] != segment[:-1]]
    for positions in area.values():
        starts[1:] |= positions[1:] != positions[:-1]
    ends = np.r_[starts[1:], True]
    area = {level: positions[starts] for level, positions in area.items()}
    return StreetPieces(segment[starts].astype(np.int32), from_m[starts], to_m[ends], area)


def locate(areas: Areas, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.int32]:
    """Return the area each point lies in (k,): its position, -1 outside; the lowest position where several.

    areas : (n,) WGS84 polygons, multipolygons or None. lon, lat : (k,) degrees; NaN lies outside. A point on an edge
    (to 0.1 mm) is inside.
    """
    x, y = np.atleast_1d(np.asarray(lon, np.float64)), np.atleast_1d(np.asarray(lat, np.float64))
    return _lowest(areas, x, y)


def _lowest(areas: Areas, x: Floats, y: Floats) -> NDArray[np.int32]:
    """Return for each point (k,) the lowest position of the areas it lies in or on, -1 for none."""
    bands = bands_of(areas, EDGE_DEG)
    return np.full(len(x), -1, np.int32) if bands is None else np.asarray(lowest_polygon(x, y, EDGE_DEG, bands))


def _check_polygons(level: str, shapes: Areas) -> None:
    kinds = set(np.unique(shapely.get_type_id(shapes)))
    if not kinds <= {-1, shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON}:
        raise NetworkError(f"层级 {level} 中有不是面的几何", f"level {level!r} holds geometry that is no polygon")


def _cuts(elements: Elements, shapes: list[object]) -> tuple[NDArray[np.int64], Floats]:
    """Return where boundaries cross or touch streets: (element, share of it), in no order, repeats included."""
    rings = shapely.get_rings(shapely.get_parts(np.array(shapes, object)))
    edges = elements_of(*shapely.get_coordinates(rings, return_index=True))
    edge, element = shapely.STRtree(elements.shapes()).query(edges.shapes())
    pair, share, _ = cross_shares(elements.start[element], elements.end[element], edges.start[edge], edges.end[edge])
    return element[pair], share


def _refine(
    network: StreetNetwork, elements: Elements, element: NDArray[np.int64], share: Floats
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return the pieces between cuts, ordered: (segment, from_m, to_m, lonlat of a point inside each)."""
    touched = np.zeros(network.n_segments, bool)
    touched[elements.line[element]] = True
    part = np.flatnonzero(touched[elements.line])  # the elements of segments that are cut
    line, start, end = elements.line[part], elements.start[part], elements.end[part]
    x0, y0 = to_metric(start[:, 0], start[:, 1], network.crs)
    x1, y1 = to_metric(end[:, 0], end[:, 1], network.crs)
    size = np.hypot(x1 - x0, y1 - y0)
    drawn = np.bincount(line, size, minlength=network.n_segments)
    touched &= drawn > 2 * _SAME_M
    before = np.r_[0.0, np.cumsum(size)][:-1]
    opening = np.searchsorted(line, line)
    along = before - before[opening]

    at = np.searchsorted(part, element)
    stop_line, stop = line[at], along[at] + share * size[at]
    inner = touched[stop_line] & (stop > _SAME_M) & (stop < drawn[stop_line] - _SAME_M)
    cut = np.flatnonzero(touched)
    stop_line = np.concatenate([stop_line[inner], cut, cut])
    stop = np.concatenate([stop[inner], np.zeros(len(cut)), drawn[cut]])
    order = np.lexsort((stop, stop_line))
    stop_line, stop = stop_line[order], stop[order]
    fresh = np.ones(len(stop), bool)
    fresh[1:] = (stop_line[1:] != stop_line[:-1]) | (np.diff(stop) > _SAME_M)
    stop_line, stop = stop_line[fresh], stop[fresh]
    opens = np.flatnonzero(stop_line[1:] == stop_line[:-1])
    of, low, high = stop_line[opens], stop[opens], stop[opens + 1]

    middle = (low + high) / 2
    reach = 2 * drawn.max(initial=1.0)
    holds = np.searchsorted(line * reach + along, of * reach + middle, side="right") - 1
    holds = np.clip(holds, np.searchsorted(line, of), None)
    part_way = np.divide(middle - along[holds], size[holds], out=np.zeros(len(of)), where=size[holds] > 0)
    inside = start[holds] + np.clip(part_way, 0, 1)[:, None] * (end - start)[holds]

    whole = np.flatnonzero(~touched)
    middles = shapely.get_coordinates(shapely.line_interpolate_point(network.geometry[whole], 0.5, normalized=True))
    scale = network.length_m[of] / drawn[of]
    segment = np.concatenate([of, whole])
    last = high == drawn[of]
    from_m = np.concatenate([low * scale, np.zeros(len(whole))])
    to_m = np.concatenate([np.where(last, network.length_m[of], high * scale), network.length_m[whole]])
    order = np.lexsort((from_m, segment))
    return segment[order], from_m[order], to_m[order], np.concatenate([inside, middles])[order]
