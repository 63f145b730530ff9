"""What is marked as under way is given back when it fails: no flag, turn, use, name or count outlives an error.

Each case does something once while a part below the hub fails, and once more when it works again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.hub.hub import Hub
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.model import (
    Acked,
    AddCertificate,
    ChangePassword,
    Done,
    Edit,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Named,
    Nick,
    Refused,
    Register,
    Registered,
    Say,
    SetRoom,
    Welcome,
)
from securechat.records.log import NotAppended
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, register
from tests.unit.hub.admin.test_commands import Outcome, act

OTHER = "another good one"
KEY = "sha256:" + "cd" * 32


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


@contextmanager
def broken(part: Any, method: str) -> Iterator[None]:
    """A method of something below the hub finds no memory."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    before = vars(part).get(method)
    setattr(part, method, fail)
    try:
        yield
    finally:
        if before is None:
            delattr(part, method)
        else:
            setattr(part, method, before)


def attempt(rig: HubRig, peer: FakePeer, *commands: Any) -> None:
    """Do something that an error ends, here or in what is posted."""
    failures = 0
    for command in commands:
        try:
            rig.do(peer, command, settle=False)
        except MemoryError:
            failures += 1
    while rig.posted:
        try:
            rig.step()
        except MemoryError:
            failures += 1
    assert failures, "nothing failed"


def is_at_rest(hub: Hub) -> bool:
    """Tell whether nothing is marked as under way."""
    registry, entrance, door, desk = hub._directory, hub._login_flow, hub._authenticator, hub._account_service
    return not (
        desk._at_work
        or desk._adding
        or door._uses_pending
        or door.hashing._queue
        or door.hashing._under_way
        or entrance._authenticating
        or entrance._waiting
        or hub.context.workflows.turns
        or hub.context.workflows.turns._granting
        or registry.leaving
        or registry.arriving
        or hub._room_membership._joining
        or hub._log_reads._reading
        or hub._room_membership._leaving
        or any(room.is_renaming for room in hub.context.rooms.recorded.values())
        or hub.unsettled
        or any(member.unsettled for member in hub.context.members.values())
    )


# --- Hashing ----------------------------------------------------------------------------------------------------------


def test_registering_after_a_failed_hash(rig: HubRig) -> None:
    ann = rig.member("ann")
    rig.keys.hasher.failing = True  # type: ignore[attr-defined]
    rig.do(ann, Register(ref=1, password=PASSWORD))
    refused = ann.last(Refused)
    assert (refused.code, refused.ref) == (ErrorCode.BUSY, 1) and refused.retry_after_s
    assert is_at_rest(rig.hub)
    rig.do(ann, Nick(ref=2, name="anna"))
    assert ann.last(Named).name == "anna"
    rig.keys.hasher.failing = False  # type: ignore[attr-defined]
    register(rig, ann)


@pytest.mark.parametrize("hashes", [0, 1], ids=["comparing the old", "hashing the new"])
def test_changing_the_password_after_a_failed_hash(rig: HubRig, hashes: int) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    hasher: Any = rig.keys.hasher
    rig.do(ann, ChangePassword(ref=2, old=PASSWORD, new=OTHER), settle=False)
    if not hashes:
        ann.events.clear()
        rig.settle()
        rig.do(ann, ChangePassword(ref=2, old=OTHER, new=PASSWORD))
        hasher.failing = True
        rig.do(ann, ChangePassword(ref=2, old=PASSWORD, new=OTHER), settle=False)
    hasher.failing = True
    rig.settle()
    refused = ann.last(Refused)
    assert (refused.code, refused.ref) == (ErrorCode.BUSY, 2) and refused.retry_after_s
    assert is_at_rest(rig.hub)
    hasher.failing = False
    rig.do(ann, ChangePassword(ref=3, old=PASSWORD, new=OTHER))
    assert Done(3) in ann.events


def test_a_failed_hash_is_no_wrong_password(rig: HubRig) -> None:
    register(rig, rig.member("ann"))
    hasher: Any = rig.keys.hasher
    hasher.failing = True
    for _ in range(rig.limits.failed_logins_free + 3):
        refused = hello(rig, "ann", password=PASSWORD).last(Refused)
        assert refused.code is ErrorCode.BUSY and refused.retry_after_s
    one = rig.peer()
    for _ in range(rig.limits.login_tries_per_connection + 3):
        rig.do(one, Hello(version=1, name="ann", secret="9" * 32, password=PASSWORD))
    assert {event.code for event in one.of(Refused)} == {ErrorCode.BUSY}
    assert is_at_rest(rig.hub)
    hasher.failing = False
    rig.do(one, Hello(version=1, name="ann", secret="9" * 32, password=PASSWORD))
    assert one.of(Welcome)


def test_an_invite_after_a_failed_hash(rig: HubRig) -> None:
    made = act(rig, "invite", uses=1, days=1, room=None)
    hasher: Any = rig.keys.hasher
    hasher.failing = True
    assert hello(rig, "ann", invite=made.token, password=PASSWORD).last(Refused).code is ErrorCode.BUSY
    assert is_at_rest(rig.hub)
    hasher.failing = False
    assert hello(rig, "ann", invite=made.token, password=PASSWORD).of(Welcome)


def test_an_administrator_hears_of_a_failed_hash(rig: HubRig) -> None:
    register(rig, rig.member("ann"))
    hasher: Any = rig.keys.hasher
    hasher.failing = True
    outcome = Outcome()
    rig.hub.admin_commands.reset_password("root", "ann", outcome)
    rig.settle()
    assert isinstance(outcome.only, NotAppended) and outcome.only.code is ErrorCode.BUSY
    hasher.failing = False
    assert isinstance(act(rig, "reset_password", "ann"), str)


# --- What is below the hub --------------------------------------------------------------------------------------------


def invited(rig: HubRig) -> FakePeer:
    made = act(rig, "invite", uses=1, days=1, room=None)
    peer = rig.peer()
    peer.token = made.token  # type: ignore[attr-defined]
    return peer


def member(rig: HubRig) -> FakePeer:
    return rig.member("bob")


def owner(rig: HubRig) -> FakePeer:
    ann = rig.member("ann")
    register(rig, ann)
    rig.do(ann, Join(ref=1, rooms=["den"]))
    rig.do(ann, Say(client_id=1, room="den", text="hello"))
    return ann


def returning(rig: HubRig) -> FakePeer:
    token = register(rig, rig.member("ann"))
    peer = rig.peer()
    peer.token = token  # type: ignore[attr-defined]
    return peer


Case = tuple[str, Callable[[HubRig], FakePeer], Callable[[FakePeer], Any], str, type]
CASES: list[Case] = [
    ("register", member, lambda _: Register(ref=7, password=PASSWORD), "record", Registered),
    ("register, no randomness", member, lambda _: Register(ref=7, password=PASSWORD), "token_bytes", Registered),
    ("password", owner, lambda _: ChangePassword(ref=7, old=PASSWORD, new=OTHER), "record", Done),
    ("certificate", owner, lambda _: AddCertificate(ref=7, label="x"), "record", Done),
    ("rename an account", owner, lambda _: Nick(ref=7, name="anna"), "record", Named),
    ("say", member, lambda _: Say(client_id=7, room="lobby", text="x"), "append", Acked),
    ("edit", owner, lambda _: Edit(client_id=7, seq=1, room="den", text="y"), "revise", Acked),
    ("join", owner, lambda _: Join(ref=7, rooms=["hall"]), "record", Joined),
    ("leave", owner, lambda _: Leave(ref=7, room="den"), "record", Left),
    ("topic", owner, lambda _: SetRoom(ref=7, room="den", topic="x"), "record", Done),
    ("room's name", owner, lambda _: SetRoom(ref=7, room="den", name="cave"), "record", Done),
    ("guest's hello", lambda rig: rig.peer(), lambda _: Hello(1, "carl", "5" * 32), "identify", Welcome),
    ("token", returning, lambda peer: Hello(1, "ann", "5" * 32, token=peer.token), "identify", Welcome),  # type: ignore[attr-defined]
    ("invite", invited, lambda p: Hello(1, "carl", "5" * 32, invite=p.token, password=PASSWORD), "identify", Welcome),  # type: ignore[attr-defined]
    ("password's login", returning, lambda _: Hello(1, "ann", "5" * 32, password=PASSWORD), "identify", Welcome),
]


@pytest.mark.parametrize(("who", "what", "method", "success"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_what_failed_once_can_be_done_again(
    rig: HubRig, who: Callable[[HubRig], FakePeer], what: Callable[[FakePeer], Any], method: str, success: type
) -> None:
    peer = who(rig)
    if rig.hub.is_member(peer):
        peer.certificate = KEY
    command = what(peer)
    if method == "token_bytes":
        token_bytes = rig.keys.token_bytes

        def none(_: int) -> bytes:
            raise MemoryError

        object.__setattr__(rig.hub._authenticator, "_keys", _with(rig, none))
        attempt(rig, peer, command)
        object.__setattr__(rig.hub._authenticator, "_keys", _with(rig, token_bytes))
    else:
        with broken(rig.hub.context.log, method):
            attempt(rig, peer, command)
    assert is_at_rest(rig.hub)
    peer.events.clear()
    rig.do(peer, command)
    assert not peer.of(Refused)
    assert peer.of(success)
    assert is_at_rest(rig.hub)


def _with(rig: HubRig, token_bytes: Callable[[int], bytes]) -> Any:
    from msgspec.structs import replace

    return replace(rig.keys, token_bytes=token_bytes)


def test_a_reader_whose_page_fails_is_free_when_its_connection_ends(rig: HubRig) -> None:
    bob = rig.member("bob", "7" * 32)
    with broken(rig.log, "history"):
        attempt(rig, bob, History(ref=1))
    rig.hub.lost(bob)
    assert is_at_rest(rig.hub)
    again = rig.member("bob", "7" * 32)
    rig.do(again, History(ref=2))
    assert again.of(HistoryPage)


# --- Turns ------------------------------------------------------------------------------------------------------------


def test_a_turn_that_raises_is_over_and_those_behind_it_are_taken(rig: HubRig) -> None:
    workflows, taken = rig.hub.context.workflows, []

    def act(name: str, *, fails: bool = False) -> Workflow[None]:
        yield Turn("place")
        if fails:
            raise MemoryError
        taken.append(name)
        yield Commit((rig.hub._directory.note("a", "b"),))

    workflows.run(act("first"))
    for _ in range(3000):  # far more than the stack is deep
        workflows.run(act("fails", fails=True))
    workflows.run(act("last"))
    with pytest.raises(MemoryError):
        rig.settle()
    rig.settle()
    assert taken == ["first", "last"]
    assert len(rig.store.audit(9)) == 2
    assert is_at_rest(rig.hub)


def test_a_change_the_log_cannot_be_asked_for_ends_its_turn(rig: HubRig) -> None:
    workflows = rig.hub.context.workflows

    def act() -> Workflow[None]:
        yield Turn("place")
        yield Commit((rig.hub._directory.note("a", "b"),))

    for _ in range(2):
        workflows.run(act())
    with broken(rig.log, "record"), pytest.raises(MemoryError):
        rig.settle()
    workflows.run(act())
    rig.settle()
    assert len(rig.store.audit(9)) == 2, "the first and the third"
    assert is_at_rest(rig.hub)


def test_a_member_who_cannot_be_seated_is_not_there(rig: HubRig) -> None:
    peer = rig.peer()
    with broken_clock(rig):
        attempt(rig, peer, Hello(1, "carl", "5" * 32))
    rig.hub.lost(peer)
    assert is_at_rest(rig.hub) and not rig.hub.context.members
    other = rig.peer()
    rig.do(other, Hello(1, "carl", "6" * 32))
    assert other.of(Welcome), other.events


def test_a_member_who_cannot_be_welcomed_is_one_who_was_lost(rig: HubRig) -> None:
    peer = rig.peer()
    with broken(rig.hub._presence, "returned"):
        attempt(rig, peer, Hello(1, "carl", "5" * 32))
    rig.hub.lost(peer)
    rig.pass_time(rig.limits.name_reservation_s + 1)
    assert is_at_rest(rig.hub) and not rig.hub.context.members
    other = rig.peer()
    rig.do(other, Hello(1, "carl", "6" * 32))
    assert other.of(Welcome), other.events


@contextmanager
def broken_clock(rig: HubRig) -> Iterator[None]:
    registry, wall_ms = rig.hub._directory, rig.hub._directory.wall_ms

    def none() -> int:
        raise MemoryError

    registry.wall_ms = none
    try:
        yield
    finally:
        registry.wall_ms = wall_ms
