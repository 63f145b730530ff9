"""Bounds what all HTTP requests together take from one pass of the loop: who comes later goes on in a later one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from securechat.containment import Containment
    from securechat.server.session import Scheduler

REQUESTS_PER_PASS = 16
"""At some 0.2 ms each, with the encryption of its answer: 3 ms of a pass that members wait for."""


class WaitingRequest(Protocol):
    """A connection that waits for its turn."""

    def go_on(self) -> None:
        """Its turn has come."""


class RequestTurns:
    """The turns of one server.

    Args:
        scheduler: of the loop.
        containment: takes what a connection's turn has raised: it must not cost the others their turn.
    """

    def __init__(self, scheduler: Scheduler, containment: Containment) -> None:
        self._scheduler = scheduler
        self._containment = containment
        self._pass_at = -1.0
        self._left = 0
        self._waiting: deque[WaitingRequest] = deque()

    def take(self) -> bool:
        """Take a turn of this pass; False where none is left: see `wait`."""
        if self._pass_at != self._scheduler.now:
            self._pass_at = self._scheduler.now
            self._left = max(0, REQUESTS_PER_PASS - len(self._waiting))  # who waited goes first
        self._left -= 1
        return self._left >= 0

    def wait(self, connection: WaitingRequest) -> None:
        """Have ``go_on`` called in a later pass, once."""
        self._waiting.append(connection)
        if len(self._waiting) == 1:
            self._scheduler.call_later(0.0, self._next)

    def _next(self) -> None:
        due = [self._waiting.popleft() for _ in range(min(len(self._waiting), REQUESTS_PER_PASS))]
        if self._waiting:
            self._scheduler.call_later(0.0, self._next)
        for connection in due:
            self._containment.run(connection, connection.go_on)
