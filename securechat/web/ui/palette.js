/**
 * The palette: every action that is possible now, to be found by its words or its command.
 *
 * @import {Context, Row} from "./actions.js"
 * @import {Choice} from "./search.js"
 */
import { ACTIONS, isPossible, perform } from "./actions.js";
import { fitting } from "./commands.js";
import { openComposer } from "./composer.js";
import { _, keyLabel } from "./i18n.js";
import { openPicker } from "./search.js";

const SHOWN = 50;

/** @param {Context} context */
export function openPalette(context) {
  const rows = ACTIONS.filter((row) => row.name !== "palette" && isOffered(row, context));
  openPicker(
    _("Choose an action by its name"),
    _("Action or command"),
    (typed) =>
      fitting(rows, typed.replace(/^\//, ""), (row) => `${row.label()} /${row.name}`, SHOWN).map((row) =>
        choice(row, context)
      ),
  );
}

/** @param {Row} row @param {Context} context */
function isOffered(row, context) {
  const places = row.place.split(" ");
  if (places.includes("app") || places.includes("conversation")) return isPossible(row, context);
  return Boolean(row.usage); // on a message or a person: the command is begun
}

/**
 * @param {Row} row
 * @param {Context} context
 * @returns {Choice}
 */
function choice(row, context) {
  const places = row.place.split(" ");
  const whole = places.includes("app") || places.includes("conversation");
  return {
    label: row.label(),
    detail: row.usage?.() ?? "",
    deed: row.keys && keyLabel(row.keys.split(" ")[0] ?? ""),
    // what opens a window of its own opens it when this one has closed
    run: () => void setTimeout(() => whole ? perform(row, context) : openComposer()?.insert(`/${row.name} `)),
  };
}
