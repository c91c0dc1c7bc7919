"""The board of a night as the account that asks may direct it, and what it asks for: tried, or done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app

from gis.errors import LamplightError, QuestionError
from layers.accounts import Account
from layers.audit import NIGHT_ONCE_IN, note_night
from layers.night_records import NightRefusedError, NightRoute, PatrolNight, UnknownNightError
from layers.nights import change, changes_since, close, give_reason, night, reopen, routes, twice_in_routes, undo
from planner.desk.board import Board, Trial
from planner.desk.ground import Stop
from planner.desk.replanning import replan
from planner.desk.runs import Grounds, board_of, lines_of, watch_replan
from web.server.access import account, own_area, own_store, public_city, whole_store
from web.server.city import now

#: What is tried on the board before it is done.
TRIED = ("move", "assign", "remove", "swap", "ill", "replan")


class NeedsConfirmingError(NightRefusedError):
    """A change that breaks a limit a supervisor may say yes to. trial : what it would make of the night."""

    def __init__(self, trial: Trial, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.trial = trial


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """A night on the desk. own : crew -> its route, of those the account may see. board : all crews of the night."""

    night: PatrolNight
    own: Mapping[str, NightRoute]
    board: Board


class NightLoadingError(LamplightError):
    """The streets of a night are still being read into memory: whoever asks is to ask again in a moment.

    step : of ``planner.patrol.runs.PATROL_STEPS``, "waiting" or "routes".
    """

    def __init__(self, night: PatrolNight, step: str) -> None:
        super().__init__(
            "正在准备今晚的路线，请稍后再试", "the routes of the night are being read: try again in a moment"
        )
        self.night, self.step = night, step


def desk_of(night_id: int, *, wait_s: float = 20.0) -> Desk:
    """Return a night on the desk.

    Raises NightLoadingError where it is not in memory within ``wait_s``; UnknownNightError; StoreError and
    QuestionError where the plan or its records were removed.
    """
    note_reader(night_id)
    row = night(own_store(), night_id)  # its version is read before its routes: it is never newer than they are
    own = {route.crew: route for route in routes(own_store(), night_id)}
    # the whole night: a street that another area's crew walks is not free, and the ways are the whole city's
    everyone = routes(whole_store(), night_id)
    zone = public_city().zone
    lines = lines_of(row.date, everyone, zone)
    ground = grounds().ground(row.run_id, row.date, lines, wait_s=wait_s)
    if isinstance(ground, str):
        raise NightLoadingError(row, ground)
    return Desk(row, own, board_of(ground, everyone, zone=zone, now=now()))


def note_reader(night_id: int) -> None:
    """Write down that the account looks at a night, once an hour; raises UnknownNightError."""
    me, at, key = account(), now(), (account().id, night_id)
    # the desk asks every few seconds, and the log is long: what is known here needs no look into it
    noted: dict[tuple[int, int], datetime] = current_app.extensions.setdefault("lamplight.desk_readers", {})
    if key in noted and at < noted[key] + NIGHT_ONCE_IN:
        return
    note_night(own_store(), night(own_store(), night_id).id, account_id=me.id, area_code=me.area_code, now=at)
    noted[key] = at


def grounds() -> Grounds:
    """Return the nights in memory."""
    found: Grounds = current_app.extensions["lamplight.desk"]
    return found


def tried(desk: Desk, action: str, given: Mapping[str, str]) -> Trial:
    """Return what a change would make of the night.

    action : of TRIED. given : what it is about, as a form has it: move, assign (duty, to), remove (duty),
    swap (a, b), ill (crew), replan nothing. Raises QuestionError, UnknownNightError.
    """
    board = desk.board
    if action == "move":
        trial = board.move(_seen(desk, given.get("duty", "")), own_crew(desk, given.get("to", "")))
    elif action == "assign":
        trial = board.assign(_seen(desk, given.get("duty", "")), own_crew(desk, given.get("to", "")))
    elif action == "remove":
        trial = board.remove(_seen(desk, given.get("duty", "")))
    elif action == "swap":
        trial = board.swap(own_crew(desk, given.get("a", "")), own_crew(desk, given.get("b", "")))
    elif action == "ill":
        trial = board.mark_ill(own_crew(desk, given.get("crew", "")), board.now_s or 0.0)
    elif action == "replan":
        trial = _replanned(desk)
    else:
        raise QuestionError(f"没有这种改动：{action}", f"there is no change {action!r} to be tried")
    if not set(trial.touched) <= set(desk.own):
        raise QuestionError("这条街段由辖区外的编组负责", "a crew of another area walks this street")
    return trial


def done(desk: Desk, action: str, given: Mapping[str, str], *, version: int, confirmed: bool) -> PatrolNight:
    """Make a change and return the night as it is then.

    action : of TRIED, or lock, unlock (crew), persons (crew, persons), close, reopen, reason (crew, duty, reason),
    undo (number). version : as the page has it. confirmed : whether a limit may be broken.
    Raises NeedsConfirmingError, NightChangedError, NightRefusedError, UnknownNightError, QuestionError.
    """
    by, at, store, night_id = account(), now(), own_store(), desk.night.id
    if action in ("close", "reopen"):
        return (close if action == "close" else reopen)(store, night_id, by=by, now=at)
    if action == "undo":
        return undo(store, night_id, _number(given.get("number", "")), by=by, now=at)
    if action == "reason":
        said = (given.get("crew", ""), given.get("duty", ""), given.get("reason", ""))
        return give_reason(store, night_id, *said, by=by, now=at)
    version = min(version, desk.night.version)  # a page cannot have seen more than this board was made of
    if action in ("lock", "unlock", "persons"):
        fields = {"persons": given.get("persons", "")} if action == "persons" else {"locked": action == "lock"}
        return change(store, night_id, version, action, {given.get("crew", ""): fields}, by=by, now=at)
    trial = tried(desk, action, given)
    _require_possible(trial, confirmed)
    after: dict[str, dict[str, Any]] = {crew: {"route": route} for crew, route in trial.routes.items()}
    if action == "ill":
        after[given["crew"]]["ill_from"] = at
    said_of = {name: given[name] for name in ("duty", "to", "a", "b") if name in given}
    changed = change(store, night_id, version, action, after, by=by, now=at, said=said_of)
    return _alone(changed, by, at)


def _alone(changed: PatrolNight, by: Account, at: datetime) -> PatrolNight:
    """Take a change back that gave out a street which another area gave out in the same moment."""
    if twice_in_routes(whole_store(), changed.id, changed.version):  # own_store() does not see the other area's route
        undo(own_store(), changed.id, changed.version, by=by, now=at)
        raise NightRefusedError(
            "这条街段刚由相邻辖区派出，未改动", "the area next door has just given this street out: nothing was changed"
        )
    return changed


def _require_possible(trial: Trial, confirmed: bool) -> None:
    hard = [fault.note for fault in trial.faults if fault.hard]
    if hard:
        raise NightRefusedError("；".join(note.zh for note in hard), "; ".join(note.en for note in hard))
    if not trial.routes:
        raise NightRefusedError("没有可改动的路线", "there is nothing to change")
    if trial.needs_confirming and not confirmed:
        zh = "；".join(f"{fault.crew} {fault.note.zh}" for fault in trial.faults)
        en = "; ".join(f"{fault.crew} {fault.note.en}" for fault in trial.faults)
        raise NeedsConfirmingError(trial, f"需确认：{zh}", f"to be confirmed: {en}")


def _replanned(desk: Desk) -> Trial:
    """Share out what those who are ill have left, or else everything open in the account's area."""
    board, ground = desk.board, desk.board.ground
    open_ = board.open_stops()
    left = {
        stop
        for one in changes_since(own_store(), desk.night.id, 0)
        if one.action == "ill"
        for crew, fields in one.before.items()
        for stop in set(fields.get("route", ())) - set(one.after[crew].get("route", ()))
    }
    scope = own_area()
    wanted: list[Stop] = [stop for stop in open_ if stop in left]
    if not wanted:
        wanted = [stop for stop in open_ if scope.holds(str(ground.area[ground.services[stop]]))]
    held = [crew for crew in board.lines if crew not in desk.own]
    return replan(board, wanted, held, watch_replan())


def own_crew(desk: Desk, crew: str) -> str:
    """Return a crew of the account's area; raises UnknownNightError."""
    if crew not in desk.own:
        raise UnknownNightError(f"没有编组 {crew}，或不在您的辖区内", f"there is no crew {crew}, or not in your area")
    return crew


def _seen(desk: Desk, duty: str) -> str:
    """Return a duty that lies in the account's area or is walked by a crew of it; raises UnknownNightError."""
    ground, scope = desk.board.ground, own_area()
    for stop in ground.stops(duty):
        if scope.holds(str(ground.area[ground.services[stop]])) or desk.board.holder(stop) in desk.own:
            return duty
    raise UnknownNightError(f"没有任务 {duty}，或不在您的辖区内", f"there is no duty {duty}, or not in your area")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise QuestionError(f"编号无效：{text}", f"not a number: {text!r}")
    return int(text)
