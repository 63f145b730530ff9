"""What happens to a batch, with threads or without: degrade when the disk is full, stop for ever when it lies.

The rules of a full disk, from mild to hard (promise 5):

1. Free space under ``low_disk_bytes``: new drafts are refused up front. Retries are answered, people come and go, in
   the space that is left for them.
2. A transaction that found no space was rolled back whole: the same batch once more, without its new drafts.
3. No space even for that: everybody is answered from what is stored, and nothing is written. Names that were changed
   or released meanwhile are owed, and go with the next batch, in order.

Everything else that fails ends the log: `commit` raises LogError, and its owner must never call it again. Nobody is
told anything about that batch, because its fate is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from securechat.errors import ErrorCode
from securechat.hub.interfaces import NotAppended
from securechat.limits import Limits
from securechat.model import Draft, LogEntry, Revision
from securechat.storage.store import (
    ERASE_WITHIN_S,
    CommitResult,
    DiskFull,
    QueryTooExpensive,
    ReleaseName,
    RenameSender,
    Store,
    StoreWrite,
)

_T = TypeVar("_T")

PendingWrite: TypeAlias = tuple[StoreWrite, Callable[[Any], None] | None]
"""A write, and who hears of its outcome."""

LOOK_EVERY_S = 1.0
"""How often free space is asked for, at least; also when drafts may have taken a quarter of low_disk_bytes."""
_ERASE_TRIES = 30
"""An erasure is tried at half of its time and then this often in the other half."""
_DRAFT_BYTES = 1024
_CHAR_BYTES = 8
"""What a draft may take on the disk: up to four bytes a character, once in the journal and once in the table."""


class CommittedBatch(Struct, gc=False):
    """A committed batch on its way to the loop."""

    answers: list[tuple[Callable[[Any], None], Any]]
    fresh: list[LogEntry]

    def deliver(self, on_commit: Callable[[Sequence[LogEntry]], None]) -> None:
        """Call every ``done`` in order, then ``on_commit``: the order that ports.py promises."""
        for done, outcome in self.answers:
            done(outcome)
        on_commit(self.fresh)


class GroupCommitter:
    """Takes batches to a store.

    Args:
        store: an open store.
        limits: low_disk_bytes is its.
        free_bytes: free space where the store lives; asked about once in LOOK_EVERY_S.
        clock: monotonic seconds.
        erase_within_s: when what was edited away or deleted is gone from the files too.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        free_bytes: Callable[[], int],
        clock: Callable[[], float],
        *,
        erase_within_s: float = ERASE_WITHIN_S,
    ) -> None:
        self._store = store
        self._limits = limits
        self._free_bytes = free_bytes
        self._clock = clock
        self._look_at_s = clock()
        self._is_low = False
        self._written_bytes = 0  # since the last look, at most
        self._owed: dict[tuple[type[StoreWrite], int], StoreWrite] = {}
        self._erase_within_s = erase_within_s
        self._erase_at_s: float | None = None

    def commit(self, entries: Sequence[PendingWrite]) -> CommittedBatch:
        """Make the entries durable, or refuse them.

        Raises:
            LogError: their fate is unknown; the log must stop.
        """
        owed = list(self._owed.values())
        writes = owed + [write for write, _ in entries]
        applied = self._apply(writes)
        outcomes = applied.outcomes[len(owed) :]
        answers = [(done, outcome) for (_, done), outcome in zip(entries, outcomes, strict=True) if done is not None]
        return CommittedBatch(answers, applied.fresh)

    def settle(self) -> None:
        """Write what is owed, if anything is; for the end of the log. Raises as `commit`."""
        if self._owed:
            self.commit(())

    def tidy(self, *, idle: bool) -> None:
        """Let the store clean up; a full disk keeps it from that, but loses nothing. Raises LogError."""
        with suppress(DiskFull):  # the journal keeps what the database cannot take yet
            self._store.tidy(idle=idle)
            self._erase()

    def erase_in_s(self) -> float | None:
        """When `tidy` wants to be called though nothing is written; None when it does not matter."""
        return None if self._erase_at_s is None else max(0.0, self._erase_at_s - self._clock())

    def _erase(self) -> None:
        """Erase at half of the time there is, so that an hour of edits costs few checkpoints; then until it is done."""
        if self._erase_at_s is None:
            if self._store.erasing:
                self._erase_at_s = self._clock() + self._erase_within_s / 2
        elif self._clock() >= self._erase_at_s:
            self._erase_at_s = self._clock() + self._erase_within_s / 2 / _ERASE_TRIES
            self._store.erase()
            if not self._store.erasing:
                self._erase_at_s = None

    def _apply(self, writes: Sequence[StoreWrite]) -> CommitResult:
        is_low = self._look()
        self._written_bytes += sum(
            _DRAFT_BYTES + _CHAR_BYTES * len(write.text) for write in writes if isinstance(write, Draft | Revision)
        )
        for refuse_fresh in (False, True)[is_low:]:
            try:
                applied = self._store.apply(writes, refuse_fresh=refuse_fresh)
            except DiskFull:
                continue
            self._owed.clear()
            return applied
        self._owe(writes)
        return self._store.answer(writes)

    def _look(self) -> bool:
        """Whether space is low, as of the last look."""
        now_s = self._clock()
        if now_s >= self._look_at_s or self._written_bytes >= self._limits.low_disk_bytes // 4:
            self._look_at_s = now_s + LOOK_EVERY_S
            self._written_bytes = 0
            self._is_low = self._free_bytes() < self._limits.low_disk_bytes
        return self._is_low

    def _owe(self, writes: Sequence[StoreWrite]) -> None:
        """Remember the last rename and release of each sender, the latest last: bounded by who was online."""
        for write in writes:
            if isinstance(write, RenameSender | ReleaseName):
                key = (type(write), write.sender_id)
                self._owed.pop(key, None)
                self._owed[key] = write


def answer_reading(read: Callable[[], _T]) -> _T | NotAppended:
    """Read, or say that it was too much. Raises LogError."""
    try:
        return read()
    except QueryTooExpensive:
        return NotAppended(ErrorCode.BUSY, "that takes too long to gather: ask for fewer rooms at once")
