"""Times the message list in Chromium on a made-up core (tests/web/pages/list): pages above, live messages, the heap.

``python -m tools.bench.page [--slower 4]``. What is measured is the work of the page alone, so there is no server.

- A page of 50 above: from the first callback of the frame that shows it until the frame is drawn.
- Live: 1,000 messages a second for 10 s, in bursts every 10 ms, to a reader at the end; the
  longest time between two frames, and the CPU time of the page.
- Heap: what JavaScript keeps after a reader has scrolled through 10,000 messages and the garbage is collected.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tests.support.browser import chromium
from tests.support.static_pages import static_pages

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

_PAGES = """
async (count) => {
  const took = [];
  const next = () => new Promise((go) => requestAnimationFrame((at) => setTimeout(go, 0, at)));
  const told = fake.app.act;
  for (let page = 0; page < count; page++) {
    const before = fake.acts.filter((each) => each.do === "older").length;
    let worst = 0;
    document.querySelector(".scroller").scrollBy(0, -1400);
    for (let frame = 0; frame < 6; frame++) {
      await new Promise((go) => requestAnimationFrame(() => {
        const begin = performance.now();
        const channel = new MessageChannel();
        channel.port1.onmessage = () => { worst = Math.max(worst, performance.now() - begin); go(); };
        channel.port2.postMessage(0);
      }));
    }
    if (fake.acts.filter((each) => each.do === "older").length > before) took.push(worst);
  }
  return took;
}
"""
_LIVE = """
async (seconds) => {
  const gaps = [];
  let last = performance.now();
  let on = true;
  const frame = (at) => { gaps.push(at - last); last = at; if (on) requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  const begin = performance.now();
  let sent = 0;
  await new Promise((done) => {
    const timer = setInterval(() => {
      const due = Math.min(1000 * seconds, Math.floor(performance.now() - begin)) - sent;
      if (due > 0) { fake.live(due); sent += due; }
      if (sent >= 1000 * seconds) { clearInterval(timer); done(); }
    }, 10);
  });
  on = false;
  const shown = fake.shown().at(-1) === fake.log.at(-1).seq;
  return { gaps: gaps.slice(2), sent, shown };
}
"""
_SCROLL = """
async (count) => {
  const next = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
  const scroller = document.querySelector(".scroller");
  const first = fake.log[Math.max(0, fake.log.length - count)].seq;
  for (let turn = 0; turn < 5000 && fake.shown()[0] > first; turn++) {
    scroller.scrollBy(0, -2500);
    await next();
  }
  return fake.shown()[0] <= first;
}
"""


def metrics(session: CDPSession) -> dict[str, float]:
    """What Chromium counts of a page; durations are seconds of CPU."""
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slower", type=float, default=1.0, help="so many times slower than this machine's CPU")
    options = parser.parse_args()
    with static_pages() as origin, chromium("--enable-precise-memory-info") as browser:

        def opened() -> tuple[Page, CDPSession]:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{origin}/pages/list/index.html?messages=12000")
            page.wait_for_selector(".rows > .row")
            session = page.context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": options.slower})
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            return page, session

        page, session = opened()
        before = metrics(session)
        took = sorted(page.evaluate(_PAGES, 60))
        cpu = metrics(session)["TaskDuration"] - before["TaskDuration"]
        print(
            f"page of 50 above: median {took[len(took) // 2]:.1f} ms, longest {took[-1]:.1f} ms, "
            f"CPU {cpu * 1000 / len(took):.1f} ms with the scrolling, {len(took)} pages"
        )
        page.close()
        page, session = opened()
        before = metrics(session)
        live = page.evaluate(_LIVE, 10)
        gaps = sorted(live["gaps"])
        print(
            f"{live['sent']:,} live messages in 10 s: {len(gaps)} frames, median {gaps[len(gaps) // 2]:.1f} ms, "
            f"longest {gaps[-1]:.1f} ms, CPU {metrics(session)['TaskDuration'] - before['TaskDuration']:.1f} s"
        )
        page.close()
        page, session = opened()
        if not page.evaluate(_SCROLL, 10_000):
            raise SystemExit("10,000 messages were not reached")
        session.send("HeapProfiler.collectGarbage")
        after = metrics(session)
        print(f"heap after 10,000: {after['JSHeapUsedSize'] / 2**20:.1f} MiB, {after['Nodes']:.0f} nodes")


if __name__ == "__main__":
    main()
