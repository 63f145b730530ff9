/// <reference lib="deno.ns" />

/** What is typed: commands, names that are completed, searches; and that the table of actions has the terminal's commands. */
import { actionNamed, ACTIONS } from "../../securechat/web/ui/actions.js";
import { actionOfKey, follow, goBack, nextUnread } from "../../securechat/web/ui/keys.js";
import { keyLabel } from "../../securechat/web/ui/i18n.js";
import { durationOf, fitting, nearest, split, TAKES, tokenOf, wantedOf } from "../../securechat/web/ui/commands.js";
import { dayOf, queryOf, score, withDays } from "../../securechat/web/ui/search.js";
import { linesOf, tokenText } from "../../securechat/web/ui/settings.js";
import { equal as same } from "./core_help.js";

/** @param {() => unknown} run @param {RegExp} message */
function fails(run, message) {
  try {
    run();
  } catch (error) {
    if (error instanceof Error && message.test(error.message)) return;
    throw error;
  }
  throw new Error("it did not fail");
}

Deno.test("what stands before the cursor", () => {
  same(tokenOf("/ki"), { kind: "command", from: 0, query: "ki" });
  same(tokenOf("hello @us"), { kind: "name", from: 6, query: "us" });
  same(tokenOf("hello @user1 p"), { kind: "name", from: 6, query: "user1 p" });
  same(tokenOf("see #op"), { kind: "room", from: 4, query: "op" });
  same(tokenOf("fine :thu"), { kind: "emoji", from: 5, query: "thu" });
  same(tokenOf("/kick bu"), { kind: "nameOf", from: 6, query: "bu" });
  same(tokenOf('/kick "user1 p'), { kind: "nameOf", from: 6, query: "user1 p" });
  same(tokenOf("/join op"), { kind: "roomOf", from: 6, query: "op" });
  for (const plain of ["", "hello", "a@b", "at 10:30", "C#", "http://x", ":)", "two\n/ki"]) same(tokenOf(plain), null);
});

Deno.test("the best fit first", () => {
  const names = ["Dewi Lestari", "les", "miles", "ana"];
  same(fitting(names, "les", (name) => name), ["les", "Dewi Lestari", "miles"]);
  same(fitting(names, "les", (name) => name, 1), ["les"]);
  same(fitting(["whois", "who"], "who", (name) => name), ["who", "whois"]);
  same(fitting(names, "LES", (name) => name, 8, false), ["les", "Dewi Lestari"]);
  same(fitting(["user1_pc"], "user1 p", (name) => name), ["user1_pc"]);
});

Deno.test("a name in front of a command's text is never guessed", () => {
  const known = ["ana", "user1", "user1 pc", "Dewi Lestari"];
  same(split("msg", "ana see you", known), { name: "ana", more: "see you" });
  same(split("msg", '"user1 pc" see  you', known), { name: "user1 pc", more: "see  you" });
  same(split("msg", "\u201cuser1 pc\u201d hi", known), { name: "user1 pc", more: "hi" });
  same(split("msg", "@ana hi\nthere", known), { name: "ana", more: "hi\nthere" });
  same(split("kick", "budi", known), { name: "budi", more: "" });
  fails(() => split("msg", "user1 pc hello", known), /Put it in quotes/);
  fails(() => split("msg", "user1_pc hello".replace("_", " "), known), /Put it in quotes/);
  fails(() => split("msg", '"user1 pc', known), /Usage/);
  fails(() => split("msg", '""', known), /Usage/);
});

Deno.test("durations, and a reason that begins with a digit", () => {
  same(durationOf("10m too loud"), { seconds: 600, reason: "too loud" });
  same(durationOf("1w"), { seconds: 604800, reason: "" });
  same(durationOf("too loud"), { seconds: null, reason: "too loud" });
  same(durationOf(""), { seconds: null, reason: "" });
  fails(() => durationOf("10 minutes"), /A time is/);
  fails(() => durationOf("10mm why"), /A time is/);
  fails(() => durationOf("99999w"), /at most/);
  fails(() => durationOf("0s"), /at least/);
});

Deno.test("what /bot add, /hook add and /token add take", () => {
  same(wantedOf("add deploy", "bot"), { name: "deploy", rooms: [] });
  same(wantedOf('add "my bot" #ops #lobby 30', "bot"), { name: "my bot", rooms: ["ops", "lobby"], days: 30 });
  same(wantedOf("ADD x Read post #Ops", "token"), { name: "x", scopes: ["read", "post"], rooms: ["Ops"] });
  same(wantedOf("add x post,read, files", "token").scopes, ["post", "read", "files"]);
  same(wantedOf("add grafana", "hook", "ops"), { name: "grafana", rooms: ["ops"] });
  same(wantedOf("add grafana #lobby", "hook", "ops").rooms, ["lobby"]);
  for (const wrong of ["", "add", 'add ""', "add a b", "add a 30 #ops", "add a write", "add a 12345", "make a"]) {
    fails(() => wantedOf(wrong, "bot"), /Usage: \/bot/);
  }
});

/** @param {any} info */
const token = (info) => ({ token: 7, name: "x", rooms: [], expires: null, used: null, address: "", ...info });

Deno.test("what works with a token", () => {
  /** @param {any} info @param {string | null} [ca] */
  const lines = (info, ca = null) =>
    linesOf(/** @type {any} */ ({ token: "scb_1", info: token(info) }), "https://h", ca);
  const post = '-H "Authorization: Bearer scb_1" -d hello "https://h/api/v1/rooms/lobby/messages"';
  same(lines({ scopes: ["post", "read"] }), ["scb_1", `curl ${post}`]);
  same(lines({ scopes: ["post"] }, "ab"), ["scb_1", `curl --cacert ca.pem ${post}`]);
  same(lines({ scopes: ["post"], rooms: ["café $(x)"] })[1]?.includes("/rooms/caf%C3%A9%20%24(x)/messages"), true);
  same(lines({ scopes: ["hook"], rooms: ["ops"] }, "ab"), ["https://h/hooks/scb_1"]);
  same(lines({ scopes: ["read", "metrics"] }), ["scb_1"]);
  same(lines({ scopes: ["metrics"] }), ["scb_1", 'curl -H "Authorization: Bearer scb_1" "https://h/metrics"']);
});

Deno.test("what is known of a token, on one line", () => {
  same(tokenText(token({ scopes: ["post"] })), "Token 7 · post");
  const all = token({ scopes: ["post", "read"], rooms: ["ops", "a\nb"], address: "10.0.0.4", online: true });
  same(tokenText(all), "Token 7 · post, read · #ops, #a⏎b · active now · 10.0.0.4");
  same(
    / · until .*1970.* · last active .*1970/.test(tokenText(token({ scopes: ["post"], expires: 1e9, used: 1e9 }))),
    true,
  );
});

Deno.test("a command that was mistyped", () => {
  const meant = ["serch", "jion", "regster", "pasword"].map(nearest);
  same(meant, ["search", "join", "register", "password"]);
  for (const typed of ["foo", "x", "", "everything"]) same(nearest(typed), null);
});

Deno.test("the days of a search are the user's", () => {
  const now = new Date(2026, 10, 29, 9, 30).getTime();
  const day = (/** @type {number} */ month, /** @type {number} */ date) => new Date(2026, month - 1, date).getTime();
  same(dayOf("2026-11-20", now), day(11, 20));
  same(dayOf("2026-11", now), day(11, 1));
  same(dayOf("2026", now), day(1, 1));
  same(dayOf("today", now), day(11, 29));
  same(dayOf("yesterday", now), day(11, 28));
  same(dayOf("friday", now), day(11, 27));
  for (const wrong of ["2026-02-30", "2026-13", "26-1-1", "", "soon", "5"]) same(dayOf(wrong, now), null);
  same(withDays("paper", now), { query: "paper" });
  same(withDays("paper after:2026-11-20 after:2026-11 before:today", now), {
    query: "paper after:2026-11-20 after:2026-11 before:2026-11-29",
    since: day(11, 20),
    until: day(11, 29),
  });
  same(withDays('"after:2026-11-20" x', now), { query: '"after:2026-11-20" x' });
  same(withDays('from:"user1 pc" AFTER:"2026-11-20"', now), {
    query: 'from:"user1 pc" AFTER:"2026-11-20"',
    since: day(11, 20),
  });
  same(withDays("after:monday", now), { query: "after:2026-11-23", since: day(11, 23) });
  same(withDays('after:soon std::move 🎉 a"b', now), { query: 'after:soon std::move 🎉 a"b' });
});

Deno.test("the fields of a search become one query", () => {
  const none = { query: "", from: "", room: "", after: "", before: "", link: "" };
  same(queryOf(none), "");
  same(
    queryOf({
      query: " two words ",
      from: "@user1 pc",
      room: "ops",
      after: "2026-11-20",
      before: "2026-11-21",
      link: "on",
    }),
    'two words from:"user1 pc" in:#ops after:2026-11-20 before:2026-11-21 has:link',
  );
});

Deno.test("the switcher prefers beginnings", () => {
  const best = (/** @type {string} */ query, /** @type {string[]} */ names) =>
    names.sort((a, b) => score(query, b) - score(query, a))[0];
  same(best("op", ["shop", "ops", "the-ops"]), "ops");
  same(best("op", ["shop", "the-ops"]), "the-ops");
  same(best("dl", ["middle", "dewi lestari", "xyz"]), "middle");
  same(score("xyz", "ops"), 0);
});

Deno.test("every command of the terminal is here, but those that a page has no use for", async () => {
  const folder = new URL("../../securechat/client/ui/commands/", import.meta.url);
  const read = (/** @type {string} */ name) => Deno.readTextFile(new URL(name, folder));
  const [parser, messages, rooms] = await Promise.all([read("parser.py"), read("messages.py"), read("rooms.py")]);
  const lists = [
    /^COMMANDS = \((.*?)^\)/ms.exec(parser)?.[1],
    /^_SECRET = \{(.*?)\}/ms.exec(parser)?.[1],
    /^_ALIASES = \{(.*?)^\}/ms.exec(parser)?.[1],
    /^WORDS = \((.*?)\)$/ms.exec(messages)?.[1],
    /^_VERBS = \{(.*?)^\}/ms.exec(rooms)?.[1],
    /^WORDS = \((.*?)\)$/ms.exec(rooms)?.[1],
  ];
  const commands = lists.flatMap((list) => [...(list ?? "").matchAll(/"\/(\w+)"/g)].map(([, name]) => name ?? ""));
  if (new Set(commands).size < 40) throw new Error(`only these were found: ${commands}`);
  const missing = [...new Set(commands)].filter((name) => !actionNamed(name)?.usage).sort();
  same(missing, ["around", "cert", "more", "time"]);
});

Deno.test("the table has no name twice, and every command that takes something is in it", () => {
  const names = ACTIONS.flatMap((row) => [row.name, ...row.aliases?.split(" ") ?? []]);
  same(names.length, new Set(names).size);
  for (const name of Object.keys(TAKES)) {
    if (!ACTIONS.some((row) => row.name === name && row.usage)) throw new Error(name);
  }
  const keys = ACTIONS.flatMap((row) => row.keys ? [`${row.place} ${row.keys}`] : []);
  same(keys.length, new Set(keys).size);
});

Deno.test("keys", () => {
  const press = (
    /** @type {object} */ event,
  ) => /** @type {KeyboardEvent} */ (/** @type {unknown} */ ({
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    ...event,
  }));
  same(actionOfKey(press({ key: "k", ctrlKey: true }), "app")?.name, "switch");
  same(actionOfKey(press({ key: "F", ctrlKey: true, shiftKey: true }), "app")?.name, "search");
  same(actionOfKey(press({ key: "?", shiftKey: true }), "app")?.name, "help");
  same(actionOfKey(press({ key: "Escape", shiftKey: true }), "app")?.name, "read");
  same(actionOfKey(press({ key: "Escape" }), "app")?.name, undefined);
  same(actionOfKey(press({ key: "r" }), "message")?.name, "reply");
  same(actionOfKey(press({ key: "r" }), "app")?.name, undefined);
  same(actionOfKey(press({ key: "+", shiftKey: true }), "message")?.name, "react");
  same(actionOfKey(press({ key: "a", code: "KeyA", altKey: true }), "app")?.name, "unread");
  same(actionOfKey(press({ key: "å", code: "KeyA", altKey: true }), "app")?.name, "unread"); // a Mac's Option
  same(
    actionOfKey(press({ key: "ArrowDown", code: "ArrowDown", altKey: true, shiftKey: true }), "app")?.name,
    "unread",
  );
  same(actionOfKey(press({ key: "ArrowLeft", code: "ArrowLeft", altKey: true }), "app")?.name, "back");
  same(actionOfKey(press({ key: "g", altKey: true }), "app")?.name, "history");
  same(actionOfKey(press({ key: "q", code: "KeyA", altKey: true }), "app")?.name, undefined); // AZERTY
  for (const [key, name] of Object.entries({ r: "reply", e: "edit", d: "delete", Delete: "delete", "+": "react" })) {
    same(actionOfKey(press({ key }), "message")?.name, name);
  }
  for (const [key, name] of Object.entries({ ">": "quote", y: "copy", o: "open", i: "about" })) {
    same(actionOfKey(press({ key }), "message")?.name, name);
  }
  same(keyLabel("Mod+Shift+f"), "Ctrl+Shift+F");
  same(keyLabel("+"), "+");
});

Deno.test("keys of other keyboards", () => {
  const named = (/** @type {object} */ event, /** @type {"app" | "message"} */ place = "app") =>
    actionOfKey(/** @type {any} */ ({ shiftKey: false, ...event }), place)?.name;
  same(named({ key: "л", code: "KeyK", ctrlKey: true }), "switch"); // Russian
  same(named({ key: "а", code: "KeyF", ctrlKey: true, shiftKey: true }), "search");
  same(named({ key: "é", code: "Digit2", altKey: true }), "members"); // AZERTY
  same(named({ key: "Dead", code: "KeyA", altKey: true }), "unread"); // a Mac's Option, where no text is written
  same(named({ key: "2", code: "Numpad2", altKey: true }), undefined); // é by its number
  same(named({ key: "ArrowLeft", code: "Numpad4", altKey: true }), undefined);
  const graph = { ctrlKey: true, altKey: true, getModifierState: (/** @type {string} */ name) => name === "AltGraph" };
  same(named({ key: ">", code: "KeyY", ...graph }, "message"), "quote"); // Hungarian
  same(named({ key: "ą", code: "KeyA", ...graph }), undefined); // Polish
  same(named({ key: "R", code: "KeyR" }, "message"), "reply"); // Caps Lock
  same(named({ key: "R", code: "KeyR", shiftKey: true }, "message"), undefined);
  same(named({ key: "r", code: "KeyR", metaKey: true }, "message"), undefined); // of the system
  same(named({ key: "p", code: "KeyP", altKey: true }, "message"), "palette");
});

/** @param {string} key @param {object} [more] */
const one = (key, more) => [key, { key, name: key, id: 0, kind: "room", unread: 0, mentions: 0, last: null, ...more }];

/** @param {any[]} conversations @param {string | null} key */
function fakeApp(conversations, key) {
  const app = {
    core: { conversations: new Map(conversations) },
    route: { key },
    settings: { notify: { muted: "none" } },
    /** @type {string[]} */
    told: [],
    /** @param {{key: string}} wanted */
    go: (wanted) => app.route = wanted,
    /** @param {string} text */
    toast: (text) => app.told.push(text),
  };
  return /** @type {any} */ (app);
}

Deno.test("the next unread conversation is the first of the list, never a muted one or the one that is shown", () => {
  const app = fakeApp([
    one("old", { unread: 1, last: { seq: 2 } }),
    one("muted", { unread: 9, mentions: 9, last: { seq: 9 } }),
    one("new", { unread: 1, last: { seq: 8 } }),
    one("called", { unread: 2, mentions: 1, last: { seq: 1 } }),
    one("here", { unread: 1, mentions: 1, last: { seq: 10 } }),
  ], "here");
  /** @type {string[]} */
  const went = [];
  for (let at = 0; at < 4; at++) {
    nextUnread(app);
    went.push(app.route.key);
    app.core.conversations.get(app.route.key).unread = 0;
  }
  same(went.join(" "), "called here new old");
  nextUnread(app);
  same(app.route.key, "old");
  same(app.told.length, 1);
});

Deno.test("the way back leads through what was shown, past what is gone", () => {
  const app = fakeApp([one("a"), one("b"), one("c")], "a");
  let note = () => {};
  app.onRoute = (/** @type {() => void} */ listener) => note = listener;
  app.go = (/** @type {{key: string}} */ wanted) => (app.route = wanted, note());
  follow(app);
  goBack(app);
  same(app.route.key, "a");
  for (const key of ["b", "c"]) app.go({ key });
  app.core.conversations.delete("b");
  goBack(app);
  same(app.route.key, "a");
  app.go({ key: "c" });
  app.go({ key: null }); // the list, on a phone
  goBack(app);
  same(app.route.key, "c");
  goBack(app);
  same(app.route.key, "a");
  goBack(app);
  same(app.route.key, "a");
});
