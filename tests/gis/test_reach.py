import dataclasses

import igraph
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import StreetNetwork
from gis.reach import catchments, covered_metres, k_nearest, nearest, time_at, time_matrix
from gis.search_graph import SearchGraph, search_graph
from gis.search_seeds import seeds_of
from tests.gis.model_networks import (
    chosen,
    every_place,
    network_of,
    positions_at,
    random_network,
    scattered,
    seconds_table,
)

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from(["walk", "drive"])


def walking(network: StreetNetwork, *, toward: bool = True) -> SearchGraph:
    """One metre a second, so that whole metres give whole seconds."""
    return search_graph(network, travel_by(network, "walk", walk_kmh=3.6), toward=toward)


def arcs_with_a_root(graph: SearchGraph, sources) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (tail, head, seconds) of the cheapest arc of each pair, and of a root n joined to the seeds."""
    seeds = seeds_of(graph, sources)
    tail = np.concatenate(
        [np.repeat(np.arange(graph.n_nodes), np.diff(graph.indptr)), np.full(len(seeds.node), graph.n_nodes)]
    )
    head = np.concatenate([graph.head, seeds.node])
    seconds = np.concatenate([graph.seconds, seeds.seconds])
    order = np.lexsort((seconds, head, tail))
    first = np.r_[True, (np.diff(tail[order]) != 0) | (np.diff(head[order]) != 0)] if len(order) else np.empty(0, bool)
    return tail[order][first], head[order][first], seconds[order][first]


def test_the_toy_town_agrees_with_pencil_and_paper(toy_town: StreetNetwork) -> None:
    graph = walking(toy_town)
    near = nearest(graph, positions_at([0, 8], [30, 50]))
    assert near.time_s.tolist() == [30, 70, 150, 130, 150, 50, 150, np.inf, np.inf]
    assert near.source.tolist() == [0, 0, 1, 0, 1, 1, 1, -1, -1]
    assert nearest(graph, positions_at([0, 8], [30, 50]), limit_s=100).time_s.tolist() == [
        30, 70, np.inf, np.inf, np.inf, 50, np.inf, np.inf, np.inf,
    ]  # fmt: skip


def test_a_one_way_street_binds_the_car_and_not_the_walker(toy_town: StreetNetwork) -> None:
    point = positions_at(6, 100)  # at node 4, the end of the one-way street from 3
    car = travel_by(toy_town, "drive")
    to_point = nearest(search_graph(toy_town, car), point).time_s
    from_point = nearest(search_graph(toy_town, car, toward=False), point).time_s
    pace = 3.6 / 25
    assert to_point[3] == pytest.approx(100 * pace)
    assert from_point[3] == pytest.approx(300 * pace)
    assert nearest(walking(toy_town), point).time_s[3] == 100


def test_the_walk_between_a_point_and_its_segment_counts(toy_town: StreetNetwork) -> None:
    near = nearest(walking(toy_town), positions_at([0, 1], [30, 50], [45.0, 0.0]))
    assert near.time_s[:3].tolist() == [75, 50, 50]
    assert near.source[:3].tolist() == [0, 1, 1]


def test_a_tie_goes_to_the_lowest_point(toy_town: StreetNetwork) -> None:
    graph = walking(toy_town)
    assert nearest(graph, positions_at([0, 1], [0, 100])).source[1] == 0
    assert nearest(graph, positions_at([1, 0], [100, 0])).source[1] == 0
    assert nearest(graph, positions_at([9, 9, 9], [0, 0, 0])).source[4] == 0


def test_points_that_stand_nowhere_reach_nothing(toy_town: StreetNetwork) -> None:
    graph = walking(toy_town)
    nowhere = positions_at([-1, -1], [np.nan, np.nan], [500.0, np.inf])
    for sources in (nowhere, positions_at([], [])):
        near = nearest(graph, sources)
        assert np.isinf(near.time_s).all() and (near.source == -1).all()
        assert len(catchments(graph, sources, 900).node) == 0
        assert np.isinf(k_nearest(graph, sources, 2)[0]).all()
        assert time_matrix(graph, sources, positions_at(0, 5), 900).shape == (len(sources), 1)
    closed = network_of([(0, 0), (100, 0)], [0], [1], street_class=["motorway"])
    near = nearest(search_graph(closed, travel_by(closed, "walk")), positions_at(0, 50))
    assert np.isinf(near.time_s).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, mode=MODES, toward=st.booleans())
def test_times_equal_those_of_scipy_and_networkx_bit_for_bit(seed: int, mode: str, toward: bool) -> None:
    network = random_network(seed)
    graph = search_graph(network, travel_by(network, mode), toward=toward)
    sources = scattered(network, np.random.default_rng(seed), 6)
    found = nearest(graph, sources)

    n = graph.n_nodes
    tail, head, seconds = arcs_with_a_root(graph, sources)
    drawn = nx.DiGraph()
    drawn.add_nodes_from(range(n + 1))
    drawn.add_weighted_edges_from(zip(tail.tolist(), head.tolist(), seconds.tolist(), strict=True))
    by_networkx = nx.single_source_dijkstra_path_length(drawn, n)
    np.testing.assert_array_equal(found.time_s, [by_networkx.get(i, np.inf) for i in range(n)])
    by_igraph = igraph.Graph(n + 1, np.column_stack([tail, head]).tolist(), directed=True).distances(
        n, weights=seconds.tolist()
    )
    np.testing.assert_allclose(found.time_s, by_igraph[0][:n], rtol=1e-13)
    matrix = coo_array((seconds, (tail, head)), shape=(n + 1, n + 1)).tocsr()
    np.testing.assert_array_equal(found.time_s, dijkstra(matrix, indices=n)[:n])


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, mode=MODES, toward=st.booleans(), whole=st.booleans())
def test_k_nearest_catchments_and_matrix_equal_all_pairs(seed: int, mode: str, toward: bool, whole: bool) -> None:
    network = random_network(seed, whole=whole)
    rng = np.random.default_rng(seed)
    travel = travel_by(network, mode)
    graph = search_graph(network, travel, toward=toward)
    sources, targets = scattered(network, rng, 7), scattered(network, rng, 15)
    drawn = every_place(network, travel, sources, targets, toward=toward)
    to_node = seconds_table(drawn, sources, "node", network.n_nodes, toward=toward)
    to_target = seconds_table(drawn, sources, "place", len(targets), toward=toward)
    to_target += targets.gap_m[:, None] * travel.approach_s_per_m

    time_s, source = k_nearest(graph, sources, 3)
    np.testing.assert_allclose(time_s, np.sort(to_node, axis=1)[:, :3], rtol=1e-12, atol=1e-9)
    for node, (times, which) in enumerate(zip(time_s, source, strict=True)):
        which = which[np.isfinite(times)]
        assert len(set(which.tolist())) == len(which) and (source[node, len(which) :] == -1).all()
        np.testing.assert_allclose(to_node[node, which], times[: len(which)], rtol=1e-12, atol=1e-9)
    near = nearest(graph, sources)
    np.testing.assert_array_equal(near.time_s, time_s[:, 0])
    np.testing.assert_array_equal(near.source, source[:, 0])

    for limit_s in (0.0, 137.3, np.inf):
        caught = catchments(graph, sources, limit_s)
        table = np.full((len(sources), network.n_nodes), np.inf)
        rows = np.repeat(np.arange(len(sources)), np.diff(caught.indptr))
        table[rows, caught.node] = caught.time_s
        np.testing.assert_allclose(table.T, np.where(to_node <= limit_s, to_node, np.inf), rtol=1e-12, atol=1e-9)
        matrix = time_matrix(graph, sources, targets, limit_s)
        table = np.full((len(sources), len(targets)), np.inf)
        rows = np.repeat(np.arange(len(sources)), np.diff(matrix.indptr))
        table[rows, matrix.indices] = matrix.data
        np.testing.assert_allclose(table.T, np.where(to_target <= limit_s, to_target, np.inf), rtol=1e-12, atol=1e-9)
        assert matrix.has_sorted_indices and len(np.unique(rows * 1000 + matrix.indices)) == matrix.nnz


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_ties_among_k_nearest_go_to_the_lowest_points(seed: int) -> None:
    network = random_network(seed, whole=True)
    sources = scattered(network, np.random.default_rng(seed), 7)
    sources.offset_m[:] = np.round(sources.offset_m)
    sources.gap_m[:] = np.round(sources.gap_m)
    travel = travel_by(network, "walk", walk_kmh=3.6)
    drawn = every_place(network, travel, sources, positions_at([], []), toward=True)
    to_node = seconds_table(drawn, sources, "node", network.n_nodes, toward=True)
    lowest = np.argsort(to_node, axis=1, kind="stable")
    time_s, source = k_nearest(walking(network), sources, 4)
    expected = np.where(np.isfinite(time_s), lowest[:, :4], -1)
    np.testing.assert_array_equal(source, expected)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_nothing_depends_on_the_order_of_segments_or_points(seed: int) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed)
    sources = scattered(network, rng, 6)
    places = scattered(network, rng, 20)
    row, which = rng.permutation(network.n_segments), rng.permutation(len(sources))
    shuffled = network_of(
        np.column_stack([network.x, network.y]), network.u[row], network.v[row], network.length_m[row],
        network.oneway[row], network.street_class[row],
    )  # fmt: skip
    at = np.append(np.argsort(row), -1)
    moved_sources = chosen(dataclasses.replace(sources, segment=at[sources.segment].astype(np.int32)), which)
    moved_places = dataclasses.replace(places, segment=at[places.segment].astype(np.int32))
    answers = []
    for town, points, stops in ((network, sources, places), (shuffled, moved_sources, moved_places)):
        graph = search_graph(town, travel_by(town, "drive"))
        near = nearest(graph, points)
        answers.append((near.time_s, time_at(graph, points, near, stops).time_s))
        answers[-1] += (time_matrix(graph, points, stops, 400.0).sum(axis=0),)
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-12)
    np.testing.assert_allclose(answers[0][2], answers[1][2], rtol=1e-9)


def test_a_segment_a_thousand_times_longer_than_the_rest_costs_nothing_and_is_exact() -> None:
    n = 400
    u = np.r_[np.arange(n - 1), 0]
    v = np.r_[np.arange(1, n), n]
    network = network_of(np.column_stack([np.arange(n + 1) * 50.0, np.zeros(n + 1)]), u, v, [50.0] * (n - 1) + [5e9])
    near = nearest(walking(network), positions_at(0, 0))
    np.testing.assert_array_equal(near.time_s, np.r_[np.arange(n) * 50.0, 5e9])


def test_a_junction_of_thousands_of_streets_is_searched_like_any_other() -> None:
    n = 5000
    rng = np.random.default_rng(1)
    length_m = rng.uniform(1, 900, n)
    network = network_of(np.zeros((n + 1, 2)), np.zeros(n, int), np.arange(1, n + 1), length_m)
    near = nearest(walking(network), positions_at(0, 0))
    np.testing.assert_array_equal(near.time_s, np.r_[0, length_m])


def test_a_network_without_streets_is_reached_by_nobody() -> None:
    network = network_of([(0, 0), (9, 9)], [], [])
    graph, nobody = walking(network), positions_at(-1, np.nan, 5.0)
    near = nearest(graph, nobody)
    assert np.isinf(near.time_s).tolist() == [True, True]
    assert np.isinf(time_at(graph, nobody, near, nobody).time_s).all()
    assert time_matrix(graph, nobody, nobody, 60).nnz == 0 and k_nearest(graph, nobody, 2)[1].tolist() == [[-1, -1]] * 2


def test_a_town_of_segments_without_length_is_all_in_one_place() -> None:
    network = network_of([(0, 0)] * 5, [0, 1, 2, 3, 0, 4], [1, 2, 3, 4, 4, 4], [0.0] * 6)
    near = nearest(walking(network), positions_at([2, 0], [0, 0], [9.0, 7.0]))
    assert near.time_s.tolist() == [7.0] * 5 and near.source.tolist() == [1] * 5


def test_a_stop_met_in_no_time_is_kept_as_an_entry(toy_town: StreetNetwork) -> None:
    matrix = time_matrix(walking(toy_town), positions_at([0, 10], [30, 0]), positions_at([0, 2], [30, 100]), 900)
    assert matrix.toarray().tolist() == [[0, 130], [0, 0]]
    assert matrix.nnz == 2 and matrix.data.tolist() == [0, 130]


def test_more_points_never_make_the_way_longer() -> None:
    network = random_network(5, 200, 320)
    sources = scattered(network, np.random.default_rng(5), 30)
    graph = walking(network)
    few, many = nearest(graph, chosen(sources, slice(10))), nearest(graph, sources)
    assert (many.time_s <= few.time_s).all()


@pytest.mark.parametrize(
    ("segment", "offset_m", "gap_m"), [(11, 0, 0), (0, 101, 0), (0, -1, 0), (0, np.nan, 0), (0, 5, -1), (0, 5, np.nan)]
)
def test_a_position_that_is_not_on_the_network_is_refused(toy_town, segment, offset_m, gap_m) -> None:
    with pytest.raises(NetworkError):
        nearest(walking(toy_town), positions_at(segment, offset_m, gap_m))
    with pytest.raises(NetworkError):
        time_matrix(walking(toy_town), positions_at(0, 5), positions_at(segment, offset_m, gap_m), 60)


def test_impossible_parameters_are_refused(toy_town: StreetNetwork) -> None:
    graph, point = walking(toy_town), positions_at(0, 5)
    near = nearest(graph, point)
    for limit_s in (-1.0, np.nan):
        with pytest.raises(NetworkError):
            nearest(graph, point, limit_s=limit_s)
        with pytest.raises(NetworkError):
            catchments(graph, point, limit_s)
    with pytest.raises(NetworkError):
        k_nearest(graph, point, 0)
    for segment, from_m, to_m, threshold_s in [
        (0, 5, 4, 1),
        (0, 0, 101, 1),
        (11, 0, 1, 1),
        (-1, 0, 1, 1),
        (0, 0, 1, -1),
    ]:
        piece = np.array([segment], np.int32), np.array([from_m], float), np.array([to_m], float)
        with pytest.raises(NetworkError):
            covered_metres(graph, point, near, *piece, [threshold_s])


def test_inputs_are_left_as_they_were(toy_town: StreetNetwork) -> None:
    graph, points = walking(toy_town), positions_at([0, 8], [30, 50])
    before = [array.copy() for array in (*vars_of(graph), *vars_of(points))]
    near = nearest(graph, points)
    time_matrix(graph, points, points, 500)
    k_nearest(graph, points, 2)
    time_at(graph, points, near, points)
    for array, was in zip((*vars_of(graph), *vars_of(points)), before, strict=True):
        np.testing.assert_array_equal(array, was)


def vars_of(record) -> list[np.ndarray]:
    values = [getattr(record, field.name) for field in dataclasses.fields(record)]
    return [value for value in values if isinstance(value, np.ndarray)]
