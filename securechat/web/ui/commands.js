/**
 * Obeys a line that begins with `/`, as the terminal client does, and completes what is typed. What a command takes beside its name is read here; without
 * anything the action of that name runs.
 *
 * @import {Person} from "../core/records.js"
 * @import {App, Conversation} from "../core/types.js"
 * @import {Context, Row} from "./actions.js"
 */
import { nameKey } from "../core/text.js";
import { actionNamed, ACTIONS, go, grant, ignore, isPossible, moderate, setTyping } from "./actions.js";
import { fill, h, later } from "./dom.js";
import { _, LANGUAGES, ngettext } from "./i18n.js";
import { dayOf, searchFor } from "./search.js";

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const LONGEST_S = 365 * 86400; // of a ban or mute with an end
const QUOTES = { '"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb" };
const KEYCAP = /[0-9#*]\ufe0f?\u20e3|\u2139\ufe0f?/gu; // the emoji with a letter or digit in them

/** A sentence about what was typed: the text stays. */
class Problem extends Error {}

/** @typedef {Context & {conversation: Conversation}} Here */

/** @param {string} name */
const usageOf = (name) => _("Usage: {forms}", { forms: actionNamed(name)?.usage?.() ?? "" });

/**
 * @param {string} line
 * @param {Here} context
 * @returns {Promise<{problem: string, clear: boolean}>} clear: the line is done with, or nothing that may stay in sight
 */
export async function obey(line, context) {
  const [typed = "", rest = ""] = line.trim().split(/\s+(.*)/s);
  const word = typed.slice(1).toLowerCase();
  const row = actionNamed(word);
  if (/^(register|password)$/.test(row?.name ?? nearest(word) ?? "") && rest) {
    return { problem: _("Do not type a password here, where others can see it. Choose another one."), clear: true };
  }
  try {
    if (!row?.usage) throw new Problem(unknown(typed, word));
    const takes = TAKES[row.name];
    if (rest && !takes) throw new Problem(usageOf(row.name));
    if (rest && takes) await takes(rest, context, row);
    else await alone(row, context);
    return { problem: "", clear: true };
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message, clear: false };
    throw error;
  }
}

/**
 * @param {string} typed
 * @param {string} word
 */
function unknown(typed, word) {
  const near = nearest(word);
  const more = near
    ? _("Did you mean {nearest}?", { nearest: `/${near}` })
    : _("/help lists the commands, // sends a text that begins with /");
  return word === "me"
    ? _("/me is not supported. Send it as a message")
    : `${_("Unknown command {word}", { word: typed.slice(0, 30) })}. ${more}`;
}

/**
 * @param {Row} row
 * @param {Here} context
 */
async function alone(row, context) {
  if (row.place.startsWith("message")) {
    const own = row.name === "edit" || row.name === "delete";
    const me = context.app.core.me.id;
    const message = context.conversation.window.messages.findLast((each) => !each.deleted && (each.by === me) === own);
    if (!message) {
      throw new Problem(own ? _("You have no message here that can be changed.") : _("There is no message here."));
    }
    context = { ...context, message };
  } else if (row.place === "person") throw new Problem(usageOf(row.name));
  if (!isPossible(row, context)) throw new Problem(_("This is not possible here."));
  await row.run(context);
}

/** What each command does with what stands behind it. @type {Record<string, (rest: string, context: Here, row: Row) => unknown>} */
export const TAKES = {
  reply: (text, context) => {
    const me = context.app.core.me.id;
    const message = context.conversation.window.messages.findLast((each) => !each.deleted && each.by !== me);
    if (!message) throw new Problem(_("There is no message here."));
    context.app.act({ do: "send", key: context.conversation.key, text, reply: message.seq });
  },
  edit: (text, context) => {
    context.app.act({ do: "edit", key: context.conversation.key, seq: lastOwn(context).seq, text });
  },
  react: (typed, { app, conversation }) => {
    const message = conversation.window.messages.findLast((each) => !each.deleted);
    if (!message) throw new Problem(_("There is no message here."));
    const away = typed.length > 1 && typed.startsWith("-");
    const sign = away ? typed.slice(1) : typed;
    if ([...sign].length > 16 || /\s/.test(sign)) throw new Problem(usageOf("react"));
    const has = message.reactions?.some((each) => each.sign === sign && each.by.includes(app.core.me.id));
    const on = !away && !has;
    if (on && /[\p{L}\p{N}]/u.test(sign.replace(KEYCAP, ""))) {
      throw new Problem(_("A reaction is an emoji, such as 👍. To answer in words use /reply."));
    }
    app.act({ do: "react", key: conversation.key, seq: message.seq, sign, on });
  },
  msg: async (rest, { app, conversation }) => {
    const { name, more } = split("msg", rest, namesIn(app, conversation));
    const direct = await app.ask({ ask: "openDirect", name });
    if (!direct) throw new Problem(_("This is you."));
    if (!more) return go(app, direct);
    app.act({ do: "send", key: direct.key, text: more }); // and one stays, as at a terminal
    app.toast(_("Direct message to {name}", { name: direct.name }), [{ label: _("Open"), run: () => go(app, direct) }]);
  },
  whois: ofPerson,
  ignore: async (rest, { app, conversation }) => ignore(app, await personNamed(app, conversation, rest)),
  invite: async (rest, { app, conversation }) => {
    const person = await personNamed(app, inRoom(conversation), rest);
    await app.ask({ ask: "invite", key: conversation.key, person: person.id });
    app.toast(_("{name} is invited", { name: person.name }));
  },
  role: async (rest, { app, conversation }) => {
    const [, name, role] = /^(.*\S)\s+(owner|moderator|member)$/i.exec(rest) ?? [];
    if (!name || !role) throw new Problem(usageOf("role"));
    const person = await personNamed(app, inRoom(conversation), name);
    const given = /** @type {"owner" | "moderator" | "member"} */ (role.toLowerCase());
    await grant(app, conversation.key, person, given);
  },
  kick: (rest, context) => doTo("kick", rest, context),
  ban: (rest, context) => doTo("ban", rest, context),
  mute: (rest, context) => doTo("mute", rest, context),
  unban: (rest, context) => doTo("unban", rest, context),
  unmute: (rest, context) => doTo("unmute", rest, context),
  who: (rest, context, row) => {
    const conversation = roomNamed(context.app, rest);
    go(context.app, conversation);
    return row.run({ ...context, conversation });
  },
  // "set KEY VALUE" of the terminal is a form here
  room: (_rest, context, row) => row.run(context),
  topic: async (text, { app, conversation }) => {
    await app.ask({ ask: "setRoom", key: inRoom(conversation).key, rules: { topic: text === '""' ? "" : text } });
    app.toast(_("Saved"));
  },
  history: async (rest, { app, conversation }) => {
    const [first = "", more = ""] = rest.split(/\s+(.*)/s);
    const at = dayOf(first);
    const where = (at === null && !/^\d+$/.test(first) ? rest : more).trim();
    const wanted = !where
      ? conversation
      : /^@/.test(where)
      ? await app.ask({ ask: "openDirect", name: where.slice(1) })
      : roomNamed(app, where);
    go(app, wanted);
    if (at !== null) app.act({ do: "open", key: wanted.key, at });
  },
  join: async (room, { app }) => go(app, await app.ask({ ask: "join", room })),
  leave: async (rest, context, row) => {
    const name = rest.replace(/(^|\s)--yes\b/, "").trim(); // the dialog asks in its place
    const conversation = name ? roomNamed(context.app, name) : context.conversation;
    if (!isPossible(row, { ...context, conversation })) throw new Problem(_("This is not possible here."));
    await row.run({ ...context, conversation });
  },
  search: (query, { app, conversation }) => {
    searchFor(query);
    app.go({ key: conversation.key, panel: "search" });
  },
  nick: async (name, { app }) => {
    await app.ask({ ask: "nick", name: name.replace(/^"(.*)"$/, "$1") });
    app.toast(_("You are {name} now", { name: app.core.me.name }));
  },
  typing: (rest, { app }) => {
    if (!/^(on|off)$/i.test(rest)) throw new Problem(usageOf("typing"));
    setTyping(app, rest.toLowerCase() === "on");
  },
  lang: (code, { app }) => {
    const language = code.toLowerCase();
    if (!Object.hasOwn(LANGUAGES, language)) {
      throw new Problem(Object.keys(LANGUAGES).map((each) => `/lang ${each}`).join(", "));
    }
    app.set("language", language);
  },
  bot: program,
  hook: program,
  token: program,
  sessions: async (rest, { app }) => {
    const login = /^end\s+(\d+)$/i.exec(rest)?.[1];
    if (!login) throw new Problem("/sessions end N");
    await app.ask({ ask: "logout", login: Number(login) });
    app.toast(_("Session ended"));
  },
  help: (_rest, context, row) => row.run(context),
};

/**
 * What is to be made by `/bot add`, `/hook add` or `/token add`.
 *
 * @param {string} rest
 * @param {string} kind
 * @param {string} [here] the room, where none is named
 * @throws {Problem} where it is something else
 */
export function wantedOf(rest, kind, here) {
  const form =
    /^add\s+("[^"]+"|[^\s"]+)((?:(?:\s+|,\s*)(?:post|read|files|metrics)\b)*)((?:\s+#\S+)*)(?:\s+(\d{1,4}))?$/i;
  const [, name, scopes, rooms, days] = form.exec(rest) ?? [];
  if (!name) throw new Problem(usageOf(kind));
  return {
    name: name.replaceAll('"', ""),
    scopes: scopes?.toLowerCase().match(/\w+/g) ?? undefined,
    rooms: rooms?.match(/[^\s#]+/g) ?? (here ? [here] : []),
    days: Number(days) || undefined,
  };
}

/**
 * @param {string} rest
 * @param {Here} context
 * @param {Row} row
 */
async function program(rest, { app, conversation }, { name: kind }) {
  const here = kind === "hook" ? inRoom(conversation).name : undefined;
  const { addProgram, programsOf, removeProgram, replaceToken } = await later(() => import("./settings.js"));
  const [, act, name = ""] = /^(rotate|remove)\s+"?([^"]+)"?$/i.exec(rest) ?? [];
  if (!act) return await addProgram(app, kind, wantedOf(rest, kind, here));
  const found = (await programsOf(app, here)).find((each) =>
    each.kind === kind && nameKey(each.id ? each.name : `${each.tokens[0]?.token}`) === nameKey(name)
  );
  if (!found) throw new Problem(_("Nothing was found."));
  await (/m/i.test(act) ? removeProgram : replaceToken)(app, found);
}

/** @param {Here} context */
function lastOwn({ app, conversation }) {
  const message = conversation.window.messages.findLast((each) => !each.deleted && each.by === app.core.me.id);
  if (!message) throw new Problem(_("You have no message here that can be changed."));
  return message;
}

/**
 * @param {string} rest
 * @param {Here} context
 * @param {Row} row
 */
async function ofPerson(rest, context, row) {
  await row.run({ ...context, person: await personNamed(context.app, context.conversation, rest) });
}

/**
 * @param {"kick" | "ban" | "mute" | "unban" | "unmute"} act
 * @param {string} rest
 * @param {Here} context
 */
async function doTo(act, rest, { app, conversation }) {
  const key = inRoom(conversation).key;
  const lifts = act.startsWith("un");
  const { name, more } = lifts ? { name: rest, more: "" } : split(act, rest, namesIn(app, conversation));
  const { seconds, reason } = act === "ban" || act === "mute" ? durationOf(more) : { seconds: null, reason: more };
  if ([...reason].length > 300) throw new Problem(_("A reason has at most {most} characters", { most: 300 }));
  const person = await personNamed(app, conversation, name);
  await moderate(app, key, person, act, seconds, reason);
}

/** @param {Conversation} conversation */
function inRoom(conversation) {
  if (conversation.kind !== "room") throw new Problem(_("This works in rooms."));
  return conversation;
}

/**
 * @param {App} app
 * @param {string} typed
 */
function roomNamed(app, typed) {
  const name = typed.replace(/^#/, "");
  const found = app.core.roomNamed(name.toLowerCase());
  if (!found) throw new Problem(_("You are not in #{room}. Join it first", { room: name }));
  return found;
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {string} typed with "@" or quotation marks, or without
 * @returns {Promise<Person>}
 */
function personNamed(app, conversation, typed) {
  const name = typed.trim().replace(/^@/, "").replace(/^["\u201c\u201e\u00ab](.*)["\u201c\u201d\u00bb]$/, "$1");
  const key = nameKey(name);
  for (const person of conversation.room?.members?.values() ?? []) {
    if (nameKey(person.name) === key) return Promise.resolve(person);
  }
  return app.ask({ ask: "whois", name });
}

/**
 * Splits off a name, and never guesses where it ends.
 *
 * @param {string} word the command
 * @param {string} rest
 * @param {Iterable<string>} known
 * @returns {{name: string, more: string}}
 * @throws {Problem} where no name stands, or one that may end at two places
 */
export function split(word, rest, known) {
  const closing = QUOTES[/** @type {keyof typeof QUOTES} */ (rest.charAt(0))];
  if (closing) {
    const end = rest.indexOf(closing, 1);
    const more = rest.slice(end + 1);
    if (end < 2 || (more && !/^\s/.test(more))) throw new Problem(usageOf(word));
    return { name: rest.slice(1, end).trim(), more: more.trim() };
  }
  const [, first = "", more = ""] = /^@?(\S+)\s*(.*)$/s.exec(rest) ?? [];
  const keys = new Map([...known].map((name) => [nameKey(name), name]));
  const words = rest.replace(/^@/, "").split(/\s+/);
  for (let count = Math.min(words.length, 32); count > 1; count--) {
    const longer = keys.get(nameKey(words.slice(0, count).join(" ")));
    if (longer === undefined) continue;
    throw new Problem(
      _(
        'Nothing was done, because the name can be "{shorter}" or "{longer}". Put it in quotes: {command} "{longer}" or {command} "{shorter}"',
        { shorter: first, longer, command: `/${word}` },
      ),
    );
  }
  if (!first) throw new Problem(usageOf(word));
  return { name: first, more: more.trim() };
}

/**
 * @param {string} text "10m why"
 * @returns {{seconds: number | null, reason: string}} null: no end
 */
export function durationOf(text) {
  const [, count, unit, reason = ""] = /^(\d{1,8})([smhdw])(?:\s+(.*))?$/is.exec(text) ?? [];
  if (!count || !unit) {
    if (!/^\p{Nd}/u.test(text)) return { seconds: null, reason: text };
    throw new Problem( // not one without end
      _("Nothing was done. A time is 30s, 10m, 2h, 7d or 1w, and a reason does not begin with a digit: {text}", {
        text: text.slice(0, 30),
      }),
    );
  }
  const seconds = Number(count) * UNITS[/** @type {keyof typeof UNITS} */ (unit.toLowerCase())];
  if (seconds < 1 || seconds > LONGEST_S) {
    throw new Problem(
      _("A ban or mute lasts at least a second and at most {span}. Leave the time out for one without end", {
        span: _("a year"),
      }),
    );
  }
  return { seconds, reason };
}

/**
 * The command that was meant, if one is near: a letter more, less, other or exchanged.
 *
 * @param {string} word without "/"
 * @returns {string | null}
 */
export function nearest(word) {
  const names = ACTIONS.flatMap((row) => row.usage ? [row.name, ...row.aliases?.split(" ") ?? []] : []);
  const most = word.length > 4 ? 2 : 1;
  const [best] = names.map((name) => /** @type {const} */ ([distance(word, name), name]))
    .filter(([far, name]) => far <= most && Math.abs(name.length - word.length) <= 1).sort(([a], [b]) => a - b);
  return best && word.length > 1 ? best[1] : null;
}

/**
 * Steps from one word to the other (optimal string alignment).
 *
 * @param {string} a
 * @param {string} b
 */
function distance(a, b) {
  /** @type {number[][]} */
  const rows = [Array.from({ length: b.length + 1 }, (_each, index) => index)];
  const at = (/** @type {number} */ i, /** @type {number} */ j) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.length, b.length);
}

// --- completion ---

// Completes @names, #rooms, :emoji: and /commands in a text field: a list above it, of which the field has the focus.

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
  let further = 0; // commands that are not listed
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
      const { findEmoji } = await later(() => import("./composer.js"));
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
    further = 0;
    if (kind === "command") {
      const rows = ACTIONS.filter((row) =>
        row.usage && (isPossible(row, { app, conversation }) || row.place !== "app")
      );
      const found = fitting(rows, query, (row) => row.name, Infinity, false);
      further = Math.max(0, found.length - MOST);
      return found.slice(0, MOST).map((row) => ({
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
      further > 0 && found.length > 0 && h(
        "li",
        {
          role: "option",
          "aria-disabled": "true",
          class: "quiet",
          on: { pointerdown: (/** @type {Event} */ event) => event.preventDefault() },
        },
        ngettext("… and {n} more: go on typing", "… and {n} more: go on typing", further),
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
