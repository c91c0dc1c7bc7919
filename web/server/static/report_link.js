// Copies the link that tells what becomes of a report.

const press = document.getElementById("copy");

if (press && navigator.clipboard) {
  press.hidden = false;
  press.addEventListener("click", async () => {
    const field = document.getElementById("link");
    try {
      await navigator.clipboard.writeText(field.value);
      document.getElementById("copied").textContent = press.dataset.done;
    } catch {
      field.select(); // not allowed: the reader copies it by hand
    }
  });
}
