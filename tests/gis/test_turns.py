"""How one turns from the end of one line into the next, wherever north is."""

import math

import pytest

from gis.turns import arriving, leaving, turning

Line = list[tuple[float, float]]
EAST: Line = [(0, 0), (100, 0)]
INTO: dict[str, Line] = {
    "straight": [(100, 0), (200, 0)],
    "left": [(100, 0), (100, 100)],
    "right": [(100, 0), (100, -100)],
    "back": [(100, 0), (0, 0)],
}


def between(before: Line, after: Line) -> str:
    return turning(arriving(before), leaving(after))


def turned(line: Line, degrees: float) -> Line:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in line]


@pytest.mark.parametrize("word", INTO)
@pytest.mark.parametrize("degrees", [0.0, 37.0, 90.0, 181.0, 299.0])
def test_turns_do_not_depend_on_where_north_is(word: str, degrees: float) -> None:
    assert between(turned(EAST, degrees), turned(INTO[word], degrees)) == word


def test_a_kink_right_at_the_junction_does_not_make_a_turn() -> None:
    assert between(EAST, [(100, 0), (100.5, 0.5), (101, 0), (200, 0)]) == "straight"


def test_a_street_without_length_has_no_turn() -> None:
    assert between(EAST, [(100, 0), (100, 0)]) == ""
