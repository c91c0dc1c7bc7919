"""A private PostgreSQL server with PostGIS for the tests, started when first asked for."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql

from tests.requirements import missing


class PostgisServer(NamedTuple):
    """A private PostgreSQL server with a template database that has PostGIS."""

    folder: Path
    binaries: Path
    numbers: Iterator[int]

    def connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), user="lamplight", dbname=database, autocommit=True)

    def new_database(self, request: pytest.FixtureRequest, template: str = "with_postgis") -> str:
        """Create a database like ``template`` for as long as who requests it lasts, and return its address."""
        name = f"city_{next(self.numbers)}"
        create = "CREATE DATABASE {} TEMPLATE {}"
        with self.connect("postgres") as connection:
            # Copied as files, as releases before 15 always did: half the time of a copy through the log, half the disk.
            create += " STRATEGY file_copy" if connection.info.server_version >= 15_00_00 else ""
            connection.execute(sql.SQL(create).format(sql.Identifier(name), sql.Identifier(template)))
        request.addfinalizer(lambda: self._drop(name))  # a run makes a thousand, of some 12 MB each
        return f"postgresql://lamplight@/{name}?host={self.folder}"

    def _drop(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_of(url: str) -> str:
    """Return the name of the database at an address."""
    return url.removeprefix("postgresql://lamplight@/").partition("?")[0]


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
        missing("a PostgreSQL server (initdb, pg_ctl)")
    folder = Path(tempfile.mkdtemp(prefix="lamplight-pg-"))
    run_as = _as_server_user(folder)
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    initdb = [*run_as, binaries / "initdb", "-D", data, "-A", "trust", "-U", "lamplight", "-E", "UTF8", "--no-sync"]
    subprocess.run([*initdb, "--locale=C"], **quiet)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c jit=off"
    options += " -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=128MB"
    pg_ctl = [*run_as, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*pg_ctl, "-o", options, "start"], **quiet)
    server = PostgisServer(folder, binaries, count())
    try:
        with server.connect("postgres") as connection:
            connection.execute("CREATE DATABASE with_postgis")
        try:
            with server.connect("with_postgis") as connection:
                connection.execute("CREATE EXTENSION postgis")
        except psycopg.Error:
            missing("the PostGIS extension of PostgreSQL")
        yield server
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)
