/// <reference lib="deno.ns" />

import { equal, Page } from "./core_help.js";
import { TusServer } from "./tus_server.js";
import { openUploads } from "../../securechat/web/shell/uploads.js";
import { PART_BYTES } from "../../securechat/web/shell/tus.js";

/** What a browser keeps: outlives a page. */
class MemoryBox {
  /** @type {Map<string, any>} */
  parcels = new Map();
  /** @type {Map<string, ArrayBuffer>} */
  parts = new Map();
  all = () => Promise.resolve([...this.parcels.values()].map((each) => structuredClone(each)));
  put = (/** @type {any} */ parcel) => Promise.resolve(this.parcels.set(parcel.id, structuredClone(parcel)));
  drop = (/** @type {string} */ id) => Promise.resolve(this.parcels.delete(id));
  putPart = (/** @type {string} */ file, /** @type {number} */ index, /** @type {ArrayBuffer} */ bytes) =>
    Promise.resolve(this.parts.set(`${file} ${index}`, bytes));
  part = (/** @type {string} */ file, /** @type {number} */ index) =>
    Promise.resolve(this.parts.get(`${file} ${index}`));
  dropParts = (/** @type {string} */ file) => {
    for (const key of [...this.parts.keys()]) if (key.startsWith(`${file} `)) this.parts.delete(key);
    return Promise.resolve();
  };
}

/** A page with a core, and a server that takes uploads. */
class Shell {
  /** @type {((changes: any[]) => void)[]} */
  listeners = [];
  /** @type {Map<number, {resolve: (value: any) => void, reject: (reason: any) => void}>} */
  questions = new Map();
  /** @type {Map<string, TusServer>} by path */
  servers = new Map();
  /** @type {any[]} what was asked to be uploaded */
  asked = [];
  /** @type {any} */
  refusal = null;
  here = true;
  secret = "00";
  request = 0;
  /** @type {(() => void)[]} */
  sleepers = [];
  /** @type {(server: TusServer) => void} */
  made = () => {};
  /** @type {string} */
  deleted = "";

  /** @param {MemoryBox | null} box @param {any} [saved] */
  constructor(box, saved) {
    this.box = box;
    this.page = new Page(saved);
    const take = this.page.take.bind(this.page);
    this.page.take = (output) => {
      take(output);
      for (const change of output.changes) {
        if (change.kind !== "answer") continue;
        const question = this.questions.get(change.request);
        if (change.refusal) question?.reject(change.refusal);
        else question?.resolve(change.value);
      }
      if (output.changes.length) { for (const listener of this.listeners) listener([...output.changes]); }
    };
  }

  /** @param {object} [welcome] */
  async open(welcome) {
    this.page.online({ features: ["files", "pictures"], limits: { file_bytes: 25_000_000 }, ...welcome });
    await this.start();
  }

  async start() {
    this.uploads = await openUploads({
      core: this.page.core,
      act: (action) => this.page.act(action),
      ask: (question) =>
        new Promise((resolve, reject) => {
          this.questions.set(++this.request, { resolve, reject });
          this.page.ask(question, this.request);
          this.answer();
        }),
      listen: (listener) => {
        this.listeners.push(listener);
        return () => {};
      },
      secret: () => this.secret,
      isHere: () => this.here,
      onPage: () => () => {},
      box: this.box ? Promise.resolve(this.box) : Promise.reject(new Error("a private window")),
      request: (request) => {
        const server = this.servers.get(request.path);
        if (request.method === "DELETE") this.deleted += `${request.path} `;
        if (!server) return Promise.resolve({ status: 404, text: "", header: () => null });
        return server.request(request);
      },
      sleep: () => new Promise((resolve) => this.sleepers.push(() => resolve(undefined))),
    });
  }

  answer() {
    const commands = this.page.sent.filter(({ t }) => t === "upload");
    this.page.sent = this.page.sent.filter(({ t }) => t !== "upload");
    for (const command of commands) {
      this.asked.push(command);
      if (this.refusal) this.page.hear({ t: "refused", ref: command.ref, ...this.refusal });
      else {
        const id = String(this.asked.length).padStart(32, "0");
        const server = new TusServer(command.size);
        server.path = `/api/v1/uploads/${id}/k`;
        this.servers.set(server.path, server);
        this.made(server);
        this.page.hear({ t: "uploading", ref: command.ref, id, path: server.path, name: command.name, until_ms: 0 });
      }
    }
  }

  wake() {
    for (const wake of this.sleepers.splice(0)) wake();
  }

  get key() {
    return this.page.key("lobby");
  }

  /** @returns {any[]} */
  get parcels() {
    return [...this.uploads?.of(this.key) ?? []];
  }

  /** @returns {any[]} */
  get files() {
    return this.parcels.flatMap((parcel) => parcel.files);
  }

  /** @param {...number} sizes */
  add(...sizes) {
    const files = sizes.map((size, index) => new File([new TusServer(size).whole], `${index}.bin`));
    this.uploads?.add(this.key, files);
  }

  /** @param {() => boolean} condition @param {string} what */
  async until(condition, what = String(condition)) {
    for (let turn = 0; turn < 2000; turn++) {
      if (condition()) return;
      await new Promise((resolve) => setTimeout(resolve));
    }
    throw new Error(`not so: ${what}; ${JSON.stringify(this.parcels)}`);
  }

  /** @param {string} state of every file */
  all = (state) => this.until(() => this.files.length > 0 && this.files.every((file) => file.state === state), state);

  says() {
    return this.page.heardByServer("say").map(({ cid, text, files }) => ({ cid, text, files: files?.map(Number) }));
  }
}

Deno.test("files are sent one after the other, then the message, and nothing is kept behind its ack", async () => {
  const box = new MemoryBox();
  const shell = new Shell(box);
  await shell.open();
  shell.add(1000, 2000);
  shell.page.act({ do: "send", key: shell.key, text: "in between" });
  await shell.all("done");
  equal(shell.asked.map(({ name, size, as_file }) => [name, size, as_file]), [["0.bin", 1000, false], [
    "1.bin",
    2000,
    false,
  ]]);
  equal(shell.says(), [{ cid: 1, text: "in between" }], "a message is not held up by a draft:");
  shell.uploads?.send(shell.key, "two files", null);
  equal(shell.says(), [{ cid: 2, text: "two files", files: [1, 2] }]);
  equal(shell.page.core.pending.at(-1)?.files.map(({ name, size }) => `${name} ${size}`), ["0.bin 1000", "1.bin 2000"]);
  shell.page.hear({ t: "acked", cid: 1, seq: 11 }, { t: "acked", cid: 2, seq: 12 });
  equal(shell.parcels, []);
  await shell.until(() => box.parcels.size === 0 && box.parts.size === 0);
  equal(shell.deleted, "", "what is sent is not given up:");
});

Deno.test("a message that is sent before its files are there waits for them, and is numbered then", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.made = (server) => server.dead = 1;
  shell.add(1000);
  shell.uploads?.send(shell.key, "", 7);
  await shell.until(() => shell.sleepers.length > 0);
  shell.page.act({ do: "send", key: shell.key, text: "first" });
  equal(shell.says(), [{ cid: 1, text: "first" }]);
  shell.wake();
  await shell.until(() => shell.parcels[0]?.state === "said");
  equal(shell.says(), [{ cid: 2, text: "", files: [1] }]);
  equal(shell.page.core.pending.at(-1)?.reply, 7);
});

for (let tenth = 0; tenth <= 10; tenth++) {
  Deno.test(`a reload at ${tenth}0 % goes on with what was chosen`, async () => {
    const size = PART_BYTES + 1000;
    const box = new MemoryBox();
    const before = new Shell(box);
    await before.open();
    before.made = (server) => server.cutAt(Math.floor(size * tenth / 10));
    before.add(size);
    before.uploads?.send(before.key, "look", null);
    await before.until(() => before.sleepers.length > 0 && [...box.parcels.values()][0]?.files[0].stored);
    before.here = false;
    const after = new Shell(box, { unsent: before.page.saved?.unsent ?? [] });
    after.servers = before.servers;
    await after.open();
    await after.until(() => after.parcels[0]?.state === "said");
    const [server] = [...after.servers.values()];
    server?.expectWhole();
    equal(server?.received, size, "bytes were sent twice:");
    equal(after.asked, [], "it was begun anew:");
    equal(after.says(), [{ cid: 1, text: "look", files: [1] }]);
  });
}

Deno.test("a page that ends before all was read says so, and does not send a message without its file", async () => {
  const box = new MemoryBox();
  const before = new Shell(box);
  await before.open();
  before.made = (server) => server.cutAt(10);
  box.putPart = () => Promise.reject(new Error("no room"));
  before.add(1000);
  before.uploads?.send(before.key, "look", null);
  await before.until(() => before.sleepers.length > 0);
  const after = new Shell(box);
  await after.open();
  equal(after.files.map(({ state, refusal }) => `${state} ${refusal.reason}`), ["failed file_unreadable"]);
  equal(after.says(), []);
});

Deno.test("a page that ends behind the hand-over sends it once", async () => {
  for (const forgetful of [false, true]) { // the browser's writing came too late
    const box = new MemoryBox();
    const before = new Shell(box);
    await before.open();
    before.add(1000);
    await before.all("done");
    await before.until(() => [...box.parcels.values()][0]?.files[0].state === "done");
    if (forgetful) box.put = () => Promise.resolve(box.parcels);
    const sending = () => Object.assign([...box.parcels.values()][0], { state: "sending", text: "look" });
    before.uploads?.send(before.key, "look", null);
    equal(before.says().length, 1);
    if (forgetful) sending();
    const after = new Shell(box, { unsent: before.page.saved?.unsent ?? [], lastCid: 1 });
    await after.open();
    equal(after.says(), [{ cid: 1, text: "look", files: [1] }], `${forgetful}`);
    equal(after.page.core.pending.length, 1);
    after.page.hear({ t: "acked", cid: 1, seq: 12 });
    equal(after.parcels, []);
  }
});

Deno.test("what was acknowledged while the browser forgot it is refused as used, and goes silently", async () => {
  const box = new MemoryBox();
  const before = new Shell(box);
  await before.open();
  before.add(1000);
  await before.all("done");
  await before.until(() => [...box.parcels.values()][0]?.files[0].state === "done");
  const [kept] = structuredClone([...box.parcels.values()]);
  before.uploads?.send(before.key, "look", null);
  before.page.hear({ t: "acked", cid: 1, seq: 12 });
  await before.until(() => box.parcels.size === 0);
  box.parcels.set(kept.id, { ...kept, state: "sending" });
  const after = new Shell(box);
  await after.open();
  const [said] = after.page.heardByServer("say");
  after.page.hear({ t: "refused", cid: said.cid, code: "invalid", reason: "upload_used", text: "used" });
  equal([after.parcels.length, after.page.core.pending.length], [0, 0]);
});

Deno.test("a page loaded anew asks by the message, where the server knows its upload no more", async () => {
  for (const [reason, asked] of /** @type {[string, number][]} */ ([["upload_used", 0], ["upload_unknown", 1]])) {
    const box = new MemoryBox();
    const before = new Shell(box);
    await before.open();
    before.add(1000);
    await before.all("done");
    await before.until(() => [...box.parcels.values()][0]?.files[0].state === "done");
    const [kept] = structuredClone([...box.parcels.values()]);
    Object.assign(kept, { state: "sending", text: "once" }); // as it was kept last, before it was whole and said
    kept.files[0].state = "waiting";
    box.parcels.set(kept.id, kept);
    const after = new Shell(box);
    await after.open();
    /** @type {any} */
    let said;
    await after.until(() => !!(said = after.says()[0]), "the message is handed over");
    equal(said.files, [1]);
    after.page.hear({ t: "refused", cid: said.cid, code: "not_found", reason, text: "gone" });
    await after.until(() => after.parcels.length === asked, reason);
    after.wake();
    await after.until(() => after.asked.length === asked, `${reason}: begun anew, or not`);
  }
});

Deno.test("what is too large or empty is refused before anything is asked", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open({ limits: { file_bytes: 100 } });
  shell.add(101, 0, 100);
  await shell.until(() => shell.files[2]?.state === "done");
  equal(shell.asked.map(({ size }) => size), [100]);
  equal(shell.files.map(({ refusal }) => refusal?.reason ?? ""), ["file_too_large", "file_empty", ""]);
  equal(shell.files[0].refusal.args, { size: 101, most: 100 });
  shell.uploads?.retry(shell.files[0]);
  equal(shell.files[0].state, "failed");
});

Deno.test("a full quota is told before the first byte, and tried again when the user wants", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.refusal = { code: "quota", reason: "files_quota_used_up", text: "full", args: { used: 1, most: 2, left: 1 } };
  shell.add(1000, 10);
  await shell.all("failed");
  equal(shell.servers.size, 0);
  equal(shell.files[0].refusal.reason, "files_quota_used_up");
  shell.refusal = null;
  for (const file of shell.files) shell.uploads?.retry(file);
  await shell.all("done");
});

Deno.test("a server that is busy is asked again", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.refusal = { code: "busy", reason: "uploads_of_server_used_up", text: "busy" };
  shell.add(1000);
  await shell.until(() => shell.sleepers.length > 0);
  equal(shell.files[0].state, "waiting");
  shell.refusal = null;
  shell.wake();
  await shell.all("done");
});

Deno.test("without a connection it waits, and goes on when there is one", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.page.lose();
  shell.add(1000);
  await shell.until(() => shell.sleepers.length > 0);
  equal([shell.files[0].state, shell.asked.length], ["waiting", 0]);
  shell.page.online({ live_from: 12, features: ["files"] });
  shell.wake();
  await shell.all("done");
});

Deno.test("a picture that cannot be read is kept as a file when the user wants it", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  const text = JSON.stringify({ code: "picture_unreadable", detail: "no", reason: "picture_unreadable", args: {} });
  shell.made = (server) => {
    server.bytes = server.whole;
    server.answers = [{ status: 422, text }];
  };
  shell.add(1000);
  await shell.all("unreadable");
  const [server] = [...shell.servers.values()];
  shell.uploads?.asFile(shell.files[0], true);
  await shell.all("done");
  equal(server?.heard.slice(1), ["HEAD", "PATCH 1000 as file"]);
  equal(shell.asked.length, 1);
});

Deno.test("another choice for a picture sends it anew, and gives the first one up", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.add(1000);
  await shell.all("done");
  shell.uploads?.asFile(shell.files[0], true);
  await shell.until(() => shell.asked.length === 2);
  await shell.all("done");
  equal(shell.asked[1].as_file, true);
  equal(shell.deleted.split(" ").length - 1, 1);
});

Deno.test("what is removed while it is sent stops, counts no more, and holds up nothing", async () => {
  const box = new MemoryBox();
  const shell = new Shell(box);
  await shell.open();
  shell.made = (server) => server.dead = shell.asked.length === 1 ? 1000 : 0;
  shell.add(1000, 2000);
  shell.uploads?.send(shell.key, "look", null);
  await shell.until(() => shell.sleepers.length > 0);
  equal(shell.files[0].state, "sending");
  shell.uploads?.remove(shell.files[0]);
  shell.wake();
  await shell.until(() => shell.parcels[0]?.state === "said");
  equal(shell.says(), [{ cid: 1, text: "look", files: [2] }]);
  equal(shell.deleted, "/api/v1/uploads/00000000000000000000000000000001/k ");
});

Deno.test("an upload that the server has lost begins anew from what is kept", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.made = (server) => {
    if (shell.asked.length === 1) shell.servers.delete(server.path);
  };
  shell.add(1000);
  await shell.all("done");
  equal(shell.asked.length, 2);
});

Deno.test("a message whose upload is unknown is sent again, with its files", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.add(1000);
  await shell.all("done");
  shell.uploads?.send(shell.key, "look", null);
  equal(shell.says(), [{ cid: 1, text: "look", files: [1] }]);
  shell.page.hear({ t: "refused", cid: 1, code: "not_found", reason: "upload_unknown", text: "gone" });
  await shell.until(() => shell.sleepers.length > 0);
  equal(shell.page.core.pending.length, 0);
  shell.wake();
  await shell.until(() => shell.parcels[0]?.state === "said");
  equal(shell.says(), [{ cid: 2, text: "look", files: [2] }]);
});

Deno.test("a message whose upload is not ready is sent again, without its bytes", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.add(1000);
  await shell.all("done");
  shell.uploads?.send(shell.key, "look", null);
  shell.page.hear({ t: "refused", cid: 1, code: "file_not_ready", reason: "upload_not_ready", text: "wait" });
  await shell.until(() => shell.sleepers.length > 0);
  shell.wake();
  await shell.until(() => shell.parcels[0]?.state === "said");
  equal(shell.says().at(-1), { cid: 2, text: "look", files: [1] });
  equal([...shell.servers.values()].map(({ received }) => received), [1000]);
});

Deno.test("a message that is refused can be taken back with its files, or discarded with them", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  shell.add(1000);
  await shell.all("done");
  shell.uploads?.send(shell.key, "look", null);
  const refuse = (/** @type {number} */ cid) =>
    shell.page.hear({ t: "refused", cid, code: "read_only", reason: "read_only", text: "no" });
  refuse(1);
  shell.uploads?.takeBack(shell.parcels[0]);
  shell.page.act({ do: "discard", number: shell.page.core.pending[0]?.number ?? 0 });
  equal(shell.parcels.map(({ state, files }) => `${state} ${files.length}`), ["draft 1"]);
  equal(shell.deleted, "");
  shell.uploads?.send(shell.key, "look", null);
  refuse(2);
  shell.page.act({ do: "discard", number: shell.page.core.pending[0]?.number ?? 0 });
  equal([shell.parcels.length, shell.deleted.split(" ").length - 1], [0, 1]);
});

Deno.test("a browser that keeps nothing sends all the same", async () => {
  const shell = new Shell(null);
  await shell.open();
  shell.add(PART_BYTES + 5);
  await shell.all("done");
  shell.uploads?.send(shell.key, "look", null);
  equal(shell.says().length, 1);
});

Deno.test("a phone that clears its copy away is sent from what is kept", async () => {
  const shell = new Shell(new MemoryBox());
  await shell.open();
  const whole = new TusServer(1000).whole;
  let reads = 0;
  const file = new File([whole], "photo.jpg");
  file.slice = (...range) => {
    if (++reads > 2) throw new DOMException("gone", "NotReadableError");
    return new Blob([whole]).slice(...range);
  };
  shell.made = (server) => server.dead = 1;
  shell.uploads?.add(shell.key, [file]);
  await shell.until(() => shell.files[0]?.stored === true);
  await shell.until(() => {
    shell.wake();
    return shell.files[0]?.state === "done";
  });
  [...shell.servers.values()][0]?.expectWhole();
});

Deno.test("what was chosen is not sent in another name, nor by a tab that has the chat no more", async () => {
  const box = new MemoryBox();
  const shell = new Shell(box);
  await shell.open();
  shell.add(1000);
  await shell.all("done");
  shell.here = false;
  shell.uploads?.send(shell.key, "look", null);
  equal(shell.says(), []);
  const other = new Shell(box);
  other.secret = "11";
  await other.open();
  equal(other.parcels, []);
  await other.until(() => box.parcels.size === 0 && box.parts.size === 0);
});
