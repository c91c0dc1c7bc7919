// The map of tonight's route, drawn from what the phone holds: no tile and no network is needed.

import { NOTHING, boundsOf, calm, canDraw, letterScale, mapOn, pointAt } from "./map_frame.js";

const DAY = { ground: "#f4f2ec", edge: "#c9c3b4", street: "#ffffff", ink: "#2f2e2b", halo: "#ffffff",
  later: "#0a56a5", next: "#d94f00", done: "#2e7d4f", cannot: "#8a2a22", way: "#5b5f66", here: "#0a56a5" };
const NIGHT = { ground: "#14191d", edge: "#0c1013", street: "#39424a", ink: "#dfe3e6", halo: "#14191d",
  later: "#6fb3ff", next: "#ffb347", done: "#63c58b", cannot: "#ff9d94", way: "#9aa3ab", here: "#ffffff" };
const MAIN = ["motorway", "trunk", "primary", "secondary", "tertiary"];

/**
 * Draw a map in `box`. Resolves with { show(pack, stateOf, current), here(place), centre() }, or null where this
 * browser cannot draw one. words : its labels.
 */
export async function drawMap(box, words) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stage = box.querySelector(".phone-stage");
  const options = { fadeDuration: 0, maxZoom: 19, minZoom: 9, center: [0, 0], zoom: 15 };
  const style = styleOf(dark.matches ? NIGHT : DAY);
  const map = canDraw() && await mapOn(stage, style, options, words.map).catch(() => null);
  if (!map) return refuse(box, words);

  const shown = { ground: NOTHING, route: NOTHING, spots: NOTHING, here: NOTHING };
  const put = (name, features) => {
    shown[name] = { type: "FeatureCollection", features };
    map.getSource(name)?.setData(shown[name]);
  };
  let [around, mark, place] = [null, "", null];
  dark.addEventListener("change", async ({ matches }) => {
    map.setStyle(styleOf(matches ? NIGHT : DAY, shown), { diff: false });
  });

  function centre() {
    const places = [...(around ?? []), ...(place ? [place] : [])];
    if (!places.length) return;
    map.resize();
    const high = map.getContainer().clientHeight;
    const padding = { top: Math.min(40, high / 6), bottom: Math.min(90, high / 3), left: 40, right: 40 };
    map.fitBounds(boundsOf(places), { padding, maxZoom: 17.5, animate: !calm, duration: 400 });
  }

  return {
    show(pack, stateOf, current) {
      if (mark !== pack.mark) {
        put("ground", pack.ground.map(({ line: places, name, class: kind }) => (
          line(places, { name, main: MAIN.includes(kind) }))));
      }
      put("route", pack.items.flatMap((item) => drawnLines(item, stateOf, item === current)));
      put("spots", pack.items.flatMap((item) => drawnSpots(item, stateOf, item === current)));
      const target = current ?? pack.items.find(({ services }) => services.length);
      const lines = target?.services.flatMap((service) => service.line) ?? [];
      const next = lines.length ? lines : [target?.at ?? pack.items.find(({ at }) => at)?.at].filter(Boolean);
      if (mark !== pack.mark || String(next) !== String(around)) {
        if (pack.mark) map.once("idle", () => { box.dataset.ready = "true"; });
        [mark, around] = [pack.mark, next];
        centre();
      }
    },
    here(found) {
      const first = !place;
      place = found;
      put("here", pointAt(place).features);
      if (first && place) centre();
      else if (place && !map.getBounds().contains(place)) map.easeTo({ center: place, animate: !calm });
    },
    centre,
  };
}

function refuse(box, words) {
  box.querySelector(".phone-stage").textContent = words.nomap;
  box.dataset.ready = "none";
  return null;
}

function drawnLines(item, stateOf, isCurrent) {
  if (item.kind === "travel") return item.way.map((way) => line(way, { state: "way" }));
  return item.services.filter((service) => service.line.length > 1)
    .map((service) => line(service.line, { state: stateOf(service) || (isCurrent ? "next" : "later") }));
}

function drawnSpots(item, stateOf, isCurrent) {
  const check = item.kind === "check" ? item.services[0] : null;
  const place = check?.at ?? item.at;
  if (!place || !["check", "start", "end"].includes(item.kind)) return [];
  const state = check ? stateOf(check) || (isCurrent ? "next" : "later") : "way";
  return pointAt(place, { state, name: item.name.zh }).features;
}

function line(coordinates, properties) {
  return { type: "Feature", geometry: { type: "LineString", coordinates }, properties };
}

function styleOf(colours, data = {}) {
  const source = (name) => ({ type: "geojson", data: data[name] ?? NOTHING });
  const byZoom = (far, near) => ["interpolate", ["exponential", 1.5], ["zoom"], 12, far, 18, near];
  const times = ["case", ["get", "main"], 1.7, 1];
  const width = (pixels) => byZoom(["*", times, pixels / 6], ["*", times, pixels]);
  const round = { "line-cap": "round", "line-join": "round" };
  const state = (which, rest) => ["match", ["get", "state"], ...Object.entries(which).flat(), rest];
  const { next, done, cannot, way } = colours;
  const byState = state({ next, done, cannot, way }, colours.later);
  const isWay = ["==", ["get", "state"], "way"];
  const text = { "text-field": ["get", "name"], "text-font": ["sans-serif"], "text-size": 13 * letterScale() };
  const letters = { "text-color": colours.ink, "text-halo-color": colours.halo, "text-halo-width": 1.7 };
  const line = (id, from, paint, more = {}) => ({ id, type: "line", source: from, layout: round, ...more, paint });
  return {
    version: 8,
    sources: Object.fromEntries(["ground", "route", "spots", "here"].map((name) => [name, source(name)])),
    layers: [
      { id: "ground", type: "background", paint: { "background-color": colours.ground } },
      line("edges", "ground", { "line-color": colours.edge, "line-width": width(15) }),
      line("streets", "ground", { "line-color": colours.street, "line-width": width(12) }),
      line("ways", "route", { "line-color": way, "line-width": byZoom(1.5, 4), "line-dasharray": [1, 1.6] },
        { filter: isWay, layout: {} }),
      line("halos", "route", { "line-color": colours.halo, "line-width": state({ next: 13 }, 8) }, {
        filter: ["!", isWay],
      }),
      line("route", "route", { "line-color": byState, "line-width": state({ next: 9, later: 5 }, 4) }, {
        filter: ["!", isWay], layout: { ...round, "line-sort-key": state({ next: 2, later: 1 }, 0) },
      }),
      { id: "spots", type: "circle", source: "spots", paint: {
        "circle-radius": state({ next: 11 }, 7), "circle-color": byState,
        "circle-stroke-color": colours.halo, "circle-stroke-width": 2,
      } },
      { id: "names", type: "symbol", source: "ground", minzoom: 13.5, filter: ["!=", ["get", "name"], ""],
        layout: { ...text, "symbol-placement": "line", "symbol-spacing": 260, "text-padding": 4,
          "symbol-sort-key": ["case", ["get", "main"], 0, 1] }, paint: letters },
      { id: "spot-names", type: "symbol", source: "spots", minzoom: 14,
        layout: { ...text, "text-anchor": "top", "text-offset": [0, 0.9], "text-max-width": 9 }, paint: letters },
      { id: "here", type: "circle", source: "here", paint: {
        "circle-radius": 8, "circle-color": colours.halo, "circle-stroke-color": colours.here, "circle-stroke-width": 5,
      } },
    ],
  };
}
