// The two sheets behind the page: the whole route as a list, and what is recorded, until when, and what waits here.

const at = (id) => document.getElementById(id);

/** Draw the list of the route anew; undo(item, services) takes what was said of an item back. */
export function showList(pack, { item: current, stateOf, undo, words, lang, marks, keyOf }) {
  const listed = pack.items.filter(({ kind }) => kind !== "travel");
  at("items").replaceChildren(...listed.map((item) => {
    const entry = made("li", "phone-item");
    const states = item.services.map(stateOf);
    const said = states.filter(Boolean).length;
    if (item === current) entry.setAttribute("aria-current", "step");
    const over = states.length > 0 && said === states.length;
    entry.dataset.state = over ? (states.includes("cannot") ? "cannot" : "done") : "open";
    entry.append(made("span", "phone-time", item.begins), text(item, lang));
    if (item.must) entry.append(made("span", "tag urgent", words.must));
    if (states.length > 1 && said) entry.append(made("span", "tag", `${said}/${states.length}`));
    if (said) {
      const first = marks.get(keyOf(item.services[states.findIndex(Boolean)]));
      const why = words.reasons[first.reason] ?? words.cannotshort;
      entry.append(made("span", "tag", first.state === "cannot" ? why : words[`how${first.how}`]));
      const press = made("button", "quiet", words.undo);
      press.type = "button";
      press.setAttribute("aria-label", `${words.undo} ${item.name[lang]} ${item.begins}`);
      press.addEventListener("click", () => undo(item, item.services));
      entry.append(press);
    }
    return entry;
  }));
}

function text(item, lang) {
  const words = made("span", "phone-text");
  words.append(made("strong", "", item.services.length ? item.name[lang] : item[lang]));
  if (item.services.length) words.append(" ", made("small", "", item[lang]));
  return words;
}

/** Say what is recorded and what this phone still holds. */
export function showMore(held, { now, words, lang, refresh, send, toggle }) {
  const { pack, me } = now;
  at("keeping").textContent = pack ? fill(words.keeping, {
    from: pack.from_said, until: pack.until_said, days: pack.keep_days, deleted: pack.deleted_on,
  }) : words.keepingnone;
  const press = at("stop");
  press.hidden = !pack;
  press.textContent = now.stopped ? words.recordagain : words.stop;
  press.onclick = toggle;
  at("held").replaceChildren(...[
    fill(words.heldticks, { count: held.ticks }), fill(words.heldreports, { count: held.reports }),
    fill(words.heldpoints, { count: held.points }),
    ...(held.others ? [fill(words.heldothers, { count: held.others })] : []),
  ].map((line) => made("li", "", line)));
  at("send-state").textContent = now.signedOut ? words.signedout : me ? fill(words.account, { name: me.person }) : "";
  at("send").onclick = send;
  const refused = at("refused");
  refused.hidden = !held.refused.length;
  at("refused-list").replaceChildren(...held.refused.map((one) => refusal(one, { words, lang, refresh, send })));
}

function refusal({ id, event, why }, { words, lang, refresh, send }) {
  const entry = made("li", "");
  const when = new Date(event.at).toLocaleString(document.documentElement.lang, {
    month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit",
  });
  entry.append(made("strong", "", `${words[`kind${event.kind}`] ?? event.kind} ${when}`), made("p", "", why[lang]));
  if (event.note) entry.append(made("p", "hint", event.note));
  const again = made("button", "quiet", words.again);
  const remove = made("button", "quiet", words.delete);
  again.onclick = async () => { await globalThis.phoneOutbox.retry(id); await send(); };
  remove.onclick = async () => {
    if (!remove.dataset.asked) {
      remove.dataset.asked = "yes";
      remove.textContent = words.reallydelete;
      return;
    }
    await globalThis.phoneOutbox.discard(id);
    await refresh();
  };
  for (const button of [again, remove]) {
    button.type = "button";
    entry.append(button);
  }
  return entry;
}

function fill(sentence, values) {
  return Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), sentence);
}

function made(tag, className, content = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = content;
  return element;
}
