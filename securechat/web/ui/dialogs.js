/**
 * Dialogs about rooms, and the key help.
 *
 * @import {App, Conversation} from "../core/types.js"
 * @import {Context} from "./actions.js"
 */
import { h } from "./dom.js";
import { _ } from "./i18n.js";
import { openDialog } from "./menu.js";

/** @param {App} app */
export function openRooms(app) {
  return openDialog({ title: _("Rooms"), body: h("p", {}, app.core.server) });
}

/** @param {App} app */
export function openDirect(app) {
  return openDialog({ title: _("Direct message"), body: h("p", {}, app.core.server) });
}

/** @param {Context} context */
export function openTopic({ conversation }) {
  return openDialog({ title: _("Topic"), body: h("p", {}, conversation?.room?.topic) });
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 */
export function openDay(app, conversation) {
  return openDialog({ title: _("Go to a day"), body: h("p", {}, app.core.server, conversation.name) });
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 */
export function leaveRoom(app, conversation) {
  return app.ask({ ask: "leaveRoom", key: conversation.key });
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {() => void} [closed]
 */
export function openRoom(app, conversation, closed) {
  return openDialog({ title: _("Room settings"), body: h("p", {}, app.core.server, conversation.name), closed });
}

/**
 * @param {App} app
 * @param {() => void} [closed]
 */
export function openHelp(app, closed) {
  return openDialog({ title: _("Keys and commands"), body: h("p", {}, app.core.server), closed });
}
