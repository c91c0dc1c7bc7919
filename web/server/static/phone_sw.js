// Keeps the worker's page and what it is drawn with at hand, so that it opens with the server stopped. Nothing about
// anybody is kept here: tonight's route and what was done stand in the page's own store.
"use strict";

importScripts("/static/phone_outbox.js");

const asked = new URL(location.href).searchParams;
const LANGUAGE = asked.get("language") === "en" ? "en" : "zh";
const CACHE = `phone-${asked.get("version")}-${LANGUAGE}`;
const SHELL = `/phone/shell/${LANGUAGE}`;
const STATIC = ["/static/", "/assets/"];
const PATIENCE_MS = 4000; // a network that does not answer is none

self.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOlder().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== location.origin) return;
  if (request.mode === "navigate" && address.pathname === "/phone") {
    event.respondWith(soon(request).catch(() => caches.match(SHELL, { cacheName: CACHE })));
  } else if (STATIC.some((folder) => address.pathname.startsWith(folder))) {
    event.respondWith(networkFirst(request));
  }
});

self.addEventListener("sync", (event) => {
  if (event.tag === "phone") event.waitUntil(sendThenTell());
});

async function keepShell() {
  const cache = await caches.open(CACHE);
  const answer = await fetch(SHELL, { credentials: "omit", cache: "no-store" });
  if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
  const page = await answer.clone().text();
  await cache.put(SHELL, answer);
  const named = [...page.matchAll(/(?:src|href)="(\/(?:static|assets)\/[^"]+)"/g)].map((match) => match[1]);
  await cache.addAll([...new Set([...named, "/assets/maplibre-gl.mjs", "/assets/maplibre-gl-worker.mjs"])]);
}

async function forgetOlder() {
  const names = await caches.keys();
  return Promise.all(names.filter((name) => name.startsWith("phone-") && name !== CACHE)
    .map((name) => caches.delete(name)));
}

function soon(request) {
  return Promise.race([
    fetch(request),
    new Promise((_, fail) => { setTimeout(fail, PATIENCE_MS, new Error("no answer")); }),
  ]).then((answer) => {
    if (answer.status >= 500) throw new Error(`answered ${answer.status}`);
    return answer;
  });
}

async function networkFirst(request) {
  try {
    const answer = await soon(request);
    if (answer.status === 200 && answer.type === "basic") {
      const copy = answer.clone();
      caches.open(CACHE).then((cache) => cache.put(request, copy)).catch(() => {});
    }
    return answer;
  } catch (error) {
    const kept = await caches.match(request, { cacheName: CACHE, ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

async function sendThenTell() {
  const { state } = await phoneOutbox.sendAll();
  for (const client of await self.clients.matchAll()) client.postMessage("phone");
  if (state === "later") throw new Error("not all could be sent"); // the browser tries again later
}
