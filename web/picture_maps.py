"""The two maps of a brief's page: areas by share covered, and every street by time."""

import itertools
from dataclasses import dataclass

import matplotlib.patheffects as effects
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from gis.crs import metric_crs, to_metric
from web import drawing
from web.drawing import CoverageDrawing, Drawing
from web.fonts import Lettering, ems
from web.labels import place, round_length

LABEL_SIZE = 6.2
MOST_LABELS = 300
#: Lines drawn as one path; a single path of a whole city would exceed what the renderer holds.
LINES_A_PATH = 1000
#: Classes of share from here on are too dark for dark letters.
DARK_CLASS = 3
_HALO = (effects.withStroke(linewidth=1.8, foreground="white"),)
_DARK_HALO = (effects.withStroke(linewidth=1.5, foreground=drawing.SHARE_COLOURS[-1]),)
NOTHING = np.empty((0, 4))
Frame = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What both maps draw, in metres of the city's own zone.

    shapes, paths, names, share : (a,) of the drawn areas. lines, line_class : (m,).
    x, y, station, planned : (k,) points. frame : (left, bottom, right, top) that holds it all. crs : of the metres.
    """

    level: str
    shapes: NDArray[np.object_]
    paths: list[Outline]
    names: list[str]
    share: NDArray[np.float64]
    outlines: NDArray[np.object_]
    lines: NDArray[np.object_]
    line_class: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    station: NDArray[np.bool_]
    planned: NDArray[np.bool_]
    frame: Frame
    crs: str


def scene_of(what: Drawing, letters: Lettering) -> Scene:
    """Project what is drawn to metres; a result without anything placed gets an empty kilometre."""
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
    return Scene(
        level=level,
        shapes=shapes,
        paths=outlines_of(shapes),
        names=[letters.name(str(n), str(c)) for n, c in zip(areas["name"], areas["code"], strict=True)],
        share=what.area_shares(areas),
        outlines=shapely.boundary(districts),
        lines=lines,
        line_class=what.line_classes(segments),
        x=shapely.get_x(at),
        y=shapely.get_y(at),
        station=points["kind"].eq(drawing.STATION).to_numpy() if "kind" in points else np.zeros(len(at), bool),
        planned=drawing.planned(points),
        frame=frame,
        crs=crs,
    )


def draw_shares(axes: Axes, scene: Scene, what: CoverageDrawing, letters: Lettering, scale: float) -> None:
    """Draw the areas by share covered, with names and points, under a heading. scale : metres per point (1/72 inch)."""
    draw_areas(axes, scene, letters, scale)
    limit = drawing.minutes(what.headline_s)
    zh, en = drawing.share_words(what.measure, scene.level)
    head(axes, letters, (f"{limit} 分钟内：{zh}", f"{en}, within {limit} min"))


def draw_areas(
    axes: Axes, scene: Scene, letters: Lettering, scale: float, taken: NDArray[np.float64] = NOTHING
) -> None:
    """Draw the areas by share covered, with names and points, as far as the axes show them.

    taken : (q, 4) boxes (left, bottom, right, top) that no name may cover.
    """
    palette = np.array([*drawing.SHARE_COLOURS, drawing.NO_ONE_COLOUR])
    colours = palette[drawing.share_class(scene.share)]
    axes.add_collection(
        PathCollection(scene.paths, facecolors=colours, edgecolors=drawing.EDGE_COLOUR, linewidths=0.35)
    )
    draw_outlines(axes, scene, 0.8)
    draw_points(axes, scene, letters)
    draw_names(axes, scene, letters, scale, taken)


def is_crowded(scene: Scene, scale: float) -> bool:
    """Tell whether a third of the areas, five at least, is too small for a name at ``scale`` metres per point."""
    small = _small(scene, scale)
    return bool(small.sum() >= 5 and small.mean() >= 1 / 3)


def crowded_window(scene: Scene, scale: float, wide: float, high: float) -> Frame | None:
    """Return the part of the map to draw again, enlarged, in ``wide`` by ``high`` points; None where names have room.

    scale : metres per point of the whole map. The window lies around the areas too small for a name, holds more
    than half of them, and is drawn at least 1.8 times as large.
    """
    if not is_crowded(scene, scale):
        return None
    x, y = shapely.get_coordinates(shapely.centroid(scene.shapes[_small(scene, scale)])).T
    middle = np.median(x), np.median(y)
    reach = [np.quantile(abs(a - m), 0.55) for a, m in zip((x, y), middle, strict=True)]
    zoomed = min(max(reach[0] * 2.4 / wide, reach[1] * 2.4 / high), scale / 1.8)
    half_wide, half_high = wide * zoomed / 2, high * zoomed / 2
    return middle[0] - half_wide, middle[1] - half_high, middle[0] + half_wide, middle[1] + half_high


def _small(scene: Scene, scale: float) -> NDArray[np.bool_]:
    return np.sqrt(shapely.area(scene.shapes)) / scale < 4 * LABEL_SIZE


def draw_streets(axes: Axes, scene: Scene, what: CoverageDrawing, letters: Lettering, scale: float) -> None:
    """Draw every street by time from its farthest spot, under a heading. scale : metres per point (1/72 inch)."""
    draw_lines(axes, scene, [k.colour for k in drawing.time_classes(what.thresholds_s)], scale)
    draw_points(axes, scene, letters)
    head(axes, letters, drawing.STREETS)


def draw_lines(axes: Axes, scene: Scene, colours: list[str], scale: float) -> None:
    """Draw every street in the colour of its class, the first class on top, over the ground of all areas."""
    axes.add_collection(PathCollection(scene.paths, facecolors=drawing.GROUND_COLOUR, edgecolors="none"))
    # a street of a pixel or less gains nothing from more vertices, and a dense network needs thin lines
    lines = shapely.simplify(scene.lines, scale * 0.2, preserve_topology=False)
    metres = float(shapely.length(scene.lines).sum())
    page_points = max((scene.frame[2] - scene.frame[0]) * (scene.frame[3] - scene.frame[1]), 1.0) / scale
    width = float(np.clip(0.16 * page_points / max(metres, 1.0), 0.3, 1.4))
    for position in range(len(colours))[::-1]:
        chosen = lines[scene.line_class == position]
        if len(chosen):
            stroke(axes, chosen, colours[position], width)
    draw_outlines(axes, scene, 0.5)


def stroke(axes: Axes, lines: NDArray[np.object_], colour: str, width: float) -> None:
    """Draw lines as few many-part paths: a path each would cost more than the drawing."""
    size = shapely.get_num_coordinates(lines)
    ends = np.cumsum(size)
    coordinates = shapely.get_coordinates(lines)
    codes = np.full(len(coordinates), Outline.LINETO, Outline.code_type)
    codes[ends - size] = Outline.MOVETO
    at = np.append(ends[LINES_A_PATH - 1 : -1 : LINES_A_PATH], len(coordinates))
    starts = np.append(0, at[:-1])
    paths = [Outline(coordinates[a:b], codes[a:b]) for a, b in zip(starts, at, strict=True)]
    axes.add_collection(PathCollection(paths, facecolors="none", edgecolors=colour, linewidths=width, capstyle="round"))


def outlines_of(shapes: NDArray[np.object_]) -> list[Outline]:
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
        Outline(coordinates[a:b], codes[a:b]) if b > a else Outline(np.zeros((0, 2)))
        for a, b in itertools.pairwise(vertices_of)
    ]


def draw_outlines(axes: Axes, scene: Scene, width: float) -> None:
    """Draw the boundaries between districts."""
    parts = shapely.get_parts(shapely.line_merge(scene.outlines))
    parts = parts[~shapely.is_empty(parts)]
    if len(parts):
        stroke(axes, parts, drawing.OUTLINE_COLOUR, width)


def draw_points(axes: Axes, scene: Scene, letters: Lettering) -> None:
    """Draw service points, planned ones hollow, and stations."""
    station = scene.station
    size = 9.0 if (~station).sum() < 150 else 4.0
    for spot, fill, edge in (
        (~station & scene.planned, "white", "#111111"),
        (~station & ~scene.planned, "#111111", "white"),
    ):
        axes.scatter(scene.x[spot], scene.y[spot], s=size, c=fill, edgecolors=edge, linewidths=0.5, zorder=5)
    axes.scatter(
        scene.x[station], scene.y[station], s=42, marker="s", c="#111111", edgecolors="white", linewidths=0.7, zorder=6
    )
    letter = letters.label(("站", "S"))[0]
    for x, y in zip(scene.x[station], scene.y[station], strict=True):
        axes.text(
            x,
            y,
            letter,
            color="white",
            ha="center",
            va="center_baseline",
            zorder=7,
            clip_on=True,
            fontproperties=letters.font(4.6),
        )


def draw_names(
    axes: Axes, scene: Scene, letters: Lettering, scale: float, taken: NDArray[np.float64] = NOTHING
) -> None:  # fmt: skip
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
    # with so many points that they are a texture, only stations are kept clear
    clear = scene.station | (len(scene.x) < 150)
    marks = np.column_stack([scene.x, scene.y])[clear]
    half = np.where(scene.station[clear], 4.0, 2.0)[:, None] * scale
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    shown = (abs(x - (left + right) / 2) <= (right - left - width[:, None]) / 2) & (
        abs(y - (bottom + top) / 2) <= (top - bottom - height[:, None]) / 2
    )
    x, y = np.where(shown, x, np.nan), np.where(shown, y, np.nan)
    chosen = place(x, y, width, height, room, np.vstack([taken, np.hstack([marks - half, marks + half])]))
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


def head(axes: Axes, letters: Lettering, words: tuple[str, str]) -> None:
    """Write a map's heading above it."""
    zh, en = words if letters.can(words[0]) else (words[1], "")
    axes.text(
        0.5, 1.0, zh, transform=axes.transAxes, ha="center", va="bottom", fontproperties=letters.font(9, bold=True)
    )
    axes.text(
        0.5, 0.995, en, transform=axes.transAxes, ha="center", va="top", color="#666666",
        fontproperties=letters.font(7),
    )  # fmt: skip


def draw_scale_and_north(axes: Axes, scene: Scene, letters: Lettering, scale: float) -> None:
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
