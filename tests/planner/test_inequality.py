import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.inequality import gini, lorenz


def gini_by_pairs(share: np.ndarray, weight: np.ndarray) -> float:
    mean = (share * weight).sum() / weight.sum()
    differences = np.abs(share[:, None] - share[None, :]) * weight[:, None] * weight[None, :]
    return float(differences.sum() / (2 * weight.sum() ** 2 * mean))


def test_the_gini_equals_half_the_relative_mean_difference_over_all_pairs_of_people() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        share, weight = rng.random(30), rng.integers(0, 1000, 30).astype(float)
        assert gini(share, weight) == pytest.approx(gini_by_pairs(share, weight), abs=1e-12)


def test_the_gini_of_one_to_five_is_the_textbook_four_fifteenths() -> None:
    # G = 2 * sum(i x_i) / (n * sum(x)) - (n + 1) / n = 2 * 55 / 75 - 6 / 5
    assert gini(np.arange(1.0, 6.0), np.ones(5)) == pytest.approx(4 / 15, abs=1e-15)


def test_equal_areas_have_no_inequality_and_one_favoured_area_of_n_has_nearly_all() -> None:
    assert gini(np.full(4, 0.3), np.array([1.0, 5.0, 2.0, 9.0])) == pytest.approx(0, abs=1e-15)
    assert gini(np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4)) == pytest.approx(0.75)


def test_nobody_covered_or_nobody_living_anywhere_gives_nan_and_an_empty_curve() -> None:
    for share, weight in [(np.zeros(3), np.ones(3)), (np.ones(3), np.zeros(3)), (np.full(2, np.nan), np.ones(2))]:
        assert np.isnan(gini(share, weight))
        assert len(lorenz(share, weight)[0]) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 10_000)), min_size=1, max_size=20))
def test_a_lorenz_curve_climbs_from_nothing_to_all_and_never_above_the_diagonal(areas: list[tuple[float, int]]) -> None:
    share, weight = np.array([a for a, _ in areas]), np.array([float(w) for _, w in areas])
    people, held = lorenz(share, weight)
    if len(people) == 0:
        assert not (share * weight).any()
        return
    assert people[0] == held[0] == 0
    assert people[-1] == held[-1] == 1
    assert (np.diff(people) > 0).all()
    assert (held <= people + 1e-9).all()
    order = np.random.default_rng(0).permutation(len(share))
    assert gini(share[order], weight[order]) == pytest.approx(gini(share, weight), abs=1e-9)
