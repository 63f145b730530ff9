/**
 * One conversation on the screen: its header, the messages, who is typing, the composer, and what stands beside them; how the connection is, and banners.
 *
 * @import {App, Conversation, Refusal} from "../core/types.js"
 */
import { oneLine, visible } from "../core/text.js";
import { BACK, fill, h, icon, later, MORE, PEOPLE, SCREENS, SEARCH, WRITING } from "./dom.js";
import { _, list as listed, ngettext, refusalText } from "./i18n.js";
import { messageList } from "./message_list.js";

const KEPT = 6; // conversations
/** @type {string[]} */
let opened = [];
/** By room, while the page lives: who has invited the user. @type {Map<string, string>} */
export const invitations = new Map();
/** By room: the words with which the user was put out. @type {Map<string, Refusal>} */
export const farewells = new Map();

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
    const { element, end } = app.route.unknown ? elsewhere(app) : nothing();
    return { element, end, focus() {}, routed() {}, ready: Promise.resolve() };
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
  const outgoing = h("div", { class: "tail" });
  const input = writing(app, conversation, outgoing);
  const messages = messageList(app, conversation, {
    reply: (message) => input.ready.then((composer) => composer.reply(message)),
    edit: (message) => input.ready.then((composer) => composer.edit(message)),
    resume: (pending) => input.ready.then((composer) => composer.resume(pending)),
    insert: (text) => input.ready.then((composer) => composer.insert(text)),
    outgoing,
  });
  const head = header(app, conversation);
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
      besideName = wanted;
      beside?.end();
      beside = null;
      side.hidden = !wanted;
      side.setAttribute("aria-label", search ? _("Search") : _("Members"));
      side.replaceChildren();
      if (wanted) {
        await input.ready;
        const made = await later(() =>
          wanted === "search"
            ? import("./search.js").then(({ searchPanel }) => searchPanel)
            : import("./dialogs.js").then(({ membersPanel }) => membersPanel)
        ).catch(() => notLoaded(app));
        if (!made || ended || besideName !== wanted) return;
        beside = made(app, conversation, () => closeBeside(app, wanted));
        fill(side, beside.element);
        const field = search ? side.querySelector("input") : null;
        if (field) field.focus();
        else if (!wide.matches) side.focus(); // it covers the rest
      }
    }
  }

  let ended = false;
  const ends = [
    app.listen((changes) => {
      if (changes.some((change) => "key" in change && change.key === conversation.key)) update();
      input.look();
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
  input.look();
  keepFew(app, conversation.key);

  return {
    element,
    focus: () => input.focus(),
    ready: input.ready,
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

/** @type {typeof import("./composer.js") | null} */
let loaded = null;

/**
 * The composer, which comes behind the first messages. Its field is there from the beginning: what is typed early is kept.
 *
 * @param {App} app
 * @param {Conversation} conversation
 * @param {HTMLElement} outgoing where messages with files stand until they are sent
 */
function writing(app, conversation, outgoing) {
  const early = h("textarea", {
    class: "composer-field",
    rows: 1,
    value: app.drafts.get(conversation.key).text,
    "aria-label": _("Write a message"),
  });
  const { key } = conversation;
  const { value } = early;
  const waiting = h("p", { class: "composer-note", hidden: true });
  const element = h("section", { class: "composer" }, waiting, h("div", { class: "composer-row" }, early));
  /** @type {import("./composer.js").Composer | null} */
  let composer = null;
  let begun = false;
  let ended = false;
  let composing = false;
  /** What was ended with Enter, in order; it is sent by the composer. @type {string[]} */
  const entered = [];
  /** @type {(made: import("./composer.js").Composer) => void} */
  let tell = () => {};
  /** @type {Promise<import("./composer.js").Composer>} */
  const ready = new Promise((resolve) => tell = resolve);
  early.addEventListener("compositionstart", () => composing = true);
  early.addEventListener("compositionend", () => {
    composing = false;
    if (loaded) setTimeout(mount);
  });
  early.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (app.settings.enter === "break" || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    if (!early.value.trim()) return;
    entered.push(early.value);
    waiting.textContent = entered.map((text) => visible(text)).join("\n");
    waiting.hidden = false;
    early.value = "";
  });

  function mount() {
    if (!loaded || composer || ended || composing) return;
    composer = loaded.composer(app, conversation, {
      outgoing,
      lastOwn: () =>
        conversation.window.messages.findLast(({ by, deleted }) => by === app.core.me.id && !deleted) ?? null,
    });
    const focused = document.activeElement === early;
    const { selectionStart, selectionEnd } = early;
    const typed = early.value;
    element.replaceWith(composer.element);
    const field = /** @type {HTMLTextAreaElement} */ (composer.element.querySelector("textarea"));
    const type = (/** @type {string} */ text) => {
      field.value = text;
      field.dispatchEvent(new Event("input"));
    };
    let rest = typed === value && !entered.length ? "" : typed;
    for (const [index, text] of entered.entries()) {
      type(text);
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
      if (!field.value) continue;
      rest = [field.value, ...entered.slice(index + 1), typed].filter(Boolean).join("\n"); // it did not take that
      break;
    }
    if (rest && rest !== field.value) type(rest);
    if (focused) {
      composer.focus();
      const before = field.value.length - typed.length;
      field.setSelectionRange(before + selectionStart, before + selectionEnd);
    }
    tell(composer);
  }

  async function load() {
    try {
      loaded = await later(() => import("./composer.js"), WRITING);
      mount();
    } catch {
      setTimeout(() => ended || load(), 2000);
    }
  }
  mount(); // where it is loaded already

  return {
    ready,
    /** The element that is there now. */
    get element() {
      return composer?.element ?? element;
    },
    /** Loads it once the first messages are there, or cannot come. */
    look() {
      if (begun) return;
      if (!conversation.window.loaded && app.core.phase === "online") return;
      begun = true;
      load();
    },
    focus: () => composer ? composer.focus() : early.focus(),
    end() {
      ended = true;
      if (composer) return composer.end();
      const text = [...entered, early.value].filter(Boolean).join("\n");
      // a command may hold a password
      if (text !== value && !/^\s*[/／]/m.test(text)) app.drafts.put(key, { ...app.drafts.get(key), text });
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
 */
function header(app, conversation) {
  const room = conversation.kind === "room";
  const name = h(room ? "span" : "button", { class: "name", on: { click: card } });
  const topic = h("button", { class: "topic", "aria-expanded": "false", on: { click: whole } });
  const count = h("span");
  async function card() {
    if (room) return;
    const { id, name } = conversation;
    const loaded = await later(() => import("./dialogs.js")).catch(() => notLoaded(app));
    loaded?.openPerson({ app, conversation, person: { id, name } });
  }
  function whole() {
    topic.setAttribute("aria-expanded", String(topic.getAttribute("aria-expanded") === "false"));
  }
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
    const load = () => Promise.all([import("./menu.js"), import("./actions.js")]);
    const loaded = await later(load, WRITING).catch(() => notLoaded(app));
    if (!loaded) return;
    const [{ openMenu }, { menuItems, notifyItems }] = loaded;
    openMenu(more, [
      ...menuItems("conversation", { app, conversation }),
      ...(room ? [null, ...notifyItems(app, conversation)] : []),
    ]);
  }, { "aria-haspopup": "menu" });
  const element = h(
    "header",
    { class: "bar" },
    button(_("Back to the conversations"), BACK, () => app.go({ key: null }), { "data-narrow": "" }),
    h("div", { class: "titles" }, h("h1", { class: "title" }, name), topic),
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

/** @param {App} app @param {string} name */
function closeBeside(app, name) {
  if (name === "members") app.set("membersOpen", false);
  if (app.route.panel === name) app.go({ panel: "" });
}

/** @param {App} app */
export function toggleMembers(app) {
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
  try {
    if (panel === "help") dialog = (await later(() => import("./dialogs.js"))).openHelp(app, closed);
    else if (panel === "settings") dialog = (await later(() => import("./settings.js"))).openSettings(app, closed);
    else if (panel === "room" && conversation) {
      dialog = (await later(() => import("./dialogs.js"))).openRoom(app, conversation, closed);
    } else endRoute();
  } catch {
    notLoaded(app);
    closed();
  }
}

/** @param {App} app */
function notLoaded(app) {
  app.toast(_("This works when you are connected."));
}

/**
 * What stands where no conversation is known: a screen that comes later.
 *
 * @param {App} app
 */
function elsewhere(app) {
  const element = h("div", { class: "empty" }, h("p", {}, _("One moment…")));
  let end = () => {};
  let ended = false;
  async function load() {
    try {
      const { unknownPlace } = await later(() => import("./entrance.js"), SCREENS);
      if (!ended) end = unknownPlace(app, element);
    } catch {
      setTimeout(() => ended || load(), 2000);
    }
  }
  load();
  return {
    element,
    end() {
      ended = true;
      end();
    },
  };
}

const nothing = () => ({ element: h("div", { class: "empty" }, h("p", {}, _("Choose a conversation."))), end() {} });

// --- order ---

/**
 * Sorts conversations: those with mentions and dialogues with unread messages, then other unread ones, then the rest, to which muted rooms
 * belong; each by the last message, the newest first, those without one behind, by name. The terminal's list has the same order
 * (client/ui/screen_model/conversation_list.py), by the same cases: tests/golden/conversation_order.json.
 *
 * @param {Iterable<Conversation>} conversations
 * @param {Readonly<Record<string, string>>} notify the choice of each room that has one
 */
export function sorted(conversations, notify = {}) {
  /** @param {Conversation} one */
  const rank = (one) => rankOf(one, notify);
  return [...conversations].sort((one, other) =>
    rank(one) - rank(other) || (other.last?.seq ?? 0) - (one.last?.seq ?? 0) || one.name.localeCompare(other.name) ||
    one.id - other.id
  );
}

/** The rank of those without anything unread, and of muted rooms. */
export const REST = 2;

/**
 * @param {Conversation} conversation
 * @param {Readonly<Record<string, string>>} notify
 */
export function rankOf({ kind, name, unread, mentions }, notify) {
  if (!unread || (kind === "room" && notify[name] === "none")) return REST;
  return kind === "direct" || mentions ? 0 : 1;
}

// --- status ---

// Says how the connection is, and what the user should know of the page: the line beside the composer, and banners.

const MOST_NOTICES = 3;

/**
 * Says how the connection is.
 *
 * @param {App} app
 * @returns {{text: string, kind: "ok" | "busy" | "lost", wait: boolean}} wait: a person may shorten it
 */
export function statusText(app) {
  const { core } = app;
  if (core.phase === "online") {
    const count = core.pending.filter(({ state }) => state !== "failed").length;
    if (count) return { text: ngettext("Sending {n}", "Sending {n}", count), kind: "busy", wait: false };
    if (core.catchingUp) return { text: _("Catching up"), kind: "busy", wait: false };
    return { text: _("Connected"), kind: "ok", wait: false };
  }
  if (core.phase === "naming" && core.waitsUntilS === null) return { text: "", kind: "ok", wait: false };
  const offline = navigator.onLine === false;
  if (core.waitsUntilS === null) {
    return { text: offline ? _("No network") : _("Connecting…"), kind: offline ? "lost" : "busy", wait: false };
  }
  const n = Math.max(1, Math.ceil(core.waitsUntilS - app.now()));
  if (core.phase === "naming") { // connected: the server wants the hello later
    return { text: ngettext("Trying again in {n} s", "Trying again in {n} s", n), kind: "busy", wait: false };
  }
  const text = offline ? _("No network") : ngettext("Reconnecting in {n} s", "Reconnecting in {n} s", n);
  return { text, kind: "lost", wait: true };
}

/**
 * The line that says it, with a button where waiting can be cut short.
 *
 * @param {App} app
 */
export function statusLine(app) {
  const text = h("span", { class: "status-text" });
  const now = h("button", { class: "link", on: { click: () => app.act({ do: "reconnect" }) } }, _("Now"));
  const element = h("div", { class: "status" }, h("span", { class: "dot" }), text, now);
  let shownSending = 0;
  function update() {
    const { text: said, kind, wait } = statusText(app);
    // An answer within half a second is no news.
    if (kind === "busy" && app.core.phase === "online") {
      if (!shownSending) {
        shownSending = setTimeout(update, 500);
        return;
      }
    } else {
      clearTimeout(shownSending);
      shownSending = 0;
    }
    if (text.textContent !== said) text.textContent = said;
    element.dataset.kind = kind;
    now.hidden = !wait;
  }
  const ends = [app.listen(update)];
  const timer = setInterval(update, 1000);
  update();
  return {
    element,
    end() {
      clearInterval(timer);
      clearTimeout(shownSending);
      for (const end of ends) end();
    },
  };
}

/**
 * What the user should know and may put away.
 *
 * @param {App} app
 */
export function banners(app) {
  const element = h("div", { class: "banners", role: "region", "aria-label": _("Notices"), hidden: true });
  /** @type {Set<string>} */
  const away = new Set();
  let shown = "";
  /** @type {{text: string, at: number, refusal: Refusal | null}[]} */
  const notices = [];

  function update() {
    /** @type {[string, string, {label: string, run?: () => void, href?: string}[]][]} */
    const rows = [];
    const { page, facts, invite, core } = app;
    for (const each of notices) {
      const text = each.refusal
        ? refusalText(each.refusal)
        : _("Announcement of the server, {at:clock}: {text}", { at: each.at, text: visible(each.text) });
      rows.push([`notice ${each.at} ${each.text}`, text, []]);
    }
    if (page.needsCa) {
      const links = facts.ca ? [{ label: _("What to do"), href: "/trust" }] : [];
      rows.push([
        "ca",
        _("This browser loads the page but refuses the chat's connection. It needs the server's CA."),
        links,
      ]);
    }
    if (page.outdated) {
      rows.push(["new", _("The server has a newer version of this page."), [{ label: _("Reload"), run: app.restart }]]);
    }
    if (page.storageFailed) {
      rows.push(["storage", _("This browser stores nothing for this page: all works until you close the tab."), []]);
    }
    if (invite && core.me.id) {
      const text = _("You opened an invite, and you are here as {name} already.", { name: oneLine(core.me.name) });
      rows.push(["invite", text, [{ label: _("Log out and use the invite"), run: app.forget }]]);
    }
    const now = JSON.stringify([rows, [...away]]);
    if (now === shown) return; // what is said again would be read again
    shown = now;
    element.hidden = rows.every(([name]) => away.has(name));
    fill(
      element,
      ...rows.filter(([name]) => !away.has(name)).map(([name, text, actions]) =>
        h(
          "div",
          { class: "banner", role: "status" },
          h("span", {}, text),
          ...actions.map(({ label, run, href }) =>
            href ? h("a", { href }, label) : h("button", { class: "link", on: { click: run } }, label)
          ),
          h("button", { class: "link", on: { click: () => (away.add(name), update()) } }, _("Close")),
        )
      ),
    );
  }
  app.onPage(update);
  app.listen((changes) => {
    for (const change of changes) {
      if (change.kind !== "notice") continue;
      notices.push(change);
      if (notices.length > MOST_NOTICES) notices.shift();
    }
    if (changes.some(({ kind }) => kind === "welcome" || kind === "me" || kind === "notice")) update();
  });
  update();
  return { element };
}
