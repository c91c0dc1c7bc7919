"""The proof that a maximal cover is (nearly) best: relaxation, cuts, fixing and merging in rounds, then branching."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from planner import milp
from planner.siting.cover_sets import CoverSets, Floats
from planner.siting.max_cover_core import Core
from planner.siting.max_cover_cuts import UNUSED, cut_rows, violated
from planner.siting.max_cover_search import improved, thinned
from planner.siting.plan import NO_SITES
from planner.watch import Watch

BOUNDING = "bounding what sites could cover"
BRANCHING = "branching between sites"
#: A cut is kept while the relaxed point leaves it no more slack than this.
TIGHT = 0.02
#: Rounds of cuts end once three together take less than this part off the gap, or after so many.
WORTH, ROUNDS = 0.03, 60
#: Sites a search near a relaxed point may choose from: those in use there, and in all so many times as many.
FAVOURED = 2.2
#: Elementary steps of one such search, at most and per entry of the cover sets, and what it may fall behind its best
#: at first, in parts of what a site covers on average.
STEPS, STEPS_PER_ENTRY, SLACK = 70_000_000, 700, 0.02
#: Plans kept, how many at least are new in every round, how many are merged at once, how often and in how many nodes.
PLANS, FRESH, MERGED, MERGES, NODES = 16, 8, 4, 24, 50
#: Entries of the cover sets up to which nothing is searched near a relaxed point, and from which plans do not merge.
FEW_ENTRIES, MANY_ENTRIES = 10_000, 60_000
NO_CUTS = np.empty((0, 3), np.int32)
#: What solvers' tolerances may add up to, as a part of all weight.
TOLERANCE = 1e-9


def prove(
    sets: CoverSets, core: Core, plans: list[NDArray[np.int64]], watch: Watch, seed: int
) -> tuple[NDArray[np.int64], float]:
    """Return (plan, bound): the best plan found on the way, and a proven bound on what any plan covers.

    sets : the whole instance. core : what is to be decided of it. plans : columns of the whole instance, one or more
    plans to start from.
    """
    proof = _Proof(sets, core, plans[0], watch, seed)
    for plan in plans:
        proof.try_plan(plan)
    proof.cut()
    if not proof.done and not watch.over:
        proof.branch()
    return proof.plan, max(proof.bound, proof.value)


class _Proof:
    """A proof under way: the best plan, the best bound, and the core in which any better plan lies."""

    def __init__(self, sets: CoverSets, core: Core, plan: NDArray[np.int64], watch: Watch, seed: int) -> None:
        self.sets, self.core, self.plan = sets, core, plan
        self.value = float(sets.weight[sets.covered(plan)].sum())
        self.watch, self.rng, self.bound = watch, np.random.default_rng(seed), core.most()
        self.slip = TOLERANCE * float(sets.weight.sum())
        #: Good plans and what they cover, best first.
        self.pool: list[tuple[float, NDArray[np.int64]]] = []
        #: A better plan is better by this at least: whole weights add up to whole numbers.
        self.grain = 1.0 if (sets.weight == np.round(sets.weight)).all() else 0.0

    @property
    def done(self) -> bool:
        """Whether no better plan is left."""
        return self.bound < self.value + self.grain - self.slip or self.bound <= self.value + self.slip

    def cut(self) -> None:
        """Solve the relaxation, fix what it leaves no room for, add cuts; again while that pays."""
        gaps = []
        for _ in range(ROUNDS):
            core = self.core
            model = model_of(core, whole=False)
            solved = milp.solve(model, self.watch, options={"solver": "ipm"})
            if solved.x is None or solved.reduced_cost is None:
                return
            self.prove_most(solved.value)
            y, z = solved.x[: core.sets.n_sites], solved.x[core.sets.n_sites : -1]
            if len(core.sets.site_row) > FEW_ENTRIES:  # fewer are branched on before a search has begun
                self.near(y, solved.reduced_cost[: core.sets.n_sites])
            self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
            gaps.append(self.bound - self.value)
            if self.done or self.watch.over or (len(gaps) > 3 and gaps[-1] > (1 - WORTH) * gaps[-4]):
                return
            new = violated(core.sets, y, z)
            tight = core.cuts[cut_rows(core.sets, core.cuts) @ solved.x[:-1] <= TIGHT - 1]
            self.fix(y, solved.reduced_cost[: core.sets.n_sites], np.concatenate([tight, new]))
            if len(new) == 0 and self.core.sets.n_sites == core.sets.n_sites:
                return

    def prove_most(self, bound: float) -> None:
        """Take note of a proven bound on all plans better than the one known."""
        if self.grain and math.isfinite(bound):
            bound = math.floor(bound + self.slip)
        self.bound = min(self.bound, max(bound, self.value))

    def try_plan(self, plan: NDArray[np.int64]) -> None:
        """Keep a plan if it is better, and among the good ones if none of these covers as much."""
        value = float(self.sets.weight[self.sets.covered(plan)].sum())
        if value > self.value:
            self.plan, self.value = plan, value
        if all(value != other for other, _ in self.pool):
            self.pool = sorted([*self.pool, (value, plan)], key=lambda one: -one[0])[:PLANS]

    def near(self, y: Floats, reduced_cost: Floats) -> None:
        """Search anew among the sites a relaxed point favours, then merge good plans; again while that finds better."""
        known = np.isin(self.core.site, self.plan)
        order = np.lexsort((-reduced_cost, y <= UNUSED, ~known))
        shut = np.ones(len(y), bool)
        shut[order[: max(int(FAVOURED * (y > UNUSED).sum()), self.core.count)]] = False
        core = self.core.reduced(shut, NO_SITES, self.core.count, NO_CUTS)
        relaxed = np.argsort(-y[np.isin(self.core.site, core.site)], kind="stable")[: core.count]
        steps = min(STEPS, STEPS_PER_ENTRY * len(core.sets.site_row))
        before = -math.inf
        while self.value > before and not self.watch.over:
            before = self.value
            self.pool = self.pool[: PLANS - FRESH]
            for _ in range(PLANS - len(self.pool)):
                others = self.rng.choice(core.sets.n_sites, core.count, replace=False)
                start = thinned(core.sets, np.union1d(relaxed, others), core.count, self.rng)
                seed = int(self.rng.integers(2**63))
                self.try_plan(core.plan(improved(core.sets, start, steps, SLACK, seed, self.watch)[0]))
            for _ in range(MERGES if len(self.pool) > 1 else 0):
                if not self.watch.over:
                    self.merge(core)

    def merge(self, core: Core) -> None:
        """Seek the best plan from the sites of some good plans: so few are left that it is mostly found.

        So tours are merged (Cook & Seymour 2003, doi:10.1287/ijoc.15.3.233.16078).
        """
        some = np.sort(self.rng.choice(len(self.pool), min(MERGED, len(self.pool)), replace=False))
        union = np.isin(core.site, np.concatenate([self.pool[k][1] for k in some]))
        core = core.reduced(~union, NO_SITES, core.count, NO_CUTS)
        if len(core.sets.site_row) > MANY_ENTRIES:
            return
        quiet = Watch(cancelled=lambda: self.watch.over)  # a bound on these sites bounds nothing else
        options = {"mip_abs_gap": 0.99 * self.grain, "mip_max_nodes": NODES, "mip_heuristic_effort": 0.02}
        start = point_of(core, self.pool[some[0]][1])
        solved = milp.solve(model_of(core, whole=True), quiet, start=start, options=options)
        if solved.x is not None:
            self.try_plan(core.plan(np.flatnonzero(solved.x[: core.sets.n_sites] > 0.5)))

    def fix(self, y: Floats, reduced_cost: Floats, cuts: NDArray[np.int32]) -> None:
        """Shut and open the sites whose reduced costs leave no better plan otherwise; merge what is left."""
        room = self.bound - self.value - self.grain + self.slip
        shut = (y < 0.5) & (-reduced_cost > room)
        opened = np.flatnonzero((y > 0.5) & (reduced_cost > room))
        self.core = self.core.reduced(shut, opened, self.core.count - len(opened), cuts)

    def branch(self) -> None:
        """Let branch and bound end what is left."""
        core = self.core
        start = point_of(core, self.plan)
        options = {"mip_abs_gap": 0.99 * self.grain, "mip_heuristic_effort": 0.02, "mip_detect_symmetry": False}
        solved = milp.solve(model_of(core, whole=True), self.watch, start=start, options=options, doing=BRANCHING)
        if solved.infeasible:
            return
        self.prove_most(solved.bound)
        if solved.x is not None:
            self.try_plan(core.plan(np.flatnonzero(solved.x[: core.sets.n_sites] > 0.5)))


def point_of(core: Core, plan: NDArray[np.int64]) -> Floats | None:
    """Return a plan as a point of the model of a core; None where it has sites the core has not."""
    at = np.flatnonzero(np.isin(core.site, plan))
    if len(at) > core.count or not np.isin(plan, np.concatenate([core.opened, core.site])).all():
        return None
    y = np.zeros(core.sets.n_sites)
    y[at] = 1.0
    return np.concatenate([y, core.sets.covered(at), [1.0]])


def model_of(core: Core, *, whole: bool) -> milp.Model:
    """Return the model of a core: most weight covered over (sites, covered parts, 1), its cuts as rows.

    The last column stands for what is covered already.
    """
    sets = core.sets
    m, n, q = sets.n_sites, sets.n_rows, len(core.cuts)
    cover = hstack([sets.row_matrix(), -eye_array(n, format="csr")], format="csr")
    at_most = csr_array((np.ones(m), np.arange(m), np.array([0, m])), shape=(1, m + n))
    rows = vstack([cover, at_most, cut_rows(sets, core.cuts)], format="csr")
    return milp.Model(
        cost=np.concatenate([np.zeros(m), sets.weight, [core.base]]),
        lower=np.append(np.zeros(m + n), 1.0), upper=np.ones(m + n + 1),
        matrix=csr_array((rows.data, rows.indices, rows.indptr), shape=(n + 1 + q, m + n + 1)),
        row_lower=np.concatenate([np.zeros(n), [-np.inf], np.full(q, -1.0)]),
        row_upper=np.concatenate([np.full(n, np.inf), [core.count], np.full(q, np.inf)]),
        integer=np.arange(m + n + 1) < (m if whole else 0), maximise=True,
    )  # fmt: skip
