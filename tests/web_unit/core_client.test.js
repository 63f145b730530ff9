/// <reference lib="deno.ns" />

import { equal, message, Page } from "./core_help.js";

Deno.test("a page comes online, lists conversations and shows live messages once", () => {
  const page = new Page();
  equal(page.dials, 1);
  page.online();
  equal(page.core.phase, "online");
  equal(page.heardByServer().map((each) => each.t), ["hello", "ping", "conversations"]);
  page.hear(message(11, 0), message(11, 0), message(12, 11));
  equal(page.told("message").map((each) => each.message.seq), [11, 12]);
  equal(page.core.conversations.get(page.key("lobby"))?.unread, 2);
});

Deno.test("a gap is filled before the message is shown", () => {
  const page = new Page();
  page.online();
  page.answer({ t: "conversations" });
  page.hear(message(15, 13));
  equal(page.told("message"), []);
  page.answer({ t: "page", messages: [message(12, 0), message(13, 12)], through: 14 }, "history");
  equal(page.told("message").map((each) => each.message.seq), [12, 13, 15]);
});

Deno.test("what was missed is read after a reconnect, and live entries wait", () => {
  const page = new Page();
  page.online();
  page.answer({ t: "conversations" });
  page.hear(message(11, 0));
  page.lose();
  page.online({ live_from: 14 });
  page.hear(message(15, 14));
  const [history] = page.heardByServer("history");
  equal(history, { t: "history", ref: history.ref, after: 11 });
  page.hear({ t: "page", ref: history.ref, messages: [message(13, 11), message(14, 13)], through: 14 });
  equal(page.told("message").map((each) => each.message.seq), [11, 13, 14, 15]);
  equal(page.told("caughtUp").map((each) => each.missed), [3]);
});

Deno.test("a message is sent once, also by a page that starts again", () => {
  const page = new Page();
  page.online();
  page.act({ do: "send", key: page.key("lobby"), text: "hello \ud83d" });
  const [say] = page.heardByServer("say");
  equal(say, { t: "say", cid: 1, room: "lobby", text: "hello \ufffd" });
  const again = new Page(/** @type {any} */ (page.saved));
  again.online({ lastcid: 0 });
  equal(again.heardByServer("say"), [say]);
  again.act({ do: "send", key: again.key("lobby"), text: "more" });
  equal(again.heardByServer("say")[0].cid, 2);
  again.hear({ t: "acked", cid: 1, seq: 11 }, message(11, 0, { by: 3, name: "ana", text: say.text }));
  equal(again.core.pending.map((each) => each.text), ["more"]);
  equal(again.told("message").map((each) => each.own), [true]);
});

Deno.test("a message that was refused stays as failed until it is sent again or discarded", () => {
  const page = new Page();
  page.online();
  page.act({ do: "send", key: page.key("lobby"), text: "a" });
  page.hear({ t: "refused", code: "read_only", text: "no", cid: 1 });
  equal(page.core.pending.map((each) => each.state), ["failed"]);
  equal(page.saved?.unsent.map((each) => each.failed), [true]);
  page.act({ do: "retry", number: 1 });
  equal(page.heardByServer("say").map((each) => each.cid), [1, 2]);
  page.hear({ t: "refused", code: "read_only", text: "no", cid: 2 });
  page.act({ do: "discard", number: 1 });
  equal(page.core.pending, []);
  equal(page.saved?.unsent, []);
});

Deno.test("a window opens at the present, grows at both ends, and takes what is new", () => {
  const page = new Page();
  page.online();
  page.answer({ t: "conversations" });
  const key = page.key("lobby");
  page.act({ do: "open", key });
  page.hear(message(11, 9));
  page.answer({ t: "page", messages: [message(8, 7), message(9, 8)], through: 9, more: true }, "history");
  const window = page.core.conversations.get(key)?.window;
  equal(window?.messages.map((each) => each.seq), [8, 9, 11]);
  equal([window?.atStart, window?.atEnd, window?.loading], [false, true, null]);
  page.act({ do: "older", key });
  page.answer({ t: "page", messages: [message(7, 0)], through: 7 }, "history");
  page.hear(message(12, 11));
  equal(window?.messages.map((each) => each.seq), [7, 8, 9, 11, 12]);
  equal(window?.atStart, true);
  page.hear({ t: "edited", seq: 13, target: 8, by: 4, name: "budi", at: 1, room: "lobby", text: "new" });
  equal(page.core.find(8, key)?.text, "new");
});

Deno.test("without a name the page asks, and says what was wrong with it", () => {
  const page = new Page({ name: "" });
  equal(page.dials, 0);
  equal(page.told("helloNeeded").map((each) => each.field), ["name"]);
  page.act({ do: "hello", name: "ana" });
  page.wake();
  page.connect();
  page.hear({ t: "refused", code: "login_required", text: "password" });
  equal(page.told("helloNeeded").map((each) => each.field), ["password"]);
  page.act({ do: "hello", name: "ana", password: "secret" });
  equal(page.heardByServer("hello").map((each) => each.password), [undefined, "secret"]);
  page.hear({
    t: "welcome",
    version: 1,
    server: "s",
    sender_id: 3,
    name: "ana",
    live_from: 1,
    account: true,
    token: "ff",
  });
  equal(page.saved?.token, "ff");
});

Deno.test("a connection that does not answer a probe within three seconds is dialled again", () => {
  const page = new Page();
  page.online();
  page.act({ do: "probe" });
  page.now += 3;
  page.take(page.core.tick(page.now));
  equal(page.hangUps, 1);
  page.wake();
  equal([page.dials, page.core.phase], [2, "dialling"]);
});

Deno.test("a secret token is answered to the one who asked, and kept nowhere", () => {
  const page = new Page();
  page.online({ account: true, features: ["bots"] });
  page.ask({ ask: "botadd", name: "deploy", kind: "bot", rooms: ["ops"], scopes: undefined, days: 30 });
  const [asked] = page.heardByServer("botadd");
  equal(asked, { name: "deploy", kind: "bot", rooms: ["ops"], days: 30, t: "botadd", ref: asked.ref });
  const secret = "scb_secret";
  const info = { token: 7, name: "deploy", scopes: ["post"], since: 1 };
  page.hear({ t: "tokenmade", ref: asked.ref, token: secret, info, bot: { id: 9, name: "deploy", bot: true } });
  const [{ value }] = page.told("answer");
  equal(value.token, secret);
  equal(value.info, { ...info, rooms: [], expires: null, used: null, address: "", online: false });
  page.act({ do: "send", key: page.key("lobby"), text: "hello" });
  equal(JSON.stringify(page.saved).includes(secret), false);
  page.ask({ ask: "bots", after: 9 }, 2);
  page.answer({ t: "botlist", bots: [{ id: 10, name: "x", kind: "hook", tokens: [info] }] }, "bots");
  const bots = page.told("answer")[0].value;
  equal([bots.bots[0].stopped, bots.bots[0].tokens[0].rooms, bots.more ?? false], [false, [], false]);
  page.ask({ ask: "tokens" }, 3);
  page.answer({ t: "tokenlist", tokens: [info], more: true }, "tokens");
  equal(page.told("answer")[0].value.more, true);
  page.ask({ ask: "tokenremove", token: 7 }, 4);
  page.answer({ t: "done" }, "tokenremove");
  equal(page.told("answer").map(({ request, refusal }) => [request, refusal]), [[4, null]]);
});

Deno.test("a program stays one, whatever it is called", () => {
  const page = new Page();
  page.online();
  const deploy = { id: 9, name: "deploy", bot: true };
  page.hear({ t: "presence", room: "lobby", joined: [deploy, { id: 4, name: "budi" }], total: 3 });
  equal(page.told("presence")[0].joined.map((/** @type {any} */ each) => Boolean(each.bot)), [true, false]);
  page.hear({ t: "presence", room: "lobby", renamed: [{ id: 9, old: "deploy", new: "rollout" }], total: 3 });
  const members = () => page.core.roomNamed("lobby")?.room?.members;
  equal(members()?.get(9), { id: 9, name: "rollout", bot: true });
  equal(Boolean(members()?.get(4)?.bot), false);
  page.hear(message(11, 0, { bot: true, by: 9, name: "rollout" }), message(12, 11));
  equal(page.told("message").map((each) => each.message.bot), [true, false]);
});

Deno.test("the list of conversations tells that a program wrote last", () => {
  const page = new Page();
  page.online();
  const item = { room: "lobby", last: 10, at: 1, text: "failed" };
  page.answer({ t: "conversations", items: [{ ...item, by: { id: 9, name: "deploy", bot: true } }], through: 10 });
  equal(page.core.roomNamed("lobby")?.last?.bot, true);
});
