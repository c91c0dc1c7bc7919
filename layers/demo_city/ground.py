"""From the demo city's plan to the world and back: metres of its zone, WGS84 degrees."""

from dataclasses import dataclass

import numpy as np
import pyproj
from scipy.ndimage import map_coordinates

from layers.demo_city.plan import Floats, Ints, Plan
from layers.demo_city.recipe import PlaceRecipe

WGS84 = "EPSG:4326"


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Turns places of the plan into the world: origin_x, origin_y are the city centre in metres of ``crs``."""

    plan: Plan
    crs: str
    origin_x: float
    origin_y: float

    def metres(self, row: Floats | Ints, column: Floats | Ints) -> tuple[Floats, Floats]:
        """Return metres in ``crs`` of places (row, column) on the lattice, between its nodes too."""
        at = np.vstack([row, column])
        x = map_coordinates(self.plan.x, at, order=1, mode="nearest")
        y = map_coordinates(self.plan.y, at, order=1, mode="nearest")
        return x + self.origin_x, y + self.origin_y

    def lonlat(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return WGS84 degrees of metres in ``crs``, rounded to about a millimetre."""
        lon, lat = pyproj.Transformer.from_crs(self.crs, WGS84, always_xy=True).transform(x, y)
        return np.round(lon, 8), np.round(lat, 8)

    def shifted(self, lon: Floats, lat: Floats, distance_m: Floats, angle: Floats) -> tuple[Floats, Floats]:
        """Move places by ``distance_m`` towards ``angle`` (radians from east)."""
        x, y = pyproj.Transformer.from_crs(WGS84, self.crs, always_xy=True).transform(lon, lat)
        return self.lonlat(x + distance_m * np.cos(angle), y + distance_m * np.sin(angle))


def ground_of(plan: Plan, place: PlaceRecipe) -> Ground:
    """Set the plan's centre at ``place``."""
    x, y = pyproj.Transformer.from_crs(WGS84, place.crs, always_xy=True).transform(place.lon, place.lat)
    return Ground(plan, place.crs, float(round(x)), float(round(y)))
