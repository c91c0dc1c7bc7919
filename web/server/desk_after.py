"""After the shift: what was planned against what was walked, and why streets were missed."""

from dataclasses import dataclass

from flask import Blueprint, Flask, redirect, render_template, request, url_for

from gis.errors import LamplightError
from layers.audit import note_tracks
from layers.jobs import OPEN, ask_job, jobs
from layers.night_records import NightRoute, UnknownNightError
from layers.nights import give_reason, missed_reasons, night
from layers.phone import Ticked, done_by_ticks, night_points
from layers.phone_events import REASONS
from planner.desk.board import Board
from planner.desk.ground import Stop
from planner.night_lines import duty_of
from web.patrol_words import COLOURS
from web.server import staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.desk_board import Desk, desk_of, done, own_crew
from web.server.desk_pages import WAIT_S
from web.server.desk_view import key_of, metres_of, share_of, stop_of, street
from web.server.errors import status_of
from web.server.language import _, said
from web.server.point_words import date_words
from web.server.sign_in import Answer

#: Of a night's long work: what holds its tracks against its plan.
TRACKS = "night-tracks"

pages = Blueprint("desk_after", __name__, url_prefix="/staff/nights")
staff_frame.dress(pages)


@dataclass(frozen=True, slots=True)
class MissedRow:
    """One street that was planned and not ticked off; reason : in words, "" where none is given."""

    key: str
    name: str
    side: str
    metres: int
    must: bool
    reason: str


@dataclass(frozen=True, slots=True)
class TrackRow:
    """What the tracks of a crew tell: how much of its planned metres was walked, in per cent, and metres besides."""

    share: int
    walked_m: float
    planned_m: float
    besides_m: float


@dataclass(frozen=True, slots=True)
class AfterRow:
    """One crew after the shift. share : of the metres planned, in per cent; asked : streets missed without a reason."""

    name: str
    colour: int
    persons: str
    ill: bool
    stops: int
    done: int
    share: int
    km: float
    done_km: float
    missed: tuple[MissedRow, ...]
    asked: int
    tracks: TrackRow | None


@pages.get("/<int:night_id>/after")
@needs("direct_patrol")
def after(night_id: int) -> Answer:
    """Hold a night's routes against what was walked."""
    return _page(night_id)


@pages.post("/<int:night_id>/reasons")
@needs("direct_patrol")
def give_reasons(night_id: int) -> Answer:
    """Write down why streets of one crew were missed: those chosen, or all that have no reason yet."""
    given, desk = request.form, desk_of(night_id)
    crew = own_crew(desk, given.get("crew", ""))
    code, note = given.get("reason", ""), given.get("note", "").strip()[:150]
    row = next(one for one in _rows(desk) if one.name == crew)
    open_ = {one.key for one in row.missed if not one.reason} if given.get("all") == "yes" else set()
    chosen = {one.key for one in row.missed} & (set(given.getlist("stop")) | open_)
    if code not in REASONS or not chosen:
        return _page(night_id, fault=_("请选择原因和至少一段街。"))
    try:
        for key in sorted(chosen):
            duty, side = stop_of(key)
            give_reason(own_store(), night_id, crew, duty, f"{code} {note}".strip(), by=account(), now=now(), side=side)
    except LamplightError as error:
        return _page(night_id, fault=said(error), status=status_of(error))
    return redirect(url_for("desk_after.after", night_id=night_id, crew=crew) + f"#crew-{crew}", 303)


@pages.post("/<int:night_id>/tracks")
@needs("direct_patrol")
def match_tracks(night_id: int) -> Answer:
    """Ask that the tracks phones sent be held against the plan."""
    night(own_store(), night_id)  # one that is not there is told so
    try:
        ask_job(own_store(), TRACKS, {"night": night_id}, by=account(), now=now())
    except LamplightError as error:
        return _page(night_id, fault=said(error), status=status_of(error))
    return redirect(url_for("desk_after.after", night_id=night_id), 303)


@pages.post("/<int:night_id>/close")
@needs("direct_patrol")
def close(night_id: int) -> Answer:
    """Close a night, or open it again: "action" of the form says which."""
    action, desk = request.form.get("action", ""), desk_of(night_id)
    try:
        done(desk, "close" if action == "close" else "reopen", {}, version=0, confirmed=True)
    except UnknownNightError:
        raise
    except LamplightError as error:
        return _page(night_id, fault=said(error), status=status_of(error))
    return redirect(url_for("desk_after.after", night_id=night_id), 303)


def _page(night_id: int, *, fault: str = "", status: int = 422) -> Answer:
    desk = desk_of(night_id, wait_s=WAIT_S)
    rows = _rows(desk)
    if any(one.tracks for one in rows):
        me = account()
        note_tracks(own_store(), night_id, account_id=me.id, area_code=me.area_code, now=now())
    running = [
        job
        for job in jobs(own_store(), kinds=(TRACKS,), states=OPEN)
        if str(job.parameters.get("night")) == str(night_id)
    ]
    page = render_template(
        "staff/desk_after.html", title=_("班后核对"), night=desk.night, day=date_words(desk.night.date), rows=rows,
        reasons=REASONS, fault=fault, opened=request.values.get("crew", ""), stops=sum(one.stops for one in rows),
        done=sum(one.done for one in rows), asked=sum(one.asked for one in rows), km=sum(one.km for one in rows),
        share=share_of(sum(one.done_km for one in rows), sum(one.km for one in rows)),
        tracked=any(one.tracks for one in rows), running=running, sent=len(night_points(own_store(), night_id)),
    )  # fmt: skip
    return (page, status) if fault else page


def _rows(desk: Desk) -> list[AfterRow]:
    store = own_store()
    ticked = done_by_ticks(store, desk.night.id)
    reasons, tracks = missed_reasons(store, desk.night.id), _tracks(desk)
    finished = {(one.duty, one.side) for one in ticked if one.state == "done"}
    cannot = {(one.duty, one.side): one for one in ticked if one.state == "cannot"}
    return [_row(desk.board, desk.own[crew], finished, cannot, reasons, tracks.get(crew)) for crew in sorted(desk.own)]


def _row(
    board: Board, route: NightRoute, finished: set[Stop], cannot: dict[Stop, Ticked],
    reasons: dict[tuple[str, str], str], tracks: TrackRow | None,
) -> AfterRow:  # fmt: skip
    metres = {stop: metres_of(board, stop) for stop in route.route}
    missed = []
    for stop in route.route:
        if stop in finished:
            continue
        given = reasons.get((route.crew, stop[0]), "")
        told = cannot.get(stop)
        by_phone = f"{told.reason} {told.note}".strip() if told else ""
        must = bool(board.ground.night.duties.must[duty_of(board.ground, stop)])
        missed.append(
            MissedRow(
                key_of(stop), street(board, stop), stop[1], round(metres[stop]), must, reason_words(given or by_phone)
            )
        )
    walked = sum(metres[stop] for stop in route.route if stop in finished)
    return AfterRow(
        route.crew, board.ground.crew(route.crew) % len(COLOURS), route.persons, route.ill_from is not None,
        len(route.route), len(route.route) - len(missed), share_of(walked, sum(metres.values())),
        sum(metres.values()) / 1000, walked / 1000, tuple(sorted(missed, key=lambda one: not one.must)),
        sum(not one.reason for one in missed), tracks,
    )  # fmt: skip


def reason_words(text: str) -> str:
    """Return a reason as kept, "gate behind the school", in the reader's language."""
    code, _between, note = text.partition(" ")
    if code not in REASONS:
        return text
    return f"{said(REASONS[code])}{_('：') if note else ''}{note}"


def _tracks(desk: Desk) -> dict[str, TrackRow]:
    """Return what the newest matching of the night's tracks tells of each crew; nothing where there is none."""
    kept = [run for run in own_store().runs("tracks") if str(run.parameters.get("night", "")) == str(desk.night.id)]
    if not kept:
        return {}
    table = own_store().run(kept[0].id).tables["done"]
    columns = ("crew", "walked_share", "walked_m", "planned_m", "unplanned_m")
    figures = zip(*(table[name] for name in columns), strict=True)
    return {
        str(crew): TrackRow(round(100 * float(share)), float(walked_m), float(planned_m), float(besides_m))
        for crew, share, walked_m, planned_m, besides_m in figures
        if crew in desk.own and planned_m > 0
    }


def register(app: Flask) -> None:
    """Add what comes after the shift to the application."""
    app.register_blueprint(pages)
