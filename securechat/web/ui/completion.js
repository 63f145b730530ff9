/**
 * Completes @names, #rooms, :emoji: and /commands in a text field: a list above it, of which the field has the focus.
 *
 * @import {App, Conversation} from "../core/types.js"
 */
import { nameKey } from "../core/text.js";
import { ACTIONS, isPossible } from "./actions.js";
import { fill, h } from "./dom.js";
import { _, ngettext } from "./i18n.js";
import { later } from "./later.js";

/**
 * @typedef {object} Token what stands before the cursor and can be completed
 * @property {"command" | "name" | "room" | "emoji" | "nameOf" | "roomOf"} kind the last two are the first word behind a command
 * @property {number} from where it begins, with its sign
 * @property {string} query without the sign
 *
 * @typedef {{text: string, label: string, detail?: string, sign?: string}} Choice text: what is put in place of the token
 */

const MOST = 8;
let ids = 0;

/**
 * @param {string} before the text up to the cursor
 * @returns {Token | null}
 */
export function tokenOf(before) {
  /** @type {[Token["kind"], RegExp][]} */
  const forms = [
    ["command", /^\/(\S*)$/],
    ["nameOf", /^\/(?:msg|dm|whois|ignore|invite|kick|ban|unban|mute|unmute|role)\s+("?[^"]{1,40})$/i],
    ["roomOf", /^\/(?:join|leave|part|who|names)\s+(#?\S*)$/i],
    ["room", /(?:^|[\s(])#([^\s#]*)$/],
    ["emoji", /(?:^|[\s(]):([\p{L}\p{M}\p{N}_+-]{2,})$/u],
    ["name", /(?:^|[\s(])@([^@\n]{0,40})$/],
  ];
  for (const [kind, form] of forms) {
    const query = form.exec(before)?.[1];
    if (query === undefined) continue;
    const sign = kind === "nameOf" || kind === "roomOf" ? 0 : 1;
    return { kind, from: before.length - query.length - sign, query: query.replace(/^["#]/, "") };
  }
  return null;
}

/**
 * Those that fit best: that are called so, that begin so, then those with a word that begins so, then those that have it anywhere.
 *
 * @template T
 * @param {Iterable<T>} all
 * @param {string} query
 * @param {(each: T) => string} nameOf
 * @param {number} [most]
 * @param {boolean} [anywhere]
 * @returns {T[]}
 */
export function fitting(all, query, nameOf, most = MOST, anywhere = true) {
  const key = nameKey(query);
  /** @type {[T[], T[], T[]]} */
  const ranks = [[], [], []];
  for (const each of all) {
    const name = nameKey(nameOf(each));
    const at = name.indexOf(key);
    if (name === key) ranks[0].unshift(each);
    else if (at === 0) ranks[0].push(each);
    else if (at > 0 && /[^\p{L}\p{N}]/u.test(name.charAt(at - 1))) ranks[1].push(each);
    else if (at > 0 && anywhere) ranks[2].push(each);
  }
  return ranks.flat().slice(0, most);
}

/**
 * The names that may be meant in a conversation, those who wrote last first.
 *
 * @param {App} app
 * @param {Conversation} conversation
 * @returns {Set<string>}
 */
export function namesIn(app, conversation) {
  const names = new Set(
    conversation.window.messages.toReversed().map((message) => app.core.nameOf(message.by) ?? message.name),
  );
  if (conversation.kind === "direct") names.add(conversation.name);
  for (const { name } of conversation.room?.members?.values() ?? []) names.add(name);
  for (const name of app.core.knownNames()) names.add(name);
  names.delete(app.core.me.name);
  names.delete("");
  return names;
}

/**
 * Completes in a field. Commands only where `present` is given.
 *
 * @param {App} app
 * @param {HTMLTextAreaElement | HTMLInputElement} field
 * @param {() => Conversation} present
 * @param {() => void} changed called when a choice has been put into the field
 */
export function completion(app, field, present, changed) {
  const id = `choices-${++ids}`;
  const list = h("ul", { id, class: "choices", role: "listbox", "aria-label": _("Suggestions"), hidden: true });
  const hint = h("p", { class: "composer-hint", hidden: true });
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", id);
  /** @type {Choice[]} */
  let choices = [];
  /** @type {Token | null} */
  let token = null;
  let at = 0;
  /** The token that Escape has closed: nothing opens for it again. */
  let dismissed = -1;

  async function update() {
    const before = field.value.slice(0, field.selectionStart ?? 0);
    const found = field.selectionStart === field.selectionEnd ? tokenOf(before) : null;
    showHint();
    if (!found || found.from !== dismissed) dismissed = -1;
    token = found;
    if (!found || dismissed >= 0) return show([]);
    if (found.kind !== "emoji") return show(choicesOf(found));
    try {
      const { findEmoji } = await later(() => import("./emoji.js"));
      const signs = await findEmoji(app, found.query, MOST);
      if (token === found) show(signs.map(([sign, name]) => ({ text: `${sign} `, label: name, sign })));
    } catch {
      show([]);
    }
  }

  /**
   * @param {Token} of
   * @returns {Choice[]}
   */
  function choicesOf({ kind, query }) {
    const conversation = present();
    if (kind === "command") {
      const rows = ACTIONS.filter((row) =>
        row.usage && (isPossible(row, { app, conversation }) || row.place !== "app")
      );
      return fitting(rows, query, (row) => row.name, MOST, false).map((row) => ({
        text: `/${row.name} `,
        label: row.usage?.() ?? "",
        detail: row.label(),
      }));
    }
    if (kind === "room" || kind === "roomOf") {
      const rooms = [...app.core.conversations.values()].filter((each) => each.kind === "room");
      return fitting(rooms, query, (each) => each.name).map(({ name, room }) => ({
        text: `#${name} `,
        label: `#${name}`,
        detail: room?.topic.slice(0, 60) ?? "",
      }));
    }
    return fitting(namesIn(app, conversation), query, (name) => name).map((name) => ({
      text: kind === "name" ? `@${name} ` : /\s/.test(name) ? `"${name}" ` : `${name} `,
      label: kind === "name" ? `@${name}` : name,
    }));
  }

  /** @param {Choice[]} found */
  function show(found) {
    const opens = list.hidden;
    choices = found;
    at = 0;
    list.hidden = found.length === 0;
    fill(
      list,
      ...found.map((choice, index) =>
        h(
          "li",
          {
            role: "option",
            id: `${id}-${index}`,
            on: {
              pointerdown: (/** @type {Event} */ event) => event.preventDefault(), // the field keeps the focus
              click: () => choose(index),
            },
          },
          choice.sign && h("span", { class: "choice-sign" }, choice.sign),
          h("span", { class: "choice-label" }, choice.label),
          choice.detail && h("span", { class: "choice-detail" }, choice.detail),
        )
      ),
    );
    mark();
    if (opens && found.length > 0) app.announce(ngettext("{n} suggestion", "{n} suggestions", found.length));
  }

  function mark() {
    [...list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
    if (list.hidden) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", `${id}-${at}`);
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  function showHint() {
    const word = /^\/(\S+)\s/.exec(field.value)?.[1]?.toLowerCase();
    const row = word && ACTIONS.find((each) => each.usage && each.name === word);
    hint.hidden = !row;
    fill(hint, row && h("code", {}, row.usage?.()), row && ` ${row.label()}`);
  }

  /** @param {number} index */
  function choose(index) {
    const choice = choices[index];
    if (!choice || !token) return;
    const end = field.selectionStart ?? field.value.length;
    const gap = field.value.charAt(end) === " " ? 1 : 0;
    field.focus();
    field.setRangeText(choice.text, token.from, end + gap, "end");
    show([]);
    changed();
    update();
  }

  /** Whether Enter would change nothing: it sends then. */
  function isComplete() {
    const typed = token && field.value.slice(token.from, field.selectionStart ?? 0);
    return typed === choices[at]?.text.trimEnd();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was for the list
   */
  function key(event) {
    if (list.hidden || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return false;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        at = (at + (event.key === "ArrowDown" ? 1 : choices.length - 1)) % choices.length;
        mark();
        break;
      case "Enter":
        if (isComplete()) {
          show([]);
          return false;
        }
        choose(at);
        break;
      case "Tab":
        choose(at);
        break;
      case "Escape":
        dismissed = token?.from ?? -1;
        show([]);
        event.stopPropagation();
        break;
      default:
        return false;
    }
    event.preventDefault();
    return true;
  }

  field.addEventListener("blur", () => show([]));
  return {
    list,
    hint,
    key,
    update,
    close() {
      show([]);
      showHint();
    },
  };
}
