"""The area of one place, by the boundaries of the moment."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gis.errors import StoreError
from layers.placing import area_codes
from layers.point_area import area_of_point
from layers.store import Store
from tests.layers.conftest import CITY, NOON, SOUTH, TABLES, WEST, square
from tests.layers.report_city import BETWEEN, HERE, IN_HERE, IN_THERE, OUTSIDE, THERE, with_areas


def area(store: Store, place: tuple[float, float]) -> str | None:
    with store.transaction() as connection:
        return area_of_point(connection, *place)


def test_a_place_lies_in_the_finest_area_that_holds_it(store: Store) -> None:
    with_areas(store)
    found = [area(store, place) for place in (IN_HERE, IN_THERE, BETWEEN, OUTSIDE)]
    assert found == [HERE, THERE, CITY, None]


def test_it_is_the_area_that_layers_are_placed_in(sqlite_store: Store) -> None:
    with_areas(sqlite_store)
    rng = np.random.default_rng(7)
    places = np.array([WEST, SOUTH]) + rng.uniform(0, 0.1, (40, 2))
    frame = gpd.GeoDataFrame(geometry=shapely.points(places), crs=4326)
    areas = {part: TABLES["areas", part]() for part in ("city", "subdistrict")}
    assert [area(sqlite_store, tuple(place)) for place in places] == area_codes("reports", frame, areas, {}).tolist()


def test_new_boundaries_count_at_once(store: Store) -> None:
    with_areas(store)
    moved = gpd.GeoDataFrame({"code": [THERE], "name": ["乙"]}, geometry=[square(0, 0)], crs=4326)
    store.import_layer("areas", "subdistrict", moved, source="f", sha256="1" * 64, now=NOON)
    assert area(store, IN_HERE) == THERE


def test_without_boundaries_every_place_is_the_citys(sqlite_store: Store) -> None:
    with pytest.raises(StoreError):
        area(sqlite_store, IN_HERE)
    sqlite_store.set_setting("city_code", "3201")
    assert area(sqlite_store, OUTSIDE) == CITY
