"""What the public reports, as staff see it: the list, one report, its private part, and the steps of its life.

Every call says who asks (``by``). A report outside the store's scope, outside the area of ``by``, or not shown to the
role of ``by`` does not exist for the caller.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal, select, tuple_, update

from gis.errors import RecordError
from layers.accounts import Account
from layers.faults import refuse, text_fault
from layers.moments import aware, stored
from layers.report_log import write_entry, write_step
from layers.report_states import OPEN_STATES, OUTCOMES, STATES, IllegalStepError, Transition, step
from layers.roles import NotAllowedError, Words, may, require
from layers.schema import ACCOUNT, INCOMING_REPORT, PHOTO, REFERRAL, REPORT_STEP
from layers.scope import Scope, inside, seen
from layers.store import Store

#: What a step may come with, as it is called.
_GIVEN = {
    "assignee": Words("负责人", "assignee"),
    "outcome": Words("处置结果", "outcome"),
    "original": Words("原报告", "original report"),
}


class UnknownReportError(RecordError):
    """There is no such report, or none the caller may see."""


class ChangedMeanwhileError(RecordError):
    """Somebody else changed the report since the caller read it."""


@dataclass(frozen=True, slots=True)
class IncomingReport:
    """A report without its private part: nothing here says exactly where, who, or by whom.

    urgency : 0 or 1; area_code : the finest area known; version : to be given back with a step. Times UTC, aware.
    """

    id: int
    received_at: datetime
    changed_at: datetime
    channel: str
    state: str
    outcome: str
    urgency: int
    area_code: str
    needs: tuple[str, ...]
    people: int
    assigned_to: int | None
    duplicate_of: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a report: when, by which account (None: the public or the system), from what to what."""

    at: datetime
    account_id: int | None
    before: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class PrivatePart:
    """What only those may read who help: lon, lat in WGS84; photos : ids for ``photo``; steps with their notes."""

    report_id: int
    lon: float
    lat: float
    place: str
    note: str
    contact: str
    photos: tuple[int, ...]
    steps: tuple[Step, ...]


def reports(
    store: Store,
    *,
    by: Account,
    states: Collection[str] = (),
    assigned_to: int | None = None,
    limit: int = 50,
    after: int | None = None,
) -> list[IncomingReport]:
    """Return a page of the reports ``by`` may see, urgent ones first, then newest first.

    states : only these, or all. after : the id of the last report of the page before.
    """
    page = select(INCOMING_REPORT.c.id).where(*visible(store, by))
    if states:
        page = page.where(INCOMING_REPORT.c.state.in_(states))
    if assigned_to is not None:
        page = page.where(INCOMING_REPORT.c.assigned_to == assigned_to)
    order = (INCOMING_REPORT.c.urgency, INCOMING_REPORT.c.id)
    downward = [column.desc() for column in order]
    with store.transaction() as connection:
        if after is not None:
            last = select(INCOMING_REPORT.c.urgency).where(INCOMING_REPORT.c.id == after, *in_area(store, by))
            urgency = connection.scalar(last)
            if urgency is None:
                raise unknown_report()
            page = page.where(tuple_(*order) < tuple_(literal(urgency), literal(after)))
        # the page is found in an index alone; only its own rows are read
        found = select(INCOMING_REPORT).where(INCOMING_REPORT.c.id.in_(page.order_by(*downward).limit(limit)))
        return [_report(row) for row in connection.execute(found.order_by(*downward))]


def counts(store: Store, *, by: Account) -> dict[str, int]:
    """Return how many reports ``by`` may see in each state, every state named."""
    query = select(INCOMING_REPORT.c.state, func.count()).where(*visible(store, by)).group_by(INCOMING_REPORT.c.state)
    with store.transaction() as connection:
        found = {str(state): int(count) for state, count in connection.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


def report(store: Store, report_id: int, *, by: Account) -> IncomingReport:
    """Return one report without its private part; raises UnknownReportError."""
    with store.transaction() as connection:
        return _report(visible_row(store, connection, report_id, by))


def history(store: Store, report_id: int, *, by: Account) -> list[Step]:
    """Return the steps of a report, oldest first, their notes left out."""
    with store.transaction() as connection:
        visible_row(store, connection, report_id, by)
        return [replace(step, note="") for step in _steps(connection, report_id)]


def private_part(store: Store, report_id: int, *, by: Account, now: datetime) -> PrivatePart:
    """Return a report's private part and write down who read it; a grid worker reads those assigned to it."""
    with store.transaction(writes=True) as connection:
        row = _private_row(store, connection, report_id, by)
        photos = connection.scalars(select(PHOTO.c.id).where(PHOTO.c.report_id == report_id).order_by(PHOTO.c.id))
        found = PrivatePart(
            report_id, row.geometry.x, row.geometry.y, row.place, row.note, row.contact, tuple(photos),
            tuple(_steps(connection, report_id)),
        )  # fmt: skip
        write_entry(connection, report_id, "read_private", at=now, account_id=by.id, area_code=row.area_code)
        return found


def photo(store: Store, report_id: int, photo_id: int, *, by: Account, now: datetime) -> bytes:
    """Return one photo as JPEG and write down who saw it."""
    with store.transaction(writes=True) as connection:
        row = _private_row(store, connection, report_id, by)
        query = select(PHOTO.c.jpeg).where(PHOTO.c.id == photo_id, PHOTO.c.report_id == report_id)
        jpeg = connection.scalar(query)
        if jpeg is None:
            raise unknown_report()
        write_entry(
            connection, report_id, "read_photo", at=now, account_id=by.id, area_code=row.area_code,
            detail={"photo": photo_id},
        )  # fmt: skip
        return bytes(jpeg)


# the steps of its life


def move(
    store: Store,
    report_id: int,
    to: str,
    *,
    by: Account,
    version: int,
    now: datetime,
    assignee: int | None = None,
    outcome: str = "",
    original: int | None = None,
    note: str = "",
) -> IncomingReport:
    """Take one step of ``report_states.TRANSITIONS``; merging with an earlier report is the step to "duplicate".

    version : as read; raises ChangedMeanwhileError, saying who changed what, where it is no longer the newest.
    Raises IllegalStepError, NotAllowedError, UnknownReportError, FaultsError (note); then nothing has changed.
    """
    refuse({"note": text_fault(note, 2000, lines=True)})
    given = {"assignee": assignee, "outcome": outcome, "original": original}
    with store.transaction(writes=True) as connection:
        _lock(connection, report_id, original)
        row = visible_row(store, connection, report_id, by)
        if row.version != version:
            raise _changed_meanwhile(connection, row)
        transition = step(row.state, to)
        _check_given(transition, given)
        _check_permission(transition, row, by, assignee)
        if to == "assigned" and assignee is not None:
            _check_assignee(store, connection, row, assignee)
        elif to == "helped":
            _check_outcome(connection, report_id, outcome)
        elif to == "duplicate" and original is not None:
            _merge(store, connection, row, original, by, now)
        values = {"state": to, "changed_at": stored(now), "version": version + 1, **_set_by(to, given)}
        connection.execute(update(INCOMING_REPORT).where(INCOMING_REPORT.c.id == report_id).values(values))
        write_step(connection, report_id, at=now, account_id=by.id, before=row.state, after=to, note=note.strip())
        detail = {"before": row.state, "after": to, **{name: value for name, value in given.items() if value}}
        write_entry(
            connection, report_id, "move", at=now, account_id=by.id, area_code=row.area_code, detail=detail
        )  # fmt: skip
        if to == "duplicate" and original is not None:
            write_entry(
                connection, original, "merge", at=now, account_id=by.id, area_code=row.area_code,
                detail={"duplicate": report_id},
            )  # fmt: skip
        # whoever gives a report back may no longer see it
        return _report(connection.execute(select(INCOMING_REPORT).where(INCOMING_REPORT.c.id == report_id)).one())


def _lock(connection: Connection, report_id: int, original: int | None) -> None:
    """Lock what a step changes, in one order whoever locks."""
    wanted = [report_id] if original is None else [report_id, original]
    query = select(INCOMING_REPORT.c.id).where(INCOMING_REPORT.c.id.in_(wanted))
    connection.execute(query.order_by(INCOMING_REPORT.c.id).with_for_update()).all()


def _changed_meanwhile(connection: Connection, row: Any) -> ChangedMeanwhileError:
    query = select(REPORT_STEP.c.account_id, REPORT_STEP.c.after).where(REPORT_STEP.c.report_id == row.id)
    last = connection.execute(query.order_by(REPORT_STEP.c.id.desc()).limit(1)).one_or_none()
    by = None if last is None else last.account_id
    name = connection.scalar(select(ACCOUNT.c.name).where(ACCOUNT.c.id == by))
    state = STATES[row.state]
    return ChangedMeanwhileError(
        f"{name or '其他人'}已更新这份报告（现为“{state.zh}”），请刷新后再操作",
        f"{name or 'somebody else'} has changed this report (it is now “{state.en}”): reload it and try again",
    )


def _set_by(to: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return what a step to the state ``to`` sets beside it."""
    if to == "assigned":
        return {"assigned_to": given["assignee"], "outcome": ""}
    if to == "verified":
        return {"assigned_to": None, "duplicate_of": None}
    if to == "helped":
        return {"outcome": given["outcome"]}
    return {"duplicate_of": given["original"]} if to == "duplicate" else {}


def _check_given(transition: Transition, given: Mapping[str, object]) -> None:
    """Raise IllegalStepError where a step lacks what it requires, or comes with what it has no use for."""
    for name, value in given.items():
        if bool(value) == (name in transition.requires):
            continue
        zh, en = STATES[transition.after]
        what_zh, what_en = _GIVEN[name]
        if value:
            raise IllegalStepError(f"“{zh}”不需要{what_zh}", f"“{en}” takes no {what_en}")
        raise IllegalStepError(f"“{zh}”须填写{what_zh}", f"“{en}” needs the {what_en}")


def _check_permission(transition: Transition, row: Any, by: Account, assignee: int | None) -> None:
    require(by.role, transition.permission)
    takes_it_on = transition.after == "assigned" and row.assigned_to is None and assignee == by.id
    if not takes_it_on:
        require_own(row, by)


def _check_assignee(store: Store, connection: Connection, row: Any, assignee: int) -> None:
    query = seen(select(ACCOUNT).where(ACCOUNT.c.id == assignee, ACCOUNT.c.active), ACCOUNT, store.scope)
    found = connection.execute(query).one_or_none()
    if found is None or not may(found.role, "work_reports") or not Scope.of(found.area_code).holds(row.area_code):
        raise IllegalStepError(
            "不能指派给这个账号：须为在用账号、能办理报告且辖区包含该位置",
            "this account cannot be assigned: it must be open, work on reports, and its area hold the place",
        )


def _check_outcome(connection: Connection, report_id: int, outcome: str) -> None:
    if outcome not in OUTCOMES:
        raise IllegalStepError(f"没有这种处置结果：{outcome}", f"there is no outcome {outcome!r}")
    referred = select(REFERRAL.c.id).where(REFERRAL.c.report_id == report_id).limit(1)
    if outcome == "referred" and connection.scalar(referred) is None:
        raise IllegalStepError("请先登记转介，再选择“已转介”", "make the referral first, then choose “referred”")


def _merge(store: Store, connection: Connection, row: Any, original: int, by: Account, now: datetime) -> None:
    """Let the report ``original`` stand for ``row`` and for all that ``row`` stands for; it is as urgent as either."""
    kept = visible_row(store, connection, original, by)
    if kept.id == row.id or kept.state == "duplicate":
        raise IllegalStepError("请选择另一份未被合并的报告", "choose another report that is not merged itself")
    values = {"urgency": max(kept.urgency, row.urgency), "changed_at": stored(now), "version": kept.version + 1}
    connection.execute(update(INCOMING_REPORT).where(INCOMING_REPORT.c.id == original).values(values))
    others = update(INCOMING_REPORT).where(INCOMING_REPORT.c.duplicate_of == row.id)
    connection.execute(others.values(duplicate_of=original))
    write_step(connection, original, at=now, account_id=by.id, before=kept.state, after=kept.state)


# who sees which


def in_area(store: Store, by: Account) -> list[ColumnElement[bool]]:
    """Return the conditions that a report lies in the store's scope and in the area of ``by``."""
    scopes = [Scope.of(by.area_code), *([] if store.scope is None else [store.scope])]
    return [inside(INCOMING_REPORT, scope) for scope in scopes]


def visible(store: Store, by: Account) -> list[ColumnElement[bool]]:
    """Return the conditions that ``by`` may see a report at all; raises NotAllowedError where it may see none.

    Who works on reports without directing them sees those assigned to it, and the open ones nobody has taken.
    """
    require(by.role, "read_reports")
    conditions = in_area(store, by)
    if by.may("work_reports") and not by.may("direct_reports"):
        free = INCOMING_REPORT.c.assigned_to.is_(None) & INCOMING_REPORT.c.state.in_(OPEN_STATES)
        conditions.append((INCOMING_REPORT.c.assigned_to == by.id) | free)
    return conditions


def visible_row(store: Store, connection: Connection, report_id: int, by: Account, *, lock: bool = False) -> Any:
    """Return the row of a report that ``by`` may see; raises UnknownReportError. lock : until the transaction ends."""
    query = select(INCOMING_REPORT).where(INCOMING_REPORT.c.id == report_id, *visible(store, by))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_report()
    return row


def require_own(row: Any, by: Account) -> None:
    """Raise NotAllowedError where ``by`` does not direct reports and this one is not assigned to it."""
    if not by.may("direct_reports") and row.assigned_to != by.id:
        raise NotAllowedError("这份报告没有指派给本账号", "this report is not assigned to this account")


def unknown_report() -> UnknownReportError:
    """Return the refusal of a report that is not there, or not for the caller: the two look the same."""
    return UnknownReportError("没有这份报告，或不由本账号办理", "there is no such report, or it is not this account's")


def _private_row(store: Store, connection: Connection, report_id: int, by: Account) -> Any:
    require(by.role, "read_private")
    row = visible_row(store, connection, report_id, by)
    require_own(row, by)
    return row


def _steps(connection: Connection, report_id: int) -> list[Step]:
    query = select(REPORT_STEP).where(REPORT_STEP.c.report_id == report_id).order_by(REPORT_STEP.c.id)
    return [Step(aware(row.at), row.account_id, row.before, row.after, row.note) for row in connection.execute(query)]


def _report(row: Any) -> IncomingReport:
    return IncomingReport(
        id=row.id, received_at=aware(row.received_at), changed_at=aware(row.changed_at), channel=row.channel,
        state=row.state, outcome=row.outcome, urgency=row.urgency, area_code=row.area_code,
        needs=tuple(row.needs.split(",")), people=row.people, assigned_to=row.assigned_to,
        duplicate_of=row.duplicate_of, version=row.version,
    )  # fmt: skip
