import itertools

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting.budget_mix import Variants, best_mix
from planner.siting.cover_sets import merge_cover_sets
from planner.watch import Watch
from tests.planner.siting.tiny_sets import drawn


def test_equals_trying_every_mix_or_says_that_there_is_none():
    rng = np.random.default_rng(3)
    refused = 0
    for turn in range(200):
        covers, weight, sets = drawn(rng, most_sites=8)
        v, n_places = len(covers), int(rng.integers(1, len(covers) + 1))
        site, cost = rng.integers(0, n_places, v).astype(np.int32), rng.integers(0, 4, v).astype(float)
        area, must = (site % 3 - 1).astype(np.int32), rng.random(n_places) < 0.2
        budget = float(rng.integers(0, 9))
        least = rng.integers(0, 2, 2) if turn % 2 else np.zeros(2, int)
        most = rng.integers(0, 4, 2) if turn % 3 else np.full(2, 99)

        def allowed(some, site=site, cost=cost, area=area, must=must, budget=budget, least=least, most=most):
            at = np.bincount(site[some], minlength=len(must))
            paid = np.array([(some & (area == a) & (cost > 0)).sum() for a in range(2)])
            return (
                (at <= 1).all() and (at[must] == 1).all() and cost[some].sum() <= budget
                and (paid >= least).all() and (paid <= most).all()
            )  # fmt: skip

        choices = (np.array(some, bool) for some in itertools.product([0, 1], repeat=v))
        best = max((weight[covers[some].any(axis=0)].sum() for some in choices if allowed(some)), default=None)
        given = {"least_per_area": least, "most_per_area": most, "watch": Watch(), "seed": 1}
        if best is None:
            refused += 1
            with pytest.raises(QuestionError):
                best_mix(sets, Variants(site, cost, area, must), budget, **given)
            continue
        plan = best_mix(sets, Variants(site, cost, area, must), budget, **given)
        assert plan.optimal and plan.value == best
        assert allowed(np.isin(np.arange(v), plan.chosen))
    assert 20 < refused < 180


def corner(cost=(0.0, 2.0, 3.0), must=(True, False)):
    """A point that may be kept or upgraded, and a place for a new one."""
    sets = merge_cover_sets(np.array([0, 1, 3, 5]), np.array([0, 0, 1, 1, 2], np.int32), np.array([1.0, 2.0, 4.0]))
    return sets, Variants(np.array([0, 0, 1], np.int32), np.array(cost), np.zeros(3, np.int32), np.array(must))


def test_an_existing_point_is_kept_where_money_goes_further_elsewhere():
    sets, variants = corner()
    assert list(best_mix(sets, variants, 3.0, watch=Watch(), seed=1).chosen) == [0, 2]


def test_says_that_the_budget_does_not_pay_for_what_must_be():
    sets, variants = corner(cost=(1.5, 2.0, 3.0))
    with pytest.raises(QuestionError, match="budget"):
        best_mix(sets, variants, 1.0, watch=Watch(), seed=1)


def test_says_which_area_cannot_have_its_minimum():
    sets, variants = corner()
    with pytest.raises(QuestionError, match="area 0"):
        best_mix(sets, variants, 9.0, least_per_area=np.array([3]), watch=Watch(), seed=1)


def test_a_search_stopped_at_once_still_meets_every_minimum():
    sets, variants = corner()
    plan = best_mix(sets, variants, 9.0, least_per_area=np.array([2]), watch=Watch(seconds=0.0), seed=1)
    assert list(plan.chosen) == [1, 2]
