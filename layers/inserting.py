"""Insert a row unless one like it is there, which holds among writers at the same moment too."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any], unique: str) -> int | None:
    """Insert a row and return its ``id``; None, and no change, where its ``unique`` column's value is taken.

    Where another transaction is about to take it, this waits for that one's end.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(values).on_conflict_do_nothing(index_elements=[unique])
    made = connection.scalar(statement.returning(table.c.id))
    return None if made is None else int(made)
