"""Simulated tracks: walks along real streets, the points a phone would give, and how much of a walk was found again."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import to_lonlat, to_metric
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.reach_ways import ways_between
from gis.search_graph import search_graph
from planner.patrol.tracks.done import Stretches, merged
from planner.patrol.tracks.points import Tracks

Floats = NDArray[np.float64]
#: Share of segments walked half and turned back on.
TURN_SHARE = 0.02
SPEED_SPREAD = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """What was truly walked: stretches of segments, in order, of each track, with the times they end."""

    track: NDArray[np.int64]
    segment: NDArray[np.int32]
    from_m: Floats
    to_m: Floats
    begin_s: Floats
    end_s: Floats


def walks(
    network: StreetNetwork,
    mode: str,
    *,
    count: int,
    metres: float,
    kmh: float,
    rng: np.random.Generator,
    within: NDArray[np.bool_] | None = None,
) -> Walks:
    """Walk ``count`` ways of some ``metres`` from random places: half of them wandering, half from goal to goal.

    A wanderer chooses among the streets at a junction but that it came by (but at dead ends), and now and then turns
    round within a street; the others take the shortest way to a junction 200 to 1,200 m off, again and again.
    within : (n,) nodes to stay at.
    """
    travel = travel_by(network, mode)
    graph = search_graph(network, travel, toward=False)
    stay = np.ones(network.n_nodes, bool) if within is None else within
    parts: list[tuple[int, int, float, float]] = []
    for track in range(count):
        go = _wander if track % 2 == 0 else _from_goal_to_goal
        parts += [(track, s, a, b) for s, a, b in go(network, graph, stay, metres, rng)]
    track, segment = (np.array([p[i] for p in parts]) for i in range(2))
    from_m, to_m = (np.array([p[i] for p in parts], float) for i in (2, 3))
    took_s = np.abs(to_m - from_m) / (kmh / 3.6) * np.exp(SPEED_SPREAD * rng.normal(size=len(parts)))
    done = np.cumsum(took_s)
    first = np.searchsorted(track, np.arange(count))
    begin_s = done - took_s - (done - took_s)[first][track]
    return Walks(track, segment.astype(np.int32), from_m, to_m, begin_s, begin_s + took_s)


def _wander(network, graph, stay, metres, rng):  # type: ignore[no-untyped-def]
    here, came, walked, out = -1, -1, 0.0, []
    for _ in range(10_000):
        if walked >= metres:
            break
        if here < 0:
            here = int(rng.choice(np.flatnonzero(stay)))
        arcs = np.arange(graph.indptr[here], graph.indptr[here + 1])
        arcs = arcs[stay[graph.head[arcs]]]
        onward = arcs[graph.arc_segment[arcs] != came]
        if not len(arcs):
            here = -1
            continue
        arc = rng.choice(onward if len(onward) else arcs)
        s = int(graph.arc_segment[arc])
        length = float(network.length_m[s])
        # of a loop either way round looks alike from its node
        begin, end = (0.0, length) if network.u[s] == here else (length, 0.0)
        both = graph.to_u[s] and graph.to_v[s]
        if both and length > 80 and network.u[s] != network.v[s] and rng.random() < TURN_SHARE:
            middle = begin + (end - begin) * rng.uniform(0.4, 0.9)
            out += [(s, begin, middle), (s, middle, begin)]
            walked += 2 * abs(middle - begin)
        else:
            out.append((s, begin, end))
            walked += length
            here = int(graph.head[arc])
        came = s
    return out


def _from_goal_to_goal(network, graph, stay, metres, rng):  # type: ignore[no-untyped-def]
    out, walked = [], 0.0
    nodes = np.flatnonzero(stay)
    here = int(rng.choice(nodes))
    for _ in range(1000):
        if walked >= metres:
            break
        away = np.hypot(network.x[nodes] - network.x[here], network.y[nodes] - network.y[here])
        goals = nodes[(away > 200) & (away < 1200)]
        if not len(goals):
            here = int(rng.choice(nodes))
            continue
        goal = int(rng.choice(goals))
        way = ways_between(graph, _at(network, here), _at(network, goal))
        if not np.isfinite(way.time_s[0]) or not len(way.segment):
            if not out:
                here = int(rng.choice(nodes))
            continue
        out += list(zip(way.segment.tolist(), way.from_m.tolist(), way.to_m.tolist(), strict=True))
        walked += float(np.abs(way.to_m - way.from_m).sum())
        here = goal
    return out


def _at(network: StreetNetwork, node: int) -> Positions:
    arc = network.indptr[node]
    s = network.arc_segment[arc]
    offset = 0.0 if network.u[s] == node else network.length_m[s]
    return Positions(np.array([s], np.int32), np.array([offset]), np.zeros(1))


def points_of(
    network: StreetNetwork,
    walked: Walks,
    *,
    every_s: tuple[float, float],
    noise_m: float,
    rng: np.random.Generator,
    shift: object = None,
) -> Tracks:
    """Return the points a phone gives: one every ``every_s`` seconds (least, most), each off by Gaussian noise.

    shift : a function of gis.datum that takes (lon, lat) from WGS84 into what the phone uses.
    """
    lines = np.array(
        [shapely.LineString(np.column_stack(to_metric(*shapely.get_coordinates(g).T, network.crs)))
         for g in network.geometry[walked.segment]], object,
    )  # fmt: skip
    n = int(walked.track.max()) + 1
    time_s, row, counts = [], [], []
    for track in range(n):
        first, last = np.searchsorted(walked.track, [track, track + 1])
        whole = walked.end_s[last - 1]
        steps = rng.uniform(*every_s, size=int(whole / every_s[0]) + 2)
        t = np.concatenate([[0.0], np.cumsum(steps)])
        t = t[t <= whole]
        time_s.append(t)
        row.append(first + np.searchsorted(walked.end_s[first:last], t, "left").clip(0, last - first - 1))
        counts.append(len(t))
    t, r = np.concatenate(time_s), np.concatenate(row)
    share = (t - walked.begin_s[r]) / np.maximum(walked.end_s[r] - walked.begin_s[r], 1e-9)
    metres = walked.from_m[r] + share * (walked.to_m[r] - walked.from_m[r])
    length = network.length_m[walked.segment[r]]
    at = shapely.line_interpolate_point(lines[r], np.clip(metres / np.maximum(length, 1e-9), 0, 1), normalized=True)
    x = shapely.get_x(at) + rng.normal(0, noise_m, len(t))
    y = shapely.get_y(at) + rng.normal(0, noise_m, len(t))
    lon, lat = to_lonlat(x, y, network.crs)
    if shift is not None:
        lon, lat = shift(lon, lat)  # type: ignore[operator]
    name = np.array([f"T{i}" for i in range(n)], object)
    return Tracks(name, name, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), lon, lat, t)


def compare(truth, found) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    """Return (walked, right, false) metres; every passage of every metre counts.

    truth, found : each (track, segment, from_m, to_m). Of a metre walked a times and found b times, the lesser of both
    is right and what b exceeds a by is false.
    """
    at = np.concatenate([np.column_stack([p[0], p[1]]) for p in (truth, found)]).astype(np.int64)
    low = np.concatenate([np.minimum(p[2], p[3]) for p in (truth, found)])
    high = np.concatenate([np.maximum(p[2], p[3]) for p in (truth, found)])
    side = np.repeat([0, 1], [len(truth[0]), len(found[0])])
    _, key = np.unique(at, axis=0, return_inverse=True)
    key = key.ravel()
    ends = np.concatenate([low, high])
    turn = np.concatenate([np.ones(len(low)), -np.ones(len(high))])
    k, sides = np.tile(key, 2), np.tile(side, 2)
    order = np.lexsort((ends, k))
    k, ends, turn, sides = k[order], ends[order], turn[order], sides[order]
    a, b = np.cumsum(turn * (sides == 0)), np.cumsum(turn * (sides == 1))
    span = np.where(k[1:] == k[:-1], np.diff(ends), 0.0)
    return (
        float((np.round(a[:-1]) * span).sum()),
        float((np.minimum(a[:-1], b[:-1]) * span).sum()),
        float((np.maximum(b[:-1] - a[:-1], 0) * span).sum()),
    )


def once(stretches):  # type: ignore[no-untyped-def]
    """Return (track, segment, from_m, to_m) with every metre of a segment once a track, however often it was passed."""
    track, segment, from_m, to_m = stretches
    keys, line = np.unique(np.column_stack([track, segment]), axis=0, return_inverse=True)
    whole = merged(Stretches(line.ravel(), np.minimum(from_m, to_m), np.maximum(from_m, to_m)))
    return keys[whole.line, 0], keys[whole.line, 1], whole.from_m, whole.to_m
