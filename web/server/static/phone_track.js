// Where the phone is, asked for in the hours on duty alone, and as long as the worker has not said stop.

import { metresBetween } from "./phone_passing.js";

const EVERY_S = 5, EVERY_M = 8; // a point is kept after so long or so far
const WORST_M = 100; // a fix less sure than this is no place
const LOOK_MS = 2000;

/**
 * Watch the hours and the place. wanted() says whether recording is allowed now, told again and again; record(point)
 * keeps a point [ms, lon, lat, error]; fix(found) is told every place; show(state) is told "on", "off" or "blocked".
 */
export function follow({ wanted, record, fix, show }) {
  let [watch, lock, kept, state] = [null, null, null, ""];

  function look() {
    const on = wanted();
    if (on && watch === null && navigator.geolocation) start();
    if (!on && watch !== null) stop();
    if (!on) tell("off");
    else if (!navigator.geolocation) tell("blocked");
  }

  function start() {
    tell("on");
    watch = navigator.geolocation.watchPosition(onPlace, onFailure, {
      enableHighAccuracy: true, maximumAge: 0, timeout: 60_000,
    });
    hold();
  }

  function stop() {
    navigator.geolocation.clearWatch(watch);
    [watch, kept] = [null, null];
    lock?.release().catch(() => {});
    lock = null;
  }

  function onPlace({ coords }) {
    if (!wanted()) return look(); // the shift ended between two looks
    tell("on");
    const found = { place: [coords.longitude, coords.latitude], error: coords.accuracy, at: Date.now() };
    if (found.error > WORST_M) return null;
    fix(found);
    if (kept && found.at - kept.at < EVERY_S * 1000 && metresBetween(kept.place, found.place) < EVERY_M) return null;
    kept = found;
    return record([found.at, ...found.place.map((degrees) => Number(degrees.toFixed(6))), Math.round(found.error)]);
  }

  function onFailure({ code }) {
    if (code === 1) tell("blocked"); // the others pass: no view of the sky, say
  }

  /** Keep the screen on: a page that sleeps is told no place. */
  async function hold() {
    if (!navigator.wakeLock || document.visibilityState !== "visible") return;
    lock = await navigator.wakeLock.request("screen").catch(() => null);
    if (watch === null) lock?.release().catch(() => {});
  }

  function tell(next) {
    if (next === state) return;
    state = next;
    show(state);
  }

  document.addEventListener("visibilitychange", () => {
    look();
    if (watch !== null) hold();
  });
  setInterval(look, LOOK_MS);
  look();
  return look;
}
