"""The column beside the maps of a brief: legend, totals, and the areas with most people beyond reach."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from web import drawing
from web.drawing import CoverageDrawing
from web.fonts import Lettering, ems

INK, PALE = "#222222", "#666666"
LINE = 0.0245
WORST = 10


class Column:
    """A cursor that writes lines from the top down in axes of one by one: ``line`` apart, the next at ``y``."""

    def __init__(self, axes: Axes, letters: Lettering, line: float = LINE) -> None:
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_axis_off()
        self.axes, self.letters, self.line, self.y = axes, letters, line, 1.0

    def head(self, words: tuple[str, str]) -> None:
        """Write a heading, Chinese over English."""
        self.y -= self.line * 0.6
        for i, line in enumerate(words if self.letters.can(words[0]) else words[1:]):
            self.put(0, line, size=8 if i == 0 else 6.5, bold=i == 0, colour=INK if i == 0 else PALE)
            self.y -= self.line if i == 0 else self.line * 0.9

    def put(self, x: float, text: str, *, size: float = 7.2, bold: bool = False, right: bool = False,
            colour: str = INK) -> None:  # fmt: skip
        """Write a text in the current line, from ``x`` or up to it; the cursor stays."""
        self.axes.text(
            x, self.y, text, ha="right" if right else "left", va="center", color=colour,
            fontproperties=self.letters.font(size, bold=bold),
        )  # fmt: skip

    def swatch(self, colour: str, text: str) -> None:
        """Write what an area's colour means."""
        self.axes.add_patch(
            Rectangle(
                (0, self.y - self.line * 0.34),
                0.1,
                self.line * 0.68,
                facecolor=colour,
                edgecolor="#8193a6",
                linewidth=0.4,
            )
        )
        self.put(0.14, text)
        self.y -= self.line

    def stroke(self, colour: str, text: str) -> None:
        """Write what a line's colour means."""
        self.axes.plot([0, 0.1], [self.y, self.y], color=colour, linewidth=2.0)
        self.put(0.14, text)
        self.y -= self.line

    def mark(self, marker: str, size: float, words: tuple[str, str], *, hollow: bool = False) -> None:
        """Write what a mark means."""
        fill, edge = ("white", "#111111") if hollow else ("#111111", "white")
        self.axes.scatter([0.05], [self.y], s=size, marker=marker, c=fill, edgecolors=edge, linewidths=0.6)
        self.put(0.14, self.letters.label(words))
        self.y -= self.line


def write(axes: Axes, what: CoverageDrawing, level: str, letters: Lettering) -> None:
    """Write the column for the maps of ``what``, whose areas are drawn at ``level``."""
    column = Column(axes, letters)
    _legend(column, what, level)
    _totals(column, what)
    _worst(column, what, level)


def _legend(column: Column, what: CoverageDrawing, level: str) -> None:
    letters = column.letters
    column.head(drawing.share_words(what.measure, level))
    for colour, label in zip(drawing.SHARE_COLOURS, drawing.share_labels(), strict=True):
        column.swatch(colour, label)
    column.swatch(drawing.NO_ONE_COLOUR, letters.label(drawing.NO_ONE[what.measure]))
    column.head(drawing.STREETS)
    for one in drawing.time_classes(what.thresholds_s):
        column.stroke(one.colour, letters.label((one.zh, one.en)) if one.zh[0] not in "0123456789" else one.en)
    column.head(("设施", "Places"))
    column.mark("o", 14, ("服务点", "service point"))
    if what.has_planned:
        column.mark("o", 14, drawing.PLANNED, hollow=True)
    column.mark("s", 42, ("救助站", "rescue station"))


def _totals(column: Column, what: CoverageDrawing) -> None:
    """Write the share of people and of street length covered at each threshold."""
    letters, totals = column.letters, what.totals
    people, street_m = totals["people"].sum(), totals["street_m"].sum()
    column.head(("合计覆盖", "Covered in total"))
    column.put(0.62, letters.label(("人口", "people")), size=6.5, right=True, colour=PALE)
    column.put(1.0, letters.label(("街面", "streets")), size=6.5, right=True, colour=PALE)
    column.y -= LINE
    for t in what.thresholds_s:
        column.put(0, f"≤ {drawing.minutes(t)} min")
        column.put(0.62, _percent(totals[f"covered_people_{t}"].sum(), people), right=True)
        column.put(1.0, _percent(totals[f"covered_street_m_{t}"].sum(), street_m), right=True)
        column.y -= LINE
    column.put(0, letters.label(("共", "all")).split(" ")[0], colour=PALE)
    column.put(0.62, f"{people:,.0f}", right=True, colour=PALE)
    column.put(1.0, f"{street_m / 1000:,.0f} km", right=True, colour=PALE)
    column.y -= LINE


def _worst(column: Column, what: CoverageDrawing, level: str) -> None:
    """List the areas with most people (or street) beyond the longest threshold, as many as fit."""
    areas = what.areas[(what.areas["level"] == level).to_numpy()]
    whole, part, unit = {
        "people": ("people", "covered_people", 1.0),
        "street": ("street_m", "covered_street_m", 1000.0),
    }[what.measure]
    beyond = (areas[whole] - areas[f"{part}_{what.headline_s}"]).to_numpy(float) / unit
    order = np.argsort(-beyond, kind="stable")[:WORST]
    limit = drawing.minutes(what.headline_s)
    column.head(
        {
            "people": (f"{limit} 分钟外人口最多", f"Most people beyond {limit} min"),
            "street": (f"{limit} 分钟外街面最长", f"Most street km beyond {limit} min"),
        }[what.measure]
    )
    for i in order:
        if beyond[i] < 0.5 or column.y < 0:
            break
        row = areas.iloc[i]
        name = column.letters.name(str(row["name"]), str(row["code"]))
        column.put(0, name if ems(name) <= 15 else name[:14] + "…")
        column.put(1.0, f"{beyond[i]:,.0f}", right=True)
        column.y -= LINE


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole > 0 else "—"
