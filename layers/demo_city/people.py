"""Where the demo city's people live: so many in each block, at a few places inside it."""

import geopandas as gpd
import numpy as np
import shapely

from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.plan import FIELDS, HOUSING, INDUSTRY, PARK, WATER, Floats, Ints, Plan

#: How densely each use of land is lived in, housing being 1.
LIVED_IN = {HOUSING: 1.0, PARK: 0.0, INDUSTRY: 0.06, FIELDS: 0.03, WATER: 0.0}


def apportion(total: int, weight: Floats, *, least: int = 0, most: Ints | None = None) -> Ints:
    """Share ``total`` out in whole numbers in proportion to ``weight``, by largest remainder.

    weight : (k,) >= 0, not all zero. Every share is at least ``least`` and at most ``most`` (k,); ties go to the
    lowest position. ``least * k <= total <= sum(most)`` must hold.
    """
    most = np.full(len(weight), total) if most is None else most
    exact = total * weight / weight.sum()
    share = np.asarray(np.clip(np.floor(exact).astype(np.int64), least, most))
    while (missing := total - int(share.sum())) != 0:
        open_ = np.flatnonzero(share < most if missing > 0 else share > least)
        wish = (exact - share)[open_] * np.sign(missing)
        best = open_[np.argsort(-wish, kind="stable")[: abs(missing)]]
        share[best] += np.sign(missing)
    return np.asarray(share, np.int64)


def people_by_block(plan: Plan, block_m2: Floats, total: int, rng: np.random.Generator) -> Ints:
    """Settle ``total`` people in the blocks, denser towards the centre; parks and water stay empty."""
    lived_in = np.array([LIVED_IN[use] for use in range(len(LIVED_IN))])[plan.use]
    weight = block_m2 * lived_in * plan.density**0.7 * np.exp(rng.normal(0, 0.45, len(block_m2)))
    return apportion(total, np.asarray(weight))


def block_areas_m2(plan: Plan) -> Floats:
    """Return the area of each block."""
    x, y = plan.x, plan.y
    ax, ay = x[1:, 1:] - x[:-1, :-1], y[1:, 1:] - y[:-1, :-1]
    bx, by = x[1:, :-1] - x[:-1, 1:], y[1:, :-1] - y[:-1, 1:]
    squares_m2 = 0.5 * (ax * by - ay * bx)
    return np.asarray(np.bincount(plan.block_at.ravel(), squares_m2.ravel(), minlength=len(plan.use)), np.float64)


def population_layer(
    plan: Plan, ground: Ground, people: Ints, per_place: int, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """Return the layer ``population``: places of about ``per_place`` people, anywhere inside their block."""
    places = np.where(people > 0, 1 + people // per_place, 0)
    block = np.repeat(np.arange(len(people)), places)
    nth = np.arange(len(block)) - np.repeat(np.cumsum(places) - places, places)
    here = people[block] // places[block] + (nth < people[block] % places[block])
    row = plan.y0[block] + rng.uniform(0.08, 0.92, len(block)) * (plan.y1 - plan.y0)[block]
    column = plan.x0[block] + rng.uniform(0.08, 0.92, len(block)) * (plan.x1 - plan.x0)[block]
    lon, lat = ground.lonlat(*ground.metres(row, column))
    return gpd.GeoDataFrame(
        {"people": here.astype(np.float64), "area_code": np.full(len(here), None, object)},
        geometry=shapely.points(lon, lat),
        crs=WGS84,
    )
