"""A whole store in one file and back, whichever database it came from and whichever it goes to.

The file is a zip of one Parquet member a table (geometry as plain WKB) and a manifest that names the schema's revision
and each member's rows and SHA-256. Everything is read in one snapshot and written in one transaction, batch by batch.
"""

import hashlib
import io
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import shapely
from sqlalchemy import Column, Connection, LargeBinary, Table, func, inspect, select, text, type_coerce
from sqlalchemy.types import TypeDecorator

from gis.errors import FileRefusedError, StoreError
from layers.connection import migrate, newest_revision, open_engine, parse_url, revision_of, transaction
from layers.geometry_type import Geometry, encode_geometries, wkb_of
from layers.schema import METADATA
from layers.store import Store

FORMAT, MANIFEST = "lamplight-backup-1", "manifest.json"
BACKUP_STEPS = tuple(f"备份 backing up {table.name}" for table in METADATA.sorted_tables)
RESTORE_STEPS = (
    "核对备份文件 checking the backup",
    *(f"写入 writing {table.name}" for table in METADATA.sorted_tables),
    "核对数据库 checking the store",
)
#: Rows fetched at once; fewer where a row may hold a whole file.
_ROWS, _ROWS_WITH_BLOBS = 5_000, 16
#: Bytes gathered before they are written as one row group, which restoring holds in memory again.
_ROW_GROUP_BYTES = 32 << 20
_CHUNK = 8 << 20
_LOCAL_HEADER = 30
_ARROW_TYPES: dict[type, pa.DataType] = {
    int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string(), bytes: pa.binary(),
    date: pa.date32(), datetime: pa.timestamp("us"),
}  # fmt: skip
#: What the zip and JSON of a file that is no backup may raise.
_UNREADABLE = (
    zipfile.BadZipFile, AttributeError, EOFError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
#: How a column of geometry is marked; the name GeoArrow gives it, so that other programs know it too.
_GEOMETRY_MARK = {b"ARROW:extension:name": b"geoarrow.wkb"}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Member:
    """One table in a backup: how many rows, and the SHA-256 of its Parquet bytes."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    revision : of the store's schema; software : the version that wrote it; created_at : UTC, ISO 8601.
    city : the store's setting "city_name", "" where it has none; tables : name -> member.
    """

    revision: str
    software: str
    created_at: str
    city: str
    tables: dict[str, Member]

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(member.rows for member in self.tables.values())


# --- out -----------------------------------------------------------------------------------------------------------


def write_backup(url: str, path: str | Path, *, now: datetime, progress: Tell = lambda step: None) -> Manifest:
    """Write all that the store at ``url`` holds to ``path``, as it was at one moment, while others read and write on.

    now : aware, when the backup is made. progress : told each of BACKUP_STEPS. The file is readable by its owner alone
    and bears its name only once it is whole; one that was there is replaced. Memory is bounded by the largest row.
    Raises StoreError where the store cannot be read, OSError where the file cannot be written.
    """
    target, made = Path(path), now.astimezone(UTC)
    store = Store(url)
    city = store.setting("city_name") or ""
    store.close()
    engine = open_engine(parse_url(url))
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)  # with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            with transaction(engine) as connection, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _begin_snapshot(connection)
                revision = revision_of(connection) or ""
                tables = {}
                for step, table in zip(BACKUP_STEPS, METADATA.sorted_tables, strict=True):
                    progress(step)
                    tables[table.name] = _write_member(archive, connection, table, made)
                manifest = Manifest(revision, version("lamplight"), made.isoformat(timespec="seconds"), city, tables)
                said = json.dumps({"format": FORMAT, **asdict(manifest)}, ensure_ascii=False)
                archive.writestr(zipfile.ZipInfo(MANIFEST, made.timetuple()[:6]), said)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    finally:
        engine.dispose()
    return manifest


def _begin_snapshot(connection: Connection) -> None:
    """Make all that follows see one moment; on SQLite the first read of a transaction does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # a policy that would hide rows is an error here, never a backup with holes
        connection.execute(text("SET LOCAL row_security = off"))


def _write_member(archive: zipfile.ZipFile, connection: Connection, table: Table, made: datetime) -> Member:
    schema = pa.schema([_arrow_field(column) for column in table.columns])
    rows = 0
    info = zipfile.ZipInfo(_member_name(table.name), made.timetuple()[:6])
    with archive.open(info, "w", force_zip64=True) as member:
        sink = _HashedSink(member)
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for group in _row_groups(connection, table, schema):
                rows += group.num_rows
                writer.write_table(group, row_group_size=max(group.num_rows, 1))
    return Member(rows, sink.digest.hexdigest())


def _member_name(table: str) -> str:
    return f"tables/{table}.parquet"


def _arrow_field(column: Column[Any]) -> pa.Field:
    if isinstance(column.type, Geometry):
        return pa.field(column.name, pa.binary(), metadata=_GEOMETRY_MARK)
    return pa.field(column.name, _ARROW_TYPES[column.type.python_type])


def _row_groups(connection: Connection, table: Table, schema: pa.Schema) -> Iterator[pa.Table]:
    query = select(*(_plain(column, connection.dialect.name) for column in table.columns))
    size = _ROWS_WITH_BLOBS if any(isinstance(column.type, LargeBinary) for column in table.columns) else _ROWS
    result = connection.execute(query.order_by(*table.primary_key), execution_options={"yield_per": size})
    gathered: list[pa.RecordBatch] = []
    for rows in result.partitions():
        columns = [pa.array(values, f.type) for values, f in zip(zip(*rows, strict=True), schema, strict=True)]
        gathered.append(pa.record_batch(columns, schema=schema))
        if sum(batch.nbytes for batch in gathered) > _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(gathered)
            gathered = []
    if gathered:
        yield pa.Table.from_batches(gathered)


def _plain(column: Column[Any], dialect: str) -> Any:
    """Select a column as what lies in the store, not as what a decorator makes of it."""
    if isinstance(column.type, Geometry):
        return wkb_of(column, dialect)
    if isinstance(column.type, TypeDecorator):
        return type_coerce(column, column.type.impl_instance)
    return column


class _HashedSink(io.RawIOBase):
    """Passes bytes on to a member of a zip, and takes their hash on the way."""

    def __init__(self, member: Any) -> None:
        self._member = member
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return int(self._member.write(data))


# --- back in -------------------------------------------------------------------------------------------------------


def restore_backup(path: str | Path, url: str, *, progress: Tell = lambda step: None) -> Manifest:
    """Fill the store at ``url``, which must hold nothing or not exist yet, with what a backup holds: all, or nothing.

    Every hash is checked before the first write, every count and the database's own integrity before the commit. A
    backup of an older schema goes into a database without tables and is then brought up to date as init does it.
    progress : told each of RESTORE_STEPS.
    Raises FileRefusedError on a file that is no whole backup, StoreError on a store that holds something, is of another
    revision, or refuses the rows.
    """
    progress(RESTORE_STEPS[0])
    archive = _Archive(Path(path))
    archive.check()
    address = parse_url(url)
    if archive.manifest.revision > newest_revision():
        raise StoreError(
            f"备份的数据库结构（{archive.manifest.revision}）比本软件新，请升级 Lamplight",
            f"the backup's schema ({archive.manifest.revision}) is newer than this Lamplight",
        )
    file = Path(address.database or "") if address.get_backend_name() == "sqlite" else None
    missing = file is not None and not file.exists()
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    engine = open_engine(address)
    try:
        with transaction(engine, writes=True) as connection:
            _restore(connection, archive, progress)
    except BaseException:
        engine.dispose()
        if file is not None and missing:
            for suffix in ("", "-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
        raise
    engine.dispose()
    store = Store(url)
    store.create()
    store.close()
    return archive.manifest


class _Archive:
    """A backup file mapped into memory, of which only what is looked at is read."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        if not path.is_file():
            raise FileRefusedError(f"找不到备份文件：{path}", f"there is no backup at {path}")
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = {info.filename: info for info in archive.infolist()}
                self.manifest = _manifest(json.loads(archive.read(MANIFEST)))
        except _UNREADABLE:
            raise FileRefusedError(
                f"{self._name}：不是 Lamplight 备份，或已损坏", f"{self._name}: no backup of Lamplight, or damaged"
            ) from None
        self._bytes = pa.memory_map(str(path)).read_buffer()

    def check(self) -> None:
        """Refuse the file where a member's bytes are not those that were written."""
        for name, member in self.manifest.tables.items():
            digest, data = hashlib.sha256(), memoryview(self._member(name))
            for start in range(0, len(data), _CHUNK):
                digest.update(data[start : start + _CHUNK])
            if digest.hexdigest() != member.sha256:
                raise self._damaged(name)

    def table(self, name: str) -> pq.ParquetFile:
        """Open the Parquet member of a table."""
        try:
            return pq.ParquetFile(pa.BufferReader(self._member(name)))
        except pa.ArrowInvalid:
            raise self._damaged(name) from None

    def _member(self, name: str) -> pa.Buffer:
        info = self._members.get(_member_name(name))
        if info is None or info.compress_type != zipfile.ZIP_STORED:
            raise self._damaged(name)
        header = self._bytes.slice(info.header_offset, _LOCAL_HEADER).to_pybytes()
        if len(header) < _LOCAL_HEADER:
            raise self._damaged(name)
        name_bytes, extra_bytes = struct.unpack("<HH", header[-4:])
        return self._bytes.slice(info.header_offset + _LOCAL_HEADER + name_bytes + extra_bytes, info.file_size)

    def _damaged(self, table: str) -> FileRefusedError:
        return FileRefusedError(
            f"{self._name}：表 {table} 的内容与清单不符，备份已损坏",
            f"{self._name}: table {table} is not what the manifest says, the backup is damaged",
        )


def _manifest(given: dict[str, Any]) -> Manifest:
    if given.pop("format") != FORMAT:
        raise ValueError(FORMAT)
    tables = {str(name): Member(int(m["rows"]), str(m["sha256"])) for name, m in given.pop("tables").items()}
    return Manifest(**{name: str(value) for name, value in given.items()}, tables=tables)


def _restore(connection: Connection, archive: _Archive, progress: Tell) -> None:
    manifest = archive.manifest
    found = revision_of(connection)
    if found is None:
        migrate(connection, revision=manifest.revision)
    elif found != manifest.revision:
        raise StoreError(
            f"备份的结构是 {manifest.revision}，数据库是 {found}：请恢复到尚未建库的空数据库",
            f"the backup's schema is {manifest.revision}, the store's {found}: restore into a database never created",
        )
    names = _tables_to_fill(connection, manifest)
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    steps = dict(zip((table.name for table in METADATA.sorted_tables), RESTORE_STEPS[1:-1], strict=True))
    for name in names:
        progress(steps[name])
        _fill(connection, name, archive.table(name))
    progress(RESTORE_STEPS[-1])
    _check(connection, manifest)
    if connection.dialect.name == "postgresql":
        _reset_sequences(connection, names)


def _tables_to_fill(connection: Connection, manifest: Manifest) -> list[str]:
    """Return the tables in an order that keeps references whole; raises StoreError unless all are there and empty."""
    there = set(inspect(connection).get_table_names())
    names = [table.name for table in METADATA.sorted_tables if table.name in there]
    if set(names) != set(manifest.tables):
        odd = ", ".join(sorted(set(names) ^ set(manifest.tables)))
        raise StoreError(f"备份与数据库的表不一致：{odd}", f"backup and store do not have the same tables: {odd}")
    for name in names:
        if connection.execute(select(1).select_from(METADATA.tables[name]).limit(1)).first() is not None:
            raise StoreError(
                f"数据库非空（表 {name} 有数据），只能恢复到空数据库",
                f"the store is not empty (table {name} has rows): restore into an empty one",
            )
    return names


def _fill(connection: Connection, name: str, source: pq.ParquetFile) -> None:
    columns, quote = source.schema_arrow.names, connection.dialect.identifier_preparer.quote
    odd = set(columns) ^ set(connection.exec_driver_sql(f"SELECT * FROM {quote(name)} LIMIT 0").keys())
    if odd:
        raise StoreError(
            f"备份的表 {name} 列不一致：{', '.join(sorted(odd))}",
            f"table {name} of the backup has other columns: {', '.join(sorted(odd))}",
        )
    into = f"{quote(name)} ({', '.join(map(quote, columns))})"
    batches = source.iter_batches(batch_size=_ROWS)
    if connection.dialect.name == "postgresql":
        # one statement a table, so that rows may refer to each other
        with connection.connection.cursor().copy(f"COPY {into} FROM STDIN (FORMAT csv)") as copy:
            for batch in batches:
                copy.write(_csv(batch))
        return
    statement = f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})"
    for batch in batches:
        rows = list(zip(*(_for_sqlite(column).to_pylist() for column in batch.columns), strict=True))
        connection.exec_driver_sql(statement, rows)


def _for_sqlite(column: pa.Array) -> pa.Array:
    if pa.types.is_temporal(column.type):
        return column.cast(pa.string())
    return column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column


def _csv(batch: pa.RecordBatch) -> memoryview:
    """Return rows as CSV for COPY: text is quoted and may be empty, an empty field without quotes is NULL."""
    columns = [_for_csv(batch.column(i), batch.schema.field(i)) for i in range(batch.num_columns)]
    sink = pa.BufferOutputStream()
    options = pa.csv.WriteOptions(include_header=False)
    pa.csv.write_csv(pa.record_batch(columns, names=batch.schema.names), sink, options)
    return memoryview(sink.getvalue())


def _for_csv(column: pa.Array, field: pa.Field) -> pa.Array:
    if not pa.types.is_binary(column.type):
        return column
    values = column.to_numpy(zero_copy_only=False)
    if field.metadata == _GEOMETRY_MARK:
        return pa.array(encode_geometries(shapely.from_wkb(values), "postgresql"), pa.string())
    return pa.array([None if value is None else f"\\x{value.hex()}" for value in values], pa.string())


def _check(connection: Connection, manifest: Manifest) -> None:
    """Refuse what was written where it is not what the backup holds; the transaction is rolled back."""
    for name, member in manifest.tables.items():
        count = connection.scalar(select(func.count()).select_from(METADATA.tables[name]))
        if count != member.rows:
            raise StoreError(
                f"表 {name} 写入 {count} 行，应为 {member.rows} 行", f"table {name} got {count} rows, not {member.rows}"
            )
    if connection.dialect.name == "sqlite":
        # PostgreSQL checks references as rows come in
        verdict = connection.scalar(text("PRAGMA integrity_check"))
        broken = connection.execute(text("PRAGMA foreign_key_check")).first()
        if verdict != "ok" or broken is not None:
            raise StoreError("恢复后的数据库未通过完整性检查", "the restored store fails its integrity check")


def _reset_sequences(connection: Connection, names: list[str]) -> None:
    """Let numbers given by PostgreSQL go on after the highest one restored."""
    for name in names:
        column = METADATA.tables[name].autoincrement_column
        if column is None:
            continue
        sequence = connection.scalar(select(func.pg_get_serial_sequence(name, column.name)))
        highest = connection.scalar(select(func.max(column)))
        if sequence is not None and highest is not None:
            connection.execute(select(func.setval(sequence, highest)))
