"""The part of the log that a member may read.

A member reads the rooms that it is in, in rooms with ``history_from_join`` from its joining on, and its own dialogues.
Every query of the log and every delivery of a change asks here, so that no other module holds a copy of the rule.
"""

from __future__ import annotations

from typing import NamedTuple

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.active_room import ActiveRoom
from securechat.model import LogEntry, Message
from securechat.text.names import check_room
from securechat.text.refusals import refusal_for


class ReadScope(NamedTuple):
    """The conversations a query may read, in the terms of `securechat.records.queries`.

    Attributes:
        rooms: names of rooms.
        floors: for some of these rooms the seq up to which nothing is shown.
        dialogue: both sides of the one dialogue to read; None for none.
        dialogues_of: the sender_id all of whose dialogues are read; None for none.
    """

    rooms: tuple[str, ...]
    floors: tuple[tuple[str, int], ...]
    dialogue: tuple[int, int] | None
    dialogues_of: int | None


class MessageVisibility:
    """Decides which messages a member may read.

    Args:
        context: rooms with a record, and who belongs to them.
    """

    def __init__(self, context: HubContext) -> None:
        self._room_directory = context.rooms

    def scope(self, member: Member, raw_room: str | None, person: int | None) -> ReadScope:
        """Return all that a member may read, or the part of it that a room or a person names.

        Args:
            member: the reader.
            raw_room: a room as typed; None for all.
            person: the other side of a dialogue, by sender_id; None for all.

        Raises:
            Refusal: NOT_A_MEMBER of that room, or ROOM_INVALID.
        """
        if raw_room is not None:
            name = member.room_meant(check_room(raw_room))
            self.require_in_room(member, name)
            return ReadScope((name,), self.floors(member, (name,)), None, None)
        if person is not None:
            return ReadScope((), (), (member.sender_id, person), None)
        rooms = tuple(member.rooms)
        return ReadScope(rooms, self.floors(member, rooms), None, member.sender_id)

    def require_in_room(self, member: Member, name: str) -> None:
        """Require that a member is in a room.

        Raises:
            Refusal: NOT_A_MEMBER.
        """
        if name not in member.rooms:
            raise refusal_for("not_in_room", room=name)

    def floors(self, member: Member, rooms: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
        """Return, for those of the rooms that hide older history, the seq up to which the member reads nothing."""
        floors = []
        for name in rooms:
            record = self._room_directory.room_records.get(name)
            if record is not None and record.history_from_join:
                membership = self._room_directory.membership(name, member.sender_id)
                entered_seq = member.entered_seq.get(name, 0)
                floors.append((name, entered_seq if membership is None else membership.joined_seq))
        return tuple(floors)

    def readers(self, room: ActiveRoom, entry: LogEntry) -> list[Peer]:
        """Return the connections that may get an entry of a room with ``history_from_join``.

        A new message goes to every member. A change goes to the members who may read the message it changes.
        """
        if isinstance(entry, Message):
            return list(room.audience())
        readers = [
            member
            for member in room.members.values()
            if all(floor_seq < entry.target for _, floor_seq in self.floors(member, (room.name,)))
        ]
        return [peer for member in readers for peer in member.peers]
