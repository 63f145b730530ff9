/**
 * Dials, says hello with the user's proofs, notices silence, dials again, leaves.
 *
 * @import {Action, ConnectionListener, CoreOptions, Field, Refusal, Why} from "./types.js"
 * @import {Closing, Refused, Registered, Welcome} from "./records.js"
 * @import {Context} from "./requests.js"
 */

import { refusalOf } from "./requests.js";
import { nameKey, wholeText } from "./text.js";

const FIRST_DELAY_S = 0.2;
const LONGEST_DELAY_S = 10;
const STABLE_S = 10;
/** Ends in a row soon after a welcome: then others are given more time. */
const EARLY_ENDS = 3;
const LONGEST_AFTER_EARLY_ENDS_S = 60;
const IDLE_PING_S = 60;
const PING_TIMEOUT_S = 30;
const PROBE_S = 3;
const ANSWER_S = 30;
const DIAL_S = 10;
const THROTTLE_SLACK_S = 5;
const RETRY_S = 1;
const SLOW_MODE_S = 60;
const PATIENCE_S = 3;
const GOODBYE_S = 1;
/** A tick that comes so late found the page frozen. */
const FROZEN_S = 5;

/** After these it does not come back by itself. @type {Record<string, Why>} */
const FINAL = {
  replaced: "replaced",
  unsupported_version: "version",
  bad_frame: "bug",
  frame_too_large: "bug",
  hello_expected: "bug",
  banned: "banned",
  kicked: "kicked",
  logged_out: "loggedOut",
  bye: "left",
};
/** @type {Record<string, Field>} what the user must give */
const NEEDED = {
  name_invalid: "name",
  name_reserved: "name",
  name_in_use: "name",
  login_required: "password",
  login_failed: "password",
  login_expired: "password",
  certificate_unknown: "password",
  password_needed: "newPassword",
  password_invalid: "newPassword",
  invite_unknown: "invite",
  invite_used: "invite",
  invite_expired: "invite",
  invite_revoked: "invite",
};
/** These pass by themselves. */
const LATER = new Set([
  "login_slowed",
  "busy",
  "overloaded",
  "disk_full",
  "internal",
  "log_failed",
  "shutting_down",
  "too_many_connections",
  "hello_timeout",
  "ping_timeout",
  "slow_reader",
  "quota",
  "too_many",
]);

/**
 * @param {Refused} event
 * @param {number} now
 * @returns {number | null} when to repeat a refused request; null when the refusal is final
 */
export function retryAt(event, now) {
  const { code, retry } = event;
  if (code === "muted" || code === "room_banned") return null;
  if (code === "slow_mode" && (retry === null || retry > SLOW_MODE_S)) return null;
  const passes = code === "overloaded" || code === "busy" || code === "out_of_order";
  return passes || retry !== null ? now + (retry ?? RETRY_S) : null;
}

export class Connection {
  secret = "";
  token = "";
  name = "";
  /** A password that must be changed. */
  temporary = "";
  #context;
  #listener;
  #options;
  #wanted = "";
  #password = "";
  #invite = "";
  /** @type {{account: boolean, key: string} | null} whom the secret belongs to */
  #bound = null;
  #fresh = false;
  #exchanged = false;
  /** @type {Field | null} what the user must give */
  #needed = null;
  #linked = false;
  /** @type {Closing | null} */
  #closing = null;
  /** @type {number | null} */
  #dialAt = null;
  /** @type {number | null} */
  #helloAt = null;
  /** @type {number | null} */
  #answerBy = null;
  /** @type {number | null} */
  #leaveBy = null;
  /** @type {number | null} */
  #welcomedAt = null;
  #lostSince = false;
  #saidQuit = false;
  #isLoggedOut = false;
  #hellosRefused = 0;
  #delays = 0;
  #attempt = 0;
  #earlyEnds = 0;
  /** @type {{heard: number, asked: number | null, patience: number} | null} */
  #liveness = null;
  #pings = 0;

  /** @param {Context} context @param {ConnectionListener} listener @param {CoreOptions} options */
  constructor(context, listener, options) {
    this.#context = context;
    this.#listener = listener;
    this.#options = options;
    const { secret, name, token } = options.saved;
    this.secret = secret;
    this.name = this.#wanted = name;
    this.token = token;
    if (name) this.#bound = { account: token !== "", key: nameKey(name) };
  }

  /** Dials, or asks for a name first: a server does not wait long for one. */
  start() {
    if (this.#wanted) this.#dialAt = this.#context.now;
    else this.#need("name", null);
    this.tick();
  }

  get waitsUntilS() {
    return this.#dialAt ?? this.#helloAt;
  }

  get linked() {
    return this.#linked;
  }

  get deadline() {
    const times = [this.#dialAt, this.#helloAt, this.#answerBy, this.#leaveBy, this.#silentAt];
    const due = times.filter((time) => time !== null);
    return due.length ? Math.min(...due) : null;
  }

  tick() {
    const context = this.#context;
    const { now } = context;
    const late = this.deadline !== null && now > this.deadline + FROZEN_S;
    if (this.#leaveBy !== null && now >= this.#leaveBy) this.#leaveNow();
    else if (this.#dialAt !== null && now >= this.#dialAt) {
      this.#dialAt = null;
      context.phase = "dialling";
      context.show({ kind: "phase", phase: context.phase });
      context.dial = true;
      this.#answerBy = now + DIAL_S;
    } else if (this.#helloAt !== null && now >= this.#helloAt) this.#sayHello();
    else if (late && this.#liveness) this.probe();
    else if ((this.#answerBy !== null && now >= this.#answerBy) || this.#isDead) this.#hangUp();
    else if (this.#liveness && this.#liveness.asked === null && now >= /** @type {number} */ (this.#silentAt)) {
      this.#ping(PING_TIMEOUT_S);
    }
  }

  heard() {
    if (!this.#liveness) return;
    this.#liveness.heard = Math.max(this.#liveness.heard, this.#context.now);
    this.#liveness.asked = null;
  }

  /** Asks at once whether the connection lives; without one, dials. */
  probe() {
    if (this.#liveness) {
      this.#liveness.heard = Math.min(this.#liveness.heard, this.#context.now); // also while throttled
      if (this.#answerBy !== null) this.#answerBy = Math.max(this.#answerBy, this.#context.now + PROBE_S);
      if (this.#liveness.asked === null || this.#liveness.patience > PROBE_S) this.#ping(PROBE_S);
    } else if (this.#context.phase === "dialling") this.#answerBy = this.#context.now + PROBE_S;
    else if (this.#context.phase === "offline") this.reconnect();
  }

  reconnect() {
    const { phase } = this.#context;
    if (phase !== "offline" && phase !== "ended") return;
    this.#saidQuit = this.#isLoggedOut = false;
    this.#leaveBy = null;
    if (phase === "ended") this.#to("offline");
    if (this.#wanted) this.#dialAt = this.#context.now;
    else this.#need("name", null);
  }

  /** Silence means nothing while the server does not read. @param {number} retryS */
  throttled(retryS) {
    const { now } = this.#context;
    if (this.#answerBy !== null) this.#answerBy = Math.max(this.#answerBy, now + retryS + ANSWER_S);
    if (!this.#liveness) return;
    this.#liveness.heard = Math.max(this.#liveness.heard, now + retryS + THROTTLE_SLACK_S);
    this.#liveness.asked = null;
  }

  get #silentAt() {
    if (!this.#liveness) return null;
    const { heard, asked, patience } = this.#liveness;
    return asked === null ? heard + IDLE_PING_S : asked + patience;
  }

  get #isDead() {
    return this.#liveness !== null && this.#liveness.asked !== null &&
      this.#context.now >= /** @type {number} */ (this.#silentAt);
  }

  /** @param {number} patience seconds */
  #ping(patience) {
    if (!this.#liveness) return;
    Object.assign(this.#liveness, { asked: this.#context.now, patience });
    this.#context.send({ t: "ping", n: ++this.#pings });
  }

  /** The server is silent; after a probe the next attempt follows at once. */
  #hangUp() {
    const probed = this.#liveness?.patience === PROBE_S;
    this.#context.hangUp = true;
    this.lost();
    if (probed && this.#dialAt !== null) this.#dialAt = this.#context.now;
  }

  connected() {
    this.#linked = true;
    this.#closing = null;
    this.#hellosRefused = 0;
    this.#answerBy = null;
    if (this.#needed === null) this.#sayHello();
  }

  /** The user gives a name, and what proves it. @param {Extract<Action, {do: "hello"}>} action */
  hello(action) {
    if (this.#needed === null && this.#helloAt === null) return;
    this.#wanted = wholeText(action.name);
    this.#password = action.password ?? "";
    this.#invite = action.invite ?? this.#invite;
    this.#needed = null;
    if (this.#linked) this.#sayHello();
    else {
      this.#to("offline");
      this.#dialAt = this.#context.now;
    }
  }

  #sayHello() {
    const context = this.#context;
    const key = nameKey(this.#wanted);
    const token = this.#password || this.#invite || key !== nameKey(this.name) ? "" : this.token;
    if (this.#isAnother(key, token !== "" || this.#password !== "")) this.#exchange();
    this.#helloAt = null;
    this.#answerBy = context.now + ANSWER_S;
    this.#liveness = { heard: context.now, asked: null, patience: PING_TIMEOUT_S };
    this.#to("greeting");
    context.send({
      t: "hello",
      version: 1,
      name: this.#wanted,
      secret: this.secret,
      client: this.#options.client,
      password: this.#password || null,
      token: token || null,
      invite: this.#invite || null,
    });
  }

  /** @param {string} key @param {boolean} proven whether the secret is another's */
  #isAnother(key, proven) {
    if (!this.#bound) return false;
    // A guest's name may be the user's own account by now; if not, the secret is refused.
    if (!this.#bound.account) return proven && this.#bound.key !== key;
    return this.#bound.key !== key || !proven;
  }

  #exchange() {
    this.#bound = null;
    this.secret = this.#options.freshSecret();
    this.#exchanged = this.#fresh = true;
    this.#listener.abandoned();
    this.#context.dirty = true;
  }

  /** @param {Refused} event that refuses the hello */
  helloRefused(event) {
    const { code, reason, retry } = event;
    this.#hellosRefused++;
    this.#answerBy = this.#liveness = null;
    if (code === "login_expired") this.#forgetToken();
    if (this.#invite && code === "login_required") {
      if (this.#fresh) return this.#need("name", event);
      this.#exchange(); // the secret is an account's
      return this.#sayHello();
    }
    const strange = reason === "secret_needs_login" && !this.#password && nameKey(this.name) !== nameKey(this.#wanted);
    if (strange || (code === "invalid" && this.#bound)) {
      this.#exchange();
      return this.#sayHello();
    }
    const needed = NEEDED[code];
    if (needed && !(retry !== null && code === "name_in_use")) {
      if (needed === "invite") this.#invite = "";
      if (needed !== "name" || !this.#invite) this.#password = "";
      return this.#need(needed, event);
    }
    if (code in FINAL) return this.#end(/** @type {Why} */ (FINAL[code]), refusalOf(event));
    if (retry === null && !LATER.has(code)) return this.#end("bug", refusalOf(event));
    const delay = retry ?? Math.min(LONGEST_DELAY_S, RETRY_S * 2 ** Math.min(this.#delays, 10));
    this.#delays++;
    this.#helloAt = this.#context.now + delay;
    if (code === "name_in_use" || this.#welcomedAt === null) this.#to("naming"); // another may be chosen meanwhile
    this.#context.show({ kind: "waits", untilS: this.#helloAt, refusal: refusalOf(event) });
  }

  /** @param {Field} field @param {Refused | null} event */
  #need(field, event) {
    this.#needed = field;
    this.#dialAt = this.#helloAt = null;
    this.#to("naming");
    this.#context.show({ kind: "helloNeeded", refusal: event && refusalOf(event), field });
  }

  /** @param {Welcome} event */
  welcomed(event) {
    const context = this.#context;
    const first = this.#welcomedAt === null;
    const exchanged = this.#exchanged && !first;
    const another = exchanged && event.sender_id !== context.me.id;
    this.#exchanged = this.#fresh = false;
    this.#bound = { account: event.account, key: nameKey(event.name) };
    this.temporary = event.must_change ? this.#password : "";
    this.#password = this.#invite = "";
    this.name = this.#wanted = event.name;
    this.token = event.token || (event.account ? this.token : "");
    this.#welcomedAt = context.now;
    this.#lostSince = false;
    this.#delays = 0;
    this.#answerBy = event.must_change ? null : context.now + ANSWER_S;
    context.dirty = true;
    this.#to("rejoining");
    this.#listener.welcomed(event, first, another);
  }

  settled() {
    this.#answerBy = null;
    this.#to("online");
  }

  /** @returns {null} */
  passwordChanged() {
    if (this.#context.mustChange) {
      this.temporary = "";
      this.#answerBy = this.#context.now + ANSWER_S;
      this.#listener.passwordChanged();
    }
    return null;
  }

  /** @param {Registered} event */
  registered(event) {
    this.#context.account = true;
    this.#context.me = { id: this.#context.me.id, name: event.name };
    this.token = event.token;
    this.named(event.name);
    this.#bound = { account: true, key: nameKey(event.name) };
  }

  /** @param {string} name */
  named(name) {
    this.name = this.#wanted = name;
    if (this.#bound) this.#bound.key = nameKey(name);
    this.#context.dirty = true;
  }

  /** @param {Closing} event */
  closing(event) {
    this.#closing = event;
    if (event.code === "logged_out") this.#forgetToken();
  }

  loggedOut() {
    this.#isLoggedOut = true;
    this.#end("loggedOut", null);
    this.#context.hangUp = true;
  }

  lost() {
    const context = this.#context;
    const closing = this.#closing;
    const helloAt = this.#helloAt;
    const triedOften = closing?.code === "hello_expected" && this.#hellosRefused > 0;
    this.#isLoggedOut ||= closing?.code === "logged_out" && this.#listener.isLoggingOut();
    this.#linked = false;
    this.#liveness =
      this.#answerBy =
      this.#closing =
      this.#helloAt =
        null;
    this.#listener.lost();
    this.#to("offline");
    const why = closing ? FINAL[closing.code] : undefined;
    const retryS = closing?.retry ?? 0;
    if (this.#saidQuit) this.#end("left", null);
    else if (this.#isLoggedOut) this.#end("loggedOut", null);
    else if (closing && why && !triedOften) this.#end(why, refusalOf(closing));
    else if (this.#needed !== null) this.#to("naming");
    else if (triedOften) this.#dialAt = context.now + RETRY_S;
    else if (helloAt !== null) this.#dialAt = Math.max(helloAt, context.now + retryS);
    else this.#dialLater(closing);
  }

  /** @param {Closing | null} closing */
  #dialLater(closing) {
    const { now } = this.#context;
    if (!this.#lostSince && this.#welcomedAt !== null) {
      if (now - this.#welcomedAt >= STABLE_S) this.#attempt = this.#earlyEnds = 0;
      else if (!closing || closing.code === "internal") this.#earlyEnds++;
    }
    this.#lostSince = true;
    const longest = this.#earlyEnds < EARLY_ENDS ? LONGEST_DELAY_S : LONGEST_AFTER_EARLY_ENDS_S;
    const ceiling = Math.min(longest, FIRST_DELAY_S * 2 ** Math.min(this.#attempt++, 10));
    this.#dialAt = now + (closing?.retry ?? 0) + ceiling * (0.5 + 0.5 * this.#options.jitter());
    const refusal = closing && refusalOf(closing);
    this.#context.show({ kind: "waits", untilS: this.#dialAt, refusal });
  }

  #forgetToken() {
    this.token = "";
    this.#context.dirty = true;
  }

  /** Leaves once everything is acknowledged. */
  leave() {
    if (this.#context.phase === "ended") return;
    if (this.#leaveBy !== null) return this.#leaveNow();
    this.#leaveBy = this.#context.now + PATIENCE_S;
  }

  leaveWhenDone() {
    const { phase, now } = this.#context;
    if (this.#leaveBy === null || this.#saidQuit || phase === "ended" || this.#listener.busy()) return;
    if (!this.#isGreeted) return this.#end("left", null);
    this.#quit();
    this.#leaveBy = now + GOODBYE_S;
  }

  get #isGreeted() {
    return ["greeting", "rejoining", "online"].includes(this.#context.phase);
  }

  #leaveNow() {
    if (this.#isGreeted && !this.#saidQuit) this.#quit();
    this.#end("left", null);
  }

  #quit() {
    this.#saidQuit = true;
    this.#context.send({ t: "quit" });
  }

  /** @param {Why} why @param {Refusal | null} refusal */
  #end(why, refusal) {
    this.#dialAt =
      this.#helloAt =
      this.#answerBy =
      this.#leaveBy =
      this.#liveness =
        null;
    this.#context.hangUp ||= this.#linked || this.#context.phase === "dialling";
    this.#linked = false;
    if (why === "loggedOut") this.#forgetToken(); // the secret stays: what was sent is known by it after the next login
    this.#to("ended");
    this.#context.show({ kind: "ended", why, refusal });
  }

  /** @param {Context["phase"]} phase */
  #to(phase) {
    if (this.#context.phase === phase) return;
    this.#context.phase = phase;
    this.#context.show({ kind: "phase", phase });
  }
}
