"""Tonight: to the night that is open, or how to make one, out of a plan there is or one that is asked for."""

import datetime as dt
from dataclasses import dataclass

from flask import Blueprint, Flask, make_response, redirect, render_template, request, url_for

from gis.errors import LamplightError
from layers.job_rows import Job
from layers.jobs import JOB_STATES, OPEN, ask_job, jobs
from layers.night_records import PatrolNight
from layers.nights import nights, open_night, routes
from layers.run import Run
from planner.patrol.question import PatrolQuestion
from web.server import staff_frame
from web.server.access import account, needs, own_store, public_city
from web.server.city import now
from web.server.language import _, said
from web.server.point_words import date_words
from web.server.sign_in import Answer

#: Until this hour of the morning it is still the night before.
MORNING = dt.timedelta(hours=6)
#: How far from today the nearest night is looked for, in days.
NEAR_DAYS = 400
#: How long a search may take, in seconds, as the form offers it.
SEARCHES = (10, 60, 300)
AGAIN_S = 3

pages = Blueprint("tonight", __name__, url_prefix="/staff/tonight")
staff_frame.dress(pages)


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan of the night that can be opened; made : when, and how many crews go out."""

    run: Run
    made: str
    crews: int


@pages.get("")
@needs("direct_patrol")
def find() -> Answer:
    """Go to the night of the date asked for, else of today, else to the nearest there is; or say how to make one."""
    asked = _day(request.args.get("date", ""))
    today = evening()
    found = _widest(nights(own_store(), asked or today, asked or today))
    if found is None and asked is None:
        found = _nearest(today)
    if found is not None:
        return redirect(url_for("desk.one", night_id=found.id), 303)
    return _page(asked or today)


@pages.post("/plan")
@needs("direct_patrol")
def plan() -> Answer:
    """Ask for a plan of a night in one's own area."""
    given, me = request.form, account()
    on = _day(given.get("date", "")) or evening()
    seconds = given.get("seconds", SEARCHES[1], type=int)
    try:
        question = PatrolQuestion(on, within=(me.area_code,), seconds=seconds if seconds in SEARCHES else SEARCHES[1])
        ask_job(own_store(), "patrol", question.parameters, by=me, now=now())
    except LamplightError as error:
        return _page(on, error)
    return redirect(url_for("tonight.find", date=on.isoformat()), 303)


@pages.post("/open")
@needs("direct_patrol")
def begin() -> Answer:
    """Open a night out of a plan."""
    on = _day(request.form.get("date", "")) or evening()
    try:
        made = open_night(own_store(), request.form.get("run", ""), on, by=account(), now=now())
    except LamplightError as error:
        return _page(on, error)
    return redirect(url_for("desk.one", night_id=made.id), 303)


def _page(on: dt.date, error: LamplightError | None = None) -> Answer:
    """Return the page of a date that has no night yet."""
    asked = _asked(on)
    page = make_response(render_template(
        "staff/tonight.html", title=_("今晚巡查"), on=on, day=date_words(on), plans=_plans(on), asked=asked,
        states=JOB_STATES, searches=SEARCHES, around=_around(on), fault="" if error is None else said(error),
    ))  # fmt: skip
    if any(job.state in OPEN for job in asked):
        page.headers["Refresh"] = str(AGAIN_S)
    page.status_code = 200 if error is None else 422
    return page


def _plans(on: dt.date) -> list[PlanRow]:
    """Return the plans of a night that hold a crew of the own area, newest first."""
    found = []
    for run in own_store().runs("patrol"):
        first = dt.date.fromisoformat(str(run.parameters["date"])[:10])
        if not first <= on < first + dt.timedelta(days=int(str(run.parameters.get("days", 1)))):
            continue
        crews = own_store().run(run.id).tables["crews"]
        out = int(((crews["date"] == on.isoformat()) & (crews["services"] > 0)).sum())
        if out:
            found.append(PlanRow(run, staff_frame.when(_aware(run)), out))
    return found


def _aware(run: Run) -> dt.datetime | None:
    return None if run.created_at is None else run.created_at.replace(tzinfo=dt.UTC)


def _asked(on: dt.date) -> list[Job]:
    """Return the plans of a night that were asked for and are not there yet, or came to nothing."""
    found = jobs(own_store(), kinds=("patrol",), states=(*OPEN, "failed"))
    return [job for job in found if str(job.parameters.get("date", "")) == on.isoformat()][:3]


def _around(on: dt.date) -> list[tuple[str, PatrolNight]]:
    """Return the nights next to a date, before and after it, with their dates in words."""
    near = nights(own_store(), on - dt.timedelta(days=NEAR_DAYS), on + dt.timedelta(days=NEAR_DAYS))
    before = next((one for one in near if one.date < on), None)
    after = next((one for one in reversed(near) if one.date > on), None)
    return [(date_words(one.date), one) for one in (before, after) if one is not None]


def _nearest(today: dt.date) -> PatrolNight | None:
    near = nights(own_store(), today - dt.timedelta(days=NEAR_DAYS), today + dt.timedelta(days=NEAR_DAYS))
    closest = min((abs(one.date - today) for one in near), default=None)
    return _widest([one for one in near if abs(one.date - today) == closest])


def _widest(found: list[PatrolNight]) -> PatrolNight | None:
    """Return the night that has most routes of the own area; the newest of equals, open ones before closed ones."""
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=lambda one: (one.state == "open", len(routes(own_store(), one.id)), one.id))


def evening() -> dt.date:
    """Return the date on which the night that is meant now begins."""
    return (public_city().local(now()) - MORNING).date()


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def register(app: Flask) -> None:
    """Add the way to tonight to the application."""
    app.register_blueprint(pages)
