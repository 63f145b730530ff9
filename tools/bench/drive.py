"""Sends messages, in a closed loop with a window, or in an open loop at a rate.

Closed loop: every sender keeps a number of messages in flight. One leaves the window when *all* members of the room
have it (or, where a case says so, when it is acknowledged). The load adapts to the server, which is why the measure is
server CPU per delivery and not latency.

Open loop: message ``i`` is due at ``start + i / rate`` whatever happened to the ones before, and its latency counts
from that moment, so a server that stalls cannot hide the wait of those who queue behind the stall (no coordinated
omission).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tools.bench.crowd import Crowd
from tools.bench.room import Sender

STALL_S = 10.0
"""Nothing arrived for so long: give up and say so."""
_SPIN_S = 0.001
"""epoll waits whole milliseconds; what is shorter is spun, so that the generator adds nothing to a latency."""


class Progress:
    """Notices when nothing moves any more."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._seen = -1
        self._at = time.monotonic()

    def stalled(self, now: float) -> bool:
        if self._crowd.engine.received_bytes != self._seen:
            self._seen, self._at = self._crowd.engine.received_bytes, now
        return now - self._at > STALL_S


def closed_loop(crowd: Crowd, window: int, seconds: float) -> None:
    """Keep every sender's window full for so long, then wait until all has arrived."""
    engine, freed = crowd.engine, crowd.freed
    end = time.monotonic() + seconds
    progress = Progress(crowd)
    freed.extend(crowd.senders)
    while True:
        now = time.monotonic()
        if now < end:
            while freed:
                _refill(crowd, freed.popleft(), window)
        elif crowd.drained or progress.stalled(now):
            break
        engine.poll(0.02)
    freed.clear()


def _refill(crowd: Crowd, sender: Sender, window: int) -> None:
    """A sender stands in ``freed`` once for every message that left its window; the first refill does for all."""
    free = window - (sender.sent - sender.done)
    if free > 0:
        crowd.speak(sender, [time.monotonic_ns()] * free)


def open_loop(crowd: Crowd, rate: float, seconds: float, tick: Callable[[], None] | None = None) -> None:
    """Send ``rate`` messages a second, all senders in turn, for so long; then wait until all has arrived."""
    pace = Pace(crowd, rate)
    progress = Progress(crowd)
    end = time.monotonic() + seconds
    while True:
        now = time.monotonic()
        if now < end:
            due_in_s = pace.send_due(now)
            crowd.engine.poll(math.floor(due_in_s * 1000) / 1000 if due_in_s > _SPIN_S else 0)
        elif crowd.drained or progress.stalled(now):
            break
        else:
            crowd.engine.poll(0.02)
        if tick is not None:
            tick()
    crowd.freed.clear()


class Pace:
    """The timetable of an open loop.

    Args:
        crowd: whose senders take turns.
        rate: messages a second, all together.
    """

    def __init__(self, crowd: Crowd, rate: float) -> None:
        self._crowd = crowd
        self._gap_s = 1 / rate
        self._began = time.monotonic()
        self._count = 0

    def send_due(self, now: float) -> float:
        """Send what is due; returns the seconds until the next one."""
        while (due := self._began + self._count * self._gap_s) <= now:
            sender = self._crowd.senders[self._count % len(self._crowd.senders)]
            self._crowd.speak(sender, [int(due * 1e9)])
            self._count += 1
        return due - now
