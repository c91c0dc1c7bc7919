"""Rates of streets as they are now, from reports and patrols month by month, and week by week of late."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.exposure import Detection, effective_weeks
from planner.hotspots.memory import MODELS, Memory, Model
from planner.hotspots.neighbours import Links, among
from planner.hotspots.rates import TRIFLE_WEEKS, Rates, with_common_factor
from planner.hotspots.rates_hours import local_hours
from planner.hotspots.rates_prior import Prior, prior_of
from planner.hotspots.street_rates import Watched, nearest_shares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: The model is chosen on so many streets at most, those nearest to where reports are.
MOST_STREETS = 2_500
#: Of so many weeks before its end time is looked back on week by week, of what was before month by month.
LATE_WEEKS, WEEK, MONDAY = 26, 7, 4  # 1970-01-05 was a Monday


def stretches_of(starts: Ints) -> Ints:
    """Return the days on which stretches of time begin, and the day after the last: weeks of late, months before.

    starts : (t + 1,) days since 1970 on which months begin, and the day after the last. Weeks begin on Mondays.
    """
    begin, end = starts[0], starts[-1]
    weeks = np.arange(end - LATE_WEEKS * WEEK - (end - MONDAY) % WEEK, end, WEEK)
    weeks = weeks[weeks > begin]
    months = starts[:-1][starts[:-1] < weeks[0]] if len(weeks) else starts[:1]
    return np.concatenate([months, weeks, [end]])


def recent_rates(of: Watched, late: Watched, detection: Detection) -> tuple[Rates, Bools]:
    """Return people who can be found per week on each of the n streets at the end of the time watched.

    of : months, as ``detection`` was estimated on. late : the same streets, reports and patrols by the stretches of
    ``stretches_of``. Also (n,) where no patrol was since all may have changed at once: nowhere, as a rule.
    """
    count = of.counts(np.ones(len(of.month), bool), nearest_shares(of))
    hours = local_hours(count, of.passes, of.weeks, detection, of.x, of.y, of.length_m)
    whole, total = effective_weeks(of.passes, of.weeks, detection, hours=hours), count.sum(axis=(1, 2))
    prior = prior_of(total, whole.weeks, of.x, of.y, of.length_m, of.classes)
    seasons = dict(zip(of.calendar_month, detection.month, strict=True))
    then = replace(detection, month=np.array([seasons[month] for month in late.calendar_month]))
    seen = _Seen(
        late.counts(np.ones(len(late.month), bool), nearest_shares(late)).sum(axis=2),
        np.column_stack([_weeks_of(late, then, hours, m) for m in range(len(late.weeks))]),
        np.minimum(late.passes.sum(axis=2) / np.maximum(late.weeks, 1.0), 1.0), late.weeks,
    )  # fmt: skip
    some = _most_reported(total, of.x, of.y)
    tried = _remembered(MODELS, among(of.beside, some), seen.of(some), Prior(prior.mean[some], prior.shape[some]))
    memory = _remembered((MODELS[tried.best],), of.beside, seen, prior)
    shape, rate = with_common_factor(*memory.known(prior), whole.scale_sd)
    return Rates(shape, rate, whole.patrol < TRIFLE_WEEKS, total, whole.scale_sd), memory.unseen


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Reports, weeks as good as watched and share of weeks walked, each (n, t); weeks each stretch lasted (t,)."""

    count: Floats
    weeks: Floats
    walked: Floats
    lasted: Floats

    def of(self, streets: Ints) -> "_Seen":
        return _Seen(self.count[streets], self.weeks[streets], self.walked[streets], self.lasted)


def _weeks_of(of: Watched, detection: Detection, hours: Floats, m: int) -> Floats:
    at = slice(m, m + 1)
    then = replace(detection, month=detection.month[at])
    return effective_weeks(of.passes[:, at], of.weeks[at], then, hours=hours).weeks


def _most_reported(total: Floats, x: Floats, y: Floats) -> Ints:
    """Return the streets, ascending, that lie nearest to the middle of all reports: people move among them."""
    middle = [np.average(of, weights=total) if total.any() else of.mean() for of in (x, y)]
    far = np.hypot(x - middle[0], y - middle[1])
    return np.sort(np.argsort(far, kind="stable")[:MOST_STREETS])


def _remembered(models: tuple[Model, ...], near: Links, seen: _Seen, prior: Prior) -> Memory:
    memory = Memory(near, models)
    for m, lasted_weeks in enumerate(seen.lasted):
        memory.learn(seen.count[:, m], seen.weeks[:, m], seen.walked[:, m], float(lasted_weeks), prior)
    return memory
