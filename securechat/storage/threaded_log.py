"""`ThreadedLog`: the server's durable log, with a writing and a reading thread beside the loop.

The writes of one loop pass cross to the writing thread together, at the end of the pass: handed over one by one, the
first draft would wake that thread and leave the others to a second transaction (measured: 64 pipelined drafts took 2.5
commits on average). The writing thread takes all queued writes at once, at most ``commit_messages``, commits them in
one transaction, and posts one callback to the loop: every ``done`` in order, then the delivery. While it syncs, the
next batch gathers: batch size adapts to the disk without a timer.

While another process holds the database, both threads wait and try again: drafts gather up to ``append_queue``, the
operator is told once, and nothing is lost or answered. An end that comes meanwhile drops what waits unanswered; clients
send it again.

After a failure the log is silent: ``on_failure`` is called once on the loop, and no ``done`` of a draft ever again,
with neither success nor refusal. Both could be wrong: a commit whose sync failed may still be there after the restart,
and the retry of the same draft then finds it.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from securechat.errors import LocalProtocolError, LogError
from securechat.histogram import Histogram, HistogramCopy
from securechat.limits import Limits
from securechat.model import Draft, LogEntry, Message, Revision
from securechat.programs import Program, on_data
from securechat.records.accounts import Change, Committed, Put, WriteAudit
from securechat.records.files import DropGoneFiles, FileQuery, FileRow, GoneFile, OwnFilesQuery
from securechat.records.log import AppendOutcome, Identity, LogState, NotAppended
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
from securechat.records.rooms import PurgeExpired, PutReadMarker, PutRoom, PutRoomBan
from securechat.storage.conditions import DiskCondition
from securechat.storage.group_commit import CommittedBatch, GroupCommitter, PendingWrite, answer_reading
from securechat.storage.search.maintenance import IndexProgress
from securechat.storage.search.thread import SearchThread
from securechat.storage.sqlite.store import DATABASE, SqliteStore, utc_ms
from securechat.storage.store import (
    ERASE_WITHIN_S,
    MESSAGE_WRITES,
    ApplyChanges,
    DatabaseBusy,
    IdentifySender,
    ReleaseName,
    RenameSender,
    removes,
)
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")

LOG_FAILED = NotAppended.of(refusal_for("log_failed"))


FILL_EVERY_S = 0.1
"""Pause between two steps that add checksums to messages of an earlier version, while nothing else is written: some
2,500 messages a second, and a twentieth of a core."""
MOST_WARNINGS = 20
"""Damaged messages reported one by one; beyond that, further ones add no information."""


class LogFigures(Struct, frozen=True, gc=False):
    """The work of a log since its start, and what waits for it now.

    Attributes:
        commit_times: seconds from taking a batch to its commit.
        messages: messages stored.
        changes: edits, deletions and reactions stored.
        waiting_drafts: drafts taken and not yet answered.
        waiting_reads: pages of history and the like that wait for the reading thread.
        waiting_searches: searches taken and not yet answered.
        indexed_to: the seq up to which the search index has the log; None before the index is open.
        disk_full: whether new messages are refused for want of space.
        disk_low: whether space is running out, or has.
        commit_age_s: seconds for which the present commit is under way; 0 for none.
    """

    commit_times: HistogramCopy
    messages: int
    changes: int
    waiting_drafts: int
    waiting_reads: int
    waiting_searches: int
    indexed_to: int | None
    disk_full: bool
    disk_low: bool
    commit_age_s: float


def _free_bytes(directory: Path) -> int:
    """Free space; infinite if it cannot be asked, because writing then reports the reason."""
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return 1 << 62


def check_storable(write: Draft | Revision) -> None:
    """Refuse text that no database can hold, before it is in a batch with other senders' drafts.

    Raises:
        LocalProtocolError: a text or name has lone surrogates, which every codec must have refused.
    """
    sign = write.sign if type(write) is Revision else ""
    if write.text.isascii() and write.name.isascii() and (write.room or "").isascii() and sign.isascii():
        return  # to_name is another sender's name, checked when that sender logged in
    try:
        f"{write.text}{write.name}{write.room}{sign}".encode()
        for stored in write.files if type(write) is Draft else ():  # a name that is not ASCII is in the text as well
            stored.info.name.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a draft is not Unicode text") from error


def check_changes(changes: Sequence[Change]) -> None:
    """Refuse text that no database can hold, as `check_storable`; the error names no field, because some are secret.

    Raises:
        LocalProtocolError: a text has lone surrogates.
    """
    try:
        for change in changes:
            for field in _fields(change):
                for text in field if isinstance(field, tuple) else (field,):
                    if isinstance(text, str):
                        text.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("a record is not Unicode text") from None  # the cause would contain the text


def _fields(change: Change) -> tuple[Any, ...]:
    """The fields of a change that are stored in the database."""
    match change:
        case Put(row) | PutRoom(row) | PutRoomBan(row):
            return astuple(row)
        case WriteAudit(entry):
            return astuple(entry)
        case PutReadMarker() | PurgeExpired():
            return (change.room,)
        case DropGoneFiles(file_ids):
            return (file_ids,)
        case _:
            return ()


class ThreadedLog:
    """The `MessageLog` of a data directory.

    Args:
        directory: the data directory; made if missing.
        limits: the source of append_queue, commit_messages, wal_bytes, low_disk_bytes and name_reservation_s.
        post: runs a callable on the loop's thread, in order; callable from any thread.
        at_pass_end: runs a callable once, at the end of the loop's pass; by default every write is handed over alone.
        wall_ms: UTC milliseconds.
        free_bytes: free space of the directory's file system.
        store: the store to use instead of the directory's own (tests).
        erase_within_s: the time limit for removing edited or deleted text from every file of the directory.
        on_index_progress: called on the loop's thread, about once a second, while the search index is built.
        on_warning: called on the loop's thread with a sentence for the operator, about a problem that does not stop the
            log.
        on_notice: called on the loop's thread with a sentence for the operator, about a problem that is over.

    Attributes:
        failure: the error that ended the log; None while it works.
        index_trouble: the reason why the search index cannot be kept now, in a sentence; None while it can.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        post: Callable[[Callable[[], None]], None],
        *,
        at_pass_end: Callable[[Callable[[], None]], None] | None = None,
        wall_ms: Callable[[], int] = utc_ms,
        free_bytes: Callable[[], int] | None = None,
        store: SqliteStore | None = None,
        erase_within_s: float = ERASE_WITHIN_S,
        on_index_progress: Callable[[IndexProgress], None] = lambda _: None,
        on_warning: Callable[[str], None] = lambda _: None,
        on_notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.failure: LogError | None = None
        self.index_trouble: str | None = None
        self._on_warning = on_warning
        self._on_notice = on_notice
        self._database = directory / DATABASE
        self._ends = threading.Event()  # set by `close`: whatever waits for another process waits no longer
        self._has_given_up = False  # a batch was dropped so; used by the writing thread only
        self._damaged: set[int] = set()  # messages reported to the operator; used by the reading thread only
        self._limits = limits
        self._post = post
        self._store = store or SqliteStore(directory, limits, wall_ms=wall_ms)
        self._committer = GroupCommitter(
            self._store,
            limits,
            free_bytes or (lambda: _free_bytes(directory)),
            time.monotonic,
            erase_within_s=erase_within_s,
            report=self._report,
            wall_ms=wall_ms,
            directory=directory,
        )
        self._at_pass_end = at_pass_end
        self._gathered: list[PendingWrite] = []  # of this pass
        self._writes: SimpleQueue[list[PendingWrite] | None] = SimpleQueue()  # None: the end
        self._backlog: deque[PendingWrite] = (
            deque()
        )  # taken from the queue, not yet committed; used by the writing thread only
        self._queries: SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = SimpleQueue()
        self._waiting = 0  # drafts taken and not yet answered; used by the loop's thread only
        self._messages = self._changes = 0  # stored; used by the loop's thread only
        self._commit_times = Histogram()  # written by the writing thread only
        self._commit_began_s: float | None = None  # of the present one; likewise
        self._ending = False
        self._failing = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._searching: SearchThread | None = None
        site = self._store.search_site
        if site is not None:
            self._searching = SearchThread(
                site,
                limits.search_queue,
                post,
                self._fail,
                on_progress=on_index_progress,
                on_trouble=self._index_troubled,
                erase_within_s=erase_within_s,
            )

    def start(
        self, on_commit: Callable[[Sequence[LogEntry]], None], on_failure: Callable[[Exception], None]
    ) -> LogState:
        """Open the log and start its threads; see `MessageLog.start`."""
        self._on_commit = on_commit
        self._on_failure = on_failure
        state = self._store.open()
        self._committer.look_at_times()
        for name, target in (("log-writer", self._write_on), ("log-reader", self._read_on)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        if self._searching is not None:
            self._searching.start()
        return state

    # --- On the loop's thread -------------------------------------------------------------------------------------

    def append(self, draft: Draft, done: Callable[[AppendOutcome], None]) -> None:
        """Store a draft; see `MessageLog.append`. After a failure ``done`` is never called.

        Raises:
            Overloaded: ``append_queue`` drafts wait; nothing was taken.
        """
        self._append(draft, done)

    def revise(self, revision: Revision, done: Callable[[AppendOutcome], None]) -> None:
        """Change a message; see `MessageLog.revise`. Raises as `append`."""
        self._append(revision, done)

    def identify(
        self,
        secret_hash: bytes,
        name: str,
        key: str,
        done: Callable[[Identity | NotAppended], None],
        account: int | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """Find or create the sender; see `MessageLog.identify`. Never overloaded: sessions bound these themselves.

        Raises:
            LocalProtocolError: as `record`.
        """
        check_changes(changes)
        self._write((IdentifySender(secret_hash, name, key, account, tuple(changes)), done))

    def record(self, changes: Sequence[Change], done: Callable[[Committed | NotAppended], None]) -> None:
        """Make changes of accounts and rooms durable; see `MessageLog.record`. Never overloaded.

        Raises:
            LocalProtocolError: a text is not Unicode; nothing was taken.
        """
        check_changes(changes)
        self._write((ApplyChanges(tuple(changes)), done))

    def rename(self, sender_id: int, name: str, key: str) -> None:
        """Record the sender's new name; see `MessageLog.rename`."""
        self._write((RenameSender(sender_id, name, key), None))

    def release(self, sender_id: int, *, reserved: bool) -> None:
        """Record that the sender has left; see `MessageLog.release`."""
        self._write((ReleaseName(sender_id, reserved), None))

    def history(self, query: HistoryQuery, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        """Read committed messages; see `MessageLog.history`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.read(query), done))

    def search(self, query: SearchQuery, done: Callable[[SearchRows | NotAppended], None]) -> None:
        """Find committed messages; see `MessageLog.search`. May answer BUSY or LOG_FAILED."""
        if self._searching is not None:
            self._searching.search(query, done)
        else:
            self._queries.put((lambda: self._store.search(query), done))

    def unread(self, query: UnreadQuery, done: Callable[[UnreadRows | NotAppended], None]) -> None:
        """Count a reader's unread messages; see `MessageLog.unread`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.unread(query), done))

    def conversations(self, query: ConversationQuery, done: Callable[[ConversationRows | NotAppended], None]) -> None:
        """List a reader's conversations; see `MessageLog.conversations`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.conversations(query), done))

    def room_figures(self, rooms: Sequence[str], done: Callable[[list[RoomFigures] | NotAppended], None]) -> None:
        """Count the messages of rooms; see `MessageLog.room_figures`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.room_figures(rooms), done))

    def file(self, query: FileQuery, done: Callable[[FileRow | NotAppended | None], None]) -> None:
        """Find one file and its message; see `MessageLog.file`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.file(query), done))

    def own_files(self, query: OwnFilesQuery, done: Callable[[list[FileRow] | NotAppended], None]) -> None:
        """List a sender's files; see `MessageLog.own_files`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.own_files(query), done))

    def gone_files(self, after: str, most: int, done: Callable[[list[GoneFile] | NotAppended], None]) -> None:
        """List files that are to be unlinked; see `MessageLog.gone_files`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.gone_files(after, most), done))

    def stored_file_ids(self, after: str, most: int, done: Callable[[list[str] | NotAppended], None]) -> None:
        """List the ids of files; see `MessageLog.stored_file_ids`. May answer BUSY or LOG_FAILED."""
        self._queries.put((lambda: self._store.stored_file_ids(after, most), done))

    def figures(self) -> LogFigures:
        """Return what the log has done and what waits for it."""
        searching = self._searching
        return LogFigures(
            commit_times=self._commit_times.copy(),
            messages=self._messages,
            changes=self._changes,
            waiting_drafts=self._waiting,
            waiting_reads=self._queries.qsize(),
            waiting_searches=0 if searching is None else searching.waiting,
            indexed_to=None if searching is None else searching.indexed_to,
            disk_full=self.disk_full,
            disk_low=self.disk_full or self._committer.conditions.holds(DiskCondition.LOW),
            commit_age_s=self.commit_age_s,
        )

    @property
    def commit_age_s(self) -> float:
        """Seconds for which the present commit is under way: it waits for a lock, or for the disk; 0 for none."""
        began_s = self._commit_began_s
        return 0.0 if began_s is None else max(0.0, time.monotonic() - began_s)

    @property
    def disk_full(self) -> bool:
        """Whether new messages are refused for want of space."""
        return self._committer.conditions.holds(DiskCondition.FULL)

    def close(self) -> None:
        """Commit what is queued, checkpoint, and close. A failure on the way is stored in ``failure``."""
        if not self._threads:
            return
        self._hand_over()
        self._ends.set()
        self._writes.put(None)
        self._queries.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._searching is not None:
            self._searching.close()
        try:
            self._store.close(failed=self.failure is not None)
        except LogError as error:
            self._fail(error)

    def _index_troubled(self, trouble: str | None, warning: str | None) -> None:
        self.index_trouble = trouble
        if warning is not None:
            self._on_warning(warning)

    def _append(self, write: Draft | Revision, done: Callable[[AppendOutcome], None]) -> None:
        if self._waiting >= self._limits.append_queue:
            raise refusal_for("overloaded")
        check_storable(write)
        self._waiting += 1
        self._write((write, done))

    def _write(self, entry: PendingWrite) -> None:
        self._gathered.append(entry)
        if self._at_pass_end is None:
            self._hand_over()
        elif len(self._gathered) == 1:
            self._at_pass_end(self._hand_over)

    def _hand_over(self) -> None:
        """Hand the writes of this pass over to the writing thread."""
        if self._gathered:
            self._writes.put(self._gathered)
            self._gathered = []

    def _deliver(self, batch: CommittedBatch, drafts: int) -> None:
        """Deliver a batch to the hub."""
        self._waiting -= drafts
        messages = sum([type(entry) is Message for entry in batch.fresh])
        self._messages += messages
        self._changes += len(batch.fresh) - messages
        batch.deliver(self._on_commit)

    def _report(self, sentence: str, began: bool) -> None:
        """Tell the operator about the disk; called on the writing thread."""
        self._post(_Answer(self._on_warning if began else self._on_notice, sentence))

    # --- On the writing thread ------------------------------------------------------------------------------------

    def _write_on(self) -> None:
        going = True
        while going:
            entries, going = self._gather()
            if self.failure is not None:
                continue  # silent after a failure; see the module docstring
            try:
                self._commit(entries)
                self._committer.tidy(idle=not self._backlog and self._writes.empty())
                if not going and not self._has_given_up:
                    self._committer.settle()
            except DatabaseBusy:  # at the end, with names still to be written: the next start finds the earlier ones
                self._has_given_up = True
            except Exception as error:  # noqa: BLE001  # after any error nothing may be acknowledged
                self._fail(error)

    def _gather(self) -> tuple[list[PendingWrite], bool]:
        """Wait for a write, or until something else is due; then take all queued writes; false: they were the last."""
        backlog = self._backlog
        try:
            timeout_s = self._idle_s() if self.failure is None else None
            passed = self._writes.get(block=not backlog, timeout=timeout_s)
            while passed is not None:
                backlog.extend(passed)
                if len(backlog) >= self._limits.commit_messages:
                    break
                passed = self._writes.get_nowait()
            else:
                self._ending = True
        except Empty:
            pass
        entries = [backlog.popleft() for _ in range(min(len(backlog), self._limits.commit_messages))]
        return entries, bool(backlog) or not self._ending

    def _idle_s(self) -> float:
        """Seconds for which nothing is due while nothing is written."""
        due_s = [self._committer.look_in_s(), self._committer.erase_in_s()]
        if self._store.fills_checksums:
            due_s.append(FILL_EVERY_S)
        return min(each for each in due_s if each is not None)

    def _commit(self, entries: list[PendingWrite]) -> None:
        if not entries:
            if self._committer.look_in_s() == 0:
                self._committer.look_at_disk()
            return
        began_s = self._commit_began_s = time.monotonic()
        try:
            batch = self._commit_when_free(entries)
        finally:
            self._commit_began_s = None
        if batch is None:
            return
        self._commit_times.add(time.monotonic() - began_s)
        if self._searching is not None:
            self._searching.committed(vanished=any(removes(write) for write, _ in entries))
        drafts = sum([isinstance(write, MESSAGE_WRITES) for write, _ in entries])
        with self._failing:  # the reading thread may just have failed: nothing may be acknowledged then
            if self.failure is None:
                self._post(lambda: self._deliver(batch, drafts))

    def _commit_when_free(self, entries: list[PendingWrite]) -> CommittedBatch | None:
        """Commit, however long another process holds the database; None when the log ended meanwhile.

        Each attempt waits inside SQLite for a quarter of a second, without the GIL.
        """
        conditions = self._committer.conditions
        while not self._has_given_up and self.failure is None:
            try:
                batch = self._committer.commit(entries)
            except DatabaseBusy:
                conditions.met(DiskCondition.LOCKED, self._database)
                self._has_given_up = self._ends.is_set()
            else:
                conditions.passed(DiskCondition.LOCKED, for_certain=True)
                return batch
        return None

    def _fail(self, error: Exception) -> None:
        """Stop permanently, and report the failure once.

        Of files that were deleted or replaced, the report tells that, whichever read or write met it first.
        """
        cause = error if isinstance(error, LogError) else LogError(f"the log failed: {error!r}")
        try:
            self._store.expect_in_place()
        except LogError as loss:
            cause = loss
        with self._failing:
            if self.failure is not None:
                return
            self.failure = failure = cause
            self._post(lambda: self._on_failure(failure))

    # --- On the reading thread ------------------------------------------------------------------------------------

    def _read_on(self) -> None:
        while (asked := self._queries.get()) is not None:
            read, done = asked
            self._post(_Answer(done, self._read(read)))

    def _read(self, read: Callable[[], _T]) -> _T | NotAppended:
        if self.failure is not None:
            return LOG_FAILED
        try:
            while True:
                try:
                    return answer_reading(read)
                except DatabaseBusy:
                    if self._ends.is_set() or self.failure is not None:
                        return LOG_FAILED
        except Exception as error:  # noqa: BLE001  # an unreadable database must not be written either
            self._fail(error)
            return LOG_FAILED
        finally:
            self._warn_of_damaged(self._store.take_damaged())

    def _warn_of_damaged(self, seqs: list[int]) -> None:
        """Report damaged messages to the operator, each once, and MOST_WARNINGS at most."""
        for seq in seqs:
            if seq not in self._damaged and len(self._damaged) < MOST_WARNINGS:
                self._damaged.add(seq)
                more = "; further damaged messages are not reported here" if len(self._damaged) == MOST_WARNINGS else ""
                sentence = (
                    f"message {seq} is damaged on the disk and was shown as damaged; check the disk, and run "
                    f"`{on_data(Program.ADMIN, self._database.parent, 'check')}`{more}"
                )
                self._post(_Answer(self._on_warning, sentence))


class _Answer:
    """An answer to be delivered on the loop's thread; replaces a lambda in a loop."""

    __slots__ = ("_answer", "_done")

    def __init__(self, done: Callable[[Any], None], answer: object) -> None:
        self._done = done
        self._answer = answer

    def __call__(self) -> None:
        self._done(self._answer)
