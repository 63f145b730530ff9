/// <reference lib="deno.ns" />
/** Texts of others as nodes, on a document that has only what the module uses. */
import { assert, assertEquals } from "./list_dom.js";
import { botMark, comingsRow, firstLine, nameText, textView } from "../../securechat/web/ui/message_row.js";

/** What a reader sees, with the elements named. @param {any} node @returns {string} */
function shown(node) {
  if (node.text !== undefined) return node.text;
  const inside = node.children.map(shown).join("");
  if (node.tag === "div" && node.classes.has("text")) return inside;
  if (node.tag === "a") return `<a ${node.href}>${inside}</a>`;
  return `<${node.tag}${node.className ? ` ${node.className}` : ""}>${inside}</${node.tag}>`;
}
const NAMES = new Set(["ana", "budi santoso", "cici.x"]);
/** @param {string} text @param {any} [options] */
const view = (text, options = {}) =>
  shown(
    textView(text, {
      names: NAMES,
      room: (/** @type {string} */ name) => name === "ops" ? "#/room/ops" : null,
      ...options,
    }),
  );

Deno.test("plain text is plain", () => {
  assertEquals(view("a <b>bold</b> *claim* _x_ &amp;"), "a <b>bold</b> *claim* _x_ &amp;");
  assertEquals(view("two\nlines"), "two\nlines");
  assertEquals(view(""), "");
});

Deno.test("what is invisible or turns a line around is shown", () => {
  assertEquals(view("a\u202eb\u0007c\u200bd"), "a<U+202E>b␇c<U+200B>d");
});

Deno.test("only http and https become links", () => {
  assertEquals(
    view("see https://example.org/a?b=c#d."),
    "see <a https://example.org/a?b=c#d>https://example.org/a?b=c#d</a>.",
  );
  assertEquals(view("(http://example.org/x_(y))"), "(<a http://example.org/x_(y)>http://example.org/x_(y)</a>)");
  for (
    const text of ["javascript:alert(1)", "data:text/html,x", "ftp://example.org", "xhttps://example.org", "https://"]
  ) {
    assertEquals(view(text), text);
  }
});

Deno.test("a link says what it opens, where that is not what stands there", () => {
  assertEquals(
    view("https://bank.example@evil.example/x"),
    "<a https://bank.example@evil.example/x>https://bank.example@evil.example/x</a><span host> [evil.example]</span>",
  );
  assert(view("https://аррӏе.com/").includes("<span host> [xn--"), "Cyrillic letters");
  assert(!view("HTTPS://Example.ORG:443/").includes("host"), "only the case differs");
  assertEquals(view("https://a.example/\u202egnp.exe"), "<a https://a.example/>https://a.example/</a><U+202E>gnp.exe");
});

Deno.test("code", () => {
  assertEquals(view("run `rm -rf` now"), "run <code>rm -rf</code> now");
  assertEquals(view("``a`b``"), "<code>a`b</code>");
  assertEquals(view("a ` b\n` c"), "a ` b\n` c");
  assertEquals(view("`https://example.org`"), "<code>https://example.org</code>");
  const block = "<div block><pre><code>x = 1\n@ana</code></pre><button copy>Copy</button></div>";
  assertEquals(view("so:\n```js\nx = 1\n@ana\n```\nend"), `so:${block}end`);
  assertEquals(view("```\nnever closed"), "```\nnever closed");
});

Deno.test("mentions and rooms", () => {
  assertEquals(view("@ana: hi"), "<span mention>@ana</span>: hi");
  assertEquals(view("hi @Budi_Santoso!"), "hi <span mention>@Budi_Santoso</span>!");
  assertEquals(view("hi @budi santoso, you"), "hi <span mention>@budi santoso</span>, you");
  assertEquals(view("@ana @ana", { me: "ana" }), "<span mention self>@ana</span> <span mention self>@ana</span>");
  assertEquals(view("x@ana @@ana @nobody"), "x@ana @@ana @nobody");
  assertEquals(view("in #ops, not #oops or a#ops"), "in <a #/room/ops>#ops</a>, not #oops or a#ops");
});

Deno.test("search marks count code points", () => {
  assertEquals(view("🎉 party time", { marks: [[2, 7]] }), "🎉 <mark>party</mark> time");
  assertEquals(
    view("a https://example.org/party b", { marks: [[22, 27]] }).replace(/<\/?a[^>]*>/g, ""),
    "a https://example.org/<mark>party</mark> b",
  );
  assertEquals(view("abc", { marks: [[0, 1], [2, 3]] }), "<mark>a</mark>b<mark>c</mark>");
  assertEquals(view("ab", { marks: [[0, 9], [1, 2]] }), "<mark>ab</mark>");
  assertEquals(view("`ab` cd", { marks: [[2, 6]] }), "<code>a<mark>b</mark></code><mark> c</mark>d");
});

Deno.test("many lines wait for a button", () => {
  const text = Array.from({ length: 1000 }, (_each, line) => `line ${line}`).join("\n");
  const element = /** @type {any} */ (textView(text, {}));
  assert(shown(element).endsWith("line 29<button more>Show all</button>"));
  assert(view(text, { whole: true }).endsWith("line 999"));
  assert(!view(Array(40).fill("x").join("\n")).includes("Show all"));
});

Deno.test("a long line waits for a button too", () => {
  const cut = (/** @type {string} */ text) => view(text).split("<button")[0]?.length ?? 0;
  assert(view("word ".repeat(900)).includes("<button more>"), "about 40 lines");
  assert(!view("word ".repeat(700)).includes("<button more>"), "a message of 3,500 letters is no wall");
  assert(cut("W".repeat(5000)) < 3200);
  assert(cut("\u{e0067}".repeat(1000)) < 3200, "by the length that is shown");
  assert(!view("\u{e0067}".repeat(1000)).includes("<U+DB40>"), "no character is cut");
  const link = `https://example.org/${"x".repeat(1900)}`;
  assert(
    view(`${"word ".repeat(520)}${link} ${"word ".repeat(300)}`).split("<button")[0]?.endsWith("word"),
    "no part of a link",
  );
});

Deno.test("an emoji alone is big", () => {
  const big = (/** @type {string} */ text) => /** @type {any} */ (textView(text, {})).classes.has("big");
  assert(big("👍") && big("👨‍👩‍👧 🇮🇩") && big("❤️"));
  assert(!big("1") && !big("a 👍") && !big("") && !big("👍".repeat(30)));
});

Deno.test("the first line of a text", () => {
  assertEquals(firstLine("\n\n  a\nb"), "a");
  assertEquals(firstLine("x".repeat(9999)).length, 200);
  assertEquals(firstLine(""), "");
});

Deno.test("a name says nothing in a line of comings and goings", () => {
  const line = comingsRow({
    joined: new Map([[1, "ann and bob"], [2, "Bob was banned by admin"]]),
    left: new Map(),
    renamed: new Map([[3, { old: "a\0b", new: "c" }]]),
  });
  assertEquals(
    shown(line),
    "<div comings><bdi name person-1>ann and bob</bdi> and <bdi name person-2>Bob was banned by admin</bdi> joined" +
      " · <bdi name person-3>a␀b</bdi> is now <bdi name person-3>c</bdi></div>",
  );
});

Deno.test("the mark of a program is no part of its name", () => {
  assertEquals(shown(botMark(true)), "<span you bot>bot</span>");
  assert(!botMark(false) && !botMark(undefined));
  assertEquals(nameText("deploy", true), "deploy, bot");
  assertEquals(nameText("deploy [bot]"), "deploy [bot]"); // a name has no comma (FORBIDDEN_IN_NAMES)
  const comings = { joined: new Map([[9, nameText("deploy", true)]]), left: new Map(), renamed: new Map() };
  assert(shown(comingsRow(comings)).includes("deploy, bot"));
});

Deno.test("no text takes long", () => {
  const size = 16_384; // bytes of UTF-8: more is in no message
  const fill = (/** @type {string} */ part) => {
    const whole = Math.floor(size / new TextEncoder().encode(part).length);
    return part.repeat(Math.max(1, whole));
  };
  const hostile = [
    ..."`@#(/:h\n".split("").map(fill),
    fill("``"),
    fill("` "),
    fill("``` "),
    fill("```\n"),
    fill("\n```x"),
    fill("````\n``"),
    fill("```a`\n"),
    fill("@a "),
    fill("@ana,,,,,,,,"),
    fill("#ops,,,,,,,,,"),
    fill("#ops."),
    fill("http://"),
    fill("https://a "),
    fill("http://(((("),
    fill("http://a))))"),
    fill("http://a/" + ")".repeat(2000) + " "),
    fill("https://[ "),
    fill("\u0301"),
    fill("a\u200d\u0301"),
    fill("\u202e"),
    fill("👍"),
    fill("👍\u200d"),
    fill("\ud800"),
    fill(" "),
    fill("x"),
    Array.from({ length: 180 }, (_each, run) => "`".repeat(180 - run)).join(" "),
  ];
  const marks = Array.from({ length: 200 }, (_each, index) => [index * 80, index * 80 + 40]);
  for (const text of hostile) {
    for (const options of [{}, { marks }, { whole: true }]) {
      let best = Infinity;
      for (let round = 0; round < 20 && best > 5; round++) {
        const begin = performance.now();
        textView(text, { names: NAMES, room: () => null, ...options });
        best = Math.min(best, performance.now() - begin);
      }
      assert(best < 10, `${best} ms for ${JSON.stringify(text.slice(0, 20))}`);
    }
  }
});
