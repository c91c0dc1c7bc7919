"""How a report comes in, exactly once, and what its reporter and other passers-by may know of it."""

import base64
import hashlib
import hmac
import math
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from shapely import Point
from sqlalchemy import Connection, insert, select, update

from gis.crs import metric_crs, to_metric
from layers.casebook import UnknownReportError
from layers.faults import FaultsError, text_fault
from layers.inserting import insert_once
from layers.moments import aware, stored
from layers.point_area import area_of_point
from layers.records import LAYERS
from layers.report_log import write_entry, write_step
from layers.report_states import FIRST_STATE, NEEDS, OPEN_STATES, nearby_m, urgency
from layers.schema import INCOMING_REPORT, LAYER_TABLES, LAYER_VERSION, PHOTO, REPORT_STEP, SETTING
from layers.scope import seen
from layers.store import Store
from layers.surroundings import DEFAULT_TIMEZONE

MOST_PEOPLE, MOST_NOTE, MOST_PHOTO_BYTES = 99, 2000, 4 << 20
_SECRET_BYTES = 16
_CHANNELS = LAYERS["reports"].field("channel").words
#: Reports are compared with a place by cells of this many degrees (about 200 m), so that nobody who asks again and
#: again from many places learns more than the cell; and only while somebody may still wait there.
_CELL_DEG, _NEARBY_FOR = 0.002, timedelta(days=3)
_NIGHT_FROM, _NIGHT_UNTIL = 20, 7


class FaultyReportError(FaultsError):
    """A report with fields that cannot stand: faults by field, the place on the map under "position"."""


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
    store: Store,
    new: NewReport,
    *,
    submission_key: str,
    secret: bytes,
    now: datetime,
    photo_jpeg: bytes | None = None,
    account_id: int | None = None,
) -> Receipt:
    """Keep a report exactly once and return its receipt: the same submission_key gives the same receipt.

    submission_key : a random UUID (version 4) the client made; whoever holds it gets the receipt again, so it is kept
    as a hash, and so is the token, which nobody can make from the key without ``secret`` (the server's, at least 16
    bytes). What comes with a key that is known is not looked at.
    photo_jpeg : re-encoded and stripped by the caller. account_id : of the staff member who reports, if one does.
    Raises FaultyReportError with every fault at once, a place outside the city (or the store's scope) included.
    """
    marks = _marks(submission_key, secret)
    known = _received(store, marks)
    return known or _kept(store, new, marks, now, photo_jpeg, account_id)


def check(
    store: Store,
    new: NewReport,
    *,
    submission_key: str,
    secret: bytes,
    now: datetime,
    photo_jpeg: bytes | None = None,
) -> Receipt | None:
    """Return the receipt of a submission that has come before; else only look whether ``receive`` would keep it.

    Raises FaultyReportError as ``receive`` does.
    """
    known = _received(store, _marks(submission_key, secret))
    if known is None:
        _placed(store, new, photo_jpeg, now)
    return known


def status(store: Store, token: str) -> PublicStatus:
    """Return what the holder of ``token`` may know; raises UnknownReportError."""
    query = select(INCOMING_REPORT).where(INCOMING_REPORT.c.token_sha256 == _sha256(token))
    with store.transaction() as connection:
        row = connection.execute(seen(query, INCOMING_REPORT, store.scope)).one_or_none()
        if row is None:
            raise UnknownReportError("没有这份报告，请核对链接", "there is no such report: check the link")
        taken = select(REPORT_STEP).where(
            REPORT_STEP.c.report_id == row.id, REPORT_STEP.c.before != REPORT_STEP.c.after
        )
        steps = connection.execute(taken.order_by(REPORT_STEP.c.id)).all()
    return PublicStatus(
        row.state, aware(row.received_at), aware(row.changed_at), tuple((aware(s.at), s.after) for s in steps)
    )


def nearby_reports(
    store: Store, lon: float, lat: float, needs: Collection[str], *, now: datetime
) -> list[NearbyReport]:
    """Return open reports of the last three days that may mean the same person, newest first, for anybody to read.

    Both places count as the middle of their cells of some 200 m. needs : only reports that share one, or any.
    Raises FaultyReportError on a position that is none.
    """
    fault = _position_fault(lon, lat)
    if fault is not None:
        raise FaultyReportError({"position": fault})
    query = seen(select(INCOMING_REPORT), INCOMING_REPORT, store.scope).where(
        INCOMING_REPORT.c.state.in_(OPEN_STATES),
        INCOMING_REPORT.c.received_at >= stored(now - _NEARBY_FOR),
    )
    with store.transaction() as connection:
        rows = connection.execute(
            query.order_by(INCOMING_REPORT.c.received_at.desc(), INCOMING_REPORT.c.id.desc())
        ).all()
    away = _cells_away_m([(row.geometry.x, row.geometry.y) for row in rows], lon, lat)
    near = []
    for row, metres in zip(rows, away, strict=True):
        common = tuple(need for need in row.needs.split(",") if need in needs or not needs)
        if common and metres <= nearby_m(common):
            near.append(NearbyReport(_age(now - aware(row.received_at)), common))
    return near


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a submission is known by: the reporter's token, and the hash of the key it came with."""

    token: str
    submission_sha256: str


def _marks(submission_key: str, secret: bytes) -> _Marks:
    if len(secret) < _SECRET_BYTES:
        raise ValueError("the secret of submissions is too short")
    try:
        key = uuid.UUID(submission_key)
    except ValueError:
        key = uuid.UUID(int=0)
    if key.version != 4:
        fault = ("提交编号无效，请刷新页面重试", "the submission has no valid number: reload the page")
        raise FaultyReportError({"submission_key": fault})
    token = base64.urlsafe_b64encode(hmac.digest(secret, b"status:" + key.bytes, "sha256")).decode().rstrip("=")
    return _Marks(token, hashlib.sha256(b"submission:" + key.bytes).hexdigest())


def _kept(
    store: Store, new: NewReport, marks: _Marks, now: datetime, photo_jpeg: bytes | None, account_id: int | None
) -> Receipt:
    area_code, cold_night = _placed(store, new, photo_jpeg, now)
    values = {
        "submission_sha256": marks.submission_sha256, "token_sha256": _sha256(marks.token), "received_at": stored(now),
        "changed_at": stored(now), "channel": new.channel, "state": FIRST_STATE, "outcome": "",
        "urgency": urgency(new.needs, cold_night=cold_night), "area_code": area_code,
        "geometry": Point(new.lon, new.lat), "place": new.place.strip(), "needs": ",".join(_ordered(new.needs)),
        "people": new.people, "note": new.note.strip(), "contact": new.contact.strip(), "version": 1,
    }  # fmt: skip
    with store.transaction(writes=True) as connection:
        made = insert_once(connection, INCOMING_REPORT, values, "submission_sha256")
        if made is not None:
            if photo_jpeg is not None:
                photo = {"report_id": made, "added_at": stored(now), "jpeg": photo_jpeg}
                connection.execute(insert(PHOTO).values(photo))
            write_step(connection, made, at=now, account_id=account_id, before="", after=FIRST_STATE)
            detail = {"channel": new.channel, "needs": values["needs"], "photos": int(photo_jpeg is not None)}
            write_entry(
                connection, made, "receive", at=now, account_id=account_id, area_code=area_code, detail=detail
            )  # fmt: skip
            return Receipt(made, marks.token, again=False)
    known = _received(store, marks)
    if known is None:
        raise UnknownReportError("这份报告已在别处提交", "this report was submitted elsewhere")
    return known


def _received(store: Store, marks: _Marks) -> Receipt | None:
    """Return the receipt of a submission that has come before."""
    query = select(INCOMING_REPORT).where(INCOMING_REPORT.c.submission_sha256 == marks.submission_sha256)
    with store.transaction() as connection:
        row = connection.execute(seen(query, INCOMING_REPORT, store.scope)).one_or_none()
    if row is None:
        return None
    if row.token_sha256 != _sha256(marks.token):  # the server's secret has changed since
        change = update(INCOMING_REPORT).where(INCOMING_REPORT.c.id == row.id)
        with store.transaction(writes=True) as connection:
            connection.execute(change.values(token_sha256=_sha256(marks.token)))
    return Receipt(row.id, marks.token, again=True)


def _placed(store: Store, new: NewReport, photo_jpeg: bytes | None, now: datetime) -> tuple[str, bool]:
    """Return the area of a report and whether it comes in a cold night; raises FaultyReportError with all faults."""
    faults = _faults(new, photo_jpeg)
    area_code: str | None = None
    with store.transaction() as connection:
        if "position" not in faults:
            area_code = area_of_point(connection, new.lon, new.lat)
            if area_code is None or (store.scope is not None and not store.scope.holds(area_code)):
                faults["position"] = ("这个位置不在服务范围内", "this place lies outside the area served")
        cold = _cold_night(connection, now)
    if faults or area_code is None:
        raise FaultyReportError(faults)
    return area_code, cold


def _faults(new: NewReport, photo_jpeg: bytes | None) -> dict[str, tuple[str, str]]:
    """Return every fault but those that only the store can tell."""
    found = {
        "position": _position_fault(new.lon, new.lat),
        "place": text_fault(new.place, 200),
        "needs": None,
        "people": None,
        "note": text_fault(new.note, MOST_NOTE, lines=True),
        "contact": text_fault(new.contact, 100),
        "channel": None if new.channel in _CHANNELS else ("没有这个渠道", "there is no such channel"),
        "photo": None,
    }
    if not new.needs or not set(new.needs) <= set(NEEDS):
        found["needs"] = ("请至少选择一项需要", "choose at least one thing that is needed")
    if type(new.people) is not int or not 1 <= new.people <= MOST_PEOPLE:
        found["people"] = (f"人数应为 1 至 {MOST_PEOPLE}", f"1 to {MOST_PEOPLE} people")
    if photo_jpeg is not None and (len(photo_jpeg) > MOST_PHOTO_BYTES or not photo_jpeg.startswith(b"\xff\xd8\xff")):
        found["photo"] = ("照片应为 4 MB 以内的 JPEG", "a photo is a JPEG of at most 4 MB")
    return {name: fault for name, fault in found.items() if fault is not None}


def _position_fault(lon: float, lat: float) -> tuple[str, str] | None:
    if math.isfinite(lon) and math.isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90:
        return None
    return "请在地图上选择位置", "choose a place on the map"


def _ordered(needs: Collection[str]) -> list[str]:
    return [need for need in NEEDS if need in needs]


def _cold_night(connection: Connection, now: datetime) -> bool:
    """Tell whether it is night in the city, and the day the night began is a cold one in the ``weather`` layer."""
    timezone = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == "timezone"))
    local = now.astimezone(ZoneInfo(timezone or DEFAULT_TIMEZONE))
    if _NIGHT_UNTIL <= local.hour < _NIGHT_FROM:
        return False
    evening = local.date() if local.hour >= _NIGHT_FROM else local.date() - timedelta(days=1)
    weather, version = LAYER_TABLES["weather"], LAYER_VERSION.c
    query = select(weather.c.weather).join(LAYER_VERSION, version.id == weather.c.version_id)
    return connection.scalar(query.where(version.active, weather.c.date == evening)) == "cold"


def _cells_away_m(places: Sequence[tuple[float, float]], lon: float, lat: float) -> list[float]:
    """Return how far (m) the cells of ``places`` lie from the cell of (lon, lat), middle to middle."""
    cells = np.floor(np.array([(lon, lat), *places]) / _CELL_DEG) * _CELL_DEG + _CELL_DEG / 2
    x, y = to_metric(cells[:, 0], cells[:, 1], metric_crs(lon, lat))
    return list(np.hypot(x[1:] - x[0], y[1:] - y[0]))


def _age(since: timedelta) -> str:
    if since < timedelta(hours=1):
        return "hour"
    return "today" if since < timedelta(days=1) else "earlier"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
