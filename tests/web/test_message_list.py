"""The message list in a real browser, on a made-up core (tests/web/pages/list): no server is needed to scroll."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import LAPTOP, PHONE, Visitor, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types worker"
)
AS_ON_IOS = """
    const supports = CSS.supports;
    CSS.supports = (...what) => what[0] === '-webkit-touch-callout' || supports.apply(CSS, what);
"""


class _Files(SimpleHTTPRequestHandler):
    """Serves `/web/` from the package and the rest from the test pages, under the policy of the real server."""

    def translate_path(self, path: str) -> str:
        plain = path.partition("?")[0]
        base = ROOT / "securechat" if plain.startswith("/web/") else ROOT / "tests" / "web" / "pages"
        return str(base) + plain

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A server of files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(ROOT)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of its own: these pages have no certificate, and frames need not last 16 ms."""
    with chromium("--disable-frame-rate-limit", "--disable-gpu-vsync") as started:
        yield started


@pytest.fixture
def show(browser: Browser, origin: str) -> Iterator[Callable[..., Page]]:
    """Opens the page with these options; at the end no page may have complained."""
    visitors: list[Visitor] = []

    def opened(query: str = "", script: str = "", **options: Any) -> Page:
        visitors.append(Visitor(browser, origin, **(options or LAPTOP)))
        if script:
            visitors[-1].page.add_init_script(script)
        page = visitors[-1].open(f"/list/index.html?{query}")
        page.wait_for_selector(".rows > .row")
        return page

    yield opened
    for visitor in visitors:
        visitor.close()
    for visitor in visitors:
        visitor.expect_clean()


def frames(page: Page, count: int = 3) -> None:
    """Wait until so many frames have been drawn."""
    page.evaluate(
        "async (count) => {"
        "  for (; count; count--) await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));"
        "}",
        count,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_row_under_the_eye_stays(show: Callable[..., Page], seed: int) -> None:
    page = show(f"messages=3000&seed={seed}&delay={seed * 13 % 40}", **(PHONE if seed == 3 else LAPTOP))
    found = page.evaluate(f"fake.run({seed}, 250)")
    assert found["violations"] == [], f"seed {seed}"
    assert found["steps"] == 250


def test_the_row_stays_where_scroll_positions_cannot_be_written(show: Callable[..., Page]) -> None:
    page = show("messages=3000&delay=15", script=AS_ON_IOS, **PHONE)
    found = page.evaluate("fake.run(7, 250)")
    assert found["violations"] == []


def test_the_end_stays_the_end(show: Callable[..., Page]) -> None:
    page = show()
    page.evaluate("fake.live(400)")
    frames(page)
    assert page.evaluate("fake.shown().at(-1) === fake.log.at(-1).seq")
    assert page.evaluate("document.querySelector('.scroller').scrollTop") == 0
    assert page.evaluate("fake.shown().length") <= 300


def test_opening_shows_where_the_unread_begin(show: Callable[..., Page]) -> None:
    page = show("messages=1000&read=700&target=unread")
    frames(page)
    fresh = page.locator(".fresh")
    assert fresh.count() == 1
    box = fresh.bounding_box()
    assert box is not None
    assert 0 < box["y"] < 300
    first = page.evaluate("fake.log[701].seq")
    assert page.evaluate("Number(document.querySelector('.fresh').closest('.row').dataset.seq)") >= first


def test_only_what_was_seen_is_reported_as_read(show: Callable[..., Page]) -> None:
    page = show("messages=1000&read=700&target=unread")
    page.wait_for_function("fake.acts.some((each) => each.do === 'read')")
    seen = page.evaluate("Math.max(...fake.acts.filter((each) => each.do === 'read').map((each) => each.seq))")
    last_visible = page.evaluate(
        """
        const { bottom } = document.querySelector('.scroller').getBoundingClientRect();
        const seen = (row) => row.getBoundingClientRect().bottom <= bottom + 1;
        Math.max(...[...document.querySelectorAll('.row')].filter(seen).map((row) => row.dataset.seq));
        """
    )
    assert page.evaluate("fake.log[701].seq") < seen <= last_visible
