"""Nanjing as a siting instance: junctions as candidates, residents spread evenly along the streets of a district."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from benchmarks.siting_instances import at_nodes
from gis.modes import travel_by
from gis.network import Positions
from gis.network_build import read_network
from gis.reach import time_matrix
from gis.search_graph import search_graph
from planner.siting.cover_sets import CoverSets, merge_cover_sets

CORE_DISTRICTS = ("玄武区", "秦淮区", "建邺区", "鼓楼区")
LIMIT_S = 600.0
#: Residents gather at places at most this far apart.
STEP_M = 100.0


def nanjing_covers(folder: Path, *, core_only: bool) -> CoverSets:
    """Return whom each junction (of the four core districts alone, or all) reaches on foot within ten minutes."""
    network, _ = read_network(folder / "nanjing_streets.gpkg")
    travel = travel_by(network, "walk")
    graph = search_graph(network, travel)
    districts = gpd.read_file(folder / "nanjing_admin.gpkg", layer="district").to_crs(network.crs)
    population = pd.read_csv(folder / "nanjing_population_district_2019.csv").set_index("district")

    walkable = np.flatnonzero(np.isfinite(travel.seconds_per_m) & (network.length_m > 0))
    count = np.ceil(network.length_m[walkable] / STEP_M).astype(np.int64)
    segment = np.repeat(walkable, count)
    step = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    part_m = np.repeat(network.length_m[walkable] / count, count)
    middle = np.column_stack([network.x, network.y])
    district = _district_of(districts, (middle[network.u] + middle[network.v])[segment] / 2)
    people = population["resident_pop_2019_wan"].reindex(districts["name"]).to_numpy() * 10_000
    metres = np.bincount(district[district >= 0], part_m[district >= 0], len(districts))
    weight = np.where(district >= 0, part_m * (people / np.maximum(metres, 1.0))[district], 0.0)

    home = _district_of(districts, middle)
    in_core = np.isin(home, np.flatnonzero(districts["name"].isin(CORE_DISTRICTS)))
    candidate = np.flatnonzero(in_core) if core_only else np.arange(network.n_nodes)
    places = Positions(segment.astype(np.int32), (step + 0.5) * part_m, np.zeros(len(segment)))
    seconds = time_matrix(graph, at_nodes(network, candidate), places, LIMIT_S)
    return merge_cover_sets(seconds.indptr, seconds.indices, weight)


def _district_of(districts: gpd.GeoDataFrame, xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of the district around each point, -1 outside all."""
    found = np.full(len(xy), -1)
    point, polygon = shapely.STRtree(districts.geometry).query(shapely.points(xy), predicate="within")
    found[point] = polygon
    return found
