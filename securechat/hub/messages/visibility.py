"""The part of the log that a member may read.

A member reads the rooms that it is in, in rooms with ``history_from_join`` from its joining on, and its own dialogues.
Every query of the log and every delivery of a change asks here, so that no other module holds a copy of the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.programs.hearing import covers
from securechat.hub.rooms.room import HubRoom, RoomMember
from securechat.model import LogEntry, Message
from securechat.records.accounts import ApiToken


class ReadScope(NamedTuple):
    """The conversations a query may read.

    Attributes:
        rooms: these rooms.
        floors: for some of them, by name, the seq up to which nothing is shown.
        dialogue: both sides of the one dialogue to read; None for none.
        dialogues_of: the sender_id all of whose dialogues are read; None for none.
    """

    rooms: tuple[HubRoom, ...]
    floors: tuple[tuple[str, int], ...]
    dialogue: tuple[int, int] | None
    dialogues_of: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """The present names of the rooms, by which the log finds them."""
        return tuple(room.name for room in self.rooms)


class MessageVisibility:
    """Decides which messages a member may read.

    Args:
        context: rooms with a record, and who belongs to them.
    """

    def __init__(self, context: HubContext) -> None:
        self._rooms = context.rooms

    def scope(
        self, member: Member, raw_room: str | None, person: int | None, token: ApiToken | None = None
    ) -> ReadScope:
        """Return all that a member may read, or the part of it that a room or a person names.

        Args:
            member: the reader.
            raw_room: a room as typed; None for all.
            person: the other side of a dialogue, by sender_id; None for all.
            token: what the reader came by; one for some rooms reads "all" of those, and no dialogue.

        Raises:
            Refusal: NOT_A_MEMBER of that room, or ROOM_INVALID.
        """
        if raw_room is not None:
            return self.scope_of_rooms(member, (self._rooms.entered(member, raw_room),))
        if person is not None:
            return ReadScope((), (), (member.sender_id, person), None)
        rooms = tuple(member.rooms)
        if token is not None and token.rooms:
            return self.scope_of_rooms(member, tuple(room for room in rooms if covers(token, room)))
        return ReadScope(rooms, self.floors(member, rooms), None, member.sender_id)

    def scope_of_rooms(self, member: Member, rooms: tuple[HubRoom, ...]) -> ReadScope:
        """Return what a member may read in some of the rooms that it is in."""
        return ReadScope(rooms, self.floors(member, rooms), None, None)

    def floors(self, member: RoomMember, rooms: Sequence[HubRoom]) -> tuple[tuple[str, int], ...]:
        """Return, for those of the rooms that hide older history, the seq up to which the member reads nothing."""
        floors = []
        for room in rooms:
            if room.record is not None and room.record.history_from_join:
                membership = room.memberships.get(member.sender_id)
                floors.append((room.name, member.rooms[room] if membership is None else membership.joined_seq))
        return tuple(floors)

    def readers(self, room: HubRoom, entry: LogEntry) -> list[Peer]:
        """Return the connections that may get an entry of a room with ``history_from_join``.

        A new message goes to every member. A change goes to the members who may read the message it changes.
        """
        if isinstance(entry, Message):
            return list(room.audience())
        readers = [
            member
            for member in room.members.values()
            if all(floor_seq < entry.target for _, floor_seq in self.floors(member, (room,)))
        ]
        return [peer for member in readers for peer in member.hearers(room)]
