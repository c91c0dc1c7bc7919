"""Reach on real cities, against scipy, networkx and igraph."""

from pathlib import Path

import igraph
import networkx as nx
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gis.modes import Travel, travel_by
from gis.network import Positions, StreetNetwork
from gis.network_build import read_network
from gis.reach import covered_metres, k_nearest, nearest, time_matrix
from gis.reach_paths import isochrone, shortest_path
from gis.search_graph import search_graph, start_seconds

FILES = {
    "nanjing": "nanjing/nanjing_streets.gpkg",
    "haikou": "haikou/haikou_streets.gpkg",
    "jinan": "jinan/jinan_streets_directed.gpkg",
    "futian": "shenzhen_futian/futian_osmnx_all.graphml.gz",
}
THRESHOLDS_S = np.array([300.0, 600.0, 900.0])

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def city(request, realdata: Path) -> StreetNetwork:
    return read_network(realdata / FILES[request.param])[0]


def scattered_points(network: StreetNetwork, count: int) -> Positions:
    rng = np.random.default_rng(7)
    segment = rng.integers(0, network.n_segments, count).astype(np.int32)
    segment[1] = segment[0]
    offset_m = rng.random(count) * network.length_m[segment]
    return Positions(segment, offset_m, rng.choice([0.0, 12.5, 60.0], count))


def split_arcs(network: StreetNetwork, travel: Travel, stops: Positions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut the network at every stop, by numpy alone: (tail, head, seconds) as travelled; stop k is node n + k.

    The arcs the stops cut are kept too: passing a segment whole takes as long as passing its parts.
    """
    n, order = network.n_nodes, np.lexsort((stops.offset_m, stops.segment))
    segment, offset_m = stops.segment[order], stops.offset_m[order]
    first = np.r_[True, segment[1:] != segment[:-1]]
    last = np.r_[first[1:], True]
    before = np.where(first, network.u[segment], n + np.roll(order, 1))
    before_m = np.where(first, 0.0, np.roll(offset_m, 1))
    a = np.concatenate([network.u, before, (n + order)[last]])
    b = np.concatenate([network.v, n + order, network.v[segment[last]]])
    metres = np.concatenate([network.length_m, offset_m - before_m, (network.length_m[segment] - offset_m)[last]])
    of = np.concatenate([np.arange(network.n_segments), segment, segment[last]])
    pace = travel.seconds_per_m[of]
    seconds = metres * np.where(np.isfinite(pace), pace, 0.0)
    go, back = travel.forward[of], travel.backward[of]
    return np.r_[a[go], b[back]], np.r_[b[go], a[back]], np.r_[seconds[go], seconds[back]]


def cheapest(tail, head, seconds, size: int):
    order = np.lexsort((seconds, head, tail))
    tail, head, seconds = tail[order], head[order], seconds[order]
    first = np.r_[True, (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])]
    return coo_array((seconds[first], (tail[first], head[first])), shape=(size, size)).tocsr()


@pytest.mark.parametrize("city", list(FILES), indirect=True)
@pytest.mark.parametrize("mode", ["walk", "drive"])
def test_nearest_times_equal_scipy_networkx_and_igraph(city: StreetNetwork, mode: str) -> None:
    travel = travel_by(city, mode)
    points = scattered_points(city, 60)
    n, k = city.n_nodes, len(points)
    found = nearest(search_graph(city, travel), points)

    tail, head, seconds = split_arcs(city, travel, points)
    start = start_seconds(search_graph(city, travel), points)
    usable = np.flatnonzero(np.isfinite(start))
    root = n + k  # the way to the points, so arcs are turned round and the root comes first
    matrix = cheapest(
        np.r_[head, np.full(len(usable), root)], np.r_[tail, n + usable], np.r_[seconds, start[usable]], n + k + 1
    )
    expected = dijkstra(matrix, indices=root)[:n]
    np.testing.assert_allclose(found.time_s, expected, rtol=1e-12)
    arcs = matrix.tocoo()
    by_igraph = igraph.Graph(n + k + 1, np.column_stack(arcs.coords).tolist(), directed=True)
    np.testing.assert_allclose(found.time_s, by_igraph.distances(root, weights=arcs.data.tolist())[0][:n], rtol=1e-12)
    if mode == "walk":
        drawn = nx.DiGraph()
        drawn.add_weighted_edges_from(zip(*(c.tolist() for c in arcs.coords), arcs.data.tolist(), strict=True))
        by_networkx = nx.single_source_dijkstra_path_length(drawn, root)
        np.testing.assert_allclose(found.time_s, [by_networkx.get(i, np.inf) for i in range(n)], rtol=1e-12)


@pytest.mark.parametrize("city", list(FILES), indirect=True)
@pytest.mark.parametrize("mode", ["walk", "drive"])
def test_from_junctions_times_equal_scipy_bit_for_bit(city: StreetNetwork, mode: str) -> None:
    graph = search_graph(city, travel_by(city, mode))
    rng = np.random.default_rng(3)
    segment = rng.choice(np.flatnonzero(np.isfinite(graph.seconds_per_m)), 200, replace=False).astype(np.int32)
    found = nearest(graph, Positions(segment, np.zeros(200), np.zeros(200)))
    tail = np.repeat(np.arange(graph.n_nodes), np.diff(graph.indptr))
    matrix = cheapest(tail, graph.head, graph.seconds, graph.n_nodes)
    np.testing.assert_array_equal(found.time_s, dijkstra(matrix, indices=np.unique(city.u[segment]), min_only=True))


@pytest.mark.parametrize("city", ["haikou", "jinan"], indirect=True)
@pytest.mark.parametrize("mode", ["walk", "drive"])
def test_covered_metres_equal_samples_every_half_metre(city: StreetNetwork, mode: str) -> None:
    travel = travel_by(city, mode)
    graph = search_graph(city, travel)
    points = scattered_points(city, 40)
    rng = np.random.default_rng(9)
    segment = np.union1d(points.segment, rng.integers(0, city.n_segments, 300)).astype(np.int32)
    thresholds_s = THRESHOLDS_S / (1 if mode == "walk" else 6)
    covered = covered_metres(
        graph, points, nearest(graph, points), segment, np.zeros(len(segment)), city.length_m[segment], thresholds_s
    )

    count = np.maximum(np.ceil(city.length_m[segment] * 2), 1).astype(int)
    step_m = city.length_m[segment] / count
    piece = np.repeat(np.arange(len(segment)), count)
    middle_m = (np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count) + 0.5) * step_m[piece]
    k, size = len(points), city.n_nodes + len(points) + len(piece)
    stops = Positions(np.r_[points.segment, segment[piece]], np.r_[points.offset_m, middle_m], np.zeros(k + len(piece)))
    tail, head, seconds = split_arcs(city, travel, stops)
    start = start_seconds(graph, points)
    usable = np.flatnonzero(np.isfinite(start))
    matrix = cheapest(
        np.r_[head, np.full(len(usable), size)],
        np.r_[tail, city.n_nodes + usable],
        np.r_[seconds, start[usable]],
        size + 1,
    )
    sampled_s = dijkstra(matrix, indices=size)[city.n_nodes + k : size]
    on_segment = (segment[:, None] == points.segment).sum(axis=1)
    for t, threshold_s in enumerate(thresholds_s):
        sampled = np.bincount(piece, np.where(sampled_s <= threshold_s, step_m[piece], 0.0), len(segment))
        assert (np.abs(sampled - covered[:, t]) <= (2 + on_segment) * step_m + 1e-9).all()
    assert 0 < covered[:, 0].sum() < covered[:, 2].sum()


@pytest.mark.parametrize("city", ["haikou"], indirect=True)
def test_backup_points_and_times_between_places_equal_one_search_a_point(city: StreetNetwork) -> None:
    graph = search_graph(city, travel_by(city, "walk"))
    points = scattered_points(city, 25)
    alone = np.column_stack(
        [nearest(graph, Positions(*(a[i : i + 1] for a in parts(points)))).time_s for i in range(25)]
    )
    time_s, source = k_nearest(graph, points, 3)
    np.testing.assert_array_equal(time_s, np.sort(alone, axis=1)[:, :3])
    order = np.argsort(alone, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(source, np.where(np.isfinite(time_s), order, -1))
    open_ = np.flatnonzero(np.isfinite(graph.seconds_per_m)).astype(np.int32)
    at_ends = Positions(open_, np.zeros(len(open_)), np.zeros(len(open_)))
    matrix = time_matrix(graph, points, at_ends, 900.0).tocoo()
    at_u = alone[city.u[open_]]
    np.testing.assert_array_equal(matrix.data, at_u[matrix.coords[1], matrix.coords[0]])
    assert matrix.nnz == (at_u <= 900.0).sum()


def parts(points: Positions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return points.segment, points.offset_m, points.gap_m


@pytest.mark.parametrize("city", ["futian"], indirect=True)
def test_a_path_across_futian_runs_along_its_streets_for_the_time_it_takes(city: StreetNetwork) -> None:
    travel = travel_by(city, "walk")
    graph = search_graph(city, travel)
    points = scattered_points(city, 12)
    for i in range(0, 12, 2):
        origin, goal = (Positions(*(a[j : j + 1] for a in parts(points))) for j in (i, i + 1))
        path = shortest_path(graph, city, origin, goal)
        walked_m = path.length_m + origin.gap_m[0] + goal.gap_m[0]
        assert path.time_s == pytest.approx(walked_m * travel.approach_s_per_m, rel=1e-9)
        assert path.geometry.is_valid or path.length_m == 0
    area = isochrone(graph, city, origin, 600.0)
    assert area.is_valid and not area.is_empty
