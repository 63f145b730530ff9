"""Firefox and WebKit for the main paths of the page, behind one small interface.

Firefox is driven by WebDriver BiDi over a WebSocket of its own (Debian has no geckodriver), WebKit by its WebDriver and
selenium. Both are told to accept the test server's certificate, because neither can be told to accept one key.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support import patience

FIREFOX = next((path for name in ("firefox-esr", "firefox") if (path := shutil.which(name))), None)
WEBKIT_DRIVER = shutil.which("WebKitWebDriver")
MINI_BROWSERS = sorted(Path("/usr/lib").glob("*/webkit2gtk-*/MiniBrowser"))
PATIENCE_S = patience.PATIENCE_S
SCRIPT_PATIENCE_S = 300.0
"""For one expression: it may scroll through a whole log."""
_ENTER = "\ue007"  # the key Enter of WebDriver


class Browser(Protocol):
    """What the main paths need of a browser."""

    name: str

    def open(self, url: str) -> None:
        """Go to an address."""

    def js(self, expression: str) -> Any:
        """Return the value of an expression; of a Promise what it becomes."""

    def type(self, text: str) -> None:
        """Type into what has the focus."""


def wait_for(browser: Browser, expression: str, what: str) -> Any:
    """Ask until an expression is true; returns it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := browser.js(expression)):
        if time.monotonic() > deadline:
            shown = browser.js("document.body.innerText")
            raise AssertionError(f"{browser.name}: not within {PATIENCE_S:.0f} s: {what}\n{shown}")
    return value


def write(browser: Browser, selector: str, text: str) -> None:
    """Type a text without line breaks into a field; ask until it is there, and type anew when it is not.

    The page may put another field in its place, or the focus elsewhere, between the look and the letters.
    """
    field = f"document.querySelector({selector!r})"
    deadline = time.monotonic() + PATIENCE_S
    focus = f"({field}?.focus(), {field}?.select(), {field} !== null && document.activeElement === {field})"
    while True:
        wait_for(browser, focus, selector)
        browser.type(text)
        if (found := browser.js(f"{field}?.value")) == text:
            return
        assert time.monotonic() < deadline, (
            f"{browser.name}: not within {PATIENCE_S:.0f} s: {text} in {selector}: {found}"
        )


class Firefox:
    """A headless Firefox.

    Args:
        profile: an empty directory.
        accepts: whether it accepts every certificate; else its warning page comes, as a person's does.
    """

    name = "firefox"

    def __init__(self, profile: Path, *, accepts: bool = True) -> None:
        assert FIREFOX is not None
        self._numbers = count(1)
        self._process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        )
        self._closing = ExitStack()
        try:
            self._open_session(accepts=accepts)
        except BaseException:
            self.close()
            raise

    def _open_session(self, *, accepts: bool) -> None:
        from websockets.sync.client import connect

        assert self._process.stderr is not None
        for line in self._process.stderr:
            if (found := re.search(r"ws://\S+", line)) is not None:
                break
        else:
            raise AssertionError("Firefox says no address")
        socket = connect(f"{found[0]}/session", max_size=None, open_timeout=PATIENCE_S)
        self._socket = self._closing.enter_context(socket)
        self._ask("session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": accepts}}})
        self._context = self._ask("browsingContext.getTree", {})["contexts"][0]["context"]

    def open(self, url: str) -> None:
        """Go to an address."""
        self._ask("browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"})

    def js(self, expression: str) -> Any:
        """Return the value of an expression; of a Promise what it becomes."""
        wrapped = f"(async () => JSON.stringify(await ({expression})) ?? 'null')()"
        target = {"context": self._context}
        answer = self._ask("script.evaluate", {"expression": wrapped, "target": target, "awaitPromise": True})
        if answer["type"] == "exception":
            raise AssertionError(f"firefox: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        keys = [
            {"type": kind, "value": _ENTER if letter == "\n" else letter}
            for letter in text
            for kind in ("keyDown", "keyUp")
        ]
        source = {"type": "key", "id": "keyboard", "actions": keys}
        self._ask("input.performActions", {"context": self._context, "actions": [source]})

    def click(self, element: str) -> None:
        """Click into the middle of an element, an expression, with the mouse: a warning page takes no other click."""
        at = self.js(
            f"(() => {{ const found = {element}; found.scrollIntoView();"
            " const { x, y, width, height } = found.getBoundingClientRect();"
            " return [x + width / 2, y + height / 2].map(Math.round) })()"
        )
        moves = [
            {"type": "pointerMove", "x": at[0], "y": at[1]},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        source = {"type": "pointer", "id": "mouse", "actions": moves}
        self._ask("input.performActions", {"context": self._context, "actions": [source]})

    def close(self) -> None:
        """End the browser."""
        self._closing.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=SCRIPT_PATIENCE_S))
            if answer.get("id") == number:
                if answer["type"] == "error":
                    raise AssertionError(f"firefox: {method}: {answer['message']}")
                return answer["result"]


class WebKit:
    """A WebKitGTK, on a display of its own."""

    name = "webkit"

    def __init__(self) -> None:
        from selenium import webdriver
        from selenium.webdriver.webkitgtk.service import Service

        options = webdriver.WebKitGTKOptions()
        options.binary_location = str(MINI_BROWSERS[-1])
        options.add_argument("--automation")
        options.set_capability("acceptInsecureCerts", True)
        assert WEBKIT_DRIVER is not None
        self._driver = webdriver.WebKitGTK(options=options, service=Service(WEBKIT_DRIVER))
        self._driver.set_script_timeout(SCRIPT_PATIENCE_S)

    def open(self, url: str) -> None:
        """Go to an address."""
        self._driver.get(url)

    def js(self, expression: str) -> Any:
        """Return the value of an expression; of a Promise what it becomes."""
        script = (
            "const done = arguments[arguments.length - 1];"
            f"(async () => JSON.stringify(await ({expression})) ?? 'null')()"
            ".then(done, (error) => done('!' + error));"
        )
        answer = self._driver.execute_async_script(script)
        if answer.startswith("!"):
            raise AssertionError(f"webkit: {answer[1:]}")
        return json.loads(answer)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        from selenium.webdriver import ActionChains

        # Keys without an element: one that was looked up is stale when the page puts another in its place.
        ActionChains(self._driver).send_keys(text.replace("\n", _ENTER)).perform()

    def close(self) -> None:
        """End the browser."""
        self._driver.quit()


@contextmanager
def firefox(profile: Path, *, accepts: bool = True) -> Iterator[Firefox]:
    """Start a Firefox; skips the test where there is none. For ``accepts`` see the class."""
    if FIREFOX is None:
        pytest.skip("no Firefox on this machine (Debian: apt install firefox-esr)")
    profile.mkdir()
    browser = Firefox(profile, accepts=accepts)
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def webkit() -> Iterator[WebKit]:
    """Start a WebKit; skips the test where its driver or a display is missing."""
    if WEBKIT_DRIVER is None or not MINI_BROWSERS:
        pytest.skip("no WebKit on this machine (Debian: apt install webkit2gtk-driver)")
    if (server := shutil.which("Xvfb")) is None:
        pytest.skip("no display for WebKit on this machine (Debian: apt install xvfb)")
    reading, writing = os.pipe()
    display = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as numbers:
        number = numbers.readline().strip()
    before = {name: os.environ.get(name) for name in ("DISPLAY", "WEBKIT_FORCE_SANDBOX", "NO_AT_BRIDGE")}
    # Without its sandbox, which needs namespaces that containers often forbid.
    os.environ.update({"DISPLAY": f":{number}", "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "NO_AT_BRIDGE": "1"})
    try:
        browser = WebKit()
        try:
            yield browser
        finally:
            browser.close()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        display.kill()
        display.wait()
