/// <reference lib="deno.ns" />
/** The links of a text are those of the terminal client: tests/unit/client/test_links.py reads the same cases. */
import { equal } from "./core_help.js";
import "./list_dom.js";
import cases from "../golden/links.json" with { type: "json" };
import { visible } from "../../securechat/web/core/text.js";
import { textView } from "../../securechat/web/ui/message_row.js";

/** @param {any} node @returns {string} */
const textOf = (node) => node.text ?? node.children.map(textOf).join("");

/** @param {any} node @returns {any[]} */
const linksOf = (node) => node.tag === "a" ? [node] : (node.children ?? []).flatMap(linksOf);

Deno.test("links are those of the terminal client", () => {
  for (const { text, links } of /** @type {{text: string, links: [number, number, string, string][]}[]} */ (cases)) {
    const points = [...text];
    equal(
      linksOf(textView(text, { whole: true })).map((each) => [textOf(each), each.href, each.dataset.host ?? ""]),
      links.map(([start, end, target, host]) => [
        visible(points.slice(start, end).join("")),
        new URL(target).href,
        host,
      ]),
    );
  }
});
