import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting.backup import maximise_backup
from planner.watch import Watch
from tests.planner.siting.tiny_sets import drawn, every_choice, some_fixed


def earned(covers, weight, chosen, share):
    held = covers[chosen].sum(axis=0)
    return (1 - share) * weight[held >= 1].sum() + share * weight[held >= 2].sum()


def test_equals_trying_every_choice():
    rng = np.random.default_rng(1)
    for _ in range(200):
        covers, weight, sets = drawn(rng)
        fixed, count = some_fixed(rng, len(covers)), int(rng.integers(0, 4))
        share = float(rng.choice([0, 0.3, 0.5, 0.8, 1]))
        plan = maximise_backup(sets, count, second_share=share, fixed=fixed, watch=Watch(), seed=1)
        best = max(earned(covers, weight, some, share) for some in every_choice(len(covers), fixed, count))
        assert plan.optimal and plan.value == pytest.approx(best, abs=1e-9)
        assert earned(covers, weight, plan.chosen, share) == pytest.approx(plan.value, abs=1e-9)
        assert set(fixed) <= set(plan.chosen) and len(plan.chosen) <= count + len(fixed)


def test_without_a_second_share_is_plain_cover():
    covers, weight, sets = drawn(np.random.default_rng(4))
    plan = maximise_backup(sets, len(covers), second_share=0.0, fixed=np.zeros(0, int), watch=Watch(), seed=1)
    assert plan.value == weight[covers.any(axis=0)].sum()


def test_a_search_stopped_at_once_returns_the_fixed_sites_and_a_bound_that_holds():
    covers, weight, sets = drawn(np.random.default_rng(5))
    plan = maximise_backup(sets, 2, fixed=np.array([0]), watch=Watch(seconds=0.0), seed=1)
    best = max(earned(covers, weight, some, 0.3) for some in every_choice(len(covers), [0], 2))
    assert 0 in plan.chosen and plan.value <= best <= plan.bound


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_refuses_a_share_that_is_none(share):
    _, _, sets = drawn(np.random.default_rng(5))
    with pytest.raises(QuestionError):
        maximise_backup(sets, 1, second_share=share, fixed=np.zeros(0, int), watch=Watch(), seed=1)
