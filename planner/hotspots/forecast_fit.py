"""How much each memory counts, how the city's level moves, and how counts scatter: all fitted on the past alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.forecast_dispersion import LEAST_MEAN, Floats, Ints, Scatter, fit_scatter

#: Months from which a history can be fitted; the first ones only feed the memories.
LEAST_MONTHS, BURN_IN = 6, 3
#: Months after which a month counts half in a fit; rows of nothing found that a fit looks at, at most.
FIT_HALF_LIFE, MOST_ZEROS = 12.0, 10_000
#: Rounds of weights and scatter in the first fit and in one that begins at the last; steps of weights in a round.
FIRST_ROUNDS, FIRST_STEPS, STEPS = 4, 120, 40
#: How strongly the persistence of the level is drawn to none: a variance of log totals (a tenth, twice).
LEVEL_RIDGE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Cell-months to fit on. cell, month (columns of the history), seen, weight : (k,).

    Every row in which anything was found, and a systematic sample of the others, each standing for its share.
    """

    cell: Ints
    month: Ints
    seen: Floats
    weight: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The weight of each source (>= 0) and the scatter."""

    weights: Floats
    scatter: Scatter


@dataclass(frozen=True, slots=True)
class Level:
    """How the next month's total departs from what the memories expect: exp(season + carried)."""

    season: float = 0.0
    carried: float = 0.0

    @property
    def factor(self) -> float:
        """The factor on every cell's mean."""
        return float(np.exp(self.season + self.carried))


def choose_rows(counts: Floats, months: Ints, likely: Floats, begin: int, end: int) -> Rows:
    """Return the rows of the columns ``begin`` to ``end`` - 1, recent months weighing more.

    likely : (n, t) about what was expected; a row of nothing found is drawn with a chance that grows with it, and
    systematically in its order (Madow 1949, doi:10.1214/aoms/1177729988), so that sums over the rows are kept closely.
    """
    age = months[end - 1] - months[begin:end]
    recent = 0.5 ** (age / FIT_HALF_LIFE)
    seen = counts[:, begin:end]
    cell, column = np.nonzero(seen == 0)
    weight = recent[column]
    if len(cell) > MOST_ZEROS:
        about = likely[:, begin:end][cell, column]
        chance = weight * (about + about.mean() + LEAST_MEAN)
        order = np.argsort(about, kind="stable")
        upto = np.cumsum(chance[order])
        step = upto[-1] / MOST_ZEROS
        drawn = order[np.searchsorted(upto, step * (np.arange(MOST_ZEROS) + 0.5))]
        weight = weight[drawn] * step / chance[drawn]
        cell, column = cell[drawn], column[drawn]
    some, when = np.nonzero(seen)
    return Rows(
        np.concatenate([some, cell]), begin + np.concatenate([when, column]),
        np.concatenate([seen[some, when], np.zeros(len(cell))]), np.concatenate([recent[when], weight]),
    )  # fmt: skip


def fit(sources: NDArray[np.float32], effort: Floats | None, rows: Rows, start: Fit | None) -> Fit:
    """Return weights and scatter of (near) greatest likelihood of the negative binomial, searched from ``start``.

    sources : (t, n, sources). effort : (n, t) relative exposure or None. The mean of a row is its effort times the
    weighted sum of its sources, so each find is laid to the memories in turn, as in self-exciting point processes
    (Mohler et al. 2011, doi:10.1198/jasa.2011.ap09546).
    """
    x = sources[rows.month, rows.cell].astype(np.float64)
    if effort is not None:
        x *= effort[rows.cell, rows.month][:, None]
    found = start or Fit(np.full(x.shape[1], 1.0 / x.shape[1]), Scatter())
    weights, scatter = found.weights, found.scatter
    for _ in range(1 if start else FIRST_ROUNDS):
        weights = _climb(x, rows, weights, scatter, STEPS if start else FIRST_STEPS)
        scatter = fit_scatter(rows.seen, np.maximum(x @ weights, LEAST_MEAN), rows.weight, scatter)
    return Fit(weights, scatter)


def _climb(x: Floats, rows: Rows, weights: Floats, scatter: Scatter, steps: int) -> Floats:
    """Return weights after so many steps of expectation-maximisation (Dempster, Laird & Rubin 1977,
    doi:10.1111/j.2517-6161.1977.tb01600.x): the negative binomial is a Poisson law with a gamma factor per row, whose
    expected value is (seen + r) / (mean + r); none falls below 0, none that is 0 returns.
    """
    some = rows.seen > 0
    xs, ys = np.ascontiguousarray(x[some]), rows.weight[some] * rows.seen[some]
    for _ in range(steps):
        mean = np.maximum(x @ weights, LEAST_MEAN)
        size = scatter.size(mean)
        laid = (ys / mean[some]) @ xs
        held = (rows.weight * (rows.seen + size) / (mean + size)) @ x
        weights = weights * np.divide(laid, held, out=np.zeros_like(laid), where=held > 0)
    return weights


def next_level(seen: Floats, expected: Floats, months: Ints, next_month: int) -> Level:
    """Return how the next month's total is likely to depart from what is expected, from past departures.

    seen, expected : (k,) totals of past months. The season is each calendar month's mean departure, shrunk by how far
    those means differ beyond chance (empirical Bayes), and none for a calendar month seen once. What is left carries
    over to the next month by a fitted share (a ridge regression on the month before, recent months weighing more).
    """
    off = np.log((seen + 0.5) / (expected + 0.5))
    season = _seasons(off, months)
    left = off - season[months % 12]
    carried = 0.0
    if len(left) >= 4:
        weight = 0.5 ** ((months[-1] - months[1:]) / (2 * FIT_HALF_LIFE))
        before, after = left[:-1], left[1:]
        share = float((weight * before * after).sum() / ((weight * before * before).sum() + LEVEL_RIDGE))
        carried = float(np.clip(share, 0.0, 1.0)) ** int(next_month - months[-1]) * float(left[-1])
    return Level(float(season[next_month % 12]), carried)


def _seasons(off: Floats, months: Ints) -> Floats:
    """Return (12,) shrunk departures by calendar month, 0 where a month was seen but once."""
    season = np.zeros(12)
    times = np.bincount(months % 12, minlength=12)
    repeated = times >= 2
    if repeated.sum() < 2:
        return season
    mean = np.bincount(months % 12, off, 12) / np.maximum(times, 1)
    kept = repeated[months % 12]
    within = ((off - mean[months % 12])[kept] ** 2).sum() / (times[repeated] - 1).sum()
    between = max(float(np.var(mean[repeated], ddof=1)) - float((within / times[repeated]).mean()), 0.0)
    if between > 0:
        share = between / (between + within / times[repeated])
        season[repeated] = share * (mean[repeated] - mean[repeated].mean())
    return season
