"""Group commit: writes a batch to the store and falls back in three steps when the disk is full.

The steps (promise 5):

1. Free space under ``low_disk_bytes``: new drafts are refused up front. The space that is left serves the answers to
   retries, and members who join and leave.
2. A transaction found no space and was rolled back whole: the same batch is written again, without its new drafts.
3. No space even for that: every write is answered from the stored data, and nothing is written. Senders that are known
   get in, to read. Names that were claimed, changed or released meanwhile are kept and written with the next batch, in
   order.

A database that another process holds is none of these: `commit` raises DatabaseBusy, and its caller makes the same call
again, with the same entries in the same order.

Any other failure ends the log: `commit` raises LogError, and its owner must never call it again. No write of that batch
is answered, because its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from securechat.limits import Limits
from securechat.model import LogEntry
from securechat.records.log import Identity, NotAppended
from securechat.storage.conditions import DiskCondition, DiskConditions
from securechat.storage.store import (
    ERASE_WITHIN_S,
    MESSAGE_WRITES,
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
from securechat.text.durations import logged_duration, logged_time
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")

PendingWrite: TypeAlias = tuple[StoreWrite, Callable[[Any], None] | None]
"""A write, and the callback that gets its outcome."""

LOOK_EVERY_S = 1.0
"""Longest interval between two checks of free space and of times; also checked when drafts may have used a quarter of
low_disk_bytes."""
IDLE_LOOK_EVERY_S = 10.0
"""The same while nothing is written: other programs fill disks too, and a server that is asked for nothing because its
disk is full must notice that there is space again. A look takes 2 us."""
LOW_FACTOR = 4
"""Space is low under so many times low_disk_bytes: 256 MiB, some hours before the end on a busy server."""
FUTURE_MS = 300_000
"""A message from up to five minutes ahead is a clock that was set right since: Kerberos allows as much (RFC 4120)."""
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
        report: called with a sentence about the disk for the operator, and whether a condition began or ended.
        wall_ms: UTC milliseconds, to notice that messages are from the future; None where that is not looked for.
        directory: the data directory, for commands in those sentences.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        free_bytes: Callable[[], int],
        clock: Callable[[], float],
        *,
        erase_within_s: float = ERASE_WITHIN_S,
        report: Callable[[str, bool], None] = lambda _sentence, _began: None,
        wall_ms: Callable[[], int] | None = None,
        directory: Path = Path(),
    ) -> None:
        self._wall_ms = wall_ms
        self.conditions = DiskConditions(report, clock, directory)
        self._store = store
        self._limits = limits
        self._free_bytes = free_bytes
        self._clock = clock
        self._looked_at_s = float("-inf")
        self._is_low = False
        self._written_bytes = 0  # since the last check, at most
        self._owed: dict[tuple[type[StoreWrite], int], StoreWrite] = {}
        self._erase_within_s = erase_within_s
        self._erase_at_s: float | None = None

    def commit(self, entries: Sequence[PendingWrite]) -> CommittedBatch:
        """Make the entries durable, or refuse them.

        Raises:
            DatabaseBusy: nothing was stored; the same entries must be committed again, before any others.
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
            if self._store.held_bytes:
                self.conditions.met(DiskCondition.JOURNAL_HELD, self._store.held_bytes >> 20)
            else:
                self.conditions.passed(DiskCondition.JOURNAL_HELD, for_certain=True)

    def look_at_times(self) -> None:
        """Report when the newest entry is from the future: after a clock was set ahead, or is slow now."""
        if self._wall_ms is None:
            return
        now_ms, newest_ms = self._wall_ms(), self._store.newest_at_ms
        if newest_ms > now_ms + FUTURE_MS:
            ahead = logged_duration((newest_ms - now_ms) / 1000)
            self.conditions.met(DiskCondition.FUTURE, f"{logged_time(newest_ms)}, {ahead}")
        elif newest_ms <= now_ms:
            self.conditions.passed(DiskCondition.FUTURE, for_certain=True)

    def erase_in_s(self) -> float | None:
        """Seconds until `tidy` must be called even if nothing is written; None when it need not be."""
        return None if self._erase_at_s is None else max(0.0, self._erase_at_s - self._clock())

    def look_in_s(self) -> float:
        """Seconds until `look_at_disk` must be called even if nothing is written."""
        every_s = LOOK_EVERY_S if self.conditions.holds(DiskCondition.FULL) else IDLE_LOOK_EVERY_S
        return max(0.0, self._looked_at_s + every_s - self._clock())

    def look_at_disk(self) -> None:
        """Look at the free space without a write.

        A disk that took no write, although it has space (a quota), counts as full until a write succeeds, or for as
        long as `DiskConditions` waits after the last that failed: nothing else tells that the space is back.
        """
        if not self._look():
            self.conditions.passed(DiskCondition.FULL)

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
            _DRAFT_BYTES + _CHAR_BYTES * len(write.text) for write in writes if isinstance(write, MESSAGE_WRITES)
        )
        for refuse_fresh in (False, True)[is_low:]:
            try:
                applied = self._store.apply(writes, refuse_fresh=refuse_fresh)
            except DiskFull:
                self.conditions.met(DiskCondition.FULL, "a write found no space")
                continue
            self._owed.clear()
            if not refuse_fresh:
                self.conditions.passed(DiskCondition.FULL)
            return applied
        answered = self._store.answer(writes)
        self._owe(writes, answered.outcomes)
        return answered

    def _look(self) -> bool:
        """Whether space was low at the last check; times are checked along with it."""
        now_s = self._clock()
        if now_s >= self._looked_at_s + LOOK_EVERY_S or self._written_bytes >= self._limits.low_disk_bytes // 4:
            self._looked_at_s = now_s
            self._written_bytes = 0
            self.look_at_times()
            free_bytes = self._free_bytes()
            was_low, self._is_low = self._is_low, free_bytes < self._limits.low_disk_bytes
            if self._is_low:
                self.conditions.met(
                    DiskCondition.FULL,
                    f"{free_bytes >> 20} MiB are free, and {self._limits.low_disk_bytes >> 20} MiB are kept in reserve",
                )
            elif was_low:
                self.conditions.passed(DiskCondition.FULL, for_certain=True)
            self._look_whether_low(free_bytes)
        return self._is_low

    def _look_whether_low(self, free_bytes: int) -> None:
        """Warn before the disk is full; a full one is told already."""
        reserve_bytes = self._limits.low_disk_bytes
        if reserve_bytes <= free_bytes < LOW_FACTOR * reserve_bytes:
            detail = f"{free_bytes >> 20} MiB are free, and under {reserve_bytes >> 20} MiB new messages are refused"
            self.conditions.met(DiskCondition.LOW, detail)
        elif free_bytes >= reserve_bytes:
            self.conditions.passed(DiskCondition.LOW)

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
