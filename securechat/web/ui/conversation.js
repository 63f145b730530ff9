/**
 * One conversation on the screen: its header, the messages, who is typing, the composer, and the members beside it.
 *
 * @import {App, Conversation} from "../core/types.js"
 */

import { oneLine } from "../core/text.js";
import { composer } from "./composer.js";
import { fill, h, icon } from "./dom.js";
import { _, list as listed, ngettext, refusalText } from "./i18n.js";
import { BACK, MORE, PEOPLE, SEARCH } from "./icons.js";
import { messageList } from "./message_list.js";
import { statusLine } from "./status.js";

const KEPT = 6; // conversations
/** @type {string[]} */
let opened = [];

/**
 * Shows what `app.route` names, until it names another.
 *
 * @param {App} app
 * @param {HTMLElement} side where the members stand
 */
export function conversationView(app, side) {
  const { key } = app.route;
  const conversation = key === null ? null : app.core.conversations.get(key) ?? null;
  if (!conversation) {
    const { element, end } = app.route.unknown ? unknownPlace(app) : nothing();
    return { element, end, focus() {}, routed() {} };
  }
  return shown(app, conversation, side);
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {HTMLElement} side
 */
function shown(app, conversation, side) {
  const wide = matchMedia("(min-width: 900px)");
  const messages = messageList(app, conversation, {
    reply: (message) => input.reply(message),
    edit: (message) => input.edit(message),
    resume: (pending) => input.resume(pending),
    insert: (text) => input.insert(text),
  });
  const input = composer(app, conversation, {
    lastOwn: () =>
      conversation.window.messages.findLast(({ by, deleted }) => by === app.core.me.id && !deleted) ?? null,
  });
  const head = header(app, conversation, input);
  const typing = h("div", { class: "typing", "aria-live": "off" });
  const status = statusLine(app);
  const element = h(
    "div",
    { class: "conversation" },
    head.element,
    messages.element,
    h("div", { class: "under" }, typing, status.element),
    input.element,
  );

  function update() {
    head.update();
    const names = app.settings.typing ? conversation.typing.map(({ name }) => oneLine(name)) : [];
    typing.textContent = names.length === 0
      ? ""
      : names.length > 3
      ? _("Several people are typing…")
      : ngettext("{names} is typing…", "{names} are typing…", names.length, { names: listed(names) });
  }

  /** @type {{element: HTMLElement, end(): void} | null} */
  let beside = null;
  let besideName = "";
  /** @type {HTMLElement | null} */
  let backTo = null;
  let panel = "";
  async function panels() {
    const { route, settings } = app;
    const search = route.panel === "search";
    const members = route.panel === "members" || (wide.matches && settings.membersOpen);
    const wanted = search ? "search" : members && conversation.kind === "room" ? "members" : "";
    head.pressed(wanted);
    if (route.panel !== panel) {
      panel = route.panel;
      openPanel(app, conversation);
    }
    if (wanted !== besideName) {
      const { activeElement } = document;
      if (activeElement instanceof HTMLElement && !side.contains(activeElement)) backTo = activeElement;
      besideName = wanted;
      beside?.end();
      beside = null;
      side.hidden = !wanted;
      side.replaceChildren();
      if (wanted) {
        const made = wanted === "search"
          ? (await import("./search.js")).searchPanel
          : (await import("./members.js")).membersPanel;
        if (ended || besideName !== wanted) return;
        beside = made(app, conversation, () => closeBeside(app, wanted));
        fill(side, beside.element);
        const field = search ? side.querySelector("input") : null;
        if (field) field.focus();
        else if (!wide.matches) side.focus(); // it covers the rest
      }
      if (document.activeElement === document.body) backTo?.focus();
    }
  }

  let ended = false;
  const ends = [
    app.listen((changes) => {
      if (changes.some((change) => "key" in change && change.key === conversation.key)) update();
    }),
    app.onSetting((name) => {
      if (name === "membersOpen") panels();
      if (name === "typing") update();
    }),
  ];
  wide.addEventListener("change", panels);
  update();
  panels();
  let { seq } = app.route;
  app.act(
    seq === null ? { do: "open", key: conversation.key, unread: true } : { do: "open", key: conversation.key, seq },
  );
  keepFew(app, conversation.key);

  return {
    element,
    focus: () => input.focus(),
    routed() {
      panels();
      if (app.route.seq === seq) return; // only a panel was opened or closed
      seq = app.route.seq;
      if (seq !== null) messages.select(seq);
    },
    end() {
      ended = true;
      wide.removeEventListener("change", panels);
      for (const end of ends) end();
      beside?.end();
      side.hidden = true;
      side.replaceChildren();
      status.end();
      messages.end();
      input.end();
    },
  };
}

/**
 * Keeps the conversations that were on the screen last loaded, so that a change between them shows at once.
 *
 * @param {App} app
 * @param {string} key
 */
function keepFew(app, key) {
  opened = [...opened.filter((each) => each !== key), key];
  if (opened.length > KEPT) app.act({ do: "close", key: /** @type {string} */ (opened.shift()) });
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {ReturnType<typeof composer>} input
 */
function header(app, conversation, input) {
  const name = h("h1", { class: "title" });
  const topic = h("p", { class: "topic" });
  const count = h("span");
  const room = conversation.kind === "room";
  const button = (
    /** @type {string} */ label,
    /** @type {string} */ path,
    /** @type {(event: Event) => void} */ click,
    more = {},
  ) => h("button", { class: "icon-button", "aria-label": label, title: label, ...more, on: { click } }, icon(path));
  const people = h(
    "button",
    {
      class: "icon-button counted",
      title: _("Members"),
      on: { click: () => toggleMembers(app) },
    },
    icon(PEOPLE),
    count,
  );
  const more = button(_("More"), MORE, async () => {
    const [{ openMenu }, { menuItems }] = await Promise.all([import("./menu.js"), import("./actions.js")]);
    openMenu(more, [
      ...menuItems("conversation", { app, conversation, composer: input }),
      ...(room ? [null, ...notifyItems(app, conversation)] : []),
    ]);
  }, { "aria-haspopup": "menu" });
  const element = h(
    "header",
    { class: "bar" },
    button(_("Back to the conversations"), BACK, () => app.go({ key: null }), { "data-narrow": "" }),
    h("div", { class: "titles" }, name, topic),
    button(_("Search"), SEARCH, () => app.go({ panel: "search" })),
    room && people,
    more,
  );
  return {
    element,
    /** @param {string} open what stands beside the messages */
    pressed: (open) => people.setAttribute("aria-pressed", String(open === "members")),
    update() {
      const shownName = (room ? "#" : "") + oneLine(conversation.name);
      if (name.textContent !== shownName) name.textContent = shownName;
      const { topic: text = "", archived = false, readOnly = false, private: closed = false, total = 0 } =
        conversation.room ?? {};
      const marks = [archived && _("archived"), closed && _("private"), readOnly && _("read-only")].filter(Boolean)
        .join(", ");
      const line = [marks, oneLine(text)].filter(Boolean).join(" · ");
      topic.textContent = line;
      topic.title = line;
      topic.hidden = !line;
      count.textContent = total ? String(total) : "";
      people.setAttribute("aria-label", ngettext("{n} member", "{n} members", total));
    },
  };
}

/**
 * What the user wants to hear of in a room.
 *
 * @param {App} app
 * @param {Conversation} conversation
 */
function notifyItems(app, { name }) {
  const now = app.settings.notify[name] ?? "mentions";
  /** @type {["all" | "mentions" | "none", string][]} */
  const choices = [
    ["all", _("Notify: every message")],
    ["mentions", _("Notify: mentions")],
    ["none", _("Notify: nothing")],
  ];
  return choices.map(([choice, label]) => ({
    label,
    checked: choice === now,
    run: () => app.set("notify", { ...app.settings.notify, [name]: choice }),
  }));
}

/** @param {App} app @param {string} name */
function closeBeside(app, name) {
  if (name === "members") app.set("membersOpen", false);
  if (app.route.panel === name) app.go({ panel: "" });
}

/** @param {App} app */
function toggleMembers(app) {
  const wide = matchMedia("(min-width: 900px)").matches;
  if (app.route.panel === "members" || (wide && app.settings.membersOpen)) closeBeside(app, "members");
  else if (wide) app.set("membersOpen", true);
  else app.go({ panel: "members" });
}

/**
 * Opens the dialog that the address names behind "?". Closing it goes back, and going back closes it.
 *
 * @param {App} app
 * @param {Conversation | null} conversation
 */
export async function openPanel(app, conversation) {
  const { panel } = app.route;
  const closed = () => {
    endRoute();
    if (app.route.panel === panel) app.go({ panel: "" });
  };
  /** @type {{close(): void} | undefined} */
  let dialog;
  const endRoute = app.onRoute((route) => route.panel !== panel && dialog?.close());
  if (panel === "help") dialog = (await import("./dialogs.js")).openHelp(app, closed);
  else if (panel === "settings") dialog = (await import("./settings.js")).openSettings(app, closed);
  else if (panel === "room" && conversation) {
    dialog = (await import("./dialogs.js")).openRoom(app, conversation, closed);
  } else endRoute();
}

const nothing = () => ({ element: h("div", { class: "empty" }, h("p", {}, _("Choose a conversation."))), end() {} });

/**
 * A room that the user is not in, or a person without a dialogue; while the page is starting, one that is not known yet.
 *
 * @param {App} app
 */
function unknownPlace(app) {
  const place = app.route.unknown ?? { room: "" };
  const element = h("div", { class: "empty" });
  const back = h(
    "button",
    { class: "link", on: { click: () => app.go({ key: null }, true) } },
    _("Back to the conversations"),
  );

  /** @param {unknown} [refusal] */
  function room(refusal) {
    const name = "room" in place ? place.room : "";
    const join = h("button", { class: "button primary" }, _("Join"));
    join.addEventListener("click", () => app.ask({ ask: "join", room: name }).then(found, room));
    fill(
      element,
      h("h1", {}, _("You are not in #{room}", { room: oneLine(name) })),
      refusal ? h("p", { class: "error", role: "alert" }, refusalText(/** @type {any} */ (refusal))) : null,
      join,
      back,
    );
  }

  /** @param {Conversation} conversation */
  const found = ({ key }) => app.go({ key, seq: app.route.seq }, true);

  async function person() {
    const id = "person" in place ? place.person : 0;
    try {
      const [known] = await app.ask({ ask: "people", ids: [id] });
      if (known) return found(await app.ask({ ask: "openPerson", person: known }));
    } catch {
      // Offline, or nobody of this number.
    }
    fill(element, h("h1", {}, _("This person is not here any more")), back);
  }

  let started = false;
  function start() {
    if (started || app.core.phase !== "online") return;
    started = true;
    if ("room" in place) room();
    else person();
  }
  fill(element, h("p", {}, _("One moment…")));
  start();
  return { element, end: app.listen(start) };
}
