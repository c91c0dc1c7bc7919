// Whoever signs out leaves neither a name nor a route on the phone. What could not be sent yet stays, under their number,
// until they sign in again.
"use strict";

const PATIENCE_MS = 2000; // signing out waits for nothing longer

document.querySelector('form[action$="/sign-in/out"]')?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const patience = new Promise((done) => { setTimeout(done, PATIENCE_MS); });
  await Promise.race([phoneOutbox.forgetPerson().catch(() => {}), patience]);
  event.target.submit();
});
