"""Map matching once more, slowly and plainly: networkx for the ways, dictionaries for Viterbi's recursion."""

import math

import networkx as nx
import numpy as np

from gis.network import StreetNetwork
from gis.places import Places
from planner.patrol.tracks.matching_kernels import BACK, BEAM, MOST_DELAY, REACH, SPREAD, SPREAD_M, TURN, Rules

State = tuple[int, int]


def way_graph(network: StreetNetwork, forward: np.ndarray, backward: np.ndarray) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for s in range(network.n_segments):
        for a, b, may in ((network.u[s], network.v[s], forward[s]), (network.v[s], network.u[s], backward[s])):
            metres = float(network.length_m[s])
            if may and metres < graph.get_edge_data(a, b, {"metres": math.inf})["metres"]:
                graph.add_edge(a, b, metres=metres)
    return graph


def loss(way_m: float, straight_m: float, usual_m: float, beta_m: float) -> float:
    off = (way_m - usual_m) / math.hypot(SPREAD * usual_m, SPREAD_M)
    pace = 2 * off - 2 if off > 2 else min(off**2 / 2, MOST_DELAY)
    return abs(way_m - straight_m) / beta_m + pace


class PlainMatching:
    """The model of one track: looks (l, 2) metres, their times and variances, the pace, and the ground."""

    def __init__(self, network, places: Places, forward, backward, rules: Rules, looks, time_s, variance, pace) -> None:
        self.network, self.places, self.rules = network, places, rules
        self.forward, self.backward = forward, backward
        self.looks, self.time_s, self.variance, self.pace = looks, time_s, variance, pace
        self.ways_by_node = dict(nx.all_pairs_dijkstra(way_graph(network, forward, backward), weight="metres"))
        leaving = [*network.u[forward].tolist(), *network.v[backward].tolist()]
        self.choice = [math.log(max(leaving.count(n) - 1, 1)) for n in range(network.n_nodes)]

    def seen(self, j: int) -> list[int]:
        away = np.hypot(self.places.x - self.looks[j, 0], self.places.y - self.looks[j, 1])
        return np.flatnonzero(away <= REACH * math.sqrt(self.variance[j])).tolist()

    def sight(self, j: int, p: int) -> float:
        away = (self.places.x[p] - self.looks[j, 0]) ** 2 + (self.places.y[p] - self.looks[j, 1]) ** 2
        return -0.5 * float(away) / float(self.variance[j])

    def ways(self, p: int, q: int):
        """Yield (metres, end left by or None for staying, end headed for or None, price of junctions) of ways."""
        s, t = self.places.segment[p], self.places.segment[q]
        along, goal = self.places.offset_m[p], self.places.offset_m[q]
        length, goal_length = self.network.length_m[s], self.network.length_m[t]
        ahead = goal - along
        if s == t and (ahead == 0 or (abs(ahead) <= self.rules.still_m and not
                                      (self.forward[s] if ahead > 0 else self.backward[s]))):  # fmt: skip
            yield 0.0, None, None, 0.0
        elif s == t and ahead > 0 and self.forward[s]:
            yield ahead, 1, 1, 0.0
        elif s == t and ahead < 0 and self.backward[s]:
            yield -ahead, 0, 0, 0.0
        for out, node, out_m, may in (
            (0, self.network.u[s], along, self.backward[s] or along == 0),
            (1, self.network.v[s], length - along, self.forward[s] or along == length),
        ):
            for into, gate, in_m, allowed in (
                (1, self.network.u[t], goal, self.forward[t] or goal == 0),
                (0, self.network.v[t], goal_length - goal, self.backward[t] or goal == goal_length),
            ):
                metres, nodes = self.ways_by_node[node]
                if may and allowed and gate in metres:
                    price = sum(self.choice[n] for n in nodes[gate])
                    if s == t and into != out and self.choice[node] > 0:
                        price += BACK
                    yield out_m + metres[gate] + in_m, out, into, price

    def best(self, allowed: dict[int, list[int]] | None = None) -> float:
        """Return the log likelihood of the likeliest places of all looks; -inf where no way joins them."""
        value: dict[State, float] = {}
        for j in range(len(self.looks)):
            fresh: dict[State, float] = {}
            for q in (allowed or {}).get(j, self.seen(j)):
                for end in range(2):
                    gain = 0.0 if j == 0 else self.reach(value, j, q, end)
                    if gain > -math.inf:
                        fresh[q, end] = gain + self.sight(j, q)
            best = max(fresh.values(), default=0.0)
            top = {q: max(v for (p, _), v in fresh.items() if p == q) for q, _ in fresh}
            value = {(q, end): v for (q, end), v in fresh.items() if top[q] >= best - BEAM}
        return max(value.values(), default=-math.inf)

    def reach(self, value: dict[State, float], j: int, q: int, end: int) -> float:
        straight_m = float(np.hypot(*(self.looks[j] - self.looks[j - 1])))
        limit_m = 2 * straight_m + self.rules.detour_m
        usual_m = self.pace * (self.time_s[j] - self.time_s[j - 1])
        best = -math.inf
        for (p, heading), before in value.items():
            apart = math.hypot(self.places.x[p] - self.places.x[q], self.places.y[p] - self.places.y[q])
            for way_m, out, into, price in self.ways(p, q):
                if (heading if into is None else into) != end or way_m > limit_m:
                    continue
                turn = TURN if out is not None and out != heading else 0.0
                best = max(best, before - turn - price - loss(way_m, apart, usual_m, self.rules.beta_m))
        return best
