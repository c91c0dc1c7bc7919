import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.access import GAUSSIAN_SHARE, enhanced, two_step


def some_pairs(rng: np.random.Generator, places: int, points: int, pairs: int) -> tuple:
    """Random distinct pairs with times up to 1,000 s, a few of them zero, and need and capacity to match."""
    cell = rng.choice(places * points, min(pairs, places * points), replace=False)
    seconds = np.round(rng.uniform(0, 1000, len(cell)), 1) * (rng.random(len(cell)) > 0.05)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(cell // points, minlength=places))])
    order = np.argsort(cell)
    matrix = csr_array((seconds[order], (cell % points)[order], indptr), shape=(places, points))
    return matrix, rng.uniform(1, 500, places), rng.uniform(1, 60, points)


def with_pysal(matrix: csr_array, need: np.ndarray, capacity: np.ndarray) -> tuple:
    """Return PySAL's Access of the same pairs, and how to read a score per place from its result."""
    access = pytest.importorskip("access")
    tail = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    pysal = access.Access(
        demand_df=pd.DataFrame({"geoid": np.arange(len(need)), "need": need}),
        demand_index="geoid",
        demand_value="need",
        supply_df=pd.DataFrame({"geoid": np.arange(len(capacity)), "beds": capacity}),
        supply_index="geoid",
        supply_value="beds",
        cost_df=pd.DataFrame({"origin": tail, "dest": matrix.indices, "cost": matrix.data}),
        cost_origin="origin",
        cost_dest="dest",
        cost_name="cost",
    )
    return pysal, lambda table: table.iloc[:, 0].reindex(np.arange(len(need))).fillna(0).to_numpy()


def by_hand(matrix: csr_array, need: np.ndarray, capacity: np.ndarray, weigh) -> np.ndarray:
    """The definition, with loops over a dense table."""
    weight = np.zeros(matrix.shape)
    for i in range(matrix.shape[0]):
        for e in range(matrix.indptr[i], matrix.indptr[i + 1]):
            weight[i, matrix.indices[e]] = weigh(matrix.data[e])
    score = np.zeros(matrix.shape[0])
    for j in range(matrix.shape[1]):
        shared = sum(weight[i, j] * need[i] for i in range(len(need)))
        if shared > 0:
            score += weight[:, j] * capacity[j] / shared
    return score


def test_two_hospitals_and_three_places_worked_by_hand() -> None:
    matrix = csr_array((np.array([0.0, 300, 600, 900, 901]), np.array([0, 0, 1, 1, 0]), np.array([0, 1, 3, 5])))
    found = two_step(matrix, np.array([10.0, 30, 60]), np.array([20.0, 45.0]), 900)
    assert found.ratio.tolist() == [20 / 40, 45 / 90]
    assert found.score.tolist() == [0.5, 1.0, 0.5]
    zones = enhanced(matrix, np.array([10.0, 30, 60]), np.array([20.0, 45.0]), (300, 600, 900), (1, 0.5, 0.25))
    assert zones.need_in_reach.tolist() == [40, 30]
    assert zones.score.tolist() == [0.5, 0.5 + 0.5 * 45 / 30, 0.25 * 45 / 30]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 12))
def test_scores_follow_the_definition(seed: int, places: int, points: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, need, capacity = some_pairs(rng, places, points, int(rng.integers(0, places * points + 1)))
    need[rng.random(places) < 0.4] = 0
    width = GAUSSIAN_SHARE * 700
    for found, weigh in (
        (two_step(matrix, need, capacity, 700), lambda t: float(t <= 700)),
        (two_step(matrix, need, capacity, 700, "gaussian"), lambda t: (t <= 700) * np.exp(-((t / width) ** 2) / 2)),
        (
            enhanced(matrix, need, capacity, (200, 500, 900)),
            lambda t: 1.0 if t <= 200 else 0.68 if t <= 500 else 0.22 if t <= 900 else 0.0,
        ),
    ):
        np.testing.assert_allclose(found.score, by_hand(matrix, need, capacity, weigh), rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_handed_out_is_the_capacity_of_the_points_somebody_reaches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, need, capacity = some_pairs(rng, 40, 9, 60)
    for found in (two_step(matrix, need, capacity, 500), enhanced(matrix, need, capacity, (300, 600, 900))):
        used = capacity[found.need_in_reach > 0].sum()
        assert (need * found.score).sum() == pytest.approx(used, rel=1e-12)


def test_scores_equal_pysal_access_on_three_hundred_thousand_pairs() -> None:
    weights = pytest.importorskip("access.weights")
    matrix, need, capacity = some_pairs(np.random.default_rng(1), 6000, 400, 300_000)
    pysal, read = with_pysal(matrix, need, capacity)
    for ours, theirs in (
        (two_step(matrix, need, capacity, 900), pysal.two_stage_fca(name="a", max_cost=900)),
        (
            enhanced(matrix, need, capacity, (300, 600, 900)),
            pysal.enhanced_two_stage_fca(name="b", weight_fn=weights.step_fn({300: 1, 600: 0.68, 900: 0.22})),
        ),
        (
            two_step(matrix, need, capacity, 900, "gaussian"),
            pysal.two_stage_fca(name="c", max_cost=900, weight_fn=weights.gaussian(GAUSSIAN_SHARE * 900)),
        ),
    ):
        np.testing.assert_allclose(ours.score, read(theirs), rtol=1e-12, atol=0)


def test_a_point_nobody_reaches_has_ratio_zero_and_changes_no_score() -> None:
    matrix = csr_array((np.array([60.0, 60.0]), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 3))
    found = two_step(matrix, np.array([10.0, 0.0]), np.array([5.0, 5.0, 5.0]), 900)
    assert found.ratio.tolist() == [0.5, 0, 0]
    assert found.need_in_reach.tolist() == [10, 0, 0]
    assert found.score.tolist() == [0.5, 0]


def test_no_places_no_points_and_no_pairs_give_empty_scores() -> None:
    assert two_step(csr_array((0, 0)), np.empty(0), np.empty(0), 900).score.tolist() == []
    assert two_step(csr_array((2, 0)), np.ones(2), np.empty(0), 900).score.tolist() == [0, 0]
    assert enhanced(csr_array((2, 3)), np.ones(2), np.ones(3), (300,), (1,)).score.tolist() == [0, 0]


ONE = csr_array(np.array([[60.0]]))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: two_step(ONE, np.ones(2), np.ones(1), 900),
        lambda: two_step(ONE, np.ones(1), np.ones(2), 900),
        lambda: two_step(ONE, -np.ones(1), np.ones(1), 900),
        lambda: two_step(ONE, np.ones(1), np.array([np.nan]), 900),
        lambda: two_step(ONE, np.ones(1), np.ones(1), -1),
        lambda: two_step(ONE, np.ones(1), np.ones(1), np.inf),
        lambda: two_step(ONE, np.ones(1), np.ones(1), 900, "linear"),
        lambda: two_step(-ONE, np.ones(1), np.ones(1), 900),
        lambda: enhanced(ONE, np.ones(1), np.ones(1), (300, 300), (1, 0.5)),
        lambda: enhanced(ONE, np.ones(1), np.ones(1), (300, 600), (1,)),
        lambda: enhanced(ONE, np.ones(1), np.ones(1), (300,), (-1,)),
        lambda: enhanced(ONE, np.ones(1), np.ones(1), ()),
    ],
)
def test_impossible_questions_are_refused(ask) -> None:
    with pytest.raises(QuestionError):
        ask()
