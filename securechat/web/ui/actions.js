/**
 * What a user can do: one table, from which menus, commands that begin with `/`, and the key help are made.
 *
 * Of the terminal client's commands some have no place here: /cert (a page sees no client certificate), /more and /around (lists load by
 * themselves, a click on a hit goes there).
 *
 * @import {App, Conversation} from "../core/types.js"
 * @import {Message, Person} from "../core/records.js"
 * @import {Composer} from "./composer.js"
 * @import {MenuItem} from "./menu.js"
 */
import { linksOf, openAbout, openLink } from "./about.js";
import { barrier, openComposer, openReactions, rank, RANKS } from "./composer.js";
import { _, keyLabel, shortDuration } from "./i18n.js";
import { later } from "./dom.js";
import { FILE_ACTIONS, textOf } from "./files.js";
import { goBack, nextUnread, openPalette } from "./keys.js";
import { confirm, refusalOf } from "./menu.js";
import { KEYS } from "./page_keys.js";

/**
 * What an action is about. The person of a message is its author.
 * @typedef {object} Context
 * @property {App} app
 * @property {Conversation | null} [conversation]
 * @property {Message | null} [message]
 * @property {Person | null} [person]
 * @property {Pick<Composer, "reply" | "edit"> & Partial<Composer> | null} [composer] without it the one on the screen
 * @property {Element | {x: number, y: number} | null} [anchor] where something may open
 *
 * @typedef {"message" | "conversation" | "person" | "app"} Place
 *
 * @typedef {object} Row
 * @property {string} name also of the command
 * @property {() => string} label
 * @property {string} place the menus it is in, separated by blanks; in "message" `keys` hold while a message has the focus
 * @property {string} [keys] as in page_keys.js
 * @property {() => string} [usage] as a command; without it there is none
 * @property {string} [aliases] other names of the command
 * @property {boolean} [danger]
 * @property {(context: Context) => unknown} [isPossible] without it always
 * @property {(context: Context) => unknown} run
 */

/** @param {Context} context */
const canReact = (context) => context.message && !context.message.deleted && /^(readOnly)?$/.test(barrier(context));
/** @param {Context} context */
const isOwn = ({ app, message }) => message && message.by === app.core.me.id;
/** @param {Context} context */
const ofRoom = ({ conversation }) => conversation?.kind === "room";
/** @param {Context} context */
const ofMember = (context) => ofRoom(context) && context.conversation?.member;
/** @param {Context} context */
const isOther = ({ app, person }) => person && person.id !== app.core.me.id;
/** @param {Context} context */
const moderates = (context) =>
  ofMember(context) && rank(context) >= RANKS.moderator && /^(readOnly)?$/.test(barrier(context));
/** @param {Context} context */
const inLobby = ({ conversation }) => conversation?.name === "lobby";
/** @param {Context} context */
const moderatesOther = (context) => isOther(context) && moderates(context);
/** @param {Context} context */
const owns = (context) => ofMember(context) && rank(context) >= RANKS.owner;

/** @param {Context} context */
const hasPrograms = ({ app }) => app.core.account && app.core.features.includes("bots");

const dialogs = () => later(() => import("./dialogs.js"));
const search = () => later(() => import("./search.js"));
/** @param {Context} context @param {string} [room] */
const openPrograms = async ({ app }, room) => (await later(() => import("./settings.js"))).openPrograms(app, room);

/** @param {string} panel */
const show = (panel) => (/** @type {Context} */ { app }) => app.go({ panel });
/** @param {"mute" | "kick" | "ban" | "role"} act */
const moderation = (act) => async (/** @type {Context} */ context) => (await dialogs()).openModeration(context, act);
/** @param {"unban" | "unmute"} act */
const lifted = (act) => (/** @type {Context} */ { app, conversation, person }) =>
  conversation && person && moderate(app, conversation.key, person, act);

/**
 * Does something about a member of a room, and says what was done.
 *
 * @param {App} app
 * @param {string} key
 * @param {Person} person
 * @param {"mute" | "kick" | "ban" | "unban" | "unmute"} act
 * @param {number | null} [seconds] null: without end
 * @param {string} [reason]
 */
export async function moderate(app, key, { id, name }, act, seconds = null, reason = "") {
  await app.ask({ ask: "moderate", key, person: id, act, seconds, reason });
  const time = shortDuration(seconds ?? 0);
  const done = {
    mute: seconds ? _("{name} was muted for {time}", { name, time }) : _("{name} was muted", { name }),
    kick: _("{name} was removed", { name }),
    ban: seconds ? _("{name} was banned for {time}", { name, time }) : _("{name} was banned", { name }),
    unban: _("{name} can join again", { name }),
    unmute: _("{name} can write again", { name }),
  };
  app.toast(done[act]);
}

/**
 * @param {App} app
 * @param {string} key
 * @param {Person} person
 * @param {"owner" | "moderator" | "member"} role
 */
export async function grant(app, key, { id, name }, role) {
  await app.ask({ ask: "grant", key, person: id, role });
  const said = { owner: _("owner"), moderator: _("moderator"), member: _("member") };
  app.toast(_("{name} is {role} now", { name, role: said[role] }));
}

/** Of commands about programs. */
const forms = () => _("[add|rotate|remove NAME] [post] [read] [#ROOM] [DAYS]");

/** @type {readonly Row[]} */
export const ACTIONS = [
  {
    name: "reply",
    label: () => _("Reply"),
    place: "message",
    keys: KEYS.reply,
    usage: () => _("/reply text"),
    isPossible: (context) => context.message && !context.message.deleted && !barrier(context),
    run: ({ composer, message }) => message && (composer ?? openComposer())?.reply(message),
  },
  {
    name: "react",
    label: () => _("React"),
    place: "message",
    keys: KEYS.react,
    usage: () => "/react 👍",
    isPossible: canReact,
    run: openReactions,
  },
  {
    name: "edit",
    label: () => _("Edit"),
    place: "message",
    keys: KEYS.edit,
    usage: () => _("/edit text"),
    isPossible: (context) =>
      context.message && !context.message.deleted && !barrier(context) &&
      (isOwn(context) || rank(context) >= RANKS.moderator),
    run: ({ composer, message }) => message && (composer ?? openComposer())?.edit(message),
  },
  {
    name: "quote",
    label: () => _("Quote"),
    place: "message",
    keys: KEYS.quote,
    isPossible: (context) => context.message && textOf(context.message) && !barrier(context),
    run: ({ composer, message }) => message && (composer ?? openComposer())?.insert?.(quoted(textOf(message))),
  },
  {
    name: "copy",
    label: () => _("Copy text"),
    place: "message",
    keys: KEYS.copy,
    usage: () => "/copy",
    isPossible: ({ message }) => message && textOf(message),
    run: ({ app, message }) => copy(app, message ? textOf(message) : ""),
  },
  {
    name: "open",
    label: () => _("Open a link"),
    place: "message",
    keys: KEYS.open_link,
    usage: () => "/open",
    isPossible: ({ message }) => message && linksOf(message).length > 0,
    run: openLink,
  },
  {
    name: "about",
    label: () => _("Show all about it"),
    place: "message",
    keys: KEYS.about,
    usage: () => "/about",
    isPossible: ({ message }) => message,
    run: openAbout,
  },
  {
    name: "link",
    label: () => _("Copy link"),
    place: "message conversation",
    isPossible: ({ conversation, message }) => conversation && (message || !conversation.room?.private),
    run: ({ app, conversation, message }) =>
      conversation && copy(app, linkTo(conversation) + (message ? `/${message.seq}` : "")),
  },
  {
    name: "delete",
    label: () => _("Delete"),
    place: "message",
    keys: KEYS.delete,
    usage: () => "/delete",
    danger: true,
    isPossible: (context) =>
      context.message && !context.message.deleted &&
      (isOwn(context) ? /^(archived|readOnly)?$/.test(barrier(context)) : ofRoom(context) && moderates(context)),
    run: deleteMessage,
  },
  {
    name: "msg",
    label: () => _("Send a direct message"),
    place: "person app",
    usage: () => _("/msg NAME text"),
    aliases: "dm",
    isPossible: (context) => !context.person || isOther(context),
    run: async ({ app, person }) => {
      if (!person) return (await search()).openDirect(app);
      go(app, await app.ask({ ask: "openPerson", person }));
    },
  },
  {
    name: "mention",
    label: () => _("Mention"),
    place: "person",
    isPossible: (context) => openComposer() && isOther(context) && ofMember(context),
    run: ({ app, person }) => {
      if (!person) return;
      if (app.route.panel === "members") app.go({ panel: "" }); // narrow: it covers the composer
      openComposer()?.insert(`@${person.name} `);
    },
  },
  {
    name: "whois",
    label: () => _("View profile"),
    place: "person",
    usage: () => _("/whois NAME"),
    run: async (context) => (await dialogs()).openPerson(context),
  },
  {
    name: "ignore",
    label: () => _("Hide or show messages"),
    place: "person",
    usage: () => _("/ignore NAME"),
    isPossible: isOther,
    run: ({ app, person }) => person && ignore(app, person),
  },
  {
    name: "invite",
    label: () => _("Invite"),
    place: "person conversation",
    usage: () => _("/invite NAME"),
    isPossible: (context) =>
      moderates(context) && context.conversation?.room?.private &&
      (!context.person || (isOther(context) && !context.conversation.room.members?.has(context.person.id))),
    run: async (context) => (await dialogs()).openInvite(context),
  },
  {
    name: "role",
    label: () => _("Change role"),
    place: "person",
    usage: () => _("/role NAME owner|moderator|member"),
    isPossible: (context) => owns(context) && isOther(context),
    run: moderation("role"),
  },
  {
    name: "mute",
    label: () => _("Mute"),
    place: "person",
    usage: () => _("/mute NAME [10m] [why]"),
    isPossible: (context) => moderatesOther(context) && !context.conversation?.room?.muted.has(context.person?.id ?? 0),
    run: moderation("mute"),
  },
  {
    name: "unmute",
    label: () => _("Unmute"),
    place: "person",
    usage: () => _("/unmute NAME"),
    isPossible: (context) => moderatesOther(context) && context.conversation?.room?.muted.has(context.person?.id ?? 0),
    run: lifted("unmute"),
  },
  {
    name: "kick",
    label: () => _("Remove from the room"),
    place: "person",
    usage: () => _("/kick NAME [why]"),
    danger: true,
    isPossible: (context) => moderatesOther(context) && !inLobby(context),
    run: moderation("kick"),
  },
  {
    name: "ban",
    label: () => _("Ban from the room"),
    place: "person",
    usage: () => _("/ban NAME [10m] [why]"),
    danger: true,
    isPossible: (context) => moderatesOther(context) && !inLobby(context),
    run: moderation("ban"),
  },
  {
    name: "who",
    label: () => _("Members"),
    place: "conversation",
    usage: () => _("/who [ROOM]"),
    aliases: "names",
    isPossible: ofMember,
    run: ({ app }) => {
      // wide: they stand beside the messages
      if (matchMedia("(min-width: 900px)").matches) app.set("membersOpen", true);
      else app.go({ panel: "members" });
    },
  },
  {
    name: "room",
    label: () => _("Room settings"),
    place: "conversation",
    usage: () => "/room",
    isPossible: ofRoom,
    run: show("room"),
  },
  {
    name: "topic",
    label: () => _("Topic"),
    place: "conversation",
    usage: () => _("/topic [TEXT]"),
    isPossible: moderates,
    run: async (context) => (await dialogs()).openTopic(context),
  },
  {
    name: "history",
    label: () => _("Go to date"),
    place: "conversation",
    keys: KEYS.date,
    usage: () => _("/history DAY [ROOM or NAME]"),
    isPossible: ({ conversation }) => conversation,
    run: async ({ app, conversation }) => conversation && (await dialogs()).openDay(app, conversation),
  },
  {
    name: "jump",
    label: () => _("Go to the first unread message"),
    place: "conversation",
    usage: () => "/jump",
    isPossible: ({ conversation }) => conversation?.firstUnread,
    run: ({ app, conversation }) => conversation && app.act({ do: "open", key: conversation.key, unread: true }),
  },
  {
    name: "unban",
    label: () => _("Unban"),
    place: "conversation",
    usage: () => _("/unban NAME"),
    isPossible: (context) => moderates(context) && !inLobby(context),
    run: async (context) => context.person ? lifted("unban")(context) : (await dialogs()).openUnban(context),
  },
  {
    name: "hook",
    aliases: "webhook",
    label: () => _("Bots and tokens"),
    place: "conversation",
    usage: () => `/hook ${forms()}`,
    isPossible: (context) => moderates(context) && hasPrograms(context),
    run: (context) => openPrograms(context, context.conversation?.name),
  },
  {
    name: "leave",
    label: () => _("Leave the room"),
    place: "conversation",
    usage: () => _("/leave [ROOM]"),
    aliases: "part",
    danger: true,
    isPossible: (context) => ofMember(context) && !inLobby(context),
    run: async ({ app, conversation }) => conversation && (await dialogs()).leaveRoom(app, conversation),
  },
  ...FILE_ACTIONS,
  {
    name: "switch",
    label: () => _("Go to a room or person"),
    place: "app",
    keys: KEYS.switch,
    usage: () => "/switch",
    run: async ({ app }) => (await search()).openSwitcher(app),
  },
  {
    name: "unread",
    label: () => _("Go to the next unread conversation"),
    place: "app",
    keys: KEYS.next_unread,
    usage: () => "/unread",
    aliases: "next",
    run: ({ app }) => nextUnread(app),
  },
  {
    name: "back",
    label: () => _("Go back to where you were"),
    place: "app",
    keys: KEYS.back,
    usage: () => "/back",
    run: ({ app }) => goBack(app),
  },
  {
    name: "mentions",
    label: () => _("Show who mentioned you"),
    place: "app",
    keys: KEYS.mentions,
    usage: () => "/mentions",
    run: async ({ app }) => {
      (await search()).searchFor(`"@${app.core.me.name}"`);
      app.go({ panel: "search" });
    },
  },
  {
    name: "palette",
    label: () => _("Choose an action by its name"),
    place: "app",
    keys: KEYS.palette,
    usage: () => "/palette",
    run: openPalette,
  },
  {
    name: "members",
    label: () => _("Show or hide the members"),
    place: "app",
    keys: KEYS.members,
    usage: () => "/members",
    isPossible: ofMember,
    run: async ({ app }) => (await later(() => import("./conversation.js"))).toggleMembers(app),
  },
  {
    name: "read",
    label: () => _("Mark everything as read"),
    place: "app",
    keys: KEYS.read_all,
    usage: () => "/read",
    isPossible: ({ app }) => [...app.core.conversations.values()].some((each) => each.unread > 0),
    run: readAll,
  },
  {
    name: "search",
    label: () => _("Search"),
    place: "app",
    keys: KEYS.search,
    usage: () => _("/search words"),
    run: show("search"),
  },
  {
    name: "rooms",
    label: () => _("Browse rooms"),
    place: "app",
    usage: () => "/rooms",
    aliases: "list",
    run: async ({ app }) => (await search()).openRooms(app),
  },
  {
    name: "join",
    label: () => _("Join or create a room"),
    place: "app",
    usage: () => _("/join ROOM"),
    run: async ({ app }) => (await search()).openRooms(app),
  },
  {
    name: "nick",
    label: () => _("Change your name"),
    place: "app",
    usage: () => _("/nick NAME"),
    run: show("settings"),
  },
  {
    name: "register",
    label: () => _("Keep your name with a password"),
    place: "app",
    usage: () => "/register",
    isPossible: ({ app }) => !app.core.account,
    run: show("settings"),
  },
  {
    name: "password",
    label: () => _("Change your password"),
    place: "app",
    usage: () => "/password",
    isPossible: ({ app }) => app.core.account,
    run: show("settings"),
  },
  {
    name: "sessions",
    label: () => _("Where you are logged in"),
    place: "app",
    usage: () => "/sessions",
    isPossible: ({ app }) => app.core.account,
    run: show("settings"),
  },
  {
    name: "bot",
    label: () => _("Bots and tokens"),
    place: "app",
    usage: () => `/bot ${forms()}`,
    isPossible: hasPrograms,
    run: (context) => openPrograms(context),
  },
  {
    name: "token",
    label: () => _("Bots and tokens"),
    place: "app",
    usage: () => `/token ${forms()}`,
    isPossible: hasPrograms,
    run: (context) => openPrograms(context),
  },
  {
    name: "typing",
    label: () => _("Typing notices on or off"),
    place: "app",
    usage: () => "/typing on|off",
    run: ({ app }) => setTyping(app, !app.settings.typing),
  },
  {
    name: "lang",
    label: () => _("Language"),
    place: "app",
    usage: () => "/lang id",
    aliases: "language bahasa",
    run: show("settings"),
  },
  {
    name: "help",
    label: () => _("Keys and commands"),
    place: "app",
    keys: KEYS.help,
    usage: () => "/help",
    run: show("help"),
  },
  {
    name: "logout",
    label: () => _("Log out"),
    place: "app",
    usage: () => "/logout",
    danger: true,
    run: async ({ app }) => {
      const text = _("This browser forgets you. What is not sent yet is lost.");
      if (await confirm(_("Log out?"), text, _("Log out"), { danger: true })) await app.forget();
    },
  },
  {
    name: "quit",
    label: () => _("Leave the chat"),
    place: "app",
    usage: () => "/quit",
    aliases: "exit",
    run: ({ app }) => app.act({ do: "leave" }),
  },
];

/**
 * @param {string} name of an action, or of a command, also an other name of it
 * @returns {Row | undefined}
 */
export function actionNamed(name) {
  return ACTIONS.find((row) => row.name === name || row.aliases?.split(" ").includes(name));
}

/**
 * Does it, and says why it cannot be done.
 *
 * @param {Row} row
 * @param {Context} context
 */
export async function perform(row, context) {
  try {
    await row.run(context);
  } catch (error) {
    context.app.toast(refusalOf(error));
  }
}

/**
 * The rows of a menu that are possible now.
 *
 * @param {Place} place
 * @param {Context} context
 * @returns {MenuItem[]}
 */
export function menuItems(place, context) {
  return ACTIONS.filter((row) => row.place.split(" ").includes(place) && isPossible(row, context)).map((row) => ({
    label: labelOf(row, context),
    danger: row.danger,
    keys: row.keys && keyLabel(row.keys.split(" ")[0] ?? ""),
    run: () => perform(row, context),
  }));
}

/**
 * @param {Row} row
 * @param {Context} context
 * @returns {boolean}
 */
export const isPossible = (row, context) => !row.isPossible || Boolean(row.isPossible(context));

/**
 * @param {Row} row
 * @param {Context} context
 */
function labelOf(row, { app, person }) {
  if (row.name !== "ignore" || !person) return row.label();
  return app.settings.ignored.includes(person.id) ? _("Show messages again") : _("Hide messages");
}

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {number | null} [seq]
 */
export function go(app, conversation, seq = null) {
  app.go({ key: conversation.key, seq });
}

/**
 * @param {App} app
 * @param {boolean} on
 */
export function setTyping(app, on) {
  app.set("typing", on);
  app.toast(on ? _("Typing notices are on: others see that you are typing") : _("Typing notices are off"));
}

/**
 * @param {App} app
 * @param {Person} person
 */
export function ignore(app, person) {
  const { ignored } = app.settings;
  const hidden = !ignored.includes(person.id);
  app.set("ignored", hidden ? [...ignored, person.id] : ignored.filter((id) => id !== person.id));
  const undo = { label: _("Undo"), run: () => ignore(app, person) };
  const text = hidden
    ? _("Messages of {name} are hidden", { name: person.name })
    : _("Messages of {name} are shown", { name: person.name });
  app.toast(text, hidden ? [undo] : []);
}

/** @param {Context} context */
async function deleteMessage({ app, conversation, message }) {
  if (!conversation || !message) return;
  const text = _("Others see that there was a message, and not what it said.");
  if (!await confirm(_("Delete this message?"), text, _("Delete"), { danger: true })) return;
  app.act({ do: "delete", key: conversation.key, seq: message.seq });
}

/** @param {Context} context */
function readAll({ app }) {
  for (const { key, unread, last } of app.core.conversations.values()) {
    if (unread > 0 && last) app.act({ do: "read", key, seq: last.seq });
  }
}

/** A text as it is quoted in what is written, with a line for the answer below it. @param {string} text */
function quoted(text) {
  const field = /** @type {HTMLTextAreaElement | null} */ (document.querySelector(".composer-field"));
  const before = field?.value.slice(0, field.selectionStart) ?? "";
  const lines = text.split("\n").map((line) => `> ${line}\n`);
  return (!before || before.endsWith("\n") ? "" : "\n") + lines.join("");
}

/**
 * @param {Conversation} conversation
 */
function linkTo(conversation) {
  const place = conversation.kind === "room"
    ? `room/${encodeURIComponent(conversation.name)}`
    : `person/${conversation.id}`;
  return `${location.origin}${location.pathname}#/${place}`;
}

/**
 * @param {App} app
 * @param {string} text
 */
async function copy(app, text) {
  try {
    await navigator.clipboard.writeText(text);
    app.toast(_("Copied"));
  } catch {
    app.toast(_("This browser does not allow copying here. Mark the text and copy it."));
  }
}

/**
 * What the user wants to hear of in a room.
 *
 * @param {App} app
 * @param {Conversation} conversation
 */
export function notifyItems(app, { name }) {
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
