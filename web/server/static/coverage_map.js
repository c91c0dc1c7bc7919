// Maps of coverage: areas in five classes, the gaps of a chosen one, and points as a scenario leaves them. Each box says
// in its data attributes what it draws; a page without a map, or a browser without WebGL, keeps its tables.

import { addFurniture, boundsOf, canDraw, fetchJson, giveUp, hatch, openMap, pointNear } from "./map_frame.js";
import { mapStyle } from "./map_style.js";

const EDGES = [0.2, 0.4, 0.6, 0.8];
const GRADES = ["--grade-0", "--grade-1", "--grade-2", "--grade-3", "--grade-4"];
const TOUCH_PX = 16;
// What stands on a point, beside its colour, so that nobody needs to tell colours apart.
const MARKS = { added: "新", moved: "移", changed: "改", closed: "关", live: "" };
const DOTS = { added: "#0a7d4f", moved: "#8a4300", changed: "#6b3fa0", closed: "#4d555d", live: "#0a56a5" };

/** The address of the page that lists an area's longest gaps, at the hour that the page's form now says. */
export function areaPage(code) {
  const there = new URL(location.href);
  const hour = document.getElementById("hour")?.value;
  if (hour) there.searchParams.set("hour", hour);
  else there.searchParams.delete("hour");
  there.searchParams.set("area", code);
  there.hash = "gaps";
  return there.href;
}

/** The class of a share, upper ends included as in the tables; -1 for none. */
function gradeOf(share) {
  if (!Number.isFinite(share)) return -1;
  const rounded = Math.round(share * 1e9) / 1e9;
  return EDGES.filter((edge) => rounded > edge).length;
}

/** Draw one box. Returns {box, map, paint(shares by code), onPoint, onPlace} or null where nothing can be drawn. */
export async function cityMap(box) {
  const words = JSON.parse(box.dataset.labels || "{}");
  if (!canDraw()) return giveUp(box, words);
  const [areas, gaps, points] = await Promise.all(
    ["areas", "gaps", "points"].map((name) => fetchJson(box.dataset[name])),
  );
  const view = viewOf(box, areas, gaps, points);
  const map = await openMap(box, mapStyle(box), view, box.getAttribute("aria-label") ?? "");
  addLayers(box, map, { areas, gaps, points });
  addFurniture(box, map, words);
  const drawn = { box, map, codes: areas.features.map(({ properties }) => properties.code), shares: {} };
  drawn.paint = (shares) => paint(drawn, shares);
  letPoint(drawn);
  return drawn;
}

// --- what is drawn --------------------------------------------------------------------------------------------------

function addLayers(box, map, { areas, gaps, points }) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const grade = ["coalesce", ["feature-state", "grade"], -2];
  const none = ["==", grade, -1];
  map.addImage("hatch", hatch({ side: 12, ground: "#ecebe7", ink: "#8d8a82", width: 1.5 }));
  map.addSource("areas", { type: "geojson", data: areas, promoteId: "code" });
  map.addSource("gaps", { type: "geojson", data: gaps });
  map.addSource("dots", { type: "geojson", data: points, promoteId: "code" });
  // beneath the streets, which stay in sight
  const tiled = globalThis.pmtiles && box.dataset.tiles;
  const beneath = tiled ? map.getStyle().layers.find(({ id }) => id.endsWith("-edge"))?.id : undefined;
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
  const gap = (id, colour, width) => map.addLayer({ id, type: "line", source: "gaps", layout, paint: {
    "line-color": colour, "line-width": width,
  } });
  gap("gaps-edge", "#fff", 9);
  gap("gaps", "#c8500a", 5);
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
  const bounds = shown ? boundsOf(shown.map(({ geometry }) => geometry.coordinates)) : known;
  if (bounds.length !== 4 || !bounds.every(Number.isFinite)) return {};
  return { bounds, fitBoundsOptions: { padding: 24, maxZoom: 15 } };
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

function letPoint(drawn) {
  const { box, map } = drawn;
  const said = document.createElement("p");
  said.className = "map-said";
  box.append(said);
  map.on("mousemove", (event) => {
    const dot = pointNear(map, event.point, ["dots"], TOUCH_PX);
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
    const dot = pointNear(map, event.point, ["dots"], TOUCH_PX);
    const area = map.queryRenderedFeatures(event.point, { layers: ["areas"] })[0];
    if (box.dataset.choose && area) {
      location.assign(areaPage(area.properties.code));
      return;
    }
    drawn.onPick?.(event.lngLat, dot?.properties ?? null);
  });
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key === "Enter") drawn.onPick?.(map.getCenter(), null);
  });
}
