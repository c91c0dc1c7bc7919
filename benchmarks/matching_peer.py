"""leuvenmapmatching beside Lamplight, where it is installed: the same network, the same tracks, one at a time."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely

from gis.crs import to_metric
from planner.patrol.tracks.matching import MatchGround
from planner.patrol.tracks.points import Tracks

try:
    from leuvenmapmatching.map.inmem import InMemMap
    from leuvenmapmatching.matcher.distance import DistanceMatcher
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

NOISE_M = 10.0


@dataclass(frozen=True)
class Found:
    """Pieces of segments, whole ones: leuvenmapmatching names the edges a track followed."""

    track: np.ndarray
    segment: np.ndarray
    from_m: np.ndarray
    to_m: np.ndarray


def matched(ground: MatchGround, tracks: Tracks) -> Found:
    """Match each track with the library's distance matcher; curved segments are straight lines there, as it draws them.

    Segments are cut at their vertices, so that the shapes agree.
    """
    network = ground.network
    graph = InMemMap("peer", use_latlon=False, use_rtree=True, index_edges=True)
    edges: dict[tuple[int, int], tuple[int, float, float]] = {}
    extra = network.n_nodes
    for node in range(network.n_nodes):
        graph.add_node(node, (network.y[node], network.x[node]))
    for s in range(network.n_segments):
        vertices = shapely.get_coordinates(network.geometry[s])
        x, y = to_metric(vertices[:, 0], vertices[:, 1], network.crs)
        along = np.r_[0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y)))]
        along *= network.length_m[s] / along[-1] if along[-1] > 0 else 0.0
        chain = [int(network.u[s]), *range(extra, extra + len(x) - 2), int(network.v[s])]
        extra += len(x) - 2
        for i, node in enumerate(chain[1:-1], 1):
            graph.add_node(node, (y[i], x[i]))
        for i, (a, b) in enumerate(pairwise(chain)):
            if a != b:
                graph.add_edge(a, b)
                graph.add_edge(b, a)
                edges[a, b], edges[b, a] = (s, along[i], along[i + 1]), (s, along[i + 1], along[i])
    rows = []
    x, y = to_metric(tracks.lon, tracks.lat, network.crs)
    for i in range(len(tracks)):
        part = slice(tracks.indptr[i], tracks.indptr[i + 1])
        matcher = DistanceMatcher(
            graph, max_dist=50.0, obs_noise=NOISE_M, obs_noise_ne=2 * NOISE_M, min_prob_norm=0.001,
            non_emitting_states=True, max_lattice_width=10, dist_noise=NOISE_M,
        )  # fmt: skip
        matcher.match(list(zip(y[part], x[part], strict=True)))
        nodes = matcher.path_pred_onlynodes or []
        rows += [(i, *edges[a, b]) for a, b in pairwise(nodes) if (a, b) in edges]
    columns = [np.array(c) for c in zip(*rows, strict=True)] if rows else [np.empty(0)] * 4
    return Found(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3])
