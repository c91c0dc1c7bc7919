// Maps of coverage: areas in five classes, the gaps of a chosen one, and points as a scenario leaves them. Each box says
// in its data attributes what it draws; a page without a map, or a browser without WebGL, keeps its tables.

import { mapStyle } from "./map_style.js";

const NOTHING = { type: "FeatureCollection", features: [] };
const EDGES = [0.2, 0.4, 0.6, 0.8];
const GRADES = ["--grade-0", "--grade-1", "--grade-2", "--grade-3", "--grade-4"];
const TOUCH_PX = 16;
// What stands on a point, beside its colour, so that nobody needs to tell colours apart.
const MARKS = { added: "新", moved: "移", changed: "改", closed: "关", live: "" };
const DOTS = { added: "#0a7d4f", moved: "#8a4300", changed: "#6b3fa0", closed: "#4d555d", live: "#0a56a5" };
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

let maplibre = null;

/** The class of a share, upper ends included as in the tables; -1 for none. */
export function gradeOf(share) {
  if (!Number.isFinite(share)) return -1;
  const rounded = Math.round(share * 1e9) / 1e9;
  return EDGES.filter((edge) => rounded > edge).length;
}

export async function fetchJson(address, otherwise) {
  if (!address) return otherwise;
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : otherwise;
  } catch {
    return otherwise;
  }
}

/** Draw one box. Returns {box, map, paint(shares by code), onPoint, onPlace} or null where nothing can be drawn. */
export async function cityMap(box) {
  const words = JSON.parse(box.dataset.labels || "{}");
  if (!document.createElement("canvas").getContext("webgl2")) return giveUp(box, words);
  maplibre ??= await import("/assets/maplibre-gl.mjs");
  if (globalThis.pmtiles) maplibre.addProtocol("pmtiles", new globalThis.pmtiles.Protocol().tile);
  const [areas, gaps, points] = await Promise.all(
    ["areas", "gaps", "points"].map((name) => fetchJson(box.dataset[name], NOTHING)),
  );
  const stage = document.createElement("div");
  stage.className = "map-stage";
  box.replaceChildren(stage);
  const tiles = globalThis.pmtiles ? absolute(box.dataset.tiles) : "";
  const map = new maplibre.Map({
    container: stage,
    style: mapStyle({ tiles, base: absolute(box.dataset.base), points: NOTHING, route: NOTHING, here: NOTHING,
      scale: parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1 }),
    ...viewOf(box, areas, gaps, points),
    attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
    fadeDuration: calm ? 0 : 150, maxZoom: 18, minZoom: 4,
    locale: { "Map.Title": box.getAttribute("aria-label") ?? "" },
  });
  map.on("error", () => map.triggerRepaint());
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  await map.once("style.load");
  addLayers(box, map, { areas, gaps, points, tiles });
  addFurniture(box, map, words);
  const drawn = { box, map, codes: areas.features.map(({ properties }) => properties.code), shares: {} };
  drawn.paint = (shares) => paint(drawn, shares);
  letPoint(drawn);
  map.once("idle", () => {
    box.dataset.ready = "true";
  });
  return drawn;
}

function giveUp(box, words) {
  const note = document.createElement("p");
  note.className = "map-note";
  note.textContent = words.nomap ?? "";
  box.replaceChildren(note);
  box.dataset.ready = "none";
  return null;
}

function absolute(address) {
  return address ? location.origin + address : "";
}

// --- what is drawn --------------------------------------------------------------------------------------------------

function addLayers(box, map, { areas, gaps, points, tiles }) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const grade = ["coalesce", ["feature-state", "grade"], -2];
  const none = ["==", grade, -1];
  map.addImage("hatch", hatch());
  map.addSource("areas", { type: "geojson", data: areas, promoteId: "code" });
  map.addSource("gaps", { type: "geojson", data: gaps });
  map.addSource("dots", { type: "geojson", data: points, promoteId: "code" });
  // beneath the streets, which stay in sight
  const beneath = tiles ? map.getStyle().layers.find(({ id }) => id.endsWith("-edge"))?.id : undefined;
  const fill = ["match", grade, ...GRADES.flatMap((name, n) => [n, colour(name)]), "#ffffff"];
  map.addLayer({ id: "areas", type: "fill", source: "areas", paint: {
    "fill-color": fill, "fill-opacity": ["case", [">=", grade, 0], 0.82, 0],
  } }, beneath);
  map.addLayer({ id: "areas-none", type: "fill", source: "areas", paint: {
    "fill-pattern": "hatch", "fill-opacity": ["case", none, 1, 0],
  } }, beneath);
  const chosen = ["==", ["get", "code"], box.dataset.chosen ?? ""];
  map.addLayer({ id: "area-lines", type: "line", source: "areas", paint: {
    "line-color": ["case", chosen, "#1e2226", "#ffffff"], "line-width": ["case", chosen, 4, 1.2],
  } });
  const layout = { "line-cap": "round", "line-join": "round" };
  map.addLayer({ id: "gaps-edge", type: "line", source: "gaps", layout, paint: { "line-color": "#fff", "line-width": 9 } });
  map.addLayer({ id: "gaps", type: "line", source: "gaps", layout, paint: { "line-color": "#c8500a", "line-width": 5 } });
  map.addLayer({ id: "gap-ranks", type: "symbol", source: "gaps", layout: {
    "text-field": ["to-string", ["get", "rank"]], "text-font": ["sans-serif"], "text-size": 15,
    "symbol-placement": "line-center", "text-allow-overlap": true, "text-rotation-alignment": "viewport",
  }, paint: { "text-color": "#5c2200", "text-halo-color": "#fff", "text-halo-width": 3 } });
  const by = (table, other) => ["match", ["get", "state"], ...Object.entries(table).flat(), other];
  map.addLayer({ id: "dots", type: "circle", source: "dots", paint: {
    "circle-color": by(DOTS, DOTS.live), "circle-stroke-color": "#fff",
    "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, ["case", ["==", ["get", "state"], "live"], 2.5, 8],
      14, ["case", ["==", ["get", "state"], "live"], 7, 12]],
    "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 9, 1, 14, 2],
  } });
  map.addLayer({ id: "dot-marks", type: "symbol", source: "dots", filter: ["!=", ["get", "state"], "live"], layout: {
    "text-field": by(MARKS, ""), "text-font": ["sans-serif"], "text-size": 11, "text-allow-overlap": true,
    "text-ignore-placement": true,
  }, paint: { "text-color": "#fff" } });
  map.addLayer({ id: "dot-names", type: "symbol", source: "dots", minzoom: 13, layout: {
    "text-field": ["get", "name"], "text-font": ["sans-serif"], "text-size": 12, "text-anchor": "top",
    "text-offset": [0, 1], "text-max-width": 9,
  }, paint: { "text-color": "#0b3a6b", "text-halo-color": "rgba(255,255,255,0.92)", "text-halo-width": 1.6 } });
}

/** Grey lines aslant: nothing is known here. */
function hatch() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 12;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#ecebe7";
  pen.fillRect(0, 0, 12, 12);
  pen.strokeStyle = "#8d8a82";
  pen.lineWidth = 1.5;
  for (const shift of [-12, 0, 12]) {
    pen.moveTo(shift - 2, 14);
    pen.lineTo(shift + 14, -2);
  }
  pen.stroke();
  return pen.getImageData(0, 0, 12, 12);
}

function paint(drawn, shares) {
  drawn.shares = shares;
  for (const code of drawn.codes) {
    drawn.map.setFeatureState({ source: "areas", id: code }, { grade: gradeOf(shares[code] ?? NaN) });
  }
}

// --- where to look --------------------------------------------------------------------------------------------------

function viewOf(box, areas, gaps, points) {
  const chosen = areas.features.filter(({ properties }) => properties.code === box.dataset.chosen);
  const shown = [chosen, gaps.features, areas.features, points.features].find((list) => list.length);
  const known = (box.dataset.bounds ?? "").split(",").map(Number);
  const bounds = shown ? boundsOf(shown) : known;
  if (bounds.length !== 4 || !bounds.every(Number.isFinite)) return {};
  return { bounds, fitBoundsOptions: { padding: 24, maxZoom: 15 } };
}

function boundsOf(features) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const widen = (places) => {
    if (typeof places[0] !== "number") return places.forEach(widen);
    const [lon, lat] = places;
    [box[0], box[1]] = [Math.min(box[0], lon), Math.min(box[1], lat)];
    [box[2], box[3]] = [Math.max(box[2], lon), Math.max(box[3], lat)];
  };
  features.forEach(({ geometry }) => widen(geometry.coordinates));
  return box;
}

/** Let maps show the same view, whichever is moved; at first the first one's. */
export function moveTogether(maps) {
  let leading = false;
  const follow = (leader) => {
    if (leading) return;
    leading = true;
    for (const other of maps) {
      if (other !== leader) other.jumpTo({ center: leader.getCenter(), zoom: leader.getZoom() });
    }
    leading = false;
  };
  for (const map of maps) map.on("move", () => follow(map));
  if (maps.length > 1) follow(maps[0]);
}

// --- what stands over the map, and what a pointer does ---------------------------------------------------------------

function addFurniture(box, map, words) {
  const zoom = document.createElement("div");
  zoom.className = "map-buttons";
  for (const [sign, label, act] of [["+", words.zoomin, () => map.zoomIn()], ["−", words.zoomout, () => map.zoomOut()]]) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = sign;
    made.setAttribute("aria-label", label ?? sign);
    made.addEventListener("click", act);
    zoom.append(made);
  }
  box.append(zoom);
  const said = document.createElement("p");
  said.className = "map-said";
  box.append(said);
  const credits = [box.dataset.attribution, box.dataset.approval].filter(Boolean);
  if (credits.length) {
    const line = document.createElement("p");
    line.className = "map-credits";
    line.textContent = credits.join("　");
    box.append(line);
  }
}

function letPoint(drawn) {
  const { box, map } = drawn;
  const said = box.querySelector(".map-said");
  map.on("mousemove", (event) => {
    const dot = dotNear(map, event.point);
    const area = map.queryRenderedFeatures(event.point, { layers: ["areas"] })[0];
    map.getCanvas().style.cursor = dot || (area && box.dataset.choose) ? "pointer" : "";
    const share = drawn.shares[area?.properties.code];
    const percent = Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : "—";
    said.textContent = dot ? dot.properties.name : area ? `${area.properties.name} ${percent}` : "";
  });
  map.on("mouseout", () => {
    said.textContent = "";
  });
  map.on("click", (event) => {
    const dot = dotNear(map, event.point);
    const area = map.queryRenderedFeatures(event.point, { layers: ["areas"] })[0];
    if (box.dataset.choose && area) {
      const there = new URL(location.href);
      there.searchParams.set("area", area.properties.code);
      there.hash = "gaps";
      location.assign(there);
      return;
    }
    drawn.onPick?.(event.lngLat, dot?.properties ?? null);
  });
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key === "Enter") drawn.onPick?.(map.getCenter(), null);
  });
}

function dotNear(map, { x, y }) {
  const reach = [[x - TOUCH_PX, y - TOUCH_PX], [x + TOUCH_PX, y + TOUCH_PX]];
  const away = ({ geometry }) => {
    const at = map.project(geometry.coordinates);
    return Math.hypot(at.x - x, at.y - y);
  };
  return map.queryRenderedFeatures(reach, { layers: ["dots"] }).sort((a, b) => away(a) - away(b))[0] ?? null;
}
