"""A siting run as plain text for a terminal."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from layers.run import Run
from web import siting_words
from web.drawing import both
from web.siting_drawing import place_of
from web.text_tables import MOST_ROWS, text_table

_MOST_LEFT_OUT = 5


def siting_text(run: Run) -> str:
    """Return what a siting run found: the headline, how sure it is, the points that change, whom it leaves out."""
    tables, plan = run.tables, run.tables["plan"].to_dict("records")[0]
    totals = tables["totals"].to_dict("records")[0]
    value = siting_words.amount(plan["value"], plan["unit"])
    parts = [
        *siting_words.headline(plan, totals, run.parameters),
        f"目标值 value {both(value)}；{siting_words.gap(plan)[0]} {siting_words.gap(plan)[1]}",
        "；".join(siting_words.proof(plan)),
        "",
    ]
    sites = tables["sites"].sort_values("rank", kind="stable").to_dict("records")
    if sites:
        parts.append(_sites(sites[:MOST_ROWS], plan["unit"]))
    if len(sites) > MOST_ROWS:
        parts.append(f"……另有 {len(sites) - MOST_ROWS} 个，见表格文件 / {len(sites) - MOST_ROWS} more in the files")
    if len(tables["frontier"]):
        parts += ["", _frontier(tables["frontier"].to_dict("records"), plan["unit"])]
    left = tables["left_out"].to_dict("records")[:_MOST_LEFT_OUT]
    if left:
        rows = [[str(row["name"]), f"{row['people']:,.0f}", f"{row['unreachable']:,.0f}"] for row in left]
        headings = ["仍在时限外 still beyond", "人口 people", "候选点都不可达 no candidate reaches"]
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
            "单独 alone": siting_words.brief_amount(site["adds_alone"], unit),
            "最后 last": siting_words.brief_amount(site["adds_last"], unit),
            "次选少 runner-up loses": siting_words.brief_amount(site["runner_up_loses"], unit).removeprefix("+"),
            "代码 code": str(site["code"]),
            "位置 place": place_of(site),
        }
        for site in sites
    ]
    headings = [name for name in rows[0] if any(row[name] for row in rows)]
    return text_table(headings, [[row[name] for name in headings] for row in rows], words_last=True)


def _frontier(steps: list[Mapping[str, Any]], unit: str) -> str:
    """Return the frontier as a table: what each step of cost brings, and whether that is proven."""
    rows = [
        [
            f"{step['cost']:,g}",
            f"{step['count']:,.0f}",
            siting_words.amount(step["value"], unit)[1],
            "" if not np.isfinite(step["worst_share"]) else f"{step['worst_share']:.1%}",
            both(siting_words.gap(step)),
        ]
        for step in steps
    ]
    headings = ["费用 cost", "点数 points", "目标值 value", "最差辖区 worst area", "把握 proof"]
    return text_table(headings, rows, words_last=True)
