"""What the public reports, as staff see it: the list, one report, its private part, and the steps of its life.

Every call says who asks (``by``). A report outside the store's scope, outside the area of ``by``, or not shown to the
role of ``by`` does not exist for the caller.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gis.errors import RecordError
from layers.accounts import Account
from layers.store import Store


class UnknownReportError(RecordError):
    """There is no such report, or none the caller may see."""


class ChangedMeanwhileError(RecordError):
    """Somebody else changed the report since the caller read it."""


@dataclass(frozen=True, slots=True)
class IncomingReport:
    """A report without its private part: nothing here says exactly where, who, or by whom.

    urgency : 0 or 1; area_code : the finest area known; version : to be given back with a step. Times UTC, aware.
    """

    id: int
    received_at: datetime
    changed_at: datetime
    channel: str
    state: str
    outcome: str
    urgency: int
    area_code: str
    needs: tuple[str, ...]
    people: int
    assigned_to: int | None
    duplicate_of: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a report: when, by which account (None: the public or the system), from what to what."""

    at: datetime
    account_id: int | None
    before: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class PrivatePart:
    """What only those may read who help: lon, lat in WGS84; photos : ids for ``photo``; steps with their notes."""

    report_id: int
    lon: float
    lat: float
    place: str
    note: str
    contact: str
    photos: tuple[int, ...]
    steps: tuple[Step, ...]


def reports(
    store: Store, *, by: Account, states: Collection[str] = (), assigned_to: int | None = None,
    limit: int = 50, after: int | None = None,
) -> list[IncomingReport]:  # fmt: skip
    """Return a page of the reports ``by`` may see, urgent ones first, then newest first.

    states : only these, or all. after : the id of the last report of the page before.
    """
    raise NotImplementedError


def counts(store: Store, *, by: Account) -> dict[str, int]:
    """Return how many reports ``by`` may see in each state, every state named."""
    raise NotImplementedError


def report(store: Store, report_id: int, *, by: Account) -> IncomingReport:
    """Return one report without its private part; raises UnknownReportError."""
    raise NotImplementedError


def history(store: Store, report_id: int, *, by: Account) -> list[Step]:
    """Return the steps of a report, oldest first, their notes left out."""
    raise NotImplementedError


def private_part(store: Store, report_id: int, *, by: Account, now: datetime) -> PrivatePart:
    """Return a report's private part and write down who read it; a grid worker reads those assigned to it."""
    raise NotImplementedError


def photo(store: Store, report_id: int, photo_id: int, *, by: Account, now: datetime) -> bytes:
    """Return one photo as JPEG and write down who saw it."""
    raise NotImplementedError


def move(
    store: Store, report_id: int, to: str, *, by: Account, version: int, now: datetime,
    assignee: int | None = None, outcome: str = "", original: int | None = None, note: str = "",
) -> IncomingReport:  # fmt: skip
    """Take one step of ``report_states.TRANSITIONS``; merging with an earlier report is the step to "duplicate".

    version : as read; raises ChangedMeanwhileError, saying who changed what, where it is no longer the newest.
    Raises IllegalStepError, NotAllowedError, UnknownReportError; then nothing has changed.
    """
    raise NotImplementedError
