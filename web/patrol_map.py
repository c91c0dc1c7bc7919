"""The single-file map of a patrol run: a layer for every crew, and what is left uncovered with its reason."""

from html import escape
from pathlib import Path

import folium
import numpy as np
import shapely
from folium.map import Layer
from folium.template import Template
from folium.utilities import JsCode

from gis.crs import to_lonlat
from web import map_parts, patrol_words
from web.drawing import MODE_NAMES, both
from web.map_parts import card_html, line_item, script_json
from web.offline_page import LINE_TOLERANCE, OfflineMap, bounds_of, longest_that_fit, render
from web.patrol_drawing import Lines, PatrolDrawing, Route
from web.patrol_turns import items
from web.patrol_words import STAR, clock, km, minutes, percent

#: Vertices of the streets below beyond which the page would grow too large to open.
MAX_VERTICES = 300_000
#: More routes than this share a layer a night, or the control would be longer than the screen.
MOST_LAYERS = 120
STYLE = """
.stop { box-sizing: border-box; width: 14px; height: 14px; border: 2px solid #fff;
  transform: rotate(45deg); }
.badge { box-sizing: border-box; min-width: 22px; height: 22px; border-radius: 11px; border: 2px solid #fff;
  color: #fff; font: 700 12px/18px sans-serif; text-align: center; }
.corner i.rhomb { width: 9px; height: 9px; background: #111; border: 0; transform: rotate(45deg); margin: 0 7px; }
.corner i.dashed { height: 0; border: 0; border-top: 2px dashed; }
b.no { display: inline-block; min-width: 22px; border-radius: 3px; color: #fff; text-align: center; }
"""


class RouteLayer(Layer):
    """One crew's night, or several, with a card for every stretch and stop.

    rows : (steps of a line as ``map_parts.steps`` has them, colour, kind, tooltip and card as HTML); a check is a line
    of one vertex, and so is the badge with a crew's number.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.layerGroup();
        {{ this._parent.get_name() }}.routesCanvas ??= L.canvas({pane: 'routes', padding: 0.3, tolerance: 4});
        {{ this.text }}.forEach(([steps, colour, kind, name, card]) => {
            let x = 0, y = 0;
            const line = [];
            for (let k = 0; k < steps.length; k += 2) {
                x += steps[k]; y += steps[k + 1];
                line.push([y / 1e5, x / 1e5]);
            }
            const looks = {
                patrol: {color: colour, weight: 5, opacity: 0.9},
                travel: {color: colour, weight: 2.5, opacity: 0.8, dashArray: '6 5'},
                left: {color: colour, weight: 3, opacity: 0.75, dashArray: '4 6'},
                must: {color: colour, weight: 4.5, opacity: 0.95, dashArray: '9 5'},
            };
            const icon = (html, size) => L.marker(line[0], {icon: L.divIcon({className: '', html: html,
                                                                             iconSize: [size, size]})});
            const mark = kind === 'stop' ? icon(`<div class="stop" style="background:${colour}"></div>`, 14)
                : kind === 'badge' ? icon(`<div class="badge" style="background:${colour}">${name}</div>`, 22)
                : L.polyline(line, {renderer: {{ this._parent.get_name() }}.routesCanvas, pane: 'routes',
                                    ...looks[kind]});
            mark.bindTooltip(name, {sticky: true}).bindPopup(card, {maxWidth: 320});
            mark.addTo({{ this.get_name() }});
        });
        {% endmacro %}
        """
    )

    def __init__(self, name: str, rows: list[tuple[list[int], str, str, str, str]], *, show: bool = True) -> None:
        super().__init__(name=name, overlay=True, show=show)
        self._name = "RouteLayer"
        self.text = script_json(rows)


def patrol_map(what: PatrolDrawing, path: Path) -> None:
    """Write a run as one HTML file that needs no network.

    Each crew of each night is a layer to be switched; only the first night is shown at first. What is left uncovered is
    dashed, red where it must be done. Withheld points are left out. The same input gives the same bytes. Raises
    LamplightError where the browser assets have not been fetched.
    """
    page = OfflineMap()
    page.add_child(folium.map.CustomPane("routes", z_index=430))
    page.add_child(map_parts.LineLayer("", [(patrol_words.GROUND_COLOUR, _ground(what))], view=None, control=False))
    for name, rows, show in _layers(what):
        page.add_child(RouteLayer(name, rows, show=show))
    points = folium.FeatureGroup("服务点、救助站 points")
    points.add_child(map_parts.PointMarks(map_parts.point_rows(what.shown_points())))
    page.add_child(points)
    page.add_child(map_parts.MetricScale())
    page.add_child(map_parts.Corner("bottomleft", legend_html(what)))
    page.add_child(folium.LayerControl(collapsed=JsCode("window.innerWidth < 800")))
    bounds = _bounds(what)
    if bounds is not None:
        page.add_child(map_parts.View(bounds, legend_px=300))
    path.write_bytes(render(page, what, style=STYLE).encode())


def _ground(what: PatrolDrawing) -> Lines:
    lines = shapely.simplify(what.segments.geometry.to_numpy(), LINE_TOLERANCE, preserve_topology=False)
    size = shapely.get_num_coordinates(lines)
    if size.sum() <= MAX_VERTICES:
        return lines
    return lines[longest_that_fit(np.ones(len(lines), bool), size, shapely.length(lines), MAX_VERTICES)]


def _layers(what: PatrolDrawing) -> list[tuple[str, list[tuple[list[int], str, str, str, str]], bool]]:
    """Return (name, rows, whether shown at first) of every layer: uncovered below, then the crews."""
    first, several = what.dates[0], len(what.dates) > 1
    layers = []
    for date in what.dates:
        left = _left_rows(what, date)
        if left:
            layers.append((f"{date[5:]} 未巡查 not covered" if several else "未巡查 not covered", left, date == first))
    routes = [route for route in what.routes if route.goes_out]
    if len(routes) > MOST_LAYERS:
        for date in what.dates:
            rows = [row for route in what.on(date) for row in _rows(what, route)]
            layers.append((f"{date[5:]} 路线 routes", rows, date == first))
        return layers
    for route in routes:
        name = f"{route.date[5:]} {route.name}" if several else route.name
        # the control writes a layer's name as HTML
        layers.append((f"{_number(route)} {escape(name)}", _rows(what, route), route.date == first))
    return layers


def _rows(what: PatrolDrawing, route: Route) -> list[tuple[list[int], str, str, str, str]]:
    """Return what is drawn of a route: ways first, what is patrolled on them, checks on top."""
    ink = patrol_words.colour(route.number)
    lines = shapely.transform(route.lines, lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1], what.crs)))
    legs_of = route.legs.groupby("step").indices
    rows = []
    for item in items(route):
        facts = [
            ("班组 crew", route.name),
            ("时间 time", f"{clock(item.begins)}–{clock(item.ends)}"),
            ("", item.en),
            ("必巡 must", STAR if item.must else ""),
        ]
        tip, card = escape(f"{clock(item.begins)} {item.zh}"), card_html(item.zh, "", facts)
        legs = [leg for step in item.steps for leg in legs_of.get(step, ())]
        if legs and item.kind in ("patrol", "travel"):
            steps = _steps(shapely.get_coordinates(lines[legs]))
            rows.append((steps, ink, item.kind, tip, card))
        elif item.kind == "check" and np.isfinite(item.at).all():
            lon, lat = to_lonlat([item.at[0]], [item.at[1]], what.crs)
            rows.append((_steps(np.column_stack([lon, lat])), patrol_words.CHECK_COLOUR, "stop", tip, card))
    order = {"travel": 0, "patrol": 1, "stop": 2}
    rows.sort(key=lambda row: order[row[2]])
    middle = route.middle
    if middle is not None:
        lon, lat = to_lonlat([middle[0]], [middle[1]], what.crs)
        card = card_html(
            route.name, "", [("任务 duties", f"{route.crew['services']}"), ("行程 ground", _figures(route))]
        )
        rows.append((_steps(np.column_stack([lon, lat])), ink, "badge", str(route.number), card))
    return rows


def _left_rows(what: PatrolDrawing, date: str) -> list[tuple[list[int], str, str, str, str]]:
    rows = []
    left = what.of("uncovered", date).sort_values("must", kind="stable")
    for row in left.to_dict("records"):
        name = str(row["name"]) or both(patrol_words.UNNAMED)
        why = f"{row['zh']} / {row['en']}"
        facts = [
            ("未巡查 not covered", why),
            ("长度 length", patrol_words.metres(row["metres"]) if row["metres"] > 0 else ""),
            ("必巡 must", STAR if row["must"] else ""),
        ]
        colour = patrol_words.LEFT_MUST_COLOUR if row["must"] else patrol_words.LEFT_COLOUR
        kind = "stop" if row["geometry"].geom_type == "Point" else "must" if row["must"] else "left"
        card = card_html(name, str(row["duty"]), facts)
        rows.append((_steps(shapely.get_coordinates(row["geometry"])), colour, kind, escape(name), card))
    return rows


def _steps(lonlat: np.ndarray) -> list[int]:
    whole = np.rint(lonlat * 1e5).astype(np.int64)
    return np.diff(whole, axis=0, prepend=np.zeros((1, 2), np.int64)).ravel().tolist()


def _bounds(what: PatrolDrawing) -> list[list[float]] | None:
    walked = [route.lines for route in what.routes if len(route.lines)]
    if not walked:
        return bounds_of(what.segments)
    left, bottom, right, top = shapely.total_bounds(np.concatenate(walked))
    (west, east), (south, north) = to_lonlat([left, right], [bottom, top], what.crs)
    return [[float(south), float(west)], [float(north), float(east)]]


def legend_html(what: PatrolDrawing) -> str:
    """Return the legend: each night's totals and crews, and what lines and marks mean."""
    nights = []
    for plan in what.tables["plan"].to_dict("records"):
        worth = percent(plan["priority_served"], plan["priority"])
        idle = percent(plan["deadhead_m"], plan["walked_m"])
        nights.append(
            f"<h2>{escape(patrol_words.night(plan['date']))}</h2>"
            f"<small>{plan['served']:,} / {plan['services']:,} 项任务 duties · 优先值 priority {worth} · "
            f"{km(plan['walked_m'])} · 空走 not patrolling {idle}</small>"
        )
    crews = ""
    if len(what.dates) == 1:
        crews = "<ul>" + "".join(_crew_item(route) for route in what.on(what.dates[0])[:MOST_LAYERS]) + "</ul>"
    left = what.tables["uncovered"]
    marks = [line_item("#0072b2", ("巡查", "patrolled")), _dashed("#0072b2", ("途经", "passed through"))]
    if len(left):
        marks.append(_dashed(patrol_words.LEFT_COLOUR, ("未巡查", "not covered")))
    if left["must"].any():
        marks.append(_dashed(patrol_words.LEFT_MUST_COLOUR, (f"{STAR} 必巡而未排", "must be done, not covered")))
    marks.append('<li><i class="rhomb"></i>检查点 check</li>')
    return (
        f"<details open><summary>图例 Legend</summary>{''.join(nights)}{crews}"
        f"<h2>图式 Signs</h2><ul>{''.join(marks)}{map_parts.places_legend(what)}</ul></details>"
    )


def _crew_item(route: Route) -> str:
    mode = MODE_NAMES.get(str(route.crew["mode"]), (str(route.crew["mode"]), ""))[0]
    return f"<li>{_number(route)}{escape(f'{route.name} · {mode} · {_figures(route)}')}</li>"


def _number(route: Route) -> str:
    return f'<b class="no" style="background:{patrol_words.colour(route.number)}">{route.number}</b>'


def _figures(route: Route) -> str:
    return f"{minutes(route.crew['duration_s'])} min · {km(route.crew['walked_m'])}"


def _dashed(colour: str, words: tuple[str, str]) -> str:
    return f'<li><i class="dashed" style="color:{colour}"></i>{both(words)}</li>'
