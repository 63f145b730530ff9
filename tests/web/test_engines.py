"""The main path in Firefox and WebKit: come in, say, read, survive a restart of the server."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import LAPTOP, Visitor
from tests.support.cutting_relay import CuttingRelay
from tests.support.file_double import png
from tests.support.other_browsers import Browser, firefox, wait_for, webkit, write
from tests.support.page import come_in, expect_once, message, say
from tests.support.server import ServerProcess, wait_until


def enter(browser: Browser, selector: str, text: str) -> None:
    """Type into a field, and end with Enter."""
    write(browser, selector, text)
    browser.type("\n")


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
        enter(browser, "input[name=username]", "budi")
        wait_for(browser, rows(browser, "from chromium 🎉"), "what was said before")
        enter(browser, "textarea", f"from {engine}")
        expect_once(ana, f"from {engine}")
        server.kill()
        enter(browser, "textarea", "meanwhile")
        wait_for(browser, rows(browser, "meanwhile"), "the waiting message")
        server.start()
        expect_once(ana, "meanwhile")
        say(ana, "welcome back")
        wait_for(browser, rows(browser, "welcome back"), "a message after the restart")
        assert browser.js(rows(browser, "meanwhile")) == 1
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")


def choose(browser: Browser, name: str, mime: str, content: bytes) -> None:
    """Choose a file, as its dialog does, and wait until it stands in the composer."""
    wait_for(browser, "document.querySelector('.attached input[multiple]') !== null", "the paper clip")
    encoded = base64.b64encode(content).decode()
    browser.js(
        f"""(() => {{
          const bytes = Uint8Array.from(atob({encoded!r}), (each) => each.charCodeAt(0));
          const chosen = new DataTransfer();
          chosen.items.add(new File([bytes], {name!r}, {{ type: {mime!r} }}));
          const input = document.querySelector(".attached input[multiple]");
          input.files = chosen.files;
          input.dispatchEvent(new Event("change"));
        }})()"""
    )
    wait_for(browser, f"document.querySelector('.attachment')?.innerText.includes({name!r})", f"{name} in the composer")


STORED = """(async () => {
  const opening = indexedDB.open("securechat.files");
  const database = await new Promise((resolve) => opening.onsuccess = () => resolve(opening.result));
  const asked = database.transaction("parcels").objectStore("parcels").getAll();
  const parcels = await new Promise((resolve) => asked.onsuccess = () => resolve(asked.result));
  database.close();
  return parcels.length === 1 && parcels[0].state === "sending" && parcels[0].files.every((each) => each.stored);
})()"""
SIZE = 600_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning")  # selenium's own
@pytest.mark.parametrize("engine", ["firefox", "webkit"])
def test_files(engine: str, visit: Callable[..., Visitor], server: ServerProcess, tmp_path: Path) -> None:
    """A picture is sent and shown; a file goes on after a cut, and one that waits after a reload."""
    pytest.importorskip("PIL", reason="Pillow is not installed: every picture is a file")
    visitor = visit(**LAPTOP)
    visitor.allowed += ["WebSocket", "ERR_CONNECTION", "net::"]
    ana = come_in(visitor, "ana")
    relay = CuttingRelay(server.port)
    with firefox(tmp_path / "profile") if engine == "firefox" else webkit() as browser:
        browser.open(f"https://localhost:{relay.port}/")
        enter(browser, "input[name=username]", "budi")
        wait_for(browser, "document.querySelector('textarea') !== null", "the room")
        choose(browser, "photo.png", "image/png", png(900, 600))
        wait_for(browser, "document.querySelector('canvas.thumb')?.width > 0", "the picture, drawn before it is sent")
        enter(browser, "textarea", "a picture")
        wait_for(browser, "document.querySelector('.picture img')?.naturalWidth === 320", "the preview")
        message(ana, "a picture").get_by_role("button", name="photo.png").wait_for()
        relay.cut_after(SIZE // 2)
        choose(browser, "cut.bin", "", bytes(SIZE))
        enter(browser, "textarea", "was cut")
        wait_until(lambda: relay.cuts, "the network was cut")
        browser.js("dispatchEvent(new Event('online'))")
        message(ana, "was cut").get_by_role("link", name="cut.bin").wait_for()
        server.kill()
        choose(browser, "waits.bin", "", bytes(SIZE))
        enter(browser, "textarea", "has waited")
        wait_for(browser, STORED, "the file in IndexedDB")
        server.start()
        browser.open(f"https://localhost:{relay.port}/")
        message(ana, "has waited").get_by_role("link", name="waits.bin").wait_for()
        expect_once(ana, "a picture", "was cut", "has waited")
        wait_for(browser, f"{rows(browser, 'has waited')} === 1", "the message, once")
    relay.close()
