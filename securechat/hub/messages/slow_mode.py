"""Slow mode: the seconds between two messages of one member in a room.

The time of a member's last message is kept here and not with the member, so that a member who leaves and comes back
has to wait as well.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from securechat.hub.context import HubContext
from securechat.hub.rooms.room import HubRoom
from securechat.model import Draft
from securechat.records.rooms import RoomRecord
from securechat.text.refusals import refusal_for

_MOST_REMEMBERED = 65_536
"""Last messages in rooms with slow mode that are remembered, of members who have left too; some 15 MiB."""


class SlowModeEntry(NamedTuple):
    """The last message of a member in a room.

    Attributes:
        at: monotonic seconds.
        stream: the device that sent it.
        client_id: the highest number of a draft on this device that the log has or will have.
    """

    at: float
    stream: int
    client_id: int


_NEVER = SlowModeEntry(-1e9, 0, 0)


class SlowModeChange(NamedTuple):
    """A message that began a wait, and what was there before: see `SlowMode.not_stored`."""

    key: tuple[int, int]
    last: SlowModeEntry
    before: SlowModeEntry | None


class SlowMode:
    """Remembers the last message of each member in each room with slow mode.

    Args:
        context: the time.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._last: dict[tuple[int, int], SlowModeEntry] = {}  # by sender_id and room_id, the latest last

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

    def note_sent(self, room: HubRoom, draft: Draft) -> SlowModeChange | None:
        """Begin the wait after a message that the log has taken; one that was refused begins none.

        The number of a draft with a key is not noted: by its key it may be a retry, which the log stores without its
        number, and then all lower numbers would pass for retries here.

        Returns:
            What `not_stored` undoes; None for a retry.
        """
        room_record = room.record
        if room_record is None or not room_record.slow_s:
            return None
        key = (draft.sender_id, room_record.room_id)
        before = self._last.get(key, _NEVER)
        client_id = before.client_id if before.stream == draft.stream else 0
        if draft.client_id <= client_id:
            return None
        if key in self._last:
            del self._last[key]
        elif len(self._last) >= _MOST_REMEMBERED:
            del self._last[next(iter(self._last))]
        last = SlowModeEntry(self._context.now, draft.stream, draft.client_id if draft.key is None else client_id)
        self._last[key] = last
        return SlowModeChange(key, last, None if before is _NEVER else before)

    def not_stored(self, noted: SlowModeChange) -> None:
        """End the wait that a message began which was not stored, unless another one has begun since."""
        if self._last.get(noted.key) is not noted.last:
            return
        if noted.before is None:
            del self._last[noted.key]
        else:
            self._last[noted.key] = noted.before
