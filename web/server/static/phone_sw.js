// Keeps the worker's page and what it is drawn with at hand, so that it opens with the server stopped. Nothing about
// anybody is kept here: tonight's route and what was done stand in the page's own store.
"use strict";

importScripts("/static/phone_outbox.js", "/static/page_keeper.js");

const PATIENCE_MS = 4000; // a network that does not answer is none

keepPage({
  name: "phone", page: "/phone", blank: "/phone/shell", tag: "phone", whole: true, ask: soon,
  also: ["/assets/maplibre-gl.mjs", "/assets/maplibre-gl-worker.mjs"],
  async send() {
    const { state } = await phoneOutbox.sendAll();
    return state !== "later";
  },
});

async function soon(request) {
  const answer = await Promise.race([
    fetch(request),
    new Promise((_, fail) => { setTimeout(fail, PATIENCE_MS, new Error("no answer")); }),
  ]);
  if (answer.status >= 500) throw new Error(`answered ${answer.status}`);
  return answer;
}
