/// <reference lib="deno.ns" />

import { DEFAULTS, openStore } from "../../securechat/web/shell/browser.js";
import { equal } from "./core_help.js";

/** @import {Area} from "../../securechat/web/shell/browser.js" */

/** An area of a browser. `room`: how many characters it takes; 0: it is full. */
class Memory {
  /** @type {Map<string, string>} */
  entries = new Map();
  room = Infinity;
  get length() {
    return this.entries.size;
  }
  /** @param {number} index */
  key(index) {
    return [...this.entries.keys()][index] ?? null;
  }
  /** @param {string} name */
  getItem(name) {
    return this.entries.get(name) ?? null;
  }
  /** @param {string} name @param {string} text */
  setItem(name, text) {
    if (text.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.entries.set(name, text);
  }
  /** @param {string} name */
  removeItem(name) {
    this.entries.delete(name);
  }
}

const STATE = { secret: "ab".repeat(16), name: "ana", token: "t", lastCid: 7, unsent: [] };
const DRAFT = { text: "half a", reply: 4, editing: null };

function browser() {
  const tab = new Memory();
  const local = new Memory();
  let failures = 0;
  const open = () => openStore(() => tab, () => local, () => failures++);
  return { tab, local, open, failures: () => failures };
}

Deno.test("a new user gets a secret, and a stored one keeps it", () => {
  const { open } = browser();
  const fresh = open().state();
  equal(/^[0-9a-f]{32}$/.test(fresh.secret), true);
  equal({ ...fresh, secret: "" }, { secret: "", name: "", token: "", lastCid: 0, unsent: [] });
  const store = open();
  store.save(STATE);
  equal(open().state(), STATE);
});

Deno.test("only the tab knows the user, unless the user stays logged in", () => {
  const { tab, local, open } = browser();
  const store = open();
  store.save(STATE);
  store.putDraft("room.1", DRAFT);
  equal([tab.length, local.length], [2, 0]);
  store.stay(true);
  equal([tab.length, local.length], [0, 2]);
  const next = open();
  equal([next.stays, next.state(), next.draft("room.1")], [true, STATE, DRAFT]);
  next.stay(false);
  equal([tab.length, local.length, next.state()], [2, 0, STATE]);
});

Deno.test("an empty draft leaves nothing", () => {
  const { tab, open } = browser();
  const store = open();
  store.putDraft("person.3", DRAFT);
  store.putDraft("person.3", { text: "", reply: null, editing: null });
  const edit = { text: "better", reply: null, editing: 7, before: "what was typed before" };
  store.putDraft("person.4", edit);
  equal(store.draft("person.4"), edit);
  store.putDraft("person.4", { text: "", reply: null, editing: null });
  equal([tab.length, store.draft("person.3")], [0, { text: "", reply: null, editing: null }]);
});

Deno.test("full storage is told once, and memory takes its place", () => {
  const { tab, open, failures } = browser();
  const store = open();
  store.save({ ...STATE, lastCid: 1 });
  tab.room = 0;
  store.save(STATE);
  store.putDraft("room.1", DRAFT);
  equal([failures(), store.failed, store.state(), store.draft("room.1")], [1, true, STATE, DRAFT]);
  tab.room = Infinity;
  store.save({ ...STATE, lastCid: 8 }); // something was deleted meanwhile: storage is used again
  equal(open().state().lastCid, 8);
});

Deno.test("forbidden storage throws nothing", () => {
  const forbid = () => {
    throw new DOMException("forbidden", "SecurityError");
  };
  let failures = 0;
  const store = openStore(forbid, forbid, () => failures++);
  equal(failures, 0); // nothing was to be stored yet
  store.save(STATE);
  store.set("theme", "dark");
  store.stay(true);
  equal([failures, store.state(), store.settings.theme], [1, STATE, "dark"]);
  store.forget();
  equal(store.state().name, "");
});

Deno.test("damaged entries are left out", () => {
  const { tab, local, open } = browser();
  tab.setItem("securechat.state", '{"secret": "short", "name": 7}');
  tab.setItem("securechat.draft.room.1", "[1]");
  local.setItem(
    "securechat.settings",
    '{"theme": "dark", "sound": 7, "notify": [], "ignored": {}, "other": 1, "language": null}',
  );
  const store = open();
  equal(store.state().name, "");
  equal(store.draft("room.1").text, "");
  equal(store.settings, { ...DEFAULTS, theme: "dark" });
});

Deno.test("another tab gets all; this one keeps it until that has it", () => {
  const { tab, open } = browser();
  const unsent = [/** @type {any} */ ({ number: 1, cid: 8, text: "late" })];
  const first = open();
  first.save({ ...STATE, unsent });
  first.putDraft("room.1", DRAFT);
  const packed = first.moveOut();
  equal([open().state(), open().draft("room.1")], [{ ...STATE, unsent }, DRAFT]);
  const full = new Memory();
  full.room = 0;
  equal(openStore(() => full, () => full, () => {}).moveIn(packed), false);
  const second = openStore(() => new Memory(), () => new Memory(), () => {});
  equal(second.moveIn(packed), true);
  equal([second.state(), second.draft("room.1")], [{ ...STATE, unsent }, DRAFT]);
  first.movedOut();
  equal(tab.length, 0);
});

Deno.test("forget leaves nothing behind", () => {
  const { tab, local, open } = browser();
  const store = open();
  store.stay(true);
  store.save(STATE);
  store.note("invite", "x");
  store.set("theme", "dark");
  local.setItem("another program's", "entry");
  store.forget();
  equal([tab.length, local.length, store.stays], [0, 1, false]);
});
