"""Zones, units of time, expected cases and p-values: what the scan statistic stands on."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gumbel_r

from benchmarks.scan_expected import person_days, standardised
from benchmarks.scan_times import longest_window, time_units
from gis.errors import QuestionError
from planner.hotspots.scan_p_values import gumbel_p, rank_p, stop_index
from planner.hotspots.scan_windows import EARTH_KM, balls, circles, distinct, ellipses, everywhere, joined, within_share

EPOCH = dt.date(1970, 1, 1)


def zones(windows) -> list[tuple[int, ...]]:
    """Every judged zone as sorted places."""
    return [
        tuple(sorted(windows.place[begin : k + 1]))
        for begin, end in zip(windows.indptr[:-1], windows.indptr[1:], strict=True)
        for k in range(begin, end) if windows.judged[k]
    ]  # fmt: skip


def test_a_circle_grows_by_the_nearest_place_and_ends_at_its_radius() -> None:
    windows = circles(np.array([0.0, 3.0, 10.0]), np.array([0.0, 4.0, 0.0]), max_radius=9.0)
    assert zones(windows)[:2] == [(0,), (0, 1)]
    assert windows.distance[:2].tolist() == [0.0, 5.0]
    assert windows.centre.tolist() == [0, 1, 2]


def test_degrees_are_measured_along_the_great_circle() -> None:
    windows = circles(np.array([118.0, 118.0]), np.array([32.0, 33.0]), geographic=True)
    assert windows.distance[1] == pytest.approx(np.radians(1.0) * EARTH_KM, rel=1e-9)
    within = circles(np.array([118.0, 118.0]), np.array([32.0, 33.0]), geographic=True, max_radius=111.0)
    assert len(within.place) == 2


def test_places_on_one_spot_enter_a_circle_together() -> None:
    windows = circles(np.array([0.0, 5.0, 5.0, 9.0]), np.zeros(4))
    assert len(windows.centre) == 3
    assert not any((1 in zone and 2 not in zone) or (2 in zone and 1 not in zone) for zone in zones(windows))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_each_set_of_places_is_judged_once_and_none_is_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = circles(*rng.integers(0, 5, (2, 12)).astype(float))
    once = zones(distinct(windows, 12))
    assert len(once) == len(set(once))
    assert set(once) == set(zones(windows))


def test_of_ellipses_with_the_same_places_the_least_penalised_is_judged() -> None:
    rng = np.random.default_rng(1)
    windows = ellipses(*rng.uniform(0, 1, (2, 8)), penalty="strong")
    once = distinct(windows, 8)
    best: dict[tuple[int, ...], float] = {}
    for family in (windows, once):
        row = family.row_of()
        found: dict[tuple[int, ...], float] = {}
        for k in np.flatnonzero(family.judged):
            key = tuple(sorted(family.place[family.indptr[row[k]] : k + 1]))
            found[key] = max(found.get(key, 0.0), family.penalty[row[k]])
        best = best or found
    assert found == best


def test_a_zone_holds_at_most_its_share_of_the_weight() -> None:
    windows = within_share(circles(np.arange(5.0), np.zeros(5)), np.array([1.0, 1, 1, 1, 6]), 0.4)
    assert max(len(zone) for zone in zones(windows)) == 4
    assert all(4 not in zone for zone in zones(windows))


def test_all_places_are_one_zone_beside_the_others() -> None:
    both = joined(circles(np.arange(3.0), np.zeros(3), max_radius=0.5), everywhere(3))
    assert zones(both) == [(0,), (1,), (2,), (0, 1, 2)]


def test_neighbours_must_hold_the_place_itself_and_none_twice() -> None:
    with pytest.raises(QuestionError):
        balls(np.array([0, 1, 2]), np.array([0, 0], np.int32), np.zeros(2))
    with pytest.raises(QuestionError):
        balls(np.array([0, 2]), np.array([0, 0], np.int32), np.zeros(2))
    with pytest.raises(QuestionError):
        balls(np.array([0, 1]), np.array([0], np.int32), np.array([-1.0]))


def test_units_of_time_count_back_from_the_end_and_the_first_takes_what_is_left() -> None:
    begins = time_units(dt.date(2024, 1, 1), dt.date(2024, 1, 31), "day", 7)
    assert np.diff(begins).tolist() == [10, 7, 7, 7]
    months = time_units(dt.date(2023, 11, 1), dt.date(2024, 3, 31), "month")
    assert np.diff(months).tolist() == [30, 31, 31, 29, 31]
    assert len(time_units(dt.date(1973, 1, 1), dt.date(1991, 12, 31), "year")) == 20
    with pytest.raises(QuestionError):
        time_units(dt.date(2024, 1, 1), dt.date(2024, 1, 5), "day", 7)


def test_the_longest_window_is_rounded_down() -> None:
    assert longest_window(dt.date(1973, 1, 1), dt.date(1991, 12, 31), "year", 1, 0.5) == 9
    assert longest_window(dt.date(2024, 1, 1), dt.date(2024, 1, 31), "day", 7, 0.5) == 2


def test_a_population_is_interpolated_between_counts_and_stays_outside() -> None:
    begins = np.array([0, 10, 20])
    lived = person_days(
        np.array([0, 0]), np.array([0, 0]), np.array([5.0, 15.0]), np.array([100.0, 200.0]), n_places=1, n_strata=1,
        begins=begins,
    )  # fmt: skip
    first = 5 * 100 + sum(100 + 10 * (d + 0.5) for d in range(5))
    assert lived[0, 0].tolist() == pytest.approx([first, 3000 - first])
    with pytest.raises(QuestionError):
        person_days(
            np.array([0]), np.array([0]), np.array([0.0]), np.array([-1.0]), n_places=2, n_strata=1, begins=begins
        )


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_as_many_cases_are_expected_as_were_observed_in_every_stratum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lived, cases = rng.gamma(1.0, 1.0, (3, 5, 4)), rng.integers(0, 50, 3).astype(float)
    expected = standardised(lived, cases)
    assert expected.sum() == pytest.approx(cases.sum())
    rates = cases / lived.sum(axis=(1, 2))
    assert expected[2, 1] == pytest.approx((rates * lived[:, 2, 1]).sum())


def test_cases_of_a_stratum_without_people_are_refused() -> None:
    with pytest.raises(QuestionError):
        standardised(np.zeros((1, 2, 2)), np.array([1.0]))


def test_a_rank_counts_ties_against_the_cluster() -> None:
    maxima = np.array([1.0, 2.0, 3.0 * (1 - 1e-12), 4.0])
    assert rank_p(3.0, maxima) == 3 / 5
    assert rank_p(3.0 * (1 + 1e-6), maxima) == 2 / 5
    assert stop_index(maxima, 3.0, 2) == 4
    assert stop_index(maxima, 3.0, 3) is None


def test_the_gumbel_p_value_is_that_of_a_gumbel_distribution() -> None:
    maxima = gumbel_r.rvs(5.0, 2.0, size=200_000, random_state=1)
    assert gumbel_p(12.0, maxima) == pytest.approx(gumbel_r.sf(12.0, 5.0, 2.0), rel=0.02)
    assert 0 < gumbel_p(200.0, maxima) < 1e-30
    assert np.isnan(gumbel_p(1.0, np.ones(3)))
