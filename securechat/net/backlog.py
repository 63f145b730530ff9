"""What all peers with a backlog keep in memory together, and who goes when it is too much.

Only a transport whose socket refused bytes is entered here: the thousand whose outbox empties in every pass cost
nothing. Over the limit the biggest goes first (limits.outboxes_total_bytes): it frees the most and is the furthest
behind, and the log has all it missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securechat.net.transport import Transport


class Backlogs:
    """The sizes of all backlogs of one loop.

    Args:
        limit_bytes: what they may hold together.
    """

    __slots__ = ("_limit_bytes", "_sizes", "total_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._sizes: dict[Transport, int] = {}
        self.total_bytes = 0

    def __len__(self) -> int:
        """How many transports have a backlog."""
        return len(self._sizes)

    def enter(self, transport: Transport, size_bytes: int) -> None:
        """Set what ``transport`` holds."""
        self.total_bytes += size_bytes - self._sizes.get(transport, 0)
        self._sizes[transport] = size_bytes

    def leave(self, transport: Transport) -> None:
        """Forget ``transport``; harmless when it is not entered."""
        self.total_bytes -= self._sizes.pop(transport, 0)

    def victims(self) -> list[Transport]:
        """The biggest ones whose going brings the total under the limit. Those already on their way out count."""
        if self.total_bytes <= self._limit_bytes:
            return []
        chosen: list[Transport] = []
        excess_bytes = self.total_bytes - self._limit_bytes
        for transport in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if excess_bytes <= 0:
                break
            excess_bytes -= self._sizes[transport]
            chosen.append(transport)
        return chosen
