"""Where high or low values cluster: Getis-Ord Gi and Gi*, and local Moran, with what chance alone would give.

Weights are 1 for a neighbour and 0 else (local Moran's by default shared out, so that each cell's add up to 1; the
standardised values are the same either way). A cell without neighbours has no local statistic, and neither has a cell
around which nothing varies: its z is NaN and its p is 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gis.errors import QuestionError
from planner.hotspots.local_permutations import counts_beyond
from planner.hotspots.neighbours import checked_links, neighbour_sums

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]

#: What ``LocalMoran.quadrant`` numbers: the cell's own value, then its neighbours', against the mean.
QUADRANTS = ("none", "high-high", "low-high", "low-low", "high-low")
STATISTICS = ("g", "g_star", "moran")
ALTERNATIVES = ("two-sided", "greater", "less")
#: A variance below this share of the whole is rounding, not variance.
NOTHING = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class LocalMoran:
    """Local Moran of n cells, each (n,).

    value : Ii = z_i / m2 * sum_j w_ij z_j, z the deviations from the mean, m2 the mean of their squares (divisor n, as
    in spdep; with divisor n - 1 it is (n - 1) / n of this, as in esda).
    expectation, variance : given z_i, all others shuffled. z : (value - expectation) / sqrt(variance).
    quadrant : int8, the place in ``QUADRANTS``; a value at the mean counts as low.
    NaN, and quadrant 0, where there is no statistic.
    """

    value: Floats
    expectation: Floats
    variance: Floats
    z: Floats
    quadrant: NDArray[np.int8]

    @property
    def p(self) -> Floats:
        """Two-sided p of z under the normal distribution, 1 where there is no statistic."""
        return normal_p(self.z)


def normal_p(z: Floats) -> Floats:
    """Return the two-sided p of standardised values under the normal distribution; 1 for NaN."""
    return np.where(np.isnan(z), 1.0, 2.0 * ndtr(-np.abs(z)))


def local_g(values: Floats, indptr: Integers, indices: Integers, *, star: bool = True) -> Floats:
    """Return the standardised Getis-Ord statistic (n,): how far the sum around a cell is from what chance gives.

    values : (n,), finite. indptr, indices : neighbours (``planner.hotspots.neighbours``).
    star : Gi* counts the cell among its neighbours and compares with all cells; Gi compares the neighbours with all
    cells but this one. NaN for a cell without neighbours, with all cells for neighbours, or where nothing varies.
    Raises QuestionError on values that are not finite or do not fit the neighbours.
    Source: Ord & Getis 1995, doi:10.1111/j.1538-4632.1995.tb00912.x.
    """
    values, d = _deviations(values, indptr, indices)
    degree = np.diff(indptr).astype(np.float64)
    around = neighbour_sums(d, indptr, indices)
    if star:
        return standardised_sums(around + d, degree + 1.0, len(d), float(d @ d), has=degree > 0)

    rest = len(d) - 1.0
    if rest < 2:
        return np.full(len(d), np.nan)
    mean, squares = -d / rest, float(d @ d)
    varies = (squares - d**2) / rest - mean**2
    spread = varies * (degree * rest - degree**2) / (rest - 1.0)
    known = (degree > 0) & (degree < rest) & (varies > NOTHING * squares / rest)
    return np.where(known, (around - degree * mean) / np.sqrt(np.where(known, spread, 1.0)), np.nan)


def standardised_sums(sums: Floats, weight: Floats, n: int, squares: float, *, has: NDArray[np.bool_]) -> Floats:
    """Return Gi* from sums of deviations over ``weight`` of n values, ``squares`` the sum of all squared deviations.

    NaN where ``has`` is false, where all values are summed, or where nothing varies.
    """
    if n < 2 or squares == 0.0:
        return np.full(sums.shape, np.nan)
    spread = squares / n * (n * weight - weight**2) / (n - 1.0)
    known = has & (weight < n)
    return np.where(known, sums / np.sqrt(np.where(known, spread, 1.0)), np.nan)


def local_moran(values: Floats, indptr: Integers, indices: Integers, *, shared: bool = True) -> LocalMoran:
    """Return local Moran: whether a cell and its neighbours lie on the same side of the mean, and how far.

    values : (n,), finite. shared : weights of a cell's neighbours add up to 1 (row-standardised), else each is 1.
    Raises QuestionError on values that are not finite or do not fit the neighbours.
    Source: Anselin 1995, doi:10.1111/j.1538-4632.1995.tb00338.x; moments given the cell's own value: Sokal, Oden &
    Thomson 1998, doi:10.1111/j.1538-4632.1998.tb00406.x, A7 and A8.
    """
    values, d = _deviations(values, indptr, indices)
    n, degree = len(d), np.diff(indptr).astype(np.float64)
    m2 = float(d @ d) / max(n, 1)
    known = (degree > 0) & (m2 > 0.0) & (n > 2)
    each = np.where(shared & (degree > 0), 1.0 / np.maximum(degree, 1.0), 1.0)
    around = each * neighbour_sums(d, indptr, indices)
    scale = m2 if m2 > 0.0 else 1.0
    total, squared, others = degree * each, degree * each**2, max(n - 1.0, 1.0)
    value = d / scale * around
    expectation = -(d**2) * total / (others * scale)
    room = np.maximum(squared - total**2 / others, 0.0) * np.maximum(m2 - d**2 / others, 0.0)
    variance = (d / scale) ** 2 * (n / max(n - 2.0, 1.0)) * room
    varies = known & (degree < others) & (variance > NOTHING * d**2 / scale * squared)
    z = np.where(varies, (value - expectation) / np.sqrt(np.where(varies, variance, 1.0)), np.nan)
    quadrant = np.where(d > 0, np.where(around > 0, 1, 4), np.where(around > 0, 2, 3))
    value, expectation, variance = (np.where(known, a, np.nan) for a in (value, expectation, variance))
    return LocalMoran(value, expectation, variance, z, np.where(known, quadrant, 0).astype(np.int8))


def permuted_p(
    values: Floats,
    indptr: Integers,
    indices: Integers,
    statistic: str,
    permutations: int,
    seed: int,
    *,
    alternative: str = "two-sided",
) -> Floats:
    """Return pseudo p (n,) by conditional permutation: a cell keeps its value, all others are shuffled.

    statistic : "g", "g_star" (for which the values around a cell decide alike) or "moran".
    alternative : "greater" is p = (M + 1) / (permutations + 1), M the permutations whose statistic is at least the
    observed one; "less" counts those at most it; "two-sided" is twice the smaller of both, at most 1. For local Moran
    "greater" means alike (high-high or low-low), "less" means unlike.
    One shuffle serves all cells, as usual: each p is right by itself, their errors go together. Statistics that differ
    by rounding alone are equal. A cell without neighbours or around which nothing varies has p = 1.
    The same seed gives the same bytes. Raises QuestionError on an unknown statistic or alternative, fewer than one
    permutation, and values that do not fit.
    Source: Anselin 1995, doi:10.1111/j.1538-4632.1995.tb00338.x; (M + 1) / (R + 1): Davison & Hinkley 1997,
    doi:10.1017/CBO9780511802843.
    """
    if statistic not in STATISTICS:
        raise QuestionError(f"未知统计量：{statistic}", f"unknown statistic {statistic!r}: expected {STATISTICS}")
    values, d = _deviations(values, indptr, indices)
    around, degree = neighbour_sums(values, indptr, indices), np.diff(indptr).astype(np.int64)
    if statistic != "moran":
        return permuted_p_of_sums(values, around, degree, permutations, seed, alternative=alternative)
    side = np.where(np.abs(d) > NOTHING * np.abs(values).max(initial=0.0), np.sign(d), 0.0)
    return permuted_p_of_sums(values, around, degree, permutations, seed, alternative=alternative, side=side)


def permuted_p_of_sums(
    values: Floats,
    sums: Floats,
    degree: Integers,
    permutations: int,
    seed: int,
    *,
    alternative: str = "two-sided",
    side: Floats | None = None,
) -> Floats:
    """Return pseudo p (n,) of the sum of ``degree`` other values than a cell's own; see ``permuted_p``.

    side : (n,) 1, -1 or 0: what the sum is multiplied by; by default 1. With 0 nothing can be told: p = 1.
    Raises QuestionError where a cell has as many neighbours as there are cells.
    """
    if len(values) and degree.max() >= len(values):
        raise QuestionError("邻居数超过网格数", f"{degree.max()} neighbours of {len(values)} cells")
    if alternative not in ALTERNATIVES:
        raise QuestionError(f"未知备择假设：{alternative}", f"unknown alternative {alternative!r}: {ALTERNATIVES}")
    if permutations < 1:
        raise QuestionError(f"置换次数无效：{permutations}", f"{permutations} permutations: at least 1 is needed")
    at_least, at_most = counts_beyond(values, sums, degree, permutations, np.random.default_rng([seed]))
    if side is not None:
        at_least, at_most = np.where(side < 0, at_most, at_least), np.where(side < 0, at_least, at_most)
    greater, less = (at_least + 1.0) / (permutations + 1.0), (at_most + 1.0) / (permutations + 1.0)
    if alternative == "two-sided":
        p = np.minimum(1.0, 2.0 * np.minimum(greater, less))
    else:
        p = greater if alternative == "greater" else less
    return p if side is None else np.where(side == 0.0, 1.0, p)


def _deviations(values: Floats, indptr: Integers, indices: Integers) -> tuple[Floats, Floats]:
    """Return the values, checked, and their deviations from the mean, all zero where nothing varies."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise QuestionError("数值必须为有限数", f"values of shape {values.shape} must be one finite number a cell")
    checked_links(len(values), indptr, indices)
    if not len(values) or values.min() == values.max():
        return values, np.zeros(len(values))  # the mean of equal numbers need not equal them
    return values, values - values.mean()
