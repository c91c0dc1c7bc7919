"""Results as plain text for a terminal; Chinese characters count as two columns."""

from collections.abc import Sequence
from unicodedata import east_asian_width

import numpy as np
import pandas as pd

from layers.run import Run
from layers.version_rows import LayerVersion
from planner.coverage_answer import level_to_show
from web.drawing import LEVEL_NAMES, both, minutes, shares

#: Rows of a printed table; the rest is in the files.
MOST_ROWS = 40


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, words_last: bool = False) -> str:
    """Return rows under headings as aligned text: the first column to the left, the others to the right.

    words_last : the last column holds words, so it goes to the left, too.
    """
    left = {0, len(headings) - 1} if words_last else {0}
    cells = [list(headings), *map(list, rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(headings))]
    lines = []
    for row in cells:
        padded = [
            cell + " " * (width - _width(cell)) if i in left else " " * (width - _width(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def coverage_text(run: Run, *, level: str | None = None) -> str:
    """Return the areas of one tier of a coverage run as a table, the worst covered first, with the city's totals."""
    areas, thresholds = run.tables["areas"], [int(t) for t in run.parameters["thresholds_s"]]
    level = level_to_show(run, level)
    chosen = areas[areas["level"] == level]
    measure = "people" if areas["people"].sum() > 0 else "street"
    order = np.lexsort((chosen["code"], np.nan_to_num(shares(chosen, measure, thresholds[-1]), nan=2.0)))
    listed = chosen.iloc[order[:MOST_ROWS]]
    whole = pd.concat([listed, run.tables["totals"].assign(name="合计 total")], ignore_index=True)
    headings = [
        both(LEVEL_NAMES[level]), "人口 people", "街面km street", *(f"≤{minutes(t)}min" for t in thresholds),
        "中位min median", "p95 min",
    ]  # fmt: skip
    by_threshold = [shares(whole, measure, t) for t in thresholds]
    rows = [
        [
            str(row.name), f"{row.people:,.0f}", f"{row.street_m / 1000:,.1f}",
            *(_percent(share[i]) for share in by_threshold), _minutes(row.median_s), _minutes(row.p95_s),
        ]
        for i, row in enumerate(whole.itertuples(index=False))
    ]  # fmt: skip
    parts = [text_table(headings, rows)]
    if len(chosen) > MOST_ROWS:
        parts.append(f"……另有 {len(chosen) - MOST_ROWS} 个，见表格文件 / {len(chosen) - MOST_ROWS} more in the files")
    parts += [f"· {note.zh} / {note.en}" for note in run.tables["notes"].itertuples()]
    return "\n".join(parts)


def comparison_text(run: Run, *, level: str) -> str:
    """Return what the areas of one tier gain or lose between two runs, the greatest change first."""
    areas = run.tables["areas"]
    covered = [c for c in areas.columns if c.startswith(("change_covered_people_", "change_covered_street_m_"))]
    chosen = areas[areas["level"] == level]
    changed = chosen[(chosen[covered] != 0).any(axis=1)]
    order = np.lexsort((changed["code"], -changed[covered].abs().sum(axis=1)))
    rows = [
        [str(row["name"]), *(f"{row[c]:+,.0f}" for c in covered)]
        for _, row in changed.iloc[order[:MOST_ROWS]].iterrows()
    ]
    left = len(chosen) - len(changed)
    same = [f"{left} 个无变化 / {left} unchanged"] if left or not rows else []
    headings = [both(LEVEL_NAMES[level]), *(_change_heading(c) for c in covered)]
    unit = "覆盖的变化，≤ 后为分钟 / change in what is covered, minutes after ≤"
    return "\n".join([unit, text_table(headings, rows), *same] if rows else same)


def run_list(runs: Sequence[Run]) -> str:
    """Return the analyses kept as a table, newest first."""
    rows = [
        [str(run.id), run.kind, f"{run.created_at:%Y-%m-%d %H:%M}", f"{run.seconds:.1f}", _asked(run)] for run in runs
    ]
    return text_table(["编号 run", "种类 kind", "时间UTC time", "秒 s", "问题 question"], rows, words_last=True)


def version_list(versions: Sequence[LayerVersion], removed: Sequence[LayerVersion]) -> str:
    """Return the layer versions kept as a table, newest first, with how many were removed."""
    rows = [
        [
            str(v.id), " ".join(filter(None, (v.layer, v.part))), "*" if v.active else "", f"{v.accepted:,}",
            f"{v.rejected:,}", f"{v.created_at:%Y-%m-%d %H:%M}", v.source,
        ]
        for v in versions
    ]  # fmt: skip
    headings = ["版本 version", "图层 layer", "当前 current", "行 rows", "拒绝 rejected", "时间UTC time", "来源 source"]
    lines = [text_table(headings, rows, words_last=True)]
    if removed:
        lines.append(f"已清理 {len(removed)} 个旧版本 / removed {len(removed)} old versions")
    return "\n".join(lines)


def _asked(run: Run) -> str:
    return " ".join(f"{k}={v}" for k, v in run.parameters.items() if v not in (None, False, ""))


def _change_heading(column: str) -> str:
    whom, _, threshold = column.removeprefix("change_covered_").rpartition("_")
    words = {"people": "人口 people", "street_m": "街面 m"}[whom]
    return f"{words} ≤{minutes(int(threshold))}"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share * 100:.1f}%"


def _minutes(seconds: float | None) -> str:
    return "–" if seconds is None or not np.isfinite(seconds) else f"{seconds / 60:.1f}"
