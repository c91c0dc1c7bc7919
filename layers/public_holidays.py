"""Public holidays and make-up workdays (放假、调休): as the office imported them, else as the library knows them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import groupby

import geopandas as gpd
import holidays

COUNTRY = "CN"
ONE_DAY = timedelta(days=1)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day that goes otherwise than its weekday says; kind : "holiday" (放假) or "workday" (调休上班日)."""

    date: date
    kind: str
    name: str = ""


@dataclass(frozen=True, eq=False)
class Calendar:
    """Which days are holidays and make-up workdays; never changes, and is itself alone for caches.

    given : the office's days. A year whose 1 October is among them counts as given whole, and nothing else is known of
    it; single days of another year are laid over what the library knows, so that the first days of a notice, which
    may lie in the December before, do not put out a year.
    """

    given: tuple[SpecialDay, ...] = ()

    def special(self, day: date) -> SpecialDay | None:
        """Return what is special about a day; None for an ordinary one, its weekday's hours hold."""
        return self._year(day.year).get(day)

    def is_holiday(self, day: date) -> bool:
        """Tell whether nobody works on a day by law."""
        special = self.special(day)
        return special is not None and special.kind == "holiday"

    def knows(self, year: int) -> bool:
        """Tell whether the make-up workdays of a year are known, or only the holidays the law names."""
        return year in self._whole or any(day.kind == "workday" for day in self._year(year).values())

    @cached_property
    def _whole(self) -> frozenset[int]:
        return frozenset(day.date.year for day in self.given if (day.date.month, day.date.day) == (10, 1))

    @cached_property
    def _years(self) -> dict[int, Mapping[date, SpecialDay]]:
        return {}

    def _year(self, year: int) -> Mapping[date, SpecialDay]:
        found = self._years.get(year)
        if found is None:
            own = {day.date: day for day in self.given if day.date.year == year}
            found = own if year in self._whole else {**_known(year), **own}
            self._years[year] = found
        return found


def calendar_of(table: gpd.GeoDataFrame) -> Calendar:
    """Return the calendar that a table of the layer ``calendar`` gives."""
    rows = zip(table["date"], table["kind"], table["name"], strict=True)
    return Calendar(tuple(SpecialDay(day, kind, name or "") for day, kind, name in rows))


@lru_cache(maxsize=64)
def _known(year: int) -> Mapping[date, SpecialDay]:
    """Return the special days of a year as the library ``holidays`` has them: the State Council's, once published.

    The library leaves out the weekends inside a holiday; the notices count them ("10月1日至7日放假"), and so do we: a
    weekend joined to a day off is part of the holiday, unless it is worked.
    """
    named: dict[date, str] = {}
    worked: set[date] = set()
    for one in (year - 1, year, year + 1):  # a holiday may begin in December
        days = holidays.country_holidays(COUNTRY, years=one, language="zh_CN")
        named.update(days.items())
        worked |= set(days.weekend_workdays)
    free = set(named) - worked
    for day in named:
        for step in (ONE_DAY, -ONE_DAY):
            other = day + step
            while other.weekday() >= SATURDAY and other not in worked:
                free.add(other)
                other += step
    found = [SpecialDay(day, "workday") for day in worked]
    for run in _runs(free):
        name = "、".join(dict.fromkeys(filter(None, (_festival(named.get(day, "")) for day in run))))
        found += [SpecialDay(day, "holiday", name) for day in run]
    return {day.date: day for day in sorted(found, key=lambda d: d.date) if day.date.year == year}


def _runs(days: Iterable[date]) -> Iterator[list[date]]:
    """Yield the days in stretches without a gap."""
    ordered = enumerate(sorted(days))
    for _, run in groupby(ordered, key=lambda item: item[1].toordinal() - item[0]):
        yield [day for _, day in run]


def _festival(label: str) -> str:
    """Return the festival of a label of the library: "" of "休息日（由 2026-10-10 调休）", 春节 of its eve."""
    name = label.partition("（")[0].partition(";")[0].strip()
    return {"休息日": "", "农历除夕": "春节"}.get(name, name)


#: What is known where no office said otherwise.
CHINA = Calendar()
