"""Quantities of a plan in words and figures, the same in its story, on its page and in its tables."""

import math
from typing import NamedTuple


class _Unit(NamedTuple):
    """How a unit is called, how many of it make one that is shown, and to how many decimals."""

    zh: str
    en: str
    per: float = 1.0
    decimals: int = 0


_UNITS = {
    "people": _Unit("人", "people"),
    "reports": _Unit("起周均报告", "reports a week", decimals=1),
    "metres": _Unit("公里街面", "km of street", 1000.0, 1),
    "share": _Unit("需求占比", "of all demand", 0.01, 1),
    "points": _Unit("个点位", "points"),
    "s": _Unit("分钟", "min", 60.0, 1),
    "people_s": _Unit("人·小时", "person-hours", 3600.0, 1),
    "reports_s": _Unit("起·小时", "report-hours", 3600.0, 1),
    "metres_s": _Unit("公里·小时", "km-hours", 3_600_000.0, 1),
    "share_s": _Unit("分钟（平均）", "min on average", 60.0, 2),
}


def amount(value: float, unit: str) -> tuple[str, str]:
    """Write a value of a plan in its unit, (Chinese, English): 83,000 人, 83,000 people."""
    number = figure(value, unit)
    if not math.isfinite(value) or unit == "share":
        return number, number
    zh, en = unit_words(unit)
    return f"{number} {zh}", f"{number} {en if number != '1' else en.removesuffix('s')}"


def figure(value: float, unit: str, *, sign: bool = False) -> str:
    """Write a value as a number alone: 12,300; streets in km, shares in percent, times in minutes, totals in hours."""
    if not math.isfinite(value):
        return "—"
    how = _UNITS[unit]
    return f"{value / how.per:{'+' if sign else ''},.{how.decimals}f}{'%' if unit == 'share' else ''}"


def unit_words(unit: str) -> tuple[str, str]:
    """Name a unit as it is shown, (Chinese, English)."""
    return _UNITS[unit].zh, _UNITS[unit].en


def percent_at_most(part: float) -> str:
    """Write a part as percent with two figures, rounded up: what is said to be at most stays true, and is never 0 %."""
    percent = part * 100
    decimals = max(0, 1 - math.floor(math.log10(percent))) if percent > 0 else 0
    step = 10.0**-decimals
    return f"{math.ceil(round(percent / step, 6)) * step:.{decimals}f} %"
