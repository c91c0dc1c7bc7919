"""The parts of a siting map that no other map has: numbered sites and their runners-up, their cards, the panel."""

import json
import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from branca.element import MacroElement
from folium.template import Template
from numpy.typing import NDArray

from planner.siting import quantities
from web import siting_drawing, siting_words
from web.drawing import both
from web.map_parts import card_html, line_item, places_legend, script_json, shares_legend
from web.siting_drawing import SitingDrawing, place_of, runner_up_of

#: What a map can show; all but the last colour areas alone.
BEFORE, AFTER, GAIN = "之前 before", "之后 after", "谁受益 who gains"
STYLE = """
@media (min-width: 800px) {
  body { display: grid; grid-template: auto 1fr auto / 370px minmax(0, 1fr); }
  header, footer { grid-column: 1 / 3; }
  aside { grid-column: 1; grid-row: 2; overflow-y: auto; border-right: 1px solid #ccc; }
  .folium-map { grid-column: 2; grid-row: 2; }
}
@media (max-width: 799px) {
  html, body { height: auto; }
  .folium-map { flex: none; height: min(62vh, 130vw) !important; }
  aside { order: 2; border-top: 1px solid #ccc; }
}
aside { background: #fff; font-size: 13px; line-height: 1.5; padding: 10px 14px 14px; box-sizing: border-box; }
aside h2 { font-size: 17px; line-height: 1.35; margin: 0; color: #0a5c34; }
aside h3 { font-size: 13px; margin: 13px 0 3px; border-bottom: 1px solid #ddd; }
aside p { margin: 2px 0 0; } aside .en { color: #666; font-size: 12px; }
aside .proof { background: #eef6f0; border-left: 3px solid #0a7d45; padding: 3px 8px; margin-top: 7px; }
aside ul, aside ol { list-style: none; margin: 0; padding: 0; }
aside .story li { margin-top: 6px; }
aside button { display: flex; gap: 8px; align-items: center; width: 100%; font: inherit; text-align: left;
  color: inherit; background: none; border: 0; border-bottom: 1px solid #eee; padding: 5px 2px; cursor: pointer; }
aside button:hover, aside button:focus-visible { background: #eef6f0; }
aside button b { margin-left: auto; font-weight: 600; white-space: nowrap; }
aside button span.at { min-width: 0; overflow-wrap: anywhere; }
aside button small { display: block; color: #666; }
aside table { border-collapse: collapse; width: 100%; }
aside td, aside th { padding: 2px 0 2px 8px; text-align: right; border-bottom: 1px solid #eee; font-weight: 400; }
aside th { color: #666; font-size: 11px; line-height: 1.3; vertical-align: bottom; }
aside td:first-child, aside th:first-child { text-align: left; padding-left: 0; }
.site { box-sizing: border-box; width: 24px; height: 24px; line-height: 20px; text-align: center; font-size: 12px;
  font-weight: 700; color: #fff; background: #0a7d45; border: 2px solid #fff; border-radius: 50%;
  box-shadow: 0 1px 3px rgba(0, 0, 0, .5); flex: none; }
.site.convert { border-radius: 6px; } .site.upgrade { background: #fff; color: #0a7d45; border-color: #0a7d45; }
.site.close { width: 18px; height: 18px; background: #a3261d; font-size: 15px; line-height: 14px; }
.card td:first-child { white-space: pre-line; width: 45%; }
.corner { max-width: min(236px, 78vw); max-height: 72vh; overflow-y: auto; }
.corner .north { text-align: center; line-height: 1.2; font-weight: 600; }
.corner li .site { width: 18px; height: 18px; line-height: 14px; font-size: 10px; margin: 1px 2px; }
.corner i.runner { width: 9px; height: 9px; border-radius: 50%; border: 2px solid #5c5c5c; background: #fff;
  margin: 0 5px; }
"""


class SiteMarks(MacroElement):
    """The sites as numbered marks with cards; numbers that would lie on one another move aside, a line leads back.

    Points that close are crossed out where they stand.

    rows : (lat, lon, action, mark, name as HTML, card as HTML), the most important first. In the page, an element with
    ``data-site`` of a row's position opens its card.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (() => {
            const map = {{ this._parent._parent.get_name() }}, group = {{ this._parent.get_name() }};
            const apart = 25, narrow = window.innerWidth < 800;
            // beside the controls on a phone
            const popup = narrow ? {minWidth: 232, maxWidth: 240, autoPanPaddingTopLeft: [56, 8],
                                    autoPanPaddingBottomRight: [58, 8]} : {minWidth: 276, maxWidth: 300};
            const offsets = [[0, 0]];
            [1, 1.6, 2.4].forEach((ring) => {
                for (let k = 0; k < 12; k++) {
                    const turn = Math.PI * (k * 5 % 12) / 6;
                    offsets.push([Math.cos(turn) * ring * apart, Math.sin(turn) * ring * apart]);
                }
            });
            const marks = {{ this.text }}.map(([lat, lon, kind, text, name, card], i) => {
                const side = kind === 'close' ? 18 : 24;
                const icon = L.divIcon({className: 'site ' + kind, html: text, iconSize: [side, side]});
                const mark = L.marker([lat, lon], {icon: icon, zIndexOffset: 1000 - i, riseOnHover: true});
                mark.bindTooltip(name).bindPopup(card, popup).addTo(group);
                const lead = L.polyline([], {color: '#222222', weight: 1.2, interactive: false}).addTo(group);
                return {at: L.latLng(lat, lon), mark: mark, lead: lead, fixed: kind === 'close'};
            });
            const spread = () => {
                const moving = marks.filter((m) => !m.fixed);
                const taken = marks.filter((m) => m.fixed).map((m) => map.latLngToLayerPoint(m.at));
                moving.forEach(({at, mark, lead}) => {
                    const from = map.latLngToLayerPoint(at);
                    const free = (step) => taken.every((t) => t.distanceTo(from.add(step)) >= apart);
                    const to = from.add(offsets.find(free) || offsets[0]);
                    taken.push(to);
                    const moved = to.equals(from) ? at : map.layerPointToLatLng(to);
                    mark.setLatLng(moved);
                    lead.setLatLngs([at, moved]);
                });
            };
            map.on('zoomend', spread);
            map.whenReady(spread);
            document.querySelectorAll('[data-site]').forEach((item) => item.addEventListener('click', () => {
                const mark = marks[item.dataset.site].mark;
                if (narrow) {
                    map.getContainer().scrollIntoView();
                }
                map.setView(mark.getLatLng(), Math.max(map.getZoom(), 14), {animate: false});
                mark.openPopup();
            }));
        })();
        {% endmacro %}
        """
    )

    def __init__(self, rows: list[tuple[float, float, str, str, str, str]]) -> None:
        super().__init__()
        self._name = "SiteMarks"
        self.text = script_json(rows)


class OpenOn(MacroElement):
    """The view a map opens on, told to the layers that look different in it; the legend explains the view shown.

    In the page, an element whose ``data-views`` does not name the view is hidden.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.on('baselayerchange', ({name}) => {
            document.querySelectorAll('[data-views]').forEach((part) => {
                part.hidden = !JSON.parse(part.dataset.views).includes(name);
            });
        }).fire('baselayerchange', {name: {{ this.view }}});
        {% endmacro %}
        """
    )

    def __init__(self, view: str) -> None:
        super().__init__()
        self._name = "OpenOn"
        self.view = script_json(view)


class RunnerUpMarks(MacroElement):
    """The second choice for each site as a small hollow mark; rows : (lat, lon, card as HTML)."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this.text }}.forEach(([lat, lon, card]) => {
            L.circleMarker([lat, lon], {radius: 5, color: {{ this.colour }}, weight: 2, fillColor: '#ffffff',
                fillOpacity: 1, pane: 'markerPane', renderer: L.svg({pane: 'markerPane'})})
                .bindPopup(card, {maxWidth: 320}).addTo({{ this._parent.get_name() }});
        });
        {% endmacro %}
        """
    )

    def __init__(self, rows: list[tuple[float, float, str]]) -> None:
        super().__init__()
        self._name = "RunnerUpMarks"
        self.colour = script_json(siting_drawing.RUNNER_UP_COLOUR)
        self.text = script_json(rows)


NORTH = '<div class="north">▲<br>北 N</div>'


def site_rows(what: SitingDrawing) -> list[tuple[float, float, str, str, str, str]]:
    """Return what SiteMarks draws of each site that may be shown."""
    return [
        (
            round(float(site["lat"]), 5),
            round(float(site["lon"]), 5),
            str(site["action"]),
            site["mark"],
            escape(f"{site['mark']} {place_of(site)}"),
            card_html(f"{site['mark']} {place_of(site)}", str(site["code"]), site_facts(site, what.site_unit)),
        )
        for site in what.shown_sites().to_dict("records")
    ]


def site_facts(site: Mapping[str, Any], unit: str) -> list[tuple[str, str]]:
    """Return why a site is chosen, as facts for its card: what it adds, the runner-up, cost, place."""
    loses = _said(site["runner_up_loses"], unit)
    does_zh, does_en = siting_words.gain_verb(unit)
    return [
        ("措施 action", both(siting_words.ACTION_NAMES.get(site["action"], (str(site["action"]), "")))),
        ("期 period", f"{site['period']:.0f}" if site["period"] > 0 else ""),
        (f"单独设置时{does_zh}\n{does_en} alone", _said(site["adds_alone"], unit)),
        (f"其余已定后{does_zh}\n{does_en} last", _said(site["adds_last"], unit)),
        ("次选 runner-up", runner_up_of(site)),
        ("改用次选损失\nthe runner-up loses", loses),
        (
            "需求变动仍入选\nkept at ±20 % demand",
            f"{site['steady']:.0%}" if math.isfinite(site["steady"]) else "",
        ),
        ("费用 cost", f"{site['cost']:,g}" if math.isfinite(site["cost"]) else ""),
        ("容量 capacity", f"{site['capacity']:,g}" if math.isfinite(site["capacity"]) else ""),
        ("负荷 load", f"{site['load']:,.0f}" if math.isfinite(site["load"]) else ""),
        ("街道 street", str(site["street"] or "")),
        ("辖区 area", str(site["area_name"] or "")),
    ]


def runner_up_rows(what: SitingDrawing) -> list[tuple[float, float, str]]:
    """Return what RunnerUpMarks draws: the second choice of each site where there is one."""
    sites = what.shown_sites()
    sites = sites[np.isfinite(sites[["runner_up_lon", "runner_up_lat"]].to_numpy(float)).all(axis=1)]
    return [
        (
            round(float(site["runner_up_lat"]), 5),
            round(float(site["runner_up_lon"]), 5),
            card_html(
                f"{site['mark']} 号的次选 runner-up of no. {site['mark']}",
                "",
                [
                    ("位置 place", runner_up_of(site)),
                    ("改用则损失 if taken, lost", _said(site["runner_up_loses"], what.site_unit)),
                ],
            ),
        )
        for site in sites.to_dict("records")
    ]


def _said(value: float, unit: str) -> str:
    return siting_words.measured(value, unit) if math.isfinite(value) else ""


def panel_html(what: SitingDrawing) -> str:
    """Return the panel beside the map: the headline, how sure it is, the story, the sites, whom they leave out."""
    zh, en = what.headline
    sure_zh, sure_en = siting_words.proof(what.plan)
    story = "".join(f'<li>{escape(a)}<p class="en">{escape(b)}</p></li>' for a, b in what.story())
    notes = "".join(f'<li>{escape(a)}<p class="en">{escape(b)}</p></li>' for a, b in what.shown_notes())
    return (
        f'<aside><h2>{escape(zh)}</h2><p class="en">{escape(en)}</p>'
        f'<div class="proof">{escape(sure_zh)}<p class="en">{escape(sure_en)}</p></div>'
        + (f'<ul class="story">{story}</ul>' if story else "")
        + _frontier_html(what)
        + _sites_html(what)
        + _left_out_html(what)
        + (f'<h3>说明 Notes</h3><ul class="story">{notes}</ul>' if notes else "")
        + "</aside>"
    )


def _sites_html(what: SitingDrawing) -> str:
    sites = what.shown_sites().to_dict("records")
    if not sites:
        return ""
    unit = what.site_unit
    items = []
    for i, site in enumerate(sites):
        action = both(siting_words.ACTION_NAMES.get(site["action"], (str(site["action"]), "")))
        period = f" · 第 {site['period']:.0f} 期 period {site['period']:.0f}" if site["period"] > 0 else ""
        at = f'<span class="at">{escape(place_of(site))}<small>{escape(action + period)}</small></span>'
        items.append(
            f'<li><button type="button" data-site="{i}"><span class="site {escape(str(site["action"]))}">'
            f"{site['mark']}</span>{at}"
            f"<b>{siting_drawing.added(site, unit)}</b></button></li>"
        )
    does_zh, does_en = siting_words.gain_verb(unit)
    zh, en = quantities.unit_words(unit)
    said = f"右列：其余已定后各自{does_zh}（{zh}） right: what each {does_en} once the others stand ({en})"
    return f'<h3>点位 Sites</h3><p class="en">{escape(said)}</p><ol>{"".join(items)}</ol>'


def _left_out_html(what: SitingDrawing, most: int = 8) -> str:
    unit = siting_words.demand_unit(what.parameters)
    beyond = "".join(
        f"<tr><td>{escape(str(row['name']))}</td>"
        + "".join(f"<td>{quantities.figure(row[name], unit)}</td>" for name in ("people", "unreachable"))
        + "</tr>"
        for row in what.left_out(most)
    )
    if not beyond:
        return ""
    return (
        "<h3>仍未覆盖 Still beyond reach</h3><table>"
        f"<tr><th>辖区 area</th><th>{both(quantities.unit_words(unit))}</th>"
        f"<th>候选点都不可达<br>no candidate reaches</th></tr>{beyond}</table>"
    )


def _frontier_html(what: SitingDrawing) -> str:
    """Return the frontier as a table: what each step of cost brings."""
    steps = what.tables["frontier"].to_dict("records")
    if not steps:
        return ""
    rows = "".join(
        f"<tr><td>{step['cost']:,g}</td><td>{step['count']:,.0f}</td>"
        f"<td>{escape(quantities.amount(step['value'], what.plan['unit'])[0])}</td>"
        f"<td>{'是 yes' if step['optimal'] else escape(_at_most(step))}</td></tr>"
        for step in steps
    )
    return (
        "<h3>费用与覆盖 Cost and coverage</h3><table><tr><th>费用 cost</th><th>点数 points</th>"
        f"<th>目标值 value</th><th>已证明最优<br>proven best</th></tr>{rows}</table>"
    )


def _at_most(step: Mapping[str, Any]) -> str:
    return f"差 ≤ {quantities.percent_at_most(step['gap'])}" if math.isfinite(step["gap"]) else "—"


def legend_html(what: SitingDrawing, level: str, edges: NDArray[np.float64], classes: set[int], drawn: str) -> str:
    """Return the legend: shares, gains, streets, marks. classes : of streets drawn. drawn : what is not drawn."""
    labels = siting_drawing.gain_labels(edges, what.measure)
    gains = "".join(
        f'<li><i style="background:{colour}"></i>{label}</li>'
        for colour, label in zip(siting_drawing.GAIN_COLOURS, labels, strict=True)
    )
    words = siting_drawing.street_words(what)
    lines = "".join(line_item(siting_drawing.STREET_COLOURS[c], words[c]) for c in sorted(classes))
    actions = dict.fromkeys(what.shown_sites()["action"])
    marks = "".join(
        f'<li><span class="site {escape(str(a))}">{"×" if a == "close" else "1"}</span>'
        f"{both(siting_words.ACTION_NAMES.get(a, (str(a), '')))}</li>"
        for a in actions
    )
    _, areas = what.areas_to_draw()
    shares = shares_legend(what, level) if len(areas) else ""
    coloured = f"<h2>街面 Streets</h2><ul>{lines}</ul><small>{escape(drawn)}</small>"
    if (siting_drawing.gain_class(what.gain(areas), edges) >= 0).any():
        coloured = f"<h2>{both(siting_drawing.gain_words(what.measure))}</h2><ul>{gains}</ul>{coloured}"
    if len(areas):  # else there is no view but one
        shares, coloured = _seen_in((BEFORE, AFTER), shares), _seen_in((GAIN,), coloured)
    return (
        "<details open><summary>图例 Legend</summary>"
        f"{shares}{coloured}"
        f"<h2>设施 Places</h2><ul>{marks}"
        '<li><i class="runner"></i>次选 runner-up</li>'
        f"{places_legend(what)}</ul></details>"
    )


def _seen_in(views: tuple[str, ...], html: str) -> str:
    return f'<div data-views="{escape(json.dumps(views, ensure_ascii=False))}">{html}</div>'
