"""Rates of streets as they are now."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks.rates import Town, demo_town
from planner.hotspots import recent
from planner.hotspots.exposure import Detection
from planner.hotspots.memory import MODELS, Model
from planner.hotspots.recent import recent_rates, stretches_of
from planner.hotspots.street_rates import Watched, street_rates
from tests.planner.hotspots.test_memory import moved_by_hand

WEEKS, EVENING = 52, 2


@pytest.fixture(scope="module")
def town() -> Town:
    return demo_town(1, cut=stretches_of)


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[D]").astype(np.int64)


def test_of_late_time_is_cut_into_weeks_from_mondays_and_into_months_before() -> None:
    starts = days("2024-11-15", "2024-12-01", "2025-01-01", "2025-02-01", "2025-07-01", "2025-07-09")
    cut = stretches_of(starts)
    assert cut[:5].tolist() == days("2024-11-15", "2024-12-01", "2025-01-01", "2025-02-01", "2025-04-07").tolist()
    weeks = cut[4:-1].astype("datetime64[D]")
    assert (np.diff(weeks) == np.timedelta64(7, "D")).all()
    assert {day.item().weekday() for day in weeks} == {0}
    assert cut[-1] == starts[-1] and 0 < cut[-1] - cut[-2] <= 7
    assert stretches_of(days("2025-07-09", "2025-07-11")).tolist() == days("2025-07-09", "2025-07-11").tolist()


def test_recent_rates_of_a_town_that_does_not_change_are_as_good_as_those_of_all_months(town: Town) -> None:
    rates, detection = street_rates(town.known)
    recent, unseen = recent_rates(town.known, detection)
    known = ~rates.unknown
    assert (recent.unknown == rates.unknown).all()
    assert not unseen.any()
    ours, all_months = (spearmanr(of.mean[known], town.truth[known]).statistic for of in (recent, rates))
    assert ours > all_months - 0.01


def left_patrols(town: Town, detection: Detection) -> tuple[Watched, np.ndarray]:
    """A year in which patrols walk a third of the town's streets a week, another third each, and people leave them."""
    rng, model = np.random.default_rng(6), Model(np.inf, np.inf, np.inf, 0.4, 0.2)
    homes = 8.0 * town.truth  # enough to see it in a year
    people, n = homes.copy(), len(homes)
    passes = np.zeros((n, WEEKS, 3))
    finds = []
    for week in range(WEEKS):
        walked = rng.random(n) < 1 / 3
        passes[walked, week, EVENING] = 2.0
        seen = walked * -np.expm1(-detection.detectability * 2.0)
        finds.append(np.repeat(np.arange(n), rng.poisson(people * seen)))
        people = moved_by_hand(people, homes, walked.astype(float), town.known.beside, town.known.length_m, model)
    return _year(town, passes, finds), people


def _year(town: Town, passes: np.ndarray, finds: list[np.ndarray]) -> Watched:
    """What is on record after a year of weeks; finds : the streets of each week's reports."""
    street = np.concatenate(finds)
    k = len(street)
    return replace(
        town.known, passes=passes, weeks=np.ones(WEEKS), calendar_month=np.ones(WEEKS, np.int64),
        by_patrol=np.ones(k, bool), month=np.repeat(np.arange(WEEKS), [len(of) for of in finds]),
        shift=np.full(k, EVENING), report=np.arange(k), street=street, gap_m=np.zeros(k),
    )  # fmt: skip


def test_people_who_leave_patrolled_streets_are_sought_beside_them(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    detection = Detection(0.5, 0.0, 0.0, np.ones(WEEKS), np.array([0.0, 0.0, 1.0]), False)
    year, people = left_patrols(town, detection)
    ours, _ = recent_rates(year, detection)
    monkeypatch.setattr(recent, "MODELS", tuple(model for model in MODELS if not model.leave))
    if_nobody_moved, _ = recent_rates(year, detection)
    off, off_before = (np.abs(of.mean - people).mean() for of in (ours, if_nobody_moved))
    assert off < 0.9 * off_before
    close, close_before = (spearmanr(of.mean, people).statistic for of in (ours, if_nobody_moved))
    assert close > close_before


def test_streets_not_seen_since_a_clearing_are_told_though_a_model_that_forgets_foretells_best_by_now(
    town: Town,
) -> None:
    rng, n, since = np.random.default_rng(8), len(town.truth), 8
    detection = Detection(0.7, 0.0, 0.0, np.ones(WEEKS), np.array([0.0, 0.0, 1.0]), False)
    rate, seen_since = 8.0 * town.truth, rng.random(n) < 0.8
    passes = np.zeros((n, WEEKS, 3))
    passes[:, :, EVENING] = 2.0
    passes[~seen_since, -since:, EVENING] = 0.0
    finds = []
    for week in range(WEEKS):
        if week == WEEKS - since:
            rate = np.where(rng.random(n) < 0.5, rng.permutation(rate), rate)
        seen = -np.expm1(-detection.detectability * passes[:, week, EVENING])
        finds.append(np.repeat(np.arange(n), rng.poisson(rate * seen)))
        rate = rate * np.exp(rng.normal(0, 0.03, n))
    _, unseen = recent_rates(_year(town, passes, finds), detection)
    assert unseen[~seen_since].all() and not unseen[seen_since].any()
