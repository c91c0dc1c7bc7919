"""The candidate sites each demand may go to, nearest first: what the p-median and the p-center read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from gis.errors import QuestionError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NearLists:
    """For each of d demands the candidate sites it may go to, nearest first, in compressed sparse rows.

    ptr (d + 1,) int64, site int32, cost float64: ascending in each row, the lower site first where costs are equal.
    n_sites : count of candidates. beyond : what a unit of demand costs that finds none of its listed sites open, above
    every cost listed; ``inf`` where it must find one.
    """

    ptr: NDArray[np.int64]
    site: NDArray[np.int32]
    cost: Floats
    n_sites: int
    beyond: float

    @property
    def n_demands(self) -> int:
        """Count of demands."""
        return len(self.ptr) - 1

    @property
    def demand(self) -> NDArray[np.int64]:
        """Return for each entry the demand whose list it is in."""
        return np.repeat(np.arange(self.n_demands), np.diff(self.ptr))

    def least(self, chosen: NDArray[np.int64]) -> Floats:
        """Return (d,) what a unit of each demand costs at its nearest chosen site, ``beyond`` where it lists none."""
        is_open = np.zeros(self.n_sites, bool)
        is_open[chosen] = True
        entry = np.flatnonzero(is_open[self.site])
        out = np.full(self.n_demands, self.beyond)
        demand, first = np.unique(self.demand[entry], return_index=True)
        out[demand] = self.cost[entry[first]]
        return out

    def keep(self, entries: NDArray[np.bool_]) -> "NearLists":
        """Return the lists with these entries alone."""
        before = np.concatenate([[0], np.cumsum(entries)])
        return NearLists(before[self.ptr], self.site[entries], self.cost[entries], self.n_sites, self.beyond)


def near_lists(cost: csr_array | Floats, *, beyond: float = np.inf) -> NearLists:
    """List for each demand the sites it may go to, nearest first.

    cost : (sites, demands) in any one unit (seconds, metres), finite and >= 0. Sparse: stored entries count, zeros too.
    Dense: ``inf`` marks what cannot be reached. Costs at or above ``beyond`` are left out, for they save nothing.
    Raises QuestionError on a negative or missing cost, or a ``beyond`` that is not above zero.
    """
    if not beyond > 0:
        raise QuestionError(f"未到达的代价须大于 0，收到 {beyond}", f"the cost beyond must be above 0, got {beyond}")
    n_sites, n_demands = cost.shape
    if isinstance(cost, np.ndarray):
        site, demand = np.nonzero(cost < np.inf) if not np.isnan(cost).any() else np.nonzero(np.ones_like(cost))
        value = cost[site, demand]
    else:
        entries = coo_array(cost)
        (site, demand), value = entries.coords, entries.data
    if not np.all(value >= 0):
        raise QuestionError("代价须为不小于 0 的数", "costs must be numbers of at least 0")

    near = value < beyond
    site, demand, value = site[near], demand[near], value[near]
    order = np.lexsort((site, value, demand))
    ptr = np.concatenate([[0], np.cumsum(np.bincount(demand, minlength=n_demands))]).astype(np.int64)
    return NearLists(ptr, site[order].astype(np.int32), value[order].astype(np.float64), n_sites, float(beyond))
