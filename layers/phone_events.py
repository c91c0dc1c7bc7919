"""What a grid worker's phone tells: kinds of events, and what of each is taken in or refused, with the reason."""

import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeGuard

from gis.errors import RecordError
from layers.faults import text_fault
from layers.roles import Words

#: Why a street or a check could not be done.
REASONS: Mapping[str, Words] = MappingProxyType(
    {
        "closed": Words("围挡或施工封路", "closed off or under construction"),
        "gate": Words("大门锁闭", "the gate is locked"),
        "flooded": Words("积水或积雪", "flooded or under snow"),
        "unsafe": Words("不安全", "not safe"),
        "time": Words("时间不够", "no time left"),
        "other": Words("其他", "something else"),
    }
)
HOW = ("gps", "hand")
SIDES = ("", "left", "right")
MOST_EVENTS, MOST_POINTS, MOST_DEVICE = 200, 60, 64
MOST_NOTE, MOST_DWELL_S = 200, 4 * 3600
#: A phone's clock that differs by less is taken at its word.
CLOCK_AGREES = timedelta(minutes=2)
#: What a phone reports as found earlier is taken as found then: nobody writes records of long ago.
OLDEST_REPORT = timedelta(days=7)
#: Of an event the kind under which it is kept where it could not be taken in: its number is used up.
REJECTED = "rejected"
_DEVICE = re.compile(r"[A-Za-z0-9-]{8,64}")
_MOST_NUMBER, _MOST_ID = 2**53, 2**62


class PhoneRefusedError(RecordError):
    """One event, or a whole sending, that cannot be taken in."""


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """One event as a phone numbered it. at : UTC, aware, by the server's clock; content : by kind, as ``_READ`` says.

    night_id, crew : of the route it belongs to, None and "" without one.
    """

    number: int
    at: datetime
    kind: str
    night_id: int | None
    crew: str
    content: Mapping[str, Any]


def read_numbers(device: object, given: Sequence[object]) -> list[int]:
    """Return the numbers of a sending's events, which follow one another; raises PhoneRefusedError.

    A sending that fails here is the phone's own fault and changes nothing: no number is used up.
    """
    if not (isinstance(device, str) and _DEVICE.fullmatch(device)):
        raise PhoneRefusedError("设备编号无效", "the number of the device is not valid")
    if not 1 <= len(given) <= MOST_EVENTS:
        raise PhoneRefusedError(f"一次应上传 1 至 {MOST_EVENTS} 条", f"1 to {MOST_EVENTS} events at a time")
    numbers = [one.get("number") if isinstance(one, Mapping) else None for one in given]
    found = [n for n in numbers if type(n) is int and 1 <= n < _MOST_NUMBER]
    if len(found) < len(given) or any(b != a + 1 for a, b in pairwise(found)):
        raise PhoneRefusedError("编号应依次递增", "the events must be numbered one after the other")
    return found


def clock_offset(sent_at_ms: object, now: datetime) -> timedelta:
    """Return what must be added to a phone's times: nothing where its clock agrees with ours, or says nothing."""
    if not _finite(sent_at_ms):
        return timedelta()
    ahead = now - _moment(sent_at_ms)
    return ahead if abs(ahead) > CLOCK_AGREES else timedelta()


def read_event(given: Mapping[str, Any], offset: timedelta, now: datetime) -> PhoneEvent:
    """Return one event of a sending; never later than ``now``. Raises PhoneRefusedError with what is wrong with it."""
    kind, night, crew = given.get("kind"), given.get("night"), given.get("crew", "")
    if not (isinstance(kind, str) and kind in _READ):
        raise PhoneRefusedError("不认识的记录类型，请更新页面", "an event of an unknown kind: reload the page")
    at_ms = given.get("at")
    if not _finite(at_ms):
        raise PhoneRefusedError("时间无效", "its time is not valid")
    if night is not None and not (type(night) is int and 0 < night < _MOST_ID):
        raise PhoneRefusedError("班次编号无效", "the number of the night is not valid")
    if not (isinstance(crew, str) and len(crew) <= 40):
        raise PhoneRefusedError("编组无效", "the crew is not valid")
    at = min(_moment(at_ms) + offset, now)
    if kind == "report":  # its times are those of its way through the casebook, and of the audit log
        at = max(at, now - OLDEST_REPORT)
    return PhoneEvent(int(given["number"]), at, kind, night, crew, _READ[kind](given, offset, now))


def _tick(given: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    return {**_service(given), "how": _one_of(given, "how", HOW), "undo": given.get("undo") is True}


def _check(given: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    dwell = given.get("dwell_s")
    if not (_finite(dwell) and 0 <= dwell <= MOST_DWELL_S):
        raise PhoneRefusedError("停留时间无效", "the time of stay is not valid")
    return {**_service(given), "how": _one_of(given, "how", HOW), "dwell_s": round(dwell)}


def _reason(given: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    note = given.get("note", "")
    if not isinstance(note, str) or text_fault(note, MOST_NOTE, lines=True) is not None:
        raise PhoneRefusedError("说明过长或含有控制字符", "the note is too long or holds control characters")
    code = _one_of(given, "reason", tuple(REASONS))
    return {**_service(given), "reason": code, "note": note.strip(), "undo": given.get("undo") is True}


def _track(given: Mapping[str, Any], offset: timedelta, now: datetime) -> dict[str, Any]:
    """Read points: [milliseconds since 1970, lon, lat, metres of error]."""
    points = given.get("points")
    if not (isinstance(points, list) and 1 <= len(points) <= MOST_POINTS and all(map(_is_point, points))):
        raise PhoneRefusedError("轨迹点无效", "the points of the track are not valid")
    shift_ms, latest = offset / timedelta(milliseconds=1), now.timestamp() * 1000
    return {
        "points": [
            [round(min(ms + shift_ms, latest)), round(lon, 6), round(lat, 6), round(min(error, 9999.0))]
            for ms, lon, lat, error in points
        ]
    }


def _report(given: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    """Read what makes a report; whether it can stand is for ``layers.intake`` to say."""
    needs, people, lon, lat = (given.get(name) for name in ("needs", "people", "lon", "lat"))
    texts = {name: given.get(name, "") for name in ("key", "outcome", "receiver", "note", "place")}
    if not (isinstance(needs, list) and all(isinstance(need, str) for need in needs)):
        raise PhoneRefusedError("请选择需要", "say what is needed")
    if not (_finite(lon) and _finite(lat)):
        raise PhoneRefusedError("缺少位置", "it has no place")
    if type(people) is not int or not all(isinstance(text, str) for text in texts.values()):
        raise PhoneRefusedError("报告内容无效", "the report is not valid")
    if not _is_key(texts["key"]):
        raise PhoneRefusedError("报告编号无效", "the number of the report is not valid")
    return {"needs": needs, "people": people, "lon": float(lon), "lat": float(lat), **texts}


def _void(*_: Any) -> dict[str, Any]:
    """Read an event the phone could not send whole and keeps to itself: its number is used up, nothing else."""
    return {}


_READ: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType(
    {"tick": _tick, "check": _check, "track": _track, "reason": _reason, "report": _report, "void": _void}
)


def _service(given: Mapping[str, Any]) -> dict[str, str]:
    duty, side = given.get("duty"), given.get("side", "")
    if not (isinstance(duty, str) and 0 < len(duty) <= 80 and duty.isprintable()) or side not in SIDES:
        raise PhoneRefusedError("街段无效", "the street is not valid")
    return {"duty": duty, "side": side}


def _one_of(given: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    value = given.get(name)
    if not (isinstance(value, str) and value in known):
        raise PhoneRefusedError(f"“{name}”无效", f"{name!r} is not valid")
    return value


def _is_point(point: object) -> bool:
    if not (isinstance(point, list) and len(point) == 4 and all(map(_finite, point))):
        return False
    ms, lon, lat, error = point
    return bool(0 <= ms < 4e12 and abs(lon) <= 180 and abs(lat) <= 90 and error >= 0)


def _finite(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number that can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and math.isfinite(value)


def _moment(milliseconds: Any) -> datetime:
    if not 0 <= milliseconds < 4e12:
        raise PhoneRefusedError("时间无效", "its time is not valid")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _is_key(text: str) -> bool:
    try:
        return uuid.UUID(text).version == 4
    except ValueError:
        return False
