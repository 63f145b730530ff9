/**
 * The parts in which a user acts, with an App that does nothing but remember what it was told. `fake` is for the tests.
 */
import { menuItems, perform } from "/web/ui/actions.js";
import { actionOfKey } from "/web/ui/keys.js";
import { composer } from "/web/ui/composer.js";
import { fill, h } from "/web/ui/dom.js";
import { openMenu } from "/web/ui/menu.js";

const parameters = new URLSearchParams(location.search);
const now = Date.UTC(2026, 10, 29, 9, 0);
const me = { id: 1, name: "ana" };
const people = ["ana", "budi", "cici", "user1 pc", "Dewi Lestari", "eko", "fajar", "gita", "user1"].map((
  name,
  index,
) => ({
  id: index + 1,
  name,
}));
const texts = [
  [2, "Printer 3 is out of paper again"],
  [1, "I can refill it at ten"],
  [3, "Thanks! The spare paper is in room 12\nbehind the door"],
  [2, "Does anybody know when the **backup** runs? https://example.org/backup"],
  [1, "Every night at two"],
];

function room(name, id, more = {}, rules = {}) {
  const members = new Map(people.map((person) => [person.id, person]));
  return {
    key: `r${id}`,
    kind: "room",
    name,
    id,
    member: true,
    room: {
      topic: "",
      role: "member",
      private: false,
      readOnly: false,
      archived: false,
      slowS: 0,
      total: members.size,
      members,
      muted: new Set(),
      ...rules,
    },
    last: null,
    read: 0,
    unread: 0,
    mentions: 0,
    firstUnread: 0,
    mutedS: 0,
    typing: [],
    window: { messages: [], loaded: true, atStart: true, atEnd: true, loading: null, target: null },
    ...more,
  };
}

const ops = room("ops", 5, {}, { topic: "Printers, paper, people", role: parameters.get("role") ?? "owner" });
ops.window.messages = texts.map(([by, text], index) => message(100 + index, by, text, "ops"));
ops.last = ops.window.messages.at(-1);
const lobby = room("lobby", 1, { unread: 12 }, { topic: "Welcome" });
const secret = room("secret", 6, { unread: 3, mentions: 1 }, { private: true, role: "owner" });
const direct = {
  ...room("budi", 2),
  key: "p2",
  kind: "direct",
  room: null,
};

function message(seq, by, text, roomName) {
  return {
    t: "msg",
    seq,
    prev: 0,
    by,
    name: people.find(({ id }) => id === by)?.name ?? "",
    at: now + seq * 60_000,
    text,
    room: roomName,
    to: null,
    toname: null,
    reply: null,
    mentions: [],
    edited: null,
    deleted: null,
    reactions: [],
    changed: null,
    edited_by: null,
    deleted_by: null,
  };
}

const conversations = new Map([ops, lobby, secret, direct].map((each) => [each.key, each]));
const listeners = new Set();
const settingListeners = new Set();
const routeListeners = new Set();
const drafts = new Map();
const acts = [];
const asks = [];
const said = [];
const rules = {
  t: "roomrules",
  room: "ops",
  ref: 1,
  topic: "Printers, paper, people",
  private: false,
  read_only: false,
  slow_s: 0,
  retention_days: 0,
  history: "all",
  archived: false,
  was: null,
  by: null,
  role: "owner",
  id: 5,
};

/** What questions are answered with, by their name; a function, or what it gives. A test may put others here. */
const answers = {
  roomInfo: rules,
  rooms: {
    rooms: [{ room: "lobby", total: 42 }, { room: "ops", total: 9 }, { room: "garden", total: 3 }],
    more: false,
  },
  join: ({ room: name }) => {
    const made = room(name.replace("#", ""), 90);
    conversations.set(made.key, made);
    return made;
  },
  openDirect: () => direct,
  openPerson: () => direct,
  whois: ({ name }) => {
    const found = people.find((person) => person.name === name);
    if (found) return found;
    throw refusal("no_such_person", "There is no person with this name. /who lists who is here");
  },
  search: ({ before }) => ({
    hits: before ? [{ message: message(90, 3, "old paper", "ops"), marks: [[4, 9]] }] : [
      { message: message(102, 3, "🎉 The spare paper is in room 12", "ops"), marks: [[12, 17]] },
      { message: message(100, 2, "Printer 3 is out of paper again", "ops"), marks: [[20, 25]] },
    ],
    more: !before,
    indexed: null,
  }),
};

function refusal(code, text, more = {}) {
  return { code, text, reason: code, args: {}, retryS: null, ...more };
}

const app = {
  core: {
    phase: "online",
    me,
    account: true,
    admin: false,
    mustChange: false,
    server: "securechat",
    features: [],
    conversations,
    pending: [],
    catchingUp: false,
    waitsUntilS: null,
    find: (seq, key) => conversations.get(key)?.window.messages.find((each) => each.seq === seq) ?? null,
    nameOf: (id) => people.find((person) => person.id === id)?.name ?? null,
    knownNames: () => people.map(({ name }) => name),
    roomNamed: (name) => [...conversations.values()].find((each) => each.kind === "room" && each.name === name) ?? null,
    directWith: (id) => [...conversations.values()].find((each) => each.kind === "direct" && each.id === id) ?? null,
  },
  act: (action) => acts.push(action),
  async ask(question) {
    asks.push(question);
    const answer = answers[question.ask];
    await Promise.resolve();
    return typeof answer === "function" ? answer(question) : answer ?? null;
  },
  listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  settings: {
    theme: "system",
    language: "",
    enter: parameters.get("enter") ?? "auto",
    ignored: [],
    typing: true,
    membersOpen: false,
    notify: {},
    recentEmoji: [],
  },
  set(name, value) {
    app.settings = { ...app.settings, [name]: value };
    for (const listener of settingListeners) listener(name);
  },
  onSetting(listener) {
    settingListeners.add(listener);
    return () => settingListeners.delete(listener);
  },
  drafts: {
    get: (key) => drafts.get(key) ?? { text: "", reply: null, editing: null },
    put: (key, draft) => drafts.set(key, draft),
  },
  facts: {
    version: "1",
    ca: null,
    limited: true,
    access: "open",
    files: { "emoji.en.json": "/web/emoji.en.json", "emoji.id.json": "/web/emoji.id.json" },
  },
  route: { key: "r5", seq: null, panel: "" },
  go(route) {
    app.route = { ...app.route, ...route };
    for (const listener of routeListeners) listener(app.route);
    panels();
  },
  onRoute(listener) {
    routeListeners.add(listener);
    return () => routeListeners.delete(listener);
  },
  announce: (text) => said.push(text),
  toast(text, actions = []) {
    said.push(text);
    fill(
      toasts,
      h("p", { class: "toast" }, text, ...actions.map(({ label, run }) => h("button", { on: { click: run } }, label))),
    );
  },
  forget: async () => acts.push({ do: "forget" }),
};

const toasts = h("div", { id: "toasts" });
const side = h("aside", { class: "beside", "aria-label": "Beside", hidden: true });
const talk = h("div", { class: "talk", tabIndex: 0, role: "region", "aria-label": "Messages" });
const place = h("div");
const main = h("main", { class: "pane" }, h("h1", { class: "unseen" }, "A conversation"), talk, place);
document.documentElement.dataset.theme = parameters.get("theme") ?? "system";
document.body.append(h("div", { class: "frame", "data-pane": "conversation" }, main, side), toasts);

let input = null;
let beside = null;

/** Shows a conversation, as the shell does. */
function show(key = app.route.key) {
  const conversation = conversations.get(key);
  app.route = { ...app.route, key };
  input?.end();
  input = composer(app, conversation, {
    lastOwn: () => conversation.window.messages.findLast((each) => each.by === me.id && !each.deleted) ?? null,
  });
  fill(place, input.element);
  fill(
    talk,
    ...conversation.window.messages.map((each) =>
      h(
        "p",
        {},
        h("button", {
          type: "button",
          class: "link",
          "data-seq": each.seq,
          on: { click: (event) => messageMenu(event.currentTarget, each) },
        }, `${each.name}: ${each.text}`),
      )
    ),
  );
}

function messageMenu(anchor, about) {
  const person = { id: about.by, name: about.name };
  openMenu(
    anchor,
    menuItems("message", {
      app,
      conversation: conversations.get(app.route.key),
      message: about,
      person,
      composer: input,
      anchor,
    }),
    "Message",
  );
}

let opened = "";
async function panels() {
  const { panel, key } = app.route;
  if (panel === opened) return;
  opened = panel;
  beside?.end();
  beside = null;
  side.hidden = true;
  fill(side);
  const conversation = conversations.get(key);
  const closed = () => app.go({ panel: "" });
  if (panel === "help") (await import("/web/ui/dialogs.js")).openHelp(app, closed);
  if (panel === "room") (await import("/web/ui/dialogs.js")).openRoom(app, conversation, closed);
  if (panel !== "search" && panel !== "members") return;
  const { searchPanel } = await import("/web/ui/search.js");
  const { membersPanel } = await import("/web/ui/dialogs.js");
  beside = (panel === "search" ? searchPanel : membersPanel)(app, conversation, closed);
  fill(side, beside.element);
  side.hidden = false;
  document.querySelector(".panel [name=query], .panel [tabindex='0']")?.focus();
}

document.addEventListener("keydown", (event) => {
  const row = actionOfKey(event, "app");
  if (!row || event.defaultPrevented || (event.key === "?" && event.target instanceof HTMLTextAreaElement)) return;
  event.preventDefault();
  perform(row, { app, conversation: conversations.get(app.route.key), composer: input });
});

globalThis.fake = {
  app,
  acts,
  asks,
  said,
  drafts,
  answers,
  conversations,
  rules,
  message,
  refusal,
  show,
  reload: () => show(),
  changed: (changes) => listeners.forEach((listener) => listener(changes)),
  composer: () => input,
  act: async (name, context = {}) => {
    const { actionNamed } = await import("/web/ui/actions.js");
    return perform(actionNamed(name), {
      app,
      conversation: conversations.get(app.route.key),
      composer: input,
      ...context,
    });
  },
  items: (place, context = {}) =>
    menuItems(place, { app, conversation: conversations.get(app.route.key), composer: input, ...context }),
  person: (id) => people.find((each) => each.id === id),
};
show();
document.body.dataset.ready = "";
