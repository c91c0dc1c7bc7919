"""The best plan made of routes that a search has met, by set covering."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from planner.milp import Model, solve
from planner.patrol.problem import Floats, Ints
from planner.watch import Watch

#: Routes that the integer model holds at most, and nodes of its search.
MOST_ROUTES, MOST_NODES = 3000, 200
#: A plan is better only by more seconds than this.
GAIN = 1e-6

#: Kind of crew, cost, and services in order.
Route = tuple[int, float, Ints]


def combine(
    met: Sequence[Route], plan: Sequence[Route], alike: NDArray[np.int64], worth: Floats, cost: float, watch: Watch
) -> list[Ints] | None:
    """Return routes that together cost less than ``cost``, one for each crew, or None where none are found.

    met : routes to choose from. plan : those of the best plan so far. alike : (r,) the kind of each crew. worth : (n,)
    what leaving a service out costs. A service in several of the chosen routes stays in the first of them.

    The relaxation is solved over all routes, the integer model over those that its bound and reduced costs leave
    possible, as in the hybrids of Subramanian, Uchoa & Ochi 2013, doi:10.1016/j.cor.2013.01.013.
    """
    routes = [*met, *plan]
    n = len(worth)
    model = _model(routes, alike, worth, whole=False)
    relaxed = solve(model, watch)
    if relaxed.reduced_cost is None or not relaxed.bound < cost - GAIN:
        return None
    spare = np.abs(relaxed.reduced_cost[: len(met)])
    possible = np.flatnonzero(spare <= cost - relaxed.bound)
    possible = np.sort(possible[np.argsort(spare[possible], kind="stable")[:MOST_ROUTES]])
    routes = [*(met[i] for i in possible.tolist()), *plan]
    start = np.zeros(len(routes) + n)
    start[len(possible) : len(routes)] = 1.0
    start[len(routes) :] = 1.0
    for _, _, services in plan:
        start[len(routes) + services] = 0.0
    found = solve(
        _model(routes, alike, worth, whole=True), watch, start=start, options={"mip_max_nodes": MOST_NODES}
    )  # fmt: skip
    if found.x is None or not found.value < cost - GAIN:
        return None
    return _handed_out([routes[i] for i in np.flatnonzero(found.x[: len(routes)] > 0.5)], alike)


def _model(routes: Sequence[Route], alike: NDArray[np.int64], worth: Floats, *, whole: bool) -> Model:
    """Return the choice of routes, then of services left out: each service in one, no more routes than crews."""
    n, m, kinds = len(worth), len(routes), int(alike.max()) + 1
    sizes = np.array([len(services) for _, _, services in routes])
    of = np.concatenate([*(services for _, _, services in routes), np.arange(n)])
    column = np.concatenate([np.repeat(np.arange(m), sizes), m + np.arange(n), np.arange(m)])
    row = np.concatenate([of, n + np.array([kind for kind, _, _ in routes])])
    matrix = csc_array((np.ones(len(row)), (row, column)), shape=(n + kinds, m + n))
    return Model(
        cost=np.concatenate([[cost for _, cost, _ in routes], worth]), lower=np.zeros(m + n), upper=np.ones(m + n),
        matrix=matrix, row_lower=np.concatenate([np.ones(n), np.full(kinds, -np.inf)]),
        row_upper=np.concatenate([np.full(n, np.inf), np.bincount(alike, minlength=kinds)]),
        integer=np.full(m + n, whole),
    )  # fmt: skip


def _handed_out(chosen: Sequence[Route], alike: NDArray[np.int64]) -> list[Ints]:
    """Return the routes given to crews of their kind, each service once."""
    plan = [np.zeros(0, np.int32)] * len(alike)
    free = {kind: np.flatnonzero(alike == kind).tolist() for kind in set(alike.tolist())}
    seen: set[int] = set()
    for kind, _, services in chosen:
        plan[free[kind].pop(0)] = np.array([i for i in services.tolist() if i not in seen], np.int32)
        seen.update(services.tolist())
    return plan
