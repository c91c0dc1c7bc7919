"""The plan a search works on, as the arrays of its compiled parts."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.patrol import search_moves, search_places
from planner.patrol.problem import Floats, Ints, PatrolProblem
from planner.patrol.search_kernels import CREW, FACTS, ROUTE, Duty, Ground, Numbers, Rows
from planner.patrol.search_moves import SLOT, Pool
from planner.patrol.search_places import LISTED, MEMO, MET, OVERLOAD, PRICE, Work

#: Limits are kept up to rounding of the sums.
ROUNDING = 1e-7
#: Up to so many services all are near each other; of more, each has so many neighbours.
ALL_NEAR, NEAR = 300, 100
#: Rows of distances worked out at a time.
_BLOCK = 256
#: Slots for routes met, a power of two.
HELD = 2**13
#: The scale of costs counts the ways to so many of the nearest services.
_NEAREST = 3


class WorkingPlan:
    """Routes that moves change, the best ones met so far, and what both cost.

    worth : (n,) what leaving a service out costs here, finite: one that must be done costs more than all else.
    scale_s : what one service costs a route, about. cost, best_cost : with ``worth``.
    """

    def __init__(self, problem: PatrolProblem, seed: int) -> None:
        self.problem = problem
        self._ground, self._duty = _ground(problem), _duty(problem)
        self._near, near_s = _neighbours(self._ground, len(problem.services))
        self.worth = _worth(problem, self._ground)
        self._order, self._chance, self._ranked = _orders(problem, self._ground, self._duty, self.worth)
        self.scale_s = _scale_s(problem, near_s)
        self._rows = _rows(self._ground, self._duty)
        price = _overload_price(problem, self.scale_s)
        self._work = _work(len(problem.services), len(problem.crews), np.array([price, 0.0, 0.0]), seed)
        self._pool = _pool(len(problem.services), self._rows.task.shape[1], seed)
        self._best_of, self._best_at = self._rows.of.copy(), self._rows.at.copy()
        self.best_cost = self.cost = np.inf
        self.lay([np.zeros(0, np.int32)] * len(problem.crews))

    def lay(self, routes: Sequence[Ints]) -> None:
        """Begin again from ``routes``, without what does not fit; the best plan so far is kept if it is better."""
        first = np.concatenate([[0], np.cumsum([len(route) for route in routes])]).astype(np.int64)
        start = np.concatenate([np.zeros(0, np.int64), *routes]).astype(np.int64)
        search_places.lay(self._rows, self._ground, self._duty, self._work, self._near, start, first)
        self._settle()

    def fill(self) -> None:
        """Put in what costs less in a route than out of it, the most worth for its time first."""
        search_places.fill(
            self._rows, self._ground, self._duty, self._work, self._near, self.worth, self._ranked
        )  # fmt: skip
        self._settle()

    def move(
        self, first: int, last: int, of: float, *, hot: float, cold: float, gone: float, ceiling: float = np.inf
    ) -> None:
        """Make moves ``first`` to ``last`` of ``of`` in all.

        The temperature falls from ``hot`` to ``cold`` with the moves, or with ``gone`` (0 to 1) if that is further.
        No plan above ``ceiling`` is accepted, unless it is better than the one before.
        """
        self.cost, self.best_cost = search_moves.anneal(
            self._rows, self._ground, self._duty, self._work, self._pool, self._near, self.worth, self._order,
            self._chance, self._best_of, self._best_at, self.cost, self.best_cost,
            (float(first), float(last), float(of)), (hot, cold, gone), ceiling,
        )  # fmt: skip

    @property
    def pool(self) -> list[tuple[int, float, Ints]]:
        """Routes met: the number of the kind of crew (see ``alike``), what it costs, its services in order."""
        held = self._pool
        return [
            (int(held.slot[i]["alike"]), float(held.slot[i]["cost"]), held.task[i, : held.slot[i]["size"]].copy())
            for i in np.flatnonzero(held.slot["held"])
        ]

    @property
    def best_as_routes(self) -> list[tuple[int, float, Ints]]:
        """The routes of the best plan that serve anything, as in ``pool``: call after ``lay(best_routes)``."""
        rows = self._rows
        return [
            (int(self.alike[r]), float(rows.route[rows.row[r]]["cost"]), route)
            for r, route in enumerate(self.best_routes)
            if len(route)
        ]

    @property
    def alike(self) -> Numbers:
        """(r,) equal for crews that do not differ."""
        return self._duty.crew["alike"]

    def overload(self, price: float) -> None:
        """Let a unit of load above a crew's capacity cost ``price`` for now; ``inf`` to keep capacities throughout."""
        self._work.fine[PRICE] = price

    def _settle(self) -> None:
        self.cost = search_places.total_cost(self._rows, self.worth)
        if self.cost < self.best_cost:
            self.best_cost = self.cost
            self._best_of[:], self._best_at[:] = self._rows.of, self._rows.at

    @property
    def routes(self) -> tuple[Ints, ...]:
        """The plan as it stands, one route for each crew."""
        return self._routes(self._rows.of, self._rows.at)

    @property
    def best_routes(self) -> tuple[Ints, ...]:
        """The best plan met so far."""
        return self._routes(self._best_of, self._best_at)

    def _routes(self, of: Numbers, at: Numbers) -> tuple[Ints, ...]:
        order = np.lexsort((at, of))
        cut = np.searchsorted(of[order], np.arange(len(self.problem.crews) + 1))
        return tuple(order[a:b].astype(np.int32) for a, b in itertools.pairwise(cut))

    @property
    def absent(self) -> NDArray[np.bool_]:
        """(n,) services in no route."""
        return self._rows.of < 0


def _ground(problem: PatrolProblem) -> Ground:
    s = problem.services
    one_spot = (s.begins[:, 0] == s.begins[:, 1]) & (s.ends[:, 0] == s.ends[:, 1])
    timed = np.isfinite(s.opens_s) | np.isfinite(s.closes_s)
    return Ground(
        np.ascontiguousarray(s.begins, np.uint32), np.ascontiguousarray(s.ends, np.uint32),
        np.ascontiguousarray(s.both_ways & ~one_spot), np.ascontiguousarray(s.service_s, np.float64),
        records(FACTS, len(s), opens=s.opens_s, closes=_rounded_up(s.closes_s), load=s.load, timed=timed),
        np.ascontiguousarray(problem.travel_s, np.float32),
        np.ascontiguousarray(problem.travel_s.transpose(0, 2, 1), np.float32),
    )  # fmt: skip


def _duty(problem: PatrolProblem) -> Duty:
    c = problem.crews
    uneven = problem.uneven / c.longest_s if problem.uneven else np.zeros(len(c))
    alike: NDArray[Any] = np.zeros(len(c))
    if len(c):
        own = (c.mode, c.start, c.end, c.from_s, c.until_s, c.longest_s, c.break_from_s, c.break_s, c.capacity, c.kind)
        alike = np.unique(np.column_stack([*own]).astype(np.float64), axis=0, return_inverse=True)[1].ravel()
    crew = records(
        CREW, len(c), mode=c.mode, start=c.start, end=c.end, kind=c.kind, alike=alike, from_s=c.from_s,
        limit=_rounded_up(np.minimum(c.until_s - c.from_s, c.longest_s)),
        rest_at=np.where(c.break_s > 0, c.break_from_s - c.from_s, np.inf), rest_s=np.maximum(c.break_s, 0.0),
        capacity=_rounded_up(c.capacity), uneven=uneven,
    )  # fmt: skip
    return Duty(crew, np.ascontiguousarray(c.extra_s, np.float64))


def records(of: np.dtype[np.void], count: int, /, **columns: NDArray[Any]) -> NDArray[np.void]:
    """Return ``count`` records of these columns, all others 0."""
    made = np.zeros(count, of)
    for name, column in columns.items():
        made[name] = column
    return made


def _rounded_up(limit: Floats) -> Floats:
    return np.where(np.isfinite(limit), limit + ROUNDING * np.maximum(1.0, np.abs(limit)), limit)


def _neighbours(ground: Ground, n: int) -> tuple[Numbers, NDArray[np.float32]]:
    """Return (n, k) the services nearest to each, nearest first, and the mean seconds to the first few of them.

    Near is what the fastest mode reaches soonest, before or after it, in the better directions.
    """
    count = n - 1 if n <= ALL_NEAR else NEAR
    travel_s = ground.out.min(axis=0)
    both = ground.both.any(axis=0)
    ends, begins = [
        np.stack([at[:, 0], np.where(both, at[:, 1], at[:, 0])]).astype(np.int64)
        for at in (ground.ends, ground.begins)
    ]  # fmt: skip
    near, near_s = np.zeros((n, max(count, 0)), np.int64), np.zeros((n, max(count, 0)), np.float32)
    for low in range(0, n if count > 0 else 0, _BLOCK):
        rows = np.arange(low, min(low + _BLOCK, n))
        away = np.full((len(rows), n), np.inf, np.float32)
        for d in range(2):
            for e in range(2):
                np.minimum(away, travel_s[ends[d, rows]][:, begins[e]], out=away)
                np.minimum(away, travel_s[:, begins[e, rows]].T[:, ends[d]], out=away)
        away[np.arange(len(rows)), rows] = np.inf
        found = np.argsort(away, axis=1, kind="stable")[:, : count + 1]
        # where ways are missing a service may stand before the end of its own list
        for row, own, of in zip(rows, found, away, strict=True):
            near[row] = own[own != row][:count]
            near_s[row] = of[near[row]]
    return near, near_s


def _worth(problem: PatrolProblem, ground: Ground) -> Floats:
    """Return (n,) what leaving each service out costs, a finite sum above all else for one that must be done."""
    left_out = problem.services.left_out
    finite = np.isfinite(left_out)
    if finite.all():
        return np.ascontiguousarray(left_out, np.float64)
    ways = problem.travel_s[np.isfinite(problem.travel_s)]
    longest = 2.0 * float(ways.max(initial=0.0)) + float(ground.service[np.isfinite(ground.service)].max(initial=0.0))
    extra = problem.crews.extra_s[np.isfinite(problem.crews.extra_s)]
    bar = 1.0 + float(left_out[finite].sum()) + len(left_out) * (longest + float(extra.max(initial=0.0)))
    return np.where(finite, left_out, (1.0 + 2.0 * problem.uneven) * bar)


def _orders(
    problem: PatrolProblem, ground: Ground, duty: Duty, worth: Floats
) -> tuple[Floats, Floats, Numbers]:  # fmt: skip
    """Return keys by which services may be put back, the chances of each order, and the order for filling.

    The paper's orders and chances: at random 4, the largest first 4, the farthest 2, the nearest 1; the most worthwhile
    first 4 where leaving out has a price, the narrowest hours first 2 where there are any.
    """
    s, c = problem.services, problem.crews
    n = len(s)
    service = np.min(ground.service, axis=0, initial=np.inf)
    service = np.where(np.isfinite(service), service, 0.0)
    far = np.full(n, np.inf)
    for mode, place in {(int(m), int(p)) for m, p in zip(c.mode, c.start, strict=True)}:
        far = np.minimum(far, problem.travel_s[mode, place][s.begins].min(axis=1))
    far = np.where(np.isfinite(far), far, 0.0)
    load = s.load if (np.isfinite(c.capacity).any() and s.load.any()) else service
    keys, chances = [-load, -far, far], [4.0, 4.0, 2.0, 1.0]
    ratio = worth / np.maximum(service, 1.0)
    if np.isfinite(s.left_out).any():
        keys.append(-ratio)
        chances.append(4.0)
    if ground.facts["timed"].any():
        keys.append(s.closes_s - s.opens_s)
        chances.append(2.0)
    must = ~np.isfinite(s.left_out)
    ranked = np.lexsort((-load, -np.where(must, 0.0, ratio), ~must)).astype(np.int64)
    return np.stack(keys), np.cumsum(chances), ranked


def _scale_s(problem: PatrolProblem, near_s: NDArray[np.float32]) -> float:
    """Return the seconds that a usual service and the way to it take, fairness counted."""
    least = np.min(problem.services.service_s, axis=0, initial=np.inf)
    least = least[np.isfinite(least)]
    ways = near_s[:, :_NEAREST]
    ways = ways[np.isfinite(ways)]
    scale = (float(least.mean()) if len(least) else 0.0) + (float(ways.mean()) if ways.size else 0.0)
    return (1.0 + problem.uneven) * max(scale, 1e-3)


def _overload_price(problem: PatrolProblem, scale_s: float) -> float:
    """Return what a unit of load too much costs at first: enough that no usual service is worth it."""
    left_out, load = problem.services.left_out, problem.services.load
    priced = left_out[np.isfinite(left_out)]
    worth = max(float(np.median(priced)) if len(priced) else 0.0, 10.0 * scale_s)
    return worth / max(float(load.mean()) if len(load) else 0.0, 1e-9)


def _rows(ground: Ground, duty: Duty) -> Rows:
    """Return empty rows, wide enough for any route that keeps its limits."""
    n, r = len(ground.facts), len(duty.crew)
    width = 3 + max((_most(ground, duty, crew) for crew in range(r)), default=0)
    clocked = bool(ground.facts["timed"].any() or (duty.crew["rest_s"] > 0).any())
    return Rows(
        np.arange(r), np.zeros(2 * r, ROUTE), np.zeros((2 * r, width), np.int64),
        np.zeros((2 * r, width, 4), np.uint32), np.full((2 * r, width, 2), np.inf), np.full((2 * r, width, 2), np.inf),
        np.full((2 * r, width, 4) if clocked and r else (1, 1, 4), np.inf), np.full(n, -1, np.int64),
        np.zeros(n, np.int64),
    )  # fmt: skip


def _most(ground: Ground, duty: Duty, crew: int) -> int:
    """Return how many services a crew can do at most, ways not counted."""
    of = duty.crew[crew]
    takes = ground.service[of["mode"]]
    can = np.isfinite(takes) & np.isfinite(duty.extra[of["kind"]])
    fit = [
        int(np.searchsorted(np.cumsum(np.sort(each[can])), limit, side="right"))
        for each, limit in ((takes, of["limit"]), (ground.facts["load"], OVERLOAD * of["capacity"]))
    ]
    return min(fit)


def _work(n: int, r: int, fine: Floats, seed: int) -> Work:
    random = np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)
    memo = np.zeros((n, r), MEMO)
    memo["seen"] = -1
    met = np.zeros(r, MET)
    for name in ("fresh", "touched_in", "class_in"):
        met[name] = -1
    listed = np.zeros(n, LISTED)
    listed["left_in"] = -1
    return Work(random, np.zeros(5, np.int64), fine, memo, met, listed)


def _pool(n: int, width: int, seed: int) -> Pool:
    code = np.random.default_rng([seed, 1]).integers(1, 2**63, n, dtype=np.uint64)
    return Pool(code, np.zeros(HELD, SLOT), np.zeros((HELD, width), np.int32))
