"""Coming and going: greetings, gathered notices, quiet returns, reservations, takeovers, names."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.hub.rooms import presence
from securechat.limits import Limits
from securechat.model import (
    Closing,
    Found,
    Hello,
    Join,
    Joined,
    Leave,
    Left,
    Named,
    Nick,
    Ping,
    Pong,
    Presence,
    Quit,
    Refused,
    Rooms,
    RoomsPage,
    Roster,
    Say,
    Welcome,
    Who,
    Whois,
)
from securechat.storage.store import DiskFull
from tests.support.hub_rig import FakePeer, HubRig


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def test_comings_within_the_interval_are_told_once(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.pass_time(1)
    before = len(alice.of(Presence))
    for number in range(5):
        rig.member(f"guest {number}")
    rig.pass_time(1)
    told = alice.of(Presence)[before:]
    assert len(told) == 1
    assert [person.name for person in told[0].joined] == [f"guest {number}" for number in range(5)]
    assert told[0].total == 6


def test_who_comes_and_goes_within_the_interval_is_gone(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.pass_time(1)
    bob = rig.member("bob")
    rig.do(bob, Quit())
    rig.pass_time(1)
    told = alice.last(Presence)
    assert (told.joined, [person.name for person in told.left], told.total) == ([], ["bob"], 1)


def test_a_quick_return_is_announced_to_nobody_and_a_late_one_is(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob", "b" * 32)
    rig.do(bob, Join(1, ["ops"]))
    rig.pass_time(1)
    before = len(alice.of(Presence))
    rig.lose(bob)
    rig.pass_time(29)
    bob = rig.member("bob", "b" * 32)
    assert bob.last(Welcome).resumed
    rig.pass_time(5)
    assert alice.of(Presence)[before:] == []
    rig.lose(bob)
    rig.pass_time(31)
    assert alice.last(Presence).left[0].name == "bob"
    bob = rig.member("bob", "b" * 32)
    assert not bob.last(Welcome).resumed


def test_a_lost_name_is_kept_two_minutes_and_then_free(rig: HubRig) -> None:
    rig.lose(rig.member("bob"))
    for wait_s, free in ((60, False), (58, False), (3, True)):
        rig.pass_time(wait_s)
        thief = rig.peer()
        rig.do(thief, Hello(version=1, name="BOB", secret="f" * 32))
        assert rig.hub.is_member(thief) is free
        if not free:
            assert thief.last(Refused).code is ErrorCode.NAME_IN_USE
            assert thief.last(Refused).retry_after_s


def test_a_lost_name_is_kept_across_a_restart(rig: HubRig) -> None:
    rig.member("bob", "b" * 32)
    again = HubRig(store=rig.store)  # the process was killed: nobody could say goodbye
    thief = again.peer()
    again.do(thief, Hello(version=1, name="bob", secret="f" * 32))
    assert thief.last(Refused).code is ErrorCode.NAME_IN_USE
    assert again.member("bob", "b" * 32).last(Welcome).sender_id == 1


def test_a_takeover_closes_the_old_connection_and_keeps_the_rooms(rig: HubRig) -> None:
    first = rig.member("alice", "a" * 32)
    rig.do(first, Join(1, ["ops"]))
    second = rig.member("alice", "a" * 32)
    assert first.closed is not None
    assert first.closed.code is ErrorCode.REPLACED
    rig.do(second, Say(1, "ops", "hi"))
    assert second.messages
    rig.hub.lost(first)  # its transport ends later
    rig.do(second, Say(2, "ops", "still"))
    assert len(second.messages) == 2


def test_a_takeover_under_another_name_renames(rig: HubRig) -> None:
    bob = rig.member("bob")
    rig.member("alice", "a" * 32)
    rig.pass_time(1)
    rig.member("alicia", "a" * 32)
    rig.pass_time(1)
    assert bob.last(Presence).renamed[0].new == "alicia"
    rig.member("alice")  # the old name is free


def test_two_hellos_at_once_for_one_name_admit_one(rig: HubRig) -> None:
    first, second = rig.peer(), rig.peer()
    rig.do(first, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.do(second, Hello(version=1, name="Bob", secret="2" * 32), settle=False)
    rig.settle()
    assert rig.hub.is_member(first)
    assert second.last(Refused).code is ErrorCode.NAME_IN_USE


def test_a_connection_lost_during_its_hello_is_told_nothing_and_its_name_is_kept(rig: HubRig) -> None:
    ghost = rig.peer()
    rig.do(ghost, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.hub.lost(ghost)
    rig.settle()
    assert not ghost.events
    thief = rig.peer()
    rig.do(thief, Hello(version=1, name="bob", secret="2" * 32))
    assert thief.last(Refused).code is ErrorCode.NAME_IN_USE
    rig.member("bob", "1" * 32)
    again = HubRig(store=rig.store)
    assert again.member("bob", "1" * 32).last(Welcome).sender_id == 1


def test_a_second_hello_of_the_owner_outlives_the_first_ones_connection(rig: HubRig) -> None:
    first, second = rig.peer(), rig.peer()
    rig.do(first, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.hub.lost(first)
    rig.do(second, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.step()
    thief = rig.peer()
    rig.do(thief, Hello(version=1, name="bob", secret="2" * 32), settle=False)
    rig.settle()
    assert rig.hub.is_member(second)
    assert thief.last(Refused).code is ErrorCode.NAME_IN_USE


def test_a_quit_while_the_owner_comes_back_elsewhere_keeps_the_name(rig: HubRig) -> None:
    first = rig.member("bob", "1" * 32)
    second, thief = rig.peer(), rig.peer()
    rig.do(second, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.do(first, Quit(), settle=False)
    rig.do(thief, Hello(version=1, name="bob", secret="2" * 32), settle=False)
    rig.settle()
    assert rig.hub.is_member(second)
    assert not rig.hub.is_member(thief)
    again = HubRig(store=rig.store)  # and a restart knows that bob was online
    late = again.peer()
    again.do(late, Hello(version=1, name="bob", secret="2" * 32))
    assert late.last(Refused).code is ErrorCode.NAME_IN_USE


def test_one_secret_from_two_places_at_once_ends_with_the_last(rig: HubRig) -> None:
    first, second = rig.peer(), rig.peer()
    rig.do(first, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.do(second, Hello(version=1, name="bobby", secret="1" * 32), settle=False)
    rig.settle()
    assert first.closed is not None
    assert second.last(Welcome).name == "bobby"
    rig.member("bob", "2" * 32)  # nobody has that name now


def test_above_presence_names_only_counts_are_told() -> None:
    rig = HubRig(Limits(presence_names=3))
    alice = rig.member("alice")
    for number in range(4):
        rig.member(f"g{number}")
        rig.pass_time(1)
    last = alice.last(Presence)
    assert (last.total, last.joined) == (5, [])
    late = rig.member("late")
    assert late.last(Joined).members == []
    assert late.last(Joined).total == 6


def test_nick_tells_everyone_and_can_be_refused(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.pass_time(1)
    rig.do(alice, Nick(1, "Carol"))
    assert alice.last(Named).name == "Carol"
    rig.pass_time(1)
    renamed = bob.last(Presence).renamed[0]
    assert (renamed.old, renamed.new) == ("alice", "Carol")
    rig.do(bob, Nick(2, "CAROL"))
    assert (bob.last(Refused).code, bob.last(Refused).ref) == (ErrorCode.NAME_IN_USE, 2)
    rig.do(alice, Nick(3, "carol"))  # one's own name in another spelling
    assert alice.last(Named).name == "carol"


def renamings(rig: HubRig, peer: FakePeer) -> list[tuple[str, str]]:
    """What a member hears of new names, after the presence is told."""
    told = len(peer.events)
    rig.pass_time(1)
    news = [event for event in peer.events[told:] if isinstance(event, Presence)]
    return [(each.old, each.new) for presence in news for each in presence.renamed]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["amy", "ann"], []),
        (["amy", "eve"], [("ann", "eve")]),
        (["amy", "ann", "amy"], [("ann", "amy")]),
        (["amy", "eve", "ann"], []),
        (["ANN", "ann"], []),
    ],
)
def test_several_renames_within_the_interval_are_told_as_one(
    rig: HubRig, names: list[str], told: list[tuple[str, str]]
) -> None:
    ann, bob = rig.member("ann"), rig.member("bob")
    rig.pass_time(1)
    for ref, name in enumerate(names, 1):
        rig.do(ann, Nick(ref, name))
    assert renamings(rig, bob) == told
    rig.do(ann, Nick(9, "zoe"))
    assert renamings(rig, bob) == [(names[-1], "zoe")]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["ann"], [("amy", "ann")]),
        (["ann", "amy"], [("ann", "amy")]),
        (["eve", "ann"], [("amy", "ann")]),
        (["eve"], [("ann", "eve")]),
    ],
)
def test_who_was_greeted_with_the_name_in_between_hears_the_last_one(
    rig: HubRig, names: list[str], told: list[tuple[str, str]]
) -> None:
    ann, _ = rig.member("ann"), rig.member("bob")
    rig.pass_time(1)
    rig.do(ann, Nick(1, "amy"))
    late = rig.member("late")
    assert "amy" in {person.name for person in late.last(Joined).members}
    for ref, name in enumerate(names, 2):
        rig.do(ann, Nick(ref, name))
    assert renamings(rig, late) == told


def test_whois_who_and_rooms_answer(rig: HubRig) -> None:
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.do(bob, Join(1, ["ops"]))
    rig.do(alice, Whois(2, "BOB"))
    assert alice.last(Found).person.name == "bob"
    rig.do(alice, Whois(3, "nobody"))
    assert alice.last(Refused).code is ErrorCode.NO_SUCH_PERSON
    rig.do(alice, Who(4, "ops"))
    assert alice.last(Refused).code is ErrorCode.NOT_A_MEMBER
    rig.do(alice, Who(5, "lobby"))
    assert [person.name for person in alice.last(Roster).members] == ["alice", "bob"]
    rig.do(alice, Rooms(6))
    assert [(room.room, room.total) for room in alice.last(RoomsPage).rooms] == [("lobby", 2), ("ops", 1)]


def test_the_lobby_cannot_be_left_and_other_rooms_can(rig: HubRig) -> None:
    alice = rig.member("alice")
    rig.do(alice, Leave(1, "lobby"))
    assert alice.last(Refused).code is ErrorCode.INVALID
    rig.do(alice, Join(2, ["ops"]))
    rig.do(alice, Leave(3, "#OPS"))
    assert alice.last(Left).room == "ops"
    rig.do(alice, Leave(4, "ops"))
    assert alice.last(Refused).code is ErrorCode.NOT_A_MEMBER
    rig.do(alice, Rooms(5))
    assert [room.room for room in alice.last(RoomsPage).rooms] == ["lobby"]  # an empty room is gone


def test_rooms_have_limits() -> None:
    rig = HubRig(Limits(rooms_per_member=3, rooms_total=4))
    alice, bob = rig.member("alice"), rig.member("bob")
    rig.do(alice, Join(1, ["a", "b", "c"]))
    assert [joined.room for joined in alice.of(Joined)] == ["lobby", "a", "b"]
    refused = alice.last(Refused)
    assert (refused.code, refused.room, refused.ref) == (ErrorCode.TOO_MANY_ROOMS, "c", 1)
    rig.do(bob, Join(2, ["c", "d"]))
    assert bob.last(Refused).room == "d"


def test_a_stranger_may_only_greet_ping_and_go(rig: HubRig) -> None:
    stranger = rig.peer()
    rig.do(stranger, Ping(4))
    assert stranger.last(Pong).n == 4
    rig.do(stranger, Say(1, "lobby", "x"))
    assert stranger.last(Refused).code is ErrorCode.HELLO_EXPECTED
    rig.do(stranger, Hello(version=9, name="x", secret="1" * 32))
    assert stranger.last(Closing).code is ErrorCode.UNSUPPORTED_VERSION


def test_a_second_hello_is_refused(rig: HubRig) -> None:
    alice = rig.member("alice", "a" * 32)
    rig.do(alice, Hello(version=1, name="alice", secret="a" * 32))
    assert alice.last(Refused).code is ErrorCode.INVALID


def test_who_was_shown_somebody_is_told_that_they_left_even_within_the_interval(rig: HubRig) -> None:
    ann, bob = rig.member("ann"), rig.member("bob")  # bob's greeting names ann
    rig.do(ann, Quit())
    rig.pass_time(1)
    assert [person.name for person in bob.last(Presence).left] == ["ann"]


def test_who_came_while_somebody_was_out_is_told_that_they_are_back(rig: HubRig) -> None:
    ann = rig.member("ann")
    rig.do(ann, Join(1, ["ops"]))
    rig.pass_time(1)
    rig.do(ann, Leave(2, "ops"))
    bob = rig.member("bob")
    rig.do(bob, Join(3, ["ops"]))
    rig.do(ann, Join(4, ["ops"]))
    rig.pass_time(1)
    told = [p for p in bob.of(Presence) if p.room == "ops"]
    assert "ann" in {person.name for person in told[-1].joined}


def test_a_refused_takeover_leaves_the_log_as_it_was(rig: HubRig) -> None:
    """The owner is online under another name; a hello of its own for a name that is lost meanwhile comes to nothing."""
    owner = rig.member("ann", "1" * 32)
    late = rig.peer()
    rig.do(late, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.hub.context.names.free("bob", rig.hub._connections[owner].member.owner)
    thief = rig.peer()
    rig.do(thief, Hello(version=1, name="bob", secret="2" * 32), settle=False)
    rig.settle()
    assert late.last(Refused).code is ErrorCode.NAME_IN_USE
    assert rig.hub.is_member(owner)
    again = HubRig(store=rig.store)
    other = again.peer()
    again.do(other, Hello(version=1, name="ann", secret="3" * 32))
    assert other.last(Refused).code is ErrorCode.NAME_IN_USE  # ann was online when it was killed


def test_a_hello_that_came_to_nothing_does_not_block_the_name_of_an_absent_owner(rig: HubRig) -> None:
    owner = rig.member("bob", "1" * 32)
    rig.lose(owner)
    ghost = rig.peer()
    rig.do(ghost, Hello(version=1, name="bob", secret="1" * 32), settle=False)
    rig.hub.lost(ghost)
    rig.settle()
    rig.pass_time(200)
    rig.member("bob", "2" * 32)


def test_a_full_disk_at_hello_does_not_block_the_name_of_an_absent_owner(rig: HubRig) -> None:
    rig.lose(rig.member("bob", "1" * 32))

    def full(when: str) -> None:
        if when == "apply":
            raise DiskFull("full")

    rig.store.fault = full
    rig.lose(rig.member("bob", "1" * 32))  # it is known, and comes to read
    late = rig.peer()
    rig.do(late, Hello(version=1, name="carol", secret="3" * 32))
    assert late.last(Refused).code is ErrorCode.DISK_FULL
    rig.store.fault = lambda _: None
    rig.member("carol", "4" * 32)
    rig.pass_time(200)
    rig.member("bob", "2" * 32)


def test_a_join_of_many_rooms_costs_more_than_one_and_names_none_twice() -> None:
    rig = HubRig(Limits(request_burst=5, request_rate=1))
    alice = rig.member("alice")
    assert rig.do(alice, Join(1, ["ops"] * 100)) > 0
    assert [joined.room for joined in alice.of(Joined)] == ["lobby", "ops"]


def test_departures_of_many_are_let_go_a_few_at_a_time(rig: HubRig) -> None:
    peers = [rig.member(f"guest {number}") for number in range(40)]
    witness = rig.member("witness")
    for peer in peers:
        rig.hub.lost(peer)
    rig.now += 31
    rig.hub.tick()
    assert 20 < len(rig.hub.context.members) < 41
    rig.pass_time(1)
    assert list(rig.hub.context.members) == [witness.last(Welcome).sender_id]


def test_the_presence_of_many_rooms_is_told_a_few_at_a_time(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever belongs to 100 rooms comes into all of them in one moment."""
    monkeypatch.setattr(presence, "_TOLD_PER_TICK", 6)
    rooms = [f"room{number}" for number in range(10)]
    witness = rig.member("witness")
    rig.do(witness, Join(1, rooms))
    rig.do(rig.member("alice"), Join(1, rooms))
    rig.pass_time(0.1)
    told_before = len(witness.of(Presence))
    rig.now += 0.3
    rig.alarm_at = None
    rig.hub.tick()
    assert 0 < len(witness.of(Presence)) - told_before <= 6
    assert rig.alarm_at is not None
    assert rig.alarm_at <= rig.now
    rig.pass_time(0.1)
    assert {event.room for event in witness.of(Presence)} == {"lobby", *rooms}
