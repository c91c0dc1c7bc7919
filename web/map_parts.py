"""The parts of the single-file map: its layers as folium elements, and its words as escaped HTML."""

import json
import re
from collections.abc import Sequence
from html import escape

import numpy as np
import shapely
from branca.element import MacroElement
from folium.map import Layer
from folium.template import Template
from geopandas import GeoDataFrame
from numpy.typing import NDArray

from web import drawing
from web.drawing import CoverageDrawing, Drawing, both

#: The browser itself refuses every fetch, whatever a name in the data may try.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\" />"
    '<link rel="icon" href="data:," />'
)

STYLE = """
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; color: #222;
  font-family: "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei",
    sans-serif; }
header { padding: 8px 14px 9px; border-bottom: 1px solid #ccc; background: #fff; }
header h1 { font-size: 19px; line-height: 1.3; margin: 0; font-weight: 600; }
header p { font-size: 13px; line-height: 1.5; margin: 1px 0 0; color: #555; }
header .dated { white-space: nowrap; }
header .flag { display: inline-block; font-size: 12px; font-weight: 600; color: #7a3000; background: #ffe9d6;
  border: 1px solid #e9b588; border-radius: 3px; padding: 0 6px; margin: 0 6px 0 0; }
.folium-map { order: 1; flex: 1 1 auto; height: auto !important; min-height: 0; }
.leaflet-container { background: #f4f3f0; font-family: inherit; }
.corner { background: rgba(255, 255, 255, .93); border-radius: 4px; box-shadow: 0 1px 4px rgba(0, 0, 0, .3);
  padding: 7px 10px; font-size: 12px; line-height: 1.45; max-width: min(300px, 78vw); }
.corner summary { cursor: pointer; font-weight: 600; font-size: 13px; }
.corner h2 { font-size: 12px; margin: 7px 0 2px; font-weight: 600; }
.corner ul { list-style: none; margin: 0; padding: 0; }
.corner li { display: flex; align-items: center; gap: 7px; }
.corner small { color: #666; font-size: 11px; display: block; }
.corner i { flex: none; width: 22px; height: 13px; border: 1px solid rgba(0, 0, 0, .25); }
.corner i.line { height: 0; border: 0; border-top: 3px solid; }
.corner i.dot { width: 8px; height: 8px; border-radius: 50%; border: 2px solid #fff; background: #111;
  box-shadow: 0 0 0 1px #999; margin: 0 5px; }
.corner i.hollow { background: #fff; border-color: #111; box-shadow: none; }
.station { box-sizing: border-box; width: 20px; height: 20px; line-height: 17px; text-align: center; font-size: 12px;
  font-weight: 600; color: #fff; background: #111; border: 1.5px solid #fff; border-radius: 3px; }
.corner .station { flex: none; margin: 2px 1px; box-shadow: 0 0 0 1px #999; }
footer { order: 2; padding: 3px 14px; font-size: 11px; line-height: 1.4; color: #555; border-top: 1px solid #ccc; }
.card b { font-size: 14px; } .card .code { color: #777; font-size: 11px; margin-left: 6px; }
.card table { border-collapse: collapse; margin-top: 3px; } .card td { padding: 1px 10px 1px 0; vertical-align: top; }
.card td { white-space: pre-line; }
.card td:first-child { color: #666; white-space: nowrap; }
.leaflet-control-layers label { font-size: 12px; line-height: 1.5; }
@media (max-width: 600px) { header h1 { font-size: 16px; } header p { font-size: 12px; } }
"""


#: The label of the one fact that is a link, and what a number that can be dialled looks like.
PHONE = "电话 phone"
_ONE_NUMBER, _NOT_DIALLED = re.compile(r"\+?[0-9][0-9 ()-]{1,20}"), re.compile(r"[ ()-]")


def script_json(value: object) -> str:
    """Write JSON that is safe inside a script element, whatever its strings hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_UNSAFE)


_UNSAFE = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


class AreaData(MacroElement):
    """The areas once, for all layers that colour them, and how a card of one is written.

    shapes : (a,) GeoJSON texts. classes : (t, a) position in the palette per threshold. names : (a,) as text: the
    page escapes them. facts : (a,) values of ``labels``, which are HTML; ``headline`` is the one shown beside the name.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        const lamplightAreas = {{ this.text }};
        const lamplightText = (text) => {
            const box = document.createElement('div');
            box.textContent = text;
            return box.innerHTML;
        };
        const lamplightName = ({n, f}) => lamplightText(n + ' ' + f[{{ this.headline }}]);
        const lamplightCard = ({n, k, f}) => `<div class="card"><b>${lamplightText(n)}</b>`
            + `<span class="code">${lamplightText(k)}</span><table>`
            + {{ this.labels }}.map((label, i) => `<tr><td>${label}</td><td>${lamplightText(f[i])}</td></tr>`).join('')
            + '</table></div>';
        {% endmacro %}
        """
    )

    def __init__(
        self,
        shapes: NDArray[np.object_],
        classes: NDArray[np.int64],
        names: list[tuple[str, str]],
        facts: list[list[str]],
        labels: list[str],
        headline: int,
    ) -> None:
        super().__init__()
        self._name = "AreaData"
        self.labels, self.headline = script_json(labels), headline
        rows = zip(shapes, classes.T.tolist(), names, facts, strict=True)
        features = (
            f'{{"type":"Feature","geometry":{shape},"properties":{script_json({"c": c, "n": n, "k": k, "f": f})}}}'
            for shape, c, (n, k), f in rows
        )
        self.text = "[" + ",\n".join(features) + "]"


class ShareLayer(Layer):
    """The areas as one of a set of views to choose from: coloured by one of their classes, or all pale.

    position : which of the classes of AreaData; None for the pale ground of the view of streets. colours : of its
    classes, after the colour of class -1.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = (() => {
            const edge = {color: {{ this.edge }}, weight: 0.7};
            const palette = {{ this.palette }};
            return L.geoJson(lamplightAreas, {
                style: (area) => ({
                    fillColor: palette[{{ this.position }} === null ? 0 : area.properties.c[{{ this.position }}] + 1],
                    fillOpacity: 0.85, opacity: 0.9, ...edge,
                }),
                onEachFeature: (area, layer) => {
                    layer.bindPopup(() => lamplightCard(area.properties), {maxWidth: 320});
                    layer.bindTooltip(() => lamplightName(area.properties), {sticky: true});
                    layer.on('mouseover', () => layer.setStyle({color: '#111111', weight: 2.5}).bringToFront());
                    layer.on('mouseout', () => layer.setStyle(edge));
                },
            });
        })();
        {% endmacro %}
        """
    )

    def __init__(
        self,
        name: str,
        position: int | None,
        *,
        show: bool,
        colours: Sequence[str] = (drawing.NO_ONE_COLOUR, *drawing.SHARE_COLOURS),
    ) -> None:
        super().__init__(name=name, overlay=False, show=show)
        self._name = "ShareLayer"
        self.position = script_json(position)
        self.palette = script_json([drawing.GROUND_COLOUR, *colours[1:]] if position is None else list(colours))
        self.edge = script_json(drawing.EDGE_COLOUR)


class LineLayer(Layer):
    """Many lines as one many-part line per colour, on a canvas that lets clicks through.

    groups : (colour, lines). Lines are thin while zoomed out, so that a whole city stays legible. The last group lies
    on top. view : the view in which the lines bear their colours; in others they are a faint texture. None: always.
    pane : of the map, where they are drawn.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.layerGroup();
        (() => {
            const map = {{ this._parent.get_name() }};
            const canvas = L.canvas({pane: {{ this.pane }}, padding: 0.3});
            const view = {{ this.view }};
            let coloured = view === null;
            const look = (colour) => {
                const zoom = map.getZoom();
                const weight = zoom < 10.5 ? 0.8 : zoom < 12 ? 1.2 : zoom < 13.5 ? 1.8 : zoom < 15 ? 2.6 : 4;
                return coloured ? {color: colour, weight: weight, opacity: {{ this.opacity }}}
                                : {color: {{ this.faint }}, weight: weight / 2, opacity: 0.4};
            };
            {{ this.text }}.forEach(({colour, counts, steps}) => {
                let x = 0, y = 0, at = 0;
                const lines = counts.map((count) => {
                    const line = [];
                    for (let k = 0; k < count; k++) {
                        x += steps[at++]; y += steps[at++];
                        line.push([y / 1e5, x / 1e5]);
                    }
                    return line;
                });
                const drawn = L.polyline(lines, {renderer: canvas, pane: {{ this.pane }}, interactive: false});
                const restyle = () => drawn.setStyle(look(colour));
                map.on('zoomend', restyle);
                map.on('baselayerchange', (change) => { coloured = [null, change.name].includes(view); restyle(); });
                drawn.addTo({{ this.get_name() }});
            });
        })();
        {% endmacro %}
        """
    )

    def __init__(
        self,
        name: str,
        groups: list[tuple[str, NDArray[np.object_]]],
        *,
        view: str | None,
        control: bool,
        opacity: float = 0.9,
        pane: str = "streets",
    ) -> None:
        super().__init__(name=name, overlay=True, show=True, control=control)
        self._name = "LineLayer"
        self.pane = script_json(pane)
        self.opacity = opacity
        self.view = script_json(view)
        self.faint = script_json(drawing.OUTLINE_COLOUR)
        self.text = script_json([{"colour": colour, **steps(lines)} for colour, lines in groups if len(lines)])


def steps(lines: NDArray[np.object_]) -> dict[str, list[int]]:
    """Write lines as whole steps of 1e-5 degree, each vertex from the one before, across all lines.

    Returns {"counts": vertices of each line, "steps": x, y, x, y...}: a quarter of the size of GeoJSON.
    """
    whole = np.rint(shapely.get_coordinates(lines) * 1e5).astype(np.int64)
    return {
        "counts": shapely.get_num_coordinates(lines).tolist(),
        "steps": np.diff(whole, axis=0, prepend=np.zeros((1, 2), np.int64)).ravel().tolist(),
    }


class PointMarks(MacroElement):
    """Service points as dots, planned ones hollow, and rescue stations as marked squares, each with its card.

    rows : (lat, lon, "point", "planned" or "station", name as HTML, card as HTML).
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (() => {
            const svg = L.svg({pane: 'markerPane'});
            const map = {{ this._parent._parent.get_name() }};
            const radius = (zoom) => zoom < 10.5 ? 3.5 : zoom < 13 ? 5 : 7;
            {{ this.text }}.forEach(([lat, lon, kind, name, card]) => {
                const station = kind === 'station', planned = kind === 'planned';
                const mark = station
                    ? L.marker([lat, lon], {icon: L.divIcon({className: 'station', html: '站', iconSize: [20, 20]})})
                    : L.circleMarker([lat, lon], {renderer: svg, pane: 'markerPane', radius: 5,
                                                  color: planned ? '#111111' : '#ffffff', weight: 1.5,
                                                  fillColor: planned ? '#ffffff' : '#111111', fillOpacity: 1});
                if (!station) { map.on('zoomend', () => mark.setRadius(radius(map.getZoom()))); }
                mark.bindTooltip(name).bindPopup(card, {maxWidth: 320}).addTo({{ this._parent.get_name() }});
            });
        })();
        {% endmacro %}
        """
    )

    def __init__(self, rows: list[tuple[float, float, str, str, str]]) -> None:
        super().__init__()
        self._name = "PointMarks"
        self.text = script_json(rows)


class View(MacroElement):
    """The part of the world shown first, beside legend and controls where the screen is wide enough.

    bounds : [[south, west], [north, east]]. legend_px : the width a legend takes on the left.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.fitBounds({{ this.bounds }}, window.innerWidth < 800 ? {padding: [10, 10]}
            : {paddingTopLeft: [{{ this.left }}, 14], paddingBottomRight: [window.innerWidth < 1100 ? 14 : 120, 14]});
        {% endmacro %}
        """
    )

    def __init__(self, bounds: list[list[float]], *, legend_px: int = 335) -> None:
        super().__init__()
        self._name = "View"
        self.left = legend_px
        self.bounds = script_json(bounds)


class MetricScale(MacroElement):
    """A scale bar in metres and kilometres only."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "L.control.scale({imperial: false, maxWidth: 140}).addTo({{ this._parent.get_name() }});"
        "{% endmacro %}"
    )

    def __init__(self) -> None:
        super().__init__()
        self._name = "MetricScale"


class Corner(MacroElement):
    """A box of HTML in a corner of the map; a legend in it starts folded on a narrow screen."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (() => {
            const corner = L.control({position: {{ this.position|tojson }}});
            corner.onAdd = () => {
                const box = L.DomUtil.create('div', 'corner');
                box.innerHTML = {{ this.text }};
                L.DomEvent.disableClickPropagation(box).disableScrollPropagation(box);
                box.querySelectorAll('details').forEach((d) => { d.open = window.innerWidth >= 800; });
                return box;
            };
            corner.addTo({{ this._parent.get_name() }});
        })();
        {% endmacro %}
        """
    )

    def __init__(self, position: str, html: str) -> None:
        super().__init__()
        self._name = "Corner"
        self.position = position
        self.text = script_json(html)


def title_html(what: Drawing) -> str:
    """Return the page's heading: the city, what was asked, the date, and the warnings that belong on every map."""
    flags = "".join(f'<span class="flag">{escape(both(flag))}</span>' for flag in what.flags)
    dated = f'<span class="dated">数据日期 data of {escape(what.data_date)}</span>' if what.data_date else ""
    asked = " · ".join(text for text in (escape(both(what.question)), dated) if text)
    return f"<header><h1>{escape(what.city)} {escape(both(what.title))}</h1><p>{flags}{asked}</p></header>"


def card_html(name: str, code: str, facts: list[tuple[str, str]]) -> str:
    """Return a card: a name, a code and a table of facts; everything escaped, empty facts left out.

    A fact under PHONE can be dialled.
    """
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td>{_dial(value) if label == PHONE else escape(value)}</td></tr>"
        for label, value in facts
        if value
    )
    return f'<div class="card"><b>{escape(name)}</b><span class="code">{escape(code)}</span><table>{rows}</table></div>'


def _dial(phone: str) -> str:
    """Return a phone number as a link a phone can dial; text with anything but one number in it stays text."""
    if not _ONE_NUMBER.fullmatch(phone.strip()):
        return escape(phone)
    return f'<a href="tel:{_NOT_DIALLED.sub("", phone)}">{escape(phone)}</a>'


def point_rows(points: GeoDataFrame) -> list[tuple[float, float, str, str, str]]:
    """Return what PointMarks draws of each point: (lat, lon, kind of mark, name as HTML, card as HTML)."""
    rows = []
    for point, planned in zip(points.to_dict("records"), drawing.planned(points), strict=True):
        blank = {key: value for key, value in point.items() if isinstance(value, str)}
        facts = [
            ("功能 functions", drawing.functions_in_words(blank.get("functions", ""))),
            ("开放时间 hours", drawing.hours_in_words(blank.get("hours", ""))),
            (PHONE, blank.get("phone", "")),
            ("地址 address", blank.get("address", "")),
            ("建设状态 state", both(drawing.BUILD_STATES.get(blank.get("build_state", ""), ("", "")))),
        ]
        name, place = blank.get("name", ""), point["geometry"]
        card = card_html(name, blank.get("code", ""), facts)
        mark = "station" if point.get("kind") == drawing.STATION else "planned" if planned else "point"
        rows.append((round(place.y, 5), round(place.x, 5), mark, escape(name), card))
    return rows


def legend_html(what: CoverageDrawing, level: str, classes: list[drawing.TimeClass], drawn: str) -> str:
    """Return the legend: shares, walking times, marks, and ``drawn``, a sentence on what is not drawn."""
    times = "".join(line_item(k.colour, (k.zh, k.en)) for k in classes)
    return (
        "<details open><summary>图例 Legend</summary>"
        f"{shares_legend(what, level)}"
        f"<h2>{both(drawing.STREETS)}</h2><ul>{times}</ul><small>{escape(drawn)}</small>"
        f"<h2>设施 Places</h2><ul>{places_legend(what)}</ul></details>"
    )


def shares_legend(what: Drawing, level: str) -> str:
    """Return the part of a legend on areas coloured by share, with a remark where a coarser tier is drawn."""
    shares = "".join(
        f'<li><i style="background:{colour}"></i>{label}</li>'
        for colour, label in zip(drawing.SHARE_COLOURS, drawing.share_labels(), strict=True)
    )
    none = both(drawing.NO_ONE[what.measure])
    asked = "" if level == what.level else f"<small>{escape(both(drawing.coarser(what.level, level)))}</small>"
    return (
        f"<h2>{escape(both(drawing.share_words(what.measure, level)))}</h2>{asked}"
        f'<ul>{shares}<li><i style="background:{drawing.NO_ONE_COLOUR}"></i>{none}</li></ul>'
    )


def line_item(colour: str, words: tuple[str, str]) -> str:
    """Return a legend's item for a line."""
    return f'<li><i class="line" style="color:{colour}"></i>{both(words)}</li>'


def places_legend(what: Drawing) -> str:
    """Return a legend's items for the points there are."""
    hollow = f'<li><i class="dot hollow"></i>{both(drawing.PLANNED)}</li>' if what.has_planned else ""
    return (
        '<li><i class="dot"></i>服务点 service point</li>'
        f"{hollow}"
        '<li><span class="station">站</span>救助站 rescue station</li>'
    )


def foot_html(what: Drawing) -> str:
    """Return the line below the map: whose data, its date, and the map's approval number where it has one."""
    return "<footer>" + " · ".join(escape(text) for text in drawing.sources(what)) + "</footer>"
