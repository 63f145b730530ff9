"""The browser's own warning about an unknown CA, clicked through as a person does: nothing is told to accept the key.

docs/web.md lists what works behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import CHROMIUM, FLAGS, LAPTOP, PATIENCE_MS, Visitor
from tests.support.other_browsers import PATIENCE_S, Firefox, firefox, wait_for, write
from tests.support.server import ServerProcess, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TOKEN, CA = "0123456789abcdef" * 2, "fedcba9876543210" * 4
WORKS = """async () => ({
    secure: isSecureContext,
    clipboard: "clipboard" in navigator,
    storage: (localStorage.setItem("x", "1"), localStorage.getItem("x") === "1"),
    locks: await navigator.locks.request("x", () => true),
    digest: (await crypto.subtle.digest("SHA-256", new Uint8Array(1))).byteLength === 32,
})"""


@pytest.fixture(scope="module")
def strict_browser(browser: Browser) -> Iterator[Browser]:
    """A Chromium as it is installed: it accepts no key that its system does not.

    The driver is that of the other browser: a process can have one alone.
    """
    started = browser.browser_type.launch(executable_path=CHROMIUM, args=list(FLAGS))
    yield started
    started.close()


@pytest.fixture
def visitor(strict_browser: Browser, server: ServerProcess) -> Iterator[Visitor]:
    visitor = Visitor(strict_browser, f"https://localhost:{server.port}", locale="en-GB", **LAPTOP)
    # A service worker is fetched anew, without the exception that the person made.
    visitor.allowed += ["An SSL certificate error occurred when fetching the script"]
    yield visitor
    visitor.close()
    visitor.expect_clean()


def past_the_warning(visitor: Visitor, path: str) -> None:
    """Open an address, and go past the warning with its own buttons."""
    from playwright.sync_api import Error, expect

    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        visitor.open(path)
    page = visitor.page
    page.locator("#details-button").click()
    page.locator("#proceed-link").click()
    expect(page).to_have_title(re.compile("securechat"), timeout=PATIENCE_MS)


def test_a_person_who_goes_past_the_warning_can_chat(visitor: Visitor) -> None:
    past_the_warning(visitor, "/")
    page = visitor.page
    page.get_by_label("Name").fill("ana")
    page.get_by_role("button", name="Join").click()
    box = page.get_by_role("textbox", name="Message #lobby")
    box.fill("behind the warning")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("behind the warning", exact=True).wait_for()
    assert page.evaluate(WORKS) == {
        "secure": True,
        "clipboard": True,
        "storage": True,
        "locks": True,
        "digest": True,
    }


def test_the_fragment_of_an_invite_gets_past_the_warning_and_into_no_log(
    visitor: Visitor, server: ServerProcess
) -> None:
    past_the_warning(visitor, f"/#join-once/{TOKEN}/{CA}")
    page = visitor.page
    page.get_by_role("heading", name="You are invited").wait_for()
    assert TOKEN not in page.url
    assert "another fingerprint" in page.locator("body").inner_text(), "the invite names another CA"
    assert TOKEN not in "".join(server.lines)


def test_what_explains_the_warning_is_reached_from_the_first_screen(visitor: Visitor) -> None:
    past_the_warning(visitor, "/")
    page = visitor.page
    page.get_by_role("link", name=re.compile("warning means")).click()
    page.get_by_role("heading", name="Compare the fingerprint first").wait_for()
    page.get_by_role("link", name="Bahasa Indonesia").click()
    page.get_by_role("heading", name="Cocokkan dulu sidik jarinya").wait_for()
    page.get_by_role("link", name="Kembali ke obrolan").click()
    page.get_by_label("Name").wait_for()


WARNING = "(document.querySelector('net-error-card')?.shadowRoot ?? document)"
"""What holds the buttons of Firefox's warning: the whole page up to 140 ESR, one element of it in 153 ESR."""
ADVANCED = f"{WARNING}.querySelector('#advancedButton, #advanced-button')"
PROCEED = f"{WARNING}.querySelector('#exceptionDialogButton, #exception-button')"


def is_past(browser: Firefox) -> bool:
    """Click the last button of Firefox's warning while it is there; returns whether it is gone."""
    if not browser.js(f"{PROCEED} !== null"):
        return True
    with suppress(AssertionError):  # the page may go between the look and the click
        browser.click(PROCEED)
    return False


@pytest.mark.slow
def test_firefox_goes_past_its_warning_with_the_fragment(server: ServerProcess, tmp_path: Path) -> None:
    with firefox(tmp_path / "profile", accepts=False) as browser:
        with pytest.raises(AssertionError, match="SEC_ERROR_UNKNOWN_ISSUER"):
            browser.open(f"https://localhost:{server.port}/#join-once/{TOKEN}/{CA}")
        ready = f"document.body.matches('.certerror, .felt-privacy-body') && {ADVANCED} !== null"
        wait_for(browser, ready, "the warning page's own script")
        browser.click(ADVANCED)
        wait_for(browser, f"{PROCEED}?.getBoundingClientRect().height > 0", "the button of the exception")
        # The button obeys only after a while, so that it is not clicked by mistake.
        wait_until(lambda: is_past(browser), "the page behind the warning", PATIENCE_S)
        wait_for(browser, "document.querySelector('input[name=new-password]') !== null", "the form of the invite")
        assert TOKEN not in browser.js("location.href")
        opened = """new Promise((resolve) => {
            const socket = new WebSocket(`wss://${location.host}/ws`, "securechat.1");
            socket.onopen = () => resolve(true);
            socket.onerror = () => resolve(false);
        })"""
        assert browser.js(opened), "a WebSocket behind the warning"
        assert browser.js("isSecureContext && 'clipboard' in navigator && 'locks' in navigator")
        guest = "[...document.querySelectorAll('button')].find((each) => each.textContent === 'Join as a guest')"
        wait_for(
            browser, f"({guest}?.click(), document.querySelector('input[name=new-password]') === null)", "the form"
        )
        write(browser, "input[name=username]", "ana")
        browser.type("\n")
        workers = "navigator.serviceWorker.getRegistrations().then((found) => found.length === 1)"
        wait_for(browser, workers, "the service worker, which is registered behind the login")
