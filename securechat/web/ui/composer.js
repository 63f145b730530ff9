/**
 * Where a message is written, and the emoji for it. The text stays until the core has taken it, and is kept at each keystroke.
 *
 * @import {Message} from "../core/records.js"
 * @import {App, Change, Conversation, PendingMessage} from "../core/types.js"
 * @import {Context} from "./actions.js"
 */
import { brief, codePointLength, nameKey, oneLine } from "../core/text.js";
import { attachments } from "./attach.js";
import { CLOSE, fill, h, icon, later, preload } from "./dom.js";
import { textOf } from "./files.js";
import { _, language, ngettext, shortDuration } from "./i18n.js";
import { confirm, openDialog, refusalOf } from "./menu.js";

/**
 * @typedef {object} Composer
 * @property {HTMLElement} element
 * @property {() => void} end
 * @property {() => void} focus
 * @property {(text: string) => void} insert puts a text where the cursor is
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(pending: PendingMessage) => unknown} resume takes back what was refused, to be written anew
 * @property {() => void} choose lets the user choose files
 */

export const RANKS = { member: 0, moderator: 1, owner: 2, admin: 3 };
/** Of a message, in code points: never more than 16,000 bytes of UTF-8. */
const MOST = 4000;
const TELL_FROM = 3600;
const TYPING_EVERY_MS = 3000;
const PRELOAD_MS = 3000;
/** A command with a password behind it, also a mistyped one: never stored. */
const SECRET = /^\s*[/／]\s*(re?g|pa?s)\S*\s+\S/i;
/** Invisible ones that are no blanks to Unicode; and controls. */
const INVISIBLE = /^[\s\p{C}\p{Z}\u2800\u3164\u115f\u1160\uffa0]+/u;
const SEND = "M4 12 20 4 14 20 11 13Z";
const FACE = "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M9 9v1M15 9v1M8 14q4 4 8 0";

/** @param {Context} context */
export function rank({ app, conversation }) {
  const role = conversation?.room?.role;
  return app.core.admin ? RANKS.admin : role ? RANKS[role] : -1;
}

/**
 * Why the user cannot write in a conversation now. Reactions are allowed in a read-only room.
 *
 * @param {Context} context
 * @returns {"" | "left" | "archived" | "muted" | "readOnly"}
 */
export function barrier(context) {
  const { conversation } = context;
  if (!conversation) return "left";
  if (!conversation.member) return "left";
  if (conversation.room?.archived) return "archived";
  if (conversation.mutedS !== 0) return "muted";
  return conversation.room?.readOnly && rank(context) < RANKS.moderator ? "readOnly" : "";
}

/** @type {Composer | null} */
let current = null;
/** @type {number | undefined} */
let preloading;

/** The one on the screen. */
export const openComposer = () => current;

/** Who muted the user, why, and until when, ms. @type {Map<string, {by: string, why: string, until: number}>} */
const mutes = new Map();

/** @param {Conversation} conversation */
function mutedText({ key, mutedS }) {
  const { by = "", why = "", until = 0 } = mutes.get(key) ?? {};
  const said = mutedS === null
    ? _("You are muted: you can read, but not write.")
    : until
    ? _("You are muted until {until:moment}: you can read, but not write.", { until })
    : _("You are muted for {time}: you can read, but not write.", { time: shortDuration(mutedS) });
  return [said, by && _("By {name}.", { name: by }), why && _("Reason: {why}", { why })].filter(Boolean).join(" ");
}

/** When the slow mode of a room lets the user write again, ms. @type {Map<string, number>} */
const slowUntil = new Map();

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {{lastOwn?: () => Message | null, outgoing?: HTMLElement}} [hooks]
 * @returns {Composer}
 */
export function composer(app, conversation, hooks = {}) {
  const { key } = conversation;
  const stop = new AbortController();
  const { signal } = stop;
  const field = h("textarea", {
    class: "composer-field",
    rows: 1,
    "aria-label": placeholder(),
    placeholder: placeholder(),
    enterKeyHint: breaks() ? "enter" : "send",
    autocapitalize: "sentences",
  });
  const bar = h("div", { class: "composer-bar" });
  const note = h("p", { class: "composer-note", role: "status" });
  const counter = h("span", { class: "composer-count", role: "status" });
  const send = h("button", { type: "button", class: "icon-button send", "aria-label": _("Send") }, icon(SEND));
  const faces = h("button", { type: "button", class: "icon-button", "aria-label": _("Emoji") }, icon(FACE));
  const files = attachments(app, key, {
    outgoing: hooks.outgoing,
    changed: count,
    say,
    restore: (text, reply) => resume({ text, reply }),
    closed: () => Boolean(barrier(context()) || draft.editing),
  });
  const element = h(
    "section",
    { class: "composer", "aria-label": _("Write a message") },
    bar,
    files.element,
    note,
    h("div", { class: "composer-row" }, files.button, faces, field, counter, send),
  );
  let draft = app.drafts.get(key);
  let typedAt = 0;
  let measured = 0;
  /** @type {ReturnType<import("./commands.js").completion> | null} */
  let complete = null;
  let loading = false;
  let submits = 0;
  let told = ""; // why it was not sent; until something is typed
  /** @type {number | undefined} */
  let timer;
  field.value = draft.text;

  const present = () => app.core.conversations.get(key) ?? conversation;
  const context = () => ({ app, conversation: present(), composer: self });
  /** @type {Composer} */
  const self = { element, end, focus: () => field.focus(), insert, reply, edit, resume, choose: files.choose };

  function placeholder() {
    const { kind, name } = app.core.conversations.get(key) ?? conversation;
    return kind === "room" ? _("Message #{room}", { room: name }) : _("Message {name}", { name });
  }

  /** Whether Enter breaks the line. */
  function breaks() {
    const { enter } = app.settings;
    return enter === "break" || (enter === "auto" && matchMedia("(pointer: coarse) and (hover: none)").matches);
  }

  /** @param {Partial<typeof draft>} [changes] */
  function keep(changes = {}) {
    draft = { ...draft, ...changes, text: SECRET.test(field.value) ? "" : field.value };
    app.drafts.put(key, draft);
  }

  /** @param {string} text */
  function put(text) {
    field.value = text;
    field.setSelectionRange(text.length, text.length);
    resize();
    count();
    complete?.close();
  }

  /** Without a connection it fails, and is tried again at the next key. */
  async function loadCompletion() {
    if (loading) return;
    loading = true;
    const turn = submits;
    try {
      const { completion } = await later(() => import("./commands.js"));
      complete = completion(app, field, present, typed);
      element.prepend(complete.list);
      note.after(complete.hint);
      if (turn === submits) complete.update();
    } catch {
      loading = false;
    }
  }

  function resize() {
    if (CSS.supports("field-sizing", "content")) return; // the style sheet does it
    const { length } = field.value;
    if (length < measured) field.style.height = "auto"; // only then: the messages above would move for a moment
    measured = length;
    field.style.height = `${field.scrollHeight}px`;
  }

  function count() {
    const { length } = field.value;
    const points = length < TELL_FROM ? 0 : codePointLength(field.value);
    const left = MOST - points;
    element.classList.toggle("too-long", left < 0);
    fill(
      counter,
      points < TELL_FROM
        ? ""
        : left < 0
        ? ngettext("{n} too many", "{n} too many", -left)
        : ngettext("{n} left", "{n} left", left),
    );
    const hasFiles = draft.editing ? app.core.find(draft.editing, key)?.files?.length : files.count;
    send.setAttribute("aria-disabled", String(!field.value.trim() && !hasFiles));
    return points;
  }

  /** @param {string} text */
  function insert(text) {
    field.focus();
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    typed();
  }

  function typed() {
    keep();
    resize();
    count();
    const now = Date.now();
    const quiet = !field.value || field.value.startsWith("/") || draft.editing || barrier(context());
    if (quiet || !app.settings.typing || app.core.phase !== "online" || now - typedAt < TYPING_EVERY_MS) return;
    typedAt = now;
    app.act({ do: "typing", key });
  }

  /** @param {Message} message */
  function reply(message) {
    if (draft.editing) cancel();
    keep({ reply: message.seq });
    showBar();
    field.focus();
  }

  /** @param {Message} message */
  function edit(message) {
    const before = draft.editing ? draft.before : /^\/\w/.test(field.value) ? "" : field.value; // "/edit" is done with
    put(textOf(message));
    keep({ editing: message.seq, before });
    showBar();
    field.focus();
  }

  /** @param {Pick<PendingMessage, "text" | "reply"> & Partial<PendingMessage>} pending */
  function resume({ text, reply, files: sent }) {
    if (draft.editing) cancel();
    put(field.value.trim() ? `${text}\n${field.value}` : text);
    keep({ reply: reply ?? draft.reply });
    showBar();
    field.focus();
    return sent?.length ? files.takeBack(sent) : undefined;
  }

  /** Ends an edit or a reply; what was typed before the edit is back. */
  function cancel() {
    if (draft.editing) put(draft.before ?? "");
    else if (!draft.reply) return false;
    keep({ editing: null, reply: draft.editing ? draft.reply : null, before: undefined });
    showBar();
    return true;
  }

  function showBar() {
    const seq = draft.editing ?? draft.reply;
    if (!seq) return fill(bar);
    const message = app.core.find(seq, key);
    const own = message?.by === app.core.me.id;
    const name = message && (app.core.nameOf(message.by) ?? message.name);
    const title = draft.editing
      ? _("Editing")
      : !name
      ? _("Reply")
      : own
      ? _("Replying to yourself")
      : _("Replying to {name}", { name });
    fill(
      bar,
      h("strong", {}, title),
      h(
        "span",
        { class: "composer-quote" },
        message?.deleted ? _("deleted") : brief(message?.text.slice(0, 200) ?? ""),
      ),
      h("button", {
        type: "button",
        class: "icon-button",
        "aria-label": draft.editing ? _("Cancel the edit") : _("Cancel the reply"),
        on: {
          click() {
            cancel();
            field.focus();
          },
        },
      }, icon(CLOSE)),
    );
  }

  /** @param {number} seconds of slow mode */
  function wait(seconds) {
    if (seconds) slowUntil.set(key, Date.now() + seconds * 1000);
  }

  function showNote() {
    clearTimeout(timer);
    const why = reason();
    element.classList.toggle("closed", Boolean(why));
    send.disabled = Boolean(why);
    const text = told || why;
    if (note.textContent !== text) fill(note, text);
  }

  /** Why one cannot write here; the text can be typed all the same. */
  function reason() {
    const now = present();
    switch (barrier(context())) {
      case "left":
        return _("You are not in this room.");
      case "archived":
        return _("This room is archived: it can only be read.");
      case "muted":
        return mutedText(now);
      case "readOnly":
        return _("Only moderators and owners can write here.");
    }
    const left = Math.ceil(((slowUntil.get(key) ?? 0) - Date.now()) / 1000);
    if (left <= 0 || rank(context()) > 0 || draft.editing) return "";
    timer = setTimeout(showNote, 1000);
    return ngettext(
      "Slow mode: you can write again in {n} second.",
      "Slow mode: you can write again in {n} seconds.",
      left,
    );
  }

  async function submit() {
    submits++;
    complete?.close();
    const text = field.value.trimEnd();
    const bare = text.replace(INVISIBLE, "");
    if (!text.trim()) {
      if (!draft.editing) return files.count ? deliver("") : undefined;
      if (app.core.find(draft.editing, key)?.files?.length) return deliver(""); // its files stay
      return say(_("The message is empty."));
    }
    if (!draft.editing && /^[/／]/.test(bare) && !text.startsWith("//")) {
      if (text.startsWith("/") && !text.includes("\n")) return command(text);
      if (!await isMessage() || field.value.trimEnd() !== text) return;
      return deliver(text);
    }
    deliver(!draft.editing && text.startsWith("//") ? text.slice(1) : text);
  }

  const isMessage = () =>
    confirm(
      _("Send this as a message?"),
      _("It begins with /, as a command does. It is not obeyed."),
      _("Send"),
    );

  /** @param {string} text */
  function deliver(text) {
    const why = reason();
    if (why) return app.announce(why, true);
    if (count() > MOST) return say(_("A message has at most {most} characters. Send it in parts", { most: MOST }));
    const { editing, reply } = draft;
    try {
      if (editing) {
        const was = app.core.find(editing, key);
        if (!was || textOf(was) !== text) app.act({ do: "edit", key, seq: editing, text });
      } else {
        if (files.problem) return say(files.problem);
        if (files.count) files.send(text, reply);
        else app.act({ do: "send", key, text, reply });
        if (app.core.phase === "online") wait(present().room?.slowS ?? 0);
      }
    } catch {
      return say(_("This did not work. Check the connection and try again."));
    }
    put(editing ? draft.before ?? "" : "");
    keep({ editing: null, reply: editing ? reply : null, before: undefined });
    told = "";
    showBar();
    showNote();
    typedAt = 0;
  }

  /** @param {string} text */
  async function command(text) {
    field.readOnly = true; // nothing is typed into what is cleared
    try {
      const { obey } = await later(() => import("./commands.js"));
      const { problem, clear } = await obey(text, context());
      if (problem) say(problem);
      if (clear && field.value.trimEnd() === text) {
        put("");
        keep();
      }
      if (!problem) told = "";
      showNote();
    } catch (error) {
      say(error instanceof TypeError ? _("This works when you are connected.") : refusalOf(error));
    } finally {
      field.readOnly = false;
    }
  }

  /** @param {string} text */
  function say(text) {
    told = text;
    if (note.textContent === text) app.announce(text, true); // the same text again is not read
    showNote();
  }

  field.addEventListener("input", () => {
    told = "";
    showNote();
    typed();
    if (complete) complete.update();
    else loadCompletion();
  });
  field.addEventListener("keydown", (event) => {
    // Safari ends a composition before the keydown of its Enter, which has the code 229 then
    if (event.isComposing || event.keyCode === 229 || complete?.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && (event.ctrlKey || event.metaKey || !breaks())) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && !event.shiftKey && cancel()) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "ArrowUp" && !event.ctrlKey && !event.metaKey && !field.value && !draft.editing) {
      const last = hooks.lastOwn?.();
      if (!last || barrier(context())) return;
      event.preventDefault();
      edit(last);
    }
  });
  field.addEventListener("paste", files.paste);
  for (const button of [send, faces]) {
    button.addEventListener("pointerdown", (event) => event.preventDefault()); // the keyboard of a phone stays open
  }
  send.addEventListener("click", submit);
  faces.addEventListener("click", () => openEmoji(app, _("Emoji"), insert));

  /** @param {readonly Change[]} changes */
  function changed(changes) {
    for (const change of changes) {
      if (!("key" in change) || change.key !== key) continue;
      if (change.kind === "failed" && change.refusal.code === "slow_mode") wait(change.refusal.retryS ?? 1);
      else if (change.kind === "role" && change.person.id === app.core.me.id) {
        const { by, mutedS, reason } = change;
        const until = mutedS ? Date.now() + mutedS * 1000 : 0;
        mutes.set(key, { by: by ? oneLine(by.name) : "", why: oneLine(reason), until });
      } else if (change.kind === "messageChanged" || change.kind === "window") showBar();
      else if (change.kind === "renamed") field.placeholder = field.ariaLabel = placeholder();
    }
    showNote();
  }

  const unlisten = app.listen(changed);
  const unset = app.onSetting((name) => {
    if (name === "enter") field.enterKeyHint = breaks() ? "enter" : "send";
  });
  addEventListener("resize", resize, { signal });
  function end() {
    if (current === self) current = null;
    clearTimeout(timer);
    stop.abort();
    files.end();
    unlisten();
    unset();
  }
  current = self;
  clearTimeout(preloading);
  preloading = setTimeout(preload, PRELOAD_MS);
  showBar();
  showNote();
  count();
  requestAnimationFrame(resize);
  return self;
}

// --- emoji ---

// Chooses an emoji, by search, group or from those used last. The names are fetched when they are first wanted.

/** @typedef {readonly [sign: string, name: string, group: number, words: string]} Emoji words: all that find it */

const MOST_RECENT = 24;
const FIRST = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "✅"];
/** @type {Map<string, Promise<Emoji[]>>} */
const loaded = new Map();

/**
 * All emoji with their names in the language in use.
 *
 * @param {App} app
 * @returns {Promise<Emoji[]>}
 */
function allEmoji(app) {
  const wanted = `emoji.${language()}.json`;
  const file = app.facts.files[wanted] ?? app.facts.files["emoji.en.json"] ?? "";
  let found = loaded.get(file);
  if (!found) {
    found = load(file);
    found.catch(() => loaded.delete(file)); // asked for again when there is a connection
    loaded.set(file, found);
  }
  return found;
}

/** @param {string} file @returns {Promise<Emoji[]>} */
async function load(file) {
  const response = await fetch(file);
  if (!response.ok) throw new Error(file);
  const groups = /** @type {string[]} */ (await response.json());
  return groups.flatMap((group, index) =>
    group.split("\n").filter(Boolean).map((line) => {
      const end = line.indexOf(" ");
      const [name = "", more = ""] = line.slice(end + 1).split("\t");
      return /** @type {const} */ ([line.slice(0, end), name, index, ` ${name} ${more}`]);
    })
  );
}

/**
 * @param {App} app
 * @param {string} query words of a name
 * @param {number} most
 * @returns {Promise<Emoji[]>} the best first: those whose name begins so, then those with a word that does
 */
export async function findEmoji(app, query, most) {
  const words = nameKey(query).split(" ");
  const [first = ""] = words;
  const fits = (await allEmoji(app)).filter(([, , , all]) =>
    words.every((word) => all.includes(` ${word}`) || all.includes(`-${word}`))
  );
  const rank = (/** @type {Emoji} */ [, name]) => name === nameKey(query) ? 0 : name.startsWith(first) ? 1 : 2;
  return fits.sort((a, b) => rank(a) - rank(b) || a[1].length - b[1].length).slice(0, most);
}

/**
 * Remembers an emoji as used.
 *
 * @param {App} app
 * @param {string} sign
 */
export function used(app, sign) {
  app.set("recentEmoji", [sign, ...app.settings.recentEmoji.filter((each) => each !== sign)].slice(0, MOST_RECENT));
}

/**
 * Lets the user choose an emoji.
 *
 * @param {App} app
 * @param {string} title
 * @param {(sign: string) => unknown} run called with the chosen one, when the picker is closed
 */
function openEmoji(app, title, run) {
  const names = [
    _("Recently used"),
    _("Faces and people"),
    _("Animals and plants"),
    _("Food and drink"),
    _("Travel and places"),
    _("Activities and things"),
    _("Signs"),
    _("Flags"),
  ];
  const recent = [...new Set([...app.settings.recentEmoji, ...FIRST])];
  const status = h("p", { class: "quiet", role: "status" });
  const grid = h("div", { class: "emoji-grid", role: "listbox", "aria-label": _("Emoji") });
  const search = h("input", {
    type: "search",
    autocomplete: "off",
    placeholder: _("Search by name"),
    "aria-label": _("Search by name"),
    on: { input: show, keydown: fromSearch },
  });
  const group = h(
    "select",
    { "aria-label": _("Group"), on: { change: show } },
    ...names.map((name, index) => h("option", { value: String(index) }, name)),
  );
  let chosen = "";
  const dialog = openDialog({
    title,
    closed: () => chosen && run(chosen),
    body: h("div", { class: "emoji" }, h("div", { class: "search-row" }, search, group), grid, status),
  });
  let turn = 0;

  async function show() {
    const mine = ++turn;
    fill(status);
    /** @type {readonly (readonly [string, string, ...unknown[]])[]} */
    let found = [];
    group.disabled = Boolean(search.value.trim());
    try {
      if (search.value.trim()) found = await findEmoji(app, search.value, 200);
      else if (group.value === "0") {
        fillGrid(recent.map((sign) => [sign, sign]));
        const known = new Map((await allEmoji(app)).map(([sign, name]) => [sign, name]));
        found = recent.map((sign) => [sign, known.get(sign) ?? sign]);
      } else found = (await allEmoji(app)).filter(([, , index]) => index === Number(group.value) - 1);
    } catch {
      fill(
        status,
        _("The names of the emoji cannot be loaded now. Type or paste one with the keyboard of your system."),
      );
      if (search.value.trim()) return;
      found = recent.map((sign) => [sign, sign]);
    }
    if (mine !== turn) return;
    fillGrid(found);
    if (found.length === 0) fill(status, _("Nothing was found."));
  }

  /** @param {readonly (readonly [string, string, ...unknown[]])[]} found */
  function fillGrid(found) {
    const at = document.activeElement;
    const was = grid.contains(at) && at?.textContent;
    fill(
      grid,
      ...found.map(([sign, name], index) =>
        h("button", {
          type: "button",
          role: "option",
          class: "emoji-sign",
          title: name,
          "aria-label": name,
          "aria-selected": "false",
          tabIndex: index === 0 ? 0 : -1,
          on: { click: () => choose(sign) },
        }, sign)
      ),
    );
    // the names may come while the keys are on one of the recent ones
    const same = [...grid.children].find((each) => each.textContent === was);
    if (was) /** @type {HTMLElement} */ (same ?? search).focus();
  }

  /** @param {string} sign */
  function choose(sign) {
    chosen = sign;
    used(app, sign);
    dialog.close();
  }

  /** @param {KeyboardEvent} event */
  function fromSearch(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const first = /** @type {HTMLElement | null} */ (grid.firstElementChild);
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    if (event.key === "Enter" && search.value.trim()) first?.click();
    else first?.focus();
  }

  grid.addEventListener("keydown", (event) => {
    const all = /** @type {HTMLElement[]} */ ([...grid.children]);
    const at = all.findIndex((each) => each === document.activeElement);
    const top = all[0]?.offsetTop;
    const columns = Math.max(1, all.filter((each) => each.offsetTop === top).length);
    const step = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -at,
      End: all.length - 1 - at,
    }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && at < columns) return search.focus();
    const to = all[Math.max(0, Math.min(all.length - 1, at + step))];
    all[at]?.setAttribute("tabindex", "-1");
    to?.setAttribute("tabindex", "0");
    to?.focus();
  });
  show();
  return dialog;
}

/**
 * Puts a reaction under a message, or takes the user's own away.
 *
 * @param {Context} context
 */
export function openReactions({ app, conversation, message }) {
  if (!conversation || !message) return;
  const { key } = conversation;
  openEmoji(app, _("React"), (sign) => {
    const now = app.core.find(message.seq, key) ?? message;
    const on = !now.reactions?.some((each) => each.sign === sign && each.by.includes(app.core.me.id));
    app.act({ do: "react", key, seq: message.seq, sign, on });
  });
}
