"""How the demo city's blocks group into districts, subdistricts, communities and grid cells: nested, in one piece."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from layers.demo_city.people import apportion
from layers.demo_city.plan import Floats, Ints, Plan
from layers.demo_city.recipe import SizeRecipe

MENDING_ROUNDS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Tiers:
    """Which district, subdistrict, community and grid cell each block is part of, numbered from 0 over the city."""

    district: Ints
    subdistrict: Ints
    community: Ints
    grid_cell: Ints


def draw_tiers(plan: Plan, people: Ints, block_m2: Floats, size: SizeRecipe) -> Tiers:
    """Group superblocks into districts and subdistricts, and blocks into communities and grid cells.

    Groups are balanced in people and area; districts keep to one bank of the river.
    """
    _, superblock = np.unique(plan.superblock, return_inverse=True)
    row, column = (plan.y0 + plan.y1) / 2, (plan.x0 + plan.x1) / 2
    crowd, extent = people / people.sum(), block_m2 / block_m2.sum()
    count = np.bincount(superblock)
    big_row, big_column = np.bincount(superblock, row) / count, np.bincount(superblock, column) / count
    big_crowd, big_extent = np.bincount(superblock, crowd), np.bincount(superblock, extent)

    beside = _neighbours(plan.block_at)
    big_beside = np.unique(np.sort(superblock[beside], axis=1), axis=0)
    bank = (big_row > plan.river_row).astype(np.int64)
    district = _divide(bank, size.districts, big_beside, big_row, big_column, 0.5 * big_crowd + 0.5 * big_extent)
    subdistrict = _divide(
        district, size.subdistricts, big_beside, big_row, big_column, 0.75 * big_crowd + 0.25 * big_extent
    )
    community = _divide(subdistrict[superblock], size.communities, beside, row, column, 0.85 * crowd + 0.15 * extent)
    grid_cell = _divide(community, size.grid_cells, beside, row, column, 0.8 * crowd + 0.2 * extent)
    return Tiers(district[superblock], subdistrict[superblock], community, grid_cell)


def _divide(group: Ints, parts: int, beside: Ints, row: Floats, column: Floats, weight: Floats) -> Ints:
    """Divide each group of units into parts, ``parts`` over all, in proportion to weight; numbers follow the groups.

    beside : (p, 2) units that share a border; parts come out in one piece wherever their group is.
    """
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    share = apportion(
        parts,
        np.array([weight[m].sum() for m in members]),
        least=1,
        most=np.array([len(m) for m in members], np.int64),
    )
    label = np.empty(len(group), np.int64)
    begin = 0
    for units, k in zip(members, share.tolist(), strict=True):
        _bisect(units, k, begin, row, column, weight, label)
        begin += k
    return _in_one_piece(label, group, beside)


def _neighbours(block_at: Ints) -> Ints:
    """Return (p, 2) pairs of blocks that share a border."""
    across = np.column_stack([block_at[:, :-1].ravel(), block_at[:, 1:].ravel()])
    up = np.column_stack([block_at[:-1].ravel(), block_at[1:].ravel()])
    pairs = np.concatenate([across, up])
    return np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)


def _in_one_piece(label: Ints, group: Ints, beside: Ints) -> Ints:
    """Give pieces cut off from the largest piece of their label to a neighbour of the same group."""
    label = label.copy()
    beside = beside[(group[beside[:, 0]] == group[beside[:, 1]]) & (beside[:, 0] != beside[:, 1])]
    a, b = np.concatenate([beside, beside[:, ::-1]]).T
    for _ in range(MENDING_ROUNDS):
        same = label[a] == label[b]
        links = coo_array((np.ones(same.sum(), np.int8), (a[same], b[same])), shape=(len(label), len(label)))
        pieces, piece = connected_components(links, directed=False)
        size = np.bincount(piece)
        of_label = np.empty(pieces, np.int64)
        of_label[piece] = label
        ranked = np.lexsort((np.arange(pieces), -size, of_label))
        main = np.zeros(pieces, bool)
        main[ranked[np.r_[True, np.diff(of_label[ranked]) != 0]]] = True
        out = ~main[piece[a]] & main[piece[b]]
        if not out.any():
            break
        host = np.full(pieces, len(label))
        np.minimum.at(host, piece[a[out]], label[b[out]])
        label = np.where(host[piece] < len(label), host[piece], label)
    return label


def _bisect(units: Ints, k: int, begin: int, row: Floats, column: Floats, weight: Floats, label: Ints) -> None:
    """Write k labels from ``begin`` for ``units``, halving them again and again across their longer side."""
    if k == 1:
        label[units] = begin
        return
    half = k // 2
    across = np.ptp(column[units]) >= np.ptp(row[units])
    first, second = (column, row) if across else (row, column)
    ordered = units[np.lexsort((second[units], first[units]))]
    grown = np.cumsum(weight[ordered])
    cut = int(np.searchsorted(grown, grown[-1] * half / k)) + 1
    cut = min(max(cut, half), len(units) - (k - half))
    _bisect(ordered[:cut], half, begin, row, column, weight, label)
    _bisect(ordered[cut:], k - half, begin + half, row, column, weight, label)
