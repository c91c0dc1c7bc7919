"""The picture for a brief: one A4 page with shares by area, time along every street, legend and totals."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib.patheffects as effects
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from gis.crs import metric_crs, to_metric
from web import drawing, picture_column
from web.drawing import CoverageDrawing
from web.fonts import NO_CHINESE_FONT, Lettering, ems, lettering
from web.labels import place, round_length, wrap

INCHES = (11.69, 8.27)  # A4, landscape
DOTS_PER_INCH = 180
#: The room for the two maps on the page: left, bottom, width, height in parts of the page; the gap between them.
MAP_ROOM, GAP = (0.02, 0.085, 0.745, 0.755), 0.012
LABEL_SIZE = 6.2
MOST_LABELS = 300
#: Classes of share from here on are too dark for dark letters.
DARK_CLASS = 3
_HALO = (effects.withStroke(linewidth=1.8, foreground="white"),)
_DARK_HALO = (effects.withStroke(linewidth=1.5, foreground=drawing.SHARE_COLOURS[-1]),)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What both maps draw, in metres of the city's own zone.

    shapes, names, share : (a,) of the drawn areas. lines, seconds : (m,). x, y, station : (k,) points.
    frame : (left, bottom, right, top) that holds it all.
    """

    level: str
    shapes: NDArray[np.object_]
    names: list[str]
    share: NDArray[np.float64]
    outlines: NDArray[np.object_]
    lines: NDArray[np.object_]
    seconds: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    station: NDArray[np.bool_]
    frame: tuple[float, float, float, float]


def coverage_picture(what: CoverageDrawing, path: Path) -> None:
    """Write a coverage result as an A4 PNG with Chinese labels.

    One map shows areas of ``what.level`` by the share covered at the longest threshold, the other every street by the
    time from its farthest spot; beside them stand the legend, totals and the areas with most people beyond reach.
    Where the machine has no Chinese font the page says so and shows codes. Withheld points are left out. The same
    input on the same machine gives the same bytes.
    """
    letters = lettering()
    scene = _scene(what, letters)
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    _write_title(figure, what, letters)
    for draw, room in zip((_draw_shares, _draw_streets), _rooms(scene.frame), strict=True):
        axes = figure.add_axes(room)
        metres_per_point = _fit(axes, scene.frame, room)
        draw(axes, scene, what, letters, metres_per_point)
    picture_column.write(figure.add_axes((0.785, 0.075, 0.2, 0.8)), what, scene.level, letters)
    _write_foot(figure, what, letters)
    canvas.print_png(str(path), metadata={"Software": None})


def _scene(what: CoverageDrawing, letters: Lettering) -> _Scene:
    level, areas = what.areas_to_draw()
    segments = what.segments[~what.segments.geometry.isna().to_numpy()]
    points = what.shown_points()
    everything = [t.total_bounds for t in (areas, segments, points) if len(t)]
    west, south, east, north = everything[0] if everything else (118.0, 32.0, 118.1, 32.1)
    crs = metric_crs((west + east) / 2, (south + north) / 2)

    def metric(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
        return shapely.transform(geometry, lambda c: np.column_stack(to_metric(c[:, 0], c[:, 1], crs)))

    shapes = metric(areas.geometry.to_numpy())
    lines = metric(segments.geometry.to_numpy())
    at = metric(points.geometry.to_numpy())
    known = [g for g in (shapes, lines, at) if len(g)]
    frame = tuple(shapely.total_bounds(known[0])) if known else (0.0, 0.0, 1000.0, 1000.0)
    districts = metric(what.at_level("district").geometry.to_numpy()) if level != "district" else shapes
    return _Scene(
        level=level,
        shapes=shapes,
        names=[letters.name(str(n), str(c)) for n, c in zip(areas["name"], areas["code"], strict=True)],
        share=drawing.shares(areas, what.measure, what.headline_s),
        outlines=shapely.boundary(districts),
        lines=lines,
        seconds=segments["longest_s"].to_numpy(float),
        x=shapely.get_x(at),
        y=shapely.get_y(at),
        station=points["kind"].eq(drawing.STATION).to_numpy() if "kind" in points else np.zeros(len(at), bool),
        frame=frame,
    )


def _rooms(frame: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
    """Split the maps' room side by side, or one above the other where that draws a wide city larger."""
    left, bottom, width, height = MAP_ROOM
    wide, high = frame[2] - frame[0], frame[3] - frame[1]
    inch_wide, inch_high = width * INCHES[0], height * INCHES[1]
    beside = min(inch_wide / 2 / wide, inch_high / high) if min(wide, high) > 0 else 1.0
    above = min(inch_wide / wide, inch_high / 2 / high) if min(wide, high) > 0 else 0.0
    if above > beside * 1.05:
        half = (height - GAP) / 2
        return [(left, bottom + half + GAP, width, half), (left, bottom, width, half)]
    half = (width - GAP) / 2
    return [(left, bottom, half, height), (left + half + GAP, bottom, half, height)]


def _fit(axes: Axes, frame: tuple[float, float, float, float], room: tuple[float, float, float, float]) -> float:
    """Set the axes so that the frame fills the room at one scale; return metres per point (1/72 inch)."""
    left, bottom, right, top = frame
    points_wide, points_high = room[2] * INCHES[0] * 72, room[3] * INCHES[1] * 72
    scale = max((right - left) / points_wide, (top - bottom) / (points_high - 16), 1e-3) * 1.03
    x, y = (left + right) / 2, (bottom + top) / 2 + 8 * scale
    axes.set_xlim(x - points_wide * scale / 2, x + points_wide * scale / 2)
    axes.set_ylim(y - points_high * scale / 2, y + points_high * scale / 2)
    axes.set_axis_off()
    return scale


def _draw_shares(axes: Axes, scene: _Scene, what: CoverageDrawing, letters: Lettering, scale: float) -> None:
    palette = np.array([*drawing.SHARE_COLOURS, drawing.NO_ONE_COLOUR])
    colours = palette[drawing.share_class(scene.share)]
    axes.add_collection(
        PathCollection(_outlines_of(scene.shapes), facecolors=colours, edgecolors=drawing.EDGE_COLOUR, linewidths=0.35)
    )
    _draw_outlines(axes, scene, 0.8)
    _draw_points(axes, scene, letters)
    _draw_names(axes, scene, letters, scale)
    limit = drawing.minutes(what.headline_s)
    zh, en = drawing.share_words(what.measure, scene.level)
    _head(axes, letters, (f"{limit} 分钟内：{zh}", f"{en}, within {limit} min"))
    _draw_scale_and_north(axes, scene, letters, scale)


def _draw_streets(axes: Axes, scene: _Scene, what: CoverageDrawing, letters: Lettering, scale: float) -> None:
    classes = drawing.time_classes(what.thresholds_s)
    found = drawing.time_class(scene.seconds, classes)
    axes.add_collection(PathCollection(_outlines_of(scene.shapes), facecolors=drawing.GROUND_COLOUR, edgecolors="none"))
    # a street of a pixel or less gains nothing from more vertices, and a dense network needs thin lines
    lines = shapely.simplify(scene.lines, scale * 0.2, preserve_topology=False)
    metres = float(shapely.length(scene.lines).sum())
    page_points = max((scene.frame[2] - scene.frame[0]) * (scene.frame[3] - scene.frame[1]), 1.0) / scale
    width = float(np.clip(0.16 * page_points / max(metres, 1.0), 0.3, 1.4))
    for position in range(len(classes))[::-1]:
        chosen = lines[found == position]
        if len(chosen):
            axes.add_collection(
                LineCollection(_vertices(chosen), colors=classes[position].colour, linewidths=width, capstyle="round")
            )
    _draw_outlines(axes, scene, 0.5)
    _draw_points(axes, scene, letters)
    _head(axes, letters, drawing.STREETS)


def _vertices(lines: NDArray[np.object_]) -> list[NDArray[np.float64]]:
    ends = np.cumsum(shapely.get_num_coordinates(lines))
    return np.split(shapely.get_coordinates(lines), ends[:-1])


def _outlines_of(shapes: NDArray[np.object_]) -> list[Outline]:
    """Turn each (multi)polygon into one compound path, holes included."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    # holes must run against their shells: a path is filled by winding number
    parts = shapely.orient_polygons(parts)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    coordinates = shapely.get_coordinates(rings)
    size = shapely.get_num_coordinates(rings)
    codes = np.full(len(coordinates), Outline.LINETO, Outline.code_type)
    ends = np.cumsum(size)
    codes[ends - size], codes[ends - 1] = Outline.MOVETO, Outline.CLOSEPOLY
    vertices_of = np.searchsorted(np.repeat(owner[ring_part], size), np.arange(len(shapes) + 1))
    return [
        Outline(coordinates[a:b], codes[a:b]) if b > a else Outline(np.zeros((0, 2))) for a, b in pairwise(vertices_of)
    ]


def _draw_outlines(axes: Axes, scene: _Scene, width: float) -> None:
    parts = shapely.get_parts(shapely.line_merge(scene.outlines))
    parts = parts[~shapely.is_empty(parts)]
    if len(parts):
        axes.add_collection(LineCollection(_vertices(parts), colors=drawing.OUTLINE_COLOUR, linewidths=width))


def _draw_points(axes: Axes, scene: _Scene, letters: Lettering) -> None:
    spot, station = ~scene.station, scene.station
    size = 9.0 if spot.sum() < 150 else 4.0
    axes.scatter(scene.x[spot], scene.y[spot], s=size, c="#111111", edgecolors="white", linewidths=0.5, zorder=5)
    axes.scatter(
        scene.x[station], scene.y[station], s=42, marker="s", c="#111111", edgecolors="white", linewidths=0.7, zorder=6
    )
    letter = letters.label(("站", "S"))[0]
    for x, y in zip(scene.x[station], scene.y[station], strict=True):
        axes.text(
            x, y, letter, color="white", ha="center", va="center_baseline", zorder=7, fontproperties=letters.font(4.6)
        )


def _draw_names(axes: Axes, scene: _Scene, letters: Lettering, scale: float) -> None:
    """Write names and shares where there is room, the largest areas first, over no other name and no mark."""
    order = np.argsort(-shapely.area(scene.shapes), kind="stable")[:MOST_LABELS]
    if not len(order):
        return
    names = [scene.names[i] for i in order]
    texts = [
        n + ("" if np.isnan(s) else "\n" + _short_percent(s)) for n, s in zip(names, scene.share[order], strict=True)
    ]
    em = LABEL_SIZE * scale
    width = np.array([ems(n) + 0.4 for n in names]) * em
    height = np.array([1.25 * (1 + t.count("\n")) for t in texts]) * em
    x, y, room = _label_places(scene.shapes[order], width, height, scale)
    marks = np.column_stack([scene.x, scene.y])
    half = np.where(scene.station, 4.0, 2.0 if len(marks) < 150 else 0.0)[:, None] * scale
    chosen = place(x, y, width, height, room, np.hstack([marks - half, marks + half]))
    dark = drawing.share_class(scene.share[order]) >= DARK_CLASS
    for i in np.flatnonzero(chosen >= 0):
        axes.text(
            x[i, chosen[i]], y[i, chosen[i]], texts[i], ha="center", va="center", linespacing=1.1, zorder=8,
            color="white" if dark[i] else "#111111", fontproperties=letters.font(LABEL_SIZE),
            path_effects=_DARK_HALO if dark[i] else _HALO,
        )  # fmt: skip


def _label_places(
    shapes: NDArray[np.object_], width: NDArray[np.float64], height: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (k, 9) x and y a label may take, inside its area's largest part, best first, and the (k,) room it has."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    by_size = np.lexsort((-shapely.area(parts), owner))
    largest = shapely.simplify(parts[by_size[np.unique(owner[by_size], return_index=True)[1]]], scale * 2)
    middle = shapely.maximum_inscribed_circle(largest, scale * 4)
    centre = shapely.get_coordinates(shapely.get_point(middle, 0))
    steps = np.array([(0, 0), (0, 0.6), (0, -0.6), (0, 1.1), (0, -1.1), (0.4, 0), (-0.4, 0), (0.4, 0.6), (-0.4, -0.6)])
    x = centre[:, :1] + steps[:, 0] * width[:, None]
    y = centre[:, 1:] + steps[:, 1] * height[:, None]
    outside = ~shapely.contains_xy(largest[:, None], x, y)
    outside[:, 0] = False
    bounds = shapely.bounds(largest)
    room = np.maximum(bounds[:, 2] - bounds[:, 0], shapely.length(middle) * 2) * 1.05
    return np.where(outside, np.nan, x), np.where(outside, np.nan, y), room


def _short_percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def _head(axes: Axes, letters: Lettering, words: tuple[str, str]) -> None:
    zh, en = words if letters.can(words[0]) else (words[1], "")
    axes.text(
        0.5, 1.0, zh, transform=axes.transAxes, ha="center", va="bottom", fontproperties=letters.font(9, bold=True)
    )
    axes.text(
        0.5, 0.995, en, transform=axes.transAxes, ha="center", va="top", color="#666666",
        fontproperties=letters.font(7),
    )  # fmt: skip


def _draw_scale_and_north(axes: Axes, scene: _Scene, letters: Lettering, scale: float) -> None:
    """Draw a scale bar below and a north arrow above it, in the lower corner that hides less of the city."""
    (left, right), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    length = round_length((right - left) * 0.3)
    margin, high = 6 * scale, 46 * scale
    corners = [left + margin, right - margin - length]
    hidden = [shapely.area(shapely.intersection(scene.shapes, shapely.box(x, bottom, x + length, bottom + high))).sum()
              for x in corners]  # fmt: skip
    x, y = corners[int(np.argmin(hidden))], bottom + margin
    tick = 3 * scale
    axes.plot([x, x, x + length, x + length], [y + tick, y, y, y + tick], color="#222222", linewidth=1.0, zorder=9)
    said = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    middle = x + length / 2
    axes.text(
        middle, y + tick, said, ha="center", va="bottom", zorder=9, fontproperties=letters.font(7), path_effects=_HALO
    )
    foot, tip = y + 18 * scale, y + 34 * scale
    arrow = [(middle - 4.5 * scale, foot), (middle, foot + 4 * scale), (middle + 4.5 * scale, foot), (middle, tip)]
    axes.fill(*zip(*arrow, strict=True), color="#222222", zorder=9)
    axes.text(
        middle, tip, letters.label(("北 N", "N")).split(" N N")[0], ha="center", va="bottom", zorder=9,
        fontproperties=letters.font(7), path_effects=_HALO,
    )  # fmt: skip


def _write_title(figure: Figure, what: CoverageDrawing, letters: Lettering) -> None:
    city = letters.name(what.city, "")
    title = f"{city} {letters.label(drawing.TITLE)}".strip()
    figure.text(0.02, 0.965, title, va="top", color="#111111", fontproperties=letters.font(17, bold=True))
    dated = letters.label(("数据日期", "data of")) + f" {what.data_date}" if what.data_date else ""
    asked = " · ".join(part for part in (letters.label(what.question), dated) if part)
    at = 0.02
    for flag in what.flags:
        words = letters.label(flag)
        figure.text(
            at + 0.004, 0.9, words, va="center", color="#7a3000", fontproperties=letters.font(8, bold=True),
            bbox={"boxstyle": "round,pad=0.3", "facecolor": "#ffe9d6", "edgecolor": "#e9b588", "linewidth": 0.6},
        )  # fmt: skip
        at += (ems(words) * 8 + 16) / 72 / INCHES[0]
    figure.text(at, 0.9, asked, va="center", color="#555555", fontproperties=letters.font(9))


def _write_foot(figure: Figure, what: CoverageDrawing, letters: Lettering) -> None:
    """Write sources, warnings and as many notes as fit in four small lines; the tables hold them all."""
    size, most = 6.2, 4
    width = 0.96 * INCHES[0] * 72 / size
    sources = [letters.text(part) for part in drawing.sources(what)]
    notes = [letters.label(note) for note in what.notes]
    missing = [] if letters.chinese else [NO_CHINESE_FONT]
    lines = wrap(" · ".join([*missing, *sources]), width)
    for note in notes:
        lines += wrap(note, width)
    if len(lines) > most:
        lines[most - 1 :] = [letters.label(("其余说明见表格。", "Further notes are in the tables."))]
    figure.text(
        0.02, 0.068, "\n".join(lines), va="top", color="#666666", linespacing=1.3, fontproperties=letters.font(size)
    )
