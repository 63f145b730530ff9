"""What the log reads while a room gets another name.

The log knows rooms by name. A new name is durable, and its reading threads see it, before the hub hears of the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from securechat.limits import Limits
from securechat.model import (
    AskUnread,
    Done,
    History,
    HistoryPage,
    Join,
    Left,
    Purged,
    Read,
    Refused,
    Say,
    SetRoom,
    UnreadList,
)
from securechat.records.log import NotAppended
from securechat.records.queries import HistoryQuery, HistoryRows
from securechat.storage.store import DiskFull
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.rooms.test_rooms import ok, person

DAY_S = 86_400


@pytest.fixture
def rig() -> HubRig:
    rig = HubRig(Limits(retention_batch=2))
    rig.log.tells_later = True
    return rig


@pytest.fixture
def ann(rig: HubRig) -> FakePeer:
    return person(rig, "ann", "ops")


@pytest.fixture
def bob(rig: HubRig, ann: FakePeer) -> FakePeer:
    bob = person(rig, "bob")
    rig.do(bob, Join(ref=1, rooms=["ops"]))
    rig.do(ann, Say(client_id=1, room="ops", text="hello"))
    return bob


def texts(peer: FakePeer) -> list[str]:
    return [message.text for message in peer.last(HistoryPage).messages]


@pytest.mark.parametrize("room", [None, "ops"], ids=["all", "the room"])
def test_a_page_has_the_messages_of_a_room_that_is_being_renamed(
    rig: HubRig, ann: FakePeer, bob: FakePeer, room: str | None
) -> None:
    rig.do(ann, SetRoom(ref=2, room="ops", name="works"), settle=False)
    rig.do(bob, History(ref=3, room=room, after=0), settle=False)
    rig.settle()
    assert texts(bob) == ["hello"]
    assert {message.room for message in bob.last(HistoryPage).messages} == {"works"}


def test_unread_counts_know_a_room_that_is_being_renamed(rig: HubRig, ann: FakePeer, bob: FakePeer) -> None:
    rig.do(ann, SetRoom(ref=2, room="ops", name="works"), settle=False)
    rig.do(bob, AskUnread(ref=3), settle=False)
    rig.settle()
    assert [(each.room, each.unread) for each in bob.last(UnreadList).items] == [("works", 1)]


def test_a_name_that_is_refused_lets_the_page_come(rig: HubRig, ann: FakePeer, bob: FakePeer) -> None:
    def full(when: str) -> None:
        raise DiskFull(when)

    rig.store.fault = full
    rig.do(ann, SetRoom(ref=2, room="ops", name="works"), settle=False)
    rig.do(bob, History(ref=3, room="ops", after=0), settle=False)
    rig.settle()
    assert ann.last(Refused).ref == 2
    assert texts(bob) == ["hello"]


def test_a_room_that_had_another_name_in_between_is_read_again(
    rig: HubRig, ann: FakePeer, bob: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Callable[[], None]] = []
    answers: list[Callable[[], None]] = []
    read = rig.log.history

    def history(query: HistoryQuery, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        asked.append(lambda: read(query, lambda rows: answers.append(lambda: done(rows))))

    monkeypatch.setattr(rig.hub.context.log, "history", history)
    rig.do(bob, History(ref=3, room="ops", after=0))
    ok(rig, ann, SetRoom(ref=2, room="ops", name="works"))
    asked.pop()()
    rig.settle()
    ok(rig, ann, SetRoom(ref=4, room="works", name="ops"))
    answers.pop()()
    rig.settle()
    assert not bob.of(HistoryPage), "what it has is of no room that has this name"
    asked.pop()()
    rig.settle()
    answers.pop()()
    assert texts(bob) == ["hello"]


def test_who_is_in_a_room_that_loses_its_name_reads_nothing_of_the_new_one(rig: HubRig) -> None:
    cyd, guest = person(rig, "cyd", "board"), rig.member("guest")
    ok(rig, cyd, SetRoom(ref=1, room="board", private=True))
    rig.do(cyd, Say(client_id=1, room="board", text="for us alone"))
    rig.do(cyd, SetRoom(ref=2, room="board", name="open"), settle=False)
    rig.do(guest, Join(ref=1, rooms=["open"]), settle=False)
    rig.do(guest, History(ref=2, room="open", after=0), settle=False)
    rig.settle()
    assert guest.of(Left)
    assert all(not page.messages for page in guest.of(HistoryPage))


def test_a_read_marker_goes_to_the_room_under_its_new_name(rig: HubRig, ann: FakePeer, bob: FakePeer) -> None:
    rig.do(ann, SetRoom(ref=2, room="ops", name="works"), settle=False)
    rig.do(bob, Read(rig.fed[-1].seq, room="ops"), settle=False)
    rig.settle()
    rig.do(bob, AskUnread(ref=3))
    assert not bob.last(UnreadList).items


def test_retention_goes_on_under_the_new_name(rig: HubRig, ann: FakePeer) -> None:
    """A batch of it is under way when the room is renamed."""
    ok(rig, ann, SetRoom(ref=2, room="ops", retention_days=1))
    for number in range(1, 6):
        rig.do(ann, Say(client_id=number, room="ops", text="old"))
    rig.now += 2 * DAY_S
    rig.hub.tidy()
    rig.do(ann, SetRoom(ref=3, room="ops", name="works"), settle=False)
    rig.settle()
    assert ann.last(Done).ref == 3
    rig.do(ann, History(ref=4, room="works", after=0))
    assert texts(ann) == []
    assert [(purged.room, purged.through) for purged in ann.of(Purged)] == [("works", rig.fed[-1].seq)]


def test_who_waits_for_a_name_is_told_nothing_by_a_hub_that_is_gone(rig: HubRig, ann: FakePeer) -> None:
    """What a hub has under way when its process ends is thrown away, and with it the renaming."""
    room, told = rig.hub.context.rooms.named("ops"), list[str]()
    assert room is not None

    def rename() -> Iterator[None]:
        with rig.hub._room_settings._reserved_name(room, "works", 1):
            yield

    under_way = rename()
    next(under_way)
    room.when_named(lambda: told.append("named"))
    under_way.close()
    assert told == []
