/**
 * Goes to a room or person by a few letters.
 *
 * @import {App} from "../core/types.js"
 */
import { h } from "./dom.js";
import { _ } from "./i18n.js";
import { openDialog } from "./menu.js";

/** @param {App} app */
export function openSwitcher(app) {
  return openDialog({ title: _("Go to a room or person"), body: h("p", {}, app.core.server) });
}
