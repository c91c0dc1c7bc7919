// The form with a script: the place by map, the report kept on this telephone until the server has it.

import { drawn } from "./map.js";
import { smaller } from "./photo.js";
import { showKept } from "./report_kept.js";

const form = document.getElementById("report");
const nearby = document.getElementById("nearby");
const words = JSON.parse(form.dataset.words);
const { outbox } = globalThis;
const MOST_SIDE_PX = 1600;
const KEY = form.elements.namedItem("key");
let pending = null; // the report whose reporter is being asked whether it is the same person

start();

async function start() {
  KEY.value = keyOfVisit() || KEY.value;
  form.elements.namedItem("csrf_token")?.remove(); // the outbox asks for a fresh one each time
  form.addEventListener("submit", onSubmit);
  document.getElementById("search").addEventListener("click", onSearch);
  document.getElementById("street").addEventListener("keydown", (event) => {
    if (event.key === "Enter") onSearch(event);
  });
  document.getElementById("matches").addEventListener("change", (event) => goTo(event.target.value));
  document.getElementById("nearby-same").addEventListener("click", sayItIsTheSame);
  document.getElementById("nearby-other").addEventListener("click", () => send(pending, true));
  for (const type of ["online", "offline"]) addEventListener(type, onNetwork);
  navigator.serviceWorker?.addEventListener("message", refresh);
  addEventListener("pageshow", warnIfSent);
  warnIfSent();
  if (!navigator.onLine) tell(words.nonetwork);
  keepFormAtHand();
  await sendWaiting(true);
}

// --- one key for one filling of the form --------------------------------------------------------------------------

/** The key of this entry of the history: the same after reloading or going back, another for another visit. */
function keyOfVisit() {
  if (!crypto.randomUUID) return ""; // plain http: the server's own key serves
  const before = history.state?.reportKey;
  const faulty = !document.getElementById("faults").hidden;
  const key = before ?? (faulty && KEY.value ? KEY.value : crypto.randomUUID());
  history.replaceState({ ...history.state, reportKey: key }, "");
  return key;
}

function warnIfSent() {
  if (sessionStorage.getItem("sent") === KEY.value) tell(words.already);
}

// --- the place ----------------------------------------------------------------------------------------------------

async function onSearch(event) {
  event.preventDefault();
  const street = document.getElementById("street").value.trim();
  if (!street) return document.getElementById("street").focus();
  try {
    const answer = await fetch(`/report/places?${new URLSearchParams({ street })}`);
    if (!answer.ok) throw answer;
    offer((await answer.json()).places);
  } catch {
    tell(words.searchlater);
  }
}

function offer(places) {
  const group = document.getElementById("matches");
  const title = document.getElementById("matches-title");
  title.textContent = places.length ? words.found.replace("{count}", places.length) : words.none;
  title.setAttribute("role", "status");
  group.replaceChildren(title, ...places.map((place) => {
    const label = made("label", "report-option");
    const choice = Object.assign(document.createElement("input"), { type: "radio", name: "match" });
    choice.value = `${place.lon.toFixed(6)},${place.lat.toFixed(6)}`;
    const name = made("span", "", place.name);
    if (place.within) name.append(" ", made("small", "", place.within));
    label.append(choice, name);
    return label;
  }));
  group.hidden = false;
  if (places.length === 1) group.querySelector("input").click();
}

/** Show a place that was chosen by name; from there the crosshair can be moved on. */
async function goTo(at) {
  const [lon, lat] = at.split(",").map(Number);
  document.getElementById("lon").value = lon;
  document.getElementById("lat").value = lat;
  (await drawn)?.jumpTo({ center: [lon, lat], zoom: 16 });
}

// --- sending ------------------------------------------------------------------------------------------------------

async function onSubmit(event) {
  if (event.submitter?.value === "search") return;
  event.preventDefault();
  const faults = faultsSeenHere();
  if (Object.keys(faults).length) return showFaults(faults);
  busy(true);
  const report = { key: KEY.value, fields: fieldsOfForm(), photo: await photoOfForm(), writtenAt: Date.now() };
  await send(report, form.elements.namedItem("sure")?.value === "yes");
}

async function send(report, sure) {
  busy(true);
  let outcome;
  try {
    outcome = await outbox.submit(report, sure);
  } catch {
    return withoutShelf(); // this browser keeps nothing, in a private window say
  } finally {
    busy(false);
  }
  showFaults(outcome.faults ?? {});
  if (outcome.places?.length) offer(outcome.places);
  if (outcome.state === "received") {
    sessionStorage.setItem("sent", report.key);
    location.assign(outcome.page);
  } else if (outcome.state === "nearby") {
    askWhetherSame(report, outcome.said);
  } else if (outcome.state === "later") {
    afterKeeping();
  } else {
    await outbox.discard(report.key); // it stands in the form
    await refresh();
  }
}

/** What even without a network can be told: a report that no one could act on. */
function faultsSeenHere() {
  const faults = {};
  const has = (name) => form.elements.namedItem(name).value.trim() !== "";
  if (!has("lon") && !has("street") && !has("place")) faults.position = words.noplace;
  if (!form.querySelector("[name=needs]:checked")) faults.needs = words.noneeds;
  return faults;
}

function fieldsOfForm() {
  const left = ["csrf_token", "key", "photo", "match", "do", "sure"];
  return [...new FormData(form)].filter(([name]) => !left.includes(name));
}

/** The photo, smaller; as it is where this browser cannot draw it. */
async function photoOfForm() {
  const file = document.getElementById("photo").files[0];
  return file ? smaller(file, MOST_SIDE_PX, 0.82).catch(() => file) : null;
}

function withoutShelf() {
  if (!navigator.onLine || !KEY.value) return tell(words.nokeep);
  fetch("/report/token", { headers: { Accept: "application/json" }, cache: "no-store" })
    .then((answer) => answer.json())
    .then(({ csrf_token: value }) => {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "csrf_token", value }));
      form.submit();
    })
    .catch(() => tell(words.nokeep));
}

function afterKeeping() {
  form.reset();
  for (const name of ["lon", "lat"]) document.getElementById(name).value = "";
  document.getElementById("matches").hidden = true;
  if (crypto.randomUUID) {
    KEY.value = crypto.randomUUID(); // the next filling is another report
    history.replaceState({ ...history.state, reportKey: KEY.value }, "");
  }
  nearby.hidden = true;
  form.hidden = false;
  tell(words.kept);
  navigator.serviceWorker?.ready.then((worker) => worker.sync?.register("reports")).catch(() => {});
  refresh().then(() => document.getElementById("kept-title").focus());
  planNext();
}

// --- is it the same person? -----------------------------------------------------------------------------------------

function askWhetherSame(report, said) {
  pending = report;
  document.getElementById("nearby-said").replaceChildren(...said.map((text) => made("li", "", text)));
  form.hidden = true;
  nearby.hidden = false;
  document.getElementById("nearby-title").focus();
}

async function sayItIsTheSame() {
  await outbox.discard(pending.key);
  location.assign("/report/known");
}

// --- what waits -----------------------------------------------------------------------------------------------------

let timer = 0;

async function sendWaiting(now) {
  try {
    await refresh();
    if (navigator.onLine) await outbox.sendAll(now);
    await refresh();
    await planNext();
  } catch {
    // this browser keeps nothing
  }
}

async function planNext() {
  clearTimeout(timer);
  const wait = await outbox.due().catch(() => null);
  if (wait !== null) timer = setTimeout(sendWaiting, Math.max(wait, 1000), false);
}

function onNetwork() {
  tell(navigator.onLine ? "" : words.nonetwork);
  if (navigator.onLine) sendWaiting(true);
}

async function refresh() {
  await showKept(words, { send: resume, correct });
}

async function resume(record) {
  await send(record, false);
}

/** Put a report that could not stand back into the form. */
async function correct(record) {
  for (const box of form.querySelectorAll("[name=needs]")) box.checked = false;
  for (const [name, value] of record.fields) {
    const field = form.elements.namedItem(name);
    if (name === "needs") form.querySelector(`[name=needs][value="${CSS.escape(value)}"]`)?.click();
    else if (field) field.value = value;
  }
  KEY.value = record.key;
  history.replaceState({ ...history.state, reportKey: record.key }, "");
  await outbox.discard(record.key);
  await refresh();
  showFaults({ ...record.faults, ...(record.photo && { photo: record.faults?.photo ?? words.photolost }) });
  if (record.places?.length) offer(record.places);
}

// --- what is said ---------------------------------------------------------------------------------------------------

function tell(text) {
  document.getElementById("notice").textContent = text;
}

function busy(on) {
  for (const button of document.querySelectorAll("#send, #nearby-other")) button.disabled = on;
  if (on) tell(words.sending);
  else if (document.getElementById("notice").textContent === words.sending) tell("");
}

/** Say every fault beside its field, and all together at the top, where the focus goes. */
function showFaults(faults) {
  const summary = document.getElementById("faults");
  for (const place of form.querySelectorAll(".report-fault")) {
    const name = place.id.replace("fault-", "");
    place.textContent = faults[name] ?? "";
    place.hidden = !(name in faults);
    document.getElementById(name)?.toggleAttribute?.("aria-invalid", name in faults);
    if (name in faults) document.getElementById(name)?.setAttribute("aria-invalid", "true");
  }
  const names = Object.keys(faults);
  summary.hidden = names.length === 0;
  if (!names.length) return;
  nearby.hidden = true;
  form.hidden = false;
  summary.querySelector("h2").textContent = words.faults.replace("{count}", names.length);
  summary.querySelector("ul").replaceChildren(...names.map((name) => {
    const link = Object.assign(made("a", "", faults[name]), { href: `#field-${name}` });
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
  summary.focus();
}

function made(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function keepFormAtHand() {
  const { version, language } = form.dataset;
  const address = `/sw.js?${new URLSearchParams({ version, language })}`;
  navigator.serviceWorker?.register(address, { scope: "/report" }).catch(() => {});
}
