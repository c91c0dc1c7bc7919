"""A network seen by one mode of travel: the arcs a search may follow, with their seconds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.modes import Travel
from gis.network import Positions, StreetNetwork


@dataclass(frozen=True, slots=True, eq=False)
class SearchGraph:
    """The arcs open to a search over n nodes and m segments, in compressed sparse rows.

    indptr (n + 1,), head (a,), seconds (a,) finite >= 0, arc_segment (a,): arcs out of each node, in search order.
    toward : True where the search grows from the points and measures the way *to* them (arcs are travelled against
        the search); False where it measures the way *from* them.
    u, v, length_m, seconds_per_m : (m,) of every segment, ``seconds_per_m`` ``inf`` where closed.
    to_u, to_v : (m,) whether, from a position inside the segment, the search's subject may pass along it to u, to v:
        with ``toward`` the walker leaves over that end; without it, the walker has come in over that end.
        A search that starts at a point inside a segment may therefore seed u where ``to_v``, and v where ``to_u``.
    approach_s_per_m : seconds per straight metre between a point and its segment.
    """

    indptr: NDArray[np.int32]
    head: NDArray[np.int32]
    seconds: NDArray[np.float64]
    arc_segment: NDArray[np.int32]
    toward: bool
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    length_m: NDArray[np.float64]
    seconds_per_m: NDArray[np.float64]
    to_u: NDArray[np.bool_]
    to_v: NDArray[np.bool_]
    approach_s_per_m: float

    @property
    def n_nodes(self) -> int:
        """Count of nodes."""
        return len(self.indptr) - 1


def search_graph(network: StreetNetwork, travel: Travel, *, toward: bool = True) -> SearchGraph:
    """Keep the arcs of ``network`` that ``travel`` may pass, oriented for a search.

    toward : True to measure the way to the points searched from ("how far is help?"), False for the way from them
        ("how soon is the car there?").
    """
    travelled_forward = network.arc_forward ^ toward  # a search that runs backwards follows arcs against travel
    open_ = np.where(travelled_forward, travel.forward[network.arc_segment], travel.backward[network.arc_segment])
    kept = np.concatenate([[0], np.cumsum(open_)])
    segment = network.arc_segment[open_]
    forward, backward = (travel.forward, travel.backward) if toward else (travel.backward, travel.forward)
    return SearchGraph(
        indptr=kept[network.indptr].astype(np.int32),
        head=network.head[open_],
        seconds=travel.seconds_per_m[segment] * network.length_m[segment],
        arc_segment=segment,
        toward=toward,
        u=network.u,
        v=network.v,
        length_m=network.length_m,
        seconds_per_m=travel.seconds_per_m,
        to_u=backward,
        to_v=forward,
        approach_s_per_m=travel.approach_s_per_m,
    )


def start_seconds(graph: SearchGraph, positions: Positions) -> NDArray[np.float64]:
    """Return the (k,) seconds between each point and its place on the network; ``inf`` where unsnapped or closed."""
    placed = positions.segment >= 0
    open_ = np.isfinite(graph.seconds_per_m[np.where(placed, positions.segment, 0)]) if len(graph.u) else placed
    return np.where(placed & open_, positions.gap_m * graph.approach_s_per_m, np.inf)
