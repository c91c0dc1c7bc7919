"""The ways between places of a night, each found once: only new neighbours need a search."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.reach import time_matrix
from gis.reach_ways import ways_between
from gis.search_graph import SearchGraph
from planner.coverage_inputs import select
from planner.patrol.night import Night

Numbers = NDArray[np.int64]
Seconds = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class KnownWays:
    """Seconds between places of ``night``, those that were asked for so far.

    toward : one a mode, the graphs of the night turned round, to search the ways to one place from many.
    """

    night: Night
    toward: tuple[SearchGraph, ...]
    _known: dict[tuple[int, int, int], np.float32] = field(default_factory=dict)

    def seconds(self, mode: int, leave: Numbers, enter: Numbers) -> Seconds:
        """Return (q,) seconds from each place to the one of the same number, as a plan of a night reckons them.

        Zero from a place to itself, ``inf`` where there is no way.
        """
        pairs = list(zip(leave.tolist(), enter.tolist(), strict=True))
        new = sorted({(a, b) for a, b in pairs if a != b and (mode, a, b) not in self._known})
        if new:
            at = self.night.places[mode]
            a, b = np.array(new, np.int64).T
            found = ways_between(self.night.graphs[mode], select(at, a), select(at, b)).time_s.astype(np.float32)
            self._known.update({(mode, *pair): time_s for pair, time_s in zip(new, found, strict=True)})
        return np.array([0.0 if a == b else self._known[mode, a, b] for a, b in pairs], np.float32)

    def around(
        self, mode: int, places: Numbers, into: Numbers, out: Numbers, limit_s: float
    ) -> tuple[Seconds, Seconds]:
        """Return ((p, i) seconds from each of ``places`` to ``into``, (o, p) from ``out`` to each of ``places``).

        A few searches whatever the number of places; ``inf`` beyond ``limit_s``. They differ from ``seconds`` by the
        rounding of sums: good to choose by, not to tell.
        """
        at = self.night.places[mode]
        here = select(at, places)
        to = _dense(time_matrix(self.toward[mode], select(at, into), here, limit_s)).T
        away = _dense(time_matrix(self.night.graphs[mode], select(at, out), here, limit_s))
        to[places[:, None] == into[None, :]] = 0.0
        away[out[:, None] == places[None, :]] = 0.0
        return to, away


def _dense(found: csr_array) -> Seconds:
    """Return a sparse matrix of times in full, ``inf`` where it has no entry."""
    matrix = np.full(found.shape, np.inf, np.float32)
    rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    matrix[rows, found.indices] = found.data
    return matrix
