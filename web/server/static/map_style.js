// How the map looks: a calm ground, streets by class, dashed borders, and points that differ by shape and colour.

import { NOTHING, letterScale } from "./map_frame.js";

const GROUND = "#f4f2ec";
const WATER = "#cfe0ea";
const INK = "#2f2e2b";
const BORDER = "#86509a";
const CHOSEN = "#f5b400";
const ROUTE = "#0a56a5";
const SHUT = "#4d555d";

// How streets of a class are drawn: colours, width in pixels at zooms 9, 13 and 18, and from which zoom with a name.
const STREETS = [
  { id: "path", classes: ["footway", "path", "pedestrian", "steps", "cycleway", "track"],
    fill: "#ffffff", edge: "#cfcabe", width: [0, 0.8, 7], named: 16 },
  { id: "small", classes: null, fill: "#ffffff", edge: "#d5d0c4", width: [0, 1.4, 15], named: 14.5 },
  { id: "middle", classes: ["secondary", "tertiary"],
    fill: "#fffaea", edge: "#c9bb92", width: [0.4, 3, 22], named: 12.5 },
  { id: "main", classes: ["motorway", "trunk", "primary"],
    fill: "#f8dfa6", edge: "#b9954f", width: [1, 4.5, 28], named: 11 },
];
const SMALL_AREAS = [
  { level: "community", width: 0.9, dash: [2, 3], band: 0, size: 11, from: 14.5, to: 17 },
  { level: "subdistrict", width: 1.2, dash: [4, 2.5], band: 6, size: 12.5, from: 11, to: 15.5 },
];
const LARGE_AREAS = [
  { level: "district", width: 1.7, dash: [5, 2, 1.5, 2], band: 9, size: 15, from: 8, to: 13 },
  { level: "city", width: 2.4, dash: [6, 2, 1.5, 2], band: 11, size: 17, from: 4, to: 8 },
];
const AREAS = [...SMALL_AREAS, ...LARGE_AREAS];
// From how many points on they are drawn in groups far out, and how near, in pixels, a group gathers.
const MANY = 100;
const GROUP = { cluster: true, clusterRadius: 36, clusterMaxZoom: 12, clusterProperties: {
  open: ["+", ["case", ["==", ["get", "state"], "open"], 1, 0]],
} };
const POINT_SIZE = ["interpolate", ["linear"], ["zoom"], 8, 0.35, 10, 0.5, 12, 0.8, 14, 1];

/**
 * The whole style of the map in `box`, whose data say where the city's PMTiles lie and a base of raster tiles, if any.
 *
 * points, route: GeoJSON, of service points with `code`, `name` and `state`, and of lines to walk. here: GeoJSON of
 * where the user is.
 */
export function mapStyle(box, { points = NOTHING, route = NOTHING, here = NOTHING } = {}) {
  const tiles = globalThis.pmtiles ? absolute(box.dataset.tiles) : "";
  const base = absolute(box.dataset.base);
  const scale = letterScale();
  const sources = {
    points: { type: "geojson", data: points, promoteId: "code", ...(points.features.length > MANY ? GROUP : {}) },
    marks: { type: "geojson", data: points, promoteId: "code" },
    route: { type: "geojson", data: route },
    here: { type: "geojson", data: here },
  };
  if (tiles) sources.city = { type: "vector", url: `pmtiles://${tiles}` };
  if (base) sources.base = { type: "raster", tiles: [base], tileSize: 256, maxzoom: 18 };
  const layers = [
    { id: "ground", type: "background", paint: { "background-color": GROUND } },
    ...(base ? [{ id: "base", type: "raster", source: "base" }] : []),
    ...(tiles ? cityLayers(scale) : []),
    ...routeLayers(),
    ...pointLayers(scale),
    ...(tiles ? LARGE_AREAS.map((area) => areaName(area, scale)) : []),
  ];
  return { version: 8, sources, layers };
}

function absolute(address) {
  // MapLibre fetches from a worker, where an address needs its host; the braces of a pattern stay as they are
  return address ? location.origin + address : "";
}

function cityLayers(scale) {
  const water = { id: "water", type: "fill", source: "city", "source-layer": "water", paint: { "fill-color": WATER } };
  return [
    water,
    ...AREAS.map(borderBand),
    ...STREETS.map((kind) => streetLine(`${kind.id}-edge`, kind, kind.edge, 1.4)),
    ...STREETS.map((kind) => streetLine(`${kind.id}-fill`, kind, kind.fill, 0)),
    ...AREAS.map(borderLine),
    ...STREETS.map((kind) => streetName(kind, scale)),
    ...SMALL_AREAS.map((area) => areaName(area, scale)),
  ];
}

function ofClass(kind) {
  const plain = ["slice", ["get", "street_class"], 0, ["-", ["length", ["get", "street_class"]], 5]];
  const isLink = ["in", "_link", ["get", "street_class"]];
  const name = ["case", isLink, plain, ["get", "street_class"]];
  if (kind.classes) return ["match", name, kind.classes, true, false];
  return ["match", name, STREETS.flatMap((other) => other.classes ?? []), false, true];
}

function streetLine(id, kind, colour, edge) {
  const [far, near, nearest] = kind.width;
  const wide = (pixels) => (pixels ? pixels + edge : 0);
  return {
    id, type: "line", source: "city", "source-layer": "streets", filter: ofClass(kind),
    layout: { "line-cap": "round", "line-join": "round" },
    paint: {
      "line-color": colour,
      "line-width": ["interpolate", ["exponential", 1.5], ["zoom"], 9, wide(far), 13, near + edge, 18, nearest + edge],
    },
  };
}

function lettering(size, scale) {
  return { "text-field": ["get", "name"], "text-font": ["sans-serif"], "text-size": size * scale };
}

function haloed(colour) {
  return { "text-color": colour, "text-halo-color": "rgba(255,255,255,0.92)", "text-halo-width": 1.6 };
}

function streetName(kind, scale) {
  return {
    id: `${kind.id}-name`, type: "symbol", source: "city", "source-layer": "streets", filter: ofClass(kind),
    minzoom: kind.named,
    layout: { ...lettering(12, scale), "symbol-placement": "line", "symbol-spacing": 320, "text-padding": 6 },
    paint: haloed(INK),
  };
}

function border(area, id, paint) {
  return {
    id: `${area.level}-${id}`, type: "line", source: "city", "source-layer": "borders",
    filter: ["==", ["get", "level"], area.level], minzoom: area.from, layout: { "line-join": "round" },
    paint: { "line-color": BORDER, ...paint },
  };
}

// A border often runs along a street: the band beneath tells it from the markings of one.
function borderBand(area) {
  return border(area, "band", {
    "line-width": ["interpolate", ["linear"], ["zoom"], 9, area.band / 3, 13, area.band], "line-opacity": 0.16,
  });
}

function borderLine(area) {
  return border(area, "border", { "line-width": area.width, "line-dasharray": area.dash, "line-opacity": 0.6 });
}

function areaName(area, scale) {
  return {
    id: `${area.level}-name`, type: "symbol", source: "city", "source-layer": "areas",
    filter: ["==", ["get", "level"], area.level], minzoom: area.from, maxzoom: area.to,
    layout: {
      ...lettering(area.size, scale),
      "text-size": ["interpolate", ["linear"], ["zoom"], 9, 0.8 * area.size * scale, 12, area.size * scale],
      "text-letter-spacing": 0.12, "text-max-width": 7, "text-padding": 8,
    },
    paint: haloed("#5a3566"),
  };
}

function routeLayers() {
  const layout = { "line-cap": "round", "line-join": "round" };
  return [
    { id: "route-edge", type: "line", source: "route", layout, paint: { "line-color": "#ffffff", "line-width": 9 } },
    { id: "route", type: "line", source: "route", layout, paint: { "line-color": ROUTE, "line-width": 5 } },
  ];
}

function pointLayers(scale) {
  const chosen = ["boolean", ["feature-state", "chosen"], false];
  const here = {
    "circle-radius": 8, "circle-color": "#ffffff", "circle-stroke-color": ROUTE, "circle-stroke-width": 5,
  };
  return [
    { id: "here", type: "circle", source: "here", paint: here },
    {
      id: "chosen", type: "circle", source: "marks",
      paint: {
        "circle-radius": ["case", chosen, 19, 0], "circle-color": CHOSEN,
        "circle-stroke-color": INK, "circle-stroke-width": ["case", chosen, 2, 0],
      },
    },
    {
      id: "groups", type: "circle", source: "points", filter: ["has", "point_count"],
      paint: {
        "circle-radius": ["step", ["get", "point_count"], 14, 10, 17, 30, 20],
        "circle-color": ["case", [">", ["get", "open"], 0], ROUTE, SHUT],
        "circle-stroke-color": "#ffffff", "circle-stroke-width": 2,
      },
    },
    {
      id: "group-counts", type: "symbol", source: "points", filter: ["has", "point_count"],
      layout: {
        "text-field": ["to-string", ["get", "point_count"]], "text-font": ["sans-serif"], "text-size": 13,
        "text-allow-overlap": true, "text-ignore-placement": true,
      },
      paint: { "text-color": "#ffffff" },
    },
    {
      id: "points", type: "symbol", source: "points", filter: ["!", ["has", "point_count"]],
      layout: {
        "icon-image": ["get", "state"], "icon-size": POINT_SIZE, "icon-allow-overlap": true,
        // far out points lie too close to leave room for names of districts, which then stand over them
        "icon-ignore-placement": ["step", ["zoom"], true, 12, false],
        // what is open lies on top
        "symbol-sort-key": ["match", ["get", "state"], "open", 2, "unknown", 1, 0],
        "symbol-z-order": "source",
      },
    },
    {
      id: "point-names", type: "symbol", source: "points", minzoom: 13.5, filter: ["!", ["has", "point_count"]],
      layout: {
        ...lettering(12.5, scale), "text-anchor": "top", "text-offset": [0, 1.2], "text-max-width": 9,
        "symbol-sort-key": ["match", ["get", "state"], "open", 0, "unknown", 1, 2],
      },
      paint: haloed("#0b3a6b"),
    },
  ];
}
