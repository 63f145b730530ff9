/**
 * Rooms and dialogues: names, members, what is unread. A room is one object whatever its name becomes.
 *
 * @import {Conversation, ConversationState, Refusal, Room, Typist} from "./types.js"
 * @import {ConversationItem, Joined, Left, LogEntry, Message, MessageChange, Person, Presence, Refused, RoleChanged, RoomRules, TypingNow} from "./records.js"
 * @import {Context, Requests} from "./requests.js"
 * @import {Feed} from "./feed.js"
 * @import {Windows} from "./feed.js"
 */

import { applied, emptyWindow } from "./feed.js";
import { refusalOf } from "./requests.js";

const LOBBY = "lobby";
/** Of the ping answered behind the rooms that follow a welcome. */
export const FENCE = 0;
const JOIN_ROOMS = 100;
const MOST_UNREAD = 999;
const MOST_PAGES = 100;
/** Before the list is asked again; longer where that is often. */
const LIST_AGAIN_S = 5;
const LONGEST_LIST_AGAIN_S = 300;
const TYPING_BELIEVED_S = 6;
const TYPING_NOTICE_S = 5;
const READ_S = 1;
const READS_APART_S = 0.5;

/** @param {Conversation} conversation */
export function placeOf(conversation) {
  return conversation.kind === "room" ? { room: conversation.name } : { peer: conversation.id };
}

export class Rooms {
  /** @type {Map<string, ConversationState>} what the user is in, by key */
  conversations = new Map();
  #context;
  /** @type {Map<string, ConversationState>} */
  #named = new Map();
  /** @type {Map<string, ConversationState>} */
  #former = new Map();
  /** @type {Map<number, ConversationState>} */
  #direct = new Map();
  #made = 0;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  /** @param {string} key @returns {ConversationState | undefined} */
  get(key) {
    const found = this.conversations.get(key);
    if (found || !key) return found;
    for (const each of this.all()) if (each.key === key) return each;
    return undefined;
  }

  /** @returns {ConversationState[]} */
  all() {
    return [...this.#named.values(), ...this.#direct.values()];
  }

  /** @param {string} name @returns {ConversationState} */
  named(name) {
    let room = this.#named.get(name);
    if (!room) this.#named.set(name, room = conversationState("room", `r${++this.#made}`, 0, name));
    return room;
  }

  /** @param {string} name @returns {ConversationState} */
  meant(name) {
    return this.#former.get(name) ?? this.named(name);
  }

  /** @param {number} id @returns {ConversationState} */
  direct(id) {
    let conversation = this.#direct.get(id);
    if (!conversation) {
      conversation = conversationState("direct", `p${id}`, id, "");
      this.#direct.set(id, conversation);
      const names = this.#context.people;
      let last = "";
      Object.defineProperty(conversation, "name", { enumerable: true, get: () => last = names.get(id) ?? last });
    }
    return conversation;
  }

  /** @param {LogEntry} entry @returns {ConversationState} */
  of(entry) {
    if (entry.room !== null) return this.meant(entry.room);
    return this.direct((entry.by === this.#context.me.id ? entry.to : entry.by) ?? 0);
  }

  /** @param {number} id @returns {ConversationState} */
  enterDirect(id) {
    const conversation = this.direct(id);
    if (!this.conversations.has(conversation.key)) {
      this.conversations.set(conversation.key, conversation);
      this.#context.show({ kind: "conversations" });
    }
    return conversation;
  }

  /** @param {string} name @returns {ConversationState} */
  joined(name) {
    this.#former.delete(name);
    return this.named(name);
  }

  /** @param {string} old @param {string} name @returns {ConversationState | null} who had the name */
  rename(old, name) {
    const room = this.meant(old);
    const gone = this.#named.get(name);
    this.#named.delete(old);
    this.#former.delete(name);
    this.#former.set(old, room);
    this.#named.set(name, room);
    /** @type {{name: string}} */ (room).name = name;
    return gone && gone !== room ? gone : null;
  }

  forgetFormerNames() {
    this.#former.clear();
  }

  reset() {
    for (const each of this.all()) {
      const { key, kind, id, name, window } = each;
      const fresh = conversationState(kind, key, kind === "direct" ? id : 0, name);
      if (kind === "direct") delete (/** @type {any} */ (fresh).name);
      Object.assign(each, fresh, { window });
    }
    this.conversations.clear();
  }
}

/** @param {"room" | "direct"} kind @param {string} key @param {number} id @param {string} name @returns {ConversationState} */
function conversationState(kind, key, id, name) {
  return {
    key,
    kind,
    id,
    name,
    member: kind === "direct",
    room: null,
    last: null,
    read: 0,
    unread: 0,
    mentions: 0,
    firstUnread: 0,
    mutedS: 0,
    typing: [],
    window: emptyWindow(),
    begun: false,
    seen: 0,
    changed: 0,
    purged: 0,
    counted: { unread: 0, mentions: 0, first: 0, through: 0 },
    news: [],
  };
}

/** The list: what is unread, how far was read, who types. */
export class Counts {
  #context;
  #rooms;
  #feed;
  #listAt = 0;
  #listedAt = -Infinity;
  #listDelay = LIST_AGAIN_S;
  #listing = false;
  /** @type {Map<ConversationState, number>} to be told */
  #reads = new Map();
  /** @type {Map<ConversationState, number>} */
  #readAt = new Map();
  #nextReadAt = 0;
  /** @type {{key: string, at: number} | null} */
  #typed = null;
  #typingKnown = true;
  /** @type {Typist[]} */
  #typists = [];

  /** @param {Context} context @param {Rooms} rooms @param {Feed} feed */
  constructor(context, rooms, feed) {
    this.#context = context;
    this.#rooms = rooms;
    this.#feed = feed;
  }

  ask() {
    this.#listAt = 0;
    this.#listedAt = this.#context.now;
    if (!this.#listing) this.#page(1, {});
  }

  /** The log is another one. */
  reset() {
    this.#listing = false;
    this.#listAt = 0;
    this.#reads.clear();
  }

  askSoon() {
    const { account, now } = this.#context;
    if (!account || this.#listAt > 0) return;
    const isOften = now - this.#listedAt < 4 * this.#listDelay;
    this.#listDelay = isOften ? Math.min(2 * this.#listDelay, LONGEST_LIST_AGAIN_S) : LIST_AGAIN_S;
    this.#listAt = now + this.#listDelay;
  }

  /** @param {number} number @param {object} from */
  #page(number, from) {
    this.#listing = true;
    this.#feed.ask({
      command: (ref) => /** @type {any} */ ({ t: "conversations", ref, ...from }),
      answered: (event) => {
        if (event.t !== "conversations") return;
        this.#listing = false;
        for (const item of event.items) this.#listed(item);
        this.#context.show({ kind: "conversations" });
        if (!event.more || number >= MOST_PAGES) return;
        this.#page(number + 1, { after: event.through, afterroom: event.throughroom });
      },
      refused: () => this.#listing = false,
    });
  }

  /** @param {ConversationItem} item */
  #listed(item) {
    const { room, peer, last, read, unread, mentions, first } = item;
    if (peer) this.#context.see(peer.id, peer.name);
    const conversation = peer ? this.#rooms.enterDirect(peer.id) : this.#rooms.meant(room ?? "");
    if (!conversation.member) return;
    if (room !== null && item.id) conversation.id = item.id;
    if (conversation.room) conversation.room.slowS = item.slow_s;
    conversation.mutedS = item.muted_s;
    if (last > (conversation.last?.seq ?? 0)) conversation.last = lastOf(item, this.#context.me);
    if (!this.#context.account) return;
    conversation.counted = { unread, mentions, first, through: last };
    conversation.news = conversation.news.filter((each) => each.seq > last);
    const known = conversation.read;
    conversation.read = read;
    if (known > read) { // the connection was lost before the server heard of it
      this.#readTo(conversation, known);
      this.#reads.set(conversation, known);
    }
    this.#count(conversation);
  }

  /** @param {ConversationState} conversation @param {Message} message @param {boolean} mentionsMe */
  message(conversation, message, mentionsMe) {
    if (message.seq > (conversation.last?.seq ?? 0)) conversation.last = message;
    const { seq, by } = message;
    this.#stopped((each) => each.conversation === conversation && each.person.id === by);
    const isNews = by !== this.#context.me.id && message.deleted === null && seq > conversation.counted.through;
    if (isNews && seq > conversation.read) { // counted by one: there may be thousands
      conversation.news.push({ seq, by, mentionsMe });
      conversation.unread = Math.min(MOST_UNREAD, conversation.unread + 1);
      conversation.mentions += mentionsMe ? 1 : 0;
      conversation.firstUnread ||= seq;
    }
    this.#context.show({ kind: "conversation", key: conversation.key });
  }

  /** @param {ConversationState} conversation @param {MessageChange} change */
  change(conversation, change) {
    const last = conversation.last;
    if (last && change.target === last.seq) conversation.last = applied(last, change);
    if (change.t === "deleted" && change.target > conversation.read) {
      if (change.target <= conversation.counted.through) this.askSoon();
      conversation.news = conversation.news.filter((each) => each.seq !== change.target);
      this.#count(conversation);
    } else if (conversation.last !== last) this.#context.show({ kind: "conversation", key: conversation.key });
  }

  /** @param {ConversationState} conversation */
  purged(conversation) {
    const { last, window } = conversation;
    conversation.news = conversation.news.filter((each) => !this.#feed.isPurged(asMessage(conversation, each)));
    if (last && this.#feed.isPurged(last)) {
      conversation.last = window.atEnd ? window.messages.at(-1) ?? null : null;
      this.askSoon();
    }
    if (conversation.counted.unread > 0) this.askSoon();
    this.#count(conversation);
  }

  /** @param {ConversationState} conversation @param {number} seq */
  read(conversation, seq) {
    if (this.#readTo(conversation, seq)) this.#count(conversation);
  }

  /** @param {ConversationState} conversation @param {number} seq */
  #readTo(conversation, seq) {
    if (seq <= conversation.read) return false;
    conversation.read = seq;
    conversation.news = conversation.news.filter((each) => each.seq > seq);
    const { counted, window } = conversation;
    if (seq >= counted.through || counted.unread === 0) {
      counted.unread = counted.mentions = counted.first = 0;
      return true;
    }
    if (!window.loaded || (!window.atStart && window.low > seq + 1) || window.high < counted.through) {
      if (counted.first <= seq) {
        counted.first = window.messages.find((each) => each.seq > seq)?.seq ?? seq + 1;
        this.askSoon();
      }
      return true;
    }
    const left = window.messages.filter((each) =>
      each.seq > seq && each.seq <= counted.through && each.by !== this.#context.me.id && each.deleted === null
    );
    counted.unread = Math.min(counted.unread, left.length);
    counted.mentions = left.filter((each) => each.mentions.includes(this.#context.me.id)).length;
    counted.first = left[0]?.seq ?? 0;
    return true;
  }

  /** @param {ConversationState} conversation */
  #count(conversation) {
    const { counted, news } = conversation;
    conversation.unread = Math.min(MOST_UNREAD, counted.unread + news.length);
    conversation.mentions = counted.mentions + news.filter((each) => each.mentionsMe).length;
    conversation.firstUnread = (counted.unread > 0 ? counted.first : news[0]?.seq) ?? 0;
    this.#context.show({ kind: "conversation", key: conversation.key });
  }

  /** @param {ConversationState} conversation @param {number} seq */
  saw(conversation, seq) {
    if (seq <= conversation.read) return;
    this.read(conversation, seq);
    if (this.#context.account) this.#reads.set(conversation, seq);
  }

  /** @param {ConversationState} conversation @param {number} seq */
  readElsewhere(conversation, seq) {
    if ((this.#reads.get(conversation) ?? 0) <= seq) this.#reads.delete(conversation);
    this.read(conversation, seq);
  }

  /** @param {ConversationState} conversation */
  #readDueAt(conversation) {
    const told = this.#readAt.get(conversation);
    return Math.max(this.#nextReadAt, told === undefined ? 0 : told + READ_S);
  }

  /** @param {ConversationState} conversation */
  typing(conversation) {
    const { now, online } = this.#context;
    const early = this.#typed?.key === conversation.key && now - this.#typed.at < TYPING_NOTICE_S;
    if (!online || !this.#typingKnown || early) return;
    this.#typed = { key: conversation.key, at: now };
    this.#context.send({ t: "typing", ...placeOf(conversation) });
  }

  typed() {
    this.#typed = null;
  }

  typingUnknown() {
    this.#typingKnown = false;
  }

  /** @param {TypingNow} event */
  typist(event) {
    const { room, by } = event;
    const conversation = room === null ? this.#rooms.direct(by.id) : this.#rooms.meant(room);
    const until = this.#context.now + TYPING_BELIEVED_S;
    const known = this.#typists.find((each) => each.conversation === conversation && each.person.id === by.id);
    if (known) {
      known.until = until;
      return;
    }
    this.#typists.push({ conversation, person: by, until });
    conversation.typing = [...conversation.typing, by];
    this.#context.show({ kind: "typing", key: conversation.key });
  }

  /** @param {(typist: Typist) => boolean} has who types no more */
  #stopped(has) {
    const gone = this.#typists.filter(has);
    if (!gone.length) return;
    this.#typists = this.#typists.filter((each) => !has(each));
    for (const { conversation, person } of gone) {
      conversation.typing = conversation.typing.filter((each) => each.id !== person.id);
      this.#context.show({ kind: "typing", key: conversation.key });
    }
  }

  /** A new connection. */
  forgetTyping() {
    this.#typingKnown = true;
    this.#typed = null;
    this.#stopped(() => true);
  }

  get deadline() {
    const times = [];
    if (this.#context.online) {
      if (this.#listAt > 0) times.push(this.#listAt);
      for (const conversation of this.#reads.keys()) times.push(this.#readDueAt(conversation));
    }
    for (const { until } of this.#typists) times.push(until);
    return times.length ? Math.min(...times) : null;
  }

  /** Does what is due. */
  due() {
    const { now, online } = this.#context;
    this.#stopped((each) => each.until <= now);
    if (!online) return;
    if (this.#listAt > 0 && now >= this.#listAt) this.ask();
    const [next] = [...this.#reads].sort(([a], [b]) => this.#readDueAt(a) - this.#readDueAt(b));
    if (!next || now < this.#readDueAt(next[0])) return;
    const [conversation, seq] = next;
    this.#reads.delete(conversation);
    this.#readAt.set(conversation, now);
    this.#nextReadAt = now + READS_APART_S;
    if (conversation.member) this.#context.send({ t: "read", seq, ...placeOf(conversation) });
  }
}

export class Membership {
  /** @type {string[]} of a guest, to be joined again */
  wanted = [];
  #context;
  #rooms;
  #feed;
  #windows;
  /** @type {Set<string>} to be joined before anything is sent */
  #awaited = new Set();
  /** @type {Map<number, Set<string>>} by ref */
  #rejoins = new Map();
  /** @type {Set<ConversationState> | null} told since the welcome; null: all were */
  #told = null;
  #lobby = false;

  /** @param {Context} context @param {Rooms} rooms @param {Feed} feed @param {Windows} windows */
  constructor(context, rooms, feed, windows) {
    this.#context = context;
    this.#rooms = rooms;
    this.#feed = feed;
    this.#windows = windows;
  }

  welcomed() {
    this.#told = new Set();
    this.#rejoins.clear();
    this.#awaited.clear();
    this.#lobby = false;
    this.#context.send({ t: "ping", n: FENCE });
  }

  get settled() {
    const unsure = this.#told !== null && (this.wanted.length > 0 || this.#kept().length > 0);
    return this.#lobby && !unsure && this.#awaited.size === 0;
  }

  /** All are told: an account is in no others, a guest joins them again. */
  confirm() {
    if (this.#told === null || this.#context.mustChange) return;
    const names = new Set(this.wanted);
    for (const conversation of this.#kept()) {
      if (this.#context.account && conversation.room?.role) this.#out(conversation, null);
      else names.add(conversation.name);
    }
    for (const { name } of this.#told) names.delete(name);
    this.#told = null;
    this.wanted = [];
    const list = [...names].sort();
    for (let start = 0; start < list.length; start += JOIN_ROOMS) {
      const some = list.slice(start, start + JOIN_ROOMS);
      const ref = ++this.#context.ref;
      this.#rejoins.set(ref, new Set(some));
      for (const name of some) this.#awaited.add(name);
      this.#context.send({ t: "join", ref, rooms: some });
    }
  }

  /** @returns {ConversationState[]} not told */
  #kept() {
    const rooms = [...this.#rooms.conversations.values()].filter((each) => each.kind === "room");
    return rooms.filter((each) => each.name !== LOBBY && !this.#told?.has(each));
  }

  saved() {
    if (this.#context.account) return [];
    const rooms = [...this.#rooms.conversations.values()].filter((each) => each.kind === "room");
    return [...new Set([...this.wanted, ...rooms.map((each) => each.name)])].filter((name) => name !== LOBBY);
  }

  /** @param {Joined} event @param {Requests} requests */
  joined(event, requests) {
    if (event.ref === 0 && event.id > 0) this.#recognise(event);
    const conversation = this.#rooms.joined(event.room);
    if (event.ref === 0 && requests.isLeaving(conversation.key)) return; // sent before the server heard of it
    const again = this.#rooms.conversations.has(conversation.key);
    const before = conversation.room;
    conversation.id = event.id;
    conversation.room = {
      topic: event.topic,
      role: /** @type {Room["role"]} */ (event.role),
      private: event.private,
      readOnly: event.read_only,
      archived: event.archived,
      slowS: before?.slowS ?? 0,
      total: event.total,
      members: event.members.length ? new Map(event.members.map((each) => [each.id, each])) : null,
      muted: before?.muted ?? new Set(),
    };
    for (const each of event.members) this.#context.see(each.id, each.name);
    if (!again && (!this.#context.account || this.#told === null)) conversation.read = event.live_from;
    this.#rooms.conversations.set(conversation.key, conversation);
    this.#feed.entered(conversation, event.live_from);
    if (event.purged) this.#feed.purged({ t: "purged", through: event.purged, room: event.room, by: null });
    this.#context.show({ kind: "joined", key: conversation.key, made: event.made, again });
    if (!again) {
      this.#context.dirty = true;
      this.#context.show({ kind: "conversations" });
    }
    this.#told?.add(conversation);
    this.#lobby ||= event.room === LOBBY;
    this.#entered(event.ref, event.room);
  }

  /** Renamed meanwhile? @param {Joined} event */
  #recognise(event) {
    const known = [...this.#rooms.conversations.values()].find((each) =>
      each.kind === "room" && each.id === event.id && each.name !== event.room
    );
    if (known && !this.#told?.has(known)) this.#renamed(known, event.room, null);
  }

  /** @param {Refused} event */
  refused(event) {
    const names = this.#rejoins.get(event.ref ?? -1);
    if (!names && !(event.ref === 0 && event.room !== null)) return false;
    const refused = !names ? [event.room ?? ""] : names.has(event.room ?? "") ? [event.room ?? ""] : [...names];
    for (const name of refused) {
      const conversation = this.#rooms.named(name);
      this.#told?.add(conversation);
      this.#entered(event.ref ?? 0, name);
      this.#out(conversation, refusalOf(event));
    }
    return true;
  }

  /** @param {Left} event */
  left(event) {
    const { code, text, reason, args } = event;
    this.#out(this.#rooms.meant(event.room), code === null ? null : refusalOf({ code, text, reason, args }));
  }

  /** @param {number} ref @param {string} name */
  #entered(ref, name) {
    this.#rejoins.get(ref)?.delete(name);
    this.#awaited.delete(name);
  }

  /** @param {ConversationState} conversation @param {Refusal | null} refusal */
  #out(conversation, refusal) {
    this.#windows.close(conversation);
    this.#feed.left(conversation);
    if (!this.#rooms.conversations.delete(conversation.key)) return;
    const { counted } = conversation;
    counted.unread =
      counted.mentions =
      counted.first =
      conversation.unread =
      conversation.mentions =
        0;
    conversation.firstUnread = 0;
    conversation.news = [];
    conversation.last = null;
    this.#context.dirty = true;
    this.#context.show({ kind: "left", key: conversation.key, refusal });
    this.#context.show({ kind: "conversations" });
  }

  /** @param {Presence} event */
  presence(event) {
    const conversation = this.#rooms.meant(event.room);
    const room = conversation.room;
    if (!room || !conversation.member) return;
    const me = this.#context.me.id;
    const members = room.members;
    // It may name a member that the fresher roster has, or never had.
    const joined = event.joined.filter((each) => each.id !== me && !members?.has(each.id));
    const left = event.left.filter((each) => each.id !== me && (!members || members.has(each.id)));
    const renamed = [...event.renamed];
    for (const { id, name } of event.joined) {
      const old = members?.get(id)?.name;
      if (old !== undefined && !renamed.some((each) => each.id === id)) renamed.push({ id, old, new: name });
    }
    for (const each of joined) {
      this.#context.see(each.id, each.name);
      members?.set(each.id, each);
    }
    for (const each of left) members?.delete(each.id);
    const news = renamed.filter((each) => this.#personRenamed(each) && each.id !== me);
    room.total = event.total;
    this.#context.show({ kind: "presence", key: conversation.key, joined, left, renamed: news });
  }

  /** @param {{id: number, old: string, new: string}} renaming */
  #personRenamed(renaming) {
    const { id } = renaming;
    let news = this.#context.people.get(id) !== renaming.new;
    for (const { room } of this.#rooms.conversations.values()) {
      const known = room?.members?.get(id);
      if (!known) continue;
      news ||= known.name !== renaming.new;
      room?.members?.set(id, { ...known, name: renaming.new });
    }
    this.#context.see(id, renaming.new);
    return news;
  }

  /** @param {RoomRules} event */
  rules(event) {
    if (event.was !== null) this.#renamed(this.#rooms.meant(event.was), event.room, event.by);
    const conversation = this.#rooms.meant(event.room);
    const room = conversation.room;
    if (!room || !conversation.member) return;
    if (event.id) conversation.id = event.id;
    const { topic, private: hidden, read_only, archived, slow_s } = event;
    Object.assign(room, { topic, private: hidden, readOnly: read_only, archived, slowS: slow_s });
    this.#context.show({ kind: "rules", key: conversation.key, rules: event });
  }

  /** @param {ConversationState} conversation @param {string} name @param {Person | null} by */
  #renamed(conversation, name, by) {
    const old = conversation.name;
    const gone = this.#rooms.rename(old, name);
    if (gone) this.#out(gone, null);
    this.#windows.renamed(conversation);
    this.#context.dirty = true;
    if (conversation.member) this.#context.show({ kind: "renamed", key: conversation.key, old, by });
  }

  /** @param {RoleChanged} event */
  role(event) {
    const { person, role, muted_s, by } = event;
    this.#context.see(person.id, person.name);
    const conversation = this.#rooms.meant(event.room);
    const room = conversation.room;
    if (!room || !conversation.member) return;
    if (person.id === this.#context.me.id) {
      room.role = /** @type {Room["role"]} */ (role);
      conversation.mutedS = muted_s;
    }
    if (muted_s === 0) room.muted.delete(person.id);
    else room.muted.add(person.id);
    this.#context.show({
      kind: "role",
      key: conversation.key,
      person,
      role,
      mutedS: muted_s,
      by,
      reason: event.reason,
    });
  }
}

/** @param {ConversationItem} item @param {Person} me @returns {Message} */
function lastOf(item, me) {
  const { last, by, at, text, room, peer, deleted, edited_by, deleted_by } = item;
  return {
    t: "msg",
    seq: last,
    prev: 0,
    by: by?.id ?? 0,
    name: by?.name ?? "",
    at,
    text,
    room,
    to: peer ? (by?.id === me.id ? peer.id : me.id) : null,
    toname: null,
    reply: null,
    mentions: [],
    edited: null,
    deleted: deleted ? last : null,
    files: [],
    reactions: [],
    changed: null,
    edited_by,
    deleted_by,
    bot: by?.bot ?? false,
  };
}

/** @param {ConversationState} conversation @param {{seq: number, by: number}} news @returns {Message} */
function asMessage(conversation, news) {
  const room = conversation.kind === "room" ? conversation.name : null;
  return /** @type {any} */ ({ ...news, room, to: conversation.id });
}
