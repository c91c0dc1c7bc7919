// The live map. Everything it needs stands in the page: see the attributes of #map read below. It adds to a page that
// works without it, and leaves that page alone where a browser cannot draw maps.

import {
  NOTHING, addFurniture, boundsOf, calm, canDraw, fetchJson, giveUp, openMap, pointAt, pointNear,
} from "./map_frame.js";
import { mapStyle } from "./map_style.js";

const TOUCH_PX = 22; // half of the 44 pixels a finger needs
const AROUND = { top: 48, bottom: 48, left: 40, right: 80 }; // the buttons stand at the right
const STATES = ["open", "closed", "unknown"];

const box = document.getElementById("map");
const { mode = "find" } = box?.dataset ?? {};
const words = readWords();

/** The MapLibre map once it stands, or null where the page has none or the browser cannot draw one. */
export const drawn = box ? start().catch(() => giveUp(box, words)) : Promise.resolve(null);

useLocation();

function readWords() {
  try {
    return JSON.parse(box?.dataset.labels || "{}");
  } catch {
    return {};
  }
}

async function start() {
  if (!canDraw()) return giveUp(box, words);
  const [points, route, symbols] = await Promise.all([allPoints(), fetchJson(box.dataset.route), loadSymbols()]);
  const style = mapStyle(box, {
    points: mode === "route" ? endOf(route) : points,
    route,
    here: pointAt(mode === "route" ? lineOf(route)[0] : hereOf()),
  });
  const map = await openMap(box, style, viewOf(points, lineOf(route)), words.map ?? "");
  for (const [state, image] of symbols) map.addImage(state, image, { pixelRatio: 2 });
  addFurniture(box, map, words);
  if (mode === "find" || mode === "report") addCrosshair();
  syncWithList(map);
  if (mode === "find") letTap(map);
  if (mode === "report") followCentre(map);
  return map;
}

// --- what to draw ---------------------------------------------------------------------------------------------------

function listItems() {
  return [...document.querySelectorAll("[data-code][data-lon][data-lat]")];
}

/** The points of the city; what the list beside the map says of a point goes before what the file says. */
async function allPoints() {
  if (mode === "point") return pointAt(centreOf(), { code: "here", name: "", state: stateOf(box.dataset.state) });
  if (mode === "route") return NOTHING;
  const byCode = new Map();
  for (const feature of (await fetchJson(box.dataset.points)).features) {
    const { code, name = "", state, key } = feature.properties;
    if (feature.geometry) byCode.set(code, { ...feature, properties: { code, name, state: stateOf(state), key } });
  }
  for (const { dataset } of listItems()) {
    const known = byCode.get(dataset.code)?.properties ?? { code: dataset.code, name: dataset.name ?? "" };
    const place = [Number(dataset.lon), Number(dataset.lat)];
    byCode.set(dataset.code, pointAt(place, { ...known, state: stateOf(dataset.state) }).features[0]);
  }
  return { type: "FeatureCollection", features: [...byCode.values()] };
}

function stateOf(word) {
  return STATES.includes(word) ? word : "unknown";
}

function lineOf(route) {
  return route.features.flatMap(({ geometry }) => {
    if (geometry?.type === "LineString") return geometry.coordinates;
    return geometry?.type === "MultiLineString" ? geometry.coordinates.flat() : [];
  });
}

function endOf(route) {
  const end = centreOf() ?? lineOf(route).at(-1);
  return pointAt(end, { code: "end", name: "", state: stateOf(box.dataset.state) });
}

/** Draw the three symbols, which the page's list shows too, at twice their size for sharp screens. */
async function loadSymbols() {
  return Promise.all(STATES.map(async (state) => {
    const picture = new Image(56, 56);
    picture.src = new URL(`./symbols/${state}.svg`, import.meta.url).href;
    await picture.decode();
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 56;
    const pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0, 56, 56);
    return [state, pen.getImageData(0, 0, 56, 56)];
  }));
}

// --- where to look --------------------------------------------------------------------------------------------------

function numbers(text) {
  const found = (text ?? "").split(",").map(Number);
  return found.length > 1 && found.every(Number.isFinite) ? found : null;
}

function centreOf() {
  return numbers(box.dataset.centre);
}

/** Where the user is, as far as the page's form knows. */
function hereOf() {
  const { lon, lat } = fields();
  return lon?.value && lat?.value ? numbers(`${lon.value},${lat.value}`) : null;
}

function fields() {
  const field = (name) => document.querySelector(mode === "report" ? `#${name}` : `#find [name=${name}]`);
  return { lon: field("lon"), lat: field("lat") };
}

function viewOf(points, line) {
  const bounds = numbers(box.dataset.bounds);
  const here = hereOf();
  const view = bounds ? { maxBounds: widened(bounds) } : {};
  const around = (places) => ({ ...view, bounds: boundsOf(places), fitBoundsOptions: { padding: AROUND, maxZoom: 16 } });
  if (mode === "route" && line.length) return around(line);
  if (mode === "find" && here && points.features.length) {
    const listed = listItems().slice(0, 3).map(({ dataset }) => [Number(dataset.lon), Number(dataset.lat)]);
    return around([here, ...listed]);
  }
  const centre = (mode === "point" || mode === "route" ? null : here) ?? centreOf();
  if (centre) return { ...view, center: centre, zoom: mode === "find" ? 14 : 16 };
  return bounds ? { ...view, bounds, fitBoundsOptions: { padding: 16 } } : view;
}

function widened([west, south, east, north]) {
  const [wide, high] = [east - west, north - south];
  return [west - wide, south - high, east + wide, north + high];
}

function addCrosshair() {
  const crosshair = document.createElement("div");
  crosshair.className = mode === "report" ? "map-crosshair" : "map-crosshair map-crosshair-by-key";
  crosshair.setAttribute("aria-hidden", "true");
  box.append(crosshair);
}

// --- the list beside the map ----------------------------------------------------------------------------------------

function syncWithList(map) {
  let chosen = null;
  const choose = (code) => {
    for (const [which, on] of [[chosen, false], [code, true]]) {
      if (which === null) continue;
      map.setFeatureState({ source: "marks", id: which }, { chosen: on });
      itemOf(which)?.classList.toggle("chosen", on);
    }
    chosen = code;
  };
  for (const item of listItems()) {
    const { code, lon, lat } = item.dataset;
    const place = [Number(lon), Number(lat)];
    item.addEventListener("pointerenter", () => choose(code));
    item.addEventListener("focusin", () => {
      choose(code);
      if (!map.getBounds().contains(place)) map.easeTo({ center: place });
    });
  }
  map.on("mousemove", (event) => {
    map.getCanvas().style.cursor = pointUnder(map, event.point) ? "pointer" : "";
  });
  map.on("click", async (event) => {
    const point = pointUnder(map, event.point);
    if (!point) return;
    if (point.properties.cluster) {
      const zoom = await map.getSource("points").getClusterExpansionZoom(point.properties.cluster_id);
      map.easeTo({ center: point.geometry.coordinates, zoom, animate: !calm });
      return;
    }
    choose(point.properties.code);
    const item = itemOf(point.properties.code);
    if (item) {
      if (!item.hasAttribute("tabindex")) item.tabIndex = -1;
      item.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
      item.focus({ preventScroll: true });
    } else if (point.properties.key) {
      location.assign(`/${point.properties.key}`); // not in the list: to its own page
    }
  });
}

function itemOf(code) {
  return listItems().find(({ dataset }) => dataset.code === code);
}

/** The point, or group of points, that a finger meets. */
function pointUnder(map, place) {
  return pointNear(map, place, ["points", "groups"], TOUCH_PX);
}

// --- pointing at a place --------------------------------------------------------------------------------------------

function setPlace(lngLat) {
  const { lon, lat } = fields();
  if (lon && lat) [lon.value, lat.value] = [lngLat.lng.toFixed(6), lngLat.lat.toFixed(6)];
}

function letTap(map) {
  const submit = (lngLat) => {
    setPlace(lngLat);
    document.getElementById("find")?.requestSubmit();
  };
  map.on("click", (event) => {
    if (!pointUnder(map, event.point)) submit(event.lngLat);
  });
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key === "Enter") submit(map.getCenter());
  });
}

function followCentre(map) {
  const said = document.createElement("p");
  said.className = "map-said";
  said.setAttribute("aria-live", "polite");
  box.append(said);
  let before = map.getCenter();
  map.on("moveend", () => {
    const centre = map.getCenter();
    if (centre.distanceTo(before) < 0.1) return; // zoomed or resized: nobody chose a place
    before = centre;
    setPlace(centre);
    said.textContent = (words.centre ?? "{place}").replace("{place}", placeName(map) || coordinates(centre));
  });
}

function coordinates({ lng, lat }) {
  return `${lng.toFixed(5)}, ${lat.toFixed(5)}`;
}

/** The named street next to the crosshair, as drawn. */
function placeName(map) {
  const { x, y } = map.project(map.getCenter());
  for (const reach of [8, 24, 64]) {
    const lines = map.queryRenderedFeatures([[x - reach, y - reach], [x + reach, y + reach]]);
    const street = lines.find(({ sourceLayer, properties }) => sourceLayer === "streets" && properties.name);
    if (street) return street.properties.name;
  }
  return "";
}

/** Ask for the device's place when, and only when, the button is pressed; works without a map, too. */
function useLocation() {
  const press = document.getElementById("here");
  if (!press || !navigator.geolocation) return;
  press.hidden = false;
  press.addEventListener("click", () => {
    press.setAttribute("aria-busy", "true");
    const done = () => press.removeAttribute("aria-busy");
    navigator.geolocation.getCurrentPosition(async ({ coords }) => {
      done();
      setPlace({ lng: coords.longitude, lat: coords.latitude });
      const form = mode === "report" ? null : document.getElementById("find");
      if (form) form.requestSubmit();
      else (await drawn)?.jumpTo({ center: [coords.longitude, coords.latitude], zoom: 17 });
    }, () => {
      done();
      sayBeside(press, words.noposition ?? "");
    }, { enableHighAccuracy: true, timeout: 15_000, maximumAge: 60_000 });
  });
}

function sayBeside(press, text) {
  const said = press.parentElement.querySelector("[role=status]") ?? document.createElement("p");
  said.setAttribute("role", "status");
  press.after(said);
  said.textContent = text;
}
