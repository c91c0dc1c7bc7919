"""Cover sets so small that every choice of sites can be tried."""

import itertools

import numpy as np

from planner.siting.cover_sets import merge_cover_sets


def drawn(rng, most_sites=7):
    """Return (m, d) which site covers which demand, the weights of demand, zeros among them, and the merged sets."""
    covers = rng.random((int(rng.integers(1, most_sites + 1)), int(rng.integers(1, 10)))) < rng.choice([0.15, 0.3, 0.5])
    weight = rng.integers(0, 5, covers.shape[1]).astype(float)
    ptr = np.concatenate([[0], np.cumsum(covers.sum(axis=1))]).astype(np.int64)
    return covers, weight, merge_cover_sets(ptr, np.nonzero(covers)[1].astype(np.int32), weight)


def some_fixed(rng, n_sites):
    """Return at most two sites that are open anyway, ascending."""
    return np.sort(rng.choice(n_sites, int(rng.integers(0, min(n_sites, 3))), replace=False))


def every_choice(n_sites, fixed, count):
    """Return every choice of at most ``count`` sites beside the fixed ones."""
    others = [j for j in range(n_sites) if j not in fixed]
    for size in range(count + 1):
        for more in itertools.combinations(others, size):
            yield np.array([*fixed, *more], np.int64)
