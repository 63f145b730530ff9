"""Rooms while something else is on its way: every change waits for the log, and much may happen until then."""

from __future__ import annotations

import pytest

from securechat.model import (
    Join,
    Joined,
    Leave,
    Left,
    Moderate,
    Quit,
    SetRoom,
)
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.test_accounts import PASSWORD, hello
from tests.unit.hub.test_rooms import ok, person, say, who


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def texts(peer: FakePeer) -> list[str]:
    return [message.text for message in peer.messages]


def belongs(rig: HubRig, room: str, sender_id: int) -> bool:
    return rig.hub.steward._registry.rulebook.belongs(room, sender_id)


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
    rig.hub.lost(ann, rig.now)
    rig.settle()
    assert second.last(Joined).room == "ops"
    say(rig, second, "ops", "here")
    assert "here" in texts(second)
