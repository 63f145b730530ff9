"""The main paths of the page, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.browser import LAPTOP, PHONE, Visitor
from tests.support.server import ServerProcess


def come_in(visitor: Visitor, name: str) -> None:
    """Join as a guest."""
    page = visitor.open()
    page.get_by_label("Name").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Message #lobby").wait_for()


def say(visitor: Visitor, text: str) -> None:
    """Send a message."""
    box = visitor.page.get_by_role("textbox", name="Message #lobby")
    box.fill(text)
    visitor.page.get_by_role("button", name="Send").click()


def test_a_phone_and_a_laptop_talk(visit: Callable[..., Visitor]) -> None:
    ana, budi = visit(**PHONE), visit(**LAPTOP)
    come_in(ana, "ana")
    come_in(budi, "budi")
    say(ana, "halo 🎉")
    budi.page.get_by_text("halo 🎉").wait_for()
    say(budi, "halo juga")
    ana.page.get_by_text("halo juga").wait_for()
    assert ana.page.get_by_text("halo 🎉").count() == 1


def test_nothing_is_lost_when_the_server_is_killed(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    ana, budi = visit(**LAPTOP), visit(**LAPTOP)
    for each in (ana, budi):
        each.allowed += ["WebSocket", "ERR_CONNECTION", "net::"]
    come_in(ana, "ana")
    come_in(budi, "budi")
    say(ana, "before")
    budi.page.get_by_text("before").wait_for()
    server.kill()
    say(ana, "meanwhile")
    ana.page.get_by_text("meanwhile").wait_for()
    server.start()
    budi.page.get_by_text("meanwhile").wait_for()
    assert budi.page.get_by_text("meanwhile").count() == 1
