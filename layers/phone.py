"""What grid workers' phones send, kept exactly once and in order: what was done, what could not be, and the track.

A phone numbers its events from 1. The store keeps the next number only, whoever sends it however often; one that cannot
be taken in uses up its number and says why, so that those behind it are not held up. Of a track nothing is kept that
lies outside the hours on duty of its crew, and all of it goes after some weeks.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import Connection, delete, exists, func, insert, select, update

from gis.errors import RecordError
from layers.accounts import Account
from layers.audit import append
from layers.moments import aware, stored
from layers.own_route import OwnRoute, route_in, zone_of
from layers.phone_events import REJECTED, PhoneEvent, PhoneRefusedError, clock_offset, read_event, read_numbers
from layers.roles import require
from layers.schema import ACCOUNT, PHONE_EVENT
from layers.scope import seen
from layers.store import Store
from layers.tracks import KEEP_DAYS

#: The setting that says how many days points of tracks are kept.
KEEP_SETTING = "track_keep_days"
#: A track of which nothing is left.
_NOTHING = '{"points":[]}'
#: Takes a report in and returns what is to be kept of it; raises RecordError where it cannot stand.
TakeReport = Callable[[PhoneEvent], Mapping[str, Any]]


class GapError(PhoneRefusedError):
    """A sending that begins later than the number after the last one kept. last : that number."""

    def __init__(self, last: int) -> None:
        super().__init__(f"请从第 {last + 1} 条起重新上传", f"send again from number {last + 1}")
        self.last = last


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that was not taken in, and why."""

    number: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a sending. last : the last number kept; dropped : points that lay outside the hours on duty."""

    last: int
    rejected: tuple[Rejected, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a crew said last of one service of its night.

    state : "done" or "cannot". how : "gps" or "hand". at : UTC, aware. dwell_s : of a check, None of a street.
    reason : of ``phone_events.REASONS``, "" where it was done.
    """

    crew: str
    duty: str
    side: str
    state: str
    how: str
    at: datetime
    account_id: int
    dwell_s: int | None
    reason: str
    note: str


def keep_events(
    store: Store,
    events: Sequence[Mapping[str, Any]],
    *,
    by: Account,
    device: str,
    now: datetime,
    sent_at_ms: float | None = None,
    take_report: TakeReport | None = None,
) -> Kept:
    """Keep the events of one sending that are new, in order, in one transaction, and say up to where all are kept.

    events : as JSON, each with "number", "at" (milliseconds since 1970), "kind", "night", "crew" and what its kind
    needs. sent_at_ms : the phone's clock as it sends; where it is off by more than ``CLOCK_AGREES`` all its times are
    moved by the difference. take_report : called for each new report before anything is kept, and again should that
    fail: it must take the same report once.
    Raises GapError where a number is missing before the first, PhoneRefusedError where the sending itself is none;
    then nothing is kept.
    """
    require(by.role, "walk_patrol")
    numbers = read_numbers(device, events)
    with store.transaction() as connection:
        last = _last(connection, by, device)
    if numbers[0] > last + 1:
        raise GapError(last)
    offset = clock_offset(sent_at_ms, now)
    fresh = [_row(store, one, offset, by, now, take_report) for one, n in zip(events, numbers, strict=True) if n > last]
    with store.transaction(writes=True) as connection:
        _alone(connection, by)
        last = _last(connection, by, device)
        rows = [{**row, "account_id": by.id, "device": device, "received_at": stored(now)} for row in fresh]
        rows = [row for row in rows if row["number"] > last]  # somebody else may have sent the same meanwhile
        if rows:
            connection.execute(insert(PHONE_EVENT), rows)
            last = rows[-1]["number"]
        mine = _mine(by, device)
        of_batch = select(PHONE_EVENT.c.number, PHONE_EVENT.c.kind, PHONE_EVENT.c.content).where(
            *mine, PHONE_EVENT.c.number.between(numbers[0], numbers[-1]), PHONE_EVENT.c.kind.in_([REJECTED, "track"])
        )
        told = [(row.number, row.kind, json.loads(row.content)) for row in connection.execute(of_batch)]
    rejected = tuple(Rejected(n, c["zh"], c["en"]) for n, kind, c in sorted(told, key=_number) if kind == REJECTED)
    return Kept(last, rejected, sum(c.get("dropped", 0) for _, kind, c in told if kind == "track"))


def done_by_ticks(store: Store, night_id: int) -> list[Ticked]:
    """Return what was last said of each service of a night inside the scope, by crew, in the order it was said.

    What was taken back is not among them. Of two phones of a crew the one that spoke later counts.
    """
    query = select(PHONE_EVENT).where(
        PHONE_EVENT.c.night_id == night_id, PHONE_EVENT.c.kind.in_(["tick", "check", "reason"])
    )
    said: dict[tuple[str, str, str], Ticked | None] = {}
    with store.transaction() as connection:
        rows = connection.execute(
            seen(query, PHONE_EVENT, store.scope).order_by(PHONE_EVENT.c.at, PHONE_EVENT.c.id)
        ).all()
    for row in rows:
        content = json.loads(row.content)
        key = (row.crew, content["duty"], content["side"])
        said.pop(key, None)
        said[key] = None if content.get("undo") else _ticked(row, content)
    return sorted((one for one in said.values() if one is not None), key=lambda one: one.crew)


def night_points(store: Store, night_id: int) -> pd.DataFrame:
    """Return the points of a night's tracks inside the scope: as ``layers.tracks.TrackPoints.accepted`` has them.

    file : the phone, a track each; person : the name of the account. Times are local and naive.
    """
    query = select(PHONE_EVENT, ACCOUNT.c.name).join(ACCOUNT, ACCOUNT.c.id == PHONE_EVENT.c.account_id)
    query = query.where(PHONE_EVENT.c.night_id == night_id, PHONE_EVENT.c.kind == "track")
    with store.transaction() as connection:
        zone = zone_of(connection)
        order = (PHONE_EVENT.c.account_id, PHONE_EVENT.c.device, PHONE_EVENT.c.number)
        rows = connection.execute(seen(query, PHONE_EVENT, store.scope).order_by(*order)).all()
    points = [
        (f"{row.account_id}-{row.device}", row.name, *point[:3])
        for row in rows
        for point in json.loads(row.content)["points"]
    ]
    table = pd.DataFrame(points, columns=["file", "person", "ms", "lon", "lat"])
    utc = pd.to_datetime(table["ms"], unit="ms", utc=True)
    local = utc.dt.tz_convert(zone).dt.tz_localize(None).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "file": table["file"].astype(object), "track": table["person"].astype(object),
            "person": table["person"].astype(object), "time": local, "lon": table["lon"].astype(float),
            "lat": table["lat"].astype(float),
        }
    )  # fmt: skip


def keep_days(store: Store) -> int:
    """Return how many days points of tracks are kept."""
    said = store.setting(KEEP_SETTING) or ""
    return int(said) if said.isascii() and said.isdigit() and int(said) > 0 else KEEP_DAYS


def forget_tracks(store: Store, *, now: datetime, account_id: int | None = None) -> int:
    """Remove the points of tracks older than ``keep_days``; return how many rows of them went. What was ticked stays.

    Raises StoreError on a scoped store.
    """
    limit = stored(now - timedelta(days=keep_days(store)))
    old = (PHONE_EVENT.c.kind == "track") & (PHONE_EVENT.c.at < limit) & (PHONE_EVENT.c.content != _NOTHING)
    other = PHONE_EVENT.alias()
    later = select(other.c.id).where(
        other.c.account_id == PHONE_EVENT.c.account_id, other.c.device == PHONE_EVENT.c.device,
        other.c.number > PHONE_EVENT.c.number,
    )  # fmt: skip
    with store.writing() as connection:
        areas = select(PHONE_EVENT.c.area_code, func.count()).where(old).group_by(PHONE_EVENT.c.area_code)
        counts = {str(area): int(count) for area, count in connection.execute(areas)}
        # the newest event of a phone says where its numbers go on: it is emptied and stays
        connection.execute(update(PHONE_EVENT).where(old, ~exists(later)).values(content=_NOTHING))
        connection.execute(delete(PHONE_EVENT).where(old))
        for area, count in sorted(counts.items()):
            append(
                connection, at=now, account_id=account_id, action="forget_tracks", object="tracks", area_code=area,
                detail={"events": count},
            )  # fmt: skip
    return sum(counts.values())


# one event


def _row(
    store: Store, given: Mapping[str, Any], offset: timedelta, by: Account, now: datetime, take: TakeReport | None
) -> dict[str, Any]:
    """Return what is kept of an event; of one that cannot be taken in, why."""
    row = {"number": given["number"], "at": stored(now), "night_id": None, "crew": "", "area_code": by.area_code}
    try:
        event = read_event(given, offset, now)
        row |= {"at": stored(event.at), "kind": event.kind}
        own = _own_route(store, event, by)
        if own is not None:
            row |= {"night_id": own.night.id, "crew": own.route.crew, "area_code": own.route.area_code}
        content = _content(event, own, take)
    except RecordError as error:
        row["kind"], content = REJECTED, {"kind": str(given.get("kind"))[:40], "zh": error.zh, "en": error.en}
    return {**row, "content": json.dumps(dict(content), ensure_ascii=False, separators=(",", ":"))}


def _own_route(store: Store, event: PhoneEvent, by: Account) -> OwnRoute | None:
    if event.night_id is None:
        return None
    with store.transaction() as connection:
        return route_in(store, connection, event.night_id, event.crew, by=by)


def _content(event: PhoneEvent, own: OwnRoute | None, take: TakeReport | None) -> Mapping[str, Any]:
    if event.kind == "report":
        if take is None:
            raise PhoneRefusedError("此处不接收报告", "no reports are taken here")
        return take(event)
    if event.kind == "void":
        return {}
    if own is None:
        raise PhoneRefusedError("这个班次不存在，或路线不是您的", "there is no such night, or its route is not yours")
    if event.kind == "track":
        return _on_duty(event, own)
    return event.content


def _on_duty(event: PhoneEvent, own: OwnRoute) -> Mapping[str, Any]:
    """Return the points inside the hours on duty; of the others only how many they were."""
    begins, ends = own.from_at.timestamp() * 1000, own.until_at.timestamp() * 1000
    points = event.content["points"]
    kept = [point for point in points if begins <= point[0] <= ends]
    return {"points": kept, "dropped": len(points) - len(kept)}


def _ticked(row: Any, content: Mapping[str, Any]) -> Ticked:
    return Ticked(
        row.crew, content["duty"], content["side"], "cannot" if row.kind == "reason" else "done",
        content.get("how", "hand"), aware(row.at), row.account_id, content.get("dwell_s"), content.get("reason", ""),
        content.get("note", ""),
    )  # fmt: skip


# numbers


def _mine(by: Account, device: str) -> tuple[Any, Any]:
    return PHONE_EVENT.c.account_id == by.id, PHONE_EVENT.c.device == device


def _last(connection: Connection, by: Account, device: str) -> int:
    return int(connection.scalar(select(func.max(PHONE_EVENT.c.number)).where(*_mine(by, device))) or 0)


def _alone(connection: Connection, by: Account) -> None:
    """Keep other senders of the account waiting until the transaction ends; on SQLite every writer is alone."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("phone_event"), by.id)))


def _number(told: tuple[int, str, Any]) -> int:
    return told[0]
