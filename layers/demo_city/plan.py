"""The plan of the demo city: a warped lattice, the lines streets follow on it, and the blocks between them.

Every street lies on edges of one lattice of quadrilaterals, and every area is a set of its squares. As long as each
square keeps its orientation under the warp, streets meet only at nodes and areas share exact edges: nothing needs to
be intersected.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from layers.demo_city.recipe import PlanRecipe, SizeRecipe

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
    x0, x1, y0, y1 : (b,) column and row bounds of each block inside the city; use : (b,) HOUSING .. WATER;
    density : (b,) 0 at the edge to 1 at the centre; superblock : (b,) the superblock a block lies in.
    block_at : (columns, columns) block of each square, -1 outside the city.
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
    x, y = _warp(size, river_row, stream_column, recipe, rng)
    inside = _inside(leaves, columns, recipe, rng)
    leaves, owner = leaves[inside], owner[inside]
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
    return Lines(table[:, 0] == 1, *(table[:, k] for k in range(1, 6)), street=street.reshape(-1))


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
        c, r = np.meshgrid(np.arange(len(along) - 1), np.arange(len(rows) - 1))
        c, r = c.ravel(), r.ravel()
        # join a superblock with its right-hand neighbour; only even columns may, so that no chain of joins arises
        joined = (
            (c % 2 == int(rng.integers(2)))
            & (c + 2 < len(along))
            & (long_rank[np.minimum(c + 1, len(along) - 1)] == SECONDARY)
            & (along[c + 1] != stream_column)
            & (rng.random(len(c)) < 2 * recipe.missing_arterial)
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
    noise = gaussian_filter(rng.standard_normal(field.shape), columns / 24, mode="nearest")
    return np.clip(field * (1 + 0.35 * noise / noise.std()), 0.02, 1.0)


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


def _inside(leaves: Ints, columns: int, recipe: PlanRecipe, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Tell which blocks lie inside the city's outline, a rough circle."""
    half = columns / 2
    x = (leaves[:, 0] + leaves[:, 1]) / 2 / half - 1
    y = (leaves[:, 2] + leaves[:, 3]) / 2 / half - 1
    angle = np.arctan2(y, x)
    edge = np.full(len(leaves), 0.9)
    for waves in (2, 3, 5, 8, 13):
        edge += recipe.outline_roughness / waves * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(np.hypot(x, y) < np.minimum(edge, 0.985))


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
    """Return which block each lattice square [row, column] belongs to, -1 outside."""
    width, height = leaves[:, 1] - leaves[:, 0], leaves[:, 3] - leaves[:, 2]
    count = width * height
    block = np.repeat(np.arange(len(leaves)), count)
    step = np.arange(len(block)) - np.repeat(np.cumsum(count) - count, count)
    painted = np.full((columns, columns), -1, np.int64)
    painted[leaves[block, 2] + step // width[block], leaves[block, 0] + step % width[block]] = block
    return painted


def _warp(
    size: SizeRecipe, river_row: int, stream_column: int, recipe: PlanRecipe, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Place the lattice nodes: jittered, bent along a meandering river, denser at the centre, turned.

    Where jitter would fold a square over, its nodes are put back until every square keeps its orientation.
    """
    columns, unit = size.columns, size.spacing_m
    base_x = _axis(columns, stream_column, unit, recipe.stream_width_m / 2)
    base_y = _axis(columns, river_row, unit, recipe.river_width_m / 2)
    plain_x, plain_y = np.meshgrid(base_x, base_y)
    half = columns * unit / 2
    phases = rng.uniform(0, 2 * np.pi, 3)
    for axis in (plain_x, plain_y):
        axis += _noise(axis.shape, columns / 8, columns / 110 * unit, rng)
    jitter = [
        sum(
            _noise(plain_x.shape, sigma, amount * unit, rng) for sigma, amount in ((0.7, 0.10), (2.5, 0.30), (9.0, 0.9))
        )
        for _ in range(2)
    ]
    calm = np.ones_like(plain_x)
    for _ in range(20):
        x, y = _bend(plain_x + calm * jitter[0], plain_y + calm * jitter[1], half, base_y[river_row], phases, recipe)
        folded = _folded(x, y)
        if not folded.any():
            break
        near = gaussian_filter(np.pad(folded, ((0, 1), (0, 1))).astype(float), 4.0)
        calm *= 1 - np.minimum(near * 40, 0.4)
    return x, y


def _noise(shape: tuple[int, ...], sigma: float, amount: float, rng: np.random.Generator) -> Floats:
    """Return smooth noise of wavelength about ``sigma`` nodes and standard deviation ``amount``, without outliers."""
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="nearest")
    return np.asarray(amount * np.clip(noise / noise.std(), -2.5, 2.5))


def _axis(columns: int, middle: int, unit: float, half_water: float) -> Floats:
    """Return base positions of columns or rows, water's two strips at ``middle`` being ``half_water`` wide."""
    steps = np.full(columns, unit)
    steps[middle - 1 : middle + 1] = half_water
    at = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(at - at[columns // 2])


def _bend(
    x: Floats, y: Floats, half: float, river_y: float, phases: Floats, recipe: PlanRecipe
) -> tuple[Floats, Floats]:
    t = x / half
    meander = 0.10 * np.sin(2.6 * t + phases[0]) + 0.045 * np.sin(6.3 * t + phases[1])
    y = y + half * meander * np.exp(-(((y - river_y) / (0.55 * half)) ** 2))
    r = np.hypot(x, y) / half
    stretch = recipe.stretch + (1 - recipe.stretch) * r**1.3
    turn = np.deg2rad(recipe.tilt_degrees) + np.deg2rad(recipe.swirl_degrees) * np.sin(3.2 * r + phases[2])
    x, y = x * stretch, y * stretch
    return np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y


def _folded(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Tell which squares have a corner that is not clearly convex."""
    corner_x = (x[:-1, :-1], x[:-1, 1:], x[1:, 1:], x[1:, :-1])
    corner_y = (y[:-1, :-1], y[:-1, 1:], y[1:, 1:], y[1:, :-1])
    folded = np.zeros(corner_x[0].shape, bool)
    for k in range(4):
        ax, ay = corner_x[k] - corner_x[k - 1], corner_y[k] - corner_y[k - 1]
        bx, by = corner_x[(k + 1) % 4] - corner_x[k], corner_y[(k + 1) % 4] - corner_y[k]
        folded |= ax * by - ay * bx < 0.25 * np.hypot(ax, ay) * np.hypot(bx, by)
    return folded
