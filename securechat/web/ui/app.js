/**
 * Lays out the page: which screen there is, the frame of the chat, and what every screen has: announcements, banners, keys.
 *
 * @import {App, Change, Conversation} from "../core/types.js"
 */

import { oneLine } from "../core/text.js";
import { actionOfKey, isPossible, perform } from "./actions.js";
import { conversationView, openPanel } from "./conversation.js";
import { fill, h, instead } from "./dom.js";
import { entrance, passwordScreen } from "./entrance.js";
import { _, chosenLanguage, ngettext, refusalText, setCatalog } from "./i18n.js";
import { sidebar } from "./sidebar.js";
import { banners, statusText } from "./status.js";

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
    part?.end();
    part = made(next);
    root.dataset.screen = next;
    fill(stage, part.element);
    part.focus?.();
  }

  /** @param {ScreenName} name @returns {Part} */
  function made(name) {
    switch (name) {
      case "chat":
        return chat(app, arrives);
      case "entrance":
        return entrance(app, { needed: helloNeeded, typed: (text) => password = text });
      case "password":
        return passwordScreen(app, password);
      case "connecting":
        return connecting(app);
      case "elsewhere":
        return notice(_("The chat is open in another tab"), _("One tab of this browser has the chat at a time."), [
          { label: _("Use it here"), run: app.takeOver },
        ]);
      case "moved":
        return notice(_("The chat is in another tab now"), _("You went on there. What you typed is there too."), [
          { label: _("Use it here"), run: app.takeOver },
        ]);
      case "ended":
        return endedNotice(app, /** @type {NonNullable<typeof ended>} */ (ended));
      default:
        return { element: h("div"), end() {} };
    }
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
    // Removed, not closed: the address still names what is open, so it is opened again.
    for (const each of document.querySelectorAll("dialog[open]")) each.remove();
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
      /** @param {{name: string, text: string}} message @param {Conversation} conversation */
      message(message, conversation) {
        const name = oneLine(message.name);
        const title = conversation.kind === "direct"
          ? name
          : _("{name} in #{room}", { name, room: oneLine(conversation.name) });
        return { title, body: oneLine([...message.text].slice(0, 200).join("")) };
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
      const join = async () => app.go({ key: (await app.ask({ ask: "join", room })).key });
      app.toast(_("{name} invites you to #{room}", { name: oneLine(by.name), room: oneLine(room) }), [
        { label: _("Join"), run: () => join().catch((refusal) => app.toast(refusalText(refusal))) },
      ]);
      break;
    }
    case "left":
      if (change.refusal) app.toast(refusalText(change.refusal));
      break;
    case "lost":
      app.toast(
        ngettext(
          "{n} message was not sent: you are somebody else now",
          "{n} messages were not sent: you are somebody else now",
          change.numbers.length,
        ),
      );
      break;
    case "throttled":
      app.toast(_("The server takes your messages more slowly for a while; none is lost."));
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
  const keys = (/** @type {KeyboardEvent} */ event) => pressed(app, event, regions);
  document.addEventListener("keydown", keys);
  show();
  return {
    element,
    focus,
    end() {
      for (const end of ends) end();
      wide.removeEventListener("change", show);
      document.removeEventListener("keydown", keys);
      view?.end();
      list.end();
    },
  };
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
    const all = region?.querySelectorAll("[aria-current], [tabindex='0'], textarea, a, input, button") ?? [];
    const shown = /** @type {HTMLElement[]} */ ([...all]).filter((each) => each.offsetParent !== null);
    const target = shown.find((each) => each.matches("[aria-current], [tabindex='0'], textarea")) ?? shown[0];
    if (region && target) there.push({ region, target });
  }
  const here = there.findLastIndex(({ region }) => region.contains(document.activeElement));
  const step = here < 0 ? (back ? -1 : 0) : here + (back ? -1 : 1);
  there.at(step % there.length)?.target.focus();
}

/**
 * Takes the keys that work everywhere.
 *
 * @param {App} app
 * @param {KeyboardEvent} event
 * @param {() => (Element | null)[]} regions
 */
function pressed(app, event, regions) {
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented || document.querySelector("dialog[open]")) {
    return;
  }
  if (event.key === "F6") {
    event.preventDefault();
    return nextRegion(regions(), event.shiftKey);
  }
  const typing = event.target instanceof Element && event.target.matches("input, textarea, select");
  if (typing && event.key.length === 1 && !event.ctrlKey && !event.metaKey) return;
  const row = actionOfKey(event, "app");
  const context = { app, conversation: app.core.conversations.get(app.route.key ?? "") ?? null };
  if (row && isPossible(row, context)) {
    event.preventDefault();
    perform(row, context);
  } else if (event.key === "Escape" && app.route.panel) {
    event.preventDefault();
    app.go({ panel: "" });
  }
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

/**
 * @param {App} app
 * @param {Extract<Change, {kind: "ended"}>} ended
 * @returns {Part}
 */
function endedNotice(app, { why, refusal }) {
  const again = { label: _("Connect again"), run: app.restart };
  const reason = refusal ? refusalText(refusal) : "";
  switch (why) {
    case "replaced":
      return notice(_("The chat is open somewhere else"), _("Another tab or window took it over."), [
        { label: _("Use it here"), run: app.restart },
      ]);
    case "banned":
      return notice(_("This server does not let you in"), reason, [again]);
    case "kicked":
      return notice(_("You were removed"), reason, [again]);
    case "loggedOut":
      return notice(_("You are logged out"), reason, [{ label: _("Log in"), run: app.restart }]);
    case "version":
      return notice(_("This page is older than the server"), _("Reload it to go on."), [{
        label: _("Reload"),
        run: app.restart,
      }]);
    case "left":
      return notice(_("You have left"), _("Your name is free now."), [{ label: _("Come back"), run: app.restart }]);
    default:
      return notice(_("Something went wrong in this page"), reason, [{ label: _("Reload"), run: app.restart }]);
  }
}

/**
 * @param {string} title
 * @param {string} text
 * @param {{label: string, run: () => void}[]} buttons
 * @returns {Part}
 */
function notice(title, text, buttons) {
  const made = buttons.map(({ label, run }) => h("button", { class: "button primary", on: { click: run } }, label));
  const element = h("main", { class: "notice" }, h("h1", {}, title), h("p", {}, text), ...made);
  return { element, end() {}, focus: () => made[0]?.focus() };
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
