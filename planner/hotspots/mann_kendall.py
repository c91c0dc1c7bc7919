"""Whether a series rises or falls as time goes on, whatever the shape: the Mann-Kendall test."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.local_statistics import normal_p

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The distribution of S is counted out for series without ties of at most so many steps.
LONGEST_EXACT = 200


@dataclass(frozen=True, slots=True)
class Trend:
    """One series: S, its variance, z with continuity correction, two-sided p, Kendall's tau-b with time."""

    s: int
    variance: float
    z: float
    p: float
    tau: float


@dataclass(frozen=True, slots=True, eq=False)
class Trends:
    """The same of n series, each (n,): z and tau are NaN and p is 1 where all values are equal or any is NaN."""

    s: Ints
    variance: Floats
    z: Floats
    p: Floats
    tau: Floats


def mann_kendall(series: Floats, *, exact: bool = True) -> Trend:
    """Test one series (t,) for a monotone trend; see ``mann_kendall_rows``. Raises QuestionError on NaN."""
    series = np.asarray(series, np.float64)
    if series.ndim != 1 or np.isnan(series).any():
        raise QuestionError("时间序列无效", f"a series of shape {series.shape} must be one number a step, none missing")
    rows = mann_kendall_rows(series[None], exact=exact)
    return Trend(int(rows.s[0]), *(float(a[0]) for a in (rows.variance, rows.z, rows.p, rows.tau)))


def mann_kendall_rows(series: Floats, *, exact: bool = True) -> Trends:
    """Test each row of (n, t) for a monotone trend over its t equal steps.

    S counts pairs of steps that rise less those that fall. Its variance is [t (t - 1) (2 t + 5) - sum over groups of g
    equal values of g (g - 1) (2 g + 5)] / 18; z = (S - sign S) / sqrt(variance).
    p : of rows with ties twice the normal tail beyond z; of rows without ties, of up to 200 steps, twice the exact tail
    of S, unless ``exact`` is false.
    Source: Mann 1945, doi:10.2307/1907187; Kendall 1975, Rank Correlation Methods.
    """
    series = np.asarray(series, np.float64)
    if series.ndim != 2 or series.shape[1] < 1:
        raise QuestionError("时间序列无效", f"series of shape {series.shape} must be rows of at least one step")
    n, t = series.shape
    s, equals = np.zeros(n, np.int64), np.zeros((n, t), np.int64)
    for lag in range(1, t):
        later, earlier = series[:, lag:], series[:, :-lag]
        s += (later > earlier).sum(axis=1) - (later < earlier).sum(axis=1)
        same = later == earlier
        equals[:, lag:] += same
        equals[:, :-lag] += same
    # a group of g holds g values with g - 1 equals each
    tied = (equals * (2 * equals + 7)).sum(axis=1)
    variance = (t * (t - 1) * (2 * t + 5) - tied) / 18.0
    known = (variance > 0.0) & ~np.isnan(series).any(axis=1)
    s = np.where(known, s, 0)
    z = np.where(known, (s - np.sign(s)) / np.sqrt(np.where(known, variance, 1.0)), np.nan)
    p = normal_p(z)
    if exact and 2 <= t <= LONGEST_EXACT:
        untied = known & (tied == 0)
        p[untied] = _exact_p(t)[np.abs(s[untied])]
    pairs = t * (t - 1) / 2.0
    apart = pairs - equals.sum(axis=1) / 2.0
    tau = np.where(known, s / np.sqrt(np.where(known, pairs * apart, 1.0)), np.nan)
    return Trends(s, np.where(known, variance, 0.0), z, p, tau)


@lru_cache(maxsize=32)
def _exact_p(t: int) -> Floats:
    """Return the two-sided p of each |S| = 0, 1, ..., t (t - 1) / 2 over all equally likely orders of t values.

    The i-th value falls below 0, 1, ... or i - 1 of those before it: the number of falling pairs is a sum of such draws
    (Kendall 1938, doi:10.1093/biomet/30.1-2.81). Only the lower half is summed, where small numbers stay exact.
    """
    pairs = t * (t - 1) // 2
    half = pairs // 2
    chance = np.zeros(half + 1)
    chance[0] = 1.0
    for i in range(2, t + 1):
        up_to = np.cumsum(chance)
        up_to[i:] -= up_to[:-i].copy() if i <= half else 0.0
        chance = up_to / i
    lower = np.cumsum(chance)
    falling = (pairs - np.arange(pairs + 1)) // 2  # |S| = pairs - 2 falling: the other parity never occurs
    return np.minimum(1.0, 2.0 * lower[falling])
