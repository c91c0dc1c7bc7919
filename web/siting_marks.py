"""Numbered sites on a drawn map: each at its place or beside it with a line back, none over another."""

from dataclasses import dataclass

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gis.crs import to_metric
from web.fonts import Lettering
from web.labels import place
from web.picture_maps import Scene
from web.siting_drawing import CLOSED_COLOUR, NEW_COLOUR, SitingDrawing

#: Diameter of a mark and size of its number, in points; smaller where there are many.
SIZE, NUMBER, MANY = 11.5, 6.6, 25
_RINGS = (1.0, 1.7, 2.5, 3.4)
_HALO = (effects.withStroke(linewidth=2.2, foreground="white"),)
_MARKERS = {"convert": "s"}


@dataclass(frozen=True, slots=True, eq=False)
class MarksOnMap:
    """Where k numbered sites are drawn, in the map's metres.

    at_x, at_y : (k,) their places. x, y : (k,) where the numbers go. text, action : (k,) words.
    closed_x, closed_y : (c,) points to cross out. boxes : (k + c, 4) in use. size : of a number's mark in points.
    """

    at_x: NDArray[np.float64]
    at_y: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    text: list[str]
    action: list[str]
    closed_x: NDArray[np.float64]
    closed_y: NDArray[np.float64]
    boxes: NDArray[np.float64]
    size: float


def marks_on_map(what: SitingDrawing, scene: Scene, scale: float) -> MarksOnMap:
    """Place the marks of the sites that may be shown. scale : metres per point (1/72 inch).

    A number stays at its place where it has room there; else it moves in rings about it; where nothing is free it
    stays and lies under lower numbers.
    """
    sites = what.shown_sites()
    x, y = to_metric(sites["lon"].to_numpy(float), sites["lat"].to_numpy(float), scene.crs)
    closed = sites["action"].eq("close").to_numpy()
    size = SIZE if len(sites) <= MANY else SIZE * 0.82
    wide = size * scale
    turns = np.arange(12) * np.pi / 6
    steps = np.array([(0.0, 0.0), *((r * np.cos(t), r * np.sin(t)) for r in _RINGS for t in turns)]) * wide
    at_x, at_y = x[~closed], y[~closed]
    may_x, may_y = at_x[:, None] + steps[:, 0], at_y[:, None] + steps[:, 1]
    width = np.full(len(at_x), wide)
    crosses = _boxes(x[closed], y[closed], 4 * scale)
    chosen = place(may_x, may_y, width, width, np.full(len(at_x), np.inf), crosses)
    row = np.arange(len(at_x))
    mark_x, mark_y = may_x[row, np.maximum(chosen, 0)], may_y[row, np.maximum(chosen, 0)]
    shown = sites[~closed]
    return MarksOnMap(
        at_x, at_y, mark_x, mark_y, shown["mark"].tolist(), shown["action"].tolist(), x[closed], y[closed],
        np.vstack([_boxes(mark_x, mark_y, wide / 2), crosses]), size,
    )  # fmt: skip


def _boxes(x: NDArray[np.float64], y: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    return np.column_stack([x - half, y - half, x + half, y + half])


def draw_marks(axes: Axes, marks: MarksOnMap, letters: Lettering) -> None:
    """Draw the marks, the lowest number on top, over everything else on the map."""
    axes.scatter(
        marks.closed_x, marks.closed_y, s=46, marker="X", c=CLOSED_COLOUR, edgecolors="white", linewidths=0.8, zorder=9
    )
    for i in range(len(marks.text))[::-1]:
        if (marks.x[i], marks.y[i]) != (marks.at_x[i], marks.at_y[i]):
            to_x, to_y = [marks.at_x[i], marks.x[i]], [marks.at_y[i], marks.y[i]]
            axes.plot(to_x, to_y, color="#111111", linewidth=0.8, zorder=9, path_effects=_HALO)
            axes.scatter([marks.at_x[i]], [marks.at_y[i]], s=6, c=NEW_COLOUR, edgecolors="white", linewidths=0.4,
                         zorder=9)  # fmt: skip
        draw_mark(axes, marks.x[i], marks.y[i], marks.text[i], marks.action[i], letters, marks.size)


def draw_mark(
    axes: Axes, x: float, y: float, text: str, action: str, letters: Lettering, size: float = SIZE
) -> None:  # fmt: skip
    """Draw one numbered mark: a disc, a square for a conversion, a ring for an upgrade."""
    hollow = action == "upgrade"
    axes.scatter(
        [x], [y], s=size**2, marker=_MARKERS.get(action, "o"), c="white" if hollow else NEW_COLOUR,
        edgecolors=NEW_COLOUR if hollow else "white", linewidths=0.9, zorder=10,
    )  # fmt: skip
    axes.text(
        x, y, text, ha="center", va="center_baseline", zorder=10, clip_on=True,
        color=NEW_COLOUR if hollow else "white",
        fontproperties=letters.font(NUMBER * size / SIZE * (1 if len(text) < 3 else 0.8), bold=True),
    )  # fmt: skip
