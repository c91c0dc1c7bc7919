"""The best plan found so far of a capacitated question, and how sites are tried, moved and shaken for a better one."""

import numpy as np

from planner.siting.capacitated_assign import improve_whole, move_sites, place_whole, regrets, ship, table_at
from planner.siting.capacitated_problem import Floats, Ints, Problem
from planner.watch import Watch

#: Rounds of moving sites and assigning anew.
MOST_MOVES = 20
#: A shake opens one of so many sites nearest to a demand and closes one of so many open ones nearest to it.
NEAR, NEAR_OPEN = 10, 3


class Incumbent:
    """The best plan so far of ``problem``, whose sites are all the candidates.

    value : its cost, ``inf`` without one. sites : (k,) int64. part : (d, k + 1) float64 of each demand at each site,
    the last column left out. served_of : all demand, where what is left out is the cost and what is served is told.
    """

    def __init__(self, problem: Problem, *, served_of: float | None = None) -> None:
        self.problem = problem
        self.served_of = served_of
        self.step = problem.step
        self.value = np.inf
        self.sites: Ints = np.zeros(0, np.int64)
        self.part: Floats = np.zeros((len(problem.need), 1))
        order = np.lexsort((problem.cost, problem.demand))
        self._row_ptr = np.concatenate([[0], np.cumsum(np.bincount(problem.demand, minlength=len(problem.need)))])
        self._row_site = problem.pair_site[order]
        self._row_cost = problem.cost[order]
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

    def tell(self, watch: Watch, doing: str, bound: float) -> None:
        """Tell the watch how the search stands, in the terms of who asked.

        What is left of a search may hold nothing as good as the plan there is: the plan then is the bound.
        """
        bound = min(bound, self.value)
        if self.served_of is None:
            watch.tell(doing, value=self.value, bound=bound)
        else:
            watch.tell(doing, value=self.served_of - self.value, bound=self.served_of - bound)

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
        part = np.zeros_like(table)
        near = np.isfinite(table[:, :-1]).any(axis=1)
        part[~near, -1] = 1.0
        light = near & (problem.need <= 0)
        part[light, np.argmin(table[light], axis=1)] = 1.0
        heavy = np.flatnonzero(near & ~light)
        need = problem.need[heavy]
        amount = np.zeros((len(heavy), len(sites) + 1))
        ship(table[heavy] / need[:, None], need, problem.capacity[sites], amount)
        part[heavy] = amount / need[:, None]
        value = float(np.where(part > 0, table, 0.0).ravel() @ part.ravel())
        if problem.must and part[:, -1].any():
            return np.inf
        if value < self.value - 1e-9 * max(1.0, abs(value)):
            self.value, self.sites, self.part = value, sites, part
        return value

    def shake(self, rng: np.random.Generator, rounds: int, watch: Watch) -> None:
        """Open a site close to a random demand in place of one of the best plan's near by, again and again.

        Ends after ``rounds`` in a row without a better plan.
        """
        problem = self.problem
        left = rounds if len(problem.need) else 0
        while left > 0 and not watch.over and len(self.sites):
            left -= 1
            before = self.value
            i = int(rng.integers(len(problem.need)))
            near = self._row_site[self._row_ptr[i] : self._row_ptr[i + 1]]
            chosen = np.isin(near, self.sites)
            come = near[~chosen][:NEAR]
            gone = near[chosen & ~problem.open[near]][:NEAR_OPEN]
            if not len(come) or not len(gone):
                continue
            kept = self.sites[self.sites != rng.choice(gone)]
            self.offer(np.sort(np.append(kept, rng.choice(come))))
            if self.value < before:
                left = rounds

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
