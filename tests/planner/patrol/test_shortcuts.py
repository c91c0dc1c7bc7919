"""Shortest ways in place of matched ones: against networkx and shapely, and on a street with ways beside it."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import shapely

from gis.crs import to_metric
from gis.modes import travel_by
from gis.network import StreetNetwork
from planner.patrol.tracks.matching import MatchGround, match_ground
from planner.patrol.tracks.shortcut_kernels import Looks, shorter_ways
from planner.patrol.tracks.shortcuts import Pieces, straightened
from tests.gis.model_networks import CENTRE, network_of
from tests.planner.patrol.plain_matching import way_graph


def walked(network: StreetNetwork, nodes: list[int]) -> Pieces:
    """Walk from node to node, at a metre a second; of parallel segments along the one of the higher number."""
    segment, back = [], []
    for a, b in pairwise(nodes):
        s = np.flatnonzero(((network.u == a) & (network.v == b)) | ((network.u == b) & (network.v == a)))[-1]
        segment.append(s)
        back.append(network.u[s] != a)
    of, back = np.array(segment, np.int32), np.array(back)
    metres = network.length_m[of]
    end_s = np.cumsum(metres)
    return Pieces(np.zeros(len(of), np.int64), of, np.where(back, metres, 0.0), np.where(back, 0.0, metres),
                  end_s - metres, end_s)  # fmt: skip


def looks_at(xy: np.ndarray, time_s: np.ndarray, variance: float = 100.0) -> Looks:
    at = xy + CENTRE
    return Looks(np.array([0, len(at)]), time_s, at[:, 0].copy(), at[:, 1].copy(), np.full(len(at), variance))


def held(ground: MatchGround, pieces: Pieces, looks: Looks, window_m: float):
    chains = np.array([0, len(pieces.chain)])
    return shorter_ways(chains, *pieces[1:], looks, ground.arcs, ground.drawn, window_m)


@pytest.mark.parametrize("seed", range(6))
def test_windows_are_held_against_the_shortest_way_that_networkx_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = np.array([(60.0 * i, 60.0 * j) for i in range(6) for j in range(6)]) + rng.uniform(-15, 15, (36, 2))
    pairs = [(a, a + 1) for a in range(36) if a % 6 < 5] + [(a, a + 6) for a in range(30)]
    network = network_of(xy, *np.array(pairs).T)
    ground, travel = match_ground(network, "walk"), travel_by(network, "walk")
    graph = way_graph(network, travel.forward, travel.backward)
    nodes = [int(rng.integers(36))]
    while len(nodes) < 40:
        nodes.append(int(rng.choice([n for n in graph[nodes[-1]] if n != nodes[-2:][0]])))
    pieces = walked(network, nodes)
    seen_s = np.linspace(0, pieces.end_s[-1], 90)
    seen = np.column_stack([np.interp(seen_s, np.r_[0, pieces.end_s], xy[nodes, k]) for k in range(2)])
    looks = looks_at(seen + rng.normal(0, 10, seen.shape), seen_s)
    last, saved_m, loss, rows, ways = held(ground, pieces, looks, 250.0)

    lines = np.array([shapely.LineString(np.column_stack(to_metric(*shapely.get_coordinates(g).T, network.crs)))
                      for g in network.geometry], object)  # fmt: skip
    for i in np.flatnonzero(last >= 0):
        part = slice(i + 1, last[i] + 1)
        metres = network.length_m[pieces.segment[part]].sum()
        best_m = nx.shortest_path_length(graph, nodes[i + 1], nodes[last[i] + 1], "metres")
        assert metres >= 250 and saved_m[i] == pytest.approx(metres - best_m, abs=1e-6)
        way = ground.drawn.arc_segment[ways[rows[i] : rows[i + 1]]]
        if len(way):
            assert network.length_m[way].sum() == pytest.approx(best_m)
            during = (seen_s >= pieces.begin_s[i + 1]) & (seen_s <= pieces.end_s[last[i]])
            points = shapely.points(looks.x[during], looks.y[during])
            off = [shapely.distance(points, shapely.union_all(lines[s])) ** 2 for s in (way, pieces.segment[part])]
            assert loss[i] == pytest.approx((off[0] - off[1]).sum() / 200.0, abs=1e-3)
    assert (last >= 0).sum() > 20


@pytest.fixture(scope="module")
def street() -> StreetNetwork:
    """Thirty blocks of 100 m to the east (segments 0 to 29), each with a way round it 10 m to the north (30 to 89)."""
    east = np.array([(100.0 * i, 0.0) for i in range(31)])
    north = np.array([(100.0 * i + 50.0, 10.0) for i in range(30)])
    block = np.arange(30)
    return network_of(
        np.vstack([east, north]), np.r_[block, block, block + 31], np.r_[block + 1, block + 31, block + 1]
    )


def straight_but_for(blocks: set[int]) -> list[int]:
    nodes = [0]
    for i in range(30):
        nodes += [31 + i, i + 1] if i in blocks else [i + 1]
    return nodes


@pytest.mark.parametrize(("north_m", "shorter"), [(4.0, True), (10.0, False)])
def test_who_takes_shortest_ways_is_thought_to_do_so_unless_the_looks_tell(
    street: StreetNetwork, north_m: float, shorter: bool
) -> None:
    ground = match_ground(street, "walk")
    pieces = walked(street, straight_but_for({15}))
    x = np.arange(10.0, 3000.0, 10.0)
    looks = looks_at(np.column_stack([x, np.where((x > 1500) & (x < 1600), north_m, 0.0)]), x, variance=25.0)
    found = straightened(pieces, np.zeros(1, np.int64), looks, ground.arcs, ground.drawn)
    round_it = {45, 75}
    assert (round_it & set(found.segment.tolist()) == set()) == shorter and (15 in found.segment) == shorter
    assert (found.begin_s[1:] == pytest.approx(found.end_s[:-1])) and found.end_s[-1] == pieces.end_s[-1]
    assert np.abs(found.to_m - found.from_m).sum() == pytest.approx(3000.0 if shorter else pieces.end_s[-1])


def test_who_never_takes_the_shortest_way_is_left_on_the_way_found(street: StreetNetwork) -> None:
    ground = match_ground(street, "walk")
    pieces = walked(street, straight_but_for(set(range(30))))
    x = np.arange(10.0, 3000.0, 10.0)
    looks = looks_at(np.column_stack([x, np.full(len(x), 4.0)]), x)
    found = straightened(pieces, np.zeros(1, np.int64), looks, ground.arcs, ground.drawn)
    assert found.segment.tolist() == pieces.segment.tolist()
