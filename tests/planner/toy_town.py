"""A toy town whose every figure can be worked out by hand, walked at one metre a second.

    y
  600        D (P2)
             |
             |   community North (y > 300): a total of 120 people
  300 - - - -|- - - - -
             |
    0  A--P1-B---------C      E-----F      A, B, C: x = 0, 600, 1200;  E, F: x = 2000, 2300;  P1: x = 100
 -100  G===============H                   a motorway, x = 0 to 1200

Subdistrict West x < 700 (communities South y < 300, North), East 700 < x < 1500 (one community), Empty 1500 < x < 1900.
The city and its one district reach from x = -500 to 3000: E-F lies in no subdistrict.
"""

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely import LineString, Point, box

from gis.crs import to_lonlat
from layers.store import Store

CITY, DISTRICT = "320100000000", "320102000000"
WEST, EAST, EMPTY = "320102001000", "320102002000", "320102003000"
SOUTH, NORTH, EAST_COMMUNITY = "320102001001", "320102001002", "320102002001"
CELL = "320102001001001"


def placed(shape):
    """Carry a shape from metres around the town's origin to WGS84."""
    return shapely.transform(shape, lambda x, y: to_lonlat(x + 500_000, y + 3_550_000, "EPSG:4549"), interleaved=False)


def frame(geometry: list, **columns: list) -> gpd.GeoDataFrame:
    shapes = [None if shape is None else placed(shape) for shape in geometry]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def streets() -> gpd.GeoDataFrame:
    ends = [(0, 0), (600, 0), (1200, 0), (600, 600), (2000, 0), (2300, 0), (0, -100), (1200, -100)]
    u, v = [0, 1, 1, 4, 6], [1, 2, 3, 5, 7]
    return frame(
        [LineString([ends[a], ends[b]]) for a, b in zip(u, v, strict=True)],
        segment_id=[1, 2, 3, 4, 5],
        u=u,
        v=v,
        length_m=[600.0, 600.0, 600.0, 300.0, 1200.0],
        oneway=[0] * 5,
        street_class=["residential"] * 4 + ["motorway"],
        name=["Main Street West", "Main Street East", "North Road", "Far Lane", "Ring"],
        free_kmh=[np.nan] * 5,
    )


def areas(part: str) -> gpd.GeoDataFrame:
    whole = box(-500, -500, 3000, 2000)
    rows = {
        "city": [(CITY, "Toytown", whole)],
        "district": [(DISTRICT, "Centre", whole)],
        "subdistrict": [
            (WEST, "West", box(-500, -500, 700, 2000)),
            (EAST, "East", box(700, -500, 1500, 2000)),
            (EMPTY, "Empty", box(1500, -500, 1900, 2000)),
        ],
        "community": [
            (SOUTH, "South", box(-500, -500, 700, 300)),
            (NORTH, "North", box(-500, 300, 700, 2000)),
            (EAST_COMMUNITY, "East One", box(700, -500, 1500, 2000)),
        ],
    }[part]
    return frame([r[2] for r in rows], code=[r[0] for r in rows], name=[r[1] for r in rows])


def service_points() -> gpd.GeoDataFrame:
    return frame(
        [Point(100, 0), Point(600, 600), Point(1200, 0)],
        code=["P1", "P2", "P3"],
        name=["Day Centre", "Night Centre", "Planned Centre"],
        functions=["reception,guidance", "reception,reporting", "reception,reporting,guidance,temporary_service"],
        hours=["Mo-Fr 08:00-18:00", "24/7", "24/7"],
        build_state=["existing", "existing", "build"],
        capacity=[10.0, 20.0, 5.0],
    )


def population() -> gpd.GeoDataFrame:
    """Homes at 70 s, 1,000 s, without a way, and in the river; a total for North."""
    return frame(
        [Point(50, 20), Point(1100, 0), Point(2100, 0), Point(1000, 1000), None],
        people=[10.0, 30.0, 5.0, 7.0, 120.0],
        area_code=[None, None, None, None, NORTH],
    )


def reports() -> gpd.GeoDataFrame:
    when = [dt.datetime(2024, 3, 1, 22, 0), dt.datetime(2024, 3, 2, 2, 30)]
    return frame([Point(300, 0), Point(950, 0)], report_id=["R1", "R2"], found_at=when, people=[1, 2])


def roster() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person": ["Li", "Wang", "Zhao"],
            "role": ["supervisor", "supervisor", "assistant"],
            "area_code": [WEST, EAST, SOUTH],
            "from_date": [dt.date(2024, 1, 1)] * 3,
            "until_date": [None, dt.date(2024, 6, 30), None],
        }
    )


def layers_of_town() -> dict[tuple[str, str], pd.DataFrame]:
    cell = frame([box(-500, -500, 300, 300)], code=[CELL], name=["Cell"], community=[SOUTH])
    tiers = {("areas", part): areas(part) for part in ("city", "district", "subdistrict", "community")}
    return {
        ("streets", ""): streets(),
        **tiers,
        ("grid-cells", ""): cell,
        ("service-points", ""): service_points(),
        ("population", ""): population(),
        ("reports", ""): reports(),
        ("roster", ""): roster(),
    }


def keep(store: Store, layers: dict[tuple[str, str], pd.DataFrame]) -> Store:
    for (layer, part), table in layers.items():
        store.import_layer(layer, part, table, source="toy", sha256="0")
    return store
