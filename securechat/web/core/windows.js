/**
 * The stretch of each open conversation that is loaded: contiguous and bounded. Pages extend it, and what the feed tells
 * is put behind it while it reaches the present.
 *
 * @import {ConversationState, LogQuestion, WindowState, WindowTarget} from "./types.js"
 * @import {HistoryPage, Message, MessageChange} from "./records.js"
 * @import {Context} from "./requests.js"
 * @import {Feed} from "./feed.js"
 */

import { applied } from "./feed.js";
import { placeOf } from "./rooms.js";

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

  /** Whoever has seen the newest is at this end. @param {ConversationState} conversation @param {number} seq */
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

  /**
   * @param {ConversationState} conversation
   * @param {"replaced" | "older" | "newer" | "live" | "changed" | "loading"} how
   * @param {number[]} seqs
   */
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
