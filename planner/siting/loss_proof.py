"""The most weight left covered after the worst loss of one open site."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, eye_array, hstack, vstack

from planner import milp
from planner.siting.cover_improve import improved
from planner.siting.cover_model import Columns, at_most, cover_problem, times_covered
from planner.siting.cover_sets import CoverSets, Floats
from planner.siting.max_cover import maximise_cover
from planner.siting.plan import OPTIMAL_GAP, Plan
from planner.watch import Watch

BRANCHING = "branching between sites"
#: What the second cover is worth to the search that starts the proof, in turn; the best of the plans is kept.
SECOND = (0.0, 0.1, 0.3, 0.5)
#: Part of the time there is for the most cover without a loss, which bounds what a loss can leave.
COVER_TIME = 0.5
#: Entries of the cover sets from which interior points solve the relaxation sooner than the simplex method.
MANY = 100_000
#: What solvers' tolerances may add up to, as a part of all weight.
TOLERANCE = 1e-9


def left_after_loss(sets: CoverSets, chosen: Columns) -> float:
    """Return the weight covered by ``chosen`` once the one of them that alone covers most is lost."""
    held = times_covered(sets, chosen)
    alone = np.where(held == 1, sets.weight, 0.0)
    lost = [alone[sets.site_row[sets.site_ptr[j] : sets.site_ptr[j + 1]]].sum() for j in chosen]
    return float(sets.weight[held >= 1].sum() - max(lost, default=0.0))


def best_left(sets: CoverSets, count: int, always: Columns, watch: Watch, seed: int) -> Plan:
    """Return the plan that leaves most covered after the worst loss; ``always`` are open beside ``count`` more."""
    most = maximise_cover(sets, count, fixed=always, watch=watch.within(watch.left_s * COVER_TIME), seed=seed)
    chosen = max(_searched(sets, count, always, watch, seed), most.chosen, key=lambda some: left_after_loss(sets, some))
    value, ceiling = left_after_loss(sets, chosen), most.bound  # no loss leaves more than there was
    if watch.over or value >= ceiling:
        return Plan(chosen, value, max(ceiling, value), maximised=True)

    free, bound = _worth(sets, count, always, value, watch)
    bound = min(bound, ceiling)
    part, column = sets.part(np.ones(sets.n_rows, bool), free), np.flatnonzero(free)
    if not watch.over:
        start = _point(part, np.searchsorted(column, chosen)) if free[chosen].all() else None
        model = loss_model(part, count, np.searchsorted(column, always), whole=True)
        solved = milp.solve(model, watch, start=start, gap=OPTIMAL_GAP / 4, doing=BRANCHING)
        bound = value if solved.infeasible else min(bound, solved.bound)
        found = chosen if solved.x is None else column[np.flatnonzero(solved.x[: part.n_sites] > 0.5)]
        if left_after_loss(sets, found) > value:
            chosen, value = found, left_after_loss(sets, found)
    return Plan(chosen, value, max(bound, value), maximised=True)


def _worth(sets: CoverSets, count: int, always: Columns, value: float, watch: Watch) -> tuple[NDArray[np.bool_], float]:
    """Return which columns a better plan may use, and a bound, by the linear relaxation."""
    options = {"solver": "ipm" if len(sets.site_row) > MANY else "simplex"}
    solved = milp.solve(loss_model(sets, count, always, whole=False), watch, options=options)
    if solved.x is None or solved.reduced_cost is None:
        return np.ones(sets.n_sites, bool), float(sets.weight.sum())
    room = solved.bound - value + TOLERANCE * float(sets.weight.sum())
    m = sets.n_sites
    free = (solved.x[:m] > 0.5) | (-solved.reduced_cost[:m] <= room)
    free[always] = True
    return free, solved.bound + TOLERANCE * float(sets.weight.sum())


def _searched(sets: CoverSets, count: int, always: Columns, watch: Watch, seed: int) -> Columns:
    """Return the best of plans found for backup cover, which are hard to hurt too."""
    best, best_value = always, left_after_loss(sets, always)
    for share in SECOND:
        problem = at_most(cover_problem(sets, (1 - share) * sets.weight, share * sets.weight), count, always)
        effort = 0.0 if watch.over else 1.0 / len(SECOND)
        found = problem.in_whole(improved(problem, np.zeros(0, np.int64), watch, seed, effort=effort))
        if left_after_loss(sets, found) > best_value:
            best, best_value = found, left_after_loss(sets, found)
    return best


def loss_model(sets: CoverSets, count: int, always: Columns, *, whole: bool) -> milp.Model:
    """Return the model over (columns y, first covers z, second covers b, all covered c, left t): greatest t.

    For each column j: ``t <= c - sum over its rows of w (y[j] - b)``. Where j is open that is what its loss leaves,
    for a row loses its cover where j has no second beside it. Where j is shut the right-hand side is c at least,
    and the row says nothing that ``t <= c`` does not.
    """
    m, n, weight = sets.n_sites, sets.n_rows, sets.weight
    own = csr_array(sets.row_matrix().T @ diags_array(weight))
    matrix = vstack([
        hstack([sets.row_matrix(), -eye_array(n), -eye_array(n), csr_array((n, 2))]),
        hstack([-diags_array(np.asarray(own.sum(axis=1))), csr_array((m, n)), own,
                csr_array(np.tile([1.0, -1.0], (m, 1)))]),
        csr_array(np.concatenate([np.zeros(m), weight, np.zeros(n), [-1.0, 0.0]])[None, :]),
        csr_array(np.concatenate([np.zeros(m + 2 * n), [1.0, -1.0]])[None, :]),
        csr_array(np.concatenate([np.ones(m), np.zeros(2 * n + 2)])[None, :]),
    ], format="csr")  # fmt: skip
    lower = np.zeros(m + 2 * n + 2)
    lower[always] = 1.0
    return milp.Model(
        cost=np.append(np.zeros(m + 2 * n + 1), 1.0), lower=lower,
        upper=np.append(np.ones(m + 2 * n), np.full(2, float(weight.sum()))), matrix=csr_array(matrix),
        row_lower=np.zeros(n + m + 3), row_upper=np.append(np.full(n + m + 2, np.inf), float(count + len(always))),
        integer=np.arange(m + 2 * n + 2) < (m if whole else 0), maximise=True,
    )  # fmt: skip


def _point(sets: CoverSets, chosen: Columns) -> Floats:
    """Return the point of the model at a choice of columns."""
    held = times_covered(sets, chosen)
    y = np.zeros(sets.n_sites)
    y[chosen] = 1.0
    total = float(sets.weight[held >= 1].sum())
    return np.concatenate([y, held >= 1, held >= 2, [total, left_after_loss(sets, chosen)]])
