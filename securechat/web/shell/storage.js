/**
 * Keeps what must outlive a reload: who the user is, what is unsent, drafts, settings.
 *
 * Secret, token, unsent messages and drafts live in this tab's storage, or in the browser's where the user stays logged in; settings in the
 * browser's. A browser that stores nothing is told once, and memory takes its place.
 *
 * @import {SavedState, SavedMessage, Settings, Draft} from "../core/types.js"
 * @typedef {Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Area
 * @typedef {{settings: Settings, readonly stays: boolean, readonly failed: boolean, state(): SavedState, save(state: SavedState): void,
 *   stay(on: boolean): void, set<K extends keyof Settings>(name: K, value: Settings[K]): void, draft(id: string): Draft,
 *   putDraft(id: string, draft: Draft): void, moveOut(): string, moveIn(packed: string): void, note(name: string, text?: string): string,
 *   forget(): void}} Store
 */

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
    moveOut() {
      const packed = Object.fromEntries(mine().names().map((name) => [name, mine().get(name)]));
      if (!stays) {
        // The other tab sends them now. Who the user is stays here too: this tab may be asked to go on.
        tabArea.put(STATE, JSON.stringify({ ...stateOf(parsed(tabArea.get(STATE))), unsent: [] }));
        for (const name of tabArea.names()) if (name.startsWith(DRAFT)) tabArea.put(name, null);
      }
      return JSON.stringify(stays ? {} : packed);
    },
    moveIn(packed) {
      for (const [name, text] of Object.entries(parsed(packed))) {
        if (typeof text === "string" && (name === STATE || name.startsWith(DRAFT))) mine().put(name, text);
      }
    },
    note(name, text) {
      const was = tabArea.get(name) ?? "";
      if (text !== undefined && text !== was) tabArea.put(name, text || null);
      return was;
    },
    forget() {
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
    /** @param {string} name @param {string | null} text null: remove it */
    put(name, text) {
      try {
        if (!stored) throw new Error("no storage");
        if (text === null) stored.removeItem(PREFIX + name);
        else stored.setItem(PREFIX + name, text);
        memory.delete(name);
      } catch {
        memory.set(name, text);
        if (text !== null) failed();
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
