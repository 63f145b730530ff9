"""Writes pictures anew, a fresh process for each, on threads of its own: the server's loop never waits for one.

Below four cores one picture is worked on at a time, else two; so many more wait, and the next is told that it is busy
here. Threads begin with the first picture. A server without pictures imports nothing for them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from securechat.pictures.answers import AnswerRules
from securechat.pictures.records import PictureNotWritten, PictureOutcome, PicturesBusy

if TYPE_CHECKING:
    from securechat.pictures.process import WorkerProcess

_CLOSE_S = 5.0
"""For the threads to end: a killed process is waited for."""


def available() -> bool:
    """Whether pictures can be written anew: Pillow is installed, by the extra ``securechat[pictures]``."""
    return bool(sys.executable) and importlib.util.find_spec("PIL") is not None


def at_once_by_cores() -> int:
    """Return how many pictures are worked on at a time on this machine."""
    cores = os.cpu_count() or 1
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    return 1 if cores < 4 else 2


class _Job(NamedTuple):
    source: Path
    into: Path
    done: Callable[[PictureOutcome], None]


class PictureWorkers:
    """The pictures that are worked on, and those that wait.

    Args:
        most_pixels: of a picture, judged by its header.
        sides: the longer sides of previews, the smallest first, pixels.
        most_waiting: pictures beside those that are worked on.
        at_once: pictures that are worked on at a time.
        command: of the worker; None: our own.
        deadline_s: for one picture; None: 30 s.
    """

    def __init__(
        self,
        most_pixels: int,
        sides: Sequence[int],
        most_waiting: int,
        *,
        at_once: int | None = None,
        command: Sequence[str] | None = None,
        deadline_s: float | None = None,
    ) -> None:
        self._rules = AnswerRules(most_pixels, tuple(sides))
        self._at_once = at_once or at_once_by_cores()
        self._most = most_waiting + self._at_once
        self._command = command
        self._deadline_s = deadline_s
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running: list[WorkerProcess] = []
        self._threads: list[threading.Thread] = []
        self._begun = 0
        self._closed = False

    def rewrite(self, source: Path, into: Path, done: Callable[[PictureOutcome], None]) -> None:
        """Write a picture anew; callable from any thread, and returns at once.

        Args:
            source: the picture; it stays.
            into: where it is written; previews stand beside it, as ``into.320``. They are not synced. Where the outcome
                is no `Picture` there are none.
            done: called once with the outcome, on a thread of the workers, or, for `PicturesBusy`, on this one or that
                of `close`. It hands over and returns.
        """
        with self._changed:
            taken = not self._closed and self._begun + len(self._waiting) < self._most
            if taken:
                self._waiting.append(_Job(source, into, done))
                self._expect_threads()
                self._changed.notify()
        if not taken:
            done(PicturesBusy())

    @property
    def waiting(self) -> int:
        """Pictures that wait or are worked on."""
        with self._changed:
            return self._begun + len(self._waiting)

    def close(self) -> None:
        """End what runs. Pictures without an outcome get `PicturesBusy`. Takes some milliseconds."""
        with self._changed:
            self._closed = True
            left, self._waiting = [*self._waiting], deque()
            for process in self._running:
                process.kill()
            threads, self._threads = self._threads, []
            self._changed.notify_all()
        for job in left:
            job.done(PicturesBusy())
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(_CLOSE_S)

    def _expect_threads(self) -> None:
        self._threads = [each for each in self._threads if each.is_alive()]
        if len(self._threads) < min(self._at_once, self._begun + len(self._waiting)):
            thread = threading.Thread(target=self._work, name="pictures", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                outcome = self._outcome(job)
            finally:
                with self._changed:
                    self._begun -= 1
            job.done(outcome)

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            self._begun += 1
            return self._waiting.popleft()

    def _outcome(self, job: _Job) -> PictureOutcome:
        from securechat.pictures.process import (  # noqa: PLC0415 - a server without pictures starts no process
            DEADLINE_S,
            WorkerEnded,
            WorkerProcess,
            worker_command,
        )

        deadline_s = self._deadline_s or DEADLINE_S
        try:
            command = self._command or worker_command(self._rules.most_pixels, self._rules.sides)
            try:
                outcome: PictureOutcome = self._run(WorkerProcess(command, self._rules, deadline_s), job)
            except WorkerEnded:  # memory may be there a moment later
                outcome = self._run(WorkerProcess(command, self._rules, deadline_s), job)
        except Exception as error:  # noqa: BLE001  (the thread goes on with the next picture)
            outcome = PictureNotWritten(error)
        return PicturesBusy() if self._closed else outcome

    def _run(self, process: WorkerProcess, job: _Job) -> PictureOutcome:
        """Run a process, which `close` ends. Raises as `WorkerProcess.run`."""
        with self._changed:
            self._running.append(process)
            if self._closed:
                process.kill()
        try:
            return process.run(job.source, job.into)
        finally:
            with self._changed:
                self._running.remove(process)
