/**
 * The messages of a conversation: at most 300 rows of the core's window are in the document, more come as the reader scrolls.
 * All changes are made once a frame, with the row under the reader's eye held (`anchor.js`).
 *
 * @import {App, Change, Conversation, PendingMessage} from "../core/types.js"
 * @import {Message} from "../core/records.js"
 * @import {Comings, RowContext} from "./message_row.js"
 *
 * @typedef {object} ListHooks
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(pending: PendingMessage) => unknown} [resume] puts a message that failed back into the composer
 * @property {(text: string) => void} [insert]
 * @property {HTMLElement} [outgoing] where messages with files stand until they are sent
 *
 * @typedef {object} MessageList
 * @property {HTMLElement} element
 * @property {() => void} end takes the listeners away
 * @property {() => void} toPresent
 * @property {(seq: number) => void} select goes to a message, and marks it
 *
 * @typedef {object} Row
 * @property {number} seq
 * @property {Message} message
 * @property {HTMLElement} element
 * @property {number} flags what it shows above its text
 */

import { nameKey } from "../core/text.js";
import { Anchor } from "./anchor.js";
import { h, later, WRITING } from "./dom.js";
import { _, ngettext, refusalText } from "./i18n.js";
import { comingsRow, fillRow, firstLine, loadFiles, nameText, pendingRow } from "./message_row.js";

const MAX_ROWS = 300; // in the document
const PAGE_ROWS = 50; // made in one frame
const GROUP_MS = 5 * 60_000; // messages of one author so close together stand under one name,
const GROUP_ROWS = 10; // and so many
const AHEAD = 2; // views of rows that are kept ready in each direction
const NEAR_ROWS = 150; // more than a full window drops at its start at once
const REPORT_MS = 400; // between two reports of the reading position
const ANNOUNCE_MS = 700; // messages that come in this time are announced together
const HIGHLIGHT_MS = 2500;
const MAX_COMINGS = 30; // lines of comings and goings
const HEAD = 1;
const DAY = 2;
const FRESH = 4;
const LONG = 8; // its group became too long

/**
 * Makes the list of a conversation.
 *
 * @param {App} app
 * @param {Conversation} conversation
 * @param {ListHooks} hooks
 * @returns {MessageList}
 */
export function messageList(app, conversation, hooks) {
  const { key } = conversation;
  const title = () => {
    const name = nameText(conversation.name);
    return conversation.room ? `#${name}` : _("your conversation with {name}", { name });
  };
  const edge = h("div", { class: "edge" });
  const slack = { above: h("div"), below: h("div") };
  const rowsBox = h("div", { class: "rows", role: "feed", "aria-label": _("Messages") });
  const early = h("div"); // who came before the first message
  const below = h("div");
  const tail = h("div", { class: "tail" });
  const sheet = h(
    "div",
    { class: "sheet" },
    slack.above,
    edge,
    early,
    rowsBox,
    below,
    tail,
    hooks.outgoing,
    slack.below,
  );
  const scroller = h("div", { class: "scroller" }, sheet);
  const pill = h("button", { class: "pill", type: "button", hidden: true, on: { click: toNewest } });
  const back = h("button", { class: "pill", type: "button", hidden: true, on: { click: goBack } }, _("Back"));
  const element = h("div", { class: "message-list" }, scroller, h("div", { class: "pills" }, back, pill));

  /** @type {Map<number, Row>} */
  const rows = new Map();
  /** @type {Map<number, number>} heights of rows that were taken out below, in pixels */
  const heights = new Map();
  /** @type {Set<number>} seqs whose rows show something old */
  const stale = new Set();
  /** @type {Map<number, {element: HTMLElement, comings: Comings}>} by the seq of the message above */
  const comings = new Map();
  /** @type {readonly Message[]} */
  let messages = [];
  let low = 0; // what is in the document: messages[low] to messages[high - 1]
  let high = 0;
  let first = 0; // their seqs: the core changes its list in place
  let last = 0;
  let belowHeight = 0;
  let freshFrom = 0;
  let current = 0; // the row that Tab leads to
  let cameFrom = 0;
  let reported = 0;
  let placed = false;
  let frame = 0;
  let paging = 0;
  let nearStart = false;
  let shownTail = "";
  /** @type {Set<string> | null} */
  let names = null;
  const lastSent = () =>
    Math.max(0, ...app.core.pending.map((each) => each.key === key && each.kind === "message" ? each.number : 0));
  let sent = lastSent();

  element.addEventListener("present", toPresent);
  const anchor = new Anchor(scroller, sheet, rowsBox, slack, { moved, isWhole });
  const names_ = {
    has: (/** @type {string} */ name) => (names ??= new Set(app.core.knownNames().map(nameKey))).has(name),
  };

  function isWhole() {
    return placed && conversation.window.atEnd && last === (messages.at(-1)?.seq ?? 0);
  }

  /** Takes over the messages as they are now. */
  function read() {
    const { ignored } = app.settings;
    const all = conversation.window.messages;
    messages = ignored.length ? all.filter((each) => !ignored.includes(each.by)) : all;
    low = indexOf(first);
    high = indexOf(last + 1);
    names = null;
  }

  /**
   * @param {number} seq
   * @returns {number} the index of the first message from here on
   */
  function indexOf(seq) {
    let from = 0;
    let to = messages.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((messages[middle]?.seq ?? 0) < seq) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  // The first message waits for the one before it: only then is it known whether it begins a group or a day.
  const firstIndex = () => conversation.window.atStart || messages.length < 2 ? 0 : 1;

  /** @param {number} index */
  function flagsOf(index) {
    const message = messages[index];
    const before = messages[index - 1];
    if (!message) return 0;
    const day = !before || new Date(before.at).toDateString() !== new Date(message.at).toDateString();
    const fresh = message.seq === freshFrom;
    const head = day || fresh || before.by !== message.by || before.name !== message.name || message.reply ||
      message.at - before.at > GROUP_MS || before.deleted || message.deleted || comings.has(before.seq);
    const known = rows.get(message.seq);
    const long = !head && (known ? known.flags & LONG : isLong(index)) ? LONG : 0; // once: rows stay as they are
    return (head || long ? HEAD : 0) | (day ? DAY : 0) | (fresh ? FRESH : 0) | long;
  }

  /** @param {number} index whether the name and time above are too far away */
  function isLong(index) {
    for (let back = 1; back < GROUP_ROWS; back++) {
      const row = rows.get(messages[index - back]?.seq ?? 0);
      if (!row) return false;
      if (row.flags & HEAD) return (messages[index]?.at ?? 0) - row.message.at > GROUP_MS;
    }
    return true;
  }

  /**
   * @param {number} flags
   * @returns {RowContext}
   */
  function contextOf(flags) {
    return {
      key,
      head: Boolean(flags & HEAD),
      day: Boolean(flags & DAY),
      fresh: Boolean(flags & FRESH),
      jump,
      text: { names: names_, me: nameKey(app.core.me.name), room: addressOf },
    };
  }

  /** @param {string} name */
  function addressOf(name) {
    const room = app.core.roomNamed(name);
    return room && app.address({ key: room.key });
  }

  /**
   * @param {Row} row
   * @param {Message} message
   * @param {number} flags
   */
  function fill(row, message, flags) {
    fillRow(row.element, app, message, contextOf(flags));
    Object.assign(row, { message, flags });
    const after = comings.get(row.seq);
    if (after) row.element.append(after.element);
    setTabStops(row.element, row.seq === current);
  }

  /**
   * Puts messages[from] to messages[to - 1] into the document, and nothing else.
   *
   * @param {number} from
   * @param {number} to
   */
  function show(from, to) {
    low = from;
    high = to;
    first = messages[from]?.seq ?? 0;
    last = messages[to - 1]?.seq ?? 0;
    const dropped = [...rows.values()].filter(({ seq }) =>
      to <= from || seq < first || seq > last || messages[indexOf(seq)]?.seq !== seq
    );
    for (const { seq, element } of dropped) if (seq > last) heights.set(seq, element.getBoundingClientRect().height);
    for (const { seq, element } of dropped) {
      element.remove();
      rows.delete(seq);
    }
    let next = rowsBox.firstElementChild;
    for (let index = from; index < to; index++) {
      const message = messages[index];
      if (!message) break;
      const flags = flagsOf(index);
      let row = rows.get(message.seq);
      if (!row) {
        row = { seq: message.seq, message, flags, element: h("article", { tabIndex: -1, "aria-setsize": -1 }) };
        rows.set(message.seq, row);
        fill(row, message, flags);
      } else if (row.message !== message || row.flags !== flags || stale.has(message.seq)) fill(row, message, flags);
      if (row.element === next) next = next.nextElementSibling;
      else rowsBox.insertBefore(row.element, next);
      heights.delete(message.seq);
    }
    stale.clear();
    let height = 0;
    for (let index = to; index < messages.length; index++) height += heights.get(messages[index]?.seq ?? 0) ?? 0;
    if (height !== belowHeight) below.style.height = `${belowHeight = height}px`;
    if (!rows.has(current)) makeCurrent(last);
  }

  /** Brings the document up to the state of the core. Called once a frame, after something has changed. */
  function update() {
    frame = 0;
    const { window } = conversation;
    if (!window.loaded) return;
    const files = loadFiles(window.messages);
    if (files) return void files.then(outdateAll);
    read();
    if (!placed) {
      open();
      return;
    }
    anchor.hold(() => {
      let from = Math.max(low, firstIndex());
      let to = high;
      if (anchor.following && window.atEnd) {
        to = messages.length;
        // In a flood only the newest are made: each frame costs the same, however many came.
        from = Math.max(from, to - (to - high > PAGE_ROWS ? PAGE_ROWS : MAX_ROWS));
      }
      show(from, Math.max(from, to));
      showEnds();
    });
    moved();
  }

  function schedule() {
    frame ||= requestAnimationFrame(update);
  }

  /** Shows the window for the first time, at its target. */
  function open() {
    const { target } = conversation.window;
    placed = true;
    loadActions();
    heights.clear();
    if (conversation.unread > 0) freshFrom = conversation.firstUnread;
    let index = messages.length;
    if (target?.seq) index = indexOf(target.seq);
    else if (target?.unread && freshFrom) index = indexOf(freshFrom);
    else if (target?.at) index = messages.findIndex((each) => each.at >= (target.at ?? 0));
    go(index < 0 ? messages.length : index, target?.seq ? "message" : target?.at ? "day" : "unread");
  }

  /**
   * Shows the list at a message, or at the end.
   *
   * @param {number} index messages.length: the end
   * @param {"message" | "day" | "unread"} why message: it is marked and has the focus
   */
  function go(index, why) {
    const seq = messages[index]?.seq ?? 0;
    if (!rows.has(seq)) {
      const from = Math.max(firstIndex(), Math.min(index, messages.length - PAGE_ROWS) - PAGE_ROWS);
      show(from, Math.min(messages.length, from + 3 * PAGE_ROWS));
    } else show(low, high);
    showEnds();
    const row = rows.get(seq);
    if (row) anchor.place(row.element, why === "message" ? scroller.clientHeight * 0.3 : 40);
    else anchor.toEnd();
    if (row && why === "message") highlight(row);
    moved();
  }

  /** Makes rows ready in both directions, and asks for what the core does not have. */
  function fillUp() {
    paging = 0;
    if (!placed) return;
    read();
    const view = scroller.getBoundingClientRect();
    const ahead = AHEAD * view.height;
    const { window } = conversation;
    // The reader has pulled the scroll bar to where rows were taken out: their heights say which.
    let missing = view.top - rowsBox.getBoundingClientRect().bottom;
    if (missing > 0 && high < messages.length) {
      let index = high;
      for (; index < messages.length - 1 && missing > 0; index++) {
        missing -= heights.get(messages[index]?.seq ?? 0) ?? 0;
      }
      show(Math.max(firstIndex(), index - PAGE_ROWS), Math.min(messages.length, index + PAGE_ROWS));
      anchor.record();
    }
    for (let round = 0; round < MAX_ROWS / PAGE_ROWS; round++) {
      const box = rowsBox.getBoundingClientRect();
      const above = view.top - box.top;
      const under = box.bottom - view.bottom;
      const seen = indexOfView();
      if (above < ahead && low > firstIndex()) {
        const from = Math.max(firstIndex(), low - PAGE_ROWS);
        anchor.hold(() => show(from, Math.max(Math.min(high, from + MAX_ROWS), seen.to)));
      } else if (under < ahead && high < messages.length) {
        const to = Math.min(messages.length, high + PAGE_ROWS);
        anchor.hold(() => show(Math.min(Math.max(low, to - MAX_ROWS), seen.from), to));
      } else break;
      if (above >= 0 && under >= 0) { // one page a frame, unless a part of the view is empty
        page();
        break;
      }
    }
    if (window.loading) return;
    const box = rowsBox.getBoundingClientRect();
    const near = !anchor.following && indexOfView().from < NEAR_ROWS;
    const wasNear = nearStart;
    nearStart = near;
    if (!window.atStart && low <= firstIndex() && view.top - box.top < ahead) app.act({ do: "older", key });
    else if (near && !wasNear) app.act({ do: "older", key }); // so that the core drops no rows at this end
    else if (!window.atEnd && high === messages.length && box.bottom - view.bottom < ahead) {
      app.act({ do: "newer", key });
    }
  }

  function page() {
    paging ||= requestAnimationFrame(fillUp);
  }

  /** The messages that can be seen: they are never taken out. */
  function indexOfView() {
    const seqs = anchor.marks.map(({ row }) => Number(row.dataset.seq));
    return seqs.length
      ? { from: indexOf(seqs[0] ?? 0), to: indexOf((seqs.at(-1) ?? 0) + 1) }
      : { from: Infinity, to: 0 };
  }

  /** What stands before the first row, and behind the last. */
  function showEnds() {
    const { window } = conversation;
    const text = window.loading === "older"
      ? _("Loading …")
      : window.atStart
      ? _("This is the beginning of {name}.", { name: title() })
      : "";
    if (edge.textContent !== text) edge.textContent = text;
    const own = window.atEnd
      ? app.core.pending.filter((each) => each.key === key && /^(message|edit)$/.test(each.kind))
      : [];
    early.replaceChildren(...(comings.has(0) && window.atStart ? [comings.get(0)?.element ?? ""] : []));
    const now = `${app.core.phase === "online"} ${own.map(({ number, state, sent }) => number + state + sent)}`;
    if (now === shownTail) return; // its buttons keep the focus
    shownTail = now;
    tail.replaceChildren();
    own.forEach((pending, index) => tail.append(pendingRow(app, pending, contextOf(index ? 0 : HEAD), resume)));
  }

  /** @param {PendingMessage} pending */
  async function resume(pending) {
    const edited = pending.kind === "edit" && app.core.find(pending.seq, key);
    if (edited) hooks.edit({ ...edited, text: pending.text });
    else await hooks.resume?.(pending); // its files are taken back first
    app.act({ do: "discard", number: pending.number });
  }

  /** After each movement and each change. */
  function moved() {
    if (!placed) return;
    // Tab leads to what can be seen.
    if (
      !anchor.marks.some(({ row }) => row.dataset.seq === String(current)) && !rowsBox.contains(document.activeElement)
    ) {
      makeCurrent(Number(anchor.marks.at(-1)?.row.dataset.seq ?? last));
    }
    showPill();
    report();
    page();
  }

  function showPill() {
    const { bottom } = scroller.getBoundingClientRect();
    pill.hidden = anchor.following || (isWhole() && slack.below.getBoundingClientRect().top <= bottom + 1);
    back.hidden = !cameFrom;
    if (pill.hidden) return;
    const count = conversation.unread;
    const text = count ? ngettext("{n} new message", "{n} new messages", count) : _("Jump to latest");
    if (pill.textContent !== text) pill.textContent = text;
    pill.classList.toggle("unread", count > 0);
  }

  let reporting = false;
  /** Tells the core what was really seen. */
  function report() {
    if (reporting || !placed || document.visibilityState !== "visible" || !document.hasFocus()) return;
    const { bottom } = scroller.getBoundingClientRect();
    const whole = anchor.marks.findLast(({ row }) => row.getBoundingClientRect().bottom <= bottom + 1);
    const seen = anchor.following ? last : Number(whole?.row.dataset.seq ?? 0);
    if (seen <= Math.max(reported, conversation.read)) return;
    reported = seen;
    reporting = true;
    setTimeout(() => {
      reporting = false;
      report();
    }, REPORT_MS);
    app.act({ do: "read", key, seq: seen });
  }

  /** @param {Row} row */
  function highlight({ seq, element: target }) {
    for (const each of rowsBox.querySelectorAll(".target")) each.classList.remove("target");
    target.classList.add("target");
    setTimeout(() => target.classList.remove("target"), HIGHLIGHT_MS);
    makeCurrent(seq);
    target.focus({ preventScroll: true });
  }

  /** @param {number} seq of the row that Tab leads to */
  function makeCurrent(seq) {
    const before = rows.get(current);
    if (before) setTabStops(before.element, false);
    current = seq;
    const now = rows.get(seq);
    if (now) setTabStops(now.element, true);
  }

  /**
   * @param {number} seq
   * @param {number} from where the reader comes from, for the way back
   */
  function jump(seq, from) {
    cameFrom = from;
    select(seq);
  }

  /** @param {number} seq */
  function select(seq) {
    read();
    const index = indexOf(seq);
    if (placed && messages[index]?.seq === seq && index >= firstIndex()) go(index, "message");
    else app.act({ do: "open", key, seq });
  }

  function toPresent() {
    cameFrom = 0;
    read();
    if (conversation.window.atEnd) go(messages.length, "unread");
    else app.act({ do: "open", key });
  }

  /** To the first new message, where it is farther down; else to the present. */
  function toNewest() {
    read();
    const { firstUnread, unread } = conversation;
    const index = indexOf(firstUnread);
    const ahead = unread > 0 && firstUnread > Number(anchor.marks.at(-1)?.row.dataset.seq ?? 0);
    if (!ahead || messages[index]?.seq !== firstUnread) {
      toPresent();
      return;
    }
    freshFrom = firstUnread;
    go(index, "unread");
  }

  function goBack() {
    const seq = cameFrom;
    cameFrom = 0;
    select(seq);
  }

  /** @type {string[]} */
  let arrived = [];
  /** @param {Message} message */
  function announce(message) {
    if (app.settings.ignored.includes(message.by)) return;
    if (!arrived.length) {
      setTimeout(() => {
        const said = arrived;
        arrived = [];
        if (said.length > 3) app.announce(ngettext("{n} new message", "{n} new messages", said.length));
        else for (const text of said) app.announce(text);
      }, ANNOUNCE_MS);
    }
    arrived.push(`${nameText(message.name, message.bot)}: ${firstLine(message.text)}`);
  }

  /** @param {Extract<Change, {kind: "presence"}>} change */
  function came(change) {
    if (!placed || !conversation.window.atEnd) return;
    const seq = conversation.window.messages.at(-1)?.seq ?? 0;
    const known = comings.get(seq)?.comings ?? { joined: new Map(), left: new Map(), renamed: new Map() };
    for (const { id, name, bot } of change.joined) {
      if (!known.left.delete(id)) known.joined.set(id, nameText(name, bot));
    }
    for (const { id, name, bot } of change.left) {
      if (!known.joined.delete(id)) known.left.set(id, nameText(name, bot));
    }
    for (const each of change.renamed) {
      known.renamed.set(each.id, { ...each, old: known.renamed.get(each.id)?.old ?? each.old });
    }
    const line = comingsRow(known);
    const before = comings.get(seq);
    if (before) before.element.replaceWith(line);
    comings.set(seq, { element: line, comings: known });
    for (const old of [...comings.keys()].slice(0, -MAX_COMINGS)) {
      comings.get(old)?.element.remove();
      comings.delete(old);
    }
    stale.add(seq);
    schedule();
  }

  /** @param {readonly Change[]} changes */
  function changed(changes) {
    for (const change of changes) {
      if (change.kind === "welcome" || change.kind === "me") outdateAll();
      if (change.kind === "phase") schedule(); // what waits can be taken back
      if (!("key" in change) || change.key !== key) continue;
      if (change.kind === "window") {
        if (change.how === "replaced") placed = false;
        if (change.how === "changed" || change.how === "older") outdate(new Set(change.seqs));
        schedule();
      } else if (change.kind === "message") {
        if (!change.own && !change.late) announce(change.message);
        schedule(); // it may be in no window: then a reader at the end asks for it
      } else if (change.kind === "presence") came(change);
      else if (change.kind === "failed") {
        failed(change.number, refusalText(change.refusal));
        schedule();
      } else if (change.kind === "pending") {
        const number = lastSent();
        if (number > sent && placed) toPresent();
        sent = Math.max(sent, number);
        schedule();
      } else if (change.kind === "acked" || change.kind === "conversation") schedule();
    }
  }

  /**
   * @param {number} number of what was refused
   * @param {string} why
   */
  function failed(number, why) {
    const kind = app.core.pending.find((each) => each.number === number)?.kind;
    if (kind === "delete" || kind === "react") { // nothing was typed that could be lost
      app.act({ do: "discard", number });
      app.toast(why);
    } else app.announce(`${_("Not sent")}: ${why}`, true);
  }

  function outdateAll() {
    for (const seq of rows.keys()) stale.add(seq);
    schedule();
  }

  /** @param {Set<number>} seqs their rows, and the rows that quote them, are written anew */
  function outdate(seqs) {
    for (const { seq, message } of rows.values()) if (seqs.has(seq) || seqs.has(message.reply ?? 0)) stale.add(seq);
  }

  /** @type {(() => void) | null} */
  let endActions = null;
  let ended = false;
  /** Keys and menus are fetched behind the first messages; where that fails, when the list is opened next. */
  async function loadActions() {
    if (endActions) return;
    endActions = () => {};
    try {
      const { rowActions } = await later(() => import("./menu.js"), WRITING);
      if (ended) return;
      endActions = rowActions(app, conversation, {
        rows: rowsBox,
        scroller,
        messageOf: (row) => rows.get(Number(/** @type {HTMLElement} */ (row).dataset.seq))?.message ?? null,
        makeCurrent: (row) => makeCurrent(Number(row.dataset.seq)),
        toPresent,
        composer: { reply: hooks.reply, edit: hooks.edit, insert: hooks.insert ?? (() => {}) },
      });
    } catch {
      endActions = null;
    }
  }

  const endings = [app.listen(changed), app.onSetting(outdateAll), () => anchor.end()];
  let hidden = document.hidden;
  /** The reader is back: what came meanwhile begins with a line, and is shown from there. */
  const shown = () => {
    const wasHidden = hidden;
    hidden = document.hidden;
    if (hidden || !placed) return;
    if (anchor.following && conversation.unread > 0 && conversation.firstUnread !== freshFrom) {
      freshFrom = conversation.firstUnread;
      update();
      const above =
        (rows.get(freshFrom)?.element.getBoundingClientRect().top ?? -1) < scroller.getBoundingClientRect().top;
      const index = indexOf(freshFrom);
      if (wasHidden && above && messages[index]?.seq === freshFrom) go(index, "unread");
    }
    report();
  };
  addEventListener("focus", shown);
  document.addEventListener("visibilitychange", shown);
  schedule();

  return {
    element,
    end() {
      ended = true;
      endActions?.();
      cancelAnimationFrame(frame);
      cancelAnimationFrame(paging);
      for (const end of endings) end();
      removeEventListener("focus", shown);
      document.removeEventListener("visibilitychange", shown);
    },
    toPresent,
    select,
  };
}

/**
 * @param {HTMLElement} row
 * @param {boolean} on whether Tab leads to the row and what is in it
 */
function setTabStops(row, on) {
  row.tabIndex = on ? 0 : -1;
  for (const each of row.querySelectorAll("a, button")) {
    if (!each.closest(".tools")) /** @type {HTMLElement} */ (each).tabIndex = on ? 0 : -1;
  }
}
