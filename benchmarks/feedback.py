"""Plan, patrol, find, plan again: does the loop run away? Ours against raw counts, an urn and greedy rates.

python -m benchmarks.feedback [--seeds 8] [--first 0] [--city san_diego|demo] [--world W ...] [--policy P ...]

Worlds: see ``benchmarks.feedback_worlds``. A tenth of all cells is patrolled each of 104 rounds; a patrol finds
1 - exp(-1) of those present. History: a fifth of cells, surveyed once.
Found: expected finds of the last 26 rounds against those of an oracle that knows current rates, in a world of its own
moved by its own patrols; +- is the standard deviation over seeds; "same world": against the busiest tenth of cells as
they stand for the policy itself. Recall: of the busiest tenth (on average over the last 26 rounds), what share the
policy's own estimate names. Visited: share of cells ever patrolled.
Policies: cells with most finds; an urn (cells drawn in proportion to finds); rates of ``planner.hotspots.rates`` by
their mean, by draws (Thompson), by upper bounds; "recent rates", draws of ``planner.hotspots.memory``, which is what
patrols are planned by; "nobody moves", the same if it knew only rates that change of themselves. "all seen" looks at
every cell in every round, and goes to the busiest by recent rates: how much is left to chance and change even then.
"told" knows each cell's home rate and how rates change, and must look to learn more (``benchmarks.feedback_bound``):
more than any learner is told; "told, all seen" also sees every cell. Both only in the replay and the drift; in the
first the law itself is a likeness.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.feedback_bound import Told
from benchmarks.feedback_worlds import ROUNDS, SHARE, SLEEPERS, WORLDS, City, World, demo, pairs_of, san_diego
from planner.hotspots.exploration import THOMPSON, UPPER, priorities, within_budget
from planner.hotspots.exposure import Exposure
from planner.hotspots.memory import MODELS, Memory, Model
from planner.hotspots.neighbours import neighbours_from_pairs
from planner.hotspots.rates import Rates, corrected_rates
from planner.hotspots.rates_prior import prior_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LAST, SEES = 26, float(-np.expm1(-1.0))
#: Rounds between two fits of what is expected beforehand.
REFIT = 4


class Loop:
    """What a policy has seen: finds and searches by cell, and what it remembers of change, if it does."""

    def __init__(
        self, city: City, models: tuple[Model, ...], rng: np.random.Generator, told: Told | None = None
    ) -> None:
        self.told = told
        self.x, self.y, self.rng, n = city.x, city.y, rng, len(city.x)
        self.count, self.looks, self.one = np.zeros(n), np.zeros(n), np.ones(n)
        near = neighbours_from_pairs(*pairs_of(self.x, self.y), n)
        self.memory = Memory(near, self.one, models) if models else None
        self.prior = prior_of(self.count, self.looks, self.x, self.y, self.one)
        self.round = 0

    def learn(self, cells: Ints, found: Ints) -> None:
        """Take in a round."""
        if self.told is not None:
            self.told.learn(cells, found, SEES)
        count, looks = np.zeros(len(self.x)), np.zeros(len(self.x))
        count[cells], looks[cells] = found, SEES
        if self.memory is not None:
            self.memory.learn(count, looks, np.sign(looks), 1.0, self.prior)
        self.count += count
        self.looks += looks

    def rates(self) -> Rates:
        """Return the rates, with what is expected beforehand fitted anew every few rounds."""
        if self.round % REFIT == 0:
            self.prior = prior_of(self.count, self.looks, self.x, self.y, self.one)
        self.round += 1
        if self.memory is not None:
            return Rates(*self.memory.known(self.prior), self.looks <= 0, self.count, 0.0)
        none = np.zeros(len(self.x))
        exposure = Exposure(self.looks, none, 0.0)
        return corrected_rates(self.count, none, exposure, self.x, self.y, self.one, prior=self.prior)


Plan = Callable[[Loop, int], tuple[Ints, Floats]]


def by_counts(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    tie = 1e-6 * loop.rng.random(len(loop.x))
    return np.argsort(-(loop.count + tie))[:budget], loop.count


def by_urn(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    chance = (loop.count + 0.1) / (loop.count + 0.1).sum()
    return loop.rng.choice(len(chance), budget, replace=False, p=chance), loop.count


def by_rates(method: str, exploration: float) -> Plan:
    def plan(loop: Loop, budget: int) -> tuple[Ints, Floats]:
        rates = loop.rates()
        seed = int(loop.rng.integers(2**31))
        told = priorities(
            rates, loop.one, loop.one, detectability=1.0, seed=seed, exploration=exploration, method=method,
            unseen=None if loop.memory is None else loop.memory.unseen,
        )  # fmt: skip
        return np.flatnonzero(within_budget(told.planned, loop.one, budget)), rates.mean

    return plan


def by_told(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    assert loop.told is not None
    return np.argsort(-loop.told.bound, kind="stable")[:budget], loop.told.mean


def by_told_mean(loop: Loop, budget: int) -> tuple[Ints, Floats]:
    assert loop.told is not None
    return np.argsort(-loop.told.mean, kind="stable")[:budget], loop.told.mean


#: How each plans, and which models of change it tries: none where all time counts alike.
ALL_SEEN, TOLD, TOLD_ALL_SEEN = "all seen", "told", "told, all seen"
CHANGING = ("replay", "drift")
STAYING = tuple(model for model in MODELS if not model.leave)
POLICIES: dict[str, tuple[Plan, tuple[Model, ...]]] = {
    "raw counts": (by_counts, ()),
    "urn": (by_urn, ()),
    "rates, greedy": (by_rates(THOMPSON, 0.0), ()),
    "rates, upper bound": (by_rates(UPPER, 1.0), ()),
    "rates, Thompson": (by_rates(THOMPSON, 1.0), ()),
    "nobody moves": (by_rates(THOMPSON, 1.0), STAYING),
    "recent rates": (by_rates(THOMPSON, 1.0), MODELS),
    ALL_SEEN: (by_rates(THOMPSON, 0.0), MODELS),
    TOLD: (by_told, ()),
    TOLD_ALL_SEEN: (by_told_mean, ()),
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
    plan, models = POLICIES[policy]
    world, rng = World(kind, city, np.random.default_rng([seed, 1])), np.random.default_rng([seed, 2])
    told = Told(city, kind) if policy in (TOLD, TOLD_ALL_SEEN) else None
    loop, n = Loop(city, models, rng, told), len(city.x)
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
        if policy in (ALL_SEEN, TOLD_ALL_SEEN):
            loop.learn(np.arange(n), rng.poisson(SEES * world.rate))
        else:
            loop.learn(cells, finds)
        world.go_on(cells)
    return found, held, float(np.mean(recall)), float(visited.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--policy", choices=tuple(POLICIES), action="append", help="only these")
    parser.add_argument("--world", choices=WORLDS, action="append", help="only these")
    parser.add_argument("--city", choices=("san_diego", "demo"), default="san_diego" if SLEEPERS.is_file() else "demo")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    city = san_diego() if asked.city == "san_diego" else demo()
    budget, rate = int(SHARE * len(city.x)), city.rate
    busiest = np.sort(rate)[-budget:].sum() / rate.sum()
    print(f"{asked.city}: {len(rate)} cells, {budget} a round, {rate.mean():.2f} people each, {busiest:.0%} in a tenth")
    print(f"log rates: spread {city.spread:.2f}, memory {city.memory:.3f} a round")
    print(f"{'world':12} {'policy':20} {'found':>6} {'+-':>5} {'same world':>10} {'recall':>6} {'visited':>7}")
    for kind in asked.world or WORLDS:
        if kind == "replay" and city.monthly is None:
            continue
        oracle = np.array([oracle_finds(kind, city, seed) for seed in seeds])
        for policy in asked.policy or POLICIES:
            if policy in (TOLD, TOLD_ALL_SEEN) and kind not in CHANGING:
                continue
            got = np.array([played(policy, kind, city, seed) for seed in seeds])
            share, same = got[:, 0] / oracle, (got[:, 0] / got[:, 1]).mean()
            print(f"{kind:12} {policy:20} {share.mean():6.3f} {share.std():5.3f} {same:10.3f} "
                  f"{got[:, 2].mean():6.3f} {got[:, 3].mean():7.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
