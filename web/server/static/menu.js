// The staff's menu: an opened list closes again at a press elsewhere or on Escape. Without this its headings close it.

const opened = () => document.querySelector("header.site .menu-group[open]");

document.addEventListener("pointerdown", ({ target }) => {
  const group = opened();
  if (group && !group.contains(target)) group.open = false;
});

document.addEventListener("keydown", ({ key }) => {
  const group = opened();
  if (key !== "Escape" || !group) return;
  group.open = false;
  group.querySelector("summary").focus();
});
