/**
 * Members of a room, and what can be done about a person.
 *
 * @import {App, Conversation} from "../core/types.js"
 * @import {Person} from "../core/records.js"
 * @import {Context} from "./actions.js"
 */
import { menuItems } from "./actions.js";
import { fitting, namesIn } from "./completion.js";
import { fieldOf } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { _, duration } from "./i18n.js";
import { nextOf, openDialog, openMenu, panel, refusalOf } from "./menu.js";
import { nameChoices, openPicker } from "./switcher.js";

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
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.person : undefined;
    const inList = list.contains(document.activeElement);
    filter.hidden = all.length < FILTER_FROM && !filter.value;
    fill(count, room ? room.total : all.length);
    fill(list, ...fitting(all, filter.value, ({ name }) => name, Infinity).map(row));
    more.hidden = Boolean(room?.members) || !hasMore;
    const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("button")]);
    const again = rows.find((each) => each.dataset.person === focused) ?? rows[0];
    if (again) again.tabIndex = 0;
    if (inList) again?.focus();
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
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const to = nextOf(rows, active, event);
    if (!to) return;
    event.preventDefault();
    active.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
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
    focus: () => /** @type {HTMLElement | null} */ (list.querySelector("button[tabindex='0']"))?.focus(),
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
    here === undefined ? "" : here ? _("In this room now.") : _("Not in this room now."),
    room?.muted.has(person.id) && _("Muted in this room."),
    app.settings.ignored.includes(person.id) && _("You hide the messages of this person."),
  ].filter(Boolean).join(" ");
  const items = menuItems("person", context).filter(({ label }) => label !== _("Show person"));
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
    const person = await app.ask({ ask: "whois", name });
    await app.ask({ ask: "moderate", key: conversation.key, person: person.id, act: "unban" });
    app.toast(_("{name} can join again", { name: person.name }));
  };
  const names = app.core.knownNames();
  openPicker(_("Lift a ban"), _("Name of the person"), (query) => nameChoices(query, names, run));
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
  const { id, name } = person;
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
        await app.ask({ ask: "moderate", key, person: id, act, seconds, reason: why });
        app.toast(_("Done"));
      },
    }],
  });
}

/**
 * @param {App} app
 * @param {string} key
 * @param {Person} person
 */
function openRole(app, key, { id, name }) {
  const roles = /** @type {const} */ ([
    ["member", _("Member"), _("No special role.")],
    ["moderator", _("Moderator"), _("Can invite, remove, ban, mute and set the topic.")],
    ["owner", _("Owner"), _("Can also change settings and roles.")],
  ]);
  openDialog({
    title: _("Role of {name}", { name }),
    body: h(
      "fieldset",
      { class: "choices-of-one" },
      h("legend", { class: "unseen" }, _("Role")),
      ...roles.map(([value, label, note]) =>
        h(
          "label",
          { class: "check" },
          h("input", { type: "radio", name: "role", value, checked: value === "moderator" }),
          h("span", {}, label, h("span", { class: "quiet" }, " ", note)),
        )
      ),
    ),
    buttons: [{
      label: _("Save"),
      primary: true,
      async run({ element }) {
        const chosen = new FormData(/** @type {HTMLFormElement} */ (element.querySelector("form"))).get("role");
        const role = roles.find(([value]) => value === chosen)?.[0] ?? "member";
        await app.ask({ ask: "grant", key, person: id, role });
        app.toast(_("Done"));
      },
    }],
  });
}
