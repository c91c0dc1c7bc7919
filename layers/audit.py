"""The audit log: append-only, each entry bound to the one before by its hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from layers.store import Store


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


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at an entry: "edited", "dropped", "inserted" or "reordered", and the sentence that says so."""

    number: int
    kind: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What verifying found. entries : how many there are; last_sha256 : the anchor to keep elsewhere with it."""

    entries: int
    last_sha256: str
    problems: tuple[Problem, ...]


def append(
    connection: Connection, *, at: datetime, account_id: int | None, action: str, object: str, area_code: str,
    detail: Mapping[str, str | int] | None = None,
) -> int:  # fmt: skip
    """Append an entry in the transaction of ``connection`` and return its number; the last thing a transaction does."""
    raise NotImplementedError


def entries(
    store: Store, *, limit: int = 100, before: int | None = None, account_id: int | None = None, action: str = "",
    object: str = "",
) -> list[Entry]:  # fmt: skip
    """Return entries inside the store's scope, newest first; before : the number of the last one of the page before."""
    raise NotImplementedError


def verify(store: Store, *, expect: tuple[int, str] | None = None) -> AuditReport:
    """Walk the whole chain and say what was edited, dropped, put in or reordered.

    expect : (number, sha256) of an entry as kept outside the store.
    """
    raise NotImplementedError
