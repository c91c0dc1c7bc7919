"""The week of patrols: which streets were walked as often as they ask for, and which were missed."""

import datetime as dt
import math

from flask import Blueprint, Flask, render_template, request

from layers.nights import nights, routes
from layers.phone import done_by_ticks
from planner.patrol_week import DAYS, WalkedNight, street_weeks, week_calendar
from web.server import staff_frame
from web.server.access import needs, own_area, own_store, whole_store
from web.server.desk_board import desk_of
from web.server.desk_pages import WAIT_S
from web.server.desk_tonight import evening
from web.server.language import _
from web.server.point_words import date_words, weekday_words
from web.server.sign_in import Answer

#: Streets on one page; nights to come that are looked at.
PAGE, AHEAD_DAYS = 50, 7

pages = Blueprint("desk_week", __name__, url_prefix="/staff/week")
staff_frame.dress(pages)


@pages.get("")
@needs("direct_patrol")
def week() -> Answer:
    """Show the streets of one's own area over the last seven days and the nights planned."""
    today = _until(request.args.get("until", ""))
    first = today - dt.timedelta(days=DAYS - 1)
    kept = sorted(nights(own_store(), first, today + dt.timedelta(days=AHEAD_DAYS)), key=lambda one: (one.date, one.id))
    if not kept:
        earlier = nights(own_store(), today - dt.timedelta(days=400), today)
        return render_template(
            "staff/desk_week.html", title=_("一周巡查"), streets=[], today=today, heads=[], nights=0,
            earlier=earlier[:1], date_words=date_words,
        )  # fmt: skip
    desk = desk_of(kept[-1].id, wait_s=WAIT_S)
    within = tuple(map(str, whole_store().run(desk.night.run_id).parameters["within"]))  # of the plan, nobody's secret
    calendar = week_calendar(desk.board.ground, within)
    found = street_weeks(calendar, own_area(), _walked(first, today), today)
    missed = [one for one in found if one.missed]
    asked = request.args.get("street", "").strip()[:40]
    shown = [
        one
        for one in (missed if request.args.get("show") == "missed" else found)
        if asked.casefold() in (one.name or _("无名路")).casefold()
    ]
    pages_, page = max(1, math.ceil(len(shown) / PAGE)), request.args.get("page", 1, type=int) or 1
    page = min(max(page, 1), pages_)
    heads = [(date, f"{weekday_words()[date.weekday()]} {date.day}") for date in sorted({one.date for one in kept})]
    return render_template(
        "staff/desk_week.html", title=_("一周巡查"), streets=shown[(page - 1) * PAGE : page * PAGE], page=page,
        pages=pages_, total=len(found), missed=len(missed), kept=len(found) - len(missed), query=asked,
        show=request.args.get("show", ""), heads=heads, today=today, nights=len(kept), tonight=kept[-1], first=first,
        due=sum(one.due for one in found), walked=sum(one.walked for one in found), date_words=date_words,
        planned=sum(one.planned for one in found),
    )  # fmt: skip


def _walked(first: dt.date, today: dt.date) -> list[WalkedNight]:
    """Return what is known of the nights, those of one date together."""
    # a street of this area may be walked by another area's crew: of those only that it was is shown
    store = whole_store()
    by_date: dict[dt.date, tuple[set[str], set[str]]] = {}
    for one in nights(store, first, today + dt.timedelta(days=AHEAD_DAYS)):
        planned, done = by_date.setdefault(one.date, (set(), set()))
        planned |= {stop[0] for route in routes(store, one.id) for stop in route.route}
        done |= {tick.duty for tick in done_by_ticks(store, one.id) if tick.state == "done"}
    return [
        WalkedNight(date, frozenset(planned), frozenset(done), date < evening())
        for date, (planned, done) in by_date.items()
    ]


def _until(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return evening()


def register(app: Flask) -> None:
    """Add the week to the application."""
    app.register_blueprint(pages)
