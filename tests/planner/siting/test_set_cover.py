"""Fewest sites: as few as trying every plan finds, for all demand and for a share, with points that stand already."""

from itertools import combinations

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting.cover_sets import CoverSets, merge_cover_sets
from planner.siting.set_cover import cover_with_fewest, rows_left
from planner.watch import Watch


def merged(cover: np.ndarray, weight: np.ndarray) -> CoverSets:
    ptr = np.concatenate([[0], np.cumsum(cover.sum(axis=1))])
    return merge_cover_sets(ptr, np.nonzero(cover)[1].astype(np.int32), weight)


def town(seed: int, m: int = 120, d: int = 900) -> CoverSets:
    """Points on a square, covered within a radius."""
    rng = np.random.default_rng(seed)
    near = np.hypot(*(rng.random((m, 1, 2)) - rng.random((1, d, 2))).transpose(2, 0, 1)) < 0.15
    return merged(near, rng.integers(1, 21, d).astype(float))


def fewest(sets: CoverSets, share: float, fixed: np.ndarray) -> int:
    """The least count by trying all choices, small ones first; rows are counted one by one."""
    matrix = sets.row_matrix().toarray() > 0
    others = [j for j in range(sets.n_sites) if j not in fixed]
    for count in range(len(others) + 1):
        for choice in combinations(others, count):
            hit = matrix[:, [*fixed, *choice]].any(axis=1)
            if hit.all() or (share < 1 and sets.weight[hit].sum() >= share * sets.weight.sum() - 1e-9):
                return count
    raise AssertionError("all sites together cover every row")


@pytest.mark.parametrize("partial", [False, True])
def test_two_hundred_tiny_answers_are_the_fewest_of_all(partial: bool) -> None:
    rng = np.random.default_rng(8)
    for _ in range(200):
        m, d = int(rng.integers(1, 10)), int(rng.integers(1, 15))
        sets = merged(rng.random((m, d)) < rng.uniform(0.05, 0.6), rng.integers(0, 6, d).astype(float))
        fixed = np.flatnonzero(rng.random(m) < 0.15)
        share = float(rng.choice([0.0, 0.3, 0.5, 0.8, 0.95])) if partial else 1.0
        plan = cover_with_fewest(sets, share=share, fixed=fixed)
        assert plan.value == fewest(sets, share, fixed)
        assert plan.optimal
        assert plan.value == len(plan.chosen) - len(fixed)
        assert set(fixed) <= set(plan.chosen)
        hit = sets.covered(plan.chosen)
        assert hit.all() or (share < 1 and sets.weight[hit].sum() >= share * sets.weight.sum() * (1 - 1e-9))


def test_a_town_is_covered_whole_and_in_part() -> None:
    sets = town(1)
    whole = cover_with_fewest(sets)
    assert whole.optimal
    assert sets.covered(whole.chosen).all()
    counts = [cover_with_fewest(sets, share=share).value for share in (0.0, 0.5, 0.9, 0.99)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] <= whole.value
    assert rows_left(sets) < sets.n_rows


def test_the_same_seed_gives_the_same_sites() -> None:
    sets = town(2)
    for share in (0.8, 1.0):
        first, second = (cover_with_fewest(sets, share=share, seed=3).chosen.tolist() for _ in range(2))
        assert first == second


@pytest.mark.parametrize("looks", [0, 1, 2, 5, 50])
@pytest.mark.parametrize("share", [0.9, 1.0])
def test_a_search_stopped_at_any_look_still_covers_what_was_asked(looks: int, share: float) -> None:
    sets = town(3)
    best = cover_with_fewest(sets, share=share)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > looks

    plan = cover_with_fewest(sets, share=share, watch=Watch(cancelled=cancelled))
    assert plan.bound <= best.value <= plan.value
    assert sets.weight[sets.covered(plan.chosen)].sum() >= share * sets.weight.sum() * (1 - 1e-9)


def test_nothing_to_cover_takes_no_site() -> None:
    nothing = merge_cover_sets(np.zeros(4, np.int64), np.empty(0, np.int32), np.ones(5))
    plan = cover_with_fewest(nothing)
    assert (plan.value, plan.bound, plan.chosen.tolist()) == (0.0, 0.0, [])


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(QuestionError, match="must lie in 0 to 1"):
        cover_with_fewest(town(4, 10, 50), share=share)
