"""The summary of a batch: a workbook for readers, plain tables for programs, a page of text for a terminal."""

from pathlib import Path

import numpy as np
import pandas as pd

from gis.files import write_table
from planner.batch.summary import whole
from web import workbook
from web.drawing import both, minutes
from web.text_tables import MOST_ROWS, text_table

STATE_NAMES = {
    "answered": ("已算", "answered"),
    "kept": ("已有", "there already"),
    "failed": ("未成", "failed"),
    "left": ("未算", "left"),
}
#: Headings of columns that only a batch has.
_HEADINGS = {
    "points": "点位\npoints", "opened": "新设\nopened", "closed": "撤销\nclosed", "refused": "拒收行\nrows refused",
    "stopped": "计算\nsearch", "hash": "输入摘要\nhash of inputs", "seconds": "用时（秒）\nseconds",
    "zh": "说明或未成原因\nremark or reason", "en": "英文\nin English", "unit": "目标单位\nunit",
}  # fmt: skip


def write_summary(table: pd.DataFrame, out: Path) -> list[Path]:
    """Write the summary of a batch as CSV, Parquet and XLSX into ``out``; return the files."""
    files = [out / f"summary{ending}" for ending in (".csv", ".parquet", ".xlsx")]
    write_table(table, files[0])
    write_table(table, files[1])
    states = table["state"].map({state: both(words) for state, words in STATE_NAMES.items()})
    draft = out / ".draft-summary.xlsx"
    workbook.write({"区县 Counties": table.assign(state=states).rename(columns=_headings(table))}, draft)
    draft.replace(files[2])
    return files


def batch_text(table: pd.DataFrame) -> str:
    """Return how many counties were answered, the worst covered, all of them together, and why the others failed."""
    counts = table["state"].value_counts()
    told = "，".join(f"{zh} {counts.get(state, 0)}" for state, (zh, _) in STATE_NAMES.items())
    said = ", ".join(f"{counts.get(state, 0)} {en}" for state, (_, en) in STATE_NAMES.items())
    parts = [_figures(table)] if "people" in table else []
    parts.append(f"{len(table)} 个区县：{told} / {len(table)} counties: {said}")
    failed = table[table["state"] == "failed"]
    parts += [
        f"! {row.code} {row.name}".rstrip() + f" {row.zh} / {row.en}"
        for row in failed.iloc[:MOST_ROWS].itertuples(index=False)
    ]
    if len(failed) > MOST_ROWS:
        parts.append(f"……另有 {len(failed) - MOST_ROWS} 个，见汇总表 / {len(failed) - MOST_ROWS} more in the summary")
    return "\n".join(parts)


def _figures(table: pd.DataFrame) -> str:
    """Return the counties that have figures, the worst covered first, and all together."""
    together = whole(table)
    shares = [name for name in together if name != "people"]
    counted = table[table["people"].notna()]
    order = np.lexsort((counted["code"], counted[shares[-1]].fillna(2.0)))
    listed = counted.iloc[order[:MOST_ROWS]]
    rows = [
        [f"{row['code']} {row['name']}".strip(), f"{row['people']:,.0f}", f"{row['points']:,.0f}",
         *(_percent(row[name]) for name in shares)]
        for row in listed.to_dict("records")
    ]  # fmt: skip
    points = f"{counted['points'].sum():,.0f}"
    rows.append(["合计 total", f"{together['people']:,.0f}", points, *(_percent(together[name]) for name in shares)])
    headings = ["区县 county", "人口 people", "点位 points", *(_heading(name) for name in shares)]
    more = len(counted) - len(listed)
    tail = f"\n……另有 {more} 个，见汇总表 / {more} more in the summary" if more else ""
    return text_table(headings, rows) + tail


def _heading(share: str) -> str:
    """Return a short heading of a share of the people."""
    known = {"share_before": "之前 before", "share_after": "之后 after"}
    return known.get(share) or f"≤{minutes(float(share.rpartition('_')[2]))}min"


def _headings(table: pd.DataFrame) -> dict[str, str]:
    """Return the headings of a batch's own columns; a plan's value is told in its unit."""
    units = table["unit"].dropna().unique() if "unit" in table else []
    in_unit = {name: f"{name}@{units[0]}" for name in ("value", "bound")} if len(units) == 1 else {}
    return {**_HEADINGS, **in_unit}


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.1%}"
