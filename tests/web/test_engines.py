"""The main path in Firefox and WebKit: come in, say, read, survive a restart of the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import LAPTOP, Visitor
from tests.support.other_browsers import Browser, firefox, wait_for, webkit
from tests.support.page import come_in, expect_once, say
from tests.support.server import ServerProcess


def press(browser: Browser, name: str) -> None:
    """Click the button with this name."""
    wait_for(
        browser,
        f"(() => {{ const button = [...document.querySelectorAll('button')].find((each) =>"
        f" (each.getAttribute('aria-label') ?? each.textContent).trim() === {name!r});"
        " button?.click(); return Boolean(button); })()",
        f"a button {name}",
    )


def write(browser: Browser, selector: str, text: str) -> None:
    """Type into a field."""
    wait_for(
        browser,
        f"(document.querySelector({selector!r})?.focus(), document.activeElement.matches({selector!r}))",
        selector,
    )
    browser.type(text)


def rows(browser: Browser, text: str) -> str:
    """An expression: how many rows contain a text."""
    return f"[...document.querySelectorAll('article')].filter((each) => each.innerText.includes({text!r})).length"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning")  # selenium's own
@pytest.mark.parametrize("engine", ["firefox", "webkit"])
def test_the_main_path(engine: str, visit: Callable[..., Visitor], server: ServerProcess, tmp_path: Path) -> None:
    visitor = visit(**LAPTOP)
    visitor.allowed += ["WebSocket", "ERR_CONNECTION", "net::"]
    ana = come_in(visitor, "ana")
    say(ana, "from chromium 🎉")
    with firefox(tmp_path / "profile") if engine == "firefox" else webkit() as browser:
        browser.open(f"https://localhost:{server.port}/")
        write(browser, "input[name=username]", "budi\n")
        wait_for(browser, rows(browser, "from chromium 🎉"), "what was said before")
        write(browser, "textarea", f"from {engine}\n")
        expect_once(ana, f"from {engine}")
        server.kill()
        write(browser, "textarea", "meanwhile\n")
        wait_for(browser, rows(browser, "meanwhile"), "the waiting message")
        server.start()
        expect_once(ana, "meanwhile")
        say(ana, "welcome back")
        wait_for(browser, rows(browser, "welcome back"), "a message after the restart")
        assert browser.js(rows(browser, "meanwhile")) == 1
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")
