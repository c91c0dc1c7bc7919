"""A night on the desk for scripts, in JSON: the board, its streets, a change tried, a change made, what others changed.

A change is told what the page had seen (``version``); where somebody else has changed the same routes since, the answer
is 409 with those changes: who, when, what in both languages. Errors are problem+json whatever is accepted.
"""

import gzip
import hashlib
import json
from datetime import datetime
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from gis.errors import LamplightError, QuestionError
from layers.night_records import NightChange, NightChangedError, NightRoute, PatrolNight, undoable
from layers.nights import changes_since, night
from planner.desk.reckoning import clock
from planner.desk.runs import Grounds
from planner.desk.said import fault_json, minutes_json, route_json, trial_json
from web.server.access import account, needs, own_area, own_store, public_city
from web.server.desk_board import Desk, NeedsConfirmingError, NightLoadingError, desk_of, done, note_reader, tried
from web.server.desk_streets import PackedStreets, duties_seen
from web.server.errors import problem, status_of
from web.server.parameters import sent_json

#: When to ask again while a night is being read.
AGAIN_S = 1
JSON = "application/json"
#: Answers longer than this are packed.
PACKED = 10_000
pages = Blueprint("desk_api", __name__, url_prefix="/staff/nights/<int:night_id>")


@pages.get("/board.json")
@needs("direct_patrol")
def board(night_id: int) -> Response:
    """Give the board: crews with their routes, minutes and faults, what nobody has, and the changes so far."""
    desk = desk_of(night_id, wait_s=0.2)
    mark = _mark(desk.night.version, desk.night.state, desk.board.now_s and int(desk.board.now_s // 60))
    if mark in request.if_none_match:
        return _fresh(Response(status=304), mark)
    return _fresh(_json(_board(desk)), mark)


@pages.get("/streets.json")
@needs("direct_patrol")
def streets(night_id: int) -> Response:
    """Give the lines of the streets of the night, those of the account's area and of its crews' routes."""
    desk = desk_of(night_id, wait_s=0.2)
    ground, area = desk.board.ground, account().area_code
    seen = duties_seen(ground, own_area(), [route.route for route in desk.own.values()])
    mark = _mark(desk.night.run_id, desk.night.date, area, hashlib.sha256(seen.tobytes()).hexdigest())
    if mark in request.if_none_match:
        return _fresh(Response(status=304), mark)
    kept: PackedStreets = current_app.extensions["lamplight.desk_streets"]
    return _fresh(_packed(kept.packed((mark,), ground, seen)), mark)


@pages.get("/changes.json")
@needs("direct_patrol")
def changes(night_id: int) -> Response:
    """Give the changes after version ``since``, oldest first, with the version now."""
    since = request.args.get("since", 0, type=int)
    note_reader(night_id)
    row = night(own_store(), night_id)
    found = changes_since(own_store(), night_id, since)
    return _json({"version": row.version, "state": row.state, "changes": [change_json(one) for one in found]})


@pages.post("/try")
@needs("direct_patrol")
def attempt(night_id: int) -> Response:
    """Tell what a change would make of the minutes, without making it; asked as ``change`` is."""
    given, desk = _given(), desk_of(night_id)
    return _json({"version": desk.night.version, **trial_json(tried(desk, given.get("action", ""), given))})


@pages.post("/change")
@needs("direct_patrol")
def change(night_id: int) -> Response:
    """Make a change. Asked in JSON: version, action (of ``desk_board.done``), confirm, and what it is about."""
    given, desk = _given(), desk_of(night_id)
    action, confirmed = given.get("action", ""), given.get("confirm", "") == "yes"
    return _made(done(desk, action, given, version=_whole(given.get("version", "")), confirmed=confirmed))


@pages.post("/undo")
@needs("direct_patrol")
def take_back(night_id: int) -> Response:
    """Take the change ``number`` back; to take that one back makes it again."""
    given, desk = _given(), desk_of(night_id)
    return _made(done(desk, "undo", given, version=0, confirmed=False))


@pages.errorhandler(LamplightError)
def refused(error: LamplightError) -> Response:
    """Answer what cannot be done, with what stands against it."""
    if isinstance(error, NightChangedError):
        told = [change_json(one) for one in error.changes]
        return problem(409, error.zh, error.en, changes=told, version=error.version)
    if isinstance(error, NeedsConfirmingError):
        return problem(409, error.zh, error.en, confirm=True, trial=trial_json(error.trial))
    return problem(status_of(error), error.zh, error.en)


@pages.errorhandler(NightLoadingError)
def loading(error: NightLoadingError) -> Response:
    """Say that a night is being read, and when to ask again."""
    answer = _json({"loading": error.step, "night": error.night.id, "version": error.night.version})
    answer.status_code = 202
    answer.headers["Retry-After"] = str(AGAIN_S)
    return answer


def _made(changed: PatrolNight) -> Response:
    """Give the board as it is after a change, with the number of the change."""
    return _json({"made": changed.version, **_board(desk_of(changed.id))})


def change_json(one: NightChange) -> dict[str, Any]:
    """Return a change: number, at (local ISO text), who, action, zh, en, crews, undoes, said."""
    zh, en = one.words
    local = public_city().local(one.at).isoformat(timespec="seconds")
    return {"number": one.number, "at": local, "who": one.name, "action": one.action, "zh": zh, "en": en,
            "crews": list(one.crews), "undoes": one.undoes, "whole": one.whole,
            "duty": str(one.said.get("duty", ""))}  # fmt: skip


def _board(desk: Desk) -> dict[str, Any]:
    """Return the board as the account may see it."""
    board, row = desk.board, desk.night
    ground, scope = board.ground, own_area()
    times = board.minutes()
    open_ = [stop for stop in board.open_stops() if scope.holds(str(ground.area[ground.services[stop]]))]
    found = changes_since(own_store(), row.id, 0)
    return {
        "night": row.id, "version": row.version, "date": row.date.isoformat(), "state": row.state, "run": row.run_id,
        "now": None if board.now_s is None else clock(board.now_s),
        "crews": [_crew(desk, route) for route in desk.own.values()],
        "minutes": minutes_json({crew: times[crew] for crew in desk.own}),
        "faults": [fault_json(fault) for fault in board.faults() if fault.crew in desk.own],
        "open": route_json(open_),
        "changes": [change_json(one) for one in found],
        "undoable": undoable(found),
    }  # fmt: skip


def _crew(desk: Desk, route: NightRoute) -> dict[str, Any]:
    ground = desk.board.ground
    night_, crew = ground.night, ground.crew(route.crew)
    at = int(night_.crews.station[crew])
    records = ground.records
    return {
        "crew": route.crew, "persons": route.persons, "area": route.area_code, "mode": str(night_.crews.mode[crew]),
        "shift": [clock(night_.crews.from_s[crew]), clock(night_.crews.until_s[crew])],
        "station": {"name": str(records.city.points.name[at]),
                    "at": [round(float(records.point_lon[at]), 6), round(float(records.point_lat[at]), 6)]},
        "locked": route.locked, "ill_from": _local(route.ill_from), "changed_in": route.changed_in,
        "begun": desk.board.begun(route.crew), "route": route_json(route.route),
    }  # fmt: skip


def _local(moment: datetime | None) -> str | None:
    return None if moment is None else public_city().local(moment).isoformat(timespec="minutes")


def _given() -> dict[str, str]:
    """Return what was sent, JSON or a form, each value as text; raises QuestionError on anything else."""
    if not request.is_json:
        return request.form.to_dict()
    said = sent_json()
    if not isinstance(said, dict):
        raise QuestionError("请求须为 JSON 对象", "the request must be a JSON object")
    words = {True: "yes", False: "no", None: ""}
    return {
        str(name): words[value] if isinstance(value, bool) or value is None else str(value)
        for name, value in said.items()
    }


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise QuestionError("缺少版本号", "the version that was seen is missing")
    return int(text)


def _json(values: dict[str, Any]) -> Response:
    body = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return _packed(gzip.compress(body, 4, mtime=0)) if len(body) > PACKED else Response(body, mimetype=JSON)


def _packed(body: bytes) -> Response:
    """Return gzipped JSON as it is, or unpacked where that is not understood."""
    taken = request.accept_encodings["gzip"] > 0
    answer = Response(body if taken else gzip.decompress(body), mimetype=JSON)
    if taken:
        answer.content_encoding = "gzip"
    answer.vary.add("Accept-Encoding")
    return answer


def _mark(*parts: object) -> str:
    return hashlib.sha256(repr((*parts, account().area_code)).encode()).hexdigest()[:16]


def _fresh(answer: Response, mark: str) -> Response:
    answer.set_etag(mark)
    answer.cache_control.private, answer.cache_control.no_cache = True, True
    return answer


def register(app: Flask) -> None:
    """Add the desk's interface to the application, and the nights it keeps in memory."""
    app.extensions["lamplight.desk"] = Grounds(app.extensions["lamplight.store"])
    app.extensions["lamplight.desk_streets"] = PackedStreets()
    app.register_blueprint(pages)
