/**
 * The feed takes every new entry of the log once, in order, by one cursor over all conversations, and fills gaps. A window is the stretch of an
 * open conversation that is loaded, contiguous and bounded: pages extend it, and news is put behind it while it reaches the present.
 *
 * @import {Command, Event, HistoryPage, LogEntry, Message, MessageChange, Purged, Refused} from "./records.js"
 * @import {Context} from "./requests.js"
 * @import {Rooms} from "./rooms.js"
 * @import {ConversationState, FeedListener, LogAnswer, LogQuestion, WindowState, WindowTarget} from "./types.js"
 */
import { retryAt } from "./connection.js";
import { refusalOf } from "./requests.js";
import { placeOf } from "./rooms.js";

const MOST_HELD = 1_000; // live entries; what is beyond is read later
const KEPT_CHANGES = 1_000;
const KEPT_REMOVED = 1_000;
const MOST_DELAY_S = 30;

/** Reads from `after` through `target`, in one conversation or in all. */
class GapFill {
  conversation;
  after;
  target;
  failures = 0;
  /** @type {Map<number, LogEntry>} */
  #held = new Map();
  #exhausted = false;

  /** @param {ConversationState | null} conversation @param {number} after @param {number} target */
  constructor(conversation, after, target) {
    this.conversation = conversation;
    this.after = after;
    this.target = target;
  }

  get finished() {
    return this.#exhausted || this.after >= this.target;
  }

  /** @param {number} target */
  extend(target) {
    this.target = Math.max(this.target, target);
  }

  /** @param {LogEntry} entry */
  hold(entry) {
    if (entry.seq <= this.after || this.#held.has(entry.seq)) return;
    if (this.#held.size >= MOST_HELD) this.extend(entry.seq);
    else this.#held.set(entry.seq, entry);
  }

  /** @param {number} ref @returns {Command} */
  command(ref) {
    const here = this.conversation && { ...placeOf(this.conversation), before: this.target + 1 };
    return /** @type {any} */ ({ t: "history", ref, after: this.after, ...here });
  }

  /** @param {HistoryPage} page what may be shown now */
  page(page) {
    this.failures = 0;
    const through = Math.max(page.through, this.after, ...page.messages.map((message) => message.seq));
    // "No more" may have been true before the target was extended.
    this.#exhausted = through === this.after;
    this.after = through;
    const ready = new Map();
    for (const [seq, entry] of this.#held) {
      if (seq > through) continue;
      ready.set(seq, entry);
      this.#held.delete(seq);
    }
    for (const entry of [...page.changes, ...page.messages]) ready.set(entry.seq, entry); // held ones are older
    return inOrder(ready);
  }

  abandon() {
    this.#exhausted = true;
  }

  /** What is held back, in order. */
  release() {
    const held = inOrder(this.#held);
    this.#held.clear();
    return held;
  }
}

export class Feed {
  cursor = 0;
  #context;
  #rooms;
  #listener;
  #floor = 0;
  #roomsAbove = 0;
  /** @type {(GapFill | LogQuestion)[]} */
  #jobs = [];
  /** @type {{ref: number, job: GapFill | LogQuestion} | null} */
  #asked = null;
  /** @type {GapFill | null} */
  #resume = null;
  /** @type {WeakMap<LogEntry, ConversationState>} what is held back; its name may be that of another room later */
  #owners = new WeakMap();
  #missed = 0;
  /** @type {Map<ConversationState, GapFill>} */
  #gaps = new Map();
  #started = false;
  #askedGap = false;
  #notBefore = 0;
  /** @type {Map<number, {conversation: ConversationState, change: MessageChange}>} for pages read before */
  #changes = new Map();
  /** @type {Map<number, number>} senders, and up to which seq nothing is left */
  #removed = new Map();

  /** @param {Context} context @param {Rooms} rooms @param {FeedListener} listener */
  constructor(context, rooms, listener) {
    this.#context = context;
    this.#rooms = rooms;
    this.#listener = listener;
  }

  /** @param {number} liveFrom */
  begin(liveFrom) {
    this.cursor = this.#floor = this.#roomsAbove = liveFrom;
    this.#changes.clear();
    this.#removed.clear();
    this.#gaps.clear();
    for (const job of this.#jobs.splice(0)) if (!(job instanceof GapFill)) job.lost?.();
    this.#resume = null;
  }

  /** Reads what was missed, after `start`. @param {number} liveFrom */
  resume(liveFrom) {
    this.#missed = 0;
    this.#resume = new GapFill(null, Math.max(this.#floor, this.cursor), liveFrom);
    this.#jobs.unshift(this.#resume);
  }

  start() {
    this.#started = true;
    this.#askedGap = false;
    this.#settle();
  }

  lost() {
    this.#asked = null;
    this.#started = false;
    this.#notBefore = 0;
    const resume = this.#resume;
    this.#resume = null;
    const jobs = this.#jobs;
    this.#jobs = jobs.filter((job) => job !== resume && (job instanceof GapFill || !job.lost));
    for (const job of jobs) if (!(job instanceof GapFill)) job.lost?.();
  }

  get catchingUp() {
    return this.#resume !== null;
  }

  get reading() {
    return this.#jobs.length > 0 || this.#asked !== null;
  }

  /** @param {ConversationState} conversation @param {number} liveFrom */
  entered(conversation, liveFrom) {
    if (conversation.begun && conversation.member) {
      if (this.#resume) this.#resume.extend(liveFrom);
      else if (liveFrom > conversation.seen) this.#fillGap(conversation, liveFrom); // joined after the rest was read
      return;
    }
    conversation.begun = conversation.member = true;
    conversation.seen = Math.max(conversation.seen, liveFrom);
    conversation.changed = liveFrom;
  }

  /** @param {ConversationState} conversation */
  left(conversation) {
    conversation.member = false;
    for (const [seq, kept] of this.#changes) if (kept.conversation === conversation) this.#changes.delete(seq);
    this.#gaps.delete(conversation);
    this.#jobs = this.#jobs.filter((job) => job.conversation !== conversation);
    this.#settle();
  }

  /** @param {LogEntry} entry */
  live(entry) {
    if (this.#resume) {
      this.#owners.set(entry, this.#rooms.of(entry));
      this.#resume.hold(entry);
      return;
    }
    this.#offer(entry, false);
    this.cursor = Math.max(this.cursor, entry.seq);
  }

  /** @param {Purged} event */
  purged(event) {
    let conversation = null;
    if (event.by !== null) {
      if (event.through <= (this.#removed.get(event.by) ?? 0)) return;
      this.#removed.delete(event.by);
      this.#removed.set(event.by, event.through);
      if (this.#removed.size > KEPT_REMOVED) {
        this.#removed.delete(/** @type {number} */ (this.#removed.keys().next().value));
      }
    } else if (event.room !== null) {
      conversation = this.#rooms.meant(event.room);
      if (event.through <= conversation.purged) return;
      conversation.purged = event.through;
    } else return;
    for (const [seq, { conversation: of, change }] of this.#changes) {
      const gone = conversation ? of === conversation : change.by === event.by;
      if (gone && change.target <= event.through) this.#changes.delete(seq);
    }
    this.#listener.purged(event, conversation);
  }

  /** @param {Message} message */
  isPurged(message) {
    const through = this.#rooms.of(message).purged;
    return message.seq <= Math.max(through, this.#removed.get(message.by) ?? 0);
  }

  /** @param {Message} message of a page, which may be older @returns {Message} */
  current(message) {
    let now = message;
    for (const { change } of this.#changes.values()) if (change.target === message.seq) now = applied(now, change);
    return now;
  }

  /** @param {LogQuestion} question */
  ask(question) {
    this.#jobs.push(question);
  }

  /** @param {LogQuestion} question */
  drop(question) {
    if (this.#asked?.job === question) this.#asked.job = { ...question, answered: () => {}, refused: () => {} };
    this.#jobs = this.#jobs.filter((job) => job !== question);
  }

  get deadline() {
    return this.#jobs.length && this.#notBefore > 0 && !this.#asked ? this.#notBefore : null;
  }

  sendDue() {
    const gap = this.#gap();
    const question = this.#jobs.find((each) => !(each instanceof GapFill));
    const job = question && (!gap || this.#askedGap) ? question : gap; // in turn: the user's questions do not wait for the end of a long catch-up
    if (!job || !this.#started || this.#asked || this.#context.now < this.#notBefore) return;
    this.#notBefore = 0;
    const ref = ++this.#context.ref;
    this.#askedGap = job === gap;
    this.#asked = { ref, job };
    this.#context.send(job.command(ref));
  }

  /** @param {LogAnswer} answer */
  answered(answer) {
    if (this.#asked?.ref !== answer.ref) return;
    const { job } = this.#asked;
    this.#asked = null;
    if (job instanceof GapFill) {
      if (answer.t === "page") this.#page(job, answer);
    } else {
      this.#jobs = this.#jobs.filter((each) => each !== job);
      job.answered(answer);
    }
    this.#settle();
  }

  /** @param {Refused} event */
  refused(event) {
    if (this.#asked === null || this.#asked.ref !== event.ref) return false;
    const { job } = this.#asked;
    this.#asked = null;
    let again = retryAt(event, this.#context.now);
    if (job instanceof GapFill) {
      // Never given up: the cursor would pass it.
      if (again === null && event.code === "internal") {
        again = this.#context.now + Math.min(MOST_DELAY_S, 2 ** job.failures++);
      }
      if (again === null) job.abandon();
    } else if (again === null) {
      this.#jobs = this.#jobs.filter((each) => each !== job);
      job.refused(refusalOf(event));
    }
    this.#notBefore = again ?? 0;
    this.#settle();
    return true;
  }

  /** @param {GapFill} job @param {HistoryPage} page */
  #page(job, page) {
    for (const entry of job.page(page)) {
      if (job === this.#resume) {
        if (entry.room === null || entry.seq > this.#roomsAbove) this.#offer(entry, true);
      } else if (job.conversation) this.#take(job.conversation, entry, true);
    }
    if (job === this.#resume) this.cursor = Math.max(this.cursor, page.through);
  }

  /** @param {LogEntry} entry @param {boolean} late */
  #offer(entry, late, conversation = this.#owners.get(entry) ?? this.#rooms.of(entry)) {
    if (!conversation.begun) {
      if (entry.room !== null) return; // left
      // What is older than this page was not missed; above it, `prev` reveals a gap.
      conversation.seen = entry.t === "msg" ? Math.min(entry.prev, this.#floor) : this.#floor;
      conversation.begun = true;
      this.#rooms.enterDirect(conversation.id);
    }
    const gap = this.#gaps.get(conversation);
    if (gap) gap.hold(entry);
    else if (entry.t === "msg" && conversation.member && entry.prev > conversation.seen) {
      this.#fillGap(conversation, entry.seq - 1);
      this.#gaps.get(conversation)?.hold(entry);
    } else this.#take(conversation, entry, late);
  }

  /** @param {ConversationState} conversation @param {LogEntry} entry @param {boolean} late */
  #take(conversation, entry, late) {
    if (!conversation.member) return;
    if (entry.room !== null) entry.room = conversation.name; // it was on its way while the room was renamed
    if (entry.t === "msg") {
      if (entry.seq <= conversation.seen) return;
      conversation.seen = entry.seq;
      if (this.isPurged(entry)) return; // the page was read before
      if (this.#resume) this.#missed++;
      this.#listener.message(conversation, entry, late);
    } else if (entry.seq > conversation.changed) {
      conversation.changed = entry.seq;
      if (entry.target <= Math.max(conversation.purged, this.#removed.get(entry.by) ?? 0)) return;
      this.#changes.set(entry.seq, { conversation, change: entry });
      if (this.#changes.size > KEPT_CHANGES) {
        this.#changes.delete(/** @type {number} */ (this.#changes.keys().next().value));
      }
      this.#listener.change(conversation, entry);
    }
  }

  /** @param {ConversationState} conversation @param {number} target */
  #fillGap(conversation, target) {
    const known = this.#gaps.get(conversation);
    if (known) {
      known.extend(target);
      return;
    }
    const gap = new GapFill(conversation, conversation.seen, target);
    this.#gaps.set(conversation, gap);
    this.#jobs.push(gap);
  }

  #gap() {
    return this.#jobs.find((job) => job instanceof GapFill);
  }

  #settle() {
    for (let job = this.#gap(); job?.finished && this.#started && !this.#asked; job = this.#gap()) {
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      if (job.conversation) this.#endGap(job, job.conversation);
      else this.#endResume(job);
    }
  }

  /** @param {GapFill} job */
  #endResume(job) {
    for (const entry of job.release()) {
      this.#offer(entry, true);
      this.cursor = Math.max(this.cursor, entry.seq);
    }
    this.cursor = Math.max(this.cursor, job.target);
    this.#resume = null;
    this.#listener.caughtUp(this.#missed);
  }

  /** @param {GapFill} job @param {ConversationState} conversation */
  #endGap(job, conversation) {
    if (!this.#gaps.delete(conversation)) return;
    const held = job.release();
    for (const entry of held) if (entry.seq <= job.target) this.#take(conversation, entry, false);
    conversation.seen = Math.max(conversation.seen, job.target);
    for (const entry of held) this.#offer(entry, false, conversation);
  }
}

/** @param {Map<number, LogEntry>} entries */
function inOrder(entries) {
  return [...entries.values()].sort((a, b) => a.seq - b.seq);
}

/**
 * @param {Message} message
 * @param {MessageChange} change
 * @returns {Message} after the change; the same object where it says nothing new
 */
export function applied(message, change) {
  const { seq } = change;
  if (message.deleted !== null || seq <= (message.changed ?? 0)) return message;
  const by = change.by === message.by ? null : { id: change.by, name: change.name };
  if (change.t === "deleted") {
    return {
      ...message,
      text: "",
      deleted: seq,
      deleted_by: by,
      edited: null,
      edited_by: null,
      mentions: [],
      reactions: [],
      files: [],
      changed: seq,
    };
  }
  if (change.t === "edited") {
    if (change.text === null || seq <= (message.edited ?? 0)) return message;
    return { ...message, text: change.text, edited: seq, edited_by: by, mentions: change.mentions, changed: seq };
  }
  const { sign, on } = change;
  const had = message.reactions.some((each) => each.sign === sign && each.by.includes(change.by));
  if (had === on) return message;
  const reactions = message.reactions.map((each) => {
    if (each.sign !== sign) return each;
    return { sign, by: on ? [...each.by, change.by] : each.by.filter((id) => id !== change.by) };
  }).filter((each) => each.by.length > 0);
  if (on && !message.reactions.some((each) => each.sign === sign)) reactions.push({ sign, by: [change.by] });
  return { ...message, reactions, changed: seq };
}

const PAGE = 50;
const MOST = 600;
const SLACK = 100;
/** Kept while a page is on its way. */
const MOST_TAIL = 200;

/** @returns {WindowState} */
export function emptyWindow() {
  return {
    messages: [],
    loaded: false,
    atStart: false,
    atEnd: false,
    loading: null,
    target: null,
    opened: false,
    low: 0,
    high: 0,
    tail: null,
    question: null,
    towardsStart: false,
  };
}

export class Windows {
  #context;
  #feed;

  /** @param {Context} context @param {Feed} feed */
  constructor(context, feed) {
    this.#context = context;
    this.#feed = feed;
  }

  /** @param {ConversationState} conversation @param {WindowTarget} target null: the present */
  open(conversation, target) {
    const window = conversation.window;
    window.opened = true;
    window.target = target;
    if (window.loading !== "replace" && this.#covers(conversation, target)) this.#tell(conversation, "replaced", []);
    else this.#load(conversation, "replace", () => this.#question(conversation, target));
  }

  /** @param {ConversationState} conversation */
  older(conversation) {
    const window = conversation.window;
    window.towardsStart = true;
    if (!window.loaded || window.atStart || window.loading) return;
    this.#load(conversation, "older", () => ({ before: window.low }));
  }

  /** @param {ConversationState} conversation */
  newer(conversation) {
    const window = conversation.window;
    if (!window.loaded || window.atEnd || window.loading) return;
    this.#load(conversation, "newer", () => ({ after: window.high }));
  }

  /** @param {ConversationState} conversation */
  close(conversation) {
    if (conversation.window.question) this.#feed.drop(conversation.window.question);
    Object.assign(conversation.window, emptyWindow());
  }

  /** Loads anew what is open. @param {ConversationState} conversation */
  reset(conversation) {
    const { opened } = conversation.window;
    this.close(conversation);
    if (opened) this.open(conversation, null);
  }

  /** @param {ConversationState} conversation @param {Message} message the newest */
  message(conversation, message) {
    const window = conversation.window;
    if (window.tail && window.tail.length <= MOST_TAIL) window.tail.push(message);
    if (window.loaded && window.atEnd && this.#append(window, message)) this.#tell(conversation, "live", [message.seq]);
  }

  /**
   * @param {ConversationState} conversation
   * @param {MessageChange} change
   * @returns {Message | null | undefined} null: not loaded, undefined: nothing new
   */
  change(conversation, change) {
    const { messages, tail } = conversation.window;
    const waiting = tail?.findIndex((message) => message.seq === change.target) ?? -1;
    if (tail && waiting >= 0) tail[waiting] = applied(/** @type {Message} */ (tail[waiting]), change);
    const index = indexOf(messages, change.target);
    const before = messages[index];
    if (!before || before.seq !== change.target) return null;
    const after = messages[index] = applied(before, change);
    if (after === before) return undefined;
    this.#tell(conversation, "changed", [after.seq]);
    return after;
  }

  /** @param {ConversationState} conversation */
  purged(conversation) {
    const window = conversation.window;
    const gone = window.messages.filter((message) => this.#feed.isPurged(message));
    window.tail = window.tail?.filter((message) => !this.#feed.isPurged(message)) ?? null;
    if (!gone.length) return;
    window.messages = window.messages.filter((message) => !this.#feed.isPurged(message));
    this.#tell(conversation, "changed", gone.map((message) => message.seq));
  }

  /** @param {ConversationState} conversation */
  renamed(conversation) {
    for (const message of conversation.window.messages) message.room = conversation.name;
  }

  /** A reader who has seen the newest is at this end. @param {ConversationState} conversation @param {number} seq */
  read(conversation, seq) {
    const window = conversation.window;
    if (window.atEnd && seq >= (window.messages.at(-1)?.seq ?? 0)) window.towardsStart = false;
  }

  /** @param {ConversationState} conversation @param {number} seq @returns {Message | null} */
  find(conversation, seq) {
    const message = conversation.window.messages[indexOf(conversation.window.messages, seq)];
    return message?.seq === seq ? message : null;
  }

  /** @param {ConversationState} conversation @param {WindowTarget} target @returns {object} */
  #question(conversation, target) {
    if (target?.seq !== undefined) return { around: target.seq };
    if (target?.at !== undefined) return { at: target.at };
    if (target?.unread && conversation.firstUnread > 0) return { around: conversation.firstUnread };
    return {};
  }

  /** @param {ConversationState} conversation @param {WindowTarget} target */
  #covers(conversation, target) {
    const window = conversation.window;
    if (!window.loaded) return false;
    if (target?.at !== undefined) return false;
    const seq = target?.seq ?? (target?.unread ? conversation.firstUnread : 0);
    return seq > 0 ? this.find(conversation, seq) !== null : window.atEnd;
  }

  /**
   * @param {ConversationState} conversation
   * @param {"replace" | "older" | "newer"} how
   * @param {() => object} fields of the question, when it is sent
   */
  #load(conversation, how, fields) {
    const window = conversation.window;
    if (window.question) this.#feed.drop(window.question);
    let asked = {};
    /** @type {LogQuestion} */
    const question = {
      conversation,
      command: (ref) => {
        window.tail = [];
        asked = fields();
        return /** @type {any} */ ({ t: "history", ref, ...placeOf(conversation), ...asked, limit: PAGE });
      },
      answered: (event) => {
        if (event.t === "page") this.#page(conversation, how, asked, event);
      },
      refused: () => this.#done(conversation, "loading", []),
    };
    window.question = question;
    window.loading = how;
    this.#feed.ask(question);
    this.#tell(conversation, "loading", []);
  }

  /**
   * @param {ConversationState} conversation
   * @param {"replace" | "older" | "newer"} how
   * @param {{around?: number, at?: number}} asked
   * @param {HistoryPage} page
   */
  #page(conversation, how, asked, page) {
    const window = conversation.window;
    const messages = page.messages.map((message) => this.#feed.current(message))
      .filter((message) => !this.#feed.isPurged(message));
    for (const message of messages) if (message.room !== null) message.room = conversation.name;
    const first = page.messages[0]?.seq ?? 0;
    const last = page.messages.at(-1)?.seq ?? 0;
    const forwards = asked.around !== undefined || asked.at !== undefined;
    if (how === "replace" && asked.at !== undefined && !first && page.more_before) { // nothing was said since
      this.#load(conversation, "replace", () => ({}));
      return;
    }
    if (how === "older") {
      window.messages.unshift(...messages.filter((message) => message.seq < window.low));
      window.low = first || window.low;
      window.atStart = !page.more;
      window.towardsStart = true;
      this.#cutEnd(window);
    } else if (how === "newer") {
      window.messages.push(...messages.filter((message) => message.seq > window.high));
      window.high = Math.max(window.high, page.through, last);
      window.towardsStart = false;
      this.#reach(window, !page.more);
    } else {
      window.messages = messages;
      window.loaded = true;
      window.low = first;
      window.high = forwards ? Math.max(page.through, last) : last;
      window.atStart = forwards ? !page.more_before : !page.more;
      window.towardsStart = forwards;
      this.#reach(window, !(forwards && page.more_after));
    }
    const how_ = how === "replace" ? "replaced" : how;
    this.#done(conversation, how_, messages.map((message) => message.seq));
  }

  /** @param {WindowState} window @param {boolean} atEnd */
  #reach(window, atEnd) {
    /** @type {Message[]} */
    const tail = window.tail ?? [];
    window.atEnd = atEnd && tail.length <= MOST_TAIL;
    for (const message of window.atEnd ? tail : []) this.#append(window, message);
    this.#cutStart(window);
  }

  /** @param {WindowState} window @param {Message} message */
  #append(window, message) {
    if (message.seq <= window.high) return false;
    if (window.towardsStart && window.messages.length >= MOST + SLACK) { // the reader is at the other end
      window.atEnd = false;
      return false;
    }
    window.messages.push(message);
    window.high = message.seq;
    if (window.messages.length >= MOST + SLACK) this.#cutStart(window);
    return true;
  }

  /** @param {WindowState} window */
  #cutStart(window) {
    if (window.messages.length <= MOST) return;
    window.messages.splice(0, window.messages.length - MOST);
    window.low = window.messages[0]?.seq ?? window.low;
    window.atStart = false;
  }

  /** @param {WindowState} window */
  #cutEnd(window) {
    if (window.messages.length <= MOST) return;
    window.messages.length = MOST;
    window.high = window.messages.at(-1)?.seq ?? window.high;
    window.atEnd = false;
  }

  /** @param {ConversationState} conversation @param {"replaced" | "older" | "newer" | "loading"} how @param {number[]} seqs */
  #done(conversation, how, seqs) {
    const window = conversation.window;
    window.loading = window.tail = window.question = null;
    this.#tell(conversation, how, seqs);
  }

  /** @param {ConversationState} conversation @param {"replaced" | "older" | "newer" | "live" | "changed" | "loading"} how @param {number[]} seqs */
  #tell(conversation, how, seqs) {
    this.#context.show({ kind: "window", key: conversation.key, how, seqs });
  }
}

/** @param {readonly Message[]} messages @param {number} seq @returns {number} */
function indexOf(messages, seq) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {Message} */ (messages[middle]).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
