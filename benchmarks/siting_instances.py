"""Seeded siting instances on street-like networks: candidates and demand at random junctions, times on foot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.street_like import street_like
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.reach import time_matrix
from gis.search_graph import search_graph

#: People at one place of demand, drawn evenly from these.
FEWEST, MOST = 1, 20
#: 1,250 m at 4.5 km/h.
LIMIT_S = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """m candidates and d places of demand.

    seconds : (m, d) sparse walking times within the cutoff. weight : (d,) people. x, y : (d,) metres, of the demand.
    """

    seconds: csr_array
    weight: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def street_instance(
    n_nodes: int, n_candidates: int, n_demand: int, *, seed: int = 1, cutoff_s: float = LIMIT_S
) -> Instance:
    """Draw ``n_candidates`` and ``n_demand`` distinct junctions of a street-like network of ``n_nodes``."""
    rng = np.random.default_rng(seed)
    network = street_like(n_nodes, seed)
    graph = search_graph(network, travel_by(network, "walk"))
    candidate = np.sort(rng.choice(n_nodes, n_candidates, replace=False))
    demand = np.sort(rng.choice(n_nodes, n_demand, replace=False))
    weight = rng.integers(FEWEST, MOST + 1, n_demand).astype(np.float64)
    seconds = time_matrix(graph, at_nodes(network, candidate), at_nodes(network, demand), cutoff_s)
    return Instance(seconds, weight, network.x[demand], network.y[demand])


def at_nodes(network: StreetNetwork, node: NDArray[np.int64]) -> Positions:
    """Return positions at junctions: each on the first segment that ends there."""
    segment = network.arc_segment[network.indptr[node]]
    offset_m = np.where(network.u[segment] == node, 0.0, network.length_m[segment])
    return Positions(segment, offset_m, np.zeros(len(node)))
