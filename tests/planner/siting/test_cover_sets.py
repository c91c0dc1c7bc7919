"""Merging and dominance of cover sets, beside sets compared one by one."""

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.siting.cover_sets import CoverSets, merge_cover_sets, undominated_rows, undominated_sites


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(m, d) which candidate covers which demand, and weights, some of them zero."""
    m, d = int(rng.integers(1, 8)), int(rng.integers(1, 30))
    return rng.random((m, d)) < rng.uniform(0.05, 0.7), rng.integers(0, 4, d).astype(float)


def merged(cover: np.ndarray, weight: np.ndarray) -> CoverSets:
    ptr = np.concatenate([[0], np.cumsum(cover.sum(axis=1))])
    return merge_cover_sets(ptr, np.nonzero(cover)[1].astype(np.int32), weight)


def rows_of(sets: CoverSets) -> dict[frozenset[int], float]:
    """The sites of every row with its weight."""
    ptr = sets.row_ptr
    return {frozenset(sets.row_site[ptr[i] : ptr[i + 1]].tolist()): sets.weight[i] for i in range(sets.n_rows)}


def expected(cover: np.ndarray, weight: np.ndarray) -> dict[frozenset[int], float]:
    total: dict[frozenset[int], float] = {}
    for d in range(cover.shape[1]):
        key = frozenset(np.flatnonzero(cover[:, d]).tolist())
        total[key] = total.get(key, 0.0) + weight[d]
    return {key: w for key, w in total.items() if key and w > 0}


def test_demand_of_equal_cover_sets_is_one_row_and_weight_is_conserved() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        cover, weight = drawn(rng)
        sets = merged(cover, weight)
        assert len(rows_of(sets)) == sets.n_rows
        assert rows_of(sets) == expected(cover, weight)
        assert sets.weight.sum() + sets.uncoverable == pytest.approx(weight.sum())
        assert sets.uncoverable == pytest.approx(weight[~cover.any(axis=0)].sum())
        for d in range(cover.shape[1]):
            row = sets.row_of[d]
            sites = frozenset(np.flatnonzero(cover[:, d]).tolist())
            if row >= 0:
                assert sites == frozenset(sets.row_site[sets.row_ptr[row] : sets.row_ptr[row + 1]].tolist())
            else:
                assert sites not in rows_of(sets)
        assert (np.sort(sets.row_matrix().tocsc().indices) == np.sort(sets.site_row)).all()
        for j in range(sets.n_sites):
            rows = sets.site_row[sets.site_ptr[j] : sets.site_ptr[j + 1]]
            assert (np.diff(rows) > 0).all()
            assert set(rows.tolist()) == {int(sets.row_of[d]) for d in np.flatnonzero(cover[j])} - {-1}


def test_order_of_demand_and_of_candidates_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        cover, weight = drawn(rng)
        by_site, by_demand = rng.permutation(cover.shape[0]), rng.permutation(cover.shape[1])
        shuffled = rows_of(merged(cover[by_site][:, by_demand], weight[by_demand]))
        back = {frozenset(int(by_site[j]) for j in sites): w for sites, w in shuffled.items()}
        assert back == rows_of(merged(cover, weight))


def test_candidates_may_list_their_demand_in_any_order_and_twice() -> None:
    tidy = merge_cover_sets(np.array([0, 2, 4]), np.array([0, 2, 1, 2], np.int32), np.ones(3))
    loose = merge_cover_sets(np.array([0, 4, 6]), np.array([2, 0, 2, 0, 2, 1], np.int32), np.ones(3))
    assert rows_of(tidy) == rows_of(loose)


def test_a_part_holds_the_rows_and_sites_marked() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        sets = merged(*drawn(rng))
        row, site = rng.random(sets.n_rows) < 0.7, rng.random(sets.n_sites) < 0.7
        at = np.cumsum(site) - 1
        total: dict[frozenset[int], float] = {}
        for sites, weight in [pair for pair, kept in zip(rows_of(sets).items(), row, strict=True) if kept]:
            key = frozenset(int(at[j]) for j in sites if site[j])
            if key:
                total[key] = total.get(key, 0.0) + weight
        part = sets.part(row, site)
        assert rows_of(part) == total
        assert part.n_sites == site.sum()


def test_dominance_of_rows_and_sites_agrees_with_subsets() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        sets = merged(*drawn(rng))
        rows = list(rows_of(sets))
        assert undominated_rows(sets).tolist() == [not any(other < row for other in rows) for row in rows]
        sites = [
            frozenset(sets.site_row[sets.site_ptr[j] : sets.site_ptr[j + 1]].tolist()) for j in range(sets.n_sites)
        ]
        assert undominated_sites(sets).tolist() == [
            bool(mine) and not any(mine < other or (mine == other and k < j) for k, other in enumerate(sites))
            for j, mine in enumerate(sites)
        ]


@pytest.mark.parametrize(
    ("ptr", "demand", "weight", "said"),
    [
        ([0, 2], [0], [1.0], "must rise"),
        ([0, 2, 1], [0], [1.0], "must rise"),
        ([0, 1], [1], [1.0], "must lie in"),
        ([0, 1], [-1], [1.0], "must lie in"),
        ([0, 1], [0], [np.nan], "finite"),
        ([0, 1], [0], [-1.0], "finite"),
        ([0, 1], [0], [np.inf], "finite"),
    ],
)
def test_impossible_cover_sets_are_refused(ptr: list[int], demand: list[int], weight: list[float], said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        merge_cover_sets(np.array(ptr), np.array(demand, np.int32), np.array(weight))


def test_rows_past_any_room_made_beforehand_are_found() -> None:
    """Many blocks of demand and several thousand rows: tables grow in the middle of a block."""
    rng = np.random.default_rng(8)
    pattern = rng.random((40, 9_000)) < 0.2
    pattern[0, ~pattern.any(axis=0)] = True
    cover = pattern[:, rng.integers(0, pattern.shape[1], 60_000)]
    weight = rng.integers(0, 3, cover.shape[1]).astype(float)
    sets = merged(cover, weight)
    _, row_of = np.unique(cover.T, axis=0, return_inverse=True)
    total = np.bincount(row_of.ravel(), weight)
    assert sets.n_rows == (total > 0).sum() > 4_096
    assert (np.sort(sets.weight) == np.sort(total[total > 0])).all()
    placed = sets.row_of >= 0
    assert (cover.T[placed] == (sets.row_matrix().toarray() > 0)[sets.row_of[placed]]).all()
