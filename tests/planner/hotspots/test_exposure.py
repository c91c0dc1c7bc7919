"""Effort as exposure, and detectability from the finds."""

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.hotspots.exposure import Detection, effective_weeks, estimate_detection, exposure_of, weeks_watched

WEEKS = np.full(12, 4.0)
CALENDAR = np.arange(1, 13)


def city(detectability: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, 3])
    passes = rng.poisson(rng.gamma(1.0, 6.0, (3000, 1, 1)), (3000, 12, 2)).astype(float)
    seen = 1 - np.exp(-detectability * passes / 4.0)
    people = rng.gamma(0.7, 0.1, (3000, 1, 1)) * 4.0 * np.array([0.3, 0.7])
    return rng.poisson(people * seen).astype(float), rng.poisson(people * (1 - seen) * 0.15).astype(float), passes


def test_the_chance_of_being_seen_saturates_with_passes_a_week() -> None:
    seen = exposure_of(np.array([[[0.0, 4.0, 400.0]]]), np.array([4.0]), 0.3)
    assert seen[0, 0].tolist() == pytest.approx([0.0, 1 - np.exp(-0.3), 1.0])


def test_detectability_and_the_share_of_others_are_found_back_from_reports() -> None:
    for truth in (0.15, 0.6):
        told = [estimate_detection(*city(truth, seed), WEEKS, CALENDAR) for seed in range(4)]
        assert np.mean([np.log(t.detectability / truth) for t in told]) == pytest.approx(0.0, abs=0.15)
        assert np.mean([t.told_share for t in told]) == pytest.approx(0.15, rel=0.2)
        assert told[0].shift == pytest.approx([0.3, 0.7], abs=0.04)


def test_without_reports_or_finds_the_guess_is_told_as_a_guess() -> None:
    found, told, passes = city(0.3, 0)
    for counts in ((0 * found, 0 * told), (0 * found, told)):
        detection = estimate_detection(*counts, passes, WEEKS, CALENDAR, guess=0.4)
        assert detection.guessed and detection.detectability == 0.4
        assert detection.interval()[0] < 0.2


def test_weeks_as_good_as_watched_add_up_over_months_and_shifts() -> None:
    detection = Detection(0.5, 0.1, 0.2, np.array([0.5, 1.5]), np.array([0.25, 0.75]), False)
    passes = np.array([[[4.0, 0.0], [0.0, 8.0]], [[0.0, 0.0], [0.0, 0.0]]])
    weeks = np.array([4.0, 4.0])
    exposure = effective_weeks(passes, weeks, detection)
    by_hand = 0.5 * 0.25 * 4 * (1 - np.exp(-0.5)) + 1.5 * 0.75 * 4 * (1 - np.exp(-1.0))
    assert exposure.patrol.tolist() == pytest.approx([by_hand, 0.0])
    assert exposure.others.tolist() == pytest.approx([0.2 * (8 - by_hand), 0.2 * 8])


def test_negative_passes_and_no_detectability_are_refused() -> None:
    with pytest.raises(QuestionError):
        exposure_of(-np.ones((1, 1, 1)), np.ones(1), 0.3)
    with pytest.raises(QuestionError):
        exposure_of(np.ones((1, 1, 1)), np.ones(1), 0.0)


def test_weeks_watched_month_by_month_add_up() -> None:
    rng = np.random.default_rng(4)
    passes, weeks = rng.poisson(3.0, (50, 6, 3)).astype(float), rng.uniform(0.5, 5.0, 6)
    hours = rng.dirichlet(np.ones(3), 50)
    detection = Detection(0.3, 0.1, 0.12, rng.uniform(0.5, 1.5, 6), np.array([0.2, 0.5, 0.3]), False)
    by_month = weeks_watched(passes, weeks, detection, hours)
    assert by_month.shape == (50, 6)
    assert by_month.sum(axis=1) == pytest.approx(effective_weeks(passes, weeks, detection, hours=hours).weeks)
