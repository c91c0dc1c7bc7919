"""The covering problem that mixes, backup and periods share: rows worth something covered, columns within limits."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from planner import milp
from planner.area_statistics import sum_by
from planner.siting.cover_sets import CoverSets, Floats

Columns = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CoverProblem:
    """Choose columns of ``sets`` that earn the most within linear limits, at most one column of a place.

    first, second : (n,) >= 0, what the first column that covers a row earns, and what the second adds.
    place : (m,) int32, below the length of ``must``. must : (p,) places where exactly one column is chosen.
    limits : (r, m) sparse, >= 0, with ``least <= limits @ y <= most``, (r,) each.
    base, opened : earned by columns opened on the way here, columns of the whole problem. column : (m,) in the whole.
    """

    sets: CoverSets
    first: Floats
    second: Floats
    place: NDArray[np.int32]
    must: NDArray[np.bool_]
    limits: csr_array
    least: Floats
    most: Floats
    base: float
    opened: Columns
    column: Columns

    @property
    def ceiling(self) -> float:
        """What could be earned at most if all were covered twice."""
        return self.base + float(self.first.sum() + self.second.sum())

    @property
    def whole(self) -> bool:
        """Whether only whole amounts are earned, so that a better plan is better by 1 at least."""
        return all((part == np.round(part)).all() for part in (self.first, self.second, np.array([self.base])))

    def earned(self, chosen: Columns) -> float:
        """Return what a choice of columns of this problem earns."""
        held = times_covered(self.sets, chosen)
        return self.base + float(self.first[held >= 1].sum() + self.second[held >= 2].sum())

    def in_whole(self, chosen: Columns) -> Columns:
        """Return columns of the whole problem, ascending: those chosen here and those opened on the way."""
        return np.sort(np.concatenate([self.opened, self.column[chosen]]))

    def within(self, free: NDArray[np.bool_], opened: Columns) -> "CoverProblem":
        """Return what is left to decide once the columns ``opened`` are open and those not ``free`` are shut.

        Rows that no free column covers go, and rows that the same free columns cover merge.
        """
        held = times_covered(self.sets, opened)
        base = self.base + float(self.first[held >= 1].sum() + self.second[held >= 2].sum())
        first = np.where(held == 0, self.first, np.where(held == 1, self.second, 0.0))
        second = np.where(held == 0, self.second, 0.0)
        must, free = self.must.copy(), free & ~np.isin(self.place, self.place[opened])
        must[self.place[opened]] = False
        used = np.asarray(self.limits[:, opened].sum(axis=1)) if len(opened) else np.zeros(len(self.most))
        sets = self.sets.part(first + second > 0, free)
        return CoverProblem(
            sets, sum_by(sets.row_of, sets.n_rows, first), sum_by(sets.row_of, sets.n_rows, second),
            self.place[free], must, csr_array(self.limits[:, np.flatnonzero(free)]), self.least - used,
            self.most - used, base, np.concatenate([self.opened, self.column[opened]]), self.column[free],
        )  # fmt: skip


def cover_problem(sets: CoverSets, first: Floats, second: Floats | None = None) -> CoverProblem:
    """Return a problem without limits, every column at a place of its own; ``dataclasses.replace`` adds the rest."""
    m = sets.n_sites
    return CoverProblem(
        sets, first, np.zeros_like(first) if second is None else second, np.arange(m, dtype=np.int32),
        np.zeros(m, bool), csr_array((0, m)), np.zeros(0), np.zeros(0), 0.0, np.zeros(0, np.int64), np.arange(m),
    )  # fmt: skip


def at_most(problem: CoverProblem, count: int, opened: Columns) -> CoverProblem:
    """Return the problem with ``opened`` open and at most ``count`` columns more."""
    free = np.ones(problem.sets.n_sites, bool)
    left = problem.within(free, opened)
    ones = csr_array(np.ones((1, left.sets.n_sites)))
    return replace(left, limits=ones, least=np.zeros(1), most=np.array([float(count)]))


def times_covered(sets: CoverSets, chosen: Columns) -> NDArray[np.int64]:
    """Return (n,) how many of the chosen columns cover each row."""
    rows = [sets.site_row[sets.site_ptr[j] : sets.site_ptr[j + 1]] for j in chosen]
    return np.bincount(np.concatenate(rows) if rows else np.zeros(0, np.int64), minlength=sets.n_rows)


def model_of(problem: CoverProblem, *, whole: bool) -> milp.Model:
    """Return the model over (columns y, first covers z, second covers, 1), y whole numbers or relaxed.

    A row's covers sum to no more than the columns chosen for it. They need not be whole numbers themselves, except
    where the second is worth more than the first, which it may not precede. The last column stands for ``base``.
    """
    sets, twice = problem.sets, np.flatnonzero(problem.second > 0)
    m, n, q = sets.n_sites, sets.n_rows, len(twice)
    eager = twice[problem.second[twice] > problem.first[twice]]
    seconds = csr_array((np.ones(q), (twice, np.arange(q))), shape=(n, q))
    in_order = eye_array(n, format="csr")[eager]
    open_places, shut_out = place_rows(problem)
    empty = csr_array((len(problem.most) + shut_out.sum(), n + q + 1))
    blocks = [
        hstack([sets.row_matrix(), -eye_array(n), -seconds, csr_array((n, 1))]),
        hstack([csr_array((len(eager), m)), in_order, -(in_order @ seconds), csr_array((len(eager), 1))]),
        hstack([vstack([problem.limits, open_places[shut_out]]), empty]),
    ]
    must, alone = problem.must[shut_out], problem.must & ~shut_out
    integer = np.zeros(m + n + q + 1, bool)
    integer[:m] = whole
    integer[m + eager] = whole
    return milp.Model(
        cost=np.concatenate([np.zeros(m), problem.first, problem.second[twice], [problem.base]]),
        lower=np.concatenate([alone[problem.place].astype(float), np.zeros(n + q), [1.0]]),
        upper=np.ones(m + n + q + 1),
        matrix=csr_array(vstack(blocks, format="csr")),
        row_lower=np.concatenate([np.zeros(n + len(eager)), problem.least, must.astype(float)]),
        row_upper=np.concatenate([np.full(n + len(eager), np.inf), problem.most, np.ones(len(must))]),
        integer=integer,
        maximise=True,
    )


def place_rows(problem: CoverProblem) -> tuple[csr_array, NDArray[np.bool_]]:
    """Return (p, m) the columns of each place, and (p,) which places have several, of which one at most is chosen."""
    p, m = len(problem.must), len(problem.place)
    rows = csr_array((np.ones(m), (problem.place, np.arange(m))), shape=(p, m))
    return rows, np.diff(rows.indptr) > 1


def point_of(problem: CoverProblem, chosen: Columns) -> Floats:
    """Return the point of ``model_of`` at a choice of columns."""
    held = times_covered(problem.sets, chosen)
    y = np.zeros(problem.sets.n_sites)
    y[chosen] = 1.0
    return np.concatenate([y, held >= 1, held[problem.second > 0] >= 2, [1.0]])
