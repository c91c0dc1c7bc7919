"""Report someone in need: one form for everybody, received exactly once, and what became of it."""

import hashlib
import uuid
from pathlib import Path
from typing import Any

import segno
from flask import Blueprint, Flask, Response, abort, current_app, g, jsonify, render_template, request, url_for
from flask_wtf.csrf import CSRFError, generate_csrf
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, TooManyRequests

from layers.casebook import UnknownReportError
from layers.intake import FaultyReportError, NearbyReport, NewReport, Receipt, check, nearby_reports, receive, status
from layers.report_states import NEEDS, STATES, nearby_m
from web.server.access import anyone, public_city, whole_store
from web.server.app import derived_key
from web.server.city import now
from web.server.errors import SENTENCES, refusal
from web.server.language import LANGUAGES, _, said
from web.server.limits import limiter, within
from web.server.place_search import LONGEST_QUERY, Places, places_of
from web.server.public_pages import map_says
from web.server.report_form import FIELDS, Entry, is_submission_key, places_named, read_entry, sentences

#: From one address. Many telephones of a network share one, so this stops machines, not people.
#: The last: how often it is told that somebody was reported near; who asks on and on learns no more, and is believed.
SENDING, ASKING, OFFERS = "20 per minute; 200 per hour", "90 per minute", "10 per hour"
Filled = MultiDict[str, str]

pages = Blueprint("report", __name__)


@pages.get("/report")
@anyone
def form() -> Response:
    """Show the empty form."""
    answer = Response(_form(MultiDict({"key": str(uuid.uuid4())})))
    # going back to it must find the same form, or what was sent already could be sent once more
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@pages.post("/report")
@anyone
@limiter.limit(SENDING)
def send() -> Any:
    """Receive a report, or say what keeps it from being received."""
    filled = request.form
    if filled.get("do") == "search":
        return _form(filled, places=places_named(filled, _places()), searched=True)
    if not is_submission_key(filled.get("key", "")):
        return _once_more(400, _("表单已过期。内容都还在，请再按一次“发送”。"))
    entry = read_entry(filled, request.files.get("photo"), _places(), now())
    near = [] if filled.get("sure") == "yes" else _others_near(entry.new)
    sent: dict[str, Any] = {
        "submission_key": filled["key"], "secret": _secret(), "now": now(), "photo_jpeg": entry.photo_jpeg
    }  # fmt: skip
    try:
        known = check(whole_store(), entry.new, **sent)
        if known is None and entry.faults:
            return _faulty(filled, entry, entry.faults)
        if known is None and near and within(OFFERS, "reports near"):
            return _offer(filled, near, entry)
        return _receipt(known or receive(whole_store(), entry.new, **sent))
    except FaultyReportError as error:
        return _faulty(filled, entry, {**sentences(error.faults), **entry.faults})


@pages.get("/report/received/<token>")
@anyone
@limiter.limit(ASKING)
def received(token: str) -> Response:
    """Tell a reporter that the report has arrived, and how to see what becomes of it."""
    return _of_token("report/received.html", token, again=request.args.get("again") == "yes")


@pages.get("/report/status/<token>")
@anyone
@limiter.limit(ASKING)
def follow(token: str) -> Response:
    """Tell the holder of a report's token what has become of it."""
    return _of_token("report/status.html", token)


@pages.get("/report/known")
@anyone
def known() -> str:
    """Thank somebody who found that the person had been reported before."""
    return render_template("report/known.html", title=_("没有重复发送"))


@pages.get("/report/token")
@anyone
@limiter.limit(ASKING)
def token() -> Response:
    """Give a script what it must send along with a report."""
    return jsonify(csrf_token=generate_csrf())


@pages.get("/report/places")
@anyone
@limiter.limit(ASKING)
def places() -> Response:
    """Find places by name, for the form's script."""
    found = _places().search(request.args.get("street", "").strip()[:LONGEST_QUERY])
    return jsonify(places=[place._asdict() for place in found])


@pages.get("/report/offline/<wanted>")
@anyone
def offline(wanted: str) -> Response:
    """Show the form as a telephone keeps it for when there is no network: nobody's, without key or token."""
    if wanted not in LANGUAGES:
        abort(404)
    g.language = wanted
    return Response(_form(MultiDict(), offline=True), headers={"Cache-Control": "no-cache"})


@pages.get("/sw.js")
@anyone
def service_worker() -> Response:
    """Serve the script that keeps the form at hand without a network."""
    answer = current_app.send_static_file("sw.js")
    answer.headers.update({"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"})
    return answer


def register(app: Flask) -> None:
    """Add the pages to the application."""
    folder = Path(str(app.static_folder))
    app.extensions["lamplight.report_version"] = _version(folder)
    app.register_blueprint(pages)


def _version(folder: Path) -> str:
    """Return what changes whenever a file does that a telephone keeps."""
    files = sorted(path for path in [*folder.rglob("*"), *(folder.parent / "templates").rglob("*")] if path.is_file())
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:12]


@pages.errorhandler(CSRFError)
def _no_token(error: CSRFError) -> Any:
    return _once_more(400, _("页面放置太久，已重新准备好。内容都还在，请再按一次“发送”。"))


@pages.errorhandler(TooManyRequests)
def _too_many(error: TooManyRequests) -> Any:
    if request.method != "POST":
        return refusal(429, *SENTENCES[429])
    answer = _once_more(429, _("此网络短时间内发送太多。内容都还在，请等一分钟再按“发送”。"))
    answer.headers["Retry-After"] = "60"
    return answer


@pages.errorhandler(RequestEntityTooLarge)
def _too_large(error: RequestEntityTooLarge) -> Any:
    return refusal(
        413, "照片或文字太大，没有收到。请返回上一页（所填仍在），换小一些的照片（10 MB 以内）再发送",
        "the photo or text is too large and was not received: go back (what you typed is still there), "
        "choose a smaller photo (up to 10 MB) and send again",
    )  # fmt: skip


def _once_more(code: int, why: str) -> Response:
    """Ask to press the button again, with everything typed still there."""
    if _to_script():
        return refusal(code, *SENTENCES[code])
    filled = MultiDict(request.form)
    if not is_submission_key(filled.get("key", "")):
        filled["key"] = str(uuid.uuid4())
    return Response(_form(filled, faults={"": why}), code)


def _form(filled: Filled, **more: Any) -> str:
    given: dict[str, Any] = {
        "faults": {},
        "places": (),
        "searched": False,
        "offline": False,
        "had_photo": False,
        **more,
    }
    given["faults"] = {name: given["faults"][name] for name in ("", *FIELDS) if name in given["faults"]}
    return render_template(
        "report/form.html", title=_("报告需要帮助的人"), filled=filled, needs=_needs(), map_says=map_says(),
        page=url_for("report.form"), version=current_app.extensions["lamplight.report_version"], **given,
    )  # fmt: skip


def _faulty(filled: Filled, entry: Entry, faults: dict[str, str]) -> Any:
    if _to_script():
        choices = [place._asdict() for place in entry.places]
        return jsonify(state="faulty", faults=faults, places=choices), 422
    return _form(filled, faults=faults, places=entry.places, had_photo=bool(request.files.get("photo"))), 422


def _others_near(new: NewReport) -> list[NearbyReport]:
    """Return open reports that may mean the same person; to be asked before whether this very one is stored already.

    Had it been stored meanwhile, it would be among those near, and found by its key after.
    """
    try:
        return nearby_reports(whole_store(), new.lon, new.lat, new.needs, now=now()) if new.needs else []
    except FaultyReportError:
        return []  # no place: told with the other faults


def _offer(filled: Filled, near: list[NearbyReport], entry: Entry) -> Any:
    told = [_near_words(one) for one in near[:3]]
    if _to_script():
        return jsonify(state="nearby", said=told), 409
    kept = [(name, value) for name, value in filled.items(multi=True) if name not in ("csrf_token", "do", "sure")]
    had_photo = entry.photo_jpeg is not None
    return render_template("report/nearby.html", title=_("可能已有人报告"), said=told, kept=kept, had_photo=had_photo)


def _near_words(one: NearbyReport) -> str:
    ages = {"hour": _("一小时内"), "today": _("一天之内"), "earlier": _("三天之内")}
    needed = _("、").join(said(NEEDS[need].words) for need in one.needs)
    metres = int(nearby_m(one.needs))
    return _("%(age)s，有人在约 %(metres)d 米范围内报告过：%(needs)s", age=ages[one.age], metres=metres, needs=needed)


def _receipt(receipt: Receipt | None) -> Any:
    assert receipt is not None
    page = url_for("report.received", token=receipt.token, again="yes" if receipt.again else None)
    if _to_script():
        return jsonify(state="received", page=page, status=url_for("report.follow", token=receipt.token)), 201
    return Response(status=303, headers={"Location": page, "Referrer-Policy": "no-referrer"})


def _of_token(template: str, token: str, **more: Any) -> Response:
    """Show a page about the report of a token, to nobody who merely looks for one."""
    try:
        found = status(whole_store(), token)
    except UnknownReportError:
        return _private(refusal(404, "没有这个链接对应的报告，请核对链接", "there is no report of this link: check it"))
    link = url_for("report.follow", token=token, _external=True)
    code = segno.make(link, micro=False).svg_inline(scale=4, border=2, dark="#000", light="#fff")
    local = public_city().local
    steps = [(local(at), said(STATES[state])) for at, state in found.steps]
    page = render_template(
        template, title=_("已收到报告") if template.endswith("received.html") else _("报告进展"), link=link, code=code,
        steps=steps, state=said(STATES[found.state]), explained=_explained(found.state),
        changed=local(found.changed_at), **more,
    )  # fmt: skip
    return _private(Response(page))


def _private(answer: Response) -> Response:
    answer.headers.update({"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"})
    return answer


def _explained(state: str) -> str:
    """Say what a state means for somebody who waits to hear."""
    words = {
        "received": _("工作人员很快会查看这份报告。"), "verified": _("工作人员已看过报告，正在安排人前往。"),
        "assigned": _("已安排工作人员。"), "on_the_way": _("工作人员正在前往。"),
        "helped": _("工作人员已见到此人并提供帮助。"), "closed": _("此事已办结，谢谢您。"),
        "duplicate": _("这与另一份报告是同一个人，一并处理。"), "unfounded": _("工作人员到场，没有找到需要帮助的人。"),
    }  # fmt: skip
    return words[state]


def _needs() -> list[tuple[str, str, bool]]:
    return [(name, said(need.words), need.urgent) for name, need in NEEDS.items()]


def _to_script() -> bool:
    return bool(request.accept_mimetypes.best == "application/json")


def _places() -> Places:
    return places_of(public_city(), whole_store())


def _secret() -> bytes:
    return derived_key(current_app.extensions["lamplight.settings"], "report-token").encode()
