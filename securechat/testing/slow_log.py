"""A log that takes its time: `InlineLog` with the delays of a disk and of two threads, on a simulated clock.

As in `securechat.log.worker.SqliteLog`, a batch is first durable and later told to the loop, and a reader may see a
commit before the loop has fanned it out. A crash may come at every one of those moments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from securechat.errors import LogError
from securechat.hub.ports import NotAppended
from securechat.limits import Limits
from securechat.log.inline import InlineLog
from securechat.log.store import Store

_T = TypeVar("_T")
Later = Callable[[Callable[[], None]], None]


class SlowLog(InlineLog):
    """An `InlineLog` whose answers are late.

    Args:
        store: where messages live.
        limits: as for `InlineLog`.
        write_later: lets the writing thread do something, when it gets to it.
        read_later: the same for the reading thread.
        deliver: lets the loop do something, soon, in order.
        free_bytes: free space.
        clock: monotonic seconds.
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
    ) -> None:
        super().__init__(store, limits, write_later, free_bytes=free_bytes, clock=clock)
        self._soon = read_later
        self._deliver = deliver

    @property
    def waiting(self) -> int:
        """Drafts taken and not yet committed."""
        return self._waiting

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
