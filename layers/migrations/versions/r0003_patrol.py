"""What must be patrolled, and how those on the roster patrol."""

import sqlalchemy as sa
from alembic import op

from layers.migrations.versions.r0001_city_records import layer_table, text_column

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: What stands for everyone listed before these columns were there.
ROSTER_DEFAULTS = {"mode": "walk", "shift": "", "station": "", "pair": "", "certificates": "", "days_off": ""}
ROSTER_NUMBERS = ("break_min", "max_min")


def upgrade() -> None:
    layer_table(
        "patrol_duties",
        text_column("duty_id"),
        sa.Column("segment_id", sa.BigInteger(), nullable=True),
        text_column("area_code", True),
        text_column("name"),
        sa.Column("times_a_week", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("must", sa.Boolean(), nullable=False),
        text_column("sides"),
        sa.Column("service_kmh", sa.Float(), nullable=True),
        text_column("opens"),
        text_column("closes"),
        sa.Column("dwell_min", sa.Float(), nullable=True),
        text_column("certificate"),
        kind="POINT",
        geometry_nullable=True,
    )
    for name, default in ROSTER_DEFAULTS.items():
        op.add_column("roster", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    for name in ROSTER_NUMBERS:
        op.add_column("roster", sa.Column(name, sa.Float(), nullable=True))


def downgrade() -> None:
    for name in (*ROSTER_DEFAULTS, *ROSTER_NUMBERS):
        op.drop_column("roster", name)
    op.drop_table("patrol_duties")
