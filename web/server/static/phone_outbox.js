// What the worker does stays on this phone until the server has it: events numbered one after the other for each
// account, the points of the track, and what the server would not take. The page and the service worker both load this
// file, and not every browser lets a service worker import modules: so it is a plain script that offers `phoneOutbox`.
"use strict";

globalThis.phoneOutbox = (() => {
  const MOST_EVENTS = 100, MOST_BYTES = 400_000; // of one sending; a photo travels alone
  const POINTS = 20; // of one event of the track
  const PATIENCE_MS = 60_000;
  const JSON_ONLY = { Accept: "application/json" };
  const SHELVES = { meta: { keyPath: "name" }, sequence: { keyPath: "account" },
    events: { keyPath: ["account", "number"] }, points: { autoIncrement: true, keyPath: "id" },
    refused: { autoIncrement: true, keyPath: "id" } };

  // --- the shelves --------------------------------------------------------------------------------------------------
  // meta: { name, ... } what the page remembers. sequence: { account, device, next }. events: { account, number, at,
  // kind, ... } until the server has them. points: { account, night, crew, point } not yet made an event.
  // refused: { account, event, why } of which the number is used up.

  function base() {
    return new Promise((done, fail) => {
      const opening = indexedDB.open("phone", 1);
      opening.onupgradeneeded = () => {
        for (const [name, options] of Object.entries(SHELVES)) opening.result.createObjectStore(name, options);
      };
      opening.onerror = () => fail(opening.error);
      opening.onsuccess = () => done(opening.result);
    });
  }

  /** Do something to the shelves in one transaction; act gets one function for each request, which resolves with it. */
  async function shelf(mode, names, act) {
    const open = await base();
    try {
      return await new Promise((done, fail) => {
        const change = open.transaction(names, mode, { durability: "strict" });
        const ask = (asked) => new Promise((got) => { asked.onsuccess = () => got(asked.result); });
        let result;
        change.oncomplete = () => done(result);
        change.onabort = change.onerror = () => fail(change.error);
        Promise.resolve(act((name) => change.objectStore(name), ask)).then((value) => { result = value; }, (error) => {
          fail(error);
          change.abort();
        });
      });
    } finally {
      open.close();
    }
  }

  const mine = (account) => IDBKeyRange.bound([account, 0], [account, Infinity]);
  const read = (names, act) => shelf("readonly", names, act);
  const write = (names, act) => shelf("readwrite", names, act);

  const recall = (name) => read(["meta"], (on, ask) => ask(on("meta").get(name)));
  const remember = (name, value) => write(["meta"], (on, ask) => ask(on("meta").put({ ...value, name })));
  const forgetPerson = () => write(["meta"], (on, ask) => ask(on("meta").clear()));
  const forget = (name) => write(["meta"], (on, ask) => ask(on("meta").delete(name)));

  // --- writing ------------------------------------------------------------------------------------------------------

  async function numbered(on, ask, account, count) {
    const kept = (await ask(on("sequence").get(account))) ?? { account, device: crypto.randomUUID(), next: 1 };
    await ask(on("sequence").put({ ...kept, next: kept.next + count }));
    return kept.next;
  }

  /** Keep events, in order, each { at, kind, night, crew, ... }; resolves once they are safe. */
  function add(account, events) {
    return write(["sequence", "events", "points"], async (on, ask) => {
      await sealed(on, ask, account); // what was walked before comes before
      const first = await numbered(on, ask, account, events.length);
      for (const [i, event] of events.entries()) await ask(on("events").put({ ...event, account, number: first + i }));
    });
  }

  /** Keep a point of the track: [milliseconds, lon, lat, metres of error]. */
  function addPoint(account, night, crew, point) {
    return write(["sequence", "events", "points"], async (on, ask) => {
      await ask(on("points").put({ account, night, crew, point }));
      if ((await ask(on("points").count())) >= POINTS) await sealed(on, ask, account);
    });
  }

  /** Make the points kept so far events of the track. */
  async function sealed(on, ask, account) {
    const kept = (await ask(on("points").getAll())).filter((one) => one.account === account);
    while (kept.length) {
      const { night, crew } = kept[0];
      const until = kept.findIndex((one) => one.night !== night || one.crew !== crew);
      const part = kept.splice(0, Math.min(until < 0 ? kept.length : until, POINTS));
      const number = await numbered(on, ask, account, 1);
      const points = part.map(({ point }) => point);
      await ask(on("events").put({ account, number, at: points.at(-1)[0], kind: "track", night, crew, points }));
      for (const { id } of part) await ask(on("points").delete(id));
    }
  }

  // --- what is here -------------------------------------------------------------------------------------------------

  /** What this phone still holds: of the account { ticks, reports, points, refused }, and how much of others. */
  function held(account) {
    return read(["events", "points", "refused"], async (on, ask) => {
      const events = await ask(on("events").getAll());
      const [own, others] = [events.filter((e) => e.account === account), events.filter((e) => e.account !== account)];
      const loose = (await ask(on("points").getAll())).filter((one) => one.account === account);
      const refused = (await ask(on("refused").getAll())).filter((one) => one.account === account);
      const many = own.filter(({ kind }) => kind === "track").reduce((sum, { points }) => sum + points.length, 0);
      return {
        ticks: own.filter(({ kind }) => ["tick", "check", "reason"].includes(kind)).length,
        reports: own.filter(({ kind }) => kind === "report").length,
        points: many + loose.length, refused, others: others.length,
      };
    });
  }

  const waiting = (account) => read(["events"], (on, ask) => ask(on("events").getAll(mine(account))));
  const discard = (id) => write(["refused"], (on, ask) => ask(on("refused").delete(id)));

  /** Send something refused once more, as a new event. */
  function retry(id) {
    return write(["sequence", "events", "refused"], async (on, ask) => {
      const { account, event } = await ask(on("refused").get(id));
      const number = await numbered(on, ask, account, 1);
      await ask(on("events").put({ ...event, account, number }));
      await ask(on("refused").delete(id));
    });
  }

  // --- sending ------------------------------------------------------------------------------------------------------

  /** Nothing else sends meanwhile, in this page, another one or the service worker. */
  const alone = (act) => (navigator.locks ? navigator.locks.request("phone", act) : act());

  /** Send all of the account that is signed in. Resolves with { state }: "done", "later", "signed-out". */
  function sendAll() {
    return alone(async () => {
      try {
        const answer = await fetch("/phone/token", { headers: JSON_ONLY, cache: "no-store", redirect: "error" });
        if (answer.status === 401 || answer.status === 403) return { state: "signed-out" };
        if (!answer.ok) return { state: "later" };
        const { csrf_token: token, account } = await answer.json();
        await write(["sequence", "events", "points"], (on, ask) => sealed(on, ask, account));
        return { state: await sendOf(account, token), account };
      } catch {
        return { state: "later" };
      }
    });
  }

  async function sendOf(account, token) {
    let most = MOST_EVENTS;
    for (;;) {
      const batch = cut(await waiting(account), most);
      if (!batch.length) return "done";
      const answer = await post(account, batch, token);
      const said = await answer.json().catch(() => ({}));
      if (answer.status === 401) return "signed-out";
      if ((answer.ok || answer.status === 422) && Number.isInteger(said.kept)) await settle(account, said);
      else if (answer.status === 409) await beginAnew(account);
      else if (![400, 413, 422].includes(answer.status)) return "later";
      else if (batch.length > 1) most = 1; // which of them is it?
      else await keepBack(account, batch[0], said);
    }
  }

  /** The first events that fit into one sending. */
  function cut(events, most) {
    if (events[0]?.photo) return events.slice(0, 1);
    let bytes = 0;
    const end = events.findIndex((event, i) => {
      bytes += event.kind === "track" ? 60 * event.points.length : 600;
      return i >= most || event.photo || bytes > MOST_BYTES;
    });
    return end < 0 ? events : events.slice(0, Math.max(end, 1));
  }

  async function post(account, batch, token) {
    const { device } = await read(["sequence"], (on, ask) => ask(on("sequence").get(account)));
    const events = await Promise.all(batch.map(async ({ account: _, photo, ...event }) => (
      photo ? { ...event, photo: await base64(photo) } : event)));
    return fetch("/phone/events", {
      method: "POST", redirect: "error", signal: AbortSignal.timeout?.(PATIENCE_MS),
      headers: { ...JSON_ONLY, "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify({ account, device, sent_at: Date.now(), events }),
    });
  }

  async function base64(blob) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 32_768) text += String.fromCharCode(...bytes.subarray(i, i + 32_768));
    return btoa(text);
  }

  /** Forget what the server has; what it would not take stays here, with its reason. */
  function settle(account, { kept, rejected = [] }) {
    return write(["events", "refused"], async (on, ask) => {
      for (const { number, zh, en } of rejected) {
        const event = await ask(on("events").get([account, number]));
        if (event) await ask(on("refused").put({ account, event, why: { zh, en } }));
      }
      await ask(on("events").delete(IDBKeyRange.bound([account, 0], [account, kept])));
    });
  }

  /** Keep back what cannot even be sent; its number goes out empty. */
  function keepBack(account, event, said) {
    const why = { zh: said.detail_zh ?? "无法上传", en: said.detail_en ?? "cannot be sent" };
    return write(["events", "refused"], async (on, ask) => {
      const { number, at, kind } = event;
      if (kind === "void") return ask(on("events").delete([account, number]));
      await ask(on("refused").put({ account, event, why }));
      return ask(on("events").put({ account, number, at, kind: "void", night: null, crew: "" }));
    });
  }

  /** The server lacks what this phone gave up as kept (its store was put back, say): count from 1 as a new phone. */
  function beginAnew(account) {
    return write(["sequence", "events"], async (on, ask) => {
      const events = await ask(on("events").getAll(mine(account)));
      await ask(on("events").delete(mine(account)));
      for (const [i, event] of events.entries()) await ask(on("events").put({ ...event, number: i + 1 }));
      await ask(on("sequence").put({ account, device: crypto.randomUUID(), next: events.length + 1 }));
    });
  }

  return { add, addPoint, held, waiting, discard, retry, sendAll, recall, remember, forget, forgetPerson };
})();
