"""`SqliteStore`: the durable store; writes each batch in one synced SQLite transaction.

When `apply` returns, the batch survives ``kill -9`` and a power cut (WAL, synchronous=FULL: the commit is one fsync of
the journal; NORMAL lost acknowledged rows in 189 of 226 simulated cuts). When `apply` raises `DiskFull`, nothing was
stored. When it raises `LogError`, the outcome of the batch is unknown and no write of it may be answered: after a
failed fsync the kernel may have dropped the pages, and SQLite would go on acknowledging.

A batch is a handful of statements, not one per row. A thread takes the GIL again after every step of a statement, and
beside a busy loop that may cost a switch interval each time: 256 rows by executemany took 110 ms, as one INSERT with
256 rows of VALUES 4 ms (two cores, 0.5 ms interval); on an idle machine both take 2 ms.

Other modules of this folder write the tables. This one knows no threads, queues, callbacks or rules of the chat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TypeVar

import apsw

from securechat.errors import LogError
from securechat.limits import KIB, PAGE_LIMITS, Limits, PageLimits
from securechat.model import Draft, Revision
from securechat.records.accounts import AuditEntry
from securechat.records.files import FileQuery, FileRow, GoneFile, OwnFilesQuery
from securechat.records.log import LogState
from securechat.records.queries import (
    ConversationQuery,
    ConversationRows,
    HistoryQuery,
    HistoryRows,
    RoomFigures,
    SearchQuery,
    SearchRows,
    UnreadQuery,
    UnreadRows,
)
from securechat.records.rooms import PutReadMarker
from securechat.storage.directory import LOCK, DirectoryLock, OpenFiles, make_directory, make_private
from securechat.storage.search.index import SEARCH_INDEX, SearchIndex
from securechat.storage.search.log_reader import IndexLogReader
from securechat.storage.search.query import search_at_once
from securechat.storage.sqlite import accounts, files, senders
from securechat.storage.sqlite import change_writer as people
from securechat.storage.sqlite import rooms as places
from securechat.storage.sqlite.audit import read_audit
from securechat.storage.sqlite.checksums import ChecksumFiller
from securechat.storage.sqlite.conversations import list_conversations
from securechat.storage.sqlite.failures import FailureKind, failure_of, kind_of, opening_failure
from securechat.storage.sqlite.history import HistoryReader
from securechat.storage.sqlite.loss import damaged_journal, expect_no_loss, missing_database
from securechat.storage.sqlite.message_writer import MessageWriter
from securechat.storage.sqlite.migrations import migrate, read_log_id
from securechat.storage.sqlite.room_figures import room_figures
from securechat.storage.sqlite.unread import count_unread
from securechat.storage.store import (
    MESSAGE_WRITES,
    NAME_TAKEN,
    NOT_RECORDED,
    ApplyChanges,
    CommitResult,
    DatabaseBusy,
    IdentifySender,
    IndexLocation,
    ReleaseName,
    RenameSender,
    StoreWrite,
    WriteOutcome,
    erases,
    looks_at_messages,
)
from securechat.translation import Sentence

_T = TypeVar("_T")

SQLITE_VERSION = apsw.sqlite_lib_version()
DATABASE = "securechat.db"

_OPENING_BUSY_MS = 3_000
"""Longest wait at the start for a program that holds the database."""
_BUSY_MS = 250
"""Longest wait of one attempt to write or read for a program that holds the database; the caller tries again."""

_IDLE_PART = 64
"""Checkpoint when nothing waits at this part of wal_bytes, 256 KiB by default. A commit that comes meanwhile waits for
it: at 2,000 messages a second p99 is 8.4 ms so, 11.5 with a part of 16, and 9.2 to 12 with one of 256."""
_CHECKPOINT_WAIT_MS = 50
"""Longest time that a checkpoint delays all messages for a reader of the journal, such as a backup."""


def utc_ms() -> int:
    """The wall clock, milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SqliteStore:
    """The log in one SQLite database.

    Args:
        directory: the data directory; made (0700) if missing.
        limits: the source of wal_bytes and name_reservation_s.
        wall_ms: UTC milliseconds; the time of messages, never decreasing by seq.
        vfs: the name of an apsw VFS to work on (tests, simulation); None for the operating system.
        shared: False keeps other connections out and reads on the writing connection: for a VFS without shared memory.
        pages: limits the reactions of a message.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        *,
        wall_ms: Callable[[], int] = utc_ms,
        vfs: str | None = None,
        shared: bool = True,
        pages: PageLimits = PAGE_LIMITS,
    ) -> None:
        self._pages = pages
        self.directory = directory
        self._limits = limits
        self._wall_ms = wall_ms
        self._vfs = vfs
        self._shared = shared
        self._lock: DirectoryLock | None = None
        self._writer: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None  # of the writer, for statements without rows
        self._reading: apsw.Connection | None = None
        self._reader: HistoryReader | None = None
        self._message_writer: MessageWriter | None = None
        self._index: SearchIndex | None = None
        self._files = OpenFiles(())
        self._filler: ChecksumFiller | None = None
        self._wal_bytes = 0
        self._erasing = False
        self._patient_at_bytes = 4 * limits.wal_bytes
        self._held_bytes = 0

    # --- Opening and closing --------------------------------------------------------------------------------------

    def open(self) -> LogState:
        """Lock, open, recover, migrate; see `Store.open`."""
        make_directory(self.directory)
        self._lock = DirectoryLock(self.directory / LOCK)
        try:
            return self._open_database(self.directory / DATABASE)
        except BaseException as error:
            self.close(failed=True)
            if isinstance(error, apsw.Error | OSError | ValueError):  # ValueError: the file contains invalid Unicode
                raise opening_failure(self.directory, error) from error
            raise

    def _open_database(self, path: Path) -> LogState:
        if self._vfs is None:
            expect_no_loss(missing_database(path))
            make_private(path)
        writer = self._writer = apsw.Connection(str(path), vfs=self._vfs)
        self._cursor = writer.cursor()
        writer.set_busy_timeout(_OPENING_BUSY_MS)
        if not self._shared:
            writer.pragma("locking_mode", "EXCLUSIVE")
        if writer.pragma("journal_mode", "WAL") != "wal":
            raise LogError(
                Sentence(
                    "the file system of {directory} cannot hold a write-ahead log: use a local disk",
                    directory=self.directory,
                )
            )
        writer.pragma("synchronous", "FULL")
        writer.wal_autocheckpoint(0)  # checkpoints are run by tidy()
        writer.pragma("secure_delete", True)  # erased data leaves no bytes in free pages
        writer.pragma("temp_store", "MEMORY")  # nor in temporary files while a statement runs
        writer.pragma("journal_size_limit", self._limits.wal_bytes)
        expect_no_loss(damaged_journal(writer, path))
        migrate(writer)
        # No quick_check: it reads the whole database (seconds per million rows), and the start has 300 ms. Damage is
        # found when a page is read, and then ends the log; `PRAGMA integrity_check` is the operator's tool.
        message_writer = self._message_writer = MessageWriter(writer, self._pages)
        now_ms = self._wall_ms()
        oldest_ms = now_ms - int(self._limits.name_reservation_s * 1000)
        reservations = senders.open_reservations(writer, now_ms, oldest_ms)
        people, rooms = accounts.load(writer), places.load(writer)
        state = LogState(
            message_writer.last_seq,
            reservations,
            people,
            rooms,
            message_writer.last_sent_at_ms,
            read_log_id(writer),
            files.load(writer),
        )
        if self._shared:
            self._reading = self._connect_to_read()
        self._reader = HistoryReader(self._reading or writer)
        if self._vfs is None:
            self._files = OpenFiles((path, path.with_name(f"{DATABASE}-wal"), self.directory / LOCK))
        self._wal_bytes = 0
        filler = ChecksumFiller(writer)
        self._filler = None if filler.is_done else filler
        self._erasing = True  # a killed process may have left erased text in the journal
        writer.set_busy_timeout(_BUSY_MS)
        return state

    def close(self, *, failed: bool = False) -> None:
        """Close everything; after a failure leave the files exactly as they are, without a checkpoint."""
        index, self._index, self._message_writer = self._index, None, None
        if index is not None:
            index.close()
        reading, self._reading, self._reader = self._reading, None, None
        writer, self._writer = self._writer, None
        self._cursor = None
        self._files = OpenFiles(())  # SQLite deletes the journal
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

    def apply(self, writes: Sequence[StoreWrite], *, refuse_fresh: bool = False) -> CommitResult:
        """Make a batch durable; see `Store.apply`."""
        try:
            self._execute("BEGIN IMMEDIATE")
            applied = self._apply(writes, refuse_fresh=refuse_fresh)
            self._execute("COMMIT")
            self._log.commit()
        except BaseException as error:
            raise self._roll_back(error) from error
        self._count_written()
        self._files.expect_in_place()
        return applied

    def _apply(self, writes: Sequence[StoreWrite], *, refuse_fresh: bool) -> CommitResult:
        """Everything between BEGIN and COMMIT.

        Messages are written first, then accounts: they share no table, so their order within a batch does not matter. A
        change that reads messages, or the names of their rooms, is a chunk of its own: its table then holds every draft
        before it, and none of those after.
        """
        now_ms = self._wall_ms()
        message_writer = self._log
        message_writer.begin(now_ms, refuse_fresh=refuse_fresh)
        outcomes: list[WriteOutcome] = []
        for stretch, is_looking in _chunks(writes):
            if is_looking:
                outcomes.append(self._look(stretch, now_ms))
                continue
            read_marks: list[int | None] = []
            told = message_writer.write(stretch, read_marks)
            others = people.people_of(stretch)
            if others:
                answers = people.write(
                    self._db, others, now_ms, message_writer.last_seq, _one_after_the_other(read_marks)
                )
                told = [
                    outcome if isinstance(write, MESSAGE_WRITES) else next(answers)
                    for write, outcome in zip(stretch, told, strict=True)
                ]
            outcomes += told
        if len(message_writer.fresh) < len(writes):
            outcomes = senders.with_last_client_ids(self._db, outcomes)
        self._erasing = self._erasing or any(map(erases, writes))
        return CommitResult(outcomes, message_writer.fresh)

    def _look(self, stretch: Sequence[StoreWrite], now_ms: int) -> WriteOutcome:
        """Write one change that reads messages, all of it or nothing."""
        message_writer = self._log
        message_writer.forget_conversations()  # a renamed one would be found under its old name
        self._execute("SAVEPOINT record")
        try:
            (outcome,) = people.write(
                self._db, people.people_of(stretch), now_ms, message_writer.last_seq, message_writer.locate
            )
        except places.RoomNameTaken:
            self._execute("ROLLBACK TO record")
            outcome = NAME_TAKEN
        self._execute("RELEASE record")
        message_writer.forget_conversations()
        return outcome

    def answer(self, writes: Sequence[StoreWrite]) -> CommitResult:
        """Answer without storing anything; see `Store.answer`."""
        outcomes: list[WriteOutcome] = []
        try:
            for write in writes:
                match write:
                    case Draft() | Revision():
                        outcomes.append(self._log.answer(write, self._wall_ms()))
                    case IdentifySender():
                        outcomes.append(senders.find(self._db, write))
                    case ApplyChanges():
                        outcomes.append(NOT_RECORDED)
                    case RenameSender() | ReleaseName():
                        outcomes.append(None)
            outcomes = senders.with_last_client_ids(self._db, outcomes)
        except apsw.Error as error:
            raise failure_of(error) from error
        self._files.expect_in_place()
        return CommitResult(outcomes, [])

    def _roll_back(self, error: BaseException) -> BaseException:
        """Roll back the batch; return the error for the caller.

        Raises:
            LogError: the roll-back failed.
        """
        system_errno = self._db.system_errno  # of the failure, before another one replaces it
        if isinstance(error, apsw.Error) and not self._db.in_transaction and kind_of(error) is FailureKind.WAIT:
            return DatabaseBusy(str(error))  # the transaction has not begun: there is nothing to undo
        try:
            if self._db.in_transaction:
                self._execute("ROLLBACK")
            self._log.load()
            self._erasing = True  # its pages may have reached the journal
        except apsw.Error as second:
            raise LogError(
                f"the message log failed ({error}) and could not undo it ({second}); nothing more is acknowledged. "
                "Check the disk, then restart"
            ) from error
        return failure_of(error, system_errno) if isinstance(error, apsw.Error) else error

    # --- The journal ----------------------------------------------------------------------------------------------

    def tidy(self, *, idle: bool) -> None:
        """Checkpoint: at a part of wal_bytes (`_IDLE_PART`) when nothing waits, at wal_bytes also when busy.

        PASSIVE waits for no reader, and the next commit then restarts the journal, unless a reader uses it at that
        moment. If readers prevent that for long, RESTART at four times the size waits for them briefly, and again for
        each further wal_bytes.

        Raises:
            DiskFull: the database cannot grow; the journal keeps its content, nothing is lost.
            LogError: a write or sync failed.
        """
        if idle:
            self._fill_checksums()
        if self._wal_bytes < (self._limits.wal_bytes // _IDLE_PART if idle else self._limits.wal_bytes):
            return
        patient = self._wal_bytes >= self._patient_at_bytes
        mode = apsw.SQLITE_CHECKPOINT_RESTART if patient else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            self._db.set_busy_timeout(_CHECKPOINT_WAIT_MS if patient else _BUSY_MS)
            if self._checkpoint(mode):
                self._journal_is_empty()
        except DatabaseBusy:  # a reader goes on, perhaps a backup: not every batch must wait for it
            self._patient_at_bytes = self._wal_bytes + self._limits.wal_bytes
            self._held_bytes = self._wal_bytes if patient else self._held_bytes
        finally:
            self._db.set_busy_timeout(_BUSY_MS)

    @property
    def fills_checksums(self) -> bool:
        """Whether `tidy` has checksums to add for messages of an earlier version, and must be called soon."""
        return self._filler is not None

    def _fill_checksums(self) -> None:
        """Add checksums for some messages of an earlier version. A full disk ends that until the next start."""
        filler = self._filler
        if filler is None:
            return
        try:
            filler.step()
        except apsw.FullError:
            self._filler = None
        except apsw.Error as error:
            failure = failure_of(error)
            if not isinstance(failure, DatabaseBusy):  # otherwise the next call tries again
                raise failure from error
        else:
            self._count_written()
            if filler.is_done:
                self._filler = None

    def _count_written(self) -> None:
        """Count the bytes a commit wrote to the journal, without asking the file system; a frame header is 24 bytes."""
        pages, _ = self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, reset=True)
        self._wal_bytes += pages * (4 * KIB + 24)

    def _journal_is_empty(self) -> None:
        self._wal_bytes = self._held_bytes = 0
        self._patient_at_bytes = 4 * self._limits.wal_bytes

    @property
    def held_bytes(self) -> int:
        """Size of a journal that a reader outside keeps from being emptied; see `Store.held_bytes`."""
        return self._held_bytes

    @property
    def newest_at_ms(self) -> int:
        """Time of the newest entry; see `Store.newest_at_ms`."""
        newest_at_ms: int = self._log.last_sent_at_ms
        return newest_at_ms

    @property
    def erasing(self) -> bool:
        """Whether erased text may still be in the journal; see `Store.erasing`."""
        return self._erasing

    def erase(self) -> None:
        """Erase text from the journal: move everything into the database, and truncate the journal.

        The database itself holds none of it since the commit (secure_delete). A reader of the journal, such as a
        backup, prevents this for as long as it reads; this waits for it only briefly.

        Raises:
            DiskFull, LogError: as `tidy`.
        """
        self._db.set_busy_timeout(_CHECKPOINT_WAIT_MS)
        try:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except DatabaseBusy:
            return
        finally:
            self._db.set_busy_timeout(_BUSY_MS)
        self._journal_is_empty()
        self._erasing = False

    def _checkpoint(self, mode: int) -> bool:
        """Move the journal into the database; returns whether all of it was moved.

        Raises:
            DatabaseBusy: a reader outlasted the wait.
            DiskFull, LogError: as `tidy`.
        """
        try:
            frames, moved = self._db.wal_checkpoint(mode=mode)
        except apsw.Error as error:
            raise failure_of(error, self._db.system_errno) from error
        self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, reset=True)
        return moved >= frames

    # --- Reading --------------------------------------------------------------------------------------------------

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Read committed messages; see `Store.read`."""
        assert self._reader is not None, "the store is not open"
        try:
            return self._reader.read(query)
        except apsw.Error as error:
            raise failure_of(error) from error

    def expect_in_place(self) -> None:
        """Check that the files are those that were opened; see `Store.expect_in_place`."""
        self._files.expect_in_place()

    def take_damaged(self) -> list[int]:
        """Return the seqs of damaged messages that were read, or a file of them, since the last call."""
        if self._reader is None or not self._reader.damaged:
            return []
        found = sorted(self._reader.damaged)
        self._reader.damaged.clear()
        return found

    def unread(self, query: UnreadQuery) -> UnreadRows:
        """Count a reader's unread messages; see `Store.unread`."""
        assert self._reader is not None, "the store is not open"
        try:
            return count_unread(self._reader, query)
        except apsw.Error as error:
            raise failure_of(error) from error

    def conversations(self, query: ConversationQuery) -> ConversationRows:
        """List a reader's conversations; see `Store.conversations`."""
        assert self._reader is not None, "the store is not open"
        try:
            return list_conversations(self._reader, query)
        except apsw.Error as error:
            raise failure_of(error) from error

    def room_figures(self, rooms: Sequence[str]) -> list[RoomFigures]:
        """Count the messages of rooms; see `Store.room_figures`."""
        assert self._reader is not None, "the store is not open"
        try:
            return room_figures(self._reader, tuple(rooms))
        except apsw.Error as error:
            raise failure_of(error) from error

    def file(self, query: FileQuery) -> FileRow | None:
        """Find one file; see `Store.file`."""
        return self._answer(lambda reader: files.find_file(reader, query))

    def own_files(self, query: OwnFilesQuery) -> list[FileRow]:
        """List a sender's files; see `Store.own_files`."""
        return self._answer(lambda reader: files.list_own_files(reader, query))

    def gone_files(self, after: str, most: int) -> list[GoneFile]:
        """List files that are to be unlinked; see `Store.gone_files`."""
        return self._answer(lambda reader: files.list_gone_files(reader, after, most))

    def stored_file_ids(self, after: str, most: int) -> list[str]:
        """List the ids of files; see `Store.stored_file_ids`."""
        return self._answer(lambda reader: files.list_stored_ids(reader, after, most))

    def _answer(self, ask: Callable[[HistoryReader], _T]) -> _T:
        assert self._reader is not None, "the store is not open"
        try:
            return ask(self._reader)
        except apsw.Error as error:
            raise failure_of(error) from error

    def search(self, query: SearchQuery) -> SearchRows:
        """Find committed messages, with an index in memory; see `Store.search`."""
        reading = self._reading or self._db
        if self._index is None:
            self._index = SearchIndex(None, IndexLogReader(reading))
        return search_at_once(self._index, reading, query)

    @property
    def search_site(self) -> IndexLocation | None:
        """The location of the index file beside the database; see `Store.search_site`.

        None on a VFS with shared memory: such a disk records every write in order, and a second thread would interleave
        its own.
        """
        if self._shared and self._vfs is not None:
            return None

        def reading() -> AbstractContextManager[apsw.Connection]:
            return closing(self._connect_to_read()) if self._shared else nullcontext(self._db)

        return IndexLocation(self.directory / SEARCH_INDEX, reading, self._vfs, self._shared)

    def _connect_to_read(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.directory / DATABASE), flags=apsw.SQLITE_OPEN_READONLY, vfs=self._vfs)
        connection.set_busy_timeout(_BUSY_MS)  # the callers of this connection try again
        return connection

    def audit(self, last: int) -> list[AuditEntry]:
        """Read the audit; see `Store.audit`."""
        try:
            return read_audit(self._reading or self._db, last)
        except apsw.Error as error:
            raise failure_of(error) from error

    # --- Statements -----------------------------------------------------------------------------------------------

    @property
    def _db(self) -> apsw.Connection:
        assert self._writer is not None, "the store is not open"
        return self._writer

    @property
    def _log(self) -> MessageWriter:
        assert self._message_writer is not None, "the store is not open"
        return self._message_writer

    def _execute(self, sql: str) -> None:
        """Run a statement without rows."""
        assert self._cursor is not None, "the store is not open"
        self._cursor.execute(sql)


def _one_after_the_other(read_marks: Sequence[int | None]) -> Callable[[PutReadMarker], int | None]:
    """Return the next of these numbers for each read marker: they were gathered in the same order."""
    marks = iter(read_marks)
    return lambda _: next(marks)


def _chunks(writes: Sequence[StoreWrite]) -> Iterator[tuple[Sequence[StoreWrite], bool]]:
    """Split a batch before and after each write that reads messages; nearly always it stays whole."""
    start = 0
    for at, write in enumerate(writes):
        if type(write) is ApplyChanges and looks_at_messages(write):
            if at > start:
                yield writes[start:at], False
            yield writes[at : at + 1], True
            start = at + 1
    if start < len(writes):
        yield writes[start:], False
