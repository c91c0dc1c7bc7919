"""Search for the routes of a patrol: which crew does which services, in which order and directions."""

import math
from collections.abc import Sequence

import numpy as np

from planner.patrol.problem import Ints, PatrolPlan, PatrolProblem
from planner.patrol.route_pool import combine
from planner.patrol.schedule import plan_cost
from planner.patrol.working_plan import WorkingPlan
from planner.watch import Watch

#: Temperatures at the begin and the end, in usual services' costs.
HOT, COLD = 1.0, 0.01
#: Where services are left out, the temperature begins at this part of their usual worth, if that is more.
HOT_WORTH = 0.2
#: How hot each round begins; the least moves of a round for each service, where moves and where time end the search.
HEATS, ROUND_MOVES, TIMED_ROUND_MOVES = (1.0, 4.0, 1.0), 200, 2000
#: Moves in a second, about, to tell how many rounds there is time for; most of the time for combining after one.
MOVES_PER_S, POOL_SHARE = 10_000, 0.06
#: Moves for each service, and at least, where neither moves nor time are limited.
MOVES_A_SERVICE, LEAST_MOVES = 400, 4000
#: Sums kept along the way are off by less than this part of them.
ROUNDING = 1e-9
#: Moves before the first look at the watch, and seconds between two.
FIRST_MOVES, MOST_MOVES, LOOK_S = 50, 5000, 0.05


def search(
    problem: PatrolProblem,
    watch: Watch,
    *,
    seed: int = 0,
    iterations: int | None = None,
    start: Sequence[Ints] | None = None,
    heat: float = 1.0,
    ceiling: float = math.inf,
) -> PatrolPlan:
    """Return the best plan met by ruin and recreate with simulated annealing, directions always chosen best.

    iterations : moves to make; where time does not cut them short, the plan depends on the seed alone. None to fill the
    watch's time, in rounds between which routes met are combined by set covering.
    start : routes to begin from, one for each crew; services that do not fit are left out of them.
    heat : the first temperature, as a multiple of the usual one; less keeps nearer to ``start``.
    ceiling : finite to walk at random, from ``start``, among plans that cost no more, and return the last one.

    The plan keeps every hard limit; its cost is infinite only where a service that must be done found no place.
    """
    plan = WorkingPlan(problem, seed)
    if start is not None:
        plan.lay(start)
    if math.isfinite(ceiling):
        plan.overload(math.inf)
        steps = _anneal(plan, watch, _moves(problem, iterations, watch), math.inf, ceiling)
        routes = plan.routes
    else:
        plan.fill()
        steps = _rounds(plan, watch, _moves(problem, iterations, watch), heat)
        plan.lay(plan.best_routes)
        plan.fill()
        routes = plan.best_routes
    return PatrolPlan(routes, plan_cost(problem, routes), steps)


def _moves(problem: PatrolProblem, iterations: int | None, watch: Watch) -> int | None:
    """Return the moves to make, None to fill the watch's time."""
    if not len(problem.services) or not len(problem.crews):
        return 0
    if iterations is None and not math.isfinite(watch.left_s):
        return max(LEAST_MOVES, MOVES_A_SERVICE * len(problem.services))
    return iterations


def _rounds(plan: WorkingPlan, watch: Watch, iterations: int | None, heat: float) -> int:
    """Anneal in rounds, each from the best plan so far; return the moves made.

    One is enough where there are few moves for each service. Where time is what ends the search, routes met are
    combined after each round.
    """
    all_s, steps = watch.left_s, 0
    kept_s = POOL_SHARE * all_s if iterations is None else 0.0
    rounds = _number_of_rounds(plan, iterations, all_s)
    for k in range(rounds):
        moves = None if iterations is None else (iterations - steps) // (rounds - k)
        part = watch.within((watch.left_s - kept_s) / (rounds - k))
        steps += _anneal(plan, part, moves, HEATS[k] * heat)
        plan.lay(plan.best_routes)
        if watch.over:
            break
        if iterations is None:
            found = combine(
                plan.pool, plan.best_as_routes, plan.alike, plan.worth, plan.best_cost, watch.within(kept_s)
            )  # fmt: skip
            if found is not None:
                plan.lay(found)
    return steps


def _number_of_rounds(plan: WorkingPlan, iterations: int | None, all_s: float) -> int:
    """Return as many rounds as have moves enough for each service."""
    n = max(len(plan.problem.services), 1)
    if iterations is None:
        moves, each = MOVES_PER_S * all_s, TIMED_ROUND_MOVES
    else:
        moves, each = float(iterations), ROUND_MOVES
    return int(min(max(moves // (each * n), 1), len(HEATS)))


def _anneal(
    plan: WorkingPlan, watch: Watch, iterations: int | None, heat: float, ceiling: float = math.inf
) -> int:  # fmt: skip
    """Let the temperature fall with the moves made or the time used, whichever is further; return the moves made."""
    hot, cold = _temperatures(plan, heat)
    in_all = math.inf if iterations is None else float(iterations)
    all_s = looked_s = watch.left_s
    steps, moves, gone = 0, FIRST_MOVES, 0.0
    while watch.left_s > 0.0 and steps < in_all:
        moves = int(min(moves, in_all - steps))
        plan.move(steps, steps + moves, in_all, hot=hot, cold=cold, gone=gone, ceiling=ceiling * (1.0 - ROUNDING))
        steps += moves
        left_s = watch.left_s
        moves, looked_s = _moves_until_look(moves, looked_s - left_s), left_s
        gone = _gone(all_s, left_s, timed=iterations is None)
        watch.tell("", value=plan.best_cost)
    return steps


def _temperatures(plan: WorkingPlan, heat: float) -> tuple[float, float]:
    """Return the first and the last temperature.

    While every service has a place, plans differ by seconds; where some are left out, by what these are worth.
    """
    hot, cold = HOT * plan.scale_s, COLD * plan.scale_s
    priced = plan.absent & np.isfinite(plan.problem.services.left_out)
    if priced.any():
        hot = max(hot, HOT_WORTH * float(np.median(plan.worth[priced])))
    return max(heat * hot, cold), (cold if math.isfinite(heat) else math.inf)


def _moves_until_look(moves: int, took_s: float) -> int:
    """Return how many moves to make before the next look at the watch."""
    if not took_s > 0.0:  # nor where no clock is kept
        return min(2 * moves, MOST_MOVES)
    return max(1, min(2 * moves, round(moves * LOOK_S / took_s)))


def _gone(all_s: float, left_s: float, *, timed: bool) -> float:
    """Return the part of the time that is used, as it bears on the temperature.

    A search steered by its moves heeds the time only once that is getting short: a slow start must not change it.
    """
    if not math.isfinite(all_s) or all_s <= 0.0:
        return 0.0
    used = 1.0 - left_s / all_s
    return used if timed else 1.25 * used - 0.25
