"""Logins while nothing can be written: a sender that is durable already gets in to read, all others wait.

Looked through: every proof of a hello (guest, token, certificate, password, invite), what each wants to have stored,
and what the log is still owed when there is space again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.limits import Limits
from securechat.model import (
    Acked,
    Hello,
    History,
    HistoryPage,
    Nick,
    Notice,
    Presence,
    Refused,
    Register,
    Registered,
    Say,
    Welcome,
)
from securechat.records.accounts import Login, Put
from securechat.records.log import Identity, NotAppended
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import NO_ENTRY, DiskFull, IdentifySender, Store
from securechat.testing.memory_store import MemoryStore
from tests.support.hub_rig import FakePeer, HubRig

GUEST, DEVICE, OTHER = "5" * 32, "6" * 32, "7" * 32
PASSWORD = "correct horse battery"


def fill(rig: HubRig, *, full: bool = True) -> None:
    def fault(when: str) -> None:
        if full and when == "apply":
            raise DiskFull

    rig.store.fault = fault


def hello(rig: HubRig, name: str, secret: str, **proof: str) -> FakePeer:
    peer = rig.peer()
    rig.do(peer, Hello(version=1, name=name, secret=secret, **proof))
    return peer


@pytest.fixture
def rig() -> HubRig:
    """A guest, and an account with a login, both away for so long that they are not members any more."""
    rig = HubRig()
    rig.do(rig.member("bob", GUEST), Say(1, "lobby", "before"))
    ann = rig.member("ann", DEVICE)
    rig.do(ann, Register(1, PASSWORD))
    rig.token = ann.last(Registered).token  # type: ignore[attr-defined]
    for peer in list(rig.hub.context.connections):
        rig.lose(peer)  # type: ignore[arg-type]
    rig.pass_time(rig.limits.quiet_return_s + 1)
    fill(rig)
    return rig


def test_a_guest_who_is_known_reads_and_hears_who_comes_and_is_told_why_nothing_is_stored(rig: HubRig) -> None:
    bob = hello(rig, "bob", GUEST)
    assert bob.last(Welcome).last_client_id == 1
    assert "read" in bob.last(Notice).text
    rig.do(bob, History(2, limit=9, room="lobby"))
    assert [message.text for message in bob.last(HistoryPage).messages] == ["before"]
    hello(rig, "ann", DEVICE, token=rig.token)  # type: ignore[attr-defined]
    rig.pass_time(5)
    assert "ann" in [person.name for person in bob.last(Presence).joined]
    rig.do(bob, Say(2, "lobby", "later"))
    assert bob.last(Refused).code is ErrorCode.DISK_FULL
    fill(rig, full=False)
    rig.do(bob, Say(2, "lobby", "later"))
    assert bob.last(Acked).client_id == 2


def test_an_account_gets_in_by_its_token_and_the_use_of_the_login_is_noted_nowhere(rig: HubRig) -> None:
    before = {login.login_id: login.used_at_ms for login in rig.hub.context.accounts.logins_of(2)}
    ann = hello(rig, "ann", DEVICE, token=rig.token)  # type: ignore[attr-defined]
    assert ann.last(Welcome).account
    assert before == {login.login_id: login.used_at_ms for login in rig.hub.context.accounts.logins_of(2)}
    fill(rig, full=False)
    rig.lose(ann)
    again = hello(rig, "ann", DEVICE, token=rig.token)  # type: ignore[attr-defined]
    assert not again.of(Notice)
    assert before != {login.login_id: login.used_at_ms for login in rig.hub.context.accounts.logins_of(2)}


@pytest.mark.parametrize(
    ("name", "secret", "proof"),
    [("carol", OTHER, {}), ("ann", DEVICE, {"password": PASSWORD}), ("ann", OTHER, {"password": PASSWORD})],
    ids=["a new guest", "a password makes a login", "a new device"],
)
def test_what_must_be_stored_waits_and_knows_for_how_long(
    rig: HubRig, name: str, secret: str, proof: dict[str, str]
) -> None:
    refused = hello(rig, name, secret, **proof)
    assert refused.last(Refused).code is ErrorCode.DISK_FULL
    assert refused.last(Refused).retry_after_s
    fill(rig, full=False)
    rig.do(refused, Hello(version=1, name=name, secret=secret, **proof))
    assert refused.of(Welcome)


def test_the_name_of_a_guest_who_came_without_space_is_kept_over_a_restart(rig: HubRig) -> None:
    bob = hello(rig, "bert", GUEST)
    rig.do(bob, Nick(3, "bertie"))
    fill(rig, full=False)
    hello(rig, "carol", OTHER)
    again = HubRig(store=rig.store)
    assert hello(again, "bertie", "8" * 32).last(Refused).code is ErrorCode.NAME_IN_USE
    assert hello(again, "bertie", GUEST).of(Welcome)


@pytest.mark.parametrize("name", ["bob", "BOB"])
def test_a_name_that_is_kept_for_ones_own_device_is_never_taken(rig: HubRig, name: str) -> None:
    """Nor is one that differs in case; by hello, by Nick, and after a restart of the server."""
    fill(rig, full=False)
    assert hello(rig, name, GUEST).last(Welcome).name == name
    restarted = HubRig(store=rig.store)
    assert hello(restarted, name, GUEST).last(Welcome).name == name
    peer = hello(restarted, "else", GUEST)
    restarted.do(peer, Nick(4, name))
    assert not peer.of(Refused)


@pytest.mark.parametrize("make", [lambda path: SqliteStore(path, Limits()), lambda _: MemoryStore()])
def test_stores_find_who_is_known_without_writing(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    store: Store = make(tmp_path)
    store.open()
    login = Login(3, 1, b"t" * 32, "", "", 0, 0, 0)
    guest, stranger = IdentifySender(b"s" * 32, "a", "a"), IdentifySender(b"u" * 32, "a", "a")
    store.apply([guest])
    assert store.answer([guest, stranger]).outcomes == [Identity(1, 0, 1, stored=False), NO_ENTRY]
    with_login = IdentifySender(b"s" * 32, "a", "a", None, (Put(login),))
    assert store.answer([with_login]).outcomes == [NO_ENTRY], "the login would be lost"
    (unknown,) = store.answer([IdentifySender(b"s" * 32, "a", "a", 99)]).outcomes
    assert isinstance(unknown, NotAppended), "there is no such account"
