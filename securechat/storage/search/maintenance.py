"""Answers searches and maintains their index, without threads of its own.

A search finds every message that was committed when it was asked, unless the index is being rebuilt; then the answer
says how far it is. Whatever happens to the index, the log goes on: a damaged index is deleted and rebuilt, a full disk
is retried, and only an error of the log itself is reported as one. Erased text is removed from the index and its
journal within the given time.

The index follows the log at a distance of FOLLOW_S, because a chunk of many messages costs little more than one; a
search does not wait for that, it indexes the rest by itself.

The driver calls `work` at each `deadline`, and makes all calls from one thread at a time: on a real server a thread
(`thread`), in the simulation its clock (`securechat.testing.slow_log`). This module knows no threads, queues or loops;
it is told that something was committed, and reads the log.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress

import apsw
from msgspec import Struct

from securechat.errors import LogError
from securechat.records.log import NotAppended
from securechat.records.queries import SearchQuery, SearchRows
from securechat.storage.search.index import STRETCH, IndexCorrupt, SearchIndex
from securechat.storage.search.log_reader import IndexLogReader
from securechat.storage.search.query import Searcher
from securechat.storage.search.trouble import RETRY_S, cannot_write
from securechat.storage.sqlite.failures import stopping_failure
from securechat.storage.store import ERASE_WITHIN_S, DatabaseBusy, DiskFull, IndexLocation, QueryTooExpensive
from securechat.text.refusals import refusal_for
from securechat.translation import Sentence, sentence_of

FOLLOW_S = 0.5
"""Delay of the index behind the log: one chunk for all messages of this time."""
SWEEP_EVERY_S = 10.0
"""Between two comparisons with the log, while messages vanish from it: 0.3 s of work for a million of them."""
CATCH_UP_STEPS = 5
"""Chunks that a search indexes before it reads: 5,000 seqs, some 100 ms. While many long texts are being removed, at
most twice as many steps, of 0.1 s each; then the search answers from the index as it is."""
TELL_EVERY_S = 1.0
WARN_EVERY_S = 60.0
"""Between two warnings about the index, however often it fails."""
_LONG_WAY = 10_000
"""Distance behind the log, in seqs, from which progress is reported."""

TOO_WIDE = NotAppended.of(refusal_for("search_too_expensive"))
NO_INDEX = NotAppended.of(refusal_for("search_index_repairing"))


class IndexProgress(Struct, frozen=True, gc=False):
    """Progress of a rebuild of the index: the numbers are equal at its end."""

    indexed_to: int
    last_seq: int


class IndexMaintainer:
    """Searches one log and maintains its index. The first call opens or creates the index.

    Args:
        site: the index and its log, which must stay open until this is closed.
        clock: monotonic seconds.
        on_progress: called while a long part of the log is indexed, about once a second.
        on_trouble: called when the index cannot be kept, and when it can again: the reason, or None; and a sentence for
            the operator, or None when one was reported a moment ago.
        erase_within_s: the time limit for removing erased text from the index and its journal.
        computed_s: CPU seconds that the driver has used so far: after a chunk it rests for the time the chunk took.
        stretch: seqs indexed in one step.

    Raises:
        LogError: the log cannot be read.
    """

    def __init__(
        self,
        site: IndexLocation,
        clock: Callable[[], float],
        *,
        on_progress: Callable[[IndexProgress], None] = lambda _: None,
        on_trouble: Callable[[str | None, str | None], None] = lambda _trouble, _warning: None,
        erase_within_s: float = ERASE_WITHIN_S,
        computed_s: Callable[[], float] = lambda: 0.0,
        stretch: int = STRETCH,
    ) -> None:
        self._clock = clock
        self._on_progress = on_progress
        self._on_trouble = on_trouble
        self._trouble: str | None = None
        self._warned_at_s = float("-inf")
        self._computed_s = computed_s
        self._catch_up_seqs = CATCH_UP_STEPS * stretch
        self._truncate_after_s = erase_within_s / 3
        self._sweep_every_s = min(SWEEP_EVERY_S, erase_within_s / 3)
        self._log_in_use = ExitStack()
        try:
            log = self._log_in_use.enter_context(site.reading())
        except apsw.Error as error:
            raise stopping_failure(error) from error
        self._source = IndexLogReader(log)
        self._index = SearchIndex(site.index, self._source, vfs=site.vfs, shared=site.shared, stretch=stretch)
        self._searcher = Searcher(self._index, log, clock=clock)
        self._is_usable = False
        self._step_at_s: float | None = clock()  # never None without a usable index
        self._sweep_at_s: float | None = None
        self._truncate_at_s: float | None = None
        self._swept_at_s = self._made_at_s = self._told_at_s = float("-inf")
        self._is_telling = False

    # --- For the driver -------------------------------------------------------------------------------------------

    def committed(self, *, vanished: bool = False) -> None:
        """A batch was committed; with ``vanished``, messages may have been removed without an entry in the log."""
        follow_at_s = self._clock() + FOLLOW_S
        if self._step_at_s is None:
            self._step_at_s = follow_at_s
        if vanished and self._sweep_at_s is None:
            self._sweep_at_s = max(follow_at_s, self._swept_at_s + self._sweep_every_s)

    @property
    def indexed_to(self) -> int | None:
        """The seq up to which the index has the log; None while there is no usable index."""
        return self._index.indexed_to if self._is_usable else None

    @property
    def is_behind(self) -> bool:
        """Whether it will read the log by itself: until then, `committed` may wait."""
        return self._step_at_s is not None

    def deadline(self) -> float | None:
        """Monotonic second by which `work` must be called; None when there is nothing to do."""
        if not self._is_usable:
            return self._step_at_s  # without an index nothing else can be done, however long it is due
        due_s = [at_s for at_s in (self._step_at_s, self._sweep_at_s, self._truncate_at_s) if at_s is not None]
        return min(due_s, default=None)

    def work(self) -> None:
        """Do the index work that is due: one chunk at most. An error of the index does not propagate.

        Raises:
            LogError: the log itself cannot be read.
        """
        now_s = self._clock()
        try:
            if self._is_usable:
                self._work(now_s)
            elif _is_due(self._step_at_s, now_s):
                self._make()
        except (DiskFull, DatabaseBusy) as error:
            self._step_at_s = self._clock() + RETRY_S
            self._be_troubled(error)
        except IndexCorrupt as error:
            self._make(anew=str(error))
        else:
            if self._is_usable:
                self._be_well()
        finally:
            self._remember_to_truncate()

    def close(self, *, failed: bool = False) -> None:
        """Close. Remaining work is done after the next start; with ``failed``, nothing is written for that."""
        if not failed:
            with suppress(
                DiskFull, DatabaseBusy, IndexCorrupt, LogError
            ):  # then it is not marked as clean, and is checked when opened
                self._settle()
        self._index.close(failed=failed)
        self._log_in_use.close()

    def _settle(self) -> None:
        """Finish the removals that the file does not know of."""
        if self._sweep_at_s is not None:
            if not self._is_usable:
                self._make()  # it may never have been opened
            self._index.begin_sweep()
        elif self._index.owes_truncation and not self._index.is_sweeping:
            self._index.truncate()

    # --- Searching ------------------------------------------------------------------------------------------------

    def search(self, query: SearchQuery) -> SearchRows | NotAppended:
        """Find messages, or answer with the reason why not.

        Raises:
            LogError: the log itself cannot be read.
        """
        if not self._is_usable and _is_due(self._step_at_s, self._clock()):
            self._make()
        for _ in range(2):  # again with the new index if the first attempt found the old one damaged
            if not self._is_usable:
                break
            try:
                self._catch_up(query.up_to)
                return self._searcher.search(query)
            except QueryTooExpensive:
                return TOO_WIDE
            except (DiskFull, DatabaseBusy) as error:
                self._be_troubled(error)
                return NO_INDEX
            except IndexCorrupt as error:
                self._make(anew=str(error))
            finally:
                self._remember_to_truncate()
        return NO_INDEX

    def _catch_up(self, seq: int) -> None:
        """Index the missing messages, unless they are far too many to wait for; ``seq`` may exceed the log's end."""
        seq = min(seq, self._source.last_seq())
        if seq - self._index.indexed_to <= self._catch_up_seqs:
            for _ in range(2 * CATCH_UP_STEPS):  # more only while many long texts are being removed
                if self._index.indexed_to >= seq:
                    break
                self._index.step()

    # --- Maintaining the index ------------------------------------------------------------------------------------

    def _make(self, *, anew: str | None = None) -> None:
        """Open the index; with a reason in ``anew``, delete the damaged one first."""
        now_s = self._clock()
        if anew is not None:
            self._index.discard(anew)
        self._is_usable = False
        self._truncate_at_s = None
        self._step_at_s = now_s
        if now_s < self._made_at_s + RETRY_S:
            self._step_at_s = now_s + RETRY_S
            self._be_troubled(IndexCorrupt(anew or Sentence("it was damaged right after it was made")))
            return
        self._made_at_s = now_s if anew is not None else self._made_at_s
        try:
            self._index.open()
            self._is_usable = True
        except (DiskFull, DatabaseBusy) as error:  # the existing file may be good
            self._index.close(failed=True)
            self._step_at_s = now_s + RETRY_S
            self._be_troubled(error)
        except IndexCorrupt as error:
            self._index.discard(sentence_of(error))
            self._made_at_s = now_s
            self._step_at_s = now_s + RETRY_S
            self._be_troubled(error)
        else:
            discarded = self._index.take_discarded()
            if discarded is not None:
                self._warn(f"the search index was discarded ({discarded}) and is being rebuilt")

    def _be_troubled(self, error: Exception) -> None:
        """Note and report that the index cannot be kept for now."""
        self._trouble = cannot_write(sentence_of(error))
        self._warn(self._trouble)

    def _be_well(self) -> None:
        """Note and report that the index works again."""
        if self._trouble is not None:
            self._trouble = None
            self._warn("the search index can be written again")

    def _warn(self, sentence: str) -> None:
        now_s = self._clock()
        is_due = now_s >= self._warned_at_s + WARN_EVERY_S
        if is_due:
            self._warned_at_s = now_s
        self._on_trouble(self._trouble, sentence if is_due else None)

    def _work(self, now_s: float) -> None:
        if _is_due(self._sweep_at_s, now_s):
            self._sweep_at_s, self._swept_at_s, self._step_at_s = None, now_s, now_s
            self._index.begin_sweep()
        if _is_due(self._step_at_s, now_s):
            self._step(now_s)
        if _is_due(self._truncate_at_s, now_s):
            self._truncate_at_s = None
            self._index.truncate()

    def _remember_to_truncate(self) -> None:
        if self._truncate_at_s is None and self._index.owes_truncation:
            self._truncate_at_s = self._clock() + self._truncate_after_s

    def _step(self, now_s: float) -> None:
        """Index one chunk, and rest for the time it took: half a core at most, however much there is to do."""
        self._step_at_s = None
        began_s = self._computed_s()
        if self._index.step():
            self._step_at_s = self._clock() + (self._computed_s() - began_s)
        self._tell(now_s)

    def _tell(self, now_s: float) -> None:
        """Report the progress, if the index is far behind or was until now."""
        if self._index.is_whole and not self._is_telling:
            return
        if now_s < self._told_at_s + TELL_EVERY_S and not self._index.is_whole:
            return
        progress = IndexProgress(self._index.indexed_to, max(self._index.indexed_to, self._source.last_seq()))
        if not self._is_telling and progress.last_seq - progress.indexed_to < _LONG_WAY:
            return
        self._told_at_s = now_s
        self._is_telling = not self._index.is_whole
        self._on_progress(progress)


def _is_due(at_s: float | None, now_s: float) -> bool:
    return at_s is not None and now_s >= at_s
