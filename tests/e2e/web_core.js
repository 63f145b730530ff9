/// <reference lib="deno.ns" />

/**
 * Two pages without a browser: the page's core over a real WebSocket. Says what it has done, line by line, to the test that
 * runs it (test_web_core.py) and restarts the server under it; a line on standard input lets it go on.
 *
 * @import {Action, CoreOutput, Question, SavedState} from "../../securechat/web/core/types.js"
 */

import { ClientCore } from "../../securechat/web/core/client.js";

const TRIES = 600;
const EVERY_MS = 25;

class Tab {
  /** @type {SavedState} */
  saved;
  /** @type {any[]} */
  changes = [];
  core;
  /** @type {WebSocket | null} */
  #socket = null;
  #timer = 0;
  #asked = 0;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (reason: any) => void}>} */
  #waiting = new Map();

  /** @param {SavedState} saved */
  constructor(saved) {
    this.saved = saved;
    const freshSecret = () => crypto.randomUUID().replaceAll("-", "");
    this.core = new ClientCore({ saved, jitter: Math.random, freshSecret, client: "test" });
    this.#carryOut(this.core.start(this.#now()));
  }

  #now() {
    return performance.now() / 1000;
  }

  /** @param {CoreOutput} output */
  #carryOut(output) {
    if (output.save) this.saved = structuredClone(output.save);
    for (const command of output.commands) {
      if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
    }
    if (output.hangUp) this.#hangUp();
    if (output.dial) this.#dial();
    for (const change of output.changes) {
      this.changes.push(change);
      if (change.kind !== "answer") continue;
      const { resolve, reject } = /** @type {any} */ (this.#waiting.get(change.request));
      if (change.refusal) reject(change.refusal);
      else resolve(change.value);
    }
    clearTimeout(this.#timer);
    const deadline = this.core.deadline();
    if (deadline === null) return;
    const inMs = Math.max(0, deadline - this.#now()) * 1000;
    this.#timer = setTimeout(() => this.#carryOut(this.core.tick(this.#now())), inMs);
  }

  #dial() {
    const socket = this.#socket = new WebSocket(/** @type {string} */ (Deno.args[0]), "securechat.1");
    /** @param {(now: number) => CoreOutput} input */
    const hear = (input) => {
      if (this.#socket === socket) this.#carryOut(input(this.#now()));
    };
    socket.onopen = () => hear((now) => this.core.connected(now));
    socket.onmessage = ({ data }) => hear((now) => this.core.received(JSON.parse(data), now));
    socket.onclose = ({ reason, wasClean }) => hear((now) => this.core.disconnected(now, { reason, clean: wasClean }));
    socket.onerror = () => {};
  }

  #hangUp() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** The system kills the page. */
  kill() {
    this.#hangUp();
    clearTimeout(this.#timer);
    return structuredClone(this.saved);
  }

  /** @param {Action} action */
  act(action) {
    this.#carryOut(this.core.act(action, this.#now()));
  }

  /** @param {Question} question @returns {Promise<any>} */
  ask(question) {
    const asked = new Promise((resolve, reject) => this.#waiting.set(++this.#asked, { resolve, reject }));
    this.#carryOut(this.core.ask(question, this.#asked, this.#now()));
    return asked;
  }

  /** @param {() => unknown} holds @param {string} what */
  async until(holds, what) {
    for (let tries = 0; tries < TRIES; tries++) {
      if (holds()) return;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    throw new Error(`waited in vain: ${what}; ${this.core.phase}`);
  }

  /** @param {string} room */
  key(room) {
    return this.core.roomNamed(room)?.key ?? "";
  }

  /** @param {string} key @returns {string[]} */
  heard(key) {
    return this.changes.filter((each) => each.kind === "message" && each.key === key).map((each) => each.message.text);
  }
}

/** @param {string} name @returns {SavedState} */
function newPage(name) {
  return { secret: crypto.randomUUID().replaceAll("-", ""), name, token: "", lastCid: 0, unsent: [] };
}

/** @param {unknown} found @param {unknown} expected @param {string} what */
function equal(found, expected, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}

/** Says a word to the test, and waits for it to go on. @param {string} word */
async function pause(word) {
  console.log(word);
  await Deno.stdin.read(new Uint8Array(16));
}

const [ana, budi] = [new Tab(newPage("ana")), new Tab(newPage("budi"))];
for (const each of [ana, budi]) await each.until(() => each.core.phase === "online", "online");
const room = await budi.ask({ ask: "join", room: "ops" });
const here = await ana.ask({ ask: "join", room: "ops" });
ana.act({ do: "open", key: here.key });
budi.act({ do: "send", key: room.key, text: "@ana tea at four 🎉" });
await ana.until(() => here.mentions === 1 && here.window.loaded, "a mention");
ana.act({ do: "react", key: here.key, seq: here.last.seq, sign: "👍", on: true });
await budi.until(() => budi.changes.some((each) => each.kind === "messageChanged"), "a reaction");
const { hits } = await ana.ask({ ask: "search", query: "tea" });
equal(hits.map((/** @type {any} */ hit) => hit.marks), [[[5, 8]]], "marks of a hit");
await ana.ask({ ask: "register", password: "three long words here" });

/** @type {string[]} */
const said = [];
for (let number = 0; number < 40; number++) {
  said.push(`line ${number}`);
  ana.act({ do: "send", key: here.key, text: `line ${number}` });
}
await pause("kill the server");
said.push("said while it was away");
ana.act({ do: "send", key: here.key, text: "said while it was away" });
await pause("start the server");
for (const each of [ana, budi]) await each.until(() => each.core.phase === "online", "back");
await ana.until(() => ana.core.pending.length === 0, "everything is acknowledged");
await budi.until(() => budi.heard(room.key).includes("said while it was away"), "everything is heard");
// An acknowledgement may come before the page that is read again.
await ana.until(() => ana.heard(here.key).includes("said while it was away"), "everything is shown");
equal(ana.heard(here.key).slice(1), said, "what ana shows");
equal(budi.heard(room.key).slice(1), said, "what budi shows");

ana.act({ do: "send", key: here.key, text: "the last words" });
const again = new Tab(ana.kill());
await again.until(() => again.core.phase === "online" && again.core.pending.length === 0, "the next page");
await budi.until(() => budi.heard(room.key).includes("the last words"), "the last words");
await again.until(() => again.core.roomNamed("ops")?.last?.text === "the last words", "the list");
again.act({ do: "open", key: again.key("ops") });
await again.until(() => again.core.roomNamed("ops")?.window.loaded, "a window");
const shown = again.core.roomNamed("ops")?.window.messages.map((each) => each.text);
equal(shown?.slice(1), [...said, "the last words"], "what the next page shows");
for (const each of [again, budi]) {
  each.act({ do: "leave" });
  await each.until(() => each.core.phase === "ended", "the end");
}
console.log("done");
Deno.exit(0);
