/**
 * What a page asks of its browser: the address, the WebSocket, storage, and what happens to it besides its user.
 *
 * @import {Command, Event} from "../core/records.js"
 * @import {Draft, Invite, SavedMessage, SavedState, Settings} from "../core/types.js"
 * @typedef {{room: string, person: number, seq: number | null, panel: string}} Place `person` 0 and `room` "": the list
 * @typedef {{opened(): void, received(event: Event): void, closed(reason: string, clean: boolean): void, refused(): void}} Ears
 * @typedef {Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Area
 * @typedef {{settings: Settings, readonly stays: boolean, readonly failed: boolean, state(): SavedState, save(state: SavedState): void,
 * stay(on: boolean): void, set<K extends keyof Settings>(name: K, value: Settings[K]): void, draft(id: string): Draft,
 * putDraft(id: string, draft: Draft): void, moveOut(): string, movedOut(): void, moveIn(packed: string): boolean, note(name: string, text?: string): string,
 * forget(): void}} Store
 */

const INVITE = /^#?\/?(join|join-once)\/([0-9a-f]{32})(?:\/([0-9a-f]{64})?)?$/i;
const PANEL = /^[a-z]{1,20}$/;

/**
 * Reads an invite.
 *
 * @param {string} fragment as `location.hash`
 * @returns {Invite | null}
 */
export function inviteOf(fragment) {
  const match = INVITE.exec(slashed(fragment.trim()));
  if (!match) return null;
  const [, kind = "", token = "", ca = ""] = match;
  return { token: token.toLowerCase(), ca: ca.toLowerCase(), once: kind.toLowerCase() === "join-once" };
}

/**
 * Whether a fragment is meant as an invite, valid or not.
 *
 * @param {string} fragment
 */
export function looksLikeInvite(fragment) {
  return /^#?\/?join(-once)?(\/|$)/i.test(slashed(fragment));
}

/** Some messengers write a slash of a fragment as %2F. @param {string} text */
const slashed = (text) => text.replace(/%2f/gi, "/");

/**
 * Reads a place. What is damaged is the list.
 *
 * @param {string} fragment as `location.hash`
 * @returns {Place}
 */
export function placeOf(fragment) {
  const [path = "", panel = ""] = fragment.replace(/^#/, "").split("?", 2);
  const place = {
    room: "",
    person: 0,
    seq: /** @type {number | null} */ (null),
    panel: PANEL.test(panel) ? panel : "",
  };
  const [, kind, name = "", seq] = path.split("/");
  if (kind === "room") place.room = decoded(name);
  else if (kind === "person") place.person = number(name) ?? 0;
  if (place.room || place.person) place.seq = number(seq ?? "");
  return place;
}

/**
 * Writes a place.
 *
 * @param {Partial<Place>} place
 * @returns {string} begins with "#/"
 */
export function fragmentOf({ room = "", person = 0, seq = null, panel = "" }) {
  const where = room ? `room/${encodeURIComponent(room)}` : person ? `person/${person}` : "";
  return `#/${where}${where && seq !== null ? `/${seq}` : ""}${panel ? `?${panel}` : ""}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** @param {string} text */
function number(text) {
  return /^\d{1,16}$/.test(text) ? Number(text) : null;
}

// --- socket ---

// One WebSocket to the server that the page came from: records in and out, one a text message.

const SUBPROTOCOL = "securechat.1";

/**
 * Dials. `closed` is called once; after `hangUp` nothing is called.
 *
 * @param {string} origin of the page, https
 * @param {Ears} ears `refused`, behind `closed`: it was never open, though the server answers a fetch
 * @param {boolean} doubts whether to find that out
 */
export function dial(origin, ears, doubts) {
  const socket = new WebSocket(`${origin.replace(/^http/, "ws")}/ws`, SUBPROTOCOL);
  let opened = false;
  let over = false;
  socket.onopen = () => {
    if (over) return;
    opened = true;
    ears.opened();
  };
  socket.onmessage = ({ data }) => {
    if (over) return;
    /** @type {Event} */
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // no record; the server never sends one
    }
    ears.received(event);
  };
  socket.onclose = async ({ code, reason, wasClean }) => {
    if (over) return;
    over = true;
    ears.closed(reason, wasClean);
    if (doubts && !opened && code === 1006 && navigator.onLine && await answers(origin)) ears.refused();
  };
  return {
    /** @param {readonly Command[]} commands */
    send(commands) {
      if (socket.readyState !== WebSocket.OPEN) return; // the core resends what matters on the next connection
      for (const command of commands) socket.send(JSON.stringify(command, wellFormed));
    },
    hangUp() {
      over = true;
      socket.close(1000);
    },
  };
}

/**
 * Replaces halves of surrogate pairs, which the server refuses.
 *
 * @param {string} _name
 * @param {unknown} value
 */
function wellFormed(_name, value) {
  if (typeof value !== "string") return value;
  // No lookbehind: Safari before 16.4 would not even load this module.
  return value.replace(
    /[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g,
    (found) => found.length === 2 ? found : "\uFFFD",
  );
}

/** @param {string} origin */
async function answers(origin) {
  try {
    const signal = AbortSignal.timeout?.(5000);
    return (await fetch(`${origin}/`, { method: "HEAD", cache: "no-store", signal: signal ?? null })).ok;
  } catch {
    return false;
  }
}

/**
 * Names a browser and its system, for the owner of an account who looks at the list of logins.
 *
 * @param {string} agent as navigator.userAgent
 * @returns {string} "Firefox, Android"
 */
export function browserName(agent) {
  const browsers =
    /** @type {const} */ ([["Edg", "Edge"], ["OPR", "Opera"], ["Firefox"], ["FxiOS", "Firefox"], ["Chrome"], [
      "CriOS",
      "Chrome",
    ], ["Safari"]]);
  const systems =
    /** @type {const} */ ([["Android"], ["iPhone"], ["iPad"], ["CrOS", "ChromeOS"], ["Mac OS", "macOS"], ["Windows"], [
      "Linux",
    ]]);
  const found = [browsers, systems].map((rows) => rows.find(([sign]) => agent.includes(sign)));
  return found.map((row) => row?.[1] ?? row?.[0]).filter(Boolean).join(", ") || "browser";
}

// --- storage ---

// Keeps what must outlive a reload: who the user is, what is unsent, drafts, settings.
//
// Secret, token, unsent messages and drafts live in this tab's storage, or in the browser's where the user stays logged in; settings in the
// browser's. A browser that stores nothing is told once, and memory takes its place.

const PREFIX = "securechat.";
const STATE = "state";
const SETTINGS = "settings";
const DRAFT = "draft.";

/** @type {Settings} */
export const DEFAULTS = {
  theme: "system",
  language: "",
  enter: "auto",
  sound: true,
  system: false,
  disturb: true,
  notify: {},
  ignored: [],
  typing: true,
  membersOpen: true,
  recentEmoji: [],
};

/**
 * Opens the storage.
 *
 * @param {() => Area} tab the tab's; may throw where it is forbidden
 * @param {() => Area} browser the browser's; likewise
 * @param {() => void} failed told once, when something could not be stored
 * @returns {Store}
 */
export function openStore(tab, browser, failed) {
  let told = false;
  const fail = () => {
    if (told) return;
    told = true;
    failed();
  };
  const tabArea = area(tab, fail);
  const browserArea = area(browser, fail);
  let stays = browserArea.get(STATE) !== null;
  const mine = () => stays ? browserArea : tabArea;
  const settings = { ...DEFAULTS, ...sound(DEFAULTS, parsed(browserArea.get(SETTINGS))) };

  return {
    settings,
    get stays() {
      return stays;
    },
    get failed() {
      return told;
    },
    state: () => stateOf(parsed(mine().get(STATE))),
    save: (state) => mine().put(STATE, JSON.stringify(state)),
    stay(on) {
      if (on === stays) return;
      const from = mine();
      stays = on;
      for (const name of from.names()) {
        if (name !== STATE && !name.startsWith(DRAFT)) continue;
        mine().put(name, from.get(name) ?? "");
        from.put(name, null);
      }
    },
    set(name, value) {
      settings[name] = value;
      browserArea.put(SETTINGS, JSON.stringify(settings));
    },
    draft(id) {
      const draft = parsed(mine().get(DRAFT + id));
      return {
        text: typeof draft.text === "string" ? draft.text : "",
        reply: typeof draft.reply === "number" ? draft.reply : null,
        editing: typeof draft.editing === "number" ? draft.editing : null,
        ...(typeof draft.before === "string" ? { before: draft.before } : {}),
      };
    },
    putDraft(id, draft) {
      const empty = !draft.text && draft.reply === null && draft.editing === null;
      mine().put(DRAFT + id, empty ? null : JSON.stringify(draft));
    },
    moveOut: () =>
      JSON.stringify(stays ? {} : Object.fromEntries(tabArea.names().map((name) => [name, tabArea.get(name)]))),
    movedOut() {
      if (!stays) { for (const name of tabArea.names()) tabArea.put(name, null); }
    },
    moveIn(packed) {
      return Object.entries(parsed(packed)).every(([name, text]) =>
        typeof text !== "string" || name !== STATE && !name.startsWith(DRAFT) || mine().put(name, text)
      );
    },
    note(name, text) {
      const was = tabArea.get(name) ?? "";
      if (text !== undefined && text !== was) tabArea.put(name, text || null);
      return was;
    },
    forget() {
      globalThis.indexedDB?.deleteDatabase("securechat.files"); // of uploads.js
      for (const each of [tabArea, browserArea]) for (const name of each.names()) each.put(name, null);
      stays = false;
    },
  };
}

/**
 * One storage area, with memory for what it does not take.
 *
 * @param {() => Area} open
 * @param {() => void} failed
 */
function area(open, failed) {
  /** @type {Map<string, string | null>} */
  const memory = new Map();
  /** @type {Area | null} */
  let stored = null;
  try {
    stored = open();
    stored.getItem(PREFIX); // throws where it is forbidden
  } catch {
    stored = null;
  }
  return {
    /** @param {string} name */
    get: (name) => memory.has(name) ? memory.get(name) ?? null : stored?.getItem(PREFIX + name) ?? null,
    /** @param {string} name @param {string | null} text null: remove it @returns {boolean} whether a reload finds it */
    put(name, text) {
      try {
        if (!stored) throw new Error("no storage");
        if (text === null) stored.removeItem(PREFIX + name);
        else stored.setItem(PREFIX + name, text);
        return memory.delete(name), true;
      } catch {
        memory.set(name, text);
        if (text !== null) failed();
        return false;
      }
    },
    names() {
      const names = new Set(memory.keys());
      for (let index = 0; stored && index < stored.length; index++) {
        const name = stored.key(index);
        if (name?.startsWith(PREFIX)) names.add(name.slice(PREFIX.length));
      }
      return [...names].filter((name) => memory.get(name) !== null);
    },
  };
}

/**
 * Makes a state of what was stored; what is damaged is left out. A state without a secret is a new user's.
 *
 * @param {Record<string, unknown>} stored
 * @returns {SavedState}
 */
function stateOf(stored) {
  const { secret, name, token, lastCid, unsent } = stored;
  if (typeof secret !== "string" || !/^[0-9a-f]{32}$/.test(secret)) {
    return { secret: newSecret(), name: "", token: "", lastCid: 0, unsent: [] };
  }
  return /** @type {SavedState} */ ({
    ...stored,
    secret,
    name: typeof name === "string" ? name : "",
    token: typeof token === "string" ? token : "",
    lastCid: Number.isSafeInteger(lastCid) ? lastCid : 0,
    unsent: Array.isArray(unsent) ? /** @type {SavedMessage[]} */ (unsent) : [],
  });
}

/** @returns {string} 128 random bits as hexadecimal digits */
export function newSecret() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string | null} text
 * @returns {Record<string, unknown>}
 */
function parsed(text) {
  try {
    const value = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/**
 * Leaves out settings of an unknown name or of another type than the default's.
 *
 * @param {Settings} defaults
 * @param {Record<string, unknown>} stored
 * @returns {Partial<Settings>}
 */
function sound(defaults, stored) {
  return Object.fromEntries(
    Object.entries(defaults)
      .filter(([name, value]) =>
        typeof stored[name] === typeof value && Array.isArray(stored[name]) === Array.isArray(value)
      )
      .filter(([name]) => stored[name] !== null)
      .map(([name]) => [name, stored[name]]),
  );
}

// --- lifecycle ---

// What happens to a page besides its user: it sleeps and wakes, the network comes and goes, other tabs open, the server gets a newer page.

const LOCK = "securechat";
const PATIENCE_MS = 400; // another tab that lives answers in a few; a page being reloaded lets go of its lock meanwhile
const ANSWER_MS = 3000;

/**
 * Calls `woke` whenever a connection that calls itself open may be dead.
 *
 * @param {() => void} woke
 */
export function onWake(woke) {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") woke();
  });
  addEventListener("pageshow", (event) => {
    if (/** @type {PageTransitionEvent} */ (event).persisted) woke(); // from the back/forward cache
  });
  document.addEventListener("resume", woke); // of a frozen page
  for (const name of ["online", "offline"]) addEventListener(name, woke);
}

/**
 * @typedef {object} TabEvents
 * @property {() => void} got this tab has the chat
 * @property {() => void} elsewhere another tab has it
 * @property {() => string} give another tab asks for it: stop, and return what it needs
 * @property {() => void} given it has stored that
 * @property {() => void} kept it has not
 * @property {() => void} lost another tab has taken it without an answer
 * @property {() => void} forget the user wants nothing of this browser kept
 */

/**
 * Lets one tab of this browser have the chat. Browsers without Web Locks let every tab have it; the server then ends the older connection.
 *
 * take -> given -> stored: nothing is deleted before the other tab has it.
 *
 * @param {TabEvents} events
 * @param {boolean} steal whether another tab is to lose it
 * @returns {{take(store: (packed: string) => boolean, impatient: boolean): Promise<void>, forget(): void}} take: asks until a tab gives it;
 * `store` tells whether it could be stored. Impatient: not for long
 */
export function shareTabs(events, steal) {
  const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(LOCK) : null;
  let has = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let giving;
  let receiver = "";
  let release = (/** @type {unknown} */ _ = undefined) => {};
  /** @type {((packed: string) => void) | null} */
  let taken = null;
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");

  const got = () => {
    has = true;
    events.got();
  };
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data?.forget) events.forget();
      else if (data?.take && has && !receiver) {
        receiver = data.take;
        giving = setTimeout(() => {
          receiver = "";
          events.kept();
        }, ANSWER_MS);
        channel.postMessage({ given: events.give(), to: receiver });
      } else if (data?.stored && data.stored === receiver) {
        clearTimeout(giving);
        has = false;
        receiver = "";
        setTimeout(() => release(), ANSWER_MS); // the other tab has stolen it by now, or was closed
        events.given();
      } else if (data?.given !== undefined && data.to === id) taken?.(String(data.given));
    };
  }

  /** @param {LockOptions} options */
  const wait = (options) => {
    navigator.locks.request(LOCK, options, () => {
      got();
      return new Promise((resolve) => release = resolve);
    }).catch(() => {
      const lost = has;
      has = false;
      if (lost) events.lost();
    });
  };
  if (!navigator.locks) got();
  else {
    wait({ steal });
    setTimeout(() => has || events.elsewhere(), PATIENCE_MS);
  }

  return {
    take: (store, impatient) =>
      new Promise((resolve) => {
        if (!channel) return resolve();
        taken = (packed) => {
          clearInterval(asking);
          taken = null;
          if (!store(packed)) return; // the other tab goes on
          channel.postMessage({ stored: id });
          resolve();
        };
        const ask = () => channel.postMessage({ take: id });
        const asking = setInterval(ask, 1000); // it may be busy, or another tab by now
        ask();
        wait({}); // it may be closed
        if (impatient) setTimeout(resolve, ANSWER_MS);
      }),
    forget: () => channel?.postMessage({ forget: true }),
  };
}

/** @returns {string} the addresses that this page was made of: they carry hashes of the content */
export function filesOfPage() {
  const names = ["src", "href"];
  const elements = [...document.head.querySelectorAll("script[src], link[href]")];
  return elements.map((element) => names.map((name) => element.getAttribute(name)).join("")).sort().join(" ");
}

/**
 * Finds the same addresses in the text of a page, without parsing it as a document (which Trusted Types forbid).
 *
 * @param {string} text
 * @returns {string} as `filesOfPage`
 */
export function filesOfText(text) {
  const tags = text.split(/<\/head>/i, 1)[0]?.match(/<(?:script|link)\b[^>]*>/gi) ?? [];
  return tags.map((tag) => /\s(?:src|href)=["']?([^"'\s>]+)/i.exec(tag)?.[1]).filter(Boolean).sort().join(" ");
}

/**
 * Whether the server has another page than this one: to be asked after a reconnect.
 *
 * @param {string} files of `filesOfPage`, from before anything was changed
 * @returns {Promise<boolean>}
 */
export async function isOutdated(files) {
  try {
    const answer = await fetch("/", { cache: "no-cache" });
    return answer.ok && filesOfText(await answer.text()) !== files;
  } catch {
    return false;
  }
}
