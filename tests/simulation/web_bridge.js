/// <reference lib="deno.ns" />

/**
 * Runs many cores of the page for a simulation: a line of JSON is an input, and the line that answers it what it leads to.
 *
 * The first argument is the folder of the core: a planted bug is a copy of it.
 *
 * @import {ClientCore} from "../../securechat/web/core/client.js"
 */

const { ClientCore: Core } = await import(`${Deno.args[0]}/client.js`);

/** @type {Map<number, ClientCore>} */
const cores = new Map();

/** @param {number} seed @returns {() => number} in [0, 1), the same for the same seed (mulberry32) */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {any} input @returns {any} */
function handle(input) {
  const { id, op, now } = input;
  if (op === "new") {
    const random = dice(input.seed);
    const digits = () => Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
    const freshSecret = () => digits() + digits() + digits() + digits();
    cores.set(id, new Core({ saved: input.saved, jitter: random, freshSecret, client: "simulation" }));
    return step(id, (core) => core.start(now));
  }
  if (op === "drop") {
    cores.delete(id);
    return {};
  }
  const core = /** @type {ClientCore} */ (cores.get(id));
  switch (op) {
    case "connected":
      return step(id, () => core.connected(now));
    case "disconnected":
      return step(id, () => core.disconnected(now, { reason: "reset", clean: false }));
    case "received":
      return step(id, () => core.received(input.event, now));
    case "act":
      return step(id, () => core.act(input.action, now));
    case "ask":
      return step(id, () => core.ask(input.question, input.request, now));
    case "tick":
      return step(id, () => core.tick(now));
    case "view":
      return view(core);
    case "get":
      return { key: core.roomNamed(input.room)?.key ?? null };
  }
  throw new Error(`there is no ${op}`);
}

/** @param {number} id @param {(core: ClientCore) => any} input */
function step(id, input) {
  const core = /** @type {ClientCore} */ (cores.get(id));
  const output = input(core);
  const changes = output.changes.map((/** @type {any} */ change) => {
    if (change.kind === "answer" && change.value?.window) return { ...change, value: { key: change.value.key } };
    if (change.kind === "joined" || change.kind === "left" || change.kind === "renamed") {
      return { ...change, room: core.conversations.get(change.key)?.name ?? "" };
    }
    return change;
  });
  const state = {
    phase: core.phase,
    me: core.me,
    account: core.account,
    deadline: core.deadline(),
    unsent: core.pending.filter((each) => each.state !== "failed").map((each) => each.number),
    pending: core.pending.map((each) => each.number),
    catchingUp: core.catchingUp,
    reading: core.reading,
    mustChange: core.mustChange,
  };
  return { ...output, changes, state };
}

/** @param {ClientCore} core */
function view(core) {
  return [...core.conversations.values()].map((each) => ({
    key: each.key,
    kind: each.kind,
    id: each.id,
    name: each.name,
    role: each.room?.role ?? null,
    total: each.room?.total ?? 0,
    members: each.room?.members ? [...each.room.members.values()] : [],
    last: each.last,
    read: each.read,
    unread: each.unread,
    mentions: each.mentions,
    firstUnread: each.firstUnread,
    window: { ...each.window, tail: null, question: null },
  }));
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const chunk = new Uint8Array(1 << 16);
let waiting = "";

/** @param {string} text */
function write(text) {
  for (let bytes = encoder.encode(text); bytes.length > 0;) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

for (let size = Deno.stdin.readSync(chunk); size !== null; size = Deno.stdin.readSync(chunk)) {
  waiting += decoder.decode(chunk.subarray(0, size), { stream: true });
  const lines = waiting.split("\n");
  waiting = /** @type {string} */ (lines.pop());
  for (const line of lines) {
    let answer;
    try {
      answer = handle(JSON.parse(line));
    } catch (error) {
      answer = { error: String(/** @type {Error} */ (error).stack) };
    }
    write(JSON.stringify(answer) + "\n");
  }
}
