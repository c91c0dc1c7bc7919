"""A whole night planned: its parts solved side by side, in rounds whose boundaries differ."""

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.patrol.night import UNEVEN, Night
from planner.patrol.problem import Crews, Ints, PatrolProblem, Services
from planner.patrol.search import search
from planner.patrol.territories import Part, crew_parts, station_parts
from planner.watch import Watch

Numbers = NDArray[np.int64]
Routes = tuple[Ints, ...]

#: Rounds of parts, and the angle between the cuts of one round and the next.
ROUNDS, TURN = 4, 0.7
#: Share of all moves given to the first round; the others share the rest.
FIRST_SHARE = 0.5
#: Moves that one core makes in a second, at least: so that a night planned with time to spare depends on no clock.
MOVES_PER_S = 2500
#: Where much must stay undone, worth is at stake and not seconds: the search begins that much hotter. Later rounds
#: begin from the routes there are and not from scratch, so with little heat.
SCARCE_HEAT, LATER_HEAT = 60.0, 0.1
#: How many times dearer everything left out is when gaps are filled at the end.
FILL_TIMES = 1e3
#: Seconds between two looks at the watch while parts are solved elsewhere.
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A part to be solved: start, its routes so far (None for none); moves, seed and heat of the search.

    loss : share by which a plan drawn at random may cost more crew time than ``start``; None to look for the best.
    """

    night: Night
    start: Routes | None
    moves: int
    seed: int
    heat: float
    loss: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Routes of a part; cut_short : whether the clock or the user ended the search before its moves were made."""

    routes: Routes
    cut_short: bool


class Team(Protocol):
    """Where parts are solved: ``cores`` at a time, by ``solve`` with a watch of ``seconds``."""

    cores: int

    def submit(self, job: Job, seconds: float) -> Future[Solved]:
        """Begin to solve a part, and return its routes to come."""


def compile_search() -> None:
    """Search a street of two segments, so that the compiled parts are there before the clock runs."""
    services = Services(
        np.array([[0, 1], [1, 2]], np.int32), np.array([[1, 0], [2, 1]], np.int32), np.ones((1, 2), bool),
        np.ones((1, 2)), np.zeros(2), np.ones(2), np.array([-np.inf, 1.0]), np.array([np.inf, 90.0]),
    )  # fmt: skip
    zero = np.zeros(1, np.int32)
    crew = Crews(
        zero, zero, zero, np.zeros(1), np.full(1, 100.0), np.full(1, 100.0), np.zeros(1), np.zeros(1),
        np.full(1, np.inf), zero, np.zeros((1, 2)),
    )  # fmt: skip
    search(PatrolProblem(services, crew, np.ones((1, 3, 3), np.float32), UNEVEN), Watch(), iterations=1)


def solve(job: Job, watch: Watch) -> Solved:
    """Return the routes of a part: searched, then every gap filled that anything left out fits into."""
    problem = job.night.problem()
    if job.loss is not None:
        began = search(problem, watch, seed=job.seed, iterations=0, start=job.start)
        absent = np.ones(len(job.night), bool)
        absent[np.concatenate(began.routes)] = False
        time_s = began.cost - float(problem.services.left_out[absent].sum())
        drawn = search(
            problem, watch, seed=job.seed, iterations=job.moves, start=began.routes,
            ceiling=began.cost + job.loss * time_s,
        )  # fmt: skip
        return Solved(drawn.routes, watch.over)
    found = search(problem, watch, seed=job.seed, iterations=job.moves, start=job.start, heat=job.heat)
    cut_short = watch.over
    dearer = replace(problem, services=replace(problem.services, left_out=problem.services.left_out * FILL_TIMES))
    filled = search(dearer, Watch(), seed=job.seed, iterations=0, start=found.routes)
    return Solved(filled.routes, cut_short)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """Routes of a night: services of each crew in order; whether the clock or the user ended the search early."""

    routes: tuple[Numbers, ...]
    cut_short: bool


def plan_night(night: Night, watch: Watch, team: Team, *, seconds: float, seed: int) -> Planned:
    """Plan ``night`` in rounds: parts by stations first, then parts that cross the boundaries of the round before.

    seconds : for the search, on the team's cores. The number of moves follows from these, not from the clock: the same
    seed gives the same plan unless the watch cuts it short.
    """
    routes: list[Numbers] = [np.empty(0, np.int64) for _ in range(len(night.crews))]
    rng = np.random.default_rng(seed)
    parts = station_parts(night)
    rounds = 1 if len(parts) == 1 else ROUNDS
    cut_short = False
    for k in range(rounds):
        if watch.over and k > 0:
            cut_short = True
            break
        if k > 0:
            parts = crew_parts(night, routes, TURN * k)
        share = 1.0 if rounds == 1 else FIRST_SHARE if k == 0 else (1.0 - FIRST_SHARE) / (rounds - 1)
        heat = LATER_HEAT if k else SCARCE_HEAT if night.scarce else 1.0
        in_all = max(sum(len(part.services) for part in parts), 1)
        core_s = [
            seconds * (team.cores if len(parts) > 1 else 1) * share * len(part.services) / in_all for part in parts
        ]
        jobs = [
            Job(
                night.take(part.services, part.crews), within(part, routes) if k else None,
                round(MOVES_PER_S * s), int(rng.integers(2**31)), heat,
            )
            for part, s in zip(parts, core_s, strict=True)
        ]  # fmt: skip
        for part, found in zip(parts, solved(jobs, core_s, watch, team, f"{k + 1}/{rounds}"), strict=True):
            cut_short |= found.cut_short
            for crew, route in zip(part.crews, found.routes, strict=True):
                routes[crew] = part.services[route]
    return Planned(tuple(routes), cut_short)


def within(part: Part, routes: Sequence[Numbers]) -> Routes:
    """Return the routes of a part's crews in the part's own numbers."""
    return tuple(np.searchsorted(part.services, routes[crew]).astype(np.int32) for crew in part.crews)


def solved(jobs: list[Job], core_s: list[float], watch: Watch, team: Team, doing: str) -> list[Solved]:
    """Return the routes of each part; where time is up, those it began with, or what a first filling gives."""
    if len(jobs) == 1:
        watch.tell(doing)
        return [solve(jobs[0], watch.within(core_s[0]))]
    waiting: dict[Future[Solved], int] = {}
    for n, i in enumerate(sorted(range(len(jobs)), key=lambda i: (-len(jobs[i].night), i))):
        job = jobs[i]
        if watch.over:
            job = replace(job, moves=0)
        watch.tell(f"{doing} · {n + 1}/{len(jobs)}")
        waiting[team.submit(job, min(core_s[i], watch.left_s))] = i
    done: dict[int, Solved] = {}
    while waiting:
        ready, _ = wait(waiting, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        for future in ready:
            done[waiting.pop(future)] = future.result()
        watch.tell(f"{doing} · {len(done)}/{len(jobs)}")
    return [done[i] for i in range(len(jobs))]
