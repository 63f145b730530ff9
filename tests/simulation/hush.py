"""Words that are nobody else's business: names of private rooms, and dialogues. Whoever reads one must be meant to.

Private rooms get names that nobody can guess (`hush123`), and what is said in them carries that name; what is said to
one person carries both numbers (`psst3-7`). So a leak shows in the bytes of whatever reaches somebody, in a refusal,
a list or a page, and no check needs to know of every way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from securechat.testing.log_checks import HistoryBroken

if TYPE_CHECKING:
    from securechat.records.rooms import RoomRecord

_SECRET = re.compile(rb"hush\d{4}|psst\d+-\d+;")
_LONGEST_BYTES = 40
_HUSH = "hush"


class Hush:
    """Who knows which name."""

    def __init__(self) -> None:
        self._knowers: dict[str, set[int]] = {}
        self._names: dict[int, set[str]] = {}  # that a room ever had
        self._public: set[str] = set()

    def made_up(self, number: int, ids: Iterable[int]) -> str:
        """Return a name that only these know, who think of it now."""
        name = f"{_HUSH}{number:04}"
        self._knowers.setdefault(name, set()).update(ids)
        return name

    def guessed(self, name: str, ids: Iterable[int]) -> None:
        """Somebody thinks of a name by chance: what they are told of the room is another matter."""
        if name in self._knowers:
            self._knowers[name].update(ids)

    def opened(self, name: str) -> None:
        """A room without a record is made under this name, which a private room had: it is listed to all."""
        if name.startswith(_HUSH):
            self._public.add(name)

    def learned(self, place: RoomRecord, people: Iterable[int]) -> None:
        """These people belong to a room, or are invited: they may know what it is called, and read what it was."""
        for name in self._names.get(place.room_id, ()):
            self._knowers.setdefault(name, set()).update(people)

    def named(self, place: RoomRecord, people: Iterable[int]) -> None:
        """A room has these rules now, and these people belong to it, are invited, or administrate everything."""
        if place.name.startswith(_HUSH):
            self._names.setdefault(place.room_id, set()).add(place.name)
        self.learned(place, people)
        if not place.private:  # everybody may read all that was ever said there
            self._public |= self._names.get(place.room_id, set())

    def may_know(self, name: str, ids: set[int]) -> bool:
        """Whether somebody who was these senders may know a name."""
        return name in self._public or bool(self._knowers.get(name, set()) & ids)

    def check(self, who: str, ids: set[int], data: bytes) -> None:
        """Somebody reads these bytes.

        Raises:
            HistoryBroken: there is something in them that they may not know.
        """
        for found in _SECRET.findall(data):
            word = found.decode()
            if word.startswith(_HUSH):
                if not self.may_know(word, ids):
                    where = data.find(found)
                    context = data[max(0, where - 100) : where + 60]
                    raise HistoryBroken(f"{who} reads of #{word}, which is a private room of others: {context!r}")
            elif not ids & {int(number) for number in word[4:-1].split("-")}:
                raise HistoryBroken(f"{who} reads what others whisper: {word}")


class Listener:
    """What one connection reads, across the pieces in which it comes."""

    def __init__(self, hush: Hush, who: str) -> None:
        self._echo_control = hush
        self._who = who
        self._tail = b""

    def heard(self, data: bytes, ids: set[int]) -> None:
        """Raises HistoryBroken, as `EchoControl.check`."""
        whole = self._tail + data
        if b"hush" in whole or b"psst" in whole:
            self._echo_control.check(self._who, ids, whole)
        self._tail = whole[-_LONGEST_BYTES:]
