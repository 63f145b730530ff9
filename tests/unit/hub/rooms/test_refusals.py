"""The refusals of rooms, roles and moderation: reason, code, arguments, and the sentence made from them."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.limits import MAX_TOPIC_CHARS, Limits
from securechat.model import Grant, InviteTo, Join, Leave, Left, Moderate, Refused, Register, SetRoom
from securechat.records.accounts import Role
from securechat.text import refusals
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD
from tests.unit.hub.admin.test_commands import act
from tests.unit.hub.rooms.test_rooms import join, ok, person, who


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def refused(rig: HubRig, peer: FakePeer, command: Any) -> Refused:
    """What a command is refused with."""
    before = len(peer.of(Refused))
    rig.do(peer, command)
    assert len(peer.of(Refused)) == before + 1, peer.events[-1]
    return whole(peer.last(Refused))


def whole(event: Any) -> Any:
    """An event whose code and sentence are those of its reason."""
    assert event.code is refusals.REASONS[event.reason][0]
    assert event.text == refusals.sentence(event.reason, event.arguments)
    return event


# --- Into rooms -------------------------------------------------------------------------------------------------------


def test_a_private_room_is_no_room_to_others(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    for room in ("ops", "nowhere"):
        event = refused(rig, bob, SetRoom(ref=2, room=room, topic="x"))
        assert (event.reason, event.arguments, event.ref) == ("no_such_room", {}, 2)
    event = refused(rig, bob, Join(ref=3, rooms=["ops"]))
    assert (event.reason, event.room, event.ref) == ("no_such_room", "ops", 3)


@pytest.mark.parametrize(
    ("reason", "seconds", "expected", "sentence"),
    [
        ("", None, "banned_in_room", "You are banned from #ops. Ask its moderators"),
        ("spam", None, "banned_in_room_because", "You are banned from #ops: spam. Ask its moderators"),
        ("", 90, "banned_in_room_for", "You are banned from #ops for 2 minutes"),
        ("spam", 90, "banned_in_room_for_because", "You are banned from #ops for 2 minutes: spam"),
    ],
)
def test_a_ban_tells_why_and_for_how_long(
    rig: HubRig, reason: str, seconds: int | None, expected: str, sentence: str
) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, Moderate(ref=1, room="ops", person=who(bob), act="ban", seconds=seconds, reason=reason))
    event = refused(rig, bob, Join(ref=2, rooms=["ops"]))
    assert (event.reason, event.text) == (expected, sentence)


@pytest.mark.parametrize(
    ("limits", "rooms", "reason"),
    [
        (Limits(rooms_per_member=3), 3, "rooms_of_account_used_up"),
        (Limits(rooms_made_per_account_day=2), 3, "rooms_made_today"),
        (Limits(rooms_made_per_address_day=2), 3, "rooms_made_by_network_today"),
        (Limits(rooms_total=2), 3, "rooms_of_server_used_up"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_rooms_that_an_account_cannot_have(limits: Limits, rooms: int, reason: str) -> None:
    rig = HubRig(limits)
    ann = rig.member("ann", address="10.0.0.1")
    rig.do(ann, Register(ref=901, password=PASSWORD))
    rig.do(ann, Join(ref=1, rooms=[f"room{number}" for number in range(rooms)]))
    assert {whole(event).reason for event in ann.of(Refused)} == {reason}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(rooms_per_member=2), "rooms_of_member_used_up"),
        (Limits(rooms_total=2), "rooms_open_used_up"),
        (Limits(rooms_opened_per_address=1), "rooms_opened_by_network"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_rooms_that_a_guest_cannot_have(limits: Limits, reason: str) -> None:
    rig = HubRig(limits)
    guest = rig.member("guest", address="10.0.0.1")
    join(rig, guest, "one")
    assert refused(rig, guest, Join(ref=1, rooms=["two"])).reason == reason


# --- Settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason", "arguments"),
    [
        (SetRoom(1, "lobby", name="hall"), "lobby_not_renamed", {"room": "lobby"}),
        (SetRoom(1, "ops", name="lobby"), "lobby_not_renamed", {"room": "lobby"}),
        (SetRoom(1, "lobby", private=True), "lobby_always_open", {"room": "lobby"}),
        (SetRoom(1, "ops", topic="x" * (MAX_TOPIC_CHARS + 1)), "topic_too_long", {"most": MAX_TOPIC_CHARS}),
        (SetRoom(1, "ops", name="dev"), "room_name_taken", {"room": "dev"}),
        (Leave(1, "lobby"), "lobby_not_left", {"room": "lobby"}),
        (Leave(1, "nowhere"), "not_in_room", {"room": "nowhere"}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_setting_that_cannot_be(rig: HubRig, command: Any, reason: str, arguments: dict[str, str | int]) -> None:
    ann = person(rig, "ann", "ops", "dev")
    act(rig, "role", "ann", Role.ADMIN)
    rig.settle()
    event = refused(rig, ann, command)
    assert (event.reason, event.arguments, event.ref) == (reason, arguments, 1)


def test_members_who_have_to_go_are_told_why(rig: HubRig) -> None:
    ann, guest = person(rig, "ann", "ops"), rig.member("guest")
    join(rig, guest, "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    assert whole(guest.last(Left)).text == "#ops is private now, and you are not a member of it"
    rig.do(ann, SetRoom(ref=2, room="ops", name="crew"), settle=False)
    rig.do(guest, Join(ref=3, rooms=["crew"]), settle=False)
    rig.settle()
    left = whole(guest.last(Left))
    assert (left.room, left.reason, left.arguments) == ("crew", "room_name_given_away", {"room": "crew"})


# --- People -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "why", "text"),
    [
        ("kick", "", "You were kicked from #ops by ann"),
        ("kick", "enough", "You were kicked from #ops by ann: enough"),
        ("ban", "", "You were banned from #ops by ann"),
        ("ban", "enough", "You were banned from #ops by ann: enough"),
    ],
)
def test_the_removed_are_told_by_whom_and_why(rig: HubRig, deed: Any, why: str, text: str) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, Moderate(ref=1, room="ops", person=who(bob), act=deed, reason=why))
    assert whole(bob.last(Left)).text == text


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (lambda ann, bob, eve: InviteTo(1, "ops", eve), "invitation_needs_account"),
        (lambda ann, bob, eve: InviteTo(1, "ops", bob), "invited_is_member"),
        (lambda ann, bob, eve: Moderate(1, "ops", ann, "kick"), "moderation_of_yourself"),
        (lambda ann, bob, eve: Moderate(1, "ops", ann, "mute"), "mute_of_yourself"),
        (lambda ann, bob, eve: Moderate(1, "ops", ann, "unmute"), "mute_of_yourself"),
        (lambda ann, bob, eve: Moderate(1, "ops", 99, "kick"), "person_not_in_room"),
        (lambda ann, bob, eve: Moderate(1, "ops", 99, "ban"), "no_person_with_number"),
        (lambda ann, bob, eve: Moderate(1, "ops", bob, "unban"), "person_not_banned"),
        (lambda ann, bob, eve: Moderate(1, "ops", eve, "mute"), "mute_needs_membership"),
        (lambda ann, bob, eve: Grant(1, "ops", eve, "owner"), "guest_without_role"),
        (lambda ann, bob, eve: Grant(1, "dev", bob, "owner"), "not_a_member"),
        (lambda ann, bob, eve: Grant(1, "ops", ann, "member"), "room_needs_owner"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_act_on_a_person_that_cannot_be(rig: HubRig, command: Any, reason: str) -> None:
    ann, bob, eve = person(rig, "ann", "ops", "dev"), person(rig, "bob", "ops"), rig.member("eve")
    join(rig, eve, "ops")
    assert refused(rig, ann, command(who(ann), who(bob), who(eve))).reason == reason


def test_an_invitation_of_a_banned_account(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, Moderate(ref=1, room="ops", person=who(bob), act="ban"))
    event = refused(rig, ann, InviteTo(2, "ops", who(bob)))
    assert (event.reason, event.arguments) == ("invited_is_banned", {"room": "ops", "name": "bob"})


def test_no_more_bans_and_invitations_than_a_room_may_have() -> None:
    rig = HubRig(Limits(bans_per_room=1, invitations_per_room=1))
    ann, bob, eve = person(rig, "ann", "ops"), person(rig, "bob"), person(rig, "eve")
    ok(rig, ann, InviteTo(1, "ops", who(bob)))
    event = refused(rig, ann, InviteTo(2, "ops", who(eve)))
    assert (event.reason, event.arguments) == ("invitations_used_up", {"room": "ops", "count": 1})
    ok(rig, ann, Moderate(3, "ops", who(bob), "ban"))
    event = refused(rig, ann, Moderate(4, "ops", who(eve), "ban"))
    assert (event.reason, event.arguments) == ("bans_used_up", {"room": "ops", "count": 1})


def test_what_an_administrator_cannot_do_in_the_lobby(rig: HubRig) -> None:
    adm, guest, bob = person(rig, "adm"), rig.member("guest"), person(rig, "bob")
    act(rig, "role", "adm", Role.ADMIN)
    act(rig, "role", "bob", Role.ADMIN)
    rig.settle()
    join(rig, guest, "ops")
    assert refused(rig, adm, Moderate(1, "lobby", who(guest), "kick")).reason == "lobby_not_moderated"
    assert refused(rig, adm, Moderate(2, "lobby", who(bob), "mute")).reason == "moderation_of_admin"


@pytest.mark.parametrize("deed", ["kick", "ban", "mute"])
def test_why_an_owner_cannot_act_on_those_who_stand_as_high_or_higher(rig: HubRig, deed: Any) -> None:
    ann, adm, other = person(rig, "ann", "ops"), person(rig, "adm", "ops"), person(rig, "other", "ops")
    third = person(rig, "third", "ops")
    act(rig, "role", "adm", Role.ADMIN)
    ok(rig, ann, Grant(1, "ops", who(other), "owner"))
    ok(rig, ann, Grant(2, "ops", who(third), "moderator"))
    event = refused(rig, ann, Moderate(3, "ops", who(adm), deed))
    assert event.reason == "moderation_of_admin"
    assert event.text == "Administrators of the server cannot be kicked, banned or muted in a room"
    event = refused(rig, ann, Moderate(4, "ops", who(other), deed))
    assert (event.reason, event.arguments) == ("moderation_of_owner", {"room": "ops"})
    ok(rig, ann, Grant(5, "ops", who(other), "member"))
    ok(rig, ann, Moderate(6, "ops", who(other), deed))  # the advice of the sentence
    assert refused(rig, third, Moderate(7, "ops", who(ann), deed)).reason == "rank_not_above"


def test_a_room_of_guests_has_no_bans_and_needs_no_invitations(rig: HubRig) -> None:
    guest, other = rig.member("guest"), rig.member("other")
    for peer in (guest, other):
        join(rig, peer, "ops")
    rig.do(guest, Register(ref=901, password=PASSWORD), settle=False)
    member = rig.hub.context.connections[guest].member
    rig.settle()
    room = rig.hub.context.rooms.named("ops")
    assert room is not None
    assert room.belongs(member.sender_id)
    assert refused(rig, other, InviteTo(1, "ops", member.sender_id)).reason == "invitation_needs_moderator"
    adm = person(rig, "adm")
    act(rig, "role", "adm", Role.ADMIN)
    rig.settle()
    assert refused(rig, adm, Moderate(2, "lobby", 99, "unban")).reason == "lobby_not_moderated"
    third = rig.member("third")
    join(rig, third, "dev")
    rig.hub.context.presence.enter(rig.hub.context.connections[adm].member, _named(rig, "dev"), rig.hub.fed_seq)
    assert refused(rig, adm, Moderate(3, "dev", who(third), "ban")).reason == "room_without_owner"
    assert refused(rig, adm, InviteTo(4, "dev", member.sender_id)).reason == "invitation_not_needed"


def _named(rig: HubRig, name: str) -> Any:
    room = rig.hub.context.rooms.named(name)
    assert room is not None
    return room


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (SetRoom(1, "ops", private=True), "settings_need_owner"),
        (SetRoom(1, "ops", topic="x"), "topic_needs_moderator"),
        (InviteTo(1, "ops", 1), "invitation_needs_moderator"),
        (Moderate(1, "ops", 1, "kick"), "moderation_needs_moderator"),
        (Grant(1, "ops", 1, "member"), "roles_need_owner"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_missing_permission_names_the_roles_that_have_it(rig: HubRig, command: Any, reason: str) -> None:
    person(rig, "ann", "ops")
    event = refused(rig, person(rig, "bob", "ops"), command)
    assert (event.code, event.reason, event.arguments) == (ErrorCode.NO_RIGHT, reason, {"room": "ops"})
