"""Rates corrected for effort."""

import numpy as np
import pytest
from scipy.stats import gamma, spearmanr

from gis.errors import QuestionError
from planner.hotspots.exposure import Exposure
from planner.hotspots.rates import corrected_rates
from planner.hotspots.rates_location import shares_of
from planner.hotspots.rates_prior import Prior, prior_of


def streets(n: int = 1500, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng([seed, 7])
    x, y, length = rng.uniform(0, 4000, n), rng.uniform(0, 4000, n), rng.uniform(40, 200, n)
    truth = length * 2e-4 * (0.2 + 5 * np.exp(-((x - 2000) ** 2 + (y - 2000) ** 2) / 2 / 500**2)) * rng.gamma(1.5, 1, n)
    weeks = rng.lognormal(2.5, 1.2, n)
    return x, y, length, truth, weeks, rng.poisson(truth * weeks).astype(float)


def test_with_a_given_prior_the_rate_is_the_textbook_gamma_posterior() -> None:
    x, y, length, _, weeks, count = streets(50)
    prior = Prior(np.full(50, 0.3), np.full(50, 2.0))
    none = np.zeros(50)
    rates = corrected_rates(count, none, Exposure(weeks, none, 0.0), x, y, length, prior=prior)
    known = gamma(2.0 + count, scale=1 / (2.0 / 0.3 + weeks))
    assert rates.mean == pytest.approx(known.mean())
    assert rates.low == pytest.approx(known.ppf(0.05))
    assert rates.high == pytest.approx(known.ppf(0.95))


def test_rates_rank_truth_better_than_counts_and_intervals_cover_nine_in_ten() -> None:
    covers = []
    for seed in range(4):
        x, y, length, truth, weeks, count = streets(seed=seed)
        none = np.zeros(len(x))
        rates = corrected_rates(count, none, Exposure(weeks, none, 0.0), x, y, length)
        covers.append(((rates.low <= truth) & (truth <= rates.high)).mean())
        assert spearmanr(rates.mean, truth).statistic > spearmanr(count, truth).statistic + 0.05
    assert 0.87 <= np.mean(covers) <= 0.95


def test_where_nobody_looked_the_state_is_unknown_not_none() -> None:
    x, y, length, _, weeks, count = streets(200)
    weeks[:20], count[:20] = 0.0, 0.0
    none = np.zeros(200)
    rates = corrected_rates(count, none, Exposure(weeks, none, 0.0), x, y, length)
    assert (rates.state[:20] == "unknown").all()
    assert ((rates.state == "found")[20:] == (count > 0)[20:])[~rates.unknown[20:]].all()
    assert (rates.mean[:20] > 0).all()


@pytest.mark.parametrize("reports", [0, 1])
def test_no_report_or_a_single_one_still_gives_finite_rates(reports: int) -> None:
    x, y, length, _, weeks, count = streets(100)
    count[:] = 0.0
    count[0] = reports
    none = np.zeros(100)
    rates = corrected_rates(count, none, Exposure(weeks, none, 0.2), x, y, length)
    assert np.isfinite(rates.mean).all() and (rates.high > rates.low).all()
    assert rates.mean.sum() < 1.0


def test_a_segments_own_reports_do_not_enter_what_is_expected_of_it_but_through_the_level() -> None:
    x, y, length, _, weeks, count = streets(800)
    more = count.copy()
    more[5] += 3
    change = prior_of(more, weeks, x, y, length).mean / prior_of(count, weeks, x, y, length).mean
    near = np.hypot(x - x[5], y - y[5]).argsort()[1:4]
    assert abs(change[5] - 1) < 0.1
    assert change[near].max() > change[5]


def test_sums_over_areas_match_mean_and_variance_of_draws() -> None:
    x, y, length, _, weeks, count = streets(60)
    none = np.zeros(60)
    rates = corrected_rates(count, none, Exposure(weeks, none, 0.0), x, y, length)
    group = np.arange(60) % 3
    with np.errstate(all="raise"):  # the group without segments as well
        areas = rates.summed(group, 4)
    rng = np.random.default_rng(1)
    drawn = np.array([np.bincount(group, rates.draw(rng), 4) for _ in range(20_000)])
    assert areas.mean[:3] == pytest.approx(drawn.mean(axis=0)[:3], rel=0.02)
    assert (areas.shape / areas.rate**2)[:3] == pytest.approx(drawn.var(axis=0)[:3], rel=0.08)
    assert areas.unknown.tolist() == [False, False, False, True] and areas.mean[3] == 0.0


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(QuestionError):
        corrected_rates(np.zeros(2), np.zeros(3), Exposure(np.ones(3), np.ones(3), 0.0), *np.ones((3, 3)))


def test_a_report_is_shared_among_near_streets_and_goes_to_the_nearest_when_nothing_is_expected() -> None:
    report = np.array([0, 0, 1, 1])
    gap, length, weight = np.array([5.0, 5.0, 3.0, 9.0]), np.full(4, 100.0), np.array([1.0, 3.0, 0.0, 0.0])
    share, spread = shares_of(report, gap, length, weight, 10.0)
    assert share.tolist() == pytest.approx([0.25, 0.75, 1.0, 0.0])
    assert spread == pytest.approx(np.sqrt((25 + 9) / 2))
