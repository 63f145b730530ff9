"""`SqliteStore`: batches in, one synced transaction each, outcomes out. The only SQL, with its three neighbours.

It promises: when `apply` returns, the batch survives ``kill -9`` and a power cut (WAL, synchronous=FULL: the commit is
one fsync of the journal; NORMAL lost acknowledged rows in 189 of 226 simulated cuts). When `apply` raises `NoSpace`,
nothing was stored. When it raises `LogError`, the fate of the batch is unknown and nobody may be told anything:
after a failed fsync the kernel may have dropped the pages, and SQLite would happily go on acknowledging.

A batch is a handful of statements, not one per row. A thread takes the GIL back after every step of a statement, and
beside a busy loop that may cost a switch interval each time: 256 rows by executemany took 110 ms, as one INSERT with
256 rows of VALUES 4 ms (two cores, 0.5 ms interval); on an idle machine both take 2 ms.

It refuses to know threads, queues, callbacks, and what any of this means to a chat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import apsw

from securechat.errors import LogError
from securechat.hub.people import AuditEntry
from securechat.hub.ports import Appended, AppendOutcome, HistoryQuery, HistoryRows, LogState
from securechat.limits import KIB, Limits
from securechat.log import people, records, senders
from securechat.log.audit import read_audit
from securechat.log.directory import DirectoryLock, make_directory, make_private
from securechat.log.history import HistoryReader
from securechat.log.schema import migrate
from securechat.log.store import (
    DISK_FULL,
    NO_ENTRY,
    NOT_RECORDED,
    Applied,
    Identify,
    NoSpace,
    Outcome,
    Record,
    Release,
    Rename,
    Write,
    judge,
    looks_at_messages,
)
from securechat.model import Draft, Message

DATABASE = "securechat.db"
LOCK = "securechat.lock"

_CHUNK_ROWS = 256
"""Rows per INSERT: 8 columns of them are 2,048 of SQLite's 32,766 parameters."""
_REMEMBERED = 32_768
"""Streams, and conversations, whose last number is kept in memory: some 5 MiB each. When full, all are forgotten."""
_BUSY_MS = 5_000
"""How long to wait for an operator's tool that holds the database, before that counts as a failure."""

_CHECKPOINT_WAIT_MS = 50
"""How long a commit may wait for readers so that the journal can start anew; a long reader held every batch for 5 s."""


_CONVERSATION = """
SELECT conversation, max(deleted_seq, ifnull(
    (SELECT max(seq) FROM messages AS m WHERE m.conversation = c.conversation), 0))
FROM conversations AS c WHERE conversation = ifnull(
    (SELECT conversation FROM conversations WHERE room = ?1),
    (SELECT conversation FROM conversations WHERE low = ?2 AND high = ?3))
"""


def utc_ms() -> int:
    """The wall clock, milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SqliteStore:
    """The log in one SQLite database.

    Args:
        directory: the data directory; made (0700) if missing.
        limits: wal_bytes and name_reservation_s are its.
        wall_ms: UTC milliseconds; what messages are stamped with, never decreasing by seq.
        vfs: the name of an apsw VFS to work on (tests, simulation); None for the operating system.
        shared: False keeps other connections out and reads on the writing connection: for a VFS without shared memory.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        *,
        wall_ms: Callable[[], int] = utc_ms,
        vfs: str | None = None,
        shared: bool = True,
    ) -> None:
        self.directory = directory
        self._limits = limits
        self._wall_ms = wall_ms
        self._vfs = vfs
        self._shared = shared
        self._lock: DirectoryLock | None = None
        self._writer: apsw.Connection | None = None
        self._reading: apsw.Connection | None = None
        self._reader: HistoryReader | None = None
        self._wal_bytes = 0
        self._patient_at_bytes = 4 * limits.wal_bytes
        self._last_seq = 0
        self._last_sent_at_ms = 0
        self._last_client_ids: dict[int, int] = {}
        self._conversations: dict[str | tuple[int, int], list[int]] = {}  # its number, and its last seq

    # --- Opening and closing --------------------------------------------------------------------------------------

    def open(self) -> LogState:
        """Lock, open, recover, migrate; see `Store.open`."""
        make_directory(self.directory)
        self._lock = DirectoryLock(self.directory / LOCK)
        try:
            return self._open_database(self.directory / DATABASE)
        except BaseException as error:
            self.close(failed=True)
            if isinstance(error, apsw.Error | OSError):
                raise LogError(f"cannot open the message log in {self.directory}: {error}") from error
            raise

    def _open_database(self, path: Path) -> LogState:
        if self._vfs is None:
            make_private(path)
        writer = self._writer = apsw.Connection(str(path), vfs=self._vfs)
        writer.set_busy_timeout(_BUSY_MS)
        if not self._shared:
            writer.pragma("locking_mode", "EXCLUSIVE")
        if writer.pragma("journal_mode", "WAL") != "wal":
            raise LogError(f"the file system of {self.directory} cannot hold a write-ahead log: use a local disk")
        writer.pragma("synchronous", "FULL")
        writer.wal_autocheckpoint(0)  # our own times: see tidy()
        writer.pragma("secure_delete", True)  # what is scrubbed or dropped leaves no bytes behind in free pages
        writer.pragma("journal_size_limit", self._limits.wal_bytes)
        migrate(writer)
        # No quick_check: it reads the whole database (seconds per million rows), and start has 300 ms. Damage is
        # found when the page is met, and then ends the log; `PRAGMA integrity_check` is the operator's tool.
        self._load_last()
        now_ms = self._wall_ms()
        oldest_ms = now_ms - int(self._limits.name_reservation_s * 1000)
        reservations = senders.open_reservations(writer, now_ms, oldest_ms)
        state = LogState(self._last_seq, reservations, records.load(writer))
        if self._shared:
            self._reading = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=self._vfs)
            self._reading.set_busy_timeout(_BUSY_MS)
        self._reader = HistoryReader(self._reading or writer)
        self._wal_bytes = 0
        return state

    def _load_last(self) -> None:
        """Continue where the log ends, deleted rows included; forget what was remembered of it."""
        self._last_client_ids.clear()
        self._conversations.clear()
        ((self._last_seq, self._last_sent_at_ms),) = self._execute(
            """SELECT max(ifnull((SELECT max(seq) FROM messages), 0),
                          ifnull((SELECT max(deleted_seq) FROM conversations WHERE deleted_seq > 0), 0)),
                      ifnull((SELECT sent_at_ms FROM messages ORDER BY seq DESC LIMIT 1), 0)"""
        )

    def close(self, *, failed: bool = False) -> None:
        """Close everything; after a failure leave the files exactly as they are: closing must not checkpoint."""
        reading, self._reading, self._reader = self._reading, None, None
        writer, self._writer = self._writer, None
        try:
            if reading is not None:
                reading.close()
            if writer is not None:
                writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(failed))
                writer.close()
        except apsw.Error as error:
            if not failed:
                raise LogError(f"cannot close the message log: {error}") from error
        finally:
            if self._lock is not None:
                self._lock.release()

    # --- Writing --------------------------------------------------------------------------------------------------

    def apply(self, writes: Sequence[Write], *, refuse_fresh: bool = False) -> Applied:
        """Make a batch durable; see `Store.apply`."""
        self._forget_if_full()
        try:
            self._execute("BEGIN IMMEDIATE")
            applied = self._apply(writes, refuse_fresh=refuse_fresh)
            self._execute("COMMIT")
        except BaseException as error:
            raise self._roll_back(error) from error
        # What the commit wrote to the journal, without asking the file system; a frame header is 24 bytes.
        pages, _ = self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, reset=True)
        self._wal_bytes += pages * (4 * KIB + 24)
        return applied

    def _apply(self, writes: Sequence[Write], *, refuse_fresh: bool) -> Applied:
        """Everything between BEGIN and COMMIT.

        People first, then messages: the two meet in no table. Where a record does look at messages, a new stretch
        begins: it finds every draft before it in its table, and none of those after it.
        """
        now_ms = self._wall_ms()
        batch = _Batch(max(now_ms, self._last_sent_at_ms))
        outcomes: list[Outcome] = []
        for stretch in _stretches(writes):
            told = people.write(self._db, people.people_of(stretch), now_ms, self._last_seq)
            outcomes += [
                self._take(write, batch, refuse_fresh=refuse_fresh) if type(write) is Draft else next(told)
                for write in stretch
            ]
            self._insert("messages", batch.message_rows)
            self._insert("drafts", batch.draft_rows)
            batch.message_rows, batch.draft_rows = [], []
        if batch.fresh:
            self._last_sent_at_ms = batch.sent_at_ms
        if len(batch.fresh) < len(writes):
            outcomes = senders.with_last_client_ids(self._db, outcomes)
        return Applied(outcomes, batch.fresh)

    def _take(self, draft: Draft, batch: _Batch, *, refuse_fresh: bool) -> AppendOutcome:
        """Give a fresh draft the next seq, and tell a retry what became of the first copy."""
        sender_id, client_id = draft.sender_id, draft.client_id
        stream = draft.stream or sender_id
        last = self._last_client_ids.get(stream)
        if last is None:
            last = self._last_client_ids[stream] = self._value(
                "SELECT ifnull(max(client_id), 0) FROM drafts WHERE stream = ?", stream
            )
        if client_id <= last:
            stored_seq = batch.seqs.get((stream, client_id)) or self._stored_seq(stream, client_id)
            outcome = judge(client_id, last, stored_seq)
            assert outcome is not None
            return outcome
        if refuse_fresh:
            return DISK_FULL
        to = draft.to
        place = draft.room if to is None else (sender_id, to) if sender_id <= to else (to, sender_id)
        assert place is not None
        conversation = self._conversations.get(place)
        if conversation is None:
            conversation = self._conversations[place] = self._open_conversation(place)
        seq = self._last_seq = self._last_seq + 1
        prev, conversation[1] = conversation[1], seq
        self._last_client_ids[stream] = client_id
        batch.seqs[stream, client_id] = seq
        batch.draft_rows.append((stream, client_id, seq))
        at_ms, name, text = batch.sent_at_ms, draft.name, draft.text
        batch.message_rows.append((seq, conversation[0], prev, sender_id, name, draft.to_name, at_ms, text))
        batch.fresh.append(Message(seq, prev, sender_id, name, at_ms, text, draft.room, to, draft.to_name))
        return Appended(seq)

    def answer(self, writes: Sequence[Write]) -> Applied:
        """Answer without storing; see `Store.answer`."""
        outcomes: list[Outcome] = []
        try:
            for write in writes:
                match write:
                    case Draft():
                        stream = write.stream or write.sender_id
                        last = self._value("SELECT ifnull(max(client_id), 0) FROM drafts WHERE stream = ?", stream)
                        stored_seq = self._stored_seq(stream, write.client_id)
                        outcomes.append(judge(write.client_id, last, stored_seq) or DISK_FULL)
                    case Identify():
                        outcomes.append(NO_ENTRY)
                    case Record():
                        outcomes.append(NOT_RECORDED)
                    case Rename() | Release():
                        outcomes.append(None)
        except apsw.Error as error:
            raise _failure(error) from error
        return Applied(outcomes, [])

    def _roll_back(self, error: BaseException) -> BaseException:
        """Undo the batch; return what the caller must be told.

        Raises:
            LogError: it cannot be undone.
        """
        try:
            if self._db.in_transaction:
                self._execute("ROLLBACK")
            self._load_last()
        except apsw.Error as second:
            raise LogError(f"the message log failed ({error}) and could not undo it ({second})") from error
        if isinstance(error, apsw.FullError):
            return NoSpace(str(error))
        return _failure(error) if isinstance(error, apsw.Error) else error

    # --- The journal ----------------------------------------------------------------------------------------------

    def tidy(self, *, idle: bool) -> None:
        """Checkpoint: at a sixteenth of wal_bytes when nothing waits, at wal_bytes also when busy.

        PASSIVE waits for nobody, and the next commit then starts the journal anew, unless a reader is in it at that
        very moment. Should readers manage that for long, RESTART at four times the size waits for them a moment, and
        again for each wal_bytes more.

        Raises:
            NoSpace: the database cannot grow; the journal keeps what it has, nothing is lost.
            LogError: a write or sync failed.
        """
        if self._wal_bytes < (self._limits.wal_bytes // 16 if idle else self._limits.wal_bytes):
            return
        patient = self._wal_bytes >= self._patient_at_bytes
        mode = apsw.SQLITE_CHECKPOINT_RESTART if patient else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            self._db.set_busy_timeout(_CHECKPOINT_WAIT_MS if patient else _BUSY_MS)
            frames, moved = self._db.wal_checkpoint(mode=mode)
        except apsw.BusyError:  # somebody reads on, a backup perhaps: not every batch may pay for that
            self._patient_at_bytes = self._wal_bytes + self._limits.wal_bytes
            return
        except apsw.FullError as error:
            raise NoSpace(str(error)) from error
        except apsw.Error as error:
            raise _failure(error) from error
        finally:
            self._db.set_busy_timeout(_BUSY_MS)
        self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, reset=True)
        if moved >= frames:
            self._wal_bytes = 0
            self._patient_at_bytes = 4 * self._limits.wal_bytes

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Read committed messages; see `Store.read`."""
        assert self._reader is not None, "the store is not open"
        try:
            return self._reader.read(query)
        except apsw.Error as error:
            raise _failure(error) from error

    def audit(self, last: int) -> list[AuditEntry]:
        """Read the audit; see `Store.audit`."""
        try:
            return read_audit(self._reading or self._db, last)
        except apsw.Error as error:
            raise _failure(error) from error

    # --- Statements -----------------------------------------------------------------------------------------------

    @property
    def _db(self) -> apsw.Connection:
        assert self._writer is not None, "the store is not open"
        return self._writer

    def _execute(self, sql: str, bindings: Any = None) -> list[Any]:
        return self._db.execute(sql, bindings).fetchall()

    def _value(self, sql: str, *bindings: int) -> int:
        ((value,),) = self._execute(sql, bindings)
        assert isinstance(value, int)
        return value

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert all rows in as few steps as there are chunks."""
        for start in range(0, len(rows), _CHUNK_ROWS):
            part = rows[start : start + _CHUNK_ROWS]
            self._execute(_insert_sql(table, len(part[0]), len(part)), tuple(chain.from_iterable(part)))

    def _stored_seq(self, stream: int, client_id: int) -> int | None:
        rows = self._execute("SELECT seq FROM drafts WHERE stream = ? AND client_id = ?", (stream, client_id))
        return rows[0][0] if rows else None

    def _open_conversation(self, place: str | tuple[int, int]) -> list[int]:
        """Find or make the conversation; return its number and its last seq."""
        room, low, high = (place, None, None) if isinstance(place, str) else (None, *place)
        found = self._execute(_CONVERSATION, (room, low, high))
        if found:
            return list(found[0])
        self._execute("INSERT INTO conversations (room, low, high) VALUES (?, ?, ?)", (room, low, high))
        return [self._db.last_insert_rowid(), 0]

    def _forget_if_full(self) -> None:
        """Bound what is remembered, between batches only: within one, memory knows what the tables do not yet."""
        if len(self._last_client_ids) > _REMEMBERED:
            self._last_client_ids.clear()
        if len(self._conversations) > _REMEMBERED:
            self._conversations.clear()


class _Batch:
    """What one transaction gathers before it inserts."""

    __slots__ = ("draft_rows", "fresh", "message_rows", "sent_at_ms", "seqs")

    def __init__(self, sent_at_ms: int) -> None:
        self.sent_at_ms = sent_at_ms
        self.fresh: list[Message] = []
        self.message_rows: list[tuple[Any, ...]] = []
        self.draft_rows: list[tuple[Any, ...]] = []
        self.seqs: dict[tuple[int, int], int] = {}  # (stream, client_id): retries of the same batch find it here


def _stretches(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    """Cut a batch before every write that looks at messages; nearly always it stays whole."""
    cuts = [at for at, write in enumerate(writes) if type(write) is Record and looks_at_messages(write)]
    for start, end in pairwise([0, *cuts, len(writes)]):
        yield writes[start:end] if cuts else writes


@cache
def _insert_sql(table: str, columns: int, rows: int) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    return f"INSERT INTO {table} VALUES {','.join([row] * rows)}"  # noqa: S608  # both tables are ours


def _failure(error: apsw.Error) -> LogError:
    """The sentence an operator reads before the server stops."""
    code = f" (SQLite {error.extendedresult})" if hasattr(error, "extendedresult") else ""
    return LogError(
        f"the message log failed: {error}{code}; nothing more is acknowledged. Check the disk, then restart"
    )
