// A run on the live map: areas and cells in their colours, lines, numbered places, and a legend from the same file.

import { drawn } from "./map.js";
import { boundsOf, fetchJson, hatch } from "./map_frame.js";

const SVG = "http://www.w3.org/2000/svg";
const INK = "#7a7a7a"; // of strokes that say: nobody looked here
const box = document.getElementById("map");
const map = await drawn;

const data = map && await fetchJson(box.dataset.run, null);

if (data) show(data);

function show({ legend = [], ...data }) {
  const strokes = hatch({ side: 16, ground: "rgba(255,255,255,0.75)", ink: INK, width: 2 });
  map.addImage("hatch", strokes, { pixelRatio: 2 });
  map.addSource("run", { type: "geojson", data });
  const of = (part) => ["==", ["get", "part"], part];
  const below = map.getStyle().layers.find(({ type, id }) => type === "symbol" && id.endsWith("-name"))?.id;
  const hatched = ["boolean", ["get", "hatch"], false];
  add({ id: "run-areas", type: "fill", filter: ["all", of("area"), ["!", hatched]],
    paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.72 } }, below);
  add({ id: "run-unknown", type: "fill", filter: ["all", of("area"), hatched],
    paint: { "fill-pattern": "hatch" } }, below);
  add({ id: "run-outlines", type: "line", filter: of("area"),
    paint: { "line-color": "#5b5b5b", "line-width": 0.7, "line-opacity": 0.7 } }, below);
  add({ id: "run-lines", type: "line", filter: of("line"), layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-color": ["get", "colour"], "line-width": ["interpolate", ["linear"], ["zoom"], 9, 1.5, 16, 5] } });
  const marked = ["!=", ["get", "mark"], ""];
  add({ id: "run-places", type: "circle", filter: of("point"), paint: {
    "circle-color": ["get", "colour"], "circle-radius": ["case", marked, 11, 4],
    "circle-stroke-color": "#ffffff", "circle-stroke-width": ["case", marked, 2, 1] } });
  add({ id: "run-numbers", type: "symbol", filter: ["all", of("point"), marked],
    layout: { "text-field": ["get", "mark"], "text-font": ["sans-serif"], "text-size": 13,
      "text-allow-overlap": true, "text-ignore-placement": true },
    paint: { "text-color": "#ffffff" } });
  drawLegend(legend);
  tellWhatIsTouched();
  fit(data.features);
}

function add(layer, below) {
  map.addLayer({ ...layer, source: "run" }, below);
}

function drawLegend(rows) {
  const list = document.getElementById("map-legend");
  for (const [colour, words] of rows) {
    const item = document.createElement("li");
    if (colour) item.append(swatch(colour));
    else item.className = "heading";
    item.append(words);
    list.append(item);
  }
  list.hidden = rows.length === 0;
}

function swatch(colour) {
  const [hatched, size] = [colour === "hatch", { width: 20, height: 20 }];
  const picture = shape("svg", { ...size, "aria-hidden": "true" });
  picture.append(shape("rect", { ...size, fill: hatched ? "#ffffff" : colour }));
  for (const shift of hatched ? [-8, 2, 12] : []) {
    picture.append(shape("path", { d: `M${shift} 20L${shift + 20} 0`, stroke: INK, "stroke-width": 2 }));
  }
  return picture;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function tellWhatIsTouched() {
  const said = document.createElement("p");
  said.className = "map-said";
  said.setAttribute("aria-live", "polite");
  box.append(said);
  const layers = ["run-places", "run-lines", "run-areas", "run-unknown"];
  map.on("click", ({ point: { x, y } }) => {
    const near = map.queryRenderedFeatures([[x - 8, y - 8], [x + 8, y + 8]], { layers: layers.slice(0, 2) });
    const under = map.queryRenderedFeatures([x, y], { layers });
    said.textContent = (near[0] ?? under[0])?.properties.title ?? "";
  });
}

/** Show all of it; the map's own frame is of the points of help. */
function fit(features) {
  map.setMaxBounds(null);
  const box = boundsOf(features.flatMap(({ geometry }) => (geometry ? [geometry.coordinates] : [])));
  if (box && (box[0] < box[2] || box[1] < box[3])) map.fitBounds(box, { padding: 24, animate: false });
}
