"""Tracks the backlogs of slow peers, and decides when they are too large.

A backlog begins when the socket refuses bytes and ends when the outbox is empty: a transport whose outbox empties in
every pass has none, and costs nothing here. One backlog is too large over the hard limit, or over the soft one for
limits.outbox_soft_s without a break.

All backlogs together are limited by limits.outboxes_total_bytes: over it the largest goes first, which frees the most
and is the furthest behind; the log still has everything it missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securechat.limits import Limits
    from securechat.net.interfaces import LoopConnection
    from securechat.net.timers import Timer


class SendBacklog:
    """The backlog of one transport.

    Args:
        backlogs: counts this one.
        limits: the soft and the hard limit.
        call_later: the loop's.
        transport: the transport it belongs to.
        try_again: queues the transport for the next flush step.
    """

    __slots__ = ("_backlogs", "_call_later", "_limits", "_soft_timer", "_transport", "_try_again")

    def __init__(
        self,
        backlogs: SendBacklogs,
        limits: Limits,
        call_later: Callable[[float, Callable[[], None]], Timer],
        transport: LoopConnection,
        try_again: Callable[[], None],
    ) -> None:
        self._backlogs = backlogs
        self._limits = limits
        self._call_later = call_later
        self._transport = transport
        self._try_again = try_again
        self._soft_timer: Timer | None = None  # runs while it is over the soft limit

    def measure(self, size_bytes: int) -> bool:
        """Note ``size_bytes`` as the present backlog.

        Returns:
            Whether it is too large, or has been over the soft limit for too long.
        """
        limits = self._limits
        self._backlogs.enter(self._transport, size_bytes)
        if size_bytes <= limits.outbox_soft_bytes:
            self._below_soft_limit()
            return False
        if size_bytes > limits.outbox_hard_bytes:
            return True
        if self._soft_timer is None:
            # The timer itself judges nothing: the flush step does, after one more attempt to send.
            self._soft_timer = self._call_later(limits.outbox_soft_s, self._try_again)
            return False
        return not self._soft_timer.active

    def over(self) -> None:
        """End the backlog: the outbox is empty, or its bytes will never be sent."""
        self._backlogs.leave(self._transport)
        self._below_soft_limit()

    def _below_soft_limit(self) -> None:
        if self._soft_timer is not None:
            self._soft_timer.cancel()
            self._soft_timer = None


class SendBacklogs:
    """The sizes of all backlogs of one loop.

    Args:
        limit_bytes: the most that they may hold together.
    """

    __slots__ = ("_limit_bytes", "_sizes", "total_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._sizes: dict[LoopConnection, int] = {}
        self.total_bytes = 0

    def __len__(self) -> int:
        """The number of transports with a backlog."""
        return len(self._sizes)

    def enter(self, transport: LoopConnection, size_bytes: int) -> None:
        """Set the size of the backlog of ``transport``."""
        self.total_bytes += size_bytes - self._sizes.get(transport, 0)
        self._sizes[transport] = size_bytes

    def leave(self, transport: LoopConnection) -> None:
        """Forget ``transport``; harmless when it is not entered."""
        self.total_bytes -= self._sizes.pop(transport, 0)

    def victims(self) -> list[LoopConnection]:
        """The largest backlogs to close to get under the limit. Those already closing count."""
        if self.total_bytes <= self._limit_bytes:
            return []
        chosen: list[LoopConnection] = []
        excess_bytes = self.total_bytes - self._limit_bytes
        for transport in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if excess_bytes <= 0:
                break
            excess_bytes -= self._sizes[transport]
            chosen.append(transport)
        return chosen
