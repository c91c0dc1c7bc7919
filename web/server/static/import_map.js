// Where a file's places lie in each reading of its coordinates; the one chosen in the form stands out.

import { drawn } from "./map.js";

const map = await drawn;
const choices = [...document.querySelectorAll("input[name=datum]")];

if (map) {
  map.setMaxBounds(null);
  const readings = JSON.parse(document.getElementById("map").dataset.readings);
  for (const [datum, places] of Object.entries(readings)) {
    const data = { type: "Feature", geometry: { type: "MultiPoint", coordinates: places }, properties: {} };
    map.addSource(datum, { type: "geojson", data });
    map.addLayer({ id: datum, type: "circle", source: datum });
  }
  const show = () => {
    const chosen = choices.find((choice) => choice.checked)?.value ?? "wgs84";
    for (const datum of Object.keys(readings)) {
      const on = datum === chosen;
      map.setPaintProperty(datum, "circle-radius", on ? 5 : 4);
      map.setPaintProperty(datum, "circle-color", on ? "#0a56a5" : "rgba(255,255,255,0)");
      map.setPaintProperty(datum, "circle-stroke-color", on ? "#ffffff" : "#6b6b6b");
      map.setPaintProperty(datum, "circle-stroke-width", on ? 1.5 : 1);
    }
    map.moveLayer(chosen);
  };
  show();
  for (const choice of choices) choice.addEventListener("change", show);
}
