"""The demo city's street layer: chains of the lattice and a few streets off it, as rows with names and geometry."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from layers.demo_city.extras import extra_streets
from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.naming import bridge_names, street_names
from layers.demo_city.plan import FOOTWAY, RESIDENTIAL, TERTIARY, Floats, Ints, Plan
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.streets import CLASSES, Chains


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """The layer ``streets`` (see street_layer) and where on the plan each segment has its middle, (row, column).

    block : (m,) a block it passes.
    """

    table: gpd.GeoDataFrame
    row: Floats
    column: Floats
    block: Ints


def street_layer(
    plan: Plan, chains: Chains, ground: Ground, size: SizeRecipe, recipe: Recipe, rng: np.random.Generator
) -> Streets:
    """Lay out the layer ``streets``: segments ordered by their nodes, numbered from 1, WGS84."""
    width = plan.columns + 1
    first, last = chains.node[chains.start[:-1]], chains.node[chains.start[1:] - 1]
    name = _chain_names(plan, chains, recipe, rng)
    oneway = _oneway(plan, chains, first, last, recipe, rng)
    extras = extra_streets(plan, chains, name, size, recipe, rng)
    row = np.concatenate([chains.node // width, *(e.row for e in extras)]).astype(np.float64)
    column = np.concatenate([chains.node % width, *(e.column for e in extras)]).astype(np.float64)
    count = np.concatenate([np.diff(chains.start), [len(e.row) for e in extras]]).astype(np.int64)
    geometry, length_m = _drawn(ground, row, column, count)
    u = np.concatenate([first, np.array([e.u for e in extras], np.int64)])
    v = np.concatenate([last, np.array([e.v for e in extras], np.int64)])
    _, ends = np.unique(np.concatenate([u, v]), return_inverse=True)
    klass = np.concatenate([np.array(CLASSES, object)[chains.rank], np.array([e.street_class for e in extras], object)])
    table = gpd.GeoDataFrame(
        {
            "u": ends[: len(u)] + 1,
            "v": ends[len(u) :] + 1,
            "length_m": length_m,
            "oneway": np.concatenate([oneway, [e.oneway for e in extras]]).astype(np.int64),
            "street_class": klass,
            "name": np.concatenate([name, np.array([e.name for e in extras], object)]),
            "free_kmh": np.array([recipe.free_kmh.get(c, np.nan) for c in klass], np.float64),
        },
        geometry=geometry,
        crs=WGS84,
    )
    order = np.lexsort((table["length_m"], np.maximum(table["u"], table["v"]), np.minimum(table["u"], table["v"])))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "segment_id", np.arange(1, len(table) + 1))
    begin = np.cumsum(count) - count
    low, high = (begin + (count - 1) // 2)[order], (begin + count // 2)[order]
    row, column = (row[low] + row[high]) / 2, (column[low] + column[high]) / 2
    at = (np.minimum(np.floor(place).astype(np.int64), plan.columns - 1) for place in (row, column))
    return Streets(table, row, column, plan.block_at[tuple(at)])


def _drawn(ground: Ground, row: Floats, column: Floats, count: Ints) -> tuple[NDArray[np.object_], Floats]:
    """Return lines through places of the plan, ``count`` (m,) places each, and their lengths in metres."""
    x, y = ground.metres(row, column)
    owner = np.repeat(np.arange(len(count)), count)
    step = np.hypot(np.diff(x), np.diff(y))
    length_m = np.bincount(owner[1:], np.where(np.diff(owner) == 0, step, 0.0), minlength=len(count))
    lines = shapely.linestrings(np.column_stack(ground.lonlat(x, y)), indices=owner)
    return np.asarray(lines), np.round(length_m, 3)


def _chain_names(plan: Plan, chains: Chains, recipe: Recipe, rng: np.random.Generator) -> NDArray[np.object_]:
    of_line = street_names(plan, recipe.names, rng)
    name = np.where(chains.line >= 0, of_line[chains.line], "").astype(object)
    on_bridge = chains.bridge >= 0
    number, first = np.unique(chains.bridge[on_bridge], return_index=True)
    crossed = [str(n) for n in name[on_bridge][first]]
    titles = np.array(bridge_names(chains.river_bridges, number, crossed), object)
    name[on_bridge] = titles[np.searchsorted(number, chains.bridge[on_bridge])]
    return name


def _oneway(
    plan: Plan, chains: Chains, first: Ints, last: Ints, recipe: Recipe, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Make the minor streets of some superblocks one-way, neighbours in opposite directions."""
    lines = plan.lines
    line = np.maximum(chains.line, 0)
    superblock = lines.superblock[line]
    chosen = rng.random(int(lines.superblock.max()) + 1) < recipe.plan.oneway_share
    minor = (chains.line >= 0) & (chains.rank >= TERTIARY) & (chains.rank <= RESIDENTIAL) & (chains.bridge < 0)
    minor &= (superblock >= 0) & chosen[superblock] & (first != last)
    # direction alternates with the order of the parallel streets of a superblock
    key, street = np.unique(np.column_stack([lines.superblock, lines.along_x, lines.at]), axis=0, return_inverse=True)
    group_start = np.r_[True, np.any(np.diff(key[:, :2], axis=0) != 0, axis=1)]
    position = np.arange(len(key)) - np.maximum.accumulate(np.where(group_start, np.arange(len(key)), 0))
    sign = np.where(position[street.reshape(-1)[line]] % 2 == 0, 1, -1)
    wished = np.where(minor, sign * np.where(last > first, 1, -1), 0)
    # where that would lock cars in or out, the street stays two-way: then every place can be driven to and left
    driven = chains.rank != FOOTWAY
    _, node = np.unique(np.concatenate([first, last]), return_inverse=True)
    out, into = node[: len(first)], node[len(first) :]
    tail = np.concatenate([out[driven & (wished >= 0)], into[driven & (wished <= 0)]])
    head = np.concatenate([into[driven & (wished >= 0)], out[driven & (wished <= 0)]])
    ways = coo_array((np.ones(len(tail), np.int8), (tail, head)), shape=(node.max() + 1, node.max() + 1))
    _, part = connected_components(ways, directed=True, connection="strong")
    return np.where(part[out] == part[into], wished, 0)
