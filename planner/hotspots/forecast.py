"""Where people are likely to be found next month: many memories of each cell and its surroundings, weighed by the past.

The mean of a cell is a weighted sum of memories (planner.hotspots.forecast_memory) times the city's level; the count
is negative binomial about it. Nothing is set by hand that the past can tell: weights, scatter, season and level are
fitted at each month on earlier months alone (planner.hotspots.forecast_fit).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.forecast_dispersion import LEAST_MEAN, Floats, Scatter
from planner.hotspots.forecast_fit import BURN_IN, LEAST_MONTHS, Fit, Level, choose_rows, fit, next_level
from planner.hotspots.forecast_memory import HALF_LIVES, PAIR, SOURCES, History, memories

#: The effort of a month to come is taken to be the mean of this many months before it.
EFFORT_MONTHS = 3
#: The memory that stands for what was expected of a row before any fit.
ABOUT = HALF_LIVES.index(PAIR[1])


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is expected of each cell in one month.

    month : year * 12 + month - 1. mean, low, high : (n,), the interval holds with probability ``cover`` at least.
    weights : (sources,) as in planner.hotspots.forecast_memory.SOURCES. level : the factors on every mean.
    """

    month: int
    mean: Floats
    low: Floats
    high: Floats
    cover: float
    weights: Floats
    level: Level
    scatter: Scatter


@dataclass(frozen=True, slots=True, eq=False)
class OneAhead:
    """Forecasts of each month of a history from ``first`` on: means (n, t), scatters and levels by column."""

    first: int
    mean: Floats
    scatters: dict[int, Scatter]
    levels: dict[int, Level]
    fit: Fit


def forecast_next(
    counts: Floats,
    months: NDArray[np.int64],
    indptr: NDArray[np.int32],
    indices: NDArray[np.int32],
    *,
    exposure: Floats | None = None,
    extent: Floats | None = None,
    next_month: int | None = None,
    cover: float = 0.8,
) -> Forecast:
    """Forecast the counts of every cell in the month after the last, or in ``next_month``.

    counts : (n, t) whole numbers. months : (t,) year * 12 + month - 1. indptr, indices : neighbours (CSR).
    exposure : (n, t) effort per cell and month; the next month's is taken to be the mean of the last three.
    extent : (n,) metres of street or area per cell. cover : probability of the interval from low to high.
    Raises QuestionError on fewer than six months, wrong shapes, counts that are no counts, a month not to come.
    """
    history = History(np.asarray(counts, np.float64), np.asarray(months, np.int64), indptr, indices, exposure, extent)
    to_come = int(history.months[-1]) + 1 if next_month is None else next_month
    t = len(history.months)
    _check_span(t, t)
    if to_come <= history.months[-1] or not 0.0 < cover < 1.0:
        raise QuestionError("预测月份须晚于最后一月，概率须在 0 与 1 之间",
                            "the month must come after the last, the probability lie between 0 and 1")  # fmt: skip

    sources = memories(history, to_come)
    ahead = _rolled(history, sources, t, to_come)
    mean, scatter = ahead.mean[:, t], ahead.scatters[t]
    edge = (1.0 - cover) / 2.0
    return Forecast(
        to_come, mean, scatter.quantile(edge, mean), scatter.quantile(1.0 - edge, mean), cover, ahead.fit.weights,
        ahead.levels[t], scatter,
    )  # fmt: skip


def forecast_past(history: History, first_origin: int) -> OneAhead:
    """Forecast each month from column ``first_origin`` on from the months before it (a rolling origin).

    Raises QuestionError on an origin with fewer than six months before it or none to forecast.
    """
    _check_span(first_origin, len(history.months) - 1)
    sources = memories(history, int(history.months[-1]) + 1)
    return _rolled(history, sources, first_origin, None)


def _rolled(history: History, sources: NDArray[np.float32], first: int, to_come: int | None) -> OneAhead:
    """Forecast the columns from ``first`` on, or the month to come after the last column alone."""
    t = len(history.months)
    effort = relative_effort(history)
    means = np.zeros((len(history.counts), t + (to_come is not None)))
    scatters, levels, found = {}, {}, None
    expected = np.ascontiguousarray(sources[:t, :, ABOUT].T, np.float64)
    for origin in [t] if to_come is not None else range(first, t):
        rows = choose_rows(history.counts, history.months, expected, BURN_IN, origin)
        found = fit(sources, effort, rows, found)
        seen, expect = history.counts[:, BURN_IN:origin].sum(axis=0), np.empty(origin - BURN_IN)
        for k in range(BURN_IN, origin):
            at = sources[k] @ found.weights
            expect[k - BURN_IN] = at.sum() if effort is None else effort[:, k] @ at
        month = int(history.months[origin]) if to_come is None else to_come
        level = next_level(seen, expect, history.months[BURN_IN:origin], month)
        mean = sources[origin] @ found.weights * level.factor
        if effort is not None:
            mean = mean * effort[:, max(0, origin - EFFORT_MONTHS) : origin].mean(axis=1)
        means[:, origin] = np.maximum(mean, LEAST_MEAN)
        scatters[origin], levels[origin] = found.scatter, level
    assert found is not None
    return OneAhead(first, means, scatters, levels, found)


def relative_effort(history: History) -> Floats | None:
    """Return (n, t) exposure over its mean, or None where it is unknown or nowhere above 0."""
    if history.exposure is None or history.exposure.sum() <= 0:
        return None
    return history.exposure / float(history.exposure.mean())


def _check_span(origin: int, last: int) -> None:
    if not LEAST_MONTHS <= origin <= last:
        raise QuestionError(
            f"预测起点之前至少须有 {LEAST_MONTHS} 个月，且不晚于第 {last} 列；给出的是 {origin}",
            f"a forecast needs {LEAST_MONTHS} months before it and a column up to {last}; got {origin}",
        )


__all__ = ["SOURCES", "Forecast", "History", "OneAhead", "forecast_next", "forecast_past", "relative_effort"]
