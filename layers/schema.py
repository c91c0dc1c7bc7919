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
from layers.records import LAYERS, SCOPE_COLUMN, Field, LayerSchema
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
#: Codes are compared as text, byte by byte, whatever language the database server speaks.
CODE = Text().with_variant(Text(collation="C"), "postgresql")

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

ACCOUNT = Table(
    "account",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("username", String(80), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", String(40), nullable=False),
    Column("area_code", CODE, nullable=False),
    Column("receiver", String(40), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("uniquifier", String(64), nullable=False, unique=True),
    Column("totp_secret", Text, nullable=True),
    Column("recovery_codes", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", DateTime, nullable=True),
    Column("created_at", DateTime, nullable=False),
)
SESSION = Table(
    "session",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("account_id", _BIG_ID, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("device", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("seen_at", DateTime, nullable=False),
    Column("revoked_at", DateTime, nullable=True),
)
API_TOKEN = Table(
    "api_token",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("account_id", _BIG_ID, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime, nullable=True),
)
INCOMING_REPORT = Table(
    "incoming_report",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("submission_sha256", String(64), nullable=False, unique=True),
    Column("received_at", DateTime, nullable=False),
    Column("changed_at", DateTime, nullable=False),
    Column("channel", String(40), nullable=False),
    Column("state", String(40), nullable=False, index=True),
    Column("outcome", String(40), nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("area_code", CODE, nullable=False),
    Column("geometry", Geometry("POINT"), nullable=False),
    Column("place", Text, nullable=False),
    Column("needs", Text, nullable=False),
    Column("people", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("assigned_to", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("duplicate_of", _BIG_ID, ForeignKey("incoming_report.id"), nullable=True),
    Column("purged_at", DateTime, nullable=True),
    Column("version", Integer, nullable=False),
)
# who may see a report, how many there are and in which order they are listed, all without touching a row
Index(
    "ix_incoming_report_area_code",
    *(INCOMING_REPORT.c[name] for name in ("area_code", "state", "urgency", "id", "assigned_to")),
)
Index("ix_incoming_report_geometry", INCOMING_REPORT.c.geometry, postgresql_using="gist").ddl_if(dialect="postgresql")
REPORT_STEP = Table(
    "report_step",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("report_id", _BIG_ID, ForeignKey("incoming_report.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", DateTime, nullable=False),
    Column("account_id", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("before", String(40), nullable=False),
    Column("after", String(40), nullable=False),
    Column("note", Text, nullable=False),
)
REFERRAL = Table(
    "referral",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("report_id", _BIG_ID, ForeignKey("incoming_report.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("receiver", String(40), nullable=False),
    Column("made_to", _BIG_ID, ForeignKey("account.id"), nullable=True, index=True),
    Column("place", Text, nullable=False),
    Column("made_at", DateTime, nullable=False),
    Column("made_by", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("due_at", DateTime, nullable=False),
    Column("received_at", DateTime, nullable=True),
    Column("received_by", Text, nullable=False),
)
PHOTO = Table(
    "photo",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("report_id", _BIG_ID, ForeignKey("incoming_report.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("added_at", DateTime, nullable=False),
    Column("jpeg", LargeBinary, nullable=False),
)
AUDIT_ENTRY = Table(
    "audit_entry",
    METADATA,
    Column("number", _BIG_ID, primary_key=True, autoincrement=False),
    Column("at", DateTime, nullable=False),
    Column("account_id", _BIG_ID, nullable=True),
    Column("action", String(80), nullable=False),
    Column("object", Text, nullable=False),
    Column("area_code", CODE, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous_sha256", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
#: One row once there is an entry: their number and the last one's hash, so that none is lost from the end unnoticed.
AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", _BIG_ID, nullable=False),
    Column("sha256", String(64), nullable=False),
)
JOB = Table(
    "job",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("state", String(40), nullable=False, index=True),
    Column("area_code", CODE, nullable=False),
    Column("account_id", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("created_at", DateTime, nullable=False),
    Column("started_at", DateTime, nullable=True),
    Column("ended_at", DateTime, nullable=True),
    Column("seen_at", DateTime, nullable=True),
    Column("worker", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("cancel_asked", Boolean, nullable=False),
    Column("progress", Text, nullable=False),
    Column("run_id", String(ID_DIGITS), nullable=True),
)
JOB_LINE = Table(
    "job_line",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("job_id", _BIG_ID, ForeignKey("job.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", DateTime, nullable=False),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
)
NIGHT = Table(
    "night",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("date", Date, nullable=False, index=True),
    Column("area_code", CODE, nullable=False),
    Column("run_id", String(ID_DIGITS), nullable=False),
    Column("state", String(40), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("account_id", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("version", Integer, nullable=False),
)
NIGHT_ROUTE = Table(
    "night_route",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("night_id", _BIG_ID, ForeignKey("night.id", ondelete="CASCADE"), nullable=False),
    Column("crew", String(40), nullable=False),
    Column("area_code", CODE, nullable=False),
    Column("persons", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("ill_from", DateTime, nullable=True),
    Column("changed_in", Integer, nullable=False),
)
Index("uq_night_route_crew", NIGHT_ROUTE.c.night_id, NIGHT_ROUTE.c.crew, unique=True)
NIGHT_CHANGE = Table(
    "night_change",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("night_id", _BIG_ID, ForeignKey("night.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("account_id", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("area_code", CODE, nullable=False),
    Column("action", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("undoes", Integer, nullable=True),
)
Index("uq_night_change_number", NIGHT_CHANGE.c.night_id, NIGHT_CHANGE.c.number, unique=True)
#: What phones sent, each event once: numbered by the phone, whatever way it came.
PHONE_EVENT = Table(
    "phone_event",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("account_id", _BIG_ID, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("device", String(64), nullable=False),
    Column("number", _BIG_ID, nullable=False),
    Column("received_at", DateTime, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("night_id", _BIG_ID, ForeignKey("night.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("crew", String(40), nullable=False),
    Column("area_code", CODE, nullable=False),
    Column("content", Text, nullable=False),
)
Index("uq_phone_event_number", PHONE_EVENT.c.account_id, PHONE_EVENT.c.device, PHONE_EVENT.c.number, unique=True)
SCENARIO = Table(
    "scenario",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("area_code", CODE, nullable=False),
    Column("account_id", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("note", Text, nullable=False),
    Column("state", String(40), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("changed_at", DateTime, nullable=False),
    Column("version", Integer, nullable=False),
)
SCENARIO_CHANGE = Table(
    "scenario_change",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("scenario_id", _BIG_ID, ForeignKey("scenario.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("account_id", _BIG_ID, ForeignKey("account.id"), nullable=True),
    Column("action", String(40), nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
#: A file on its way into a layer, between its preview and its import.
UPLOAD = Table(
    "upload",
    METADATA,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("account_id", _BIG_ID, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("area_code", CODE, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("name", Text, nullable=False),
    Column("layer", String(40), nullable=False),
    Column("part", String(40), nullable=False),
    Column("settings", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
#: Tables of the server of which a scoped store sees only the rows of its area.
SCOPED = (
    ACCOUNT, INCOMING_REPORT, AUDIT_ENTRY, JOB, NIGHT_ROUTE, NIGHT_CHANGE, PHONE_EVENT, SCENARIO, UPLOAD,
)  # fmt: skip


def _column(field: Field) -> Column[Any]:
    return Column(field.name, _SQL_TYPES[field.kind](), nullable=field.may_be_null)


def _layer_table(schema: LayerSchema) -> Table:
    columns = [
        Column("version_id", _BIG_ID, ForeignKey("layer_version.id", ondelete="CASCADE"), primary_key=True),
        Column("row", Integer, primary_key=True, autoincrement=False),
        *map(_column, schema.fields),
        Column(SCOPE_COLUMN, CODE, nullable=False, server_default=""),
    ]
    if schema.has_geometry:
        kind = Geometry(GEOMETRY_KINDS[schema.geometry])
        columns.append(Column("geometry", kind, nullable=schema.geometry == "point or none"))
    table = Table(schema.table_name, METADATA, *columns)
    Index(f"ix_{schema.table_name}_scope_code", table.c.version_id, table.c[SCOPE_COLUMN])
    if schema.has_geometry:
        name = f"ix_{schema.table_name}_geometry"
        Index(name, table.c.geometry, postgresql_using="gist").ddl_if(dialect="postgresql")
    return table


LAYER_TABLES = {name: _layer_table(schema) for name, schema in LAYERS.items()}
