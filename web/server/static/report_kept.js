// The list of reports kept on this telephone: what waits, what needs the reporter, what was sent while nobody looked.

const section = document.getElementById("kept");
const list = document.getElementById("kept-list");
const { outbox } = globalThis;

/** Draw the list anew. words : the page's. acts : { send, correct }, each given a record. */
export async function showKept(words, acts) {
  const records = await outbox.all();
  list.replaceChildren(...records.map((record) => itemOf(record, words, acts)));
  section.hidden = records.length === 0;
}

function itemOf(record, words, acts) {
  const item = document.createElement("li");
  const when = new Date(record.writtenAt).toLocaleString(document.documentElement.lang, {
    month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit",
  });
  const state = record.status ? words.sent : words[record.ask || "wait"];
  item.append(line("strong", state), " ", line("span", words.writtenat.replace("{time}", when)));
  const row = line("p", "");
  row.className = "report-choice";
  if (record.status) {
    const link = Object.assign(line("a", words.open), { href: record.status, className: "button" });
    row.append(link, press(words.forget, () => remove(record, words, acts)));
  } else {
    row.append(
      record.ask === "correction"
        ? press(words.correct, () => acts.correct(record))
        : press(words.sendnow, () => acts.send(record)),
      twice(words.delete, words.reallydelete, () => remove(record, words, acts, words.deleted)),
    );
  }
  item.append(row);
  return item;
}

async function remove(record, words, acts, said = "") {
  await outbox.discard(record.key);
  document.getElementById("notice").textContent = said;
  await showKept(words, acts);
  document.getElementById(section.hidden ? "main" : "kept-title").focus();
}

function press(text, act) {
  const button = Object.assign(line("button", text), { type: "button", className: "button quiet" });
  button.addEventListener("click", act);
  return button;
}

/** A button that asks to be pressed once more. */
function twice(text, again, act) {
  const button = press(text, () => {
    if (button.dataset.asked) return act();
    button.dataset.asked = "yes";
    button.textContent = again;
    return null;
  });
  return button;
}

function line(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}
