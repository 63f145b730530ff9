"""Group commit: writes a batch to the store and falls back in three steps when the disk is full.

The steps (promise 5):

1. Free space under ``low_disk_bytes``: new drafts are refused up front. The space that is left serves the answers to
   retries, and members who join and leave.
2. A transaction found no space and was rolled back whole: the same batch is written again, without its new drafts.
3. No space even for that: every write is answered from the stored data, and nothing is written. Senders that are known
   get in, to read. Names that were claimed, changed or released meanwhile are kept and written with the next batch, in
   order.

Any other failure ends the log: `commit` raises LogError, and its owner must never call it again. No write of that batch
is answered, because its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from securechat.limits import Limits
from securechat.model import Draft, LogEntry, Revision
from securechat.records.log import Identity, NotAppended
from securechat.storage.store import (
    ERASE_WITHIN_S,
    CommitResult,
    DiskFull,
    IdentifySender,
    QueryTooExpensive,
    ReleaseName,
    RenameSender,
    Store,
    StoreWrite,
    WriteOutcome,
)
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")

PendingWrite: TypeAlias = tuple[StoreWrite, Callable[[Any], None] | None]
"""A write, and the callback that gets its outcome."""

LOOK_EVERY_S = 1.0
"""Longest interval between two checks of free space; also checked when drafts may have used a quarter of
low_disk_bytes."""
_ERASE_TRIES = 30
"""An erasure starts at half of its time limit and is retried this many times in the other half."""
_DRAFT_BYTES = 1024
_CHAR_BYTES = 8
"""Disk space of a draft, at most: up to four bytes a character, once in the journal and once in the table."""


class CommittedBatch(Struct, gc=False):
    """A committed batch to be delivered on the loop's thread."""

    answers: list[tuple[Callable[[Any], None], Any]]
    fresh: list[LogEntry]

    def deliver(self, on_commit: Callable[[Sequence[LogEntry]], None]) -> None:
        """Call every ``done`` in order, then ``on_commit``, as hub/interfaces.py promises."""
        for done, outcome in self.answers:
            done(outcome)
        on_commit(self.fresh)


class GroupCommitter:
    """Writes batches to a store.

    Args:
        store: an open store.
        limits: the source of low_disk_bytes.
        free_bytes: free space of the store's file system; called at most once in LOOK_EVERY_S.
        clock: monotonic seconds.
        erase_within_s: the time limit for removing edited or deleted text from the files too.
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
        self._written_bytes = 0  # since the last check, at most
        self._owed: dict[tuple[type[StoreWrite], int], StoreWrite] = {}
        self._erase_within_s = erase_within_s
        self._erase_at_s: float | None = None

    def commit(self, entries: Sequence[PendingWrite]) -> CommittedBatch:
        """Make the entries durable, or refuse them.

        Raises:
            LogError: their outcome is unknown; the log must stop.
        """
        owed = list(self._owed.values())
        writes = owed + [write for write, _ in entries]
        applied = self._apply(writes)
        outcomes = applied.outcomes[len(owed) :]
        answers = [(done, outcome) for (_, done), outcome in zip(entries, outcomes, strict=True) if done is not None]
        return CommittedBatch(answers, applied.fresh)

    def settle(self) -> None:
        """Write the names that are still to be written, at the end of the log. Raises as `commit`."""
        if self._owed:
            self.commit(())

    def tidy(self, *, idle: bool) -> None:
        """Let the store clean up; a full disk prevents it without loss. Raises LogError."""
        with suppress(DiskFull):  # the journal keeps what the database cannot take yet
            self._store.tidy(idle=idle)
            self._erase()

    def erase_in_s(self) -> float | None:
        """Seconds until `tidy` must be called even if nothing is written; None when it need not be."""
        return None if self._erase_at_s is None else max(0.0, self._erase_at_s - self._clock())

    def _erase(self) -> None:
        """Erase at half of the time limit, so that an hour of edits costs few checkpoints; retry until it succeeds."""
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
        answered = self._store.answer(writes)
        self._owe(writes, answered.outcomes)
        return answered

    def _look(self) -> bool:
        """Whether space was low at the last check."""
        now_s = self._clock()
        if now_s >= self._look_at_s or self._written_bytes >= self._limits.low_disk_bytes // 4:
            self._look_at_s = now_s + LOOK_EVERY_S
            self._written_bytes = 0
            self._is_low = self._free_bytes() < self._limits.low_disk_bytes
        return self._is_low

    def _owe(self, writes: Sequence[StoreWrite], outcomes: Sequence[WriteOutcome]) -> None:
        """Remember the last login, rename and release of each sender, the latest last: few per member online."""
        for write, outcome in zip(writes, outcomes, strict=True):
            match write, outcome:
                case (RenameSender() | ReleaseName(), _):
                    self._owe_last(write, write.sender_id)
                case (IdentifySender(), Identity()):  # without the use of a login: it is not applied in memory either
                    self._owe_last(replace(write, changes=()), outcome.stream)

    def _owe_last(self, write: StoreWrite, sender_id: int) -> None:
        key = (type(write), sender_id)
        self._owed.pop(key, None)
        self._owed[key] = write


def answer_reading(read: Callable[[], _T]) -> _T | NotAppended:
    """Read, or answer that the query was too expensive. Raises LogError."""
    try:
        return read()
    except QueryTooExpensive:
        return NotAppended.of(refusal_for("query_too_expensive"))
