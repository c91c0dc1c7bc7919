"""The page for a mayor: the city before and after, the numbered sites, what they bring and how sure that is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from web import siting_drawing, siting_words
from web.drawing import STREETS, time_classes
from web.fonts import Lettering, lettering
from web.picture_maps import (
    Frame,
    Scene,
    draw_areas,
    draw_lines,
    draw_points,
    draw_scale_and_north,
    head,
    scene_of,
)
from web.picture_page import HEAD_INCHES, INCHES, Room, fit, page, save, write_foot, write_title
from web.siting_column import write as write_column
from web.siting_drawing import SitingDrawing
from web.siting_figures import draw_bars, draw_curve, draw_legend
from web.siting_marks import draw_marks, marks_on_map

#: Left, bottom, width, height in parts of the page: the maps, the legend below them, the column beside them.
MAP_ROOM, GAP = (0.02, 0.135, 0.685, 0.63), 0.012
LEGEND_ROOM, COLUMN_ROOM = (0.02, 0.078, 0.685, 0.05), (0.725, 0.078, 0.26, 0.805)
#: The least height of the bars below the maps; a third map is drawn where it costs no more than this part of the size.
BARS_INCHES, THIRD_MAP = 0.85, 0.97


def siting_picture(what: SitingDrawing, path: Path) -> None:
    """Write a siting result as an A4 PNG with Chinese labels.

    Maps show areas of ``what.level`` by the share within the time limit before and after, with the sites numbered as in
    the list beside them; a narrow city leaves room for a third, of the streets newly within reach. A frontier shows its
    curve in place of the city before. Where the machine has no Chinese font the page says so and shows codes. Withheld
    points are left out. The same input on the same machine gives the same bytes.
    """
    letters = lettering()
    before = scene_of(what, letters)
    after = replace(before, share=what.share(what.areas_to_draw()[1], "after"))
    figure = page()
    write_title(figure, what, letters)
    _write_headline(figure, what, letters)
    rooms, spare = map_rooms(before.frame)
    draws = [_draw_before, _draw_after, _draw_streets][: len(rooms)]
    if len(what.tables["frontier"]):
        draw_curve(figure, rooms[0], what, letters)
        rooms, draws = rooms[1:], draws[1:]
    for i, (room, draw) in enumerate(zip(rooms, draws, strict=True)):
        axes = figure.add_axes(room)
        scale = fit(axes, before.frame, room)
        draw(axes, before if draw is _draw_before else after, what, letters, scale)
        if i == 0:
            draw_scale_and_north(axes, before, letters, scale)
    if spare:
        draw_bars(figure, spare, what, letters)
    streets = _draw_streets in draws or not (len(before.shapes) or what.timed)
    draw_legend(figure.add_axes(LEGEND_ROOM), what, before, letters, streets=streets)
    write_column(figure.add_axes(COLUMN_ROOM), what, letters, bars=spare is None)
    write_foot(figure, what, letters)
    save(figure, path)


def map_rooms(frame: Frame) -> tuple[list[Room], Room | None]:
    """Split the maps' room into two or three maps and what they leave below for bars.

    Side by side, or two one above the other where that draws a wide city larger.
    """
    left, bottom, width, height = MAP_ROOM
    wide, high = max(frame[2] - frame[0], 1.0), max(frame[3] - frame[1], 1.0)
    inch_wide, inch_high = width * INCHES[0], height * INCHES[1] - HEAD_INCHES
    size = {n: min((inch_wide - (n - 1) * GAP * INCHES[0]) / n / wide, inch_high / high) for n in (2, 3)}
    if min(inch_wide / wide, (inch_high - HEAD_INCHES) / 2 / high) > size[2] * 1.05:
        half = (height - GAP) / 2
        return [(left, bottom + half + GAP, width, half), (left, bottom, width, half)], None

    count = 3 if size[3] >= size[2] * THIRD_MAP else 2
    each = (width - (count - 1) * GAP) / count
    tall = (high * size[count] + HEAD_INCHES) / INCHES[1]
    below = height - tall - 0.03
    bars = (left, bottom, width, below) if below * INCHES[1] >= BARS_INCHES else None
    low = bottom + height - tall if bars else bottom + (height - tall) / 2
    return [(left + i * (each + GAP), low, each, tall) for i in range(count)], bars


def _write_headline(figure: Figure, what: SitingDrawing, letters: Lettering) -> None:
    """Write what the plan brings, large, and how sure it is."""
    lines = [*_either(letters, what.headline)]
    for i, (line, y) in enumerate(zip(lines, (0.86, 0.826), strict=False)):
        figure.text(
            MAP_ROOM[0], y, line, va="center", color=siting_drawing.NEW_COLOUR if i == 0 else "#444444",
            fontproperties=letters.font(15 if i == 0 else 10, bold=i == 0),
        )  # fmt: skip
    figure.text(
        MAP_ROOM[0], 0.797, "  ".join(_either(letters, siting_words.proof(what.plan))), va="center", color="#444444",
        fontproperties=letters.font(8.5),
    )  # fmt: skip


def _either(letters: Lettering, words: tuple[str, str]) -> tuple[str, ...]:
    return words if letters.can(words[0]) else words[1:]


def _share_head(what: SitingDrawing, side: str, words: tuple[str, str]) -> tuple[str, str]:
    """Return a map's heading: when, and the city's share within the limit then, or what times are."""
    if what.timed:
        zh, en = STREETS
        return f"{words[0]}：{zh}", f"{words[1]}: {en[0].lower()}{en[1:]}"
    column = siting_words.COLUMNS[what.measure]
    whole, part = what.totals[column], what.totals[f"{column}_{side}"]
    zh, en = siting_words.DEMAND_OF[what.measure]
    share = f"{part / whole:.1%}" if whole > 0 else "—"
    return f"{words[0]}：{what.limit} 分钟内{zh} {share}", f"{words[1]}: {share} of {en} within {what.limit} min"


def _draw_before(axes: Axes, scene: Scene, what: SitingDrawing, letters: Lettering, scale: float) -> None:
    if what.timed:
        _draw_times(axes, scene, what, "before", scale)
        draw_points(axes, scene, letters)
    elif len(scene.shapes):
        draw_areas(axes, scene, letters, scale)
    else:
        classes = np.where(np.isin(scene.line_class, (siting_drawing.KEPT, siting_drawing.LOST)), 0, 2)
        draw_lines(axes, replace(scene, line_class=classes), list(siting_drawing.STREET_COLOURS), scale)
        draw_points(axes, scene, letters)
    head(axes, letters, _share_head(what, "before", ("之前", "before")))


def _draw_after(axes: Axes, scene: Scene, what: SitingDrawing, letters: Lettering, scale: float) -> None:
    marks = marks_on_map(what, scene, scale)
    if what.timed:
        _draw_times(axes, scene, what, "after", scale)
        draw_points(axes, scene, letters)
    elif len(scene.shapes):
        draw_areas(axes, scene, letters, scale, marks.boxes)
    else:
        draw_lines(axes, scene, list(siting_drawing.STREET_COLOURS), scale)
        draw_points(axes, scene, letters)
    draw_marks(axes, marks, letters)
    head(axes, letters, _share_head(what, "after", ("之后", "after")))


def _draw_times(axes: Axes, scene: Scene, what: SitingDrawing, side: str, scale: float) -> None:
    """Draw every street by the time from its farthest spot, before or after."""
    segments = what.segments[~what.segments.geometry.isna().to_numpy()]
    colours = [k.colour for k in time_classes(siting_drawing.TIMES_S)]
    draw_lines(axes, replace(scene, line_class=what.times(segments, side)), colours, scale)


def _draw_streets(axes: Axes, scene: Scene, what: SitingDrawing, letters: Lettering, scale: float) -> None:
    draw_lines(axes, scene, list(siting_drawing.STREET_COLOURS), scale)
    draw_marks(axes, marks_on_map(what, scene, scale), letters)
    zh, en = siting_drawing.street_words(what)[siting_drawing.NEW]
    head(axes, letters, (f"街面：{zh}", f"streets {en}"))
