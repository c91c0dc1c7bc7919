"""The audit log: append-only, each entry bound to the one before by its hash.

An entry's hash is SHA-256 over the hash before it and the canonical JSON of its fields; the first follows 64 zeros.
Its number is its place in the chain. How many entries there are and the last hash are kept in a row of their own; who
keeps a number and its hash outside the store as well finds even a log that was written anew from end to end.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from layers.moments import aware, stored
from layers.schema import AUDIT_ENTRY, AUDIT_HEAD
from layers.scope import seen
from layers.store import Store

#: What the first entry follows.
GENESIS = "0" * 64
#: Who looks at a night again within this time is written down once.
NIGHT_ONCE_IN = timedelta(hours=1)
#: Details are counted, named and numbered things, never what somebody wrote.
_PLAIN = re.compile(r"[A-Za-z0-9_.:,/-]{0,120}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; at : UTC, aware; object : a word and an id, as "report:12"; detail : ids and words only."""

    number: int
    at: datetime
    account_id: int | None
    action: str
    object: str
    area_code: str
    detail: Mapping[str, str | int]


def append(
    connection: Connection,
    *,
    at: datetime,
    account_id: int | None,
    action: str,
    object: str,
    area_code: str,
    detail: Mapping[str, str | int] | None = None,
) -> int:
    """Append an entry in the transaction of ``connection``, which writes, and return its number.

    Writers wait for each other from here to the end of their transactions, so this is the last thing one does; on
    PostgreSQL the tables' owner appends on the caller's behalf, for entries about the caller's own area alone.
    Raises ValueError on a detail or an object that is more than ids and words.
    """
    written = _plain(object, detail or {})
    values = {
        "at": stored(at), "account_id": account_id, "action": action, "object": object, "area_code": area_code,
        "detail": written,
    }  # fmt: skip
    if connection.dialect.name == "postgresql":
        call = func.audit_append(*(values[name] for name in FIELDS))
        return int(connection.scalar(select(call)) or 0)
    head = connection.execute(select(AUDIT_HEAD)).one_or_none()
    entries, previous = (0, GENESIS) if head is None else (head.entries, head.sha256)
    fresh = {"entries": entries + 1, "sha256": chained(previous, **values)}
    row = {**values, "number": fresh["entries"], "previous_sha256": previous, "sha256": fresh["sha256"]}
    connection.execute(insert(AUDIT_ENTRY).values(row))
    connection.execute(insert(AUDIT_HEAD).values(id=1, **fresh) if head is None else update(AUDIT_HEAD).values(fresh))
    return entries + 1


def note_reading(store: Store, layer: str, *, account_id: int, area_code: str, now: datetime) -> None:
    """Write down that an account reads a layer about people; before it is shown anything, or it is not shown it."""
    with store.transaction(writes=True) as connection:
        append(
            connection, at=now, account_id=account_id, action="read_layer", object=f"layer:{layer}",
            area_code=area_code,
        )  # fmt: skip


def note_tracks(store: Store, night_id: int, *, account_id: int, area_code: str, now: datetime) -> None:
    """Write down that an account reads what the tracks of a night tell of its crews; before it is shown them."""
    with store.transaction(writes=True) as connection:
        append(
            connection, at=now, account_id=account_id, action="read_tracks", object=f"night:{night_id}",
            area_code=area_code,
        )  # fmt: skip


def note_night(store: Store, night_id: int, *, account_id: int, area_code: str, now: datetime) -> None:
    """Write down that an account looks at a night as it is directed, once in ``NIGHT_ONCE_IN``; before it is shown it.

    A desk stands open for hours and asks every few seconds: what counts is who looked, and in which hours.
    """
    known = select(func.count()).where(
        AUDIT_ENTRY.c.account_id == account_id, AUDIT_ENTRY.c.action == "read_night",
        AUDIT_ENTRY.c.object == f"night:{night_id}", AUDIT_ENTRY.c.at > stored(now - NIGHT_ONCE_IN),
    )  # fmt: skip
    with store.transaction(writes=True) as connection:
        if connection.scalar(known):
            return
        append(
            connection, at=now, account_id=account_id, action="read_night", object=f"night:{night_id}",
            area_code=area_code,
        )  # fmt: skip


#: What the hash covers, in this order.
FIELDS = ("at", "account_id", "action", "object", "area_code", "detail")


def chained(previous_sha256: str, **fields: Any) -> str:
    """Return the hash of an entry with ``fields`` (FIELDS, as the store keeps them) that follows another.

    The function audit_append of the PostgreSQL schema computes the same in SQL.
    """
    values = [fields["at"].isoformat(timespec="microseconds"), *(fields[name] for name in FIELDS[1:])]
    return hashlib.sha256((previous_sha256 + json.dumps(values, ensure_ascii=False)).encode()).hexdigest()


def entries(
    store: Store,
    *,
    limit: int = 100,
    before: int | None = None,
    account_id: int | None = None,
    action: str = "",
    object: str = "",
) -> list[Entry]:
    """Return entries inside the store's scope, newest first; before : the number of the last one of the page before."""
    query = seen(select(AUDIT_ENTRY), AUDIT_ENTRY, store.scope).order_by(AUDIT_ENTRY.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT_ENTRY.c.number < before)
    if account_id is not None:
        query = query.where(AUDIT_ENTRY.c.account_id == account_id)
    for column, wanted in ((AUDIT_ENTRY.c.action, action), (AUDIT_ENTRY.c.object, object)):
        query = query.where(column == wanted) if wanted else query
    with store.transaction() as connection:
        return [_entry(row) for row in connection.execute(query)]


def _entry(row: Any) -> Entry:
    detail = json.loads(row.detail)
    return Entry(row.number, aware(row.at), row.account_id, row.action, row.object, row.area_code, detail)


def _plain(object: str, detail: Mapping[str, str | int]) -> str:
    for word in (object, *detail, *(value for value in detail.values() if isinstance(value, str))):
        if not _PLAIN.fullmatch(word):
            raise ValueError("the audit log holds ids and words only")
    return json.dumps(dict(detail), ensure_ascii=True, sort_keys=True)
