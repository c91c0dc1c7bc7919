"""The demo city's four tiers and grid cells: nested groups of blocks, so that shared borders are one line."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from layers.demo_city.naming import chinese_number, roots
from layers.demo_city.people import apportion
from layers.demo_city.plan import Floats, Ints, Plan
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.segments import WGS84, Ground

LEVELS = ("city", "district", "subdistrict", "community")
#: Below this mean density a subdistrict is a town (镇) and its communities are villages (村).
RURAL = 0.17


@dataclass(frozen=True, slots=True, eq=False)
class Tiers:
    """Which district, subdistrict, community and grid cell each block is part of, numbered from 0 over the city."""

    district: Ints
    subdistrict: Ints
    community: Ints
    grid_cell: Ints


@dataclass(frozen=True, slots=True, eq=False)
class AreaLayers:
    """The layer ``areas`` by level, the layer ``grid-cells``, in the order of the tiers' numbers."""

    areas: dict[str, gpd.GeoDataFrame]
    grid_cells: gpd.GeoDataFrame


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

    bank = (big_row > plan.river_row).astype(np.int64)
    district = _divide(bank, size.districts, big_row, big_column, 0.5 * big_crowd + 0.5 * big_extent)
    subdistrict = _divide(district, size.subdistricts, big_row, big_column, 0.75 * big_crowd + 0.25 * big_extent)
    community = _divide(subdistrict[superblock], size.communities, row, column, 0.85 * crowd + 0.15 * extent)
    grid_cell = _divide(community, size.grid_cells, row, column, 0.8 * crowd + 0.2 * extent)
    return Tiers(district[superblock], subdistrict[superblock], community, grid_cell)


def _divide(group: Ints, parts: int, row: Floats, column: Floats, weight: Floats) -> Ints:
    """Divide each group of units into parts, ``parts`` over all, in proportion to weight; numbers follow the groups."""
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


def block_polygons(plan: Plan, ground: Ground) -> NDArray[np.object_]:
    """Return each block as a polygon with every lattice node of its rim, so that neighbours share vertices."""
    w, h = plan.x1 - plan.x0, plan.y1 - plan.y0
    count = 2 * (w + h)
    block = np.repeat(np.arange(len(w)), count)
    t = np.arange(len(block)) - np.repeat(np.cumsum(count) - count, count)
    w, h = w[block], h[block]
    column = plan.x0[block] + np.clip(np.where(t <= w + h, t, 2 * w + h - t), 0, w)
    row = plan.y0[block] + np.clip(np.where(t <= w + h, t - w, 2 * (w + h) - t), 0, h)
    every_row, every_column = np.divmod(np.arange((plan.columns + 1) ** 2), plan.columns + 1)
    lon, lat = ground.lonlat(*ground.metres(every_row.astype(np.float64), every_column.astype(np.float64)))
    node = row * (plan.columns + 1) + column
    rings = shapely.linearrings(np.column_stack([lon[node], lat[node]]), indices=block)
    return np.asarray(shapely.polygons(rings))


def _merge(polygons: NDArray[np.object_], label: Ints) -> NDArray[np.object_]:
    """Unite polygons of a coverage by label 0 .. k - 1."""
    order = np.argsort(label, kind="stable")
    groups = np.split(polygons[order], np.flatnonzero(np.diff(label[order])) + 1)
    united = [group[0] if len(group) == 1 else shapely.coverage_union_all(group) for group in groups]
    return np.array(united, dtype=object)


def area_layers(plan: Plan, tiers: Tiers, ground: Ground, recipe: Recipe, rng: np.random.Generator) -> AreaLayers:
    """Return the layers ``areas`` and ``grid-cells`` with codes and names."""
    cells = _merge(block_polygons(plan, ground), tiers.grid_cell)
    community_of = _parents(tiers.grid_cell, tiers.community)
    subdistrict_of = _parents(tiers.community, tiers.subdistrict)
    district_of = _parents(tiers.subdistrict, tiers.district)
    communities = _merge(cells, community_of)
    subdistricts = _merge(communities, subdistrict_of)
    districts = _merge(subdistricts, district_of)
    rural = np.bincount(tiers.subdistrict, plan.density) / np.bincount(tiers.subdistrict) < RURAL

    place, names = recipe.place, recipe.names
    root = roots(names["place_first"], names["place_second"], rng)
    district_code = np.array([f"{place.code[:4]}{k + 1:02d}000000" for k in range(len(districts))])
    subdistrict_code = _codes(district_code, district_of, 6)
    community_code = _codes(subdistrict_code, subdistrict_of, 9)
    nth = _nth(community_of)
    cell_code = [f"{community_code[c]}{k + 1:03d}" for c, k in zip(community_of, nth, strict=True)]
    subdistrict_name = [root[k] + ("镇" if rural[k] else "街道") for k in range(len(subdistricts))]
    village = rural[subdistrict_of]
    spare = root[len(subdistricts) :]
    community_name = [
        spare[k % len(spare)] + (chinese_number(k // len(spare)) if k >= len(spare) else "") + ("村" if v else "社区")
        for k, v in enumerate(village)
    ]
    cell_name = [f"{community_name[c]}第{chinese_number(k + 1)}网格" for c, k in zip(community_of, nth, strict=True)]
    outline = shapely.coverage_union_all(districts)
    parts = {
        "city": ([place.code], [place.name], np.array([outline], object)),
        "district": (district_code, [f"{n}区" for n in names["districts"][: len(districts)]], districts),
        "subdistrict": (subdistrict_code, subdistrict_name, subdistricts),
        "community": (community_code, community_name, communities),
    }
    areas = {
        level: gpd.GeoDataFrame(
            {
                "code": list(code),
                "name": name,
                "valid_from": [place.valid_from] * len(name),
                "valid_to": np.full(len(name), None, object),
            },
            geometry=polygons,
            crs=WGS84,
        )
        for level, (code, name, polygons) in parts.items()
    }
    grid_cells = gpd.GeoDataFrame(
        {"code": cell_code, "name": cell_name, "community": community_code[community_of]}, geometry=cells, crs=WGS84
    )
    return AreaLayers(areas, grid_cells)


def _parents(child: Ints, parent: Ints) -> Ints:
    """Return the parent of each child, given both per block."""
    _, first = np.unique(child, return_index=True)
    return parent[first]


def _nth(parent: Ints) -> Ints:
    """Number children from 0 within their parent; children are in the order of their parents."""
    return np.arange(len(parent)) - np.searchsorted(parent, parent)


def _codes(parent_code: NDArray[np.str_], parent: Ints, digits: int) -> NDArray[np.str_]:
    """Return codes of children: the parent's first ``digits`` digits, then three of their own, then zeros."""
    return np.array(
        [f"{parent_code[p][:digits]}{k + 1:03d}".ljust(12, "0") for p, k in zip(parent, _nth(parent), strict=True)]
    )
