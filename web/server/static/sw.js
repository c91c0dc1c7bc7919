// Keeps the empty form and what it is drawn with at hand, so that it opens without a network. Nothing else is kept: no
// answer of the server about anybody, no page about a report.
"use strict";

importScripts("/static/offline.js");

const asked = new URL(location.href).searchParams;
const LANGUAGE = asked.get("language") === "en" ? "en" : "zh";
const CACHE = `report-form-${asked.get("version")}-${LANGUAGE}`;
const FORM = `/report/offline/${LANGUAGE}`;
const STATIC = ["/static/", "/assets/"];

self.addEventListener("install", (event) => {
  event.waitUntil(keepForm().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOlder().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== location.origin) return;
  if (request.mode === "navigate" && address.pathname === "/report") {
    event.respondWith(fetch(request).catch(() => caches.match(FORM, { cacheName: CACHE })));
  } else if (STATIC.some((folder) => address.pathname.startsWith(folder))) {
    event.respondWith(networkFirst(request));
  }
});

self.addEventListener("sync", (event) => {
  if (event.tag === "reports") event.waitUntil(sendThenTell());
});

/** Keep the form as anybody would see it, with every file it names. */
async function keepForm() {
  const cache = await caches.open(CACHE);
  const answer = await fetch(FORM, { credentials: "omit", cache: "no-store" });
  if (!answer.ok) throw new Error(`the form answered ${answer.status}`);
  const page = await answer.clone().text();
  await cache.put(FORM, answer);
  const named = [...page.matchAll(/(?:src|href)="(\/(?:static|assets)\/[^"]+)"/g)].map((match) => match[1]);
  const imported = ["/static/report_kept.js", "/static/map_style.js", "/static/symbols/crosshair.svg", "/static/symbols/open.svg",
    "/static/symbols/closed.svg", "/static/symbols/unknown.svg", "/assets/maplibre-gl.mjs",
    "/assets/maplibre-gl-worker.mjs"];
  // one that cannot be had leaves a plainer page, not none
  await Promise.allSettled([...new Set([...named, ...imported])].map((address) => cache.add(address)));
}

async function forgetOlder() {
  const names = await caches.keys();
  return Promise.all(names.filter((name) => name.startsWith("report-form-") && name !== CACHE)
    .map((name) => caches.delete(name)));
}

async function networkFirst(request) {
  try {
    const answer = await fetch(request);
    if (answer.status === 200 && answer.type === "basic") {
      const copy = answer.clone();
      caches.open(CACHE).then((cache) => cache.put(request, copy)).catch(() => {});
    }
    return answer;
  } catch (error) {
    const kept = await caches.match(request, { cacheName: CACHE });
    if (kept) return kept;
    throw error;
  }
}

async function sendThenTell() {
  await outbox.sendAll(true);
  for (const client of await self.clients.matchAll()) client.postMessage("reports");
  if ((await outbox.due()) !== null) throw new Error("not all could be sent"); // the browser tries again later
}
