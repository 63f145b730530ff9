"""What the log has committed, on its way to everybody who may hear it.

A batch is broadcast in runs of entries for the same audience, in the order of seq, never regrouped across rooms: a
client's one cursor is only right if what it gets is in order over all its rooms.
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
    """Fans out.

    Args:
        context: who is here, and in which room.
        visibility: who may read what, in rooms with ``history_from_join``.
    """

    def __init__(self, context: HubContext, visibility: MessageVisibility) -> None:
        self._broadcaster = context.broadcaster
        self._members = context.members
        self._rooms = context.rooms
        self._visibility = visibility
        self._former_names: dict[str, HubRoom] = {}

    def fan_out(self, batch: Sequence[LogEntry]) -> None:
        """Tell every member of the room, the sender included, or both sides of the dialogue.

        Args:
            batch: all that is new in one batch of the log, also when that is nothing: old names of rooms end with it.
        """
        for name, run in groupby(batch, key=_room_of):
            if name is None:
                for entry in run:
                    self._broadcaster.broadcast(self._dialogue_audience(entry), [entry])
            elif (room := self._former_names.get(name) or self._rooms.named(name)) is not None and room.members:
                entries = list(run)
                if room.name != name:
                    entries = [replace(entry, room=room.name) for entry in entries]
                self._broadcast_to_room(room, entries)
        self._former_names.clear()

    def room_renamed(self, room: HubRoom, old: str) -> None:
        """A room has another name: what was said under the old one in the same batch comes after this."""
        self._former_names[old] = room

    def _broadcast_to_room(self, room: HubRoom, run: list[LogEntry]) -> None:
        if room.record is None or not room.record.history_from_join:
            self._broadcaster.broadcast(room.audience(), run)
            return
        for entry in run:  # an edit would show what was said before a member joined
            self._broadcaster.broadcast(self._visibility.readers(room, entry), [entry])

    def _dialogue_audience(self, entry: LogEntry) -> list[Peer]:
        sides = (self._members.get(entry.sender_id), self._members.get(entry.to or 0))
        return [peer for member in sides if member is not None for peer in member.peers]


def _room_of(entry: LogEntry) -> str | None:
    return entry.room
