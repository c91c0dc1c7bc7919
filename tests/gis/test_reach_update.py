from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import NetworkError
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.network_build import read_network
from gis.reach import nearest
from gis.reach_update import NearestIndex
from gis.search_graph import SearchGraph, search_graph
from tests.gis.model_networks import network_of, one, positions_at, random_network, scattered

SEEDS = st.integers(0, 2**32 - 1)


def walking(network: StreetNetwork) -> SearchGraph:
    return search_graph(network, travel_by(network, "walk", walk_kmh=3.6))


def placed(network: StreetNetwork, rng: np.random.Generator, count: int) -> Positions:
    """``count`` points that all stand somewhere."""
    return scattered_but_last(scattered(network, rng, count + 1))


def scattered_but_last(positions: Positions) -> Positions:
    return Positions(positions.segment[:-1], positions.offset_m[:-1], positions.gap_m[:-1])


def assert_as_recomputed(index: NearestIndex, limit_s: float = np.inf) -> None:
    again = nearest(index.graph, index.positions, limit_s=limit_s)
    assert np.array_equal(index.near.time_s, again.time_s)
    assert np.array_equal(index.near.source, again.source)


@settings(max_examples=80, deadline=None)
@given(
    SEEDS,
    st.lists(st.tuples(st.sampled_from(["add", "move", "close"]), st.integers(0, 99)), min_size=1, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["walk", "drive"]),
    st.sampled_from([np.inf, 150.0, 600.0]),
)
def test_any_sequence_of_changes_equals_a_recompute_bit_for_bit(
    seed: int, changes: list, whole: bool, toward: bool, mode: str, limit_s: float
) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(seed, 60, 100, whole=whole)
    graph = search_graph(network, travel_by(network, mode, walk_kmh=3.6), toward=toward)
    index = NearestIndex(graph, scattered(network, rng, int(rng.integers(1, 12))), limit_s=limit_s)
    for kind, which in changes:
        before_s, before = index.near.time_s.copy(), index.near.source.copy()
        open_points = [p for p in range(len(index.positions)) if index.is_open(p)]
        if kind == "add" or not open_points:
            change = index.add(placed(network, rng, 1))
            assert change.point == len(index.positions) - 1
        elif kind == "move":
            change = index.move(open_points[which % len(open_points)], placed(network, rng, 1))
        else:
            change = index.close(open_points[which % len(open_points)])
        assert_as_recomputed(index, limit_s)
        differs = (index.near.time_s != before_s) | (index.near.source != before)
        assert sorted(change.nodes.tolist()) == np.flatnonzero(differs).tolist()


def test_the_toy_town_follows_a_point_that_moves(toy_town: StreetNetwork) -> None:
    index = NearestIndex(walking(toy_town), positions_at([0, 8], [30, 50]))
    index.move(1, positions_at(10, 20))
    assert index.near.time_s.tolist() == [30, 70, 170, 130, 170, 270, 170, 20, 30]
    assert index.near.source.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert index.close(0).nodes.tolist() != []
    assert index.near.source.tolist() == [-1] * 7 + [1, 1]


def test_of_two_points_in_one_place_the_lower_number_wins_and_the_other_takes_over(toy_town: StreetNetwork) -> None:
    index = NearestIndex(walking(toy_town), positions_at([3, 3], [50, 50]))
    assert set(index.near.source[:7].tolist()) == {0}
    assert sorted(index.close(0).nodes.tolist()) == list(range(7))
    assert set(index.near.source[:7].tolist()) == {1}
    assert index.add(one(positions_at([3], [50]), 0)).nodes.tolist() == []


def test_moving_a_point_to_where_it_stands_changes_no_node(toy_town: StreetNetwork) -> None:
    index = NearestIndex(walking(toy_town), positions_at([0, 8], [30, 50]))
    assert index.move(0, positions_at(0, 30)).nodes.tolist() == []


def test_the_points_given_are_not_written_to(toy_town: StreetNetwork) -> None:
    given_ = positions_at([0, 8], [30, 50])
    index = NearestIndex(walking(toy_town), given_)
    index.move(0, positions_at(5, 10))
    index.close(1)
    assert (given_.segment.tolist(), given_.offset_m.tolist()) == ([0, 8], [30, 50])


def test_a_city_without_points_can_get_its_first() -> None:
    network = network_of([(0, 0), (100, 0)], [0], [1])
    index = NearestIndex(walking(network), positions_at(np.empty(0, int), np.empty(0), np.empty(0)))
    assert index.add(positions_at(0, 40)).point == 0
    assert_as_recomputed(index)
    index.close(0)
    assert np.isinf(index.near.time_s).all()


def test_closed_and_unknown_points_and_places_off_the_network_are_refused(toy_town: StreetNetwork) -> None:
    index = NearestIndex(walking(toy_town), positions_at([0, 8], [30, 50]))
    index.close(1)
    for refused in (
        lambda: index.close(1),
        lambda: index.move(1, positions_at(0, 10)),
        lambda: index.move(7, positions_at(0, 10)),
        lambda: index.close(-1),
        lambda: index.add(positions_at(99, 10)),
        lambda: index.add(positions_at(-1, np.nan)),
        lambda: index.add(positions_at([0, 1], [10, 10])),
    ):
        before = index.near.time_s.copy()
        with pytest.raises(NetworkError):
            refused()
        assert np.array_equal(index.near.time_s, before)
        assert len(index.positions) == 2


@pytest.mark.realdata
def test_haikou_after_sixty_changes_equals_a_recompute_bit_for_bit(realdata: Path) -> None:
    network, _ = read_network(realdata / "haikou" / "haikou_streets.gpkg")
    rng = np.random.default_rng(1)
    index = NearestIndex(search_graph(network, travel_by(network, "walk")), placed(network, rng, 40))
    for i in range(60):
        if i % 3 == 0:
            index.add(placed(network, rng, 1))
        elif i % 3 == 1:
            index.move(i, placed(network, rng, 1))
        else:
            index.close(i // 3)
        if i % 6 == 5:
            assert_as_recomputed(index)
