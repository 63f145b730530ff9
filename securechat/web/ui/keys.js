/**
 * What a key press does: by the table of actions, and by the part of the page that it leads to or moves.
 *
 * @import {App} from "../core/types.js"
 * @import {Context, Place, Row} from "./actions.js"
 * @import {Choice} from "./search.js"
 */
import { ACTIONS, isPossible, perform } from "./actions.js";
import { openComposer } from "./composer.js";
import { rankOf, REST, sorted } from "./conversation.js";
import { later } from "./dom.js";
import { _, keyLabel, MAC } from "./i18n.js";
import { KEYS } from "./page_keys.js";

const MOST_VISITED = 50;
/** The conversations that were shown, this one last. @type {string[]} */
const visited = [];

/**
 * Keeps which conversations are shown. The browser's own way back leads out of the page, and through panels.
 *
 * @param {App} app
 * @returns {() => void} ends it
 */
export function follow(app) {
  const note = () => {
    const { key } = app.route;
    if (key && key !== visited.at(-1)) visited.push(key);
    if (visited.length > MOST_VISITED) visited.shift();
  };
  visited.length = 0;
  note();
  return app.onRoute(note);
}

/** Goes to the conversation before, of those that are still there. @param {App} app */
export function goBack({ core, route, go }) {
  const isBefore = (/** @type {string} */ key) => key !== route.key && core.conversations.has(key);
  const at = visited.findLastIndex(isBefore);
  if (at < 0) return;
  visited.length = at + 1;
  go({ key: /** @type {string} */ (visited[at]) });
}

/** Goes to the first of the list with something unread, that is not muted and not shown already. @param {App} app */
export function nextUnread(app) {
  const { core, route, settings: { notify } } = app;
  const others = [...core.conversations.values()].filter(({ key }) => key !== route.key);
  const [next] = sorted(others.filter((each) => rankOf(each, notify) < REST), notify);
  if (next) app.go({ key: next.key });
  else app.toast(_("Everything is read"));
}

/**
 * The action that a key press stands for.
 *
 * @param {KeyboardEvent} event
 * @param {Place} place "message" while a message has the focus, else "app"
 * @returns {Row | undefined}
 */
export function actionOfKey(event, place) {
  const pressedKey = nameOf(event);
  const here = (/** @type {string} */ each) => each === place || (place === "app" && each === "conversation");
  const holds = (/** @type {Row} */ row) => row.name === "palette" || row.place.split(" ").some(here); // it knows of the message
  return ACTIONS.find((row) => row.keys?.split(" ").includes(pressedKey) && holds(row));
}

/** Whether a key press types a character that needs the right Alt. @param {KeyboardEvent} event */
const isGraph = (event) => event.key.length === 1 && Boolean(event.getModifierState?.("AltGraph"));

/**
 * Whether a key press types a character, or begins one, where one writes. On a Mac Option types some, and with Control none.
 *
 * @param {KeyboardEvent} event
 */
const types = (event) =>
  (event.key.length === 1 || event.key === "Dead") &&
  (isGraph(event) || (!event.ctrlKey && !event.metaKey && (MAC || !event.altKey)));

/**
 * The name of a key press, as page_keys.js has it; "" of one that the system keeps.
 *
 * @param {KeyboardEvent} event
 */
export function nameOf(event) {
  const { code = "", key, shiftKey } = event;
  const graph = isGraph(event);
  const alt = event.altKey && !graph;
  const mod = (MAC ? event.metaKey : event.ctrlKey) && !graph;
  if (MAC ? event.ctrlKey && !alt : event.metaKey) return "";
  if (alt && code.startsWith("Numpad")) return ""; // characters by their numbers
  // of another script, of Option on a Mac, and the digits of a keyboard that has them with Shift: by the place of the key
  const placed = (alt && /^Digit/.test(code)) || ((alt || mod) && (key === "Dead" || /^[^\x20-\x7e]$/.test(key)));
  const typed = placed ? code.replace(/^(Key|Digit)/, "") : key;
  return [
    mod && "Mod",
    alt && "Alt",
    // with a character Shift is part of it: "?", "+"
    shiftKey && (mod || alt || typed.length > 1) && "Shift",
    (mod || alt || !shiftKey) && typed.length === 1 ? typed.toLowerCase() : typed, // also with Caps Lock
  ].filter(Boolean).join("+");
}

/**
 * What is shown in a part of the page and can have the focus, the best of it.
 *
 * @param {Element | null | undefined} region
 * @returns {HTMLElement | undefined}
 */
function targetIn(region) {
  const all = region?.querySelectorAll("[aria-current], [tabindex='0'], textarea, a, input, button") ?? [];
  const shown = /** @type {HTMLElement[]} */ ([...all]).filter((each) => each.offsetParent !== null);
  return shown.find((each) => each.matches("[aria-current], [tabindex='0'], textarea")) ?? shown[0];
}

/**
 * Leads the focus to the next part of the page that is shown, or to the one before.
 *
 * @param {(Element | null)[]} regions
 * @param {boolean} back
 */
function nextRegion(regions, back) {
  /** @type {{region: Element, target: HTMLElement}[]} */
  const there = [];
  for (const region of regions) {
    const target = targetIn(region);
    if (region && target) there.push({ region, target });
  }
  const here = there.findLastIndex(({ region }) => region.contains(document.activeElement));
  const step = here < 0 ? (back ? -1 : 0) : here + (back ? -1 : 1);
  there.at(step % there.length)?.target.focus();
}

/**
 * Moves what is shown, or the focus, by the keys that no menu has.
 *
 * @param {App} app
 * @param {KeyboardEvent} event
 * @param {(Element | null)[]} regions the conversations, the messages, the composer, what stands beside
 * @param {HTMLElement | null} text that is written and has the focus
 * @returns {boolean} whether it is one of them
 */
function moved(app, event, [conversations, messages, , beside], text) {
  const pressedKey = nameOf(event);
  const is = (/** @type {string} */ keys) => keys.split(" ").includes(pressedKey);
  if (is(KEYS.rooms)) {
    const target = targetIn(conversations);
    if (target) target.focus();
    else app.go({ key: null });
    return true;
  }
  if (!messages) return false;
  const scroller = messages.querySelector(".scroller");
  const pages = is(KEYS.page_up) ? -1 : is(KEYS.page_down) ? 1 : 0;
  const target = /** @type {Element} */ (event.target);
  if (pages && (conversations?.contains(target) || beside?.contains(target))) return false; // they scroll themselves
  if (text && !(pages && text.scrollHeight <= text.clientHeight)) return false; // the key moves in it
  if (pages) scroller?.scrollBy({ top: pages * scroller.clientHeight * 0.9, behavior: "instant" });
  else if (is(KEYS.present)) messages.dispatchEvent(new Event("present"));
  else if (is(KEYS.select)) targetIn(messages)?.focus({ preventScroll: true }); // it is in sight
  else return false;
  return true;
}

/**
 * Takes the keys that work everywhere.
 *
 * @param {App} app
 * @param {KeyboardEvent} event
 * @param {() => (Element | null)[]} regions
 */
export function pressed(app, event, regions) {
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented || document.querySelector("dialog[open]")) {
    return;
  }
  if (event.key === "F6") {
    event.preventDefault();
    return nextRegion(regions(), event.shiftKey);
  }
  const target = /** @type {HTMLInputElement} */ (event.target);
  const typing = target.matches("input, textarea, select");
  if (typing && types(event)) return;
  const text = typing && target.value ? target : null;
  if (moved(app, event, regions(), text)) return event.preventDefault();
  // a Mac moves by words with Option and the arrow keys
  const row = MAC && text && /^Arrow/.test(event.key) ? undefined : actionOfKey(event, "app");
  const context = { app, conversation: app.core.conversations.get(app.route.key ?? "") ?? null };
  if (row && isPossible(row, context)) {
    event.preventDefault();
    perform(row, context);
  } else if (event.key === "Escape" && app.route.panel) {
    event.preventDefault();
    app.go({ panel: "" });
  } else if (!row && types(event) && event.key !== " " && target.matches(".row, body")) {
    openComposer()?.focus(); // which gets the character
  }
}

// --- palette ---

const MOST_SHOWN = 50;

/** Every action that is possible now, to be found by its words or its command. @param {Context} context */
export async function openPalette(context) {
  const [{ fitting }, { openPicker }] = await later(() =>
    Promise.all([import("./commands.js"), import("./search.js")])
  );
  const rows = ACTIONS.filter((row) => row.name !== "palette" && isOffered(row, context));
  openPicker(
    _("Choose an action by its name"),
    _("Action or command"),
    (typed) =>
      fitting(rows, typed.replace(/^\//, ""), (row) => `${row.label()} /${row.name} ${row.aliases ?? ""}`, MOST_SHOWN)
        .map((
          row,
        ) => choice(row, context)),
  );
}

/**
 * Whether it is about what is shown: the page, the conversation, the message that has the focus.
 *
 * @param {Row} row
 * @param {Context} context
 */
const isWhole = ({ place }, { message }) =>
  place.split(" ").some((each) => each === "app" || each === "conversation" || (message && each === "message"));

/** @param {Row} row @param {Context} context */
function isOffered(row, context) {
  if (isWhole(row, context)) return isPossible(row, context);
  // of others the command is begun, where nothing else is written
  return row.usage && !document.querySelector(".composer-field:not(:placeholder-shown)");
}

/**
 * @param {Row} row
 * @param {Context} context
 * @returns {Choice}
 */
const choice = (row, context) => ({
  label: row.label(),
  detail: row.usage?.() ?? "",
  deed: row.keys && keyLabel(row.keys.split(" ")[0] ?? ""),
  // what opens a window of its own opens it when this one has closed
  run: () =>
    void setTimeout(() => isWhole(row, context) ? perform(row, context) : openComposer()?.insert(`/${row.name} `)),
});
