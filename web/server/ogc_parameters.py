"""What features may be asked by: how many, where, when, and the value of each field."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from layers.features import Box, Collection
from layers.records import Field
from web.server.parameters import MOST_CHARACTERS, Parameter

MOST = 10_000
LIMIT = Parameter("limit", "integer", "每页几个 how many a page", lowest=1, highest=MOST, default=1000)
#: A limit beyond the most is no fault: the most are given.
ANY_LIMIT = replace(LIMIT, highest=10**17)
COMMON = (
    LIMIT,
    Parameter("bbox", "text", "经纬度范围：西,南,东,北 west,south,east,north, or six numbers with heights"),
    Parameter("datetime", "text", "时刻或时段 a moment, or from/until with .. for open, as RFC 3339 writes them"),
    Parameter("start", "text", "上一页给出的位置 where to start, as the page before gives it"),
)
_KINDS = {"integer": "integer", "number": "number"}
_LARGEST = 2.0**53
_NUMBER = Parameter("bbox", "number", "")
_START = re.compile(r"(\d{1,18})\.(\d{1,10})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parameters_of(of: Collection) -> tuple[Parameter, ...]:
    """Return all that a collection may be asked by."""
    return (*COMMON, *filters_of(of))


def filters_of(of: Collection) -> list[Parameter]:
    """Return a parameter for each field that is shown."""
    return [_filter(field) for field in of.fields]


def _filter(field: Field) -> Parameter:
    words = {"choice": field.words, "flag": ("true", "false")}.get(field.kind, ())
    kind = _KINDS.get(field.kind, "text")
    limit = _LARGEST if kind == "integer" else None
    return Parameter(field.name, kind, field.zh, words, None if limit is None else -limit, limit)


def value_of(field: Field, given: Any, zone: ZoneInfo) -> Any:
    """Return a parameter's value as the field keeps it; raises ValueError where no row could hold it."""
    if field.kind == "flag":
        return given == "true"
    if field.kind == "date":
        return _day(given)
    return _moment(given, zone)[0] if field.kind == "datetime" else given


def boxes_of(text: str) -> tuple[Box, ...]:
    """Return the box a text states, or the two it is across the antimeridian; raises ValueError."""
    parts = text.split(",")
    numbers = [_NUMBER.value(part.strip()) for part in parts]
    if len(numbers) not in (4, 6):
        raise ValueError(text)
    half = len(numbers) // 2
    (west, south), (east, north) = numbers[:2], numbers[half : half + 2]
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(text)
    if half == 3 and numbers[2] > numbers[5]:
        raise ValueError(text)
    return (
        ((west, south, east, north),) if west <= east else ((west, south, 180.0, north), (-180.0, south, east, north))
    )


def span_of(text: str, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Return the first and last moment of a text, None for open, as the city's clocks show them; raises ValueError."""
    parts: Sequence[str] = text.split("/")
    if len(parts) == 1:
        return _moment(text, zone)
    if len(parts) != 2 or (text.strip("./") == ""):
        raise ValueError(text)
    begin = None if parts[0] in ("", "..") else _moment(parts[0], zone)[0]
    end = None if parts[1] in ("", "..") else _moment(parts[1], zone)[1]
    if begin is not None and end is not None and begin > end:
        raise ValueError(text)
    return begin, end


def position_of(text: str) -> tuple[int, int]:
    """Return (version, start) as the page before gave them; raises ValueError."""
    found = _START.fullmatch(text)
    if not found or int(found[2]) >= 2**31:
        raise ValueError(text)
    return int(found[1]), int(found[2])


def _moment(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first and last moment that a date, or a date and time, means."""
    if _DAY.fullmatch(text):
        first = datetime.combine(_day(text), time.min)
        return first, first + (timedelta(days=1) - timedelta(microseconds=1))
    if len(text) > MOST_CHARACTERS or not _MOMENT.fullmatch(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text.upper())
    try:
        local = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:  # next to the first or the last day there is
        raise ValueError(text) from None
    return local, local


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)
