"""Compiled searches that keep several points apart: k nearest, catchments, times between points and targets."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.network import Positions
from gis.reach_kernels import holds, new_queue, spread, spread_beside
from gis.search_graph import SearchGraph, start_seconds


@njit(cache=True)
def _next_seeds(indptr, head, seconds, seed_node, seed_s, seed_source, time_s, source, limit_s):  # type: ignore[no-untyped-def]
    """Return (node, seconds, source) of points that meet a node whose earlier columns lack them.

    time_s, source : (n, j) the j nearest found so far. The next nearest of a node comes from one of its own seeds,
    from among a neighbour's first j, or along a way that starts with one of these.
    """
    node, out_s, who = np.empty(0, np.int32), np.empty(0, np.float64), np.empty(0, np.int32)
    for fill in range(2):
        count = 0
        for i in range(seed_node.size):
            if not holds(source, seed_node[i], seed_source[i]):
                if fill:
                    node[count], out_s[count], who[count] = seed_node[i], seed_s[i], seed_source[i]
                count += 1
        for u in range(indptr.size - 1):
            for j in range(source.shape[1]):
                if source[u, j] < 0:
                    break
                for a in range(indptr[u], indptr[u + 1]):
                    v = head[a]
                    reached = time_s[u, j] + seconds[a]
                    if reached <= limit_s and not holds(source, v, source[u, j]):
                        if fill:
                            node[count], out_s[count], who[count] = v, reached, source[u, j]
                        count += 1
        if not fill:
            node, out_s, who = np.empty(count, np.int32), np.empty(count, np.float64), np.empty(count, np.int32)
    return node, out_s, who


@njit(cache=True)
def nearest_in_turn(indptr, head, seconds, seed_node, seed_s, seed_source, k, limit_s, width_s):  # type: ignore[no-untyped-def]
    """Return (time_s, source), each (n, k): the nearest, then the nearest of the others, and so on, k times.

    One search a column: each is barred from the points a node already has, and starts where these meet their limits.
    """
    n = indptr.size - 1
    all_s = np.full((n, k), np.inf)
    all_source = np.full((n, k), -1, np.int32)
    touched = np.empty(n, np.int32)
    queue = new_queue(1024)
    node, begin_s, who = seed_node, seed_s, seed_source
    for j in range(k):
        taken = all_source[:, :j].copy()
        if j > 0:
            node, begin_s, who = _next_seeds(
                indptr, head, seconds, seed_node, seed_s, seed_source, all_s[:, :j].copy(), taken, limit_s
            )
        if node.size == 0:
            break
        time_s = np.full(n, np.inf)
        source = np.full(n, -1, np.int32)
        _, queue = spread_beside(
            indptr, head, seconds, node, begin_s, who, np.int64(0), node.size, limit_s, width_s, time_s, source,
            touched, taken, queue,
        )  # fmt: skip
        for v in range(n):
            all_s[v, j] = time_s[v]
            all_source[v, j] = source[v]
    return all_s, all_source


@njit(cache=True)
def _room(ids, values, needed):  # type: ignore[no-untyped-def]
    """Return both arrays, at least doubled where they hold fewer than ``needed``."""
    if needed <= ids.size:
        return ids, values
    more_ids = np.empty(max(needed, 2 * ids.size), ids.dtype)
    more_values = np.empty(more_ids.size, values.dtype)
    for i in range(ids.size):  # slices would take seconds more to compile
        more_ids[i] = ids[i]
        more_values[i] = values[i]
    return more_ids, more_values


@njit(cache=True)
def catch(indptr, head, seconds, seed_node, seed_s, seed_source, first, limit_s, width_s):  # type: ignore[no-untyped-def]
    """Return (indptr, node, time_s) of the nodes within the limit of each source, its seeds first[i]:first[i + 1]."""
    n = indptr.size - 1
    time_s = np.full(n, np.inf)
    source = np.full(n, -1, np.int32)
    touched = np.empty(n, np.int32)
    queue = new_queue(1024)
    rows = np.zeros(first.size, np.int64)
    node = np.empty(1024, np.int32)
    reached_s = np.empty(1024, np.float64)
    for i in range(first.size - 1):
        count, queue = spread(
            indptr, head, seconds, seed_node, seed_s, seed_source, first[i], first[i + 1], limit_s, width_s,
            time_s, source, touched, queue,
        )  # fmt: skip
        at = rows[i]
        node, reached_s = _room(node, reached_s, at + count)
        for j in range(count):
            v = touched[j]
            node[at + j] = v
            reached_s[at + j] = time_s[v]
            time_s[v] = np.inf
        rows[i + 1] = at + count
    return rows, node[: rows[-1]].copy(), reached_s[: rows[-1]].copy()


class Hooks(NamedTuple):
    """Targets as the nodes see them: from node i, ``target`` is ``seconds`` on, for entries indptr[i]:indptr[i + 1]."""

    indptr: NDArray[np.int32]
    target: NDArray[np.int32]
    seconds: NDArray[np.float64]


class Neighbours(NamedTuple):
    """Targets on the same segment as a source, reached along it: row i holds those of source i."""

    indptr: NDArray[np.int64]
    target: NDArray[np.int32]
    seconds: NDArray[np.float64]


def hooks_of(graph: SearchGraph, targets: Positions) -> Hooks:
    """Hook ``targets`` to the ends of their segments, as direction allows; closed and unsnapped ones to nothing."""
    start = start_seconds(graph, targets)
    placed = np.flatnonzero(np.isfinite(start))
    segment, offset_m = targets.segment[placed], targets.offset_m[placed]
    rest_m, pace = graph.length_m[segment] - offset_m, graph.seconds_per_m[segment]
    open_ = np.concatenate([graph.to_u[segment] | (offset_m == 0), graph.to_v[segment] | (rest_m == 0)])
    node = np.concatenate([graph.u[segment], graph.v[segment]])[open_]
    seconds = np.concatenate([offset_m * pace, rest_m * pace])[open_] + np.tile(start[placed], 2)[open_]
    order = np.argsort(node, kind="stable")
    indptr = np.zeros(graph.n_nodes + 1, np.int32)
    np.cumsum(np.bincount(node, minlength=graph.n_nodes), out=indptr[1:])
    return Hooks(indptr, np.tile(placed, 2)[open_][order].astype(np.int32), seconds[order])


def neighbours_of(graph: SearchGraph, sources: Positions, targets: Positions) -> Neighbours:
    """Find for each source the targets on its own segment that direction lets it meet without leaving the segment."""
    start, end = start_seconds(graph, sources), start_seconds(graph, targets)
    placed = np.flatnonzero(np.isfinite(end))
    by_segment = placed[np.argsort(targets.segment[placed], kind="stable")]
    low = np.searchsorted(targets.segment[by_segment], sources.segment, "left")
    high = np.searchsorted(targets.segment[by_segment], sources.segment, "right")
    count = np.where(np.isfinite(start), high - low, 0)
    source = np.repeat(np.arange(len(sources)), count)
    within = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
    target = by_segment[np.repeat(low, count) + within]
    segment = sources.segment[source]
    ahead_m = targets.offset_m[target] - sources.offset_m[source]
    open_ = (ahead_m == 0) | np.where(ahead_m > 0, graph.to_u[segment], graph.to_v[segment])
    seconds = start[source] + np.abs(ahead_m) * graph.seconds_per_m[segment] + end[target]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(source[open_], minlength=len(sources)))]).astype(np.int64)
    return Neighbours(indptr, target[open_].astype(np.int32), seconds[open_])


@njit(cache=True)
def _note(target, seconds, cutoff_s, best_s, met, n_met):  # type: ignore[no-untyped-def]
    """Keep the least time to a target; return how many targets were met so far."""
    if seconds > cutoff_s or seconds >= best_s[target]:
        return n_met
    if best_s[target] == np.inf:
        met[n_met] = target
        n_met += 1
    best_s[target] = seconds
    return n_met


@njit(cache=True)
def meet(indptr, head, seconds, seed_node, seed_s, seed_source, first, cutoff_s, width_s, hooks, neighbours, n_targets):  # type: ignore[no-untyped-def]
    """Return (indptr, target, time_s) of the targets within the cutoff of each source, as met."""
    n = indptr.size - 1
    time_s = np.full(n, np.inf)
    source = np.full(n, -1, np.int32)
    touched = np.empty(n, np.int32)
    best_s = np.full(n_targets, np.inf)
    met = np.empty(n_targets, np.int32)
    queue = new_queue(1024)
    rows = np.zeros(first.size, np.int64)
    target = np.empty(1024, np.int32)
    reached_s = np.empty(1024, np.float64)
    for i in range(first.size - 1):
        count, queue = spread(
            indptr, head, seconds, seed_node, seed_s, seed_source, first[i], first[i + 1], cutoff_s, width_s,
            time_s, source, touched, queue,
        )  # fmt: skip
        n_met = 0
        for h in range(neighbours.indptr[i], neighbours.indptr[i + 1]):
            n_met = _note(neighbours.target[h], neighbours.seconds[h], cutoff_s, best_s, met, n_met)
        for j in range(count):
            v = touched[j]
            for h in range(hooks.indptr[v], hooks.indptr[v + 1]):
                n_met = _note(hooks.target[h], time_s[v] + hooks.seconds[h], cutoff_s, best_s, met, n_met)
            time_s[v] = np.inf
        at = rows[i]
        target, reached_s = _room(target, reached_s, at + n_met)
        for j in range(n_met):
            target[at + j] = met[j]
            reached_s[at + j] = best_s[met[j]]
            best_s[met[j]] = np.inf
        rows[i + 1] = at + n_met
    return rows, target[: rows[-1]].copy(), reached_s[: rows[-1]].copy()
