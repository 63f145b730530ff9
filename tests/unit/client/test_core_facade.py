"""What a user interface can rely on: the core is composed, and its state can be read and not written."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from enum import Enum

import pytest
from msgspec import Struct

from securechat import model as m
from securechat.client import core as package
from securechat.client.core import actions
from securechat.client.core.client import ClientCore
from securechat.client.core.state import ConnectionPhase
from tests.support.core_driver import Driver


def test_no_part_of_the_core_inherits_from_another() -> None:
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    found = [
        kind
        for name in names
        for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if kind.__module__ == name and not issubclass(kind, Struct | Enum)
    ]
    assert ClientCore in found
    assert not [kind for kind in found for base in kind.__bases__ if base.__module__.startswith(package.__name__)]


def test_a_user_interface_reads_everything_it_shows_from_the_facade() -> None:
    driver = Driver(rooms=("ops",), typing=True)
    driver.settle()
    core = driver.core
    lobby, ops = core.room("lobby"), core.room("ops")
    assert (core.phase, core.me.name, core.current) == (ConnectionPhase.ONLINE, "me", ops)
    assert set(core.rooms) == {"lobby", "ops"}
    assert list(core.wanted_rooms) == ["ops"]
    driver.server.batch([("lobby", "a")])
    driver.settle()
    driver.hear(m.TypingNow(m.Person(99, "p99"), room="ops"))
    conversation = core.conversations[lobby]
    [message] = conversation.messages
    assert conversation.unread == 1
    assert core.find_message(lobby, message.seq) is message
    assert core.find_message(ops, message.seq) is None
    assert [person.name for person in core.typists] == ["p99"]
    assert core.name_of(message.sender_id) == message.name
    assert message.name in core.known_names()
    assert not core.ignored
    assert not core.catching_up
    assert not core.reading
    driver.want(actions.SelectConversation(lobby))
    assert conversation.unread == 0


@pytest.mark.parametrize("name", ["phase", "me", "current", "rooms", "conversations", "ignored", "unsent"])
def test_its_state_is_changed_by_inputs_alone(name: str) -> None:
    core = Driver().core
    with pytest.raises(AttributeError):
        setattr(core, name, getattr(core, name))
