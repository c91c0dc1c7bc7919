"""One place brought onto the streets: the very answer of ``gis.snapping.snap``, which asks shapely."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import LineString

from gis.crs import to_lonlat
from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import StreetNetwork
from gis.network_build import network_from_edges
from gis.place_index import locate, metric_place, place_index
from gis.snapping import snap
from layers.demo_city.build import build_demo_city
from tests.gis.model_networks import CENTRE, CRS, network_of, random_network

SEEDS = st.integers(0, 2**32 - 1)
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def town() -> StreetNetwork:
    return network_from_edges(build_demo_city("town").streets)


def degrees(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    return to_lonlat(CENTRE[0] + np.asarray(x, float), CENTRE[1] + np.asarray(y, float), CRS)


def assert_as_snapped(
    network: StreetNetwork, lon: Floats, lat: Floats, limit_m: float, usable: NDArray[np.bool_] | None = None
) -> None:
    """Compare bit for bit; what lies beyond the limit has no gap here."""
    want = snap(network, lon, lat, limit_m=limit_m, usable=usable)
    index = place_index(network, usable)
    got = [locate(*metric_place(network, *at), limit_m, index) for at in zip(lon.tolist(), lat.tolist(), strict=True)]
    segment, offset_m, gap_m = (np.array(of) for of in zip(*got, strict=True))
    np.testing.assert_array_equal(segment, want.segment)
    np.testing.assert_array_equal(offset_m, want.offset_m)
    np.testing.assert_array_equal(gap_m, np.where(want.segment >= 0, want.gap_m, np.inf))


@pytest.mark.parametrize("limit_m", [0.0, 25.0, 200.0, 1e6])
def test_thousands_of_places_in_a_town_stand_where_shapely_puts_them(town: StreetNetwork, limit_m: float) -> None:
    rng = np.random.default_rng(5)
    west, south, east, north = shapely.total_bounds(town.geometry)
    lon, lat = rng.uniform(west - 0.02, east + 0.02, 1500), rng.uniform(south - 0.02, north + 0.02, 1500)
    node = rng.integers(0, town.n_nodes, 1500)  # a junction is equally near to all its segments
    aside = rng.choice([0.0, 1e-5, 1e-3], (2, 1500)) * rng.normal(size=(2, 1500))
    lon, lat = np.append(lon, town.lon[node] + aside[0]), np.append(lat, town.lat[node] + aside[1])
    vertex = shapely.get_coordinates(town.geometry)[rng.integers(0, 2000, 500)]
    lon, lat = np.append(lon, vertex[:, 0]), np.append(lat, vertex[:, 1])
    assert_as_snapped(town, lon, lat, limit_m, np.isfinite(travel_by(town, "walk").seconds_per_m))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, limit_m=st.sampled_from([0.0, 40.0, 200.0, np.inf]), some=st.booleans())
def test_places_stand_where_shapely_puts_them_beside_loops_parallels_and_segments_without_length(
    seed: int, limit_m: float, some: bool
) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(seed, 30, 50)
    here = rng.integers(0, 30, 40)
    x = np.append(rng.uniform(-600, 1500, 40), network.x[here] - CENTRE[0])
    y = np.append(rng.uniform(-600, 1500, 40), network.y[here] - CENTRE[1])
    assert_as_snapped(network, *degrees(x, y), limit_m, rng.random(50) < 0.5 if some else None)


def test_of_segments_equally_near_the_lowest_is_taken() -> None:
    xy = [(0, 0), (100, 0), (0, 0), (100, 0), (0, 20), (100, 20)]
    network = network_of(xy, [4, 2, 0], [5, 3, 1])
    lon, lat = degrees([30, 50, 0, -40], [0, -3, 0, 0])
    assert_as_snapped(network, lon, lat, 200.0)
    assert snap(network, lon, lat).segment.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("ends", [[(0, 0), (5000, 0)], [(0, 0), (0, 5000)], [(0, 0), (0, 0)], [(0, 0), (5000, 4000)]])
def test_a_single_street_is_found_from_every_side(ends: list[tuple[float, float]]) -> None:
    rng = np.random.default_rng(1)
    lon, lat = degrees(rng.uniform(-300, 5300, 200), rng.uniform(-300, 5300, 200))
    assert_as_snapped(network_of(ends, [0], [1]), lon, lat, 400.0)


def test_where_a_recorded_length_differs_from_the_drawn_one_offsets_are_stretched() -> None:
    network = network_of([(0, 0), (100, 0)], [0], [1], length_m=[250.0])
    lon, lat = degrees([40], [7])
    x, y = metric_place(network, float(lon[0]), float(lat[0]))
    found = locate(x, y, 200.0, place_index(network))
    assert found == (0, pytest.approx(100.0, abs=1e-3), pytest.approx(7.0, abs=1e-3))


def test_without_a_usable_street_nothing_is_found() -> None:
    network = network_of([(0, 0), (100, 0)], [0], [1])
    index = place_index(network, np.array([False]))
    assert locate(*CENTRE, 1e9, index)[0] == -1
    bare = replace(network, geometry=np.array([LineString([(118.8, 32.0), (118.8, 32.0)])], object))
    assert locate(*metric_place(bare, 118.8, 32.0), 1.0, place_index(bare))[0] == 0


@pytest.mark.parametrize(("lon", "lat"), [(np.nan, 32.0), (181.0, 32.0), (118.8, -91.0), (118.8, np.inf)])
def test_a_place_nowhere_on_earth_is_refused(lon: float, lat: float) -> None:
    with pytest.raises(NetworkError):
        metric_place(network_of([(0, 0), (100, 0)], [0], [1]), lon, lat)


def test_usable_segments_must_be_marked_one_by_one() -> None:
    with pytest.raises(NetworkError):
        place_index(network_of([(0, 0), (100, 0)], [0], [1]), np.array([True, False]))
