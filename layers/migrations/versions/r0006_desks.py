"""Jobs, nights as supervisors change them, what phones send, scenarios, and files on their way into a layer."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from layers.migrations.versions.r0001_city_records import BIG_ID, text_column
from layers.migrations.versions.r0005_server import CODE, INSIDE, ROLE, moment, policy, word

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: Parent -> (its column, tables whose rows are seen with it).
PARTS = {"job": ("job_id", ("job_line",)), "scenario": ("scenario_id", ("scenario_change",))}
AREAS = ("job", "night_route", "night_change", "phone_event", "scenario", "upload")
TABLES = (
    "upload", "scenario_change", "scenario", "phone_event", "night_change", "night_route", "night", "job_line", "job",
)  # fmt: skip


def upgrade() -> None:
    jobs()
    nights()
    table(
        "phone_event",
        part_of("account"),
        word("device", 64),
        sa.Column("number", BIG_ID, nullable=False),
        *map(moment, ("received_at", "at")),
        word("kind", 40),
        sa.Column("night_id", BIG_ID, sa.ForeignKey("night.id", ondelete="CASCADE"), nullable=True),
        word("crew", 40),
        area(),
        text_column("content"),
    )
    op.create_index("ix_phone_event_night_id", "phone_event", ["night_id"])
    op.create_index("uq_phone_event_number", "phone_event", ["account_id", "device", "number"], unique=True)
    scenarios()
    table(
        "upload",
        part_of("account"),
        area(),
        moment("at"),
        text_column("name"),
        *(word(name, 40) for name in ("layer", "part")),
        text_column("settings"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_upload_account_id", "upload", ["account_id"])
    if op.get_bind().dialect.name == "postgresql":
        guard()


def jobs() -> None:
    table(
        "job",
        word("kind", 40),
        text_column("parameters"),
        word("state", 40),
        area(),
        made_by(),
        moment("created_at"),
        *(moment(name, nullable=True) for name in ("started_at", "ended_at", "seen_at")),
        text_column("worker"),
        number("attempts"),
        flag("cancel_asked"),
        text_column("progress"),
        sa.Column("run_id", sa.String(12), nullable=True),
    )
    op.create_index("ix_job_state", "job", ["state"])
    table("job_line", part_of("job"), moment("at"), *map(text_column, ("zh", "en")))
    op.create_index("ix_job_line_job_id", "job_line", ["job_id"])


def nights() -> None:
    table(
        "night",
        sa.Column("date", sa.Date(), nullable=False),
        area(),
        word("run_id", 12),
        word("state", 40),
        moment("created_at"),
        made_by(),
        number("version"),
    )
    op.create_index("ix_night_date", "night", ["date"])
    table(
        "night_route",
        part_of("night"),
        word("crew", 40),
        area(),
        *map(text_column, ("persons", "route")),
        flag("locked"),
        moment("ill_from", nullable=True),
        number("changed_in"),
    )
    op.create_index("uq_night_route_crew", "night_route", ["night_id", "crew"], unique=True)
    table(
        "night_change",
        part_of("night"),
        number("number"),
        moment("at"),
        made_by(),
        area(),
        word("action", 40),
        text_column("detail"),
        sa.Column("undoes", sa.Integer(), nullable=True),
    )
    op.create_index("uq_night_change_number", "night_change", ["night_id", "number"], unique=True)


def scenarios() -> None:
    table(
        "scenario",
        text_column("name"),
        area(),
        made_by(),
        text_column("note"),
        word("state", 40),
        *map(moment, ("created_at", "changed_at")),
        number("version"),
    )
    table(
        "scenario_change",
        part_of("scenario"),
        number("number"),
        moment("at"),
        made_by(),
        word("action", 40),
        *map(text_column, ("code", "detail")),
    )
    op.create_index("ix_scenario_change_scenario_id", "scenario_change", ["scenario_id"])


def table(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, sa.Column("id", BIG_ID, primary_key=True, autoincrement=True), *columns)


def part_of(parent: str) -> sa.Column[Any]:
    return sa.Column(f"{parent}_id", BIG_ID, sa.ForeignKey(f"{parent}.id", ondelete="CASCADE"), nullable=False)


def made_by() -> sa.Column[Any]:
    return sa.Column("account_id", BIG_ID, sa.ForeignKey("account.id"), nullable=True)


def area() -> sa.Column[Any]:
    return sa.Column("area_code", CODE, nullable=False)


def number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def guard() -> None:
    """Hold back the rows of other areas; a night itself says only when and from which plan, its routes say who."""
    rights = "SELECT, INSERT, UPDATE, DELETE"
    for name in AREAS:
        policy(name, INSIDE.format("area_code"), rights)
    for parent, (column, tables) in PARTS.items():
        for name in tables:
            policy(name, f"EXISTS (SELECT 1 FROM {parent} AS p WHERE p.id = {name}.{column})", rights)
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON night TO {ROLE}")
    op.execute(f"GRANT SELECT ON run, run_table TO {ROLE}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"REVOKE SELECT ON run, run_table FROM {ROLE}")
    for name in TABLES:
        op.drop_table(name)
