"""How long a server takes, without the time that this machine keeps it and the test waiting for a processor.

A limit on the time by the wall says nothing about a server while other programs have the processors. What the kernel
counts as waiting for one (`/proc/PID/task/TID/schedstat`, its second number) is left out; where the kernel does not
count it, nothing is left out.
"""

from __future__ import annotations

import time
from pathlib import Path


class OwnTime:
    """A stopwatch for a round trip between this thread and the loop of a server.

    Args:
        pid: the server, whose main thread runs the loop.
    """

    def __init__(self, pid: int) -> None:
        self._loop, self._thread = Path(f"/proc/{pid}/task/{pid}/schedstat"), Path("/proc/thread-self/schedstat")
        self._began, self._before = time.monotonic(), self._counted_s()

    def seconds(self) -> float:
        """Return the seconds in which the two were not kept waiting; never less than the loop has computed."""
        computed_s, *queued_s = (now - then for now, then in zip(self._counted_s(), self._before, strict=True))
        return max(computed_s, time.monotonic() - self._began - sum(queued_s))

    def computed_s(self) -> float:
        """Return the seconds that the loop has computed; 0.0 where the kernel does not count them."""
        return self._counted_s()[0] - self._before[0]

    def _counted_s(self) -> tuple[float, float, float]:
        """How long the loop has run, and how long it and this thread have stood in the queue."""
        ran_s, loop_queued_s = _read(self._loop)
        return ran_s, loop_queued_s, _read(self._thread)[1]


def _read(schedstat: Path) -> tuple[float, float]:
    if not schedstat.exists():
        return 0.0, 0.0
    ran, queued, *_ = schedstat.read_bytes().split()
    return int(ran) / 1e9, int(queued) / 1e9
