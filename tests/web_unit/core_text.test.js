/// <reference lib="deno.ns" />

import vectors from "../golden/visible_v1.json" with { type: "json" };
import { codePointLength, mentions, nameKey, oneLine, visible, wellFormed } from "../../securechat/web/core/text.js";
import { equal } from "./core_help.js";

Deno.test("hostile characters are shown as the terminal shows them", () => {
  for (const { text, visible: shown, one_line: line } of vectors) {
    equal(visible(text), shown, JSON.stringify(text));
    equal(oneLine(text), line, JSON.stringify(text));
  }
});

Deno.test("lengths count code points", () => {
  equal(codePointLength("🎉 party 🎉"), 9);
  equal(codePointLength("\ud83d"), 1);
});

Deno.test("names are compared without case, width and separators", () => {
  equal(nameKey(" Ana_Maria "), nameKey("ana  maria"));
  equal(nameKey("ＡＮＡ"), "ana");
});

Deno.test("a name is mentioned as a word of its own", () => {
  equal(mentions("hello Ana!", "ana"), true);
  equal(mentions("banana", "ana"), false);
  equal(mentions("c++ (tea)", "c++"), true);
  equal(mentions("ana-maria", "ana-maria"), true);
  equal(mentions("anything", ""), false);
});

Deno.test("what is sent has no half characters and no fields without a value", () => {
  const command = { t: "say", text: "a\ud83d", list: ["\udc00"], reply: null, on: false, seconds: undefined };
  equal(wellFormed(command), { t: "say", text: "a\ufffd", list: ["\ufffd"], on: false });
});
