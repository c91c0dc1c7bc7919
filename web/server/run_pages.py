"""Runs: which there are, starting one, reading what came out, comparing two, and taking one into a scenario."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Flask, Response, abort, json, redirect, render_template, request, url_for

from gis.errors import LamplightError, QuestionError, RecordError
from layers.accounts import Account
from layers.codes import Level, level_of
from layers.jobs import JOB_KINDS, ask_job
from layers.moments import aware
from layers.roles import NotAllowedError, require
from layers.run import Run
from layers.scenarios import from_siting
from planner.coverage_question import CoverageQuestion
from web.server import run_files, run_forms, staff_frame
from web.server.access import account, needs, own_store, public_city, whole_store
from web.server.city import now
from web.server.downloads import download
from web.server.errors import status_of
from web.server.language import _, language, said
from web.server.public_pages import map_says
from web.server.run_maps import DRAWN, map_of, own_row
from web.server.run_tables import compared, tables_of
from web.server.run_words import KINDS, goodness_of, plan_facts, question_of, remark, result_of, tier_words
from web.server.sign_in import Answer

#: Runs of a kind shown until more are asked for.
A_KIND = 8
#: Kinds that can be started here, with what the link to the form says.
STARTED = {
    "siting": "选址", "patrol": "巡查一周", "hotspot-map": "热点图", "hotspot-forecast": "下周预测",
    "hotspot-backtest": "预测回测",
}  # fmt: skip
#: More areas than this are no list to choose from: then communities are left out.
MOST_AREAS = 400

pages = Blueprint("runs", __name__, url_prefix="/staff/runs")
staff_frame.dress(pages)
pages.context_processor(lambda: {"aware": aware})


@pages.get("")
@needs("read_results")
def listing() -> Answer:
    """List the runs kept, by kind, newest first."""
    chosen = request.args.get("kind", "")
    if chosen and chosen not in KINDS:
        abort(404)
    names, kept = staff_frame.area_names(), own_store().runs()
    groups = []
    for kind, words in KINDS.items():
        own = [run for run in kept if run.kind == kind]
        if own and chosen in ("", kind):
            shown = own if chosen else own[:A_KIND]
            rows = [(run, said(question_of(run, names))) for run in shown]
            groups.append({"kind": kind, "words": said(words), "rows": rows, "count": len(own)})
    present = {run.kind for run in kept}
    return render_template(
        "staff/runs.html", title=_("分析结果"), groups=groups, chosen=chosen, start=_may_start(),
        kinds={kind: said(words) for kind, words in KINDS.items() if kind in present}, a_kind=A_KIND,
    )  # fmt: skip


@pages.route("/new/<kind>", methods=["GET", "POST"])
@needs("plan_city")
def new(kind: str) -> Answer:
    """Ask for what a run needs, and start it."""
    if kind not in STARTED:
        abort(404)
    return _asked(kind)


@pages.route("/patrol/new", methods=["GET", "POST"])
@needs("direct_patrol")
def new_patrol() -> Answer:
    """Ask for what a patrol's plan needs, and start it."""
    return _asked("patrol")


@pages.post("/measure")
@needs("plan_city")
def measure() -> Answer:
    """Measure the coverage of the records as they are now."""
    return _start("coverage", CoverageQuestion().parameters)


@pages.get("/compare")
@needs("read_results")
def compare() -> Answer:
    """Show two siting runs side by side."""
    kept = own_store().runs("siting")
    known = [run.id for run in kept]
    wanted = [request.args.get(name, "") for name in ("a", "b")]
    if any(one and one not in known for one in wanted):
        abort(404)
    both = [own_store().run(one) for one in wanted] if all(wanted) else []
    names = staff_frame.area_names()
    questions = {run.id: f"{staff_frame.when(_at(run))} {said(question_of(run, names))}" for run in kept}
    return render_template(
        "staff/run_compare.html", title=_("比较两个选址方案"), questions=questions, wanted=wanted,
        table=compared(*both) if both else None, both=both,
        proofs=[said(goodness_of(run)) for run in both],
    )  # fmt: skip


@pages.get("/<run_id>")
@needs("read_results")
def one(run_id: str) -> Answer:
    """Show what came out of a run."""
    return _page(_run(run_id))


@pages.get("/<run_id>/map.geojson")
@needs("read_results")
def shapes(run_id: str) -> Response:
    """Give what the live map of a run draws."""
    run, level = _run(run_id), request.args.get("level") or None
    if run.kind not in DRAWN or (level is not None and level not in levels_of(run)):
        abort(404)
    drawn = map_of(own_store(), run, streets=whole_store(), level=level)  # a route's streets are everybody's
    return Response(json.dumps(drawn, ensure_ascii=False), mimetype="application/geo+json")


@pages.get("/<run_id>/files/<name>")
@needs("read_results")
def file(run_id: str, name: str) -> Response:
    """Give a run as a file; to be kept, for some hold scripts that no page of this server may run."""
    run = _run(run_id)
    try:
        data, called = run_files.write_file(own_store(), run, name, streets=whole_store())  # as for the map
    except KeyError:
        abort(404)
    return download(data, "application/octet-stream", f"{run.id}-{called}")


@pages.post("/<run_id>/scenario")
@needs("plan_city")
def accept(run_id: str) -> Answer:
    """Take the sites of a run into a new scenario."""
    run, name = _run(run_id), request.form.get("name", "").strip()
    try:
        made = from_siting(own_store(), run, name, by=account(), now=now())
    except LamplightError as error:
        return _page(run, error)
    return redirect(url_for("scenarios.one", scenario_id=made.id), 303)


def _run(run_id: str) -> Run:
    """Return a run by its whole id, as far as the account's area reaches."""
    found = own_store().run(run_id)
    if found.id != run_id or found.kind not in KINDS:
        abort(404)
    return for_reader(found, account())


def for_reader(run: Run, reader: Account) -> Run:
    """Return a run without what the reader's role may not know: who walks when.

    Raises NotAllowedError on a route that leads to reports, for whoever may not see where they came from.
    """
    if run.kind != "patrol":
        return run
    if run.parameters.get("reports"):
        require(reader.role, "read_history")
    if reader.may("read_roster"):
        return run
    return replace(run, tables={**run.tables, "crews": run.tables["crews"].assign(persons="")})


def _page(run: Run, error: LamplightError | None = None) -> Answer:
    names = staff_frame.area_names()
    level = request.args.get("level", "")
    levels = levels_of(run)
    if level and level not in levels:
        abort(404)
    page = render_template(
        "staff/run.html", title=said(KINDS[run.kind]), run=run, at=_at(run), question=said(question_of(run, names)),
        result=[said(words) for words in result_of(run, own_row(run, account().area_code))],
        goodness=said(goodness_of(run)), facts=_facts(run),
        tables=tables_of(own_store(), run, level or usual_level(run)),
        levels={word: said(tier_words(word)) for word in levels}, level=level or usual_level(run),
        files=run_files.files_of(run), whole=run_files.is_whole(run), drawn=run.kind in DRAWN, map_says=map_says(),
        notes=[remark(row[language()]) for row in run.tables["notes"].to_dict("records")],
        story=_story(run), inputs=_inputs(run), fault="" if error is None else said(error),
        others=[other.id for other in own_store().runs("siting") if other.id != run.id][:1],
        name=request.form.get("name", ""),
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _facts(run: Run) -> list[tuple[str, str]]:
    return [(said(words), value) for words, value in plan_facts(run)] if run.kind == "siting" else []


def _story(run: Run) -> list[str]:
    story = run.tables.get("story")
    return [] if story is None else [row[language()] for row in story.to_dict("records")]


def _inputs(run: Run) -> list[tuple[str, str, str]]:
    """Return the records a run read: what they are, their file, when they came; "" for those pruned since."""
    kept = {("/".join(filter(None, (v.layer, v.part))), v.content_sha256): v for v in own_store().versions()}
    rows = []
    for name, content in run.inputs.items():
        version = kept.get((name, content))
        told = ("", "") if version is None else (version.source, staff_frame.when(aware(version.created_at)))
        rows.append((name if version is None else f"{name} #{version.id}", *told))
    return rows


def levels_of(run: Run) -> list[str]:
    """Return the tiers a run has areas of, the coarsest first."""
    areas = run.tables.get("areas")
    found = set() if areas is None else set(areas["level"].astype(str))
    return [word for word in ("city", "district", "subdistrict", "community") if word in found]


def usual_level(run: Run) -> str:
    """Return the tier to show when nobody says which; "" where a run has no areas."""
    levels = levels_of(run)
    return "subdistrict" if "subdistrict" in levels else (levels[-1] if levels else "")


def _at(run: Run) -> Any:
    return None if run.created_at is None else aware(run.created_at)


# starting


def _may_start() -> dict[str, str]:
    """Return the forms an account may open: address -> words."""
    me = account()
    if me.may("plan_city"):
        return {url_for("runs.new", kind=kind): _(words) for kind, words in STARTED.items()}
    return {url_for("runs.new_patrol"): _(STARTED["patrol"])} if me.may("direct_patrol") else {}


def _asked(kind: str) -> Answer:
    problem = request.values.get("problem", "mclp")
    if problem not in run_forms.PROBLEMS:
        abort(404)
    form = _form(kind, problem)
    if request.method == "GET":
        return _form_page(form, problem)
    try:
        question = form.question(request.form)
        return _start(form.kind, question.parameters)
    except NotAllowedError:
        raise
    except (QuestionError, RecordError) as error:
        return _form_page(form, problem, error)


def _form(kind: str, problem: str) -> run_forms.RunForm:
    areas = areas_to_ask()
    if kind == "siting":
        return run_forms.siting_form(problem, areas)
    if kind == "patrol":
        return run_forms.patrol_form(public_city().local(now()).date(), areas)
    forms = {
        "hotspot-map": run_forms.map_form, "hotspot-forecast": run_forms.forecast_form,
        "hotspot-backtest": run_forms.backtest_form,
    }  # fmt: skip
    return forms[kind](areas)


def areas_to_ask() -> dict[str, str]:
    """Return the areas an account may ask about, code -> name: the whole of its own first, "" for the whole city."""
    own, scope = account().area_code, own_store().scope
    inside = {code: name for code, name in staff_frame.area_names().items() if scope is None or scope.holds(code)}
    if len(inside) > MOST_AREAS:
        inside = {code: name for code, name in inside.items() if level_of(code) is not Level.COMMUNITY}
    whole = level_of(own) is Level.CITY
    first = {"" if whole else own: _("全市") if whole else staff_frame.area_name(own)}
    return {**first, **{code: staff_frame.area_name(code) for code in inside if code not in (own, first)}}


def _form_page(form: run_forms.RunForm, problem: str, error: LamplightError | None = None) -> Answer:
    given = request.form if request.method == "POST" else None
    page = render_template(
        "staff/run_new.html", title=_(form.title), form=form, problem=problem, given=given,
        problems=run_forms.PROBLEMS if form.kind == "siting" else {}, fault="" if error is None else said(error),
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _start(kind: str, parameters: Mapping[str, Any]) -> Answer:
    asked = ask_job(own_store(), kind, parameters, by=account(), now=now())
    return redirect(url_for("jobs.one", job_id=asked.id), 303)


def register(app: Flask) -> None:
    """Add the pages of runs to the application."""
    assert set(STARTED) <= set(JOB_KINDS)
    app.register_blueprint(pages)
