"""What is purged is told: to who is here at once, to who was away on the way back, and to nobody else."""

from __future__ import annotations

import pytest

from securechat.hub.rooms import directory
from securechat.limits import Limits
from securechat.model import (
    Direct,
    Event,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Purged,
    Quit,
    Say,
    SetRoom,
    Welcome,
)
from securechat.records.accounts import KEPT_REMOVALS, Committed, EraseSender
from securechat.testing.keys import plain_keys
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import register
from tests.unit.hub.admin.test_commands import act

DAY_S = 86_400


@pytest.fixture
def rig() -> HubRig:
    return HubRig(Limits(retention_batch=2))


def account(rig: HubRig, name: str, *rooms: str) -> FakePeer:
    peer = rig.member(name)
    register(rig, peer)
    if rooms:
        rig.do(peer, Join(ref=1, rooms=list(rooms)))
    return peer


def deleted(rig: HubRig, name: str, *, remove: bool = True) -> None:
    act(rig, "delete_user", name, remove=remove, progress=lambda _: None)


def with_old_messages(rig: HubRig) -> tuple[FakePeer, list[int]]:
    """An owner of #ops, whose messages expire after a day, and the seqs of five that have; a sixth stays."""
    ann = account(rig, "ann", "ops")
    rig.do(ann, SetRoom(ref=2, room="ops", retention_days=1))
    for number in range(1, 6):
        rig.do(ann, Say(number, "ops", f"old {number}"))
    rig.now += 2 * DAY_S
    rig.do(ann, Say(6, "ops", "new"))
    return ann, [message.seq for message in ann.messages[:5]]


def test_retention_is_told_once_to_the_members_of_the_room(rig: HubRig) -> None:
    ann, old = with_old_messages(rig)
    bob, elsewhere = rig.member("bob"), rig.member("cyd")
    rig.do(bob, Join(ref=1, rooms=["ops"]))
    rig.hub.tidy()
    rig.settle()
    assert [peer.of(Purged) for peer in (ann, bob, elsewhere)] == [[Purged(old[-1], room="ops")]] * 2 + [[]]
    rig.do(ann, History(ref=3, room="ops"))
    assert all(message.seq > old[-1] for message in ann.last(HistoryPage).messages)
    rig.hub.tidy()
    rig.settle()
    assert len(ann.of(Purged)) == 1, "nothing was deleted since"


def test_who_enters_a_room_later_is_told_what_is_gone_also_after_a_restart(rig: HubRig) -> None:
    _, old = with_old_messages(rig)
    rig.hub.tidy()
    rig.settle()
    for _ in range(2):
        bob = rig.member("bob")
        rig.do(bob, Join(ref=1, rooms=["ops"]))
        assert bob.last(Joined).purged == old[-1]
        assert bob.of(Joined)[0].purged == 0, "nothing of the lobby is gone"
        rig.do(bob, Quit())
        rig.open(plain_keys(rig.posted.append, rig.wall_ms))


@pytest.mark.parametrize("prunes", [False, True], ids=["forgotten after a while", "pruned"])
def test_a_room_that_is_made_anew_still_tells_what_is_gone(rig: HubRig, prunes: bool) -> None:
    """Its record goes with the last member, and its name comes back: for a guest, an account, after a restart."""
    ann, old = with_old_messages(rig)
    rig.hub.tidy()
    rig.settle()
    rig.do(ann, Leave(7, "ops", sure=True))
    gone = rig.fed[-1].seq
    assert gone > old[-1]
    if prunes:
        rig.hub.admin_commands.room_admin.prune("root", None, lambda _: None)
    else:
        rig.now += (rig.limits.empty_room_days + 1) * DAY_S  # the last message is old, too
        rig.hub.tidy()
    rig.settle()
    for restart in (False, True):
        if restart:
            rig.open(plain_keys(rig.posted.append, rig.wall_ms))
        assert rig.record("ops") is None
        for _ in range(2):
            guest = rig.member("guest")
            rig.do(guest, Join(ref=1, rooms=["ops"]))
            assert guest.last(Joined).purged == gone
            rig.do(guest, Quit())
    bob = account(rig, "bob", "ops")
    assert rig.record("ops") is not None
    assert bob.last(Joined).purged == gone
    rig.do(bob, Leave(8, "ops", sure=True))
    rig.open(plain_keys(rig.posted.append, rig.wall_ms))
    assert account(rig, "carl", "ops").last(Joined).purged == gone


def test_the_rooms_without_a_record_that_are_remembered_are_bounded(
    rig: HubRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "KEPT_PURGED_NAMES", 3)
    rooms = rig.hub.context.rooms
    for number in range(1, 6):
        rooms.note_purged(rooms.named_or_new(f"room{number}"), number)
    assert [rooms.named_or_new(f"room{number}").purged_seq for number in range(1, 6)] == [0, 0, 3, 4, 5]


def test_a_removed_account_is_told_to_everybody_and_a_kept_one_to_nobody(rig: HubRig) -> None:
    ann, bob, stranger = account(rig, "ann"), account(rig, "bob"), rig.member("cyd")
    ann_id = ann.last(Welcome).sender_id
    rig.do(ann, Say(1, "lobby", "hello"))
    rig.do(ann, Direct(2, bob.last(Welcome).sender_id, "psst"))
    last = ann.messages[-1].seq
    deleted(rig, "bob", remove=False)
    assert not stranger.of(Purged)
    deleted(rig, "ann")
    assert stranger.of(Purged) == [Purged(last, sender_id=ann_id)]


def test_who_was_away_is_told_of_removed_accounts_before_the_page_also_after_a_restart(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), rig.member("bob")
    ann_id = ann.last(Welcome).sender_id
    rig.do(ann, Say(1, "lobby", "hello"))
    cursor = bob.messages[-1].seq
    rig.do(bob, Quit())
    cyd = rig.member("cyd")
    rig.do(cyd, Say(1, "lobby", "one"))
    deleted(rig, "ann")
    rig.do(cyd, Say(2, "lobby", "two"))
    for _ in range(2):
        bob = rig.member("bob")
        after, more = cursor, True
        while more:
            rig.do(bob, History(ref=2, after=after, limit=1))
            page = bob.last(HistoryPage)
            after, more = page.through, page.more
        told: list[Event] = [event for event in bob.events if isinstance(event, Purged | HistoryPage)]
        assert {event for event in told if isinstance(event, Purged)} == {Purged(cursor + 1, sender_id=ann_id)}
        at = told.index(Purged(cursor + 1, sender_id=ann_id))
        following = told[at + 1]
        assert isinstance(following, HistoryPage)
        assert following.through >= cursor + 1
        for question in (History(ref=3), History(ref=3, room="lobby", after=0), History(ref=3, after=cursor + 2)):
            count = len(bob.of(Purged))
            rig.do(bob, question)
            assert len(bob.of(Purged)) == count
        rig.do(bob, Quit())
        rig.open(plain_keys(rig.posted.append, rig.wall_ms))


def test_who_has_the_last_entry_and_asks_nothing_is_told_too(rig: HubRig) -> None:
    """A client whose cursor is `live_from` has missed nothing, so it may ask for no page."""
    ann, bob = account(rig, "ann"), rig.member("bob")
    rig.do(ann, Say(1, "lobby", "hello"))
    cursor = bob.messages[-1].seq
    rig.do(bob, Quit())
    deleted(rig, "ann")
    removed = Purged(cursor, sender_id=ann.last(Welcome).sender_id)
    for _ in range(2):
        bob = rig.member("bob")
        assert bob.last(Welcome).live_from == cursor
        assert bob.of(Purged) == [removed]
        assert bob.events.index(removed) > bob.events.index(bob.last(Joined))
        rig.do(bob, Quit())
        rig.open(plain_keys(rig.posted.append, rig.wall_ms))
    cyd = rig.member("cyd")
    rig.do(cyd, Say(1, "lobby", "the log goes on"))
    assert not rig.member("dora").of(Purged)


def test_a_number_of_removed_accounts_is_remembered(rig: HubRig) -> None:
    rig.do(rig.member("bob"), Say(1, "lobby", "x"))
    purges = rig.hub.admin_commands._deletion._purges
    done: list[object] = []
    for sender_id in range(1_000, 1_003 + KEPT_REMOVALS):
        purges.sender_removed(sender_id, 1)
        rig.hub.context.changes.commit([EraseSender(sender_id, True, 0)], done.append)
        rig.settle()
    assert set(done) == {Committed(purged=1)}
    kept = dict.fromkeys(range(1_003, 1_003 + KEPT_REMOVALS), 1)
    assert rig.hub.context.accounts.removed == kept
    rig.open(plain_keys(rig.posted.append, rig.wall_ms))
    assert rig.hub.context.accounts.removed == kept
