"""A log that takes its time: `InlineLog` with the delays of a disk and of three threads, on a simulated clock.

As in `securechat.storage.threaded_log.ThreadedLog`, a batch is first durable and later told to the loop, and a reader
may see a commit before the loop has fanned it out. A crash may come at every one of those moments.

Where the store has a place for an index, the real `IndexMaintainer` keeps one there, and is called when its deadlines
come: what `securechat.storage.search.thread` does with a thread is done here with the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import LogEntry
from securechat.records.log import LogState, NotAppended
from securechat.records.queries import SearchQuery, SearchRows
from securechat.storage.group_commit import PendingWrite
from securechat.storage.search.index import STRETCH
from securechat.storage.search.maintenance import IndexMaintainer
from securechat.storage.store import Store, removes
from securechat.testing.inline_log import InlineLog

_T = TypeVar("_T")
Later = Callable[[Callable[[], None]], None]
CallAt = Callable[[float, Callable[[], None]], object]

_STRETCH_S = 0.02
"""The time to compute a chunk of the index, of any size: the maintainer rests as long after it."""


class SlowLog(InlineLog):
    """An `InlineLog` whose answers are late.

    Args:
        store: where messages live.
        limits: as for `InlineLog`.
        write_later: lets the writing thread do something, when it gets to it.
        read_later: the same for the reading thread, and for the searching one when it is asked something.
        deliver: lets the loop do something, soon, in order.
        free_bytes: free space.
        clock: monotonic seconds.
        call_at: lets something happen at a monotonic second; without it, no index is kept, and each search makes one.
        stretch: seqs that the index takes in at once; few of them let a short log be a long one.

    Attributes:
        keeper: the maintainer of the index, while the log is open and where it can have one.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        *,
        write_later: Later,
        read_later: Later,
        deliver: Later,
        free_bytes: Callable[[], int],
        clock: Callable[[], float],
        call_at: CallAt | None = None,
        stretch: int = STRETCH,
    ) -> None:
        super().__init__(store, limits, write_later, free_bytes=free_bytes, clock=clock)
        self.keeper: IndexMaintainer | None = None
        self._soon = read_later
        self._deliver = deliver
        self._clock = clock
        self._call_at = call_at
        self._chunk = stretch
        self._wakes_at_s: float | None = None
        self._computed_s = 0.0

    @property
    def waiting(self) -> int:
        """Drafts taken and not yet committed."""
        return self._waiting

    def start(
        self, on_commit: Callable[[Sequence[LogEntry]], None], on_failure: Callable[[Exception], None]
    ) -> LogState:
        """Open the store and begin; the index is opened, or made, a little later."""
        state = super().start(on_commit, on_failure)
        site = self.store.search_site
        if site is not None and self._call_at is not None:
            self.keeper = IndexMaintainer(site, self._clock, computed_s=self._compute, stretch=self._chunk)
            self._rearm()
        return state

    def search(self, query: SearchQuery, done: Callable[[SearchRows | NotAppended], None]) -> None:
        """Find committed messages, by the index if one is kept; see `MessageLog.search`."""
        if self.keeper is None:
            super().search(query, done)
        else:
            self._read_later(lambda: self._search(query), done)

    def _read_later(self, read: Callable[[], _T], done: Callable[[_T | NotAppended], None]) -> None:
        """Read when the reading thread gets to it, and tell the loop later still."""
        self._soon(lambda: self._read(read, lambda answer: self._deliver(lambda: done(answer))))

    def _work(self) -> None:
        self._posted = False
        if not self._open or not self._queue or self.failure is not None:
            return
        self._commit(self._deliver)
        if self._queue and not self._posted:
            self._posted = True
            self._post(self._work)

    def _fail(self, error: LogError) -> None:
        if self.failure is None:
            self.failure = error
            self._deliver(lambda: self._on_failure(error))

    # --- The index ------------------------------------------------------------------------------------------------

    def _committed(self, entries: Sequence[PendingWrite]) -> None:
        if self.keeper is not None:
            self.keeper.committed(vanished=any(removes(write) for write, _ in entries))
            self._rearm()

    def _search(self, query: SearchQuery) -> SearchRows | NotAppended:
        assert self.keeper is not None, "the log is open"
        try:
            return self.keeper.search(query)
        finally:
            self._rearm()

    def _rearm(self) -> None:
        """See to it that the keeper is called at its deadline, or before."""
        assert self.keeper is not None
        assert self._call_at is not None
        at_s = self.keeper.deadline()
        if at_s is not None and (self._wakes_at_s is None or at_s < self._wakes_at_s):
            self._wakes_at_s = at_s
            self._call_at(at_s, lambda: self._keep(at_s))

    def _keep(self, at_s: float) -> None:
        if not self._open or self.failure is not None or self.keeper is None or at_s != self._wakes_at_s:
            return  # out of date: an earlier deadline was set meanwhile
        self._wakes_at_s = None
        try:
            self.keeper.work()
        except LogError as error:
            self._fail(error)
        else:
            self._rearm()

    def _compute(self) -> float:
        """A watch that only goes on when it is looked at."""
        self._computed_s += _STRETCH_S
        return self._computed_s

    def _close_store(self, *, failed: bool) -> None:
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.close(failed=failed)
        super()._close_store(failed=failed)
