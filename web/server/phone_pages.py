"""The grid worker's phone: a page that is put on the first screen and opens without a network, and tonight's route."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, g, json, jsonify, render_template, request, url_for
from flask_wtf.csrf import generate_csrf

from gis.errors import LamplightError
from layers.own_route import NoRouteError, OwnRoute, tonight
from layers.phone import done_by_ticks, keep_days
from layers.phone_events import MOST_NOTE, REASONS
from layers.report_states import NEEDS, OUTCOMES, RECEIVERS
from planner.desk.runs import Grounds
from planner.patrol.tracks.night_plan import Tables
from web.server.access import account, anyone, needs, own_store, public_city, whole_store
from web.server.city import now
from web.server.language import LANGUAGES, _, language, said
from web.server.phone_pack import Packs

pages = Blueprint("phone", __name__, url_prefix="/phone")


@pages.get("")
@needs("walk_patrol")
def page() -> Response:
    """Show the page; everything about the account comes to it by ``tonight`` and stays on the phone."""
    return Response(_shell(account().id), headers={"Cache-Control": "private, no-cache"})


@pages.get("/shell/<wanted>")
@anyone
def shell(wanted: str) -> Response:
    """Show the page as a phone keeps it for when there is no network: nobody's."""
    if wanted not in LANGUAGES:
        abort(404)
    g.language = wanted
    return Response(_shell(), headers={"Cache-Control": "no-cache"})


@pages.get("/manifest.webmanifest")
@anyone
def manifest() -> Response:
    """Say what the page is called where it is put on a phone's first screen."""
    symbol = {"src": url_for("static", filename="symbols/lamp.svg"), "sizes": "any", "type": "image/svg+xml"}
    told = {
        "name": _("今晚巡查"), "short_name": _("巡查"), "lang": "zh-Hans" if language() == "zh" else "en",
        "start_url": url_for("phone.page"), "scope": url_for("phone.page"), "display": "standalone",
        "orientation": "portrait", "background_color": "#14191d", "theme_color": "#0b4f6c", "icons": [symbol],
    }  # fmt: skip
    return Response(json.dumps(told, ensure_ascii=False), mimetype="application/manifest+json")


@pages.get("/sw.js")
@anyone
def service_worker() -> Response:
    """Serve the script that keeps the page at hand without a network."""
    answer = current_app.send_static_file("phone_sw.js")
    answer.headers.update({"Service-Worker-Allowed": url_for("phone.page"), "Cache-Control": "no-cache"})
    return answer


@pages.get("/token")
@needs("walk_patrol")
def token() -> Response:
    """Give the phone what it must send along, and say whose phone this is now."""
    return jsonify(csrf_token=generate_csrf(), account=account().id)


@pages.get("/tonight.json")
@needs("walk_patrol")
def route() -> Response:
    """Give the route of the crew that the account belongs to; ?have= the mark of what the phone holds already."""
    me, at = account(), now()
    told: dict[str, Any] = {"account": {"id": me.id, "name": me.name}, "now": at.timestamp() * 1000}
    try:
        own = tonight(own_store(), by=me, now=at)
    except NoRouteError as error:
        return jsonify({**told, "state": "none", "said": {"zh": error.zh, "en": error.en}})
    packs: Packs = current_app.extensions["lamplight.phone_packs"]
    pack = packs.pack(own)
    if request.args.get("have") == pack["mark"]:
        pack = {"mark": pack["mark"], "night": own.night.id}
    return jsonify({**told, "state": "ready", **pack, **_hours(own), "done": _done(own)})


def _hours(own: OwnRoute) -> dict[str, Any]:
    """Say when the crew is on duty, and what becomes of the track recorded then."""
    local, days = public_city().local, keep_days(whole_store())  # a setting is the city's, not an area's
    begins, ends = local(own.from_at), local(own.until_at)
    return {
        "date": own.night.date.isoformat(), "from": own.from_at.timestamp() * 1000,
        "until": own.until_at.timestamp() * 1000, "from_said": f"{begins:%H:%M}", "closed": own.night.state == "closed",
        # an evening's shift ends at 24:00
        "until_said": "24:00" if f"{ends:%H:%M}" == "00:00" else f"{ends:%H:%M}",
        "keep_days": days, "deleted_on": f"{local(own.until_at) + timedelta(days=days):%Y-%m-%d}",
    }  # fmt: skip


def _done(own: OwnRoute) -> list[dict[str, Any]]:
    """Return what the crew has said already, by this phone or another."""
    return [
        {"duty": one.duty, "side": one.side, "state": one.state, "how": one.how, "at": one.at.timestamp() * 1000,
         "reason": one.reason}
        for one in done_by_ticks(own_store(), own.night.id)
        if one.crew == own.route.crew
    ]  # fmt: skip


def _shell(account_id: int | None = None) -> str:
    return render_template(
        "phone/shell.html", title=_("今晚巡查"), account_id=account_id,
        version=current_app.extensions["lamplight.report_version"],
        needs=[(name, said(need.words), need.urgent) for name, need in NEEDS.items()],
        outcomes=[(name, said(words)) for name, words in OUTCOMES.items()],
        receivers=[(name, said(receiver.words)) for name, receiver in RECEIVERS.items()],
        reasons=[(name, said(words)) for name, words in REASONS.items()], most_note=MOST_NOTE,
    )  # fmt: skip


def _exact(own: OwnRoute) -> Tables | None:
    """Return a changed route with its ways, where the desk has the night in memory; it is read for the next asker."""
    grounds: Grounds = current_app.extensions["lamplight.desk"]
    try:
        ground = grounds.ground(own.night.run_id, own.night.date, ())
    except LamplightError:  # the records the plan was made of are gone: the route does without
        return None
    return None if isinstance(ground, str) else ground.walks({own.route.crew: own.route.route})


def register(app: Flask) -> None:
    """Add the phone's pages to the application."""
    app.extensions["lamplight.phone_packs"] = Packs(app.extensions["lamplight.store"], _exact)
    app.register_blueprint(pages)
