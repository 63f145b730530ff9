/**
 * The screens around the chat. The first one: a name; or a name and a password; or, with an invite, a name and a new password.
 *
 * Real forms with the names and `autocomplete` words that password managers look for. The reason of a refusal stands beside its field.
 *
 * @import {App, Change, Conversation} from "../core/types.js"
 * @typedef {"guest" | "login" | "invite"} Mode
 * @typedef {Extract<Change, {kind: "helloNeeded"}>} HelloNeeded
 */

import { oneLine } from "../core/text.js";
import { fill, h, instead } from "./dom.js";
import { _, refusalText } from "./i18n.js";
import { farewells, invitations, statusText } from "./conversation.js";

const INVITE = /[/#](join(?:-once)?\/[0-9a-f]{32}(?:\/[0-9a-f]{64})?)(?![0-9a-f/])/i; // without a CA: a public certificate
let count = 0;

/**
 * @param {App} app
 * @param {{needed: HelloNeeded | null, typed: (password: string) => void}} options typed: hears the password that is sent
 */
export function entrance(app, { needed, typed }) {
  const members = app.facts.access === "members";
  /** @type {Mode} */
  let mode = app.invite ? "invite" : members ? "login" : "guest";
  let name = app.core.me.name;
  let why = ""; // the server wants an attempt later
  let spent = ""; // why the invite is of no use
  const body = h("div", { class: "entrance-body" });
  const element = h(
    "main",
    { class: "entrance" },
    h(
      "div",
      { class: "entrance-card" },
      h("h1", {}, location.host),
      h("p", { class: "quiet" }, _("securechat: rooms and direct messages, on a server of your own.")),
      body,
      foot(app),
    ),
  );

  /** @type {ReturnType<typeof field>} */
  let nameField;
  /** @type {ReturnType<typeof field> | null} */
  let passwordField = null;
  /** @type {HTMLButtonElement} */
  let button;
  /** @type {HTMLElement} */
  let status;

  /** @param {Mode} next */
  function choose(next) {
    mode = next;
    draw();
    nameField.input.value ? passwordField?.input.focus() ?? nameField.input.focus() : nameField.input.focus();
  }

  function draw() {
    const password = passwordField?.input.value ?? "";
    nameField = field(_("Name"), {
      name: "username",
      autocomplete: mode === "guest" ? "nickname" : "username",
      value: name,
      maxLength: 256,
      required: true,
      autocapitalize: "none",
      spellcheck: false,
      enterKeyHint: mode === "guest" ? "go" : "next",
    });
    nameField.input.addEventListener("input", () => name = nameField.input.value);
    passwordField = mode === "guest" ? null : field(_("Password"), {
      name: mode === "login" ? "password" : "new-password",
      type: "password",
      autocomplete: mode === "login" ? "current-password" : "new-password",
      value: password,
      minLength: mode === "login" ? null : 8,
      maxLength: 512,
      required: true,
      enterKeyHint: "go",
    }, mode === "invite" ? _("At least 8 characters. It logs you in on other devices too.") : "");
    const stay = h("input", { type: "checkbox", checked: app.page.stays, name: "stay" });
    stay.addEventListener("change", () => app.stay(stay.checked));
    button = h("button", { class: "button primary", type: "submit" }, label());
    status = h("p", { class: "quiet form-status", role: "status" });
    const form = h(
      "form",
      { method: "post", action: "/", class: "form", on: { submit: instead(submit) } },
      nameField.element,
      passwordField?.element,
      h("label", { class: "check" }, stay, h("span", {}, _("Stay logged in"), hint(stayHint()))),
      button,
      status,
    );
    const warning = spent && h("p", { class: "warning", role: "alert" }, spent);
    fill(body, h("h2", {}, title()), warning, intro(), form, switches());
    update();
  }

  const title = () => mode === "invite" ? _("You are invited") : mode === "login" ? _("Log in") : _("Join as a guest");
  const label = () => mode === "invite" ? _("Create account") : mode === "login" ? _("Log in") : _("Join");

  function intro() {
    if (mode === "invite") {
      const { ca } = app.facts;
      if (app.invite?.ca && ca && app.invite.ca !== ca) {
        return h(
          "p",
          { class: "warning", role: "alert" },
          _("The invite is for a server with another fingerprint than this one. Do not go on before you know why."),
        );
      }
      return h("p", {}, _("Choose the name that others see, and a password."));
    }
    return mode === "guest"
      ? h("p", {}, _("Choose the name that others see. It is free again when you leave; you can register it later."))
      : null;
  }

  function switches() {
    const to = (/** @type {Mode} */ next, /** @type {string} */ text) =>
      h("button", { class: "link", type: "button", on: { click: () => choose(next) } }, text);
    const paste = field(_("Invite link"), { type: "text", autocomplete: "off" });
    paste.input.addEventListener("input", () => {
      paste.complain("");
      const invite = INVITE.exec(paste.input.value.replace(/%2f/gi, "/"))?.[1];
      if (invite) location.hash = invite; // the shell takes it from there
    });
    paste.input.addEventListener("change", () => paste.complain(paste.input.value && _("This is not an invite link.")));
    return h(
      "div",
      { class: "switches" },
      mode !== "login" && to("login", _("Log in")),
      mode !== "guest" && !members && to("guest", _("Join as a guest")),
      app.invite && mode !== "invite" && to("invite", _("Use the invite")),
      (spent || !app.invite) &&
        h("details", { open: spent !== "" }, h("summary", {}, _("I have an invite link")), paste.element),
    );
  }

  function submit() {
    if (button.ariaDisabled === "true") return;
    nameField.complain("");
    passwordField?.complain("");
    const hello = {
      name: nameField.input.value.trim(),
      password: passwordField?.input.value ?? "",
      invite: mode === "invite" && app.invite ? app.invite.token : "",
    };
    if (!hello.name) return nameField.complain(_("Type a name."), true);
    why = "";
    typed(hello.password);
    app.act({ do: "hello", ...hello });
  }

  /** @param {HelloNeeded} change */
  function refused({ refusal, field: wanted }) {
    if (!refusal) return;
    const text = refusalText(refusal);
    if (wanted === "password" && mode === "guest") {
      mode = "login";
      draw();
    } else if (wanted === "newPassword" && mode === "guest" && app.invite) {
      mode = "invite";
      draw();
    }
    if ((wanted === "password" || wanted === "newPassword") && passwordField) passwordField.complain(text, true);
    else if (wanted === "invite") {
      spent = text;
      choose(mode);
    } else nameField.complain(text, true);
    update();
  }

  function update() {
    const { phase } = app.core;
    const busy = phase === "greeting" || phase === "dialling" || phase === "rejoining";
    button.ariaDisabled = String(busy); // not disabled: it keeps the focus
    button.textContent = busy ? _("One moment…") : label();
    const said = busy ? "" : [why, statusText(app).text].filter(Boolean).join(" · ");
    if (status.textContent !== said) status.textContent = said;
  }

  const end = app.listen((changes) => {
    for (const change of changes) {
      if (change.kind === "helloNeeded") refused(change);
      else if (change.kind === "waits") {
        const { refusal } = change;
        let reason = refusal ? refusalText(refusal) : "";
        if (refusal?.code === "name_in_use") {
          reason += `. ${_("Is it you? Reopen the closed tab, and you go on at once.")}`;
        }
        const ofPassword = refusal?.code === "login_slowed" && passwordField;
        if (ofPassword) ofPassword.complain(reason);
        why = ofPassword ? "" : reason;
      }
    }
    update();
  });
  let invite = app.invite;
  const endPage = app.onPage(() => {
    if (app.invite && app.invite !== invite) {
      invite = app.invite;
      spent = "";
      choose("invite");
    }
  });
  const timer = setInterval(update, 1000);
  draw();
  if (needed) refused(needed);

  return {
    element,
    focus() {
      if (matchMedia("(pointer: coarse)").matches) return; // a keyboard must not open by itself
      /** @type {HTMLElement | null} */
      const wrong = element.querySelector("[aria-invalid=true]");
      const field = (nameField.input.value && passwordField) || nameField;
      (wrong ?? field.input).focus();
    },
    end() {
      clearInterval(timer);
      end();
      endPage();
    },
  };
}

/**
 * Asks for another password in place of the one that an administrator has set.
 *
 * @param {App} app
 * @param {string} temporary as typed at the entrance; "" if it was not
 */
export function passwordScreen(app, temporary) {
  const old = field(_("The password you were given"), {
    name: "password",
    type: "password",
    autocomplete: "current-password",
    value: temporary,
    required: true,
  });
  const fresh = field(_("New password"), {
    name: "new-password",
    type: "password",
    autocomplete: "new-password",
    minLength: 8,
    maxLength: 512,
    required: true,
  }, _("At least 8 characters."));
  old.element.hidden = temporary !== "";
  const button = h("button", { class: "button primary", type: "submit" }, _("Change it"));
  async function submit() {
    old.complain("");
    fresh.complain("");
    button.disabled = true;
    try {
      await app.ask({ ask: "password", old: old.input.value, new: fresh.input.value });
    } catch (error) {
      const refusal = /** @type {import("../core/types.js").Refusal} */ (error);
      const wrong = refusal.code === "login_failed" ? old : fresh;
      old.element.hidden &&= wrong !== old;
      wrong.complain(refusalText(refusal), true);
    }
    button.disabled = false;
  }
  const element = h(
    "main",
    { class: "entrance" },
    h(
      "div",
      { class: "entrance-card" },
      h("h1", {}, _("Choose a new password")),
      h("p", {}, _("An administrator has set the one you came in with. Only you should know it.")),
      h(
        "form",
        { method: "post", action: "/", class: "form", on: { submit: instead(submit) } },
        h("input", {
          class: "unseen",
          name: "username",
          autocomplete: "username",
          value: app.core.me.name,
          readOnly: true,
          tabIndex: -1,
          "aria-hidden": "true",
        }),
        old.element,
        fresh.element,
        button,
      ),
      h("button", { class: "link", on: { click: app.forget } }, _("Log out")),
    ),
  );
  return { element, end() {}, focus: () => (old.element.hidden ? fresh : old).input.focus() };
}

/**
 * Says that another tab has the chat, or has it now.
 *
 * @param {App} app
 */
export function tabScreen(app) {
  const silent = () => app.toast(_("The other tab does not answer. Close it, and the chat goes on here."));
  const run = () => app.takeOver().then(clearTimeout.bind(null, setTimeout(silent, 4000)));
  const use = [{ label: _("Use it here"), run }];
  return app.page.place === "moved"
    ? notice(_("The chat is in another tab now"), _("You went on there. What you typed is there too."), use)
    : notice(_("The chat is open in another tab"), _("One tab of this browser has the chat at a time."), use);
}

/**
 * Says why the connection is over.
 *
 * @param {App} app
 * @param {Extract<Change, {kind: "ended"}>} ended
 */
export function endedScreen(app, { why, refusal }) {
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
 */
function notice(title, text, buttons) {
  const made = buttons.map(({ label, run }) => h("button", { class: "button primary", on: { click: run } }, label));
  const element = h("main", { class: "notice" }, h("h1", {}, title), h("p", {}, text), ...made);
  return { element, end() {}, focus: () => made[0]?.focus() };
}

/**
 * A room that the user is not in, or a person without a dialogue; while the page is starting, one that is not known yet.
 *
 * @param {App} app
 * @param {HTMLElement} element filled when the server is there
 * @returns {() => void} ends it
 */
export function unknownPlace(app, element) {
  const place = app.route.unknown ?? { room: "" };
  const back = h(
    "button",
    { class: "link", on: { click: () => app.go({ key: null }, true) } },
    _("Back to the conversations"),
  );

  /** @param {unknown} [refusal] */
  async function room(refusal) {
    const name = "room" in place ? place.room : "";
    let open = true; // whether it can be joined without an invitation, as far as known
    const by = invitations.get(name);
    try {
      const { rooms } = await app.ask({ ask: "rooms", after: name.slice(0, -1) });
      open = rooms.some((/** @type {{room: string}} */ each) => each.room === name);
    } catch {
      // Offline, or an impossible name: joining says why.
    }
    const bye = farewells.get(name);
    const why = by
      ? _("{name} invites you to #{room}", { name: oneLine(by), room: oneLine(name) })
      : bye
      ? `${refusalText(bye)}. ${open ? "" : _("You need an invitation to come back.")}`
      : open
      ? ""
      : _("No public room has this name. If you are invited, you can join it.");
    const join = h("button", { class: open || by ? "button primary" : "button" }, _("Join"));
    join.addEventListener("click", () => app.ask({ ask: "join", room: name }).then(found, room));
    fill(
      element,
      h("h1", {}, _("You are not in #{room}", { room: oneLine(name) })),
      h("p", {}, why),
      refusal ? h("p", { class: "error", role: "alert" }, refusalText(/** @type {any} */ (refusal))) : null,
      bye && !open && !by ? null : join,
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
      // Offline, or no person has this number.
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
  start();
  return app.listen((changes) => {
    if (started && "room" in place && changes.some(({ kind }) => kind === "invited")) room();
    start();
  });
}

/**
 * A labelled field with a place for what is wrong with it.
 *
 * @param {string} label
 * @param {Record<string, unknown>} properties of the input
 * @param {string} [help]
 */
export function field(label, properties, help = "") {
  const id = `field-${++count}`;
  const input = h("input", { id, ...properties });
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const about = help ? h("p", { class: "hint", id: `${id}-hint` }, help) : null;
  const show = properties.type === "password" &&
    h("button", {
      type: "button",
      class: "link show",
      "aria-label": _("Show password"),
      "aria-pressed": "false",
      on: {
        /** @param {Event} event */
        click({ currentTarget }) {
          const hidden = input.type === "password";
          input.type = hidden ? "text" : "password";
          /** @type {Element} */ (currentTarget).setAttribute("aria-pressed", String(hidden));
        },
      },
    }, _("Show"));
  const described = (/** @type {boolean} */ wrong) => [wrong && error.id, about?.id].filter(Boolean).join(" ") || null;
  const element = h("div", { class: "field" }, h("label", { for: id }, label), input, show, error, about);
  if (about) input.setAttribute("aria-describedby", about.id);
  return {
    element,
    input,
    /** @param {string} text "": nothing is wrong @param {boolean} [focus] */
    complain(text, focus = false) {
      error.textContent = text;
      error.hidden = !text;
      const ids = described(text !== "");
      if (ids) input.setAttribute("aria-describedby", ids);
      else input.removeAttribute("aria-describedby");
      input.setAttribute("aria-invalid", String(text !== ""));
      if (focus) input.focus();
    },
  };
}

/** @param {string} text */
const hint = (text) => h("small", { class: "hint" }, text);

/**
 * What the person can check, and how to come in by a terminal.
 *
 * @param {App} app
 */
function foot(app) {
  return h(
    "footer",
    { class: "entrance-foot" },
    app.facts.ca && h("a", { href: "/trust" }, _("Is this really the server? What the browser's warning means")),
    h("details", {}, h("summary", {}, _("Prefer a terminal?")), terminalLines(app)),
  );
}

/**
 * What to paste into a terminal, with buttons that copy it.
 *
 * @param {App} app
 */
export function terminalLines(app) {
  const where = `${location.hostname}:${location.port || 443}`;
  const { invite, facts } = app;
  const lines = [`securechat-client ${where}${facts.ca ? ` --pin sha256:${facts.ca}` : ""}`];
  if (invite) {
    const ca = invite.ca ? `/${invite.ca}` : "";
    const link = `${location.origin}/#join${invite.once ? "-once" : ""}/${invite.token}${ca}`;
    // A link for several uses stays out of the shell's history: the program asks for it.
    lines.splice(0, 1, ...(invite.once ? [`securechat-client '${link}'`] : ["securechat-client --invite", link]));
  }
  return copyLines(app, lines);
}

/** Lines with buttons that copy them. @param {App} app @param {readonly string[]} lines */
export function copyLines(app, lines) {
  return h(
    "div",
    { class: "terminal" },
    ...lines.map((line) =>
      h(
        "div",
        { class: "terminal-line" },
        h("code", {}, line),
        h("button", { class: "button", type: "button", on: { click: () => copyText(app, line) } }, _("Copy")),
      )
    ),
  );
}

/** @param {App} app @param {string} text */
async function copyText(app, text) {
  try {
    await navigator.clipboard.writeText(text);
    app.toast(_("Copied"));
  } catch {
    app.toast(_("This browser does not allow copying here. Mark the text and copy it."));
  }
}

/** What is at stake with "Stay logged in". */
export function stayHint() {
  const { userAgent } = navigator;
  if (/AppleWebKit/.test(userAgent) && !/Chrome|Chromium|Android/.test(userAgent)) {
    return _("Don't use it on a shared computer. Safari forgets it after seven days without a visit.");
  }
  return _("Without it, you are logged out when you close the tab. Don't use it on a shared computer.");
}
