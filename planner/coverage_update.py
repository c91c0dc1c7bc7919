"""Coverage of areas kept up to date while a planner adds, moves and closes points: "what if it stood here?"."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.network import Positions
from gis.reach import covered_metres
from gis.reach_update import Change, NearestIndex
from gis.search_graph import SearchGraph
from gis.street_pieces import StreetPieces
from planner.area_statistics import sum_by

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CoverageChange:
    """What one change did: the ``point`` changed and the ``areas`` (c,) int32, ascending, that were added up again."""

    point: int
    areas: NDArray[np.int32]


class LiveCoverage:
    """Street metres and people within reach, per area, under changes of the points.

    ``covered_m`` (p, t): metres of each piece within each threshold. ``street_m``, ``people`` (a, t): totals per area.
    After every change these equal, bit for bit, what a new ``LiveCoverage`` of the points as they then stand finds:
    only segments with a changed end or point are measured again and only their areas added up again, in the order of
    the pieces. Points are numbered as in ``NearestIndex``.
    """

    def __init__(
        self,
        graph: SearchGraph,
        sources: Positions,
        pieces: StreetPieces,
        level: str,
        n_areas: int,
        people_per_m: Floats,
        thresholds_s: tuple[float, ...],
    ) -> None:
        """Measure all pieces once. people_per_m : (p,) people spread along each piece. n_areas : of ``level``."""
        self._pieces, self._thresholds_s = pieces, np.array(thresholds_s, np.float64)
        self._area, self._n_areas = pieces.area[level], n_areas
        self._people_per_m = people_per_m
        self._index = NearestIndex(graph, sources, limit_s=float(max(thresholds_s)))
        self._segments_at = _grouped(np.concatenate([graph.u, graph.v]), graph.n_nodes, len(graph.u))
        self._pieces_on = _grouped(pieces.segment, len(graph.u), len(pieces))
        self._pieces_in = _grouped(self._area, n_areas, len(pieces))
        self.covered_m = covered_metres(
            graph, sources, self._index.near, pieces.segment, pieces.from_m, pieces.to_m, self._thresholds_s
        )
        self.street_m, self.people = np.zeros((n_areas, len(thresholds_s))), np.zeros((n_areas, len(thresholds_s)))
        self._add_up(np.arange(n_areas, dtype=np.int32))

    @property
    def positions(self) -> Positions:
        """Where every point stands, by number; closed ones stand nowhere."""
        return self._index.positions

    def add(self, position: Positions) -> CoverageChange:
        """Open a new point at ``position`` (one). Raises NetworkError unless it is one position on the network."""
        return self._follow(self._index.add(position), position.segment)

    def move(self, point: int, position: Positions) -> CoverageChange:
        """Let an open point stand at ``position`` (one). Raises NetworkError on a closed or unknown point."""
        stood = self.positions.segment[point : point + 1]
        return self._follow(self._index.move(point, position), np.concatenate([stood, position.segment]))

    def close(self, point: int) -> CoverageChange:
        """Close an open point for good. Raises NetworkError on a closed or unknown point."""
        stood = self.positions.segment[point : point + 1]
        return self._follow(self._index.close(point), stood)

    def _follow(self, change: Change, carrying: NDArray[np.int32]) -> CoverageChange:
        """Measure segments again that end at a changed node or carry the changed point; add up their areas again."""
        segments = np.unique(np.concatenate([_members(self._segments_at, change.nodes), carrying]))
        piece = _members(self._pieces_on, segments)
        self.covered_m[piece] = self._measure(segments, piece)
        areas = np.unique(self._area[piece])
        areas = areas[areas >= 0]
        self._add_up(areas)
        return CoverageChange(change.point, areas)

    def _measure(self, segments: NDArray[np.int32], piece: NDArray[np.int32]) -> Floats:
        """Return (c, t) covered metres of some pieces, looking at no other segments than theirs."""
        graph, points = self._index.graph, self.positions
        part = replace(
            graph, u=graph.u[segments], v=graph.v[segments], length_m=graph.length_m[segments],
            seconds_per_m=graph.seconds_per_m[segments], to_u=graph.to_u[segments], to_v=graph.to_v[segments],
        )  # fmt: skip
        at = np.searchsorted(segments, points.segment).astype(np.int32)
        here = segments[np.minimum(at, len(segments) - 1)] == points.segment
        near_by = Positions(np.where(here, at, np.int32(-1)), points.offset_m, points.gap_m)
        pieces = self._pieces
        on = np.searchsorted(segments, pieces.segment[piece]).astype(np.int32)
        return covered_metres(
            part, near_by, self._index.near, on, pieces.from_m[piece], pieces.to_m[piece], self._thresholds_s
        )

    def _add_up(self, areas: NDArray[np.int32]) -> None:
        """Sum the pieces of ``areas`` (ascending) in piece order, as a sum over all pieces would meet them."""
        piece = _members(self._pieces_in, areas)
        group = np.searchsorted(areas, self._area[piece]).astype(np.int32)
        covered, per_m = self.covered_m[piece], self._people_per_m[piece]
        for t in range(len(self._thresholds_s)):
            self.street_m[areas, t] = sum_by(group, len(areas), covered[:, t])
            self.people[areas, t] = sum_by(group, len(areas), covered[:, t] * per_m)


def _grouped(group: NDArray[np.int32], n_groups: int, modulus: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return (indptr, member): positions modulo ``modulus`` by group, ascending; group -1 is left out."""
    order = np.argsort(group, kind="stable")[int((group < 0).sum()) :]
    indptr = np.zeros(n_groups + 1, np.int64)
    np.cumsum(np.bincount(group[order], minlength=n_groups), out=indptr[1:])
    return indptr, (order % max(modulus, 1)).astype(np.int32)


def _members(grouped: tuple[NDArray[np.int64], NDArray[np.int32]], groups: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the members of ``groups``, group after group."""
    indptr, member = grouped
    begin, count = indptr[groups], indptr[groups + 1] - indptr[groups]
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.asarray(member[np.repeat(begin, count) + within], np.int32)
