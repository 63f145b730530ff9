/**
 * Says texts in the user's language. English is the key of each text; other languages come from a catalogue.
 *
 * @import {Refusal} from "../core/types.js"
 * @typedef {Record<string, string | number>} Values
 */

/**
 * Translates a text and fills in its values.
 *
 * @param {string} text English, with {name} for each value
 * @param {Values} [values]
 * @returns {string}
 */
export function _(text, values = {}) {
  return filled(text, values);
}

/**
 * Translates a text that has a number.
 *
 * @param {string} one English, for 1
 * @param {string} many English, for other numbers
 * @param {number} n chooses, and is the value {n}
 * @param {Values} [values]
 * @returns {string}
 */
export function ngettext(one, many, n, values = {}) {
  return filled(n === 1 ? one : many, { n, ...values });
}

/**
 * Says a refusal of the server.
 *
 * @param {Refusal} refusal
 * @returns {string}
 */
export function refusalText(refusal) {
  return refusal.text;
}

/**
 * @param {string} text
 * @param {Values} values
 * @returns {string}
 */
function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => name in values ? String(values[name]) : whole);
}
