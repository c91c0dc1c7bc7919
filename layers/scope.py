"""Which part of the city somebody may see: one area and everything below it, as a range of statistics codes."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_

from layers.codes import PREFIX_DIGITS, level_of
from layers.records import SCOPE_COLUMN

#: The role a PostgreSQL store works under while it is scoped; its rows are held back by policies of range.
SCOPED_ROLE = "lamplight_scoped"


@dataclass(frozen=True, slots=True)
class Scope:
    """The codes seen: ``lowest <= code < beyond``, compared as text. The empty scope, two empty words, sees nothing."""

    lowest: str
    beyond: str

    @classmethod
    def of(cls, area_code: str) -> "Scope":
        """Return the scope of an area, 12 digits; raises RecordError on any other code, the empty one included."""
        prefix = area_code[: PREFIX_DIGITS[level_of(area_code)]]
        return cls(prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1))

    def holds(self, area_code: str) -> bool:
        """Tell whether a row, an account or an area of this code is inside."""
        return self.lowest <= area_code < self.beyond


NOWHERE = Scope("", "")


def seen(query: Select[Any], table: Table, scope: Scope | None) -> Select[Any]:
    """Return ``query`` narrowed to the rows of ``table`` inside ``scope``; None narrows nothing."""
    return query if scope is None else query.where(inside(table, scope))


def inside(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a row of ``table`` lies inside ``scope``."""
    code = table.c[SCOPE_COLUMN if SCOPE_COLUMN in table.c else "area_code"]
    return and_(code >= scope.lowest, code < scope.beyond)
