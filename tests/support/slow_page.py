"""A page on which everything is late, under ``--slow-page``: finds tests that look once where they should wait.

On a busy machine what the page does later (an event of the server, a part of the program that is loaded, a frame, a
timer) comes later than a test on a quiet one ever sees it. Here each of these is late every time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Route

LATE_MS = 400
late = False
"""Whether pages are late in this run."""

_SCRIPT = """(() => {
  const LATE = %d, SOON = 120;
  const wait = window.setTimeout.bind(window);
  const later = (ms, call) => typeof call === "function" ? (...given) => void wait(() => call(...given), ms) : call;
  for (const event of ["onopen", "onmessage", "onclose"]) {
    const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, event);
    Object.defineProperty(WebSocket.prototype, event, { ...own, set(call) { own.set.call(this, later(LATE, call)); } });
  }
  const frame = window.requestAnimationFrame.bind(window);
  const frames = new Map();
  let last = 1 << 20;
  window.requestAnimationFrame = (call) => {
    const number = ++last;
    frames.set(number, wait(() => frames.set(number, frame((now) => { frames.delete(number); call(now); })), SOON));
    return number;
  };
  const cancelled = window.cancelAnimationFrame.bind(window);
  window.cancelAnimationFrame = (number) => { clearTimeout(frames.get(number)); cancelled(frames.get(number)); };
  window.setTimeout = (call, ms = 0, ...given) => wait(call, ms + SOON, ...given);
  if (navigator.locks) {
    const request = navigator.locks.request.bind(navigator.locks);
    navigator.locks.request = async (...given) => {
      await new Promise((go) => wait(go, SOON));
      return request(...given);
    };
  }
})()"""


def slow_down(context: BrowserContext) -> None:
    """Make every page of a profile late, if this run is to have such pages."""
    if not late:
        return
    context.add_init_script(_SCRIPT % LATE_MS)
    context.route("**/*.js", _late)


def _late(route: Route) -> None:
    """Deliver a part of the program late: the delay is what is wanted here, not a wait for a condition."""
    time.sleep(LATE_MS / 2000)
    route.continue_()
