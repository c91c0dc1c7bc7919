"""Search for the routes of a patrol: which crew does which services, in which order and directions."""

import math
from collections.abc import Sequence

import numpy as np

from planner.patrol.problem import Ints, PatrolPlan, PatrolProblem
from planner.patrol.schedule import plan_cost
from planner.patrol.working_plan import WorkingPlan
from planner.watch import Watch

#: Temperatures at the begin and the end, in usual services' costs.
HOT, COLD = 1.0, 0.01
#: Where services are left out, the temperature begins at this part of their usual worth, if that is more.
HOT_WORTH = 0.1
#: Moves for each service, and at least, where neither moves nor time are limited.
MOVES_A_SERVICE, LEAST_MOVES = 400, 4000
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
    watch's time. start : routes to begin from, one for each crew; services that do not fit are left out of them.
    heat : the first temperature, as a multiple of the usual one; less keeps nearer to ``start``.
    ceiling : finite to walk at random, from ``start``, among plans that cost no more, and return the last one.

    The plan keeps every hard limit; its cost is infinite only where a service that must be done found no place.
    """
    plan = WorkingPlan(problem, seed)
    if start is not None:
        plan.lay(start)
    walk = math.isfinite(ceiling)
    if not walk:
        plan.fill()
    if iterations is None and not math.isfinite(watch.left_s):
        iterations = max(LEAST_MOVES, MOVES_A_SERVICE * len(problem.services))
    steps = 0
    if len(problem.services) and len(problem.crews):
        steps = _anneal(plan, watch, iterations, heat, ceiling)
    if not walk:
        plan.lay(plan.best_routes)
        plan.fill()
    routes = plan.routes if walk else plan.best_routes
    return PatrolPlan(routes, plan_cost(problem, routes), steps)


def _anneal(plan: WorkingPlan, watch: Watch, iterations: int | None, heat: float, ceiling: float) -> int:
    """Let the temperature fall with the moves made or the time used, whichever is further; return the moves made."""
    hot, cold = _temperatures(plan, heat)
    if math.isfinite(ceiling):
        hot = cold = math.inf
    in_all = math.inf if iterations is None else float(iterations)
    all_s = looked_s = watch.left_s
    steps, moves, gone = 0, FIRST_MOVES, 0.0
    while watch.left_s > 0.0 and steps < in_all:
        moves = int(min(moves, in_all - steps))
        plan.move(steps, steps + moves, in_all, hot=hot, cold=cold, gone=gone, ceiling=ceiling)
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
    return max(heat * hot, cold), cold


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
