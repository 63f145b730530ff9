/**
 * What a key press does: by the table of actions, and by the part of the page that it leads to or moves.
 *
 * @import {App} from "../core/types.js"
 * @import {Place, Row} from "./actions.js"
 */
import { ACTIONS, isPossible, perform } from "./actions.js";
import { MAC } from "./i18n.js";
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

/** Goes to the conversation before. @param {App} app */
export function goBack(app) {
  visited.pop();
  const key = visited.pop() ?? app.route.key;
  if (key && app.core.conversations.has(key)) app.go({ key });
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
  return ACTIONS.find((row) => row.keys?.split(" ").includes(pressedKey) && row.place.split(" ").some(here));
}

/**
 * The name of a key press, as page_keys.js has it.
 *
 * @param {KeyboardEvent} event
 */
function nameOf(event) {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  // with Alt a Mac types another character, and so does a keyboard of another script
  const typed = event.altKey && !/^[\x20-\x7e]$|^.{2,}$/.test(event.key)
    ? event.code.replace(/^(Key|Digit)/, "")
    : event.key;
  return [
    mod && "Mod",
    event.altKey && "Alt",
    // with a character Shift is part of it: "?", "+"
    event.shiftKey && (mod || event.altKey || typed.length > 1) && "Shift",
    (mod || event.altKey) && typed.length === 1 ? typed.toLowerCase() : typed,
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
 * @param {string} pressedKey
 * @param {(Element | null)[]} regions the conversations, the messages, the composer, what stands beside
 * @param {boolean} inText whether the key may move in a text that is written
 * @returns {boolean} whether it is one of them
 */
function moved(app, pressedKey, [conversations, messages], inText) {
  const is = (/** @type {string} */ keys) => keys.split(" ").includes(pressedKey);
  if (is(KEYS.rooms)) {
    const target = targetIn(conversations);
    if (target) target.focus();
    else app.go({ key: null });
    return true;
  }
  if (inText || !messages) return false;
  const scroller = messages.querySelector(".scroller");
  const pages = is(KEYS.page_up) ? -1 : is(KEYS.page_down) ? 1 : 0;
  if (pages) scroller?.scrollBy({ top: pages * scroller.clientHeight * 0.9, behavior: "instant" });
  else if (is(KEYS.present)) messages.dispatchEvent(new Event("present"));
  else if (is(KEYS.select)) targetIn(messages)?.focus();
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
  const typing = event.target instanceof Element && event.target.matches("input, textarea, select");
  if (typing && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) return;
  const written = typing && Boolean(/** @type {HTMLInputElement} */ (event.target).value);
  if (moved(app, nameOf(event), regions(), written)) return event.preventDefault();
  // a Mac moves by words with Option and the arrow keys
  const row = MAC && written && /^Arrow/.test(event.key) ? undefined : actionOfKey(event, "app");
  const context = { app, conversation: app.core.conversations.get(app.route.key ?? "") ?? null };
  if (row && isPossible(row, context)) {
    event.preventDefault();
    perform(row, context);
  } else if (event.key === "Escape" && app.route.panel) {
    event.preventDefault();
    app.go({ panel: "" });
  }
}
