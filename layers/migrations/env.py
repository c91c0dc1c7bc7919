"""Runs the migrations on the connection that Store.create hands over, inside its transaction."""

from alembic import context

from layers.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
