"""The ways between looks as map matching chose them: out of one segment, along others, into the next."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.network import Positions
from gis.reach_ways import ways_between
from gis.search_graph import SearchGraph
from planner.patrol.tracks.points import Floats


class JoinedWays(NamedTuple):
    """Ways to q looks; stretches of way i are ``indptr[i]:indptr[i + 1]`` of segment, from_m and to_m, in order."""

    indptr: NDArray[np.int64]
    segment: NDArray[np.int32]
    from_m: Floats
    to_m: Floats


def joined_ways(
    graph: SearchGraph,
    segment: NDArray[np.int32],
    offset_m: Floats,
    before: NDArray[np.int64],
    left_by: NDArray[np.int8],
    heads_for: NDArray[np.int8],
) -> JoinedWays:
    """Return the way to each look that has one, from the look before it, as stretches with some length.

    segment, offset_m (l,) : places of looks; before, left_by, heads_for (l,) : see ``matching_kernels.likeliest``.
    The shortest way from place to place will not do: who walks to a dead end and back between two looks would stay.
    """
    to = np.flatnonzero(before >= 0)
    since = before[to]
    length_m = graph.length_m
    a, b = segment[since], segment[to]
    leaves = left_by[to] >= 0
    # a way that stays on its segment has no part before the gate, and all of it behind
    out_m = np.where(leaves, np.where(left_by[to] == 1, length_m[a], 0.0), offset_m[since])
    in_m = np.where(leaves, np.where(heads_for[to] == 1, 0.0, length_m[b]), offset_m[since])
    gates = np.flatnonzero(leaves)
    nil = np.zeros(len(gates))
    between = ways_between(
        graph, Positions(a[gates], out_m[gates], nil), Positions(b[gates], in_m[gates], nil)
    )  # fmt: skip
    of = gates[np.repeat(np.arange(len(gates)), np.diff(between.indptr))]
    way = np.concatenate([np.arange(len(to)), of, np.arange(len(to))])
    on = np.concatenate([a, between.segment, b])
    from_m = np.concatenate([offset_m[since], between.from_m, in_m])
    to_m = np.concatenate([out_m, between.to_m, offset_m[to]])
    order = np.lexsort((np.repeat(np.arange(3), [len(to), len(of), len(to)]), way))
    order = order[from_m[order] != to_m[order]]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(way[order], minlength=len(to)))]).astype(np.int64)
    return JoinedWays(indptr, on[order].astype(np.int32), from_m[order], to_m[order])
