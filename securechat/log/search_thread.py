"""One thread that searches and keeps the index: beside the loop, beside the commits, and never in their way.

It promises: a search finds everything that was committed when it was asked, unless the index is being made anew, and
then says how far it is. Whatever happens to the index, the server goes on: damage is thrown away and made good, with
rests between the stretches, so that a loop on the same cores keeps breathing. Erased text is gone from the index and
its journal within the time given.

The index follows the log at a distance of FOLLOW_S, because a stretch of many messages costs little more than one;
a search does not wait for that, it catches up by itself.

It refuses to know what is committed: it is told that something was, and looks.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias

import apsw
from msgspec import Struct

from securechat.errors import ErrorCode, LogError
from securechat.hub.ports import NotAppended, SearchQuery, SearchRows
from securechat.log.search import Searcher
from securechat.log.search_index import SEARCH_INDEX, STRETCH, IndexDamaged, SearchIndex
from securechat.log.search_source import SearchSource
from securechat.log.store import NoSpace, TooMuchWork

FOLLOW_S = 0.5
"""How far the index stays behind the log: one stretch for all that came meanwhile."""
SWEEP_EVERY_S = 10.0
"""Between two comparisons with the log, while messages vanish from it: 0.3 s of work for a million of them."""
RETRY_S = 10.0
"""After a full disk, or after an index that was damaged again right after it was made."""
CATCH_UP_STEPS = 5
"""Stretches that a search takes in before it looks: 5,000 seqs, some 100 ms."""
NICENESS = 5
"""Where they want the same core, the loop and the commits go first. Messages beside 18 searches a second came 30 to 40
percent later without it, 3 with it (one core, shared; medians). With more, this thread would wait holding the GIL."""
TELL_EVERY_S = 1.0
_BUSY_MS = 5_000
_LONG_WAY = 10_000
"""Seqs behind the log from which on progress is told."""

TOO_MANY = NotAppended(ErrorCode.BUSY, "too many people search at once: try again in a moment")
TOO_WIDE = NotAppended(ErrorCode.BUSY, "that search takes too long: use longer or more words, or fewer rooms")
NO_INDEX = NotAppended(ErrorCode.BUSY, "the search index is being repaired: try again in a minute")
LOG_FAILED = NotAppended(ErrorCode.LOG_FAILED, "the server's message log failed: it is stopping")

_Done: TypeAlias = Callable[[SearchRows | NotAppended], None]
_Job: TypeAlias = tuple[SearchQuery, _Done]


class IndexProgress(Struct, frozen=True, gc=False):
    """How far the making of the index is: equal numbers at its end."""

    indexed_to: int
    last_seq: int


class SearchThread:
    """Searches a data directory's log.

    Args:
        database: the log's database; the index stands beside it.
        queue: searches that may wait.
        post: runs a callable on the loop's thread, in order; callable from any thread.
        on_failure: called on this thread when the log itself cannot be read.
        on_progress: called on the loop's thread while a long stretch of the log is taken in, about once a second.
        erase_within_s: when erased text is gone from the index and its journal.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        database: Path,
        queue: int,
        post: Callable[[Callable[[], None]], None],
        on_failure: Callable[[LogError], None],
        *,
        on_progress: Callable[[IndexProgress], None] = lambda _: None,
        erase_within_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._queue = queue
        self._post = post
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._clock = clock
        self._truncate_after_s = erase_within_s / 3
        self._sweep_every_s = min(SWEEP_EVERY_S, erase_within_s / 3)
        self._jobs: SimpleQueue[_Job | bool] = SimpleQueue()  # True: something was committed; False: that was all
        self._waiting = 0  # the loop's thread alone counts them
        self._is_behind = True
        self._has_vanished = False
        self._is_resting = False
        self._thread: threading.Thread | None = None
        # The searching thread's own:
        self._step_at_s: float | None = None
        self._sweep_at_s: float | None = None
        self._truncate_at_s: float | None = None
        self._swept_at_s = self._made_at_s = self._told_at_s = float("-inf")
        self._is_telling = False
        self._is_usable = False

    # --- On other threads -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; the index is opened, or made, on the way."""
        self._thread = threading.Thread(target=self._run, name="log-search", daemon=True)
        self._thread.start()

    def search(self, query: SearchQuery, done: _Done) -> None:
        """Find messages; ``done`` is called on the loop's thread, where this is called too."""
        if self._waiting >= self._queue:
            self._post(lambda: done(TOO_MANY))
            return
        self._waiting += 1
        self._jobs.put((query, done))

    def committed(self, *, vanished: bool) -> None:
        """Something was committed; with ``vanished``, messages may be gone of which no entry tells."""
        if vanished:
            self._has_vanished = True
        self._is_behind = True
        if self._is_resting:
            self._is_resting = False
            self._jobs.put(True)

    def close(self) -> None:
        """Finish the searches that wait, and end. Blocks."""
        if self._thread is not None:
            self._jobs.put(False)
            self._thread.join()
            self._thread = None

    # --- On the searching thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        _stand_back()
        try:
            log = apsw.Connection(str(self._database), flags=apsw.SQLITE_OPEN_READONLY)
            log.set_busy_timeout(_BUSY_MS)
        except apsw.Error as error:
            self._on_failure(LogError(f"the message log cannot be read: {error}"))
            self._refuse_all(LOG_FAILED)
            return
        self._source = SearchSource(log)
        self._index = SearchIndex(self._database.with_name(SEARCH_INDEX), self._source)
        self._searcher = Searcher(self._index, log)
        try:
            self._make()
            self._go_on()
        except LogError as error:
            self._on_failure(error)
            self._refuse_all(LOG_FAILED)
        except BaseException:  # a mistake of ours: the chat goes on without searching, and says so
            self._refuse_all(NO_INDEX)
            raise
        finally:
            self._index.close()
            log.close()

    def _refuse_all(self, refusal: NotAppended) -> None:
        """Answer, until the end, without looking."""
        while (job := self._jobs.get()) is not False:
            if isinstance(job, tuple):
                self._answer(job[1], refusal)

    def _go_on(self) -> None:
        while (job := self._next()) is not False:
            if isinstance(job, tuple):
                answer: SearchRows | NotAppended = LOG_FAILED
                try:
                    answer = self._search(job[0])
                finally:
                    self._answer(job[1], answer)
            self._guarded(self._work)
        if self._is_usable and self._index.owes_truncation and not self._index.is_sweeping:
            self._guarded(self._index.truncate)

    def _next(self) -> _Job | bool:
        """Wait for a search, or until there is something to do for the index."""
        self._is_resting = True
        if self._is_behind or self._has_vanished:
            self._is_resting = False
            if self._step_at_s is None:
                self._step_at_s = self._clock() + FOLLOW_S
        due_s = [at_s for at_s in (self._step_at_s, self._sweep_at_s, self._truncate_at_s) if at_s is not None]
        try:
            return self._jobs.get(timeout=max(0.0, min(due_s) - self._clock()) if due_s else None)
        except Empty:
            return True
        finally:
            self._is_resting = False

    def _answer(self, done: _Done, answer: SearchRows | NotAppended) -> None:
        def deliver() -> None:
            self._waiting -= 1
            done(answer)

        self._post(deliver)

    # --- Searching ------------------------------------------------------------------------------------------------

    def _search(self, query: SearchQuery) -> SearchRows | NotAppended:
        for _ in range(2):  # once more when the index turned out to be damaged, with what there is of the new one
            if not self._is_usable:
                break
            try:
                self._catch_up(query.up_to)
                return self._searcher.search(query)
            except TooMuchWork:
                return TOO_WIDE
            except NoSpace:
                return NO_INDEX
            except IndexDamaged:
                self._make(anew=True)
        return NO_INDEX

    def _catch_up(self, seq: int) -> None:
        """Take in what is missing, unless that is far too much to wait for; ``seq`` may lie beyond the log's end."""
        seq = min(seq, self._source.last_seq())
        if seq - self._index.indexed_to <= CATCH_UP_STEPS * STRETCH:
            while self._index.indexed_to < seq:
                self._index.step()

    # --- Keeping the index ----------------------------------------------------------------------------------------

    def _make(self, *, anew: bool = False) -> None:
        """Open the index; throw it away before that when it is known to be damaged."""
        now_s = self._clock()
        if anew:
            self._index.discard()
        self._is_usable = False
        self._step_at_s = now_s
        if now_s < self._made_at_s + RETRY_S:
            self._step_at_s = now_s + RETRY_S
            return
        self._made_at_s = now_s if anew else self._made_at_s
        try:
            self._index.open()
            self._is_usable = True
        except (IndexDamaged, NoSpace):
            self._index.discard()
            self._made_at_s = now_s
            self._step_at_s = now_s + RETRY_S

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something for the index; whatever goes wrong there stops nothing else."""
        try:
            work()
        except NoSpace:
            self._step_at_s = self._clock() + RETRY_S
        except IndexDamaged:
            self._make(anew=True)

    def _work(self) -> None:
        """Do what is due: one stretch of it at most."""
        now_s = self._clock()
        if self._has_vanished and self._sweep_at_s is None:
            self._has_vanished = False
            self._sweep_at_s = max(now_s, self._swept_at_s + self._sweep_every_s)
        if not self._is_usable:
            if self._step_at_s is not None and now_s >= self._step_at_s:
                self._make()
            return
        if self._sweep_at_s is not None and now_s >= self._sweep_at_s:
            self._sweep_at_s, self._swept_at_s, self._step_at_s = None, now_s, now_s
            self._index.begin_sweep()
        if self._step_at_s is not None and now_s >= self._step_at_s:
            self._step(now_s)
        if self._truncate_at_s is not None and now_s >= self._truncate_at_s:
            self._truncate_at_s = None
            self._index.truncate()
        elif self._truncate_at_s is None and self._index.owes_truncation:
            self._truncate_at_s = now_s + self._truncate_after_s

    def _step(self, now_s: float) -> None:
        """Take one stretch, and rest for the time it computed: half a core at most, however much there is to do."""
        self._is_behind = False
        self._step_at_s = None
        began_s = time.thread_time()
        if self._index.step():
            self._step_at_s = self._clock() + time.thread_time() - began_s
        self._tell(now_s)

    def _tell(self, now_s: float) -> None:
        """Tell how far the index is, when it has a long way to go or just went one."""
        if self._index.is_whole and not self._is_telling:
            return
        if now_s < self._told_at_s + TELL_EVERY_S and not self._index.is_whole:
            return
        progress = IndexProgress(self._index.indexed_to, max(self._index.indexed_to, self._source.last_seq()))
        if not self._is_telling and progress.last_seq - progress.indexed_to < _LONG_WAY:
            return
        self._told_at_s = now_s
        self._is_telling = not self._index.is_whole
        self._post(lambda: self._on_progress(progress))


def _stand_back() -> None:
    """Lower this thread's priority, where threads have one of their own."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it; then searches are a little less polite
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
