/**
 * Goes to a room or person by a few letters of its name.
 *
 * @import {App, Conversation} from "../core/types.js"
 */
import { nameKey, oneLine } from "../core/text.js";
import { go } from "./actions.js";
import { fill, h } from "./dom.js";
import { _, ngettext } from "./i18n.js";
import { openDialog, refusalOf } from "./menu.js";

/** @typedef {{label: string, detail: string, deed?: string, run: () => unknown}} Choice */

const MOST = 12;

/**
 * How well letters fit a name: all of them in this order, the better the closer together and to the beginnings of words.
 *
 * @param {string} query
 * @param {string} name
 * @returns {number} 0: not at all
 */
export function score(query, name) {
  const wanted = nameKey(query).replaceAll(" ", "");
  const text = nameKey(name);
  if (!wanted) return 1;
  const whole = text.indexOf(nameKey(query));
  if (whole === 0) return 100 - text.length / 100;
  if (whole > 0) return /[\p{L}\p{N}]/u.test(text.charAt(whole - 1)) ? 60 : 80;
  let at = -1;
  let points = 20;
  for (const letter of wanted) {
    const next = text.indexOf(letter, at + 1);
    if (next < 0) return 0;
    points -= at >= 0 ? (next - at - 1) / text.length : next / text.length;
    at = next;
  }
  return Math.max(1, points);
}

/** @param {App} app */
export function openSwitcher(app) {
  if (document.querySelector("dialog.switcher")) return;
  const list = h("ul", {
    id: "switcher-list",
    class: "choice-list",
    role: "listbox",
    "aria-label": _("Rooms and people"),
  });
  const field = h("input", {
    type: "text",
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: false,
    autofocus: true,
    maxLength: 256,
    placeholder: _("Room or person"),
    "aria-label": _("Room or person"),
    "aria-expanded": "true",
    "aria-controls": list.id,
    "aria-autocomplete": "list",
    on: { input: show, keydown },
  });
  /** @type {Choice[]} */
  let choices = [];
  let at = 0;
  const dialog = openDialog({ title: _("Go to a room or person"), body: h("div", {}, field, list) });
  dialog.element.classList.add("switcher");

  function show() {
    choices = choicesFor(app, field.value);
    at = 0;
    fill(
      list,
      ...choices.map(({ label, detail, deed }, index) =>
        h(
          "li",
          { role: "option", id: `switcher-${index}`, class: "choice-row", on: { click: () => choose(index) } },
          h("span", { class: "choice-label" }, label),
          detail && h("span", { class: "choice-detail" }, detail),
          deed && h("span", { class: "choice-deed" }, deed),
        )
      ),
    );
    mark();
  }

  function mark() {
    [...list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
    if (choices.length > 0) field.setAttribute("aria-activedescendant", `switcher-${at}`);
    else field.removeAttribute("aria-activedescendant");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  function keydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && choices.length > 0) {
      event.preventDefault();
      at = (at + step + choices.length) % choices.length;
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(at);
    }
  }

  /** @param {number} index */
  async function choose(index) {
    const choice = choices[index];
    if (!choice) return;
    try {
      await choice.run();
      dialog.close();
    } catch (error) {
      dialog.refuse(refusalOf(error));
    }
  }

  show();
  field.focus();
}

/**
 * @param {App} app
 * @param {string} typed
 * @returns {Choice[]}
 */
export function choicesFor(app, typed) {
  const { core } = app;
  const query = typed.trim().replace(/^[#@]/, "");
  const wanted = /^#/.test(typed.trim()) ? "room" : /^@/.test(typed.trim()) ? "direct" : "";
  const all = [...core.conversations.values()].filter(({ kind }) => !wanted || kind === wanted);
  const weight = (/** @type {Conversation} */ each) =>
    score(query, each.name) + (each.mentions ? 3 : each.unread ? 2 : 0) + (each.key === app.route.key ? -1 : 0);
  const found = all.filter((each) => score(query, each.name) > 0)
    .sort((a, b) => weight(b) - weight(a) || (b.last?.seq ?? 0) - (a.last?.seq ?? 0)).slice(0, MOST);
  /** @type {Choice[]} */
  const choices = found.map((each) => ({
    label: (each.kind === "room" ? "#" : "") + oneLine(each.name),
    detail: oneLine(each.room?.topic ?? "").slice(0, 80),
    deed: each.unread ? each.unread >= 999 ? _("999+ unread") : ngettext("{n} unread", "{n} unread", each.unread) : "",
    run: () => go(app, each),
  }));
  if (!query) return choices;
  const people = new Set(all.filter(({ kind }) => kind === "direct").map(({ name }) => nameKey(name)));
  people.add(nameKey(core.me.name));
  if (wanted !== "room") {
    for (
      const name of core.knownNames().filter((each) => score(query, each) >= 60 && !people.has(nameKey(each))).slice(
        0,
        5,
      )
    ) {
      choices.push({
        label: _("Message {name}", { name }),
        detail: "",
        run: async () => go(app, await app.ask({ ask: "openDirect", name })),
      });
    }
  }
  const room = query.toLowerCase();
  if (wanted !== "direct" && !/\s/.test(room) && !core.roomNamed(room)?.member) {
    choices.push({
      label: _("Join or make #{room}", { room }),
      detail: "",
      run: async () => go(app, await app.ask({ ask: "join", room })),
    });
  }
  return choices;
}
