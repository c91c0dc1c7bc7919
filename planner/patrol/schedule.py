"""When a crew does what: the best directions of a route, hour by hour, and the plain reckoning of what a plan costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.patrol.problem import Floats, Ints, PatrolProblem

#: Sums of seconds in another order differ by rounding: so much of a limit, at least of one second.
ROUNDING = 1e-6

State = tuple[int, bool]


@dataclass(frozen=True, slots=True, eq=False)
class Timetable:
    """The hours of one route of m services, all in seconds of the problem's clock.

    direction : (m,) int64, 0 or 1. arrives_s, begins_s, ends_s : (m,) of each service; a crew waits between the first
    two. break_after : position of the service after which the break is taken, -1 for none. returns_s : back at the end.
    """

    direction: NDArray[np.int64]
    arrives_s: Floats
    begins_s: Floats
    ends_s: Floats
    break_after: int
    returns_s: float


def timetable(problem: PatrolProblem, crew: int, route: Ints) -> Timetable:
    """Return the hours of a route walked in the directions that end it earliest; ties go to direction 0.

    route : services in order, at least one. Shift and longest time are not looked at: see ``plan_cost``.
    Raises QuestionError where a service cannot be done by this crew, or not in its hours, or there is no way.
    """
    trail = _trail(problem, crew, route)
    back_s = _home(problem, crew, int(route[-1]), trail[-1])
    if not back_s:
        raise QuestionError(f"第 {crew + 1} 组的路线无法走完", f"the route of crew {crew} cannot be walked")
    state = min(back_s, key=lambda s: (back_s[s], s))
    returns_s = back_s[state]

    m = len(route)
    direction = np.zeros(m, np.int64)
    arrives, begins, ends = np.zeros(m), np.zeros(m), np.zeros(m)
    break_after = -1
    for j in range(m - 1, -1, -1):
        step = trail[j][state]
        direction[j], arrives[j], begins[j], ends[j] = state[0], step.arrives_s, step.begins_s, step.ends_s
        if state[1] and not step.before[1]:
            break_after = j
        state = step.before
    if problem.crews.break_s[crew] <= 0:
        break_after = -1
    return Timetable(direction, arrives, begins, ends, break_after, returns_s)


def plan_cost(problem: PatrolProblem, routes: Sequence[Ints]) -> float:
    """Return the cost of ``routes``, as ``PatrolProblem`` defines it; ``inf`` where one breaks a hard limit.

    routes : one for each crew, services in order. ``inf`` too where a service that must be done is in none.
    Raises QuestionError where a service is in two routes.
    """
    served = np.concatenate([np.zeros(0, np.int64), *routes]).astype(np.int64)
    if len(np.unique(served)) < len(served):
        raise QuestionError("同一任务被安排多次", "a service is in two routes")
    crews = problem.crews
    absent = np.ones(len(problem.services), bool)
    absent[served] = False
    cost = float(problem.services.left_out[absent].sum())
    for crew, route in enumerate(routes):
        if not len(route):
            continue
        back_s = _home(problem, crew, int(route[-1]), _trail(problem, crew, route)[-1])
        returns_s = min(back_s.values(), default=math.inf)
        took_s = returns_s - float(crews.from_s[crew])
        full = float(problem.services.load[route].sum())
        if (
            _above(returns_s, float(crews.until_s[crew]))
            or _above(took_s, float(crews.longest_s[crew]))
            or _above(full, float(crews.capacity[crew]))
        ):
            return math.inf
        fair = problem.uneven * took_s**2 / float(crews.longest_s[crew]) if problem.uneven else 0.0
        cost += took_s + fair + float(crews.extra_s[crews.kind[crew], route].sum())
    return cost


@dataclass(frozen=True, slots=True)
class _Step:
    """How a state after a service is reached earliest: from which state before, and its hours.

    goes_on_s : when the crew goes on, the break counted.
    """

    before: State
    arrives_s: float
    begins_s: float
    ends_s: float
    goes_on_s: float


def _trail(problem: PatrolProblem, crew: int, route: Ints) -> list[dict[State, _Step]]:
    """Return, after each service, the earliest step into each state: its direction, and whether the break is over."""
    s, c = problem.services, problem.crews
    mode = int(c.mode[crew])
    travel_s = problem.travel_s[mode]
    break_s, break_from_s = float(c.break_s[crew]), float(c.break_from_s[crew])
    here = {(0, break_s <= 0): (int(c.start[crew]), float(c.from_s[crew]))}
    trail: list[dict[State, _Step]] = []
    for i in np.asarray(route).tolist():
        takes_s = float(s.service_s[mode, i])
        steps: dict[State, _Step] = {}
        doable = math.isfinite(takes_s) and math.isfinite(c.extra_s[c.kind[crew], i])
        for d in (0, 1) if s.both_ways[mode, i] else (0,):
            for before, (place, at_s) in here.items():
                arrives_s = at_s + float(travel_s[place, s.begins[i, d]])
                begins_s = max(arrives_s, float(s.opens_s[i]))
                ends_s = begins_s + takes_s
                if not doable or not math.isfinite(ends_s) or _above(ends_s, float(s.closes_s[i])):
                    continue
                rests = not before[1] and ends_s >= break_from_s
                step = _Step(before, arrives_s, begins_s, ends_s, ends_s + (break_s if rests else 0.0))
                after = (d, before[1] or rests)
                if after not in steps or step.goes_on_s < steps[after].goes_on_s:
                    steps[after] = step
        here = {state: (int(s.ends[i, state[0]]), step.goes_on_s) for state, step in steps.items()}
        trail.append(steps)
    return trail


def _home(problem: PatrolProblem, crew: int, last: int, steps: dict[State, _Step]) -> dict[State, float]:
    """Return the hour of the return from each state after the last service that there is a way from."""
    c = problem.crews
    back_s = problem.travel_s[int(c.mode[crew]), :, int(c.end[crew])]
    hours = {
        state: step.goes_on_s + float(back_s[problem.services.ends[last, state[0]]]) for state, step in steps.items()
    }
    return {state: hour for state, hour in hours.items() if math.isfinite(hour)}


def _above(value: float, limit: float) -> bool:
    """Tell whether ``value`` is above ``limit`` by more than rounding."""
    return value > limit + (ROUNDING * max(1.0, abs(limit)) if math.isfinite(limit) else 0.0)
