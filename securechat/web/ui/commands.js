/**
 * Obeys a line that begins with `/`.
 *
 * @import {Context} from "./actions.js"
 */
import { actionNamed, isPossible } from "./actions.js";
import { _ } from "./i18n.js";

/**
 * @param {string} line
 * @param {Context} context
 * @returns {Promise<{problem: string, clear: boolean}>}
 */
export async function obey(line, context) {
  const [word = "", rest = ""] = line.slice(1).split(/\s+(.*)/s);
  const row = actionNamed(word.toLowerCase());
  if (!row?.usage) return { problem: _("Unknown command {word}", { word: `/${word}` }), clear: false };
  if (rest || !isPossible(row, context)) {
    return { problem: _("This is not possible here."), clear: false };
  }
  await row.run(context);
  return { problem: "", clear: true };
}
