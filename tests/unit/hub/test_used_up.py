"""Nothing is used up for good: what one peer makes ends by itself, or keeps nobody else from making the like."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from securechat.errors import ErrorCode, LocalProtocolError, Refusal
from securechat.hub.rate_limits import DailyQuota
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.limits import Limits
from securechat.model import (
    Acked,
    Hello,
    History,
    HistoryPage,
    Invited,
    InviteTo,
    Join,
    Joined,
    Leave,
    Left,
    Moderate,
    Nick,
    Quit,
    React,
    Refused,
    Register,
    RoleChanged,
    Rooms,
    RoomsPage,
    Say,
    SetRoom,
    Welcome,
)
from securechat.records.accounts import Role, WriteAudit
from securechat.records.log import NotAppended
from securechat.storage.store import ApplyChanges, DiskFull
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, refusal
from tests.unit.hub.admin.test_commands import act, invite, redeem
from tests.unit.hub.rooms.test_rooms import join, ok, person, refused, who

_DAY_S = 86_400.0


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def say(rig: HubRig, peer: FakePeer, room: str) -> None:
    number = 1 + max((acked.client_id for acked in peer.of(Acked)), default=0)
    rig.do(peer, Say(client_id=number, room=room, text="hello"))
    assert peer.last(Acked).client_id == number


def leave(rig: HubRig, peer: FakePeer, room: str) -> None:
    rig.do(peer, Leave(ref=5, room=room, sure=True))
    assert peer.last(Left).room == room


def records(rig: HubRig) -> set[str]:
    """Rooms with a record, the same in memory, on disk and after a restart."""
    kept = set(rig.records())
    assert kept == {place.name for place in rig.store._room_records.values()}
    assert kept == set(HubRig(store=rig.store).records())
    return kept


def listed(rig: HubRig, peer: FakePeer) -> list[str]:
    rig.do(peer, Rooms(ref=6))
    return [room.room for room in peer.last(RoomsPage).rooms]


# --- A room that keeps nothing goes ---------------------------------------------------------------------------------


def test_one_account_that_joins_and_leaves_keeps_nobody_from_making_a_room() -> None:
    rig = HubRig(Limits(rooms_total=5, rooms_made_per_account_day=1000))
    eve, bob = person(rig, "eve"), person(rig, "bob")
    for number in range(50):
        join(rig, eve, f"room{number}")
        if number % 2:
            say(rig, eve, f"room{number}")
        leave(rig, eve, f"room{number}")
    join(rig, bob, "ours")
    assert bob.last(Joined).role == "owner"
    assert len(records(rig)) == 5
    assert not eve.of(Refused)


def test_a_room_goes_with_its_last_member_and_begins_anew_with_the_next(rig: HubRig) -> None:
    ann, bob, guest = person(rig, "ann", "ops"), person(rig, "bob", "ops"), rig.member("guest")
    join(rig, guest, "ops")
    leave(rig, ann, "ops")
    assert records(rig) == {"ops"}
    assert bob.of(Left) == []
    leave(rig, bob, "ops")
    assert records(rig) == set()
    say(rig, guest, "ops")  # who is inside stays inside
    assert listed(rig, guest) == ["lobby", "ops"]
    join(rig, ann, "ops")
    assert ann.last(Joined).role == "owner"


def test_a_room_that_went_is_listed_for_nobody(rig: HubRig) -> None:
    """Its only member is away: only the end of the record can bring the list up to date."""
    ann, bob = person(rig, "ann", "ops"), rig.member("bob")
    rig.do(ann, Quit())
    assert listed(rig, bob) == ["lobby", "ops"]
    act(rig, "delete_user", "ann", remove=True, progress=lambda _: None)
    assert records(rig) == set()
    assert listed(rig, bob) == ["lobby"]


@pytest.mark.parametrize(
    "rule",
    [{"topic": "t"}, {"private": True}, {"read_only": True}, {"slow_s": 5}, {"retention_days": 1}, {"archived": True},
     {"history": "joined"}],
    ids=lambda rule: next(iter(rule)),
)  # fmt: skip
def test_rules_keep_a_room(rig: HubRig, rule: dict[str, Any]) -> None:
    ann = person(rig, "ann", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", **rule))
    leave(rig, ann, "ops")
    assert records(rig) == {"ops"}


def test_what_was_said_keeps_a_room_listed_and_its_history_readable(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    say(rig, ann, "ops")
    leave(rig, ann, "ops")
    assert "ops" in listed(rig, bob)
    join(rig, bob, "ops")
    rig.do(bob, History(ref=7, room="ops", limit=10))
    assert len(bob.last(HistoryPage).messages) == 1


def test_a_message_on_its_way_keeps_the_room_that_its_sender_leaves(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    rig.do(ann, Say(client_id=1, room="ops", text="last words"), settle=False)
    rig.do(ann, Leave(ref=5, room="ops"))
    assert records(rig) == {"ops"}


def test_who_joins_while_the_room_goes_owns_the_next_one(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    rig.do(ann, Leave(ref=5, room="ops"), settle=False)
    rig.do(bob, Join(ref=6, rooms=["ops"]), settle=False)
    rig.do(ann, SetRoom(ref=7, room="ops", topic="mine"), settle=False)
    rig.settle()
    assert bob.last(Joined).role == "owner"
    assert refusal(ann) in {ErrorCode.NO_RIGHT, ErrorCode.NO_SUCH_ROOM}
    assert records(rig) == {"ops"}


def test_rules_asked_for_while_the_room_goes_find_no_room(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    rig.do(ann, Leave(ref=5, room="ops"), settle=False)
    rig.do(ann, SetRoom(ref=7, room="ops", topic="mine"))
    assert refusal(ann) is ErrorCode.NO_SUCH_ROOM
    assert records(rig) == set()


def test_a_mute_and_a_ban_keep_their_room_until_they_are_over(rig: HubRig) -> None:
    ann, bob, eve = person(rig, "ann", "ops"), person(rig, "bob", "ops"), person(rig, "eve", "ops")
    ok(rig, ann, Moderate(ref=1, room="ops", person=who(bob), act="mute", seconds=3600))
    ok(rig, ann, Moderate(ref=2, room="ops", person=who(eve), act="ban", seconds=7200))
    for peer in (bob, ann):
        leave(rig, peer, "ops")
    rig.hub.tidy()
    rig.settle()
    assert records(rig) == {"ops"}
    assert refused(rig, eve, Join(ref=3, rooms=["ops"])) is ErrorCode.ROOM_BANNED
    rig.pass_time(3601)
    rig.hub.tidy()
    rig.settle()
    assert records(rig) == {"ops"}
    assert not rig.store._memberships, "a mute that is over keeps its former member for ever"
    rig.pass_time(3600)
    rig.hub.tidy()
    rig.settle()
    assert records(rig) == set()
    assert not rig.store._room_bans, "a ban that is over stays for ever"


def test_the_ban_that_takes_the_last_member_out_keeps_the_room(rig: HubRig) -> None:
    eve, root = person(rig, "eve", "ops"), person(rig, "root")
    act(rig, "role", "root", Role.ADMIN)
    ok(rig, root, Moderate(ref=1, room="ops", person=who(eve), act="ban"))
    assert records(rig) == {"ops"}
    assert refused(rig, eve, Join(ref=2, rooms=["ops"])) is ErrorCode.ROOM_BANNED


def test_an_invitation_keeps_its_room_for_its_time(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, InviteTo(ref=1, room="ops", person=who(bob)))
    assert bob.of(Invited)
    leave(rig, ann, "ops")
    rig.now += 89 * _DAY_S
    rig.hub.tidy()
    rig.settle()
    assert records(rig) == {"ops"}
    rig.now += 2 * _DAY_S
    rig.hub.tidy()
    rig.settle()
    assert records(rig) == set()


def test_a_deleted_account_takes_its_empty_rooms_along(rig: HubRig) -> None:
    person(rig, "ann", "ops", "dev")
    act(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    assert records(rig) == set()


def test_retention_that_leaves_nothing_does_not_keep_a_room_for_ever(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    say(rig, ann, "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", retention_days=1))
    rig.now += 2 * _DAY_S
    rig.hub.tidy()
    rig.settle()
    ok(rig, ann, SetRoom(ref=2, room="ops", retention_days=0))
    leave(rig, ann, "ops")
    assert records(rig) == set()


# --- A room that keeps nothing but rules ------------------------------------------------------------------------------

OPEN_RULES: list[dict[str, Any]] = [{"topic": "x"}, {"read_only": True}, {"slow_s": 5}, {"retention_days": 1}]
CLOSED_RULES: list[dict[str, Any]] = [{"private": True}, {"archived": True}, {"history": "joined"}]


def rule_id(rule: dict[str, Any]) -> str:
    return next(iter(rule))


def clean_up(rig: HubRig) -> None:
    rig.hub.tidy()
    rig.settle()


@pytest.mark.parametrize("rule", OPEN_RULES, ids=rule_id)
def test_one_account_that_leaves_rules_behind_keeps_nobody_from_making_a_room(rule: dict[str, Any]) -> None:
    rig = HubRig(Limits(rooms_total=5, rooms_made_per_account_day=1000))
    eve, bob = person(rig, "eve"), person(rig, "bob")
    for number in range(12):
        join(rig, eve, f"room{number}")
        ok(rig, eve, SetRoom(ref=1, room=f"room{number}", **rule))
        leave(rig, eve, f"room{number}")
    join(rig, bob, "ours")
    assert bob.last(Joined).role == "owner"
    assert records(rig) == {"room8", "room9", "room10", "room11", "ours"}, "the longest unused give way first"


@pytest.mark.parametrize("rule", CLOSED_RULES, ids=rule_id)
def test_a_rule_that_closes_a_room_keeps_it_when_all_are_used_up(rule: dict[str, Any]) -> None:
    rig = HubRig(Limits(rooms_total=1))
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, SetRoom(ref=1, room="ops", topic="t", **rule))
    leave(rig, ann, "ops")
    assert refused(rig, bob, Join(ref=1, rooms=["ours"])) is ErrorCode.TOO_MANY_ROOMS
    assert records(rig) == {"ops"}


def test_rules_of_a_room_with_messages_a_guest_or_a_ban_stay_when_all_are_used_up() -> None:
    rig = HubRig(Limits(rooms_total=4))
    ann, bob, guest = person(rig, "ann", "said", "visited", "banned", "empty"), person(rig, "bob"), rig.member("guest")
    say(rig, ann, "said")
    join(rig, guest, "visited")
    ok(rig, ann, Moderate(ref=1, room="banned", person=who(bob), act="ban"))
    for room in ("said", "visited", "banned", "empty"):
        ok(rig, ann, SetRoom(ref=2, room=room, topic="t"))
        leave(rig, ann, room)
    join(rig, bob, "ours")
    assert records(rig) == {"said", "visited", "banned", "ours"}
    assert refused(rig, bob, Join(ref=3, rooms=["more"])) is ErrorCode.TOO_MANY_ROOMS
    rig.do(guest, Leave(ref=4, room="visited"))
    join(rig, bob, "more")
    assert records(rig) == {"said", "banned", "ours", "more"}


def test_rooms_with_messages_hide_no_empty_one_and_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = HubRig(Limits(rooms_total=30))
    ann, bob = person(rig, "ann"), person(rig, "bob")
    for number in range(30):
        join(rig, ann, f"room{number}")
        ok(rig, ann, SetRoom(ref=1, room=f"room{number}", slow_s=5))
        if number < 25:
            say(rig, ann, f"room{number}")
        leave(rig, ann, f"room{number}")
    asked: list[int] = []
    drop = rig.store._drop_place
    monkeypatch.setattr(rig.store, "_drop_place", lambda change: asked.append(change.room_id) or drop(change))
    for number in range(6):
        rig.do(bob, Join(ref=number, rooms=["ours"]))
    assert bob.of(Joined)[-1].room == "ours"
    assert len(asked) == len(set(asked)) == 26
    assert {f"room{number}" for number in range(25)} < records(rig)


@pytest.mark.parametrize("rule", [*OPEN_RULES, *CLOSED_RULES], ids=rule_id)
def test_a_room_with_nothing_but_rules_ends_after_its_time(rig: HubRig, rule: dict[str, Any]) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    ok(rig, ann, SetRoom(ref=1, room="ops", **rule))
    ok(rig, ann, Moderate(ref=2, room="ops", person=who(bob), act="ban"))
    rig.now += 200 * _DAY_S
    leave(rig, ann, "ops")
    rig.now += 89 * _DAY_S
    clean_up(rig)
    assert records(rig) == {"ops"}, "its time begins when the last member leaves"
    again = HubRig(store=rig.store)
    again.now = rig.now + 2 * _DAY_S
    again.hub.clock.restore(again.wall_ms())
    clean_up(again)
    assert not rig.store._room_records, "a restart begins no new time"
    assert not rig.store._room_bans


def test_what_was_said_a_member_an_invitation_and_a_guest_keep_rules_beyond_their_time(rig: HubRig) -> None:
    ann, bob, guest = person(rig, "ann", "said", "mine", "asked", "visited"), person(rig, "bob"), rig.member("guest")
    say(rig, ann, "said")
    join(rig, guest, "visited")
    for room in ("said", "mine", "asked", "visited"):
        ok(rig, ann, SetRoom(ref=1, room=room, topic="t"))
    for room in ("said", "visited"):
        leave(rig, ann, room)
    rig.now += 60 * _DAY_S
    ok(rig, ann, InviteTo(ref=2, room="asked", person=who(bob)))
    leave(rig, ann, "asked")
    rig.now += 31 * _DAY_S
    clean_up(rig)
    assert records(rig) == {"said", "mine", "asked", "visited"}
    rig.do(guest, Leave(ref=3, room="visited"))
    clean_up(rig)
    assert records(rig) == {"said", "mine", "asked"}


def test_rules_that_an_administrator_sets_for_guests_have_their_whole_time(rig: HubRig) -> None:
    ann, root = person(rig, "ann", "help"), person(rig, "root")
    act(rig, "role", "root", Role.ADMIN)
    ok(rig, ann, SetRoom(ref=1, room="help", topic="old"))
    leave(rig, ann, "help")
    rig.now += 80 * _DAY_S
    ok(rig, root, SetRoom(ref=2, room="help", topic="new"))
    rig.now += 80 * _DAY_S
    clean_up(rig)
    assert records(rig) == {"help"}


def test_a_room_that_retention_has_emptied_gives_way_a_day_later() -> None:
    rig = HubRig(Limits(rooms_total=1))
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    say(rig, ann, "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", retention_days=1))
    leave(rig, ann, "ops")
    assert refused(rig, bob, Join(ref=1, rooms=["ours"])) is ErrorCode.TOO_MANY_ROOMS
    rig.now += 2 * _DAY_S
    clean_up(rig)
    join(rig, bob, "ours")
    assert records(rig) == {"ours"}


# --- Shares -----------------------------------------------------------------------------------------------------------


def test_rooms_with_messages_give_way_when_all_are_used_up_and_keep_their_messages() -> None:
    rig = HubRig(Limits(rooms_total=3))
    ann, bob = person(rig, "ann", "a", "b", "c"), person(rig, "bob")
    for room in "abc":
        say(rig, ann, room)
    assert refused(rig, bob, Join(ref=1, rooms=["d"])) is ErrorCode.TOO_MANY_ROOMS
    assert "administrator" in bob.last(Refused).text
    for room in "ba":
        leave(rig, ann, room)
    join(rig, bob, "d")
    assert records(rig) == {"a", "c", "d"}, "the one without members for longest gives way"
    join(rig, bob, "b")  # its turn to come back
    rig.do(bob, History(ref=7, room="b", limit=10))
    assert len(bob.last(HistoryPage).messages) == 1
    assert records(rig) == {"b", "c", "d"}


def test_a_room_with_rules_never_gives_way() -> None:
    rig = HubRig(Limits(rooms_total=2))
    ann, bob = person(rig, "ann", "secret", "open"), person(rig, "bob")
    for room in ("secret", "open"):
        say(rig, ann, room)
    ok(rig, ann, SetRoom(ref=1, room="secret", private=True))
    for room in ("secret", "open"):
        leave(rig, ann, room)
    join(rig, bob, "one")
    assert records(rig) == {"secret", "one"}
    assert refused(rig, bob, Join(ref=1, rooms=["two"])) is ErrorCode.TOO_MANY_ROOMS


def test_rooms_asked_for_at_once_are_no_more_than_there_may_be() -> None:
    rig = HubRig(Limits(rooms_total=4))
    ann = person(rig, "ann")
    rig.do(ann, Join(ref=1, rooms=[f"room{n}" for n in range(9)]))
    assert len(records(rig)) == 4
    assert len(ann.of(Refused)) == 5


def test_a_room_that_is_entered_at_the_moment_it_gives_way_stays() -> None:
    rig = HubRig(Limits(rooms_total=1))
    ann, bob = person(rig, "ann", "a"), person(rig, "bob")
    say(rig, ann, "a")
    leave(rig, ann, "a")
    rig.do(ann, Join(ref=1, rooms=["a"]), settle=False)
    rig.do(bob, Join(ref=2, rooms=["b"]), settle=False)
    rig.settle()
    assert records(rig) == {"a"}
    assert refusal(bob) is ErrorCode.TOO_MANY_ROOMS


def test_an_account_makes_so_many_rooms_a_day_and_may_enter_any() -> None:
    rig = HubRig(Limits(rooms_made_per_account_day=3))
    ann, bob = person(rig, "ann"), person(rig, "bob", "ours")
    for room in "abc":
        join(rig, ann, room)
        leave(rig, ann, room)
    assert refused(rig, ann, Join(ref=1, rooms=["d"])) is ErrorCode.TOO_MANY_ROOMS
    assert "tomorrow" in ann.last(Refused).text
    join(rig, ann, "ours")
    join(rig, bob, "d")
    assert (ann.last(Joined).room, bob.last(Joined).room) == ("ours", "d")
    rig.now += _DAY_S + 1
    join(rig, ann, "e")
    assert ann.last(Joined).room == "e"


def test_an_address_makes_so_many_rooms_a_day_and_loopback_any_number() -> None:
    rig = HubRig(Limits(rooms_made_per_address_day=2))
    one, two = (rig.member(name, address="192.0.2.1") for name in ("one", "two"))
    local, other = rig.member("local"), rig.member("other", address="192.0.2.2")
    for peer in (one, two, local, other):
        rig.do(peer, Register(ref=1, password=PASSWORD))
    for room, peer in (("a", one), ("b", two), ("c", other)):
        join(rig, peer, room)
    assert refused(rig, two, Join(ref=1, rooms=["d"])) is ErrorCode.TOO_MANY_ROOMS
    rig.do(local, Join(ref=2, rooms=list("efg")))
    assert records(rig) == set("abcefg")


def test_a_room_that_could_not_be_made_counts_for_nobody() -> None:
    rig = HubRig(Limits(rooms_made_per_account_day=1, rooms_total=1))
    ann = person(rig, "ann")

    def full(_: str) -> None:
        raise DiskFull

    rig.store.fault = full
    assert refused(rig, ann, Join(ref=2, rooms=["a"])) is ErrorCode.DISK_FULL
    rig.store.fault = lambda _: None
    join(rig, ann, "b")
    assert records(rig) == {"b"}


def test_guests_who_become_accounts_make_no_more_rooms_than_others() -> None:
    rig = HubRig(Limits(rooms_made_per_account_day=2))
    ann = rig.member("ann")
    rig.do(ann, Join(ref=1, rooms=list("abcd")))
    rig.do(ann, Register(ref=2, password=PASSWORD))
    assert len(records(rig)) == 2


def test_guests_rooms_keep_no_member_out_of_theirs_and_no_network_takes_all() -> None:
    rig = HubRig(Limits(rooms_total=8, rooms_opened_per_address=3))
    ann = person(rig, "ann", "ops")
    guests = [rig.member(f"guest{n}", address=f"192.0.2.{n // 2}") for n in range(2, 8)]
    for n, guest in enumerate(guests):
        rig.do(guest, Join(ref=1, rooms=[f"g{n}a", f"g{n}b"]))
    assert [len(guest.of(Refused)) for guest in guests] == [0, 1, 0, 1, 2, 2]
    assert "network" in guests[1].last(Refused).text
    leave(rig, ann, "ops")
    join(rig, ann, "ops")
    assert ann.last(Joined).room == "ops"
    for guest in guests:
        rig.do(guest, Quit())
    assert rig.hub._presence._opened == {}
    late = rig.member("late", address="192.0.2.1")
    rig.do(late, Join(ref=1, rooms=["x", "y", "z"]))
    assert not late.of(Refused)


def test_bans_from_a_room_and_invitations_to_it_have_a_bound() -> None:
    rig = HubRig(Limits(bans_per_room=2, invitations_per_room=1))
    ann = person(rig, "ann", "ops")
    guests = [rig.member(f"guest{n}") for n in range(4)]
    bob, cat = person(rig, "bob"), person(rig, "cat")
    ok(rig, ann, Moderate(ref=1, room="ops", person=who(guests[0]), act="ban", seconds=60))
    ok(rig, ann, Moderate(ref=2, room="ops", person=who(guests[1]), act="ban"))
    third = Moderate(ref=3, room="ops", person=who(guests[2]), act="ban")
    assert refused(rig, ann, third) is ErrorCode.TOO_MANY
    ok(rig, ann, Moderate(ref=4, room="ops", person=who(guests[1]), act="ban", reason="again"))
    rig.pass_time(61)
    ok(rig, ann, third)
    assert len(rig.store._room_bans) == 2, "the one that is over gives way"
    ok(rig, ann, InviteTo(ref=5, room="ops", person=who(bob)))
    assert refused(rig, ann, InviteTo(ref=6, room="ops", person=who(cat))) is ErrorCode.TOO_MANY
    join(rig, bob, "ops")
    ok(rig, ann, InviteTo(ref=7, room="ops", person=who(cat)))


# --- By an administrator ----------------------------------------------------------------------------------------------


def rooms_of(rig: HubRig, method: str, *arguments: Any) -> Any:
    answers: list[Any] = []
    getattr(rig.hub.admin_commands.room_admin, method)(*arguments, answers.append)
    rig.settle()
    (answer,) = answers
    return answer


def test_an_administrator_sees_every_room_and_how_it_is_used(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops", "old")
    guest = rig.member("guest")
    join(rig, guest, "den")
    say(rig, bob, "old")
    leave(rig, bob, "old")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    rows = {row.room: row for row in rooms_of(rig, "rooms")}
    assert sorted(rows) == ["den", "lobby", "old", "ops"]
    ops, old, den = rows["ops"], rows["old"], rows["den"]
    assert (ops.total, ops.members, ops.owners, ops.kind, ops.prunable) == (2, 2, ("ann",), "private", False)
    assert (old.members, old.messages, old.last_at_ms, old.prunable) == (0, 1, rig.wall_ms(), True)
    assert (den.total, den.kind, den.prunable) == (1, "guests", False)
    status = rig.hub.admin_commands.status()
    assert (status.kept_rooms, status.rooms_without_members) == (2, 1)


def test_pruning_spares_a_room_that_was_used_since_it_was_listed(rig: HubRig) -> None:
    ann = person(rig, "ann", "old")
    ok(rig, ann, SetRoom(ref=1, room="old", topic="t"))
    leave(rig, ann, "old")
    rig.now += 10 * _DAY_S
    answers: list[Any] = []
    rig.hub.admin_commands.room_admin.prune("root", 5, answers.append)
    rig.do(ann, Join(ref=2, rooms=["old"]), settle=False)
    rig.do(ann, Leave(ref=3, room="old"), settle=False)
    rig.settle()
    assert answers == [[]]
    assert records(rig) == {"old"}


def test_pruning_takes_rooms_nobody_uses_with_their_messages(rig: HubRig) -> None:
    ann, bob, guest = person(rig, "ann", "old", "new", "mine", "visited", "asked"), person(rig, "bob"), rig.member("g")
    for _ in range(3):
        say(rig, ann, "old")
    ok(rig, ann, InviteTo(ref=1, room="asked", person=who(bob)))
    rig.now += 10 * _DAY_S
    for room in ("new", "visited"):
        say(rig, ann, room)
    join(rig, guest, "visited")
    for room in ("old", "new", "visited", "asked"):
        leave(rig, ann, room)
    assert [row.room for row in rooms_of(rig, "prunable", 5.0)] == ["old"]
    assert records(rig) == {"old", "new", "mine", "visited", "asked"}
    removed = rooms_of(rig, "prune", "shell:root", 5.0)
    assert [(row.room, row.messages) for row in removed] == [("old", 3)]
    assert records(rig) == {"new", "mine", "visited", "asked"}
    assert [row.room for row in rooms_of(rig, "prune", "shell:root", None)] == ["new"]
    acts = [(entry.actor, entry.target, entry.detail) for entry in rig.store.audit(9) if entry.act == "prune"]
    assert acts == [("shell:root", "old", "3 messages"), ("shell:root", "new", "1 message")]
    join(rig, bob, "old")
    rig.do(bob, History(ref=7, room="old", limit=10))
    assert bob.last(HistoryPage).messages == []
    assert bob.last(Joined).role == "owner"


@pytest.mark.parametrize("days", [0, -1, float("nan"), 1e9])
def test_a_number_of_days_that_makes_no_sense_removes_nothing(rig: HubRig, days: float) -> None:
    with pytest.raises(Refusal):
        rooms_of(rig, "prune", "shell", days)


def test_many_rooms_are_pruned_whatever_they_hold(rig: HubRig) -> None:
    ann = person(rig, "ann")
    for number in range(60):
        join(rig, ann, f"room{number}")
        say(rig, ann, f"room{number}")
        ok(rig, ann, SetRoom(ref=1, room=f"room{number}", topic="kept"))
        leave(rig, ann, f"room{number}")
    join(rig, ann, "full")
    for _ in range(1_100):
        say(rig, ann, "full")
    leave(rig, ann, "full")
    removed = {row.room: row.messages for row in rooms_of(rig, "prune", "shell", None)}
    assert (len(removed), removed["full"]) == (61, 1_100)
    assert records(rig) == set()


def test_who_enters_while_rooms_are_pruned_keeps_the_room(rig: HubRig) -> None:
    ann = person(rig, "ann", "a", "b")
    for room in "ab":
        say(rig, ann, room)
        leave(rig, ann, room)
    answers: list[Any] = []
    rig.hub.admin_commands.room_admin.prune("shell", None, answers.append)
    rig.do(ann, Join(ref=1, rooms=["b"]))
    assert [row.room for row in answers[0]] == ["a"]
    assert records(rig) == {"b"}


def test_pruning_that_cannot_look_says_so(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = person(rig, "ann", "a")
    say(rig, ann, "a")
    leave(rig, ann, "a")
    answers: list[Any] = []

    def refuse(_: list[str], done: Any) -> None:
        rig.posted.append(lambda: done(NotAppended(ErrorCode.BUSY, "later")))

    monkeypatch.setattr(rig.hub.context.log, "room_figures", refuse)
    rig.hub.admin_commands.room_admin.prune("shell", None, answers.append)
    rig.settle()
    assert isinstance(answers[0], NotAppended)


# --- Invites, turns, counts -------------------------------------------------------------------------------------------


def test_open_invites_have_a_bound_and_those_that_are_over_are_forgotten_whatever_their_days() -> None:
    rig = HubRig(Limits(open_invites=3))
    made = [invite(rig, days=3650) for _ in range(3)]
    with pytest.raises(Refusal) as refusal_:
        act(rig, "invite", uses=1, days=1, room=None)
    assert refusal_.value.code is ErrorCode.TOO_MANY
    redeem(rig, made[0], "ann")
    act(rig, "revoke", made[1].invite.invite_id)
    latest = invite(rig, days=3650)
    assert refusal(hello(rig, "bob", invite=made[0].token, password=PASSWORD)) is ErrorCode.INVITE_USED
    assert refusal(hello(rig, "bob", invite=made[1].token, password=PASSWORD)) is ErrorCode.INVITE_REVOKED
    rig.now += 31 * _DAY_S
    rig.hub.tidy()
    rig.settle()
    assert {row.invite_id for row in rig.hub.admin_commands.invites()} == {
        made[2].invite.invite_id,
        latest.invite.invite_id,
    }


def test_a_change_that_fails_keeps_no_place_in_a_queue(rig: HubRig) -> None:
    workflows, registry = rig.hub.context.workflows, rig.hub.context.accounts

    def act(detail: str) -> Workflow[None]:
        yield Turn("place")
        yield Commit((registry.note("ann", "act", detail),))

    with pytest.raises(LocalProtocolError):
        workflows.run(act("\ud800"))
    workflows.run(act("good"))
    rig.settle()
    assert [entry.target for entry in rig.store.audit(9)] == ["good"]
    assert len(workflows.turns) == 0


def test_the_audit_of_an_account_that_renames_itself_pushes_out_no_act_of_an_administrator() -> None:
    rig = HubRig(Limits(audit_own_entries=5, audit_days=10))
    ann = person(rig, "ann")
    rig.hub.admin_commands.announce("shell:root", "hello", lambda _: None)
    for number in range(20):
        rig.do(ann, Nick(ref=number, name=f"ann{number}"))
    rig.hub.tidy()
    rig.settle()
    acts = [entry.act for entry in rig.store.audit(99)]
    assert acts == ["announce", *["rename"] * 5]
    rig.now += 11 * _DAY_S
    rig.hub.context.changes.commit((WriteAudit(rig.hub.admin_commands._directory.note("shell", "late").entry),))
    rig.hub.tidy()
    rig.settle()
    assert [entry.act for entry in rig.store.audit(99)] == ["late"]


def test_the_keys_of_messages_are_forgotten_after_thirty_days(rig: HubRig) -> None:
    ann = person(rig, "ann")
    for days, seqs in ((0, [1, 1]), (29, [1, 1, 1]), (2, [1, 1, 1, 2])):
        rig.now += days * _DAY_S
        rig.hub.tidy()
        rig.settle()
        for number in range(len(seqs) - len(ann.of(Acked))):
            rig.do(ann, Say(client_id=10 * days + number + 1, room="lobby", text="alert", key="k"))
        assert [acked.seq for acked in ann.of(Acked)] == seqs


def test_a_device_that_never_wrote_is_forgotten_and_one_that_is_here_is_not(rig: HubRig) -> None:
    ann = person(rig, "ann")
    here = hello(rig, "ann", secret="1" * 32, password=PASSWORD)
    gone = hello(rig, "ann", secret="2" * 32, password=PASSWORD)
    assert len(rig.store._senders) == 3
    rig.do(gone, Quit())
    rig.now += 31 * _DAY_S
    rig.hub.tidy()
    rig.settle()
    assert len(rig.store._senders) == 2
    rig.do(here, Say(client_id=1, room="lobby", text="still here"))
    assert here.of(Acked)
    assert hello(rig, "ann", secret="2" * 32, password=PASSWORD).of(Joined)
    assert not ann.closed


def test_a_guest_whose_connection_was_lost_is_forgotten_without_a_restart(rig: HubRig) -> None:
    guest = rig.member("guest")
    rig.lose(guest)
    rig.now += 31 * _DAY_S
    rig.hub.tidy()
    rig.settle()
    assert not rig.store._senders


def test_a_deleted_account_leaves_nothing_in_memory(rig: HubRig) -> None:
    registry = rig.hub.admin_commands._directory
    ann = person(rig, "ann", "ops")
    registry.begin_epoch(who(ann))
    act(rig, "delete_user", "ann", remove=True, progress=lambda _: None)
    tables = (
        registry._epochs,
        registry._logins_of,
        registry.room_directory._rooms_of,
        *(room.memberships for room in registry.room_directory.recorded.values()),
    )
    assert all(not table for table in tables), tables


def test_a_quota_remembers_a_bounded_number_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DailyQuota, "MOST", 100)
    quota = DailyQuota(10)
    for number in range(1_000):
        assert quota.has_room(str(number), 10, 0.0)
        quota.take(str(number), 10)
        quota.give_back(str(number - 500), 10)
    assert len(quota._used) == 100
    assert not quota.has_room("999", 1, 0.0)
    assert quota.has_room("1", 1, 0.0)


def test_reactions_count_against_what_an_address_may_store() -> None:
    rig = HubRig(Limits(stored_bytes_per_address_day=1_000))
    guest = rig.member("guest")
    say(rig, guest, "lobby")
    for number in range(2, 20):
        rig.do(guest, React(client_id=number, room="lobby", seq=1, sign="+", on=number % 2 == 0))
    assert (len(guest.of(Acked)), refusal(guest)) == (10, ErrorCode.QUOTA)


def test_ended_connections_are_not_remembered_for_ever_while_hellos_come() -> None:
    rig = HubRig(Limits(commit_messages=1))
    entrance = rig.hub._login_flow
    peers = [rig.peer() for _ in range(50)]
    rig.hub.handle(peers[0], _hello("guest0", 800))
    for number, (peer, follower) in enumerate(pairwise(peers), 1):
        rig.hub.handle(follower, _hello(f"guest{number}", 800 + number))
        while not rig.hub.is_member(peer):
            rig.step()
        rig.do(peer, Quit(), settle=False)
        assert entrance._waiting, "there is always one that waits"
    assert len(entrance._left_behind) <= 2


def _hello(name: str, secret: int) -> Any:
    return Hello(version=1, name=name, secret=f"{secret:032x}")


def test_a_greeting_shows_no_people_while_half_an_outbox_waits(rig: HubRig) -> None:
    """The people of a hundred crowded rooms are longer than an outbox: who belongs to them could never log in."""
    rig.lose(person(rig, "ann", "one", "two"))
    rig.member("guest")
    for more, shown in ((0, (2, 1, 1)), (1, (0, 0, 0))):
        back = rig.peer()
        back.queued_bytes = Limits().outbox_hard_bytes // 2 + more
        rig.do(back, Hello(version=1, name="ann", secret=f"{more:032x}", password=PASSWORD))
        greetings = [(joined.room, joined.total, len(joined.members)) for joined in back.of(Joined)]
        assert greetings == list(zip(("lobby", "one", "two"), (2, 1, 1), shown, strict=True))
        rig.lose(back)


def test_a_guest_in_many_rooms_who_registers_belongs_to_all_of_them_a_few_at_a_time(
    rig: HubRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = rig.member("ann")
    rooms = {f"room{number:02}" for number in range(35)}
    rig.do(guest, Join(1, sorted(rooms)))
    counts: list[int] = []
    apply = rig.store.apply

    def counted(writes: Any, **options: Any) -> Any:
        counts.append(sum(isinstance(write, ApplyChanges) for write in writes))
        return apply(writes, **options)

    monkeypatch.setattr(rig.store, "apply", counted)
    rig.do(guest, Register(ref=2, password=PASSWORD))
    account = guest.last(Welcome).sender_id
    assert {room.name for room, _ in rig.hub._directory.room_directory.memberships_of(account)} == rooms
    assert len(guest.of(RoleChanged)) == len(rooms)
    assert 10 <= max(counts) <= 12, "each is a pass of the loop"
