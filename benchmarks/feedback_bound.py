"""What a patrol could know at best: one told each cell's home rate and how rates change, who must look to learn more.

No learner is told as much. Where it looks is not proven best, only better than draws and means: a measure of what is
possible, not a proof. Only worlds that change of themselves: where rates stay, it would know all.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.feedback_worlds import City

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Standard deviations of log rates the grid reaches to, and its points; an even number of steps, so that home is one.
REACH, POINTS = 2.8, 21
#: Standard deviations above the mean by which cells are chosen: found most of 0 to 3, and more than by draws.
ABOVE = 2.0


class Told:
    """Beliefs of n cells on a grid of log rates about home; exact, but for the grid.

    The drift is the world's own. For the replay, whose law nobody knows, home is each cell's mean of the six years and
    the drift that of its counts.
    """

    def __init__(self, city: City, kind: str) -> None:
        home = city.monthly.mean(axis=0) if kind == "replay" and city.monthly is not None else city.rate
        log = np.linspace(-REACH * city.spread, REACH * city.spread, POINTS)
        self.rates = np.maximum(home, 1e-3)[:, None] * np.exp(log - city.spread**2 / 2)
        self.step = _steps(log, city.spread, city.memory)
        at_first = np.exp(-0.5 * (log / city.spread) ** 2)
        self.chance = np.tile(at_first / at_first.sum(), (len(home), 1))

    def learn(self, cells: Ints, found: Ints, sees: float) -> None:
        """Take in finds in ``cells``, each person found with the chance ``sees``; then a round passes."""
        seen = sees * self.rates[cells]
        told = self.chance[cells] * np.exp(found[:, None] * np.log(seen) - seen)
        self.chance[cells] = told / told.sum(axis=1, keepdims=True)
        self.chance = self.chance @ self.step

    @property
    def mean(self) -> Floats:
        """Return (n,) people expected in each cell now."""
        return np.asarray((self.chance * self.rates).sum(axis=1))

    @property
    def bound(self) -> Floats:
        """Return (n,) the mean and ABOVE standard deviations: where to look."""
        variance = (self.chance * self.rates**2).sum(axis=1) - self.mean**2
        return np.asarray(self.mean + ABOVE * np.sqrt(np.maximum(variance, 0.0)))


def _steps(log: Floats, spread: float, memory: float) -> Floats:
    """Return (g, g) chances to go from point to point in a round: to three points, mean and variance kept."""
    gap, variance = log[1] - log[0], spread**2 * (1 - memory**2)
    near = np.clip(np.round((memory * log - log[0]) / gap).astype(int), 1, len(log) - 2)
    off = memory * log - log[near]
    both = (variance + off**2) / gap**2
    up, down = np.maximum((both + off / gap) / 2, 0.0), np.maximum((both - off / gap) / 2, 0.0)
    steps, row = np.zeros((len(log), len(log))), np.arange(len(log))
    steps[row, near + 1], steps[row, near - 1] = up, down
    steps[row, near] = np.maximum(1 - up - down, 0.0)
    return np.asarray(steps / steps.sum(axis=1, keepdims=True))
