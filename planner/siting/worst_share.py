"""The problem of the worst served: every group holds shares of its demand in rows; raise the least share covered."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from planner.siting.cover_model import Columns
from planner.siting.cover_sets import CoverSets, Floats
from planner.watch import Watch

SEARCHING = "searching good plans"
#: Elementary steps of a search, per entry of the cover sets and site to choose, and in all, and between two looks.
STEPS_PER_ENTRY, MOST_STEPS, STRIDE = 3_000, 1_500_000_000, 20_000_000
#: A search strives for this much more than the least share it has; swaps of one kick are drawn from 1 to ``KICK``.
STRIVE, KICK = 1.02, 3


@dataclass(frozen=True, slots=True, eq=False)
class ShareProblem:
    """Open at most ``count`` columns of ``sets`` so that the group served least is served best.

    share : (g, n) sparse, what part of group g's demand row i holds. base : (g,) parts covered by ``opened`` columns
    of the whole problem already. column : (m,) columns in the whole problem.
    """

    sets: CoverSets
    share: csr_array
    count: int
    base: Floats
    opened: Columns
    column: Columns

    def shares(self, chosen: Columns) -> Floats:
        """Return (g,) the share of each group that a choice of columns of this problem covers."""
        return np.asarray(self.base + self.share @ self.sets.covered(chosen).astype(float), np.float64)

    def worst(self, chosen: Columns) -> float:
        """Return the least share."""
        return float(self.shares(chosen).min())

    @property
    def ceiling(self) -> float:
        """The least share if every row were covered."""
        return float((self.base + self.share.sum(axis=1)).min())

    def in_whole(self, chosen: Columns) -> Columns:
        """Return columns of the whole problem, ascending: those chosen here and those opened on the way."""
        return np.sort(np.concatenate([self.opened, self.column[chosen]]))

    def within(self, free: NDArray[np.bool_], opened: Columns) -> "ShareProblem":
        """Return what is left to decide once the columns ``opened`` are open and those not ``free`` are shut."""
        free = free.copy()
        free[opened] = False
        covered = self.sets.covered(opened)
        base = self.base + self.share @ covered.astype(float)
        return self._part(np.ones(len(base), bool), ~covered, free, base, opened)

    def below(self, limit: float) -> "ShareProblem":
        """Return what matters to a least share under ``limit``: groups that have less, and columns that give to any."""
        group = self.base < limit
        row = np.asarray(self.share[group].sum(axis=0)) > 0
        gives = (row @ self.sets.row_matrix()) > 0
        return self._part(group, row, gives, self.base, np.zeros(0, np.int64))

    def _part(
        self, group: NDArray[np.bool_], row: NDArray[np.bool_], free: NDArray[np.bool_], base: Floats, opened: Columns
    ) -> "ShareProblem":
        """Return the problem of the groups, rows and columns marked; rows the same columns cover merge."""
        sets = self.sets.part(row, free)
        kept = sets.row_of >= 0
        merge = csr_array(
            (np.ones(kept.sum()), (np.flatnonzero(kept), sets.row_of[kept])), shape=(len(kept), sets.n_rows)
        )
        return ShareProblem(
            sets, csr_array(self.share[group] @ merge), self.count, base[group],
            np.concatenate([self.opened, self.column[opened]]), self.column[free],
        )  # fmt: skip


def share_problem(sets: CoverSets, share: csr_array, count: int, fixed: Columns) -> ShareProblem:
    """Return the problem with ``fixed`` open and at most ``count`` columns to open beside them."""
    m = sets.n_sites
    whole = ShareProblem(sets, share, count, np.zeros(share.shape[0]), np.zeros(0, np.int64), np.arange(m))
    return whole.within(np.ones(m, bool), fixed)


def raised(
    problem: ShareProblem, start: Columns, target: float, watch: Watch, seed: int, *, effort: float = 1.0
) -> Columns:
    """Return the best choice found from ``start`` on, filled up first with a view to serving all to ``target``.

    Swaps make the sum of squared shortfalls from a share a little above the best least share smaller, until none
    does; then a few random swaps and again, keeping what is no worse.
    """
    sets, by_row = problem.sets, csr_array(problem.share.T)
    p = min(problem.count, sets.n_sites)
    if p == 0:
        return np.zeros(0, np.int64)
    flat = (
        sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, by_row.indptr.astype(np.int64),
        by_row.indices.astype(np.int32), by_row.data.astype(np.float64),
    )  # fmt: skip
    chosen, best = np.full(p, -1, np.int32), np.full(p, -1, np.int32)
    chosen[: len(start)] = start
    held, got, least = np.zeros(sets.n_rows, np.int32), problem.base.copy(), np.full(1, -np.inf)
    random = np.random.default_rng(seed).integers(0, 2**64, 1, np.uint64)
    _fill(*flat, chosen, held, got, target, random)
    left = effort * min(STEPS_PER_ENTRY * (len(sets.site_row) + sets.n_sites) * p, MOST_STEPS)
    while left > 0 and not watch.over:
        _search(*flat, chosen, best, held, got, least, random, min(int(left), STRIDE))
        left -= STRIDE
        watch.tell(SEARCHING, value=float(least[0]))
    return np.unique((chosen if best[0] < 0 else best).astype(np.int64))  # a site that adds nothing may stand twice


@njit(cache=True)
def _draw(random, n):  # type: ignore[no-untyped-def]
    """Return a number from 0 to n - 1 (splitmix64)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.int64((z >> np.uint64(33)) % np.uint64(n))


@njit(cache=True)
def _turn(j, step, site_ptr, site_row, part_ptr, part_group, part, held, got):  # type: ignore[no-untyped-def]
    """Open (step 1) or shut (step -1) site j."""
    for e in range(site_ptr[j], site_ptr[j + 1]):
        i = site_row[e]
        if (step == 1 and held[i] == 0) or (step == -1 and held[i] == 1):
            for f in range(part_ptr[i], part_ptr[i + 1]):
                got[part_group[f]] += step * part[f]
        held[i] += step


@njit(cache=True)
def _short(got, target):  # type: ignore[no-untyped-def]
    """Return the sum of squared shortfalls from the target."""
    total = 0.0
    for g in range(got.size):
        if got[g] < target:
            total += (target - got[g]) ** 2
    return total


@njit(cache=True)
def _best(site_ptr, site_row, part_ptr, part_group, part, held, got, target, extra, random):  # type: ignore[no-untyped-def]
    """Return the site whose opening takes most off the shortfall, one of equals at random."""
    best, best_off, ties = 0, -1.0, 0
    for j in range(site_ptr.size - 1):
        off = 0.0
        for e in range(site_ptr[j], site_ptr[j + 1]):
            i = site_row[e]
            if held[i] == 0:
                for f in range(part_ptr[i], part_ptr[i + 1]):
                    g = part_group[f]
                    short = target - got[g] - extra[g]
                    if short > 0:
                        left = max(short - part[f], 0.0)
                        off += short * short - left * left
                    extra[g] += part[f]
        for e in range(site_ptr[j], site_ptr[j + 1]):
            i = site_row[e]
            if held[i] == 0:
                for f in range(part_ptr[i], part_ptr[i + 1]):
                    extra[part_group[f]] = 0.0
        if off > best_off + 1e-15:
            best, best_off, ties = j, off, 1
        elif off >= best_off - 1e-15:
            ties += 1
            if _draw(random, ties) == 0:
                best = j
    return best


@njit(cache=True)
def _fill(site_ptr, site_row, row_ptr, row_site, part_ptr, part_group, part, chosen, held, got, target, random):  # type: ignore[no-untyped-def]
    """Open the sites of ``chosen``, and the best one in turn where it has none."""
    extra = np.zeros(got.size)
    for at in range(chosen.size):
        if chosen[at] >= 0:
            _turn(chosen[at], 1, site_ptr, site_row, part_ptr, part_group, part, held, got)
    for at in range(chosen.size):
        if chosen[at] < 0:
            chosen[at] = _best(site_ptr, site_row, part_ptr, part_group, part, held, got, target, extra, random)
            _turn(chosen[at], 1, site_ptr, site_row, part_ptr, part_group, part, held, got)


@njit(cache=True)
def _search(  # type: ignore[no-untyped-def]
    site_ptr, site_row, row_ptr, row_site, part_ptr, part_group, part, chosen, best, held, got, least, random, limit
):
    """Swap and kick for about ``limit`` elementary steps; ``best`` and ``least`` keep the plan of greatest least."""
    p, m = chosen.size, site_ptr.size - 1
    extra, kept = np.zeros(got.size), chosen.copy()
    target = max(least[0], got.min()) * STRIVE + 1e-9
    work, before = 0, np.inf
    while True:
        still, at = 0, _draw(random, p)
        now = _short(got, target)
        while still < p and now > 0:
            r = chosen[at]
            _turn(r, -1, site_ptr, site_row, part_ptr, part_group, part, held, got)
            j = _best(site_ptr, site_row, part_ptr, part_group, part, held, got, target, extra, random)
            _turn(j, 1, site_ptr, site_row, part_ptr, part_group, part, held, got)
            chosen[at] = j
            work += site_row.size + m
            after = _short(got, target)
            still = 0 if after < now * (1 - 1e-9) else still + 1
            now = after
            at = (at + 1) % p
            if work >= limit and got.min() <= least[0]:
                break
        if got.min() > least[0]:
            least[0] = got.min()
            best[:] = chosen
            target = least[0] * STRIVE + 1e-9
            before = _short(got, target)
            kept[:] = chosen
        elif now <= before:
            before = now
            kept[:] = chosen
        else:
            for k in range(p):
                if chosen[k] != kept[k]:
                    _turn(chosen[k], -1, site_ptr, site_row, part_ptr, part_group, part, held, got)
            for k in range(p):
                if chosen[k] != kept[k]:
                    _turn(kept[k], 1, site_ptr, site_row, part_ptr, part_group, part, held, got)
                    chosen[k] = kept[k]
        if work >= limit:
            break
        for _ in range(1 + _draw(random, KICK)):
            at = _draw(random, p)
            r = chosen[at]
            j = _draw(random, m)
            if site_ptr[r + 1] > site_ptr[r] and _draw(random, 4) > 0:
                i = site_row[site_ptr[r] + _draw(random, site_ptr[r + 1] - site_ptr[r])]
                j = np.int64(row_site[row_ptr[i] + _draw(random, row_ptr[i + 1] - row_ptr[i])])
            _turn(r, -1, site_ptr, site_row, part_ptr, part_group, part, held, got)
            _turn(j, 1, site_ptr, site_row, part_ptr, part_group, part, held, got)
            chosen[at] = j
            work += 64
