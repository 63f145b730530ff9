/**
 * Sends one file by tus 1.0.0 (https://tus.io/protocols/resumable-upload): HEAD tells how much has arrived, PATCH brings the rest in parts.
 * After any failure it is asked again what has arrived: no part is believed lost, and none is sent twice.
 *
 * @import {Refusal} from "../core/types.js"
 * @typedef {{status: number, header: (name: string) => string | null, text: string}} Answer
 * @typedef {{method: string, path: string, headers: Record<string, string>, body: ArrayBuffer | null, progress: (bytes: number) => void,
 *   signal: AbortSignal}} TusRequest
 * @typedef {object} Transfer
 * @property {string} path of the upload; a client that has it may send
 * @property {number} size bytes
 * @property {number} [known] how much has arrived; without it the server is asked
 * @property {boolean} [keep] a picture that cannot be read is kept as a file
 * @property {(from: number, to: number) => Promise<ArrayBuffer>} read rejects where the bytes are not there any more
 * @property {(sent: number) => void} progress bytes that have arrived, or are on their way
 * @property {AbortSignal} signal
 * @property {(request: TusRequest) => Promise<Answer>} request rejects where no answer came
 * @property {(ms: number) => Promise<void>} pause may be shorter: the network is back
 */

/** Read and sent at once, and stored in one piece. */
export const PART_BYTES = 4 * 1024 * 1024;
const FIRST_PAUSE_MS = 500;
const MOST_PAUSE_MS = 30_000;
const STALL_MS = 40_000; // the server gives up after 30 s without a byte
const ANSWER_MS = 120_000; // behind the last byte a picture may wait for others
/** Of answers that another attempt may change: too slow, an offset that is not so, locked, too early, too many, a wrong checksum. */
const PASSING = new Set([408, 409, 423, 425, 429, 460, 500, 502, 503, 504]);

/** The server does not have this upload any more. */
export class UploadGone extends Error {}

/** The server takes it no further. */
export class UploadRefused extends Error {
  /** @param {Refusal} refusal */
  constructor(refusal) {
    super(refusal.text);
    this.refusal = refusal;
  }
}

/**
 * Sends what has not arrived yet, until the server has made a file of it.
 *
 * @param {Transfer} transfer
 * @returns {Promise<void>}
 * @throws {UploadGone | UploadRefused | DOMException} the last one by the signal; whatever `read` throws
 */
export async function sendFile({ path, size, known = -1, keep = false, read, progress, signal, request, pause }) {
  let offset = known; // -1: unknown
  let failures = 0;
  for (;;) {
    signal.throwIfAborted();
    const from = offset;
    const to = Math.min(size, (Math.floor(from / PART_BYTES) + 1) * PART_BYTES);
    const body = from < 0 ? null : from < to ? await read(from, to) : new ArrayBuffer(0); // empty, at the end: what became of it?
    /** @type {Answer | null} */
    let answer = null;
    try {
      answer = await request({
        method: body ? "PATCH" : "HEAD",
        path,
        headers: {
          "Tus-Resumable": "1.0.0",
          ...(body && { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(from) }),
          ...(body && keep && { "Upload-As": "file" }),
        },
        body,
        progress: (bytes) => progress(from + bytes),
        signal,
      });
    } catch {
      signal.throwIfAborted();
    }
    const { status = 0 } = answer ?? {};
    if (status === 404 || status === 403) throw new UploadGone(path);
    if (answer && status >= 200 && status < 300) {
      const there = Number(answer.header("Upload-Offset") ?? NaN);
      if (Number.isSafeInteger(there) && there >= 0 && there <= size) {
        if (there > from && body) failures = 0;
        offset = there;
        progress(offset);
        if (body && offset === size) return;
        if (!body || offset > from) continue;
      } else offset = -1;
    } else if (answer && status && !PASSING.has(status)) throw new UploadRefused(refusalIn(answer));
    else offset = -1;
    if (from >= 0) progress(from); // what was on its way is not believed to be there
    const asked = Number(answer?.header("Retry-After") ?? NaN) * 1000;
    await pause(asked >= 0 ? Math.min(asked, MOST_PAUSE_MS) : Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures));
    failures++;
  }
}

/** @param {Answer} answer a problem (RFC 9457) @returns {Refusal} */
function refusalIn({ status, text }) {
  try {
    const { code, detail, reason, args = {}, retry_after_s = null } = JSON.parse(text);
    if (code && detail) return { code, text: detail, reason: reason ?? code, args, retryS: retry_after_s };
  } catch { // another server than ours stands between
  }
  return { code: "upload", text: `HTTP ${status}`, reason: "", args: {}, retryS: null };
}

/**
 * Asks by XMLHttpRequest, which alone tells how much of a body is on its way.
 *
 * @param {TusRequest} request
 * @returns {Promise<Answer>}
 */
export function ask({ method, path, headers, body, progress, signal }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const wait = (/** @type {number} */ ms) => {
      clearTimeout(timer);
      timer = setTimeout(() => xhr.abort(), ms);
    };
    const stop = () => xhr.abort();
    xhr.open(method, path);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => {
      wait(STALL_MS);
      progress(loaded);
    };
    xhr.upload.onload = () => wait(ANSWER_MS);
    xhr.onload = () =>
      resolve({ status: xhr.status, header: (name) => xhr.getResponseHeader(name), text: xhr.responseText });
    xhr.onerror = xhr.onabort = () => reject(new TypeError("no answer"));
    xhr.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    signal.addEventListener("abort", stop);
    wait(body ? STALL_MS : ANSWER_MS);
    xhr.send(body);
  });
}
