"""Which site a p-median node decides next: the one whose opening and closing both promise to raise the bound most.

What deciding a site has raised bounds by elsewhere in the tree is its promise; a few steps of the bound try out a site
that has none yet. Source: Achterberg, Koch and Martin 2005, Branching rules revisited, Operations Research Letters
33(1), doi:10.1016/j.orl.2004.04.002 (reliability branching).
"""

import numpy as np
from numpy.typing import NDArray

from planner.siting.p_median_lagrange import Part, ascend, without

Floats = NDArray[np.float64]

#: Sites considered at a node, and the rounds of the bound that try one out.
CONSIDERED, ROUNDS = 12, 6
STEP, PATIENCE = 1.0, 10
#: A rise counts for at least this part of what is missing to the incumbent, so that one idle side decides nothing.
LEAST = 1e-3


class Branching:
    """The rises of the bound seen so far by closing (0) and opening (1) each site."""

    def __init__(self, n_sites: int) -> None:
        self._sum = np.zeros((2, n_sites))
        self._times = np.zeros((2, n_sites), np.int64)

    def note(self, site: int, opened: int, rise: float) -> None:
        """Remember by how much deciding a site raised the bound."""
        self._sum[opened, site] += max(rise, 0.0)
        self._times[opened, site] += 1

    def choose(self, part: Part, price: Floats, share: Floats, bound: float, target: float, aim: float) -> int:
        """Return the free site to decide next at a node with this bound, of those nearest to half open."""
        free = np.flatnonzero(part.free)
        considered = free[np.argsort(np.abs(share[free] - 0.5), kind="stable")[:CONSIDERED]]
        missing = target - bound
        best, chosen = -1.0, int(considered[0])
        for site in considered.tolist():
            product = 1.0
            for opened in (0, 1):
                if self._times[opened, site] == 0:
                    self.note(site, opened, _tried(part, price, site, opened, target, aim) - bound)
                rise = self._sum[opened, site] / self._times[opened, site]
                product *= min(max(rise, LEAST * missing), missing)
            if product > best:
                best, chosen = product, site
        return chosen


def _tried(part: Part, price: Floats, site: int, opened: int, target: float, aim: float) -> float:
    """Return a bound, at most ``target``, on the plans that open or close a site."""
    none, decided = np.zeros(len(part.free), bool), np.zeros(len(part.free), bool)
    decided[site] = True
    left = without(part, decided, none) if opened else without(part, none, decided)
    if not 0 < left.to_open < left.free.sum():
        return target
    share = np.zeros(len(part.free))
    bound, _ = ascend(left, np.minimum(price, left.miss), share, target, aim, STEP, PATIENCE, ROUNDS)
    return min(float(bound), target)
