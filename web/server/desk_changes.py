"""What a supervisor changes from the desk: tried first, with everybody's minutes, then done; and who is sent where."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, make_response, redirect, render_template, request, url_for

from gis.errors import LamplightError
from layers.casebook import UnknownReportError, move
from layers.night_records import NightChangedError, PatrolNight, UnknownNightError
from layers.nights import changes_since
from planner.desk.board import Trial
from planner.desk.reckoning import Fault
from planner.night_lines import duty_of
from web.server import staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.desk_board import Desk, NeedsConfirmingError, desk_of, done, tried
from web.server.desk_pages import desk_page
from web.server.desk_shown import tonight_of
from web.server.desk_view import CrewRow, change_rows, news_of, said_note, stop_of, street, street_of, whole_minutes
from web.server.errors import status_of
from web.server.language import _, said
from web.server.sign_in import Answer

#: What a form may say of a change, and is asked again when it is confirmed.
FIELDS = ("action", "duty", "to", "a", "b", "crew")

pages = Blueprint("desk_changes", __name__, url_prefix="/staff/nights")
staff_frame.dress(pages)


@pages.post("/<int:night_id>/give")
@needs("direct_patrol")
def give(night_id: int) -> Answer:
    """Try to give a street to somebody, or to nobody; "stop" and "to" of the form say which."""
    duty, to = stop_of(request.form.get("stop", ""))[0], request.form.get("to", "")
    desk = desk_of(night_id)
    held = any(desk.board.holder(stop) for stop in desk.board.ground.services if stop[0] == duty)
    fields = {"action": "remove" if to == "-" else "move" if held else "assign", "duty": duty, "to": to}
    return _try(desk, fields)


@pages.post("/<int:night_id>/swap")
@needs("direct_patrol")
def swap(night_id: int) -> Answer:
    """Try what it would be if two crews walked each other's routes."""
    return _try(desk_of(night_id), {"action": "swap", "a": request.form.get("a", ""), "b": request.form.get("b", "")})


@pages.post("/<int:night_id>/ill")
@needs("direct_patrol")
def ill(night_id: int) -> Answer:
    """Try what is left over when a crew stops now."""
    return _try(desk_of(night_id), {"action": "ill", "crew": request.form.get("crew", "")})


@pages.post("/<int:night_id>/share-out")
@needs("direct_patrol")
def share_out(night_id: int) -> Answer:
    """Try to share out what nobody has among those who walk."""
    return _try(desk_of(night_id), {"action": "replan"})


@pages.post("/<int:night_id>/save")
@needs("direct_patrol")
def save(night_id: int) -> Answer:
    """Make a change that was tried, or lock or unlock a route."""
    fields = {name: request.form[name] for name in FIELDS if request.form.get(name)}
    desk = desk_of(night_id)
    version = request.form.get("version", 0, type=int)
    try:
        changed = done(
            desk, fields.get("action", ""), fields, version=version, confirmed=request.form.get("yes") == "yes"
        )
    except UnknownNightError:
        raise
    except NightChangedError as error:
        return _conflict(desk, fields, error)
    except NeedsConfirmingError as error:
        return _answer(desk, _shown(desk, fields, error.trial), 409)
    except LamplightError as error:
        since = [one for one in changes_since(own_store(), night_id, version) if one.account_id != account().id]
        if not since or not version < desk.night.version:
            return _refused(night_id, error)
        told = [_("他人已先改动这些路线，您的改动还没有保存。"), *news_of(desk.board, since, account().id), said(error)]
        return _answer(desk, {"said": " ".join(told), "good": False}, 409, changed=True)
    return _saved(changed, fields)


@pages.post("/<int:night_id>/take-back")
@needs("direct_patrol")
def take_back(night_id: int) -> Answer:
    """Take a change back."""
    desk = desk_of(night_id)
    try:
        changed = done(desk, "undo", {"number": request.form.get("number", "")}, version=0, confirmed=True)
    except UnknownNightError:
        raise
    except LamplightError as error:
        return _refused(night_id, error)
    return _saved(changed, {"action": "undo"})


@pages.post("/<int:night_id>/reports/<int:report_id>/dispatch")
@needs("direct_patrol")
def dispatch(night_id: int, report_id: int) -> Answer:
    """Send somebody to where a report comes from."""
    return _moved(night_id, report_id, "assigned", assignee=request.form.get("assignee", type=int))


@pages.post("/<int:night_id>/reports/<int:report_id>/merge")
@needs("direct_patrol")
def merge(night_id: int, report_id: int) -> Answer:
    """Let an earlier report stand for one that means the same person."""
    return _moved(night_id, report_id, "duplicate", original=request.form.get("original", type=int))


@pages.post("/<int:night_id>/reports/<int:report_id>/take-back")
@needs("direct_patrol")
def take_report_back(night_id: int, report_id: int) -> Answer:
    """Let a report that was merged, or given to somebody, stand by itself again."""
    return _moved(night_id, report_id, "verified")


def _moved(night_id: int, report_id: int, to: str, **given: Any) -> Answer:
    version = request.form.get("version", 0, type=int)
    try:
        move(own_store(), report_id, to, by=account(), version=version, now=now(), **given)
    except UnknownReportError:
        raise
    except LamplightError as error:
        return desk_page(night_id, fault=error)
    return redirect(url_for("desk.one", night_id=night_id, moved=report_id) + "#reports", 303)


# what the page says of it


def _try(desk: Desk, fields: Mapping[str, str]) -> Answer:
    try:
        trial = tried(desk, fields["action"], fields)
    except UnknownNightError:
        raise
    except LamplightError as error:
        return _refused(desk.night.id, error)
    return _answer(desk, _shown(desk, fields, trial), 200)


def _shown(desk: Desk, fields: Mapping[str, str], trial: Trial, said_first: str = "") -> dict[str, Any]:
    """Return a trial as the page shows it: everybody's minutes before and after, and what stands against it."""
    crews = {crew.name: crew for crew in tonight_of(desk).crews()}
    faults: dict[str, list[Fault]] = {}
    for fault in trial.faults:
        faults.setdefault(fault.crew, []).append(fault)
    rows = [_trial_row(crews[name], trial, faults.get(name, [])) for name in trial.touched]
    confirmed = {"yes": "yes"} if trial.needs_confirming else {}
    hard = [fault for fault in trial.faults if fault.hard]
    return {
        "said": said_first or ("" if trial.touched else _("没有可改的路线。")), "good": False, "undo": None,
        "title": _title(desk, fields), "rows": rows, "faulty": trial.needs_confirming, "refused": bool(hard),
        "others": [said_note(fault) for fault in hard if fault.crew not in trial.touched],
        "left": _left(desk, trial),
        "fields": {**fields, **confirmed, "version": desk.night.version},
    }  # fmt: skip


def _left(desk: Desk, trial: Trial) -> list[dict[str, Any]]:
    """Return the streets that nobody would have, those that must be walked first."""
    ground = desk.board.ground
    rows = [
        {"name": street(desk.board, stop), "must": bool(ground.night.duties.must[duty_of(ground, stop)])}
        for stop in trial.left
    ]
    return sorted(rows, key=lambda row: not row["must"])


def _trial_row(crew: CrewRow, trial: Trial, faults: list[Fault]) -> dict[str, Any]:
    before, after = (whole_minutes(of[crew.name].total_s) for of in (trial.before, trial.after))
    return {
        "crew": crew, "before": before, "after": after, "most": crew.shift_minutes,
        "faults": [said_note(fault) for fault in faults],
    }  # fmt: skip


def _title(desk: Desk, fields: Mapping[str, str]) -> str:
    """Say what is being tried."""
    duty = fields.get("duty", "")
    name = street_of(desk.board, duty) or duty
    words = {
        "move": _("把%(street)s交给 %(to)s", street=name, to=fields.get("to", "")),
        "assign": _("把%(street)s派给 %(to)s", street=name, to=fields.get("to", "")),
        "remove": _("今晚不巡%(street)s", street=name),
        "swap": _("%(a)s 与 %(b)s 互换路线", a=fields.get("a", ""), b=fields.get("b", "")),
        "ill": _("%(crew)s 从现在起请病假", crew=fields.get("crew", "")),
        "replan": _("把无人的街段重新分给在岗的人"),
    }  # fmt: skip
    return words[fields["action"]]


def _conflict(desk: Desk, fields: Mapping[str, str], error: NightChangedError) -> Answer:
    """Say who changed the same routes meanwhile, and try the same again on what they are now."""
    fresh = desk_of(desk.night.id)
    told = [_("他人已先改动这些路线，您的改动还没有保存。")]
    told += news_of(fresh.board, error.changes, account().id) or [said(error)]
    try:
        trial = _shown(fresh, fields, tried(fresh, fields["action"], fields), " ".join(told))
    except LamplightError:  # what was wanted is no longer to be had, or is no trial
        trial = {"said": " ".join(told), "good": False}
    return _answer(fresh, trial, 409, changed=True)


def _saved(changed: PatrolNight, fields: Mapping[str, str]) -> Answer:
    if "X-Part" not in request.headers:
        return redirect(url_for("desk.one", night_id=changed.id), 303)
    desk = desk_of(changed.id)
    changes = changes_since(own_store(), changed.id, 0)
    rows = change_rows(desk.board, changes, desk.night)
    last = next((row for row in rows if row.number == changed.version), None)
    words = _("已改：%(what)s。", what=last.what) if last else _("已改。")
    trial = {
        "said": words,
        "good": True,
        "undo": last if last and last.may_undo else None,
        "replan": fields.get("action") == "ill",
    }
    return _answer(desk, trial, 200, changed=True)


def _refused(night_id: int, error: LamplightError) -> Answer:
    """Say what stands against a change: alone for the script, on the desk for a form."""
    if "X-Part" not in request.headers:
        return desk_page(night_id, fault=error)
    page = render_template("staff/desk_part.html", part="trial", night=None, trial={"said": said(error), "good": False})
    return page, status_of(error)


def _answer(desk: Desk, trial: dict[str, Any], status: int, *, changed: bool = False) -> Answer:
    """Return a trial: alone for the script, on the desk for a form."""
    if "X-Part" not in request.headers:
        return desk_page(desk.night.id, trial=trial, status=status)
    page = make_response(render_template("staff/desk_part.html", part="trial", night=desk.night, trial=trial), status)
    if changed:
        page.headers["X-Changed"] = "yes"
    return page


def register(app: Flask) -> None:
    """Add the changes of the desk to the application."""
    app.register_blueprint(pages)
