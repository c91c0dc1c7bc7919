"""Priorities with room for exploration."""

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.hotspots.exploration import priorities, within_budget
from planner.hotspots.rates import Rates

RATES = Rates(np.array([50.0, 0.5, 5.0]), np.array([50.0, 1.0, 50.0]), np.zeros(3, bool), np.zeros(3), 0.0)
ONE = np.full(3, 60.0)


def test_without_exploration_priorities_are_expected_discoveries_per_minute() -> None:
    told = priorities(RATES, ONE, ONE, detectability=0.3, seed=1, exploration=0.0)
    assert told.planned.tolist() == told.expected.tolist()
    assert told.expected == pytest.approx((1 - np.exp(-0.3)) * np.array([1.0, 0.5, 0.1]))


def test_streets_little_is_known_of_are_planned_for_at_times_and_the_same_seed_gives_the_same() -> None:
    first = [priorities(RATES, ONE, ONE, detectability=0.3, seed=s).planned.argmax() for s in range(200)]
    assert 0.05 < np.mean(np.array(first) == 1) < 0.4
    again = [priorities(RATES, ONE, ONE, detectability=0.3, seed=s).planned.argmax() for s in range(200)]
    assert first == again


def test_an_upper_bound_raises_the_uncertain_and_a_bad_ask_is_refused() -> None:
    told = priorities(RATES, ONE, ONE, detectability=0.3, seed=1, method="upper", chance=0.95)
    assert told.planned[1] > told.planned[0]
    assert told.gained_by_exploring(ONE, 60.0).tolist() == [False, True, False]
    for bad in ({"exploration": 1.1}, {"method": "luck"}):
        with pytest.raises(QuestionError):
            priorities(RATES, ONE, ONE, detectability=0.3, seed=1, **bad)


def test_a_budget_takes_the_best_first() -> None:
    assert within_budget(np.array([1.0, 3.0, 2.0]), ONE, 125.0).tolist() == [False, True, True]


def test_streets_not_seen_since_all_may_have_changed_come_before_all_others() -> None:
    unseen = np.arange(len(ONE)) == 1
    plain, told = (priorities(RATES, ONE, ONE, detectability=0.3, seed=1, unseen=of) for of in (None, unseen))
    assert told.planned.argmax() == 1 and told.explored[1]
    assert (told.planned[~unseen] == plain.planned[~unseen]).all()
    nothing = priorities(RATES, ONE, ONE, detectability=0.3, seed=1, unseen=np.zeros(len(ONE), bool))
    assert (nothing.planned == plain.planned).all()
