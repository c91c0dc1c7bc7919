"""Rates as they are now, where they change: recent reports read against the long run, as fast as foretells best.

All that is on record, or of the last half year above all, tells what a street holds in the long run. What it holds now
is near that: a Gamma around the long-run rate, then recent reports and searches, older ones counting less. Beside that
people may leave streets that are patrolled for quieter ones beside them, and come home by and by. How fast reports lose
weight, how firm the long run holds, how many leave and come home a week, is chosen by how well each choice foretold
every stretch of time from those before it; never to forget and nobody leaving is one of the choices, so that a city
which does not change is not made to.

Where rates stayed and then many change at once, as when a square is cleared, no pace is fast enough. A stretch of time
far better foretold if a quarter of places were drawn anew says so: what was known of any place then counts for little,
and places nobody looked at since are told apart, to be looked at first.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

from planner.hotspots.neighbours import Links
from planner.hotspots.rates_prior import Prior

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Model(NamedTuple):
    """How streets change: half-lives in weeks of the long run and of what is recent, shape the long run holds at most.

    recent : ``inf`` where the long run alone is read. leave : share of those on a patrolled street who leave it in a
    week for streets beside it that are not. home : share of those away who come home in a week.
    """

    long: float
    recent: float
    firm: float
    leave: float
    home: float


#: Every combination is tried, the long run alone at three half-lives.
LONG_WEEKS, RECENT_WEEKS, FIRM = (np.inf, 26.0), (24.0, 8.0, 3.0), (2.0, 8.0)
PACES = (
    (np.inf, np.inf, np.inf), (52.0, np.inf, np.inf), (26.0, np.inf, np.inf), *product(LONG_WEEKS, RECENT_WEEKS, FIRM)
)  # fmt: skip
MOVES = ((0.0, 0.0), *product((0.1, 0.25, 0.5), (0.05, 0.15, 0.4)))
MODELS = tuple(Model(*pace, *move) for pace, move in product(PACES, MOVES))
#: So many times fewer or more than at home may be on a street, by whatever model.
FEWEST, MOST = 0.02, 50.0
#: All may have changed at once where it is so many times likelier (log) that this share of places was drawn anew, for
#: every so many places looked at, since what models miss adds up; what was known by then counts for one report at most.
SHAKEN, SHAKEN_SHARE, SHAKEN_PLACES = float(np.log(1e5)), 0.25, 2_500


@dataclass(slots=True, eq=False)
class Memory:
    """What n streets were like in the long run and lately, by each of ``models``.

    near : which streets people move between, each way (``planner.hotspots.neighbours``). size : (n,) > 0, how much room
    there is on each: people who leave spread by it, along a street by its length.
    here : (models, n) people there now over those at home. score : how well each model foretold, log chance; the first,
    by which nothing changes, has half of the weight beforehand.
    unseen : (n,) no patrol was there since all may have changed at once.
    Sources: models chosen by prediction, Raftery, Karny & Ettler (2010), doi:10.1198/TECH.2009.08104; discounted
    Gamma-Poisson filter and its monitoring by Bayes factors, West & Harrison (1997), doi:10.1007/b98971.
    """

    near: Links
    size: Floats
    models: tuple[Model, ...] = MODELS
    count: Floats = field(init=False)
    weeks: Floats = field(init=False)
    late_count: Floats = field(init=False)
    late_weeks: Floats = field(init=False)
    here: Floats = field(init=False)
    score: Floats = field(init=False)
    unseen: Bools = field(init=False)

    def __post_init__(self) -> None:
        k, n = len(self.models), len(self.size)
        self.count, self.weeks, self.late_count, self.late_weeks = np.zeros((4, k, n))
        self.here, self.score, self.unseen = np.ones((k, n)), np.zeros(k), np.zeros(n, bool)
        self.score[0] = np.log(max(1, k - 1))

    def learn(self, count: Floats, weeks: Floats, walked: Floats, lasted_weeks: float, prior: Prior) -> None:
        """Take in the next stretch of time.

        count : (n,) reports. weeks : (n,) as good as watched. walked : (n,) passes of patrols a week, at most 1, taken
        for the share of weeks in which one went there. prior : what is expected of streets without all this.
        """
        looked = weeks > 0
        if self._shaken(count[looked], weeks[looked], looked, prior):
            self._doubt(prior)
            self.unseen[:] = True
        self.unseen &= walked <= 0
        shape, rate = self._homes(prior)
        watched = weeks * self.here
        told = log_chance(count[looked], shape[:, looked], rate[:, looked], watched[:, looked])
        self.score += told.sum(axis=1)
        long, recent, *_ = self._columns()
        kept, late = 0.5 ** (lasted_weeks / long), 0.5 ** (lasted_weeks / recent)
        self.count = kept * self.count + count
        self.weeks = kept * self.weeks + watched
        self.late_count = late * self.late_count + count
        self.late_weeks = late * self.late_weeks + watched
        self._move(walked, lasted_weeks, prior)

    def _columns(self) -> list[Floats]:
        """Return what models say, each (models, 1)."""
        return [of[:, None] for of in np.array(self.models).T]

    def _homes(self, prior: Prior, k: slice = slice(None)) -> tuple[Floats, Floats]:
        """Return shapes and rates (models, n) of the Gammas of people at home, by the long run and what came lately."""
        _, recent, firm, *_ = (of[k] for of in self._columns())
        shape, rate = prior.shape + self.count[k], prior.shape / prior.mean + self.weeks[k]
        held = np.minimum(shape, firm)
        fast = np.isfinite(recent)
        return (
            np.where(fast, held + self.late_count[k], shape),
            np.where(fast, held * rate / shape + self.late_weeks[k], rate),
        )

    def _move(self, walked: Floats, lasted_weeks: float, prior: Prior) -> None:
        """Let people come home, and leave patrolled streets for those beside them that are not, week by week.

        A street is left for each one beside it by the share of weeks in which it was walked and that one was not, and
        by that one's size.
        """
        *_, leave, home = self._columns()
        indptr, indices = self.near
        if not leave.any() or not len(indices):
            return
        n = len(walked)
        to = np.repeat(np.arange(n), np.diff(indptr))
        way = walked[indices] * (1.0 - walked[to]) * self.size[to]
        ways = np.bincount(indices, way, n)
        goes = np.where(ways > 0, walked, 0.0)
        moves = csr_array((way / np.where(ways > 0, ways, 1.0)[indices], indices, indptr), shape=(n, n))
        shape, rate = self._homes(prior)
        people = shape / rate
        turns = max(1, round(lasted_weeks))
        left, back = (1.0 - (1.0 - share) ** (lasted_weeks / turns) for share in (leave, home))
        for _ in range(turns):
            now = people * (self.here + back * (1.0 - self.here))
            gone = left * goes * now
            self.here = np.clip((now - gone + (moves @ gone.T).T) / people, FEWEST, MOST)

    def _shaken(self, count: Floats, weeks: Floats, looked: Bools, prior: Prior) -> bool:
        """Tell whether the looks are much likelier if a share of places was drawn anew from what is expected of all.

        Likelier than by a model that does not forget, and the more so the better one that forgets has foretold so far:
        there change is usual, and the paces follow it.
        """
        k = self.steady
        shape, rate = (of[looked] for of in self.known(prior, k))
        as_before = log_chance(count, shape, rate, weeks)
        anew = log_chance(count, prior.shape[looked], (prior.shape / prior.mean)[looked], weeks)
        either = np.logaddexp(np.log1p(-SHAKEN_SHARE) + as_before, np.log(SHAKEN_SHARE) + anew)
        hurdle = SHAKEN * max(1.0, len(count) / SHAKEN_PLACES) + float(self.score.max() - self.score[k])
        return float((either - as_before).sum()) > hurdle

    def _doubt(self, prior: Prior) -> None:
        for count, weeks in ((self.count, self.weeks), (self.late_count, self.late_weeks)):
            kept = np.minimum(1.0, 1.0 / (prior.shape + count))
            count *= kept
            weeks *= kept
        self.here[:] = 1.0

    @property
    def steady(self) -> int:
        """Which of the models that do not forget foretold best; ``models`` must hold one."""
        among = np.flatnonzero([np.isinf(model[:2]).all() for model in self.models])
        return int(among[np.argmax(self.score[among])])

    @property
    def best(self) -> int:
        """Which model foretold best; the first where equal."""
        return int(np.argmax(self.score))

    def known(self, prior: Prior, model: int | None = None) -> tuple[Floats, Floats]:
        """Return shapes and rates (n,) of the Gammas of people per week now; model : None for the best."""
        k = self.best if model is None else model
        shape, rate = self._homes(prior, slice(k, k + 1))
        return shape[0], rate[0] / self.here[k]


def log_chance(count: Floats, shape: Floats, rate: Floats, weeks: Floats) -> Floats:
    """Return the log chance of each count whose mean is weeks x a Gamma: a negative binomial.

    count : (n,). shape, rate, weeks : (n,) or (models, n).
    """
    log = np.asarray(-shape * np.log1p(weeks / rate), np.float64)
    some = np.flatnonzero(count)  # few streets have a report in a week
    k, a, r, w = count[some], *(np.asarray(of)[..., some] for of in (shape, rate, weeks))
    log[..., some] += gammaln(k + a) - gammaln(a) - gammaln(k + 1.0) + k * (np.log(w) - np.log(r + w))
    return log
