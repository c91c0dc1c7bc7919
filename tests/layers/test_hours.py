"""Opening hours: what people write, what is kept, and when a place is open."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import RecordError
from layers.hours import HourOfWeek, OpeningHours, parse_hour_of_week

KEPT = {
    "周一至周五 8:30-17:30；周六 9:00-12:00": "Mo-Fr 08:30-17:30; Sa 09:00-12:00",
    "每天 9:00-17:00": "09:00-17:00",
    "工作日 8:30-12:00，14:00-17:30": "Mo-Fr 08:30-12:00,14:00-17:30; PH closed",
    "24小时": "24/7",
    "全天": "24/7",
    "全天24小时": "24/7",
    "24h": "24/7",
    "7×24小时": "24/7",
    "星期一到星期日24小时": "24/7",
    "周一至周五 24小时": "Mo-Fr",
    "周一至周五 8:30-17:30，节假日休息": "Mo-Fr 08:30-17:30; PH closed",
    "每日22:00-次日6:00": "Mo-Su 22:00-06:00",
    "上午8:30-11:30，下午2:00-5:30": "08:30-11:30,14:00-17:30",
    "周一、周三、周五 9点至下午5点半": "Mo,We,Fr 09:00-17:30",
    "周末 10：00—16：00": "Sa-Su 10:00-16:00",
    "8:30-17:30（节假日除外）": "08:30-17:30; PH closed",
    "周一至周五8:30-17:30、周六日9:00-11:00": "Mo-Fr 08:30-17:30; Sa-Su 09:00-11:00",
    "营业时间：9:00-18:00": "09:00-18:00",
    "全年无休 8:00-20:00": "08:00-20:00",
    "每天 08:00-18:00，节假日照常": "08:00-18:00; PH 08:00-18:00",
    "Mo-Fr 8:30-17:30; PH off": "Mo-Fr 08:30-17:30; PH closed",
    "周五 22:00-次日6:00；周六 9:00-12:00；周日休息": "Fr 22:00-06:00, Sa 09:00-12:00",
    "Mo-Fr 22:00-06:00; Sa off; PH off": "Mo-Fr 22:00-06:00; PH closed",
}
NONSENSE = [
    "",
    "   ",
    "随时",
    "周九 9:00-10:00",
    "25:00-26:00",
    "9点",
    "周一",
    "foo",
    "Mo-Fr 25:00-30:00",
    "电话预约",
    "Xx 1",
]


@pytest.mark.parametrize(("written", "kept"), KEPT.items(), ids=range(len(KEPT)))
def test_what_people_write_is_kept_as_osm_text(written: str, kept: str) -> None:
    assert OpeningHours.parse(written).text == kept


@pytest.mark.parametrize("kept", KEPT.values(), ids=range(len(KEPT)))
def test_the_kept_text_reads_back_as_itself_in_both_languages(kept: str) -> None:
    hours = OpeningHours.parse(kept)
    assert hours.text == kept
    if "PH 0" not in kept:  # a rule for holidays alone has no Chinese counterpart to read back
        again = OpeningHours.parse(hours.label("zh"))
        assert np.array_equal(again.week_minutes(), hours.week_minutes())


@pytest.mark.parametrize("text", NONSENSE)
def test_anything_else_is_refused_in_both_languages(text: str) -> None:
    with pytest.raises(RecordError, match="开放时间"):
        OpeningHours.parse(text)


spans = st.tuples(st.integers(0, 47), st.integers(1, 47)).map(lambda s: (s[0] * 30, s[1] * 30))
weeks = st.dictionaries(st.integers(0, 6), spans, min_size=1)


@settings(max_examples=60, deadline=None)
@given(weeks)
def test_hours_given_day_by_day_hold_to_the_minute_and_past_midnight(week: dict[int, tuple[int, int]]) -> None:
    expected = np.zeros(10_080, bool)
    rules = []
    for day, (start, length) in week.items():
        expected[np.arange(day * 1440 + start, day * 1440 + start + length) % 10_080] = True
        end = (start + length) % 1440
        after = "次日" if start + length >= 1440 else ""
        rules.append(f"周{'一二三四五六日'[day]} {start // 60}:{start % 60:02d}-{after}{end // 60}:{end % 60:02d}")
    hours = OpeningHours.parse("；".join(rules))
    assert np.array_equal(hours.week_minutes(), expected)
    assert np.array_equal(hours.week_table(), expected[::60])
    for minute in range(0, 10_080, 617):
        assert hours.open_at(minute // 1440, minute % 1440) == expected[minute]
        assert hours.open_at(HourOfWeek(minute // 1440, minute % 1440)) == expected[minute]


def test_a_dated_time_and_an_hour_of_the_week_agree_in_an_ordinary_week() -> None:
    hours = OpeningHours.parse("工作日 8:30-17:30；周五 22:00-次日6:00")
    monday = datetime(2024, 7, 15)
    for step in range(0, 10_080, 30):
        assert hours.open_at(monday + timedelta(minutes=step)) == hours.open_at(step // 1440, step % 1440)


def test_public_holidays_count_on_a_date_and_not_in_a_week() -> None:
    hours = OpeningHours.parse("周一至周日 9:00-17:00，节假日休息")
    assert not hours.open_at(datetime(2025, 10, 1, 10))  # National Day, a Wednesday
    assert hours.open_at(datetime(2025, 10, 15, 10))
    assert hours.open_at(2, 600)


def test_hours_of_one_season_are_not_taken_for_the_whole_year() -> None:
    assert not OpeningHours.parse("Apr-Sep 08:00-18:00").week_table().any()
    both = OpeningHours.parse("Apr-Sep 08:00-18:00; Oct-Mar 09:00-17:00")
    assert np.array_equal(both.week_table(), OpeningHours.parse("09:00-17:00").week_table())


def test_a_time_with_a_zone_and_an_impossible_minute_are_refused() -> None:
    hours = OpeningHours.parse("24/7")
    with pytest.raises(RecordError):
        hours.open_at(datetime(2025, 1, 1, tzinfo=UTC))
    for weekday, minute in ((7, 0), (-1, 0), (0, 1440), (0, -1)):
        with pytest.raises(RecordError):
            hours.open_at(weekday, minute)


def test_a_week_table_is_the_callers_own() -> None:
    hours = OpeningHours.parse("24/7")
    hours.week_table()[:] = False
    assert hours.week_table().all()
    with pytest.raises(ValueError, match="read-only"):
        hours.week_minutes()[0] = False


@pytest.mark.parametrize("text", ["Sun 02:00", "sunday 2:00", "周日 02:00", "星期天2点", "Su 02:00", "周日，02：00"])
def test_an_hour_of_the_week_is_read_in_both_languages(text: str) -> None:
    assert parse_hour_of_week(text) == HourOfWeek(6, 120)


def test_an_hour_of_the_week_is_written_as_it_is_read() -> None:
    for minute in range(0, 10_080, 61):
        hour = HourOfWeek(minute // 1440, minute % 1440)
        assert parse_hour_of_week(str(hour)) == parse_hour_of_week(hour.label("zh")) == hour


@pytest.mark.parametrize(
    "text", ["", "02:00", "Sun", "Sun 24:00", "Sun 02:60", "S 02:00", "T 1:00", "周八 1:00", "Sonne 1:00"]
)
def test_other_hours_of_the_week_are_refused(text: str) -> None:
    with pytest.raises(RecordError, match="Sun 02:00"):
        parse_hour_of_week(text)
