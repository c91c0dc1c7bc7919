"""Spreading totals of areas over streets, on pieces laid out by hand: every piece is a segment of its own."""

import numpy as np
import pytest

from gis.street_pieces import StreetPieces
from planner.demand import AreaTier, spread_totals

CITY, WEST, EAST = "320100000000", "320102000000", "320104000000"
W1, W2, E1 = "320102001001", "320102001002", "320104001001"
TIERS = (
    AreaTier("city", np.array([CITY], object), np.array(["city"], object)),
    AreaTier("district", np.array([WEST, EAST], object), np.array(["west", "east"], object)),
    AreaTier("community", np.array([W1, W2, E1], object), np.array(["w1", "w2", "e1"], object)),
)
METRES = np.array([100.0, 300.0, 100.0, 400.0, 50.0, 1000.0])
#                   W1     W2     W2     E1   outside  E1, a motorway
AREA = {
    "city": np.array([0, 0, 0, 0, -1, 0], np.int32),
    "district": np.array([0, 0, 0, 1, -1, 1], np.int32),
    "community": np.array([0, 1, 1, 2, -1, 2], np.int32),
}
WALKABLE = np.array([True] * 5 + [False])
NOBODY = np.empty(0), {level: np.empty(0, np.int32) for level in AREA}


def spread(totals: list[tuple[str, float]], places=NOBODY, how: str = "streets"):
    pieces = StreetPieces(np.arange(6, dtype=np.int32), np.zeros(6), METRES, AREA)
    codes, people = np.array([c for c, _ in totals], object), np.array([float(p) for _, p in totals])
    return spread_totals(TIERS, pieces, WALKABLE, codes, people, *places, spread=how)


def codes(result) -> set[str]:
    return {note.code for note in result.notes}


def test_a_total_is_spread_evenly_over_the_walkable_metres_of_its_area() -> None:
    result = spread([(WEST, 1000), (EAST, 80)])
    assert result.per_m.tolist() == pytest.approx([2, 2, 2, 0.2, 0, 0])
    assert (result.placed, result.unplaced) == (1080, 0)
    assert codes(result) == {"population-spread"}


def test_by_communities_each_gets_an_equal_part_whatever_its_streets() -> None:
    result = spread([(WEST, 1000)], how="communities")
    assert result.per_m.tolist() == pytest.approx([5, 1.25, 1.25, 0, 0, 0])


def test_a_finer_total_is_used_and_only_the_rest_of_the_coarser_is_spread_elsewhere() -> None:
    result = spread([(WEST, 1000), (W1, 700)])
    assert result.per_m.tolist() == pytest.approx([7, 0.75, 0.75, 0, 0, 0])
    assert result.placed == pytest.approx(1000)
    assert "population-twice" in codes(result)


def test_finer_totals_that_exceed_the_coarser_stand() -> None:
    result = spread([(WEST, 500), (W1, 700), (W2, 100)])
    assert (result.per_m * METRES).tolist() == pytest.approx([700, 75, 25, 0, 0, 0])


def test_people_known_by_place_are_taken_off_the_total_around_them() -> None:
    places = np.array([250.0, 10.0]), {level: np.array([0, -1], np.int32) for level in AREA}
    result = spread([(WEST, 1000)], places)
    assert result.placed == pytest.approx(750)
    assert result.per_m[0] == pytest.approx(1.5)


def test_a_total_of_an_unknown_area_or_of_one_without_a_street_is_left_unplaced_and_counted() -> None:
    assert spread([("999999000000", 40)]).unplaced == 40
    bare = spread_totals(
        TIERS, StreetPieces(np.arange(6, dtype=np.int32), np.zeros(6), METRES, AREA), np.zeros(6, bool),
        np.array([WEST], object), np.array([30.0]), *NOBODY,
    )  # fmt: skip
    assert (bare.placed, bare.unplaced) == (0, 30)
    assert codes(bare) == {"population-no-street"}


def test_nobody_is_lost_or_made_however_totals_nest() -> None:
    rng = np.random.default_rng(5)
    every = [CITY, WEST, EAST, W1, W2, E1, "110101000000"]
    for how in ("streets", "communities"):
        for _ in range(60):
            chosen = rng.permutation(every)[: rng.integers(1, 8)]
            given = [(str(c), float(rng.integers(0, 500))) for c in chosen]
            people, at = rng.integers(0, 90, 3).astype(float), np.array([0, 1, -1], np.int32)
            result = spread(given, (people, {level: at.clip(-1, 0) if level == "city" else at for level in AREA}), how)
            assert float(result.per_m @ METRES) == pytest.approx(result.placed)
            assert (result.per_m >= 0).all()
            assert not result.per_m[~WALKABLE].any()
            by_code = dict(given)
            known = result.placed + people[:2].sum() * ("city" in AREA)
            assert known >= by_code.get(CITY, 0) - 1e-9
            assert result.unplaced == by_code.get("110101000000", 0)


def test_the_order_of_totals_does_not_matter() -> None:
    totals = [(CITY, 5000.0), (WEST, 1000.0), (W1, 700.0), (E1, 10.0)]
    assert spread(totals).per_m.tolist() == spread(totals[::-1]).per_m.tolist()
