from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.weights import KNN, DistanceBand, lat2W

from gis.errors import QuestionError
from gis.tiling import Tiling
from planner.hotspots.neighbours import (
    among,
    checked_links,
    meeting,
    nearest_neighbours,
    neighbour_sums,
    neighbours_from_pairs,
    neighbours_within,
    tiling_neighbours,
)

CELLS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=40, unique=True)


def as_sets(links: tuple) -> list[set[int]]:
    indptr, indices = links
    return [set(indices[a:b].tolist()) for a, b in pairwise(indptr)]


def of_weights(w) -> list[set[int]]:
    return [set(w.neighbors[i]) for i in range(w.n)]


@pytest.mark.parametrize("corners", [True, False])
def test_a_full_grid_of_squares_has_pysals_queen_and_rook_neighbours(corners: bool) -> None:
    row, column = (a.ravel() for a in np.mgrid[:5, :7])
    assert as_sets(tiling_neighbours(column, row, "square", corners=corners)) == of_weights(
        lat2W(5, 7, rook=not corners)
    )


@settings(max_examples=60, deadline=None)
@given(cells=CELLS, kind=st.sampled_from(["square", "hexagon"]))
def test_cells_are_neighbours_if_and_only_if_their_polygons_touch(cells: list, kind: str) -> None:
    column, row = np.array(cells).T
    shapes = shapely.set_precision(Tiling(kind, 100.0).polygons(column, row), 1e-3)
    touching = [
        {j for j in range(len(shapes)) if j != i and shapely.distance(shapes[i], shapes[j]) < 1}
        for i in range(len(shapes))
    ]
    links = tiling_neighbours(column, row, kind)
    assert as_sets(links) == touching
    assert links[0].dtype == links[1].dtype == np.int32
    checked_links(len(cells), *links)


@settings(max_examples=40, deadline=None)
@given(cells=CELLS, seed=st.integers(0, 99))
def test_the_order_of_cells_changes_nothing_but_their_numbers(cells: list, seed: int) -> None:
    column, row = np.array(cells).T
    order = np.random.default_rng(seed).permutation(len(cells))
    plain, shuffled = (as_sets(tiling_neighbours(column[o], row[o], "hexagon")) for o in (np.arange(len(cells)), order))
    assert [{int(order[j]) for j in found} for found in shuffled] == [plain[i] for i in order]


@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=30), data=st.data())
def test_nearest_and_near_places_are_those_of_going_through_all_ties_by_number(
    places: list, data: st.DataObject
) -> None:
    x, y = np.array(places, float).T + 3_500_000.25
    far = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(far, np.inf)
    k = data.draw(st.integers(1, len(x) - 1))
    assert as_sets(nearest_neighbours(x, y, k)) == [set(np.argsort(f, kind="stable")[:k].tolist()) for f in far]
    for radius_m in (1.0, 5.0):
        assert as_sets(neighbours_within(x, y, radius_m)) == [set(np.flatnonzero(f <= radius_m).tolist()) for f in far]


def test_places_drawn_at_random_have_pysals_nearest_and_near_neighbours() -> None:
    xy = np.random.default_rng(1).uniform(0, 1000, (200, 2))
    assert as_sets(nearest_neighbours(*xy.T, 6)) == of_weights(KNN.from_array(xy, k=6))
    near = DistanceBand.from_array(xy, threshold=120.0, silence_warnings=True)
    assert as_sets(neighbours_within(*xy.T, 120.0)) == of_weights(near)


def test_pairs_may_repeat_and_need_not_be_mutual() -> None:
    indptr, indices = neighbours_from_pairs(np.array([2, 0, 2, 1, 2]), np.array([0, 1, 0, 1, 1]), 4)
    assert indptr.tolist() == [0, 1, 1, 3, 3]
    assert indices.tolist() == [1, 0, 1]


def test_sums_over_neighbours_go_by_step_too() -> None:
    links = neighbours_from_pairs(np.array([0, 0, 1]), np.array([1, 2, 0]), 3)
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    assert neighbour_sums(values, *links).tolist() == [[6.0, 60.0], [1.0, 10.0], [0.0, 0.0]]
    assert neighbour_sums(values[:, 0], *links).tolist() == [6.0, 1.0, 0.0]


def test_no_cells_have_no_neighbours() -> None:
    none = np.empty(0)
    for indptr, indices in (tiling_neighbours(none, none, "square"), neighbours_within(none, none, 1.0)):
        assert indptr.tolist() == [0]
        assert not len(indices)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: tiling_neighbours(np.arange(2), np.arange(2), "triangle"),
        lambda: tiling_neighbours(np.arange(2), np.arange(3), "square"),
        lambda: tiling_neighbours(np.zeros(2), np.zeros(2), "square"),
        lambda: neighbours_from_pairs(np.array([0]), np.array([3]), 3),
        lambda: neighbours_from_pairs(np.array([0]), np.array([1, 2]), 3),
        lambda: nearest_neighbours(np.arange(3.0), np.arange(3.0), 3),
        lambda: neighbours_within(np.arange(3.0), np.arange(3.0), 0.0),
        lambda: neighbours_within(np.array([np.nan]), np.array([0.0]), 1.0),
        lambda: checked_links(3, np.array([0, 1, 2]), np.array([1, 0])),
        lambda: checked_links(2, np.array([0, 1, 2]), np.array([1, 2])),
        lambda: checked_links(2, np.array([0, 1, 2]), np.array([0, 0])),
        lambda: checked_links(2, np.array([0, 2, 2]), np.array([1, 1])),
    ],
)
def test_what_cannot_be_linked_is_refused(ask) -> None:
    with pytest.raises(QuestionError):
        ask()


def test_segments_that_share_an_end_meet() -> None:
    # 0 and 1 side by side, 2 goes on from them, 3 is a loop at 2's end, 4 lies alone
    u, v = np.array([0, 0, 1, 2, 7]), np.array([1, 1, 2, 2, 8])
    assert as_sets(meeting(u, v)) == [{1, 2}, {0, 2}, {0, 1, 3}, {2}, set()]
    assert as_sets(meeting(u[:0], v[:0])) == []


def test_links_among_some_are_those_whose_both_ends_are_kept() -> None:
    rng = np.random.default_rng(3)
    links = neighbours_from_pairs(*rng.integers(0, 30, (2, 200)), 30)
    kept = np.flatnonzero(rng.random(30) < 0.5)
    part = among(links, kept)
    place = {int(cell): k for k, cell in enumerate(kept)}
    whole = as_sets(links)
    assert as_sets(part) == [{place[other] for other in whole[cell] if other in place} for cell in kept]
    checked_links(len(kept), *part)
