"""A store on each database, and a small city to keep in it."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import psycopg
import pytest
import shapely
from psycopg import sql

from layers.store import Store

CITY = "320100000000"
WEST, SOUTH = 118.78, 32.04


def lacking(what: str) -> None:
    """Skip by name on a user's machine; fail where everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")


class PostgisServer(NamedTuple):
    """A private PostgreSQL server with a template database that has PostGIS."""

    folder: Path
    made: list[str]

    def connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), user="lamplight", dbname=database, autocommit=True)

    def new_database(self, template: str = "with_postgis") -> str:
        """Create an empty database and return its address."""
        name = f"city_{len(self.made)}"
        self.made.append(name)
        with self.connect("postgres") as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            connection.execute(statement)
        return f"postgresql://lamplight@/{name}?host={self.folder}"


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


def _as_server_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: hand the folder to another user and run as that one."""
    if os.geteuid() != 0:
        return []
    import pwd

    for user in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            continue
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return []


@pytest.fixture(scope="session")
def postgis_server() -> Iterator[PostgisServer]:
    binaries = _binaries()
    if binaries is None:
        lacking("a PostgreSQL server (initdb, pg_ctl)")
        raise AssertionError(getpass.getuser())
    folder = Path(tempfile.mkdtemp(prefix="lamplight-pg-"))
    run_as = _as_server_user(folder)
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    initdb = [*run_as, binaries / "initdb", "-D", data, "-A", "trust", "-U", "lamplight", "-E", "UTF8", "--no-sync"]
    subprocess.run([*initdb, "--locale=C"], **quiet)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c jit=off"
    pg_ctl = [*run_as, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*pg_ctl, "-o", options, "start"], **quiet)
    server = PostgisServer(folder, [])
    try:
        with server.connect("postgres") as connection:
            connection.execute("CREATE DATABASE with_postgis")
        try:
            with server.connect("with_postgis") as connection:
                connection.execute("CREATE EXTENSION postgis")
        except psycopg.Error:
            lacking("the PostGIS extension of PostgreSQL")
        yield server
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, on each backend in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'city.sqlite'}"
    server: PostgisServer = request.getfixturevalue("postgis_server")
    return server.new_database()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    opened.create()
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite alone, for what does not depend on the database."""
    opened = Store(str(tmp_path / "plain.sqlite"))
    opened.create()
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
        }
    ),
}
NOON = datetime(2026, 3, 1, 12, 0)
