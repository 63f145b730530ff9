/// <reference lib="deno.ns" />

/**
 * Windows against a model of the log: whatever is opened, loaded, said, changed and purged, a window is a stretch of the log
 * without a gap, in order, and says rightly whether it reaches the ends.
 */

import { equal, Page } from "./core_help.js";

const ME = 3;

/** @param {number} seed @returns {(below: number) => number} */
function dice(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The log of one room, and the server that answers questions about it; answers may wait while more is said. */
class Log {
  /** @type {any[]} */
  messages = [];
  seq = 10;
  #page;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
  }

  /** @param {number} by @param {boolean} [live] */
  say(by, live = true) {
    const prev = this.messages.at(-1)?.seq ?? 0;
    this.seq++;
    const said = {
      t: "msg",
      seq: this.seq,
      prev,
      by,
      name: "n",
      at: this.seq * 10,
      text: `t${this.seq}`,
      room: "lobby",
    };
    this.messages.push(said);
    if (live) this.#page.hear(said);
  }

  /** @param {any} message */
  edit(message) {
    if (message.deleted) return;
    this.seq++;
    const change = { seq: this.seq, target: message.seq, by: message.by, name: "n", at: 1, room: "lobby" };
    Object.assign(message, { text: `e${this.seq}`, edited: this.seq, changed: this.seq });
    this.#page.hear({ t: "edited", ...change, text: message.text });
  }

  /** @param {any} message */
  delete(message) {
    if (message.deleted) return;
    this.seq++;
    Object.assign(message, { text: "", deleted: this.seq, changed: this.seq, edited: undefined });
    this.#page.hear({
      t: "deleted",
      seq: this.seq,
      target: message.seq,
      by: message.by,
      name: "n",
      at: 1,
      room: "lobby",
    });
  }

  /** @param {number} through */
  purge(through) {
    this.messages = this.messages.filter((message) => message.seq > through);
    this.#page.hear({ t: "purged", through, room: "lobby" });
  }

  /** @param {any} question @returns {any} as the server of docs/protocol.md answers it */
  answer({ ref, limit = 200, around, at, after, before }) {
    const all = this.messages;
    let start = 0;
    let end = all.length;
    if (around !== undefined || at !== undefined) {
      const found = all.findIndex((each) => around !== undefined ? each.seq >= around : each.at >= at);
      const from = found < 0 ? all.length : found;
      start = around !== undefined ? Math.max(0, from - Math.floor(limit / 2)) : from;
      end = Math.min(all.length, start + limit);
    } else if (after !== undefined) {
      start = all.findIndex((each) => each.seq > after);
      start = start < 0 ? all.length : start;
      end = Math.min(all.length, start + limit);
    } else {
      if (before !== undefined) end = all.filter((each) => each.seq < before).length;
      start = Math.max(0, end - limit);
    }
    const messages = structuredClone(all.slice(start, end));
    const isBack = around === undefined && at === undefined && after === undefined;
    const through = end < all.length ? (messages.at(-1)?.seq ?? 0) : this.seq;
    const jump = around !== undefined || at !== undefined;
    return {
      t: "page",
      ref,
      messages,
      through,
      more: isBack ? start > 0 : end < all.length,
      ...(jump ? { more_before: start > 0, more_after: end < all.length } : {}),
    };
  }
}

/** @param {Page} page @param {Log} log @param {string} key @param {string} why */
function check(page, log, key, why) {
  const window = page.core.conversations.get(key)?.window;
  if (!window?.loaded) return;
  const seqs = window.messages.map((message) => message.seq);
  if (window.loading === null && seqs.length === 0 && !(window.atStart && window.atEnd)) {
    if (log.messages.length > 0 && window.atStart && window.atEnd) throw new Error(`${why}: empty`);
  }
  const first = seqs[0] ?? 0;
  const last = seqs.at(-1) ?? 0;
  const expected = log.messages.filter((message) => message.seq >= first && message.seq <= last);
  equal(seqs, expected.map((message) => message.seq), `${why}: not the stretch of the log;`);
  equal(window.messages.map((each) => each.text), expected.map((each) => each.text), `${why}: not as it is now;`);
  if (window.atEnd) {
    const missing = log.messages.filter((message) => message.seq > last && (seqs.length > 0 || window.atStart));
    equal(missing.map((message) => message.seq), [], `${why}: said to reach the end;`);
  }
  if (window.atStart) {
    const missing = log.messages.filter((message) => message.seq < first);
    equal(missing.map((message) => message.seq), [], `${why}: said to reach the start;`);
  }
  if (seqs.length > 700) throw new Error(`${why}: ${seqs.length} are loaded`);
}

/** @param {number} seed @param {number} steps @param {number} before messages said before the page came */
function run(seed, steps, before) {
  const random = dice(seed);
  const page = new Page();
  const log = new Log(page);
  for (let each = 0; each < before; each++) log.say(4, false);
  page.online({ live_from: log.seq });
  page.answer({ t: "conversations" });
  const key = page.key("lobby");
  /** @type {any[]} */
  let waiting = [];
  const some = () => log.messages[random(log.messages.length)];
  for (let step = 0; step < steps; step++) {
    const choice = random(100);
    const why = `seed ${seed}, step ${step}`;
    if (choice < 8) page.act({ do: "open", key });
    else if (choice < 16 && log.messages.length) page.act({ do: "open", key, seq: some().seq });
    else if (choice < 20) page.act({ do: "open", key, at: random(log.seq * 11) });
    else if (choice < 24) page.act({ do: "open", key, unread: true });
    else if (choice < 40) page.act({ do: "older", key });
    else if (choice < 52) page.act({ do: "newer", key });
    else if (choice < 54) page.act({ do: "close", key });
    else if (choice < 70) { for (let each = random(30); each >= 0; each--) log.say(random(2) ? 4 : ME); }
    else if (choice < 74 && log.messages.length) log.edit(some());
    else if (choice < 77 && log.messages.length) log.delete(some());
    else if (choice < 78 && log.messages.length) {
      log.purge(log.messages[random(Math.ceil(log.messages.length / 3))].seq);
    } else if (choice < 80 && log.messages.length) page.act({ do: "read", key, seq: some().seq });
    const asked = page.heardByServer("history");
    for (const question of asked) waiting.push(log.answer(question)); // as of now; it arrives later
    if (waiting.length && random(3) > 0) {
      page.hear(...waiting);
      waiting = [];
    }
    check(page, log, key, why);
  }
  for (let each = 0; each < 5; each++) {
    page.hear(...waiting);
    waiting = page.heardByServer("history").map((question) => log.answer(question));
  }
  check(page, log, key, `seed ${seed}, at the end`);
  const window = page.core.conversations.get(key)?.window;
  if (window?.loading) throw new Error(`seed ${seed}: loads without an end`);
}

Deno.test("a window is a stretch of the log, whatever happens", () => {
  for (let seed = 0; seed < 100; seed++) run(seed, 120, [0, 3, 60, 300][seed % 4] ?? 0);
});

Deno.test("a window is bounded, and knows what it has dropped", () => {
  for (let seed = 1000; seed < 1004; seed++) run(seed, 600, 2000);
});

Deno.test("scrolling from one end to the other shows every message once", () => {
  const page = new Page();
  const log = new Log(page);
  for (let each = 0; each < 1500; each++) log.say(4, false);
  page.online({ live_from: log.seq });
  page.answer({ t: "conversations" });
  const key = page.key("lobby");
  page.act({ do: "open", key });
  /** @type {Set<number>} */
  const seen = new Set();
  const window = page.core.conversations.get(key)?.window;
  const look = () => {
    for (const question of page.heardByServer("history")) page.hear(log.answer(question));
    for (const message of window?.messages ?? []) seen.add(message.seq);
  };
  for (look(); !window?.atStart; look()) page.act({ do: "older", key });
  equal(seen.size, 1500);
  equal(window?.atEnd, false);
  seen.clear();
  for (look(); !window?.atEnd; look()) page.act({ do: "newer", key });
  equal(seen.size, 1500);
});
