// What maps of staff pages begin with: the canvas, the streets beneath, the buttons and the credits over it.

import { mapStyle } from "./map_style.js";

export const NOTHING = { type: "FeatureCollection", features: [] };
export const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

let maplibre = null;

/** Whether this browser can draw a map at all. */
export function canDraw() {
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

/** The streets beneath, as `box` says in its data where they come from. scale : of letters. */
export function groundOf(box, scale = 1) {
  const tiles = globalThis.pmtiles ? absolute(box.dataset.tiles) : "";
  return mapStyle({ tiles, base: absolute(box.dataset.base), points: NOTHING, route: NOTHING, here: NOTHING, scale });
}

function absolute(address) {
  return address ? location.origin + address : "";
}

/** Open a map of `style` in `box` at `view`, and wait until layers can be added to it. */
export async function openMap(box, style, view, title) {
  if (!maplibre) {
    maplibre = await import("/assets/maplibre-gl.mjs");
    if (globalThis.pmtiles) maplibre.addProtocol("pmtiles", new globalThis.pmtiles.Protocol().tile);
  }
  const stage = document.createElement("div");
  stage.className = "map-stage";
  box.replaceChildren(stage);
  const map = new maplibre.Map({
    container: stage, style, ...view,
    attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
    fadeDuration: calm ? 0 : 150, maxZoom: 18, minZoom: 4, locale: { "Map.Title": title },
  });
  // a tile that does not come leaves a gap; drawn anew, or the map would never rest
  map.on("error", () => map.triggerRepaint());
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  await map.once("style.load");
  map.resize(); // a stage that was laid out only after the map was made would keep a small map in its corner
  map.once("idle", () => {
    box.dataset.ready = "true";
  });
  return map;
}

/** Put the buttons and the credits over the map. */
export function addFurniture(box, map, words) {
  const zoom = document.createElement("div");
  zoom.className = "map-buttons";
  for (const [sign, label, act] of [["+", words.zoomin, () => map.zoomIn()], ["−", words.zoomout, () => map.zoomOut()]]) {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: sign, title: label ?? sign });
    made.setAttribute("aria-label", label ?? sign);
    made.addEventListener("click", act);
    zoom.append(made);
  }
  box.append(zoom);
  const credits = [box.dataset.attribution, box.dataset.approval].filter(Boolean);
  if (!credits.length) return;
  const line = document.createElement("p");
  line.className = "map-credits";
  line.textContent = credits.join("　");
  box.append(line);
}

/** The box around coordinates, however deep they are nested; null around none. */
export function boundsOf(coordinates) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const widen = (places) => {
    if (typeof places[0] !== "number") return places.forEach(widen);
    const [lon, lat] = places;
    [box[0], box[1]] = [Math.min(box[0], lon), Math.min(box[1], lat)];
    [box[2], box[3]] = [Math.max(box[2], lon), Math.max(box[3], lat)];
  };
  widen(coordinates);
  return Number.isFinite(box[0]) ? box : null;
}
