"""The city's records, their versions, runs, settings and the derived cache."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from layers.geometry_type import Geometry

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
LAYERS = ("streets", "areas", "grid_cells", "service_points", "rescue_stations", "population", "reports", "roster")


def text_column(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def layer_table(name: str, *columns: sa.Column[Any], kind: str = "", geometry_nullable: bool = False) -> None:
    geometry: list[sa.Column[Any]] = [sa.Column("geometry", Geometry(kind), nullable=geometry_nullable)] if kind else []
    op.create_table(
        name,
        sa.Column("version_id", BIG_ID, nullable=False),
        sa.Column("row", sa.Integer(), nullable=False, autoincrement=False),
        *columns,
        *geometry,
        sa.ForeignKeyConstraint(["version_id"], ["layer_version.id"], ondelete="CASCADE", name=f"fk_{name}_version_id"),
        sa.PrimaryKeyConstraint("version_id", "row", name=f"pk_{name}"),
    )
    if kind and op.get_bind().dialect.name == "postgresql":
        op.create_index(f"ix_{name}_geometry", name, ["geometry"], postgresql_using="gist")


def upgrade() -> None:
    bookkeeping()
    layer_table(
        "streets",
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("u", sa.BigInteger(), nullable=False),
        sa.Column("v", sa.BigInteger(), nullable=False),
        sa.Column("length_m", sa.Float(), nullable=False),
        sa.Column("oneway", sa.BigInteger(), nullable=False),
        text_column("street_class"),
        text_column("name"),
        sa.Column("free_kmh", sa.Float(), nullable=True),
        kind="LINESTRING",
    )
    layer_table(
        "areas",
        text_column("code"),
        text_column("name"),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        kind="MULTIPOLYGON",
    )
    layer_table(
        "grid_cells", text_column("code"), text_column("name"), text_column("community", True), kind="MULTIPOLYGON"
    )
    layer_table(
        "service_points",
        *map(text_column, ("code", "name", "functions", "hours", "operating_mode", "build_state")),
        sa.Column("capacity", sa.Float(), nullable=True),
        text_column("phone"),
        text_column("address"),
        sa.Column("last_verified", sa.Date(), nullable=True),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        kind="POINT",
    )
    layer_table(
        "rescue_stations",
        *map(text_column, ("code", "name", "phone", "address", "hours")),
        sa.Column("capacity", sa.Float(), nullable=True),
        text_column("position_note"),
        kind="POINT",
    )
    layer_table(
        "population",
        sa.Column("people", sa.Float(), nullable=False),
        text_column("area_code", True),
        kind="POINT",
        geometry_nullable=True,
    )
    layer_table(
        "reports",
        text_column("report_id"),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        text_column("channel"),
        text_column("outcome"),
        sa.Column("people", sa.BigInteger(), nullable=False),
        kind="POINT",
    )
    layer_table(
        "roster",
        *map(text_column, ("person", "role", "area_code", "phone")),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("until_date", sa.Date(), nullable=True),
    )


def bookkeeping() -> None:
    op.create_table(
        "layer_version",
        sa.Column("id", BIG_ID, nullable=False, autoincrement=True),
        sa.Column("layer", sa.String(40), nullable=False),
        sa.Column("part", sa.String(40), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        text_column("source"),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        text_column("note"),
        sa.Column("approximate", sa.Boolean(), nullable=False),
        sa.Column("datum", sa.String(10), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_layer_version"),
    )
    op.create_index(
        "uq_layer_version_active",
        "layer_version",
        ["layer", "part"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        text_column("parameters"),
        text_column("inputs"),
        sa.Column("software", sa.String(40), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_table(
        "run_table",
        sa.Column("run_id", sa.String(12), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("parquet", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], ondelete="CASCADE", name="fk_run_table_run_id"),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_run_table"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(80), nullable=False),
        text_column("value"),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
    op.create_table(
        "derived",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_derived"),
    )


def downgrade() -> None:
    for name in (*LAYERS, "run_table", "run", "setting", "derived", "layer_version"):
        op.drop_table(name)
