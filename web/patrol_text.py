"""A patrol run as plain text for a terminal."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from layers.run import Run
from web import patrol_words
from web.drawing import MODE_NAMES, both
from web.patrol_words import STAR, clock, km, minutes, night, percent
from web.text_tables import text_table

MOST_CREWS = 25


def patrol_text(run: Run) -> str:
    """Return what a patrol run plans: each night's totals, its crews, what is left uncovered and why, notes."""
    tables = run.tables
    parts: list[str] = []
    for plan in tables["plan"].to_dict("records"):
        date = plan["date"]
        crews, left = (_of(tables[name], date) for name in ("crews", "uncovered"))
        parts += [*_totals(plan), "", _crews(crews)]
        if len(left):
            parts += ["", _left(left)]
        parts.append("")
    for row in tables["variety"].to_dict("records") if "variety" in tables else ():
        parts.append(_variety(row))
    notes = [f"· {note.zh} / {note.en}" for note in tables["notes"].itertuples()]
    return "\n".join([*parts, *notes]).rstrip("\n")


def _of(table: pd.DataFrame, date: str) -> pd.DataFrame:
    return table[(table["date"] == date).to_numpy()]


def _totals(plan: Mapping[str, Any]) -> list[str]:
    longest, shortest = minutes(plan["longest_s"]), minutes(plan["shortest_s"])
    lines = [
        f"{night(plan['date'])}：{plan['routes']} / {plan['crews']} 班组出巡，"
        f"{plan['served']:,} / {plan['services']:,} 项任务，{STAR} 必巡 {plan['must_served']} / {plan['must']}，"
        f"优先值 {percent(plan['priority_served'], plan['priority'])}，{km(plan['walked_m'])}"
        f"（空走 {percent(plan['deadhead_m'], plan['walked_m'])}），班次最长 {longest}、最短 {shortest} 分钟",
        f"{plan['routes']} of {plan['crews']} crews out, {plan['served']:,} of {plan['services']:,} duties, "
        f"must be done {plan['must_served']} of {plan['must']}, "
        f"priority {percent(plan['priority_served'], plan['priority'])}, {km(plan['walked_m'])} "
        f"({percent(plan['deadhead_m'], plan['walked_m'])} not patrolling), longest {longest}, shortest {shortest} min",
    ]
    if pd.notna(plan.get("greedy_priority")) and plan["greedy_priority"] > 0:
        more = f"{plan['priority_served'] / plan['greedy_priority'] - 1:+.1%}"
        lines.append(f"比贪心法的优先值 {more} / priority against a greedy plan {more}")
    return [*lines, both(patrol_words.ENDED.get(str(plan["ended"]), (str(plan["ended"]), "")))]


def _crews(crews: pd.DataFrame) -> str:
    shown = crews.head(MOST_CREWS).to_dict("records")
    headings = ["班组 crew", "班次 shift", "任务 duties", "分钟 min", "公里 km", "空走 not patrolling",
                "优先值 priority", "方式 mode"]  # fmt: skip
    rows = [
        [
            f"{crew['crew']} {crew['persons']}".strip(),
            f"{clock(crew['shift_from'])}-{clock(crew['shift_until'])}",
            f"{crew['services']:,}",
            minutes(crew["duration_s"]),
            f"{crew['walked_m'] / 1000:.1f}",
            percent(crew["deadhead_m"], crew["walked_m"]),
            f"{crew['priority']:,.0f}",
            both(MODE_NAMES.get(str(crew["mode"]), (str(crew["mode"]), ""))),
        ]
        for crew in shown
    ]
    text = text_table(headings, rows, words_last=True)
    more = len(crews) - len(shown)
    return text + (f"\n……另有 {more} 个班组，见文件 / {more} more in the files" if more > 0 else "")


def _left(left: pd.DataFrame) -> str:
    """Return what is left uncovered by reason, what must be done first."""
    rows = []
    for (optional, _), own in left.groupby([~left["must"].astype(bool), "code"], sort=True):
        star = "" if optional else f"{STAR} "
        why = f"{star}{own['zh'].iloc[0]} / {own['en'].iloc[0]}"
        rows.append([f"{len(own):,}", f"{own['metres'].sum() / 1000:.1f}", f"{own['priority'].sum():,.0f}", why])
    return text_table(["未巡查 not covered", "公里 km", "优先值 priority", "原因 why"], rows, words_last=True)


def _variety(row: Mapping[str, Any]) -> str:
    loss, paid, bits = f"{row['loss']:.1%}", f"{row['paid']:.2%}", f"{row['entropy_bits']:.2f}"
    return (
        f"{row['date']} 随机抽取：允许损失 {loss}，实付 {paid}，各任务时刻的熵 {bits} 比特（{row['draws']} 次抽取至多 "
        f"{row['most_bits']:.2f}）/ drawn at random: loss allowed {loss}, paid {paid}, entropy of the half hour "
        f"{bits} bits (at most {row['most_bits']:.2f} in {row['draws']} draws)"
    )
