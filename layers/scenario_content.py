"""What a scenario comes to: its changes one after the other, as the net effect on each point, in one canonical text."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from gis.errors import RecordError
from layers.faults import refuse, text_fault
from layers.hours import OpeningHours
from layers.records import ALL_FUNCTIONS, FUNCTIONS

#: One point as a scenario leaves it: code, action ("add", "close", "change") and the fields that differ from the layer.
Entry: TypeAlias = dict[str, Any]

#: Action -> the fields it may come with. An upgraded point stands, even where it was only planned before.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "add": ("lon", "lat", "name", "functions", "hours", "capacity"),
    "move": ("lon", "lat"),
    "close": (),
    "upgrade": ("functions", "hours", "capacity"),
    "hours": ("hours",),
}
#: What else is done to a scenario and stays in its history.
UNDO, RENAME, ARCHIVE, REOPEN = "undo", "rename", "archive", "reopen"
LONGEST_NAME, MOST_CAPACITY = 80, 100_000.0


@dataclass(frozen=True, slots=True)
class ScenarioChange:
    """One change: number (from 1), at (UTC, aware), who, action, a point's code, what it sets; undone : taken back."""

    number: int
    at: datetime
    account_id: int | None
    action: str
    code: str
    detail: Mapping[str, Any]
    undone: bool = False


def entries_of(changes: Iterable[ScenarioChange]) -> list[Entry]:
    """Return the net effect on points of ``changes`` (oldest first, undone ones left out), by code.

    A point that was added and closed again leaves no entry; two ways to the same end give the same entries.
    """
    points: dict[str, Entry] = {}
    for change in changes:
        if change.undone or change.action not in FIELDS:
            continue
        known = points.get(change.code, {"code": change.code, "action": "change"})
        if change.action == "close":
            points.pop(change.code, None)
            if known["action"] != "add":
                points[change.code] = {"code": change.code, "action": "close"}
            continue
        stands = {"build_state": "existing"} if change.action in ("add", "upgrade") else {}
        action = {"action": "add"} if change.action == "add" else {}
        points[change.code] = {**known, **change.detail, **stands, **action}
    return [points[code] for code in sorted(points)]


def canonical(entries: Iterable[Entry]) -> str:
    """Return ``entries`` as the one text their like always give; "" for none."""
    listed = sorted(entries, key=lambda entry: str(entry["code"]))
    return json.dumps(listed, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if listed else ""


def entries_from(content: str) -> list[Entry]:
    """Return the entries of a canonical text; raises RecordError on anything else."""
    try:
        entries = json.loads(content) if content else []
        if canonical(entries) != content:
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise RecordError("不是情景内容", "this is not the content of a scenario") from None
    return list(entries)


def checked(action: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a change in the form that is kept; those left empty keep what the point has.

    lon, lat : degrees WGS84. functions : words of FUNCTIONS, in their order. hours : OSM syntax or Chinese.
    capacity : persons. Raises FaultsError, field by field, RecordError on an action there is not.
    """
    if action not in FIELDS:
        raise RecordError(f"没有这种改动：{action}", f"there is no such change: {action!r}")
    made: dict[str, Any] = {}
    faults: dict[str, tuple[str, str] | None] = {}
    for field in FIELDS[action]:
        try:
            made[field] = _READERS[field](given.get(field))
        except _FaultError as fault:
            faults[field] = fault.said
    needed = {"add": ("lon", "lat", "name"), "move": ("lon", "lat"), "hours": ("hours",)}.get(action, ())
    faults |= {f: ("必填", "required") for f in needed if made.get(f, True) is None}
    refuse(faults)
    if action == "add":
        made["functions"] = made["functions"] or ALL_FUNCTIONS
    made = {field: value for field, value in made.items() if value is not None}
    if action == "upgrade" and not made:
        refuse({"functions": ("请至少改一项", "change at least one thing")})
    return made


class _FaultError(Exception):
    def __init__(self, zh: str, en: str) -> None:
        self.said = (zh, en)


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _FaultError("不是数字", "not a number") from None
    if not math.isfinite(number):
        raise _FaultError("不是数字", "not a number")
    return number


def _degrees(value: Any, most: float) -> float | None:
    number = _number(value)
    if number is not None and abs(number) > most:
        raise _FaultError("超出范围", "out of range")
    return None if number is None else round(number, 7)


def _capacity(value: Any) -> float | None:
    number = _number(value)
    if number is not None and not 0 <= number <= MOST_CAPACITY:
        raise _FaultError("应在 0 到 100000 之间", "expected from 0 to 100,000")
    return number


def _name(value: Any) -> str | None:
    text = str(value or "").strip()
    fault = text_fault(text, LONGEST_NAME)
    if fault:
        raise _FaultError(*fault)
    return text or None


def _functions(value: Any) -> str | None:
    words = [w for w in (value.split(",") if isinstance(value, str) else value or ()) if w]
    if any(word not in FUNCTIONS for word in words):
        raise _FaultError("没有这种服务功能", "there is no such function")
    return ",".join(f for f in FUNCTIONS if f in words) or None


def _hours(value: Any) -> str | None:
    text = str(value or "").strip()
    try:
        return OpeningHours.parse(text).text if text else None
    except RecordError as error:
        raise _FaultError(error.zh, error.en) from None


_READERS = {
    "lon": lambda value: _degrees(value, 180.0), "lat": lambda value: _degrees(value, 90.0), "name": _name,
    "functions": _functions, "hours": _hours, "capacity": _capacity,
}  # fmt: skip
