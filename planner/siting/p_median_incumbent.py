"""The best p-median plan found so far, and the ways to find a better one."""

import numpy as np
from numpy.typing import NDArray

from planner.siting.p_median_interchange import closed_state, descend, fill, lists_of, open_these, total, wander
from planner.siting.p_median_lagrange import Part
from planner.siting.plan import OPTIMAL_GAP
from planner.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Descents between two looks at the watch, and the most sites swapped at random before one.
DESCENTS, STRONGEST = 20, 3
#: Totals of whole costs below this have sums in float64 that are wrong by less than ``ROUNDING``.
LARGEST_WHOLE, ROUNDING = 2**33, 0.01


class Incumbent:
    """The sites of the best plan, ``total`` what they cost, and one local search that starts wherever it is told.

    whole : costs are whole numbers, so that a better plan is better by 1.
    """

    def __init__(self, part: Part, seed: int, *, whole: bool) -> None:
        self._lists = lists_of(part.ptr, part.site, part.cost, part.miss, len(part.free))
        self._state = closed_state(self._lists, part.to_open)
        self._random = np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)
        fill(self._lists, self._state)
        self.sites: Ints = np.sort(self._state.open_site)
        self.total = float(total(self._lists, self._state))
        self.whole = whole and self.total < LARGEST_WHOLE
        self._least = 1e-9 * max(self.total, 1e-3 * float(part.miss.sum()))

    @property
    def target(self) -> float:
        """Where a bound leaves nothing to look for: no plan below this cost is worth having."""
        return self.total - 1.0 + ROUNDING if self.whole else self.total * (1.0 - OPTIMAL_GAP / 2)

    @property
    def proven(self) -> float:
        """The bound once nothing is left to look for."""
        return self.total if self.whole else self.target

    def try_from(self, sites: Ints, watch: Watch) -> None:
        """Descend from a choice of as many sites."""
        open_these(self._lists, self._state, sites)
        while not watch.over and not descend(self._lists, self._state, self._least, DESCENTS):
            pass
        self._note()

    def wander(self, rounds: int, watch: Watch) -> None:
        """Shake the best plan and descend, ``rounds`` times."""
        if not 0 < len(self.sites) < len(self._state.slot) or not len(self._lists.miss):
            return
        open_these(self._lists, self._state, self.sites)
        best, best_total = self._state.open_site.copy(), self.total
        for _ in range(0, rounds, DESCENTS):
            if watch.over:
                break
            best_total = wander(
                self._lists, self._state, best, best_total, DESCENTS, STRONGEST, self._least, self._random
            )
        open_these(self._lists, self._state, best)
        self._note()

    def _note(self) -> None:
        found = float(total(self._lists, self._state))
        if found < self.total:
            self.total, self.sites = found, np.sort(self._state.open_site)

    def nearest_two(self) -> tuple[Floats, Floats]:
        """Return (d,) what each demand costs at the nearest open site of the best plan, and at the next."""
        open_these(self._lists, self._state, self.sites)
        cost = np.append(self._lists.cost, np.inf)
        found = []
        for place in (self._state.first, self._state.second):
            found.append(np.where(place < self._lists.ptr[1:], cost[place], self._lists.miss))
        return found[0], found[1]
