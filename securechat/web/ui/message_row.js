/**
 * A row of the list: a message, or what is not sent yet, or who came and went; and the text in it, as nodes.
 *
 * @import {Message} from "../core/records.js"
 * @import {App, Conversation, PendingMessage} from "../core/types.js"
 * @typedef {object} RowContext
 * @property {string} key of the conversation
 * @property {TextOptions} text how its text is shown
 * @property {boolean} [head] whether the author is named: it begins a group
 * @property {boolean} [day] whether it is the first of its day
 * @property {boolean} [fresh] whether the unread begin here
 * @property {((seq: number, from: number) => void) | null} [jump] goes to the message that this one answers
 * @typedef {object} TextOptions
 * @property {readonly (readonly number[])[]} [marks] spans [start, end) of a search hit, in code points
 * @property {{has: (key: string) => boolean}} [names] keys of the names that may be mentioned (`nameKey`)
 * @property {(name: string) => string | null} [room] address of a room by its name; null: no link
 * @property {string} [me] key of the user's own name
 * @property {boolean} [whole] show all lines of a long text
 */
import { brief, named, nameKey, oneLine, visible } from "../core/text.js";
import { FILES, h, later } from "./dom.js";
import { _, clock, daySeparator, list, moment, ngettext, refusalText, weekday } from "./i18n.js";

const COLOURS = 8; // --person-0 to --person-7
const MOST_NAMED = 3; // people in one line; the others are counted
const LABEL_CHARS = 300; // of a text in the name of its row; the rest is read inside the row

/**
 * The name of a person, or what stands for it; of a program with its mark, behind a comma, which no name contains.
 *
 * @param {string} name
 * @param {boolean} [bot]
 * @returns {string} on one line
 */
export function nameText(name, bot) {
  return (oneLine(name) || _("deleted account")) + (bot ? `, ${_("bot")}` : "");
}

/** @type {typeof import("./files.js") | null} */
let files = null;
let tries = 3;

/**
 * Loads what shows files, where a message has one.
 *
 * @param {readonly Message[]} messages
 * @returns {Promise<unknown> | null} null: nothing is to be waited for
 */
export function loadFiles(messages) {
  if (files || !tries || !messages.some((each) => each.files?.[0])) return null;
  return later(() => import("./files.js"), FILES).then((loaded) => files = loaded, () => tries--);
}

/** The mark behind the name of a program. @param {boolean} [bot] */
export const botMark = (bot) => bot && h("span", { class: "you bot" }, _("bot"));

/**
 * Shows a message in a row that is there, in place of what it showed.
 *
 * @param {HTMLElement} row
 * @param {App} app
 * @param {Message} message
 * @param {RowContext} context
 * @returns {HTMLElement} the row
 */
export function fillRow(row, app, message, context) {
  const own = message.by === app.core.me.id;
  const mentioned = !own && (message.mentions ?? []).includes(app.core.me.id);
  const deleted = Boolean(message.deleted);
  const name = nameText(message.name);
  const time = clock(message.at);
  const colour = `person-${message.by % COLOURS}`;
  row.className = "row";
  row.classList.toggle("head", Boolean(context.head));
  row.classList.toggle("own", own);
  row.classList.toggle("mentioned", mentioned);
  row.classList.toggle("deleted", deleted);
  row.dataset.seq = String(message.seq);
  const said = deleted ? _("deleted") : visible(named(message.text.slice(0, LABEL_CHARS)));
  row.setAttribute("aria-label", `${nameText(message.name, message.bot)}, ${time}: ${said}`);
  const stamp = h("time", {
    dateTime: new Date(message.at).toISOString(),
    title: `${weekday(message.at)}, ${moment(message.at)}`,
  }, time);
  const before = row.querySelector(".files"); // its pictures are not loaded again
  row.replaceChildren();
  if (context.day) row.append(h("div", { class: "day" }, h("span", {}, daySeparator(message.at))));
  if (context.fresh) row.append(h("div", { class: "fresh" }, h("span", {}, _("New"))));
  const main = h("div", { class: "main" });
  if (context.head) {
    main.append(h(
      "div",
      { class: "who" },
      h("bdi", { class: `name ${colour}` }, name),
      botMark(message.bot),
      own && h("span", { class: "you" }, _("you")),
      stamp,
    ));
  }
  if (message.reply && !deleted) main.append(quote(app, message, context));
  const shown = files && message.files?.[0] ? files : null;
  const text = deleted
    ? h("div", { class: "text gone" }, deletedText(message))
    : textView(shown ? shown.textOf(message) : message.text, context.text);
  if (message.edited && !deleted) text.append(editedMark(message));
  main.append(text);
  if (shown && !deleted) main.append(shown.fileRows(app, message, context.key, before));
  if (message.reactions?.length) main.append(reactions(app, message, context));
  const side = h("div", { class: "side" });
  if (context.head) side.append(h("span", { class: `avatar ${colour}`, "aria-hidden": "true" }, initial(name)));
  else side.append(stamp);
  row.append(h("div", { class: "line" }, side, main));
  return row;
}

/**
 * Makes the row of what the server has not acknowledged.
 *
 * @param {App} app
 * @param {PendingMessage} pending
 * @param {RowContext} context
 * @param {(pending: PendingMessage) => void} resume lets the user write it anew
 * @returns {HTMLElement}
 */
export function pendingRow(app, pending, context, resume) {
  const failed = pending.state === "failed";
  const { id, name } = app.core.me;
  const colour = `person-${id % COLOURS}`;
  const state = !failed
    ? pending.state === "sent" ? _("Sending…") : _("Waiting for the connection")
    : pending.refusal
    ? `${_("Not sent")}: ${refusalText(pending.refusal)}`
    : _("Not sent");
  const { number } = pending;
  const button = (/** @type {string} */ label, /** @type {() => unknown} */ click) =>
    h("button", { type: "button", on: { click } }, label);
  const main = h(
    "div",
    { class: "main" },
    context.head && h(
      "div",
      { class: "who" },
      h("bdi", { class: `name ${colour}` }, nameText(name)),
      h("span", { class: "you" }, _("you")),
    ),
    textView([pending.text, ...(pending.files ?? []).map(({ name }) => name)].join("\n").trim(), context.text),
    h("div", { class: "state" }, pending.kind === "edit" && `${_("Edit")} · `, state),
    (failed || app.core.phase !== "online") && h(
      "div",
      { class: "remedies" },
      failed && button(_("Try again"), () => app.act({ do: "retry", number })),
      !pending.sent && button(_("Edit"), () => resume(pending)),
      button(_("Copy"), () => navigator.clipboard?.writeText(pending.text)),
      !pending.sent && button(_("Discard"), () => app.act({ do: "discard", number })),
    ),
  );
  const face = context.head && h("span", { class: `avatar ${colour}`, "aria-hidden": "true" }, initial(nameText(name)));
  return h(
    "article",
    {
      class: `row own pending ${pending.state}${context.head ? " head" : ""}`,
      "aria-label": `${nameText(name)}, ${state}: ${visible(pending.text.slice(0, LABEL_CHARS))}`,
    },
    h("div", { class: "line" }, h("div", { class: "side" }, face), main),
  );
}

/**
 * Who came and who went since the message above, and who has another name, in one line.
 *
 * @typedef {object} Comings
 * @property {Map<number, string>} joined
 * @property {Map<number, string>} left names by sender_id
 * @property {Map<number, {old: string, new: string}>} renamed
 *
 * @param {Comings} comings
 * @returns {HTMLElement}
 */
export function comingsRow({ joined, left, renamed }) {
  /** @type {HTMLElement[]} */
  const shown = [];
  // The place of a name in the sentence: no name can say what only the sentence may.
  const placed = (/** @type {number} */ id, /** @type {string} */ name) =>
    `\0${shown.push(h("bdi", { class: `name person-${id % COLOURS}` }, nameText(name))) - 1}\0`;
  const several = (/** @type {Map<number, string>} */ names) => {
    const most = names.size === MOST_NAMED + 1 ? names.size : MOST_NAMED;
    const said = [...names].slice(0, most).map(([id, name]) => placed(id, name));
    const others = names.size - said.length;
    return list(others > 0 ? [...said, ngettext("{n} other", "{n} others", others)] : said);
  };
  const parts = [
    joined.size > 0 && ngettext("{names} joined", "{names} joined", joined.size, { names: several(joined) }),
    left.size > 0 && ngettext("{names} left", "{names} left", left.size, { names: several(left) }),
    ...[...renamed].slice(0, MOST_NAMED).map(([id, each]) =>
      _("{old} is now {name}", { old: placed(id, each.old), name: placed(id, each.new) })
    ),
  ];
  const said = parts.filter(Boolean).join(" · ").split("\0");
  return h("div", { class: "comings" }, ...said.map((each, index) => index % 2 ? shown[Number(each)] : each));
}

/**
 * @param {string} name
 * @returns {string} its first character, with the marks on it
 */
function initial(name) {
  return (/^\P{M}\p{M}{0,4}/u.exec(name)?.[0] ?? "?").toUpperCase();
}

/** @param {Message} message */
function deletedText(message) {
  return message.deleted_by
    ? _("Deleted by {name}", { name: nameText(message.deleted_by.name) })
    : _("This message was deleted");
}

/** @param {Message} message */
function editedMark(message) {
  const by = message.edited_by;
  return h("span", { class: "edited" }, by ? _("edited by {name}", { name: nameText(by.name) }) : _("edited"));
}

/**
 * @param {App} app
 * @param {Message} message
 * @param {RowContext} context
 * @returns {HTMLElement} always one line high, whether the message that is answered is loaded or not
 */
function quote(app, message, context) {
  const seq = message.reply ?? 0;
  const answered = app.core.find(seq, context.key);
  return h(
    "button",
    {
      class: "quote",
      type: "button",
      disabled: !context.jump,
      "data-reply": answered ? null : seq,
      on: { click: () => context.jump?.(seq, message.seq) },
    },
    h("span", { class: "sr" }, _("In reply to")),
    answered
      ? h("bdi", { class: `name person-${answered.by % COLOURS}` }, nameText(answered.name))
      : h("span", {}, _("an earlier message")),
    botMark(answered?.bot),
    answered &&
      h("bdi", { class: "said" }, answered.deleted ? _("This message was deleted") : firstLine(answered.text)),
  );
}

/**
 * @param {App} app
 * @param {Message} message
 * @param {RowContext} context
 */
function reactions(app, message, context) {
  const me = app.core.me.id;
  return h(
    "div",
    { class: "reactions" },
    ...message.reactions.map((/** @type {{sign: string, by: number[]}} */ { sign, by }) => {
      const mine = by.includes(me);
      const shown = visible(sign);
      const button = h(
        "button",
        {
          type: "button",
          "aria-pressed": String(mine),
          "aria-label": `${shown} ${by.length}`,
          on: {
            click: () => app.act({ do: "react", key: context.key, seq: message.seq, sign, on: !mine }),
            pointerenter: () => void nameReaction(app, button, shown, by),
            focus: () => void nameReaction(app, button, shown, by),
          },
        },
        h("span", { class: "glyph" }, shown),
        h("span", { class: "count" }, by.length),
      );
      return button;
    }),
  );
}

/**
 * Says who reacted; asks for names that are unknown.
 *
 * @param {App} app
 * @param {HTMLElement} button
 * @param {string} sign
 * @param {number[]} by
 */
async function nameReaction(app, button, sign, by) {
  const me = app.core.me.id;
  const first = by.slice(0, 20);
  const show = () => {
    const names = first.map((id) => id === me ? _("you") : nameText(app.core.nameOf(id) ?? _("someone")));
    const others = by.length - names.length;
    if (others > 0) names.push(ngettext("{n} other", "{n} others", others));
    button.title = list(names);
    button.setAttribute("aria-label", `${sign} ${by.length}: ${list(names)}`);
  };
  show();
  const unknown = first.filter((id) => id !== me && app.core.nameOf(id) === null);
  if (!unknown.length) return;
  try {
    await app.ask({ ask: "people", ids: unknown });
    show();
  } catch {
    // without a connection the names stay unknown
  }
}

// --- text view ---

// Shows a text that another person wrote: links, code, mentions, rooms and search marks, and no other markup. Every part
// reaches the page as a text node. One pass from left to right; nothing is searched twice, whatever the text.

const MAX_LINES = 40; // about a screen of a laptop; more wait for "Show all"
const SHOWN_LINES = 30;
const MAX_LINK_CHARS = 2048;
const MAX_NAME_CHARS = 32; // MAX_NAME_CHARS of limits.py
const MAX_NAMES = 400; // positions in one text that are looked up, as on the server
const MAX_PIECES = 500; // links, names and code in one text; the rest of it stays plain
const TRIGGER = /[`@#]|https?:\/\//gi;
const LINK_END = /[\s<>"\p{Cc}\p{Cf}\p{Cs}]/gu;
const WORD = /[\p{L}\p{N}\p{M}_]/u;
const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|[\u200d\ufe0f ])+$/u;
const AFTER_NAME = ".,;:!?)]}>'\"…";

/**
 * Makes the element of a text.
 *
 * @param {string} text as the server sent it
 * @param {TextOptions} [options]
 * @returns {HTMLDivElement}
 */
export function textView(text, options = {}) {
  const element = h("div", { class: "text", dir: "auto" });
  const cut = options.whole || options.marks?.length ? -1 : cutAt(text);
  const writer = new Writer(element, spans(text, options.marks ?? []));
  blocks(cut < 0 ? text : text.slice(0, cut), writer, options);
  if (isBigEmoji(text)) element.classList.add("big");
  if (/[^\s!-~]{80}/.test(text)) element.classList.add("wide");
  if (cut >= 0) {
    const showAll = () => {
      const whole = textView(text, { ...options, whole: true });
      element.replaceWith(whole);
      whole.append(...element.querySelectorAll(".edited"));
    };
    element.append(h("button", { class: "more", type: "button", on: { click: showAll } }, _("Show all")));
  }
  return element;
}

/**
 * The first line of a text, for quotes.
 *
 * @param {string} text
 * @returns {string}
 */
export function firstLine(text) {
  const begin = text.search(/\S/);
  if (begin < 0) return "";
  const end = text.indexOf("\n", begin);
  return brief(text.slice(begin, end < 0 ? undefined : end).slice(0, 200));
}

/**
 * @param {string} text
 * @returns {number} where a long text is cut; -1 for nowhere
 */
function cutAt(text) {
  // Characters in a line: those that are shown by their number take more.
  const most = (Math.min(globalThis.innerWidth ?? 900, 900) - 80) / 8 * text.length / visible(text).length;
  let lines = 0;
  let cut = -1;
  for (let from = 0; from < text.length;) {
    const end = (text.indexOf("\n", from) + 1 || text.length + 1) - 1;
    const count = Math.max(1, Math.ceil((end - from) / most));
    if (cut < 0 && lines + count >= SHOWN_LINES) {
      cut = Math.min(end, from + Math.floor((SHOWN_LINES - lines) * most));
      // between words: a part of a link is another link
      const word = Math.max(text.lastIndexOf(" ", cut), from - 1);
      if (cut < end && word > 0) cut = word;
      else if (cut < end && /^https?:/i.test(text)) return -1;
      else if ((text.codePointAt(cut - 1) ?? 0) > 0xffff) cut--;
    }
    lines += count;
    if (lines > MAX_LINES) return cut;
    from = end + 1;
  }
  return -1;
}

/** @param {string} text */
function isBigEmoji(text) {
  return text.length <= 40 && EMOJI.test(text.trim());
}

/**
 * Converts spans of code points to spans of UTF-16 units.
 *
 * @param {string} text
 * @param {readonly (readonly number[])[]} marks
 * @returns {[number, number][]}
 */
function spans(text, marks) {
  /** @type {[number, number][]} */
  const found = [];
  let point = 0;
  let unit = 0;
  const to = (/** @type {number} */ target) => {
    while (point < target && unit < text.length) {
      unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
      point++;
    }
    return unit;
  };
  for (const [start = 0, end = 0] of [...marks].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))) {
    if (start < point) continue; // overlaps the one before
    const from = to(start);
    const until = to(end);
    if (until > from) found.push([from, until]);
  }
  return found;
}

/** Writes pieces of a text in order, with the search marks that fall into them. */
class Writer {
  /**
   * @param {Element} element
   * @param {[number, number][]} marks
   */
  constructor(element, marks) {
    this.element = element;
    this.marks = marks;
    this.next = 0;
  }

  /**
   * @param {string} text
   * @param {number} from
   * @param {number} to
   * @param {Element} [into]
   */
  write(text, from, to, into = this.element) {
    let at = from;
    while (at < to) {
      const mark = this.marks[this.next];
      if (!mark || mark[0] >= to) break;
      if (mark[1] <= at) {
        this.next++;
        continue;
      }
      const begin = Math.max(mark[0], at);
      const end = Math.min(mark[1], to);
      if (begin > at) into.append(visible(text.slice(at, begin)));
      into.append(h("mark", {}, visible(text.slice(begin, end))));
      at = end;
      if (mark[1] > to) return;
    }
    if (at < to) into.append(visible(text.slice(at, to)));
  }
}

/**
 * Splits a text into fenced code and what is between.
 *
 * @param {string} text
 * @param {Writer} writer
 * @param {TextOptions} options
 */
function blocks(text, writer, options) {
  let done = 0;
  const state = { names: 0, pieces: 0 };
  for (let line = 0; line >= 0 && line < text.length;) {
    const after = text.indexOf("\n", line);
    if (!text.startsWith("```", line) || after < 0) {
      line = after < 0 ? -1 : after + 1;
      continue;
    }
    const close = text.indexOf("\n```", after);
    if (close < 0 || state.pieces++ >= MAX_PIECES) break; // no fence is closed from here on
    const end = close + 4;
    const rest = text.indexOf("\n", end);
    if (text.slice(end, rest < 0 ? undefined : rest).trim() || text.slice(line + 3, after).includes("`")) {
      line = after + 1;
      continue;
    }
    inline(text, done, line > done ? line - 1 : line, writer, options, state);
    codeBlock(text, after + 1, Math.max(close, after + 1), writer);
    done = rest < 0 ? text.length : rest + 1;
    line = done;
  }
  inline(text, done, text.length, writer, options, state);
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {Writer} writer
 */
function codeBlock(text, from, to, writer) {
  const code = h("code");
  const raw = text.slice(from, to);
  writer.write(text, from, to, code);
  const copy = h("button", {
    class: "copy",
    type: "button",
    on: {
      click: () =>
        void navigator.clipboard?.writeText(raw).then(() => {
          copy.textContent = _("Copied");
          setTimeout(() => copy.textContent = _("Copy"), 2000);
        }),
    },
  }, _("Copy"));
  writer.element.append(h("div", { class: "block" }, h("pre", { dir: "ltr" }, code), copy));
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {Writer} writer
 * @param {TextOptions} options
 * @param {{names: number, pieces: number}} state
 */
function inline(text, from, to, writer, options, state) {
  let done = from;
  let at = from;
  while (at < to && state.pieces < MAX_PIECES) {
    TRIGGER.lastIndex = at;
    const found = TRIGGER.exec(text);
    if (!found || found.index >= to) break;
    at = found.index;
    const [end, element, inner] = piece(text, at, to, options, state);
    if (!element) {
      at = end;
      continue;
    }
    state.pieces++;
    writer.write(text, done, at);
    writer.element.append(element);
    writer.write(text, inner[0], inner[1], element);
    const host = element.dataset.host;
    if (host) writer.element.append(h("span", { class: "host" }, ` [${host}]`));
    at = done = end;
  }
  writer.write(text, done, to);
}

/**
 * What begins at a trigger.
 *
 * @param {string} text
 * @param {number} at
 * @param {number} to
 * @param {TextOptions} options
 * @param {{names: number, pieces: number}} state
 * @returns {[number, HTMLElement | null, [number, number]]} where to go on, the element, and what is written into it
 */
function piece(text, at, to, options, state) {
  const char = text[at];
  let run = at;
  while (run < to && text[run] === char) run++;
  if (char === "`") {
    const close = closing(text, at, run, to);
    return close < 0 ? [run, null, [0, 0]] : [close + run - at, h("code", { dir: "ltr" }), [run, close]];
  }
  if ((char === "@" || char === "#") && (run > at + 1 || state.names >= MAX_NAMES)) return [run, null, [0, 0]];
  const begins = !isWordBefore(text, at);
  if (char === "@" || char === "#") {
    state.names++;
    if (!begins) return [run, null, [0, 0]];
    const [end, element] = char === "@" ? mention(text, at, to, options) : roomLink(text, at, to, options);
    return [end, element, [at, end]];
  }
  state.pieces++; // also what is none: a thrown error costs more than a link
  LINK_END.lastIndex = at;
  let end = Math.min(LINK_END.exec(text)?.index ?? to, to);
  end = withoutPunctuation(text, at, end);
  const element = begins && end - at <= MAX_LINK_CHARS ? link(text.slice(at, end)) : null;
  return [Math.max(end, at + 1), element, [at, end]];
}

/**
 * @param {string} text
 * @param {number} at where the run of ` begins
 * @param {number} run where it ends
 * @param {number} to
 * @returns {number} where the same run begins again on this line; -1 for none
 */
function closing(text, at, run, to) {
  const close = text.indexOf(text.slice(at, run), run);
  const line = text.indexOf("\n", run);
  return close < 0 || close + run - at > to || close === run || (line >= 0 && line < close) ? -1 : close;
}

/**
 * @param {string} text
 * @param {number} at
 */
function isWordBefore(text, at) {
  if (at === 0) return false;
  const unit = text.charCodeAt(at - 1);
  const before = unit >= 0xdc00 && unit < 0xe000 && at > 1 ? text.slice(at - 2, at) : text.slice(at - 1, at);
  return WORD.test(before);
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} end
 * @returns {number} the end of a link without the punctuation of its sentence; a bracket stays where it closes one
 */
function withoutPunctuation(text, from, end) {
  let open = 0;
  for (let at = from; at < end; at++) {
    if (text[at] === "(") open++;
    else if (text[at] === ")") open--;
  }
  while (end > from) {
    const last = text[end - 1] ?? "";
    if (last === ")" && open >= 0) break;
    if (last === ")") open++;
    else if (!".,;:!?'*_~…]}|".includes(last)) break;
    end--;
  }
  return end;
}

/**
 * @param {string} typed
 * @returns {HTMLAnchorElement | null}
 */
function link(typed) {
  if (URL.canParse?.(typed) === false) return null; // cheaper than an error; older browsers have only that
  /** @type {URL} */
  let url;
  try {
    url = new URL(typed);
  } catch {
    return null;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  const shown = typed.slice(typed.indexOf("//") + 2).split(/[/?#\\]/, 1)[0]?.toLowerCase() ?? "";
  const plain = shown.replace(url.protocol === "https:" ? /:443$/ : /:80$/, "");
  const element = h("a", { href: url.href, rel: "noopener noreferrer", target: "_blank", dir: "ltr" });
  // What the browser opens differs from what stands there: other letters, or a name and password before the host.
  if (plain !== url.host) element.dataset.host = url.host;
  return element;
}

/**
 * @param {string} text
 * @param {number} at of the @
 * @param {number} to
 * @param {TextOptions} options
 * @returns {[number, HTMLElement | null]} the end and the element of the longest known name
 */
function mention(text, at, to, options) {
  const rest = text.slice(at + 1, Math.min(to, at + 1 + 2 * MAX_NAME_CHARS)).split("\n", 1)[0] ?? "";
  const words = rest.split(" ", 4);
  for (let count = words.length; count > 0; count--) {
    let name = words.slice(0, count).join(" ");
    for (;;) {
      const key = nameKey(name);
      if (name && options.names?.has(key)) {
        return [at + 1 + name.length, h("span", { class: key === options.me ? "mention self" : "mention" })];
      }
      if (!name || !AFTER_NAME.includes(name.at(-1) ?? "")) break;
      name = name.slice(0, -1);
    }
  }
  return [at + 1, null];
}

/**
 * @param {string} text
 * @param {number} at of the #
 * @param {number} to
 * @param {TextOptions} options
 * @returns {[number, HTMLElement | null]}
 */
function roomLink(text, at, to, options) {
  const rest = text.slice(at + 1, Math.min(to, at + 1 + 2 * MAX_NAME_CHARS)).split(/\s/, 1)[0] ?? "";
  for (let name = rest; name; name = name.slice(0, -1)) {
    const href = options.room?.(name);
    if (href) return [at + 1 + name.length, h("a", { class: "room", href })];
    if (!AFTER_NAME.includes(name.at(-1) ?? "")) break;
  }
  return [at + 1, null];
}
