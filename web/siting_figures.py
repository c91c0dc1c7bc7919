"""The small figures of a siting page: bars of who gains, the curve of a frontier, the legend below the maps."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from web import drawing, siting_drawing, siting_words
from web.columns import UNITS
from web.fonts import Lettering, ems
from web.labels import shortened
from web.picture_column import INK, LINE, PALE, Column
from web.picture_maps import Scene, head
from web.picture_page import INCHES, Room
from web.siting_drawing import CLOSED_COLOUR, NEW_COLOUR, SitingDrawing
from web.siting_marks import draw_mark

#: Part of the page's height that a column with lines LINE apart is high; columns of bars beside one another.
COLUMN_HEIGHT, BAR_COLUMNS = 0.805, 3
WITHIN_COLOUR, BEYOND_COLOUR = drawing.SHARE_COLOURS[3], "#e8e8e4"


def who_gains(what: SitingDrawing, letters: Lettering, most: int) -> list[tuple[str, float, float]]:
    """Return (name, share before, share after) of the areas that gain most, the greatest gain first."""
    level, _ = what.areas_to_draw()
    areas = what.areas[(what.areas["level"] == level).to_numpy()]
    gain, before, after = what.gain(areas), what.share(areas, "before"), what.share(areas, "after")
    order = [i for i in np.argsort(-np.nan_to_num(gain), kind="stable")[:most] if gain[i] > 0]
    names = [letters.name(str(n), str(c)) for n, c in zip(areas["name"], areas["code"], strict=True)]
    return [(names[i], float(before[i]), float(after[i])) for i in order]


def bar_row(column: Column, name: str, before: float, after: float) -> None:
    """Write a line with a name, a bar of the share before, gained (or lost) and left, and the shares."""
    column.put(0, shortened(name, 10.5), size=6.9)
    low, high = min(before, after), max(before, after)
    changed = NEW_COLOUR if after >= before else CLOSED_COLOUR
    left, wide = 0.37, 0.3
    for start, end, colour in ((0.0, 1.0, BEYOND_COLOUR), (0.0, low, WITHIN_COLOUR), (low, high, changed)):
        place = (left + wide * start, column.y - column.line * 0.26)
        column.axes.add_patch(
            Rectangle(place, wide * max(end - start, 0.0), column.line * 0.52, facecolor=colour, linewidth=0)
        )
    column.put(1.0, f"{before:.1%} → {after:.1%}", size=6.9, right=True)
    column.y -= column.line


def draw_bars(figure: Figure, room: Room, what: SitingDrawing, letters: Lettering) -> None:
    """Draw which areas gain most, in columns beside one another."""
    left, bottom, width, height = room
    each, line = width / BAR_COLUMNS, LINE * COLUMN_HEIGHT / height
    lines = int(1 / line - 2.6)
    rows = who_gains(what, letters, lines * BAR_COLUMNS)
    for k in range(BAR_COLUMNS):
        part = rows[k * lines : (k + 1) * lines]
        if not part:
            return
        axes = figure.add_axes((left + k * each, bottom, each * 0.93, height))
        column = Column(axes, letters, line)
        if k == 0:
            column.head(("受益最多", f"Who gains most: share within {what.limit} min, before and gained"))
        column.y = 1 - 2.6 * line
        for row in part:
            bar_row(column, *row)


def draw_curve(figure: Figure, room: Room, what: SitingDrawing, letters: Lettering) -> None:
    """Draw a frontier: what each step of cost brings, or what serving the worst-off area better takes.

    Each plan is a mark, filled where it is proven best; against cost its number of points stands beside it.
    """
    left, bottom, width, height = room
    whole = figure.add_axes(room)
    whole.set_axis_off()
    steps, unit = what.tables["frontier"], what.plan["unit"]
    traded = "cost" if steps["cost"].nunique() > 1 else "worst_share"
    value_of = UNITS[unit]
    percent = 0.01 if unit == "share" else 1.0
    x = steps[traded].to_numpy(float) / (0.01 if traded == "worst_share" else 1.0)
    y = steps["value"].to_numpy(float) / value_of[3] / percent
    axes = figure.add_axes((left + 0.045, bottom + 0.075, width - 0.06, height - 0.14))
    axes.plot(x, y, color=NEW_COLOUR, linewidth=1.4, zorder=2)
    proven = steps["optimal"].to_numpy(bool)
    for chosen, fill in ((proven, NEW_COLOUR), (~proven, "white")):
        axes.scatter(x[chosen], y[chosen], s=30, c=fill, edgecolors=NEW_COLOUR, linewidths=1.2, zorder=3)
    numbered = range(0, len(steps), max(1, len(steps) // 12)) if traded == "cost" else ()
    for i in numbered:
        axes.annotate(
            f"{steps['count'].iloc[i]:.0f}", (x[i], y[i]), xytext=(4, -4), textcoords="offset points", va="top",
            color=INK, fontproperties=letters.font(7),
        )  # fmt: skip
    titles = {
        "cost": ("每一档费用带来什么", "what each step of cost brings"),
        "worst_share": ("覆盖总量与最差辖区", "coverage against the worst-off area"),
    }
    below = {"cost": ("费用", "cost"), "worst_share": ("最差辖区覆盖 %", "% covered in the worst-off area")}
    head(whole, letters, titles[traded])
    said = "%" if unit == "share" else letters.label(value_of[:2])
    axes.set_title(f"{what.limit} min: {said}", fontproperties=letters.font(7.5), color=INK, loc="left", pad=4)
    axes.set_xlabel(letters.label(below[traded]), fontproperties=letters.font(8), color=INK)
    key = ("实心者已证明最优", "filled: proven best")
    if traded == "cost":
        key = ("数字为新设点数；实心者已证明最优", "numbers: new points; filled: proven best")
    whole.text(0.55, 0.0, letters.label(key), ha="center", color=PALE, fontproperties=letters.font(6.5))
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(letters.font(7))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda v, _: f"{v:,g}")
    axes.margins(x=0.08, y=0.1)
    axes.grid(color="#e3e3df", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def draw_legend(axes: Axes, what: SitingDrawing, scene: Scene, letters: Lettering, *, streets: bool) -> None:
    """Draw the legend as lines: what colours of areas mean, and of streets where a map shows them, what marks mean."""
    box = axes.get_position()
    wide, high = box.width * INCHES[0] * 72, box.height * INCHES[1] * 72
    axes.set(xlim=(0, wide), ylim=(0, high))
    axes.set_axis_off()
    areas = len(scene.shapes) > 0 and not what.timed
    lines = (areas or what.timed) + streets + 1
    pitch = min(high / lines, 14.0)
    line = _Line(axes, letters, high - pitch / 2, pitch)
    if what.timed:
        line.head(("到达时间", "time"))
        for k in drawing.time_classes(siting_drawing.TIMES_S):
            line.stroke(k.colour, letters.label((k.zh, k.en)) if k.zh[0] not in "0123456789" else k.en)
        line.feed()
    if areas:
        line.head(drawing.share_words(what.measure, scene.level))
        for colour, label in zip(drawing.SHARE_COLOURS, drawing.share_labels(), strict=True):
            line.swatch(colour, label)
        line.swatch(drawing.NO_ONE_COLOUR, letters.label(drawing.NO_ONE[what.measure]))
        line.feed()
    if streets:
        words = siting_drawing.street_words(what)
        line.head(("街面", "streets"))
        for kind in sorted(set(scene.line_class.tolist())):
            line.stroke(siting_drawing.STREET_COLOURS[kind], letters.label(words[kind]))
        line.feed()
    for action in dict.fromkeys(what.shown_sites()["action"]):
        words = siting_words.ACTION_NAMES.get(action, (action, action))
        if action == "close":
            line.mark("X", 40, CLOSED_COLOUR, words)
        else:
            draw_mark(axes, line.x + 5, line.y, "1", action, letters, 9.5)
            line.say(14, letters.label(words))
    line.mark("o", 14, "#111111", ("现有服务点", "service point"))
    if what.has_planned:
        line.mark("o", 14, "white", drawing.PLANNED, edge="#111111")
    if scene.station.any():
        line.mark("s", 36, "#111111", ("救助站", "rescue station"))


class _Line:
    """A cursor that writes from left to right in lines ``pitch`` apart, in points."""

    def __init__(self, axes: Axes, letters: Lettering, y: float, pitch: float) -> None:
        self.axes, self.letters, self.x, self.y, self.pitch = axes, letters, 0.0, y, pitch

    def feed(self) -> None:
        self.x, self.y = 0.0, self.y - self.pitch

    def say(self, after: float, text: str, *, size: float = 6.8, colour: str = INK, gap: float = 11.0) -> None:
        self.axes.text(
            self.x + after, self.y, text, va="center", color=colour, fontproperties=self.letters.font(size)
        )  # fmt: skip
        self.x += after + ems(text) * size + gap

    def head(self, words: tuple[str, str]) -> None:
        self.say(0, self.letters.label(words), gap=8.0)

    def swatch(self, colour: str, text: str) -> None:
        self.axes.add_patch(
            Rectangle((self.x, self.y - 3.5), 14, 7, facecolor=colour, edgecolor=drawing.EDGE_COLOUR, linewidth=0.4)
        )
        self.say(17, text, gap=7.0)

    def stroke(self, colour: str, text: str) -> None:
        self.axes.plot([self.x, self.x + 14], [self.y, self.y], color=colour, linewidth=2.0)
        self.say(17, text, gap=9.0)

    def mark(self, marker: str, size: float, colour: str, words: tuple[str, str], edge: str = "white") -> None:
        self.axes.scatter([self.x + 5], [self.y], s=size, marker=marker, c=colour, edgecolors=edge, linewidths=0.6)
        self.say(14, self.letters.label(words))
