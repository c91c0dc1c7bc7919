"""What streets are like now, where rates change and people move."""

import numpy as np
import pytest
from scipy.stats import nbinom

from planner.hotspots.memory import FEWEST, MODELS, MOST, Memory, Model
from planner.hotspots.neighbours import Links, neighbours_from_pairs
from planner.hotspots.rates_prior import Prior

N = 600
PRIOR = Prior(np.full(N, 1.0), np.full(N, 0.5))
ONES = np.ones(N)
LINE = neighbours_from_pairs(np.r_[: N - 1, 1:N], np.r_[1:N, : N - 1], N)


def remembered(rates: np.ndarray, seed: int) -> tuple[Memory, np.ndarray]:
    """Learn 24 months of reports on streets watched 3 weeks in each; rates : (24, n)."""
    rng = np.random.default_rng([seed, 8])
    memory, weeks = Memory(LINE, ONES), np.full(N, 3.0)
    counts = rng.poisson(rates * 3.0).astype(float)
    for count in counts:
        memory.learn(count, weeks, np.ones(N), 52 / 12, PRIOR)
    return memory, counts


def test_where_nothing_changes_all_months_count_alike() -> None:
    rates = np.tile(np.random.default_rng(3).gamma(0.5, 2.0, 600), (24, 1))
    memory, counts = remembered(rates, 0)
    assert memory.best == 0
    shape, rate = memory.known(PRIOR)
    assert shape == pytest.approx(0.5 + counts.sum(axis=0))
    assert rate == pytest.approx(np.full(600, 0.5 + 24 * 3.0))


def test_where_rates_changed_the_last_months_count_more_and_tell_them_better() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.gamma(0.5, 2.0, (2, 600))
    memory, counts = remembered(np.vstack([np.tile(before, (16, 1)), np.tile(after, (8, 1))]), 1)
    now, always = np.divide(*memory.known(PRIOR)), (0.5 + counts.sum(axis=0)) / (0.5 + 24 * 3.0)
    assert memory.best != 0
    assert np.abs(now - after).mean() < 0.6 * np.abs(always - after).mean()


def at_once(changed: int) -> tuple[Memory, np.ndarray]:
    """Learn 20 rounds of all 600 streets, then one of the first 300 after ``changed`` of those took others' rates."""
    rng = np.random.default_rng([5, 8])
    rates = rng.gamma(0.5, 2.0, 600)
    memory = Memory(LINE, ONES)
    for _ in range(20):
        memory.learn(rng.poisson(rates).astype(float), np.ones(N), np.ones(N), 1.0, PRIOR)
    before = np.divide(*memory.known(PRIOR))
    rates[:changed] = rng.gamma(0.5, 2.0, changed)
    weeks = np.where(np.arange(600) < 300, 1.0, 0.0)
    memory.learn(rng.poisson(rates * weeks).astype(float), weeks, weeks, 1.0, PRIOR)
    return memory, before


def test_where_many_streets_change_at_once_what_was_known_counts_little_and_those_not_seen_since_are_told() -> None:
    memory, _ = at_once(150)
    assert memory.unseen.tolist() == [False] * 300 + [True] * 300
    shape, _ = memory.known(PRIOR)
    assert shape[300:].max() <= PRIOR.shape[0] + 1.0  # a shape of one at most is kept
    told = np.where(np.arange(N) >= 300, 1.0, 0.0)
    memory.learn(np.zeros(N), told, np.zeros(N), 1.0, PRIOR)  # others may have reported, no patrol was there
    assert memory.unseen[300:].all()
    memory.learn(np.zeros(N), told, told, 1.0, PRIOR)
    assert not memory.unseen.any()


def test_where_few_change_or_none_what_was_known_stays() -> None:
    for changed in (0, 3):
        memory, before = at_once(changed)
        assert not memory.unseen.any()
        assert np.divide(*memory.known(PRIOR))[300:] == pytest.approx(before[300:])


def test_each_model_is_scored_by_what_it_foretold() -> None:
    near = neighbours_from_pairs(np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1]), 3)
    memory, count, weeks = Memory(near, np.ones(3)), np.array([2.0, 0.0, 1.0]), np.array([1.5, 4.0, 0.0])
    prior = Prior(np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 0.7]))
    memory.learn(count, weeks, np.zeros(3), 4.0, prior)
    rate = prior.shape / prior.mean
    by_hand = nbinom.logpmf(count, prior.shape, rate / (rate + weeks))[:2].sum()  # nobody looked at the third
    assert memory.score[1:] == pytest.approx(np.full(len(MODELS) - 1, by_hand))
    assert memory.score[0] == pytest.approx(by_hand + np.log(len(MODELS) - 1))  # half of the weight beforehand
    half = MODELS.index(Model(np.inf, 8.0, 2.0, 0.0, 0.0))
    held = np.minimum(prior.shape + count, 2.0)
    mean = (prior.shape + count) / (rate + weeks)
    shape, told = memory.known(prior, half)
    assert shape == pytest.approx(held + count)
    assert told == pytest.approx(held / mean + weeks)


def moved_by_hand(
    people: np.ndarray, home: np.ndarray, walked: np.ndarray, near: Links, size: np.ndarray, model: Model
) -> np.ndarray:
    """One week, street by street."""
    now = people + model.home * (home - people)
    after = now.copy()
    for street in range(len(now)):
        others = near[1][near[0][street] : near[0][street + 1]]
        open_to = {int(other): walked[street] * (1 - walked[other]) * size[other] for other in others}
        if sum(open_to.values()) > 0:
            goes = model.leave * walked[street] * now[street]
            after[street] -= goes
            for other, way in open_to.items():
                after[other] += goes * way / sum(open_to.values())
    return after


def test_people_leave_walked_streets_for_quieter_ones_beside_them_and_come_home() -> None:
    rng = np.random.default_rng(7)
    pairs = rng.integers(0, 40, (2, 90))
    near = neighbours_from_pairs(np.r_[pairs[0], pairs[1]], np.r_[pairs[1], pairs[0]], 40)
    prior, size = Prior(rng.gamma(2.0, 1.0, 40), np.full(40, 0.5)), rng.uniform(1.0, 300.0, 40)
    for model in (Model(np.inf, np.inf, np.inf, 0.3, 0.0), Model(np.inf, np.inf, np.inf, 0.2, 0.4)):
        memory, people = Memory(near, size, (model,)), prior.mean.copy()
        for _ in range(3):
            walked = rng.choice([0.0, 0.4, 1.0], 40)
            memory.learn(np.zeros(40), np.zeros(40), walked, 1.0, prior)  # nobody is looked for: homes stay
            people = moved_by_hand(people, prior.mean, walked, near, size, model)
            assert np.divide(*memory.known(prior)) == pytest.approx(people)
            assert memory.here.min() > FEWEST and memory.here.max() < MOST
        if not model.home:
            assert people.sum() == pytest.approx(prior.mean.sum())  # who leaves is elsewhere


def walked_by_turns(leave: float, home: float) -> tuple[Memory, np.ndarray, np.ndarray]:
    """Learn 80 weeks in which a third of a line of streets is patrolled; return what is known and what is true."""
    rng, model = np.random.default_rng(9), Model(np.inf, np.inf, np.inf, leave, home)
    homes = rng.gamma(0.5, 2.0, N)
    people, memory = homes.copy(), Memory(LINE, ONES)
    for _ in range(80):
        walked = (rng.random(N) < 0.33).astype(float)
        memory.learn(rng.poisson(people * walked * 0.6).astype(float), walked * 0.6, walked, 1.0, PRIOR)
        people = moved_by_hand(people, homes, walked, LINE, ONES, model)
    return memory, np.divide(*memory.known(PRIOR)), people


def test_people_who_leave_patrols_are_followed() -> None:
    memory, now, people = walked_by_turns(0.4, 0.2)
    assert MODELS[memory.best].leave in (0.25, 0.5)
    stays = np.flatnonzero([not model.leave for model in MODELS])
    if_nobody_moved = np.divide(*memory.known(PRIOR, int(stays[np.argmax(memory.score[stays])])))
    assert np.abs(now - people).mean() < 0.8 * np.abs(if_nobody_moved - people).mean()


def test_where_nobody_moves_nobody_is_thought_to() -> None:
    memory, _, _ = walked_by_turns(0.0, 0.0)
    assert MODELS[memory.best].leave == 0.0
