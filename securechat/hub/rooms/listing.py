"""The rooms that anybody may be told of, in the order of their names: what a page of `Rooms` is cut from.

With 10,000 rooms, sorting them for each page held the loop for 10 ms. So the names are kept in order and changed one at
a time; a page costs what is on it. Rooms that only some may know of are added by whoever asks for a page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Mapping
from heapq import merge
from itertools import islice

from securechat.records.rooms import RoomRecord


class RoomListing:
    """Names of rooms that are occupied without a record, or have one and are neither private nor archived.

    Args:
        occupied: the rooms that somebody is in, by name.
        room_records: the rooms with a record, by name.
    """

    def __init__(self, occupied: Collection[str], room_records: Mapping[str, RoomRecord]) -> None:
        self._occupied = occupied
        self._room_records = room_records
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
        """Tell whether anybody may be told of a room."""
        room_record = self._room_records.get(name)
        return name in self._occupied if room_record is None else not (room_record.private or room_record.archived)

    def page(self, after: str, further: Iterable[str], most: int) -> list[str]:
        """Return the first names behind another one.

        Args:
            after: where the page before has ended; empty for the first.
            further: names that whoever asks may be told of, too; those that are listed anyway are not told twice.
            most: names at most.
        """
        more = sorted({name for name in further if name > after and not self.holds(name)})
        begun = bisect_right(self._names, after)
        return list(islice(merge(islice(self._names, begun, begun + most), more), most))
