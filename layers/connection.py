"""Opens the store: one engine per address, its transactions, its migrations, and its failures in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError

from gis.errors import RecordError, StoreError
from layers.scope import SCOPED_ROLE, Scope

BUSY_TIMEOUT_MS = 30_000
MIGRATIONS = Path(__file__).parent / "migrations"


def parse_url(address: str) -> URL:
    """Return the database address ``address`` names: a URL, or the path of a SQLite file.

    Raises StoreError on any database but SQLite and PostgreSQL.
    """
    if "://" not in address:
        return URL.create("sqlite", database=address)
    try:
        url = make_url(address)
    except ArgumentError:
        raise StoreError("数据库地址无法识别", "the database address cannot be read") from None
    backend = url.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreError(
            f"不支持的数据库：{backend}（可用 sqlite、postgresql）",
            f"unsupported database {backend!r}: expected sqlite or postgresql",
        )
    return url


def absolute_address(address: str) -> str:
    """Return a store's address, password and all, that means the same in every folder of this machine."""
    url = parse_url(address)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


def open_engine(url: URL) -> Engine:
    """Return an engine for ``url``; nothing is connected to yet."""
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=url.get_backend_name() == "postgresql")
    except (NoSuchModuleError, ImportError, ArgumentError):
        raise StoreError("数据库驱动缺失或地址无效", "the database driver is missing or the address is wrong") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    # the driver must not open transactions by itself: it would leave schema changes outside of them
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # a writer takes its lock at once: one that read first could be refused half-way
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, writes: bool = False, scope: Scope | None = None) -> Iterator[Connection]:
    """Open one transaction, committed at the end and rolled back on any failure.

    scope : on PostgreSQL the rows outside it do not exist for this transaction, whatever it asks.
    Raises StoreError, without the password, where the database itself refuses; RecordError on values no row can hold.
    """
    try:
        with engine.connect().execution_options(writes=writes) as connection, connection.begin():
            if scope is not None and engine.dialect.name == "postgresql":
                _enter(connection, scope)
            yield connection
    except (DataError, OverflowError):  # from whoever asked: 30 digits in an address, say; SQLite's driver tells first
        raise RecordError(
            "数字或文字超出数据库能保存的范围", "a number or a text is not one that the store can hold"
        ) from None
    except DBAPIError as error:
        raise store_error(engine.url, error.orig or error) from None  # the driver's own text may quote a row
    except engine.dialect.loaded_dbapi.Error as error:  # where rows go past SQLAlchemy
        raise store_error(engine.url, error) from None


def _enter(connection: Connection, scope: Scope) -> None:
    """Give up the owner's rights until the transaction ends, and say which codes its policies let through."""
    connection.execute(text(f"SET LOCAL ROLE {SCOPED_ROLE}"))
    connection.execute(
        text("SELECT set_config('lamplight.lowest', :lowest, true), set_config('lamplight.beyond', :beyond, true)"),
        {"lowest": scope.lowest, "beyond": scope.beyond},
    )


def store_error(url: URL, error: BaseException) -> StoreError:
    """Put a database's refusal in one sentence that names the store and never its password nor a row's content."""
    lines = str(error).strip().splitlines()
    reason = (lines or ["unknown"])[0]
    if url.password:
        reason = reason.replace(str(url.password), "***")
    place = url.render_as_string(hide_password=True)
    return StoreError(f"数据库出错（{place}）：{reason}", f"the store {place} failed: {reason}")


def migrate(connection: Connection, *, revision: str = "head") -> None:
    """Bring the schema up to a revision, the newest by default, inside the transaction of ``connection``.

    Raises StoreError where PostgreSQL lacks PostGIS, or the schema is newer than this software.
    """
    if connection.dialect.name == "postgresql":
        _require_postgis(connection)
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision_of(connection)
    if found is not None and found not in known:
        raise newer_schema(found)
    if revision not in {*known, "head"}:
        raise newer_schema(revision)
    if found is None and connection.dialect.name == "sqlite" and inspect(connection).get_table_names():
        raise StoreError("这个 SQLite 文件属于别的程序", "this SQLite file belongs to another program")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _require_postgis(connection: Connection) -> None:
    if _has_postgis(connection):
        return
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise StoreError(
            f"数据库没有 PostGIS 扩展，且无法自动创建：{reason}（请管理员执行 CREATE EXTENSION postgis）",
            f"the database has no PostGIS and it could not be added: {reason} (ask for CREATE EXTENSION postgis)",
        ) from None


def _has_postgis(connection: Connection) -> bool:
    return bool(connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'")))


def revision_of(connection: Connection) -> str | None:
    """Return the schema revision the store is at; None where none was ever created."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """Return the schema revision this software works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def newer_schema(found: str) -> StoreError:
    """Return the refusal of a store made by newer software."""
    return StoreError(
        f"数据库结构（{found}）比本软件新，请升级 Lamplight",
        f"the store's schema ({found}) is newer than this Lamplight",
    )
