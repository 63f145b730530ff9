/**
 * The client without a socket, storage, clock or randomness; hands each input to the part whose subject it is.
 *
 * @import {Action, Core, CoreOptions, CoreOutput, ConversationState, Question, SavedState} from "./types.js"
 * @import {Event, Message, MessageChange, Refused, Welcome} from "./records.js"
 */

import { complete } from "./records.js";
import { Connection } from "./connection.js";
import { Feed, Windows } from "./feed.js";
import { Context, Requests, SendQueue } from "./requests.js";
import { Counts, FENCE, Membership, Rooms } from "./rooms.js";
import { mentions } from "./text.js";

/** @implements {Core} */
export class ClientCore {
  #context = new Context();
  #rooms;
  #feed;
  #windows;
  #counts;
  #membership;
  #queue;
  /** @type {Connection} */
  #connection;
  /** @type {Requests} */
  #requests;

  /** @param {CoreOptions} options */
  constructor(options) {
    const context = this.#context;
    const { saved } = options;
    context.me = { id: 0, name: saved.name };
    this.#rooms = new Rooms(context);
    this.#feed = new Feed(context, this.#rooms, {
      message: (conversation, message, late) => this.#message(conversation, message, late),
      change: (conversation, change) => this.#change(conversation, change),
      purged: (event, room) => {
        for (const each of room ? [room] : this.#rooms.conversations.values()) {
          this.#windows.purged(each);
          this.#counts.purged(each);
        }
        context.show({ kind: "purged", key: room && room.key, through: event.through, by: event.by });
      },
      caughtUp: (missed) => context.show({ kind: "caughtUp", missed }),
    });
    this.#windows = new Windows(context, this.#feed);
    this.#counts = new Counts(context, this.#rooms, this.#feed);
    this.#membership = new Membership(context, this.#rooms, this.#feed, this.#windows);
    this.#membership.wanted = saved.rooms ?? [];
    this.#queue = new SendQueue(context, this.#rooms);
    this.#queue.restore(saved.unsent, saved.lastCid);
    this.#connection = new Connection(context, {
      welcomed: (event, first, another) => this.#welcomed(event, first, another),
      passwordChanged: () => this.#passwordChanged(),
      lost: () => this.#lost(),
      abandoned: () => this.#queue.abandon(),
      busy: () => this.#queue.busy || this.#feed.catchingUp,
      isLoggingOut: () => this.#requests.isLoggingOut,
    }, options);
    this.#requests = new Requests(context, this.#rooms, this.#feed, this.#connection);
  }

  get phase() {
    return this.#context.phase;
  }

  get me() {
    return this.#context.me;
  }

  get account() {
    return this.#context.account;
  }

  get admin() {
    return this.#context.admin;
  }

  get mustChange() {
    return this.#context.mustChange;
  }

  get server() {
    return this.#context.server;
  }

  get features() {
    return this.#context.features;
  }

  get limits() {
    return this.#context.limits;
  }

  get conversations() {
    return this.#rooms.conversations;
  }

  get pending() {
    return this.#queue.pending;
  }

  get catchingUp() {
    return this.#feed.catchingUp;
  }

  get reading() {
    return this.#feed.reading;
  }

  get waitsUntilS() {
    return this.#connection.waitsUntilS;
  }

  /** @param {number} seq @param {string} key @returns {Message | null} */
  find(seq, key) {
    const conversation = this.#rooms.get(key);
    return conversation ? this.#windows.find(conversation, seq) : null;
  }

  /** @param {number} id @returns {string | null} */
  nameOf(id) {
    return this.#context.people.get(id) ?? null;
  }

  knownNames() {
    return [...new Set(this.#context.people.values())];
  }

  /** @param {string} room @returns {ConversationState | null} */
  roomNamed(room) {
    const name = room.replace(/^#/, "").toLowerCase();
    for (const each of this.conversations.values()) if (each.kind === "room" && each.name === name) return each;
    return null;
  }

  /** @param {number} id @returns {ConversationState | null} */
  directWith(id) {
    return this.conversations.get(`p${id}`) ?? null;
  }

  /** @returns {number | null} */
  deadline() {
    if (this.phase === "ended") return null;
    const times = [this.#connection.deadline, this.#feed.deadline, this.#counts.deadline];
    if (this.#context.online) times.push(this.#queue.deadline, this.#queue.doubtAt);
    const due = times.filter((time) => time !== null);
    return due.length ? Math.min(...due) : null;
  }

  /** @param {number} now @returns {CoreOutput} */
  start(now) {
    this.#context.now = now;
    this.#connection.start();
    return this.#output();
  }

  /** @param {number} now @returns {CoreOutput} */
  connected(now) {
    this.#context.now = now;
    if (this.phase === "dialling") this.#connection.connected();
    return this.#output();
  }

  /** @param {number} now @param {{reason: string, clean: boolean}} _why @returns {CoreOutput} */
  disconnected(now, _why) {
    this.#context.now = now;
    if (this.phase === "dialling" || this.#connection.linked) this.#connection.lost();
    return this.#output();
  }

  /** @param {Event} event as it was parsed @param {number} now @returns {CoreOutput} */
  received(event, now) {
    this.#context.now = now;
    if (this.#connection.linked) {
      this.#connection.heard();
      this.#received(complete(event));
    }
    return this.#output();
  }

  /** @param {Action} action @param {number} now @returns {CoreOutput} */
  act(action, now) {
    this.#context.now = now;
    this.#act(action);
    return this.#output();
  }

  /** @param {Question} question @param {number} request @param {number} now @returns {CoreOutput} */
  ask(question, request, now) {
    this.#context.now = now;
    this.#requests.ask(question, request);
    return this.#output();
  }

  /** @param {number} now @returns {CoreOutput} */
  tick(now) {
    this.#context.now = now;
    if (this.phase !== "ended") this.#connection.tick();
    if (this.#context.online && now >= (this.#queue.doubtAt ?? Infinity)) {
      this.#queue.doubted();
      this.#connection.probe();
    }
    return this.#output();
  }

  /** Does what is due after every input. @returns {CoreOutput} */
  #output() {
    const context = this.#context;
    this.#counts.due();
    if (context.online) {
      this.#queue.sendDue();
      this.#feed.sendDue();
    }
    this.#connection.leaveWhenDone();
    const { commands, changes, dial, hangUp, dirty } = context;
    const save = dirty ? this.#saved() : null;
    context.commands = [];
    context.changes = [];
    context.told.clear();
    context.dial = context.hangUp = context.dirty = false;
    return { save, commands, hangUp, dial, changes };
  }

  /** @returns {SavedState} */
  #saved() {
    const { secret, name, token } = this.#connection;
    return {
      secret,
      name,
      token,
      lastCid: this.#queue.lastCid,
      unsent: this.#queue.saved(),
      rooms: this.#membership.saved(),
    };
  }

  /** @param {Action} action */
  #act(action) {
    switch (action.do) {
      case "hello":
        return this.#connection.hello(action);
      case "retry":
        return this.#queue.retry(action.number);
      case "discard":
        return this.#queue.discard(action.number);
      case "probe":
        return this.#connection.probe();
      case "reconnect":
        return this.#connection.reconnect();
      case "leave":
        return this.#connection.leave();
    }
    const conversation = this.#rooms.get(action.key);
    if (!conversation) return;
    switch (action.do) {
      case "send":
        this.#counts.typed();
        return this.#queue.add(conversation, action);
      case "edit":
      case "delete":
      case "react":
        return this.#queue.add(conversation, action);
      case "typing":
        return this.#counts.typing(conversation);
      case "read":
        this.#windows.read(conversation, action.seq);
        return this.#counts.saw(conversation, action.seq);
      case "open": {
        const { seq, at, unread } = action;
        const target = seq === undefined && at === undefined && !unread ? null : { seq, at, unread };
        return this.#windows.open(conversation, target);
      }
      case "older":
        return this.#windows.older(conversation);
      case "newer":
        return this.#windows.newer(conversation);
      case "close":
        return this.#windows.close(conversation);
    }
  }

  /** @param {Event} event */
  #received(event) {
    const context = this.#context;
    switch (event.t) {
      case "msg":
      case "edited":
      case "deleted":
      case "reacted":
        context.see(event.by, event.name);
        return this.#feed.live(event);
      case "acked":
        return this.#queue.acked(event.cid, event.seq);
      case "refused":
        return this.#refused(event);
      case "welcome":
        return this.#connection.welcomed(event);
      case "closing":
        return this.#connection.closing(event);
      case "ping":
        return context.send({ t: "pong", n: event.n });
      case "pong":
        if (event.n === FENCE) {
          this.#membership.confirm();
          this.#goOnline();
        }
        return;
      case "throttled":
        this.#connection.throttled(event.retry);
        this.#queue.throttled(event.retry);
        return context.show({ kind: "throttled", retryS: event.retry });
      case "joined":
        this.#membership.joined(event, this.#requests);
        this.#requests.answered(event);
        return this.#goOnline();
      case "left":
        this.#membership.left(event);
        this.#requests.answered(event);
        return;
      case "presence":
        return this.#membership.presence(event);
      case "role":
        return this.#membership.role(event);
      case "roomrules":
        if (event.ref === 0) this.#membership.rules(event);
        else this.#requests.answered(event);
        return;
      case "typing":
        return this.#counts.typist(event);
      case "read": {
        const conversation = event.room === null ? this.#rooms.direct(event.peer ?? 0) : this.#rooms.meant(event.room);
        return this.#counts.readElsewhere(conversation, event.seq);
      }
      case "purged":
        return this.#feed.purged(event);
      case "invited":
        return context.show({ kind: "invited", room: event.room, by: event.by });
      case "notice": {
        const { text, at, reason, args } = event;
        if (reason.includes("muted_by")) this.#counts.askSoon();
        const refusal = reason ? { code: "", text, reason, args, retryS: null } : null;
        return context.show({ kind: "notice", text, at, refusal });
      }
      case "page":
      case "hits":
      case "unreadlist":
      case "conversations":
        return this.#feed.answered(event);
      case "named":
        context.me = { id: context.me.id, name: event.name };
        context.see(context.me.id, event.name);
        this.#connection.named(event.name);
        context.show({ kind: "me" });
        if (event.ref) this.#requests.answered(event);
        return;
      case "registered":
        this.#connection.registered(event);
        this.#counts.ask(); // an account has read marks
        context.show({ kind: "me" });
        this.#requests.answered(event);
        return;
      case "done":
      case "roster":
      case "roomlist":
      case "found":
      case "peoplelist":
      case "loginlist":
      case "botlist":
      case "tokenlist":
      case "tokenmade":
      case "uploading":
      case "linked":
      case "filelist":
        this.#requests.answered(event);
    }
  }

  /** @param {Refused} event */
  #refused(event) {
    if (this.phase === "greeting") return this.#connection.helloRefused(event);
    if (event.cid !== null) {
      const draft = this.#queue.pending.find((each) => each.cid === event.cid);
      this.#queue.refused(event);
      if (!draft || event.code !== "muted") return;
      draft.conversation.mutedS = event.retry;
      this.#context.show({ kind: "conversation", key: draft.key });
      return;
    }
    if (this.#feed.refused(event) || this.#requests.refused(event)) return;
    if (this.#membership.refused(event)) return this.#goOnline();
    // Of all that is sent, only a notice of typing has no number.
    if (event.code === "unknown_type" && event.ref === null) this.#counts.typingUnknown();
  }

  /** @param {Welcome} event @param {boolean} first @param {boolean} another */
  #welcomed(event, first, another) {
    const context = this.#context;
    const resumes = !first && !another && event.sender_id === context.me.id && event.live_from >= this.#feed.cursor;
    const { account, admin, server, features, limits } = event;
    const mustChange = event.must_change;
    Object.assign(context, { account, admin, server, features, limits, mustChange });
    context.me = { id: event.sender_id, name: event.name };
    this.#queue.lastCid = Math.max(this.#queue.lastCid, event.lastcid);
    if (resumes) this.#feed.resume(event.live_from);
    else {
      if (!first) this.#reset();
      this.#feed.begin(event.live_from);
      for (const conversation of this.#rooms.all()) this.#windows.reset(conversation);
    }
    context.see(context.me.id, event.name);
    this.#counts.forgetTyping();
    this.#membership.welcomed();
    if (resumes) this.#counts.askSoon(); // another device may have read meanwhile
    else this.#counts.ask();
    context.show({ kind: "welcome", first, account, admin, mustChange });
  }

  /** The server has another log, or takes the user for another person. */
  #reset() {
    const context = this.#context;
    if (!context.account) this.#membership.wanted = this.#membership.saved();
    context.people.clear();
    this.#queue.abandon(false);
    this.#counts.reset();
    this.#rooms.reset();
    context.show({ kind: "reset" });
  }

  #passwordChanged() {
    this.#context.mustChange = false;
    this.#context.show({ kind: "me" });
    this.#membership.confirm();
    this.#goOnline();
  }

  /** Once every room is entered or refused, sends what waits and reads what was missed. */
  #goOnline() {
    if (this.phase !== "rejoining" || this.mustChange || !this.#membership.settled) return;
    this.#connection.settled();
    this.#queue.resume();
    this.#feed.start();
  }

  #lost() {
    this.#requests.lost();
    this.#feed.lost();
    this.#queue.lost();
    this.#rooms.forgetFormerNames();
    this.#context.mustChange = false;
  }

  /** @param {ConversationState} conversation @param {Message} message @param {boolean} late */
  #message(conversation, message, late) {
    const { me } = this.#context;
    const own = message.by === me.id;
    const mentionsMe = !own && (message.mentions.includes(me.id) || mentions(message.text, me.name));
    this.#counts.message(conversation, message, mentionsMe);
    this.#windows.message(conversation, message);
    this.#context.show({ kind: "message", key: conversation.key, message, own, late, mentionsMe });
  }

  /** @param {ConversationState} conversation @param {MessageChange} change */
  #change(conversation, change) {
    this.#counts.change(conversation, change);
    const message = this.#windows.change(conversation, change);
    if (message !== undefined) this.#context.show({ kind: "messageChanged", key: conversation.key, change, message });
  }
}
