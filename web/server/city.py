"""What the public may see of a city, held in memory: points not withheld, the streets, and the walk between them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock, Thread
from time import monotonic
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from gis.errors import LamplightError
from gis.network import StreetNetwork
from layers.hours import HoursState, OpeningHours
from layers.public_holidays import CHINA, Calendar, calendar_of
from layers.public_points import public_points
from layers.store import Store
from layers.surroundings import DEFAULT_TIMEZONE
from planner.nearby import Nearby, Reached
from planner.runs import walks_to

#: How long an import may go unseen by a running server.
LOOK_AGAIN_S = 5.0
SETTINGS = ("city_name", "timezone", "attribution", "data_date", "approval_number", "fictional")


@dataclass(frozen=True, slots=True, eq=False)
class PublicCity:
    """One city as it stood when it was read; nothing in it is withheld.

    points : one row a place of help, ``key`` its name in addresses ("points/P001", "stations/S1"), WGS84.
    calendar : the public holidays and make-up workdays of the office's layer, where it has none the country's.
    """

    name: str
    zone: ZoneInfo
    settings: dict[str, str]
    mark: tuple[object, ...]
    points: gpd.GeoDataFrame
    network: StreetNetwork | None
    walks: Nearby | None
    calendar: Calendar

    def local(self, now: datetime) -> datetime:
        """Return an aware time as the city's clocks show it, naive."""
        return now.astimezone(self.zone).replace(tzinfo=None)

    def hours_state(self, position: int, now: datetime) -> HoursState | None:
        """Return whether a point is open and when that changes; None where its hours are not stated."""
        text = str(self.points["hours"].iat[position])
        return OpeningHours(text).state_at(self.local(now), calendar=self.calendar) if text else None

    def open_at(self, now: datetime) -> NDArray[np.bool_]:
        """Return (n,) which points are open; one that states no hours is not counted as open."""
        return _open_at(self, self.local(now).replace(second=0, microsecond=0))

    def offering(self, function: str) -> NDArray[np.bool_]:
        """Return (n,) which points offer a function."""
        return np.array([function in words.split(",") for words in self.points["functions"]], bool)

    def always_open(self) -> NDArray[np.bool_]:
        """Return (n,) which points never close, holidays included."""
        return np.array([bool(text) and OpeningHours(text).never_closes() for text in self.points["hours"]], bool)

    def nearest(self, lon: float, lat: float, allowed: NDArray[np.bool_] | None, count: int) -> list[Reached]:
        """Return the nearest points on foot along the streets, soonest first; none where there are no streets."""
        return [] if self.walks is None else self.walks.nearest(lon, lat, allowed, count)

    def position(self, key: str) -> int | None:
        """Return which row is the point of this name."""
        found = np.flatnonzero((self.points["key"] == key).to_numpy())
        return int(found[0]) if len(found) else None


@lru_cache(maxsize=8)
def _open_at(city: PublicCity, minute: datetime) -> NDArray[np.bool_]:
    # asked by every request of the same minute
    states = np.array(
        [bool(text) and OpeningHours(text).open_at(minute, calendar=city.calendar) for text in city.points["hours"]],
        bool,
    )
    states.flags.writeable = False
    return states


class PublicCitySource:
    """Keeps the public's city in step with the store: looks now and then, reads anew beside the running requests."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store, self._clock = store, clock
        self._lock = Lock()
        self._looked = -np.inf
        self._city: PublicCity | None = None

    def current(self) -> PublicCity:
        """Return the city as of a few seconds ago; the first call reads it."""
        if self._city is None:
            with self._lock:
                if self._city is None:
                    self._city, self._looked = read_public_city(self._store), self._clock()
        elif self._clock() - self._looked > LOOK_AGAIN_S and self._lock.acquire(blocking=False):
            self._looked = self._clock()
            Thread(target=self._renew, daemon=True).start()
        return self._city

    def _renew(self) -> None:
        try:
            assert self._city is not None
            if mark_of(self._store) != self._city.mark:
                self._city = read_public_city(self._store)
        except LamplightError as error:  # the city as it was is shown on, and the store is asked again soon
            logging.getLogger("lamplight.city").warning("%s", error)
        finally:
            self._lock.release()


def mark_of(store: Store) -> tuple[object, ...]:
    """Return what changes whenever something the public sees does."""
    versions = tuple(sorted((v.layer, v.part, v.id) for v in store.current().values()))
    return versions, tuple(store.setting(name) for name in SETTINGS)


def read_public_city(store: Store) -> PublicCity:
    """Read the city; what is slow to derive comes from the store's cache or goes there."""
    mark = mark_of(store)
    settings = {name: store.setting(name) or "" for name in SETTINGS}
    points = public_points(store)
    network, walks = walks_to(store, points)
    if walks is not None and len(points):  # the kernel is compiled now, not while somebody waits
        walks.nearest(float(points.geometry.x.iat[0]), float(points.geometry.y.iat[0]), None, 1)
    zone = ZoneInfo(settings["timezone"] or DEFAULT_TIMEZONE)
    calendar = calendar_of(store.load("calendar")) if ("calendar", "") in store.current() else CHINA
    return PublicCity(settings["city_name"], zone, settings, mark, points, network, walks, calendar)


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)
