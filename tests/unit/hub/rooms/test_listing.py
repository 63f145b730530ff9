"""Rooms in the order of their names, kept one change at a time, and a page that costs what is on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from securechat.hub.members import Member
from securechat.hub.rooms.listing import RoomListing
from securechat.hub.rooms.room import HubRoom
from securechat.limits import Limits
from securechat.model import Join, Leave, Register, Rooms, RoomsPage, SetRoom
from securechat.records.rooms import RoomRecord
from tests.support.hub_rig import FakePeer, HubRig

NAMES = st.sampled_from("abcdef")
CHANGES = st.lists(
    st.tuples(NAMES, st.sampled_from(["occupied", "empty", "public", "private", "archived", "without a record"]))
)


def enter(room: HubRoom) -> None:
    room.add(Member(1, b"", "ann", "ann", Limits()))


@given(CHANGES, st.sampled_from(["", *"abcdef"]), st.sets(NAMES), st.integers(1, 7))
def test_a_page_is_what_sorting_everything_would_give(
    changes: list[tuple[str, str]], after: str, mine: set[str], most: int
) -> None:
    rooms: dict[str, HubRoom] = {}
    listing = RoomListing(rooms)
    for name, what in changes:
        room = rooms.setdefault(name, HubRoom(name))
        if what == "occupied":
            enter(room)
        elif what == "empty":
            room.members.clear()
        elif what == "without a record":
            room.record = None
        else:
            room.record = RoomRecord(1, name, private=what == "private", archived=what == "archived")
        listing.update(name)
    records = {name: room.record for name, room in rooms.items() if room.record is not None}
    open_ones = {name for name, record in records.items() if not (record.private or record.archived)}
    simply = {name for name, room in rooms.items() if room.members and name not in records} | open_ones | mine
    assert listing.page(after, mine, most) == sorted(name for name in simply if name > after)[:most]


def test_a_page_of_very_many_rooms_looks_at_its_own_only() -> None:
    looked_at = 0

    class Watched(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            nonlocal looked_at
            looked_at += 1
            return super().get(key, default)

        def __iter__(self) -> Iterator[str]:
            raise AssertionError("looked at every room")

    rooms = Watched()
    listing = RoomListing(rooms)
    for number in range(10_000):
        room = rooms[f"room{number:05}"] = HubRoom(f"room{number:05}")
        enter(room)
        listing.update(room.name)
    looked_at = 0
    assert listing.page("room05000", ["room00001", "z"], 3) == ["room05001", "room05002", "room05003"]
    assert looked_at <= 2


def listed(rig: HubRig, peer: FakePeer) -> list[str]:
    rig.do(peer, Rooms(9))
    return [room.room for room in peer.last(RoomsPage).rooms]


def test_the_hub_keeps_it_right() -> None:
    """Every way in which a room comes, changes its name, is hidden, or goes."""
    rig = HubRig(Limits(quiet_return_s=1))
    ann, guest, bob = rig.member("ann"), rig.member("guest"), rig.member("bob")
    rig.do(ann, Register(1, "correct horse"))
    rig.do(guest, Join(2, ["b", "a"]))
    rig.do(ann, Join(3, ["c", "d"]))
    assert listed(rig, bob) == ["a", "b", "c", "d", "lobby"]
    rig.do(guest, Leave(3, "a"))
    rig.do(ann, SetRoom(4, "c", name="e"))
    assert listed(rig, bob) == ["b", "d", "e", "lobby"]
    rig.do(ann, SetRoom(5, "d", private=True))
    assert listed(rig, bob) == ["b", "e", "lobby"]
    assert listed(rig, ann) == ["b", "d", "e", "lobby"]
    rig.do(ann, SetRoom(6, "d", private=False))
    rig.do(ann, SetRoom(7, "e", archived=True))
    rig.lose(guest)
    rig.pass_time(5)
    assert listed(rig, bob) == ["d", "lobby"]
    again = HubRig(store=rig.store)
    assert listed(again, again.member("new", secret="f" * 32)) == ["d", "lobby"]
