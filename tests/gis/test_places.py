"""Places along streets: evenly apart, ends included, and found near a point as by measuring every one."""

import numpy as np
import shapely

from gis.crs import to_metric
from gis.network import StreetNetwork
from gis.places import Places, places_along, places_near
from tests.gis.model_networks import network_of


def by_segment(places: Places, segment: int) -> np.ndarray:
    return np.sort(places.offset_m[places.segment == segment])


def test_places_are_evenly_apart_from_end_to_end(toy_town: StreetNetwork) -> None:
    places = places_along(toy_town, np.ones(toy_town.n_segments, bool), 30.0)
    for segment, length_m in enumerate(toy_town.length_m):
        offset_m = by_segment(places, segment)
        assert offset_m[0] == 0.0 and offset_m[-1] == length_m
        assert (np.diff(offset_m) <= 30.0 + 1e-9).all()
        np.testing.assert_allclose(np.diff(offset_m), length_m / (len(offset_m) - 1), atol=1e-9)


def test_each_place_lies_on_its_segment_at_its_share_of_the_line(toy_town: StreetNetwork) -> None:
    places = places_along(toy_town, np.ones(toy_town.n_segments, bool), 12.0)
    for i in range(len(places.segment)):
        vertices = shapely.get_coordinates(toy_town.geometry[places.segment[i]])
        line = shapely.linestrings(np.column_stack(to_metric(vertices[:, 0], vertices[:, 1], toy_town.crs)))
        length_m = toy_town.length_m[places.segment[i]]
        share = places.offset_m[i] / length_m if length_m > 0 else 0.0
        at = shapely.line_interpolate_point(line, share, normalized=True)
        np.testing.assert_allclose([places.x[i], places.y[i]], [at.x, at.y], atol=1e-5)


def test_unusable_segments_bear_no_places(toy_town: StreetNetwork) -> None:
    usable = np.ones(toy_town.n_segments, bool)
    usable[[2, 8]] = False
    assert not np.isin([2, 8], places_along(toy_town, usable, 10.0).segment).any()
    assert len(places_along(toy_town, np.zeros(toy_town.n_segments, bool), 10.0).segment) == 0


def test_places_near_a_point_are_those_that_measuring_finds() -> None:
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, 700, (30, 2))
    pairs = rng.integers(0, 30, (60, 2))
    network = network_of(xy, pairs[:, 0], pairs[:, 1])
    places = places_along(network, np.ones(60, bool), 9.0)
    found = np.empty(len(places.segment), np.int64)
    for x, y, radius_m in rng.uniform([499_900, 3_549_900, 1], [500_800, 3_550_800, 150], (60, 3)):
        end = places_near(x, y, radius_m, places, 0, len(found), found)
        near = np.flatnonzero(np.hypot(places.x - x, places.y - y) <= radius_m)
        np.testing.assert_array_equal(np.sort(found[:end]), near)
        assert places_near(x, y, radius_m, places, 0, 3, found) == min(3, len(near))
