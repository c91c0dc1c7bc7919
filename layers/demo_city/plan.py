"""The plan of the demo city: a warped lattice, the lines streets follow on it, and the blocks between them.

Every street lies on edges of one lattice of quadrilaterals, and every area is a set of its squares. As long as each
square keeps its orientation under the warp, streets meet only at nodes and areas share exact edges: nothing needs to
be intersected.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layers.demo_city.recipe import PlanRecipe, SizeRecipe
from layers.demo_city.warp import noise, warp

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PRIMARY, SECONDARY, TERTIARY, RESIDENTIAL, LIVING, SERVICE, FOOTWAY = range(7)
HOUSING, PARK, INDUSTRY, FIELDS, WATER = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Straight streets of the plan. along_x : whether the line runs along a row. at : the row or column it follows.

    start, end : from and to which column or row. rank : PRIMARY .. FOOTWAY. superblock : the one it splits, -1 for
    arterials. street : number of the street the line is part of; lines that follow one another share it.
    """

    along_x: NDArray[np.bool_]
    at: Ints
    start: Ints
    end: Ints
    rank: Ints
    superblock: Ints
    street: Ints

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A lattice of ``columns`` x ``columns`` squares with the city's lines and blocks on it.

    x, y : (columns + 1, columns + 1) metres of lattice node [row, column], after the warp.
    lines : arterials first, then the streets that split superblocks.
    x0, x1, y0, y1 : (b,) column and row bounds of each block; use : (b,) HOUSING .. WATER;
    density : (b,) 0 at the edge to 1 at the centre; superblock : (b,) the superblock a block lies in.
    block_at : (columns, columns) block of each square.
    river_row : lattice row of the middle of the river; stream_column : lattice column of the middle of the stream,
    which joins the river from above.
    """

    columns: int
    x: Floats
    y: Floats
    lines: Lines
    x0: Ints
    x1: Ints
    y0: Ints
    y1: Ints
    use: Ints
    density: Floats
    superblock: Ints
    block_at: Ints
    river_row: int
    stream_column: int


def draw_plan(size: SizeRecipe, recipe: PlanRecipe, rng: np.random.Generator) -> Plan:
    """Draw the plan of a city of ``size``."""
    columns = size.columns
    river_row = round(columns * recipe.river_row)
    stream_column = round(columns * recipe.stream_column)
    across, cross_rank = _arterials(columns, river_row, recipe, rng)
    along, long_rank = _arterials(columns, stream_column, recipe, rng)
    rects, arterials = _superblocks(along, long_rank, across, cross_rank, river_row, stream_column, recipe, rng)
    field = density_field(columns, size.satellites, rng)
    leaves, owner, streets = _split(rects, field, river_row, stream_column, recipe, rng)
    x, y = warp(size, river_row, stream_column, recipe, rng)
    density = field[(leaves[:, 2] + leaves[:, 3]) // 2, (leaves[:, 0] + leaves[:, 1]) // 2]
    return Plan(
        columns=columns,
        x=x,
        y=y,
        lines=_lines(np.concatenate([arterials, streets])),
        x0=leaves[:, 0],
        x1=leaves[:, 1],
        y0=leaves[:, 2],
        y1=leaves[:, 3],
        use=_land_use(leaves, density, river_row, stream_column, recipe, rng),
        density=density,
        superblock=owner,
        block_at=_paint(leaves, columns),
        river_row=river_row,
        stream_column=stream_column,
    )


def _lines(table: Ints) -> Lines:
    """Read lines from columns along_x, at, start, end, rank, superblock, and number the streets they make up."""
    _, street = np.unique(table[:, [0, 1, 5]], axis=0, return_inverse=True)
    at, start, end, rank, superblock = table[:, 1:].T
    return Lines(table[:, 0] == 1, at, start, end, rank, superblock, street.reshape(-1))


def _arterials(columns: int, middle: int, recipe: PlanRecipe, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Choose arterial rows (or columns) with ``middle`` among them, and the rank of each."""
    low, high = recipe.arterial_every
    steps = rng.integers(low, high, size=2 * columns // low)
    above = middle + np.cumsum(steps)
    below = middle - np.cumsum(steps[::-1])
    inner = np.concatenate([below[below > low // 2][::-1], [middle], above[above < columns - low // 2]])
    at = np.concatenate([[0], inner, [columns]])
    rank = np.where(np.arange(len(at)) % recipe.primary_every == 1, PRIMARY, SECONDARY)
    return at.astype(np.int64), rank.astype(np.int64)


def _superblocks(
    along: Ints,
    long_rank: Ints,
    across: Ints,
    cross_rank: Ints,
    river_row: int,
    stream_column: int,
    recipe: PlanRecipe,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Return superblock rectangles (x0, x1, y0, y1) and the arterial stretches between them, as for _lines.

    Some neighbours on the same side of the water are joined, and the secondary stretch between them left out.
    """
    parts: list[Ints] = []
    stretches: list[Ints] = []
    river = int(np.searchsorted(across, river_row))
    for rows, ranks in (
        (across[: river + 1], cross_rank[: river + 1]),
        (across[river:], cross_rank[river:]),
    ):
        r, c = np.divmod(np.arange((len(rows) - 1) * (len(along) - 1)), len(along) - 1)
        off_centre = np.hypot(
            (rows[:-1] + rows[1:])[:, None] / across[-1] - 1, (along[:-1] + along[1:])[None, :] / along[-1] - 1
        )
        # join a superblock with its right-hand neighbour; only even columns may, so that no chain of joins arises
        joined = (
            (c % 2 == int(rng.integers(2)))
            & (c + 2 < len(along))
            & (long_rank[np.minimum(c + 1, len(along) - 1)] == SECONDARY)
            & (along[c + 1] != stream_column)
            & (rows[r] != river_row)
            & (rows[r + 1] != river_row)  # roads to the river stay, for bridges to carry on
            & (rng.random(len(c)) < recipe.missing_arterial * (1 + 3 * off_centre[r, c]))
        )
        swallowed = np.zeros((len(rows) - 1, len(along) - 1), bool)
        swallowed[r[joined], c[joined] + 1] = True
        keep = ~swallowed[r, c]
        right = along[np.where(joined, np.minimum(c + 2, len(along) - 1), c + 1)]
        parts.append(np.column_stack([along[c], right, rows[r], rows[r + 1]])[keep])
        gone = swallowed[r, c]
        none = np.full(len(c), -1)
        upright = np.column_stack([np.zeros_like(c), along[c], rows[r], rows[r + 1], long_rank[c], none])[~gone]
        level = np.column_stack([np.ones_like(c), rows[r], along[c], along[c + 1], ranks[r], none])
        stretches += [upright, level]
    return np.concatenate(parts), np.concatenate(stretches)


def density_field(columns: int, satellites: int, rng: np.random.Generator) -> Floats:
    """Return how dense the city is at each lattice node, about 1 at the centre and towards 0 at the edge."""
    axis = np.linspace(-1.0, 1.0, columns + 1)
    x, y = np.meshgrid(axis, axis)
    field = np.exp(-((np.hypot(x, y) / 0.55) ** 2))
    angle = rng.uniform(0, 2 * np.pi, satellites)
    radius = rng.uniform(0.5, 0.85, satellites)
    for a, r in zip(angle, radius, strict=True):
        field = field + 0.5 * np.exp(-(((x - r * np.cos(a)) ** 2 + (y - r * np.sin(a)) ** 2) / 0.012))
    return np.clip(field * (1 + noise(field.shape, columns / 24, 0.35, rng)), 0.02, 1.0)


def _split(
    rects: Ints, field: Floats, river_row: int, stream_column: int, recipe: PlanRecipe, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Split superblocks by straight streets until each block is as small as its place asks for.

    Returns blocks (b, 4), the superblock of each, and the splitting streets as for _lines.
    """
    owner = np.arange(len(rects))
    level = np.zeros(len(rects), np.int64)
    done: list[Ints] = []
    owners: list[Ints] = []
    lines: list[Ints] = []
    rects, owner, level, banks = _cut_banks(rects, owner, level, river_row, stream_column)
    lines.append(banks)
    small, large = recipe.leaf_squares
    while len(rects):
        width, height = rects[:, 1] - rects[:, 0], rects[:, 3] - rects[:, 2]
        density = field[(rects[:, 2] + rects[:, 3]) // 2, (rects[:, 0] + rects[:, 1]) // 2]
        wish = (small + (large - small) * (1 - density) ** 1.6) * np.exp(rng.normal(0, 0.3, len(rects)))
        longer = np.maximum(width, height)
        water = _is_water(rects, river_row, stream_column)
        stop = (longer <= np.maximum(wish, 1.0)) | (longer < 2) | water
        done.append(rects[stop])
        owners.append(owner[stop])
        rects, owner, level = rects[~stop], owner[~stop], level[~stop]
        width, height = width[~stop], height[~stop]
        upright = (width > height) | ((width == height) & (rng.random(len(width)) < 0.5))
        side = np.where(upright, width, height)
        margin = np.where(side >= 4, 2, 1)
        cut = np.clip(np.rint(side * rng.uniform(0.33, 0.67, len(side))).astype(np.int64), margin, side - margin)
        first, second = rects.copy(), rects.copy()
        at = np.where(upright, rects[:, 0], rects[:, 2]) + cut
        first[upright, 1] = second[upright, 0] = at[upright]
        first[~upright, 3] = second[~upright, 2] = at[~upright]
        rank = np.minimum(TERTIARY + (level + 1) // 2, LIVING)
        span = np.where(upright[:, None], rects[:, 2:], rects[:, :2])
        lines.append(np.column_stack([~upright, at, span, rank, owner]))
        rects, owner = np.concatenate([first, second]), np.concatenate([owner, owner])
        level = np.concatenate([level + 1, level + 1])
    return np.concatenate(done), np.concatenate(owners), np.concatenate(lines)


def _is_water(rects: Ints, river_row: int, stream_column: int) -> NDArray[np.bool_]:
    river = (rects[:, 2] >= river_row - 1) & (rects[:, 3] <= river_row + 1)
    stream = (rects[:, 0] >= stream_column - 1) & (rects[:, 1] <= stream_column + 1) & (rects[:, 2] >= river_row)
    return river | stream


def _cut_banks(
    rects: Ints, owner: Ints, level: Ints, river_row: int, stream_column: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """Cut the strip of water off every superblock that touches it, with a secondary road on each bank."""
    lines: list[Ints] = []
    for upright, middle in ((False, river_row), (True, stream_column)):
        low, high = (0, 1) if upright else (2, 3)
        for touching, at, water_side in ((high, middle - 1, high), (low, middle + 1, low)):
            hit = rects[:, touching] == middle
            if upright:
                hit &= rects[:, 2] >= river_row
            dry, wet = rects[hit].copy(), rects[hit].copy()
            dry[:, water_side] = at
            wet[:, low if water_side == high else high] = at
            span = dry[:, 2:] if upright else dry[:, :2]
            each = [np.full(len(dry), value) for value in (not upright, at, SECONDARY, -1)]
            lines.append(np.column_stack([each[0], each[1], span, each[2], each[3]]))
            rects = np.concatenate([rects[~hit], dry, wet])
            owner = np.concatenate([owner[~hit], owner[hit], owner[hit]])
            level = np.concatenate([level[~hit], level[hit], level[hit]])
    return rects, owner, level, np.concatenate(lines)


def _land_use(
    leaves: Ints, density: Floats, river_row: int, stream_column: int, recipe: PlanRecipe, rng: np.random.Generator
) -> Ints:
    use = np.full(len(leaves), HOUSING, np.int64)
    squares = (leaves[:, 1] - leaves[:, 0]) * (leaves[:, 3] - leaves[:, 2])
    draw = rng.random(len(leaves))
    use[(draw < recipe.industry_share * 3) & (density < 0.35)] = INDUSTRY
    use[(squares >= 16) & (density < 0.3) & (rng.random(len(leaves)) < 0.6)] = FIELDS
    use[(squares >= 6) & (density >= 0.15) & (rng.random(len(leaves)) < recipe.park_share * 3)] = PARK
    use[_is_water(leaves, river_row, stream_column)] = WATER
    return use


def _paint(leaves: Ints, columns: int) -> Ints:
    """Return which block each lattice square [row, column] belongs to."""
    width, height = leaves[:, 1] - leaves[:, 0], leaves[:, 3] - leaves[:, 2]
    count = width * height
    block = np.repeat(np.arange(len(leaves)), count)
    step = np.arange(len(block)) - np.repeat(np.cumsum(count) - count, count)
    painted = np.full((columns, columns), -1, np.int64)
    painted[leaves[block, 2] + step // width[block], leaves[block, 0] + step % width[block]] = block
    return painted
