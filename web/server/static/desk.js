// The desk works without this: every form is one, every list a list. With it, what is tried shows at once, what others
// change shows by itself, and nothing that is being written is lost.

import { boardLines, drawDesk, linesOf, look, onTap, placesOf, redraw, showCrew } from "./desk_map.js";
import { fetchJson } from "./map_frame.js";

const AGAIN_MS = 10_000;
const TYPING_MS = 250;
const desk = document.getElementById("desk");
const box = document.getElementById("map");
const news = document.getElementById("news");
const trial = document.getElementById("trial");
const words = JSON.parse(desk?.dataset.words || "{}");
let shown = "";
let streets = new Map();
let drawn = {};
let page = "";

const map = desk && box ? start() : null;

async function start() {
  tabs();
  document.addEventListener("submit", submitted);
  document.addEventListener("click", clicked);
  search();
  setInterval(() => document.visibilityState === "visible" && ask(), AGAIN_MS);
  const style = getComputedStyle(document.documentElement);
  const palette = [...Array(10).keys()].map((i) => style.getPropertyValue(`--crew-${i}`).trim());
  streets = linesOf(await fetchJson(box.dataset.streets, {}));
  drawn = await drawing();
  const made = await drawDesk(box, drawn, words, palette).catch(() => null);
  if (!made) {
    box.dataset.ready = "none";
    return null;
  }
  onTap(made, tapped);
  return made;
}

/** What the map shows now, by source. */
async function drawing() {
  const crew = shown ? `${box.dataset.marks.includes("?") ? "&" : "?"}crew=${shown}` : "";
  const addresses = [box.dataset.board, box.dataset.marks + crew];
  const [board, marks] = await Promise.all(addresses.map((address) => fetchJson(address, {})));
  return { ...boardLines(streets, board), ...marks };
}

async function drawAgain() {
  const made = await map;
  if (!made) return;
  drawn = await drawing();
  redraw(made, drawn);
  showCrew(made, shown);
}

// --- columns of work: one at a time -----------------------------------------------------------------------------------

function tabs() {
  const links = [...document.querySelectorAll(".desk-tabs a")];
  const parts = links.map((link) => document.querySelector(link.hash));
  const show = (hash) => {
    const at = Math.max(0, links.findIndex((link) => link.hash === hash));
    links.forEach((link, i) => {
      parts[i].hidden = i !== at;
      if (i === at) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  document.querySelector(".desk-tabs").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    show(link.hash);
    if (!trial.querySelector(".desk-trial")) trial.replaceChildren();
  });
  addEventListener("hashchange", () => show(location.hash));
  const inside = location.hash && document.querySelector(location.hash)?.closest(".desk-work > section");
  show(inside ? `#${inside.id}` : "");
}

function open(id) {
  document.querySelector(`.desk-tabs a[href="#${id}"]`)?.click();
}

// --- forms ------------------------------------------------------------------------------------------------------------

async function submitted(event) {
  const form = event.target;
  if (form.dataset.live !== "trial") return;
  event.preventDefault();
  const press = event.submitter ?? form;
  press.setAttribute("aria-busy", "true");
  try {
    const sent = new FormData(form, event.submitter);
    // a field is called "action" too, and form.action would be that
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body: sent, headers: { "X-Part": "trial" } });
    if (answer.redirected || answer.status === 401) {
      location.reload(); // signed out meanwhile
      return;
    }
    if (answer.status === 404 || answer.status >= 500) throw new Error(answer.statusText);
    trial.innerHTML = await answer.text();
    if (answer.headers.get("X-Changed")) {
      document.querySelector("[data-search]")?.dispatchEvent(new Event("again"));
      await ask(true);
    }
  } catch {
    trial.innerHTML = "";
    say([words.offline]);
  } finally {
    press.removeAttribute("aria-busy");
  }
  const first = trial.querySelector(".desk-trial") ?? trial.firstElementChild;
  first?.setAttribute("tabindex", "-1");
  first?.focus({ preventScroll: true });
  trial.scrollIntoView({ block: "nearest" });
}

function clicked(event) {
  const link = event.target.closest("a, button");
  if (!link) return;
  if (link.dataset.cancel !== undefined) {
    event.preventDefault();
    trial.replaceChildren();
  } else if (link.dataset.show) {
    show(link.dataset.show === shown ? "" : link.dataset.show);
  } else if (link.dataset.page) {
    event.preventDefault();
    page = link.dataset.page;
    ask(true).then(() => document.getElementById("reports").scrollIntoView({ block: "start" }));
  }
}

// --- the streets of a name --------------------------------------------------------------------------------------------

function search() {
  const form = document.querySelector("[data-search]");
  if (!form) return;
  const field = form.querySelector("input[type=search]");
  let waiting = 0;
  const find = async (more = "") => {
    const answer = await fetch(`${form.dataset.search}?street=${encodeURIComponent(field.value)}${more}`);
    if (answer.status === 200) document.getElementById("stops").innerHTML = await answer.text();
  };
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(find, TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    find();
  });
  form.addEventListener("again", () => field.value && find());
  form.addEventListener("choose", ({ detail }) => find(`&stop=${encodeURIComponent(detail)}`));
}

// --- the map ----------------------------------------------------------------------------------------------------------

async function show(crew) {
  shown = crew;
  for (const item of document.querySelectorAll("[data-crew]")) item.classList.toggle("shown", item.dataset.crew === crew);
  const made = await map;
  if (!made) return;
  showCrew(made, crew);
  if (crew) look(made, placesOf(drawn, crew));
  await drawAgain(); // with the ways between this crew's streets
}

function tapped(kind, properties) {
  if (kind === "reports") {
    open("reports");
    document.getElementById(`report-${properties.id}`)?.scrollIntoView({ block: "start" });
  } else if (kind === "crews") {
    open("crews");
    show(properties.crew);
    document.querySelector(`[data-crew="${properties.crew}"]`)?.scrollIntoView({ block: "nearest" });
  } else if (properties.stop) {
    open("edit");
    document.querySelector("[data-search]")?.dispatchEvent(new CustomEvent("choose", { detail: properties.stop }));
  }
}

// --- what others change -----------------------------------------------------------------------------------------------

/** Ask whether anything has changed, and show it; anew: whether or not anything has. */
async function ask(anew = false) {
  const { version, mark } = desk.dataset;
  const at = document.getElementById("at")?.value ?? "";
  const known = anew ? "" : mark;
  let answer;
  try {
    answer = await fetch(`${desk.dataset.live}?since=${version}&mark=${known}&page=${page}&at=${at}`);
  } catch {
    return;
  }
  if (!answer.ok || answer.redirected) return;
  const said = await answer.json();
  if (!said.parts) return;
  desk.dataset.version = said.version;
  desk.dataset.mark = said.mark;
  for (const [name, html] of Object.entries(said.parts)) fill(name, html);
  for (const [name, count] of Object.entries(said.counts)) {
    document.querySelector(`[data-count=${name}]`).textContent = count;
  }
  if (said.news.length) say(said.news);
  await drawAgain();
}

/** Draw a part anew, unless somebody is at work in it: then once they are done. */
function fill(name, html) {
  const part = document.querySelector(`[data-part=${name}]`);
  if (!part) return;
  const busy = part.contains(document.activeElement) && part.querySelector("details[open]");
  if (busy) {
    part.addEventListener("focusout", () => setTimeout(() => fill(name, html)), { once: true });
    return;
  }
  const chosen = part.value; // of a list to choose from
  part.innerHTML = html;
  if (chosen) part.value = chosen;
  for (const item of part.querySelectorAll("[data-crew]")) item.classList.toggle("shown", item.dataset.crew === shown);
}

function say(sentences) {
  news.replaceChildren(...sentences.map((text) => {
    const line = document.createElement("p");
    line.textContent = text;
    return line;
  }));
}
