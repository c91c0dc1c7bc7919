"""The demo city's service points, rescue stations and roster."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from layers.demo_city.areas import AreaLayers
from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.naming import person_names
from layers.demo_city.plan import Floats, Ints
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.segments import Streets
from layers.demo_city.tiers import Tiers

NOT_AT_THE_KERB = ("motorway", "motorway_link", "footway")
FIRST_PHONE_OF_STATIONS = 90_000


def service_layer(
    streets: Streets,
    tiers: Tiers,
    layers: AreaLayers,
    people: Ints,
    water: Any,
    ground: Ground,
    size: SizeRecipe,
    recipe: Recipe,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Return the layer ``service-points``: beside streets, rather where people live, with gaps between them."""
    services, count = recipe.services, size.service_points
    crowd = np.sqrt(np.bincount(tiers.grid_cell, people), dtype=np.float64)
    segment = _segments_in_cells(streets, tiers, crowd, count, rng)
    lon, lat = beside_street(streets, segment, water, services["beside_street_m"], ground, rng)
    community = layers.areas["community"]["name"].to_numpy()[tiers.community[streets.block[segment]]]
    mode = _draw({k: v["share"] for k, v in services["modes"].items()}, count, rng)
    titles = {k: v["title"] for k, v in services["modes"].items()}
    verified = services["verified_until"]
    age = rng.integers(0, services["verified_days"], count)
    never = rng.random(count) < services["never_verified"]
    capacity = np.maximum(1, np.rint(services["capacity_median"] * np.exp(rng.normal(0, 0.6, count))))
    return gpd.GeoDataFrame(
        {
            "code": [f"LJ-{k + 1:04d}" for k in range(count)],
            "name": [f"{c}{titles[m]}" for c, m in zip(community, mode, strict=True)],
            "functions": _draw({f["list"]: f["share"] for f in services["functions"]}, count, rng),
            "hours": _draw({h["text"]: h["share"] for h in services["hours"]}, count, rng),
            "operating_mode": np.where(mode == "none", "", mode),
            "build_state": _draw(services["build_states"], count, rng),
            "capacity": np.where(rng.random(count) < services["unknown_capacity"], np.nan, capacity),
            "phone": [services["phone"].format(k + 1) for k in range(count)],
            "address": _addresses(streets, tiers, layers, segment, recipe, rng),
            "last_verified": [
                None if n else verified - timedelta(days=int(a)) for n, a in zip(never, age, strict=True)
            ],
            "withheld": rng.random(count) < services["withheld"],
        },
        geometry=shapely.points(lon, lat),
        crs=WGS84,
    )


def station_layer(
    streets: Streets,
    tiers: Tiers,
    layers: AreaLayers,
    water: Any,
    ground: Ground,
    size: SizeRecipe,
    recipe: Recipe,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Return the layer ``rescue-stations``: open day and night, the city's own first, then one a district."""
    count = size.rescue_stations
    middle = np.hypot(streets.row - ground.plan.columns / 2, streets.column - ground.plan.columns / 2)
    fit = _at_kerb(streets)
    central = np.flatnonzero(fit)[np.argsort(middle[fit], kind="stable")[: max(40, fit.sum() // 50)]]
    chosen = [int(rng.choice(central))]
    district = tiers.district[streets.block]
    for k in range(count - 1):
        chosen.append(int(rng.choice(np.flatnonzero(fit & (district == k % (district.max() + 1))))))
    segment = np.array(chosen)
    lon, lat = beside_street(streets, segment, water, recipe.services["beside_street_m"], ground, rng)
    of_district = layers.areas["district"]["name"].to_numpy()[district[segment]]
    city = recipe.place.name
    return gpd.GeoDataFrame(
        {
            "code": [f"LJ-S{k + 1:02d}" for k in range(count)],
            "name": [f"{city}救助管理站", *(f"{city}{d}救助管理站" for d in of_district[1:])],
            "phone": [recipe.services["phone"].format(FIRST_PHONE_OF_STATIONS + k + 1) for k in range(count)],
            "address": _addresses(streets, tiers, layers, segment, recipe, rng),
            "hours": ["24/7"] * count,
            "capacity": np.append(120.0, rng.integers(30, 80, count - 1)),
            "position_note": [recipe.place.notice_zh] * count,
        },
        geometry=shapely.points(lon, lat),
        crs=WGS84,
    )


def roster_table(layers: AreaLayers, recipe: Recipe, rng: np.random.Generator) -> pd.DataFrame:
    """Return the layer ``roster``: dated appointments for subdistricts, communities and grid cells, some missing."""
    parts = [
        ("supervisor", layers.areas["subdistrict"]["code"]),
        ("assistant", layers.areas["community"]["code"]),
        ("grid_worker", layers.grid_cells["code"]),
    ]
    role = np.concatenate([np.full(len(codes), name, object) for name, codes in parts])
    code = np.concatenate([codes.to_numpy(object) for _, codes in parts])
    roster, count = recipe.roster, len(code)
    fate = rng.random(count)
    missing, expired = (
        fate < roster["missing"],
        (fate >= roster["missing"]) & (fate < roster["missing"] + roster["expired"]),
    )
    followed = ~missing & (rng.random(count) < roster["succeeded"])
    first, last = roster["first_day"], roster["last_day"]
    days = (last - first).days
    begin = rng.integers(0, days // 2, count)
    change = begin + rng.integers(30, days // 3, count)
    finish = np.maximum(days - rng.integers(1, 200, count), change + 10)
    areas = np.concatenate([np.flatnonzero(followed), np.flatnonzero(~missing)])
    early = np.arange(len(areas)) < followed.sum()
    start = np.where(early | ~followed[areas], begin[areas], change[areas])
    until = np.where(early, change[areas] - 1, np.where(expired[areas], finish[areas], -1))
    order = np.lexsort((start, areas))
    day = [first + timedelta(days=k) for k in range(2 * days)]
    return pd.DataFrame(
        {
            "person": person_names(len(areas), recipe.names, rng),
            "role": role[areas[order]],
            "area_code": code[areas[order]],
            "phone": [f"0000-{1_000_000 + k}" for k in range(len(areas))],
            "from_date": [day[k] for k in start[order]],
            "until_date": [day[k] if k >= 0 else None for k in until[order]],
        }
    )


def beside_street(
    streets: Streets, segment: Ints, water: Any, off_m: Sequence[float], ground: Ground, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return lon, lat of points beside ``segment``, between two distances ``off_m`` from it, not in ``water``."""
    line = streets.table.geometry.to_numpy()[segment]
    at = shapely.line_interpolate_point(line, rng.uniform(0.1, 0.9, len(segment)), normalized=True)
    angle = rng.uniform(0, 2 * np.pi, len(segment))
    lon, lat, off = shapely.get_x(at), shapely.get_y(at), rng.uniform(off_m[0], off_m[1], len(segment))
    wet = shapely.contains_xy(water, *ground.shifted(lon, lat, off, angle))
    return ground.shifted(lon, lat, off, np.where(wet, angle + np.pi, angle))


def _at_kerb(streets: Streets) -> NDArray[np.bool_]:
    table = streets.table
    bridge = table["name"].str.endswith("桥").to_numpy(bool)
    return np.asarray(~table["street_class"].isin(NOT_AT_THE_KERB).to_numpy(bool) & ~bridge)


def _segments_in_cells(streets: Streets, tiers: Tiers, weight: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draw ``count`` different grid cells by weight and a segment at the kerb in each."""
    fit = np.flatnonzero(_at_kerb(streets))
    fit = fit[rng.permutation(len(fit))]
    cell, first = np.unique(tiers.grid_cell[streets.block[fit]], return_index=True)
    chance = weight[cell] / weight[cell].sum()
    return fit[first[rng.choice(len(cell), count, replace=False, p=chance)]]


def _addresses(
    streets: Streets, tiers: Tiers, layers: AreaLayers, segment: Ints, recipe: Recipe, rng: np.random.Generator
) -> list[str]:
    block = streets.block[segment]
    district = layers.areas["district"]["name"].to_numpy()[tiers.district[block]]
    subdistrict = layers.areas["subdistrict"]["name"].to_numpy()[tiers.subdistrict[block]]
    street = streets.table["name"].to_numpy(object)[segment]
    number = rng.integers(1, 300, len(segment))
    return [
        f"{recipe.place.name}{d}{s}{n}" + (f"{k}号" if n else "") + "（虚构）"
        for d, s, n, k in zip(district, subdistrict, street, number, strict=True)
    ]


def _draw(share: Mapping[str, Any], count: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """Draw ``count`` keys of ``share`` in proportion to their values."""
    chance = np.array([float(value) for value in share.values()])
    return np.array(list(share), object)[rng.choice(len(chance), count, p=chance / chance.sum())]
