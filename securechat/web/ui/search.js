/**
 * Finds messages.
 *
 * @import {App, Conversation} from "../core/types.js"
 */
import { h } from "./dom.js";
import { _ } from "./i18n.js";

/**
 * @param {App} app
 * @param {Conversation | null} conversation
 */
export function searchPanel(app, conversation) {
  const element = h("div", { class: "search" }, _("Search"), conversation?.name);
  return { element, end: app.listen(() => {}) };
}
