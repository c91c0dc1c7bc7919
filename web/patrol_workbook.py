"""A patrol run as a workbook for the supervisor's desk: summary, crews, steps, what is left and why."""

from pathlib import Path

import numpy as np
import pandas as pd

from web import patrol_words, workbook
from web.drawing import MODE_NAMES, ROLE_NAMES, both
from web.patrol_drawing import PatrolDrawing
from web.tables import MAX_CELLS, asked_and_sources, facts_sheet

KIND_NAMES = {
    "start": ("出发", "start"), "travel": ("途经", "pass through"), "patrol": ("巡查", "patrol"),
    "check": ("检查", "check"), "wait": ("等候", "wait"), "break": ("休息", "break"), "end": ("返回", "end"),
}  # fmt: skip
#: Columns of a plan whose names mean something else in other results.
_NIGHT = {"longest_s": "longest_shift_s", "shortest_s": "shortest_shift_s", "mean_s": "mean_shift_s"}


def patrol_workbook(what: PatrolDrawing, path: Path) -> None:
    """Write a run as XLSX: summary, nights, crews, steps, uncovered, where drawn at random its variety, and notes.

    Headings in Chinese and English, times in minutes, lengths in km or metres, shares in percent. A table too long for
    a sheet is left to the GeoJSON and --json, and the notes say so. The same input gives the same bytes.
    """
    sheets = {
        "摘要 Summary": facts_sheet([*asked_and_sources(what), *totals(what)]),
        "各夜 Nights": _in_words(what.tables["plan"].rename(columns=_NIGHT)),
        "班组 Crews": _in_words(crews_sheet(what)),
    }
    left_out = []
    uncovered = pd.DataFrame(what.tables["uncovered"].drop(columns="geometry")).drop(columns="code")
    extra = {"步骤 Steps": what.tables["steps"], "未巡查 Uncovered": uncovered}
    if "variety" in what.tables:
        extra["变化 Variety"] = what.tables["variety"]
    for title, table in extra.items():
        if table.size <= MAX_CELLS:
            sheets[title] = _in_words(table)
        else:
            count = f"{len(table):,}"
            left_out.append((f"{title}：{count} 行过多，未列入", f"{title}: {count} rows are too many for a sheet"))
    notes = pd.DataFrame([*what.notes, *left_out], columns=["zh", "en"])
    workbook.write({**sheets, "说明 Notes": notes}, path)


def totals(what: PatrolDrawing) -> list[tuple[str, str]]:
    """Return what all nights together add up to, (words, figure)."""
    plan = what.tables["plan"]
    out = what.tables["crews"]
    out = out[out["services"] > 0]
    one = plan.sum(numeric_only=True)
    spread = out["duration_s"].max() / out["duration_s"].min() if len(out) else np.nan
    return [
        ("夜数 Nights", f"{len(plan)}"),
        ("出巡班组 Crews out", f"{one['routes']:,.0f} / {one['crews']:,.0f}"),
        ("巡查任务 Duties done", f"{one['served']:,.0f} / {one['services']:,.0f}"),
        ("必巡 Must be done", f"{one['must_served']:,.0f} / {one['must']:,.0f}"),
        ("优先值 Priority covered", patrol_words.percent(one["priority_served"], one["priority"])),
        ("总行程 Ground", patrol_words.km(one["walked_m"])),
        ("其中巡查 Patrolled", patrol_words.km(one["service_m"])),
        ("空走占比 Not patrolling", patrol_words.percent(one["deadhead_m"], one["walked_m"])),
        ("最长班次（分钟）Longest shift (min)", patrol_words.minutes(plan["longest_s"].max())),
        ("最短班次（分钟）Shortest shift (min)", patrol_words.minutes(plan["shortest_s"].min())),
        ("最长与最短之比 Longest over shortest", f"{spread:.2f}" if np.isfinite(spread) else ""),
        ("未巡查 Not covered", f"{len(what.tables['uncovered']):,}"),
    ]


def crews_sheet(what: PatrolDrawing) -> pd.DataFrame:
    """Return the crews with their deadhead share and their duration against the mean of those out that night."""
    crews = what.tables["crews"]
    walked, deadhead = crews["walked_m"].to_numpy(float), crews["deadhead_m"].to_numpy(float)
    share = np.divide(deadhead, walked, out=np.full(len(crews), np.nan), where=walked > 0)
    duration = crews["duration_s"].where(crews["services"] > 0)
    mean = duration.groupby(crews["date"]).transform("mean")
    table = crews.assign(deadhead_share=share, against_mean=duration / mean)
    return table.drop(columns=["station_lon", "station_lat"])


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with modes, roles, kinds and sides in words and times of day without their T."""
    words: dict[str, object] = {}
    sides = {key: both(value) for key, value in patrol_words.SIDES.items()}
    ended = {key: both(value) for key, value in patrol_words.ENDED.items()}
    for column, names in (
        ("mode", {k: both(v) for k, v in MODE_NAMES.items()}), ("role", {k: both(v) for k, v in ROLE_NAMES.items()}),
        ("kind", {k: both(v) for k, v in KIND_NAMES.items()}), ("side", sides), ("ended", ended),
    ):  # fmt: skip
        if column in table:
            words[column] = table[column].map(names).fillna(table[column])
    for column in ("begins", "ends", "shift_from", "shift_until"):
        if column in table:
            words[column] = table[column].str.replace("T", " ")
    if "segment_id" in table:
        words["segment_id"] = table["segment_id"].where(table["segment_id"] >= 0)
    return table.assign(**words)
