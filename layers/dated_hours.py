"""When a place is open on dates: each day by its own kind, a night by the evening on which it began.

opening-hours-py knows one day of each holiday of China and no make-up workday, and cannot be told of either. Days that
the calendar leaves alone are the library's word. A day that is special, or follows one, is put together here: the rules
that hold on it are chosen, and their times still read by the library.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import opening_hours as osm

from layers.public_holidays import ONE_DAY, SATURDAY, Calendar

#: Minutes from the midnight of a day; the end may lie on the day after.
Span = tuple[int, int]

MINUTES_A_DAY = 1440
#: How far ahead a change is looked for day by day; all that is special about a year lies within.
LOOK_AHEAD_DAYS = 400
#: How far ahead hours that name years are followed; all of the library's eight thousand years take a second.
LATEST = timedelta(days=30 * 365)
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
FRIDAY = 4

_BETWEEN_RULES = re.compile(r'(; | \|\| |, )(?=(?:[^"]*"[^"]*")*[^"]*$)')
_PARTS = re.compile(r'(?P<days>.*?) ?(?P<times>(?:\(|\d\d:\d\d|sun|dawn|dusk|24/7|open|closed|unknown|").*)?')
_KIND = re.compile(r"\b(closed|unknown|open)\b")
_DAY = r"(?:\b(?:Mo|Tu|We|Th|Fr|Sa|Su|PH|SH)\b)"
_ITEM = rf"{_DAY}(?:-{_DAY})?(?:\[[^\]]*\])?(?: -?\d+ days?)?"
_WEEKDAYS = re.compile(rf"{_ITEM}(?:,{_ITEM})*")
_AROUND_HOLIDAY = re.compile(r"\bPH -?\d+ days?")
_SEASONAL = re.compile(r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|week|easter|\d{4}|\[| days?\b")
#: A Monday without anything special about it, for what does not change with the season.
_MONDAY = date(2024, 1, 15)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule of a text: how it joins those before it (";", "," or "||"), when it holds, what it says."""

    joined: str
    days: str
    kind: str
    spans: tuple[Span, ...]


def spans_on(text: str, day: date, calendar: Calendar) -> tuple[Span, ...]:
    """Return when a place with the canonical hours ``text`` is open on a day: minutes, in order, apart, within it."""
    before, own = calendar.special(day - ONE_DAY), calendar.special(day)
    if before is None and own is None and not _AROUND_HOLIDAY.search(text):
        return ordinary_spans(text, day)
    begun = _begun(text, day, calendar)
    nights = [(start - MINUTES_A_DAY, end - MINUTES_A_DAY) for start, end in _begun(text, day - ONE_DAY, calendar)]
    inside = ((max(start, 0), min(end, MINUTES_A_DAY)) for start, end in (*nights, *begun))
    return _merged((start, end) for start, end in inside if start < end)


def is_open(text: str, when: datetime, calendar: Calendar) -> bool:
    """Tell whether a place is open at a naive local time."""
    minute = _minute(when)
    return any(start <= minute < end for start, end in spans_on(text, when.date(), calendar))


@lru_cache(maxsize=16_384)
def next_change(text: str, when: datetime, calendar: Calendar) -> datetime | None:
    """Return when a place opens or closes next after a naive local time; None for never."""
    before = is_open(text, when, calendar)
    day, minute = when.date(), _minute(when)
    for _ in range(LOOK_AHEAD_DAYS):
        at = _change(spans_on(text, day, calendar), minute, is_open=before)
        if at is not None:
            return _midnight(day) + timedelta(minutes=at)
        day, minute = day + ONE_DAY, 0
    return _later_change(text, day, is_open=before)


@lru_cache(maxsize=4096)
def never_closes(text: str) -> bool:
    """Tell whether a place is open at all times, ordinary days and holidays alike, however its hours say so."""
    on_holidays = _WEEKDAYS.sub(lambda days: "Mo-Su" if "PH" in days[0] else days[0], text)
    year = [_MONDAY + k * ONE_DAY for k in range(366)]
    whole = ((0, MINUTES_A_DAY),)
    return all(
        all(_open_minutes(osm.OpeningHours(reading), day, 1) == whole for day in year)
        and _later_change(reading, year[-1], is_open=True) is None
        for reading in {text, on_holidays}
    )


def _later_change(text: str, day: date, *, is_open: bool) -> datetime | None:
    """Return when hours that name years change after a day, by the library, which knows no holidays so far ahead."""
    if not _SEASONAL.search(text):
        return None
    later = osm.OpeningHours(text).intervals(_midnight(day), _midnight(day) + LATEST)
    return next((start for start, _, state, _ in later if (state == osm.State.OPEN) != is_open), None)


def _change(spans: tuple[Span, ...], minute: int, *, is_open: bool) -> int | None:
    """Return the first minute of a day, from ``minute`` on, at which a place is not as it was; None for no such."""
    for start, end in spans:
        if end > minute:
            if not is_open:
                return max(start, minute)
            if start > minute:
                return minute
            return end if end < MINUTES_A_DAY else None
    return minute if is_open else None


def ordinary_spans(text: str, day: date) -> tuple[Span, ...]:
    """Return the open minutes of a day as the library has them, which without a country knows no holidays.

    Asked day by day: over several days it is wrong of "Mo-Fr 09:00-17:00 || 24/7".
    """
    return _librarys(text, day if _SEASONAL.search(text) else _MONDAY + day.weekday() * ONE_DAY)


@lru_cache(maxsize=32_768)
def _librarys(text: str, day: date) -> tuple[Span, ...]:
    return _open_minutes(osm.OpeningHours(text), day, 1)


def _open_minutes(hours: osm.OpeningHours, day: date, days: int) -> tuple[Span, ...]:
    midnight = _midnight(day)
    found = hours.intervals(midnight, midnight + timedelta(days=days))
    return _merged(
        (_minutes(start - midnight), _minutes(end - midnight))
        for start, end, state, _ in found
        if state == osm.State.OPEN
    )


@lru_cache(maxsize=32_768)
def _begun(text: str, day: date, calendar: Calendar) -> tuple[Span, ...]:
    """Return what the rules for a day give, a night to its end; its kind decides which rules those are."""
    spans: tuple[Span, ...] = ()
    for rule in _rules(text):
        if (rule.joined == "||" and spans) or not _holds(rule.days, day, calendar):
            continue
        if rule.kind != "closed" and rule.joined != ",":
            spans = ()  # in OSM syntax a rule takes its day from the rules before it
        spans = _merged((*spans, *rule.spans)) if rule.kind == "open" else _without(spans, rule.spans)
    return spans


@lru_cache(maxsize=4096)
def _rules(text: str) -> tuple[_Rule, ...]:
    pieces = _BETWEEN_RULES.split(text)
    return tuple(_rule(join.strip(), rule) for join, rule in zip([";", *pieces[1::2]], pieces[::2], strict=True))


def _rule(joined: str, rule: str) -> _Rule:
    parts = _PARTS.fullmatch(rule)
    assert parts is not None
    times = re.sub(r'"[^"]*"', "", parts["times"] or "").replace("24/7", "")
    stated = _KIND.search(times)
    kind = stated[1] if stated else "open"
    times = _KIND.sub("", times).strip()
    if not times:  # who is closed on a day does not begin a night on it
        return _Rule(joined, parts["days"], kind, ((0, MINUTES_A_DAY * (1 if kind == "open" else 2)),))
    spans = _open_minutes(osm.OpeningHours(f"{_MONDAY:%Y %b %d} {times}"), _MONDAY, 2)
    return _Rule(joined, parts["days"], kind, spans)


def _holds(days: str, day: date, calendar: Calendar) -> bool:
    """Tell whether a rule for ``days`` ("Apr-Sep Mo-Fr,PH") holds on a day, by the calendar."""
    weekdays = _WEEKDAYS.search(days)
    season = _WEEKDAYS.sub("", days).strip()
    if weekdays and not any(_is_one(item, day, calendar) for item in re.findall(_ITEM, weekdays[0])):
        return False
    return not season or _within(season, day)


def _is_one(item: str, day: date, calendar: Calendar) -> bool:
    """Tell whether a day is one of "Mo-Fr", "PH", "PH 1 days" (the day after a holiday), "Fr[1]"."""
    if item.startswith("PH"):
        return calendar.is_holiday(day - int(re.sub(r"[^-\d]", "", item) or 0) * ONE_DAY)
    special = calendar.special(day)
    # which weekday is worked on a weekend no notice says: the one that goes before it, of the ordinary five
    worked = special is not None and special.kind == "workday" and day.weekday() >= SATURDAY
    if item.startswith("SH") or (worked and len(item) > len("Mo-Fr")):
        return False
    if "[" in item or " " in item:
        return _within(item, day)
    first, _, last = item.partition("-")
    start, weekday = DAYS.index(first), FRIDAY if worked else day.weekday()
    return (weekday - start) % 7 <= (DAYS.index(last or first) - start) % 7


@lru_cache(maxsize=32_768)
def _within(days: str, day: date) -> bool:
    return bool(osm.OpeningHours(days).is_open(_midnight(day) + timedelta(hours=12)))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _without(spans: tuple[Span, ...], taken: tuple[Span, ...]) -> tuple[Span, ...]:
    for first, last in taken:
        parts = [part for start, end in spans for part in ((start, min(end, first)), (max(start, last), end))]
        spans = tuple((start, end) for start, end in parts if start < end)
    return spans


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _minute(when: datetime) -> int:
    return when.hour * 60 + when.minute


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
