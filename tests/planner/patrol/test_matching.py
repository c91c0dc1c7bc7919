"""Map matching: worked by hand on a toy town, equal to a plain model, and right on simulated walks."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.walks import compare, points_of, walks
from gis.crs import to_metric
from gis.errors import QuestionError
from gis.modes import travel_by
from gis.network import StreetNetwork
from gis.network_build import network_from_edges, read_network
from layers.demo_city.build import build_demo_city
from planner.patrol.tracks.joined_ways import joined_ways
from planner.patrol.tracks.matching import Matched, MatchModel, match, match_ground
from planner.patrol.tracks.matching_kernels import Rules, likeliest
from planner.patrol.tracks.path_kernels import without_spikes
from tests.gis.model_networks import CENTRE, network_of
from tests.planner.patrol.drawn_tracks import line, tracks_at
from tests.planner.patrol.plain_matching import PlainMatching
from tests.requirements import missing

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def cross() -> StreetNetwork:
    """Four streets of 200 m from a crossing: 0 west, 1 east, 2 south, 3 north."""
    return network_of([(0, 0), (-200, 0), (200, 0), (0, -200), (0, 200)], [1, 0, 3, 0], [0, 2, 0, 4])


def way(found: Matched):
    return [
        (int(s), round(float(a)), round(float(b)))
        for s, a, b in zip(found.segment, found.from_m, found.to_m, strict=True)
    ]


def test_a_walk_round_a_corner_is_two_pieces(cross: StreetNetwork) -> None:
    found = match(match_ground(cross, "walk"), tracks_at(line([(-150, 3), (0, 3), (0, 160)], 240.0)))
    assert [s for s, _, _ in way(found)] == [0, 3]
    assert abs(found.from_m[0] - 50) < 9 and found.to_m[0] == cross.length_m[0]
    assert found.from_m[1] == 0 and abs(found.to_m[1] - 160) < 9
    assert found.begin_s[0] == 0 and found.end_s[-1] == 240 and found.end_s[0] == pytest.approx(found.begin_s[1])


def test_turning_round_is_walking_twice(cross: StreetNetwork) -> None:
    found = match(match_ground(cross, "walk"), tracks_at(line([(-180, 0), (-40, 0), (-180, 0)], 240.0)))
    assert len(found.segment) == 2 and (found.segment == 0).all()
    assert found.metres.sum() == pytest.approx(280, abs=25)
    assert found.from_m[0] < found.to_m[0] and found.from_m[1] > found.to_m[1]


def test_the_way_is_made_of_the_ends_it_was_matched_by() -> None:
    # from 150 m along the street to its dead end at 200 m and back to 170 m, then as the crow flies to 165 m
    network = network_of([(0, 0), (200, 0), (0, 50)], [0, 0], [1, 2])
    graph = match_ground(network, "walk").graph
    found = joined_ways(
        graph, np.zeros(3, np.int32), np.array([150, 170, 165.0]), np.array([-1, 0, 1]),
        np.array([-1, 1, -1], np.int8), np.array([-1, 0, 0], np.int8),
    )  # fmt: skip
    assert found.indptr.tolist() == [0, 2, 3] and found.segment.tolist() == [0, 0, 0]
    assert found.from_m.tolist() == [150, 200, 170] and found.to_m.tolist() == [200, 170, 165]


def test_standing_still_is_no_way_but_time(cross: StreetNetwork) -> None:
    rng = np.random.default_rng(2)
    t = np.arange(0, 1200.0, 5.0)
    stands = np.column_stack([rng.normal(-100, 10, len(t)), rng.normal(0, 10, len(t)), t])
    walk = line([(-100, 0), (150, 0)], 200.0, start_s=1200.0)
    found = match(match_ground(cross, "walk"), tracks_at(np.vstack([stands, walk])))
    assert found.metres.sum() == pytest.approx(250, abs=45)
    assert found.end_s[-1] - found.begin_s[0] == pytest.approx(1400, abs=1)


def test_a_silence_breaks_the_way_in_parts(cross: StreetNetwork) -> None:
    later = line([(50, 0), (180, 0)], 100.0, start_s=400.0)
    found = match(match_ground(cross, "walk"), tracks_at(np.vstack([line([(-180, 0), (-50, 0)], 100.0), later])))
    assert found.chain.tolist() == [0, 1] and found.segment.tolist() == [0, 1]
    assert found.metres.sum() == pytest.approx(260, abs=20)


def test_what_lies_far_from_streets_is_unmatched_and_the_rest_is_not(cross: StreetNetwork) -> None:
    park = [(-150.0, 0), (-150, 150), (150, 150), (150, 5), (190, 5)]
    found = match(match_ground(cross, "walk"), tracks_at(line(park, 520.0)))
    far = found.look_segment < 0
    y = found.look_y - CENTRE[1]
    assert far[(y > 60) & (np.abs(found.look_x - CENTRE[0]) > 60)].all() and not far[np.abs(y) < 30].any()


def test_walkers_go_against_a_one_way_street_and_drivers_do_not() -> None:
    # a block 150 m square whose south side is one-way to the east
    network = network_of([(0, 0), (150, 0), (150, 150), (0, 150)], [0, 1, 2, 3], [1, 2, 3, 0], oneway=[1, 0, 0, 0],
                         street_class=["residential"] * 4)  # fmt: skip
    westward = tracks_at(line([(150, 0), (0, 0)], 120.0))
    assert set(match(match_ground(network, "walk"), westward).segment.tolist()) == {0}
    driven = match(match_ground(network, "drive"), tracks_at(line([(150, 0), (0, 0)], 30.0, 5.0)))
    assert not (driven.from_m > driven.to_m)[driven.segment == 0].any()


def test_noise_never_makes_a_driver_go_back() -> None:
    network = network_of([(0, 0), (400, 0)], [0], [1], oneway=[1], street_class=["residential"])
    x = np.array([10, 50, 90, 84, 125, 165, 160, 205, 245.0])
    found = match(match_ground(network, "drive"), tracks_at(np.column_stack([x, 0 * x, 10.0 * np.arange(len(x))])))
    assert (found.from_m <= found.to_m).all() and found.metres.sum() == pytest.approx(235, abs=25)


def test_a_stray_point_is_passed_over(cross: StreetNetwork) -> None:
    run = line([(-180, 0), (180, 0)], 300.0)
    run[12, :2] += (0, 900)
    found = match(match_ground(cross, "walk"), tracks_at(run))
    assert way(found)[0][0] == 0 and found.metres.sum() == pytest.approx(360, abs=20)
    assert (found.chain == 0).all() and (found.look_segment < 0).sum() == 1


def test_the_parallel_street_nearer_to_the_points_is_taken() -> None:
    network = network_of([(0, 0), (400, 0), (0, 24), (400, 24)], [0, 2, 0, 1], [1, 3, 2, 3])
    rng = np.random.default_rng(7)
    for y, segment in ((0, 0), (24, 1)):
        run = line([(20, y), (380, y)], 288.0, 6.0)
        run[:, :2] += rng.normal(0, 10, (len(run), 2))
        found = match(match_ground(network, "walk"), tracks_at(run))
        assert found.metres[found.segment == segment].sum() > 0.9 * found.metres.sum()


def test_tracks_do_not_touch_one_another(cross: StreetNetwork) -> None:
    ground = match_ground(cross, "walk")
    runs = [line([(-150, 0), (0, 0), (0, 160)], 240.0), line([(180, 0), (20, 0)], 130.0), np.empty((0, 3))]
    together = match(ground, tracks_at(*runs))
    for i, run in enumerate(runs):
        alone = match(ground, tracks_at(run))
        mine = together.track == i
        np.testing.assert_array_equal(together.segment[mine], alone.segment)
        np.testing.assert_allclose(together.from_m[mine], alone.from_m)
        np.testing.assert_allclose(together.end_s[mine], alone.end_s)


def test_times_that_go_backwards_are_refused(cross: StreetNetwork) -> None:
    run = line([(-150, 0), (150, 0)], 240.0)
    run[5, 2] = 0.0
    with pytest.raises(QuestionError):
        match(match_ground(cross, "walk"), tracks_at(run))
    with pytest.raises(QuestionError):
        MatchModel(beta_m=0.0)


def test_a_way_out_and_back_within_the_noise_is_taken_out_and_its_time_kept() -> None:
    # 0 to 60, back to 50, on to 100: the step back goes; then 40 into segment 1 and out again, which stays
    segment = np.array([0, 0, 0, 1, 1], np.int32)
    from_m, to_m = np.array([0, 60, 50, 0, 40.0]), np.array([60, 50, 100, 40, 0.0])
    begin_s, end_s = np.array([0, 60, 70, 120, 160.0]), np.array([60, 70, 120, 160, 200.0])
    chains, on, a, b, t0, t1 = without_spikes(
        np.array([0, 5]), segment, from_m, to_m, begin_s, end_s, np.array([15.0])
    )  # fmt: skip
    assert (on.tolist(), a.tolist(), b.tolist()) == ([0, 1, 1], [0, 0, 40], [100, 40, 0])
    assert t0[0] == 0 and t1[-1] == 200 and (t0[1:] == t1[:-1]).all() and chains.tolist() == [0, 3]
    assert without_spikes(np.array([0, 5]), segment, from_m, to_m, begin_s, end_s, np.array([41.0]))[1].tolist() == [0]


@pytest.mark.parametrize("seed", range(12))
def test_the_likeliest_places_are_those_a_plain_recursion_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 120, (7, 2))
    pairs = np.vstack([np.column_stack([np.arange(6), np.arange(1, 7)]), rng.integers(0, 7, (4, 2))])
    oneway = rng.choice([0, 1, -1], len(pairs), p=[0.6, 0.2, 0.2])
    network = network_of(xy, pairs[:, 0], pairs[:, 1], oneway=oneway, street_class=["residential"] * len(pairs))
    mode = ("walk", "drive")[seed % 2]
    ground, travel = match_ground(network, mode), travel_by(network, mode)
    looks = rng.uniform(10, 110, (5, 2)) * 0.4 + np.linspace([0, 0], [70, 70], 5) + CENTRE
    time_s, variance = np.cumsum(rng.uniform(10, 30, 5)), rng.uniform(50, 150, 5)
    rules = Rules(15.0, 180.0, 80.0, 20.0)
    place, before, _, _ = likeliest(
        np.array([0, 5]), looks[:, 0], looks[:, 1], time_s, variance, np.array([1.25]), ground.places, ground.arcs,
        rules, 600,
    )  # fmt: skip
    plain = PlainMatching(
        network, ground.places, travel.forward, travel.backward, rules, looks, time_s, variance, 1.25
    )  # fmt: skip
    best = plain.best()
    if (place < 0).any() or (before[1:] != np.arange(4)).any():
        assert best == -np.inf
    else:
        chosen = plain.best({j: [int(p)] for j, p in enumerate(place)})
        assert chosen == pytest.approx(best, abs=1e-9) and best > -np.inf


def shares(network: StreetNetwork, mode: str, every_s, *, count: int, metres: float, kmh: float, within=None):
    rng = np.random.default_rng(20)
    truth = walks(network, mode, count=count, metres=metres, kmh=kmh, rng=rng, within=within)
    tracks = points_of(network, truth, every_s=every_s, noise_m=10.0, rng=rng)
    found = match(match_ground(network, mode), tracks)
    walked_m, right_m, false_m = compare(
        (truth.track, truth.segment, truth.from_m, truth.to_m),
        (found.track, found.segment, found.from_m, found.to_m),
    )
    return right_m / walked_m, false_m / walked_m


@pytest.fixture(scope="module")
def town() -> StreetNetwork:
    return network_from_edges(build_demo_city("town").streets)


@pytest.mark.parametrize(
    ("mode", "kmh", "every_s"), [("walk", 4.5, (5, 5)), ("walk", 4.5, (5, 30)), ("walk", 4.5, (30, 30)),
                                 ("ebike", 15.0, (5, 5)), ("ebike", 15.0, (5, 15))],
)  # fmt: skip
def test_simulated_walks_in_the_demo_town_are_found_again(
    town: StreetNetwork, mode: str, kmh: float, every_s: tuple[int, int]
) -> None:
    right, false = shares(town, mode, every_s, count=8, metres=3000, kmh=kmh)
    assert right >= 0.97 and false <= 0.02


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "every_s"), [("nanjing", (5, 30)), ("futian", (5, 5)), ("futian", (5, 30))])
def test_simulated_walks_in_real_cities_are_found_again(name: str, every_s: tuple[int, int]) -> None:
    files = {"nanjing": "nanjing/nanjing_streets.gpkg", "futian": "shenzhen_futian/futian_osmnx_all.graphml.gz"}
    path = SHARED / files[name]
    if not path.is_file():
        missing(f"the file {files[name]} of the real data")
    network, _ = read_network(path)
    core = None
    if name == "nanjing":
        x, y = to_metric([118.79], [32.05], network.crs)
        core = np.hypot(network.x - x[0], network.y - y[0]) < 4000
    right, false = shares(network, "walk", every_s, count=12, metres=5000, kmh=4.5, within=core)
    assert right >= 0.97 and false <= 0.02
