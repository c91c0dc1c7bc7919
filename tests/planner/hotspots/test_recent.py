"""Rates as they are now, read against the long run."""

import numpy as np
import pytest
from scipy.stats import nbinom, spearmanr

from benchmarks.rates import demo_town
from planner.hotspots.rates_prior import Prior
from planner.hotspots.recent import PACES, Memory, recent_rates
from planner.hotspots.street_rates import street_rates

PRIOR = Prior(np.full(600, 1.0), np.full(600, 0.5))


def remembered(rates: np.ndarray, seed: int) -> tuple[Memory, np.ndarray]:
    """Learn 24 months of reports on streets watched 3 weeks in each; rates : (24, n)."""
    rng = np.random.default_rng([seed, 8])
    memory, weeks = Memory(rates.shape[1]), np.full(rates.shape[1], 3.0)
    counts = rng.poisson(rates * 3.0).astype(float)
    for count in counts:
        memory.learn(count, weeks, 52 / 12, PRIOR)
    return memory, counts


def test_where_nothing_changes_all_months_count_alike() -> None:
    rates = np.tile(np.random.default_rng(3).gamma(0.5, 2.0, 600), (24, 1))
    memory, counts = remembered(rates, 0)
    assert memory.best == 0
    shape, rate = memory.known(PRIOR)
    assert shape == pytest.approx(0.5 + counts.sum(axis=0))
    assert rate == pytest.approx(np.full(600, 0.5 + 24 * 3.0))


def test_where_rates_changed_the_last_months_count_more_and_tell_them_better() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.gamma(0.5, 2.0, (2, 600))
    memory, counts = remembered(np.vstack([np.tile(before, (16, 1)), np.tile(after, (8, 1))]), 1)
    now, always = np.divide(*memory.known(PRIOR)), (0.5 + counts.sum(axis=0)) / (0.5 + 24 * 3.0)
    assert memory.best != 0
    assert np.abs(now - after).mean() < 0.6 * np.abs(always - after).mean()


def at_once(changed: int) -> tuple[Memory, np.ndarray]:
    """Learn 20 rounds of all 600 streets, then one of the first 300 after ``changed`` of those took others' rates."""
    rng = np.random.default_rng([5, 8])
    rates = rng.gamma(0.5, 2.0, 600)
    memory = Memory(600)
    for _ in range(20):
        memory.learn(rng.poisson(rates).astype(float), np.ones(600), 1.0, PRIOR)
    before = np.divide(*memory.known(PRIOR))
    rates[:changed] = rng.gamma(0.5, 2.0, changed)
    weeks = np.where(np.arange(600) < 300, 1.0, 0.0)
    memory.learn(rng.poisson(rates * weeks).astype(float), weeks, 1.0, PRIOR)
    return memory, before


def test_where_many_streets_change_at_once_what_was_known_counts_little_and_those_not_seen_since_are_told() -> None:
    memory, _ = at_once(150)
    assert memory.unseen.tolist() == [False] * 300 + [True] * 300
    shape, _ = memory.known(PRIOR)
    assert shape[300:].max() <= PRIOR.shape[0] + 1.0  # a shape of one at most is kept
    memory.learn(np.zeros(600), np.where(np.arange(600) >= 300, 1.0, 0.0), 1.0, PRIOR)
    assert not memory.unseen.any()


def test_where_few_change_or_none_what_was_known_stays() -> None:
    for changed in (0, 3):
        memory, before = at_once(changed)
        assert not memory.unseen.any()
        assert np.divide(*memory.known(PRIOR))[300:] == pytest.approx(before[300:])


def test_each_pace_is_scored_by_what_it_foretold() -> None:
    memory, count, weeks = Memory(3), np.array([2.0, 0.0, 1.0]), np.array([1.5, 4.0, 0.0])
    prior = Prior(np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 0.7]))
    memory.learn(count, weeks, 4.0, prior)
    rate = prior.shape / prior.mean
    by_hand = nbinom.logpmf(count, prior.shape, rate / (rate + weeks))[:2].sum()  # nobody looked at the third
    assert memory.score[0] == pytest.approx(by_hand)
    half = PACES.index((np.inf, 8.0, 2.0))
    held = np.minimum(prior.shape + count, 2.0)
    mean = (prior.shape + count) / (rate + weeks)
    shape, told = memory.known(prior, half)
    assert shape == pytest.approx(held + count)
    assert told == pytest.approx(held / mean + weeks)


def test_recent_rates_of_a_town_that_does_not_change_are_as_good_as_those_of_all_months() -> None:
    town = demo_town(1)
    rates, detection = street_rates(town.known)
    recent, unseen = recent_rates(town.known, detection)
    known = ~rates.unknown
    assert (recent.unknown == rates.unknown).all()
    assert not unseen.any()
    ours, all_months = (spearmanr(of.mean[known], town.truth[known]).statistic for of in (recent, rates))
    assert ours > all_months - 0.01
