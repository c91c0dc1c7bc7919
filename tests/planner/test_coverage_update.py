import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.reach import covered_metres, nearest
from gis.search_graph import search_graph
from gis.street_pieces import StreetPieces
from planner.coverage_update import LiveCoverage
from tests.gis.model_networks import network_of, positions_at, random_network, scattered

THRESHOLDS_S = (60.0, 200.0, 500.0)


def in_pieces(network: StreetNetwork, rng: np.random.Generator, n_areas: int) -> StreetPieces:
    """Cut some segments in two and hand the pieces out to areas, some to none."""
    at_m = network.length_m * rng.choice([0.0, 0.3, 0.5], network.n_segments)
    cut = np.flatnonzero(at_m > 0)
    segment = np.concatenate([np.arange(network.n_segments), cut])
    from_m = np.concatenate([np.zeros(network.n_segments), at_m[cut]])
    to_m = np.concatenate([np.where(at_m > 0, at_m, network.length_m), network.length_m[cut]])
    order = np.lexsort((from_m, segment))
    area = rng.integers(-1, n_areas, len(order)).astype(np.int32)
    return StreetPieces(segment[order].astype(np.int32), from_m[order], to_m[order], {"subdistrict": area})


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.sampled_from(["add", "move", "close"]), st.integers(0, 99)), min_size=1, max_size=8),
)
def test_any_sequence_of_changes_equals_a_recompute_bit_for_bit(seed: int, changes: list) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(seed, 60, 100)
    graph = search_graph(network, travel_by(network, "walk", walk_kmh=3.6))
    pieces, people_per_m = in_pieces(network, rng, 7), rng.uniform(0, 3, 400)
    people_per_m = people_per_m[: len(pieces)]

    def anew(points: Positions) -> LiveCoverage:
        return LiveCoverage(graph, points, pieces, "subdistrict", 7, people_per_m, THRESHOLDS_S)

    live = anew(scattered(network, rng, int(rng.integers(1, 9))))
    for kind, which in changes:
        open_points = np.flatnonzero(live.positions.segment >= 0)
        before = live.street_m.copy()
        place = positions_at(*((s := rng.integers(network.n_segments)), rng.random() * network.length_m[s]))
        if kind == "add" or len(open_points) == 0:
            change = live.add(place)
        elif kind == "move":
            change = live.move(int(open_points[which % len(open_points)]), place)
        else:
            change = live.close(int(open_points[which % len(open_points)]))
        again = anew(live.positions)
        assert np.array_equal(live.covered_m, again.covered_m)
        assert np.array_equal(live.street_m, again.street_m)
        assert np.array_equal(live.people, again.people)
        assert set(np.flatnonzero((live.street_m != before).any(axis=1))) <= set(change.areas.tolist())


def test_totals_are_the_covered_metres_and_people_added_up_by_area() -> None:
    rng = np.random.default_rng(5)
    network = random_network(5, 60, 100)
    graph = search_graph(network, travel_by(network, "walk"))
    points, pieces = scattered(network, rng, 6), in_pieces(network, rng, 4)
    live = LiveCoverage(graph, points, pieces, "subdistrict", 4, np.full(len(pieces), 2.0), THRESHOLDS_S)
    near = nearest(graph, points)
    metres = covered_metres(graph, points, near, pieces.segment, pieces.from_m, pieces.to_m, THRESHOLDS_S)
    for a in range(4):
        np.testing.assert_allclose(live.street_m[a], metres[pieces.area["subdistrict"] == a].sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(live.people, 2 * live.street_m, rtol=1e-12)


def test_a_second_point_on_the_same_street_covers_its_other_end() -> None:
    network = network_of([(0, 0), (1000, 0)], [0], [1], [1000.0])
    graph = search_graph(network, travel_by(network, "walk", walk_kmh=3.6))
    pieces = StreetPieces(
        np.zeros(2, np.int32),
        np.array([0.0, 600.0]),
        np.array([600.0, 1000.0]),
        {"subdistrict": np.array([0, 1], np.int32)},
    )
    live = LiveCoverage(graph, positions_at(0, 100), pieces, "subdistrict", 3, np.array([1.0, 0.5]), (200.0,))
    assert live.street_m[:, 0].tolist() == [300, 0, 0]
    assert live.add(positions_at(0, 900)).areas.tolist() == [0, 1]
    assert live.street_m[:, 0].tolist() == [300, 300, 0]
    live.move(1, positions_at(0, 600))
    assert live.street_m[:, 0].tolist() == [500, 200, 0]
    assert live.people[:, 0].tolist() == [500, 100, 0]
    live.close(0)
    assert live.street_m[:, 0].tolist() == [200, 200, 0]
    with pytest.raises(NetworkError):
        live.close(0)
