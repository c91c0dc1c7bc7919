"""A week of opening hours in words: what each day has, what holidays change, and which coming days go otherwise."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

from layers.dated_hours import MINUTES_A_DAY
from layers.hours import MINUTES_A_WEEK, OpeningHours
from layers.public_holidays import Calendar
from web.server.language import _

Span = tuple[int, int]


def week_words(hours: OpeningHours) -> list[str]:
    """Return what each day of an ordinary week has, Monday first; a night belongs to the day on which it begins."""
    open_ = hours.week_minutes()
    if open_.all():
        return [_("全天 24 小时")] * 7
    starts = [i for i in range(MINUTES_A_WEEK) if open_[i] and not open_[i - 1]]
    ends = [next(k for k in range(i + 1, i + MINUTES_A_WEEK + 1) if not open_[k % MINUTES_A_WEEK]) for i in starts]
    found: defaultdict[int, list[Span]] = defaultdict(list)
    for day, spans in _by_day(zip(starts, ends, strict=True)).items():
        found[day % 7] += spans
    return [_spans_words(found[day]) for day in range(7)]


def holidays_words(hours: OpeningHours) -> str:
    """Say what public holidays change."""
    if hours.never_closes():
        return _("法定节假日照常")
    rules = [rule.strip() for rule in hours.text.split(";") if "PH" in rule.split()[0].split(",")]
    if not rules:
        return _("法定节假日按当天的星期开放")
    rest = rules[-1].partition(" ")[2]
    if rest in ("closed", "off"):
        return _("法定节假日不开放")
    times = rest.replace(",", _("、")).replace("-", "–") or _("全天 24 小时")
    return _("法定节假日 %(times)s", times=times)


def other_days(hours: OpeningHours, local_now: datetime, calendar: Calendar) -> list[tuple[date, str]]:
    """Return the days of the coming week that go otherwise than the ordinary week says, each with what it has then.

    calendar : which of them are holidays or make-up workdays.
    """
    ordinary = week_words(hours)
    today = local_now.date()
    spans = _by_day(_runs(hours, datetime.combine(today, datetime.min.time()), calendar))
    days = [(today + timedelta(days=k), _spans_words(spans.get(k, []))) for k in range(7)]
    return [(day, words) for day, words in days if words != ordinary[day.weekday()]]


def _runs(hours: OpeningHours, midnight: datetime, calendar: Calendar) -> list[Span]:
    """Return when a place is open from two days before to a week after a midnight, in minutes from it."""
    runs: list[Span] = []
    at, last = midnight - timedelta(days=2), midnight + timedelta(days=8)
    while at < last:
        state = hours.state_at(at, calendar=calendar)
        end = min(state.changes_at or last, last)
        if state.is_open:
            runs.append((_minutes(at - midnight), _minutes(end - midnight)))
        at = end
    return runs


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _by_day(runs: Iterable[Span]) -> dict[int, list[Span]]:
    """Return each day's spans in minutes of that day; ends beyond 1440 are of the day after.

    What lasts longer than a day is no night: each day has its own part of it.
    """
    days: defaultdict[int, list[Span]] = defaultdict(list)
    for start, end in runs:
        bounds = [start, end]
        if end - start > MINUTES_A_DAY:
            first = (start // MINUTES_A_DAY + 1) * MINUTES_A_DAY
            bounds = [start, *range(first, end, MINUTES_A_DAY), end]
        for a, b in pairwise(bounds):
            day = a // MINUTES_A_DAY
            days[day].append((a - day * MINUTES_A_DAY, b - day * MINUTES_A_DAY))
    return days


def _spans_words(spans: list[Span]) -> str:
    if not spans:
        return _("不开放")
    whole = (0, MINUTES_A_DAY)
    return _("、").join(
        _("全天 24 小时") if span == whole else f"{_clock(span[0])}–{_clock(span[1])}" for span in sorted(spans)
    )


def _clock(minute: int) -> str:
    if minute > MINUTES_A_DAY:
        return _("次日 %(clock)s", clock=_clock(minute - MINUTES_A_DAY))
    return f"{minute // 60:02d}:{minute % 60:02d}"
