"""Runs about hotspots as plain text for a terminal."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from layers.run import Run
from layers.store import Store
from web import hotspot_words
from web.drawing import LEVEL_NAMES, both
from web.hotspot_column import top_areas
from web.hotspot_drawing import HotspotDrawing, best_first, hotspot_drawing
from web.hotspot_totals import totals
from web.hotspot_views import by_step, release_rules, tier_words
from web.hotspot_words import (
    WEEKDAYS,
    both_of,
    chance,
    figure,
    interval,
    method_words,
    percent,
    said,
    span,
    trend_words,
)
from web.text_tables import text_table

#: Rows of each table; the rest is in the files.
MOST = 10
_BARS = " ▁▂▃▄▅▆▇█"


def hotspot_text(store: Store, run: Run) -> str:
    """Return a run about hotspots as aligned text in both languages: totals, the ten most telling rows, notes."""
    what = hotspot_drawing(store, run)
    lines = [both(what.question), *(f"{words}: {figure_}" for words, figure_ in totals(what)), ""]
    lines += [part for part in _TEXT[run.kind](what) if part is not None]
    notes = zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)
    lines += [f"· {zh} / {en}" for zh, en in notes]
    return "\n".join(lines)


def _areas(what: HotspotDrawing) -> str | None:
    own = top_areas(what, MOST)
    if own.empty:
        return None
    rows = [
        [
            str(row["name"]), interval(row["rate_week"], row["rate_low"], row["rate_high"]), f"{row['reports']:,.0f}",
            f"{row['patrol_reports']:,.0f}", figure(row["walked_km"], 3), figure(row["rate_km_week"]),
        ]
        for row in own.to_dict("records")
    ]  # fmt: skip
    headings = [
        both(LEVEL_NAMES[what.level]), "可遇到 人/周 to be found per week", "报告 reports", "巡查发现 by patrol",
        "走过km walked", "人/km·周 per km",
    ]  # fmt: skip
    return text_table(headings, rows)


def _segments(what: HotspotDrawing, rate: tuple[str, str, str]) -> str:
    """Return the segments where an hour of patrol finds most. rate : columns of the figure and its interval."""
    table = pd.DataFrame(what.segments.drop(columns="geometry"))
    best = best_first(table).head(MOST)
    rows = [
        [
            str(row["name"]) or "（无名 unnamed）", str(row["segment_id"]), f"{row['length_m']:,.0f}",
            figure(row["per_minute"] * 60), interval(*(row[name] for name in rate)),
            both_of(hotspot_words.STATE_NAMES.get(row["state"], (row["state"], ""))),
        ]
        for row in best.to_dict("records")
    ]  # fmt: skip
    headings = ["路段 street", "编号 segment", "米 m", "每小时发现 finds per hour", "人/周 per week", "状态 state"]
    return text_table(headings, rows, words_last=True)


def _map(what: HotspotDrawing) -> list[str]:
    hot = int(what.cells["hot"].sum())
    cells = f"显著热点 {hot} 格，共 {len(what.cells):,} 格 / {hot} significant hot cells of {len(what.cells):,}"
    rates = ("rate_week", "rate_low", "rate_high")
    areas = _areas(what)
    return [cells, "", *([areas, ""] if areas else []), _segments(what, rates), ""]


def _scan(what: HotspotDrawing) -> list[str]:
    clusters = what.tables["clusters"]
    if not len(clusters):
        return ["没有聚集区 / no clusters", ""]
    rows = [
        [
            str(row["cluster"]), f"{row['observed']:,.0f}", figure(row["expected"]), figure(row["relative_risk"]),
            chance(row["p_value"]), span(row["recurrence_days"]), f"{row['radius_m']:,.0f}",
            str(row["places"]), f"{row['lon']:.4f},{row['lat']:.4f}",
            f"{row['first']}–{row['last']}" if row["first"] else "–", "是 yes" if row["significant"] else "否 no",
        ]
        for row in clusters.head(MOST).to_dict("records")
    ]  # fmt: skip
    headings = [
        "聚集区 cluster", "报告 reports", "期望 expected", "风险 risk", "p", "偶然重现 by chance in",
        "半径m radius", "格 cells", "中心 centre", "时段 period", "显著 significant",
    ]  # fmt: skip
    return [text_table(headings, rows, words_last=True), *_more(len(clusters)), ""]


def _more(count: int) -> list[str]:
    return [f"……另有 {count - MOST} 个，见文件 / {count - MOST} more in the files"] if count > MOST else []


def _emerging(what: HotspotDrawing) -> list[str]:
    counts = what.cells["class"].astype(str).value_counts()
    rows = [
        [both_of(trend_words(name)), f"{counts[name]:,}"]
        for name in sorted(counts.index, key=lambda name: (name in ("none", ""), -counts[name], name))
    ]
    labels, hot, reports = by_step(what)
    over = [
        [label, f"{hot[i].sum():,}", f"{reports[i].sum():,}"] for i, label in enumerate(labels)
    ][-2 * MOST :]  # fmt: skip
    return [
        text_table(["类型 pattern", "格 cells"], rows), "",
        text_table(["时段 period", "热点格 hot cells", "报告 reports"], over), "",
    ]  # fmt: skip


def _forecast(what: HotspotDrawing) -> list[str]:
    rates = ("expected_week", "low", "high")
    parts = [_segments(what, rates), ""]
    profile = what.tables.get("profile")
    if profile is not None and len(profile):
        grid = np.zeros((7, 24))
        grid[profile["weekday"].to_numpy(int), profile["hour"].to_numpy(int)] = profile["share"].to_numpy(float)
        most = max(float(grid.max()), 1e-12)
        rows = [
            [day, "".join(_BARS[round(8 * value / most)] for value in grid[i]), percent(grid[i].sum())]
            for i, day in enumerate(WEEKDAYS)
        ]
        parts += [text_table(["星期 day", "0–23 时 hour".ljust(24), "占比 share"], rows), ""]
    weather = what.tables.get("weather")
    if weather is not None and len(weather) and ("days" not in weather or weather["days"].any()):
        rows = [
            [said(hotspot_words.WEATHER_NAMES, row["weather"]), f"×{row['factor']:.2f}"]
            for row in weather.to_dict("records")
        ]
        parts += [text_table(["天气 weather", "系数 factor"], rows), ""]
    return parts


def _backtest(what: HotspotDrawing) -> list[str]:
    rows = [
        [
            both_of(method_words(str(row["method"]))), figure(row["pai"], 3), percent(row["hit_rate"]),
            figure(row["pei"]), f"{row['log_score']:.4f}",
            interval(row["pai_difference"], row["pai_low"], row["pai_high"]),
            interval(row["log_difference"], row["log_low"], row["log_high"]), percent(row.get("log_won")),
        ]
        for row in what.tables["summary"].to_dict("records")
    ]  # fmt: skip
    headings = [
        "方法 method", "PAI", "命中率 hit rate", "PEI", "对数得分 log score", "本方法高出 PAI ours less it (95 %)",
        "对数得分高出 log score less it", "得分胜出月份 months won",
    ]  # fmt: skip
    return [text_table(headings, rows), ""]


def _release(what: HotspotDrawing) -> list[str]:
    cells = what.cells
    named = dict(zip(what.areas["code"].astype(str), what.areas["name"].astype(str), strict=True))
    own = cells[cells["reports"].notna().to_numpy()].sort_values(
        ["reports", "unit"], ascending=[False, True], kind="stable"
    )
    rows = [
        [
            str(row["name"] or "") or named.get(str(row["unit"]), "") or str(row["unit"]),
            both_of(tier_words(str(row["level"]))), f"{row['reports']:,.0f}",
        ]
        for row in own.head(MOST).to_dict("records")
    ]  # fmt: skip
    # the run's notes are its rules
    rules = [] if what.notes else [both(release_rules(what)), ""]
    table = text_table(["名称 name", "层级 level", "发现人次 people found"], rows)
    return [*rules, table if rows else "没有可公开的数 / no number can be shown", *_more(len(own)), ""]


_TEXT: Mapping[str, Callable[[HotspotDrawing], list[str]]] = {
    "hotspot-map": _map,
    "hotspot-scan": _scan,
    "hotspot-emerging": _emerging,
    "hotspot-forecast": _forecast,
    "hotspot-backtest": _backtest,
    "hotspot-release": _release,
}
