import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.crs import to_metric
from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import StreetNetwork
from gis.reach import nearest, time_at
from gis.reach_paths import isochrone, shortest_path
from gis.search_graph import search_graph
from tests.gis.model_networks import (
    every_place,
    network_of,
    one,
    positions_at,
    random_network,
    scattered,
    seconds_between,
)

SEEDS = st.integers(0, 2**32 - 1)


def walking(network: StreetNetwork, *, toward: bool = True):
    return search_graph(network, travel_by(network, "walk", walk_kmh=3.6), toward=toward)


def metric(network: StreetNetwork, shape):
    return shapely.transform(shape, lambda at: np.column_stack(to_metric(at[:, 0], at[:, 1], network.crs)))


@pytest.mark.parametrize("toward", [True, False])
def test_a_path_through_the_toy_town_agrees_with_pencil_and_paper(toy_town: StreetNetwork, toward: bool) -> None:
    path = shortest_path(walking(toy_town, toward=toward), toy_town, positions_at(0, 30, 5.0), positions_at(7, 40, 2.0))
    assert (path.time_s, path.length_m, path.segments.tolist()) == (70 + 100 + 40 + 7, 210, [0, 3, 7])
    corners = shapely.get_coordinates(metric(toy_town, path.geometry)) - (500_000, 3_550_000)
    np.testing.assert_allclose(corners, [(30, 200), (100, 200), (100, 100), (140, 100)], atol=1e-3)


@pytest.mark.parametrize("toward", [True, False])
@pytest.mark.parametrize(("begin_m", "end_m"), [(20.0, 70.0), (70.0, 20.0), (30.0, 30.0), (0.0, 100.0)])
def test_a_path_inside_one_segment_stays_on_it(toy_town: StreetNetwork, toward: bool, begin_m, end_m) -> None:
    path = shortest_path(walking(toy_town, toward=toward), toy_town, positions_at(1, begin_m), positions_at(1, end_m))
    assert path.time_s == path.length_m == abs(end_m - begin_m)
    along = shapely.get_coordinates(metric(toy_town, path.geometry))[:, 0] - 500_100
    np.testing.assert_allclose(along, [begin_m, end_m], atol=1e-3)


def test_a_car_goes_round_the_block_to_a_place_behind_it_on_a_one_way_street(toy_town: StreetNetwork) -> None:
    for toward in (True, False):
        graph = search_graph(toy_town, travel_by(toy_town, "drive"), toward=toward)
        path = shortest_path(graph, toy_town, positions_at(6, 60), positions_at(6, 20))
        assert path.segments.tolist() == [6, 3, 0, 2, 6] and path.length_m == 40 + 100 + 100 + 100 + 20


def test_where_there_is_no_path_the_time_is_infinite_and_the_line_empty(toy_town: StreetNetwork) -> None:
    graph = walking(toy_town)
    for goal in (positions_at(10, 5), positions_at(-1, np.nan, 300.0)):
        path = shortest_path(graph, toy_town, positions_at(0, 30), goal)
        assert np.isinf(path.time_s) and path.geometry.is_empty and len(path.segments) == 0
    with pytest.raises(NetworkError):
        shortest_path(graph, toy_town, positions_at([0, 0], [1, 2]), positions_at(0, 5))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, mode=st.sampled_from(["walk", "drive"]), toward=st.booleans())
def test_a_path_takes_the_time_it_says_and_follows_the_rules_of_the_road(seed: int, mode: str, toward: bool) -> None:
    network = random_network(seed, 30, 50)
    rng = np.random.default_rng(seed)
    travel = travel_by(network, mode)
    graph = search_graph(network, travel, toward=toward)
    origins, goals = scattered(network, rng, 4), scattered(network, rng, 4)
    for i in range(4):
        origin, goal = one(origins, i), one(goals, i)
        path = shortest_path(graph, network, origin, goal)
        drawn = every_place(network, travel, goal, origin, toward=True)
        seconds = seconds_between(drawn, goal, toward=True)[0].get(("place", 0), np.inf)
        assert path.time_s == pytest.approx(seconds + origin.gap_m[0] * travel.approach_s_per_m, rel=1e-12)
        if np.isfinite(path.time_s):
            assert_drives(network, travel, path, origin, goal)


def assert_drives(network, travel, path, origin, goal) -> None:
    """Check independently that the segments join up in their directions, and that their seconds add up."""
    walked_s = (origin.gap_m[0] + goal.gap_m[0]) * travel.approach_s_per_m
    if len(path.segments) > 1:
        inner = path.segments[1:-1]
        longest = (travel.seconds_per_m[inner] * network.length_m[inner]).sum() + walked_s
        assert longest <= path.time_s * (1 + 1e-12)
        for a, b in zip(path.segments[:-1], path.segments[1:], strict=True):
            assert {network.u[a], network.v[a]} & {network.u[b], network.v[b]}
    assert np.isfinite(travel.seconds_per_m[path.segments]).all()
    if len(set(travel.seconds_per_m[path.segments].tolist())) == 1:
        assert path.time_s == pytest.approx(path.length_m * travel.seconds_per_m[path.segments[0]] + walked_s, rel=1e-9)


def test_a_path_keeps_the_vertices_of_its_streets() -> None:
    network = network_of([(0, 0)], [0], [0])  # a loop with two corners
    path = shortest_path(walking(network), network, positions_at(0, 10), positions_at(0, network.length_m[0] - 10))
    assert path.length_m == pytest.approx(20)  # over the node, not round the loop
    path = shortest_path(walking(network), network, positions_at(0, 45), positions_at(0, 132))
    given = shapely.get_coordinates(network.geometry[0])[1:3].tolist()
    assert shapely.get_coordinates(path.geometry)[1:-1].tolist() == given


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, mode=st.sampled_from(["walk", "drive"]), limit_s=st.sampled_from([20.0, 200.0, np.inf]))
def test_an_isochrone_is_valid_and_holds_every_street_within_the_limit(seed: int, mode: str, limit_s: float) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed)
    graph = search_graph(network, travel_by(network, mode))
    points = scattered(network, rng, 2)
    area = isochrone(graph, network, points, limit_s)
    assert area.is_valid and area.geom_type in ("Polygon", "MultiPolygon")
    segment = rng.integers(0, network.n_segments, 500)
    share = rng.uniform(0.001, 0.999, 500)
    seconds = time_at(
        graph, points, nearest(graph, points), positions_at(segment, share * network.length_m[segment])
    ).time_s
    lines = np.array([metric(network, network.geometry[s]) for s in segment])
    at = shapely.get_coordinates(shapely.line_interpolate_point(lines, share, normalized=True))
    within = (seconds <= limit_s) & np.isfinite(seconds) & (network.length_m[segment] > 0)
    assert shapely.contains_xy(metric(network, area), at)[within].all()


def test_an_isochrone_of_nothing_reached_is_empty(toy_town: StreetNetwork) -> None:
    graph = walking(toy_town)
    assert isochrone(graph, toy_town, positions_at(-1, np.nan, 300.0), 600).is_empty
    assert isochrone(graph, toy_town, positions_at(0, 30, 100.0), 60).is_empty
    with pytest.raises(NetworkError):
        isochrone(graph, toy_town, positions_at(0, 30), -1)
