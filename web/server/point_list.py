"""Which places of help are listed, in which order, and what is said of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from layers.records import FUNCTIONS
from web.server.city import PublicCity
from web.server.point_words import function_words, hours_words, minutes_of, state_name, walk_words

OPEN, ALWAYS, ALL = "open", "24h", "all"
TIMES = (OPEN, ALWAYS, ALL)
A_PAGE, MOST_LISTED = 20, 200

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants: a function ("" for any), when (one of ``TIMES``), and how many to list."""

    function: str = ""
    when: str = OPEN
    count: int = A_PAGE

    def in_address(self) -> dict[str, str]:
        """Return the values that say this in an address of ours; what goes without saying is left out."""
        said = {"function": self.function, "when": "" if self.when == OPEN else self.when}
        return {name: value for name, value in said.items() if value}


def wanted_of(values: Mapping[str, str]) -> Wanted:
    """Return what an address asks for. Raises QuestionError on a function, time or number there is none of."""
    function, when = values.get("function", ""), values.get("when", "") or OPEN
    if function and function not in FUNCTIONS:
        raise QuestionError(f"没有这种服务：{function}", f"there is no such service: {function!r}")
    if when not in TIMES:
        raise QuestionError(f"没有这种时间选择：{when}", f"there is no such choice of time: {when!r}")
    count = values.get("count", "") or str(A_PAGE)
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_LISTED):
        raise QuestionError(f"最多列出 {MOST_LISTED} 个", f"between 1 and {MOST_LISTED} can be listed, not {count!r}")
    return Wanted(function, when, int(count))


@dataclass(frozen=True, slots=True)
class Listed:
    """One place of help as a reader sees it in a list.

    key : its name in addresses. state : "open", "closed" or "unknown". hours, walk : in words; walk "" where unknown.
    """

    key: str
    code: str
    name: str
    lon: float
    lat: float
    state: str
    hours: str
    walk: str
    functions: list[str]
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class PointList:
    """What is listed of ``total`` places that match.

    instead : nothing matches that is open; these match but for that. off_street : no street leads from the place given,
    so that there are no walking times.
    """

    items: list[Listed]
    total: int
    instead: bool = False
    off_street: bool = False


def point_list(city: PublicCity, wanted: Wanted, at: tuple[float, float] | None, now: datetime) -> PointList:
    """Return the places of help a reader wants: soonest on foot first; without a place, open first, then by name.

    at : (lon, lat) of the reader, None where unknown. Raises NetworkError on a place outside all maps.
    """
    offering = np.ones(len(city.points), bool) if not wanted.function else city.offering(wanted.function)
    allowed = offering & _at_time(city, wanted.when, now)
    instead = wanted.when != ALL and not allowed.any() and bool(offering.any())
    if instead:
        allowed = offering
    reached = [] if at is None else city.nearest(*at, allowed, wanted.count)
    if reached:
        items = [listed(city, one.point, now, one.seconds) for one in reached]
    else:
        items = [listed(city, i, now) for i in _in_order(city, allowed, now)[: wanted.count]]
    return PointList(items, int(allowed.sum()), instead, at is not None and not reached and bool(items))


def _at_time(city: PublicCity, when: str, now: datetime) -> Flags:
    if when == OPEN:
        return city.open_at(now)
    return city.always_open() if when == ALWAYS else np.ones(len(city.points), bool)


def _in_order(city: PublicCity, allowed: Flags, now: datetime) -> list[int]:
    open_, names = city.open_at(now), city.points["name"]
    return sorted(np.flatnonzero(allowed).tolist(), key=lambda i: (not open_[i], str(names.iat[i])))


def listed(city: PublicCity, position: int, now: datetime, seconds: float | None = None) -> Listed:
    """Return one place of help as lists say it; seconds : the walk there, None where unknown."""
    row = _rows(city)[position]
    state = city.hours_state(position, now)
    return Listed(
        key=row["key"], code=row["code"], name=row["name"], lon=row["geometry"].x, lat=row["geometry"].y,
        state=state_name(state), hours=hours_words(state, city.local(now)),
        walk="" if seconds is None else walk_words(minutes_of(seconds)),
        functions=function_words(row["functions"]), address=row["address"] or "", phone=row["phone"] or "",
    )  # fmt: skip


@lru_cache(maxsize=2)
def _rows(city: PublicCity) -> list[dict[str, Any]]:
    # a row of a table takes longer to look up than the rest of a list takes to say
    rows: list[dict[str, Any]] = city.points.to_dict("records")
    return rows
