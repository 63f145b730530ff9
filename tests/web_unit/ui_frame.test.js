/// <reference lib="deno.ns" />

import { sorted } from "../../securechat/web/ui/app.js";
import { statusText } from "../../securechat/web/ui/conversation.js";
import { equal } from "./core_help.js";

/** @param {Record<string, unknown>} core */
const app = (core) => /** @type {any} */ ({
  core: { phase: "online", pending: [], waitsUntilS: null, ...core },
  now: () => 100,
});

Deno.test("conversations stand by their last message, those without one behind, by name", () => {
  /** @param {string} name @param {number} seq */
  const one = (name, seq) => /** @type {any} */ ({ name, id: 0, last: seq ? { seq } : null });
  const names = sorted([one("old", 3), one("b", 0), one("new", 9), one("a", 0)]).map(({ name }) => name);
  equal(names, ["new", "old", "a", "b"]);
});

Deno.test("the status says what the connection is doing", () => {
  equal(statusText(app({})), { text: "Connected", kind: "ok", wait: false });
  equal(statusText(app({ pending: [{ state: "sent" }, { state: "waiting" }, { state: "failed" }] })).text, "Sending 2");
  equal(statusText(app({ catchingUp: true })).text, "Catching up");
  equal(statusText(app({ phase: "dialling" })).text, "Connecting…");
  equal(statusText(app({ phase: "offline", waitsUntilS: 104.2 })).wait, true);
  equal(statusText(app({ phase: "naming" })).text, "");
  equal(statusText(app({ phase: "naming", waitsUntilS: 104.2 })).text, "Trying again in 5 s");
});
