"""Forecasts from the past alone: memories by brute force, fits against scipy, and cities whose truth is known."""

import numpy as np
import pytest
from scipy.optimize import minimize

from gis.errors import QuestionError
from planner.hotspots.forecast import forecast_next, forecast_past, relative_effort
from planner.hotspots.forecast_dispersion import Scatter
from planner.hotspots.forecast_fit import MOST_ZEROS, _climb, choose_rows, next_level
from planner.hotspots.forecast_memory import SOURCES, History, memories
from planner.hotspots.forecast_profile import per_week, time_profile

JANUARY = 2024 * 12


def line(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of n cells in a row."""
    near = [[j for j in (i - 1, i + 1) if 0 <= j < n] for i in range(n)]
    return np.cumsum([0, *map(len, near)]).astype(np.int32), np.concatenate(near).astype(np.int32)


def drawn(n: int, t: int, seed: int, mean: np.ndarray | None = None) -> History:
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.5, 2.0, n)[:, None] if mean is None else mean
    return History(rng.poisson(np.broadcast_to(mean, (n, t))).astype(float), JANUARY + np.arange(t), *line(n))


def test_memories_are_weighted_means_of_earlier_months_by_brute_force() -> None:
    months = JANUARY + np.array([0, 1, 2, 5, 6])  # two months nobody counted
    counts = np.random.default_rng(1).poisson(2.0, (6, 5)).astype(float)
    got = memories(History(counts, months, *line(6)), JANUARY + 8)
    for k, month in enumerate([*months[1:], JANUARY + 8], start=1):
        weight = 0.5 ** ((month - months[:k]) / 4.0)
        assert got[k, :, SOURCES.index("own_4")] == pytest.approx(counts[:, :k] @ weight / weight.sum(), rel=1e-5)
        weight = 0.5 ** ((month - months[:k]) / 8.0)
        present = (counts[:, :k] > 0) @ weight / weight.sum()
        around = [np.mean([present[j] for j in (i - 1, i + 1) if 0 <= j < 6]) for i in range(6)]
        assert got[k, :, SOURCES.index("ring1_present_8")] == pytest.approx(around, rel=1e-5)
        root = np.sqrt(counts[:, :k]) @ weight / weight.sum()
        assert got[k, :, SOURCES.index("typical_8")] == pytest.approx(root**2, rel=1e-5)
        assert got[k, :, SOURCES.index("own_inf")] == pytest.approx(counts[:, :k].mean(axis=1), rel=1e-5)


def test_no_forecast_knows_its_own_month_or_a_later_one() -> None:
    history = drawn(60, 20, 3)
    changed = history.counts.copy()
    changed[:, 15:] = 40.0
    other = History(changed, history.months, history.indptr, history.indices)
    before, after = forecast_past(history, 10), forecast_past(other, 10)
    assert before.mean[:, :16].tobytes() == after.mean[:, :16].tobytes()
    assert before.scatters[15] == after.scatters[15]
    assert not np.allclose(before.mean[:, 16], after.mean[:, 16])


def test_the_next_month_and_the_first_month_of_a_backtest_are_one_forecast() -> None:
    history = drawn(60, 20, 3)
    past = forecast_past(history, 12)
    start = history.until(12)
    ahead = forecast_next(start.counts, start.months, start.indptr, start.indices)
    assert ahead.mean == pytest.approx(past.mean[:, 12], rel=1e-6)
    assert (ahead.low <= ahead.high).all()


def test_a_steady_city_is_forecast_at_its_true_rates() -> None:
    rate = np.random.default_rng(5).gamma(0.5, 3.0, 400)
    history = drawn(400, 60, 6, rate[:, None])
    ahead = forecast_next(history.counts, history.months, history.indptr, history.indices)
    sampling = np.sqrt(np.mean((history.counts.mean(axis=1) - rate) ** 2))
    assert np.sqrt(np.mean((ahead.mean - rate) ** 2)) < 2.0 * sampling
    assert ahead.mean.sum() == pytest.approx(rate.sum(), rel=0.05)
    new = np.random.default_rng(7).poisson(rate[:, None], (400, 200))
    assert ((new >= ahead.low[:, None]) & (new <= ahead.high[:, None])).mean() > 0.8


def test_a_season_that_returns_each_year_is_expected_to_return() -> None:
    months = JANUARY + np.arange(60)
    season = 1.0 + 0.8 * np.cos(2 * np.pi * months / 12.0)
    rate = np.random.default_rng(5).gamma(1.0, 2.0, 300)
    history = drawn(300, 60, 8, rate[:, None] * season)
    past = forecast_past(history, 48)
    total = history.counts.sum(axis=0)
    off = np.log(past.mean[:, 48:].sum(axis=0) / total[48:])
    recent = [total[:k] @ (w := 0.5 ** (np.arange(k, 0, -1) / 3.0)) / w.sum() for k in range(48, 60)]
    assert np.sqrt(np.mean(off**2)) < 0.3 * np.sqrt(np.mean(np.log(recent / total[48:]) ** 2))
    assert max(abs(level.season) for level in past.levels.values()) > 0.1


def test_the_level_carries_over_and_fades_with_the_months_between() -> None:
    off = 4.0 * 0.8 ** np.arange(12)
    expected = np.full(12, 1e6)
    months = JANUARY + np.arange(12)
    soon = next_level(expected * np.exp(off), expected, months, int(months[-1]) + 1)
    later = next_level(expected * np.exp(off), expected, months, int(months[-1]) + 6)
    assert 0.2 < soon.carried < 0.4
    assert 0.0 < later.carried < soon.carried
    assert soon.season == 0.0  # no calendar month came twice


def test_effort_explains_a_rise_in_finds() -> None:
    rng = np.random.default_rng(9)
    rate = rng.gamma(1.0, 1.0, 300)
    exposure = np.ones((300, 24))
    exposure[150:, :21] = 0.25  # half the city was hardly walked until three months ago
    counts = rng.poisson(rate[:, None] * exposure * 4.0).astype(float)
    truth = rate * 4.0
    months = JANUARY + np.arange(24)
    knowing = forecast_next(counts, months, *line(300), exposure=exposure)
    blind = forecast_next(counts, months, *line(300))
    assert np.abs(knowing.mean - truth)[150:].mean() < 0.8 * np.abs(blind.mean - truth)[150:].mean()
    assert relative_effort(History(counts, months, *line(300), exposure)).mean() == pytest.approx(1.0)


def test_the_even_share_of_a_segment_follows_its_length() -> None:
    metres = np.tile([50.0, 150.0], 100)
    rng = np.random.default_rng(2)
    counts = rng.poisson(metres[:, None] / 1000.0, (200, 8)).astype(float)
    ahead = forecast_next(counts, JANUARY + np.arange(8), *line(200), extent=metres)
    quiet = counts.sum(axis=1) == 0
    assert ahead.mean[quiet & (metres == 150)].mean() > 1.5 * ahead.mean[quiet & (metres == 50)].mean()


def test_the_weights_are_those_scipy_finds_for_the_same_likelihood() -> None:
    rng = np.random.default_rng(4)
    x = rng.gamma(1.0, 1.0, (3000, 3))
    mean = x @ np.array([0.5, 0.0, 0.3])
    scatter = Scatter(0.7, 0.4)
    r = scatter.size(mean)
    seen = rng.negative_binomial(r, r / (r + mean)).astype(float)
    rows = choose_rows(seen[:, None], np.array([JANUARY]), mean[:, None], 0, 1)
    got = _climb(x[rows.cell], rows, np.full(3, 1 / 3), Scatter(0.7, 0.4), 3000)
    # The size follows the mean; the climb holds it while it steps, so compare with sizes held at the climb's end.
    held = scatter.size(x @ got)

    def loss(w: np.ndarray) -> float:
        m = x @ w + 1e-12
        return float(-(seen * np.log(m / (held + m)) + held * np.log(held / (held + m))).sum())

    best = minimize(loss, np.full(3, 1 / 3), bounds=[(0, None)] * 3, method="L-BFGS-B")
    assert got == pytest.approx(best.x, abs=2e-3)


def test_a_sample_of_rows_stands_for_them_all() -> None:
    rng = np.random.default_rng(6)
    likely = rng.gamma(0.1, 0.5, (20_000, 6))
    counts = (rng.random((20_000, 6)) < likely * 0.05).astype(float)
    months = JANUARY + np.arange(6)
    rows = choose_rows(counts, months, likely, 0, 6)
    assert len(rows.cell) == MOST_ZEROS + (counts > 0).sum()
    recent = np.broadcast_to(0.5 ** ((5 - np.arange(6)) / 12.0), counts.shape)
    assert rows.weight.sum() == pytest.approx(recent.sum(), rel=0.02)
    assert rows.weight @ likely[rows.cell, rows.month] == pytest.approx((recent * likely).sum(), rel=0.02)
    assert rows.weight @ rows.seen == pytest.approx((recent * counts).sum())


def test_a_city_without_a_find_is_forecast_none() -> None:
    ahead = forecast_next(np.zeros((5, 8)), JANUARY + np.arange(8), *line(5))
    assert (ahead.mean < 1e-3).all()
    assert (ahead.high == 0).all()


@pytest.mark.parametrize(
    ("counts", "months", "more"),
    [
        (np.ones((3, 5)), np.arange(5), {}),
        (np.ones((3, 8)) / 2, np.arange(8), {}),
        (-np.ones((3, 8)), np.arange(8), {}),
        (np.ones((3, 8)), np.arange(8)[::-1], {}),
        (np.ones((3, 8)), np.arange(7), {}),
        (np.ones((4, 8)), np.arange(8), {}),
        (np.ones((3, 8)), np.arange(8), {"exposure": np.ones((3, 7))}),
        (np.ones((3, 8)), np.arange(8), {"extent": np.zeros(3)}),
        (np.ones((3, 8)), np.arange(8), {"next_month": 7}),
        (np.ones((3, 8)), np.arange(8), {"cover": 1.0}),
    ],
)
def test_histories_that_are_none_are_refused(counts: np.ndarray, months: np.ndarray, more: dict) -> None:
    with pytest.raises(QuestionError):
        forecast_next(counts, months, *line(3), **more)


def test_a_week_is_spread_over_its_hours_and_weather_over_its_classes() -> None:
    rng = np.random.default_rng(1)
    day, hours = np.array([1, 1, 1, 1, 1, 3, 3]) / 11.0, 1.0 + np.sin(np.arange(24) * 2 * np.pi / 24) * 0.9
    weekday = rng.choice(7, 6000, p=day)
    hour = rng.choice(24, 6000, p=hours / hours.sum())
    lasted, pull = np.array([4000.0, 3000.0, 1760.0]), np.array([1.0, 1.5, 0.4])
    weather = rng.choice(3, 6000, p=lasted * pull / (lasted @ pull))
    profile = time_profile(weekday, hour, weather, weather_hours=lasted)
    assert profile.share.sum() == pytest.approx(1.0)
    assert profile.share == pytest.approx(day[:, None] * hours / hours.sum(), abs=0.0015)
    assert profile.weather_factor == pytest.approx(pull * lasted.sum() / (lasted @ pull), rel=0.06)
    assert profile.weather_factor @ lasted == pytest.approx(lasted.sum())
    expected = profile.expected(np.array([10.0, 3.0]))
    assert expected.sum(axis=(1, 2)) == pytest.approx([10.0, 3.0])
    assert profile.expected(np.array([10.0]), 1).sum() == pytest.approx(10.0 * profile.weather_factor[1])
    assert per_week(np.array([31.0]), 31) == pytest.approx(7.0)


def test_few_reports_leave_a_flat_week_and_no_hour_impossible() -> None:
    profile = time_profile(np.array([2, 2, 4]), np.array([9, 10, 9]))
    assert profile.share.min() > 0
    assert profile.share.max() < 0.1
    hourly = time_profile(np.repeat(np.arange(7), 240), np.tile(np.repeat([8, 20], 120), 7))
    assert hourly.passes == 0  # two sharp peaks are no noise to be smoothed away


def test_profiles_weigh_reports_and_refuse_hours_there_are_not() -> None:
    weekday, hour = np.array([0, 3, 3]), np.array([1, 5, 5])
    twice = time_profile(np.append(weekday, 0), np.append(hour, 1))
    weighed = time_profile(weekday, hour, weight=np.array([2.0, 1.0, 1.0]))
    assert weighed.share == pytest.approx(twice.share, rel=1e-3)
    for bad in ((np.array([7]), np.array([1])), (np.array([0]), np.array([24])), (np.array([]), np.array([]))):
        with pytest.raises(QuestionError):
            time_profile(bad[0].astype(int), bad[1].astype(int))
    with pytest.raises(QuestionError):
        time_profile(weekday, hour, np.array([0, 0, 1]))
