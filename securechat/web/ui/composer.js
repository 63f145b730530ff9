/**
 * Where a message is written. The text stays until the core has taken it, and is kept at each keystroke.
 *
 * What is not needed before the first message is imported when a key is pressed: completion, commands, dialogs.
 *
 * @import {App, Change, Conversation, PendingMessage} from "../core/types.js"
 * @import {Context} from "./actions.js"
 * @import {Message} from "../core/records.js"
 */
import { codePointLength, oneLine } from "../core/text.js";
import { fill, h, icon } from "./dom.js";
import { _, ngettext, shortDuration } from "./i18n.js";
import { CLOSE } from "./icons.js";
import { later, preload } from "./later.js";

/**
 * @typedef {object} Composer
 * @property {HTMLElement} element
 * @property {() => void} end
 * @property {() => void} focus
 * @property {(text: string) => void} insert puts a text where the cursor is
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(pending: PendingMessage) => void} resume takes back what was refused, to be written anew
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

/** When the slow mode of a room lets the user write again, ms. @type {Map<string, number>} */
const slowUntil = new Map();

/**
 * @param {App} app
 * @param {Conversation} conversation
 * @param {{lastOwn?: () => Message | null}} [hooks]
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
  const element = h(
    "section",
    { class: "composer", "aria-label": _("Write a message") },
    bar,
    note,
    h("div", { class: "composer-row" }, faces, field, counter, send),
  );
  let draft = app.drafts.get(key);
  let typedAt = 0;
  let measured = 0;
  /** @type {ReturnType<import("./completion.js").completion> | null} */
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
  const self = { element, end, focus: () => field.focus(), insert, reply, edit, resume };

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
      const { completion } = await later(() => import("./completion.js"));
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
    send.setAttribute("aria-disabled", String(!field.value.trim()));
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
    put(message.text);
    keep({ editing: message.seq, before });
    showBar();
    field.focus();
  }

  /** @param {PendingMessage} pending */
  function resume({ text, reply }) {
    if (draft.editing) cancel();
    put(field.value.trim() ? `${text}\n${field.value}` : text);
    keep({ reply: reply ?? draft.reply });
    showBar();
    field.focus();
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
    const name = message && (message.by === app.core.me.id ? _("you") : app.core.nameOf(message.by) ?? message.name);
    const title = draft.editing ? _("Editing") : name ? _("Reply to {name}", { name }) : _("Reply");
    fill(
      bar,
      h("strong", {}, title),
      h(
        "span",
        { class: "composer-quote" },
        message?.deleted ? _("deleted") : oneLine(message?.text.slice(0, 200) ?? ""),
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
        return _("This room is archived: nobody can write here.");
      case "muted":
        return now.mutedS === null
          ? _("You are muted: you can read, but not write.")
          : _("You are muted for {time}: you can read, but not write.", { time: shortDuration(now.mutedS) });
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
      if (!draft.editing) return;
      return say(_("The message is empty."));
    }
    if (!draft.editing && /^[/／]/.test(bare) && !text.startsWith("//")) {
      if (text.startsWith("/") && !text.includes("\n")) return command(text);
      if (!await isMessage() || field.value.trimEnd() !== text) return;
      return deliver(text);
    }
    deliver(!draft.editing && text.startsWith("//") ? text.slice(1) : text);
  }

  async function isMessage() {
    try {
      const { confirm } = await later(() => import("./menu.js"));
      const text = _("It begins with /, as a command does. It is not obeyed.");
      return await confirm(_("Send this as a message?"), text, _("Send"));
    } catch (error) {
      sayWhy(error);
      return false;
    }
  }

  /** @param {string} text */
  function deliver(text) {
    const why = reason();
    if (why) return app.announce(why, true);
    if (count() > MOST) return say(_("A message has at most {most} characters. Send it in parts", { most: MOST }));
    const { editing, reply } = draft;
    try {
      if (editing) {
        if (app.core.find(editing, key)?.text !== text) app.act({ do: "edit", key, seq: editing, text });
      } else {
        app.act({ do: "send", key, text, reply });
        if (app.core.phase === "online") wait(present().room?.slowS ?? 0);
      }
    } catch {
      return say(_("This did not work. Try again."));
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
      await sayWhy(error);
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

  /** @param {unknown} error */
  async function sayWhy(error) {
    const offline = _("This works when you are connected.");
    say(await later(() => import("./menu.js")).then(({ refusalOf }) => refusalOf(error), () => offline));
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
    } else if (event.key === "ArrowUp" && !field.value && !draft.editing) {
      const last = hooks.lastOwn?.();
      if (!last || barrier(context())) return;
      event.preventDefault();
      edit(last);
    }
  });
  field.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    say(_("Files and pictures cannot be sent here yet."));
  });
  for (const button of [send, faces]) {
    button.addEventListener("pointerdown", (event) => event.preventDefault()); // the keyboard of a phone stays open
  }
  send.addEventListener("click", submit);
  faces.addEventListener("click", async () => {
    try {
      const { openEmoji } = await later(() => import("./emoji.js"));
      openEmoji(app, _("Emoji"), insert);
    } catch (error) {
      sayWhy(error);
    }
  });

  /** @param {readonly Change[]} changes */
  function changed(changes) {
    for (const change of changes) {
      if (!("key" in change) || change.key !== key) continue;
      if (change.kind === "failed" && change.refusal.code === "slow_mode") wait(change.refusal.retryS ?? 1);
      else if (change.kind === "messageChanged" || change.kind === "window") showBar();
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
