"""Scenarios: named sets of changes to points, beside the live layers and never in them.

A scenario belongs to the area of whoever made it; outside the store's scope it does not exist, and neither do the
points outside its area. Every change is kept, the last one can be taken back, and all of it is in the audit log.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, insert, select, update

from gis.errors import RecordError
from layers.accounts import Account
from layers.audit import append
from layers.casebook import ChangedMeanwhileError
from layers.faults import refuse, text_fault
from layers.moments import aware, stored
from layers.point_area import area_of_point
from layers.records import ALL_FUNCTIONS, POINT_LAYERS
from layers.roles import require
from layers.run import Run
from layers.scenario_content import (
    ARCHIVE,
    FIELDS,
    LONGEST_NAME,
    RENAME,
    REOPEN,
    UNDO,
    ScenarioChange,
    canonical,
    checked,
    entries_of,
)
from layers.schema import ACCOUNT, SCENARIO, SCENARIO_CHANGE
from layers.scope import Scope, inside
from layers.store import Store
from layers.version_rows import active_versions, load_rows

OPEN, ARCHIVED = "open", "archived"
#: What the points that a scenario adds are called, with a number.
NEW_CODE = "NEW-"
LONGEST_NOTE = 500


class UnknownScenarioError(RecordError):
    """There is no such scenario or point, or none the caller may see."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario; state : "open" or "archived"; version : to be given back with a change. Times UTC, aware."""

    id: int
    name: str
    area_code: str
    account_id: int | None
    note: str
    state: str
    created_at: datetime
    changed_at: datetime
    version: int


def scenarios(store: Store, *, archived: bool = False) -> list[Scenario]:
    """Return the scenarios in the store's scope, the one changed last first; archived : those put away instead."""
    state = ARCHIVED if archived else OPEN
    query = select(SCENARIO).where(SCENARIO.c.state == state, *_seen(store))
    query = query.order_by(SCENARIO.c.changed_at.desc(), SCENARIO.c.id.desc())
    with store.transaction() as connection:
        return [Scenario(**_values(row)) for row in connection.execute(query)]


def scenario(store: Store, scenario_id: int) -> Scenario:
    """Return one scenario; raises UnknownScenarioError."""
    with store.transaction() as connection:
        return Scenario(**_values(_row(store, connection, scenario_id)))


def history(store: Store, scenario_id: int) -> list[ScenarioChange]:
    """Return every change of a scenario, oldest first, the undoing of one being a change too."""
    with store.transaction() as connection:
        _row(store, connection, scenario_id)
        return _changes(connection, scenario_id)


def content_of(store: Store, scenario_id: int) -> str:
    """Return what a scenario comes to, as canonical JSON: the same content gives the same text. "" for no change."""
    return canonical(entries_of(history(store, scenario_id)))


def points_before(store: Store, scenario_id: int) -> pd.DataFrame:
    """Return the live points of a scenario's area, which its changes may name; columns as ``_points`` says."""
    with store.transaction() as connection:
        return _points(connection, _row(store, connection, scenario_id).area_code)


def points_inside(store: Store, area_code: str) -> pd.DataFrame:
    """Return the live points inside an area of the store's scope; columns as ``_points`` says."""
    with store.transaction() as connection:
        return _points(connection, area_code)


def create_scenario(store: Store, name: str, *, by: Account, now: datetime, note: str = "") -> Scenario:
    """Make an empty scenario in the area of ``by``.

    Raises FaultsError on a name or note that cannot stand, or a name that an open scenario of the area bears.
    """
    with store.transaction(writes=True) as connection:
        made = _insert(connection, name, note, by, now)
        _log(connection, "create_scenario", made, by, now)
        _check_alone(connection, made)
        return Scenario(**_values(_row(store, connection, made.id)))


def rename_scenario(
    store: Store, scenario_id: int, name: str, *, note: str, version: int, by: Account, now: datetime
) -> Scenario:
    """Give a scenario another name and note; raises as ``change_scenario``, and as ``create_scenario`` on the words."""
    _check_words(name, note)
    with store.transaction(writes=True) as connection:
        row = _current(store, connection, scenario_id, version, by, even_archived=True)
        words = {"name": name.strip(), "note": note.strip()}
        return _record(connection, row, RENAME, "", {"before": row.name}, by, now, **words)


def archive_scenario(
    store: Store, scenario_id: int, *, version: int, by: Account, now: datetime, archived: bool = True
) -> Scenario:
    """Put a scenario away, where nobody can change it, or take it out again, unless its name is in use by now."""
    action, state = (ARCHIVE, ARCHIVED) if archived else (REOPEN, OPEN)
    with store.transaction(writes=True) as connection:
        row = _current(store, connection, scenario_id, version, by, even_archived=True)
        return _record(connection, row, action, "", {}, by, now, state=state)


def change_scenario(
    store: Store,
    scenario_id: int,
    action: str,
    fields: Mapping[str, Any],
    *,
    version: int,
    by: Account,
    now: datetime,
    code: str = "",
) -> Scenario:
    """Change one point: "add" (which gives it a code), "move", "close", "upgrade" or "hours" of ``code``.

    fields : as ``layers.scenario_content.checked`` takes them. version : as read.
    Raises ChangedMeanwhileError, saying who changed it, where the version is no longer the newest; FaultsError on
    fields that cannot stand or a place outside the scenario's area; UnknownScenarioError on a scenario or point that
    is not there.
    """
    detail = checked(action, fields)
    with store.transaction(writes=True) as connection:
        row = _current(store, connection, scenario_id, version, by)
        done = _changes(connection, scenario_id)
        if action == "add":
            code = next(_fresh_codes(connection, done))
        else:
            _check_point(code, done, set(_points(connection, row.area_code)["code"]))
        if "lon" in detail:
            detail["area_code"] = _area(connection, row.area_code, detail["lon"], detail["lat"])
        return _record(connection, row, action, code, detail, by, now)


def undo_change(store: Store, scenario_id: int, *, version: int, by: Account, now: datetime) -> Scenario:
    """Take back the last change that stands; raises RecordError where there is none."""
    with store.transaction(writes=True) as connection:
        row = _current(store, connection, scenario_id, version, by)
        standing = [c for c in _changes(connection, scenario_id) if not c.undone and c.action in FIELDS]
        if not standing:
            raise RecordError("没有可撤销的改动", "there is no change to undo")
        return _record(connection, row, UNDO, standing[-1].code, {"number": standing[-1].number}, by, now)


def from_siting(store: Store, run: Run, name: str, *, by: Account, now: datetime, note: str = "") -> Scenario:
    """Make a scenario of the sites that a run of kind "siting" chose: those inside the area of ``by``.

    What the plan opens is added, what it improves or converts is upgraded where it stands, what it closes is closed.
    Raises RecordError on another kind of run, or one that changes nothing inside the area; FaultsError as
    ``create_scenario``.
    """
    if run.kind != "siting":
        raise RecordError(f"分析 {run.id} 不是选址方案", f"run {run.id} is a {run.kind}, not a plan of sites")
    with store.transaction(writes=True) as connection:
        made = _insert(connection, name, note, by, now)
        live, fresh = set(_points(connection, made.area_code)["code"]), _fresh_codes(connection, [])
        sites = [{str(k): v for k, v in site.items()} for site in run.tables["sites"].to_dict("records")]
        changes = [c for site in sites for c in _site_changes(connection, made.area_code, live, fresh, site)]
        if not changes:
            raise RecordError("方案在本辖区内没有改动", "the plan changes nothing inside this area")
        for number, (action, code, detail) in enumerate(changes, 1):
            _write(connection, made.id, number, action, code, detail, by, now)
        _log(connection, "create_scenario", made, by, now, {"run": run.id})
        _check_alone(connection, made)
        return Scenario(**_values(_row(store, connection, made.id)))


def _site_changes(
    connection: Connection, area_code: str, live: Collection[str], fresh: Iterator[str], site: Mapping[str, Any]
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (action, code, detail) of what a plan does at one site; none where it lies outside the area."""
    place = str(site["place"])
    if site["action"] == "close":
        return [("close", place, {})] if place in live else []
    try:
        area = _area(connection, area_code, float(site["lon"]), float(site["lat"]))
    except RecordError:
        return []
    given = {key: None if site[key] != site[key] else site[key] for key in ("functions", "hours", "capacity")}
    at = {"lon": site["lon"], "lat": site["lat"]}
    if place in live:
        moved = {**checked("move", at), "area_code": area}
        return [("upgrade", place, checked("upgrade", given)), ("move", place, moved)]
    name = str(site["name"] or "").strip()[:LONGEST_NAME] or str(site["code"])
    return [("add", next(fresh), {**checked("add", {**given, **at, "name": name}), "area_code": area})]


# the rows


def _seen(store: Store) -> list[ColumnElement[bool]]:
    return [] if store.scope is None else [inside(SCENARIO, store.scope)]


def _row(store: Store, connection: Connection, scenario_id: int, *, lock: bool = False) -> Any:
    query = select(SCENARIO).where(SCENARIO.c.id == scenario_id, *_seen(store))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_scenario()
    return row


def unknown_scenario() -> UnknownScenarioError:
    """Return the refusal of a scenario that is not there, or not for the caller: the two look the same."""
    return UnknownScenarioError(
        "没有这个情景，或不在本账号的辖区内", "there is no such scenario, or not in this account's area"
    )


def _current(
    store: Store, connection: Connection, scenario_id: int, version: int, by: Account, *, even_archived: bool = False
) -> Any:
    """Return the row of a scenario that ``by`` may change and has seen as it now is."""
    require(by.role, "plan_city")
    row = _row(store, connection, scenario_id, lock=True)
    if not Scope.of(by.area_code).holds(row.area_code):
        raise unknown_scenario()
    if row.version != version:
        raise _changed_meanwhile(connection, row)
    if row.state == ARCHIVED and not even_archived:
        raise RecordError("情景已归档，请先恢复", "the scenario is archived: take it out first")
    return row


def _changed_meanwhile(connection: Connection, row: Any) -> ChangedMeanwhileError:
    query = select(SCENARIO_CHANGE.c.account_id).where(SCENARIO_CHANGE.c.scenario_id == row.id)
    last = connection.scalar(query.order_by(SCENARIO_CHANGE.c.number.desc()).limit(1))
    name = connection.scalar(select(ACCOUNT.c.name).where(ACCOUNT.c.id == last))
    return ChangedMeanwhileError(
        f"{name or '其他人'}已改动这个情景，请看过现在的内容后再操作",
        f"{name or 'somebody else'} has changed this scenario: look at it as it is now and try again",
    )


def _changes(connection: Connection, scenario_id: int) -> list[ScenarioChange]:
    query = select(SCENARIO_CHANGE).where(SCENARIO_CHANGE.c.scenario_id == scenario_id)
    rows = connection.execute(query.order_by(SCENARIO_CHANGE.c.number)).all()
    details = [json.loads(row.detail) for row in rows]
    undone = {detail["number"] for row, detail in zip(rows, details, strict=True) if row.action == UNDO}
    return [
        ScenarioChange(row.number, aware(row.at), row.account_id, row.action, row.code, detail, row.number in undone)
        for row, detail in zip(rows, details, strict=True)
    ]


def _points(connection: Connection, area_code: str) -> pd.DataFrame:
    """Return the live points inside an area: layer, code, name, functions, hours, capacity, build_state, lon, lat."""
    columns = ["layer", "code", "name", "functions", "hours", "capacity", "build_state", "lon", "lat"]
    tables = []
    for version in active_versions(connection):
        if version.layer in POINT_LAYERS:
            table = load_rows(connection, version, scope=Scope.of(area_code))
            added = {"layer": version.layer, "lon": table.geometry.x, "lat": table.geometry.y}
            if version.layer == "rescue-stations":
                added |= {"functions": ALL_FUNCTIONS, "build_state": "existing"}
            tables.append(pd.DataFrame(table.drop(columns="geometry")).assign(**added)[columns])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({name: [] for name in columns})


def _check_point(code: str, done: list[ScenarioChange], live: Collection[str]) -> None:
    """Raise UnknownScenarioError unless ``code`` is a point of the area, or one the scenario added; not one closed."""
    known = {entry["code"]: entry["action"] for entry in entries_of(done)}
    if known.get(code, "change" if code in live else "close") == "close":
        raise UnknownScenarioError(
            "本辖区没有这个点位，或情景中已将它关闭", "there is no such point in this area, or the scenario closes it"
        )


def _fresh_codes(connection: Connection, done: list[ScenarioChange]) -> Iterator[str]:
    """Yield codes no point bears, neither a live one nor one the scenario adds now."""
    taken = {str(entry["code"]) for entry in entries_of(done)}
    for version in active_versions(connection):
        if version.layer in POINT_LAYERS:
            taken |= set(load_rows(connection, version, fields=["code"])["code"])
    return (code for n in count(1) if (code := f"{NEW_CODE}{n}") not in taken)


def _area(connection: Connection, area_code: str, lon: float, lat: float) -> str:
    """Return the area of a place inside ``area_code``; raises FaultsError outside it."""
    found = area_of_point(connection, lon, lat)
    if found is None or not Scope.of(area_code).holds(found):
        refuse({"lon": ("位置不在情景的辖区内", "this place is not inside the scenario's area")})
    return str(found)


def _check_words(name: str, note: str) -> None:
    refuse({"name": text_fault(name, LONGEST_NAME, least=1), "note": text_fault(note, LONGEST_NOTE, lines=True)})


def _check_alone(connection: Connection, made: Scenario) -> None:
    """Refuse a second open scenario of one name in one area, which a form sent twice would make.

    To be called once the audit log has been written: from there on, nobody else can be about to make one.
    """
    same = (SCENARIO.c.area_code == made.area_code, SCENARIO.c.name == made.name, SCENARIO.c.state == OPEN)
    others = connection.execute(select(SCENARIO.c.id).where(*same, SCENARIO.c.id != made.id).limit(1))
    if made.state == OPEN and others.first():
        refuse({"name": ("本辖区已有同名的情景", "this area has a scenario of that name")})


def _insert(connection: Connection, name: str, note: str, by: Account, now: datetime) -> Scenario:
    require(by.role, "plan_city")
    _check_words(name, note)
    values = {
        "name": name.strip(), "area_code": by.area_code, "account_id": by.id, "note": note.strip(), "state": OPEN,
        "created_at": stored(now), "changed_at": stored(now), "version": 1,
    }  # fmt: skip
    made = connection.scalar(insert(SCENARIO).values(values).returning(SCENARIO.c.id))
    return Scenario(**_values(connection.execute(select(SCENARIO).where(SCENARIO.c.id == made)).one()))


def _record(
    connection: Connection, row: Any, action: str, code: str, detail: Mapping[str, Any], by: Account, now: datetime,
    **values: object,
) -> Scenario:  # fmt: skip
    """Keep one change of a scenario, count its version up, set ``values``, and return the scenario."""
    number = len(_changes(connection, row.id)) + 1
    _write(connection, row.id, number, action, code, detail, by, now)
    values |= {"version": row.version + 1, "changed_at": stored(now)}
    connection.execute(update(SCENARIO).where(SCENARIO.c.id == row.id).values(values))
    made = Scenario(**_values(connection.execute(select(SCENARIO).where(SCENARIO.c.id == row.id)).one()))
    _log(connection, "change_scenario", made, by, now, {"change": number, "kind": action})
    if action in (RENAME, REOPEN):
        _check_alone(connection, made)
    return made


def _write(
    connection: Connection, scenario_id: int, number: int, action: str, code: str, detail: Mapping[str, Any],
    by: Account, now: datetime,
) -> None:  # fmt: skip
    values = {
        "scenario_id": scenario_id, "number": number, "at": stored(now), "account_id": by.id, "action": action,
        "code": code, "detail": json.dumps(dict(detail), ensure_ascii=False, sort_keys=True),
    }  # fmt: skip
    connection.execute(insert(SCENARIO_CHANGE).values(values))


def _log(
    connection: Connection, action: str, about: Scenario, by: Account, now: datetime,
    detail: Mapping[str, str | int] | None = None,
) -> None:  # fmt: skip
    append(
        connection, at=now, account_id=by.id, action=action, object=f"scenario:{about.id}",
        area_code=about.area_code, detail=detail,
    )  # fmt: skip


def _values(row: Any) -> dict[str, Any]:
    return {**row._mapping, "created_at": aware(row.created_at), "changed_at": aware(row.changed_at)}
