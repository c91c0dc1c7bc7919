"""The demo city's recipe, read from data/demo_city/recipe.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from gis.errors import QuestionError

RECIPE = Path(__file__).parents[2] / "data" / "demo_city" / "recipe.toml"


@dataclass(frozen=True, slots=True)
class PlaceRecipe:
    """Where the fictional city lies and how it is labelled."""

    name: str
    code: str
    notice_zh: str
    notice_en: str
    lon: float
    lat: float
    crs: str
    valid_from: date


@dataclass(frozen=True, slots=True)
class SizeRecipe:
    """How much of everything a size of city has.

    The plan has ``columns`` squares of ``spacing_m`` per side, chosen so that about ``segments`` come out.
    """

    segments: int
    columns: int
    spacing_m: float
    districts: int
    subdistricts: int
    communities: int
    grid_cells: int
    people: int
    reports: int
    service_points: int
    rescue_stations: int
    river_bridges: int
    satellites: int
    interchanges: int
    patrol_workers: int
    effort_months: int


@dataclass(frozen=True, slots=True)
class PlanRecipe:
    """Shape of the plan and shares of its features; see the comments in the recipe."""

    stretch: float
    tilt_degrees: float
    swirl_degrees: float
    arterial_every: tuple[int, int]
    primary_every: int
    missing_arterial: float
    leaf_squares: tuple[float, float]
    river_width_m: float
    river_row: float
    stream_width_m: float
    stream_column: float
    roundness: float
    outline_roughness: float
    dead_end_share: float
    footpath_share: float
    park_share: float
    industry_share: float
    missing_minor: tuple[float, float]
    frontage_share: float
    oneway_share: float
    loop_share: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """The whole recipe; the sections that only one part reads stay mappings."""

    seed: int
    place: PlaceRecipe
    sizes: Mapping[str, SizeRecipe]
    plan: PlanRecipe
    free_kmh: Mapping[str, float]
    names: Mapping[str, Any]
    services: Mapping[str, Any]
    candidates: Mapping[str, Any]
    roster: Mapping[str, Any]
    reports: Mapping[str, Any]
    patrol: Mapping[str, Any]

    def size(self, name: str) -> SizeRecipe:
        """Return the size called ``name``; QuestionError names the sizes there are."""
        if name not in self.sizes:
            known = ", ".join(self.sizes)
            raise QuestionError(
                f"没有名为 {name} 的示例城市规模，可选：{known}", f"no demo city size {name!r}: choose from {known}"
            )
        return self.sizes[name]


@cache
def load_recipe(path: Path = RECIPE) -> Recipe:
    """Read the recipe from ``path``."""
    with path.open("rb") as file:
        raw = tomllib.load(file)
    plan: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw["plan"].items()}
    return Recipe(
        seed=raw["seed"],
        place=PlaceRecipe(**raw["place"]),
        sizes={name: SizeRecipe(**size) for name, size in raw["sizes"].items()},
        plan=PlanRecipe(**plan),
        free_kmh=raw["free_kmh"],
        names=raw.get("names", {}),
        services=raw.get("services", {}),
        candidates=raw.get("candidates", {}),
        roster=raw.get("roster", {}),
        reports=raw.get("reports", {}),
        patrol=raw.get("patrol", {}),
    )
