import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.modes import travel_by
from gis.network import StreetNetwork
from gis.reach import covered_metres, nearest, segment_times, time_at, time_ramps
from gis.search_graph import search_graph
from tests.gis.model_networks import every_place, network_of, positions_at, random_network, scattered, seconds_table

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from(["walk", "drive"])


def walking(network: StreetNetwork):
    return search_graph(network, travel_by(network, "walk", walk_kmh=3.6))


def whole(network: StreetNetwork) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m = network.n_segments
    return np.arange(m, dtype=np.int32), np.zeros(m), network.length_m


def random_pieces(network: StreetNetwork, rng: np.random.Generator, count: int):
    segment = rng.integers(0, network.n_segments, count).astype(np.int32)
    a, b = rng.random((2, count)) * network.length_m[segment]
    return segment, np.minimum(a, b), np.maximum(a, b)


def share_below(ramps, thresholds_s, count: int) -> np.ndarray:
    """Return (count, t) metres of each piece within each threshold, from its ramps alone."""
    low, high = np.minimum(ramps.start_s, ramps.end_s), np.maximum(ramps.start_s, ramps.end_s)
    out = []
    for t in thresholds_s:
        rise = np.subtract(high, low, out=np.ones(len(low)), where=np.isfinite(high) & (high > low))
        share = np.clip((t - np.where(np.isfinite(low), low, t)) / rise, 0, 1)
        share = np.where(high <= t, 1.0, np.where(low > t, 0.0, share))
        out.append(np.bincount(ramps.piece, ramps.metres * share, count))
    return np.column_stack(out)


def test_the_toy_towns_segments_agree_with_pencil_and_paper(toy_town: StreetNetwork) -> None:
    graph, points = walking(toy_town), positions_at([0, 8], [30, 50])
    near = nearest(graph, points)
    times = segment_times(graph, points, near)
    # Segment 1 rises from 70 s and from 150 s and is farthest 90 m along; loop 8 carries a point 50 m along.
    assert (times.at_u_s[1], times.at_v_s[1], times.longest_s[1]) == (70, 150, 160)
    assert times.mean_s[1] == pytest.approx((90 * 115 + 10 * 155) / 100)
    assert (times.longest_s[8], times.mean_s[8]) == (65, 4225 / 130)
    assert (times.longest_s[9], times.mean_s[9]) == (150, 150)  # no length
    assert np.isinf([times.at_u_s[10], times.longest_s[10], times.mean_s[10]]).all()  # the island

    covered = covered_metres(graph, points, near, *whole(toy_town), [60, 100, 1000])
    assert covered[8].tolist() == [120, 130, 130]  # 110 to 120 m along the loop lie farther than 60 s
    assert covered[1].tolist() == [0, 30, 100]
    assert covered[9].tolist() == [0, 0, 0] and covered[10].tolist() == [0, 0, 0]
    some = positions_at([8, 8, 8, 1, 1, 0, 10], [50, 115, 0, 0, 90, 30, 25])
    at = time_at(graph, points, near, some)
    assert at.time_s.tolist() == [0, 65, 50, 70, 160, 0, np.inf]
    assert at.source.tolist() == [1, 1, 1, 0, 0, 0, -1]


def test_several_points_on_one_segment_are_a_union_of_intervals() -> None:
    network = network_of([(0, 0), (100, 0)], [0], [1])
    graph, points = walking(network), positions_at([0, 0, 0], [20, 30, 90], [0.0, 0.0, 4.0])
    near = nearest(graph, points)
    piece = np.zeros(1, np.int32), np.zeros(1), np.array([100.0])
    # Within 10 s: 10 to 40 m, and 84 to 96 m past the third point's own 4 m.
    np.testing.assert_allclose(
        covered_metres(graph, points, near, *piece, [0, 10, 24, 34]), [[0, 42, 84, 100]], atol=1e-6
    )
    ramps = time_ramps(graph, points, near, *piece)
    np.testing.assert_allclose(ramps.metres, [20, 5, 5, 32, 28, 10], atol=1e-6)
    np.testing.assert_allclose(ramps.start_s, [20, 0, 5, 0, 32, 4], atol=1e-6)
    np.testing.assert_allclose(ramps.end_s, [0, 5, 0, 32, 4, 14], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, mode=MODES, toward=st.booleans())
def test_times_at_any_place_equal_a_search_with_the_place_as_a_node(seed: int, mode: str, toward: bool) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed)
    travel = travel_by(network, mode)
    graph = search_graph(network, travel, toward=toward)
    points, places = scattered(network, rng, 8), scattered(network, rng, 60)
    drawn = every_place(network, travel, points, places, toward=toward)
    table = seconds_table(drawn, points, "place", len(places), toward=toward)
    at = time_at(graph, points, nearest(graph, points), places)
    np.testing.assert_allclose(at.time_s, table.min(axis=1), rtol=1e-12, atol=1e-9)
    reached = np.isfinite(at.time_s)
    np.testing.assert_allclose(table[reached, at.source[reached]], at.time_s[reached], rtol=1e-12, atol=1e-9)
    assert (at.source[~reached] == -1).all()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, mode=MODES, toward=st.booleans())
def test_ramps_covered_metres_and_segment_times_tell_one_story(seed: int, mode: str, toward: bool) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed)
    graph = search_graph(network, travel_by(network, mode), toward=toward)
    points = scattered(network, rng, 12)
    near = nearest(graph, points)
    thresholds_s = [0.0, 61.7, 240.0, 903.1, 1e9]
    for pieces in (random_pieces(network, rng, 80), whole(network)):
        count, metres = len(pieces[0]), pieces[2] - pieces[1]
        ramps = time_ramps(graph, points, near, *pieces)
        covered = covered_metres(graph, points, near, *pieces, thresholds_s)
        np.testing.assert_allclose(np.bincount(ramps.piece, ramps.metres, count), metres, rtol=1e-12, atol=1e-9)
        assert (np.diff(ramps.piece) >= 0).all() and len(np.unique(ramps.piece)) == count
        np.testing.assert_allclose(share_below(ramps, thresholds_s, count), covered, rtol=1e-9, atol=1e-6)
        assert (covered <= metres[:, None] * (1 + 1e-15)).all() and (np.diff(covered, axis=1) >= 0).all()

    times = segment_times(graph, points, near)
    drawn = network.length_m > 0
    longest = np.zeros(network.n_segments)
    np.maximum.at(longest, ramps.piece, np.maximum(ramps.start_s, ramps.end_s))
    np.testing.assert_allclose(times.longest_s[drawn], longest[drawn], rtol=1e-12)
    middle_s = np.where(ramps.metres > 0, (ramps.start_s + ramps.end_s) / 2, 0.0)
    mean = np.bincount(ramps.piece, ramps.metres * middle_s, network.n_segments)
    np.testing.assert_allclose(times.mean_s[drawn], mean[drawn] / network.length_m[drawn], rtol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, mode=MODES)
def test_covered_metres_equal_samples_every_half_metre(seed: int, mode: str) -> None:
    network = random_network(seed, 12, 20)
    rng = np.random.default_rng(seed)
    travel = travel_by(network, mode)
    graph = search_graph(network, travel)
    points = scattered(network, rng, 5)
    segment, from_m, to_m = random_pieces(network, rng, 12)
    segment[:3] = points.segment[:3]
    from_m[:3], to_m[:3] = 0, network.length_m[segment[:3]]
    to_m = np.minimum(to_m, from_m + 400)  # one segment is 22 km long
    covered = covered_metres(graph, points, nearest(graph, points), segment, from_m, to_m, [45.0, 120.0])
    for p in range(len(segment)):
        count = max(int((to_m[p] - from_m[p]) * 2), 1)
        step_m = (to_m[p] - from_m[p]) / count
        samples = positions_at(np.full(count, segment[p]), from_m[p] + (np.arange(count) + 0.5) * step_m)
        drawn = every_place(network, travel, points, samples, toward=True)
        seconds = seconds_table(drawn, points, "place", count, toward=True).min(axis=1)
        for t, metres in zip((45.0, 120.0), covered[p], strict=True):
            # Each end of an interval is placed to half a step; five points make at most six intervals.
            assert abs((seconds <= t).sum() * step_m - metres) <= 6 * step_m + 1e-9


def test_a_limit_leaves_what_lies_within_it_exact() -> None:
    network = random_network(11, 150, 220)
    graph = walking(network)
    points = scattered(network, np.random.default_rng(11), 6)
    free, bound = nearest(graph, points), nearest(graph, points, limit_s=400)
    np.testing.assert_array_equal(bound.time_s, np.where(free.time_s <= 400, free.time_s, np.inf))
    thresholds_s = [100, 250, 400]
    np.testing.assert_array_equal(
        covered_metres(graph, points, bound, *whole(network), thresholds_s),
        covered_metres(graph, points, free, *whole(network), thresholds_s),
    )


def test_a_segment_covered_as_a_whole_gives_its_length_to_the_last_bit() -> None:
    network = random_network(3)
    graph = walking(network)
    points = scattered(network, np.random.default_rng(3), 12)
    near = nearest(graph, points)
    covered = covered_metres(graph, points, near, *whole(network), [1e7])[:, 0]
    reached = np.isfinite(segment_times(graph, points, near).longest_s)
    np.testing.assert_array_equal(covered[reached], network.length_m[reached])


def test_no_pieces_and_no_thresholds_give_empty_tables(toy_town: StreetNetwork) -> None:
    graph, points = walking(toy_town), positions_at(0, 30)
    near = nearest(graph, points)
    none = np.empty(0, np.int32), np.empty(0), np.empty(0)
    assert covered_metres(graph, points, near, *none, [60]).shape == (0, 1)
    assert covered_metres(graph, points, near, *whole(toy_town), []).shape == (11, 0)
    assert len(time_ramps(graph, points, near, *none).piece) == 0
