"""How far each conversation has been read here, and when to tell the server, so that one's other devices know.

At most once a second for each conversation, twice a second in all, and only ever forward. Times are monotonic seconds.
"""

from __future__ import annotations

from securechat.client.state import Key, RoomKey
from securechat.model import Read

TELL_S = 1.0
"""Between two Reads of one conversation: a busy room then costs the server one small frame a second."""
APART_S = 0.5
"""Between any two Reads: well under the server's request_rate of 5 a second, however many rooms are busy."""


class Reading:
    """What was read, and what of it the server knows."""

    def __init__(self) -> None:
        self._read: dict[Key, int] = {}
        self._known: dict[Key, int] = {}
        self._told_at: dict[Key, float] = {}
        self._next_at = 0.0

    def saw(self, key: Key, seq: int) -> None:
        """The user has seen a conversation up to ``seq``."""
        if seq > self._known.get(key, 0):
            self._read[key] = max(seq, self._read.get(key, 0))

    def elsewhere(self, key: Key, seq: int) -> None:
        """Another device has read this far."""
        self._known[key] = max(seq, self._known.get(key, 0))
        if self._read.get(key, 0) <= self._known[key]:
            self._read.pop(key, None)

    def deadline(self) -> float | None:
        """Return when something is due; None when nothing is."""
        return min((self._due_at(key) for key in self._read), default=None)

    def due(self, now: float) -> Read | None:
        """Return what is to be told now, if anything; the longest untold first."""
        key = min(self._read, key=self._due_at, default=None)
        if key is None or now < self._due_at(key):
            return None
        seq = self._known[key] = self._read.pop(key)
        self._told_at[key] = now
        self._next_at = now + APART_S
        return Read(seq, room=key.room) if isinstance(key, RoomKey) else Read(seq, peer=key.person_id)

    def forget(self) -> None:
        """Somebody else from now on: nothing was read."""
        self._read.clear()
        self._known.clear()

    def _due_at(self, key: Key) -> float:
        return max(self._next_at, self._told_at[key] + TELL_S if key in self._told_at else 0.0)
