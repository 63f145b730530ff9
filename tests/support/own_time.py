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
        self._queues = [Path(f"/proc/{pid}/task/{pid}/schedstat"), Path("/proc/thread-self/schedstat")]
        self._began, self._queued = time.monotonic(), self._queued_s()

    def seconds(self) -> float:
        """Return the seconds since the beginning in which the two were not kept waiting for a processor."""
        return time.monotonic() - self._began - (self._queued_s() - self._queued)

    def _queued_s(self) -> float:
        return sum(int(path.read_bytes().split()[1]) / 1e9 for path in self._queues if path.exists())
