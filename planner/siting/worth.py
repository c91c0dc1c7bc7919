"""What sites are worth to a plan: alone, last, and against whoever could stand in for them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.siting.cover_sets import CoverSets
from planner.siting.near_lists import NearLists

Floats = NDArray[np.float64]
Sites = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StandIn:
    """The column that would serve best in a site's place, -1 where there is none, and what the plan would lose."""

    column: int
    loses: float


class Worth(Protocol):
    """A measure of plans that is better the greater it is."""

    def of(self, open_: Sites) -> float:
        """Return what a set of open columns is worth."""

    def stand_in(self, open_: Sites, site: int, allowed: NDArray[np.bool_]) -> StandIn:
        """Return the best of the ``allowed`` (s,) columns in place of ``site``, one of ``open_``."""


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """Worth by demand covered. weight : (n,) of the rows of ``sets``."""

    sets: CoverSets
    weight: Floats

    def of(self, open_: Sites) -> float:
        """Return the weight covered."""
        return float(self.weight[self.sets.covered(open_)].sum())

    def stand_in(self, open_: Sites, site: int, allowed: NDArray[np.bool_]) -> StandIn:
        """Return the best other column: rows nobody else of the plan covers are what it could take over."""
        others = open_[open_ != site]
        rows = np.flatnonzero(~self.sets.covered(others))
        own = self.sets.site_row[self.sets.site_ptr[site] : self.sets.site_ptr[site + 1]]
        lost = float(self.weight[np.intersect1d(own, rows)].sum())
        gain = _sums(self.sets.row_ptr, self.sets.row_site, rows, self.weight[rows], self.sets.n_sites)
        return _best(gain, lost, allowed, open_)


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Worth by time saved: the weighted total of times (or, ``longest``, the longest of them), negative."""

    lists: NearLists
    weight: Floats
    longest: bool = False

    def of(self, open_: Sites) -> float:
        """Return minus the total, or minus the longest, time to the nearest open column."""
        times = self.lists.least(open_)
        return -float(times[self.weight > 0].max(initial=0.0) if self.longest else times @ self.weight)

    def stand_in(self, open_: Sites, site: int, allowed: NDArray[np.bool_]) -> StandIn:
        """Return the best other column."""
        others = open_[open_ != site]
        if self.longest:
            return StandIn(-1, np.nan)
        now, without = self.lists.least(open_), self.lists.least(others)
        demand = self.lists.demand
        saved = np.maximum(without[demand] - self.lists.cost, 0.0) * self.weight[demand]
        gain = np.bincount(self.lists.site, saved, minlength=self.lists.n_sites).astype(np.float64)
        return _best(gain, float((without - now) @ self.weight), allowed, open_)


def _sums(ptr: NDArray[np.int64], column: NDArray[np.int32], rows: Sites, weight: Floats, n: int) -> Floats:
    """Return (n,) per column the sum of ``weight`` over those ``rows`` of a sparse pattern that hold it."""
    size = np.diff(ptr)[rows]
    first = np.repeat(ptr[:-1][rows] - (np.cumsum(size) - size), size)
    entries = first + np.arange(size.sum())
    return np.bincount(column[entries], np.repeat(weight, size), minlength=n).astype(np.float64)


def _best(gain: Floats, lost: float, allowed: NDArray[np.bool_], open_: Sites) -> StandIn:
    free = allowed.copy()
    free[open_] = False
    if not free.any():
        return StandIn(-1, np.nan)
    column = int(np.argmax(np.where(free, gain, -1.0)))
    return StandIn(column, lost - float(gain[column]))
