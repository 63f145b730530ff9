/**
 * Chooses an emoji, by search, group or from those used last. The names are fetched when they are first wanted.
 *
 * @import {App} from "../core/types.js"
 * @import {Context} from "./actions.js"
 */
import { nameKey } from "../core/text.js";
import { fill, h } from "./dom.js";
import { _, language } from "./i18n.js";
import { openDialog } from "./menu.js";

/** @typedef {readonly [sign: string, name: string, group: number, words: string]} Emoji words: all that find it */

const MOST_RECENT = 24;
const FIRST = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "✅"];
/** @type {Map<string, Promise<Emoji[]>>} */
const loaded = new Map();

/**
 * All emoji with their names in the language in use.
 *
 * @param {App} app
 * @returns {Promise<Emoji[]>}
 */
function allEmoji(app) {
  const wanted = `emoji.${language()}.json`;
  const file = app.facts.files[wanted] ?? app.facts.files["emoji.en.json"] ?? "";
  let found = loaded.get(file);
  if (!found) {
    found = load(file);
    found.catch(() => loaded.delete(file)); // asked for again when there is a connection
    loaded.set(file, found);
  }
  return found;
}

/** @param {string} file @returns {Promise<Emoji[]>} */
async function load(file) {
  const response = await fetch(file);
  if (!response.ok) throw new Error(file);
  const groups = /** @type {string[]} */ (await response.json());
  return groups.flatMap((group, index) =>
    group.split("\n").filter(Boolean).map((line) => {
      const end = line.indexOf(" ");
      const [name = "", more = ""] = line.slice(end + 1).split("\t");
      return /** @type {const} */ ([line.slice(0, end), name, index, ` ${name} ${more}`]);
    })
  );
}

/**
 * @param {App} app
 * @param {string} query words of a name
 * @param {number} most
 * @returns {Promise<Emoji[]>} the best first: those whose name begins so, then those with a word that does
 */
export async function findEmoji(app, query, most) {
  const words = nameKey(query).split(" ");
  const [first = ""] = words;
  const fits = (await allEmoji(app)).filter(([, , , all]) =>
    words.every((word) => all.includes(` ${word}`) || all.includes(`-${word}`))
  );
  const rank = (/** @type {Emoji} */ [, name]) => name === nameKey(query) ? 0 : name.startsWith(first) ? 1 : 2;
  return fits.sort((a, b) => rank(a) - rank(b) || a[1].length - b[1].length).slice(0, most);
}

/**
 * Remembers an emoji as used.
 *
 * @param {App} app
 * @param {string} sign
 */
export function used(app, sign) {
  app.set("recentEmoji", [sign, ...app.settings.recentEmoji.filter((each) => each !== sign)].slice(0, MOST_RECENT));
}

/**
 * Lets the user choose an emoji.
 *
 * @param {App} app
 * @param {string} title
 * @param {(sign: string) => unknown} run called with the chosen one, when the picker is closed
 */
export function openEmoji(app, title, run) {
  const names = [
    _("Used last"),
    _("Faces and people"),
    _("Animals and plants"),
    _("Food and drink"),
    _("Travel and places"),
    _("Activities and things"),
    _("Signs"),
    _("Flags"),
  ];
  const recent = [...new Set([...app.settings.recentEmoji, ...FIRST])];
  const status = h("p", { class: "quiet", role: "status" });
  const grid = h("div", { class: "emoji-grid", role: "listbox", "aria-label": _("Emoji") });
  const search = h("input", {
    type: "search",
    autocomplete: "off",
    placeholder: _("Search by name"),
    "aria-label": _("Search by name"),
    on: { input: show, keydown: fromSearch },
  });
  const group = h(
    "select",
    { "aria-label": _("Group"), on: { change: show } },
    ...names.map((name, index) => h("option", { value: String(index) }, name)),
  );
  const dialog = openDialog({
    title,
    body: h("div", { class: "emoji" }, h("div", { class: "search-row" }, search, group), grid, status),
  });
  let turn = 0;

  async function show() {
    const mine = ++turn;
    fill(status);
    /** @type {readonly (readonly [string, string, ...unknown[]])[]} */
    let found = [];
    group.disabled = Boolean(search.value.trim());
    try {
      if (search.value.trim()) found = await findEmoji(app, search.value, 200);
      else if (group.value === "0") {
        fillGrid(recent.map((sign) => [sign, sign]));
        const known = new Map((await allEmoji(app)).map(([sign, name]) => [sign, name]));
        found = recent.map((sign) => [sign, known.get(sign) ?? sign]);
      } else found = (await allEmoji(app)).filter(([, , index]) => index === Number(group.value) - 1);
    } catch {
      fill(
        status,
        _("The names of the emoji cannot be loaded now. Type or paste one with the keyboard of your system."),
      );
      if (search.value.trim()) return;
      found = recent.map((sign) => [sign, sign]);
    }
    if (mine !== turn) return;
    fillGrid(found);
    if (found.length === 0) fill(status, _("Nothing was found."));
  }

  /** @param {readonly (readonly [string, string, ...unknown[]])[]} found */
  function fillGrid(found) {
    fill(
      grid,
      ...found.map(([sign, name], index) =>
        h("button", {
          type: "button",
          role: "option",
          class: "emoji-sign",
          title: name,
          "aria-label": name,
          "aria-selected": "false",
          tabIndex: index === 0 ? 0 : -1,
          on: { click: () => choose(sign) },
        }, sign)
      ),
    );
  }

  /** @param {string} sign */
  function choose(sign) {
    dialog.close();
    used(app, sign);
    run(sign);
  }

  /** @param {KeyboardEvent} event */
  function fromSearch(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const first = /** @type {HTMLElement | null} */ (grid.firstElementChild);
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    if (event.key === "Enter" && search.value.trim()) first?.click();
    else first?.focus();
  }

  grid.addEventListener("keydown", (event) => {
    const all = /** @type {HTMLElement[]} */ ([...grid.children]);
    const at = all.findIndex((each) => each === document.activeElement);
    const top = all[0]?.offsetTop;
    const columns = Math.max(1, all.filter((each) => each.offsetTop === top).length);
    const step = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -at,
      End: all.length - 1 - at,
    }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && at < columns) return search.focus();
    const to = all[Math.max(0, Math.min(all.length - 1, at + step))];
    all[at]?.setAttribute("tabindex", "-1");
    to?.setAttribute("tabindex", "0");
    to?.focus();
  });
  show();
  return dialog;
}

/**
 * Puts a reaction under a message, or takes the user's own away.
 *
 * @param {Context} context
 */
export function openReactions({ app, conversation, message }) {
  if (!conversation || !message) return;
  const { key } = conversation;
  openEmoji(app, _("React"), (sign) => {
    const now = app.core.find(message.seq, key) ?? message;
    const on = !now.reactions?.some((each) => each.sign === sign && each.by.includes(app.core.me.id));
    app.act({ do: "react", key, seq: message.seq, sign, on });
  });
}
