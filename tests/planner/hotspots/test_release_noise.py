"""The noise is the two-sided geometric law, exactly; and the counts it goes on bound what one person can add."""

import datetime as dt
import math
import random
import secrets
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gis.errors import QuestionError
from planner.hotspots.release_counts import bounded_counts, counted_days
from planner.hotspots.release_noise import bernoulli_exp, discrete_laplace, noise_beyond, noise_chance, noise_sd, noisy

SCALES = [Fraction(1), Fraction(4), Fraction(12), Fraction(7, 3), Fraction(1, 2)]


def chances(draw, weight: Fraction, depth: int) -> Counter[object]:
    """Follow every way a sampler's random numbers can fall, up to ``depth`` of them; what is left is under None."""

    class _OpenError(Exception):
        def __init__(self, n: int) -> None:
            self.n = n

    found: Counter[object] = Counter()
    stack: list[tuple[tuple[int, ...], Fraction]] = [((), weight)]
    while stack:
        trail, share = stack.pop()
        ahead = iter(trail)

        def below(n: int, ahead=ahead) -> int:
            for value in ahead:
                return value
            raise _OpenError(n)

        try:
            found[draw(below)] += share
        except _OpenError as open_:
            if len(trail) == depth:
                found[None] += share
            else:
                stack += [((*trail, i), share / open_.n) for i in range(open_.n)]
    return found


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 1), (1, 2), (2, 3)])
def test_every_way_the_random_numbers_can_fall_adds_up_to_the_exponential_chance(numerator, denominator) -> None:
    found = chances(lambda below: bernoulli_exp(numerator, denominator, below), Fraction(1), 6)
    true, rest = float(found[True]), float(found[None])
    assert true <= math.exp(-numerator / denominator) + 1e-12 <= true + rest + 2e-12
    assert rest < 2e-3


def test_every_way_the_random_numbers_can_fall_gives_the_two_sided_geometric_law_to_the_last_ratio() -> None:
    found = chances(lambda below: discrete_laplace(Fraction(1), below), Fraction(1), 10)
    rest = float(found.pop(None))
    for z in range(-3, 4):
        # a start over repeats the same law, so the ways found are a share of each value's chance
        exact = float(stats.dlaplace(1.0).pmf(z))
        assert float(found[z]) <= exact <= float(found[z]) + rest
    for z in range(1, 4):
        assert found[z] == found[-z]


@pytest.mark.parametrize("scale", SCALES)
def test_draws_follow_scipys_discrete_laplace_law(scale) -> None:
    below = random.Random(7).randrange
    drawn = np.array([discrete_laplace(scale, below) for _ in range(20_000)])
    law = stats.dlaplace(float(1 / scale))
    cut = int(law.isf(10 / len(drawn)))  # both tails are gathered, some ten draws in each
    values = np.arange(-cut, cut + 1)
    seen = np.bincount(np.clip(drawn, -cut, cut) + cut, minlength=2 * cut + 1)
    expected = len(drawn) * np.diff([0.0, *law.cdf(values[:-1]), 1.0])
    assert stats.chisquare(seen, expected).pvalue > 1e-3
    assert drawn.std() == pytest.approx(noise_sd(scale), rel=0.05)
    assert noise_sd(scale) == pytest.approx(law.std(), rel=1e-9)


@given(st.fractions(Fraction(1, 10), 40), st.floats(0.001, 0.4))
def test_the_margin_is_the_least_number_noise_passes_so_seldom(scale, chance) -> None:
    m = int(noise_beyond(chance, scale, np.array([1]))[0])
    law = stats.dlaplace(float(1 / scale))
    assert law.sf(m - 1) <= chance * (1 + 1e-9)
    assert m == 1 or law.sf(m - 2) > chance * (1 - 1e-9)


@given(st.fractions(Fraction(1, 10), 40), st.integers(-60, 300))
def test_the_chance_of_so_much_noise_on_one_count_is_scipys(scale, m) -> None:
    found = float(noise_chance(np.array([m]), scale, np.array([1]))[0])
    assert found == pytest.approx(stats.dlaplace(float(1 / scale)).sf(m - 1), rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("parts", [2, 7, 30])
def test_the_chance_of_so_much_noise_on_a_sum_is_never_taken_too_small_nor_much_too_large(parts) -> None:
    span = np.arange(-600, 601)
    law = one = stats.dlaplace(1 / 4).pmf(span)
    for _ in range(parts - 1):
        law = np.convolve(law, one, mode="same")
    m = np.arange(1, 150)
    exact = np.array([law[span >= k].sum() for k in m])
    found = noise_chance(m, Fraction(4), np.full(len(m), parts))
    assert (found >= exact - 1e-12).all()
    usual = exact > 1e-5
    assert (found <= 30 * exact)[usual].all() and usual.sum() > 20


def test_the_margin_of_a_sum_is_that_of_the_summed_law() -> None:
    scale, parts = Fraction(4), 30
    span = np.arange(-400, 401)
    one = stats.dlaplace(float(1 / scale)).pmf(span)
    law = one
    for _ in range(parts - 1):
        law = np.convolve(law, one, mode="same")
    m = int(noise_beyond(0.05, scale, np.array([parts]))[0])
    assert law[span >= m].sum() == pytest.approx(0.05, abs=0.005)


def test_the_source_of_the_public_noise_is_the_systems() -> None:
    values = noisy(np.zeros(2_000, np.int64), Fraction(4), secrets.randbelow)
    assert values.std() == pytest.approx(noise_sd(Fraction(4)), rel=0.25)
    assert (values < 0).any()


def test_no_noise_is_refused() -> None:
    with pytest.raises(QuestionError):
        noisy(np.zeros(3, np.int64), Fraction(0), secrets.randbelow)


@given(st.data())
def test_one_person_moves_the_bounded_table_by_at_most_one_a_counted_day(data) -> None:
    days = counted_days(2026, 2, data.draw(st.integers(1, 5)))
    every = [dt.date(2026, 4, 1) + dt.timedelta(days=i) for i in range(91)]
    m = data.draw(st.integers(0, 30))
    day = data.draw(st.lists(st.sampled_from([*days, *every[:10]]), min_size=m, max_size=m))
    cell = data.draw(st.lists(st.integers(-1, 3), min_size=m, max_size=m))
    people = data.draw(st.lists(st.integers(1, 6), min_size=m, max_size=m))
    # the person sleeps in one cell a night and may be reported there by many, alone or among others
    nights = {d: data.draw(st.integers(0, 3)) for d in every}
    seen = [data.draw(st.booleans()) and nights[d] == c for d, c in zip(day, cell, strict=True)]

    def table(sizes):
        return bounded_counts(np.array(cell, int), np.array(day, "datetime64[D]"), np.array(sizes, int), days, 4)

    without = [p - s for p, s in zip(people, seen, strict=True)]
    assert np.abs(table(people) - table(without)).sum() <= len(days)


def test_counted_days_are_in_their_quarter_and_spread_over_it() -> None:
    assert counted_days(2026, 1, 3) == (dt.date(2026, 1, 16), dt.date(2026, 2, 15), dt.date(2026, 3, 17))
    assert len(set(counted_days(2024, 1, 91))) == 91
    with pytest.raises(QuestionError):
        counted_days(2025, 1, 91)


def test_only_the_largest_group_of_a_cell_and_day_counts() -> None:
    days = (dt.date(2026, 4, 15), dt.date(2026, 5, 15))
    day = np.array(["2026-04-15", "2026-04-15", "2026-04-16", "2026-05-15", "2026-05-15"], "datetime64[D]")
    assert bounded_counts(np.array([0, 0, 0, 0, 1]), day, np.array([3, 5, 9, 2, 4]), days, 3).tolist() == [7, 4, 0]
