"""The column beside the maps of a siting page: how much is within reach, the sites, whom they leave out."""

from matplotlib.axes import Axes

from planner.siting import quantities
from web import siting_words
from web.fonts import Lettering, ems
from web.labels import shortened
from web.picture_column import INK, LINE, PALE, Column
from web.siting_drawing import CLOSED_COLOUR, SitingDrawing, added, place_of
from web.siting_figures import bar_row, who_gains
from web.siting_marks import draw_mark

#: Lines kept for whom the sites leave out, heading included, and the most areas listed there; how many of those that
#: gain are listed, fewer where there are many sites.
LEFT_LINES, MOST_LEFT, LEAST_GAINING, MOST_GAINING = 8.5, 5, 3, 8
_SIZE = 6.9


def write(axes: Axes, what: SitingDrawing, letters: Lettering, *, bars: bool) -> None:
    """Write the column. bars : whether it also shows which areas gain, for which the maps left no room."""
    column = Column(axes, letters)
    _totals(column, what)
    free = int(column.y / LINE - LEFT_LINES - 1.1 * len(what.shown_sites()) - 5)
    rows = who_gains(what, letters, min(max(free, LEAST_GAINING), MOST_GAINING)) if bars else []
    _sites(column, what, (LEFT_LINES + (len(rows) + 3 if rows else 0)) * LINE)
    if rows:
        column.head(("受益最多", "Who gains most"))
        for name, before, after in rows:
            bar_row(column, name, before, after)
    _left_out(column, what)


def _totals(column: Column, what: SitingDrawing) -> None:
    """Write the shares within the limit before and after, with a bar each."""
    letters, totals = column.letters, what.totals
    limit = what.limit
    column.head((f"{limit} 分钟内（蓝为之前，绿为新增）", f"Within {limit} min (blue: before, green: gained)"))
    for measure, whole in siting_words.COLUMNS.items():
        if not totals[whole] > 0:
            continue
        before, after = (totals[f"{whole}_{side}"] / totals[whole] for side in ("before", "after"))
        bar_row(column, letters.label(siting_words.DEMAND_OF[measure]), before, after)


def _sites(column: Column, what: SitingDrawing, kept: float) -> None:
    """List the sites with what each adds, as many as fit above ``kept``; the rest is counted."""
    letters, unit = column.letters, what.site_unit
    sites = what.shown_sites().to_dict("records")
    (does_zh, does_en), (zh, en) = siting_words.gain_verb(unit), quantities.unit_words(unit)
    column.head((f"点位与各自{does_zh}（{zh}）", f"Sites, and what each {does_en} once the others stand ({en})"))
    if not sites:
        column.put(0, letters.label(("没有变动", "no changes")), colour=PALE)
        column.y -= LINE
        return
    room = int((column.y - kept) / (LINE * 1.06))
    shown = sites if len(sites) <= room else sites[: room - 1]
    for site in shown:
        _mark(column, site)
        adds = added(site, unit)
        words = siting_words.ACTION_NAMES.get(site["action"], (site["action"], site["action"]))
        action = "" if site["action"] == "build" else (words[0] if letters.can(words[0]) else words[1]) + " "
        most = (21 if adds else 26) - ems(action)
        name = letters.name(place_of(site, most), str(site["code"]))
        column.put(0.075, action + shortened(name, most), size=_SIZE)
        column.put(1.0, adds, size=_SIZE, right=True)
        column.y -= LINE * 1.06
    if len(shown) < len(sites):
        more = len(sites) - len(shown)
        column.put(0.075, letters.label((f"另有 {more} 个见表格", f"{more} more in the tables")), size=6.5, colour=PALE)
        column.y -= LINE


def _mark(column: Column, site: dict[str, object]) -> None:
    if site["action"] == "close":
        column.axes.scatter(
            [0.025], [column.y], s=40, marker="X", c=CLOSED_COLOUR, edgecolors="white", linewidths=0.6
        )  # fmt: skip
    else:
        draw_mark(column.axes, 0.025, column.y, str(site["mark"]), str(site["action"]), column.letters, 10.0)


def _left_out(column: Column, what: SitingDrawing) -> None:
    """List the areas with most demand still beyond reach, as many as fit."""
    letters, unit = column.letters, siting_words.demand_unit(what.parameters)
    rows = what.left_out(MOST_LEFT)
    if not rows:
        return
    never = any(row["unreachable"] > 0 for row in rows)
    if never:
        words = ("候选点都不可达", "no candidate reaches")
        for text, below in zip(words if letters.can(words[0]) else words[1:], (0.6, 1.6), strict=False):
            column.axes.text(1.0, column.y - below * LINE, text, ha="right", va="center", color=PALE,
                             fontproperties=letters.font(6))  # fmt: skip
    zh, en = quantities.unit_words(unit)
    column.head((f"仍在 {what.limit} 分钟外（{zh}）", f"Still beyond {what.limit} min ({en})"))
    for row in rows:
        if column.y < LINE * 0.5:
            return
        column.put(0, shortened(letters.name(str(row["name"]), str(row["area_code"])), 15), size=_SIZE)
        column.put(0.72 if never else 1.0, quantities.figure(row["people"], unit), size=_SIZE, right=True, colour=INK)
        if never:
            column.put(1.0, quantities.figure(row["unreachable"], unit), size=_SIZE, right=True, colour=PALE)
        column.y -= LINE
