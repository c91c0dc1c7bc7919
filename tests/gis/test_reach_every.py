import dataclasses
from pathlib import Path

import igraph
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gis import reach_every
from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import StreetNetwork
from gis.network_build import read_network
from gis.reach_every import reached_total
from gis.search_graph import SearchGraph, search_graph
from tests.gis.model_networks import network_of, random_network

SEEDS = st.integers(0, 2**32 - 1)


def walking(network: StreetNetwork, *, toward: bool = True) -> SearchGraph:
    """One metre a second, so that whole metres give whole seconds."""
    return search_graph(network, travel_by(network, "walk", walk_kmh=3.6), toward=toward)


def lattice(side: int, rng: np.random.Generator, *, step_m: float = 100.0) -> StreetNetwork:
    """A grid of streets with a quarter left out, its nodes shuffled; ``step_m`` exact lengths."""
    n = side * side
    at = np.arange(n).reshape(side, side)
    pairs = np.concatenate(
        [np.column_stack([at[:, :-1].ravel(), at[:, 1:].ravel()]), np.column_stack([at[:-1].ravel(), at[1:].ravel()])]
    )
    u, v = rng.permutation(n)[pairs[rng.random(len(pairs)) < 0.75]].T
    return network_of(rng.uniform(0, 1000, (n, 2)), u, v, np.full(len(u), step_m))


def by_scipy(graph: SearchGraph, weight: np.ndarray, limit_s: float, nodes: np.ndarray | None = None) -> np.ndarray:
    """Sum row by row over scipy's all-pairs times; the cheapest of parallel arcs, a zero kept as the least float."""
    tail = np.repeat(np.arange(graph.n_nodes), np.diff(graph.indptr))
    order = np.lexsort((graph.seconds, graph.head, tail))
    first = np.r_[True, (np.diff(tail[order]) != 0) | (np.diff(graph.head[order]) != 0)] if len(order) else order
    kept = order[first]
    seconds = np.maximum(graph.seconds[kept], np.nextafter(0, 1))
    arcs = coo_array((seconds, (tail[kept], graph.head[kept])), shape=(graph.n_nodes, graph.n_nodes))
    return np.where(dijkstra(arcs.tocsr(), indices=nodes, limit=limit_s + 60) <= max(limit_s, 1e-300), weight, 0.0).sum(
        axis=1
    )


def test_the_toy_town_agrees_with_pencil_and_paper(toy_town: StreetNetwork) -> None:
    people = np.array([1.0, 2, 4, 8, 16, 32, 64, 128, 256])
    assert reached_total(walking(toy_town), people, 100).tolist() == [
        1 + 2 + 8, 1 + 2 + 4 + 16 + 64, 2 + 4 + 32, 1 + 8 + 16 + 64, 2 + 8 + 16 + 32 + 64, 4 + 16 + 32 + 64,
        2 + 8 + 16 + 32 + 64, 384, 384,
    ]  # fmt: skip
    assert reached_total(walking(toy_town), people, 99).tolist() == [1, 2, 4, 8, 80, 32, 80, 384, 384]
    assert reached_total(walking(toy_town), people, 0).tolist() == [1, 2, 4, 8, 80, 32, 80, 128, 256]


def test_the_direction_is_the_graphs(toy_town: StreetNetwork) -> None:
    car = travel_by(toy_town, "drive")
    ones = np.ones(9)
    pace = 3.6 / 25
    to_node = reached_total(search_graph(toy_town, car), ones, 100 * pace + 1e-9)
    from_node = reached_total(search_graph(toy_town, car, toward=False), ones, 100 * pace + 1e-9)
    assert to_node[4] == 5  # 3 may come to 4 over the one-way street, as 1, 5 and the kerb 6 may
    assert from_node[4] == 4
    assert from_node[3] == 4  # 3 itself, 0, and 4 with its kerb
    assert to_node[3] == 2


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.booleans(), st.booleans(), st.sampled_from(["walk", "drive"]))
def test_totals_equal_scipys_dijkstra_from_every_node(seed: int, whole: bool, toward: bool, mode: str) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    network = random_network(seed, n, max(5, int(n * rng.uniform(0.5, 3))), whole=whole)
    graph = search_graph(network, travel_by(network, mode, walk_kmh=3.6), toward=toward)
    weight = rng.integers(0, 50, n).astype(np.float64)
    limit_s = float(rng.choice([0.0, 25.0, 100.0, 375.0, rng.uniform(1, 2000)]))
    assert np.array_equal(reached_total(graph, weight, limit_s), by_scipy(graph, weight, limit_s))


@pytest.mark.parametrize("limit_m", [0, 100, 900, 2500])
def test_nodes_exactly_at_the_limit_are_within_it_and_nearly_there_is_not(limit_m: int) -> None:
    rng = np.random.default_rng(limit_m)
    graph = walking(lattice(20, rng))
    weight = rng.integers(0, 9, 400).astype(np.float64)
    assert np.array_equal(reached_total(graph, weight, limit_m), by_scipy(graph, weight, limit_m))
    closer = limit_m - 1e-9
    if limit_m:
        assert np.array_equal(reached_total(graph, weight, closer), by_scipy(graph, weight, closer))


def test_totals_equal_igraphs_distances_on_a_larger_network() -> None:
    rng = np.random.default_rng(7)
    network = lattice(45, rng)
    network = dataclasses.replace(network, length_m=rng.uniform(20, 180, network.n_segments))
    graph = walking(network)
    weight = rng.uniform(0, 100, network.n_nodes)
    other = igraph.Graph(n=network.n_nodes, edges=list(zip(network.u.tolist(), network.v.tolist(), strict=True)))
    times = np.array(other.distances(weights=network.length_m.tolist()))
    for limit_s in (300.0, 1500.0):
        expected = np.where(times <= limit_s, weight, 0).sum(axis=1)
        np.testing.assert_allclose(reached_total(graph, weight, limit_s), expected, rtol=1e-12)


def test_weighing_every_node_one_by_one_is_symmetric_for_walkers() -> None:
    graph = walking(random_network(3, 150, 260))
    of_one = np.array([reached_total(graph, np.eye(150)[i], 400.0) for i in range(0, 150, 7)])
    everyone = by_scipy(graph, np.ones(150), 400.0)
    assert np.array_equal(of_one.sum(axis=1), everyone[::7])


def test_a_junction_of_a_thousand_streets_is_no_special_case() -> None:
    spokes = np.arange(1, 1001)
    network = network_of(np.zeros((1001, 2)), np.zeros(1000, int), spokes, np.linspace(1, 100, 1000))
    graph = walking(network)
    weight = np.ones(1001)
    assert np.array_equal(reached_total(graph, weight, 60.0), by_scipy(graph, weight, 60.0))


def test_an_empty_network_reaches_nothing() -> None:
    graph = walking(network_of(np.empty((0, 2)), [], []))
    assert reached_total(graph, np.empty(0), 900.0).tolist() == []


@pytest.mark.parametrize(
    ("weight", "limit_s"),
    [(np.ones(8), 60), (np.full(9, np.nan), 60), (np.ones(9), -1), (np.ones(9), np.inf), (np.ones(9), np.nan)],
)
def test_impossible_questions_are_refused(toy_town: StreetNetwork, weight: np.ndarray, limit_s: float) -> None:
    with pytest.raises(NetworkError):
        reached_total(walking(toy_town), weight, limit_s)


def test_few_nodes_need_the_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lattice(45, np.random.default_rng(1))
    network = dataclasses.replace(network, length_m=np.random.default_rng(2).uniform(20, 180, network.n_segments))
    counted = []
    exactly = reach_every._count_exactly
    monkeypatch.setattr(reach_every, "_count_exactly", lambda *args: (counted.append(len(args[3])), exactly(*args)))
    reached_total(walking(network), np.ones(network.n_nodes), 900.0)
    assert counted[0] < 0.02 * network.n_nodes


@pytest.mark.realdata
def test_every_tenth_junction_of_haikou_counts_what_scipy_finds(realdata: Path) -> None:
    network, _ = read_network(realdata / "haikou" / "haikou_streets.gpkg")
    graph = search_graph(network, travel_by(network, "walk"))
    people = np.random.default_rng(1).integers(0, 500, network.n_nodes).astype(np.float64)
    found = reached_total(graph, people, 900.0)
    again = by_scipy(graph, people, 900.0, np.arange(0, network.n_nodes, 10))
    assert np.array_equal(found[::10], again)
