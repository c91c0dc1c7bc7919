"""Time of the scan statistic: a period cut into units of days, months or years, counted back from its end."""

import calendar
import datetime as dt

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

UNITS = ("day", "month", "year")


def time_units(first: dt.date, last: dt.date, unit: str, length: int = 1) -> NDArray[np.int64]:
    """Return (units + 1,) the days since 1970 on which units begin, and the day after the last.

    Units of ``length`` days, months or years are counted back from ``last``; what is left over lengthens the first
    (so does SaTScan since 10). Raises QuestionError where the period is not even one unit long.
    """
    if unit not in UNITS or length < 1 or last < first:
        raise QuestionError(f"时间单位不成立：{length} {unit}", f"no such units of time: {length} {unit}")
    after = last + dt.timedelta(days=1)
    begins = [after]
    while (begin := _before(after, unit, length * len(begins))) >= first:
        begins.append(begin)
    if len(begins) == 1:
        raise QuestionError(f"时期不足一个单位（{length} {unit}）", f"the period is shorter than {length} {unit}")
    begins[-1] = first
    return np.array([day.toordinal() for day in reversed(begins)], np.int64) - dt.date(1970, 1, 1).toordinal()


def longest_window(first: dt.date, last: dt.date, unit: str, length: int, share: float) -> int:
    """Return how many units a window may have that spans at most ``share`` of the period, rounded down twice."""
    after, singles = last + dt.timedelta(days=1), 1
    while _before(after, unit, singles) > first:
        singles += 1
    return int(np.floor(singles * share + 1e-9)) // length


def _before(day: dt.date, unit: str, count: int) -> dt.date:
    """Return the date ``count`` units before; a day its month lacks becomes the month's last."""
    if unit == "day":
        return day - dt.timedelta(days=count)
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
