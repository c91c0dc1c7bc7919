// Small help for the form that asks where its reader is; the page works without it.

const form = document.getElementById("find");

if (form) {
  const value = (name) => form.elements[name]?.value ?? "";
  const before = `${value("lon")},${value("lat")}`;
  form.addEventListener("formdata", ({ formData }) => {
    // a place taken from the map or the device goes before words that still stand in the field
    if (`${value("lon")},${value("lat")}` !== before) for (const name of ["q", "asked"]) formData.delete(name);
    for (const [name, text] of [...formData]) if (text === "") formData.delete(name);
  });
}
