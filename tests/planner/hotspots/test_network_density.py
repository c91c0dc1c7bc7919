"""Density on streets against closed forms, walks counted one by one, networkx, and spNetwork's own results."""

from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely

from gis.errors import QuestionError
from gis.network import Positions, StreetNetwork, arcs_of
from planner.hotspots import equal_split
from planner.hotspots import network_density as density_module
from planner.hotspots.heat_density import heat_density
from planner.hotspots.lixels import lixels_of
from planner.hotspots.network_density import (
    COEFFICIENTS,
    DensityOptions,
    density_of_others,
    network_density,
    network_density_at,
)
from tests.requirements import missing

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
SPLITS = ("simple", "discontinuous", "continuous")
EQUAL_SPLITS = SPLITS[1:]

# Kernels written out anew, on distances in bandwidths.
KERNEL = {
    "epanechnikov": lambda r: 0.75 * (1 - r**2) * (r < 1),
    "quartic": lambda r: 15 / 16 * (1 - r**2) ** 2 * (r < 1),
    "triangular": lambda r: (1 - r) * (r < 1),
    "uniform": lambda r: 0.5 * (r < 1),
}


def network_of(n_nodes, u, v, length_m) -> StreetNetwork:
    u, v = np.asarray(u, np.int32), np.asarray(v, np.int32)
    m = len(u)
    blank = np.full(m, "", object)
    arcs = dict(zip(("indptr", "head", "arc_segment", "arc_forward"), arcs_of(u, v, n_nodes), strict=True))
    return StreetNetwork(
        node_id=np.arange(n_nodes), lon=np.zeros(n_nodes), lat=np.zeros(n_nodes), x=np.zeros(n_nodes),
        y=np.zeros(n_nodes), crs="EPSG:4549", segment_id=np.arange(m), u=u, v=v,
        length_m=np.asarray(length_m, np.float64), oneway=np.zeros(m, np.int8), street_class=blank, name=blank,
        free_kmh=np.full(m, np.nan), geometry=np.full(m, None, object), **arcs,
    )  # fmt: skip


def at(segment, offset_m) -> Positions:
    segment, offset_m = np.atleast_1d(np.asarray(segment, np.int32)), np.atleast_1d(np.asarray(offset_m, np.float64))
    return Positions(segment, offset_m, np.zeros(len(segment)))


def random_network(rng: np.random.Generator, n: int = 9, m: int = 14) -> StreetNetwork:
    """Loops, parallels, dead ends, several components and, twice, no length at all."""
    u, v = rng.integers(0, n, m), rng.integers(0, n, m)
    v[0], u[1], v[1] = u[0], u[2], v[2]
    length_m = rng.uniform(20, 150, m)
    length_m[[3, 4]] = 0.0
    return network_of(n, u, v, length_m)


def somewhere(network: StreetNetwork, rng: np.random.Generator, count: int) -> Positions:
    """Anywhere on streets with length, some at a very end."""
    segment = rng.choice(np.flatnonzero(network.length_m > 0), count)
    share = np.where(rng.random(count) < 0.25, rng.integers(0, 2, count), rng.random(count))
    return at(segment, share * network.length_m[segment])


def simple_by_networkx(network, events, weight, to, bandwidth_m, kernel):
    """Every place a node, split into the segments; distances by networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(range(network.n_nodes))
    both = [("event", i, s, x) for i, (s, x) in enumerate(zip(events.segment, events.offset_m, strict=True))]
    both += [("to", i, s, x) for i, (s, x) in enumerate(zip(to.segment, to.offset_m, strict=True))]
    for s in range(network.n_segments):
        on = sorted([(x, (kind, i)) for kind, i, at_s, x in both if at_s == s], key=lambda place: place[0])
        chain = [(0.0, int(network.u[s])), *on, (network.length_m[s], ("end", s))]
        graph.add_edge(("end", s), int(network.v[s]), metres=0.0)
        for (x, a), (y, b) in pairwise(chain):
            graph.add_edge(a, b, metres=y - x)
    density = np.zeros(len(to))
    for i in range(len(events)):
        far = nx.single_source_dijkstra_path_length(graph, ("event", i), weight="metres")
        r = np.array([far.get(("to", j), np.inf) for j in range(len(to))]) / bandwidth_m
        density += weight[i] * KERNEL[kernel](np.minimum(r, 2)) / bandwidth_m
    return density


def walks_from(network: StreetNetwork, s: int, x: float, reach_m: float, split: str, reflect: bool):
    """Yield (segment, from_u, metres come at the entered end, share) of every walk from x on s, by recursion."""
    label = list(range(network.n_nodes))  # nodes that a segment without length joins are one
    for _ in label:
        for a, b, metres in zip(network.u, network.v, network.length_m, strict=True):
            if metres == 0:
                label[a] = label[b] = min(label[a], label[b])
    arms: dict[int, list] = {}
    for f in np.flatnonzero(network.length_m > 0):
        arms.setdefault(label[network.u[f]], []).append((f, True))
        arms.setdefault(label[network.v[f]], []).append((f, False))

    def go(node, came_by, come, share):
        k = len(arms[node])
        for arm in arms[node]:
            if came_by is None:
                part = 2 / k
            elif arm == came_by:
                part = 0.0 if split == "discontinuous" else 2 / k - 1
                if k == 1:
                    part = 1.0 if reflect else 0.0
            else:
                part = 1 / (k - 1) if split == "discontinuous" else 2 / k
            if part == 0 or come >= reach_m:
                continue
            f, forward = arm
            yield f, forward, come, share * part
            beyond = label[network.v[f] if forward else network.u[f]]
            yield from go(beyond, (f, not forward), come + network.length_m[f], share * part)

    if 0 < x < network.length_m[s]:
        yield from go(label[network.u[s]], (s, True), x, 1.0)
        yield from go(label[network.v[s]], (s, False), network.length_m[s] - x, 1.0)
    else:
        yield from go(label[network.u[s] if x == 0 else network.v[s]], None, 0.0, 1.0)


def equal_split_by_walks(network, events, weight, to, bandwidth_m, kernel, split, reflect=True):
    """One kernel (k, p) a row of each event."""
    rows = np.zeros((len(events), len(to)))
    for i, (s, x) in enumerate(zip(events.segment, events.offset_m, strict=True)):
        if 0 < x < network.length_m[s]:
            r = np.abs(to.offset_m - x) / bandwidth_m
            rows[i] += np.where(to.segment == s, KERNEL[kernel](r), 0.0)
        for f, forward, come, share in walks_from(network, s, x, bandwidth_m, split, reflect):
            on = to.segment == f
            along = to.offset_m[on] if forward else network.length_m[f] - to.offset_m[on]
            rows[i, on] += share * KERNEL[kernel]((come + along) / bandwidth_m)
    return rows * np.asarray(weight)[:, None] / bandwidth_m


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("simple", [0.144, 0.15, 0.126, 0.054, 0.054, 0.0765]),
        ("discontinuous", [0.144, 0.15, 0.126, 0.018, 0.018, 0.0255]),
        ("continuous", [0.144, 0.15, 0.099, 0.027, 0.027, 0.03825]),
    ],
)
def test_a_star_of_four_arms_has_its_closed_form(split: str, expected: list[float]) -> None:
    star = network_of(5, [1, 0, 0, 4], [0, 2, 3, 0], [5.0] * 4)
    to = at([0, 0, 0, 1, 2, 3], [1, 2, 4, 1, 1, 4.5])
    got = network_density_at(star, at(0, 2.0), None, to, bandwidth_m=5.0, split=split, dead_ends="open")
    assert got == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("kernel", COEFFICIENTS)
@pytest.mark.parametrize("seed", range(6))
def test_simple_density_equals_networkx_distances(seed: int, kernel: str) -> None:
    rng = np.random.default_rng([1, seed])
    network = random_network(rng)
    events, to, weight = somewhere(network, rng, 25), somewhere(network, rng, 60), rng.uniform(0, 3, 25)
    zero = np.flatnonzero(network.length_m == 0)[0]
    events.segment[0], events.offset_m[0], to.segment[0], to.offset_m[0] = zero, 0.0, zero, 0.0
    got = network_density_at(network, events, weight, to, bandwidth_m=211.0, split="simple", kernel=kernel)
    expected = simple_by_networkx(network, events, weight, to, 211.0, kernel)
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("split", EQUAL_SPLITS)
@pytest.mark.parametrize("seed", range(6))
def test_equal_split_density_equals_the_sum_over_all_walks(
    seed: int, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(density_module, "EXACT_WAVES", 10**9)
    rng = np.random.default_rng([2, seed])
    network = random_network(rng)
    events, to, weight = somewhere(network, rng, 12), somewhere(network, rng, 40), rng.uniform(0, 3, 12)
    kernel, reflect = list(COEFFICIENTS)[seed % 4], seed % 2 == 0
    got = network_density_at(
        network, events, weight, to, bandwidth_m=170.0, split=split, kernel=kernel,
        dead_ends="reflect" if reflect else "open",
    )  # fmt: skip
    expected = equal_split_by_walks(network, events, weight, to, 170.0, kernel, split, reflect).sum(axis=0)
    assert got == pytest.approx(expected, rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("split", SPLITS)
def test_the_mean_over_a_lixel_is_that_of_many_points_on_it(split: str) -> None:
    rng = np.random.default_rng(3)
    network = random_network(rng)
    events, weight = somewhere(network, rng, 12), rng.uniform(0, 3, 12)
    lixels = lixels_of(network, 37.0)
    count = 2000
    share = (np.arange(count) + 0.5) / count
    points = at(np.repeat(lixels.segment, count), (lixels.from_m[:, None] + lixels.length_m[:, None] * share).ravel())
    for kernel in COEFFICIENTS:
        how = {"bandwidth_m": 160.0, "split": split, "kernel": kernel}
        means = network_density(network, events, weight, lixels, **how)
        sampled = network_density_at(network, events, weight, points, **how).reshape(-1, count).mean(axis=1)
        assert means == pytest.approx(sampled, rel=2e-3, abs=1e-3 * means.max())


@pytest.mark.parametrize("kernel", COEFFICIENTS)
@pytest.mark.parametrize("split", EQUAL_SPLITS)
@pytest.mark.parametrize("seed", range(4))
def test_equal_split_densities_integrate_to_the_weight_of_all_events(seed: int, split: str, kernel: str) -> None:
    rng = np.random.default_rng([4, seed])
    network = random_network(rng, 30, 45)
    events, weight = somewhere(network, rng, 100), rng.uniform(0, 3, 100)
    for lixel_m in (7.0, 1000.0):
        lixels = lixels_of(network, lixel_m)
        density = network_density(network, events, weight, lixels, bandwidth_m=250.0, split=split, kernel=kernel)
        assert (density * lixels.length_m).sum() == pytest.approx(weight.sum(), rel=1e-12)


def test_merged_waves_keep_all_mass_and_stay_near_the_exact_density(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    side = np.arange(36).reshape(6, 6)
    u = np.concatenate([side[:, :-1].ravel(), side[:-1].ravel()])
    v = np.concatenate([side[:, 1:].ravel(), side[1:].ravel()])
    network = network_of(36, u, v, rng.uniform(60, 140, len(u)))
    events, lixels = somewhere(network, rng, 30), lixels_of(network, 10.0)
    for split in EQUAL_SPLITS:
        exact = network_density(network, events, None, lixels, bandwidth_m=700.0, split=split)
        monkeypatch.setattr(density_module, "EXACT_WAVES", 0)
        merged = network_density(network, events, None, lixels, bandwidth_m=700.0, split=split)
        monkeypatch.undo()
        assert (merged * lixels.length_m).sum() == pytest.approx(30, rel=1e-12)
        assert np.abs(merged - exact).max() < 1e-5 * exact.max()


def test_a_knot_of_tiny_streets_costs_no_more_than_its_streets() -> None:
    rng = np.random.default_rng(6)
    u, v = np.triu_indices(6, 1)  # every walk of hundreds of steps within the knot: far too many to follow apart
    network = network_of(8, [*u, 0, 1], [*v, 6, 7], [*rng.uniform(2, 4, len(u)), 300.0, 200.0])
    lixels = lixels_of(network, 20.0)
    assert equal_split.EXACT_WAVES < 10**6
    for split in EQUAL_SPLITS:
        density = network_density(network, at(15, 299.0), None, lixels, bandwidth_m=100.0, split=split)
        assert (density * lixels.length_m).sum() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("split", SPLITS)
def test_the_order_of_events_and_the_way_segments_are_drawn_change_nothing(split: str) -> None:
    rng = np.random.default_rng(7)
    network = random_network(rng)
    events, to = somewhere(network, rng, 20), somewhere(network, rng, 30)
    turned = network_of(network.n_nodes, network.v, network.u, network.length_m)
    shuffled = rng.permutation(20)
    back = at(events.segment, network.length_m[events.segment] - events.offset_m)
    back = at(
        back.segment[shuffled],
        np.where(events.offset_m == 0, network.length_m[events.segment], back.offset_m)[shuffled],
    )
    there = at(to.segment, network.length_m[to.segment] - to.offset_m)
    one = network_density_at(network, events, None, to, bandwidth_m=200.0, split=split)
    other = network_density_at(turned, back, None, there, bandwidth_m=200.0, split=split)
    assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


def test_an_event_at_a_junction_counts_the_same_whichever_street_it_was_brought_to() -> None:
    network = network_of(5, [0, 1, 1, 1, 2], [1, 2, 3, 4, 2], [100.0, 80.0, 0.0, 60.0, 90.0])
    lixels = lixels_of(network, 10.0)
    for split in EQUAL_SPLITS:
        ways = [
            network_density(network, at(s, x), None, lixels, bandwidth_m=130.0, split=split)
            for s, x in [(0, 100.0), (1, 0.0), (2, 0.0), (3, 0.0)]
        ]
        assert all(way == pytest.approx(ways[0], rel=1e-12) for way in ways)


@pytest.mark.parametrize("split", SPLITS)
def test_the_density_of_others_leaves_out_all_an_event_sends_back_to_itself(split: str) -> None:
    rng = np.random.default_rng(8)
    network = random_network(rng)
    events, weight = somewhere(network, rng, 15), rng.uniform(0.5, 3, 15)
    events.segment[1], events.offset_m[1] = events.segment[0], events.offset_m[0]
    got = density_of_others(network, events, weight, DensityOptions(220.0, split))
    for i in range(15):
        but = np.arange(15) != i
        others = at(events.segment[but], events.offset_m[but])
        here = at(events.segment[i], events.offset_m[i])
        expected = network_density_at(network, others, weight[but], here, bandwidth_m=220.0, split=split)
        assert got[i] == pytest.approx(expected[0], rel=1e-9, abs=1e-12)


def test_unsnapped_events_are_left_out_and_unsnapped_places_have_no_density() -> None:
    network = network_of(2, [0], [1], [100.0])
    events = Positions(np.array([0, -1], np.int32), np.array([50.0, np.nan]), np.array([0.0, 999.0]))
    for split in SPLITS:
        got = network_density_at(network, events, None, events, bandwidth_m=10.0, split=split)
        assert got[0] == pytest.approx(0.075)
        assert np.isnan(got[1])
    assert network_density(network, at([], []), None, lixels_of(network, 30.0), bandwidth_m=10.0).tolist() == [0] * 4


def test_lixels_tile_every_street_with_equal_pieces_no_longer_than_asked() -> None:
    network = network_of(3, [0, 1, 0], [1, 2, 0], [100.0, 0.0, 30.0])
    lixels = lixels_of(network, 30.0)
    assert lixels.indptr.tolist() == [0, 4, 4, 5]
    assert lixels.from_m.tolist() == [0, 25, 50, 75, 0]
    assert lixels.to_m.tolist() == [25, 50, 75, 100, 30]
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(QuestionError):
            lixels_of(network, bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"bandwidth_m": 0.0}, {"bandwidth_m": np.nan}, {"split": "even"}, {"kernel": "gauss"}, {"dead_ends": "lost"},
        {"weight": np.array([np.nan])}, {"weight": np.array([-1.0])}, {"weight": np.ones(2)},
    ],
)  # fmt: skip
def test_impossible_questions_are_refused(bad: dict) -> None:
    network = network_of(2, [0], [1], [100.0])
    asked = {"weight": None, "bandwidth_m": 10.0} | bad
    with pytest.raises(QuestionError):
        network_density(network, at(0, 50.0), asked.pop("weight"), lixels_of(network, 30.0), **asked)


def heat_by_walks(network, s, x, to, sigma_m):
    """The heat kernel is the continuous equal split of a Gaussian (reflected at dead ends)."""
    gauss = lambda d: np.exp(-0.5 * (d / sigma_m) ** 2) / (sigma_m * np.sqrt(2 * np.pi))  # noqa: E731
    density = np.where(to.segment == s, gauss(to.offset_m - x), 0.0)
    for f, forward, come, share in walks_from(network, s, x, 7 * sigma_m, "continuous", True):
        on = to.segment == f
        density[on] += share * gauss(come + (to.offset_m[on] if forward else network.length_m[f] - to.offset_m[on]))
    return density


def test_heat_keeps_all_mass_and_is_the_continuous_equal_split_of_a_gaussian() -> None:
    network = network_of(7, [1, 0, 0, 0, 3, 3], [0, 2, 3, 4, 5, 5], [90.0, 70.0, 60.0, 20.0, 50.0, 80.0])
    lixels = lixels_of(network, 1.0)
    middle = at(lixels.segment, 0.5 * (lixels.from_m + lixels.to_m))
    for s, x in [(0, 40.0), (1, 3.0), (4, 25.0)]:
        got = heat_density(network, at(s, x), None, lixels, sigma_m=20.0)
        expected = heat_by_walks(network, s, x, middle, 20.0)
        assert (got * lixels.length_m).sum() == pytest.approx(1, rel=1e-12)
        assert np.abs(got - expected).max() < 2e-3 * expected.max()


def test_heat_on_coarse_lixels_is_the_mean_over_fine_ones() -> None:
    rng = np.random.default_rng(9)
    network = random_network(rng)
    events = somewhere(network, rng, 20)
    fine, coarse = lixels_of(network, 1.0), lixels_of(network, 60.0)
    dense = heat_density(network, events, None, fine, sigma_m=40.0)
    within = np.searchsorted(coarse.from_m + 1e6 * coarse.segment, fine.from_m + 1e6 * fine.segment + 1e-6, "right") - 1
    expected = np.bincount(within, dense * fine.length_m, len(coarse)) / coarse.length_m
    got = heat_density(network, events, None, coarse, sigma_m=40.0)
    assert (got * coarse.length_m).sum() == pytest.approx(20, rel=1e-9)
    assert np.abs(got - expected).max() < 0.02 * expected.max()


@pytest.fixture(scope="module")
def montreal():
    """spNetwork's sample: streets, events and lixel centres as positions on our network, and its results."""
    folder = INSTANCES / "hotspots" / "spnetwork"
    if not folder.is_dir():
        missing("the folder of benchmark instances (shared/instances beside the checkout)")
    lines = gpd.read_file(folder / "mtl_network.gpkg").geometry.to_numpy()
    ends = np.array([(line.coords[0], line.coords[-1]) for line in lines]).reshape(-1, 2).round(3)
    _, node = np.unique(ends, axis=0, return_inverse=True)
    u, v = node.reshape(-1, 2).T
    network = network_of(int(node.max()) + 1, u, v, shapely.length(lines))
    tree = shapely.STRtree(lines)

    def snapped(points):
        near = tree.nearest(points)
        return at(near, shapely.line_locate_point(lines[near], points))

    events = snapped(gpd.read_file(folder / "bike_accidents.gpkg").geometry.to_numpy())
    ends = network.length_m[events.segment]  # spNetwork takes what is within a millimetre of a junction to it
    events.offset_m[events.offset_m < 1e-3] = 0.0
    events.offset_m[ends - events.offset_m < 1e-3] = ends[ends - events.offset_m < 1e-3]
    plain = pd.read_csv(folder / "spnetwork_mtl_epan_bw300_noagg_divnone.csv")
    return network, events, snapped(shapely.points(plain["x"], plain["y"])), plain


@pytest.mark.realdata
def test_densities_agree_with_spnetwork(montreal) -> None:
    network, events, to, plain = montreal
    apart = {}
    for split in SPLITS:
        got = network_density_at(network, events, None, to, bandwidth_m=300.0, split=split, dead_ends="open")
        theirs = plain[split].to_numpy() * (300.0 if split == "discontinuous" else 1.0)  # it divides by it once more
        apart[split] = np.abs(got - theirs) / theirs.max()
    assert apart["simple"].max() < 1e-5
    assert apart["discontinuous"].max() < 1e-5
    # Its continuous split goes another way at some places; ours is held to all walks counted one by one, above.
    assert np.median(apart["continuous"]) < 1e-5
    assert apart["continuous"].max() < 1e-2
