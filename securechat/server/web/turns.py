"""Bounds what all HTTP requests together take from one pass of the loop: who comes later goes on in a later one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

REQUESTS_PER_PASS = 16
"""At some 0.2 ms each, with the encryption of its answer: 3 ms of a pass that members wait for."""


class Waiting(Protocol):
    """A connection that waits for its turn."""

    def go_on(self) -> None:
        """Its turn has come."""


class Scheduler(Protocol):
    """The part of the loop that is used here."""

    @property
    def now(self) -> float:
        """Monotonic seconds at the start of this pass."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object:
        """Call back once, never in this pass."""


class RequestTurns:
    """The turns of one server.

    Args:
        scheduler: of the loop.
        contain: takes what a connection's turn has raised.
    """

    def __init__(self, scheduler: Scheduler, contain: Callable[[object, Exception], None]) -> None:
        self._scheduler = scheduler
        self._contain = contain
        self._pass_at = -1.0
        self._left = 0
        self._waiting: deque[Waiting] = deque()

    def take(self, connection: Waiting) -> bool:
        """Take a turn in this pass; False if it must wait, and its ``go_on`` is called."""
        if self._pass_at != self._scheduler.now:
            self._pass_at, self._left = (
                self._scheduler.now,
                REQUESTS_PER_PASS - min(len(self._waiting), REQUESTS_PER_PASS),
            )
        if self._left:
            self._left -= 1
            return True
        self.wait(connection)
        return False

    def wait(self, connection: Waiting) -> None:
        """Have ``go_on`` called in a later pass."""
        self._waiting.append(connection)
        if len(self._waiting) == 1:
            self._scheduler.call_later(0.0, self._next)

    def _next(self) -> None:
        due = [self._waiting.popleft() for _ in range(min(len(self._waiting), REQUESTS_PER_PASS))]
        if self._waiting:
            self._scheduler.call_later(0.0, self._next)
        for connection in due:
            try:
                connection.go_on()
            except Exception as error:  # noqa: BLE001  (one connection's error must not cost the others their turn)
                self._contain(connection, error)
