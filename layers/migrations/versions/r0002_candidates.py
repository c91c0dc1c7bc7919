"""Candidate sites with their variants, and areas where no point may stand."""

import sqlalchemy as sa
from alembic import op

from layers.migrations.versions.r0001_city_records import layer_table, text_column

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    layer_table(
        "candidates",
        *map(text_column, ("code", "name", "place", "build_state")),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("capacity", sa.Float(), nullable=True),
        *map(text_column, ("functions", "hours")),
        kind="POINT",
    )
    layer_table("forbidden_areas", *map(text_column, ("name", "reason")), kind="MULTIPOLYGON")


def downgrade() -> None:
    for name in ("candidates", "forbidden_areas"):
        op.drop_table(name)
