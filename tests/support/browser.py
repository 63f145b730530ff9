"""A real Chromium for tests of the page: it checks certificates, and every complaint of a page fails its test.

Playwright drives the Chromium of this machine; nothing is downloaded. The browser is told to accept one key, that of
the test server (``--ignore-certificate-errors-spki-list``), so any other certificate is refused as a user's browser
refuses it.
"""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support import patience
from tests.support.slow_page import slow_down

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)
HEADLESS = shutil.which("chromium-headless-shell") or CHROMIUM
"""The same engine without the windows, menus and services of a desktop around it, which cost two thirds of the time."""
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LAPTOP = {"viewport": {"width": 1280, "height": 800}}
PATIENCE_MS = 1000 * patience.PATIENCE_S
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""What a Chromium needs where tests run, in containers and without a screen."""


def spki_hash(pem: Path) -> str:
    """Return the hash of a certificate's key as Chromium's flag takes it: base64 of SHA-256 of SubjectPublicKeyInfo."""
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@contextmanager
def chromium(*flags: str, env: dict[str, str] | None = None, whole: bool = False) -> Iterator[Browser]:
    """Start a Chromium; skips the test where there is none.

    Args:
        flags: of its command line.
        env: its own environment, if given.
        whole: whether it is the one of the desktop, for tests of what that has beside pages.
    """
    executable = CHROMIUM if whole else HEADLESS
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    browser = _driver().chromium.launch(
        executable_path=executable, args=[*FLAGS, *flags], env=dict(env) if env is not None else None
    )
    try:
        yield browser
    finally:
        browser.close()


@functools.cache
def _driver() -> Playwright:
    """Playwright's driver, of which a process can have one only."""
    from playwright.sync_api import sync_playwright

    driver = sync_playwright().start()
    atexit.register(driver.stop)
    return driver


class Visitor:
    """One browser profile with its page, watched: what it complains about is kept for `expect_clean`.

    Args:
        browser: where it lives.
        origin: ``https://localhost:PORT``; a request to anything else is a complaint.
        options: of the profile, such as PHONE, a language or a colour scheme.
    """

    def __init__(self, browser: Browser, origin: str, **options: Any) -> None:
        self.origin = origin
        self.complaints: list[str] = []
        self.allowed: list[str] = ["An unknown error occurred when fetching the script"]
        """Parts of complaints that the test itself brings about, such as a connection that it cuts. Chromium says the
        first when a tab is closed while its service worker is fetched; the worker's own tests notice a missing one."""
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        slow_down(self.context)
        self.context.on("request", lambda request: self._requested(request.url))
        self.context.on("page", self._watch)
        self.page: Page = self.context.new_page()

    def open(self, path: str = "/") -> Page:
        """Go to an address of the server."""
        self.page.goto(self.origin + path)
        return self.page

    def expect_clean(self) -> None:
        """Fail if the page has complained.

        Raises:
            AssertionError: with what the console, the policy or the network said.
        """
        found = [each for each in self.complaints if not any(part in each for part in self.allowed)]
        assert not found, "the page complains:\n" + "\n".join(found[:20])

    def close(self) -> None:
        """End the profile."""
        self.context.close()

    def _watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("crash", lambda _page: self.complaints.append("the tab crashed"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _requested(self, url: str) -> None:
        if not url.startswith((self.origin + "/", self.origin.replace("https", "wss") + "/", "data:", "blob:")):
            self.complaints.append(f"a request to {url}")


@contextmanager
def visitors(browser: Browser, origin: str) -> Iterator[Callable[..., Visitor]]:
    """Give a function that makes profiles from options; at the end none of them may have complained."""
    made: list[Visitor] = []

    def new(**options: Any) -> Visitor:
        made.append(Visitor(browser, origin, **(options or LAPTOP)))
        return made[-1]

    yield new
    for visitor in made:
        visitor.close()
    for visitor in made:
        visitor.expect_clean()


def until(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until an expression is true, looking once a frame.

    Playwright's own waiting evaluates a text in the page, which the page's policy forbids. A page that is being left
    has no answer yet.
    """
    from playwright.sync_api import Error

    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            if page.evaluate(expression, argument):
                return
            page.evaluate("() => new Promise((go) => requestAnimationFrame(() => setTimeout(go)))")
        except Error as error:
            if "navigation" not in str(error):
                raise
        assert time.monotonic() < deadline, f"not within {PATIENCE_MS} ms: {expression}"


def expect_focus(locator: Locator) -> None:
    """Wait until an element has the focus.

    It comes a moment later than what is looked for by its role goes: a dialog is hidden first and tells its end later.
    """
    from playwright.sync_api import expect

    expect(locator).to_be_focused(timeout=PATIENCE_MS)
