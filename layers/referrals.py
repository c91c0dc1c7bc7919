"""Referrals to a rescue station, a hospital or the police: made, received in time or overdue."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, select, update

from gis.errors import RecordError
from layers.accounts import Account, partners_over
from layers.casebook import in_area, require_own, visible, visible_row
from layers.faults import refuse, text_fault
from layers.moments import aware, aware_or_none, stored
from layers.report_log import write_entry, write_step
from layers.report_states import RECEIVERS, STATES, IllegalStepError
from layers.roles import require
from layers.schema import INCOMING_REPORT, REFERRAL
from layers.store import Store

#: A report is referred once it is known to be true, and until it is closed.
REFERABLE = ("verified", "assigned", "on_the_way", "helped")


class UnknownReferralError(RecordError):
    """There is no such referral, or none the caller may see."""


@dataclass(frozen=True, slots=True)
class Referral:
    """One referral of a report, with what its receiver must know. Times UTC, aware.

    receiver : of RECEIVERS; made_to : the partner's account, None where it has none; place : where it is received.
    """

    id: int
    report_id: int
    receiver: str
    made_to: int | None
    place: str
    made_at: datetime
    made_by: int | None
    due_at: datetime
    received_at: datetime | None
    received_by: str
    needs: tuple[str, ...]
    people: int
    urgency: int

    def overdue(self, now: datetime) -> bool:
        """Tell whether its receipt should have been confirmed by ``now``."""
        return self.received_at is None and now > self.due_at


def refer(
    store: Store,
    report_id: int,
    *,
    receiver: str,
    place: str,
    by: Account,
    now: datetime,
    made_to: int | None = None,
    due_at: datetime | None = None,
) -> Referral:
    """Refer a report; made_to : of ``accounts.partners_for``; due_at : the receiver's own deadline by default.

    Raises FaultsError, IllegalStepError, NotAllowedError, UnknownReportError; then nothing has changed.
    """
    require(by.role, "refer")
    with store.transaction(writes=True) as connection:
        row = visible_row(store, connection, report_id, by, lock=True)
        require_own(row, by)
        if row.state not in REFERABLE:
            zh, en = STATES[row.state]
            raise IllegalStepError(f"“{zh}”的报告不能转介", f"a report that is “{en}” cannot be referred")
        _check(connection, row, receiver, place, made_to, due_at, now)
        due = due_at or now + RECEIVERS[receiver].within
        values = {
            "report_id": report_id, "receiver": receiver, "made_to": made_to, "place": place.strip(),
            "made_at": stored(now), "made_by": by.id, "due_at": stored(due), "received_at": None, "received_by": "",
        }  # fmt: skip
        made = int(connection.execute(insert(REFERRAL).values(values).returning(REFERRAL.c.id)).scalar_one())
        _record(connection, row, by, now, "refer", {"referral": made, "receiver": receiver, "made_to": made_to or 0})
        return _one(connection, made)


def confirm_referral(store: Store, referral_id: int, *, by: Account, now: datetime, received_by: str) -> Referral:
    """Confirm a receipt: a partner for what was made to it, a supervisor for what was made to no account.

    received_by : who received the person, in words. Raises FaultsError, UnknownReferralError, and IllegalStepError on
    one confirmed already.
    """
    require(by.role, "confirm_referral")
    refuse({"received_by": text_fault(received_by, 60, least=1)})
    mine = REFERRAL.c.made_to == by.id if by.role == "partner" else REFERRAL.c.made_to.is_(None)
    query = _referrals().where(REFERRAL.c.id == referral_id, mine, *_visible(store, by))
    with store.transaction(writes=True) as connection:
        row = connection.execute(query.with_for_update(of=REFERRAL)).one_or_none()
        if row is None:
            raise UnknownReferralError("没有这项转介，或不由本账号确认", "there is no such referral to confirm here")
        if row.received_at is not None:
            raise IllegalStepError("这项转介已确认接收", "the receipt of this referral is confirmed already")
        values = {"received_at": stored(now), "received_by": received_by.strip()}
        connection.execute(update(REFERRAL).where(REFERRAL.c.id == referral_id).values(values))
        report = connection.execute(select(INCOMING_REPORT).where(INCOMING_REPORT.c.id == row.report_id)).one()
        _record(connection, report, by, now, "confirm_referral", {"referral": referral_id})
        return _one(connection, referral_id)


def referrals(
    store: Store,
    *,
    by: Account,
    report_id: int | None = None,
    among: Collection[int] | None = None,
    waiting: bool = False,
) -> list[Referral]:
    """Return the referrals ``by`` may see, newest first: a partner those made to it.

    report_id, among : of one report, or of these. waiting : unconfirmed only.
    """
    query = _referrals().where(*_visible(store, by)).order_by(REFERRAL.c.id.desc())
    if report_id is not None:
        query = query.where(REFERRAL.c.report_id == report_id)
    if among is not None:
        query = query.where(REFERRAL.c.report_id.in_(among))
    if waiting:
        query = query.where(REFERRAL.c.received_at.is_(None))
    with store.transaction() as connection:
        return [_referral(row) for row in connection.execute(query)]


def overdue_referrals(store: Store, *, by: Account, now: datetime) -> list[Referral]:
    """Return the referrals whose receipt should have been confirmed by ``now``, the longest overdue first."""
    late = [referral for referral in referrals(store, by=by, waiting=True) if referral.overdue(now)]
    return sorted(late, key=lambda referral: (referral.due_at, referral.id))


def _referrals() -> Select[Any]:
    needed = (INCOMING_REPORT.c.needs, INCOMING_REPORT.c.people, INCOMING_REPORT.c.urgency)
    return select(REFERRAL, *needed).join(INCOMING_REPORT, INCOMING_REPORT.c.id == REFERRAL.c.report_id)


def _visible(store: Store, by: Account) -> list[ColumnElement[bool]]:
    if by.role == "partner":
        return [*in_area(store, by), REFERRAL.c.made_to == by.id]
    return visible(store, by)


def _check(
    connection: Connection,
    row: Any,
    receiver: str,
    place: str,
    made_to: int | None,
    due_at: datetime | None,
    now: datetime,
) -> None:
    faults = {"place": text_fault(place, 200)}
    if receiver not in RECEIVERS:
        faults["receiver"] = ("请选择救助站、医院或公安", "choose a rescue station, a hospital or the police")
    if due_at is not None and due_at <= now:
        faults["due_at"] = ("时限应在现在之后", "the deadline must lie ahead")
    serving = [partner.id for partner in partners_over(connection, row.area_code) if partner.receiver == receiver]
    if made_to is not None and made_to not in serving:
        faults["made_to"] = ("这个单位不服务该辖区", "this partner does not serve the area")
    refuse(faults)


def _record(
    connection: Connection, report: Any, by: Account, now: datetime, action: str, detail: dict[str, str | int]
) -> None:
    write_step(connection, report.id, at=now, account_id=by.id, before=report.state, after=report.state)
    write_entry(
        connection, report.id, action, at=now, account_id=by.id, area_code=report.area_code, detail=detail
    )  # fmt: skip


def _one(connection: Connection, referral_id: int) -> Referral:
    return _referral(connection.execute(_referrals().where(REFERRAL.c.id == referral_id)).one())


def _referral(row: Any) -> Referral:
    return Referral(
        id=row.id, report_id=row.report_id, receiver=row.receiver, made_to=row.made_to, place=row.place,
        made_at=aware(row.made_at), made_by=row.made_by, due_at=aware(row.due_at),
        received_at=aware_or_none(row.received_at), received_by=row.received_by, needs=tuple(row.needs.split(",")),
        people=row.people, urgency=row.urgency,
    )  # fmt: skip
