"""Tells members which messages were purged: those who are here at once, the others when they come back.

A purge leaves no entry in the log, so it has no seq and no place in a page. It is told as one event with a bound,
however many messages it concerns: for retention per room, and for a deleted account per sender. A client that was away
learns the bound of a room from `Joined`, and of senders from the events behind its `Joined`s and before its pages of
history; only the latest KEPT_REMOVALS senders are remembered. All of it may be told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from securechat.hub.context import HubContext
from securechat.hub.rooms.room import HubRoom
from securechat.model import History, Purged
from securechat.records.accounts import KEPT_REMOVALS


class PurgeDelivery:
    """Tells of purges that are durable.

    Args:
        context: members, rooms and removed senders.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._broadcaster = context.broadcaster
        self._connections = context.connections
        self._removed = context.accounts.removed
        self._rooms = context.rooms

    def room_purged(self, room: HubRoom, through: int) -> None:
        """Retention has deleted every message of a room up to a seq: its members are told."""
        self._rooms.note_purged(room, through)
        if room.members:
            self._broadcaster.broadcast(room.audience(), [Purged(through, room=room.name)])

    def sender_removed(self, sender_id: int, through: int) -> None:
        """Every message of a sender is deleted. All are told, because it may have written to any of them."""
        self._removed.pop(sender_id, None)
        self._removed[sender_id] = through
        if len(self._removed) > KEPT_REMOVALS:
            del self._removed[next(iter(self._removed))]
        if self._connections:
            self._broadcaster.broadcast(list(self._connections), [Purged(through, sender_id=sender_id)])

    def since_the_last_entry(self) -> list[Purged]:
        """Return the senders removed since the log's last entry: a client that has that one asks for no page."""
        newest_first = reversed(self._removed.items())
        latest = takewhile(lambda row: row[1] >= self._context.fed_seq, newest_first)
        return [Purged(through, sender_id=sender_id) for sender_id, through in latest]

    def missed(self, command: History, through: int) -> Sequence[Purged]:
        """Return the senders that were removed in the span of a page; none where it is not of a client that comes back.

        Args:
            command: the question that the page answers.
            through: the end of the page.
        """
        if command.after is None or command.room is not None or command.peer is not None:
            return ()
        span = range(command.after, through + 1)
        return [Purged(seq, sender_id=sender_id) for sender_id, seq in self._removed.items() if seq in span]
