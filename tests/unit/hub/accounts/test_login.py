"""A login is one commit, whatever proves it, and an invite makes no second account of a name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    AddCertificate,
    AskConversations,
    ConversationList,
    Grant,
    Hello,
    Join,
    Quit,
    RoleChanged,
    Welcome,
)
from securechat.wire.native import NATIVE
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import KEY, PASSWORD, refusal, register
from tests.unit.hub.admin.test_commands import invite


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def as_guest(_: HubRig) -> Hello:
    return Hello(1, "ann", "5" * 32)


def by_password(rig: HubRig) -> Hello:
    register(rig, rig.member("ann"))
    return Hello(1, "ann", "5" * 32, password=PASSWORD)


def by_token(rig: HubRig) -> Hello:
    return Hello(1, "ann", "5" * 32, token=register(rig, rig.member("ann")))


def by_certificate(rig: HubRig) -> Hello:
    ann = rig.member("ann")
    register(rig, ann)
    ann.certificate = KEY
    rig.do(ann, AddCertificate(ref=9))
    return Hello(1, "ann", "5" * 32)


def by_invite(rig: HubRig) -> Hello:
    return Hello(1, "ann", "5" * 32, invite=invite(rig).token, password=PASSWORD)


WAYS: list[Callable[[HubRig], Hello]] = [as_guest, by_password, by_token, by_certificate, by_invite]


def log_in(rig: HubRig, hello: Hello, certificate: str | None = None) -> FakePeer:
    """Say hello, and let happen what leads to its welcome."""
    peer = rig.peer()
    peer.certificate = certificate
    rig.do(peer, hello, settle=False)
    while rig.posted and not peer.of(Welcome):
        rig.step()
    return peer


@pytest.mark.parametrize("way", WAYS)
def test_a_login_is_one_commit(rig: HubRig, way: Callable[[HubRig], Hello]) -> None:
    hello = way(rig)
    commits: list[str] = []
    rig.store.fault = lambda moment: commits.append(moment) if moment == "applied" else None
    peer = log_in(rig, hello, KEY if way is by_certificate else None)
    assert peer.of(Welcome)
    assert len(commits) == 1


@pytest.mark.parametrize("way", [by_password, by_invite])
def test_the_token_of_a_welcome_is_durable(rig: HubRig, way: Callable[[HubRig], Hello]) -> None:
    welcome = log_in(rig, way(rig)).last(Welcome)
    for each in (rig, HubRig(store=rig.store)):
        again = log_in(each, Hello(1, "ann", "6" * 32, token=welcome.token)).last(Welcome)
        assert (again.sender_id, again.account) == (welcome.sender_id, True)


def test_a_name_registered_during_the_hashing_is_not_registered_again_by_an_invite(rig: HubRig) -> None:
    ann, eve = rig.member("ann"), rig.peer()
    made = invite(rig)
    rig.do(eve, Hello(1, "ann", "6" * 32, invite=made.token, password=PASSWORD), settle=False)
    hashed = rig.posted.popleft()
    register(rig, ann)
    rig.do(ann, Quit())
    rig.posted.append(hashed)
    rig.settle()
    assert refusal(eve) is ErrorCode.NAME_IN_USE
    assert [account.name for account in rig.store.open().people.accounts] == ["ann"]
    assert not next(rig.hub.admin_commands.invites()).used_by


def test_an_invite_hello_whose_welcome_was_lost_may_come_again(rig: HubRig) -> None:
    """The account exists already: its password lets the client in, and the invite is spent once."""
    made = invite(rig)
    hello = Hello(1, "ann", "6" * 32, invite=made.token, password=PASSWORD)
    first = log_in(rig, hello)
    sender_id = first.last(Welcome).sender_id
    rig.lose(first)
    assert log_in(rig, hello).last(Welcome).sender_id == sender_id
    assert next(rig.hub.admin_commands.invites()).used_by == ("ann",)
    for stranger in (
        Hello(1, "ann", "7" * 32, invite=made.token, password="another-password"),
        Hello(1, "eve", "7" * 32, invite=made.token, password=PASSWORD),
    ):
        peer = rig.peer()
        rig.do(peer, stranger)
        assert refusal(peer) is ErrorCode.INVITE_USED


def test_the_end_of_a_mute_is_said_without_its_default(rig: HubRig) -> None:
    """msgspec leaves a float out only if it is the very object of the default.

    Looked through: every field of an event whose default is a fraction; there are only these two.
    """
    ann, bob = rig.member("ann"), rig.member("bob")
    for peer in (ann, bob):
        register(rig, peer)
        rig.do(peer, Join(5, ["ops"]))
    rig.do(ann, Grant(6, "ops", bob.of(Welcome)[0].sender_id, "moderator"))
    assert b"muted_s" not in NATIVE.encode(ann.last(RoleChanged))
    rig.do(ann, AskConversations(7))
    assert b"muted_s" not in NATIVE.encode(ann.last(ConversationList))
