"""Reports as staff work on them: the queue, one report, its private part, its next steps and its referrals."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, url_for

from gis.errors import RecordError
from layers.accounts import Account, accounts, partners_for
from layers.casebook import IncomingReport, UnknownReportError, counts, history, move, photo, private_part, reports
from layers.casebook import report as report_of
from layers.referrals import REFERABLE, UnknownReferralError, confirm_referral, overdue_referrals, refer, referrals
from layers.report_states import ENDED_STATES, NEEDS, OUTCOMES, RECEIVERS, STATES, TRANSITIONS, Transition
from layers.scope import Scope
from web.server import staff_frame
from web.server.access import account, needs, own_store, public_city
from web.server.city import now
from web.server.errors import status_of
from web.server.language import _, said
from web.server.sign_in import Answer

PAGE = 50
#: What the button of a step says, by where it leads; by where it comes from as well, where that changes its sense.
STEP_WORDS = {
    "verified": "标为已核实", "assigned": "指派", "on_the_way": "已出发", "helped": "记录救助结果", "closed": "办结",
    "duplicate": "合并到另一份报告", "unfounded": "未发现情况",
}  # fmt: skip
STEP_WORDS_FROM = {
    ("assigned", "verified"): "退回", ("assigned", "assigned"): "改派", ("on_the_way", "assigned"): "改派",
    ("helped", "assigned"): "重新指派", ("duplicate", "verified"): "撤销合并", ("unfounded", "verified"): "恢复报告",
}  # fmt: skip

pages = Blueprint("reports", __name__, url_prefix="/staff")
staff_frame.dress(pages)


@pages.get("/reports")
@needs("read_reports")
def queue() -> Answer:
    """List reports, urgent ones first: those not ended, or those in the state asked for."""
    state, after = request.args.get("state", ""), request.args.get("after", type=int)
    if state and state not in STATES:
        abort(404)
    me, at = account(), now()
    mine = request.args.get("mine") == "yes"
    states = (state,) if state else tuple(word for word in STATES if word not in ENDED_STATES)
    found = reports(own_store(), by=me, states=states, assigned_to=me.id if mine else None, limit=PAGE + 1, after=after)
    late = [one.report_id for one in overdue_referrals(own_store(), by=me, now=at)] if _refers(me) else []
    return render_template(
        "staff/reports.html", title=_("报告清单"), reports=_overdue_first(found[:PAGE], late), more=len(found) > PAGE,
        last=found[:PAGE][-1].id if found else None, late=late, counts=counts(own_store(), by=me), state=state,
        mine=mine, states=STATES, needs_words=NEEDS,
    )  # fmt: skip


@pages.get("/reports/<int:report_id>")
@needs("read_reports")
def one(report_id: int) -> Answer:
    """Show one report without its private part."""
    return _page(report_id)


@pages.post("/reports/<int:report_id>/private")
@needs("read_private")
def private(report_id: int) -> Answer:
    """Show one report with its private part; that it was read is written down."""
    part = private_part(own_store(), report_id, by=account(), now=now())
    return _page(report_id, part=part)


@pages.get("/reports/<int:report_id>/photos/<int:photo_id>")
@needs("read_private")
def picture(report_id: int, photo_id: int) -> Response:
    """Show one photo; that it was seen is written down."""
    return Response(photo(own_store(), report_id, photo_id, by=account(), now=now()), mimetype="image/jpeg")


@pages.post("/reports/<int:report_id>/step")
@needs("work_reports")
def take_step(report_id: int) -> Answer:
    """Take a report one step further."""
    given = request.form
    try:
        move(
            own_store(), report_id, given.get("to", ""), by=account(), version=given.get("version", 0, type=int),
            now=now(), assignee=given.get("assignee", type=int), outcome=given.get("outcome", ""),
            original=given.get("original", type=int), note=given.get("note", "").strip(),
        )  # fmt: skip
    except UnknownReportError:
        if given.get("original"):  # either of the two is not there; the page of the first tells which
            return _page(report_id, error=_unknown_original())
        raise
    except RecordError as error:
        return _page(report_id, error=error)
    return redirect(url_for("reports.one", report_id=report_id), 303)


@pages.post("/reports/<int:report_id>/referral")
@needs("refer")
def make_referral(report_id: int) -> Answer:
    """Refer a report to a partner, or to an institution without an account."""
    receiver, _between, partner = request.form.get("receiver", "").partition(":")
    try:
        refer(
            own_store(), report_id, receiver=receiver, place=request.form.get("place", "").strip(), by=account(),
            now=now(), made_to=int(partner) if partner.isascii() and partner.isdigit() else None,
            due_at=_moment(request.form.get("due_at", "")),
        )  # fmt: skip
    except UnknownReportError:
        raise
    except RecordError as error:
        return _page(report_id, error=error)
    return redirect(url_for("reports.one", report_id=report_id), 303)


@pages.get("/referrals")
@needs("confirm_referral")
def referrals_list() -> Answer:
    """List the referrals one may confirm: those waiting first."""
    return _referrals()


@pages.post("/referrals/<int:referral_id>/confirm")
@needs("confirm_referral")
def confirm(referral_id: int) -> Answer:
    """Confirm that somebody referred has arrived."""
    received_by = request.form.get("received_by", "").strip()
    try:
        confirm_referral(own_store(), referral_id, by=account(), now=now(), received_by=received_by)
    except UnknownReferralError:
        raise
    except RecordError as error:
        return _referrals(error)
    return redirect(url_for("reports.referrals_list"), 303)


def offered(report: IncomingReport, asking: Account) -> list[Transition]:
    """Return the steps of the table that an account may take from where a report is."""
    mine = _is_mine(report, asking)
    return [
        step
        for step in TRANSITIONS.values()
        if step.before == report.state
        and asking.may(step.permission)
        and (mine or (step.after == "assigned" and report.assigned_to is None))
    ]


def _page(report_id: int, *, part: Any = None, error: RecordError | None = None) -> Answer:
    """Return a report's page, with its private part where it was asked for, and with what was refused."""
    me, at, store = account(), now(), own_store()
    found = report_of(store, report_id, by=me)
    made = referrals(store, by=me, report_id=report_id) if _refers(me) else []
    page = render_template(
        "staff/report.html", title=_("报告 %(number)s", number=found.id), report=found, part=part, at=at,
        fault="" if error is None else said(error),
        steps=offered(found, me), step_words=_step_words, history=history(store, report_id, by=me),
        assignees=_assignees(found, me), referrals=made, overdue={one.id for one in made if one.overdue(at)},
        mine=_is_mine(found, me), may_refer=me.may("refer") and _is_mine(found, me) and found.state in REFERABLE,
        partners=partners_for(store, found.area_code) if me.may("refer") else [],
        states=STATES, outcomes=OUTCOMES, receivers=RECEIVERS, needs_words=NEEDS,
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _referrals(error: RecordError | None = None) -> Answer:
    me, at = account(), now()
    found = sorted(referrals(own_store(), by=me), key=lambda one: (one.received_at is not None, one.due_at))
    page = render_template(
        "staff/referrals.html", title=_("转介"), referrals=found, at=at, receivers=RECEIVERS, needs_words=NEEDS,
        fault="" if error is None else said(error),
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _assignees(report: IncomingReport, me: Account) -> list[Account]:
    """Return who may be sent: oneself, and for those who direct, everybody whose area holds the report."""
    if not me.may("direct_reports"):
        return [me]
    return [
        other
        for other in accounts(own_store(), active=True)
        if other.may("work_reports") and Scope.of(other.area_code).holds(report.area_code)
    ]


def _step_words(step: Transition) -> str:
    return _(STEP_WORDS_FROM.get((step.before, step.after), STEP_WORDS[step.after]))


def _is_mine(report: IncomingReport, me: Account) -> bool:
    return me.may("direct_reports") or report.assigned_to == me.id


def _refers(me: Account) -> bool:
    return me.may("refer") or me.may("confirm_referral")


def _overdue_first(found: list[IncomingReport], late: list[int]) -> list[IncomingReport]:
    return sorted(found, key=lambda one: (-one.urgency, one.id not in late))  # stable: newest first within each


def _unknown_original() -> RecordError:
    return RecordError("没有这份原报告，或不在您的辖区内", "there is no such earlier report, or not in your area")


def _moment(text: str) -> datetime | None:
    """Return a time of the city's clocks, as a form sends it, as an aware one; None where it says none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=public_city().zone)
    except ValueError:
        raise RecordError(f"时间无法识别：{text}", f"not a time: {text!r}") from None


def register(app: Flask) -> None:
    """Add the pages of reports and referrals to the application."""
    app.register_blueprint(pages)
