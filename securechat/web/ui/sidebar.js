/**
 * The rooms and dialogues of the user: what is unread where, and the last words.
 *
 * Sorted by the last message, newest first. The order waits while a mouse is over the list, so that no click meets another row than the one
 * it was meant for.
 *
 * @import {App, Conversation} from "../core/types.js"
 */

import { oneLine } from "../core/text.js";
import { keyLabel } from "./actions.js";
import { h, icon } from "./dom.js";
import { _, ngettext, shortTime } from "./i18n.js";
import { PLUS, SEARCH, SETTINGS } from "./icons.js";
import { statusLine } from "./status.js";

const MOST = 999;

/** @param {App} app */
export function sidebar(app) {
  const list = h("ul", { class: "conversations" });
  const status = statusLine(app);
  const me = h("span", { class: "me-name" });
  const add = h("button", {
    class: "icon-button",
    "aria-haspopup": "menu",
    "aria-label": _("Add a room or a conversation"),
    title: _("Add a room or a conversation"),
  }, icon(PLUS));
  add.addEventListener("click", async () => {
    const { openMenu } = await import("./menu.js");
    openMenu(add, addItems(app));
  });
  const element = h(
    "div",
    { class: "sidebar", role: "navigation", "aria-label": _("Conversations") },
    h("div", { class: "bar" }, h("h1", { class: "server", title: location.host }, location.host), add),
    h(
      "button",
      { class: "jump", on: { click: async () => (await import("./switcher.js")).openSwitcher(app) } },
      icon(SEARCH),
      h("span", {}, _("Jump to…")),
      h("kbd", {}, keyLabel("Mod+k")),
    ),
    list,
    h(
      "div",
      { class: "me" },
      h("div", { class: "me-who" }, me, status.element),
      h("button", {
        class: "icon-button",
        "aria-label": _("Settings"),
        title: _("Settings"),
        on: { click: () => app.go({ panel: "settings" }) },
      }, icon(SETTINGS)),
    ),
  );

  /** @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map();
  let over = false;
  let waiting = false;
  element.addEventListener("pointerenter", ({ pointerType }) => over = pointerType === "mouse");
  element.addEventListener("pointerleave", () => {
    over = false;
    if (waiting) update();
  });

  function update() {
    const now = sorted(app.core.conversations.values());
    const keys = new Set(now.map(({ key }) => key));
    for (const [key, old] of rows) {
      if (keys.has(key)) continue;
      old.element.remove();
      rows.delete(key);
    }
    const focused = document.activeElement;
    const order = [...list.children];
    for (const each of now) {
      let known = rows.get(each.key);
      if (!known) {
        known = row(app, each);
        rows.set(each.key, known);
        list.append(known.element);
      }
      known.update(app.route.key === each.key);
    }
    const wanted = now.map(({ key }) => /** @type {Element} */ (rows.get(key)?.element));
    waiting = over && order.length === wanted.length && wanted.some((each, index) => order[index] !== each);
    if (!waiting) {
      wanted.forEach((each, index) => {
        if (list.children[index] !== each) list.insertBefore(each, list.children[index] ?? null);
      });
      if (focused instanceof HTMLElement && list.contains(focused) && document.activeElement !== focused) {
        focused.focus();
      }
    }
    me.textContent = oneLine(app.core.me.name);
  }

  const KINDS = new Set([
    "conversations",
    "conversation",
    "message",
    "messageChanged",
    "joined",
    "left",
    "renamed",
    "me",
    "welcome",
    "reset",
    "typing",
  ]);
  let scheduled = 0;
  const end = app.listen((changes) => {
    if (scheduled || !changes.some(({ kind }) => KINDS.has(kind))) return;
    scheduled = requestAnimationFrame(() => {
      scheduled = 0;
      update();
    });
  });
  const endSettings = app.onSetting(update);
  update();
  return {
    element,
    routed: update,
    /** Takes the focus. @param {string | null | undefined} key of the conversation that the user comes from */
    focus: (key) => rows.get(key ?? "")?.element.querySelector("a")?.focus(),
    /** The conversation to show where none is chosen. */
    first: () => app.core.roomNamed("lobby") ?? sorted(app.core.conversations.values())[0] ?? null,
    end() {
      cancelAnimationFrame(scheduled);
      status.end();
      endSettings();
      end();
    },
  };
}

/**
 * Sorts conversations by their last message; those without one stand behind, by name.
 *
 * @param {Iterable<Conversation>} conversations
 */
export function sorted(conversations) {
  return [...conversations].sort((one, other) =>
    (other.last?.seq ?? 0) - (one.last?.seq ?? 0) || one.name.localeCompare(other.name) || one.id - other.id
  );
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 */
function row(app, conversation) {
  const direct = conversation.kind === "direct";
  const mark = h("span", {
    class: direct ? `sign person person-${conversation.id % 8}` : "sign",
    "aria-hidden": "true",
  });
  const name = h("span", { class: "entry-name" });
  const time = h("time", { class: "entry-time" });
  const words = h("span", { class: "entry-words" });
  const badge = h("span", { class: "badge" });
  const link = h("a", { class: "entry" }, mark, name, time, words, badge);
  const element = h("li", {}, link);
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    app.go({ key: conversation.key });
  });
  /** @type {unknown[]} */
  let shown = [];
  return {
    element,
    /** @param {boolean} current */
    update(current) {
      const { kind, unread, mentions, last, room, typing } = conversation;
      const day = new Date().getDate();
      const choice = app.settings.notify[conversation.name];
      const now = [
        current,
        conversation.name,
        unread,
        mentions,
        last,
        typing.length > 0 && app.settings.typing,
        choice,
        room?.archived,
        room?.topic,
        day,
      ];
      if (now.every((each, index) => each === shown[index])) return; // most rows, whenever something is said
      shown = now;
      const shownName = oneLine(conversation.name);
      mark.textContent = kind === "room" ? "#" : [...shownName][0]?.toUpperCase() ?? "?";
      name.textContent = shownName;
      link.href = app.address({ key: conversation.key });
      if (current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      const loud = direct ? unread : mentions;
      const muted = kind === "room" && choice === "none";
      link.classList.toggle("unread", unread > 0 && !muted);
      link.classList.toggle("faint", room?.archived === true || muted);
      badge.textContent = unread === 0 ? "" : loud > 0 ? counted(loud) : counted(unread);
      badge.classList.toggle("loud", loud > 0);
      badge.setAttribute("aria-label", badgeLabel(unread, direct ? 0 : mentions));
      badge.hidden = unread === 0;
      time.textContent = last ? shortTime(last.at) : "";
      words.textContent = typing.length && app.settings.typing
        ? _("typing…")
        : last
        ? lastWords(app, conversation)
        : room
        ? oneLine(room.topic)
        : "";
    },
  };
}

/** @param {number} count */
const counted = (count) => count >= MOST ? `${MOST}+` : String(count);

/** @param {number} unread @param {number} mentions */
function badgeLabel(unread, mentions) {
  const parts = [ngettext("{n} unread", "{n} unread", unread)];
  if (mentions) parts.push(ngettext("{n} mention", "{n} mentions", mentions));
  return parts.join(", ");
}

/** @param {App} app @param {Conversation} conversation */
function lastWords(app, { kind, last }) {
  if (!last) return "";
  if (last.deleted) return _("Message deleted");
  const text = oneLine([...last.text].slice(0, 100).join(""));
  if (last.by === app.core.me.id) return _("You: {text}", { text });
  return kind === "direct" ? text : _("{name}: {text}", { name: oneLine(last.name), text });
}

/** @param {App} app */
function addItems(app) {
  const dialogs = () => import("./dialogs.js");
  return [
    { label: _("Join or make a room"), run: async () => (await dialogs()).openRooms(app) },
    { label: _("New direct message"), run: async () => (await dialogs()).openDirect(app) },
  ];
}
