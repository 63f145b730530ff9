/// <reference lib="deno.ns" />

import { equal } from "./core_help.js";
import vectors from "../golden/file_lines.json" with { type: "json" };
import { brief, named } from "../../securechat/web/core/text.js";
import { moves } from "../../securechat/web/ui/attach.js";
import { withFileLines, withoutFileLines } from "../../securechat/web/ui/files.js";
import { shownText } from "../../securechat/web/ui/search.js";

Deno.test("lines of files are those of the server", () => {
  for (const { text, files: pairs, lines_text: lines } of /** @type {any[]} */ (vectors)) {
    const files = pairs.map((/** @type {[string, number]} */ [name, size]) => ({ name, size }));
    equal(withFileLines(text, files), lines);
    equal(withoutFileLines(lines, files), text);
  }
});

Deno.test("the line of a file that is gone alone reads as text", () => {
  const text = "look\n[file: a.txt, 1 KiB]\n[file: b.txt, 2 KiB]";
  equal(withoutFileLines(text, [{ name: "b.txt", size: 2048 }]), "look\n[file: a.txt, 1 KiB]");
  equal(withoutFileLines(text, [{ name: "a.txt", size: 1024 }]), text);
});

Deno.test("where there is one line, files are named and nothing more", () => {
  equal(brief("look\n[file: foto [1].jpg, 1.2 MiB]"), "look \u00b7 foto [1].jpg");
  equal(brief("two\nlines\n[file: a.txt, 1 KiB]\n[file: b.txt, 2 KiB]"), "two\u23celines \u00b7 a.txt \u00b7 b.txt");
  equal(brief("[file: a, b.txt, 731 B]"), "a, b.txt");
  equal(brief("[file: a long name that was cu"), "a long name that was cu"); // the list of conversations cuts
  equal(named("say [file: x, 1 B]"), "say [file: x, 1 B]");
});

Deno.test("marks of a search stay on what they mark", () => {
  const files = [{ id: "1", name: "plan.pdf", size: 2048 }];
  const text = "der 👍\n[file: plan.pdf, 2 KiB]";
  const marks = /** @type {[number, number][]} */ ([[0, 3], [13, 17]]);
  const [shown, moved] = shownText(/** @type {any} */ ({ text, files }), marks);
  equal(shown, "der 👍\nplan.pdf");
  equal(moved.map(([from, to]) => [...shown].slice(from, to).join("")), ["der", "plan"]);
});

Deno.test("pictures that move say so", () => {
  const bytes = (/** @type {string} */ text) => Uint8Array.from(text, (each) => each.charCodeAt(0));
  equal(moves(bytes("GIF89a.....NETSCAPE2.0")), true);
  equal(moves(bytes("GIF89a.....")), false);
  equal(moves(bytes("RIFF....WEBPVP8X\x0a\0\0\0\x02")), true);
  equal(moves(bytes("RIFF....WEBPVP8X\x0a\0\0\0\x10")), false);
  equal(moves(bytes("\x89PNG....IHDR....acTL")), true);
  equal(moves(bytes("\x89PNG....IHDR....IDAT")), false);
  equal(moves(bytes("")), false);
});
