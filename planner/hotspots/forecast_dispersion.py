"""Counts that scatter more than chance alone: the negative binomial, its scores, and its scatter fitted on the past."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, xlogy
from scipy.stats import nbinom

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: No mean is less than this, so that nothing seen is ever held impossible; the size stays within these.
LEAST_MEAN, SIZES = 1e-9, (1e-3, 1e6)
#: Bounds of log(scale) and power, and of the logit of a floor.
LOG_SCALES, POWERS, LOGITS = (-8.0, 12.0), (-1.0, 2.0), (-12.0, 8.0)
#: A law so near Poisson that no score here tells them apart.
POISSON = (50.0, 0.0)
#: Steps of a search, and how far it first looks.
STEPS, STRIDE = 60, 0.3


@dataclass(frozen=True, slots=True)
class Scatter:
    """How the size r of the negative binomial follows the mean m: r = scale * m ** power; variance m + m * m / r.

    Power 0 is the usual one (NB2), power 1 makes the variance a multiple of the mean (NB1), a great scale is Poisson.
    Source: Greene 2008, doi:10.1016/j.econlet.2007.10.015 (the NB-P model).
    """

    log_scale: float = 0.0
    power: float = 0.3

    def size(self, mean: Floats) -> Floats:
        """Return r for each mean."""
        with np.errstate(over="ignore"):
            return np.clip(np.exp(self.log_scale + self.power * np.log(mean)), *SIZES)

    def log_score(self, seen: Floats, mean: Floats) -> Floats:
        """Return the log probability of each count seen."""
        mean = np.maximum(mean, LEAST_MEAN)
        return log_negative_binomial(seen, mean, self.size(mean))

    def quantile(self, share: float, mean: Floats) -> Floats:
        """Return the least count that is not exceeded with at least this probability."""
        mean = np.maximum(mean, LEAST_MEAN)
        size = self.size(mean)
        return np.asarray(nbinom.ppf(share, size, size / (size + mean)), np.float64)

    def at_most(self, seen: Floats, mean: Floats) -> Floats:
        """Return the probability of at most so many; 0 below 0."""
        mean = np.maximum(mean, LEAST_MEAN)
        size = self.size(mean)
        return np.asarray(nbinom.cdf(seen, size, size / (size + mean)), np.float64)


def log_negative_binomial(seen: Floats, mean: Floats, size: Floats) -> Floats:
    """Return log P(seen) of the negative binomial with these means (> 0) and sizes (> 0), any one shape."""
    seen, mean, size = np.broadcast_arrays(seen, mean, size)
    score = np.asarray(-size * np.log1p(mean / size), np.float64)
    some = seen > 0
    y, m, r = seen[some], mean[some], size[some]
    score[some] += gammaln(y + r) - gammaln(r) - gammaln(y + 1.0) + y * np.log(m / (r + m))
    return score


def log_poisson(seen: Floats, mean: Floats) -> Floats:
    """Return log P(seen) of the Poisson law with these means (> 0)."""
    return np.asarray(xlogy(seen, mean) - mean - gammaln(seen + 1.0), np.float64)


def fit_scatter(seen: Floats, mean: Floats, weight: Floats, start: Scatter) -> Scatter:
    """Return the scatter of greatest weighted likelihood, searched from ``start``; all (k,), means > 0."""

    def loss(at: Floats) -> float:
        return -float(_total_score(seen, mean, mean, weight, 0.0, *_law(at))) / total

    total = float(weight.sum())
    return Scatter(*_law(_least(loss, [start.log_scale, start.power])))


def fit_floor_and_scatter(
    seen: Floats, mean: Floats, even: Floats, weight: Floats, start: tuple[float, Scatter]
) -> tuple[float, Scatter]:
    """Return the floor and scatter of greatest likelihood: the mean becomes (1 - floor) * mean + floor * even.

    even : (k,), the mean an even spread would have at that row. start : where the search begins.
    """

    def loss(at: Floats) -> float:
        return -float(_total_score(seen, mean, even, weight, _floor(at[0]), *_law(at[1:]))) / total

    total = float(weight.sum())
    floor, scatter = start
    at = _least(loss, [float(np.log(floor / (1.0 - floor))), scatter.log_scale, scatter.power], 2 * STEPS)
    return _floor(at[0]), Scatter(*_law(at[1:]))


def fit_floor(seen: Floats, mean: Floats, even: Floats, weight: Floats) -> float:
    """Return the floor of greatest Poisson likelihood (see ``fit_floor_and_scatter``)."""

    def loss(at: Floats) -> float:
        return -float(_total_score(seen, mean, even, weight, _floor(at[0]), *POISSON)) / total

    total = float(weight.sum())
    return _floor(_least(loss, [-3.0])[0])


def _floor(logit: float) -> float:
    return 1.0 / (1.0 + float(np.exp(-np.clip(logit, *LOGITS))))


def _law(at: Floats) -> tuple[float, float]:
    """Return log scale and power within their bounds."""
    return float(np.clip(at[0], *LOG_SCALES)), float(np.clip(at[1], *POWERS))


def _least(loss, start: list[float], steps: int = STEPS) -> Floats:  # type: ignore[no-untyped-def]
    """Return where the loss is least (Nelder & Mead 1965, doi:10.1093/comjnl/7.4.308)."""
    at = np.array(start)
    simplex = np.vstack([at, at + STRIDE * np.eye(len(at))])
    options = {"maxiter": steps, "xatol": 0.05, "fatol": 1e-5, "initial_simplex": simplex}
    found = minimize(loss, at, method="Nelder-Mead", options=options)
    return np.asarray(found.x, np.float64)


@njit(cache=True)
def _total_score(seen, mean, even, weight, floor, log_scale, power):  # type: ignore[no-untyped-def]
    """Return the weighted sum of log scores but for a constant, each mean drawn to ``even`` by the floor."""
    total = 0.0
    for k in range(seen.size):
        m = max((1.0 - floor) * mean[k] + floor * even[k], LEAST_MEAN)
        r = min(max(math.exp(min(log_scale + power * math.log(m), 50.0)), SIZES[0]), SIZES[1])
        y = seen[k]
        score = -r * math.log1p(m / r)
        if y > 0:
            if y <= 8:
                rise = 0.0
                for j in range(int(y)):
                    rise += math.log(r + j)
            else:
                rise = math.lgamma(y + r) - math.lgamma(r)
            score += rise + y * math.log(m / (r + m))
        total += weight[k] * score
    return total
