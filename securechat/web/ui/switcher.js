/**
 * Chooses a room or person by a few letters of its name: to go there, to join, to write to.
 *
 * @import {App, Conversation} from "../core/types.js"
 */
import { nameKey, oneLine } from "../core/text.js";
import { go } from "./actions.js";
import { fitting } from "./completion.js";
import { fill, h } from "./dom.js";
import { _, ngettext } from "./i18n.js";
import { openDialog, refusalOf } from "./menu.js";

/** @typedef {{label: string, detail?: string, deed?: string, run: () => unknown}} Choice a Refusal thrown is shown */

const MOST = 12;
const MOST_ROOMS = 5000;

/**
 * Opens a dialog with a field and a list of what fits it. The field keeps the focus.
 *
 * @param {string} title
 * @param {string} label of the field
 * @param {(query: string) => Choice[]} choicesFor
 * @param {string} [note]
 * @returns {{show: () => void, isOpen: () => boolean}} show: asks for the choices anew
 */
export function openPicker(title, label, choicesFor, note = "") {
  const list = h("ul", { id: "picker", class: "choice-list", role: "listbox", "aria-label": title });
  const field = h("input", {
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: false,
    maxLength: 256,
    placeholder: label,
    "aria-label": label,
    "aria-expanded": "true",
    "aria-controls": list.id,
    "aria-autocomplete": "list",
    on: { input: show, keydown },
  });
  /** @type {Choice[]} */
  let choices = [];
  let at = 0;
  const body = h("div", { class: "picker" }, field, note && h("p", { class: "quiet" }, note), list);
  const dialog = openDialog({ title, body });

  function show() {
    choices = choicesFor(field.value.trim());
    at = 0;
    dialog.refuse("");
    fill(
      list,
      ...choices.map(({ label, detail, deed }, index) =>
        h(
          "li",
          { role: "option", id: `picker-${index}`, class: "choice-row", on: { click: () => choose(index) } },
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
    field.setAttribute("aria-activedescendant", choices.length > 0 ? `picker-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  function keydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    if (!step) return choose(at);
    at = (at + step + choices.length) % (choices.length || 1);
    mark();
  }

  /** @param {number} index */
  async function choose(index) {
    try {
      const choice = choices[index];
      if (!choice) return;
      await choice.run();
      dialog.close();
    } catch (error) {
      dialog.refuse(refusalOf(error));
    }
  }

  show();
  return { show, isOpen: () => dialog.element.open };
}

/**
 * The names that fit what was typed; last what was typed, which may be the name of a person that was not seen.
 *
 * @param {string} query
 * @param {Iterable<string>} names
 * @param {(name: string) => unknown} run
 * @returns {Choice[]}
 */
export function nameChoices(query, names, run) {
  const typed = query.replace(/^@/, "");
  const found = fitting(names, typed, (name) => name, MOST);
  if (typed && !found.some((name) => nameKey(name) === nameKey(typed))) found.push(typed);
  return found.map((name) => ({ label: name, run: () => run(name) }));
}

/** @param {App} app */
export function openDirect(app) {
  const note = _("Only the two of you can read it. The operator of the server can read everything.");
  openPicker(_("New direct message"), _("Name of the person"), (query) => {
    const names = app.core.knownNames().filter((name) => name !== app.core.me.name);
    return nameChoices(query, names, (name) => write(app, name));
  }, note);
}

/**
 * @param {App} app
 * @param {string} name
 */
async function write(app, name) {
  const direct = await app.ask({ ask: "openDirect", name });
  if (direct) go(app, direct);
  else app.toast(_("This is you."));
}

/**
 * The rooms there are: to join, and to make one.
 *
 * @param {App} app
 */
export async function openRooms(app) {
  /** @type {Map<string, number>} members by room */
  const rooms = new Map();
  for (const { name, room } of app.core.conversations.values()) if (room) rooms.set(name, room.total);
  const picker = openPicker(_("Rooms"), _("Find a room, or type a new name"), (query) => {
    const typed = query.replace(/^#/, "").toLowerCase();
    const largest = [...rooms.keys()].sort((a, b) => (rooms.get(b) ?? 0) - (rooms.get(a) ?? 0));
    /** @type {Choice[]} */
    const choices = fitting(largest, typed, (name) => name, 200).map((name) => {
      const mine = app.core.roomNamed(name);
      return {
        label: `#${oneLine(name)}`,
        detail: ngettext("{n} member", "{n} members", rooms.get(name) ?? 0),
        deed: mine?.member ? _("Open") : _("Join"),
        run: () => mine?.member ? go(app, mine) : join(app, name),
      };
    });
    return typed && !rooms.has(typed) ? [...choices, newRoom(app, typed)] : choices;
  });
  for (let after = undefined, more = true; more && picker.isOpen() && rooms.size < MOST_ROOMS;) {
    const page = await app.ask({ ask: "rooms", after });
    for (const { room, total } of page.rooms) rooms.set(room, total);
    after = page.rooms.at(-1)?.room;
    more = page.more && after;
    picker.show();
  }
}

/**
 * @param {App} app
 * @param {string} room
 */
const join = async (app, room) => go(app, await app.ask({ ask: "join", room }));

/**
 * @param {App} app
 * @param {string} room
 * @returns {Choice}
 */
const newRoom = (app, room) => ({ label: _("Join or make #{room}", { room }), run: () => join(app, room) });

/** @param {App} app */
export function openSwitcher(app) {
  openPicker(_("Go to a room or person"), _("Room or person"), (typed) => choicesFor(app, typed));
}

/**
 * How well letters fit a name: all of them in this order, the better the closer together and to the beginnings of words.
 *
 * @param {string} query
 * @param {string} name
 * @returns {number} 0: not at all
 */
export function score(query, name) {
  const wanted = nameKey(query);
  const text = nameKey(name);
  const whole = text.indexOf(wanted);
  if (whole === 0) return 100 - text.length / 100;
  if (whole > 0) return /[\p{L}\p{N}]/u.test(text.charAt(whole - 1)) ? 60 : 80;
  let at = -1;
  for (const letter of wanted.replaceAll(" ", "")) {
    at = text.indexOf(letter, at + 1);
    if (at < 0) return 0;
  }
  return 20 - at / text.length;
}

/**
 * @param {App} app
 * @param {string} typed
 * @returns {Choice[]}
 */
function choicesFor(app, typed) {
  const { core, route } = app;
  const query = typed.replace(/^[#@]/, "");
  const wanted = { "#": "room", "@": "direct" }[typed.charAt(0)];
  const all = [...core.conversations.values()].filter(({ kind }) => !wanted || kind === wanted);
  const weight = (/** @type {Conversation} */ each) =>
    score(query, each.name) + (each.mentions ? 3 : each.unread ? 2 : 0) + (each.key === route.key ? -1 : 0);
  /** @type {Choice[]} */
  const choices = all.filter((each) => score(query, each.name))
    .sort((a, b) => weight(b) - weight(a) || (b.last?.seq ?? 0) - (a.last?.seq ?? 0)).slice(0, MOST).map((each) => ({
      label: (each.room ? "#" : "") + oneLine(each.name),
      detail: oneLine(each.room?.topic ?? "").slice(0, 80),
      deed: each.unread >= 999
        ? _("999+ unread")
        : each.unread
        ? ngettext("{n} unread", "{n} unread", each.unread)
        : "",
      run: () => go(app, each),
    }));
  if (!query) return choices;
  if (wanted !== "room") {
    const listed = new Set([core.me.name, ...all.filter(({ room }) => !room).map(({ name }) => name)]);
    const others = core.knownNames().filter((name) => score(query, name) >= 60 && !listed.has(name)).slice(0, 5);
    choices.push(...others.map((name) => ({ label: _("Message {name}", { name }), run: () => write(app, name) })));
  }
  const room = query.toLowerCase();
  if (wanted !== "direct" && !/\s/.test(room) && !core.roomNamed(room)?.member) choices.push(newRoom(app, room));
  return choices;
}
