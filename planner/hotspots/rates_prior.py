"""What a street is expected to be like before its own reports are read: from its neighbours, class and length."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

Floats = NDArray[np.float64]

#: Standard deviations of the kernels, from wide to narrow; a grid cell is a third of one, the kernel three long.
KERNELS_M = (600.0, 300.0, 150.0, 75.0)
CELLS, REACH = 3, 3
#: A narrow kernel starts from the next wider with the weight of so many reports.
BORROWED = 1.0
#: How firmly coefficients hold to where they start: of kernels (at 0.5), of log size (at 1), of classes (at 0).
HOLD_KERNEL, HOLD_SIZE, HOLD_CLASS, HOLD_SHAPE = 2.0, 20.0, 10.0, 1.0
NEWTON = 40


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """A Gamma distribution (n,) of people per week for each segment: its mean and its shape."""

    mean: Floats
    shape: Floats


def prior_of(
    count: Floats, weeks: Floats, x: Floats, y: Floats, size: Floats, covariates: Floats | None = None
) -> Prior:
    """Return what each segment would be expected to have, by the others' reports: mean and shape of a Gamma.

    count, weeks : (n,) reports and exposure. x, y : (n,) metres. size : (n,), > 0, what rates go with (metres of
    street; people). covariates : (n, c), for instance 0/1 of street classes.

    1. Reports per week and size around each segment, its own left out, by Gaussian kernels of 600, 300, 150 and 75 m,
       each starting from the wider one with the weight of one report (a cascade of Gamma-Poisson means).
    2. log mean = these, size and covariates, by iterated weighted least squares of a negative binomial with ridge.
    3. log shape = quadratic in the log of the mean per size, by marginal likelihood (negative binomial), so that
       intervals are as wide as segments differ from what is expected of them, in quiet and busy quarters alike.
    4. Shapes are lowered so that the variance holds how unsure the coefficients of 2 and 3 are (Laplace).
    """
    known = weeks > 0
    density = float(count.sum() + 1.0) / max(float((weeks * size).sum()), 1e-12)
    if not count.any() or known.sum() < 3:
        return Prior(density * size, np.ones(len(count)))
    around = neighbourhood(count, weeks * size, x, y)
    log = np.log(np.vstack([np.full(len(count), density), around]))
    other = np.zeros((len(count), 0)) if covariates is None else covariates
    typical = float(np.exp(np.log(size).mean()))
    columns = np.column_stack([np.ones(len(count)), np.diff(log, axis=0).T, np.log(size / typical), other])
    start = np.zeros(columns.shape[1])
    start[0] = np.log(density * typical)
    start[1 : 1 + len(around)] = 0.5
    start[1 + len(around)] = 1.0
    hold = np.concatenate([[1e-6], np.full(len(around), HOLD_KERNEL), [HOLD_SIZE], np.full(other.shape[1], HOLD_CLASS)])
    beta, unsure = _regression(columns[known], count[known], weeks[known], start, hold)
    mean = np.exp(np.clip(columns @ beta, -30.0, 20.0))
    level = np.log(mean / size)
    level = (level - level.mean()) / max(float(level.std()), 1e-9)
    terms = np.column_stack([np.ones(len(count)), level, level**2])
    spread = _spreads(terms, count, mean * weeks, known)
    unsure_mean = np.einsum("ij,jk,ik->i", columns, unsure, columns)
    return Prior(mean, 1 / ((1 + spread) * (1 + unsure_mean) - 1))


def neighbourhood(count: Floats, exposure: Floats, x: Floats, y: Floats) -> Floats:
    """Return (kernels, n) reports per exposure around each place, its own left out, from wide kernels to narrow."""
    rate = np.full(len(count), (count.sum() + BORROWED) / max(float(exposure.sum()), 1e-12))
    rates = np.empty((len(KERNELS_M), len(count)))
    for k, kernel_m in enumerate(KERNELS_M):
        seen, watched = (blurred(of, x, y, kernel_m) - of for of in (count, exposure))
        rate = (np.maximum(seen, 0.0) + BORROWED) / (np.maximum(watched, 0.0) + BORROWED / rate)
        rates[k] = rate
    return rates


def blurred(of: Floats, x: Floats, y: Floats, kernel_m: float) -> Floats:
    """Return (n,) sums around each place, weighted by a Gaussian kernel that is 1 at the place's own grid cell."""
    cell_m = kernel_m / CELLS
    column, row = ((x - x.min()) / cell_m).astype(np.int64), ((y - y.min()) / cell_m).astype(np.int64)
    shape = int(column.max()) + 1, int(row.max()) + 1
    grid = np.bincount(column * shape[1] + row, of, shape[0] * shape[1]).reshape(shape)
    impulse = np.zeros(2 * CELLS * REACH + 1)
    impulse[CELLS * REACH] = 1.0
    own = float(gaussian_filter(impulse, CELLS, mode="constant", truncate=REACH)[CELLS * REACH]) ** 2
    spread = gaussian_filter(grid, CELLS, mode="constant", truncate=REACH)
    return np.asarray(spread[column, row] / own, np.float64)


def _regression(columns: Floats, count: Floats, weeks: Floats, start: Floats, hold: Floats) -> tuple[Floats, Floats]:
    """Return coefficients of log rate and their covariance: negative binomial of shape 1, ridge towards ``start``."""
    beta = start.copy()
    for _ in range(NEWTON):
        expected = np.exp(np.clip(columns @ beta, -30.0, 20.0)) * weeks
        slope = columns.T @ ((count - expected) / (1 + expected)) - hold * (beta - start)
        curve = (columns * (expected / (1 + expected))[:, None]).T @ columns + np.diag(hold)
        step = np.linalg.solve(curve, slope)
        beta += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-7:
            break
    return beta, np.asarray(np.linalg.inv(curve), np.float64)


def _spreads(terms: Floats, count: Floats, expected: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return (n,) 1 / shape of the Gamma that makes the counts most likely, drawn towards 1.

    Coefficients are normal around the best, so that 1 / shape is log-normal: its mean is returned.
    """
    z, n, m = terms[known], count[known], expected[known]

    def loss(coefficient: Floats) -> tuple[float, Floats]:
        a = np.exp(np.clip(z @ coefficient, -5.0, 5.0))
        log = gammaln(n + a) - gammaln(a) + a * np.log(a / (a + m)) + n * np.log(m / (a + m))
        slope = (digamma(n + a) - digamma(a) + np.log(a / (a + m)) + 1 - (a + n) / (a + m)) * a
        return (
            float(-log.sum() + HOLD_SHAPE * (coefficient @ coefficient) / 2),
            np.asarray(-(z.T @ slope) + HOLD_SHAPE * coefficient),
        )

    best = minimize(loss, np.zeros(terms.shape[1]), jac=True, method="L-BFGS-B")
    step = 1e-3 * np.eye(terms.shape[1])
    curve = np.array([loss(best.x + e)[1] - loss(best.x - e)[1] for e in step]) / 2e-3
    unsure = np.einsum("ij,jk,ik->i", terms, np.linalg.inv((curve + curve.T) / 2), terms)
    return np.asarray(np.exp(np.clip(-(terms @ best.x) + unsure / 2, -5.0, 5.0)), np.float64)
