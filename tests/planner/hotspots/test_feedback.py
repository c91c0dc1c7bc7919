"""The loop of plan, patrol, find and plan again."""

import numpy as np
import pytest

from benchmarks.feedback import oracle_finds, played


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    column, row = np.divmod(np.arange(196), 14)
    return column * 100.0, row * 100.0, np.random.default_rng([1, 5]).gamma(0.3, 6.0, 196)


def test_raw_counts_run_away_and_the_belief_does_not(cells) -> None:
    share = {}
    for policy in ("raw counts", "ours"):
        got = [played(policy, "static", *cells, seed)[0] / oracle_finds("static", *cells, seed) for seed in range(3)]
        share[policy] = np.mean(got)
    assert share["raw counts"] < 0.75
    assert share["ours"] > 0.9


def test_the_belief_finds_those_who_moved_away_from_patrols(cells) -> None:
    ours, raw = (
        np.mean([played(p, "moving away", *cells, s)[0] / oracle_finds("moving away", *cells, s) for s in range(2)])
        for p in ("ours", "raw counts")
    )
    assert ours > 0.85 > raw + 0.2


def test_the_same_seed_plays_the_same_loop(cells) -> None:
    assert played("ours", "abrupt", *cells, 3) == played("ours", "abrupt", *cells, 3)
