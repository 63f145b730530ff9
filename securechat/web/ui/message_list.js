/**
 * The messages of a conversation: at most 300 rows of the core's window are in the document, more come as the reader scrolls.
 * All changes are made once a frame, with the row under the reader's eye held (`anchor.js`).
 *
 * @import {App, Change, Conversation, PendingMessage} from "../core/types.js"
 * @import {Message} from "../core/records.js"
 * @import {RowContext} from "./message_row.js"
 *
 * @typedef {object} ListHooks
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(pending: PendingMessage) => void} [resume] puts a message that failed back into the composer
 *
 * @typedef {object} MessageList
 * @property {HTMLElement} element
 * @property {() => void} end takes the listeners away
 * @property {() => void} focus
 * @property {() => void} toPresent
 * @property {(seq: number) => void} select goes to a message, and marks it
 *
 * @typedef {object} Row
 * @property {number} seq
 * @property {Message} message
 * @property {HTMLElement} element
 * @property {number} flags what it shows above its text
 */

import { Anchor } from "./anchor.js";
import { h } from "./dom.js";
import { _, ngettext } from "./i18n.js";
import { dayText, fillRow, messageRow, nameText, pendingRow } from "./message_row.js";
import { firstLine, nameKey } from "./text_view.js";

const MAX_ROWS = 300; // in the document
const PAGE_ROWS = 50; // made in one frame
const GROUP_MS = 5 * 60_000; // messages of one author so close together stand under one name
const AHEAD = 2; // views of rows that are kept ready in each direction
const REPORT_MS = 400; // between two reports of the reading position
const ANNOUNCE_MS = 700; // messages that come in this time are announced together
const HEAD = 1;
const DAY = 2;
const FRESH = 4;

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
  const list = conversation.kind === "room" ? `#${nameText(conversation.name)}` : nameText(conversation.name);
  const edge = h("div", { class: "edge" });
  const slack = { above: h("div", { class: "slack" }), below: h("div", { class: "slack" }) };
  const rowsBox = h("div", { class: "rows", role: "feed", "aria-label": _("Messages in {name}", { name: list }) });
  const below = h("div", { class: "below" });
  const tail = h("div", { class: "tail" });
  const sheet = h("div", { class: "sheet" }, slack.above, edge, rowsBox, below, tail, slack.below);
  const scroller = h("div", { class: "scroller" }, sheet);
  const pill = h("button", { class: "pill", type: "button", hidden: true, on: { click: onPill } });
  const back = h("button", { class: "pill back", type: "button", hidden: true, on: { click: onBack } }, _("Back"));
  const element = h("div", { class: "message-list" }, scroller, h("div", { class: "pills" }, back, pill));

  /** @type {Map<number, Row>} */
  const rows = new Map();
  /** @type {Map<number, number>} heights of rows that were taken out below, in pixels */
  const heights = new Map();
  /** @type {Set<number>} seqs whose rows show something old */
  const stale = new Set();
  /** @type {readonly Message[]} */
  let messages = [];
  let low = 0; // what is in the document: messages[low] to messages[high - 1]
  let high = 0;
  let belowHeight = 0;
  let freshFrom = 0;
  let current = 0; // the row that Tab leads to
  let cameFrom = 0;
  let reported = 0;
  let placed = false;
  let frame = 0;
  let names = { list: /** @type {readonly string[]} */ ([]), keys: new Set([""]) };

  const anchor = new Anchor(scroller, sheet, rowsBox, slack, { moved, isWhole });

  function isWhole() {
    return placed && conversation.window.atEnd && high === messages.length;
  }

  /** The messages that are shown, oldest first. */
  function read() {
    const { ignored } = app.settings;
    const all = conversation.window.messages;
    messages = ignored.length ? all.filter((each) => !ignored.includes(each.by)) : all;
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
    const head = day || fresh || before?.by !== message.by || before?.name !== message.name ||
      message.at - before.at > GROUP_MS || Boolean(message.reply) ||
      Boolean(before.deleted) !== Boolean(message.deleted);
    return (head ? HEAD : 0) | (day ? DAY : 0) | (fresh ? FRESH : 0);
  }

  /**
   * @param {number} flags
   * @returns {RowContext}
   */
  function contextOf(flags) {
    const known = app.core.knownNames();
    if (known !== names.list || names.keys.size === 1) names = { list: known, keys: new Set(known.map(nameKey)) };
    return {
      key,
      head: Boolean(flags & HEAD),
      day: Boolean(flags & DAY),
      fresh: Boolean(flags & FRESH),
      jump,
      text: { names: names.keys, me: nameKey(app.core.me.name), room: addressOf },
    };
  }

  /** @param {string} name */
  function addressOf(name) {
    const room = app.core.roomNamed(name.toLowerCase());
    return room && `#/room/${encodeURIComponent(room.name)}`;
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
    const first = messages[from]?.seq ?? Infinity;
    const last = messages[to - 1]?.seq ?? -1;
    const dropped = [...rows.values()].filter(({ seq }) =>
      seq < first || seq > last || messages[indexOf(seq)]?.seq !== seq
    );
    for (const row of dropped) if (row.seq > last) heights.set(row.seq, row.element.getBoundingClientRect().height);
    for (const row of dropped) {
      if (row.element.contains(document.activeElement)) rowsBox.focus({ preventScroll: true });
      row.element.remove();
      rows.delete(row.seq);
    }
    let next = rowsBox.firstElementChild;
    for (let index = from; index < to; index++) {
      const message = messages[index];
      if (!message) break;
      const flags = flagsOf(index);
      let row = rows.get(message.seq);
      if (!row) {
        row = { seq: message.seq, message, flags, element: messageRow(app, message, contextOf(flags)) };
        rows.set(message.seq, row);
        if (message.seq === current) row.element.tabIndex = 0;
      } else if (row.message !== message || row.flags !== flags || stale.has(message.seq)) {
        fillRow(row.element, app, message, contextOf(flags));
        Object.assign(row, { message, flags });
      }
      if (row.element === next) next = next.nextElementSibling;
      else rowsBox.insertBefore(row.element, next);
      heights.delete(message.seq);
    }
    stale.clear();
    let height = 0;
    for (let index = to; index < messages.length; index++) height += heights.get(messages[index]?.seq ?? 0) ?? 0;
    if (height !== belowHeight) below.style.height = `${belowHeight = height}px`;
  }

  /** Brings the document up to the state of the core. Called once a frame, after something has changed. */
  function update() {
    frame = 0;
    const { window } = conversation;
    if (!window.loaded) return;
    const first = messages[low]?.seq ?? 0;
    const last = messages[high - 1]?.seq ?? 0;
    read();
    if (!placed) return open();
    anchor.hold(() => {
      let from = Math.max(indexOf(first), firstIndex());
      let to = indexOf(last + 1);
      if (anchor.following && window.atEnd) {
        to = messages.length;
        from = Math.max(from, to - MAX_ROWS);
      }
      show(from, Math.max(from, to));
      showEdge();
      showTail();
    });
    fillUp();
    moved();
  }

  function schedule() {
    frame ||= requestAnimationFrame(update);
  }

  /** Shows the window for the first time, at its target. */
  function open() {
    const { target } = conversation.window;
    placed = true;
    freshFrom = conversation.unread > 0 ? conversation.firstUnread : freshFrom;
    const seq = target?.seq ?? (target?.unread ? freshFrom : 0);
    let index = messages.length;
    if (seq) index = indexOf(seq);
    else if (target?.at) index = messages.findIndex((each) => each.at >= (target.at ?? 0));
    if (index < 0) index = messages.length;
    const from = Math.max(firstIndex(), index - PAGE_ROWS);
    show(from, Math.min(messages.length, from + 2 * PAGE_ROWS));
    showEdge();
    showTail();
    const message = messages[index];
    const row = message && rows.get(message.seq);
    if (row) anchor.place(row.element, scroller.clientHeight * (target?.seq ? 0.3 : 0.15));
    else anchor.toEnd();
    if (row && target?.seq) highlight(row);
    fillUp();
    moved();
  }

  /** Makes rows ready in both directions, and asks for what the core does not have. */
  function fillUp() {
    const view = scroller.getBoundingClientRect();
    const ahead = AHEAD * view.height;
    const { window } = conversation;
    for (let round = 0; round < MAX_ROWS / PAGE_ROWS; round++) {
      const box = rowsBox.getBoundingClientRect();
      const above = view.top - box.top;
      const under = box.bottom - view.bottom;
      if (above < ahead && low > firstIndex()) {
        const from = Math.max(firstIndex(), low - PAGE_ROWS);
        anchor.hold(() => show(from, Math.max(high - Math.max(0, high - from - MAX_ROWS), indexOfView().to)));
      } else if (under < ahead && high < messages.length) {
        const to = Math.min(messages.length, high + PAGE_ROWS);
        anchor.hold(() => show(Math.min(Math.max(low, to - MAX_ROWS), indexOfView().from), to));
      } else break;
      // One page a frame, unless the view is empty.
      if (above >= 0 && under >= 0) {
        schedule();
        break;
      }
    }
    const box = rowsBox.getBoundingClientRect();
    if (window.loading) return;
    if (!window.atStart && low <= firstIndex() && view.top - box.top < ahead) app.act({ do: "older", key });
    else if (!window.atEnd && high === messages.length && box.bottom - view.bottom < ahead) {
      app.act({ do: "newer", key });
    }
  }

  /** The messages that can be seen: they are never taken out. */
  function indexOfView() {
    const first = Number(anchor.marks[0]?.row.dataset.seq ?? 0);
    const last = Number(anchor.marks.at(-1)?.row.dataset.seq ?? 0);
    return first ? { from: indexOf(first), to: indexOf(last + 1) } : { from: Infinity, to: 0 };
  }

  function showEdge() {
    const { window } = conversation;
    edge.textContent = window.loading === "older"
      ? _("Loading…")
      : window.atStart
      ? _("This is where {name} begins.", { name: list })
      : "";
  }

  function showTail() {
    const own = conversation.window.atEnd
      ? app.core.pending.filter((each) => each.key === key && each.kind === "message")
      : [];
    tail.replaceChildren();
    own.forEach((pending, index) =>
      tail.append(pendingRow(app, pending, {
        ...contextOf(0),
        head: index === 0,
        hooks: {
          retry: ({ number }) => app.act({ do: "retry", number }),
          discard: ({ number }) => app.act({ do: "discard", number }),
          edit: (each) => {
            hooks.resume?.(each);
            app.act({ do: "discard", number: each.number });
          },
        },
      }))
    );
  }

  /** After each movement and each change. */
  function moved() {
    if (!placed) return;
    showPill();
    report();
    schedulePages();
  }

  let paging = 0;
  function schedulePages() {
    paging ||= requestAnimationFrame(() => {
      paging = 0;
      fillUp();
    });
  }

  function showPill() {
    const away = !anchor.following;
    pill.hidden = !away;
    back.hidden = !cameFrom;
    if (!away) return;
    const seq = Number(anchor.marks[0]?.row.dataset.seq ?? 0);
    const message = rows.get(seq)?.message;
    const date = message ? dayText(message.at, app.settings.language) : "";
    const count = conversation.unread;
    const where = count ? ngettext("{n} new", "{n} new", count) : _("To the present");
    const text = date ? `${date} · ${where}` : where;
    if (pill.textContent !== text) pill.textContent = text;
    pill.classList.toggle("unread", count > 0);
  }

  let reporting = false;
  /** Tells the core what was really seen. */
  function report() {
    if (reporting || document.visibilityState !== "visible" || !document.hasFocus()) return;
    const { bottom } = scroller.getBoundingClientRect();
    const seen = anchor.following ? messages[high - 1]?.seq : Number(
      anchor.marks.findLast(({ row }) => row.getBoundingClientRect().bottom <= bottom + 1)?.row.dataset.seq ?? 0,
    );
    if (!seen || seen <= Math.max(reported, conversation.read)) return;
    reported = seen;
    reporting = true;
    setTimeout(() => {
      reporting = false;
      report();
    }, REPORT_MS);
    app.act({ do: "read", key, seq: seen });
  }

  /** @param {Row} row */
  function highlight(row) {
    row.element.classList.add("target");
    setTimeout(() => row.element.classList.remove("target"), 2500);
    makeCurrent(row.seq);
    row.element.focus({ preventScroll: true });
  }

  /** @param {number} seq */
  function makeCurrent(seq) {
    const before = rows.get(current);
    if (before) before.element.tabIndex = -1;
    current = seq;
    const now = rows.get(seq);
    if (now) now.element.tabIndex = 0;
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
    if (messages[index]?.seq !== seq) {
      app.act({ do: "open", key, seq });
      return;
    }
    if (!rows.has(seq)) {
      const from = Math.max(firstIndex(), index - PAGE_ROWS);
      show(from, Math.min(messages.length, from + 2 * PAGE_ROWS));
    }
    const row = rows.get(seq);
    if (!row) return;
    anchor.place(row.element, scroller.clientHeight * 0.3);
    highlight(row);
    fillUp();
    moved();
  }

  function toPresent() {
    cameFrom = 0;
    if (!conversation.window.atEnd) {
      app.act({ do: "open", key });
      return;
    }
    read();
    show(Math.max(firstIndex(), high === messages.length ? low : messages.length - PAGE_ROWS), messages.length);
    anchor.toEnd();
    fillUp();
    moved();
  }

  function onPill() {
    toPresent();
  }

  function onBack() {
    const seq = cameFrom;
    cameFrom = 0;
    select(seq);
  }

  /** @type {{name: string, text: string}[]} */
  let arrived = [];
  /** @param {Message} message */
  function announce(message) {
    if (!arrived.length) {
      setTimeout(() => {
        const said = arrived;
        arrived = [];
        if (said.length > 3) app.announce(ngettext("{n} new message", "{n} new messages", said.length));
        else for (const { name, text } of said) app.announce(`${name}: ${text}`);
      }, ANNOUNCE_MS);
    }
    arrived.push({ name: nameText(message.name), text: firstLine(message.text) });
  }

  /** @param {readonly Change[]} changes */
  function changed(changes) {
    for (const change of changes) {
      if (!("key" in change) || change.key !== key) {
        if (change.kind === "reset") placed = false;
        continue;
      }
      if (change.kind === "window") {
        if (change.how === "replaced") {
          placed = false;
          heights.clear();
        }
        if (change.how === "changed") { for (const seq of change.seqs) stale.add(seq); }
        schedule();
      } else if (change.kind === "message") {
        if (!change.own && !change.late) announce(change.message);
      } else if (change.kind === "failed") {
        app.announce(_("Not sent"), true);
        schedule();
      } else if (change.kind === "pending" || change.kind === "acked" || change.kind === "conversation") schedule();
    }
  }

  const endings = [app.listen(changed), app.onSetting(() => schedule())];
  const seen = () => report();
  addEventListener("focus", seen);
  document.addEventListener("visibilitychange", seen);
  schedule();

  return {
    element,
    end() {
      anchor.end();
      cancelAnimationFrame(frame);
      cancelAnimationFrame(paging);
      for (const end of endings) end();
      removeEventListener("focus", seen);
      document.removeEventListener("visibilitychange", seen);
    },
    focus() {
      const row = rows.get(current) ?? rows.get(messages[high - 1]?.seq ?? 0);
      if (row) {
        makeCurrent(row.seq);
        row.element.focus();
      }
    },
    toPresent,
    select,
  };
}
