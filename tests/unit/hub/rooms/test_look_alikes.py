"""Names that look like others, wherever a name comes into use: rooms, members, the server's own words.

Looked through for comparisons with a name: a hello (guest, invite, password, token, certificate), `/nick`,
`/register`, joins (typed, again after a loss, by an invite), new names of rooms, invites with a room, bans by name,
mentions, `whois` (which `/msg` asks), `from:` and `in:` of a search, exports, and the word "you" in the client's
sentences. Those that bring a name into use, or tell the user who is meant, compare skeletons; those that look one up
compare it exactly, so that a look-alike finds no person and no room.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securechat.client.catalogue.names import quoted
from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.rooms.directory import RoomDirectory
from securechat.model import Found, Join, Joined, Leave, Nick, Quit, Refused, Register, SetRoom, Welcome, Whois
from securechat.text import confusables
from securechat.text.names import check_room
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, refusal
from tests.unit.hub.admin.test_commands import act
from tests.unit.hub.rooms.test_rooms import join, ok, person, who

FAKE_OPS = "#\u043eps"  # with a Cyrillic o


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def reason(peer: FakePeer) -> str | None:
    event = peer.events[-1]
    assert isinstance(event, Refused), event
    return event.reason


# --- The server's own names -------------------------------------------------------------------------------------------

RESERVED = ("S\u0435rver", "\u0455ystem", "SYST\u0415M", "s\u0443stem", "systern", "\uff33ervеr", "Sy\u017ftem")


@pytest.mark.parametrize("name", RESERVED)
def test_no_guest_is_called_like_the_server(rig: HubRig, name: str) -> None:
    assert refusal(hello(rig, name)) is ErrorCode.NAME_RESERVED
    guest = rig.member("guest")
    rig.do(guest, Nick(ref=1, name=name))
    assert refusal(guest) is ErrorCode.NAME_RESERVED
    ann = person(rig, "ann")
    rig.do(ann, Nick(ref=1, name=name))
    assert refusal(ann) is ErrorCode.NAME_RESERVED


def test_an_account_of_an_older_server_keeps_its_name(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr("securechat.hub.accounts.authentication.is_like_reserved", lambda _: False)
        rig.do(person(rig, "S\u0435rver"), Quit())
    assert hello(rig, "S\u0435rver", password=PASSWORD).of(Welcome)


def test_a_name_that_looks_like_you_stands_in_quotes() -> None:
    assert quoted("\u0443ou") == '"\u0443ou"'
    assert quoted("y\u043eu") == '"y\u043eu"'
    assert quoted("youri") == "youri"


def test_a_look_alike_finds_no_person(rig: HubRig) -> None:
    ann, bob = rig.member("ann"), rig.member("bob")
    rig.do(bob, Whois(ref=1, name="\u0430nn"))
    assert reason(bob) is not None
    rig.do(bob, Whois(ref=2, name="ANN"))
    assert bob.last(Found).person.id == who(ann)


# --- Accounts that look alike already ---------------------------------------------------------------------------------


def test_accounts_that_look_alike_already_go_on_working(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    person(rig, "anna")
    with monkeypatch.context() as older:
        older.setattr(AccountDirectory, "look_alike", AccountDirectory.account_named)
        older.setattr("securechat.hub.accounts.names.skeleton", lambda name: name)
        rig.do(hello(rig, "\u0430nna"), Register(ref=1, password=PASSWORD))
    rig = HubRig(store=rig.store)
    for names in (("anna", "\u0430nna"), ("\u0430nna", "anna")):
        first, second = (hello(rig, name, password=PASSWORD) for name in names)
        assert first.last(Welcome).sender_id != second.last(Welcome).sender_id
        for each in (first, second):
            rig.do(each, Quit())
    directory = rig.hub.context.accounts
    other = directory.account_named("anna")
    assert other is not None
    directory._drop_account(other.sender_id)
    assert refusal(hello(rig, "ann\u0430")) is ErrorCode.NAME_IN_USE, "the other one is still there"


# --- Rooms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fake", ["l\u043ebby", "l0bby", "1obby", "10bby", "lobb\u0443"])
def test_no_room_looks_like_the_lobby(rig: HubRig, fake: str) -> None:
    for peer in (rig.member("guest"), person(rig, "ann", "ops")):
        join(rig, peer, fake)
        assert reason(peer) == ("room_looks_like")
    rig.do(peer, SetRoom(ref=1, room="ops", name=fake))
    assert reason(peer) == "room_looks_like"


@pytest.mark.parametrize("first", ["guest", "account"])
def test_a_room_that_looks_like_another_is_refused(rig: HubRig, first: str) -> None:
    maker = rig.member("first") if first == "guest" else person(rig, "first")
    for real, fake in (("ops", "\u043eps"), ("\u0440\u043e\u0441", "\u0440oc"), ("dev_\u0430", "dev_a")):
        join(rig, maker, real)
        assert maker.last(Joined).room == real
        for peer in (rig.member(f"guest {real}"), person(rig, f"account {real}", f"own{real}")):
            join(rig, peer, fake)
            assert reason(peer) == "room_looks_like"
            assert peer.last(Refused).arguments == {"room": fake, "other": real}
        ok_before = rig.hub.context.rooms.named(f"own{real}")
        rig.do(peer, SetRoom(ref=1, room=f"own{real}", name=fake))
        assert reason(peer) == "room_looks_like"
        assert rig.hub.context.rooms.named(f"own{real}") is ok_before


def test_ascii_names_are_different_rooms(rig: HubRig) -> None:
    ann = person(rig, "ann")
    for name in ("dev_ops", "dev__ops", "dev-ops", "devops", "dev0ps", "modem", "modern"):
        join(rig, ann, name)
        assert ann.last(Joined).room == name


def test_a_private_room_is_not_named_to_others(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "own")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    join(rig, bob, FAKE_OPS)
    assert reason(bob) == "room_looks_like_another"
    assert "other" not in (bob.last(Refused).arguments or {})
    rig.do(bob, SetRoom(ref=2, room="own", name=FAKE_OPS))
    assert reason(bob) == "room_looks_like_another"
    join(rig, ann, FAKE_OPS)
    assert ann.last(Refused).arguments == {"room": "\u043eps", "other": "ops"}


def test_a_room_may_get_a_name_that_looks_like_its_own(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "\u043eps"), person(rig, "bob")
    ok(rig, ann, SetRoom(ref=1, room="\u043eps", name="ops"))
    join(rig, bob, "\u043eps")
    assert reason(bob) == "room_looks_like"
    ok(rig, ann, SetRoom(ref=2, room="ops", name="crew"))
    join(rig, bob, "\u043eps")
    assert bob.last(Joined).room == "\u043eps", "the name is free again"


def test_a_name_is_free_when_its_room_is_gone(rig: HubRig) -> None:
    guest, other = rig.member("guest"), rig.member("other")
    join(rig, guest, FAKE_OPS)
    join(rig, other, "ops")
    assert reason(other) == "room_looks_like"
    rig.do(guest, Leave(ref=1, room=FAKE_OPS))
    join(rig, other, "ops")
    assert other.last(Joined).room == "ops"


def test_two_look_alikes_that_are_made_at_once_are_one(rig: HubRig) -> None:
    for names in (("ops", FAKE_OPS), ("\u0430ce", "ace")):
        ann, bob = person(rig, f"ann {names[0]}"), person(rig, f"bob {names[0]}")
        rig.do(ann, Join(ref=1, rooms=[names[0]]), settle=False)
        rig.do(bob, Join(ref=1, rooms=[names[1]]), settle=False)
        rig.settle()
        assert ann.last(Joined).room == check_room(names[0])
        assert reason(bob) == "room_looks_like"


def test_a_room_that_is_being_renamed_has_both_names(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "crew"), person(rig, "bob")
    for name, fake in (("\u043eps", "ops"), ("ace", "\u0430ce")):
        rig.do(ann, SetRoom(ref=1, room="crew", name=name), settle=False)
        rig.do(bob, Join(ref=1, rooms=[fake]), settle=False)
        rig.settle()
        assert reason(bob) == "room_looks_like", fake
        ok(rig, ann, SetRoom(ref=1, room=name, name="crew"))


def test_rooms_that_look_alike_already_go_on_working(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = person(rig, "ann", "ops")
    with monkeypatch.context() as older:
        older.setattr(RoomDirectory, "look_alike", lambda *_: None)
        bob = person(rig, "bob", FAKE_OPS, "o\u0440s", "l\u043ebby")
    rig = HubRig(store=rig.store)
    bob = hello(rig, "bob", password=PASSWORD)
    assert {event.room for event in bob.of(Joined)} == {"lobby", "\u043eps", "o\u0440s", "l\u043ebby"}
    ann = hello(rig, "ann", password=PASSWORD)
    for name in (FAKE_OPS, "ops", "l\u043ebby", "o\u0440s"):
        join(rig, ann, name)
        assert ann.last(Joined).room == name.removeprefix("#")
    join(rig, ann, "\u043e\u0440s")
    assert reason(ann) == "room_looks_like"


def test_an_invite_names_no_look_alike(rig: HubRig) -> None:
    person(rig, "ann", "ops")
    with pytest.raises(Refusal) as caught:
        act(rig, "invite", uses=1, days=1, room=FAKE_OPS)
    assert caught.value.reason == "room_looks_like"
    act(rig, "invite", uses=1, days=1, room="ops")
    act(rig, "invite", uses=1, days=1, room="new")


LETTERS = sorted(chr(char) for char in confusables._table())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(letters=st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4), account=st.booleans())
def test_no_letter_of_the_table_makes_a_second_room(letters: list[str], account: bool) -> None:
    """Whichever of two spellings comes first, a guest's or an account's, the other one is refused."""
    try:
        fake = check_room(f"x{''.join(letters)}")
        real = check_room(confusables.room_skeleton(fake))
    except Refusal:
        return
    if real == fake or confusables.room_skeleton(real) != confusables.room_skeleton(fake):
        return
    for first, second in ((real, fake), (fake, real)):
        rig = HubRig()
        maker = person(rig, "ann") if account else rig.member("ann")
        join(rig, maker, first)
        other = rig.member("bob")
        join(rig, other, second)
        assert maker.last(Joined).room == first
        assert reason(other) == "room_looks_like"
