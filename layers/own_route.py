"""Which crew's route an account walks: the night, the crew, and the hours in which anything of it may be recorded."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from gis.errors import RecordError
from layers.accounts import Account
from layers.moments import aware_or_none
from layers.night_records import NightRoute, PatrolNight, night_of, route_of
from layers.roles import require
from layers.run import table_from_parquet
from layers.schema import NIGHT, NIGHT_ROUTE, RUN_TABLE, SETTING
from layers.scope import seen
from layers.store import Store
from layers.surroundings import DEFAULT_TIMEZONE

#: Joins the names of a crew's persons.
AND = "、"
#: So long after its end a shift is still shown, to tick off and send what is left.
SHOWN_AFTER = timedelta(hours=3)


class NoRouteError(RecordError):
    """Nobody planned a route for the account, or more than one."""


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """A crew's night as one of its persons walks it.

    from_at, until_at : the hours on duty, UTC, aware; nothing before or after may be recorded.
    """

    night: PatrolNight
    route: NightRoute
    from_at: datetime
    until_at: datetime

    def on_duty(self, moment: datetime) -> bool:
        """Tell whether ``moment`` lies in the hours on duty."""
        return self.from_at <= moment <= self.until_at


def tonight(store: Store, *, by: Account, now: datetime) -> OwnRoute:
    """Return the route of the crew that ``by`` belongs to: going on now, else the next of today, else just ended.

    An account belongs to the crews inside its area that bear its name. Raises NoRouteError where there is none or
    where several are equally near, and says which.
    """
    require(by.role, "walk_patrol")
    with store.transaction() as connection:
        zone = zone_of(connection)
        today = now.astimezone(zone).date()
        query = _routes(store).where(NIGHT.c.date.in_([today - timedelta(days=1), today]))
        mine = [row for row in connection.execute(query) if by.name in row.persons.split(AND)]
        found = [own for row in mine if (own := _own(connection, row, zone)) is not None]
    shown = [own for own in found if now <= own.until_at + SHOWN_AFTER]
    going, coming = [own for own in shown if own.on_duty(now)], [own for own in shown if own.from_at > now]
    nearest = going or _at_once(coming) or shown
    if not nearest:
        raise NoRouteError(
            f"今晚没有安排“{by.name}”的路线。请联系督导员",
            f"none of tonight's routes is {by.name}'s: ask your supervisor",
        )
    if len(nearest) > 1:
        crews = "、".join(own.route.crew for own in nearest)
        raise NoRouteError(
            f"今晚有 {len(nearest)} 条路线都写着“{by.name}”（{crews}），无法确定。请联系督导员",
            f"{len(nearest)} routes of tonight name {by.name} ({crews}): ask your supervisor which is yours",
        )
    return nearest[0]


def route_in(store: Store, connection: Connection, night_id: int, crew: str, *, by: Account) -> OwnRoute | None:
    """Return the route of ``crew`` in a night that ``by`` is out in; None where that is not so, or not in its area.

    Whoever changed crews in the night still tells of what was walked with the crew before.
    """
    rows = connection.execute(_routes(store).where(NIGHT.c.id == night_id)).all()
    if not any(by.name in row.persons.split(AND) for row in rows):
        return None
    own = next((row for row in rows if row.crew == crew), None)
    return None if own is None else _own(connection, own, zone_of(connection))


def zone_of(connection: Connection) -> ZoneInfo:
    """Return the city's time zone."""
    name = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == "timezone"))
    return ZoneInfo(name or DEFAULT_TIMEZONE)


def _routes(store: Store) -> Any:
    query = select(NIGHT_ROUTE).join(NIGHT, NIGHT.c.id == NIGHT_ROUTE.c.night_id)
    return seen(query, NIGHT_ROUTE, store.scope).order_by(NIGHT.c.id, NIGHT_ROUTE.c.crew)


def _own(connection: Connection, row: Row[Any], zone: ZoneInfo) -> OwnRoute | None:
    """Return a row as an own route; None where its plan is gone or has no shift for the crew."""
    night = night_of(connection.execute(select(NIGHT).where(NIGHT.c.id == row.night_id)).one())
    shift = _shift(connection, night.run_id, str(night.date), row.crew, zone)
    if shift is None:
        return None
    ill_from = aware_or_none(row.ill_from)
    until = shift[1] if ill_from is None else min(shift[1], ill_from)
    return OwnRoute(night, route_of(row), shift[0], until)


def _shift(
    connection: Connection, run_id: str, date: str, crew: str, zone: ZoneInfo
) -> tuple[datetime, datetime] | None:
    query = select(RUN_TABLE.c.parquet).where(RUN_TABLE.c.run_id == run_id, RUN_TABLE.c.name == "crews")
    parquet = connection.scalar(query)
    if parquet is None:
        return None
    crews = table_from_parquet(parquet)
    found = crews[(crews["crew"] == crew) & (crews["date"] == date)]
    if not len(found):
        return None
    begins, ends = (
        datetime.fromisoformat(str(found[name].iloc[0])).replace(tzinfo=zone) for name in ("shift_from", "shift_until")
    )
    return begins, ends


def _at_once(coming: list[OwnRoute]) -> list[OwnRoute]:
    """Return those that begin first."""
    first = min((own.from_at for own in coming), default=None)
    return [own for own in coming if own.from_at == first]
