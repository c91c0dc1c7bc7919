"""Bandwidths chosen by what is foretold of an event left out, against leaving each out in turn."""

import numpy as np
import pytest

from gis.errors import QuestionError
from gis.network import Positions, StreetNetwork, arcs_of
from planner.hotspots.bandwidth import choose_bandwidth, choose_planar_bandwidth
from planner.hotspots.lixels import lixels_of
from planner.hotspots.network_density import network_density, network_density_at
from planner.hotspots.planar_density import planar_density_at


def town(side: int = 12, seed: int = 0) -> StreetNetwork:
    """A lattice of streets about 100 m long, some of them missing."""
    rng = np.random.default_rng(seed)
    node = np.arange(side * side, dtype=np.int32).reshape(side, side)
    u = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel()])
    v = np.concatenate([node[:, 1:].ravel(), node[1:].ravel()])
    kept = rng.random(len(u)) > 0.1
    u, v = u[kept], v[kept]
    n, m = side * side, len(u)
    blank = np.full(m, "", object)
    arcs = dict(zip(("indptr", "head", "arc_segment", "arc_forward"), arcs_of(u, v, n), strict=True))
    return StreetNetwork(
        node_id=np.arange(n), lon=np.zeros(n), lat=np.zeros(n), x=np.zeros(n), y=np.zeros(n), crs="EPSG:4549",
        segment_id=np.arange(m), u=u, v=v, length_m=rng.uniform(60, 140, m), oneway=np.zeros(m, np.int8),
        street_class=blank, name=blank, free_kmh=np.full(m, np.nan), geometry=np.full(m, None, object), **arcs,
    )  # fmt: skip


def clustered(network: StreetNetwork, count: int, seed: int = 1) -> Positions:
    """Events within 40 m of a few places, each on its street."""
    rng = np.random.default_rng(seed)
    seeds = rng.choice(network.n_segments, 8, replace=False)
    segment = rng.choice(seeds, count).astype(np.int32)
    offset_m = np.clip(0.5 * network.length_m[segment] + rng.uniform(-20, 20, count), 0, network.length_m[segment])
    return Positions(segment, offset_m, np.zeros(count))


def chosen(at: Positions, which) -> Positions:
    return Positions(at.segment[which], at.offset_m[which], at.gap_m[which])


@pytest.mark.parametrize("split", ["simple", "discontinuous", "continuous"])
def test_a_score_is_the_mean_log_density_of_each_event_left_out(split: str) -> None:
    network, rng = town(5), np.random.default_rng(2)
    at, weight = clustered(network, 20), rng.uniform(0.5, 2, 20)
    at.segment[3], at.offset_m[3] = -1, np.nan
    placed = at.segment >= 0
    _, scores = choose_bandwidth(network, at, weight, [70.0, 150.0], split=split)
    whole = lixels_of(network, 500.0)
    for bandwidth_m, score in zip([70.0, 150.0], scores, strict=True):
        how = {"bandwidth_m": bandwidth_m, "split": split}
        mass = (network_density(network, at, weight, whole, **how) * whole.length_m).sum()
        total, log = weight[placed].sum(), 0.0
        for i in np.flatnonzero(placed):
            others = np.flatnonzero(placed & (np.arange(20) != i))
            left = network_density_at(network, chosen(at, others), weight[others], chosen(at, [i]), **how)[0]
            share = left / (mass * weight[others].sum() / total)
            log += weight[i] * np.log(19 / 20 * share + 1 / 20 / network.length_m.sum())
        assert score == pytest.approx(log / total, rel=1e-9)


def test_tight_clusters_ask_for_a_short_bandwidth_and_even_events_for_a_long_one() -> None:
    network, rng = town(), np.random.default_rng(3)
    candidates_m = [15.0, 40.0, 120.0, 400.0]
    best, scores = choose_bandwidth(network, clustered(network, 200), None, candidates_m)
    assert best <= 40.0
    assert len(scores) == 4
    segment = rng.choice(network.n_segments, 200, p=network.length_m / network.length_m.sum()).astype(np.int32)
    even = Positions(segment, rng.random(200) * network.length_m[segment], np.zeros(200))
    assert choose_bandwidth(network, even, None, candidates_m)[0] == 400.0


def test_a_planar_score_is_the_mean_log_density_of_each_event_left_out() -> None:
    rng = np.random.default_rng(4)
    x, y, weight = rng.normal(0, 300, 30), rng.normal(0, 300, 30), rng.uniform(0.5, 2, 30)
    best, scores = choose_planar_bandwidth(x, y, weight, [100.0, 300.0, 900.0], area_m2=4e6)
    for bandwidth_m, score in zip([100.0, 300.0, 900.0], scores, strict=True):
        log = 0.0
        for i in range(30):
            but = np.arange(30) != i
            left = planar_density_at(x[but], y[but], weight[but], x[[i]], y[[i]], bandwidth_m=bandwidth_m)[0]
            log += weight[i] * np.log(30 / 31 * left / weight[but].sum() + 1 / 31 / 4e6)
        assert score == pytest.approx(log / weight.sum(), rel=1e-9)
    assert best == [100.0, 300.0, 900.0][int(np.argmax(scores))]


def test_of_equal_scores_the_shorter_bandwidth_is_taken() -> None:
    far = np.arange(4) * 1e6  # every event alone: all bandwidths foretell nothing
    assert choose_planar_bandwidth(far, far, None, [300.0, 100.0, 200.0], area_m2=1e12)[0] == 100.0


@pytest.mark.parametrize(("candidates_m", "count"), [([], 5), ([0.0], 5), ([np.nan], 5), ([100.0], 1)])
def test_impossible_choices_are_refused(candidates_m: list[float], count: int) -> None:
    network = town(4)
    with pytest.raises(QuestionError):
        choose_bandwidth(network, clustered(network, count), None, candidates_m)
    with pytest.raises(QuestionError):
        choose_planar_bandwidth(np.arange(float(count)), np.arange(float(count)), None, candidates_m, area_m2=1e6)
