"""Build the demo city from its recipe and write it as files that the ordinary import reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.files import write_table
from layers.codes import LEVELS
from layers.demo_city.areas import area_layers
from layers.demo_city.candidates import candidate_layer
from layers.demo_city.duties import duty_layer, patrol_roster
from layers.demo_city.effort import effort_layer
from layers.demo_city.extras import island_outline
from layers.demo_city.ground import WGS84, Ground, ground_of
from layers.demo_city.people import block_areas_m2, people_by_block, population_layer
from layers.demo_city.plan import Plan, draw_plan
from layers.demo_city.recipe import Recipe, SizeRecipe, load_recipe
from layers.demo_city.reports import find_people
from layers.demo_city.segments import Streets, street_layer
from layers.demo_city.services import roster_table, service_layer, station_layer
from layers.demo_city.streets import Chains, lay_streets
from layers.demo_city.tiers import draw_tiers

#: People at one place of the layer ``population``.
PEOPLE_PER_PLACE = 350
STEPS = ("streets", "people", "areas", "services", "reports", "roster", "candidates", "duties")


@dataclass(frozen=True, slots=True, eq=False)
class DemoCity:
    """Every layer of the fictional city, in WGS84 with the columns the store knows.

    areas : by level (city, district, subdistrict, community). roster : no geometry.
    Beside the layers: ``water``, the river and the stream (name, geometry); ``tracks``, patrol effort per segment and
    month; ``true_rate``, people who could be found per segment and week. The last two are the truth that later
    methods are judged against (columns: see layers.demo_city.reports.Found).
    """

    size: str
    seed: int
    notice_zh: str
    notice_en: str
    streets: gpd.GeoDataFrame
    areas: dict[str, gpd.GeoDataFrame]
    grid_cells: gpd.GeoDataFrame
    service_points: gpd.GeoDataFrame
    rescue_stations: gpd.GeoDataFrame
    candidates: gpd.GeoDataFrame
    forbidden_areas: gpd.GeoDataFrame
    population: gpd.GeoDataFrame
    reports: gpd.GeoDataFrame
    roster: pd.DataFrame
    patrol_duties: gpd.GeoDataFrame
    patrol_effort: pd.DataFrame
    water: gpd.GeoDataFrame
    tracks: pd.DataFrame
    true_rate: pd.DataFrame


def build_demo_city(
    size: str = "town", *, seed: int | None = None, progress: Callable[[str], None] | None = None
) -> DemoCity:
    """Build the fictional city Linjiang; the same size and seed give the same rows.

    size : "town", "city" or "metro". seed : None for the recipe's own.
    progress : called with the name of each step (one of ``STEPS``) as it begins.
    Raises QuestionError on an unknown size.
    """
    recipe = load_recipe()
    wanted = recipe.size(size)
    seed = recipe.seed if seed is None else seed

    def begin(step: str) -> np.random.Generator:
        if progress is not None:
            progress(step)
        return np.random.default_rng([seed, 10 + STEPS.index(step)])

    begin("streets")
    plan, chains, ground, streets = _streets(wanted, recipe, seed)
    rng = begin("people")
    block_m2 = block_areas_m2(plan)
    people = people_by_block(plan, block_m2, wanted.people, rng)
    population = population_layer(plan, ground, people, PEOPLE_PER_PLACE, rng)
    rng = begin("areas")
    tiers = draw_tiers(plan, people, block_m2, wanted)
    layers = area_layers(plan, tiers, ground, recipe, rng)
    rng = begin("services")
    water = _water(plan, chains, ground, recipe)
    wet = water.union_all()
    service_points = service_layer(streets, tiers, layers, people, wet, ground, wanted, recipe, rng)
    rescue_stations = station_layer(streets, tiers, layers, wet, ground, wanted, recipe, rng)
    rng = begin("reports")
    outline = layers.areas["city"].geometry.iloc[0]
    found = find_people(plan, streets, tiers, outline, ground, wanted, recipe, rng)
    roster = roster_table(layers, recipe, begin("roster"))
    candidates = candidate_layer(
        streets, tiers, layers, people, service_points, wet, ground, recipe, begin("candidates")
    )
    rng = begin("duties")
    open_points = service_points[service_points["build_state"] == "existing"]
    points = pd.concat([open_points, rescue_stations])[["code", "geometry"]]
    roster = patrol_roster(roster, layers.grid_cells, points, found.reports, wanted, recipe, rng)
    duties = duty_layer(streets, layers, wet, found.reports, ground, recipe, rng)
    return DemoCity(
        size=size,
        seed=seed,
        notice_zh=recipe.place.notice_zh,
        notice_en=recipe.place.notice_en,
        streets=streets.table,
        areas=layers.areas,
        grid_cells=layers.grid_cells,
        service_points=service_points,
        rescue_stations=rescue_stations,
        candidates=candidates,
        forbidden_areas=water.assign(reason="水域")[["name", "reason", "geometry"]],
        population=population,
        reports=found.reports,
        roster=roster,
        patrol_duties=duties,
        patrol_effort=effort_layer(found.tracks, wanted, recipe),
        water=water,
        tracks=found.tracks,
        true_rate=found.true_rate,
    )


def build_streets(size: str = "town", *, seed: int | None = None) -> gpd.GeoDataFrame:
    """Return only the layer ``streets`` of the demo city, the same rows as the whole city has.

    Raises QuestionError on an unknown size.
    """
    recipe = load_recipe()
    return _streets(recipe.size(size), recipe, recipe.seed if seed is None else seed)[3].table


def write_demo_city(city: DemoCity, folder: Path | str) -> list[tuple[str, str, Path]]:
    """Write every layer to ``folder`` and return (layer, part, path) in the order to import them.

    Layers are GeoParquet, the roster CSV. Beside them lie water.parquet, tracks.parquet and true_rate.parquet, which
    are no layers of the store.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    layers: list[tuple[str, str, gpd.GeoDataFrame]] = [
        ("streets", "", city.streets),
        *(("areas", str(level), city.areas[level]) for level in LEVELS),
        ("grid-cells", "", city.grid_cells),
        ("service-points", "", city.service_points),
        ("rescue-stations", "", city.rescue_stations),
        ("candidates", "", city.candidates),
        ("forbidden-areas", "", city.forbidden_areas),
        ("population", "", city.population),
        ("reports", "", city.reports),
    ]
    written: list[tuple[str, str, Path]] = []
    for layer, part, table in layers:
        path = folder / f"{layer}{'-' + part if part else ''}.parquet"
        write_table(table, path)
        written.append((layer, part, path))
    roster, duties, effort = (
        folder / name for name in ("roster.csv", "patrol-duties.parquet", "patrol-effort.parquet")
    )
    write_table(city.roster, roster)
    write_table(city.patrol_duties, duties)
    write_table(city.patrol_effort, effort)
    write_table(city.water, folder / "water.parquet")
    write_table(city.tracks, folder / "tracks.parquet")
    write_table(city.true_rate, folder / "true_rate.parquet")
    return [*written, ("roster", "", roster), ("patrol-duties", "", duties), ("patrol-effort", "", effort)]


def _streets(size: SizeRecipe, recipe: Recipe, seed: int) -> tuple[Plan, Chains, Ground, Streets]:
    plan = draw_plan(size, recipe.plan, np.random.default_rng([seed, 0]))
    chains = lay_streets(plan, size, recipe.plan, np.random.default_rng([seed, 1]))
    ground = ground_of(plan, recipe.place)
    return plan, chains, ground, street_layer(plan, chains, ground, size, recipe, np.random.default_rng([seed, 2]))


def _water(plan: Plan, chains: Chains, ground: Ground, recipe: Recipe) -> gpd.GeoDataFrame:
    """Return the river, with its island left out, and the stream as polygons from border to border."""
    across = np.arange(plan.columns + 1)
    river_rim = (
        np.concatenate([np.full(len(across), plan.river_row - 1), np.full(len(across), plan.river_row + 1)]),
        np.concatenate([across, across[::-1]]),
    )
    stream = plan.stream_column
    along = np.arange(plan.river_row + 1, plan.columns + 1)
    stream_rim = (
        np.concatenate([along, along[::-1]]),
        np.concatenate([np.full(len(along), stream - 1), np.full(len(along), stream + 1)]),
    )

    def ring(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return np.column_stack(ground.lonlat(*ground.metres(row.astype(np.float64), column.astype(np.float64))))

    river = shapely.Polygon(ring(*river_rim), holes=[ring(*island_outline(plan, chains))])
    names = recipe.names
    return gpd.GeoDataFrame(
        {"name": [names["river"], names["stream"]]}, geometry=[river, shapely.Polygon(ring(*stream_rim))], crs=WGS84
    )
