"""The demo city's layers of areas: blocks united into the polygons of four tiers and grid cells, with codes and names.

Blocks share every vertex of a common border, so the areas do too: no gaps, no slivers, exact nesting.
"""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from layers.codes import LEVELS
from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.naming import chinese_number, roots
from layers.demo_city.plan import Ints, Plan
from layers.demo_city.recipe import Recipe
from layers.demo_city.tiers import Tiers

#: Below this mean density a subdistrict is a town (镇) and its communities are villages (村).
RURAL = 0.17


@dataclass(frozen=True, slots=True, eq=False)
class AreaLayers:
    """The layer ``areas`` by level, the layer ``grid-cells``, in the order of the tiers' numbers."""

    areas: dict[str, gpd.GeoDataFrame]
    grid_cells: gpd.GeoDataFrame


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
    parent = (
        _parents(tiers.subdistrict, tiers.district),
        _parents(tiers.community, tiers.subdistrict),
        _parents(tiers.grid_cell, tiers.community),
    )
    cells = _merge(block_polygons(plan, ground), tiers.grid_cell)
    communities = _merge(cells, parent[2])
    subdistricts = _merge(communities, parent[1])
    districts = _merge(subdistricts, parent[0])
    city = np.array([shapely.coverage_union_all(districts)], object)
    shapes = dict(zip(map(str, LEVELS), (city, districts, subdistricts, communities), strict=True))

    codes = _tier_codes(recipe.place.code, len(districts), parent)
    rural = np.bincount(tiers.subdistrict, plan.density) / np.bincount(tiers.subdistrict) < RURAL
    names = _tier_names(recipe, len(districts), rural, parent[1], rng)
    nth = _nth(parent[2])
    community, name = codes["community"][parent[2]], names["community"][parent[2]]
    grid_cells = gpd.GeoDataFrame(
        {
            "code": [f"{c}{k + 1:03d}" for c, k in zip(community, nth, strict=True)],
            "name": [f"{n}第{chinese_number(k + 1)}网格" for n, k in zip(name, nth.tolist(), strict=True)],
            "community": community,
        },
        geometry=cells,
        crs=WGS84,
    )
    valid_from = recipe.place.valid_from
    areas = {
        level: gpd.GeoDataFrame(
            {
                "code": codes[level],
                "name": names[level],
                "valid_from": [valid_from] * len(polygons),
                "valid_to": np.full(len(polygons), None, object),
            },
            geometry=polygons,
            crs=WGS84,
        )
        for level, polygons in shapes.items()
    }
    return AreaLayers(areas, grid_cells)


def _tier_codes(city: str, districts: int, parent: tuple[Ints, Ints, Ints]) -> dict[str, NDArray[np.object_]]:
    """Number the areas of each level within their parent: 12 digits, 2 + 2 + 2 + 3 + 3."""
    district = np.array([f"{city[:4]}{k + 1:02d}000000" for k in range(districts)], object)
    subdistrict = _codes(district, parent[0], 6)
    return {
        "city": np.array([city], object),
        "district": district,
        "subdistrict": subdistrict,
        "community": _codes(subdistrict, parent[1], 9),
    }


def _tier_names(
    recipe: Recipe, districts: int, rural: NDArray[np.bool_], subdistrict_of: Ints, rng: np.random.Generator
) -> dict[str, NDArray[np.object_]]:
    """Name the areas of each level; ``rural`` subdistricts are towns and their communities villages."""
    root = roots(recipe.names["place_first"], recipe.names["place_second"], rng)
    spare = root[len(rural) :]
    community = []
    for k, village in enumerate(rural[subdistrict_of]):
        turn, which = divmod(k, len(spare))
        community.append(spare[which] + (chinese_number(turn) if turn else "") + ("村" if village else "社区"))
    return {
        "city": np.array([recipe.place.name], object),
        "district": np.array([f"{n}区" for n in recipe.names["districts"][:districts]], object),
        "subdistrict": np.array([n + ("镇" if r else "街道") for n, r in zip(root, rural, strict=False)], object),
        "community": np.array(community, object),
    }


def _parents(child: Ints, parent: Ints) -> Ints:
    """Return the parent of each child, given both per block."""
    _, first = np.unique(child, return_index=True)
    return parent[first]


def _nth(parent: Ints) -> Ints:
    """Number children from 0 within their parent; children are in the order of their parents."""
    return np.arange(len(parent)) - np.searchsorted(parent, parent)


def _codes(parent_code: NDArray[np.object_], parent: Ints, digits: int) -> NDArray[np.object_]:
    """Return codes of children: the parent's first ``digits`` digits, then three of their own, then zeros."""
    return np.array(
        [f"{parent_code[p][:digits]}{k + 1:03d}".ljust(12, "0") for p, k in zip(parent, _nth(parent), strict=True)],
        object,
    )
