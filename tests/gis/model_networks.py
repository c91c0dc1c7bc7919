"""Small networks for the kernels' tests, and an independent model of them: every place a node of a networkx graph."""

from itertools import pairwise

import networkx as nx
import numpy as np
from shapely import LineString

from gis.crs import to_lonlat
from gis.modes import Travel
from gis.network import Positions, StreetNetwork, arcs_of

CRS = "EPSG:4549"
CENTRE = (500_000.0, 3_550_000.0)


def network_of(xy, u, v, length_m=None, oneway=None, street_class=None) -> StreetNetwork:
    """Make a network of straight segments (bulging where a loop) between nodes ``xy`` (n, 2) metres from the centre."""
    at = np.asarray(xy, np.float64).reshape(-1, 2) + CENTRE
    u, v = np.asarray(u, np.int32), np.asarray(v, np.int32)
    m = len(u)
    bulge = [[(40.0, 30.0), (-40.0, 30.0)] if a == b else [] for a, b in zip(u, v, strict=True)]
    lines = [np.array([at[a], *(at[a] + k for k in ks), at[b]]) for a, b, ks in zip(u, v, bulge, strict=True)]
    drawn = np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in lines])
    geometry = np.empty(m, object)
    geometry[:] = [LineString(np.column_stack(to_lonlat(line[:, 0], line[:, 1], CRS))) for line in lines]
    lon, lat = to_lonlat(at[:, 0], at[:, 1], CRS)
    return StreetNetwork(
        node_id=np.arange(len(at), dtype=np.int64) + 1000,
        lon=np.asarray(lon),
        lat=np.asarray(lat),
        x=at[:, 0],
        y=at[:, 1],
        crs=CRS,
        segment_id=np.arange(m, dtype=np.int64) + 1,
        u=u,
        v=v,
        length_m=drawn if length_m is None else np.asarray(length_m, np.float64),
        oneway=np.zeros(m, np.int8) if oneway is None else np.asarray(oneway, np.int8),
        street_class=np.array([""] * m if street_class is None else street_class, object),
        name=np.array([f"street {i}" for i in range(m)], object),
        free_kmh=np.full(m, np.nan),
        geometry=geometry,
        **dict(zip(("indptr", "head", "arc_segment", "arc_forward"), arcs_of(u, v, len(at)), strict=True)),
    )


def positions_at(segment, offset_m, gap_m=0.0) -> Positions:
    segment = np.atleast_1d(np.asarray(segment, np.int32))
    offset_m = np.broadcast_to(np.asarray(offset_m, np.float64), segment.shape)
    return Positions(segment, offset_m.copy(), np.broadcast_to(np.asarray(gap_m, np.float64), segment.shape).copy())


def scattered(network: StreetNetwork, rng: np.random.Generator, count: int) -> Positions:
    """Scatter points over segments, some in the same place, some at ends, the last one unsnapped."""
    segment = rng.integers(0, network.n_segments, count)
    offset_m = network.length_m[segment] * rng.choice([0, 1, 0.25, 0.5, rng.random()], count)
    gap_m = rng.choice([0.0, 0.0, 7.5, 40.0], count)
    segment[-1], offset_m[-1], gap_m[-1] = -1, np.nan, 900.0
    return positions_at(segment, offset_m, gap_m)


def random_network(seed: int, n: int = 30, m: int = 55, *, whole: bool = False) -> StreetNetwork:
    """Make a random network with loops, parallels, one-ways, motorways, zero lengths and several components."""
    rng = np.random.default_rng(seed)
    u, v = rng.integers(0, n, m), rng.integers(0, n, m)
    v[:2], u[2], v[2] = u[:2], u[3], v[3]
    length_m = rng.integers(0, 12, m) * 25.0 if whole else rng.choice([0.0, 1.0, 1.0, 1.0], m) * rng.uniform(5, 300, m)
    length_m[4] = 22_000.0
    classes = rng.choice(["residential", "primary", "footway", "motorway"], m, p=[0.6, 0.2, 0.12, 0.08])
    oneway = rng.choice([0, 0, 1, -1], m)
    return network_of(rng.uniform(0, 900, (n, 2)), u, v, length_m, oneway, classes)


def every_place(network: StreetNetwork, travel: Travel, points: Positions, places: Positions, *, toward: bool):
    """Return a networkx graph in which every point ("point", k), place ("place", k) and junction ("node", i) is a node.

    Travel runs along edges ``seconds``, from the places to the points (``toward``) or the other way round; points and
    places are leaves. Whoever stands at a segment's very end stands on the junction there.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(("node", i) for i in range(network.n_nodes))

    def join(a, b, seconds):
        if seconds < graph.get_edge_data(a, b, {"seconds": np.inf})["seconds"]:
            graph.add_edge(a, b, seconds=seconds)

    offsets: dict[int, set[float]] = {s: set() for s in range(network.n_segments)}
    for kind, some, leaves in (("point", points, not toward), ("place", places, toward)):
        for k, (s, x) in enumerate(zip(some.segment.tolist(), some.offset_m.tolist(), strict=True)):
            graph.add_node((kind, k))
            if s < 0 or np.isinf(travel.seconds_per_m[s]):
                continue
            offsets[s].add(x)
            walk_s = some.gap_m[k] * travel.approach_s_per_m if kind == "point" else 0.0
            for stop in stops_at(network, s, x):
                join(*(((kind, k), stop) if leaves else (stop, (kind, k))), walk_s)
    for s, inside in offsets.items():
        ends = (0.0, float(network.length_m[s]))
        chain = [(x, stop) for x in sorted(inside - set(ends)) for stop in stops_at(network, s, x)]
        chain = [(ends[0], ("node", int(network.u[s]))), *chain, (ends[1], ("node", int(network.v[s])))]
        for (x, a), (y, b) in pairwise(chain):
            if travel.forward[s]:
                join(a, b, (y - x) * travel.seconds_per_m[s])
            if travel.backward[s]:
                join(b, a, (y - x) * travel.seconds_per_m[s])
    return graph


def stops_at(network: StreetNetwork, s: int, x: float) -> list[tuple]:
    ends = [("node", int(n)) for n, at in ((network.u[s], 0), (network.v[s], network.length_m[s])) if x == at]
    return ends or [("at", s, x)]


def seconds_between(graph: nx.DiGraph, points: Positions, *, toward: bool) -> list[dict[tuple, float]]:
    """Return per point the seconds to it (``toward``) or from it for every node of ``every_place``, by networkx."""
    searched = graph.reverse(copy=False) if toward else graph
    begins = [("point", k) for k in range(len(points))]
    return [nx.single_source_dijkstra_path_length(searched, begin, weight="seconds") for begin in begins]


def one(positions: Positions, i: int) -> Positions:
    return chosen(positions, slice(i, i + 1))


def chosen(positions: Positions, which) -> Positions:
    return Positions(positions.segment[which], positions.offset_m[which], positions.gap_m[which])


def seconds_table(graph: nx.DiGraph, points: Positions, kind: str, count: int, *, toward: bool) -> np.ndarray:
    """Return (count, k) seconds between every junction ("node") or place ("place") and every point."""
    found = seconds_between(graph, points, toward=toward)
    return np.array([[of.get((kind, i), np.inf) for of in found] for i in range(count)]).reshape(count, len(points))
