"""Rooms by identity: found by name once, kept while anything holds them, and the same object under a new name."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.limits import Limits
from securechat.model import Done, Join, Joined, Leave, Left, Refused, Say, SetRoom
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.rooms.test_rooms import join, ok, person, say, who


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def room(rig: HubRig, name: str) -> HubRoom:
    found = rig.hub.context.rooms.named(name)
    assert found is not None
    return found


def member(rig: HubRig, peer: FakePeer) -> Any:
    return rig.hub.context.connections[peer].member


def test_a_new_name_is_the_same_room(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    before = room(rig, "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", name="crew"))
    assert room(rig, "crew") is before
    assert rig.hub.context.rooms.named("ops") is None
    assert before in member(rig, ann).rooms


def test_a_room_stays_the_same_while_its_record_comes_and_goes(rig: HubRig) -> None:
    guest = rig.member("guest")
    join(rig, guest, "ops")
    before = room(rig, "ops")
    assert before.record is None
    ann = person(rig, "ann", "ops")
    assert room(rig, "ops") is before
    assert before.record is not None
    rig.do(ann, Leave(ref=1, room="ops"))
    assert room(rig, "ops") is before
    assert (before.record, before.memberships) == (None, {})
    assert before not in rig.hub.context.rooms.recorded.values()


def test_a_room_that_nothing_holds_is_gone(rig: HubRig) -> None:
    gc.disable()  # references alone decide
    try:
        guest = rig.member("guest")
        join(rig, guest, "ops")
        rig.do(guest, Leave(ref=1, room="ops"))
        assert rig.hub.context.rooms.named("ops") is None
        ann = person(rig, "ann", "dev")
        rig.do(ann, Leave(ref=2, room="dev"))
        assert rig.hub.context.rooms.named("dev") is None
    finally:
        gc.enable()


def test_a_refused_join_leaves_no_room(rig: HubRig) -> None:
    rig = HubRig(Limits(rooms_opened_per_address=1))
    guest = rig.member("guest", address="10.0.0.1")
    join(rig, guest, "one")
    join(rig, guest, "two")
    assert guest.last(Refused).room == "two"
    assert rig.hub.context.rooms.named("two") is None


def test_two_joins_of_a_new_room_meet_in_one(rig: HubRig) -> None:
    ann, bob = person(rig, "ann"), person(rig, "bob")
    for peer in (ann, bob):
        rig.do(peer, Join(ref=1, rooms=["ops"]), settle=False)
    rig.settle()
    assert [ann.last(Joined).role, bob.last(Joined).role] == ["owner", "member"]
    assert list(rig.records()) == [
        "ops",
    ]


def test_a_join_behind_a_new_name_makes_a_room_of_the_old_one(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    rig.do(ann, SetRoom(ref=1, room="ops", name="crew"), settle=False)
    rig.do(bob, Join(ref=2, rooms=["ops"]), settle=False)
    rig.do(bob, Leave(ref=3, room="ops"), settle=False)
    rig.do(bob, Join(ref=4, rooms=["ops"]), settle=False)
    rig.settle()
    assert [joined.ref for joined in bob.of(Joined)][-2:] == [2, 4]
    assert [left.ref for left in bob.of(Left)] == [3]
    assert sorted(rig.records()) == ["crew", "ops"]
    assert not rig.belongs("crew", who(bob))
    assert rig.belongs("ops", who(bob))


def test_a_room_that_lost_its_name_is_another_room(rig: HubRig) -> None:
    """A guest enters #crew while it becomes the name of #ops; then #crew is renamed, and the guest enters it again."""
    ann, guest = person(rig, "ann", "ops"), rig.member("guest")
    rig.do(ann, SetRoom(ref=1, room="ops", name="crew"), settle=False)
    rig.do(guest, Join(ref=2, rooms=["crew"]), settle=False)
    displaced = room(rig, "crew")
    rig.settle()
    assert room(rig, "crew") is not displaced
    assert not displaced.members
    assert not displaced.is_renaming
    assert displaced not in rig.hub.context.rooms.occupied
    assert member(rig, guest).room_called("crew") is None
    join(rig, guest, "crew")
    say(rig, ann, "crew", "welcome")
    assert guest.messages[-1].text == "welcome"


def test_a_refused_name_gives_both_names_back(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = person(rig, "ann", "ops", "dev")
    ok(rig, ann, SetRoom(ref=1, room="dev", name="depot"))
    rig.do(ann, SetRoom(ref=2, room="ops", name="dev"))  # a name that another conversation had before
    assert ann.last(Refused).ref == 2
    assert not room(rig, "ops").is_renaming
    rig.do(ann, Say(1, "ops", "still here"))
    assert [message.text for message in ann.messages] == ["still here"]
    ok(rig, ann, SetRoom(ref=3, room="ops", name="crew"))


def test_what_waits_for_a_room_stays_with_it_under_a_new_name(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    held = []

    def hold() -> Workflow[None]:
        held.append((yield Turn(room(rig, "ops"))))
        yield Commit(())

    rig.do(ann, SetRoom(ref=1, room="ops", name="crew"), settle=False)
    rig.hub.context.workflows.run(hold())
    rig.do(ann, SetRoom(ref=2, room="ops", topic="second"), settle=False)
    rig.settle()
    assert held
    assert [done.ref for done in ann.of(Done)][-2:] == [1, 2]
    assert rig.records()["crew"].topic == "second"


def test_two_joins_that_make_space_do_not_wait_for_each_other() -> None:
    """Each holds the turn of its own new room, and each lets the other's former room give way."""
    rig = HubRig(Limits(rooms_total=2))
    ann, bob = person(rig, "ann", "old1", "old2"), person(rig, "bob")
    for name in ("old1", "old2"):
        ok(rig, ann, SetRoom(ref=1, room=name, topic="x"))
        rig.do(ann, Leave(ref=2, room=name))
    assert sorted(rig.records()) == ["old1", "old2"]
    rig.do(ann, Join(ref=3, rooms=["new1", "old1"]), settle=False)
    rig.do(bob, Join(ref=4, rooms=["new2", "old2"]), settle=False)
    rig.do(bob, Leave(ref=5, room="new2"), settle=False)
    rig.settle()
    assert len(rig.hub.context.workflows.turns) == 0
    assert not rig.hub._room_membership._joining
    answers = [event.ref for event in (*ann.of(Joined), *ann.of(Refused)) if event.ref == 3]
    assert len(answers) == 2
    assert len([event for event in (*bob.of(Joined), *bob.of(Refused)) if event.ref == 4]) == 2
    assert len(rig.records()) <= 2
