"""Proof of a plan for the worst served: relaxation, shutting what cannot pay, then asking for ever higher shares."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from planner import milp
from planner.siting.cover_model import Columns
from planner.siting.max_cover import maximise_cover
from planner.siting.plan import OPTIMAL_GAP, Plan
from planner.siting.worst_share import ShareProblem, raised
from planner.watch import FOREVER, Watch

BOUNDING = "bounding the share of the worst served"
BRANCHING = "branching between sites"
#: Entries of the cover sets from which interior points solve the relaxation sooner than the simplex method.
MANY = 100_000
#: Nodes given to the whole model before single shares are asked for, and to the first such question.
NODES, ASK_NODES = 100, 20_000
#: How near the bound by counting is found, as a part of it.
COUNTED = 0.01
#: Groups up to which a game is played, its rounds for each, and its part of the time there is.
FEW, PLAYS, PLAY_TIME = 12, 4, 0.5
#: Groups that more than this part of all columns reach make no small models.
LOCAL = 0.5
#: Shares are told the solver in thousandths: its tolerance of a millionth is too coarse for them.
SCALE = 1000.0
#: What solvers' tolerances may add up to, in shares.
TOLERANCE = 1e-9
#: A question left open is put again for a share this part of the way further up to the bound.
UP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """Serving ``groups`` takes at least ``count`` of the ``columns`` (m,) that cover anything of theirs."""

    groups: list[int]
    columns: NDArray[np.bool_]
    count: float


def best_worst(problem: ShareProblem, watch: Watch, seed: int) -> Plan:
    """Return the plan, in columns of the whole problem, whose least share is greatest, with its bound.

    1. Bound many groups by counting columns as though no two covered the same, and few by a game: one side sites
    columns for the most of a weighted sum of shares, the other adds weight to whichever group is worst then
    (fictitious play; Robinson 1951, doi:10.2307/1969530). 2. Search by swaps. 3. Bound by the linear relaxation; shut
    every column whose reduced cost says that a plan with it cannot be better. 4. A short branch and bound. 5. Where
    that leaves a gap, halve it again and again: is there a plan that serves every group to a share t? Each group, and
    each two groups that share columns, then need so many columns of their own at least, found by small models; these
    numbers cut off what the relaxation takes in halves. The bound is the least share proven out of reach.
    """
    proof = _Proof(problem, watch, seed)
    proof.relax()
    if not proof.done and not watch.over:
        proof.branch()
    if not proof.done and not watch.over:
        proof.halve()
    bound = proof.value if proof.done else max(proof.bound, proof.value)
    return Plan(problem.in_whole(proof.chosen), proof.value, bound, maximised=True)


class _Proof:
    """The best plan (columns of ``problem``) and bound so far, and the ``core`` in which any better plan lies."""

    def __init__(self, problem: ShareProblem, watch: Watch, seed: int) -> None:
        self.problem, self.core, self.watch, self.seed = problem, problem, watch, seed
        self.bound = problem.ceiling
        self.chosen = np.zeros(0, np.int64)
        self.value = problem.worst(self.chosen)

    @property
    def done(self) -> bool:
        """Whether no better plan is left."""
        return self.bound <= self.value + self.fine

    @property
    def fine(self) -> float:
        """A share so little more than the best one that it makes no odds."""
        return max(OPTIMAL_GAP * abs(self.value) / 2, 4 * TOLERANCE)

    def try_plan(self, chosen: Columns) -> None:
        """Keep a plan if it is better."""
        value = self.problem.worst(chosen)
        if value > self.value:
            self.chosen, self.value = chosen, value

    def try_of_core(self, chosen: Columns) -> None:
        """Keep a plan of columns of the core if it is better."""
        self.try_plan(np.searchsorted(self.problem.column, self.core.column[chosen]))

    def relax(self) -> None:
        """Search, bound by the relaxation, and keep the columns with which a plan could be better."""
        problem = self.problem
        self.try_plan(raised(problem, np.zeros(0, np.int64), self.bound, FOREVER, self.seed, effort=0.0))
        if len(problem.base) > FEW:
            self.count()
        else:
            self.play()
        if self.done:
            return
        problem = self.core = problem.below(self.bound)
        start = np.flatnonzero(np.isin(problem.column, self.problem.column[self.chosen]))
        self.try_of_core(raised(problem, start, self.bound, self.watch, self.seed))
        if self.done or self.watch.over:
            return
        many = len(problem.sets.site_row) > MANY
        self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
        solved = milp.solve(
            share_model(problem, whole=False), self.watch, options={"solver": "ipm" if many else "simplex"}
        )
        if solved.x is None or solved.reduced_cost is None:
            return
        self.bound = min(self.bound, solved.bound + TOLERANCE)
        m = problem.sets.n_sites
        free = (solved.x[:m] > 0.5) | (-solved.reduced_cost[:m] <= self.bound - self.value + TOLERANCE)
        self.core = problem.within(free, np.zeros(0, np.int64))

    def count(self) -> None:
        """Find a share for which even columns of which no two cover the same are too few: models small in any city."""
        by_column = csr_array(self.problem.share @ self.problem.sets.row_matrix())
        low, target = self.value, self.value + self.fine
        while self.bound - low > max(COUNTED * self.bound, self.fine) and not self.watch.over:
            self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
            whole = low == self.value  # for anything better at all; beyond that the relaxation tells as much, sooner
            model = alone_model(self.problem, by_column, target, whole=whole)
            solved = milp.solve(model, self.watch, options={"mip_abs_gap": 0.99, "mip_max_nodes": NODES})
            if solved.infeasible or solved.bound > self.problem.count + 1e-6:
                self.bound = target
            else:
                low = target
            target = (low + self.bound) / 2

    def play(self) -> None:
        """Bound the least share by that of weighted sums of shares, of which each best plan is a try."""
        problem, g = self.problem, len(self.problem.base)
        watch = self.watch.within(self.watch.left_s * PLAY_TIME)
        times = np.zeros(g)
        times[np.argmin(problem.shares(self.chosen))] = 1.0
        for _ in range(PLAYS * g):
            if self.done or watch.over:
                break
            odds = times / times.sum()
            weight = np.asarray(odds @ problem.share)
            sets = replace(problem.sets, weight=weight).part(weight > 0, np.ones(problem.sets.n_sites, bool))
            plan = maximise_cover(sets, problem.count, watch=watch, seed=self.seed)
            self.bound = min(self.bound, float(odds @ problem.base) + plan.bound + TOLERANCE)
            self.try_plan(plan.chosen)
            times[np.argmin(problem.shares(plan.chosen))] += 1.0

    def branch(self) -> None:
        """Give the whole model a few nodes."""
        solved = self.solve(share_model(self.core, whole=True), nodes=NODES)
        self.bound = max(min(self.bound, solved.bound + TOLERANCE), self.value)
        if solved.infeasible:
            self.bound = self.value

    def solve(self, model: milp.Model, nodes: int, **options: float) -> milp.Solved:
        """Solve a model over (columns of the core, ...) and keep its plan if it is better."""
        options = {"mip_max_nodes": nodes, **options}
        solved = milp.solve(model, self.watch, gap=OPTIMAL_GAP / 4, options=options, doing=BRANCHING)
        if solved.x is not None:
            self.try_of_core(np.flatnonzero(solved.x[: self.core.sets.n_sites] > 0.5))
        return solved

    def halve(self) -> None:
        """Ask for shares between the value and the bound until they meet."""
        nodes, part = ASK_NODES, 0.5
        while not self.done and not self.watch.over:
            room = self.bound - self.value
            target = self.value + max(room * part, self.fine)
            self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
            before = self.value
            if self.beyond(target, nodes):
                self.bound = max(target, self.value)
                part = 0.5
            elif self.value > before:
                part = 0.5
            elif target <= self.value + self.fine:
                return  # the solver takes the best plan for a better one
            elif part < 0.9:
                part += (1 - part) * UP
            else:
                nodes, part = 4 * nodes, 0.5

    def beyond(self, target: float, nodes: int) -> bool:
        """Return whether no plan is proven to serve every group to ``target``; a plan found on the way is kept."""
        model = ask_model(self.core, target, self.needs(target))
        solved = self.solve(model, nodes, mip_abs_gap=0.99, mip_max_improving_sols=1)
        return solved.infeasible or solved.bound > self.core.count + 1e-6

    def needs(self, target: float) -> list[Need]:
        """Return the needs of every group and of every two that have columns in common."""
        core = self.core
        touched = (csr_array(core.share > 0).astype(float) @ core.sets.row_matrix()).toarray() > 0
        groups = [[g] for g in range(len(core.base)) if core.base[g] < target - TOLERANCE]
        pairs = [a + b for i, a in enumerate(groups) for b in groups[:i] if (touched[a[0]] & touched[b[0]]).any()]
        found: list[Need] = []
        for some in groups + pairs:
            columns = touched[some].any(axis=0)
            if columns.sum() > core.sets.n_sites * LOCAL or self.watch.over:
                continue
            part = replace(core, share=csr_array(core.share[some]), base=core.base[some])
            inside = [
                Need([some.index(g) for g in need.groups], need.columns[columns], need.count)
                for need in found
                if set(need.groups) <= set(some)
            ]
            model = ask_model(part.within(columns, np.zeros(0, np.int64)), target, inside)
            solved = milp.solve(model, self.watch, options={"mip_abs_gap": 0.99, "mip_max_nodes": NODES})
            if solved.infeasible or np.isfinite(solved.bound):
                count = core.count + 1.0 if solved.infeasible else float(np.ceil(solved.bound - 1e-6))
                found.append(Need(some, columns, count))
        return found


def share_model(problem: ShareProblem, *, whole: bool) -> milp.Model:
    """Return the model over (columns y, rows covered z, least share t): greatest t."""
    sets, g = problem.sets, len(problem.base)
    m, n = sets.n_sites, sets.n_rows
    matrix = vstack([
        hstack([sets.row_matrix(), -eye_array(n), csr_array((n, 1))]),
        hstack([csr_array((g, m)), SCALE * problem.share, csr_array(np.full((g, 1), -SCALE))]),
        csr_array(np.concatenate([np.ones(m), np.zeros(n + 1)])[None, :]),
    ], format="csr")  # fmt: skip
    return milp.Model(
        cost=np.append(np.zeros(m + n), 1.0), lower=np.zeros(m + n + 1), upper=np.ones(m + n + 1),
        matrix=csr_array(matrix), row_lower=np.concatenate([np.zeros(n), -SCALE * problem.base, [0.0]]),
        row_upper=np.concatenate([np.full(n + g, np.inf), [float(problem.count)]]),
        integer=np.arange(m + n + 1) < (m if whole else 0), maximise=True,
    )  # fmt: skip


def alone_model(problem: ShareProblem, by_column: csr_array, target: float, *, whole: bool) -> milp.Model:
    """Return the model over columns of the fewest whose shares, by_column (g, m), add up to ``target`` in each group.

    A column counts for no more than what the group lacks.
    """
    lack = np.maximum(target - 2 * TOLERANCE - problem.base, 0.0)
    m, part = problem.sets.n_sites, by_column.copy()
    part.data = SCALE * np.minimum(part.data, np.repeat(lack, np.diff(part.indptr)))
    return milp.Model(
        cost=np.ones(m), lower=np.zeros(m), upper=np.ones(m), matrix=part, row_lower=SCALE * lack,
        row_upper=np.full(len(lack), np.inf), integer=np.full(m, whole),
    )  # fmt: skip


def ask_model(problem: ShareProblem, target: float, needs: list[Need]) -> milp.Model:
    """Return the model over (y, z) of the fewest columns that serve every group to ``target``.

    A need adds two rows: at least so many of its columns, and a knapsack: what these serve of its groups by themselves,
    cut off at the target, must add up to it. The relaxation has the second already, but sees no whole numbers in it
    while it stands in terms of z.
    """
    sets, g, q = problem.sets, len(problem.base), len(needs)
    m, n = sets.n_sites, sets.n_rows
    lack = np.maximum(target - problem.base, 0.0)
    by_column = np.minimum((problem.share @ sets.row_matrix()).toarray(), lack[:, None])
    own = csr_array(np.array([need.columns for need in needs], float).reshape(q, m))
    together = csr_array(np.array([by_column[need.groups].sum(axis=0) for need in needs]).reshape(q, m))
    matrix = vstack([
        hstack([sets.row_matrix(), -eye_array(n)]),
        hstack([csr_array((g, m)), SCALE * problem.share]),
        hstack([vstack([own, SCALE * together]), csr_array((2 * q, n))]),
        csr_array(np.concatenate([np.ones(m), np.zeros(n)])[None, :]),
    ], format="csr")  # fmt: skip
    served = SCALE * (target - TOLERANCE - problem.base)
    least = np.array([need.count for need in needs])
    filled = SCALE * np.array([lack[need.groups].sum() - 2 * TOLERANCE * len(need.groups) for need in needs])
    return milp.Model(
        cost=np.concatenate([np.ones(m), np.zeros(n)]), lower=np.zeros(m + n), upper=np.ones(m + n),
        matrix=csr_array(matrix), row_lower=np.concatenate([np.zeros(n), served, least, filled, [0.0]]),
        row_upper=np.append(np.full(n + g + 2 * q, np.inf), float(problem.count)), integer=np.arange(m + n) < m,
    )  # fmt: skip


def fair_model(problem: ShareProblem, least: float) -> milp.Model:
    """Return the model over (y, z, t) of the most weight covered while every group is served to ``least``."""
    model = share_model(problem, whole=True)
    m = problem.sets.n_sites
    cost, lower = np.concatenate([np.zeros(m), problem.sets.weight, [0.0]]), model.lower.copy()
    lower[-1] = least
    return replace(model, cost=cost, lower=lower)
