"""Sites with room for so much demand and no more: one form for the total, the split and the covering question."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Open the open sites and at most ``places`` of the rest; assign every demand to them, or leave it out.

    site : (s,) int64 candidate columns still in play. open : (s,) those that stand in every plan.
    ptr (s + 1,) int64, demand int32, cost float64 : the pairs still allowed, by site; cost is that of the whole demand.
    need : (d,) load of each demand. without : (d,) cost of leaving it out, finite. capacity : (s,) load a site takes.
    whole : each demand goes to one site; otherwise it may be split in any parts. must : a plan may leave nothing out;
    ``without`` is then above what any whole plan costs, so that it serves the search alone.
    """

    site: Ints
    open: NDArray[np.bool_]
    ptr: Ints
    demand: NDArray[np.int32]
    cost: Floats
    need: Floats
    without: Floats
    capacity: Floats
    places: int
    whole: bool
    must: bool

    @property
    def n_sites(self) -> int:
        """Count of sites in play."""
        return len(self.site)

    @property
    def pair_site(self) -> NDArray[np.int32]:
        """Positions in ``site`` of the pairs."""
        return np.repeat(np.arange(self.n_sites, dtype=np.int32), np.diff(self.ptr))

    @property
    def step(self) -> float:
        """What the totals of plans are whole multiples of: 1 where all figures are whole numbers, 0 where unknown."""
        figures = [self.cost, self.without[:0] if self.must else self.without]
        if not self.whole:
            # a split assignment of whole loads within whole capacities is best in whole units of load
            load = self.need[self.demand]
            figures = [self.need, self.capacity[np.isfinite(self.capacity)]]
            figures += [_each(self.cost, load), self.without[:0] if self.must else _each(self.without, self.need)]
        return 1.0 if all(bool((figure == np.floor(figure)).all()) for figure in figures) else 0.0

    def only(self, keep_pair: NDArray[np.bool_], closed: NDArray[np.bool_], opened: NDArray[np.bool_]) -> "Problem":
        """Return the problem without the closed sites and the pairs not kept; (s,) opened sites stand from now on."""
        stays = ~closed
        pair_site = self.pair_site
        keep = keep_pair & stays[pair_site]
        count = np.bincount(pair_site[keep], minlength=self.n_sites)[stays]
        ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        places = self.places - int((opened & ~self.open).sum())
        return Problem(
            self.site[stays], (self.open | opened)[stays], ptr, self.demand[keep], self.cost[keep], self.need,
            self.without, self.capacity[stays], places, self.whole, self.must,
        )  # fmt: skip


def _each(total: Floats, load: Floats) -> Floats:
    """Return the cost per unit of load; as it stands where there is no load."""
    return np.divide(total, load, out=total.copy(), where=load > 0)
