"""The time by which everything expires, chosen so that a clock that is wrong for a while destroys nothing.

Logins, invites, bans, mutes, old guests and old messages end by the clock of the machine. That clock can be years wrong
from one moment to the next: an empty battery, a wrong setting, a virtual machine that was put back. The data directory
records when the server last ran, and the monotonic clock counts from there. While the machine's clock is within three
days of that time, it is right, and everything goes by it.

Where the two are further apart one of them is wrong, or the server was off for so long. The time goes on from the
remembered one until the clock has stayed as it is for a day, then it goes by the clock. Meanwhile nothing is deleted
for its age, and a login lasts by whichever of the two is earlier, because a client forgets a login that it is told has
expired.

The times of messages have a `WallClock` of their own, on which `restore` is never called: it believes the clock that it
starts with, and holds against a jump while the server runs. Times never decrease by seq, so one message from the future
keeps all later ones there: by this clock three days ahead at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

DOUBT_MS: Final = 3 * 86_400_000
"""Milliseconds: more than a weekend without a message, and less than any expiry (session_days, retention_days)."""
HOLD_S: Final = 86_400.0
"""Seconds for the operator to see the warning, and for network time to set the clock."""


class Doubt(Struct, frozen=True):
    """A disagreement between the machine's clock and the remembered time.

    Attributes:
        clock_ms: the machine's clock, UTC.
        expected_ms: the expected time, UTC.
        left_s: seconds until the clock is believed, if it does not jump again.
    """

    clock_ms: int
    expected_ms: int
    left_s: float


class WallClock:
    """The time by which records expire.

    Args:
        wall_ms: the machine's clock, UTC milliseconds.
        monotonic: seconds that no setting moves.
    """

    def __init__(self, wall_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._wall_ms = wall_ms
        self._monotonic = monotonic
        self._right_ms = wall_ms()  # at _right_s
        self._right_s = monotonic()
        self._doubted_s: float | None = None
        self._offset_ms = 0  # by how much the clock is ahead, when it was first doubted

    def restore(self, last_ms: int) -> None:
        """Take over the time at which the clock was last believed, or the log last written; 0 for never."""
        if last_ms:
            self._right_ms, self._right_s = last_ms, self._monotonic()

    def now_ms(self) -> int:
        """Return the time, UTC milliseconds: the clock's, or the expected one while they disagree."""
        return self._times()[1]

    def earliest_ms(self) -> int:
        """Return the earlier of the two while they disagree."""
        return min(self._times())

    def doubt(self) -> Doubt | None:
        """Return the disagreement; None while the clock is believed."""
        clock_ms, right_ms = self._times()
        if self._doubted_s is None:
            return None
        return Doubt(clock_ms, right_ms, max(0.0, self._doubted_s + HOLD_S - self._monotonic()))

    def _times(self) -> tuple[int, int]:
        """The clock's time and the right one; the same where the clock is believed."""
        clock_ms, now = self._wall_ms(), self._monotonic()
        expected_ms = self._right_ms + int((now - self._right_s) * 1000)
        offset_ms = clock_ms - expected_ms
        if abs(offset_ms) > DOUBT_MS:
            if self._doubted_s is None or abs(offset_ms - self._offset_ms) > DOUBT_MS:
                self._doubted_s, self._offset_ms = now, offset_ms  # it has jumped, or jumped again
            if now - self._doubted_s < HOLD_S:
                return clock_ms, expected_ms
        self._doubted_s = None
        self._right_ms, self._right_s = clock_ms, now
        return clock_ms, clock_ms
