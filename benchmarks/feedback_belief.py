"""What is believed of each place while patrols come and go: rates that change, and people who move from patrols.

A plan is made on a belief, patrols find people, the belief learns, the next plan is made: a loop can run away. What
keeps it from that: searches that found nobody count, places are planned by draws (Thompson sampling), each place may
have changed since it was last seen, and more so when places that were seen have changed, and people who were patrolled
away are looked for where they went.
"""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.rates_prior import Prior, prior_of
from planner.hotspots.recent import log_chance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: What a search counts for after a round in the long run and lately, and the shape with which the long run holds at
#: most (as in ``planner.hotspots.recent``; nothing forgotten: the long run alone); the share that leaves a patrolled
#: place; the share of those away that comes home in a round. Each combination predicts; the best of late is believed.
LONG = 0.5 ** (1 / 26)
PACES = (
    (1.0, 1.0, 1.0), *product((1.0,), (0.97,), (2.0, 8.0)), (1.0, 0.8, 2.0), *product((LONG,), (0.92, 0.8), (2.0, 8.0))
)  # fmt: skip
LEAVES, RETURNS = (0.15, 0.3, 0.5), (0.1, 0.2, 0.4)
#: Memory of how well each predicted, a round; rounds between two fits of what is expected beforehand.
MEMORY, REFIT = 0.97, 4
#: Chance a round that a place changes, before any has; the weight of that in place-rounds; the most it can be.
CHANGES, CHANGES_WEIGHT, CHANGES_MOST = 0.001, 20.0, 0.5
#: A place seen to have changed with more than this chance makes changes elsewhere likelier.
PLAIN = 0.5
#: Shape of what a place may hold once it changed: anything, at the mean of all.
CHANGED_SHAPE = 0.3


@dataclass(slots=True, eq=False)
class Belief:
    """Rates of n places, learnt round by round. x, y : (n,) metres. size : (n,) > 0.

    near : two (p,) arrays, pairs (from, to) of places that people move between, each way.
    Bank of models, the best of late believed: Raftery, Karny & Ettler (2010), doi:10.1198/TECH.2009.08104.
    Changes since the last look: Adams & MacKay (2007), arXiv:0710.3742, with two runs, the old one and a new one.
    """

    x: Floats
    y: Floats
    size: Floats
    near: tuple[Ints, Ints]
    long: Floats = field(init=False)
    keep: Floats = field(init=False)
    firm: Floats = field(init=False)
    old_count: Floats = field(init=False)
    old_looks: Floats = field(init=False)
    leave: Floats = field(init=False)
    home: Floats = field(init=False)
    count: Floats = field(init=False)
    looks: Floats = field(init=False)
    here: Floats = field(init=False)
    score: Floats = field(init=False)
    changed: Floats = field(init=False)
    prior: Prior = field(init=False)
    rounds: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        moves = [(0.0, 0.0), *product(LEAVES, RETURNS)]
        models = np.array([(*keep, *move) for keep, move in product(PACES, moves)])
        self.long, self.keep, self.firm, self.leave, self.home = models.T
        k, n = len(models), len(self.x)
        self.count, self.looks, self.here = np.zeros((k, n)), np.zeros((k, n)), np.ones((k, n))
        self.old_count, self.old_looks = np.zeros((k, n)), np.zeros((k, n))
        self.score, self.changed = np.zeros(k), np.zeros(n)
        self._expect()

    @property
    def best(self) -> int:
        """Which model predicted best of late."""
        return int(np.argmax(self.score))

    def learn(self, places: Ints, found: Ints, chance: float) -> None:
        """Take in a round: patrols looked at ``places`` (k,), found so many, each person with this ``chance``."""
        shape, rate = (of[:, places] for of in self._known(slice(None)))
        watched = chance * self.here[:, places]
        as_before = log_chance(found, shape, rate, watched)
        anew = log_chance(found, CHANGED_SHAPE, CHANGED_SHAPE / self._level, watched)
        old = np.log1p(-np.minimum(self.changed[places] + CHANGES, CHANGES_MOST)) + as_before
        new = np.log(np.minimum(self.changed[places] + CHANGES, CHANGES_MOST)) + anew
        either = np.logaddexp(old, new)
        self.score = MEMORY * self.score + either.sum(axis=1)
        broken = np.exp(new - either)

        self.old_count *= self.long[:, None]
        self.old_looks *= self.long[:, None]
        self.count *= self.keep[:, None]
        self.looks *= self.keep[:, None]
        self.old_count[:, places] = (1 - broken) * self.old_count[:, places] + found
        self.old_looks[:, places] = (1 - broken) * self.old_looks[:, places] + watched
        self.count[:, places] = (1 - broken) * self.count[:, places] + found
        self.looks[:, places] = (1 - broken) * self.looks[:, places] + watched
        plain = broken[self.best] > PLAIN
        fresh = np.where(plain, np.maximum(broken[self.best] - self.changed[places], 0.0), 0.0)
        lately = (CHANGES * CHANGES_WEIGHT + fresh.sum()) / (CHANGES_WEIGHT + len(places))
        self.changed += (1 - self.changed) * min(float(lately), CHANGES_MOST)
        self.changed[places] = 0.0
        self._move(places)
        self.rounds += 1
        if self.rounds % REFIT == 1:
            self._expect()

    @property
    def mean(self) -> Floats:
        """Return (n,) people expected at each place now."""
        k = self.best
        shape, rate = self._known(slice(k, k + 1))
        rate = (shape / rate)[0]
        return np.asarray(((1 - self.changed) * rate + self.changed * self._level) * self.here[k], np.float64)

    def draw(self, rng: np.random.Generator) -> Floats:
        """Return (n,) a draw of people at each place now."""
        k = self.best
        shape, rate = (of[0] for of in self._known(slice(k, k + 1)))
        known = rng.gamma(shape) / rate
        anew = rng.gamma(CHANGED_SHAPE, self._level / CHANGED_SHAPE, len(self.x))
        return np.asarray(np.where(rng.random(len(self.x)) < self.changed, anew, known) * self.here[k], np.float64)

    @property
    def _level(self) -> float:
        return float(self.prior.mean.mean())

    def _known(self, k: slice) -> tuple[Floats, Floats]:
        """Return shapes and rates (models, n) of people at home, by the long run and what came lately."""
        shape = self.prior.shape + self.old_count[k]
        mean = shape / (self.prior.shape / self.prior.mean + self.old_looks[k])
        fast = (self.keep[k] < 1)[:, None]
        held = np.minimum(shape, self.firm[k][:, None])
        return (np.where(fast, held + self.count[k], shape), np.where(fast, held / mean + self.looks[k], shape / mean))

    def _expect(self) -> None:
        self.prior = prior_of(self.old_count[self.best], self.old_looks[self.best], self.x, self.y, self.size)

    def _move(self, places: Ints) -> None:
        """Let people leave patrolled places for those beside them, and come home, as each model has it."""
        at, to = self.near
        walked = np.zeros(len(self.x), bool)
        walked[places] = True
        way = walked[at] & ~walked[to]
        ways = np.bincount(at[way], minlength=len(self.x))
        goes = walked & (ways > 0)
        shape, rate = self._known(slice(None))
        home = shape / rate
        for k in np.flatnonzero(self.leave > 0):
            now = home[k] * (self.here[k] + self.home[k] * (1 - self.here[k]))
            left = np.where(goes, self.leave[k] * now, 0.0)
            came = np.bincount(to[way], (left / np.maximum(ways, 1))[at[way]], len(self.x))
            self.here[k] = np.clip((now - left + came) / home[k], 0.02, 50.0)
