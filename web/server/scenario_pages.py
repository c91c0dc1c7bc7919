"""Scenarios: making and changing them, what they would do at once, and two of them side by side."""

from typing import Any

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for

from gis.errors import LamplightError, RecordError
from layers.faults import FaultsError
from layers.records import FUNCTIONS
from layers.roles import Words
from layers.scenario_content import FIELDS, ScenarioChange, entries_from
from layers.scenarios import (
    archive_scenario,
    change_scenario,
    content_of,
    create_scenario,
    history,
    points_before,
    rename_scenario,
    scenario,
    scenarios,
    undo_change,
)
from planner.scenarios.runs import WhatIf
from web.server import coverage_maps, coverage_pages, staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.coverage_asked import Asked, asked
from web.server.errors import status_of
from web.server.language import _, said
from web.server.sign_in import Answer

#: What each kind of change is called, in forms and in the history.
ACTIONS = {
    "add": Words("新增点位", "add a point"), "move": Words("移动", "move"), "close": Words("关闭", "close"),
    "upgrade": Words("功能提升", "upgrade"), "hours": Words("改开放时间", "change the hours"),
    "undo": Words("撤销", "undo"), "rename": Words("改名", "rename"), "archive": Words("归档", "archive"),
    "reopen": Words("恢复", "take out again"),
}  # fmt: skip
#: What a scenario has made of a point.
STATES = {
    "added": Words("新增", "added"), "moved": Words("移动", "moved"), "changed": Words("改动", "changed"),
    "closed": Words("关闭", "closed"), "live": Words("现有", "as it is"),
}  # fmt: skip

pages = Blueprint("scenarios", __name__, url_prefix="/staff/scenarios")
staff_frame.dress(pages)
coverage_pages.dress(pages)


@pages.get("")
@needs("read_results")
def listing() -> Answer:
    """List the scenarios of one's own area and below, or those put away."""
    return _listing()


@pages.post("/new")
@needs("plan_city")
def new() -> Answer:
    """Make an empty scenario in one's own area."""
    given = request.form
    try:
        made = create_scenario(own_store(), given.get("name", ""), note=given.get("note", ""), by=account(), now=now())
    except FaultsError as error:
        return _listing(error)
    return redirect(url_for("scenarios.one", scenario_id=made.id), 303)


@pages.get("/<int:scenario_id>")
@needs("read_results")
def one(scenario_id: int) -> Answer:
    """Show one scenario: its points on the map, what it would do, its changes, and the forms to change it."""
    return _page(scenario_id)


@pages.post("/<int:scenario_id>/change")
@needs("plan_city")
def change(scenario_id: int) -> Answer:
    """Add, move, close or upgrade a point, or change its hours."""
    given = request.form
    fields: dict[str, Any] = {name: given.get(name, "") for name in ("lon", "lat", "name", "hours", "capacity")}
    fields["functions"] = given.getlist("functions")
    try:
        change_scenario(
            own_store(), scenario_id, given.get("action", ""), fields, code=given.get("code", ""), version=_version(),
            by=account(), now=now(),
        )  # fmt: skip
    except RecordError as error:
        return _page(scenario_id, error)
    return redirect(url_for("scenarios.one", scenario_id=scenario_id), 303)


@pages.post("/<int:scenario_id>/undo")
@needs("plan_city")
def undo(scenario_id: int) -> Answer:
    """Take back the last change."""
    try:
        undo_change(own_store(), scenario_id, version=_version(), by=account(), now=now())
    except RecordError as error:
        return _page(scenario_id, error)
    return redirect(url_for("scenarios.one", scenario_id=scenario_id), 303)


@pages.post("/<int:scenario_id>/name")
@needs("plan_city")
def name(scenario_id: int) -> Answer:
    """Give a scenario another name and note."""
    given = request.form
    try:
        rename_scenario(
            own_store(), scenario_id, given.get("name", ""), note=given.get("note", ""), version=_version(),
            by=account(), now=now(),
        )  # fmt: skip
    except RecordError as error:
        return _page(scenario_id, error)
    return redirect(url_for("scenarios.one", scenario_id=scenario_id), 303)


@pages.post("/<int:scenario_id>/archive")
@needs("plan_city")
def archive(scenario_id: int) -> Answer:
    """Put a scenario away, or take it out again."""
    away = request.form.get("archived", "yes") == "yes"
    try:
        archive_scenario(own_store(), scenario_id, version=_version(), by=account(), now=now(), archived=away)
    except RecordError as error:
        return _page(scenario_id, error)
    there = url_for("scenarios.listing") if away else url_for("scenarios.one", scenario_id=scenario_id)
    return redirect(there, 303)


def _listing(error: FaultsError | None = None) -> Answer:
    away = request.args.get("archived") == "yes"
    page = render_template(
        "staff/scenarios.html", title=_("情景"), scenarios=scenarios(own_store(), archived=away), away=away,
        fault="" if error is None else said(error), filled=request.form,
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _page(scenario_id: int, error: RecordError | None = None) -> Answer:
    """Return a scenario's page, with what was refused and the form as it was filled in."""
    store = own_store()
    found = scenario(store, scenario_id)
    entries = entries_from(content_of(store, scenario_id))
    points = coverage_maps.points(points_before(store, scenario_id), entries)
    changes = history(store, scenario_id)
    figures, misfit = _what_if(found.area_code, asked(), scenario_id)
    page = render_template(
        "staff/scenario.html", title=found.name, scenario=found, entries=entries, history=changes,
        points=[p for p in points if p["state"] != "closed"], changed=[p for p in points if p["state"] != "live"],
        undoable=_undoable(changes), fault="" if error is None else said(error), filled=request.form,
        figures=figures, misfit=misfit, asked=asked(), functions=FUNCTIONS, actions=ACTIONS, states=STATES,
        may_change=account().may("plan_city") and found.state == "open",
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _what_if(area_code: str, view: Asked, scenario_id: int) -> tuple[list[dict[str, Any]], str]:
    """Return, for each threshold, what is reached today and under the scenario; or why that cannot be said."""
    what_if: WhatIf = current_app.extensions["lamplight.what_if"]
    store = own_store()
    try:
        today = what_if.reached(view.question(store), area_code)
        supposed = what_if.reached(view.question(store, scenario_id), area_code)
    except LamplightError as error:  # no streets yet, or points that are no longer there
        return [], said(error)
    rows = []
    for i, t in enumerate(view.question(store).thresholds_s):
        rows.append({
            "minutes": t // 60, "people": today.people, "street_m": today.street_m,
            "people_before": today.covered_people[i], "people_after": supposed.covered_people[i],
            "street_before": today.covered_street_m[i], "street_after": supposed.covered_street_m[i],
        })  # fmt: skip
    return rows, ""


def _undoable(changes: list[ScenarioChange]) -> ScenarioChange | None:
    """Return the change that undoing takes back, None where there is none."""
    return next((c for c in reversed(changes) if not c.undone and c.action in FIELDS), None)


def _version() -> int:
    return request.form.get("version", 0, type=int)


def register(app: Flask) -> None:
    """Add the pages of scenarios to the application."""
    # a walk knows no borders: the search goes over the whole city's streets, and only sums over the reader's own area
    # leave it
    app.extensions["lamplight.what_if"] = WhatIf(app.extensions["lamplight.store"])
    app.register_blueprint(pages)
