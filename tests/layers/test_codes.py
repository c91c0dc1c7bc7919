"""Statistics codes: tiers by trailing zeros, parents by prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import RecordError
from layers.codes import LEVELS, Level, ancestor_of, code_range, level_of, normalise_code, parent_of

digits = st.integers(1, 99).map(lambda n: f"{n:02d}")
three = st.integers(1, 999).map(lambda n: f"{n:03d}")
chains = st.builds(
    lambda p, c, d, s, k: [
        f"{p}{c}".ljust(12, "0"), f"{p}{c}{d}".ljust(12, "0"), f"{p}{c}{d}{s}".ljust(12, "0"), f"{p}{c}{d}{s}{k}"
    ],
    st.integers(11, 65).map(str), digits, digits, three, three,
)  # fmt: skip


@given(chains)
def test_each_tier_is_the_parent_of_the_next(chain: list[str]) -> None:
    assert [level_of(code) for code in chain] == list(LEVELS)
    assert [parent_of(code) for code in chain] == [None, *chain[:3]]
    assert [ancestor_of(chain[3], level) for level in LEVELS] == chain
    assert parent_of(chain[3] + "007") == chain[3]


@given(chains, chains)
def test_a_range_holds_exactly_the_codes_below(one: list[str], other: list[str]) -> None:
    for top, level in zip(one, LEVELS, strict=True):
        low, high = code_range(top)
        for code in [*one, *other, other[3] + "001", one[3] + "999"]:
            inside = ancestor_of(code, level) == top and (
                len(code) > 12 or LEVELS.index(level_of(code)) >= LEVELS.index(level)
            )
            assert (low <= code <= high) == inside


@given(chains)
def test_every_usual_spelling_gives_the_same_code(chain: list[str]) -> None:
    for code, length in zip(chain, (4, 6, 9, 12), strict=True):
        short = code[:length]
        for spelling in (short, int(short), float(short), f"{short}.0", f" {short} ", code, int(code)):
            assert normalise_code(spelling) == code


def test_a_city_without_districts_has_subdistricts_below_it() -> None:
    assert level_of("441900003000") is Level.SUBDISTRICT
    assert level_of(parent_of("441900003000") or "") is Level.CITY


@pytest.mark.parametrize("value", ["", "abc", "32", "32010", "3201020020011", "320102.5", None, float("nan"), -320102,
                                   "320000000000", "000000", "1e11", "３２０１０２x"])  # fmt: skip
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(RecordError):
        normalise_code(value)
