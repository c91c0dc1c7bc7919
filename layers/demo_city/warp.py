"""Where the nodes of the demo city's lattice lie: what makes a checkerboard look like a city."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gis.errors import QuestionError
from layers.demo_city.recipe import PlanRecipe, SizeRecipe

Floats = NDArray[np.float64]

#: Jitter of nodes as (wavelength in nodes, standard deviation in squares): kinks, bends, sweeps.
JITTER = ((0.7, 0.10), (2.5, 0.30), (9.0, 0.9))
#: Sine of the flattest corner a square may have.
FLATTEST = 0.2
ROUNDS = 30


def warp(
    size: SizeRecipe, river_row: int, stream_column: int, recipe: PlanRecipe, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return metres x, y of lattice nodes [row, column], the plan's middle being about (0, 0).

    The plan is jittered, bent along a meandering river, rounded, dense at its centre and turned. Where jitter would
    fold a square over, it is calmed until every square keeps its orientation and is convex.
    """
    columns, unit = size.columns, size.spacing_m
    base_x = _axis(columns, stream_column, unit, recipe.stream_width_m / 2)
    base_y = _axis(columns, river_row, unit, recipe.river_width_m / 2)
    plain_x, plain_y = np.meshgrid(base_x, base_y)
    sweep = [noise(plain_x.shape, columns / 8, columns / 110 * unit, rng) for _ in range(2)]
    jitter = [
        np.sum([noise(plain_x.shape, sigma, amount * unit, rng) for sigma, amount in JITTER], axis=0) for _ in range(2)
    ]
    phases = rng.uniform(0, 2 * np.pi, 16)
    half = columns * unit / 2
    calm = np.ones_like(plain_x)
    for _ in range(ROUNDS):
        x = plain_x + sweep[0] + calm * jitter[0]
        y = plain_y + sweep[1] + calm * jitter[1]
        x, y = _bend(x, y, half, float(base_y[river_row]), phases, recipe)
        bad = folded(x, y)
        if not bad.any():
            return x, y
        near = gaussian_filter(np.pad(bad, ((0, 1), (0, 1))).astype(np.float64), 4.0)
        calm *= 1 - np.minimum(near * 40, 0.4)
    raise QuestionError("该种子无法生成示例城市", "this seed gives no demo city: its plan folds over; try another")


def noise(shape: tuple[int, ...], sigma: float, amount: float, rng: np.random.Generator) -> Floats:
    """Return smooth noise of wavelength about ``sigma`` nodes and standard deviation ``amount``, without outliers."""
    smooth = gaussian_filter(rng.standard_normal(shape), sigma, mode="nearest")
    return np.asarray(amount * np.clip(smooth / smooth.std(), -2.5, 2.5))


def folded(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Tell which lattice squares have a corner that is not clearly convex."""
    corner_x = (x[:-1, :-1], x[:-1, 1:], x[1:, 1:], x[1:, :-1])
    corner_y = (y[:-1, :-1], y[:-1, 1:], y[1:, 1:], y[1:, :-1])
    bad = np.zeros(corner_x[0].shape, bool)
    for k in range(4):
        ax, ay = corner_x[k] - corner_x[k - 1], corner_y[k] - corner_y[k - 1]
        bx, by = corner_x[(k + 1) % 4] - corner_x[k], corner_y[(k + 1) % 4] - corner_y[k]
        bad |= ax * by - ay * bx < FLATTEST * np.hypot(ax, ay) * np.hypot(bx, by)
    return bad


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
    # a square becomes a rounded one (elliptical grid mapping, taken part of the way)
    across, up = np.clip(x / half, -1.1, 1.1) ** 2, np.clip(y / half, -1.1, 1.1) ** 2
    x = x * np.sqrt(1 - recipe.roundness * up / 2)
    y = y * np.sqrt(1 - recipe.roundness * across / 2)
    r, angle = np.hypot(x, y) / half, np.arctan2(y, x)
    stretch = recipe.stretch + (1 - recipe.stretch) * r**1.3
    for k, waves in enumerate((2, 3, 4, 6, 9)):
        stretch = stretch + recipe.outline_roughness / waves * r**2 * np.cos(waves * angle + phases[3 + k])
    turn = np.deg2rad(recipe.tilt_degrees) + np.deg2rad(recipe.swirl_degrees) * np.sin(3.2 * r + phases[2])
    x, y = x * stretch, y * stretch
    return np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
