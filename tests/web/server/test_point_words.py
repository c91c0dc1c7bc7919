"""What is said of opening hours, and whether that is what the hours are."""

import re
from datetime import date, datetime, timedelta

import pytest

from layers.hours import HoursState, OpeningHours
from layers.public_holidays import CHINA, Calendar, SpecialDay
from web.server.hours_table import holidays_words, other_days, week_words
from web.server.point_words import (
    coming_day_words,
    hours_words,
    metres_words,
    minutes_of,
    unsettled_words,
    verified_words,
)

HOURS = (
    "24/7", "Mo-Fr 08:30-12:00,14:00-17:30", "Mo-Fr 08:30-17:30; Sa 09:00-12:00", "Fr-Su 20:00-06:00",
    "Mo-Su 18:00-02:00", "Mo-Fr 00:00-24:00", "Mo-Fr 20:00-06:00; PH off", "Mo 20:00-24:00",
    "Su 22:00-24:00; Mo 00:00-05:00", "Mo-Fr 09:00-17:00; PH 10:00-12:00",
)  # fmt: skip
#: Monday; the Thursday after it, 1 October, is a public holiday.
MONDAY = datetime(2026, 9, 28)


def said(hours: str, day: int, clock: str) -> str:
    local = MONDAY + timedelta(days=day, hours=int(clock[:2]), minutes=int(clock[3:]))
    return hours_words(OpeningHours.parse(hours).state_at(local), local)


@pytest.mark.parametrize(
    ("hours", "day", "clock", "words"),
    [
        ("24/7", 0, "03:00", "全天 24 小时开放"),
        ("Mo-Fr 08:30-17:30", 0, "17:29", "开放至 17:30"),
        ("Mo-Fr 08:30-17:30", 0, "17:30", "已关闭，明天 08:30 开放"),
        ("Mo-Fr 08:30-17:30", 0, "08:29", "已关闭，今天 08:30 开放"),
        ("Mo-Fr 08:30-17:30", 4, "18:00", "已关闭，周一 08:30 开放"),
        ("Mo 08:30-17:30", 0, "18:00", "已关闭，10月5日（周一） 08:30 开放"),
        ("Mo-Su 18:00-02:00", 0, "23:00", "开放至次日 02:00"),
        ("Mo-Su 18:00-02:00", 1, "01:00", "开放至 02:00"),
        ("Mo-Su 18:00-24:00", 0, "23:00", "开放至 24:00"),
        ("Mo-Fr 00:00-24:00", 0, "12:00", "开放至周五 24:00"),
        ("Mo-Fr 09:00-17:00; PH off", 2, "18:00", "已关闭，10月8日（周四） 09:00 开放"),
        ("Mo-Fr 09:00-17:00; PH 10:00-12:00", 3, "09:30", "已关闭，今天 10:00 开放"),
        ("Jan-Mar 08:00-12:00", 0, "12:00", "已关闭，2027-01-01 08:00 开放"),
        ("PH off", 0, "12:00", "已关闭，未注明何时开放"),
    ],
)
def test_hours_are_said_as_people_say_them(hours: str, day: int, clock: str, words: str) -> None:
    assert said(hours, day, clock) == words


def test_hours_that_are_not_stated_are_said_to_be_so() -> None:
    assert hours_words(None, MONDAY) == "开放时间未注明"


@pytest.mark.parametrize("hours", HOURS)
def test_the_week_in_words_is_the_week_minute_by_minute(hours: str) -> None:
    opening = OpeningHours.parse(hours)
    open_ = [False] * 10_080
    for day, words in enumerate(week_words(opening)):
        for start, end in spans(words):
            for minute in range(start, end):
                open_[(day * 1440 + minute) % 10_080] = True
    assert open_ == opening.week_minutes().tolist()


@pytest.mark.parametrize("hours", HOURS)
def test_the_coming_days_in_words_are_so_minute_by_minute(hours: str) -> None:
    opening = OpeningHours.parse(hours)
    week, others = week_words(opening), dict(other_days(opening, MONDAY + timedelta(hours=12), CHINA))
    open_ = [False] * 1440 * 9
    for day in range(7):
        for start, end in spans(others.get((MONDAY + timedelta(days=day)).date(), week[day])):
            for minute in range(start, end):
                open_[day * 1440 + minute] = True
    # from Tuesday on: what runs on from the Sunday before is not among the coming days
    for minute in range(1440, 7 * 1440, 7):
        assert open_[minute] == opening.open_at(MONDAY + timedelta(minutes=minute)), minute


def spans(words: str) -> list[tuple[int, int]]:
    if words == "不开放":
        return []
    if words.startswith("全天"):
        return [(0, 1440)]
    found = re.findall(r"(\d\d):(\d\d)–(次日 )?(\d\d):(\d\d)", words)
    return [(int(a) * 60 + int(b), int(c) * 60 + int(d) + 1440 * bool(next_day)) for a, b, next_day, c, d in found]


def test_holidays_have_their_line() -> None:
    lines = [holidays_words(OpeningHours.parse(hours)) for hours in (HOURS[0], HOURS[1], HOURS[6], HOURS[9])]
    assert lines == ["法定节假日照常", "法定节假日按当天的星期开放", "法定节假日不开放", "法定节假日 10:00–12:00"]


@pytest.mark.parametrize(
    ("hours", "lines"),
    [
        ("工作日 8:30-17:30", {"10月1日（周四）国庆节 不开放", "10月10日（周六，调休） 08:30–17:30"}),
        ("每天 9:00-17:00；节假日 10:00-12:00", {"10月7日（周三）国庆节 10:00–12:00"}),
        ("每晚22:00-次日6:00，节假日除外", {"10月7日（周三）国庆节 不开放"}),
    ],
)
def test_coming_holidays_and_worked_weekends_are_named_with_what_they_have(hours: str, lines: set[str]) -> None:
    opening = OpeningHours.parse(hours.replace("每晚", "每天"))
    found = {
        f"{coming_day_words(day, CHINA)} {words}"
        for start in (datetime(2026, 9, 28, 12), datetime(2026, 10, 5, 12))
        for day, words in other_days(opening, start, CHINA)
    }
    assert lines <= found
    assert not any("10月8日" in line for line in found)


def test_the_names_of_the_offices_own_holidays_are_shown_as_they_are() -> None:
    days = [SpecialDay(date(2026, 10, 1), "holiday", "国庆节、<中秋>"), SpecialDay(date(2026, 10, 2), "holiday")]
    said = [str(coming_day_words(day.date, Calendar(tuple(days)))) for day in days]
    assert said == ["10月1日（周四）国庆节、&lt;中秋&gt;", "10月2日（周五）节假日"]
    assert coming_day_words(date(2026, 10, 15), CHINA) == "10月15日（周四）"


def test_a_coming_year_without_its_notice_is_said_to_be_so() -> None:
    without = "2090 年的放假调休安排尚未录入：节假日按法律规定推算，调休上班日未计入。"
    assert unsettled_words(CHINA, date(2026, 6, 1)) == ""
    assert unsettled_words(CHINA, date(2090, 6, 1)) == without
    given = Calendar((SpecialDay(date(2089, 10, 1), "holiday"),))
    assert unsettled_words(given, date(2089, 11, 15)) == ""
    assert unsettled_words(given, date(2089, 12, 1)) == without
    given = Calendar(tuple(SpecialDay(date(year, 10, 1), "holiday") for year in (2089, 2090)))
    assert unsettled_words(given, date(2089, 12, 1)) == ""


def test_minutes_are_never_too_few() -> None:
    assert [minutes_of(s) for s in (0.0, 59.9, 60.0, 60.1, 3599.0)] == [1, 1, 1, 2, 60]


def test_lengths_are_said_round() -> None:
    assert [metres_words(m) for m in (1.0, 12.0, 54.0, 994.0, 996.0, 1540.0)] == [
        "5 米", "10 米", "50 米", "990 米", "1.0 公里", "1.5 公里",
    ]  # fmt: skip


def test_age_is_said_in_the_unit_one_would_use() -> None:
    day = date(2026, 11, 27)
    ages = [verified_words(day - timedelta(days=days), day) for days in (-3, 0, 12, 90, 800)]
    assert ages == ["今天", "今天", "12 天前", "3 个月前", "2 年前"]


def test_a_state_without_a_change_is_said_for_good() -> None:
    assert hours_words(HoursState(True, None), MONDAY) == "全天 24 小时开放"
