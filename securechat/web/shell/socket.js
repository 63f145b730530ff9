/**
 * One WebSocket to the server that the page came from: records in and out, one a text message.
 *
 * @import {Command, Event} from "../core/records.js"
 * @typedef {{opened(): void, received(event: Event): void, closed(reason: string, clean: boolean): void, refused(): void}} Ears
 */

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
