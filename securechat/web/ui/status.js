/**
 * Says how the connection is, and what the user should know of the page: the line beside the composer, and banners.
 *
 * @import {App, Refusal} from "../core/types.js"
 */

import { oneLine, visible } from "../core/text.js";
import { fill, h } from "./dom.js";
import { _, ngettext, refusalText } from "./i18n.js";

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
  if (core.waitsUntilS === null) return { text: _("Connecting…"), kind: "busy", wait: false };
  const n = Math.max(1, Math.ceil(core.waitsUntilS - app.now()));
  if (core.phase === "naming") { // connected: the server wants the hello later
    return { text: ngettext("Trying again in {n} s", "Trying again in {n} s", n), kind: "busy", wait: false };
  }
  const text = navigator.onLine === false
    ? _("No network")
    : ngettext("Reconnecting in {n} s", "Reconnecting in {n} s", n);
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
