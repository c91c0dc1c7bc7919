"""Nights as supervisors direct them: a plan's routes, every change of them with who and when, and the way back.

Nobody's change is lost: a change names the version it was made from, and is refused where one of the routes it touches
has changed since. Changes of different routes never hinder each other. What lies outside the store's scope, or outside
the area of ``by``, does not exist. A night itself says only when and from which plan; its routes say who walks where.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from gis.errors import RecordError
from layers.accounts import Account
from layers.audit import append
from layers.codes import Level, ancestor_of
from layers.faults import refuse, text_fault
from layers.moments import stored
from layers.night_opening import common_area, crews_of_night, planned_routes
from layers.night_records import (
    ACTIONS,
    NightChange,
    NightRefusedError,
    NightRoute,
    PatrolNight,
    Stop,
    UnknownNightError,
    night_of,
    route_json,
    route_of,
)
from layers.night_rows import (
    change_rows,
    has_route,
    locked_night,
    night_row,
    routes_query,
    touched_routes,
    write_change,
)
from layers.night_rules import checked, require_latest, require_once, require_open, require_unchanged, require_unlocked
from layers.point_area import area_of_point
from layers.roles import require
from layers.schema import NIGHT, NIGHT_ROUTE, SETTING
from layers.scope import Scope
from layers.store import Store
from layers.version_rows import active_versions, load_rows


def open_night(store: Store, run_id: str, on: date, *, by: Account, now: datetime) -> PatrolNight:
    """Make the night of ``on`` out of a run of patrol, or add to it the routes that ``by`` sees and it lacks.

    The same plan's night is one night whoever opens it. Raises UnknownNightError where the run plans no crew of that
    night inside the area of ``by``; NotAllowedError.
    """
    require(by.role, "direct_patrol")
    run = store.run(run_id)
    if run.kind != "patrol":
        raise _unknown_plan()
    planned, crews = planned_routes(run.tables, on), crews_of_night(run.tables, on)
    with store.transaction(writes=True) as connection:
        if connection.dialect.name == "postgresql":  # two who open it at once make one night
            connection.execute(text(f"LOCK TABLE {NIGHT.name} IN SHARE ROW EXCLUSIVE MODE"))
        area_of = {str(crew["crew"]): _area_of(connection, crew) for crew in crews}
        own = [crew for crew in crews if _sees(store, by, area_of[str(crew["crew"])])]
        if not own:
            raise _unknown_plan()
        row = connection.execute(select(NIGHT).where(NIGHT.c.date == on, NIGHT.c.run_id == run.id)).one_or_none()
        held = common_area([*([] if row is None else [row.area_code]), *(area_of[str(c["crew"])] for c in own)])
        if row is None:
            values = {"date": on, "area_code": held, "run_id": run.id, "state": "open", "created_at": stored(now),
                      "account_id": by.id, "version": 0}  # fmt: skip
            night_id = int(connection.execute(insert(NIGHT).values(values).returning(NIGHT.c.id)).scalar_one())
        else:
            night_id = int(row.id)
        there = set(connection.scalars(select(NIGHT_ROUTE.c.crew).where(NIGHT_ROUTE.c.night_id == night_id)))
        new = [crew for crew in own if crew["crew"] not in there]
        if row is not None and new:  # a night is closed once all of it is
            values = {"area_code": held, "state": "open"}
            connection.execute(update(NIGHT).where(NIGHT.c.id == night_id).values(values))
        for crew in new:
            name = str(crew["crew"])
            values = {
                "night_id": night_id, "crew": name, "area_code": area_of[name], "persons": str(crew["persons"]),
                "route": route_json(planned[name]), "locked": False, "ill_from": None, "changed_in": 0,
            }  # fmt: skip
            connection.execute(insert(NIGHT_ROUTE).values(values))
        made = night_row(store, connection, night_id)
        if new:
            append(
                connection, at=now, account_id=by.id, action="open_night", object=f"night:{night_id}",
                area_code=common_area([area_of[str(crew["crew"])] for crew in new]), detail={"routes": len(new)},
            )  # fmt: skip
        return made


def nights(store: Store, since: date, until: date) -> list[PatrolNight]:
    """Return the nights from ``since`` to ``until``, both counted, that have a route inside the scope, newest first."""
    query = select(NIGHT).where(NIGHT.c.date >= since, NIGHT.c.date <= until, has_route(store))
    with store.transaction() as connection:
        return [night_of(row) for row in connection.execute(query.order_by(NIGHT.c.date.desc(), NIGHT.c.id.desc()))]


def night(store: Store, night_id: int) -> PatrolNight:
    """Return one night; raises UnknownNightError where none of its routes lies inside the scope."""
    with store.transaction() as connection:
        return night_row(store, connection, night_id)


def routes(store: Store, night_id: int) -> list[NightRoute]:
    """Return the routes inside the scope, by crew; raises UnknownNightError where there are none."""
    with store.transaction() as connection:
        night_row(store, connection, night_id)
        query = routes_query(store, night_id).order_by(NIGHT_ROUTE.c.crew)
        return [route_of(row) for row in connection.execute(query)]


def changes_since(store: Store, night_id: int, version: int) -> list[NightChange]:
    """Return the changes after ``version`` that the scope holds, oldest first; all of them for version 0."""
    with store.transaction() as connection:
        night_row(store, connection, night_id)
        return change_rows(store, connection, night_id, since=version)


def twice_in_routes(store: Store, night_id: int, number: int) -> list[Stop]:
    """Return the stops that change ``number`` put into a route while another route has them, given out before it."""
    with store.transaction() as connection:
        found = [route_of(row) for row in connection.execute(routes_query(store, night_id))]
    new = {stop for route in found if route.changed_in == number for stop in route.route}
    return sorted(stop for route in found if route.changed_in < number for stop in set(route.route) & new)


def change(
    store: Store,
    night_id: int,
    version: int,
    action: str,
    after: Mapping[str, Mapping[str, Any]],
    *,
    by: Account,
    now: datetime,
    said: Mapping[str, Any] | None = None,
) -> PatrolNight:
    """Change routes of a night and return it with its new version, the number of this change.

    version : as read. action : of ACTIONS. after : crew -> what its route is to be (route, persons, locked, ill_from);
    a crew of which nothing is said stays. said : what else is to be remembered, ids and words.
    Raises NightChangedError where one of these routes has changed since ``version``, or a street was taken meanwhile;
    NightRefusedError on a locked route, a closed night, or a street in two routes; UnknownNightError, NotAllowedError,
    RecordError on what is no route. Then nothing has changed.
    """
    require(by.role, "direct_patrol")
    if action not in ACTIONS or action in ("undo", "reason", "close", "reopen"):
        raise NightRefusedError(f"没有这种改动：{action}", f"there is no change {action!r}")
    wanted = {crew: checked(fields) for crew, fields in after.items()}
    with store.transaction(writes=True) as connection:
        row = locked_night(store, connection, night_id)
        require_open(row)
        now_is = touched_routes(store, connection, night_id, wanted, by)
        require_unchanged(store, connection, row, [r for r in now_is.values() if r.changed_in > version], version)
        require_unlocked(now_is, wanted)
        require_once(store, connection, row, now_is, wanted, version)
        return write_change(store, connection, row, action, now_is, wanted, by, now, said or {})


def undo(store: Store, night_id: int, number: int, *, by: Account, now: datetime) -> PatrolNight:
    """Take a change back, which is itself a change; to undo that one does it again.

    Raises NightChangedError, saying which, where a later change of the same routes stands; NightRefusedError where it
    reached beyond the area of ``by``; UnknownNightError, NotAllowedError.
    """
    require(by.role, "direct_patrol")
    with store.transaction(writes=True) as connection:
        row = locked_night(store, connection, night_id)
        changes = change_rows(store, connection, night_id)
        done = next((one for one in changes if one.number == number), None)
        if done is None:
            raise UnknownNightError("没有这项改动", "there is no such change")
        if not done.whole:
            raise NightRefusedError(
                "这项改动还涉及辖区外的编组，只能由上级撤销",
                "this change reached beyond your area: it can be undone by those above",
            )
        require_latest(changes, done, row.version)
        if "state" in done.said:
            return _turn(store, connection, row, str(done.said["before"]), by, now, undoes=number)
        if "reason" in done.said:
            of = touched_routes(store, connection, night_id, [str(done.said["crew"])], by)
            said = {**done.said, "before": done.said["reason"], "reason": done.said["before"]}
            return write_change(store, connection, row, "undo", of, {}, by, now, said, undoes=number)
        require_open(row)
        now_is = touched_routes(store, connection, night_id, done.before, by)
        require_once(store, connection, row, now_is, done.before, number)
        return write_change(store, connection, row, "undo", now_is, done.before, by, now, {}, undoes=number)


def close(store: Store, night_id: int, *, by: Account, now: datetime) -> PatrolNight:
    """Close a night: no route changes after that. Only from an area that holds the whole night."""
    return _turned(store, night_id, "closed", by, now)


def reopen(store: Store, night_id: int, *, by: Account, now: datetime) -> PatrolNight:
    """Open a closed night again."""
    return _turned(store, night_id, "open", by, now)


def give_reason(
    store: Store, night_id: int, crew: str, duty: str, reason: str, *, by: Account, now: datetime, side: str = ""
) -> PatrolNight:
    """Write down why a street was missed; the last word of each street counts, the closed night takes it too.

    Raises FaultsError on a reason of no or more than 200 characters; UnknownNightError, NotAllowedError.
    """
    require(by.role, "direct_patrol")
    refuse({"reason": text_fault(reason, 200, least=1)})
    with store.transaction(writes=True) as connection:
        row = locked_night(store, connection, night_id)
        of = touched_routes(store, connection, night_id, [crew], by)
        before = _reasons(change_rows(store, connection, night_id)).get((crew, duty), "")
        said = {"crew": crew, "duty": duty, "side": side, "before": before, "reason": reason.strip()}
        return write_change(store, connection, row, "reason", of, {}, by, now, said)


def missed_reasons(store: Store, night_id: int) -> dict[tuple[str, str], str]:
    """Return (crew, duty) -> why it was missed, as last said and not taken back."""
    return {key: reason for key, reason in _reasons(changes_since(store, night_id, 0)).items() if reason}


# inside a transaction


def _turned(store: Store, night_id: int, state: str, by: Account, now: datetime) -> PatrolNight:
    require(by.role, "direct_patrol")
    with store.transaction(writes=True) as connection:
        return _turn(store, connection, locked_night(store, connection, night_id), state, by, now)


def _turn(
    store: Store, connection: Connection, row: PatrolNight, state: str, by: Account, now: datetime, *,
    undoes: int | None = None,
) -> PatrolNight:  # fmt: skip
    """Close or open a night; refused where nothing would change, or ``by`` does not see the whole of it."""
    if row.state == state:
        zh, en = ("已收班", "closed") if state == "closed" else ("未收班", "open")
        raise NightRefusedError(f"本班次{zh}", f"this night is {en} already")
    if not _sees(store, by, row.area_code):
        raise NightRefusedError(
            "本班次涉及多个辖区，由上级收班", "this night reaches beyond your area: it is for those above"
        )
    connection.execute(update(NIGHT).where(NIGHT.c.id == row.id).values(state=state))
    action = "undo" if undoes is not None else "close" if state == "closed" else "reopen"
    said = {"before": row.state, "state": state}
    return write_change(store, connection, row, action, {}, {}, by, now, said, undoes=undoes, area_code=row.area_code)


def _reasons(changes: Iterable[NightChange]) -> dict[tuple[str, str], str]:
    """Return (crew, duty) -> the last reason given, "" where it was taken back."""
    said = [one.said for one in changes if "reason" in one.said]
    return {(str(one["crew"]), str(one["duty"])): str(one["reason"]) for one in said}


def _sees(store: Store, by: Account, area_code: str) -> bool:
    return Scope.of(by.area_code).holds(area_code) and (store.scope is None or store.scope.holds(area_code))


def _area_of(connection: Connection, crew: Mapping[str, Any]) -> str:
    """Return the area of a crew: its home, else where its station stands, else the city."""
    if crew["home"]:
        return str(crew["home"])
    return area_of_point(connection, float(crew["station_lon"]), float(crew["station_lat"])) or _city(connection)


def _city(connection: Connection) -> str:
    """Return the code of the city; raises RecordError where nothing says it."""
    for version in active_versions(connection):
        if version.layer == "areas":
            codes = load_rows(connection, version, fields=["code"])["code"]
            if len(codes):
                return ancestor_of(str(codes.iloc[0]), Level.CITY)
    code = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == "city_code"))
    if code is None:
        raise RecordError("编组没有所属辖区", "the crews belong to no area")
    return str(code)


def _unknown_plan() -> UnknownNightError:
    return UnknownNightError(
        "这份计划当晚没有您辖区内的编组", "this plan has no crew of your area on that night"
    )  # fmt: skip
