"""Rates as they are now, where they change: recent reports read against the long run, as fast as foretells best.

All that is on record, or of the last half year above all, tells what a street holds in the long run. What it holds now
is near that: a Gamma around the long-run rate, then recent reports and searches, older ones counting less. How fast
either loses weight, and how firm the long run holds, is chosen by how well each choice foretold every month from those
before it; never to forget is one of the choices, so that a city which does not change is not made to.

Where rates stayed and then many change at once, as when a square is cleared, no pace is fast enough. A stretch of time
far better foretold if a quarter of places were drawn anew says so: what was known of any place then counts for little,
and places nobody looked at since are told apart, to be looked at first.
"""

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from planner.hotspots.exposure import Detection, Exposure, effective_weeks
from planner.hotspots.rates import TRIFLE_WEEKS, Rates, with_common_factor
from planner.hotspots.rates_hours import local_hours
from planner.hotspots.rates_prior import Prior, prior_of
from planner.hotspots.street_rates import Watched, nearest_shares

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pace = tuple[float, float, float]
#: Weeks after which half a report's weight is gone, for the long run and for what is recent; shapes with which the long
#: run holds at most. Every combination is tried.
LONG_WEEKS, RECENT_WEEKS, FIRM = (np.inf, 26.0), (24.0, 8.0, 3.0), (2.0, 8.0)
#: (half-life of the long run, of what is recent, firmness); the first three read the long run alone.
PACES: tuple[Pace, ...] = (
    (np.inf, np.inf, np.inf), (52.0, np.inf, np.inf), (26.0, np.inf, np.inf), *product(LONG_WEEKS, RECENT_WEEKS, FIRM)
)  # fmt: skip
#: All may have changed at once where it is so many times likelier (log) that this share of places was drawn anew; what
#: was known by then counts for one report at most.
SHAKEN, SHAKEN_SHARE = float(np.log(1e5)), 0.25
#: The pace is chosen on so many streets at most.
MOST_STREETS = 20_000


@dataclass(slots=True, eq=False)
class Memory:
    """What n streets were like in the long run and lately, at each of ``paces``.

    score : how well each pace foretold, log chance; the first never forgets.
    unseen : (n,) nobody looked there since all may have changed at once.
    Sources: forgetting chosen by prediction, Raftery, Karny & Ettler (2010), doi:10.1198/TECH.2009.08104; discounted
    Gamma-Poisson filter and its monitoring by Bayes factors, West & Harrison (1997), doi:10.1007/b98971.
    """

    n: int
    paces: tuple[Pace, ...] = PACES
    count: Floats = field(init=False)
    weeks: Floats = field(init=False)
    late_count: Floats = field(init=False)
    late_weeks: Floats = field(init=False)
    score: Floats = field(init=False)
    unseen: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.count, self.weeks, self.late_count, self.late_weeks = np.zeros((4, len(self.paces), self.n))
        self.score, self.unseen = np.zeros(len(self.paces)), np.zeros(self.n, bool)

    def learn(self, count: Floats, weeks: Floats, lasted_weeks: float, prior: Prior) -> None:
        """Take in the next stretch of time: (n,) reports, (n,) weeks as good as watched; prior : to foretell them."""
        looked = weeks > 0
        if self._shaken(count[looked], weeks[looked], looked, prior):
            self._doubt(prior)
            self.unseen[:] = True
        self.unseen &= ~looked
        for k, (long, recent, _) in enumerate(self.paces):
            shape, rate = self.known(prior, k)
            self.score[k] += log_chance(count[looked], shape[looked], rate[looked], weeks[looked]).sum()
            kept, late = 0.5 ** (lasted_weeks / long), 0.5 ** (lasted_weeks / recent)
            self.count[k] = kept * self.count[k] + count
            self.weeks[k] = kept * self.weeks[k] + weeks
            self.late_count[k] = late * self.late_count[k] + count
            self.late_weeks[k] = late * self.late_weeks[k] + weeks

    def _shaken(self, count: Floats, weeks: Floats, looked: Bools, prior: Prior) -> bool:
        """Tell whether the looks are much likelier if a share of places was drawn anew from what is expected of all.

        Never where a pace that forgets foretells best: there change is usual, and the paces follow it.
        """
        if not np.isinf(self.paces[self.best]).all():
            return False
        shape, rate = (of[looked] for of in self.known(prior))
        as_before = log_chance(count, shape, rate, weeks)
        anew = log_chance(count, prior.shape[looked], (prior.shape / prior.mean)[looked], weeks)
        either = np.logaddexp(np.log1p(-SHAKEN_SHARE) + as_before, np.log(SHAKEN_SHARE) + anew)
        return float((either - as_before).sum()) > SHAKEN

    def _doubt(self, prior: Prior) -> None:
        for count, weeks in ((self.count, self.weeks), (self.late_count, self.late_weeks)):
            kept = np.minimum(1.0, 1.0 / (prior.shape + count))
            count *= kept
            weeks *= kept

    @property
    def best(self) -> int:
        """Which pace foretold best; the first where equal."""
        return int(np.argmax(self.score))

    def known(self, prior: Prior, pace: int | None = None) -> tuple[Floats, Floats]:
        """Return shapes and rates (n,) of the Gammas of people per week now; pace : None for the best."""
        k = self.best if pace is None else pace
        shape, rate = prior.shape + self.count[k], prior.shape / prior.mean + self.weeks[k]
        _, recent, firm = self.paces[k]
        if np.isinf(recent):
            return shape, rate
        held = np.minimum(shape, firm)
        return held + self.late_count[k], held * rate / shape + self.late_weeks[k]


def recent_rates(of: Watched, detection: Detection) -> tuple[Rates, Bools]:
    """Return people who can be found per week on each of the n streets at the end of the months watched.

    Also (n,) where nobody looked since all may have changed at once: nowhere, as a rule.
    """
    count = of.counts(np.ones(len(of.month), bool), nearest_shares(of))
    hours = local_hours(count, of.passes, of.weeks, detection, of.x, of.y, of.length_m)
    whole, total = effective_weeks(of.passes, of.weeks, detection, hours=hours), count.sum(axis=(1, 2))
    prior = prior_of(total, whole.weeks, of.x, of.y, of.length_m, of.classes)
    weeks = np.column_stack([_of_month(of, detection, hours, m).weeks for m in range(len(of.weeks))])
    some = slice(None, None, max(1, -(-len(of.x) // MOST_STREETS)))
    tried = _remembered(
        PACES, count.sum(axis=2)[some], weeks[some], of.weeks, Prior(prior.mean[some], prior.shape[some])
    )
    memory = _remembered((PACES[tried.best],), count.sum(axis=2), weeks, of.weeks, prior)
    shape, rate = with_common_factor(*memory.known(prior), whole.scale_sd)
    return Rates(shape, rate, whole.patrol < TRIFLE_WEEKS, total, whole.scale_sd), memory.unseen


def _of_month(of: Watched, detection: Detection, hours: Floats, m: int) -> Exposure:
    at = slice(m, m + 1)
    then = replace(detection, month=detection.month[at])
    return effective_weeks(of.passes[:, at], of.weeks[at], then, hours=hours)


def _remembered(paces: tuple[Pace, ...], count: Floats, weeks: Floats, lasted: Floats, prior: Prior) -> Memory:
    memory = Memory(len(count), paces)
    for m, lasted_weeks in enumerate(lasted):
        memory.learn(count[:, m], weeks[:, m], float(lasted_weeks), prior)
    return memory


def log_chance(count: Floats, shape: Floats | float, rate: Floats | float, weeks: Floats) -> Floats:
    """Return the log chance of each count whose mean is weeks x a Gamma: a negative binomial."""
    log = gammaln(count + shape) - gammaln(shape) - gammaln(count + 1.0)
    return np.asarray(log + shape * np.log(rate / (rate + weeks)) + count * np.log(weeks / (rate + weeks)), np.float64)
