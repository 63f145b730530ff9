"""Work that is too long for one pass of the loop, done a slice at a time between what others ask for.

A job is an iterator; a step of it is what happens until it yields. The first slice is done at once, so a short job is
over when `begin` returns, and the next one whenever the hub is ticked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

STEPS = 250
"""Of one slice: at up to 10 us each some 2.5 ms."""


class Slices:
    """The jobs under way, in the order in which they were begun; each slice is one job's."""

    def __init__(self) -> None:
        self._jobs: deque[Iterator[object]] = deque()

    @property
    def is_pending(self) -> bool:
        """Whether `run` has something to do."""
        return bool(self._jobs)

    def begin(self, job: Iterator[object]) -> None:
        """Do the first slice of a job, and the rest later; the caller sees to it that `run` is called."""
        if self._is_left(job):
            self._jobs.append(job)

    def run(self) -> None:
        """Do the next slice."""
        if self._jobs:
            job = self._jobs.popleft()  # one that raises is over
            if self._is_left(job):
                self._jobs.append(job)

    def _is_left(self, job: Iterator[object]) -> bool:
        return sum(1 for _ in islice(job, STEPS)) == STEPS
