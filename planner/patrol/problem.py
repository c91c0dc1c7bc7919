"""A patrol to be planned, as arrays: services on streets, crews with shifts, and the ways between them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Services:
    """What is to be walked or looked at: n services, each along one segment or at one point.

    A service is done in direction 0 or, where ``both_ways`` allows, direction 1: it begins at place
    ``begins[i, d]`` and ends at place ``ends[i, d]`` (a point check begins and ends at one place).

    begins, ends : (n, 2) int32 places. both_ways : (k, n) whether mode k may serve against direction 0.
    service_s : (k, n) seconds mode k takes, ``inf`` where it may not. load : (n,) >= 0, counted against a crew's
    capacity. left_out : (n,) > 0 what leaving the service out costs, in seconds of crew time; ``inf`` where it must
    be done if any plan does it.
    opens_s, closes_s : (n,) the service lies wholly between them; ``-inf``, ``inf`` where the hour is free.
    """

    begins: Ints
    ends: Ints
    both_ways: Flags
    service_s: Floats
    load: Floats
    left_out: Floats
    opens_s: Floats
    closes_s: Floats

    def __len__(self) -> int:
        return len(self.begins)


@dataclass(frozen=True, slots=True, eq=False)
class Crews:
    """Who patrols: r crews (one grid worker, or a pair that stays together), each with at most one route.

    mode : (r,) int32 which of the k modes. start, end : (r,) int32 places.
    from_s, until_s : (r,) the shift. longest_s : (r,) most seconds from start to end, the break counted.
    break_from_s, break_s : (r,) a break of ``break_s`` seconds (0 for none) is taken at the end of the first service
    that ends at ``break_from_s`` or later, where any does. capacity : (r,) most load, ``inf`` for none.
    kind : (r,) int32 row of ``extra_s``. extra_s : (kinds, n) >= 0 seconds added to the cost (not to the time) of a
    service done by a crew of that kind, as away from home; ``inf`` where the kind may not do it.
    """

    mode: Ints
    start: Ints
    end: Ints
    from_s: Floats
    until_s: Floats
    longest_s: Floats
    break_from_s: Floats
    break_s: Floats
    capacity: Floats
    kind: Ints
    extra_s: Floats

    def __len__(self) -> int:
        return len(self.mode)


@dataclass(frozen=True, slots=True, eq=False)
class PatrolProblem:
    """Services, crews and the seconds between p places: travel_s (k, p, p) float32, ``inf`` where there is no way.

    uneven : weight of fairness; a route of ``d`` seconds costs ``d + uneven * d * d / longest_s`` of its crew
    (``uneven`` 0 where ``longest_s`` is infinite).

    The cost of a plan, which every part of the search agrees on: over all routes that serve anything, its duration
    (from ``from_s`` to the return, waiting and break counted) with that term and the ``extra_s`` of its services;
    over all services in no route, ``left_out``. A crew without services costs nothing. Crews leave at ``from_s``.

    Raises QuestionError on shapes that differ, or numbers that no plan could use.
    """

    services: Services
    crews: Crews
    travel_s: NDArray[np.float32]
    uneven: float = 0.0

    def __post_init__(self) -> None:
        s, c = self.services, self.crews
        k, p, n, r = *self.travel_s.shape[:2], len(s), len(c)
        shapes = [
            (self.travel_s, (k, p, p)), (s.begins, (n, 2)), (s.ends, (n, 2)),
            *((a, (k, n)) for a in (s.both_ways, s.service_s)),
            *((a, (n,)) for a in (s.load, s.left_out, s.opens_s, s.closes_s)),
            *((a, (r,)) for a in (c.start, c.end, c.from_s, c.until_s, c.longest_s)),
            *((a, (r,)) for a in (c.break_from_s, c.break_s, c.capacity, c.kind)),
            (c.extra_s, (len(c.extra_s), n)),
        ]  # fmt: skip
        if any(array.shape != shape for array, shape in shapes):
            raise QuestionError("巡查问题的数组形状不一致", "the arrays of a patrol differ in shape")
        places = [s.begins, s.ends, c.start, c.end]
        if any(len(at) and (at.min() < 0 or at.max() >= p) for at in places):
            raise QuestionError("巡查地点编号超出范围", "a patrol names a place that does not exist")
        if not (s.left_out > 0).all() or not (s.load >= 0).all() or not math.isfinite(self.uneven):
            raise QuestionError("巡查问题的数值无效", "a patrol has a number that no plan can use")
        if self.uneven > 0 and not np.isfinite(c.longest_s).all():
            raise QuestionError("公平性须有班次上限", "fairness needs a longest shift for every crew")


@dataclass(frozen=True, slots=True, eq=False)
class PatrolPlan:
    """Routes for the crews of a problem.

    routes : one int32 array of services, in order, for each crew. cost : as ``PatrolProblem`` says.
    steps : moves tried, for reports of speed.
    """

    routes: tuple[Ints, ...]
    cost: float
    steps: int = 0
