"""The nearest points on foot and the way there, against networkx and against what coverage says."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gis.crs import to_lonlat
from gis.errors import NetworkError, QuestionError
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.network_build import network_from_edges
from gis.reach import nearest, time_at
from gis.search_graph import search_graph
from gis.snapping import snap
from gis.street_points import points_on
from layers.demo_city.build import build_demo_city
from planner.nearby import Nearby, Reached, nearby_from_bytes, nearby_of
from planner.nearby_route import DIRECTIONS, TURNS, Step
from tests.gis.model_networks import CENTRE, CRS, every_place, network_of, random_network, seconds_between

SEEDS = st.integers(0, 2**32 - 1)
Floats = NDArray[np.float64]
Town = tuple[StreetNetwork, Floats, Floats]


@pytest.fixture(scope="module")
def town() -> Town:
    """The demo town's streets, and where its points and stations are."""
    city = build_demo_city("town")
    at = pd.concat([city.service_points.geometry, city.rescue_stations.geometry]).to_numpy()
    return network_from_edges(city.streets), shapely.get_x(at), shapely.get_y(at)


def degrees(x: list[float] | Floats, y: list[float] | Floats) -> tuple[Floats, Floats]:
    return to_lonlat(CENTRE[0] + np.asarray(x, float), CENTRE[1] + np.asarray(y, float), CRS)


def on_foot(network: StreetNetwork, lon: Floats, lat: Floats) -> Positions:
    return snap(network, lon, lat, usable=np.isfinite(travel_by(network, "walk").seconds_per_m))


def model_seconds(network: StreetNetwork, places: Positions, points: Positions) -> Floats:
    """Return (places, points) seconds by networkx, both walks beside the streets counted."""
    travel = travel_by(network, "walk")
    graph = every_place(network, travel, places, points, toward=False)
    found = seconds_between(graph, places, toward=False)
    seconds = np.array([[of.get(("place", j), np.inf) for j in range(len(points))] for of in found])
    return seconds.reshape(len(places), len(points)) + np.nan_to_num(points.gap_m) * travel.approach_s_per_m


def assert_nearest(found: list[Reached], seconds: Floats, allowed: NDArray[np.bool_], count: int) -> None:
    """Check an answer against the (k,) true seconds to every point: exact, complete, in order, nothing twice."""
    wanted = np.sort(seconds[allowed & np.isfinite(seconds)])[:count]
    np.testing.assert_allclose([of.seconds for of in found], wanted, rtol=1e-12, atol=1e-9)
    which = [of.point for of in found]
    np.testing.assert_allclose(seconds[which], wanted, rtol=1e-12, atol=1e-9)
    assert allowed[which].all() and len(set(which)) == len(which)
    assert found == sorted(found, key=lambda of: (of.seconds, of.point))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, k=st.sampled_from([1, 2, 5, 40]), share=st.sampled_from([0.1, 0.4, 1.0]))
def test_the_nearest_points_are_those_of_networkx_whatever_is_asked_for(seed: int, k: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(seed, 40, 60)
    lon, lat = degrees(rng.uniform(-250, 1150, 15), rng.uniform(-250, 1150, 15))
    lon[3:5], lat[3:5] = network.lon[:2], network.lat[:2]
    lon[5], lat[5] = lon[6], lat[6]  # two points in one place
    here = degrees(rng.uniform(-250, 1150, 12), rng.uniform(-250, 1150, 12))
    here[0][:3], here[1][:3] = lon[3:6], lat[3:6]
    seconds = model_seconds(network, on_foot(network, *here), on_foot(network, lon, lat))
    nearby = nearby_of(network, lon, lat, k=k)
    for i, at in enumerate(zip(*(c.tolist() for c in here), strict=True)):
        allowed = rng.random(15) < share
        for count in (1, 3, 15, 99):
            assert_nearest(nearby.nearest(*at, allowed, count), seconds[i], allowed, count)
        assert_nearest(nearby.nearest(*at, None, 4), seconds[i], np.ones(15, bool), 4)


@pytest.mark.parametrize("k", [1, 4, 32])
def test_in_a_demo_town_the_nearest_points_are_those_of_networkx(town: Town, k: int) -> None:
    network, lon, lat = town
    rng = np.random.default_rng(7)
    node = rng.integers(0, network.n_nodes, 12)
    here = network.lon[node] + rng.normal(0, 5e-4, 12), network.lat[node] + rng.normal(0, 5e-4, 12)
    seconds = model_seconds(network, on_foot(network, *here), on_foot(network, lon, lat))
    nearby = nearby_of(network, lon, lat, k=k)
    for i, at in enumerate(zip(*(c.tolist() for c in here), strict=True)):
        for share in (0.05, 0.3, 1.0):
            allowed = rng.random(len(lon)) < share
            for count in (1, 5, len(lon)):
                assert_nearest(nearby.nearest(*at, allowed, count), seconds[i], allowed, count)


def test_the_seconds_to_the_nearest_point_are_those_of_coverage_bit_for_bit(town: Town) -> None:
    network, lon, lat = town
    rng = np.random.default_rng(8)
    node = rng.integers(0, network.n_nodes, 500)
    here = network.lon[node] + rng.normal(0, 1e-3, 500), network.lat[node] + rng.normal(0, 1e-3, 500)
    graph, points, places = (
        search_graph(network, travel_by(network, "walk")),
        *(on_foot(network, *at) for at in ((lon, lat), here)),
    )
    found = time_at(graph, points, nearest(graph, points), places)
    seconds = found.time_s + places.gap_m * graph.approach_s_per_m
    nearby = nearby_of(network, lon, lat)
    for i in range(500):
        answer = nearby.nearest(float(here[0][i]), float(here[1][i]), None, 1)
        assert answer == ([Reached(int(found.source[i]), seconds[i])] if np.isfinite(seconds[i]) else [])


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, k=st.sampled_from([1, 8]))
def test_a_route_takes_the_seconds_said_and_leads_from_foot_to_foot(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(seed, 30, 50)
    if seed % 2:  # here a segment without length is drawn hundreds of metres long, and its line begins at either end
        network = replace(network, length_m=np.maximum(network.length_m, 1.0))
    lon, lat = degrees(rng.uniform(-250, 1150, 6), rng.uniform(-250, 1150, 6))
    here = degrees(rng.uniform(-250, 1150, 6), rng.uniform(-250, 1150, 6))
    places, points = on_foot(network, *here), on_foot(network, lon, lat)
    feet = [points_on(network, np.maximum(at.segment, 0), np.nan_to_num(at.offset_m)) for at in (places, points)]
    nearby = nearby_of(network, lon, lat, k=k)
    for i, at in enumerate(zip(*(c.tolist() for c in here), strict=True)):
        known = {of.point: of.seconds for of in nearby.nearest(*at, None, 6)}
        for j in range(6):
            route = nearby.route(*at, j)
            if j not in known:
                assert route is None
                continue
            assert route is not None and route.seconds == pytest.approx(known[j], rel=1e-12, abs=1e-9)
            assert route.seconds == pytest.approx((route.metres + places.gap_m[i] + points.gap_m[j]) * 0.8, rel=1e-9)
            assert sum(step.metres for step in route.steps) == pytest.approx(route.metres, abs=0.1)
            if seed % 2:
                ends = np.column_stack(to_lonlat(*([feet[0][c][i], feet[1][c][j]] for c in (0, 1)), CRS))
                np.testing.assert_allclose(route.line[[0, -1]], ends, atol=1e-8)
            assert all(step.turn in (*DIRECTIONS, "") for step in route.steps[:1])
            assert all(step.turn in TURNS and step.metres > 0 for step in route.steps[1:])


def test_steps_follow_streets_of_one_name_and_say_each_turn() -> None:
    """East along A over two segments, half left into B, left into C, right into D, then D turns a corner."""
    xy = [(0, 0), (100, 0), (200, 0), (270, 70), (200, 140), (270, 210), (340, 140)]
    network = network_of(xy, [1, 1, 2, 4, 4, 5], [0, 2, 3, 3, 5, 6])
    network = replace(network, name=np.array(["A", "A", "B", "C", "D", "D"], object))
    nearby = nearby_of(network, *degrees([340], [140]))
    lon, lat = degrees([50], [-5])
    route = nearby.route(float(lon[0]), float(lat[0]), 0)
    assert route is not None
    assert [(step.name, step.turn) for step in route.steps] == [
        ("A", "east"), ("B", "slight_left"), ("C", "left"), ("D", "right"), ("D", "right"),
    ]  # fmt: skip
    np.testing.assert_allclose([step.metres for step in route.steps], [150, *[4900**0.5 * 2**0.5] * 4], atol=1e-3)
    assert route.seconds == pytest.approx((route.metres + 5) * 0.8, abs=1e-2)


def test_a_walk_that_begins_westward_against_the_drawn_line_is_told_so() -> None:
    network = network_of([(0, 0), (300, 0)], [0], [1])
    lon, lat = degrees([200, 50, 200], [0, 0, 10])
    nearby = nearby_of(network, lon[1:], lat[1:])
    route, stays = (nearby.route(float(lon[0]), float(lat[0]), point) for point in (0, 1))
    assert route is not None and route.steps == (Step("street 0", pytest.approx(150.0, abs=1e-3), "west"),)
    assert stays is not None and stays.steps == () and stays.line.shape == (2, 2)
    assert stays.metres == pytest.approx(0.0, abs=1e-3) and stays.seconds == pytest.approx(8.0, abs=1e-3)


def test_what_is_kept_gives_the_same_answers_and_only_for_the_same_streets(town: Town) -> None:
    network, lon, lat = town
    nearby = nearby_of(network, lon, lat, k=3, walk_kmh=3.0, snap_limit_m=90.0)
    data = nearby.to_bytes()
    again = nearby_from_bytes(network, data)
    assert again.to_bytes() == data
    for node in range(0, network.n_nodes, 200):
        at = float(network.lon[node]) + 1e-4, float(network.lat[node])
        assert again.nearest(*at, None, 9) == nearby.nearest(*at, None, 9)
    with pytest.raises(NetworkError):
        nearby_from_bytes(replace(network, length_m=network.length_m + 1.0), data)


def test_many_threads_may_ask_at_once(town: Town) -> None:
    network, lon, lat = town
    nearby = nearby_of(network, lon, lat, k=2)
    allowed = np.arange(len(lon)) % 5 == 0

    def ask(node: int) -> list[Reached]:
        return nearby.nearest(float(network.lon[node]), float(network.lat[node]), allowed, 4)

    nodes = list(range(0, network.n_nodes, 20))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, nodes)) == [ask(node) for node in nodes]


def test_a_place_without_streets_near_or_a_city_without_points_reaches_nothing(town: Town) -> None:
    network, lon, lat = town
    at = float(network.lon[0]), float(network.lat[0])
    nearby = nearby_of(network, lon, lat)
    assert nearby.nearest(at[0] + 1.0, at[1], None, 3) == [] and nearby.route(at[0] + 1.0, at[1], 0) is None
    assert nearby.nearest(*at, np.zeros(len(lon), bool), 3) == []
    none = nearby_of(network, [], [])
    assert len(none) == 0 and none.nearest(*at, None, 3) == [] == nearby_from_bytes(network, none.to_bytes()).nearest(
        *at, None, 3
    )
    beyond = nearby_of(network, lon[:1] + 1.0, lat[:1])
    assert beyond.nearest(*at, None, 3) == [] and beyond.route(*at, 0) is None


@pytest.fixture
def nearby() -> Nearby:
    return nearby_of(network_of([(0, 0), (300, 0)], [0], [1]), *degrees([50, 60], [0, 0]))


def test_impossible_questions_are_refused(nearby: Nearby) -> None:
    lon, lat = (float(c[0]) for c in degrees([10], [0]))
    for allowed, count in ((np.ones(3, bool), 1), (np.ones(2, np.int64), 1), (None, 0)):
        with pytest.raises(QuestionError):
            nearby.nearest(lon, lat, allowed, count)
    for point in (-1, 2):
        with pytest.raises(QuestionError):
            nearby.route(lon, lat, point)
    for place in ((np.nan, lat), (lon, 95.0)):
        with pytest.raises(NetworkError):
            nearby.nearest(*place, None, 1)
    with pytest.raises(NetworkError):
        nearby_of(network_of([(0, 0), (300, 0)], [0], [1]), [118.8], [32.0], k=0)
