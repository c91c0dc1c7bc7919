"""How a report comes in, exactly once, and what its reporter and other passers-by may know of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from gis.errors import RecordError
from layers.store import Store


class FaultyReportError(RecordError):
    """A report with fields that cannot stand. faults : field name -> (zh, en)."""

    def __init__(self, faults: Mapping[str, tuple[str, str]]) -> None:
        super().__init__("；".join(zh for zh, _ in faults.values()), "; ".join(en for _, en in faults.values()))
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True)
class NewReport:
    """What a reporter says: needs of NEEDS; lon, lat in WGS84 degrees; channel public, hotline or patrol."""

    lon: float
    lat: float
    needs: tuple[str, ...]
    people: int = 1
    place: str = ""
    note: str = ""
    contact: str = ""
    channel: str = "public"


@dataclass(frozen=True, slots=True)
class Receipt:
    """id : for staff; token : the reporter's, opens its status; again : whether it had been received before."""

    id: int
    token: str
    again: bool


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """What became of a report: words of STATES and times (UTC, aware), oldest first; nothing else."""

    state: str
    received_at: datetime
    changed_at: datetime
    steps: tuple[tuple[datetime, str], ...]


@dataclass(frozen=True, slots=True)
class NearbyReport:
    """An open report close by: age "hour", "today" or "earlier"; needs : those of the two reports in common."""

    age: str
    needs: tuple[str, ...]


def receive(
    store: Store, new: NewReport, *, submission_key: str, secret: bytes, now: datetime,
    photo_jpeg: bytes | None = None, account_id: int | None = None,
) -> Receipt:  # fmt: skip
    """Keep a report exactly once and return its receipt: the same submission_key gives the same receipt.

    submission_key : a random UUID (version 4) the client made. secret : the server's, at least 16 bytes.
    photo_jpeg : re-encoded and stripped by the caller. account_id : of the staff member who reports, if one does.
    Raises FaultyReportError with every fault at once, a place outside the city included.
    """
    raise NotImplementedError


def status(store: Store, token: str) -> PublicStatus:
    """Return what the holder of ``token`` may know; raises UnknownReportError."""
    raise NotImplementedError


def nearby_reports(
    store: Store, lon: float, lat: float, needs: Collection[str], *, now: datetime
) -> list[NearbyReport]:
    """Return open reports of the last three days that may mean the same person, newest first, for anybody to read."""
    raise NotImplementedError
