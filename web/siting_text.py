"""A siting run as plain text for a terminal."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from layers.run import Run
from planner.siting import quantities
from web import siting_words
from web.drawing import both
from web.siting_drawing import place_of
from web.text_tables import MOST_ROWS, text_table

_MOST_LEFT_OUT = 5


def siting_text(run: Run) -> str:
    """Return what a siting run found: the headline, how sure it is, the points that change, whom it leaves out."""
    tables, plan = run.tables, run.tables["plan"].to_dict("records")[0]
    totals = tables["totals"].to_dict("records")[0]
    parts = [
        *siting_words.headline(plan, totals, run.parameters),
        f"目标值 value {siting_words.measured(plan['value'], plan['unit'])}；{both(siting_words.gap(plan))}",
        "；".join(siting_words.proof(plan)),
        "",
    ]
    sites = tables["sites"].sort_values("rank", kind="stable").to_dict("records")
    if sites:
        parts.append(_sites(sites[:MOST_ROWS], plan.get("worth_unit", plan["unit"])))
    if len(sites) > MOST_ROWS:
        parts.append(f"……另有 {len(sites) - MOST_ROWS} 个，见表格文件 / {len(sites) - MOST_ROWS} more in the files")
    if len(tables["frontier"]):
        parts += ["", _frontier(tables["frontier"].to_dict("records"), plan["unit"])]
    left = tables["left_out"].to_dict("records")[:_MOST_LEFT_OUT]
    if left:
        unit = siting_words.demand_unit(run.parameters)
        rows = [
            [str(row["name"]), *(quantities.figure(row[name], unit) for name in ("people", "unreachable"))]
            for row in left
        ]
        headings = [
            "仍在时限外 still beyond",
            both(quantities.unit_words(unit)),
            "候选点都不可达 no candidate reaches",
        ]
        parts += ["", text_table(headings, rows)]
    notes = [f"· {note.zh} / {note.en}" for note in tables["notes"].itertuples()]
    return "\n".join([*parts, *([""] if notes else []), *notes])


def _sites(sites: list[Mapping[str, Any]], unit: str) -> str:
    """Return the points that change as a table; columns nobody fills are left out."""
    rows = [
        {
            "序 no.": f"{site['rank']:.0f}",
            "措施 action": both(siting_words.ACTION_NAMES.get(site["action"], (site["action"], ""))),
            "期 period": f"{site['period']:.0f}" if site["period"] > 0 else "",
            "费用 cost": f"{site['cost']:,g}" if np.isfinite(site["cost"]) else "",
            "单独增加 alone": _figure(site["adds_alone"], unit),
            "最后增加 last": _figure(site["adds_last"], unit),
            "次选损失 runner-up loses": _figure(site["runner_up_loses"], unit),
            "代码 code": str(site["code"]),
            "位置 place": place_of(site),
        }
        for site in sites
    ]
    headings = [name for name in rows[0] if any(row[name] for row in rows)]
    said = f"增加与损失的单位 unit of what is added or lost: {both(quantities.unit_words(unit))}"
    return said + "\n" + text_table(headings, [[row[name] for name in headings] for row in rows], words_last=True)


def _figure(value: float, unit: str) -> str:
    return quantities.figure(value, unit) if np.isfinite(value) else ""


def _frontier(steps: list[Mapping[str, Any]], unit: str) -> str:
    """Return the frontier as a table: what each step of cost brings, and whether that is proven."""
    rows = [
        [
            f"{step['cost']:,g}",
            f"{step['count']:,.0f}",
            quantities.amount(step["value"], unit)[1],
            "" if not np.isfinite(step["worst_share"]) else f"{step['worst_share']:.1%}",
            both(siting_words.gap(step)),
        ]
        for step in steps
    ]
    headings = ["费用 cost", "点数 points", "目标值 value", "最差辖区 worst area", "把握 proof"]
    return text_table(headings, rows, words_last=True)
