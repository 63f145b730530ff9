/**
 * Settings: who is at the other end, the user's account and logins, and how the page looks and tells; bots and tokens.
 *
 * @import {BotInfo, TokenInfo, TokenMade} from "../core/records.js"
 * @import {App, Question, Refusal, Settings} from "../core/types.js"
 *
 * @typedef {Pick<BotInfo, "id" | "name" | "kind" | "tokens"> & {stopped?: boolean, outgoing?: BotInfo["outgoing"]}} Program also a token of the user's own, with the id 0
 */

import { oneLine } from "../core/text.js";
import { CLOSE, fill, h, icon, instead } from "./dom.js";
import { fieldOf } from "./dialogs.js";
import { openFiles } from "./files.js";
import { copyLines, field, stayHint, terminalLines } from "./entrance.js";
import { _, LANGUAGES, ngettext, refusalText } from "./i18n.js";
import { confirm, openDialog, refusalOf, showModal } from "./menu.js";
import { botMark, nameText } from "./message_row.js";

let speaks = false; // another language was chosen: all is said anew, and the focus stays where that was done

/**
 * Opens the settings over what is on the screen.
 *
 * @param {App} app
 * @param {() => void} closed
 */
export function openSettings(app, closed) {
  const close = h("button", {
    class: "icon-button",
    type: "button",
    "aria-label": _("Close"),
    title: _("Close"),
    autofocus: true,
  }, icon(CLOSE));
  const dialog = h(
    "dialog",
    { class: "settings", "aria-labelledby": "settings-title" },
    h("header", { class: "bar" }, h("h2", { class: "title", id: "settings-title" }, _("Settings")), close),
  );
  /** @type {{element: HTMLElement, end?: () => void}[]} */
  const parts = [account(app), logins(app), files(app), looks(app), notices(app), server(app), leaving(app)];
  dialog.append(h("div", { class: "settings-body" }, ...parts.map(({ element }) => element)));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close(); // outside of it
  });
  dialog.addEventListener("close", () => {
    for (const part of parts) part.end?.();
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  showModal(dialog);
  if (speaks) /** @type {HTMLElement | null} */ (dialog.querySelector("[name=language]"))?.focus();
  speaks = false;
  return dialog;
}

/**
 * @param {string} title
 * @param {...import("./dom.js").Child} children
 */
const section = (title, ...children) => h("section", {}, h("h3", {}, title), ...children);

/**
 * A form of a few fields and one button; the reason of a refusal stands beside the field it is about.
 *
 * @param {App} app
 * @param {string} label of the button
 * @param {ReturnType<typeof field>[]} fields
 * @param {() => Promise<string>} submit returns what is said when it is done
 * @param {(refusal: Refusal) => number} [which] index of the field that a refusal is about
 */
function formOf(app, label, fields, submit, which = () => fields.length - 1) {
  const button = h("button", { class: "button", type: "submit" }, label);
  async function run() {
    if (button.ariaDisabled === "true") return;
    for (const each of fields) each.complain("");
    button.ariaDisabled = "true"; // not disabled: it keeps the focus
    try {
      app.toast(await submit());
      for (const { input } of fields) if (input.name.includes("password")) input.value = "";
    } catch (error) {
      const refusal = /** @type {Refusal} */ (error);
      fields[which(refusal)]?.complain(refusalText(refusal), true);
    }
    button.ariaDisabled = "false";
  }
  return h(
    "form",
    { method: "post", action: "/", class: "form", on: { submit: instead(run) } },
    ...fields.map(({ element }) => element),
    button,
  );
}

/** @param {App} app */
function account(app) {
  const element = h("section", {});
  /** @type {boolean | null} */
  let drawn = null;
  let named = "";
  /** @type {HTMLInputElement[]} */
  let names = [];
  function draw() {
    const { core } = app;
    if (core.account === drawn) { // not drawn again under the hands of a person who types
      for (const input of names) if (input.value === named) input.value = core.me.name;
      named = core.me.name;
      return;
    }
    drawn = core.account;
    named = core.me.name;
    const name = field(_("Name"), {
      name: "username",
      autocomplete: "username",
      value: core.me.name,
      maxLength: 256,
      required: true,
    });
    const user = h("input", {
      class: "unseen",
      name: "username",
      autocomplete: "username",
      value: core.me.name,
      readOnly: true,
      tabIndex: -1,
      "aria-hidden": "true",
    });
    const fresh = field(core.account ? _("New password") : _("Password"), {
      name: "new-password",
      type: "password",
      autocomplete: "new-password",
      minLength: 8,
      maxLength: 512,
      required: true,
    }, _("At least 8 characters."));
    const old = field(_("Current password"), {
      name: "password",
      type: "password",
      autocomplete: "current-password",
      required: true,
    });
    const rename = formOf(app, _("Change name"), [name], async () => {
      await app.ask({ ask: "nick", name: name.input.value });
      return _("Others see the new name now");
    });
    const password = core.account
      ? formOf(app, _("Change password"), [old, fresh], async () => {
        await app.ask({ ask: "password", old: old.input.value, new: fresh.input.value });
        return _("The password is changed; all other logins have ended");
      }, ({ code }) => code === "password_invalid" ? 1 : 0)
      : formOf(app, _("Register"), [fresh], async () => {
        await app.ask({ ask: "register", password: fresh.input.value });
        return _("Registered. This name is now yours.");
      });
    names = [name.input, user];
    password.prepend(user);
    fill(
      element,
      h("h3", {}, _("You")),
      rename,
      core.account
        ? h("button", { class: "button", type: "button", on: { click: () => logOut(app) } }, _("Log out"))
        : null,
      h("h4", {}, core.account ? _("Password") : _("Keep your name")),
      core.account ? null : h(
        "p",
        { class: "hint" },
        _("A guest's name is free again when the guest leaves. With a password it stays yours, on every device."),
      ),
      password,
    );
  }
  draw();
  return { element, end: app.listen(draw) };
}

/** @param {App} app */
function files(app) {
  const open = h("button", { class: "button", type: "button", on: { click: () => openFiles(app) } }, _("My files"));
  const element = section(
    _("Files"),
    h("p", { class: "hint" }, _("What you have sent, by size, and how much is left.")),
    open,
  );
  element.hidden = !app.core.features.includes("files");
  return { element };
}

/** @param {App} app */
async function logOut(app) {
  const text = _("Drafts and settings stay in this browser. On a shared computer, delete its data instead, below.");
  if (!await confirm(_("Log out?"), text, _("Log out"))) return;
  app.ask({ ask: "logout" }).catch((refusal) => app.toast(refusalText(refusal)));
}

/** @param {App} app */
function logins(app) {
  const list = h("ul", { class: "logins" });
  const more = app.core.features.includes("bots") &&
    h("button", { class: "button", type: "button", on: { click: () => openPrograms(app) } }, _("Bots and tokens"));
  const element = section(_("Where you are logged in"), list, more);
  async function draw() {
    element.hidden = !app.core.account;
    if (element.hidden) return;
    try {
      const { logins: all } = await app.ask({ ask: "logins" });
      fill(list, ...[...all].reverse().map(row));
      if (!list.childElementCount) fill(list, h("li", { class: "hint" }, _("Nowhere")));
    } catch (error) {
      fill(list, h("li", { class: "error" }, refusalText(/** @type {Refusal} */ (error))));
    }
  }
  /** @param {import("../core/records.js").LoginInfo} login */
  function row({ login, client, address, since, used, online, current }) {
    const when = current ? _("this browser") : online ? _("active now") : _("last active {at:moment}", { at: used });
    const button = h("button", { class: "button", type: "button", on: { click: end } }, _("Log out this device"));
    async function end() {
      const run = () => app.ask({ ask: "logout", login });
      if (!await confirm(_("Log out this device?"), `${oneLine(client)} · ${when}`, _("Log out"), { run })) return;
      app.toast(_("That device is logged out"));
      draw();
    }
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("strong", {}, oneLine(client) || _("unknown software")),
        h("p", { class: "hint" }, `${oneLine(address)} · ${when} · ${_("logged in {at:moment}", { at: since })}`),
      ),
      current ? null : button,
    );
  }
  draw();
  const end = app.listen((changes) => {
    if (element.hidden && changes.some(({ kind }) => kind === "me")) draw(); // registered just now
  });
  return { element, end };
}

/** @param {App} app */
function looks(app) {
  const element = section(
    _("Appearance"),
    choice(app, "theme", _("Theme"), [
      ["system", _("System")],
      ["light", _("Light")],
      ["dark", _("Dark")],
      ["contrast", _("High contrast")],
    ]),
    choice(app, "language", _("Language"), [["", _("Browser's language")], ...Object.entries(LANGUAGES)]),
    choice(app, "enter", _("The Enter key"), [
      ["auto", _("Automatic")],
      ["send", _("Sends the message")],
      ["break", _("Starts a new line")],
    ]),
    h(
      "p",
      { class: "hint" },
      _("Automatic: it sends, and starts a new line on touch screens. Ctrl+Enter always sends."),
    ),
    toggle(app, "typing", _("Show who is typing, and show others when you are")),
  );
  return { element };
}

/** @param {App} app */
function notices(app) {
  const system = toggle(app, "system", _("System notifications"));
  const input = /** @type {HTMLInputElement} */ (system.querySelector("input"));
  const state = h("p", { class: "hint" });
  input.addEventListener("change", async () => {
    if (input.checked) await app.allowNotifications();
  });
  function update() {
    const { notifications } = app.page;
    input.disabled = notifications === "unable" || notifications === "denied";
    if (input.disabled) input.checked = false;
    state.textContent = notifications === "denied"
      ? _("The browser's settings for this site forbid them.")
      : notifications === "unable" && isIos()
      ? _("On iPhone and iPad only a page on the home screen may show them: Share, Add to Home Screen.")
      : notifications === "unable"
      ? _("This browser does not let the page show them.")
      : "";
    state.hidden = !state.textContent;
  }
  update();
  const quiet = h("input", { type: "checkbox", checked: !app.settings.disturb });
  quiet.addEventListener("change", () => app.set("disturb", !quiet.checked));
  const element = section(
    _("Notifications"),
    h(
      "p",
      { class: "hint" },
      _("For direct messages and mentions; each room's menu has more. Only while this page is open: messages to a closed page would have to go through the server of another company."),
    ),
    toggle(app, "sound", _("Sound")),
    system,
    state,
    h("label", { class: "check" }, quiet, h("span", {}, _("Do not disturb"))),
  );
  return { element, end: app.onPage(update) };
}

/** @param {App} app */
function server(app) {
  const { ca, limited } = app.facts;
  /** @type {[string, string | Node][]} */
  const rows = [
    [_("Address"), location.host],
    [_("Software"), oneLine(app.core.server) || `securechat ${app.facts.version}`],
    ca
      ? [_("Server's CA, SHA-256"), h("code", { class: "fingerprint" }, ca.match(/.{1,4}/g)?.join(" ") ?? "")]
      : [_("Certificate"), _("from a public certificate authority, checked by the browser")],
  ];
  const element = section(
    _("About this server"),
    h("dl", {}, ...rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])),
    h(
      "p",
      {},
      ca
        ? _("The connection is encrypted. Whether it ends at the right server, only the fingerprint can tell.")
        : _("The connection is encrypted."),
      " ",
      _("The operator of the server can read what is stored there, direct messages too."),
    ),
    ca && !limited
      ? h(
        "p",
        { class: "hint" },
        _("This CA is not limited to private names: a browser that trusts it would believe it about any site."),
      )
      : null,
    ca
      ? h("p", {}, h("a", { href: "/trust" }, _("Compare the fingerprint, and what the browser's warning means")))
      : null,
    h("h4", {}, _("In a terminal")),
    terminalLines(app),
  );
  return { element };
}

/** @param {App} app */
function leaving(app) {
  const stay = h("input", { type: "checkbox", checked: app.page.stays });
  stay.addEventListener("change", () => app.stay(stay.checked));
  async function leave() {
    const text = app.core.account
      ? _("You are logged out, and settings, drafts and what is not sent yet are deleted from this browser.")
      : _("Your name is free then, and you cannot go on as the same guest.");
    if (await confirm(_("Delete data from this browser?"), text, _("Delete"), { danger: true })) app.forget();
  }
  const element = section(
    _("This browser"),
    h(
      "label",
      { class: "check" },
      stay,
      h(
        "span",
        {},
        _("Stay logged in"),
        h("small", { class: "hint" }, stayHint()),
      ),
    ),
    h(
      "button",
      { class: "button danger", type: "button", on: { click: leave } },
      _("Delete data from this browser"),
    ),
  );
  return { element };
}

/**
 * @template {"theme" | "language" | "enter"} K
 * @param {App} app
 * @param {K} name
 * @param {string} label
 * @param {[string, string][]} options
 */
function choice(app, name, label, options) {
  const select = h(
    "select",
    { name },
    ...options.map(([value, text]) => h("option", { value, selected: app.settings[name] === value }, text)),
  );
  select.addEventListener("change", () => {
    speaks = name === "language";
    app.set(name, /** @type {Settings[K]} */ (select.value));
  });
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

/**
 * @param {App} app
 * @param {"sound" | "system" | "typing"} name
 * @param {string} label
 */
function toggle(app, name, label) {
  const input = h("input", { type: "checkbox", checked: app.settings[name] });
  input.addEventListener("change", () => app.set(name, input.checked));
  return h("label", { class: "check" }, input, h("span", {}, label));
}

// --- bots, webhooks and tokens ---

/**
 * What programs use: the user's own, or those of a room.
 *
 * @param {App} app
 * @param {string} [room]
 * @returns {Promise<Program[]>}
 */
export async function programsOf(app, room) {
  /** @type {any[]} */
  const found = [];
  for (const ask of /** @type {const} */ (["bots", "tokens"])) {
    for (let more = ask === "bots" || !room, after; more;) {
      const page = await app.ask({ ask, room, after });
      found.push(...page[ask]);
      more = page.more;
      after = found.at(-1)?.id ?? found.at(-1)?.token;
    }
  }
  return found.map((each) => each.id ? each : { id: 0, kind: "token", name: each.name, tokens: [each] });
}

/**
 * Shows them, and adds to them.
 *
 * @param {App} app
 * @param {string} [room] those of a room
 */
export function openPrograms(app, room) {
  const list = h("ul", { class: "logins" });
  async function draw() {
    try {
      fill(list, ...(await programsOf(app, room)).map(row));
    } catch (error) {
      fill(list, refusalOf(error));
    }
  }
  /** @param {Program} program */
  function row(program) {
    const { id, name, tokens, stopped, outgoing } = program;
    /** @param {string} label @param {(app: App, program: Program) => Promise<unknown>} run @param {Program} what */
    const act = (label, run, what = program) =>
      h("button", {
        class: "button",
        type: "button",
        "aria-label": `${label}: ${nameText(what.name)}`,
        on: { click: () => run(app, what).then(draw, (error) => app.toast(refusalOf(error))) },
      }, label);
    const hints = tokens.map((token) => h("p", { class: "hint" }, tokenText(token)));
    for (const [index, token] of tokens.slice(0, -1).entries()) {
      hints[index]?.append(
        " ",
        act(_("Delete"), removeProgram, { ...program, id: 0, name: tokenText(token), tokens: [token] }),
      );
    }
    return h(
      "li",
      {},
      h(
        "div",
        {},
        h("strong", {}, nameText(name)),
        " ",
        botMark(id > 0),
        stopped && h("p", { class: "error" }, _("Stopped: its maker is banned or gone")),
        ...hints,
        outgoing
          ? h("p", { class: "hint" }, `${outgoing.on} → ${outgoing.to} `, outgoing.off && _("off"))
          : act(_("New token"), replaceToken),
        " ",
        act(_("Delete"), removeProgram),
      ),
    );
  }

  draw();
  /** @param {string} name @param {string} label @param {string[][]} options @param {string} [note] */
  const choose = (name, label, options, note) =>
    fieldOf(label, name, h("select", { name }, ...options.map(([value, text]) => h("option", { value }, text))), note);
  const rooms = [...app.core.conversations.values()].filter(({ kind, name }) => room ? name === room : kind === "room");
  openDialog({
    title: room ? `${_("Bots and tokens")}: #${room}` : _("Bots and tokens"),
    wide: true,
    body: h(
      "div",
      {},
      list,
      choose(
        "kind",
        _("Kind"),
        [["hook", _("Webhook")], ["bot", _("Bot")], ["token", _("Token")]].slice(0, room ? 2 : 3),
        _("A webhook is an address to post to. A token acts as you."),
      ),
      fieldOf(_("Name"), "name", h("input", { name: "name", autocomplete: "off" })),
      choose(
        "room",
        _("Room"),
        [...rooms.map(({ name }) => [name, `#${name}`]), ["", _("Everywhere")]].slice(0, room ? 1 : undefined),
      ),
      choose("days", _("Expires"), [
        ["", _("never")],
        ...[30, 90, 365].map((n) => [`${n}`, ngettext("after {n} day", "after {n} days", n)]),
      ]),
    ),
    buttons: [{
      label: _("Add"),
      primary: true,
      async run({ element }) {
        const form = /** @type {HTMLFormElement} */ (element.firstChild);
        const { kind, name, room, days } = /** @type {any} */ (Object.fromEntries(new FormData(form)));
        await addProgram(app, kind, { name, rooms: room ? [room] : [], days: Number(days) || undefined });
        form.reset();
        draw();
        return false;
      },
    }],
  });
}

/**
 * What is known of a token, on one line.
 *
 * @param {TokenInfo} info
 */
export function tokenText({ token, scopes, rooms, expires, used, address, online }) {
  return [
    `${_("Token")} ${token}`,
    scopes.join(", "),
    rooms.map((room) => `#${oneLine(room)}`).join(", "),
    expires && _("until {at:moment}", { at: expires }),
    online ? _("active now") : used && _("last active {at:moment}", { at: used }),
    oneLine(address),
  ].filter(Boolean).join(" · ");
}

/**
 * Makes a bot, a webhook or a token, and shows its secret.
 *
 * @param {App} app
 * @param {string} kind
 * @param {{name: string, rooms: string[], scopes?: string[], days?: number}} wanted
 */
export async function addProgram(app, kind, wanted) {
  const question = kind === "token" ? { ask: "tokenadd", ...wanted } : { ask: "botadd", kind, ...wanted };
  openToken(app, await app.ask(/** @type {Question} */ (question)));
}

/** @param {App} app @param {Program} program */
export async function replaceToken(app, { tokens }) {
  const made = await app.ask({ ask: "tokenrotate", token: tokens.at(-1)?.token ?? 0 });
  openToken(app, made, _("The old one works for another day."));
}

/** @param {App} app @param {Program} program */
export function removeProgram(app, { id, name, tokens }) {
  const run = () => app.ask(id ? { ask: "botremove", bot: id } : { ask: "tokenremove", token: tokens[0]?.token ?? 0 });
  const text = _("What uses it is disconnected at once. Its messages stay.");
  return confirm(`${_("Delete")}: ${nameText(name)}`, text, _("Delete"), { danger: true, run });
}

/**
 * What works with a token: the address of a webhook, or the token and a command.
 *
 * @param {TokenMade} made
 * @param {string} origin
 * @param {string | null} ca
 * @returns {string[]}
 */
export function linesOf({ token, info: { scopes, rooms } }, origin, ca) {
  if (scopes.includes("hook")) return [`${origin}/hooks/${token}`];
  const curl = `curl ${ca ? "--cacert ca.pem " : ""}-H "Authorization: Bearer ${token}"`;
  const where = `${origin}/api/v1/rooms/${encodeURIComponent(rooms[0] ?? "lobby")}/messages`;
  if (scopes.includes("post")) return [token, `${curl} -d hello "${where}"`];
  return scopes.includes("read") ? [token] : [token, `${curl} "${origin}/metrics"`];
}

/**
 * Shows a secret once: it is in this dialog and nowhere else.
 *
 * @param {App} app
 * @param {TokenMade} made
 * @param {string} [more]
 */
function openToken(app, made, more) {
  const { ca } = app.facts;
  openDialog({
    title: `${_("Token")}: ${nameText((made.bot ?? made.info).name)}`,
    wide: true,
    body: h(
      "div",
      {},
      h("p", {}, _("Copy it now. It is not shown again."), " ", more),
      copyLines(app, linesOf(made, location.origin, ca)),
      ca && h("a", { href: "/ca.pem" }, "ca.pem"),
    ),
  });
}

const isIos = () =>
  /iPhone|iPad/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
