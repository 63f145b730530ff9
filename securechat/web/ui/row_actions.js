/**
 * What can be done with the rows of a list: keys, the menu of a message, and the buttons beside the one under the pointer.
 *
 * The list is one stop of the Tab key: one row at a time can be reached, and from it what is inside it.
 *
 * @import {App, Conversation} from "../core/types.js"
 * @import {Message} from "../core/records.js"
 * @import {Context} from "./actions.js"
 *
 * @typedef {object} RowSource
 * @property {HTMLElement} rows holds the rows
 * @property {HTMLElement} scroller
 * @property {(row: Element) => Message | null} messageOf
 * @property {(row: HTMLElement) => void} makeCurrent
 * @property {() => void} toPresent
 * @property {Pick<NonNullable<Context["composer"]>, "reply" | "edit" | "insert">} composer
 */

import { actionOfKey, ACTIONS, isPossible, menuItems, perform } from "./actions.js";
import { h, icon, MORE } from "./dom.js";
import { _ } from "./i18n.js";
import { openMenu } from "./menu.js";
import { nameText } from "./message_row.js";

const PRESS_MS = 500; // a long press, as phones count it
const SLOP_PX = 10; // a finger that moves farther scrolls
const REPLY = "M10 6L4 12l6 6M4 12h10a6 6 0 0 1 6 6";
const SMILE = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14.5a4 4 0 0 0 7 0M9 9.5v.5M15 9.5v.5";

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {RowSource} source
 * @returns {() => void} takes it away
 */
export function rowActions(app, conversation, source) {
  const { rows, scroller } = source;
  const tools = h(
    "div",
    { class: "tools" },
    tool("react", SMILE),
    tool("reply", REPLY),
    h(
      "button",
      { type: "button", tabIndex: -1, title: _("More"), "aria-label": _("More"), on: { click: more } },
      icon(MORE),
    ),
  );
  /** @type {HTMLElement | null} */
  let shown = null; // the row that has the buttons

  /**
   * @param {string} name
   * @param {string} path
   */
  function tool(name, path) {
    const action = ACTIONS.find((each) => each.name === name);
    const label = action?.label() ?? name;
    const click = () => {
      const context = shown && contextOf(shown);
      if (action && context) perform(action, context);
    };
    return h("button", {
      type: "button",
      tabIndex: -1,
      title: label,
      "aria-label": label,
      "data-action": name,
      on: { click },
    }, icon(path));
  }

  /** @param {Element} row @returns {Context | null} */
  function contextOf(row) {
    const message = source.messageOf(row);
    if (!message) return null;
    const person = { id: message.by, name: message.name };
    return { app, conversation, message, person, anchor: row, composer: /** @type {any} */ (source.composer) };
  }

  function more() {
    if (shown) menu(shown, tools);
  }

  /**
   * @param {HTMLElement} row
   * @param {Element | {x: number, y: number}} anchor
   * @param {boolean} [touch]
   */
  function menu(row, anchor, touch = false) {
    const context = contextOf(row);
    if (!context) return;
    source.makeCurrent(row);
    const person = context.person ?? app.core.me;
    const other = person.id !== app.core.me.id;
    const back = { ...context, anchor };
    openMenu(anchor, [
      ...menuItems("message", back),
      touch && { label: _("Select text"), run: () => selectText(row) },
      other && null,
      other && { label: `${nameText(person.name)}…`, run: () => people(back, anchor) },
    ]);
  }

  /**
   * @param {Context} context
   * @param {Element | {x: number, y: number}} anchor
   */
  function people(context, anchor) {
    const items = menuItems("person", context);
    if (items.length) openMenu(anchor, items);
  }

  /** @param {Element | null} row */
  function place(row) {
    if (row === shown && (!row || tools.isConnected)) return;
    shown = /** @type {HTMLElement | null} */ (row);
    const context = shown && contextOf(shown);
    if (!shown || !context || context.message?.deleted) {
      tools.remove();
      return;
    }
    for (const button of tools.querySelectorAll("button")) {
      const action = ACTIONS.find((each) => each.name === button.dataset.action);
      button.hidden = Boolean(action && !isPossible(action, context));
    }
    shown.querySelector(".line")?.append(tools);
  }

  /** @param {HTMLElement} row makes its text markable, and marks it: on touch screens a long press is the menu */
  function selectText(row) {
    row.classList.add("selectable");
    const text = row.querySelector(".text");
    if (text) getSelection()?.selectAllChildren(text);
  }

  /** @param {Event} event */
  const rowOf = (
    event,
  ) => /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.(".row") ?? null);

  /** @param {PointerEvent} event */
  function over(event) {
    if (event.pointerType === "mouse") place(rowOf(event));
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    const row = rowOf(event);
    if (!row || event.isComposing || event.defaultPrevented) return;
    if (event.target !== row) {
      if (event.key !== "Escape") return;
      event.preventDefault();
      row.focus();
      return;
    }
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const menuKey = event.key === "ContextMenu" || (event.shiftKey && event.key === "F10");
    if (menuKey || (event.key === "Enter" && plain)) {
      event.preventDefault();
      menu(row, row.querySelector(".main") ?? row);
      return;
    }
    if (plain && !event.shiftKey && step(event.key, row)) {
      pointed = false;
      event.preventDefault();
      return;
    }
    // A row that was only clicked does nothing by a letter: the reader may believe to write.
    if (plain && pointed && event.key.length === 1) return;
    const action = actionOfKey(event, "message");
    const context = action && contextOf(row);
    if (!action || !context || (action.name === "copy" && !getSelection()?.isCollapsed)) return;
    event.preventDefault();
    event.stopPropagation();
    if (isPossible(action, context)) perform(action, context);
  }

  /**
   * @param {string} key
   * @param {HTMLElement} row
   * @returns {boolean} whether the key moves
   */
  function step(key, row) {
    const view = scroller.clientHeight;
    /** @type {Element | null} */
    let to = row;
    const next = (/** @type {"nextElementSibling" | "previousElementSibling"} */ way) => {
      const { top } = row.getBoundingClientRect();
      do to = to?.[way] ?? null; while (
        key.startsWith("Page") && to?.[way] && Math.abs(to.getBoundingClientRect().top - top) < view * 0.8
      );
    };
    if (key === "ArrowUp" || key === "PageUp") next("previousElementSibling");
    else if (key === "ArrowDown" || key === "PageDown") next("nextElementSibling");
    else if (key === "Home") to = rows.firstElementChild;
    else if (key !== "End") return false;
    if (key === "End") {
      source.toPresent();
      to = rows.lastElementChild;
    }
    if (to instanceof HTMLElement) {
      source.makeCurrent(to);
      to.focus({ preventScroll: true });
      to.scrollIntoView({ block: "nearest", behavior: "instant" });
    }
    return true;
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pressing;
  let from = { x: 0, y: 0 };
  let pointed = false;
  /** @param {PointerEvent} event */
  function down(event) {
    clearTimeout(pressing);
    pointed = true;
    const row = rowOf(event);
    for (const each of rows.querySelectorAll(".selectable")) if (each !== row) each.classList.remove("selectable");
    if (event.pointerType !== "touch" || !row || row.classList.contains("selectable")) return;
    if (/** @type {Element} */ (event.target).closest("a, button")) return;
    from = { x: event.clientX, y: event.clientY };
    pressing = setTimeout(() => {
      // The finger that is lifted presses nothing.
      addEventListener("touchend", (end) => end.preventDefault(), { once: true, capture: true, passive: false });
      menu(row, from, true);
    }, PRESS_MS);
  }
  /** @param {PointerEvent} event */
  function move(event) {
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > SLOP_PX) clearTimeout(pressing);
  }
  const lift = () => clearTimeout(pressing);

  /** @param {MouseEvent} event */
  function click(event) {
    const target = /** @type {Element} */ (event.target);
    const row = rowOf(event);
    const context = row && target.closest(".who .name, .avatar") && contextOf(row);
    if (context) people(context, target);
  }

  /** @type {[HTMLElement, string, (event: any) => void][]} */
  const listeners = [
    [rows, "pointerover", over],
    [rows, "pointerleave", () => place(null)],
    [rows, "keydown", keys],
    [rows, "pointerdown", down],
    [rows, "pointermove", move],
    [rows, "pointerup", lift],
    [rows, "pointercancel", lift],
    [scroller, "scroll", lift],
    [rows, "click", click],
    [rows, "focusout", () => pointed = false],
    [rows, "focusin", (event) => {
      const row = rowOf(event);
      if (!row) return;
      source.makeCurrent(row);
      if (row.matches(":focus-visible")) place(row);
    }],
    [rows, "contextmenu", (event) => {
      const row = rowOf(event);
      if (event.pointerType === "touch" && row && !row.classList.contains("selectable") && !event.target.closest("a")) {
        event.preventDefault();
      }
    }],
  ];
  for (const [element, event, listener] of listeners) {
    element.addEventListener(event, listener, { passive: event === "scroll" });
  }
  return () => {
    clearTimeout(pressing);
    tools.remove();
    for (const [element, event, listener] of listeners) element.removeEventListener(event, listener);
  };
}
