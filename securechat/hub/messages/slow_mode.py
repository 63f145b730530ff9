"""Slow mode: the seconds between two messages of one member in a room.

The time of a member's last message is kept here and not with the member, so that a member who leaves and comes back
has to wait as well.
"""

from __future__ import annotations

import math

from securechat.hub.context import HubContext
from securechat.hub.rooms.room import HubRoom
from securechat.model import Draft
from securechat.records.rooms import RoomRecord
from securechat.text.refusals import refusal_for

_NEVER = (-1e9, 0, 0)
_MOST_REMEMBERED = 65_536
"""Last messages in rooms with slow mode that are remembered, of members who have left too; some 15 MiB."""


class SlowMode:
    """Remembers the last message of each member in each room with slow mode.

    Args:
        context: the time.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        # by sender_id and room_id, the latest last: monotonic seconds, stream and client_id of the last message
        self._last: dict[tuple[int, int], tuple[float, int, int]] = {}

    def require_waited(self, room_record: RoomRecord, sender_id: int, stream: int, client_id: int) -> None:
        """Require that slow mode lets a member send a message now; a retry of the last one always passes.

        Args:
            room_record: a room with slow mode.
            sender_id: the member.
            stream: its device.
            client_id: the number of the draft on this device.

        Raises:
            Refusal: SLOW_MODE, with retry_after_s.
        """
        at, last_stream, last_client_id = self._last.get((sender_id, room_record.room_id), _NEVER)
        left_s = at + room_record.slow_s - self._context.now
        if left_s <= 0 or (stream == last_stream and client_id <= last_client_id):
            return
        raise refusal_for("slow_mode", retry_after_s=round(left_s, 1), room=room_record.name, left=math.ceil(left_s))

    def note_sent(self, room: HubRoom, draft: Draft) -> None:
        """Begin the wait after a message that the log has taken; one that was refused begins none."""
        room_record = room.record
        if room_record is None or not room_record.slow_s:
            return
        key = (draft.sender_id, room_record.room_id)
        _, stream, client_id = self._last.get(key, _NEVER)
        if stream == draft.stream and draft.client_id <= client_id:
            return  # a retry
        self._last.pop(key, None)
        if len(self._last) >= _MOST_REMEMBERED:
            del self._last[next(iter(self._last))]
        self._last[key] = (self._context.now, draft.stream, draft.client_id)
