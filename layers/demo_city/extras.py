"""Streets of the demo city that leave its lattice: frontage roads, turning loops, an island's path, a motorway ring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layers.demo_city.plan import PARK, RESIDENTIAL, SECONDARY, WATER, Floats, Plan
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.streets import Chains


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


def extra_streets(
    plan: Plan,
    chains: Chains,
    name: NDArray[np.object_],
    size: SizeRecipe,
    recipe: Recipe,
    rng: np.random.Generator,
) -> list[Extra]:
    """Lay every street off the lattice; ``name`` (s,) are the names of the chains beside them."""
    spare = (plan.columns + 1) ** 2  # node numbers from here on are free
    return [
        *_frontages(plan, chains, name, recipe, rng),
        *_turning_loops(plan, chains, recipe, rng),
        *_island(plan, chains, recipe, spare),
        *_ring(plan, chains, size, recipe, spare + 100),
    ]


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
        if plan.use[block] in (PARK, WATER):
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
        if max(r, c) >= plan.columns or plan.use[plan.block_at[r, c]] == PARK:
            continue
        row = r + np.array([0.0, 0.42, 0.5, 0.12, 0.0])
        column = c + np.array([0.0, 0.12, 0.5, 0.42, 0.0])
        extras.append(Extra(n, n, "residential", "", 0, row, column))
    return extras


def island_outline(plan: Plan, chains: Chains, radius: float = 1.0) -> tuple[Floats, Floats]:
    """Return rows and columns of the river island's rim, between two bridges and away from both."""
    width = plan.columns + 1
    over = np.unique(chains.node[chains.start[:-1]][(chains.bridge >= 0)] % width)
    inside = np.arange(plan.columns + 1)
    taken = np.concatenate([over, [plan.stream_column, -4, plan.columns + 4]])
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
