/**
 * Shows one message, in the list and among search hits. What others wrote reaches the page through `text_view.js` or `visible`.
 *
 * @import {App, Conversation, PendingMessage} from "../core/types.js"
 * @import {Message} from "../core/records.js"
 * @import {TextOptions} from "./text_view.js"
 *
 * @typedef {object} RowContext
 * @property {string} key of the conversation
 * @property {TextOptions} text how its text is shown
 * @property {boolean} [head] whether the author is named: it begins a group
 * @property {boolean} [day] whether it is the first of its day
 * @property {boolean} [fresh] whether the unread begin here
 * @property {((seq: number, from: number) => void) | null} [jump] goes to the message that this one answers
 */

import { oneLine, visible } from "../core/text.js";
import { h } from "./dom.js";
import { _, clock, daySeparator, list, moment, ngettext, refusalText, weekday } from "./i18n.js";
import { firstLine, textView } from "./text_view.js";

const COLOURS = 8; // --person-0 to --person-7
const MOST_NAMED = 3; // people in one line; the others are counted
const LABEL_CHARS = 300; // of a text in the name of its row; the rest is read inside the row

/**
 * The name of a person, or what stands for it.
 *
 * @param {string} name
 * @returns {string} on one line
 */
export function nameText(name) {
  return oneLine(name) || _("deleted account");
}

/**
 * Makes the row of a message.
 *
 * @param {App} app
 * @param {Message} message
 * @param {RowContext} context
 * @returns {HTMLElement}
 */
export function messageRow(app, message, context) {
  return fillRow(h("article", { tabIndex: -1 }), app, message, context);
}

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
  const said = deleted ? _("deleted") : visible(message.text.slice(0, LABEL_CHARS));
  row.setAttribute("aria-label", `${name}, ${time}: ${said}`);
  const stamp = h("time", {
    dateTime: new Date(message.at).toISOString(),
    title: `${weekday(message.at)}, ${moment(message.at)}`,
  }, time);
  row.replaceChildren();
  if (context.day) row.append(h("div", { class: "day" }, h("span", {}, daySeparator(message.at))));
  if (context.fresh) row.append(h("div", { class: "fresh" }, h("span", {}, _("New"))));
  const main = h("div", { class: "main" });
  if (context.head) {
    main.append(h(
      "div",
      { class: "who" },
      h("bdi", { class: `name ${colour}` }, name),
      own && h("span", { class: "you" }, _("you")),
      stamp,
    ));
  }
  if (message.reply && !deleted) main.append(quote(app, message, context));
  const text = deleted ? h("div", { class: "text gone" }, deletedText(message)) : textView(message.text, context.text);
  if (message.edited && !deleted) text.append(editedMark(message));
  main.append(text);
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
    textView(pending.text, context.text),
    h("div", { class: "state" }, pending.kind === "edit" && `${_("Edit")} · `, state),
    failed && h(
      "div",
      { class: "remedies" },
      button(_("Try again"), () => app.act({ do: "retry", number })),
      button(_("Edit"), () => resume(pending)),
      button(_("Copy"), () => navigator.clipboard?.writeText(pending.text)),
      button(_("Discard"), () => app.act({ do: "discard", number })),
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
  const several = (/** @type {Map<number, string>} */ names) => {
    const said = [...names.values()].slice(0, names.size === MOST_NAMED + 1 ? names.size : MOST_NAMED).map(nameText);
    const others = names.size - said.length;
    return list(others > 0 ? [...said, ngettext("{n} other", "{n} others", others)] : said);
  };
  const parts = [
    joined.size > 0 && ngettext("{names} joined", "{names} joined", joined.size, { names: several(joined) }),
    left.size > 0 && ngettext("{names} left", "{names} left", left.size, { names: several(left) }),
    ...[...renamed.values()].slice(0, MOST_NAMED).map((each) =>
      _("{old} is now {name}", { old: nameText(each.old), name: nameText(each.new) })
    ),
  ];
  return h("div", { class: "comings" }, parts.filter(Boolean).join(" · "));
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
    h("span", { class: "sr" }, _("Answers:")),
    answered
      ? h("bdi", { class: `name person-${answered.by % COLOURS}` }, nameText(answered.name))
      : h("span", {}, _("an earlier message")),
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
