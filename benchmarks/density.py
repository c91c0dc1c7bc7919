"""Time kernel density on streets and on the plane beside networkx, scikit-learn and a plain sum over pairs.

python -m benchmarks.density [--small]

Street-like lattices of about 100 m, events in clusters. Times are CPU seconds on one thread, best of several; a peer
is given a part of the case where all of it would take hours, and its time is then scaled by events.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.measure import machine, measured, seconds  # noqa: E402
from gis.network import Positions, StreetNetwork, arcs_of  # noqa: E402
from planner.hotspots.heat_density import heat_density  # noqa: E402
from planner.hotspots.lixels import Lixels, lixels_of  # noqa: E402
from planner.hotspots.network_density import network_density, network_density_at  # noqa: E402
from planner.hotspots.planar_density import planar_density, planar_density_at  # noqa: E402

ROW = "{:<58} {:<14} {:>9} {:>9}  {}"
BANDWIDTH_M = 500.0


def lattice(side: int, seed: int = 0, missing: float = 0.1) -> StreetNetwork:
    """Lay out side x side junctions, joined by streets of 60 to 140 m, a tenth of them missing."""
    rng = np.random.default_rng(seed)
    node = np.arange(side * side, dtype=np.int32).reshape(side, side)
    u = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel()])
    v = np.concatenate([node[:, 1:].ravel(), node[1:].ravel()])
    kept = rng.random(len(u)) > missing
    u, v = u[kept], v[kept]
    n, m = side * side, len(u)
    indptr, head, arc_segment, arc_forward = arcs_of(u, v, n)
    x, y = 100.0 * (np.arange(n) % side), 100.0 * (np.arange(n) // side)
    blank = np.full(m, "", object)
    return StreetNetwork(
        node_id=np.arange(n), lon=x / 95_000, lat=y / 111_000, x=x, y=y, crs="EPSG:4549", segment_id=np.arange(m),
        u=u, v=v, length_m=100.0 * rng.uniform(0.6, 1.4, m), oneway=np.zeros(m, np.int8), street_class=blank,
        name=blank, free_kmh=np.full(m, np.nan), geometry=np.full(m, None, object),
        indptr=indptr, head=head, arc_segment=arc_segment, arc_forward=arc_forward,
    )  # fmt: skip


def clustered(network: StreetNetwork, count: int, seed: int = 1) -> Positions:
    """Scatter events over streets, many times more on some than on others."""
    rng = np.random.default_rng(seed)
    hot = rng.gamma(0.3, 1.0, network.n_segments) * network.length_m
    segment = rng.choice(network.n_segments, count, p=hot / hot.sum()).astype(np.int32)
    return Positions(segment, rng.random(count) * network.length_m[segment], np.zeros(count))


def lixel_length(network: StreetNetwork, count: int) -> float:
    """Find the lixel length that cuts the network into about ``count``."""
    short, long = 0.1, 1000.0
    for _ in range(40):
        middle = 0.5 * (short + long)
        more = np.ceil(network.length_m / middle).sum() > count
        short, long = (middle, long) if more else (short, middle)
    return long


def main() -> int:
    """Print the table; return 1 if a mark is missed, a sum is off or an answer differs from a peer's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="leave out the million lixels")
    small = parser.parse_args().small
    print(f"{machine()}; CPU seconds, one thread, best of several; a shared machine is noisy\n")
    print(ROW.format("task", "who", "CPU", "x ours", "mark, accuracy"))
    good = True
    cases = [(100, 114_137, 10_000, 0.5)] + ([] if small else [(158, 1_000_000, 100_000, 1.5)])
    for side, n_lixels, n_events, at_most_s in cases:
        good &= _streets(side, n_lixels, n_events, at_most_s)
    good &= _small_streets()
    good &= _plane()
    return 0 if good else 1


def _own(task: str, call: Callable[[], np.ndarray], at_most_s: float | None, say: Callable) -> tuple[float, bool]:  # type: ignore[type-arg]
    got = measured(call)
    met = at_most_s is None or got.cpu_s <= at_most_s
    mark = "" if at_most_s is None else f"<= {seconds(at_most_s)} {'met' if met else 'MISSED'}; "
    said, right = say(got.result)
    print(ROW.format(task, "lamplight", seconds(got.cpu_s), "1", f"{mark}{said}, {got.peak_mb:.0f} MB"), flush=True)
    return got.cpu_s, met and right


def _mass(lixels: Lixels, count: int) -> Callable:  # type: ignore[type-arg]
    def say(density: np.ndarray) -> tuple[str, bool]:
        off = abs((density * lixels.length_m).sum() / count - 1.0)
        return f"mass off by {off:.1e}", off <= 1e-9

    return say


def _streets(side: int, n_lixels: int, n_events: int, at_most_s: float) -> bool:
    network = lattice(side)
    events, lixels = clustered(network, n_events), lixels_of(network, lixel_length(network, n_lixels))
    case = f"{len(lixels):,} lixels, {n_events:,} events, {network.length_m.sum() / 1e3:,.0f} km"
    good = True
    for split in ("simple", "discontinuous", "continuous"):
        say = (
            _mass(lixels, n_events) if split != "simple" else lambda density: (f"{(density > 0).mean():.0%} met", True)
        )
        _, well = _own(
            f"{split}, {case}",
            lambda split=split: network_density(network, events, None, lixels, bandwidth_m=BANDWIDTH_M, split=split),  # type: ignore[misc]
            at_most_s if split == "simple" else None,
            say,
        )
        good &= well
    _, well = _own(
        f"heat (sigma 200 m), {case}",
        lambda: heat_density(network, events, None, lixels, sigma_m=200.0),
        None,
        _mass(lixels, n_events),
    )
    return good & well


def _small_streets() -> bool:
    network = lattice(20)
    events, lixels = clustered(network, 200), lixels_of(network, 10.0)
    middle = 0.5 * (lixels.from_m + lixels.to_m)
    to = Positions(lixels.segment, middle, np.zeros(len(lixels)))
    ours_s, _ = _own(
        f"simple at {len(to):,} lixel centres, 200 events, {network.length_m.sum() / 1e3:.0f} km",
        lambda: network_density_at(network, events, None, to, bandwidth_m=BANDWIDTH_M, split="simple"),
        None,
        lambda density: ("", True),
    )
    ours = network_density_at(network, events, None, to, bandwidth_m=BANDWIDTH_M, split="simple")
    return _beside("networkx", lambda: _by_networkx(network, events, lixels.segment, middle), ours_s, ours, 1e-12)


def _by_networkx(network: StreetNetwork, events: Positions, segment: np.ndarray, middle: np.ndarray) -> np.ndarray:
    import networkx as nx

    graph = nx.Graph()
    for a, b, metres in zip(network.u.tolist(), network.v.tolist(), network.length_m.tolist(), strict=True):
        graph.add_edge(a, b, metres=metres)
    u, v, length_m = network.u[segment], network.v[segment], network.length_m[segment]
    density = np.zeros(len(segment))
    far = np.full((2, network.n_nodes), np.inf)
    for s, x in zip(events.segment.tolist(), events.offset_m.tolist(), strict=True):
        far[:] = np.inf
        for end, node in enumerate((int(network.u[s]), int(network.v[s]))):
            reached = nx.single_source_dijkstra_path_length(graph, node, cutoff=BANDWIDTH_M, weight="metres")
            far[end, list(reached)] = list(reached.values())
        to_node = np.minimum(far[0] + x, far[1] + network.length_m[s] - x)
        metres = np.minimum(to_node[u] + middle, to_node[v] + length_m - middle)
        metres = np.where(segment == s, np.minimum(metres, np.abs(middle - x)), metres)
        density += 0.75 * np.maximum(1 - (np.minimum(metres, BANDWIDTH_M) / BANDWIDTH_M) ** 2, 0) / BANDWIDTH_M
    return density


def _plane() -> bool:
    rng = np.random.default_rng(2)
    events = rng.normal(20_000, 6_000, (100_000, 2))
    raster = {"x0": 0.0, "y0": 0.0, "cell_m": 50.0, "columns": 800, "rows": 800}
    _, good = _own(
        "plane, 800 x 800 cells of 50 m, 100,000 events, 500 m",
        lambda: planar_density(*events.T, None, **raster, bandwidth_m=BANDWIDTH_M),  # type: ignore[arg-type]
        None,
        lambda density: (f"sum over cells off by {abs(density.sum() * 2500 / 100_000 - 1):.1e} (samples)", True),
    )
    across, up = np.meshgrid(np.arange(25.0, 40_000, 400), np.arange(25.0, 40_000, 400))
    at = np.column_stack([across.ravel(), up.ravel()])
    points_s, _ = _own(
        f"plane at {len(at):,} points, 100,000 events, 500 m",
        lambda: planar_density_at(*events.T, None, *at.T, bandwidth_m=BANDWIDTH_M),
        None,
        lambda density: ("", True),
    )
    ours = planar_density_at(*events.T, None, *at.T, bandwidth_m=BANDWIDTH_M)
    whole = planar_density(*events.T, None, **raster, bandwidth_m=BANDWIDTH_M)  # type: ignore[arg-type]
    same = np.abs(whole[::8, ::8].ravel() - ours).max() / ours.max()
    print(ROW.format("", "raster, same", "", "", f"largest difference {same:.1e} of the maximum"))
    good &= bool(same < 1e-12)

    def sklearn() -> np.ndarray:
        from sklearn.neighbors import KernelDensity

        tree = KernelDensity(bandwidth=BANDWIDTH_M, kernel="epanechnikov").fit(events)
        return np.asarray(len(events) * np.exp(tree.score_samples(at)))

    return good & _beside("scikit-learn", sklearn, points_s, ours, 1e-10)


def _beside(who: str, call: Callable[[], np.ndarray], ours_s: float, ours: np.ndarray, allowed: float) -> bool:
    try:
        theirs = measured(call)
    except ImportError:
        print(ROW.format("", who, "not installed", "", ""))
        return True
    apart = float(np.abs(theirs.result - ours).max() / ours.max())
    agree = apart <= allowed
    said = f"largest difference {apart:.1e} of the maximum" + ("" if agree else f"  DIFFERS: allowed {allowed:g}")
    print(ROW.format("", who, seconds(theirs.cpu_s), f"{theirs.cpu_s / ours_s:.0f}", said), flush=True)
    return agree


if __name__ == "__main__":
    raise SystemExit(main())
