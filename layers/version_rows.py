"""The rows of a layer's version on their way into the store and out of it, inside somebody's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, CursorResult, insert, select, text, update

from gis.errors import StoreError
from layers.geometry_type import wkb_of
from layers.placing import area_codes
from layers.records import LAYERS, SCOPE_COLUMN, layer_schema
from layers.rows import content_sha256, driver_rows, table_from_rows
from layers.schema import LAYER_TABLES, LAYER_VERSION
from layers.scope import Scope, seen

ROWS_A_CHUNK = 10_000
#: Layers whose rows may name a street segment, and lie where it lies; layers that stand in an area without saying it.
NAMING_SEGMENTS = frozenset(s.name for s in LAYERS.values() if s.name != "streets" and "segment_id" in s.field_names)
PLACED = frozenset(LAYERS) - {"areas", "grid-cells"}


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One import of a layer's part: what came in, when, from where.

    created_at : UTC, naive. file_sha256 : of the file's bytes; content_sha256 : of the records, whatever the file.
    approximate : its lines or places are a stand-in, which every result drawn from them must say.
    datum : what the file was taken to be in; active : whether questions use it (an older one stays to compare with).
    """

    id: int
    layer: str
    part: str
    created_at: datetime
    source: str
    file_sha256: str
    content_sha256: str
    accepted: int
    rejected: int
    note: str
    approximate: bool
    datum: str
    active: bool


@dataclass(frozen=True, slots=True, eq=False)
class NewVersion:
    """A validated table about to become a layer's active version."""

    layer: str
    part: str
    table: pd.DataFrame
    source: str
    sha256: str
    note: str = ""
    rejected: int = 0
    approximate: bool = False
    datum: str = "wgs84"


class RowWriter:
    """Writes versions of layers in one transaction, each row with the area it lies in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, new: NewVersion, table: gpd.GeoDataFrame, created_at: datetime) -> LayerVersion:
        """Make a canonical ``table`` the active version of its layer's part."""
        same_part = (LAYER_VERSION.c.layer == new.layer) & (LAYER_VERSION.c.part == new.part)
        active = same_part & LAYER_VERSION.c.active
        self._connection.execute(update(LAYER_VERSION).where(active).values(active=False))
        values: dict[str, Any] = {
            "layer": new.layer, "part": new.part, "created_at": created_at, "source": new.source,
            "file_sha256": new.sha256, "content_sha256": content_sha256(new.layer, table, approximate=new.approximate),
            "accepted": len(table), "rejected": new.rejected, "note": new.note, "approximate": new.approximate,
            "datum": new.datum, "active": True,
        }  # fmt: skip
        version_id = _inserted_id(self._connection.execute(insert(LAYER_VERSION).values(values)))
        _insert_rows(self._connection, new.layer, table, version_id, self._codes(new.layer, table))
        return LayerVersion(id=version_id, **values)

    def place_again(self, layers: Collection[str]) -> None:
        """Find the area of every row of the active versions of ``layers`` anew, streets before what names them."""
        versions = [version for version in active_versions(self._connection) if version.layer in layers]
        for version in sorted(versions, key=lambda v: v.layer != "streets"):
            table = load_rows(self._connection, version)
            _update_codes(self._connection, version, self._codes(version.layer, table))

    def _codes(self, layer: str, table: gpd.GeoDataFrame) -> NDArray[np.object_]:
        return area_codes(layer, table, self._areas, self._segment_area() if layer in NAMING_SEGMENTS else {})

    @cached_property
    def _areas(self) -> dict[str, gpd.GeoDataFrame]:
        """The areas of each tier, as of the first time they are asked for."""
        tiers = [version for version in active_versions(self._connection) if version.layer == "areas"]
        return {version.part: load_rows(self._connection, version) for version in tiers}

    def _segment_area(self) -> dict[int, str]:
        version = next((v for v in active_versions(self._connection) if v.layer == "streets"), None)
        if version is None:
            return {}
        table = LAYER_TABLES["streets"]
        query = select(table.c.segment_id, table.c[SCOPE_COLUMN]).where(table.c.version_id == version.id)
        return {int(segment): str(code) for segment, code in self._connection.execute(query)}


def active_versions(connection: Connection) -> list[LayerVersion]:
    """Return the active version of each layer's part, as the transaction sees them."""
    query = select(LAYER_VERSION).where(LAYER_VERSION.c.active).order_by(LAYER_VERSION.c.id)
    return [LayerVersion(**row._mapping) for row in connection.execute(query)]


def load_rows(
    connection: Connection,
    version: LayerVersion,
    *,
    fields: Sequence[str] | None = None,
    scope: Scope | None = None,
) -> gpd.GeoDataFrame:
    """Return the records of a version in canonical order: ``fields`` or all, those inside ``scope`` or all."""
    schema, table = layer_schema(version.layer), LAYER_TABLES[version.layer]
    wanted = [field for field in schema.fields if fields is None or field.name in fields]
    columns: list[Any] = [table.c[field.name] for field in wanted]
    if schema.has_geometry:
        columns.append(wkb_of(table.c.geometry, connection.dialect.name))
    query = select(*columns).where(table.c.version_id == version.id).order_by(table.c.row)
    return table_from_rows(version.layer, connection.execute(seen(query, table, scope)).all(), wanted)


def _insert_rows(
    connection: Connection, layer: str, table: gpd.GeoDataFrame, version_id: int, codes: NDArray[np.object_]
) -> None:
    """Insert through the driver itself, in chunks on SQLite and by COPY on PostgreSQL: statements are too slow."""
    dialect = connection.dialect.name
    names, rows = driver_rows(layer, table, version_id, codes, dialect)
    target = LAYER_TABLES[layer].name
    columns = ", ".join(f'"{name}"' for name in names)
    if dialect == "postgresql":
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY {target} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    statement = f"INSERT INTO {target} ({columns}) VALUES ({', '.join('?' * len(names))})"
    for start in range(0, len(rows), ROWS_A_CHUNK):
        connection.exec_driver_sql(statement, rows[start : start + ROWS_A_CHUNK])


def _update_codes(connection: Connection, version: LayerVersion, codes: NDArray[np.object_]) -> None:
    """Write the area of each row, whole columns at once: a city's streets are a million."""
    target = LAYER_TABLES[version.layer].name
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                f"UPDATE {target} SET {SCOPE_COLUMN} = given.code FROM unnest(CAST(:codes AS text[])) "
                f"WITH ORDINALITY AS given(code, place) WHERE version_id = :version AND row = given.place - 1"
            ),
            {"codes": codes.tolist(), "version": version.id},
        )
        return
    statement = f"UPDATE {target} SET {SCOPE_COLUMN} = ? WHERE version_id = ? AND row = ? AND {SCOPE_COLUMN} <> ?"
    rows = [(code, version.id, row, code) for row, code in enumerate(codes.tolist())]
    for start in range(0, len(rows), ROWS_A_CHUNK):
        connection.exec_driver_sql(statement, rows[start : start + ROWS_A_CHUNK])


def _inserted_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    if key is None:
        raise StoreError("数据库没有返回新记录的编号", "the store gave no id for a new record")
    return int(key[0])
