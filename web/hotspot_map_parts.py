"""The parts of the map of hotspots: cells in switchable views with cards, and names that come and go with the zoom."""

from html import escape

import numpy as np
import shapely
from branca.element import MacroElement
from folium.template import Template
from numpy.typing import NDArray

from web import drawing
from web.hotspot_classes import HATCH_COLOUR, View
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_facts import cell_names, facts_of
from web.hotspot_words import both_of
from web.map_parts import script_json, steps

#: Positions in a view as text, a mark a cell; a blank is drawn nowhere.
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
STYLE = """
.corner i.hatch { background: repeating-linear-gradient(135deg, #8d8d8d 0 1px, #fff 1px 4px) !important; }
.corner i.edge { background: none; border: 2px solid #111; box-sizing: border-box; }
.corner .remark { color: #555; font-size: 11px; margin: 3px 0 0; }
.corner .totals { margin: 4px 0 0; } .corner .totals li { justify-content: space-between; gap: 12px; }
.corner .totals b { white-space: nowrap; }
.corner summary span { font-weight: 400; }
.corner.step { display: flex; align-items: center; gap: 8px; max-width: min(420px, 92vw); }
.corner.step input { width: min(210px, 44vw); } .corner.step b { min-width: 62px; font-size: 13px; }
.corner.step button { font: inherit; padding: 2px 8px; cursor: pointer; }
.card td:first-child { white-space: pre-line; min-width: 96px; max-width: 120px; }
.card td:last-child { min-width: 110px; }
.place { width: 0 !important; height: 0 !important; }
.place span { position: absolute; transform: translate(-50%, -50%); white-space: nowrap; font-size: 11px; color: #222;
  text-shadow: 0 0 2px #fff, 0 0 2px #fff, 0 0 3px #fff, 0 0 4px #fff; pointer-events: none; }
.place.district span { font-size: 13px; font-weight: 600; }
.near .place.district, .folium-map:not(.near) .place.fine { display: none; }
.cluster span { position: absolute; transform: translate(-50%, -50%); min-width: 20px; height: 20px; line-height: 20px;
  border-radius: 10px; background: #111; color: #fff; text-align: center; font: 700 12px/20px sans-serif;
  border: 1.5px solid #fff; pointer-events: none; }
.leaflet-control-layers { max-width: 60vw; }
.north { text-align: center; line-height: 1.1; font-size: 11px; }
.corner.legend { max-height: calc(100vh - 190px); overflow-y: auto; }
@media (max-width: 800px) { .stepping .leaflet-bottom.leaflet-left { bottom: 50px; } }
@media (max-width: 600px) { .corner.legend { max-height: 46vh; overflow-y: auto; }
  .leaflet-popup-content { margin: 9px 12px; } }
"""


class CellViews(MacroElement):
    """The shapes once, the views to choose from, the legend of the one shown, and a card where a shape is clicked."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (() => {
            const map = {{ this._parent.get_name() }};
            const {shapes, parts, views, names, labels, facts, edge} = {{ this.text }};
            const canvas = L.canvas({pane: 'cells', padding: 0.3});
            let x = 0, y = 0, at = 0;
            const rings = shapes.counts.map((count) => {
                const ring = [];
                for (let k = 0; k < count; k++) {
                    x += shapes.steps[at++]; y += shapes.steps[at++];
                    ring.push([y / 1e5, x / 1e5]);
                }
                return ring;
            });
            let first = 0;
            const cells = parts.map((count) => rings.slice(first, first += count));
            const hatch = (() => {
                const tile = document.createElement('canvas');
                tile.width = tile.height = 6;
                const pen = tile.getContext('2d');
                pen.fillStyle = '#ffffff';
                pen.fillRect(0, 0, 6, 6);
                pen.strokeStyle = {{ this.hatch }};
                pen.lineWidth = 1;
                pen.beginPath();
                [[-1, 1], [-1, 7], [5, 7]].forEach(([a, b], i) => {
                    const long = [2, 8, 2][i];
                    pen.moveTo(a, b);
                    pen.lineTo(a + long, b - long);
                });
                pen.stroke();
                return pen.createPattern(tile, 'repeat');
            })();
            const drawn = L.layerGroup().addTo(map), picked = L.layerGroup().addTo(map);
            const digits = {{ this.digits }};
            let now = 0, step = 0, card = null;
            const weight = () => {
                const over = map.getZoom() - {{ this.edged }};
                return over < 0 ? 0 : over < 2 ? 0.4 : 0.8;
            };
            const draw = () => {
                const view = views[now], of = view.of[Math.min(step, view.of.length - 1)];
                const groups = view.looks.map(() => []);
                for (let i = 0; i < of.length; i++) {
                    const look = digits.indexOf(of[i]);
                    if (look >= 0) { cells[i].length && groups[look].push(cells[i]); }
                }
                drawn.clearLayers();
                groups.forEach((group, look) => {
                    if (!group.length) { return; }
                    const {colour, hatched} = view.looks[look];
                    L.polygon(group, {renderer: canvas, pane: 'cells', interactive: false, color: edge, opacity: 0.8,
                        stroke: weight() > 0, weight: weight(), fillOpacity: hatched ? 0.8 : 0.88,
                        fillColor: hatched ? hatch : colour, smoothFactor: 0}).addTo(drawn);
                });
            };

            const legend = L.control({position: 'bottomleft'});
            legend.onAdd = () => {
                const box = L.DomUtil.create('div', 'corner legend');
                box.innerHTML = {{ this.legend }};
                L.DomEvent.disableClickPropagation(box).disableScrollPropagation(box);
                box.querySelector('details').open = window.innerWidth >= 800;
                return box;
            };
            legend.addTo(map);
            const slider = L.control({position: 'bottomright'});
            slider.onAdd = () => {
                const box = L.DomUtil.create('div', 'corner step');
                box.innerHTML = '<button type="button">▶</button><input type="range" min="0" step="1"'
                    + ' aria-label="时段 period"><b></b>';
                L.DomEvent.disableClickPropagation(box).disableScrollPropagation(box);
                return box;
            };
            slider.addTo(map);
            const box = slider.getContainer(), range = box.querySelector('input'), play = box.querySelector('button');
            const goTo = (to) => {
                step = to;
                range.value = to;
                box.querySelector('b').textContent = views[now].steps[to];
                draw();
                if (card !== null) { open(card); }
            };
            let timer = null;
            const stop = () => { clearInterval(timer); timer = null; play.textContent = '▶'; };
            range.addEventListener('input', () => { stop(); goTo(Number(range.value)); });
            play.addEventListener('click', () => {
                if (timer !== null) { stop(); return; }
                play.textContent = '❚❚';
                timer = setInterval(() => goTo((step + 1) % views[now].steps.length), 900);
            });
            const show = (to) => {
                stop();
                now = to;
                const many = views[now].steps.length;
                box.style.display = many ? '' : 'none';
                map.getContainer().classList.toggle('stepping', many > 0);
                legend.getContainer().querySelectorAll('[data-view]').forEach((part) => {
                    part.style.display = Number(part.dataset.view) === now ? '' : 'none';
                });
                if (many) { range.max = many - 1; goTo(Math.min(step || many - 1, many - 1)); } else { draw(); }
                if (card !== null && !many) { open(card); }
            };

            const text = (said) => {
                const holder = document.createElement('div');
                holder.textContent = said;
                return holder.innerHTML;
            };
            const popup = L.popup({minWidth: 250, maxWidth: 300});
            const open = (i) => {
                const view = views[now], of = view.of[Math.min(step, view.of.length - 1)];
                const look = view.looks[digits.indexOf(of[i])];
                const rows = labels.map((label, k) => [label, facts[i][k]]);
                if (view.steps.length && look) { rows.unshift([view.steps[step], look.words]); }
                popup.setContent(`<div class="card"><b>${text(names[i][0])}</b>`
                    + `<span class="code">${text(names[i][1])}</span><table>`
                    + rows.filter(([, said]) => said !== '').map(([label, said]) =>
                        `<tr><td>${text(label)}</td><td>${text(said)}</td></tr>`).join('') + '</table></div>');
            };
            const inside = (ring, lat, lon) => {
                let odd = false;
                for (let a = 0, b = ring.length - 1; a < ring.length; b = a++) {
                    const [ya, xa] = ring[a], [yb, xb] = ring[b];
                    if ((ya > lat) !== (yb > lat) && lon < (xb - xa) * (lat - ya) / (yb - ya) + xa) { odd = !odd; }
                }
                return odd;
            };
            const boxes = cells.map((own) => own.length ? L.latLngBounds(own.flat()) : null);
            map.on('click', ({latlng}) => {
                const view = views[now], of = view.of[Math.min(step, view.of.length - 1)];
                const hit = cells.findIndex((own, i) => boxes[i] !== null && (view.tiers ? of[i] !== ' ' : true)
                    && boxes[i].contains(latlng)
                    && own.reduce((odd, ring) => odd !== inside(ring, latlng.lat, latlng.lng), false));
                picked.clearLayers();
                card = null;
                if (hit < 0) { map.closePopup(popup); return; }
                card = hit;
                L.polygon(cells[hit], {renderer: canvas, pane: 'cells', interactive: false, fill: false,
                                       color: '#0050c8', weight: 3}).addTo(picked);
                open(hit);
                popup.setLatLng(latlng).openOn(map);
            });
            map.on('popupclose', () => { picked.clearLayers(); card = null; });
            const restyle = (layer) => layer.setStyle({weight: weight(), stroke: weight() > 0});
            map.on('zoomend', () => drawn.eachLayer(restyle));
            const near = () => map.getContainer().classList.toggle('near', map.getZoom() >= {{ this.near }});
            map.on('zoomend', near);

            if (views.length > 1) {
                const bases = {};
                views.forEach(({name}) => { bases[name] = L.layerGroup(); });
                bases[views[0].name].addTo(map);
                L.control.layers(bases, {}, {collapsed: window.innerWidth < 800}).addTo(map);
                map.on('baselayerchange', (change) => show(views.findIndex(({name}) => name === change.name)));
            }
            show(0);
            near();
            map.on('load moveend', near);
        })();
        {% endmacro %}
        """
    )

    def __init__(self, what: HotspotDrawing, views: list[View], legend: str) -> None:
        super().__init__()
        self._name = "CellViews"
        labels, facts = facts_of(what)
        shapes, parts = rings_of(what.cells.geometry.to_numpy())
        self.digits, self.hatch = script_json(_DIGITS), script_json(HATCH_COLOUR)
        # a name of an area wants 60 pixels; edges of cells of fewer than 9 would hide their colours
        self.near = 0.0 if what.level == "city" else _zoom_at(what.at_level(what.level).geometry.to_numpy(), 60)
        self.edged = _zoom_at(what.cells.geometry.to_numpy(), 9)
        self.legend = script_json(legend)
        tiers = what.kind == "hotspot-release"
        self.text = script_json(
            {
                "shapes": shapes,
                "parts": parts,
                "views": [_written(view, tiers) for view in views],
                "names": cell_names(what),
                "labels": labels,
                "facts": facts,
                "edge": drawing.EDGE_COLOUR,
            }
        )


def rings_of(shapes: NDArray[np.object_]) -> tuple[dict[str, list[int]], list[int]]:
    """Write polygons as rings in steps (see ``map_parts.steps``), with how many rings each shape has."""
    placed = np.array([shape if shape is not None else shapely.Polygon() for shape in shapes], object)
    parts, owner = shapely.get_parts(placed, return_index=True) if len(placed) else (placed, np.empty(0, int))
    rings, of_part = shapely.get_rings(parts, return_index=True)
    count = np.bincount(owner[of_part], minlength=len(placed)) if len(placed) else np.empty(0, int)
    return steps(rings), count.tolist()


def _written(view: View, tiers: bool) -> dict[str, object]:
    """Return a view as JSON values: a string of marks for each step."""
    marks = np.array([*_DIGITS, " "])
    return {
        "name": escape(both_of(view.name)),
        "looks": [{"colour": k.colour, "hatched": k.hatched, "words": both_of(k.words)} for k in view.looks],
        "of": ["".join(marks[row]) for row in np.atleast_2d(view.of)],
        "steps": list(view.steps),
        "tiers": tiers,
    }


class Places(MacroElement):
    """Names on the map: districts from afar, subdistricts from near; and the numbers of clusters.

    rows : (lat, lon, class of the mark, text).
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this.text }}.forEach(([lat, lon, kind, name]) => {
            const mark = document.createElement('span');
            mark.textContent = name;
            L.marker([lat, lon], {interactive: false, keyboard: false,
                icon: L.divIcon({className: kind, html: mark, iconSize: [0, 0]})}).addTo({{ this._parent.get_name() }});
        });
        {% endmacro %}
        """
    )

    def __init__(self, rows: list[tuple[float, float, str, str]]) -> None:
        super().__init__()
        self._name = "Places"
        self.text = script_json(rows)


def _zoom_at(shapes: NDArray[np.object_], pixels: float) -> float:
    """Return the zoom from which half of the shapes are ``pixels`` wide; 0 without any."""
    placed = shapes[~shapely.is_missing(shapes)]
    if not len(placed):
        return 0.0
    wide = max(float(np.median(np.sqrt(shapely.area(placed)))), 1e-6)
    # at zoom 0 the world of 360 degrees is 256 pixels wide
    return round(float(np.log2(pixels * 360 / 256 / wide)), 2)
