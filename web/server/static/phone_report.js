// A discovery in three taps: what is needed, what was done, send. The note and the photo may stay away.

import { smaller } from "./photo.js";

const MOST_SIDE_PX = 1280;

/** Wire the dialog. place() says where the finder is: { lon, lat, said }, or null; keep(report) keeps the report. */
export function reportDialog({ words, place, keep }) {
  const dialog = document.getElementById("report");
  const form = dialog.querySelector("form");
  const field = (name) => form.elements.namedItem(name);
  const [parts, back] = [[...form.querySelectorAll("[data-step]")], document.getElementById("report-back")];
  let [step, given, at] = ["needs", {}, null];

  document.getElementById("found").addEventListener("click", open);
  back.addEventListener("click", () => show(parts[Math.max(0, order(step) - 1)].dataset.step));
  document.getElementById("report-close").addEventListener("click", () => dialog.close());
  document.getElementById("fewer").addEventListener("click", () => count(-1));
  document.getElementById("more-people").addEventListener("click", () => count(1));
  document.getElementById("report-send").addEventListener("click", send);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of form.querySelectorAll("[data-needs]")) {
    button.addEventListener("click", () => choose("needs", button, "outcome"));
  }
  for (const button of form.querySelectorAll("[data-outcome]")) {
    button.addEventListener("click", () => choose("outcome", button, "note"));
  }

  function open() {
    form.reset();
    given = { people: 1 };
    at = place();
    document.getElementById("report-place").textContent = at ? words.at.replace("{place}", at.said) : words.noplace;
    document.getElementById("people").textContent = "1";
    tell("");
    show("needs");
    dialog.showModal();
  }

  const order = (name) => parts.findIndex(({ dataset }) => dataset.step === name);

  function show(name) {
    step = name;
    for (const part of parts) part.hidden = part.dataset.step !== name;
    back.hidden = name === parts[0].dataset.step;
    document.getElementById("report-receivers").hidden = given.outcome !== "referred";
    const said = [given.needsSaid, given.outcomeSaid].filter(Boolean);
    document.getElementById("report-said").textContent = said.join(" · ");
    parts[order(name)].querySelector("h3").focus();
  }

  function choose(what, button, next) {
    given = { ...given, [what]: button.dataset[what], [`${what}Said`]: button.textContent.trim() };
    show(next);
  }

  function count(more) {
    given.people = Math.min(99, Math.max(1, given.people + more));
    document.getElementById("people").textContent = String(given.people);
  }

  async function send() {
    at ??= place();
    if (!at) return tell(words.noplace);
    const file = field("photo").files[0];
    const photo = file && await smaller(file, MOST_SIDE_PX, 0.8).catch(() => null);
    if (file && !photo) return tell(words.badphoto);
    const { needs, outcome, people } = given;
    await keep({
      kind: "report", key: crypto.randomUUID(), needs: [needs], outcome, people, lon: at.lon, lat: at.lat,
      place: at.street, note: field("note").value.trim(),
      receiver: outcome === "referred" ? new FormData(form).get("receiver") : "", ...(photo && { photo }),
    });
    return dialog.close();
  }

  function tell(text) {
    document.getElementById("report-fault").textContent = text;
  }
}
