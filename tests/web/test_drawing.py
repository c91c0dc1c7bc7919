"""Classes, shares and words that every rendering shares."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web import drawing
from web.drawing import CoverageDrawing

Draw = Callable[..., CoverageDrawing]
THRESHOLDS = st.lists(st.integers(1, 7200), min_size=1, max_size=6, unique=True).map(lambda t: tuple(sorted(t)))


@given(THRESHOLDS, st.lists(st.floats(0, 1e6) | st.just(float("inf")) | st.just(float("nan")), min_size=1))
def test_every_time_falls_in_the_one_class_that_holds_it(thresholds: tuple[int, ...], seconds: list[float]) -> None:
    classes = drawing.time_classes(thresholds)
    assert len(classes) == len(thresholds) + 3
    for value, position in zip(seconds, drawing.time_class(pd.Series(seconds), classes), strict=True):
        found = classes[position]
        if np.isnan(value) or np.isinf(value):
            assert found is classes[-1]
        else:
            assert found.over_s < value <= found.upto_s or value == found.over_s == 0


@given(st.lists(st.floats(0, 1) | st.just(float("nan"))))
def test_every_share_falls_in_its_class_and_none_in_the_grey_one(shares: list[float]) -> None:
    values = np.array(shares, float)
    for value, position in zip(values, drawing.share_class(values), strict=True):
        assert position == -1 if np.isnan(value) else value <= drawing.SHARE_EDGES[position] + 1e-9
        assert position <= 0 or value > drawing.SHARE_EDGES[position - 1]


def test_shares_of_nobody_do_not_exist(draw: Draw) -> None:
    areas = draw().at_level("subdistrict")
    assert np.isnan(drawing.shares(areas, "people", 900)).tolist() == [False, False, False, True]
    assert drawing.shares(areas, "street", 900).tolist() == [1.0, 0.25, 0.5, 0.0]


def test_without_people_shares_are_of_street_length(draw: Draw) -> None:
    what = draw()
    assert what.measure == "people"
    assert draw(areas=what.areas.assign(people=0.0)).measure == "street"
    assert draw(areas=what.areas.assign(people=np.nan)).measure == "street"


def test_points_withheld_or_without_a_place_are_not_shown(draw: Draw) -> None:
    assert draw().shown_points()["code"].tolist() == ["SP1", "SP2", "RS1"]
    assert len(draw(points=draw().points.drop(columns="withheld")).shown_points()) == 4


def test_the_tier_asked_for_is_drawn_or_the_next_one_up(draw: Draw) -> None:
    assert draw().areas_to_draw()[0] == "subdistrict"
    assert draw(level="community").areas_to_draw()[0] == "subdistrict"
    assert draw(level="grid_cell").areas_to_draw()[0] == "grid_cell"


@pytest.mark.parametrize(("seconds", "text"), [(300, "5"), (450, "7.5"), (3600, "60")])
def test_minutes_have_no_needless_decimals(seconds: float, text: str) -> None:
    assert drawing.minutes(seconds) == text


def test_functions_are_named_in_both_languages_and_unknown_ones_kept() -> None:
    assert drawing.functions_in_words("reception, sauna") == "接待咨询 reception、sauna"


@given(THRESHOLDS)
def test_colours_within_reach_are_distinct_up_to_four_thresholds(thresholds: tuple[int, ...]) -> None:
    colours = [c.colour for c in drawing.time_classes(thresholds)]
    assert len(set(colours)) >= min(len(thresholds), 4) + 3
