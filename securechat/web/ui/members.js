/**
 * Members of a room, and what can be done about a person.
 *
 * @import {App, Conversation} from "../core/types.js"
 * @import {Context} from "./actions.js"
 */
import { h } from "./dom.js";
import { _ } from "./i18n.js";
import { openDialog } from "./menu.js";

/**
 * @param {App} app
 * @param {Conversation} conversation
 */
export function membersPanel(app, conversation) {
  const members = [...conversation.room?.members?.values() ?? []];
  const element = h("ul", { class: "members" }, ...members.map(({ name }) => h("li", {}, name)));
  return { element, end: app.listen(() => {}) };
}

/** @param {Context} context */
export function openPerson({ person }) {
  return openDialog({ title: person?.name ?? "", body: h("p", {}, "") });
}

/** @param {Context} context */
export function openInvite({ person }) {
  return openDialog({ title: _("Invite"), body: h("p", {}, person?.name) });
}

/** @param {Context} context */
export function openUnban({ person }) {
  return openDialog({ title: _("Lift a ban"), body: h("p", {}, person?.name) });
}

/**
 * @param {Context} context
 * @param {"mute" | "kick" | "ban" | "role"} act
 */
export function openModeration({ person }, act) {
  return openDialog({ title: person?.name ?? "", body: h("p", {}, act) });
}
