"""The thread that answers searches and maintains the index, beside the loop and the commits.

Searches are answered in order, and a bounded number of them wait. Any error in the index, or in its code, ends
searching only. The thread has a lower priority and rests between chunks, so that a loop on the same cores is not
slowed.

`maintenance` decides about the index; this module only runs it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias

from securechat.errors import LogError
from securechat.records.log import NotAppended
from securechat.records.queries import SearchQuery, SearchRows
from securechat.storage.search.maintenance import NO_INDEX, IndexMaintainer, IndexProgress
from securechat.storage.search.trouble import SEARCH_STOPPED
from securechat.storage.store import ERASE_WITHIN_S, IndexLocation
from securechat.text.refusals import refusal_for

NICENESS = 5
"""The loop and the commits take precedence on a shared core. Messages beside 18 searches a second came 30 to 40 percent
later without this, 3 with it (one core, shared; medians). With a higher value, this thread would wait holding the
GIL."""

TOO_MANY = NotAppended.of(refusal_for("too_many_searches"))
LOG_FAILED = NotAppended.of(refusal_for("log_failed"))


_Done: TypeAlias = Callable[[SearchRows | NotAppended], None]
_Job: TypeAlias = tuple[SearchQuery, _Done]


class SearchThread:
    """Searches the log of a data directory.

    Args:
        site: the index and its log.
        queue: searches that may wait.
        post: runs a callable on the loop's thread, in order; callable from any thread.
        on_failure: called on this thread when the log itself cannot be read.
        on_progress: called on the loop's thread while a long part of the log is indexed, about once a second.
        on_trouble: called on the loop's thread, as for `IndexMaintainer`.
        erase_within_s: the time limit for removing erased text from the index and its journal.
        clock: monotonic seconds.

    Attributes:
        indexed_to: the seq up to which the index has the log; None before the index is open.
    """

    def __init__(
        self,
        site: IndexLocation,
        queue: int,
        post: Callable[[Callable[[], None]], None],
        on_failure: Callable[[LogError], None],
        *,
        on_progress: Callable[[IndexProgress], None] = lambda _: None,
        on_trouble: Callable[[str | None, str | None], None] = lambda _trouble, _warning: None,
        erase_within_s: float = ERASE_WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._queue = queue
        self._post = post
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._on_trouble = on_trouble
        self._erase_within_s = erase_within_s
        self._clock = clock
        self._jobs: SimpleQueue[_Job | bool] = SimpleQueue()  # True: a batch was committed; False: the end
        self._waiting = 0  # used by the loop's thread only
        self.indexed_to: int | None = None
        self._has_news = self._has_vanished = False
        self._is_resting = False
        self._thread: threading.Thread | None = None

    # --- On other threads -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; the log must be open. The thread opens or creates the index."""
        self._thread = threading.Thread(target=self._run, name="log-search", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Searches taken and not yet answered."""
        return self._waiting

    def search(self, query: SearchQuery, done: _Done) -> None:
        """Find messages; call it on the loop's thread, where ``done`` is called too."""
        if self._waiting >= self._queue:
            self._post(lambda: done(TOO_MANY))
            return
        self._waiting += 1
        self._jobs.put((query, done))

    def committed(self, *, vanished: bool) -> None:
        """A batch was committed; with ``vanished``, messages may have been removed without an entry in the log."""
        if vanished:
            self._has_vanished = True
        self._has_news = True
        if self._is_resting:
            self._is_resting = False
            self._jobs.put(True)

    def close(self) -> None:
        """Finish the waiting searches, and end. Blocks."""
        if self._thread is not None:
            self._jobs.put(False)
            self._thread.join()
            self._thread = None

    # --- On the searching thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        _stand_back()
        try:
            keeper = IndexMaintainer(
                self._site,
                self._clock,
                on_progress=lambda progress: self._post(lambda: self._on_progress(progress)),
                on_trouble=self._tell_trouble,
                erase_within_s=self._erase_within_s,
                computed_s=time.thread_time,
            )
        except LogError as error:
            self._on_failure(error)
            self._refuse_all(LOG_FAILED)
            return
        failed = True
        try:
            self._go_on(keeper)
            failed = False
        except LogError as error:
            self._on_failure(error)
            self._refuse_all(LOG_FAILED)
        except BaseException:  # a bug: the chat goes on without searching, and reports it
            self._tell_trouble(SEARCH_STOPPED, SEARCH_STOPPED)
            self._refuse_all(NO_INDEX)
            raise
        finally:
            keeper.close(failed=failed)  # after a bug vanished messages were not noted: compare next time

    def _tell_trouble(self, trouble: str | None, warning: str | None) -> None:
        self._post(lambda: self._on_trouble(trouble, warning))

    def _refuse_all(self, refusal: NotAppended) -> None:
        """Refuse every search until the end."""
        while (job := self._jobs.get()) is not False:
            if isinstance(job, tuple):
                self._answer(job[1], refusal)

    def _go_on(self, keeper: IndexMaintainer) -> None:
        keeper.work()  # opens the index before the first search
        while (job := self._next(keeper)) is not False:
            if isinstance(job, tuple):
                answer: SearchRows | NotAppended = LOG_FAILED
                try:
                    answer = keeper.search(job[0])
                finally:
                    self._answer(job[1], answer)
            self._tell(keeper)
            keeper.work()
        self._tell(keeper)

    def _next(self, keeper: IndexMaintainer) -> _Job | bool:
        """Wait for a search, or until index work is due."""
        self.indexed_to = keeper.indexed_to
        self._is_resting = True
        self._tell(keeper)
        if keeper.is_behind:  # it will read the log by itself: a busy log need not wake this thread
            self._is_resting = False
        at_s = keeper.deadline()
        try:
            return self._jobs.get(timeout=None if at_s is None else max(0.0, at_s - self._clock()))
        except Empty:
            return True
        finally:
            self._is_resting = False

    def _tell(self, keeper: IndexMaintainer) -> None:
        """Pass on the notes of other threads. A note that comes between two lines is passed on next time."""
        if self._has_news:
            self._has_news = False
            vanished = self._has_vanished
            if vanished:
                self._has_vanished = False
            keeper.committed(vanished=vanished)

    def _answer(self, done: _Done, answer: SearchRows | NotAppended) -> None:
        def deliver() -> None:
            self._waiting -= 1
            done(answer)

        self._post(deliver)


def _stand_back() -> None:
    """Lower this thread's priority, on systems with a priority per thread."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it; then searches slow the loop a little
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
