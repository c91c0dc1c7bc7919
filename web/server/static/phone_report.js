// A discovery in three taps: what is needed, what was done, send. The note and the photo may stay away.

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
    const photo = await smaller(field("photo").files[0]);
    if (photo === undefined) return tell(words.badphoto);
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

/** The photo, smaller and without what the camera noted beside it; null without one, undefined where it is none. */
async function smaller(file) {
  if (!file) return null;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const share = Math.min(1, MOST_SIDE_PX / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * share));
    canvas.height = Math.max(1, Math.round(picture.height * share));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => { canvas.toBlob((small) => done(small ?? undefined), "image/jpeg", 0.8); });
  } catch {
    return undefined;
  }
}
