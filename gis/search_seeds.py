"""Where a search begins: points on segments as seconds at nodes, and the checks that come first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import NetworkError
from gis.network import Positions
from gis.search_graph import SearchGraph, start_seconds


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """Where a search begins: ``node`` (i,) is ``seconds`` (i,) away from point ``source`` (i,), which ascends."""

    node: NDArray[np.int32]
    seconds: NDArray[np.float64]
    source: NDArray[np.int32]


def seeds_of(graph: SearchGraph, sources: Positions) -> Seeds:
    """Return the nodes from which a search from ``sources`` begins: the ends of their segments, as direction allows.

    A point at the very end of a segment stands on the node there, whichever way the segment may be passed.
    Points that are unsnapped or on closed segments begin nowhere. Raises NetworkError on positions off the network.
    """
    check_positions(graph, sources)

    start = start_seconds(graph, sources)
    placed = np.flatnonzero(np.isfinite(start))
    segment, offset_m = sources.segment[placed], sources.offset_m[placed]
    pace, rest_m = graph.seconds_per_m[segment], graph.length_m[segment] - offset_m
    over_u = graph.to_v[segment] | (offset_m == 0)
    over_v = graph.to_u[segment] | (rest_m == 0)
    begins = np.column_stack([over_u, over_v])
    node = np.column_stack([graph.u[segment], graph.v[segment]])
    seconds = start[placed, None] + np.column_stack([offset_m, rest_m]) * pace[:, None]
    source = np.repeat(placed.astype(np.int32), 2).reshape(-1, 2)
    return Seeds(node[begins], seconds[begins], source[begins])


def check_positions(graph: SearchGraph, positions: Positions) -> None:
    """Raise NetworkError unless every snapped position lies on a segment of ``graph``, its gap not negative."""
    segment, offset_m, gap_m = positions.segment, positions.offset_m, positions.gap_m
    if not len(segment) == len(offset_m) == len(gap_m):
        raise NetworkError("位置数组长度不一致", "the arrays of the positions differ in length")
    placed = segment >= 0
    if placed.any() and segment.max() >= len(graph.u):
        raise NetworkError("位置所在路段不存在", f"no segment {segment.max()}: the network has {len(graph.u)}")
    on = np.where(placed, segment, 0)
    length_m = graph.length_m[on] if len(graph.u) else np.zeros(len(on))
    if not ((offset_m >= 0) & (offset_m <= length_m) & (gap_m >= 0))[placed].all():
        raise NetworkError(
            "位置须在路段长度之内，且离路距离不为负",
            "a position must lie within its segment's length, at a gap that is not negative",
        )


def check_limit(limit_s: float) -> None:
    """Raise NetworkError unless ``limit_s`` is a number of seconds, not negative (``inf`` for no limit)."""
    if not limit_s >= 0:
        raise NetworkError(f"时间上限无效：{limit_s}", f"a time limit must not be negative, got {limit_s}")


def bucket_width(graph: SearchGraph) -> float:
    """Return a bucket width in seconds for searches of ``graph``: about the mean arc, from an even sample of arcs."""
    sample = graph.seconds[:: max(1, len(graph.seconds) // 4096)]
    mean_s = float(sample.mean()) if len(sample) else 0.0
    return mean_s if mean_s > 0 else 1.0
