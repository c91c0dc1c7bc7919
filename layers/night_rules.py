"""What a night takes and what it does not: nobody's change lost, locked routes kept, no street in two routes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gis.errors import RecordError
from layers.faults import refuse, text_fault
from layers.night_records import (
    FIELDS,
    NightChange,
    NightChangedError,
    NightRefusedError,
    NightRoute,
    PatrolNight,
    in_the_way,
    route_of,
    stops,
)
from layers.night_rows import change_rows, routes_query
from layers.store import Store

_FIELD_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "persons": str, "locked": bool, "ill_from": (datetime, type(None)),
}  # fmt: skip


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a route, its stops as such; raises RecordError on what is none."""
    for name, value in fields.items():
        if name not in FIELDS or (name != "route" and not isinstance(value, _FIELD_TYPES[name])):
            raise RecordError(f"路线没有这一项：{name}", f"a route has no such {name}")
    if isinstance(fields.get("persons"), str):
        refuse({"persons": text_fault(fields["persons"], 200, least=1)})
    checked = dict(fields)
    if "route" in checked:
        checked["route"] = stops(checked["route"])
    return checked


def require_open(row: PatrolNight) -> None:
    """Raise NightRefusedError on a closed night."""
    if row.state != "open":
        raise NightRefusedError("本班次已收班，重新打开后才能改动", "this night is closed: open it again to change it")


def require_unchanged(
    store: Store, connection: Connection, row: PatrolNight, changed: list[NightRoute], version: int
) -> None:
    """Raise NightChangedError where routes have changed since ``version``."""
    if not changed:
        return
    crews = {route.crew for route in changed}
    later = change_rows(store, connection, row.id, since=version)
    since = [one for one in later if crews & set(one.crews)]
    zh, en = _who_changed(since, crews)
    raise NightChangedError(later, row.version, f"{zh}，请看过后再操作", f"{en}: look at it and try again")


def require_latest(changes: Sequence[NightChange], one: NightChange, version: int) -> None:
    """Raise NightChangedError where later changes of the same routes stand in the way of undoing ``one``.

    changes : of the night; version : of it now.
    """
    later = in_the_way(changes, one)
    if later:
        zh, en = _who_changed(later, set(one.crews))
        raise NightChangedError(later, version, f"{zh}，请先撤销后来的改动", f"{en}: undo the later change first")


def _who_changed(since: list[NightChange], crews: set[str]) -> tuple[str, str]:
    """Say who changed what of ``crews`` last."""
    named = sorted(crews)
    if not since:
        return f"他人已改动 {'、'.join(named)}", f"somebody else has changed {', '.join(named)}"
    last = since[-1]
    zh, en = last.words
    return f"{last.name}已改动（第 {last.number} 项）：{zh}", f"{last.name} has made change {last.number}: {en}"


def require_unlocked(now_is: Mapping[str, NightRoute], wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise NightRefusedError on a locked route, but where it is to be unlocked."""
    for crew, route in now_is.items():
        if route.locked and wanted[crew] != {"locked": False}:
            raise NightRefusedError(f"{crew} 的路线已锁定，请先解锁", f"the route of {crew} is locked: unlock it first")


def require_once(
    store: Store, connection: Connection, row: PatrolNight, now_is: Mapping[str, NightRoute],
    wanted: Mapping[str, Mapping[str, Any]], version: int,
) -> None:  # fmt: skip
    """Raise where a street that a route gets is in another route, or twice in this one."""
    after = {crew: fields["route"] for crew, fields in wanted.items() if "route" in fields}
    gained = {stop for crew, route in after.items() for stop in set(route) - set(now_is[crew].route)}
    all_of_it = [route_of(found) for found in connection.execute(routes_query(store, row.id))] if gained else []
    held = [(r.crew, stop) for r in all_of_it for stop in after.get(r.crew, r.route)]
    taken: dict[tuple[str, str], str] = {}
    for crew, stop in held:
        if stop in taken and stop in gained:
            holders = {crew, taken[stop]} - set(after)
            since = [r for r in all_of_it if r.crew in holders and r.changed_in > version]
            require_unchanged(store, connection, row, since, version)
            both = f"{taken[stop]}、{crew}"
            raise NightRefusedError(f"街段 {stop[0]} 会同时归 {both}", f"street {stop[0]} would be in two routes")
        taken[stop] = crew
    for crew, route in after.items():
        if len(set(route)) < len(route):
            raise NightRefusedError(f"{crew} 的路线有重复街段", f"the route of {crew} holds a street twice")
