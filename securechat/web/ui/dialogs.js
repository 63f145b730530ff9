/**
 * Dialogs about rooms, conversations and people; the members of a room; the help about keys and commands.
 *
 * @import {Person, RoomRules} from "../core/records.js"
 * @import {App, Conversation, Refusal} from "../core/types.js"
 * @import {Context} from "./actions.js"
 * @import {Dialog} from "./menu.js"
 */
import { oneLine } from "../core/text.js";
import { ACTIONS, go, grant, menuItems, moderate } from "./actions.js";
import { fitting, namesIn } from "./commands.js";
import { rank } from "./composer.js";
import { fill, h } from "./dom.js";
import { _, dayKey, duration, keyLabel, ngettext, shortDuration } from "./i18n.js";
import { confirm, nextOf, openDialog, openMenu, panel, refusalOf } from "./menu.js";
import { botMark } from "./message_row.js";
import { KEYS } from "./page_keys.js";
import { dayOf, nameChoices, openPicker } from "./search.js";

const MOST_TOPIC = 300; // code points
const SLOW_S = [0, 5, 10, 30, 60, 300, 900, 3600];
const KEEP_DAYS = [0, 1, 7, 30, 90, 365];
/** Words in the reasons of refusals that tell which field is meant. */
const FIELD_OF = [["topic", "topic"], ["lobby_always_open", "private"], ["room_", "name"]];

/**
 * A field with its label, and a place for why it was refused.
 *
 * @param {string} label
 * @param {string} name
 * @param {HTMLElement} input
 * @param {string} [note]
 */
export function fieldOf(label, name, input, note = "") {
  const refusal = h("span", { class: "field-refusal", id: `refusal-${name}`, "data-refusal": name, role: "alert" });
  input.setAttribute("aria-describedby", `note-${name} ${refusal.id}`);
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    input,
    h("span", { class: "quiet", id: `note-${name}` }, note),
    refusal,
  );
}

/** @param {Context} context */
export function openTopic({ app, conversation }) {
  if (!conversation) return;
  const { key, name: room } = conversation;
  const input = h("input", { name: "topic", value: conversation.room?.topic ?? "", autofocus: true });
  return openDialog({
    title: _("Topic of #{room}", { room }),
    body: fieldOf(_("Topic"), "topic", input),
    buttons: [{
      label: _("Save"),
      primary: true,
      run: () => app.ask({ ask: "setRoom", key, rules: { topic: input.value.trim() } }),
    }],
  });
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 */
export function openDay(app, conversation) {
  const input = h("input", { type: "date", name: "day", max: dayKey(Date.now()), value: dayKey(Date.now()) });
  return openDialog({
    title: _("Go to date"),
    body: fieldOf(_("Day"), "day", input),
    buttons: [{
      label: _("Go"),
      primary: true,
      run(dialog) {
        const at = dayOf(input.value);
        if (at === null) {
          dialog.refuse(_("This is not a day."), "day");
          return false;
        }
        go(app, conversation);
        app.act({ do: "open", key: conversation.key, at });
      },
    }],
  });
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 */
export async function leaveRoom(app, conversation) {
  const { key, name: room } = conversation;
  const leave = _("Leave");
  let last = false;
  const text = [
    _("You get no more messages from it."),
    conversation.room?.private && _("It is private: you need an invitation to come back."),
    conversation.room?.private && conversation.room.role === "owner" &&
    _("If it has no other owner, make a member owner first: only an owner can change it."),
  ].filter(Boolean).join(" ");
  const left = await confirm(_("Leave #{room}?", { room }), text, leave, {
    async run() {
      try {
        await app.ask({ ask: "leaveRoom", key });
      } catch (error) {
        last = /** @type {Refusal} */ (error)?.code === "last_member";
        if (!last) throw error;
      }
    },
  });
  if (!left || !last) return;
  const lost = _("You are its only member, and it is private. It cannot be entered again: its messages are lost.");
  await confirm(_("Leave #{room} for good?", { room }), lost, leave, {
    danger: true,
    run: () => app.ask({ ask: "leaveRoom", key, sure: true }),
  });
}

/**
 * The settings of a room: as a form for those who may change them.
 *
 * @param {App} app
 * @param {Conversation} conversation
 * @param {() => void} [closed]
 */
export function openRoom(app, conversation, closed) {
  const { key, name: room } = conversation;
  const right = rank({ app, conversation });
  const owns = right >= 2;
  const body = h("div", { class: "settings-form" }, h("p", { class: "quiet", role: "status" }, _("Loading …")));
  /** @type {RoomRules | null} */
  let rules = null;
  const buttons = right >= 1 ? [{ label: _("Save"), primary: true, run: save }] : [];
  const dialog = openDialog({ title: `#${room}`, body, buttons, wide: true, closed });

  /** @param {string} name @param {unknown} value */
  const text = (name, value) => h("input", { name, value, maxLength: 1200, autocomplete: "off" });
  /** @param {string} name @param {string} label @param {string} note @param {boolean} checked */
  const check = (name, label, note, checked) =>
    h(
      "div",
      {},
      h("label", { class: "check" }, h("input", { type: "checkbox", name, checked }), h("span", {}, label)),
      h("span", { class: "quiet" }, note),
      h("span", { class: "field-refusal", "data-refusal": name, role: "alert" }),
    );
  /**
   * @template {string | number} V
   * @param {string} name
   * @param {string} label
   * @param {readonly V[]} values
   * @param {V} now
   * @param {(value: V) => string} say
   * @param {string} [note]
   */
  const choice = (name, label, values, now, say, note) => {
    const all = typeof now === "number" ? [...new Set([...values, now])].sort((a, b) => Number(a) - Number(b)) : values;
    const options = all.map((value) => h("option", { value: String(value), selected: value === now }, say(value)));
    return fieldOf(label, name, h("select", { name }, ...options), note);
  };

  const notes = {
    private: _("Only invited members can join and see the room."),
    readOnly: _("Only moderators and owners can write."),
    archived: _("The room is read-only and not listed."),
  };

  /** @param {RoomRules} now */
  function show(now) {
    const role = {
      owner: _("owner"),
      moderator: _("moderator"),
      member: _("member"),
      admin: _("administrator of the server"),
    };
    const mine = role[/** @type {keyof typeof role} */ (now.role ?? conversation.room?.role ?? "")];
    fill(
      body,
      h("p", { class: "quiet" }, mine ? _("Your role: {role}", { role: mine }) : _("You are a guest here.")),
      right >= 1 ? fieldOf(_("Topic"), "topic", text("topic", now.topic)) : now.topic && h("p", {}, oneLine(now.topic)),
      ...(owns ? form(now) : told(now).map((each) => h("p", {}, each))),
    );
  }

  /**
   * What a member should know.
   *
   * @param {RoomRules} now
   */
  function told(now) {
    const told = [
      now.private && notes.private,
      now.read_only && notes.readOnly,
      now.archived && notes.archived,
      now.slow_s && _("Slow mode: {time} between two messages of a member.", { time: shortDuration(now.slow_s) }),
      now.retention_days &&
      ngettext("Messages are deleted after {n} day.", "Messages are deleted after {n} days.", now.retention_days),
      now.history === "joined" && _("New members see only what is said since they joined."),
    ].filter((each) => typeof each === "string");
    return told.length > 0 ? told : [_("All members of the server can join, read and write.")];
  }

  /** @param {RoomRules} now */
  function form(now) {
    const ofLobby = room === "lobby"; // it keeps its name, and is open to all
    const fields = [
      ofLobby || fieldOf(_("Name"), "name", text("name", room), _("Its messages and members stay.")),
      ofLobby || check("private", _("Private"), notes.private, now.private),
      check("read_only", _("Read-only"), notes.readOnly, now.read_only),
      choice(
        "slow_s",
        _("Slow mode"),
        SLOW_S,
        now.slow_s,
        (seconds) => seconds ? shortDuration(seconds) : _("off"),
        _("The time between two messages of a member."),
      ),
      choice(
        "retention_days",
        _("Delete older messages"),
        KEEP_DAYS,
        now.retention_days,
        (days) => days ? ngettext("after {n} day", "after {n} days", days) : _("never"),
      ),
      choice(
        "history",
        _("New members see"),
        ["all", "joined"],
        now.history,
        (value) => value === "joined" ? _("only what is said since they joined") : _("all earlier messages"),
      ),
      ofLobby || check("archived", _("Archived"), notes.archived, now.archived),
    ];
    return fields.filter((each) => each !== true);
  }

  /** What the user has changed. */
  function changes() {
    const before = /** @type {Record<string, unknown>} */ ({ ...rules, name: room });
    /** @type {Record<string, unknown>} */
    const changed = {};
    for (const input of rules ? dialog.element.querySelectorAll("input, select") : []) {
      if (!(input instanceof HTMLInputElement || input instanceof HTMLSelectElement) || input.disabled) continue;
      const was = before[input.name];
      if (was === undefined) continue;
      const value = input instanceof HTMLInputElement && input.type === "checkbox"
        ? input.checked
        : typeof was === "number"
        ? Number(input.value)
        : input.value.trim();
      if (value !== was) changed[input.name] = value;
    }
    return changed;
  }

  dialog.element.addEventListener("cancel", async (event) => {
    if (right < 1 || Object.keys(changes()).length === 0) return;
    event.preventDefault();
    const lost = _("What you changed here is not saved.");
    if (await confirm(_("Discard the changes?"), lost, _("Discard"), { danger: true })) dialog.close();
  });

  /** Sends what was changed, and nothing else. @param {Dialog} opened */
  async function save(opened) {
    const changed = changes();
    const fields = Object.keys(changed);
    if (!rules || fields.length === 0) return;
    if (typeof changed.topic === "string" && [...changed.topic].length > MOST_TOPIC) {
      opened.refuse(_("A topic has at most {most} characters", { most: MOST_TOPIC }), "topic");
      return false;
    }
    const days = Number(changed.retention_days ?? 0);
    if (days > 0 && (rules.retention_days === 0 || days < rules.retention_days)) {
      const sure = ngettext(
        "Messages that are older than {n} day are deleted for good.",
        "Messages that are older than {n} days are deleted for good.",
        days,
      );
      if (!await confirm(_("Delete older messages?"), sure, _("Delete"), { danger: true })) return false;
    }
    try {
      await app.ask({ ask: "setRoom", key, rules: changed });
    } catch (error) {
      const reason = /** @type {Refusal} */ (error)?.reason ?? "";
      const field = fields.length === 1 ? fields[0] : FIELD_OF.find(([part]) => part && reason.startsWith(part))?.[1];
      opened.refuse(refusalOf(error), field);
      return false;
    }
    app.toast(_("Saved"));
  }

  app.ask({ ask: "roomInfo", key }).then((info) => {
    rules = info;
    show(info);
  }, (error) => fill(body, h("p", { class: "refusal" }, refusalOf(error))));
  return dialog;
}

/**
 * Keys and commands, from the table of actions.
 *
 * @param {App} _app
 * @param {() => void} [closed]
 */
export function openHelp(_app, closed) {
  /** @param {string} title @param {readonly (readonly [string, string])[]} rows */
  const table = (title, rows) =>
    h(
      "section",
      {},
      h("h3", {}, title),
      h(
        "dl",
        { class: "help-list" },
        ...rows.map(([keys, label]) => h("div", {}, h("dt", {}, h("kbd", {}, keys)), h("dd", {}, label))),
      ),
    );
  const keyed = (/** @type {string} */ place) =>
    ACTIONS.filter((row) => row.keys && row.place.split(" ").includes(place)).map((
      row,
    ) => /** @type {const} */ ([row.keys?.split(" ").map(keyLabel).join(", ") ?? "", row.label()]));
  /** @type {[string, string][]} */
  const moves = [
    [KEYS.rooms, _("Go to the rooms")],
    [KEYS.select, _("Select a message")],
    [KEYS.page_up, _("Scroll up")],
    [KEYS.page_down, _("Scroll down")],
    [KEYS.present, _("Go to the newest message")],
  ];
  return openDialog({
    title: _("Keys and commands"),
    wide: true,
    closed,
    body: h(
      "div",
      { class: "help", tabIndex: 0, role: "region", "aria-label": _("Keys and commands") },
      table(_("Everywhere"), [
        ...keyed("app"),
        ...keyed("conversation"),
        ["F6", _("Go to the next part of the page")],
        ...moves.map(([keys, label]) => /** @type {const} */ ([keyLabel(keys), label])),
        [
          keyLabel("Escape"),
          _("Close what is open"),
        ],
      ]),
      table(_("While you write"), [
        [_("Enter"), _("Send (on touch screens: start a new line)")],
        [_("Shift+Enter"), _("Start a new line")],
        ["↑", _("Edit your last message, where nothing is typed")],
        [keyLabel("Escape"), _("Cancel the edit or reply")],
        ["@ # : /", _("Complete a name, room, emoji or command")],
      ]),
      table(_("On a message"), [["↑ ↓, J K", _("Go to another message")], ...keyed("message")]),
      table(_("Commands"), ACTIONS.filter((row) => row.usage).map((row) => [row.usage?.() ?? "", row.label()])),
      h("p", { class: "quiet" }, _("Text that begins with // is sent with one /.")),
    ),
  });
}

// --- members ---

// Members of a room, and what can be done about a person.

const FILTER_FROM = 12;
const SPANS_S = [600, 3600, 86400, 604800, 0]; // of a ban or mute; 0: no end
const MOST_REASON = 300;

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {() => void} close
 */
export function membersPanel(app, conversation, close) {
  const { key } = conversation;
  const present = () => app.core.conversations.get(key) ?? conversation;
  /** Where the room does not tell its members: pages of `who`. @type {Map<number, Person>} */
  const asked = new Map();
  let furtherThan = 0;
  let hasMore = false;
  let ended = false;
  let scheduled = 0;
  const count = h("span", { class: "quiet" });
  const status = h("p", { class: "search-status", role: "status" });
  const list = h("ul", { class: "members" });
  const more = h(
    "button",
    { type: "button", class: "button", hidden: true, on: { click: () => load() } },
    _("Show more"),
  );
  const filter = h("input", {
    type: "search",
    class: "members-filter",
    placeholder: _("Find a member"),
    "aria-label": _("Find a member"),
    autocomplete: "off",
    on: { input: show },
  });
  const scroll = h("div", { class: "panel-scroll" }, list, status, more);
  const element = panel(_("Members"), close, filter, scroll);
  element.querySelector("h2")?.append(" ", count);

  const stopIn = () => /** @type {HTMLElement | null} */ (list.querySelector("[tabindex='0']"));

  /** @returns {Person[]} */
  function people() {
    const { kind, room, id, name } = present();
    if (kind === "direct") return [{ id, name }, app.core.me];
    return [...(room?.members ?? asked).values()];
  }

  async function load() {
    fill(status, _("Loading …"));
    try {
      const page = await app.ask({ ask: "who", key, after: furtherThan || undefined });
      if (ended) return;
      for (const person of page.members) asked.set(person.id, person);
      furtherThan = page.members.at(-1)?.id ?? furtherThan;
      hasMore = page.more;
      fill(status);
    } catch (error) {
      fill(status, refusalOf(error));
    }
    show();
  }

  function show() {
    scheduled = 0;
    const { room } = present();
    const all = people().sort((a, b) => a.name.localeCompare(b.name));
    const stop = stopIn()?.dataset.person;
    filter.hidden = all.length < FILTER_FROM && !filter.value;
    fill(count, room ? room.total : all.length);
    fill(list, ...fitting(all, filter.value, ({ name }) => name, Infinity).map(row));
    more.hidden = Boolean(room?.members) || !hasMore;
    const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("button")]);
    const again = rows.find((each) => each.dataset.person === stop) ?? rows[0];
    if (again) again.tabIndex = 0;
  }

  /** @param {Person} person */
  function row(person) {
    const { room } = present();
    const isMe = person.id === app.core.me.id;
    const tags = [
      isMe && _("you"),
      isMe && (room?.role === "owner" ? _("owner") : room?.role === "moderator" && _("moderator")),
      room?.muted.has(person.id) && _("muted"),
      app.settings.ignored.includes(person.id) && _("hidden"),
    ].filter(Boolean);
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "member",
          tabIndex: -1,
          "data-person": person.id,
          "aria-haspopup": "menu",
          on: { click: (/** @type {any} */ event) => openFor(event.currentTarget, person) },
        },
        h("bdi", { class: `name person-${person.id % 8}` }, person.name),
        botMark(person.bot),
        ...tags.map((tag) => h("span", { class: "tag" }, tag)),
      ),
    );
  }

  /** @param {HTMLElement} anchor @param {Person} person */
  function openFor(anchor, person) {
    openMenu(anchor, menuItems("person", { app, conversation: present(), person, anchor }), person.name);
  }

  list.addEventListener("keydown", (event) => {
    const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("button")]);
    const to = nextOf(rows, /** @type {HTMLElement} */ (document.activeElement), event);
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
  list.addEventListener("focusin", ({ target }) => {
    stopIn()?.setAttribute("tabindex", "-1");
    /** @type {HTMLElement} */ (target).tabIndex = 0;
  });
  const later = () => scheduled ||= requestAnimationFrame(show);
  const unlisten = app.listen((changes) => {
    if (
      changes.some((change) =>
        "key" in change && change.key === key && /^(presence|role|joined|rules|conversation)$/.test(change.kind)
      )
    ) later();
  });
  const unset = app.onSetting((name) => name === "ignored" && later());
  show();
  if (present().room && !present().room?.members) load();
  return {
    element,
    end() {
      ended = true;
      cancelAnimationFrame(scheduled);
      unlisten();
      unset();
    },
  };
}

/**
 * What is known of a person, and what can be done.
 *
 * @param {Context} context
 */
export function openPerson(context) {
  const { app, person, conversation } = context;
  if (!person) return;
  const { room } = conversation ?? {};
  const here = room?.members?.has(person.id);
  const facts = [
    person.id === app.core.me.id && _("This is you."),
    person.bot && `${_("Bot")}.`,
    here === undefined ? "" : here ? _("In this room now.") : _("Not in this room now."),
    room?.muted.has(person.id) && _("Muted in this room."),
    app.settings.ignored.includes(person.id) && _("You hide the messages of this person."),
  ].filter(Boolean).join(" ");
  const items = menuItems("person", context).filter(({ label }) => label !== _("View profile"));
  const dialog = openDialog({
    title: app.core.nameOf(person.id) ?? person.name,
    body: h(
      "div",
      {},
      facts && h("p", { class: "quiet" }, facts),
      h(
        "ul",
        { class: "choice-list" },
        ...items.map(({ label, danger, run }) =>
          h(
            "li",
            {},
            h("button", {
              type: "button",
              class: danger ? "choice-row danger" : "choice-row",
              on: {
                click() {
                  dialog.close();
                  run();
                },
              },
            }, label),
          )
        ),
      ),
    ),
  });
  return dialog;
}

/** @param {Context} context */
export async function openInvite({ app, conversation, person }) {
  if (!conversation) return;
  const { key, name: room } = conversation;
  /** @param {Person} whom */
  const invite = async (whom) => {
    await app.ask({ ask: "invite", key, person: whom.id });
    app.toast(_("{name} is invited", { name: whom.name }));
  };
  if (person) return await invite(person);
  const title = _("Invite to #{room}", { room });
  const run = async (/** @type {string} */ name) => invite(await app.ask({ ask: "whois", name }));
  const note = _("The person needs an account.");
  openPicker(title, _("Name of the person"), (query) => nameChoices(query, namesIn(app, conversation), run), note);
}

/** @param {Context} context */
export function openUnban({ app, conversation }) {
  if (!conversation) return;
  const run = async (/** @type {string} */ name) => {
    await moderate(app, conversation.key, await app.ask({ ask: "whois", name }), "unban");
  };
  const here = [...conversation.room?.members?.values() ?? [], app.core.me].map(({ name }) => name);
  const names = app.core.knownNames().filter((name) => !here.includes(name));
  openPicker(_("Unban"), _("Name of the person"), (query) => nameChoices(query, names, run));
}

/**
 * Mutes, removes, bans, or gives a role.
 *
 * @param {Context} context
 * @param {"mute" | "kick" | "ban" | "role"} act
 */
export function openModeration({ app, conversation, person }, act) {
  if (!conversation || !person) return;
  const { key, name: room } = conversation;
  const { name } = person;
  if (act === "role") return openRole(app, key, person);
  const titles = {
    mute: _("Mute {name} in #{room}", { name, room }),
    kick: _("Remove {name} from #{room}", { name, room }),
    ban: _("Ban {name} from #{room}", { name, room }),
  };
  const notes = {
    mute: _("Members who are muted read the room, but cannot write. They must be members with an account."),
    kick: _("This person can join a public room again. A ban keeps out."),
    ban: _("This person leaves the room and cannot join again."),
  };
  const deeds = { mute: _("Mute"), kick: _("Remove"), ban: _("Ban") };
  const span = h(
    "select",
    { name: "seconds" },
    ...SPANS_S.map((seconds) => h("option", { value: String(seconds) }, seconds ? duration(seconds) : _("no end"))),
  );
  const reason = h("input", { name: "reason", maxLength: 2 * MOST_REASON, autocomplete: "off" });
  openDialog({
    title: titles[act],
    body: h(
      "div",
      {},
      h("p", { class: "quiet" }, notes[act]),
      act !== "kick" && fieldOf(_("For how long"), "seconds", span),
      fieldOf(_("Reason"), "reason", reason, _("The person is told.")),
    ),
    buttons: [{
      label: deeds[act],
      danger: true,
      primary: true,
      async run(dialog) {
        const why = reason.value.trim();
        if ([...why].length > MOST_REASON) {
          dialog.refuse(_("A reason has at most {most} characters", { most: MOST_REASON }), "reason");
          return false;
        }
        const seconds = act === "kick" ? null : Number(span.value) || null;
        await moderate(app, key, person, act, seconds, why);
      },
    }],
  });
}

/**
 * @param {App} app
 * @param {string} key
 * @param {Person} person
 */
function openRole(app, key, person) {
  const roles = /** @type {const} */ ([
    ["member", _("Member"), _("No special role.")],
    ["moderator", _("Moderator"), _("Can invite, remove, ban, mute and set the topic.")],
    ["owner", _("Owner"), _("Can also change settings and roles.")],
  ]);
  openDialog({
    title: _("Role of {name}", { name: person.name }),
    body: h(
      "fieldset",
      { class: "choices-of-one" },
      h("legend", { class: "unseen" }, _("Role")),
      ...roles.map(([value, label, note]) =>
        h(
          "label",
          { class: "check" },
          h("input", { type: "radio", name: "role", value }),
          h("span", {}, label, h("span", { class: "quiet" }, " ", note)),
        )
      ),
    ),
    buttons: [{
      label: _("Save"),
      primary: true,
      async run({ element, refuse }) {
        const chosen = new FormData(/** @type {HTMLFormElement} */ (element.querySelector("form"))).get("role");
        const [role] = roles.find(([value]) => value === chosen) ?? [];
        if (role) return await grant(app, key, person, role);
        refuse(_("Choose a role."));
        return false;
      },
    }],
  });
}
