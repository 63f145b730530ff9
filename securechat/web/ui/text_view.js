/**
 * Shows a text that another person wrote: links, code, mentions, rooms and search marks, and no other markup. Every part
 * reaches the page as a text node. One pass from left to right; nothing is searched twice, whatever the text.
 *
 * @typedef {object} TextOptions
 * @property {readonly (readonly number[])[]} [marks] spans [start, end) of a search hit, in code points
 * @property {{has: (key: string) => boolean}} [names] keys of the names that may be mentioned (`nameKey`)
 * @property {(name: string) => string | null} [room] address of a room by its name; null: no link
 * @property {string} [me] key of the user's own name
 * @property {boolean} [whole] show all lines of a long text
 */

import { nameKey, oneLine, visible } from "../core/text.js";
import { h } from "./dom.js";
import { _ } from "./i18n.js";

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
  return oneLine(text.slice(begin, end < 0 ? undefined : end).slice(0, 200));
}

/**
 * @param {string} text
 * @returns {number} where a long text is cut; -1 for nowhere
 */
function cutAt(text) {
  let lines = 0;
  let cut = -1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    lines++;
    if (lines === SHOWN_LINES) cut = at;
    if (lines > MAX_LINES) return cut;
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
