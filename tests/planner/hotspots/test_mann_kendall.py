import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from gis.errors import QuestionError
from planner.hotspots.mann_kendall import mann_kendall, mann_kendall_rows
from tests.requirements import missing

PRECIPITATION = Path(__file__).parents[4] / "shared" / "instances" / "hotspots" / "spdep" / "PrecipGL.csv"
SERIES = st.lists(st.integers(-3, 3), min_size=2, max_size=12)


def s_of(series) -> int:
    return int(sum(np.sign(b - a) for a, b in itertools.combinations(series, 2)))


@pytest.mark.realdata
def test_precipitation_at_the_great_lakes_rises_as_the_kendall_package_says() -> None:
    if not PRECIPITATION.is_file():
        missing("the folder of benchmark instances (shared/instances beside the checkout)")
    trend = mann_kendall(pd.read_csv(PRECIPITATION)["precip"].to_numpy())
    assert trend.s == 989
    assert trend.p == pytest.approx(2.9206e-4, rel=1e-4)


@pytest.mark.parametrize("series", [[1, 2, 3, 4, 5], [1, 1, 2, 3, 3], [2, 2, 2, 7, 7, 1], [0, 0, 0, 0, 1, 5]])
def test_the_variance_is_that_of_s_over_all_orders(series: list[int]) -> None:
    everywhere = [s_of(order) for order in itertools.permutations(series)]
    assert mann_kendall(np.array(series)).variance == pytest.approx(np.mean(np.square(everywhere)), rel=1e-12)


@pytest.mark.parametrize("t", [2, 3, 4, 5, 6, 7])
def test_without_ties_p_is_the_share_of_all_orders_with_as_much_trend(t: int) -> None:
    everywhere = np.abs([s_of(order) for order in itertools.permutations(range(t))])
    for order in list(itertools.permutations(range(t)))[:: max(1, t * t // 4)]:
        trend = mann_kendall(np.array(order))
        assert trend.p == pytest.approx(np.mean(everywhere >= abs(trend.s)), rel=1e-12)


@pytest.mark.parametrize("t", [8, 13, 24, 40, 100])
def test_long_series_without_ties_have_scipys_exact_p(t: int) -> None:
    rng = np.random.default_rng(t)
    for slope in (0.0, 0.05, 0.2, 5.0):
        series = slope * np.arange(t) + rng.normal(size=t)
        assert mann_kendall(series).p == pytest.approx(
            kendalltau(np.arange(t), series, method="exact").pvalue, rel=1e-9
        )


@settings(max_examples=100, deadline=None)
@given(series=SERIES)
def test_s_counts_pairs_tau_is_scipys_and_ties_take_the_normal_p(series: list[int]) -> None:
    trend = mann_kendall(np.array(series))
    assert trend.s == s_of(series)
    if len(set(series)) == 1:
        assert (trend.s, trend.variance, trend.p) == (0, 0.0, 1.0)
        assert np.isnan(trend.z) and np.isnan(trend.tau)
        return
    assert trend.tau == pytest.approx(kendalltau(np.arange(len(series)), series).statistic, abs=1e-12)
    assert trend.z == pytest.approx((trend.s - np.sign(trend.s)) / np.sqrt(trend.variance), abs=1e-12)
    if len(set(series)) < len(series):
        assert trend.p == pytest.approx(mann_kendall(np.array(series), exact=False).p, rel=1e-15)


@settings(max_examples=50, deadline=None)
@given(series=SERIES)
def test_a_series_turned_round_falls_as_it_rose_and_a_stretched_one_is_the_same(series: list[int]) -> None:
    values = np.array(series, float)
    trend, back, stretched = mann_kendall(values), mann_kendall(values[::-1]), mann_kendall(np.exp(values))
    assert (back.s, back.p) == (-trend.s, trend.p)
    assert (stretched.s, stretched.p) == (trend.s, trend.p)


@pytest.mark.filterwarnings("error")
def test_many_series_at_once_are_tested_as_one_by_one_and_missing_ones_not_at_all() -> None:
    rows = np.random.default_rng(5).poisson(2.0, (200, 9)).astype(float)
    rows[3] = 4.0
    rows[5] = np.nan
    rows[6, 2] = np.nan
    rows[7] = np.arange(9)
    together = mann_kendall_rows(rows)
    for i, row in enumerate(rows):
        if np.isnan(row).any():
            assert (together.s[i], together.p[i]) == (0, 1.0)
            assert np.isnan(together.z[i])
            continue
        one = mann_kendall(row)
        np.testing.assert_equal([a[i] for a in (together.s, together.variance, together.z, together.p)],
                                [one.s, one.variance, one.z, one.p])  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_one_step_shows_no_trend_and_a_long_rise_is_sure() -> None:
    assert mann_kendall(np.array([3.0])).p == 1.0
    assert mann_kendall(np.array([1.0, 2.0])).p == 1.0
    assert mann_kendall(np.arange(300.0)).p < 1e-100
    assert mann_kendall(np.arange(200.0)).p < 1e-300


def test_gaps_and_no_steps_are_refused() -> None:
    for ask in (lambda: mann_kendall(np.array([1.0, np.nan])), lambda: mann_kendall_rows(np.empty((3, 0)))):
        with pytest.raises(QuestionError):
            ask()
