"""Points brought onto segments: the nearest, the lowest of equals, and none beyond the limit."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import LineString

from gis.crs import metric_crs, to_lonlat, to_metric
from gis.errors import NetworkError
from gis.network import StreetNetwork
from gis.network_build import network_from_edges
from gis.snapping import snap

CRS = metric_crs(118.8, 32.0)
X0, Y0 = (float(value) for value in to_metric(118.8, 32.0, CRS))


def places(*points: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.array(points, float).reshape(-1, 2).T
    return to_lonlat(X0 + x, Y0 + y, CRS)


def network(*lines: list[tuple[float, float]], **columns: list[float]) -> StreetNetwork:
    """A network of lines given in metres, none of which share a node."""
    count = len(lines)
    topology = {"segment_id": list(range(count)), "u": list(range(count)), "v": list(range(100, 100 + count))}
    shapes = [LineString(np.column_stack(places(*line))) for line in lines]
    return network_from_edges(gpd.GeoDataFrame({**topology, **columns}, geometry=shapes, crs=4326))


def position_of(net: StreetNetwork, segment_id: int) -> int:
    return int(np.flatnonzero(net.segment_id == segment_id)[0])


def test_a_point_keeps_its_segment_its_metres_from_u_and_its_gap() -> None:
    net = network([(0, 0), (100, 0)], [(0, 50), (100, 50)])
    at = snap(net, *places((30, 10), (70, 45)))
    assert at.segment.tolist() == [position_of(net, 0), position_of(net, 1)]
    np.testing.assert_allclose(at.offset_m, [30, 70], atol=1e-3)
    np.testing.assert_allclose(at.gap_m, [10, 5], atol=1e-3)


def test_offsets_are_scaled_to_the_given_length() -> None:
    net = network([(0, 0), (100, 0)], length_m=[200.0])
    assert snap(net, *places((30, 10), (500, 0)), limit_m=1000).offset_m.tolist() == pytest.approx([60, 200], abs=1e-2)


def test_beyond_the_limit_a_point_is_unsnapped_with_its_true_gap() -> None:
    net = network([(0, 0), (100, 0)])
    at = snap(net, *places((50, 199), (50, 201), (50, 9000)))
    assert at.segment.tolist() == [0, -1, -1]
    assert np.isnan(at.offset_m).tolist() == [False, True, True]
    np.testing.assert_allclose(at.gap_m, [199, 201, 9000], atol=0.5)


def test_segments_not_usable_are_passed_over() -> None:
    net = network([(0, 0), (100, 0)], [(0, 50), (100, 50)])
    usable = np.ones(2, bool)
    usable[position_of(net, 0)] = False
    assert snap(net, *places((30, 1)), usable=usable).segment.tolist() == [position_of(net, 1)]
    nothing = snap(net, *places((30, 1)), usable=np.zeros(2, bool))
    assert (nothing.segment.tolist(), nothing.gap_m.tolist()) == ([-1], [np.inf])


def test_of_segments_equally_near_the_lowest_position_is_taken() -> None:
    net = network([(0, 0), (100, 0)], [(100, 0), (0, 0)], [(0, 0), (100, 0)])
    assert snap(net, *places((50, 20), (0, 0))).segment.tolist() == [0, 0]


def test_a_segment_without_extent_can_be_snapped_to() -> None:
    at = snap(network([(0, 0), (0, 0)]), *places((3, 4)))
    assert (at.segment.tolist(), at.offset_m.tolist()) == ([0], [0.0])
    assert at.gap_m[0] == pytest.approx(5, abs=1e-3)


def test_no_points_give_no_positions() -> None:
    assert len(snap(network([(0, 0), (1, 0)]), [], [])) == 0


@pytest.mark.parametrize(
    ("lon", "lat", "options"),
    [
        ([np.nan], [32.0], {}),
        ([118.8, np.inf], [32.0, 32.0], {}),
        ([32.0], [118.8], {}),
        ([118.8], [32.0, 32.1], {}),
        ([118.8], [32.0], {"limit_m": -1}),
        ([118.8], [32.0], {"limit_m": np.nan}),
        ([118.8], [32.0], {"usable": np.ones(3, bool)}),
    ],
)
def test_impossible_points_and_options_are_refused(
    lon: list[float], lat: list[float], options: dict[str, object]
) -> None:
    with pytest.raises(NetworkError):
        snap(network([(0, 0), (1, 0)]), lon, lat, **options)


coordinate = st.floats(-500, 500, allow_nan=False, width=32)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=5), min_size=1, max_size=8),
    st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=8),
)
def test_snapping_equals_trying_every_segment(
    lines: list[list[tuple[float, float]]], points: list[tuple[float, float]]
) -> None:
    net = network(*lines)
    lon, lat = places(*points)
    at = snap(net, lon, lat, limit_m=300)
    drawn = [LineString(np.column_stack(to_metric(*line.coords.xy, net.crs))) for line in net.geometry]
    for k, point in enumerate(shapely.points(*to_metric(lon, lat, net.crs))):
        gaps = np.array([line.distance(point) for line in drawn])
        assert at.gap_m[k] == pytest.approx(gaps.min(), abs=1e-6)
        if gaps.min() > 300:
            assert at.segment[k] == -1
            continue
        line = drawn[at.segment[k]]
        assert line.distance(point) == pytest.approx(gaps.min(), abs=1e-6)
        assert 0 <= at.offset_m[k] <= net.length_m[at.segment[k]]
        foot = line.interpolate(at.offset_m[k])
        assert foot.distance(point) == pytest.approx(gaps.min(), abs=1e-4)


@pytest.mark.realdata
def test_every_raw_node_of_nanjing_is_placed(realdata: Path) -> None:
    net = network_from_edges(pyogrio.read_dataframe(realdata / "nanjing" / "nanjing_streets.gpkg", layer="edges"))
    nodes = pd.read_csv(realdata / "nanjing" / "nanjing_raw_nodes.csv.gz")
    at = snap(net, nodes["lon"], nodes["lat"])
    assert len(at) == 146_839
    # The raw nodes are the vertices the streets were drawn from.
    assert np.median(at.gap_m) < 0.1
    placed = at.segment >= 0
    assert (at.gap_m[placed] <= 200).all() and (at.gap_m[~placed] > 200).all()
    assert (at.offset_m[placed] <= net.length_m[at.segment[placed]]).all()
    # In pieces and in reverse the answers are the same.
    some = slice(None, None, -997)
    again = snap(net, nodes["lon"][some], nodes["lat"][some])
    np.testing.assert_array_equal(again.segment, at.segment[some])
    np.testing.assert_array_equal(again.offset_m, at.offset_m[some])
