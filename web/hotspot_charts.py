"""Charts of hotspots: when people are found, what weather does, and how forecasts did."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from web import hotspot_words
from web.fonts import Lettering, lettering
from web.hotspot_classes import WARM
from web.hotspot_column import HotspotColumn
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_panels import HEAD_INCHES, heading
from web.hotspot_words import WEATHER_NAMES, figure, method_words, named
from web.picture_column import PALE
from web.picture_page import INCHES, Room, page, save, write_foot, write_title

#: A colour a method (Okabe and Ito, safe for all eyes), and a dash for print in grey.
METHOD_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#555555")
_DASHES = ("solid", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
#: Figures a chart of a backtest may show, (column, Chinese, English).
_ROOMS: tuple[Room, Room, Room] = (
    (0.05, 0.515, 0.615, 0.305),
    (0.165, 0.125, 0.205, 0.285),
    (0.44, 0.125, 0.225, 0.285),
)

_READING = (
    (
        "PAI：发现占比除以所看面积占比；1 等于随便走。",
        "PAI: share of finds over share of area; 1 is walking at random.",
    ),
    ("命中率：落在所看格子里的发现占比。", "Hit rate: share of finds in the cells looked at."),
    ("PEI：PAI 与事后最好的选择之比；1 为最好。", "PEI: PAI over that of the best choice in hindsight; 1 is perfect."),
    ("对数得分：越高（越近 0）越好。", "Log score: higher (nearer 0) is better."),
    ("区间跨 0 者，不能说谁更好。", "Where an interval spans 0, neither is shown to be better."),
)


def draw_profile(figure: Figure, room: Room, what: HotspotDrawing, letters: Lettering, mark: str) -> None:
    """Draw the share of a week's discoveries by weekday and hour as a grid of colours."""
    profile = what.tables["profile"]
    grid = np.zeros((7, 24))
    grid[profile["weekday"].to_numpy(int), profile["hour"].to_numpy(int)] = profile["share"].to_numpy(float)
    left, bottom, wide, high = room
    axes = figure.add_axes((left + 0.035, bottom + 0.045, wide - 0.036, high - 0.045 - HEAD_INCHES / INCHES[1]))
    colours = LinearSegmentedColormap.from_list("warm", ["#fffdf2", *WARM])
    axes.pcolormesh(np.arange(25), np.arange(8), grid, cmap=colours, vmin=0, edgecolors="white", linewidth=0.3)
    axes.invert_yaxis()
    days = [letters.label(tuple(day.split(" "))) for day in hotspot_words.WEEKDAYS]  # type: ignore[arg-type]
    axes.set_yticks(np.arange(7) + 0.5, days)
    axes.set_xticks(range(0, 25, 6), [f"{h}" for h in range(0, 25, 6)])
    _plain(axes, letters)
    heading(
        axes,
        letters,
        ("一周发现的时刻（%）", "when in the week people are found, % of discoveries"),
        mark,
    )
    axes.set_xlabel(letters.label(("时", "hour of the day")), fontproperties=letters.font(6.5), labelpad=1)
    peak = np.unravel_index(int(np.argmax(grid)), grid.shape)
    axes.text(
        peak[1] + 0.5, peak[0] + 0.5, f"{grid[peak]:.1%}".rstrip("%"), color="white", ha="center",
        va="center_baseline", fontproperties=letters.font(5.2),
    )  # fmt: skip


def draw_weather(column: HotspotColumn, what: HotspotDrawing) -> None:
    """Draw what weather does to discoveries as bars around one."""
    table = what.tables.get("weather")
    if table is None or not len(table) or ("days" in table and not table["days"].any()):
        return
    column.title(("天气的影响（×）", "What weather does to discoveries (times)"))
    most = max(float(np.nanmax(table["factor"].to_numpy(float))), 1.0)
    asked = str(what.summary.get("weather", ""))
    for row in table.to_dict("records"):
        if column.y < 0:
            return
        bold = str(row["weather"]) == asked
        column.put(0, column.words(named(WEATHER_NAMES, row["weather"])), size=6.6, bold=bold)
        long = 0.42 * float(row["factor"]) / most
        ink = "#c8500a" if bold else "#a6b8c8"
        column.axes.add_patch(
            Rectangle((0.42, column.y - column.line * 0.33), long, column.line * 0.66, facecolor=ink, linewidth=0)
        )
        column.put(1.0, figure(row["factor"], 3), size=6.6, right=True, bold=bold)
        column.y -= column.line
    one = 0.42 + 0.42 / most
    column.axes.plot([one, one], [column.y + 0.5 * column.line, column.y + (len(table) + 0.5) * column.line],
                     color="#444444", linewidth=0.6, linestyle=(0, (2, 2)))  # fmt: skip


def backtest_picture(what: HotspotDrawing, path: Path) -> None:
    """Write a backtest as an A4 PNG: accuracy month by month, how much better each method is, and calibration.

    The same input on the same machine gives the same bytes.
    """
    letters = lettering()
    figure = page()
    write_title(figure, what, letters)
    methods = [str(m) for m in what.tables["summary"]["method"]]
    _draw_months(figure.add_axes(_ROOMS[0]), what, methods, letters)
    _draw_differences(figure.add_axes(_ROOMS[1]), what, letters)
    _draw_calibration(figure.add_axes(_ROOMS[2]), what, methods, letters)
    room = (0.70, 0.08, 0.285, 0.79)
    column = HotspotColumn(figure.add_axes(room), letters, room[2] * INCHES[0])
    _write_methods(column, what, methods)
    write_foot(figure, what, letters)
    save(figure, path)


def _label(method: str, letters: Lettering, between: str = " ") -> str:
    zh, en = method_words(method)
    return en if zh == en or not letters.can(zh) else f"{zh}{between}{en}"


def _style(i: int) -> dict[str, object]:
    return {"color": METHOD_COLOURS[i % len(METHOD_COLOURS)], "linestyle": _DASHES[i % len(_DASHES)]}


def _draw_months(axes: Axes, what: HotspotDrawing, methods: list[str], letters: Lettering) -> None:
    table = what.tables["months"]
    origins = sorted(table["origin"].astype(str).unique())
    for i, method in enumerate(methods):
        own = table[table["method"].astype(str) == method]
        own = own.set_index(own["origin"].astype(str))
        axes.plot(
            range(len(origins)), own["pai"].reindex(origins).to_numpy(float), marker="o", markersize=2.6,
            linewidth=2.0 if i == 0 else 1.2, zorder=5 - min(i, 4), **_style(i),
        )  # fmt: skip
    every = max(len(origins) // 12, 1)
    axes.set_xticks(range(0, len(origins), every), [o[:7] for o in origins[::every]])
    axes.set_ylim(bottom=0)
    axes.axhline(1.0, color="#888888", linewidth=0.7, linestyle=(0, (2, 2)))
    axes.annotate(
        letters.label(("1 = 随机", "no better than chance")), (1, 1.0), xycoords=("axes fraction", "data"),
        xytext=(-2, 2), textcoords="offset points", ha="right", color="#666666", fontproperties=letters.font(6),
    )  # fmt: skip
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.5)
    _plain(axes, letters)
    en = "prediction accuracy index by month: share of finds over share of area looked at, higher is better"
    heading(axes, letters, ("各月预测准确度 PAI（越高越好）", en), "(a)")


def _draw_differences(axes: Axes, what: HotspotDrawing, letters: Lettering) -> None:
    table = what.tables["summary"]
    own = table[np.isfinite(table["pai_difference"].to_numpy(float))].reset_index(drop=True)
    at = np.arange(len(own))
    middle, low, high = (own[name].to_numpy(float) for name in ("pai_difference", "pai_low", "pai_high"))
    methods = [str(m) for m in table["method"]]
    colours = [METHOD_COLOURS[methods.index(str(m)) % len(METHOD_COLOURS)] for m in own["method"]]
    axes.barh(at, middle, color=colours, height=0.55, alpha=0.75)
    axes.hlines(at, low, high, color="#222222", linewidth=1.2)
    for ends in (low, high):
        axes.vlines(ends, at - 0.12, at + 0.12, color="#222222", linewidth=1.2)
    axes.axvline(0, color="#222222", linewidth=0.7)
    axes.set_yticks(at, [_label(str(m), letters, "\n") for m in own["method"]])
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.5)
    _plain(axes, letters)
    heading(
        axes,
        letters,
        ("本方法的 PAI 高出多少（95 % 区间）", "PAI of this method less that of each other, 95 % interval"),
        "(b)",
    )


def _draw_calibration(axes: Axes, what: HotspotDrawing, methods: list[str], letters: Lettering) -> None:
    """Draw finds per cell and month against what was expected, by classes of expectation."""
    table = calibration_of(what, "mean")
    known = table[(table["expected"] > 0) & (table["observed"] > 0) & (table["cells"] > 0)]
    x, y = (known[name].to_numpy(float) / known["cells"].to_numpy(float) for name in ("expected", "observed"))
    for i, method in enumerate(methods):
        own = known["method"].astype(str).eq(method).to_numpy()
        axes.plot(x[own], y[own], marker="o", markersize=3, linewidth=1.0, zorder=5 - min(i, 4), **_style(i))
    if len(known):
        ends = [min(x.min(), y.min()) * 0.8, max(x.max(), y.max()) * 1.25]
        axes.plot(ends, ends, color="#888888", linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
        for scaled in (axes.set_xscale, axes.set_yscale):
            scaled("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.set_minor_locator(NullLocator())
    axes.set_xlabel(
        letters.label(("预计（起/格·月）", "expected per cell and month")), fontproperties=letters.font(6.5), labelpad=1
    )
    axes.set_ylabel(letters.label(("实际", "observed")), fontproperties=letters.font(6.5), labelpad=1)
    axes.grid(color="#e4e4e4", linewidth=0.5)
    _plain(axes, letters)
    heading(axes, letters, ("校准：预计与实际（虚线为相等）", "calibration: on the dashed line both are equal"), "(c)")


def calibration_of(what: HotspotDrawing, kind: str) -> pd.DataFrame:
    """Return the rows of the table "calibration" of one kind; all where it has no kinds."""
    table = what.tables["calibration"]
    return table[table["kind"] == kind] if "kind" in table else table


def _write_methods(column: HotspotColumn, what: HotspotDrawing, methods: list[str]) -> None:
    column.title(("方法", "Methods: PAI · hit rate · PEI · log score"))
    for i, row in enumerate(what.tables["summary"].to_dict("records")):
        column.axes.plot([0, 0.08], [column.y, column.y], linewidth=2.0, **_style(i))
        column.put(0.11, _label(methods[i], column.letters), size=7.2, bold=True)
        column.y -= column.line
        said = (
            f"PAI {figure(row['pai'], 3)} · {hotspot_words.percent(row['hit_rate'])} · "
            f"PEI {figure(row['pei'])} · log {figure(row['log_score'], 3)}"
        )
        column.put(0.11, said, size=6.6)
        column.y -= column.line * 1.25
        won = row.get("pai_won")
        if won is not None and won == won:
            column.y += column.line * 0.25
            zh, en = f"本方法更好的月份占 {won:.0%}", f"this method better in {won:.0%} of {row['months']} months"
            column.put(0.11, column.letters.label((zh, en)), size=6.2, colour=PALE)
            column.y -= column.line * 1.25
    held = calibration_of(what, "interval")
    if len(held) and "kind" in held:
        column.title(("区间是否可信", "Do the intervals hold: promised, held"))
        for row in held.to_dict("records"):
            column.fact(f"{row['bin']}", f"{row['expected']:.1%} → {row['observed']:.1%}")
    column.title(("怎么读", "How to read this"))
    for words in _READING:
        column.paragraph(words, 6.4)
        column.y -= column.line * 0.25


def _plain(axes: Axes, letters: Lettering) -> None:
    """Give a chart thin spines and small letters that can write Chinese."""
    for side, edge in axes.spines.items():
        edge.set(color="#999999", linewidth=0.6, visible=side in ("left", "bottom"))
    axes.tick_params(length=2, width=0.5, color="#999999", pad=2)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_fontproperties(letters.font(6.4))
