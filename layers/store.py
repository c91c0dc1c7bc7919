"""Where a city is kept: layers in versions, runs, settings, and a cache of what can be derived again."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from sqlalchemy import Connection, Select, Table, delete, insert, select, text

from gis.errors import RecordError, StoreError
from gis.network import StreetNetwork
from gis.network_build import network_from_records
from layers.connection import migrate, newer_schema, newest_revision, open_engine, parse_url, revision_of, transaction
from layers.records import layer_schema
from layers.rows import canonical_table
from layers.run import Run, parquet_bytes, table_from_parquet
from layers.run_scope import is_seen, narrowing, seen_run
from layers.schema import DERIVED, LAYER_TABLES, LAYER_VERSION, RUN, RUN_TABLE, SETTING
from layers.scope import Scope
from layers.version_rows import NAMING_SEGMENTS, PLACED, LayerVersion, NewVersion, RowWriter, load_rows

#: The first revision of the schema whose rows know their area.
FIRST_WITH_SCOPES = "0005"
#: What is done last in the transaction that makes new versions.
Also = Callable[[Connection, Sequence[LayerVersion]], None]


class UnknownRunError(StoreError):
    """There is no such analysis, or none the caller may see."""


class Store:
    """A city's records behind one address, on SQLite or on PostgreSQL with PostGIS.

    Every public call is one transaction. Raises StoreError where the store is missing, was never created, is newer
    than this software, or fails.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine = open_engine(self._url)
        self._checked = False
        self._scope: Scope | None = None

    @property
    def scope(self) -> Scope | None:
        """What this store sees; None where it sees everything."""
        return self._scope

    @property
    def address(self) -> str:
        """The store's address, its password hidden."""
        return self._url.render_as_string(hide_password=True)

    def create(self) -> None:
        """Create the store, or bring an older one up to date; nothing happens to one that is."""
        if self._file is not None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._file.touch(mode=0o600)  # nobody else on the machine reads who was found where
            except OSError as error:
                raise StoreError(f"无法创建数据库目录：{error}", f"cannot make the store's folder: {error}") from None
        with transaction(self._engine, writes=True) as connection:
            found = revision_of(connection)
            migrate(connection)
            if found is not None and found < FIRST_WITH_SCOPES:
                RowWriter(connection).place_again(tuple(LAYER_TABLES))
        self._checked = True

    def within(self, scope: Scope) -> "Store":
        """Return this store as somebody sees it who may see one area and below; closing either closes both.

        What is read and written goes through the same scope, and on PostgreSQL through its policies of rows as well,
        under a role that owns nothing. Layers cannot be imported nor runs kept through it.
        """
        scoped = Store.__new__(Store)
        scoped._url, scoped._engine, scoped._checked, scoped._scope = self._url, self._engine, self._checked, scope
        return scoped

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    # layers

    def import_layer(
        self,
        layer: str,
        part: str,
        table: pd.DataFrame,
        *,
        source: str,
        sha256: str,
        note: str = "",
        rejected: int = 0,
        approximate: bool = False,
        datum: str = "wgs84",
        now: datetime | None = None,
    ) -> LayerVersion:
        """Make ``table`` (validated, WGS84) the active version of a layer's part, in one transaction.

        source : the file's name; sha256 : of its bytes; rejected : rows left out; now : UTC, the clock's by default.
        Raises RecordError on an unknown layer or part, or a table that lacks a required column.
        """
        new = NewVersion(layer, part, table, source, sha256, note, rejected, approximate, datum)
        return self.import_layers([new], now=now)[0]

    def import_layers(
        self, new: Sequence[NewVersion], *, now: datetime | None = None, also: Also | None = None
    ) -> list[LayerVersion]:
        """Make several tables active versions in one transaction: all of them and what is ``also`` done, or nothing."""
        created_at = (now or datetime.now(UTC)).replace(tzinfo=None)
        ready = [(_known_part(item), canonical_table(item.layer, item.table)) for item in new]
        with self.writing() as connection:
            writer = RowWriter(connection)
            made = [writer.insert(item, table, created_at) for item, table in ready]
            moved = {item.layer for item in new}
            if "areas" in moved:
                RowWriter(connection).place_again(PLACED)
            elif "streets" in moved:
                writer.place_again(NAMING_SEGMENTS)
            if also is not None:
                also(connection, made)
            return made

    def versions(self, layer: str | None = None, part: str | None = None) -> list[LayerVersion]:
        """Return every version kept, newest first; of one layer, of one part where given."""
        query = select(LAYER_VERSION).order_by(LAYER_VERSION.c.id.desc())
        if layer is not None:
            query = query.where(LAYER_VERSION.c.layer == layer_schema(layer).name)
        if part is not None:
            query = query.where(LAYER_VERSION.c.part == part)
        with self._reading() as connection:
            return [LayerVersion(**row._mapping) for row in connection.execute(query)]

    def current(self) -> dict[tuple[str, str], LayerVersion]:
        """Return the active version of each (layer, part) imported so far."""
        return {(v.layer, v.part): v for v in reversed(self.versions()) if v.active}

    def load(
        self, layer: str, part: str = "", *, version: int | None = None, fields: Sequence[str] | None = None
    ) -> gpd.GeoDataFrame:
        """Return the records of a layer's part in canonical order: of its active version, or of ``version``.

        fields : only these (and the geometry), for a large layer of which little is wanted.
        Columns as in ``layers.records``; WGS84; a layer without geometry gives a frame without one.
        Raises StoreError where nothing was imported or no such version is kept.
        """
        chosen = self._version(layer, part, version)
        with self._reading() as connection:
            return load_rows(connection, chosen, fields=fields, scope=self._scope)

    def load_network(self, *, version: int | None = None) -> StreetNetwork:
        """Return the street network of the active version of ``streets``, or of ``version``."""
        return network_from_records(self.load("streets", version=version))

    def prune(self) -> list[LayerVersion]:
        """Remove every version that is not active, and the derived cache; return what was removed."""
        old = [version for version in self.versions() if not version.active]
        with self.writing() as connection:
            for version in old:
                connection.execute(delete(LAYER_VERSION).where(LAYER_VERSION.c.id == version.id))
            connection.execute(delete(DERIVED))
        return old

    def _version(self, layer: str, part: str, version: int | None) -> LayerVersion:
        kept = self.versions(layer, part)
        wanted = [v for v in kept if (v.active if version is None else v.id == version)]
        if wanted:
            return wanted[0]
        name = f"{layer} {part}".strip()
        if version is None:
            raise StoreError(f"尚未导入图层：{name}", f"layer {name} has not been imported yet")
        raise StoreError(f"图层 {name} 没有版本 {version}", f"layer {name} has no version {version}")

    # runs

    def save_run(self, run: Run, *, now: datetime | None = None, known: Collection[str] | None = None) -> Run:
        """Keep an analysis with its tables and return it with its time; one that is kept already stays as it is.

        known : ids of all runs of its kind that the caller went by; raises StoreError where another has come since,
        so that what rests on all of them is kept by one writer after the other.
        """
        with self.writing() as connection:
            if known is not None:
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"LOCK TABLE {RUN.name} IN SHARE ROW EXCLUSIVE MODE"))
                if set(connection.scalars(select(RUN.c.id).where(RUN.c.kind == run.kind))) != set(known):
                    raise StoreError("他人刚刚保存了同类结果，请重试", "somebody else has just kept one: try again")
            _insert_run(connection, run, now)
        return self.run(run.id)

    def merge_runs(self, run: Run, merged: Collection[str], *, now: datetime | None = None) -> None:
        """Keep ``run`` in the place of the runs ``merged`` (their ids), all in one transaction."""
        with self.writing() as connection:
            _insert_run(connection, run, now)
            for run_id in merged:
                _delete_run(connection, run_id)

    def run(self, run_id: str) -> Run:
        """Return one analysis with its tables, by its id or the id's unmistakable beginning.

        Inside a scope it holds only what ``layers.run_scope`` lets through. Raises UnknownRunError where none or
        several begin so.
        """
        with self._reading() as connection:
            scope = narrowing(connection, self._scope)
            found = _seen(connection, select(RUN).where(RUN.c.id.startswith(run_id, autoescape=True)), scope)
            if len(found) != 1 or not run_id:
                how_zh, how_en = ("没有", "there is no") if not found else ("有多个", "there are several")
                raise UnknownRunError(f"{how_zh}编号以 {run_id} 开头的分析", f"{how_en} run beginning with {run_id!r}")
            kept = select(RUN_TABLE).where(RUN_TABLE.c.run_id == found[0].id).order_by(RUN_TABLE.c.name)
            tables = {t.name: table_from_parquet(t.parquet) for t in connection.execute(kept)}
            run = _run_from(found[0], tables)
            return run if scope is None else seen_run(connection, run, scope)

    def runs(self, kind: str | None = None) -> list[Run]:
        """Return the analyses kept, newest first, without their tables."""
        query = select(RUN).order_by(RUN.c.created_at.desc(), RUN.c.id)
        if kind is not None:
            query = query.where(RUN.c.kind == kind)
        with self._reading() as connection:
            scope = narrowing(connection, self._scope)
            runs = [_run_from(row, {}) for row in _seen(connection, query, scope)]
            return runs if scope is None else [seen_run(connection, run, scope) for run in runs]

    def remove_runs(self, kind: str, before: datetime) -> int:
        """Remove the analyses of a kind kept before ``before`` (UTC), with their tables; return how many they were."""
        limit = before.replace(tzinfo=None)
        old = [run.id for run in self.runs(kind) if run.created_at is not None and run.created_at < limit]
        with self.writing() as connection:
            for run_id in old:
                _delete_run(connection, run_id)
        return len(old)

    # settings and the derived cache

    def setting(self, name: str, default: str | None = None) -> str | None:
        """Return a setting such as "city_name", "city_code" or "timezone"; ``default`` where it was never set."""
        with self._reading() as connection:
            value = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == name))
        return default if value is None else str(value)

    def set_setting(self, name: str, value: str) -> None:
        """Set a setting."""
        _replace(self, SETTING, {"name": name, "value": value})

    def derived(self, key: str) -> bytes | None:
        """Return what was derived earlier under ``key`` (which names the content hashes it came from), or None."""
        with self._reading() as connection:
            value = connection.scalar(select(DERIVED.c.value).where(DERIVED.c.key == key))
        return None if value is None else bytes(value)

    def keep_derived(self, key: str, value: bytes) -> None:
        """Keep bytes that can be computed again, until the next prune."""
        _replace(self, DERIVED, {"key": key, "value": value})

    # transactions

    @property
    def _file(self) -> Path | None:
        database = self._url.database or ""
        kept_in_file = self._url.get_backend_name() == "sqlite" and database not in {"", ":memory:"}
        return Path(database) if kept_in_file else None

    def _reading(self) -> Any:
        return self.transaction()

    def writing(self) -> AbstractContextManager[Connection]:
        """Open one transaction that changes the whole city's records; raises StoreError on a scoped store."""
        if self._scope is not None:
            raise StoreError("本账号不能改动全市数据", "the whole city's records cannot be changed from one area")
        return self.transaction(writes=True)

    def transaction(self, *, writes: bool = False) -> AbstractContextManager[Connection]:
        """Open one transaction inside the scope; other modules of this folder narrow their queries by it."""
        self._check()
        return transaction(self._engine, writes=writes, scope=self._scope)

    def _check(self) -> None:
        if self._checked:
            return
        if self._file is not None and not self._file.is_file():
            raise StoreError(
                f"找不到数据库：{self._file}（请先用 lamplight init 建库）",
                f"there is no store at {self._file}: create it first (lamplight init)",
            )
        with transaction(self._engine) as connection:
            found, newest = revision_of(connection), newest_revision()
        if found is None:
            raise StoreError(f"数据库尚未建库：{self.address}", f"the store {self.address} was never created")
        if found > newest:
            raise newer_schema(found)
        if found < newest:
            raise StoreError(
                "数据库结构较旧，请运行 lamplight init 升级，数据不变",
                "the store's schema is older: upgrade it with lamplight init, which keeps its data",
            )
        self._checked = True


def _known_part(new: NewVersion) -> NewVersion:
    schema = layer_schema(new.layer)
    if new.part not in schema.parts:
        known = ", ".join(filter(None, schema.parts)) or "-"
        raise RecordError(
            f"图层 {new.layer} 没有“{new.part}”部分（可用：{known}）",
            f"layer {new.layer} has no part {new.part!r}: expected {known}",
        )
    return new


def _replace(store: Store, table: Table, values: Mapping[str, Any]) -> None:
    key = next(iter(table.primary_key))
    with store.writing() as connection:
        connection.execute(delete(table).where(key == values[key.name]))
        connection.execute(insert(table).values(values))


def _insert_run(connection: Connection, run: Run, now: datetime | None) -> None:
    """Insert a run with its tables, unless it is there."""
    if connection.scalar(select(RUN.c.id).where(RUN.c.id == run.id)) is not None:
        return
    row = {
        "id": run.id, "kind": run.kind, "created_at": (now or datetime.now(UTC)).replace(tzinfo=None),
        "parameters": _json(run.parameters), "inputs": _json(run.inputs), "software": run.software,
        "seconds": run.seconds,
    }  # fmt: skip
    connection.execute(insert(RUN).values(row))
    for name, table in run.tables.items():
        values = {"run_id": run.id, "name": name, "parquet": parquet_bytes(table)}
        connection.execute(insert(RUN_TABLE).values(values))


def _delete_run(connection: Connection, run_id: str) -> None:
    connection.execute(delete(RUN_TABLE).where(RUN_TABLE.c.run_id == run_id))
    connection.execute(delete(RUN).where(RUN.c.id == run_id))


def _seen(connection: Connection, query: Select[Any], scope: Scope | None) -> list[Any]:
    """Return the rows of runs that exist for ``scope``; None: all."""
    rows = connection.execute(query).all()
    return [row for row in rows if scope is None or is_seen(connection, json.loads(row.parameters), scope)]


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=False, sort_keys=True)


def _run_from(row: Any, tables: Mapping[str, pd.DataFrame]) -> Run:
    parameters, inputs = json.loads(row.parameters), json.loads(row.inputs)
    return Run(row.kind, parameters, inputs, tables, row.software, row.seconds, row.created_at)
