"""The proof that a maximal cover is (nearly) best: relaxation, cuts, fixing and merging in rounds, then branching."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from planner.siting import milp
from planner.siting.cover_sets import CoverSets, Floats
from planner.siting.max_cover_core import Core
from planner.siting.max_cover_cuts import cut_rows, violated
from planner.siting.max_cover_search import search_on, state_of, thinned
from planner.siting.watch import Watch

BOUNDING = "bounding what sites could cover"
BRANCHING = "branching between sites"
#: A cut is kept while the relaxed point leaves it no more slack than this.
SLACK = 1e-6
#: Rounds of cuts end once three together take less than this part off the gap, or after so many.
WORTH, ROUNDS = 0.03, 60
#: Elementary steps of the searches that start from each relaxed point, at most and per entry of the cover sets, and
#: what they may fall behind their best at first, in parts of what a site covers on average.
STEPS, STEPS_PER_ENTRY, SLACK = 200_000_000, 600, 0.02
#: What solvers' tolerances may add up to, as a part of all weight.
TOLERANCE = 1e-9


def prove(
    sets: CoverSets, core: Core, plan: NDArray[np.int64], value: float, watch: Watch, seed: int
) -> tuple[NDArray[np.int64], float]:
    """Return (plan, bound): the best plan found on the way, and a proven bound on what any plan covers.

    sets : the whole instance. core : what is to be decided of it. plan : columns of the whole instance, worth
    ``value``, to start from.
    """
    proof = _Proof(sets, core, plan, value, watch, seed)
    proof.cut()
    if not proof.done and not watch.over:
        proof.branch()
    return proof.plan, max(proof.bound, proof.value)


class _Proof:
    """A proof under way: the best plan, the best bound, and the core in which any better plan lies."""

    def __init__(
        self, sets: CoverSets, core: Core, plan: NDArray[np.int64], value: float, watch: Watch, seed: int
    ) -> None:
        self.sets, self.core, self.plan, self.value = sets, core, plan, value
        self.watch, self.rng, self.bound = watch, np.random.default_rng(seed), core.most()
        self.slip = TOLERANCE * float(sets.weight.sum())
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
            self.near(y)
            self.watch.tell(BOUNDING, value=self.value, bound=self.bound)
            gaps.append(self.bound - self.value)
            if self.done or self.watch.over or (len(gaps) > 3 and gaps[-1] > (1 - WORTH) * gaps[-4]):
                return
            new = violated(core.sets, y, z)
            tight = core.cuts[cut_rows(core.sets, core.cuts) @ solved.x[:-1] <= SLACK - 1]
            self.fix(y, solved.reduced_cost[: core.sets.n_sites], np.concatenate([tight, new]))
            if len(new) == 0 and self.core.sets.n_sites == core.sets.n_sites:
                return

    def prove_most(self, bound: float) -> None:
        """Take note of a proven bound on all plans better than the one known."""
        if self.grain and math.isfinite(bound):
            bound = math.floor(bound + self.slip)
        self.bound = min(self.bound, max(bound, self.value))

    def try_plan(self, plan: NDArray[np.int64]) -> None:
        """Keep a plan if it is better."""
        value = float(self.sets.weight[self.sets.covered(plan)].sum())
        if value > self.value:
            self.plan, self.value = plan, value

    def near(self, y: Floats) -> None:
        """Search on from the sites most open in a relaxed point, and from these together with the best plan's."""
        core = self.core
        relaxed = np.argsort(-y, kind="stable")[: core.count]
        known = np.flatnonzero(np.isin(core.site, self.plan))
        both = thinned(core.sets, np.union1d(relaxed, known), core.count, self.rng)
        steps = min(STEPS, STEPS_PER_ENTRY * len(core.sets.site_row)) // 2
        for start in (relaxed, both):
            state = state_of(core.sets, start, int(self.rng.integers(2**63)))
            for part in range(2, -1, -1):
                if not self.watch.over:
                    slack = SLACK * state.best_value[0] / max(core.count, 1) * part / 2
                    search_on(core.sets, state, steps // 3, slack)
            self.try_plan(core.plan(np.sort(state.best.astype(np.int64))))

    def fix(self, y: Floats, reduced_cost: Floats, cuts: NDArray[np.int32]) -> None:
        """Shut and open the sites whose reduced costs leave no better plan otherwise; merge what is left."""
        room = self.bound - self.value - self.grain + self.slip
        shut = (y < 0.5) & (-reduced_cost > room)
        opened = np.flatnonzero((y > 0.5) & (reduced_cost > room))
        self.core = self.core.reduced(shut, opened, self.core.count - len(opened), cuts)

    def branch(self) -> None:
        """Let branch and bound end what is left."""
        core = self.core
        at = np.searchsorted(core.site, np.setdiff1d(self.plan, core.opened))
        start = None
        if len(at) <= core.count and np.isin(self.plan, np.concatenate([core.opened, core.site])).all():
            y = np.zeros(core.sets.n_sites)
            y[at] = 1.0
            start = np.concatenate([y, core.sets.covered(at), [1.0]])
        options = {"mip_abs_gap": 0.99 * self.grain, "mip_heuristic_effort": 0.02, "mip_detect_symmetry": False}
        solved = milp.solve(model_of(core, whole=True), self.watch, start=start, options=options, doing=BRANCHING)
        if solved.infeasible:
            return
        self.prove_most(solved.bound)
        if solved.x is not None:
            self.try_plan(core.plan(np.flatnonzero(solved.x[: core.sets.n_sites] > 0.5)))


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
