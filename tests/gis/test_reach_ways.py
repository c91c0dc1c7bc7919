"""Ways between pairs of points against scipy's times, and as walks that hang together."""

import numpy as np
import pytest

from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.reach import time_matrix
from gis.reach_ways import ways_between
from gis.search_graph import search_graph
from tests.gis.model_networks import random_network


def some_positions(network: StreetNetwork, count: int, rng: np.random.Generator) -> Positions:
    segment = rng.integers(0, network.n_segments, count).astype(np.int32)
    share = rng.choice([0.0, 0.3, 0.5, 1.0], count)
    return Positions(segment, share * network.length_m[segment], rng.choice([0.0, 12.0], count))


@pytest.mark.parametrize("mode", ["walk", "drive"])
@pytest.mark.parametrize("seed", range(12))
def test_ways_take_the_time_the_matrix_says_and_hang_together(seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(seed)
    travel = travel_by(network, mode)
    graph = search_graph(network, travel, toward=False)
    a, b = some_positions(network, 40, rng), some_positions(network, 40, rng)
    ways = ways_between(graph, a, b)

    matrix = time_matrix(graph, a, b, np.inf)
    expected = np.full(40, np.inf)
    for i in range(40):
        row = dict(zip(matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]],
                       matrix.data[matrix.indptr[i] : matrix.indptr[i + 1]], strict=True))  # fmt: skip
        expected[i] = row.get(i, np.inf)
    np.testing.assert_allclose(ways.time_s, expected, rtol=1e-12)

    for i in np.flatnonzero(np.isfinite(ways.time_s)):
        parts = slice(ways.indptr[i], ways.indptr[i + 1])
        s, x, y = ways.segment[parts], ways.from_m[parts], ways.to_m[parts]
        walked_s = float((np.abs(y - x) * travel.seconds_per_m[s]).sum())
        gaps_s = (a.gap_m[i] + b.gap_m[i]) * travel.approach_s_per_m
        assert walked_s + gaps_s == pytest.approx(ways.time_s[i], abs=1e-6)
        places = [(int(a.segment[i]), float(a.offset_m[i]))]
        for k in range(len(s)):
            assert same_place(network, places[-1], (int(s[k]), float(x[k])))
            allowed = travel.forward if y[k] > x[k] else travel.backward
            loop = network.u[s[k]] == network.v[s[k]] and abs(y[k] - x[k]) == network.length_m[s[k]]
            assert allowed[s[k]] or loop
            places.append((int(s[k]), float(y[k])))
        assert same_place(network, places[-1], (int(b.segment[i]), float(b.offset_m[i])))


def same_place(network: StreetNetwork, one: tuple[int, float], other: tuple[int, float]) -> bool:
    if one[0] == other[0] and one[1] == pytest.approx(other[1], abs=1e-9):
        return True
    return bool(ends_at(network, *one) & ends_at(network, *other)) or zero_long(network, one, other)


def ends_at(network: StreetNetwork, segment: int, offset_m: float) -> set[int]:
    nodes = set()
    if offset_m <= 1e-9:
        nodes.add(int(network.u[segment]))
    if offset_m >= network.length_m[segment] - 1e-9:
        nodes.add(int(network.v[segment]))
    return nodes


def zero_long(network: StreetNetwork, one: tuple[int, float], other: tuple[int, float]) -> bool:
    """Segments without length join their ends, and ways leave them out."""
    reached = ends_at(network, *one)
    for _ in range(network.n_segments):
        for s in np.flatnonzero(network.length_m == 0):
            if {int(network.u[s]), int(network.v[s])} & reached:
                reached |= {int(network.u[s]), int(network.v[s])}
    return bool(reached & ends_at(network, *other))


def test_pairs_must_match_and_lead_away() -> None:
    rng = np.random.default_rng(1)
    network = random_network(1)
    away = search_graph(network, travel_by(network, "walk"), toward=False)
    three, two = some_positions(network, 3, rng), some_positions(network, 2, rng)
    with pytest.raises(NetworkError):
        ways_between(away, three, two)
    with pytest.raises(NetworkError):
        ways_between(search_graph(network, travel_by(network, "walk")), three, three)
