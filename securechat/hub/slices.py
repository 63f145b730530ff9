"""Runs work that is too long for one pass of the loop, a slice in each pass.

A job is an iterator; a step is its work until it yields. The first slice is done at once, so a short job is
over when `begin` returns, and the next one whenever the hub is ticked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from securechat.hub.environment import HubEnvironment

STEPS = 250
"""Steps of one slice: at up to 10 us each some 2.5 ms."""


class Slices:
    """The jobs under way, in the order in which they were begun; each slice is one job's.

    Args:
        environment: its alarm asks for `run` to be called in the next pass.
    """

    def __init__(self, environment: HubEnvironment) -> None:
        self._environment = environment
        self._jobs: deque[Iterator[object]] = deque()

    @property
    def is_pending(self) -> bool:
        """Whether `run` has something to do."""
        return bool(self._jobs)

    def begin(self, job: Iterator[object]) -> None:
        """Do the first slice of a job, and the rest later."""
        self._slice(job)

    def run(self) -> None:
        """Do the next slice."""
        if self._jobs:
            self._slice(self._jobs.popleft())  # a job that raises is over

    def _slice(self, job: Iterator[object]) -> None:
        try:
            if sum(1 for _ in islice(job, STEPS)) == STEPS:
                self._jobs.append(job)
        finally:
            if self._jobs:
                self._environment.alarm(self._environment.now)
