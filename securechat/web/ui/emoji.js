/**
 * Chooses an emoji.
 *
 * @import {Context} from "./actions.js"
 */
import { h } from "./dom.js";
import { _ } from "./i18n.js";
import { openDialog } from "./menu.js";

/** @param {Context} context */
export function openReactions({ app }) {
  return openDialog({ title: _("React"), body: h("p", {}, app.settings.recentEmoji.join(" ")) });
}
