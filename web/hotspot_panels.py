"""What pictures of hotspots draw: cells of a view, streets of a view, a close-up of the hottest part."""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from web import drawing
from web.fonts import Lettering
from web.hotspot_classes import HATCH_COLOUR, HOT_EDGE, View
from web.hotspot_drawing import HotspotDrawing, metric
from web.hotspot_map import hot_edges
from web.picture_maps import Frame, Scene, draw_lines, outlines_of, scene_of, stroke
from web.picture_page import INCHES, Room

HATCH = "//////"
#: Cells of fewer points across are drawn without edges.
LEAST_EDGED = 4.5
#: Height of a panel's two lines of heading, inches.
HEAD_INCHES = 0.34
#: A close-up shows about this part of the city's width, but no less and no more than so many metres.
CLOSE_PART, CLOSE_LEAST_M, CLOSE_MOST_M = 0.28, 1500.0, 6000.0


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A scene with its cells: outlines (n,) in metres as paths, and the edges of significant hot spots."""

    scene: Scene
    cells: NDArray[np.object_]
    edges: NDArray[np.object_]

    def points_wide(self, scale: float) -> float:
        """Return how wide a cell is on paper, in points. scale : metres per point."""
        placed = self.cells[~shapely.is_missing(self.cells)]
        return float(np.median(np.sqrt(shapely.area(placed)))) / scale if len(placed) else 0.0


def ground_of(what: HotspotDrawing, letters: Lettering) -> Ground:
    """Project what is drawn to metres, framed by areas, or by cells where these reach farther or stand alone."""
    scene = scene_of(what, letters)
    cells = metric(what.cells.geometry.to_numpy(), scene.crs) if len(what.cells) else np.empty(0, object)
    placed = cells[~shapely.is_missing(cells)]
    asked = what.parameters.get("within")
    if len(placed) and (asked or not len(scene.shapes)):
        scene = replace(scene, frame=_frame(placed))
    elif len(scene.shapes):
        scene = replace(scene, frame=_frame(np.concatenate([scene.shapes, placed])))
    return Ground(scene, cells, metric(hot_edges(what), scene.crs))


def _frame(shapes: NDArray[np.object_]) -> Frame:
    left, bottom, right, top = (float(v) for v in shapely.total_bounds(shapes))
    return left, bottom, right, top


def window_axes(figure: Figure, room: Room, window: Frame) -> tuple[Axes, float]:
    """Return framed axes in ``room``, a heading's height kept above them, that show ``window`` at one scale.

    The window is widened to the room's shape. Returns the axes and metres per point (1/72 inch).
    """
    left, bottom, wide, high = room
    high -= HEAD_INCHES / INCHES[1]
    axes = figure.add_axes((left, bottom, wide, high))
    points_wide, points_high = wide * INCHES[0] * 72, high * INCHES[1] * 72
    scale = max((window[2] - window[0]) / points_wide, (window[3] - window[1]) / points_high, 1e-3)
    middle = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
    axes.set_xlim(middle[0] - points_wide * scale / 2, middle[0] + points_wide * scale / 2)
    axes.set_ylim(middle[1] - points_high * scale / 2, middle[1] + points_high * scale / 2)
    axes.set(xticks=[], yticks=[])
    axes.set_facecolor("#fbfaf7")
    for edge in axes.spines.values():
        edge.set(color="#999999", linewidth=0.6)
    return axes, scale


def widened(frame: Frame, part: float = 0.02) -> Frame:
    """Return a frame with a margin."""
    margin = max(frame[2] - frame[0], frame[3] - frame[1]) * part
    return frame[0] - margin, frame[1] - margin, frame[2] + margin, frame[3] + margin


def heading(axes: Axes, letters: Lettering, words: tuple[str, str], mark: str = "") -> None:
    """Write a panel's heading above it, Chinese over English; mark : (a), (b)..."""
    zh, en = words if letters.can(words[0]) else (words[1], "")
    zh = f"{mark} {zh}".strip()
    for text, lift, size, bold, ink in ((zh, 12, 8.5, True, "#111111"), (en, 3.2, 6.6, False, "#666666")):
        axes.annotate(
            text, (0, 1), xycoords="axes fraction", xytext=(0, lift), textcoords="offset points", va="bottom",
            color=ink, fontproperties=letters.font(size, bold=bold), annotation_clip=False,
        )  # fmt: skip


def draw_cells(axes: Axes, ground: Ground, view: View, scale: float) -> None:
    """Draw the cells by the view's classes; hatched ones as one path, so that the lines run through.

    scale : metres per point (1/72 inch). Cells too small for an edge get none.
    """
    edged = ground.points_wide(scale) >= LEAST_EDGED
    for k, look in enumerate(view.looks):
        chosen = ground.cells[view.of == k]
        chosen = chosen[~shapely.is_missing(chosen)]
        if not len(chosen):
            continue
        paths = outlines_of(chosen)
        # without an edge of their own colour, neighbours would show a hair of paper between them
        ink, edge = (drawing.EDGE_COLOUR, 0.3) if edged else (look.colour, 0.2)
        if look.hatched:
            one = Outline.make_compound_path(*paths)
            made = PathCollection(
                [one],
                facecolors="white",
                edgecolors=HATCH_COLOUR,
                linewidths=edge if edged else 0,
                hatch=HATCH,
                zorder=2,
            )
            made.set_hatch_linewidth(0.45)
        else:
            made = PathCollection(paths, facecolors=look.colour, edgecolors=ink, linewidths=edge, zorder=2)
        axes.add_collection(made, autolim=False)


def draw_hot_edges(axes: Axes, ground: Ground, scale: float) -> None:
    """Draw the outlines of significant hot spots, thinner where cells are small. scale : metres per point."""
    if len(ground.edges):
        stroke(axes, ground.edges, HOT_EDGE, float(np.clip(ground.points_wide(scale) * 0.09, 0.4, 1.1)))
        axes.collections[-1].set_zorder(4)


def draw_areas(axes: Axes, ground: Ground, width: float = 0.5) -> None:
    """Draw the boundaries of the areas whose names are shown."""
    parts = shapely.get_parts(shapely.boundary(ground.scene.shapes))
    parts = parts[~shapely.is_empty(parts)]
    if len(parts):
        stroke(axes, parts, drawing.OUTLINE_COLOUR, width)
        axes.collections[-1].set_zorder(3)


def draw_streets(axes: Axes, ground: Ground, view: View, window: Frame, scale: float, width: float) -> None:
    """Draw the streets near ``window`` by the view's classes, the least below."""
    lines = ground.scene.lines
    near = shapely.intersects(shapely.box(*window), lines)
    thin = shapely.simplify(lines[near], scale * 0.2, preserve_topology=False)
    for k, look in enumerate(view.looks):
        chosen = thin[view.of[near] == k]
        if len(chosen):
            stroke(axes, chosen, look.colour, width * (0.6 if k == 0 else 1.0))
            axes.collections[-1].set_zorder(2 + k * 0.1)


def draw_faint_streets(axes: Axes, ground: Ground, scale: float) -> None:
    """Draw all streets as a texture to find one's way by."""
    scene = replace(ground.scene, line_class=np.zeros(len(ground.scene.lines), np.int64))
    if len(scene.lines):
        draw_lines(axes, scene, ["#d9d7cf"], scale)


def hottest_window(ground: Ground, weight: NDArray[np.float64], shape: float) -> Frame:
    """Return the window, ``shape`` times as wide as high, with the most weight of streets in it.

    weight : (m,) of each line of the scene; NaN is nothing.
    """
    left, bottom, right, top = ground.scene.frame
    wide = min(max((right - left) * CLOSE_PART, CLOSE_LEAST_M), CLOSE_MOST_M, max(right - left, 1.0))
    high = wide / shape
    step = max(min(wide, high) / 4, 1.0)
    middle = shapely.get_coordinates(shapely.centroid(ground.scene.lines))
    columns, rows = (max(int(np.ceil(v / step)), 1) for v in (right - left, top - bottom))
    if not len(middle):
        return left, bottom, left + wide, bottom + high
    sums, _, _ = np.histogram2d(
        middle[:, 0], middle[:, 1], bins=(columns, rows),
        range=((left, left + columns * step), (bottom, bottom + rows * step)), weights=np.nan_to_num(weight),
    )  # fmt: skip
    across, up = min(round(wide / step), columns), min(round(high / step), rows)
    total = np.pad(sums, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    box = total[across:, up:] - total[:-across, up:] - total[across:, :-up] + total[:-across, :-up]
    column, row = np.unravel_index(int(np.argmax(box)), box.shape)
    x, y = left + column * step, bottom + row * step
    return x, y, x + wide, y + high
