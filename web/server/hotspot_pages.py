"""Hotspots for those who read results: where people can be found now, what next week may bring, how good that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Blueprint, Flask, abort, render_template, request, url_for

from layers.moments import aware
from layers.run import Run
from web.hotspot_charts import METHOD_COLOURS
from web.hotspot_words import method_words
from web.server import staff_frame
from web.server.access import account, needs, own_store
from web.server.language import _, language, said
from web.server.public_pages import map_says
from web.server.run_maps import own_row
from web.server.run_pages import levels_of, usual_level
from web.server.run_tables import tables_of
from web.server.run_words import goodness_of, question_of, remark, result_of, tier_words
from web.server.sign_in import Answer

#: View of the page -> kind of run it shows, and what its link says.
VIEWS = {
    "now": ("hotspot-map", "现在"), "week": ("hotspot-forecast", "下一周"), "test": ("hotspot-backtest", "预测准不准"),
}  # fmt: skip
#: Of the chart, in its own units: width, height, and what is left free at the left, right, top and bottom.
WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 800.0, 320.0, 44.0, 12.0, 12.0, 30.0

pages = Blueprint("hotspots", __name__, url_prefix="/staff/hotspots")
staff_frame.dress(pages)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over months. lines : (name, colour, points); across : (y, label); along : (x, label); chance : y of 1."""

    lines: list[tuple[str, str, str]]
    across: list[tuple[float, str]]
    along: list[tuple[float, str]]
    chance: float


@pages.get("")
@needs("read_results")
def look() -> Answer:
    """Show the newest run of the kind the view is about, as far as the account's area reaches."""
    view, level = request.args.get("view", "now"), request.args.get("level", "")
    if view not in VIEWS:
        abort(404)
    kind, _words = VIEWS[view]
    kept = own_store().runs(kind)
    run = own_store().run(kept[0].id) if kept else None
    levels = [] if run is None else levels_of(run)
    if level and level not in levels:
        abort(404)
    shown = level or ("" if run is None else usual_level(run))
    return render_template(
        "staff/hotspots.html", title=_("热点"), view=view, run=run, kind=kind, level=shown,
        views={word: _(words) for word, (_kind, words) in VIEWS.items()},
        levels={word: said(tier_words(word)) for word in levels}, map_says=map_says(),
        start=url_for("runs.new", kind=kind) if account().may("plan_city") else "", **_told(run, shown),
    )  # fmt: skip


def _told(run: Run | None, level: str) -> dict[str, Any]:
    """Return what the page says of a run; the map's table of areas stands under the map, a chart's under the chart."""
    if run is None:
        return {}
    return {
        "question": said(question_of(run, staff_frame.area_names())), "goodness": said(goodness_of(run)),
        "result": [said(words) for words in result_of(run, own_row(run, account().area_code))],
        "tables": tables_of(own_store(), run, level), "at": None if run.created_at is None else aware(run.created_at),
        "chart": chart_of(run) if run.kind == "hotspot-backtest" else None,
        "notes": [remark(row[language()]) for row in run.tables["notes"].to_dict("records")],
    }  # fmt: skip


def chart_of(run: Run) -> Chart | None:
    """Return the accuracy of each method month by month as lines; None where nothing was judged."""
    table = run.tables["months"]
    if not len(table):
        return None
    methods = [str(method) for method in run.tables["summary"]["method"]]
    months = sorted(table["origin"].astype(str).unique())
    most = _ceiling(float(np.nanmax(table["pai"].to_numpy(float))))
    step = (WIDE - LEFT - RIGHT) / max(len(months) - 1, 1)
    x = {month: LEFT + i * step for i, month in enumerate(months)}

    def height(pai: float) -> float:
        return TOP + (HIGH - TOP - BOTTOM) * (1 - pai / most)

    lines = []
    for i, method in enumerate(methods):
        own = table[table["method"].astype(str) == method].sort_values("origin")
        points = [(x[str(r["origin"])], height(r["pai"])) for r in own.to_dict("records") if np.isfinite(r["pai"])]
        name = said(method_words(method))
        lines.append((name, METHOD_COLOURS[i % len(METHOD_COLOURS)], " ".join(f"{a:.1f},{b:.1f}" for a, b in points)))
    every = max(len(months) // 6, 1)
    along = [(x[month], month[:7]) for month in months[::every]]
    across = [(height(most * part / 4), f"{most * part / 4:g}") for part in range(5)]
    return Chart(lines[::-1], across, along, height(1.0))


def _ceiling(value: float) -> float:
    """Return a round number at or above ``value``, and above 1."""
    steps = (2, 4, 8, 12, 16, 20, 40, 80, 120, 200, 400)
    return float(next((step for step in steps if step >= value), value))


def register(app: Flask) -> None:
    """Add the page of hotspots to the application."""
    app.register_blueprint(pages)
