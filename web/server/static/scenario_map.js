// Pointing at a place or a point on a scenario's map fills in the forms beside it; the forms work without it.

import { drawn } from "./clock.js";

const picked = document.getElementById("picked");
const words = JSON.parse(picked?.dataset.words ?? "{}");

start();

async function start() {
  const [map] = await drawn;
  if (!map || !picked) return;
  map.onPick = (place, dot) => {
    if (dot) choosePoint(dot);
    else choosePlace(map.map, place);
  };
}

function choosePoint({ code, name }) {
  for (const choice of document.querySelectorAll("select[name=code]")) choice.value = code;
  picked.textContent = words.point.replace("{name}", name);
}

function choosePlace(map, { lng, lat }) {
  for (const field of document.querySelectorAll("[data-place]")) {
    field.value = (field.dataset.place === "lon" ? lng : lat).toFixed(6);
  }
  const geometry = { type: "Point", coordinates: [lng, lat] };
  map.getSource("here").setData({ type: "Feature", geometry, properties: {} });
  picked.textContent = words.place.replace("{place}", `${lng.toFixed(5)}, ${lat.toFixed(5)}`);
  // what is most often wanted next stands open
  const tools = [...document.querySelectorAll("[data-tool]")];
  if (tools.length && !tools.some(({ open }) => open)) tools[0].open = true;
}
