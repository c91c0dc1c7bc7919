"""The tables of the store, built from the layers' schemas; the migrations create the same ones step by step."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

from layers.geometry_type import Geometry
from layers.records import LAYERS, Field, LayerSchema
from layers.run import ID_DIGITS

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
GEOMETRY_KINDS = {"line": "LINESTRING", "polygon": "MULTIPOLYGON", "point": "POINT", "point or none": "POINT"}
_SQL_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "text": Text, "choice": Text, "choices": Text, "hours": Text, "code": Text, "words": Text, "time": Text,
    "shift": Text, "integer": BigInteger, "number": Float, "date": Date, "datetime": DateTime, "flag": Boolean,
}  # fmt: skip
#: SQLite counts rows only in a column of type INTEGER.
_BIG_ID = BigInteger().with_variant(Integer, "sqlite")

LAYER_VERSION = Table(
    "layer_version",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("layer", String(40), nullable=False),
    Column("part", String(40), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("approximate", Boolean, nullable=False),
    Column("datum", String(10), nullable=False),
    Column("active", Boolean, nullable=False),
)
# one active version of a layer's part, whoever imports at the same moment
Index(
    "uq_layer_version_active",
    LAYER_VERSION.c.layer,
    LAYER_VERSION.c.part,
    unique=True,
    sqlite_where=text("active"),
    postgresql_where=text("active"),
)

RUN = Table(
    "run",
    METADATA,
    Column("id", String(ID_DIGITS), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("software", String(40), nullable=False),
    Column("seconds", Float, nullable=False),
)
RUN_TABLE = Table(
    "run_table",
    METADATA,
    Column("run_id", String(ID_DIGITS), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("parquet", LargeBinary, nullable=False),
)
SETTING = Table(
    "setting", METADATA, Column("name", String(80), primary_key=True), Column("value", Text, nullable=False)
)
DERIVED = Table(
    "derived", METADATA, Column("key", String(200), primary_key=True), Column("value", LargeBinary, nullable=False)
)


def _column(field: Field) -> Column[Any]:
    return Column(field.name, _SQL_TYPES[field.kind](), nullable=field.may_be_null)


def _layer_table(schema: LayerSchema) -> Table:
    columns = [
        Column("version_id", _BIG_ID, ForeignKey("layer_version.id", ondelete="CASCADE"), primary_key=True),
        Column("row", Integer, primary_key=True, autoincrement=False),
        *map(_column, schema.fields),
    ]
    if schema.has_geometry:
        kind = Geometry(GEOMETRY_KINDS[schema.geometry])
        columns.append(Column("geometry", kind, nullable=schema.geometry == "point or none"))
    table = Table(schema.table_name, METADATA, *columns)
    if schema.has_geometry:
        name = f"ix_{schema.table_name}_geometry"
        Index(name, table.c.geometry, postgresql_using="gist").ddl_if(dialect="postgresql")
    return table


LAYER_TABLES = {name: _layer_table(schema) for name, schema in LAYERS.items()}
