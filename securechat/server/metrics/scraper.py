"""The thread that makes the text of a scrape; the loop's thread copies numbers and never formats.

One scrape is made at a time, and at most one in FRESH_S: scrapers that ask meanwhile get the same text, so that any
number of them costs no more than one. The thread begins with the first scrape.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from securechat.server.metrics.snapshot import MetricsSnapshot

if TYPE_CHECKING:
    from securechat.containment import Containment
    from securechat.server.metrics.exposition import Exposition
    from securechat.server.session import Scheduler

FRESH_S = 0.5
"""Seconds for which a text is given again: scrapers ask every 5 to 60 s."""
LATE_S = 5.0
"""Seconds after which a text is late: 1 ms is usual, and 0.2 s for the first one."""


class ScrapeFailure(Exception):
    """A text is not made in LATE_S: the thread waits for something, such as a file system that does not answer."""


class Scraper:
    """Makes the texts of one server.

    Args:
        scheduler: the time of this pass.
        post: runs a callable on the loop's thread; callable from any thread.
        containment: knows the connection that asks, to which its answer belongs: one that raises costs no other.
        take: copies the numbers; called on the loop's thread.
        data: the data directory; the free space of its disk is a metric.
        on_error: told on the loop's thread of a text that could not be made.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        post: Callable[[Callable[[], None]], None],
        containment: Containment,
        take: Callable[[], MetricsSnapshot],
        data: Path,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._scheduler = scheduler
        self._post = post
        self._containment = containment
        self._take = take
        self._data = data
        self._on_error = on_error
        self._jobs: SimpleQueue[MetricsSnapshot | None] = SimpleQueue()  # None: the end
        self._thread: threading.Thread | None = None
        self._waiting: list[Callable[[bytes | None], None]] = []
        self._asked_at: float | None = None  # for the text that is being made
        self._told_late = False
        self._text: bytes | None = None
        self._made_at = float("-inf")
        self._exposition: Exposition | None = None  # the thread's own

    def scrape(self, done: Callable[[bytes | None], None]) -> None:
        """Have ``done`` called on the loop's thread, now or later, with the text; None: it could not be made."""
        now = self._scheduler.now
        if now - self._made_at < FRESH_S:
            done(self._text)
            return
        if self._asked_at is None:
            self._expect_thread()
            self._jobs.put(self._take())
            self._asked_at, self._told_late = now, False  # when both have worked, or no other scrape would ask
        elif now - self._asked_at > LATE_S:
            self._give_up(done)
            return
        self._waiting.append(self._containment.bind(done))

    def close(self) -> None:
        """End the thread, without waiting for it."""
        self._jobs.put(None)

    def _expect_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="metrics", daemon=True)
            thread.start()
            self._thread = thread

    def _give_up(self, done: Callable[[bytes | None], None]) -> None:
        """Answer all who wait for a text that is late, and keep none of them; report it once."""
        waiting, self._waiting = [*self._waiting, self._containment.bind(done)], []
        try:
            if not self._told_late:
                self._told_late = True
                self._on_error(ScrapeFailure(f"the metrics were not made in {LATE_S:.0f} s"))
        finally:
            for each in waiting:
                each(None)

    def _made(self, text: bytes | None, error: Exception | None) -> None:
        self._text, self._made_at, self._asked_at = text, self._scheduler.now, None
        waiting, self._waiting = self._waiting, []
        try:
            if error is not None:
                self._on_error(error)
        finally:
            for done in waiting:
                done(text)

    # --- On the thread

    def _run(self) -> None:
        while (snapshot := self._jobs.get()) is not None:
            text, problem = None, None
            try:
                text = self._format(snapshot)
            except Exception as error:  # noqa: BLE001  (this scrape fails, and the next one may not)
                problem = error
            self._tell(text, problem)

    def _tell(self, text: bytes | None, problem: Exception | None) -> None:
        self._post(lambda: self._made(text, problem))

    def _format(self, snapshot: MetricsSnapshot) -> bytes:
        from securechat.server.metrics.exposition import Exposition  # noqa: PLC0415 - see there

        if self._exposition is None:
            self._exposition = Exposition()
        with suppress(OSError):  # then the metric is left out
            snapshot["securechat_disk_free_bytes"] = shutil.disk_usage(self._data).free
        return self._exposition.text(snapshot)
