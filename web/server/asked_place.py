"""From where a reader walks: a place on the map, the device's own, or a street, point or area by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from gis.errors import QuestionError
from web.server.access import public_city, whole_store
from web.server.place_search import LONGEST_QUERY, Place, Places, places_of

#: Places as addresses carry them: a tenth of a metre.
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader said of where they are.

    query : the words typed. lon, lat : the place meant, WGS84, None where none is known. place : its name, None for a
    place without one. choices : the places the words may mean, where they are several; none of them is taken.
    """

    query: str = ""
    lon: float | None = None
    lat: float | None = None
    place: Place | None = None
    choices: tuple[Place, ...] = ()

    @property
    def at(self) -> tuple[float, float] | None:
        """The place as (lon, lat)."""
        return None if self.lon is None or self.lat is None else (self.lon, self.lat)

    @property
    def unknown(self) -> bool:
        """Whether words were typed that no place bears."""
        return bool(self.query) and self.at is None and not self.choices

    def in_address(self) -> dict[str, str]:
        """Return the values that say this place in an address of ours."""
        if self.lon is None or self.lat is None:
            return {"q": self.query} if self.query else {}
        return address_of(self.place, self.lon, self.lat)

    def choices_at(self, endpoint: str, **values: Any) -> list[tuple[Place, str]]:
        """Return each choice with the address of a page that takes it."""
        return [
            (place, url_for(endpoint, **{**values, **address_of(place, place.lon, place.lat)}))
            for place in self.choices
        ]


def address_of(place: Place | None, lon: float, lat: float) -> dict[str, str]:
    """Return the values that say a place in an address of ours; "asked" are the words that lon and lat answer."""
    words = {} if place is None else {"q": place.name, "asked": place.name}
    return {**words, "lon": f"{lon:.{DECIMALS}f}", "lat": f"{lat:.{DECIMALS}f}"}


def asked_place() -> Asked:
    """Return what the request says of where its reader is.

    Words that were not asked before go before a place on the map: the form keeps the last place beside them.
    Raises QuestionError on coordinates that are none, and on words too long to be a place.
    """
    values = request.args
    query = values.get("q", "").strip()
    if len(query) > LONGEST_QUERY:
        raise QuestionError(
            f"地点请不要超过 {LONGEST_QUERY} 个字", f"a place has at most {LONGEST_QUERY} characters, got {len(query)}"
        )
    at = coordinates(values)
    if query and (query != values.get("asked", "").strip() or at is None):
        return _named(query, _places().search(query))
    if at is None or (not query and values.get("asked", "").strip()):
        return Asked()
    place = _place_at(query, at)
    return Asked(query if place else "", *at, place)


def _places() -> Places:
    return places_of(public_city(), whole_store())


def _named(query: str, found: list[Place]) -> Asked:
    if len(found) != 1:
        return Asked(query, choices=tuple(found))
    return Asked(query, found[0].lon, found[0].lat, found[0])


def _place_at(query: str, at: tuple[float, float]) -> Place | None:
    """Return the place of this name here; None where the map was touched since the words were typed."""
    same = (
        place for place in (_places().search(query) if query else [])
        if all(abs(a - b) < 10.0**-DECIMALS for a, b in zip(at, (place.lon, place.lat), strict=True))
    )  # fmt: skip
    return next(same, None)


def coordinates(values: Mapping[str, str]) -> tuple[float, float] | None:
    """Return the lon and lat of a request; None where it has neither. Raises QuestionError on anything else."""
    texts = [values.get(name, "").strip() for name in ("lon", "lat")]
    if texts == ["", ""]:
        return None
    try:
        lon, lat = (float(text) for text in texts)
    except ValueError:
        lon = lat = math.nan
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        raise QuestionError(
            f"这不是一个位置的坐标：lon={texts[0]!r}，lat={texts[1]!r}",
            f"these are no coordinates of a place: lon={texts[0]!r}, lat={texts[1]!r}",
        )
    return lon, lat
