"""The page for a brief: all routes of a night on one map, what the night adds up to, and how evenly it is shared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from web import patrol_words
from web.fonts import Lettering, lettering
from web.labels import shortened
from web.patrol_drawing import Lines, PatrolDrawing, Route, metric
from web.patrol_workbook import totals
from web.picture_column import LINE, PALE, Column
from web.picture_maps import Scene, draw_scale_and_north, scene_of
from web.picture_page import Room, fit, page, save, write_foot, write_title

MAP_ROOM: Room = (0.02, 0.085, 0.66, 0.785)
COLUMN_ROOM: Room = (0.705, 0.085, 0.28, 0.785)
#: Metres kept free around the routes.
EDGE_M = 120.0


def patrol_picture(what: PatrolDrawing, path: Path) -> None:
    """Write a run as an A4 PNG with Chinese labels: the first night's map, totals, a bar of each crew's minutes.

    Where the machine has no Chinese font the page says so and shows codes. Withheld points are left out. The same
    input on the same machine gives the same bytes.
    """
    letters = lettering()
    date = what.dates[0]
    routes = what.on(date)
    figure = page()
    write_title(figure, what, letters)
    axes = figure.add_axes(MAP_ROOM)
    scene = _scene(what, letters, routes)
    scale = fit(axes, scene.frame, MAP_ROOM)
    _draw_map(axes, what, scene, routes, date, letters)
    draw_scale_and_north(axes, scene, letters, scale)
    if len(what.dates) > 1:
        words = letters.label((f"图为 {date} 一夜", f"the map shows the night of {date}"))
        figure.text(MAP_ROOM[0], 0.875, words, va="bottom", color="#444444", fontproperties=letters.font(8))
    _write_column(figure.add_axes(COLUMN_ROOM), what, date, letters)
    write_foot(figure, what, letters)
    save(figure, path)


def _scene(what: PatrolDrawing, letters: Lettering, routes: list[Route]) -> Scene:
    """Return the streets in metres, framed by what the routes walk."""
    scene = scene_of(what, letters)
    walked = [route.lines for route in routes if len(route.lines)]
    if not walked:
        return scene
    left, bottom, right, top = shapely.total_bounds(np.concatenate(walked))
    lines = metric(what.segments.geometry.to_numpy(), what.crs)
    return replace(scene, lines=lines, frame=(left - EDGE_M, bottom - EDGE_M, right + EDGE_M, top + EDGE_M))


def _draw_map(
    axes: Axes, what: PatrolDrawing, scene: Scene, routes: list[Route], date: str, letters: Lettering
) -> None:
    # lines are cut at the edge of the map's room, whatever the frame's shape
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set(color="#999999", linewidth=0.6)
    _lines(axes, scene.lines, patrol_words.GROUND_COLOUR, 0.7, 1)
    left = what.of("uncovered", date)
    shapes = metric(left.geometry.to_numpy(), what.crs)
    street, must = (left["metres"] > 0).to_numpy(), left["must"].to_numpy(bool)
    _lines(axes, shapes[street & ~must], patrol_words.LEFT_COLOUR, 0.55, 2, dashes=(3, 2.5))
    _lines(axes, shapes[street & must], patrol_words.LEFT_MUST_COLOUR, 1.5, 3, dashes=(4, 2))
    for route in routes:
        ink = patrol_words.colour(route.number)
        _lines(axes, route.lines_of("travel"), ink, 0.8, 4, dashes=(3, 2))
        _lines(axes, route.lines_of("patrol"), ink, 2.1, 5)
    for route in routes:
        _number(axes, route, letters)
    stations = {str(r.crew["station_code"]): r.at[0] for r in routes if r.known and np.isfinite(r.at[0]).all()}
    letter = letters.label(("站", "S"))[0]
    for x, y in stations.values():
        axes.scatter([x], [y], s=58, marker="s", c="#111111", edgecolors="white", linewidths=0.8, zorder=8)
        axes.text(x, y, letter, color="white", ha="center", va="center_baseline", zorder=9, clip_on=True,
                  fontproperties=letters.font(5.6))  # fmt: skip


def _lines(
    axes: Axes, lines: Lines, colour: str, width: float, order: int, *, dashes: tuple[float, float] | None = None
) -> None:
    parts = [shapely.get_coordinates(line) for line in shapely.get_parts(lines)] if len(lines) else []
    style = "solid" if dashes is None else (0, dashes)
    axes.add_collection(
        LineCollection(parts, colors=colour, linewidths=width, linestyles=[style], zorder=order, capstyle="butt"),
        autolim=False,
    )


def _number(axes: Axes, route: Route, letters: Lettering) -> None:
    """Write a crew's number halfway through what it patrols."""
    at = route.middle
    if at is None:
        return
    axes.scatter([at[0]], [at[1]], s=105, c=patrol_words.colour(route.number), edgecolors="white", linewidths=1.0,
                 zorder=10)  # fmt: skip
    axes.text(at[0], at[1], str(route.number), color="white", ha="center", va="center_baseline", zorder=11,
              fontproperties=letters.font(7.5, bold=True))  # fmt: skip


def _write_column(axes: Axes, what: PatrolDrawing, date: str, letters: Lettering) -> None:
    """Write totals, the crews' bars, what is not covered by reason, and the legend."""
    column = Column(axes, letters)
    column.head(("合计", "In total"))
    for words, figure in totals(what):
        if figure:
            column.put(0, letters.text(words) if letters.can(words) else words.split(" ", 1)[-1])
            column.put(1.0, figure, right=True, bold=True)
            column.y -= LINE
    kept = 0.30
    _bars(column, what, date, kept)
    _left(column, what, date, 0.2)
    column.head(("图例", "Legend"))
    for ink, width, style, words in (
        ("#0072b2", 2.4, "solid", ("巡查", "patrolled")),
        ("#0072b2", 1.0, (0, (3, 2)), ("途经，不巡查", "passed through")),
        (patrol_words.LEFT_COLOUR, 1.0, (0, (3, 2.5)), ("未巡查", "not covered")),
        (patrol_words.LEFT_MUST_COLOUR, 1.5, (0, (4, 2)), ("必巡而未排", "must be done, not covered")),
    ):
        axes.plot([0, 0.1], [column.y, column.y], color=ink, linewidth=width, linestyle=style)
        column.put(0.14, letters.label(words))
        column.y -= LINE


def _bars(column: Column, what: PatrolDrawing, date: str, kept: float) -> None:
    """Draw each crew's minutes: patrolling in its colour, on the way pale, waiting and break grey; km beside it."""
    letters = column.letters
    column.head((f"{date} 各班组用时（分钟）", f"Minutes of each crew on {date}"))
    routes = what.on(date)
    room = max(int((column.y - kept) / LINE), 0)
    shown = routes if len(routes) <= room else routes[: room - 1]
    longest = max((float(r.crew["duration_s"]) for r in routes), default=1.0)
    for route in shown:
        crew, ink = route.crew, patrol_words.colour(route.number)
        column.put(0.0, str(route.number), bold=True, colour=ink)
        column.put(0.055, shortened(letters.name(route.name, str(crew["crew"])), 9.5), size=6.6)
        at, wide = 0.38, 0.44
        rest = float(crew["duration_s"]) - float(crew["service_s"]) - float(crew["travel_s"])
        for seconds, fill, alpha in (
            (float(crew["service_s"]), ink, 1.0), (float(crew["travel_s"]), ink, 0.35), (rest, "#9a9a9a", 0.6)
        ):  # fmt: skip
            long = wide * seconds / longest
            column.axes.add_patch(
                Rectangle((at, column.y - LINE * 0.33), long, LINE * 0.66, facecolor=fill, alpha=alpha, linewidth=0)
            )
            at += long
        column.put(1.0, f"{patrol_words.minutes(float(crew['duration_s']))}", right=True, size=6.6)
        column.y -= LINE
    if len(shown) < len(routes):
        more = len(routes) - len(shown)
        column.put(0.055, letters.label((f"另有 {more} 个见表格", f"{more} more in the tables")), size=6.5, colour=PALE)
        column.y -= LINE
    words = ("深色巡查，浅色途中，灰色等候与休息", "dark: patrolling, pale: on the way, grey: waiting and break")
    for text in words if letters.can(words[0]) else words[1:]:
        column.put(0.0, text, size=6.0, colour=PALE)
        column.y -= LINE * 0.85


def _left(column: Column, what: PatrolDrawing, date: str, kept: float) -> None:
    """List what is not covered by reason, as many reasons as fit."""
    left, letters = what.of("uncovered", date), column.letters
    if not len(left):
        return
    column.head(("未巡查：公里与原因", "Not covered: km and why"))
    by = left.groupby("code", sort=False).agg(metres=("metres", "sum"), zh=("zh", "first"), en=("en", "first"))
    for row in by.sort_values("metres", ascending=False, kind="stable").itertuples():
        if column.y < kept:
            return
        words = str(row.zh) if letters.can(str(row.zh)) else str(row.en)
        column.put(0.0, shortened(words, 26), size=6.6)
        column.put(1.0, f"{row.metres / 1000:.1f}", size=6.6, right=True)
        column.y -= LINE
