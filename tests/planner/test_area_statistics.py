import numpy as np
import pytest

from planner.area_statistics import WeightedTimes, sum_by, time_statistics

QUANTILES = (0.05, 0.5, 0.95)


def spans(rng: np.random.Generator, k: int) -> WeightedTimes:
    start = rng.integers(0, 400, k).astype(float)
    length = np.where(rng.random(k) < 0.4, 0.0, rng.integers(-60, 60, k)).astype(float)
    start[rng.random(k) < 0.02] = np.inf
    return WeightedTimes(np.arange(k, dtype=np.int32), rng.random(k), start, np.abs(start + length))


def quantile_by_sampling(times: WeightedTimes, q: float) -> float:
    n = 4001
    inside = (np.arange(n) + 0.5) / n
    with np.errstate(invalid="ignore"):
        moments = times.start_s[:, None] + inside * (times.end_s - times.start_s)[:, None]
    moments = np.where(np.isinf(times.start_s)[:, None], np.inf, moments).ravel()
    weight = np.repeat(times.weight / n, n)
    order = np.argsort(moments, kind="stable")
    cumulated = np.cumsum(weight[order])
    at = min(int(np.searchsorted(cumulated, q * weight.sum())), len(order) - 1)
    return float(moments[order][at])


def test_quantiles_of_points_and_ramps_equal_those_of_dense_samples() -> None:
    rng = np.random.default_rng(3)
    for k in (1, 2, 5, 60):
        times = spans(rng, k)
        found = time_statistics(np.zeros(k, np.int32), 1, times, QUANTILES).quantile_s[:, 0]
        for q, value in zip(QUANTILES, found, strict=True):
            sampled = quantile_by_sampling(times, q)
            if np.isinf(sampled):
                assert np.isnan(value)
            else:
                assert value == pytest.approx(sampled, abs=0.1)


def test_the_median_of_points_is_the_least_time_by_which_half_are_served() -> None:
    times = WeightedTimes(
        np.arange(3, dtype=np.int32), np.array([2.0, 1.0, 3.0]), np.array([30.0, 10.0, 20.0]), np.array([30.0, 10, 20])
    )
    stats = time_statistics(np.zeros(3, np.int32), 1, times, (0.1, 0.5, 0.67, 1.0))
    assert stats.quantile_s[:, 0].tolist() == [10, 20, 30, 30]
    assert stats.mean_s[0] == pytest.approx((60 + 10 + 60) / 6)


def test_a_street_of_even_density_has_its_median_in_the_middle_of_its_time() -> None:
    times = WeightedTimes(np.zeros(1, np.int32), np.array([8.0]), np.array([100.0]), np.array([40.0]))
    stats = time_statistics(np.zeros(1, np.int32), 1, times, (0.25, 0.5, 0.95))
    assert stats.quantile_s[:, 0] == pytest.approx([55, 70, 97])
    assert stats.mean_s[0] == 70


def test_the_unreached_are_counted_and_a_quantile_among_them_does_not_exist() -> None:
    times = WeightedTimes(
        np.arange(2, dtype=np.int32), np.array([6.0, 4.0]), np.array([5.0, np.inf]), np.array([5.0, np.inf])
    )
    stats = time_statistics(np.array([0, 0], np.int32), 2, times, (0.5, 0.6, 0.95))
    assert stats.unreached.tolist() == [4, 0]
    assert stats.quantile_s[:, 0].tolist()[:2] == [5, 5]
    assert np.isnan(stats.quantile_s[2, 0])
    assert np.isnan(stats.quantile_s[:, 1]).all()
    assert stats.mean_s[0] == 5
    assert np.isnan(stats.mean_s[1])


def test_areas_do_not_mix_and_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(8)
    k, areas = 500, 7
    times, group = spans(rng, k), rng.integers(-1, areas, k).astype(np.int32)
    whole = time_statistics(group, areas, times, QUANTILES)
    order = rng.permutation(k)
    shuffled = WeightedTimes(*(getattr(times, f)[order] for f in ("item", "weight", "start_s", "end_s")))
    again = time_statistics(group[order], areas, shuffled, QUANTILES)
    np.testing.assert_allclose(again.quantile_s, whole.quantile_s, rtol=1e-12)
    np.testing.assert_allclose(again.mean_s, whole.mean_s, rtol=1e-12)
    for g in range(areas):
        own = group == g
        alone = WeightedTimes(*(getattr(times, f)[own] for f in ("item", "weight", "start_s", "end_s")))
        single = time_statistics(np.zeros(own.sum(), np.int32), 1, alone, QUANTILES)
        np.testing.assert_array_equal(single.quantile_s[:, 0], whole.quantile_s[:, g])


def test_sums_leave_out_what_lies_in_no_area() -> None:
    assert sum_by(np.array([1, -1, 1, 0], np.int32), 3, np.array([1.0, 2.0, 4.0, 8.0])).tolist() == [8, 5, 0]
    assert sum_by(np.empty(0, np.int32), 2, np.empty(0)).tolist() == [0, 0]
