"""Two scenarios, or one and the city as it is, side by side: two maps of one view, who gains, who loses."""

from dataclasses import replace
from typing import Any

import pandas as pd
from flask import Blueprint, Flask, redirect, render_template, request, url_for

from layers.run import Run
from layers.scenario_content import Entry, entries_from
from layers.scenarios import Scenario, content_of, scenario, scenarios
from planner.scenarios.runs import gains_and_losses
from web.comparison_files import Comparison, comparison_workbook
from web.server import coverage_pages, staff_frame
from web.server.access import account, needs, own_store, public_city
from web.server.coverage_asked import Asked, asked
from web.server.coverage_figures import area_rows, has_hours, level_of_view, levels_of, measure_of, sums
from web.server.downloads import download
from web.server.language import _
from web.server.sign_in import Answer

LIVE = "live"
#: Areas and streets listed among those that gain, and among those that lose.
LISTED = 8
ROWS = 20

pages = Blueprint("comparison", __name__, url_prefix="/staff/scenarios/compare")
staff_frame.dress(pages)
coverage_pages.dress(pages)


@pages.get("")
@needs("read_results")
def view() -> Answer:
    """Show two sides; where one has not been computed of today's records, offer to."""
    view_ = asked()
    sides = [_side(request.args.get(name, ""), view_) for name in ("a", "b")]
    runs = [side["run"] for side in sides]
    address = {**view_.in_address(sort=None), "a": sides[0]["word"], "b": sides[1]["word"]}
    shown = _shown(view_, runs) if all(runs) else {}
    return render_template(
        "staff/comparison.html", title=_("两个情景对照"), asked=view_, sides=sides, address=address,
        scenarios=scenarios(own_store()), may_ask=account().may("plan_city"), **shown,
    )  # fmt: skip


@pages.get("/file")
@needs("read_results")
def file() -> Answer:
    """Give the comparison as a workbook."""
    view_ = asked()
    sides = [_side(request.args.get(name, ""), view_) for name in ("a", "b")]
    if not all(side["run"] for side in sides):
        return redirect(url_for("comparison.view", a=sides[0]["word"], b=sides[1]["word"], **view_.in_address()), 303)
    before, after = (side["run"] for side in sides)
    what = Comparison(
        names=(sides[0]["name"], sides[1]["name"]), runs=(before, after),
        changes=(sides[0]["entries"], sides[1]["entries"]), segments=gains_and_losses(before, after)["segments"],
        city=public_city().name,
    )  # fmt: skip
    data = coverage_pages.written(comparison_workbook, what, "comparison.xlsx")
    media_type, _write = coverage_pages.KINDS["xlsx"]
    return download(data, media_type, f"lamplight-comparison-{before.id}-{after.id}.xlsx")


def _side(word: str, view_: Asked) -> dict[str, Any]:
    """Return one side: the live city where no number of a scenario is given."""
    number = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None
    found: Scenario | None = None if number is None else scenario(own_store(), number)
    entries: list[Entry] = [] if number is None else entries_from(content_of(own_store(), number))
    question = view_.question(own_store(), number)
    run, fresh = coverage_pages.kept(question)
    return {
        "word": LIVE if number is None else str(number), "name": _("现状") if found is None else found.name,
        "number": number, "scenario": found, "entries": entries, "run": run, "fresh": fresh,
        "job": coverage_pages.job_for(question),
    }  # fmt: skip


def _shown(view_: Asked, runs: list[Run]) -> dict[str, Any]:
    """Return the tables of a comparison: areas of the tier shown, who gains and loses among the finest, and streets."""
    before, after = runs
    measure = measure_of(after, view_)
    part, divisor = ("covered_people", 1.0) if measure == "people" else ("covered_street_m", 1000.0)
    rows = _differences(view_, runs, part)
    finest = _differences(replace(view_, level=levels_of(after)[0]), runs, part) if levels_of(after) else rows
    change = finest["difference"]
    segments = gains_and_losses(before, after)["segments"]
    column = f"change_covered_street_m_{view_.threshold_s}"
    streets = segments.assign(change=segments[column]).sort_values("change", kind="stable")
    return {
        "rows": rows.head(ROWS), "total": len(rows), "measure": measure, "divisor": divisor,
        "levels": levels_of(after), "level": level_of_view(after, view_), "part": part,
        "has_hours": all(has_hours(run) for run in runs),
        "sums": [sums(area_rows(run, view_)) for run in runs],
        "gained": float(change.clip(lower=0).sum()), "lost": float(change.clip(upper=0).abs().sum()),
        "gaining": finest[change > 0.5].sort_values("difference", ascending=False, kind="stable").head(LISTED),
        "losing": finest[change < -0.5].sort_values("difference", kind="stable").head(LISTED),
        "streets_gained": _streets(streets[streets["change"] > 0.5].iloc[::-1]),
        "streets_lost": _streets(streets[streets["change"] < -0.5]),
        "street_gained_m": float(streets["change"].clip(lower=0).sum()),
        "street_lost_m": float(streets["change"].clip(upper=0).abs().sum()),
    }  # fmt: skip


def _differences(view_: Asked, runs: list[Run], part: str) -> pd.DataFrame:
    """Return the areas of a tier with what is covered before and after, the greatest difference first."""
    old, new = (area_rows(run, view_).set_index("code") for run in runs)
    rows = new.join(old[[part, "share"]].add_suffix("_before"), how="left")
    rows["before"], rows["after"] = rows[f"{part}_before"].fillna(0.0), rows[part].fillna(0.0)
    rows["difference"] = rows["after"] - rows["before"]
    rows = rows.reset_index()
    order = rows["difference"].abs().sort_values(ascending=False, kind="stable").index
    return rows.loc[order].reset_index(drop=True)


def _streets(found: pd.DataFrame) -> list[tuple[str, float]]:
    """Return (name, metres) of streets by name, segments of one street together, the most first."""
    named = found.assign(name=found["name"].where(found["name"] != "", _("无名路段")))
    by_name = named.groupby("name", sort=False)["change"].sum()
    order = by_name.abs().sort_values(ascending=False, kind="stable").index[:LISTED]
    return [(str(name), float(by_name[name])) for name in order]


def register(app: Flask) -> None:
    """Add the pages of comparison to the application."""
    app.register_blueprint(pages)
