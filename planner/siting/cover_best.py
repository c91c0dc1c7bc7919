"""The best choice for a covering problem with limits: search, relaxation, shutting what cannot pay, branching."""

import math

import numpy as np

from planner import milp
from planner.siting.cover_improve import improved
from planner.siting.cover_model import Columns, CoverProblem, model_of, point_of
from planner.siting.plan import OPTIMAL_GAP, Plan
from planner.watch import Watch

BOUNDING = "bounding what sites could cover"
BRANCHING = "branching between sites"
#: Entries of the cover sets from which interior points solve the relaxation sooner than the simplex method.
MANY = 100_000
#: What solvers' tolerances may add up to, as a part of all there is to earn.
TOLERANCE = 1e-9


def best_cover(
    problem: CoverProblem,
    start: Columns,
    watch: Watch,
    seed: int,
    *,
    ceiling: float = math.inf,
    effort: float = 1.0,
    relaxation: milp.Relaxation | None = None,
) -> Plan:
    """Return the best choice, as columns of the whole problem, with its bound.

    start : a feasible choice of columns of ``problem``. ceiling : a bound known beforehand. effort : of the search.
    relaxation : of the problem but for the most that its only limit allows, where it is solved for several of them.

    1. Search from ``start``. 2. Bound by the linear relaxation. 3. Shut every column whose reduced cost says that a
    plan with it cannot be better than the best known one; rows left with equal columns merge. 4. Branch and bound.
    The bound holds for the whole problem: plans that use a column shut are no better than the plan at hand.
    """
    chosen = improved(problem, start, watch, seed, effort=effort)
    search = _Search(problem, chosen, min(problem.ceiling, ceiling), watch)
    core = problem if search.done else search.relaxed(relaxation)
    if not search.done and not watch.over:
        search.branch(core)
    return Plan(search.chosen, search.value, max(search.bound, search.value), maximised=True)


class _Search:
    """The best plan and bound so far, in columns of the whole problem."""

    def __init__(self, problem: CoverProblem, chosen: Columns, bound: float, watch: Watch) -> None:
        self.problem, self.watch, self.bound = problem, watch, bound
        self.chosen, self.value = problem.in_whole(chosen), problem.earned(chosen)
        self.grain = 1.0 if problem.whole else 0.0
        self.slip = TOLERANCE * max(problem.ceiling, 1.0)

    @property
    def done(self) -> bool:
        """Whether no better plan is left."""
        return self.bound <= self.value + max(self.grain - self.slip, self.slip)

    def relaxed(self, relaxation: milp.Relaxation | None) -> CoverProblem:
        """Bound by the relaxation and return the part of the problem in which any better plan lies."""
        problem = self.problem
        many = len(problem.sets.site_row) > MANY
        self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
        if relaxation is None:
            options = {"solver": "ipm" if many else "simplex"}
            solved = milp.solve(model_of(problem, whole=False), self.watch, options=options)
        else:
            solved = relaxation.solve(problem.sets.n_rows, float(problem.most[0]))
        if solved.x is None or solved.reduced_cost is None:
            return problem
        self.prove(solved.bound)
        self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
        room = self.bound - self.value - self.grain + self.slip
        m = problem.sets.n_sites
        return problem.within((solved.x[:m] > 0.5) | (-solved.reduced_cost[:m] <= room), np.zeros(0, np.int64))

    def prove(self, bound: float) -> None:
        """Take note of a proven bound on all plans better than the one known."""
        if self.grain:
            bound = math.floor(bound + self.slip)
        self.bound = min(self.bound, max(bound, self.value))

    def branch(self, core: CoverProblem) -> None:
        """Let branch and bound end what is left."""
        own = np.flatnonzero(np.isin(core.column, self.chosen))
        start = point_of(core, own) if len(own) + len(core.opened) == len(self.chosen) else None
        solved = milp.solve(
            model_of(core, whole=True), self.watch, start=start, gap=OPTIMAL_GAP / 4,
            options={"mip_abs_gap": 0.99 * self.grain}, doing=BRANCHING,
        )  # fmt: skip
        if solved.infeasible:
            self.bound = self.value
            return
        self.prove(solved.bound)
        if solved.x is not None:
            chosen = np.flatnonzero(solved.x[: core.sets.n_sites] > 0.5)
            if core.earned(chosen) > self.value:
                self.chosen, self.value = core.in_whole(chosen), core.earned(chosen)
