// The grid worker's page: tonight's route, what of it is done, and what this phone still holds. It works without a
// network; what it knows of tonight stands in the phone's own store, and so does what the worker does.

import { drawMap } from "./phone_map.js";
import { walker } from "./phone_passing.js";
import { reportDialog } from "./phone_report.js";
import { showList, showMore } from "./phone_sheets.js";
import { follow } from "./phone_track.js";

const { phoneOutbox } = globalThis;
const words = JSON.parse(document.body.dataset.words);
const lang = document.body.dataset.language;
const at = (id) => document.getElementById(id);
const FRESH_MS = 120_000, ASK_MS = 60_000, SEND_SOON_MS = 1500, SHOWN_AFTER_MS = 12 * 3_600_000;

// me: { account, person, offset }. pack: tonight's route. marks: key -> { duty, side, state, how, at, reason }.
// dwell: a check begun. made: what was done since the page was opened.
const now = { me: null, pack: null, marks: new Map(), made: [], stopped: false, dwell: null, fix: null, map: null,
  last: null, signedOut: false, recording: "off", look: null };
let feed = walker();
let sending = 0;

start();

async function start() {
  if (!globalThis.isSecureContext) { // a browser then gives no place, and opens nothing without a network
    at("none").hidden = false;
    at("none-said").textContent = words.insecure;
    return;
  }
  keepPageAtHand();
  await recallAll(document.body.dataset.account); // whom the server gave this page to: unknown without a network
  wire();
  render();
  drawMap(at("phone-map"), words).then((map) => {
    now.map = map;
    render();
  });
  now.look = follow({ wanted, record, fix: onFix, show: (state) => { now.recording = state; render(); } });
  await ask();
  setInterval(ask, ASK_MS);
  setInterval(watchDwell, 500);
}

// --- what the phone remembers ---------------------------------------------------------------------------------------

const clock = () => Date.now() + (now.me?.offset ?? 0);
const keyOf = ({ duty, side }) => `${duty}|${side}`;
const stateOf = (service) => now.marks.get(keyOf(service))?.state ?? "";
const mineAs = (name) => `${name}:${now.me.account}`;

async function recallAll(account = "") {
  const me = (await phoneOutbox.recall("me")) ?? null;
  now.me = me && account && String(me.account) !== account ? null : me;
  Object.assign(now, { pack: null, marks: new Map(), made: [], stopped: false, dwell: null, last: null });
  if (!now.me) return;
  const kept = await phoneOutbox.recall(mineAs("pack"));
  now.pack = kept && clock() < kept.pack.until + SHOWN_AFTER_MS ? kept.pack : null;
  if (!now.pack) await Promise.all(["pack", "marks", "stopped"].map((name) => phoneOutbox.forget(mineAs(name))));
  now.stopped = (await phoneOutbox.recall(mineAs("stopped")))?.night === now.pack?.night && Boolean(now.pack);
  now.dwell = (await phoneOutbox.recall(mineAs("dwell"))) ?? null;
  const marks = await phoneOutbox.recall(mineAs("marks"));
  await markAll(marks?.night === now.pack?.night ? marks?.marks : []);
}

/** Put together what was known, what this phone has not sent yet, and what it sent while the answer was on its way. */
async function markAll(known = []) {
  now.marks = new Map(known.map((one) => [keyOf(one), one]));
  const fresh = now.made.filter((event) => event.at > Date.now() - FRESH_MS);
  for (const event of [...fresh, ...await phoneOutbox.waiting(now.me.account)]) {
    if (event.night === now.pack?.night) mark(event);
  }
  await rememberMarks();
}

/** What is done stays known though it is sent and the network is gone. */
function rememberMarks() {
  return phoneOutbox.remember(mineAs("marks"), { night: now.pack?.night ?? null, marks: [...now.marks.values()] });
}

function mark(event) {
  if (!["tick", "check", "reason"].includes(event.kind)) return;
  if (event.undo) now.marks.delete(keyOf(event));
  else {
    const { duty, side, how = "hand", reason = "" } = event;
    const state = event.kind === "reason" ? "cannot" : "done";
    now.marks.set(keyOf(event), { duty, side, state, how, at: event.at, reason });
  }
}

// --- asking for tonight's route -------------------------------------------------------------------------------------

async function ask() {
  try {
    const have = now.pack ? `?${new URLSearchParams({ have: now.pack.mark })}` : "";
    const asked = { headers: { Accept: "application/json" }, redirect: "error" };
    const answer = await fetch(`/phone/tonight.json${have}`, asked);
    now.signedOut = answer.status === 401 || answer.status === 403;
    if (now.signedOut && now.me && !(await phoneOutbox.recall("me"))) await recallAll(); // they signed out on this phone
    if (answer.ok) await take(await answer.json());
  } catch {
    // no network: what the phone holds stands
  }
  now.look?.();
  render();
  send();
}

async function take(told) {
  const offset = told.now - Date.now();
  const me = { account: told.account.id, person: told.account.name, offset: Math.abs(offset) > 120_000 ? offset : 0 };
  const other = now.me && now.me.account !== me.account;
  await phoneOutbox.remember("me", me);
  if (other || !now.me) {
    now.me = me;
    await recallAll();
  }
  now.me = me;
  if (told.state === "none") {
    now.pack = null;
    now.none = told.said[lang];
    await phoneOutbox.forget(mineAs("pack"));
    return;
  }
  const changed = now.pack && now.pack.mark !== told.mark;
  now.pack = told.items ? told : { ...now.pack, ...told };
  await phoneOutbox.remember(mineAs("pack"), { pack: now.pack });
  await markAll(told.done);
  if (changed) notify(words.changed);
}

// --- what the worker does -------------------------------------------------------------------------------------------

/** The first thing on the list of which something is left to do. */
function current() {
  return now.pack?.items.find((item) => item.services.some((service) => !stateOf(service))) ?? null;
}

const openOf = (item) => item.services.filter((service) => !stateOf(service));

/** Keep what was done or could not be, for services of one item; returns once it is safe. */
async function keep(services, more) {
  const base = { at: Date.now(), night: now.pack.night, crew: now.pack.crew };
  const events = services.map(({ duty, side }) => ({ ...base, duty, side, ...more }));
  await phoneOutbox.add(now.me.account, events);
  events.forEach(mark);
  now.made.push(...events);
  await rememberMarks();
  render();
  sendSoon();
}

async function tick(item, services, how) {
  await keep(services, { kind: "tick", how });
  now.last = { item, services };
  navigator.vibrate?.(80);
  notify(words[how === "gps" ? "passed" : "ticked"].replace("{name}", item.name[lang]), true);
}

async function undo(item, services) {
  const done = services.filter((service) => stateOf(service));
  const of = (state) => done.filter((service) => stateOf(service) === state);
  if (of("done").length) await keep(of("done"), { kind: "tick", how: "hand", undo: true });
  if (of("cannot").length) await keep(of("cannot"), { kind: "reason", reason: "other", note: "", undo: true });
  feed = walker();
  notify(words.undone.replace("{name}", item.name[lang]));
}

async function onDone() {
  const item = current();
  if (!item) return;
  if (item.kind !== "check") await tick(item, openOf(item), "hand");
  else if (now.dwell?.duty === item.services[0].duty) await endDwell(item);
  else await beginDwell(item);
}

async function beginDwell(item) {
  now.dwell = { duty: item.services[0].duty, since: Date.now(), lasts: item.services[0].dwell_s };
  await phoneOutbox.remember(mineAs("dwell"), now.dwell);
  render();
}

async function endDwell(item) {
  const stayed = Math.min((Date.now() - now.dwell.since) / 1000, now.dwell.lasts);
  now.dwell = null;
  await phoneOutbox.forget(mineAs("dwell"));
  const services = openOf(item);
  await keep(services, { kind: "check", how: "hand", dwell_s: Math.max(0, Math.round(stayed)) });
  now.last = { item, services };
  navigator.vibrate?.([80, 60, 80]);
  notify(words.checked.replace("{name}", item.name[lang]), true);
}

/** Count the time of stay down, and end it by itself. */
function watchDwell() {
  if (!now.dwell) return;
  const item = now.pack?.items.find(({ services }) => services[0]?.duty === now.dwell.duty);
  if (!item || !openOf(item).length) now.dwell = null;
  else if (Date.now() - now.dwell.since >= now.dwell.lasts * 1000) endDwell(item);
  else renderDone(item);
}

async function onCannot(reason, note) {
  const item = current();
  if (!item) return;
  const services = openOf(item);
  await keep(services, { kind: "reason", reason, note });
  now.last = { item, services };
  notify(words.cannotkept.replace("{name}", item.name[lang]), true);
}

// --- where the phone is ---------------------------------------------------------------------------------------------

function wanted() {
  return Boolean(now.pack) && !now.stopped && !now.pack.closed && clock() >= now.pack.from && clock() <= now.pack.until;
}

async function record(point) {
  await phoneOutbox.addPoint(now.me.account, now.pack.night, now.pack.crew, point);
  renderHeld();
}

async function onFix(fix) {
  now.fix = fix;
  now.map?.here(fix.place);
  const open = now.pack.items.flatMap((item) => (item.kind === "check" ? [] : openOf(item).map((service) => (
    { ...service, key: keyOf(service), item }))));
  const walked = feed(fix, open);
  for (const item of new Set(walked.map((one) => one.item))) {
    await tick(item, walked.filter((one) => one.item === item), "gps");
  }
  at("phone-map").dataset.here = fix.place.join();
}

/** Where a report is made: by a fix not older than two minutes, else where the list has come to. */
function placeOfReport() {
  const item = current() ?? now.pack?.items.findLast(({ services }) => services.length) ?? null;
  const street = item?.name[lang] ?? "";
  if (now.fix && Date.now() - now.fix.at < 120_000) {
    const [lon, lat] = now.fix.place;
    return { lon, lat, street: street && `${street}${words.nearby}`, said: words.bygps };
  }
  const service = item?.services.find((one) => !stateOf(one)) ?? item?.services.at(-1);
  const place = service?.line.length ? service.line[Math.floor(service.line.length / 2)] : service?.at ?? item?.at;
  return place ? { lon: place[0], lat: place[1], street, said: street } : null;
}

// --- sending --------------------------------------------------------------------------------------------------------

function sendSoon() {
  clearTimeout(sending);
  sending = setTimeout(send, SEND_SOON_MS);
  navigator.serviceWorker?.ready.then((worker) => worker.sync?.register("phone")).catch(() => {});
}

async function send() {
  clearTimeout(sending);
  const { state } = await phoneOutbox.sendAll();
  now.signedOut = state === "signed-out" || (now.signedOut && state === "later");
  document.body.dataset.sent = state;
  await renderHeld();
}

// --- what is shown --------------------------------------------------------------------------------------------------

function render() {
  const { pack } = now;
  const item = current();
  at("none").hidden = Boolean(pack);
  at("work").hidden = !pack;
  at("none-said").textContent = now.none ?? (now.me ? words.nopack : words.neversigned);
  at("crew").textContent = pack ? `${pack.crew} · ${pack.persons}` : now.me?.person ?? words.title;
  renderRecording();
  if (pack) renderNext(item);
  now.map?.show(pack ?? { mark: "", items: [], ground: [] }, stateOf, item);
  if (pack) showList(pack, { item, stateOf, undo, words, lang, marks: now.marks, keyOf });
  renderHeld();
}

function renderNext(item) {
  const { pack } = now;
  const services = pack.items.flatMap((one) => one.services);
  const done = services.filter((service) => stateOf(service)).length;
  at("progress").max = services.length || 1;
  at("progress").value = done;
  at("progress-said").textContent = words.progress.replace("{done}", done).replace("{all}", services.length);
  const way = item && pack.items.slice(0, pack.items.indexOf(item)).findLast(() => true);
  at("next-label").textContent = item ? `${item.begins} ${words[item.kind === "check" ? "nextcheck" : "next"]}` : "";
  at("next-name").textContent = item ? item.name[lang] : words.alldone;
  at("next-words").textContent = item ? item[lang] : words.allsaid;
  const left = item ? openOf(item).length : 0;
  at("next-left").textContent = item && item.services.length > 1
    ? words.left.replace("{left}", left).replace("{all}", item.services.length) : "";
  at("next-way").textContent = way?.kind === "travel" ? `${words.first}${way[lang]}` : "";
  at("next-must").hidden = !item?.must;
  for (const id of ["done", "cannot"]) at(id).disabled = !item;
  if (item) renderDone(item);
}

function renderDone(item) {
  let text = words.done;
  if (item.kind === "check") {
    const begun = now.dwell?.duty === item.services[0].duty;
    const left = begun ? Math.max(0, Math.ceil(now.dwell.lasts - (Date.now() - now.dwell.since) / 1000)) : 0;
    text = begun ? words.staying.replace("{time}", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`)
      : words.stay.replace("{minutes}", Math.max(1, Math.round(item.services[0].dwell_s / 60)));
  }
  at("done").textContent = text;
}

function renderRecording() {
  const { pack } = now;
  const line = at("recording");
  const hours = (text) => text.replace("{from}", pack.from_said).replace("{until}", pack.until_said);
  line.dataset.state = pack ? now.recording : "off";
  line.hidden = !pack;
  if (!pack) return;
  const over = clock() > pack.until || pack.closed;
  if (now.recording === "on") line.textContent = hours(words.recordingon);
  else if (now.recording === "blocked") line.textContent = words.recordingblocked;
  else if (now.stopped && !over) line.textContent = words.recordingstopped;
  else line.textContent = hours(over ? words.recordingover : words.recordingsoon);
}

async function renderHeld() {
  at("sign-in").hidden = !now.signedOut;
  const held = await phoneOutbox.held(now.me?.account ?? -1);
  const count = held.ticks + held.reports;
  at("unsent").textContent = held.refused.length ? words.refusedcount.replace("{count}", held.refused.length)
    : count ? words.unsent.replace("{count}", count) : held.points ? words.unsentpoints : words.allsent;
  at("open-more").dataset.state = held.refused.length ? "refused" : count || held.points ? "waiting" : "sent";
  showMore(held, { now, words, lang, refresh: renderHeld, send, toggle });
}

async function toggle() {
  now.stopped = !now.stopped;
  if (now.stopped) {
    now.fix = null;
    now.map?.here(null);
    await phoneOutbox.remember(mineAs("stopped"), { night: now.pack.night });
  } else await phoneOutbox.forget(mineAs("stopped"));
  now.look();
  render();
}

function notify(text, undoable = false) {
  at("notice-said").textContent = text;
  at("notice").hidden = false;
  at("undo").hidden = !undoable;
}

function wire() {
  at("done").addEventListener("click", onDone);
  at("undo").addEventListener("click", () => now.last && undo(now.last.item, now.last.services));
  at("centre").addEventListener("click", () => now.map?.centre());
  at("again").addEventListener("click", ask);
  for (const [press, sheet] of [["cannot", "reasons"], ["open-list", "list"], ["open-more", "more"]]) {
    at(press).addEventListener("click", () => at(sheet).showModal());
    at(sheet).querySelector("[data-close]").addEventListener("click", () => at(sheet).close());
  }
  for (const button of document.querySelectorAll("[data-reason]")) {
    button.addEventListener("click", () => {
      onCannot(button.dataset.reason, at("reason-note").value.trim());
      at("reason-note").value = "";
      at("reasons").close();
    });
  }
  reportDialog({ words, place: placeOfReport, async keep(report) {
    const base = { at: Date.now(), night: now.pack?.night ?? null, crew: now.pack?.crew ?? "" };
    await phoneOutbox.add(now.me.account, [{ ...base, ...report }]);
    notify(words.reportkept);
    renderHeld();
    sendSoon();
  } });
  addEventListener("online", ask);
  navigator.serviceWorker?.addEventListener("message", renderHeld);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && ask());
}

function keepPageAtHand() {
  const { version, language } = document.body.dataset;
  const address = `/phone/sw.js?${new URLSearchParams({ version, language })}`;
  navigator.serviceWorker?.register(address, { scope: "/phone" }).catch(() => {});
  navigator.storage?.persist?.().catch(() => {}); // the browser may then not clear it when space is short
}
