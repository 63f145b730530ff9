/// <reference lib="deno.ns" />

import { equal, message, Page } from "./core_help.js";

const ACCOUNT = { account: true, token: "a".repeat(32) };
const BUDI = { id: 4, name: "budi" };

/** @param {string} room @param {object} [fields] */
function joined(room, fields = {}) {
  return { t: "joined", room, live_from: 10, total: 2, members: [{ id: 3, name: "ana" }, BUDI], ...fields };
}

/** @param {Page} page @param {string} name */
function room(page, name) {
  const found = page.core.roomNamed(name);
  if (!found) throw new Error(`there is no #${name}`);
  return found;
}

Deno.test("an account is in the rooms that the server tells: the others are left, a renamed one is known by its id", () => {
  const page = new Page(ACCOUNT);
  page.online(ACCOUNT, [joined("ops", { role: "member", id: 5 }), joined("den", { role: "owner", id: 6 })]);
  const key = page.key("ops");
  page.lose();
  page.heardByServer();
  page.online({ ...ACCOUNT, live_from: 12 }, [joined("ops2", { role: "member", id: 5, live_from: 12 })]);
  equal([page.key("ops2"), page.key("den")], [key, ""]);
  equal(page.told("renamed").map((each) => [each.key, each.old]), [[key, "ops"]]);
  equal(page.told("left").length, 1);
  equal(page.heardByServer("join"), []);
});

Deno.test("a guest joins the rooms again that the server does not tell, also on a new page", () => {
  const page = new Page();
  page.online({}, [joined("ops"), joined("den")]);
  equal(page.saved?.rooms, ["ops", "den"]);
  page.lose();
  page.heardByServer();
  page.online({ live_from: 12 }, [joined("den", { live_from: 12 })]);
  equal([page.core.phase, page.heardByServer("join").map((each) => each.rooms)], ["rejoining", [["ops"]]]);
  const again = new Page(/** @type {any} */ (page.saved));
  again.online();
  const [join] = again.heardByServer("join");
  equal(join.rooms, ["den", "ops"]);
  again.hear(joined("den", { ref: join.ref }));
  again.hear({ t: "refused", code: "room_banned", text: "no", ref: join.ref, room: "ops" });
  equal([again.core.phase, again.saved?.rooms], ["online", ["den"]]);
});

Deno.test("a renamed room keeps its key, and what was on its way belongs to it", () => {
  const page = new Page();
  page.online({}, [joined("ops", { id: 5 })]);
  const key = page.key("ops");
  page.hear({ t: "roomrules", room: "work", was: "ops", by: BUDI, id: 5, topic: "jobs" });
  page.hear(message(11, 0, { room: "ops" }));
  equal(page.told("message").map((each) => [each.key, each.message.room]), [[key, "work"]]);
  equal(page.told("renamed"), [{ kind: "renamed", key, old: "ops", by: BUDI }]);
  equal(room(page, "#Work").room?.topic, "jobs");
  page.act({ do: "send", key, text: "hi" });
  equal(page.heardByServer("say").map((each) => each.room), ["work"]);
});

Deno.test("what is held back of a renamed room stays its own when another room gets the name", () => {
  const page = new Page();
  page.online({}, [joined("ops", { id: 5 })]);
  const key = page.key("ops");
  page.lose();
  page.heardByServer();
  page.online({ live_from: 20 }, [joined("ops", { id: 5, live_from: 20 })]);
  const [history] = page.heardByServer("history");
  page.hear(message(21, 10, { room: "ops" }));
  page.hear({ t: "roomrules", room: "work", was: "ops", by: BUDI, id: 5, topic: "" });
  page.hear(joined("ops", { id: 9, live_from: 20 }));
  page.hear({ t: "page", ref: history.ref, messages: [], through: 20 });
  equal(page.told("message").map((each) => [each.key, each.message.room]), [[key, "work"]]);
});

Deno.test("members come and go, and change their names once in all rooms", () => {
  const page = new Page();
  page.online({}, [joined("ops"), joined("den")]);
  page.told("presence");
  const cyd = { id: 5, name: "cyd" };
  page.hear({ t: "presence", room: "ops", total: 3, joined: [cyd, BUDI], left: [] });
  page.hear({ t: "presence", room: "ops", total: 2, left: [BUDI, { id: 9, name: "nobody" }] });
  const renamed = [{ id: 4, old: "budi", new: "bud" }];
  page.hear({ t: "presence", room: "den", total: 2, renamed }, { t: "presence", room: "ops", total: 2, renamed });
  equal(page.told("presence").map((each) => [each.joined.length, each.left.length, each.renamed.length]), [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [0, 0, 0],
  ]);
  equal([...room(page, "ops").room?.members?.values() ?? []].map((each) => each.name), ["ana", "cyd"]);
  equal([...room(page, "den").room?.members?.values() ?? []].map((each) => each.name), ["ana", "bud"]);
  equal(page.core.nameOf(4), "bud");
});

Deno.test("a room of which only the number is told has no members", () => {
  const page = new Page();
  page.online({}, [joined("ops", { members: [], total: 500 })]);
  page.hear({ t: "presence", room: "ops", total: 501 });
  equal([room(page, "ops").room?.members, room(page, "ops").room?.total], [null, 501]);
});

Deno.test("roles and mutes are told", () => {
  const page = new Page(ACCOUNT);
  page.online(ACCOUNT, [joined("ops", { role: "member", id: 5 })]);
  page.hear({ t: "role", room: "ops", person: { id: 3, name: "ana" }, role: "moderator", muted_s: 60 });
  equal([room(page, "ops").room?.role, room(page, "ops").mutedS], ["moderator", 60]);
  page.hear({ t: "role", room: "ops", person: BUDI, role: "member", muted_s: null });
  equal(room(page, "ops").room?.muted.has(4), true);
  page.hear({ t: "role", room: "ops", person: BUDI, role: "member" });
  equal(room(page, "ops").room?.muted.has(4), false);
});

Deno.test("who leaves a room hears no more of it", () => {
  const page = new Page();
  page.online({}, [joined("ops")]);
  const key = page.key("ops");
  page.ask({ ask: "leaveRoom", key }, 5);
  page.hear(joined("ops")); // was on its way
  page.answer({ t: "left", room: "ops" }, "leave");
  page.hear(message(11, 0, { room: "ops" }));
  equal(page.told("message"), []);
  equal(page.told("left").map((each) => [each.key, each.refusal]), [[key, null]]);
  equal(page.told("answer").map((each) => each.refusal), [null]);
  page.hear({ t: "left", room: "lobby", ref: 0, code: "kicked", text: "out" });
  equal(page.told("left").map((each) => each.refusal.code), ["kicked"]);
});

Deno.test("the list brings counts, and live messages go on counting", () => {
  const page = new Page(ACCOUNT);
  page.online({ ...ACCOUNT, live_from: 50 }, [joined("ops", { role: "member", id: 5, live_from: 50 })]);
  const items = [
    {
      room: "ops",
      id: 5,
      last: 40,
      by: BUDI,
      at: 1,
      text: "tea",
      read: 30,
      unread: 3,
      mentions: 1,
      first: 32,
      slow_s: 7,
    },
    { peer: { id: 8, name: "eve" }, last: 41, by: { id: 8, name: "eve" }, text: "psst", read: 41, muted_s: null },
  ];
  page.hear(message(51, 40, { room: "ops", mentions: [3] })); // before the answer: counted once
  page.answer({ t: "conversations", items, more: true, through: 8 }, "conversations");
  equal(page.heardByServer("conversations").map((each) => [each.after, each.afterroom]).slice(1), [[8, undefined]]);
  const ops = room(page, "ops");
  equal([ops.unread, ops.mentions, ops.firstUnread, ops.read, ops.room?.slowS, ops.last?.seq], [4, 2, 32, 30, 7, 51]);
  const eve = page.core.directWith(8);
  equal([eve?.name, eve?.last?.text, eve?.mutedS, eve?.unread], ["eve", "psst", null, 0]);
  page.act({ do: "read", key: ops.key, seq: 51 });
  equal([ops.unread, ops.mentions, ops.firstUnread], [0, 0, 0]);
  page.hear(message(52, 51, { room: "ops" }), {
    t: "deleted",
    seq: 53,
    target: 52,
    by: 4,
    name: "budi",
    at: 1,
    room: "ops",
  });
  equal([ops.unread, ops.last?.deleted], [0, 53]);
});

Deno.test("what was read is told at a measured pace, and what another device reads is not told", () => {
  const page = new Page(ACCOUNT);
  page.online(ACCOUNT, [joined("ops", { role: "member", id: 5 })]);
  const [lobby, ops] = [page.key("lobby"), page.key("ops")];
  page.hear(message(11, 0), message(12, 11), message(13, 0, { room: "ops" }), message(14, 13, { room: "ops" }));
  page.act({ do: "read", key: lobby, seq: 11 });
  page.act({ do: "read", key: lobby, seq: 12 });
  page.act({ do: "read", key: ops, seq: 13 });
  page.hear({ t: "read", seq: 14, room: "ops" });
  equal([page.core.conversations.get(ops)?.unread, page.core.conversations.get(lobby)?.unread], [0, 0]);
  for (let each = 0; each < 3; each++) page.wake();
  equal(page.heardByServer("read"), [{ t: "read", seq: 11, room: "lobby" }, { t: "read", seq: 12, room: "lobby" }]);
});

Deno.test("a purge takes messages out of counts and lists", () => {
  const page = new Page();
  page.online();
  page.hear(message(11, 0), message(12, 11, { by: 5 }));
  page.hear({ t: "purged", through: 12, by: 5 });
  const lobby = room(page, "lobby");
  equal([lobby.unread, lobby.last], [1, null]);
  page.hear({ t: "purged", through: 11, room: "lobby" });
  equal([lobby.unread, lobby.firstUnread], [0, 0]);
});

Deno.test("who types is shown for some seconds, or until the message comes", () => {
  const page = new Page();
  page.online();
  const lobby = room(page, "lobby");
  page.hear({ t: "typing", by: BUDI, room: "lobby" }, { t: "typing", by: { id: 5, name: "cyd" }, room: "lobby" });
  equal(lobby.typing.map((each) => each.id), [4, 5]);
  page.hear(message(11, 0));
  equal(lobby.typing.map((each) => each.id), [5]);
  page.wake();
  equal([page.now, lobby.typing], [106, []]);
  page.act({ do: "typing", key: lobby.key });
  page.act({ do: "typing", key: lobby.key });
  equal(page.heardByServer("typing"), [{ t: "typing", room: "lobby" }]);
});

Deno.test("a dialogue is opened by name, and by its first message", () => {
  const page = new Page();
  page.online();
  page.ask({ ask: "openDirect", name: "Budi" }, 9);
  page.answer({ t: "found", person: BUDI }, "whois");
  equal(page.told("answer").map((each) => [each.request, each.value.key]), [[9, "p4"]]);
  page.act({ do: "send", key: "p4", text: "hi" });
  equal(page.heardByServer("direct"), [{ t: "direct", cid: 1, to: 4, text: "hi" }]);
  page.hear(message(11, 0, { room: undefined, to: 3, toname: "ana", by: 6, name: "fay" }));
  equal(page.core.directWith(6)?.name, "fay");
});

Deno.test("a search is asked in its turn, and answered with its marks", () => {
  const page = new Page();
  page.online();
  page.ask({ ask: "search", query: "tea" }, 4);
  equal(page.sent.filter((each) => each.t === "search"), []);
  page.answer({ t: "conversations" }, "conversations");
  const [search] = page.heardByServer("search");
  equal([search.query, search.limit], ["tea", 20]);
  page.hear({ t: "hits", ref: search.ref, hits: [{ message: message(9, 0), marks: [[0, 4]] }], more: true });
  equal(page.told("answer").map((each) => [each.value.hits[0].marks, each.value.more]), [[[[0, 4]], true]]);
});
