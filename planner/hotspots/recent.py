"""Rates of streets as they are now, from reports and patrols month by month, and week by week of late."""

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.effort import DAYS_A_WEEK
from planner.hotspots.exposure import Detection, effective_weeks, weeks_watched
from planner.hotspots.memory import MODELS, Memory
from planner.hotspots.neighbours import among
from planner.hotspots.rates import TRIFLE_WEEKS, Rates, with_common_factor
from planner.hotspots.rates_hours import local_hours
from planner.hotspots.rates_prior import Prior, blurred, prior_of
from planner.hotspots.street_rates import Watched, nearest_shares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: The models are tried on so many streets at most: those nearest to where most reports are, as kernels of so many
#: metres see it.
MOST_STREETS, BUSY_M = 2_500, 600.0
#: Of so many weeks before its end time is looked back on week by week, of what was before month by month: so long is
#: known by week what tracks add (``planner.hotspots.effort_runs``).
LATE_WEEKS = 13
MONDAY = 4  # 1970-01-05 was one


def stretches_of(starts: Ints) -> Ints:
    """Return the days on which stretches of time begin, and the day after the last: weeks of late, months before.

    starts : (t + 1,) days since 1970 on which months begin, and the day after the last. Weeks begin on Mondays.
    """
    begin, end = starts[0], starts[-1]
    weeks = np.arange(end - LATE_WEEKS * DAYS_A_WEEK - (end - MONDAY) % DAYS_A_WEEK, end, DAYS_A_WEEK)
    weeks = weeks[weeks > begin]
    months = starts[:-1][starts[:-1] < weeks[0]] if len(weeks) else starts[:1]
    return np.concatenate([months, weeks, [end]])


def recent_rates(of: Watched, detection: Detection) -> tuple[Rates, Bools]:
    """Return people who can be found per week on each of the n streets at the end of the time watched.

    of : by the stretches of ``stretches_of``, or others. Also (n,) where no patrol was since all may have changed at
    once: nowhere, as a rule.
    """
    by_shift = of.counts(np.ones(len(of.month), bool), nearest_shares(of))
    hours = local_hours(by_shift, of.passes, of.weeks, detection, of.x, of.y, of.length_m)
    whole, count = effective_weeks(of.passes, of.weeks, detection, hours=hours), by_shift.sum(axis=2)
    total = count.sum(axis=1)
    prior = prior_of(total, whole.weeks, of.x, of.y, of.length_m, of.classes)
    weeks = weeks_watched(of.passes, of.weeks, detection, hours)
    walked = np.minimum(of.passes.sum(axis=2) / np.maximum(of.weeks, 1.0), 1.0)

    def learnt(memory: Memory, streets: Ints | slice) -> Memory:
        expected = Prior(prior.mean[streets], prior.shape[streets])
        for t, lasted in enumerate(of.weeks):
            memory.learn(count[streets, t], weeks[streets, t], walked[streets, t], float(lasted), expected)
        return memory

    some = _around_the_busiest(total, of.x, of.y)
    tried = learnt(Memory(among(of.beside, some), of.length_m[some], MODELS), some)
    # the steady one tells when all changed, whichever is chosen
    chosen = tuple(tried.models[k] for k in {tried.steady: None, tried.best: None})
    memory = learnt(Memory(of.beside, of.length_m, chosen), slice(None))
    shape, rate = with_common_factor(*memory.known(prior, len(chosen) - 1), whole.scale_sd)
    return Rates(shape, rate, whole.patrol < TRIFLE_WEEKS, total, whole.scale_sd), memory.unseen


def _around_the_busiest(total: Floats, x: Floats, y: Floats) -> Ints:
    """Return the streets, ascending, nearest to where most reports are; people move among them."""
    at = int(np.argmax(blurred(total, x, y, BUSY_M)))
    far = np.hypot(x - x[at], y - y[at])
    return np.sort(np.argsort(far, kind="stable")[:MOST_STREETS])
