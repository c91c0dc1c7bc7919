"""Random small cities to publish, and the published law written a second time, for attackers."""

import datetime as dt
import functools
import itertools
import math

import numpy as np
from scipy import stats

from planner.hotspots.release import ReleaseQuestion
from planner.hotspots.release_geography import Geography

NOW = dt.datetime(2031, 7, 1)


def random_geography(rng: np.random.Generator, *, tiers: int, most_cells: int = 14) -> Geography:
    """Draw a tree of areas over a few cells; some areas have one part only."""
    sizes = [int(rng.integers(3, most_cells + 1))]
    for _ in range(tiers - 1):
        sizes.append(int(rng.integers(1, max(sizes[-1] // 2, 1) + 1)))
    parents = []
    for below, above in itertools.pairwise(sizes):
        up = np.concatenate([np.arange(above), rng.integers(0, above, below - above)])
        parents.append(rng.permutation(up))
    ids = tuple(tuple(f"{t}-{i}" for i in range(n)) for t, n in enumerate(sizes))
    return Geography("hexagon", 300.0, tuple(f"tier{t}" for t in range(tiers)), ids, tuple(parents))


def random_counts(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw counts as they are found: many empty cells, many small, a few large."""
    return rng.negative_binomial(0.4, 0.03, n).astype(np.int64) * rng.integers(0, 2, n)


def member_rows(geography: Geography) -> np.ndarray:
    """Return (n_nodes, n_cells) which cells each node is the sum of, climbing from each cell by itself."""
    up = geography.parent
    rows = np.zeros((len(up), geography.n_cells))
    for cell in range(geography.n_cells):
        node = cell
        while node >= 0:
            rows[node, cell] = 1
            node = up[node]
    return rows


def cell_log_chance(people, count: int, question: ReleaseQuestion) -> float:
    """Return the log chance that a cell of ``count`` people, of one tier, is published so (None: hidden)."""
    threshold = threshold_of(question)
    law = law_of(float(question.epsilon) / question.counts_per_person)
    if people is None:
        return math.log(law.cdf(threshold - 1 - count))
    near = np.arange(people - question.step // 2, people + question.step // 2 + 1)
    return math.log(law.pmf(near[near >= threshold] - count).sum())


@functools.cache
def law_of(share: float):
    """Return the law of the noise on one cell."""
    return stats.dlaplace(share)


@functools.cache
def threshold_of(question: ReleaseQuestion) -> int:
    """Return the least noisy number shown, found by trying guard after guard."""
    law, guard = law_of(float(question.epsilon) / question.counts_per_person), 1
    while law.sf(guard - 1) > question.false_share:
        guard += 1
    return question.least + guard - 1
