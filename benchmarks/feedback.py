"""Plan, patrol, find, plan again: does the loop run away? Ours against raw counts, an urn and greedy rates.

python -m benchmarks.feedback [--seeds 8] [--city san_diego|demo]

San Diego: mean monthly counts of people sleeping outside downtown (2014 to 2019), on cells of 100 m; without that file
the demo town, 150 m cells, scaled to as many people a cell. A tenth of all cells is patrolled each round, 104 rounds;
a patrol finds 1 - exp(-1) of those present. History: a fifth of cells, surveyed once. Worlds:
  static       rates stay.
  moving away  three in ten of those in a patrolled cell go to cells beside it that were not patrolled; a fifth of all
               who are away come home each round.
  drift        log rates wander (0.08 a round), drawn to where they began by a fiftieth.
  abrupt       after half the rounds half of the busiest tenth change places with cells drawn at random.
Found: finds of the last 26 rounds against those of an oracle that knows current rates, in a world of its own moved by
its own patrols; "same world": against the busiest tenth of cells as they stand for the policy itself. Recall: of the
busiest tenth (on average over the last 26 rounds), what share the policy's own estimate names. Visited: share of cells
ever patrolled. Rates are fitted as in ``planner.hotspots.rates``; ours is ``planner.hotspots.feedback.Belief``.
"""

import argparse
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.rates import demo_town
from planner.hotspots.exploration import THOMPSON, UPPER, priorities, within_budget
from planner.hotspots.exposure import Exposure
from planner.hotspots.feedback import Belief
from planner.hotspots.rates import Rates, corrected_rates
from planner.hotspots.rates_prior import Prior, prior_of

Floats = NDArray[np.float64]
SLEEPERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "san_diego" / "downtown_sleepers_2014_2019.csv.gz"
FOOT_M = 0.3048006096
ROUNDS, LAST, SHARE, SEES = 104, 26, 0.1, float(-np.expm1(-1.0))
#: Leaving a patrolled cell, coming home, wandering, drawn home.
LEAVE, RETURN, WANDER, HOME = 0.3, 0.2, 0.08, 0.02
#: Rounds between two fits of what is expected beforehand.
REFIT = 4
WORLDS = ("static", "moving away", "drift", "abrupt")


def cells_of(x: Floats, y: Floats, weight: Floats, size_m: float) -> tuple[Floats, Floats, Floats]:
    """Return centres and sums of the cells with a point in them or beside them."""
    column, row = np.floor(x / size_m).astype(int), np.floor(y / size_m).astype(int)
    column, row = column - column.min() + 1, row - row.min() + 1
    grid = np.zeros((column.max() + 2, row.max() + 2))
    there = np.zeros(grid.shape, bool)
    np.add.at(grid, (column, row), weight)
    for dc in (-1, 0, 1):
        for dr in (-1, 0, 1):
            there[column + dc, row + dr] = True
    c, r = np.nonzero(there)
    return c * size_m, r * size_m, grid[c, r]


def san_diego() -> tuple[Floats, Floats, Floats]:
    """Return cells and people in each per month on average."""
    with gzip.open(SLEEPERS, "rt") as file:
        table = pd.read_csv(file)
    x, y = (table[f"{axis}_epsg2230_ft"].to_numpy(np.float64) * FOOT_M for axis in "xy")
    return cells_of(x, y, table["count"].to_numpy(np.float64) / table["month"].nunique(), 100.0)


def demo() -> tuple[Floats, Floats, Floats]:
    """Return cells of the demo town and people in each, as many a cell as in San Diego."""
    town = demo_town(1)
    x, y, rate = cells_of(town.x, town.y, town.truth, 150.0)
    return x, y, rate * 2.5 / rate.mean()


def pairs_of(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of cells that touch, each way."""
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(1.6 * np.diff(np.unique(x)).min(), output_type="ndarray")
    return np.concatenate([pairs[:, 0], pairs[:, 1]]), np.concatenate([pairs[:, 1], pairs[:, 0]])


class World:
    """People in cells, moved by patrols or time."""

    def __init__(self, kind: str, x: Floats, y: Floats, rate: Floats, rng: np.random.Generator) -> None:
        self.kind, self.home, self.rate, self.rng, self.round = kind, rate.copy(), rate.copy(), rng, 0
        self.a, self.b = pairs_of(x, y)

    def go_on(self, patrolled: NDArray[np.int64]) -> None:
        """Move people after a round."""
        self.round += 1
        n = len(self.rate)
        if self.kind == "moving away":
            self.rate += RETURN * (self.home - self.rate)
            walked = np.zeros(n, bool)
            walked[patrolled] = True
            way = walked[self.a] & ~walked[self.b]
            ways = np.bincount(self.a[way], minlength=n)
            leave = np.where(walked & (ways > 0), LEAVE * self.rate, 0.0)
            went = np.bincount(self.b[way], (leave / np.maximum(ways, 1))[self.a[way]], n)
            self.rate = self.rate - leave + went
        elif self.kind == "drift":
            log = np.log(self.rate + 0.01)
            log += HOME * (np.log(self.home + 0.01) - log) + self.rng.normal(0, WANDER, n)
            self.rate = np.exp(log) * self.home.sum() / np.exp(log).sum()
        elif self.kind == "abrupt" and self.round == ROUNDS // 2:
            busiest = np.argsort(-self.rate)[: int(SHARE * n)]
            one = self.rng.choice(busiest, len(busiest) // 2, replace=False)
            other = self.rng.choice(np.setdiff1d(np.arange(n), busiest), len(one), replace=False)
            self.rate[one], self.rate[other] = self.rate[other].copy(), self.rate[one].copy()


class Loop:
    """What a policy has seen: finds and searches by cell, old ones counting less where it discounts."""

    def __init__(self, x: Floats, y: Floats, keep: float, believes: bool, rng: np.random.Generator) -> None:
        self.x, self.y, self.keep, self.believes, self.rng = x, y, keep, believes, rng
        self.count, self.looks, self.one = np.zeros(len(x)), np.zeros(len(x)), np.ones(len(x))
        self.prior: Prior | None = None
        self.round = 0
        self.belief = Belief(x, y, self.one, pairs_of(x, y))

    def learn(self, cells: NDArray[np.int64], found: NDArray[np.int64]) -> None:
        self.count *= self.keep
        self.looks *= self.keep
        self.count[cells] += found
        self.looks[cells] += SEES
        if self.believes:
            self.belief.learn(cells, found, SEES)

    def rates(self) -> Rates:
        """Return the rates, with what is expected beforehand fitted anew every few rounds."""
        if self.round % REFIT == 0 or self.prior is None:
            self.prior = prior_of(self.count, self.looks, self.x, self.y, self.one)
        self.round += 1
        none = np.zeros(len(self.x))
        return corrected_rates(
            self.count, none, Exposure(self.looks, none, 0.0), self.x, self.y, self.one, prior=self.prior
        )


def by_counts(loop: Loop, budget: int) -> tuple[NDArray[np.int64], Floats]:
    tie = 1e-6 * loop.rng.random(len(loop.x))
    return np.argsort(-(loop.count + tie))[:budget], loop.count


def by_urn(loop: Loop, budget: int) -> tuple[NDArray[np.int64], Floats]:
    chance = (loop.count + 0.1) / (loop.count + 0.1).sum()
    return loop.rng.choice(len(chance), budget, replace=False, p=chance), loop.count


def by_rates(method: str, exploration: float) -> Callable[[Loop, int], tuple[NDArray[np.int64], Floats]]:
    def plan(loop: Loop, budget: int) -> tuple[NDArray[np.int64], Floats]:
        rates = loop.rates()
        seed = int(loop.rng.integers(2**31))
        told = priorities(
            rates, loop.one, loop.one, detectability=1.0, seed=seed, exploration=exploration, method=method
        )
        return np.flatnonzero(within_budget(told.planned, loop.one, budget)), rates.mean

    return plan


def by_belief(loop: Loop, budget: int) -> tuple[NDArray[np.int64], Floats]:
    return np.argsort(-loop.belief.draw(loop.rng), kind="stable")[:budget], loop.belief.mean


POLICIES = {
    "raw counts": (by_counts, 1.0),
    "urn": (by_urn, 1.0),
    "rates, greedy": (by_rates(THOMPSON, 0.0), 1.0),
    "rates, Thompson": (by_rates(THOMPSON, 1.0), 1.0),
    "rates, upper bound": (by_rates(UPPER, 1.0), 1.0),
    "ours": (by_belief, 1.0),
}  # fmt: skip


def oracle_finds(kind: str, x: Floats, y: Floats, rate: Floats, seed: int) -> float:
    """Return what an oracle expects to find in the last rounds, in its own world."""
    world, budget, total = World(kind, x, y, rate, np.random.default_rng([seed, 1])), int(SHARE * len(x)), 0.0
    for turn in range(ROUNDS):
        best = np.argsort(-world.rate, kind="stable")[:budget]
        total += SEES * float(world.rate[best].sum()) if turn >= ROUNDS - LAST else 0.0
        world.go_on(best)
    return total


def played(policy: str, kind: str, x: Floats, y: Floats, rate: Floats, seed: int) -> tuple[float, ...]:
    """Return finds of the last rounds, what the same world held for an oracle, recall, share ever visited."""
    plan, keep = POLICIES[policy]
    world, rng = World(kind, x, y, rate, np.random.default_rng([seed, 1])), np.random.default_rng([seed, 2])
    loop, n = Loop(x, y, keep, plan is by_belief, rng), len(x)
    budget = int(SHARE * n)
    survey = rng.choice(n, n // 5, replace=False)
    loop.learn(survey, rng.poisson(SEES * world.rate[survey]))
    visited, found, held, recall = np.zeros(n, bool), 0.0, 0.0, []
    for turn in range(ROUNDS):
        cells, estimate = plan(loop, budget)
        visited[cells] = True
        finds = rng.poisson(SEES * world.rate[cells])
        if turn >= ROUNDS - LAST:
            busiest = np.argsort(-world.rate, kind="stable")[:budget]
            found += float(SEES * world.rate[cells].sum())
            held += float(SEES * world.rate[busiest].sum())
            named = np.argsort(-estimate, kind="stable")[:budget]
            recall.append(len(np.intersect1d(named, busiest)) / budget)
        loop.learn(cells, finds)
        world.go_on(cells)
    return found, held, float(np.mean(recall)), float(visited.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--policy", choices=tuple(POLICIES), action="append", help="only these")
    parser.add_argument("--city", choices=("san_diego", "demo"), default="san_diego" if SLEEPERS.is_file() else "demo")
    asked = parser.parse_args()
    x, y, rate = san_diego() if asked.city == "san_diego" else demo()
    budget = int(SHARE * len(x))
    busiest = np.sort(rate)[-budget:].sum() / rate.sum()
    print(f"{asked.city}: {len(x)} cells, {budget} a round, {rate.mean():.2f} people a cell, {busiest:.0%} in a tenth")
    print(f"{'world':12} {'policy':20} {'found':>6} {'+-':>5} {'same world':>10} {'recall':>6} {'visited':>7}")
    for kind in WORLDS:
        oracle = np.array([oracle_finds(kind, x, y, rate, seed) for seed in range(asked.seeds)])
        for policy in asked.policy or POLICIES:
            got = np.array([played(policy, kind, x, y, rate, seed) for seed in range(asked.seeds)])
            share, same = got[:, 0] / oracle, (got[:, 0] / got[:, 1]).mean()
            print(f"{kind:12} {policy:20} {share.mean():6.3f} {share.std():5.3f} {same:10.3f} "
                  f"{got[:, 2].mean():6.3f} {got[:, 3].mean():7.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
