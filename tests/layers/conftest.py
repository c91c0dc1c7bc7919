"""A store on each database, and a small city to keep in it."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from layers.store import Store
from tests.postgis_server import PostgisServer, database_of

CITY = "320100000000"
WEST, SOUTH = 118.78, 32.04


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of this test's own, on each backend in turn; empty, but for a test of ``store``."""
    created = "store" in request.fixturenames  # what all of those would make first is copied
    if request.param == "sqlite":
        if created:
            shutil.copy(request.getfixturevalue("blank_file"), tmp_path / "city.sqlite")
        return f"sqlite:///{tmp_path / 'city.sqlite'}"
    server: PostgisServer = request.getfixturevalue("postgis_server")
    if created:
        return server.new_database(request, request.getfixturevalue("blank_database"))
    return server.new_database(request)


@pytest.fixture(scope="session")
def blank_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without records in one SQLite file; to be copied, never written to."""
    path = tmp_path_factory.mktemp("blank") / "city.sqlite"
    _created(str(path)).close()
    return path


@pytest.fixture(scope="session")
def blank_database(postgis_server: PostgisServer, request: pytest.FixtureRequest) -> str:
    """The name of a database that holds a store without records, to be used as a template."""
    url = postgis_server.new_database(request)
    _created(url).close()
    return database_of(url)


def _created(address: str) -> Store:
    made = Store(address)
    made.create()
    return made


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = _created(store_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(blank_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite alone, for what does not depend on the database."""
    shutil.copy(blank_file, tmp_path / "plain.sqlite")
    opened = _created(str(tmp_path / "plain.sqlite"))
    yield opened
    opened.close()


def square(column: int, row: int, side: float = 0.01) -> shapely.Polygon:
    x, y = WEST + column * side, SOUTH + row * side
    return shapely.box(x, y, x + side, y + side)


def frame(columns: dict[str, list[object]], shapes: list[object] | None = None) -> gpd.GeoDataFrame:
    if shapes is None:
        return gpd.GeoDataFrame(pd.DataFrame(columns))
    return gpd.GeoDataFrame(columns, geometry=np.array(shapes, object), crs=4326)


TABLES: dict[tuple[str, str], Callable[[], gpd.GeoDataFrame]] = {
    ("streets", ""): lambda: frame(
        {
            "segment_id": [3, 1, 2],
            "u": [0, 1, 1],
            "v": [1, 2, 1],
            "length_m": [95.5, 120.0, 0.0],
            "oneway": [0, 1, -1],
            "street_class": ["residential", "primary", ""],
            "name": ["中山路", "", 'O\'Hare "x"'],
            "free_kmh": [float("nan"), 50.0, 30.0],
        },
        [
            shapely.LineString([(WEST + i / 1000, SOUTH), (WEST + (i + 1) / 1000, SOUTH + 0.0001234567891)])
            for i in range(3)
        ],
    ),
    ("areas", "city"): lambda: frame({"code": [CITY], "name": ["试验市"]}, [shapely.union_all([square(0, 0, 0.1)])]),
    ("areas", "subdistrict"): lambda: frame(
        {
            "code": ["320102003000", "320102002000"],
            "name": ["乙街道", "甲街道"],
            "valid_from": [date(2020, 1, 1), None],
            "valid_to": [None, None],
        },
        [shapely.MultiPolygon([square(1, 0), square(3, 0)]), square(0, 0)],
    ),
    ("grid-cells", ""): lambda: frame(
        {"code": ["320102002001002", "320102002001001"], "name": ["二", "一"], "community": ["320102002001"] * 2},
        [square(1, 1, 0.001), square(0, 1, 0.001)],
    ),
    ("service-points", ""): lambda: frame(
        {
            "code": ["B", "A"],
            "name": ["乙点", "甲点"],
            "functions": ["guidance", "reception,reporting,guidance,temporary_service"],
            "hours": ["Mo-Fr 08:30-17:30", ""],
            "operating_mode": ["embedded", ""],
            "build_state": ["existing", "build"],
            "capacity": [float("nan"), 12.0],
            "phone": ["025-1", ""],
            "address": ["某路 1 号", ""],
            "last_verified": [date(2025, 5, 6), None],
            "withheld": [True, False],
        },
        [shapely.Point(WEST + 0.001, SOUTH), shapely.Point(WEST, SOUTH)],
    ),
    ("rescue-stations", ""): lambda: frame({"code": ["S1"], "name": ["救助站"]}, [shapely.Point(WEST, SOUTH)]),
    ("candidates", ""): lambda: frame(
        {
            "code": ["C2", "C1"],
            "place": ["A", ""],
            "build_state": ["upgrade", "build"],
            "cost": [5.0, float("nan")],
            "functions": ["guidance", "reception,reporting,guidance,temporary_service"],
            "hours": ["24/7", "Mo-Fr 08:30-17:30"],
        },
        [shapely.Point(WEST, SOUTH), shapely.Point(WEST + 0.003, SOUTH)],
    ),
    ("forbidden-areas", ""): lambda: frame({"name": ["湖"], "reason": ["水域"]}, [square(2, 2)]),
    ("population", ""): lambda: frame(
        {"people": [10.5, 1200.0], "area_code": [None, "320102000000"]}, [shapely.Point(WEST, SOUTH), None]
    ),
    ("reports", ""): lambda: frame(
        {
            "report_id": ["R2", "R1"],
            "found_at": pd.to_datetime(["2025-01-02 23:59:59", "2025-01-01 02:00:00"]),
            "channel": ["patrol", "hotline"],
            "outcome": ["", "referred"],
            "people": [1, 3],
        },
        [shapely.Point(WEST, SOUTH), shapely.Point(WEST + 0.002, SOUTH)],
    ),
    ("roster", ""): lambda: frame(
        {
            "person": ["张三", "李四"],
            "role": ["supervisor", "grid_worker"],
            "area_code": ["320102002000", "320102002001001"],
            "phone": ["1", ""],
            "from_date": [date(2025, 1, 1), date(2025, 2, 1)],
            "until_date": [None, date(2025, 12, 31)],
            "mode": ["walk", "ebike"],
            "shift": ["", "22:00-02:00"],
            "break_min": [float("nan"), 20.0],
            "max_min": [float("nan"), 220.0],
            "station": ["", "A"],
            "pair": ["", "甲"],
            "certificates": ["", "急救,手语"],
            "days_off": ["", "Mon,Tue"],
        }
    ),
    ("patrol-duties", ""): lambda: frame(
        {
            "duty_id": ["D3", "D1", "D2"],
            "segment_id": [None, 3, None],
            "area_code": [None, None, "320102002000"],
            "name": ["桥洞", "", ""],
            "times_a_week": [7, 3, 1],
            "priority": [5.0, 1.0, 0.5],
            "must": [True, False, False],
            "sides": ["either", "both", "either"],
            "service_kmh": [float("nan"), 3.0, float("nan")],
            "opens": ["21:00", "", ""],
            "closes": ["24:00", "", "02:00"],
            "dwell_min": [10.0, float("nan"), float("nan")],
            "certificate": ["急救", "", ""],
        },
        [shapely.Point(WEST, SOUTH), None, None],
    ),
    ("patrol-effort", ""): lambda: frame(
        {
            "segment_id": [3, 1],
            "walked_from": [date(2025, 1, 1), date(2025, 1, 1)],
            "walked_until": [date(2025, 3, 31), None],
            "hours": ["18:00-24:00", ""],
            "passes": [7.5, 1.0],
        }
    ),
    ("weather", ""): lambda: frame({"date": [date(2025, 1, 2), date(2025, 1, 1)], "weather": ["wet", "cold"]}),
    ("calendar", ""): lambda: frame(
        {
            "date": [date(2026, 10, 1), date(2026, 2, 14)],
            "kind": ["holiday", "workday"],
            "name": ["国庆节", ""],
        }
    ),
}
NOON = datetime(2026, 3, 1, 12, 0)
