// A run on the live map: areas and cells in their colours, lines, numbered places, and a legend from the same file.

import { drawn } from "./map.js";
import { boundsOf } from "./map_frame.js";

const SVG = "http://www.w3.org/2000/svg";
const box = document.getElementById("map");
const map = await drawn;

if (map) {
  const answer = await fetch(box.dataset.run);
  if (answer.ok) show(await answer.json());
}

function show(data) {
  map.addImage("hatch", hatch(), { pixelRatio: 2 });
  map.addSource("run", { type: "geojson", data });
  const of = (part) => ["==", ["get", "part"], part];
  const below = map.getStyle().layers.find(({ type, id }) => type === "symbol" && id.endsWith("-name"))?.id;
  const hatched = ["boolean", ["get", "hatch"], false];
  add({ id: "run-areas", type: "fill", filter: ["all", of("area"), ["!", hatched]],
    paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.72 } }, below);
  add({ id: "run-unknown", type: "fill", filter: ["all", of("area"), hatched], paint: { "fill-pattern": "hatch" } }, below);
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
  drawLegend(data.legend ?? []);
  tellWhatIsTouched();
  fit(data.features);
}

function add(layer, below) {
  map.addLayer({ ...layer, source: "run" }, below);
}

/** Strokes that say: nobody looked here. */
function hatch() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 16;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "rgba(255,255,255,0.75)";
  pen.fillRect(0, 0, 16, 16);
  pen.strokeStyle = "#7a7a7a";
  pen.lineWidth = 2;
  for (const shift of [-16, 0, 16]) {
    pen.beginPath();
    pen.moveTo(shift, 16);
    pen.lineTo(shift + 16, 0);
    pen.stroke();
  }
  return pen.getImageData(0, 0, 16, 16);
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
  const picture = document.createElementNS(SVG, "svg");
  const square = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width: 20, height: 20, "aria-hidden": "true" })) picture.setAttribute(name, value);
  for (const [name, value] of Object.entries({ width: 20, height: 20, fill: colour === "hatch" ? "#ffffff" : colour })) {
    square.setAttribute(name, value);
  }
  picture.append(square);
  if (colour === "hatch") {
    for (const shift of [-8, 2, 12]) {
      const stroke = document.createElementNS(SVG, "path");
      stroke.setAttribute("d", `M${shift} 20L${shift + 20} 0`);
      stroke.setAttribute("stroke", "#7a7a7a");
      stroke.setAttribute("stroke-width", "2");
      picture.append(stroke);
    }
  }
  return picture;
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
