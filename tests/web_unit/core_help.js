/**
 * A core with a server that a test plays.
 *
 * @import {Action, CoreOutput, Question, SavedState} from "../../securechat/web/core/types.js"
 */

import { ClientCore } from "../../securechat/web/core/client.js";

/** @param {Partial<SavedState>} [saved] @returns {SavedState} */
export function savedState(saved = {}) {
  return { secret: "0".repeat(32), name: "ana", token: "", lastCid: 0, unsent: [], ...saved };
}

/** One run of a page. */
export class Page {
  now = 100;
  /** @type {any[]} everything sent */
  sent = [];
  /** @type {any[]} everything told */
  changes = [];
  /** @type {SavedState | null} */
  saved = null;
  dials = 0;
  hangUps = 0;
  secrets = 1;
  core;

  /** @param {Partial<SavedState>} [saved] */
  constructor(saved) {
    this.core = new ClientCore({
      saved: savedState(saved),
      jitter: () => 0.5,
      freshSecret: () => String(this.secrets++).padStart(32, "0"),
      client: "test",
    });
    this.take(this.core.start(this.now));
  }

  /** @param {CoreOutput} output */
  take(output) {
    if (output.save) this.saved = structuredClone(output.save);
    for (const command of /** @type {any[]} */ (output.commands)) {
      if (command.cid !== undefined) {
        const kept = this.saved?.unsent.some((each) => each.cid === command.cid);
        if (!kept) throw new Error(`draft ${command.cid} is sent before it is saved`);
      }
      this.sent.push(command);
    }
    if (output.hangUp) this.hangUps++;
    if (output.dial) this.dials++;
    this.changes.push(...output.changes);
  }

  connect() {
    while (this.core.phase === "offline") this.wake();
    this.take(this.core.connected(this.now));
  }

  lose() {
    this.take(this.core.disconnected(this.now, { reason: "reset", clean: false }));
  }

  /** Lets time pass to the next deadline. */
  wake() {
    this.now = Math.max(this.now, this.core.deadline() ?? this.now);
    this.take(this.core.tick(this.now));
  }

  /** @param {...any} events */
  hear(...events) {
    for (const event of events) this.take(this.core.received(structuredClone(event), this.now));
  }

  /** @param {Action} action */
  act(action) {
    this.take(this.core.act(action, this.now));
  }

  /** @param {Question} question @param {number} [request] */
  ask(question, request = 1) {
    this.take(this.core.ask(question, request, this.now));
  }

  /** What was sent since the last call. @param {string} [t] only of this type */
  heardByServer(t) {
    const sent = this.sent.splice(0);
    return t === undefined ? sent : sent.filter((each) => each.t === t);
  }

  /** What was told since the last call. @param {string} kind */
  told(kind) {
    const told = this.changes.filter((each) => each.kind === kind);
    this.changes = this.changes.filter((each) => each.kind !== kind);
    return told;
  }

  /** Brings the page online. @param {object} [welcome] @param {object[]} [joined] */
  online(welcome = {}, joined = []) {
    this.connect();
    this.hear({ t: "welcome", version: 1, server: "s", sender_id: 3, name: "ana", live_from: 10, ...welcome });
    const lobby = { t: "joined", room: "lobby", live_from: 10, total: 1, members: [{ id: 3, name: "ana" }] };
    const live = /** @type {any} */ (welcome).live_from ?? 10;
    this.hear({ ...lobby, live_from: live }, ...joined, { t: "pong" });
  }

  /** The key of a room. @param {string} name */
  key(name) {
    return this.core.roomNamed(name)?.key ?? "";
  }

  /** Answers the question that was sent last. @param {object} answer @param {string} [t] */
  answer(answer, t = "") {
    const question = this.sent.findLast((each) => each.ref !== undefined && (!t || each.t === t));
    if (!question) throw new Error("nothing was asked");
    this.hear({ ref: question.ref, ...answer });
  }
}

/** @param {number} seq @param {number} prev @param {object} [fields] */
export function message(seq, prev, fields = {}) {
  return { t: "msg", seq, prev, by: 4, name: "budi", at: seq * 1000, text: `text ${seq}`, room: "lobby", ...fields };
}

/** @param {unknown} found @param {unknown} expected @param {string} [why] */
export function equal(found, expected, why = "") {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${why} found ${a}, expected ${b}`);
}
