"""Scores of forecasts, against hand counts, scipy and brute force."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, norm, poisson

from gis.errors import QuestionError
from planner.hotspots.forecast_dispersion import (
    Scatter,
    fit_floor,
    fit_floor_and_scatter,
    fit_scatter,
    log_negative_binomial,
    log_poisson,
)
from planner.hotspots.scores import bootstrap_interval, calibration, paired_summary, rank_scores


def test_ten_cells_scored_by_hand() -> None:
    mean = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.1])
    seen = np.array([3.0, 0.0, 6.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0])
    scored = rank_scores(mean, seen, 0.2)
    assert (scored.hits, scored.hit_rate, scored.pai, scored.pei) == pytest.approx((3.0, 0.25, 1.25, 3.0 / 9.0))
    assert rank_scores(mean, seen, 1.0).pai == pytest.approx(1.0)
    assert rank_scores(seen, seen, 0.3).pei == pytest.approx(1.0)


def test_equal_forecasts_get_what_a_random_order_would_on_average() -> None:
    mean, seen = np.array([2.0, 1.0, 1.0, 1.0, 0.0, 0.0]), np.array([1.0, 4.0, 0.0, 2.0, 3.0, 0.0])
    orders = [np.lexsort((order, -mean)) for order in itertools.permutations(range(6))]
    assert rank_scores(mean, seen, 0.5).hits == pytest.approx(np.mean([seen[o[:3]].sum() for o in orders]))


@given(st.integers(1, 30), st.integers(0, 2**31), st.floats(0.01, 1.0))
def test_the_order_of_cells_never_matters_and_no_choice_beats_hindsight(n: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mean, seen, area = rng.integers(0, 4, n) / 2.0, rng.poisson(1.0, n).astype(float), rng.uniform(0.5, 2.0, n)
    scored, shuffle = rank_scores(mean, seen, share, area), rng.permutation(n)
    again = rank_scores(mean[shuffle], seen[shuffle], share, area[shuffle])
    assert again.hits == pytest.approx(scored.hits, abs=1e-9)
    if seen.sum():
        assert scored.pei <= 1.0 + 1e-9
        assert scored.pai == pytest.approx(scored.hit_rate / share)


def test_area_counts_metres_of_street_not_cells() -> None:
    mean, seen, metres = np.array([4.0, 3.0]), np.array([4.0, 3.0]), np.array([300.0, 100.0])
    assert rank_scores(mean, seen, 0.25, metres).hits == pytest.approx(3.0)  # denser, though it expects less


def test_a_month_without_a_find_has_no_rate_and_is_left_out_of_the_summary() -> None:
    assert np.isnan(rank_scores(np.ones(4), np.zeros(4), 0.5).pai)
    rows = [
        {"origin": o, "method": m, "pai": p}
        for o, m, p in [(1, "a", 2.0), (1, "b", 1.0), (2, "a", np.nan), (2, "b", 9)]
    ]
    summary = paired_summary(pd.DataFrame(rows), "a", ("pai",), 0).set_index("method")
    assert summary.loc["b", ["months", "mean", "ours_minus", "won"]].tolist() == [1, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(QuestionError):
        rank_scores(np.ones(3), np.ones(3), share)


def test_log_scores_are_scipys() -> None:
    seen = np.array([0.0, 0.0, 1.0, 3.0, 40.0])
    mean, size = np.array([0.01, 3.0, 0.7, 2.0, 31.0]), np.array([0.2, 1e4, 3.0, 1.0, 5.0])
    assert log_negative_binomial(seen, mean, size) == pytest.approx(nbinom.logpmf(seen, size, size / (size + mean)))
    assert log_poisson(seen, mean) == pytest.approx(poisson.logpmf(seen, mean))
    scatter = Scatter(0.4, 0.7)
    r = np.exp(0.4) * mean**0.7
    assert scatter.log_score(seen, mean) == pytest.approx(nbinom.logpmf(seen, r, r / (r + mean)))
    assert scatter.quantile(0.9, mean) == pytest.approx(nbinom.ppf(0.9, r, r / (r + mean)))


def test_the_scatter_counts_were_drawn_with_is_found_again() -> None:
    rng = np.random.default_rng(3)
    mean = rng.gamma(0.7, 2.0, 40_000) + 0.01
    r = np.exp(0.5) * mean**0.6
    seen = rng.negative_binomial(r, r / (r + mean)).astype(float)
    found = fit_scatter(seen, mean, np.ones(len(seen)), Scatter())
    assert (found.log_scale, found.power) == pytest.approx((0.5, 0.6), abs=0.08)
    floored = 0.8 * mean + 0.2 * mean.mean()
    r = np.exp(0.5) * floored**0.6
    seen = rng.negative_binomial(r, r / (r + floored)).astype(float)
    even = np.full(len(seen), mean.mean())
    floor, found = fit_floor_and_scatter(seen, mean, even, np.ones(len(seen)), (0.05, Scatter()))
    assert floor == pytest.approx(0.2, abs=0.03)
    assert fit_floor(rng.poisson(floored).astype(float), mean, even, np.ones(len(seen))) == pytest.approx(0.2, abs=0.03)


def test_the_interval_of_a_mean_is_the_normal_one_for_independent_months_and_wider_for_runs() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 2.0, 400)
    low, high = bootstrap_interval(values, np.random.default_rng([0, 0]))
    half = norm.ppf(0.975) * values.std() / np.sqrt(len(values))
    assert (high - low) / 2 == pytest.approx(half, rel=0.2)
    assert low < values.mean() < high
    runs = np.repeat(values[:100], 4)
    low_runs, high_runs = bootstrap_interval(runs, np.random.default_rng([0, 0]))
    assert high_runs - low_runs > 1.3 * (high - low)
    assert bootstrap_interval(values, np.random.default_rng([0, 0])) == (low, high)


def test_counts_drawn_from_the_forecast_are_calibrated_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    mean, scatter = rng.gamma(0.5, 2.0, (4000, 3)) + 0.01, Scatter(0.3, 0.5)
    r = scatter.size(mean)
    table = calibration(rng.negative_binomial(r, r / (r + mean)).astype(float), mean, [scatter] * 3).groupby("kind")
    by_mean, pit, interval = (table.get_group(k) for k in ("mean", "pit", "interval"))
    assert by_mean["cells"].sum() == mean.size
    assert by_mean["expected"].sum() == pytest.approx(mean.sum())
    assert by_mean["seen"].to_numpy() == pytest.approx(by_mean["expected"].to_numpy(), rel=0.12)
    assert pit["seen"].sum() == pytest.approx(1.0)
    assert pit["seen"].to_numpy() == pytest.approx(0.1, abs=0.01)
    assert interval["seen"].to_numpy() == pytest.approx(interval["expected"].to_numpy(), abs=0.01)
    assert (interval["expected"] >= [0.5, 0.8, 0.95]).all()
    doubled = calibration(rng.poisson(2.0 * mean).astype(float), mean, [scatter] * 3)
    assert doubled.loc[doubled["kind"] == "pit", "seen"].iloc[-1] > 0.15
