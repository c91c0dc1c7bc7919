"""What is timed and against whom: each contest is one question, our answer, its peers', and how far they agree."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from benchmarks.measure import silent
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.reach import catchments, nearest
from gis.reach_every import reached_total
from gis.search_graph import SearchGraph, search_graph
from gis.street_pieces import StreetPieces
from planner.access import enhanced
from planner.coverage_update import LiveCoverage

LIMIT_S = 900.0
POINTS = 1000
#: Sources per call of peers that answer with a dense table.
AT_ONCE = 50

Call = Callable[[], Any]


@dataclass(frozen=True)
class City:
    """A network to compete on, with 1,000 points (fewer in a small town) that stand at junctions."""

    name: str
    network: StreetNetwork

    @cached_property
    def graph(self) -> SearchGraph:
        """Walking towards the points."""
        return search_graph(self.network, travel_by(self.network, "walk"))

    @cached_property
    def points(self) -> Positions:
        """Points at the u end of segments drawn at random, no two at one junction."""
        rng = np.random.default_rng(2)
        _, first = np.unique(self.network.u, return_index=True)
        open_ = first[np.isfinite(self.graph.seconds_per_m[first])]
        segment = np.sort(rng.choice(open_, min(POINTS, len(open_) // 20), replace=False)).astype(np.int32)
        return Positions(segment, np.zeros(len(segment)), np.zeros(len(segment)))

    @cached_property
    def nodes(self) -> NDArray[np.int32]:
        """Junctions of the points."""
        return self.network.u[self.points.segment]

    @cached_property
    def edges(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """Each pair of junctions joined once: (u, v, seconds), the cheapest of parallels, no loops."""
        graph = self.graph
        a, b = np.minimum(graph.u, graph.v), np.maximum(graph.u, graph.v)
        seconds = graph.seconds_per_m * graph.length_m
        order = np.lexsort((seconds, b, a))
        order = order[(a[order] != b[order]) & np.isfinite(seconds[order])]
        first = np.r_[True, (np.diff(a[order]) != 0) | (np.diff(b[order]) != 0)]
        kept = order[first]
        return a[kept], b[kept], np.maximum(seconds[kept], 1e-9)  # scipy takes a stored zero for no edge

    @cached_property
    def matrix(self) -> csr_array:
        """The edges both ways, for scipy."""
        u, v, seconds = self.edges
        n = self.network.n_nodes
        both = (np.concatenate([u, v]), np.concatenate([v, u]))
        return coo_array((np.concatenate([seconds, seconds]), both), shape=(n, n)).tocsr()

    @cached_property
    def pandana(self) -> Any:
        """The network in pandana, preprocessed."""
        import pandana

        u, v, seconds = self.edges
        index = pd.RangeIndex(self.network.n_nodes)
        x, y = pd.Series(self.network.x, index), pd.Series(self.network.y, index)
        begin_s = time.process_time()
        with silent():
            made = pandana.Network(x, y, pd.Series(u), pd.Series(v), pd.DataFrame({"seconds": seconds}), twoway=True)
        print(f"  (pandana prepares the network: {time.process_time() - begin_s:.1f} s, once)")
        return made


@dataclass(frozen=True)
class Contest:
    """One question to time.

    peers : by name, made on demand (a missing library raises ImportError); ``asked`` : peer and how many times as long
    it must take, or None; ``at_most_s`` : or our own time must not exceed this. differ : the largest difference of a
    peer's answer from ours, and ``close`` how much is allowed, by peer (None: only shown).
    """

    task: str
    ours: Call
    peers: dict[str, Callable[[], Call]]
    asked: tuple[str, float] | None = None
    at_most_s: float | None = None
    per_call: int = 1
    differ: Callable[[Any, Any], float] | None = None
    close: dict[str, float | None] = field(default_factory=dict)


def contests(city: City) -> dict[str, Callable[[], Contest]]:
    """Return the makers of all contests by short name."""
    return {
        "nearest": lambda: nearest_point(city),
        "catchments": lambda: within_limit(city),
        "every": lambda: within_limit_of_every_node(city),
        "update": lambda: one_change(city),
        "access": floating_catchment,
    }


def nearest_point(city: City) -> Contest:
    """Time to the nearest point for every node, against one multi-source search of each library."""
    n, nodes = city.network.n_nodes, city.nodes
    u, v, seconds = city.edges

    def with_igraph() -> Call:
        import igraph

        ends = np.column_stack([np.r_[u, np.full(len(nodes), n)], np.r_[v, nodes]])
        rooted = igraph.Graph(n=n + 1, edges=ends)
        weights = [*seconds.tolist(), *[0.0] * len(nodes)]
        return lambda: np.array(rooted.distances(source=[n], weights=weights)[0])[:n]

    def with_networkit() -> Call:
        import networkit

        ends = np.r_[u, np.full(len(nodes), n)].astype(np.uint64), np.r_[v, nodes].astype(np.uint64)
        rooted = networkit.GraphFromCoo((np.r_[seconds, np.zeros(len(nodes))], ends), n=n + 1, weighted=True)

        def search() -> NDArray[np.float64]:
            found = networkit.distance.Dijkstra(rooted, n, storePaths=False)
            found.run()
            times = np.array(found.getDistances(asarray=True))[:n]
            return np.where(times > 1e300, np.inf, times)

        return search

    def with_pandana() -> Call:
        streets = city.pandana
        x, y = pd.Series(city.network.x[nodes]), pd.Series(city.network.y[nodes])

        def search() -> NDArray[np.float64]:
            streets.set_pois("points", maxdist=LIMIT_S, maxitems=1, x_col=x, y_col=y)
            times = streets.nearest_pois(LIMIT_S, "points", num_pois=1)[1].to_numpy()
            return np.where(times >= LIMIT_S, np.nan, times)  # it looks no farther than the limit

        return search

    return Contest(
        f"nearest of {len(nodes):,} points for every node",
        lambda: nearest(city.graph, city.points).time_s,
        {
            "scipy": lambda: lambda: dijkstra(city.matrix, indices=nodes, min_only=True),
            "igraph": with_igraph,
            "networkit": with_networkit,
            "pandana (to 15 min)": with_pandana,
        },
        asked=("scipy", 2.0),
        differ=_largest_difference,
        close={"scipy": 1e-6, "igraph": 1e-6, "networkit": 1e-6, "pandana (to 15 min)": None},
    )


def _largest_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Compare where the peer answers (not NaN); one infinite and the other not is an infinite difference."""
    known = ~np.isnan(theirs) & ~(ours == theirs)
    return float(np.abs(ours[known] - theirs[known]).max(initial=0.0))


def within_limit(city: City) -> Contest:
    """Nodes within 15 minutes of each point, with their times."""

    def with_scipy() -> Call:
        def search() -> NDArray[np.int64]:
            parts = np.split(city.nodes, range(AT_ONCE, len(city.nodes), AT_ONCE))
            found = [np.isfinite(dijkstra(city.matrix, indices=part, limit=LIMIT_S)).sum(axis=1) for part in parts]
            return np.concatenate(found)

        return search

    def with_pandana() -> Call:
        streets, wanted = city.pandana, city.nodes.tolist()

        def search() -> NDArray[np.int64]:
            found = streets.nodes_in_range(wanted, LIMIT_S)
            return found.groupby("source", sort=False).size().reindex(wanted).to_numpy()

        return search

    peers: dict[str, Callable[[], Call]] = {"pandana": with_pandana}
    if city.network.n_nodes <= 200_000:
        peers["scipy"] = with_scipy
    return Contest(
        f"15-minute catchments of {len(city.nodes):,} points",
        lambda: np.diff(catchments(city.graph, city.points, LIMIT_S).indptr),
        peers,
        asked=("pandana", 20.0),
        differ=lambda ours, theirs: float(np.abs(ours - theirs).max(initial=0)),
        close={"scipy": 0, "pandana": None},
    )


def within_limit_of_every_node(city: City) -> Contest:
    """People within 15 minutes of every node."""
    people = np.random.default_rng(3).integers(0, 100, city.network.n_nodes).astype(np.float64)

    def with_pandana() -> Call:
        streets = city.pandana
        streets.set(pd.Series(np.arange(len(people))), pd.Series(people), name="people")
        return lambda: streets.aggregate(LIMIT_S, type="sum", decay="flat", name="people").to_numpy()

    return Contest(
        "people within 15 minutes of every node",
        lambda: reached_total(city.graph, people, LIMIT_S),
        {"pandana": with_pandana},
        asked=("pandana", 2.0),
        differ=lambda ours, theirs: float(np.abs(ours - theirs).max(initial=0)),
        close={"pandana": None},
    )


def one_change(city: City) -> Contest:
    """Add, move or close one point and add up 200 subdistricts again, against doing all of it again."""
    network, graph, changes = city.network, city.graph, 60
    rng = np.random.default_rng(4)
    column = np.searchsorted(np.quantile(network.x, np.linspace(0, 1, 21)[1:-1]), network.x[network.u])
    row = np.searchsorted(np.quantile(network.y, np.linspace(0, 1, 11)[1:-1]), network.y[network.u])
    whole = np.arange(network.n_segments, dtype=np.int32)
    area = {"subdistrict": (row * 20 + column).astype(np.int32)}
    pieces = StreetPieces(whole, np.zeros(len(whole)), network.length_m, area)
    people_per_m = rng.uniform(0, 1, len(whole))

    def anew(points: Positions) -> LiveCoverage:
        return LiveCoverage(graph, points, pieces, "subdistrict", 200, people_per_m, (300.0, 600.0, 900.0))

    live = anew(city.points)

    def somewhere() -> Positions:
        segment = rng.integers(0, network.n_segments, 1).astype(np.int32)
        return Positions(segment, rng.uniform(0, network.length_m[segment]), np.zeros(1))

    def change() -> NDArray[np.float64]:
        for i in range(changes):
            open_points = np.flatnonzero(live.positions.segment >= 0)
            if i % 3 == 0:
                live.add(somewhere())
            elif i % 3 == 1:
                live.move(int(rng.choice(open_points)), somewhere())
            else:
                live.close(int(rng.choice(open_points)))
        return np.concatenate([live.street_m, live.people])

    def again() -> NDArray[np.float64]:
        found = anew(live.positions)
        return np.concatenate([found.street_m, found.people])

    return Contest(
        "change one point, add up 200 subdistricts",
        change,
        {"doing it all again": lambda: again},
        at_most_s=0.005 if network.n_nodes <= 200_000 else 0.010,
        per_call=changes,
        differ=lambda ours, theirs: float(np.abs(ours - theirs).max()),
        close={"doing it all again": 0.0},
    )


def floating_catchment() -> Contest:
    """E2SFCA on 300,000 pairs."""
    rng = np.random.default_rng(5)
    places, points, pairs = 10_000, 500, 300_000
    cell = np.sort(rng.choice(places * points, pairs, replace=False))
    seconds = rng.uniform(0, 1000, pairs)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(cell // points, minlength=places))])
    matrix = csr_array((seconds, cell % points, indptr), shape=(places, points))
    need, capacity = rng.uniform(1, 500, places), rng.uniform(1, 60, points)

    def with_pysal() -> Call:
        from access import Access, weights

        step = weights.step_fn({300: 1, 600: 0.68, 900: 0.22})
        ids = {"demand_index": "id", "supply_index": "id", "demand_value": "need", "supply_value": "beds"}
        costs = {"cost_origin": "origin", "cost_dest": "dest", "cost_name": "cost"}
        pysal = Access(
            demand_df=pd.DataFrame({"id": np.arange(places), "need": need}),
            supply_df=pd.DataFrame({"id": np.arange(points), "beds": capacity}),
            cost_df=pd.DataFrame({"origin": cell // points, "dest": cell % points, "cost": seconds}),
            **ids,
            **costs,
        )
        pysal.log.setLevel(logging.ERROR)

        def score() -> NDArray[np.float64]:
            table = pysal.enhanced_two_stage_fca(name="e2sfca", weight_fn=step)
            return table["e2sfca_beds"].reindex(np.arange(places)).fillna(0).to_numpy()

        return score

    return Contest(
        "E2SFCA on 300,000 pairs",
        lambda: enhanced(matrix, need, capacity, (300, 600, 900)).score,
        {"PySAL access": with_pysal},
        asked=("PySAL access", 50.0),
        differ=lambda ours, theirs: float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-300)).max()),
        close={"PySAL access": 1e-12},
    )
