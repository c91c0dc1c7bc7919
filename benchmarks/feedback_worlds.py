"""Worlds for the feedback loop: people in cells, who stay, move away from patrols, or change as counted streets did.

San Diego: people counted sleeping outside downtown, 2014 to 2019, by month (shared data); without that file the demo
town, scaled to as many people a cell. A round is a week, 104 rounds.
  static        rates stay.
  moving away   three in ten of those in a patrolled cell go to cells beside it that were not patrolled; a fifth of all
                who are away come home each round.
  leaving       three in ten of those in a patrolled cell leave for one cell anywhere (drawn anew, likelier where more
                people live); one in twenty of those away comes home each round: no policy models this.
  replay        what was counted: two years of San Diego's months, smoothed over cells and months as far as best
                foretells the months left out (Poisson), begun at a month drawn by the seed. San Diego only.
  drift         each cell's log rate wanders about its home with the spread and memory of San Diego's counts (their
                products at lags of 1 to 24 months, in which counting noise drops out), week by week.
  cleared       at round 35 a quarter of the busiest tenth change places with cells drawn at random, at once.
  slow drift    log rates wander by 0.08 a round, drawn home by a fiftieth: invented.
  harsh swap    at round 52 half of the busiest tenth change places with cells drawn at random: invented.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree

from benchmarks.rates import demo_town

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SLEEPERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "san_diego" / "downtown_sleepers_2014_2019.csv.gz"
FOOT_M = 0.3048006096
WEEKS_A_MONTH = 365.25 / 12 / 7
ROUNDS, SHARE = 104, 0.1
LEAVE, RETURN, RETURN_LATE = 0.3, 0.2, 0.05
#: Rounds at which cells change places, and what share of the busiest tenth does.
CLEARED, SWAPPED = (35, 0.25), (ROUNDS // 2, 0.5)
SLOW_STEP, SLOW_HOME = 0.08, 0.02
#: The pace of San Diego, for cities without counts by month: what ``pace_of`` gives (a round is a week).
SPREAD, MEMORY = 0.72, 0.98
PEOPLE_A_CELL = 1.3
#: Standard deviations tried for smoothing the counts, in metres and months.
SMOOTH_M, SMOOTH_MONTHS = (0.0, 40.0, 60.0, 80.0, 120.0), (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 12.0)
WORLDS = ("static", "moving away", "leaving", "replay", "drift", "cleared", "slow drift", "harsh swap")


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """n cells: centres in metres and people on average; by month (months, n), or nothing; the pace of change.

    spread : standard deviation of log rates over time. memory : their correlation after a round.
    """

    x: Floats
    y: Floats
    rate: Floats
    monthly: Floats | None
    spread: float
    memory: float


def cells_of(x: Floats, y: Floats, size_m: float) -> tuple[Floats, Floats, Ints]:
    """Return centres of the cells with a point in them or beside them, and the cell of each point."""
    column, row = np.floor(x / size_m).astype(int), np.floor(y / size_m).astype(int)
    column, row = column - column.min() + 1, row - row.min() + 1
    there = np.zeros((column.max() + 2, row.max() + 2), bool)
    for dc in (-1, 0, 1):
        for dr in (-1, 0, 1):
            there[column + dc, row + dr] = True
    c, r = np.nonzero(there)
    number = np.cumsum(there.ravel()).reshape(there.shape) - 1
    return c * size_m, r * size_m, number[column, row]


def counted() -> tuple[Floats, Floats, Floats]:
    """Return San Diego's cells and people in each by month (72, n), NaN in months without a count."""
    with gzip.open(SLEEPERS, "rt") as file:
        table = pd.read_csv(file)
    x, y, cell = cells_of(*(table[f"{axis}_epsg2230_ft"].to_numpy(np.float64) * FOOT_M for axis in "xy"), 100.0)
    when = pd.PeriodIndex(table["month"], freq="M")
    month = ((when.year - 2014) * 12 + when.month - 1).to_numpy(np.int64)
    days = table.groupby(month)["date"].nunique()
    people = np.zeros((72, len(x)))
    np.add.at(people, (month, cell), table["count"].to_numpy(np.float64))
    people[days.index] /= days.to_numpy()[:, None]
    people[np.setdiff1d(np.arange(72), days.index)] = np.nan
    return x, y, people


def smoothed(x: Floats, y: Floats, people: Floats) -> tuple[Floats, float, float]:
    """Return (months, n) intensities, and the metres and months of smoothing that best foretell months left out."""
    seen = np.flatnonzero(np.isfinite(people[:, 0]))
    count, lag = people[seen], np.abs(np.arange(len(people))[:, None] - seen[None, :])
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    best: tuple[float, Floats, float, float] | None = None
    for metres in SMOOTH_M:
        near = np.eye(len(x)) if metres == 0 else np.exp(-0.5 * (distance / metres) ** 2)
        spread = count @ (near / near.sum(axis=0)).T
        for months in SMOOTH_MONTHS:
            weight = np.exp(-0.5 * (lag / months) ** 2)
            left_out = np.where(lag == 0, 0.0, weight)[seen]
            told = left_out @ spread / left_out.sum(axis=1, keepdims=True) + 0.01
            score = float((count * np.log(told) - told).sum())
            if best is None or score > best[0]:
                best = score, weight @ spread / weight.sum(axis=1, keepdims=True), metres, months
    assert best is not None
    return best[1], best[2], best[3]


def pace_of(people: Floats) -> tuple[float, float]:
    """Return the standard deviation of log rates over time and their correlation after a month.

    With log rates that wander about a home with variance v and correlation r^lag, the mean product of two months'
    counts is (mean)^2 exp(v r^lag), free of counting noise; v and r by least squares over lags of 1 to 24 months.
    """
    share = people / people.mean(axis=1, keepdims=True)
    lags = np.arange(1, 25)
    log = np.log([np.nanmean((share[:-lag] * share[lag:]).mean(axis=1)) for lag in lags])
    (_, variance, memory), _ = curve_fit(
        lambda lag, level, v, r: level + v * r**lag, lags, log, (log[-1], 0.5, 0.9), bounds=([-9, 0, 0], [9, 9, 0.999])
    )
    return float(np.sqrt(variance)), float(memory)


def san_diego() -> City:
    x, y, people = counted()
    monthly, _, _ = smoothed(x, y, people)
    spread, memory = pace_of(people)
    return City(x, y, np.nanmean(people, axis=0), monthly, spread, memory ** (1 / WEEKS_A_MONTH))


def demo() -> City:
    """Return cells of 150 m of the demo town, as many people a cell as in San Diego, and its pace of change there."""
    town = demo_town(1)
    x, y, cell = cells_of(town.known.x, town.known.y, 150.0)
    rate = np.bincount(cell, town.truth, len(x))
    return City(x, y, rate * PEOPLE_A_CELL / rate.mean(), None, SPREAD, MEMORY)


def pairs_of(x: Floats, y: Floats) -> tuple[Ints, Ints]:
    """Return pairs of cells that touch, each way."""
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(1.6 * np.diff(np.unique(x)).min(), output_type="ndarray")
    return np.concatenate([pairs[:, 0], pairs[:, 1]]), np.concatenate([pairs[:, 1], pairs[:, 0]])


class World:
    """People in cells, moved by patrols or by time; ``rng`` moves them."""

    def __init__(self, kind: str, city: City, rng: np.random.Generator) -> None:
        self.kind, self.city, self.rng, self.round = kind, city, rng, 0
        self.home, self.rate = city.rate.copy(), city.rate.copy()
        self.a, self.b = pairs_of(city.x, city.y)
        if kind == "drift":
            self.log = rng.normal(0, city.spread, len(self.rate))
            self._drift()
        if kind == "replay":
            assert city.monthly is not None
            months = int(np.ceil(ROUNDS / WEEKS_A_MONTH)) + 1
            self.begin = int(rng.integers(len(city.monthly) - months + 1))
            self._replay()

    def go_on(self, patrolled: Ints) -> None:
        """Move people after a round."""
        self.round += 1
        if self.kind in ("moving away", "leaving"):
            self._flee(patrolled)
        elif self.kind == "replay":
            self._replay()
        elif self.kind == "drift":
            memory = self.city.memory
            step = self.city.spread * np.sqrt(1 - memory**2)
            self.log = memory * self.log + self.rng.normal(0, step, len(self.log))
            self._drift()
        elif self.kind == "slow drift":
            log = np.log(self.rate + 0.01)
            log += SLOW_HOME * (np.log(self.home + 0.01) - log) + self.rng.normal(0, SLOW_STEP, len(log))
            self.rate = np.exp(log) * self.home.sum() / np.exp(log).sum()
        elif (self.kind, self.round) in (("cleared", CLEARED[0]), ("harsh swap", SWAPPED[0])):
            self._swap(CLEARED[1] if self.kind == "cleared" else SWAPPED[1])

    def _drift(self) -> None:
        self.rate = self.home * np.exp(self.log - self.city.spread**2 / 2)

    def _replay(self) -> None:
        assert self.city.monthly is not None
        month, part = divmod(self.begin + self.round / WEEKS_A_MONTH, 1.0)
        now, soon = self.city.monthly[int(month)], self.city.monthly[min(int(month) + 1, len(self.city.monthly) - 1)]
        self.rate = (1 - part) * now + part * soon

    def _flee(self, patrolled: Ints) -> None:
        n, far = len(self.rate), self.kind == "leaving"
        self.rate += (RETURN_LATE if far else RETURN) * (self.home - self.rate)
        walked = np.zeros(n, bool)
        walked[patrolled] = True
        if far:
            chance = np.where(walked, 0.0, self.home + self.home.mean())
            left = LEAVE * self.rate[patrolled]
            to = self.rng.choice(n, len(patrolled), p=chance / chance.sum())
            self.rate[patrolled] -= left
            np.add.at(self.rate, to, left)
            return
        way = walked[self.a] & ~walked[self.b]
        ways = np.bincount(self.a[way], minlength=n)
        leave = np.where(walked & (ways > 0), LEAVE * self.rate, 0.0)
        went = np.bincount(self.b[way], (leave / np.maximum(ways, 1))[self.a[way]], n)
        self.rate = self.rate - leave + went

    def _swap(self, share: float) -> None:
        n = len(self.rate)
        busiest = np.argsort(-self.rate)[: int(SHARE * n)]
        one = self.rng.choice(busiest, int(len(busiest) * share), replace=False)
        other = self.rng.choice(np.setdiff1d(np.arange(n), busiest), len(one), replace=False)
        self.rate[one], self.rate[other] = self.rate[other].copy(), self.rate[one].copy()
