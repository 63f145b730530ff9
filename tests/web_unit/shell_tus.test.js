/// <reference lib="deno.ns" />

import { equal } from "./core_help.js";
import { PART_BYTES, sendFile, UploadGone } from "../../securechat/web/shell/tus.js";
import { TusServer } from "./tus_server.js";

const SIZE = 2 * PART_BYTES + 1000;

/** @param {TusServer} server @param {object} [options] @param {Uint8Array} [bytes] */
async function send(server, options = {}, bytes = server.whole) {
  const pauses = /** @type {number[]} */ ([]);
  const progress = /** @type {number[]} */ ([]);
  await sendFile({
    path: server.path,
    size: bytes.length,
    read: (from, to) => Promise.resolve(bytes.slice(from, to).buffer),
    progress: (sent) => progress.push(sent),
    signal: new AbortController().signal,
    request: (request) => server.request(request),
    pause(ms) {
      pauses.push(ms);
      if (pauses.length > 100) throw new Error("it is tried for ever");
      return Promise.resolve();
    },
    ...options,
  });
  return { pauses, progress };
}

/** @param {() => Promise<unknown>} run */
async function errorOf(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("it was done");
}

Deno.test("a new upload is sent in parts, without asking first", async () => {
  const server = new TusServer(SIZE);
  const { progress } = await send(server, { known: 0 });
  server.expectWhole();
  equal(server.heard, ["PATCH 0", `PATCH ${PART_BYTES}`, `PATCH ${2 * PART_BYTES}`]);
  equal(progress.at(-1), SIZE);
});

for (let tenth = 0; tenth <= 10; tenth++) {
  Deno.test(`the network is cut at ${tenth}0 %: it goes on from what has arrived`, async () => {
    const server = new TusServer(SIZE);
    server.cutAt(Math.floor(SIZE * tenth / 10));
    const { pauses } = await send(server, { known: 0 });
    server.expectWhole();
    equal(pauses.length, 1);
    equal(server.received, SIZE, "bytes were sent twice:");
  });
  Deno.test(`a page that is loaded anew at ${tenth}0 % goes on`, async () => {
    const server = new TusServer(SIZE);
    server.bytes = server.whole.slice(0, Math.floor(SIZE * tenth / 10));
    await send(server);
    server.expectWhole();
    equal(server.heard[0], "HEAD");
    equal(server.received, SIZE - Math.floor(SIZE * tenth / 10));
  });
}

Deno.test("after a cut it says what is known to be there, not what was on its way", async () => {
  const server = new TusServer(SIZE);
  const said = /** @type {number[]} */ ([]);
  const paused = /** @type {(number | undefined)[]} */ ([]);
  const onItsWay = PART_BYTES + 900;
  server.cutAt(onItsWay);
  await send(server, {
    known: 0,
    progress: (/** @type {number} */ sent) => said.push(sent),
    pause: () => Promise.resolve(paused.push(said.at(-1))),
  });
  equal(paused, [PART_BYTES]);
  equal(said.includes(onItsWay), true, "nothing was on its way:");
});

Deno.test("it is cut again and again, also while it asks", async () => {
  const server = new TusServer(SIZE);
  for (let tenth = 1; tenth < 10; tenth++) {
    server.cutAt(Math.floor(SIZE * tenth / 10));
    server.refuseHeads = 2;
    server.heads = tenth;
  }
  const { pauses } = await send(server);
  server.expectWhole();
  equal(pauses.length >= 9, true);
});

Deno.test("an answer that was lost is asked for: the upload is at its end already", async () => {
  const server = new TusServer(1000);
  server.losesAnswers = 1;
  await send(server, { known: 0 });
  server.expectWhole();
  equal(server.heard, ["PATCH 0", "HEAD", "PATCH 1000"]);
  equal(server.received, 1000);
});

Deno.test("pauses grow, and an answer shortens them again", async () => {
  const server = new TusServer(1000);
  server.dead = 9;
  const { pauses } = await send(server);
  equal(pauses, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  server.expectWhole();
});

Deno.test("busy, locked, too slow, a wrong offset, a proxy without its server: tried again", async () => {
  for (const status of [408, 409, 423, 425, 429, 460, 500, 502, 503, 504]) {
    const server = new TusServer(1000);
    server.answers = [{ status, retryAfter: status === 429 ? 7 : undefined }];
    const { pauses } = await send(server, { known: 0 });
    server.expectWhole();
    equal(pauses, [status === 429 ? 7000 : 500], `${status}`);
    equal(server.heard.slice(0, 2), ["PATCH 0", "HEAD"], `${status}`);
  }
});

Deno.test("an upload that the server has not any more begins anew elsewhere", async () => {
  for (const status of [403, 404]) {
    const server = new TusServer(1000);
    server.answers = [{ status }];
    equal((await errorOf(() => send(server))) instanceof UploadGone, true);
  }
});

Deno.test("an upload that was removed does not begin anew", async () => {
  const server = new TusServer(1000);
  server.answers = [{
    status: 410,
    text: JSON.stringify({ code: "invalid", reason: "upload_removed", detail: "Removed", args: {} }),
  }];
  const error =
    /** @type {import("../../securechat/web/shell/tus.js").UploadRefused} */ (await errorOf(() => send(server)));
  equal([error instanceof UploadGone, error.refusal.reason], [false, "upload_removed"]);
});

Deno.test("a refusal says why, and is not tried again", async () => {
  const server = new TusServer(1000);
  const problem = { code: "picture_unreadable", detail: "It cannot be read", reason: "picture_unreadable", args: {} };
  server.answers = [{ status: 422, text: JSON.stringify(problem) }];
  const error =
    /** @type {import("../../securechat/web/shell/tus.js").UploadRefused} */ (await errorOf(() =>
      send(server, { known: 0 })
    ));
  equal(error.refusal, {
    code: "picture_unreadable",
    text: "It cannot be read",
    reason: "picture_unreadable",
    args: {},
    retryS: null,
  });
  equal(server.heard, ["PATCH 0"]);
  server.answers = [{ status: 418, text: "<html>" }];
  const other =
    /** @type {import("../../securechat/web/shell/tus.js").UploadRefused} */ (await errorOf(() =>
      send(server, { known: 0 })
    ));
  equal([other.refusal.code, other.refusal.text], ["upload", "HTTP 418"]);
});

Deno.test("a picture that cannot be read is kept as a file, without its bytes again", async () => {
  const server = new TusServer(1000);
  server.bytes = server.whole;
  await send(server, { keep: true });
  equal(server.heard, ["HEAD", "PATCH 1000 as file"]);
  equal(server.received, 0);
});

Deno.test("who stops it is heard at once, and nothing is sent afterwards", async () => {
  const server = new TusServer(SIZE);
  const stop = new AbortController();
  server.beforePart = () => stop.abort();
  const error = /** @type {any} */ (await errorOf(() => send(server, { known: 0, signal: stop.signal })));
  equal(error.name, "AbortError");
  equal(server.heard.length, 1);
});

Deno.test("bytes that are not there any more end it", async () => {
  const server = new TusServer(1000);
  const gone = new Error("gone");
  equal(await errorOf(() => send(server, { known: 0, read: () => Promise.reject(gone) })), gone);
  equal(server.heard, []);
});

Deno.test("a server that answers nonsense is asked again, and not believed", async () => {
  const server = new TusServer(1000);
  server.answers = [{ status: 204, offset: "5000" }, { status: 200, offset: "-1" }, { status: 200, offset: "x" }];
  await send(server, { known: 0 });
  server.expectWhole();
});
