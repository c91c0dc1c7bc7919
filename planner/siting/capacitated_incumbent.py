"""The best plan found so far of a capacitated question, and how sites are tried, moved and shaken for a better one."""

import numpy as np
from scipy.sparse import csr_array

from planner.siting.capacitated_assign import improve_whole, move_sites, place_whole, regrets, ship, table_at
from planner.siting.capacitated_problem import Floats, Ints, Problem
from planner.siting.watch import Watch

#: Rounds of moving sites and assigning anew.
MOST_MOVES = 20


class Incumbent:
    """The best plan so far of ``problem``, whose sites are all the candidates.

    value : its cost, ``inf`` without one. sites : (k,) int64. part : (d, k + 1) float64 of each demand at each site, the
    last column left out.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.value = np.inf
        self.sites: Ints = np.zeros(0, np.int64)
        self.part: Floats = np.zeros((len(problem.need), 1))
        rows = csr_array(
            (np.arange(len(problem.demand)), problem.demand, problem.ptr), (problem.n_sites, len(problem.need))
        )
        by_demand = rows.tocsc()
        self._row_ptr = by_demand.indptr.astype(np.int64)
        self._row_site = by_demand.indices.astype(np.int32)
        self._row_cost = problem.cost[by_demand.data]
        self._tried: set[bytes] = set()

    def offer(self, sites: Ints) -> float:
        """Assign demand to ``sites``, move them where that helps, keep the plan if it is better; return its cost.

        The same sites are not tried twice: ``inf`` then.
        """
        key = sites.tobytes()
        if key in self._tried:
            return np.inf
        self._tried.add(key)
        return self._whole(sites.copy()) if self.problem.whole else self.ship(sites)

    def keep(self, sites: Ints, where: Ints) -> None:
        """Take over a plan of whole demands, (d,) each at a position in ``sites`` or at their count: left out."""
        table = table_at(self.problem.ptr, self.problem.demand, self.problem.cost, self.problem.without, sites)
        at = np.arange(len(where))
        value = float(table[at, where].sum())
        if value < self.value - 1e-9:
            self.value, self.sites = value, sites
            self.part = np.zeros_like(table)
            self.part[at, where] = 1.0

    def ship(self, sites: Ints) -> float:
        """Split demand over ``sites`` at the least cost; keep the plan if it is better."""
        problem = self.problem
        table = table_at(problem.ptr, problem.demand, problem.cost, problem.without, sites)
        light = problem.need <= 0
        per_load = table / np.where(light, 1.0, problem.need)[:, None]
        amount = np.zeros_like(table)
        ship(per_load, problem.need, problem.capacity[sites], amount)
        amount[light, np.argmin(table[light], axis=1)] = 1.0
        part = amount / np.where(light, 1.0, problem.need)[:, None]
        value = float(np.where(part > 0, table, 0.0).ravel() @ part.ravel())
        if problem.must and part[:, -1].any():
            return np.inf
        if value < self.value - 1e-9 * max(1.0, abs(value)):
            self.value, self.sites, self.part = value, sites, part
        return value

    def shake(self, rng: np.random.Generator, rounds: int, watch: Watch) -> None:
        """Swap one or two sites of the best plan for others at random, again and again."""
        problem = self.problem
        for _ in range(rounds):
            movable = self.sites[~problem.open[self.sites]]
            others = np.setdiff1d(np.arange(problem.n_sites), self.sites)
            count = min(int(rng.integers(1, 3)), len(movable), len(others))
            if watch.over or count == 0:
                return
            gone = rng.choice(movable, count, replace=False)
            come = rng.choice(others, count, replace=False)
            self.offer(np.sort(np.concatenate([np.setdiff1d(self.sites, gone), come])))

    def _whole(self, sites: Ints) -> float:
        problem = self.problem
        before = np.inf
        for _ in range(MOST_MOVES):
            table = table_at(problem.ptr, problem.demand, problem.cost, problem.without, sites)
            where, value = assign_whole(table, problem.need, problem.capacity[sites])
            if value < before - 1e-9:
                before = value
                if value < self.value - 1e-9:
                    self.keep(sites.copy(), where)
            else:
                break
            if not move_sites(
                self._row_ptr, self._row_site, self._row_cost, problem.need, problem.without, problem.capacity,
                problem.open, sites, where,
            ):  # fmt: skip
                break
        return before


def assign_whole(table: Floats, need: Floats, capacity: Floats) -> tuple[Ints, float]:
    """Return the better of two assignments by local search, begun by regret and by load, and its cost."""
    best, value = np.zeros(len(need), np.int64), np.inf
    for rank in (-regrets(table), -need):
        where = np.empty(len(need), np.int64)
        room = np.append(capacity, np.inf)
        place_whole(table, need, room, np.argsort(rank, kind="stable"), where)
        improve_whole(table, need, room, where)
        total = float(table[np.arange(len(need)), where].sum())
        if total < value:
            best, value = where, total
    return best, value

