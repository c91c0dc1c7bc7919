"""Lists of near sites keep every entry that can matter, nearest first."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.siting.near_lists import near_lists


def test_sites_are_listed_nearest_first_and_the_lower_first_where_equal() -> None:
    lists = near_lists(np.array([[3.0, np.inf], [1.0, 0.0], [3.0, 0.0]]))
    assert lists.ptr.tolist() == [0, 3, 5]
    assert lists.site.tolist() == [1, 0, 2, 1, 2]
    assert lists.cost.tolist() == [1.0, 3.0, 3.0, 0.0, 0.0]


def test_a_stored_zero_is_a_cost_and_an_absent_entry_is_none() -> None:
    sparse = csr_array((np.array([0.0, 5.0]), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 2))
    dense = near_lists(np.array([[0.0, np.inf], [np.inf, 5.0]]))
    lists = near_lists(sparse)
    for name in ("ptr", "site", "cost"):
        assert np.array_equal(getattr(lists, name), getattr(dense, name))


def test_costs_that_save_nothing_are_left_out() -> None:
    lists = near_lists(np.array([[3.0, 9.0], [10.0, 2.0]]), beyond=9.0)
    assert lists.site.tolist() == [0, 1]
    assert lists.beyond == 9.0


def test_least_is_the_cost_at_the_nearest_chosen_site() -> None:
    rng = np.random.default_rng(5)
    cost = np.where(rng.random((12, 30)) < 0.4, rng.integers(0, 9, (12, 30)).astype(float), np.inf)
    lists = near_lists(cost, beyond=8.0)
    chosen = np.array([2, 3, 11])
    assert np.array_equal(lists.least(chosen), np.minimum(cost[chosen].min(axis=0), 8.0))


@pytest.mark.parametrize("cost", [-1.0, np.nan])
def test_a_cost_below_zero_or_missing_is_refused(cost: float) -> None:
    with pytest.raises(QuestionError):
        near_lists(np.array([[1.0, cost]]))


def test_nothing_beyond_is_refused() -> None:
    with pytest.raises(QuestionError):
        near_lists(np.array([[1.0]]), beyond=0.0)
