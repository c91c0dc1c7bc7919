"""The demo city's street layer: chains of the lattice and a few streets off it, as rows with names and geometry."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from layers.demo_city.naming import bridge_names, street_names
from layers.demo_city.plan import PARK, RESIDENTIAL, SECONDARY, TERTIARY, Floats, Ints, Plan
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.streets import CLASSES, Chains

WGS84 = "EPSG:4326"


@dataclass(frozen=True, slots=True)
class Extra:
    """A street off the lattice. u, v : node numbers, those of the lattice or above. row, column : its course."""

    u: int
    v: int
    street_class: str
    name: str
    oneway: int
    row: Floats
    column: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """The layer ``streets`` (see street_layer) and where on the plan each segment has its middle, (row, column).

    block : (m,) a block it passes, -1 only where the motorway leaves the city.
    """

    table: gpd.GeoDataFrame
    row: Floats
    column: Floats
    block: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Turns places of the plan into the world: origin_x, origin_y are the city centre in metres of ``crs``."""

    plan: Plan
    crs: str
    origin_x: float
    origin_y: float

    def metres(self, row: Floats, column: Floats) -> tuple[Floats, Floats]:
        """Return metres in ``crs`` of places (row, column) on the lattice, between its nodes too."""
        at = np.vstack([row, column])
        x = map_coordinates(self.plan.x, at, order=1, mode="nearest")
        y = map_coordinates(self.plan.y, at, order=1, mode="nearest")
        return x + self.origin_x, y + self.origin_y

    def lonlat(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return WGS84 degrees of metres in ``crs``, rounded to about a millimetre."""
        lon, lat = pyproj.Transformer.from_crs(self.crs, WGS84, always_xy=True).transform(x, y)
        return np.round(lon, 8), np.round(lat, 8)

    def shifted(self, lon: Floats, lat: Floats, distance_m: Floats, angle: Floats) -> tuple[Floats, Floats]:
        """Move places by ``distance_m`` towards ``angle`` (radians from east)."""
        x, y = pyproj.Transformer.from_crs(WGS84, self.crs, always_xy=True).transform(lon, lat)
        return self.lonlat(x + distance_m * np.cos(angle), y + distance_m * np.sin(angle))


def ground_of(plan: Plan, recipe: Recipe) -> Ground:
    """Set the plan's centre at the recipe's place."""
    place = recipe.place
    x, y = pyproj.Transformer.from_crs(WGS84, place.crs, always_xy=True).transform(place.lon, place.lat)
    return Ground(plan, place.crs, float(round(x)), float(round(y)))


def street_layer(
    plan: Plan, chains: Chains, ground: Ground, size: SizeRecipe, recipe: Recipe, rng: np.random.Generator
) -> Streets:
    """Lay out the layer ``streets``: segments ordered by their nodes, numbered from 1, WGS84."""
    width = plan.columns + 1
    first, last = chains.node[chains.start[:-1]], chains.node[chains.start[1:] - 1]
    name = _chain_names(plan, chains, recipe, rng)
    klass = np.array(CLASSES, dtype=object)[chains.rank]
    oneway = _oneway(plan, chains, first, last, recipe, rng)
    extras = [
        *_frontages(plan, chains, name, recipe, rng),
        *_turning_loops(plan, chains, recipe, rng),
        *_island(plan, chains, recipe, width * width),
        *_ring(plan, chains, size, recipe, width * width + 100),
    ]
    row = np.concatenate([chains.node // width, *(e.row for e in extras)]).astype(np.float64)
    column = np.concatenate([chains.node % width, *(e.column for e in extras)]).astype(np.float64)
    count = np.concatenate([np.diff(chains.start), [len(e.row) for e in extras]]).astype(np.int64)
    x, y = ground.metres(row, column)
    owner = np.repeat(np.arange(len(count)), count)
    step = np.hypot(np.diff(x), np.diff(y))
    length_m = np.bincount(owner[1:], np.where(np.diff(owner) == 0, step, 0.0), minlength=len(count))
    lon, lat = ground.lonlat(x, y)
    geometry = shapely.linestrings(np.column_stack([lon, lat]), indices=owner)
    u = np.concatenate([first, np.array([e.u for e in extras], np.int64)])
    v = np.concatenate([last, np.array([e.v for e in extras], np.int64)])
    _, ends = np.unique(np.concatenate([u, v]), return_inverse=True)
    klass = np.concatenate([klass, np.array([e.street_class for e in extras], object)])
    table = gpd.GeoDataFrame(
        {
            "u": ends[: len(u)] + 1,
            "v": ends[len(u) :] + 1,
            "length_m": np.round(length_m, 3),
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
    middle = (np.cumsum(count) - count + count // 2)[order]
    row, column = row[middle], column[middle]
    return Streets(table, row, column, _block_near(plan, row, column))


def _block_near(plan: Plan, row: Floats, column: Floats) -> Ints:
    """Return a block that touches each place of the plan; places lie inside the city or on its rim."""
    found = np.full(len(row), -1)
    for dr in (0.0, -1e-6):
        for dc in (0.0, -1e-6):
            r = np.clip(np.floor(row + dr).astype(np.int64), 0, plan.columns - 1)
            c = np.clip(np.floor(column + dc).astype(np.int64), 0, plan.columns - 1)
            found = np.where(found < 0, plan.block_at[r, c], found)
    return found


def _chain_names(plan: Plan, chains: Chains, recipe: Recipe, rng: np.random.Generator) -> NDArray[np.object_]:
    of_line = street_names(plan, recipe.names, rng)
    name = np.where(chains.line >= 0, of_line[chains.line], "").astype(object)
    on_bridge = chains.bridge >= 0
    number, first = np.unique(chains.bridge[on_bridge], return_index=True)
    crossed = [str(n) for n in name[on_bridge][first]]
    titles = np.array(bridge_names(chains.river_bridges, number, crossed, recipe.names), object)
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
    return np.where(minor, sign * np.where(last > first, 1, -1), 0)


def _frontages(
    plan: Plan, chains: Chains, name: NDArray[np.object_], recipe: Recipe, rng: np.random.Generator
) -> list[Extra]:
    """Lay a frontage road beside some one-edge stretches of arterials, bowed into the square above or right."""
    single = (np.diff(chains.start) == 2) & (chains.rank <= SECONDARY) & (chains.bridge < 0)
    chosen = np.flatnonzero(single & (rng.random(len(chains)) < recipe.plan.frontage_share * 3))
    width = plan.columns + 1
    extras: list[Extra] = []
    for k in chosen:
        u, v = (int(n) for n in chains.node[chains.start[k] : chains.start[k + 1]])
        r, c = divmod(min(u, v), width)
        block = plan.block_at[min(r, width - 2), min(c, width - 2)]
        if block < 0 or plan.use[block] == PARK:
            continue
        bow = np.array([0.0, 0.28, 0.28, 0.0])
        along = np.array([0.0, 0.3, 0.7, 1.0]) if v > u else np.array([1.0, 0.7, 0.3, 0.0])
        level = abs(u - v) == 1
        row, column = (r + bow, c + along) if level else (r + along, c + bow)
        extras.append(Extra(u, v, "service", f"{name[k]}辅路", 1, row, column))
    return extras


def _turning_loops(plan: Plan, chains: Chains, recipe: Recipe, rng: np.random.Generator) -> list[Extra]:
    """End some residential dead ends in a turning loop inside a square beside them."""
    width = plan.columns + 1
    ends = np.concatenate([chains.node[chains.start[:-1]], chains.node[chains.start[1:] - 1]])
    rank = np.tile(chains.rank, 2)
    node, first, degree = np.unique(ends, return_index=True, return_counts=True)
    dead = node[(degree == 1) & (rank[first] == RESIDENTIAL)]
    dead = dead[rng.random(len(dead)) < recipe.plan.loop_share]
    extras: list[Extra] = []
    for n in dead.tolist():
        r, c = divmod(n, width)
        if max(r, c) >= plan.columns or plan.block_at[r, c] < 0 or plan.use[plan.block_at[r, c]] == PARK:
            continue
        row = r + np.array([0.0, 0.42, 0.5, 0.12, 0.0])
        column = c + np.array([0.0, 0.12, 0.5, 0.42, 0.0])
        extras.append(Extra(n, n, "residential", "", 0, row, column))
    return extras


def island_outline(plan: Plan, chains: Chains, radius: float = 1.0) -> tuple[Floats, Floats]:
    """Return rows and columns of the river island's rim, between two bridges and away from both."""
    width = plan.columns + 1
    over = np.unique(chains.node[chains.start[:-1]][(chains.bridge >= 0)] % width)
    inside = np.flatnonzero((plan.block_at[plan.river_row] >= 0) & (plan.block_at[plan.river_row - 1] >= 0))
    taken = np.concatenate([over, [plan.stream_column, inside.min() - 4, inside.max() + 4]])
    free = np.abs(inside[:, None] - taken[None, :]).min(axis=1)
    near_centre = -np.abs(inside - plan.columns / 2) / plan.columns
    middle = int(inside[np.lexsort((near_centre, np.minimum(free, 5)))[-1]])
    angle = np.linspace(0, 2 * np.pi, 13)
    return plan.river_row + 0.42 * radius * np.sin(angle), middle + 2.2 * radius * np.cos(angle)


def _island(plan: Plan, chains: Chains, recipe: Recipe, base: int) -> list[Extra]:
    """Lay the footpath round the island in the river, which no bridge reaches: a part of its own."""
    row, column = island_outline(plan, chains, 0.72)
    name = recipe.names["island"]
    around = [
        Extra(base + k, base + (k + 1) % 6, "footway", name, 0, row[2 * k : 2 * k + 3], column[2 * k : 2 * k + 3])
        for k in range(6)
    ]
    across = [Extra(base, base + 3, "footway", name, 0, row[[0, 6]], column[[0, 6]])]
    return around + across


def _ring(plan: Plan, chains: Chains, size: SizeRecipe, recipe: Recipe, base: int) -> list[Extra]:
    """Lay the motorway ring above the streets: two one-way carriageways, joined to arterials at interchanges only."""
    width = plan.columns + 1
    middle, radius = plan.columns / 2, 0.58 * plan.columns / 2
    arterial = chains.rank <= SECONDARY
    ends = np.concatenate([chains.node[chains.start[:-1]][arterial], chains.node[chains.start[1:] - 1][arterial]])
    node, meeting = np.unique(ends, return_counts=True)
    node = node[meeting >= 3]
    row, column = node // width - middle, node % width - middle
    off, angle = np.abs(np.hypot(row, column) - radius), np.arctan2(row, column)
    wanted = np.linspace(-np.pi, np.pi, size.interchanges, endpoint=False)
    turn = np.abs((angle[None, :] - wanted[:, None] + np.pi) % (2 * np.pi) - np.pi) * radius
    found = np.unique(node[np.argmin(off[None, :] + turn, axis=1)])
    at = np.arctan2(found // width - middle, found % width - middle)
    found, at = found[np.argsort(at, kind="stable")], np.sort(at)
    name = recipe.names["ring"]
    extras: list[Extra] = []
    for side, gap in enumerate((-0.2, 0.2)):
        for k in range(len(found)):
            following = (k + 1) % len(found)
            arc = (at[following] - at[k]) % (2 * np.pi)
            course = at[k] + np.linspace(0, arc, max(3, int(arc * radius / 2)))
            r, c = middle + (radius + gap) * np.sin(course), middle + (radius + gap) * np.cos(course)
            u, v = base + 2 * k + side, base + 2 * following + side
            extras.append(Extra(u, v, "motorway", name, 1 if side else -1, r, c))
            meet_row, meet_column = divmod(int(found[k]), width)
            link = (np.array([meet_row, r[0]], float), np.array([meet_column, c[0]], float))
            extras.append(Extra(int(found[k]), u, "motorway_link", f"{name}匝道", 0, *link))
    return extras
