"""Street-like networks of any size: a seeded lattice of jittered junctions, thinned like a real town."""

import geopandas as gpd
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from gis.network import StreetNetwork, arcs_of

SPACING_M = 75.0
#: Segments per junction in the drivable network of a large Chinese city (Nanjing: 1.48).
SEGMENTS_PER_NODE = 1.43


def street_like(n_nodes: int, seed: int = 1) -> StreetNetwork:
    """Make a connected network of ``n_nodes``: denser towards the centre, with dead ends, bends and long ways round.

    Nodes lie on a jittered lattice and are numbered along a Hilbert curve; a random spanning tree and random further
    lattice edges are its segments. Straight geometry is left out (``None``): only reach is measured on it.
    """
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n_nodes)))
    column, row = np.arange(n_nodes) % side, np.arange(n_nodes) // side
    xy = np.column_stack([column, row]) + rng.uniform(-0.4, 0.4, (n_nodes, 2))
    from_centre = xy - xy.mean(axis=0)
    radius = np.hypot(*from_centre.T)
    xy = from_centre * (0.55 + 0.75 * radius / radius.max())[:, None] * SPACING_M

    right = np.flatnonzero((column < side - 1) & (np.arange(n_nodes) + 1 < n_nodes))
    above = np.arange(max(n_nodes - side, 0))
    u = np.concatenate([right, above])
    v = np.concatenate([right + 1, above + side])
    kept = _thinned(u, v, n_nodes, rng)
    u, v = u[kept], v[kept]
    length_m = np.hypot(*(xy[u] - xy[v]).T) * rng.uniform(1.0, 1.25, len(u))

    place = np.empty(n_nodes, np.int64)
    order = np.argsort(gpd.GeoSeries.from_xy(*xy.T).hilbert_distance().to_numpy(), kind="stable")
    place[order] = np.arange(n_nodes)
    return _network(xy[order], place[u].astype(np.int32), place[v].astype(np.int32), length_m)


def _thinned(u: np.ndarray, v: np.ndarray, n_nodes: int, rng: np.random.Generator) -> np.ndarray:
    """Choose segments: a random spanning tree, then others until there are enough per junction."""
    tree = minimum_spanning_tree(coo_array((rng.uniform(1, 2, len(u)), (u, v)), shape=(n_nodes, n_nodes)).tocsr())
    tail, head = tree.nonzero()
    in_tree = np.isin(u * n_nodes + v, tail.astype(np.int64) * n_nodes + head)
    rest = rng.permutation(np.flatnonzero(~in_tree))
    return np.sort(np.concatenate([np.flatnonzero(in_tree), rest[: int(SEGMENTS_PER_NODE * n_nodes) - in_tree.sum()]]))


def _network(xy: np.ndarray, u: np.ndarray, v: np.ndarray, length_m: np.ndarray) -> StreetNetwork:
    order = np.lexsort((np.maximum(u, v), np.minimum(u, v)))
    u, v, length_m = u[order], v[order], length_m[order]
    n, m = len(xy), len(u)
    indptr, head, arc_segment, arc_forward = arcs_of(u, v, n)
    lon, lat = 118.8 + xy[:, 0] / 95_000, 32.05 + xy[:, 1] / 111_000
    blank = np.full(m, "", object)
    return StreetNetwork(
        node_id=np.arange(n), lon=lon, lat=lat, x=xy[:, 0], y=xy[:, 1], crs="EPSG:4549", segment_id=np.arange(m),
        u=u, v=v, length_m=length_m, oneway=np.zeros(m, np.int8), street_class=blank, name=blank,
        free_kmh=np.full(m, np.nan), geometry=np.full(m, None, object),
        indptr=indptr, head=head, arc_segment=arc_segment, arc_forward=arc_forward,
    )  # fmt: skip
