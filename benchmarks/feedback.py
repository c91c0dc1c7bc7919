"""Plan, patrol, find, plan again: does the loop run away? Ours against raw counts, an urn and greedy rates.

python -m benchmarks.feedback [--seeds 8] [--city san_diego|demo] [--world W ...] [--policy P ...]

Worlds: see ``benchmarks.feedback_worlds``. A tenth of all cells is patrolled each of 104 rounds; a patrol finds
1 - exp(-1) of those present. History: a fifth of cells, surveyed once.
Found: expected finds of the last 26 rounds against those of an oracle that knows current rates, in a world of its own
moved by its own patrols; +- is the standard deviation over seeds; "same world": against the busiest tenth of cells as
they stand for the policy itself. Recall: of the busiest tenth (on average over the last 26 rounds), what share the
policy's own estimate names. Visited: share of cells ever patrolled.
Policies: cells with most finds; an urn (cells drawn in proportion to finds); rates of ``planner.hotspots.rates`` by
their mean, by draws (Thompson), by upper bounds; by draws with old rounds forgotten at the pace that foretells best;
and ``benchmarks.feedback_belief``, which also models people who move next door and places that change at once.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from benchmarks.feedback_belief import Belief
from benchmarks.feedback_worlds import ROUNDS, SHARE, SLEEPERS, WORLDS, City, World, demo, pairs_of, san_diego
from planner.hotspots.exploration import THOMPSON, UPPER, priorities, within_budget
from planner.hotspots.exposure import Exposure
from planner.hotspots.rates import Rates, corrected_rates
from planner.hotspots.rates_prior import Prior, prior_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LAST, SEES = 26, float(-np.expm1(-1.0))
#: Rounds between two fits of what is expected beforehand; what old rounds keep where the pace of forgetting is chosen.
REFIT, KEEPS = 4, (1.0, 0.99, 0.98, 0.96, 0.92, 0.85)


class Loop:
    """What a policy has seen: finds and searches by cell, for each pace of forgetting, and how well each foretold."""

    def __init__(self, city: City, keeps: tuple[float, ...], believes: bool, rng: np.random.Generator) -> None:
        self.x, self.y, self.rng, n = city.x, city.y, rng, len(city.x)
        self.keeps = np.array(keeps)
        self.count, self.looks = np.zeros((len(keeps), n)), np.zeros((len(keeps), n))
        self.one, self.score = np.ones(n), np.zeros(len(keeps))
        self.priors: list[Prior] = []
        self.round = 0
        self.belief = Belief(self.x, self.y, self.one, pairs_of(self.x, self.y)) if believes else None

    def learn(self, cells: Ints, found: Ints) -> None:
        """Take in a round."""
        if self.belief is not None:
            self.belief.learn(cells, found, SEES)
        for k, prior in enumerate(self.priors if len(self.keeps) > 1 else []):
            shape = (prior.shape + self.count[k])[cells]
            rate = (prior.shape / prior.mean + self.looks[k])[cells]
            self.score[k] += nbinom.logpmf(found, shape, rate / (rate + SEES)).sum()
        self.count *= self.keeps[:, None]
        self.looks *= self.keeps[:, None]
        self.count[:, cells] += found
        self.looks[:, cells] += SEES

    def rates(self) -> Rates:
        """Return the rates, with what is expected beforehand fitted anew every few rounds."""
        if self.round % REFIT == 0:
            self.priors = [prior_of(*at, self.x, self.y, self.one) for at in zip(self.count, self.looks, strict=True)]
        self.round += 1
        none, k = np.zeros(len(self.x)), int(np.argmax(self.score))
        exposure = Exposure(self.looks[k], none, 0.0)
        return corrected_rates(self.count[k], none, exposure, self.x, self.y, self.one, prior=self.priors[k])


Plan = Callable[[Loop, int], tuple[Ints, Floats]]


def by_counts(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    tie = 1e-6 * loop.rng.random(len(loop.x))
    return np.argsort(-(loop.count[0] + tie))[:budget], loop.count[0]


def by_urn(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    chance = (loop.count[0] + 0.1) / (loop.count[0] + 0.1).sum()
    return loop.rng.choice(len(chance), budget, replace=False, p=chance), loop.count[0]


def by_rates(method: str, exploration: float) -> Plan:
    def plan(loop: Loop, budget: int) -> tuple[Ints, Floats]:
        rates = loop.rates()
        seed = int(loop.rng.integers(2**31))
        told = priorities(
            rates, loop.one, loop.one, detectability=1.0, seed=seed, exploration=exploration, method=method
        )
        return np.flatnonzero(within_budget(told.planned, loop.one, budget)), rates.mean

    return plan


def by_belief(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    assert loop.belief is not None
    return np.argsort(-loop.belief.draw(loop.rng), kind="stable")[:budget], loop.belief.mean


POLICIES: dict[str, tuple[Plan, tuple[float, ...]]] = {
    "raw counts": (by_counts, (1.0,)),
    "urn": (by_urn, (1.0,)),
    "rates, greedy": (by_rates(THOMPSON, 0.0), (1.0,)),
    "rates, Thompson": (by_rates(THOMPSON, 1.0), (1.0,)),
    "rates, upper bound": (by_rates(UPPER, 1.0), (1.0,)),
    "rates, forgetting": (by_rates(THOMPSON, 1.0), KEEPS),
    "belief": (by_belief, (1.0,)),
}


def oracle_finds(kind: str, city: City, seed: int) -> float:
    """Return what an oracle expects to find in the last rounds, in its own world."""
    world, budget, total = World(kind, city, np.random.default_rng([seed, 1])), int(SHARE * len(city.x)), 0.0
    for turn in range(ROUNDS):
        best = np.argsort(-world.rate, kind="stable")[:budget]
        total += SEES * float(world.rate[best].sum()) if turn >= ROUNDS - LAST else 0.0
        world.go_on(best)
    return total


def played(policy: str, kind: str, city: City, seed: int) -> tuple[float, ...]:
    """Return finds of the last rounds, what the same world held for an oracle, recall, share ever visited."""
    plan, keeps = POLICIES[policy]
    world, rng = World(kind, city, np.random.default_rng([seed, 1])), np.random.default_rng([seed, 2])
    loop, n = Loop(city, keeps, plan is by_belief, rng), len(city.x)
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
    parser.add_argument("--world", choices=WORLDS, action="append", help="only these")
    parser.add_argument("--city", choices=("san_diego", "demo"), default="san_diego" if SLEEPERS.is_file() else "demo")
    asked = parser.parse_args()
    city = san_diego() if asked.city == "san_diego" else demo()
    budget, rate = int(SHARE * len(city.x)), city.rate
    busiest = np.sort(rate)[-budget:].sum() / rate.sum()
    print(f"{asked.city}: {len(rate)} cells, {budget} a round, {rate.mean():.2f} people a cell, {busiest:.0%} in a tenth")
    print(f"log rates: spread {city.spread:.2f}, memory {city.memory:.3f} a round")
    print(f"{'world':12} {'policy':20} {'found':>6} {'+-':>5} {'same world':>10} {'recall':>6} {'visited':>7}")
    for kind in asked.world or WORLDS:
        if kind == "replay" and city.monthly is None:
            continue
        oracle = np.array([oracle_finds(kind, city, seed) for seed in range(asked.seeds)])
        for policy in asked.policy or POLICIES:
            got = np.array([played(policy, kind, city, seed) for seed in range(asked.seeds)])
            share, same = got[:, 0] / oracle, (got[:, 0] / got[:, 1]).mean()
            print(f"{kind:12} {policy:20} {share.mean():6.3f} {share.std():5.3f} {same:10.3f} "
                  f"{got[:, 2].mean():6.3f} {got[:, 3].mean():7.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
