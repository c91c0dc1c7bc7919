"""Whether a place is open on a date: against a count minute by minute that shares nothing but the syntax."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import opening_hours as osm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.dated_hours import spans_on
from layers.hours import OpeningHours
from layers.public_holidays import CHINA, Calendar, SpecialDay

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
MINUTE = timedelta(minutes=1)
LENGTH = 28


def days(first: date, count: int) -> frozenset[date]:
    return frozenset(first + timedelta(days=k) for k in range(count))


@dataclass(frozen=True)
class Season:
    """The days from ``start`` on, with those off and those worked as the notices have them."""

    start: date
    off: frozenset[date]
    worked: frozenset[date]


NATIONAL_DAY = Season(
    date(2026, 9, 17), days(date(2026, 9, 25), 3) | days(date(2026, 10, 1), 7),
    frozenset({date(2026, 9, 20), date(2026, 10, 10)}),
)  # fmt: skip
SEASONS = (
    NATIONAL_DAY,
    Season(date(2026, 2, 10), days(date(2026, 2, 15), 9), frozenset({date(2026, 2, 14), date(2026, 2, 28)})),
    Season(date(2025, 1, 20), days(date(2025, 1, 28), 8), frozenset({date(2025, 1, 26), date(2025, 2, 8)})),
    Season(date(2025, 9, 22), days(date(2025, 10, 1), 8), frozenset({date(2025, 9, 28), date(2025, 10, 11)})),
    Season(date(2025, 12, 20), days(date(2026, 1, 1), 3), frozenset({date(2026, 1, 4)})),
)
OFF, WORKED = NATIONAL_DAY.off, NATIONAL_DAY.worked


@dataclass(frozen=True)
class Week:
    """Spans (start, length) of each weekday, and of holidays: None where nothing is said of them."""

    days: tuple[tuple[tuple[int, int], ...], ...]
    holidays: tuple[tuple[int, int], ...] | None

    @property
    def text(self) -> str:
        """The hours in OSM syntax, rules joined so that no night is cut."""
        rules = ", ".join(f"{day} {clocks(spans)}" for day, spans in zip(DAYS, self.days, strict=True) if spans)
        said = {None: "", (): "PH closed"}.get(self.holidays, "") or (self.holidays and f"PH {clocks(self.holidays)}")
        return "; ".join(filter(None, (rules, said or "")))

    def open_minutes(self, season: Season) -> list[bool]:
        """Every minute of the days, one after the other, each evening walked through to its end."""
        open_ = [False] * (LENGTH + 2) * 1440
        for k in range(-1, LENGTH):
            day = season.start + timedelta(days=k)
            weekday = 4 if day in season.worked else day.weekday()
            spans = self.days[weekday] if self.holidays is None or day not in season.off else self.holidays
            for start, length in spans:
                for minute in range(start, start + length):
                    if k * 1440 + minute >= 0:
                        open_[k * 1440 + minute] = True
        return open_[: LENGTH * 1440]


def clocks(spans: tuple[tuple[int, int], ...]) -> str:
    return ",".join(
        f"{s // 60:02d}:{s % 60:02d}-{(s + n) // 60:02d}:{(s + n) % 60:02d}" for s, n in spans
    )  # fmt: skip


span = st.tuples(st.integers(0, 95), st.integers(1, 95)).map(lambda s: (s[0] * 15, s[1] * 15))
day_spans = st.one_of(st.just(()), st.tuples(span), st.tuples(span, span))
weeks = st.builds(Week, st.tuples(*[day_spans] * 7), st.one_of(st.none(), day_spans)).filter(lambda w: any(w.days))


@settings(max_examples=60, deadline=None)
@given(weeks, st.sampled_from(SEASONS))
def test_every_minute_about_the_holidays_is_as_a_slow_count_has_it(week: Week, season: Season) -> None:
    expected = week.open_minutes(season)
    for k in range(LENGTH):
        found = [False] * 1440
        for start, end in spans_on(week.text, season.start + timedelta(days=k), CHINA):
            found[start:end] = [True] * (end - start)
        assert found == expected[k * 1440 : (k + 1) * 1440], season.start + timedelta(days=k)


@settings(max_examples=60, deadline=None)
@given(weeks, st.sampled_from(SEASONS), st.integers(0, 14 * 1440))
def test_the_next_change_is_the_first_minute_that_differs(week: Week, season: Season, minute: int) -> None:
    expected = week.open_minutes(season)
    midnight = datetime.combine(season.start, datetime.min.time())
    state = OpeningHours(week.text).state_at(midnight + minute * MINUTE + timedelta(seconds=59))
    assert state.is_open == expected[minute]
    change = next((m for m in range(minute, len(expected)) if expected[m] != expected[minute]), None)
    if change is not None:
        assert state.changes_at == midnight + change * MINUTE
    else:
        assert state.changes_at is None or state.changes_at >= midnight + LENGTH * timedelta(days=1)


SPELLINGS = (
    "Mo-Fr 08:30-12:00,14:00-17:30", "Mo-Su 22:00-06:00; Sa 09:00-12:00", "Fr-Su 20:00-06:00", "24/7",
    "Apr-Sep Mo-Fr 08:00-18:00; Oct-Mar 09:00-17:00", "Fr[1] 10:00-12:00", "week 1-53/2 Mo 10:00-12:00",
    "Mo-Fr 09:00+", "Mo-Fr sunrise-sunset", 'Mo-Fr 09:00-17:00 || "by telephone; at any time"', "Oct 01-07 off",
    "Mo-Fr 09:00-17:00; Oct 01-07 off", "Mo-Fr 20:00-30:00, Su 10:00-12:00", "2030 Mo-Fr 10:00-12:00", "easter off",
)  # fmt: skip
#: 1 October alone is special, so that years are given whole; what is asked lies far from it.
ONE_DAY_A_YEAR = Calendar(tuple(SpecialDay(date(year, 10, 1), "holiday") for year in range(2025, 2040)))


@pytest.mark.parametrize("text", SPELLINGS)
def test_without_holidays_the_answers_are_the_librarys(text: str) -> None:
    hours = OpeningHours.parse(text)
    library = osm.OpeningHours(hours.text)
    at = datetime(2026, 10, 3, 0, 0)
    while at < datetime(2026, 12, 1):
        assert hours.open_at(at, calendar=ONE_DAY_A_YEAR) == library.is_open(at), at
        change = library.next_change(at)
        # of a fallback the library's next change is not where its own answer changes
        if "||" not in text and (change is None or change < datetime(2027, 10, 1)):
            assert hours.state_at(at, calendar=ONE_DAY_A_YEAR).changes_at == change, at
        at += timedelta(minutes=247)


@settings(max_examples=60, deadline=None)
@given(weeks, st.datetimes(datetime(2026, 10, 3), datetime(2027, 9, 1)))
def test_any_week_without_holidays_is_as_the_library_has_it(week: Week, when: datetime) -> None:
    hours = OpeningHours.parse(week.text)
    when = when.replace(second=0, microsecond=0)
    library = osm.OpeningHours(hours.text)
    assert hours.open_at(when, calendar=ONE_DAY_A_YEAR) == library.is_open(when)
    change = library.next_change(when)
    if change is None or change < datetime(2027, 9, 30):
        assert hours.state_at(when, calendar=ONE_DAY_A_YEAR).changes_at == change


def test_the_night_before_a_holiday_runs_on_and_the_night_of_a_holiday_is_not_begun() -> None:
    hours = OpeningHours.parse("每日22:00-次日6:00，节假日休息")
    assert hours.open_at(datetime(2026, 10, 1, 5, 59))  # begun on 30 September, no holiday
    assert not hours.open_at(datetime(2026, 10, 1, 22)) and not hours.open_at(datetime(2026, 10, 8, 1))
    assert hours.open_at(datetime(2026, 10, 8, 22))
    assert hours.state_at(datetime(2026, 10, 1, 1)).changes_at == datetime(2026, 10, 1, 6)
    assert hours.state_at(datetime(2026, 10, 1, 6)).changes_at == datetime(2026, 10, 8, 22)


@pytest.mark.parametrize("day", sorted(WORKED))
def test_a_worked_weekend_day_has_the_hours_of_a_friday(day: date) -> None:
    hours = OpeningHours.parse("工作日 8:30-17:30；周六周日 10:00-11:00")
    assert spans_on(hours.text, day, CHINA) == ((510, 1050),)
    assert spans_on(hours.text, date(2026, 10, 17), CHINA) == ((600, 660),)


@pytest.mark.parametrize("day", sorted(OFF))
def test_who_is_closed_on_holidays_is_closed_all_through_the_national_day_week(day: date) -> None:
    for written in ("工作日 8:30-17:30", "每天 9:00-17:00，节假日休息", "24/7; PH off"):
        assert spans_on(OpeningHours.parse(written).text, day, CHINA) == ()
    assert spans_on("24/7", day, CHINA) == ((0, 1440),)


ROUND_THE_CLOCK = {
    "24/7": True, "Mo-Su,PH 00:00-24:00": True, "每天 24小时": True, "00:00-24:00": True, "Mo-Su 06:00-06:00": True,
    "Mo-Su 00:00-24:00; PH 00:00-24:00": True, "24/7; PH off": False, "Mo-Su 00:00-23:59": False, "Mo-Fr": False,
    "Mo-Fr 00:00-24:00; Sa-Su 00:00-24:00": True, "Apr-Sep 00:00-24:00": False,
    "24/7; PH 08:00-20:00": False,
    "Mo-Fr,PH 00:00-24:00": False, 'Mo-Fr 09:00-17:00 || 24/7 "by telephone"': False,
    "24/7; 2030 Jan 01 off": False,
}  # fmt: skip


@pytest.mark.parametrize("written", ROUND_THE_CLOCK)
def test_who_never_closes_is_known_however_it_is_said(written: str) -> None:
    hours = OpeningHours.parse(written)
    assert hours.never_closes() == ROUND_THE_CLOCK[written]
    state = hours.state_at(datetime(2026, 9, 30, 12))
    assert (state.is_open and state.changes_at is None) == ROUND_THE_CLOCK[written]
