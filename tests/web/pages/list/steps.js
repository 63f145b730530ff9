/**
 * Generated sequences of what happens around a reader. After each step, and in each frame of it, the row under the eye must be where it
 * was, give or take a pixel; a reader at the end must stay there.
 */

const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

/**
 * @param {any} fake of page.js
 * @param {number} seed
 * @param {number} count of steps
 * @returns {Promise<{violations: string[], steps: number, kinds: Record<string, number>, most: number}>}
 */
export async function run(fake, seed, count) {
  let state = seed;
  const random = (/** @type {number} */ bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const box = document.getElementById("conversation");
  const scroller = document.querySelector(".scroller");
  const rows = () => [...document.querySelectorAll(".rows > .row")];
  const body = (/** @type {any} */ row) => row.querySelector(".main") ?? row;
  const top = (row) => body(row).getBoundingClientRect().top;
  const atEnd = () => scroller.scrollTop >= -2 && fake.shown().at(-1) === fake.log.at(-1)?.seq;
  const text = () =>
    Array.from({ length: 1 + random(8) }, () => "word ".repeat(1 + random(40))).join(random(2) ? "\n" : " ");
  const pick = (list) => list[random(list.length)];

  /** The row that the reader looks at: the first that begins in the upper half, or fills it. */
  function eye() {
    const view = scroller.getBoundingClientRect();
    const seen = rows().filter((row) => {
      const rect = row.getBoundingClientRect();
      return rect.bottom > view.top && rect.top < view.bottom;
    });
    return seen.find((row) => top(row) >= view.top - 0.5 && top(row) < view.top + view.height / 2) ?? seen[0];
  }
  const loaded = () => fake.conversation.window.messages;
  const seen = () => {
    const { top: from, bottom } = scroller.getBoundingClientRect();
    return rows().filter((row) =>
      row.getBoundingClientRect().bottom > from && row.getBoundingClientRect().top < bottom
    );
  };

  const steps = {
    live: () => fake.live(1 + random(4)),
    flood: () => fake.live(120),
    edit: () => fake.change(pick(loaded()).seq, { text: text(), edited: 1 }),
    editSeen: () => fake.change(Number(pick(seen()).dataset.seq), { text: text(), edited: 1 }),
    remove: () => fake.change(pick(loaded()).seq, { text: "", deleted: 9, reactions: [] }),
    removeSeen: () => fake.change(Number(pick(seen()).dataset.seq), { text: "", deleted: 9, reactions: [] }),
    react: () => fake.change(pick(loaded()).seq, { reactions: random(2) ? [{ sign: "👍", by: [1, 2] }] : [] }),
    purge: () => {
      const kept = Number(eye().dataset.seq);
      const gone = pick(loaded()).by;
      fake.purge((each) => each.by === gone && each.seq !== kept && random(10) === 0);
    },
    width: () => box.style.width = `${320 + random(900)}px`,
    height: () => document.body.style.paddingBottom = `${random(500)}px`,
    banner: () => document.body.classList.toggle("banner"),
    image: () => body(pick(rows())).querySelector(".text").style.minHeight = `${random(300)}px`,
    imageSeen: () => body(pick(seen())).querySelector(".text").style.minHeight = `${random(300)}px`,
    font: () => document.documentElement.style.fontSize = `${14 + random(6)}px`,
    pending: () =>
      fake.pending(
        Array.from({ length: random(3) }, (_each, number) => ({
          number: -number, // not sent now: the list stays where it is
          key: "r1",
          kind: "message",
          text: "word ".repeat(1 + random(20)),
          reply: null,
          seq: 0,
          sign: "",
          on: true,
          state: "waiting",
          refusal: null,
        })),
      ),
    presence: () =>
      fake.tell({ kind: "presence", key: "r1", joined: [{ id: 9, name: "Fajar" }], left: [], renamed: [] }),
    idle: () => {},
  };
  const moves = {
    scroll: () => random(6000) - 3500,
    nudge: () => random(200) - 100,
    far: () => random(60000) - 40000,
  };

  const violations = [];
  /** @type {Record<string, number>} */
  const kinds = {};
  let most = 0;
  const names = Object.keys(steps);
  for (let step = 0; step < count && violations.length < 3; step++) {
    let kind = pick(names);
    for (let wait = 0; !eye(); wait++) {
      if (atEnd()) scroller.scrollBy({ top: -300, behavior: "instant" }); // what was not sent fills the view
      if (wait === 10) {
        return {
          violations: [
            ...violations,
            `${step}: an empty view; ${
              [...document.querySelector(".sheet").children].map((e) => Math.round(e.getBoundingClientRect().height))
            } ${fake.conversation.window.loading} ${fake.conversation.window.atEnd} ${
              fake.conversation.window.messages.at(-1).seq
            } ${fake.shown().at(-1)} ${fake.log.at(-1).seq} ${scroller.scrollTop} of ${scroller.scrollHeight}, rows ${
              Math.round(document.querySelector(".rows").getBoundingClientRect().top)
            } to ${
              Math.round(document.querySelector(".rows").getBoundingClientRect().bottom)
            } ${scroller.clientHeight}`,
          ],
          steps: step,
          kinds,
          most,
        };
      }
      await frame();
    }
    const jump = random(40);
    if (jump === 0) {
      fake.list.toPresent();
      kind = "toPresent";
    } else if (jump === 1) {
      fake.list.select(pick(fake.log).seq);
      kind = "select";
    }
    if (jump < 2) {
      for (let wait = 0; wait < 4 || fake.conversation.window.loading === "replace"; wait++) await frame();
      await frame();
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      continue;
    }
    if (random(2)) {
      kind = pick(Object.keys(moves));
      const before = eye();
      const y = top(before);
      const from = scroller.scrollTop;
      scroller.scrollBy({ top: moves[kind](), behavior: "instant" });
      const went = scroller.scrollTop - from;
      await frame();
      // Far away other rows are made: only a row that is still there can be measured.
      if (seen().includes(before) && Math.abs(top(before) - (y - went)) > 1 && !atEnd()) {
        violations.push(`${step} ${kind} ${went}: ${y - went} is ${top(before)}`);
      }
      await frame();
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      continue;
    }
    // With room below, made because the content became too short to hold the row, the reader is not at the end.
    const stays = atEnd() && !document.querySelector(".sheet").lastElementChild.offsetHeight;
    const row = eye();
    const y = top(row);
    const seq = Number(row.dataset.seq);
    const before = `${scroller.scrollTop} of ${scroller.scrollHeight} (${scroller.clientHeight})`;
    steps[kind]();
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    for (let wait = 0; wait < 3; wait++) {
      await frame();
      if (stays) {
        // A core whose window is full at the other end loads the newest as a page.
        if (!atEnd() && fake.conversation.window.atEnd) {
          violations.push(`${step} ${kind}: left the end, scrollTop ${scroller.scrollTop}`);
        }
        continue;
      }
      const now = rows().find((each) => Number(each.dataset.seq) === seq);
      // A row whose end would be out of sight where it was is not looked at any more.
      if (now && y + body(now).getBoundingClientRect().height <= scroller.getBoundingClientRect().top) break;
      const error = now ? Math.abs(top(now) - y) : Infinity;
      most = Math.max(most, error);
      if (error > 1) {
        violations.push(
          `${step} ${kind}, frame ${wait}: row ${seq} from ${y} to ${
            now && top(now)
          }; scrollTop ${before} to ${scroller.scrollTop} of ` +
            `${scroller.scrollHeight}`,
        );
        break;
      }
    }
    if (rows().length > 300) violations.push(`${step} ${kind}: ${rows().length} rows`);
  }
  return { violations, steps: count, kinds, most };
}
