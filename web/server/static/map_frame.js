// What every live map begins with: the canvas, the buttons and the credits over it, and what a finger meets on it.

const WAIT_MS = 1000;
export const NOTHING = { type: "FeatureCollection", features: [] };
export const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

let maplibre = null;

/** Whether this browser can draw a map at all. */
export function canDraw() {
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

/** How much larger than usual letters are in large type. */
export function letterScale() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1;
}

/** Open a map of `style` in `box` at `view`, and wait until layers can be added to it. */
export async function openMap(box, style, view, title) {
  const stage = document.createElement("div");
  stage.className = "map-stage";
  box.replaceChildren(stage);
  const map = await mapOn(stage, style, view, title);
  map.once("idle", () => {
    box.dataset.ready = "true";
  });
  return map;
}

/** Draw a map of `style` on a stage that stands already. options : a view, and what is to be otherwise than usual. */
export async function mapOn(stage, style, options, title) {
  if (!maplibre) {
    maplibre = await import("/assets/maplibre-gl.mjs");
    if (globalThis.pmtiles) maplibre.addProtocol("pmtiles", new globalThis.pmtiles.Protocol().tile);
  }
  const map = new maplibre.Map({
    container: stage, style, attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
    fadeDuration: calm ? 0 : 150, maxZoom: 18, minZoom: 4, locale: { "Map.Title": title }, ...options,
  });
  // a tile that does not come leaves a gap; drawn anew, or the map would never rest
  map.on("error", () => map.triggerRepaint());
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  await map.once("style.load");
  map.resize(); // a stage that was laid out only after the map was made would keep a small map in its corner
  return map;
}

/** Say in `box` that this browser draws no map; the page's list says all the map would. */
export function giveUp(box, words) {
  const note = document.createElement("p");
  note.className = "map-note";
  note.textContent = words.nomap ?? "";
  box.replaceChildren(note);
  box.dataset.ready = "none";
  return null;
}

/** Put the buttons and the credits over the map. */
export function addFurniture(box, map, words) {
  const zoom = document.createElement("div");
  zoom.className = "map-buttons";
  const buttons = [["+", words.zoomin, () => map.zoomIn()], ["−", words.zoomout, () => map.zoomOut()]];
  for (const [sign, label, act] of buttons) {
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

/** One place as a source of a map; nothing for none. */
export function pointAt(place, properties = {}) {
  if (!place) return NOTHING;
  const feature = { type: "Feature", geometry: { type: "Point", coordinates: place }, properties };
  return { type: "FeatureCollection", features: [feature] };
}

/** What lies at an address as JSON, asked again while the server still makes it ready (202); or `otherwise`. */
export async function fetchJson(address, otherwise = NOTHING) {
  if (!address) return otherwise;
  try {
    for (;;) {
      const answer = await fetch(address);
      if (answer.status !== 202) return answer.ok ? await answer.json() : otherwise;
      await new Promise((done) => setTimeout(done, WAIT_MS));
    }
  } catch {
    return otherwise;
  }
}

/** The point drawn in `layers` nearest to a place on the screen, no farther than `reach` pixels; null for none. */
export function pointNear(map, { x, y }, layers, reach) {
  const found = map.queryRenderedFeatures([[x - reach, y - reach], [x + reach, y + reach]], { layers });
  const away = ({ geometry }) => {
    const at = map.project(geometry.coordinates);
    return Math.hypot(at.x - x, at.y - y);
  };
  return found.sort((a, b) => away(a) - away(b))[0] ?? null;
}

/** Strokes aslant, which say that nothing is known here: a picture of `side` pixels to lay side by side. */
export function hatch({ side, ground, ink, width }) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const pen = canvas.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = ink;
  pen.lineWidth = width;
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift - 2, side + 2);
    pen.lineTo(shift + side + 2, -2);
  }
  pen.stroke();
  return pen.getImageData(0, 0, side, side);
}
