/**
 * Menus and dialogs, and what can be done with a row of the list. They close on Escape and give the focus back to where it came from.
 *
 * @import {Message} from "../core/records.js"
 * @import {App, Conversation, Refusal} from "../core/types.js"
 * @import {Context} from "./actions.js"
 * @typedef {object} RowSource
 * @property {HTMLElement} rows holds the rows
 * @property {HTMLElement} scroller
 * @property {(row: Element) => Message | null} messageOf
 * @property {(row: HTMLElement) => void} makeCurrent
 * @property {() => void} toPresent
 * @property {Pick<NonNullable<Context["composer"]>, "reply" | "edit" | "insert">} composer
 */
import { ACTIONS, isPossible, menuItems, perform } from "./actions.js";
import { CLOSE, fill, h, icon, MORE } from "./dom.js";
import { _, refusalText } from "./i18n.js";
import { actionOfKey, nameOf } from "./keys.js";
import { nameText } from "./message_row.js";
import { KEYS } from "./page_keys.js";

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {() => unknown} run called when the menu is closed
 * @property {boolean} [danger]
 * @property {boolean} [disabled]
 * @property {boolean} [checked]
 * @property {string} [keys] as they are shown
 *
 * @typedef {object} Button
 * @property {string} label
 * @property {(dialog: Dialog) => unknown} run the dialog closes behind it, unless it gives false; a Refusal thrown is shown
 * @property {boolean} [danger]
 * @property {boolean} [primary] Enter in a field presses it
 *
 * @typedef {object} Dialog
 * @property {HTMLDialogElement} element
 * @property {() => void} close
 * @property {(text: string, field?: string) => void} refuse says why it cannot be done, beside the field with this name if there is one
 */

const GAP = 8;
let ids = 0;
/** @type {(() => void) | null} */
let closeMenu = null;

/**
 * Opens a menu.
 *
 * @param {Element | {x: number, y: number}} anchor what it belongs to, or a point of the window in CSS pixels
 * @param {readonly (MenuItem | null | undefined | false)[]} items null: a line between two groups
 * @param {string} [name] for screen readers
 * @returns {{close: () => void}}
 */
export function openMenu(anchor, items, name = _("Menu")) {
  closeMenu?.();
  const rows = items.map((item) =>
    item ? button(item) : item === null ? h("hr", { role: "separator", "aria-hidden": "true" }) : null
  );
  const menu = h("div", { class: "menu", role: "menu", "aria-label": name, tabIndex: -1 }, ...rows);
  const shade = h("div", { class: "menu-shade" });
  const choices = /** @type {HTMLElement[]} */ (rows.filter((row) => row instanceof HTMLButtonElement));

  /** @param {MenuItem} item */
  function button(item) {
    return h(
      "button",
      {
        type: "button",
        role: item.checked === undefined ? "menuitem" : "menuitemcheckbox",
        class: item.danger ? "menu-item danger" : "menu-item",
        tabIndex: -1,
        "aria-disabled": item.disabled ? "true" : null,
        "aria-checked": item.checked === undefined ? null : String(item.checked),
        on: {
          click() {
            if (item.disabled) return;
            close();
            item.run();
          },
          /** @param {PointerEvent} event */
          pointermove(event) {
            /** @type {HTMLElement} */ (event.currentTarget).focus({ preventScroll: true });
          },
        },
      },
      h("span", {}, item.label),
      item.keys && h("kbd", {}, item.keys),
    );
  }

  function close() {
    if (closeMenu === close) closeMenu = null;
    removeEventListener("resize", moved);
    shade.remove();
    menu.remove();
  }

  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      return close();
    }
    const to = nextOf(choices, /** @type {HTMLElement} */ (document.activeElement), event);
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
  shade.addEventListener("click", close); // not sooner: the click would reach what is below
  shade.addEventListener("contextmenu", (event) => event.preventDefault()); // of the long press that opened it
  // also the keyboard of a phone, which the menu has closed
  const moved = () => place(menu, anchor);
  addEventListener("resize", moved);
  // in the landmark that it belongs to, and within a dialog that makes all else inert
  const from = anchor instanceof Element ? anchor : document.activeElement;
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  const host = from?.closest("dialog, main, aside, .sidebar") ?? dialog ?? document.querySelector("main") ??
    document.body;
  host.append(shade, menu);
  place(menu, anchor);
  leaveFields();
  (choices[0] ?? menu).focus({ preventScroll: true });
  closeMenu = close;
  return { close };
}

/**
 * The element that an arrow key, Home, End or a letter leads to.
 *
 * @param {readonly HTMLElement[]} choices
 * @param {HTMLElement | null} current
 * @param {KeyboardEvent} event
 * @returns {HTMLElement | undefined}
 */
export function nextOf(choices, current, event) {
  const at = current ? choices.indexOf(current) : -1;
  const count = choices.length;
  switch (event.key) {
    case "ArrowDown":
      return choices[(at + 1) % count];
    case "ArrowUp":
      return choices[(at < 0 ? count : at + count - 1) % count];
    case "Home":
      return choices[0];
    case "End":
      return choices[count - 1];
  }
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const letter = event.key.toLowerCase();
  const others = [...choices.slice(at + 1), ...choices.slice(0, at + 1)];
  return others.find((choice) => choice.textContent?.trim().toLowerCase().startsWith(letter));
}

/**
 * Opens a dialog.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {Node} options.body
 * @param {readonly Button[]} [options.buttons] a button that cancels is added to them
 * @param {boolean} [options.wide]
 * @param {() => void} [options.closed] called once, however it was closed
 * @returns {Dialog}
 */
export function openDialog({ title, body, buttons = [], wide = false, closed }) {
  closeMenu?.();
  const label = `dialog-${++ids}`;
  const alert = h("p", { class: "refusal", role: "alert" });
  const primary = buttons.find((each) => each.primary);
  const form = h(
    "form",
    {
      noValidate: true,
      on: {
        /** @param {SubmitEvent} event */
        submit(event) {
          event.preventDefault();
          if (primary) press(primary);
        },
      },
    },
    h(
      "header",
      {},
      h("h2", { id: label, tabIndex: -1 }, title),
      closeButton(close),
    ),
    h("div", { class: "dialog-body" }, body),
    alert,
    buttons.length > 0 && h(
      "footer",
      {},
      h("button", { type: "button", class: "button", on: { click: () => close() } }, _("Cancel")),
      ...buttons.map((each) =>
        h(
          "button",
          {
            type: each.primary ? "submit" : "button",
            class: each.danger ? "button danger" : each.primary ? "button primary" : "button",
            on: each.primary ? {} : { click: () => press(each) },
          },
          each.label,
        )
      ),
    ),
  );
  const element = h("dialog", { class: wide ? "dialog wide" : "dialog", "aria-labelledby": label }, form);
  const dialog = { element, close, refuse };
  let busy = false;

  /** @param {Button} each */
  async function press(each) {
    if (busy) return;
    busy = true;
    form.setAttribute("aria-busy", "true");
    refuse("");
    try {
      if (await each.run(dialog) !== false) close();
    } catch (error) {
      refuse(refusalOf(error));
    } finally {
      busy = false;
      form.removeAttribute("aria-busy");
    }
  }

  /**
   * @param {string} text
   * @param {string} [field]
   */
  function refuse(text, field) {
    for (const marked of form.querySelectorAll("[aria-invalid]")) marked.removeAttribute("aria-invalid");
    for (const note of form.querySelectorAll(".field-refusal")) note.textContent = "";
    fill(alert, field ? "" : text);
    if (!field || !text) return;
    const input = form.elements.namedItem(field);
    const note = form.querySelector(`[data-refusal="${field}"]`);
    if (!(input instanceof HTMLElement) || !note) return fill(alert, text);
    note.textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  function close() {
    if (element.open) element.close();
  }

  element.addEventListener("close", () => {
    element.remove();
    closed?.();
  });
  element.addEventListener("keydown", (event) => event.stopPropagation());
  let outside = false;
  element.addEventListener("pointerdown", (event) => outside = event.target === element);
  element.addEventListener("click", (event) => {
    if (outside && event.target === element && element.dispatchEvent(new Event("cancel", { cancelable: true }))) {
      close();
    }
  });
  document.body.append(element);
  showModal(element);
  // on touch a field with the focus opens the keyboard
  const field = matchMedia("(pointer: coarse)").matches
    ? "h2"
    : ".dialog-body input:not([type=radio], [type=checkbox])";
  const first = form.querySelector("[autofocus]") ?? form.querySelector(field) ?? form.querySelector(":checked");
  if (first instanceof HTMLElement) first.focus();
  return dialog;
}

/**
 * What stands beside the messages: a title, a button that closes it, and its content.
 *
 * @param {string} title
 * @param {() => void} close
 * @param {...Node} content
 */
export function panel(title, close, ...content) {
  return h(
    "section",
    { class: "panel", "aria-label": title },
    h("header", { class: "bar" }, h("h2", { class: "title" }, title), closeButton(close)),
    ...content,
  );
}

/** @param {() => void} close */
const closeButton = (close) =>
  h("button", { type: "button", class: "icon-button", "aria-label": _("Close"), on: { click: close } }, icon(CLOSE));

/**
 * Asks whether to do something.
 *
 * @param {string} title
 * @param {Node | string} text
 * @param {string} yes what the button says
 * @param {{danger?: boolean, run?: () => unknown}} [options] run: what is done before the dialog closes; a Refusal is shown in it
 * @returns {Promise<boolean>}
 */
export function confirm(title, text, yes, { danger = false, run } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    openDialog({
      title,
      body: typeof text === "string" ? h("p", {}, text) : text,
      buttons: [{
        label: yes,
        danger,
        primary: true,
        async run() {
          await run?.();
          answer = true;
        },
      }],
      closed: () => resolve(answer),
    });
  });
}

/**
 * What to say of an error: the sentence of a refusal, or that something went wrong here.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function refusalOf(error) {
  if (error && typeof error === "object" && "code" in error && "text" in error) {
    const refusal = /** @type {Refusal} */ (error);
    return refusal.code === "offline" ? _("This works when you are connected.") : refusalText(refusal);
  }
  // what is imported later does not load without a connection; all else is a mistake of this page
  if (!(error instanceof TypeError && /import|module/i.test(error.message))) reportError(error);
  return _("This did not work. Check the connection and try again.");
}

// --- focus ---

// What has the focus may be closed, hidden or taken away: what had it before gets it back then, or the nearest that is left of that.

const SURFACES = "dialog, .menu, .panel, .beside, .toasts, .banners, .invitations";
const STOPS = ":is([tabindex='0'], a, button, input, select, textarea):not([tabindex='-1'])";
/** What has the focus, and all it is in; behind a surface, what had it before. @type {Element[]} */
let trail = [];

/** @param {Element | undefined} element */
const isGone = (element) => element && (!element.isConnected || element.closest("[hidden], :disabled"));

/** @param {Element} target */
function took(target) {
  const surface = target.closest(SURFACES);
  const before = surface ? trail.filter((each) => each.isConnected && !surface.contains(each)) : [];
  trail = [];
  for (let each = /** @type {Element | null} */ (target); each && each !== document.body; each = each.parentElement) {
    trail.push(each);
    if (each === surface) break;
  }
  trail.push(...before);
}

/** Forgets the fields that a finger has left: with the focus the keyboard would come back. */
function leaveFields() {
  if (document.activeElement === document.body && matchMedia("(pointer: coarse)").matches) {
    trail = trail.filter((each) => !each.matches("textarea, input"));
  }
}

function giveBack() {
  const touch = matchMedia("(pointer: coarse)").matches; // a field would open the keyboard
  const takes = (/** @type {any} */ each) => {
    each?.focus({ preventScroll: true });
    return each === document.activeElement;
  };
  // a row has the focus itself, not its first link; what stands beside a notice or an unsent message is another one's
  trail.map((each) => each.closest(".row") ?? each).some((each) =>
    !isGone(each) && !each.matches(".toasts, .tail") &&
    (each.matches(`.row, ${STOPS}`) || touch
      ? [each]
      : [each.querySelector("textarea"), ...each.querySelectorAll(STOPS), each])
      .some(takes)
  );
}

if (globalThis.document) { // the unit tests have none
  document.addEventListener("focusin", ({ target }) => took(/** @type {Element} */ (target)));
  took(document.activeElement ?? document.body);
  new MutationObserver(() => isGone(trail[0]) && giveBack()).observe(document.body, {
    attributeFilter: ["hidden", "disabled"],
    childList: true,
    subtree: true,
  });
}

/**
 * Opens a dialog, which is taken away when it closes. Chromium would give the focus back without the cursor of a field,
 * and a window in the background is told nothing of the focus.
 *
 * @param {HTMLDialogElement} dialog
 */
export function showModal(dialog) {
  leaveFields();
  const before = /** @type {HTMLElement} */ (document.activeElement);
  if (before !== document.body) took(before);
  before.blur();
  dialog.showModal();
  dialog.addEventListener("close", () => document.activeElement === document.body && giveBack());
}

/**
 * @param {HTMLElement} menu
 * @param {Element | {x: number, y: number}} anchor
 */
function place(menu, anchor) {
  const box = menu.getBoundingClientRect();
  const at = anchor instanceof Element
    ? anchor.getBoundingClientRect()
    : { left: anchor.x, right: anchor.x, top: anchor.y, bottom: anchor.y };
  const below = at.bottom + box.height + GAP <= innerHeight;
  const left = at.left + box.width + GAP <= innerWidth ? at.left : at.right - box.width;
  const top = below ? at.bottom : at.top - box.height;
  menu.style.left = `${Math.max(GAP, Math.min(left, innerWidth - box.width - GAP))}px`;
  menu.style.top = `${Math.max(GAP, Math.min(top, innerHeight - box.height - GAP))}px`;
}

// --- row actions ---

// What can be done with the rows of a list: keys, the menu of a message, and the buttons beside the one under the pointer.
//
// The list is one stop of the Tab key: one row at a time can be reached, and from it what is inside it.

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
    const person = { id: message.by, name: message.name, bot: message.bot };
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
    const is = (/** @type {string} */ moves) => !pointed && moves.split(" ").includes(nameOf(event));
    const way = is(KEYS.next) ? "ArrowDown" : is(KEYS.previous) ? "ArrowUp" : event.key;
    if (plain && !event.shiftKey && step(way, row)) {
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
    lift();
    pointed = true;
    const row = rowOf(event);
    for (const each of rows.querySelectorAll(".selectable")) if (each !== row) each.classList.remove("selectable");
    if (event.pointerType !== "touch" || !row || row.classList.contains("selectable")) return;
    if (/** @type {Element} */ (event.target).closest("a, button:not(.quote)")) return;
    from = { x: event.clientX, y: event.clientY };
    const mine = pressing = setTimeout(() => {
      requestAnimationFrame(() => { // moves that waited for a busy page come before its frame: this was a scroll then
        if (pressing !== mine) return;
        // The finger that is lifted presses nothing; the next one does.
        const lifted = new AbortController();
        const end = (/** @type {TouchEvent} */ touch) => {
          lifted.abort();
          if (touch.type === "touchend" && touch.cancelable) touch.preventDefault();
        };
        for (const type of /** @type {const} */ (["touchend", "touchcancel", "touchstart"])) {
          addEventListener(type, end, { capture: true, passive: false, signal: lifted.signal });
        }
        menu(row, from, true);
      });
    }, PRESS_MS);
  }
  /** @param {PointerEvent} event */
  function move(event) {
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > SLOP_PX) lift();
  }
  function lift() {
    clearTimeout(pressing);
    pressing = undefined;
  }

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
    lift();
    tools.remove();
    for (const [element, event, listener] of listeners) element.removeEventListener(event, listener);
  };
}
