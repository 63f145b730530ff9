/// <reference lib="deno.ns" />

import { equal, message, Page } from "./core_help.js";

const ACCOUNT = { account: true, token: "a".repeat(32) };

/** @param {Page} page @param {string} code @param {object} [more] */
function refuse(page, code, more = {}) {
  page.hear({ t: "refused", code, text: code, ...more });
}

/** @param {Page} page @param {string} code @param {object} [more] */
function close(page, code, more = {}) {
  page.hear({ t: "closing", code, text: code, ...more });
  page.lose();
}

Deno.test("attempts to connect grow apart, never less than the server asks for", () => {
  const page = new Page();
  page.online();
  close(page, "shutting_down", { retry: 5 });
  const waits = [];
  for (let each = 0; each < 8; each++) {
    waits.push(Math.round(100 * ((page.core.waitsUntilS ?? 0) - page.now)) / 100);
    page.wake();
    page.lose();
  }
  equal(waits, [5.15, 0.3, 0.6, 1.2, 2.4, 4.8, 7.5, 7.5]);
  page.act({ do: "reconnect" });
  equal([page.core.phase, page.core.waitsUntilS], ["offline", page.now]);
});

for (const code of [null, "internal", "shutting_down"]) {
  Deno.test(`a server that dies after each welcome is left alone for longer: ${code}`, () => {
    const page = new Page();
    /** @type {number[]} */
    const waits = [];
    for (let each = 0; each < 14; each++) {
      page.online();
      if (code) close(page, code);
      else page.lose();
      waits.push((page.core.waitsUntilS ?? 0) - page.now);
      page.wake();
    }
    waits.forEach((wait, at) => {
      if (wait + 1e-6 < (waits[at - 1] ?? 0)) throw new Error(`${waits}: a welcome alone starts nothing over`);
    });
    equal(waits.filter((wait) => wait < 1).length <= 3, true);
    const longest = code === "shutting_down" ? 10 : 60; // one that says why is not taken for a dying one
    equal(Math.round(100 * (waits.at(-1) ?? 0)) / 100, 0.75 * longest);
    page.online();
    page.now += 10;
    page.lose();
    equal((page.core.waitsUntilS ?? 0) - page.now <= 0.2, true);
  });
}

Deno.test("a silent connection is asked after a minute and given up half a minute later", () => {
  const page = new Page();
  page.online();
  page.heardByServer();
  page.wake();
  equal([page.now, page.heardByServer()], [160, [{ t: "ping", n: 1 }]]);
  page.hear({ t: "pong", n: 1 });
  page.wake();
  page.wake();
  equal([page.now, page.hangUps], [250, 1]);
});

Deno.test("a page that was frozen asks at once whether its connection lives", () => {
  const page = new Page();
  page.online();
  page.heardByServer();
  page.now += 5_000;
  page.take(page.core.tick(page.now));
  equal([page.hangUps, page.heardByServer("ping").length], [0, 1]);
  page.wake();
  equal([page.now, page.hangUps], [5_103, 1]);
});

Deno.test("a connection that is not made in ten seconds is given up, on waking in three", () => {
  const page = new Page();
  page.wake();
  equal([page.now, page.hangUps, page.core.phase], [110, 1, "offline"]);
  page.wake();
  page.act({ do: "probe" });
  page.wake();
  equal([page.hangUps, page.core.phase], [2, "offline"]);
  if (page.now > 114) throw new Error(`given up at ${page.now}`);
});

Deno.test("a page that was replaced does not come back by a probe", () => {
  const page = new Page();
  page.online();
  close(page, "replaced");
  page.act({ do: "probe" });
  equal([page.core.phase, page.core.deadline()], ["ended", null]);
});

Deno.test("silence means nothing while the server does not read", () => {
  const page = new Page();
  page.online();
  page.hear({ t: "throttled", retry: 100 });
  page.wake();
  equal(page.now, 100 + 100 + 5 + 60);
});

Deno.test("every reason to close has its end", () => {
  for (
    const [code, why] of [
      ["replaced", "replaced"],
      ["banned", "banned"],
      ["kicked", "kicked"],
      ["bad_frame", "bug"],
      ["frame_too_large", "bug"],
      ["hello_expected", "bug"],
      ["unsupported_version", "version"],
      ["logged_out", "loggedOut"],
      ["bye", "left"],
    ]
  ) {
    const page = new Page();
    page.online();
    close(page, /** @type {string} */ (code));
    equal(page.told("ended").map((each) => [each.why, each.refusal.code]), [[why, code]]);
    equal(page.core.deadline(), null);
  }
  for (const code of ["ping_timeout", "slow_reader", "internal", "log_failed", "some_new_code"]) {
    const page = new Page();
    page.online();
    close(page, code);
    equal(page.core.phase, "offline", code);
  }
});

Deno.test("an ended page connects again when the user wants it", () => {
  const page = new Page();
  page.online();
  close(page, "replaced");
  page.act({ do: "reconnect" });
  page.online({ live_from: 12 });
  equal(page.core.phase, "online");
  equal(page.told("reset"), []);
});

Deno.test("a name that is kept is waited for, and another one may be chosen", () => {
  const page = new Page();
  page.connect();
  refuse(page, "name_in_use", { retry: 30, reason: "name_kept" });
  equal([page.core.phase, page.core.waitsUntilS], ["naming", 130]);
  page.act({ do: "hello", name: "maria" });
  refuse(page, "name_in_use");
  equal(page.told("helloNeeded").map((each) => each.field), ["name"]);
  page.act({ do: "hello", name: "ana" });
  refuse(page, "name_in_use", { retry: 30 });
  page.lose();
  page.wake();
  equal([page.now, page.core.phase], [130, "dialling"]);
  page.connect();
  equal(page.heardByServer("hello").map((each) => each.name), ["ana", "maria", "ana", "ana"]);
});

Deno.test("a connection that ends while the user types is dialled when it is needed", () => {
  const page = new Page();
  page.connect();
  refuse(page, "login_required");
  close(page, "hello_timeout");
  equal([page.core.phase, page.core.deadline()], ["naming", null]);
  page.act({ do: "hello", name: "ana", password: "secret" });
  page.wake();
  page.connect();
  equal(page.heardByServer("hello").map((each) => each.password), [undefined, "secret"]);
});

Deno.test("a login that has expired is forgotten; one that is slowed down is tried again", () => {
  const page = new Page({ token: "b".repeat(32) });
  page.connect();
  equal(page.heardByServer("hello")[0].token, "b".repeat(32));
  refuse(page, "login_slowed", { retry: 4 });
  equal(page.core.phase, "naming"); // the user may choose otherwise
  page.wake();
  equal([page.now, page.heardByServer("hello").length], [104, 1]);
  refuse(page, "login_expired");
  equal([page.saved?.token, page.told("helloNeeded").map((each) => each.field)], ["", ["password"]]);
});

Deno.test("a full disk is waited for by who was in before, and nothing is asked", () => {
  const page = new Page();
  page.online();
  page.lose();
  page.connect();
  refuse(page, "disk_full");
  equal([page.core.phase, (page.core.waitsUntilS ?? 0) - page.now], ["greeting", 1]);
  page.wake();
  equal(page.heardByServer("hello").length, 3);
});

Deno.test("an invite asks for a password, and makes an account", () => {
  const page = new Page({ name: "" });
  page.act({ do: "hello", name: "ana", invite: "c".repeat(32) });
  page.wake();
  page.connect();
  refuse(page, "password_needed");
  equal(page.told("helloNeeded").map((each) => each.field), ["name", "newPassword"]);
  page.act({ do: "hello", name: "ana", password: "three words here" });
  const [first, second] = page.heardByServer("hello");
  equal([first.invite, first.password, second.invite, second.password], [
    "c".repeat(32),
    undefined,
    "c".repeat(32),
    "three words here",
  ]);
  refuse(page, "invite_used");
  equal(page.told("helloNeeded").map((each) => each.field), ["invite"]);
});

Deno.test("who logs in as somebody else takes another secret, and says nothing in the other's name", () => {
  const page = new Page();
  page.online();
  page.lose();
  page.act({ do: "send", key: page.key("lobby"), text: "as a guest" });
  page.connect();
  refuse(page, "login_required");
  const before = page.saved?.secret;
  page.act({ do: "hello", name: "boss", password: "secret" });
  if (page.saved?.secret === before) throw new Error("the secret is the same");
  equal(page.core.pending.map((each) => [each.state, each.refusal?.code]), [["failed", "unconfirmed"]]);
  page.hear({ t: "welcome", version: 1, server: "s", sender_id: 9, name: "boss", live_from: 20, ...ACCOUNT });
  equal(page.told("reset").length, 1);
  equal(page.saved?.token, ACCOUNT.token);
});

Deno.test("another log, or another sender, is begun anew", () => {
  const page = new Page();
  page.online({}, [{ t: "joined", room: "ops", live_from: 10, total: 1 }]);
  page.hear(message(15, 0));
  page.act({ do: "open", key: page.key("lobby") });
  page.lose();
  page.heardByServer();
  page.online({ live_from: 12 });
  equal(page.told("reset").length, 1);
  equal(page.heardByServer("join").map((each) => each.rooms), [["ops"]]);
  const [lobby] = [...page.core.conversations.values()];
  equal([lobby?.name, lobby?.last, lobby?.window.loading], ["lobby", null, "replace"]);
});

Deno.test("what waits for a person or message of the old log is not sent to the new one", () => {
  const page = new Page();
  page.online();
  page.hear(message(15, 0));
  page.hear(message(16, 0, { room: undefined, to: 3, toname: "ana", by: 6, name: "fay" }));
  const fay = page.core.directWith(6)?.key ?? "";
  page.lose();
  page.act({ do: "send", key: fay, text: "for fay alone" });
  page.act({ do: "send", key: page.key("lobby"), text: "an answer", reply: 15 });
  page.act({ do: "react", key: page.key("lobby"), seq: 15, sign: "+", on: true });
  page.act({ do: "send", key: page.key("lobby"), text: "for all" });
  page.heardByServer();
  page.online({ live_from: 12 });
  equal(page.told("reset").length, 1);
  const sent = page.heardByServer().filter((each) => each.cid !== undefined);
  equal(sent.map((each) => [each.t, each.text]), [["say", "for all"]]);
  equal(page.core.pending.map((each) => [each.text, each.state]), [
    ["for fay alone", "failed"],
    ["an answer", "failed"],
    ["", "failed"],
    ["for all", "sent"],
  ]);
});

Deno.test("a temporary password is changed before anything else", () => {
  const page = new Page();
  page.connect();
  refuse(page, "login_required");
  page.act({ do: "hello", name: "ana", password: "temporary" });
  page.hear({
    t: "welcome",
    version: 1,
    server: "s",
    sender_id: 3,
    name: "ana",
    live_from: 9,
    must_change: true,
    ...ACCOUNT,
  });
  page.hear({ t: "joined", room: "lobby", live_from: 9, total: 1 }, { t: "pong" });
  equal([page.core.phase, page.core.mustChange], ["rejoining", true]);
  page.ask({ ask: "rooms" }, 1);
  page.ask({ ask: "password", old: "", new: "my own words" }, 2);
  equal(page.heardByServer("password").map((each) => [each.old, each.new]), [["temporary", "my own words"]]);
  page.sent.push({ ref: page.told("answer").length });
  page.hear({ t: "done", ref: 1 });
  equal([page.core.phase, page.core.mustChange], ["online", false]);
});

Deno.test("leaving waits for what is unsent, and says goodbye", () => {
  const page = new Page();
  page.online();
  page.act({ do: "send", key: page.key("lobby"), text: "bye all" });
  page.act({ do: "leave" });
  equal(page.heardByServer("quit"), []);
  page.hear({ t: "acked", cid: 1, seq: 11 });
  equal(page.heardByServer("quit"), [{ t: "quit" }]);
  close(page, "bye");
  equal(page.told("ended").map((each) => each.why), ["left"]);
});

Deno.test("logging out forgets the login; what was on its way is sent again by the same person alone", () => {
  const page = new Page(ACCOUNT);
  page.online(ACCOUNT);
  page.act({ do: "send", key: page.key("lobby"), text: "a" });
  page.ask({ ask: "logout" }, 7);
  page.answer({ t: "done" }, "logout");
  equal(page.told("ended").map((each) => each.why), ["loggedOut"]);
  equal([page.saved?.token, page.hangUps], ["", 1]);
  const saved = /** @type {any} */ (page.saved);
  for (const [name, sent] of /** @type {[string, number[]][]} */ ([["ana", [1]], ["eve", []]])) {
    const again = new Page(saved);
    again.connect();
    refuse(again, "login_required");
    again.act({ do: "hello", name, password: "secret" });
    again.hear({ t: "welcome", version: 1, server: "s", sender_id: 3, name, live_from: 12, ...ACCOUNT });
    again.hear({ t: "joined", room: "lobby", live_from: 12, total: 1 }, { t: "pong" });
    equal(again.heardByServer("say").map((each) => each.cid), sent, name);
  }
});

Deno.test("questions without a connection, and those it takes along, are answered with offline", () => {
  const page = new Page();
  page.ask({ ask: "rooms" }, 1);
  page.online();
  page.ask({ ask: "search", query: "tea" }, 2);
  page.ask({ ask: "who", key: page.key("lobby") }, 3);
  page.lose();
  const told = page.told("answer").map((each) => [each.request, each.refusal.code]).sort();
  equal(told, [[1, "offline"], [2, "offline"], [3, "offline"]]);
});

Deno.test("a message without an answer makes the page ask whether the connection lives", () => {
  const page = new Page();
  page.online();
  page.act({ do: "send", key: page.key("lobby"), text: "a" });
  page.heardByServer();
  page.wake();
  equal([page.now, page.heardByServer().map((each) => each.t)], [105, ["ping"]]);
  page.hear({ t: "pong", n: 1 });
  page.wake();
  equal([page.now, page.heardByServer().map((each) => each.t)], [110, ["ping"]]);
  page.wake();
  equal([page.now, page.hangUps, page.core.phase], [113, 1, "offline"]);
});

Deno.test("a message without an answer is no doubt while the server does not read, nor once it is refused", () => {
  const page = new Page();
  page.online();
  page.act({ do: "send", key: page.key("lobby"), text: "a" });
  page.hear({ t: "throttled", retry: 20 });
  page.heardByServer();
  page.wake();
  equal([page.now, page.heardByServer().map((each) => each.t)], [125, ["ping"]]);
  page.hear({ t: "refused", code: "disk_full", text: "full", cid: 1, retry: 30 });
  page.wake();
  equal([page.now, page.heardByServer().map((each) => each.t)], [155, ["say"]]);
});
