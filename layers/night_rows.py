"""The rows of nights, their routes and their changes, read and written inside somebody's transaction."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, insert, select, update

from layers.accounts import Account
from layers.audit import append
from layers.moments import stored
from layers.night_records import (
    NightChange,
    NightRoute,
    PatrolNight,
    UnknownNightError,
    changes_of,
    columns_of,
    night_of,
    plain,
    route_of,
)
from layers.schema import NIGHT, NIGHT_CHANGE, NIGHT_ROUTE
from layers.scope import Scope, inside, seen
from layers.store import Store

#: An entry of the audit log names so many crews, and counts the others.
NAMED = 12


def has_route(store: Store) -> Any:
    """Return the condition that a night has a route inside the scope."""
    query = seen(select(NIGHT_ROUTE.c.id).where(NIGHT_ROUTE.c.night_id == NIGHT.c.id), NIGHT_ROUTE, store.scope)
    return exists(query)


def night_row(store: Store, connection: Connection, night_id: int) -> PatrolNight:
    """Return a night; raises UnknownNightError where none of its routes lies inside the scope."""
    row = connection.execute(select(NIGHT).where(NIGHT.c.id == night_id, has_route(store))).one_or_none()
    if row is None:
        raise _unknown_night()
    return night_of(row)


def locked_night(store: Store, connection: Connection, night_id: int) -> PatrolNight:
    """Return a night and keep other writers of it waiting until the transaction ends."""
    connection.execute(select(NIGHT.c.id).where(NIGHT.c.id == night_id).with_for_update()).all()
    return night_row(store, connection, night_id)


def routes_query(store: Store, night_id: int) -> Select[Any]:
    """Return the query for a night's routes inside the scope."""
    return seen(select(NIGHT_ROUTE).where(NIGHT_ROUTE.c.night_id == night_id), NIGHT_ROUTE, store.scope)


def change_rows(store: Store, connection: Connection, night_id: int, *, since: int = 0) -> list[NightChange]:
    """Return the changes after number ``since`` that the scope holds, oldest first."""
    query = select(NIGHT_CHANGE).where(NIGHT_CHANGE.c.night_id == night_id, NIGHT_CHANGE.c.number > since)
    return changes_of(connection.execute(seen(query, NIGHT_CHANGE, store.scope).order_by(NIGHT_CHANGE.c.number)))


def touched_routes(
    store: Store, connection: Connection, night_id: int, crews: Iterable[str], by: Account
) -> dict[str, NightRoute]:
    """Return the routes of ``crews`` as they are; raises UnknownNightError where ``by`` sees no such crew."""
    wanted = sorted(crews)
    query = routes_query(store, night_id).where(
        NIGHT_ROUTE.c.crew.in_(wanted), inside(NIGHT_ROUTE, Scope.of(by.area_code))
    )
    found = {row.crew: route_of(row) for row in connection.execute(query)}
    for crew in wanted:
        if crew not in found:
            raise UnknownNightError(
                f"没有编组 {crew}，或不在您的辖区内", f"there is no crew {crew}, or not in your area"
            )
    return found


def write_change(
    store: Store, connection: Connection, row: PatrolNight, action: str, now_is: Mapping[str, NightRoute],
    wanted: Mapping[str, Mapping[str, Any]], by: Account, now: datetime, said: Mapping[str, Any], *,
    undoes: int | None = None, area_code: str = "",
) -> PatrolNight:  # fmt: skip
    """Write a change: a row for each area it touches, so that each area sees its part; and what it makes of routes."""
    areas: dict[str, list[str]] = {area_code: []} if area_code else {}
    for crew, route in now_is.items():
        areas.setdefault(route.area_code, []).append(crew)
    number = row.version + len(areas)
    for crew, fields in wanted.items():
        values = {**columns_of(fields), "changed_in": number}
        connection.execute(
            update(NIGHT_ROUTE).where(NIGHT_ROUTE.c.night_id == row.id, NIGHT_ROUTE.c.crew == crew).values(values)
        )
    for i, (area, crews) in enumerate(sorted(areas.items()), 1):
        parts = {
            crew: {"before": plain({name: getattr(now_is[crew], name) for name in wanted[crew]}),
                   "after": plain(wanted[crew])}
            for crew in crews if crew in wanted
        }  # fmt: skip
        detail = {"change": number, "rows": len(areas), "by": by.name, "said": dict(said), "crews": parts}
        values = {"night_id": row.id, "number": row.version + i, "at": stored(now), "account_id": by.id,
                  "area_code": area, "action": action, "detail": json.dumps(detail, ensure_ascii=False),
                  "undoes": undoes}  # fmt: skip
        connection.execute(insert(NIGHT_CHANGE).values(values))
    connection.execute(update(NIGHT).where(NIGHT.c.id == row.id).values(version=number))
    changed = night_row(store, connection, row.id)
    for area, crews in sorted(areas.items()):
        _audit(connection, row.id, action, area, sorted(crews), number, by, now)
    return changed


def _audit(
    connection: Connection, night_id: int, action: str, area: str, crews: list[str], number: int, by: Account,
    now: datetime,
) -> None:  # fmt: skip
    named = ",".join(crews) if len(crews) <= NAMED else f"{len(crews)}"
    written = f"{action}_night" if action in ("close", "reopen") else f"night_{action}"
    append(
        connection, at=now, account_id=by.id, action=written,
        object=f"night:{night_id}", area_code=area, detail={"change": number, **({"crews": named} if named else {})},
    )  # fmt: skip


def _unknown_night() -> UnknownNightError:
    return UnknownNightError("没有这个班次，或不在您的辖区内", "there is no such night, or not in your area")
