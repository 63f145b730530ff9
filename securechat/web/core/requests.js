/**
 * What the parts of the core share, and the questions without an answer.
 *
 * @import {Answer, Change, Open, Phase, Question, Refusal} from "./types.js"
 * @import {Command, Event, Person, Refused} from "./records.js"
 * @import {Feed} from "./feed.js"
 * @import {Rooms} from "./rooms.js"
 * @import {Connection} from "./connection.js"
 */

import { wellFormed } from "./text.js";

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
        return event;
      case "rooms":
      case "roomInfo":
      case "logins":
        return event;
      case "password":
        return this.#connection.passwordChanged();
      case "logout":
        if (question.login === undefined) this.#connection.loggedOut();
    }
    return null;
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
