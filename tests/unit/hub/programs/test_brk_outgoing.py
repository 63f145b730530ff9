"""Faults of outgoing webhooks in the hub that are not mended yet; each test fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from securechat.hub.programs.outgoing import NextMessage
from securechat.model import Acked, Say, SetRoom
from securechat.records.accounts import OutgoingWebhook
from tests.support.hub_rig import HubRig
from tests.unit.hub.rooms.test_rooms import ok, person

SECRET = "whsec_" + "A" * 44


class Port:
    """Delivers nothing."""

    def judge(self, url: str) -> None:
        pass

    def changed(self, sender_id: int) -> None:
        pass

    def behind(self, sender_id: int) -> int:
        return 0

    def posted(self, sender_id: int, *, wanted: bool) -> None:
        pass


def webhook(rig: HubRig, room: str) -> OutgoingWebhook:
    rig.hub.outgoing.port = Port()
    told: list[Any] = []
    rig.hub.admin_commands.programs.add_outgoing(
        "root", room, "https://ci.example.org/", trigger="all", name="out", secret=SECRET, bots=False, done=told.append
    )
    rig.settle()
    (made,) = told
    assert isinstance(made, OutgoingWebhook)
    return made


def test_brk_another_room_that_gets_the_name_while_it_is_read_is_not_delivered() -> None:
    rig = HubRig()
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "board")
    ok(rig, bob, SetRoom(ref=1, room="board", private=True))
    row = webhook(rig, "ops")
    asked: list[Callable[[], None]] = []
    log = rig.hub.context.log
    read = log.history
    _say(rig, bob, "board", "for the board alone")
    log.history = lambda *arguments: asked.append(lambda: read(*arguments))  # type: ignore[method-assign]
    answers: list[Any] = []
    rig.hub.outgoing.ask_next(row, row.cursor, answers.append)
    ok(rig, ann, SetRoom(ref=1, room="ops", name="works"))
    ok(rig, bob, SetRoom(ref=2, room="board", name="ops"))
    log.history = read  # type: ignore[method-assign]
    for ask in asked:
        ask()
    rig.settle()
    assert [answer.message for answer in answers] == [None]


def test_brk_a_room_that_is_renamed_while_it_is_read_loses_no_message() -> None:
    rig = HubRig()
    ann = person(rig, "ann", "ops")
    row = webhook(rig, "ops")
    seq = _say(rig, ann, "ops", "hello")
    asked: list[Callable[[], None]] = []
    log = rig.hub.context.log
    read = log.history
    log.history = lambda *arguments: asked.append(lambda: read(*arguments))  # type: ignore[method-assign]
    answers: list[Any] = []
    rig.hub.outgoing.ask_next(row, row.cursor, answers.append)
    ok(rig, ann, SetRoom(ref=1, room="ops", name="works"))  # durable before the reading thread comes to it
    log.history = read  # type: ignore[method-assign]
    for ask in asked:
        ask()
    rig.settle()
    (answer,) = answers
    assert isinstance(answer, NextMessage)
    assert answer.message is not None or answer.through < seq, "the message is taken for looked at"


def _say(rig: HubRig, peer: Any, room: str, text: str) -> int:
    rig.do(peer, Say(client_id=1, room=room, text=text))
    return int(peer.last(Acked).seq)
