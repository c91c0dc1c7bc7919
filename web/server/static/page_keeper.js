// What keeps one page at hand, with what it is drawn with, so that it opens without a network. Not every browser lets a
// service worker import modules: so it is a plain script that offers `keepPage`.
"use strict";

/**
 * Keep a page in one cache for each version of the software and each language, both of which the worker's address says.
 *
 * name: what its caches begin with. page: where it is opened. blank: where it lies as nobody's, less the language.
 * also: files that it does not name itself. whole: whether it is of use only with every file. ask: how the network is
 * asked. tag: of the browser's word that the network is back. send: sends what waits; resolves with whether all went.
 */
globalThis.keepPage = ({ name, page, blank, also, whole, ask, tag, send }) => {
  const said = new URL(location.href).searchParams;
  const language = said.get("language") === "en" ? "en" : "zh";
  const cacheName = `${name}-${said.get("version")}-${language}`;
  const kept = `${blank}/${language}`;

  self.addEventListener("install", (event) => {
    event.waitUntil(keep().then(() => self.skipWaiting()));
  });

  self.addEventListener("activate", (event) => {
    event.waitUntil(forgetOlder().then(() => self.clients.claim()));
  });

  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const address = new URL(request.url);
    if (request.method !== "GET" || address.origin !== location.origin) return;
    if (request.mode === "navigate" && address.pathname === page) {
      event.respondWith(ask(request).catch(() => caches.match(kept, { cacheName })));
    } else if (["/static/", "/assets/"].some((folder) => address.pathname.startsWith(folder))) {
      event.respondWith(networkFirst(request));
    }
  });

  self.addEventListener("sync", (event) => {
    if (event.tag === tag) event.waitUntil(sendThenTell());
  });

  /** Keep the page as anybody would see it, with every file it names. */
  async function keep() {
    const cache = await caches.open(cacheName);
    const answer = await fetch(kept, { credentials: "omit", cache: "no-store" });
    if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
    const text = await answer.clone().text();
    await cache.put(kept, answer);
    const named = [...text.matchAll(/(?:src|href)="(\/(?:static|assets)\/[^"]+)"/g)].map((match) => match[1]);
    const files = [...new Set([...named, ...also])];
    if (whole) await cache.addAll(files);
    else await Promise.allSettled(files.map((address) => cache.add(address)));
  }

  async function forgetOlder() {
    const names = await caches.keys();
    const older = names.filter((one) => one.startsWith(`${name}-`) && one !== cacheName);
    return Promise.all(older.map((one) => caches.delete(one)));
  }

  async function networkFirst(request) {
    try {
      const answer = await ask(request);
      if (answer.status === 200 && answer.type === "basic") {
        const copy = answer.clone();
        caches.open(cacheName).then((cache) => cache.put(request, copy)).catch(() => {});
      }
      return answer;
    } catch (error) {
      const copy = await caches.match(request, { cacheName, ignoreSearch: true });
      if (copy) return copy;
      throw error;
    }
  }

  async function sendThenTell() {
    const all = await send();
    for (const client of await self.clients.matchAll()) client.postMessage(tag);
    if (!all) throw new Error("not all could be sent"); // the browser tries again later
  }
};
