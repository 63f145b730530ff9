/**
 * Says texts, dates and numbers in the user's language. English is the key of each text; other languages come from a
 * catalogue, which tools/translations.py makes. What a catalogue lacks is said in English.
 *
 * A field of a text is {name}, or {name:format}, with the formats of securechat/translation/formatting.py: clock, date,
 * moment and weekday take milliseconds since 1970, duration and shortduration seconds, size bytes, list an array.
 *
 * @import {Refusal} from "../core/types.js"
 * @typedef {Record<string, string | number | readonly string[]>} Values
 * @typedef {object} Catalog
 * @property {string} language
 * @property {Record<string, string | string[]>} texts by English text, behind its context and U+0004 where it has one, or by its
 *   `shortKey`; plural forms are in the order of CLDR's categories
 * @property {Record<string, string>} refusals by reason, or by its `shortKey`
 */

import { oneLine } from "../core/text.js";

/** The languages there are, each in its own words. @type {Readonly<Record<string, string>>} */
export const LANGUAGES = { en: "English", id: "Bahasa Indonesia" };

const CATEGORIES = ["zero", "one", "two", "few", "many", "other"];
/** @type {[number, (n: number) => string][]} */
const UNITS = [
  [86400, (n) => ngettext("{count} day", "{count} days", n)],
  [3600, (n) => ngettext("{count} hour", "{count} hours", n)],
  [60, (n) => ngettext("{count} minute", "{count} minutes", n)],
  [1, (n) => ngettext("{count} second", "{count} seconds", n)],
];
/** @type {[number, (n: number) => string][]} */
const SHORT_UNITS = [
  [86400, (n) => ngettext("{count} d", "{count} d", n)],
  [3600, (n) => ngettext("{count} h", "{count} h", n)],
  [60, (n) => ngettext("{count} min", "{count} min", n)],
  [1, (n) => ngettext("{count} s", "{count} s", n)],
];
const DAY_MS = 86400_000;

/** @type {Catalog} */
const ENGLISH = { language: "en", texts: {}, refusals: {} };
let catalog = ENGLISH;
let formats = formatsOf("en");

/**
 * Returns the language to use: the first one wanted that there is.
 *
 * @param {string} asked by the settings; "" for the browser's
 * @param {readonly string[]} wanted as navigator.languages has them
 * @returns {string} a key of LANGUAGES
 */
export function chosenLanguage(asked, wanted) {
  for (const tag of asked ? [asked] : wanted) {
    const code = (tag.toLowerCase().split("-")[0] ?? "").replace(/^in$/, "id"); // ISO 639 had "in" before 1989
    if (Object.hasOwn(LANGUAGES, code)) return code;
  }
  return "en";
}

/**
 * Makes a language the one in use.
 *
 * @param {Catalog | null} wanted as messages.LANGUAGE.json has it; null: English, which needs none
 */
export function setCatalog(wanted) {
  catalog = wanted ?? ENGLISH;
  formats = formatsOf(catalog.language);
}

/** Returns the language in use. */
export function language() {
  return catalog.language;
}

/**
 * Translates a text and fills in its values.
 *
 * @param {string} text English, with {name} for each value
 * @param {Values} [values]
 * @returns {string}
 */
export function _(text, values = {}) {
  return filled(found(text, 0) ?? text, values);
}

/**
 * Translates a text that means different things in different places.
 *
 * @param {string} context which of them; never shown
 * @param {string} text
 * @param {Values} [values]
 * @returns {string}
 */
export function pgettext(context, text, values = {}) {
  return filled(found(`${context}\u0004${text}`, 0) ?? text, values);
}

/**
 * Translates a text that has a number.
 *
 * @param {string} one English, for 1
 * @param {string} many English, for other numbers
 * @param {number} n chooses, and is the value {n}, also called {count}
 * @param {Values} [values]
 * @returns {string}
 */
export function ngettext(one, many, n, values = {}) {
  const form = formats.categories.indexOf(formats.plural.select(n));
  return filled(found(one, form) ?? (n === 1 ? one : many), { n, count: n, ...values });
}

/**
 * Says a refusal of the server; texts of others in it are made visible.
 *
 * @param {Refusal} refusal
 * @returns {string}
 */
export function refusalText(refusal) {
  const template = inTable(catalog.refusals, refusal.reason);
  /** @type {Values} */
  const values = {};
  for (const [name, value] of Object.entries(refusal.args ?? {})) {
    values[name] = typeof value === "number" ? value : oneLine(value);
  }
  if (template !== undefined && fieldNames(template).every((name) => Object.hasOwn(values, name))) {
    try {
      return filled(template, values);
    } catch { // a value of another kind than its format takes
    }
  }
  return oneLine(found(refusal.text, 0) ?? refusal.text); // the core's own refusals are translated by their text
}

// --- Dates, numbers and lists ---

/**
 * Says a duration in its largest unit, rounded up: "5 minutes".
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const [unit, said] = UNITS.find(([unit]) => seconds >= unit) ?? /** @type {typeof UNITS[0]} */ (UNITS.at(-1));
  return said(Math.max(1, Math.ceil(seconds / unit)));
}

/**
 * Says a duration in its two largest units: "2 h 5 min".
 *
 * @param {number} seconds
 */
export function shortDuration(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [unit, said] of SHORT_UNITS) {
    const count = Math.floor(left / unit);
    left %= unit;
    if (count > 0 || (unit === 1 && parts.length === 0)) parts.push(said(count));
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(" ");
}

/** Says a time of day, "06:13". @param {number} ms */
export function clock(ms) {
  return formats.clock.format(ms);
}

/** Says a day, "29 Nov 2026". @param {number} ms */
export function date(ms) {
  return formats.date.format(ms);
}

/** Says day and time, "29 Nov 2026, 06:13". @param {number} ms */
export function moment(ms) {
  return formats.moment.format(ms);
}

/** Says the day of the week. @param {number} ms */
export function weekday(ms) {
  return formats.weekday.format(ms);
}

/** Says a number with the language's signs, "1,234.5". @param {number} n */
export function number(n) {
  return formats.number.format(n);
}

/**
 * Returns the local day as "2026-11-29": two messages of the same day have the same.
 *
 * @param {number} ms
 */
export function dayKey(ms) {
  const day = new Date(ms);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/**
 * Says a day as a heading: "Today", "Yesterday", "Sunday, 29 November 2026".
 *
 * @param {number} ms
 * @param {number} [now] milliseconds
 */
export function daySeparator(ms, now = Date.now()) {
  const ago = daysBetween(ms, now);
  return ago === 0 ? _("Today") : ago === 1 ? _("Yesterday") : formats.heading.format(ms);
}

/**
 * Says shortly when something was: "06:13", "Yesterday", "Sunday", "29 Nov 2026".
 *
 * @param {number} ms
 * @param {number} [now] milliseconds
 */
export function shortTime(ms, now = Date.now()) {
  const ago = daysBetween(ms, now);
  if (ago === 0) return clock(ms);
  if (ago === 1) return _("Yesterday");
  return ago > 1 && ago < 7 ? weekday(ms) : date(ms);
}

/**
 * Says a number of bytes, "1.5 MiB".
 *
 * @param {number} bytes
 */
export function size(bytes) {
  let unit = "B";
  for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (bytes < 1024) break;
    bytes /= 1024;
    unit = larger;
  }
  return `${number(unit !== "B" && bytes < 10 ? Math.round(bytes * 10) / 10 : Math.round(bytes))} ${unit}`;
}

/** Says texts as an enumeration, "ana, budi and cici". @param {readonly string[]} items */
export function list(items) {
  return formats.list.format(items);
}

/** Whether the keyboard has a command key. */
export const MAC = typeof navigator === "object" && /Mac|iP(hone|ad)/.test(navigator.platform);

/**
 * Says a key.
 *
 * @param {string} keys as the table of actions has it, "Mod+k"
 * @returns {string} as the keyboard of this system names them
 */
export function keyLabel(keys) {
  const names = {
    ...{ Mod: MAC ? "⌘" : _("Ctrl"), Alt: MAC ? "⌥" : "Alt", Shift: MAC ? "⇧" : "Shift" },
    ...{ ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", Delete: _("Del"), Escape: _("Esc") },
  };
  return keys.split("+").map((key) =>
    key in names ? names[/** @type {keyof typeof names} */ (key)] : key.length === 1 ? key.toUpperCase() : key
  ).join(MAC ? "" : "+").replace(/^$/, "+");
}

// --- Looking up ---

/**
 * @param {string} key
 * @param {number} form
 */
function found(key, form) {
  const entry = inTable(catalog.texts, key);
  return Array.isArray(entry) ? entry[form] ?? entry.at(-1) : entry;
}

/**
 * @template T
 * @param {Record<string, T>} table
 * @param {string} key
 * @returns {T | undefined}
 */
function inTable(table, key) {
  if (catalog === ENGLISH) return undefined;
  const short = shortKey(key);
  return Object.hasOwn(table, short) ? table[short] : Object.hasOwn(table, key) ? table[key] : undefined;
}

/**
 * The key of a text or reason in a file: `short_key` of tools/translations.py.
 *
 * @param {string} text
 */
export function shortKey(text) {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return (value % 36 ** 4).toString(36);
}

/** @type {Record<string, (value: any) => string>} */
const FORMATTERS = { clock, date, moment, weekday, number, duration, shortduration: shortDuration, size, list };

/**
 * @param {string} text
 * @param {Values} values never templates themselves
 * @returns {string}
 */
function filled(text, values) {
  return text.replace(/\{\{|\}\}|\{(\w+)(?::(\w+))?\}/g, (whole, name, format) => {
    if (name === undefined) return whole.charAt(0);
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) return whole;
    return (format && FORMATTERS[format]?.(value)) ?? String(value);
  });
}

/** @param {string} template */
function fieldNames(template) {
  return [...template.matchAll(/\{(\w+)(?::\w+)?\}/g)].map((each) => each[1] ?? "");
}

/**
 * @param {number} ms
 * @param {number} now
 */
function daysBetween(ms, now) {
  const start = (/** @type {number} */ at) => new Date(at).setHours(0, 0, 0, 0);
  return Math.round((start(now) - start(ms)) / DAY_MS); // a day of 23 or 25 hours is a day
}

/** @param {string} code */
function formatsOf(code) {
  // British English, as in the terminal: its clock has 24 hours
  const locale = code === "en" ? "en-GB" : code;
  const time = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = /** @type {const} */ ({ day: "numeric", month: "short", year: "numeric" });
  const of = (/** @type {Intl.DateTimeFormatOptions} */ options) => new Intl.DateTimeFormat(locale, options);
  const plural = new Intl.PluralRules(code);
  const used = plural.resolvedOptions().pluralCategories;
  return {
    plural,
    categories: CATEGORIES.filter((each) => used.some((other) => other === each)),
    clock: of(time),
    date: of(day),
    moment: of({ ...day, ...time }),
    weekday: of({ weekday: "long" }),
    heading: of({ weekday: "long", day: "numeric", month: "long", year: "numeric" }),
    number: new Intl.NumberFormat(locale, { maximumFractionDigits: 3 }),
    list: new Intl.ListFormat(locale),
  };
}
