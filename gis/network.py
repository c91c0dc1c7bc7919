"""The street network in memory: positions inside, ids outside, translated here and nowhere else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import NetworkError

BOTH_WAYS, WITH_GEOMETRY, AGAINST_GEOMETRY = 0, 1, -1


@dataclass(frozen=True, slots=True, eq=False)
class StreetNetwork:
    """A frozen street network of n nodes and m segments, in compressed sparse rows.

    Nodes: ``node_id`` (n,) outside ids; ``lon``, ``lat`` (n,) WGS84 degrees; ``x``, ``y`` (n,) metres in ``crs``.
    Segments: ``segment_id`` (m,) outside ids, unique; ``u``, ``v`` (m,) node positions; ``length_m`` (m,) >= 0;
    ``oneway`` (m,) 0 both ways, 1 from u to v only, -1 from v to u only (binds vehicles, not walkers);
    ``street_class`` (m,) OSM highway value or ""; ``name`` (m,); ``free_kmh`` (m,) free-flow speed, NaN if unknown;
    ``geometry`` (m,) WGS84 lines drawn from u to v.
    Arcs: each segment appears twice, once out of u and once out of v. Arcs out of node i are
    ``indptr[i]:indptr[i + 1]`` of ``head`` (node reached), ``arc_segment`` and ``arc_forward`` (True: u to v).

    Loops, parallel segments, several components and zero-length segments are legal.
    """

    node_id: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    crs: str
    segment_id: NDArray[np.int64]
    u: NDArray[np.int32]
    v: NDArray[np.int32]
    length_m: NDArray[np.float64]
    oneway: NDArray[np.int8]
    street_class: NDArray[np.object_]
    name: NDArray[np.object_]
    free_kmh: NDArray[np.float64]
    geometry: NDArray[np.object_]
    indptr: NDArray[np.int32]
    head: NDArray[np.int32]
    arc_segment: NDArray[np.int32]
    arc_forward: NDArray[np.bool_]

    @property
    def n_nodes(self) -> int:
        """Count of nodes."""
        return len(self.node_id)

    @property
    def n_segments(self) -> int:
        """Count of segments."""
        return len(self.segment_id)


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where k points stand on a network, never rounded to a junction.

    segment : (k,) segment position, -1 where the point lies beyond the snapping limit (unsnapped).
    offset_m : (k,) metres from the segment's u end, in [0, length_m]; NaN where unsnapped.
    gap_m : (k,) straight metres from the point to the segment; the true distance even where unsnapped.
    """

    segment: NDArray[np.int32]
    offset_m: NDArray[np.float64]
    gap_m: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.segment)


def arcs_of(
    u: NDArray[np.int32], v: NDArray[np.int32], n_nodes: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Lay segments out as arcs in compressed sparse rows: (indptr, head, arc_segment, arc_forward).

    u, v : (m,) node positions. Each segment gives an arc out of u and one out of v; arcs out of a node
    are ordered by segment position, the forward arc first. Raises NetworkError on a position out of range.
    """
    if len(u) and (min(u.min(), v.min()) < 0 or max(u.max(), v.max()) >= n_nodes):
        raise NetworkError("路段端点超出节点范围", "a segment ends at a node that does not exist")

    m = len(u)
    tail = np.concatenate([u, v])
    order = np.lexsort((np.tile(np.arange(m), 2), tail))
    indptr = np.zeros(n_nodes + 1, np.int32)
    np.cumsum(np.bincount(tail, minlength=n_nodes), out=indptr[1:])
    head = np.concatenate([v, u])[order].astype(np.int32)
    return indptr, head, (order % max(m, 1)).astype(np.int32), order < m
