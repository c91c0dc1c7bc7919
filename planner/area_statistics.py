"""Exact sums, means and quantiles of walking time over the areas people live in."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Weight counted as reached although rounding lost it.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class WeightedTimes:
    """k pieces of weight (people, or metres), each spread evenly over a span of time.

    item : (k,) position of what the weight belongs to (a home, a piece of street), by which its area is looked up.
    weight : (k,) >= 0. start_s, end_s : (k,) ends of the span in either order, equal for a single instant,
        ``inf`` where unreached.
    """

    item: NDArray[np.int32]
    weight: NDArray[np.float64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TimeStatistics:
    """Mean (over those reached), quantiles and unreached weight of g areas.

    mean_s : (g,) NaN where nobody is reached. quantile_s : (q, g) NaN where the area holds no weight, or where the
    quantile falls among the unreached. unreached : (g,) weight no point can be reached from.
    """

    mean_s: NDArray[np.float64]
    quantile_s: NDArray[np.float64]
    unreached: NDArray[np.float64]


def sum_by(group: NDArray[np.int32], n_groups: int, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (g,) sums of ``weight`` (k,) by ``group`` (k,); group -1 counts nowhere."""
    return np.bincount(group + 1, weight, minlength=n_groups + 1)[1:].astype(np.float64, copy=False)


def time_statistics(
    group: NDArray[np.int32], n_groups: int, times: WeightedTimes, quantiles: tuple[float, ...]
) -> TimeStatistics:
    """Return exact mean and quantiles of time for each of ``n_groups`` areas.

    group : (k,) area of each piece of weight, -1 for none. quantiles : each in (0, 1).
    The q-quantile is the smallest time by which a share q of all the area's weight, unreached included, is served:
    exact, since the served share grows linearly along every span.
    """
    kept = np.flatnonzero((group >= 0) & (times.weight > 0))
    kept = kept[np.argsort(group[kept], kind="stable")]
    key, weight = group[kept], times.weight[kept]
    start = np.minimum(times.start_s[kept], times.end_s[kept])
    end = np.maximum(times.start_s[kept], times.end_s[kept])
    reached = np.isfinite(end)
    total = sum_by(key, n_groups, weight)
    unreached = sum_by(key[~reached], n_groups, weight[~reached])

    key, weight, start, end = key[reached], weight[reached], start[reached], end[reached]
    served = sum_by(key, n_groups, weight)
    moment = sum_by(key, n_groups, weight * (start + end) / 2)
    indptr = np.zeros(n_groups + 1, np.int64)
    np.cumsum(np.bincount(key, minlength=n_groups), out=indptr[1:])
    mean = np.divide(moment, served, out=np.full(n_groups, np.nan), where=served > 0)
    quantile = np.array([_quantiles(indptr, weight, start, end, q * total) for q in quantiles])
    return TimeStatistics(mean, quantile.reshape(len(quantiles), n_groups), unreached)


@njit(cache=True)
def _quantiles(
    indptr: NDArray[np.int64],
    weight: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    target: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return per group the earliest time by which ``target`` weight is served; NaN where it never is.

    Narrows an open interval (low, high) of times until no span begins or ends inside it: there the served weight
    is a straight line. Spans wholly before it are summed once, spans wholly after it dropped.
    """
    n_groups = len(indptr) - 1
    out = np.full(n_groups, np.nan)
    for g in range(n_groups):
        first, last = indptr[g], indptr[g + 1]
        reached = 0.0
        low, high = np.inf, -np.inf
        for i in range(first, last):
            reached += weight[i]
            low, high = min(low, start[i]), max(high, end[i])
        goal = target[g]
        if last == first or goal <= 0.0 or goal > reached * (1.0 + ROUNDING):
            continue
        goal = min(goal, reached)
        low -= 1.0
        before = 0.0
        active = np.arange(first, last)
        n_active = last - first
        while True:
            middle, pivot, distance = (low + high) / 2.0, np.nan, np.inf
            for j in range(n_active):
                for t in (start[active[j]], end[active[j]]):
                    if low < t < high and abs(t - middle) < distance:
                        pivot, distance = t, abs(t - middle)
            if distance == np.inf:
                break
            served = before
            for j in range(n_active):
                i = active[j]
                if end[i] <= pivot:
                    served += weight[i]
                elif start[i] < pivot:
                    served += weight[i] * (pivot - start[i]) / (end[i] - start[i])
            if served >= goal:
                high = pivot
            else:
                low = pivot
            kept = 0
            for j in range(n_active):
                i = active[j]
                if end[i] <= low:
                    before += weight[i]
                elif start[i] < high or end[i] == high:
                    active[kept] = i
                    kept += 1
            n_active = kept
        served, slope = before, 0.0
        for j in range(n_active):
            i = active[j]
            if start[i] < high:
                slope += weight[i] / (end[i] - start[i])
                served += weight[i] * (low - start[i]) / (end[i] - start[i])
        out[g] = min(high, low + max(goal - served, 0.0) / slope) if slope > 0.0 else high
    return out
