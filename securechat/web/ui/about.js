/**
 * What a message holds beside its text: its links, and all that is known about it.
 *
 * @import {Message} from "../core/records.js"
 * @import {Context} from "./actions.js"
 */
import { visible } from "../core/text.js";
import { h } from "./dom.js";
import { _, list, moment, ngettext } from "./i18n.js";
import { openDialog, openMenu } from "./menu.js";
import { nameText } from "./message_row.js";

const MOST_NAMES = 20;

/** @param {Message} message @returns {HTMLAnchorElement[]} those of its text, each address once */
export function linksOf({ seq }) {
  const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (
    document.querySelectorAll(`.row[data-seq="${seq}"] .text a[target=_blank]`)
  );
  return [...new Map([...links].map((link) => [link.href, link])).values()];
}

/** Opens its link; of several, the one that is chosen. @param {Context} context */
export function openLink({ message, anchor }) {
  const all = message ? linksOf(message) : [];
  if (all.length < 2) return all[0]?.click();
  openMenu(
    anchor ?? { x: 0, y: innerHeight },
    all.map((link) => ({ label: link.href, run: () => link.click() })),
    _("Open a link"),
  );
}

/** Shows who wrote a message, when, its number, and what became of it. @param {Context} context */
export function openAbout({ app, message }) {
  if (!message) return;
  const nameOf = (/** @type {number} */ id) =>
    id === app.core.me.id ? _("you") : nameText(app.core.nameOf(id) ?? _("someone"));
  const whoReacted = (/** @type {number[]} */ by) => {
    const names = by.slice(0, MOST_NAMES).map(nameOf);
    const others = by.length - names.length;
    return list(others > 0 ? [...names, ngettext("{n} other", "{n} others", others)] : names);
  };
  /** @type {[string, string][]} */
  const rows = [
    [_("Sender"), nameText(message.name)],
    [_("Sent"), moment(message.at)],
    [_("Number"), String(message.seq)],
  ];
  if (message.reply) rows.push([_("Answers message"), String(message.reply)]);
  if (message.edited) rows.push([_("Edited by"), nameText((message.edited_by ?? message).name)]);
  if (message.deleted) rows.push([_("Deleted by"), nameText((message.deleted_by ?? message).name)]);
  for (const { sign, by } of message.reactions ?? []) rows.push([visible(sign), whoReacted(by)]);
  openDialog({
    title: _("About this message"),
    body: h(
      "dl",
      { class: "help-list" },
      ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("bdi", {}, value)))),
    ),
  });
}
