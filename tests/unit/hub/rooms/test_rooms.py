"""Rooms with rules: who may enter, write, see and change what."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.limits import Limits
from securechat.model import (
    Acked,
    AskRoom,
    AskUnread,
    Delete,
    Done,
    Edit,
    Edited,
    Grant,
    History,
    HistoryPage,
    Invited,
    InviteTo,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Moderate,
    Quit,
    React,
    Read,
    Refused,
    Register,
    RoleChanged,
    RoomRules,
    Rooms,
    RoomsPage,
    Say,
    SetRoom,
    Typing,
    TypingNow,
    UnreadList,
    Welcome,
    Who,
)
from securechat.records.accounts import Role
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, refusal
from tests.unit.hub.admin.test_commands import act


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def person(rig: HubRig, name: str, *rooms: str) -> FakePeer:
    """Somebody with an account, in these rooms."""
    peer = rig.member(name)
    rig.do(peer, Register(ref=901, password=PASSWORD))
    for room in rooms:
        join(rig, peer, room)
    return peer


def join(rig: HubRig, peer: FakePeer, room: str) -> None:
    rig.do(peer, Join(ref=902, rooms=[room]))


def who(peer: FakePeer) -> int:
    return peer.last(Welcome).sender_id


def ok(rig: HubRig, peer: FakePeer, command: Any) -> None:
    before = len(peer.of(Done))
    rig.do(peer, command)
    assert len(peer.of(Done)) == before + 1, peer.events[-1]


def refused(rig: HubRig, peer: FakePeer, command: Any) -> ErrorCode:
    before = len(peer.of(Refused))
    rig.do(peer, command)
    assert len(peer.of(Refused)) == before + 1, peer.events[-1]
    return refusal(peer)


def say(rig: HubRig, peer: FakePeer, room: str, text: str) -> Any:
    number = 1 + max((acked.client_id for acked in peer.of(Acked)), default=0) + 10 * len(peer.of(Refused))
    rig.do(peer, Say(client_id=number, room=room, text=text))
    return peer.events


# --- Belonging --------------------------------------------------------------------------------------------------------


def test_who_makes_a_room_by_joining_it_is_told(rig: HubRig) -> None:
    ann, guest = person(rig, "ann"), rig.member("guest")
    rig.do(ann, Join(1, ["ops"]))
    assert (ann.last(Joined).made, ann.last(Joined).role) == (True, "owner")
    for peer, room, made in ((guest, "ops", False), (guest, "dev", True), (ann, "dev", False), (ann, "dev", False)):
        rig.do(peer, Join(2, [room]))
        assert peer.last(Joined).made is made, (peer, room)
    rig.do(ann, Leave(3, "ops"))
    rig.do(guest, Leave(4, "ops"))
    rig.do(guest, Join(5, ["ops"]))
    assert guest.last(Joined).made
    assert not rig.member("eve").last(Joined).made, "the lobby is always there"


def test_the_first_account_owns_the_room_and_the_next_are_members(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    assert (ann.last(Joined).role, bob.last(Joined).role) == ("owner", "member")
    guest = rig.member("guest")
    join(rig, guest, "ops")
    assert guest.last(Joined).role is None


def test_an_account_is_back_in_its_rooms_after_a_restart(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "dev")
    rig.do(ann, Leave(ref=5, room="dev"))
    assert ann.last(Left).room == "dev"
    rig.lose(ann)
    again = HubRig(store=rig.store)
    back = hello(again, "ann", password=PASSWORD)
    assert [joined.room for joined in back.of(Joined)] == ["lobby", "ops"]
    assert back.last(Joined).role == "owner"


def test_a_guest_who_registers_belongs_to_the_rooms_it_is_in(rig: HubRig) -> None:
    ann = rig.member("ann")
    join(rig, ann, "ops")
    rig.do(ann, Register(ref=1, password=PASSWORD))
    again = HubRig(store=rig.store)
    assert [joined.room for joined in hello(again, "ann", password=PASSWORD).of(Joined)] == ["lobby", "ops"]


def test_when_the_only_owner_leaves_the_longest_standing_moderator_or_member_owns(rig: HubRig) -> None:
    ann, bob, cyd = (person(rig, name, "ops") for name in ("ann", "bob", "cyd"))
    ok(rig, ann, Grant(ref=1, room="ops", person=who(cyd), role="moderator"))
    rig.do(ann, Leave(ref=2, room="ops"))
    assert (cyd.last(RoleChanged).person.name, cyd.last(RoleChanged).role) == ("cyd", "owner")
    rig.do(cyd, Leave(ref=3, room="ops"))
    assert bob.last(RoleChanged).role == "owner"


def test_a_role_that_a_member_has_already_is_told_to_nobody(rig: HubRig) -> None:
    """With no mute in it, a role that stays looks to clients like the end of a mute."""
    ann, bob = (person(rig, name, "ops") for name in ("ann", "bob"))
    ok(rig, ann, Grant(ref=1, room="ops", person=who(bob), role="member"))
    assert not bob.of(RoleChanged)
    ok(rig, ann, Grant(ref=2, room="ops", person=who(bob), role="moderator"))
    assert bob.last(RoleChanged).role == "moderator"


def test_two_devices_joining_at_once_are_one_membership(rig: HubRig) -> None:
    ann = person(rig, "ann")
    second = hello(rig, "ann", password=PASSWORD)
    for peer in (ann, second):
        rig.do(peer, Join(ref=3, rooms=["ops"]), settle=False)
    rig.settle()
    assert ann.last(Joined).room == second.last(Joined).room == "ops"
    assert not ann.of(Refused)
    assert not second.of(Refused)


# --- Private ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(rig: HubRig) -> tuple[HubRig, FakePeer, FakePeer]:
    """A private room of ann's, with a message, and eve who does not belong to it."""
    ann, eve = person(rig, "ann", "secret"), person(rig, "eve")
    say(rig, ann, "secret", "for our ears")
    ok(rig, ann, SetRoom(ref=1, room="secret", private=True))
    return rig, ann, eve


def test_a_private_room_is_not_there_for_others(secret: tuple[HubRig, FakePeer, FakePeer]) -> None:
    rig, ann, eve = secret
    guest = rig.member("guest")
    for stranger in (eve, guest):
        join(rig, stranger, "secret")
        assert refusal(stranger) is ErrorCode.NO_SUCH_ROOM
        rig.do(stranger, Rooms(ref=1))
        assert [room.room for room in stranger.last(RoomsPage).rooms] == ["lobby"]
        for command in (
            Who(ref=2, room="secret"),
            History(ref=3, room="secret"),
            Say(client_id=1, room="secret", text="x"),
            Edit(client_id=2, seq=1, text="x", room="secret"),
            Delete(client_id=3, seq=1, room="secret"),
            React(client_id=4, seq=1, sign="👍", room="secret"),
        ):
            assert refused(rig, stranger, command) is ErrorCode.NOT_A_MEMBER
        for command in (
            AskRoom(ref=5, room="secret"),
            SetRoom(ref=6, room="secret", topic="x"),
            InviteTo(ref=7, room="secret", person=who(ann)),
            Moderate(ref=8, room="secret", person=who(ann), act="kick"),
            Grant(ref=9, room="secret", person=who(ann), role="member"),
        ):
            code = refused(rig, stranger, command)
            assert code is ErrorCode.NO_SUCH_ROOM
            there_is_none = refused(rig, stranger, type(command)(**{**_fields(command), "room": "nowhere"}))
            assert there_is_none is code, "as if it were not there"
        rig.do(stranger, History(ref=9))
        assert stranger.last(HistoryPage).messages == []
        assert not stranger.messages


def _fields(command: Any) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__}


def test_an_invitation_opens_a_private_room_with_all_its_history(secret: tuple[HubRig, FakePeer, FakePeer]) -> None:
    rig, ann, eve = secret
    ok(rig, ann, InviteTo(ref=2, room="secret", person=who(eve)))
    assert eve.last(Invited).room == "secret"
    join(rig, eve, "secret")
    assert eve.last(Joined).private
    rig.do(eve, History(ref=1, room="secret"))
    assert [message.text for message in eve.last(HistoryPage).messages] == ["for our ears"]


def test_history_from_the_time_of_joining_only(secret: tuple[HubRig, FakePeer, FakePeer]) -> None:
    rig, ann, eve = secret
    ok(rig, ann, SetRoom(ref=2, room="secret", history="joined"))
    ok(rig, ann, InviteTo(ref=3, room="secret", person=who(eve)))
    join(rig, eve, "secret")
    say(rig, ann, "secret", "and yours")
    for query in (History(ref=1, room="secret"), History(ref=2), History(ref=3, room="secret", around=1)):
        rig.do(eve, query)
        assert [message.text for message in eve.last(HistoryPage).messages] == ["and yours"]
    rig.do(ann, History(ref=4, room="secret"))
    assert len(ann.last(HistoryPage).messages) == 2, "who was there from the start reads all"


def test_an_edit_does_not_show_what_was_said_before_one_joined(secret: tuple[HubRig, FakePeer, FakePeer]) -> None:
    rig, ann, eve = secret
    ok(rig, ann, SetRoom(ref=2, room="secret", history="joined"))
    ok(rig, ann, InviteTo(ref=3, room="secret", person=who(eve)))
    join(rig, eve, "secret")
    rig.do(ann, Edit(client_id=50, seq=1, text="still for our ears", room="secret"))
    assert ann.last(Edited).text == "still for our ears"
    assert not eve.of(Edited)
    say(rig, ann, "secret", "and yours")
    rig.do(ann, Edit(client_id=90, seq=eve.last(Message).seq, text="and yours too", room="secret"))
    assert eve.last(Edited).text == "and yours too"


def test_when_a_room_becomes_private_whoever_does_not_belong_has_to_go(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    guest = rig.member("guest")
    join(rig, guest, "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    assert (guest.last(Left).room, guest.last(Left).code) == ("ops", ErrorCode.NOT_A_MEMBER)
    say(rig, ann, "ops", "alone")
    assert not guest.messages


# --- Rules ------------------------------------------------------------------------------------------------------------


def test_a_refusal_says_which_right_is_missing(rig: HubRig) -> None:
    person(rig, "ann", "ops")
    bob = person(rig, "bob", "ops")
    for command, reason in (
        (SetRoom(ref=1, room="ops", private=True), "settings_need_owner"),
        (SetRoom(ref=2, room="ops", topic="mine"), "topic_needs_moderator"),
        (Grant(ref=3, room="ops", person=who(bob), role="owner"), "roles_need_owner"),
        (Moderate(ref=4, room="ops", person=99, act="kick"), "moderation_needs_moderator"),
        (InviteTo(ref=5, room="ops", person=who(bob)), "invitation_needs_moderator"),
    ):
        code = refused(rig, bob, command)
        assert code is ErrorCode.NO_RIGHT
        assert bob.last(Refused).reason == reason
        assert bob.last(Refused).text.startswith("Only ")


def test_everybody_hears_of_new_rules(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", topic="printers", slow_s=5))
    told = bob.last(RoomRules)
    assert (told.topic, told.slow_s, told.ref, told.by and told.by.name) == ("printers", 5, 0, "ann")
    rig.do(bob, AskRoom(ref=7, room="ops"))
    assert (bob.last(RoomRules).ref, bob.last(RoomRules).role) == (7, "member")


def test_only_moderators_write_in_a_read_only_room_and_all_may_react(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "news"), person(rig, "bob", "news")
    ok(rig, ann, SetRoom(ref=1, room="news", read_only=True))
    say(rig, ann, "news", "hear, hear")
    seq = bob.last(Message).seq
    assert refused(rig, bob, Say(client_id=1, room="news", text="me too")) is ErrorCode.READ_ONLY
    rig.do(bob, React(client_id=2, seq=seq, sign="👍", room="news"))
    assert bob.of(Acked)


def test_slow_mode_lets_one_message_pass_in_its_time(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", slow_s=30))
    rig.do(bob, Say(client_id=1, room="ops", text="one"))
    assert refused(rig, bob, Say(client_id=2, room="ops", text="two")) is ErrorCode.SLOW_MODE
    wait_s = bob.last(Refused).retry_after_s
    assert wait_s is not None
    rig.now += wait_s
    rig.do(bob, Say(client_id=2, room="ops", text="two"))
    for text in ("a", "b"):
        say(rig, ann, "ops", text)
    assert [message.text for message in bob.messages] == ["one", "two", "a", "b"]


def test_an_archived_room_is_read_and_not_written_and_not_listed(rig: HubRig) -> None:
    ann = person(rig, "ann", "old")
    say(rig, ann, "old", "good times")
    ok(rig, ann, SetRoom(ref=1, room="old", archived=True))
    assert refused(rig, ann, Say(client_id=9, room="old", text="x")) is ErrorCode.ARCHIVED
    rig.do(ann, History(ref=1, room="old"))
    assert len(ann.last(HistoryPage).messages) == 1
    bob = person(rig, "bob")
    rig.do(bob, Rooms(ref=1))
    assert "old" not in [room.room for room in bob.last(RoomsPage).rooms]


def test_a_renamed_room_keeps_its_people_its_history_and_its_order(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    rig.do(bob, Say(client_id=1, room="ops", text="before"), settle=False)
    rig.do(ann, SetRoom(ref=1, room="ops", name="operations"), settle=False)
    rig.do(bob, Say(client_id=2, room="ops", text="too early"), settle=False)
    assert refusal(bob) is ErrorCode.BUSY, "nothing may be said under a name that is about to go"
    rig.settle()
    assert (bob.last(RoomRules).room, bob.last(RoomRules).was) == ("operations", "ops")
    rig.do(bob, Say(client_id=2, room="operations", text="after"))
    assert [(message.room, message.text) for message in ann.messages][-1] == ("operations", "after")
    assert "before" in [message.text for message in ann.messages]
    rig.do(ann, History(ref=2, room="operations"))
    assert [message.text for message in ann.last(HistoryPage).messages] == ["before", "after"]
    again = HubRig(store=rig.store)
    back = hello(again, "bob", password=PASSWORD)
    assert back.last(Joined).room == "operations"


def test_a_name_another_room_has_is_no_new_name(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "dev")
    assert refused(rig, ann, SetRoom(ref=1, room="ops", name="dev")) is ErrorCode.ROOM_INVALID
    assert refused(rig, ann, SetRoom(ref=2, room="ops", name="lobby")) is ErrorCode.INVALID
    say(rig, ann, "ops", "still here")
    assert ann.last(Message).room == "ops"


# --- Order ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(rig: HubRig) -> tuple[FakePeer, FakePeer, FakePeer]:
    """An owner, a moderator and a member of #ops."""
    ann, mod, bob = (person(rig, name, "ops") for name in ("ann", "mod", "bob"))
    ok(rig, ann, Grant(ref=1, room="ops", person=who(mod), role="moderator"))
    return ann, mod, bob


def test_a_kicked_one_is_out_and_may_come_back(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    _, mod, bob = three
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(bob), act="kick", reason="cool down"))
    assert (bob.last(Left).code, "cool down" in bob.last(Left).text) == (ErrorCode.KICKED, True)
    say(rig, mod, "ops", "quiet now")
    assert "quiet now" not in [message.text for message in bob.messages]
    join(rig, bob, "ops")
    assert bob.last(Joined).room == "ops"


@pytest.mark.parametrize("seconds", [None, 60])
def test_a_banned_one_stays_out_for_so_long(rig: HubRig, three: tuple[FakePeer, ...], seconds: int | None) -> None:
    _, mod, bob = three
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(bob), act="ban", seconds=seconds))
    join(rig, bob, "ops")
    assert refusal(bob) is ErrorCode.ROOM_BANNED
    if seconds is None:
        ok(rig, mod, Moderate(ref=3, room="ops", person=who(bob), act="unban"))
    else:
        rig.now += 61
    join(rig, bob, "ops")
    assert bob.last(Joined).room == "ops"


def test_a_muted_one_reads_on_every_device_and_writes_on_none(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    _, mod, bob = three
    second = hello(rig, "bob", password=PASSWORD)
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(bob), act="mute", seconds=60))
    assert bob.last(RoleChanged).muted_s == 60
    for peer in (bob, second):
        assert refused(rig, peer, Say(client_id=1, room="ops", text="x")) is ErrorCode.MUTED
        assert refused(rig, peer, Edit(client_id=2, seq=1, text="x", room="ops")) is ErrorCode.MUTED
    rig.do(bob, Leave(ref=4, room="ops"))
    rig.now += 61
    join(rig, bob, "ops")
    rig.do(bob, Say(client_id=5, room="ops", text="thank you"))
    assert bob.of(Acked)


def test_nobody_acts_on_somebody_who_stands_as_high(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    ann, mod, _ = three
    assert refused(rig, mod, Moderate(ref=2, room="ops", person=who(ann), act="kick")) is ErrorCode.NO_RIGHT
    assert refused(rig, mod, Grant(ref=3, room="ops", person=who(mod), role="owner")) is ErrorCode.NO_RIGHT
    assert refused(rig, ann, Grant(ref=4, room="ops", person=who(ann), role="member")) is ErrorCode.INVALID


def test_an_administrator_stands_above_all(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    ann, _, _ = three
    root = person(rig, "root")
    act(rig, "role", "root", Role.ADMIN)
    ok(rig, root, Moderate(ref=1, room="ops", person=who(ann), act="kick"))
    ok(rig, root, SetRoom(ref=2, room="lobby", topic="welcome"))
    assert ann.last(RoomRules).topic == "welcome"


def test_a_mute_does_not_vanish_by_leaving_and_coming_back(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    _, mod, bob = three
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(bob), act="mute"))
    rig.do(bob, Leave(ref=3, room="ops"))
    join(rig, bob, "ops")
    assert refused(rig, bob, Say(client_id=1, room="ops", text="x")) is ErrorCode.MUTED


# --- Typing -----------------------------------------------------------------------------------------------------------


def test_typing_is_told_to_the_others_and_not_too_often(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    for _ in range(5):
        rig.do(ann, Typing(room="ops"))
    assert len(bob.of(TypingNow)) == 1
    assert not ann.of(TypingNow)
    rig.now += 4
    rig.do(ann, Typing(room="ops"))
    rig.do(ann, Typing(peer=who(bob)))
    assert [event.room for event in bob.of(TypingNow)] == ["ops", "ops", None]
    rig.do(ann, Typing(room="elsewhere"))
    rig.do(ann, Quit())


def test_typing_in_a_room_of_very_many_is_told_nobody() -> None:
    """A notice to thousands costs the loop what a message does, and nobody needs it."""
    rig = HubRig(Limits(presence_names=3))
    people = [person(rig, f"guest {number}", "ops") for number in range(3)]
    rig.do(people[0], Typing(room="ops"))
    assert people[1].of(TypingNow)
    people.append(person(rig, "one too many", "ops"))
    rig.now += 4
    rig.do(people[2], Typing(room="ops"))
    assert len(people[1].of(TypingNow)) == 1


def test_an_edit_by_a_moderator_and_by_nobody_else(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    _, mod, bob = three
    say(rig, bob, "ops", "a mistake")
    seq = bob.last(Message).seq
    cyd = rig.member("cyd", "4" * 32)
    join(rig, cyd, "ops")
    assert refused(rig, cyd, Edit(client_id=11, seq=seq, text="mine", room="ops")) is ErrorCode.NO_RIGHT
    rig.do(mod, Edit(client_id=1, seq=seq, text="mended", room="ops"))
    assert (bob.last(Edited).target, bob.last(Edited).text, bob.last(Edited).name) == (seq, "mended", "mod")
    assert refused(rig, mod, Edit(client_id=2, seq=seq, text="elsewhere", room="lobby")) is ErrorCode.NOT_FOUND


def test_retention_deletes_what_is_older_a_batch_at_a_time() -> None:
    rig = HubRig(Limits(retention_batch=2))
    ann = person(rig, "ann", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", retention_days=3))
    for number in range(1, 6):
        rig.do(ann, Say(client_id=number, room="ops", text=f"old {number}"))
    rig.now += 4 * 86_400
    rig.do(ann, Say(client_id=10, room="ops", text="new"))
    rig.hub.tidy()
    rig.settle()
    rig.do(ann, History(ref=2, room="ops"))
    assert [message.text for message in ann.last(HistoryPage).messages] == ["new"]


def test_nobody_is_invited_who_is_banned(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    _, mod, bob = three
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(bob), act="ban"))
    assert refused(rig, mod, InviteTo(ref=3, room="ops", person=who(bob))) is ErrorCode.INVALID
    assert not bob.of(Invited)
    ok(rig, mod, Moderate(ref=4, room="ops", person=who(bob), act="unban"))
    ok(rig, mod, InviteTo(ref=5, room="ops", person=who(bob)))


def test_whoever_must_leave_a_room_that_becomes_private_does_not_hear_its_new_name(rig: HubRig) -> None:
    ann, bob, guest = person(rig, "ann", "ops"), person(rig, "bob", "ops"), rig.member("guest")
    join(rig, guest, "ops")
    before = len(guest.events)
    ok(rig, ann, SetRoom(ref=1, room="ops", name="hideout", private=True))
    told = guest.events[before:]
    assert [event.room for event in told if isinstance(event, Left)] == ["ops"]
    assert not [event for event in told if "hideout" in repr(event)]
    assert bob.last(RoomRules).room == "hideout"


def test_what_an_account_misses_in_the_lobby_is_not_read(rig: HubRig) -> None:
    bob = person(rig, "bob")
    rig.do(bob, Say(1, "lobby", "before she came"))
    ann = person(rig, "ann")
    rig.do(ann, AskUnread(ref=1))
    assert ann.last(UnreadList).items == []
    rig.lose(ann)
    rig.pass_time(200)
    rig.do(bob, Say(2, "lobby", "good morning"))
    rig.do(bob, Say(3, "lobby", "@ann are you there?"))
    ann = hello(rig, "ann", password=PASSWORD)
    rig.do(ann, AskUnread(ref=1))
    (item,) = ann.last(UnreadList).items
    assert (item.room, item.unread, item.mentions) == ("lobby", 2, 1)
    rig.do(ann, Read(item.first_seq, room="lobby"))
    rig.do(ann, AskUnread(ref=2))
    assert [item.unread for item in ann.last(UnreadList).items] == [1]
