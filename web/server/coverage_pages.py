"""Coverage by tier, function and hour of the week: a map, a table and files, from the runs that are kept."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    json,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)

from gis.errors import StoreError
from gis.file_writing import csv_bytes
from layers.hours import HourOfWeek, OpeningHours
from layers.job_rows import Job
from layers.jobs import OPEN, ask_job, jobs
from layers.run import Run
from layers.scenario_content import entries_from
from layers.scenarios import content_of, points_before, points_inside, scenario
from planner.coverage_question import CoverageQuestion
from planner.runs import kept_coverage
from planner.scenarios.runs import WhatIf
from web.coverage_files import coverage_drawing
from web.drawing import FUNCTION_NAMES, LEVEL_NAMES, MODE_NAMES
from web.server import coverage_maps, staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.coverage_asked import THRESHOLDS_S, Asked, asked
from web.server.coverage_figures import (
    area_rows,
    classes,
    gaps_of,
    has_hours,
    hours_for_script,
    level_of_view,
    levels_of,
    measure_of,
    sums,
)
from web.server.downloads import download
from web.server.language import _, language, said
from web.server.own_address import own_address
from web.server.public_pages import map_says
from web.server.sign_in import Answer
from web.tables import coverage_package, coverage_workbook

#: Rows of the table before "show all".
ROWS = 60
KINDS: dict[str, tuple[str, Callable[[Any, Path], None] | None]] = {
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", coverage_workbook),
    "gpkg": ("application/geopackage+sqlite3", coverage_package),
    "csv": ("text/csv", None),
}

pages = Blueprint("coverage", __name__, url_prefix="/staff/coverage")
staff_frame.dress(pages)


def dress(group: Blueprint) -> None:
    """Give the templates of a group of pages the words of coverage."""

    @group.context_processor
    def words() -> dict[str, Any]:
        return {
            "level_names": _said(LEVEL_NAMES), "mode_names": _said(MODE_NAMES), "function_names": _said(FUNCTION_NAMES),
            "hour_label": hour_label, "classes": classes, "thresholds": [t // 60 for t in THRESHOLDS_S],
            "percent": percent, "map_says": map_says, "hours_said": hours_said,
        }  # fmt: skip


dress(pages)


@pages.get("")
@needs("read_results")
def view() -> Answer:
    """Show coverage as it is asked for, from the run that is kept; where there is none, offer to compute it."""
    view_, number = asked(), _scenario_asked()
    question = view_.question(own_store(), number)
    run, fresh = kept(question)
    shown: dict[str, Any] = {}
    if run is not None:
        rows = area_rows(run, view_)
        levels, level = levels_of(run), level_of_view(run, view_)
        longest, at_hour = _gaps(run, fresh, view_, number)
        shown = {
            "rows": rows if view_.everything else rows.head(ROWS), "total": len(rows), "sums": sums(rows),
            "levels": levels, "level": level, "measure": measure_of(run, view_), "has_hours": has_hours(run),
            "gaps": longest, "gaps_at_hour": at_hour, "notes": run.tables["notes"].to_dict("records"),
        }  # fmt: skip
    return render_template(
        "staff/coverage.html", title=_("覆盖"), asked=view_, run=run, fresh=fresh, job=job_for(question),
        scenario=None if number is None else scenario(own_store(), number), address=_address(view_, number), **shown,
    )  # fmt: skip


@pages.post("/ask")
@needs("plan_city")
def ask() -> Answer:
    """Ask the runner for coverage, of the live city or of a scenario, unless it is there or on its way."""
    view_, number = asked(request.form), request.form.get("scenario", type=int)
    ask_job(own_store(), "coverage", view_.question(own_store(), number).parameters, by=account(), now=now())
    back = own_address(request.form.get("back", ""))
    return redirect(back or url_for("coverage.view", **_address(view_, number)), 303)


@pages.get("/areas.geojson")
@needs("read_results")
def areas() -> Response:
    """Give the borders of one tier inside the reader's area."""
    return jsonify(coverage_maps.areas(own_store(), asked().level or "subdistrict"))


@pages.get("/hours.json")
@needs("read_results")
def hours() -> Response:
    """Give what each area has covered at each hour of the week."""
    view_ = asked()
    run, _fresh = kept(view_.question(own_store(), _scenario_asked()))
    return jsonify({} if run is None else hours_for_script(run, view_))


@pages.get("/gaps.geojson")
@needs("read_results")
def gaps() -> Response:
    """Give the streets of one area's longest gaps."""
    view_, number = asked(), _scenario_asked()
    run, fresh = kept(view_.question(own_store(), number))
    return jsonify(coverage_maps.gaps(own_store(), [] if run is None else _gaps(run, fresh, view_, number)[0]))


@pages.get("/points.geojson")
@needs("read_results")
def points() -> Response:
    """Give the points inside the reader's area, as a scenario leaves them where one is named."""
    store, number = own_store(), _scenario_asked()
    if number is None:
        return jsonify(
            coverage_maps.points_collection(coverage_maps.points(points_inside(store, account().area_code), []))
        )
    entries = entries_from(content_of(store, number))
    return jsonify(coverage_maps.points_collection(coverage_maps.points(points_before(store, number), entries)))


@pages.get("/file")
@needs("read_results")
def file() -> Answer:
    """Give the run shown as a workbook, a GeoPackage, or its table as CSV."""
    view_, kind = asked(), request.args.get("kind", "csv")
    run, _fresh = kept(view_.question(own_store(), _scenario_asked()))
    if kind not in KINDS:
        abort(404)
    if run is None:
        return redirect(url_for("coverage.view", **_address(view_, _scenario_asked())), 303)
    media_type, write = KINDS[kind]
    if write is None:
        rows = area_rows(run, view_).drop(columns="grade")
        data = csv_bytes(rows)
    else:
        data = written(
            write, coverage_drawing(own_store(), run, level=level_of_view(run, view_) or None), f"coverage.{kind}"
        )
    return download(data, media_type, f"lamplight-coverage-{run.id}.{kind}")


def kept(question: CoverageQuestion) -> tuple[Run | None, bool]:
    """Return the kept run of a question as the reader may see it, and whether it is of today's records."""
    try:
        return kept_coverage(own_store(), question)
    except StoreError:  # no streets yet: nothing can have been computed
        return None, False


def job_for(question: CoverageQuestion) -> Job | None:
    """Return the newest job that asks a question, if it waits, runs or failed."""
    wanted = json.loads(json.dumps(question.parameters))
    found = next((j for j in jobs(own_store(), kinds=("coverage",)) if dict(j.parameters) == wanted), None)
    return found if found is not None and found.state in (*OPEN, "failed") else None


def _gaps(run: Run, fresh: bool, view_: Asked, number: int | None) -> tuple[list[dict[str, Any]], bool]:
    """Return the longest gaps of the area asked about, and whether they are those of the hour asked about.

    A run lists gaps with opening hours left aside; those of an hour are measured at once, of the records as they are,
    and so only beside a run of these records.
    """
    if not (fresh and has_hours(run) and view_.hour is not None and (run.tables["areas"]["code"] == view_.area).any()):
        return gaps_of(run.tables["gaps"], view_.area), False
    what_if: WhatIf = current_app.extensions["lamplight.what_if"]
    question = replace(view_.question(own_store(), number), at=view_.moment)
    return gaps_of(what_if.gaps(question, view_.area), view_.area), True


def hour_label(hour: int) -> str:
    """Return an hour of the week in words: 周三 14:00, Wed 14:00."""
    return HourOfWeek(hour // 24, hour % 24 * 60).label(language())


def hours_said(text: str) -> str:
    """Return recorded opening hours in the reader's language."""
    return OpeningHours.parse(text).label(language())


def percent(share: float) -> str:
    """Write a share as a percentage, a dash for none."""
    return "—" if share != share else f"{share * 100:.1f} %"


def written(write: Callable[[Any, Path], None], what: Any, name: str) -> bytes:
    """Return the bytes of the file a writer makes."""
    with tempfile.TemporaryDirectory(prefix="lamplight-") as folder:
        path = Path(folder) / name
        write(what, path)
        return path.read_bytes()


def _scenario_asked() -> int | None:
    return request.args.get("scenario", type=int)


def _address(view_: Asked, number: int | None) -> dict[str, Any]:
    return view_.in_address(**({} if number is None else {"scenario": number}))


def _said(names: Any) -> dict[str, str]:
    return {word: said(pair) for word, pair in names.items()}


def register(app: Flask) -> None:
    """Add the pages of coverage to the application."""
    app.register_blueprint(pages)
