// The desk's map: routes in the colours of their crews, streets left out, reports by urgency, points. All of it lies in
// a few vector sources, so that ten thousand streets and five hundred reports cost no element of the page. The lines of
// the streets come once; what changes is who walks them.

import { NOTHING, addFurniture, boundsOf, calm, canDraw, openMap } from "./map_frame.js";
import { mapStyle } from "./map_style.js";

const INK = "#2f2e2b";
const MUST = "#b3001b";
const LEFT = "#8a8a8a";
const TOUCH_PX = 12;
const COLOURS = 10;
const SOURCES = ["routes", "left", "ways", "crews", "reports", "help"];
// sources whose features are stops of a night, each there once
const STREETS = new Set(["routes", "left"]);
// Without a graphics card every corner counts: streets reach little beyond their tile, and far out, where thousands are
// in view and their ends meet unseen, they end bluntly. So the map moves as fast as one without routes.
const BEYOND_TILE_PX = 8;
const ENDS = ["step", ["zoom"], "butt", 14, "round"];
const CORNERS = ["step", ["zoom"], "bevel", 14, "round"];
// source -> what it shows now
const shown = {};

/** Draw the map in `box`; null where the browser cannot. drawn: by source; palette: the colours of crews. */
export async function drawDesk(box, drawn, words, palette) {
  if (!canDraw()) return null;
  const bounds = boundsOf(linesDrawn(drawn)) ?? box.dataset.bounds.split(",").map(Number);
  const view = { bounds, fitBoundsOptions: { padding: 24, maxZoom: 16 } };
  const map = await openMap(box, styleOf(box, drawn, palette), view, words.map);
  addFurniture(box, map, words);
  return map;
}

/** Duty -> its line, [lon, lat] each, and whether it must be walked: from the columns of streets.json. */
export function linesOf({ scale, streets, duties }) {
  const lines = [];
  let at = 0;
  const place = [0, 0];
  for (const count of streets?.points ?? []) {
    const line = [];
    for (let i = 0; i < count; i += 1, at += 2) {
      place[0] += streets.steps[at];
      place[1] += streets.steps[at + 1];
      line.push([place[0] / scale, place[1] / scale]);
    }
    lines.push(line);
  }
  return new Map((duties?.id ?? []).map((id, i) => [id, { line: lines[duties.street[i]], must: duties.must[i] }]));
}

/** What the board draws: routes of crews, and the streets that are in none. */
export function boardLines(lines, board) {
  const drawnOf = (route, more) => route.flatMap(([duty, side]) => {
    const street = lines.get(duty);
    if (!street) return [];
    const properties = { ...more, must: street.must, stop: side ? `${duty}|${side}` : duty };
    return [{ type: "Feature", geometry: { type: "LineString", coordinates: street.line }, properties }];
  });
  const routes = (board.crews ?? []).flatMap(({ crew, route }) => drawnOf(route, { crew, colour: colourOf(crew) }));
  return { routes: collection(routes), left: collection(drawnOf(board.open ?? [], {})) };
}

function colourOf(crew) {
  const number = Number.parseInt(crew.replace(/\D/g, ""), 10) || 1;
  return (number - 1) % COLOURS;
}

function collection(features) {
  return { type: "FeatureCollection", features };
}

/** Draw anew what has changed: of ten thousand streets only those that changed hands are sent. */
export function redraw(map, drawn) {
  for (const name of SOURCES) {
    const source = map.getSource(name);
    const after = drawn[name] ?? NOTHING;
    if (!source || same(shown[name], after)) continue;
    if (STREETS.has(name)) source.updateData(changesOf(shown[name], after));
    else source.setData(after);
    shown[name] = after;
  }
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What to take away and to add, by the stop that each street is. */
function changesOf(before, after) {
  const keyed = ({ features }) => new Map(features.map((one) => [one.properties.stop, one]));
  const [old, now] = [keyed(before), keyed(after)];
  const stays = (stop) => now.has(stop) && same(old.get(stop).properties, now.get(stop).properties);
  const remove = [...old.keys()].filter((stop) => !stays(stop));
  const gone = new Set(remove);
  return { remove, add: [...now].filter(([stop]) => !old.has(stop) || gone.has(stop)).map(([, one]) => one) };
}

/** Show one crew's route alone, the others faint; "" shows all alike. */
export function showCrew(map, crew) {
  const faint = crew ? ["case", ["==", ["get", "crew"], crew], 1, 0.15] : 1;
  map.setPaintProperty("route", "line-opacity", faint);
  map.setPaintProperty("route-must", "line-opacity", faint);
}

/** Bring places, [lon, lat] each, into view. */
export function look(map, places) {
  const bounds = boundsOf(places);
  if (bounds) map.fitBounds(bounds, { padding: 48, maxZoom: 16, animate: !calm });
}

/** Call `act(kind, properties)` for what is tapped: a report, a crew, or a street. */
export function onTap(map, act) {
  const layers = ["reports", "crews", "route", "route-must", "left", "left-must"];
  const reach = ({ x, y }) => [[x - TOUCH_PX, y - TOUCH_PX], [x + TOUCH_PX, y + TOUCH_PX]];
  map.on("click", (event) => {
    const found = map.queryRenderedFeatures(reach(event.point), { layers });
    found.sort((a, b) => layers.indexOf(a.layer.id) - layers.indexOf(b.layer.id));
    if (found.length) act(found[0].source, found[0].properties);
  });
  for (const layer of layers) {
    map.on("mouseenter", layer, () => {
      map.getCanvas().style.cursor = "pointer";
    });
    map.on("mouseleave", layer, () => {
      map.getCanvas().style.cursor = "";
    });
  }
}

/** The places of all lines of one crew. */
export function placesOf(drawn, crew) {
  const own = (drawn.routes?.features ?? []).filter(({ properties }) => properties.crew === crew);
  return own.flatMap(({ geometry }) => geometry.coordinates);
}

function linesDrawn(drawn) {
  return (drawn.routes?.features ?? []).map(({ geometry }) => geometry.coordinates);
}

function styleOf(box, drawn, palette) {
  const style = mapStyle(box);
  const own = new Set(["route-edge", "route", "here", "chosen", "groups", "group-counts", "points", "point-names"]);
  for (const name of ["points", "marks", "route", "here"]) delete style.sources[name];
  for (const name of SOURCES) {
    shown[name] = drawn[name] ?? NOTHING;
    const streets = STREETS.has(name) ? { promoteId: "stop", buffer: BEYOND_TILE_PX } : {};
    style.sources[name] = { type: "geojson", data: shown[name], ...streets };
  }
  style.layers = [...style.layers.filter(({ id }) => !own.has(id)), ...layersOf(palette)];
  return style;
}

function lines(id, source, filter, paint, more = {}) {
  return { id, type: "line", source, filter, layout: { "line-cap": ENDS, "line-join": CORNERS }, paint, ...more };
}

function letters(id, source, layout, paint, more = {}) {
  return { id, type: "symbol", source, layout: { "text-font": ["sans-serif"], ...layout },
    paint: { "text-halo-color": "#ffffff", "text-halo-width": 2, ...paint }, ...more };
}

function layersOf(palette) {
  const colour = ["match", ["get", "colour"], ...palette.flatMap((one, i) => [i, one]), INK];
  const must = ["==", ["get", "must"], 1];
  const thick = (far, near) => ["interpolate", ["linear"], ["zoom"], 11, far, 16, near];
  return [
    lines("left", "left", ["!", must], { "line-color": LEFT, "line-width": thick(0.6, 2.5), "line-dasharray": [2, 2] },
      { minzoom: 12.5 }),
    lines("left-must", "left", must, { "line-color": MUST, "line-width": thick(2, 5), "line-dasharray": [2, 1] }),
    lines("way", "ways", true, { "line-color": colour, "line-width": 2, "line-dasharray": [1, 2] }),
    lines("route", "routes", ["!", must], { "line-color": colour, "line-width": thick(1.6, 5.5) }),
    lines("route-must", "routes", must, { "line-color": colour, "line-width": thick(2.6, 8) }),
    letters("route-names", "routes", { "text-field": ["get", "crew"], "text-size": 12, "symbol-placement": "line",
      "symbol-spacing": 220, "text-padding": 4 }, { "text-color": colour }, { minzoom: 13 }),
    { id: "help", type: "circle", source: "help", minzoom: 12, paint: { "circle-radius": 5, "circle-color": "#ffffff",
      "circle-stroke-color": "#0a56a5", "circle-stroke-width": 2.5 } },
    letters("help-names", "help", { "text-field": ["get", "name"], "text-size": 12, "text-anchor": "top",
      "text-offset": [0, 0.7], "text-max-width": 9 }, { "text-color": "#0b3a6b" }, { minzoom: 14.5 }),
    { id: "crews-ground", type: "circle", source: "crews", paint: { "circle-radius": 15, "circle-color": colour,
      "circle-stroke-color": "#ffffff", "circle-stroke-width": 2.5 } },
    letters("crews", "crews", { "text-field": ["get", "crew"], "text-size": 12, "text-allow-overlap": true },
      { "text-color": "#ffffff", "text-halo-width": 0 }),
    { id: "reports", type: "circle", source: "reports", paint: {
      "circle-radius": ["case", ["==", ["get", "urgent"], 1], 9, 7],
      "circle-color": ["case", ["==", ["get", "urgent"], 1], MUST, "#e69f00"],
      "circle-stroke-color": ["case", ["==", ["get", "urgent"], 1], "#ffffff", INK], "circle-stroke-width": 2 } },
    letters("report-marks", "reports", { "text-field": "!", "text-size": 14, "text-allow-overlap": true },
      { "text-color": "#ffffff", "text-halo-width": 0 }, { filter: ["==", ["get", "urgent"], 1] }),
    letters("report-names", "reports", { "text-field": ["get", "name"], "text-size": 12, "text-anchor": "left",
      "text-offset": [0.9, 0] }, { "text-color": INK }, { minzoom: 13.5 }),
  ];
}
