"""Long work as staff see it: the jobs of their area, and one job while it runs, with its log and its result."""

from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request, url_for

from gis.errors import LamplightError
from layers.job_rows import Job
from layers.jobs import JOB_KINDS, JOB_STATES, OPEN, cancel_job, job, job_lines, jobs, may_cancel
from layers.nights import night
from layers.roles import NotAllowedError, Words
from layers.run import Run
from layers.store import UnknownRunError
from planner.jobs.words import doing_words, step_words
from web.server import staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.language import _, said
from web.server.run_words import question_of
from web.server.sign_in import Answer

PAGE = 50
#: A gap this small between the best found and what is proven possible is none.
NO_GAP = 1e-6
#: Problems of siting that make what is reached as much as can be.
REACHING = ("mclp", "capacitated")

pages = Blueprint("jobs", __name__, url_prefix="/staff/jobs")
staff_frame.dress(pages)


@pages.get("")
@needs("read_results")
def listing() -> Answer:
    """List the jobs of one's own area and below, newest first."""
    state, before = request.args.get("state", ""), request.args.get("before", type=int)
    if state and state not in (*JOB_STATES, "open"):
        abort(404)
    states = OPEN if state == "open" else (state,) if state else ()
    found = jobs(own_store(), states=states, limit=PAGE + 1, before=before)
    rows = [(one, asked_words(one)) for one in found[:PAGE]]
    return render_template(
        "staff/jobs.html", title=_("分析任务"), rows=rows, more=len(found) > PAGE, kinds=JOB_KINDS, states=JOB_STATES,
        state=state,
    )  # fmt: skip


@pages.get("/<int:job_id>")
@needs("read_results")
def one(job_id: int) -> Answer:
    """Show one job."""
    return _page(job_id)


@pages.get("/<int:job_id>/state")
@needs("read_results")
def state(job_id: int) -> Response:
    """Give a script how one job stands: whether it is over, and what the page says of it."""
    found = job(own_store(), job_id)
    shown = render_template("staff/job_state.html", **_shown(found))
    return jsonify(state=found.state, over=found.state not in OPEN, html=shown)


@pages.post("/<int:job_id>/cancel")
@needs("read_results")
def cancel(job_id: int) -> Answer:
    """Ask for the end of a job."""
    try:
        cancel_job(own_store(), job_id, by=account(), now=now())
    except NotAllowedError as error:
        return _page(job_id, fault=said(error)), 409
    return redirect(url_for("jobs.one", job_id=job_id), 303)


def _page(job_id: int, fault: str = "") -> str:
    found = job(own_store(), job_id)
    title = f"{said(JOB_KINDS[found.kind])} #{found.id}" if found.kind in JOB_KINDS else f"#{found.id}"
    return render_template(
        "staff/job.html", title=title, asked=asked_words(found), fault=fault, result=_result(found),
        may_cancel=may_cancel(found, account()), over=found.state not in OPEN, **_shown(found),
    )  # fmt: skip


def _shown(found: Job) -> dict[str, Any]:
    """Return what a page says of a job that changes while it runs."""
    return {
        "job": found, "state_words": JOB_STATES[found.state], "figures": figures(found),
        "step": _step(found), "doing": said(doing_words(found.progress.doing)),
        "lines": job_lines(own_store(), found.id),
    }  # fmt: skip


def _step(found: Job) -> str:
    """Return which step is being done, of how many."""
    progress = found.progress
    if found.state == "queued":
        return _("等前面的任务完成后开始")
    if not progress.step or found.state != "running":
        return ""
    number = min(progress.steps_done + 1, progress.steps)
    return _("第 %(number)s 步，共 %(steps)s 步：%(words)s", number=number, steps=progress.steps,
             words=said(step_words(progress.step)))  # fmt: skip


def figures(found: Job) -> str:
    """Return in words the best found so far, and how much better anything could be; "" before there is any."""
    value, bound = found.progress.value, found.progress.bound
    if value is None:
        return ""
    if bound is None:
        return _("目前最好：%(value)s", value=_figure(value, found))
    gap = abs(bound - value) / abs(value) if value else 0.0 if bound == value else 1.0
    told = {"value": _figure(value, found), "bound": _figure(bound, found), "gap": f"{gap * 100:.2g}"}
    if gap <= NO_GAP:
        return _("目前最好：%(value)s，已证明没有更好的", **told)
    if bound > value:
        return _("目前最好：%(value)s；已证明最多 %(bound)s，至多还能好 %(gap)s %%", **told)
    return _("目前最好：%(value)s；已证明至少 %(bound)s，至多还能好 %(gap)s %%", **told)


def _figure(value: float, found: Job) -> str:
    """Write what is made as good as can be; people are said to be people."""
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    asked = found.parameters
    people = [kind for kind, _share in asked.get("demand", ())] == ["people"]
    return _("%(count)s 人", count=number) if people and asked.get("problem") in REACHING else number


def asked_words(found: Job) -> str:
    """Return what a job was asked, in a sentence; "" where its parameters are none that this software knows."""
    kind = "patrol" if found.kind == "replan" else found.kind
    try:
        if kind == "night-tracks":
            return str(night(own_store(), int(found.parameters["night"])).date)
        words: Words = question_of(Run(kind, dict(found.parameters), {}), staff_frame.area_names())
    except (LamplightError, LookupError, TypeError, ValueError):
        return ""
    return said(words)


def _result(found: Job) -> str:
    """Return the address of what came out; "" where nothing did, or it is no longer kept."""
    if found.run_id is None:
        return ""
    try:
        kept = own_store().run(found.run_id)
    except UnknownRunError:
        return ""
    if kept.kind == "tracks":
        return url_for("desk_after.after", night_id=int(kept.parameters["night"]))
    return url_for("runs.one", run_id=kept.id)


def register(app: Flask) -> None:
    """Add the jobs to the application."""
    app.register_blueprint(pages)
