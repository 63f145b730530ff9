"""Bounds what all HTTP together takes from one pass of the loop: who comes later goes on in a later one.

`RequestTurns` are those of requests that are kept whole, `TransferTurns` those of the bytes of uploads and downloads.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from securechat.containment import Containment
    from securechat.limits import Limits
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


class Transfer(Protocol):
    """An upload or a download that waits for its turn."""

    @property
    def owner(self) -> object:
        """The connection that it belongs to."""

    def take_turn(self) -> None:
        """Move limits.transfer_turn_bytes, at most `TransferTurns.left_bytes`, and charge them; wait again, perhaps."""


class TransferTurns:
    """The turns of all uploads and downloads of one server: in a ring, until the bytes of a pass are used up.

    They run in the timer step of a pass: what members have said in it is read by then, and on its way to the log.

    Args:
        scheduler: of the loop.
        containment: takes what a turn has raised.
        limits: of a pass.
    """

    def __init__(self, scheduler: Scheduler, containment: Containment, limits: Limits) -> None:
        self._scheduler = scheduler
        self._containment = containment
        self._limits = limits
        self._left_bytes = 0
        self._is_due = False  # the timer is set, or runs
        self._waiting: deque[Transfer] = deque()
        self._flushing: list[Transfer] = []

    def wait(self, transfer: Transfer) -> None:
        """Have ``take_turn`` called, once: behind those that wait, in this pass if its bytes last."""
        self._waiting.append(transfer)
        self._set_timer()

    def wait_for_flush(self, transfer: Transfer) -> None:
        """Have ``take_turn`` called in a later pass, once: this one has not sent yet what is queued."""
        self._flushing.append(transfer)
        self._set_timer()

    @property
    def left_bytes(self) -> int:
        """What a turn may use of this pass, bytes: limits.transfer_turn_bytes at least."""
        return self._left_bytes

    def charge(self, used_bytes: int) -> None:
        """Count what a turn has used."""
        self._left_bytes -= used_bytes

    def _set_timer(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._scheduler.call_later(0.0, self._next)

    def _next(self) -> None:
        limits = self._limits
        waiting = self._waiting
        waiting += self._flushing
        self._flushing.clear()
        self._left_bytes = limits.transfers_per_pass_bytes
        turn_bytes = min(limits.transfer_turn_bytes, self._left_bytes)
        mark = self._containment
        try:
            while waiting and self._left_bytes >= turn_bytes:
                transfer = waiting.popleft()
                mark.current = transfer.owner
                try:
                    transfer.take_turn()
                except Exception as exc:  # noqa: BLE001  (it affects its connection, as in the loop)
                    mark.contain(transfer.owner, exc)
        finally:
            self._is_due = False
            if waiting or self._flushing:
                self._set_timer()
