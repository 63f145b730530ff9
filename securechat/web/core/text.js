/** Texts of others made safe to show; code points and UTF-16. */

const BIDI = "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069";
const INVISIBLE =
  "\\u00ad\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u2060-\\u2065\\u206a-\\u206f\\u3164\\ufeff\\uffa0";
const TAGS =
  "\\ufdd0-\\ufdef\\ufff0-\\ufffb\\ufffe\\uffff\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
const HOSTILE = new RegExp(
  `[\\0-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff${BIDI}${INVISIBLE}${TAGS}\\u2506]`,
  "gu",
);
const PILES = /(?:[\p{Mn}\p{Me}]\p{Cf}*){9,}/gu;
const MARK = /[\p{Mn}\p{Me}]/u;
const MOST_MARKS = 8;
const PLAIN = /^[ -~]*$/;

/**
 * Shows what controls, is invisible or reorders as a symbol, as sanitize.py does; newlines stay.
 *
 * @param {string} text anything a peer sent
 * @returns {string}
 */
export function visible(text) {
  if (PLAIN.test(text)) return text;
  return text.replace(HOSTILE, symbol).replace(PILES, withoutPile);
}

/**
 * The same on one line: a newline becomes ⏎, and a typed ⏎ its number.
 *
 * @param {string} text
 * @returns {string}
 */
export function oneLine(text) {
  return visible(text).replaceAll("\u23ce", "<U+23CE>").replaceAll("\n", "\u23ce");
}

/**
 * A message in which files are named, and nothing more: `[file: a.pdf, 1.2 MiB]` is a.pdf.
 *
 * @param {string} text
 */
export const named = (text) => text.replace(/^\[file: (.*?)(, [\d.]+ \w+\])?$/gm, "$1");

/** The same on one line: what is said, then the files. @param {string} text */
export const brief = (text) => {
  const files = /(?:^|\n)\[file: [^\n]*(?:\n\[file: [^\n]*)*$/.exec(text);
  if (!files) return oneLine(named(text));
  const names = files[0].trim().split("\n").map(named);
  return oneLine([named(text.slice(0, files.index)), ...names].filter(Boolean).join(" · "));
};

/** @param {string} char @returns {string} */
function symbol(char) {
  const code = /** @type {number} */ (char.codePointAt(0));
  if (code === 9) return "    ";
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

/** Keeps eight marks of a pile: more cover the lines above. @param {string} pile @returns {string} */
function withoutPile(pile) {
  let marks = 0;
  return Array.from(pile).filter((char) => !MARK.test(char) || ++marks <= MOST_MARKS).join("");
}

/**
 * @param {string} text
 * @returns {number} code points, as the server counts
 */
export function codePointLength(text) {
  let length = text.length;
  for (let index = 1; index < text.length; index++) {
    if ((text.charCodeAt(index) & 0xfc00) === 0xdc00 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800) length--;
  }
  return length;
}

/**
 * Bytes of a text in UTF-8.
 *
 * @param {string} text well formed
 * @returns {number}
 */
export function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}

/**
 * An approximation: the server alone knows which names are the same.
 *
 * @param {string} name
 * @returns {string}
 */
export function nameKey(name) {
  return name.normalize("NFKC").replace(/[\s_]+/g, " ").trim().toLowerCase();
}

/**
 * @param {string} text
 * @param {string} name
 * @returns {boolean} whether the name stands in the text as a word
 */
export function mentions(text, name) {
  const at = text.toLowerCase().indexOf(name.toLowerCase());
  if (!name || at < 0) return false;
  const letter = "[\\p{L}\\p{N}_]"; // no lookbehind: Safari before 16.4 has none
  const escaped = name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return new RegExp(`(?:^|(?!${letter})[^])${escaped}(?!${letter})`, "iu").test(text);
}

/** Replaces halves of surrogate pairs. @param {string} text @returns {string} */
export function wholeText(text) {
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

/**
 * A value to send: half a character would end the connection.
 *
 * @template T
 * @param {T} value
 * @returns {T}
 */
export function wellFormed(value) {
  if (typeof value === "string") return /** @type {any} */ (wholeText(value));
  if (Array.isArray(value)) return /** @type {any} */ (value.map(wellFormed));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return /** @type {any} */ (Object.fromEntries(kept.map(([name, each]) => [name, wellFormed(each)])));
}
