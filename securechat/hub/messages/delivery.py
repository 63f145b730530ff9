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
from securechat.hub.rooms.room import HubRoom
from securechat.model import LogEntry


class Delivery:
    """Fans committed batches out to rooms and dialogues.

    Args:
        context: members, and the rooms they are in.
        visibility: the readers of a change, in rooms with ``history_from_join``.
    """

    def __init__(self, context: HubContext, visibility: MessageVisibility) -> None:
        self._broadcaster = context.broadcaster
        self._members = context.members
        self._rooms = context.rooms
        self._visibility = visibility
        self._former_names: dict[str, HubRoom] = {}

    def fan_out(self, batch: Sequence[LogEntry]) -> None:
        """Broadcast each entry to every member of its room, the sender included, or to both sides of its dialogue.

        Args:
            batch: the fresh entries of one batch of the log. An empty batch counts too: old names of rooms end with it.
        """
        for name, run in groupby(batch, key=_room_of):
            if name is None:
                for entry in run:
                    self._broadcaster.broadcast(self._dialogue_audience(entry), [entry])
            elif (room := self._former_names.get(name) or self._rooms.named(name)) is not None and room.members:
                entries = list(run)
                if room.name != name:
                    entries = [replace(entry, room=room.name) for entry in entries]
                self._broadcast_in_room(room, entries)
        self._former_names.clear()

    def room_renamed(self, room: HubRoom, old: str) -> None:
        """Note the former name of a room: messages of the same batch that have it are delivered after this."""
        self._former_names[old] = room

    def _broadcast_in_room(self, room: HubRoom, run: list[LogEntry]) -> None:
        if room.record is None or not room.record.history_from_join:
            self._broadcaster.broadcast(room.audience(), run)
            return
        for entry in run:  # an edit would show a message from before a member joined
            self._broadcaster.broadcast(self._visibility.readers(room, entry), [entry])

    def _dialogue_audience(self, entry: LogEntry) -> list[Peer]:
        sides = (self._members.get(entry.sender_id), self._members.get(entry.to or 0))
        return [peer for member in sides if member is not None for peer in member.hearers(None)]


def _room_of(entry: LogEntry) -> str | None:
    return entry.room
