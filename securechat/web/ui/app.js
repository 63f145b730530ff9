/**
 * Lays out the page: which screen there is, the frame of the chat with its sidebar, and what every screen has: announcements, banners, keys.
 *
 * @import {App, Change, Conversation} from "../core/types.js"
 */
import { brief, oneLine } from "../core/text.js";
import {
  banners,
  conversationView,
  farewells,
  invitations,
  openPanel,
  sorted,
  statusLine,
  statusText,
} from "./conversation.js";
import { arrange, CLOSE, fill, h, icon, instead, later, PLUS, SCREENS, SEARCH, SETTINGS, WRITING } from "./dom.js";
import { _, chosenLanguage, keyLabel, ngettext, refusalText, setCatalog, shortTime } from "./i18n.js";
import { nameText } from "./message_row.js";

const WIDE = "(min-width: 900px)";
const TOAST_MS = 6000;

/**
 * @typedef {"blank" | "elsewhere" | "moved" | "ended" | "password" | "entrance" | "connecting" | "chat"} ScreenName
 * @typedef {{element: HTMLElement, end(): void, focus?(): void}} Part
 */

/**
 * Starts the user interface.
 *
 * @param {App} app
 * @param {HTMLElement} root
 */
export function startUi(app, root) {
  const polite = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
  const urgentRegion = h("div", { class: "unseen", role: "alert" });
  const toasts = h("div", { class: "toasts", role: "status" });
  const stage = h("div", { class: "stage" });
  /** @type {Part | null} */
  let part = null;
  /** @type {ScreenName | null} */
  let shown = null;
  /** @type {Extract<Change, {kind: "ended"}> | null} */
  let ended = null;
  /** @type {Extract<Change, {kind: "helloNeeded"}> | null} */
  let helloNeeded = null;
  let welcomed = false;
  let arrives = false; // by the entrance: the lobby opens, also where a narrow screen would show the list
  let password = ""; // typed at the entrance: the temporary one, if the server wants another at once

  /** @returns {ScreenName} */
  function wanted() {
    const { place } = app.page;
    if (place === "elsewhere" || place === "moved") return place;
    if (ended) return "ended";
    if (welcomed && app.core.mustChange) return "password";
    if (helloNeeded || (!welcomed && !app.core.me.name)) return "entrance";
    if (welcomed) return "chat";
    return place === "starting" ? "blank" : "connecting";
  }

  function show() {
    const next = wanted();
    if (next === shown) return;
    shown = next;
    if (next === "chat") put(chat(app, arrives));
    else if (next === "connecting") put(connecting(app));
    else if (next !== "blank") {
      later(() => import("./entrance.js"), SCREENS).then((screens) => shown === next && put(made(screens)), again);
    }
  }

  /** @param {Part} next */
  function put(next) {
    part?.end();
    // Removed, not closed: the address still names what is open, so it is opened again.
    for (const each of document.querySelectorAll("dialog[open]")) each.remove();
    part = next;
    root.dataset.screen = shown ?? "";
    fill(stage, part.element);
    part.focus?.();
  }

  /** A screen could not be loaded. */
  function again() {
    setTimeout(() => {
      shown = null;
      show();
    }, 2000);
  }

  /** @param {typeof import("./entrance.js")} screens @returns {Part} */
  function made({ endedScreen, entrance, passwordScreen, tabScreen }) {
    if (shown === "entrance") return entrance(app, { needed: helloNeeded, typed: (text) => password = text });
    if (shown === "password") return passwordScreen(app, password);
    return shown === "ended" && ended ? endedScreen(app, ended) : tabScreen(app);
  }

  app.listen((changes) => {
    for (const change of changes) {
      if (change.kind === "ended") ended = change;
      else if (change.kind === "helloNeeded") helloNeeded = change;
      else if (change.kind === "welcome") {
        arrives = !welcomed && helloNeeded !== null;
        welcomed = true;
        helloNeeded = null;
      } else if (change.kind === "phase") phaseAnnouncer();
      else tell(app, change);
    }
    show();
  });
  app.onPage(show);
  app.onSetting((name) => {
    if (name === "theme") theme();
    if (name === "language") loadLanguage(app).then(say);
  });

  /** Says everything anew, in another language. */
  function say() {
    shown = null;
    show();
  }

  /** Says when the connection is lost for longer than a moment, and when it is back. */
  let lostTimer = 0;
  let saidLost = false;
  function phaseAnnouncer() {
    if (app.core.phase === "online") {
      clearTimeout(lostTimer);
      lostTimer = 0;
      if (saidLost) announce(_("Connected again"));
      saidLost = false;
    } else if (welcomed && !lostTimer) {
      lostTimer = setTimeout(() => {
        saidLost = true;
        announce(_("The connection is lost. What you write is sent when it is back."));
      }, 2000);
    }
  }

  /** What is outside of an open dialog is neither seen nor read: what is said goes into it, and comes back when it closes. */
  function settle() {
    const host = [...document.querySelectorAll("dialog[open]")].at(-1) ?? root;
    if (toasts.parentNode !== host) host.append(toasts, polite, urgentRegion);
  }
  document.addEventListener("close", ({ target }) => {
    if (target instanceof Node && target.contains(toasts)) root.append(toasts, polite, urgentRegion);
  }, true);

  /** @param {string} text @param {boolean} [urgent] */
  function announce(text, urgent = false) {
    settle();
    const region = urgent ? urgentRegion : polite;
    region.append(h("p", {}, text)); // an addition is read; the same text again would not be
    setTimeout(() => region.firstChild?.remove(), 4000);
  }

  /** @param {string} text @param {{label: string, run: () => void}[]} [actions] */
  function toast(text, actions = []) {
    const element = h("div", { class: "toast" }, h("span", {}, text));
    const end = () => element.remove();
    for (const { label, run } of actions) {
      element.append(h("button", { class: "link", on: { click: () => (end(), run()) } }, label));
    }
    settle();
    toasts.append(element);
    while (toasts.childElementCount > 3) toasts.firstElementChild?.remove();
    const later = () => setTimeout(() => element.matches(":hover, :focus-within") ? later() : end(), TOAST_MS);
    later();
  }

  function theme() {
    document.documentElement.dataset.theme = app.settings.theme;
  }

  theme();
  keepAboveKeyboard();
  loadLanguage(app).then(() => {
    fill(root, banners(app).element, stage, toasts, polite, urgentRegion);
    shown = null; // what was made meanwhile is in English
    show();
  });

  return {
    announce,
    toast,
    words: {
      /** @param {{name: string, text: string, bot?: boolean}} message @param {Conversation} conversation */
      message(message, conversation) {
        const name = nameText(message.name, message.bot);
        const title = conversation.kind === "direct"
          ? name
          : _("{name} in #{room}", { name, room: oneLine(conversation.name) });
        return { title, body: brief([...message.text].slice(0, 200).join("")) };
      },
      /** @param {number} count */
      missed: (count) => ({ title: _("Meanwhile"), body: ngettext("{n} new message", "{n} new messages", count) }),
      place() {
        const conversation = app.core.conversations.get(app.route.key ?? "");
        const name = conversation
          ? (conversation.kind === "room" ? "#" : "") + oneLine(conversation.name)
          : location.host;
        return _("{place} · securechat", { place: name });
      },
    },
  };
}

/**
 * Says at the edge of the screen what has no other place.
 *
 * @param {App} app
 * @param {Change} change
 */
function tell(app, change) {
  switch (change.kind) {
    case "invited": {
      const { room, by } = change;
      invitations.set(room, by.name);
      app.toast(invitation(room, by.name), [{ label: _("Join"), run: () => accept(app, room) }]);
      break;
    }
    case "joined": {
      const { name = "" } = app.core.conversations.get(change.key) ?? {};
      invitations.delete(name);
      farewells.delete(name);
      break;
    }
    case "left": {
      const { refusal } = change;
      if (!refusal) break;
      farewells.set(String(refusal.args.room), refusal);
      app.toast(refusalText(refusal));
      break;
    }
    case "lost":
      app.toast(
        ngettext(
          "{n} message was not sent: you are logged in as another person now",
          "{n} messages were not sent: you are logged in as another person now",
          change.numbers.length,
        ),
      );
      break;
    case "throttled":
      app.toast(_("The server takes your messages more slowly for a while; none is lost."));
  }
}

/** @param {string} room @param {string} by */
const invitation = (room, by) => _("{name} invites you to #{room}", { name: oneLine(by), room: oneLine(room) });

/** @param {App} app @param {string} room */
async function accept(app, room) {
  try {
    app.go({ key: (await app.ask({ ask: "join", room })).key });
  } catch (refusal) {
    app.toast(refusalText(/** @type {import("../core/types.js").Refusal} */ (refusal)));
  }
}

// --- screens ----------------------------------------------------------------------------------------------------------

/** @param {App} app @param {boolean} arrives opens the lobby once @returns {Part} */
function chat(app, arrives) {
  const wide = matchMedia(WIDE);
  const list = sidebar(app);
  const main = h("main", { class: "pane", id: "main", tabIndex: -1 });
  const side = h("aside", { class: "beside", "aria-label": _("Members"), hidden: true, tabIndex: -1 });
  const skip = h("a", {
    class: "skip",
    href: "#main",
    on: { click: instead(() => main.focus()) },
  });
  skip.textContent = _("Skip to the messages");
  const element = h("div", { class: "frame" }, skip, list.element, main, side);
  /** @type {ReturnType<typeof conversationView> | null} */
  let view = null;
  /** @type {string | null | undefined} */
  let key;
  /** @type {string | null | undefined} */
  let from;
  let panel = "";
  /** @type {typeof import("./keys.js") | null} */
  let pressing = null;
  let ended = false;

  function focus() {
    if (element.dataset.pane === "list" && !wide.matches) list.focus(from);
    else if (matchMedia("(pointer: coarse)").matches) main.focus({ preventScroll: true }); // no keyboard by itself
    else view?.focus();
  }

  function show() {
    const { route } = app;
    const pane = element.dataset.pane = route.key || route.unknown ? "conversation" : "list";
    list.element.setAttribute("role", pane === "list" && !wide.matches ? "main" : "navigation"); // it is all there is
    const lobby = arrives && app.core.roomNamed("lobby");
    if (lobby) {
      arrives = false;
      if (route.key === null && !route.unknown) return app.go({ key: lobby.key, panel: route.panel });
    }
    if (route.key === null && !route.unknown && wide.matches) {
      const first = list.first();
      if (first) return app.go({ key: first.key, panel: route.panel }, true);
    }
    const wantedKey = route.key ?? (route.unknown ? JSON.stringify(route.unknown) : null);
    if (wantedKey !== key) {
      from = key;
      key = wantedKey;
      view?.end();
      view = conversationView(app, side);
      fill(main, view.element);
      focus();
      view.ready.then(() => later(() => import("./keys.js"), WRITING)).then((loaded) => {
        if (!pressing && !ended) ends.push(loaded.follow(app));
        pressing = loaded;
      }, () => {});
    } else view?.routed();
    const ofList = key === null ? route.panel : "";
    if (ofList !== panel) {
      panel = ofList;
      openPanel(app, null);
    }
    list.routed();
  }

  const ends = [
    app.onRoute(show),
    app.listen((changes) => {
      if (changes.some(({ kind }) => kind === "reset")) {
        key = undefined; // the conversations are others
        show();
      } else if (key === null && changes.some(({ kind }) => kind === "conversations" || kind === "joined")) show();
    }),
  ];
  wide.addEventListener("change", show);
  const regions = () => [list.element, main.querySelector(".message-list"), main.querySelector(".composer"), side];
  const keys = (/** @type {KeyboardEvent} */ event) => pressing?.pressed(app, event, regions);
  document.addEventListener("keydown", keys);
  show();
  return {
    element,
    focus,
    end() {
      ended = true;
      for (const end of ends) end();
      wide.removeEventListener("change", show);
      document.removeEventListener("keydown", keys);
      view?.end();
      list.end();
    },
  };
}

/** @param {App} app @returns {Part} */
function connecting(app) {
  const line = h("p", { class: "quiet" });
  const now = h("button", { class: "button", on: { click: () => app.act({ do: "reconnect" }) } }, _("Try now"));
  const element = h(
    "main",
    { class: "notice late" },
    h("h1", {}, _("Connecting to {host}", { host: location.host })),
    line,
    now,
  );
  const update = () => {
    line.textContent = statusText(app).text;
    now.hidden = app.core.waitsUntilS === null;
  };
  const timer = setInterval(update, 1000);
  const end = app.listen(update);
  update();
  return { element, end: () => (clearInterval(timer), end()) };
}

// --- the page ---------------------------------------------------------------------------------------------------------

/** @param {App} app */
async function loadLanguage(app) {
  const wanted = chosenLanguage(app.settings.language, navigator.languages);
  const address = app.facts.files[`messages.${wanted}.json`];
  try {
    setCatalog(address ? await (await fetch(address)).json() : null);
  } catch {
    setCatalog(null); // offline: English
  }
  document.documentElement.lang = address ? wanted : "en";
}

/** Safari lays its keyboard over the page; the frame ends where the visible part ends. */
function keepAboveKeyboard() {
  const view = globalThis.visualViewport;
  if (!view) return;
  const fit = () => {
    const covered = view.scale === 1 ? innerHeight - view.height : 0; // zoomed by the user: leave it
    document.documentElement.style.setProperty("--covered", `${covered > 1 ? covered : 0}px`);
    if (covered > 1) scrollTo(0, 0);
  };
  view.addEventListener("resize", fit);
  view.addEventListener("scroll", fit);
}

// --- sidebar ---

// The rooms and dialogues of the user: what is unread where, and the last words.
//
// In the order of `sorted`, which waits while a mouse is over the list or the keyboard is in it, so that no click and no key meets another row
// than the one it was meant for.

const MOST = 999;

/** @param {App} app */
function sidebar(app) {
  const list = h("ul", { class: "conversations" });
  const invited = h("ul", { class: "invitations" });
  const status = statusLine(app);
  const me = h("span", { class: "me-name" });
  const add = h("button", {
    class: "icon-button",
    "aria-haspopup": "menu",
    "aria-label": _("Add a room or a conversation"),
    title: _("Add a room or a conversation"),
  }, icon(PLUS));
  add.addEventListener("click", () => behind(() => import("./menu.js"), ({ openMenu }) => openMenu(add, addItems())));
  const element = h(
    "div",
    { class: "sidebar", role: "navigation", "aria-label": _("Conversations") },
    h("div", { class: "bar" }, h("h1", { class: "server", title: location.host }, location.host), add),
    h(
      "button",
      { class: "jump", on: { click: () => search((found) => found.openSwitcher(app)) } },
      icon(SEARCH),
      h("span", {}, _("Jump to…")),
      h("kbd", {}, keyLabel("Mod+k")),
    ),
    invited,
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

  /**
   * @template T
   * @param {() => Promise<T>} load
   * @param {(loaded: T) => void} run
   */
  function behind(load, run) {
    later(load).then(run, () => app.toast(_("This works when you are connected.")));
  }
  /** @param {(found: typeof import("./search.js")) => void} run */
  const search = (run) => behind(() => import("./search.js"), run);
  const addItems = () => [
    { label: _("Join or create a room"), run: () => search(({ openRooms }) => openRooms(app)) },
    { label: _("New direct message"), run: () => search(({ openDirect }) => openDirect(app)) },
    { label: _("Keys and commands"), run: () => app.go({ panel: "help" }) },
  ];

  function invites() {
    const away = (/** @type {string} */ room) => (invitations.delete(room), invites());
    const made = [...invitations].map(([room, by]) =>
      h(
        "li",
        {},
        h("span", {}, invitation(room, by)),
        h("button", { class: "link", on: { click: () => accept(app, room) } }, _("Join")),
        h("button", {
          class: "icon-button",
          "aria-label": _("Dismiss"),
          title: _("Dismiss"),
          on: { click: () => away(room) },
        }, icon(CLOSE)),
      )
    );
    fill(invited, ...made);
    invited.hidden = !made.length;
  }

  /** @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map();
  let over = false;
  let waiting = false;
  element.addEventListener("pointerenter", ({ pointerType }) => over = pointerType === "mouse");
  element.addEventListener("pointerleave", () => {
    over = false;
    if (waiting) update();
  });

  list.addEventListener("focusout", () =>
    setTimeout(() => {
      if (waiting && !over) update();
    }));
  const inOrder = () => sorted(app.core.conversations.values(), app.settings.notify);

  function update() {
    const now = inOrder();
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
    // also where one is added: it stands below the others until then
    waiting = (over || list.querySelector(":focus-visible") !== null) && order.length > 0 &&
      [...list.children].some((each, index) => wanted[index] !== each);
    if (!waiting) {
      arrange(list, wanted);
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
    if (changes.some(({ kind }) => kind === "invited" || kind === "joined")) invites();
    if (scheduled || !changes.some(({ kind }) => KINDS.has(kind))) return;
    scheduled = requestAnimationFrame(() => {
      scheduled = 0;
      update();
    });
  });
  const endSettings = app.onSetting(update);
  update();
  invites();
  return {
    element,
    routed: update,
    /** Takes the focus. @param {string | null | undefined} key of the conversation that the user comes from */
    focus: (key) => rows.get(key ?? "")?.element.querySelector("a")?.focus(),
    /** The conversation to show where none is chosen. */
    first: () => app.core.roomNamed("lobby") ?? inOrder()[0] ?? null,
    end() {
      cancelAnimationFrame(scheduled);
      status.end();
      endSettings();
      end();
    },
  };
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
      const called = direct || !mentions ? "" : `@${counted(mentions)}`;
      badge.textContent = called && unread > mentions ? `${called} · ${counted(unread)}` : called || counted(unread);
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
  const text = brief([...last.text].slice(0, 100).join(""));
  if (last.by === app.core.me.id) return _("You: {text}", { text });
  return kind === "direct" ? text : _("{name}: {text}", { name: nameText(last.name, last.bot), text });
}
