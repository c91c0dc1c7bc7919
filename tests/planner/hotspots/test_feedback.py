"""The loop of plan, patrol, find and plan again."""

import numpy as np
import pytest
from scipy.stats import poisson

from benchmarks.feedback import oracle_finds, played
from benchmarks.feedback_bound import Told
from benchmarks.feedback_worlds import City, pace_of


@pytest.fixture(scope="module")
def city() -> City:
    column, row = np.divmod(np.arange(196), 14)
    rate = np.random.default_rng([1, 5]).gamma(0.3, 6.0, 196)
    return City(column * 100.0, row * 100.0, rate, None, 0.7, 0.98)


def found(policy: str, kind: str, city: City, seeds: int) -> float:
    return float(np.mean([played(policy, kind, city, s)[0] / oracle_finds(kind, city, s) for s in range(seeds)]))


def test_raw_counts_run_away_and_corrected_rates_that_explore_do_not(city: City) -> None:
    assert found("raw counts", "static", city, 3) < 0.75
    assert found("rates, Thompson", "static", city, 3) > 0.9
    assert found("recent rates", "static", city, 2) > 0.9


def test_those_who_moved_away_from_patrols_are_found(city: City) -> None:
    ours = found("recent rates", "moving away", city, 2)
    assert (
        ours > 0.9 > found("nobody moves", "moving away", city, 2) > found("raw counts", "moving away", city, 2) + 0.2
    )


def test_a_clearing_is_noticed_and_every_place_looked_at_again(city: City) -> None:
    assert found("recent rates", "harsh swap", city, 3) > found("rates, Thompson", "harsh swap", city, 3) + 0.1


def test_people_who_leave_patrols_all_along_are_not_taken_for_a_clearing() -> None:
    column, row = np.divmod(np.arange(1024), 32)
    rate = np.random.default_rng([1, 5]).gamma(0.3, 6.0, 1024)
    wide = City(column * 100.0, row * 100.0, rate, None, 0.7, 0.98)
    assert found("recent rates", "moving away", wide, 1) > 0.6


def test_the_same_seed_plays_the_same_loop(city: City) -> None:
    assert played("recent rates", "drift", city, 3) == played("recent rates", "drift", city, 3)


def test_the_pace_of_change_is_found_back_from_counts() -> None:
    rng, n, months, spread, memory = np.random.default_rng(4), 4000, 72, 0.6, 0.85
    log = np.empty((months, n))
    log[0] = rng.normal(0, spread, n)
    for t in range(1, months):
        log[t] = memory * log[t - 1] + rng.normal(0, spread * np.sqrt(1 - memory**2), n)
    counts = rng.poisson(rng.gamma(1.0, 3.0, n) * np.exp(log)).astype(float)
    counts[[5, 40]] = np.nan  # months without a count
    assert pace_of(counts) == pytest.approx((spread, memory), abs=0.08)


def test_one_told_the_law_believes_what_it_should_and_a_round_keeps_mean_and_variance(city: City) -> None:
    told = Told(city, "drift")
    log = np.log(told.rates[0] / city.rate[0]) + city.spread**2 / 2
    inside = slice(2, -2)
    assert told.step.sum(axis=1) == pytest.approx(1.0)
    assert (told.step @ log)[inside] == pytest.approx((city.memory * log)[inside])
    variance = (told.step @ log**2 - (told.step @ log) ** 2)[inside]
    assert variance == pytest.approx(city.spread**2 * (1 - city.memory**2))

    before, cell = told.chance[7].copy(), np.array([7])
    told.learn(cell, np.array([3]), 0.6)
    by_hand = before * poisson.pmf(3, 0.6 * told.rates[7])
    assert told.chance[7] == pytest.approx(by_hand / by_hand.sum() @ told.step)
    assert told.mean[7] == pytest.approx(told.chance[7] @ told.rates[7])
