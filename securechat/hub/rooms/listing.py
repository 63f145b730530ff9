"""The rooms that every member may be told of, in the order of their names: a page of `Rooms` is cut from it.

With 10,000 rooms, sorting them for each page held the loop for 10 ms. So the names are kept in order and changed one at
a time; a page costs what is on it. Rooms that only some members may know of are added by the caller.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from heapq import merge
from itertools import islice

from securechat.hub.rooms.room import HubRoom


class RoomListing:
    """Names of rooms that are occupied without a record, or have one and are neither private nor archived.

    Args:
        rooms: every room known to the hub, by name.
    """

    def __init__(self, rooms: Mapping[str, HubRoom]) -> None:
        self._rooms = rooms
        self._names: list[str] = []

    def update(self, name: str) -> None:
        """A room of this name has come, has changed, or is gone."""
        at = bisect_left(self._names, name)
        is_there = at < len(self._names) and self._names[at] == name
        if self.holds(name) and not is_there:
            insort(self._names, name)
        elif is_there and not self.holds(name):
            del self._names[at]

    def holds(self, name: str) -> bool:
        """Tell whether every member may be told of a room."""
        room = self._rooms.get(name)
        if room is None:
            return False
        return bool(room.members) if room.record is None else not (room.record.private or room.record.archived)

    def page(self, after: str, further: Iterable[str], most: int) -> list[str]:
        """Return the first names behind another one.

        Args:
            after: the last name of the page before; empty for the first page.
            further: names that the asking member may be told of, too; listed names among them are not told twice.
            most: names at most.
        """
        more = sorted({name for name in further if name > after and not self.holds(name)})
        begun = bisect_right(self._names, after)
        return list(islice(merge(islice(self._names, begun, begun + most), more), most))
