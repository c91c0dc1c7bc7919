// Asks once a second how the job stands; once it is over, the page is drawn anew with its result.

const EVERY_MS = 1000;
const box = document.getElementById("job-live");
let shown = "";

async function look() {
  try {
    const answer = await fetch(box.dataset.state, { headers: { Accept: "application/json" } });
    if (answer.status === 401 || answer.status === 404 || answer.redirected) {
      location.reload();
      return;
    }
    if (answer.ok) {
      const said = await answer.json();
      if (said.over) {
        location.reload();
        return;
      }
      if (said.html !== shown) {
        shown = said.html;
        box.innerHTML = shown;
      }
    }
  } catch {
    // no network for a while: asked again
  }
  setTimeout(look, EVERY_MS);
}

if (box?.dataset.state) setTimeout(look, EVERY_MS);
