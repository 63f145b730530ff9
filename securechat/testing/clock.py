"""Time that a simulation makes: a heap of what happens when, and two clocks that follow it.

The monotonic clock stands still while something happens and jumps to the next event. The wall clock runs along
and can be moved, as operators and NTP move real ones. Two runs that schedule the same things in the same order are
the same run: equal times happen in the order in which they were asked for, and nothing here iterates over a set.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from itertools import count

MORNING_MS = 1_750_000_000_000
"""The wall clock at the start: some day in June 2025, UTC milliseconds."""


class Deadline:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call back."""
        self.callback = None


class SimulatedClock:
    """A queue of callbacks by virtual time.

    Args:
        start: the first moment, in monotonic seconds.
        tracing: whether `note` keeps what it is told.

    Attributes:
        now: monotonic seconds.
        events: how many things have happened.
        lines: what was noted, with its time, when tracing.
    """

    def __init__(self, start: float = 1_000.0, *, tracing: bool = False) -> None:
        self.now = start
        self.events = 0
        self.tracing = tracing
        self.lines: list[str] = []
        self._start = start
        self._wall_offset_ms = 0
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()

    # --- the two clocks

    def monotonic(self) -> float:
        """The monotonic clock, seconds."""
        return self.now

    def wall_ms(self) -> int:
        """The wall clock, UTC milliseconds."""
        return MORNING_MS + int((self.now - self._start) * 1000) + self._wall_offset_ms

    def move_wall(self, by_s: float) -> None:
        """Let the wall clock jump, forwards or back; the monotonic clock notices nothing."""
        self._wall_offset_ms += int(by_s * 1000)

    # --- what happens

    def call_at(self, when: float, callback: Callable[[], None]) -> Deadline:
        """Let something happen at the monotonic second ``when``, or at once if that has passed."""
        when = max(when, self.now)
        deadline = Deadline(when, callback)
        heapq.heappush(self._heap, (when, next(self._order), deadline))
        return deadline

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Deadline:
        """Let something happen ``delay_s`` seconds from now."""
        return self.call_at(self.now + delay_s, callback)

    def step(self) -> bool:
        """Let the next thing happen; returns False when there is none."""
        while self._heap:
            when, _, deadline = heapq.heappop(self._heap)
            callback = deadline.callback
            if callback is None:
                continue
            self.now = when
            self.events += 1
            deadline.callback = None
            callback()
            return True
        return False

    def run_until(self, when: float, enough: Callable[[], bool] | None = None, every: int = 16) -> bool:
        """Let everything up to the monotonic second ``when`` happen, or until it is enough.

        Args:
            when: where to stop; the clock stands there afterwards, unless it was enough before.
            enough: asked at every so many events.
            every: how often to ask.

        Returns:
            Whether it was enough; False without the question.
        """
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= when:  # what `step` does, without a call for each
            at, _, deadline = pop(heap)
            callback = deadline.callback
            if callback is None:
                continue
            self.now = at
            self.events += 1
            deadline.callback = None
            callback()
            if enough is not None and self.events % every == 0 and enough():
                return True
        self.now = max(self.now, when)
        return enough is not None and enough()

    # --- what a reader of the run sees

    def note(self, who: str, what: str) -> None:
        """Write a line into the trace, when there is one."""
        if self.tracing:
            self.lines.append(f"{self.now - self._start:10.4f}  {who:<14} {what}")

    def digest(self) -> str:
        """Return a fingerprint of the trace: two runs of one seed have the same."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
