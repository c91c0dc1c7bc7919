"""Which days are holidays and make-up workdays: against the State Council's notices, and against the office's table."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from layers.imports import import_file
from layers.public_holidays import CHINA, Calendar, SpecialDay, calendar_of
from layers.store import Store

#: Days off from and to, and worked weekends: 国办发明电〔2024〕12号 (2025) and 国办发明电〔2025〕7号 (2026).
NOTICES = {
    2025: (
        "0101-0101 0128-0204 0404-0406 0501-0505 0531-0602 1001-1008",
        "0126 0208 0427 0928 1011",
    ),
    2026: (
        "0101-0103 0215-0223 0404-0406 0501-0505 0619-0621 0925-0927 1001-1007",
        "0104 0214 0228 0509 0920 1010",
    ),
}


def day_of(year: int, digits: str) -> date:
    return date(year, int(digits[:2]), int(digits[2:]))


@pytest.mark.parametrize("year", NOTICES)
def test_the_holidays_of_a_year_are_those_of_the_notice(year: int) -> None:
    off, worked = NOTICES[year]
    expected = {day_of(year, one): "workday" for one in worked.split()}
    for stretch in off.split():
        first, last = (day_of(year, digits) for digits in stretch.split("-"))
        expected |= {first + timedelta(days=k): "holiday" for k in range((last - first).days + 1)}
    days = [date(year, 1, 1) + timedelta(days=k) for k in range(365)]
    found = {day: special.kind for day in days if (special := CHINA.special(day))}
    assert found == expected
    assert CHINA.knows(year)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 10, 4), "国庆节"), (date(2026, 2, 15), "春节"), (date(2026, 4, 4), "清明节"),
        (date(2025, 10, 8), "国庆节、中秋节"), (date(2026, 10, 10), ""),
    ],
)  # fmt: skip
def test_a_day_off_bears_the_name_of_its_festival(day: date, name: str) -> None:
    special = CHINA.special(day)
    assert special is not None
    assert special.name == name


def test_a_year_without_a_notice_has_the_holidays_of_the_law_and_says_so() -> None:
    assert not CHINA.knows(2090)
    assert CHINA.is_holiday(date(2090, 10, 1)) and CHINA.is_holiday(date(2090, 5, 2))
    assert CHINA.special(date(2090, 10, 18)) is None
    assert CHINA.special(date(2500, 10, 1)) is None


def test_a_year_given_whole_leaves_nothing_of_what_was_known() -> None:
    given = Calendar((SpecialDay(date(2026, 10, 1), "holiday", "国庆节"), SpecialDay(date(2026, 10, 3), "workday")))
    days = [date(2026, 1, 1) + timedelta(days=k) for k in range(365)]
    assert [day for day in days if given.special(day)] == [date(2026, 10, 1), date(2026, 10, 3)]
    assert given.special(date(2025, 10, 1)) == CHINA.special(date(2025, 10, 1))


def test_single_days_of_a_year_are_laid_over_what_is_known() -> None:
    given = Calendar((SpecialDay(date(2026, 12, 31), "holiday", "元旦"), SpecialDay(date(2026, 10, 7), "workday")))
    assert given.is_holiday(date(2026, 12, 31)) and given.is_holiday(date(2026, 10, 6))
    assert not given.is_holiday(date(2026, 10, 7))


def test_the_notice_is_imported_as_the_office_writes_it(sqlite_store: Store, tmp_path: Path) -> None:
    rows = [
        {"日期": "2027-10-01", "类型": "放假", "名称": "国庆节"},
        {"日期": "2027/9/26", "类型": "调休上班日", "名称": ""},
        {"日期": "2027-10-02", "类型": "放假", "名称": "国庆节"},
        {"日期": "2027-10-02", "类型": "上班", "名称": ""},
        {"日期": "2027-10-03", "类型": "也许", "名称": ""},
    ]
    path = tmp_path / "公休.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    import_file(sqlite_store, "calendar", path, now=datetime(2026, 11, 27))
    calendar = calendar_of(sqlite_store.load("calendar"))
    assert [(day.date, day.kind, day.name) for day in calendar.given] == [
        (date(2027, 9, 26), "workday", ""), (date(2027, 10, 1), "holiday", "国庆节"),
        (date(2027, 10, 2), "holiday", "国庆节"),
    ]  # fmt: skip
    assert calendar.knows(2027)
