/**
 * An upload on a server that loses connections, forgets, and answers what a test wants.
 *
 * @import {Answer, TusRequest} from "../../securechat/web/shell/tus.js"
 */

export class TusServer {
  path = "/api/v1/uploads/a/b";
  bytes = new Uint8Array();
  received = 0;
  /** @type {string[]} */
  heard = [];
  /** @type {{status: number, text?: string, retryAfter?: number, offset?: string}[]} given before all others */
  answers = [];
  losesAnswers = 0;
  dead = 0;
  heads = 0;
  refuseHeads = 0;
  deleted = false;
  /** @type {() => void} */
  beforePart = () => {};
  /** @type {number[]} */
  #cuts = [];

  /** @param {number} size */
  constructor(size) {
    this.whole = new Uint8Array(size);
    const period = Uint8Array.from({ length: 4099 }, (_byte, index) => (index * 31 + (index >> 8)) & 255);
    for (let at = 0; at < size; at += period.length) this.whole.set(period.subarray(0, size - at), at);
  }

  /** Ends the connection when so many bytes have arrived. @param {number} offset */
  cutAt(offset) {
    this.#cuts.push(offset);
  }

  expectWhole() {
    const { bytes, whole } = this;
    if (bytes.length !== whole.length || bytes.some((byte, at) => byte !== whole[at])) {
      throw new Error(`${bytes.length} of ${whole.length} bytes, or others`);
    }
  }

  /** @param {TusRequest} request @returns {Promise<Answer>} */
  async request({ method, path, headers, body, progress, signal }) {
    await Promise.resolve();
    if (path !== this.path) throw new Error(`another path: ${path}`);
    const words = [method, headers["Upload-Offset"], headers["Upload-As"] && "as file"].filter(Boolean);
    this.heard.push(words.join(" "));
    if (headers["Tus-Resumable"] !== "1.0.0") throw new Error("another protocol");
    if (this.dead > 0) {
      this.dead--;
      throw new TypeError("no network");
    }
    const wanted = this.answers.shift();
    if (wanted) {
      const { status, text = "", retryAfter, offset } = wanted;
      const told = /** @type {Record<string, string | undefined>} */ ({
        "Upload-Offset": offset,
        "Retry-After": retryAfter?.toString(),
      });
      return { status, text, header: (name) => told[name] ?? null };
    }
    if (method === "DELETE") {
      this.deleted = true;
      return answer(204);
    }
    if (method === "HEAD") {
      if (this.heads > 0 && this.refuseHeads > 0) {
        this.refuseHeads--;
        throw new TypeError("no network");
      }
      return answer(200, this.bytes.length);
    }
    if (headers["Content-Type"] !== "application/offset+octet-stream") throw new Error("another type");
    if (Number(headers["Upload-Offset"]) !== this.bytes.length) return answer(409);
    this.beforePart();
    signal.throwIfAborted();
    const part = new Uint8Array(body ?? new ArrayBuffer(0));
    const cut = this.#cuts.findIndex((at) => at >= this.bytes.length && at <= this.bytes.length + part.length);
    const taken = cut < 0 ? part : part.slice(0, /** @type {number} */ (this.#cuts[cut]) - this.bytes.length);
    progress(taken.length);
    const bytes = new Uint8Array(this.bytes.length + taken.length);
    bytes.set(this.bytes);
    bytes.set(taken, this.bytes.length);
    this.bytes = bytes;
    this.received += taken.length;
    if (cut >= 0) {
      this.#cuts.splice(cut, 1);
      throw new TypeError("cut");
    }
    if (this.losesAnswers > 0) {
      this.losesAnswers--;
      throw new TypeError("no answer");
    }
    return answer(204, this.bytes.length);
  }
}

/** @param {number} status @param {number} [offset] @returns {Answer} */
function answer(status, offset) {
  const header = (/** @type {string} */ name) =>
    name === "Upload-Offset" && offset !== undefined ? String(offset) : null;
  return { status, text: "", header };
}
