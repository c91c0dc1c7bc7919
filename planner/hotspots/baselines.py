"""The simple forecasts that any other must beat, each with as good a probability as its means allow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from planner.hotspots.forecast_dispersion import (
    LEAST_MEAN,
    Floats,
    Ints,
    Scatter,
    fit_floor,
    fit_floor_and_scatter,
    log_poisson,
)
from planner.hotspots.forecast_fit import choose_rows

#: Half-life of the exponentially weighted mean, months of the yearly mean, bandwidth of the kernel and its reach.
EWMA_HALF_LIFE, YEAR, BANDWIDTH_M, REACH = 3.0, 12, 200.0, 4.0
BASELINES = ("ewma", "mean_12", "long_run", "last_month", "kde")
#: The floor a first fit begins at.
FLOOR = 0.05


@dataclass(frozen=True, slots=True)
class Scored:
    """A baseline's forecast of one month: mean log scores, negative binomial and Poisson, and the fitted floor."""

    log_score: float
    log_score_poisson: float
    floor: float


def baseline_means(counts: Floats, months: Ints, x_m: Floats, y_m: Floats) -> dict[str, Floats]:
    """Return by name (n, t) what each baseline expects of each month, from earlier months alone (0 in the first).

    ewma : exponentially weighted mean, half-life three months. mean_12 : mean of the last twelve months on record.
    long_run : mean of all. last_month : the month before. kde : the last twelve months spread by a planar Gaussian
    kernel of 200 m, cut at 800 m, onto the centres of the cells given, each find whole.
    """
    n, t = counts.shape
    ewma, upto = np.zeros((n, t)), np.hstack([np.zeros((n, 1)), np.cumsum(counts, axis=1)])
    total, weight = np.zeros(n), 0.0
    for k in range(1, t):
        keep = 0.5 ** (int(months[k] - months[k - 1]) / EWMA_HALF_LIFE)
        total, weight = (total + counts[:, k - 1]) * keep, (weight + 1.0) * keep
        ewma[:, k] = total / weight
    column = np.arange(t)
    since = np.maximum(column - YEAR, 0)
    year = (upto[:, column] - upto[:, since]) / np.maximum(column - since, 1)
    last = np.hstack([np.zeros((n, 1)), counts[:, :-1]])
    return {
        "ewma": ewma, "mean_12": year, "long_run": upto[:, :-1] / np.maximum(column, 1), "last_month": last,
        "kde": np.asarray(_kernel(x_m, y_m, counts.sum(axis=1) > 0) @ year, np.float64),
    }  # fmt: skip


def _kernel(x_m: Floats, y_m: Floats, source: NDArray[np.bool_]) -> csr_array:
    """Return (n, n) the share of a find in the column's cell that is spread to the row's; 0 from other columns."""
    at = np.column_stack([x_m, y_m])
    from_cell = np.flatnonzero(source)
    near = cKDTree(at).query_ball_point(at[from_cell], REACH * BANDWIDTH_M)
    row = np.concatenate([np.asarray(of, np.int64) for of in near] or [np.zeros(0, np.int64)])
    column = np.repeat(from_cell, [len(of) for of in near])
    share = np.exp(-0.5 * ((at[row] - at[column]) ** 2).sum(axis=1) / BANDWIDTH_M**2)
    share /= np.bincount(column, share, len(at))[column]
    return csr_array((share, (row, column)), shape=(len(at), len(at)))


def score_baseline(counts: Floats, months: Ints, means: Floats, first: int) -> list[Scored]:
    """Score a baseline's means in each column from ``first`` on.

    A mean of 0 where something is found would be scored as impossible, and a plain Poisson law would make every
    baseline look worse than it is. So each is given a floor (a share of its total spread evenly) and the same family of
    negative binomials as ours, both fitted at each origin on its own earlier forecasts; a Poisson score with
    a floor of its own stands beside. means : (n, t), 0 in the first column.
    """
    even = np.broadcast_to(means.mean(axis=0), means.shape)
    floor, scatter = FLOOR, Scatter()
    scored = []
    for origin in range(first, means.shape[1]):
        rows = choose_rows(counts, months, means, 1, origin)
        at, spread = means[rows.cell, rows.month], even[rows.cell, rows.month]
        floor, scatter = fit_floor_and_scatter(rows.seen, at, spread, rows.weight, (floor, scatter))
        poisson_floor = fit_floor(rows.seen, at, spread, rows.weight)
        seen = counts[:, origin]
        mean, plain = (
            np.maximum((1.0 - f) * means[:, origin] + f * even[:, origin], LEAST_MEAN) for f in (floor, poisson_floor)
        )
        scored.append(
            Scored(float(scatter.log_score(seen, mean).mean()), float(log_poisson(seen, plain).mean()), floor)
        )
    return scored
