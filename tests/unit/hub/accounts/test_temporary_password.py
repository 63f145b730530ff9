"""A temporary password lets its owner choose another, and nothing else.

Looked through: every command of the union, by parameters; logins by token, password and certificate; a second
connection of the same login.
"""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    ChangePassword,
    Command,
    Direct,
    Done,
    History,
    Join,
    Leave,
    Logins,
    Message,
    Nick,
    Ping,
    Pong,
    Read,
    Refused,
    Say,
    Search,
    Typing,
    Welcome,
    Whois,
)
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, register
from tests.unit.hub.admin.test_commands import act

NEW = "three other words"
REFUSED: tuple[Command, ...] = (
    Say(client_id=1, room="lobby", text=NEW),
    Direct(client_id=1, to=2, text=NEW),
    Join(ref=1, rooms=["ops"]),
    Leave(ref=1, room="lobby"),
    Nick(ref=1, name="anna"),
    History(ref=1, room="lobby"),
    Search(ref=1, query="word"),
    Whois(ref=1, name="bob"),
    Logins(ref=1),
)


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def held(rig: HubRig) -> tuple[FakePeer, FakePeer, str]:
    """Somebody with a temporary password who has logged in by it, another member, and the password."""
    ann, bob = rig.member("ann"), rig.member("bob")
    register(rig, ann)
    temporary = act(rig, "reset_password", "ann")
    return hello(rig, "ann", password=temporary), bob, temporary


@pytest.mark.parametrize("command", REFUSED, ids=lambda command: type(command).__name__)
def test_everything_else_is_refused_by_a_code(rig: HubRig, command: Command) -> None:
    ann, bob, _ = held(rig)
    rig.do(ann, command)
    assert ann.last(Refused).code is ErrorCode.PASSWORD_TEMPORARY
    assert bob.of(Message) == [], "the password that was typed went to the lobby"


def test_what_has_no_answer_is_dropped_and_a_ping_is_answered(rig: HubRig) -> None:
    ann, _, _ = held(rig)
    rig.do(ann, Read(seq=0, room="lobby"))
    rig.do(ann, Typing(room="lobby"))
    rig.do(ann, Ping(n=7))
    assert ann.of(Refused) == []
    assert ann.last(Pong).n == 7


def test_a_login_by_the_token_is_held_too_and_a_change_frees(rig: HubRig) -> None:
    ann, bob, temporary = held(rig)
    token = ann.last(Welcome).token
    ann = hello(rig, "ann", token=token)
    assert ann.last(Welcome).must_change
    rig.do(ann, ChangePassword(ref=4, old=PASSWORD, new=NEW))
    assert ann.last(Refused).code is ErrorCode.LOGIN_FAILED
    rig.do(ann, ChangePassword(ref=5, old=temporary, new=NEW))
    assert ann.last(Done).ref == 5
    rig.do(ann, Say(client_id=1, room="lobby", text="hello"))
    assert ann.of(Acked)
    assert bob.last(Message).text == "hello"
    assert not hello(rig, "ann", password=NEW).last(Welcome).must_change
