"""The page for a brief: hotspots corrected for effort, a close-up of streets, and what is significant."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from gis.crs import to_metric
from web.fonts import Lettering, lettering
from web.hotspot_charts import draw_profile, draw_weather
from web.hotspot_classes import NONE_COLOUR, Look, View
from web.hotspot_column import HotspotColumn, write_clusters, write_top_areas, write_totals
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_panels import (
    HEAD_INCHES,
    Ground,
    draw_areas,
    draw_cells,
    draw_faint_streets,
    draw_hot_edges,
    draw_streets,
    ground_of,
    heading,
    hottest_window,
    widened,
    window_axes,
)
from web.hotspot_views import by_step, release_rules, street_view, views_of
from web.labels import round_length
from web.picture_maps import draw_names, draw_scale_and_north
from web.picture_page import INCHES, Room, page, save, write_foot, write_title

MAP_ROOM: Room = (0.02, 0.085, 0.735, 0.785)
COLUMN_ROOM: Room = (0.775, 0.08, 0.21, 0.79)
GAP = 0.012
#: Small maps of single periods on one page, at most.
MOST_PERIODS = 12
_PERIOD_COLOURS = (NONE_COLOUR, "#f7c9a9", "#e0623f", "#8f0f22")


def hotspot_picture(what: HotspotDrawing, path: Path) -> None:
    """Write a run about hotspots as an A4 PNG with Chinese labels.

    Where the machine has no Chinese font the page says so and shows codes. The same input on the same machine gives
    the same bytes.
    """
    letters = lettering()
    figure = page()
    write_title(figure, what, letters)
    column = HotspotColumn(figure.add_axes(COLUMN_ROOM), letters, COLUMN_ROOM[2] * INCHES[0])
    _DRAW[what.kind](figure, what, ground_of(what, letters), letters, column)
    write_foot(figure, what, letters)
    save(figure, path)


def rooms_of(frame: tuple[float, float, float, float], main: float = 0.63) -> tuple[Room, Room, Room]:
    """Split the maps' room: the main panel, and two smaller ones beside it, or below it where the city is wide.

    main : the part of the room's width (or height) the main panel takes.
    """
    left, bottom, width, height = MAP_ROOM
    wide, high = max(frame[2] - frame[0], 1.0), max(frame[3] - frame[1], 1.0)
    head = HEAD_INCHES / INCHES[1]
    beside = min(width * main * INCHES[0] / wide, (height - head) * INCHES[1] / high)
    above = min(width * INCHES[0] / wide, (height * main - head) * INCHES[1] / high)
    if above > beside * 1.1:
        low = height * (1 - main) - GAP
        half = (width - GAP) / 2
        return (
            (left, bottom + low + GAP, width, height * main),
            (left, bottom, half, low),
            (left + half + GAP, bottom, half, low),
        )
    first = width * main
    rest, half = width - first - GAP, (height - GAP) / 2
    return (
        (left, bottom, first, height),
        (left + first + GAP, bottom + half + GAP, rest, half),
        (left + first + GAP, bottom, rest, half),
    )


def _draw_map(figure: Figure, what: HotspotDrawing, ground: Ground, letters: Lettering, column: HotspotColumn) -> None:
    views, street = views_of(what), street_view(what)
    significance = next(view for view in views if view.name[1].startswith("significance"))
    main, upper, lower = rooms_of(ground.scene.frame)
    window = _close_up(figure, what, ground, letters, street, upper, "(b)")
    axes, scale = _main(figure, ground, letters, views[0], main, "(a)")
    draw_hot_edges(axes, ground, scale)
    _mark_window(axes, window)
    small, scale = window_axes(figure, lower, widened(ground.scene.frame))
    draw_cells(small, ground, significance, scale)
    draw_areas(small, ground, 0.35)
    heading(small, letters, significance.heading, "(c)")
    column.legend(views[0], "(a)")
    if len(ground.edges):
        column.edge()
    column.legend(street, "(b)", lined=True)
    column.legend(significance, "(c)")
    column.paragraph(significance.remark)
    write_totals(column, what, 6)
    write_top_areas(column, what)


def _main(
    figure: Figure, ground: Ground, letters: Lettering, view: View, room: Room, mark: str = ""
) -> tuple[Axes, float]:
    """Draw the whole city in a view, with names, scale and north; return the axes and metres per point."""
    axes, scale = window_axes(figure, room, widened(ground.scene.frame))
    draw_cells(axes, ground, view, scale)
    draw_areas(axes, ground)
    draw_names(axes, ground.scene, letters, scale)
    draw_scale_and_north(axes, ground.scene, letters, scale)
    heading(axes, letters, view.heading, mark)
    return axes, scale


def _close_up(
    figure: Figure, what: HotspotDrawing, ground: Ground, letters: Lettering, street: View, room: Room, mark: str
) -> tuple[float, float, float, float]:
    """Draw the streets where most is found, enlarged; return the window shown."""
    placed = ~what.segments.geometry.isna().to_numpy()
    view = replace(street, of=street.of[placed])
    top = np.where(view.of >= len(view.looks) - 2, 1.0, 0.0) * what.segments["length_m"].to_numpy(float)[placed]
    shape = room[2] * INCHES[0] / (room[3] * INCHES[1] - HEAD_INCHES)
    axes, scale = window_axes(figure, room, hottest_window(ground, top, shape))
    (left, right), (bottom, up) = axes.get_xlim(), axes.get_ylim()
    window = (left, bottom, right, up)
    draw_areas(axes, ground, 0.6)
    width = float(np.clip(40 / scale, 0.8, 2.6))
    draw_streets(axes, ground, view, window, scale, width)
    _scale_bar(axes, letters, scale)
    zh, en = street.heading
    heading(axes, letters, (f"局部放大：{zh}", f"enlarged: {en}"), mark)
    return window


def _scale_bar(axes: Axes, letters: Lettering, scale: float) -> None:
    (left, right), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    length = round_length((right - left) * 0.3)
    x, y, tick = left + 7 * scale, bottom + 7 * scale, 3 * scale
    back = Rectangle(
        (left, bottom), length + 14 * scale, 21 * scale, facecolor="white", alpha=0.85, zorder=8, linewidth=0
    )
    axes.add_patch(back)
    axes.plot([x, x, x + length, x + length], [y + tick, y, y, y + tick], color="#222222", linewidth=0.9, zorder=9)
    said = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(x + length / 2, y + tick, said, ha="center", va="bottom", zorder=9, fontproperties=letters.font(6.2))


def _mark_window(axes: Axes, window: tuple[float, float, float, float]) -> None:
    left, bottom, right, top = window
    axes.add_patch(
        Rectangle((left, bottom), right - left, top - bottom, fill=False, edgecolor="#0050c8", linewidth=1.1, zorder=9)
    )
    axes.text(left, top, "(b)", color="#0050c8", va="bottom", ha="left", fontsize=7, zorder=10, clip_on=True)


def _draw_scan(figure: Figure, what: HotspotDrawing, ground: Ground, letters: Lettering, column: HotspotColumn) -> None:
    view, clusters = views_of(what)[0], what.tables["clusters"]
    axes, scale = window_axes(figure, MAP_ROOM, widened(ground.scene.frame))
    draw_faint_streets(axes, ground, scale)
    draw_cells(axes, ground, view, scale)
    draw_areas(axes, ground)
    x, y = to_metric(clusters["lon"].to_numpy(float), clusters["lat"].to_numpy(float), ground.scene.crs)
    colours = [look.colour for look in view.looks]
    whole = _held_by_circles(what, ground, x, y)
    for i, row in enumerate(clusters.to_dict("records")):
        if whole[i]:
            axes.add_patch(Circle((x[i], y[i]), max(row["radius_m"], 3 * scale), fill=False, edgecolor=colours[i],
                                  linewidth=1.4, zorder=5))  # fmt: skip
        axes.scatter([x[i]], [y[i]], s=95, c=colours[i], edgecolors="white", linewidths=0.9, zorder=6)
        axes.text(x[i], y[i], str(row["cluster"]), color="white", ha="center", va="center_baseline", zorder=7,
                  fontproperties=letters.font(7, bold=True))  # fmt: skip
    half = 6 * scale
    draw_names(axes, ground.scene, letters, scale, np.column_stack([x - half, y - half, x + half, y + half]))
    draw_scale_and_north(axes, ground.scene, letters, scale)
    heading(axes, letters, view.heading)
    write_clusters(column, what, colours)
    column.y -= column.line * 0.5
    column.paragraph(
        ("着色的格子属于聚集区，灰色的不显著。", "Coloured cells belong to a cluster; grey ones are not significant.")
    )
    column.paragraph(view.remark)
    write_totals(column, what)


def _held_by_circles(
    what: HotspotDrawing, ground: Ground, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which clusters' circles hold all their cells: windows of another shape are shown by their cells alone."""
    clusters, middle = what.tables["clusters"], shapely.get_coordinates(shapely.centroid(ground.cells))
    if not len(clusters) or not len(middle):
        return np.zeros(len(clusters), bool)
    order = {number: i for i, number in enumerate(clusters["cluster"])}
    of = what.cells["cluster"].map(order).to_numpy(np.int64)
    away = np.hypot(middle[:, 0] - x[of], middle[:, 1] - y[of])
    farthest = np.zeros(len(clusters))
    np.maximum.at(farthest, of, away)
    return farthest <= clusters["radius_m"].to_numpy(float) * 1.01 + 1.0


def _draw_emerging(
    figure: Figure, what: HotspotDrawing, ground: Ground, letters: Lettering, column: HotspotColumn
) -> None:
    kinds = views_of(what)[0]
    periods, share, single = periods_of(what)
    left, bottom, width, height = MAP_ROOM
    main = (left, bottom, width * 0.5, height)
    _main(figure, ground, letters, kinds, main)
    of = np.where(share == 0, 0, np.where(share < 0.5, 1, np.where(share < 1, 2, 3)))
    looks = _period_looks(single)
    rest = (left + width * 0.5 + GAP, bottom, width * 0.5 - GAP, height)
    for period, room, classes in zip(periods, _grid(rest, len(periods), ground), of, strict=True):
        axes, scale = window_axes(figure, room, widened(ground.scene.frame))
        draw_cells(axes, ground, View(("", ""), ("", ""), looks, classes), scale)
        draw_areas(axes, ground, 0.3)
        heading(axes, letters, (period, ""))
    column.legend(kinds)
    column.paragraph(kinds.remark)
    used = tuple(look for i, look in enumerate(looks) if i in (0, 3) or not single)
    column.title(("右侧各期：热点", "Small maps: hot spots of each period"))
    for look in used:
        column.look(look)
    write_totals(column, what)
    _count_kinds(column, kinds)


def _count_kinds(column: HotspotColumn, kinds: View) -> None:
    column.title(("各类格子数", "Cells of each pattern"))
    for k, look in enumerate(kinds.looks):
        count = int((kinds.of == k).sum())
        if count:
            column.fact(column.words(look.words), f"{count:,}")


def _period_looks(single: bool) -> tuple[Look, ...]:
    some = ("不足一半月份", "hot in less than half of it"), ("半数以上", "in half of it or more")
    always = ("热点", "hot spot") if single else ("全部时间", "all the time")
    words = (("非热点", "not hot"), *some, always)
    return tuple(Look(colour, said) for colour, said in zip(_PERIOD_COLOURS, words, strict=True))


def periods_of(what: HotspotDrawing) -> tuple[list[str], np.ndarray, bool]:
    """Return up to MOST_PERIODS periods, the (periods, cells) share of each one's steps a cell was hot, and whether
    each period is one step: steps as they are, else quarters, else years, the last ones.
    """
    labels, hot, _ = by_step(what)
    steps = sorted(what.tables["steps"]["step"].astype(str).unique())
    if len(steps) <= MOST_PERIODS:
        return labels, hot.astype(float), True
    quarters = [f"{step[:4]} Q{(int(step[5:7]) + 2) // 3}" for step in steps]
    names = quarters if len(set(quarters)) <= MOST_PERIODS else [step[:4] for step in steps]
    kept = sorted(set(names))[-MOST_PERIODS:]
    share = np.stack([hot[[name == period for name in names]].mean(axis=0) for period in kept])
    return kept, share, False


def _grid(room: Room, count: int, ground: Ground) -> list[Room]:
    """Return rooms in rows, as many columns as draw the city largest."""
    left, bottom, width, height = room
    frame = ground.scene.frame
    wide, high = max(frame[2] - frame[0], 1.0), max(frame[3] - frame[1], 1.0)

    def size(columns: int) -> float:
        rows = -(-count // columns)
        return min(width / columns * INCHES[0] / wide, (height / rows * INCHES[1] - HEAD_INCHES) / high)

    columns = max(range(1, count + 1), key=size)
    rows = -(-count // columns)
    each = (width - (columns - 1) * GAP) / columns, (height - (rows - 1) * GAP) / rows
    return [
        (
            left + (i % columns) * (each[0] + GAP),
            bottom + (rows - 1 - i // columns) * (each[1] + GAP),
            each[0],
            each[1],
        )
        for i in range(count)
    ]


def _draw_forecast(
    figure: Figure, what: HotspotDrawing, ground: Ground, letters: Lettering, column: HotspotColumn
) -> None:
    view, street = views_of(what)[0], street_view(what)
    main, upper, lower = rooms_of(ground.scene.frame)
    window = _close_up(figure, what, ground, letters, street, upper, "(b)")
    axes, _ = _main(figure, ground, letters, view, main, "(a)")
    _mark_window(axes, window)
    draw_profile(figure, lower, what, letters, "(c)")
    column.legend(view, "(a)")
    column.legend(street, "(b)", lined=True)
    write_totals(column, what)
    column.paragraph(view.remark)
    draw_weather(column, what)


def _draw_release(
    figure: Figure, what: HotspotDrawing, ground: Ground, letters: Lettering, column: HotspotColumn
) -> None:
    views = [view for view in views_of(what) if (view.of >= 0).sum() > 1] or views_of(what)[:1]
    main, *others = rooms_of(ground.scene.frame) if len(views) > 1 else (MAP_ROOM,)
    _main(figure, ground, letters, views[0], main, "(a)" if len(views) > 1 else "")
    for view, room, mark in zip(views[1:], others, ("(b)", "(c)"), strict=False):
        axes, scale = window_axes(figure, room, widened(ground.scene.frame))
        draw_cells(axes, ground, view, scale)
        heading(axes, letters, _tiered(view), mark)
    for view, mark in zip(views[:3], ("(a)", "(b)", "(c)"), strict=False):
        column.legend(replace(view, heading=_tiered(view)), mark if len(views) > 1 else "")
    column.title(("公开规则", "Rules of publication"))
    column.paragraph(release_rules(what), 6.8)
    write_totals(column, what)


def _tiered(view: View) -> tuple[str, str]:
    return f"各{view.name[0]}：{view.heading[0]}", f"by {view.name[1]}: {view.heading[1]}"


_Draw = Callable[[Figure, HotspotDrawing, Ground, Lettering, HotspotColumn], None]
_DRAW: dict[str, _Draw] = {
    "hotspot-map": _draw_map,
    "hotspot-scan": _draw_scan,
    "hotspot-emerging": _draw_emerging,
    "hotspot-forecast": _draw_forecast,
    "hotspot-release": _draw_release,
}
