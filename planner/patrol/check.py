"""Whether a patrol plan keeps every hard limit, and what it costs: plain code that shares nothing with the search."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.notes import Note
from planner.patrol.problem import Ints, PatrolProblem

#: Sums of seconds in another order differ by rounding: so much of a limit, at least of one second.
ROUNDING = 1e-6


def faults(
    problem: PatrolProblem, routes: Sequence[Ints], directions: Sequence[NDArray[np.integer]] | None = None
) -> list[Note]:
    """Return what breaks a hard limit, nothing for a plan that keeps them all.

    routes : services in order, for each crew. directions : 0 or 1 for each of them; None to walk each route in the
    directions that end it earliest. Checked: each service at most once, by a mode and a kind of crew that may do it,
    in a direction it allows; ways, opening hours, shift, longest time, break, capacity. A service left out is no
    fault. Of each route the first fault on the way is named.
    """
    n, r = len(problem.services), len(problem.crews)
    if len(routes) != r:
        return [Note("routes", f"{r} 组人员却有 {len(routes)} 条路线", f"{len(routes)} routes for {r} crews")]
    served = np.concatenate([np.zeros(0, np.int64), *routes]).astype(np.int64)
    if len(served) and (served.min() < 0 or served.max() >= n):
        return [Note("unknown", "路线含有不存在的任务", "a route holds a service that does not exist")]

    found = []
    for i in np.flatnonzero(np.bincount(served, minlength=n) > 1):
        found.append(Note("twice", f"任务 {i} 被安排多次", f"service {i} is done more than once"))
    for crew, route in enumerate(routes):
        load, capacity = float(problem.services.load[route].sum()), float(problem.crews.capacity[crew])
        if _above(load, capacity):
            zh, en = (
                f"{_name(crew)} 超出容量：{load:g} > {capacity:g}",
                f"{_name(crew)} carries {load:g} of {capacity:g}",
            )
            found.append(Note("capacity", zh, en))
        if len(route):
            _, fault = _walk(problem, crew, route, None if directions is None else directions[crew])
            found += [] if fault is None else [fault]
    return found


def plain_cost(problem: PatrolProblem, routes: Sequence[Ints]) -> float:
    """Return the cost of ``routes`` as ``PatrolProblem`` says, ``inf`` where one cannot be walked in time."""
    left = np.ones(len(problem.services), bool)
    cost = 0.0
    for crew, route in enumerate(routes):
        if len(route):
            end_s, fault = _walk(problem, crew, route, None)
            if fault is not None:
                return math.inf
            took_s = end_s - float(problem.crews.from_s[crew])
            if problem.uneven:
                took_s += problem.uneven * took_s**2 / float(problem.crews.longest_s[crew])
            cost += took_s + float(problem.crews.extra_s[problem.crews.kind[crew], route].sum())
            left[route] = False
    return cost + float(problem.services.left_out[left].sum())


def _walk(
    problem: PatrolProblem, crew: int, route: Ints, directions: NDArray[np.integer] | None
) -> tuple[float, Note | None]:
    """Return the earliest end of a route, and the first thing that cannot be.

    Kept for each direction of the last service, and for whether the break has been taken, is the earliest hour.
    """
    services, crews = problem.services, problem.crews
    mode, travel_s = int(crews.mode[crew]), problem.travel_s[int(crews.mode[crew])]
    break_from_s, break_s = float(crews.break_from_s[crew]), float(crews.break_s[crew])
    # (place, break taken) -> seconds
    now = {(int(crews.start[crew]), break_s <= 0): float(crews.from_s[crew])}
    for step, i in enumerate(route.tolist()):
        asked = (0, 1) if directions is None else (int(directions[step]),)
        allowed = [d for d in asked if d == 0 or (d == 1 and services.both_ways[mode, i])]
        if not allowed:
            return math.inf, _fault(crew, i, "direction", "方向不允许", "may not be done in that direction")
        takes_s = float(services.service_s[mode, i])
        if not math.isfinite(takes_s) or not math.isfinite(crews.extra_s[crews.kind[crew], i]):
            return math.inf, _fault(crew, i, "not-theirs", "该组不可承担", "may not be done by this crew")
        then: dict[tuple[int, bool], float] = {}
        reached = False
        for d in allowed:
            for (place, broke), at_s in now.items():
                arrive_s = at_s + float(travel_s[place, services.begins[i, d]])
                end_s = max(arrive_s, float(services.opens_s[i])) + takes_s
                reached |= math.isfinite(arrive_s)
                if not math.isfinite(arrive_s) or _above(end_s, float(services.closes_s[i])):
                    continue
                rests = not broke and end_s >= break_from_s
                key = (int(services.ends[i, d]), broke or rests)
                then[key] = min(end_s + (break_s if rests else 0.0), then.get(key, math.inf))
        if not reached:
            return math.inf, _fault(crew, i, "no-way", "无路可达", "cannot be reached")
        if not then:
            return math.inf, _fault(crew, i, "closed", "晚于规定时段", "ends after its hours")
        now = then
    return _home(problem, crew, now)


def _home(problem: PatrolProblem, crew: int, now: dict[tuple[int, bool], float]) -> tuple[float, Note | None]:
    """Return the hour of the return, and whether it is too late."""
    crews = problem.crews
    back_s = problem.travel_s[int(crews.mode[crew])][:, int(crews.end[crew])]
    end_s = min(at_s + float(back_s[place]) for (place, _), at_s in now.items())
    took_s = end_s - float(crews.from_s[crew])
    if not math.isfinite(end_s):
        return end_s, Note("no-way", f"{_name(crew)} 无路返回", f"{_name(crew)} has no way back")
    if _above(end_s, float(crews.until_s[crew])):
        late_s = end_s - float(crews.until_s[crew])
        zh, en = f"{_name(crew)} 超出班次 {late_s:.0f} 秒", f"{_name(crew)} is back {late_s:.0f} s after the shift"
        return end_s, Note("shift", zh, en)
    if _above(took_s, float(crews.longest_s[crew])):
        zh = f"{_name(crew)} 用时 {took_s:.0f} 秒，超出上限 {crews.longest_s[crew]:.0f} 秒"
        en = f"{_name(crew)} is out {took_s:.0f} s of at most {crews.longest_s[crew]:.0f}"
        return end_s, Note("longest", zh, en)
    return end_s, None


def _above(value: float, limit: float) -> bool:
    """Tell whether ``value`` is above ``limit`` by more than rounding."""
    return value > limit + (ROUNDING * max(1.0, abs(limit)) if math.isfinite(limit) else 0.0)


def _fault(crew: int, service: int, code: str, zh: str, en: str) -> Note:
    return Note(code, f"{_name(crew)} 的任务 {service}：{zh}", f"service {service} of {_name(crew)} {en}")


def _name(crew: int) -> str:
    """Return a crew's name in tables."""
    return f"C{crew + 1:02d}"
