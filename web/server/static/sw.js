// Keeps the empty form and what it is drawn with at hand, so that it opens without a network. Nothing else is kept: no
// answer of the server about anybody, no page about a report.
"use strict";

importScripts("/static/offline.js", "/static/page_keeper.js");

const IMPORTED = ["report_kept", "map_frame", "map_style", "photo"].map((name) => `/static/${name}.js`);
const SYMBOLS = ["crosshair", "open", "closed", "unknown"].map((name) => `/static/symbols/${name}.svg`);

keepPage({
  name: "report-form", page: "/report", blank: "/report/offline", tag: "reports", ask: (request) => fetch(request),
  also: [...IMPORTED, ...SYMBOLS, "/assets/maplibre-gl.mjs", "/assets/maplibre-gl-worker.mjs"],
  whole: false, // a file that cannot be had leaves a plainer page, not none
  async send() {
    await outbox.sendAll(true);
    return (await outbox.due()) === null;
  },
});
