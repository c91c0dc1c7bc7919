"""Exact answers for small patrols with too few crews: the most priority that can be covered, proven by HiGHS.

All sets of services that one crew can do in time are found by dynamic programming over sets (Held & Karp 1962, with
the direction of the last service in the state); an integer model then picks one set for each crew. Removing a service
never makes a route late, so sets that lie in others are left out. Without breaks.
"""

import numpy as np
from scipy.sparse import csr_array

from planner import milp
from planner.patrol.problem import PatrolProblem
from planner.watch import FOREVER


def most_covered(problem: PatrolProblem) -> float:
    """Return the most ``left_out`` that routes can save, proven (HiGHS closes the gap)."""
    assert not problem.crews.break_s.any()
    n, r = len(problem.services), len(problem.crews)
    columns = [(crew, mask) for crew in range(r) for mask in _largest(_doable(problem, crew), n)]
    member = np.array([[mask >> i & 1 for i in range(n)] for _, mask in columns], float).reshape(-1, n)
    crew_of = np.array([crew for crew, _ in columns], int)
    m = len(columns)
    # y_i <= sum of the chosen sets that hold i; one set a crew
    covers = np.hstack([member.T, -np.eye(n)])
    once = np.hstack([(crew_of == np.arange(r)[:, None]).astype(float), np.zeros((r, n))])
    solved = milp.solve(
        milp.Model(
            np.concatenate([np.zeros(m), problem.services.left_out]), np.zeros(m + n), np.ones(m + n),
            csr_array(np.vstack([covers, once])), np.concatenate([np.zeros(n), np.full(r, -np.inf)]),
            np.concatenate([np.full(n, np.inf), np.ones(r)]), np.arange(m + n) < m, maximise=True,
        ),
        FOREVER,
    )  # fmt: skip
    assert solved.bound <= solved.value * (1 + 1e-6) + 1e-6
    return solved.value


def _doable(problem: PatrolProblem, crew: int) -> np.ndarray:
    """Return (2**n,) whether one crew can do each set of services within its limits."""
    s, c = problem.services, problem.crews
    n, mode = len(s), int(c.mode[crew])
    travel = problem.travel_s[mode].astype(float)
    # a state is a service and its direction: 2 i + d
    begins, ends = s.begins.ravel(), s.ends.ravel()
    takes = np.repeat(np.where(np.isfinite(c.extra_s[c.kind[crew]]), s.service_s[mode], np.inf), 2)
    takes[1::2][~s.both_ways[mode]] = np.inf
    opens, closes = np.repeat(s.opens_s, 2), np.repeat(s.closes_s, 2)
    between, back = travel[np.ix_(ends, begins)], travel[ends, c.end[crew]]
    until = min(c.until_s[crew], c.from_s[crew] + c.longest_s[crew])

    def done(arrive: np.ndarray) -> np.ndarray:
        end = np.maximum(arrive, opens) + takes
        return np.where(end <= closes, end, np.inf)

    earliest = np.full((1 << n, 2 * n), np.inf)
    alone = done(c.from_s[crew] + travel[c.start[crew], begins])
    for i in range(n):
        earliest[1 << i, 2 * i : 2 * i + 2] = alone[2 * i : 2 * i + 2]
    doable = np.zeros(1 << n, bool)
    doable[0] = True
    for mask in range(1, 1 << n):
        at = earliest[mask]
        if (at + back).min() > until or sum(s.load[i] for i in range(n) if mask >> i & 1) > c.capacity[crew]:
            continue  # so nothing that holds it can be done either
        doable[mask] = True
        end = done((at[:, None] + between).min(axis=0))
        for j in range(n):
            if not mask >> j & 1:
                to = earliest[mask | 1 << j, 2 * j : 2 * j + 2]
                np.minimum(to, end[2 * j : 2 * j + 2], out=to)
    return doable


def _largest(doable: np.ndarray, n: int) -> list[int]:
    """Return the doable sets that lie in no other."""
    return [
        int(mask)
        for mask in np.flatnonzero(doable)
        if not any(not mask >> i & 1 and doable[mask | 1 << i] for i in range(n))
    ]
