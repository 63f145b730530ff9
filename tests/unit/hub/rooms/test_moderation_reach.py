"""How far a ban, a mute, a rank and a leave reach.

Looked through: bans from the server (name, account, network) and from a room; mutes on the server and in a room; every
way past them without another address (another name, another secret, an invite, a restart of the client or the server,
the daily clean-up); acts on others by rank (moderate, grant, edit, delete); ways in which a room loses its last member
(leave, a leave behind a join, kick, deletion of the account: only the first two are the member's own).
"""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.model import (
    Closing,
    Delete,
    Deleted,
    Done,
    Edit,
    Grant,
    InviteTo,
    Join,
    Leave,
    Left,
    Message,
    Moderate,
    Nick,
    Quit,
    Refused,
    RoleChanged,
    Say,
    SetRoom,
    Welcome,
)
from securechat.records.accounts import BanKind, Role
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import hello, refusal, register
from tests.unit.hub.admin.test_commands import act
from tests.unit.hub.rooms.test_rooms import join, ok, person, refused, say, who

SECRET = "7" * 32


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


# --- Bans and mutes of guests -----------------------------------------------------------------------------------------


def test_a_banned_guest_does_not_come_back_under_another_name(rig: HubRig) -> None:
    guest = hello(rig, "eve", secret=SECRET, address="203.0.113.5")
    made = act(rig, "ban", "eve", reason="", duration_s=None)
    assert (made.ban.kind, [ban.kind for ban in made.further]) == (BanKind.NAME, [BanKind.GUEST])
    assert made.addresses == ("203.0.113.5",)
    assert guest.closed is not None
    for name in ("eve", "mallory"):
        again = hello(rig, name, secret=SECRET)
        assert not again.of(Welcome)
        assert again.closed is not None
        assert again.closed.code is ErrorCode.BANNED
    assert hello(rig, "mallory", secret="8" * 32).of(Welcome), "a new secret is another guest: the answer says so"
    act(rig, "unban", "eve")
    assert hello(rig, "mallory2", secret=SECRET).of(Welcome)


def test_a_ban_by_number_of_one_part_lifts_the_other(rig: HubRig) -> None:
    hello(rig, "eve", secret=SECRET)
    made = act(rig, "ban", "eve", reason="", duration_s=None)
    act(rig, "unban", str(made.ban.ban_id))
    assert list(rig.hub.admin_commands.bans()) == []


def test_a_guest_s_ban_outlasts_the_clean_up(rig: HubRig) -> None:
    hello(rig, "eve", secret=SECRET)
    act(rig, "ban", "eve", reason="", duration_s=None)
    rig.now += 400 * 86_400
    rig.hub.tidy()
    rig.settle()
    assert not hello(rig, "mallory", secret=SECRET).of(Welcome)


def test_the_address_is_banned_along_where_it_is_known(rig: HubRig) -> None:
    hello(rig, "eve", secret=SECRET, address="203.0.113.5")
    act(rig, "ban", "eve", reason="", duration_s=None, address=True)
    assert not hello(rig, "mallory", secret="8" * 32, address="203.0.113.5").of(Welcome)
    assert hello(rig, "mallory", secret="8" * 32, address="203.0.113.6").of(Welcome)
    with pytest.raises(Refusal):
        act(rig, "ban", "absent", reason="", duration_s=None, address=True)


def test_a_guest_s_mute_outlasts_a_new_start_of_the_client(rig: HubRig) -> None:
    guest = hello(rig, "eve", secret=SECRET)
    act(rig, "mute", "eve", reason="noise", duration_s=None)
    for secret in (SECRET, "8" * 32):
        rig.lose(guest)
        rig.now += 1_000
        rig.hub.tick()
        guest = hello(rig, "eve", secret=secret)
        rig.do(guest, Say(client_id=1, room="lobby", text="hello"))
        assert guest.last(Refused).code is ErrorCode.MUTED
    assert len(rig.hub.context.accounts.mutes) == 1, "coming back stores nothing"
    act(rig, "unmute", "eve")
    for secret in (SECRET, "8" * 32, "9" * 32):
        rig.lose(guest)
        rig.now += 1_000
        rig.hub.tick()
        guest = hello(rig, "eve", secret=secret)
        rig.do(guest, Say(client_id=9, room="lobby", text="hello again"))
        assert not guest.of(Refused), "one word lifts every mute of the name"


def test_a_muted_name_is_muted_from_the_welcome_on_and_cannot_be_taken_to_speak(rig: HubRig) -> None:
    """Also where hello and message come in one write, or the name is taken by /nick."""
    rig.lose(hello(rig, "eve", secret=SECRET))
    guest = hello(rig, "eve", secret=SECRET)
    act(rig, "mute", "eve", reason="", duration_s=None)
    rig.do(guest, Quit())
    new = hello(rig, "eve", secret="8" * 32)
    rig.do(new, Nick(ref=1, name="mallory"), settle=False)
    rig.do(new, Say(client_id=1, room="lobby", text="hello"))
    assert [refused.code for refused in new.of(Refused)] == [ErrorCode.MUTED] * 2
    rig.do(new, Quit())
    other = hello(rig, "bob", secret="9" * 32)
    rig.do(other, Nick(ref=1, name="Eve"))
    rig.do(other, Say(client_id=1, room="lobby", text="hello"))
    assert other.last(Refused).code is ErrorCode.MUTED
    act(rig, "mute", "eve", reason="again", duration_s=None)
    rig.do(other, Say(client_id=2, room="lobby", text="hello"))
    assert len(other.of(Refused)) == 2


# --- Ranks, reasons, archives -----------------------------------------------------------------------------------------


@pytest.fixture
def three(rig: HubRig) -> tuple[FakePeer, FakePeer, FakePeer]:
    """The owner of #ops, a moderator and a member."""
    ann, mod, bob = (person(rig, name, "ops") for name in ("ann", "mod", "bob"))
    ok(rig, ann, Grant(ref=1, room="ops", person=who(mod), role="moderator"))
    return ann, mod, bob


def test_words_of_those_who_stand_as_high_are_not_touched(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    ann, mod, bob = three
    say(rig, ann, "ops", "by the owner")
    owners = ann.last(Message).seq
    say(rig, bob, "ops", "by a member")
    members = ann.last(Message).seq
    for command in (Edit(client_id=1, seq=owners, text="x", room="ops"), Delete(client_id=1, seq=owners, room="ops")):
        assert refused(rig, mod, command) is ErrorCode.NO_RIGHT
        assert mod.last(Refused).reason == "author_not_below"
    rig.do(mod, Delete(client_id=1, seq=members, room="ops"))
    assert bob.last(Deleted).target == members
    say(rig, mod, "ops", "by a moderator")
    rig.do(ann, Delete(client_id=9, seq=ann.last(Message).seq, room="ops"))
    assert ann.last(Deleted).target == mod.last(Message).seq
    act(rig, "role", "bob", Role.ADMIN)
    rig.do(bob, Delete(client_id=9, seq=owners, room="ops"))
    assert ann.last(Deleted).target == owners
    say(rig, bob, "ops", "by an administrator")
    assert refused(rig, ann, Delete(client_id=19, seq=ann.last(Message).seq, room="ops")) is ErrorCode.NO_RIGHT


def test_own_words_are_deleted_in_an_archived_room_and_nothing_else(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    ann, mod, bob = three
    say(rig, bob, "ops", "mine")
    seq = bob.last(Message).seq
    ok(rig, ann, SetRoom(ref=2, room="ops", archived=True))
    assert refused(rig, bob, Edit(client_id=11, seq=seq, text="other", room="ops")) is ErrorCode.ARCHIVED
    assert refused(rig, mod, Delete(client_id=11, seq=seq, room="ops")) is ErrorCode.NO_RIGHT
    rig.do(bob, Delete(client_id=12, seq=seq, room="ops"))
    assert ann.last(Deleted).target == seq


def test_the_reason_of_a_mute_is_told_to_the_muted_alone(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    ann, mod, bob = three
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(bob), act="mute", seconds=600, reason="noise"))
    assert (bob.last(RoleChanged).reason, ann.last(RoleChanged).reason) == ("noise", "")
    assert refused(rig, bob, Say(client_id=1, room="ops", text="x")) is ErrorCode.MUTED
    assert bob.last(Refused).text == "You are muted in #ops for 10 minutes: noise"
    ok(rig, mod, Moderate(ref=3, room="ops", person=who(bob), act="mute"))
    assert refused(rig, bob, Say(client_id=1, room="ops", text="x")) is ErrorCode.MUTED
    assert bob.last(Refused).text == "You are muted in #ops. Ask its moderators"


def test_a_ban_from_a_room_tells_whether_it_is_on_a_guest(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    _, mod, bob = three
    guest = hello(rig, "eve", secret=SECRET)
    join(rig, guest, "ops")
    ok(rig, mod, Moderate(ref=2, room="ops", person=who(guest), act="ban"))
    assert mod.last(Done).guest
    ok(rig, mod, Moderate(ref=3, room="ops", person=who(bob), act="ban"))
    assert not mod.last(Done).guest
    rig.lose(guest)
    rig.now += 1_000
    rig.hub.tick()
    again = hello(rig, "mallory", secret=SECRET)
    rig.do(again, Join(ref=1, rooms=["ops"]))
    assert refusal(again) is ErrorCode.ROOM_BANNED


# --- The last member --------------------------------------------------------------------------------------------------


def test_the_only_member_of_a_private_room_has_to_be_sure(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    assert refused(rig, ann, Leave(ref=2, room="ops")) is ErrorCode.LAST_MEMBER
    say(rig, ann, "ops", "still here")
    ok(rig, ann, InviteTo(ref=3, room="ops", person=who(bob)))
    rig.do(ann, Leave(ref=4, room="ops"))
    assert ann.last(Left).ref == 4, "an invited account can still come in, and owns it then"


def test_who_is_invited_and_banned_cannot_take_a_private_room_over(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    ok(rig, ann, InviteTo(ref=2, room="ops", person=who(bob)))
    ok(rig, ann, Moderate(ref=3, room="ops", person=who(bob), act="ban"))
    assert refused(rig, ann, Leave(ref=4, room="ops")) is ErrorCode.LAST_MEMBER


def test_one_who_is_sure_leaves_and_a_public_room_asks_nothing(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "open")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    rig.do(ann, Leave(ref=2, room="ops", sure=True))
    rig.do(ann, Leave(ref=3, room="open"))
    assert [left.ref for left in ann.of(Left)] == [2, 3]


def test_a_leaving_owner_is_told_who_owns_the_room_now(rig: HubRig, three: tuple[FakePeer, ...]) -> None:
    ann, mod, bob = three
    rig.do(bob, Leave(ref=2, room="ops"))
    assert bob.last(Left).owner is None
    rig.do(ann, Leave(ref=2, room="ops"))
    owner = ann.last(Left).owner
    assert owner is not None
    assert owner.id == who(mod)


def test_a_ban_of_an_account_is_no_ban_of_a_guest(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    made = act(rig, "ban", "ann", reason="", duration_s=None)
    assert (made.ban.kind, made.further) == (BanKind.ACCOUNT, ())
    assert isinstance(ann.closed, Closing)
