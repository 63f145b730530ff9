"""The main paths of the page, in a real browser against a real server."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, Visitor
from tests.support.page import come_in, composer, expect_once, message, say
from tests.support.server import ServerProcess

CUT = ("WebSocket", "ERR_CONNECTION", "ERR_INTERNET", "net::")
"""What the console says about a connection that a test cuts."""


@pytest.mark.desktop
def test_a_phone_and_a_laptop_talk(visit: Callable[..., Visitor]) -> None:
    ana, budi = come_in(visit(**PHONE), "ana"), come_in(visit(**LAPTOP), "budi")
    say(ana, "halo 🎉")
    expect_once(budi, "halo 🎉")
    say(budi, "halo juga")
    for page in (ana, budi):
        expect_once(page, "halo 🎉", "halo juga")


def test_a_newcomer_reads_what_was_said_before(visit: Callable[..., Visitor]) -> None:
    ana = come_in(visit(), "ana")
    for number in range(3):
        say(ana, f"line {number}")
    expect_once(ana, "line 2")
    budi = come_in(visit(**PHONE), "budi")
    expect_once(budi, "line 0", "line 1", "line 2")


def test_each_message_is_there_once_after_the_server_was_killed(
    visit: Callable[..., Visitor], server: ServerProcess
) -> None:
    visitors = [visit(), visit(**PHONE)]
    for visitor in visitors:
        visitor.allowed += CUT
    ana, budi = (come_in(visitor, name) for visitor, name in zip(visitors, ("ana", "budi"), strict=True))
    say(ana, "before")
    expect_once(budi, "before")
    server.kill()
    say(ana, "meanwhile one")
    say(budi, "meanwhile two")
    expect_once(ana, "meanwhile one")
    server.start()
    for page in (ana, budi):
        for text in ("before", "meanwhile one", "meanwhile two"):
            expect_once(page, text)


def test_what_is_written_without_a_network_is_sent_when_it_is_back(visit: Callable[..., Visitor]) -> None:
    visitors = [visit(**PHONE), visit()]
    visitors[0].allowed += CUT
    ana, budi = (come_in(visitor, name) for visitor, name in zip(visitors, ("ana", "budi"), strict=True))
    say(ana, "first")
    expect_once(budi, "first")
    visitors[0].context.set_offline(True)
    say(ana, "on the train")
    expect_once(ana, "on the train")
    say(budi, "are you there?")
    visitors[0].context.set_offline(False)
    for page in (ana, budi):
        expect_once(page, "on the train")
        expect_once(page, "are you there?")


def test_a_tab_that_is_killed_behind_enter_sends_once(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    """The message is stored in the browser before it is sent: the next page sends it, and the server takes it once."""
    visitor, other = visit(), visit()
    visitor.allowed += CUT
    ana, budi = come_in(visitor, "ana"), come_in(other, "budi")
    server.signal(signal.SIGSTOP)
    composer(ana).fill("just before the end")
    ana.keyboard.press("Enter")
    server.signal(signal.SIGCONT)
    ana.reload()
    composer(ana).wait_for()
    for page in (ana, budi):
        expect_once(page, "just before the end")


def test_a_draft_survives_a_reload_and_a_change_of_room(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    composer(page).fill("half a thought")
    page.reload()
    from playwright.sync_api import expect

    expect(composer(page)).to_have_value("half a thought", timeout=PATIENCE_MS)


@pytest.mark.parametrize("device", [pytest.param(PHONE, marks=pytest.mark.slow), LAPTOP], ids=["phone", "laptop"])
def test_a_second_tab_takes_the_chat_over(visit: Callable[..., Visitor], device: dict[str, object]) -> None:
    visitor = visit(**device)
    page = visitor.open()
    page.get_by_label("Name", exact=True).fill("ana")
    page.get_by_label("Stay logged in").check()
    page.keyboard.press("Enter")
    composer(page).wait_for()
    second = visitor.context.new_page()
    second.goto(visitor.origin + "/#/room/lobby")
    second.get_by_role("button", name="Use it here").click()
    composer(second).wait_for()
    say(second, "from the second tab")
    expect_once(second, "from the second tab")
    page.get_by_text("another tab").first.wait_for()
    assert message(page, "from the second tab").count() <= 1
