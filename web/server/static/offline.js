// Reports that wait on this telephone until the server has them. The page and the service worker both load this file,
// and not every browser lets a service worker import modules: so it is a plain script that offers `outbox`.
"use strict";

globalThis.outbox = (() => {
  const KEEP_MS = 3 * 24 * 3_600_000; // as the page says
  const FIRST_WAIT_MS = 15_000, LONGEST_WAIT_MS = 3_600_000; // between attempts, doubling
  const PATIENCE_MS = 60_000; // for one attempt: a photo over a poor connection
  const SCRIPT = { Accept: "application/json" };
  const LATER = new Set([408, 425, 429]);

  // --- the shelf: one record a report, named by its submission key --------------------------------------------------
  // { key, fields: [[name, value], ...], photo, writtenAt, tries, nextAt, ask, faults, places } while it waits, where
  // ask is "", "answer" (the reporter has to say whether it is the same person) or "correction" (with faults);
  // { key, writtenAt, sentAt, status } once it was sent unseen, until its link has been taken note of.

  function shelf(mode, act) {
    return new Promise((done, fail) => {
      const opening = indexedDB.open("reports", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("reports", { keyPath: "key" });
      opening.onerror = () => fail(opening.error);
      opening.onsuccess = () => {
        const base = opening.result;
        const change = base.transaction("reports", mode, { durability: "strict" });
        const asked = act(change.objectStore("reports"));
        change.oncomplete = () => { base.close(); done(asked.result); };
        change.onabort = change.onerror = () => { base.close(); fail(change.error); };
      };
    });
  }

  const put = (record) => shelf("readwrite", (store) => store.put(record));
  const discard = (key) => shelf("readwrite", (store) => store.delete(key));
  const get = (key) => shelf("readonly", (store) => store.get(key));

  /** Return what is kept, oldest first; what is too old goes now. */
  async function all() {
    const kept = await shelf("readonly", (store) => store.getAll());
    const old = kept.filter((record) => Date.now() - record.writtenAt > KEEP_MS);
    await Promise.all(old.map(({ key }) => discard(key)));
    return kept.filter((record) => !old.includes(record)).sort((a, b) => a.writtenAt - b.writtenAt);
  }

  // --- sending ------------------------------------------------------------------------------------------------------

  /** Nothing else sends meanwhile, in this page, another one or the service worker. */
  function alone(act) {
    return navigator.locks ? navigator.locks.request("reports", act) : act();
  }

  async function freshToken() {
    const answer = await fetch("/report/token", { headers: SCRIPT, cache: "no-store", redirect: "error" });
    if (!answer.ok) throw answer;
    return (await answer.json()).csrf_token; // a network that answers for others gives none: thrown, so tried later
  }

  function bodyOf(record, sure) {
    const body = new FormData();
    for (const [name, value] of record.fields) body.append(name, value);
    body.set("key", record.key);
    body.set("written_at", String(record.writtenAt));
    if (sure) body.set("sure", "yes");
    if (record.photo) body.set("photo", record.photo, "photo");
    return body;
  }

  /** Try once. Returns { state: "received" | "nearby" | "faulty" | "later" }, with what the server said. */
  async function attempt(record, sure) {
    try {
      const body = bodyOf(record, sure);
      body.set("csrf_token", await freshToken());
      const answer = await fetch("/report", {
        method: "POST", body, headers: SCRIPT, redirect: "error", signal: AbortSignal.timeout?.(PATIENCE_MS),
      });
      if (answer.status === 413) return { state: "faulty", faults: { photo: (await answer.json()).detail } };
      if (![201, 409, 422].includes(answer.status)) return later(answer);
      const said = await answer.json();
      return ["received", "nearby", "faulty"].includes(said.state) ? said : { state: "later" };
    } catch (error) {
      return later(error);
    }
  }

  function later(answer) {
    const seconds = Number(answer?.headers?.get?.("Retry-After"));
    const busy = LATER.has(answer?.status) || answer?.status >= 500;
    return { state: "later", reached: Boolean(answer?.status), waitMs: busy && seconds > 0 ? seconds * 1000 : 0 };
  }

  /** Note on the shelf what an attempt came to. A report that is no longer there was deleted meanwhile, and stays so. */
  function note(record, outcome, seen) {
    if (outcome.state === "received" && seen) return discard(record.key);
    const next = nextOf(record, outcome);
    return shelf("readwrite", (store) => {
      const asked = store.get(record.key);
      asked.onsuccess = () => { if (asked.result) store.put(next); };
      return asked;
    });
  }

  function nextOf(record, outcome) {
    const { key, writtenAt } = record;
    if (outcome.state === "received") return { key, writtenAt, sentAt: Date.now(), status: outcome.status };
    if (outcome.state === "later") {
      const tries = record.tries + 1;
      const wait = Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
      return { ...record, tries, nextAt: Date.now() + Math.max(wait, outcome.waitMs ?? 0) };
    }
    const { faults = null, places = [] } = outcome;
    return { ...record, ask: outcome.state === "nearby" ? "answer" : "correction", faults, places };
  }

  /** Keep a report, then send it while its reporter waits. Rejects where this browser cannot keep anything. */
  async function submit(record, sure = false) {
    const kept = { tries: 0, nextAt: 0, ...record, ask: "", faults: null };
    await put(kept);
    return alone(async () => {
      const outcome = await attempt(kept, sure);
      await note(kept, outcome, true);
      return outcome;
    });
  }

  /** Send what waits. now : whether also what was to wait longer, the network having come back. */
  async function sendAll(now = false) {
    return alone(async () => {
      for (const { key } of await all()) {
        const record = await get(key); // as of now: it may have been deleted since
        if (!record?.fields || record.ask || (!now && record.nextAt > Date.now())) continue;
        // nobody is there to be asked whether it is the same person; staff can merge, but not guess
        await note(record, await attempt(record, true), false);
      }
    });
  }

  /** Return in how many milliseconds the next report is due; null where none waits. */
  async function due() {
    const waiting = (await all()).filter((record) => record.fields && !record.ask);
    return waiting.length ? Math.max(0, Math.min(...waiting.map(({ nextAt }) => nextAt)) - Date.now()) : null;
  }

  return { all, discard, submit, sendAll, due };
})();
