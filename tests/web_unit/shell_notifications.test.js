/// <reference lib="deno.ns" />

import { browserName, DEFAULTS, filesOfText } from "../../securechat/web/shell/browser.js";
import { verdict, waiting } from "../../securechat/web/shell/notifications.js";
import { equal } from "./core_help.js";

/** @import {Settings} from "../../securechat/web/core/types.js" */

const room = (more = {}) => /** @type {any} */ ({ kind: "room", name: "ops", unread: 0, mentions: 0, ...more });
const direct = (more = {}) => /** @type {any} */ ({ kind: "direct", name: "ops", unread: 0, mentions: 0, ...more });
const MESSAGE = { own: false, late: false, mentionsMe: false, by: 3 };
const MENTION = { ...MESSAGE, mentionsMe: true };
const SILENT = { sound: false, system: false };
const LOUD = { sound: true, system: true };

/** @param {Partial<Settings>} more */
const settings = (more = {}) => ({ ...DEFAULTS, system: true, ...more });

Deno.test("a room is heard of for mentions, or as was chosen; a dialogue always", () => {
  equal(verdict(MESSAGE, room(), settings(), false), SILENT);
  equal(verdict(MENTION, room(), settings(), false), LOUD);
  equal(verdict(MESSAGE, direct(), settings(), false), LOUD);
  equal(verdict(MESSAGE, room(), settings({ notify: { ops: "all" } }), false), LOUD);
  equal(verdict(MENTION, room(), settings({ notify: { ops: "none" } }), false), SILENT);
  equal(verdict(MESSAGE, direct(), settings({ notify: { ops: "none" } }), false), LOUD); // that was the room's
});

Deno.test("nothing tells of what is seen, own, late, hidden or unwanted", () => {
  equal(verdict(MENTION, room(), settings(), true), SILENT);
  equal(verdict({ ...MENTION, own: true }, room(), settings(), false), SILENT);
  equal(verdict({ ...MENTION, late: true }, room(), settings(), false), SILENT);
  equal(verdict(MENTION, room(), settings({ ignored: [3] }), false), SILENT);
  equal(verdict(MENTION, room(), settings({ disturb: false }), false), SILENT);
  equal(verdict(MENTION, room(), settings({ sound: false }), false), { sound: false, system: true });
});

Deno.test("the title counts dialogues and mentions, and shows a dot for the rest", () => {
  equal(waiting([room({ unread: 5, mentions: 2 }), direct({ unread: 3 })], settings()), { count: 5, more: false });
  equal(waiting([room({ unread: 5 })], settings()), { count: 0, more: true });
  equal(waiting([room({ unread: 5, mentions: 2 })], settings({ notify: { ops: "none" } })), { count: 0, more: false });
  equal(waiting([room({ unread: 5 })], settings({ notify: { ops: "all" } })), { count: 5, more: false });
  equal(waiting([], settings()), { count: 0, more: false });
});

Deno.test("the addresses of a page are found in its text", () => {
  const text =
    '<head><meta charset="utf-8"><link rel="stylesheet" href="/w/1/style.css">\n<script type="application/json">' +
    '{"src": "no"}</script><script type="module" src=/w/1/main.js></script></head><body><script src="/body.js"></script>';
  equal(filesOfText(text), "/w/1/main.js /w/1/style.css");
  equal(filesOfText(""), "");
});

Deno.test("a browser has a name in the list of logins", () => {
  equal(browserName("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox, Linux");
  equal(
    browserName("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"),
    "Chrome, Android",
  );
  equal(
    browserName("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Safari/604.1"),
    "Safari, iPhone",
  );
  equal(browserName(""), "browser");
});
