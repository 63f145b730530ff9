"""A reason and a code that a newer server made up: the client shows the English text that comes with them."""

from __future__ import annotations

import pytest

from securechat import model as m
from securechat.client.core import actions
from securechat.client.core.state import RoomKey
from securechat.client.ui.rows.describe import sentence
from securechat.wire.frames import frame
from securechat.wire.native import NativeClientCodec
from tests.support.core_driver import Driver

WORDS = "The stars are not right. Wait for them"
TOLD = f'"text": "{WORDS}", "reason": "stars_not_right", "args": {{"stars": 7, "house": "ops"}}'


def heard(record: str) -> m.Event:
    """The event that the client reads of a record."""
    codec = NativeClientCodec()
    codec.receive_data(frame(record.encode()))
    event = codec.next_event()
    assert event is not None
    return event


def shown(driver: Driver) -> str:
    """All that the user is told."""
    told = (sentence(event, RoomKey("lobby"), driver.core.me.id) for event in driver.told)
    return "\n".join(each for each in told if each is not None)


def online() -> Driver:
    """A client in the lobby and in #ops."""
    driver = Driver(rooms=("ops",))
    driver.settle()
    driver.told.clear()
    driver.sent.clear()
    return driver


@pytest.mark.parametrize("code", ["not_a_member", "of_a_newer_server"])
def test_a_refused_request(code: str) -> None:
    driver = online()
    driver.want(actions.JoinRoom("new"))
    driver.hear(heard(f'{{"t": "refused", "code": "{code}", "ref": {driver.sent[-1].ref}, "room": "new", {TOLD}}}'))
    assert WORDS in shown(driver)


@pytest.mark.parametrize("code", ["no_right", "of_a_newer_server"])
def test_a_refused_message(code: str) -> None:
    driver = online()
    driver.say("hello")
    driver.hear(heard(f'{{"t": "refused", "code": "{code}", "cid": {driver.sent[-1].client_id}, {TOLD}}}'))
    assert WORDS in shown(driver)


def test_a_room_that_had_to_be_left() -> None:
    driver = online()
    driver.hear(heard(f'{{"t": "left", "room": "ops", "ref": 0, "code": "kicked", {TOLD}}}'))
    assert WORDS in shown(driver)


@pytest.mark.parametrize("code", ["kicked", "of_a_newer_server"])
def test_a_connection_that_ends(code: str) -> None:
    driver = online()
    driver.hear(heard(f'{{"t": "closing", "code": "{code}", {TOLD}}}'))
    driver.cut()
    assert any(getattr(event, "text", "") == WORDS for event in driver.told)
