"""Rooms while something else is on its way: every change waits for the log, and much may happen until then."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.limits import Limits
from securechat.model import (
    Acked,
    Done,
    Event,
    Grant,
    History,
    HistoryPage,
    InviteTo,
    Join,
    Joined,
    Leave,
    Left,
    Moderate,
    Quit,
    Refused,
    Register,
    Registered,
    RoomCommand,
    Say,
    SetRoom,
    Typing,
    TypingNow,
)
from securechat.records.accounts import Role
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello
from tests.unit.hub.admin.test_commands import act
from tests.unit.hub.rooms.test_rooms import join, ok, person, refused, say, who


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def texts(peer: FakePeer) -> list[str]:
    return [message.text for message in peer.messages]


def belongs(rig: HubRig, room: str, sender_id: int) -> bool:
    return rig.belongs(room, sender_id)


# --- Leaving ----------------------------------------------------------------------------------------------------------


def test_who_leaves_while_the_room_gets_another_name_has_left(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    rig.do(ann, SetRoom(ref=1, room="ops", name="crew"), settle=False)
    rig.do(bob, Leave(ref=2, room="ops"), settle=False)
    rig.settle()
    assert bob.last(Left).room == "crew"
    assert not belongs(rig, "crew", who(bob))
    say(rig, ann, "crew", "without bob")
    assert "without bob" not in texts(bob)


@pytest.mark.parametrize("deed", ["kick", "ban"])
def test_who_is_removed_just_before_the_room_gets_another_name_is_out(rig: HubRig, deed: str) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    rig.do(ann, SetRoom(ref=1, room="ops", topic="first"), settle=False)
    rig.do(ann, Moderate(ref=2, room="ops", person=who(bob), act=deed), settle=False)  # type: ignore[arg-type]
    rig.do(ann, SetRoom(ref=3, room="ops", name="crew"), settle=False)
    rig.settle()
    assert not belongs(rig, "crew", who(bob))
    say(rig, ann, "crew", "without bob")
    assert "without bob" not in texts(bob)


def test_who_leaves_and_is_back_before_it_is_durable_is_out(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    for number in range(12):
        rig.do(ann, SetRoom(ref=number, room="ops", topic=f"{number}"), settle=False)
    rig.do(bob, Leave(ref=2, room="ops"), settle=False)
    rig.do(bob, Quit(), settle=False)
    back = hello(rig, "bob", password=PASSWORD)
    assert not belongs(rig, "ops", who(back))
    say(rig, ann, "ops", "without bob")
    assert "without bob" not in texts(back)


# --- Joining ----------------------------------------------------------------------------------------------------------


def test_a_device_hears_what_another_joined_even_when_that_one_is_lost(rig: HubRig) -> None:
    ann = person(rig, "ann")
    second = hello(rig, "ann", password=PASSWORD)
    rig.do(ann, Join(ref=3, rooms=["ops"]), settle=False)
    rig.hub.lost(ann)
    rig.settle()
    assert second.last(Joined).room == "ops"
    say(rig, second, "ops", "here")
    assert "here" in texts(second)


# --- Slow mode --------------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(rig: HubRig) -> tuple[FakePeer, FakePeer]:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", slow_s=60))
    return ann, bob


def test_slow_mode_is_not_escaped_by_quitting(rig: HubRig, slow: tuple[FakePeer, FakePeer]) -> None:
    _, bob = slow
    say(rig, bob, "ops", "one")
    rig.do(bob, Quit())
    back = hello(rig, "bob", password=PASSWORD)
    rig.do(back, Say(client_id=1, room="ops", text="two"))
    assert back.last(Refused).code is ErrorCode.SLOW_MODE


def test_a_retry_in_slow_mode_is_acknowledged(rig: HubRig, slow: tuple[FakePeer, FakePeer]) -> None:
    _, bob = slow
    for _ in range(2):
        rig.do(bob, Say(client_id=1, room="ops", text="one"))
    assert not bob.of(Refused)
    assert len(bob.of(Acked)) == 2


def test_a_draft_with_a_key_opens_no_way_around_slow_mode(rig: HubRig, slow: tuple[FakePeer, FakePeer]) -> None:
    _, bob = slow
    rig.do(bob, Say(client_id=1, room="lobby", text="alert", key="k"))
    rig.do(bob, Say(client_id=2**53 - 2, room="ops", text="alert", key="k"))
    assert bob.last(Refused).code is ErrorCode.KEY_USED
    for number in range(2, 6):
        rig.do(bob, Say(client_id=number, room="ops", text=f"flood {number}"))
    assert [message.text for message in bob.messages] == ["alert", "flood 2"], (
        "what is refused begins no pause, and ends none"
    )
    assert bob.last(Refused).code is ErrorCode.SLOW_MODE


def test_a_retry_by_its_key_begins_no_pause(rig: HubRig, slow: tuple[FakePeer, FakePeer]) -> None:
    _, bob = slow
    rig.do(bob, Say(client_id=1, room="ops", text="alert", key="k"))
    rig.now += 61
    rig.do(bob, Say(client_id=2, room="ops", text="alert", key="k"))
    rig.do(bob, Say(client_id=3, room="ops", text="the next"))
    assert not bob.of(Refused)
    rig.do(bob, Say(client_id=4, room="ops", text="too soon", key="l"))
    assert bob.last(Refused).code is ErrorCode.SLOW_MODE


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_a_page_that_crosses_a_new_name_misses_nothing(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    say(rig, ann, "ops", "said")
    rig.do(ann, SetRoom(ref=1, room="ops", name="crew"), settle=False)
    rig.do(bob, History(ref=2, after=0), settle=False)
    rig.settle()
    page = bob.last(HistoryPage)
    assert [(message.room, message.text) for message in page.messages] == [("crew", "said")]


def test_a_page_that_crosses_a_kick_shows_nothing(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    say(rig, ann, "ops", "said")
    for command in (History(ref=2, after=0), History(ref=3, room="ops")):
        join(rig, bob, "ops")
        rig.do(ann, Moderate(ref=1, room="ops", person=who(bob), act="kick"), settle=False)
        rig.do(bob, command, settle=False)
        rig.settle()
        assert not [message for page in bob.of(HistoryPage) for message in page.messages]
    assert bob.last(Refused).code is ErrorCode.NOT_A_MEMBER


# --- Accounts that go -------------------------------------------------------------------------------------------------


def test_a_room_whose_owner_is_deleted_has_an_heir(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    act(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    eve = person(rig, "eve", "ops")
    assert eve.last(Joined).role == "member", "whoever comes next must not own a room that others stayed in"
    ok(rig, bob, SetRoom(ref=1, room="ops", topic="ours"))
    assert ann.closed


@pytest.mark.parametrize("deed", ["invite", "grant", "join"])
def test_an_account_deleted_meanwhile_belongs_nowhere(rig: HubRig, deed: str) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "dev")
    act(rig, "role", "ann", Role.ADMIN)
    rig.settle()
    number = who(bob)
    for ref in range(12):
        rig.do(ann, SetRoom(ref=ref, room="ops", topic=f"{ref}"), settle=False)
    match deed:
        case "invite":
            rig.do(ann, InviteTo(ref=20, room="ops", person=number), settle=False)
        case "grant":
            rig.do(ann, Grant(ref=20, room="ops", person=number, role="owner"), settle=False)
        case _:
            rig.do(bob, Join(ref=20, rooms=["ops"]), settle=False)
    rig.hub.admin_commands.delete_user("root", "bob", remove=False, progress=lambda _: None, done=lambda _: None)
    rig.settle()
    ops = rig.hub.context.rooms.named("ops")
    assert ops is not None
    assert number not in ops.memberships


# --- Others -----------------------------------------------------------------------------------------------------------


def test_who_is_given_a_role_by_an_administrator_reads_from_then_on(rig: HubRig) -> None:
    ann, adm, bob = person(rig, "ann", "ops"), person(rig, "adm"), person(rig, "bob")
    act(rig, "role", "adm", Role.ADMIN)
    rig.settle()
    ok(rig, ann, SetRoom(ref=1, room="ops", history="joined", private=True))
    say(rig, ann, "ops", "before bob")
    ok(rig, adm, Grant(ref=2, room="ops", person=who(bob), role="member"))
    join(rig, bob, "ops")
    rig.do(bob, History(ref=3, room="ops"))
    assert bob.last(HistoryPage).messages == []


def test_rooms_with_a_record_are_limited_too() -> None:
    rig = HubRig(Limits(rooms_total=5))
    ann = person(rig, "ann")
    for number in range(8):
        join(rig, ann, f"room{number}")
        rig.do(ann, SetRoom(ref=1, room=f"room{number}", private=True))
        rig.do(ann, Leave(ref=1, room=f"room{number}", sure=True))
    assert ann.of(Refused)[0].code is ErrorCode.TOO_MANY_ROOMS
    assert len(rig.records()) <= 5


def test_rooms_joined_all_at_once_are_no_more_than_one_after_the_other() -> None:
    rig = HubRig(Limits(rooms_per_member=5))
    ann = person(rig, "ann")
    rig.do(ann, Join(ref=1, rooms=[f"room{number}" for number in range(9)]))
    assert len(ann.of(Refused)) == 5
    assert len(rig.hub.admin_commands._directory.room_directory.memberships_of(who(ann))) == 4
    assert len(ann.of(Joined)) == 5


# --- A new name that is in use without a record -----------------------------------------------------------------------


def test_who_waits_in_a_room_of_the_new_name_does_not_get_into_the_renamed_one(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    say(rig, ann, "ops", "for our ears")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    early, late = rig.member("early"), rig.member("late")
    join(rig, early, "crew")
    rig.do(ann, SetRoom(ref=2, room="ops", name="crew"))
    assert ann.last(Refused).code is ErrorCode.ROOM_INVALID
    rig.do(early, Leave(ref=3, room="crew"))
    rig.do(ann, SetRoom(ref=4, room="ops", name="crew"), settle=False)
    rig.do(late, Join(ref=5, rooms=["crew"]), settle=False)
    rig.do(late, Say(client_id=1, room="crew", text="let me in"), settle=False)
    assert late.last(Refused).code is ErrorCode.BUSY
    rig.settle()
    assert late.last(Left).room == "crew"
    rig.do(late, History(ref=6, room="crew"))
    assert late.last(Refused).code is ErrorCode.NOT_A_MEMBER
    assert not late.of(HistoryPage)
    say(rig, ann, "crew", "still ours")
    assert texts(ann)[-1] == "still ours"
    assert texts(late) == []


def test_who_joins_the_name_that_their_room_is_just_getting_is_in_it(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "crew"), person(rig, "bob", "crew")
    rig.do(ann, SetRoom(ref=1, room="crew", name="ops"), settle=False)
    rig.do(bob, Join(ref=2, rooms=["ops"]), settle=False)  # there is no such room yet: one is to be made
    rig.settle()
    assert not bob.of(Refused)  # a client takes that for being out of #ops
    joined = bob.last(Joined)
    assert joined.room_id == rig.record("ops").room_id
    assert joined == Joined("ops", joined.live_from, 2, joined.members, 2, role="member", room_id=joined.room_id)
    say(rig, ann, "ops", "you hear me")
    assert texts(bob)[-1] == "you hear me"


def test_who_may_not_write_in_a_room_is_not_seen_writing(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, Moderate(ref=1, room="ops", person=who(bob), act="mute"))
    rig.do(bob, Typing(room="ops"))
    assert ann.of(TypingNow) == []


def test_what_was_on_its_way_under_a_rooms_former_name_reaches_the_room(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", name="depot"))
    rig.do(bob, Say(1, "ops", "said before I heard of it"))
    assert [message.room for message in rig.fed] == ["depot"]
    rig.do(bob, History(ref=2, room="ops"))
    assert [message.text for message in bob.last(HistoryPage).messages] == ["said before I heard of it"]
    rig.do(bob, Leave(ref=3, room="ops"))
    assert bob.last(Left).room == "depot"
    assert refused(rig, ann, SetRoom(ref=4, room="nowhere", topic="x")) is ErrorCode.NO_SUCH_ROOM
    ok(rig, ann, SetRoom(ref=5, room="ops", topic="printers"))
    assert rig.records()["depot"].topic == "printers"


def test_what_was_said_just_before_a_new_name_is_heard_though_somebody_acts_in_between(
    rig: HubRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")

    def go_on(event: Event) -> None:  # as a session does that held a command back until there is room
        bob.events.append(event)
        if isinstance(event, Acked):
            rig.hub.handle(bob, Typing(room="lobby"))

    monkeypatch.setattr(bob, "deliver", go_on)
    rig.do(ann, Say(1, "ops", "not lost"), settle=False)
    rig.do(ann, SetRoom(ref=2, room="ops", name="crew"), settle=False)
    rig.do(bob, Say(1, "lobby", "meanwhile"), settle=False)
    rig.settle()
    assert texts(bob) == ["not lost", "meanwhile"]
    assert texts(ann) == ["not lost", "meanwhile"]


@pytest.fixture
def two_rooms(rig: HubRig) -> tuple[FakePeer, FakePeer, FakePeer]:
    """Ann and Bob are in #public, which was called #ops; Bob is in Cat's new #ops, too."""
    ann, bob, cat = person(rig, "ann", "ops"), person(rig, "bob", "ops"), person(rig, "cat")
    ok(rig, ann, SetRoom(ref=1, room="ops", name="public"))
    join(rig, cat, "ops")
    join(rig, bob, "ops")
    return ann, bob, cat


def test_who_is_removed_from_a_new_room_does_not_write_in_the_one_that_had_its_name(
    rig: HubRig, two_rooms: tuple[FakePeer, FakePeer, FakePeer]
) -> None:
    ann, bob, cat = two_rooms
    ok(rig, cat, Moderate(ref=3, room="ops", person=who(bob), act="kick"))
    rig.do(bob, Say(50, "ops", "only for cat"))
    assert bob.last(Refused).code is ErrorCode.NOT_A_MEMBER
    assert "only for cat" not in texts(ann)


def test_who_leaves_a_new_room_twice_stays_in_the_one_that_had_its_name(
    rig: HubRig, two_rooms: tuple[FakePeer, FakePeer, FakePeer]
) -> None:
    _, bob, _ = two_rooms
    rig.do(bob, Leave(ref=5, room="ops"))
    rig.do(bob, Leave(ref=6, room="ops"))
    assert belongs(rig, "public", who(bob))


def test_former_names_are_forgotten_by_and_by_and_with_the_room(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "room0"), person(rig, "bob", "room0")
    member = rig.hub.context.members[who(bob)]
    for number in range(120):
        ok(rig, ann, SetRoom(ref=1, room=f"room{number}", name=f"room{number + 1}"))
    assert len([name for name, room in member._room_names.items() if room.name != name]) == 100
    rig.do(bob, Leave(ref=2, room="room120"))
    assert list(member._room_names) == ["lobby"]


def test_a_former_name_that_is_another_rooms_by_now_means_that_one(rig: HubRig) -> None:
    ann, eve = person(rig, "ann", "ops"), rig.member("eve")
    ok(rig, ann, SetRoom(ref=1, room="ops", name="depot"))
    join(rig, eve, "ops")
    rig.do(ann, Join(ref=2, rooms=["ops"]))
    rig.do(ann, Say(1, "ops", "hello eve"))
    assert eve.messages[-1].text == "hello eve"
    rig.do(ann, Leave(ref=3, room="ops"))
    rig.do(ann, Leave(ref=4, room="depot"))
    rig.do(ann, Say(2, "ops", "nobody hears this"))
    assert ann.last(Refused).code is ErrorCode.NOT_A_MEMBER


def test_rules_that_are_changed_right_behind_a_new_name_are_changed(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    rig.do(ann, SetRoom(ref=1, room="ops", name="depot"), settle=False)
    rig.do(ann, SetRoom(ref=2, room="ops", slow_s=3), settle=False)
    rig.settle()
    assert [done.ref for done in ann.of(Done)][-2:] == [1, 2]
    assert (rig.records()["depot"].slow_s, "ops" in rig.records()) == (3, False)


# --- Retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forbid",
    [
        SetRoom(ref=9, room="ops", archived=True),
        SetRoom(ref=9, room="ops", read_only=True),
        Moderate(ref=9, room="ops", person=2, act="mute"),
        Moderate(ref=9, room="ops", person=2, act="kick"),
        Moderate(ref=9, room="ops", person=2, act="ban"),
    ],
    ids=lambda command: f"{type(command).__name__} {getattr(command, 'act', '')}",
)
def test_what_was_stored_is_acknowledged_again_whatever_the_rules_say_by_now(rig: HubRig, forbid: RoomCommand) -> None:
    ann, bob = person(rig, "ann", "ops"), rig.member("bob", "b" * 32)
    assert who(bob) == 2
    rig.do(bob, Register(ref=1, password=PASSWORD))
    token = bob.last(Registered).token
    join(rig, bob, "ops")
    rig.do(bob, Say(1, "ops", "the ack of this is lost"))
    (acked,) = bob.of(Acked)
    rig.lose(bob)
    ok(rig, ann, forbid)
    again = hello(rig, "bob", secret="b" * 32, token=token)
    rig.do(again, Say(1, "ops", "the ack of this is lost"))
    assert again.of(Acked) == [acked]
    rig.do(again, Say(2, "ops", "this is new"))
    assert again.last(Refused).client_id == 2
    assert [message.text for message in rig.fed] == ["the ack of this is lost"]


def test_a_retry_in_slow_mode_is_stored_once_though_another_device_has_spoken(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), rig.member("bob", "b" * 32)
    rig.do(bob, Register(ref=1, password=PASSWORD))
    token = bob.last(Registered).token
    join(rig, bob, "ops")
    rig.do(bob, Say(1, "ops", "the ack of this is lost"))
    rig.lose(bob)
    ok(rig, ann, SetRoom(ref=1, room="ops", slow_s=5))
    other = hello(rig, "bob", password=PASSWORD)
    rig.do(other, Say(1, "ops", "from my phone"))
    again = hello(rig, "bob", secret="b" * 32, token=token)
    rig.do(again, Say(1, "ops", "the ack of this is lost"))
    assert [acked.seq for acked in again.of(Acked)] == [1]
    rig.do(again, Say(2, "ops", "too soon"))
    answer = again.last(Refused)
    assert (answer.code, answer.retry_after_s) == (ErrorCode.SLOW_MODE, 5.0)


def test_what_was_never_stored_is_refused_though_its_number_may_have_been_used(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), rig.member("bob", "b" * 32)
    join(rig, bob, "ops")
    rig.do(bob, Say(5, "ops", "stored"))
    rig.lose(bob)
    ok(rig, ann, SetRoom(ref=1, room="ops", archived=True))
    again = rig.member("bob", "b" * 32)
    rig.do(again, Say(4, "ops", "never sent before"))
    assert again.last(Refused).code is ErrorCode.ARCHIVED
    assert rig.hub.unsettled == 0


# --- Clean-up ---------------------------------------------------------------------------------------------------------


def test_who_joins_a_renamed_room_while_it_is_cleaned_up_gets_a_room(rig: HubRig) -> None:
    """The clean-up asks in the turn of the former name; the join in that of the new one must not pass it."""
    adm, bob, eve = person(rig, "adm"), person(rig, "bob"), person(rig, "eve", "ops")
    act(rig, "role", "adm", Role.ADMIN)
    rig.settle()
    ok(rig, adm, Moderate(ref=1, room="ops", person=who(eve), act="ban", seconds=60))
    rig.pass_time(61)
    rig.do(adm, SetRoom(ref=2, room="ops", name="crew"), settle=False)
    rig.hub.tidy()
    while "crew" not in rig.records():
        rig.step()
    rig.do(bob, Join(ref=3, rooms=["crew"]), settle=False)
    rig.settle()
    assert bob.last(Joined).role == "owner"
    assert list(rig.records()) == ["crew"]
    assert belongs(rig, "crew", who(bob))
    assert rig.failure is None


# --- Leaving what is just being entered -------------------------------------------------------------------------------


def in_no_room(rig: HubRig, peer: FakePeer) -> bool:
    """Neither present nor a member anywhere but in the lobby, now and after a restart."""
    kept = HubRig(store=rig.store).hub._directory.room_directory.memberships_of(who(peer))
    return not kept and [room.name for room in rig.hub.context.members[who(peer)].rooms] == ["lobby"]


def test_a_leave_right_behind_a_join_leaves(rig: HubRig) -> None:
    person(rig, "ann", "ops")
    bob = person(rig, "bob")
    rig.do(bob, Join(ref=1, rooms=["ops", "new"]), settle=False)
    for ref, room in ((2, "ops"), (3, "new")):
        rig.do(bob, Leave(ref=ref, room=room), settle=False)
    rig.settle()
    assert {(left.ref, left.room) for left in bob.of(Left)} == {(2, "ops"), (3, "new")}
    assert not bob.of(Refused)
    assert in_no_room(rig, bob)


def test_a_join_behind_a_leave_behind_a_join_joins(rig: HubRig) -> None:
    person(rig, "ann", "ops")
    bob = person(rig, "bob")
    for _ in range(2):  # at first bob does not belong to the room, then he does
        for command in (Join(ref=1, rooms=["ops"]), Leave(ref=2, room="ops"), Join(ref=3, rooms=["ops"])):
            rig.do(bob, command, settle=False)
        rig.settle()
        assert belongs(rig, "ops", who(bob))
        assert "ops" in [room.name for room in rig.hub.context.members[who(bob)].rooms]
        assert [type(event) for event in bob.events if getattr(event, "ref", 0) in {2, 3}][-2:] == [Left, Joined]


def test_a_leave_behind_a_join_that_waits_for_another_room_to_give_way_leaves() -> None:
    rig = HubRig(Limits(rooms_total=1))
    ann, bob = person(rig, "ann", "old"), person(rig, "bob")
    say(rig, ann, "old", "kept")
    rig.do(ann, Leave(ref=1, room="old"))
    rig.do(bob, Join(ref=2, rooms=["new"]), settle=False)
    rig.do(bob, Leave(ref=3, room="new"), settle=False)
    rig.settle()
    assert [left.ref for left in bob.of(Left)] == [3]
    assert in_no_room(rig, bob)
    assert len(rig.hub.context.workflows.turns) == 0


@pytest.mark.parametrize("deed", ["kick", "mute", "rename", "ban"])
def test_a_leave_behind_a_join_and_something_else_leaves(rig: HubRig, deed: str) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    rig.do(ann, SetRoom(ref=1, room="ops", topic="first"), settle=False)
    ban = Moderate(ref=2, room="ops", person=who(bob), act="ban")
    if deed == "ban":
        rig.do(ann, ban, settle=False)
    rig.do(bob, Join(ref=3, rooms=["ops"]), settle=False)
    if deed == "rename":
        rig.do(ann, SetRoom(ref=2, room="ops", name="crew"), settle=False)
    elif deed in {"kick", "mute"}:
        rig.do(ann, Moderate(ref=2, room="ops", person=who(bob), act=deed), settle=False)  # type: ignore[arg-type]
    rig.do(bob, Leave(ref=4, room="ops"), settle=False)
    rig.settle()
    answers = [event for event in bob.events if getattr(event, "ref", 0) == 4]
    expected = {"kick": Refused, "ban": Refused}.get(deed, Left)
    assert [type(answer) for answer in answers] == [expected]
    assert in_no_room(rig, bob)


def test_a_guest_who_becomes_an_account_and_leaves_at_once_belongs_nowhere(rig: HubRig) -> None:
    person(rig, "ann", "ops")
    bob = rig.member("bob")
    join(rig, bob, "ops")
    rig.do(bob, Register(ref=1, password=PASSWORD), settle=False)
    while not bob.of(Registered):
        rig.step()
    rig.do(bob, Leave(ref=2, room="ops"), settle=False)
    rig.settle()
    assert bob.last(Left).ref == 2
    assert in_no_room(rig, bob)


def test_a_guest_who_becomes_an_account_keeps_a_room_that_gets_another_name_meanwhile(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), rig.member("bob")
    join(rig, bob, "ops")
    for ref in range(12):
        rig.do(ann, SetRoom(ref=ref, room="ops", topic=f"{ref}"), settle=False)
    rig.do(ann, SetRoom(ref=20, room="ops", name="crew"), settle=False)
    rig.do(bob, Register(ref=1, password=PASSWORD))
    rig.settle()
    assert belongs(rig, "crew", who(bob))
