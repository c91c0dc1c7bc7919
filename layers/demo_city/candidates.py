"""Where the demo city could open further service points: rooms to let, public buildings, and points to improve."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layers.demo_city.areas import AreaLayers
from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.plan import Ints
from layers.demo_city.recipe import Recipe
from layers.demo_city.segments import Streets
from layers.demo_city.services import NOT_AT_THE_KERB, beside_street
from layers.demo_city.tiers import Tiers
from layers.records import ALL_FUNCTIONS, ALWAYS_OPEN


def candidate_layer(
    streets: Streets,
    tiers: Tiers,
    layers: AreaLayers,
    people: Ints,
    service_points: gpd.GeoDataFrame,
    water: Any,
    ground: Ground,
    recipe: Recipe,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Return the layer ``candidates``: one row a variant.

    Public buildings may be converted, and some rebuilt at the same place; a point that lacks a function may be
    upgraded to offer all four around the clock. Costs are in ten thousand yuan.
    """
    wanted = recipe.candidates
    count = round(wanted["buildings_per_point"] * len(service_points))
    crowd = np.sqrt(np.bincount(tiers.grid_cell, people))[tiers.grid_cell[streets.block]]
    crowd[streets.table["street_class"].isin(NOT_AT_THE_KERB).to_numpy(bool)] = 0.0
    segment = np.sort(rng.choice(len(crowd), count, replace=False, p=crowd / crowd.sum()))
    lon, lat = beside_street(streets, segment, water, recipe.services["beside_street_m"], ground, rng)
    community = layers.areas["community"]["name"].to_numpy()[tiers.community[streets.block[segment]]]
    kind = rng.choice(np.array(wanted["buildings"], object), count)
    place = np.array([f"LJ-K{k + 1:04d}" for k in range(count)], object)
    names = np.array([f"{c}{k}（虚构）" for c, k in zip(community, kind, strict=True)], object)
    both = np.flatnonzero(rng.random(count) < wanted["rebuilt"])
    weak = np.flatnonzero(
        (service_points["functions"] != ALL_FUNCTIONS) & (service_points["build_state"] == "existing")
    )
    rows = [
        _variants("convert", place, names, lon, lat, wanted, rng),
        _variants("build", place[both], names[both], lon[both], lat[both], wanted, rng),
        _variants(
            "upgrade",
            service_points["code"].to_numpy(object)[weak],
            service_points["name"].to_numpy(object)[weak],
            shapely.get_x(service_points.geometry.to_numpy()[weak]),
            shapely.get_y(service_points.geometry.to_numpy()[weak]),
            wanted,
            rng,
        ),
    ]
    return gpd.GeoDataFrame(pd.concat(rows, ignore_index=True))


def _variants(
    state: str, place: Any, name: Any, lon: Any, lat: Any, wanted: Mapping[str, Any], rng: np.random.Generator
) -> gpd.GeoDataFrame:
    (low, high), (least, most) = wanted["cost"][state], wanted["capacity"][state]
    count = len(place)
    letter = {"convert": "G", "build": "X", "upgrade": "T"}[state]
    return gpd.GeoDataFrame(
        {
            "code": [f"LJ-{letter}{k + 1:04d}" for k in range(count)],
            "name": name,
            "place": place,
            "build_state": [state] * count,
            "cost": rng.integers(low, high + 1, count).astype(np.float64),
            "capacity": rng.integers(least, most, count).astype(np.float64),
            "functions": [ALL_FUNCTIONS] * count,
            "hours": [ALWAYS_OPEN] * count,
        },
        geometry=shapely.points(lon, lat),
        crs=WGS84,
    )
