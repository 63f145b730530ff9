/// <reference lib="deno.ns" />

import { sorted, statusText } from "../../securechat/web/ui/conversation.js";
import { equal } from "./core_help.js";
import cases from "../golden/conversation_order.json" with { type: "json" };

/** @param {Record<string, unknown>} core */
const app = (core) => /** @type {any} */ ({
  core: { phase: "online", pending: [], waitsUntilS: null, ...core },
  now: () => 100,
});

for (const { case: name, conversations, order, ids } of /** @type {any[]} */ (cases)) {
  Deno.test(`order of conversations: ${name}`, () => {
    const list = conversations.map((/** @type {any} */ each) => ({
      ...each,
      last: each.last ? { seq: each.last } : null,
    }));
    const muted = conversations.filter((/** @type {any} */ each) => each.muted && each.kind === "room");
    const notify = Object.fromEntries(muted.map((/** @type {any} */ each) => [each.name, "none"]));
    const found = sorted(list, notify);
    equal(found.map((each) => each.name), order);
    if (ids) equal(found.map((each) => each.id), ids);
  });
}

Deno.test("the status says what the connection is doing", () => {
  equal(statusText(app({})), { text: "Connected", kind: "ok", wait: false });
  equal(statusText(app({ pending: [{ state: "sent" }, { state: "waiting" }, { state: "failed" }] })).text, "Sending 2");
  equal(statusText(app({ catchingUp: true })).text, "Catching up");
  equal(statusText(app({ phase: "dialling" })).text, "Connecting…");
  equal(statusText(app({ phase: "offline", waitsUntilS: 104.2 })).wait, true);
  equal(statusText(app({ phase: "naming" })).text, "");
  equal(statusText(app({ phase: "naming", waitsUntilS: 104.2 })).text, "Trying again in 5 s");
});
