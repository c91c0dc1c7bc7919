"""Nights on which duties are due: as often as asked, evenly apart, evenly much work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.patrol.calendar import NIGHTS, due_nights, nights_of


@given(st.integers(1, 7), st.integers(0, 6))
def test_visits_of_a_week_are_as_evenly_apart_as_nights_allow(times: int, first: int) -> None:
    nights = nights_of(times, first)
    assert len(set(nights.tolist())) == times and first in nights
    gaps = np.diff(np.r_[nights, nights[0] + NIGHTS])  # from one week to the next, too
    assert gaps.max() - gaps.min() <= 1


def test_every_duty_is_due_as_often_as_it_asks_and_blocks_share_their_nights() -> None:
    rng = np.random.default_rng(1)
    n = 3000
    times, x, y = rng.integers(1, 8, n), rng.uniform(0, 20_000, n), rng.uniform(0, 12_000, n)
    due = due_nights(times, np.full(n, 60.0), x, y)
    assert (due.sum(axis=1) == times).all()
    block = np.column_stack([x // 500, y // 500, times])
    for key in np.unique(block, axis=0)[:200]:
        same = (block == key).all(axis=1)
        assert (due[same] == due[same][0]).all()


@pytest.mark.parametrize("seed", range(5))
def test_nights_carry_about_the_same_work(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 5000
    times = rng.choice([7, 3, 1], n, p=[0.1, 0.3, 0.6])
    work_s = rng.uniform(30, 400, n)
    due = due_nights(times, work_s, rng.uniform(0, 15_000, n), rng.uniform(0, 15_000, n))
    load = (due * work_s[:, None]).sum(axis=0)
    assert load.max() <= 1.05 * load.mean()


def test_no_duty_at_all_is_no_night() -> None:
    nothing = np.empty(0)
    assert due_nights(np.empty(0, np.int64), nothing, nothing, nothing).shape == (0, NIGHTS)
