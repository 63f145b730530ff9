/**
 * The message list on a made-up core: a log of any length, pages with a delay, and everything that can happen to a message.
 * The address says what: ?messages=10000&target=unread&delay=20&cap=600. `globalThis.fake` is for tests.
 */
import { messageList } from "/web/ui/message_list.js";
import { hostile } from "./hostile.js";
import { run } from "./steps.js";

const options = new URLSearchParams(location.search);
const number = (name, otherwise) => Number(options.get(name) ?? otherwise);
const PAGE = 50;
const CAP = number("cap", 600);
const DELAY_MS = number("delay", 0);
const ME = { id: 1, name: "Ana" };
const PEOPLE = [ME, { id: 2, name: "Budi" }, { id: 3, name: "Cici Lestari" }, { id: 4, name: "dewi" }, {
  id: 5,
  name: "Eko",
}];
const WORDS =
  "we deploy the new version after lunch unless the tests of the parser fail again in which case I look at it first"
    .split(" ");

let state = number("seed", 1);
/** A number from 0 up to a bound, the same in each run. @param {number} bound */
function random(bound) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}

function sentence() {
  const kind = random(20);
  if (kind === 0) return "```\nfor (const each of all) {\n  console.log(each);\n}\n```";
  if (kind === 1) return "👍";
  if (kind === 2) return `see https://example.org/${random(1000)} and @Budi in #ops`;
  const lines = kind < 5 ? 3 : 1;
  return Array.from(
    { length: lines },
    () => Array.from({ length: 1 + random(30) }, () => WORDS[random(WORDS.length)]).join(" "),
  ).join("\n");
}

let at = Date.UTC(2026, 10, 1);
let by = PEOPLE[1];
let seq = 0;
/** @type {any[]} */
const log = [];

/** Puts a message into the log. @param {any} [fields] */
function write(fields = {}) {
  at += random(8) === 0 ? 40 * 60_000 : 20_000;
  if (random(3) === 0) by = PEOPLE[random(PEOPLE.length)];
  const prev = seq;
  seq += 1 + random(3);
  const message = {
    t: "msg",
    seq,
    prev,
    by: by.id,
    name: by.name,
    at,
    text: sentence(),
    room: "ops",
    mentions: [],
    reactions: [],
    ...fields,
  };
  if (fields.text === undefined && random(12) === 0 && log.length > 5) {
    message.reply = log[log.length - 1 - random(5)].seq;
  }
  if (fields.text === undefined && random(12) === 0) {
    message.reactions = [{ sign: "👍", by: [1, 2] }, { sign: "🎉", by: [3] }];
  }
  log.push(message);
  return message;
}
for (let count = number("messages", 1000); count > 0; count--) write();

const win = { messages: [], loaded: false, atStart: false, atEnd: true, loading: null, target: null };
const conversation = {
  key: "r1",
  kind: "room",
  name: "ops",
  id: 1,
  member: true,
  room: { topic: "", role: "member", muted: new Set() },
  last: log.at(-1) ?? null,
  read: 0,
  unread: 0,
  mentions: 0,
  firstUnread: 0,
  mutedS: 0,
  typing: [],
  window: win,
};
const listeners = new Set();
const names = PEOPLE.map((each) => each.name);
const core = {
  me: ME,
  admin: false,
  account: true,
  phase: "online",
  conversations: new Map([["r1", conversation]]),
  pending: [],
  find: (wanted) => win.messages.find((each) => each.seq === wanted) ?? null,
  nameOf: (id) => PEOPLE.find((each) => each.id === id)?.name ?? null,
  knownNames: () => names,
  roomNamed: (name) => name === "ops" ? conversation : null,
};

/** @param {...any} changes */
function tell(...changes) {
  for (const listener of listeners) listener(changes);
}
const told = (how, seqs = []) => tell({ kind: "window", key: "r1", how, seqs });
const later = (run) => DELAY_MS ? setTimeout(run, DELAY_MS) : queueMicrotask(run);

const acts = [];
const App = {
  core,
  act(action) {
    acts.push(action);
    if (action.do === "open") open(action);
    else if (action.do === "older" || action.do === "newer") {
      towardsStart = action.do === "older";
      if (!(towardsStart ? win.atStart : win.atEnd) && !win.loading) page(action.do);
    } else if (action.do === "read") {
      conversation.read = Math.max(conversation.read, action.seq);
      if (win.atEnd && action.seq >= win.messages.at(-1)?.seq) towardsStart = false;
      count();
    } else if (action.do === "discard") {
      core.pending = core.pending.filter((each) => each.number !== action.number);
      tell({ kind: "pending", key: "r1" });
    }
  },
  ask: () => Promise.resolve([]),
  listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  settings: { language: "en", ignored: [] },
  onSetting: () => () => {},
  announce: (text) => document.getElementById("said").append(text, "\n"),
  toast: (text) => document.getElementById("said").append(text, "\n"),
  go: () => {},
  address: ({ key }) => `#/room/${key}`,
  route: { key: "r1", seq: null, panel: "" },
};

function count() {
  const unread = log.filter((each) => each.seq > conversation.read && each.by !== ME.id);
  conversation.unread = Math.min(unread.length, 999);
  conversation.firstUnread = unread[0]?.seq ?? 0;
}

const indexOf = (wanted) => {
  const index = log.findIndex((each) => each.seq >= wanted);
  return index < 0 ? log.length : index;
};
let first = 0;
let last = 0;
let towardsStart = false; // as in core/feed.js: the reader is at the older end, so the newer is cut
function cut(from, to) {
  first = Math.max(0, from);
  last = Math.min(log.length, to);
  win.messages.splice(0, Infinity, ...log.slice(first, last)); // in place, as the core does
  win.atStart = first === 0;
  win.atEnd = last === log.length;
}

function open({ seq: wanted, unread }) {
  win.loading = "replace";
  later(() => {
    win.target = wanted ? { seq: wanted } : unread ? { unread } : null;
    const index = wanted
      ? indexOf(wanted)
      : unread && conversation.firstUnread
      ? indexOf(conversation.firstUnread)
      : log.length;
    towardsStart = Boolean(wanted || unread);
    cut(index - PAGE, index + PAGE);
    win.loading = null;
    win.loaded = true;
    told("replaced");
  });
}

function page(how) {
  win.loading = how;
  told("loading");
  later(() => {
    if (win.loading !== how) return;
    win.loading = null;
    if (how === "older") cut(first - PAGE, Math.min(last, first - PAGE + CAP));
    else cut(Math.max(first, last + PAGE - CAP), last + PAGE);
    told(how);
  });
}

const fake = {
  app: App,
  conversation,
  log,
  acts,
  core,
  random,
  /** Messages come. @param {number} [n] @param {any} [fields] */
  live(n = 1, fields = {}) {
    const seqs = [];
    const changes = [];
    for (; n > 0; n--) {
      const message = write(fields);
      seqs.push(message.seq);
      changes.push({ kind: "message", key: "r1", message, own: message.by === ME.id, late: false, mentionsMe: false });
      conversation.last = message;
    }
    conversation.unread += seqs.length;
    const full = towardsStart && win.messages.length > CAP + 100;
    if (win.atEnd && !full) {
      win.messages.push(...log.slice(last));
      last = log.length;
      if (win.messages.length > CAP + 100 && !towardsStart) {
        win.messages.splice(0, win.messages.length - CAP);
        first = last - CAP;
        win.atStart = false;
      }
      tell(...changes, { kind: "window", key: "r1", how: "live", seqs });
    } else {
      win.atEnd = false;
      tell(...changes);
    }
  },
  /** A message becomes another. @param {number} wanted @param {any} fields */
  change(wanted, fields) {
    const index = log.findIndex((each) => each.seq === wanted);
    log[index] = { ...log[index], ...fields };
    if (index < first || index >= last) return;
    win.messages[index - first] = log[index];
    told("changed", [wanted]);
  },
  /** Messages are gone for good. @param {(message: any) => boolean} gone */
  purge(gone) {
    const kept = log.filter((each) => !gone(each));
    const from = win.messages[0]?.seq ?? 0;
    const to = win.messages.at(-1)?.seq ?? 0;
    const [wasStart, wasEnd] = [win.atStart, win.atEnd];
    log.splice(0, log.length, ...kept);
    cut(wasStart ? 0 : indexOf(from), wasEnd ? log.length : indexOf(to + 1));
    told("changed");
  },
  pending(pending) {
    core.pending = pending;
    tell({ kind: "pending", key: "r1" });
  },
  tell,
  hostile: (count) => hostile(fake, count),
  run: (seed, steps) => run(fake, seed, steps),
  shown: () => [...document.querySelectorAll(".rows > .row")].map((row) => Number(row.dataset.seq)),
};
globalThis.fake = fake;

if (options.has("read")) conversation.read = log[number("read", 0)]?.seq ?? 0;
else conversation.read = log.at(-1)?.seq ?? 0;
count();
fake.hooks = [];
fake.list = messageList(App, conversation, {
  reply: (message) => fake.hooks.push(["reply", message.seq]),
  edit: (message) => fake.hooks.push(["edit", message.seq]),
});
document.getElementById("conversation").append(fake.list.element);
App.act({ do: "open", key: "r1", unread: options.get("target") === "unread", seq: number("seq", 0) || undefined });
