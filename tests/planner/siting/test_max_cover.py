"""Maximal cover: never worse than what trying every plan finds, its bound never below, whatever it is asked."""

from itertools import combinations

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting import max_cover, max_cover_proof
from planner.siting.cover_sets import CoverSets, merge_cover_sets
from planner.siting.max_cover import maximise_cover
from planner.siting.max_cover_core import Core
from planner.siting.max_cover_cuts import cut_rows
from planner.watch import Watch

NONE = np.empty(0, np.int64)


def drawn(rng: np.random.Generator) -> CoverSets:
    """A tiny instance: up to 9 candidates, up to 14 demands, weights zero or whole or broken."""
    m, d = int(rng.integers(1, 10)), int(rng.integers(1, 15))
    cover = rng.random((m, d)) < rng.uniform(0.05, 0.6)
    whole = rng.random() < 0.5
    weight = rng.integers(0, 6, d).astype(float) if whole else np.round(rng.random(d) * 5, 3)
    ptr = np.concatenate([[0], np.cumsum(cover.sum(axis=1))])
    return merge_cover_sets(ptr, np.nonzero(cover)[1].astype(np.int32), weight)


def worth(sets: CoverSets, chosen: tuple[int, ...] | np.ndarray) -> float:
    """The weight a choice covers, counted row by row."""
    sites = {int(j) for j in chosen}
    return sum(
        sets.weight[i]
        for i in range(sets.n_rows)
        if sites & set(sets.row_site[sets.row_ptr[i] : sets.row_ptr[i + 1]].tolist())
    )


def town(seed: int, m: int = 150, d: int = 1500) -> CoverSets:
    """Points on a square, covered within a radius."""
    rng = np.random.default_rng(seed)
    site, demand = rng.random((m, 2)), rng.random((d, 2))
    near = np.hypot(*(site[:, None] - demand[None]).transpose(2, 0, 1)) < 0.08
    return merge_cover_sets(
        np.concatenate([[0], np.cumsum(near.sum(axis=1))]),
        np.nonzero(near)[1].astype(np.int32),
        rng.integers(1, 21, d).astype(float),
    )


def test_two_hundred_tiny_plans_are_as_good_as_the_best_of_all() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        sets = drawn(rng)
        fixed = np.flatnonzero(rng.random(sets.n_sites) < 0.2)
        count = int(rng.integers(0, sets.n_sites + 2))
        plan = maximise_cover(sets, count, fixed=fixed)
        others = [j for j in range(sets.n_sites) if j not in fixed]
        best = max(worth(sets, (*fixed, *choice)) for choice in combinations(others, min(count, len(others))))
        assert plan.value == pytest.approx(best, rel=1e-9, abs=1e-9)
        assert plan.value == pytest.approx(worth(sets, plan.chosen), rel=1e-12)
        assert plan.bound >= plan.value
        assert plan.optimal
        assert set(fixed) <= set(plan.chosen)
        assert len(plan.chosen) <= len(fixed) + count
        assert (np.diff(plan.chosen) > 0).all()


def test_every_cut_holds_for_every_plan() -> None:
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(60):
        sets = drawn(rng)
        if sets.n_rows < 3:
            continue
        triples = np.array(list(combinations(range(sets.n_rows), 3)), np.int32)
        rows = cut_rows(sets, triples)
        for _ in range(20):
            y = (rng.random(sets.n_sites) < rng.random()).astype(float)
            z = sets.covered(np.flatnonzero(y)).astype(float)
            assert (rows @ np.concatenate([y, z]) >= -1).all()
            held += len(triples)
    assert held > 1000


def test_shutting_and_opening_sites_keeps_the_best_plan_among_the_rest() -> None:
    rng = np.random.default_rng(7)
    for _ in range(100):
        sets = drawn(rng)
        m = sets.n_sites
        opened = np.flatnonzero(rng.random(m) < 0.2)
        shut = (rng.random(m) < 0.3) & ~np.isin(np.arange(m), opened)
        count = int(rng.integers(0, m + 1))
        core = Core(sets, np.arange(m), m, 0.0, NONE, np.empty((0, 3), np.int32)).reduced(
            shut, opened, count, np.empty((0, 3), np.int32)
        )
        free = [j for j in range(m) if not shut[j] and j not in opened]
        best = max(worth(sets, (*opened, *c)) for c in combinations(free, min(count, len(free))))
        reached = max(core.base + worth(core.sets, c) for c in combinations(range(core.sets.n_sites), core.count))
        assert reached == pytest.approx(best)
        assert core.most() >= best - 1e-9


def test_a_town_is_proven_and_fixed_points_are_kept() -> None:
    sets = town(1)
    fixed = np.array([3, 77])
    plan = maximise_cover(sets, 12, fixed=fixed)
    assert plan.optimal
    assert set(fixed) <= set(plan.chosen)
    assert plan.value == sets.weight[sets.covered(plan.chosen)].sum()
    without = maximise_cover(sets, 14)
    assert without.value >= plan.value


def test_more_sites_never_cover_less_and_enough_cover_all() -> None:
    sets = town(2, 60, 400)
    values = [maximise_cover(sets, count).value for count in (0, 1, 5, 20, 60, 100)]
    assert values == sorted(values)
    assert values[0] == 0.0
    assert values[-1] == pytest.approx(sets.weight.sum())


@pytest.mark.parametrize("seed", range(6))
def test_searching_near_relaxed_points_and_merging_plans_changes_no_proven_value(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As large instances are searched, on towns that are proven either way; fewer rooms for searches, to be quick."""
    sets = town(20 + seed)
    plain = maximise_cover(sets, 15, seed=seed)
    monkeypatch.setattr(max_cover_proof, "FEW_ENTRIES", 0)
    monkeypatch.setattr(max_cover, "STEPS_PER_ENTRY", 1)
    near = maximise_cover(sets, 15, seed=seed)
    assert plain.optimal and near.optimal
    assert near.value == plain.value == worth(sets, near.chosen)


def test_the_same_seed_gives_the_same_sites() -> None:
    sets = town(3)
    assert maximise_cover(sets, 15, seed=4).chosen.tolist() == maximise_cover(sets, 15, seed=4).chosen.tolist()


@pytest.mark.parametrize("looks", [0, 1, 3, 10, 60, 200])
def test_a_search_stopped_at_any_look_returns_a_plan_with_a_true_bound(looks: int) -> None:
    sets = town(4)
    best = maximise_cover(sets, 15)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > looks

    plan = maximise_cover(sets, 15, watch=Watch(cancelled=cancelled))
    assert len(plan.chosen) <= 15
    assert plan.value == sets.weight[sets.covered(plan.chosen)].sum()
    assert plan.value <= best.value <= plan.bound + 1e-6


def test_nothing_to_cover_and_nothing_to_choose_from_are_answered() -> None:
    nothing = merge_cover_sets(np.zeros(4, np.int64), np.empty(0, np.int32), np.ones(5))
    plan = maximise_cover(nothing, 2)
    assert (plan.value, plan.bound, plan.chosen.tolist()) == (0.0, 0.0, [])
    empty = merge_cover_sets(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0))
    assert maximise_cover(empty, 3).optimal


def test_impossible_questions_are_refused() -> None:
    sets = town(5, 10, 50)
    with pytest.raises(QuestionError, match="must be >= 0"):
        maximise_cover(sets, -1)
    with pytest.raises(QuestionError, match="must lie in"):
        maximise_cover(sets, 1, fixed=np.array([10]))
