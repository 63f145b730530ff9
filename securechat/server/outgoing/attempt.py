"""The time limit of one attempt to deliver, and the way to end it from another thread.

An attempt has 5 s from beginning to end, whatever it waits for: the resolver, a connection, a handshake, or an answer
that comes a byte a second. So each operation that waits is given the seconds that are left, and a limit on the bytes of
the answer holds for headers as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from securechat.errors import SecurechatError
from securechat.limits import KIB

ATTEMPT_S: Final = 5.0
"""Seconds for an attempt: a person in the room waits for the reply. Slack gives a receiver 3 s, Standard Webhooks
recommend 15 to 30, for receivers that no person waits for."""
MOST_ANSWER_BYTES: Final = 64 * KIB
"""Of a body; as much as a frame of our own protocol."""
_MOST_RECEIVED_BYTES: Final = 2 * MOST_ANSWER_BYTES
"""Status line, headers, body and the framing of chunks: http.client alone would take 100 headers of 64 KiB."""


class AttemptPhase(Enum):
    """What an attempt is doing; it tells what an error means."""

    RESOLVING = auto()
    CONNECTING = auto()
    HANDSHAKE = auto()
    EXCHANGE = auto()
    """Request and answer."""


class AttemptAborted(SecurechatError):
    """Another thread has ended the attempt; it has no outcome."""


class AnswerTooLong(SecurechatError):
    """More bytes have come than an answer may have."""


class Attempt:
    """One attempt. `abort` may be called from any thread, everything else on the thread that makes the attempt.

    Args:
        clock: monotonic seconds.
        limit_s: seconds for the whole attempt.

    Attributes:
        phase: what it is doing.
        fault: the last error of the socket.
        accepted: whether the receiver's answer has begun with a status of 2xx, whatever came of the rest.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, limit_s: float = ATTEMPT_S) -> None:
        self.phase = AttemptPhase.RESOLVING
        self.fault: OSError | None = None
        self.accepted = False
        self._clock = clock
        self._limit_s = limit_s
        self._deadline = float("inf")
        self._received_bytes = 0
        self._lock = threading.Lock()
        self._aborted = False
        self._interrupt: Callable[[], None] | None = None

    def begin(self) -> None:
        """Begin to count the time."""
        self._deadline = self._clock() + self._limit_s

    def left_s(self) -> float:
        """Return the seconds that are left, more than 0.

        Raises:
            AttemptAborted: it was aborted.
            TimeoutError: none is left.
        """
        self.expect_wanted()
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    @property
    def is_late(self) -> bool:
        """Whether no time is left, or an operation took all that it was given."""
        return isinstance(self.fault, TimeoutError) or self._clock() >= self._deadline

    def received(self, count: int) -> None:
        """Count bytes of the answer.

        Raises:
            AnswerTooLong: they are more than an answer may have.
        """
        self._received_bytes += count
        if self._received_bytes > _MOST_RECEIVED_BYTES:
            raise AnswerTooLong

    def interrupt_by(self, interrupt: Callable[[], None]) -> None:
        """Set what ends the operations that come next, when the attempt is aborted; it is called on another thread.

        Raises:
            AttemptAborted: it was aborted.
        """
        with self._lock:
            self._interrupt = interrupt
        self.expect_wanted()

    def end_interrupt(self) -> None:
        """Forget what `interrupt_by` set: it is not called any more when this returns."""
        with self._lock:
            self._interrupt = None

    def expect_wanted(self) -> None:
        """Do nothing unless the attempt was aborted.

        Raises:
            AttemptAborted: it was.
        """
        if self._aborted:
            raise AttemptAborted

    def abort(self) -> None:
        """End the attempt: the operation under way fails soon, and no other begins."""
        with self._lock:
            self._aborted = True
            if self._interrupt is not None:
                self._interrupt()
