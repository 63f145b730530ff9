"""A store that is looked at over its shoulder: whatever it commits, a `Transcript` hears of and judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from securechat.storage.store import DatabaseBusy
from tests.simulation.checkers.stored import stored

if TYPE_CHECKING:
    from securechat.records.log import LogState
    from securechat.storage.sqlite.store import SqliteStore
    from securechat.storage.store import CommitResult, StoreWrite
    from securechat.testing.memory_store import MemoryStore
    from tests.simulation.checkers.transcript import Transcript


class WatchedStore:
    """A `Store` that is another one.

    Args:
        store: which.
        transcript: hears what was committed, before anybody else does.
        is_locked: whether another program holds the database now.

    Attributes:
        store: the other one.
    """

    def __init__(
        self, store: MemoryStore | SqliteStore, transcript: Transcript, is_locked: Callable[[], bool] = lambda: False
    ) -> None:
        self.store = store
        self._is_locked = is_locked
        self._transcript = transcript

    def open(self) -> LogState:
        """Open it, and look whether all is still there; see `Store.open`."""
        state = self.store.open()
        self._transcript.opened(stored(self.store), state.room_records.room_records)
        return state

    def apply(self, writes: Sequence[StoreWrite], *, refuse_fresh: bool = False) -> CommitResult:
        """Make a batch durable; see `Store.apply`."""
        if self._is_locked():
            raise DatabaseBusy("simulated")
        self._transcript.attempted(writes)
        applied = self.store.apply(writes, refuse_fresh=refuse_fresh)
        self._transcript.applied(writes, applied)
        return applied

    def answer(self, writes: Sequence[StoreWrite]) -> CommitResult:
        """Answer without storing; see `Store.answer`."""
        applied = self.store.answer(writes)
        self._transcript.answered(writes, applied)
        return applied

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other one's."""
        return getattr(self.store, name)
