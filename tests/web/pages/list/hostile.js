/**
 * Made-up messages with everything in them that could break out of a row.
 *
 * @param {any} fake of page.js
 * @param {number} count of texts
 */
export async function hostile(fake, count) {
  let state = 5;
  const random = (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const parts = [
    "<script>globalThis.ran = 1</script>",
    "<img src=x onerror='ran = 1'>",
    "<svg onload=ran=1>",
    "javascript:ran=1",
    "&lt;b&gt;",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u0007",
    "\u001b[31m",
    "\ud800",
    "\u0301".repeat(60),
    "W".repeat(400),
    "\n",
    "\n".repeat(60),
    "\r",
    "\t",
    "```\n",
    "`",
    "@Budi",
    "#ops",
    "https://example.org/" + "a".repeat(300),
    "https://\u202egro.elpmaxe",
    "http://a@b@c/",
    "﷽",
    "𒐫".repeat(30),
    "👨‍👩‍👧‍👦",
    "Budi 10:15\n",
    "Ana joined",
    "New",
    "Deleted by Budi",
    "ᅠ",
    "\ufdd0",
    "\u2028",
    "style=position:fixed",
    "]]>",
    "{{x}}",
    "${ran=1}",
    "שלום",
    "مرحبا",
  ];
  const made = () =>
    Array.from({ length: 1 + random(6) }, () => parts[random(parts.length)]).join(random(3) ? "" : " ");
  const complaints = [];
  let shown = 0;
  while (shown < count && complaints.length < 5) {
    for (let each = 0; each < 100; each++, shown += 4) {
      const more = {
        by: random(50),
        name: made().slice(0, 128),
        text: made(),
        reactions: [{ sign: made().slice(0, 16), by: [1, 2] }],
        edited: random(2) ? 3 : undefined,
        edited_by: { id: 3, name: made().slice(0, 128) },
        reply: fake.log.at(-1).seq,
      };
      fake.live(1, more);
    }
    await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    const scroller = document.querySelector(".scroller");
    if (scroller.scrollWidth > scroller.clientWidth) complaints.push(`scrolls sideways: ${scroller.scrollWidth}`);
    if (document.documentElement.scrollWidth > innerWidth) complaints.push("the page scrolls sideways");
    for (const row of document.querySelectorAll(".rows > .row")) {
      const box = row.getBoundingClientRect();
      for (const each of row.querySelectorAll("*")) {
        const inner = each.getBoundingClientRect();
        const hidden = each.closest(".said, .name, .glyph, .quote, .sr");
        if (
          !hidden &&
          (inner.right > box.right + 1 || inner.left < box.left - 1 || inner.bottom > box.bottom + 1 ||
            inner.top < box.top - 1)
        ) {
          complaints.push(`${each.tagName}.${each.className} leaves its row: ${row.textContent.slice(0, 200)}`);
        }
      }
      const odd = row.querySelector("script, img, svg:not(.icon), style, iframe, [style], [onclick]");
      if (odd) complaints.push(`an element ${odd.tagName}`);
      // What is no message is never inside a text.
      if (row.querySelector(".text .comings, .text .fresh, .text .day, .text .who, .text .state")) {
        complaints.push("a notice in a text");
      }
      // deno-lint-ignore no-control-regex
      if (/[\u202a-\u202e\u2066-\u2069\u0007\u001b\ud800\u200b]/.test(row.textContent)) {
        complaints.push("a hostile character");
      }
      for (const link of row.querySelectorAll("a")) {
        if (!/^https?:/.test(link.protocol) || (link.target && link.rel !== "noopener noreferrer")) {
          complaints.push(`a link to ${link.href}`);
        }
      }
    }
  }
  return { complaints: complaints.slice(0, 5), shown, ran: globalThis.ran ?? null };
}
