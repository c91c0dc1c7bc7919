// Which streets have been walked, told from where the phone was. Nothing here knows a page or a store.

const ENTER_M = 20, LEAVE_M = 30; // a street is entered nearer than it is left, so that noise does not break a walk
const WORST_M = 35; // fixes less sure than this say nothing about which street
const SAMPLE_M = 8, COVERED = 0.8, ALONG = 0.6;
const BRIDGED_S = 30, BRIDGED_M = 80; // between two fixes this close a walk is a straight line
const METRE_DEG = 111_320;

/** Metres between two places [lon, lat], good for a city. */
export function metresBetween([lon, lat], [otherLon, otherLat]) {
  const shrink = Math.cos(((lat + otherLat) / 2) * (Math.PI / 180));
  return Math.hypot((otherLon - lon) * shrink, otherLat - lat) * METRE_DEG;
}

/** Where a place stands to a line: { away, along }, in metres. */
export function onLine(place, line) {
  const shrink = Math.cos(place[1] * (Math.PI / 180));
  const flat = line.map(([lon, lat]) => [(lon - place[0]) * shrink * METRE_DEG, (lat - place[1]) * METRE_DEG]);
  let [best, along] = [{ away: Infinity, along: 0 }, 0];
  for (let i = 1; i < flat.length; i += 1) {
    const [[ax, ay], [bx, by]] = [flat[i - 1], flat[i]];
    const long = Math.hypot(bx - ax, by - ay);
    const part = long ? Math.min(1, Math.max(0, -(ax * (bx - ax) + ay * (by - ay)) / long ** 2)) : 0;
    const away = Math.hypot(ax + part * (bx - ax), ay + part * (by - ay));
    if (away < best.away) best = { away, along: along + part * long };
    along += long;
  }
  return best;
}

function lengthOf(line) {
  return line.slice(1).reduce((sum, place, i) => sum + metresBetween(line[i], place), 0);
}

/**
 * Follows a walker. feed(fix, open) takes a fix { place: [lon, lat], error, at (ms) } and the services still to be
 * done, in order, each { key, duty, line }; it returns those that have now been walked: most of their length near by,
 * and along it, not across it. Of a street to be walked twice one side is counted at a time.
 */
export function walker() {
  const seen = new Map(); // key -> { near, covered, from, until }
  let before = null;

  return function feed(fix, open) {
    if (fix.error > WORST_M) return [];
    const places = bridged(before, fix);
    before = fix;
    const once = new Set();
    const candidates = open.filter(({ duty, line }) => line.length > 1 && !once.has(duty) && once.add(duty));
    return candidates.filter((service) => passed(service, places, seen));
  };
}

/** The places from the fix before up to this one. */
function bridged(before, { place, at }) {
  if (!before || at - before.at > BRIDGED_S * 1000) return [place];
  const metres = metresBetween(before.place, place);
  if (metres > BRIDGED_M) return [place];
  const steps = Math.max(1, Math.ceil(metres / (SAMPLE_M / 2)));
  return Array.from({ length: steps }, (_, i) => {
    const part = (i + 1) / steps;
    return place.map((degrees, axis) => before.place[axis] + part * (degrees - before.place[axis]));
  });
}

function passed({ key, line }, places, seen) {
  const length = lengthOf(line);
  const samples = Math.max(2, Math.ceil(length / SAMPLE_M));
  const state = seen.get(key) ?? { near: false, covered: new Set(), from: Infinity, until: -Infinity };
  for (const place of places) {
    const { away, along } = onLine(place, line);
    state.near = away <= (state.near ? LEAVE_M : ENTER_M);
    if (!state.near) continue;
    [state.from, state.until] = [Math.min(state.from, along), Math.max(state.until, along)];
    const reach = Math.sqrt(Math.max(0, ENTER_M ** 2 - Math.min(away, ENTER_M) ** 2)) + SAMPLE_M / 2;
    for (let i = 0; i < samples; i += 1) {
      if (Math.abs((length * i) / (samples - 1) - along) <= reach) state.covered.add(i);
    }
  }
  if (state.near || state.covered.size) seen.set(key, state);
  const done = state.covered.size >= COVERED * samples && state.until - state.from >= ALONG * length;
  if (done) seen.delete(key);
  return done;
}
