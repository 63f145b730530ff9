"""Timers in a heap, cheap enough for 10,000 idle connections.

A timer made during a pass never fires in that pass: new ones wait in ``_fresh`` until :meth:`Timers.settle`, so a
callback that sets itself again cannot block the loop. Moving a deadline later (every message does that to an idle
timer) writes one attribute and leaves the heap alone; the entry moves when its old time comes. A cancelled timer stays
in the heap until its time comes or until more than half of all entries are cancelled; then all of those are removed at
once, so that memory stays within twice the active timers and a cancellation costs O(1) amortised.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

TIMERS_PER_PASS = 1_000
"""Entries processed in one pass: at about 1 us each, 10,000 due together delay a pass by at most 1 ms."""
_REBUILD_FROM = 64  # entries; below this cancelled ones cost less than the rebuild


class Timer:
    """One deadline; made by :meth:`Timers.add`, fires at most once."""

    __slots__ = ("_timers", "callback", "when")

    def __init__(self, timers: Timers, when: float, callback: Callable[[], None]) -> None:
        self._timers = timers
        self.when = when
        self.callback: Callable[[], None] | None = callback

    @property
    def active(self) -> bool:
        """Whether it has neither fired nor been cancelled."""
        return self.callback is not None

    def cancel(self) -> None:
        """Cancel. Idempotent, and harmless after it has fired."""
        if self.callback is not None:
            self.callback = None
            self._timers.one_died()

    def postpone(self, when: float) -> None:
        """Move the deadline later, to the monotonic second ``when``; an earlier time is ignored."""
        if when > self.when:  # noqa: PLR1730  (a call of max() per message is slower)
            self.when = when


class Timers:
    """All deadlines of one loop."""

    __slots__ = ("_dead", "_fresh", "_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._fresh: list[tuple[float, int, Timer]] = []
        self._order = count()  # equal times fire in the order they were made
        self._dead = 0

    def __len__(self) -> int:
        """Entries held, cancelled ones included."""
        return len(self._heap) + len(self._fresh)

    def add(self, when: float, callback: Callable[[], None]) -> Timer:
        """Add a timer for the monotonic second ``when``, eligible from the next :meth:`settle` on."""
        timer = Timer(self, when, callback)
        self._fresh.append((when, next(self._order), timer))
        return timer

    def settle(self) -> float | None:
        """Move new timers into the heap.

        Returns:
            The monotonic second of the earliest entry, or None. It may belong to a cancelled or postponed timer, which
            costs one idle pass for each such entry.
        """
        if self._fresh:
            for entry in self._fresh:
                if entry[2].callback is None:
                    self._dead -= 1
                else:
                    heapq.heappush(self._heap, entry)
            self._fresh.clear()
        return self._heap[0][0] if self._heap else None

    def run_due(self, now: float, fire: Callable[[Callable[[], None]], None] = lambda callback: callback()) -> None:
        """Fire the timers due at ``now``, earliest first, at most TIMERS_PER_PASS entries.

        Args:
            now: monotonic seconds.
            fire: calls one callback.
        """
        heap = self._heap
        for _ in range(TIMERS_PER_PASS):
            if not heap or heap[0][0] > now:
                return
            when, order, timer = heap[0]
            callback = timer.callback
            if callback is None:
                heapq.heappop(heap)
                self._dead -= 1
            elif timer.when > when:
                heapq.heapreplace(heap, (timer.when, order, timer))
            else:
                heapq.heappop(heap)
                timer.callback = None
                fire(callback)

    def one_died(self) -> None:
        """Count a cancellation; rebuild the heap when more than half are cancelled."""
        self._dead += 1
        if len(self) >= _REBUILD_FROM and self._dead * 2 > len(self):
            # In place: run_due may be iterating over this list.
            self._heap[:] = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._fresh[:] = [entry for entry in self._fresh if entry[2].callback is not None]
            self._dead = 0
