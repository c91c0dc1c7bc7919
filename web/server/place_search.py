"""A place in words: which streets, points and areas of the city a reader may mean."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from layers.codes import Level, ancestor_of
from layers.store import Store
from web.server.city import PublicCity

#: How many places a reader is asked to choose from.
MOST_PLACES = 12
LONGEST_QUERY = 80
#: Areas a reader may name, largest first.
LEVELS = (Level.DISTRICT, Level.SUBDISTRICT, Level.COMMUNITY)
#: In this order where all else is equal.
KINDS = ("street", "point", "area")


class Place(NamedTuple):
    """A place one can name, WGS84; kind : one of ``KINDS``; within : the area around it, "" where unknown."""

    kind: str
    name: str
    within: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Every place of a city that has a name.

    names : of each place, as ``plain`` writes it. addresses : likewise, "" where a place has none.
    """

    places: tuple[Place, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]

    def search(self, query: str) -> list[Place]:
        """Return the places ``query`` may mean, best first, at most ``MOST_PLACES``.

        Those of just that name alone, if there are any; else those whose name or address holds it, names that begin
        with it first; else those named in it, as in "环湖大道150号", longest name first.
        """
        asked = plain(query)
        if not asked:
            return []
        exact = [i for i, name in enumerate(self.names) if name == asked]
        holding = exact or [
            i for i, name in enumerate(self.names) if asked in name or asked in self.addresses[i]
        ]  # fmt: skip
        if not holding:
            inside = [i for i, name in enumerate(self.names) if len(name) > 1 and name in asked]
            longest = max((len(self.names[i]) for i in inside), default=0)
            holding = [i for i in inside if len(self.names[i]) == longest]
        holding.sort(key=lambda i: (not self.names[i].startswith(asked), len(self.names[i]), self._order(i)))
        return [self.places[i] for i in holding[:MOST_PLACES]]

    def _order(self, i: int) -> tuple[int, str, str]:
        place = self.places[i]
        return KINDS.index(place.kind), place.name, place.within


def plain(text: str) -> str:
    """Return a text as it is compared: full and half width, upper and lower case and spaces make no difference."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


@lru_cache(maxsize=2)
def places_of(city: PublicCity, store: Store) -> Places:
    """Return the named places of a city; made once for each state of it. store : for the names of areas alone."""
    areas = _areas(store)
    middles = _middles(city)
    found = [*_streets(city, areas, middles), *_named_areas(areas, middles)]
    addresses = [""] * len(found)
    for point in city.points.itertuples():
        found.append(Place("point", str(point.name), "", point.geometry.x, point.geometry.y))
        addresses.append(plain(str(point.address or "")))
    return Places(tuple(found), tuple(plain(place.name) for place in found), tuple(addresses))


def _areas(store: Store) -> dict[Level, gpd.GeoDataFrame]:
    current = store.current()
    wanted = [level for level in LEVELS if ("areas", str(level)) in current]
    return {level: store.load("areas", str(level), fields=("code", "name")) for level in wanted}


def _middles(city: PublicCity) -> NDArray[np.float64]:
    """Return (m, 2) the middle of each street segment: a place from which one can walk."""
    if city.network is None:
        return np.empty((0, 2))
    middles = shapely.line_interpolate_point(city.network.geometry, 0.5, normalized=True)
    return np.asarray(shapely.get_coordinates(middles), np.float64)


def _streets(
    city: PublicCity, areas: dict[Level, gpd.GeoDataFrame], middles: NDArray[np.float64]
) -> list[Place]:  # fmt: skip
    """Return each named street once for every subdistrict it runs through, at the middle of its part there."""
    if city.network is None:
        return []
    level = next((one for one in (Level.SUBDISTRICT, Level.DISTRICT) if one in areas), None)
    around = np.full(len(middles), -1) if level is None else _inside(middles, areas[level].geometry.to_numpy())
    labels = [] if level is None else _labels(areas, level)
    parts: dict[tuple[str, int], list[int]] = {}
    for i, name in enumerate(city.network.name):
        if name:
            parts.setdefault((str(name), int(around[i])), []).append(i)
    found = []
    for (name, area), members in parts.items():
        at = middles[members]
        lon, lat = at[np.argmin(np.abs(at - at.mean(axis=0)).sum(axis=1))]
        found.append(Place("street", name, labels[area] if area >= 0 else "", float(lon), float(lat)))
    return found


def _named_areas(areas: dict[Level, gpd.GeoDataFrame], middles: NDArray[np.float64]) -> list[Place]:
    """Return each area at the street nearest to its middle."""
    tree = cKDTree(middles) if len(middles) else None
    found = []
    for level, table in areas.items():
        inner = shapely.get_coordinates(shapely.point_on_surface(table.geometry.to_numpy()))
        at = inner if tree is None else middles[tree.query(inner)[1]]
        for name, label, (lon, lat) in zip(table["name"], _labels(areas, level), at, strict=True):
            if name:
                found.append(Place("area", str(name), label.removesuffix(str(name)), float(lon), float(lat)))
    return found


def _inside(at: NDArray[np.float64], polygons: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return (m,) the first polygon around each place, -1 for none."""
    which, polygon = shapely.STRtree(polygons).query(shapely.points(at), predicate="intersects")
    found = np.full(len(at), len(polygons))
    np.minimum.at(found, which, polygon)
    return np.where(found == len(polygons), -1, found)


def _labels(areas: dict[Level, gpd.GeoDataFrame], level: Level) -> list[str]:
    """Return the name of each area of a level after those of the areas around it: "灯湖区下门街道"."""
    above = [one for one in LEVELS[: LEVELS.index(level)] if one in areas]
    names = {one: dict(zip(areas[one]["code"], areas[one]["name"], strict=True)) for one in above}
    rows = zip(areas[level]["code"], areas[level]["name"], strict=True)
    return ["".join([*(names[one].get(ancestor_of(code, one), "") for one in above), name]) for code, name in rows]
