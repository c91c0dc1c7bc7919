"""Streets cut along areas: every metre in one piece, every piece in one area of each level."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPolygon, Point, Polygon

from gis.crs import metric_crs, to_lonlat, to_metric
from gis.errors import NetworkError
from gis.network import StreetNetwork
from gis.network_build import network_from_edges
from gis.street_pieces import StreetPieces, cut_by_areas, locate

CRS = metric_crs(118.8, 32.0)
X0, Y0 = (float(value) for value in to_metric(118.8, 32.0, CRS))


def lonlat(points: object) -> NDArray[np.float64]:
    x, y = np.array(points, float).T
    return np.column_stack(to_lonlat(X0 + x, Y0 + y, CRS))


def box(west: float, south: float, east: float, north: float) -> Polygon:
    return Polygon(lonlat([(west, south), (east, south), (east, north), (west, north)]))


def network(*lines: list[tuple[float, float]], **columns: list[float]) -> StreetNetwork:
    count = len(lines)
    topology = {"segment_id": list(range(count)), "u": list(range(count)), "v": list(range(100, 100 + count))}
    shapes = [LineString(lonlat(line)) for line in lines]
    return network_from_edges(gpd.GeoDataFrame({**topology, **columns}, geometry=shapes, crs=4326))


def areas(*shapes: object) -> NDArray[np.object_]:
    held = np.empty(len(shapes), object)
    held[:] = shapes
    return held


def check_whole(net: StreetNetwork, pieces: StreetPieces) -> None:
    """Every segment from 0 to exactly its length, each piece starting where the last one ended."""
    assert set(pieces.segment.tolist()) == set(range(net.n_segments))
    first = np.r_[True, pieces.segment[1:] != pieces.segment[:-1]]
    last = np.r_[first[1:], True]
    assert (np.diff(pieces.segment) >= 0).all()
    assert (pieces.from_m[first] == 0).all()
    np.testing.assert_array_equal(pieces.to_m[last], net.length_m[pieces.segment[last]])
    np.testing.assert_array_equal(pieces.from_m[1:][~first[1:]], pieces.to_m[:-1][~first[1:]])
    assert (pieces.length_m >= 0).all()


def test_a_street_is_cut_where_it_crosses_from_one_area_to_the_next() -> None:
    net = network([(-100, 0), (100, 0)])
    pieces = cut_by_areas(net, {"district": areas(box(-200, -50, -20, 50), box(-20, -50, 60, 50))})
    check_whole(net, pieces)
    assert pieces.area["district"].tolist() == [0, 1, -1]
    np.testing.assert_allclose(pieces.length_m, [80, 80, 40], atol=0.01)


def test_levels_refine_one_another_and_lengths_follow_the_given_length() -> None:
    net = network([(-100, 0), (100, 0)], length_m=[400.0])
    levels = {"district": areas(box(-200, -50, 200, 50)), "cell": areas(box(-50, -50, 0, 50), box(0, -50, 50, 50))}
    pieces = cut_by_areas(net, levels)
    check_whole(net, pieces)
    assert pieces.area["district"].tolist() == [0, 0, 0, 0]
    assert pieces.area["cell"].tolist() == [-1, 0, 1, -1]
    np.testing.assert_allclose(pieces.length_m, 100, atol=0.02)


def test_a_boundary_street_belongs_to_the_lowest_area() -> None:
    net = network([(0, -50), (0, 50)], [(0, 20), (0, -20)])
    west, east = box(-100, -100, 0, 100), box(0, -100, 100, 100)
    for order in ([west, east], [east, west]):
        pieces = cut_by_areas(net, {"cell": areas(*order)})
        check_whole(net, pieces)
        assert pieces.area["cell"].tolist() == [0, 0]


def test_overlaps_go_to_the_lowest_area_and_holes_and_gaps_to_none() -> None:
    ring = box(-100, -100, 100, 100)
    holed = Polygon(ring.exterior, [box(-10, -10, 10, 10).exterior])
    net = network([(-200, 0), (200, 0)])
    pieces = cut_by_areas(net, {"area": areas(None, holed, box(50, -100, 150, 100), Polygon())})
    check_whole(net, pieces)
    assert pieces.area["area"].tolist() == [-1, 1, -1, 1, 2, -1]
    np.testing.assert_allclose(pieces.length_m, [100, 90, 20, 90, 50, 50], atol=0.02)


def test_areas_of_several_parts_count_as_one() -> None:
    net = network([(-100, 0), (100, 0)])
    two = MultiPolygon([box(-100, -50, -40, 50), box(40, -50, 100, 50)])
    assert cut_by_areas(net, {"area": areas(two)}).area["area"].tolist() == [0, -1, 0]


def test_touching_a_corner_cuts_nothing() -> None:
    net = network([(-100, 0), (100, 0)])
    assert len(cut_by_areas(net, {"area": areas(box(-50, 0, -20, 50))})) <= 3
    tip = Polygon(lonlat([(0, 0), (30, 30), (-30, 30)]))
    assert len(cut_by_areas(net, {"area": areas(tip)})) == 1


def test_without_areas_or_extent_a_segment_is_one_piece() -> None:
    net = network([(0, 0), (0, 0)], [(0, 0), (50, 0)])
    for levels in ({}, {"area": areas()}, {"area": areas(None)}, {"area": areas(box(0, 0, 10, 10))}):
        pieces = cut_by_areas(net, levels)
        check_whole(net, pieces)
    assert len(cut_by_areas(net, {})) == 2
    assert pieces.area["area"][0] == 0


def test_geometry_that_is_no_polygon_is_refused() -> None:
    with pytest.raises(NetworkError, match="no polygon"):
        cut_by_areas(network([(0, 0), (1, 0)]), {"area": areas(Point(118.8, 32))})


def test_points_are_located_in_the_lowest_area_that_holds_them() -> None:
    shapes = areas(None, box(0, 0, 10, 10), box(5, 0, 20, 10))
    lon, lat = lonlat([(1, 1), (7, 5), (15, 5), (30, 5), (20, 5)]).T
    assert locate(shapes, np.append(lon, np.nan), np.append(lat, 32.0)).tolist() == [1, 1, 2, -1, 2, -1]
    assert locate(shapes, [], []).tolist() == []
    assert locate(areas(), lon, lat).tolist() == [-1] * 5


corner = st.integers(-8, 8)
square = st.tuples(corner, corner, st.integers(1, 8), st.integers(1, 8))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.tuples(corner, corner), min_size=2, max_size=5), min_size=1, max_size=6),
    st.lists(square, max_size=5),
    st.lists(square, max_size=3),
)
def test_pieces_equal_sampling_along_every_street(
    lines: list[list[tuple[int, int]]], first: list[tuple[int, ...]], second: list[tuple[int, ...]]
) -> None:
    """Where a sample lies well inside or outside every area, its piece says so."""
    net = network(*[[(10.0 * x, 10.0 * y) for x, y in line] for line in lines])
    levels = {
        name: areas(*[box(10 * x + 1, 10 * y + 2, 10 * (x + w) + 1, 10 * (y + h) + 2) for x, y, w, h in squares])
        for name, squares in (("a", first), ("b", second))
    }
    pieces = cut_by_areas(net, levels)
    check_whole(net, pieces)
    for k in range(len(pieces)):
        segment, metres = pieces.segment[k], np.linspace(pieces.from_m[k], pieces.to_m[k], 9)[1:-1]
        drawn = LineString(np.column_stack(to_metric(*net.geometry[segment].coords.xy, net.crs)))
        x, y = shapely.get_coordinates(shapely.line_interpolate_point(drawn, metres)).T
        for level, shapes in levels.items():
            at = shapely.points(np.column_stack(to_lonlat(x, y, net.crs)))
            clear = np.all([shape.exterior.distance(at) > 1e-7 for shape in shapes], axis=0) & np.ones(len(at), bool)
            expected = locate(shapes, shapely.get_x(at), shapely.get_y(at))
            assert (expected[clear] == pieces.area[level][k]).all()


# --- Nanjing --------------------------------------------------------------------------------------------------------

TIERS = ("city", "district", "subdistrict_APPROX_voronoi", "community_APPROX_voronoi")


@pytest.fixture(scope="module")
def nanjing(realdata: Path) -> tuple[StreetNetwork, dict[str, NDArray[np.object_]], StreetPieces]:
    net = network_from_edges(pyogrio.read_dataframe(realdata / "nanjing" / "nanjing_streets.gpkg", layer="edges"))
    path = realdata / "nanjing" / "nanjing_admin.gpkg"
    tiers = {tier: pyogrio.read_dataframe(path, layer=tier).geometry.to_numpy() for tier in TIERS}
    return net, tiers, cut_by_areas(net, tiers)


def metres(pieces: StreetPieces, level: str, count: int) -> NDArray[np.float64]:
    inside = pieces.area[level] >= 0
    return np.bincount(pieces.area[level][inside], pieces.length_m[inside], minlength=count)


@pytest.mark.realdata
def test_nanjings_street_metres_add_up_over_111_subdistricts(
    nanjing: tuple[StreetNetwork, dict[str, NDArray[np.object_]], StreetPieces],
) -> None:
    net, tiers, pieces = nanjing
    check_whole(net, pieces)
    city = tiers["city"][0]
    shapely.prepare(city)
    part = np.ones(net.n_segments)
    crossing = ~shapely.covers(city, net.geometry)
    clipped = shapely.length(shapely.intersection(net.geometry[crossing], city))
    part[crossing] = clipped / np.maximum(shapely.length(net.geometry[crossing]), 1e-12)
    inside_m = (part * net.length_m).sum()
    for tier in TIERS[:3]:
        assert metres(pieces, tier, len(tiers[tier])).sum() == pytest.approx(inside_m, rel=1e-5)
    assert len(tiers[TIERS[2]]) == 111
    # A community lies in one subdistrict: no piece changes its mind between tiers.
    assert (pieces.area["city"][pieces.area["community_APPROX_voronoi"] >= 0] == 0).mean() > 0.9999


@pytest.mark.realdata
def test_nanjings_districts_have_the_metres_that_geopandas_overlay_finds(
    nanjing: tuple[StreetNetwork, dict[str, NDArray[np.object_]], StreetPieces],
) -> None:
    net, tiers, pieces = nanjing
    lines = gpd.GeoDataFrame({"length_m": net.length_m}, geometry=net.geometry, crs=4326)
    lines["drawn"] = lines.to_crs(net.crs).length
    shapes = gpd.GeoDataFrame({"district": range(4)}, geometry=tiers["district"][:4], crs=4326)
    over = gpd.overlay(lines[lines["drawn"] > 0], shapes, how="intersection", keep_geom_type=True)
    expected = (over.to_crs(net.crs).length / over["drawn"] * over["length_m"]).groupby(over["district"]).sum()
    np.testing.assert_allclose(metres(pieces, "district", 11)[:4], expected, rtol=1e-4)


@pytest.mark.realdata
def test_pieces_do_not_depend_on_the_order_of_rows(realdata: Path) -> None:
    edges = pyogrio.read_dataframe(realdata / "haikou" / "haikou_streets.gpkg", layer="edges")
    layers = pyogrio.list_layers(realdata / "haikou" / "haikou_admin.gpkg")[:, 0].tolist()
    path = realdata / "haikou" / "haikou_admin.gpkg"
    tiers = {
        name: pyogrio.read_dataframe(path, layer=name).geometry.to_numpy() for name in layers if "point" not in name
    }
    one = cut_by_areas(network_from_edges(edges), tiers)
    two = cut_by_areas(network_from_edges(edges.sample(frac=1, random_state=2)), tiers)
    np.testing.assert_array_equal(one.to_m, two.to_m)
    for tier in tiers:
        np.testing.assert_array_equal(one.area[tier], two.area[tier])
