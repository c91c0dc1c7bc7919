"""When people are found: shares of a week by weekday and hour, and what the weather does, smoothed and shrunk."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from gis.errors import QuestionError
from planner.hotspots.forecast_dispersion import Floats, Ints

#: How often hours may be averaged with their neighbours (1-2-1), and the range of the strength of a prior (log).
PASSES, LOG_STRENGTHS = (0, 1, 2, 3), (-3.0, 12.0)
#: A share of each hour is spread over the day, so that no hour is impossible.
HOUR_PRIOR = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """How one week's expected finds spread over time.

    share : (7, 24), Monday first, sums to 1. weather_factor : (classes,) what a class does to the mean of an hour;
    over the hours the classes lasted, factors average 1. passes : 1-2-1 averages of the hours. strength : how many
    reports the prior of weekday times hour is worth. weather_strength : the same for "weather does nothing".
    """

    share: Floats
    weather_factor: Floats
    passes: int
    strength: float
    weather_strength: float

    def expected(self, per_week: Floats, weather: int | None = None) -> Floats:
        """Return (n, 7, 24) finds expected per place, weekday and hour of a week, under one class of weather if given.

        per_week : (n,) finds expected in a week.
        """
        factor = 1.0 if weather is None else float(self.weather_factor[weather])
        return np.asarray(np.asarray(per_week, np.float64)[:, None, None] * (self.share * factor), np.float64)


def per_week(mean: Floats, days: int) -> Floats:
    """Return finds per week from finds in a month of so many days."""
    return mean * (7.0 / days)


def time_profile(
    weekday: Ints,
    hour: Ints,
    weather: Ints | None = None,
    weight: Floats | None = None,
    *,
    weather_hours: Floats | None = None,
) -> Profile:
    """Estimate the profile of a week from k reports.

    weekday : (k,) 0 Monday to 6. hour : (k,) 0 to 23, whole. weather : (k,) class 0, 1, ... or -1 where unknown.
    weight : (k,) what a report counts, 1 unless given. weather_hours : (classes,) hours each class lasted while the
    reports came in; needed with ``weather``, for without it a common class would look like a busy one.

    A cell of the week is drawn to its weekday's share times its hour's as much as its reports are few; hours are
    averaged with their neighbours as often as predicts a report left out best. The strength of the prior is that of
    greatest marginal likelihood (Dirichlet-multinomial; Minka 2000, Estimating a Dirichlet distribution); weather
    factors are gamma-Poisson, drawn to 1 likewise (Clayton & Kaldor 1987, doi:10.2307/2532003).
    Reports show when people were looked for as well as when they were there.
    Raises QuestionError on no reports, wrong shapes, or a weekday, hour or class outside its range.
    """
    worth = np.ones(len(weekday)) if weight is None else np.asarray(weight, np.float64)
    _check_times(weekday, hour, worth)
    week = np.bincount(weekday * 24 + hour, worth, 168).reshape(7, 24).astype(np.float64)
    total = float(week.sum())
    by_hour = week.sum(axis=0)
    passes = max(PASSES, key=lambda p: (_left_out_score(by_hour, p), -p))
    hours = _hours(by_hour, passes)
    days = (week.sum(axis=1) + 1.0) / (total + 7.0)
    prior = days[:, None] * hours
    strength = _strength(lambda s: _dirichlet_score(week, prior, s))
    share = (week + strength * prior) / (total + strength)
    factor, weather_strength = np.ones(0 if weather_hours is None else len(weather_hours)), np.inf
    if weather is not None:
        factor, weather_strength = _weather(weather, worth, weather_hours)
    return Profile(share, factor, passes, strength, weather_strength)


def _check_times(weekday: Ints, hour: Ints, worth: Floats) -> None:
    if not len(weekday) == len(hour) == len(worth) or not worth.sum() > 0 or np.any(worth < 0):
        raise QuestionError("星期、小时与权重须等长，且至少有一条报告",
                            "weekdays, hours and weights must be as many, of one report at least")  # fmt: skip
    if not (np.all((weekday >= 0) & (weekday < 7)) and np.all((hour >= 0) & (hour < 24))):
        raise QuestionError("星期须为 0 至 6，小时须为 0 至 23", "weekdays run from 0 to 6 and hours from 0 to 23")


def _hours(by_hour: Floats, passes: int) -> Floats:
    """Return (24,) shares of the day, averaged round the clock so many times."""
    smooth = by_hour + HOUR_PRIOR / 24.0
    for _ in range(passes):
        smooth = 0.25 * np.roll(smooth, 1) + 0.5 * smooth + 0.25 * np.roll(smooth, -1)
    return np.asarray(smooth / smooth.sum(), np.float64)


def _left_out_score(by_hour: Floats, passes: int) -> float:
    """Return the log probability of each report's hour by the shares that all others give, summed."""
    reach = _hours(np.eye(24)[0] - HOUR_PRIOR / 24.0, passes)[0]  # what is left of one report in its own hour
    smooth = _hours(by_hour, passes) * (by_hour.sum() + HOUR_PRIOR)
    left = np.maximum(smooth - reach * np.minimum(by_hour, 1.0), 1e-9)
    return float(by_hour @ np.log(left / max(float(by_hour.sum()) + HOUR_PRIOR - 1.0, 1e-9)))


def _dirichlet_score(seen: Floats, prior: Floats, strength: float) -> float:
    """Return the log marginal likelihood of counts whose shares are Dirichlet(strength * prior), but for a constant."""
    a = strength * prior
    total = gammaln(strength) - gammaln(seen.sum() + strength)
    return float(total + (gammaln(seen + a) - gammaln(a)).sum())


def _weather(weather: Ints, worth: Floats, hours: Floats | None) -> tuple[Floats, float]:
    """Return (classes,) factors and the strength of their prior."""
    if hours is None or not np.all(np.isfinite(hours)) or np.any(hours < 0) or not hours.sum() > 0:
        raise QuestionError("须给出各类天气持续的小时数", "the hours each class of weather lasted must be given")
    if len(weather) != len(worth) or np.any(weather >= len(hours)) or np.any(weather < -1):
        raise QuestionError(
            "天气类别超出范围", "weather must be one class a report, below the number of classes, or -1"
        )
    known = weather >= 0
    seen = np.bincount(weather[known], worth[known], len(hours))
    expected = seen.sum() * hours / hours.sum()
    if not seen.sum() > 0:
        return np.ones(len(hours)), np.inf

    def score(s: float) -> float:
        return float(
            (gammaln(seen + s) - gammaln(s) + s * np.log(s / (expected + s)) - seen * np.log(expected + s)).sum()
        )

    strength = _strength(score)
    factor = (seen + strength) / (expected + strength)
    return np.asarray(factor * hours.sum() / (factor @ hours), np.float64), strength


def _strength(score) -> float:  # type: ignore[no-untyped-def]
    """Return the strength of greatest score, on a log scale."""
    found = minimize_scalar(lambda u: -score(float(np.exp(u))), bounds=LOG_STRENGTHS, method="bounded")
    return float(np.exp(found.x))
