"""The picture for a brief: one A4 page with shares by area, time along every street, legend and totals."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from web import picture_column
from web.drawing import CoverageDrawing
from web.fonts import Lettering, lettering
from web.picture_maps import (
    Frame,
    Scene,
    crowded_window,
    draw_areas,
    draw_scale_and_north,
    draw_shares,
    draw_streets,
    is_crowded,
    scene_of,
)
from web.picture_page import HEAD_INCHES, INCHES, Room, fit, page, save, write_foot, write_title

#: The room for the two maps on the page: left, bottom, width, height in parts of the page; the gap between them.
MAP_ROOM, GAP = (0.02, 0.085, 0.745, 0.755), 0.012
#: The least width or height of an enlarged part.
SPARE_INCHES = 1.6
#: Maps give up this much of their size for an enlarged part where a third of the areas is too small for a name.
CROWDED_SHRINK = 0.86


def coverage_picture(what: CoverageDrawing, path: Path) -> None:
    """Write a coverage result as an A4 PNG with Chinese labels.

    One map shows areas of ``what.level`` by the share covered at the longest threshold, the other every street by the
    time from its farthest spot; beside them stand the legend, totals and the areas with most people beyond reach. A
    crowded centre is drawn again, enlarged, where the page has room. Where the machine has no Chinese font the page
    says so and shows codes. Withheld points are left out. The same input on the same machine gives the same bytes.
    """
    letters = lettering()
    scene = scene_of(what, letters)
    figure = page()
    write_title(figure, what, letters)
    shares_room, streets_room, spare = _rooms(
        scene.frame, CROWDED_SHRINK if is_crowded(scene, _scale_of(scene.frame)) else 1.0
    )
    shares = figure.add_axes(shares_room)
    scale = fit(shares, scene.frame, shares_room)
    draw_shares(shares, scene, what, letters, scale)
    draw_scale_and_north(shares, scene, letters, scale)
    streets = figure.add_axes(streets_room)
    draw_streets(streets, scene, what, letters, fit(streets, scene.frame, streets_room))
    if spare:
        _draw_enlarged(figure, shares, scene, letters, spare, scale)
    picture_column.write(figure.add_axes((0.785, 0.075, 0.2, 0.8)), what, scene.level, letters)
    write_foot(figure, what, letters)
    save(figure, path)


def _rooms(frame: Frame, shrink: float = 1.0) -> tuple[Room, Room, Room | None]:
    """Split the maps' room into shares, streets, and what they leave for an enlarged part.

    Side by side, or one above the other where that draws a wide city larger; then nothing is left. shrink : part of
    their greatest size at which maps side by side are drawn.
    """
    left, bottom, width, height = MAP_ROOM
    wide, high = max(frame[2] - frame[0], 1.0), max(frame[3] - frame[1], 1.0)
    inch_wide, inch_high = width * INCHES[0], height * INCHES[1] - HEAD_INCHES
    beside = min(inch_wide / 2 / wide, inch_high / high)
    if min(inch_wide / wide, inch_high / 2 / high) > beside * 1.05:
        half = (height - GAP) / 2
        return (left, bottom + half + GAP, width, half), (left, bottom, width, half), None

    used = min(wide * beside * shrink * 1.06 / INCHES[0], (width - GAP) / 2)
    between = width - 2 * used - 2 * GAP
    below = height - (high * beside * shrink + HEAD_INCHES) * 1.06 / INCHES[1]
    if between * INCHES[0] >= SPARE_INCHES and between * INCHES[0] >= below * INCHES[1]:
        tall = min(height - 0.08, between * 1.6 * INCHES[0] / INCHES[1])
        spare = (left + used + GAP, bottom + height - tall - 0.06, between, tall)
        return (left, bottom, used, height), (left + width - used, bottom, used, height), spare
    half = (width - GAP) / 2
    right, tall = left + half + GAP, height - below
    if below * INCHES[1] >= SPARE_INCHES:
        spare = (right, bottom, half, below - 0.025)
        return (left, bottom + below, half, tall), (right, bottom + below, half, tall), spare
    return (left, bottom, half, height), (right, bottom, half, height), None


def _scale_of(frame: Frame) -> float:
    """Return about how many metres a point (1/72 inch) is on maps side by side at their greatest size."""
    _, _, width, height = MAP_ROOM
    return max((frame[2] - frame[0]) / (width / 2 * INCHES[0]), (frame[3] - frame[1]) / (height * INCHES[1])) / 72


def _draw_enlarged(
    figure: Figure, whole: Axes, scene: Scene, letters: Lettering, room: Room, scale: float
) -> None:  # fmt: skip
    """Draw the crowded part of the map again in ``room``, if there is one, and mark on the whole map where it lies."""
    wide, high = room[2] * INCHES[0] * 72, room[3] * INCHES[1] * 72
    window = crowded_window(scene, scale, wide, high)
    if window is None:
        return

    axes = figure.add_axes(room)
    axes.set_xlim(window[0], window[2])
    axes.set_ylim(window[1], window[3])
    axes.set(xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set(color="#222222", linewidth=0.9)
    draw_areas(axes, scene, letters, (window[2] - window[0]) / wide)
    axes.set_title(letters.label(("局部放大", "enlarged")), fontproperties=letters.font(7), pad=3)
    size = (window[2] - window[0], window[3] - window[1])
    whole.add_patch(Rectangle(window[:2], *size, fill=False, edgecolor="#222222", linewidth=0.9, zorder=9))
