"""A room: who is in it, who hears it, and which comings and goings still wait to be told.

Presence is gathered: what happens within presence_interval_s is told in one event, as what became of each person in
the end. Those lists are set changes, not a story: whoever was greeted in between knows a part of it already, and
somebody who came and went may be named as gone to people who never saw them come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.hub.messages.paging import presence
from securechat.limits import Limits
from securechat.model import Person, Presence, Renaming

if TYPE_CHECKING:
    from securechat.hub.interfaces import Peer
    from securechat.hub.members import Member


class ActiveRoom:
    """One occupied room.

    Args:
        name: as stored, without ``#``.

    Attributes:
        opened_from: the address whose share it counts against while it is occupied; None for none.
    """

    __slots__ = ("_audience", "_joined", "_left", "_people", "_renamed", "members", "name", "opened_from")

    def __init__(self, name: str) -> None:
        self.name = name
        self.opened_from: str | None = None
        self.members: dict[int, Member] = {}
        self._audience: tuple[Peer, ...] | None = None
        self._people: list[Person] | None = None
        self._joined: dict[int, Person] = {}
        self._left: dict[int, Person] = {}
        self._renamed: dict[int, Renaming] = {}

    def audience(self) -> tuple[Peer, ...]:
        """Every connection of every member; made once between changes, because every message needs it."""
        if self._audience is None:
            self._audience = tuple(peer for member in self.members.values() for peer in member.peers)
        return self._audience

    def people(self) -> list[Person]:
        """Everybody here, for a greeting; made once between changes. Not to be changed by the caller."""
        if self._people is None:
            self._people = [member.person for member in self.members.values()]
        return self._people

    def audience_changed(self) -> None:
        """Forget the cached audience: a member or one of its connections came or went."""
        self._audience = None

    def add(self, member: Member) -> None:
        """Let a member in and note it for the next presence."""
        self.members[member.sender_id] = member
        self._audience = self._people = None
        self._left.pop(member.sender_id, None)
        self._joined[member.sender_id] = member.person

    def remove(self, member: Member) -> None:
        """Let a member out, at once; the others are told by `note_left`, after its last message."""
        del self.members[member.sender_id]
        self._audience = self._people = None

    def note_left(self, person: Person) -> None:
        """Note a departure for the next presence, unless the person is back by now."""
        if person.id not in self.members:
            self._joined.pop(person.id, None)
            self._renamed.pop(person.id, None)
            self._left[person.id] = person

    def note_renamed(self, member: Member, old: str) -> None:
        """Note a new name for the next presence; also of one who has just come, for those who came in between."""
        self._people = None
        first = self._renamed.get(member.sender_id)
        self._renamed[member.sender_id] = Renaming(member.sender_id, first.old if first else old, member.name)

    def take_presence(self, limits: Limits) -> Presence | None:
        """Return what happened since the last call as one event, or None if it cancelled out.

        In a room of more than presence_names members, or when as many came and went at once, only the count is told.
        """
        joined, left, renamed = self._joined, self._left, self._renamed
        if not (joined or left or renamed):
            return None
        self._joined, self._left, self._renamed = {}, {}, {}
        changes = (joined.values(), left.values(), renamed.values())
        return presence(self.name, len(self.members), changes, limits.presence_names, self.audience())
