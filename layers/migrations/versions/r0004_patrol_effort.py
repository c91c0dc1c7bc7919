"""How often streets were patrolled, and what the weather was."""

import sqlalchemy as sa
from alembic import op

from layers.migrations.versions.r0001_city_records import layer_table, text_column

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    layer_table(
        "patrol_effort",
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("walked_from", sa.Date(), nullable=False),
        sa.Column("walked_until", sa.Date(), nullable=True),
        text_column("hours"),
        sa.Column("passes", sa.Float(), nullable=False),
    )
    layer_table("weather", sa.Column("date", sa.Date(), nullable=False), text_column("weather"))


def downgrade() -> None:
    op.drop_table("weather")
    op.drop_table("patrol_effort")
