"""Names on a map never lie over one another; long lines are broken, no word lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from web.fonts import ems
from web.labels import place, round_length, wrap

BOX = st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(0.5, 30)] * 2)


@given(st.lists(BOX, max_size=40))
def test_placed_labels_never_meet_and_the_first_is_always_placed(boxes: list[tuple[float, ...]]) -> None:
    x, y, width, height = np.array(boxes, float).reshape(-1, 4).T
    placed = place(x[:, None], y[:, None], width, height, np.full(len(x), np.inf), np.empty((0, 4)))
    assert len(placed) == len(x)
    kept = np.flatnonzero(placed >= 0)
    assert not len(x) or placed[0] == 0
    for i in kept:
        for j in kept[kept < i]:
            apart_x = abs(x[i] - x[j]) >= (width[i] + width[j]) / 2 - 1e-9
            apart_y = abs(y[i] - y[j]) >= (height[i] + height[j]) / 2 - 1e-9
            assert apart_x or apart_y


def test_a_label_moves_to_its_next_place_where_the_first_is_taken() -> None:
    x, y = np.array([[5.0, 25.0, 40.0]]), np.zeros((1, 3))
    taken = np.array([[0.0, -5.0, 30.0, 5.0]])
    one = np.array([10.0]), np.array([4.0]), np.array([20.0])
    assert place(x, y, *one, taken).tolist() == [2]
    assert place(x[:, :2], y[:, :2], *one, taken).tolist() == [-1]
    assert place(np.array([[np.nan, 40.0]]), y[:, :2], *one, taken).tolist() == [1]


def test_a_label_wider_than_its_room_is_left_out() -> None:
    at, one = np.zeros((1, 1)), np.ones(1)
    assert place(at, at, one * 5, one, one * 4, np.empty((0, 4))).tolist() == [-1]


@given(st.text(st.sampled_from("街道 abc，。x"), max_size=200), st.floats(4, 40))
def test_wrapped_lines_fit_and_keep_every_character(text: str, width: float) -> None:
    lines = wrap(text, width)
    assert all(ems(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(st.sampled_from("街道 abc，。x"), max_size=30), st.floats(-40, 2))
def test_without_room_a_character_stands_on_each_line(text: str, width: float) -> None:
    assert all(len(line) <= 1 or ems(line) <= width for line in wrap(text, width))
    assert "".join("".join(wrap(text, width)).split()) == "".join(text.split())


@given(st.floats(0.01, 1e7))
def test_a_scale_bar_is_a_round_length_close_to_the_room(most: float) -> None:
    length = round_length(most)
    assert length <= most < length * 2.5 * (1 + 1e-9)
