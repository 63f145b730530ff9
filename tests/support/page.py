"""What a person does in the page, for tests of all browsers: by names and roles, as a screen reader finds them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.browser import PATIENCE_MS, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


_DIALOG = "dialog[open]"
PANELS = {
    "settings": _DIALOG,
    "members": "aside:has(.members)",
    "search": "aside:has(.search-form)",
    "help": _DIALOG,
    "room": _DIALOG,
}
"""What opens over a conversation or beside it: its word in the address, and where it stands."""


@contextmanager
def open_panel(page: Page, panel: str) -> Iterator[Locator]:
    """Open a panel of the lobby by its address while the block runs; gives its element, with what it loads in it."""
    from playwright.sync_api import expect

    page.evaluate("panel => location.hash = `#/room/lobby?${panel}`", panel)
    place = page.locator(PANELS[panel])
    place.get_by_role("heading").first.wait_for()
    expect(place.get_by_role("status").filter(has_text="…")).to_have_count(0, timeout=PATIENCE_MS)  # "Loading …"
    yield place
    page.evaluate("location.hash = '#/room/lobby'")
    page.locator(_DIALOG).wait_for(state="detached")


def come_in(visitor: Visitor, name: str, path: str = "/") -> Page:
    """Choose a name as a guest, and open the lobby."""
    page = visitor.open(path)
    page.get_by_label("Name", exact=True).fill(name)
    page.keyboard.press("Enter")
    composer(page).wait_for()
    return page


def composer(page: Page, name: str = "#lobby") -> Locator:
    """The field that messages are written in."""
    return page.get_by_role("textbox", name=f"Message {name}")


def say(page: Page, text: str, name: str = "#lobby") -> None:
    """Write a message and send it."""
    composer(page, name).fill(text)
    page.get_by_role("button", name="Send").click()


def message(page: Page, text: str) -> Locator:
    """The rows of the list that contain a text."""
    return page.get_by_role("article").filter(has_text=text)


def expect_once(page: Page, *texts: str) -> None:
    """Wait until each text stands in exactly one row, and the rows are in this order.

    Raises:
        AssertionError: a text stands there twice, or in another order.
    """
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:  # a row is made anew when its message is stored: count and order must be of one moment
        shown = page.get_by_role("article").all_inner_texts()
        places = [[place for place, row in enumerate(shown) if text in row] for text in texts]
        if all(len(each) == 1 for each in places) and places == sorted(places):
            return
        assert time.monotonic() < deadline, f"{texts} do not stand once and in order: {shown}"
        page.evaluate("() => new Promise((go) => requestAnimationFrame(() => setTimeout(go)))")
