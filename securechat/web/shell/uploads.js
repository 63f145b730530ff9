/**
 * Messages with files, from the choice of the first file until the server has the message. What was chosen is kept in IndexedDB with its
 * message, so a page that is loaded anew goes on where it was: to choose again would not help, because phones make another file each time.
 *
 * Files are sent one after the other, those of messages that are on their way first. When all of a message are there, the core gets it,
 * and numbers it as any other; it is known by the ids of its files, which the server takes once.
 *
 * @import {Attachment, Change, Conversation, Core, Parcel, PendingMessage, Question, Refusal, Uploads} from "../core/types.js"
 * @typedef {object} Box where parcels are kept; rejects where it does not work
 * @property {() => Promise<Parcel[]>} all
 * @property {(parcel: Parcel) => Promise<unknown>} put
 * @property {(id: string) => Promise<unknown>} drop
 * @property {(file: string, index: number, bytes: ArrayBuffer) => Promise<unknown>} putPart
 * @property {(file: string, index: number) => Promise<ArrayBuffer | undefined>} part
 * @property {(file: string) => Promise<unknown>} dropParts
 */
import { ownRefusal } from "../core/requests.js";
import { ask, PART_BYTES, sendFile, UploadGone, UploadRefused } from "./tus.js";

const KEPT_MS = 7 * 86_400_000;
const AGAIN_MS = 2_000; // between two attempts that the server or the connection has cut short
const MOST_AGAIN_MS = 30_000;

/**
 * @param {object} options
 * @param {Core} options.core
 * @param {(action: any) => void} options.act
 * @param {(question: Question) => Promise<any>} options.ask
 * @param {(listener: (changes: readonly Change[]) => void) => () => void} options.listen
 * @param {() => string} options.secret of the identity
 * @param {() => boolean} options.isHere whether this tab has the chat
 * @param {(listener: () => void) => () => void} options.onPage called when that may have changed
 * @param {Promise<Box>} [options.box]
 * @param {typeof ask} [options.request]
 * @param {(ms: number) => Promise<void>} [options.sleep]
 * @returns {Promise<Uploads>}
 */
export async function openUploads(
  { core, act, ask: question, listen, secret, isHere, onPage, box: opened, request = ask, sleep },
) {
  /** @type {Box | null} */
  let box = null;
  /** @type {Parcel[]} */
  let parcels = [];
  /** Files as they were chosen, while this page lives. @type {Map<string, Blob>} */
  const sources = new Map();
  /** @type {Set<() => void>} */
  const listeners = new Set();
  /** @type {{file: Attachment, stop: AbortController} | null} what is being sent */
  let current = null;
  /** Files that are tried later. @type {Set<string>} */
  const resting = new Set();
  /** Numbers of messages that the core has. @type {Map<number, Parcel>} */
  const numbers = new Map();
  /** @type {Set<() => void>} */
  const sleepers = new Set();
  let owner = ownerOf(secret());

  const tell = () => listeners.forEach((listener) => listener());
  const awake = () => sleepers.forEach((wake) => wake());

  /** @param {number} ms ends early when there may be a network again */
  const pause = sleep ?? ((ms) =>
    new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      sleepers.add(wake);
    }));

  // --- what is kept ---

  /** @param {(box: Box) => Promise<unknown>} work what fails is not kept, and all else works as before */
  async function keep(work) {
    try {
      if (box) await work(box);
      return box !== null;
    } catch {
      return false;
    }
  }

  /** @param {Parcel} parcel */
  const put = (parcel) => keep((box) => box.put(structuredClone(parcel)));

  /** @param {Parcel} parcel @param {boolean} [withdraw] tell the server too */
  function drop(parcel, withdraw = false) {
    parcels = parcels.filter((each) => each !== parcel);
    for (const [number, each] of numbers) if (each === parcel) numbers.delete(number);
    for (const file of parcel.files) forget(file, withdraw);
    keep((box) => box.drop(parcel.id));
    tell();
  }

  /** @param {Attachment} file @param {boolean} withdraw */
  function forget(file, withdraw) {
    interrupt(file);
    sources.delete(file.id);
    keep((box) => box.dropParts(file.id));
    if (withdraw) terminate(file);
  }

  /** @param {Attachment} [file] only if it is this one that is being sent */
  function interrupt(file = current?.file) {
    if (!current || current.file !== file) return;
    current.stop.abort();
    awake();
  }

  /** Gives an upload up, so that it counts no more; without an answer it ends by itself. @param {Attachment} file */
  function terminate({ upload }) {
    if (!upload) return;
    const headers = { "Tus-Resumable": "1.0.0" };
    const { signal } = new AbortController();
    request({ method: "DELETE", path: upload.path, headers, body: null, progress() {}, signal }).catch(() => {});
  }

  /** @param {Parcel} parcel @param {Attachment} file */
  async function storeParts(parcel, file) {
    const source = sources.get(file.id);
    for (let at = 0; source && at < file.size; at += PART_BYTES) {
      const stored = await keep(async (box) =>
        box.putPart(file.id, at / PART_BYTES, await source.slice(at, at + PART_BYTES).arrayBuffer())
      );
      if (!stored) return;
      if (!parcel.files.includes(file) || !sources.has(file.id)) return void keep((box) => box.dropParts(file.id));
    }
    file.stored = true;
    put(parcel);
  }

  /** @param {Attachment} file @param {number} from @param {number} to within one part */
  async function bytes(file, from, to) {
    const source = sources.get(file.id);
    if (source) {
      try {
        return await source.slice(from, to).arrayBuffer();
      } catch {
        sources.delete(file.id); // a phone has cleared away its copy
      }
    }
    const index = Math.floor(from / PART_BYTES);
    const part = await box?.part(file.id, index).catch(() => undefined);
    if (!part || part.byteLength < to - index * PART_BYTES) throw new Unreadable();
    return part.slice(from - index * PART_BYTES, to - index * PART_BYTES);
  }

  // --- one file after the other ---

  /** @returns {[Parcel, Attachment] | null} */
  function next() {
    const waits = (/** @type {Attachment} */ { id, state }) => state === "waiting" && !resting.has(id);
    for (const state of ["sending", "said", "draft"]) {
      for (const parcel of parcels.filter((each) => each.state === state)) {
        const file = parcel.files.find(waits);
        if (file) return [parcel, file];
      }
    }
    return null;
  }

  async function work() {
    if (current) return;
    for (let found = next(); found && isHere(); found = next()) {
      const [parcel, file] = found;
      const stop = new AbortController();
      current = { file, stop };
      file.state = "sending";
      tell();
      await send(parcel, file, stop.signal).catch((error) => failed(parcel, file, error, stop.signal));
      current = null;
      put(parcel);
      tell();
      handOver(parcel);
    }
  }

  /** @param {Parcel} parcel @param {Attachment} file @param {AbortSignal} signal */
  async function send(parcel, file, signal) {
    let known = -1;
    if (!file.upload) {
      const { name, size, asFile } = file;
      const { id, path, name: shown } = await question({ ask: "upload", name, size, as_file: asFile });
      file.upload = { id, path, name: shown };
      if (signal.aborted) return terminate(file);
      known = 0;
      put(parcel); // before the first byte: a page that is loaded anew goes on with it
    }
    await sendFile({
      path: file.upload.path,
      size: file.size,
      known,
      keep: file.asFile,
      read: (from, to) => bytes(file, from, to),
      progress(sent) {
        file.sent = sent;
        tell();
      },
      signal,
      request,
      pause,
    });
    file.state = "done";
    file.sent = file.size;
    tries.delete(file.id);
  }

  /** How often each was begun anew in a row. @type {Map<string, number>} */
  const tries = new Map();

  /** @param {Parcel} parcel @param {Attachment} file @param {unknown} error @param {AbortSignal} signal */
  function failed(parcel, file, error, signal) {
    file.state = "waiting";
    if (signal.aborted) return;
    const tried = (tries.get(file.id) ?? 0) + 1;
    tries.set(file.id, tried);
    if (error instanceof UploadGone && tried < 4) { // from the beginning, of what is kept here
      if (parcel.state === "sending" && tried === 1) { // unless a message has it, before this page was loaded: see `refused`
        file.state = "done";
        return;
      }
      file.upload = null;
      file.sent = 0;
      return;
    }
    const refusal = error instanceof UploadRefused ? error.refusal : refusalOf(error);
    const passes = /^(offline|busy|overloaded)$/.test(refusal.code) || (refusal.retryS ?? null) !== null;
    if (passes) return rest(parcel, file, refusal.retryS, tried);
    file.refusal = refusal;
    file.state = refusal.code === "picture_unreadable" ? "unreadable" : "failed";
  }

  /** @param {Parcel} parcel @param {Attachment} file @param {number | null} retryS @param {number} tried */
  async function rest(parcel, file, retryS, tried) {
    resting.add(file.id);
    const ms = retryS === null ? Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** (tried - 1)) : retryS * 1000;
    await pause(ms);
    resting.delete(file.id);
    if (parcels.includes(parcel)) work();
  }

  // --- the message ---

  /** @param {Parcel["place"]} place @returns {Conversation | null} */
  function conversationAt(place) {
    if ("person" in place) return core.directWith(place.person);
    return [...core.conversations.values()].find((each) =>
      each.kind === "room" && place.id > 0 && each.id === place.id
    ) ??
      core.roomNamed(place.room);
  }

  /** @param {string} key */
  function of(key) {
    return parcels.filter(({ place }) => conversationAt(place)?.key === key);
  }

  /** @param {Parcel} parcel gives it to the core, if all its files are there */
  function handOver(parcel) {
    if (parcel.state !== "sending" || !parcels.includes(parcel) || !isHere()) return;
    if (!parcel.files.every(({ state }) => state === "done")) return;
    const conversation = conversationAt(parcel.place);
    if (!conversation) return; // not known yet
    parcel.state = "said";
    const files = parcel.files.flatMap(({ upload, size }) =>
      upload ? [{ id: upload.id, name: upload.name, size }] : []
    );
    act({ do: "send", key: conversation.key, text: parcel.text, reply: parcel.reply, files });
    put(parcel);
    follow();
    tell();
  }

  /** @param {Parcel} parcel @returns {PendingMessage | undefined} */
  function pendingOf(parcel) {
    const ids = parcel.files.map(({ upload }) => upload?.id);
    return core.pending.find(({ files }) => files.some(({ id }) => ids.includes(id)));
  }

  /** Finds the parcels that the core has, after a reload too. */
  function follow() {
    for (const parcel of parcels) {
      const pending = pendingOf(parcel);
      if (!pending) continue;
      if (parcel.state !== "said") {
        parcel.state = "said";
        put(parcel);
      }
      numbers.set(pending.number, parcel);
    }
  }

  /** @param {readonly Change[]} changes */
  function heard(changes) {
    let looks = false;
    for (const change of changes) {
      if (change.kind === "acked") {
        const parcel = numbers.get(change.number);
        if (parcel) drop(parcel);
      } else if (change.kind === "failed") refused(change.number, change.refusal);
      else if (change.kind === "welcome") {
        if (ownerOf(secret()) !== owner) anotherIdentity();
        awake();
      } else if (change.kind === "phase" && core.phase === "online") awake();
      else if (change.kind === "pending") looks = true;
      else if (change.kind === "conversations" || change.kind === "joined") parcels.forEach(handOver);
    }
    if (!looks) return;
    follow();
    for (const [number, parcel] of numbers) { // the user has discarded it
      if (parcel.state === "said" && !core.pending.some((each) => each.number === number)) drop(parcel, true);
    }
  }

  /** @param {number} number @param {Refusal} refusal of the message */
  function refused(number, { reason }) {
    const parcel = numbers.get(number);
    if (!parcel || !/^upload_/.test(reason)) return;
    numbers.delete(number);
    if (reason === "upload_used") { // it was handed over twice, and is there
      drop(parcel);
      return act({ do: "discard", number });
    }
    parcel.state = "sending";
    for (const file of parcel.files) {
      Object.assign(file, { state: "waiting", sent: 0, upload: reason === "upload_unknown" ? null : file.upload });
      tries.set(file.id, (tries.get(file.id) ?? 0) + 1);
      rest(parcel, file, null, tries.get(file.id) ?? 1);
    }
    act({ do: "discard", number });
    put(parcel);
  }

  /** What was chosen is not sent in another name. */
  function anotherIdentity() {
    owner = ownerOf(secret());
    for (const parcel of parcels.filter((each) => each.owner !== owner)) drop(parcel);
  }

  /** @param {Attachment} file */
  const parcelWith = (file) => parcels.find(({ files }) => files.includes(file));

  // --- the start ---

  try {
    box = await (opened ?? openBox());
    for (const parcel of await box.all()) {
      if (parcel.owner !== owner || Date.now() - parcel.madeAt > KEPT_MS) drop(parcel);
      else parcels.push(parcel);
    }
  } catch { // private windows of some browsers: all works until the page is closed
  }
  parcels.sort((a, b) => a.madeAt - b.madeAt);
  for (const parcel of parcels) {
    for (const file of parcel.files) {
      if (file.state === "sending") file.state = "waiting";
      if (!file.stored && file.state === "waiting") { // the page ended before it was read to its end
        Object.assign(file, { state: "failed", refusal: refusalOf(new Unreadable()) });
      }
    }
  }
  follow();
  for (const parcel of parcels) {
    if (!parcel.files.length && !parcel.text) drop(parcel);
    else if (parcel.state === "said" && !pendingOf(parcel)) drop(parcel); // acknowledged, or discarded
    else handOver(parcel);
  }
  listen(heard);
  onPage(() => isHere() ? work() : interrupt());
  for (const name of ["online", "pageshow"]) globalThis.addEventListener?.(name, awake);
  globalThis.document?.addEventListener("visibilitychange", () => document.hidden || awake());
  work();

  return {
    of,
    add(key, files) {
      const conversation = core.conversations.get(key);
      if (!conversation) return;
      const { kind, id, name } = conversation;
      let parcel = of(key).find(({ state }) => state === "draft");
      if (!parcel) {
        const place = kind === "room" ? { room: name, id } : { person: id };
        parcel = {
          id: freshId(),
          owner,
          madeAt: Date.now(),
          place,
          text: "",
          reply: null,
          state: "draft",
          files: [],
        };
        parcels.push(parcel);
      }
      for (const source of files) {
        /** @type {Attachment} */
        const file = {
          id: freshId(),
          name: source.name || "file",
          size: source.size,
          type: source.type,
          asFile: false,
          sent: 0,
          state: "waiting",
          refusal: judged(source.size, core.limits.file_bytes),
          upload: null,
          stored: false,
        };
        if (file.refusal) file.state = "failed";
        parcel.files.push(file);
        sources.set(file.id, source);
        if (!file.refusal) put(parcel).then(() => storeParts(/** @type {Parcel} */ (parcel), file));
      }
      tell();
      work();
    },
    remove(file) {
      const parcel = parcelWith(file);
      if (!parcel) return;
      parcel.files = parcel.files.filter((each) => each !== file);
      forget(file, true);
      if (!parcel.files.length && (parcel.state === "draft" || !parcel.text.trim())) drop(parcel);
      else put(parcel);
      tell();
      handOver(parcel);
    },
    retry(file) {
      if (judged(file.size, core.limits.file_bytes)) return;
      Object.assign(file, { state: "waiting", refusal: null });
      tries.delete(file.id);
      tell();
      work();
    },
    asFile(file, on) {
      const parcel = parcelWith(file);
      if (!parcel || file.asFile === on) return;
      const keeps = on && file.state === "unreadable"; // the bytes are there
      interrupt(file);
      if (!keeps && file.upload) {
        terminate(file);
        Object.assign(file, { upload: null, sent: 0 });
      }
      Object.assign(file, { asFile: on, state: judged(file.size, core.limits.file_bytes) ? "failed" : "waiting" });
      if (file.state === "waiting") file.refusal = null;
      put(parcel);
      tell();
      setTimeout(work); // behind the end of what was stopped
    },
    send(key, text, reply) {
      const parcel = of(key).find(({ state }) => state === "draft");
      if (!parcel) return;
      Object.assign(parcel, { text, reply, state: "sending", madeAt: Date.now() });
      put(parcel);
      tell();
      handOver(parcel);
      work();
    },
    takeBack(parcel) {
      const key = conversationAt(parcel.place)?.key;
      const draft = key === undefined ? undefined : of(key).find(({ state }) => state === "draft");
      for (const [number, each] of numbers) if (each === parcel) numbers.delete(number);
      if (draft) {
        draft.files = [...parcel.files, ...draft.files];
        parcel.files = [];
        drop(parcel);
        put(draft);
      } else {
        parcel.state = "draft";
        put(parcel);
      }
      tell();
    },
    discard: (parcel) => drop(parcel, true),
    async read(file) {
      const source = sources.get(file.id);
      if (source) return source;
      const parts = [];
      try {
        for (let at = 0; at < file.size; at += PART_BYTES) {
          parts.push(await bytes(file, at, Math.min(file.size, at + PART_BYTES)));
        }
      } catch {
        return null;
      }
      return new Blob(parts, { type: file.type });
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The bytes of a file are not there any more. */
class Unreadable extends Error {}

/** @param {unknown} error @returns {Refusal} */
function refusalOf(error) {
  if (error instanceof Unreadable) {
    return ownRefusal("file_unreadable", "This browser does not have the file any more. Choose it again");
  }
  if (error && typeof error === "object" && "code" in error && "text" in error) {
    return /** @type {Refusal} */ (/** @type {unknown} */ (error));
  }
  return ownRefusal("file_failed", "The file could not be sent. Try again");
}

/**
 * Judges a file before its first byte; its sender's quota is judged by the server, likewise.
 *
 * @param {number} size bytes
 * @param {number | undefined} most bytes
 * @returns {Refusal | null}
 */
export function judged(size, most) {
  if (size === 0) return ownRefusal("file_empty", "The file is empty. Choose another one");
  if (!most || size <= most) return null;
  return ownRefusal("file_too_large", "The file is too large", { size, most });
}

/** @returns {string} */
const freshId = () => crypto.getRandomValues(new Uint32Array(3)).join("-");

/** Tells identities apart, and does not reveal the secret. @param {string} secret */
function ownerOf(secret) {
  let value = 0x811c9dc5;
  for (const char of secret) value = Math.imul(value ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return value.toString(36);
}

// --- IndexedDB ---

// Bytes are kept as ArrayBuffers: Safari cannot store a Blob in a private window, and has lost some that it could.

export const DATABASE = "securechat.files";

/** @returns {Promise<Box>} */
export async function openBox() {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore("parcels", { keyPath: "id" });
    opening.result.createObjectStore("parts");
  };
  const database = await answer(opening);
  database.onversionchange = () => database.close(); // it is deleted: the user wants nothing kept
  /** @param {"parcels" | "parts"} name @param {IDBTransactionMode} mode */
  const store = (name, mode = "readwrite") => database.transaction(name, mode).objectStore(name);
  return {
    all: () => answer(store("parcels", "readonly").getAll()),
    put: (parcel) => answer(store("parcels").put(parcel)),
    drop: (id) => answer(store("parcels").delete(id)),
    putPart: (file, index, bytes) => answer(store("parts").put(bytes, [file, index])),
    part: (file, index) => answer(store("parts", "readonly").get([file, index])),
    dropParts: (file) => answer(store("parts").delete(IDBKeyRange.bound([file], [file, []]))),
  };
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    if ("onblocked" in request) request.onblocked = () => reject(new Error("blocked"));
  });
}
