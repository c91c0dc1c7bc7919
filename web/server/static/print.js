// The button that prints a page; browsers print without it, too.

for (const press of document.querySelectorAll("[data-print]")) {
  press.hidden = false;
  press.addEventListener("click", () => print());
}
