/**
 * The program of the page: gives the core its inputs, carries out what it returns, and starts the user interface.
 *
 * @import {App, Change, Conversation, CoreOutput, Invite, PageState, Route, ServerFacts} from "../core/types.js"
 */

import { ClientCore } from "../core/client.js";
import { startUi } from "../ui/app.js";
import { later } from "../ui/dom.js";
import {
  browserName,
  dial,
  filesOfPage,
  fragmentOf,
  inviteOf,
  isOutdated,
  looksLikeInvite,
  newSecret,
  onWake,
  openStore,
  placeOf,
  shareTabs,
} from "./browser.js";

const INVITE = "invite"; // notes in the tab's storage, for after a reload
const STEAL = "steal";
const REFUSALS = 2; // WebSockets in a row that failed where a fetch worked: the first may have met a server that was starting

const fragment = location.hash;
// Before anything else: a token must not stand in the address bar or the history.
if (looksLikeInvite(fragment)) history.replaceState(null, "", "#/");
const files = filesOfPage();

/** @type {PageState} */
const page = {
  place: "starting",
  needsCa: false,
  outdated: false,
  stays: false,
  storageFailed: false,
  notifications: permission(),
};
const pageListeners = /** @type {Set<() => void>} */ (new Set());
const changeListeners = /** @type {Set<(changes: readonly Change[]) => void>} */ (new Set());
const routeListeners = /** @type {Set<(route: Route) => void>} */ (new Set());
const settingListeners = /** @type {Set<(name: any) => void>} */ (new Set());

const store = openStore(() => sessionStorage, () => localStorage, () => pageChanged({ storageFailed: true }));
page.stays = store.stays;

/** @type {ServerFacts} */
const facts = {
  version: "",
  ca: null,
  limited: false,
  access: "open",
  files: {},
  ...JSON.parse(document.getElementById("facts")?.textContent || "{}"),
};

const now = () => performance.now() / 1000;
const saved = store.state();
saved.lastCid += Math.floor(Math.random() * 2 ** 20); // a copy of this tab must not number another text alike
const core = new ClientCore({
  saved,
  jitter: Math.random,
  freshSecret: newSecret,
  client: `securechat-web ${facts.version} (${browserName(navigator.userAgent)})`,
});

// --- inputs and outputs of the core ----------------------------------------------------------------------------------

/** @type {ReturnType<typeof dial> | null} */
let connection = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let request = 0;
let refused = 0;
let everOpened = false;
let delivering = false;
let usesInvite = false;
/** @type {Change[][]} */
const undelivered = [];
/** @type {Map<number, {resolve: (value: any) => void, reject: (reason: any) => void}>} */
const questions = new Map();

/** @param {CoreOutput} output */
function carryOut({ save, commands, hangUp, dial: wanted, changes }) {
  if (save) store.save(save);
  if (commands.length) connection?.send(commands);
  if (hangUp) {
    connection?.hangUp();
    connection = null;
  }
  if (wanted) connect();
  clearTimeout(timer);
  const deadline = core.deadline();
  if (deadline !== null) timer = setTimeout(() => carryOut(core.tick(now())), Math.max(0, deadline - now()) * 1000);
  if (changes.length) deliver([...changes]);
}

function connect() {
  connection?.hangUp();
  const mine = connection = dial(location.origin, {
    opened() {
      everOpened = true;
      if (page.needsCa) pageChanged({ needsCa: false });
      carryOut(core.connected(now()));
    },
    received: (event) => carryOut(core.received(event, now())),
    closed(reason, clean) {
      if (connection === mine) connection = null;
      carryOut(core.disconnected(now(), { reason, clean }));
    },
    refused() {
      if (++refused >= REFUSALS && !everOpened) pageChanged({ needsCa: true });
    },
  }, !everOpened);
}

/**
 * Tells changes in their order, also those that a listener brings about meanwhile.
 *
 * @param {Change[]} changes
 */
function deliver(changes) {
  undelivered.push(changes);
  if (delivering) return;
  delivering = true;
  try {
    for (let next = undelivered.shift(); next; next = undelivered.shift()) {
      for (const change of next) took(change);
      for (const listener of [...changeListeners]) {
        try {
          listener(next);
        } catch (error) {
          reportError(error); // one broken part must not stop the others
        }
      }
      bell?.heard(next);
    }
  } finally {
    delivering = false;
  }
}

/** @param {Change} change */
function took(change) {
  switch (change.kind) {
    case "answer": {
      const question = questions.get(change.request);
      questions.delete(change.request);
      if (change.refusal) question?.reject(change.refusal);
      else question?.resolve(change.value);
      break;
    }
    case "welcome":
      startBell();
      if (core.features.includes("files")) app.uploads().catch(() => {}); // what waits goes on
      store.note(INVITE, "");
      if (usesInvite) app.invite = null; // else the page says that there is one
      if (!change.first) isOutdated(files).then((outdated) => outdated && pageChanged({ outdated }));
      break;
    case "conversations":
    case "joined":
    case "left":
    case "reset":
      routeChanged();
      break;
    case "renamed":
      renameSetting(change.old, core.conversations.get(change.key)?.name);
      if (app.route.key === change.key) app.go({ seq: app.route.seq }, true);
      break;
  }
}

/**
 * What a user wants to hear of a room stays when it is renamed.
 *
 * @param {string} old
 * @param {string | undefined} name
 */
function renameSetting(old, name) {
  const { [old]: choice, ...others } = store.settings.notify;
  if (choice && name) app.set("notify", { ...others, [name]: choice });
}

// --- where the user is -----------------------------------------------------------------------------------------------

/** @returns {Route} what the address bar says */
function readRoute() {
  const { room, person, seq, panel } = placeOf(location.hash);
  const conversation = room ? core.roomNamed(room) : person ? core.directWith(person) : null;
  if (conversation) return { key: conversation.key, seq, panel, unknown: null };
  return { key: null, seq, panel, unknown: room ? { room } : person ? { person } : null };
}

/** @param {Partial<Route>} changes */
function addressOf(changes) {
  const elsewhere = "key" in changes || "unknown" in changes;
  const route = elsewhere
    ? { key: null, seq: null, panel: "", unknown: null, ...changes }
    : { ...app.route, ...changes };
  const conversation = route.key === null ? null : core.conversations.get(route.key);
  const { kind, id = 0, name = "" } = conversation ?? {};
  const place = kind === "room" ? { room: name } : kind === "direct" ? { person: id } : route.unknown ?? {};
  return fragmentOf({ ...place, seq: route.seq, panel: route.panel });
}

function routeChanged() {
  const route = readRoute();
  if (JSON.stringify(route) === JSON.stringify(app.route)) return;
  app.route = route;
  for (const listener of routeListeners) listener(route);
  bell?.count();
}

addEventListener("popstate", () => {
  if (!looksLikeInvite(location.hash)) return routeChanged();
  const opened = inviteOf(location.hash);
  history.replaceState(null, "", addressOf({}));
  openInvite(opened);
});

/** @param {Invite | null} opened */
function openInvite(opened) {
  app.invite = opened;
  if (opened) store.note(INVITE, JSON.stringify(opened));
  pageChanged({});
}

/** @returns {Invite | null} */
function keptInvite() {
  try {
    return JSON.parse(store.note(INVITE) || "null");
  } catch {
    return null;
  }
}

// --- what the user interface gets ------------------------------------------------------------------------------------

/**
 * @template T
 * @param {Set<T>} listeners
 * @returns {(listener: T) => () => void}
 */
const listenerTo = (listeners) => (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** @param {string} key */
function draftId(key) {
  const conversation = core.conversations.get(key);
  if (!conversation) return key;
  const { kind, id, name } = conversation;
  return kind === "direct" ? `person.${id}` : `room.${id || name}`; // keys do not outlive the page
}

/** Quits; waits for the server to hear of it, though not for long. */
function left() {
  app.act({ do: "leave" });
  return new Promise((resolve) => setTimeout(resolve, 300));
}

/** @type {App} */
const app = {
  core,
  act(action) {
    if (action.do === "hello") usesInvite = Boolean(action.invite);
    carryOut(core.act(action, now()));
  },
  ask: (question) =>
    new Promise((resolve, reject) => {
      questions.set(++request, { resolve, reject });
      carryOut(core.ask(question, request, now()));
    }),
  listen: listenerTo(changeListeners),
  settings: store.settings,
  set(name, value) {
    store.set(name, value);
    for (const listener of settingListeners) listener(name);
    bell?.count();
  },
  onSetting: listenerTo(settingListeners),
  drafts: {
    get: (key) => store.draft(draftId(key)),
    put: (key, draft) => store.putDraft(draftId(key), draft),
  },
  facts,
  route: readRoute(),
  go(changes, replace = false) {
    const wanted = addressOf(changes);
    if (wanted === location.hash) return routeChanged();
    if (replace) history.replaceState(history.state, "", wanted);
    else if (history.state?.from === wanted) return history.back(); // else the browser's back would lead forth
    else history.pushState({ from: location.hash || "#/" }, "", wanted);
    routeChanged();
  },
  onRoute: listenerTo(routeListeners),
  announce: (text, urgent) => screen.announce(text, urgent),
  toast: (text, actions) => screen.toast(text, actions),
  async forget() {
    try {
      if (core.account && (core.phase === "online" || core.mustChange)) await app.ask({ ask: "logout" });
      else await left();
    } catch {
      // Offline: the login ends where the token is unknown from now on, which is here.
    }
    store.forget();
    tabs.forget();
    if (app.invite) store.note(INVITE, JSON.stringify(app.invite)); // not used yet
    history.replaceState(null, "", "#/");
    location.reload();
  },
  now,
  address: addressOf,
  invite: inviteOf(fragment) ?? keptInvite(),
  page,
  onPage: listenerTo(pageListeners),
  stay(on) {
    store.stay(on);
    pageChanged({ stays: store.stays });
  },
  async takeOver() {
    await tabs.take(store.moveIn, store.stays); // where the browser keeps it, nothing is lost without an answer
    store.note(STEAL, "1");
    location.reload();
  },
  restart: () => location.reload(),
  uploads: () => uploads ??= openUploads(),
  async allowNotifications() {
    if (permission() === "default") await Notification.requestPermission();
    pageChanged({ notifications: permission() });
  },
};
if (app.invite) store.note(INVITE, JSON.stringify(app.invite));

/** @returns {PageState["notifications"]} */
function permission() {
  return "Notification" in globalThis ? Notification.permission : "unable";
}

/** @param {Partial<PageState>} changes */
function pageChanged(changes) {
  Object.assign(page, changes);
  for (const listener of pageListeners) listener();
}

// --- start -----------------------------------------------------------------------------------------------------------

const screen = startUi(app, document.getElementById("app") ?? document.body);
/** @type {ReturnType<import("./notifications.js").notifications> | null} */
let bell = null; // what is not needed for the first message comes behind it
let ringing = false;

/** Starts to notify; where that cannot be loaded, behind the next welcome. */
async function startBell() {
  if (ringing) return;
  ringing = true;
  try {
    const { notifications } = await later(() => import("./notifications.js"), ["../shell/notifications.js"]);
    bell = notifications({
      core,
      settings: store.settings,
      shown: () => page.place === "here" ? app.route.key : null,
      address: (conversation, seq) => addressOf({ key: conversation.key, seq }),
      go(address) {
        if (address !== location.hash) history.pushState({ from: location.hash }, "", address);
        routeChanged();
      },
    }, screen.words);
    bell.count();
  } catch {
    ringing = false;
  }
}

/** @type {Promise<import("../core/types.js").Uploads> | null} */
let uploads = null;

async function openUploads() {
  try {
    const module = await later(() => import("./uploads.js"), ["../shell/uploads.js", "../shell/tus.js"]);
    return await module.openUploads({
      ...app,
      secret: () => store.state().secret,
      isHere: () => page.place === "here",
    });
  } catch (error) {
    uploads = null;
    throw error;
  }
}

function stop() {
  clearTimeout(timer);
  connection?.hangUp();
  connection = null;
}

function moved() {
  stop();
  pageChanged({ place: "moved" });
}

const tabs = shareTabs({
  got() {
    if (page.place !== "starting") return location.reload(); // what is stored is newer than what this tab has read
    pageChanged({ place: "here" });
    carryOut(core.start(now()));
  },
  elsewhere: () => pageChanged({ place: "elsewhere" }),
  give() {
    moved();
    return store.moveOut();
  },
  given: store.movedOut,
  kept() {
    pageChanged({ place: "here" });
    carryOut(core.disconnected(now(), { reason: "", clean: true }));
  },
  lost: moved,
  forget() {
    stop();
    store.forget();
    location.reload();
  },
}, store.note(STEAL, "") !== "");

onWake(() => {
  // What has ended stays ended until the user wants it back: another tab or device may have the chat.
  if (page.place === "here" && core.phase !== "ended") app.act({ do: "probe" });
});
