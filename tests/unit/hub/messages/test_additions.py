"""What was added to securechat/1 for clients in other languages: each addition as its document says it."""

from __future__ import annotations

import pytest

from securechat.limits import Limits
from securechat.model import (
    FEATURES,
    WELCOME_LIMITS,
    AskPeople,
    AskRoom,
    Delete,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Moderate,
    PeopleList,
    Person,
    Refused,
    Register,
    Registered,
    RoomRules,
    Say,
    SetRoom,
    Welcome,
)
from tests.support.hub_rig import FakePeer, HubRig


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def account(rig: HubRig, name: str, *rooms: str) -> FakePeer:
    peer = rig.member(name)
    rig.do(peer, Register(1, "eight-chars-or-more"))
    if rooms:
        rig.do(peer, Join(2, list(rooms)))
    return peer


def test_welcome_says_how_many_rooms_follow(rig: HubRig) -> None:
    ana = account(rig, "ana", "ops", "den")
    assert ana.of(Welcome)[0].rooms == 1
    rig.lose(ana)
    back = rig.peer()
    rig.do(back, Hello(1, "ana", "c" * 32, token=ana.last(Registered).token))
    told = back.events[back.events.index(back.last(Welcome)) + 1 :][: back.last(Welcome).rooms]
    assert [type(event) for event in told] == [Joined] * 3
    assert {event.room for event in told} == {"lobby", "ops", "den"}  # type: ignore[attr-defined]
    assert all(event.ref == 0 for event in told)  # type: ignore[attr-defined]


def test_welcome_tells_the_numbers_that_hold_here() -> None:
    """Every key is the name of a limit; rates that are off are left out, and the request rate is never off."""
    rated = HubRig(Limits(request_rate=7.5), rates=True).member("ana").last(Welcome)
    assert set(rated.limits) == set(WELCOME_LIMITS) - {"file_bytes", "guest_file_hours"}
    assert rated.limits["request_rate"] == 7.5
    assert rated.features == FEATURES
    free = HubRig().member("ana").last(Welcome)
    assert set(WELCOME_LIMITS) - set(free.limits) == {
        "message_burst", "message_rate", "byte_burst", "byte_rate", "file_bytes", "guest_file_hours",
    }  # fmt: skip


def test_a_room_keeps_its_number_under_another_name(rig: HubRig) -> None:
    ana, budi = account(rig, "ana", "ops"), rig.member("budi")
    number = ana.last(Joined).room_id
    assert number == rig.record("ops").room_id  # type: ignore[union-attr]
    rig.do(budi, Join(1, ["guests"]))
    assert budi.last(Joined).room_id == 0
    rig.do(ana, SetRoom(3, "ops", name="den"))
    assert (ana.last(RoomRules).was, ana.last(RoomRules).room_id) == ("ops", number)
    rig.do(ana, AskRoom(4, "den"))
    assert (ana.last(RoomRules).ref, ana.last(RoomRules).room_id) == (4, number)
    rig.do(budi, Join(5, ["den"]))
    assert budi.last(Joined).room_id == number


def test_people_are_named_by_number(rig: HubRig) -> None:
    """Present members, guests too, and absent accounts; not who is unknown, nor a guest who is gone."""
    ana, budi, gone = account(rig, "ana"), rig.member("budi"), account(rig, "carl")
    ids = [peer.of(Welcome)[0].sender_id for peer in (gone, budi, ana)]
    rig.lose(gone)
    rig.do(ana, AskPeople(7, [*ids, ids[0], 999]))
    people = [Person(ids[0], "carl"), Person(ids[1], "budi"), Person(ids[2], "ana")]
    assert ana.last(PeopleList) == PeopleList(7, people)


def test_a_page_around_says_what_lies_on_either_side(rig: HubRig) -> None:
    ana = rig.member("ana")
    for number in range(1, 8):
        rig.do(ana, Say(number, "lobby", str(number)))
    seqs = [message.seq for message in ana.messages]

    def page(**fields: int) -> HistoryPage:
        rig.do(ana, History(9, "lobby", **fields))  # type: ignore[arg-type]
        return ana.last(HistoryPage)

    middle = page(around=seqs[3], limit=2)
    assert (middle.more_before, middle.more_after, middle.more) == (True, True, True)
    assert (page(around=seqs[0]).more_before, page(around=seqs[0]).more_after) == (False, False)
    assert (page(around=seqs[6], limit=2).more_before, page(around=seqs[6]).more_after) == (True, False)
    assert (page(at=0).more_before, page(at=2**50).more_before) == (False, True)
    assert not page(after=seqs[2], limit=1).more_after, "only around and at"
    rig.do(ana, Delete(8, seqs[0], room="lobby"))
    assert not page(around=seqs[0]).more_before


def test_what_lasts_for_a_time_says_for_how_long(rig: HubRig) -> None:
    """Looked through: all refusals with ``left`` in their sentence; those of logins and slow mode said it before."""
    ana, budi = account(rig, "ana", "ops"), account(rig, "budi", "ops")
    person = budi.of(Welcome)[0].sender_id
    rig.do(ana, Moderate(3, "ops", person, "mute", seconds=60))
    rig.do(budi, Say(1, "ops", "may I"))
    assert budi.last(Refused).retry_after_s == 60
    rig.do(ana, Moderate(4, "ops", person, "ban", seconds=90))
    rig.do(budi, Join(5, ["ops"]))
    assert budi.last(Refused).retry_after_s == 90
