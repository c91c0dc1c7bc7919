// The clock of the week: one slider moves every map and table of the page through the 168 hours. It also draws the maps
// of pages without a clock, and looks again while a computation is under way.

import { areaPage, cityMap, moveTogether } from "./coverage_map.js";
import { fetchJson } from "./map_frame.js";

const STEP_MS = 700;
const slider = document.getElementById("clock-hour");
const clock = document.getElementById("clock");
const words = JSON.parse(clock?.dataset.words ?? "{}");
const boxes = [...document.querySelectorAll(".city-map")];

/** The maps of the page, in its order, once they stand; null for one that cannot be drawn. */
export const drawn = Promise.all(boxes.map((box) => cityMap(box).catch(() => null)));
const figures = Promise.all(boxes.map((box) => fetchJson(box.dataset.hours, null)));

start();
waitForResult();

async function start() {
  const [maps, known] = await Promise.all([drawn, figures]);
  const views = boxes.map((box, n) => ({ box, map: maps[n], known: known[n] })).filter(({ known: of }) => of?.whole);
  moveTogether(maps.filter(Boolean).map(({ map }) => map));
  const show = (hour) => {
    views.forEach((view) => showHour(view, hour));
    if (views.length === 2) showDifferences(views, hour);
  };
  const hour = clock?.dataset.hour ?? boxes[0]?.dataset.hour;
  show(hour === undefined ? null : Number(hour));
  if (slider && views.some(({ known: of }) => of.clock.length)) startClock(show);
}

function startClock(show) {
  const play = document.getElementById("clock-play");
  let running = null;
  clock.hidden = false;
  const set = (hour) => {
    const text = hour === null ? words.any : hourName(hour);
    document.getElementById("clock-said").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    clock.dataset.any = hour === null ? "yes" : "";
    const choice = document.getElementById("hour");
    if (choice) choice.value = hour === null ? "" : String(hour);
    const said = document.getElementById("sums-hour");
    if (said) said.textContent = text;
    for (const link of document.querySelectorAll("tr[data-area] a[href*='area=']")) {
      link.href = areaPage(link.closest("tr").dataset.area);
    }
    show(hour);
  };
  const stop = () => {
    clearInterval(running);
    running = null;
    play.textContent = words.play;
  };
  slider.addEventListener("input", () => {
    stop();
    set(Number(slider.value));
  });
  document.getElementById("clock-any").addEventListener("click", () => {
    stop();
    set(null);
  });
  play.addEventListener("click", () => {
    if (running) return stop();
    play.textContent = words.stop;
    running = setInterval(() => {
      slider.value = String((Number(slider.value) + 1) % 168);
      set(Number(slider.value));
    }, STEP_MS);
  });
  set(clock.dataset.hour === undefined ? null : Number(slider.value));
}

function hourName(hour) {
  return `${words.days[Math.floor(hour / 24)]} ${String(hour % 24).padStart(2, "0")}:00`;
}

function coveredAt(known, hour) {
  return hour === null || !known.clock.length ? known.base : known.sets[known.clock[hour]];
}

/** Write how much each area gains or loses from the first map to the second. */
function showDifferences([{ known: before }, { known: after }], hour) {
  const [old, fresh] = [coveredAt(before, hour), coveredAt(after, hour)];
  for (const row of document.querySelectorAll("tr[data-area]")) {
    const cell = row.querySelector("[data-cell=difference]");
    const change = (fresh[row.dataset.area] ?? 0) - (old[row.dataset.area] ?? 0);
    write(cell, change, change > 0 ? "+" : "");
    cell?.classList.toggle("gain", change > 0.5);
    cell?.classList.toggle("loss", change < -0.5);
  }
}

/** Colour one map, and where the page's table belongs to it, write its figures. */
function showHour({ box, map, known }, hour) {
  const covered = coveredAt(known, hour);
  const shares = {};
  for (const [code, whole] of Object.entries(known.whole)) {
    shares[code] = whole > 0 ? Math.min((covered[code] ?? 0) / whole, 1) : NaN;
  }
  map?.paint(shares);
  const side = box.dataset.side ?? "";
  for (const row of document.querySelectorAll(`tr[data-area]`)) {
    const code = row.dataset.area;
    if (!(code in known.whole)) continue;
    write(row.querySelector(`[data-cell="covered${side}"]`), covered[code] ?? 0);
    const share = row.querySelector(`[data-cell="share${side}"]`);
    if (share) share.textContent = Number.isFinite(shares[code]) ? `${(shares[code] * 100).toFixed(1)} %` : "—";
  }
  const sum = Object.values(covered).reduce((total, of) => total + of, 0);
  write(document.getElementById(`sums-covered${side}`), sum);
}

function write(cell, number, sign = "") {
  if (!cell) return;
  const divisor = Number(cell.dataset.divisor ?? 1);
  const digits = divisor > 1 ? (cell.dataset.cell === "difference" ? 2 : 1) : 0;
  const plain = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  cell.textContent = sign + (number / divisor).toLocaleString("en", plain);
}

function waitForResult() {
  const waiting = document.querySelector("[data-waiting]");
  if (waiting) setTimeout(() => location.reload(), Number(waiting.dataset.waiting) * 1000);
}
