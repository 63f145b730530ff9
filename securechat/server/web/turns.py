"""Bounds what all HTTP requests together take from one pass of the loop: who comes later goes on in a later one."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from securechat.containment import Containment
    from securechat.server.session import Scheduler

REQUESTS_PER_PASS = 16
"""At some 0.2 ms each, with the encryption of its answer: 3 ms of a pass that members wait for."""
TURN_BYTES = 2_048
"""Of a request for each turn that it takes: one of 8 KiB takes 1 ms. Browsers send 500 to 1,000."""


class WaitingRequest(Protocol):
    """A connection that waits for its turn."""

    @property
    def turns(self) -> int:
        """How many turns its request takes, or the body of it; see `turns_of`."""

    def go_on(self) -> None:
        """Its turn has come."""


def turns_of(head_bytes: int) -> int:
    """Return how many turns a request of so many bytes takes."""
    return 1 + head_bytes // TURN_BYTES


def turns_of_body(body_bytes: int) -> int:
    """Return how many more it takes for its body: one of 64 KiB takes up to 5 ms, and a pass has one of those."""
    return body_bytes // TURN_BYTES


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

    def take(self, turns: int) -> bool:
        """Take turns of this pass; False where none is left: see `wait`."""
        if self._pass_at != self._scheduler.now:
            self._pass_at = self._scheduler.now
            waiting = sum(each.turns for each in islice(self._waiting, REQUESTS_PER_PASS))
            self._left = REQUESTS_PER_PASS - waiting  # who waited goes first
        has_left = self._left > 0
        self._left -= turns
        return has_left

    def wait(self, connection: WaitingRequest) -> None:
        """Have ``go_on`` called in a later pass, once."""
        self._waiting.append(connection)
        if len(self._waiting) == 1:
            self._scheduler.call_later(0.0, self._next)

    def _next(self) -> None:
        due: list[WaitingRequest] = []
        left = REQUESTS_PER_PASS
        while self._waiting and left > 0:
            due.append(self._waiting.popleft())
            left -= due[-1].turns
        if self._waiting:
            self._scheduler.call_later(0.0, self._next)
        for connection in due:
            self._containment.run(connection, connection.go_on)
