/// <reference lib="deno.ns" />

import { equal, message, Page } from "./core_help.js";

/** @param {Page} page @param {...string} texts */
function say(page, ...texts) {
  for (const text of texts) page.act({ do: "send", key: page.key("lobby"), text });
}

/** @param {Page} page */
function states(page) {
  return page.core.pending.map((each) => `${each.text} ${each.state}`);
}

Deno.test("messages wait for a connection, and go out in order under rising numbers", () => {
  const page = new Page();
  page.online();
  page.lose();
  page.heardByServer();
  say(page, "a", "b");
  equal(states(page), ["a waiting", "b waiting"]);
  page.online({ live_from: 12 });
  equal(page.heardByServer("say").map((each) => [each.cid, each.text]), [[1, "a"], [2, "b"]]);
  equal(states(page), ["a sent", "b sent"]);
});

Deno.test("a copy of the tab sends what both have under the same number", () => {
  const page = new Page();
  page.online();
  page.lose();
  say(page, "a", "b");
  const copy = new Page(structuredClone(/** @type {any} */ (page.saved)));
  page.heardByServer();
  page.online({ live_from: 12 });
  page.hear({ t: "acked", cid: 1, seq: 12 }, { t: "acked", cid: 2, seq: 13 });
  say(page, "c");
  copy.online({ lastcid: 3 });
  say(copy, "d");
  const sent = page.heardByServer("say").concat(copy.heardByServer("say"));
  equal(sent.map((each) => `${each.cid} ${each.text}`), ["1 a", "2 b", "3 c", "1 a", "2 b", "4 d"]);
});

Deno.test("what was typed behind a refused message keeps its place", () => {
  const page = new Page();
  page.online();
  say(page, "a");
  page.hear({ t: "refused", code: "disk_full", text: "full", cid: 1, retry: 5 });
  page.heardByServer();
  say(page, "b", "c");
  page.now += 6;
  page.take(page.core.tick(page.now));
  equal(page.heardByServer("say").map((each) => [each.cid, each.text]), [[2, "a"], [3, "b"], [4, "c"]]);
});

Deno.test("after a lost connection no more is sent at once than before", () => {
  const page = new Page();
  page.online();
  page.lose();
  say(page, ..."abcdef");
  page.heardByServer();
  for (const again of [false, true]) {
    page.online({ limits: { unacknowledged_drafts: 4 } });
    equal(page.heardByServer("say").map((each) => each.cid), [1, 2, 3, 4], String(again));
    page.lose();
  }
});

Deno.test("numbers are never used again, even if the server has forgotten them", () => {
  const page = new Page({ lastCid: 40 });
  page.online({ lastcid: 3 });
  say(page, "a");
  equal(page.heardByServer("say")[0].cid, 41);
});

Deno.test("no more is under way than the server takes", () => {
  const page = new Page();
  page.online({ limits: { unacknowledged_drafts: 4 } });
  say(page, ..."abcdef");
  equal(page.heardByServer("say").length, 4);
  page.hear({ t: "acked", cid: 1, seq: 11 });
  equal(page.heardByServer("say").map((each) => each.text), ["e"]);
});

Deno.test("a message that overtook another gets a new number", () => {
  const page = new Page();
  page.online();
  say(page, "a", "b");
  page.hear({ t: "refused", code: "out_of_order", text: "late", cid: 1 });
  equal(page.heardByServer("say").map((each) => [each.cid, each.text]), [[1, "a"], [2, "b"], [3, "a"]]);
});

Deno.test("what passes by itself is waited for", () => {
  for (
    const [code, retry, waits] of /** @type {[string, number | undefined, number][]} */ ([
      ["disk_full", 5, 5],
      ["busy", undefined, 1],
      ["overloaded", undefined, 1],
      ["slow_mode", 3, 3],
    ])
  ) {
    const page = new Page();
    page.online();
    say(page, "a");
    page.heardByServer();
    page.hear({ t: "refused", code, text: code, cid: 1, retry });
    equal(states(page), ["a waiting"], code);
    page.now += waits - 0.1;
    page.take(page.core.tick(page.now));
    equal(page.heardByServer("say"), [], code);
    page.now += 0.2;
    page.take(page.core.tick(page.now));
    equal(page.heardByServer("say").map((each) => each.cid), [2], code);
  }
});

Deno.test("slow mode holds one room back and no other", () => {
  const page = new Page();
  page.online({}, [{ t: "joined", room: "ops", live_from: 10, total: 1 }]);
  say(page, "a", "b");
  page.hear({ t: "refused", code: "slow_mode", text: "slow", cid: 2, retry: 3 }, { t: "acked", cid: 1, seq: 11 });
  page.heardByServer();
  page.act({ do: "send", key: page.key("ops"), text: "c" });
  equal(page.heardByServer("say").map((each) => each.text), ["c"]);
});

Deno.test("a mute, a rule and a long pause in slow mode are final", () => {
  const page = new Page();
  page.online();
  say(page, "a", "b", "c");
  page.hear({ t: "refused", code: "muted", text: "muted", cid: 1, retry: 9 });
  page.hear({ t: "refused", code: "read_only", text: "no", cid: 2 });
  page.hear({ t: "refused", code: "slow_mode", text: "slow", cid: 3, retry: 600 });
  equal(states(page), ["a failed", "b failed", "c failed"]);
  equal(page.core.roomNamed("lobby")?.mutedS, 9);
});

Deno.test("a text that is too long fails before it is sent; white space is not sent", () => {
  const page = new Page();
  page.online();
  say(page, "🎉".repeat(4000), "x".repeat(4001), " \n ");
  equal(page.core.pending.map((each) => [each.state, each.refusal?.code]), [["sent", undefined], [
    "failed",
    "text_too_long",
  ]]);
});

Deno.test("edits, deletions and reactions are sent where their message is", () => {
  const page = new Page();
  page.online();
  const key = page.key("lobby");
  page.hear(message(11, 0), message(12, 0, { room: undefined, to: 3, by: 4 }));
  page.act({ do: "edit", key, seq: 11, text: "new" });
  page.act({ do: "delete", key: "p4", seq: 12 });
  page.act({ do: "react", key, seq: 11, sign: "+1", on: false });
  equal(page.heardByServer().filter((each) => each.cid), [
    { t: "amend", cid: 1, seq: 11, text: "new", room: "lobby" },
    { t: "delete", cid: 2, seq: 12, to: 4 },
    { t: "react", cid: 3, seq: 11, sign: "+1", room: "lobby", on: false },
  ]);
});

Deno.test("while the server throttles nothing is sent, and less at a time afterwards", () => {
  const page = new Page();
  page.online();
  page.hear({ t: "throttled", retry: 2 });
  say(page, ..."abcdefghijkl");
  equal(page.heardByServer("say"), []);
  page.now += 2;
  page.take(page.core.tick(page.now));
  equal(page.heardByServer("say").length, 8);
});

Deno.test("damaged storage costs no more than what is damaged", () => {
  const sound = { number: 4, cid: 7, room: "lobby", to: null, kind: "message", text: "a", failed: false };
  const page = new Page({ unsent: /** @type {any} */ ([null, {}, { number: "x", cid: 3 }, sound]) });
  page.online();
  equal(page.heardByServer("say").map((each) => [each.cid, each.text]), [[7, "a"]]);
});

Deno.test("a page that was killed sends what it had stored, each once, in the order typed", () => {
  const page = new Page();
  page.online();
  say(page, "a", "b");
  page.hear({ t: "acked", cid: 1, seq: 11 });
  page.hear({ t: "refused", code: "read_only", text: "no", cid: 2 });
  say(page, "c");
  page.lose();
  say(page, "d");
  const saved = page.saved;
  equal(saved?.unsent.map((each) => [each.text, each.cid, each.failed]), [["b", 0, true], ["c", 3, false], [
    "d",
    4,
    false,
  ]]);
  const again = new Page(/** @type {any} */ (saved));
  equal(states(again), ["b failed", "c waiting", "d waiting"]);
  equal(again.core.pending.map((each) => each.refusal?.code), ["read_only", undefined, undefined]);
  again.online({ lastcid: 2 });
  equal(again.heardByServer("say").map((each) => [each.cid, each.text]), [[3, "c"], [4, "d"]]);
  again.act({ do: "retry", number: 2 });
  equal(again.heardByServer("say").map((each) => [each.cid, each.text]), [[5, "b"]]);
});
