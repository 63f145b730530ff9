"""Delivers committed entries to every member who may read them.

A batch is broadcast in runs of entries for the same audience, in the order of seq, never regrouped across rooms: a
client has one cursor for all its rooms, which is right only if entries arrive in order over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from msgspec.structs import replace

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.messages.visibility import MessageVisibility
from securechat.hub.rooms.active_room import ActiveRoom
from securechat.model import LogEntry


class Delivery:
    """Fans committed batches out to rooms and dialogues.

    Args:
        context: members, and the rooms they are in.
        visibility: the readers of a change, in rooms with ``history_from_join``.
    """

    def __init__(self, context: HubContext, visibility: MessageVisibility) -> None:
        self._broadcaster = context.broadcaster
        self._presence = context.presence
        self._members = context.members
        self._room_directory = context.rooms
        self._visibility = visibility
        self._new_names: dict[str, str] = {}

    def fan_out(self, batch: Sequence[LogEntry]) -> None:
        """Broadcast each entry to every member of its room, the sender included, or to both sides of its dialogue.

        Args:
            batch: the fresh entries of one batch of the log. An empty batch counts too: old names of rooms end with it.
        """
        if self._new_names:
            batch = [replace(entry, room=self._new_names.get(entry.room or "", entry.room)) for entry in batch]
        for room_name, run in groupby(batch, key=_room_of):
            if room_name is None:
                for entry in run:
                    self._broadcaster.broadcast(self._dialogue_audience(entry), [entry])
            elif (room := self._presence.rooms.get(room_name)) is not None:
                self._broadcast_in_room(room, list(run))
        self._new_names.clear()

    def room_renamed(self, old: str, new: str) -> None:
        """Note the new name of a room: messages of the same batch that have the old name are delivered after this."""
        self._new_names[old] = new
        self._presence.rename_room(old, new)

    def _broadcast_in_room(self, room: ActiveRoom, run: list[LogEntry]) -> None:
        room_record = self._room_directory.room_records.get(room.name)
        if room_record is None or not room_record.history_from_join:
            self._broadcaster.broadcast(room.audience(), run)
            return
        for entry in run:  # an edit would show a message from before a member joined
            self._broadcaster.broadcast(self._visibility.readers(room, entry), [entry])

    def _dialogue_audience(self, entry: LogEntry) -> list[Peer]:
        sides = (self._members.get(entry.sender_id), self._members.get(entry.to or 0))
        return [peer for member in sides if member is not None for peer in member.peers]


def _room_of(entry: LogEntry) -> str | None:
    return entry.room
