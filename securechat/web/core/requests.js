/**
 * What the parts of the core share; the questions without an answer; and the messages that are not sent yet.
 *
 * @import {Connection} from "./connection.js"
 * @import {Feed} from "./feed.js"
 * @import {Command, Event, Person, Refused} from "./records.js"
 * @import {Rooms} from "./rooms.js"
 * @import {Action, Answer, Change, ConversationState, DraftState, Open, Phase, Question, Refusal, SavedMessage} from "./types.js"
 */
import { retryAt } from "./connection.js";
import { codePointLength, utf8Length, wellFormed, wholeText } from "./text.js";

const KEPT_PEOPLE = 10_000;
const HITS = 20;
/** @type {Record<string, string>} what a question is on the wire, where that has another name */
const TYPES = { openDirect: "whois", leaveRoom: "leave", roomInfo: "roominfo", setRoom: "room" };

export class Context {
  now = 0;
  /** @type {Phase} */
  phase = "offline";
  /** @type {Person} */
  me = { id: 0, name: "" };
  account = false;
  admin = false;
  mustChange = false;
  server = "";
  /** @type {readonly string[]} */
  features = [];
  /** @type {Record<string, number>} */
  limits = {};
  /** @type {Command[]} */
  commands = [];
  /** @type {Change[]} */
  changes = [];
  /** @type {Set<string>} */
  told = new Set();
  dial = false;
  hangUp = false;
  dirty = false;
  ref = 0;
  /** @type {Map<number, string>} names, the longest unseen first */
  people = new Map();

  get online() {
    return this.phase === "online";
  }

  /** @param {Command} command */
  send(command) {
    this.commands.push(wellFormed(command));
  }

  /** @param {Change} change */
  show(change) {
    if (change.kind === "conversation" || change.kind === "conversations" || change.kind === "pending") {
      const told = `${change.kind} ${"key" in change && change.key}`; // once is enough: they only say where to look
      if (this.told.has(told)) return;
      this.told.add(told);
    }
    this.changes.push(change);
  }

  /** @param {number} id @param {string} name */
  see(id, name) {
    if (!name) return;
    this.people.delete(id);
    this.people.set(id, name);
    if (this.people.size > KEPT_PEOPLE) this.people.delete(/** @type {number} */ (this.people.keys().next().value));
  }
}

/**
 * @param {{code: string, text: string, reason?: string, args?: Record<string, string | number>, retry?: number | null}} event
 * @returns {Refusal}
 */
export function refusalOf(event) {
  const { code, text, reason = "", args = {}, retry = null } = event;
  return { code, text, reason, args, retryS: retry };
}

/**
 * @param {string} code
 * @param {string} text
 * @param {Record<string, number>} [args]
 * @returns {Refusal}
 */
export function ownRefusal(code, text, args = {}) {
  return { code, text, reason: code, args, retryS: null };
}

export class Requests {
  /** @type {Map<number, Open>} */
  #open = new Map();
  #context;
  #rooms;
  #feed;
  #connection;

  /**
   * @param {Context} context
   * @param {Rooms} rooms
   * @param {Feed} feed
   * @param {Connection} connection
   */
  constructor(context, rooms, feed, connection) {
    this.#context = context;
    this.#rooms = rooms;
    this.#feed = feed;
    this.#connection = connection;
  }

  /** @param {Question} question @param {number} request */
  ask(question, request) {
    const context = this.#context;
    if (question.ask === "openPerson") {
      this.#seen([question.person]);
      this.#answer(request, this.#direct(question.person));
      return;
    }
    const allowed = context.mustChange && (question.ask === "password" || question.ask === "logout");
    if (!context.online && !allowed) {
      this.#refuse(request, ownRefusal("offline", "There is no connection to the server"));
      return;
    }
    const conversation = "key" in question ? this.#rooms.get(question.key) : null;
    if (conversation === undefined) {
      this.#refuse(request, ownRefusal("not_a_member", "There is no such conversation"));
      return;
    }
    if (question.ask === "search") {
      this.#search(question, request);
      return;
    }
    const ref = ++context.ref;
    this.#open.set(ref, { request, question });
    const { ask, key: _, rules, ...fields } = /** @type {any} */ (question);
    const command = { ...fields, ...rules, t: TYPES[ask] ?? ask, ref };
    if (conversation) command.room = conversation.name;
    else if (ask === "join") Object.assign(command, { rooms: [question.room], room: null });
    if (ask === "password") command.old ||= this.#connection.temporary;
    context.send(command);
  }

  /** @param {Question} question @param {any} event its answer */
  #valueOf(question, event) {
    switch (question.ask) {
      case "join":
        return this.#rooms.named(event.room);
      case "openDirect":
        return this.#direct(this.#seen([event.person])[0]);
      case "whois":
        return this.#seen([event.person])[0];
      case "people":
        return this.#seen(event.people);
      case "who":
        this.#seen(event.members);
        break;
      case "password":
        return this.#connection.passwordChanged();
      case "logout":
        if (question.login === undefined) this.#connection.loggedOut();
    }
    return event;
  }

  /** @param {Answer} event */
  answered(event) {
    const open = this.#take(event.ref);
    if (!open) return false;
    this.#answer(open.request, this.#valueOf(open.question, event));
    return true;
  }

  /** @param {Refused} event */
  refused(event) {
    const open = this.#take(event.ref);
    if (!open) return false;
    this.#refuse(open.request, refusalOf(event));
    return true;
  }

  /** @param {string} key */
  isLeaving(key) {
    return [...this.#open.values()].some((open) => open.question.ask === "leaveRoom" && open.question.key === key);
  }

  get isLoggingOut() {
    return [...this.#open.values()].some(({ question }) => question.ask === "logout" && question.login === undefined);
  }

  lost() {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { request } of open) {
      this.#refuse(request, ownRefusal("offline", "The connection was lost before the answer"));
    }
  }

  /** @param {number | null} ref */
  #take(ref) {
    const open = ref === null ? undefined : this.#open.get(ref);
    if (open && ref !== null) this.#open.delete(ref);
    return open;
  }

  /** @param {Extract<Question, {ask: "search"}>} question @param {number} request */
  #search(question, request) {
    const { query, before, limit = HITS, since, until } = question;
    this.#feed.ask({
      command: (ref) => /** @type {Command} */ ({ t: "search", ref, query, before, limit, since, until }),
      answered: (event) => {
        if (event.t !== "hits") return;
        const hits = event.hits.filter(({ message }) => !this.#feed.isPurged(message));
        this.#answer(request, { hits, more: event.more, indexed: event.indexed });
      },
      refused: (refusal) => this.#refuse(request, refusal),
      lost: () => this.#refuse(request, ownRefusal("offline", "The connection was lost before the answer")),
    });
  }

  /** @param {any[]} people */
  #seen(people) {
    for (const { id, name } of people) this.#context.see(id, name);
    return people;
  }

  /** @param {Person} person */
  #direct({ id }) {
    return id === this.#context.me.id ? null : this.#rooms.enterDirect(id);
  }

  /** @param {number} request @param {unknown} value */
  #answer(request, value) {
    this.#context.show({ kind: "answer", request, value, refusal: null });
  }

  /** @param {number} request @param {Refusal} refusal */
  #refuse(request, refusal) {
    this.#context.show({ kind: "answer", request, value: null, refusal });
  }
}

// --- send queue ---

// Messages on their way out: kept until acknowledged, sent in order under rising numbers, and again under the same one
// after a lost connection. The number is saved with the text: a copy of the tab would send it under the same one, and the
// server stores it once. What was refused for now, or overtaken, gets a new number.

/** So long after a message, or an ack, the connection is doubted. */
const DOUBT_S = 5;
const WINDOW = 64;
/** Once the server has throttled. */
const THROTTLED_WINDOW = 8;
const WINDOW_CHARS = 16_000;
const MOST_CHARS = 4_000;
const MOST_BYTES = 16_384;

export class SendQueue {
  /** @type {DraftState[]} in the order typed */
  pending = [];
  lastCid = 0;
  #sentCid = 0; // highest of this page
  #doubtAt = 0;
  #context;
  #rooms;
  #number = 0;
  #throttled = false;
  #pausedUntil = 0;
  /** @type {Map<ConversationState, number>} one message at a time, none before */
  #slowUntil = new Map();

  /** @param {Context} context @param {Rooms} rooms */
  constructor(context, rooms) {
    this.#context = context;
    this.#rooms = rooms;
  }

  /** @param {readonly SavedMessage[]} saved @param {number} lastCid */
  restore(saved, lastCid) {
    const sound = saved.filter((each) => Number.isSafeInteger(each?.number) && Number.isSafeInteger(each.cid));
    this.lastCid = Math.max(lastCid, ...sound.map((each) => each.cid));
    for (const { number, cid, room, to, kind, text, reply, seq, sign, on, failed, ...more } of sound) {
      const conversation = room === null ? this.#rooms.direct(to ?? 0) : this.#rooms.named(room);
      this.#number = Math.max(this.#number, number);
      this.pending.push({
        number,
        key: conversation.key,
        kind,
        text,
        reply,
        seq,
        sign,
        on,
        state: failed ? "failed" : "waiting",
        refusal: failed ? more.refusal ?? UNSENT : null,
        files: more.files ?? [],
        cid: failed ? 0 : cid,
        sent: !failed && (more.sent ?? cid > 0),
        conversation,
      });
    }
    this.pending.sort((a, b) => a.number - b.number);
  }

  /** @returns {SavedMessage[]} */
  saved() {
    return this.pending.map((
      { number, cid, sent, conversation, kind, text, reply, seq, sign, on, files, state, refusal },
    ) => ({
      number,
      cid,
      sent,
      kind,
      text,
      reply,
      seq,
      sign,
      on,
      files,
      failed: state === "failed",
      refusal,
      room: conversation.kind === "room" ? conversation.name : null,
      to: conversation.kind === "direct" ? conversation.id : null,
    }));
  }

  /** @param {ConversationState} conversation @param {Extract<Action, {do: "send" | "edit" | "delete" | "react"}>} action */
  add(conversation, action) {
    const kind = action.do === "send" ? "message" : action.do;
    const text = "text" in action ? wholeText(action.text) : "";
    const has = { reply: null, seq: 0, sign: "", on: true, files: [], ...action };
    if (kind === "message" && text.trim() === "" && !has.files[0]) return;
    /** @type {DraftState} */
    const draft = {
      number: ++this.#number,
      key: conversation.key,
      kind,
      text,
      reply: has.reply ?? null,
      seq: has.seq,
      sign: wholeText(has.sign),
      on: has.on,
      files: has.files,
      state: "waiting",
      refusal: null,
      cid: 0,
      sent: false,
      conversation,
    };
    this.pending.push(draft);
    const tooLong = codePointLength(text) > MOST_CHARS || utf8Length(text) > MOST_BYTES;
    const refusal = ownRefusal("text_too_long", "This message is too long. Send it in parts", { most: MOST_CHARS });
    if (tooLong) this.#fail(draft, refusal);
    else this.#wait(draft);
  }

  /** @param {number} number */
  retry(number) {
    const draft = this.pending.find((each) => each.number === number && each.state === "failed");
    if (!draft || codePointLength(draft.text) > MOST_CHARS) return;
    draft.refusal = null;
    this.#wait(draft);
  }

  /** @param {number} number */
  discard(number) {
    const draft = this.pending.find((each) => each.number === number && !each.sent);
    if (draft) this.#drop(draft);
  }

  get busy() {
    return this.pending.some((each) => each.state !== "failed");
  }

  /** Null as long as an answer has to come before. */
  get deadline() {
    if (!this.pending.some((each) => each.state === "waiting")) return null;
    if (this.#pausedUntil > 0) return this.#pausedUntil;
    if (this.#isFull()) return null;
    const underWay = new Set(this.#inFlight().map((each) => each.conversation));
    const held = this.pending.filter((each) => each.state === "waiting" && !underWay.has(each.conversation));
    const times = held.flatMap((each) => this.#slowUntil.get(each.conversation) ?? []);
    return times.length ? Math.min(...times) : null;
  }

  /** When the connection is doubted, unless an ack comes. */
  get doubtAt() {
    return this.#inFlight().length ? Math.max(this.#doubtAt, this.#pausedUntil + DOUBT_S) : null;
  }

  doubted() {
    this.#doubtAt = this.#context.now + DOUBT_S;
  }

  sendDue() {
    if (this.#context.now < this.#pausedUntil) return;
    this.#pausedUntil = 0;
    for (let draft = this.#next(); draft; draft = this.#next()) {
      if (!draft.sent && draft.cid <= this.#sentCid) draft.cid = ++this.lastCid;
      this.#send(draft);
    }
  }

  resume() {
    this.#pausedUntil = 0;
  }

  lost() {
    for (const draft of this.#inFlight()) {
      draft.state = "waiting";
      this.#changed(draft);
    }
  }

  /** @param {number} cid @param {number} seq */
  acked(cid, seq) {
    const draft = this.pending.find((each) => each.cid === cid && cid > 0);
    if (!draft) return;
    this.doubted();
    this.#drop(draft);
    this.#context.show({ kind: "acked", number: draft.number, seq, key: draft.key });
  }

  /** @param {Refused} event */
  refused(event) {
    const draft = this.pending.find((each) => each.cid === event.cid && each.cid > 0);
    if (!draft) return;
    const again = retryAt(event, this.#context.now);
    if (again === null) {
      this.#fail(draft, refusalOf(event));
      this.#settle();
      return;
    }
    if (event.code === "slow_mode") this.#slowUntil.set(draft.conversation, again);
    else if (event.code !== "out_of_order") this.#pausedUntil = Math.max(this.#pausedUntil, again);
    this.#wait(draft);
  }

  /** @param {number} retryS */
  throttled(retryS) {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#context.now + retryS);
    this.#throttled = true;
  }

  /** Nothing is said in another name, and in another log nothing to its numbers; what was sent may be stored. */
  abandon(all = true) {
    for (const draft of this.pending) {
      const named = draft.conversation.kind === "room" && !draft.reply && draft.kind === "message";
      if (draft.state !== "failed" && (all || !named)) this.#fail(draft, UNSENT);
    }
  }

  #next() {
    if (this.#isFull()) return undefined;
    const waiting = this.pending.filter((each) => each.state === "waiting");
    const again = waiting.filter((each) => each.sent).sort((a, b) => a.cid - b.cid);
    if (again[0]) return again[0]; // left without an answer by the last connection
    if (!this.#slowUntil.size) return waiting[0];
    const underWay = new Set(this.#inFlight().map((each) => each.conversation));
    return waiting.find(({ conversation }) => {
      const until = this.#slowUntil.get(conversation);
      return until === undefined || (until <= this.#context.now && !underWay.has(conversation));
    });
  }

  #isFull() {
    const most = Math.min(WINDOW, this.#context.limits.unacknowledged_drafts ?? WINDOW);
    const inFlight = this.#inFlight();
    const chars = inFlight.reduce((sum, each) => sum + each.text.length, 0);
    return inFlight.length >= (this.#throttled ? Math.min(most, THROTTLED_WINDOW) : most) || chars >= WINDOW_CHARS;
  }

  /** @returns {DraftState[]} */
  #inFlight() {
    return this.pending.filter((each) => each.state === "sent");
  }

  /** @param {DraftState} draft */
  #send(draft) {
    const { cid, conversation, text, reply, seq, sign, on } = draft;
    const files = draft.files.map(({ id }) => id);
    const place = conversation.kind === "room" ? { room: conversation.name } : { to: conversation.id };
    const say = conversation.kind === "room" ? "say" : "direct";
    const command = {
      message: { t: say, cid, ...place, text, reply, files: files[0] && files },
      edit: { t: "amend", cid, seq, text, ...place },
      delete: { t: "delete", cid, seq, ...place },
      react: { t: "react", cid, seq, sign, ...place, on },
    }[draft.kind];
    if (!this.#inFlight().length) this.doubted();
    draft.state = "sent";
    draft.sent = true;
    this.#sentCid = Math.max(this.#sentCid, cid);
    this.#changed(draft);
    this.#context.send(/** @type {any} */ (command));
  }

  /** @param {DraftState} draft */
  #wait(draft) {
    Object.assign(draft, { state: "waiting", cid: ++this.lastCid, sent: false });
    this.#changed(draft);
  }

  /** @param {DraftState} draft @param {Refusal} refusal */
  #fail(draft, refusal) {
    Object.assign(draft, { state: "failed", cid: 0, sent: false });
    draft.refusal = refusal;
    this.#changed(draft);
    this.#context.show({ kind: "failed", number: draft.number, key: draft.key, refusal });
  }

  /** @param {DraftState} draft */
  #drop(draft) {
    this.pending.splice(this.pending.indexOf(draft), 1);
    this.#changed(draft);
    this.#settle();
  }

  #settle() {
    if (this.busy) return;
    this.#throttled = false;
    this.#slowUntil.clear();
  }

  /** @param {DraftState} draft */
  #changed(draft) {
    this.#context.dirty = true;
    this.#context.show({ kind: "pending", key: draft.key });
  }
}

const UNSENT = ownRefusal("unconfirmed", "It is not known whether this was sent. Send it again, or discard it");
